"""microphone_compare.py FILE.json FILE.log MIC.json BEGAN LEAD [ANNOTATIONS.csv]: figures of microphone.sh. Exit code 1
where fewer than three in four of the file's events come from the microphone too.

JSON and log are those of `earshot run` with TZ=UTC, BEGAN holds the UTC second in which playing began, LEAD the seconds
before the sound sets in."""
import csv, datetime, json, statistics, sys

NEAR, OFTEN = 0.5, 0.75     # seconds between equal events, share that must be heard
QUIET = {"background", "unknown"}


def seconds(stamp):
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def starts(path):
    """[(second, label)] of all events, by time."""
    found = [json.loads(line) for line in open(path) if line.startswith("{")]
    return sorted((seconds(e["start"]), e["label"]) for e in found
                  if e["event_type"] == "start" and e["label"] not in QUIET)


def match(a, b, shift, near):
    """Pairs (i, j) of equal labels at most `near` seconds apart, each used once, the nearest first."""
    pairs = sorted((abs(t + shift - u), i, j) for i, (t, s) in enumerate(a) for j, (u, r) in enumerate(b)
                   if s == r and abs(t + shift - u) <= near)
    used_a, used_b, out = set(), set(), []
    for _, i, j in pairs:
        if i not in used_a and j not in used_b:
            used_a.add(i), used_b.add(j), out.append((i, j))
    return out


def aligned(a, b, about):
    """How much later b's clock says what a's says: the shift within 4 s of `about` that matches most events."""
    shifts = {round(u - t, 1) for t, s in a for u, r in b if s == r and -1 < u - t - about < 4}
    best = max(sorted(shifts), key=lambda s: len(match(a, b, s, 0.15)), default=about)
    pairs = match(a, b, best, NEAR)
    return best if not pairs else statistics.median(b[j][0] - a[i][0] for i, j in pairs)


def main(file_json, file_log, mic_json, began, lead, *annotations):
    from_file, from_mic = starts(file_json), starts(mic_json)
    t0, played = origin(file_log), float(open(began).read())
    if not from_file:
        print("the file gives no event")
        return 1
    shift = aligned(from_file, from_mic, played - t0)
    pairs = match(from_file, from_mic, shift, NEAR)
    off = sorted(abs(from_mic[j][0] - from_file[i][0] - shift) for i, j in pairs)
    share = len(pairs) / len(from_file)
    print(f"events: {len(from_file)} of the file, {len(from_mic)} by the microphone, "
          f"{len(pairs)} the same ({share:.1%})")
    if off:
        print(f"starts apart: {1000 * statistics.median(off):.0f} ms in the median, {1000 * off[-1]:.0f} ms at most")
    only_file = [e for k, e in enumerate(from_file) if k not in {i for i, _ in pairs}]
    only_mic = [e for k, e in enumerate(from_mic) if k not in {j for _, j in pairs}]
    for name, some, zero in (("file", only_file, t0), ("microphone", only_mic, t0 + shift)):
        if some:
            print(f"{name} alone: " + ", ".join(f"{label} at {t - zero - float(lead):.1f} s" for t, label in some[:40]))
    for path in annotations:
        there = sorted((float(r["onset"]), r["label"]) for r in csv.DictReader(open(path)) if r.get("source") != "bed")
        for name, some, zero in (("file", from_file, t0), ("microphone", from_mic, t0 + shift)):
            heard = match(there, [(t - zero - float(lead), label) for t, label in some], 0.0, 2.0)
            print(f"{name}: {len(heard)} of {len(there)} annotated sounds heard, within 2 s of their onset")
    return share < OFTEN


def origin(log):
    """UTC second of the file's first sample, which the line about the input in the log has."""
    stamp = next(line.split()[0] for line in open(log) if " input: " in line)
    now = datetime.datetime.now(datetime.timezone.utc)
    at = datetime.datetime.combine(now, datetime.time.fromisoformat(stamp), datetime.timezone.utc)
    return at.timestamp() - (86400 if at > now else 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
