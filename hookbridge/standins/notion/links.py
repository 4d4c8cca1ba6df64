"""Links to files that Notion keeps: signed anew in every answer, for an hour.

Source: Notion API reference, "File object"; recorded pages.
"""

from datetime import datetime, timedelta

from hookbridge.standins.notion.properties import Json

EXPIRES_SECONDS = 3600


def signed(value: Json, now: datetime, number: int) -> Json:
    """The value with every link in it signed at this time; ``number`` makes the signature another one."""
    if isinstance(value, list):
        return [signed(part, now, number) for part in value]
    if not isinstance(value, dict):
        return value
    if "expiry_time" not in value:
        return {name: signed(part, now, number) for name, part in value.items()}
    expires = now + timedelta(seconds=EXPIRES_SECONDS)
    path = str(value.get("url")).partition("?")[0]
    query = f"X-Amz-Date={now:%Y%m%dT%H%M%SZ}&X-Amz-Expires={EXPIRES_SECONDS}&X-Amz-Signature={number:08x}"
    return {
        **value,
        "url": f"{path}?{query}",
        "expiry_time": f"{expires:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
    }
