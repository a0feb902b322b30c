#!/usr/bin/python3
"""What a box learns from a few examples: sounds that a model was never trained on are taught to it, and listened for on streams.

  teach_experiment.py streams WORK --manifest DATA/manifest.csv --labels LEFTOUT.txt --folds esc50:4,us8k:2,*:5
  teach_experiment.py house WORK --manifest ... --labels ... --folds ...
  teach_experiment.py box WORK --manifest ... --labels ... --folds ...
  teach_experiment.py run WORK --model LEFTOUT.onnx [--examples 5] [--repeats 20]
  teach_experiment.py table WORK --model LEFTOUT.onnx

LEFTOUT.txt names the sounds, a label a line; none of their clips may have been trained on. `streams` parts their clips by recording:
20 and more of each to take examples from, the rest to be heard in streams (soundscape.py: rooms, microphones, beds; and, as what a box
is taught often is, close by, by a good microphone) of which all else is of --folds: clips that the model never heard either. It
writes further streams of the other sounds, and of beds alone.

`house` does the same with one clip of each sound: the very thing that hangs at one's own door, in other rooms and by other microphones
than the recordings that it is taught from. Its WORK may borrow others/ and beds/ from `streams`, for false alarms.

`box` is `house` as `earshot teach NAME --record` has it: the box that listens has recorded the examples too, with its one microphone, from where
it stands; each thing stays where it is.

`run` needs LEFTOUT.background (teach_background.py --leave-out LEFTOUT.txt). It has `earshot teach` cut and embed all clips to teach from,
draws examples, learns all sounds from them as `earshot teach` does (teach_learn.py), and listens for them in all streams: windows every
0.5 s, decided as common/model/decision.h does. Any model with an embedding will do, an imported one too. Recall, and false alarms an hour
over all streams, stand in WORK/MODEL.results.csv: at the threshold that `earshot teach` chooses ("own"), at the lowest one with at most
one false alarm an hour of that sound ("best": what the scores could do, chosen on these very streams), and the same for the nearest
example's cosine ("nearest"). What was done before is not done again. `table` prints means and their deviation from draw to draw.
"""
import argparse, collections, csv, functools, hashlib, json, pathlib, subprocess
import numpy as np
import soundscape
from scipy.signal import fftconvolve
from sounds.stream import Spec, microphone_kind
from audiofile import write_audio
from sounds import rooms
from teach_learn import OTHERS_WINDOWS, background, learn, windows_of
from sounds.clips import cut_out, load_clips, parse_folds, read_at, read_vocabulary

HERE = pathlib.Path(__file__).resolve().parent
POOL = 20        # clips of each sound that examples are drawn from, at least
TAKES = 20       # recordings of one clip to draw examples from
HEARD = 40       # ... and that streams are made of, at most
HOP = 0.5
BEDS = "speech,music,kitchen,traffic,quiet"


def part(clips, labels):
    """({label: clips to teach from}, [clips for streams]): what was cut from one recording is on one side."""
    pool, rest = {}, []
    for label in labels:
        families = collections.defaultdict(list)
        for c in clips:
            if c.label == label:
                families[c.family].append(c)
        taken = []
        for f in sorted(families, key=lambda f: hashlib.md5(f.encode()).hexdigest()):
            (taken if len(taken) < POOL else rest).extend(families[f])
        pool[label] = taken[:2 * POOL]
        heard = [c for c in rest if c.label == label]
        if len(heard) < 4:
            raise SystemExit(f"{label}: {len(taken) + len(heard)} clips, too few to teach from and to listen for")
        rest = [c for c in rest if c.label != label] + heard[:HEARD]
    return pool, rest


def make_streams(a):
    vocabulary = read_vocabulary(HERE / "labels.csv")
    labels = a.labels.read_text().split()
    clips = load_clips(a.manifest, {"*": ["*"]}, vocabulary)
    pool, heard = part(clips, labels)
    held = [c for c in load_clips(a.manifest, parse_folds(a.folds), vocabulary) if c.label not in labels]
    others = sorted({c.label for c in held if c.label and c.label != "background"} - set(labels))
    (a.work / "streams").mkdir(parents=True, exist_ok=True)
    (a.work / "pool.json").write_text(json.dumps({k: [str(c.path) for c in v] for k, v in pool.items()}, indent=1))
    places = {}
    for snr in a.snr.split(","):
        soundscape.make(a.work / f"streams/sounds-{int(snr):02d}db", heard + held, vocabulary, "test", ",".join(labels), snr,
                        BEDS, a.minutes, 0.0, [a.seed, 101], resume=True, places=places)
        print(f"sounds at {snr} dB", flush=True)
    # by a good microphone close by, as what a box is taught often is
    soundscape.Spec = functools.partial(Spec, distance=(0.3, 1.0), microphone="good")
    soundscape.make(a.work / "streams/near-20db", heard + held, vocabulary, "test", ",".join(labels), "20", "quiet,speech",
                    a.minutes / 2, 0.0, [a.seed, 104], resume=True)
    soundscape.Spec = Spec
    soundscape.make(a.work / "streams/others", held, vocabulary, "test", ",".join(others), "0,5,10,15,20", BEDS, a.minutes, 0.1,
                    [a.seed, 102], resume=True)
    soundscape.make(a.work / "streams/beds", held, vocabulary, "test", "none", "0", BEDS, a.minutes, 0.0, [a.seed, 103],
                    resume=True)


# --- listening ---------------------------------------------------------------------------------------------------------------
def load_streams(a):
    """[(kind, embeddings every 0.5 s, annotations)]"""
    folder = a.work / "streams"
    out, index, listed = a.work / f"{a.model.stem}.npy", a.work / f"{a.model.stem}.csv", a.work / "streams.txt"
    files = sorted(p for p in folder.glob("*/*.flac"))
    if not out.exists():
        listed.write_text("\n".join(map(str, files)) + "\n")
        subprocess.run([a.earshot, "features", "--model", a.model, "--hop", str(HOP), "--list", listed, "--index", index, "-o", out],
                       check=True)
    x, streams = np.load(out), []
    for r in csv.DictReader(open(index)):
        first, n, path = int(r["first"]), int(r["count"]), pathlib.Path(r["file"])
        events = [(float(e["onset"]), float(e["offset"]), e["label"]) for e in csv.DictReader(open(path.with_suffix(".csv")))]
        streams.append((path.parent.name, x[first:first + n], events))
    return streams


def starts(z, threshold, closing):
    """Seconds at which events start: two windows that vote, or three together (common/model/decision.h); over after 3 s below."""
    mean = np.convolve(z, np.ones(3) / 3)[:len(z)]
    votes = (z >= threshold) | ((mean >= threshold) & (z >= closing))
    found, run, last, before = [], 0, None, -2
    for i in np.flatnonzero(votes | (z >= closing)):
        if last is not None and (i - last) * HOP < 3.0:
            last = i if z[i] >= closing else last
            continue
        last = None
        run = run + 1 if votes[i] and (run == 0 or i == before + 1) else int(votes[i])
        before = i
        if run >= 2:
            found.append((i - 1) * HOP)
            last, run = i, 0
    return found


def count(streams, values, label, threshold, closing):
    """{kind: (heard, there are)}, false alarms an hour over all"""
    heard, alarms, seconds = collections.defaultdict(lambda: [0, 0]), 0, 0.0
    for (kind, x, events), z in zip(streams, values):
        told = [(s - 0.5, s + 2.0) for s in starts(z, threshold, closing)]
        own = [(a, b) for a, b, name in events if name == label]
        for a, b in own:
            heard[kind][0] += any(s < b and e > a for s, e in told)
            heard[kind][1] += 1
        alarms += sum(not any(s < b and e > a for a, b in own) for s, e in told)
        seconds += len(z) * HOP
    return heard, 3600 * alarms / seconds


def best_of(streams, values, label, depth):
    """At the lowest threshold with at most one false alarm an hour; closing is `depth` below it."""
    low, high = (float(np.quantile(np.concatenate(values), q)) for q in (0.9, 1.0))
    found = ({k: (0, 0) for k in ()}, 0.0)
    for _ in range(11):
        middle = (low + high) / 2
        now = count(streams, values, label, middle, middle - depth)
        if now[1] <= 1:
            found, high = now, middle
        else:
            low = middle
    return found if found[0] else count(streams, values, label, high + 1e9, high + 1e9)


def nearest(streams, examples, mean, deviation):
    unit = lambda x: (lambda z: z / (np.linalg.norm(z, axis=1, keepdims=True) + 1e-9))((x - mean) / deviation)
    e = unit(np.concatenate(examples))
    return [(unit(x) @ e.T).max(axis=1) for _, x, _ in streams]


def draw(known, negatives, rng, n):
    """[(label, w, bias, windows of the examples)]: every sound learned from n examples, one after the other."""
    taught, others = [], []
    for label, clips in known.items():
        examples = [clips[i] for i in rng.permutation(len(clips))[:n] if clips[i] is not None]
        taught.append((label, *learn(negatives, others, examples), examples))
        others += [e[:OTHERS_WINDOWS] for e in examples]
    return taught


def results(a):
    return a.work / f"{a.model.stem}.results.csv"


def run(a):
    pool, streams = json.loads((a.work / "pool.json").read_text()), load_streams(a)
    negatives = background(a.model.with_suffix(".background"))
    known = {label: windows_of(a.earshot, a.model, paths) for label, paths in pool.items()}
    every = np.concatenate([x for _, x, _ in streams])
    mean, deviation = every.mean(0), every.std(0) + 1e-3
    path = results(a)
    done = {(r["examples"], r["repeat"]) for r in csv.DictReader(open(path))} if path.exists() else set()
    if not path.exists():
        path.write_text("examples,repeat,label,method,kind,heard,sounds,false_alarms_h\n")
    for repeat in range(a.repeats):
        for n in map(int, a.examples.split(",")):
            if (str(n), str(repeat)) in done:
                continue
            lines = []
            for label, w, bias, examples in draw(known, negatives, np.random.default_rng([n, repeat]), n):
                z = [x @ w + bias for _, x, _ in streams]
                near = nearest(streams, examples, mean, deviation)
                sigmoid = [1 / (1 + np.exp(-np.clip(v, -500, 500))) for v in z]
                for method, (heard, alarms) in (("own", count(streams, sigmoid, label, 0.5, 0.3)),
                                                ("best", best_of(streams, z, label, 0.85)),
                                                ("nearest", best_of(streams, near, label, 0.05))):
                    lines += [f"{n},{repeat},{label},{method},{k},{h},{t},{alarms:.3f}\n" for k, (h, t) in heard.items() if t]
            with open(path, "a") as f:
                f.writelines(lines)
            print(f"{n} examples, repeat {repeat}", flush=True)


def table(a):
    rows = list(csv.DictReader(open(results(a))))
    kinds = sorted({r["kind"] for r in rows})
    print("| examples | repeats | scores | " + " | ".join(kinds) + " | false alarms an hour, mean and 90 % |")
    print("| --- " * (4 + len(kinds)) + "|")
    for n in sorted({int(r["examples"]) for r in rows}):
        for method in ("own", "best", "nearest"):
            those = [r for r in rows if int(r["examples"]) == n and r["method"] == method]
            recall = [[np.mean([int(r["heard"]) / int(r["sounds"]) for r in those if r["kind"] == k and r["repeat"] == d])
                       for d in sorted({r["repeat"] for r in those})] for k in kinds]
            alarms = [float(r["false_alarms_h"]) for r in those if r["kind"] == kinds[0]]
            shares = " | ".join(f"{100 * np.mean(v):.0f} ± {100 * np.std(v):.0f} %" for v in recall)
            print(f"| {n} | {len({r['repeat'] for r in those})} | {method} | {shares} |"
                  f" {np.mean(alarms):.2f}, {np.quantile(alarms, 0.9):.2f} |")


def make_house(a):
    """One clip of each sound, again and again: the streams of one house, and recordings of the same clips to teach, in other rooms or (`box`)
    by the same box from the same place."""
    vocabulary = read_vocabulary(HERE / "labels.csv")
    labels = a.labels.read_text().split()
    _, heard = part(load_clips(a.manifest, {"*": ["*"]}, vocabulary), labels)
    held = [c for c in load_clips(a.manifest, parse_folds(a.folds), vocabulary) if c.label not in labels]
    those = {label: [c for c in heard if c.label == label] for label in labels}
    one = {label: clips[min(int(a.source * len(clips)), len(clips) - 1)] for label, clips in those.items()}
    rng, pool, home = np.random.default_rng([a.seed, 105]), {}, None
    if a.do == "box":
        home = rooms.Microphone(rng, 16000, microphone_kind(rng)), {label: rooms.shoebox(rng, 16000, 0.6, 5.0)[0] for label in one}
        soundscape.Spec = functools.partial(Spec, home=home)
    (a.work / "takes").mkdir(parents=True, exist_ok=True)
    for label, c in one.items():
        x, pool[label] = cut_out(read_at(c.path, 16000), 16000, label, 5.0), []
        for k in range(TAKES):
            y = fftconvolve(x, home[1][label]) if home else rooms.through_room(rng, 16000, x, 0.3, 3.0)
            y = y * 10 ** (rng.uniform(-36, -18) / 20) / (rooms.active_rms(y, 16000) + 1e-9)
            path = a.work / f"takes/{label}-{k}.wav"
            write_audio(path, (home[0].record(rng, y) if home else rooms.microphone(rng, 16000, y)[0]).astype(np.float32), 16000)
            pool[label].append(str(path))
    (a.work / "pool.json").write_text(json.dumps(pool, indent=1))
    for snr in a.snr.split(","):
        soundscape.make(a.work / f"streams/house-{int(snr):02d}db", list(one.values()) + held, vocabulary, "test", ",".join(labels), snr,
                        "quiet,speech,kitchen", a.minutes, 0.0, [a.seed, 106], resume=True)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    q = p.add_subparsers(dest="do", required=True)
    for s in (q.add_parser("streams"), q.add_parser("house"), q.add_parser("box")):
        s.add_argument("work", type=pathlib.Path)
        s.add_argument("--manifest", type=pathlib.Path, required=True)
        s.add_argument("--labels", type=pathlib.Path, required=True)
        s.add_argument("--folds", default="esc50:4,us8k:2,*:5")
        s.add_argument("--snr", default="20,10")
        s.add_argument("--minutes", type=float, default=50, help="of each kind of stream (%(default)s)")
        s.add_argument("--seed", type=int, default=1)
        if not s.prog.endswith("streams"):
            s.add_argument("--source", type=float, default=0, help="which clip of each sound: 0 the first, 1 the last (%(default)s)")
    r, t = q.add_parser("run"), q.add_parser("table")
    for one in (r, t):
        one.add_argument("work", type=pathlib.Path)
        one.add_argument("--model", type=pathlib.Path, required=True)
    r.add_argument("--examples", default="5", help="numbers of them, commas between (%(default)s)")
    r.add_argument("--repeats", type=int, default=20)
    r.add_argument("--earshot", default=HERE.parent / "build/earshot")
    return p.parse_args()


if __name__ == "__main__":
    a = arguments()
    {"streams": make_streams, "house": make_house, "box": make_house, "run": run, "table": table}[a.do](a)
