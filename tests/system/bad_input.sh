#!/bin/bash
# bad_input.sh - a table of bad input through the real program: each must give a clear message and the right exit code, and no
# sanitizer report (make sanitize runs this with the instrumented build). ~30 s.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); EARSHOT=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT; cd "$W" || exit 1
export EARSHOT_MODELS=$root/models ASAN_OPTIONS=detect_leaks=1:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1
E=$EARSHOT R="--state-dir $W/state --mqtt.enabled=off"

# bad NAME EXIT REGEX COMMAND... : stderr must match REGEX (and be neither empty nor a sanitizer's)
bad() {
    local name=$1 want=$2 regex=$3 rc; shift 3
    timeout 20 "$@" >out.txt 2>err.txt </dev/null; rc=$?
    if [ $rc = "$want" ] && grep -Eq -- "$regex" err.txt && ! grep -q 'Sanitizer\|runtime error' err.txt; then
        PASS=$((PASS + 1)); echo "ok      $name"
    else
        FAIL=$((FAIL + 1)); echo "NOT OK  $name: exit $rc (want $want), stderr:"; head -5 err.txt | sed 's/^/            /'
    fi
}
conf() { # NAME REGEX TEXT : a configuration file with that text
    printf "$3" >bad.conf
    bad "config: $1" 2 "bad.conf:[0-9]+: .*($2)|bad.conf: .*($2)" "$E" config check bad.conf
}

echo "--- configuration lines"
conf "unknown section"          'gate'                  '[gaet]\nthreshold = -40\n'
conf "unknown key, nearest"     'hysteresis'            '[gate]\nhysteresys = 3\n'
conf "no section"               'section'               'threshold = -40\n'
conf "no equals sign"           '='                     '[gate]\nthreshold\n'
conf "section not closed"       ']'                     '[gate\nthreshold = -40\n'
conf "not a number"             'hysteresis'            '[gate]\nhysteresis = loud\n'
conf "trailing junk"            'hysteresis'            '[gate]\nhysteresis = 3 dB or so\n'
conf "wrong unit"               'hold'                  '[gate]\nhold = 3 dB\n'
conf "above its range"          'port'                  '[mqtt]\nport = 99999\n'
conf "below its range"          'port'                  '[mqtt]\nport = 0\n'
conf "negative duration"        'hold'                  '[gate]\nhold = -1 s\n'
conf "NaN"                      'hysteresis'            '[gate]\nhysteresis = nan\n'
conf "infinity"                 'hold'                  '[gate]\nhold = inf\n'
conf "not a switch"             'enabled'               '[mqtt]\nenabled = maybe\n'
conf "threshold above full"     'threshold'             '[gate]\nthreshold = 2.5\n'
conf "threshold nonsense"       'threshold'             '[gate]\nthreshold = auto-ish\n'
conf "channel 0"                'channel'               '[input]\nchannel = 0\n'
conf "channel word"             'channel'               '[input]\nchannel = left\n'
conf "not a choice"             'level'                 '[log]\nlevel = chatty\n'
conf "password in the file"     'password_file'         '[mqtt]\npassword = secret\n'
conf "active hours"             'active'                '[class siren]\nactive = 25:00-07:00\n'
conf "class threshold"          'threshold'             '[class siren]\nthreshold = 1.5\n'
conf "class name"               'a-z'                   '[class Fire Alarm!]\nthreshold = 0.5\n'
conf "NUL byte"                 'NUL|byte'              '[gate]\nhold = 0.\000005 s\n'
printf '[gate]\nhold = %05000d\n' 1 >bad.conf
bad "config: line too long" 2 'bad.conf:2: .*(long|characters)' "$E" config check bad.conf
bad "config: no such file" 2 'nowhere.conf' "$E" config check nowhere.conf
bad "config: a folder" 2 "$W" "$E" config check "$W"
head -c 20000 /dev/urandom >bad.conf
bad "config: garbage" 2 'bad.conf:' "$E" config check bad.conf

echo "--- command lines"
bad "no command"                2 'usage'                   "$E"
bad "unknown command, nearest"  2 'classify'                "$E" clasify x.wav
bad "unknown flag"              2 'frobnicate'              "$E" run --frobnicate
bad "unknown option"            2 'gate'                    "$E" run --gate.treshold=3
bad "flag without its value"    2 'input'                   "$E" run --input
bad "option out of range"       2 'hold.*(0|to|..)'         "$E" run --gate.hold=1000000s
bad "--config without a file"   2 'missing.conf'            "$E" run --config missing.conf
bad "surplus argument"          2 'extra'                   "$E" run extra
bad "--fast with a microphone"  2 'fast'                    "$E" run --fast
bad "classify without a file"   2 'FILE|file'               "$E" classify
bad "classify --top x"          2 'top'                     "$E" classify --top x a.wav
bad "classify --jobs 0"         2 'jobs'                    "$E" classify --jobs 0 a.wav
bad "hop of 0"                  2 'hop'                     "$E" run $R --model.hop=0
bad "hop beyond the window"     2 'hop'                     "$E" run $R --model.hop=60s
bad "hop beyond the model's"    2 'hop.*looks at'        "$E" run $R --model.hop=1.5s --input "file:$root/models/demo.flac" --fast
bad "features: unknown"         2 'logmel'                  "$E" features --feature chroma x.wav -o o.npy
bad "features: parameter"       2 'mel_bands'               "$E" features --feature logmel --param mel_bandz=4 "$root/tests/data/smoke_t3.flac" -o o.npy
bad "features: value"           2 'fft_size'                "$E" features --feature logmel --param fft_size=9999999999 "$root/tests/data/smoke_t3.flac" -o o.npy
bad "test without a daemon"     1 'earshot run'             "$E" test siren --state-dir "$W/state"

echo "--- audio files and stdin"
tone() { sox -n -r "${2:-16000}" -c "${3:-1}" -b 16 "$1" synth "${4:-1}" sine 440 2>/dev/null; }
audio() { bad "audio: $1" 1 "$2" "$E" classify "$3"; }
: >empty.wav;                                             audio "zero length" 'empty.wav' empty.wav
head -c 3000 /dev/urandom >garbage.wav;                   audio "garbage" 'garbage.wav' garbage.wav
tone t.wav; head -c 20 t.wav >header.wav;                 audio "truncated in the header" 'header.wav' header.wav
head -c 44 t.wav >nodata.wav;                             audio "no samples" 'nodata.wav' nodata.wav
printf 'hello\n' >text.mp3;                               audio "text called mp3" 'text.mp3' text.mp3
mkdir folder.wav;                                         audio "a folder" 'folder.wav' folder.wav
audio "no such file" 'nothere.wav' nothere.wav
bad "audio: one bad among good: the rest goes on" 1 'empty.wav' "$E" classify empty.wav "$root/tests/data/smoke_t3.flac"
check "  and the good one was told" grep -q smoke_t3 out.txt
good() { # NAME COMMAND... : odd, but fine
    local name=$1; shift
    timeout 20 "$@" >out.txt 2>err.txt </dev/null; local rc=$?
    check "$name" bash -c "[ $rc = 0 ] && ! grep -q 'Sanitizer\|runtime error' '$W/err.txt'"
}
head -c 9000 t.wav >cut.wav;                              good "audio: truncated in the samples" "$E" classify cut.wav
tone eight.wav 48000 8;                                   good "audio: eight channels" "$E" classify eight.wav
tone fast.wav 192000 1;                                   good "audio: 192 kHz" "$E" classify fast.wav
tone slow.wav 1000 1;                                     good "audio: 1 kHz" "$E" classify slow.wav
python3 - <<'P'
import struct
x = struct.pack("<16000f", *([float("nan"), float("inf"), -float("inf"), 1e30] * 4000))
h = b"RIFF" + struct.pack("<I", 36 + len(x)) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 3, 1, 16000, 64000, 4, 32)
open("notanumber.wav", "wb").write(h + b"data" + struct.pack("<I", len(x)) + x)
lie = h + b"data" + struct.pack("<I", 0x7fffffff) + x[:4000]
open("lie.wav", "wb").write(lie)
open("one.wav", "wb").write(h + b"data" + struct.pack("<If", 4, 0.5))
P
good "audio: one sample" "$E" classify one.wav
good "audio: NaN and infinity" "$E" classify notanumber.wav
check "  gives no NaN" bash -c "! grep -qiE '[^a-z](nan|inf)[^a-z]' out.txt"
good "audio: a header that lies about its length" "$E" classify lie.wav
bad "run: file that is not there" 2 'nothere.wav' "$E" run $R --input file:nothere.wav
python3 -c "
d = open('$root/models/demo.flac', 'rb').read()
open('broken.flac', 'wb').write(d[:200000] + bytes(3000) + d[203000:400000])"
bad "run: a file that breaks off: what was heard is told, exit 1" 1 'broken.flac' "$E" run $R --fast --input file:broken.flac
check "  and it was told" grep -q smoke_alarm out.txt
bad "run: garbage file" 2 'garbage.wav' "$E" run $R --input file:garbage.wav
good "run: stdin that is closed at once" "$E" run $R --input - --rate 16000
head -c 32001 /dev/urandom >odd.raw
timeout 20 "$E" run $R --input - --rate 16000 <odd.raw >out.txt 2>err.txt
check "run: stdin with half a sample at its end" test $? = 0
bad "run: stdin with a silly rate" 2 'rate' "$E" run $R --input - --rate 7

echo "--- models"
M=$root/models/earshot-s.onnx
model() { bad "model: $1" 2 "$2" "$E" run $R --input - --model "$3"; }
model "no such name" 'earshot-s' nothing
model "no such file" 'nothere.onnx' ./nothere.onnx
: >empty.onnx;                           model "empty" 'empty.onnx' ./empty.onnx
head -c 5000 /dev/urandom >garbage.onnx; model "garbage" 'garbage.onnx' ./garbage.onnx
head -c 5000 "$M" >cut.onnx;             model "truncated" 'cut.onnx' ./cut.onnx
head -c $(($(stat -c %s "$M") - 300)) "$M" >cut2.onnx; model "truncated near its end" 'cut2.onnx' ./cut2.onnx
model "a folder" 'folder' ./folder.wav
swap() { # FILE OLD NEW (same length): bytes of the model replaced
    python3 - "$M" "$1" "$2" "$3" <<'P'
import sys
b = open(sys.argv[1], "rb").read(); old, new = sys.argv[3].encode(), sys.argv[4].encode()
assert len(old) == len(new) and old in b
open(sys.argv[2], "wb").write(b.replace(old, new))
P
}
swap nometa.onnx earshot.feature earshot.featurx;  model "feature missing"  'earshot.feature' ./nometa.onnx
swap nolab.onnx  earshot.labels  earshot.labelz;   model "labels missing"   'earshot.labels' ./nolab.onnx
swap nowin.onnx  earshot.window_s earshot.window_z; model "window missing"  'earshot.window_s' ./nowin.onnx
swap noact.onnx  earshot.activation earshot.activatiox; model "activation missing" 'earshot.activation' ./noact.onnx
swap badop.onnx  GlobalAveragePool GlobalAveragePooz; model "unknown operator" 'GlobalAveragePooz' ./badop.onnx
summary
