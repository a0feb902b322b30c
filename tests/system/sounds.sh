#!/bin/bash
# sounds.sh - the default model through the real path: the synthesised sounds and the demo recording come out under their names, a
# quiet room as nothing.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd)
EARSHOT=${EARSHOT:-$root/build/earshot}
export EARSHOT_MODELS=$root/models

# events FILE : `label start_s end_s score` a line, background left out
events() {
    "$EARSHOT" classify --json "$1" | python3 -c '
import json, sys
for e in json.load(sys.stdin)["events"]:
    if e["label"] not in ("background", "unknown"):
        print(e["label"], e["start_s"], e["end_s"], e["score"])'
}

while IFS=, read -r file label; do
    [ "$file" = file ] && continue
    got=$(events "$root/tests/data/$file" | sort -k4,4nr | awk 'NR == 1 {print $1}')
    [ "$label" = background ] && label=
    check "$file: ${label:-no event}${got:+ (got $got)}" test "$got" = "$label"
done <"$root/tests/data/sounds.csv"

demo=$(events "$root/models/demo.flac")
while IFS=, read -r start end label; do
    [ "$label" = label ] && continue
    check "demo.flac: $label at $start s" awk -v l="$label" -v s="$start" '
        $1 == l && $2 > s - 1 && $2 < s + 2 {found = 1} END {exit !found}' <<<"$demo"
done <"$root/models/demo.csv"

summary
