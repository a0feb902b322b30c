#!/bin/bash
# actions.sh - programs that the daemon runs when it hears something: real ones, well-behaved and not. No root, no device. ~15 s.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); E=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d)
export EARSHOT_MODELS=$root/models TSAN_OPTIONS=exitcode=66 LSAN_OPTIONS="suppressions=$root/tests/lsan.supp"
unset STATE_DIRECTORY RUNTIME_DIRECTORY XDG_RUNTIME_DIR NOTIFY_SOCKET
cd "$W" || exit 1
end() { stop_pid pid; wait; rm -rf "$W"; }
trap end EXIT
clean() { ! grep -E 'Sanitizer|runtime error' log.txt; }
says() { grep -qE -- "$1" log.txt; }
logged() { wait_for "${2:-10}" grep -qE -- "$1" log.txt; }
# refused CONFIG WANTED: it does not start, exit 2, and says so
refused() {
    printf '[mqtt]\nenabled = off\n%b' "$1" >bad.conf
    timeout 20 "$E" run --config bad.conf --state-dir "$W/state" --input - </dev/null >out.txt 2>log.txt
    [ $? = 2 ] && grep -qF -- "$2" log.txt && clean || { cat log.txt; return 1; }
}
prog() { cat >"$1"; chmod "${2:-755}" "$1"; }

echo "--- what cannot be is refused at the start"
prog plain 644 <<<'hello'
check "no such program" refused "[action x]\nexec = /nix/da\n" '[action x] exec: /nix/da: No such file or directory'
check "a relative path" refused "[action x]\nexec = bin/true\n" 'bad.conf:4: exec = bin/true: "bin/true" is not an absolute path'
check "a file that cannot be executed" refused "[action x]\nexec = $W/plain\n" 'plain: cannot be executed'
[ "$(id -u)" != 0 ] || echo "        (as root, whom a mode of 644 stops as well)"
check "a folder" refused "[action x]\nexec = /tmp\n" '/tmp: not a file'
check "no program" refused "[action x]\nlabel = siren\n" '[action x] exec is missing'
check "a group that there is not" refused "[action x]\nexec = /bin/true\ngroup = alarms\n" 'allowed: alarm, animal'

doctor() { printf '[mqtt]\nenabled = off\n%b' "$1" >bad.conf; timeout 20 "$E" doctor --json --config bad.conf --state-dir "$W/state" >log.txt 2>&1; grep -F "$2" log.txt | grep -qF -- "$3" && clean || { cat log.txt; return 1; }; }
check "earshot doctor says so before" doctor "[action x]\nexec = /nix/da\n" '"check":"action x","result":"fail"' '/nix/da: No such file'
check "  of a webhook's secret as well" doctor "[webhook y]\nurl = http://127.0.0.1:9/\nsecret_file = /nix/da\n" '"check":"webhook y","result":"fail"' '/nix/da: No such file'
check "  what is good is good" doctor "[action x]\nexec = /bin/true\ngroup = alarm\n" '"check":"action x","result":"ok"' '/bin/true'
check "  a credential is the service's" doctor "[webhook y]\nlabel = siren\n" '"check":"webhook y","result":"warn"' 'webhook-y'

echo "--- a recording with alarms and other sounds"
prog save <<'P'
#!/bin/sh
env >"$1/$EARSHOT_ID.env"; cat >"$1/$EARSHOT_ID.json"; echo "$EARSHOT_EVENT_TYPE $EARSHOT_LABEL" >>"$1/order"
P
mkdir saved
prog hang <<'P'
#!/bin/sh
trap '' TERM
echo $$ >"$1"
sleep 98765
P
cat >good.conf <<C
[mqtt]
enabled = off
[action save]
exec = $W/save $W/saved
group = alarm
label = rain
event = both
rate = off
[action flood]
exec = /usr/bin/yes
timeout = 200 ms
label = smoke_alarm
[action hang]
exec = $W/hang $W/hang.pid
timeout = 200 ms
label = siren
C
"$E" run --config good.conf --state-dir "$W/state" --input "file:$root/models/demo.flac" --fast --json >out.txt 2>log.txt
check "exit 0 at the end of the recording" test $? = 0
check "  clean" clean
groups() { python3 - "$root/models/labels.csv" <<'P'
import csv, glob, json, sys
alarm = {r["slug"] for r in csv.DictReader(open(sys.argv[1])) if r["group"] == "alarm"} | {"rain"}
said = [json.loads(line) for line in open("out.txt")]
want = [e for e in said if e["event_type"] != "update" and e["label"] in alarm]
print("        %d events of %d, %d labels" % (len(want), len(said), len({e["label"] for e in want})))
assert len(want) >= 8 and len({e["label"] for e in want}) < len({e["label"] for e in said})
assert open("saved/order").read().splitlines() == [e["event_type"] + " " + e["label"] for e in want]
assert len(glob.glob("saved/*.json")) == len(want)
for w in want:
    e = json.load(open("saved/%s.json" % w["id"]))
    env = dict(line.rstrip("\n").split("=", 1) for line in open("saved/%s.env" % w["id"]))
    assert e == w
    for name in "label event_type id event_id sound_id source model start".split():
        assert env["EARSHOT_" + name.upper()] == e[name], name
    assert abs(float(env["EARSHOT_SCORE"]) - e["score"]) < 0.0051
    assert env["EARSHOT_END"] == (e["end"] or "") and env["EARSHOT_ACTION"] == "save" and "PATH" in env
P
}
check "a group and a label: each start and end in order, environment and JSON alike" groups
check "what floods is cut short" says 'action flood: \(more than 100 lines'
check "  and ended in time" says 'action flood: smoke_alarm start: signal (13|15)'
check "what ignores SIGTERM is killed" says 'action hang: siren start: signal 9 \(Killed\)'

echo "--- the daemon as it runs"
cat >test.conf <<C
[mqtt]
enabled = off
[action good]
exec = /bin/echo "it was" me
test = on
label = siren
[action bad]
exec = /bin/false
test = on
label = dog_bark
[action hang]
exec = $W/hang $W/hang2.pid
test = on
label = rain
C
rm -f fifo; mkfifo fifo; exec 7<>fifo
"$E" run --config test.conf --state-dir "$W/state" --input - <fifo 7>&- >out.txt 2>log.txt & echo $! >pid
logged 'input: stdin' 20
t() { timeout 20 "$E" test "$1" --state-dir "$W/state" >test.txt 2>&1; }
t siren; rc=$?
check "earshot test: the program's exit status is its answer" bash -c "[ $rc = 0 ] && grep -q 'actions: .*good: exit status 0' test.txt"
check "  what it wrote is in the log" says 'action good: it was me'
t dog_bark; rc=$?
check "  a program that fails fails the test" bash -c "[ $rc = 1 ] && grep -q 'actions: .*bad: exit status 1' test.txt"
t rain; rc=$?
check "  one that hangs is no answer" bash -c "[ $rc = 1 ] && grep -q 'actions: the program has not ended yet' test.txt"
hung=$(cat hang2.pid); pid=$(cat pid); rm -f pid; s=$(date +%s%N)
kill -TERM "$pid"; wait "$pid"; rc=$?; ms=$((($(date +%s%N) - s) / 1000000)); exec 7>&-
check "SIGTERM while a program hangs: exit 0 in time ($ms ms)" bash -c "[ $rc = 0 ] && [ $ms -lt $STOP_MS ]"
check "  and nothing of it is left" wait_for 3 bash -c "! kill -0 $hung 2>/dev/null || grep -q ' Z ' /proc/$hung/stat"
check "  clean" clean
[ "$FAIL" = 0 ] || tail -n 60 log.txt test.txt
summary
