NAMES = {
    "maxTokens": "max_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "stopSequences": "stop_sequences",
}


def handler(event):
    if event["operation"] == "format":
        messages = event["prompt"]["messages"]
        body = {
            "anthropic_version": "bedrock-2023-05-31",
            "messages": [message for message in messages if message["role"] != "system"],
        }
        system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
        if system:
            body["system"] = system
        body.update((NAMES[name], value) for name, value in event["inference"].items())
        return {"body": body}
    body = event["body"]
    usage = {
        "inputTokens": body["usage"]["input_tokens"],
        "outputTokens": body["usage"]["output_tokens"],
        "cacheReadInputTokens": body["usage"].get("cache_read_input_tokens", 0),
        "cacheWriteInputTokens": body["usage"].get("cache_creation_input_tokens", 0),
    }
    return {
        "message": {
            "role": "assistant",
            "content": "".join(block["text"] for block in body["content"] if block["type"] == "text"),
        },
        "stopReason": body["stop_reason"],
        "vendorStopReason": body["stop_reason"],
        "usage": {**usage, "totalTokens": sum(usage.values())},
    }
