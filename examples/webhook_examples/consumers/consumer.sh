#!/bin/sh
# Keeps a JSON file equal to the copies: the records, and the place up to which they were told. With curl and jq.
#
#   HOOKBRIDGE_URL=http://localhost:8080 HOOKBRIDGE_READ_TOKEN=… sh consumer.sh mine.json
set -eu
file=${1:-mine.json}
[ -s "$file" ] || { echo '{"since": "0", "round": 1, "records": {}}' > "$file.new" && mv "$file.new" "$file"; }
# Where the place is gone there is no `next`: a snapshot, at whose end everything of earlier rounds goes.
become='. as $told | $mine[0] | .since = ($told.next // "0") | if $told.next then .round as $round
  | reduce $told.changes[] as $one (.; "\($one.source):\($one.table):\($one.id)" as $name
    | if $one.type == "upsert" then .records[$name] = {$round, data: $one.data}
      elif $one.type == "delete" then del(.records[$name])
      else .records |= with_entries(select(.value.round == $round)) end)
  else .round += 1 end'

while :; do
  # The token goes through a pipe: what stands in the arguments, every user of the machine can see.
  answer=$(printf 'header = "Authorization: Bearer %s"\n' "$HOOKBRIDGE_READ_TOKEN" | curl -sS -m 60 -K - \
    -w '\n%{http_code}' "$HOOKBRIDGE_URL/api/v1/changes?limit=500&wait=30&since=$(jq -r .since "$file")")
  case ${answer##*[!0-9]} in
    200 | 410) printf '%s' "${answer%???}" | jq -c --slurpfile mine "$file" "$become" > "$file.new" ;;
    *) echo "$answer" >&2 && exit 1 ;; # whoever runs this starts it again
  esac
  mv "$file.new" "$file" # at once: the records, and the place behind them
done
