#!/usr/bin/python3
"""Sounds for earshot-s that the teacher hears just as the net will: 3 s of one clip, or of two at once, at other speeds, in rooms, through
filters. What the teacher says of a clip is not quite true of it once it is changed; here nothing is changed after the teacher has spoken
("consistent teaching": Beyer et al., Knowledge distillation: A good teacher is patient and consistent, 2022).

  mixtures.py OUT MANIFEST.csv... --teacher MN04.onnx [--number 60000] [--parts 1/1] [--seed 7]

MANIFEST.csv: path,dataset,label,fold, as scenes.py and more_audio.py have them. OUT is a folder: N.npz holds which clips were taken, and the
teacher's scores and embedding; N.mel.npy their log-mel, [mixtures, 300, 64], to be read piece by piece. What is there is not made
again; the same arguments give the same mixtures. Both clips of one are from the same split's held folds, or from none, as in
scenes.py. The log-mel is computed here, many at a time, and first compared with what the program computes.
"""
import argparse, csv, json, math, pathlib, sys, tempfile
import numpy as np, torch
from scipy.signal import resample_poly
from earshot_s_data import LEFT_OUT, MORE, OFFSET, SHARE, Vocabulary
from recipe import LOGMEL, extract, read_audio, write_audio
from scenes import block
from sounds import rooms
from sounds.clips import read_at
from teacher import OPERATORS, RATE, Teacher

FS, FRAMES, BANDS, CHUNK, BATCH = 16000, 300, 64, 4000, 32
LENGTH = (FRAMES - 1) * LOGMEL["hop"] + LOGMEL["window"]
UNNAMED_SHARE = 0.35                              # of the clips drawn: those without labels


def logmel(x, bank=[]):
    """[n, frames, BANDS] of samples [n, length]: what the program computes with recipe.LOGMEL, before scale and shift"""
    if not bank:
        edges = np.linspace(*(1127 * np.log1p(LOGMEL[f] / 700) for f in ("fmin", "fmax")), BANDS + 2)[:, None]
        at = 1127 * np.log1p(np.arange(LOGMEL["fft_size"] // 2 + 1) * FS / LOGMEL["fft_size"] / 700)[None]
        b = np.maximum(0, np.minimum(at - edges[:-2], edges[2:] - at) / (edges[1] - edges[0]))
        b[:, 0] = 0
        bank.append(torch.from_numpy(b.T.astype(np.float32)))
    frames = torch.from_numpy(np.asarray(x, np.float32)).unfold(1, LOGMEL["window"], LOGMEL["hop"])
    spectrum = torch.fft.rfft(frames * torch.hann_window(LOGMEL["window"], periodic=True), LOGMEL["fft_size"]).abs()
    return (spectrum @ bank[0] + OFFSET).log().numpy()


class Listener(Teacher):
    """The teacher, for many excerpts of one length at a time"""
    def __call__(self, x, rate=FS):
        y = torch.from_numpy(resample_poly(x, RATE // rate, 1, axis=1).astype(np.float32))
        y = y[:, 1:] - 0.97 * y[:, :-1]
        window = torch.hann_window(800, periodic=False)
        power = torch.stft(y, 1024, 320, 800, window, return_complex=True, pad_mode="reflect").abs() ** 2
        mel = ((self.bank @ power + 1e-5).log() + 4.5)[:, None] / 5
        v = dict(self.weights, **{self.graph.input[0].name: mel.contiguous(memory_format=torch.channels_last)})
        for node, at in zip(self.graph.node, self.attributes):
            v[node.output[0]] = OPERATORS[node.op_type](at, *[v[i] for i in node.input])
        return (v["scores"].sigmoid() if self.logits else v["scores"]).numpy(), v["embedding"].numpy()


def speed(x, factor):
    return np.interp(np.arange(int(len(x) / factor)) * factor, np.arange(len(x)), x)


def equalise(rng, x):
    """A smooth random response: a few dB up or down by the octave"""
    hz, points = np.fft.rfftfreq(len(x), 1 / FS), np.log([50, 150, 400, 1000, 2200, 4000, 6000, 8000])
    db = np.interp(np.log(hz + 1), points, rng.normal(0, 4.5, len(points)))
    return np.fft.irfft(np.fft.rfft(x) * 10 ** (db / 20), len(x))


def rms(x): return math.sqrt(float((x ** 2).mean())) + 1e-6


class Maker:
    def __init__(self, a):
        words = Vocabulary()
        self.a, self.rows = a, [(m.parent, r) for m in a.manifest for r in csv.DictReader(open(m))]
        slug = [words.slug(r) for _, r in self.rows]
        unnamed = np.array([r["dataset"] == "more" for _, r in self.rows])
        self.block = np.where(unnamed, 0, [block(r) for _, r in self.rows])
        never = np.array([r["dataset"] == "smoke_alarm" or (r["dataset"] == "kitchen20" and r["label"] in LEFT_OUT)
                          or r.get("kind") == "silence" for _, r in self.rows])
        self.able = np.flatnonzero(~never)
        kinds = [(self.rows[i][1]["dataset"], slug[i]) for i in self.able]
        count = {k: kinds.count(k) for k in set(kinds)}
        w = np.array([count[k] ** -0.5 * SHARE.get(k[0], 1) * MORE.get(k[1], 1) for k in kinds])
        u = unnamed[self.able]
        if u.any():
            w[u] = UNNAMED_SHARE / (1 - UNNAMED_SHARE) * w[~u].sum() / u.sum()
        self.weight, self.teacher, self.kept = w / w.sum(), Listener(a.teacher), {}

    def sound(self, rng, i):
        """The louder of two stretches of a clip, often slower or faster, now and then in a room; as long as a mixture"""
        if i not in self.kept:
            base, r = self.rows[i]
            self.kept[i] = (np.clip(read_at(base / r["path"], FS), -1, 1) * 32767).astype(np.int16)
        x = self.kept[i] / 32767.0
        if rng.random() < 0.6:
            x = speed(x, math.exp(rng.uniform(-0.3, 0.3)))
        if len(x) > LENGTH:
            x = max((x[s:s + LENGTH] for s in rng.integers(0, len(x) - LENGTH + 1, 2)), key=rms)
        if rng.random() < 0.2:
            x = rooms.through_room(rng, FS, x, 0.3, 4.0)[:len(x)]
        return np.roll(np.pad(x, (0, LENGTH - len(x))), int(rng.integers(0, LENGTH - len(x) + 1)))

    def mixture(self, n):
        """(clip, second clip or -1, how far below in dB), samples"""
        rng = np.random.default_rng([self.a.seed, n])
        i, j, below = int(rng.choice(self.able, p=self.weight)), -1, 0.0
        x = self.sound(rng, i)
        if rng.random() < 0.7:
            free = (k for k in rng.choice(self.able, 20, p=self.weight) if self.block[k] in (self.block[i], 0) or self.block[i] == 0)
            j = int(next(free, -1))
        if j >= 0:
            y, below = self.sound(rng, j), float(rng.uniform(0, 18))
            x = x / rms(x) + y / rms(y) * 10 ** (-below / 20)
        if rng.random() < 0.5:
            x = equalise(rng, x)
        return (i, j, round(below, 2)), np.clip(x * 10 ** (rng.uniform(-28, -14) / 20) / rms(x), -1, 1)

    def check(self):
        """The features that are computed here are the program's."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.wav"
            write_audio(path, self.mixture(0)[1], FS)
            x = read_audio(path)[0]
            theirs = extract(self.a.earshot, "logmel", LOGMEL | {"frames": 0, "scale": 1, "shift": 0}, [path])[0]
        if np.abs(theirs[:FRAMES] - logmel(x[None])[0][:len(theirs)]).max() > 1e-3:
            raise SystemExit(f"{self.a.earshot}: other features than those of mixtures.py")

    def write(self, first, last):
        path = self.a.out / f"{first:06d}"
        mel, drawn, said = np.empty((last - first, FRAMES, BANDS), np.float16), [], []
        for at in range(first, last, BATCH):
            which, x = zip(*[self.mixture(n) for n in range(at, min(at + BATCH, last))])
            with torch.no_grad():
                said.append(self.teacher(np.array(x)))
            mel[len(drawn):len(drawn) + len(x)] = logmel(np.array(x))
            drawn += which
            if sys.stderr.isatty():
                print(f"\r{len(drawn)} of {first} to {last}", end="", file=sys.stderr)
        score, emb = (np.concatenate(q).astype(np.float16) for q in zip(*said))
        np.save(path.with_suffix(".mel.npy"), mel)
        part = path.with_suffix(".tmp.npz")
        np.savez(part, score=score, emb=emb, drawn=np.array(drawn, np.float64), paths=json.dumps([r["path"] for _, r in self.rows]))
        part.replace(path.with_suffix(".npz"))


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("manifest", type=pathlib.Path, nargs="+")
    p.add_argument("--teacher", type=pathlib.Path, required=True)
    p.add_argument("--number", type=int, default=60000)
    p.add_argument("--parts", default="1/1", help="i/n: the i-th of n processes that share the work")
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--earshot", default="build/earshot")
    a = p.parse_args()
    torch.set_num_threads(1)
    a.out.mkdir(parents=True, exist_ok=True)
    mine, of = map(int, a.parts.split("/"))
    maker = Maker(a)
    maker.check()
    for k, first in enumerate(range(0, a.number, CHUNK)):
        if k % of == mine - 1 and not (a.out / f"{first:06d}.npz").exists():
            maker.write(first, min(first + CHUNK, a.number))
