#!/usr/bin/env python3
"""web_client.py - clients of the page's interface for the tests, with the standard library alone.

  sse URL OUT [LAST-ID]   watches a stream; OUT gets a JSON line for each message: {"at", "event", "id", "data"}, "at" seconds since
                          1970; a line {"open": true} first. Ends with the stream, or when it is killed.
  latency SSE MQTT        SSE as above, MQTT lines "SECONDS PAYLOAD": how long after MQTT's each event came by the stream
  pages URL               all pages of .../events, one event a line
  column SSE              levels: are the steps 100 ms, which band is the loudest of the loudest message
"""
import base64, http.client, json, sys, time, urllib.parse, urllib.request
from datetime import datetime


def sse(url, out, last=None):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request("GET", parts.path, headers={"Last-Event-ID": last} if last else {})
    answer = connection.getresponse()
    with open(out, "w") as f:
        print(json.dumps({"open": answer.status == 200}), file=f, flush=True)
        message = {}
        while line := answer.readline():
            now = time.time()
            line = line.decode().rstrip("\n")
            if line == "":
                if "data" in message:
                    print(json.dumps({"at": now, "event": message.get("event"), "id": message.get("id"),
                                      "data": json.loads(message["data"])}), file=f, flush=True)
                message = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(": ")
                message[name] = value


def read(path):
    return [m for m in map(json.loads, open(path)) if "event" in m]


def latency(sse_path, mqtt_path):
    told = {m["data"]["id"]: m["at"] for m in read(sse_path) if m["event"] == "event"}
    late = []
    for line in open(mqtt_path):
        at, _, payload = line.partition(" ")
        if payload.startswith("{") and (e := json.loads(payload))["id"] in told:
            late.append((told[e["id"]] - float(at)) * 1e3)
    late.sort()
    print(f"{len(late)} events: by the stream {late[0]:.1f} to {late[-1]:.1f} ms after MQTT's, median {late[len(late) // 2]:.1f} ms")
    return 0 if late and late[-1] < 2000 else 1


def pages(url):
    before = None
    while True:
        address = url + (("&" if "?" in url else "?") + "before=" + before if before else "")
        page = json.load(urllib.request.urlopen(address))
        for e in page["events"]:
            print(json.dumps(e, sort_keys=True))
        before = page["next"]
        if not before:
            return 0


def column(path):
    levels = [m["data"] for m in read(path)]
    times = [datetime.fromisoformat(l["time"].replace("Z", "+00:00")).timestamp() for l in levels]
    steps = [round(b - a, 3) for a, b in zip(times, times[1:])]
    bands = [base64.b64decode(l["spectrum"]) for l in levels]
    loudest = max(range(len(levels)), key=lambda i: levels[i]["rms_dbfs"])
    band = max(range(64), key=lambda b: bands[loudest][b])
    print(len(levels), set(map(len, bands)) == {64}, set(steps) <= {0.099, 0.1, 0.101}, band, levels[loudest]["rms_dbfs"],
          levels[loudest]["gate"])
    return 0


if __name__ == "__main__":
    sys.exit(globals()[sys.argv[1]](*sys.argv[2:]))
