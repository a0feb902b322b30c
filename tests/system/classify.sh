#!/bin/bash
# classify.sh: earshot classify over good, odd and bad files. Needs sox and python3; ffmpeg where it is.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
EARSHOT=${EARSHOT:-$root/build/earshot}
W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
export EARSHOT_MODELS=${EARSHOT_MODELS:-$root/models}
cd "$W" || exit 1

command -v sox >/dev/null || { skip "classify: sox is not installed"; summary; exit; }
run() { timeout 60 "$EARSHOT" classify "$@" >out.txt 2>err.txt </dev/null; rc=$?; }
py() { python3 -c "import json,sys
rows = [json.loads(l) for l in open('out.txt')]
r = rows[0] if rows else None
sys.exit(0 if ($1) else 1)"; }
tone() { sox -n -r "${2:-16000}" -c "${3:-1}" -b 16 "$1" synth "${4:-2}" sine 1000 vol 0.3 pad 1 1 2>/dev/null; }

echo "--- the contract of --json"
tone a.wav 48000 2
run --json a.wav
check "exit code 0" test $rc = 0
check "one line a file" test "$(wc -l <out.txt)" = 1
check "file, duration_s, top, events and no more" py "list(r) == ['file', 'duration_s', 'top', 'events']"
check "the argument as given" py "r['file'] == 'a.wav'"
check "duration of the file" py "abs(r['duration_s'] - 4) < 1e-6"
check "best five, best first" py "len(r['top']) == 5 and r['top'] == sorted(r['top'], key=lambda t: -t['score'])"
check "label and score" py "all(list(t) == ['label', 'score'] and 0 <= t['score'] <= 1 for t in r['top'])"
run --json ./a.wav "$W/a.wav"
check "each argument as given" py "[x['file'] for x in rows] == ['./a.wav', '$W/a.wav']"
run --json --top 2 a.wav;  check "--top 2" py "len(r['top']) == 2"
run --json --top=0 a.wav;  check "--top 0: all of them" py "len(r['top']) > 5"
run --json a.wav; cp out.txt gated.txt
run --json --no-gate a.wav
check "--no-gate: top does not change" py "all(abs(a['score'] - b['score']) < 2e-4 for a, b in zip(r['top'], json.load(open('gated.txt'))['top']))"
run --json --class.dog_bark.threshold=0 --gate.threshold=-40 a.wav
check "events: label, score, times, levels, top" py "all(list(e) == ['label', 'score', 'start_s', 'end_s', 'peak_dbfs', 'rms_dbfs', 'top'] for e in r['events'])"
check "an event that must be" py "[e['label'] for e in r['events']].count('dog_bark') == 1"
check "starts when the sound does" py "abs(next(e for e in r['events'] if e['label'] == 'dog_bark')['start_s'] - 1) <= 0.02"
check "ends within the file" py "all(e['start_s'] < e['end_s'] <= r['duration_s'] + 1e-3 for e in r['events'])"
check "its level" py "abs(next(e for e in r['events'] if e['label'] == 'dog_bark')['peak_dbfs'] + 10.5) < 1"
run --json --class.dog_bark.threshold=0 --gate.threshold=-3 a.wav
check "a gate that never opens: no events, top all the same" py "r['events'] == [] and len(r['top']) == 5"

echo "--- rates, channels, formats"
n=0
for rate in 8000 11025 22050 44100 96000 192000; do
    tone r$rate.wav $rate $((n++ % 3 + 1)); run --json r$rate.wav
    check "$rate Hz" py "$rc == 0 and abs(r['duration_s'] - 4) < 1e-3 and len(r['top']) == 5"
done
for f in flac ogg mp3 aiff; do
    if sox a.wav b.$f 2>/dev/null; then
        run --json b.$f; check "$f" py "$rc == 0 and 3.9 < r['duration_s'] < 4.2"
    else
        skip "$f: sox cannot write it"
    fi
done
if command -v ffmpeg >/dev/null; then
    for f in m4a webm 3gp opus; do
        codec=$(case $f in 3gp | m4a) echo aac ;; *) echo libopus ;; esac)
        ffmpeg -v error -y -i a.wav -c:a $codec ./-$f.$f </dev/null 2>ff.txt || { skip "$f: ffmpeg cannot write it"; continue; }
        run --json -- "-$f.$f"
        check "$f, a name like an option" py "len(rows) == 1 and r['file'] == '-$f.$f' and 3.9 < r['duration_s'] < 4.2"
    done
    printf '#EXTM3U\n#EXTINF:3,\na.wav\n' >list.m3u8
    run list.m3u8; check "a playlist opens nothing" test $rc = 1
else
    skip "m4a, webm, 3gp: ffmpeg is not installed"
fi
ffmpeg -v error -y -i a.wav -c:a aac nf.m4a </dev/null 2>/dev/null || head -c 9000 /dev/urandom >nf.m4a
mkdir -p no-ffmpeg
(PATH=$W/no-ffmpeg "$EARSHOT" classify nf.m4a >out.txt 2>err.txt </dev/null)
check "without ffmpeg the message names it" grep -q 'nf.m4a.*ffmpeg.*not installed' err.txt

fake() { # NAME TEXT SCRIPT: an ffmpeg that misbehaves
    mkdir -p fake; printf '#!/bin/sh\n%s\n' "$3" >fake/ffmpeg; chmod +x fake/ffmpeg
    PATH=$W/fake:$PATH timeout 60 "$EARSHOT" classify --json nf.m4a >out.txt 2>err.txt </dev/null
    local rc=$?
    check "ffmpeg that $1" bash -c "[ $rc = 1 ] && grep -q 'nf.m4a.*$2' err.txt"
}
fake "gives something else" 'something else' 'head -c 100 /dev/zero'
fake "gives a header alone" 'no sound' 'printf ".snd\0\0\0\030\377\377\377\377\0\0\0\006\0\0\076\200\0\0\0\001"'
fake "has no channels" '0 channels' 'printf ".snd\0\0\0\030\377\377\377\377\0\0\0\006\0\0\076\200\0\0\0\0"'
fake "crashes" 'signal 9' 'kill -9 $$'
fake "complains" 'ffmpeg: moov is missing' 'echo "file:nf.m4a: moov is missing" >&2; exit 1'
fake "would write a file" 'ffmpeg' 'echo x >written; exit 1'
check "  and could not" test ! -s written
fake "breaks off" 'ffmpeg: no more' 'printf ".snd\0\0\0\030\377\377\377\377\0\0\0\006\0\0\076\200\0\0\0\001"; head -c 128000 /dev/zero; echo "no more" >&2; exit 1'
check "  is told up to there" py "r['duration_s'] == 2"

echo "--- odd and bad files"
python3 -c "import wave; w = wave.open('one.wav', 'wb'); w.setparams((1, 2, 16000, 0, 'NONE', '')); w.writeframes(b'\\0\\x40'); w.close()"
run --json one.wav
check "one sample" py "$rc == 0 and len(r['top']) == 5"
sox -n -r 16000 -c 1 -b 16 silent.wav trim 0 3 2>/dev/null; run --json silent.wav
check "silence" py "$rc == 0 and len(r['top']) == 5 and r['events'] == []"
: >empty.wav; head -c 3000 /dev/urandom >garbage.wav; mkdir folder.wav; head -c 44 a.wav >header.wav; printf 'hello\n' >text.mp3
for f in empty.wav garbage.wav folder.wav header.wav text.mp3 nothere.wav /dev/null; do
    run --json $f
    check "$f: exit 1, named once, nothing on stdout" bash -c "[ $rc = 1 ] && [ ! -s out.txt ] && [ \$(grep -c '$f' err.txt) = 1 ]"
done
run --json empty.wav a.wav garbage.wav one.wav
check "bad among good: the good ones are told, exit 1" py "$rc == 1 and [x['file'] for x in rows] == ['a.wav', 'one.wav']"
check "  and the bad ones named" bash -c "grep -q empty.wav err.txt && grep -q garbage.wav err.txt"
bad=$(printf 'b\xfcd\x01.wav'); cp a.wav "$bad" && run --json "$bad"
check "a name that is not UTF-8: valid JSON" py "$rc == 0 and r['file'].startswith('b\ufffdd')"
cp a.wav "$(printf 'esc\033[31m.wav')"; run "$(printf 'esc\033[31m.wav')" "$(printf 'no\033[31m.wav')"
check "a name with an escape sequence: none reaches the terminal" bash -c "! grep -q $'\033' out.txt err.txt"

echo "--- several files, jobs, models"
for i in $(seq 12); do cp a.wav m$i.wav; done
run --json --jobs 3 m*.wav
check "--jobs 3 keeps the order" py "[x['file'] for x in rows] == '$(echo m*.wav)'.split()"
check "  and all say the same" py "all(x['top'] == r['top'] and x['events'] == r['events'] for x in rows)"
run --json --jobs 64 a.wav; check "more jobs than files" py "len(rows) == 1"
two=$(cd "$EARSHOT_MODELS" && echo *.onnx | cut -d' ' -f2 -s)
if [ -n "$two" ]; then
    run --json --model earshot-s --model "${two%.onnx}" a.wav
    check "two models in JSON" py "list(r) == ['file', 'duration_s', 'models'] and [m['model'] for m in r['models']] == ['earshot-s', '${two%.onnx}']"
    run --model earshot-s --model "${two%.onnx}" a.wav
    check "two models side by side" bash -c "grep -q 'earshot-s .*${two%.onnx}' out.txt"
else
    skip "two models: only one lies in $EARSHOT_MODELS"
fi
run a.wav; check "a table for people" grep -q 'a.wav  4.00 s' out.txt
timeout 60 "$EARSHOT" classify --json m*.wav 2>err.txt | head -1 >/dev/null
check "a reader that leaves" bash -c "! grep -qi 'sigpipe\|error' err.txt"
run --json a.wav >/dev/null; "$EARSHOT" classify a.wav >/dev/full 2>err.txt </dev/null
check "a full disk is a failure" test $? = 1

echo "--- wrong usage"
usage() { local n=$1 text=$2; shift 2; run "$@"; check "$n: exit 2" bash -c "[ $rc = 2 ] && grep -qi -- '$text' err.txt"; }
usage "no file" file
usage "--top x" top --top x a.wav
usage "--top -1" top --top -1 a.wav
usage "--jobs 0" jobs --jobs 0 a.wav
usage "an unknown flag" frobnicate --frobnicate a.wav
usage "an unknown model" nosuch --model nosuch a.wav
usage "garbage for a model" garbage --model ./garbage.wav a.wav
summary
