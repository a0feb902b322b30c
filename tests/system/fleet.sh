#!/bin/bash
# fleet.sh - what conf/fleet ships, with the real programs: a box's broker and a central one with the bridge between them going down and up,
# earshot-to-postgres into a real PostgreSQL that goes away and comes back, the dashboard's queries, and a load of many boxes on one broker.
# What Debian does not have (Telegraf, Grafana) is checked as a file. ~40 s. FLEET_BOXES=500 FLEET_SECONDS=20 for the figures.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); F=$root/conf/fleet
LOAD=$(realpath "${EARSHOT:-$root/build/earshot}"); LOAD=$(dirname "$LOAD")/tests/fleet_load
W=$(mktemp -d); chmod 755 "$W"
cd "$W" || exit 1
freeport() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
end() { for p in *.pid; do stop_pid "$p"; done; [ ! -d pg ] || as_pg "$PG/pg_ctl" -D "$W/pg" -m immediate stop >/dev/null 2>&1; wait; rm -rf "$W"; }
trap end EXIT
C=$(freeport) S=$(freeport) B=$(freeport)

# the files as they ship, but for names, folders and ports
files() {
    mkdir -p box central; touch passwd; chmod 600 passwd
    for u in box-1 reader load; do mosquitto_passwd -b passwd $u secret; done
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -keyout central.key -out central.crt 2>/dev/null
    { cat "$F/fleet.acl"; printf '\nuser load\ntopic readwrite earshot/#\n'; } >acl; chmod 600 acl
    { echo 'user root'; sed -e "s|/etc/mosquitto/certs|$W|; s|/etc/mosquitto/passwd|$W/passwd|; s|/etc/mosquitto/fleet.acl|$W/acl|" \
        -e "s|listener 8883|listener $S|; s|listener 1883 localhost|listener $C 127.0.0.1|" "$F/central.conf"; } >central.conf.d
    { echo 'user root'; sed -e "s|listener 1883 localhost|listener $B 127.0.0.1|; s|central.example:8883|localhost:$S|" \
        -e "s|CHANGE-ME|secret|; s|/etc/ssl/certs/ca-certificates.crt|$W/central.crt|; s|restart_timeout 1 30|restart_timeout 1 2|" "$F/bridge.conf"; } >box.conf.d
    # as Debian's mosquitto.conf begins, which these are included by
    for b in box central; do { printf 'persistence true\npersistence_location %s/%s/\n' "$W" $b; cat $b.conf.d; } >$b.conf; done
}
broker() { mosquitto -c "$1.conf" >>"$1.log" 2>&1 & echo $! >"$1.pid"; wait_for 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$2" 2>/dev/null || { cat "$1.log"; die "no broker"; }; } # NAME PORT
central() { mosquitto_"$1" -p "$C" -u reader -P secret "${@:2}"; }
event() { # NUMBER [TYPE]: an event's payload
    printf '{"schema":1,"id":"01a1ff14-d5eb-73a5-90b5-%012d","event_type":"%s","event_id":"01a1ff14-be7e-73a7-be35-%012d","sound_id":"01a1ff14-bd82-705b-b408-%012d","label":"siren","score":0.9613,"top":[{"label":"siren","score":0.9613}],"source":"mic","start":"2026-11-21T17:08:%02d.998Z","end":null,"duration_s":null,"peak_dbfs":-10.0,"rms_dbfs":-18.7,"segments":7,"model":"earshot-s","clip":null,"lost_frames":0,"late":false,"test":false}\n' \
        "$1" "${2:-start}" "$1" "$1" $(($1 % 60))
}
events() { for i in $(seq "$1" "$2"); do event "$i"; done; }
publish() { mosquitto_pub -p "$B" -t earshot/box-1/event -q 1 -l; }
files

echo "--- the bridge"
broker central "$C"; broker box "$B"
(central sub -i reader -c -q 1 -t 'earshot/#' -F '%t %p' >got.txt & echo $! >sub.pid); sleep 0.5
arrived() { [ "$(grep -c '^earshot/box-1/event ' got.txt)" -ge "$1" ]; }
events 1 50 | publish
check "events go from box to centre, over TLS, with password and ACL" wait_for 10 arrived 50
mosquitto_pub -p "$B" -t earshot/box-1/status -q 1 -r -m online
check "  and the retained status" wait_for 5 grep -qx 'earshot/box-1/status online' got.txt
(mosquitto_sub -p "$B" -t 'earshot/box-1/set/+' -C 1 -W 10 -F '%t %p' >set.txt & echo $! >set.pid); sleep 0.3
mosquitto_pub -p "$C" -u load -P secret -t earshot/box-1/set/listening -m OFF
check "  commands come back" wait_for 5 grep -qx 'earshot/box-1/set/listening OFF' set.txt
mosquitto_pub -p "$B" -t earshot/box-2/event -q 1 -m '{"forged":true}'; sleep 0.5
check "  what a box says in another's name is not taken (ACL)" bash -c '! grep -q box-2 got.txt'
stop_pid central.pid
events 51 300 | publish
stop_pid box.pid; broker box "$B" # restarted with its queue while the centre is away
events 301 400 | publish
sleep 1; check "the centre is away: nothing arrives" test "$(grep -c '^earshot/box-1/event ' got.txt)" = 50
broker central "$C"
check "  it is back: all arrive that came meanwhile, over a restart of the box's broker" wait_for 20 arrived 400
kill -KILL "$(cat central.pid)"; rm -f central.pid
events 401 500 | publish
broker central "$C"
check "  again after a kill -9 of the centre" wait_for 20 arrived 500
order() { grep '^earshot/box-1/event ' got.txt | grep -o '73a5-90b5-[0-9]*' | awk -F- '!seen[$3]++ {print $3 + 0}' >order.txt; seq 1 500 | cmp - order.txt; }
check "  none lost, in order; $(($(grep -c '^earshot/box-1/event ' got.txt) - 500)) came twice" order
stop_pid sub.pid

echo "--- PostgreSQL"
PG=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)
as_pg() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
if [ -x "$PG/initdb" ] && /usr/bin/python3 -c 'import paho.mqtt.client, psycopg2' 2>/dev/null; then
    mkdir pg; [ "$(id -u)" != 0 ] || chown postgres pg
    as_pg "$PG/initdb" -D "$W/pg" -A trust -U postgres -N >/dev/null 2>&1
    P=$(freeport)
    pg() { as_pg "$PG/pg_ctl" -D "$W/pg" -o "-p $P -k $W/pg -c listen_addresses= -c fsync=off" -w -l "$W/pg/log" "$@" >/dev/null; }
    sql() { psql -qAt -h "$W/pg" -p "$P" -U postgres -d fleet "$@" 2>&1; }
    pg start; psql -q -h "$W/pg" -p "$P" -U postgres -c 'CREATE DATABASE fleet'
    check "schema.sql, twice" bash -c "$(declare -f sql); W=$W P=$P; ! { sql -f '$F/schema.sql'; sql -f '$F/schema.sql'; } | grep ERROR"
    collect() { PGHOST=$W/pg PGPORT=$P PGUSER=postgres PGDATABASE=fleet MQTT_PORT=$C MQTT_USERNAME=reader MQTT_PASSWORD=secret "$F/earshot-to-postgres" 2>>collect.log & echo $! >collect.pid; }
    n() { sql -c "SELECT count(*) FROM $1"; }
    has() { [ "$(n "$1")" = "$2" ]; }
    collect; wait_for 10 grep -q 'broker: connected' collect.log; sleep 0.5
    events 1 100 | publish
    check "events become rows" wait_for 15 has event 100
    { event 100; event 99; event 101 end; } | publish
    check "  a repeat is the same row; its values are those of the event" wait_for 10 has event 101
    check "  " test "$(sql -c "SELECT node, event_type, label, score, start_time AT TIME ZONE 'UTC', end_time, rms_dbfs, late FROM event WHERE id::text LIKE '%000000000100'")" = 'box-1|start|siren|0.9613|2026-11-21 17:08:40.998||-18.7|f'
    mosquitto_pub -p "$B" -t earshot/box-1/level -m '{"time":"2026-11-21T17:08:45.410Z","laeq":-21.62,"lafmax":-13.61,"lcpeak":-10.5,"l10":-14.97,"l50":-56.6,"l90":-139.98,"calibrated":false}'
    mosquitto_pub -p "$B" -t earshot/box-1/health -q 1 -r -m '{"time":"2026-11-21T17:08:45.410Z","version":"0.1.0","uptime_s":12.5,"lost_frames":0,"input":{"state":"ok"}}'
    check "levels, health and status too" wait_for 10 test "$(sleep 1; sql -c "SELECT (SELECT laeq FROM level), health->>'version', status FROM box")" = '-21.62|0.1.0|online'
    printf '%s\n' '{"schema":1}' 'nonsense' '{"schema":2,"id":"x"}' '[]' '{"schema":1,"id":"'"'"'; DROP TABLE event; --","event_type":"start"}' | publish
    events 102 110 | publish
    check "what is no event is left out and said; the next are taken" wait_for 10 has event 110
    check "  each of them" test "$(grep -c 'left out: earshot/box-1/event' collect.log)" = 5
    pg -m fast stop
    events 111 200 | publish; sleep 1
    check "the database is away: said" wait_for 10 grep -q 'database: .*tried again' collect.log
    pg start
    check "  back: nothing is lost" wait_for 30 has event 200
    kill -KILL "$(cat collect.pid)"; rm -f collect.pid
    events 201 300 | publish
    collect
    check "killed, and started again: the broker has kept what came" wait_for 15 has event 300
    # each query of the dashboard, with what Grafana would put in its place
    python3 - "$F/grafana-dashboard.json" >queries.sql <<'Q'
import json, re, sys
d = json.load(open(sys.argv[1]))
sql = [t["rawSql"] for p in d["panels"] for t in p["targets"]] + [v["query"] for v in d["templating"]["list"] if v["type"] == "query"]
assert len(sql) >= 8
for q in sql:
    q = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN '2026-01-01' AND '2030-01-01'", q)
    q = re.sub(r"\$__timeGroup\((\w+), *'?([^')]*)'?\)", r"floor(extract(epoch from \1) / 3600) * 3600", q)
    print(re.sub(r"IN \(\$node\)", "IN ('box-1')", re.sub(r"IN \(\$label\)", "IN ('siren')", q)) + ";\n\\echo --")
Q
    sql -v ON_ERROR_STOP=1 -f queries.sql >answers.txt
    check "the dashboard's $(grep -c -- '^--$' answers.txt) queries all run, and find something" bash -c "! grep -n ERROR answers.txt && ! grep -q '\\$' queries.sql && [ \$(grep -cv -- '^--\$' answers.txt) -ge 100 ]"
    stop_pid collect.pid
else
    skip "PostgreSQL: postgresql, python3-psycopg2 or python3-paho-mqtt is not installed"
fi

echo "--- files for programs that Debian does not have"
telegraf() { /usr/bin/python3 - "$F/telegraf.conf" <<'T'
import json, subprocess, sys
try: import tomllib
except ImportError: sys.exit(0)
c = tomllib.load(open(sys.argv[1], "rb"))
event = json.loads(subprocess.run(["bash", "-c", "cat event.json"], stdout=subprocess.PIPE).stdout)
level = {"time": 0, "laeq": 0, "lafmax": 0, "l90": 0}
for i in c["inputs"]["mqtt_consumer"]:
    payload = event if "event" in i["topics"][0] else level
    assert i["data_format"] == "json_v2"
    for j in i["json_v2"]:
        for f in j.get("tag", []) + j.get("field", []) + [{"path": j["timestamp_path"]}]: assert f["path"] in payload, f
    depth = i["topics"][0].count("/")
    for t in i["topic_parsing"]: assert t["topic"].count("/") == t["tags"].count("/") == t["measurement"].count("/") == depth
assert c["outputs"]["influxdb"][0]["database"]
T
}
event 1 >event.json
check "telegraf.conf: TOML, and each path is in an event or level (Telegraf itself is not in Debian: not run)" telegraf
grafana() { /usr/bin/python3 - "$F/grafana-dashboard.json" <<'G'
import json, sys
d = json.load(open(sys.argv[1]))
ids = [p["id"] for p in d["panels"]]
assert len(set(ids)) == len(ids) and d["schemaVersion"] >= 36 and d["uid"] and d["title"]
for p in d["panels"]:
    g = p["gridPos"]
    assert 0 <= g["x"] and g["x"] + g["w"] <= 24 and g["h"] > 0 and p["type"] in ("table", "timeseries", "barchart")
    for t in p["targets"]: assert t["format"] in ("table", "time_series") and t["datasource"]["uid"] == "${DS}" and t["rawQuery"]
cells = [(x, y) for p in d["panels"] for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"]) for y in range(p["gridPos"]["y"], p["gridPos"]["y"] + p["gridPos"]["h"])]
assert len(cells) == len(set(cells)), "panels overlap"
G
}
check "grafana-dashboard.json: its structure (Grafana itself is not in Debian: not run)" grafana
command -v systemd-analyze >/dev/null && check "earshot-to-postgres.service" bash -c "! systemd-analyze verify --man=no '$F/earshot-to-postgres.service' 2>&1 | grep -E 'earshot-to-postgres.service:' | grep -vE 'is not executable'"

echo "--- load: ${FLEET_BOXES:-50} boxes, ${FLEET_RATE:-10} events a second each, ${FLEET_SECONDS:-4} s"
if [ -x "$LOAD" ]; then
    load() { "$LOAD" --port "$C" --user load --password secret --boxes "${FLEET_BOXES:-50}" --rate "${FLEET_RATE:-10}" --seconds "${FLEET_SECONDS:-4}" >load.txt 2>&1; }
    check "none lost, none out of order" load
    sed 's/^/        /' load.txt
else
    skip "load: $LOAD is not built"
fi
[ "$FAIL" = 0 ] || tail -n 15 box.log central.log collect.log load.txt 2>/dev/null
summary
