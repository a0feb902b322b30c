#!/bin/bash
# web.sh - the web server against those who should not get in, those who would like to bring it down, and many who behave; every route
# against openapi.json; its figures against promtool; https. No root, no device. ~40 s, most of it waiting for slow clients.
# WEB_LONG=1: 10,000 half-open connections, a whole gigabyte, longer means of latency.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/lib.sh"
root=$(cd "$here/../.." && pwd); E=$(realpath "${EARSHOT:-$root/build/earshot}")
W=$(mktemp -d)
end() { stop_pid "$W/pid"; rm -rf "$W"; }
trap end EXIT
export EARSHOT_MODELS=$root/models TSAN_OPTIONS=exitcode=66 LSAN_OPTIONS="suppressions=$root/tests/lsan.supp" PYTHONDONTWRITEBYTECODE=1
unset STATE_DIRECTORY RUNTIME_DIRECTORY XDG_RUNTIME_DIR NOTIFY_SOCKET LISTEN_FDS EARSHOT_WEB_TOKEN CREDENTIALS_DIRECTORY
PY=/usr/bin/python3

"$PY" "$here/web_strangers.py" "$E" "$W" || check "web_strangers.py runs to its end" false
read -r p f <"$W/counts"; PASS=$((PASS + p)); FAIL=$((FAIL + f))

echo "--- figures and description, by others' tools"
# promtool alone: the package would start a server
promtool=$(command -v promtool) || {
    mkdir "$W/prometheus" && (cd "$W/prometheus" && apt-get -qq download prometheus && dpkg-deb -x prometheus*.deb .) >/dev/null 2>&1
    promtool=$W/prometheus/usr/bin/promtool
}
if [ -x "$promtool" ]; then
    check "promtool check metrics" "$promtool" check metrics <"$W/metrics.txt"
else
    skip "promtool: cannot be had here"
fi
validator=
for py in python3 "$PY"; do "$py" -c 'import openapi_spec_validator' 2>/dev/null && validator=$py; done
[ -n "$validator" ] || { "$PY" -m venv "$W/venv" && timeout 60 "$W/venv/bin/pip" -q --retries 0 --timeout 10 install openapi-spec-validator &&
    validator=$W/venv/bin/python; } >/dev/null 2>&1
if [ -n "$validator" ]; then
    check "openapi-spec-validator" "$validator" -c "import json, sys, openapi_spec_validator as v; v.validate(json.load(open(sys.argv[1])))" "$W/openapi.json"
else
    skip "openapi-spec-validator: cannot be had here"
fi

echo "--- https"
# Not one of those that the kernel gives to clients: thousands of theirs, from all of 127/8, are still about (TIME-WAIT) and in the way of [::].
port() { "$PY" -c 'import random, socket
while True:
    s, p = socket.socket(socket.AF_INET6), random.randrange(12000, 32000)
    try: s.bind(("::", p)); break
    except OSError: pass
print(p)'; }
WEB=$(port)
"$PY" -c 'import sys, wave; w = wave.open(sys.argv[1], "wb"); w.setparams((1, 2, 16000, 0, "NONE", "")); w.writeframes(bytes(32000 * 300))' "$W/quiet.wav"
refused() { # TEXT ARGS...: does not start, exit code 2, and says so
    local text=$1; shift
    timeout 10 "$E" run --config /dev/null --state-dir "$W/state" --input "file:$W/quiet.wav" --mqtt.enabled=off --web.port="$WEB" "$@" >"$W/refused.txt" 2>&1
    [ $? = 2 ] && grep -qF -- "$text" "$W/refused.txt" || { cat "$W/refused.txt"; return 1; }
}
certificate() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$W/$1.key" -out "$W/$1.crt" -days 2 -subj "/CN=$1" \
        -addext 'subjectAltName=DNS:localhost' 2>/dev/null
}
umask 077; echo 0123456789-abcdefghij >"$W/token"; certificate one; certificate two
check "all networks without a token: refused, and says how" refused token_file --web.listen=::
check "  with a token that everybody may read, too" bash -c "chmod 644 '$W/token'; $(declare -f refused); E='$E' W='$W' WEB=$WEB refused 'chmod o=' --web.listen=:: --web.token_file='$W/token'"
chmod 600 "$W/token"
check "a certificate without its key" refused tls_key --web.tls_cert="$W/one.crt"
check "  with another's key" refused 'is not the key of' --web.tls_cert="$W/one.crt" --web.tls_key="$W/two.key"
cp "$W/one.key" "$W/open.key"; chmod 644 "$W/open.key"
check "  that everybody may read" refused 'chmod o= ' --web.tls_cert="$W/one.crt" --web.tls_key="$W/open.key"
check "  that is none" refused 'no certificate (PEM)' --web.tls_cert="$W/token" --web.tls_key="$W/one.key"
check "  that is not there" refused 'No such file' --web.tls_cert="$W/none.crt" --web.tls_key="$W/one.key"
doctor() { # RESULT TEXT ARGS...
    timeout 20 "$E" doctor --json --config /dev/null --state-dir "$W/doctor" --mqtt.enabled=off --web.port="$WEB" "${@:3}" >"$W/doctor.txt" 2>&1
    grep '"check":"page' "$W/doctor.txt" | grep "\"result\":\"$1\"" | grep -qF -- "$2"
}
check "earshot doctor: what would be served" doctor ok "http://127.0.0.1:$WEB/, once"
check "  all networks, by a token" doctor ok "http://[::]:$WEB/" --web.listen=:: --web.token_file="$W/token"
check "  and without" doctor warn "others than this machine" --web.listen=::
check "  another's key" doctor fail "is not the key of" --web.tls_cert="$W/one.crt" --web.tls_key="$W/two.key"
check "  a certificate that is about to expire" doctor warn "expires on" --web.tls_cert="$W/one.crt" --web.tls_key="$W/one.key"
cp "$W/one.crt" "$W/live.crt"; cp "$W/one.key" "$W/live.key"
"$E" run --config /dev/null --state-dir "$W/state" --input "file:$W/quiet.wav" --mqtt.enabled=off --web.port="$WEB" --web.listen=:: \
    --web.token_file="$W/token" --web.tls_cert="$W/live.crt" --web.tls_key="$W/live.key" >"$W/out.txt" 2>&1 & echo $! >"$W/pid"
wait_for 20 grep -q 'web: https' "$W/out.txt"
if command -v curl >/dev/null; then
    get() { curl -s -o "$W/body" -w '%{http_code}' --max-time 5 --cacert "$W/$1.crt" "${@:2}"; }
    is() { [ "$1" = "$2" ] || { echo "        $1"; return 1; }; }
    check "https, by IPv4 and IPv6" is "$(get one -4 "https://localhost:$WEB/healthz") $(get one -6 "https://localhost:$WEB/healthz")" "200 200"
    check "  TLS 1.1 is refused" is "$(get one --tls-max 1.1 "https://localhost:$WEB/healthz")" 000
    check "  plain http too" is "$(get one "http://localhost:$WEB/healthz")" 000
    check "signed in: the cookie is for https alone" bash -c "curl -s -D - -o /dev/null --max-time 5 --cacert '$W/one.crt' -H 'Content-Type: application/json' \
        -d '{\"token\":\"0123456789-abcdefghij\"}' https://localhost:$WEB/api/v1/session | grep -q 'Set-Cookie:.*HttpOnly; SameSite=Strict.*; Secure'"
    check "a code for a phone, with its picture" bash -c "curl -s --max-time 5 --cacert '$W/one.crt' -H 'Authorization: Bearer 0123456789-abcdefghij' -X POST \
        https://localhost:$WEB/api/v1/signin | grep -q '\"url\":\"https://.*#code=.*<svg'"
    (curl -sN --max-time 30 --cacert "$W/one.crt" -H 'Authorization: Bearer 0123456789-abcdefghij' "https://localhost:$WEB/api/v1/events/stream" >"$W/stream" 2>&1; echo "ended" >>"$W/stream") &
    wait_for 5 grep -q retry "$W/stream"
    cp "$W/two.key" "$W/live.key"; cp "$W/two.crt" "$W/live.crt"
    check "a renewed certificate is taken over" wait_for 15 bash -c "$(declare -f get); W='$W'; [ \"\$(get two https://localhost:$WEB/healthz)\" = 200 ]"
    check "  and streams go on" bash -c "! grep -q ended '$W/stream'"
    stop_pid "$W/pid"
    check "the daemon ends, and the stream with it" wait_for 5 grep -q ended "$W/stream"
else
    skip "https: no curl"
fi
[ "$FAIL" = 0 ] || tail -20 "$W/out.txt"
check "no sanitizer complained" bash -c "! grep -E 'Sanitizer|runtime error' '$W/out.txt'"
summary
