#!/usr/bin/env python3
"""hang_thread.py PID THREAD SECONDS: stops one thread of a process, by name, as a hang would, and leaves the others running.

Ends when the process does (exit 0), or lets go after that many seconds (exit 1).
"""
import ctypes
import os
import sys
import time

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207


def main():
    pid, name, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    tasks = f"/proc/{pid}/task"
    tid = next((int(t) for t in os.listdir(tasks) if open(f"{tasks}/{t}/comm").read().strip() == name), None)
    if tid is None:
        sys.exit(f"process {pid} has no thread {name}")
    libc = ctypes.CDLL(None, use_errno=True)
    for request in PTRACE_SEIZE, PTRACE_INTERRUPT:
        if libc.ptrace(request, tid, None, None) != 0:
            sys.exit(f"ptrace: {os.strerror(ctypes.get_errno())}")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        # __WALL, since a thread is no child; WNOHANG
        if os.waitpid(tid, 0x40000000 | os.WNOHANG)[0] == tid and not os.path.exists(f"/proc/{tid}/comm"):
            sys.exit(0)
        if not os.path.exists(f"/proc/{pid}/exe"):
            sys.exit(0)
        time.sleep(0.02)
    sys.exit(1)


if __name__ == "__main__":
    main()
