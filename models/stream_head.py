#!/usr/bin/python3
"""Teaches a model's last layers what alarms sound like over speech, music and kitchens, on streams of soundscape.py.

  stream_head.py MODEL.onnx LIST.csv... -o OUT.onnx [--labels siren,gun_shot,...] [--clips MANIFEST.csv]

MODEL has the outputs `embedding` and `scores`, the latter a dense layer over the former, as train_earshot_s.py exports it, calibrated or not.
LIST.csv: audio,annotations, as soundscape.py writes it, of sounds that MODEL was trained on or may be: `--split train`. The
network below the embedding, and all other labels' scores, stay as they are, bit by bit. The logits of the labels become

  scale * (what they were) + dense(embedding) + dense(ReLU(dense(embedding)))

MANIFEST.csv: path,label, of sounds that no stream holds, such as synth.py's: a clip of one of the labels is one sound, any other holds none
of them. Without these the new layers forget what they were never shown.

Clips say what a sound is; only streams say how often a model takes what belongs to no sound for one. A sound counts with the window that
it is heard best in, as it does for whoever is told of it; every window that holds nothing of it counts as a chance for a
false alarm. Scores change their meaning: calibrate.py and thresholds come after this. The same arguments give the same file.

Needs numpy, onnx and torch.
"""
import argparse, csv, pathlib, subprocess, tempfile, time
import numpy as np, onnx, torch
from onnx import numpy_helper
from recipe import load_whole

# Not smoke_alarm and co_alarm, which are hardly ever told for nothing: with these layers they are heard less often over a kitchen.
LABELS = "clock_alarm,siren,glass_breaking,gun_shot,crying_baby,door_wood_knock"
ALIKE = {"appliance_beep", "telephone"}          # clips of these may hold what sounds like an alarm clock: they count neither way
HOP_S, WINDOW_S = 0.5, 1.0
OVERLAP_S = 0.15                    # of a sound that a window must hold to count for it
BEFORE_S, AFTER_S = 0.3, 0.8        # around a sound where windows count neither way: its beginning, its echo
SOUND_WORTH = 10.0                  # of all sounds of a label together, against windows without it: one such for each of them


def fail(text):
    raise SystemExit(f"stream_head.py: {text}")


# --- streams -------------------------------------------------------------------------------------------------------------
def read_lists(paths):
    """[(audio, annotations)]"""
    out = []
    for path in paths:
        if not path.is_file():
            fail(f"{path}: no such file")
        for number, row in enumerate(csv.DictReader(open(path)), 2):
            pair = [path.parent / row.get(c, "") if row.get(c) else None for c in ("audio", "annotations")]
            if None in pair or not all(p.is_file() for p in pair):
               fail(f"{path}:{number}: audio and annotations are expected, and files that are there")
            out.append(pair)
    return out


def embeddings(a, audio):
    """[windows, values], and of each window its stream and its first second"""
    with tempfile.TemporaryDirectory() as folder:
        files, out, index = (pathlib.Path(folder) / n for n in ("files", "out.npy", "index.csv"))
        files.write_text("\n".join(str(p.resolve()) for p in audio) + "\n")
        subprocess.run([a.earshot, "features", "--model", a.model.resolve(), "--hop", str(HOP_S), "--list", files, "--index", index,
                        "--output", out], check=True)
        count = [int(r["count"]) for r in csv.DictReader(open(index))]
        if len(count) != len(audio):
            fail("a stream could not be read")
        return np.load(out), np.repeat(np.arange(len(count)), count), np.concatenate([np.arange(n) for n in count]) * HOP_S


class Streams:
    """x: [windows, values]; quiet: [windows, labels], those that hold nothing of the label; of each pair of a sound and a window that
    holds some of it: sound, window; label: of each sound"""
    def __init__(self, a, labels):
        pairs = read_lists(a.lists)
        clips = [(a.clips.parent / r["path"], r["label"]) for r in csv.DictReader(open(a.clips)) if r["label"]] if a.clips else []
        clips = [(path, label) for path, label in clips if label not in ALIKE]
        self.x, stream, begin = embeddings(a, [audio for audio, _ in pairs] + [path for path, _ in clips])
        self.quiet = np.ones((len(self.x), len(labels)), bool)
        sound, window, self.label = [], [], []
        for i, (_, annotations) in enumerate(pairs):
            mine, first = begin[stream == i], np.searchsorted(stream, i)
            for row in csv.DictReader(open(annotations)):
                if row["label"] not in labels:
                    continue
                on, off, label = float(row["onset"]), float(row["offset"]), labels.index(row["label"])
                inside = np.minimum(mine + WINDOW_S, off) - np.maximum(mine, on) >= min(OVERLAP_S, 0.7 * (off - on))
                touched = (mine + WINDOW_S > on - BEFORE_S) & (mine < off + AFTER_S)
                self.quiet[first:first + len(mine)][touched, label] = False
                window += list(first + np.flatnonzero(inside))
                sound += [len(self.label)] * int(inside.sum())
                self.label.append(label)
        for i, (_, label) in enumerate(clips, len(pairs)):
            if label in labels:
                mine = np.flatnonzero(stream == i)
                self.quiet[mine, labels.index(label)] = False
                window += list(mine)
                sound += [len(self.label)] * len(mine)
                self.label.append(labels.index(label))
        self.sound, self.window, self.label = np.array(sound), np.array(window), np.array(self.label)
        self.hours = (stream < len(pairs)).sum() * HOP_S / 3600
        self.streams, self.clips = len(pairs), len(clips)
        for k, name in enumerate(labels):
            if not (self.label == k).any():
                fail(f"none of the streams holds {name}")


# --- the head ------------------------------------------------------------------------------------------------------------
class Head(torch.nn.Module):
    def __init__(self, values, labels, hidden):
        super().__init__()
        self.scale, self.line = torch.nn.Parameter(torch.ones(labels)), torch.nn.Linear(values, labels)
        self.wide, self.out = torch.nn.Linear(values, hidden), torch.nn.Linear(hidden, labels)
        self.dropout = torch.nn.Dropout(0.3)
        for layer in (self.line, self.out):
            torch.nn.init.zeros_(layer.weight), torch.nn.init.zeros_(layer.bias)

    def forward(self, x, before):
        return self.scale * before + self.line(x) + self.out(self.dropout(torch.relu(self.wide(x))))


def loss_of(logits, s, weight):
    """Sounds by the window that they are heard best in (a soft maximum), and windows without a sound."""
    mine = logits[s["window"], s["label"][s["sound"]]]
    best = torch.logsumexp(torch.full((len(weight), s["widest"]), -1e9).index_put((s["sound"], s["place"]), mine), 1)
    sounds = (weight * torch.nn.functional.softplus(-best)).sum()
    return sounds + (torch.nn.functional.softplus(logits) * s["quiet"]).sum() / SOUND_WORTH


def fit(streams, before, a):
    """Gradient descent on all windows at once. Returns the head for embeddings as they come: {name: array}"""
    torch.manual_seed(a.seed)
    mean, spread = streams.x.mean(0), streams.x.std(0) + 1e-2
    x, z = torch.tensor((streams.x - mean) / spread, dtype=torch.float32), torch.tensor(before, dtype=torch.float32)
    labels = before.shape[1]
    count = np.bincount(streams.label, minlength=labels)
    place = np.concatenate([np.arange(n) for n in np.bincount(streams.sound, minlength=len(streams.label))])
    s = {"quiet": torch.tensor(streams.quiet), "window": torch.tensor(streams.window), "sound": torch.tensor(streams.sound),
         "label": torch.tensor(streams.label), "place": torch.tensor(place), "widest": int(place.max()) + 1}
    weight = torch.tensor((count.sum() / labels / count)[streams.label], dtype=torch.float32)
    head = Head(x.shape[1], labels, a.hidden)
    layers = [p for n, p in head.named_parameters() if n != "scale"]
    opt = torch.optim.AdamW([{"params": layers, "weight_decay": a.decay}, {"params": [head.scale], "weight_decay": 0}], lr=3e-3)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(opt, a.steps)
    for step in range(a.steps):
        loss = loss_of(head(x, z), s, weight)
        opt.zero_grad(), loss.backward(), opt.step(), plan.step()
        if step % 50 == 0 or step == a.steps - 1:
            print(f"step {step} loss {loss.item() / len(weight):.4f}", flush=True)
    p = {k: v.detach().numpy().astype(np.float64) for k, v in head.named_parameters()}
    for layer in ("line", "wide"):                      # of embeddings as they come
        p[layer + ".weight"] = p[layer + ".weight"] / spread
        p[layer + ".bias"] = p[layer + ".bias"] - p[layer + ".weight"] @ mean
    return p


# --- the file ------------------------------------------------------------------------------------------------------------
def last_layer(model, path):
    """The node that gives `scores`, and its weight [labels, values] and bias"""
    node = next((n for n in model.graph.node if "scores" in n.output), None)
    tensors = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    if node is None or node.op_type != "Gemm" or node.input[0] != "embedding":
        fail(f"{path}: its scores are no dense layer over its embedding; has this been done to it before?")
    weight = tensors[node.input[1]]
    turned = any(t.name == "transB" and t.i for t in node.attribute)
    return node, weight if turned else weight.T, tensors[node.input[2]]


def graft(model, node, weight, bias, p, at):
    """scores = dense(embedding) + dense(ReLU(dense(embedding))), the first with the new rows for the labels `at`"""
    g, weight, bias = model.graph, weight.astype(np.float64), bias.astype(np.float64)
    weight[at] = p["scale"][:, None] * weight[at] + p["line.weight"]
    bias[at] = p["scale"] * bias[at] + p["line.bias"] + p["out.bias"]
    out = np.zeros((len(bias), len(p["wide.bias"])))
    out[at] = p["out.weight"]
    new = {"streams.line.weight": weight, "streams.line.bias": bias, "streams.wide.weight": p["wide.weight"],
           "streams.wide.bias": p["wide.bias"], "streams.out.weight": out, "streams.out.bias": np.zeros(len(bias))}
    old = set(node.input[1:])
    g.node.remove(node)
    kept = [t for t in g.initializer if t.name not in old]
    del g.initializer[:]
    g.initializer.extend(kept + [numpy_helper.from_array(v.astype(np.float32), k) for k, v in new.items()])
    dense = lambda name, x, y: onnx.helper.make_node("Gemm", [x, f"streams.{name}.weight", f"streams.{name}.bias"], [y],
                                                     name=f"streams.{name}", transB=1)
    g.node.extend([dense("line", "embedding", "streams_line"), dense("wide", "embedding", "streams_wide"),
                   onnx.helper.make_node("Relu", ["streams_wide"], ["streams_relu"], name="streams.relu"),
                   dense("out", "streams_relu", "streams_out"),
                   onnx.helper.make_node("Add", ["streams_line", "streams_out"], ["scores"], name="streams.sum")])
    onnx.checker.check_model(model)


def main(a):
    torch.set_num_threads(a.threads)
    model = load_whole(a.model)
    props = {p.key: p.value for p in model.metadata_props}
    vocab, labels = props["earshot.labels"].split("\n"), a.labels.split(",")
    for name in labels:
        if name not in vocab:
            fail(f"--labels: {a.model} has no label {name}")
    at = [vocab.index(name) for name in labels]
    node, weight, bias = last_layer(model, a.model)
    streams = Streams(a, labels)
    print(f"{streams.streams} streams, {streams.hours:.1f} h, and {streams.clips} clips: "
          + ", ".join(f"{n} {c}" for n, c in zip(labels, np.bincount(streams.label, minlength=len(labels)))), flush=True)
    graft(model, node, weight, bias, fit(streams, streams.x @ weight[at].T + bias[at], a), at)
    props["earshot.streams"] = (f"last layers of {a.labels} trained on {streams.hours:.1f} h of streams of models/soundscape.py, "
                                + time.strftime("%Y-%m-%d"))
    onnx.helper.set_model_props(model, props)
    onnx.save(model, str(a.output))


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", type=pathlib.Path)
    p.add_argument("lists", type=pathlib.Path, nargs="+", metavar="LIST.csv")
    p.add_argument("-o", "--output", type=pathlib.Path, required=True, metavar="OUT.onnx")
    p.add_argument("--labels", default=LABELS, help="%(default)s")
    p.add_argument("--clips", type=pathlib.Path, metavar="MANIFEST.csv")
    p.add_argument("--hidden", type=int, default=64, help="values between the two new layers (%(default)s)")
    p.add_argument("--steps", type=int, default=200)
    p.add_argument("--decay", type=float, default=0.3)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--earshot", default="build/earshot")
    main(p.parse_args())
