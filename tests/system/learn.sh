#!/bin/bash
# learn.sh - earshot train, on synthesised tones: both kinds of nets, what they write, splits and leaks, the cache, a run that is killed and
# goes on, and folders with all that lies about in folders. Needs python3; python3-onnx and ../shared where they are there.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
EARSHOT=${EARSHOT:-$root/build/earshot}
PYTHON=${PYTHON:-/usr/bin/python3}
W=$(mktemp -d)
trap 'kill -9 $(jobs -p) 2>/dev/null; chmod -R u+rwx "$W"; rm -rf "$W"' EXIT
export EARSHOT_MODELS=${EARSHOT_MODELS:-$root/models} XDG_CACHE_HOME=$W/cache SOURCE_DATE_EPOCH=1700000000
cd "$W" || exit 1

as=() # words before the command
run() { timeout 300 "${as[@]}" "$EARSHOT" train "$@" >out.txt 2>err.txt </dev/null; rc=$?; }
mlp() { run --kind mfcc-mlp --layers 32,16 --window 1 "$@"; }
py() { python3 -c "import json, sys
r = json.loads(open('out.txt').read())
sys.exit(0 if ($1) else 1)"; }
good() { # NAME PYTHON ARGUMENT...: exit code 0, and the condition holds of the report r
    local name=$1 what=$2
    shift 2
    mlp --json "$@"
    check "$name" bash -c "[ $rc = 0 ] && [ \$1 = 0 ] || { cat err.txt; head -c 600 out.txt; false; }" _ "$(py "$what"; echo $?)"
}
fails() { # NAME CODE TEXT ARGUMENT...: the exit code, and a line on stderr that has TEXT
    local name=$1 code=$2 text=$3
    shift 3
    mlp "$@"
    check "$name" bash -c "[ $rc = $code ] && grep -qF -- \"\$1\" err.txt || { cat err.txt; false; }" _ "$text"
}
said() { check "  said: $1" bash -c 'grep -qF -- "$1" err.txt || { cat err.txt; false; }' _ "$1"; }

# tones DIR RECORDINGS [SECONDS]: three labels; a recording is two clips, NAME-0 and NAME-1, of one pitch, at mixed rates
tones() {
    python3 - "$@" <<'EOF'
import array, math, os, random, sys, wave
folder, n, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 0.5
rng = random.Random(1)
for name, pitch in ("low", 300), ("mid", 900), ("high", 2700):
    os.makedirs(f"{folder}/{name}", exist_ok=True)
    for i in range(2 * n):
        rate = (8000, 16000, 22050)[i % 3]
        if i % 2 == 0:
            f, a = pitch * rng.uniform(0.85, 1.15), rng.uniform(0.1, 0.5)
        x = array.array("h", (int(32767 * (a * math.sin(2 * math.pi * f * t / rate) + rng.uniform(-0.05, 0.05)))
                              for t in range(int(seconds * rate))))
        with wave.open(f"{folder}/{name}/{name}{i // 2}-{i % 2}.wav", "wb") as w:
            w.setnchannels(1), w.setsampwidth(2), w.setframerate(rate)
            w.writeframes(x.tobytes())
EOF
}
tones a 10
G='([a-z]+[0-9]+)-[01]'

echo "--- what it learns, and what it writes"
good "a dense net on mean MFCCs knows new recordings" 'r["accuracy"]["value"] >= 0.9 and r["clips"] == 60 and r["recordings"] == 30 and not r["leaky"]' \
    a --groups "$G" -o a.onnx --report report
check "  and classify runs it" bash -c "'$EARSHOT' classify --json --model ./a.onnx a/mid/mid0-0.wav | grep -q '\"top\":\[{\"label\":\"mid\"'"
check "  the report's files are there" bash -c 'cd report && for f in curve.svg confusion.svg clips.csv report.txt report.json; do [ -s $f ] || exit 1; done'
check "  pictures are XML" python3 -c 'import xml.dom.minidom as x; [x.parse(f"report/{f}.svg") for f in ("curve", "confusion")]'
check "  no recording is on two sides" python3 -c '
import csv
side = {}
for r in csv.DictReader(open("report/clips.csv")):
    side.setdefault(r["recording"], set()).add(r["part"])
assert len(side) == 30 and all(len(s) == 1 for s in side.values()) and {"train", "check", "test"} == set.union(*side.values())'
cp a.onnx first.onnx
good "the cache holds all of it" 'r["cached"] == 60 and r["features_s"] < 60' a --groups "$G" -o a.onnx
check "the same seed: the same file" cmp a.onnx first.onnx
good "another seed" 'True' a --groups "$G" -o a.onnx --seed 1
check "  another file" bash -c '! cmp -s a.onnx first.onnx'
good "without cache" 'r["cached"] == 0' a --groups "$G" -o a.onnx --no-cache --jobs 1
check "  the same file as with it" cmp a.onnx first.onnx
touch a/mid/mid0-0.wav
good "a file that changed is heard again" 'r["cached"] == 59' a --groups "$G" -o a.onnx
printf 'torn' >>"$(ls -1 cache/earshot/*.features | head -1)"
good "a cache that was torn off" 'r["cached"] == 60' a --groups "$G" -o a.onnx
run a --groups "$G" -o head.onnx --json
check "layers on the default model's embedding know them as well" py 'r["kind"] == "head" and r["accuracy"]["value"] >= 0.9'
check "  and classify runs body and head in one" bash -c "'$EARSHOT' classify --json --model ./head.onnx a/high/high1-1.wav | grep -q '\"top\":\[{\"label\":\"high\"'"
check "  which still gives the body's embedding, bit for bit" bash -c "'$EARSHOT' features --model ./head.onnx a/low/low3-0.wav -o h.npy &&
    '$EARSHOT' features --model earshot-s a/low/low3-0.wav -o b.npy && cmp h.npy b.npy"
run a --model ./head.onnx --layers 12 --groups "$G" -o again.onnx --json
check "a head goes on another head's body" py 'r["net"] == "256-12-3" and r["accuracy"]["value"] >= 0.9'
if "$PYTHON" -c 'import onnx' 2>/dev/null; then
    for f in a head again; do
        check "ONNX's own checker takes $f.onnx" "$PYTHON" -c '
import sys, onnx
m = onnx.load(sys.argv[1])
onnx.checker.check_model(m, full_check=True)
p = {p.key: p.value for p in m.metadata_props}
assert p["earshot.labels"] == "high\nlow\nmid" and p["earshot.activation"] == "softmax" and p["earshot.date"] == "2023-11-14"' $f.onnx
    done
else
    skip "ONNX's own checker: python3-onnx is not installed"
fi
check "evaluate measures what was told for the clips kept apart" bash -c "
    { echo path,label; awk -F, '\$4 == \"test\" {print \"a/\" \$1 \",\" \$2}' report/clips.csv; } >test.csv
    '$EARSHOT' evaluate --clips test.csv --model ./first.onnx --json >evaluated.json &&
    python3 -c 'import json; a, b = (json.load(open(f))[\"accuracy\"] for f in (\"evaluated.json\", \"report/report.json\"))
assert a == b, (a, b)'"

if "$PYTHON" -c 'import numpy, onnx, torch' 2>/dev/null; then
    cp -r a nrdt && echo no >nrdt/low/no.wav
    OMP_NUM_THREADS=1 timeout 300 "$PYTHON" "$root/models/train_nrdt.py" folder nrdt nrdt.onnx --groups "$G" --epochs 1 --work nrdt.work \
        --earshot "$EARSHOT" >out.txt 2>err.txt
    check "the recipe of the NRDT network takes such a folder, too" bash -c "grep -q 'clips to train' out.txt &&
        '$EARSHOT' classify --json --model ./nrdt.onnx a/low/low0-0.wav | grep -q '\"label\":\"mid\"'"
else
    skip "the recipe of the NRDT network: numpy, onnx or torch is not installed"
fi

if command -v script >/dev/null; then # it is stopped once it has said so: how long a run takes is the machine's affair
    script -qfec "'$EARSHOT' train --kind mfcc-mlp --window 1 a --groups '$G' --layers 600,600 --epochs 100000 --patience 0 --folds 2 -o f.onnx" \
        /dev/null </dev/null >tty.txt 2>&1 &
    shown=$!
    check "on a terminal it tells how far it is, and how long it will take" wait_for 60 \
        grep -Eaq 'fold [12] of 2, epoch [0-9]+ of 100000, .*[0-9](:[0-9][0-9]| min) left' tty.txt
    kill $shown
    wait $shown
    rm -f f.onnx*
fi 2>/dev/null

echo "--- folds and leaks"
{ echo path,label,fold,recording; for f in a/*/*.wav; do
    n=${f##*/}; l=${n%%[0-9]*}; k=${n#"$l"}; k=${k%%-*}; echo "$f,$l,$((k % 2)),$l$k"; done; } >good.csv
sed 's/\(-1.wav,[a-z]*\),0/\1,2/' good.csv >leak.csv
good "each fold is measured once by a net without it" 'r["accuracy"]["clips"] == 60 and [f["fold"] for f in r["folds"]] == ["0", "1"]' \
    --csv good.csv --folds fold --groups recording -o f.onnx
good "dealt folds" 'r["accuracy"]["clips"] == 60 and len(r["folds"]) == 3' a --folds 3 --groups "$G" -o f.onnx
fails "more folds than recordings: how many there can be" 2 "folds 100: allowed are a number from 2 to" a --folds 100 --groups "$G" -o x.onnx
fails "one fold" 2 "folds 1: allowed are" a --folds 1 -o x.onnx
good "some folds alone" 'r["accuracy"]["clips"] == 30' --csv good.csv --test-folds 1 --groups recording -o f.onnx
fails "folds that tear recordings apart are refused, with a pair" 1 "parts of one recording, high0" --csv leak.csv --folds fold --groups recording -o x.onnx
said "a/high/high0-0.wav"
said "a/high/high0-1.wav"
check "  and nothing is written" test ! -e x.onnx
good "  --drop-leaks leaves out the other parts" 'r["dropped"] > 0 and not r["leaky"] and r["accuracy"]["clips"] == 60' \
    --csv leak.csv --folds fold --groups recording -o f.onnx --drop-leaks
good "  --allow-leaks says that it leaks" 'r["leaky"] and 0.3 < r["leaky_share"] <= 1' --csv leak.csv --folds fold --groups recording -o f.onnx --allow-leaks
check "    in the model as well" bash -c "'$EARSHOT' model show ./f.onnx | grep -q LEAKY"
mkdir -p fs/x fs/y
for i in 0 1 2 3 4 5; do cp "a/low/low$i-0.wav" "fs/x/10$((i / 2))-1-0-$i.wav"; cp "a/mid/mid$i-0.wav" "fs/y/1-20$((i / 2))-A-$i.wav"; done
good "Freesound's numbers in names say what is of one recording" 'r["recordings"] == 6' fs -o f.onnx
cp fs/x/100-1-0-0.wav fs/x/alone.wav
good "equal sound is of one recording, whatever the name" 'r["recordings"] == 6 and r["clips"] == 13' fs -o f.onnx

echo "--- killed, and gone on"
state() { [ -s "$1.state" ]; }
slow="--kind mfcc-mlp --layers 600,600 --window 1 --epochs 60 --patience 0 --groups $G --save-every 0.05"
# shellcheck disable=SC2086
timeout 300 "$EARSHOT" train a $slow -o whole.onnx >/dev/null 2>err.txt
check "a run that nobody disturbed" test -s whole.onnx -a ! -e whole.onnx.state
for turn in 1 2 3; do
    # shellcheck disable=SC2086
    "$EARSHOT" train a $slow -o killed.onnx >/dev/null 2>err.txt &
    victim=$!
    rm -f seen; [ -e killed.onnx.state ] && cp killed.onnx.state seen
    wait_for 60 bash -c 'state() { [ -s killed.onnx.state ] && ! cmp -s killed.onnx.state seen; }; state || [ -e killed.onnx ]'
    kill -9 $victim 2>/dev/null
    wait $victim 2>/dev/null
done
check "one that was killed three times" test ! -e killed.onnx -a -s killed.onnx.state
cp killed.onnx.state kept.state
# shellcheck disable=SC2086
timeout 300 "$EARSHOT" train a $slow -o killed.onnx >/dev/null 2>err.txt
check "  goes on" grep -q "goes on after epoch" err.txt
check "  and ends with the very file of the one that nobody disturbed" cmp whole.onnx killed.onnx
check "  its state is gone" test ! -e killed.onnx.state
cp kept.state f.onnx.state
good "a state of other settings is not taken up" 'not r["resumed"]' a -o f.onnx --groups "$G"
said "begun anew"
head -c 3000 kept.state >killed.onnx.state
# shellcheck disable=SC2086
timeout 300 "$EARSHOT" train a $slow -o killed.onnx >/dev/null 2>err.txt
check "nor one that was cut off; the file is the same" cmp whole.onnx killed.onnx
good "folds go on as well" 'not r["resumed"]' a --folds 3 --groups "$G" -o f.onnx --save-every 0
check "  (the same file as without savings)" bash -c "cp f.onnx g.onnx; '$EARSHOT' train --kind mfcc-mlp --layers 32,16 --window 1 a --folds 3 --groups '$G' -o f.onnx >/dev/null 2>&1; cmp f.onnx g.onnx"

echo "--- what lies about in folders"
mkdir -p one/bell && cp a/low/low0-0.wav one/bell/
fails "one label" 1 "there is one label, bell" one -o x.onnx
mkdir none && fails "an empty folder" 1 "a folder for each label is needed" none -o x.onnx
mkdir none/empty && fails "a label's folder without a recording" 1 "there is no recording in its 1 folder" none -o x.onnx
said "none/empty: no recording in this folder"
fails "no such folder" 1 "nowhere: No such file or directory" nowhere -o x.onnx
tones m 3 0.3
mkdir -p m/lone 'm/Türglocke 2' 'm/犬' m/.git m/broken "m/a\"b<c>;\$(x)"
cp a/low/low9-0.wav m/lone/one.wav
for i in 1 2 3; do cp "a/low/low$i-0.wav" "m/Türglocke 2/ä $i.wav"; cp "a/mid/mid$i-0.wav" "m/犬/猫$i.wav"; cp "a/high/high$i-0.wav" "m/a\"b<c>;\$(x)/$(printf 'n\nl\033[31m%d' $i).wav"; done
: >m/low/empty.wav; head -c 200 /dev/urandom >m/low/noise.wav; echo hello >m/low/notes.txt; echo x >m/mid/text.mp3
cp a/low/low0-0.wav m/stray.wav; ln -s /nowhere m/mid/dangling.wav; mkfifo m/mid/pipe.fifo; mkdir m/mid/dir.wav
head -c 60 a/low/low0-0.wav >m/low/short.wav; echo no >m/broken/no.wav; cp a/low/low0-0.wav m/.git/x.wav
python3 -c "import wave; w = wave.open('m/mid/silent.wav', 'wb'); w.setnchannels(2); w.setsampwidth(3); w.setframerate(44100); w.writeframes(bytes(60000))"
good "a model is made all the same" 'r["labels"] == 7 and r["clips"] == 30 and r["left_out"] == 8' m -o m.onnx
said "m/low/empty.wav: is empty"
said "m/low/noise.wav: not an audio file that can be read"
said "m/mid/text.mp3: not an audio file"
said "m/mid/dangling.wav: No such file or directory"
said "m/stray.wav: lies in no label's folder: left out"
said "m/low/notes.txt: no recording, by its ending: left out"
said "broken: no recording of it is left"
said "lone: there is one recording of it: it is learned, but cannot be measured"
said "Türglocke 2: is called tuerglocke_2"
said "犬: is called unnamed_"
said "is called a_b_c_x"
check "  no control character gets to the terminal" bash -c '! grep -q "$(printf "\033")" err.txt out.txt'
mkdir -p 'm/LOW' && cp a/mid/mid1-1.wav m/LOW/
fails "two folders of one label" 1 "would both be the label low" m -o x.onnx
tones c 2; cp c/low/low0-0.wav c/mid/again.wav
fails "the same sound under two labels: learned all the same" 0 "low/low0-0.wav and mid/again.wav are the same sound under two labels; earshot dataset check" \
    c --groups "$G" -o c.onnx
rm -r m/LOW
# root reads what nobody may read, unless it gives that right up
[ "$(id -u)" != 0 ] || as=(setpriv --bounding-set -dac_override,-dac_read_search)
chmod 0 m/low/low0-0.wav m/high
good "unreadable ones" 'r["clips"] < 30' m -o m.onnx
said "Permission denied"
chmod 755 m/low/low0-0.wav m/high
as=()
printf 'path,label\na/low/low0-0.wav,low\na/low/low0-0.wav,low\nnothere.wav,mid\n,mid\na/mid/mid0-0.wav,mid\na/mid/mid1-0.wav\na/low/low1-0.wav,low\n' >bad.csv
good "lines of a list that are no good" 'r["clips"] == 3 and r["left_out"] == 4' --csv bad.csv -o m.onnx --test 0 --check 0
said "bad.csv:3: a/low/low0-0.wav stands in line 2 already"
said "nothere.wav: No such file or directory"
said "bad.csv:5: the path is missing"
good "two clips" 'r["clips"] == 2 and r["accuracy"]["clips"] == 0 if "accuracy" in r else True' --csv <(printf 'path,label\n%s,low\n%s,mid\n' "$W/a/low/low0-0.wav" "$W/a/mid/mid0-0.wav") -o m.onnx
fails "too much kept apart" 1 "no two labels are left to train on" --csv <(printf 'path,label,fold\n%s,low,1\n%s,low,2\n%s,mid,1\n%s,mid,1\n' "$W"/a/low/low{0,1}-0.wav "$W"/a/mid/mid{0,1}-0.wav) --test-folds 1 -o x.onnx
python3 - <<'EOF'
import os, wave, array
for k in range(2):
    os.makedirs(f"many/label{k}")
    for i in range(int(os.environ.get("MANY", 500)) // 2):
        with wave.open(f"many/label{k}/{i}.wav", "wb") as w:
            w.setnchannels(1), w.setsampwidth(2), w.setframerate(8000)
            w.writeframes(array.array("h", ((t * (k + 1) * 37 + i) % 4001 * 8 - 16000 for t in range(400))).tobytes())
EOF
good "${MANY:-500} files" "r['clips'] == ${MANY:-500}" many -o m.onnx --epochs 3

echo "--- wrong usage"
fails "no folder" 2 "a folder with a folder for each label is needed"
fails "folder and list" 2 "one of them" a --csv good.csv
fails "layers" 2 "--layers 3,x:" a --layers 3,x
fails "preset" 2 "allowed are 100-200-100 and 200-300" a --preset 300
fails "kind" 2 "allowed are head and mfcc-mlp" a --kind cnn
fails "dropout" 2 "--dropout" a --dropout 1
fails "a pattern that is none" 2 "--groups (" a --groups '(' -o x.onnx
fails "a pattern that matches nothing" 2 "matches the name of no clip" a --groups 'zz(.)' -o x.onnx
fails "no such fold" 2 "no clip is of fold '7'" --csv good.csv --test-folds 7 -o x.onnx
fails "an output that cannot be" 2 "nowhere/x.onnx" a -o nowhere/x.onnx
fails "both rules for leaks" 2 "one of them, once" a --drop-leaks --allow-leaks
run a --model nomodel -o x.onnx
check "a head without a body" bash -c "[ $rc = 2 ] && grep -q nomodel err.txt"
run a --model ./first.onnx -o x.onnx
check "a body without an embedding" bash -c "[ $rc = 2 ] && grep -q 'no output called \"embedding\"' err.txt"
: >a.onnx; (cd "$W" && timeout 60 "$EARSHOT" train a >/dev/null 2>err.txt; [ $? = 2 ] && grep -q 'a.onnx is there already' err.txt)
check "a model that is there is not overwritten unasked" test $? = 0
summary
