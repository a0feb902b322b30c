#!/usr/bin/python3
"""Synthesises sounds that the data sets lack or that must be free of rights: alarms above all.

  synth.py train DIR [--count 120] [--seed 1]    clips for training and a manifest.csv (path,dataset,label,kind)
  synth.py demo FILE.flac [--seed 2]             the bundled recording, and FILE.csv with its annotations
  synth.py tests DIR [--seed 3]                  short sounds that the tests classify, and sounds.csv

Needs numpy, scipy, libsndfile and espeak-ng. Each of the three has its own seed: nothing that is tested was trained on.
"""
import argparse, csv, pathlib, subprocess, tempfile
import numpy as np
from scipy.signal import butter, fftconvolve, lfilter, resample_poly, sosfilt
from recipe import read_audio, write_audio

SENTENCES = ("The kettle is on the stove.", "Could you open the window, please?", "I will be home at half past seven.",
             "Did you hear that noise?", "We should go for a walk this afternoon.", "Nobody told me about the meeting.",
             "Put the plates on the table.", "It might rain tomorrow morning.", "Where did I leave my keys?",
             "She has lived in that house for years.", "Good evening, and welcome to the news.",
             "Wait for me at the station.")


# --- parts -------------------------------------------------------------------------------------------------------
def seconds_of(fs, s):
    return np.arange(int(round(fs * s))) / fs


def edges(x, fs, ramp=0.003):
    n = min(int(fs * ramp), len(x) // 2)
    if n:
        x[:n] *= np.linspace(0, 1, n)
        x[-n:] *= np.linspace(1, 0, n)
    return x


def partials(phase, fs, freq, levels):
    """Sum of harmonics 1, 2, ... of a phase in radians, without those above the Nyquist frequency."""
    return sum(a * np.sin((k + 1) * phase) for k, a in enumerate(levels) if (k + 1) * freq < 0.45 * fs)


def piezo(rng, fs, freq):
    """A function of seconds that gives one beep of one buzzer: always the same timbre, as a buzzer has."""
    levels = [1] + [rng.uniform(0, 0.5) / (k + 1) for k in range(1, 5)]
    droop, ripple, rate = rng.uniform(-0.01, 0.01), rng.uniform(0, 0.15), rng.uniform(20, 90)

    def beep(s):
        t = seconds_of(fs, s)
        phase = 2 * np.pi * freq * (t + droop * t * t)
        return edges(partials(phase, fs, freq, levels) * (1 + ripple * np.sin(2 * np.pi * rate * t)), fs)
    return beep


def repeat(fs, seconds, beep, spans):
    """Beeps and pauses, (on, off) in seconds over and over, for `seconds`."""
    out, n = [], 0
    while n < seconds * fs:
        for on, off in spans:
            out += [beep(on), np.zeros(int(fs * off))]
            n += len(out[-1]) + len(out[-2])
    return np.concatenate(out)[:int(seconds * fs)]


def coloured(rng, n, slope):
    """Noise of n samples whose power falls with frequency to the power of `slope` (0 white, 1 pink, 2 brown); RMS 1."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    x = np.fft.irfft(spectrum / np.maximum(np.arange(len(spectrum)), 20 * n / 48000 + 1) ** (slope / 2), n)
    return x / np.sqrt(np.mean(x ** 2))


def strike(rng, fs, modes, decay, s=0.3):
    """A struck body: damped sines with a short burst of noise at the start."""
    t = seconds_of(fs, s)
    x = sum(rng.uniform(0.3, 1) * np.exp(-t / (decay * rng.uniform(0.5, 1.5)))
            * np.sin(2 * np.pi * f * t + rng.uniform(0, 6)) for f in modes)
    return x + 0.5 * rng.standard_normal(len(t)) * np.exp(-t / 0.002)


def place(x, at, y, gain=1.0):
    n = min(len(y), len(x) - at)
    if n > 0:
        x[at:at + n] += gain * y[:n]


# --- sounds: (rng, rate, seconds) -> samples -------------------------------------------------------------------------
def smoke_t3(rng, fs, s):
    """ISO 8201 temporal three: half a second on, half off, three times, then 1.5 s of pause."""
    on = 0.5 * rng.uniform(0.9, 1.1)
    return repeat(fs, s, piezo(rng, fs, rng.uniform(2800, 3500)), [(on, on), (on, on), (on, on + 1.0)])


def smoke_520(rng, fs, s):
    """The 520 Hz square wave of bedroom and hearing-impaired alarms, temporal three."""
    freq, on = rng.uniform(490, 550), 0.5 * rng.uniform(0.9, 1.1)
    square = [1, 0, 1 / 3, 0, 1 / 5, 0, 1 / 7, 0, 1 / 9, 0, 1 / 11]
    beep = lambda d: edges(partials(2 * np.pi * freq * seconds_of(fs, d), fs, freq, square), fs)
    return repeat(fs, s, beep, [(on, on), (on, on), (on, on + 1.0)])


def smoke_fast(rng, fs, s):
    """Patterns of alarms that follow no temporal standard: quick beeps or a continuous, swept whistle."""
    freq = rng.uniform(2700, 3600)
    if rng.random() < 0.6:
        on = rng.uniform(0.08, 0.35)
        return repeat(fs, s, piezo(rng, fs, freq), [(on, on * rng.uniform(0.4, 1.2))])
    t = seconds_of(fs, s)
    sweep = freq * (1 + rng.uniform(0, 0.12) * ((t * rng.uniform(2, 8)) % 1))
    return partials(2 * np.pi * np.cumsum(sweep) / fs, fs, freq * 1.15, [1, 0.2, 0.15])


def co_t4(rng, fs, s):
    """ISO 8201 temporal four, of carbon monoxide alarms: four beeps of 0.1 s, then 5 s of pause."""
    on = 0.1 * rng.uniform(0.9, 1.1)
    return repeat(fs, s, piezo(rng, fs, rng.uniform(2800, 3500)), [(on, on)] * 3 + [(on, rng.uniform(1, 5))])


def low_battery(rng, fs, s):
    x, at = np.zeros(int(fs * s)), rng.uniform(0.1, 0.8)
    place(x, int(at * fs), piezo(rng, fs, rng.uniform(2700, 3600))(rng.uniform(0.015, 0.08)))
    return x


def clock_digital(rng, fs, s):
    on = rng.uniform(0.05, 0.08)
    freq = rng.uniform(1800, 2400) if rng.random() < 0.7 else rng.uniform(3950, 4200)
    pause = 1 - 7 * on
    return repeat(fs, s, piezo(rng, fs, freq), [(on, on)] * 3 + [(on, pause)])


def appliance(rng, fs, s):
    return repeat(fs, s, piezo(rng, fs, rng.uniform(1500, 2400)), [(rng.uniform(0.3, 1.0), rng.uniform(0.4, 1.2))])


def reversing(rng, fs, s):
    on = rng.uniform(0.35, 0.6)
    return repeat(fs, s, piezo(rng, fs, rng.uniform(950, 1400)), [(on, on)])


def chime(rng, fs, s):
    x, f = np.zeros(int(fs * s)), rng.uniform(500, 900)
    for at, ratio in ((0.1, 1.0), (0.1 + rng.uniform(0.4, 0.8), rng.choice([0.8, 0.75, 0.84]))):
        t = seconds_of(fs, 1.5)
        bar = partials(2 * np.pi * f * ratio * t, fs, f, [1, 0.3, 0.4, 0.1]) * np.exp(-t / 0.4)
        place(x, int(at * fs), edges(bar, fs))
    return x


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


def speech(rng, fs, s):
    voice = rng.choice(["en-gb", "en-us", "en-gb-scotland"])
    voice += rng.choice(["", "+m1", "+m3", "+m7", "+f1", "+f2", "+f4"])
    text = " ".join(rng.permutation(SENTENCES)[:max(1, int(s / 2) + 1)])
    with tempfile.NamedTemporaryFile(suffix=".wav") as f:
        subprocess.run(["espeak-ng", "-v", voice, "-s", str(rng.integers(130, 190)), "-p", str(rng.integers(20, 80)),
                        "-w", f.name, text], check=True)
        x, rate = read_audio(f.name)
    x = resample_poly(x, fs, rate)[:int(fs * s)]
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


# kind: (generator, label of the vocabulary or "" where none fits)
KINDS = {"smoke_t3": (smoke_t3, "smoke_alarm"), "smoke_520": (smoke_520, "smoke_alarm"),
         "smoke_fast": (smoke_fast, "smoke_alarm"), "co_t4": (co_t4, "smoke_alarm"), "low_battery": (low_battery, ""),
         "clock_digital": (clock_digital, "clock_alarm"), "appliance": (appliance, ""), "reversing": (reversing, ""),
         "chime": (chime, ""), "siren": (siren, "siren"), "knock": (knock, "door_wood_knock"),
         "tick": (tick, "clock_tick"), "rain": (rain, "rain"), "speech": (speech, "speech"),
         "silence": (silence, "background")}


# --- recordings ----------------------------------------------------------------------------------------------------
def room(rng, fs, rt60, direct):
    """Impulse response: the direct sound, then noise that decays by 60 dB in rt60 seconds and darkens."""
    t = seconds_of(fs, rt60)
    tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / rt60) * (t > rng.uniform(0.002, 0.012))
    tail = lfilter([0.5], [1, -0.5], tail)
    tail /= np.sqrt(np.sum(tail ** 2)) + 1e-9
    tail *= 10 ** (-direct / 20)
    tail[0] += 1
    return tail


def record(rng, fs, x, peak_db, floor_db, rt60=None, direct=None, door=None):
    """A sound as a microphone in a room gets it: reverberant, perhaps through a door, over room noise."""
    n = len(x)
    wet = fftconvolve(x, room(rng, fs, rt60 or rng.uniform(0.1, 0.9), direct or rng.uniform(-6, 12)))[:n]
    if door or (door is None and rng.random() < 0.2):
        wet = lfilter(*butter(1, rng.uniform(600, 2500), fs=fs), wet)
    wet *= 10 ** (peak_db / 20) / (np.abs(wet).max() + 1e-12)
    return wet + 10 ** (floor_db / 20) * coloured(rng, n, rng.uniform(0.3, 1.8))


def make_training(folder, count, seed, fs=16000, s=4.0):
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for kind, (make, label) in KINDS.items():
        for i in range(count * (2 if kind == "silence" else 1)):
            rng = np.random.default_rng([seed, list(KINDS).index(kind), i])
            if kind == "silence":
                x = silence(rng, fs, s) * 10 ** (rng.uniform(-85, -42) / 20)
            else:
                x = record(rng, fs, make(rng, fs, s), rng.uniform(-30, -1), rng.uniform(-80, -50))
            write_audio(folder / f"{kind}-{i}.wav", x, fs)
            rows.append((f"{kind}-{i}.wav", "synth", label, kind))
    with open(folder / "manifest.csv", "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([("path", "dataset", "label", "kind"), *rows])


# kind, start, seconds, peak dBFS: what the bundled recording holds
SCORE = (("smoke_t3", 1.0, 8.0, -8), ("knock", 13.0, 2.0, -12), ("speech", 19.0, 6.0, -14), ("siren", 29.0, 6.0, -12),
         ("tick", 39.0, 5.0, -13), ("clock_digital", 48.0, 4.0, -14), ("rain", 56.0, 8.0, -14),
         ("co_t4", 68.0, 3.0, -10))
# kind, seconds: what the tests hear
TESTS = (("smoke_t3", 4), ("smoke_520", 4), ("co_t4", 2), ("siren", 3), ("knock", 2), ("clock_digital", 3), ("tick", 3),
         ("speech", 3), ("rain", 3), ("silence", 3))


def make_demo(path, seed, fs=32000, total=73.0):
    rng = np.random.default_rng(seed)
    x = sosfilt(butter(2, 1500, fs=fs, output="sos"), coloured(rng, int(fs * total), 1.0)) * 10 ** (-60 / 20)
    with open(path.with_suffix(".csv"), "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(("start_s", "end_s", "label"))
        for kind, at, s, peak in SCORE:
            make, label = KINDS[kind]
            dry = np.concatenate([edges(make(rng, fs, s), fs, 0.02), np.zeros(fs // 2)])
            place(x, int(at * fs), record(rng, fs, dry, peak, -120, 0.4, 6, False))
            out.writerow((at, at + s, label))
    write_audio(path, x, fs)


def make_tests(folder, seed, fs=16000):
    with open(folder / "sounds.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(("file", "label"))
        for kind, s in TESTS:
            rng = np.random.default_rng([seed, list(KINDS).index(kind)])
            make, label = KINDS[kind]
            dry = make(rng, fs, s)
            x = dry * 10 ** (-62 / 20) if kind == "silence" else record(rng, fs, dry, -10, -65, 0.35, 8, False)
            write_audio(folder / f"{kind}.flac", x, fs)
            out.writerow((f"{kind}.flac", label))


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=("train", "demo", "tests"))
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("--count", type=int, default=120, help="training clips of each kind")
    p.add_argument("--seed", type=int)
    a = p.parse_args()
    if a.what == "train":
        make_training(a.out, a.count, a.seed or 1)
    elif a.what == "demo":
        make_demo(a.out, a.seed or 2)
    else:
        make_tests(a.out, a.seed or 3)
