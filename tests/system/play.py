#!/usr/bin/env python3
"""play.py RAW - plays raw s16le mono 48 kHz into the virtual microphone in 10 ms pieces, each written when it is due, so that the
moment of its first loud sample is known. Prints that moment: UTC seconds since 1970."""
import array, subprocess, sys, time

PIECE = 480
x = array.array("h")
x.frombytes(open(sys.argv[1], "rb").read())
loud = next(i for i, v in enumerate(x) if abs(v) > 600)  # -35 dBFS
lead = 100                                               # 1 s of silence first, until the pipe runs evenly
x = array.array("h", bytes(2 * PIECE * lead)) + x + array.array("h", bytes(2 * (-len(x) % PIECE)))
p = subprocess.Popen(["pacat", "--playback", "--raw", "--format=s16le", "--rate=48000", "--channels=1", "--latency-msec=10",
                      "--device=vmic"], stdin=subprocess.PIPE)
t0, at = time.monotonic(), 0.0
for k in range(len(x) // PIECE):
    wait = t0 + k * PIECE / 48000 - time.monotonic()
    if wait > 0:
        time.sleep(wait)
    p.stdin.write(x[k * PIECE:(k + 1) * PIECE].tobytes())
    p.stdin.flush()
    if k == (lead * PIECE + loud) // PIECE:
        at = time.time() + (loud % PIECE) / 48000
p.stdin.close()
p.wait()
print("%.4f" % at)
