#!/usr/bin/python3
"""What a box learns from a few examples: sounds that a model was never trained on are taught to it, and listened for on streams.

  teach_experiment.py streams WORK --manifest DATA/manifest.csv --labels LEFTOUT.txt --folds esc50:4,us8k:2,*:5
  teach_experiment.py run WORK --model LEFTOUT.onnx [--name NAME] [--examples 1,3,5,10,20] [--repeats 20] [--method head]
  teach_experiment.py table WORK

LEFTOUT.txt names the sounds, a label a line; none of their clips may have been trained on. `streams` parts their clips by recording:
20 and more of each to take examples from, the rest to be heard in streams (soundscape.py: rooms, microphones, beds), at
--snr and over beds of which, as of all other sounds in them, only clips of --folds are used: those that the model never heard either.
It writes further streams of the other sounds, and of beds alone.

`run` draws examples, teaches each sound to an `earshot` of its own state directory, and has `earshot evaluate --streams` say what is heard:
recall of each sound, and false alarms over all streams, with the threshold that `earshot teach` chose, and with the lowest one at which there is at
most one false alarm an hour of each sound (chosen on these streams: what the scores could do). WORK/NAME.csv has a line for each draw; `table`
prints what the page quotes. What was done before is not done again.
"""
import argparse, collections, csv, functools, hashlib, json, os, pathlib, shutil, subprocess, sys, tempfile
import numpy as np
import soundscape
from sounds.stream import Spec
from sounds.clips import load_clips, parse_folds, read_vocabulary

HERE = pathlib.Path(__file__).resolve().parent
POOL = 20        # clips of each sound that examples are drawn from, at least
HEARD = 40       # ... and that streams are made of, at most
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


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    q = p.add_subparsers(dest="do", required=True)
    s = q.add_parser("streams")
    s.add_argument("work", type=pathlib.Path)
    s.add_argument("--manifest", type=pathlib.Path, required=True)
    s.add_argument("--labels", type=pathlib.Path, required=True)
    s.add_argument("--folds", default="esc50:4,us8k:2,*:5")
    s.add_argument("--snr", default="20,10,0")
    s.add_argument("--minutes", type=float, default=50, help="of each kind of stream (%(default)s)")
    s.add_argument("--seed", type=int, default=1)
    return p.parse_args()


if __name__ == "__main__":
    a = arguments()
    {"streams": make_streams}[a.do](a)
