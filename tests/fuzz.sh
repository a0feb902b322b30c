#!/bin/bash
# fuzz.sh BUILD SECONDS NAME... : runs BUILD/fuzz/tests/NAME for so long each, from what BUILD/fuzz/corpus/NAME holds and these seeds:
set -uo pipefail
build=$1 seconds=$2; shift 2
failed=0
for name in "$@"; do
    corpus=$build/fuzz/corpus/$name log=$build/fuzz/$name.log
    mkdir -p "$corpus"
    case $name in
    fuzz_config) cp conf/earshot.conf "$corpus/" ;;
    fuzz_web)
        printf '/api/v1/clips/20261121T120003.120Z_dog%%5fbark_3f9a1c2b.flac' >"$corpus/path"
        printf 'box.local:8765' >"$corpus/host"
        printf '[::1]:8765' >"$corpus/address"
        printf 'http://box.local:8765' >"$corpus/origin"
        printf 'bytes=5-9' >"$corpus/range"
        printf 'gzip;q=0.5, W/"0123"' >"$corpus/list"
        ;;
    fuzz_onnx)
        for t in test_operators test_elementwise test_quantised; do
            mkdir -p "$corpus/$t"; SAVE=$corpus/$t "$build/tests/$t" >/dev/null 2>&1
        done
        ;;
    esac
    if "$build/fuzz/tests/$name" -max_total_time="$seconds" -print_final_stats=1 -timeout=10 -rss_limit_mb=4096 \
        -artifact_prefix="$build/fuzz/$name-" "$corpus" >"$log" 2>&1; then
        echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $seconds s, nothing found," \
            "$(grep -o 'cov: [0-9]*' "$log" | tail -1)"
    else
        failed=1
        echo "$name: FAILED, the input is in $build/fuzz/$name-*"
        grep -vE '^(#|INFO)' "$log" | tail -40
    fi
done
exit $failed
