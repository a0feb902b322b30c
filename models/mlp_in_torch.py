#!/usr/bin/python3
"""The net of `earshot train --kind mfcc-mlp` in PyTorch: what the program is measured against, in accuracy and in time.

  mlp_in_torch.py LIST.csv [--epochs 50] [--seeds 3] [--earshot build/earshot] [--once]

LIST.csv has the columns path, label, fold (WAV files). Mean MFCCs from SciPy, as librosa's defaults have them, or with --earshot from
the program; 40-100-200-100-classes, ReLU, dropout 0.5, Adam 0.001, batches of 32, a fixed number of epochs; each fold left out once,
with all clips of its Freesound recordings. The program does the same by

  earshot train --kind mfcc-mlp --csv LIST.csv --folds fold --drop-leaks --check 0 --epochs 50 --no-cache -o out.onnx

Prints the share of clips that is right and the seconds that features and training took, by the clock and of processors. --once trains
one net on all clips and measures nothing, as `--test 0` in place of `--folds fold` does. Needs python3-torch, python3-scipy.
"""
import argparse, csv, os, pathlib, time
import numpy as np, scipy.fft, scipy.io.wavfile, scipy.signal, torch
from recipe import MFCC40, extract, freesound_ids

RATE, FFT, HOP, MELS, WINDOW_S = 22050, 2048, 512, 128, 4.0


def mel_bank():
    """Slaney's mel scale and norm, as librosa.filters.mel"""
    hz = lambda m: np.where(m < 15, m * 200 / 3, 1000 * np.exp((m - 15) * np.log(6.4) / 27))
    top = 15 + np.log(RATE / 2 / 1000) / (np.log(6.4) / 27)
    edge, f = hz(np.linspace(0, top, MELS + 2)), np.fft.rfftfreq(FFT, 1 / RATE)
    up, down = ((f - edge[:-2, None]) / np.diff(edge)[:-1, None]), ((edge[2:, None] - f) / np.diff(edge)[1:, None])
    return (np.maximum(0, np.minimum(up, down)) * (2 / (edge[2:] - edge[:-2]))[:, None]).astype(np.float32)


def mfcc_mean(path, bank, hann):
    rate, x = scipy.io.wavfile.read(path)
    x = x.astype(np.float32) / 32768
    x = x.mean(1) if x.ndim > 1 else x
    if rate != RATE:
        g = np.gcd(rate, RATE)
        x = scipy.signal.resample_poly(x, RATE // g, rate // g).astype(np.float32)
    n = int(WINDOW_S * RATE)
    x = np.pad(np.pad(x[:n], (0, max(0, n - len(x)))), FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(x, FFT)[::HOP] * hann
    mel = (np.abs(scipy.fft.rfft(frames)) ** 2) @ bank.T
    db = 10 * np.log10(np.maximum(1e-10, mel))
    return scipy.fft.dct(np.maximum(db, db.max() - 80), norm="ortho")[:, :40].mean(0)


def fit(x, y, classes, epochs, seed):
    torch.manual_seed(seed)
    layer = lambda i, o: [torch.nn.Linear(i, o), torch.nn.ReLU(), torch.nn.Dropout(0.5)]
    net = torch.nn.Sequential(*layer(x.shape[1], 100), *layer(100, 200), *layer(200, 100), torch.nn.Linear(100, classes))
    for m in net:
        if isinstance(m, torch.nn.Linear):
            torch.nn.init.xavier_uniform_(m.weight), torch.nn.init.zeros_(m.bias)
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(epochs):
        for b in torch.randperm(len(x)).split(32):
            loss = torch.nn.functional.cross_entropy(net(x[b]), y[b])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return net.eval()


def main(a):
    torch.set_num_threads(a.threads)
    rows = list(csv.DictReader(open(a.list)))
    paths, t0 = [a.list.parent / r["path"] for r in rows], time.time()
    if a.earshot:
        x = np.array([m[0, 0] for m in extract(a.earshot, "mfcc", MFCC40, paths, WINDOW_S)])
    else:
        bank, hann = mel_bank(), scipy.signal.get_window("hann", FFT).astype(np.float32)
        x = np.array([mfcc_mean(p, bank, hann) for p in paths], dtype=np.float32)
    took = time.time() - t0
    spent = os.times()
    labels = sorted({r["label"] for r in rows})
    y = torch.tensor([labels.index(r["label"]) for r in rows])
    fold = np.array([r["fold"] for r in rows])
    ids = [freesound_ids({"dataset": "us8k", "path": r["path"]}) for r in rows]
    print(f"features of {len(rows)} clips: {took:.1f} s, {spent[0] + spent[2]:.1f} s of processors", flush=True)
    for seed in range(a.seeds):
        right, t0, p0 = 0, time.time(), time.process_time()
        for f in ([] if a.once else sorted(set(fold))) + [None]:    # None: the net that would be written
            held = fold == f
            family = set().union(*[i for i, h in zip(ids, held) if h])
            train = np.array([not i & family for i in ids]) & ~held
            mean, spread = x[train].mean(0), x[train].std(0)
            z = torch.from_numpy(((x - mean) / spread).astype(np.float32))
            net = fit(z[train], y[train], len(labels), a.epochs, seed)
            with torch.no_grad():
                right += int((net(z[held]).argmax(1) == y[held]).sum()) if held.any() else 0
        print(f"seed {seed}: {right / len(rows):.1%} of {len(rows)} are right; training {time.time() - t0:.1f} s, "
              f"{time.process_time() - p0:.1f} s of processors", flush=True)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("list", type=pathlib.Path)
    p.add_argument("--epochs", type=int, default=50)
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--earshot")
    p.add_argument("--once", action="store_true")
    main(p.parse_args())
