"""What the recipes share: features from the program, audio files, metadata of a model."""
import csv, pathlib, subprocess, tempfile
import numpy as np
import onnx, onnx.numpy_helper
from audiofile import read_audio, write_audio  # noqa: F401 - for the recipes

SHARED_NAMES = {"dog": "dog_bark", "engine": "engine_idling"}  # one slug for what two data sets name differently

# Every parameter of the features, as metadata names them: a model must not change when the program's defaults do.
LOGMEL = {
    "sample_rate": 16000, "sample_scale": 1, "frames": 96, "pooling": "none", "layout": "frames_bands",
    "window": 400, "window_symmetry": "periodic", "window_place": "start", "hop": 160, "fft_size": 512,
    "centre": "false", "pad_mode": "constant", "spectrum": "magnitude",
    "mel_bands": 64, "fmin": 125, "fmax": 7500, "mel_scale": "htk", "mel_triangles": "mel", "mel_norm": "none",
    "skip_dc": "true", "skip_nyquist": "false", "pre_emphasis": 0,
    "log": "ln", "log_offset": 0.001, "log_amin": 0, "top_db": 0, "scale": 0.4, "shift": 1.2}
MFCC40 = {
    "sample_rate": 22050, "sample_scale": 1, "frames": 0, "pooling": "mean", "layout": "frames_bands",
    "window": 2048, "window_symmetry": "periodic", "window_place": "centre", "hop": 512, "fft_size": 2048,
    "centre": "true", "pad_mode": "constant", "spectrum": "power",
    "mel_bands": 128, "fmin": 0, "fmax": 0, "mel_scale": "slaney", "mel_triangles": "hz", "mel_norm": "slaney",
    "skip_dc": "false", "skip_nyquist": "false", "pre_emphasis": 0,
    "log": "db", "log_offset": 0, "log_amin": 1e-10, "top_db": 80, "scale": 1, "shift": 0, "n_mfcc": 40}
NRDT = {
    "sample_rate": 44100, "sample_scale": 1, "frames": 220, "pooling": "none", "layout": "bands_frames",
    "delays": "2,4,8,16,20,32,50,64,100,128,200", "block": 1000, "flag": 0}

# Data sets with official folds: name, the fold that is held unless asked otherwise
DATA_SETS = {"us8k": ("UrbanSound8K", "2"), "esc50": ("ESC-50", "4")}
LICENCE = "weights: CC BY-NC 4.0, trained on CC BY-NC 3.0 audio ({}): not for commercial use"


def extract(earshot, feature, params, paths, window_s=None, strict=True):
    """What the program computes of each file: arrays [rows, columns], or with window_s [windows, rows, columns]. Not strict: None
    for a file that it cannot read, and says so."""
    with tempfile.TemporaryDirectory() as folder:
        files, out, index = (pathlib.Path(folder) / n for n in ("files", "out.npy", "index.csv"))
        files.write_text("\n".join(map(str, paths)) + "\n")
        given = [word for k, v in params.items() for word in ("--param", f"{k}={v}")]
        window = ["--window", str(window_s)] if window_s else []
        subprocess.run([earshot, "features", "--feature", feature, *given, *window, "--list", files, "--index", index,
                        "--output", out], check=strict)
        x = np.load(out)
        spans = {r["file"]: (int(r["first"]), int(r["count"])) for r in csv.DictReader(open(index))}
    spans = [spans[str(p)] if strict else spans.get(str(p)) for p in paths]
    return [s and x[s[0]:s[0] + s[1]] for s in spans]


def freesound_ids(row):
    """Freesound's id of the recording that a clip was cut from: it may be on one side of a split only. Of a folder of one's own:
    what `folder_rows` says."""
    if row["dataset"] == "folder":
        return {row["recording"]}
    if row["dataset"] not in ("esc50", "us8k", "kitchen20"):
        return set()
    parts = pathlib.Path(row["path"]).stem.split("-")
    return {parts[0] if row["dataset"] == "us8k" else parts[1]}


def halve_weights(path, smallest=256):
    """Stores the float32 initialisers of `smallest` elements and more as float16, each with a Cast to float32 in front of what
    reads it: half the file, and the program computes in float32 as before. One that float16 holds badly (its error is above
    0.1 % of its root mean square: values beyond 65504, or nearly all below 6e-5) stays as it is. Returns (halved, left)."""
    model = onnx.load(str(path))
    graph = model.graph
    taken = {name for n in graph.node for name in n.output} | {t.name for t in graph.initializer}
    casts, left = [], 0
    for t in graph.initializer:
        x = onnx.numpy_helper.to_array(t)
        if x.dtype != np.float32 or x.size < smallest:
            continue
        with np.errstate(over="ignore"):
            half = x.astype(np.float16)
        error = np.sqrt(np.mean((half.astype(np.float64) - x) ** 2))
        if not error <= 1e-3 * np.sqrt(np.mean(x.astype(np.float64) ** 2)):
            left += 1
            continue
        name, stored = t.name, t.name + ".float16"
        while stored in taken:
            stored += "_"
        taken.add(stored)
        t.CopyFrom(onnx.numpy_helper.from_array(half, stored))
        casts.append(onnx.helper.make_node("Cast", [stored], [name], name=name + ".float32", to=onnx.TensorProto.FLOAT))
        for i in [i for i in graph.input if i.name == name]:  # older files list their initialisers as inputs too
            graph.input.remove(i)
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return len(casts), left


def load_whole(path):
    """A model whose weights are float32 again where `halve_weights` made them float16: for what changes weights."""
    model = onnx.load(str(path))
    graph, halves = model.graph, {t.name: t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT16}
    for n in [n for n in graph.node if n.op_type == "Cast" and n.input[0] in halves]:
        t = halves[n.input[0]]
        t.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(t).astype(np.float32), n.output[0]))
        graph.node.remove(n)
    return model


def add_metadata(path, feature, params, keys):
    """Writes what earshot must know beyond the graph into the file's metadata_props."""
    model = onnx.load(str(path))
    everything = {"feature": feature, **{f"feature.{k}": str(v) for k, v in params.items()}, **keys}
    onnx.helper.set_model_props(model, {f"earshot.{k}": v for k, v in everything.items()})
    onnx.save(model, str(path))

