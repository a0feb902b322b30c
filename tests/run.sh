#!/bin/bash
# run.sh TEST... : runs cmocka programs and tests/system scripts one after the other, a line each, the whole output of one that
# fails, and ends with `N passed, N failed, N skipped`. With $TALLY the counts are added to that file too (.ci/run sums them up).
# $RUNNER is put before each program: an emulator.
set -uo pipefail
PASS=0 FAIL=0 SKIP=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

count() { # cmocka's closing lines; a newer one says `tests: 5 test(s)`
    sed -n "s/^\[ *$1 *\] \(tests: \)*\([0-9]*\) test(s).*/\2/p" "$log" | awk '{n += $1} END {print n + 0}'
}

for t in "$@"; do
    start=$(date +%s%N)
    case $t in
    *.sh) timeout -k 10 "${TEST_LIMIT:-900}" bash "$t" >"$log" 2>&1 ;;
    *)    timeout -k 10 "${TEST_LIMIT:-900}" ${RUNNER:-} "$t" >"$log" 2>&1 ;;
    esac
    rc=$?
    case $t in
    *.sh)
        line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -1)
        read -r p _ f _ s _ <<<"${line:-0 x 0 x 0 x}"
        f=${f%,}
        ;;
    *)
        p=$(count PASSED) f=$(count FAILED) s=$(count SKIPPED)
        ;;
    esac
    # a crash, a time-out or no closing line is a failure whatever was counted before it
    [ "$rc" != 0 ] && [ "${f:-0}" = 0 ] && f=1
    [ "$rc" = 0 ] && [ "$((p + f + s))" = 0 ] && f=1
    PASS=$((PASS + p)) FAIL=$((FAIL + f)) SKIP=$((SKIP + s))
    printf '%-34s %3d passed' "$(basename "$t" .sh)${SANITIZED:+ ($SANITIZED)}" "$p"
    [ "$f" = 0 ] || printf ', %d FAILED (exit %d)' "$f" "$rc"
    [ "$s" = 0 ] || printf ', %d skipped' "$s"
    printf '  %6d ms\n' $((($(date +%s%N) - start) / 1000000))
    if [ "$f" != 0 ]; then sed 's/^/    /' "$log"; else grep -E '^(skip |skipped: )' "$log" | sed 's/^/    /'; fi
done
[ -z "${TALLY:-}" ] || echo "$PASS $FAIL $SKIP" >>"$TALLY"
echo "$PASS passed, $FAIL failed, $SKIP skipped"
[ "$FAIL" = 0 ]
