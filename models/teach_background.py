#!/usr/bin/python3
"""What `earshot teach` tells a taught sound apart from: embeddings of all kinds of sounds, MODEL.background beside MODEL.onnx.

  teach_background.py MODEL.onnx DATA/manifest.csv [-o MODEL.background] [--windows 9000] [--leave-out LABELS.txt] [--folds ...]

MANIFEST.csv: path,dataset,label,fold. The same number of windows of each data set's every label, half of them as the clips are, half as
microphones in rooms record them; the program itself makes the embeddings (`earshot features`). They are tied to the model's file by a
hash: made anew whenever the model changes, which takes some minutes. --leave-out: sounds (a label a line) that are to be taught, in
an experiment; they are not in it. teach/background.h has the file's form.
"""
import argparse, collections, csv, pathlib, struct, subprocess, tempfile
import numpy as np
import onnx
from audiofile import write_audio
from sounds import rooms
from sounds.clips import load_clips, parse_folds, read_at, read_vocabulary

HERE = pathlib.Path(__file__).resolve().parent
FS, PER_CLIP = 16000, 2


def fnv(data):
    """FNV-1a, 64 bit."""
    h = 14695981039346656037
    for byte in data:
        h = (h ^ byte) * 1099511628211 & 0xFFFFFFFFFFFFFFFF
    return h


def choose(rng, clips, windows):
    """Clips, as many of each data set's every label as can be."""
    kinds = collections.defaultdict(list)
    for c in clips:
        kinds[c.dataset, c.name].append(c)
    order = [[pool[i] for i in rng.permutation(len(pool))] for _, pool in sorted(kinds.items())]
    picked, turn = [], 0
    while len(picked) * PER_CLIP < windows and turn < max(map(len, order)):
        picked += [pool[turn] for pool in order if turn < len(pool)]
        turn += 1
    return picked[:-(-windows // PER_CLIP)]


def wet(rng, x):
    """As a microphone in a room records it."""
    y = rooms.through_room(rng, FS, x, 0.3, 5.0)[:len(x)]
    y = y * 10 ** (rng.uniform(-40, -18) / 20) / (rooms.active_rms(y, FS) + 1e-9)
    return rooms.microphone(rng, FS, y)[0].astype(np.float32)


def excerpts(rng, clips, folder):
    """Writes a short file for each clip, around its loudest moment; half of them through a room."""
    paths = []
    for i, c in enumerate(clips):
        x, n = read_at(c.path, FS), int(1.5 * FS)
        if len(x) > n:
            power = np.cumsum(np.r_[0, np.asarray(x, np.float64) ** 2])
            starts = rng.integers(0, len(x) - n + 1, 3)
            a = max(starts, key=lambda s: power[s + n] - power[s])
            x = x[max(0, a - FS // 2 if i % 2 else a):a + n]
        if i % 2:
            x = wet(rng, x)[-n:]
        path = folder / f"{i:05d}.wav"
        write_audio(path, x, FS)
        paths.append(path)
    return paths


def embeddings(earshot, model, paths, folder):
    listed, out, index = (folder / n for n in ("files", "out.npy", "index.csv"))
    listed.write_text("\n".join(map(str, paths)) + "\n")
    subprocess.run([earshot, "features", "--model", model, "--hop", "0.5", "--list", listed, "--index", index, "-o", out],
                   check=True)
    spans = {r["file"]: (int(r["first"]), int(r["count"])) for r in csv.DictReader(open(index))}
    x = np.load(out)
    return [x[a:a + min(n, PER_CLIP)] for a, n in (spans[str(p)] for p in paths)]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", type=pathlib.Path)
    p.add_argument("manifest", type=pathlib.Path)
    p.add_argument("-o", "--output", type=pathlib.Path, help="(MODEL.background)")
    p.add_argument("--windows", type=int, default=9000)
    p.add_argument("--folds", default="*:*", help="what may be used, as soundscape.py takes it (%(default)s)")
    p.add_argument("--leave-out", type=pathlib.Path)
    p.add_argument("--earshot", default=HERE.parent / "build/earshot")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    model = onnx.load(str(a.model))
    labels = {m.key: m.value for m in model.metadata_props}["earshot.labels"].split()
    left = set(a.leave_out.read_text().split()) if a.leave_out else set()
    vocabulary = read_vocabulary(HERE / "labels.csv")
    clips = [c for c in load_clips(a.manifest, parse_folds(a.folds), vocabulary) if c.label not in left and c.name not in left]
    rng = np.random.default_rng(a.seed)
    picked = choose(rng, clips, a.windows)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        parts = embeddings(a.earshot, a.model, excerpts(rng, picked, folder), folder)
    x = np.concatenate(parts)[:a.windows]
    known = np.repeat([labels.index(c.label) if c.label in labels else -1 for c in picked], [len(q) for q in parts])[:a.windows]
    scale = np.maximum(np.abs(x).max(0), 1e-6) / 127
    body = b"earshot background 1\n" + struct.pack("<QII", fnv(a.model.read_bytes()), *x.shape)
    body += scale.astype("<f4").tobytes() + known.astype("<i2").tobytes() + np.rint(x / scale).astype(np.int8).tobytes()
    out = a.output or a.model.with_suffix(".background")
    out.write_bytes(body + struct.pack("<Q", fnv(body)))
    print(f"{out}: {len(x)} windows of {len(picked)} clips, {len(out.read_bytes()) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
