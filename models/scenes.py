#!/usr/bin/python3
"""Training scenes for earshot-s: clips through drawn rooms and microphones, and mixtures of two clips that the teacher hears itself.

  scenes.py MANIFEST.csv OUT.npz --teacher MN04.onnx [--synth SYNTH/manifest.csv] [--mixtures 20000] [--copies 1] [--parts 1/1]

MANIFEST.csv: path,dataset,label,fold. A mixture is 3 s of a clip and, in most, a second one 0 to 20 dB below. The teacher hears it
dry; the net shall say the same of it dry and of the wet take: each clip in a room of its own, both by one microphone. A copy is
one clip, wet; there the teacher heard the clip itself. Both clips of a mixture are from the same split's held folds, or from
none, so that leaving a split out leaves as few mixtures out as can be. Features are the program's own. What was made is kept in OUT.parts
as it goes; the same arguments give the same scenes.
"""
import argparse, csv, json, pathlib, sys, tempfile
import numpy as np, torch
from earshot_s_data import BEDS, LEFT_OUT, MORE, SHARE, SPLITS, Vocabulary
from recipe import LOGMEL, extract, write_audio
from sounds import rooms
from sounds.clips import read_at
from teacher import Teacher

FS, SECONDS, CHUNK = 16000, 3.0, 250


def block(row):
    """The split that holds a clip out; 0: none does, 5: all do."""
    own = [k for k in range(1, 5) if row["dataset"] in SPLITS[k] and row.get("fold") in SPLITS[k][row["dataset"]]]
    if row["dataset"] in ("esc50", "us8k"):
        return own[0] if own else 0
    return 5 if row.get("fold") == SPLITS[1]["*"] else 0


def excerpt(rng, x, seconds):
    """The loudest of three stretches that are drawn from a longer clip."""
    n = int(seconds * FS)
    if len(x) <= n:
        return x
    starts = rng.integers(0, len(x) - n + 1, 3)
    return max((x[a:a + n] for a in starts), key=lambda s: float(np.sum(s ** 2)))


def wet(rng, sources):
    """[(samples, level relative to the first in dB)] in one recording: each in its own room, by one microphone. The first is
    as long as the result."""
    n, out = len(sources[0][0]), 0
    for x, below in sources:
        y = rooms.through_room(rng, FS, x, 0.3, 5.0)[:n] if rng.random() < 0.85 else x[:n]
        if rng.random() < 0.07:
            y = rooms.door(rng, FS, y)
        out = out + np.pad(y, (0, n - len(y))) * 10 ** (-below / 20) / (rooms.active_rms(y, FS) + 1e-6)
    out *= 10 ** (rng.uniform(-36, -16) / 20) / (rooms.active_rms(out, FS) + 1e-9)
    return rooms.microphone(rng, FS, out)[0] if rng.random() < 0.85 else out


class Maker:
    def __init__(self, a):
        self.a, words = a, Vocabulary()
        self.rows = [(a.manifest.parent, r) for r in csv.DictReader(open(a.manifest))]
        if a.synth:
            self.rows += [(a.synth.parent, r) for r in csv.DictReader(open(a.synth))]
        self.slug = [words.slug(r) for _, r in self.rows]
        self.block = np.array([block(r) for _, r in self.rows])
        never = np.array([r["dataset"] == "smoke_alarm" or (r["dataset"] == "kitchen20" and r["label"] in LEFT_OUT)
                          or r.get("kind") == "silence" for _, r in self.rows])
        self.able = np.flatnonzero(~never & (self.block < 5))
        count = {}
        for i in self.able:
            key = (self.rows[i][1]["dataset"], self.slug[i])
            count[key] = count.get(key, 0) + 1
        weight = np.array([count[k] ** -0.6 * SHARE.get(k[0], 1) * MORE.get(k[1], 1) for k in
                           ((self.rows[i][1]["dataset"], self.slug[i]) for i in self.able)])
        self.weight = weight / weight.sum()
        self.beds = np.array([i for i in self.able if self.slug[i] in BEDS or self.rows[i][1]["dataset"] == "kitchen20"])
        self.teacher = Teacher(a.teacher)

    def sound(self, i):
        return read_at(self.rows[i][0] / self.rows[i][1]["path"], FS)

    def mixture(self, n):
        """(row, samples dry, samples wet, what the teacher said)"""
        rng = np.random.default_rng([self.a.seed, 1, n])
        i = int(rng.choice(self.able, p=self.weight))
        x = excerpt(rng, self.sound(i), SECONDS)
        x = np.pad(x, (0, max(0, FS - len(x)))).astype(np.float64)
        sources, row = [(x, 0.0)], {"a": i, "b": -1, "below": 0.0}
        if rng.random() < 0.75:
            pool = self.beds if rng.random() < 0.4 else self.able
            pool = pool[(self.block[pool] == self.block[i]) | (self.block[pool] == 0) | (self.block[i] == 0)]
            j = int(rng.choice(pool))
            below = float(rng.uniform(0, 20))
            y = excerpt(rng, self.sound(j), len(x) / FS)
            y = np.roll(np.pad(y, (0, max(0, len(x) - len(y)))), int(rng.integers(0, max(1, len(x) - len(y) + 1))))
            sources.append((y, below))
            row |= {"b": j, "below": round(below, 2)}
        level = rooms.active_rms(x, FS) + 1e-6
        dry = sum(s * level * 10 ** (-b / 20) / (rooms.active_rms(s, FS) + 1e-6) for s, b in sources)
        dry *= min(1, 0.99 / (np.abs(dry).max() + 1e-9))
        with torch.no_grad():
            said = self.teacher(dry, FS)
        return row, dry, wet(rng, sources), said

    def copy(self, n):
        rng = np.random.default_rng([self.a.seed, 2, n])
        i = int(self.able[n % len(self.able)])
        x = excerpt(rng, self.sound(i), SECONDS + 2)
        return {"a": i, "b": -1, "below": 0.0}, wet(rng, [(np.pad(x, (0, max(0, FS - len(x)))).astype(np.float64), 0.0)])

    def write(self, folder, first, last, mixtures, path):
        rows, files, score, emb = [], [], [], []

        def take(row, x, kind):
            files.append(folder / f"{len(files)}.wav")
            write_audio(files[-1], x, FS)
            a, b = self.rows[row["a"]][1], self.rows[row["b"]][1] if row["b"] >= 0 else None
            rows.append(a | {"scene": kind, "b": b, "below": row["below"], "said": len(score) - 1 if kind != "copy" else -1})

        for n in range(first, last):
            if mixtures:
                row, dry, takes, said = self.mixture(n)
                score.append(said[0].astype(np.float16)), emb.append(said[1].astype(np.float16))
                take(row, dry, "dry"), take(row, takes, "wet")
            else:
                take(*self.copy(n), "copy")
            if sys.stderr.isatty():
                print(f"\r{path.name}: {n}", end="", file=sys.stderr)
        mels = [m.astype(np.float16) for m in extract(self.a.earshot, "logmel", LOGMEL | {"frames": 0, "scale": 1, "shift": 0}, files)]
        part = path.with_suffix(".tmp.npz")
        np.savez(part, mel=np.concatenate(mels), ptr=np.cumsum([0] + [len(m) for m in mels]), rows=json.dumps(rows),
                 score=np.array(score, np.float16).reshape(-1, 527), emb=np.array(emb, np.float16).reshape(-1, 384))
        part.replace(path)

    def make(self):
        folder = self.a.out.with_suffix(".parts")
        folder.mkdir(parents=True, exist_ok=True)
        mine, of = map(int, self.a.parts.split("/"))
        jobs = [(False, n) for n in range(0, self.a.copies * len(self.able), CHUNK)] + \
            [(True, n) for n in range(0, self.a.mixtures, CHUNK)]
        jobs = sorted(jobs, key=lambda j: (j[1] // CHUNK, j[0]))
        paths = []
        for number, (mixtures, n) in enumerate(jobs):
            path = folder / f"{'mixture' if mixtures else 'copy'}-{n:06d}.npz"
            paths.append(path)
            if number % of == mine - 1 and not path.exists():
                end = min(n + CHUNK, self.a.mixtures if mixtures else self.a.copies * len(self.able))
                with tempfile.TemporaryDirectory() as wavs:
                    self.write(pathlib.Path(wavs), n, end, mixtures, path)
        if all(p.exists() for p in paths):
            join(paths, self.a.out)


def join(paths, out):
    mel, length, rows, score, emb = [], [], [], [], []
    for path in paths:
        z = np.load(path)
        said = sum(len(s) for s in score)
        rows += [r | {"said": r["said"] + said if r["said"] >= 0 else -1} for r in json.loads(str(z["rows"]))]
        mel.append(z["mel"]), length.append(np.diff(z["ptr"])), score.append(z["score"]), emb.append(z["emb"])
    np.savez(out, mel=np.concatenate(mel), ptr=np.concatenate([[0], np.cumsum(np.concatenate(length))]),
             rows=json.dumps(rows), score=np.concatenate(score), emb=np.concatenate(emb))


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("manifest", type=pathlib.Path)
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("--teacher", type=pathlib.Path, required=True)
    p.add_argument("--synth", type=pathlib.Path)
    p.add_argument("--mixtures", type=int, default=20000)
    p.add_argument("--copies", type=int, default=1, help="wet copies of each clip")
    p.add_argument("--parts", default="1/1", help="i/n: the i-th of n processes that share the work")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--earshot", default="build/earshot")
    torch.set_num_threads(1)
    Maker(p.parse_args()).make()
