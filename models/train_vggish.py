#!/usr/bin/python3
"""Trains a small network on VGGish's front end, as systems around AudioSet's features do, on official folds. For comparison.

  train_vggish.py MANIFEST.csv vggish-cnn.onnx [--hold us8k:2,esc50:4] [--work build/vggish]

VGGish's own weights are not used: the front end is (log-mel of 96 frames of 64 bands), with a plain network of four convolutions
behind it, trained from nothing. --work keeps the features and, after every epoch, the state: a run that was ended goes on from
there. Ten minutes of a core. Needs what train_earshot_s.py needs.
"""
import argparse, pathlib, time
import numpy as np, torch, torch.nn as nn
from recipe import DATA_SETS, LICENCE, LOGMEL, add_metadata
from smallnet import Clips, fit, mask, smooth

WINDOW_S, FRAMES, BANDS, OFFSET = 1.0, 96, 64, 0.01
VGGISH = LOGMEL | {"log_offset": OFFSET, "scale": 0.5, "shift": 0.9}     # ln(mel + 0.01), brought to about -1.4 to 3


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        conv = lambda i, o, s=1: [nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(True)]
        self.m = nn.Sequential(*conv(1, 24, 2), nn.MaxPool2d(2), *conv(24, 48), nn.MaxPool2d(2), *conv(48, 96), nn.MaxPool2d(2),
                               *conv(96, 128))
        self.drop, self.head = nn.Dropout(0.3), nn.Linear(128, classes)

    def forward(self, x):
        return self.head(self.drop(self.m(x).mean((2, 3))))


class Export(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        e = self.net.m(x).mean((2, 3))
        return self.net.head(e), e


def magnitude(x): return (torch.exp((x - VGGISH["shift"]) / VGGISH["scale"]) - OFFSET).clamp_min(0)


def logs(m): return torch.log(m + OFFSET) * VGGISH["scale"] + VGGISH["shift"]


def batch(windows, a):
    """draw() for fit: of each clip one window that is not silence; gain and microphone; half of the batches are pairs."""
    usable = []
    for w in windows:
        level = magnitude(torch.from_numpy(w)).mean((1, 2)).numpy()
        usable.append(np.flatnonzero(level >= min(level.max(), 1e-4)))

    def one(i):
        picked = [windows[k][usable[k][int(torch.randint(0, len(usable[k]), (1,)))]] for k in i]
        m = magnitude(torch.from_numpy(np.stack(picked)))
        shift = (torch.arange(FRAMES)[None] + torch.randint(0, FRAMES, (len(i), 1))) % FRAMES
        m = m.gather(1, shift[:, :, None].expand(-1, -1, BANDS))
        return m * torch.exp((torch.rand(len(i), 1, 1) * 21 - 12) * 0.1151) * smooth(len(i), 6, 0.3, BANDS)[:, None]

    def draw(i):
        other, share, m = i, torch.ones(len(i), 1), one(i)
        if torch.rand(1) < a.mix:
            other = np.random.default_rng(int(torch.randint(0, 2 ** 31, (1,)))).permutation(i)
            share = torch.rand(len(i), 1) * 0.5 + 0.5
            m = (m ** 2 + ((1 / share - 1)[:, :, None] * one(other)) ** 2).sqrt()
        return mask(mask(logs(m), 1, 14), 2, 8)[:, None], other, share
    return draw


def main(a):
    torch.set_num_threads(a.threads)
    clips = Clips(a.manifest, dict(h.split(":") for h in a.hold.split(",")))
    windows = clips.features(a.earshot, "logmel", VGGISH, WINDOW_S, a.work / "features.npz")
    torch.manual_seed(a.seed)
    net, shown = Net(len(clips.labels)).to(memory_format=torch.channels_last), Net(len(clips.labels)).eval()
    held = np.flatnonzero(clips.held)

    def right(weights):
        shown.load_state_dict(weights)
        with torch.no_grad():
            best = [int(shown(torch.from_numpy(windows[k])[:, None]).softmax(1).mean(0).argmax()) for k in held]
        return float((torch.tensor(best) == clips.y[held]).float().mean())

    print(f"{clips.train.sum()} clips to train, {len(held)} held ({a.hold})", flush=True)
    a.work.mkdir(parents=True, exist_ok=True)
    fit(net, batch(windows, a), clips, a, a.work / f"state-{a.seed}.pt", lambda w: f"held {right(w):.1%}")
    torch.onnx.export(Export(net).eval(), torch.zeros(1, 1, FRAMES, BANDS), str(a.onnx), opset_version=13, input_names=["logmel"],
                      output_names=["scores", "embedding"])
    sets = ", ".join(DATA_SETS.get(d, (d,))[0] for d in sorted({r["dataset"] for r in clips.rows}))
    add_metadata(a.onnx, "logmel", VGGISH, {
        "window_s": str(WINDOW_S), "labels": "\n".join(clips.labels), "activation": "softmax", "held": a.hold,
        "thresholds": "\n".join(["0.60"] * len(clips.labels)),
        "accuracy": f"held ({a.hold}): {right(net.state_dict()):.1%} of {len(held)} clips among all labels",
        "data": f"{sets}, without {a.hold} and the recordings in it", "licence": LICENCE.format(sets),
        "date": time.strftime("%Y-%m-%d"),
        "description": f"Four convolutions over VGGish's log-mel, {a.epochs} epochs of models/train_vggish.py; for comparison"})


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("manifest", type=pathlib.Path)
    p.add_argument("onnx", type=pathlib.Path)
    p.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/vggish"), help="features and state (build/vggish)")
    p.add_argument("--earshot", default="build/earshot")
    p.add_argument("--hold", default=",".join(f"{d}:{f}" for d, (_, f) in DATA_SETS.items()), help="SET:FOLD,... (%(default)s)")
    p.add_argument("--epochs", type=int, default=60)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--decay", type=float, default=0.02)
    p.add_argument("--mix", type=float, default=0.5, help="share of the batches that are mixed")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int, default=1)
    main(p.parse_args())
