"""Training of the small networks that are there for comparison: one data set, one official fold held, seeded, resumable."""
import csv, math, os, re, time, zlib
import numpy as np, torch, torch.nn as nn
from torch.nn.functional import one_hot
from recipe import SHARED_NAMES, extract, freesound_ids


SOUNDS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".caf", ".au")


def folder_rows(folder, groups=None):
    """A folder of one's own, with a folder for each label, as a manifest would have it: five folds by recording. A recording is what
    `groups`, a pattern, finds in the path (its first parenthesis, or all), else Freesound's number in a name as ESC-50 and UrbanSound8K
    have it, else the file."""
    rows = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SOUNDS and p.is_file()):
        inside = path.relative_to(folder)
        if len(inside.parts) < 2 or any(p.startswith(".") for p in inside.parts) or "\n" in str(path):
            print(f"{str(path)!r}: in no label's folder, hidden, or a name of two lines: left out")
            continue
        label = re.sub("[^a-z0-9]+", "_", inside.parts[0].lower()).strip("_")
        if not label:
            raise SystemExit(f"{inside.parts[0]!r}: a label has letters a to z or digits; rename the folder")
        found = re.search(groups, str(inside)) if groups else None
        name = re.fullmatch(r"(\d+)-(\d+)-(\d+|[A-Z])-\d+", path.stem)
        recording = (found.group(1 if found.re.groups else 0) if found else
                     name and name.group(2 if name.group(3).isalpha() else 1) or str(inside))
        rows.append({"path": str(inside), "dataset": "folder", "label": label, "recording": recording,
                     "fold": str(zlib.crc32(recording.encode("utf-8", "surrogateescape")) % 5 + 1)})
    return rows


class Clips:
    """Clips of data sets, and who may train on them: nobody who shares a Freesound recording with a fold that is held."""
    def __init__(self, manifest, held, groups=None):
        """manifest: CSV, or a folder (data set "folder"); held: the fold of each data set that is held, {set: fold}"""
        own = manifest.is_dir()
        self.rows = (folder_rows(manifest, groups) if own else
                     [r for r in csv.DictReader(open(manifest)) if r["dataset"] in held])
        self.base, self.held_folds, self.strict = manifest if own else manifest.parent, held, not own
        self.look()

    def look(self):
        """What follows from the rows."""
        manifest, held = self.base, self.held_folds
        for pair in held.items() - {(r["dataset"], r["fold"]) for r in self.rows}:
            raise SystemExit(f"{manifest}: no clip of data set {pair[0]}, fold {pair[1]}")
        self.paths = [self.base / r["path"] for r in self.rows]
        name = [SHARED_NAMES.get(r["label"], r["label"]) for r in self.rows]
        self.labels = sorted(set(name))
        self.y = torch.tensor([self.labels.index(n) for n in name])
        self.held = np.array([r["fold"] == held[r["dataset"]] for r in self.rows])
        family = set().union(*[freesound_ids(r) for r, h in zip(self.rows, self.held) if h])
        self.train = np.array([not freesound_ids(r) & family for r in self.rows]) & ~self.held

    def features(self, earshot, feature, params, window_s, cache):
        """A clip's windows, [windows, rows, columns], for each; kept in the file `cache`, which is read where it is there."""
        if not self.strict:                                     # what cannot be read is out, and the cache is another's tomorrow
            x = extract(earshot, feature, params, self.paths, window_s, strict=False)
            self.rows = [r for r, w in zip(self.rows, x) if w is not None]
            self.look()
            return [w for w in x if w is not None]
        if not cache.exists():
            x = extract(earshot, feature, params, self.paths, window_s)
            cache.parent.mkdir(parents=True, exist_ok=True)
            np.savez(cache.with_suffix(".part.npz"), x=np.concatenate(x), n=[len(w) for w in x])
            os.replace(cache.with_suffix(".part.npz"), cache)
        z = np.load(cache)
        if len(z["n"]) != len(self.rows):
            raise SystemExit(f"{cache}: {len(z['n'])} clips, the manifest has {len(self.rows)}: remove it")
        return np.split(z["x"], np.cumsum(z["n"])[:-1])


def smooth(n, points, spread, size):
    """[n, size]: e^curve, a random curve through a few points"""
    return nn.functional.interpolate(torch.randn(n, 1, points) * spread, size=size, mode="linear", align_corners=True)[:, 0].exp()


def mask(x, dim, widest):
    """Blanks a stretch of random place and width along the dimension, its own in each item."""
    size = x.shape[dim]
    start, width = torch.randint(0, size, (len(x), 1)), torch.randint(0, widest + 1, (len(x), 1))
    t = torch.arange(size)[None]
    hit = (t >= start) & (t < start + width)
    return x.masked_fill(hit.unsqueeze(3 - dim), 0.0)


def fit(net, draw, clips, a, state_path, show):
    """Trains `net` on clips.train for a.epochs; it ends with the running mean of its weights, ready to be used. draw(indices)
    gives a batch of inputs and what each of them is mixed with: (x, other, share of the first). The state is saved after every
    epoch; a run that was ended goes on from there and ends with the same weights, for an epoch's random numbers come from the
    seed and its number."""
    mean = {k: v.clone() for k, v in net.state_dict().items()}
    opt = torch.optim.AdamW(net.parameters(), lr=a.lr, weight_decay=a.decay)
    classes, begin, pool = len(clips.labels), 0, np.flatnonzero(clips.train)
    if state_path.exists():
        state = torch.load(state_path)
        net.load_state_dict(state["net"]), opt.load_state_dict(state["opt"])
        mean, begin = state["mean"], state["epoch"]
        print(f"going on after epoch {begin}", flush=True)
    batches, t0 = math.ceil(len(pool) / a.batch), time.time()
    for epoch in range(begin, a.epochs):
        torch.manual_seed(a.seed * 100003 + epoch)
        net.train()
        total = 0.0
        for k, b in enumerate(torch.randperm(len(pool)).split(a.batch)):
            done = (epoch + k / batches) / a.epochs
            for g in opt.param_groups:
                g["lr"] = a.lr * min(1, 20 * done + 0.02) * 0.5 * (1 + math.cos(math.pi * done)) + 1e-6
            i = pool[b.numpy()]
            x, other, share = draw(i)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                z = net(x.contiguous(memory_format=torch.channels_last))
            logs = nn.functional.log_softmax(z.float(), 1)
            target = one_hot(clips.y[i], classes) * share + one_hot(clips.y[other], classes) * (1 - share)
            loss = -((0.95 * target + 0.05 / classes) * logs).sum(1).mean()
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 2)
            opt.step()
            total += loss.item()
            keep = min(0.995, (1 + epoch * batches + k) / (10 + epoch * batches + k))
            for m, p in zip(mean.values(), net.state_dict().values()):
                m.copy_(m * keep + p * (1 - keep) if m.dtype.is_floating_point else p)
        torch.save({"net": net.state_dict(), "opt": opt.state_dict(), "mean": mean, "epoch": epoch + 1},
                   state_path.with_suffix(".part"))
        os.replace(state_path.with_suffix(".part"), state_path)
        if (epoch + 1) % 10 == 0 or epoch + 1 == a.epochs:
            print(f"epoch {epoch + 1} loss {total / batches:.3f} {time.time() - t0:.0f} s {show(mean)}", flush=True)
    net.load_state_dict(mean)
    return net.eval()
