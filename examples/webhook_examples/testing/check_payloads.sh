#!/bin/sh
# Asks a running hookbridge what it would make of payloads, without storing anything.  Needs curl.
#
#   ./check_payloads.sh http://localhost:8080 ../payloads/*.json
#
# The source is the first word of a file's name.  Where signatures are verified, the admin token stands for them: that of
# HOOKBRIDGE_ADMIN_TOKEN, or the one in HOOKBRIDGE_ADMIN_TOKEN_FILE, which without a value is the clone's own data/admin-token.
# The exit code is 1 when any payload is refused.
set -eu
service=$1
shift
token=${HOOKBRIDGE_ADMIN_TOKEN:-}
file=${HOOKBRIDGE_ADMIN_TOKEN_FILE:-$(dirname "$0")/../../../data/admin-token}
if [ -z "$token" ] && [ -r "$file" ]; then token=$(cat "$file"); fi
refused=0
for file in "$@"; do
    name=${file##*/}
    # The token through standard input: arguments can be read by everybody on the machine.
    status=$(printf '%s' "${token:+Authorization: Bearer $token}" |
        curl --silent --output /dev/null --write-out '%{http_code}' \
            "$service/api/v1/webhooks/test?source=${name%%_*}" \
            -H @- -H 'Content-Type: application/json' --data-binary "@$file")
    echo "$status $name"
    if [ "$status" != 200 ]; then refused=1; fi
done
exit "$refused"
