#!/bin/bash
# level.sh - the sound level meter as its users have it: recordings, the daemon over MQTT, calibration, history and noise reports. No
# root, no device. ~20 s.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); E=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d)
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export EARSHOT_MODELS=$root/models TZ=UTC0 LSAN_OPTIONS="suppressions=$root/tests/lsan.supp"
unset STATE_DIRECTORY RUNTIME_DIRECTORY XDG_RUNTIME_DIR NOTIFY_SOCKET
cd "$W" || exit 1
end() { stop_pid pid; stop_pid broker.pid; stop_pid sub.pid; wait; rm -rf "$W"; }
trap end EXIT

# tone NAME RATE CHANNELS HZ AMPLITUDE:SECONDS... : steps of a sine, a WAV of 16 bits; HZ 0: noise
cat >tone.py <<'P'
import array, math, random, sys, wave
name, rate, channels, hz = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
random.seed(1)
x, k = [], 0
for step in sys.argv[5:]:
    amplitude, seconds = map(float, step.split(":"))
    for _ in range(int(seconds * rate)):
        v = math.sin(2 * math.pi * hz * k / rate) if hz else random.gauss(0, 1)
        x += [max(-32768, min(32767, round(32767 * amplitude * v)))] * channels
        k += 1
with wave.open(name, "wb") as w:
    w.setnchannels(channels); w.setsampwidth(2); w.setframerate(rate)
    w.writeframes(array.array("h", x).tobytes())
P
tone() { python3 tone.py "$@"; }
# is FILE EXPRESSION: of the last JSON object in it, named o
is() { python3 -c "
import json, sys
o = json.loads([l for l in open(sys.argv[1]) if l.startswith('{')][-1])
near = lambda a, b, off=0.1: a is not None and abs(a - b) <= off
assert $2, {k: v for k, v in o.items() if k != 'third_octave'}" "$1"; }
levels() { "$E" levels --json "$@" >out.json 2>err.txt; }

# --- recordings: LAeq of known signals within 0.1 dB. A sine of amplitude 0.1 is -23.01 dBFS; A is -19.15, +0.97, -1.11 dB at 100 Hz,
# 4 kHz and 8 kHz (7943 Hz; IEC 61672-1).
known() { # RATE CHANNELS HZ LAEQ
    tone t.wav "$1" "$2" "$3" 0.1:4 && levels t.wav && is out.json "near(o['laeq'], $4) and near(o['interval_s'], 4, 0.001)"
}
check "recordings: 1 kHz at 48 kHz"           known 48000 1 1000 -23.01
check "recordings: 1 kHz at 16 kHz"           known 16000 1 1000 -23.01
check "recordings: 1 kHz at 96 kHz, stereo"   known 96000 2 1000 -23.01
check "recordings: 100 Hz at 44.1 kHz"        known 44100 1 100 -42.16
check "recordings: 4 kHz at 22.05 kHz"        known 22050 1 4000 -22.04
check "recordings: 8 kHz at 48 kHz"           known 48000 1 7943 -24.12
tone steps.wav 48000 1 1000 0.01:9 0.1:1
levels steps.wav
check "a tenth of it 20 dB louder"            is out.json "near(o['laeq'], -32.62) and near(o['lafmax'], -23.01) and near(o['l90'], -43.01) and near(o['l50'], -43.01)"
check "uncalibrated: in dBFS, and said"       is out.json "o['unit'] == 'dBFS' and o['calibrated'] is False"
"$E" levels steps.wav >out.txt
check "uncalibrated: said to people as well"  grep -q 'LAeq .*dBFS(A), uncalibrated' out.txt
levels --level.sensitivity=-26 steps.wav
check "a data sheet's -26 dBFS"               is out.json "near(o['laeq'], 94 - 9.61 + (26 - 20)) and o['unit'] == 'dB'"
tone low.wav 16000 1 1000 0.1:2; levels low.wav
check "16 kHz: class 1 up to 6.3 kHz"         is out.json "o['class1_to_hz'] == 6300"
check "16 kHz: said to people"                grep -q 'class 1 of IEC 61672-1 up to 6300 Hz' <("$E" levels low.wav)
tone short.wav 48000 1 1000 0.1:0.05; "$E" levels short.wav >out.txt
check "too short for some figures: they are left out" bash -c "grep -q 'L50 -   L90 -' out.txt && ! grep -qi nan out.txt"
tone clip.wav 48000 1 1000 1.4:1; levels clip.wav
check "overload is counted"                   is out.json "o['overloads'] >= 99"
levels --level.third_octave=on steps.wav
check "third octaves"                         is out.json "near(dict(zip(o['third_octave']['hz'], o['third_octave']['leq']))[1000], o['lzeq'])"
check "no such file: exit 1, and the others are measured" bash -c "! '$E' levels --json none.wav low.wav >o 2>e && grep -q none.wav e && grep -q low.wav o"

# --- calibration
cal() { rm -rf state; "$E" calibrate --state-dir state "$@" >out.txt 2>err.txt; }
refused() { # FILE TEXT
    ! cal --input "file:$1" && grep -q "Nothing was changed" err.txt && grep -q "$2" err.txt && [ ! -e state/calibration ]
}
tone cal.wav 48000 1 1000 0:1 0.02:5; tone wrong.wav 48000 1 250 0.02:5; tone noise.wav 48000 1 0 0.02:5
tone moving.wav 48000 1 1000 0.020:1 0.0206:1 0.020:1 0.0206:1 0.020:1 0.0206:1; tone short.wav 48000 1 1000 0.02:2.5
check "a calibrator's tone"                   cal --input file:cal.wav
check "... is kept"                           is state/calibration "near(o['offset_db'], 130.99, 0.02) and o['how'] == 'tone' and o['device'] == 'cal.wav'"
check "a tone of 114 dB"                      cal --input file:cal.wav --level 114
check "... is kept"                           is state/calibration "near(o['offset_db'], 150.99, 0.02)"
check "refused: another frequency"            refused wrong.wav "250.0 Hz"
check "refused: noise"                        refused noise.wav "no clean tone"
check "refused: a level that moves"           refused moving.wav "steady for\|moved by"
check "refused: too short"                    refused short.wav "steady for 2"
check "refused: clipping"                     refused clip.wav "clips"
check "refused: silence"                      bash -c "cp cal.wav x.wav; python3 tone.py quiet.wav 48000 1 1000 0:4" && refused quiet.wav "too quiet"
check "stated sensitivity"                    cal --input file:cal.wav --sensitivity -26
check "... is kept"                           is state/calibration "near(o['offset_db'], 123.01, 0.01) and o['how'] == 'stated'"
wrong() { "$E" "$@" >out.txt 2>err.txt; [ $? = 2 ]; }
check "bad flags"                             wrong calibrate --sensitivity 3
check "one of the two"                        wrong calibrate --sensitivity -26 --level 94
check "bad level"                             wrong calibrate --level 500
check "bad time"                              wrong noise --since gestern
check "empty time"                            wrong noise --since 1h --until 2h
check "a gap between day and evening"         wrong config check --level.evening=20:00-23:00
check "no night"                              wrong config check --level.evening=19:00-07:00

# --- the daemon, over MQTT; calibrated while it runs
printf 'listener %d 127.0.0.1\nallow_anonymous true\n' "$PORT" >broker.conf
mosquitto -c broker.conf >/dev/null 2>&1 & echo $! >broker.pid
up() { timeout 1 mosquitto_pub -p "$PORT" -t x -m x; }
wait_for 10 up
mosquitto_sub -p "$PORT" -t 'earshot/box/level' >levels.json 2>/dev/null & echo $! >sub.pid
run() { "$E" run --state-dir state --mqtt.port "$PORT" --mqtt.node box "$@" >log.txt 2>&1; }
rm -rf state
tone long.wav 16000 1 1000 0.02:9
run --input file:long.wav --level.interval 2s --level.history 10s & echo $! >pid
wait_for 15 grep -q laeq levels.json
check "published, uncalibrated"               is levels.json "near(o['laeq'], -36.99) and near(o['interval_s'], 2, 0.05) and o['unit'] == 'dBFS' and 'rms_dbfs' in o and o['class1_to_hz'] == 6300"
check "calibrated while the daemon runs"      bash -c "'$E' calibrate --state-dir state >o 2>e && grep -qE '0 dBFS is (130.9[789]|131.0[01]) dB' o"
check "earshot levels asks the daemon"        bash -c "'$E' levels --state-dir state --seconds 1 >o && grep -q 'LAF .*dB' o"
wait "$(cat pid)"; rc=$?; rm -f pid
check "the daemon ended well"                 [ $rc = 0 ]
check "published, in decibels"                is levels.json "near(o['laeq'], 94.0) and o['unit'] == 'dB' and near(o['lafmax'], 94.0) and near(o['lcpeak'], 97.0, 0.15)"
total() { python3 - <<'P'
import json, math
rows = [json.loads(l) for l in open("levels.json")]
seconds = sum(r["interval_s"] for r in rows)
assert abs(seconds - 9) < 0.1, seconds
P
}
check "nothing of the 9 s is missing"         total
"$E" noise --state-dir state --json >out.json
check "noise report"                          is <(head -1 out.json) "near(o['laeq'], 94.0) and o['calibrated'] and o['measured_s'] + o['left_out_s'] > 8.9"
check "... as text"                           bash -c "'$E' noise --state-dir state | grep -q 'dB re 20 uPa'"
check "... as CSV and picture"                bash -c "'$E' noise --state-dir state --csv --svg n.svg | grep -q '^day,' && grep -q '</svg>' n.svg"

echo 'no calibration' >state/calibration
run --input file:cal.wav --fast --level.interval 2s --mqtt.enabled=off
check "a broken calibration file: said, and uncalibrated" grep -q 'calibration:1 is no calibration.*uncalibrated' log.txt
check "... and not overwritten"               bash -c "! '$E' calibrate --state-dir state --input file:cal.wav >o 2>e; grep -q 'no calibration' state/calibration"
: >levels.json; tone two.wav 16000 1 1000 0.02:2
run --input file:two.wav --level.interval 1s --level.enabled=off
check "switched off: the gate's figures alone" is levels.json "'rms_dbfs' in o and 'laeq' not in o and 'laf' not in o"
summary
