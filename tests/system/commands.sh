#!/bin/bash
# commands.sh - what the running daemon can be told, by MQTT and by earshot set: answered, applied, kept over a restart, and hostile input
# without effect. No root, no device. ~20 s.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); E=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d); cd "$W" || exit 1
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export EARSHOT_MODELS=$root/models TSAN_OPTIONS=exitcode=66 LSAN_OPTIONS="suppressions=$root/tests/lsan.supp"
unset STATE_DIRECTORY RUNTIME_DIRECTORY XDG_RUNTIME_DIR NOTIFY_SOCKET
end() { stop_pid pid; stop_pid broker.pid; stop_pid sub.pid; wait; rm -rf "$W"; }
trap end EXIT
command -v mosquitto >/dev/null || { skip "commands: no mosquitto"; summary; exit; }

python3 - <<'P' # a smoke alarm's beeps and a quiet room, raw s16le at 16 kHz
import math, struct
def sound(*parts):
    return [int(8000 * math.sin(2 * math.pi * hz * i / 16000)) + (i * 7919 % 17) - 8 for s, hz in parts for i in range(int(s * 16000))]
def write(name, x): open(name, "wb").write(struct.pack("<%dh" % len(x), *x))
write("room.raw", sound((5, 0)))
write("alarm.raw", sound(*(3 * [(0.5, 3100), (0.5, 0)])))
P
start() { # ARGS... : the daemon; sound is written to descriptor 7
    rm -f fifo; mkfifo fifo; exec 7<>fifo; : >log.txt; : >sub.txt
    "$E" run --config e.conf --state-dir "$W/state" --input - --json "$@" <fifo 7>&- >out.txt 2>log.txt & echo $! >pid
    wait_for 20 grep -q 'connected to' log.txt
}
stop() { local pid; pid=$(cat pid); rm -f pid; kill "$pid"; wait "$pid"; rc=$?; exec 7>&-; }
hear() { cat "$W/$1" >&7; }
hup() { kill -HUP "$(cat pid)"; }
pub() { mosquitto_pub -p "$PORT" -q 1 -t "earshot/d/set/$1" "${@:2}"; }
got() { wait_for "${2:-5}" grep -aEq -- "$1" sub.txt; }
logged() { wait_for "${2:-5}" grep -q -- "$1" log.txt; }
tell() { timeout 10 "$E" set --state-dir "$W/state" "$@" >set.txt 2>&1; }
result() { got "set/$1/result \{\"ok\":$2,\"value\":$3,\"error\":$4"; } # NAME true|false VALUE ERROR
settings() { timeout 3 mosquitto_sub -p "$PORT" -t 'earshot/d/setting/#' -W 1 -F '%t %p' 2>/dev/null | sort; }
refused() { local n; n=$(grep -ac "set/$1/result {\"ok\":false" sub.txt); pub "$@"; wait_for 5 bash -c "[ \$(grep -ac 'set/$1/result {\"ok\":false' '$W/sub.txt') -gt $n ]"; }

printf 'listener %d 127.0.0.1\nallow_anonymous true\n' "$PORT" >m.conf
mosquitto -c m.conf >broker.log 2>&1 & echo $! >broker.pid
wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT"
mosquitto_sub -p "$PORT" -t 'earshot/#' -t 'homeassistant/#' -F '%r %t %p' >sub.txt 2>/dev/null & echo $! >sub.pid
printf '[mqtt]\nport = %d\nnode = d\n[gate]\nthreshold = -50 dBFS\n[decision]\nrelease = 1 s\n[class cow]\nconfirm = 2\n' "$PORT" >e.conf
printf '[action moo]\nexec = /bin/true\nlabel = cow\n[webhook moo]\nurl = http://127.0.0.1:9/\nlabel = cow\n' >>e.conf
start

echo "--- answers"
hear room.raw
check "every setting is told" got 'setting/listening ON' && got 'setting/threshold -50 dBFS' && got 'setting/model earshot-s' && got 'setting/cooldown 0 s' && got 'setting/min_score model'
pub threshold -m '-45 dBFS'
check "set/threshold: answered" result threshold true '"-45 dBFS"' null
check "  told" got 'setting/threshold -45 dBFS'
pub cooldown -m '{"value": 5}'; check "set/cooldown as JSON" result cooldown true '"5 s"' null
pub min_score -m 0.25; check "set/min_score" result min_score true '"0.25"' null
pub cooldown -m '{"value": null}'; check "  back to what is configured" result cooldown true '"0 s"' null
pub min_score -m model
pub listening -m '{"value": false}'; check "set/listening" result listening true '"OFF"' null
pub listening -m on; check "  in any case" result listening true '"ON"' null
hear alarm.raw; hear room.raw
got 'event .*"start".*"smoke_alarm"'
id=$(grep -a '"event_type":"start".*"smoke_alarm"' sub.txt | head -1 | sed 's/.*"event_id":"\([^"]*\)".*/\1/')
pub ack -m "$id"; check "set/ack of an event" got "1 earshot/d/setting/ack .*\"event_id\":\"$id\"|0 earshot/d/setting/ack .*\"event_id\":\"$id\""
pub ack -m siren; check "  of a sound that was not heard: refused" result ack false null '"no sound'

echo "--- hostile"
settings >before.txt
check "empty" refused threshold -n
check "a value that is none" refused threshold -m loud
check "a number out of range" refused threshold -m '-500 dBFS'
check "  as JSON" refused min_score -m '{"value": 1e300}'
check "  infinite" refused cooldown -m '{"value": 1e999}'
check "64 KB" bash -c "head -c 65536 /dev/zero | tr '\0' 9 >big"; check "  refused" refused threshold -f big
printf 'O\0N' >nul; check "a NUL" refused listening -f nul
printf '\377\376' >bytes; check "not UTF-8" refused listening -f bytes
python3 -c 'print("{\"value\":" * 60 + "1" + "}" * 60, end="")' >deep; check "JSON nested too deep" refused threshold -f deep
check "a list" refused threshold -m '{"value": [1]}'
check "a key that is none" refused threshold -m '{"value": -40, "path": "/etc"}'
check "a model by its path" refused model -m "$EARSHOT_MODELS/us8k-nrdt.onnx"
check "  up the tree" refused model -m ../models/us8k-nrdt
check "  that is not there" refused model -m nothing_there
check "a test of no sound" refused test -m nothing_like_it
check "  with persist" refused test -m '{"value": "siren", "persist": true}'
check "an unknown name is answered too, with the names that there are" bash -c "mosquitto_pub -p $PORT -t earshot/d/set/volume -m 11"; check "  " result volume false null '"set/volume: no such command; allowed: threshold, listening'
check "retained" refused threshold -r -m '-10 dBFS'
pub threshold -r -n
settings >after.txt
check "nothing has changed" bash -c "[ \$(wc -l <before.txt) = 6 ] && cmp before.txt after.txt"
for _ in $(seq 100); do echo x; done | pub threshold -l
sleep 0.5
check "a flood is answered no more than 45 times" bash -c "[ \$(grep -ac 'set/threshold/result' sub.txt) -lt 70 ]"
check "  nor logged without end" bash -c "[ \$(grep -c 'command ignored' log.txt) -lt 80 ]"
sleep 3
pub threshold -m '-44 dBFS'; check "  and commands are heard again" result threshold true '"-44 dBFS"' null

echo "--- earshot set"
tell; check "lists the settings" grep -q '^threshold *-44 dBFS' set.txt
tell threshold -43; check "sets, a negative number without ceremony" bash -c "[ $? = 0 ] && grep -q 'threshold: -43 dBFS' set.txt"
tell threshold loud; check "a bad value: exit 1, what is allowed" bash -c "[ $? = 1 ] && grep -q 'allowed: auto' set.txt"
tell treshold 1; check "a mistyped name: suggested" bash -c "[ $? = 1 ] && grep -q 'did you mean threshold' set.txt"
tell threshold; check "no value: exit 2" test $? = 2
tell --persist; check "no name: exit 2" test $? = 2

echo "--- another model"
tell model us8k-mfcc40; check "other sounds, another rate and length of windows (us8k-mfcc40)" grep -q 'model: us8k-mfcc40' set.txt
check "  told" got 'setting/model us8k-mfcc40'
check "  states of sounds that are no more are cleared" wait_for 5 bash -c "! timeout 2 mosquitto_sub -p $PORT -t earshot/d/state/smoke_alarm -C 1 -W 1 | grep -q ."
check "  the new ones are there" got 'state/gun_shot OFF'
check "  Home Assistant is told" got 'homeassistant/device/d/config .*"sound_smoke_alarm":\{"platform":"binary_sensor"\}[,}]'
hear room.raw; pub model -m earshot-s; check "  and back" result model true '"earshot-s"' null
hear alarm.raw; hear room.raw
check "  it hears again" wait_for 5 bash -c "[ \$(grep -c '\"event_type\": *\"start\".*\"smoke_alarm\"' out.txt) -ge 2 ]"
check "  no sound was lost" bash -c "! grep -q 'audio was lost' log.txt"

echo "--- kept"
tell threshold 'auto+9 dB' --persist; check "--persist" grep -q 'kept over a restart' set.txt
pub listening -m '{"value": "OFF", "persist": true}'; check "  by MQTT" got 'listening/result .*"persist":true'
check "  in settings.conf" bash -c "grep -q '^threshold = auto+9 dB' state/settings.conf && grep -q '^listening = off' state/settings.conf"
sed -i 's/^threshold = .*/threshold = -60 dBFS/' e.conf; tell cooldown 7; hup
check "SIGHUP: what was kept stays, and the log says so" logged 'reload: gate.threshold stays auto+9 dB, which was set and kept; the configuration says -60 dBFS'
check "  what was not kept goes, and the log says so" logged 'reload: decision.cooldown = 0 s (was 7 s, set by a command and not kept)'
stop; check "  exit 0" test $rc = 0
start
check "after a restart it is in force" got 'setting/threshold auto\+9 dB'
check "  listening too" got 'setting/listening OFF'
tell listening --reset; check "--reset" grep -q 'listening: ON' set.txt
check "  is forgotten" bash -c "! grep -q listening state/settings.conf"
stop
printf '[model]\nfile = gone_since\n' >state/settings.conf
start
check "a model that is kept but gone: the daemon starts with the configured one" got 'setting/model earshot-s'
check "  and says so" logged 'warn .*gone_since.*set aside'
stop; rm -f state/settings.conf.bad-*
head -c 3000 /dev/urandom >state/settings.conf
start; check "a broken settings.conf: starts, says so, sets it aside" bash -c "grep -q 'warn .*settings.conf.*set aside' log.txt && ls state/settings.conf.bad-* >/dev/null"
tell threshold off --persist; check "  and keeps again" grep -q 'threshold = off' state/settings.conf
stop
start --gate.threshold='-30 dBFS'; check "a flag goes before what was kept" got 'setting/threshold -30 dBFS'
tell threshold off --persist; check "  which is said" logged 'flag --gate.threshold goes before it'
stop
check "no sanitizer complained" bash -c "! grep -E 'Sanitizer|runtime error' log.txt"
[ "$FAIL" = 0 ] || { tail -40 log.txt; grep -av '/level\|/health\|device/\|state/' sub.txt | tail -n 20; cat set.txt; diff before.txt after.txt; }
summary
