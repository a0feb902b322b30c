#!/usr/bin/python3
"""Trains us8k-nrdt or esc50-nrdt: a SELU network over five seconds of NRDT, the mean second differences at eleven delays.

  train_nrdt.py us8k|esc50 MANIFEST.csv models/us8k-nrdt.onnx [--work build/nrdt]
  train_nrdt.py folder DIR mine.onnx [--groups '(.*)-[0-9]+']     recordings of your own, a folder for each label

The kind of system that github.com/Joal84/audio-class is, on official folds and with weights of its own. --work keeps the
features and, after every epoch, the state: a run that was ended goes on from there. Two minutes of a core.
Needs what train_earshot_s.py needs.
"""
import argparse, pathlib, time, zlib
import numpy as np, torch, torch.nn as nn
from recipe import DATA_SETS, LICENCE, NRDT, add_metadata, halve_weights
from smallnet import Clips, fit, mask, smooth

WINDOW_S, DELAYS, FRAMES = 5.0, 11, 220


class Compress(nn.Module):
    """x / (x + c) for four c from quiet to loud: what a logarithm does for others, in operators of every runtime."""
    def __init__(self, curves=4, low=3e-4, high=0.1):
        super().__init__()
        self.gain = nn.Parameter(-torch.linspace(np.log(low), np.log(high), curves))

    def forward(self, x):
        u = torch.relu(nn.functional.conv2d(x, self.gain.exp()[:, None, None, None]))
        return u / (u + 1)


class FixedCompress(nn.Module):
    """The same with the gains as plain weights, for the file."""
    def __init__(self, c):
        super().__init__()
        self.weight = nn.Parameter(c.gain.detach().exp()[:, None, None, None])

    def forward(self, x):
        u = torch.relu(nn.functional.conv2d(x, self.weight))
        return u / (u + 1)


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        conv = lambda i, o, k, s=1, p=1: [nn.Conv2d(i, o, k, s, p), nn.SELU()]
        self.compress = Compress()
        self.m = nn.Sequential(*conv(4, 24, (3, 5), (1, 2), (1, 2)), *conv(24, 32, 3), nn.MaxPool2d(2), *conv(32, 64, 3),
                               *conv(64, 96, (5, 3), 1, (0, 1)))
        self.drop, self.head = nn.Dropout(0.3), nn.Linear(96, classes)
        for m in self.m:
            if isinstance(m, nn.Conv2d):                        # what SELU wants: LeCun's normal
                nn.init.normal_(m.weight, 0, m.weight[0].numel() ** -0.5)
                nn.init.zeros_(m.bias)

    def embed(self, x):
        """Pairs of frames; after the last convolution the delays are one row."""
        return self.m(2 * self.compress(nn.functional.avg_pool2d(x, (1, 2))) - 1).mean((2, 3))

    def forward(self, x):
        return self.head(self.drop(self.embed(x)))


class Export(nn.Module):
    """Without dropout and with both outputs."""
    def __init__(self, net):
        super().__init__()
        net.compress = FixedCompress(net.compress)
        self.net = net

    def forward(self, x):
        e = self.net.embed(x)
        return self.net.head(e), e


def distort(x):
    """Another level, start, microphone and noise. NRDT is a mean magnitude: independent sounds add as their squares."""
    n = len(x)
    shift = (torch.arange(FRAMES)[None] + torch.randint(0, FRAMES, (n, 1))) % FRAMES
    x = x.gather(2, shift[:, None].expand(-1, DELAYS, -1))
    x = x * torch.exp((torch.rand(n, 1, 1) * 24 - 15) * 0.1151) * smooth(n, 3, 0.2, DELAYS)[:, :, None]
    level = torch.exp(torch.rand(n, 1, 1) * 5 - 9) * (torch.rand(n, 1, 1) < 0.4)
    noise = level * smooth(n, 3, 0.5, DELAYS)[:, :, None] * (1 + 0.1 * torch.randn(n, DELAYS, FRAMES))
    return (x * x + noise * noise).sqrt()


def batch(x, a):
    """draw() for fit: half of the batches are pairs, one sound over another."""
    def draw(i):
        other, share = i, torch.ones(len(i), 1)
        one = distort(x[i])
        if torch.rand(1) < a.mix:
            other = np.random.default_rng(int(torch.randint(0, 2 ** 31, (1,)))).permutation(i)
            share = torch.rand(len(i), 1) * 0.5 + 0.5
            second = (1 / share - 1)[:, :, None]                # as loud as its share of the label
            one = (one ** 2 + (second * distort(x[other])) ** 2).sqrt()
        return mask(mask(one, 2, 40), 1, 2)[:, None], other, share
    return draw


def main(a):
    torch.set_num_threads(a.threads)
    name, held = DATA_SETS.get(a.data, (a.manifest.resolve().name, "5"))
    held = a.held or held
    clips = Clips(a.manifest, {a.data: held}, a.groups)
    windows = clips.features(a.earshot, "nrdt", NRDT, WINDOW_S, a.work / f"{a.data}-features.npz")
    x = torch.from_numpy(np.stack([w[0] for w in windows]))
    torch.manual_seed(a.seed)
    net, shown = Net(len(clips.labels)).to(memory_format=torch.channels_last), Net(len(clips.labels)).eval()

    def right(weights):
        shown.load_state_dict(weights)
        with torch.no_grad():
            return (torch.cat([shown(b[:, None]) for b in x[clips.held].split(64)]).argmax(1) == clips.y[clips.held]).float().mean()

    print(f"{name}: {clips.train.sum()} clips to train, {clips.held.sum()} of fold {held} held", flush=True)
    a.work.mkdir(parents=True, exist_ok=True)
    mine = f"-{zlib.crc32(repr([(r['path'], r['label']) for r in clips.rows]).encode()):08x}" if a.data == "folder" else ""
    state = a.work / f"{a.data}{mine}-{held}-{a.seed}.pt"
    fit(net, batch(x, a), clips, a, state, lambda w: f"held {right(w):.1%}")
    share = right(net.state_dict())
    torch.onnx.export(Export(net).eval(), torch.zeros(1, 1, DELAYS, FRAMES), str(a.onnx), opset_version=13, input_names=["nrdt"],
                      output_names=["scores", "embedding"])
    halve_weights(a.onnx)
    add_metadata(a.onnx, "nrdt", NRDT, {
        "window_s": str(WINDOW_S), "labels": "\n".join(clips.labels), "activation": "softmax", "held": f"{a.data}:{held}",
        "thresholds": "\n".join(["0.60"] * len(clips.labels)),
        "accuracy": f"{name} fold {held}, not seen: {share:.1%} of {clips.held.sum()} clips",
        "data": f"{name}, the folds at hand without fold {held} and the recordings in it", "licence": "not stated" if a.data == "folder" else LICENCE.format(name),
        "date": time.strftime("%Y-%m-%d"),
        "description": f"SELU network over 5 s of NRDT, {a.epochs} epochs of models/train_nrdt.py; for comparison"})
    print(f"fold {held}: {share:.1%} of {clips.held.sum()}")


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data", choices=sorted(DATA_SETS) + ["folder"])
    p.add_argument("manifest", type=pathlib.Path)
    p.add_argument("onnx", type=pathlib.Path)
    p.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/nrdt"), help="features and state (build/nrdt)")
    p.add_argument("--earshot", default="build/earshot")
    p.add_argument("--held", help="fold that is not trained on (us8k 2, esc50 4; of a folder, 1 to 5 by recording: 5)")
    p.add_argument("--groups", help="pattern that says which clips of a folder are of one recording (smallnet.folder_rows)")
    p.add_argument("--epochs", type=int, default=60)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--lr", type=float, default=1.5e-3)
    p.add_argument("--decay", type=float, default=0.02)
    p.add_argument("--mix", type=float, default=0.5, help="share of the batches that are mixed")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int, default=1)
    main(p.parse_args())
