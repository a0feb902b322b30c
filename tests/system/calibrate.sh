#!/bin/bash
# calibrate.sh - models/calibrate.py: finds the error that was put into scores, writes what the program then computes; refusals.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
EARSHOT=${EARSHOT:-$root/build/earshot} PYTHON=${PYTHON:-/usr/bin/python3}
W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
cd "$W" || exit 1

"$PYTHON" -c 'import numpy, onnx, scipy' 2>/dev/null ||
    { skip "calibrate: python3-numpy, python3-scipy or python3-onnx is not installed"; summary; exit; }
calibrate() { timeout 300 "$PYTHON" "$root/models/calibrate.py" "$@" >out.txt 2>err.txt; rc=$?; }
refused() { # WHAT TEXT: one line that holds TEXT, no file
    check "$1: $2" test "$rc" != 0 -a "$(wc -l <err.txt)" = 1 -a ! -e out.onnx -a -n "$(grep -F -- "$2" err.txt)"
}
scores() { # MODEL FILE: label and score, of all labels
    timeout 60 "$EARSHOT" classify --json --top 0 --model "$1" second.wav |
        "$PYTHON" -c 'import json, sys
for t in sorted(json.load(sys.stdin)["top"], key=lambda t: t["label"]): print(t["label"], t["score"])' >"$2"
}

# A model that pools logits, and scores of it that say three times too much, and 1.5 more than that of the first label.
"$PYTHON" - "$root/models/earshot-s.onnx" <<'PY'
import sys, wave, numpy as np, onnx
m = onnx.load(sys.argv[1])
meta = {p.key: p.value for p in m.metadata_props}
meta.pop("earshot.calibration", None)
meta["earshot.pooling"] = "mean_logit"
onnx.helper.set_model_props(m, meta)
onnx.save(m, "plain.onnx")
meta["earshot.activation"] = "softmax"
del meta["earshot.pooling"]
onnx.helper.set_model_props(m, meta)
onnx.save(m, "softmax.onnx")
vocab = meta["earshot.labels"].split()
rng = np.random.default_rng(1)
true = rng.normal(-1.5, 2, (20000, len(vocab)))
wanted = rng.random(true.shape) < 1 / (1 + np.exp(-true))
logits = np.clip(3 * true, -16, 16)
logits[:, 0] = np.clip(3 * true[:, 0] + 4.5, -16, 16)
np.savez("said.npz", logits=logits, wanted=wanted)
np.savez("both.npz", logits=logits, scores=logits, wanted=wanted)
np.savez("short.npz", logits=logits[:, 1:], wanted=wanted[:, 1:])
with wave.open("second.wav", "wb") as w:  # one window: two tones in noise
    w.setparams((1, 2, 16000, 0, "NONE", ""))
    t = np.arange(16000) / 16000
    x = 0.1 * np.sin(2 * np.pi * 700 * t) + 0.1 * np.sin(2 * np.pi * 3100 * t) + 0.02 * rng.normal(size=16000)
    w.writeframes((x * 32767).astype("<i2").tobytes())
open("labels", "w").write("\n".join(vocab))
with open("good.csv", "w") as f:
    print("file", "label", *vocab, sep=",", file=f)
    for i in range(200):
        print(f"{i}.wav", vocab[i % len(vocab)], *(1 / (1 + np.exp(-logits[i]))), sep=",", file=f)
lines = open("good.csv").read().split("\n")
open("stranger.csv", "w").write("\n".join([lines[0], "a.wav,no_such_sound," + lines[1].split(",", 2)[2]]))
open("ragged.csv", "w").write("\n".join([lines[0], lines[1] + ",1"]))
open("other.csv", "w").write("file,label,dog_bark\na.wav,dog_bark,1\n")
PY
first=$(head -1 labels)

echo "--- fit"
calibrate plain.onnx said.npz -o fitted.onnx --labels
check "fits" test "$rc" = 0 -a -s fitted.onnx
check "finds scale 1/3 and, of the first label, bias -1.5" "$PYTHON" - <<'PY'
import onnx, sys
meta = {p.key: p.value for p in onnx.load("fitted.onnx").metadata_props}
rows = [tuple(map(float, r.split())) for r in meta["earshot.calibration"].split("\n")]
sys.exit(not (abs(rows[0][1] + 1.5) < 0.1 and all(abs(a - 1 / 3) < 0.03 for a, _ in rows)
              and all(abs(b) < 0.15 for _, b in rows[1:])))
PY
check "the error is smaller afterwards" awk '/^before/ {b = $2} /held out/ {a = $5} END {exit !(a < b / 5 && a < 0.02)}' out.txt
scores plain.onnx plain.txt; scores fitted.onnx fitted.txt
check "the program computes sigmoid(scale * logit + bias), and moved thresholds decide the same" "$PYTHON" - <<'PY'
import math, onnx, sys
logit = lambda p: math.log(p / (1 - p))
rows = [[l.split() for l in open(f)] for f in ("plain.txt", "fitted.txt")]
meta = [{p.key: p.value for p in onnx.load(f).metadata_props} for f in ("plain.onnx", "fitted.onnx")]
vocab = meta[1]["earshot.labels"].split()
pair = dict(zip(vocab, (tuple(map(float, r.split())) for r in meta[1]["earshot.calibration"].split("\n"))))
bad = 0
for (name, p), (_, q) in zip(*rows):
    p, q, (a, b) = float(p), float(q), pair[name]
    bad += 1e-3 < p < 0.999 and abs(a * logit(p) + b - logit(q)) > 0.02
for name, t, u in zip(vocab, meta[0]["earshot.thresholds"].split(), meta[1]["earshot.thresholds"].split()):
    a, b = pair[name]
    bad += abs(a * logit(float(t)) + b - logit(float(u))) > 1e-3
sys.exit(bad or len(rows[0]) != len(vocab))
PY
echo "$first 0.625  # chosen" >chosen
calibrate fitted.onnx --thresholds chosen -o chosen.onnx
check "thresholds alone: the one that was chosen changes, the calibration stays" "$PYTHON" - <<'PY'
import onnx, sys
a, b = ({p.key: p.value for p in onnx.load(f).metadata_props} for f in ("fitted.onnx", "chosen.onnx"))
t, u = (m["earshot.thresholds"].split() for m in (a, b))
same = all(abs(float(x) - float(y)) < 1e-5 for x, y in list(zip(t, u))[1:])
sys.exit(not (a["earshot.calibration"] == b["earshot.calibration"] and float(u[0]) == 0.625 and same))
PY
calibrate fitted.onnx said.npz -o twice.onnx
check "scores that hold a calibration: the new one comes on top of it" "$PYTHON" - <<'PY'
import onnx, sys
rows = [[float(x.split()[0]) for x in {p.key: p.value for p in onnx.load(f).metadata_props}["earshot.calibration"].split("\n")]
        for f in ("fitted.onnx", "twice.onnx")]
sys.exit(not all(abs(b - a * a) < 1e-3 for a, b in zip(*rows)))
PY
calibrate plain.onnx good.csv
check "reads what evaluate --scores writes" grep -q "^200 rows of 200 recordings" out.txt

echo "--- in 8 bits"
if "$PYTHON" -c 'import torch' 2>/dev/null; then
    { echo path,dataset,label,fold; for f in "$root"/tests/data/*_16k.flac "$root"/tests/data/[c-t]*.flac; do echo "$f,mine,x,1"; done; } >own.csv
    check "quantise.py turns the default model into one of 8 bits" timeout 300 "$PYTHON" "$root/models/quantise.py" \
        "$root/models/earshot-s.onnx" int8.onnx own.csv --earshot "$EARSHOT"
    "$PYTHON" -c 'import sys; sys.path.insert(0, sys.argv[1])
import onnx, recipe; onnx.save(recipe.load_whole(sys.argv[1] + "/earshot-s.onnx"), "float32.onnx")' "$root/models"
    check "float32 weights again of float16 ones: the same scores" cmp \
        <("$EARSHOT" classify --json --model ./float32.onnx "$root/tests/data/siren.flac") <("$EARSHOT" classify --json "$root/tests/data/siren.flac")
    check "a file of less than half the size of float32" test "$(stat -c %s int8.onnx)" -lt $(($(stat -c %s float32.onnx) / 2))
    for f in siren knock rain; do
        check "that hears $f.flac as the other does" test \
            "$("$EARSHOT" classify --json --model int8.onnx "$root/tests/data/$f.flac" | grep -o '"label":"[a-z_]*"' | head -1)" = \
            "$("$EARSHOT" classify --json "$root/tests/data/$f.flac" | grep -o '"label":"[a-z_]*"' | head -1)"
    done
else
    skip "8 bits: python3-torch is not installed"
fi

echo "--- taught by streams"
if "$PYTHON" -c 'import torch' 2>/dev/null; then
    # The default model with a plain last layer, whatever it ships with; a stream with two sirens in it, and one with none.
    "$PYTHON" - "$root/models/earshot-s.onnx" "$root" <<'PY'
import sys, numpy as np, onnx
sys.path.insert(0, sys.argv[2] + "/models")
from audiofile import read_audio, write_audio
from recipe import load_whole
m = load_whole(sys.argv[1])
last = next(n for n in m.graph.node if n.op_type == "Gemm" and n.input[0] == "embedding" and n.name != "streams.wide")
for n in [n for n in m.graph.node if n.name.startswith("streams.") and n is not last]:
    m.graph.node.remove(n)
for t in [t for t in m.graph.initializer if t.name.startswith("streams.") and t.name not in last.input]:
    m.graph.initializer.remove(t)
for name in last.input[1:]:
    t = next(t for t in m.graph.initializer if t.name == name)
    t.name = name.replace("streams.", "last.")
last.input[:] = [n.replace("streams.", "last.") for n in last.input]
last.output[0] = "scores"
onnx.save(m, "last.onnx")
sounds = {n: read_audio(f"{sys.argv[2]}/tests/data/{n}.flac") for n in ("siren", "rain", "knock")}
for name, spans in (("with", ((8, 12, "siren"), (20, 24, "siren"))), ("without", ())):
    x = np.random.default_rng(len(name)).standard_normal(30 * 16000) * 0.003
    for at, which in ((2, "rain"), (15, "knock"), *((int(a), w) for a, _, w in spans)):
        y, rate = sounds[which]
        y = np.interp(np.arange(0, min(4, len(y) / rate), 1 / 16000) * rate, np.arange(len(y)), y)
        x[16000 * at:16000 * at + len(y)] += y * 0.3
    write_audio(f"{name}.flac", x, 16000)
    open(f"{name}.csv", "w").write("onset,offset,label\n" + "".join(f"{a},{b},{w}\n" for a, b, w in spans))
open("LIST.csv", "w").write("audio,annotations\nwith.flac,with.csv\nwithout.flac,without.csv\n")
open("lacks.csv", "w").write("audio,annotations\nwith.flac,nothing.csv\n")
PY
    streams() { timeout 300 "$PYTHON" "$root/models/stream_head.py" "$@" --earshot "$EARSHOT" >out.txt 2>err.txt; rc=$?; }
    streams last.onnx LIST.csv -o head.onnx --labels siren --steps 60
    check "stream_head.py teaches the last layers a label" test "$rc" = 0 -a -n "$(grep '^2 streams, .*: siren 2$' out.txt)"
    for m in last head; do
        "$EARSHOT" features --model ./$m.onnx --give scores --hop 0.5 with.flac -o $m-scores.npy 2>/dev/null
        "$EARSHOT" features --model ./$m.onnx --hop 0.5 with.flac -o $m-embedding.npy 2>/dev/null
    done
    check "sirens rise over the rest, the other labels' scores and the embedding stay, bit by bit" "$PYTHON" - head.onnx <<'PY'
import sys, numpy as np, onnx
m = onnx.load(sys.argv[1])
k = next(p.value for p in m.metadata_props if p.key == "earshot.labels").split().index("siren")
a, b, e, f = (np.load(n + ".npy") for n in ("last-scores", "head-scores", "last-embedding", "head-embedding"))
others = np.arange(a.shape[1]) != k
assert (a[:, others] == b[:, others]).all() and (e == f).all()
holds = np.zeros(len(b), bool)
holds[[16, 17, 18, 19, 20, 21, 22, 40, 41, 42, 43, 44, 45, 46]] = True
far = np.ones(len(b), bool)
far[13:27] = far[37:51] = False
assert b[holds, k].max() > 0.5 > b[far, k].max(), (b[:, k], a[:, k])
PY
    streams last.onnx LIST.csv -o again.onnx --labels siren --steps 60
    check "the same arguments, the same file" cmp head.onnx again.onnx
    streams head.onnx LIST.csv -o out.onnx --labels siren;     refused "a second time" "has this been done to it before?"
    streams last.onnx LIST.csv -o out.onnx --labels sirene;    refused "a label it lacks" "no label sirene"
    streams last.onnx LIST.csv -o out.onnx --labels gun_shot;  refused "streams without it" "none of the streams holds gun_shot"
    streams last.onnx lacks.csv -o out.onnx --labels siren;    refused "no annotations" "lacks.csv:2: "
    streams last.onnx none.csv -o out.onnx --labels siren;     refused "no list" "none.csv"
else
    skip "streams: python3-torch is not installed"
fi

echo "--- refusals"
calibrate softmax.onnx said.npz -o out.onnx;          refused "softmax" "only sigmoid is calibrated"
calibrate nothing.onnx said.npz -o out.onnx;          refused "no such model" nothing.onnx
calibrate plain.onnx -o out.onnx;                     refused "nothing to go by" "SCORES or --thresholds"
calibrate plain.onnx nothing.csv -o out.onnx;         refused "no such scores" nothing.csv
calibrate plain.onnx labels -o out.onnx;              refused "another ending" ".csv or .npz"
calibrate plain.onnx both.npz -o out.onnx;            refused "scores and logits" "either logits or scores"
calibrate plain.onnx short.npz -o out.onnx;           refused "too few columns" "the model has"
calibrate plain.onnx stranger.csv -o out.onnx;        refused "a label that is not there" "stranger.csv:2: the model has no label no_such_sound"
calibrate plain.onnx ragged.csv -o out.onnx;          refused "a field too many" "ragged.csv:2:"
calibrate plain.onnx other.csv -o out.onnx;           refused "other labels" "not the model's labels"
echo "$first 1.5" >high; echo "no_such_sound 0.5" >strange
calibrate plain.onnx --thresholds high -o out.onnx;    refused "a threshold over 1" "high:1: threshold '1.5'"
calibrate plain.onnx --thresholds strange -o out.onnx; refused "a threshold of no label" "strange:1:"
summary
