#!/bin/bash
# store.sh - history and outbox where things go wrong: killed again and again while the broker comes and goes, no room on the disk, a folder
# that cannot be written, a file of somebody else, a clock that jumps. $STORE_KILLS and $STORE_COUNT make the first one longer
# (200 and 10000: two minutes).
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); EARSHOT=$(realpath "${EARSHOT:-$root/build/earshot}"); build=$(dirname "$EARSHOT")
need mosquitto mosquitto-clients openssl python3 pkg-config
export EARSHOT_MODELS=$root/models
W=$(mktemp -d); chmod 755 "$W"; export MQTT_DIR=$W/broker MQTT_PORT=${MQTT_PORT:-18970}
B=$here/mqtt_broker.sh; PIDS=()
end() { exec 5>&-; kill "${PIDS[@]}" 2>/dev/null; "$B" stop; wait; mountpoint -q "$W/small" && umount "$W/small"; rm -rf "$W"; }
trap end EXIT

case $build in */asan) san="-fsanitize=address,undefined" ;; */tsan) san="-fsanitize=thread" ;; *) san= ;; esac
# shellcheck disable=SC2046,SC2086
cc -std=c11 -D_GNU_SOURCE -I"$root/common" -I"$root" -g -pthread $san -o "$W/driver" "$here/store_driver.c" "$build/libdaemon.a" \
    "$build/libcommon.a" $(pkg-config --libs portaudio-2.0 alsa samplerate kissfft-float libmosquitto libsystemd libprotobuf-c \
    sndfile inih jansson sqlite3) -lXNNPACK -lpthreadpool -ldl -lm || die "cannot build the driver"

# --- killed ----------------------------------------------------------------------------------------------------------------
mkdir "$W/kill"
"$B" start || exit 1
check "every stored event arrives, in order, with one id, over ${STORE_KILLS:-10} kills and a broker that comes and goes" \
    "$here/store_kill.py" "$W/driver" "$B" "$W/kill" "${STORE_KILLS:-10}" "${STORE_COUNT:-500}" "$MQTT_PORT" ${STORE_SEED:-}
"$B" stop

# --- a driver that is told when to make a sound; no broker, so that all stays in the outbox -----------------------------------
hold() { # DIR [OPTION...]
    local dir=$1; shift
    rm -f "$W/in"; mkfifo "$W/in"
    ${AS:-} "$W/driver" hold "$dir" 0 mqtt.host=127.0.0.1 mqtt.port="$MQTT_PORT" mqtt.username=ear mqtt.password_file="$W/pw" mqtt.base=ear \
        mqtt.node=hold "$@" <"$W/in" >"$W/out" 2>"$W/log" & driver=$!; PIDS+=("$driver")
    exec 5>"$W/in"
    wait_for 5 grep -q from "$W/out"
}
told() { grep -c '^figures' "$W/out"; }
sound() { local n; n=$(told); echo >&5; wait_for 5 bash -c "[ \$(grep -c '^figures' '$W/out') -gt $n ]"; }
look() { local n; n=$(told); echo look >&5; wait_for 5 bash -c "[ \$(grep -c '^figures' '$W/out') -gt $n ]"; } # figures, without a sound
figure() { tail -1 "$W/out" | grep -o " $1 [0-9]*" | cut -d' ' -f3; }
is() { look; [ "$(figure "$1")" = "$2" ]; }
becomes() { wait_for 8 is "$@"; }
over() { exec 5>&-; wait "$driver"; }
rows() { python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])' "$1/history.db" "$2"; }
printf 'ear-secret\n' >"$W/pw"

# --- no room ----------------------------------------------------------------------------------------------------------------
mkdir "$W/small"
if mount -t tmpfs -o size=1m,mode=777 none "$W/small" 2>/dev/null; then
    "$B" start
    timeout 60 "$B" sub ear/hold/event -q 1 >"$W/got" 2>/dev/null & PIDS+=($!) got=$!
    hold "$W/small"; wait_for 10 grep -q 'connected to' "$W/log"
    sound
    check "stored while there is room" is on_disk 1
    head -c 2000000 /dev/zero >"$W/small/ballast" 2>/dev/null
    for _ in $(seq 60); do sound; [ "$(figure on_disk)" = 0 ] && break; done
    check "a full disk is noticed" is on_disk 0
    check "and said, with what it means" grep -q 'the disk is full; earshot goes on listening and publishes from memory' "$W/log"
    before=$(wc -l <"$W/got"); sound
    check "events are published all the same" wait_for 8 bash -c "[ \$(wc -l <'$W/got') -ge $((before + 4)) ]"
    kill $got; wait $got 2>/dev/null
    last=$(figure stored)
    rm "$W/small/ballast"
    check "it recovers by itself" becomes on_disk 1
    check "and says so" grep -q 'takes events again' "$W/log"
    check "what happened meanwhile was stored after all" becomes waiting 0
    check "nothing is missing in the history" [ "$(figure unstored)" = 0 ]
    look; check "more is stored than before" [ "$(figure stored)" -gt "$last" ]
    check "all was delivered" becomes unsent 0
    over; "$B" stop
    check "the file is sound" [ "$(rows "$W/small" 'PRAGMA integrity_check')" = ok ]
    umount "$W/small"
else
    skip "no room: tmpfs cannot be mounted here"
fi

# --- not ours to write --------------------------------------------------------------------------------------------------------
if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --clear-groups true 2>/dev/null; then
    mkdir "$W/theirs"; chmod 777 "$W/theirs"; chmod 644 "$W/pw"
    AS="setpriv --reuid 65534 --regid 65534 --clear-groups"
    install -m 600 /dev/null "$W/theirs/history.db"
    hold "$W/theirs"; sound
    check "a database of another user is left alone" is on_disk 0
    check "whose it is, is said" grep -q "history.db belongs to root, mode 600; earshot runs as user 65534" "$W/log"
    chown 65534 "$W/theirs/history.db"
    check "once it is ours it is written" becomes on_disk 1
    over

    mkdir "$W/readonly"; chmod 555 "$W/readonly"
    hold "$W/readonly"; sound
    check "a folder that cannot be written: events go on from memory" is on_disk 0
    check "that is said" grep -q 'cannot be opened: Permission denied' "$W/log"
    chmod 777 "$W/readonly"
    check "once it can be written all is stored" becomes waiting 0
    over
    check "and there" [ "$(rows "$W/readonly" 'SELECT count(*) FROM outbox')" = 4 ]
    AS=

    mkdir "$W/later"; chmod 555 "$W/later"; install -m 755 "$EARSHOT" "$W/earshot"; cp -r "$root/models" "$W/models"; chmod -R a+rX "$W/models"
    python3 -c 'import time; time.sleep(9)' | EARSHOT_MODELS=$W/models setpriv --reuid 65534 --regid 65534 --clear-groups "$W/earshot" run \
        --state-dir "$W/later/state" --input - --mqtt.enabled=off >"$W/late.txt" 2>&1 & PIDS+=($!) late=$!
    check "the daemon starts without a state directory and says what that means" wait_for 5 grep -q "there is no history" "$W/late.txt"
    chmod 777 "$W/later"
    check "and makes it when it can" wait_for 8 test -s "$W/later/state/history.db"
    wait $late
else
    skip "not ours to write: this takes root, to be another user"
fi

# --- a clock that is set --------------------------------------------------------------------------------------------------------
# clock_gettime with an offset for CLOCK_REALTIME that a file holds (s)
cat >"$W/clock.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *t)
{
    static int (*real)(clockid_t, struct timespec *);
    static volatile long long *offset;
    if (!real) {
        int fd = open(getenv("CLOCK_OFFSET"), O_RDONLY);
        offset = mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
        real = dlsym(RTLD_NEXT, "clock_gettime");
    }
    int rc = real(id, t);
    if (id == CLOCK_REALTIME)
        t->tv_sec += *offset;
    return rc;
}
C
if [ -z "$san" ] && cc -shared -fPIC -o "$W/clock.so" "$W/clock.c" -ldl; then
    set_clock() { python3 -c 'import struct, sys; open(sys.argv[1], "r+b").write(struct.pack("q", int(sys.argv[2])))' "$W/offset" "$1"; }
    head -c 8 /dev/zero >"$W/offset"; mkdir "$W/clock"
    AS="env LD_PRELOAD=$W/clock.so CLOCK_OFFSET=$W/offset"
    "$B" start
    timeout 60 "$B" sub ear/hold/event -q 1 >"$W/got" 2>/dev/null & PIDS+=($!) got=$!
    wait_for 5 grep -q SUBACK "$MQTT_DIR/log"
    hold "$W/clock" history.keep=1days history.outbox_age=1days
    sound; set_clock 86400; sound; sound; set_clock -86400; sound; sound; set_clock 0; sound
    check "a clock that jumps a day ahead, two back, and right again: all was delivered" becomes unsent 0
    over; kill $got; wait $got 2>/dev/null; "$B" stop; AS=
    check "each once, in its order, none of them late" python3 - "$W/got" <<'P'
import json, sys
e = [json.loads(line.split("\t")[3]) for line in open(sys.argv[1])]
assert [x["segments"] for x in e] == list(range(1, 25)), [x["segments"] for x in e]
assert len({x["id"] for x in e}) == 24
assert not any(x["late"] for x in e)
assert len({x["start"][:10] for x in e}) == 3, "the clock did not jump"
P
    check "and nothing was taken away for its age" [ "$(rows "$W/clock" 'SELECT count(*) FROM events')" = 6 ]
else
    skip "a clock that is set: not under a sanitizer"
fi

# --- a broker that refuses ------------------------------------------------------------------------------------------------------
FAKE=$((MQTT_PORT + 5))
refuses() { # MODE
    FAKE=$((FAKE + 1)); python3 "$here/fake_broker.py" "$1" "$FAKE" >"$W/fake" & fake=$!; PIDS+=($fake)
    wait_for 5 grep -q listening "$W/fake"; mkdir "$W/$1"; hold "$W/$1" mqtt.port=$FAKE
    wait_for 5 grep -q 'connected to' "$W/log"
}
refuses quota; sound
check "refused for now: kept, and said" wait_for 5 grep -q 'does not take an event now: Quota exceeded; sent again in 2 s' "$W/log"
check "sent again until it is taken" becomes unsent 0
over; kill $fake
check "each was refused or taken, and none is missing" [ "$(grep -c refused "$W/fake") $(grep -o '"segments":[0-9]*' "$W/fake" | sort -u | wc -l)" = "3 4" ]
refuses denied; sound
check "refused for good: taken out, and what is behind it goes on" becomes unsent 0
check "and said, once" [ "$(grep -c 'an event was refused by broker.*Not authorized' "$W/log")" = 1 ]
over; kill $fake
check "it is in the history all the same" [ "$(rows "$W/denied" 'SELECT count(*) FROM events WHERE ended = 1')" = 1 ]

# --- an SD card's life ----------------------------------------------------------------------------------------------------------
mkdir "$W/hour"; bytes=$("$W/driver" hour "$W/hour" 60 mqtt.port="$MQTT_PORT" 2>"$W/log" | sed -n 's/^hour: \([0-9]*\) bytes/\1/p')
echo "a quiet hour of sound levels, a row a minute: $bytes bytes written"
check "an hour of sound levels is less than 1 MB to the disk" [ "${bytes:-9999999}" -lt 1000000 ]

# --- the daemon -------------------------------------------------------------------------------------------------------------------
run() { "$EARSHOT" run --state-dir "$W/state" --input "file:$root/tests/data/smoke_t3.flac" --log.format text --mqtt.host 127.0.0.1 \
    --mqtt.port "$MQTT_PORT" --mqtt.username ear --mqtt.password_file "$W/pw" --mqtt.base ear --mqtt.node daemon "$@"; }
run --fast >"$W/run.txt" 2>&1
told=$(rows "$W/state" 'SELECT count(*) FROM outbox')
check "without a broker what was heard waits in the outbox" [ "${told:-0}" -gt 0 ]
check "each event keeps its embedding, of 256 halves" [ "$(rows "$W/state" 'SELECT count(*) FROM events e WHERE label <> "unknown" AND
    512 <> coalesce((SELECT length(data) FROM embeddings WHERE event = e.id), 0)')" = 0 ]
"$B" start
timeout 60 "$B" sub 'ear/daemon/#' -q 1 >"$W/got" 2>/dev/null & PIDS+=($!) got=$!
wait_for 5 grep -q SUBACK "$MQTT_DIR/log"
python3 -c 'import time; time.sleep(4)' | "$EARSHOT" run --state-dir "$W/state" --input - --rate 16000 --mqtt.host 127.0.0.1 \
    --mqtt.port "$MQTT_PORT" --mqtt.username ear --mqtt.password_file "$W/pw" --mqtt.base ear --mqtt.node daemon >"$W/run2.txt" 2>&1
kill $got; wait $got 2>/dev/null
check "the next run sends it" [ "$(grep -c '/event	' "$W/got")" = "$told" ]
check "and none of its states" bash -c "! grep -q '/state/.*	ON\$' '$W/got'"
check "then the outbox is empty" [ "$(rows "$W/state" 'SELECT count(*) FROM outbox')" = 0 ]
summary
