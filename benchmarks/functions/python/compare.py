import os
from datetime import datetime

import boto3
from botocore.exceptions import ClientError

table = boto3.resource("dynamodb").Table(os.environ["LEDGER_TABLE"])


def handler(event):
    budget = event["limits"]["budgets"][0]
    limit = budget["limit"]
    wanted = {"input": event["inputBound"], "output": event.get("maxTokens") or event["limits"]["defaultMaxTokens"]}
    start = datetime.fromisoformat(event["startTime"].replace("Z", "+00:00"))
    bucket = int(start.timestamp()) // 300
    key = f"{start:%Y-%m}/{budget['key']}"
    try:
        item = table.update_item(
            Key={"budget": key},
            UpdateExpression=f"ADD #i :i, #o :o, r{bucket}Input :i, r{bucket}Output :o",
            ConditionExpression="(attribute_not_exists(#i) OR #i <= :mi) AND (attribute_not_exists(#o) OR #o <= :mo)",
            ExpressionAttributeNames={"#i": "input", "#o": "output"},
            ExpressionAttributeValues={
                ":i": wanted["input"],
                ":o": wanted["output"],
                ":mi": limit["input"] - wanted["input"],
                ":mo": limit["output"] - wanted["output"],
            },
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )["Attributes"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return {"verdict": "refuse", "error": "BudgetExceeded", "cause": {"budget": key, "requested": wanted}}
    return {
        "verdict": "admit",
        "maxTokens": wanted["output"],
        "maxTokensShrunk": False,
        "reservation": {"reserved": [{"item": key, "bucket": bucket, "amounts": wanted}], **wanted},
        "budget": {side: {"limit": limit[side], "committed": int(item[side])} for side in ("input", "output")},
    }
