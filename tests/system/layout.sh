#!/bin/bash
# layout.sh - the tree keeps its shape: what may include what, and what stands at the top. Seconds.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
cd "$here/../.." || exit 1

none() { ! grep "$@"; } # prints what it finds
check "common includes nothing of daemon" none -rnE '#include "(\.\./)*daemon/' common
check "common opens no device, socket or thread, and knows no systemd" \
    none -rnE '#include <(portaudio|mosquitto|systemd/|pthread|sys/socket|netdb|microhttpd|signal)' common
check "only main.c ends the program" none -rnE '\b(exit|abort|quick_exit) *\(' common daemon --include=*.c
wrong=$(mktemp -d); mkdir -p "$wrong/common/x"; printf '#include "daemon/cmd.h"\n' >"$wrong/common/x/a.c"
check "  (and this test would see a wrong-way include)" bash -c "grep -rqE '#include \"(\.\./)*daemon/' '$wrong/common'"
rm -rf "$wrong"
if git rev-parse --git-dir >/dev/null 2>&1; then
    check "the top level is what it has to be" test "$(git ls-files | cut -d/ -f1 | grep -v '^\.' | sort -u | tr '\n' ' ')" = \
        "LICENSE Makefile README.md common conf daemon models systemd tests "
fi
check "every header is guarded" bash -c 'for h in $(find common daemon -name "*.h"); do grep -q "#ifndef EARSHOT_" $h || { echo $h; exit 1; }; done'
check "test scripts parse" bash -c 'for s in tests/*.sh tests/system/*.sh .ci/run; do bash -n $s || exit 1; done'
check "recipes that begin with #! can be run" bash -c 'for s in models/*.py models/*.sh; do
    [ "$(head -c 2 $s)" != "#!" ] || [ -x $s ] || { echo $s; exit 1; }; done'
summary
