#!/bin/sh
# Keeps a JSON file equal to the copies: the records, and the place up to which they were told. With curl, and jq or
# python3.
#
#   HOOKBRIDGE_URL=http://localhost:8080 HOOKBRIDGE_READ_TOKEN=… sh consumer.sh mine.json
set -eu
file=${1:-mine.json}
[ -e "$file" ] || { echo '{"since": "0", "round": 1, "records": {}}' > "$file.new" && mv "$file.new" "$file"; }

# Each reads the file, and prints what is wanted of it, or what it becomes; an answer comes on stdin.
if command -v jq > /dev/null; then
  since() { jq -r .since "$file"; }
  begun_again() { jq -c '.since = "0" | .round += 1' "$file"; }
  applied() {
    jq -c --slurpfile mine "$file" '. as $answer | $mine[0] | .round as $round
      | reduce $answer.changes[] as $one (.; "\($one.source):\($one.table):\($one.id)" as $name
        | if $one.type == "upsert" then .records[$name] = {round: $round, data: $one.data}
          elif $one.type == "delete" then del(.records[$name])
          else .records |= with_entries(select(.value.round == $round)) end)
      | .since = $answer.next'
  }
else
  of_file() { python3 -c "import json, sys; mine = json.load(open(sys.argv[1])); $1" "$file"; }
  since() { of_file 'print(mine["since"])'; }
  begun_again() { of_file 'print(json.dumps({**mine, "since": "0", "round": mine["round"] + 1}))'; }
  applied() {
    of_file 'answer, records, round = json.load(sys.stdin), mine["records"], mine["round"]
for one in answer["changes"]:
    name = ":".join((one.get("source", ""), one.get("table", ""), one.get("id", "")))
    records.pop(name, None)
    if one["type"] == "upsert":
        records[name] = {"round": round, "data": one["data"]}
    if one["type"] == "snapshot_end":
        records = {name: old for name, old in records.items() if old["round"] == round}
print(json.dumps({**mine, "records": records, "since": answer["next"]}))'
  }
fi

while :; do
  # The token goes through a pipe: what stands in the arguments, every user of the machine can see.
  answer=$(printf 'header = "Authorization: Bearer %s"\n' "$HOOKBRIDGE_READ_TOKEN" |
    curl -sS -m 60 -K - -w '\n%{http_code}' -G "$HOOKBRIDGE_URL/api/v1/changes" \
      -d "since=$(since)" -d limit=500 -d wait=30)
  case ${answer##*[!0-9]} in
    200) printf '%s' "${answer%???}" | applied > "$file.new" ;;
    410) begun_again > "$file.new" ;; # the place is gone: a snapshot, at whose end everything of earlier rounds goes
    *) echo "$answer" >&2 && exit 1 ;; # whoever runs this starts it again
  esac
  mv "$file.new" "$file" # at once: the records, and the place behind them
done
