#!/bin/bash
# web_load.sh - a hundred viewers with both streams open and 500 requests a second, while the daemon listens: no audio is lost, every request
# is answered, every stream holds, memory does not grow. No root, no device. ~30 s.
# LONG=1 besides: the latency of events with that load and without, and the processor time of a quiet minute with the page, without a
# viewer, and without the page. Prints figures. ~10 min, worth something on a machine that has nothing else to do.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); E=$(realpath "${EARSHOT:-$root/build/earshot}")
LOAD=$(dirname "$E")/tests/web_load BENCH=$(dirname "$E")/tests/bench
W=$(mktemp -d); cd "$W" || exit 1
read -r PORT WEB < <(python3 -c 'import socket; s = [socket.socket() for _ in "ab"]; [x.bind(("127.0.0.1", 0)) for x in s]; print(*[x.getsockname()[1] for x in s])')
A=http://127.0.0.1:$WEB/api/v1
export EARSHOT_MODELS=$root/models TSAN_OPTIONS=exitcode=66 LSAN_OPTIONS="suppressions=$root/tests/lsan.supp"
unset STATE_DIRECTORY RUNTIME_DIRECTORY XDG_RUNTIME_DIR NOTIFY_SOCKET LISTEN_FDS
end() { for p in pid load.pid broker.pid; do stop_pid $p; done; wait; rm -rf "$W"; }
trap end EXIT
command -v mosquitto >/dev/null || { skip "web_load: no mosquitto"; summary; exit; }
[ -x "$LOAD" ] || { skip "web_load: make unit-tests"; summary; exit; }
PATHS=(/api/v1/status '/api/v1/events?limit=10' / /healthz '/api/v1/counts?hours=24' /api/v1/listening /app.js /style.css)

python3 - <<'P' # a minute of a quiet room with a smoke alarm every ten seconds, and one without, 48 kHz
import array, math, random, wave
random.seed(1)
def write(name, alarms, seconds):
    noise = [int(random.gauss(0, 16)) for _ in range(48000)]
    with wave.open(name, "wb") as w:
        w.setnchannels(1); w.setsampwidth(2); w.setframerate(48000)
        for s in range(seconds):
            beep = alarms and s % 10 in (2, 3)
            w.writeframes(array.array("h", (int(8000 * math.sin(2 * math.pi * 3100 * i / 48000)) if beep and i < 24000 else noise[i] for i in range(48000))).tobytes())
write("alarms.wav", True, 60)
write("quiet.wav", False, 66)
P
printf 'listener %d 127.0.0.1\nallow_anonymous true\nmax_connections -1\n' "$PORT" >m.conf
mosquitto -c m.conf >broker.log 2>&1 & echo $! >broker.pid
wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT"
flags=(--state-dir "$W/state" --mqtt.port "$PORT" --mqtt.node d --web.port "$WEB" --gate.threshold '-40 dBFS' --decision.release '0.5 s')
start() { "$E" run "${flags[@]}" "$@" >out.txt 2>log.txt & echo $! >pid; }
stop() { local pid; pid=$(cat pid); rm -f pid; kill "$pid" 2>/dev/null; wait "$pid"; }
# its own alone: its share of what it has in common with others (Pss) changes when those come and go
own() { awk '/^Anonymous:/ { print $2 }' "/proc/$(cat pid)/smaps_rollup"; }
field() { python3 -c "import json, sys; d = json.load(open(sys.argv[1])); print($2)" "$1"; } # FILE EXPRESSION

echo "--- load"
start --input file:alarms.wav
wait_for 20 curl -sf "$A/status" -o status.json; alone=$(own)
"$LOAD" "$WEB" 100 500 9 "${PATHS[@]}" >load1.json & echo $! >load.pid
sleep 3; once=$(own); sleep 5; twice=$(own)
wait "$(cat load.pid)"; rc=$?; rm -f load.pid
echo "    $(cat load1.json)"
check "every request was answered, every stream held" test $rc = 0
check "  levels came ten a second" test "$(field load1.json 'd["levels_each"][0] >= 60')" = True
sleep 12 # the daemon notices at the next heartbeat that the viewers have gone
after=$(own)
curl -s "$A/status" >status.json
echo "    memory of its own: $alone kB before the first viewer, $once kB and five seconds later $twice kB with a hundred, $after kB when they have gone"
check "no audio was lost" test "$(field status.json 'd["input"]["overruns"], d["input"]["lost_frames"], d["counters"]["windows_dropped"]')" = "0 0 0" 
check "events went on being heard" test "$(field status.json 'd["counters"]["events"] > 0')" = True
check "memory is flat under load: less than 1.5 MB more within five seconds" test $((twice - once)) -lt 1500
check "  and is given back: less than 5 MB stay when all have gone" test $((after - alone)) -lt 5000
stop; check "exit 0" test $? = 0
check "no sanitizer complained" bash -c "! grep -E 'Sanitizer|runtime error' log.txt"
[ "$FAIL" = 0 ] || { tail -20 log.txt; cat status.json | cut -c1-1000; }
[ "${LONG:-}" = 1 ] || { summary; exit; }

echo "--- latency of events: median and slowest of 20, ms"
latency() { # WITH-LOAD
    rm -rf state
    if [ "$1" = 1 ]; then
        (for _ in $(seq 100); do curl -sf "$A/status" -o /dev/null && break; sleep 0.1; done
        exec "$LOAD" "$WEB" 100 500 68 "${PATHS[@]}" >load3.json) & echo $! >load.pid
    fi
    "$BENCH" latency "$PORT" "$root/tests/data/smoke_t3.flac" 0.25 1.0 "$E" run "${flags[@]}" --input - --rate 48000 --gate.preroll 0.25s \
        --gate.hold 0.2s --decision.release 0.3s 2>latency.log | tee "latency$1"
    stop_pid load.pid
}
for round in 1 2; do
    echo "    without: $(latency 0)"
    echo "    with:    $(latency 1)"
done
check "the slowest event under load comes within 2 s" awk '{ exit $2 < 2000 ? 0 : 1 }' latency1

echo "--- processor time of a quiet minute without a viewer"
spent() { cat "/proc/$(cat pid)"/task/*/schedstat 2>/dev/null | awk '{ ns += $1 } END { print ns + 0 }'; }
minute() { # ARGS...
    local a b
    rm -rf state; start --input file:quiet.wav "$@"; sleep 4; a=$(spent); sleep 60; b=$(spent); stop
    awk -v ns=$((b - a)) 'BEGIN { printf "%.3f", ns / 6e8 }'
}
for round in 1 2; do
    echo "    with the page: $(minute) % of a core; without: $(minute --web.enabled=off) %"
done
summary
