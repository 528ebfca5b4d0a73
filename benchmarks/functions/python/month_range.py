from datetime import datetime, timezone

FORM = "%Y-%m-%dT%H:%M:%SZ"


def handler(event):
    now = datetime.fromisoformat(event["startTime"].replace("Z", "+00:00")).astimezone(timezone.utc)
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return {
        "period": start.strftime("%Y-%m"),
        "start": start.strftime(FORM),
        "end": end.strftime(FORM),
        "now": now.isoformat().replace("+00:00", "Z"),
    }
