#!/bin/bash
# teach.sh - a sound is taught from files, from the microphone of the running daemon and from the history; it is heard by classify and by
# the daemon without a restart; wrong alarms are learned from and taken back. No root, no device, no network. ~25 s.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); E=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d); cd "$W" || exit 1
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
M=$root/models; export EARSHOT_MODELS=$M LSAN_OPTIONS="suppressions=$root/tests/lsan.supp"
unset STATE_DIRECTORY RUNTIME_DIRECTORY XDG_RUNTIME_DIR NOTIFY_SOCKET
end() { stop_pid pid; stop_pid broker.pid; stop_pid sub.pid; wait; rm -rf "$W"; }
trap end EXIT
cat >fnv.py <<'P' # FNV-1a, 64 bit, by which a background is tied to its model
def fnv(b, h=14695981039346656037):
    for v in b: h = (h ^ v) * 1099511628211 & 0xffffffffffffffff
    return h
P
export PYTHONPATH=$W PYTHONDONTWRITEBYTECODE=1
if [ "${SANITIZED:-}" ]; then # a sixth of the other sounds: instrumented, learning against all of them takes minutes
    M=$W/models EARSHOT_MODELS=$W/models; mkdir "$M"; ln -s "$root"/models/* "$M"; rm "$M/earshot-s.background"
    python3 - "$root/models/earshot-s.background" "$M/earshot-s.background" <<'P'
import struct, sys
from fnv import fnv
data, head = open(sys.argv[1], "rb").read(), len(b"earshot background 1\n")
hash_, n, dims = struct.unpack_from("<QII", data, head)
scale = head + 16
known = scale + 4 * dims
rows = known + 2 * n
keep = range(0, n, 6)
body = data[:head] + struct.pack("<QII", hash_, len(keep), dims) + data[scale:known] + b"".join(
    [data[known + 2 * i:known + 2 * i + 2] for i in keep] + [data[rows + dims * i:rows + dims * (i + 1)] for i in keep])
open(sys.argv[2], "wb").write(body + struct.pack("<Q", fnv(body)))
P
fi
S=$W/state
t() { timeout 300 "$E" teach --state-dir "$S" "$@" >out.txt 2>err.txt </dev/null; rc=$?; }
l() { timeout 300 "$E" label --state-dir "$S" "$@" >out.txt 2>err.txt </dev/null; rc=$?; }
said() { check "$1" bash -c "[ $rc = $2 ] && grep -Eq -- '$3' ${4:-err.txt}"; }

python3 - <<'P' # a gate's chime of two tones, somewhat different each time; a buzzer; silence; a faint one
import math, struct, wave, random
def tone(hz, s, a, fs=16000): return [a * math.exp(-3 * i / fs) * (math.sin(2 * math.pi * hz * i / fs) + .5 * math.sin(2 * math.pi * 2.76 * hz * i / fs)) for i in range(int(s * fs))]
def write(name, x, noise=40):
    r = random.Random(name); x = [max(-32767, min(32767, int(v + r.gauss(0, noise)))) for v in x]
    with wave.open(name, "wb") as w: w.setnchannels(1); w.setsampwidth(2); w.setframerate(16000); w.writeframes(struct.pack("<%dh" % len(x), *x))
    return x
quiet = [0] * 12000
r = random.Random(1)
for i in range(8):
    f = 1 + r.uniform(-.03, .03)
    x = write("chime%d.wav" % i, quiet + tone(1320 * f, .5, 9000 * r.uniform(.4, 1)) + tone(990 * f, .9, 9000 * r.uniform(.4, 1)) + quiet)
open("chime.raw", "wb").write(struct.pack("<%dh" % len(x), *x))
open("room.raw", "wb").write(struct.pack("<32000h", *[int(random.gauss(0, 30)) for _ in range(32000)]))
write("buzz.wav", quiet + [6000 * (1 if (i * 110 // 16000) % 2 else -1) for i in range(16000)] + quiet)
write("silence.wav", [0] * 16000, 0)
open("noise.wav", "wb").write(bytes(random.Random(2).randrange(256) for _ in range(5000)))
write("faint.wav", quiet + [v / 300 for v in tone(1320, .5, 9000)] + quiet, 1)
P

echo "--- from files"
t "Front gate" chime0.wav chime1.wav chime2.wav chime3.wav chime4.wav
said "taught from five files" 0 "^front_gate: taught from 5 examples" out.txt
t "Front gate" chime1.wav chime5.wav chime3.wav
check "the same files once more, and another one: in their place" bash -c "[ $rc = 0 ] && grep -q '^front_gate: taught from 6 examples' out.txt &&
    [ \$(grep -c 'from before' out.txt) = 3 ]"
t "Front gate" --replace chime0.wav chime1.wav chime2.wav chime3.wav chime4.wav
said "  from the first five alone again" 0 "^front_gate: taught from 5 examples" out.txt
t list; said "list" 0 "^front_gate +5 " out.txt
t show front_gate --json; said "show" 0 '"label":"front_gate","name":"Front gate","examples":5' out.txt
"$E" classify --state-dir "$S" --json chime5.wav chime6.wav chime7.wav buzz.wav >c.txt 2>err.txt
check "classify hears it in three others" bash -c "[ \$(head -3 c.txt | grep -c 'front_gate\",\"score\":[0-9.]*,\"start_s') = 3 ]"
check "  and not in a buzzer" bash -c "! tail -1 c.txt | grep -q 'front_gate\",\"score\":[0-9.]*,\"start_s'"
"$E" classify --state-dir "$S" --model.taught=off --top 0 --json chime5.wav buzz.wav | sed 's/"events".*//' >own.txt
"$E" classify --state-dir "$S" --top 0 --json chime5.wav buzz.wav | sed 's/"events".*//; s/{"label":"front_gate","score":[^}]*},\?//; s/},\]/}]/' >with.txt
check "  what the model knows keeps its scores" cmp own.txt with.txt
printf 'path,label\nchime5.wav,front_gate\nchime6.wav,front_gate\n' >m.csv
"$E" evaluate --state-dir "$S" --clips m.csv --json >e.txt 2>err.txt; check "evaluate counts it" grep -q front_gate e.txt
t chime_two chime0.wav chime1.wav; said "sounds like one that was taught: said, and what to do" 0 "sound like front_gate, which was taught before" err.txt
t forget chime_two; said "forget" 0 "chime_two is forgotten" out.txt

echo "--- what cannot be"
t silence silence.wav; said "silence: exit 1" 1 "none of the examples is usable"
t hush silence.wav faint.wav chime0.wav; said "one of three usable: taught" 0 "silence.wav: too quiet"
t forget hush
head -c 300000 "$root/models/demo.flac" >torn.flac
t hush chime0.wav torn.flac chime1.wav; said "a file that breaks off: what comes before is used" 0 "torn.flac: broken after .*: what comes before is looked at"
t hush buzz.wav noise.wav chime2.wav; said "  one that is none: which, and the others go on" 0 "noise.wav: not an audio file.*: left out"
check "  and how many were used" grep -q 'of 3 examples that were given, 2 were used' err.txt
t forget hush
t x nothing.wav; said "a file that is not there" 1 "nothing.wav: .*: left out"
t siren chime0.wav; said "a sound that the model has" 2 "has a siren of its own; .* my_siren"
t list chime0.wav; said "a word of the program" 2 "list takes nothing more"
t Alarm chime0.wav; said "the name of a group" 2 "alarm is a group of sounds"
t '!!' chime0.wav; said "a name that is none" 2 "makes no label"
t nobody; said "no examples" 2 "no examples of nobody"
t y chime0.wav --model us8k-nrdt; said "a model without embedding or background" 2 "us8k-nrdt"
t forget nobody; said "forget what is not there" 1 "nobody; there is: front_gate"
t "Türklingel" chime0.wav chime1.wav; said "umlauts" 0 "^tuerklingel: taught" out.txt; t forget tuerklingel
t $'Cellar\ndoor \e[31m' chime0.wav; said "a name of two lines and an escape" 0 "^cellar_door_31m: taught" out.txt
t show cellar_door_31m; said "  on one line" 0 "^cellar_door_31m .Cellar door  .31m.$" out.txt; t forget cellar_door_31m
t export front_gate -o gate.taught; said "export" 0 "gate.taught written" out.txt
python3 - <<'P'
b = bytearray(open("gate.taught", "rb").read()); open("cut.taught", "wb").write(b[:-100]); b[60] ^= 1; open("bent.taught", "wb").write(b)
P
t import cut.taught; said "import of a cut file" 1 "cut.taught: it is damaged"
t import bent.taught; said "  of a bent one" 1 "bent.taught: it is damaged"
t forget front_gate; t import gate.taught; said "import" 0 "front_gate: 5 examples taken over" out.txt
mkdir other; cp "$M/earshot-s.onnx" other/earshot-s.onnx; printf '\0' >>other/earshot-s.onnx
EARSHOT_MODELS=$W/other "$E" teach import gate.taught --state-dir "$W/s2" >out.txt 2>err.txt; rc=$?
said "another model's: refused" 1 "earshot-s|background|cannot|another model"
"$E" doctor --state-dir "$S" --model.file=us8k-mfcc40 --class.front_gate.threshold=0.4 >doctor.txt 2>&1
check "  doctor names what is not heard any more" grep -q '^warn  taught sounds: 1 of 1 are not heard.*: front_gate (no sound of it is kept); teach them again' doctor.txt
check "  and takes a rule for it as it is" bash -c "! grep -q 'does not know' doctor.txt"
"$E" doctor --state-dir "$S" >doctor.txt 2>&1; check "  with its own model all is well" grep -q '^ok    taught sounds: 1' doctor.txt
echo "--- another version of the model"
mkdir newer
python3 - "$M" <<'P' # the same net in other bytes, and its background
import sys
from fnv import fnv
model = open(sys.argv[1] + "/earshot-s.onnx", "rb").read() + b"\x32\x01x" # another doc_string
b = bytearray(open(sys.argv[1] + "/earshot-s.background", "rb").read())
b[21:29] = fnv(model).to_bytes(8, "little"); b[-8:] = fnv(b[:-8]).to_bytes(8, "little")
open("newer/earshot-s.onnx", "wb").write(model); open("newer/earshot-s.background", "wb").write(b)
P
n() { EARSHOT_MODELS=$W/newer timeout 300 "$E" "$1" --state-dir "$W/up" "${@:2}" >out.txt 2>err.txt </dev/null; rc=$?; }
t "Front gate" --replace chime0.wav chime1.wav chime2.wav chime3.wav chime4.wav
EARSHOT_MODELS=$M "$E" teach --state-dir "$S" gone chime0.wav chime1.wav --model.keep_examples=off >/dev/null 2>&1
cp -r "$S" up; rm -f up/taught.lock; t forget gone; cp -r up before
check "the sounds of five examples are kept, for owner and group alone" bash -c "[ \$(find up/examples -name 'front_gate-*.flac' -perm 0640 | wc -l) = 5 ]"
n classify --json chime5.wav; said "a new version: not heard, said, and what to do" 0 "2 of 2 taught sounds are not heard.*earshot teach relearn"
n doctor; check "  doctor says which can be learned anew" grep -q 'warn  taught sounds: 2 of 2 .*: front_gate, gone (no sound of it is kept); earshot teach relearn' out.txt
n teach list; said "  list too" 0 "^front_gate +5 +5 .*earshot teach relearn" out.txt; said "  list too" 0 "^gone +2 +0 .*teach it again" out.txt
n teach front_gate chime7.wav; said "  another example of it: not before that" 2 "earshot teach relearn"
n teach relearn; said "relearn: exit 1, for one stays silent" 1 "^front_gate: learned anew for this model; gone: not heard, for no sound is kept" out.txt
n classify --json chime5.wav; said "  heard again" 0 "front_gate\",\"score\":[0-9.]*,\"start_s" out.txt
"$E" classify --state-dir "$S" --json chime5.wav >own.txt 2>/dev/null
check "  as well as before" python3 -c 'import json, sys
a, b = ([e["score"] for e in json.loads(open(f).readline())["events"] if e["label"] == "front_gate"][0] for f in sys.argv[1:])
print(a, b); sys.exit(abs(a - b) > 0.05)' out.txt own.txt
n teach front_gate chime7.wav; said "  and taught on" 0 "^front_gate: taught from 6 examples" out.txt
n teach forget gone; n teach relearn; said "nothing to learn anew" 0 "all that was taught is of this model" out.txt
n teach forget front_gate; check "forget takes the sounds away" bash -c "[ -z \"\$(ls up/examples)\" ]"

# --- from what was heard, and recorded ---
heard() { # ARGS...: smoke alarms into the history of a state directory of its own; prints the event's id
    rm -rf past; "$E" run --state-dir "$W/past" --mqtt.enabled=off --input "file:$root/tests/data/smoke_t3.flac" --fast --json "$@" 2>/dev/null |
        sed -n 's/.*"event_type": *"end".*"event_id": *"\([^"]*\)".*"label": *"smoke_alarm".*/\1/p' | head -1
}
p() { EARSHOT_MODELS=$1 timeout 300 "$E" "$2" --state-dir "$W/past" "${@:3}" >out.txt 2>err.txt </dev/null; rc=$?; }
id=$(heard --clips.record=sounds)
p "$M" teach cellar --from-history "$id"; said "--from-history, where the sound was recorded" 0 "^cellar: taught from 1 example" out.txt
check "  it is kept" bash -c "[ \$(find past/examples -name 'cellar-*.flac' | wc -l) = 1 ]"
p newer teach relearn; said "  and learned anew by another version" 0 "^cellar: learned anew for this model" out.txt
p newer classify --json "$root/tests/data/smoke_t3.flac"; said "  which hears it" 0 'cellar","score":[0-9.]*,"start_s' out.txt
id=$(heard)
p "$M" teach cellar --from-history "$id"; said "where it was not: taught, and no sound is kept" 0 "^cellar: taught from 1 example" out.txt
p "$M" teach show cellar; said "  which show says" 0 "no sound kept" out.txt

cp "$S/taught" kept; head -c 3000 kept >"$S/taught"
"$E" classify --state-dir "$S" chime5.wav >out.txt 2>err.txt; rc=$?; said "a damaged file: said, and the model goes on" 0 "damaged.*what was taught is not heard"
cp kept "$S/taught"

command -v mosquitto >/dev/null || { skip "teach: no mosquitto"; summary; exit; }
echo "--- the running daemon"
printf 'listener %d 127.0.0.1\nallow_anonymous true\n' "$PORT" >m.conf
mosquitto -c m.conf >broker.log 2>&1 & echo $! >broker.pid
wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT"
mosquitto_sub -p "$PORT" -t 'earshot/#' -t 'homeassistant/#' -F '%r %t %p' >sub.txt 2>/dev/null & echo $! >sub.pid
printf '[mqtt]\nport = %d\nnode = d\n[gate]\nthreshold = -50 dBFS\n[decision]\nrelease = 1 s\n[web]\nenabled = off\n' "$PORT" >e.conf
cp kept with_gate; t forget front_gate
mkfifo fifo; exec 7<>fifo
"$E" run --config e.conf --state-dir "$S" --input - --json <fifo 7>&- >run.txt 2>log.txt & echo $! >pid
wait_for 20 grep -q 'connected to' log.txt
got() { wait_for "${2:-8}" grep -aEq -- "$1" sub.txt; }
cat room.raw >&7
check "before: not announced" bash -c "! grep -aq front_gate sub.txt"
t import gate.taught
check "taught while it runs: announced" got 'state/front_gate OFF'
check "  to Home Assistant" got 'homeassistant/device/.*front_gate'
cat chime.raw room.raw room.raw >&7
check "  said in the log, with how many there are" wait_for 5 grep -q 'what was taught is read anew: 1 sound in use' log.txt
check "  and heard" got 'earshot/d/event .*"start".*"label":"front_gate"' 10
id=$(grep -a '"event_type":"start".*"front_gate"' sub.txt | head -1 | sed 's/.*"event_id":"\([^"]*\)".*/\1/')
sox "$root/tests/data/smoke_t3.flac" -t raw -e signed -b 16 -c 1 -r 16000 smoke.raw # a sound of the model's own
cat smoke.raw room.raw room.raw >&7
(while sleep 0.2; do cat room.raw; done) >&7 & feed=$!
t gate_two --record 1 --seconds 1; said "--record: the daemon's microphone, in which nothing is" 1 "take 1: nothing stands out.*once more"
kill $feed 2>/dev/null; wait $feed 2>/dev/null
(while sleep 0.4; do cat chime.raw; done) >&7 & feed=$!
t gate_two --record 1 --seconds 2 --wave; said "  a take that can be used, with its waveform" 0 "^gate_two: taught from 1 example" out.txt
kill $feed 2>/dev/null; t forget gate_two
wait_for 10 bash -c "\"$E\" history --state-dir '$S' --json --label front_gate | grep -q '$id'"
t "Türklingel" chime0.wav chime1.wav; check "called as its teacher wrote it" got 'homeassistant/device/.*Türklingel'; t forget tuerklingel
t from_before --from-history "${id:0:18}"; said "--from-history" 0 "^from_before: taught from 1 example" out.txt; t forget from_before
l "$id" wrong; said "label wrong" 0 "front_gate of $id: wrong; the daemon learns of it" out.txt
check "  learned" wait_for 120 grep -q 'learned of what was said of events: 1 taught sound learned anew' log.txt
l --list; said "  --list" 0 "$id .* a counter-example of front_gate" out.txt
mosquitto_pub -p "$PORT" -q 1 -t earshot/d/set/label -m "{\"event_id\": \"$id\", \"verdict\": \"right\"}"
check "set/label" got 'set/label/result \{"ok":true'
l --list; said "  replaces it" 0 "$id .* right .* an example of front_gate" out.txt
l --undo "$id"; said "--undo" 0 "no longer right" out.txt
l --list; said "  nothing is left" 0 "nothing was said" out.txt
l 0198aaaa-0000 wrong; said "an event that is not there" 1 "there is no event"
l nonsense wrong; said "no event's id" 2 'is no event.s id'; l --undo 0198; said "  nor that" 2 'is no event.s id'
l "$id" "not this"; said "a verdict that is none" 2 "allowed are right, wrong"
mosquitto_pub -p "$PORT" -q 1 -t earshot/d/set/label -m '{"event_id": 5, "verdict": "right"}'
check "  by MQTT" got 'set/label/result \{"ok":false'
t forget front_gate; said "forgotten while it learns: waits for that" 0 "front_gate is forgotten" out.txt; check "  forgotten while it runs: cleared" got '0 earshot/d/state/front_gate $' 30
stop_pid pid; exec 7>&-
check "nothing went wrong in the daemon" bash -c "! grep -Ei 'error|sanitizer' log.txt"

"$E" teach forget gone --state-dir before >/dev/null
exec 7<>fifo
EARSHOT_MODELS=$W/newer "$E" run --config e.conf --state-dir before --input - --json <fifo 7>&- >run.txt 2>log.txt & echo $! >pid
check "the daemon, with another version of the model: learned anew" wait_for 120 grep -q 'taught sounds: front_gate: learned anew for this version' log.txt
check "  and in use" wait_for 10 grep -q 'what was taught is read anew: 1 sound in use' log.txt
stop_pid pid; exec 7>&-

echo "--- no daemon"
cp with_gate "$S/taught"
l "$id" wrong; said "label without a daemon" 0 "1 taught sound learned anew" out.txt
l --undo "$id"; said "  and back" 0 "learned anew" out.txt
rows=$(python3 -c "import sqlite3; print(sqlite3.connect('$S/history.db').execute('select count(*) from events where label not in (\"front_gate\", \"unknown\")').fetchone()[0])")
if [ "$rows" -gt 0 ]; then
    own=$(python3 -c "import sqlite3; print(sqlite3.connect('$S/history.db').execute('select event_id from events where label not in (\"front_gate\", \"unknown\")').fetchone()[0])")
    l "$own" wrong; said "a wrong alarm of the model's own" 0 "correction" out.txt
    l --list --json; said "  listed" 0 'held back where it sounds like that|too much of' out.txt
else
    skip "the model heard nothing of its own"
fi
summary
