#!/bin/sh
# files.sh FILE...: the C table of the page's files (files.h) on stdout. index.html is /, NAME.html is /NAME, all others /NAME.
set -eu

type_of() {
    case $1 in
    *.html) echo 'text/html; charset=utf-8' ;;
    *.js) echo 'text/javascript; charset=utf-8' ;;
    *.css) echo 'text/css; charset=utf-8' ;;
    *.json) echo 'application/json' ;;
    *.webmanifest) echo 'application/manifest+json' ;;
    *.svg) echo 'image/svg+xml' ;;
    *.png) echo 'image/png' ;;
    *.ico) echo 'image/x-icon' ;;
    *.txt) echo 'text/plain; charset=utf-8' ;;
    *) echo "$1: files.sh knows no type for it" >&2; exit 1 ;;
    esac
}

bytes() { od -An -v -tu1 | sed 's/  */,/g; s/^,//; s/$/,/'; }

echo '#include "daemon/http/files.h"'
n=0
rows=
for file; do
    name=${file##*/}
    type=$(type_of "$name")
    case $name in
    index.html) path=/ ;;
    *.html) path=/${name%.html} ;;
    *) path=/$name ;;
    esac
    sum=$(sha256sum <"$file" | cut -c 1-20)
    size=$(wc -c <"$file")
    gz_size=$(gzip -9n <"$file" | wc -c)
    echo "static const unsigned char data_$n[] = {"
    bytes <"$file"
    echo '};'
    gz='0, 0'
    if [ "$gz_size" -lt $((size * 9 / 10)) ]; then
        echo "static const unsigned char gz_$n[] = {"
        gzip -9n <"$file" | bytes
        echo '};'
        gz="gz_$n, sizeof gz_$n"
    fi
    rows="$rows    {\"$path\", \"$type\", \"\\\"$sum\\\"\", data_$n, sizeof data_$n, $gz},
"
    n=$((n + 1))
done
printf 'const struct web_file web_files[] = {\n%s    {0},\n};\n' "$rows"
