NAMES = {"maxTokens": "max_gen_len", "temperature": "temperature", "topP": "top_p"}
STOPS = {"stop": "end_turn", "length": "max_tokens"}


def handler(event):
    if event["operation"] == "format":
        prompt = "<|begin_of_text|>"
        for message in event["prompt"]["messages"]:
            prompt += f"<|start_header_id|>{message['role']}<|end_header_id|>\n\n{message['content'].strip()}<|eot_id|>"
        prompt += "<|start_header_id|>assistant<|end_header_id|>\n\n"
        settings = {NAMES[name]: value for name, value in event["inference"].items() if name in NAMES}
        return {"body": {"prompt": prompt, **settings}}
    body = event["body"]
    usage = {
        "inputTokens": body["prompt_token_count"],
        "outputTokens": body["generation_token_count"],
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokens": 0,
    }
    return {
        "message": {"role": "assistant", "content": body["generation"]},
        "stopReason": STOPS.get(body["stop_reason"], "other"),
        "vendorStopReason": body["stop_reason"],
        "usage": {**usage, "totalTokens": sum(usage.values())},
    }
