#!/usr/bin/env python3
"""webhook_server.py LOG PORTFILE [CERT KEY] - an HTTP(S) server on loopback that behaves as the path says, for webhook.sh.

Each request becomes a line of LOG: {"time", "path", "n" (of that path, from 1), "headers", "body"}. The port is written to PORTFILE.
  /ok 200   /flaky 500 twice, then 200   /busy 429 with Retry-After: 2 once, then 200   /late 503 with an HTTP date, then 200
  /gone 404   /gone-then-ok 404 once, then 200   /reset hangs up once, then 200   /hang nothing for 30 s once, then 200
  /endless 200 with a body without end   /moved 307 to /ok-moved   /away 302 to the address in the file "away"   /loop 307 to itself
"""
import email.utils
import http.server
import json
import socket
import ssl
import sys
import threading
import time

log = open(sys.argv[1], "a", buffering=1)
lock = threading.Lock()
seen = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, text=b"thanks", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        with lock:
            n = seen[self.path] = seen.get(self.path, 0) + 1
            log.write(json.dumps({"time": time.time(), "path": self.path, "n": n, "headers": dict(self.headers.items()),
                                  "body": body}) + "\n")
        path = self.path.split("?")[0]
        if path == "/flaky" and n <= 2:
            self.answer(500, b"not\x1b[2Jnow")
        elif path == "/busy" and n == 1:
            self.answer(429, Retry_After="2")
        elif path == "/late" and n == 1:
            self.answer(503, Retry_After=email.utils.formatdate(time.time() + 3, usegmt=True))
        elif path == "/gone" or (path == "/gone-then-ok" and n == 1):
            self.answer(404, b"nobody of that name")
        elif path == "/reset" and n == 1:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close_connection = True
            self.connection.close()
        elif path == "/hang" and n == 1:
            time.sleep(30)
        elif path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                self.close_connection = True
        elif path == "/moved":
            self.answer(307, Location="/ok-moved")
        elif path == "/loop":
            self.answer(307, Location="/loop")
        elif path == "/away":
            self.answer(302, Location=open("away").read().strip())
        else:
            self.answer(200)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


server = Server(("127.0.0.1", int(sys.argv[5]) if len(sys.argv) > 5 else 0), Handler)
if len(sys.argv) > 4 and sys.argv[3]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(sys.argv[2], "w") as f:
    f.write(str(server.server_port))
server.serve_forever()
