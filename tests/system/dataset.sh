#!/bin/bash
# dataset.sh: earshot dataset check finds what is wrong with a collection, and nothing else. Needs sox and python3. DATASET_FILES: how many files
# the large collection has (1000).
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
EARSHOT=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT
cd "$W" || exit 1
command -v sox >/dev/null || { skip "dataset: sox is not installed"; summary; exit; }
run() { timeout 300 "$EARSHOT" dataset "$@" >out.txt 2>err.txt </dev/null; rc=$?; }
said() { grep -Eq -- "$1" out.txt; }
py() { python3 -c "import json,sys
rows = [json.loads(l) for l in open('out.txt')]
of = lambda kind: [r for r in rows if r['kind'] == kind]
texts = [r['text'] for r in of('problem')]
s = rows[-1] if rows else None
sys.exit(0 if ($1) else 1)"; }
sound() { sox -R -n -r "${3:-16000}" -c 1 -b 16 "$1" synth "${2:-2}" pinknoise tremolo $((RANDOM % 7 + 1)) 60 vol 0.3 2>/dev/null; }

echo "--- a good collection"
sox -n -r 16000 -b 16 all.wav synth 40 pinknoise vol 0.3 2>/dev/null # takes cut from it are different
for i in $(seq 10); do
    mkdir -p good/rain good/"türe auf"
    sox all.wav good/rain/r$i.wav trim $((i * 2 - 2)) 2; sox all.wav good/"türe auf"/t$i.flac trim $((18 + i * 2)) 2
done
run check good
check "exit 0" test $rc = 0
check "the table" bash -c "grep -Eq ' 10 +0.3 +2.00 s +2.00 s +2.00 s  rain' out.txt && grep -q 'türe auf' out.txt"
check "nothing to complain of" said 'Nothing to complain of'
check "rates" said 'sample rates: 16000 Hz \(20\)'
cp out.txt one.txt; run check good --jobs 4
check "--jobs 4: the same" cmp -s one.txt out.txt
run check good --json
check "--json" py "len(of('file')) == 20 and len(of('class')) == 2 and not of('pair') and not of('problem') and s['kind'] == 'summary' and s['errors'] == 0 and abs(s['duration_s'] - 40) < .01"

echo "--- the same sound twice"
cp -r good twice
sox good/rain/r1.wav -r 44100 twice/rain/copy1.wav vol 0.3 2>/dev/null
sox good/rain/r2.wav -C 0 twice/rain/copy2.ogg trim 0.237 1.5
cp good/rain/r3.wav twice/rain/copy3.wav
sox good/rain/r4.wav twice/rain/copy4.flac reverse # not the same
run check twice --json
check "exit 0: it is said, and no error" bash -c "[ $rc = 0 ]"
check "three copies are found" py "sorted((p['a'], p['b']) for p in of('pair')) == [('rain/copy%d.%s' % (i, e), 'rain/r%d.wav' % i) for i, e in ((1, 'wav'), (2, 'ogg'), (3, 'wav'))]"
check "  where they lie" py "abs(next(p for p in of('pair') if 'ogg' in p['a'])['offset_s'] + .237) < .02"
check "  one of them sample for sample" py "[p['identical'] for p in of('pair')] == [False, False, True]"
mv twice/rain/copy1.wav "twice/türe auf/"
run check twice
check "under two names: exit 1" bash -c "[ $rc = 1 ] && grep -q 'rain/r1.wav and türe auf/copy1.wav are the same sound (.*), under two names' out.txt"
printf 'path,label,fold\n' >folds.csv
for i in 1 2 3 4 5; do echo "good/rain/r$i.wav,rain,1" >>folds.csv; echo "good/türe auf/t$i.flac,door,2" >>folds.csv; done
run check --csv folds.csv
check "folds: nothing" bash -c "[ $rc = 0 ] && grep -q 'Nothing' out.txt"
echo "twice/rain/copy2.ogg,rain,2" >>folds.csv; run check --csv folds.csv
check "a leak between folds: exit 1, both named" bash -c "[ $rc = 1 ] && grep -q 'r2.wav (fold 1) and twice/rain/copy2.ogg (fold 2)' out.txt"
mkdir -p ids; for i in 1 2 3 4 5 6; do cp good/rain/r$i.wav ids/$((i % 3 + 1))-10003$((i / 2))-A-10.wav; done
{ echo path,label,fold; for f in ids/*; do n=${f#ids/}; echo "$f,rain,${n%%-*}"; done; } >ids.csv; run check --csv ids.csv
check "Freesound's numbers in two folds: exit 1" bash -c "[ $rc = 1 ] && grep -q \"Freesound's recording 10003. lies in folds\" out.txt"
cp -r ids ids2; mkdir -p idsdir; mv ids2 idsdir/rain; run check idsdir
check "  without folds: a hint" bash -c "[ $rc = 0 ] && grep -q 'share a recording' out.txt"

echo "--- what is wrong with files"
cp -r good bad
: >bad/rain/empty.wav; echo text >bad/rain/text.wav; echo notes >bad/rain/readme.txt
sox good/rain/r1.wav c.flac; head -c $(($(stat -c %s c.flac) / 2)) c.flac >bad/rain/half.flac
sox all.wav bad/rain/loud.wav trim 39 1 vol 30 2>/dev/null
sox -n -r 16000 -b 16 bad/rain/silent.wav trim 0 1 2>/dev/null; sox all.wav bad/rain/click.wav trim 38 0.05
sox all.wav bad/rain/offset.wav trim 38.5 0.5 dcshift 0.2 2>/dev/null
mkfifo bad/rain/pipe.wav; ln -s /nowhere bad/rain/link.wav; cp good/rain/r9.wav bad/loose.wav; mkdir bad/void
run check bad --json
check "exit 1" test $rc = 1
check "each is named once, with its reason" py "all(sum(bool(__import__('re').search(p, t)) for t in texts) == 1 for p in
 ('^rain/empty.wav: is empty', '^rain/text.wav: not an audio', '^rain/half.flac: broken after', '^rain/loud.wav: clipped, [0-9]', '^rain/silent.wav: nothing is louder',
  '^rain/click.wav: 50 ms long', '^rain/offset.wav: an offset of 0.[123]', '^rain/pipe.wav: is no file', '^rain/link.wav: No such file', '^1 recording in no class', '^1 file: no recordings', '^class void: no recording'))"
check "unreadable ones are counted" py "s['unreadable'] == 3 and sum(r['error'] is not None for r in of('file')) == 4"
mkdir -p odd/rain; cp good/rain/r1.wav odd/rain/-rf.wav; cp good/rain/r2.wav "odd/rain/$(printf 'new\nline.wav')"
cp good/rain/r3.wav "odd/rain/$(printf 'esc\033[31m.wav')"; cp good/rain/r4.wav "odd/rain/$(printf 'b\xfcd.wav')"; cp good/rain/r5.wav "odd/rain/quote\"'&;.wav"
for f in odd/rain/*; do cp "$f" "$f.copy.wav"; done
run check odd
check "hostile names: a line each, no escape" bash -c "[ $rc = 0 ] && ! grep -q $'\033' out.txt && [ \$(grep -c 'same sound (sample' out.txt) = 5 ]"
run check --json odd
check "  and valid JSON" py "len(of('file')) == 10 and len(of('pair')) == 5"
mv odd -- -odd; run check -- -odd; check "a folder like a flag" test $rc = 0

echo "--- what is wrong with classes"
mkdir -p one/rain; cp good/rain/* one/rain; run check one
check "one class" bash -c "[ $rc = 0 ] && said() { grep -q \"\$1\" out.txt; } && said 'one class alone, rain'"
mkdir -p few/a few/b; cp good/rain/r1.wav few/a; cp good/rain/r2.wav few/b; run check few
check "one file a class" bash -c "[ $rc = 0 ] && grep -q 'class a: 1 recording, too few' out.txt"
cp -r good uneven; for i in $(seq 60); do sox -R all.wav uneven/rain/u$i.wav trim $((i % 38)).$i 0.3 reverse speed 1.0$i 2>/dev/null; done; rm uneven/t*/t[3-9]*; run check uneven
check "uneven" said 'unbalanced: rain has 70'
cp -r good rates; for f in rates/t*/*.flac; do sox "$f" -r 22050 x.flac && mv x.flac "$f"; done; run check rates
check "a class told by its rate" said 'class türe auf: all of it at 22050 Hz'

echo "--- wrong usage"
usage() { local n=$1 want=$2 text=$3; shift 3; run "$@"; check "$n: exit $want, one line" bash -c "[ $rc = $want ] && [ \$(wc -l <err.txt) = 1 ] && grep -qi -- '$text' err.txt"; }
mkdir -p none/x; touch none/x/readme.txt; mkdir flat; cp good/rain/r1.wav flat
usage "nothing" 2 check
usage "another word" 2 'no "chekc"' chekc good
usage "no folder" 2 folder check
usage "both" 2 'one of the two' check good --csv folds.csv
usage "--jobs 0" 2 jobs check good --jobs 0
usage "an absent folder" 1 'No such file' check nothere
usage "a file" 1 'no folder' check good/rain/r1.wav
usage "a folder without recordings" 1 'no recording' check none
usage "recordings without class folders" 1 'a folder for each class' check flat
usage "an absent list" 1 'No such file' check --csv nothere.csv
usage "a list without labels" 1 label check --csv <(echo path)

echo "--- many files"
n=${DATASET_FILES:-1000}
python3 - "$n" <<'PY'
import os, random, struct, sys, wave
random.seed(5)
for i in range(int(sys.argv[1])):
    d = 'many/c%d' % (i % 20)
    os.makedirs(d, exist_ok=True)
    w = wave.open('%s/%05d.wav' % (d, i), 'wb'); w.setparams((1, 2, 16000, 0, 'NONE', ''))
    w.writeframes(random.randbytes(32000)); w.close()
PY
begin=$(date +%s.%N); run check many --jobs "$(nproc)"
check "$n files: exit 0 ($(python3 -c "import time; print('%.1f s' % (time.time() - $begin))"))" bash -c "[ $rc = 0 ] && grep -q 'Nothing' out.txt"
if command -v script >/dev/null; then
    timeout 100 script -qec "$EARSHOT dataset check many" tty.txt >/dev/null </dev/null
    check "progress on a terminal" grep -q " of $n files, .* s to go" tty.txt
fi
summary
