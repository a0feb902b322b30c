#!/usr/bin/env python3
"""fake_broker.py MODE PORT [HOST] - brokers that a real one cannot be made to be. Prints "LEVEL topic payload" of each PUBLISH.
  reject84   speaks 3.1.1 only, refuses MQTT 5 with its CONNACK 0x84
  reject01   speaks 3.1.1 only, refuses MQTT 5 with a 3.1.1 CONNACK 0x01
  hangup     speaks 3.1.1 only, hangs up on MQTT 5
  silent     accepts and never answers a byte"""
import socket
import struct
import sys
import threading

mode, port = sys.argv[1], int(sys.argv[2])
host = sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1"


def exact(c, n):
    data = b""
    while len(data) < n:
        more = c.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def packet(c):
    head, length, shift = exact(c, 1)[0], 0, 0
    while True:
        b = exact(c, 1)[0]
        length |= (b & 127) << shift
        shift += 7
        if not b & 128:
            return head, exact(c, length)


def serve(c):
    while True:
        head, body = packet(c)
        kind = head >> 4
        if kind == 1:
            level = body[6]
            print("connect", level, flush=True)
            if level == 5 and mode == "hangup":
                return
            if level == 5:
                c.sendall(b"\x20\x03\x00\x84\x00" if mode == "reject84" else b"\x20\x02\x00\x01")
                return
            c.sendall(b"\x20\x02\x00\x00")
        elif kind == 3:
            qos, n = head >> 1 & 3, struct.unpack("!H", body[:2])[0]
            at = 2 + n
            if qos:
                c.sendall(b"\x40\x02" + body[at:at + 2])
                at += 2
            print(level, body[2:2 + n].decode(), body[at:].decode(), flush=True)
        elif kind == 8:
            c.sendall(b"\x90\x03" + body[:2] + b"\x01")
        elif kind == 10:
            c.sendall(b"\xb0\x02" + body[:2])
        elif kind == 12:
            c.sendall(b"\xd0\x00")
        elif kind == 14:
            return


def client(c):
    try:
        if mode == "silent":
            while True:
                threading.Event().wait()
        serve(c)
    except (EOFError, OSError):
        pass
    c.close()


listener = socket.create_server((host, port))
print("listening", flush=True)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=client, args=(connection,), daemon=True).start()
