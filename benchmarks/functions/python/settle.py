import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["LEDGER_TABLE"])


def handler(event):
    held, usage = event["reservation"]["reserved"][0], event["outcome"]["answer"]["usage"]
    reserved = held["amounts"]
    used = {
        "input": usage["inputTokens"] + usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0),
        "output": usage["outputTokens"],
    }
    held_input, held_output = f"r{held['bucket']}Input", f"r{held['bucket']}Output"
    item = table.update_item(
        Key={"budget": held["item"]},
        UpdateExpression="ADD #i :di, #o :do, settledInput :i, settledOutput :o, #hi :ri, #ho :ro",
        ConditionExpression="#hi >= :ei AND #ho >= :eo",
        ExpressionAttributeNames={"#i": "input", "#o": "output", "#hi": held_input, "#ho": held_output},
        ExpressionAttributeValues={
            ":i": used["input"],
            ":o": used["output"],
            ":di": used["input"] - reserved["input"],
            ":do": used["output"] - reserved["output"],
            ":ri": -reserved["input"],
            ":ro": -reserved["output"],
            ":ei": reserved["input"],
            ":eo": reserved["output"],
        },
        ReturnValues="ALL_NEW",
    )["Attributes"]
    return {"budget": {side: int(item[side]) for side in ("input", "output")}, "usage": usage, "usageEstimated": False}
