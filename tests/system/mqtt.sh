#!/bin/bash
# mqtt.sh - the MQTT output against a real broker and against brokers at their worst: absent, killed, frozen, mute, refusing,
# older than MQTT 5, behind TLS; and against hostile commands. ~160 s.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); build=$(dirname "$(realpath "${EARSHOT:-$root/build/earshot}")")
need mosquitto mosquitto-clients openssl python3 pkg-config
W=$(mktemp -d); export MQTT_DIR=$W/broker MQTT_PORT=${MQTT_PORT:-18930} MQTT_SYNC=1
B=$here/mqtt_broker.sh; FAKE=$((MQTT_PORT + 5)); PIDS=()
end() { exec 5>&-; kill "${PIDS[@]}" 2>/dev/null; "$B" thaw 2>/dev/null; "$B" stop; wait; rm -rf "$W"; }
trap end EXIT

case $build in */asan) san="-fsanitize=address,undefined" ;; */tsan) san="-fsanitize=thread" ;; *) san= ;; esac
# shellcheck disable=SC2046,SC2086
cc -std=c11 -D_GNU_SOURCE -I"$root/common" -I"$root" -g -pthread $san -o "$W/driver" "$here/mqtt_driver.c" "$build/libdaemon.a" \
    "$build/libcommon.a" $(pkg-config --libs portaudio-2.0 alsa samplerate kissfft-float libmosquitto libsystemd libprotobuf-c \
    sndfile inih jansson sqlite3) -lXNNPACK -lpthreadpool -ldl -lm || die "cannot build the driver"
printf 'ear-secret\n' >"$W/pw"; printf 'wrong\n' >"$W/wrong"

# --- helpers -------------------------------------------------------------------------------------------------------------
N=0 BAD=
drive() { # OPTION... : a driver under a node of its own (n1, n2, ...)
    N=$((N + 1)); node=n$N; out=$W/out.$N; log=$W/log.$N; mkfifo "$W/in.$N"
    ${WRAP:-} "$W/driver" mqtt.host=localhost mqtt.port="$MQTT_PORT" mqtt.username=ear mqtt.password_file="$W/pw" mqtt.base=ear \
        mqtt.node=$node "$@" <"$W/in.$N" >"$out" 2>"$log" & driver=$!; PIDS+=("$driver")
    exec 5>"$W/in.$N"
}
say() { printf '%s\n' "$*" >&5; }
finish() { say "stop ${1:-0.8}"; exec 5>&-; wait "$driver" || BAD="$BAD $node"; }
connected() { wait_for "${1:-5}" grep -q 'connected to' "$log"; }
logged() { wait_for "${2:-5}" grep -q "$1" "$log"; }
watch() { # reads all that ear says, whatever becomes of the broker
    trap 'kill $c; exit' TERM
    while :; do "$B" sub "ear/#" -q 1 -c -i watch & c=$!; wait $c; sleep 0.1; done
}
said() { wait_for "${2:-5}" grep -aqP "^ear/$node/$1" "$W/sub.txt"; } # TOPIC<TAB>qos<TAB>retain<TAB>payload
retained() { timeout 5 "$B" sub "ear/$node/$1" -C 1 -W 2 2>/dev/null | grep -qP "\t1\t$2"; }
no_retained() { ! timeout 5 "$B" sub "ear/$node/$1" -C 1 -W 1 2>/dev/null | grep -q .; }
pub() { mosquitto_pub -h 127.0.0.1 -p "$MQTT_PORT" -u watcher -P watch-secret -q 1 "$@"; }
stop_ms() { sed -n 's/^stop: \([0-9]*\) ms/\1/p' "$out"; }
stopped_within() { [ "$(stop_ms)" -le "$1" ]; }
slowest() { sed -n 's/^slowest event(): \([0-9]*\) us/\1/p' "$out"; }
events() { grep -aP "^ear/$node/event\t" "$W/sub.txt" | cut -f4; }
# all COUNT events came, in order, none missing; a repeat carries the same id
complete() { events | python3 -c '
import json, sys
ids = list(dict.fromkeys(json.loads(line)["id"] for line in sys.stdin))
sys.exit(0 if len(ids) == int(sys.argv[1]) and ids == sorted(ids) else 1)' "$1"; }
fake() { # MODE : a fake broker on $FAKE
    FAKE=$((FAKE + 1)); python3 "$here/fake_broker.py" "$1" "$FAKE" >"$W/fake.$FAKE" & fake=$!; PIDS+=($fake)
    wait_for 5 grep -q listening "$W/fake.$FAKE"
}

# --- absent, there, killed, there again -----------------------------------------------------------------------------------
# the watcher's session first: from here on the broker keeps for it what it misses
"$B" start || exit 1
watch >"$W/sub.txt" 2>/dev/null & PIDS+=($!)
wait_for 5 grep -q 'Sending SUBACK to watch' "$MQTT_DIR/log"
"$B" stop
drive; say start dog_bark; say end dog_bark; say start siren
check "a broker that is absent at boot is said with its reason" logged "cannot connect to localhost:$MQTT_PORT: Connection refused"
"$B" start || exit 1
t=$(date +%s%N)
check "  connects once it is there" connected 10
echo "        ($((($(date +%s%N) - t) / 1000000)) ms after the broker came up)"
check "  the events from before arrive, in order" wait_for 5 complete 3
check "  status online, retained" retained status online
check "  states are of the present: what is over is OFF" retained state/dog_bark OFF
check "  what goes on is ON" retained state/siren ON
check "  and dog_bark never showed ON" bash -c "! grep -aqP '^ear/$node/state/dog_bark\t.*ON' '$W/sub.txt'"
say health ok
check "  health, retained" retained health '{.*"state":"ok"'
check "  settings, retained" retained setting/threshold 'auto\+12 dB'
check "  level, not retained" said 'level\t0\t0\t{'
say quiet-start dog_bark
check "  an event that is held back moves the state" said 'state/dog_bark\t.*ON'
check "  and makes no event" bash -c "[ \$(grep -acP '^ear/$node/event\t' '$W/sub.txt') = 3 ]"
say quiet-end dog_bark; say end siren
check "  ends end" retained state/siren OFF

"$B" kill; say start dog_bark; say end dog_bark
check "broker killed: said" logged 'lost the connection'
sleep 1; "$B" start
check "  connected again" wait_for 10 bash -c "[ \$(grep -c 'connected to' '$log') = 2 ]"
check "  nothing is missing" wait_for 5 complete 6
finish
check "clean stop: offline, in $(stop_ms) ms; event() took $(slowest) us at most" retained status offline
check "  within 0.8 s" stopped_within 800
check "no password in the log" bash -c "! grep -rq 'ear-secret' '$W'/log.*"

# --- latency ---------------------------------------------------------------------------------------------------------------
drive; connected
for i in $(seq 7); do say test dog_bark; done
check "7 test events are acknowledged" wait_for 30 bash -c "[ \$(grep -c 'test: ok acknowledged by broker' '$out') = 7 ]"
echo "        (event() to PUBACK: median $(sed -n 's/.* in \([0-9.]*\) ms$/\1/p' "$out" | sort -n | sed -n 4p) ms," \
    "worst $(sed -n 's/.* in \([0-9.]*\) ms$/\1/p' "$out" | sort -n | tail -1) ms)"
check "  they say that they are tests" bash -c "grep -aP '^ear/$node/event\t' '$W/sub.txt' | head -1 | grep -q '\"test\":true'"
check "  and leave the state OFF" retained state/dog_bark OFF

# --- commands in -----------------------------------------------------------------------------------------------------------
pub -t "ear/$node/set/threshold" -m '-40 dBFS'
check "set/threshold reaches the daemon" wait_for 3 grep -q '^set threshold -40 dBFS' "$out"
pub -t "ear/$node/set/listening" -m bad
check "  a bad value is warned of" logged 'command ignored: set/listening: bad'
sleep 1; head -c 200000 /dev/zero | tr '\0' x | pub -t "ear/$node/set/threshold" -s
check "  a long one" logged 'set/threshold: 200000 bytes'
sleep 1; printf 'O\0N' | pub -t "ear/$node/set/listening" -s
check "  a NUL" logged 'set/listening: control character'
sleep 1; printf '\377\376' | pub -t "ear/$node/set/listening" -s
check "  not UTF-8" logged 'set/listening: not UTF-8'
for i in $(seq 40); do printf 'x\001\n'; done | pub -t "ear/$node/set/listening" -l
say health ok; sleep 0.3; say health lost
check "  a flood is counted (44) but not logged line by line" said 'health\t.*"commands_rejected":44'
check "  " bash -c "[ \$(grep -c 'command ignored' '$log') -lt 8 ]"
finish
node=n$((N + 1)); pub -r -t "ear/$node/set/threshold" -m off
pub -r -t "ear/$node/state/old_label" -m ON; pub -r -t "ear/$node/state/mine" -m 'something else'
drive; connected
check "a retained command is ignored" logged 'set/threshold is a retained message'
check "  " bash -c "! grep -q '^set' '$out'"
check "the state of a label that is no more is cleared" wait_for 5 no_retained state/old_label
check "  what is not ours there is not" retained state/mine 'something else'
finish

# --- late, full ------------------------------------------------------------------------------------------------------------
"$B" stop
drive mqtt.queue=40; say age 3600; say start siren; say age 0; say end siren; say burst 100; say counters
check "a full queue drops events and counts them" wait_for 5 grep -q 'queued 40 dropped 62' "$out"
say health ok
check "  says so in the log" logged '62 starts and ends and 0 updates were lost'
finish 5
check "a connection that is refused is not waited for ($(stop_ms) ms)" stopped_within 300
check "  what was not delivered is said" logged '40 events were not delivered'
drive; say age 3600; say start siren; say age 0; say end siren; logged 'Connection refused'
"$B" start
connected 10
check "an old event carries late: true" wait_for 5 bash -c "grep -aP '^ear/$node/event\t' '$W/sub.txt' | head -1 | grep -q '\"late\":true'"
check "  a new one does not" wait_for 5 bash -c "grep -aP '^ear/$node/event\t' '$W/sub.txt' | tail -1 | grep -q '\"late\":false'"
check "  and no state rang for it" bash -c "! grep -aqP '^ear/$node/state/siren\t.*ON' '$W/sub.txt'"
finish

# --- frozen ------------------------------------------------------------------------------------------------------------------
freeze() { # SECONDS
    drive; connected; "$B" freeze; say burst 200; sleep "$1"; say burst 100; "$B" thaw; t=$(date +%s%N)
    check "frozen for $1 s and thawed: all 300 events, in order" wait_for 40 complete 300
    echo "        ($((($(date +%s%N) - t) / 1000000)) ms after the thaw; $(grep -c 'connected to' "$log") connections)"
    finish; check "  event() took $(slowest) us at most" [ "$(slowest)" -lt 20000 ]
}
freeze 11
freeze 60
drive; connected; "$B" freeze; say burst 10; sleep 0.3; finish 0.8; ms=$(stop_ms)
check "SIGTERM while it is frozen ($ms ms)" stopped_within 820
"$B" thaw
check "  the will or the message says offline" wait_for 5 retained status offline

# --- refusals ----------------------------------------------------------------------------------------------------------------
drive mqtt.password_file="$W/wrong"
check "wrong password: said with the broker's reason" logged 'the broker refused: [Nn]ot authori'
sleep 2.5
check "  once" bash -c "[ \$(grep -c 'refused' '$log') = 1 ]"
printf 'ear-secret' >"$W/wrong"
check "  and put right without a restart" connected 8
finish; printf 'wrong\n' >"$W/wrong"
drive mqtt.password_file="$W/later"
check "password file missing: named" logged "password file $W/later: No such file"
printf 'ear-secret\n' >"$W/later"
check "  and found once it is there" connected 8
finish
mkdir "$W/cred"; printf 'ear-secret' >"$W/cred/mqtt-password"
WRAP="env CREDENTIALS_DIRECTORY=$W/cred" drive mqtt.password_file=
check "password from a systemd credential" connected; finish
WRAP="env EARSHOT_MQTT_PASSWORD=ear-secret" drive mqtt.password_file=
check "password from the environment" connected; finish
printf 'mute-secret' >"$W/mute"
drive mqtt.username=mute mqtt.password_file="$W/mute"; connected; say test siren
check "an event that the ACL denies is reported (MQTT 5)" wait_for 6 grep -q 'test: failed refused by broker.*: Not authorized' "$out"
check "  and logged" logged 'an event was refused'
finish

# --- TLS ---------------------------------------------------------------------------------------------------------------------
T="mqtt.port=$((MQTT_PORT + 1)) mqtt.tls=on"; C="mqtt.port=$((MQTT_PORT + 2)) mqtt.tls=on mqtt.ca_file=$MQTT_DIR/ca.crt"
drive $T mqtt.ca_file="$MQTT_DIR/ca.crt"
check "TLS with the right authority" connected
say burst 50; check "  events arrive" wait_for 5 complete 50; finish
drive $T mqtt.ca_file="$MQTT_DIR/wrong-ca.crt"
check "TLS, another authority: refused" logged 'cannot connect.*TLS: .*certificate verify failed'; finish
drive $T
check "TLS, the system's authorities: refused" logged 'cannot connect.*TLS: .*certificate verify failed'; finish
WRAP="env SSL_CERT_FILE=$MQTT_DIR/ca.crt" drive $T
check "  with ours among them: connects" connected; finish
WRAP="env SSL_CERT_FILE=$MQTT_DIR/ca.crt" drive $C mqtt.ca_file= mqtt.cert_file="$MQTT_DIR/client.crt" mqtt.key_file="$MQTT_DIR/client.key"
check "  and with a client certificate" connected; finish
drive $T mqtt.ca_file="$MQTT_DIR/ca.crt" mqtt.host=127.0.0.2
check "TLS, a host that the certificate does not name: refused" logged 'cannot connect.*TLS: '; finish
check "  " bash -c "! grep -q 'connected to' '$log'"
drive $T mqtt.ca_file="$W/none.crt"
check "TLS, no such file: named" logged "mqtt.ca_file $W/none.crt: No such file"; finish
drive $C mqtt.cert_file="$MQTT_DIR/client.crt" mqtt.key_file="$MQTT_DIR/client.key"
check "TLS with a client certificate" connected; finish
drive $C; sleep 1.5
check "  without it: refused" bash -c "grep -q 'cannot connect' '$log' && ! grep -q 'connected to' '$log'"; finish
drive mqtt.tls=on mqtt.ca_file="$MQTT_DIR/ca.crt"; sleep 1
check "TLS to a port without it: refused" bash -c "grep -q 'cannot connect' '$log' && ! grep -q 'connected to' '$log'"; finish

# --- older and worse brokers ---------------------------------------------------------------------------------------------------
for mode in reject84 reject01 hangup; do
    fake $mode; drive mqtt.port=$FAKE
    check "3.1.1 where MQTT 5 is not spoken ($mode)" logged 'connected to .* with MQTT 3.1.1'
    say test siren
    check "  events are acknowledged" wait_for 5 grep -q 'test: ok acknowledged' "$out"
    finish
    check "  status offline at the end" wait_for 2 grep -q "4 ear/$node/status offline" "$W/fake.$FAKE"
    kill $fake
done
fake reject84; drive mqtt.port=$FAKE mqtt.version=5
check "version = 5: refused with the reason" logged 'the broker refused: '; finish; kill $fake
fake silent
for tls in off on; do
    drive mqtt.port=$FAKE mqtt.tls=$tls; say burst 4; sleep 0.5; finish 0.8; ms=$(stop_ms)
    check "a listener that never answers (tls $tls): stop in $ms ms" stopped_within 820
    drive mqtt.port=$FAKE mqtt.tls=$tls; sleep 0.3; finish 0.8; ms=$(stop_ms)
    check "  with nothing to tell: $ms ms" stopped_within 100
done
drive mqtt.port=$FAKE; say start siren
check "  it is said" logged 'no answer from the broker within 10 s' 13
say test siren
check "  earshot test says why" wait_for 8 grep -q 'test: failed not connected to broker.*no answer' "$out"
finish 0.8; kill $fake

# --- a network that swallows everything; needs root and namespaces ---------------------------------------------------------------
black='ip link set lo up && ip link add hole type veth peer name hole2 && ip addr add 10.99.0.1/24 dev hole &&
    ip link set hole up && ip link set hole2 up && ip neigh add 10.99.0.2 lladdr 02:00:00:00:00:02 dev hole && exec "$@"'
if unshare -n bash -c "$black" x true 2>/dev/null; then
    N=$((N + 1)); out=$W/out.$N; log=$W/log.$N
    printf 'burst 4\nsleep 1\nstop 0.8\n' | unshare -n bash -c "$black" x "$W/driver" mqtt.host=10.99.0.2 >"$out" 2>"$log"
    check "a black-holed address: stop in $(stop_ms) ms" stopped_within 820
    check "  what was not delivered is said" logged '4 events were not delivered'
    printf 'nameserver 10.99.0.2\n' >"$W/resolv"
    printf 'start siren\nsleep 1\nstop 0.8\n' | unshare -n -m bash -c "mount --bind '$W/resolv' /etc/resolv.conf; $black" x \
        "$W/driver" mqtt.host=broker.example >"$out" 2>"$log"
    check "a resolver that never answers: stop in $(stop_ms) ms" stopped_within 820
else
    skip "a black-holed address and resolver: no network namespace can be made here"
fi

# --- two boxes of one name -------------------------------------------------------------------------------------------------------
printf '0123456789abcdef0123456789abcdef\n' >"$W/id"
if unshare -m bash -c "mount --bind '$W/id' /etc/machine-id" 2>/dev/null; then
    drive; connected; first=$log first_in=$W/in.$N first_driver=$driver; exec 6>&5
    N=$((N + 1)); log=$W/log.$N
    printf 'sleep 4\nstop 0.8\n' | unshare -m bash -c "mount --bind '$W/id' /etc/machine-id; exec \"\$@\"" x "$W/driver" \
        mqtt.host=localhost mqtt.port="$MQTT_PORT" mqtt.username=ear mqtt.password_file="$W/pw" mqtt.base=ear mqtt.node="$node" 2>"$log" >/dev/null
    check "two boxes with one name do not throw each other off" bash -c "! grep -q 'lost' '$first' '$log' && grep -q 'connected to' '$log'"
    echo stop 0.8 >&6; exec 6>&- 5>&-; wait "$first_driver"
else
    skip "two boxes with one name: no mount namespace can be made here"
fi

check "every program ended well" [ -z "$BAD" ]
check "  and no sanitizer complained" bash -c "! grep -lE 'Sanitizer|runtime error' '$W'/log.*"
if [ "$FAIL" != 0 ]; then for f in "$W"/log.*; do echo "== $f"; tail -40 "$f"; done; fi
summary
