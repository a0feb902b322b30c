"""Labelled clips: which of a manifest's lines a set may use, under which label, and where in a clip the sound is."""
import csv, functools, hashlib, pathlib
import numpy as np
from dataclasses import dataclass
from scipy.signal import resample_poly
from audiofile import read_audio
from .parts import edges

# Seconds of silence that belong to one sound: patterns of alarms, rings of telephones. 1 s for all others.
GAPS = {"smoke_alarm": 2.0, "co_alarm": 5.6, "clock_alarm": 1.6, "clock_tick": 1.6, "telephone": 2.2,
        "crying_baby": 1.5}


@dataclass(frozen=True)
class Clip:
    path: pathlib.Path
    dataset: str
    name: str        # what the data set calls it
    label: str       # of the vocabulary, "" where none fits
    family: str      # what was cut from one recording


def read_vocabulary(path):
    """({"dataset:name": slug}, {slug: line of labels.csv})"""
    lines = {r["slug"]: r for r in csv.DictReader(open(path))}
    return {name: slug for slug, r in lines.items() for name in r["datasets"].split(";") if name}, lines


def parse_folds(text):
    """esc50:4,us8k:2,*:5 - data sets and their folds, 4+5 for two of them, * for all folds or all other sets"""
    folds = {}
    for part in text.split(","):
        name, colon, which = part.partition(":")
        if not name or not colon or not which:
            raise SystemExit(f"--folds: '{part}' is not SET:FOLD, SET:FOLD+FOLD or SET:*")
        folds[name] = which.split("+")
    return folds


def family(row):
    stem = pathlib.Path(row["path"]).stem
    parts = stem.split("-")
    if row["dataset"] in ("esc50", "kitchen20", "us8k"):
        return "freesound " + parts[0 if row["dataset"] == "us8k" else 1]
    if row["dataset"] == "donateacry":
        return "-".join(parts[:5]) if len(parts[0]) == 8 else parts[0]
    return stem.split("_")[1] if row["dataset"] == "speech_commands" and "_" in stem else stem


def load_clips(manifest, folds, vocabulary, half=None):
    """The clips of the folds; of half 0 or 1, families never parted. A data set's own name for a sound, or a slug."""
    names, lines = vocabulary
    clips, table = [], csv.DictReader(open(manifest))
    lacking = [c for c in ("path", "dataset", "label") if c not in (table.fieldnames or ())]
    if lacking:
        raise SystemExit(f"{manifest}: no column {', '.join(lacking)}")
    for number, r in enumerate(table, 2):
        wanted = folds.get(r["dataset"], folds.get("*", []))
        if wanted != ["*"] and r.get("fold", "") not in wanted:
            continue
        path = manifest.parent / r["path"]
        if not path.exists():
            raise SystemExit(f"{manifest}:{number}: {path} is not there")
        label = names.get(f"{r['dataset']}:{r['label']}", r["label"] if r["label"] in lines else "")
        if label == "background" and r["dataset"] != "synth":   # of a data set: anything but what it collects
            label = ""
        clips.append(Clip(path, r["dataset"], r["label"], label, family(r)))
    if half is None:
        return clips
    side = halves(clips)
    return [c for c in clips if side[c.family] == half]


def halves(clips):
    """{family: 0 or 1}: of each label's families, in the order of their hashes, every other one, however few."""
    by_label, side = {}, {}
    for c in clips:
        by_label.setdefault((c.label or c.name, c.dataset), set()).add(c.family)
    for key in sorted(by_label):
        ordered = sorted(by_label[key], key=lambda f: hashlib.md5(f.encode()).hexdigest())
        for f in ordered:
            taken = [side[g] for g in ordered if g in side]
            if f not in side:
                side[f] = 0 if taken.count(0) <= taken.count(1) else 1
    return side


def frames_power(x, fs, size_s=0.01):
    size = int(size_s * fs)
    return np.mean(np.pad(x, (0, -len(x) % size)).reshape(-1, size) ** 2, axis=1), size


def active_span(x, fs, below_db=20.0):
    """First and last sample + 1 of the 10 ms frames that are at most below_db under the loudest."""
    power, size = frames_power(x, fs)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-below_db / 10))
    return int(loud[0]) * size, min(len(x), (int(loud[-1]) + 1) * size)


@functools.lru_cache(maxsize=1000)
def read_at(path, fs):
    """The file at that rate; not to be written to."""
    x, rate = read_audio(path)
    return x if rate == fs else resample_poly(x, fs, rate).astype(np.float32)


def cut_out(x, fs, label, longest=6.0, rng=None):
    """The clip's strongest stretch of sound, no silence within it longer than GAPS allows; of a long one a piece."""
    power, size = frames_power(x, fs)
    loud = np.flatnonzero(power >= max(power.max() * 10 ** (-20 / 10), 1e-12))
    if not len(loud):
        return None
    runs = np.split(loud, np.flatnonzero(np.diff(loud) * size > GAPS.get(label, 1.0) * fs) + 1)
    best = max(runs, key=lambda r: power[r].sum())
    first, last = max(0, best[0] * size - size), min(len(x), (best[-1] + 3) * size)
    if last - first > longest * fs:
        first += int(rng.integers(0, last - first - int(longest * fs))) if rng is not None else 0
        last = first + int(longest * fs)
        a, b = active_span(x[first:last], fs)
        first, last = first + a, first + b
    return edges(x[first:last].astype(float), fs, 0.005)
