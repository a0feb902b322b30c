#!/usr/bin/env python3
"""fake_broker.py MODE PORT [HOST] - brokers that a real one cannot be made to be. Prints "LEVEL topic payload" of each PUBLISH.
  reject84   speaks 3.1.1 only, refuses MQTT 5 with its CONNACK 0x84
  reject01   speaks 3.1.1 only, refuses MQTT 5 with a 3.1.1 CONNACK 0x01
  hangup     speaks 3.1.1 only, hangs up on MQTT 5
  silent     accepts and never answers a byte
  quota      speaks MQTT 5; refuses the first three events with PUBACK 0x97 (quota exceeded)
  denied     speaks MQTT 5; refuses every event with PUBACK 0x87 (not authorized)"""
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


refusals = {"quota": [0x97] * 3, "denied": [0x87] * 1000000 if mode == "denied" else []}.get(mode, [])


def serve(c):
    five = b""  # the byte that MQTT 5 has more: no properties
    while True:
        head, body = packet(c)
        kind = head >> 4
        if kind == 1:
            level = body[6]
            print("connect", level, flush=True)
            if level == 5 and mode == "hangup":
                return
            if level == 5 and mode in ("quota", "denied"):
                five = b"\x00"
                c.sendall(b"\x20\x03\x00\x00\x00")
                continue
            if level == 5:
                c.sendall(b"\x20\x03\x00\x84\x00" if mode == "reject84" else b"\x20\x02\x00\x01")
                return
            c.sendall(b"\x20\x02\x00\x00")
        elif kind == 3:
            qos, n = head >> 1 & 3, struct.unpack("!H", body[:2])[0]
            at = 2 + n
            if qos:
                event = body[2:2 + n].endswith(b"/event")
                reason = refusals.pop() if refusals and event else 0
                if reason:
                    c.sendall(b"\x40\x04" + body[at:at + 2] + bytes([reason, 0]))
                else:
                    c.sendall(b"\x40\x02" + body[at:at + 2])
                at += 2
                if reason:
                    print("refused", flush=True)
                    continue
            at += len(five)
            print(level, body[2:2 + n].decode(), body[at:].decode(), flush=True)
        elif kind == 8:
            c.sendall(bytes([0x90, 3 + len(five)]) + body[:2] + five + b"\x01")
        elif kind == 10:
            c.sendall(bytes([0xb0, 2 + 2 * len(five)]) + body[:2] + 2 * five)
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
