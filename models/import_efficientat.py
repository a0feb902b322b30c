#!/usr/bin/python3
"""Makes an earshot model of a MobileNet of EfficientAT, trained on AudioSet's 527 sounds.

  import_efficientat.py mn04_as_mAP_432.pt class_labels_indices.csv mn04.onnx [--window 1]

Checkpoints: the releases of github.com/fschmid56/EfficientAT, mnNN_as_mAP_*.pt (mn04 is the smallest; not the dymn ones).
class_labels_indices.csv: AudioSet's list of 527 classes. The net was trained on 10 s; it takes any length, and a shorter window
answers sooner and knows less (models/imported.md has figures).

Needs python3-torch (to read the checkpoint), python3-numpy and python3-onnx.
"""
import argparse, pathlib, pickle, time
from importing import Graph, LOGMEL, add_metadata, class_names, fail, np, slugs

try:
    import torch
except ImportError:
    fail("Python's torch is missing, which reads the checkpoint: apt install python3-torch")

# MobileNetV3-Large (Howard et al. 2019): strides of the 15 blocks; ReLU in the first six, hard swish in the others.
STRIDES = [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1]
RELU_BLOCKS = 6
NORM_EPSILON = 1e-3
BANDS, FRAMES_A_SECOND = 128, 100

# EfficientAT's front end as it is in use: no jitter of the band edges, fmax = 16000 - 2000 / 2.
FRONT_END = LOGMEL | {
    "sample_rate": 32000, "layout": "bands_frames", "window": 800, "window_symmetry": "symmetric",
    "window_place": "centre", "hop": 320, "fft_size": 1024, "centre": "true", "pad_mode": "reflect", "spectrum": "power",
    "mel_bands": BANDS, "fmin": 0, "fmax": 15000, "skip_dc": "false", "skip_nyquist": "true", "pre_emphasis": 0.97,
    "log_offset": 0.00001, "scale": 0.2, "shift": 0.9}


class Checkpoint:
    def __init__(self, path):
        try:
            state = torch.load(path, map_location="cpu")
            self.state = {k: v.double().numpy() for k, v in state.items()}
        except OSError as e:
            fail(e)
        except (RuntimeError, AttributeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as e:
            fail(f"{path}: no checkpoint of an EfficientAT MobileNet: {str(e).splitlines()[0] if str(e) else e!r}")
        self.path = path

    def get(self, name):
        if name not in self.state:
            fail(f"{self.path}: no EfficientAT MobileNet: '{name}' is not in it")
        return self.state[name]

    def has(self, name):
        return name in self.state

    def folded(self, name):
        """Convolution NAME.0 with batch norm NAME.1 in it: (weight, bias)"""
        norm = {k: self.get(f"{name}.1.{k}") for k in ("weight", "bias", "running_mean", "running_var")}
        gain = norm["weight"] / np.sqrt(norm["running_var"] + NORM_EPSILON)
        return self.get(f"{name}.0.weight") * gain[:, None, None, None], norm["bias"] - norm["running_mean"] * gain


def squeeze(c, g, x, at, name):
    """Squeeze and excitation over the channels."""
    fc = {k: c.get(f"{at}.conc_se_layers.0.{k}") for k in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")}
    y = g.add("GlobalAveragePool", [x], name + "_mean")
    y = g.add("Relu", [g.conv(y, fc["fc1.weight"][:, :, None, None], fc["fc1.bias"], name + "_fc1")], name + "_relu")
    y = g.conv(y, fc["fc2.weight"][:, :, None, None], fc["fc2.bias"], name + "_fc2")
    return g.add("Mul", [x, g.add("Sigmoid", [y], name + "_gate")], name)


def block(c, g, x, n):
    """Inverted residual: widen, filter each channel, squeeze, narrow."""
    base, act = f"features.{n}.block", "Relu" if n <= RELU_BLOCKS else "HardSwish"
    before, at, inputs = x, 0, None
    weight, bias = c.folded(f"{base}.0")
    if weight.shape[1] > 1:                               # the first block has nothing to widen
        inputs = weight.shape[1]
        x = g.add(act, [g.conv(x, weight, bias, f"b{n}_wide")], f"b{n}_wide_act")
        at, (weight, bias) = 1, c.folded(f"{base}.1")
    x = g.conv(x, weight, bias, f"b{n}_filter", STRIDES[n - 1], group=len(weight))
    x = g.add(act, [x], f"b{n}_filter_act")
    if c.has(f"{base}.{at + 1}.conc_se_layers.0.fc1.weight"):
        x, at = squeeze(c, g, x, f"{base}.{at + 1}", f"b{n}_squeeze"), at + 1
    narrow, bias = c.folded(f"{base}.{at + 1}")
    x = g.conv(x, narrow, bias, f"b{n}_narrow")
    inputs = inputs or len(weight)
    return g.add("Add", [x, before], f"b{n}") if STRIDES[n - 1] == 1 and inputs == len(narrow) else x


def convert(c, g):
    """Returns (embedding size, classes)."""
    x = g.add("HardSwish", [g.conv("logmel", *c.folded("features.0"), "stem", 2)], "stem_act")
    for n in range(1, len(STRIDES) + 1):
        x = block(c, g, x, n)
    x = g.add("HardSwish", [g.conv(x, *c.folded("features.16"), "last")], "last_act")
    x = g.add("Flatten", [g.add("GlobalAveragePool", [x], "mean")], "embedding", axis=1)
    hidden, scores = c.get("classifier.2.weight"), c.get("classifier.5.weight")
    x = g.add("HardSwish", [g.dense(x, hidden, c.get("classifier.2.bias"), "hidden")], "hidden_act")
    g.dense(x, scores, c.get("classifier.5.bias"), "scores")
    return hidden.shape[1], len(scores)


def main(a):
    c, g = Checkpoint(a.checkpoint), Graph()
    try:
        embedding, classes = convert(c, g)
    except (ValueError, IndexError) as e:
        fail(f"{a.checkpoint}: no EfficientAT MobileNet: {e}")
    frames = round(a.window * FRAMES_A_SECOND)
    # The net hears less than the 10 s that it was trained on, and all its scores are lower for it.
    threshold = a.threshold if a.threshold is not None else 0.2 if a.window < 1.5 else 0.3 if a.window < 4 else 0.4
    g.save(a.onnx, "logmel", [1, 1, BANDS, frames], {"scores": classes, "embedding": embedding})
    labels = list(slugs(class_names(a.classes, classes)))
    add_metadata(a.onnx, "logmel", FRONT_END | {"frames": frames}, {
        "window_s": str(a.window), "labels": "\n".join(labels), "activation": "sigmoid",
        "thresholds": "\n".join([str(threshold)] * classes),
        "data": "AudioSet (2 million YouTube clips), taught by transformers; trained by F. Schmid, K. Koutini, G. Widmer",
        "licence": "MIT", "date": time.strftime("%Y-%m-%d"),
        "description": f"EfficientAT MobileNetV3 over log-mel, from {a.checkpoint.name}",
        "accuracy": "models/imported.md of earshot's source"})


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("checkpoint", "classes", "onnx"):
        p.add_argument(name, type=pathlib.Path)
    p.add_argument("--window", type=float, default=1.0, help="seconds, 0.5 to 10 (1)")
    p.add_argument("--threshold", type=float, help="of every class (0.2; from 1.5 s on 0.3, from 4 s on 0.4)")
    a = p.parse_args()
    if not 0.5 <= a.window <= 10 or abs(a.window * FRAMES_A_SECOND - round(a.window * FRAMES_A_SECOND)) > 1e-6:
        p.error(f"--window {a.window}: 0.5 to 10 s in steps of 10 ms")
    if a.threshold is not None and not 0 <= a.threshold <= 1:
        p.error(f"--threshold {a.threshold}: 0 to 1")
    main(a)
