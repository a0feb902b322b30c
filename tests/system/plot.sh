#!/bin/bash
# plot.sh: earshot plot draws what is there. Needs sox and python3.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
EARSHOT=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT
export EARSHOT_MODELS=${EARSHOT_MODELS:-$root/models}
cd "$W" || exit 1
command -v sox >/dev/null || { skip "plot: sox is not installed"; summary; exit; }
run() { timeout 60 "$EARSHOT" plot "$@" >out.txt 2>err.txt </dev/null; rc=$?; }

# The SVG as a tree, its spectrogram decoded by hand; `s` is the text, `px` rows of palette indices (the lightest is the loudest).
cat >svg.py <<'PY'
import base64, re, struct, sys, zlib, xml.etree.ElementTree as E
def load(name):
    tree = E.parse(name).getroot()
    assert tree.tag.endswith('svg')
    image = next(e for e in tree.iter() if e.tag.endswith('image'))
    data = base64.b64decode(next(v for k, v in image.attrib.items() if k.endswith('href')).split(',')[1], validate=True)
    assert data[:8] == b'\x89PNG\r\n\x1a\n'
    at, chunks = 8, {}
    while at < len(data):
        n, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + n]
        assert struct.unpack('>I', data[at + 8 + n:at + 12 + n])[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + n
    width, height, depth, colour = struct.unpack('>IIBB', chunks[b'IHDR'][:10])
    assert (height, depth, colour) == (64, 8, 3) and len(chunks[b'PLTE']) == 768 and b'IEND' in chunks
    raw = zlib.decompress(chunks[b'IDAT'])
    assert len(raw) == 64 * (width + 1)
    return tree, [raw[y * (width + 1) + 1:(y + 1) * (width + 1)] for y in range(64)]
tree, px = load(sys.argv[1])
text = [t.text for t in tree.iter() if t.tag.endswith('text')]
cls = lambda c: [e for e in tree.iter() if e.get('class') == c]
sys.exit(0 if eval(sys.argv[2]) else 1)
PY
svg() { python3 svg.py "$@"; }

echo "--- the picture"
sox -n -r 16000 -b 16 tone.wav synth 2 sine 1000 vol 0.25 pad 1 1 2>/dev/null
run tone.wav -o tone.svg
check "exit 0, nothing printed" bash -c "[ $rc = 0 ] && [ ! -s out.txt ] && [ ! -s err.txt ]"
check "a picture with its name and figures" svg tone.svg "'tone.wav' in text and any('4.00 s at 16000 Hz, peak -12.' in t for t in text)"
check "the tone in its time" svg tone.svg "max(r[90] for r in px) > 200 and max(r[30] for r in px) == 0 and len(px[0]) == 200"
check "the tone at 1 kHz" svg tone.svg "abs(max(range(64), key=lambda y: px[y][90]) - 42) <= 1"
check "nothing from elsewhere" bash -c "! grep -o 'http[^\"]*' tone.svg | grep -v '^http://www.w3.org'"
run tone.wav; cp out.txt plain.svg
check "on a pipe: the same" cmp -s tone.svg plain.svg
run --labels "$root/tests/data/siren.flac" -o siren.svg
check "--labels: what was heard" svg siren.svg "'siren' in text and len(cls('open')) > 2"
run --labels -m us8k-mfcc40 "$root/tests/data/siren.flac" -o other.svg
check "--model: another one" svg other.svg "any('us8k-mfcc40' in t for t in text)"
sox -n -r 16000 -b 16 silent.wav trim 0 1 2>/dev/null; run --labels silent.wav -o silent.svg
check "silence" svg silent.svg "'the gate never opened' in text"
sox -n -r 8000 -b 16 long.wav synth 700 sine 300 vol 0.1 2>/dev/null; run long.wav -o long.svg
check "a long one: no larger" bash -c "[ $rc = 0 ] && [ \$(stat -c %s long.svg) -lt 120000 ]"
check "  its time in minutes" svg long.svg "'10:00' in text"
for rate in 8000 11025 44100 192000; do
    sox -n -r $rate -c 2 -b 16 r.wav synth 0.3 sine 440 vol 2 2>/dev/null; run r.wav -o r.svg
    check "$rate Hz" svg r.svg "any('at $rate Hz' in t for t in text) and any('at full scale' in t for t in text)"
done
name=$(printf 'ünï <b>&"\x27 \033[31m.wav'); cp tone.wav "$name"; run "$name" -o odd.svg
check "a hostile name" svg odd.svg "any('ünï <b>&\"\\'' in t for t in text)"
check "  without its escape" bash -c "! grep -q $'\033' odd.svg"
printf 'x' >"$(printf 'b\xfcd.wav')"; sox tone.wav "$(printf 'b\xfcd.wav')" 2>/dev/null; run "$(printf 'b\xfcd.wav')" -o odd.svg
check "a name that is not UTF-8" svg odd.svg "'b?d.wav' in text"
if command -v script >/dev/null; then
    timeout 60 script -qec "stty cols 100; $EARSHOT plot --labels tone.wav" sketch.txt >/dev/null </dev/null
    check "on a terminal: a sketch" bash -c "grep -q '@@@' sketch.txt && grep -q '|||' sketch.txt && grep -q 'gate open' sketch.txt"
fi

echo "--- bad input"
bad() { # NAME EXIT REGEX ARGUMENT...
    local name=$1 want=$2 regex=$3; shift 3
    run "$@"; check "$name: exit $want, one line" bash -c "[ $rc = $want ] && [ \$(wc -l <err.txt) = 1 ] && grep -Eq '$regex' err.txt"
}
: >empty.wav; echo text >text.wav
bad "no file" 2 'no FILE'
bad "two files" 2 'tone' tone.wav tone.wav
bad "an absent file" 1 'nothere.wav: No such file' nothere.wav
bad "an empty one" 1 'empty.wav: is empty' empty.wav
bad "text" 1 'text.wav: not an audio file' text.wav
bad "a folder" 1 'directory' .
bad "--json" 2 'picture' --json tone.wav
bad "an unknown model" 2 nosuch --labels --model nosuch tone.wav
bad "an unknown flag" 2 frobnicate --frobnicate tone.wav
bad "a folder that is not there" 1 'No such file' tone.wav -o nothere/x.svg
check "nothing half done is left" bash -c "! ls | grep part"
sox tone.wav cut.flac; head -c $(($(stat -c %s cut.flac) / 2)) cut.flac >half.flac
bad "a file that breaks off" 1 'half.flac: broken after' half.flac -o half.svg
check "  is drawn up to there" svg half.svg "any('breaks off' in t for t in text)"
summary
