#!/bin/sh
# deps.sh PACKAGE... : installs the Debian packages among these that are missing. With nothing missing it needs neither root nor
# a network.
set -eu
command -v dpkg-query >/dev/null || {
    echo "deps: this is no Debian: install what these packages hold by hand: $*" >&2
    exit 1
}
missing=
for p in "$@"; do
    case $(dpkg-query -W -f '${Status}' "$p" 2>/dev/null || true) in
    'install ok installed') ;;
    *) missing="$missing $p" ;;
    esac
done
[ -n "$missing" ] || exit 0

root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "deps: these packages are missing, and there is no sudo: as root run: apt-get install$missing" >&2
        exit 1
    }
    root=sudo
fi
echo "deps: installing$missing" >&2
get() {
    # shellcheck disable=SC2086
    $root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" >/dev/null
}
# shellcheck disable=SC2086
get --no-install-recommends install $missing 2>/dev/null || {
    get update
    # shellcheck disable=SC2086
    get --no-install-recommends install $missing
}
