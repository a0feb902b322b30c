#!/bin/bash
# evaluate.sh: earshot evaluate --clips over the synthesised sounds, and over manifests with faults. Needs python3.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
EARSHOT=${EARSHOT:-$root/build/earshot}
W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
export EARSHOT_MODELS=${EARSHOT_MODELS:-$root/models}
cd "$W" || exit 1

run() { timeout 120 "$EARSHOT" evaluate "$@" >out.txt 2>err.txt </dev/null; rc=$?; }
py() { python3 -c "import json, sys
lines = open('out.txt').read().splitlines()
r = json.loads(lines[0]) if lines else None
sys.exit(0 if ($1) else 1)"; }
fails() { # NAME CODE TEXT ARGUMENT...: the exit code, and a line on stderr that has TEXT
    local name=$1 code=$2 text=$3
    shift 3
    run "$@"
    check "$name" bash -c "[ $rc = $code ] && grep -qF -- \"\$1\" err.txt || { cat err.txt; false; }" _ "$text"
}

mkdir sounds
cp "$root"/tests/data/*.flac sounds/
cat >all.csv <<'EOF'
path,label,dataset,fold,licence
sounds/smoke_t3.flac,smoke_alarm,one,1,x
sounds/smoke_520.flac,Smoke Alarm,one,2,x
sounds/co_t4.flac,co-alarm,one,1,x
sounds/siren.flac,siren,one,2,x
sounds/knock.flac,door_wood_knock,two,1,"x, y"
sounds/clock_digital.flac,clock_alarm,two,2,x
sounds/tick.flac,clock_tick,two,1,x
sounds/speech.flac,speech,two,2,x
sounds/rain.flac,rain,two,2,x
sounds/silence.flac,background,two,1,x
EOF

echo "--- figures"
run --clips all.csv --json
check "exit code 0, one line" test "$rc $(wc -l <out.txt)" = "0 1"
check "nothing on stderr where nobody watches" test ! -s err.txt
check "all keys" py "list(r) == ['manifest', 'model', 'conditions', 'clips', 'left_out', 'duration_s', 'elapsed_s', 'labels', 'accuracy', 'top3', 'top5', 'accuracy_own', 'own_labels', 'macro', 'datasets', 'folds', 'classes', 'confusion', 'calibration']"
check "the ten sounds are right" py "r['clips'] == 10 and r['accuracy']['right'] == 10 and r['accuracy']['value'] == 1"
check "Wilson's interval of 10 of 10" py "abs(r['accuracy']['low'] - 0.722467) < 1e-5 and r['accuracy']['high'] == 1"
check "nine labels among all of the model's" py "r['own_labels'] == 9 and r['labels'] > 50"
check "by data set and fold" py "[(f['dataset'], f['fold'], f['accuracy']['clips']) for f in r['folds']] == [('one', '1', 2), ('one', '2', 2), ('two', '1', 3), ('two', '2', 3)]"
check "nothing left out" py "set(r['left_out'].values()) == {0}"
check "bins hold all clips" py "sum(b['clips'] for b in r['calibration']['bins']) == 10 and len(r['calibration']['bins']) == 15"

# siren called rain and rain called siren: two of ten are wrong, and it is known how
sed -e 's/siren.flac,siren/siren.flac,rain/' -e 's/rain.flac,rain/rain.flac,siren/' all.csv >wrong.csv
run --clips wrong.csv --json --out files
check "two wrong labels: 8 of 10" py "r['accuracy']['right'] == 8"
check "what was taken for what" py "(lambda c: c['clips'][c['labels'].index('rain')][c['heard'].index('siren')] == 1 and c['clips'][c['labels'].index('siren')][c['heard'].index('rain')] == 1)(r['confusion'])"
check "recall and precision 0 for both" py "[(c['recall'], c['precision']) for c in r['classes'] if c['label'] in ('rain', 'siren')] == [(0, 0), (0, 0)]"
check "mean recall 7 of 9" py "abs(r['macro']['recall'] - 7 / 9) < 1e-5"
check "scores agree with the report" python3 - <<'EOF'
import csv, json
report = json.load(open('out.txt'))
rows = list(csv.DictReader(open('files/scores.csv')))
labels = list(rows[0])[2:]
assert len(rows) == 10 and len(labels) == report['labels'] and rows[0]['file'] == 'sounds/smoke_t3.flac'
assert rows[1]['label'] == 'smoke_alarm'
best = [max(labels, key=lambda l: float(row[l])) for row in rows]
assert sum(b == row['label'] for b, row in zip(best, rows)) == 8
brier = sum(sum((float(row[l]) - (l == row['label'])) ** 2 for l in labels) for row in rows) / 10
assert abs(brier - report['calibration']['brier']) < 1e-5
EOF
check "confusion.csv as in the report" python3 - <<'EOF'
import csv, json
c = json.load(open('out.txt'))['confusion']
rows = list(csv.reader(open('files/confusion.csv')))
assert rows[0] == ['label'] + c['heard'] and [r[0] for r in rows[1:]] == c['labels']
assert [[int(x) for x in r[1:]] for r in rows[1:]] == c['clips']
EOF
check "the same top as classify" python3 - "$EARSHOT" <<'EOF'
import csv, json, subprocess, sys
for row in csv.DictReader(open('files/scores.csv')):
    o = json.loads(subprocess.run([sys.argv[1], 'classify', '--json', '--top', '0', row['file']], capture_output=True).stdout)
    for t in o['top']:
        assert abs(float(row[t['label']]) - t['score']) < 1e-6, (row['file'], t)
EOF
for f in confusion reliability; do
    check "$f.svg is XML" python3 -c "import sys, xml.dom.minidom as m; m.parse('files/$f.svg')"
done
check "no .part is left" test "$(ls files | wc -l)" = 4
run --clips wrong.csv --json --jobs 3; cp out.txt three.txt
run --clips wrong.csv --json
check "--jobs changes nothing" python3 -c "
import json
a, b = (json.load(open(f)) for f in ('out.txt', 'three.txt'))
a.pop('elapsed_s'), b.pop('elapsed_s')
assert a == b"
run --clips wrong.csv
check "for people: accuracy with interval, table, mistakes" bash -c "grep -q '^accuracy  *80.0 % (49.0 to  94.3)  8 of 10' out.txt && grep -q '^is / heard as' out.txt && grep -q '^rain  *heard as siren  *1 of 1' out.txt"
check "a line no longer than 120" test "$(wc -L <out.txt)" -le 120

echo "--- a part of them"
run --clips all.csv --json --folds 2;                       check "--folds 2" py "r['clips'] == 5 and r['left_out']['filtered'] == 5"
run --clips all.csv --json --where dataset=one,fold=1 --where dataset=two,fold=2; check "--where twice" py "r['clips'] == 5 and r['conditions']['where'] == ['dataset=one,fold=1', 'dataset=two,fold=2']"
run --clips all.csv --json --where label=siren;             check "--where label=siren" py "r['clips'] == 1"
fails "a column that is not there" 2 "no column datset; there are path, label, dataset, fold, licence (did you mean dataset?)" --clips all.csv --where datset=one
fails "a condition that is none" 2 "--where dataset: column=value is needed" --clips all.csv --where dataset
fails "a fold that is not there" 2 "--folds: all.csv has no clip of fold '9'" --clips all.csv --folds 9
fails "one of them is not there" 2 "no clip of fold '77'" --clips all.csv --folds "1, 77"
fails "a condition that holds for none" 2 "--where fold=99: it holds for no clip of all.csv" --clips all.csv --where fold=1 --where fold=99
fails "nothing left by both" 2 "none of its 10 clips is left" --clips all.csv --where label=siren --folds 1
run --clips all.csv --json --folds "1, 2"; check "blanks in a list" py "r['clips'] == 10"
printf 'pa\033[31mth,label\nx,y\n' >escape.csv
fails "a header that would colour the terminal" 1 "pa?[31mth" --clips escape.csv

echo "--- labels"
sed -e 's/,siren,/,sirene,/' -e 's/,rain,/,xylophone,/' all.csv >names.csv
fails "a label that the model does not have: line, nearest" 1 "names.csv:5: the model has no label sirene (1 clip); did you mean siren?" --clips names.csv
check "the other one too, and what can be done" bash -c "grep -qF 'names.csv:10: the model has no label xylophone (1 clip)' err.txt && grep -q -e '2 of 10 .*--skip-unknown.*--map' err.txt && [ ! -s out.txt ]"
run --clips names.csv --skip-unknown --json
check "--skip-unknown counts them" py "$rc == 0 and r['clips'] == 8 and r['left_out']['unknown_label'] == 2"
check "and still names them" grep -q 'names.csv:5: the model has no label sirene' err.txt
printf 'name,label\nsirene,siren\nxylophone,rain\n' >map.csv
run --clips names.csv --map map.csv --json
check "--map" py "$rc == 0 and r['clips'] == 10 and r['accuracy']['right'] == 10"
printf 'name,label\nsirene,sirn\n' >badmap.csv
fails "a map to a label that is not there" 2 "badmap.csv:2: the model has no label sirn; did you mean siren?" --clips names.csv --map badmap.csv
printf 'path,label,dataset\nsounds/siren.flac,door_bell,\nsounds/rain.flac,water-flowing,kitchen20\n' >known.csv
EARSHOT_MODELS=$W/models
mkdir models && cp "$root"/models/us8k-mfcc40.onnx "$root"/models/labels.csv models/
cp models/us8k-mfcc40.onnx m.onnx
fails "a sound of labels.csv that the model does not know" 1 "known.csv:2: the model has no label door_bell (1 clip); it is a sound of labels.csv" --clips known.csv --model us8k-mfcc40
check "by the name that a data set has for it" grep -qF "known.csv:3: the model has no label water-flowing (1 clip), and no running_water either, as labels.csv calls it" err.txt
sed -e 's/us8k:siren/us8k:siren;x:hum/' -e 's/us8k:jackhammer/us8k:jackhammer;y:hum/' "$root"/models/labels.csv >models/labels.csv
printf 'path,label\nsounds/siren.flac,hum\n' >hum.csv
fails "a name that two data sets have for two sounds" 1 "hum.csv:2: the model has no label hum (1 clip): it may be jackhammer or siren; a column dataset or --map can say which" --clips hum.csv --model us8k-mfcc40
printf 'path,label,dataset\nsounds/siren.flac,hum,x\n' >hum.csv
run --clips hum.csv --model us8k-mfcc40 --json
check "  where it says which one" py "$rc == 0 and [c['label'] for c in r['classes'] if c['clips']] == ['siren']"
echo "slug" >models/labels.csv
fails "a labels.csv that is wrong" 2 "labels.csv:1:" --clips hum.csv --model us8k-mfcc40
fails "  for streams as well" 2 "labels.csv:1:" --stream sounds/siren.flac hum.csv --model us8k-mfcc40
EARSHOT_MODELS=$root/models
printf 'path,label\nsounds/siren.flac,xylophone\n' >none.csv
fails "no label known at all" 1 "none.csv: earshot-s has the label of no clip" --clips none.csv --skip-unknown

echo "--- sounds that it should not know"
run --clips names.csv --unknown-label sirene,xylophone --json --class.siren.threshold=1 --class.rain.threshold=1
check "thresholds of the configuration count" py "'siren' not in r['rejection']['named'] and 'rain' not in r['rejection']['named']"
run --clips names.csv --unknown-label sirene,xylophone --json
check "they count in nothing but the rejection" py "$rc == 0 and r['clips'] == 8 and r['accuracy']['right'] == 8 and r['left_out']['unknown_label'] == 0"
check "both kinds are judged, background apart" py "r['rejection']['known_right']['clips'] == 7 and r['rejection']['background_named'] == dict(r['rejection']['background_named'], clips=1, right=0) and r['rejection']['unknown_named']['clips'] == 2"
check "every clip is one or the other" py "sum(r['rejection'][k]['right'] for k in ('known_right', 'known_wrong', 'known_rejected')) == 7"
check "a siren and rain are named by their names" py "sum(r['rejection']['named'].values()) == r['rejection']['unknown_named']['right'] and set(r['rejection']['named']) <= {'siren', 'rain'}"
check "AUROC is a share" py "0 <= r['rejection']['auroc'] <= 1"
run --clips names.csv --unknown-label sirene,xylophone
check "for people" bash -c "grep -q '^at the labels. thresholds: 7 clips that it should know, 2 that it should not' out.txt && [ \$(wc -L <out.txt) -le 120 ]"
run --clips all.csv --json
check "without it nothing is said" py "'rejection' not in r"
fails "a label that no clip has" 2 "--unknown-label: no clip of names.csv has the label \"sirens\"" --clips names.csv --unknown-label sirene,xylophone,sirens
fails "a label that it knows" 2 "--unknown-label: earshot-s has the label rain" --clips all.csv --unknown-label rain
fails "none that it knows" 1 "no clip but those of --unknown-label" --clips none.csv --unknown-label xylophone

echo "--- manifests with faults"
head -c 3000 /dev/urandom >sounds/noise.wav
head -c 5000 sounds/rain.flac >sounds/cut.flac
: >sounds/empty.wav
{ cat all.csv; echo "sounds/gone.flac,siren,one,1,x"; echo "sounds/siren.flac,rain,one,1,x"; echo "sounds/noise.wav,rain,one,1,x"
  echo "sounds/short.flac,rain"; echo "sounds/empty.wav,rain,one,1,x"; echo "sounds,rain,one,1,x"; echo "sounds/gone2.flac,siren,one,1,x"; } >faults.csv
run --clips faults.csv --json
check "exit code 1, the rest evaluated" py "$rc == 1 and r['clips'] == 10 and r['accuracy']['right'] == 10"
check "counted" py "r['left_out'] == {'filtered': 0, 'unknown_label': 0, 'bad_line': 2, 'unreadable': 5}"
for t in "12: sounds/gone.flac: No such file" "13: sounds/siren.flac stands in line 5 already" "14: sounds/noise.wav: " "15: 2 fields where the header has 5" "16: sounds/empty.wav: " "17: sounds: " "18: sounds/gone2.flac: "; do
    check "line $t" grep -qF "faults.csv:$t" err.txt
done
check "a line for each fault" test "$(wc -l <err.txt)" = 7
printf 'path,label\nsounds/cut.flac,rain\nsounds/rain.flac,rain\n' >cut.csv
run --clips cut.csv --json
check "a file that breaks off is named and not counted" py "$rc == 1 and r['clips'] == 1 and 'cut.csv:2: ' in open('err.txt').read()"
printf 'path,label\nsounds/gone.flac,rain\n' >gone.csv
fails "no file can be read" 1 "gone.csv: no clip could be read" --clips gone.csv
: >empty.csv
fails "an empty manifest" 1 "empty.csv: is empty; the first line is to name the columns" --clips empty.csv
printf 'path,label\n' >head.csv
fails "a header alone" 1 "head.csv: no clip is listed under the header" --clips head.csv
tail -n +2 all.csv >nohead.csv
fails "no header" 1 "nohead.csv:1: no column path; there are sounds/smoke_t3.flac" --clips nohead.csv
printf 'path,label\n"sounds/rain.flac,rain\n' >quote.csv
fails "a quote that does not end" 1 "quote.csv:2: a quote" --clips quote.csv
fails "a manifest that is a sound" 1 "sounds/rain.flac: is no text" --clips sounds/rain.flac
fails "a manifest that is not there" 1 "gone/m.csv: No such file or directory" --clips gone/m.csv
fails "a manifest that is a folder" 1 "sounds: is a folder, not a file" --clips sounds
printf 'path,label\r\nsounds/rain.flac,rain\r\n' >crlf.csv
run --clips crlf.csv --json; check "lines that end as on Windows" py "$rc == 0 and r['clips'] == 1"

echo "--- command lines"
fails "nothing to evaluate" 2 "--clips MANIFEST or --stream FILE ANNOTATIONS is needed"
fails "a file without its flag" 2 "unexpected argument all.csv" all.csv
fails "both" 2 "do not go together" --clips all.csv --stream a.wav a.csv
fails "a stream without annotations" 2 "--stream a.wav: the file with its annotations is missing" --stream a.wav
fails "a flag of clips with a stream" 2 "--skip-unknown goes with --clips only" --stream a.wav a.csv --skip-unknown
fails "twice" 2 "--clips is given twice" --clips all.csv --clips all.csv
fails "a model that is not there" 2 "xyz" --clips all.csv --model xyz
fails "a folder that cannot be made" 2 "--out gone/files: No such file or directory" --clips all.csv --out gone/files
fails "--out that is a file" 2 "--out all.csv: Not a directory" --clips all.csv --out all.csv
fails "a file that cannot be written" 2 "gone/x.csv: No such file or directory" --clips all.csv --scores gone/x.csv
echo "--- files to write"
fails "two outputs in one file" 2 "x.csv is to be written twice, also as ./x.csv" --clips all.csv --confusion ./x.csv --scores x.csv
fails "one of them by --out" 2 "new/scores.csv is to be written twice" --clips all.csv --out new --confusion new/../new/scores.csv
check "  nothing of the folder is left" test ! -e new -a ! -e x.csv.part
run --clips wrong.csv --json --scores /dev/null --confusion /dev/null
check "/dev/null takes several" test "$rc" = 0
cp all.csv keep.csv; ln all.csv link.csv
fails "the manifest" 2 "all.csv is not written: all.csv is read, and would be lost" --clips all.csv --scores all.csv
fails "  by another name" 2 "link.csv is not written: all.csv is read" --clips all.csv --scores link.csv
fails "a clip of it" 2 "rain.flac is not written: sounds/rain.flac is read" --clips all.csv --scores "$W/sounds/rain.flac"
fails "the map" 2 "map.csv is not written: map.csv is read" --clips names.csv --map map.csv --confusion map.csv
fails "the model" 2 "m.onnx is not written: ./m.onnx is read, and would be lost" --clips all.csv --model ./m.onnx --skip-unknown --picture m.onnx
mv link.csv x.part
fails "what would be overwritten on the way" 2 "x is not written: all.csv is read" --clips all.csv --scores x
check "  all are as they were" bash -c "cmp all.csv keep.csv && cmp sounds/rain.flac '$root/tests/data/rain.flac' && cmp m.onnx '$root/models/us8k-mfcc40.onnx'"
fails "a manifest that is not there leaves no folder" 1 "gone.csv: No such" --clips nothere/gone.csv --out new
check "  " test ! -e new
fails "nor do clips that are not there" 1 "no clip could be read" --clips gone.csv --out new
check "  " test ! -e new
fails "a full disk" 1 "/dev/full: No space left on device" --clips all.csv --scores /dev/full
run --help; check "--help" bash -c "[ $rc = 0 ] && head -1 out.txt | grep -q '^usage: earshot evaluate'"

summary
