#!/usr/bin/python3
"""Turns a model of float32 into one whose convolutions compute in 8 bits (QuantizeLinear and DequantizeLinear around them).

  quantise.py MODEL.onnx OUT.onnx MANIFEST.csv [--clips 400] [--held DATASET=FOLD ...] [--all] [--earshot build/earshot]

Weights get a scale for each output channel; activations one each, from the windows of some clips of the manifest (path, dataset,
label, fold; those of held folds are left out). The first convolution stays in float32: over one channel 8 bits are slower;
--all takes it too. What comes after the convolutions (pooling, dense layers) stays in float32: it costs next to nothing. Metadata is
kept. Needs Debian's python3-torch, python3-onnx, and the built program for the features.
"""
import argparse, csv, pathlib, sys
import numpy as np, onnx, torch, torch.nn.functional as F
from onnx import helper, numpy_helper
from recipe import extract, halve_weights, load_whole

CLAMPS = ("Relu", "Clip")
SHRINK = np.linspace(1, 0.5, 26)  # of a range: how much of its ends is clipped away, if that makes the mean square error least


def attributes(node):
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def pads_of(a):
    top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
    return left, right, top, bottom


def run_node(node, x):
    """The node's first output, of its inputs (torch tensors, None where one is left out)."""
    a, op = attributes(node), node.op_type
    if op == "Conv" and x[1].dim() == 4 and a.get("auto_pad", b"NOTSET") == b"NOTSET":
        return F.conv2d(F.pad(x[0], pads_of(a)), x[1], x[2] if len(x) > 2 else None, a.get("strides", [1, 1]), 0,
                        a.get("dilations", [1, 1]), a.get("group", 1))
    if op == "MaxPool" and not a.get("ceil_mode"):
        return F.max_pool2d(F.pad(x[0], pads_of(a), value=-np.inf), a["kernel_shape"], a.get("strides", [1, 1]))
    if op == "Gemm" and not a.get("transA"):
        y = a.get("alpha", 1) * (x[0] @ (x[1].T if a.get("transB") else x[1]))
        return y + a.get("beta", 1) * x[2] if len(x) > 2 else y
    if op == "Clip":
        low, high = (x[i] if len(x) > i and x[i] is not None else None for i in (1, 2))
        return x[0].clamp(low, high) if low is not None or high is not None else x[0]
    simple = {"Relu": lambda: x[0].relu(), "Add": lambda: x[0] + x[1], "Mul": lambda: x[0] * x[1],
              "Sigmoid": lambda: x[0].sigmoid(),
              "Flatten": lambda: x[0].flatten(1), "Identity": lambda: x[0], "Cast": lambda: x[0].float(),
              "GlobalAveragePool": lambda: x[0].mean((2, 3), keepdim=True)}
    if op not in simple:
        sys.exit(f"quantise.py: node '{node.name or node.output[0]}' ({op}): this operator or its attributes are not supported")
    return simple[op]()


def values(graph, constants, batch):
    """{name: array} of everything that the graph computes of a batch"""
    known = {k: torch.from_numpy(np.array(v)) for k, v in constants.items()}
    fed = [i.name for i in graph.input if i.name not in constants]
    known[fed[0]] = torch.from_numpy(batch)
    out = {fed[0]: batch}
    for node in graph.node:
        y = run_node(node, [known[i] if i else None for i in node.input])
        known[node.output[0]] = y
        out[node.output[0]] = y.numpy()
    return out


def step(x):
    """(scale, zero point) of 8 bits for these values, 0 among them: the least mean square error"""
    low, high = min(0.0, float(x.min())), max(0.0, float(x.max()), 1e-6)
    best = None
    for s in SHRINK:
        scale = np.float32((high - low) * s / 255)
        zero = int(np.clip(np.rint(-128 - low * s / scale), -128, 127))
        y = (np.clip(np.rint(x / scale) + zero, -128, 127) - zero) * scale
        error = float(np.mean((x - y) ** 2))
        if best is None or error < best[0]:
            best = error, scale, zero
    return best[1:]


def plan(graph, everything):
    """(names of the nodes' outputs that are computed in 8 bits, values that go between them in 8 bits)"""
    readers = {}
    for n in graph.node:
        for i in n.input:
            readers.setdefault(i, []).append(n)
    outputs = {o.name for o in graph.output}
    convs = [n for n in graph.node if n.op_type == "Conv"]
    chosen = {n.output[0] for n in (convs if everything else convs[1:])}
    between = set()
    for n in graph.node:
        after = readers.get(n.output[0], [])
        last = after[0] if len(after) == 1 and after[0].op_type in CLAMPS and n.output[0] not in outputs else n
        if n.op_type in ("Add", "MaxPool") and all(i in between for i in n.input):
            chosen.add(n.output[0])
        if n.output[0] in chosen:
            between |= {n.input[0], last.output[0]}
        elif n.op_type == "Conv":
            between.add(last.output[0])  # the float one at the beginning
    return chosen, between


def quantise_weights(graph, node, constants, done):
    name = node.input[1]
    if name not in done:
        w = constants[name].astype(np.float32)
        scale = np.maximum(np.abs(w).reshape(len(w), -1).max(1) / 127, 1e-8).astype(np.float32)
        q = np.clip(np.rint(w / scale.reshape(-1, *[1] * (w.ndim - 1))), -127, 127).astype(np.int8)
        parts = [name + "_q", name + "_scale", name + "_zero"]
        for part, x in zip(parts, (q, scale, np.zeros(len(w), np.int8))):
            graph.initializer.append(numpy_helper.from_array(x, part))
        done[name] = helper.make_node("DequantizeLinear", parts, [name + "_dq"], name=name + "_dq", axis=0)
        yield done[name]
    node.input[1] = name + "_dq"


def rewrite(graph, constants, chosen, steps):
    """Puts the pairs in; what read a value reads it as it comes out of 8 bits, but for the graph's outputs."""
    def pair(name):
        scale, zero = steps[name]
        ends = [name + "_q", name + "_s", name + "_z", name + "_dq"]
        graph.initializer.append(numpy_helper.from_array(np.array(scale, np.float32), ends[1]))
        graph.initializer.append(numpy_helper.from_array(np.array(zero, np.int8), ends[2]))
        return [helper.make_node("QuantizeLinear", [name] + ends[1:3], ends[:1], name=ends[0]),
                helper.make_node("DequantizeLinear", ends[:3], ends[3:], name=ends[3])]

    nodes, done = [], {}
    for i in graph.input:
        nodes += pair(i.name) if i.name in steps else []
    for n in graph.node:
        for k, i in enumerate(n.input):
            n.input[k] = i + "_dq" if i in steps else i
        if n.op_type == "Conv" and n.output[0] in chosen:
            nodes += quantise_weights(graph, n, constants, done)
        nodes.append(n)
        nodes += pair(n.output[0]) if n.output[0] in steps else []
    del graph.node[:]
    graph.node.extend(nodes)
    read = {i for n in graph.node for i in n.input}
    for t in [t for t in graph.initializer if t.name not in read]:
        graph.initializer.remove(t)


def windows(a, model):
    """Calibration windows [n, 1, rows, columns] as the program computes them, of clips drawn from the manifest"""
    meta = {p.key: p.value for p in model.metadata_props}
    if "earshot.feature" not in meta:
        sys.exit(f"quantise.py: {a.model}: no earshot.feature among its metadata")
    prefix = "earshot.feature."
    params = {k[len(prefix):]: v for k, v in meta.items() if k.startswith(prefix)}
    held = {tuple(h.split("=")) for h in a.held}
    rows = [r for r in csv.DictReader(open(a.manifest)) if (r.get("dataset"), r.get("fold")) not in held]
    rows = [rows[i] for i in np.random.default_rng(a.seed).permutation(len(rows))[:a.clips]]
    x = extract(a.earshot, meta["earshot.feature"], params, [a.manifest.parent / r["path"] for r in rows],
                float(meta["earshot.window_s"]))
    return np.concatenate(x)[:, None].astype(np.float32)


def main(a):
    model = load_whole(a.model)
    graph = model.graph
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    x = windows(a, model)
    chosen, between = plan(graph, a.all)
    if not chosen:
        sys.exit(f"quantise.py: {a.model}: no convolution to quantise")
    samples, rng = {name: [] for name in between}, np.random.default_rng(a.seed)
    with torch.no_grad():
        for part in np.array_split(x, max(1, len(x) // 64)):
            for name, v in values(graph, constants, part).items():
                if name in between:
                    flat = v.ravel()
                    samples[name].append(flat[rng.integers(0, flat.size, 20000)])
    steps = {name: step(np.concatenate(v)) for name, v in samples.items()}
    rewrite(graph, constants, chosen, steps)
    onnx.checker.check_model(model)
    onnx.save(model, str(a.out))
    halve_weights(a.out, smallest=4096)                        # of what stays in floating point; scales and biases as they are
    print(f"{len(chosen)} operators in 8 bits, {len(steps)} results between them, from {len(x)} windows; "
          f"{a.model.stat().st_size} -> {a.out.stat().st_size} bytes")


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "out", "manifest"):
        p.add_argument(name, type=pathlib.Path)
    p.add_argument("--clips", type=int, default=400)
    p.add_argument("--held", nargs="*", default=[], metavar="DATASET=FOLD")
    p.add_argument("--all", action="store_true")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--earshot", default="build/earshot")
    main(p.parse_args())
