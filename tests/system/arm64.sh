#!/bin/bash
# arm64.sh - a Raspberry Pi's binaries, built and run here: cross compiler and arm64 libraries in a Debian tree of their own, the unit
# tests and the program under qemu as a Cortex-A72. ~4 minutes, and two more to make the tree.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd)
CACHE=${EARSHOT_TREES:-/var/tmp/earshot-trees} TREE=${EARSHOT_TREES:-/var/tmp/earshot-trees}/arm64
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT

[ "$(id -u)" = 0 ] || { skip "arm64: debootstrap and chroot need root"; summary; exit; }
unshare --mount --pid --fork true 2>/dev/null || { skip "arm64: this machine makes no mount namespaces"; summary; exit; }
mkdir -p "$CACHE"
"$here/rootfs.sh" make bookworm "$TREE" make || { skip "arm64: debootstrap fails here"; summary; exit; }
shared=${EARSHOT_SHARED:-$root/../shared}
export RO_BIND="$root:/earshot" # and what the golden tests compare with, where it is there
[ -d "$shared" ] && RO_BIND="$RO_BIND $(realpath "$shared"):/shared"
in_tree() { "$here/rootfs.sh" run "$TREE" env CI= MAKEFLAGS= bash -c "cd /earshot && $1"; }

# the compiler, python and protoc are this machine's, all libraries the other's
packages=$(make -s -C "$root" print-packages) || die "make print-packages"
libraries= tools=
for p in $packages; do
    case $p in
    lib*-dev | portaudio19-dev) libraries="$libraries $p:arm64" ;;
    build-essential) tools="$tools crossbuild-essential-arm64" ;;
    mosquitto* | sox) ;;
    *) tools="$tools $p" ;;
    esac
done
in_tree "dpkg --add-architecture arm64 && . tests/system/lib.sh && need $tools qemu-user-static $libraries libc6-dev:arm64" ||
    { skip "arm64: packages do not install in the tree"; summary; exit; }

emulate='qemu-aarch64-static -cpu cortex-a72'
in_tree "make -s -j2 WERROR=1 BUILD=/tmp/build CC='aarch64-linux-gnu-gcc -mcpu=cortex-a72' AR=aarch64-linux-gnu-ar \
    PKG_CONFIG=aarch64-linux-gnu-pkg-config all unit-tests" >"$W/build.txt" 2>&1
check "builds for arm64 without a warning" test $? = 0
[ "$FAIL" = 0 ] || { tail -20 "$W/build.txt"; summary; exit 1; }
check "  an ELF file for AArch64" test "$(od -An -tu2 -j18 -N2 "$TREE/tmp/build/earshot" | tr -d ' ')" = 183

# Hours of sound through the gate: nothing in it depends on the processor, and it takes a minute here.
left_out=test_hearing
skip "$left_out: not under the emulator; make test runs it"
tests=$(cd "$root/tests" && ls test_*.c | grep -vx "$left_out.c" | sed 's|^|/tmp/build/tests/|; s|\.c$||' | tr '\n' ' ')
in_tree "EARSHOT_EMULATED=1 RUNNER='$emulate' TEST_LIMIT=400 tests/run.sh -j $(nproc) $tests" >"$W/unit.txt" 2>&1
grep -vE '^[0-9]+ passed' "$W/unit.txt"
line=$(grep -E '^[0-9]+ passed' "$W/unit.txt" | tail -1)
check "the unit tests end" test -n "$line"
read -r p _ f _ s _ <<<"${line:-0 x 0, x 0 x}"
PASS=$((PASS + p)) FAIL=$((FAIL + ${f%,})) SKIP=$((SKIP + s))

in_tree "EARSHOT_MODELS=models $emulate /tmp/build/earshot run --state-dir /tmp/state --mqtt.enabled=off --input file:tests/data/smoke_t3.flac --fast --json" \
    >"$W/run.txt" 2>"$W/log.txt"
check "the program, over a file: exit code 0" test $? = 0
check "  it hears the smoke alarm" grep -q '"event_type": *"start".*"label": *"smoke_alarm"' "$W/run.txt"
[ "$FAIL" = 0 ] || tail -20 "$W/log.txt"
summary
