#!/usr/bin/python3
"""Trains us8k-mfcc40: the mean of 40 MFCCs over 4 s and a dense net, UrbanSound8K's ten classes.

  train_us8k_mfcc40.py MANIFEST.csv us8k-mfcc40.onnx [--earshot build/earshot] [--data esc50]

The recipe of many UrbanSound8K systems, on official folds (--data esc50: on ESC-50, for comparison). Every fold that is there is
left out once for the accuracy; the model that is written has seen all but fold --test. Needs what train_earshot_s.py needs; takes
a minute.
"""
import argparse, csv, pathlib, time
import numpy as np, torch, torch.nn as nn
from recipe import DATA_SETS, LICENCE, MFCC40, SHARED_NAMES, add_metadata, extract, freesound_ids

WINDOW_S = {"us8k": 4.0, "esc50": 5.0}


class Net(nn.Module):
    def __init__(self, x, classes):
        super().__init__()
        self.mean, self.spread = nn.Parameter(x.mean(0), False), nn.Parameter(x.std(0) + 1e-3, False)
        layer = lambda i, o: [nn.Linear(i, o), nn.ReLU(), nn.Dropout(0.5)]
        self.m = nn.Sequential(*layer(x.shape[1], 100), *layer(100, 200), *layer(200, 100), nn.Linear(100, classes))

    def forward(self, x): return self.m((x - self.mean) / self.spread)

    def fold(self):
        """Moves the standardisation into the first layer."""
        first = self.m[0]
        first.bias.data -= first.weight.data @ (self.mean / self.spread)
        first.weight.data /= self.spread
        return self.m.eval()


def fit(x, y, classes, epochs):
    torch.manual_seed(0)
    net = Net(x, classes)
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2)
    for _ in range(epochs):
        for b in torch.randperm(len(x)).split(64):
            loss = nn.functional.cross_entropy(net(x[b]), y[b], label_smoothing=0.05)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return net.fold()


def main(a):
    torch.set_num_threads(1)
    (name, test), window = DATA_SETS[a.data], WINDOW_S[a.data]
    a.test = a.test or test
    rows = [r for r in csv.DictReader(open(a.manifest)) if r["dataset"] == a.data]
    labels = sorted({SHARED_NAMES.get(r["label"], r["label"]) for r in rows})
    made = extract(a.earshot, "mfcc", MFCC40, [a.manifest.parent / r["path"] for r in rows], window)
    x = torch.from_numpy(np.array([m[0, 0] for m in made]))
    y = torch.tensor([labels.index(SHARED_NAMES.get(r["label"], r["label"])) for r in rows])
    fold, ids = np.array([r["fold"] for r in rows]), [freesound_ids(r) for r in rows]

    def without(f):
        """(net that has heard neither fold f nor a recording of it, share of fold f that it names rightly)"""
        family = set().union(*[i for i, g in zip(ids, fold) if g == f])
        train = np.array([not i & family for i in ids])
        net = fit(x[train], y[train], len(labels), a.epochs)
        with torch.no_grad():
            return net, float((net(x[fold == f]).argmax(1) == y[fold == f]).float().mean())

    share = {}
    for f in sorted(set(fold)):
        net, share[f] = without(f)
        print(f"fold {f}: {share[f]:.1%} of {(fold == f).sum()}", flush=True)
        if f == a.test:
            shipped = net
    mean = sum(share[f] * (fold == f).sum() for f in share) / len(rows)
    print(f"all: {mean:.1%} of {len(rows)}")
    torch.onnx.export(shipped, torch.zeros(1, x.shape[1]), str(a.onnx), opset_version=13, input_names=["mfcc"],
                      output_names=["scores"])
    add_metadata(a.onnx, "mfcc", MFCC40, {
        "window_s": str(window), "labels": "\n".join(labels), "activation": "softmax",
        "thresholds": "\n".join(["0.60"] * len(labels)),
        "accuracy": f"{name} fold {a.test}, not seen: {share[a.test]:.1%}; each fold left out in turn: "
                    f"{mean:.1%} of {len(rows)} clips",
        "data": f"{name}, the folds at hand without fold {a.test}",
        "licence": LICENCE.format(name), "held": f"{a.data}:{a.test}",
        "date": time.strftime("%Y-%m-%d"),
        "description": f"Mean of 40 MFCCs over {window:g} s, dense net; {len(labels)} sounds of {name}"})


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("manifest", type=pathlib.Path)
    p.add_argument("onnx", type=pathlib.Path)
    p.add_argument("--earshot", default="build/earshot")
    p.add_argument("--test", help="fold that the written model has not seen (us8k 2, esc50 4)")
    p.add_argument("--data", choices=sorted(DATA_SETS), default="us8k")
    p.add_argument("--epochs", type=int, default=60)
    main(p.parse_args())
