#!/usr/bin/python3
"""Trains earshot-s: a small log-mel CNN for one-second windows.

  train_earshot_s.py features MANIFEST.csv OUT.npz [--earshot build/earshot]
  train_earshot_s.py train NET.pt DATA.npz SYNTH.npz [--steps 12000]     goes on where NET.pt stands
  train_earshot_s.py export NET.pt earshot-s.onnx DATA.npz SYNTH.npz      thresholds, figures, metadata

MANIFEST.csv has the columns path (relative to it), dataset, label and, for real data, fold. Needs Debian's
python3-torch, python3-onnx, libopenblas0-pthread, and the built program for the features.
"""
import argparse, collections, csv, json, math, os, pathlib, time
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from recipe import LOGMEL, SHARED_NAMES, add_metadata, extract, freesound_ids

FRAMES, BANDS, HOP = 96, 64, 50
OFFSET = 1e-3                                     # of the logarithm: magnitude = exp(logmel) - OFFSET
HELD = {"esc50": "4", "us8k": "2", "smoke_alarm": "245"}  # folds that this model never sees; fold 5 of all others
WORDS = {"speech", "music", "smoke_alarm", "snoring", "background"}
MUSIC = {"instruments", "sms_tools"}

# Sounds that are nested or often heard together: a clip of one says nothing about the other.
ALIKE = {"street_music": {"music", "speech"}, "music": {"street_music"}, "children_playing": {"speech", "laughing"},
         "speech": {"children_playing", "laughing", "breathing"}, "laughing": {"speech", "children_playing"},
         "thunderstorm": {"rain", "wind"}, "rain": {"thunderstorm", "water_drops"}, "snoring": {"breathing"},
         "breathing": {"snoring"}, "church_bells": {"music"}, "fireworks": {"gun_shot"}, "sea_waves": {"wind"}}
STREET = {"speech", "music", "wind", "footsteps", "chirping_birds"}  # what lies behind many UrbanSound8K clips
# Steady noises: below QUIET (mean magnitude, about -50 dBFS) they are what every quiet room sounds like.
STEADY = {"air_conditioner", "airplane", "engine_idling", "helicopter", "rain", "sea_waves", "train", "vacuum_cleaner",
          "washing_machine", "wind"}
QUIET = 0.1
# What a clip without a fitting label (a blender, a door chime) surely is not.
ALARMS = {"smoke_alarm", "glass_breaking", "gun_shot", "crying_baby", "dog_bark", "snoring", "chainsaw", "helicopter"}


def slug(row):
    """Label of the vocabulary, or None where a clip has none that fits."""
    ds, label = row["dataset"], SHARED_NAMES.get(row["label"], row["label"])
    if ds == "kitchen20" or (ds in ("glass", "snoring") and label == "background") or label == "water-flowing":
        return None
    return "music" if ds in MUSIC and label not in ("speech", "rain", "sea_waves", "wind") else label or None


def target(row, vocab):
    """(wanted scores, which of them count)"""
    y, known, label = np.zeros(len(vocab), np.float32), np.zeros(len(vocab), np.float32), slug(row)
    if label is None:
        sure = ALARMS | ({"siren", "door_wood_knock"} if row.get("kind") == "low_battery" else set())
        if row["dataset"] in ("glass", "snoring"):    # backgrounds that hold many a sound, but not this one
            sure = {"glass_breaking" if row["dataset"] == "glass" else "snoring"}
        known[[vocab.index(s) for s in sure]] = 1
        return y, known
    known[:] = 1
    unsure = ALIKE.get(label, set()) | (STREET - {label} if row["dataset"] == "us8k" else set())
    known[[vocab.index(s) for s in unsure]] = 0
    y[vocab.index(label)] = known[vocab.index(label)] = 1
    return y, known


# --- network -------------------------------------------------------------------------------------------------------
def conv(i, o, k=3, s=1, pad=1, act=True):
    return nn.Sequential(nn.Conv2d(i, o, k, s, pad, bias=False), nn.BatchNorm2d(o), *([nn.ReLU(True)] if act else []))


class Residual(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.m = nn.Sequential(conv(c, c), conv(c, c, act=False))

    def forward(self, x): return F.relu(x + self.m(x))


class Net(nn.Module):
    """Dense 3x3 convolutions: training is ten times faster than with depthwise ones. The last one spans all bands."""
    def __init__(self, classes, embedding=256):
        super().__init__()
        self.body = nn.Sequential(
            conv(1, 16, s=2), conv(16, 32, s=2), conv(32, 56, s=2), Residual(56), conv(56, 64, s=2), Residual(64),
            Residual(64), conv(64, embedding, (1, 4), pad=0), nn.AdaptiveAvgPool2d(1))
        self.head = nn.Linear(embedding, classes)

    def embed(self, x): return self.body(x).flatten(1)

    def forward(self, x):
        e = self.embed(x)
        return self.head(e), e


# --- data ----------------------------------------------------------------------------------------------------------
class Data:
    def __init__(self, paths):
        self.rows, mels = [], []
        for path in paths:
            z = np.load(path)
            self.rows += json.loads(str(z["rows"]))
            mel, ptr = z["mel"], z["ptr"]
            mels += [mel[a:b] for a, b in zip(ptr, ptr[1:])]
        floor = np.float16(math.log(OFFSET))
        mels = [np.concatenate([m, np.full((max(0, FRAMES - len(m)), BANDS), floor)]) for m in mels]
        self.start = np.cumsum([0] + [len(m) for m in mels])
        self.live = [self.live_windows(m) for m in mels]
        self.mel = np.concatenate(mels)
        self.vocab = sorted({slug(r) for r in self.rows} - {None} | WORDS)
        pairs = [target(r, self.vocab) for r in self.rows]
        self.steady = torch.tensor([slug(r) in STEADY for r in self.rows])
        self.y, self.known = (torch.from_numpy(np.array(p)) for p in zip(*pairs))
        self.split()

    @staticmethod
    def live_windows(mel):
        """Starts of the windows that hold sound: no more than 15 dB below the clip's loudest window."""
        frame = np.exp(mel.astype(np.float32)).mean(1)
        window = np.convolve(frame, np.ones(FRAMES), "valid")
        return np.flatnonzero(window >= window.max() * 10 ** (-15 / 20)).astype(np.int32)

    def split(self):
        """held: never trained on, with all that shares a Freesound id with it left out; check: for thresholds."""
        held = np.array([r.get("fold", "") != "" and r["fold"] in HELD.get(r["dataset"], "5") for r in self.rows])
        ids = [freesound_ids(r) for r in self.rows]
        family = set().union(*[i for i, h in zip(ids, held) if h])
        leak = np.array([bool(i & family) for i in ids])
        group = [sum(map(ord, min(i, default=r["path"]))) for i, r in zip(ids, self.rows)]
        check = np.array([g % 12 == 0 for g in group])
        self.held = np.flatnonzero(held)
        self.check = np.flatnonzero(~held & ~leak & check)
        self.train = np.flatnonzero(~held & ~leak & ~check)

    def crop(self, idx, k, rng):
        """Magnitudes [len(idx) * k, FRAMES, BANDS]: k windows of each clip; tempo, pitch, gain, filter vary by clip."""
        i = np.repeat(idx, k)
        first = self.start[i] + np.array([self.live[c][int(rng.random() * len(self.live[c]))] for c in i])
        tempo = np.repeat(rng.uniform(0.87, 1.15, len(idx)), k)[:, None]
        frame = np.minimum(first[:, None] + (np.arange(FRAMES) * tempo).astype(int), self.start[i + 1][:, None] - 1)
        band = np.clip(np.arange(BANDS) + np.repeat(rng.integers(-2, 3, len(idx)), k)[:, None], 0, BANDS - 1)
        x = torch.from_numpy(self.mel[frame[:, :, None], band[:, None, :]].astype(np.float32))
        e = (x.exp() - OFFSET).clamp_min(0)
        level = e.view(len(idx), -1).mean(1)[:, None, None] + 1e-6
        gain = 10 ** ((torch.rand(len(idx), 1, 1) * 26 - 20) / 20)
        gain = torch.where(self.steady[idx][:, None, None], gain.maximum(QUIET / level), gain)
        return e * (gain * curve(len(idx), 6, 0.45)).repeat_interleave(k, 0)

    def bag(self, idx, k, rng):
        """(input, wanted, counting) for k windows of each clip, some with a second sound mixed in"""
        e, y, known = self.crop(idx, k, rng), self.y[idx].clone(), self.known[idx].clone()
        n = int(0.35 * len(idx))                       # the first n get a second sound, at 0 to 20 dB below
        other = rng.choice(self.train, n)
        f, below = self.crop(other, k, rng), torch.rand(n, 1) * 20
        level = lambda t: t.view(n, -1).mean(1, keepdim=True) + 1e-6
        scale = level(e[:n * k]) / level(f) * 10 ** (-below / 20)
        e[:n * k] += f * scale.repeat_interleave(k, 0)[..., None]
        yo, heard = self.y[other], (below < 8).float()
        background = self.vocab.index("background")
        was_background = y[:n, background] * yo[:, background]
        known[:n] = torch.maximum(y[:n], known[:n] * self.known[other] * (1 - yo * (1 - heard)))
        y[:n] = torch.maximum(y[:n], yo * heard)
        known[:n] = torch.maximum(known[:n], y[:n])
        y[:n, background] = was_background
        known[:n, background] = torch.maximum(known[:n, background], 1 - was_background)
        return self.spoil(e, len(idx), k), y, known

    @staticmethod
    def spoil(e, n, k):
        """Sounds that start or stop in the window, room noise, padding; then the logarithm, masked bands and frames."""
        t = torch.arange(FRAMES)[None, :, None]

        def some(share, low, high, other):
            chosen = torch.rand(n * k, 1, 1) < share
            return torch.where(chosen, torch.randint(low, high, (n * k, 1, 1)), torch.tensor(other))

        e = e * (t >= some(0.15, 0, 60, 0)) * (t < some(0.1, 30, FRAMES, FRAMES))
        level = torch.exp(torch.rand(n, 1, 1) * 4 - 6.5).minimum(e.view(n, -1).mean(1)[:, None, None] * 0.7)
        noise = level * curve(n, 4, 0.7) * (torch.rand(n, 1, 1) < 0.6)
        e = e + noise.repeat_interleave(k, 0) * (1 + 0.3 * torch.randn(n * k, FRAMES, BANDS)).clamp_min(0.05)
        x = normal((e * (t < some(0.15, 20, FRAMES, FRAMES)) + OFFSET).log())
        for size, widest, dim in ((FRAMES, 12, 1), (BANDS, 8, 2)):
            at, width = torch.randint(0, size, (n * k, 1)), torch.randint(0, widest, (n * k, 1))
            axis = torch.arange(size)[None]
            x = x.masked_fill(((axis >= at) & (axis < at + width)).unsqueeze(3 - dim), -0.5)
        return x[:, None]

    def windows(self, clips):
        """(input, clip of each): every half second as `classify` cuts, near-silent ones left out unless all are"""
        xs, owner = [], []
        for c in clips:
            m = torch.from_numpy(self.mel[self.start[c]:self.start[c + 1]].astype(np.float32))
            m = F.pad(m, (0, 0, 0, -(len(m) - FRAMES) % HOP), value=math.log(OFFSET))
            m = m.unfold(0, FRAMES, HOP).transpose(1, 2)
            level = m.exp().mean((1, 2)) - OFFSET
            m = m[level >= min(0.003, float(level.max()))]
            xs.append(m)
            owner += [c] * len(m)
        return normal(torch.cat(xs))[:, None], np.array(owner)


def curve(n, points, spread):
    """[n, 1, BANDS]: a smooth random response of the microphone or spectrum of the noise, as a factor"""
    return F.interpolate(torch.randn(n, 1, points) * spread, size=BANDS, mode="linear", align_corners=True).exp()


def normal(x):
    """The affine map after the logarithm, as in the model's metadata."""
    return x * LOGMEL["scale"] + LOGMEL["shift"]


# --- figures -------------------------------------------------------------------------------------------------------
def score(net, d, clips):
    """(scores of all windows, their clip)"""
    x, owner = d.windows(clips)
    net.eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        s = torch.cat([net(b.contiguous(memory_format=torch.channels_last))[0].float() for b in x.split(512)])
    return s.sigmoid().numpy(), owner


def figures(d, scores, owner):
    """{data set: (clips, share right among all labels, among the set's own labels)}, scores averaged over a clip"""
    out = {}
    for ds in sorted({d.rows[c]["dataset"] for c in owner}):
        clips = [c for c in np.unique(owner) if d.rows[c]["dataset"] == ds and slug(d.rows[c])]
        own = sorted({d.vocab.index(slug(d.rows[c])) for c in clips})
        mean = np.array([scores[owner == c].mean(0) for c in clips])
        right = np.array([d.vocab.index(slug(d.rows[c])) for c in clips])
        if clips:
            out[ds] = (len(clips), round(float((mean.argmax(1) == right).mean()), 3),
                       round(float((np.array(own)[mean[:, own].argmax(1)] == right).mean()), 3))
    return out


def thresholds(d, scores, owner):
    """For each class the lowest score that at most one in 1,000 of the windows of other sounds passes, 0.5 to 0.8."""
    y, known = d.y[owner].numpy(), d.known[owner].numpy()
    out = []
    for c in range(len(d.vocab)):
        others = np.sort(scores[(y[:, c] == 0) & (known[:, c] == 1), c])
        out.append(float(np.clip(others[-1 - len(others) // 1000], 0.5, 0.8)))
    return out


# --- commands ------------------------------------------------------------------------------------------------------
def features(a):
    rows = list(csv.DictReader(open(a.manifest)))
    whole = LOGMEL | {"frames": 0, "scale": 1, "shift": 0}
    paths = [a.manifest.parent / r["path"] for r in rows]
    mels = [m.astype(np.float16) for m in extract(a.earshot, "logmel", whole, paths)]
    np.savez(a.out, mel=np.concatenate(mels), ptr=np.cumsum([0] + [len(m) for m in mels]), rows=json.dumps(rows))


def sampler(d, rng):
    """Clips in random order for ever: those of small classes and quiet rooms more often, synthesised sounds less."""
    names = [(d.rows[i]["dataset"], slug(d.rows[i])) for i in d.train]
    count = collections.Counter(names)
    weight = {("synth", "background"): 8}
    p = np.array([count[s] ** -0.6 * weight.get(s, 0.5 if s[0] == "synth" else 1) for s in names])
    while True:
        yield from rng.choice(d.train, 4096, p=p / p.sum())


def masked_bce(z, y, known):
    return (F.binary_cross_entropy_with_logits(z, y, reduction="none") * known).sum(1).mean()


def train(a):
    torch.set_num_threads(a.threads)
    d = Data(a.data)
    net, mean = (Net(len(d.vocab)).to(memory_format=torch.channels_last) for _ in range(2))
    opt, step = torch.optim.AdamW(net.parameters(), lr=a.lr, weight_decay=2e-2), 0
    mean.load_state_dict(net.state_dict())
    if a.net.exists():
        state = torch.load(a.net)
        net.load_state_dict(state["net"]), mean.load_state_dict(state["mean"]), opt.load_state_dict(state["opt"])
        step = state["step"]
    rng = np.random.default_rng([a.seed, step])
    torch.manual_seed(a.seed + step)
    clips, t0, total = sampler(d, rng), time.time(), 0.0
    print(f"{len(d.train)} to train, {len(d.check)} for thresholds, {len(d.held)} held; from step {step}", flush=True)
    while step < a.steps:
        net.train()
        for g in opt.param_groups:
            g["lr"] = a.lr * min(1, (step + 1) / 300) * 0.5 * (1 + math.cos(math.pi * step / a.steps)) + 1e-6
        x, y, known = d.bag(np.array([next(clips) for _ in range(a.clips)]), a.windows, rng)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            h = net.embed(x.contiguous(memory_format=torch.channels_last))
        z = net.head(F.dropout(h.float(), 0.2))
        bag = z.view(a.clips, a.windows, -1).mean(1)
        each = lambda t: t.repeat_interleave(a.windows, 0)
        loss = masked_bce(bag, y, known) + 0.5 * masked_bce(z, each(y), each(known))
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5)
        opt.step()
        step, total = step + 1, total + loss.item()
        keep = min(0.998, (1 + step) / (10 + step))
        with torch.no_grad():
            for p, q in zip(mean.state_dict().values(), net.state_dict().values()):
                p.copy_(p * keep + q * (1 - keep) if p.dtype.is_floating_point else q)
        if step % 250 == 0 or step == a.steps:
            shown = figures(d, *score(mean, d, d.check)) if step % 1000 == 0 or step == a.steps else ""
            print(f"step {step} loss {total / 250:.3f} {time.time() - t0:.0f} s {shown}", flush=True)
            total, part = 0.0, a.net.with_suffix(".part")
            states = {"net": net.state_dict(), "mean": mean.state_dict(), "opt": opt.state_dict()}
            torch.save(states | {"step": step}, part)
            os.replace(part, a.net)


def export(a):
    torch.set_num_threads(a.threads)
    d = Data(a.data)
    net = Net(len(d.vocab))
    state = torch.load(a.net)
    net.load_state_dict(state["mean"])
    found, cut = figures(d, *score(net, d, d.held)), thresholds(d, *score(net, d, d.check))
    net.eval()
    torch.onnx.export(net, torch.zeros(1, 1, FRAMES, BANDS), str(a.onnx), opset_version=13, input_names=["logmel"],
                      output_names=["scores", "embedding"])
    accuracy = "; ".join(f"{ds} {right:.1%} of {n} clips (among its own labels {own:.1%})"
                         for ds, (n, right, own) in found.items())
    add_metadata(a.onnx, "logmel", LOGMEL, {
        "window_s": "1.0", "labels": "\n".join(d.vocab), "activation": "sigmoid",
        "thresholds": "\n".join(f"{t:.2f}" for t in cut), "accuracy": "held out: " + accuracy,
        "data": "ESC-50 (folds 1-3), UrbanSound8K (folds 1, 3-8 in part), Kitchen20, Donate-a-cry, glass, gunshot and "
                "snoring collections, Barista, Speech Commands, instrument sounds, synthesised by models/synth.py",
        "licence": "weights: CC BY-NC 4.0, trained in part on CC BY-NC 3.0 audio (ESC-50, UrbanSound8K): not for "
                   "commercial use",
        "date": time.strftime("%Y-%m-%d"), "description": "Compact log-mel CNN for 1 s windows, earshot's default; "
                f"{state['step']} steps of models/train_earshot_s.py"})
    print(json.dumps({"held": found, "thresholds": dict(zip(d.vocab, np.round(cut, 2).tolist()))}, indent=1))


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    q = p.add_subparsers(dest="do", required=True)
    f = q.add_parser("features")
    f.add_argument("manifest", type=pathlib.Path)
    f.add_argument("out", type=pathlib.Path)
    f.add_argument("--earshot", default="build/earshot")
    t, e = q.add_parser("train"), q.add_parser("export")
    for s in (t, e):
        s.add_argument("net", type=pathlib.Path)
        s.add_argument("--threads", type=int, default=1)
    e.add_argument("onnx", type=pathlib.Path)
    for s in (t, e):
        s.add_argument("data", nargs="+")
    t.add_argument("--steps", type=int, default=12000)
    t.add_argument("--clips", type=int, default=48, help="clips of a step")
    t.add_argument("--windows", type=int, default=3, help="windows of a clip")
    t.add_argument("--lr", type=float, default=2e-3)
    t.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    {"features": features, "train": train, "export": export}[a.do](a)
