#!/bin/bash
# webhook.sh - webhooks against a real HTTP server on loopback that fails, hangs, redirects, refuses and is away; over a kill -9 of the
# daemon. No root, no device. ~40 s, most of it waiting.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); E=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d)
export EARSHOT_MODELS=$root/models TSAN_OPTIONS=exitcode=66 LSAN_OPTIONS="suppressions=$root/tests/lsan.supp"
unset STATE_DIRECTORY RUNTIME_DIRECTORY XDG_RUNTIME_DIR NOTIFY_SOCKET http_proxy https_proxy all_proxy
cd "$W" || exit 1
end() { stop_pid pid; stop_pid server.pid; stop_pid other.pid; stop_pid tls.pid; wait; rm -rf "$W"; }
trap end EXIT
clean() { ! grep -E 'Sanitizer|runtime error' log.txt; }
says() { grep -qE -- "$1" log.txt; }
logged() { wait_for "${2:-10}" grep -qE -- "$1" log.txt; }
# server NAME [CERT KEY [PORT]]: its requests are in NAME.log; sets port
server() {
    rm -f "$1.port"
    python3 "$here/webhook_server.py" "$1.log" "$1.port" "${2:-}" "${3:-}" ${4:+"$4"} 2>"$1.err" & echo $! >"$1.pid"
    wait_for 10 test -s "$1.port" || { cat "$1.err"; die "no HTTP server"; }
    port=$(cat "$1.port")
}
start() { # CONFIG: the daemon
    rm -f fifo; mkfifo fifo; exec 7<>fifo
    "$E" run --config "$1" --state-dir "$W/state" --input - <fifo 7>&- >>out.txt 2>log.txt & echo $! >pid
    logged 'input: stdin' 20
}
stop() { # [SIGNAL]: sets rc and ms
    local pid s; pid=$(cat pid); rm -f pid; s=$(date +%s%N)
    kill -"${1:-TERM}" "$pid"; wait "$pid" 2>/dev/null; rc=$?; ms=$((($(date +%s%N) - s) / 1000000)); exec 7>&-
}
t() { timeout 20 "$E" test "$1" --state-dir "$W/state" >test.txt 2>&1; }
# got LOG PYTHON: the expression holds for r, the requests, and by(path), those to one path
cat >got.py <<'P'
import json, re, sys
r = [json.loads(l) for l in open(sys.argv[1])]
def by(path): return [x for x in r if x["path"] == path]
def events(path): return [json.loads(x["body"])["event_type"] for x in by(path)]
def ids(path): return [x["headers"]["Idempotency-Key"] for x in by(path)]
def gaps(path): return [b["time"] - a["time"] for a, b in zip(by(path), by(path)[1:])]
ok = eval(sys.argv[2])
if not ok: print("        not so: %s; there is %s" % (sys.argv[2], [(x["path"], x["n"], x["body"][:60]) for x in r]), file=sys.stderr)
sys.exit(0 if ok else 1)
P
got() { python3 got.py "$1" "$2" 2>got.txt; }
there() { wait_for "$1" got "$2" "$3" || { cat got.txt; return 1; }; }
# refused CONFIG WANTED
refused() {
    printf '[mqtt]\nenabled = off\n%b' "$1" >bad.conf
    timeout 20 "$E" run --config bad.conf --state-dir "$W/state" --input - </dev/null >out.txt 2>log.txt
    [ $? = 2 ] && grep -qF -- "$2" log.txt && clean || { cat log.txt; return 1; }
}
server server; P=$port; server other; O=$port
U=http://127.0.0.1:$P
echo "http://127.0.0.1:$O/elsewhere" >away

echo "--- what cannot be is refused at the start"
check "no address" refused "[webhook x]\nlabel = siren\n" '[webhook x] there is no address'
check "another scheme" refused "[webhook x]\nurl = ftp://host/\n" 'neither http nor https'
check "a secret that is not there" refused "[webhook x]\nurl = $U\nsecret_file = /nix/da\n" '[webhook x] /nix/da: No such file'
echo 'my password' >bad.secret
check "a secret that is no header; it is not shown" refused "[webhook x]\nurl = $U\nsecret_file = $W/bad.secret\n" 'bad.secret:1: neither a header'
check "  " bash -c '! grep "my password" log.txt'
check "a certificate that is not there" refused "[webhook x]\nurl = $U\nca_file = /nix/da\n" '[webhook x] ca_file /nix/da: No such'
check "a value that there is not" refused "[webhook x]\nurl = $U\nbody = \${labl}\n" '"${labl}" is no value of an event'

echo "--- a server with all its moods"
printf 'Authorization: Bearer s3cret\n' >good.secret
printf '%s/ok?token=t0p\n' "$U" >url.secret
{
    printf '[mqtt]\nenabled = off\nnode = hall\n'
    for w in ok flaky busy late gone gone-then-ok reset endless moved away loop; do
        printf '[webhook %s]\nurl = %s/%s\nlabel = siren\nevent = both\ntest = on\n' "${w//-/_}" "$U" "$w"
    done
    printf '[webhook plain]\nurl = %s/plain\nlabel = siren\ntest = on\ncontent_type = text/plain\nbody = ${label} (${score}), ${event_type}, at ${node}\nsecret_file = %s/good.secret\n' "$U" "$W"
    printf '[webhook form]\nurl = %s/form\nlabel = siren\ntest = on\ncontent_type = application/x-www-form-urlencoded\nbody = to=%%40me&t=${label}+${start}\n' "$U"
    printf '[webhook address]\nsecret_file = %s/url.secret\nlabel = siren\ntest = on\n' "$W"
} >moods.conf
start moods.conf
t siren
there 8 server.log 'len(by("/flaky")) == 4 and len(by("/busy")) == 3 and len(by("/late")) == 3'
check "a start and an end arrive, as JSON" got server.log 'events("/ok") == ["start", "end"] and json.loads(by("/ok")[0]["body"])["label"] == "siren"'
check "  Idempotency-Key is the event's id" got server.log 'ids("/ok") == [json.loads(x["body"])["id"] for x in by("/ok")]'
check "  with the box's name" got server.log 'all(x["headers"]["X-Earshot-Node"] == "hall" and x["headers"]["Content-Type"] == "application/json" for x in by("/ok"))'
check "text with the event's values, header from the secret" got server.log '[(x["body"], x["headers"]["Authorization"]) for x in by("/plain")] == [("siren (1.00), start, at hall", "Bearer s3cret")]'
check "a form" got server.log 'len(by("/form")) == 1 and re.fullmatch(r"to=%40me&t=siren\+20..-..-..T..%3A..%3A..\....Z", by("/form")[0]["body"])'
check "an address that is a secret" got server.log 'len(by("/ok?token=t0p")) == 1'
check "500 twice: tried again with the same id; the end waits its turn" got server.log 'events("/flaky") == ["start"] * 3 + ["end"] and len(set(ids("/flaky")[:3])) == 1'
check "  and said when it goes well again" says 'webhook flaky: http://127.0.0.1:[0-9]+ takes messages again'
check "  after about 1 s and 2 s" got server.log '0.7 < gaps("/flaky")[0] < 2.2 and 1.5 < gaps("/flaky")[1] < 3.5'
check "429 with Retry-After: 2" got server.log 'events("/busy") == ["start", "start", "end"] and 2 <= gaps("/busy")[0] < 3.5'
check "503 with a date" got server.log 'events("/late") == ["start", "start", "end"] and 1.9 <= gaps("/late")[0] < 5'
check "404: given up and said" says 'webhook gone: siren of http://127.0.0.1:[0-9]+ is given up: answered 404: nobody of that name'
check "  the next one is sent all the same" got server.log 'events("/gone_then_ok".replace("_", "-")) == ["start", "end"]'
check "a connection that breaks: tried again" got server.log 'events("/reset")[:2] == ["start", "start"]'
check "a body without end: delivered" got server.log 'events("/endless") == ["start", "end"]'
check "redirected on the same server: followed" got server.log 'events("/ok-moved") == ["start", "end"] == events("/moved")'
check "redirected to another: not followed" bash -c '[ ! -s other.log ] && grep -q "webhook away: .*answered 302, redirected to another scheme, host or port, which is not followed" log.txt'
check "redirected in a circle: not for ever" got server.log '4 <= len(by("/loop")) <= 24 and sum(g < 0.3 for g in gaps("/loop")[:7]) >= 3 and max(gaps("/loop")[:7] + [1]) > 0.5'
check "secrets and addresses' paths are not logged" bash -c '! grep -E "s3cret|t0p|/flaky|/plain" log.txt'
check "what a server says cannot steer the terminal" bash -c '! grep -q $'"'\\\\x1b'"' log.txt'
check "earshot test says what came of it" grep -qE 'webhooks: .*answered' test.txt
ours() { pgrep -f "^$(dirname "$E")/earshot-webhook" -P "$(cat pid)" | wc -l; }
n=$(ours)
check "helpers ran ($n)" test "$n" -gt 0
pid=$(cat pid)
stop
check "SIGTERM: exit 0 in time ($ms ms), what is unsent stays in the outbox" bash -c "[ $rc = 0 ] && [ $ms -lt $STOP_MS ]"
check "  clean" clean
check "  no helper is left" bash -c "! pgrep -P $pid"

echo "--- a server that is away, and one that hangs; kill -9"
printf '[mqtt]\nenabled = off\n[webhook keep]\nurl = %s/kept\nlabel = siren\nevent = both\ntest = on\n' "$U" >keep.conf
printf '[webhook hang]\nurl = %s/hang\nlabel = siren\ntest = on\ntimeout = 1\n' "$U" >>keep.conf
rm -rf state
start keep.conf
t siren
there 8 server.log 'len(by("/hang")) == 2'
check "no answer within the time limit: tried again" got server.log 'events("/hang") == ["start", "start"] and 1.8 < gaps("/hang")[0] < 5'
stop_pid server.pid
t siren; t siren
check "a server that is away is said, once" test "$(grep -c 'webhook keep: .*tried again' log.txt)" = 1
stop KILL
: >server.log
start keep.conf
server server "" "" "$P"
there 20 server.log 'len({x["headers"]["Idempotency-Key"] for x in by("/kept")}) == 4'
check "after a kill -9 of the daemon: all arrive, in order" got server.log 'events("/kept") == ["start", "end"] * 2 and len(set(ids("/kept"))) == 4'

echo "--- helpers end when there is nothing to do"
none() { [ "$(ours)" = 0 ]; }
stop
sed '/webhook hang/,$d' keep.conf >one.conf # the other one has something to do: it tries again
start one.conf
: >server.log
t siren
there 8 server.log 'len(by("/kept")) == 2'
n=$(ours)
check "one runs" test "$n" = 1
check "it ended" wait_for 15 none
t siren
check "  and comes back" there 8 server.log 'len(by("/kept")) == 4'
stop
check "  clean" clean

echo "--- TLS"
if command -v openssl >/dev/null; then
    for name in localhost elsewhere; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=$name -addext "subjectAltName=DNS:$name" \
            -keyout $name.key -out $name.crt 2>/dev/null
    done
    server tls localhost.crt localhost.key; T=$port
    {
        printf '[mqtt]\nenabled = off\n'
        printf '[webhook good]\nurl = https://localhost:%s/good\nca_file = %s/localhost.crt\n' "$T" "$W"
        printf '[webhook unknown]\nurl = https://localhost:%s/unknown\n' "$T"
        printf '[webhook name]\nurl = https://127.0.0.1:%s/name\nca_file = %s/localhost.crt\n' "$T" "$W"
        printf '[webhook down]\nurl = https://localhost:%s/away\nca_file = %s/localhost.crt\n' "$T" "$W"
    } | sed '/^ca_file\|unknown$/a test = on' >tls.conf
    start tls.conf
    t siren
    there 10 tls.log 'len(by("/good")) == 1 and len(by("/away")) >= 1'
    check "a certificate that is trusted" got tls.log 'len(by("/good")) == 1'
    check "  one that is not: nothing is sent, and why is said" logged 'webhook unknown: https://localhost:[0-9]+: SSL certificate problem'
    check "  one of another name" logged "webhook name: https://127.0.0.1:[0-9]+: SSL: no alternative certificate subject name"
    check "  redirected to plain http: not followed" logged 'webhook down: .*redirected to another scheme'
    check "  nothing else was sent" bash -c '[ ! -s other.log ] && ! grep -E "/unknown|/name" tls.log'
    stop
    check "  clean" clean
else
    skip "TLS: openssl is not installed"
fi
[ "$FAIL" = 0 ] || { tail -n 60 log.txt test.txt; cat server.err; }
summary
