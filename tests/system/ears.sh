#!/bin/bash
# ears.sh - a real sound from a real capture device to a real broker under its right name: virtual microphone -> PortAudio ->
# daemon -> mosquitto -> subscriber. ~60 s.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); EARSHOT=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d); export VMIC_DIR=$W/vmic; V=$here/vmic.sh PORT=18872
need pulseaudio pulseaudio-utils libasound2-plugins sox mosquitto mosquitto-clients python3
end() { kill "${sub:-}" 2>/dev/null; kill "$(cat "$W/pid" 2>/dev/null)" 2>/dev/null; stop_pid "$W/broker.pid"; "$V" stop; wait; rm -rf "$W"; }
trap end EXIT

"$V" start || exit 1; eval "$("$V" env)"
printf 'listener %d 127.0.0.1\nallow_anonymous true\n' $PORT >"$W/m.conf"
mosquitto -c "$W/m.conf" >"$W/broker.log" 2>&1 & echo $! >"$W/broker.pid"
wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT"
mosquitto_sub -p $PORT -t 'earshot/ears/#' -F '%U %t %p' >"$W/sub.txt" 2>/dev/null & sub=$!

# a quiet room first: the noise floor settles
sox -n -r 48000 -c 1 -b 16 "$W/room.wav" synth 8 pinknoise gain -62 2>/dev/null
"$EARSHOT" run --state-dir "$W/state" --mqtt.port $PORT --mqtt.node ears --json >"$W/events.txt" 2>"$W/log.txt" & echo $! >"$W/pid"
check "online at the broker" wait_for 5 grep -q 'earshot/ears/status online' "$W/sub.txt"
"$V" play "$W/room.wav"

hear() { # FILE LABEL
    sox "$root/tests/data/$1" -r 48000 -c 1 -b 16 -t raw "$W/x.raw" 2>/dev/null
    local before written heard; before=$(wc -l <"$W/sub.txt")
    read -r written heard < <("$here/play.py" "$W/x.raw")
    got() { tail -n +$((before + 1)) "$W/sub.txt" | grep "/event " | grep '"event_type": *"start"' | grep -q "\"label\": *\"$2\""; }
    check "$1 is heard as $2" wait_for 5 got "$@"
    # the sound was played between `written` and `heard`; a loaded machine only widens that
    tail -n +$((before + 1)) "$W/sub.txt" | grep "/event " | sed 's/^[^{]*//' | python3 -c '
import sys, json, datetime
written, heard, label = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
for line in sys.stdin:
    e = json.loads(line)
    if e["label"] == label and e["event_type"] == "start":
        start = datetime.datetime.fromisoformat(e["start"].replace("Z", "+00:00")).timestamp()
        off = max(written - start, 0, start - heard)
        print("%.0f ms off; %.1f ms after it was written, %.1f ms before a second listener had it" %
              (off * 1000, (start - written) * 1000, (heard - start) * 1000))
        break
' "$written" "$heard" "$2" >"$W/off.txt"
    check "  and its start is within 50 ms of when it was played ($(cat "$W/off.txt"))" \
        awk '{exit !($1 <= 50)} END {exit !NR}' "$W/off.txt"
    sleep 4 # until release: the next sound is one of its own
}
hear smoke_t3.flac smoke_alarm
hear siren.flac siren
hear knock.flac door_wood_knock

check "state went ON and OFF" bash -c "grep -q 'state/smoke_alarm ON' '$W/sub.txt' && tail -n 400 '$W/sub.txt' | grep 'state/smoke_alarm' | tail -1 | grep -q OFF"
check "the same events are on stdout" grep -q '"smoke_alarm"' "$W/events.txt"
check "health at the broker: input ok, nothing lost" bash -c "grep 'ears/health' '$W/sub.txt' | tail -1 | grep -q '\"lost_frames\": *0'"

# lost and found, at the broker
health() { grep 'ears/health' "$W/sub.txt" | tail -1 | grep -q "\"state\": *\"$1\""; }
"$V" unplug 2>/dev/null
check "microphone unplugged: health says lost within 2 s" wait_for 2 health lost
check "  and the log names it" grep -qi 'lost' "$W/log.txt"
"$V" replug
check "plugged in again: health says ok, without a restart" wait_for 8 health ok
"$V" freeze
check "sound server frozen: health says stalled within 2 s" wait_for 2 health stalled
"$V" thaw
check "going on again: ok" wait_for 8 health ok

# the same path over the recorded file: same label
check "earshot classify says the same" bash -c "'$EARSHOT' classify --json '$root/tests/data/smoke_t3.flac' | grep -q '\"events\": *\[{\"label\": *\"smoke_alarm\"'"

"$EARSHOT" run --state-dir "$W/state" --mqtt.node other >"$W/second.txt" 2>&1; rc=$?
check "a second daemon on one state directory says so and exits 2" bash -c "[ $rc = 2 ] && grep -q '$W/state' '$W/second.txt'"
check "earshot levels talks to the daemon" bash -c "timeout 5 '$EARSHOT' levels --state-dir '$W/state' --json --seconds 1 | grep -q threshold"

s=$(date +%s%N); kill -TERM "$(cat "$W/pid")"; wait "$(cat "$W/pid")"; rc=$?; ms=$((($(date +%s%N) - s) / 1000000))
check "SIGTERM: exit 0 in time ($ms ms)" bash -c "[ $rc = 0 ] && [ $ms -lt $STOP_MS ]"
check "status is offline" wait_for 2 bash -c "tail -3 '$W/sub.txt' | grep -q 'status offline'"
kill $sub 2>/dev/null
[ "$FAIL" = 0 ] || { cat "$W/log.txt"; grep -v level "$W/sub.txt" | tail -40; }
summary
