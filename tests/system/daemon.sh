#!/bin/bash
# daemon.sh - earshot run as its users start, reload and stop it, over stdin and files: no root, no device. ~45 s.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); E=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d)
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export EARSHOT_MODELS=$root/models TSAN_OPTIONS=exitcode=66 \
    LSAN_OPTIONS="suppressions=$root/tests/lsan.supp"
unset STATE_DIRECTORY RUNTIME_DIRECTORY XDG_RUNTIME_DIR NOTIFY_SOCKET
cd "$W" || exit 1
end() { stop_pid pid; stop_pid broker.pid; stop_pid sub.pid; wait; rm -rf "$W"; }
trap end EXIT

# Sounds as raw s16le at 16 kHz: a smoke alarm's beeps, a quiet room. (The model is tested elsewhere; these two it must know.)
python3 - <<'P'
import math, struct
def sound(*parts):
    x = []
    for seconds, hz in parts:
        x += [int(8000 * math.sin(2 * math.pi * hz * i / 16000)) + (i * 7919 % 17) - 8 for i in range(int(seconds * 16000))]
    return x
def write(name, x): open(name, "wb").write(struct.pack("<%dh" % len(x), *x))
alarm = sound(*(3 * [(0.5, 3100), (0.5, 0)]))
write("room.raw", sound((5, 0)))
write("alarm.raw", alarm)
write("once.raw", sound((2, 0)) + alarm + sound((1, 0)))
write("right.raw", [v for s in sound((2, 0)) + alarm + sound((1, 0)) for v in (0, s)])
P
# start ARGS... : the daemon in the background; sound is written to descriptor 7, which keeps its stdin open
start() {
    rm -f fifo; mkfifo fifo; exec 7<>fifo
    : >log.txt
    "$E" run --config e.conf --state-dir "$W/state" --input - --json "$@" <fifo 7>&- >out.txt 2>log.txt & echo $! >pid
    wait_for 20 grep -q 'input: stdin' log.txt
}
hear() { cat "$W/$1" >&7; }
# stop [SIGNAL]: sets rc and ms
stop() {
    local pid s; pid=$(cat pid); rm -f pid; s=$(date +%s%N)
    kill -"${1:-TERM}" "$pid"; wait "$pid"; rc=$?; ms=$((($(date +%s%N) - s) / 1000000)); exec 7>&-
}
alive() { kill -0 "$(cat pid)" 2>/dev/null; }
logged() { wait_for "${2:-5}" grep -q -- "$1" log.txt; }
# what an instrumented build finds is an error of its own
clean() { ! grep -E 'Sanitizer|runtime error' "${1:-log.txt}"; }
events() { python3 - "$1" <<'P'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
open_, last = {}, {}
for r in rows:
    assert r["schema"] == 1 and r["start"] <= (r["end"] or r["start"])
    if r["label"] == "unknown": continue
    if r["event_type"] == "start": open_[r["event_id"]] = r["label"]
    else: assert open_[r["event_id"]] == r["label"]
    if r["event_type"] == "end": del open_[r["event_id"]]
assert not open_, open_
P
}
: >e.conf; echo '[mqtt]' >nobroker.conf; echo 'port = 1' >>nobroker.conf

echo "--- input that ends"
"$E" run --state-dir "$W/state" --mqtt.enabled=off --input - --json <once.raw >out.txt 2>log.txt
check "end of stdin: exit 0" test $? = 0
check "  the alarm is heard, JSON lines, each start has its end" bash -c "grep -q '\"smoke_alarm\"' out.txt" && check "  valid" events out.txt
check "  no broker, no configuration needed" grep -q 'no configuration file' log.txt
check "  the noise floor is saved" grep -Eq '^-[0-9.]+ dBFS$' state/floor
check "  clean" clean
"$E" run --state-dir "$W/state" --mqtt.enabled=off --input - --channels 2 --input.channel=2 --json <right.raw >out.txt 2>log.txt
check "two channels, the second one is heard" bash -c "[ $? = 0 ] && grep -q '\"smoke_alarm\"' out.txt"
"$E" run --state-dir "$W/state" --mqtt.enabled=off --input - --channels 2 --input.channel=1 --json <right.raw >out.txt 2>log.txt
check "  the first one is silent" bash -c "[ $? = 0 ] && ! grep -q '\"smoke_alarm\"' out.txt"
"$E" run --config nobroker.conf --state-dir "$W/state" --input "file:$root/models/demo.flac" --fast --json >out.txt 2>log.txt
check "end of a file: exit 0" test $? = 0
check "  an absent broker is a warning" grep -Eq 'warn.*mqtt.*refused' log.txt
check "  all of the demo's sounds" bash -c 'for l in smoke_alarm door_wood_knock speech siren clock_tick clock_alarm rain co_alarm; do grep -q "\"label\": *\"$l\"" out.txt || exit 1; done'
check "  valid" events out.txt
check "  clean" clean
"$E" run --state-dir "$W/state" --mqtt.enabled=off --input - <once.raw 2>log.txt | head -1 >out.txt
check "stdout closed after a line: exit 0, said once" bash -c "[ ${PIPESTATUS[0]} = 0 ] && [ \$(grep -c 'cannot be written' log.txt) -le 1 ] && [ -s out.txt ]"
"$E" run --state-dir "$W/state" --mqtt.enabled=off --input - <once.raw 2>log.txt >&-
check "no stdout at all: exit 0" test $? = 0
"$E" run --state-dir "$W/state" --mqtt.enabled=off --input - <once.raw 2>log.txt >/dev/full
check "stdout on a full disk: exit 0, said" bash -c "[ $? = 0 ] && grep -q 'No space left' log.txt"

echo "--- the state directory"
if [ "$(id -u)" = 0 ]; then # root may write anywhere but in a place that is no folder
    bad=/proc/none
else
    mkdir locked; chmod 500 locked; bad=$W/locked/state
fi
"$E" run --state-dir $bad --mqtt.enabled=off --input - --json <once.raw >out.txt 2>log.txt
check "not writable: a warning, and it listens" bash -c "[ $? = 0 ] && grep -q 'warn.*$bad' log.txt && grep -q '\"smoke_alarm\"' out.txt"
echo garbage >state/floor
"$E" run --state-dir "$W/state" --mqtt.enabled=off --input - <room.raw >out.txt 2>log.txt
check "a spoilt noise floor: goes on" test $? = 0
echo '-41.50 dBFS' >state/floor
start --mqtt.enabled=off
level() { timeout 10 "$E" levels --state-dir "$W/state" --json --seconds 0.5 </dev/null 2>levels.err | tail -1 >levels.txt; python3 -c "
import json; l = json.load(open('$W/levels.txt')); assert $1, l"; }
check "a saved noise floor is where it begins (earshot levels asks the daemon)" level "l['floor_dbfs'] == -41.5"
hear alarm.raw
"$E" run --config e.conf --state-dir "$W/state" --mqtt.enabled=off --input - <once.raw >second.txt 2>&1
check "a second daemon on one state directory: exit 2, names it" bash -c "[ $? = 2 ] && grep -q '$W/state' second.txt"
check "  and the first one goes on" alive
check "the alarm starts" wait_for 5 grep -q '"event_type": *"start"' out.txt
stop
check "SIGTERM in mid sound: exit 0 in time ($ms ms)" bash -c "[ $rc = 0 ] && [ $ms -lt $STOP_MS ]"
check "  and what was open has ended" events out.txt
check "  the control socket is gone" test ! -e state/control
check "  clean" clean
start --mqtt.enabled=off; stop INT
check "Ctrl-C: the same ($ms ms)" bash -c "[ $rc = 0 ] && [ $ms -lt $STOP_MS ]"

echo "--- a broker"
command -v mosquitto >/dev/null || { skip "broker: no mosquitto"; skip "reload over MQTT"; summary; exit; }
printf 'listener %d 127.0.0.1\nallow_anonymous true\n' "$PORT" >m.conf
mosquitto -c m.conf >broker.log 2>&1 & echo $! >broker.pid
wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT"
mosquitto_sub -p "$PORT" -t 'earshot/d/#' -F '%r %t %p' >sub.txt 2>/dev/null & echo $! >sub.pid
pub() { mosquitto_pub -p "$PORT" -t "earshot/d/set/$1" "${@:2}"; }
got() { wait_for "${2:-5}" grep -aEq "$1" sub.txt; }
pub threshold -r -m '-10 dBFS' # retained: must never be obeyed
printf '[mqtt]\nport = %d\nnode = d\n[gate]\nthreshold = -50 dBFS\n[decision]\nrelease = 1 s\n' "$PORT" >e.conf
start
hear room.raw
check "online" got 'earshot/d/status online'
check "the threshold in force is told, the retained one ignored" got 'setting/threshold -50 dBFS'
check "  which the log says" logged 'retained'
sleep 1.1 # of refusals one a second is logged
i=0; for bad in '' 'loud' '-500 dBFS' '2.5' 'NaN' "$(printf 'x%.0s' {1..600})" '{"a":1}'; do pub threshold -m "$bad"; i=$((i + 1)); done
printf '\377\376\000\001' | mosquitto_pub -p "$PORT" -t earshot/d/set/threshold -s
pub volume -m 11; pub 'a/b/c' -m x; pub listening -m perhaps; pub test -m nothing_like_it
check "garbage is refused" logged 'command ignored: set/threshold: empty'
check "  and changes nothing" level "abs(l['threshold_dbfs'] + 50) < 0.01"
pub threshold -m '-45 dBFS'
check "set/threshold is applied and told" got 'setting/threshold -45 dBFS'
check "  the gate has it" level "abs(l['threshold_dbfs'] + 45) < 0.01"
check "  what was refused is counted in health" got "d/health .*\"commands_rejected\": *$((i + 5))[,}]" # set/a/b/c is nobody's
pub listening -m OFF; check "set/listening OFF" got 'setting/listening OFF'
hear alarm.raw; sleep 0.5
check "  nothing is heard" bash -c '! grep -q smoke_alarm out.txt'
pub listening -m ON;  check "set/listening ON" got 'setting/listening ON'
hear room.raw; hear alarm.raw; hear room.raw
check "the alarm is at the broker" got '0 earshot/d/event .*"smoke_alarm"'
check "  its state ON and OFF" got 'state/smoke_alarm OFF'

"$E" test siren --config e.conf --state-dir "$W/state" >test.txt 2>&1; rc=$?
check "earshot test siren: acknowledged by the broker" bash -c "[ $rc = 0 ] && grep -q 'mqtt: .*acknowledged' test.txt"
check "  as a test, at the broker" got 'event .*"siren".*"test": *true'
"$E" test sirene --config e.conf --state-dir "$W/state" >test.txt 2>&1; rc=$?
check "earshot test sirene: unknown, the labels are listed" bash -c "[ $rc = 1 ] && grep -q 'did you mean siren?; it has .*dog_bark' test.txt"
pub test -m dog_bark
check "set/test" got 'event .*"dog_bark".*"test": *true'

echo "--- SIGHUP"
hup() { kill -HUP "$(cat pid)"; }
sed -i 's/^threshold = .*/threshold = loud/' e.conf; hup
check "a bad configuration: the line is named" logged 'reload: .*e.conf:5: .*threshold'
hear room.raw; check "  everything stays" level "abs(l['threshold_dbfs'] + 45) < 0.01"
sed -i 's/^threshold = .*/threshold = -55 dBFS/; s/^port = .*/port = 1/' e.conf; printf '[class smoke_alarm]\nthreshold = 1\nconfirm = 20\n' >>e.conf; hup
check "a good one: the new values are told" logged 'reload: gate.threshold = -55 dBFS'
check "  what needs a restart is said" logged 'reload: mqtt.port = 1 .*needs a restart'
check "  done" logged 'reload: done'
check "  the gate's threshold is applied" level "abs(l['threshold_dbfs'] + 55) < 0.01"
check "  and told" got 'setting/threshold -55 dBFS'
starts() { grep '"event_type": *"start"' out.txt | grep -c '"smoke_alarm"'; }
n=$(starts); hear alarm.raw; hear room.raw; hear room.raw; sleep 1
check "  the class's new threshold too" test "$(starts)" = "$n"
printf '[model]\nfile = nothing_there\n' >>e.conf; hup
check "a model that is not there: everything stays" logged 'reload: .*nothing_there.*stays'
rm e.conf; hup
check "no configuration file any more: said, everything stays" logged 'reload: .*e.conf.*stays'
for _ in 1 2 3 4 5; do hup; done; hear room.raw
check "it lives" alive
stop
check "SIGTERM: exit 0 in time ($ms ms)" bash -c "[ $rc = 0 ] && [ $ms -lt $STOP_MS ]"
check "  offline is told" got '0 earshot/d/status offline'
check "  each start has its end" events out.txt
check "  clean" clean

echo "--- a file at its own pace, and everything at once"
printf '[mqtt]\nport = %d\nnode = d\n' "$PORT" >e.conf
"$E" run --config e.conf --state-dir "$W/state" --input "file:$root/models/demo.flac" --json >out.txt 2>log.txt & echo $! >pid
logged 'input: .*demo.flac'
for _ in 1 2 3; do timeout 4 "$E" levels --state-dir "$W/state" --json --seconds 2 >>many.txt 2>>levels.err & done
"$E" test siren --state-dir "$W/state" >test.txt 2>&1 & tester=$!
hup; pub threshold -m '-47 dBFS'; pub listening -m OFF; pub listening -m ON; hup
wait_for 8 grep -q '"smoke_alarm"' out.txt
check "the first sound is heard while it plays" grep -q '"smoke_alarm"' out.txt
wait $tester
check "the test was acknowledged meanwhile" grep -q 'mqtt: .*acknowledged' test.txt
check "three level meters at once" wait_for 5 bash -c '[ $(grep -c rms_dbfs many.txt) -ge 30 ]'
"$E" test siren --state-dir "$W/state" >test.txt 2>&1 & tester=$!
sleep 0.2; stop; wait $tester
check "SIGTERM while a test is under way: exit 0 in time ($ms ms)" bash -c "[ $rc = 0 ] && [ $ms -lt $STOP_MS ]"
check "  each start has its end" events out.txt
check "  clean" clean
[ "$FAIL" = 0 ] || { tail -60 log.txt; grep -av '/level\|/health' sub.txt | tail -n 30; tail -n 5 levels.txt levels.err test.txt; }
summary
