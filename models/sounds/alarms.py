"""Smoke and carbon monoxide alarms, and what must not be taken for them. Each: (rng, rate, seconds) -> samples.

ISO 8201 temporal three (T3): 0.5 s on, 0.5 s off, three times, then 1.5 s off. Temporal four (T4, ANSI/UL 2034): four
beeps of 0.1 s with 0.1 s between them, then 5 s off. Sounder tones of fire panels: EN 54-3 as makers list them."""
import numpy as np
from scipy.signal import butter, sosfilt
from .parts import band_noise, cut_in, edges, partials, piezo, place, repeat, seconds_of, slow, square, tone


def horn(rng, fs, freq):
    """The resonant piezo horn of a detector, fresh or worn: drifts, and on a weak battery sags and warbles."""
    worn = rng.random() < 0.3
    levels = [1, rng.uniform(0.01, 0.35), rng.uniform(0, 0.25), rng.uniform(0, 0.1)]
    drift = rng.uniform(-0.004, 0.004) + (rng.uniform(-0.03, 0.01) if worn else 0)     # of the frequency, a second
    rise = rng.uniform(0.002, 0.012) if rng.random() < 0.7 else rng.uniform(0.01, 0.04)
    flutter, flutter_rate = (rng.uniform(0.1, 0.6), rng.uniform(5, 40)) if worn else (rng.uniform(0, 0.08), 50)
    sag = rng.uniform(0.5, 3) if worn else rng.uniform(0, 0.3)                         # nepers a second
    bend = rng.uniform(0.0, 0.02) if rng.random() < 0.4 else 0                         # starts off pitch

    def beep(s):
        t = seconds_of(fs, s)
        f = freq * (1 + drift * t - bend * np.exp(-t / 0.02) + 0.0008 * slow(rng, fs, len(t), 30))
        x = tone(fs, f, levels) * np.exp(-sag * t)
        x *= 1 + flutter * np.sin(2 * np.pi * flutter_rate * t + rng.uniform(0, 6))
        return edges(x, fs, rise)
    return beep


def buzz_horn(rng, fs, freq):
    """A self-interrupting horn: pulses at a few hundred hertz that excite its resonance."""
    rate, q = rng.uniform(150, 520), rng.uniform(4, 25)
    width = freq / q / 2
    sos = butter(2, ((freq - width), min(freq + width, 0.47 * fs)), "band", fs=fs, output="sos")

    def beep(s):
        t = seconds_of(fs, s)
        phase = np.cumsum(rate * (1 + 0.01 * slow(rng, fs, len(t), 20))) / fs
        pulses = np.where(np.diff(np.floor(phase), prepend=0) > 0, 1.0, 0.0)
        x = sosfilt(sos, pulses + 0.01 * rng.standard_normal(len(t)))
        return edges(x / (np.abs(x).max() + 1e-9), fs)
    return beep


def pitch(rng):
    """Most domestic horns stand at 3.1 kHz; all of them between 2.8 and 3.5."""
    return float(np.clip(rng.normal(3120, 160), 2750, 3500)) if rng.random() < 0.7 else rng.uniform(2800, 3450)


def smoke_t3(rng, fs, s):
    on = 0.5 * rng.uniform(0.85, 1.15)
    off, pause = on * rng.uniform(0.9, 1.1), rng.uniform(1.2, 1.7)
    beep = (buzz_horn if rng.random() < 0.12 else horn)(rng, fs, pitch(rng))
    return cut_in(rng, fs, s, beep, [(on, off), (on, off), (on, pause)])


def smoke_520(rng, fs, s):
    """The 520 Hz square wave of bedroom and hearing-impaired alarms, temporal three."""
    freq, on = rng.uniform(490, 550), 0.5 * rng.uniform(0.9, 1.1)
    levels = [a * rng.uniform(0.7, 1.2) for a in square(13)]
    levels[1] = rng.uniform(0, 0.1)
    drift, sag = rng.uniform(-0.01, 0.01), rng.uniform(0, 0.8)

    def beep(d):
        t = seconds_of(fs, d)
        return edges(tone(fs, freq * (1 + drift * t), levels) * np.exp(-sag * t), fs)

    if rng.random() < 0.12:     # the same tone as T4 is CO's: not here; some ring continuously
        return beep(s)
    return cut_in(rng, fs, s, beep, [(on, on), (on, on), (on, on + 1.0)])


def smoke_fast(rng, fs, s):
    """Older detectors: quick beeps, a continuous or a swept whistle, a buzzing horn."""
    freq = rng.uniform(2300, 3600)
    kind = rng.random()
    if kind < 0.6:
        on = rng.uniform(0.06, 0.4)
        return cut_in(rng, fs, s, horn(rng, fs, freq), [(on, on * rng.uniform(0.3, 1.2))])
    if kind < 0.7:
        return horn(rng, fs, freq)(s)
    if kind < 0.8:
        return buzz_horn(rng, fs, freq)(s)
    t, depth, rate = seconds_of(fs, s), rng.uniform(0.03, 0.2), rng.uniform(2, 9)
    up = (t * rate) % 1
    shape = up if rng.random() < 0.5 else np.abs(2 * up - 1)
    return tone(fs, freq * (1 - depth * shape), [1, rng.uniform(0, 0.3), rng.uniform(0, 0.2)])


def smoke_sounder(rng, fs, s):
    """Sounders of European fire panels: two tones in turn, the slow whoop, the falling sweep."""
    t, kind = seconds_of(fs, s), rng.integers(4)
    shift = rng.uniform(0.95, 1.05)
    if kind == 0:       # 800 and 970 Hz in turn, or as a sweep, once or seven times a second
        low, high, rate = 800, 970, rng.choice([1, 2, 7])
        turn = ((t * rate + rng.random()) % 1 > 0.5) if rng.random() < 0.6 else (t * rate) % 1
    elif kind == 1:     # 2.4 and 2.9 kHz
        low, high, rate = 2400, rng.uniform(2800, 3000), rng.choice([2, 7, 9])
        turn = ((t * rate + rng.random()) % 1 > 0.5) if rng.random() < 0.6 else np.abs(2 * ((t * rate) % 1) - 1)
    elif kind == 2:     # slow whoop: 500 to 1,200 Hz in 3.5 s, half a second of silence
        part = (t + rng.uniform(0, 4)) % 4.0
        x = tone(fs, shift * (500 + 200 * np.minimum(part, 3.5)), square(9))
        return x * (part < 3.5)
    else:               # 1,200 to 500 Hz once a second
        low, high, turn = 1200, 500, (t + rng.random()) % 1
    return tone(fs, shift * (low + (high - low) * turn), square(7) if rng.random() < 0.6 else [1, 0.3, 0.2])


def co_t4(rng, fs, s):
    """Four beeps and a long pause; some makers pause for less. The clip holds at least most of one burst."""
    on = 0.1 * rng.uniform(0.85, 1.25)
    off, pause = on * rng.uniform(0.8, 1.2), rng.uniform(1, 5.2)
    if rng.random() < 0.12:
        freq = rng.uniform(490, 550)
        beep = lambda d: edges(partials(2 * np.pi * freq * seconds_of(fs, d), fs, freq, square(13)), fs)
    else:
        beep = horn(rng, fs, pitch(rng))
    lead = rng.uniform(0, min(pause, max(0.05, s - 1.0)))
    rest = repeat(fs, max(s - lead, 0.1), beep, [(on, off)] * 3 + [(on, pause)])
    return np.concatenate([np.zeros(int(fs * lead)), rest])


def low_battery(rng, fs, s):
    """One chirp, seldom two, of a detector that wants a battery."""
    x, at = np.zeros(int(fs * s)), rng.uniform(0.1, max(0.2, s - 0.6))
    chirp = horn(rng, fs, rng.uniform(2700, 3600))
    length = rng.uniform(0.012, 0.12)
    for k in range(1 if rng.random() < 0.75 else 2):
        place(x, int((at + k * rng.uniform(0.2, 0.5)) * fs), chirp(length))
    return x


def reversing(rng, fs, s):
    """The beeper of a lorry: a tone of 0.9 to 1.5 kHz, or bursts of noise."""
    on = rng.uniform(0.3, 0.6)
    freq, off = rng.uniform(900, 1500), on * rng.uniform(0.8, 1.2)
    if rng.random() < 0.2:
        beep = lambda d: edges(band_noise(rng, fs, int(fs * d), 0.4 * freq, 3.2 * freq), fs)
    elif rng.random() < 0.5:
        beep = lambda d: edges(partials(2 * np.pi * freq * seconds_of(fs, d), fs, freq, square(9)), fs)
    else:
        beep = piezo(rng, fs, freq)
    return cut_in(rng, fs, s, beep, [(on, off)])


def blip(rng, fs, s):
    """Short tones of machines that no class is for: scanners, lifts, key pads, tills."""
    x, at = np.zeros(int(fs * s)), rng.uniform(0.05, 0.5)
    freqs = rng.uniform(600, 3800, rng.integers(1, 4))
    while at < s - 0.3:
        place(x, int(at * fs), piezo(rng, fs, rng.choice(freqs))(rng.uniform(0.03, 0.15)), rng.uniform(0.6, 1))
        at += rng.uniform(0.25, 2.5)
    return x


def clock_digital(rng, fs, s):
    """An alarm clock: four quick beeps a second, at times two or eight, or a plain double beep."""
    on = rng.uniform(0.045, 0.085)
    freq = rng.uniform(1800, 2400) if rng.random() < 0.7 else rng.uniform(3950, 4200)
    count = int(rng.choice([2, 4, 4, 4, 8])) if on < 0.06 else int(rng.choice([2, 4, 4]))
    pause = max(0.15, 1 - (2 * count - 1) * on)
    return cut_in(rng, fs, s, piezo(rng, fs, freq), [(on, on)] * (count - 1) + [(on, pause)])
