"""Checks of models/sounds and of a folder that soundscape.py made; prints "ok WHAT" or "no WHAT" a line.

soundscape_checks.py LABELS.csv FOLDER SYNTH_MANIFEST.csv, with models/ in PYTHONPATH."""
import csv, pathlib, sys, tempfile
import numpy as np
from audiofile import read_audio
from sounds import alarms, clips, rooms, stream

labels, folder, synth_manifest = map(pathlib.Path, sys.argv[1:])
FS = stream.FS


def check(what, good):
    print("ok" if good else "no", what)


def rows(path):
    return list(csv.DictReader(open(path)))


def spans(path):
    return [(float(r["onset"]), float(r["offset"]), r["label"], r["source"]) for r in rows(path)]


def annotations():
    known, sane, apart, polyphony, beds, events = {r["slug"] for r in rows(labels)}, True, True, 0, 0, 0
    for line in rows(folder / "LIST.csv"):
        x, rate = read_audio(folder / line["audio"])
        s = spans(folder / line["annotations"])
        sane &= rate == FS and abs(len(x) / rate - float(line["seconds"])) < 0.06 and s == sorted(s)
        sane &= all(0 <= a < b <= len(x) / rate and name in known for a, b, name, _ in s)
        apart &= all(not (p[2] == q[2] and q[0] < p[1]) for i, p in enumerate(s) for q in s[i + 1:])
        placed = [t for t in s if t[3] != "bed"] + spans(folder / line["audio"].replace(".flac", ".others.csv"))
        polyphony = max([polyphony] + [sum(a <= t[0] < b for a, b, _, _ in placed) for t in placed])
        beds, events = beds + len(s), events + len(placed)
    check("annotations lie in their file, sorted, under names of labels.csv", sane and events > 8)
    check("no two of a label overlap", apart)
    check("two sounds at once at most", 1 <= polyphony <= 2)


def tone_after_silence(rng, fs):
    t = np.arange(fs) / fs
    return np.concatenate([np.zeros(int(0.7 * fs)), np.sin(2 * np.pi * 1000 * t), np.zeros(fs // 2)])


def beeps(rng, fs):
    return alarms.smoke_t3(rng, fs, 5.0)


def ratios():
    """The bed is what is left of the stream when the sounds are taken out of it."""
    for bed in ("speech", "music", "kitchen", "quiet"):
        sources = {"siren": [tone_after_silence], "smoke_alarm": [beeps]}
        spec = stream.Spec(40.0, bed, [0.0, 10.0, 20.0], sources, gap=2.0, microphone="good")
        x, events, _, _, _ = stream.mix(spec, {}, "test", 5, 0)
        rest = x.copy()
        for e in events:
            part = rest[e.start:e.start + len(e.samples)]     # the last one may ring beyond the end
            part -= e.samples[:len(part)]
        level = rooms.active_rms(rest, FS)
        off = [20 * np.log10(rooms.active_rms(e.samples, FS) / level) - e.snr for e in events]
        check(f"SNR over {bed} within 0.2 dB ({len(off)} sounds, {np.abs(off).max():.4f} dB)",
              len(off) > 3 and np.abs(off).max() < 0.2)


def onsets():
    spec = stream.Spec(60.0, "quiet", [40.0], {"siren": [tone_after_silence]}, gap=3.0, microphone="good",
                       distance=(0.6, 1))
    x, events, _, _, _ = stream.mix(spec, {}, "test", 6, 0)
    power = np.mean(x[:len(x) // 80 * 80].reshape(-1, 80) ** 2, axis=1)
    worst = 0
    for e in events:
        near = power[int((e.onset - 0.3) * 200):int((e.onset + 0.5) * 200)]
        heard = np.flatnonzero(near > near.max() / 50)[0] / 200 - 0.3
        worst = max(worst, abs(heard))
    check(f"onsets where the sound sets in, within 30 ms ({len(events)} sounds, {1000 * worst:.0f} ms)",
          len(events) > 5 and worst < 0.03)
    lasted = [e.offset - e.onset for e in events]
    check("a second of tone lasts a second and what the room adds", 0.97 < min(lasted) and max(lasted) < 1.8)


def halves():
    with tempfile.TemporaryDirectory() as d:
        d, lines = pathlib.Path(d), [("path", "dataset", "label", "fold")]
        for k in range(40):
            lines.append((f"4-{1000 + k % 15}-A-{k}.opus", "esc50", ("dog", "rain")[k % 2], 4))
            lines.append((f"{1000 + k % 21}-3-0-{k}.opus", "us8k", "dog_bark", 2))
            lines.append((f"{2000 + k}-3-0-{k}.opus", "us8k", "dog_bark", 3))
        for name, *_ in lines[1:]:
            (d / name).touch()
        with open(d / "m.csv", "w", newline="") as f:
            csv.writer(f).writerows(lines)
        vocabulary, folds = clips.read_vocabulary(labels), clips.parse_folds("esc50:4,us8k:2")
        tune, test, both = (clips.load_clips(d / "m.csv", folds, vocabulary, h) for h in (0, 1, None))
    check("folds let through what they name", len(both) == 80 and {c.label for c in both} == {"dog_bark", "rain"})
    check("the halves share no recording", not {c.family for c in tune} & {c.family for c in test})
    check("the halves are halves", len(tune) + len(test) == 80 and min(len(tune), len(test)) > 25)


def lengths(x):
    """Seconds of sound and of silence in turn, the first and the last left out."""
    size = int(0.005 * FS)
    on = np.abs(x[:len(x) // size * size]).reshape(-1, size).max(1) > 0.1 * np.abs(x).max()
    turns = np.flatnonzero(np.diff(on.astype(int)))
    runs = np.diff(turns) * 0.005
    first = bool(on[turns[0] + 1])
    return runs[0 if first else 1::2], runs[1 if first else 0::2]


def patterns():
    t3, t4, pitch = [], [], []
    for k in range(30):
        x = alarms.smoke_t3(np.random.default_rng(k), FS, 12.0)
        on, off = lengths(x)
        t3.append(on.max() < 0.62 and on.min() > 0.38 and 1.1 < off.max() < 1.8 and np.sort(off)[len(off) // 2] < 0.7)
        pitch.append(np.argmax(np.abs(np.fft.rfft(x))) * FS / len(x))
        on, off = lengths(np.pad(alarms.co_t4(np.random.default_rng(k), FS, 20.0), FS))
        burst = np.flatnonzero(off > 0.5)
        t4.append(on[:-1].max() < 0.15 and len(burst) > 0 and all(np.diff(burst) == 4))
    check("temporal three: half a second on, half off, a pause after three", all(t3))
    check("temporal four: bursts of four of a tenth of a second", all(t4))
    check(f"smoke alarms at 2.65 to 3.55 kHz ({min(pitch):.0f} to {max(pitch):.0f} Hz)",
          2650 < min(pitch) and max(pitch) < 3550)


def responses():
    good = True
    for k in range(20):
        h, metres = rooms.shoebox(np.random.default_rng(k), FS, 0.6, 4.0)
        decay = np.cumsum(h[::-1] ** 2)[::-1]
        good &= 0.9 < h[0] < 1.3 and np.isfinite(h).all() and decay[-1] < 1e-4 * decay[0] and 0.6 <= metres <= 4
    check("rooms begin with the direct sound and die away", good)


def training():
    known = {r["slug"] for r in rows(labels)}
    made = rows(synth_manifest)
    check("synthesised labels are those of labels.csv or none", {r["label"] for r in made} <= known | {""})
    loud = [np.abs(read_audio(synth_manifest.parent / r["path"])[0]).max() for r in made if r["kind"] != "silence"]
    check("synthesised sounds are audible and unclipped", min(loud) > 0.01 and max(loud) < 1)


annotations(), ratios(), onsets(), halves(), patterns(), responses(), training()
