#!/bin/bash
# teach_record.sh - a sound is taught from a microphone, its own and the running daemon's: countdown, level meter, waveform, and each take
# played back, by a virtual loudspeaker. Virtual microphone, ~45 s.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); E=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d); export VMIC_DIR=$W/vmic EARSHOT_MODELS=$root/models; V=$here/vmic.sh
need pulseaudio pulseaudio-utils libasound2-plugins sox python3 bsdutils
unset STATE_DIRECTORY NOTIFY_SOCKET
export RUNTIME_DIRECTORY=$W/run XDG_RUNTIME_DIR=$W/none
end() { stop_pid "$W/pid"; stop_pid "$W/feed"; stop_pid "$W/ear"; "$V" stop 2>/dev/null; wait; rm -rf "$W"; }
trap end EXIT
cd "$W" || exit 1
sox -n -r 48000 -c 1 -b 16 chime.wav synth 0.6 sine 1320 fade 0 0.6 0.4 gain -9 pad 0.2 0.4

"$V" start || exit 1; eval "$("$V" env)"
pactl load-module module-null-sink sink_name=speaker rate=48000 channels=1 format=s16le >/dev/null; pactl set-default-sink speaker
pacat --record --raw --rate=48000 --channels=1 --format=s16le --latency-msec=50 --device=speaker.monitor >speaker.raw 2>/dev/null & echo $! >ear
(while "$V" play chime.wav; do :; done) 2>/dev/null & echo $! >feed
# t NAME ARG... : on a terminal, as a person sees it; the last ends with the exit code
t() { timeout 60 script -qec "$E teach --state-dir $W/state $(printf '%q ' "$@")" /dev/null >out.txt 2>&1 </dev/null; rc=$?; tr '\r' '\n' <out.txt >lines.txt; }
has() { check "$1" grep -Eq -- "$2" lines.txt; }
# the share of speaker.raw, from byte $1 on, that is louder than -40 dBFS, in ms
loud() {
    python3 -c 'import sys, struct
b = open("speaker.raw", "rb").read()[int(sys.argv[1]):]; n = len(b) // 96
print(sum(max(map(abs, struct.unpack("<48h", b[96 * i:96 * i + 96]))) > 327 for i in range(n)))' "$1"
}
heard() { stat -c %s speaker.raw; }

echo "--- a microphone of its own"
check "the loudspeaker is silent before" test "$(loud 0)" = 0
t gate --record 2 --seconds 2 --wave --play
check "two takes, exit 0" test "$rc" = 0
has "  a countdown" 'gate, 1 of 2: make the sound after "now" ... 3 2 1 now'
has "  a level meter" '^ +\[[|]?=.*\] +-[0-9.]+ dBFS +[012]\.[0-9] s'
has "  each as a waveform" '^  2.0 s, loudest -?[0-9]+ dBFS'
has "  taught" '^gate: taught from 2 examples'
sleep 0.5; ms=$(loud 0)
check "  both were played: the loudspeaker was loud for $ms ms" test "$ms" -gt 300
before=$(heard)
t gate --record 1 --seconds 2.5; check "without --play it stays silent" test "$(loud "$before")" = 0
has "  the takes of before stay" '^gate: taught from 3 examples'
timeout 60 "$E" teach --state-dir "$W/state" --input nosuch gate --record 1 >lines.txt 2>&1 </dev/null; rc=$?
check "no microphone: exit 1" test "$rc" = 1
has "  and why, on a line of its own" '^earshot teach: no microphone: .*"nosuch"'

echo "--- what cannot be"
for bad in "gate --record 0" "gate --record 51" "gate --record 1 --seconds 0.1" "gate --record 1 chime.wav" "--record 1" "siren --record 1" \
    "gate --play chime.wav" "gate --wave --from-history 01234567" "gate chime.wav -o x"; do
    # shellcheck disable=SC2086
    "$E" teach --state-dir "$W/state" $bad >lines.txt 2>&1 </dev/null; rc=$?
    check "$bad: a line, exit 2" bash -c "[ $rc = 2 ] && [ \$(wc -l <lines.txt) = 1 ]"
done

echo "--- the running daemon's"
"$E" run --state-dir "$W/state" --mqtt.enabled=off --web.enabled=off --json >run.txt 2>log.txt & echo $! >pid
listening() { "$V" info | grep -qi earshot; }
wait_for 10 listening
before=$(heard)
t bell --record 1 --seconds 2 --play
check "a take, exit 0" test "$rc" = 0
has "  a countdown" 'bell, 1 of 1: make the sound after "now" ... 3 2 1 now'
has "  a level meter" '^ +\[[|]?=.*\] +-[0-9.]+ dBFS +[012]\.[0-9] s'
sleep 0.5; ms=$(loud "$before")
check "  played back ($ms ms)" test "$ms" -gt 100
check "  the daemon hears it from then on" wait_for 10 grep -q 'what was taught is read anew: 2 sounds in use' log.txt
PATH=/nowhere /usr/bin/env "$E" teach --state-dir "$W/state" bell --record 1 --seconds 2.5 --play >lines.txt 2>&1 </dev/null; rc=$?
check "no program that plays: said, and taught all the same" bash -c "[ $rc = 0 ] && grep -q 'it cannot be played' lines.txt"
"$V" unplug
"$E" teach --state-dir "$W/state" bell --record 1 --seconds 1 >lines.txt 2>&1 </dev/null; rc=$?
check "the daemon's microphone is gone: exit 1" test "$rc" = 1
has "  said" 'the microphone gives nothing'
summary
