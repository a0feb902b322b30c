#!/bin/bash
# microphone.sh [SOUND [ANNOTATIONS.csv]] - the same sound as a file and through a microphone: plays it in real time into
# the virtual microphone, from which `earshot run` hears it, and compares its events with those that the file itself
# gives. ANNOTATIONS.csv (onset,offset,label,...) adds how many of its events either path heard. Without SOUND: demo.flac.
# MODEL=... is another model.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
EARSHOT=$(realpath "${EARSHOT:-$root/build/earshot}") SOUND=$(realpath "${1:-$root/models/demo.flac}")
PYTHON=${PYTHON:-python3}
[ -x "$EARSHOT" ] || die "EARSHOT: no program to run"
export TZ=UTC; W=$(mktemp -d); export VMIC_DIR=$W/vmic EARSHOT_MODELS=${EARSHOT_MODELS:-$root/models}
need pulseaudio pulseaudio-utils libasound2-plugins sox python3
end() { kill "$(cat "$W/pid" 2>/dev/null)" 2>/dev/null; "$here/vmic.sh" stop; wait; rm -rf "$W"; }
trap end EXIT

# a quiet room first, in which the noise floor settles; both paths hear it
sox -n -r 48000 -c 1 -b 16 "$W/room.wav" synth 8 pinknoise gain -62 2>/dev/null
sox "$SOUND" -r 48000 -c 1 -b 16 "$W/sound.wav" 2>/dev/null
sox "$W/room.wav" "$W/sound.wav" "$W/play.wav"

hear() { # NAME FLAG... : becomes `earshot run`, its events in NAME.json
    local name=$1; shift
    exec "$EARSHOT" run --state-dir "$W/state-$name" --mqtt.enabled=off ${MODEL:+--model "$MODEL"} --json "$@" \
        >"$W/$name.json" 2>"$W/$name.log"
}
(hear file --input "file:$W/play.wav" --fast)
check "the file is heard to its end" test -s "$W/file.json"

"$here/vmic.sh" start || exit 1; eval "$("$here/vmic.sh" env)"
hear mic & echo $! >"$W/pid"
listening() { "$here/vmic.sh" info | grep -qi earshot; }
wait_for 10 listening
date -u +%s.%N >"$W/began"
"$here/vmic.sh" play "$W/play.wav"
sleep 4
kill -TERM "$(cat "$W/pid")"; wait "$(cat "$W/pid")"
check "the microphone is heard until it is told to stop" test $? = 0
timeout 60 "$PYTHON" "$here/microphone_compare.py" "$W/file.json" "$W/file.log" "$W/mic.json" \
    "$W/began" 8 ${2:+"$(realpath "$2")"} >"$W/figures.txt"; rc=$?
cat "$W/figures.txt"
check "three in four of the file's events come from the microphone too" test $rc = 0
[ "$FAIL" = 0 ] || tail -n 5 "$W/mic.log" "$W/file.log"
summary
