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

# --- scenes: rooms, microphones, mixtures that a teacher hears; here a small one of the teacher's shape, with random weights ---
"$PYTHON" - "$tmp/teacher.onnx" <<'PY'
import sys, numpy as np, onnx
from onnx import TensorProto, helper, numpy_helper
rng = np.random.default_rng(1)
weights = {"w": rng.normal(0, 0.1, (16, 1, 3, 3)), "a": rng.normal(0, 0.3, (384, 16)), "b": rng.normal(0, 0.3, (527, 16)),
           "a0": np.zeros(384), "b0": np.zeros(527)}
node = helper.make_node
graph = helper.make_graph(
    [node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), node("Relu", ["c"], ["r"]), node("GlobalAveragePool", ["r"], ["p"]),
     node("Flatten", ["p"], ["f"]), node("Gemm", ["f", "a", "a0"], ["embedding"], transB=1),
     node("Gemm", ["f", "b", "b0"], ["z"], transB=1), node("Sigmoid", ["z"], ["scores"])], "teacher",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 128, None])],
    [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, None]) for n in ("scores", "embedding")],
    [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()])
onnx.save(helper.make_model(graph), sys.argv[1])
PY
scenes() {
    timeout 300 "$PYTHON" "$root/models/scenes.py" "$tmp/synth/folds.csv" "$1" --teacher "$tmp/teacher.onnx" --mixtures 30 \
        --earshot "$EARSHOT" "${@:2}" >>"$tmp/log" 2>&1
}
same_scenes() {
    "$PYTHON" -c 'import sys, numpy as np
a, b = map(np.load, sys.argv[1:])
sys.exit(set(a) != set(b) or not all(np.array_equal(a[k], b[k]) for k in a))' "$1" "$2"
}
scenes "$tmp/s.npz"
scenes "$tmp/t.npz" --parts 2/2
check "half of the scenes make no file yet" test ! -e "$tmp/t.npz"
scenes "$tmp/t.npz" --parts 1/2
check "scenes: the same seed, and two processes, give the same" same_scenes "$tmp/s.npz" "$tmp/t.npz"
scenes "$tmp/u.npz" --seed 2
check "another seed: others" bash -c "test -s '$tmp/u.npz' && ! cmp -s '$tmp/s.npz' '$tmp/u.npz'"
check "mixtures are taught by the teacher's word, and no clip that is held out is in one" "$PYTHON" -c '
import sys; sys.path.insert(0, sys.argv[1] + "/models")
import numpy as np, torch
from earshot_s_data import Data
d = Data(sys.argv[2:4], split=4)
held = {d.rows[i]["path"] for i in d.held}
two = [(i, a, b) for i, (a, b) in d.sources.items() if b >= 0]
assert held and len(d.sources) > 20 and two, (len(held), len(d.sources), len(two))
assert all(d.rows[j]["path"] not in held for i in d.sources for j in d.sources[i] if j >= 0)
at = d.vocab.index("background")
for i, a, b in two:
    loud = d.rows[i]["below"] < 8
    want = torch.maximum(d.y[a], d.y[b] * loud)
    want[at] = d.y[a][at] * d.y[b][at]
    assert torch.equal(d.y[i], want), d.rows[i]
' "$root" "$tmp/mel.npz" "$tmp/s.npz"
check "labels that are left out are no labels, and their clips are in nothing" "$PYTHON" -c '
import sys; sys.path.insert(0, sys.argv[1] + "/models")
from earshot_s_data import Data, Vocabulary
d, slug = Data(sys.argv[2:4], split=4, without=["siren", "smoke_alarm"]), Vocabulary().slug
assert len(d.vocab) == len(Vocabulary().labels) - 2 and "siren" not in d.vocab and len(d.train) > 20
assert not any(slug(c) in ("siren", "smoke_alarm") for r in d.rows for c in (r, r.get("b") or {"dataset": "", "label": ""}))
' "$root" "$tmp/mel.npz" "$tmp/s.npz"
check "one that is none is named" bash -c "! '$PYTHON' '$root/models/train_earshot_s.py' scores '$tmp/a.pt' '$tmp/none.npz' '$tmp/mel.npz' \
    --without sirene 2>'$tmp/none.log' && grep -q 'sirene: no label of' '$tmp/none.log'"
train train "$tmp/h.pt" "$tmp/mel.npz" "$tmp/s.npz" --steps 20 --save 20 --clips 8 --windows 2 --scenes 0.8 >"$tmp/h.log" 2>&1
check "and the net trains on them" grep -q '^step 20' "$tmp/h.log"

# --- mixtures that the teacher hears just as the net will ---
mixtures() {
    timeout 300 "$PYTHON" "$root/models/mixtures.py" "$1" "$tmp/synth/folds.csv" --teacher "$tmp/teacher.onnx" --number 40 \
        --earshot "$EARSHOT" "${@:2}" >>"$tmp/log" 2>&1
}
same_mixtures() { # A B: the same files, the same numbers in them
    "$PYTHON" -c 'import sys, pathlib, numpy as np
a, b = ({f.name: np.load(f) for f in sorted(pathlib.Path(p).glob("*.np[yz]"))} for p in sys.argv[1:])
flat = lambda z: [z[k] for k in sorted(z)] if hasattr(z, "files") else [z]
sys.exit(not a or set(a) != set(b) or not all(np.array_equal(x, y) for n in a for x, y in zip(flat(a[n]), flat(b[n]))))' "$1" "$2"
}
mixtures "$tmp/x"
mixtures "$tmp/y"
check "mixtures: the same seed gives the same" same_mixtures "$tmp/x" "$tmp/y"
mixtures "$tmp/z" --seed 8
check "another seed: others" bash -c "test -s '$tmp/z/000000.npz' && ! cmp -s '$tmp/x/000000.npz' '$tmp/z/000000.npz'"
check "what the teacher says is said of the very samples that the features are of" "$PYTHON" -c '
import sys, pathlib, types; sys.path.insert(0, sys.argv[1] + "/models")
import numpy as np, torch, mixtures as m
from teacher import Teacher
path = pathlib.Path
a = types.SimpleNamespace(manifest=[path(sys.argv[2])], teacher=sys.argv[3], seed=7, earshot=sys.argv[5])
z, mel, maker, alone = np.load(sys.argv[4] + "/000000.npz"), np.load(sys.argv[4] + "/000000.mel.npy"), m.Maker(a), Teacher(sys.argv[3])
for n in range(5):
    which, x = maker.mixture(n)
    with torch.no_grad():
        score, emb = alone(x, m.FS)
    assert tuple(z["drawn"][n]) == which and np.abs(m.logmel(x[None])[0] - mel[n]).max() < 0.02, n
    assert np.abs(z["score"][n] - score).max() < 1e-3 and np.abs(z["emb"][n] - emb).max() < 0.01 * np.abs(emb).max(), n
' "$root" "$tmp/synth/folds.csv" "$tmp/teacher.onnx" "$tmp/x" "$EARSHOT"
"$PYTHON" "$root/models/teacher.py" "$tmp/teacher.onnx" "$tmp/synth/folds.csv" "$tmp/said.npz" >>"$tmp/log" 2>&1
check "no mixture with a clip that is held out is trained on" "$PYTHON" -c '
import sys, pathlib; sys.path.insert(0, sys.argv[1] + "/models")
import json, numpy as np
from earshot_s_data import Data
d = Data([sys.argv[2]], [sys.argv[3]], 4)
d.listen(pathlib.Path(sys.argv[4]))
z = np.load(sys.argv[4] + "/000000.npz")
paths, held = json.loads(str(z["paths"])), {d.rows[i]["path"] for i in d.held}
took = [{paths[int(i)] for i in z["drawn"][at, :2] if i >= 0} for _, at in d.heard["which"]]
left = [any(paths[int(i)] in held for i in r[:2] if i >= 0) for r in z["drawn"]]
assert took and any(left) and not any(t & held for t in took)
' "$root" "$tmp/mel.npz" "$tmp/said.npz" "$tmp/x"
heard() {
    train train "$1" "$tmp/mel.npz" --teacher "$tmp/said.npz" --heard "$2" --steps 20 --save 20 --clips 8 --windows 2 "${@:3}"
}
heard "$tmp/k.pt" "$tmp/x" >"$tmp/k.log" 2>&1
check "and the net trains on the others" grep -q '^step 20' "$tmp/k.log"
mkdir "$tmp/none"
heard "$tmp/n.pt" "$tmp/none" >"$tmp/n.log" 2>&1
check "a folder without any is named" grep -q "none: no mixture" "$tmp/n.log"

# --- sounds without labels: cut from what packages hold, and named by the teacher alone ---
more=$tmp/more/files/some-game
mkdir -p "$more/sounds/music" "$more/doc"
echo 1.0-1 >"$more/VERSION"
n=0
for clip in $(find "$tmp/synth" -name '*.flac' -o -name '*.wav' | sort | head -n 24); do
    n=$((n + 1))
    cp "$clip" "$more/sounds/sound$n.${clip##*.}"
done
kind=${clip##*.}
cp "$more/sounds/sound1.$kind" "$more/sounds/again.$kind"
mv "$more/sounds/sound2.$kind" "$more/sounds/123456__somebody__door.$kind"
mv "$more/sounds/sound3.$kind" "$more/sounds/thunder.$kind"
echo "thunder.$kind is from freesound.org" >"$more/doc/CREDITS"
more_audio() { "$PYTHON" "$root/models/more_audio.py" "$@" >>"$tmp/log" 2>&1; }
teacher() { "$PYTHON" "$root/models/teacher.py" "$tmp/teacher.onnx" "$@" --threads 1 >>"$tmp/log" 2>&1; }
more_audio cut "$tmp/more"
check "sounds without labels: each once, none that is known to be from Freesound" "$PYTHON" -c '
import csv, pathlib, sys
rows = list(csv.DictReader(open(sys.argv[1])))
names = {pathlib.Path(r["file"]).stem for r in rows}
assert len(names) >= 15 and not names & {"123456__somebody__door", "thunder"} and len(names & {"again", "sound1"}) == 1, names
assert all(r["package"] == "some-game" and r["version"] == "1.0-1" and not r["label"] for r in rows), rows[0]
' "$tmp/more/manifest.csv"
teacher "$tmp/synth/folds.csv" "$tmp/t1.npz"
teacher "$tmp/more/manifest.csv" "$tmp/t2.npz"
train features "$tmp/more/manifest.csv" "$tmp/more.npz" --earshot "$EARSHOT" >>"$tmp/log" 2>&1
check "an alarm that nobody named is no alarm, and nothing else is sure" "$PYTHON" -c '
import sys; sys.path.insert(0, sys.argv[1] + "/models")
from earshot_s_data import Data, UNNAMED
d = Data(sys.argv[2:4], sys.argv[4:], 4)
assert len(d.more) >= 15 and all(d.has_teacher[i] and not d.slug[i] for i in d.more)
at = d.vocab.index("siren")
assert all(d.y[i][at] < 0.11 or d.known[i][at] == 0 for i in d.more) and float(d.known[d.more].max()) < UNNAMED + 1e-6
' "$root" "$tmp/mel.npz" "$tmp/more.npz" "$tmp/t1.npz" "$tmp/t2.npz"
train train "$tmp/u.pt" "$tmp/mel.npz" "$tmp/more.npz" --teacher "$tmp/t1.npz" "$tmp/t2.npz" --steps 20 --save 20 --clips 8 \
    --windows 2 >"$tmp/u.log" 2>&1
check "and the net trains on them" grep -q '^step 20' "$tmp/u.log"
"$PYTHON" - "$tmp/t2.npz" "$tmp/t3.npz" "$tmp/t4.npz" <<'PY'
import sys, numpy as np
rng, said = np.random.default_rng(1), dict(np.load(sys.argv[1]))
here, there = (rng.normal(size=(n, 384)) for n in (len(said["emb"]), 50))
there[7] = here[3] + 0.1 * rng.normal(size=384)
np.savez(sys.argv[2], **said | {"emb": here})
np.savez(sys.argv[3], emb=there, rows='[' + ','.join('{"path": "%d"}' % n for n in range(50)) + ']')
PY
cp "$tmp/more/manifest.csv" "$tmp/before.csv"
more_audio alike "$tmp/more" "$tmp/t3.npz" "$tmp/t4.npz"
check "what the data hold too, and nothing else, is taken out" bash -c "diff <(sed 5d '$tmp/before.csv') '$tmp/more/manifest.csv'"

train between "$tmp/a.pt" "$tmp/e.pt" "$tmp/m.pt" >>"$tmp/log" 2>&1
check "half-way between two nets" "$PYTHON" -c 'import sys, torch
a, e, m = (torch.load(p)["mean"] for p in sys.argv[1:])
sys.exit(not all(torch.allclose(m[k], (a[k] + e[k]) / 2) for k in m if m[k].dtype.is_floating_point))' "$tmp/a.pt" "$tmp/e.pt" "$tmp/m.pt"

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
