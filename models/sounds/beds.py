"""What goes on behind the sounds that are to be heard: speech, music, a kitchen, a road, a quiet room."""
import numpy as np
from scipy.fft import next_fast_len
from scipy.signal import fftconvolve, resample_poly
from . import world
from .clips import active_span, read_at
from .home import semitones, voice
from .parts import coloured, edges, place, seconds_of
from .rooms import active_rms

WHO = ("My sister", "The neighbour", "Our teacher", "An old friend", "The driver", "Nobody", "The whole family",
       "That doctor")
DID = ("forgot", "has found", "would like to sell", "repaired", "is looking for", "painted", "never liked",
       "talked about")
WHAT = ("the bicycle", "a new kitchen", "those photographs", "the broken lamp", "her winter coat", "the garden gate",
        "another holiday", "the newspaper", "the results", "a piece of cake")
WHEN = ("last summer.", "on the way home.", "before breakfast.", "since Monday.", "in the middle of the night.",
        "without a word.", "as far as I know.", "after all these years.")
VOICES = ("en-us", "en-gb", "en-gb-x-rp", "en-029", "de", "fr", "es", "it")
TRAFFIC = {"engine_idling", "train", "wind", "airplane", "helicopter", "air_conditioner", "rain"}
KITCHEN = {"kitchen20"}
KINDS = ("speech", "music", "kitchen", "traffic", "quiet")


def sentence(rng):
    return " ".join(str(rng.choice(part)) for part in (WHO, DID, WHAT, WHEN))


def utterance(rng, fs, clips):
    """Some seconds of speech: synthesised, or words and sentences of recorded speakers."""
    if not clips or rng.random() < 0.35:
        sex = str(rng.choice(["", "+m2", "+m4", "+m5", "+m6", "+f3", "+f5"]))
        text = " ".join(sentence(rng) for _ in range(rng.integers(1, 4)))
        return world.say(fs, str(rng.choice(VOICES)) + sex, rng.integers(120, 200), rng.integers(15, 85), text)
    first = clips[rng.integers(len(clips))]
    if first.dataset != "speech_commands":
        return varied(rng, fs, read_at(first.path, fs))
    words = [c for c in clips if c.dataset == "speech_commands"]
    picked = [read_at(words[rng.integers(len(words))].path, fs) for _ in range(rng.integers(2, 9))]
    return np.concatenate([x / (active_rms(x, fs) + 1e-9) for x in picked])


def varied(rng, fs, x):
    """Played a little faster or slower."""
    return resample_poly(x, 100, int(rng.integers(92, 109)))


def band(rng, fs):
    """Synthesised music: chords, a bass, at times a tune and drums."""
    s, beat = rng.uniform(10, 20), rng.uniform(0.3, 0.65)
    x, root = np.zeros(int(fs * s)), rng.uniform(110, 240)
    chords, bass, lead = voice(rng, fs), voice(rng, fs), voice(rng, fs)
    minor, tune, drums = rng.random() < 0.5, rng.random() < 0.7, rng.random() < 0.6
    for k, at in enumerate(np.arange(0, s - 2, beat)):
        if k % 4 == 0:
            step = rng.choice([0, 5, 7, 9 if not minor else 8])
            for n in (0, 3 if minor else 4, 7):
                place(x, int(fs * at), chords(semitones(2 * root, step + n), 4 * beat), 0.3)
        if k % 2 == 0:
            place(x, int(fs * at), bass(semitones(root, step - 12), 2 * beat), 0.6)
        if tune and rng.random() < 0.7:
            place(x, int(fs * at), lead(semitones(4 * root, step + rng.choice([0, 2, 4, 7, 9])), beat), 0.35)
        if drums:
            hit = rng.standard_normal(int(0.15 * fs)) * np.exp(-seconds_of(fs, 0.15) / (0.03 if k % 2 else 0.012))
            kick = np.sin(2 * np.pi * 60 * seconds_of(fs, 0.2)) * np.exp(-seconds_of(fs, 0.2) / 0.06)
            place(x, int(fs * at), hit, 0.25)
            place(x, int(fs * at), kick, 0.8 * (k % 2 == 0))
    return x


def piece_of(rng, fs, kind, library):
    """(samples, label or "") of one stretch of the bed"""
    if kind == "speech":
        return utterance(rng, fs, library.get("speech", [])), "speech"
    if kind == "music":
        clips = library.get("music", [])
        if not clips or rng.random() < 0.5:
            return band(rng, fs), "music"
        layers = [varied(rng, fs, read_at(clips[rng.integers(len(clips))].path, fs)) for _ in range(rng.integers(1, 4))]
        x = np.zeros(int(max(map(len, layers)) * 1.2))
        for y in layers:
            while len(y) < 4 * fs:
                y = np.tile(y, 2)
            x = np.pad(x, (0, max(0, len(y) - len(x))))
            place(x, int(rng.integers(0, max(1, len(x) - len(y) + 1))), y / (active_rms(y, fs) + 1e-9))
        return x, "music"
    clips = library.get(kind, [])
    if not clips:
        return world.silence(rng, fs, 8.0), ""
    c = clips[rng.integers(len(clips))]
    return read_at(c.path, fs), c.label


def library_of(clips):
    """Clips by kind of bed."""
    return {"speech": [c for c in clips if c.label == "speech"], "music": [c for c in clips if c.label == "music"],
            "kitchen": [c for c in clips if c.dataset in KITCHEN], "traffic": [c for c in clips if c.label in TRAFFIC]}


def make_bed(rng, fs, seconds, kind, library, responses):
    """(samples with an active RMS of 1, [(onset, offset, label)] of what is in it, by time, apart for each label)"""
    n = int(fs * seconds)
    if kind == "quiet":
        x = np.zeros(n)
        for at in range(0, n, 30 * fs):      # from one room's noise to another's in 2 s
            place(x, max(0, at - 2 * fs), edges(world.silence(rng, fs, 34.0), fs, 2.0 if at else 0.0))
        return x / active_rms(x, fs), []
    x, at, spans = np.zeros(n), 0, []
    steady = kind in ("kitchen", "traffic")
    if steady:
        x += 10 ** (-12 / 20) * coloured(rng, next_fast_len(n), 1.5)[:n]
    while at < n:
        y, label = piece_of(rng, fs, kind, library)
        y = edges(y / (active_rms(y, fs) + 1e-9), fs, 0.5 if steady else 0.01) * 10 ** (rng.uniform(-2, 2) / 20)
        if not steady and len(responses):
            y = fftconvolve(y, responses[rng.integers(len(responses))])
            y /= active_rms(y, fs) + 1e-9
        place(x, at, y)
        if label:
            a, b = active_span(y, fs)
            spans.append((((at + a) / fs), min(n, at + b) / fs, label))
        pause = -0.5 if steady else rng.exponential(0.4) if rng.random() < 0.85 else rng.uniform(2, 6)
        at += max(fs // 2, len(y) + int(fs * pause))
    return x / active_rms(x, fs), merged(spans, seconds)


def merged(spans, seconds, gap=1.0):
    """One after the other: those of a label that are less than `gap` seconds apart made one."""
    out = {}
    for a, b, label in sorted(spans):
        if a >= seconds - 0.1:
            continue
        mine = out.setdefault(label, [])
        if mine and a - mine[-1][1] < gap:
            mine[-1] = (mine[-1][0], max(b, mine[-1][1]), label)
        else:
            mine.append((a, b, label))
    return sorted(s for all_of in out.values() for s in all_of)
