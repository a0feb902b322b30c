#!/bin/bash
# run.sh [-j N] TEST... [-j N TEST...]: runs cmocka programs and tests/system scripts, N at a time (1), a line each, the whole output
# of one that fails, and ends with `N passed, N failed, N skipped`. What stands behind another -j begins when all before it has ended.
# With $TALLY the counts are added to that file too (.ci/run sums them up), with $TIMES how long each took, in s: `real user system name`.
# $RUNNER is put before each program: an emulator.
set -uo pipefail
set -m # without it, what runs in the background would ignore SIGINT
W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
: >"$W/counts"
stop() { # the timeouts, which end all that they have started
    for p in $(jobs -p); do kill $(cat "/proc/$p/task/$p/children" 2>/dev/null) 2>/dev/null; done
    wait
    exit 130
}
trap stop INT TERM

count() { # NAME LOG: cmocka's closing lines; a newer one says `tests: 5 test(s)`
    sed -n "s/^\[ *$1 *\] \(tests: \)*\([0-9]*\) test(s).*/\2/p" "$2" | awk '{n += $1} END {print n + 0}'
}

run_one() { # TEST NUMBER
    local t=$1 log=$W/$2.log rc p f s _ line real user sys name
    name=$(basename "$t" .sh)${SANITIZED:+ ($SANITIZED)}
    TIMEFORMAT='%R %U %S'
    case $t in
    *.sh) { time timeout -k 10 "${TEST_LIMIT:-900}" bash "$t" </dev/null >"$log" 2>&1; } 2>"$W/$2.time" ;;
    *)    { time timeout -k 10 "${TEST_LIMIT:-900}" ${RUNNER:-} "$t" </dev/null >"$log" 2>&1; } 2>"$W/$2.time" ;;
    esac
    rc=$?
    read -r real user sys < <(tail -1 "$W/$2.time")
    case $t in
    *.sh)
        line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -1)
        read -r p _ f _ s _ <<<"${line:-0 x 0 x 0 x}"
        f=${f%,}
        ;;
    *)
        p=$(count PASSED "$log") f=$(count FAILED "$log") s=$(count SKIPPED "$log")
        ;;
    esac
    # a crash, a time-out or no closing line is a failure whatever was counted before it
    [ "$rc" != 0 ] && [ "${f:-0}" = 0 ] && f=1
    [ "$rc" = 0 ] && [ "$((p + f + s))" = 0 ] && f=1
    { # what belongs together is told in one piece
        printf '%-34s %3d passed' "$name" "$p"
        [ "$f" = 0 ] || printf ', %d FAILED (exit %d)' "$f" "$rc"
        [ "$s" = 0 ] || printf ', %d skipped' "$s"
        awk -v s="$real" 'BEGIN {printf "  %6d ms\n", 1000 * s}'
        if [ "$f" != 0 ]; then sed 's/^/    /' "$log"; else grep -E '^(skip |skipped: )' "$log" | sed 's/^/    /'; fi
    } >"$W/$2.out"
    flock "$W/counts" cat "$W/$2.out"
    echo "$p $f $s" >>"$W/counts"
    [ -z "${TIMES:-}" ] || echo "$real $user $sys $name" >>"$TIMES"
}

jobs=1 n=0 running=0
while [ $# -gt 0 ]; do
    if [ "$1" = -j ]; then
        wait
        jobs=$2 running=0
        shift 2
        continue
    fi
    [ "$running" -lt "$jobs" ] || { wait -n; running=$((running - 1)); }
    n=$((n + 1)) running=$((running + 1))
    run_one "$1" $n &
    shift
done
wait
read -r PASS FAIL SKIP DONE < <(awk '{p += $1; f += $2; s += $3} END {print p + 0, f + 0, s + 0, NR}' "$W/counts")
[ "$DONE" = $n ] || { echo "run.sh: $((n - DONE)) tests gave no result"; FAIL=$((FAIL + n - DONE)); }
[ -z "${TALLY:-}" ] || echo "$PASS $FAIL $SKIP" >>"$TALLY"
echo "$PASS passed, $FAIL failed, $SKIP skipped"
[ "$FAIL" = 0 ]
