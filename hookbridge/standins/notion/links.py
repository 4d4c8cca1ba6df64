"""Links to files that Notion keeps: signed anew in every answer, for an hour.

Source: Notion API reference, "File object" and "Retrieve a page as markdown"; recorded pages.
"""

import hashlib
import re
from datetime import datetime, timedelta

from hookbridge.standins.notion.properties import FILES, Json

EXPIRES_SECONDS = 3600
_IN_TEXT = re.compile(rf"({re.escape(FILES)}[^\s?)\"'<>]*)(?:\?[^\s)\"'<>]*)?")


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
    return {
        **value,
        "url": f"{path}?{_query(now, number)}",
        "expiry_time": f"{expires:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
    }


def signed_in(markdown: str, now: datetime, number: int) -> str:
    """The text with every link in it signed at this time; a signature that stands there is replaced."""
    return _IN_TEXT.sub(lambda found: f"{found[1]}?{_query(now, number)}", markdown)


def _query(now: datetime, number: int) -> str:
    signature = hashlib.sha256(str(number).encode()).hexdigest()
    return (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"
        f"&X-Amz-Credential=ASIA{number:016d}%2F{now:%Y%m%d}%2Fus-west-2%2Fs3%2Faws4_request"
        f"&X-Amz-Date={now:%Y%m%dT%H%M%SZ}&X-Amz-Expires={EXPIRES_SECONDS}&X-Amz-Security-Token=IQoJ{signature[:32]}"
        f"&X-Amz-Signature={signature}&X-Amz-SignedHeaders=host&x-amz-checksum-mode=ENABLED&x-id=GetObject"
    )
