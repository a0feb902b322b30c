#!/bin/bash
# train.sh - training of earshot-s in small, on synthesised sounds: the same seed gives the same weights, a run that is killed goes on
# and ends with the same weights as one that was not, another seed ends near by, and what is exported runs.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd)
EARSHOT=${EARSHOT:-$root/build/earshot}
PYTHON=${PYTHON:-/usr/bin/python3}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
"$PYTHON" -c 'import numpy, scipy, onnx, torch' 2>/dev/null && command -v espeak-ng >/dev/null ||
    { skip "train: python3-numpy, -scipy, -onnx, -torch or espeak-ng is not installed"; summary; exit; }
tmp=$(mktemp -d)
trap 'kill -9 $(jobs -p) 2>/dev/null; rm -rf "$tmp"' EXIT
train() { timeout 300 "$PYTHON" "$root/models/train_earshot_s.py" "$@"; }
run() { train train "$1" "$tmp/mel.npz" --steps 60 --save 20 --clips 8 --windows 2 "${@:2}"; }

# Every fifth clip is held out, as a fold is.
"$PYTHON" "$root/models/synth.py" train "$tmp/synth" --count 4 --seed 9 >"$tmp/log" 2>&1
awk -F, 'NR == 1 {print $0 ",fold"; next} {print $0 "," NR % 5 + 1}' "$tmp/synth/manifest.csv" |
    sed 's/,synth,/,house,/' >"$tmp/synth/folds.csv"
train features "$tmp/synth/folds.csv" "$tmp/mel.npz" --earshot "$EARSHOT" >>"$tmp/log" 2>&1
check "features of synthesised sounds" test -s "$tmp/mel.npz"

# same A B: the states hold the same weights, bit for bit
same() {
    "$PYTHON" -c '
import sys, torch
a, b = (torch.load(p) for p in sys.argv[1:])
sys.exit(not all(torch.equal(a[k][w], b[k][w]) for k in ("net", "mean") for w in a[k]))' "$1" "$2"
}
# accuracy LOG: share right among all labels of the held clips, the last that was printed
accuracy() { grep -o "'house': ([0-9]*, [0-9.]*" "$1" | tail -1 | sed 's/.*, //'; }

run "$tmp/a.pt" >"$tmp/a.log" 2>&1
run "$tmp/b.pt" >"$tmp/b.log" 2>&1
check "the same seed gives the same weights" same "$tmp/a.pt" "$tmp/b.pt"
check "and the same figures" test -n "$(accuracy "$tmp/a.log")" -a "$(accuracy "$tmp/a.log")" = "$(accuracy "$tmp/b.log")"

setsid "$PYTHON" "$root/models/train_earshot_s.py" train "$tmp/c.pt" "$tmp/mel.npz" --steps 60 --save 20 --clips 8 --windows 2 \
    >"$tmp/c.log" 2>&1 &
victim=$!
wait_for 200 grep -q '^step 20' "$tmp/c.log"
kill -9 -- "-$victim"
wait "$victim" 2>/dev/null
check "killed on the way" bash -c "! grep -q '^step 60' '$tmp/c.log'"
run "$tmp/c.pt" >"$tmp/d.log" 2>&1
check "it goes on where it stood" grep -Eq 'from step (20|40) of 60' "$tmp/d.log"
check "and ends with the weights of the run that was not killed" same "$tmp/a.pt" "$tmp/c.pt"

run "$tmp/e.pt" --seed 1 >"$tmp/e.log" 2>&1
check "another seed: other weights" bash -c "test -s '$tmp/e.pt' && ! '$PYTHON' -c 'import sys, torch
a, b = (torch.load(p)[\"net\"] for p in sys.argv[1:])
sys.exit(not all(torch.equal(a[w], b[w]) for w in a))' '$tmp/a.pt' '$tmp/e.pt'"
run "$tmp/f.pt" --workers 2 --port $((20000 + $$ % 20000)) >"$tmp/f.log" 2>&1
run "$tmp/g.pt" --workers 2 --port $((20000 + $$ % 20000)) >"$tmp/g.log" 2>&1
check "two workers: the same weights twice" same "$tmp/f.pt" "$tmp/g.pt"

train export "$tmp/a.pt" "$tmp/a.onnx" "$tmp/mel.npz" >>"$tmp/log" 2>&1
check "the exported model runs" bash -c "'$EARSHOT' classify --json --model '$tmp/a.onnx' '$root/tests/data/siren.flac' |
    '$PYTHON' -c 'import json, sys; sys.exit(len(json.load(sys.stdin)[\"top\"]) != 5)'"
train scores "$tmp/a.pt" "$tmp/a.npz" "$tmp/mel.npz" >>"$tmp/log" 2>&1
"$PYTHON" "$root/models/calibrate.py" "$tmp/a.onnx" "$tmp/a.npz" -o "$tmp/b.onnx" >>"$tmp/log" 2>&1
check "and is calibrated by what it says of held-out clips" bash -c "'$EARSHOT' model show '$tmp/b.onnx' | grep -q calibration"
check "no manifest: an error that names it" bash -c "! '$PYTHON' '$root/models/train_earshot_s.py' features '$tmp/none.csv' \
    '$tmp/x.npz' 2>'$tmp/none.log' && grep -q none.csv '$tmp/none.log'"

[ "$FAIL" = 0 ] || tail -n 5 "$tmp"/*.log "$tmp/log"
summary
