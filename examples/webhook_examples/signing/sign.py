"""Sends a JSON file to hookbridge, signed.  The standard library is all it needs.

    WEBHOOK_SECRET=… python3 sign.py payload.json https://hooks.example.com/api/v1/webhooks/supabase

The signature is made over the bytes that are sent: serialise once, sign those bytes, send those bytes.
"""

import base64
import hashlib
import hmac
import os
import sys
import time
import urllib.request
import uuid
from pathlib import Path


def signed_headers(body: bytes, secret: str) -> dict[str, str]:
    """Give the headers for this body: by Standard Webhooks for a whsec_ secret, else the hex HMAC-SHA256."""
    if not secret.startswith("whsec_"):
        return {"X-Webhook-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}
    message_id = f"msg_{uuid.uuid4().hex}"  # the same for every try of one message: then it counts once
    timestamp = str(int(time.time()))
    content = f"{message_id}.{timestamp}.".encode() + body
    encoded = secret.removeprefix("whsec_")
    key = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }


def main() -> None:
    """Send the file that the first argument names to the address that the second one is."""
    path, url = sys.argv[1:]
    body = Path(path).read_bytes()
    headers = {"Content-Type": "application/json", **signed_headers(body, os.environ["WEBHOOK_SECRET"])}
    request = urllib.request.Request(url, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        print(answer.status, answer.read().decode())


if __name__ == "__main__":
    main()
