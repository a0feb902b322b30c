#!/bin/bash
# tree.sh [SUITE...] - a new user's first minutes on a clean Debian: a minimal tree with nothing but make in it, the project's source,
# and then the README's two commands, to the letter. Default: bookworm and trixie. ~5 minutes a suite.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd)
CACHE=${EARSHOT_TREES:-/var/tmp/earshot-trees}

[ "$(id -u)" = 0 ] || { skip "Debian trees: debootstrap and chroot need root"; summary; exit; }
unshare --mount --pid --fork true 2>/dev/null || { skip "Debian trees: this machine makes no mount namespaces"; summary; exit; }
mkdir -p "$CACHE"

first_minutes() { # SUITE
    local suite=$1 tree log
    "$here/rootfs.sh" make "$suite" "$CACHE/$suite" make || { check "$suite: debootstrap" false; return; }
    tree=$(mktemp -d "$CACHE/$suite.XXXXXX"); log=$tree.log
    "$here/rootfs.sh" copy "$CACHE/$suite" "$tree/root"
    mkdir -p "$tree/root/home/earshot"
    # what `git clone` gives: tracked files alone
    git -C "$root" ls-files -z | (cd "$root" && tar --null -T - -cf -) | tar -xf - -C "$tree/root/home/earshot"
    in_tree() { "$here/rootfs.sh" run "$tree/root" env CI= bash -c "cd /home/earshot && $1" >"$log" 2>&1; }

    in_tree 'apt-get -qq update; timeout --signal=TERM 240 make run & sleep 1
             for i in $(seq 230); do sleep 1; pgrep -x earshot >/dev/null && break; done; sleep 12; pkill -TERM -x earshot; wait'
    check "$suite: make run: no capture device, says so, listens to the demo" grep -q 'no capture device' "$log"
    check "$suite: make run: names an event within ten seconds" grep -Eq '(smoke_alarm|siren|door_wood_knock|speech) +[01]\.[0-9]+' "$log"
    check "$suite: make run: no broker is a warning, not an end" grep -q 'localhost:1883' "$log"
    grep -qE '(smoke_alarm|siren) ' "$log" || tail -20 "$log"

    in_tree 'make test'; local rc=$?
    check "$suite: make test passes" test $rc = 0
    grep -E 'passed,|FAILED' "$log" | tail -8 | sed 's/^/        /'
    [ $rc = 0 ] || tail -40 "$log"
    in_tree 'make install DESTDIR=/tmp/dest >/dev/null && /tmp/dest/usr/local/bin/earshot --version &&
             EARSHOT_MODELS= /tmp/dest/usr/local/bin/earshot model list && test -s /tmp/dest/usr/local/share/man/man1/earshot.1'
    check "$suite: make install, and the installed program finds its models" test $? = 0
    rm -rf "$tree" "$log"
}

for suite in "${@:-bookworm trixie}"; do
    for s in $suite; do first_minutes "$s"; done
done
summary
