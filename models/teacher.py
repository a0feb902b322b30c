#!/usr/bin/python3
"""What mn04 (EfficientAT, MIT licence) says of each clip: AudioSet scores and embedding, for earshot-s to learn from.

  teacher.py MN04.onnx MANIFEST.csv OUT.npz [--threads 2]

MN04.onnx: as import_efficientat.py writes it, of any window: the net is run node by node in torch, so that clips of any length go
through whole. Front end: pre-emphasis 0.97, 32 kHz, Hann 800 of FFT 1024 every 320, power, 128 triangles from 0 to 15 kHz, evenly
spaced on and linear in the mel scale of 1127 ln(1 + f / 700), ln(mel + 1e-5), (x + 4.5) / 5.
"""
import argparse, csv, json, math, pathlib, sys
import numpy as np, onnx, torch, torch.nn.functional as F
from onnx import helper, numpy_helper
from scipy.signal import resample_poly
from recipe import read_audio

RATE, HEARD = 32000, 16000                        # what lies above 8 kHz earshot-s cannot hear: it should not be asked for it
SHORTEST = 1.0                                    # seconds that a clip is padded to


def conv(at, x, w, b=None):
    top, left, bottom, right = at["pads"]
    return F.conv2d(F.pad(x, (left, right, top, bottom)), w, b, at.get("strides", [1, 1]), groups=at.get("group", 1))


def gemm(at, a, b, c):
    return a @ (b.T if at.get("transB") else b) + c


def mel_bank(bands=128, high=15000, fft=1024):
    """[bands, fft / 2 + 1]: triangles of height 1; the Nyquist bin counts in none, as in Kaldi"""
    mel = lambda hz: 1127 * np.log1p(np.asarray(hz) / 700)
    edges, at = np.linspace(0, mel(high), bands + 2)[:, None], mel(np.arange(fft // 2 + 1) * RATE / fft)[None]
    width = edges[1] - edges[0]
    bank = np.maximum(0, np.minimum(at - edges[:-2], edges[2:] - at) / width)
    bank[:, -1] = 0
    return bank.astype(np.float32)


OPERATORS = {
    "HardSwish": lambda at, x: F.hardswish(x), "Identity": lambda at, x: x,
    "Conv": conv, "Gemm": gemm, "Relu": lambda at, x: x.relu(), "Add": lambda at, a, b: a + b, "Mul": lambda at, a, b: a * b,
    "Clip": lambda at, x, low, high: x.clamp(float(low), float(high)), "Sigmoid": lambda at, x: x.sigmoid(),
    "GlobalAveragePool": lambda at, x: x.mean((2, 3), keepdim=True), "Flatten": lambda at, x: x.flatten(1)}


class Teacher:
    def __init__(self, model):
        loaded = onnx.load(str(model))
        self.graph = loaded.graph
        self.logits = {p.key: p.value for p in loaded.metadata_props}.get("earshot.activation") == "sigmoid"
        self.weights = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in self.graph.initializer}
        self.attributes = [{a.name: helper.get_attribute_value(a) for a in n.attribute} for n in self.graph.node]
        self.bank = torch.from_numpy(mel_bank())
        unknown = {n.op_type for n in self.graph.node} - OPERATORS.keys()
        if unknown:
            raise SystemExit(f"{model}: operators that this does not know: {', '.join(sorted(unknown))}")

    def features(self, x, rate):
        for to in (HEARD, RATE) if rate > HEARD else (RATE,):
            g = math.gcd(rate, to)
            x, rate = resample_poly(x, to // g, rate // g), to
        y = torch.from_numpy(x.astype(np.float32))
        y = y[1:] - 0.97 * y[:-1]
        window = torch.hann_window(800, periodic=False)
        power = torch.stft(y[None], 1024, 320, 800, window, return_complex=True, pad_mode="reflect")[0].abs() ** 2
        return ((self.bank @ power + 1e-5).log() + 4.5)[None, None] / 5

    def __call__(self, x, rate):
        """(scores [527], embedding [384]) of a mono clip"""
        x = np.pad(x, (0, max(0, int(SHORTEST * rate) - len(x))))
        v = dict(self.weights, **{self.graph.input[0].name: self.features(x, rate)})
        for node, at in zip(self.graph.node, self.attributes):
            v[node.output[0]] = OPERATORS[node.op_type](at, *[v[i] for i in node.input])
        scores = v["scores"][0].sigmoid() if self.logits else v["scores"][0]
        return scores.numpy(), v["embedding"][0].numpy()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "manifest", "out"):
        p.add_argument(name, type=pathlib.Path)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    teacher, rows, scores, embeddings = Teacher(a.model), list(csv.DictReader(open(a.manifest))), [], []
    with torch.no_grad():
        for n, r in enumerate(rows):
            s, e = teacher(*read_audio(a.manifest.parent / r["path"]))
            scores.append(s)
            embeddings.append(e)
            if sys.stderr.isatty() and n % 50 == 0:
                print(f"\r{n} of {len(rows)}", end="", file=sys.stderr)
    np.savez(a.out, score=np.array(scores), emb=np.array(embeddings), rows=json.dumps(rows))


if __name__ == "__main__":
    main()
