#!/bin/bash
# service.sh - the real unit under a real booted systemd in a container tree: starts, hears the virtual microphone as its own
# user inside its sandbox, logs to the journal, reloads, stops cleanly, and is killed by the watchdog when it hangs. ~2 minutes.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); EARSHOT=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d); unit=$W/earshot.service
sed 's|@PREFIX@|/usr/local|g' "$root/systemd/earshot.service" >"$unit"

echo "--- the unit files"
verify() { systemd-analyze verify --man=no "$1" >"$W/v.txt" 2>&1; ! grep -vE 'earshot run|is not executable|^$' "$W/v.txt"; }
check "systemd-analyze verify: the system unit" verify "$unit"
sed 's|@PREFIX@|/usr/local|g' "$root/systemd/earshot-user.service" >"$W/earshot-user.service"
check "systemd-analyze verify: the user unit" verify "$W/earshot-user.service"
sed 's/^ProtectClock/ProtektClock/' "$unit" >"$W/bad.service"
check "  (and it would see a mistyped directive)" bash -c "systemd-analyze verify --man=no '$W/bad.service' 2>&1 | grep -q ProtektClock"
check "systemd-analyze security: exposure at most 2.0" \
    systemd-analyze security --offline=true --threshold=20 --no-pager "$unit" >/dev/null

export SD_DIR=${EARSHOT_TREES:-/var/tmp/earshot-trees}/sd
B=$here/systemd_boot.sh R=$SD_DIR/root
done_early() { skip "$1"; rm -rf "$W"; summary; exit; }
[ "$(id -u)" = 0 ] || done_early "booted systemd: needs root"
mkdir -p "$SD_DIR"
"$B" make || done_early "booted systemd: no tree can be made here"

echo "--- in the tree"
# what the program links to, by package name
packages=$(ldd "$EARSHOT" | awk '/=> \//{print $3}' | while read -r f; do dpkg -S "$(realpath "$f")" "$f" 2>/dev/null | head -1; done |
    cut -d: -f1 | sort -u | grep -vE '^(libc6|libgcc-s1)$' | tr '\n' ' ')
"$here/rootfs.sh" run "$R" bash -c "apt-get -qq update; apt-get -qq -y --no-install-recommends install $packages libasound2-plugins \
    pulseaudio pulseaudio-utils mosquitto mosquitto-clients >/tmp/i.log 2>&1 || tail -5 /tmp/i.log" || done_early "packages do not install in the tree"
make -s -C "$root" install DESTDIR="$R" >/dev/null || die "make install"
install -m 755 "$EARSHOT" "$R/usr/local/bin/earshot"
mkdir -p "$R/etc/systemd/system/earshot.service.d"
# the test's microphone; everything else of the unit is as it ships
cat >"$R/etc/systemd/system/earshot.service.d/test.conf" <<'C'
[Service]
Environment=ALSA_CONFIG_PATH=/run/vmic/asound.conf PULSE_SERVER=unix:/run/vmic/native
C
printf '[mqtt]\nnode = box\nport = 18871\n' >"$R/etc/earshot/earshot.conf"
printf 'listener 18871 127.0.0.1\nallow_anonymous true\n' >"$R/etc/mosquitto/conf.d/test.conf"
mkdir -p "$R/t"; cp "$here"/*.sh "$R/t/"; cp "$root"/tests/data/*.wav "$root"/tests/data/*.flac "$R/t/" 2>/dev/null

export SD_BIND=--private-network
"$B" start || done_early "systemd does not boot here"
x() { "$B" exec "$@"; }
trap '"$B" stop; rm -rf "$W"' EXIT
prop() { x systemctl show -p "$1" --value earshot.service; }
journal() { x journalctl -b -u earshot -o cat --no-pager; }
x systemd-sysusers; x systemctl daemon-reload; x systemctl restart mosquitto

check "sysusers: user earshot is in group audio" bash -c "'$B' exec id earshot | grep -q '(audio)'"
check "starts without microphone, without credential (Type=notify: READY came)" x systemctl start earshot
check "  and says that the microphone is absent" wait_for 8 bash -c "'$B' exec journalctl -b -u earshot -o cat | grep -qi 'no .*device\|absent\|no capture'"
check "runs as earshot"      test "$(x ps -o user= -p "$(prop MainPID)" | tr -d ' ')" = earshot
check "state directory 2770" test "$(x stat -c '%U:%G %a' /var/lib/earshot)" = 'earshot:earshot 2770'
pid=$(prop MainPID); sleep 12
check "no microphone for longer than the watchdog: the same process still waits" test "$pid" = "$(prop MainPID)"

x env VMIC_DIR=/run/vmic bash /t/vmic.sh start >"$W/vmic.log" 2>&1
check "the microphone comes: heard without a restart" wait_for 12 bash -c "[[ \"\$('$B' exec systemctl show -p StatusText --value earshot)\" == listening* ]]"
echo "        status: $(prop StatusText)"
(x mosquitto_sub -p 18871 -t 'earshot/box/#' -W 25 -F '%t %p' >"$W/sub.txt" 2>&1 &)
sleep 0.5; x env VMIC_DIR=/run/vmic bash /t/vmic.sh play "/t/smoke_t3.flac" >/dev/null 2>&1; sleep 3
check "a smoke alarm is played: it is in the journal, with fields" \
    bash -c "'$B' exec journalctl -b LABEL=smoke_alarm -o json --no-pager | grep -q '\"SCORE\"'"
check "  and at the broker" grep -q 'earshot/box/event .*"label":"smoke_alarm"' "$W/sub.txt"

check "reload (SIGHUP) keeps the process" bash -c "'$B' exec systemctl reload earshot && sleep 1 && [ '$pid' = \"\$('$B' exec systemctl show -p MainPID --value earshot)\" ]"
x mosquitto_pub -p 18871 -t earshot/box/set/listening -m OFF; sleep 12
check "listening OFF for longer than the watchdog: still the same process" test "$pid" = "$(prop MainPID)"
x mosquitto_pub -p 18871 -t earshot/box/set/listening -m ON; sleep 0.5

x systemctl kill -s STOP --kill-whom=main earshot; s=$(date +%s%N)
restarted() { [ "$(prop NRestarts)" -ge 1 ] && [ "$(prop ActiveState)" = active ]; }
check "SIGSTOP: killed by the watchdog and started again" wait_for 25 restarted
echo "        after $((($(date +%s%N) - s) / 1000000)) ms: $(journal | grep -im1 watchdog)"
sleep 1; s=$(date +%s%N); x systemctl stop earshot; ms=$((($(date +%s%N) - s) / 1000000))
check "stop is clean"        test "$(prop Result)" = success
check "  within a second ($ms ms with systemctl's own time)" test "$ms" -lt 1500
check "  and the retained status is offline" bash -c "'$B' exec mosquitto_sub -p 18871 -t earshot/box/status -C 1 -W 3 | grep -qx offline"
mkdir -p "$R/etc/credstore"; printf 'secret\n' >"$R/etc/credstore/earshot.mqtt-password"; chmod 600 "$R/etc/credstore/earshot.mqtt-password"
check "starts with a credential" bash -c "'$B' exec systemctl start earshot && sleep 1 && [ \"\$('$B' exec systemctl is-active earshot)\" = active ]"
check "  which the process can read" x test -d "/run/credentials/earshot.service"
rm -f "$R/etc/credstore/earshot.mqtt-password"
printf '[gate]\nhysteresys = 3\n' >"$R/etc/earshot/earshot.conf"
x systemctl restart earshot 2>/dev/null; sleep 1
check "a wrong configuration: fails at once, names file, line and the nearest option, is not started again" bash -c \
    "'$B' exec journalctl -b -u earshot -o cat | grep -q 'earshot.conf:2:.*hysteresis' && [ \"\$('$B' exec systemctl is-failed earshot)\" = failed ]"
echo "        exposure, live: $(x systemd-analyze security --no-pager earshot.service | tail -1)"
summary
