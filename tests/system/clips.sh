#!/bin/bash
# clips.sh - recordings of sounds: what they hold, what they must not hold, and the ways of a disk. No root, no device; python3, sox.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); E=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d)
export EARSHOT_MODELS=$root/models TSAN_OPTIONS=exitcode=66 LSAN_OPTIONS="suppressions=$root/tests/lsan.supp"
unset STATE_DIRECTORY RUNTIME_DIRECTORY XDG_RUNTIME_DIR NOTIFY_SOCKET
cd "$W" || exit 1
end() { [ -s pid ] && kill -KILL "$(cat pid)" 2>/dev/null; wait; rm -rf "$W"; }
trap end EXIT

# The demo recording holds, by its annotations, an alarm at 1..9 s and somebody who talks at 19..25 s, and more.
demo=$root/models/demo.flac
sox "$demo" -b 16 demo.wav
sox "$demo" -b 16 alarm.wav trim 0 10
sox "$demo" -b 16 knock.wav trim 11 6
sox "$demo" -b 16 talk.wav trim 18 8
sox -m alarm.wav -v 0.8 talk.wav -b 16 both.wav 2>/dev/null # an alarm while somebody talks
cat >help.py <<'P'
import array, json, os, subprocess, sys, wave
def wav(path):
    w = wave.open(path); return array.array("h", w.readframes(w.getnframes())), w.getframerate()
def clip(path): # through sox: whoever opens a clip elsewhere
    raw = subprocess.run(["sox", path, "-t", "raw", "-b", "16", "-e", "signed", "-"], capture_output=True, check=True).stdout
    return array.array("h", raw)
def ends(path): return [e for e in map(json.loads, open(path)) if e["event_type"] == "end"]
def clips(folder): return sorted(f for f in os.listdir(folder) if not f.startswith("."))
P
py() { PYTHONPATH=$W python3 -c "from help import *
$1"; }
# run FILE [ARGS...]: all of it as fast as it goes; state is its own each time
run() {
    local f=$1; shift
    "$E" run --state-dir "$W/state" --mqtt.enabled=off --input "file:$f" --fast --json "$@" >out.txt 2>log.txt
}
fresh() { rm -rf state; mkdir state; }
clean() { ! grep -E 'Sanitizer|runtime error' log.txt; }

echo "--- off by default"
fresh; run alarm.wav
check "nothing is kept" bash -c '[ ! -e state/clips ] && grep -q "\"clip\":null" out.txt && ! grep -q "\"clip\":\"" out.txt'

echo "--- sounds"
fresh; run demo.wav --clips.record=sounds --clips.save_all=on; rc=$?
check "exit 0, each end names a file that is there, or somebody talked" py '
found = [e for e in ends("out.txt") if e["clip"]]
assert len(found) >= 6 and {e["clip"] for e in found} == set(clips("state/clips")), (found, clips("state/clips"))
assert not [e for e in ends("out.txt") if e["label"] == "speech" and e["clip"]]
assert [e for e in ends("out.txt") if e["label"] == "smoke_alarm" and e["clip"]]'
check "  a start and an update name none" bash -c '! grep -E "\"event_type\":\"(start|update)\"" out.txt | grep -q "\"clip\":\""'
check "  names sort by time and carry the label" py '
names = clips("state/clips")
for e in ends("out.txt"):
    if e["clip"]:
        t = e["start"].replace("-", "").replace(":", "")
        assert e["clip"].startswith(t + "_" + e["label"] + "_"), e'
check "  every clip is, to the sample, a part of the recording, 2 s before its start" py '
x, rate = wav("demo.wav"); whole = x.tobytes(); origin = set()
for e in ends("out.txt"):
    if not e["clip"]: continue
    c = clip("state/clips/" + e["clip"]).tobytes()
    at = whole.find(c)
    while at % 2: at = whole.find(c, at + 1)
    assert at >= 0, e["clip"]
    assert whole.find(c, at + 2) < 0
    h, m, s = e["start"][11:-1].split(":")
    start = int(h) * 3600 + int(m) * 60 + float(s)
    if at > 0: origin.add(round((start - 2 - at / 2 / rate) * 1000) / 1000)
    heard = len(c) / 2 / rate - e["duration_s"] - (2.5 if at > 0 else 1.5)
    assert at + len(c) == len(whole) or abs(heard) < 0.02, (e, heard)
assert max(origin) - min(origin) < 0.003, origin'
check "  none of them has a sample of the talk (19..25 s)" py '
x, rate = wav("demo.wav"); whole = x.tobytes()
for f in clips("state/clips"):
    c = clip("state/clips/" + f).tobytes(); at = whole.find(c) / 2 / rate
    assert at + len(c) / 2 / rate <= 19.0 or at >= 25.0, (f, at)'
check "  readable by owner and group alone" test "$(find state/clips -perm /007 | wc -l)" = 0
check "  clean" clean
fresh; run alarm.wav --clips.record=sounds --clips.format=wav --clips.preroll='0.25 s'
check "WAV, the alarms alone by default" py 'n = clips("state/clips"); assert n and all(f.endswith("_alarm_" + f[-12:-4] + ".wav") for f in n), n'
fresh; run knock.wav --clips.record=sounds
check "  a knock is one of them" py 'assert any("door_wood_knock" in f for f in clips("state/clips"))'
fresh; run knock.wav --clips.record=sounds --clips.classes=smoke_alarm,animal
check "  but not of the class that is asked for" test "$(ls state/clips | wc -l)" = 0
fresh; run knock.wav --clips.record=sounds --clips.classes= --clips.unknown=on --decision.threshold=1
check "unknown: kept where no class was sure" py '
n = clips("state/clips"); assert n and all("_unknown_" in f for f in n), n
assert {e["clip"] for e in ends("out.txt")} == set(n)'
fresh; run alarm.wav --clips.record=sounds --clips.max_length='4 s'
check "no clip is longer than max_length" py '
n = clips("state/clips"); assert n
for f in n: assert len(clip("state/clips/" + f)) <= 4 * 32000'

echo "--- speech"
fresh; run both.wav --clips.record=sounds --clips.save_all=on
check "an alarm over which somebody talks is told, but not kept" py '
assert [e for e in ends("out.txt") if "alarm" in e["label"]], "not heard"
assert not clips("state/clips") and not any(e["clip"] for e in ends("out.txt")), clips("state/clips")'
fresh; run both.wav --clips.record=sounds --clips.speech=features
check "speech = features: only embeddings are" py '
import ast
n = clips("state/clips"); assert n and all(f.endswith(".npy") for f in n), n
head = open("state/clips/" + n[0], "rb").read()
assert head[:6] == b"\x93NUMPY"
shape = ast.literal_eval(head[10:head.index(b"\n")].decode())["shape"]
assert shape[0] >= 4 and shape[1] == 256 and len(head) % 64 == 0, shape
assert {e["clip"] for e in ends("out.txt") if e["clip"]} <= set(n)'
fresh; run both.wav --clips.record=sounds --clips.speech=keep
check "speech = keep: it is kept" py 'n = clips("state/clips"); assert n and all(f.endswith(".flac") for f in n), n'
fresh; run demo.wav --clips.record=sounds --clips.classes=speech --clips.speech=keep
check "  talk itself, where that is asked for" py 'assert any("_speech_" in f for f in clips("state/clips"))'

echo "--- everything"
fresh; run demo.wav --clips.record=all --clips.file_length='7 s' --clips.speech=keep
check "all: one file after the other, not a sample more or less" py '
x, rate = wav("demo.wav"); n = clips("state/clips")
parts = [clip("state/clips/" + f) for f in n]
assert all(len(p) == 7 * rate for p in parts[:-1]), [len(p) for p in parts]
assert b"".join(p.tobytes() for p in parts) == x.tobytes()'
fresh; run demo.wav --clips.record=all --clips.file_length='7 s'
check "  without speech: silence there, and the rest as it was" py '
x, rate = wav("demo.wav"); got = array.array("h")
for f in clips("state/clips"): got.extend(clip("state/clips/" + f))
assert len(got) == len(x)
same = [got[i] == x[i] for i in range(len(x))]
for i in range(len(x)): assert same[i] or got[i] == 0, i
assert not any(got[int(19.3 * rate):int(24.7 * rate)]), "talk"
assert all(same[:int(17 * rate)]) and sum(same[int(28 * rate):]) > 0.9 * len(same[int(28 * rate):])'

echo "--- quota"
fresh; mkdir state/clips; echo mine >state/clips/notes.txt; : >state/clips/20200101T000000.000Z_dog_bark_0000000g.flac
for i in 1 2 3 4 5 6; do cp alarm.wav state/clips/2026110${i}T000000.000Z_dog_bark_0000000$i.wav; done
touch state/clips/20200101T000000.000Z_siren_00000001.wav
run alarm.wav --clips.record=sounds --clips.classes=smoke_alarm --clips.max_files=5 --clips.class_share='60 %' --clips.max_age='9000 days'
check "a class keeps its share, and what is not ours stays" py '
n = os.listdir("state/clips")
assert "notes.txt" in n and "20200101T000000.000Z_dog_bark_0000000g.flac" in n
assert len([f for f in n if "dog_bark_0000000" in f and f.endswith(".wav")]) == 3, n
assert "20200101T000000.000Z_siren_00000001.wav" in n and any("smoke_alarm" in f for f in n), n
assert len(n) == 5 + 2, n'
run knock.wav --clips.record=sounds --clips.classes=smoke_alarm --clips.max_age='30 days'
check "what is too old goes" py 'assert not any(f.startswith("2020") and "siren" in f for f in os.listdir("state/clips"))'

echo "--- faults"
printf x >file
run alarm.wav --clips.record=sounds --clips.dir="$W/file"; rc=$?
check "a folder that is none: said once, it listens all the same, and no event names a clip" bash -c \
    "[ $rc = 0 ] && [ \$(grep -c 'clips cannot be kept: .*not a folder' log.txt) = 1 ] && grep -q smoke_alarm out.txt && ! grep -q '\"clip\":\"' out.txt"
if [ "$(id -u)" = 0 ]; then dir=/proc/none; else mkdir -m 500 locked; dir=$W/locked/clips; fi
run alarm.wav --clips.record=all --clips.dir=$dir; rc=$?
check "one that cannot be made: the same" bash -c "[ $rc = 0 ] && [ \$(grep -c 'clips cannot be kept: .*$dir' log.txt) = 1 ] && grep -q smoke_alarm out.txt"

# paced NAME ARGS...: in the background, at the pace of a microphone
paced() { "$E" run --state-dir "$W/state" --mqtt.enabled=off --input "file:$W/demo.wav" --json "$@" >out.txt 2>log.txt & echo $! >pid; }
fresh; paced --clips.record=all --clips.format=flac --clips.speech=keep
wait_for 30 bash -c '[ "$(stat -c %s state/clips/.*.part 2>/dev/null || echo 0)" -gt 90000 ]'
kill -KILL "$(cat pid)"; wait 2>/dev/null; rm pid
check "kill -9 in mid-write: nothing has a final name" bash -c '[ "$(ls state/clips | wc -l)" = 0 ] && [ "$(ls -A state/clips | wc -l)" = 1 ]'
touch state/clips/.20260101T000000.000Z_siren_00000001.wav.part
run knock.wav --clips.record=all --clips.speech=keep
check "  the next start completes it, and removes what cannot be" py '
x, rate = wav("demo.wav"); n = clips("state/clips")
assert len(n) == 2 and len(os.listdir("state/clips")) == 2, os.listdir("state/clips")
c = clip("state/clips/" + n[0]); assert len(c) > 32000 and c.tobytes() == x.tobytes()[:2 * len(c)], len(c)'
fresh; paced --clips.record=sounds
wait_for 30 bash -c 'ls state/clips/.*smoke_alarm*.part'
kill -TERM "$(cat pid)"; s=$(date +%s%N); wait "$(cat pid)"; rc=$?; ms=$((($(date +%s%N) - s) / 1000000)); rm pid
slow=1000; case $E in *san/*) slow=3000;; esac
check "SIGTERM in mid-clip: exit 0 within a second ($ms ms), and what there is has its name" bash -c "[ $rc = 0 ] && [ $ms -lt $slow ] && ls state/clips/*smoke_alarm*.flac"
check "  which the event names" py 'n = clips("state/clips"); assert [e["clip"] for e in ends("out.txt") if e["clip"]] == n, n'
check "  clean" clean

cat >full.sh <<'P'
mount -t tmpfs -o size=300k none "$W/full" || exit 77
cd "$W"; rm -f fifo; mkfifo fifo; exec 7<>fifo
"$E" run --state-dir "$W/state" --mqtt.enabled=off --input - --rate 32000 --json --clips.record=sounds --clips.classes=smoke_alarm --clips.dir="$W/full" --clips.preroll='1 s' \
    --clips.format=wav <fifo 7>&- >out.txt 2>log.txt & pid=$!
alarm() { sox alarm.wav -t raw - >&7; }
said() { for _ in $(seq 400); do grep -q "$1" log.txt && return; sleep 0.05; done; return 1; }
heard() { for _ in $(seq 400); do [ "$(grep -c '"event_type":"end".*"label":"smoke_alarm"' out.txt)" -ge "$1" ] && return; sleep 0.05; done; return 1; }
alarm; said 'No space left' || echo "not said"
heard 1; alarm; heard 2 || echo "listens no more"
[ "$(grep -c 'cannot be kept' log.txt)" = 1 ] || echo "said more than once"
[ -z "$(ls -A full)" ] || echo "something is left: $(ls -A full)"
mount -o remount,size=9000k none "$W/full"
alarm; said 'clips are kept again' || echo "does not recover"
exec 7>&-; kill -TERM $pid; wait $pid || echo "exit $?"
ls full/*.wav >/dev/null || echo "nothing kept"
P
fresh; mkdir -p full
E=$E W=$W unshare -rm bash full.sh >full.txt 2>&1; rc=$?
if [ $rc = 77 ] || grep -q 'unshare failed' full.txt; then
    skip "a full disk: no tmpfs can be mounted here"
else
    check "a full disk: said once, it listens on, nothing half-written stays, and it recovers by itself" test ! -s full.txt
    cat full.txt
fi

echo "--- bad input"
refused() { "$E" run --state-dir "$W/state" --mqtt.enabled=off --input "file:$W/knock.wav" --fast "${@:2}" >out.txt 2>bad.txt; [ $? = 2 ] && grep -q -- "$1" bad.txt || { cat bad.txt; false; }; }
check "record" refused 'allowed: off, sounds or all' --clips.record=some
check "a class that there is not" refused '"smoke_alram" is neither a class of the model nor a group (did you mean smoke_alarm?)' --clips.record=sounds --clips.classes=smoke_alram
check "no class" refused 'nothing is asked for' --clips.record=sounds --clips.classes=
check "speech alone, which would be dropped" refused 'classes has speech' --clips.record=sounds --clips.classes=speech
check "a quota smaller than one file" refused 'max_size = 1 MB is less than one file' --clips.record=sounds --clips.max_size='1 MB'
check "a share smaller than one file" refused 'class_share = 1 %' --clips.record=sounds --clips.class_share='1 %' --clips.max_size='100 MB'
check "a file longer than the quota" refused 'file_length' --clips.record=all --clips.file_length='86400 s'
check "no room beside pre- and post-roll" refused 'leaves no room' --clips.record=sounds --clips.max_length='2 s'
check "a model that knows no speech" refused 'no class for speech' --clips.record=sounds --clips.save_all=on --model us8k-mfcc40
for bad in format=mp3 preroll=11 postroll=-1 max_length=0 file_length=0 speech=maybe speech_threshold=0 max_size=0 max_files=0 max_age=-1 class_share=0 save_all=often unknown=2; do
    check "clips.$bad" refused 'allowed: ' --clips.$bad
done

echo "--- earshot clips"
fresh; run alarm.wav --clips.record=sounds --clips.save_all=on; : >state/clips/notes.txt
n=$(find state/clips -name '2*' | wc -l)
"$E" clips --state-dir "$W/state" --json >list.txt 2>&1
check "list, in JSON: each file with its length" py '
rows = [json.loads(l) for l in open("list.txt")]
assert [r["clip"] for r in rows] == clips("state/clips")[:len(rows)] and rows
for r in rows: assert abs(r["duration_s"] - len(clip(r["path"])) / 32000) < 0.001 and r["bytes"] == os.path.getsize(r["path"])'
"$E" clips --state-dir "$W/state" >list.txt; check "  for people" grep -q "^$n clips, " list.txt
"$E" clips purge --state-dir "$W/state" >list.txt 2>&1; check "purge without saying what: exit 2" bash -c "[ $? = 2 ] && grep -q -- '--all' list.txt"
"$E" clips purge --label siren --state-dir "$W/state" >list.txt; check "purge of a class that is not there" grep -q "^0 of $n clips" list.txt
"$E" clips purge --older-than 1 --state-dir "$W/state" >list.txt; check "purge of what is older than a day" grep -q "^0 of $n clips" list.txt
"$E" clips purge --older-than soon --state-dir "$W/state" >list.txt 2>&1; check "  than \"soon\": exit 2" test $? = 2
"$E" clips purge --all --state-dir "$W/state" >list.txt; check "purge of all: but not of what is not ours" bash -c "grep -q '^$n of $n clips' list.txt && [ \"\$(ls state/clips)\" = notes.txt ]"
"$E" clips burn --state-dir "$W/state" >list.txt 2>&1; check "anything else: exit 2" test $? = 2

echo "--- doctor"
doctor() { timeout 20 "$E" doctor --json --state-dir "$W/state" --mqtt.enabled=off "${@:2}" >doctor.txt 2>&1; grep '"clips"' doctor.txt | grep -q -- "$1" || { cat doctor.txt; false; }; }
check "the folder is looked at" doctor '"ok"' --clips.record=sounds
check "  one that is none" doctor '"fail".*is not a folder' --clips.record=sounds --clips.dir="$W/file"
check "  one that may grow beyond its disk" doctor '"warn".*may grow by' --clips.record=sounds --clips.max_size='10000 GB'
[ "$FAIL" = 0 ] || tail -20 log.txt
summary
