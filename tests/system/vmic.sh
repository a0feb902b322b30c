#!/bin/bash
# vmic.sh - a virtual microphone on a machine with no sound card: private headless PulseAudio, as root.
# What is played (vmic.sh play F.wav) is what the default ALSA/PortAudio input device records, in real time.
#
#   eval "$(vmic.sh env)"     export ALSA_CONFIG_PATH, PULSE_SERVER, JACK_NO_START_SERVER for the program under test
#   vmic.sh start [RATE]      start the server and the mic (default 48000 Hz, mono s16)
#   vmic.sh play FILE.wav     blocks for the file's length
#   vmic.sh unplug | replug   the mic vanishes / returns (the sink is unloaded), the server stays
#   vmic.sh suspend | resume  the mic stays but delivers nothing
#   vmic.sh kill              SIGKILL the server (device driver dies); `start` brings it back
#   vmic.sh freeze | thaw     SIGSTOP / SIGCONT the server: reads hang, no error
#   vmic.sh stop
# State: $VMIC_DIR (default /tmp/vmic; a service with PrivateTmp=yes needs it elsewhere, /run/vmic say). Two of them can run at once with two directories.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
D=${VMIC_DIR:-/tmp/vmic}; S=unix:$D/native

config() {
    mkdir -p "$D/rt"; chmod 755 "$D"   # any user may connect: it is a test mic (pulse makes its own rt/ 0700)
    # A whole ALSA configuration of three lines: no hardware PCMs to probe, so no "ALSA lib ..." noise, fast Pa_Initialize.
    cat >"$D/asound.conf" <<A
pcm.!default { type pulse  server "$S"  hint { show on  description "virtual mic" } }
ctl.!default { type pulse  server "$S" }
A
    cat >"$D/vmic.pa" <<P
.fail
load-module module-native-protocol-unix auth-anonymous=1 socket=$D/native
load-module module-null-sink sink_name=vmic rate=$1 channels=1 format=s16le sink_properties=device.description=vmic
set-default-sink vmic
set-default-source vmic.monitor
P
}
pc() { PULSE_SERVER=$S PULSE_RUNTIME_PATH=$D/rt PULSE_STATE_PATH=$D/rt pactl "$@"; }
# Without a low-latency reader the null sink renders up to 2 s ahead, so the first recorder to open the mic gets
# nothing for up to 2 s. A permanent 10 ms reader keeps the mic ticking from the start, as a real one does.
keep() {
    stop_pid "$D/keep.pid"
    PULSE_SERVER=$S PULSE_RUNTIME_PATH=$D/rt PULSE_STATE_PATH=$D/rt setsid pacat --record --raw --latency-msec=10 \
        --device=vmic.monitor --client-name=keepalive >/dev/null 2>&1 </dev/null & echo $! >"$D/keep.pid"
    # ready when samples arrive (the 2 s already rendered must pass first)
    (set +o pipefail; PULSE_SERVER=$S PULSE_RUNTIME_PATH=$D/rt PULSE_STATE_PATH=$D/rt timeout 10 pacat --record --raw --latency-msec=10 \
        --device=vmic.monitor 2>/dev/null | head -c "$(cat "$D/rate")" | wc -c | grep -qx "$(cat "$D/rate")") || die "the mic does not run"
}
up() { pc info 2>/dev/null | grep -q '^Default Source: vmic.monitor'; }

start() {
    need pulseaudio pulseaudio-utils libasound2-plugins
    stop_pid "$D/pid"; rm -f "$D/native"; config "${1:-48000}"; echo "${1:-48000}" >"$D/rate"
    # no fork, no idle exit, no dlopen'ed default.pa, no shared memory (root's /dev/shm may be tiny in a container)
    HOME=$D/rt PULSE_RUNTIME_PATH=$D/rt PULSE_STATE_PATH=$D/rt DBUS_SESSION_BUS_ADDRESS=disabled: setsid \
        pulseaudio -n -F "$D/vmic.pa" --daemonize=no --use-pid-file=no --exit-idle-time=-1 --disable-shm=yes \
        --realtime=no --high-priority=no --log-target=stderr >"$D/log" 2>&1 </dev/null &
    echo $! >"$D/pid"
    wait_for 10 up || { cat "$D/log" >&2; die "pulseaudio did not come up"; }
    keep
}
case ${1:-} in
env)    echo "export PULSE_SERVER=$S ALSA_CONFIG_PATH=$D/asound.conf JACK_NO_START_SERVER=1";;
start)  start "${2:-}";;
stop)   stop_pid "$D/keep.pid"; stop_pid "$D/pid"; rm -f "$D/native";;
kill)   kill -KILL "$(cat "$D/pid")"; rm -f "$D/pid"; stop_pid "$D/keep.pid";;
freeze) kill -STOP "$(cat "$D/pid")";;
thaw)   kill -CONT "$(cat "$D/pid")";;
play)   exec env PULSE_SERVER="$S" PULSE_RUNTIME_PATH="$D/rt" PULSE_STATE_PATH="$D/rt" paplay --latency-msec=500 --device=vmic "$2";;
unplug) pc unload-module module-null-sink; stop_pid "$D/keep.pid";;
replug) pc load-module module-null-sink sink_name=vmic rate="$(cat "$D/rate")" channels=1 format=s16le >/dev/null
        pc set-default-source vmic.monitor; pc set-default-sink vmic; keep;;
suspend) pc suspend-sink vmic 1;;   # a monitor follows its sink; suspending it alone is refused
resume)  pc suspend-sink vmic 0;;
info)   pc info; pc list short sinks; pc list short sources; pc list short source-outputs;;
*)      sed -n '2,16s/^# \?//p' "$0"; exit 2;;
esac
