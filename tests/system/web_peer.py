"""A client for the web server's tests: one that behaves, and ones that do not. Used by web_strangers.py."""
import json
import math
import os
import random
import socket
import struct
import subprocess
import threading
import time

RATE = 16000


def noise(n, level=0.0005):
    return [random.uniform(-level, level) for _ in range(n)]


def alarm(seconds):
    """Three beeps of a smoke alarm, as often as they fit."""
    out = []
    for i in range(int(seconds * RATE)):
        t = i / RATE % 4
        on = t < 3 and t % 1 < 0.5
        out.append((0.3 * math.sin(2 * math.pi * 3100 * i / RATE) if on else 0) + random.uniform(-0.0005, 0.0005))
    return out


def pcm(samples):
    return struct.pack("<%dh" % len(samples), *(int(max(-1, min(1, s)) * 32767) for s in samples))


class Daemon:
    """The daemon, fed with audio in real time through its standard input."""

    def __init__(self, earshot, folder, *args, env=None):
        self.folder, self.port = folder, free_port()
        self.events, self.log = [], []
        self.proc = subprocess.Popen(
            [earshot, "run", "--config", "/dev/null", "--state-dir", os.path.join(folder, "state"), "--input", "-", "--json",
             "--mqtt.enabled=off", "--web.port=%d" % self.port, *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
        self.alarms, self.over = 0, False
        self.quiet, self.loud = pcm(noise(RATE)), pcm(alarm(2))
        for target in (self._feed, self._events, self._log):
            threading.Thread(target=target, daemon=True).start()

    def _feed(self):
        """10 ms at a time, never ahead of the clock."""
        begin, block, i, loud = time.monotonic(), RATE // 100 * 2, 0, 0
        try:
            while not self.over:
                if self.alarms and not loud:
                    self.alarms -= 1
                    loud = len(self.loud) // block
                source = self.loud if loud else self.quiet
                at = (len(self.loud) // block - loud if loud else i % 100) * block
                loud -= loud > 0
                self.proc.stdin.write(source[at:at + block])
                self.proc.stdin.flush()
                i += 1
                time.sleep(max(0, begin + i * 0.01 - time.monotonic()))
        except (BrokenPipeError, ValueError):
            pass

    def _events(self):
        for line in self.proc.stdout:
            self.events.append(json.loads(line))

    def _log(self):
        for line in self.proc.stderr:
            self.log.append(line.decode().rstrip())

    def wait(self, condition, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return True
            time.sleep(0.01)
        return False

    def up(self):
        return self.wait(lambda: any("web: http" in line for line in self.log) and any("gate threshold" in l for l in self.log))

    def hears(self):
        """Plays a smoke alarm and waits for its event; seconds that it took, None: it was not told."""
        n, begin = len(self.events), time.monotonic()
        self.alarms = 1
        told = lambda: any(e["event_type"] == "start" and e["label"] == "smoke_alarm" for e in self.events[n:])
        if not self.wait(told, 15):
            return None
        took = time.monotonic() - begin
        self.wait(lambda: any(e["event_type"] == "end" for e in self.events[n:]), 15)
        return took

    def memory_kb(self, what="Anonymous"):
        """Of its own alone: its share of what it has in common with others (Pss) changes when those come and go."""
        with open("/proc/%d/smaps_rollup" % self.proc.pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith(what + ":"))

    def stop(self):
        self.over = True
        self.proc.terminate()
        try:
            return self.proc.wait(10)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            return -9


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Answer:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        parts = lines[0].split(" ", 2)
        self.status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
        self.headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        if self.headers.get("transfer-encoding") == "chunked":
            self.body = dechunk(self.body)

    def json(self):
        return json.loads(self.body)


def dechunk(data):
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        n = int(size.split(b";")[0] or b"0", 16)
        if not n:
            break
        out, data = out + data[:n], data[n + 2:]
    return out


def raw(port, data, timeout=5, address="127.0.0.1"):
    """Sends bytes as they are and reads until the end. An answer of status 0: the line was cut without a word."""
    got = b""
    with socket.create_connection((address, port), timeout) as s:
        try:
            s.sendall(data)
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                got += piece
        except (ConnectionError, socket.timeout) as e:
            if isinstance(e, socket.timeout):
                got = got or b"HTTP/1.1 0 timeout"
    return Answer(got)


def request(port, method, path, headers=None, body=None, timeout=5):
    all_headers = {"Host": "127.0.0.1:%d" % port, "Connection": "close", **(headers or {})}
    if body is not None:
        all_headers.setdefault("Content-Length", str(len(body)))
    head = "%s %s HTTP/1.1\r\n" % (method, path)
    head += "".join("%s: %s\r\n" % (k, v) for k, v in all_headers.items() if v is not None)
    return raw(port, head.encode("latin-1") + b"\r\n" + (body or b""), timeout)
