#!/usr/bin/python3
"""One table of all recognisers that there are to compare, on the same folds, through the program: `make compare`.

  compare.py FOLDER [--work build/compare] [--earshot build/earshot] [--only NAME,...] [--no-train]

FOLDER holds data/manifest.csv (columns path, dataset, label, fold; data sets esc50 and us8k) and, as far as they are there, others'
networks in models/ and their labels in reference/cnn/; a model whose file is missing stands in the table as not there. What
has to be made first (features, networks for comparison alone) is made in --work and kept; figures are kept until the program or
the model changes. The table is also written to WORK/compare.md. The first run takes an hour of a core, the next ones seconds.
"""
import argparse, hashlib, json, os, pathlib, subprocess, sys
import onnx
from recipe import DATA_SETS

HERE = pathlib.Path(__file__).resolve().parent
SETS = ("esc50", "us8k")
RUNS = 500


class Missing(Exception):
    pass


class Failed(Exception):
    pass


def run(words, **more):
    done = subprocess.run([str(w) for w in words], **more)
    if done.returncode != 0:
        raise Failed(f"{pathlib.Path(words[0]).name} {words[1]} failed")
    return done.stdout


def python(a, recipe, *words):
    """A recipe beside this one; its own output goes to stderr, the table alone to stdout."""
    run([sys.executable, HERE / recipe, *words], stdout=sys.stderr, env=os.environ | {"PYTHONWARNINGS": "ignore"})


def there(*paths):
    for p in paths:
        if not p.exists():
            raise Missing(f"{p}: not there")
    return paths


# --- where each model comes from: a function that returns its file, or raises Missing ----------------------------------------
def shipped(name):
    return lambda a: there(HERE / name)[0]


def made(name, *recipe, training=True):
    """Made once by a recipe, called with the words `recipe` (functions are asked for theirs) and the file."""
    def make(a):
        out = a.work / name
        words = [str(w(a)) if callable(w) else w for w in recipe[1:]]
        if not out.exists():
            if training and a.no_train:
                raise Missing(f"{out}: not there, and not made: --no-train")
            print(f"{name}: being made", file=sys.stderr, flush=True)
            part = a.work / f"part-{name}"
            python(a, recipe[0], *[part if w == "OUT" else w for w in words])
            os.replace(part, out)
        return out
    return make


def original_nrdt(data, scale):
    def make(a):
        network, labels = there(a.folder / f"models/{data}_nrdt_cnn.onnx", a.folder / f"reference/cnn/{data}_labels.txt")
        return made(f"{data}-nrdt-original-{scale}.onnx", "import_nrdt.py", network, labels, "OUT", "--scale", str(scale),
                    training=False)(a)
    return make


def headed(name, importer, files, *options):
    """A network of somebody else's with a linear layer for the two sets' labels."""
    def make(a):
        found = there(*(a.folder / "models" / f for f in files))
        backbone = made(f"{name}-audioset.onnx", importer, *found, "OUT", *options, training=False)(a)
        return made(f"{name}-linear.onnx", "linear_head.py", backbone, manifest, "OUT", "--earshot", earshot,
                    "--cache", kept(f"{name}-embedding.npz"))(a)
    return make


def manifest(a): return a.folder / "data/manifest.csv"
def earshot(a): return a.earshot
def kept(name): return lambda a: a.work / name


YAMNET = ("yamnet_thz0616.tflite", "yamnet_class_map.csv")
MN04 = ("mn04_as_mAP_432.pt", "audioset_class_labels_indices.csv")
MODELS = [  # name, sets, file, what it is
    ("us8k-mfcc40", ("us8k",), shipped("us8k-mfcc40.onnx"), "mean of 40 MFCCs, dense net"),
    ("esc50-mfcc40", ("esc50",), made("esc50-mfcc40.onnx", "train_us8k_mfcc40.py", manifest, "OUT", "--data", "esc50",
                                      "--earshot", earshot), "the same for ESC-50"),
    ("vggish-cnn", SETS, made("vggish-cnn.onnx", "train_vggish.py", manifest, "OUT", "--work", kept("vggish"),
                              "--earshot", earshot), "VGGish's front end, four convolutions trained here"),
    ("us8k-nrdt-original", ("us8k",), original_nrdt("us8k", 1), "audio-class's network, fed as it was trained"),
    ("us8k-nrdt-original-int16", ("us8k",), original_nrdt("us8k", 32768), "the same, fed as its live path does"),
    ("esc50-nrdt-original", ("esc50",), original_nrdt("esc50", 1), "audio-class's network, fed as it was trained"),
    ("esc50-nrdt-original-int16", ("esc50",), original_nrdt("esc50", 32768), "the same, fed as its live path does"),
    ("us8k-nrdt", ("us8k",), shipped("us8k-nrdt.onnx"), "NRDT, SELU network of our own"),
    ("esc50-nrdt", ("esc50",), shipped("esc50-nrdt.onnx"), "NRDT, SELU network of our own"),
    ("earshot-s", SETS, lambda a: there(a.ours)[0], "the default"),
    ("yamnet-linear", SETS, headed("yamnet", "import_yamnet.py", YAMNET), "YAMNet, linear layer"),
    ("mn04-linear", SETS, headed("mn04", "import_efficientat.py", MN04), "mn04, linear layer"),
    ("mn04-5s-linear", SETS, headed("mn04-5s", "import_efficientat.py", MN04, "--window", "5"), "mn04 over 5 s, linear layer"),
]


# --- figures ------------------------------------------------------------------------------------------------------------------
def digest(*paths):
    h = hashlib.sha256()
    for p in paths:
        h.update(pathlib.Path(p).read_bytes())
    return h.hexdigest()[:16]


def cached(path, make):
    if not path.exists():
        value = make()
        path.with_suffix(".part").write_text(json.dumps(value))
        os.replace(path.with_suffix(".part"), path)
    return json.loads(path.read_text())


def accuracy(a, file, data):
    print(f"{file.name}: {DATA_SETS[data][0]} fold {DATA_SETS[data][1]}", file=sys.stderr, flush=True)
    text = run([a.earshot, "evaluate", "--model", file, "--clips", manifest(a), "--where",
                f"dataset={data},fold={DATA_SETS[data][1]}", "--json"], stdout=subprocess.PIPE)
    o = json.loads(text)
    if any(n for k, n in o["left_out"].items() if k != "filtered"):
        raise Failed(f"{file.name}: clips were left out: {o['left_out']}")
    return {"own": o["accuracy_own"], "all": o["accuracy"], "labels": o["labels"]}


def cost(a, file):
    """Milliseconds: the network's best of many runs, which others' load moves least; features and network as CPU time."""
    net = json.loads(run([a.earshot, "model", "bench", file, "--runs", RUNS, "--json"], stdout=subprocess.PIPE))["min_ms"]
    shown = json.loads(run([a.earshot, "model", "show", file, "--json"], stdout=subprocess.PIPE))
    window = float(shown["metadata"]["earshot.window_s"])
    spent = min(float(run([a.earshot, "features", "--model", file, "--give", "scores", "--time", HERE / "demo.flac"],
                          stdout=subprocess.PIPE, text=True).split(": ")[1].split()[0]) for _ in range(5))
    return {"net_ms": net, "window_ms": spent * window, "window_s": window, "parameters": shown["parameters"], "macs": shown["macs"],
            "mb": file.stat().st_size / 1e6}


def unseen(file, data):
    """Whether the model says that it was not trained on the fold."""
    props = {p.key: p.value for p in onnx.load(str(file)).metadata_props}
    held = props.get("earshot.held")
    if held is not None:
        return f"{data}:{DATA_SETS[data][1]}" in held.split(",")
    said = props.get("earshot.accuracy", "")
    return "not seen" in said or "held" in said


def measure(a, name, sets, find):
    try:
        file = find(a)
        key = digest(a.earshot, file, manifest(a))
        figures = {d: cached(a.work / f"{key}-{d}.json", lambda: accuracy(a, file, d)) | {"unseen": unseen(file, d)} for d in sets}
        return {"cost": cached(a.work / f"{key}-cost.json", lambda: cost(a, file)), "sets": figures}
    except (Missing, Failed) as e:
        return {"problem": str(e)}


# --- the table ------------------------------------------------------------------------------------------------------------------
def share(m, data):
    if data not in m["sets"]:
        return "-"
    s = m["sets"][data]
    own = s["own"]
    return f"{100 * own['value']:.1f} ({100 * own['low']:.1f} to {100 * own['high']:.1f}){'' if s['unseen'] else ' *'}"


def count(n): return f"{n / 1e6:.2f} M" if n >= 1e6 else f"{n / 1e3:.0f} k"


def cells(name, what, m):
    head = [name, what]
    if "problem" in m:
        return head + [m["problem"]] + [""] * 7
    c = m["cost"]
    return head + [share(m, "esc50"), share(m, "us8k"), f"{c['window_s']:g} s", count(c["parameters"]), count(c["macs"]),
                   f"{c['window_ms']:.2f}", f"{c['net_ms']:.2f}", f"{c['mb']:.2f}"]


def table(rows, folder):
    counts = {d: next((m["sets"][d]["own"]["clips"] for _, _, m in rows if "sets" in m and d in m["sets"]), None) for d in SETS}
    clips = lambda d: f", {counts[d]} clips" if counts[d] else ""
    head = ["model", "what", *(f"{DATA_SETS[d][0]} fold {DATA_SETS[d][1]}{clips(d)}: %" for d in SETS), "window", "parameters",
            "MACs a window", "ms a window", "network alone", "MB"]
    body = [cells(*r) for r in rows]
    width = [max(len(row[i]) for row in [head] + [b for b in body if i != 2 or b[3]]) for i in range(len(head))]
    line = lambda row: "| " + " | ".join(t.ljust(w) if i < 2 else t.rjust(w) for i, (t, w) in enumerate(zip(row, width))) + " |"
    rule = "|" + "|".join("-" * (w + 1) + ("-" if i < 2 else ":") for i, w in enumerate(width)) + "|"
    return "\n".join([line(head), rule] + [line(b) for b in body]) + "\n" + f"""
Right by the best label of the whole clip, of those that the data set has, as `earshot classify` gives it, with a 95 % Wilson interval; through
`earshot evaluate`. *: trained on clips of this fold, or nobody knows: not to be compared with figures without it. ms a window: CPU
time of features and network, one core of this machine; network alone: the best of {RUNS} runs; MB: the file.
"""


def main(a):
    if not manifest(a).exists():
        sys.exit(f"{manifest(a)}: not there; SHARED=FOLDER names the folder that holds data/manifest.csv")
    if not a.earshot.exists():
        sys.exit(f"{a.earshot}: not there: run make first")
    a.work.mkdir(parents=True, exist_ok=True)
    wanted = a.only.split(",") if a.only else [m[0] for m in MODELS]
    for name in wanted:
        if name not in [m[0] for m in MODELS]:
            sys.exit(f"--only {name}: allowed are " + ", ".join(m[0] for m in MODELS))
    rows = [(name, what, measure(a, name, sets, find)) for name, sets, find, what in MODELS if name in wanted]
    text = table(rows, a.folder)
    (a.work / "compare.md").write_text(text)
    print(text, end="")
    sys.exit(any("problem" in m and "not there" not in m["problem"] for _, _, m in rows))


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/compare"))
    p.add_argument("--earshot", type=pathlib.Path, default=pathlib.Path("build/earshot"))
    p.add_argument("--ours", type=pathlib.Path, default=HERE / "earshot-s.onnx",
                   help="the default model, or one of its recipe that has not heard the folds (%(default)s)")
    p.add_argument("--only", help="these models alone")
    p.add_argument("--no-train", action="store_true", help="what is not made yet is not trained")
    main(p.parse_args())
