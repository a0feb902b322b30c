#!/bin/bash
# capture.sh - a microphone that goes away in every way that is known, and comes back: one process all along notices each within
# 2 s and recovers by itself. Virtual microphone, ~90 s.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); EARSHOT=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d); export VMIC_DIR=$W/vmic; V=$here/vmic.sh
need pulseaudio pulseaudio-utils libasound2-plugins sox python3
# a state directory of its own, and no daemon that would be asked instead
export STATE_DIRECTORY=$W/state RUNTIME_DIRECTORY=$W/none XDG_RUNTIME_DIR=$W/none
pid=
end() { [ -n "$pid" ] && kill -KILL "$pid" 2>/dev/null; "$V" thaw 2>/dev/null; "$V" stop 2>/dev/null; rm -rf "$W"; }
trap end EXIT

# listen ARG... : a meter in the background, a line of JSON every 0.1 s in $W/levels
listen() {
    "$EARSHOT" levels --json --input.channel=mix "$@" >"$W/levels" 2>"$W/stderr" & pid=$!
    mark=$(date +%s.%N)
}
# stop NAME : SIGTERM ends it well, in time
stop() {
    local s rc; s=$(date +%s%N); kill -TERM $pid; wait $pid; rc=$?; s=$((($(date +%s%N) - s) / 1000000)); pid=
    check "$1: SIGTERM, exit 0 in time ($s ms)" test $rc -eq 0 -a $s -lt $STOP_MS
    check "$1: nothing on stderr" test ! -s "$W/stderr"
}
# do_at COMMAND... : the moment from which `turns` counts
do_at() { mark=$(date +%s.%N); "$@" 2>>"$W/vmic.log"; }
# turned STATE MS [TEXT] : the first line after the mark that has STATE (and TEXT in its problem) came within MS
turned() {
    python3 - "$W/levels" "$mark" "$@" <<'P' >"$W/ms"
import sys, json, datetime
log, mark, state, limit = sys.argv[1], float(sys.argv[2]), sys.argv[3], float(sys.argv[4])
text = sys.argv[5] if len(sys.argv) > 5 else ""
for line in open(log):
    try: o = json.loads(line)
    except ValueError: continue
    t = datetime.datetime.fromisoformat(o["time"].replace("Z", "+00:00")).timestamp()
    if t >= mark - 0.01 and o["input_state"] == state and text in (o["input_problem"] or ""):
        print("%.0f ms" % ((t - mark) * 1000)); sys.exit(t - mark > limit / 1000)
print("never"); sys.exit(2)
P
}
# turns NAME STATE MS [TEXT]
turns() {
    local name=$1 rc=1 limit=$(($(date +%s%N) + ($3 + 1000) * 1000000)); shift
    until [ $rc -ne 2 ] && [ -s "$W/ms" ]; do turned "$@"; rc=$?; [ "$(date +%s%N)" -lt $limit ] || break; sleep 0.1; done
    [ $rc -ne 0 ] || sleep 0.2
    check "$name: $1 within $2 ms${3:+, \"$3\"} ($(cat "$W/ms"))" test $rc -eq 0
    rm -f "$W/ms"
}
# hears NAME : a tone that is played now moves the meter
hears() {
    "$V" play "$W/tone.wav" 2>/dev/null
    check "$1: sound comes in again" bash -c "tail -n 20 '$W/levels' | grep -Eq '\"rms_dbfs\":-?[0-9]\\.'"
}
sox -n -r 48000 -c 1 -b 16 "$W/tone.wav" synth 1 sine 1000 gain -6

"$V" start || exit 1; eval "$("$V" env)"
check "devices: the virtual microphone, one object a line" bash -c "'$EARSHOT' devices --json | grep -q '\"name\":\"default\".*\"default\":true'"
listen; turns "start" ok 2000
hears "start"
do_at "$V" unplug;  turns "unplugged" lost 2000 unplugged
sleep 3
do_at "$V" replug;  turns "plugged in again" ok 8000
hears "plugged in again"
do_at "$V" suspend; turns "suspended" stalled 2000 "delivers nothing"
sleep 2
do_at "$V" resume;  turns "resumed" ok 6500
hears "resumed"
do_at "$V" suspend; turns "suspended for longer than it is waited for" stalled 2000
sleep 10
do_at "$V" resume;  turns "resumed after 12 s" ok 6500
do_at "$V" freeze;  turns "sound server frozen" stalled 2000
turns "sound server frozen for longer" stalled 8000 "does not answer"
do_at "$V" thaw;    turns "thawed" ok 6500
hears "thawed"
do_at "$V" kill;    turns "sound server killed" lost 2000
sleep 3
do_at "$V" start;   turns "started again" ok 8000
hears "started again"
check "all by one process" kill -0 $pid
stop "after all that"

"$V" kill
listen; turns "absent at start" absent 2000 "no capture device"
sleep 2
do_at "$V" start;   turns "there at last" ok 8000
hears "there at last"
do_at "$V" freeze;  turns "frozen" stalled 2000
stop "while the sound server is frozen"
listen; turns "started with a frozen sound server" stalled 2000 "does not answer"
stop "while PortAudio cannot even start"
s=$(date +%s%N); "$EARSHOT" devices >"$W/out" 2>&1; rc=$?; ms=$((($(date +%s%N) - s) / 1000000))
check "devices with a frozen sound server: says so, exit 1 ($ms ms)" bash -c "[ $rc = 1 ] && [ $ms -lt 4000 ] && grep -q 'does not answer' '$W/out'"
listen
do_at "$V" thaw;    turns "thawed under a start" ok 6500
stop "at the end"
listen --input webcam; turns "a name that no device has" absent 2000 'no capture device "webcam"; there are: 0 default'
stop "a name that no device has"
listen --input 0; turns "by number" ok 2000
stop "by number"
"$V" stop
"$EARSHOT" devices >"$W/out" 2>&1; rc=$?
check "devices where there is none: one line, exit 1" bash -c "[ $rc = 1 ] && [ \$(wc -l <'$W/out') = 1 ]"
ALSA_CONFIG_PATH=/nonexistent listen; turns "an ALSA configuration that PortAudio would abort on" absent 2000 /nonexistent
stop "unreadable ALSA configuration"
summary
