#!/bin/bash
# bench.sh - one table of what earshot costs on this machine, with the aims beside the figures. About 4 minutes. Exit code 1 where a
# figure could not be had; one that misses its aim is no failure, as the machine may be busy with something else.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); root=$(cd "$here/.." && pwd)
EARSHOT=$(realpath "${EARSHOT:-$root/build/earshot}"); BENCH=$(realpath "${BENCH:-$root/build/tests/bench}")
export EARSHOT_MODELS=$root/models LC_ALL=C
W=$(mktemp -d); broker=; daemon=; failed=0
trap 'kill $broker $daemon 2>/dev/null; wait; rm -rf "$W"' EXIT
trap 'exit 130' INT TERM

note() { if [ -t 2 ]; then printf '\r\033[K%s' "$*" >&2; fi; }
row() { # WHAT FIGURE UNIT AIM
    note ""
    if [ -z "$2" ]; then failed=1; set -- "$1" "failed" "" "${4:-}"; fi
    printf '| %-52s | %12s | %-8s |\n' "$1" "$2${3:+ $3}" "${4:-}"
}
calc() { awk "BEGIN { printf \"$1\", $2 }" 2>/dev/null; }
field() { grep -o "\"$1\": *[0-9.]*" | head -1 | grep -o '[0-9.]*$'; }

printf 'earshot %s on %s, %s cores; load average %s before the run\n\n' "$("$EARSHOT" --version | grep -o '[0-9][0-9.]*' | head -1)" \
    "$(awk -F': *' '/^(model name|Model)/ { print $2; found = 1; exit } END { if (!found) print "an unknown CPU" }' /proc/cpuinfo)" \
    "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)"
row "what" "measured" "" "aim"
printf '|%s|%s|%s|\n' "$(printf -- '-%.0s' {1..54})" "$(printf -- '-%.0s' {1..13}):" "$(printf -- '-%.0s' {1..10})"

note features
"$BENCH" features >"$W/features" || failed=1
while IFS=$'\t' read -r name ms; do row "$name, a second of sound" "$(calc %.2f "$ms")" ms; done <"$W/features"

inference() { # NAME MODEL RUNS
    note "$1"
    local ms; ms=$("$EARSHOT" model bench "$2" --runs "$3" --json | field median_ms)
    row "inference, $1" "${ms:+$(calc %.2g "$ms")}" ms
}
for model in earshot-s us8k-mfcc40; do inference $model $model 1000; done
note "YAMNet's shape"
"$here/yamnet_shape.py" "$W/yamnet.onnx"
inference "YAMNet's shape (69 M multiply-adds)" "$W/yamnet.onnx" 200

note "taught"
read -r plain taught < <("$BENCH" taught "$root/models/earshot-s.onnx")
row "50 taught sounds, beside a window's features and model" "${taught:+$(calc %.1f "100 * ($taught - $plain) / $plain")}" % "< 5 %"

# Files: ten minutes each, 16 kHz; CPU time, since the clock on the wall also counts what else runs here.
note "files"
python3 - "$W" <<'P'
import array, random, sys, wave
random.seed(1)
loud = [int(random.gauss(0, 3000)) for _ in range(16000)]
still = [int(random.gauss(0, 6)) for _ in range(16000)]
for name, second in (("some", loud + 3 * still), ("all", 4 * loud)):
    for k in range(4):
        with wave.open(f"{sys.argv[1]}/{name}{k}.wav", "wb") as w:
            w.setnchannels(1); w.setsampwidth(2); w.setframerate(16000)
            w.writeframes(array.array("h", still + second * 37 + still).tobytes())
P
classify() { # JOBS NAME -> CPU seconds, wall seconds
    local TIMEFORMAT='%U %S %R'
    { time "$EARSHOT" classify --jobs "$1" --json "$W/$2"[0-3].wav >/dev/null 2>&1; } 2>&1 | awk '{ print $1 + $2, $3 }'
}
read -r cpu one < <(classify 1 some)
row "files, a sound in every four seconds" "$(calc %.0f "600 / $cpu")" "x" "> 1000 x"
read -r cpu _ < <(classify 1 all)
row "files, one sound that lasts" "$(calc %.0f "600 / $cpu")" "x" "> 1000 x"
if [ "$(nproc)" -gt 1 ]; then
    read -r _ two < <(classify 2 some)
    row "  two jobs, by the clock: faster than one" "$(calc %.1f "$one / $two")" "x" "2 x"
fi

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'listener %d 127.0.0.1\nallow_anonymous true\n' "$port" >"$W/mosquitto.conf"
mosquitto -c "$W/mosquitto.conf" >/dev/null 2>&1 & broker=$!
for _ in {1..50}; do { : >"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null && break; sleep 0.1; done
flags=(--state-dir "$W/state" --mqtt.port "$port" --mqtt.node bench)

note "latency (a minute)"
window=$("$EARSHOT" model show earshot-s --json | grep -o '"earshot.window_s": *"[0-9.]*' | grep -o '[0-9.]*$')
read -r median slowest n < <("$BENCH" latency "$port" "$root/tests/data/smoke_t3.flac" 0.25 "$window" "$EARSHOT" run "${flags[@]}" \
    --input - --rate 48000 --gate.preroll 0.25s --gate.threshold '-40 dBFS' --gate.hold 0.2s --decision.release 0.3s 2>"$W/latency.log") ||
    cat "$W/latency.log" >&2
row "a window's last sample to a subscriber, median" "${median:-}" ms "< 5 ms"
row "  99th percentile, the slowest of ${n:-0}" "${slowest:-}" ms

# A quiet minute, and one with the gate always open; paced like a microphone.
python3 - "$W/quiet.wav" <<'P'
import array, random, sys, wave
random.seed(2)
second = array.array("h", (int(random.gauss(0, 16)) for _ in range(48000)))
with wave.open(sys.argv[1], "wb") as w:
    w.setnchannels(1); w.setsampwidth(2); w.setframerate(48000)
    w.writeframes(second.tobytes() * 66)
P
spent() { cat /proc/"$daemon"/task/*/schedstat 2>/dev/null | awk '{ ns += $1 } END { print ns + 0 }'; } # no thread ends meanwhile
minute() { # NAME AIM FLAG...: percent of a core
    local name=$1 aim=$2 a b t u pss; shift 2
    note "$name (a minute)"
    "$EARSHOT" run "${flags[@]}" --input "file:$W/quiet.wav" "$@" >/dev/null 2>&1 & daemon=$!
    sleep 3; a=$(spent); t=$(date +%s%N); sleep 60; b=$(spent); u=$(date +%s%N)
    pss=$(awk '/^Pss:/ { print $2 }' /proc/$daemon/smaps_rollup 2>/dev/null)
    kill $daemon 2>/dev/null; wait $daemon; daemon=
    row "CPU, $name" "$([ "$b" -gt "$a" ] && calc %.2f "100 * ($b - $a) / ($u - $t)")" % "$aim"
    row "  memory (Pss)" "${pss:+$(calc %.1f "$pss / 1024")}" MB "< 15 MB"
}
minute "a quiet minute at 48 kHz" "< 0.3 %"
minute "a minute with the gate always open" "< 1 %" --gate.threshold off

note "start"
ready=$(python3 - "$EARSHOT" "$W" "$port" <<'P'
import os, socket, subprocess, sys, time
binary, folder, port = sys.argv[1:]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(folder + "/notify")
ms = []
for k in range(11):
    s.settimeout(10)
    t = time.monotonic()
    p = subprocess.Popen([binary, "run", "--state-dir", folder + "/state", "--input", "-", "--rate", "16000", "--mqtt.port", port],
                         stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                         env=dict(os.environ, NOTIFY_SOCKET=folder + "/notify"))
    while b"READY=1" not in s.recv(4096):
        pass
    ms.append((time.monotonic() - t) * 1e3)
    p.stdin.close()
    p.wait()
    s.setblocking(False)
    try:
        while True:
            s.recv(4096)
    except BlockingIOError:
        pass
print("%.0f" % sorted(ms)[5])
P
)
row "start to ready, without PortAudio's own start" "$ready" ms "< 100 ms"
printf '\nLoad average %s at the end; where it is much above 0.3, others used the machine too and the figures are too high.\n' \
    "$(cut -d' ' -f1 /proc/loadavg)"
exit $failed
