#!/bin/bash
# web_live.sh - what the page lives on, by curl and Python against a running daemon and a broker: status, the streams and what a client
# gets that comes back, history, settings, acknowledgements. No root, no device. ~25 s.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); E=$(realpath "${EARSHOT:-$root/build/earshot}"); C=$here/web_client.py
W=$(mktemp -d); cd "$W" || exit 1
read -r PORT WEB < <(python3 -c 'import socket; s = [socket.socket() for _ in "ab"]; [x.bind(("127.0.0.1", 0)) for x in s]; print(*[x.getsockname()[1] for x in s])')
A=http://127.0.0.1:$WEB/api/v1
export EARSHOT_MODELS=$root/models TSAN_OPTIONS=exitcode=66 LSAN_OPTIONS="suppressions=$root/tests/lsan.supp"
unset STATE_DIRECTORY RUNTIME_DIRECTORY XDG_RUNTIME_DIR NOTIFY_SOCKET LISTEN_FDS
end() { for p in pid broker.pid sub.pid a.pid b.pid c.pid levels.pid feeder.pid; do stop_pid $p; done; wait; rm -rf "$W"; }
trap end EXIT
command -v mosquitto >/dev/null || { skip "web_live: no mosquitto"; summary; exit; }
command -v curl >/dev/null || { skip "web_live: no curl"; summary; exit; }

cat >feed.py <<'P' # sound at the pace of a microphone, raw s16le at 16 kHz: a quiet room, and a smoke alarm's beeps where the file `ring` is
import math, os, struct, time
def raw(f, n): return struct.pack("<%dh" % n, *(int(f(i)) for i in range(n)))
room = raw(lambda i: i * 7919 % 17 - 8, 1600)
beeps = [raw(lambda i: 8000 * math.sin(2 * math.pi * 3100 * i / 16000), 1600) if k % 10 < 5 else room for k in range(20)]
out, at, todo, ringing = open("fifo", "wb", 0), time.monotonic(), [], False
while True:
    if not todo and os.path.exists("ring"):
        todo, ringing = beeps * int(open("ring").read()), True
        os.unlink("ring")
    out.write(todo.pop(0) if todo else room)
    if ringing and not todo:
        ringing = False
        open("rung", "w").close()
    at += 0.1
    time.sleep(max(0, at - time.monotonic()))
P
start() { # ARGS... : the daemon, which hears what feed.py plays
    rm -f fifo; mkfifo fifo; cat log.txt >>all.txt 2>/dev/null; : >log.txt
    "$E" run --config e.conf --state-dir "$W/state" --input - --json "$@" <fifo >out.txt 2>log.txt & echo $! >pid
    python3 feed.py 2>/dev/null & echo $! >feeder.pid
    wait_for 20 bash -c "grep -q 'connected to' log.txt && curl -sf $A/status"
}
stop() { local pid; pid=$(cat pid); rm -f pid; kill -"${1:-TERM}" "$pid"; wait "$pid" 2>/dev/null; rc=$?; stop_pid feeder.pid; }
watch() { # NAME [LAST-ID] : a client of the events' stream
    stop_pid "$1.pid"; rm -f "$1"; python3 "$C" sse "$A/events/stream" "$1" "${@:2}" 2>/dev/null & echo $! >"$1.pid"
    wait_for 10 grep -q open "$1"
}
leave() { stop_pid "$1.pid"; wait_for 5 true; }
last() { tail -n 1 "$1" | python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["id"])'; }
came() { wait_for "${3:-10}" bash -c "[ \$(grep -c '$2' $1) -ge ${4:-1} ]"; } # FILE PATTERN [SECONDS [TIMES]]
ring() { rm -f rung; echo "${1:-1}" >ring.new; mv ring.new ring; } # [TIMES]
over() { wait_for 15 test -e rung; wait_for 15 bash -c "[ \$(curl -s $A/status | grep -c '\"ended\":false\|\"open\":true') = 0 ]"; sleep 0.3; }
get() { curl -s "$A/$1"; }
send() { curl -s -X "$1" -H 'Content-Type: application/json' -d "${3:-{\}}" "$A/$2"; } # METHOD PATH [JSON]
code() { curl -s -o answer -w '%{http_code}' "$@"; }
py() { python3 -c "import json, sys; d = json.load(sys.stdin); print(($1))"; } # EXPRESSION of d
is() { [ "$1" = "$2" ] || { echo "    got $1, expected $2"; false; }; }
pub() { mosquitto_pub -p "$PORT" -q 1 -t "earshot/d/set/$1" -m "$2"; }
events() { python3 - "$@" <<'P' # FILE... : each event of the stream as ID LABEL TYPE, in order
import json, sys
for f in sys.argv[1:]:
    for m in map(json.loads, open(f)):
        if m.get("event") == "event" and not m["data"]["test"]: print(m["data"]["event_id"], m["data"]["label"], m["data"]["event_type"])
P
}

printf 'listener %d 127.0.0.1\nallow_anonymous true\n' "$PORT" >m.conf
mosquitto -c m.conf >broker.log 2>&1 & echo $! >broker.pid
wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT"
mosquitto_sub -p "$PORT" -t 'earshot/d/event' -t 'earshot/d/setting/#' -F '%U %p' >sub.txt 2>/dev/null & echo $! >sub.pid
cat >e.conf <<C
[mqtt]
port = $PORT
node = d
[web]
port = $WEB
[gate]
threshold = -50 dBFS
[decision]
release = 0.5 s
[clips]
record = sounds
save_all = on
C
start; check "the daemon runs" test $? = 0

echo "--- status"
wait_for 5 bash -c "! curl -s $A/status | grep -q '\"threshold_dbfs\":null'" # known with the first sound
get status >s.json
check "input, broker, model" is "$(py 'd["node"], d["listening"], d["input"]["state"], d["input"]["rate"], d["broker"]["connected"], d["broker"]["port"], d["model"], d["window_s"]' <s.json)" "('d', True, 'ok', 16000, True, $PORT, 'earshot-s', 1.0)"
check "gate" is "$(py 'd["gate"]["threshold"], d["gate"]["threshold_dbfs"], d["gate"]["open"]' <s.json)" "('-50 dBFS', -50.0, False)"
check "the sounds that it knows" is "$(py '[(l["name"], l["group"], l["alarm"]) for l in d["labels"] if l["label"] == "smoke_alarm"]' <s.json)" "[('Smoke alarm', 'alarm', True)]"
check "  with their thresholds" is "$(py 'all(0 < l["threshold"] <= 1 for l in d["labels"]), len(d["labels"]) > 40' <s.json)" "(True, True)"

echo "--- streams"
watch a; watch b
python3 "$C" sse "$A/levels/stream" levels 2>/dev/null & echo $! >levels.pid
wait_for 5 grep -q open levels
check "a client is told how things stand" came a '"event": "status".*"broker_connected": true'
ring
check "an alarm begins" came a '"event_type": "start".*"smoke_alarm"'
get status >s.json
check "  it is up, and not acknowledged" is "$(py '[(a["ended"], a["acknowledged"]) for a in d["alarms"] if a["label"] == "smoke_alarm"]' <s.json)" "[(False, False)]"
id=$(py '[a["event_id"] for a in d["alarms"] if a["label"] == "smoke_alarm"][0]' <s.json)
over
check "  and ends" came a '"event_type": "end".*"smoke_alarm"'
came sub.txt '"event_type":"end".*"smoke_alarm"'
check "both clients heard the same" bash -c "diff <(grep '\"event\": \"event\"' a | sed 's/\"at\": [0-9.]*//') <(grep '\"event\": \"event\"' b | sed 's/\"at\": [0-9.]*//')"
check "every event of MQTT came, within 2 s" python3 "$C" latency a sub.txt
check "names stand in it" came a '"name": "Smoke alarm", "group": "alarm", "alarm": true'
leave levels
read -r n whole steps band rms gate < <(python3 "$C" column levels)
echo "    $n levels, the loudest $rms dBFS in band $band"
check "levels: 64 bands each, 100 ms apart" is "$whole $steps" "True True"
check "  3.1 kHz is where it belongs, with its level" bash -c "[ $band -ge 40 ] && [ $band -le 42 ] && [ $gate = open ] && [ ${rms%.*} -ge -17 ] && [ ${rms%.*} -le -14 ]"

echo "--- acknowledging"
check "by the web" is "$(send POST "events/$id/ack")" '{"ok":true}'
check "  both viewers are told" came a "\"event\": \"ack\".*$id" 5 && came b "\"event\": \"ack\".*$id" 5
check "  it is no alarm any more" is "$(get status | py '[a for a in d["alarms"] if a["label"] == "smoke_alarm"]')" "[]"
ring; over
check "the next one stays up after it ended" is "$(get status | py '{(a["ended"], a["acknowledged"]) for a in d["alarms"] if a["label"] == "smoke_alarm"}')" "{(True, False)}"
pub ack smoke_alarm; check "by MQTT" came b '"event": "ack".*"label": "smoke_alarm"' 5
check "  seen in the status" is "$(get status | py '[a for a in d["alarms"] if a["label"] == "smoke_alarm"]')" "[]"
"$E" set --state-dir "$W/state" ack all >/dev/null; check "by the control socket" came b '"event": "ack".*"value": "all"' 5
check "of nothing: 404" is "$(code -X POST "$A/events/01a1ffaa-4cb1-771d-8b52-e22ae47a04a0/ack")" 404

echo "--- who comes back"
leave b; from=$(last b)
ring; over
watch c "$from"; sleep 0.3
check "gets what was missed, nothing twice" bash -c "diff <(python3 - a <<'P'
import json
from_b = [json.loads(l)['id'] for l in open('b') if 'id' in json.loads(l)][-1]
a = [json.loads(l) for l in open('a') if '\"id\"' in l]
i = [m['id'] for m in a].index(from_b)
for m in a[i + 1:]: print(m['event'], m['id'], json.dumps(m['data']))
P
) <(python3 - <<'P'
import json
for l in open('c'):
    m = json.loads(l)
    if 'id' in m: print(m['event'], m['id'], json.dumps(m['data']))
P
)"
leave c; from=$(last c)
ring; over
missed=$(events a | grep ' smoke_alarm end$' | tail -1 | cut -d' ' -f1)
stop; check "the daemon ends: exit 0" is $rc 0
check "  and the streams with it" wait_for 5 bash -c "! kill -0 $(cat a.pid)"
start; watch c "$from"
check "another daemon: what ended meanwhile comes out of the history" came c "$missed.*\"event_type\": \"end\""
check "  once" is "$(events c | sort | uniq -d)$(events c | grep -c "$missed")" 1
leave c; watch c "$(last c)"; sleep 0.3
check "  and not again" is "$(events c | grep -c .)" 0
ring 30; came c '"event_type": "start".*"label": "smoke_alarm"'; on=$(events c | grep 'smoke_alarm start' | tail -1 | cut -d' ' -f1); from=$(last c)
wait_for 5 grep -q "$on" state/alarms
stop KILL; start; watch c "$from"
check "killed while an alarm rang: told that it is over" came c "\"event_id\": \"$on\".*\"state\": \"cut_off\""
check "  once" is "$(events c | grep -c "$on smoke_alarm end")" 1
check "  it stays up, as nobody has seen it" is "$(get status | py '[(a["event_id"], a["ended"], a["acknowledged"]) for a in d["alarms"] if a["event_id"] == "'$on'"]')" "[('$on', True, False)]"
pub ack "$on"; check "  until somebody has" came c "\"event\": \"ack\".*$on" 5
check "  also after the next start" wait_for 5 bash -c "! grep -q $on state/alarms"
watch c "nonsense.'; --"; check "an id of another kind: begins now" is "$(events c | grep -c .)" 0

echo "--- history"
"$E" history --state-dir "$W/state" --json --limit 0 >all.jsonl
check "pages of two hold what earshot history has" bash -c "diff <(python3 '$C' pages '$A/events?limit=2' | python3 -c '
import json, sys
for l in sys.stdin:
    e = json.loads(l)
    for k in \"name\", \"group\", \"alarm\", \"verdict\": del e[k]
    print(json.dumps(e, sort_keys=True))') <(python3 -c '
import json
for l in reversed(list(open(\"all.jsonl\"))): print(json.dumps(json.loads(l), sort_keys=True))')"
check "by label and time" is "$(get 'events?label=smoke_alarm&since=1h&limit=3' | py 'len(d["events"]), d["events"][0]["name"], d["next"] is not None')" "(3, 'Smoke alarm', True)"
check "none of another" is "$(get 'events?label=siren' | py 'd')" "{'events': [], 'next': None}"
total=$("$E" history counts --by label --label smoke_alarm --state-dir "$W/state" --json | py 'd["count"]')
check "counts by hour" is "$(get 'counts?hours=2' | py 'sum(d["labels"]["smoke_alarm"]), len(d["labels"]["smoke_alarm"]), d["step_s"]')" "($total, 2, 3600)"
clip=$(get 'events?label=smoke_alarm&limit=50' | py '[e["clip"] for e in d["events"] if e["clip"]][-1]')
curl -s "$A/clips/$clip" >clip.flac; curl -s -r 4-41 "$A/clips/$clip" >part
check "a clip, and a part of it" bash -c "cmp clip.flac state/clips/$clip && cmp part <(tail -c +5 clip.flac | head -c 38)"
check "  beyond its end: 416" is "$(code -r 999999999- "$A/clips/$clip")" 416
for path in ..%2fsettings.conf %2e%2e/history.db .part history.db "$clip.part"; do
    check "  $path: 404" is "$(code --path-as-is "$A/clips/$path")" 404
done
check "a verdict" is "$(send POST "events/$missed/label" '{"verdict":"wrong"}' | py 'd["ok"]')" True
check "  stands in the list" is "$(get 'events?limit=50' | py "[e['verdict'] for e in d['events'] if e['event_id'] == '$missed']")" "['wrong']"
check "  is told" came c "\"event\": \"verdict\".*$missed" 5
check "  and taken back" is "$(send DELETE "events/$missed/label" | py 'd["ok"]') $(get 'events?limit=50' | py "[e['verdict'] for e in d['events'] if e['event_id'] == '$missed']")" "True [None]"
check "  of nothing: 404" is "$(code -X DELETE "$A/events/$missed/label")" 404
pub label "{\"event_id\":\"$missed\",\"verdict\":\"right\"}"
check "  by MQTT" came c "\"event\": \"verdict\".*$missed.*\"right\"" 5
check "what was taught" is "$(get taught)" '{"classes":[],"corrections":[]}'
check "  nothing to forget: 404" is "$(code -X DELETE "$A/taught/my_kettle")" 404

echo "--- settings"
get settings >s.json
check "all options, with help" is "$(py 'len(d["settings"]) > 70, all(len(s["help"]) > 5 for s in d["settings"])' <s.json)" "(True, True)"
check "those that commands set are writable" is "$(py 'sorted(s["key"] for s in d["settings"] if s["writable"])' <s.json)" "['decision.cooldown', 'decision.threshold', 'gate.threshold', 'input.listening', 'model.file']"
check "no secret is told" is "$(py '[s["value"] for s in d["settings"] if s["key"] in ("mqtt.password_file", "web.token_file")]' <s.json)" "[None, None]"
send PATCH settings '{"values":{"gate.threshold":"-44 dBFS","decision.cooldown":3,"decision.threshold":2,"gate.hold":1,"gate.treshold":1}}' >p.json
check "each is answered by itself" is "$(py '[(k, v["ok"], v["value"]) for k, v in sorted(d["results"].items())]' <p.json)" "[('decision.cooldown', True, '3 s'), ('decision.threshold', False, 'model'), ('gate.hold', False, None), ('gate.threshold', True, '-44 dBFS'), ('gate.treshold', False, None)]"
check "  with what is allowed" bash -c "grep -q 'allowed: model, or a number from 0 to 1' p.json && grep -q 'systemctl reload' p.json && grep -q 'did you mean gate.threshold' p.json"
check "  seen by MQTT, the stream, earshot set" bash -c "grep -q -- '-44 dBFS' <(timeout 5 mosquitto_sub -p $PORT -t earshot/d/setting/threshold -C 1) && grep -q '\"name\": \"threshold\", \"value\": \"-44 dBFS\"' c && '$E' set --state-dir '$W/state' | grep -q '^threshold *-44 dBFS'"
check "  in force" is "$(get status | py 'd["gate"]["threshold_dbfs"]')" -44.0
check "  and not kept" test ! -s state/settings.conf
check "persist" is "$(send PATCH settings '{"values":{"gate.threshold":"-41 dBFS"},"persist":true}' | py 'd["results"]["gate.threshold"]["ok"]') $(grep -c 'threshold = -41 dBFS' state/settings.conf)" "True 1"
check "null puts back" is "$(send PATCH settings '{"values":{"decision.cooldown":null},"persist":true}' | py 'd["results"]["decision.cooldown"]["value"]')" "0 s"
for bad in '{}' '{"values":{}}' '{"values":[1]}' '{"values":{"gate.threshold":"-40"},"persist":1}' '[]' 'x'; do
    check "$bad: 400" is "$(code -X PATCH -H 'Content-Type: application/json' -d "$bad" "$A/settings")" 400
done
check "a value that is none" is "$(send PATCH settings '{"values":{"gate.threshold":[1]}}' | py 'd["results"]["gate.threshold"]["ok"]')" False
check "models" is "$(get models | py '[(m["name"], m["in_use"]) for m in d["models"] if m["name"] in ("earshot-s", "us8k-mfcc40")]')" "[('earshot-s', True), ('us8k-mfcc40', False)]"
check "  one with other sounds, while clips are kept by those of this one: refused" bash -c "$(declare -f send); A=$A send PATCH settings '{\"values\":{\"model.file\":\"us8k-mfcc40\"}}' | grep -q '\"ok\":false.*other labels'"
check "  a path is none" is "$(send PATCH settings '{"values":{"model.file":"/etc/passwd"}}' | py 'd["results"]["model.file"]["ok"]')" False
check "listening off and on" is "$(send PUT listening '{"listening":false}')$(get listening)$(send PUT listening '{"listening":true}')" '{"listening":false}{"listening":false}{"listening":true}'
check "  is told" came c '"event": "status".*"listening": false' 5
check "a test goes through every output" is "$(send POST test '{"label":"siren"}' | py 'sorted((r["output"], r["ok"]) for r in d["reports"])')" "[('history', True), ('journal', True), ('mqtt', True), ('web', True)]"
check "  it is shown as an alarm that is a test" is "$(get status | py '[a["test"] for a in d["alarms"] if a["label"] == "siren"]')" "[True]"
check "  of no sound: 400" is "$(code -X POST -H 'Content-Type: application/json' -d '{"label":"sren"}' "$A/test")" 400
check "no audio was lost" is "$(get status | py 'd["input"]["overruns"], d["input"]["lost_frames"], d["counters"]["windows_dropped"]')" "(0, 0, 0)"
stop; start --clips.record=off
check "what was kept is in force after a restart" is "$(get status | py 'd["gate"]["threshold"]')" "-41 dBFS"
check "another model, where no clips are kept" is "$(send PATCH settings '{"values":{"model.file":"us8k-mfcc40"}}' | py 'd["results"]["model.file"]["value"]') $(get status | py 'd["model"], d["window_s"], len(d["labels"])')" "us8k-mfcc40 ('us8k-mfcc40', 4.0, 10)"
stop; check "it ends: exit 0" is $rc 0
check "no sanitizer complained" bash -c "! grep -E 'Sanitizer|runtime error' all.txt log.txt"
[ "$FAIL" = 0 ] || { tail -30 log.txt; tail -n 3 a c; cat s.json p.json | cut -c1-1500; }
summary
