#!/bin/bash
# service.sh - the real unit under a real booted systemd in a container tree: starts, hears the virtual microphone as its own
# user inside its sandbox, logs to the journal, reloads, stops cleanly, is killed by the watchdog when it hangs, logs in to a
# broker with a credential; and the user unit under a systemd --user. ~3 minutes, and one more to make the tree.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); EARSHOT=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
early() { skip "$1"; summary; exit; }

echo "--- the unit files"
command -v systemd-analyze >/dev/null || early "units and booted systemd: systemd-analyze is not installed"
mkdir "$W/user"
sed 's|@PREFIX@|/usr/local|g' "$root/systemd/earshot.service" >"$W/earshot.service"
sed 's|@PREFIX@|/usr/local|g' "$root/systemd/earshot-user.service" >"$W/user/earshot.service"
sed 's/^ProtectClock/ProtektClock/' "$W/earshot.service" >"$W/bad.service"
verify() { systemd-analyze verify --man=no "$1" >"$W/v.txt" 2>&1; ! grep -vE 'earshot run|is not executable|^$' "$W/v.txt"; }
mistyped() { ! verify "$W/bad.service" && grep -q ProtektClock "$W/v.txt"; }
exposure() {
    systemd-analyze security --offline=true --threshold=20 --no-pager "$W/earshot.service" >"$W/security.txt"
    local rc=$?; tail -1 "$W/security.txt" | sed 's/^/        /'; return $rc
}
check "systemd-analyze verify: the system unit" verify "$W/earshot.service"
cp "$root/systemd/earshot.socket" "$W/"
check "systemd-analyze verify: the socket" verify "$W/earshot.socket"
check "systemd-analyze verify: the user unit" verify "$W/user/earshot.service"
check "  (and it would see a mistyped directive)" mistyped
check "systemd-analyze security: exposure at most 2.0" exposure

[ "$(id -u)" = 0 ] || early "booted systemd: needs root"
unshare --mount --pid --fork true 2>/dev/null || early "booted systemd: this machine makes no namespaces"
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}") # the program was built here: the tree is of the same Debian
case $suite in bookworm | trixie) ;; *) early "booted systemd: neither Debian 12 nor 13" ;; esac
export SD_DIR=${EARSHOT_TREES:-/var/tmp/earshot-trees}/systemd-$suite SD_BIND=--private-network
B=$here/systemd_boot.sh R=$SD_DIR/root
mkdir -p "$SD_DIR"
"$B" make "$suite" || early "booted systemd: no tree can be made here"

echo "--- in the tree"
# what the program links to, by package name
packages=$(ldd "$EARSHOT" | awk '/=> \//{print $3}' | while read -r f; do dpkg -S "$(realpath "$f")" "$f" 2>/dev/null | head -1; done |
    cut -d: -f1 | sort -u | grep -vE '^(libc6|libgcc-s1)$' | tr '\n' ' ')
RO_BIND=$here:/t "$here/rootfs.sh" run "$R" bash -c "cd /t && . ./lib.sh && need $packages libasound2-plugins pulseaudio \
    pulseaudio-utils mosquitto mosquitto-clients libpam-systemd dbus-user-session strace" || early "booted systemd: packages do not install in the tree"
make -s -C "$root" install DESTDIR="$R" >/dev/null || die "make install"
install -m 755 "$EARSHOT" "$R/usr/local/bin/earshot"
rm -rf "$R/var/lib/earshot" "$R/etc/credstore" "$R/etc/systemd/system/earshot.service.d"
mkdir -p "$R/etc/systemd/system/earshot.service.d"
# the test's microphone; everything else of the unit is as it ships
cat >"$R/etc/systemd/system/earshot.service.d/test.conf" <<'C'
[Service]
Environment=ALSA_CONFIG_PATH=/t/asound.conf PULSE_SERVER=unix:/run/vmic/native
C
conf() { printf '%b' "$1" >"$R/etc/earshot/earshot.conf"; }
conf '[mqtt]\nnode = box\nport = 18871\n'
# two listeners: one that lets anyone in, one that wants a password
cat >"$R/etc/mosquitto/conf.d/test.conf" <<'C'
per_listener_settings true
listener 18871 127.0.0.1
allow_anonymous true
listener 18872 127.0.0.1
allow_anonymous false
password_file /etc/mosquitto/passwd
C
"$here/rootfs.sh" run "$R" bash -c 'touch /etc/mosquitto/passwd; mosquitto_passwd -b /etc/mosquitto/passwd ear from-credstore 2>/dev/null
    chown mosquitto: /etc/mosquitto/passwd; chmod 600 /etc/mosquitto/passwd'
mkdir -p "$R/t"; cp "$here"/*.sh "$root"/tests/data/smoke_t3.flac "$R/t/"
printf '%s.!default { type pulse server "unix:/run/vmic/native" %s }\n' pcm 'hint { show on description "virtual mic" }' ctl '' \
    >"$R/t/asound.conf"

"$B" start >/dev/null || early "booted systemd: it does not boot here"
trap '"$B" stop; rm -rf "$W"' EXIT
x() { "$B" exec "$@"; }
prop() { x systemctl show -p "$1" --value earshot.service; }
is() { [ "$(prop "$1")" = "$2" ]; }                                # PROPERTY VALUE
begins() { [[ "$(prop "$1")" == "$2"* ]]; }                        # PROPERTY START
journal() { x journalctl -b -u earshot -o cat --no-pager "$@"; }
says() { grep -qE -- "$1" <<<"$(journal)"; }
vmic() { x env VMIC_DIR=/run/vmic bash /t/vmic.sh "$@"; }
ms_of() { local s; s=$(date +%s%N); "$@" >/dev/null 2>&1; echo $((($(date +%s%N) - s) / 1000000)); }
status_at() { x mosquitto_sub -p "$1" -t earshot/box/status -C 1 -W 3 "${@:3}" | grep -qx "$2"; } # PORT WHAT [LOGIN]
x systemd-sysusers; x systemctl daemon-reload; x systemctl restart mosquitto

in_group() { x id -nG "$1" | grep -qw "$2"; }
check "sysusers: user earshot is in group audio" in_group earshot audio
ms=$(ms_of x systemctl start earshot)
check "starts without microphone and without credential: READY came after $ms ms" is ActiveState active
check "  and says that the microphone is absent" wait_for 8 says '^input absent: no capture device'
check "  in its status too" wait_for 3 begins StatusText 'input absent'
pid=$(prop MainPID)
check "runs as earshot" test "$(x ps -o user= -p "$pid" | tr -d ' ')" = earshot
check "state directory is the group's, 2770" test "$(x stat -c '%U:%G %a' /var/lib/earshot)" = 'earshot:earshot 2770'
check "runtime directory is the group's, 750" test "$(x stat -c '%U:%G %a' /run/earshot)" = 'earshot:earshot 750'
sleep 12
check "no microphone for longer than the watchdog's 10 s: the same process still waits" is MainPID "$pid"

echo "--- a microphone"
vmic start >"$W/vmic.log" 2>&1 || cat "$W/vmic.log"
check "it comes: heard without a restart" wait_for 12 begins StatusText listening
echo "        status: $(prop StatusText)"
(x mosquitto_sub -p 18871 -t 'earshot/box/#' -W 100 -F '%t %p' >"$W/sub.txt" 2>&1 &)
sleep 0.5; vmic play /t/smoke_t3.flac >/dev/null 2>&1
x journalctl -b LABEL=smoke_alarm -o json --no-pager >"$W/journal.json"
fields() { for f; do grep -q "\"$f\":\"" "$W/journal.json" || { echo "        no $f="; return 1; }; done; }
check "a smoke alarm: in the journal by LABEL=smoke_alarm, with its fields" fields LABEL SCORE EVENT_ID MESSAGE
echo "        $(grep -o '"MESSAGE":"[^"]*"' "$W/journal.json" | head -1)"
check "  and at the broker" wait_for 5 grep -qE 'earshot/box/event .*"label": ?"smoke_alarm"' "$W/sub.txt"

echo "--- who may reach it"
x bash -c 'for u in friend stranger; do id $u >/dev/null 2>&1 || useradd -m $u; done; usermod -aG earshot friend'
as() { x runuser -u "$1" -- "${@:2}"; }
levels() { as "$1" timeout 5 /usr/local/bin/earshot levels --json --seconds 1 | grep -q '"input_state": *"ok"'; }
check "a member of group earshot reads levels from the daemon" levels friend
denied() { ! as stranger ls /var/lib/earshot >/dev/null 2>&1 && ! as stranger ls /run/earshot >/dev/null 2>&1; }
check "  anyone else is kept out of state and socket" denied

echo "--- reload and commands"
conf '[mqtt]\nnode = box\nport = 18871\n[gate]\nthreshold = -38 dBFS\n'
check "systemctl reload" x systemctl reload earshot
check "  takes the new threshold" wait_for 3 says '^reload: gate.threshold = -38 dBFS'
conf '[mqtt]\nnode = box\nport = 18871\n[gate]\nhysteresys = 3\n'
x systemctl reload earshot
check "  a mistake in the file is named by its line, and all stays as it was" wait_for 3 says '^reload: .*earshot.conf:5:.*everything stays'
check "  the same process all along" is MainPID "$pid"
conf '[mqtt]\nnode = box\nport = 18871\n'
x mosquitto_pub -p 18871 -t earshot/box/set/listening -m OFF
check "listening OFF: the status says so" wait_for 3 begins StatusText 'listening is OFF'
sleep 12
check "  for longer than the watchdog: still the same process" is MainPID "$pid"
x mosquitto_pub -p 18871 -t earshot/box/set/listening -m ON
check "  and ON again" wait_for 3 begins StatusText 'listening to'

echo "--- hangs"
vmic freeze
check "the sound server hangs: the status says so" wait_for 6 begins StatusText 'input '
echo "        status: $(prop StatusText)"
sleep 12
check "  for longer than the watchdog: still the same process" is MainPID "$pid"
vmic thaw
check "  it comes back: heard again" wait_for 15 begins StatusText listening
killed() { [ "$(prop NRestarts)" -ge "$1" ] && is ActiveState active; }
x systemctl kill -s STOP --kill-whom=main earshot; s=$(date +%s%N)
check "SIGSTOP: killed by the watchdog and started again" wait_for 20 killed 1
echo "        after $((($(date +%s%N) - s) / 1000000)) ms: $(journal | grep -im1 watchdog)"
check "  hears again" wait_for 12 begins StatusText listening
sleep 1
host_pid() { # the container's process, as this side numbers it
    awk -v p="$1" '/^Name:/ {n = $2} /^NSpid:/ {if (n == "earshot" && NF == 3 && $3 == p) print $2}' /proc/[0-9]*/status 2>/dev/null
}
"$here/hang_thread.py" "$(host_pid "$(prop MainPID)")" analysis 20 & hung=$!; s=$(date +%s%N)
check "its analysis thread hangs, all others live: killed by the watchdog too" wait_for 20 killed 2
echo "        after $((($(date +%s%N) - s) / 1000000)) ms: $(journal | grep -m1 'no audio was analysed')"
kill "$hung" 2>/dev/null; wait "$hung" 2>/dev/null
check "  hears again" wait_for 12 begins StatusText listening

echo "--- the end"
sleep 1; vmic freeze
ms=$(ms_of x systemctl stop earshot)
check "stop, with the sound server hanging: clean" is Result success
check "  in time ($ms ms)" test "$ms" -lt $STOP_MS
check "  the retained status is offline" status_at 18871 offline
check "  the noise floor is kept, readable to the group: $(x stat -c '%U:%G %a' /var/lib/earshot/floor)" \
    as friend grep -q dBFS /var/lib/earshot/floor
vmic thaw
check "systemctl start: online again" x systemctl start earshot
check "  the retained status is online" wait_for 5 status_at 18871 online
sleep 2; ms=$(ms_of x systemctl stop earshot)
check "stop while it listens: clean, in time ($ms ms)" test "$(prop Result)" = success -a "$ms" -lt $STOP_MS
check "  the retained status is offline" status_at 18871 offline

echo "--- the password as a credential"
login=(-u ear -P from-credstore)
conf '[mqtt]\nnode = box\nport = 18872\nusername = ear\n'
x systemctl start earshot
check "no credential: starts all the same" is ActiveState active
check "  and says that the broker refuses it" wait_for 5 says '18872.*([Nn]ot authori|refused|Bad user)'
x systemctl stop earshot
mkdir -p "$R/etc/credstore"; chmod 700 "$R/etc/credstore"
(umask 077; printf 'from-credstore\n' >"$R/etc/credstore/earshot.mqtt-password")
x systemctl start earshot
check "with /etc/credstore/earshot.mqtt-password: online at the broker that wants a password" wait_for 5 status_at 18872 online "${login[@]}"
hidden() { ! as friend cat /run/credentials/earshot.service/mqtt-password >/dev/null 2>&1; }
check "  and nobody else can read it" hidden
x systemctl stop earshot; rm -rf "$R/etc/credstore"

echo "--- the page"
page() { # PATH [HEADER]: the status that it answers with, on port 80
    x bash -c 'exec 3<>/dev/tcp/127.0.0.1/80 || exit 1
        printf "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n" "$1" "${2:+$2
}" >&3; head -1 <&3 | cut -d" " -f2' page "$@" 2>/dev/null
}
answers() { [ "$(page "${@:2}")" = "$1" ]; } # STATUS PATH [HEADER]
conf '[mqtt]\nenabled = off\n'
mkdir -p "$R/etc/systemd/system/earshot.socket.d"
printf '[Socket]\nListenStream=\nListenStream=80\n' >"$R/etc/systemd/system/earshot.socket.d/port.conf"
x systemctl daemon-reload
check "earshot.socket: port 80 of all networks" x systemctl start earshot.socket
x systemctl start earshot 2>/dev/null
check "  without a token: refused at the start, exit code 2" wait_for 5 test "$(prop ExecMainStatus)" = 2
check "  by a line that says how" says 'token_file'
mkdir -p "$R/etc/credstore"; chmod 700 "$R/etc/credstore"
(umask 077; printf 'from-the-credstore\n' >"$R/etc/credstore/earshot.web-token")
x systemctl reset-failed earshot; x systemctl start earshot.socket earshot
check "with /etc/credstore/earshot.web-token: the page is served through systemd's socket" wait_for 5 answers 200 /healthz
check "  figures for nobody without the token" answers 401 /metrics
check "  and for who has it" answers 200 /metrics $'Authorization: Bearer from-the-credstore\r'
upload() { # the answer to a recording that is sent
    x bash -c 'exec 3<>/dev/tcp/127.0.0.1/80 || exit 1
        printf "POST /api/v1/classify HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer from-the-credstore\r\n" >&3
        printf "Content-Length: %d\r\n\r\n" "$(stat -c %s /t/smoke_t3.flac)" >&3
        cat /t/smoke_t3.flac >&3; timeout 30 cat <&3'
}
check "  a recording is looked through by a process of its own, within what the unit allows" \
    grep -q '"label":"smoke_alarm"' <<<"$(upload)"
x systemctl stop earshot.socket earshot; rm -rf "$R/etc/credstore" "$R/etc/systemd/system/earshot.socket.d"; x systemctl daemon-reload

echo "--- a wrong configuration"
conf '[gate]\nhysteresys = 3\n'
x systemctl start earshot 2>/dev/null; sleep 2.5
check "fails at once, exit code 2" test "$(prop ActiveState) $(prop ExecMainStatus)" = 'failed 2'
check "  naming file, line and the nearest option" says 'earshot.conf:2:.*hysteresis'
check "  and is not started again" is NRestarts 0
conf '[mqtt]\nnode = box\nport = 18871\n'

echo "--- the user unit"
uid=$(x id -u friend)
session() { x runuser -u friend -- env XDG_RUNTIME_DIR="/run/user/$uid" "$@"; }
mine() { session systemctl --user show -p "$1" --value earshot; }
if x systemctl start "user@$uid.service" 2>"$W/user.txt"; then
    session systemctl --user set-environment ALSA_CONFIG_PATH=/t/asound.conf PULSE_SERVER=unix:/run/vmic/native
    check "systemctl --user start earshot" session systemctl --user start earshot
    listens() { [[ "$(mine StatusText)" == listening* ]]; }
    check "  listens" wait_for 8 listens
    check "  as the user" test "$(x ps -o user= -p "$(mine MainPID)" | tr -d ' ')" = friend
    check "  with a state directory of the user's own" x test -e /home/friend/.config/earshot/lock -o -e /home/friend/.local/state/earshot/lock
    check "  earshot levels finds it" session bash -c 'timeout 5 /usr/local/bin/earshot levels --json --seconds 1 | grep -q threshold'
    ms=$(ms_of session systemctl --user stop earshot)
    check "  stop: clean, in time ($ms ms)" test "$(mine Result)" = success -a "$ms" -lt $STOP_MS
else
    skip "user unit: no systemd --user in the tree: $(tail -1 "$W/user.txt")"
fi
echo "        exposure, live: $(x systemd-analyze security --no-pager earshot.service | tail -1)"
[ "$FAIL" = 0 ] || { journal | tail -60; tail -5 "$W/sub.txt"; }
summary
