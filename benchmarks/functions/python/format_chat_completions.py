from chat_completions import handle


def handler(event):
    return handle(event)
