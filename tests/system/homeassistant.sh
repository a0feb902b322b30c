#!/bin/bash
# homeassistant.sh - what the daemon tells Home Assistant, against a real broker: checked by the rules that Home Assistant publishes
# (ha_schema.py), and played through its templates (ha_sim.py). A real Home Assistant is not part of it. ~20 s.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); E=$(realpath "${EARSHOT:-$root/build/earshot}")
need mosquitto mosquitto-clients python3-voluptuous python3-jinja2 python3-yaml
PY=/usr/bin/python3; W=$(mktemp -d); cd "$W" || exit 1
PORT=$($PY -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export EARSHOT_MODELS=$root/models TSAN_OPTIONS=exitcode=66 LSAN_OPTIONS="suppressions=$root/tests/lsan.supp"
unset STATE_DIRECTORY RUNTIME_DIRECTORY XDG_RUNTIME_DIR NOTIFY_SOCKET
end() { stop_pid pid; stop_pid broker.pid; stop_pid sub.pid; wait; rm -rf "$W"; }
trap end EXIT

$PY - <<'P' # a smoke alarm's beeps and a quiet room, raw s16le at 16 kHz
import math, struct
def sound(*parts):
    return [int(8000 * math.sin(2 * math.pi * hz * i / 16000)) + (i * 7919 % 17) - 8 for s, hz in parts for i in range(int(s * 16000))]
def write(name, x): open(name, "wb").write(struct.pack("<%dh" % len(x), *x))
write("room.raw", sound((5, 0)))
write("alarm.raw", sound(*(3 * [(0.5, 3100), (0.5, 0)])))
P
start() { # ARGS... : the daemon; sound is written to descriptor 7
    rm -f fifo; mkfifo fifo; exec 7<>fifo; : >log.txt
    "$E" run --config e.conf --state-dir "$W/state" --input - --json "$@" <fifo 7>&- >out.txt 2>log.txt & echo $! >pid
    wait_for 20 grep -q 'connected to' log.txt
}
stop() { local pid; pid=$(cat pid); rm -f pid; kill "$pid"; wait "$pid"; rc=$?; exec 7>&-; }
hup() { kill -HUP "$(cat pid)"; }
pub() { mosquitto_pub -p "$PORT" -q 1 "$@"; }
logged() { wait_for "${2:-5}" grep -q -- "$1" log.txt; }
got() { wait_for "${2:-5}" grep -aEq "$1" sub.txt; }
configs() { grep -ac "homeassistant/device/$1/config {\"device\"" sub.txt; }
retained() { timeout 3 mosquitto_sub -p "$PORT" -t "$1" -C 1 -W 1 2>/dev/null; }
sim() { $PY "$here/ha_sim.py" "$@"; }
played() { sim play config.json sub.txt >play.json && $PY -c "import json; p = json.load(open('play.json')); s, h, e = p['state'], p['history'], p['events']; assert $1, ({k: s[k] for k in ('sound_smoke_alarm', 'event', 'test_event', 'last_sound', 'score', 'threshold')}, e['event'], e['test_event'], h['sound_smoke_alarm'])"; }
press() { local line; line=$(sim command config.json "$@"); pub -t "${line%%$'\t'*}" -m "${line#*$'\t'}"; } # KEY VALUE

printf 'listener %d 127.0.0.1\nallow_anonymous true\nuser root\n' "$PORT" >m.conf
mosquitto -c m.conf >broker.log 2>&1 & echo $! >broker.pid
wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT"
mosquitto_sub -p "$PORT" -t 'earshot/#' -t 'homeassistant/#' -F '%r %t %p' >sub.txt 2>/dev/null & echo $! >sub.pid

echo "--- the announcement"
printf '[mqtt]\nport = %d\nnode = kitchen\n[gate]\nthreshold = -50 dBFS\n[decision]\nrelease = 1 s\n' "$PORT" >e.conf
start; hear() { cat "$W/$1" >&7; }
hear room.raw
check "announced on homeassistant/device/kitchen/config" got 'homeassistant/device/kitchen/config \{'
retained homeassistant/device/kitchen/config >config.json
check "  retained" test -s config.json
check "  Home Assistant's rules hold, and the rules themselves work" $PY "$here/ha_schema.py" config.json
check "  alarms are enabled, other sounds are not; nothing expires" $PY -c "
import json; c = json.load(open('config.json'))['components']
off = {k for k, v in c.items() if v.get('enabled_by_default') is False}
assert {'sound_smoke_alarm', 'sound_co_alarm', 'sound_siren'} <= set(c) - off and {'sound_dog_bark', 'sound_rain'} <= off
assert c['sound_smoke_alarm']['device_class'] == 'smoke' and c['sound_co_alarm']['device_class'] == 'carbon_monoxide'
assert c['sound_dog_bark']['device_class'] == 'sound' and not any('expire_after' in v for v in c.values())"
echo "        ($(wc -c <config.json) bytes, $($PY -c "import json; print(len(json.load(open('config.json'))['components']))") entities)"
check "  all of the examples' entities and topics exist" sim examples config.json "$root/conf/examples/homeassistant" "$root/conf/examples/node-red"
n=$(configs kitchen)
pub -t homeassistant/status -m online
check "announced again when Home Assistant has restarted" wait_for 8 bash -c "[ \$(grep -ac 'homeassistant/device/kitchen/config {\"device\"' '$W/sub.txt') -gt $n ]"
n=$(configs kitchen); pub -t homeassistant/status -m offline; sleep 0.3

echo "--- sounds"
check "all off, the threshold is -50" played "s['sound_smoke_alarm'] == 'off' and s['threshold'] == '-50.0' and s['listening'] == 'on' and s['model'] == 'earshot-s'"
timeout 10 "$E" test smoke_alarm --config e.conf --state-dir "$W/state" >test.txt 2>&1
check "a test does not ring" played "s['sound_smoke_alarm'] == 'off' and not h['sound_smoke_alarm'][1:] and not e['event'] and s['last_sound'] == 'unknown'"
check "  but shows as one" played "e['test_event'] == ['smoke_alarm']"
check "  state/smoke_alarm says TEST" got 'state/smoke_alarm TEST'
hear alarm.raw; hear room.raw
check "a smoke alarm: its binary sensor goes on and off again" wait_for 6 played "h['sound_smoke_alarm'][-2:] == ['on', 'off']"
check "  the event entity rings once" played "e['event'].count('smoke_alarm') == 1"
check "  last sound and score" played "s['last_sound'] == e['event'][-1] and 'smoke_alarm' in h['last_sound'] and 30 < float(s['score']) <= 100"
grep -a 'earshot/kitchen/event .*"start".*"test":false' sub.txt | head -1 | sed 's/"late":false/"late":true/; s/"smoke_alarm"/"siren"/' | cut -d' ' -f3- >late.json
pub -t earshot/kitchen/event -f late.json; got '"late":true'
check "an event that is late does not ring" played "'siren' not in e['event'] and s['last_sound'] == e['event'][-1]"

echo "--- buttons"
press threshold -45
check "the number sets the gate: -45 dBFS" wait_for 5 played "s['threshold'] == '-45.0'"
press threshold 9.5
check "  9.5 dB above the noise floor" got 'setting/threshold auto\+9.5 dB'
check "  which the number shows" played "s['threshold'] == '9.5'"
pub -t earshot/kitchen/set/threshold -m off
got 'setting/threshold off'; check "  off shows as unknown" played "s['threshold'] == 'unknown'"
press listening OFF; check "the switch: off" wait_for 5 played "s['listening'] == 'off'"
press listening ON; check "  on" wait_for 5 played "s['listening'] == 'on'"
press acknowledge all; check "acknowledged: told to everybody, retained" wait_for 5 bash -c "timeout 2 mosquitto_sub -p $PORT -t earshot/kitchen/setting/ack -C 1 -W 1 | grep -q smoke_alarm"

echo "--- what is taken back"
printf '[class rain]\nmode = ignore\n' >>e.conf; hup
check "a sound that is ignored is taken away" got 'config .*"sound_rain":\{"platform":"binary_sensor"\}[,}]'
retained homeassistant/device/kitchen/config >config2.json
check "  and gone from what is retained" bash -c "! grep -q sound_rain config2.json && grep -q sound_wind config2.json"
sed -i '/class rain/,$d' e.conf
stop; check "stop: exit 0" test $rc = 0
printf '[class dog_bark]\nmode = ignore\n' >>e.conf
start; check "  also one that was ignored while nothing ran" got 'config .*"sound_dog_bark":\{"platform":"binary_sensor"\}[,}]'
stop
sed -i 's/node = kitchen/node = parlour/' e.conf; : >sub.txt
start
check "the node is renamed: announced anew" got 'homeassistant/device/parlour/config \{'
check "  entities keep their settings" got 'homeassistant/device/kitchen/config \{"migrate_discovery": true\}'
check "  under the same ids" bash -c "[ \"\$(grep -ao 'earshot_[0-9a-f]*_event' sub.txt | sort -u)\" = \"\$(grep -o 'earshot_[0-9a-f]*_event' config.json | sort -u)\" ]"
check "  the old topic is cleared" wait_for 5 bash -c "! timeout 2 mosquitto_sub -p $PORT -t homeassistant/device/kitchen/config -C 1 -W 1 | grep -q ."
check "  in this order" bash -c "[ \"\$(grep -ao 'device/[a-z]*/config .\?.\?[dm]\?' sub.txt | tr -d '{\"' | paste -sd,)\" = 'device/kitchen/config m,device/parlour/config d,device/kitchen/config ' ]"
stop
start --homeassistant.enabled=off
check "turned off: taken back" wait_for 5 bash -c "! timeout 2 mosquitto_sub -p $PORT -t homeassistant/device/parlour/config -C 1 -W 1 | grep -q ."
stop
start --homeassistant.discovery_prefix=ha/found
check "another prefix" wait_for 5 bash -c "timeout 2 mosquitto_sub -p $PORT -t ha/found/device/parlour/config -C 1 -W 1 | grep -q components"
stop

echo "--- a broker that forbids it"
stop_pid broker.pid
printf 'topic readwrite earshot/#\ntopic deny earshot/parlour/set/threshold/result\n' >acl; echo "acl_file $W/acl" >>m.conf
mosquitto -c m.conf >>broker.log 2>&1 & echo $! >broker.pid
wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT"
start
check "the announcement is refused: said" logged 'refuses our messages to homeassistant/device/...: Not authorized'
pub -t earshot/parlour/set/threshold -m '-44 dBFS'; pub -t earshot/parlour/set/threshold -m '-43 dBFS'
check "a result is refused: said" logged 'refuses our messages to earshot/parlour/set/.../result'
check "  the command was carried out" logged 'set/threshold: -43 dBFS'
pub -t earshot/parlour/set/listening -m ON; sleep 0.5
check "  each once" bash -c "[ \$(grep -c 'refuses our messages' log.txt) = 2 ]"
stop
check "no sanitizer complained" bash -c "! grep -E 'Sanitizer|runtime error' log.txt"
[ "$FAIL" = 0 ] || { tail -40 log.txt; grep -av '/level\|/health\|device/' sub.txt | tail -n 20; cut -c1-300 play.json; }
summary
