"""Sirens, knocks, clocks, rain, speech, quiet rooms. Each: (rng, rate, seconds) -> samples."""
import subprocess, tempfile
import numpy as np
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt
from audiofile import read_audio
from .parts import coloured, partials, place, seconds_of, strike

SENTENCES = ("The kettle is on the stove.", "Could you open the window, please?", "I will be home at half past seven.",
             "Did you hear that noise?", "We should go for a walk this afternoon.", "Nobody told me about the meeting.",
             "Put the plates on the table.", "It might rain tomorrow morning.", "Where did I leave my keys?",
             "She has lived in that house for years.", "Good evening, and welcome to the news.",
             "Wait for me at the station.")


def siren(rng, fs, s):
    t = seconds_of(fs, s)
    low, high = rng.uniform(500, 750), rng.uniform(1100, 1700)
    kind = rng.integers(3)
    if kind == 0:    # wail
        glide = 0.5 - 0.5 * np.cos(2 * np.pi * t / rng.uniform(2.5, 6) + rng.uniform(0, 6))
    elif kind == 1:  # yelp
        glide = (t / rng.uniform(0.22, 0.4)) % 1
    else:            # two tones
        low, high = rng.uniform(400, 500), rng.uniform(540, 680)
        glide = ((t / rng.uniform(0.8, 1.4) + rng.random()) % 1 > 0.5).astype(float)
    freq = low * (high / low) ** glide
    levels = [1] + [rng.uniform(0.2, 0.9) / k for k in range(2, 9)]
    return np.tanh(rng.uniform(0.5, 2) * partials(2 * np.pi * np.cumsum(freq) / fs, fs, high, levels))


def knock(rng, fs, s):
    x, at, gap = np.zeros(int(fs * s)), rng.uniform(0.05, 0.3), rng.uniform(0.14, 0.4)
    modes, decay = np.sort(rng.uniform(80, 900, 7)), rng.uniform(0.012, 0.04)
    while at < s - 0.2:
        for _ in range(rng.integers(2, 6)):
            place(x, int(at * fs), strike(rng, fs, modes * rng.uniform(0.97, 1.03, 7), decay), rng.uniform(0.6, 1))
            at += gap * rng.uniform(0.9, 1.1)
        at += rng.uniform(0.5, 1.5)
    return x


def tick(rng, fs, s):
    x, gap = np.zeros(int(fs * s)), 1 / rng.choice([1, 2, 2, 4, 5])
    tock = [strike(rng, fs, rng.uniform(1200, 6500, 5), rng.uniform(0.002, 0.008), 0.08) for _ in range(2)]
    for k, at in enumerate(np.arange(rng.uniform(0, gap), s, gap)):
        place(x, int(at * fs), tock[k % 2], (1, rng.uniform(0.5, 1))[k % 2])
    return x


def rain(rng, fs, s):
    n = int(fs * s)
    bed = sosfilt(butter(2, rng.uniform(300, 1500), "high", fs=fs, output="sos"), coloured(rng, n, rng.uniform(0, 0.8)))
    drops = np.where(rng.random(n) < rng.uniform(50, 600) / fs, rng.exponential(1, n), 0)
    drop = np.exp(-seconds_of(fs, 0.01) / 0.0015) * np.sin(2 * np.pi * rng.uniform(1500, 5000) * seconds_of(fs, 0.01))
    return bed + rng.uniform(0.5, 4) * fftconvolve(drops, drop)[:n]


def say(fs, voice, speed, pitch, text):
    """What espeak-ng makes of a text: speed in words a minute, pitch 0 to 99."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as f:
        subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", f.name, text], check=True)
        x, rate = read_audio(f.name)
    return resample_poly(x, fs, rate)


def speech(rng, fs, s):
    voice = rng.choice(["en-gb", "en-us", "en-gb-scotland"])
    voice += rng.choice(["", "+m1", "+m3", "+m7", "+f1", "+f2", "+f4"])
    text = " ".join(rng.permutation(SENTENCES)[:max(1, int(s / 2) + 1)])
    x = say(fs, voice, rng.integers(130, 190), rng.integers(20, 80), text)[:int(fs * s)]
    return np.pad(x, (0, int(fs * s) - len(x)))


def silence(rng, fs, s):
    """A quiet room: coloured noise, at times with mains hum and its harmonics, at times muffled; RMS 1."""
    x, t = coloured(rng, int(fs * s), rng.uniform(0, 2)), seconds_of(fs, s)
    if rng.random() < 0.4:
        x = x + rng.uniform(0.1, 2) * partials(2 * np.pi * rng.choice([50, 60]) * t, fs, 60, rng.uniform(0, 1, 8))
    if rng.random() < 0.6:
        cut = 10 ** rng.uniform(2.3, 3.8)
        x = sosfilt(butter(rng.integers(1, 4), cut, fs=fs, output="sos"), x)
    return x / np.sqrt(np.mean(x ** 2))
