NAMES = {
    "maxTokens": "maxTokens",
    "temperature": "temperature",
    "topP": "topP",
    "topK": "topK",
    "stopSequences": "stopSequences",
}


def handler(event):
    if event["operation"] == "format":
        messages = event["prompt"]["messages"]
        body = {
            "schemaVersion": "messages-v1",
            "messages": [
                {"role": message["role"], "content": [{"text": message["content"]}]}
                for message in messages
                if message["role"] != "system"
            ],
            "inferenceConfig": {NAMES[name]: value for name, value in event["inference"].items()},
        }
        system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
        if system:
            body["system"] = [{"text": system}]
        return {"body": body}
    body = event["body"]
    usage = {
        "inputTokens": body["usage"]["inputTokens"],
        "outputTokens": body["usage"]["outputTokens"],
        "cacheReadInputTokens": body["usage"].get("cacheReadInputTokenCount", 0),
        "cacheWriteInputTokens": body["usage"].get("cacheWriteInputTokenCount", 0),
    }
    return {
        "message": {
            "role": "assistant",
            "content": "".join(block.get("text", "") for block in body["output"]["message"]["content"]),
        },
        "stopReason": body["stopReason"],
        "vendorStopReason": body["stopReason"],
        "usage": {**usage, "totalTokens": sum(usage.values())},
    }
