#!/bin/sh
# Asks a running hookbridge what it would make of payloads, without storing anything.  Needs curl.
#
#   ./check_payloads.sh http://localhost:8080 ../payloads/*.json
#
# The source is the first word of a file's name.  The exit code is 1 when any payload is refused.
set -eu
service=$1
shift
refused=0
for file in "$@"; do
    name=${file##*/}
    status=$(curl --silent --output /dev/null --write-out '%{http_code}' \
        "$service/api/v1/webhooks/test?source=${name%%_*}" \
        -H 'Content-Type: application/json' --data-binary "@$file")
    echo "$status $name"
    if [ "$status" != 200 ]; then refused=1; fi
done
exit "$refused"
