#!/bin/bash
# archive.sh: earshot classify over folders: order, --resume after kill -9 and torn journals, --shard, --csv. Needs sox and python3.
# ARCHIVE_KILLS=100 tests/system/archive.sh takes more rounds (3).
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
EARSHOT=${EARSHOT:-$root/build/earshot}
W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
export EARSHOT_MODELS=${EARSHOT_MODELS:-$root/models}
cd "$W" || exit 1

command -v sox >/dev/null || { skip "archive: sox is not installed"; summary; exit; }
run() { timeout 60 "$EARSHOT" classify "$@" >out.txt 2>err.txt </dev/null; rc=$?; }
names() { python3 -c "import json; print(*[json.loads(l)['file'] for l in open('out.txt')])"; }
fails() { local n=$1 code=$2 text=$3; shift 3; run "$@"; check "$n" bash -c "[ $rc = $code ] && [ \$(wc -l <err.txt) -le 2 ] && grep -q -- '$text' err.txt"; }

mkdir -p a/B/deep a/b a/.hidden
n=0
for f in a/z.wav a/B/2.flac a/B/10.wav a/B/deep/x.ogg a/b/1.WAV a/Ä.wav "a/b/two words.wav" a/.hidden/no.wav a/.no.wav; do
    sox -n -r 16000 -c 1 -b 16 "$f" synth 1 sine $((400 + 150 * n++)) vol 0.3 pad 0.5 0.5 2>/dev/null || cp a/z.wav "$f"
done
echo text >a/notes.txt; ln -s .. a/b/loop; ln -s ../z.wav a/b/link.wav

echo "--- folders"
run --json a
check "sorted by bytes, hidden and others left out, links to folders not followed" \
    test "$(names)" = "a/B/10.wav a/B/2.flac a/B/deep/x.ogg a/b/1.WAV a/b/link.wav a/b/two words.wav a/z.wav a/Ä.wav"
check "  exit 0" test $rc = 0
cp out.txt one.jsonl
LC_ALL=C run --json a/;           check "a slash at its end, another locale: the same" cmp -s out.txt one.jsonl
run --json --jobs 3 a;            check "three at once: the same" cmp -s out.txt one.jsonl
run --json a/z.wav a/B a/z.wav;   check "files and folders in the order given" test "$(names)" = "a/z.wav a/B/10.wav a/B/2.flac a/B/deep/x.ogg a/z.wav"
mkdir empty; echo x >empty/readme.txt
fails "an empty folder" 1 'empty: no recording' --json empty
fails "a folder that is not there" 1 'nowhere/: No such file' --json nowhere/
fails "an empty folder beside a good one" 1 'empty: no recording' --json empty a; check "  and that one is told" cmp -s out.txt one.jsonl
if [ "$(id -u)" != 0 ]; then
    mkdir shut; chmod 0 shut; fails "a folder that cannot be read" 1 'shut: Permission denied' --json shut
elif command -v setpriv >/dev/null; then
    mkdir -p open/shut; cp a/z.wav open/; chmod 755 "$W" open; chmod 700 open/shut
    if setpriv --reuid 65534 --clear-groups test -x "$EARSHOT" 2>/dev/null; then
        setpriv --reuid 65534 --clear-groups "$EARSHOT" classify --json open >out.txt 2>err.txt </dev/null
        check "a folder below that cannot be read is named, the rest told" bash -c "[ $? = 1 ] && grep -q 'open/shut: Permission denied' err.txt && [ \$(wc -l <out.txt) = 1 ]"
    else
        skip "a folder that cannot be read: nobody cannot run $EARSHOT"
    fi
fi

echo "--- CSV"
run --csv --top 2 a
check "a header, and two labels of each file" python3 -c "
import csv
rows = list(csv.DictReader(open('out.txt')))
want = [l for l in '$(cut -d'"' -f4 one.jsonl | tr '\n' '|')'.split('|') if l]
top = [r for r in rows if r['kind'] == 'top']
assert list(rows[0]) == 'file,duration_s,model,kind,label,score,start_s,end_s,peak_dbfs,rms_dbfs'.split(',')
assert [r['file'] for r in top] == [f for f in want for _ in '12'], top
assert all(r['model'] == 'earshot-s' and abs(float(r['duration_s']) - 2) < 0.1 for r in rows)"
run --csv --class.dog_bark.threshold=0 --gate.threshold=-40 a/z.wav
check "events with their times" python3 -c "
import csv
e = [r for r in csv.DictReader(open('out.txt')) if r['kind'] == 'event' and r['label'] == 'dog_bark']
assert len(e) == 1 and abs(float(e[0]['start_s']) - 0.5) < 0.05 and float(e[0]['peak_dbfs']) < 0"

echo "--- killed and resumed"
mkdir big
for i in $(seq 60); do
    sox -n -r 16000 -c 1 -b 16 big/$(printf %03d $i).wav synth $((2 + i % 7)) pinknoise vol 0.$((i % 9 + 1)) tremolo $((i % 11 + 1)) 2>/dev/null
done
head -c 2000 /dev/urandom >big/030b.wav
run --json big; cp out.txt big.jsonl; check "the whole in one go: 60 told, one bad" test $rc:$(wc -l <out.txt) = 1:60
begun() { [ "$(stat -c %s j)" -gt 2000 ]; }
kills=0 rounds=0 partly=0
for round in $(seq "${ARCHIVE_KILLS:-3}"); do
    rm -f j
    for try in $(seq 6); do
        "$EARSHOT" classify --json --jobs $((1 + round % 2)) --resume j big >out.txt 2>err.txt </dev/null & pid=$!
        # the first round's as soon as something is done, and once; the others' at any moment
        if [ "$round" = 1 ]; then wait_for 5 begun; else sleep 0.$((RANDOM % 3))$((RANDOM % 10)); fi
        kill -9 $pid 2>/dev/null
        wait $pid 2>/dev/null; rc=$?
        [ $rc = 137 ] || { [ "$round" = 1 ] && rm -f j && continue; break; } # it was done before
        kills=$((kills + 1))
        [ "$round" = 1 ] && break
        [ $((try % 3)) = 0 ] && truncate -s -$((RANDOM % 200)) j # as a power cut would have it
    done
    run --json --resume j big
    grep -q ': [1-9][0-9]* done before, [1-9]' err.txt && partly=$((partly + 1))
    cmp -s out.txt big.jsonl && rounds=$((rounds + 1))
done
check "byte for byte as one run, in ${ARCHIVE_KILLS:-3} rounds with $kills kills" test $rounds = "${ARCHIVE_KILLS:-3}" -a $kills -gt 0
check "  some of them with a part done and a part left" test $partly -gt 0
check "  the bad one named each time" grep -q 030b.wav err.txt
run --json --resume j big; check "again: nothing is left to do" grep -q '61 files: 60 done before, 0 now, 1 failed' err.txt
check "  and all is told" cmp -s out.txt big.jsonl
sox big/002.wav x.wav gain -6 2>/dev/null && mv x.wav big/001.wav
run --json --resume j big; check "a file that changed is done again" grep -q '59 done before, 1 now' err.txt
run --json big; cp out.txt big.jsonl; run --json --resume j big; check "  and its new result told" cmp -s out.txt big.jsonl
printf 'x' | dd of=j bs=1 seek=$(($(wc -c <j) / 2)) conv=notrunc 2>/dev/null
run --json --resume j big; check "a damaged line: said, its file done again" bash -c "grep -q 'j: 1 damaged line' err.txt && grep -q ' 1 now' err.txt && cmp -s out.txt big.jsonl"
{ cat j; head -c 5000 /dev/zero; } >j0 && run --json --resume j0 big; check "zeros at its end" cmp -s out.txt big.jsonl
head -c 60 j >j1; run --json --resume j1 a; check "killed while its head was written: begun anew" bash -c "[ $rc = 0 ] && cmp -s out.txt one.jsonl"
run --csv --resume j2 a; cp out.txt one.csv; run --csv --resume j2 a; check "CSV as well" bash -c "cmp -s out.txt one.csv && grep -q '8 done before' err.txt"

echo "--- journals that do not fit"
fails "other settings" 2 'gate.threshold = auto+12 dB.*gate.threshold = -40' --json --resume j --gate.threshold=-40 big
fails "another --top" 2 'top = 5.*top = 2' --json --resume j --top 2 big
fails "another format" 2 'format = json.*format = csv' --csv --resume j big
fails "another model" 2 'model = earshot-s.*model = us8k-nrdt' --json --resume j --model us8k-nrdt big
mkdir m; cp "$EARSHOT_MODELS/earshot-s.onnx" m/; run --json --resume jm --model m/earshot-s.onnx a
cp "$EARSHOT_MODELS/us8k-mfcc40.onnx" m/earshot-s.onnx
fails "another model under the same name" 2 'model = earshot-s' --json --resume jm --model m/earshot-s.onnx a
fails "a class of its own rules" 2 'class.siren.threshold = 0.3' --json --resume j --class.siren.threshold=0.3 big
cp a/z.wav z; fails "a recording for a journal" 2 'z: this is no journal' --json --resume z a
check "  it stays as it was" cmp -s z a/z.wav
fails "a folder for a journal" 2 'b: Is a directory' --json --resume a/b a
fails "a journal in a folder that is not there" 2 'nowhere/j: No such file' --json --resume nowhere/j a
fails "a pipe for a journal" 2 '/dev/stdin: not a regular file\|/dev/null: not a regular file' --json --resume /dev/null a
fails "--resume with a table" 2 '--resume needs --json or --csv' --resume j a
fails "--json and --csv" 2 'one of them' --json --csv a
check "a journal that another process has" bash -c "
    mkfifo p q; (flock -x 9; echo >p; read -r <q) 9>>j & read -r <p
    '$EARSHOT' classify --json --resume j big >out.txt 2>err.txt; rc=\$?; echo >q; wait; [ \$rc = 2 ] && grep -q 'j: another process works with it' err.txt"
if mkdir small && mount -t tmpfs -o size=16k none small 2>/dev/null; then
    fails "a full disk" 1 'small/j: cannot be written: No space' --json --resume small/j big
    mount -o remount,size=1m small
    run --json --resume small/j big; check "  taken up where there is room again" bash -c "! grep -q ' 0 done before' err.txt && cmp -s out.txt big.jsonl"
    umount small
else
    skip "a full disk: no mount here"
fi

echo "--- shards"
for i in 1 2 3; do run --json --shard $i/3 --resume s$i big; cp out.txt s$i.jsonl; cp err.txt s$i.err; done
check "three shards together are one run" bash -c "cat s?.jsonl | sort | cmp -s - <(sort big.jsonl)"
check "  of even size" test "$(cat s?.err | grep -o '[0-9]* of 61 files' | tr '\n' ,)" = "21 of 61 files,20 of 61 files,20 of 61 files,"
check "  each says the same fingerprint of the list" test "$(cat s?.err | grep -o 'list [0-9a-f]*' | uniq -c | awk '{print $1}')" = 3
run --json --shard 20/20 a; check "more shards than files: nothing to do is no failure" bash -c "[ $rc = 0 ] && [ ! -s out.txt ]"
for s in 0/3 4/3 1/0 -1/3 1 1/ /3 x/3 1/3x 1.5/3 1/99999999 ''; do fails "--shard '$s'" 2 'I/N is needed' --json --shard="$s" a; done
if command -v parallel >/dev/null; then
    parallel -j2 "$EARSHOT classify --json --shard {}/4 --resume p{}.journal big >p{}.jsonl" ::: 1 2 3 4 2>/dev/null
    check "GNU parallel as the README has it" bash -c "cat p?.jsonl | sort | cmp -s - <(sort big.jsonl)"
else
    skip "GNU parallel is not installed"
fi
mkdir bin && ln -s "$EARSHOT" bin/earshot
for i in 5 6 7 8; do # a job array need not begin at 1
    PATH=$W/bin:$PATH SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_ID=$i SLURM_ARRAY_TASK_MIN=5 SLURM_CPUS_PER_TASK=2 \
        bash "$root/conf/examples/archive.sbatch" big slurm 2>/dev/null </dev/null || echo "$i failed"
done
check "conf/examples/archive.sbatch, its tasks one by one" bash -c "cat slurm/*.jsonl | sort | cmp -s - <(sort big.jsonl)"
summary
