NAMES = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop"}
STOPS = {"stop": "end_turn", "length": "max_tokens"}
MARKS = {"system": "", "user": "<｜User｜>", "assistant": "<｜Assistant｜>"}


def handler(event):
    if event["operation"] == "format":
        prompt = "<｜begin▁of▁sentence｜>"
        for message in event["prompt"]["messages"]:
            prompt += MARKS[message["role"]] + message["content"]
            if message["role"] == "assistant":
                prompt += "<｜end▁of▁sentence｜>"
        prompt += "<｜Assistant｜><think>\n"
        settings = {NAMES[name]: value for name, value in event["inference"].items() if name in NAMES}
        return {"body": {"prompt": prompt, **settings}}
    choice = event["body"]["choices"][0]
    return {
        "message": {"role": "assistant", "content": choice["text"].rpartition("</think>")[2].lstrip()},
        "stopReason": STOPS.get(choice["stop_reason"], "other"),
        "vendorStopReason": choice["stop_reason"],
        "usage": None,
    }
