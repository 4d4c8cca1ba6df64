#!/bin/sh
# Sends a JSON file to hookbridge, signed.  Needs curl and openssl.
#
#   WEBHOOK_SECRET=… ./sign.sh payload.json https://hooks.example.com/api/v1/webhooks/supabase
#
# The hex HMAC-SHA256 of exactly the bytes that are sent; --data-binary leaves them as they are.
set -eu
path=$1
url=$2
signature=$(openssl dgst -sha256 -hmac "$WEBHOOK_SECRET" -r <"$path" | cut -d ' ' -f 1)
curl --fail-with-body --silent --show-error "$url" \
    -H 'Content-Type: application/json' \
    -H "X-Webhook-Signature: $signature" \
    --data-binary "@$path"
