"""The format that several vendors share: OpenAI's chat completions."""

NAMES = {"temperature": "temperature", "topP": "top_p", "stopSequences": "stop"}
STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "content_filtered"}


def handle(event, max_tokens="max_tokens"):
    if event["operation"] == "format":
        inference = event["inference"]
        body = {"messages": event["prompt"]["messages"], max_tokens: inference["maxTokens"]}
        body.update((NAMES[name], value) for name, value in inference.items() if name in NAMES)
        return {"body": body}
    choice, counted = event["body"]["choices"][0], event["body"]["usage"]
    cached = counted.get("prompt_tokens_details", {}).get("cached_tokens", 0)
    usage = {
        "inputTokens": counted["prompt_tokens"] - cached,
        "outputTokens": counted["completion_tokens"],
        "cacheReadInputTokens": cached,
        "cacheWriteInputTokens": 0,
    }
    return {
        "message": {"role": "assistant", "content": choice["message"]["content"]},
        "stopReason": STOPS.get(choice["finish_reason"], "other"),
        "vendorStopReason": choice["finish_reason"],
        "usage": {**usage, "totalTokens": sum(usage.values())},
    }
