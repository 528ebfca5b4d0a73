NAMES = {"maxTokens": "MaxTokens", "temperature": "Temperature", "topP": "TopP", "stopSequences": "StopSequences"}


def handler(event):
    if event["operation"] == "format":
        messages = event["prompt"]["messages"]
        body = {
            "ModelId": event["modelId"],
            "Messages": [
                {"Role": message["role"], "Content": [{"Text": message["content"]}]}
                for message in messages
                if message["role"] != "system"
            ],
            "InferenceConfig": {NAMES[name]: value for name, value in event["inference"].items() if name in NAMES},
        }
        system = [{"Text": message["content"]} for message in messages if message["role"] == "system"]
        if system:
            body["System"] = system
        return {"body": body}
    body = event["body"]
    usage = {
        "inputTokens": body["Usage"]["InputTokens"],
        "outputTokens": body["Usage"]["OutputTokens"],
        "cacheReadInputTokens": body["Usage"].get("CacheReadInputTokens", 0),
        "cacheWriteInputTokens": body["Usage"].get("CacheWriteInputTokens", 0),
    }
    return {
        "message": {
            "role": "assistant",
            "content": "".join(block.get("Text", "") for block in body["Output"]["Message"]["Content"]),
        },
        "stopReason": body["StopReason"],
        "vendorStopReason": body["StopReason"],
        "usage": {**usage, "totalTokens": sum(usage.values())},
    }
