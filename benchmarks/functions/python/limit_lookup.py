import os
import re

import boto3

GEOGRAPHIES = re.compile(r"^(us|eu|apac|global|us-gov|jp|au)\.")
TABLE = os.environ["LIMITS_TABLE"]
dynamodb = boto3.resource("dynamodb")


class LimitNotConfigured(Exception):
    pass


def handler(event):
    family = GEOGRAPHIES.sub("", event["modelId"])
    keys = list(dict.fromkeys([event["modelId"], family, "default"]))
    found = dynamodb.batch_get_item(
        RequestItems={TABLE: {"Keys": [{"modelId": key} for key in keys], "ConsistentRead": True}}
    )
    items = {item["modelId"]: item for item in found["Responses"][TABLE]}
    item = next((items[key] for key in keys if key in items), None)
    if item is None:
        raise LimitNotConfigured(event["modelId"])
    limit = {dimension: int(tokens) for dimension, tokens in item["limit"].items()}
    return {
        "budgets": [{"key": family, "itemId": item["modelId"], "limit": limit}],
        "defaultMaxTokens": int(item.get("defaultMaxTokens", 1024)),
    }
