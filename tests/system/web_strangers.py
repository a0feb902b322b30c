#!/usr/bin/env python3
"""web_strangers.py EARSHOT FOLDER: what web.sh has tested of the web server by a client of its own. Prints `ok` and `NOT OK` lines as lib.sh
does, and figures. WEB_LONG=1: for longer, with 10,000 half-open connections and a whole gigabyte."""
import json
import os
import resource
import socket
import struct
import sys
import threading
import time

from web_peer import RATE, Daemon, alarm, pcm, raw, request

TOKEN = "0123456789-abcdefghij"
LONG = os.environ.get("WEB_LONG") == "1"
EVIL = "http://evil.example"
passed = failed = 0


def check(name, good, more=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print("%s  %s%s" % ("ok    " if good else "NOT OK", name, "" if good else "  %s" % (more,)), flush=True)


def note(text):
    print("        " + text, flush=True)


def bearer(token=TOKEN):
    return {"Authorization": "Bearer " + token}


# --- strangers -----------------------------------------------------------------------------------------------------------


def strangers(d):
    print("--- strangers")
    get = lambda path, headers=None, **kw: request(d.port, "GET", path, headers, **kw).status
    api = "/api/v1/status"
    check("without a token: 401", get(api) == 401)
    check("  with a wrong one, another scheme, a cookie of nobody's", [get(api, h) for h in (
        bearer("0123456789-abcdefghik"), {"Authorization": "Basic eDp5"}, {"Cookie": "earshot_%d=x" % d.port})] == [401] * 3)
    check("  with the right one: 200", get(api, bearer()) == 200)
    check("  the page itself, healthz and readyz for everybody", [get(p) for p in ("/", "/healthz", "/readyz")] == [200] * 3)
    for host in ("evil.example", "evil.example:%d" % d.port, "localhost.evil.example", "192.0.2.1", "[::2]", "", "a b"):
        check("Host %r: 421" % host, request(d.port, "GET", "/", {"Host": host}).status in (421, 400))
    check("no Host at all: 400", raw(d.port, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").status == 400)
    check("two of them: 400", raw(d.port, b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n").status == 400)
    check("Host localhost:%d and our own address: 200" % d.port,
          [get("/", {"Host": h}) for h in ("localhost:%d" % d.port, "127.0.0.1")] == [200, 200])
    for origin in (EVIL, "null", "http://127.0.0.1:1", "https://127.0.0.1"):
        check("Origin %s: 403" % origin, request(d.port, "POST", "/api/v1/signin", {**bearer(), "Origin": origin}).status == 403)
    own = "http://127.0.0.1:%d" % d.port
    check("  our own: not", request(d.port, "POST", "/api/v1/signin", {**bearer(), "Origin": own}).status in (200, 409))
    check("a foreign page's image or form, by Sec-Fetch-Site: 403", get(api, {**bearer(), "Sec-Fetch-Site": "cross-site"}) == 403)
    for path in ("/../etc/passwd", "/%2e%2e/etc/passwd", "/..%2fetc/passwd", "/api/v1/clips/..%2f..%2fhistory.db", "/api/v1/clips/%2e%2e",
                 "/api/v1/clips/.x.part", "//etc/passwd", "/app.js/../../x", "/api/v1/clips/a%00.flac", "/%00", "/index.html%00",
                 "/daemon/web/index.html", "/api/v1/clips/" + "a" * 500):
        check("path %s: 404" % path[:50], get(path, bearer()) == 404)


def sessions(d):
    """The last: it ends with the address shut out."""
    open(os.path.join(d.folder, "metrics.txt"), "wb").write(request(d.port, "GET", "/metrics", bearer()).body)
    print("--- signing in")
    post = lambda path, value, headers=None: request(d.port, "POST", path, {"Content-Type": "application/json", **(headers or {})},
                                                     json.dumps(value).encode())
    check("a wrong token: 401", post("/api/v1/session", {"token": "no" * 10}).status == 401)
    check("neither token nor code: 400", post("/api/v1/session", {}).status == 400)
    good = post("/api/v1/session", {"token": TOKEN})
    cookie = good.headers.get("set-cookie", "")
    check("the right one: a cookie that scripts and other sites do not get",
          good.status == 200 and "HttpOnly" in cookie and "SameSite=Strict" in cookie, cookie)
    me = {"Cookie": cookie.split(";")[0]}
    check("  lets in", request(d.port, "GET", "/api/v1/status", me).status == 200)
    code = request(d.port, "POST", "/api/v1/signin", me)
    if code.status == 200:
        answer = code.json()
        check("a code for a phone, with its picture", answer["svg"].startswith("<svg") and "#code=" + answer["code"] in answer["url"])
        check("  signs in, once", [post("/api/v1/session", {"code": answer["code"]}).status for _ in "12"] == [200, 401])
    else:
        check("no code where nobody else gets here: 409", code.status == 409)
    check("signed out: 401 from then on", [request(d.port, m, p, me).status for m, p in (
        ("DELETE", "/api/v1/session"), ("GET", "/api/v1/status"))] == [200, 401])
    kept = open(os.path.join(d.folder, "state", "web-sessions")).read()
    told = kept + "\n".join(d.log)
    check("no secret in log or state directory", TOKEN not in told and me["Cookie"].split("=")[1] not in told)
    wrong = [post("/api/v1/session", {"code": "guess"}).status for _ in range(12)]
    check("guessing: 429", wrong[-1] == 429, wrong)


# --- the API against its own description -----------------------------------------------------------------------------------


def validate_document(doc):
    from jsonschema import Draft202012Validator
    bad, ids = [], set()

    def walk(o, where):
        if isinstance(o, dict):
            if "$ref" in o:
                name = o["$ref"].rsplit("/", 1)[-1]
                if o["$ref"] != "#/components/schemas/" + name or name not in doc["components"]["schemas"]:
                    bad.append("%s: %s leads nowhere" % (where, o["$ref"]))
            if "schema" in o and isinstance(o["schema"], dict):
                Draft202012Validator.check_schema(o["schema"])
            for k, v in o.items():
                walk(v, where + "/" + k)
        elif isinstance(o, list):
            for v in o:
                walk(v, where)

    walk(doc, "")
    for s in doc["components"]["schemas"].values():
        Draft202012Validator.check_schema(s)
    for path, ops in doc["paths"].items():
        for method, op in ops.items():
            names = {p["name"] for p in op.get("parameters", []) if p["in"] == "path"}
            if names != {part[1:-1] for part in path.split("/") if part.startswith("{")}:
                bad.append("%s %s: its parameters are not those of the path" % (method, path))
            if op["operationId"] in ids or not op["summary"] or not any(c.startswith("2") for c in op["responses"]):
                bad.append("%s %s: id, summary or success" % (method, path))
            ids.add(op["operationId"])
    return bad


def fits(doc, schema, value):
    from jsonschema import Draft202012Validator
    errors = list(Draft202012Validator({**schema, "components": doc["components"]}).iter_errors(value))
    return ["%s: %s" % ("/".join(map(str, e.path)), e.message[:200]) for e in errors]


PROBE = {"{id}": "01999999-9999-7999-8999-999999999999", "{label}": "siren"}


def probe_path(path):
    for k, v in PROBE.items():
        path = path.replace(k, v)
    return path


def described(doc, op, answer):
    """Is that answer among those that the description has, and as it says?"""
    entry = op["responses"].get(str(answer.status))
    if entry is None:
        return ["status %d is not described" % answer.status]
    kind = answer.headers.get("content-type", "").split(";")[0]
    if kind not in entry.get("content", {kind: {}}):
        return ["type %s is not described" % kind]
    schema = entry.get("content", {}).get(kind, {}).get("schema")
    if schema and kind.endswith("json"):
        return fits(doc, schema, answer.json())
    return []


def is_stream(op):
    return any("text/event-stream" in r.get("content", {}) for r in op["responses"].values())


def each_operation(d, doc):
    print("--- every route, as openapi.json has it")
    for path, ops in sorted(doc["paths"].items()):
        for method, op in sorted(ops.items()):
            method, name, problems = method.upper(), "%s %s" % (method.upper(), path), []
            at, is_open = probe_path(path), op.get("security") == []
            json_body = "application/json" in op.get("requestBody", {}).get("content", {})
            ask = lambda headers, body=None, query="", method=method, at=at: request(d.port, method, at + query, headers, body)

            def expect(what, answer, status):
                if answer.status not in status:
                    problems.append("%s: %d, not %s" % (what, answer.status, status))
                problems.extend("%s: %s" % (what, p) for p in described(doc, op, answer))

            expect("another Host", ask({**bearer(), "Host": "evil.example"}), [421])
            expect("another Origin", ask({**bearer(), "Origin": EVIL}), [403])
            expect("a parameter that is none", ask(bearer(), query="?nonsense=1"), [400])
            if not is_open:
                expect("without a token", ask({}), [401])
            if json_body:
                plain = {**bearer(), "Content-Type": "text/plain"}
                js = {**bearer(), "Content-Type": "application/json"}
                expect("a body that is no JSON", ask(plain, b"x=1"), [415])
                expect("a body that is broken", ask(js, b'{"a'), [400])
                expect("a body that is too large", ask({**js, "Content-Length": "100000000"}), [413])
            if method == "GET" and not is_stream(op):
                answer = ask(bearer())
                problems.extend("asked plainly: " + p for p in described(doc, op, answer))
                for p in op.get("parameters", []):
                    if p["in"] == "query" and p["schema"]["type"] in ("integer", "number"):
                        expect("%s out of range" % p["name"], ask(bearer(), query="?%s=1e9" % p["name"]), [400])
            check(name, not problems, problems)
            others = [m for m in ("GET", "POST", "PUT", "PATCH", "DELETE") if m.lower() not in ops]
            answer = request(d.port, others[0], at, bearer())
            if answer.status != 405 or "allow" not in answer.headers:
                check("  %s %s: 405" % (others[0], path), False, answer.status)


def wav(seconds):
    samples = pcm(alarm(seconds))
    return b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16) + \
        b"data" + struct.pack("<I", len(samples)) + samples


def successes(d, doc):
    """What is asked for rightly is answered as described."""
    form = b'--boundary7\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + wav(1) + b"\r\n--boundary7--\r\n"
    for method, path, kind, body in (
            ("PUT", "/api/v1/listening", "application/json", b'{"listening": true}'),
            ("PATCH", "/api/v1/settings", "application/json", b'{"values": {"gate.threshold": "-45 dBFS"}}'),
            ("POST", "/api/v1/test", "application/json", b'{"label": "siren"}'),
            ("POST", "/api/v1/session", "application/json", json.dumps({"token": TOKEN}).encode()),
            ("POST", "/api/v1/classify", "audio/wav", wav(2)),
            ("POST", "/api/v1/classify", "multipart/form-data; boundary=boundary7", form)):
        op = doc["paths"][path][method.lower()]
        answer = request(d.port, method, path, {**bearer(), "Content-Type": kind}, body, timeout=20)
        bad = described(doc, op, answer) + (["%d %s" % (answer.status, answer.body[:200])] if answer.status // 100 != 2 else [])
        check("%s %s (%s)" % (method, path, kind.split(";")[0]), not bad, bad)


def description(d):
    print("--- openapi.json")
    answer = request(d.port, "GET", "/api/v1/openapi.json")
    doc = answer.json()
    open(os.path.join(d.folder, "openapi.json"), "w").write(json.dumps(doc))
    try:
        bad = validate_document(doc)
    except ImportError:
        print("skip  openapi.json: python3-jsonschema is not installed")
        return
    check("%d operations: schemas, references, parameters" % sum(map(len, doc["paths"].values())), not bad, bad)
    each_operation(d, doc)
    successes(d, doc)


# --- hostile ---------------------------------------------------------------------------------------------------------------


def steady(d, during):
    """Runs `during` while a client that behaves asks ten times a second; the longest that it waited, s, and how often it got nothing."""
    worst, refused, over = [0.0], [0], threading.Event()

    def ask():
        while not over.is_set():
            begin = time.monotonic()
            try:
                good = request(d.port, "GET", "/api/v1/status", bearer(), timeout=10).status == 200
            except OSError:
                good = False
            refused[0] += not good
            worst[0] = max(worst[0], time.monotonic() - begin)
            time.sleep(0.1)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        during()
    finally:
        over.set()
        thread.join()
    return worst[0], refused[0]


def garbage(d):
    rubbish = [os.urandom(n) for n in (1, 20, 3000, 100000)] + [
        b"\r\n" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
        b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"A" * 1000000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n continued: x\r\n\r\n", b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n"]
    statuses = []

    def one(r):
        try:
            statuses.append(raw(d.port, r, timeout=1).status)
        except OSError:
            statuses.append(0)

    threads = [threading.Thread(target=one, args=(r,)) for r in rubbish]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return statuses


def dripping(d, n, seconds):
    """Headers that come a byte at a time, and never to an end."""
    clients = []
    for i in range(n):
        s = socket.create_connection(("127.0.0.1", d.port), 5)
        s.setblocking(False)
        s.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Drip: ")
        clients.append(s)
    end, cut = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for s in list(clients):
            try:
                s.send(b"a")
                if s.recv(100) == b"":
                    raise ConnectionError
            except BlockingIOError:
                pass
            except OSError:
                clients.remove(s)
                s.close()
                cut += 1
        time.sleep(0.5)
    for s in clients:
        s.close()
    return cut


def half_open(d, n):
    """Connections that say nothing at all."""
    clients, refused = [], 0
    for i in range(n):
        s = socket.socket()
        s.setblocking(False)
        try:
            s.bind(("127.0.%d.%d" % (i // 200 % 250, 1 + i % 200), 0))
            s.connect(("127.0.0.1", d.port))
        except BlockingIOError:
            pass
        except OSError:
            refused += 1
        clients.append(s)
        if i % 100 == 99:
            time.sleep(0.01)
    time.sleep(1)
    for s in clients:
        s.close()
    return len(clients) - refused


def gigabyte(d, most):
    said = request(d.port, "POST", "/api/v1/classify", {**bearer(), "Content-Length": str(10 ** 9)})
    sent, status = 0, 0
    chunk = b"10000\r\n" + b"\0" * 65536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", d.port), 20) as s:
        head = "POST /api/v1/classify HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: chunked\r\n\r\n" % TOKEN
        s.sendall(head.encode())
        try:
            while sent < most:
                s.sendall(chunk)
                sent += 65536
        except OSError:
            status = -1
    return said.status, sent, status


def hostile(d):
    """Slow ones first: the server's patience with them takes 20 s, in which all the rest goes on."""
    before, results = d.memory_kb(), {}
    drip = threading.Thread(target=lambda: results.update(cut=dripping(d, 100, 60 if LONG else 23)))

    def attack():
        drip.start()
        results["garbage"] = garbage(d)
        results["gigabyte"] = gigabyte(d, 10 ** 9 if LONG else 10 ** 8)
        many(d)
        drip.join()
        results["half_open"] = half_open(d, 10000 if LONG else 2000)

    worst, refused = steady(d, attack)
    print("--- hostile")
    check("garbage: refused or cut, never a success", all(s == 0 or s >= 400 for s in results["garbage"]), results["garbage"])
    said, sent, status = results["gigabyte"]
    check("1 GB: 413 before it is sent", said == 413, said)
    check("  without a length: cut after %d MB" % (sent // 10 ** 6), status == -1 and sent < 90 * 10 ** 6)
    check("headers that drip: all 100 cut after 20 s", results["cut"] == 100, results["cut"])
    check("%d half-open connections, and all of this" % results["half_open"], results["half_open"] >= 1000)
    check("  meanwhile who behaves was answered (at most after %.0f ms)" % (worst * 1000), refused == 0, refused)
    check("it hears all the same", d.hears() is not None)
    time.sleep(1)
    after = d.memory_kb()
    note("memory of its own: %d kB before, %d kB after" % (before, after))
    check("memory is flat: less than 3 MB more", after - before < 3072, after - before)
    status = request(d.port, "GET", "/api/v1/status", bearer()).json()
    lost = status["input"]["overruns"], status["input"]["lost_frames"], status["counters"]["windows_dropped"]
    check("no audio was lost", lost == (0, 0, 0), lost)


# --- many that behave --------------------------------------------------------------------------------------------------------


def figures(d):
    text = request(d.port, "GET", "/metrics", bearer()).body.decode()
    return {line.split(" ")[0]: float(line.split(" ")[1]) for line in text.splitlines() if not line.startswith("#")}


def mean_latency(d, n):
    key, patience = "earshot_event_latency_seconds_", time.monotonic() + 20   # a busy machine tells it later
    a = b = figures(d)
    for _ in range(n):
        d.hears()
    while b[key + "count"] == a[key + "count"] and time.monotonic() < patience:
        b = figures(d)
        time.sleep(0.1)
    events = b[key + "count"] - a[key + "count"]
    return (b[key + "sum"] - a[key + "sum"]) / events * 1000 if events else None


def watch(d, path, streams):
    s = socket.create_connection(("127.0.0.1", d.port), 10)
    s.sendall(("GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n" % (path, TOKEN)).encode())
    streams.append(s)


def drain(streams, over, got):
    import select
    while not over.is_set():
        for s in select.select(streams, [], [], 0.2)[0]:
            data = s.recv(65536)
            got[0] += len(data)
            if not data:
                got[1] += 1
                streams.remove(s)


def asking(d, over, asked, rate):
    """On four connections that stay, `rate` a second in all."""
    head = ("GET /api/v1/listening HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n" % TOKEN).encode()
    s, begin, n = socket.create_connection(("127.0.0.1", d.port), 10), time.monotonic(), 0
    while not over.is_set():
        s.sendall(head)
        data = s.recv(4096)
        while b"}" not in data.partition(b"\r\n\r\n")[2]:
            data += s.recv(4096)
        asked.append(data.startswith(b"HTTP/1.1 200"))
        n += 1
        time.sleep(max(0, begin + n / rate - time.monotonic()))


def many(d):
    calm = mean_latency(d, 1 if not LONG else 5)
    before = d.memory_kb()
    streams, over, got, asked = [], threading.Event(), [0, 0], []
    for i in range(100):
        watch(d, "/api/v1/levels/stream" if i % 2 else "/api/v1/events/stream", streams)
    threads = [threading.Thread(target=drain, args=(streams, over, got))]
    threads += [threading.Thread(target=asking, args=(d, over, asked, 125)) for _ in range(4)]
    for t in threads:
        t.start()
    begin = time.monotonic()
    time.sleep(1)
    busy, during = mean_latency(d, 1 if not LONG else 5), d.memory_kb()
    seconds = time.monotonic() - begin
    over.set()
    for t in threads:
        t.join()
    for s in streams:
        s.close()
    print("--- 100 watchers and 500 requests a second")
    note("an event is told %s ms after its audio, with all of them %s ms; %.0f requests a second, %.1f MB of streams" %
         ("%.1f" % calm if calm else "?", "%.1f" % busy if busy else "?", len(asked) / seconds, got[0] / 1e6))
    note("memory of its own: %d kB, with all of them %d kB" % (before, during))
    check("all requests were answered", all(asked) and len(asked) > 100 * seconds, (len(asked), asked.count(False)))
    check("no stream was cut, all of them moved", got[1] == 0 and got[0] > 100000, got)
    check("every event was told", busy is not None)
    f = figures(d)
    lost = f["earshot_input_overruns_total"], f["earshot_input_lost_frames_total"], f["earshot_windows_dropped_total"]
    check("no audio was lost", lost == (0, 0, 0), lost)


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = 12000 if LONG else 4096
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (want, max(want, hard)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(want, hard), hard))
    earshot, folder = sys.argv[1:3]
    token = os.path.join(folder, "token")
    with open(os.open(token, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
        f.write(TOKEN + "\n")
    d = Daemon(earshot, folder, "--web.token_file=" + token)
    if not d.up():
        print("\n".join(d.log))
        check("the daemon runs", False)
    else:
        for part in (strangers, description, hostile, sessions):
            begin = time.monotonic()
            part(d)
            note("(%.1f s)" % (time.monotonic() - begin))
    code = d.stop()
    check("it ends: exit 0", code == 0, code)
    bad = [line for line in d.log if "Sanitizer" in line or "runtime error" in line]
    check("no sanitizer complained", not bad, bad)
    if failed:
        print("\n".join(d.log[-30:]))
    with open(os.path.join(folder, "counts"), "w") as f:
        f.write("%d %d\n" % (passed, failed))


main()
