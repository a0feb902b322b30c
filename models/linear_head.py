#!/usr/bin/python3
"""Puts a linear layer of one's own on a network that somebody else trained: softmax over the mean-free embedding of each window.

  linear_head.py BACKBONE.onnx MANIFEST.csv OUT.onnx [--hold us8k:2,esc50:4]

BACKBONE is an earshot model with an output called embedding (import_yamnet.py and import_efficientat.py make such). OUT is the same
network with the data sets' labels in place of its own, for `earshot classify` and `evaluate` like any other model. Clips of the
folds that are held, and all others of their Freesound recordings, are not trained on. What it gives away is the backbone's
owner's to allow. --cache FILE keeps the embeddings, a few minutes' work. Needs what train_earshot_s.py needs.
"""
import argparse, csv, hashlib, os, pathlib, subprocess, tempfile, time
import numpy as np, onnx, torch
from onnx import numpy_helper
from audiofile import read_audio
from recipe import DATA_SETS, LICENCE, add_metadata, freesound_ids
from smallnet import Clips

HOP_S, QUIET_DB = 1.0, -70                       # windows below it are left out, as `earshot classify` does
DECAYS = (0.3, 1.0, 3.0, 10.0, 30.0)


def embeddings(a, clips):
    """([windows, values], windows of each clip)"""
    if a.cache and a.cache.exists():
        z = np.load(a.cache)
        if list(z["paths"]) == list(map(str, clips.paths)):
            return z["x"], z["n"]
    with tempfile.TemporaryDirectory() as folder:
        files, out, index = (pathlib.Path(folder) / n for n in ("files", "out.npy", "index.csv"))
        files.write_text("\n".join(map(str, clips.paths)) + "\n")
        subprocess.run([a.earshot, "features", "--model", a.backbone.resolve(), "--hop", str(HOP_S), "--list", files,
                        "--index", index, "--output", out], check=True)
        x, n = np.load(out), np.array([int(r["count"]) for r in csv.DictReader(open(index))])
    if a.cache:
        a.cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(a.cache.with_suffix(".part.npz"), x=x, n=n, paths=list(map(str, clips.paths)))
        os.replace(a.cache.with_suffix(".part.npz"), a.cache)
    return x, n


def loud(path, n, window_s):
    """Which of a clip's windows classify looks at: those that are not quiet, or all where every one is."""
    x, rate = read_audio(path)
    power = np.concatenate([[0], np.cumsum(x.astype(np.float64) ** 2)])
    begin = np.minimum((np.arange(n) * HOP_S * rate).astype(int), len(x))
    end = np.minimum(begin + int(window_s * rate), len(x))
    db = 10 * np.log10((power[end] - power[begin]) / (window_s * rate) + 1e-20)
    return db >= QUIET_DB if (db >= QUIET_DB).any() else np.ones(n, bool)


def fit(x, y, weight, classes, decay, seed):
    """Weighted softmax regression. Returns (weight, bias) for embeddings as they come."""
    torch.manual_seed(seed)
    mean, spread = x.mean(0), x.std(0) + 1e-3
    layer = torch.nn.Linear(x.shape[1], classes)
    torch.nn.init.zeros_(layer.weight)
    batch = 512
    opt, steps = torch.optim.AdamW(layer.parameters(), lr=3e-3, weight_decay=decay), int(np.clip(30 * len(x) / batch, 200, 1500))
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(opt, steps)
    for _ in range(steps):
        i = torch.multinomial(weight, batch, replacement=True)
        loss = torch.nn.functional.cross_entropy(layer((x[i] - mean) / spread), y[i])
        opt.zero_grad(), loss.backward(), opt.step(), plan.step()
    w = (layer.weight / spread).detach()
    return w, (layer.bias - w @ mean).detach()


def right(head, x, y, clip, which):
    """Share of the clips `which` whose mean score over the windows names them."""
    scores = torch.zeros(len(y), len(head[1])).index_add_(0, clip, (x @ head[0].T + head[1]).softmax(1))
    return float((scores.argmax(1) == y)[which].float().mean())


def chosen_head(a, clips, x, clip):
    """The decay is chosen by the recordings whose hash ends in 0 to 3 of 16; then all are trained on."""
    digit = lambda r: int(hashlib.sha1(min(freesound_ids(r)).encode()).hexdigest()[-1], 16)
    apart = np.array([digit(r) < 4 for r in clips.rows])
    count = torch.bincount(clip, minlength=len(clips.rows))

    def trained(who, decay):
        w = torch.from_numpy(np.flatnonzero(who[clip.numpy()]))
        return fit(x[w], clips.y[clip[w]], 1 / count[clip[w]].float(), len(clips.labels), decay, a.seed)

    shares = {d: right(trained(clips.train & ~apart, d), x, clips.y, clip, clips.train & apart) for d in DECAYS}
    best = max(shares, key=shares.get)
    print("decay: " + ", ".join(f"{d:g} {s:.1%}" for d, s in shares.items()) + f"; {best:g} is taken", flush=True)
    return trained(clips.train, best)


def graft(backbone, head, out):
    """Replaces what gives `scores` by a dense layer over `embedding`."""
    model = onnx.load(str(backbone))
    g = model.graph
    weight, bias = (numpy_helper.from_array(t.numpy(), n) for t, n in zip(head, ("head.weight", "head.bias")))
    need, nodes = {"embedding"}, []
    for n in reversed(g.node):
        if need & set(n.output):
            need |= set(n.input)
            nodes.insert(0, n)
    tensors = [t for t in g.initializer if t.name in need]
    del g.node[:], g.initializer[:]
    dense = onnx.helper.make_node("Gemm", ["embedding", "head.weight", "head.bias"], ["scores"], name="head", transB=1)
    g.node.extend(nodes + [dense])
    g.initializer.extend(tensors + [weight, bias])
    embedding = [o for o in g.output if o.name == "embedding"]
    del g.output[:]
    g.output.extend([onnx.helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, [1, len(head[1])])] + embedding)
    onnx.checker.check_model(model)
    onnx.save(model, str(out))


def main(a):
    torch.set_num_threads(a.threads)
    props = {p.key: p.value for p in onnx.load(str(a.backbone)).metadata_props}
    clips = Clips(a.manifest, dict(h.split(":") for h in a.hold.split(",")))
    x, n = embeddings(a, clips)
    clip = torch.from_numpy(np.repeat(np.arange(len(n)), n))
    keep = torch.from_numpy(np.concatenate([loud(p, k, float(props["earshot.window_s"])) for p, k in zip(clips.paths, n)]))
    x, clip = torch.from_numpy(x)[keep], clip[keep]
    head = chosen_head(a, clips, x, clip)
    graft(a.backbone, head, a.out)
    sets = ", ".join(DATA_SETS.get(r, (r,))[0] for r in sorted({r["dataset"] for r in clips.rows}))
    feature = {k[len("earshot.feature."):]: v for k, v in props.items() if k.startswith("earshot.feature.")}
    add_metadata(a.out, props["earshot.feature"], feature, {
        "window_s": props["earshot.window_s"], "labels": "\n".join(clips.labels), "activation": "softmax", "held": a.hold,
        "thresholds": "\n".join(["0.60"] * len(clips.labels)), "data": f"{props['earshot.data']}; then {sets}",
        "licence": f"network: {props['earshot.licence']}; last layer: {LICENCE.format(sets)}", "date": time.strftime("%Y-%m-%d"),
        "description": props["earshot.description"] + ", with a linear layer for other labels"})
    print(f"{clips.held.sum()} clips held ({a.hold}): {right(head, x, clips.y, clip, clips.held):.1%} among all labels")


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("backbone", "manifest", "out"):
        p.add_argument(name, type=pathlib.Path)
    p.add_argument("--hold", default=",".join(f"{d}:{f}" for d, (_, f) in DATA_SETS.items()), help="SET:FOLD,... (%(default)s)")
    p.add_argument("--cache", type=pathlib.Path, help=".npz")
    p.add_argument("--earshot", default="build/earshot")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int, default=1)
    main(p.parse_args())
