#!/bin/bash
# browser.sh [NAME...] - the page and the flash view in a real Chromium, against a real daemon and broker (tests/browser/NAME.mjs).
# Screenshots are left in build/browser. playwright-core and axe-core come from npm into $EARSHOT_BROWSER_CACHE
# (~/.cache/earshot-browser), once. ~50 s.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd)
export EARSHOT; EARSHOT=$(realpath "${EARSHOT:-$root/build/earshot}")
need chromium fonts-dejavu-core nodejs mosquitto mosquitto-clients sox
command -v npm >/dev/null || need npm

cache=${EARSHOT_BROWSER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/earshot-browser}
mkdir -p "$cache" || exit 1
(
    flock 9
    cmp -s "$root/tests/browser/package-lock.json" "$cache/installed" && exit
    cp "$root"/tests/browser/package*.json "$cache" &&
        (cd "$cache" && timeout 300 npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1) &&
        cp "$cache/package-lock.json" "$cache/installed"
) 9>"$cache/lock" || { tail -5 "$cache/npm.log" >&2; die "npm"; }

export BROWSER_MODULES=$cache BROWSER_OUT=${BROWSER_OUT:-$root/build/browser}
unset STATE_DIRECTORY RUNTIME_DIRECTORY XDG_RUNTIME_DIR NOTIFY_SOCKET LISTEN_FDS
timeout -k 5 "${BROWSER_LIMIT:-600}" node "$root/tests/browser/run.mjs" "$@"
