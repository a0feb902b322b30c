#!/bin/bash
# bench.sh - one table of what earshot costs on this machine, with the aims beside the figures. ~5 minutes.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); root=$(cd "$here/.." && pwd)
EARSHOT=$(realpath "${EARSHOT:-$root/build/earshot}"); BENCH=$(realpath "${BENCH:-$root/build/tests/bench}")
W=$(mktemp -d); PORT=18873; export EARSHOT_MODELS=$root/models
trap 'kill $broker 2>/dev/null; rm -rf "$W"' EXIT
row() { printf '| %-46s | %12s | %-14s |\n' "$1" "$2" "${3:-}"; }
note() { [ -t 2 ] && printf '\r\033[K%s' "$*" >&2; }

row "what" "measured" "aim"
printf '|%s|%s|%s|\n' "$(printf -- '-%.0s' {1..48})" "$(printf -- '-%.0s' {1..14})" "$(printf -- '-%.0s' {1..16})"

note features
"$BENCH" features | while IFS=$'\t' read -r name ms; do row "$name, a second of audio" "$ms ms"; done

for m in earshot-s us8k-mfcc40; do
    note "$m"
    row "inference, $m" "$("$EARSHOT" model bench "$m" --runs 500 --json | grep -o '"median_ms": *[0-9.]*' | grep -o '[0-9.]*$') ms"
done
"$here/yamnet_shape.py" "$W/yamnet.onnx" 2>/dev/null &&
    row "inference, YAMNet's shape (69 M MACs)" "$("$EARSHOT" model bench "$W/yamnet.onnx" --runs 200 --json | grep -o '"median_ms": *[0-9.]*' | grep -o '[0-9.]*$') ms"

# ten minutes of sound with something going on, as 16 kHz WAV files
note "file throughput"
python3 - "$W" <<'P'
import array, math, random, sys, wave
random.seed(1)
x = array.array("h", (int(random.gauss(0, 1) * (3000 if (i // 16000) % 4 == 0 else 10)) for i in range(16000 * 150)))
for k in range(4):
    w = wave.open(f"{sys.argv[1]}/{k}.wav", "wb")
    w.setnchannels(1); w.setsampwidth(2); w.setframerate(16000); w.writeframes(x.tobytes()); w.close()
P
for jobs in 1 2; do
    t=$(date +%s%N); "$EARSHOT" classify --jobs $jobs --json "$W"/[0-3].wav >/dev/null
    row "classify, files, $jobs job(s): times real time" "$((600 * 1000000000 / ($(date +%s%N) - t)))" "> 1000 a core"
done

printf 'listener %d 127.0.0.1\nallow_anonymous true\n' $PORT >"$W/m.conf"
mosquitto -c "$W/m.conf" >/dev/null 2>&1 & broker=$!
sleep 0.5
F=(--state-dir "$W/state" --mqtt.port $PORT --mqtt.node bench)

note "latency"
read -r median p99 n < <("$BENCH" latency $PORT "$root/tests/data/smoke_t3.flac" 0.25 "${WINDOW_S:-0.975}" "$EARSHOT" run "${F[@]}" --input - \
    --rate 48000 --gate.threshold '-40 dBFS' --gate.hold 0.2s --decision.release 0.3s 2>"$W/latency.log" >/dev/null || cat "$W/latency.log" >&2)
row "window's last sample -> subscriber, median" "$median ms" "< 5 ms"
row "  the same, 99th percentile of $n" "$p99 ms"

# a quiet minute, then a minute with the gate always open; paced like a microphone
python3 - "$W/quiet.wav" <<'P'
import array, random, sys, wave
random.seed(2)
x = array.array("h", (int(random.gauss(0, 16)) for i in range(48000 * 63)))
w = wave.open(sys.argv[1], "wb"); w.setnchannels(1); w.setsampwidth(2); w.setframerate(48000); w.writeframes(x.tobytes()); w.close()
P
cpu() { # NAME AIM ARG... : percent of a core over 60 s
    local name=$1 aim=$2 pid a b; shift 2
    note "$name"
    "$EARSHOT" run "${F[@]}" --input "file:$W/quiet.wav" "$@" >/dev/null 2>&1 & pid=$!
    sleep 1.5; a=$(awk '{print $14 + $15}' /proc/$pid/stat); sleep 60; b=$(awk '{print $14 + $15}' /proc/$pid/stat)
    row "$name" "$(awk -v d=$((b - a)) -v hz="$(getconf CLK_TCK)" 'BEGIN {printf "%.2f %%", d / hz / 60 * 100}')" "$aim"
    row "  resident (Pss)" "$(awk '/^Pss:/{printf "%.1f MB", $2 / 1024}' /proc/$pid/smaps_rollup)" "< 15 MB"
    kill $pid; wait $pid
}
cpu "CPU, a quiet minute at 48 kHz" "< 0.3 %"
cpu "CPU, a minute with the gate always open" "< 1 %" --gate.threshold off

note "start"
python3 - "$EARSHOT" "$W" $PORT <<'P' >"$W/ready.txt"
import os, socket, subprocess, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); path = sys.argv[2] + "/notify"; s.bind(path); s.settimeout(10)
ms = []
for k in range(11):
    t = time.monotonic()
    p = subprocess.Popen([sys.argv[1], "run", "--state-dir", sys.argv[2] + "/state", "--input", "-", "--rate", "16000", "--mqtt.port", sys.argv[3]],
                         stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ, NOTIFY_SOCKET=path))
    while b"READY=1" not in s.recv(4096): pass
    ms.append((time.monotonic() - t) * 1e3); p.stdin.close(); p.wait()
    s.setblocking(False)
    try:
        while True: s.recv(4096)
    except BlockingIOError: pass
    s.settimeout(10)
print("%.0f" % sorted(ms)[5])
P
row "start -> READY (without PortAudio's own start)" "$(cat "$W/ready.txt") ms" "< 100 ms"
note ""
