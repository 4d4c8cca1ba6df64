#!/bin/sh
# Sends a JSON file to hookbridge, signed.  Needs curl and openssl.
#
#   WEBHOOK_SECRET=… ./sign.sh payload.json https://hooks.example.com/api/v1/webhooks/supabase
#
# By Standard Webhooks for a whsec_ secret, else the hex HMAC-SHA256; always over exactly the bytes that are sent, which
# --data-binary leaves as they are.
set -eu
path=$1
url=$2

# The bytes of standard input as hexadecimal, for a key that may be any bytes.
hex() { od -An -v -tx1 | tr -d ' \n'; }

case $WEBHOOK_SECRET in
whsec_*)
    encoded=${WEBHOOK_SECRET#whsec_}
    while [ $((${#encoded} % 4)) -ne 0 ]; do encoded="$encoded="; done
    key=$(printf '%s' "$encoded" | openssl base64 -d -A | hex)
    id=msg_$(openssl rand -hex 16) # the same for every try of one message: then it counts once
    timestamp=$(date +%s)
    signature=$({ printf '%s.%s.' "$id" "$timestamp" && cat "$path"; } |
        openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
    set -- -H "webhook-id: $id" -H "webhook-timestamp: $timestamp" -H "webhook-signature: v1,$signature"
    ;;
*)
    key=$(printf '%s' "$WEBHOOK_SECRET" | hex)
    signature=$(openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -r <"$path" | cut -d ' ' -f 1)
    set -- -H "X-Webhook-Signature: $signature"
    ;;
esac
curl --fail-with-body --silent --show-error "$url" -H 'Content-Type: application/json' "$@" --data-binary "@$path"
