#!/bin/bash
# units.sh - in a booted systemd: two microphones as earshot@kitchen and earshot@hall beside each other, and what actions and webhooks can
# do inside the unit's sandbox. ~40 seconds, in the tree that service.sh makes.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); EARSHOT=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
early() { skip "$1"; summary; exit; }

echo "--- the unit file"
command -v systemd-analyze >/dev/null || early "units and booted systemd: systemd-analyze is not installed"
sed -f "$root/systemd/instance.sed" -e 's|@PREFIX@|/usr/local|g' "$root/systemd/earshot.service" >"$W/earshot@.service"
cp "$W/earshot@.service" "$W/earshot@kitchen.service"
verify() { systemd-analyze verify --man=no "$W/earshot@kitchen.service" >"$W/v.txt" 2>&1; ! grep -vE 'earshot run|is not executable|^$' "$W/v.txt"; }
exposure() {
    systemd-analyze security --offline=true --threshold=20 --no-pager "$W/earshot@kitchen.service" >"$W/security.txt"
    local rc=$?; tail -1 "$W/security.txt" | sed 's/^/        /'; return $rc
}
check "earshot@.service differs from earshot.service in five lines" \
    test "$(diff <(sed 's|@PREFIX@|/usr/local|g' "$root/systemd/earshot.service") "$W/earshot@.service" | grep -c '^>')" = 5
check "systemd-analyze verify" verify
check "systemd-analyze security: exposure at most 2.0" exposure

[ "$(id -u)" = 0 ] || early "booted systemd: needs root"
unshare --mount --pid --fork true 2>/dev/null || early "booted systemd: this machine makes no namespaces"
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}") # the program was built here: the tree is of the same Debian
case $suite in bookworm | trixie) ;; *) early "booted systemd: neither Debian 12 nor 13" ;; esac
export SD_DIR=${EARSHOT_TREES:-/var/tmp/earshot-trees}/systemd-$suite SD_BIND=--private-network
B=$here/systemd_boot.sh R=$SD_DIR/root
mkdir -p "$SD_DIR"
"$B" make "$suite" || early "booted systemd: no tree can be made here"
packages=$(ldd "$EARSHOT" "$(dirname "$EARSHOT")/earshot-webhook" | awk '/=> \//{print $3}' | sort -u |
    while read -r f; do dpkg -S "$(realpath "$f")" "$f" 2>/dev/null | head -1; done |
    cut -d: -f1 | sort -u | grep -vE '^(libc6|libgcc-s1)$' | tr '\n' ' ')
RO_BIND=$here:/t "$here/rootfs.sh" run "$R" bash -c "cd /t && . ./lib.sh && need $packages libasound2-plugins pulseaudio \
    pulseaudio-utils mosquitto mosquitto-clients" || early "booted systemd: packages do not install in the tree"
make -s -C "$root" install DESTDIR="$R" >/dev/null || die "make install"
install -m 755 "$EARSHOT" "$R/usr/local/bin/earshot"
rm -rf "$R"/var/lib/earshot* "$R/etc/credstore" "$R"/etc/systemd/system/earshot*.d "$R"/etc/earshot/*.conf

echo "--- in the tree"
mkdir -p "$R/etc/systemd/system/earshot@.service.d" "$R/t" "$R/etc/credstore"
chmod 700 "$R/etc/credstore"
cat >"$R/etc/systemd/system/earshot@.service.d/test.conf" <<'C'
[Service]
Environment=ALSA_CONFIG_PATH=/t/asound.conf PULSE_SERVER=unix:/run/vmic/native
LoadCredential=webhook-phone:earshot.webhook-phone
C
(umask 077; printf 'Authorization: Bearer from-credstore\n' >"$R/etc/credstore/earshot.webhook-phone")
cat >"$R/etc/mosquitto/conf.d/test.conf" <<'C'
listener 18871 127.0.0.1
allow_anonymous true
C
# two microphones by name, as /etc/asound.conf would have them
for m in kitchen hall; do
    device=vmic; [ $m = kitchen ] || device=vmic2
    printf 'pcm.%s { type pulse server "unix:/run/vmic/native" device "%s.monitor" hint { show on description "%s" } }\n' $m $device $m
done >"$R/t/asound.conf"
printf 'pcm.!default { type null }\nctl.!default { type pulse server "unix:/run/vmic/native" }\n' >>"$R/t/asound.conf"
printf '[input]\ndevice = kitchen\n[mqtt]\nport = 18871\n' >"$R/etc/earshot/kitchen.conf"
cat >"$R/etc/earshot/hall.conf" <<'C'
[input]
device = hall
[mqtt]
port = 18871
[action look]
exec = /usr/local/bin/look-around
label = siren
test = on
[webhook phone]
url = http://127.0.0.1:18874/phone
label = siren
test = on
C
cat >"$R/usr/local/bin/look-around" <<'C'
#!/bin/sh
json=$(cat | wc -l)
can() { what=$1; shift; if "$@" >/dev/null 2>&1; then echo "can: $what"; else echo "cannot: $what"; fi; }
can "write to the state directory" sh -c 'echo x >"$STATE_DIRECTORY/from-action"'
can "write to /tmp" sh -c 'echo x >/tmp/from-action'
can "write to /etc" sh -c 'echo x >/etc/from-action'
can "write to the system" sh -c 'echo x >/usr/local/from-action'
can "see homes" test -e /home/friend
can "reach the network" mosquitto_pub -p 18871 -t from-action -m x
can "become root" su -c true
can "see other users' processes" test -d /proc/1
can "play sound" paplay /t/smoke_t3.flac
can "open other devices" sh -c 'echo x >/dev/kmsg'
echo "as $(id -un), $json line of JSON"

C
chmod 755 "$R/usr/local/bin/look-around"
# what is left of a web server: answers 200 and keeps what came
cat >"$R/t/server.pl" <<'C'
use IO::Socket::INET;
my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 18874, Listen => 5, ReuseAddr => 1) or die;
while (my $c = $s->accept) {
    my ($length, $line) = (0);
    open my $f, ">>", "/t/requests.txt";
    while ($line = <$c>) { print $f $line; $length = $1 if $line =~ /^content-length: (\d+)/i; last if $line eq "\r\n"; }
    read $c, my $body, $length; print $f "$body\n"; close $f;
    print $c "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"; close $c;
}
C
cp "$here"/*.sh "$root"/tests/data/smoke_t3.flac "$R/t/"
rm -f "$R/t/requests.txt"

"$B" start >/dev/null || early "booted systemd: it does not boot here"
trap '"$B" stop; rm -rf "$W"; rm -rf "$R"/etc/earshot/{kitchen,hall}.conf "$R"/etc/systemd/system/earshot@.service.d "$R/etc/credstore"' EXIT
x() { "$B" exec "$@"; }
prop() { x systemctl show -p "$2" --value "earshot@$1"; }
begins() { [[ "$(prop "$1" "$2")" == "$3"* ]]; } # INSTANCE PROPERTY START
journal() { x journalctl -b -u "earshot@$1" -o cat --no-pager; }
says() { grep -qE -- "$2" <<<"$(journal "$1")"; }
vmic() { x env VMIC_DIR=/run/vmic bash /t/vmic.sh "$@"; }
x systemd-sysusers; x systemctl daemon-reload; x systemctl restart mosquitto
(x perl /t/server.pl >/dev/null 2>&1 &)
vmic start >"$W/vmic.log" 2>&1 || cat "$W/vmic.log"
pc() { x env PULSE_SERVER=unix:/run/vmic/native PULSE_RUNTIME_PATH=/run/vmic/rt PULSE_STATE_PATH=/run/vmic/rt "$@"; }
pc pactl load-module module-null-sink sink_name=vmic2 rate=48000 channels=1 format=s16le >/dev/null
(pc pacat --record --raw --latency-msec=10 --device=vmic2.monitor >/dev/null 2>&1 &)
(x mosquitto_sub -p 18871 -t 'earshot/#' -t 'homeassistant/#' -W 120 -F '%t %p' >"$W/sub.txt" 2>&1 &)

x systemctl start earshot@kitchen earshot@hall
check "both listen, each to its microphone" wait_for 12 begins kitchen StatusText 'listening to kitchen'
check "  " wait_for 12 begins hall StatusText 'listening to hall'
told() { wait_for 15 grep -qE "^earshot/sdtest-$1/$2 $3" "$W/sub.txt"; }
for m in kitchen hall; do
    check "$m: status, health and level are its own" bash -c "$(declare -f wait_for told); W=$W; told $m status online && told $m health '.*\"name\":\"$m' && told $m level '{'"
    check "  state and runtime directories too" test "$(x stat -c '%U:%G %a' /var/lib/earshot-$m /run/earshot-$m | tr '\n' ' ')" = 'earshot:earshot 2770 earshot:earshot 750 '
done
sleep 0.5; pc paplay --latency-msec=500 --device=vmic /t/smoke_t3.flac >/dev/null 2>&1
heard() { grep -qE "^earshot/sdtest-$1/event .*\"label\": ?\"smoke_alarm\"" "$W/sub.txt"; }
check "a smoke alarm in the kitchen: told by kitchen" wait_for 5 heard kitchen
check "  and not by hall" bash -c "! grep -qE '^earshot/sdtest-hall/event .*smoke_alarm' '$W/sub.txt'"
# of these two: the broker may still hold what another test's daemon announced
ids() { grep -E '^homeassistant/device/sdtest-(kitchen|hall)/config ' "$W/sub.txt" | grep -oE '"unique_id":"earshot_[0-9a-f]+' | sort -u | wc -l; }
check "Home Assistant is told of two devices, with ids of their own ($(ids))" test "$(ids)" = 2
level() { x timeout 5 /usr/local/bin/earshot levels "$@" --json --seconds 1 2>&1; }
check "earshot levels --instance reaches each" bash -c "[ -n \"\$0\" ] && [ -n \"\$1\" ]" "$(level --instance kitchen | grep '"input_state": *"ok"')" "$(level --instance hall | grep '"input_state": *"ok"')"
pid() { prop "$1" MainPID; }
pss() { x awk '/^(Pss|Private_Clean|Private_Dirty):/ {v[$1] = $2} END {printf "Pss %.1f MB, of it private %.1f MB", v["Pss:"] / 1024, (v["Private_Clean:"] + v["Private_Dirty:"]) / 1024}' "/proc/$(pid "$1")/smaps_rollup"; }
echo "        kitchen: $(pss kitchen); hall: $(pss hall)"
check "one is stopped: the other goes on" bash -c "$(declare -f x prop begins); B=$B; x systemctl stop earshot@kitchen && sleep 1 && begins hall StatusText listening"

echo "--- actions and webhooks in the sandbox"
x /usr/local/bin/earshot test siren --instance hall >"$W/test.txt" 2>&1
check "the program ran and ended" wait_for 8 says hall '^action look: siren start: exit status 0'
line() { check "  $1" says hall "^action look: $1"; }
line 'can: write to the state directory'; line 'can: write to /tmp'; line 'cannot: write to /etc'; line 'cannot: write to the system'
line 'cannot: see homes'; line 'can: reach the network'; line 'cannot: become root'; line "cannot: see other users' processes"
line 'cannot: open other devices'; line 'as earshot, 1 line of JSON'
echo "        $(journal hall | grep -o 'action look: .*play sound')"
check "its /tmp is the unit's own" bash -c "! test -e '$R/tmp/from-action'"
check "the webhook was sent" wait_for 8 grep -q '^POST /phone ' "$R/t/requests.txt"
check "  with the header of the credential" grep -q '^Authorization: Bearer from-credstore' "$R/t/requests.txt"
check "  and the node's name" grep -q '^X-Earshot-Node: sdtest-hall' "$R/t/requests.txt"
s=$(date +%s%N); x systemctl stop earshot@hall; ms=$((($(date +%s%N) - s) / 1000000))
check "stop: clean, nothing left, in time ($ms ms)" test "$(prop hall Result)" = success -a "$ms" -lt $STOP_MS

echo "--- mistakes"
x systemctl start earshot@nowhere 2>/dev/null; sleep 1
check "an instance without a configuration file fails and says which" says nowhere 'cannot open /etc/earshot/nowhere.conf'
[ "$FAIL" = 0 ] || { journal kitchen | tail -20; journal hall | tail -40; cat "$W/test.txt"; tail -5 "$W/sub.txt"; }
summary
