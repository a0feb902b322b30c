#!/bin/bash
# compare.sh - the table of recognisers and the recipes behind it, on sounds made here; and, where the originals and the references
# lie in ../shared (or $SHARED), audio-class's networks through the program, fed in both ways. About a minute.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
EARSHOT=$(realpath "${EARSHOT:-$root/build/earshot}") SHARED=$(realpath -m "${SHARED:-$root/../shared}")
PYTHON=${PYTHON:-/usr/bin/python3}
export EARSHOT_MODELS=$root/models PYTHONWARNINGS=ignore
W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
cd "$W" || exit 1
recipe() { timeout 600 "$PYTHON" "$root/models/$1" "${@:2}" >out.txt 2>err.txt; rc=$?; }
refused() { # WHAT TEXT: one line that holds TEXT
    check "$1: $2" test "$rc" != 0 -a "$(wc -l <err.txt)" = 1 -a -n "$(grep -F -- "$2" err.txt)"
}

echo "--- models that ship"
for model in us8k-nrdt esc50-nrdt; do
    "$EARSHOT" classify --model $model --json --top 0 "$root/tests/data/siren.flac" >out.txt 2>err.txt; rc=$?
    check "$model is found by its name and hears a file" test "$rc" = 0 -a -n "$(grep -o '"siren"' out.txt)"
    check "$model has its card, which names the licence" grep -q "CC BY-NC 4.0" "$root/models/$model.md"
    "$EARSHOT" model show $model --json >out.txt
    check "$model says which fold it has not heard" grep -qE '"earshot.held": *"(us8k:2|esc50:4)"' out.txt
done
for model in "$root"/models/*.onnx; do
    check "models/LICENSE names $(basename "$model")" grep -qF "$(basename "$model")" "$root/models/LICENSE"
done

"$PYTHON" -c 'import numpy, onnx, torch, scipy' 2>/dev/null ||
    { skip "compare: python3-torch or python3-onnx is not installed"; summary; exit; }

echo "--- sounds of two data sets, with folds"
cat >make.py <<'PY'
import csv, pathlib, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from audiofile import write_audio
rng, t = np.random.default_rng(1), np.arange(2 * 16000) / 16000
def sound(label):
    level, f = rng.uniform(0.05, 0.3), rng.uniform(0.9, 1.1)
    if label == "siren": return level * np.sin(2 * np.pi * 900 * f * t + 200 * np.sin(2 * np.pi * 0.5 * f * t))
    if label == "jackhammer": return level * rng.standard_normal(len(t)) * (np.sin(2 * np.pi * 12 * f * t) > 0.5)
    if label == "rain": return level * rng.standard_normal(len(t)) * 0.5
    return level * np.sin(2 * np.pi * 3000 * f * t) * (t % 0.4 < 0.1)
rows = []
for data_set, labels, folds in (("us8k", ("jackhammer", "siren"), "12"), ("esc50", ("clock_alarm", "rain"), "14")):
    for k in range(24):
        label, fold, source = labels[k % 2], folds[k // 12], 1000 + k
        if (data_set, k) == ("us8k", 0): source = 1000 + 12      # a recording of the fold that is held
        name = f"{source}-8-0-{k}" if data_set == "us8k" else f"{fold}-{source + 500}-A-{k}"
        path = pathlib.Path("data") / data_set / (name + ".wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_audio(path, sound(label), 16000)
        rows.append((f"{data_set}/{path.name}", data_set, label, fold))
with open("data/manifest.csv", "w", newline="") as f:
    csv.writer(f).writerows([("path", "dataset", "label", "fold"), *rows])
PY
"$PYTHON" make.py "$root/models" || exit 1

echo "--- the table"
compare() { recipe compare.py "$W" --earshot "$EARSHOT" --work "$W/work" --no-train "$@"; }
compare --only us8k-mfcc40,us8k-nrdt-original,vggish-cnn
right=$("$EARSHOT" evaluate --model us8k-mfcc40 --clips data/manifest.csv --where dataset=us8k,fold=2 --json |
    "$PYTHON" -c 'import json, sys; print("%.1f" % (100 * json.load(sys.stdin)["accuracy_own"]["value"]))')
check "a model's row has evaluate's figure ($right %)" grep -qF " $right (" <(grep '^| us8k-mfcc40' out.txt)
check "the interval stands beside it" grep -qE '^\| us8k-mfcc40 .*\([0-9.]+ to [0-9.]+\) ' out.txt
check "a file that is missing is named" grep -q '^| us8k-nrdt-original .*us8k_nrdt_cnn.onnx: not there' out.txt
check "what is not made is named" grep -q '^| vggish-cnn .*not there, and not made' out.txt
check "models that are missing are no failure" test "$rc" = 0
check "the table is written" grep -q '^| us8k-mfcc40 ' work/compare.md
compare --only nothing;                               refused "a name that there is not" "allowed are us8k-mfcc40"
recipe compare.py "$W/nowhere" --earshot "$EARSHOT";  refused "no manifest" "nowhere/data/manifest.csv: not there"

echo "--- a linear layer on another's network"
recipe linear_head.py "$root/models/earshot-s.onnx" data/manifest.csv head.onnx --earshot "$EARSHOT"
[ "$rc" = 0 ] || tail -3 err.txt
told=$(sed -n 's/^24 clips held .*: \([0-9.]*\)% .*/\1/p' out.txt)
heard=$("$EARSHOT" evaluate --model head.onnx --clips data/manifest.csv --json \
    --where dataset=us8k,fold=2 --where dataset=esc50,fold=4 |
    "$PYTHON" -c 'import json, sys; print("%.1f" % (100 * json.load(sys.stdin)["accuracy"]["value"]))')
check "the program finds what the recipe found ($told %, $heard %)" test -n "$told" -a "$told" = "$heard"
check "  and that is better than chance" "$PYTHON" -c "import sys; sys.exit(not $heard > 60)"

echo "--- training: who is left out, and what a kill leaves behind"
train() { # ONNX WORK
    timeout 600 "$PYTHON" "$root/models/train_nrdt.py" us8k data/manifest.csv "$1" --earshot "$EARSHOT" --work "$2" --epochs 30
}
train one.onnx one >one.txt 2>err.txt
check "a recording of the held fold is not trained on" grep -q ': 11 clips to train, 12 of fold 2 held' one.txt
train two.onnx two >two.txt 2>/dev/null & pid=$!
wait_for 300 test -s two/us8k-2-0.pt
pkill -KILL -P $pid 2>/dev/null; kill -KILL $pid 2>/dev/null; wait $pid 2>/dev/null
check "killed before its end" test ! -e two.onnx
train two.onnx two >two.txt 2>/dev/null
check "goes on where it was" grep -q '^going on after epoch' two.txt
"$PYTHON" -c 'import onnx, sys; a, b = (onnx.load(f + ".onnx").graph for f in ("one", "two")); sys.exit(a != b)'; rc=$?
check "and ends with the same weights" test $rc = 0

echo "--- audio-class's networks"
recipe import_nrdt.py nothing.onnx labels.txt out.onnx;                          refused "no labels" labels.txt
printf 'a\nb\n' >labels.txt
recipe import_nrdt.py "$root/models/earshot-s.onnx" labels.txt out.onnx;         refused "another network" "no NRDT network"
echo "no model at all" >text
recipe import_nrdt.py text labels.txt out.onnx;                                  refused "a text file" "text: no ONNX file"
original=$SHARED/models/us8k_nrdt_cnn.onnx
[ -e "$original" ] || { skip "compare: the originals are not there ($original)"; summary; exit; }
recipe import_nrdt.py "$original" labels.txt out.onnx
refused "labels of another" "labels.txt: 2 labels for 10 outputs"

cat >logits.py <<'PY'
"""Scores of the imported models against softmax of the reference's logits, for each of its recordings."""
import pathlib, subprocess, sys
import numpy as np
earshot, model, logits, inputs = sys.argv[1:]
paths = sorted(pathlib.Path(logits).parent.glob(pathlib.Path(logits).name))
worst = 0
for path in paths:
    wave = next(w for w in pathlib.Path(inputs).glob("*_44k.wav") if path.stem.endswith(w.stem))
    subprocess.run([earshot, "features", "--model", model, "--give", "scores", wave, "--output", "scores.npy"], check=True)
    z = np.load(path).astype(float).ravel()
    want = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    worst = max(worst, np.abs(np.load("scores.npy")[0] - want).max())
print(f"{model}: {len(paths)} recordings, largest error of a score {worst:.1e}")
sys.exit(not (paths and worst < 1e-3))
PY
for data in us8k esc50; do
    for scale in 1 32768; do
        recipe import_nrdt.py "$SHARED/models/${data}_nrdt_cnn.onnx" "$SHARED/reference/cnn/${data}_labels.txt" \
            $data-$scale.onnx --scale $scale
        check "$data, full scale $scale: imported" test "$rc" = 0
        kind=; [ $scale = 1 ] || kind=int16scale_
        check "  scores as the reference's" "$PYTHON" logits.py "$EARSHOT" $data-$scale.onnx \
            "$SHARED/reference/cnn/${data}_logits_${kind}[adgs]*.npy" "$SHARED/reference/inputs/real"
    done
done
summary
