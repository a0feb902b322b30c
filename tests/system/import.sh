#!/bin/bash
# import.sh - the recipes for models made elsewhere: refusals, and, where the originals and the references lie in ../shared (or
# $SHARED), scores and embeddings of the imported models through the program.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
EARSHOT=${EARSHOT:-$root/build/earshot} SHARED=${SHARED:-$root/../shared} PYTHON=${PYTHON:-/usr/bin/python3}
from=$SHARED/models W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
cd "$W" || exit 1

"$PYTHON" -c 'import numpy, onnx' 2>/dev/null || { skip "import: python3-numpy or python3-onnx is not installed"; summary; exit; }
yamnet() { timeout 120 "$PYTHON" "$root/models/import_yamnet.py" "$@" >out.txt 2>err.txt; rc=$?; }
efficientat() { timeout 120 "$PYTHON" "$root/models/import_efficientat.py" "$@" >out.txt 2>err.txt; rc=$?; }
refused() { # WHAT TEXT: one line that holds TEXT, no file
    check "$1: $2" test "$rc" != 0 -a "$(wc -l <err.txt)" = 1 -a ! -e out.onnx -a -n "$(grep -F -- "$2" err.txt)"
}
import_error() { # SCRIPT MODULE PACKAGE: what a machine without it is told
    mkdir -p "no_$2"; echo "raise ImportError(name='$2')" >"no_$2/$2.py"
    PYTHONPATH=$W/no_$2 timeout 120 "$PYTHON" "$root/models/$1" a b c >out.txt 2>err.txt; rc=$?
    refused "$1 without $2" "apt install $3"
}

echo "--- refusals"
import_error import_yamnet.py onnx python3-numpy
import_error import_efficientat.py torch python3-torch
yamnet nothing.tflite classes.csv out.onnx;   refused "no such file" nothing.tflite
echo "no model at all" >text
yamnet text classes.csv out.onnx;             refused "a text file" "no TensorFlow Lite file"
head -c 100 /dev/zero | sed 's/^..../\x20\x00\x00\x00TFL3/' >zeros
yamnet zeros classes.csv out.onnx;            refused "a damaged file" "zeros: damaged"

have_torch() { "$PYTHON" -c 'import torch' 2>/dev/null; }
if have_torch; then
    efficientat nothing.pt classes.csv out.onnx;  refused "no such checkpoint" nothing.pt
    efficientat text classes.csv out.onnx;        refused "no checkpoint" "text: no checkpoint"
    efficientat text classes.csv out.onnx --window 11
    check "a window of 11 s" grep -q "0.5 to 10 s" err.txt
fi

[ -d "$from/golden" ] || { skip "import: the originals are not there ($from)"; summary; exit; }
printf 'index,mid,display_name\n0,/m/1,Speech\n' >short.csv
yamnet "$from/yamnet_thz0616.tflite" short.csv out.onnx
check "a list of one class" grep -q "short.csv: 1 classes; the model has 521" err.txt
rm -f out.onnx

# compare MODEL GOLDEN WINDOW_SAMPLES RATE: the program's scores and embeddings of the reference's recordings
cat >compare.py <<'PY'
import pathlib, struct, subprocess, sys
import numpy as np
earshot, model, golden, prefix, wave, window, rate = sys.argv[1:]
window, rate, golden, worst = int(window), int(rate), pathlib.Path(golden), [0, 0]
for path in sorted(golden.glob(f"{prefix}_*_scores.f32")):
    name = path.name[len(prefix) + 1:-len("_scores.f32")]
    sound = golden / wave.replace("NAME", name)
    if name[0].isdigit() or not sound.exists():  # mn04_2s_* are not mn04_*
        continue
    x = sound.read_bytes()
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(x), b"WAVE", b"fmt ", 16, 3, 1, rate, 4 * rate, 4, 32, b"data", len(x))
    pathlib.Path("x.wav").write_bytes(head + x)
    for i, give in enumerate(("scores", "embedding")):
        subprocess.run([earshot, "features", "--model", model, "--give", give, "x.wav", "-o", "x.npy"], check=True)
        want = np.fromfile(golden / f"{prefix}_{name}_{give}.f32", "<f4")
        got = np.load("x.npy")
        if len(got) != len(x) // 4 // window:
            sys.exit(f"{name}: {len(got)} windows")
        worst[i] = max(worst[i], np.abs(got.ravel() - want).max())
print(f"{pathlib.Path(model).name}: scores differ by at most {worst[0]:.1e}, embeddings by {worst[1]:.1e}")
sys.exit(not (0 < worst[0] < 5e-5 and worst[1] < 5e-4))
PY
agrees() { # TEXT MODEL GOLDEN WAVE WINDOW RATE
    "$PYTHON" compare.py "$EARSHOT" "$2" "$from/golden" "$3" "$4" "$5" "$6" >compare.txt 2>&1; rc=$?
    check "$1 ($(tail -1 compare.txt))" test $rc = 0
}

echo "--- YAMNet"
yamnet "$from/yamnet_thz0616.tflite" "$from/yamnet_class_map.csv" yamnet.onnx
check "imported" test $rc = 0
agrees "as the reference, sound to scores" ./yamnet.onnx yamnet yamnet_NAME_wave16k.f32 16000 16000
"$EARSHOT" classify --json --model ./yamnet.onnx "$root/models/demo.flac" >out.txt
"$EARSHOT" classify --json --model.vocabulary=earshot --model ./yamnet.onnx "$root/models/demo.flac" >mapped.txt
check "through labels.csv: smoke_alarm, and none of its own names" sh -c \
    "grep -q '\"label\":\"smoke_alarm\"' mapped.txt && ! grep -q smoke_detector mapped.txt"
check "model labels: 60 of 67 sounds" sh -c "'$EARSHOT' model labels ./yamnet.onnx | grep -q '^60 of 67 sounds'"
check "classify hears the smoke alarm" grep -q '"label":"smoke_detector_smoke_alarm"' out.txt

have_torch || { skip "import: python3-torch is not installed"; summary; exit; }
echo "--- EfficientAT"
for window in 1 2 10; do
    efficientat "$from/mn04_as_mAP_432.pt" "$from/audioset_class_labels_indices.csv" mn04_$window.onnx --window $window
    check "imported, $window s" test $rc = 0
done
agrees "1 s as the reference" ./mn04_1.onnx mn04 mn04_NAME_wave32k.f32 32000 32000
agrees "2 s" ./mn04_2.onnx mn04_2s mn04_NAME_wave32k.f32 64000 32000
agrees "10 s" ./mn04_10.onnx mn04_10s mn04_10s_NAME_wave32k.f32 320000 32000
efficientat "$from/mn04_as_mAP_432.pt" "$from/audioset_class_labels_indices.csv" mn04_half.onnx --window 0.5
timeout 60 "$EARSHOT" run --fast --input "file:$root/models/demo.flac" --model ./mn04_10.onnx --mqtt.enabled=off --state-dir "$W" >out.txt 2>err.txt
check "the daemon runs windows of 10 s" grep -q smoke_detector_smoke_alarm out.txt
timeout 60 "$EARSHOT" run --fast --input "file:$root/models/demo.flac" --model ./mn04_half.onnx --mqtt.enabled=off --state-dir "$W" >out.txt 2>err.txt
check "and of 0.5 s" grep -q alarm out.txt
summary
