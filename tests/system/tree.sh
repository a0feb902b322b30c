#!/bin/bash
# tree.sh [SUITE...] - a new user's first minutes on a clean Debian: a minimal tree with nothing but make and sudo in it, the project's
# source, and then the README's two commands, to the letter. On bookworm an ordinary user gives them, by sudo; on trixie root does,
# and an ordinary user again once the packages are there. ~3 minutes a suite.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd)
CACHE=${EARSHOT_TREES:-/var/tmp/earshot-trees}
HOME_IN=/home/friend/earshot

[ "$(id -u)" = 0 ] || { skip "Debian trees: debootstrap and chroot need root"; summary; exit; }
unshare --mount --pid --fork true 2>/dev/null || { skip "Debian trees: this machine makes no mount namespaces"; summary; exit; }
mkdir -p "$CACHE"
tree=; trap '[ -z "$tree" ] || rm -rf "$tree"' EXIT
note() { sed 's/^/        /'; }

# in_tree USER COMMAND: as a login of that user's would be, no terminal, output to $log
in_tree() {
    "$here/rootfs.sh" run "$tree/root" env CI= MAKEFLAGS= ${WERROR:+WERROR=$WERROR} \
        runuser -u "$1" -- env HOME="/home/$1" bash -c "cd $HOME_IN && $2" >"$log" 2>&1 </dev/null
}
# the program is stopped as by Ctrl-C once it has named a sound, or after half a minute
make_run='make run >/tmp/run.txt 2>&1 & run=$!
    for i in $(seq 3000); do sleep 0.1; grep -q "input:" /tmp/run.txt && break; kill -0 $run 2>/dev/null || break; done
    for i in $(seq 120); do sleep 0.1; grep -qE "(smoke_alarm|siren|door_wood_knock|speech) +[01]\.[0-9]+" /tmp/run.txt && break; done
    echo "named after $((i + 1)) tenths of a second"; sleep 10
    kill -INT $(pidof earshot); wait $run; echo "exit code $?"; cat /tmp/run.txt'

first_minutes() { # SUITE USER
    local suite=$1 user=$2 log rc s=$SECONDS
    "$here/rootfs.sh" make "$suite" "$CACHE/$suite" make,sudo || { check "$suite: debootstrap" false; return; }
    tree=$(mktemp -d "$CACHE/$suite.XXXXXX"); log=$tree/log
    "$here/rootfs.sh" copy "$CACHE/$suite" "$tree/root"
    chroot "$tree/root" useradd -m friend
    [ "$user" = root ] || echo "$user ALL=(ALL) NOPASSWD: ALL" >"$tree/root/etc/sudoers.d/$user"
    # what `git clone` gives: tracked files alone
    mkdir "$tree/root$HOME_IN"
    git -C "$root" -c safe.directory='*' ls-files -z | (cd "$root" && tar --null -T - -cf -) | tar -xf - -C "$tree/root$HOME_IN"
    chroot "$tree/root" chown -R friend: /home/friend

    in_tree friend 'make'; rc=$?
    check "$suite: make where nothing is installed says in a line what to do" \
        test "$rc $(grep -vc '^make: \*\*\*' "$log") $(grep -c 'make deps' "$log")" = '2 1 1'
    if [ "$user" = root ]; then
        rm "$tree/root/usr/bin/sudo"
        in_tree friend 'make deps'; rc=$?
        check "$suite: make deps of an ordinary user without sudo says in a line what to do" \
            test "$rc $(grep -vc '^make: \*\*\*' "$log") $(grep -c 'as root run: apt-get install' "$log")" = '2 1 1'
    fi

    in_tree "$user" "$make_run"
    check "$suite: make run: no capture device, says so, listens to the demo" grep -q '^no capture device.*demo' "$log"
    check "$suite: make run: names an event within ten seconds ($(grep -o 'named after.*' "$log"))" \
        grep -Eq '^[0-9:]+  (smoke_alarm|siren|door_wood_knock|speech) +[01]\.[0-9]+' "$log"
    check "$suite: make run: no configuration and no broker is said, and not the end" \
        bash -c "grep -q 'no configuration file' '$log' && grep -q 'localhost:1883' '$log'"
    check "$suite: make run: Ctrl-C is a clean end" grep -q '^exit code 0' "$log"
    # what make says, packages and compiler aside, up to the first line of the log
    noise() { sed -n '/ LD /,$p' "$log" | grep -E 'ALSA|jack|Jack|JACK|pulse|warning' ; }
    check "$suite: make run: sound libraries keep quiet" test -z "$(noise)"
    [ "$FAIL" = 0 ] || tail -40 "$log" | note
    echo "        $suite: after $((SECONDS - s)) s"

    in_tree "$user" 'make test'; rc=$?
    check "$suite: make test passes ($user)" test $rc = 0
    grep -E 'FAILED|[0-9]+ passed, [0-9]+ failed' "$log" | note
    [ $rc = 0 ] || tail -60 "$log" | note
    if [ "$user" = root ]; then
        chroot "$tree/root" chown -R friend: /home/friend
        in_tree friend 'make test'; rc=$?
        check "$suite: make test passes for an ordinary user too" test $rc = 0
        [ $rc = 0 ] || tail -60 "$log" | note
    fi

    # a package is made like this: into a folder of its own, and from there to where it belongs
    in_tree root 'make -s install DESTDIR=/tmp/dest >/dev/null && cp -a /tmp/dest/. / && rm -rf models && cd / &&
        earshot model list && earshot config check && earshot classify --json /usr/local/share/earshot/models/demo.flac &&
        cd /usr/local && test -s share/man/man1/earshot.1 -a -s share/man/man5/earshot.conf.5 -a -s lib/sysusers.d/earshot.conf &&
        grep -q ExecStart=/usr/local/bin/earshot lib/systemd/system/earshot.service lib/systemd/user/earshot.service'; rc=$?
    check "$suite: make install by way of DESTDIR: the program finds its models where they went" \
        bash -c "[ $rc = 0 ] && grep -q '/usr/local/share/earshot/models' '$log' && grep -q '\"smoke_alarm\"' '$log'"
    [ $rc = 0 ] || tail -20 "$log" | note
    in_tree root 'make -s uninstall && find /usr/local /etc -path "*earshot*" -type f'
    check "$suite: make uninstall leaves the configuration and nothing else" test "$(cat "$log")" = /etc/earshot/earshot.conf
    echo "        $suite: $((SECONDS - s)) s"
    rm -rf "$tree"
}

[ $# -gt 0 ] || set -- bookworm trixie
if [ $# = 1 ]; then
    case $1 in bookworm) first_minutes "$1" friend ;; *) first_minutes "$1" root ;; esac
    summary
    exit
fi
# several at a time: much of it is one processor's work
out=$(mktemp -d); trap 'rm -rf "$out"' EXIT
for suite; do "$here/tree.sh" "$suite" >"$out/$suite" 2>&1 & done
wait
for suite; do
    grep -vE '^[0-9]+ passed' "$out/$suite"
    read -r p _ f _ s _ <<<"$(grep -E '^[0-9]+ passed' "$out/$suite" | tail -1)"
    [ -n "$p" ] || { check "$suite: came to its end" false; continue; }
    PASS=$((PASS + p)) FAIL=$((FAIL + ${f%,})) SKIP=$((SKIP + s))
done
summary
