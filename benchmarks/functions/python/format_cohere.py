NAMES = {
    "maxTokens": "max_tokens",
    "temperature": "temperature",
    "topP": "p",
    "topK": "k",
    "stopSequences": "stop_sequences",
}
STOPS = {
    "COMPLETE": "end_turn",
    "MAX_TOKENS": "max_tokens",
    "STOP_SEQUENCE": "stop_sequence",
    "ERROR_TOXIC": "content_filtered",
}
ROLES = {"user": "USER", "assistant": "CHATBOT"}


def handler(event):
    if event["operation"] == "format":
        messages = event["prompt"]["messages"]
        system = "".join(message["content"] for message in messages if message["role"] == "system")
        *history, last = [message for message in messages if message["role"] != "system"]
        body = {"message": last["content"]}
        if history:
            body["chat_history"] = [{"role": ROLES[turn["role"]], "message": turn["content"]} for turn in history]
        if system:
            body["preamble"] = system
        body.update((NAMES[name], value) for name, value in event["inference"].items() if name in NAMES)
        return {"body": body}
    body = event["body"]
    return {
        "message": {"role": "assistant", "content": body["text"]},
        "stopReason": STOPS.get(body["finish_reason"], "other"),
        "vendorStopReason": body["finish_reason"],
        "usage": None,
    }
