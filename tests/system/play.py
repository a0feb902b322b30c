#!/usr/bin/env python3
"""play.py RAW - plays raw s16le mono 48 kHz into the virtual microphone in 10 ms pieces, each written when it is due, and listens to
the microphone itself beside it. Prints two moments in UTC seconds since 1970: when the first loud sample was written, and when
this second listener had it. The sound went through the microphone between the two."""
import array, subprocess, sys, threading, time

PIECE, LOUD = 480, 600  # 10 ms; -35 dBFS
FORMAT = ["--raw", "--format=s16le", "--rate=48000", "--channels=1", "--latency-msec=10"]
x = array.array("h")
x.frombytes(open(sys.argv[1], "rb").read())
loud = next(i for i, v in enumerate(x) if abs(v) > LOUD)
lead = 100  # 1 s of silence first, until the pipe runs evenly
x = array.array("h", bytes(2 * PIECE * lead)) + x + array.array("h", bytes(2 * (-len(x) % PIECE)))

heard = []
listener = subprocess.Popen(["pacat", "--record", "--device=vmic.monitor"] + FORMAT, stdout=subprocess.PIPE)


def listen():
    while not heard:
        b = listener.stdout.read(2 * PIECE)
        if len(b) < 2 * PIECE:
            return
        if max(map(abs, array.array("h", b))) > LOUD:
            heard.append(time.time())


threading.Thread(target=listen, daemon=True).start()
player = subprocess.Popen(["pacat", "--playback", "--device=vmic"] + FORMAT, stdin=subprocess.PIPE)
t0, written = time.monotonic(), 0.0
for k in range(len(x) // PIECE):
    wait = t0 + k * PIECE / 48000 - time.monotonic()
    if wait > 0:
        time.sleep(wait)
    if k == (lead * PIECE + loud) // PIECE:
        written = time.time()
    player.stdin.write(x[k * PIECE:(k + 1) * PIECE].tobytes())
    player.stdin.flush()
player.stdin.close()
player.wait()
for _ in range(100):
    if heard:
        break
    time.sleep(0.02)
listener.terminate()
print("%.4f %.4f" % (written, heard[0] if heard else 0))
