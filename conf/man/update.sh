#!/bin/sh
# Makes what comes from the option table anew: conf/earshot.conf and the list in earshot.conf(5). From the top of the tree,
# after `make`. A test fails while these are not as the table has it.
set -eu
earshot=${1:-build/earshot}
page=conf/man/earshot.conf.5
"$earshot" config default >conf/earshot.conf.new
mv conf/earshot.conf.new conf/earshot.conf
{
    sed '/^\.\\" options begin$/q' "$page"
    "$earshot" config man
    sed -n '/^\.\\" options end$/,$p' "$page"
} >"$page.new"
mv "$page.new" "$page"
