from datetime import datetime, timedelta
from functools import lru_cache

import boto3

cloudwatch = boto3.client("cloudwatch")
INPUT = (
    "InputTokenCount",
    "CacheReadInputTokens",
    "CacheWriteInputTokens",
    "CacheReadInputTokenCount",
    "CacheWriteInputTokenCount",
)


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def total(model_ids, start, end, period):
    queries = [
        {
            "Id": f"m{model}_{metric}",
            "MetricStat": {
                "Stat": "Sum",
                "Period": period,
                "Metric": {
                    "Namespace": "AWS/Bedrock",
                    "MetricName": name,
                    "Dimensions": [{"Name": "ModelId", "Value": model_id}],
                },
            },
        }
        for model, model_id in enumerate(model_ids)
        for metric, name in enumerate((*INPUT, "OutputTokenCount"))
    ]
    used = {"input": 0, "output": 0}
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=start, EndTime=end
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            side = "output" if result["Id"].endswith(f"_{len(INPUT)}") else "input"
            used[side] += int(sum(result["Values"]))
    return used


@lru_cache
def closed_days(model_ids, start, end):
    return total(model_ids, start, end, 86400)


def handler(event):
    start, now = moment(event["range"]["start"]), moment(event["range"]["now"])
    today, model_ids = now.replace(hour=0, minute=0, second=0, microsecond=0), tuple(event["modelIds"])
    used = total(model_ids, today, now + timedelta(minutes=1), 60)
    if start < today:
        before = closed_days(model_ids, start, today)
        used = {side: used[side] + before[side] for side in used}
    return {**used, "available": True, "asOf": event["range"]["now"]}
