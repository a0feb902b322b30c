#!/usr/bin/python3
"""store_kill.py DRIVER BROKER DIR KILLS COUNT PORT [SEED]: kills the driver KILLS times by SIGKILL while COUNT messages pass a broker that goes
down and up, and then looks at what a subscriber got: every number from 1 to COUNT, first arrivals in order, one id for each number.

The driver goes on behind the last number that the history holds. So a number that was published before it was stored would come
twice, with two ids, and one that was stored and lost would be missing."""
import json
import os
import random
import subprocess
import sys
import threading
import time

driver, broker, folder, kills, count, port = sys.argv[1:4] + [int(a) for a in sys.argv[4:7]]
seed = int(sys.argv[7]) if len(sys.argv) > 7 else int.from_bytes(os.urandom(4), "big")
print(f"seed {seed}", flush=True)
rnd = random.Random(seed)
options = ["mqtt.host=127.0.0.1", f"mqtt.port={port}", "mqtt.username=ear", f"mqtt.password_file={folder}/pw", "mqtt.base=ear",
           "mqtt.node=kill"]
open(folder + "/pw", "w").write("ear-secret\n")
state = folder + "/state"
os.makedirs(state, exist_ok=True)
quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
over = threading.Event()


def toggle():
    chance, downs = random.Random(seed + 1), 0
    while not over.wait(chance.uniform(0.2, 1.5)):
        subprocess.run([broker, chance.choice(["stop", "stop", "freeze"])], **quiet)
        over.wait(chance.uniform(0.05, 1.5))
        subprocess.run([broker, "thaw"], **quiet)
        subprocess.run([broker, "start"], **quiet)
        downs += 1
    print(f"the broker went down {downs} times", flush=True)


def subscribe(path):
    with open(path, "wb") as out:
        while not done.is_set():
            p = subprocess.Popen([broker, "sub", "ear/kill/event", "-q", "1", "-c", "-i", "kill-watch"], stdout=out,
                                 stderr=subprocess.DEVNULL, preexec_fn=os.setsid)
            while p.poll() is None and not done.is_set():
                time.sleep(0.05)
            if p.poll() is None:
                os.killpg(p.pid, 15)
            p.wait()
            time.sleep(0.1)


def events(path):
    return [json.loads(line.split(b"\t")[3]) for line in open(path, "rb") if line.count(b"\t") == 3 and line.endswith(b"\n")]


done = threading.Event()
got = folder + "/got"
watch = threading.Thread(target=subscribe, args=(got,))
watch.start()
time.sleep(1)
toggler = threading.Thread(target=toggle)
toggler.start()
began, log, killed = time.time(), open(folder + "/driver.log", "wb"), 0
froms = []
while killed < kills:
    share = count * (killed + 1) // kills + 20  # some are left for the last kill
    p = subprocess.Popen([driver, "stay", state, str(min(count, share))] + options, stdout=subprocess.PIPE, stderr=log)
    froms.append(int(p.stdout.readline().split()[1]))
    time.sleep(rnd.uniform(0, 0.35))
    p.kill()
    p.wait()
    p.stdout.close()
    killed += 1
print(f"{killed} kills in {time.time() - began:.0f} s; the lives began at {froms[:3]} ... {froms[-3:]}", flush=True)
over.set()
toggler.join()
p = subprocess.Popen([driver, "feed", state, str(count)] + options, stdout=subprocess.PIPE, stderr=log)
try:
    finished = b"delivered" in p.communicate(timeout=60 + count / 20)[0]
except subprocess.TimeoutExpired:
    finished = False
    p.kill()
for _ in range(100):
    if len({e["segments"] for e in events(got)}) >= count:
        break
    time.sleep(0.1)
done.set()
watch.join()
all_events = events(got)
first, ids = [], {}
for e in all_events:
    if e["segments"] not in ids:
        first.append(e["segments"])
    ids.setdefault(e["segments"], set()).add(e["id"])
missing = [n for n in range(1, count + 1) if n not in ids]
twice = [n for n, s in ids.items() if len(s) > 1]
disorder = sum(1 for a, b in zip(first, first[1:]) if b < a)
print(f"{len(all_events)} messages came, {len(ids)} of {count} different, {len(all_events) - len(ids)} repeats; missing {len(missing)} "
      f"{missing[:10]}, with two ids {len(twice)} {twice[:10]}, out of order {disorder}; {sum(e['late'] for e in all_events)} late", flush=True)
sys.exit(0 if finished and killed == kills and not missing and not twice and not disorder and len(ids) == count else 1)
