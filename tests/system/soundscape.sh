#!/bin/bash
# soundscape.sh - models/synth.py and models/soundscape.py: the same seed gives the same bytes; the streams hold what the
# annotations say, at the SNR that they say; refusals.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
PYTHON=${PYTHON:-/usr/bin/python3} W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
cd "$W" || exit 1
"$PYTHON" -c 'import numpy, scipy' 2>/dev/null && command -v espeak-ng >/dev/null ||
    { skip "soundscape: python3-numpy, python3-scipy or espeak-ng is not installed"; summary; exit; }
export PYTHONDONTWRITEBYTECODE=1

{ echo path,dataset,label,fold
  sed -n "2,\$s|^\([^,]*\),\(.*\)|$root/tests/data/\1,tests,\2,1|p" "$root/tests/data/sounds.csv"; } >manifest.csv
make() { timeout 120 "$PYTHON" "$root/models/soundscape.py" make "$@" >out.txt 2>err.txt; rc=$?; }
refused() { # WHAT TEXT: one line that holds TEXT
    check "$1: $2" test "$rc" != 0 -a "$(wc -l <err.txt)" = 1 -a -n "$(grep -F -- "$2" err.txt)"
}
stream() { make "$1" --manifest manifest.csv --split train --minutes 1.5 --piece 0.5 --beds speech,music,quiet \
               --snr 0,20 --gap 2 --others 0.2 --seed "$2"; }

echo "--- the same seed"
stream a 7; check "a stream is made" test "$rc" = 0 -a -s a/002-quiet.flac
stream b 7; check "the same seed, the same bytes" diff -r a b
stream c 8; check "another seed, another stream" bash -c 'test -s c/000-speech.flac && ! cmp -s a/000-speech.flac c/000-speech.flac'
for k in 1 2; do timeout 120 "$PYTHON" "$root/models/synth.py" train synth$k --count 1 2>>err.txt; done
check "the same sounds for training" diff -r synth1 synth2
timeout 60 "$PYTHON" "$root/models/synth.py" tests synth1
same() {
    local f
    for f in "$root"/tests/data/{smoke,co,siren,knock,clock,tick,rain}*.flac; do cmp "$f" "synth1/${f##*/}" || return; done
}
check "the tests' sounds are what the recipe makes" same

echo "--- what is in it"
export PYTHONPATH=$root/models
timeout 300 "$PYTHON" "$here/soundscape_checks.py" "$root/models/labels.csv" a synth1/manifest.csv \
    >checks.txt 2>err.txt || { tail -5 err.txt; check "checks ran to their end" false; }
while read -r verdict what; do check "$what" test "$verdict" = ok; done <checks.txt

echo "--- refusals"
make x --manifest nothing.csv;                                  refused "no such manifest" "nothing.csv"
make x --manifest manifest.csv --folds esc50;                   refused "folds" "'esc50' is not SET:FOLD"
make x --manifest manifest.csv --labels yeti;                   refused "a label" "'yeti' is no sound of labels.csv"
make x --manifest manifest.csv --labels cow;                    refused "a label without clips" "no clip of cow"
make x --manifest manifest.csv --beds speech,disco;             refused "a bed" "'disco' is none of speech, music"
make x --manifest manifest.csv --snr 10,loud;                   refused "an SNR" "'loud' is no number"
make x --manifest manifest.csv --minutes 0;                     refused "no length" "--minutes"
sed 's|tick.flac|tock.flac|' manifest.csv >missing.csv
make x --manifest missing.csv;                                  refused "a clip that is missing" "missing.csv:8: "
echo "file,label" >columns.csv; make x --manifest columns.csv;  refused "columns" "columns.csv: no column path, dataset"
check "nothing was written" test ! -e x
summary
