#!/bin/bash
# web_upload.sh: sounds that are sent to the page: what is answered, what is refused, and that the listening daemon does not notice. Needs curl,
# sox and python3. WEB_UPLOAD_PORT: where to listen.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
EARSHOT=$(realpath "${EARSHOT:-$root/build/earshot}") PORT=${WEB_UPLOAD_PORT:-18149}
U=http://127.0.0.1:$PORT/api/v1/classify
W=$(mktemp -d) daemon=
trap '[ -z "$daemon" ] || kill -KILL $daemon 2>/dev/null; rm -rf "$W"' EXIT
export EARSHOT_MODELS=${EARSHOT_MODELS:-$root/models}
cd "$W" || exit 1
for tool in curl sox python3; do command -v $tool >/dev/null || { skip "web_upload: $tool is not installed"; summary; exit; }; done

# send [CURL-FLAG...] : $code, out.json
send() { code=$(timeout 60 curl -s -o out.json -w '%{http_code}' "$@" "$U$query"); }
query=
py() { python3 -c "import json,sys
r = json.load(open('out.json'))
sys.exit(0 if ($1) else 1)"; }
problem() { # NAME STATUS REGEX CURL-FLAG... : a problem document with that status, and a detail like that
    local name=$1 want=$2 regex=$3; shift 3
    send "$@"
    check "$name: $want" test "$code" = "$want"
    check "  ... and says why" py "__import__('re').search(r'''$regex''', r['detail']) and r['status'] == $want and len(r['title']) > 3"
}
same() { # NAME CURL-FLAG... : the answer is that of earshot classify --json
    local name=$1; shift
    send "$@"
    check "$name: 200" test "$code" = 200
    check "  ... and what classify says" python3 -c "import json
r, c = json.load(open('out.json')), json.load(open('want.json'))
assert list(r) == list(c) + ['waveform', 'spectrogram', 'windows'], list(r)
assert all(r[k] == c[k] for k in ('duration_s', 'top', 'events'))"
}
descriptors() { ls -l /proc/$daemon/fd | grep -c deleted; }
children() { cat /proc/$daemon/task/*/children 2>/dev/null | wc -w; }
quiet_again() { wait_for 5 bash -c "[ \$(cat /proc/$daemon/task/*/children | wc -w) = 0 ] && ! ls -l /proc/$daemon/fd | grep -q deleted"; }

sox -n -r 16000 -b 16 room.wav synth 240 whitenoise vol 0.0005 2>/dev/null
"$EARSHOT" run --input file:room.wav --mqtt.enabled=off --web.port=$PORT --state-dir "$W/state" >run.out 2>run.err </dev/null &
daemon=$!
check "the page is there" wait_for 10 curl -sf -o /dev/null http://127.0.0.1:$PORT/healthz
head -c 16 "$root/tests/data/siren.flac" >x.flac; send -F file=@x.flac
if grep -q seccomp out.json; then skip "no seccomp on this kernel: nothing is looked through"; summary; exit; fi

echo "--- the answer"
cp "$root/tests/data/siren.flac" siren.flac
sox siren.flac siren.wav; sox siren.flac siren.ogg; sox siren.flac -r 44100 -c 2 -b 24 stereo.wav 2>/dev/null
sox siren.flac siren.mp3 2>/dev/null || rm -f siren.mp3
for f in siren.wav siren.flac siren.ogg siren.mp3 stereo.wav; do
    [ -s $f ] || { skip "$f: sox cannot write it"; continue; }
    "$EARSHOT" classify --json $f >want.json
    same "$f in a form" -F "file=@$f"
    check "  ... file is its name" py "r['file'] == '$f'"
    same "$f as the body" --data-binary @$f -H 'Content-Type: audio/x-whatever'
    check "  ... file is null" py "r['file'] is None"
done
check "the outline" py "len(r['waveform']['min']) == len(r['waveform']['max']) <= 1000 and abs(len(r['waveform']['min']) * r['waveform']['step_s'] - r['duration_s']) < .1 and -1 <= min(r['waveform']['min']) < -.05 and .05 < max(r['waveform']['max']) <= 1"
check "the spectrogram" py "(lambda s, d: s['bands'] == 64 and len(d) == 64 * s['columns'] and abs(s['columns'] * s['step_s'] - r['duration_s']) < .1 and max(d) > 100)(r['spectrogram'], __import__('base64').b64decode(r['spectrogram']['data']))"
check "the windows" py "[w['start_s'] for w in r['windows']] == [0, .5, 1, 1.5, 2] and all(len(w['top']) == 3 and 'siren' in [t['label'] for t in w['top']] for w in r['windows']) and sum(w['top'][0]['label'] == 'siren' for w in r['windows']) >= 4"
"$EARSHOT" classify --json --model us8k-mfcc40 siren.wav >want.json
query='?model=us8k-mfcc40'; same "another model" -F file=@siren.wav
query='?model=../../etc/passwd'; problem "a path for a model" 400 'no model of the name' -F file=@siren.wav
query='?model=nosuch'; problem "a model that is not there" 400 'nosuch' -F file=@siren.wav
query='?frobnicate=1'; problem "a parameter that is not there" 400 'frobnicate' -F file=@siren.wav
query=
"$EARSHOT" classify --json siren.wav >want.json
same "other fields of the form" -F note=hello -F file=@siren.wav -F more=@siren.wav
same "a name that is a path" -F 'file=@siren.wav;filename=../../../etc/x.wav'
check "  ... is its last part" py "r['file'] == 'x.wav'"
same "a name like a flag" -F 'file=@siren.wav;filename=--config=x'
same "a name with escapes" -F "file=@siren.wav;filename=$(printf '\033[2J\xff"')x"
for i in 1 2 3; do sox -n -r 16000 -b 16 bell$i.wav synth 1.3 sine 88$i sine 132$i fade 0.01 1.3 1 vol 0.5 pad 0.4 0.4 2>/dev/null; done
if "$EARSHOT" teach our_bell bell1.wav bell2.wav bell3.wav --state-dir "$W/state" >taught.txt 2>&1; then
    "$EARSHOT" classify --json --state-dir "$W/state" bell2.wav >want.json
    same "a sound that was taught" -F file=@bell2.wav
    check "  ... is among those heard" py "'our_bell' in [t['label'] for t in r['top']]"
    "$EARSHOT" teach forget our_bell --state-dir "$W/state" >/dev/null 2>&1
    "$EARSHOT" classify --json siren.wav >want.json
else
    check "a sound is taught: $(tail -1 taught.txt)" false
fi
same "a slow upload" --limit-rate 40k -F file=@siren.wav

echo "--- what is no sound, or not all of it"
: >empty; printf 'hello\n' >text.wav; head -c 30000 /dev/urandom >noise.mp3
problem "text" 415 'not an audio file' -F file=@text.wav
problem "random bytes" 415 'not an audio file' -F file=@noise.mp3
problem "an empty file" 415 empty -F file=@empty
problem "an empty body" 415 empty -X POST
problem "an empty body of length 0" 415 empty --data-binary @empty
problem "a form without the field" 400 '"file" is missing' -F other=@siren.wav
problem "a field given twice" 400 'more than one' -F file=@siren.wav -F file=@text.wav
problem "a form without a boundary" 400 boundary --data-binary @siren.wav -H 'Content-Type: multipart/form-data'
problem "a form that is none" 400 'multipart|missing' --data-binary @siren.wav -H 'Content-Type: multipart/form-data; boundary=xyz'
for f in siren.flac siren.wav; do
    head -c $(($(stat -c %s $f) * 6 / 10)) $f >cut.${f#*.}
    problem "$f that breaks off" 422 'broken after|breaks off' -F file=@cut.${f#*.}
done
python3 - <<'PY'
import struct
d = open('siren.wav', 'rb').read()
def wav(name, channels=1, rate=16000, bits=16, claims=None, body=d[44:]):
    open(name, 'wb').write(b'RIFF' + struct.pack('<I', 36 + len(body)) + b'WAVEfmt ' + struct.pack('<IHHIIHH', 16, 1, channels, rate,
        min(rate * channels * bits // 8, 2**32 - 1), channels * bits // 8 % 65536, bits) + b'data' + struct.pack('<I', len(body) if claims is None else claims) + body)
wav('lie-size.wav', claims=2**31 - 2**16)
wav('lie-channels.wav', channels=65535)
wav('lie-rate.wav', rate=2**32 - 1)
wav('lie-zero.wav', channels=0)
wav('nothing.wav', body=b'')
f = bytearray(open('siren.flac', 'rb').read())
f[18:26] = b'\x00' + f[19:21] + bytes([f[21] | 15]) + b'\xff\xff\xff\xff'  # samples: as many as can be said
open('lie-samples.flac', 'wb').write(f)
PY
for f in lie-size.wav lie-channels.wav lie-rate.wav lie-zero.wav nothing.wav; do
    send -F file=@$f
    check "$f: refused ($code)" bash -c "[ $code = 415 ] || [ $code = 422 ]"
done
send -F file=@lie-samples.flac
check "FLAC that claims 10^11 samples: answered ($code)" bash -c "[ $code = 200 ] || [ $code = 415 ] || [ $code = 422 ]"
problem "1 GB, and says so" 413 'at most' -T siren.wav -X POST -H 'Content-Length: 1073741824'
before=$(descriptors)
code=$(head -c 1073741824 /dev/zero | timeout 100 curl -s -o out.json -w '%{http_code}' -X POST -T - -H 'Transfer-Encoding: chunked' -H 'Expect:' "$U")
check "1 GB without a word: 413 or cut ($code)" bash -c "[ $code = 413 ] || [ $code = 000 ]"
check "  ... and nothing of it is left" quiet_again

echo "--- who goes away, and crowds"
sox -n -r 8000 -b 16 long.flac synth 300 whitenoise vol 0.3 2>/dev/null # half a second of work, or more
sox -n -r 8000 -b 16 crowd.flac synth 90 whitenoise vol 0.3 2>/dev/null
timeout 1 curl -s -o /dev/null --limit-rate 100k -F file=@long.flac "$U"
check "gone while sending: nothing is left" quiet_again
curl -s -o /dev/null -F file=@long.flac "$U" & client=$!
check "a process looks through it" wait_for 20 bash -c "[ \$(cat /proc/$daemon/task/*/children | wc -w) = 1 ]"
pid=$(cat /proc/$daemon/task/*/children 2>/dev/null | tr -d ' ')
wait_for 5 grep -q 'Seccomp:.*2' /proc/$pid/status
check "  ... behind a seccomp filter" grep -q 'Seccomp:.*2' /proc/$pid/status
check "  ... and without a way to more rights" grep -q 'NoNewPrivs:.*1' /proc/$pid/status
kill $client; wait $client 2>/dev/null
check "gone while it is looked through: the process is ended" quiet_again
for i in 1 2 3 4 5 6 7 8 9; do
    curl -s -o crowd$i.json -D crowd$i.txt -w '%{http_code}\n' -F file=@crowd.flac "$U" >crowd$i.code &
    crowd="${crowd:-} $!"
done
most=0
while kill -0 ${crowd##* } 2>/dev/null && [ $SECONDS -lt 600 ]; do
    n=$(children); [ "$n" -gt $most ] && most=$n
    sleep 0.05
done
wait $crowd
check "a crowd: two processes at a time ($most)" test "$most" -le 2
check "  ... each gets its answer or is told to come again" bash -c "! cat crowd*.code | grep -v '^200$\|^503$'"
check "  ... some of them the answer" grep -q 200 crowd1.code crowd2.code crowd3.code crowd4.code crowd5.code crowd6.code crowd7.code crowd8.code crowd9.code
for i in 1 2 3 4 5 6 7 8 9; do
    [ "$(cat crowd$i.code)" = 503 ] || continue
    check "  ... and the other when" grep -qi '^retry-after: [0-9]' crowd$i.txt; break
done
check "nothing is left" quiet_again
check "the state directory is clean" bash -c "! ls -A state | grep -qi upload"
curl -s -o /dev/null -F file=@long.flac "$U" & client=$!
wait_for 20 bash -c "[ \$(cat /proc/$daemon/task/*/children | wc -w) = 1 ]"
pid=$(cat /proc/$daemon/task/*/children 2>/dev/null | tr -d ' ')
kill -TERM $daemon; wait $daemon; rc=$?
wait $client 2>/dev/null
check "stopped in the middle: exit 0" test $rc = 0
check "  ... and its process with it" bash -c "! kill -0 $pid 2>/dev/null"
check "the listening daemon lost no audio" bash -c "! grep -qi 'lost\|overrun\|dropped' run.err"
daemon=
summary
