#!/usr/bin/python3
"""Calibrates a model whose activation is sigmoid: fits, for each label, score = sigmoid(scale * logit + bias), so that of
clips with a score of 0.8 four in five hold the sound, and writes it into the file as earshot.calibration.

  calibrate.py MODEL.onnx SCORES... [-o OUT.onnx] [--thresholds FILE]

SCORES, of recordings that the model was not trained on:
  *.csv  as `earshot evaluate --clips MANIFEST --scores FILE` writes it: file,label and a score for every label of the model
  *.npz  scores or logits [n, labels] of the model as it stands; label [n] (its number, -1: none of them) or wanted
         [n, labels] (0 or 1); where there are such: known [n, labels] (0: not to count), group [n] (rows of one
         recording have the same number and together count as one)
FILE has lines `LABEL THRESHOLD`, for all or some labels, of calibrated scores. Thresholds that it does not name are moved
to where the calibration puts them: what was decided at the old ones is decided at the new ones.

Scaling after Platt ("Probabilistic outputs for support vector machines", 1999), with his targets (n + 1) / (n + 2) and
1 / (n + 2). Labels with few recordings are drawn towards one scale and bias for all (Guo et al., "On calibration of modern
neural networks", 2017): `--strength` is how hard. The errors that are printed (ECE over 15 bins, of the best label and as
the mean over labels) are from fits that did not see the recordings they are measured on. Without -o nothing is written.
"""
import argparse, csv, sys
import numpy as np
import onnx
from scipy.optimize import minimize
from scipy.special import expit
from recipe import halve_weights

LOGIT_MAX, BINS, PARTS = 16.0, 15, 5
SCALE, BIAS = (0.01, 100.0), (-100.0, 100.0)      # what the program allows


def fail(text):
    sys.exit(f"calibrate.py: {text}")


def logit(score):
    """As the program takes it from a float, see common/model/pool.h."""
    s = np.asarray(score, np.float64)
    with np.errstate(divide="ignore"):
        return np.clip(np.log(s) - np.log1p(-s), -LOGIT_MAX, LOGIT_MAX)


# --- what comes in -------------------------------------------------------------------------------------------------
class Rows:
    """Logits, what was wanted and what counts of it, [n, labels]; group and weight [n]."""
    def __init__(self, logits, wanted, known, group):
        self.z, self.y, self.known, self.group = logits, wanted, known, group
        _, inverse, count = np.unique(group, return_inverse=True, return_counts=True)
        self.weight = 1 / count[inverse]

    def part(self, chosen):
        rows = Rows.__new__(Rows)
        rows.z, rows.y, rows.known, rows.group, rows.weight = (
            a[chosen] for a in (self.z, self.y, self.known, self.group, self.weight))
        return rows


def one_hot(label, labels):
    return (label[:, None] == np.arange(labels)).astype(np.float64)


def read_csv(path, vocab):
    rows = list(csv.reader(open(path, newline="", encoding="utf-8")))
    if not rows or rows[0][:2] != ["file", "label"]:
        fail(f"{path}: the header must begin with file,label")
    if rows[0][2:] != vocab:
        odd = sorted(set(rows[0][2:]) ^ set(vocab))
        fail(f"{path}: the columns are not the model's labels in their order"
             + (f"; in one of the two only: {', '.join(odd[:5])}" if odd else ""))
    label, scores = [], []
    for i, row in enumerate(rows[1:], 2):
        if len(row) != len(rows[0]):
            fail(f"{path}:{i}: {len(row)} fields, the header has {len(rows[0])}")
        if row[1] not in vocab and row[1] != "unknown":
            fail(f"{path}:{i}: the model has no label {row[1]}")
        label.append(vocab.index(row[1]) if row[1] in vocab else -1)
        try:
            scores.append([float(v) for v in row[2:]])
        except ValueError as e:
            fail(f"{path}:{i}: {e}")
    return check(path, logit(np.array(scores).reshape(-1, len(vocab))), one_hot(np.array(label), len(vocab)), None, None)


def read_npz(path, vocab):
    z = np.load(path)
    if ("logits" in z) == ("scores" in z) or ("label" in z) == ("wanted" in z):
        fail(f"{path}: it must hold either logits or scores, and either label or wanted; it holds {', '.join(z.files)}")
    logits = np.asarray(z["logits"], np.float64) if "logits" in z else logit(z["scores"])
    if logits.ndim != 2 or logits.shape[1] != len(vocab):
        fail(f"{path}: {logits.shape} scores, the model has {len(vocab)} labels")
    wanted = z["wanted"].astype(np.float64) if "wanted" in z else one_hot(z["label"], len(vocab))
    return check(path, logits, wanted, z["known"] if "known" in z else None, z["group"] if "group" in z else None)


def check(path, logits, wanted, known, group):
    known = np.ones_like(wanted) if known is None else known.astype(np.float64)
    group = np.arange(len(logits)) if group is None else group
    if len(logits) == 0 or not np.isfinite(logits).all():
        fail(f"{path}: no rows, or scores that are not 0 to 1")
    if wanted.shape != logits.shape or known.shape != logits.shape or len(group) != len(logits):
        fail(f"{path}: {logits.shape} scores, but wanted {wanted.shape}, known {known.shape}, group {np.shape(group)}")
    return logits, wanted, known, group


def read(paths, vocab):
    parts, groups = [], 0
    for path in paths:
        if not path.endswith((".csv", ".npz")):
            fail(f"{path}: .csv or .npz is expected")
        try:
            z, y, known, group = (read_csv if path.endswith(".csv") else read_npz)(path, vocab)
        except (OSError, ValueError) as e:
            fail(f"{path}: {e}")
        group = np.unique(group, return_inverse=True)[1] + groups
        groups = group.max() + 1
        parts.append((z, y, known, group))
    return Rows(*(np.concatenate(p) for p in zip(*parts)))


# --- fit -----------------------------------------------------------------------------------------------------------
def platt(z, y, w, centre, strength):
    """(scale, bias) with the least cross entropy against Platt's targets, drawn to `centre`: a quadratic penalty on
    ln(scale) and on half the bias, worth `strength` nats at a distance of 1."""
    n1, n0 = (w * y).sum(), (w * (1 - y)).sum()
    target = np.where(y > 0.5, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))

    def cost(p):
        scale = np.exp(p[0])
        t = scale * z + p[1]
        error = w * (expit(t) - target)
        away = p[0] - np.log(centre[0]), (p[1] - centre[1]) / 2
        value = (w * (np.logaddexp(0, t) - target * t)).sum() + strength * (away[0] ** 2 + away[1] ** 2)
        return value, np.array([(error * z).sum() * scale + 2 * strength * away[0], error.sum() + strength * away[1]])

    best = minimize(cost, [np.log(centre[0]), centre[1]], jac=True, method="L-BFGS-B",
                    bounds=[(np.log(0.02), np.log(50)), (-50, 50)]).x
    return np.exp(best[0]), best[1]


def fit(r, strength):
    """[labels, 2]"""
    w = r.weight[:, None] * r.known
    everything = platt(r.z.ravel(), r.y.ravel(), w.ravel(), (1.0, 0.0), 1e-3)
    fits = [platt(r.z[:, k], r.y[:, k], w[:, k], everything, strength) for k in range(r.z.shape[1])]
    return np.array(fits), everything


def apply(r, c):
    return expit(r.z * c[:, 0] + c[:, 1])


# --- figures -------------------------------------------------------------------------------------------------------
def ece(score, right, weight):
    if weight.sum() == 0:
        return float("nan")
    at = np.clip(np.ceil(score * BINS).astype(int) - 1, 0, BINS - 1)
    total = [np.bincount(at, w, BINS) for w in (weight, weight * score, weight * right)]
    return float(np.abs(total[1] - total[2]).sum() / total[0].sum())


def errors(r, p):
    """(ECE of the best label, mean ECE of the labels that occur, cross entropy of a row)"""
    best, at = p.argmax(1), np.arange(len(p))
    labels = [ece(p[:, k], r.y[:, k], r.weight * r.known[:, k]) for k in np.flatnonzero((r.y * r.known).sum(0))]
    q = np.clip(p, 1e-7, 1 - 1e-7)
    entropy = -(r.known * (r.y * np.log(q) + (1 - r.y) * np.log(1 - q))).sum(1)
    return (ece(p[at, best], r.y[at, best], r.weight * r.known[at, best]), float(np.mean(labels)),
            float(np.average(entropy, weights=r.weight)))


def cross_fit(r, strength, seed):
    """Scores of each recording from a fit to the others."""
    groups = np.unique(r.group)
    part = np.random.default_rng(seed).permutation(len(groups)) % PARTS
    part = part[np.searchsorted(groups, r.group)]
    out = np.zeros_like(r.z)
    for k in range(PARTS):
        out[part == k] = apply(r.part(part == k), fit(r.part(part != k), strength)[0])
    return out


# --- the file ------------------------------------------------------------------------------------------------------
def metadata(model):
    return {p.key: p.value for p in model.metadata_props}


def read_thresholds(path, vocab):
    out = {}
    for i, line in enumerate(open(path, encoding="utf-8"), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or words[0] not in vocab:
            fail(f"{path}:{i}: '{line.strip()[:40]}'; a label of the model and a threshold are expected")
        try:
            out[words[0]] = float(words[1])
        except ValueError:
            out[words[0]] = -1
        if not 0 <= out[words[0]] <= 1:
            fail(f"{path}:{i}: threshold '{words[1]}'; 0 to 1 is allowed")
    return out


def write(model, path, vocab, found, chosen):
    """Composes what was found with a calibration that the model has, since its scores had that one in them."""
    meta = metadata(model)
    if "earshot.calibration" in meta:
        old = np.array([[float(v) for v in line.split()] for line in meta["earshot.calibration"].split("\n") if line])
        new = np.stack([found[:, 0] * old[:, 0], found[:, 0] * old[:, 1] + found[:, 1]], 1)
    else:
        new = found
    if (new[:, 0] < SCALE[0]).any() or (new[:, 0] > SCALE[1]).any() or (np.abs(new[:, 1]) > BIAS[1]).any():
        fail("the calibration is beyond what the program allows; are these scores of this model?")
    before = np.array([float(v) for v in meta["earshot.thresholds"].split()])
    moved = expit(found[:, 0] * logit(before) + found[:, 1])
    moved = np.where((before <= 0) | (before >= 1), before, moved)
    meta["earshot.calibration"] = "\n".join(f"{a:.5g} {b:.5g}" for a, b in new)
    meta["earshot.thresholds"] = "\n".join(f"{chosen.get(v, t):.6g}" for v, t in zip(vocab, moved))
    onnx.helper.set_model_props(model, meta)
    onnx.save(model, path)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("scores", nargs="*")
    p.add_argument("-o", "--output", metavar="OUT.onnx", help="the calibrated model; may be MODEL.onnx itself")
    p.add_argument("--thresholds", metavar="FILE", help="lines `LABEL THRESHOLD`, of calibrated scores")
    p.add_argument("--strength", type=float, default=10.0, help="pull towards one calibration for all labels (10)")
    p.add_argument("--keep", default="", metavar="LABELS", help="labels that stay as they are, a,b: such as none of the clips holds")
    p.add_argument("--float16", action="store_true", help="store the weights in half the size (recipe.py: halve_weights)")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--labels", action="store_true", help="print the scale and bias of each label")
    a = p.parse_args()
    try:
        model = onnx.load(a.model)
    except Exception as e:  # protobuf's own errors have no common class
        fail(f"{a.model}: {e}")
    meta = metadata(model)
    if meta.get("earshot.activation") != "sigmoid":
        fail(f"{a.model}: its activation is {meta.get('earshot.activation', 'not given')}; only sigmoid is calibrated")
    if not a.scores and not a.thresholds:
        fail("SCORES or --thresholds is needed")
    vocab = meta["earshot.labels"].split()
    chosen = read_thresholds(a.thresholds, vocab) if a.thresholds else {}
    found = np.tile([1.0, 0.0], (len(vocab), 1))
    if a.scores:
        r = read(a.scores, vocab)
        found, everything = fit(r, a.strength)
        for name in filter(None, a.keep.split(",")):
            if name not in vocab:
                fail(f"--keep: {a.model} has no label {name}")
            found[vocab.index(name)] = 1, 0
        print(f"{len(r.z)} rows of {len(np.unique(r.group))} recordings; for all labels: scale {everything[0]:.3f}, "
              f"bias {everything[1]:+.3f}")
        print(f"{'':22}{'ECE best':>10}{'ECE labels':>12}{'entropy':>9}")
        for name, scores in (("before", expit(r.z)), ("one for all", apply(r, np.tile(everything, (len(vocab), 1)))),
                             ("each label (held out)", cross_fit(r, a.strength, a.seed)),
                             ("each label (as fitted)", apply(r, found))):
            print("{:22}{:10.4f}{:12.4f}{:9.4f}".format(name, *errors(r, scores)))
        for k in range(len(vocab) if a.labels else 0):
            count = int(round((r.weight * r.y[:, k] * r.known[:, k]).sum()))
            print(f"{vocab[k]:26}{count:6} scale {found[k, 0]:6.3f} bias {found[k, 1]:+7.3f}")
    if a.output:
        write(model, a.output, vocab, found, chosen)
        if a.float16:
            halve_weights(a.output)


if __name__ == "__main__":
    main()
