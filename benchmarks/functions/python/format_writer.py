from chat_completions import handle


def handler(event):
    formatted = handle(event)
    if "body" in formatted:
        messages = formatted["body"]["messages"]
        formatted["body"]["messages"] = [{**message, "content": {"text": message["content"]}} for message in messages]
    return formatted
