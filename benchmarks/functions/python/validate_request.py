import re

VENDORS = {"anthropic", "amazon", "meta", "mistral", "cohere", "ai21", "deepseek", "qwen", "openai"}
GEOGRAPHIES = re.compile(r"^(us|eu|apac|global|us-gov|jp|au)\.")
ROLES = {"system", "user", "assistant"}
KNOWN = {"modelId", "prompt", "inference", "tags", "tenant", "idempotencyKey"}


class InvalidRequest(Exception):
    pass


class UnsupportedModel(Exception):
    pass


def handler(event):
    request = event["request"]
    unknown = request.keys() - KNOWN
    if unknown:
        raise InvalidRequest(f"unknown field {unknown.pop()}")
    messages = request["prompt"]["messages"]
    if not messages:
        raise InvalidRequest("prompt.messages is empty")
    bound = 64
    for number, message in enumerate(messages):
        if message["role"] not in ROLES or not isinstance(message["content"], str):
            raise InvalidRequest(f"prompt.messages[{number}]")
        bound += len(message["content"].encode()) + 16
    inference = request.get("inference", {})
    if not 0 < inference.get("maxTokens", 1) <= 1_000_000:
        raise InvalidRequest("inference.maxTokens")
    family = GEOGRAPHIES.sub("", request["modelId"])
    vendor = family.split(".")[0]
    if vendor not in VENDORS:
        raise UnsupportedModel(request["modelId"])
    return {
        "modelId": request["modelId"],
        "family": family,
        "vendor": vendor,
        "prompt": request["prompt"],
        "inference": inference,
        "tags": request.get("tags", {}),
        "tenant": request.get("tenant"),
        "idempotencyKey": request.get("idempotencyKey"),
        "inputBound": bound,
        "usageIds": [family, f"us.{family}", f"eu.{family}", f"apac.{family}", f"global.{family}"],
    }
