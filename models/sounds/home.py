"""Bells, telephones, kettles, appliances and taps. Each: (rng, rate, seconds) -> samples."""
import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt
from .alarms import horn
from .parts import band_noise, coloured, edges, partials, piezo, place, ringing, seconds_of, slow, square, tone

BAR = (1, 2.756, 5.404, 8.933)                 # a free bar struck at its middle
GONG = (1, 1.51, 2.0, 2.74, 3.76, 4.5, 5.9)    # about those of a small cup gong
SCALE = (0, 2, 4, 5, 7, 9, 11, 12, 14, 16)
# Notes of the four quarters in semitones above the lowest, as clock and bell ring them
WESTMINSTER = ((9, 7, 5, 0), (5, 9, 7, 0), (5, 7, 9, 5), (9, 5, 7, 0))


def semitones(freq, n):
    return freq * 2 ** (np.asarray(n) / 12)


def voice(rng, fs):
    """An instrument, (freq, seconds) -> samples: a bar, a bell, an electronic organ, a marimba, a square wave, FM."""
    kind, decay, bright = rng.integers(6), rng.uniform(0.25, 1.2), rng.uniform(0.2, 1)
    levels = [1] + [bright * rng.uniform(0.1, 0.7) / k for k in range(2, 7)]
    index, ratio = rng.uniform(0.5, 3), float(rng.choice([1, 2, 3, 3.5]))

    def play(freq, s):
        t = seconds_of(fs, s)
        if kind == 0:
            return ringing(fs, freq, BAR, (1, bright * 0.4, bright * 0.2, 0.05), (decay, decay / 3, decay / 8, 0.02), s)
        if kind == 1:
            k = np.arange(7)
            return ringing(fs, freq, GONG, bright ** k, decay / (1 + 0.6 * k), s)
        if kind == 2:
            return edges(partials(2 * np.pi * freq * t, fs, freq, levels), fs, 0.01) * np.exp(-t / (2 * decay))
        if kind == 3:
            return ringing(fs, freq, (1, 3.93, 9.2), (1, 0.35 * bright, 0.1), (decay / 2, 0.08, 0.03), s)
        if kind == 4:
            return edges(partials(2 * np.pi * freq * t, fs, freq, square(9)), fs)
        fm = np.sin(2 * np.pi * freq * t + index * np.exp(-t / decay) * np.sin(2 * np.pi * freq * ratio * t))
        return edges(fm * np.exp(-t / decay), fs, 0.002)
    return play


def melody(rng, fs, s, play, notes, gap, ring, at=0.0):
    """Notes in Hz (0 is a rest), `gap` seconds apart, each sounding for `ring` seconds."""
    x = np.zeros(int(fs * s))
    for k, f in enumerate(notes):
        if f:
            place(x, int(fs * (at + k * gap)), play(f, ring), rng.uniform(0.75, 1))
    return x


def tune_of(rng, freq, n):
    """A random walk over a major scale."""
    steps = np.clip(rng.integers(0, 8) + np.cumsum(rng.integers(-2, 3, n)), 0, len(SCALE) - 1)
    return semitones(freq, [SCALE[k] for k in steps])


def gong_pair(rng, fs, s, rate, low):
    """A hammer that swings between two gongs `rate` times a second, then lets them ring out."""
    x, count = np.zeros(int(fs * (s + 0.8))), int(s * rate)
    freqs = (low, low * rng.uniform(1.03, 1.3))
    levels, decay = rng.uniform(0.2, 1, 7), rng.uniform(0.15, 0.6)
    gongs = [ringing(fs, f, GONG, levels, [decay / (1 + 0.4 * k) for k in range(7)], 0.8) for f in freqs]
    for k in range(count):
        place(x, int(fs * (k / rate + rng.normal(0, 0.0015) + 0.005)), gongs[k % 2], rng.uniform(0.7, 1))
    return x


# --- door bell -------------------------------------------------------------------------------------------------------
def bell_chime(rng, fs, s):
    """Ding-dong: two struck bars, a major third or so apart, the first the higher one; at times pressed again."""
    low = rng.uniform(380, 850)
    play = voice(rng, fs) if rng.random() < 0.4 else None
    bright, decay = rng.uniform(0.1, 0.8), rng.uniform(0.3, 1.3)
    if play is None:
        play = lambda f, d: ringing(fs, f, BAR, (1, 0.5 * bright, 0.3 * bright, 0.1 * bright),
                                    (decay, decay / 3, decay / 8, 0.03), d)
    gap, down = rng.uniform(0.35, 0.9), rng.choice([3, 4, 4, 5, 7])
    notes = [semitones(low, down), low] + ([semitones(low, -5)] if rng.random() < 0.15 else [])
    x = melody(rng, fs, s, play, notes, gap, 2.0, rng.uniform(0, 0.3))
    if s > 3.5 and rng.random() < 0.4:
        place(x, int(fs * rng.uniform(2.0, s - 1.2)), melody(rng, fs, 2.5, play, notes, gap, 2.0))
    return x


def bell_electronic(rng, fs, s):
    """Two, three or more tones of a wireless bell, and whole melodies."""
    kind, play, freq = rng.integers(3), voice(rng, fs), rng.uniform(450, 1100)
    at = rng.uniform(0, 0.3)
    if kind == 0:
        notes = semitones(freq, ((7, 4, 0), (0, 4, 7), (4, 0), (0, 7), (12, 7, 0), (7, 0, 4))[rng.integers(6)])
        notes = np.tile(notes, rng.integers(1, 4))
        return melody(rng, fs, s, play, notes, rng.uniform(0.18, 0.5), 1.2, at)
    if kind == 1:
        return melody(rng, fs, s, play, tune_of(rng, freq, rng.integers(6, 14)), rng.uniform(0.16, 0.4), 0.8, at)
    part = rng.integers(1, 3)
    notes = np.concatenate([semitones(freq * 0.6, WESTMINSTER[k]) for k in rng.permutation(4)[:part]])
    return melody(rng, fs, s, play, notes, rng.uniform(0.35, 0.7), 1.6, at)


def bell_buzzer(rng, fs, s):
    """A mains buzzer, or the hammer bell by the door: for as long as somebody presses the button."""
    x, at = np.zeros(int(fs * s)), rng.uniform(0, 0.4)
    press = rng.uniform(0.25, 1.5)
    while at < s - 0.2:
        if rng.random() < 0.7:
            mains = rng.choice([50, 60, 100, 120])
            levels = rng.uniform(0.2, 1, 40) / np.arange(1, 41) ** rng.uniform(0, 0.6)
            y = edges(partials(2 * np.pi * mains * seconds_of(fs, press), fs, mains, levels), fs, 0.008)
            y = np.tanh(2 * y / np.abs(y).max())
        else:
            y = gong_pair(rng, fs, press, rng.uniform(14, 30), rng.uniform(900, 2200))
            y /= np.abs(y).max() + 1e-9
        place(x, int(at * fs), y)
        at += press + rng.uniform(0.3, 3)
    return x


# --- telephone -------------------------------------------------------------------------------------------------------
def phone_bell(rng, fs, s):
    """The bell of an old set: gongs struck by the ringing current of 17 to 25 Hz, in the cadence of some country."""
    x, low = np.zeros(int(fs * s)), rng.uniform(700, 1500)
    cadence = ([(0.4, 0.2), (0.4, 2.0)], [(1.0, 2.0)], [(2.0, 4.0)], [(1.0, 4.0)], [(0.7, 0.7)])[rng.integers(5)]
    at, rate, k = -rng.uniform(0, 0.8) if rng.random() < 0.3 else rng.uniform(0, 0.3), 2 * rng.choice([16.7, 20, 25]), 0
    while at < s:
        on, off = cadence[k % len(cadence)]
        y = gong_pair(np.random.default_rng(int(low * 1000)), fs, on, rate, low)    # always the same bell
        place(x, max(0, int(at * fs)), y[max(0, -int(at * fs)):])
        at, k = at + on + off, k + 1
    return x


def phone_warble(rng, fs, s):
    """Electronic ringers: two tones in quick turns, with harmonics."""
    low = rng.uniform(600, 1800)
    high, rate = low * rng.uniform(1.1, 1.4), rng.uniform(8, 26)
    on, off = (1.0, rng.uniform(1, 4)) if rng.random() < 0.5 else (rng.uniform(0.3, 0.6), rng.uniform(0.2, 0.6))
    levels = square(7) if rng.random() < 0.5 else [1, rng.uniform(0, 0.5), rng.uniform(0, 0.3)]
    t = seconds_of(fs, s)
    ringing_now = ((t + rng.uniform(0, 0.2)) % (on + off) < on).astype(float)
    fade = np.convolve(ringing_now, np.ones(int(0.005 * fs)) / int(0.005 * fs), "same")
    return tone(fs, np.where((t * rate) % 1 > 0.5, high, low), levels) * fade


def phone_mobile(rng, fs, s):
    """A ring tone: a short melody over and over, one or two voices."""
    play, freq, n = voice(rng, fs), rng.uniform(500, 1400), rng.integers(5, 17)
    gap, length = rng.uniform(0.08, 0.28), rng.uniform(0.1, 0.5)
    notes = tune_of(rng, freq, n)
    notes[rng.random(n) < 0.15] = 0
    loops = int(s / (gap * n)) + 1
    x = melody(rng, fs, s, play, np.tile(np.append(notes, [0] * rng.integers(0, 5)), loops), gap, length)
    if rng.random() < 0.4:
        x += 0.5 * melody(rng, fs, s, voice(rng, fs), np.tile(notes[::2] / 2, loops), 2 * gap, 2 * length)
    return x


def phone_vibrating(rng, fs, s):
    """The motor at 130 to 220 turns a second, rattling on a table."""
    t, turn = seconds_of(fs, s), rng.uniform(130, 220)
    on, off = rng.uniform(0.3, 1.2), rng.uniform(0.2, 1.2)
    going = ((t + rng.uniform(0, 0.3)) % (on + off) < on).astype(float)
    spin = sosfilt(butter(1, 6, fs=fs, output="sos"), going)              # takes a moment to start and stop
    phase = 2 * np.pi * np.cumsum(turn * (0.5 + 0.5 * spin)) / fs
    rattle = np.maximum(0, np.sin(phase)) ** 6 * band_noise(rng, fs, len(t), 300, rng.uniform(1500, 5000))
    return spin ** 2 * (partials(phase, fs, turn, rng.uniform(0.1, 1, 16)) + rng.uniform(0, 2) * rattle)


# --- kettle ----------------------------------------------------------------------------------------------------------
def boiling(rng, fs, n):
    """Water on the boil: rumble and hiss that seethe, RMS about 1."""
    seethe = 1 + 0.35 * slow(rng, fs, n, rng.uniform(8, 30))
    rumble = band_noise(rng, fs, n, rng.uniform(80, 200), rng.uniform(500, 1200)) * seethe
    return 0.8 * rumble + rng.uniform(0.2, 0.7) * band_noise(rng, fs, n, 1000, rng.uniform(3000, 7000))


def kettle(rng, fs, s):
    """A whistle kettle: pitch and tone rise out of hiss, then hold; at times it is taken off the stove."""
    n = int(fs * s)
    t, top = np.arange(n) / fs, rng.uniform(1300, 3600)
    start = rng.uniform(-3, 0.4 * s)                                    # when the whistle sets in
    age = np.maximum(t - start, 0)
    grow = 1 - np.exp(-age / rng.uniform(0.3, 1.5))
    freq = top * (1 - rng.uniform(0.1, 0.4) * np.exp(-age / rng.uniform(0.5, 2))) * (1 + 0.004 * slow(rng, fs, n, 12))
    loud = grow * (1 + rng.uniform(0.05, 0.3) * slow(rng, fs, n, rng.uniform(5, 25)))
    x = loud * tone(fs, freq, [1, rng.uniform(0.02, 0.4), rng.uniform(0, 0.2)])
    if rng.random() < 0.45:                                             # two pipes
        x += loud * rng.uniform(0.3, 1) * tone(fs, freq * rng.choice([0.75, 0.8, 0.84, 1.25, 1.5]), [1, 0.1])
    hiss = band_noise(rng, fs, n, 1200, rng.uniform(4000, 7500)) * (0.3 + 0.7 * grow)
    x += rng.uniform(0.02, 0.35) * hiss + 10 ** (rng.uniform(-26, -6) / 20) * boiling(rng, fs, n)
    if rng.random() < 0.2:
        end = rng.uniform(0.6, 0.95) * s
        x *= np.where(t < end, 1, np.exp(-(t - end) / 0.15))
    return x


# --- appliances and taps ------------------------------------------------------------------------------------------
def appliance_beep(rng, fs, s):
    """Microwave, fridge door, oven timer, dishwasher: other rhythms than those of alarms and clocks."""
    kind, freq = rng.integers(5), rng.uniform(1000, 2700) if rng.random() < 0.75 else rng.uniform(2700, 4100)
    beep = piezo(rng, fs, freq) if rng.random() < 0.7 else horn(rng, fs, freq)
    x, at = np.zeros(int(fs * s)), rng.uniform(0, 0.5)
    if kind == 0:       # microwave: three to five long beeps, or one
        rhythm = [rng.uniform(0.4, 1.1)] * int(rng.choice([1, 3, 4, 5]))
        gaps = [rng.uniform(0.3, 1.3)] * len(rhythm)
        if abs(rhythm[0] - 0.5) < 0.12 and freq > 2600:     # too near to T3
            rhythm = [0.9] * len(rhythm)
    elif kind == 1:     # fridge door: a short beep or a pair of them, again and again
        pair, on, pause = rng.integers(1, 3), rng.uniform(0.05, 0.22), rng.uniform(0.7, 2)
        rhythm, gaps = [on] * int(pair) * 6, ([on] * int(pair - 1) + [pause]) * 6
    elif kind == 2:     # timer: groups of three, five or six
        count, on = int(rng.choice([3, 5, 6])), rng.uniform(0.1, 0.25)
        rhythm, gaps = [on] * count * 3, ([on * rng.uniform(0.5, 1)] * (count - 1) + [rng.uniform(0.5, 1.2)]) * 3
    elif kind == 3:     # dishwasher: long, far apart
        rhythm, gaps = [rng.uniform(0.8, 1.8)] * 3, [rng.uniform(0.8, 2.5)] * 3
    else:               # key presses, then a longer one
        rhythm = list(rng.uniform(0.03, 0.09, rng.integers(1, 6))) + [rng.uniform(0.15, 0.4)]
        gaps = list(rng.uniform(0.2, 0.7, len(rhythm)))
    for on, off in zip(rhythm, gaps):
        place(x, int(at * fs), beep(on))
        at += on + off
    return x


def appliance_melody(rng, fs, s):
    """The tune at the end of a washing programme: a piezo's notes between 1 and 4 kHz."""
    levels = square(5) if rng.random() < 0.5 else [1, rng.uniform(0, 0.4), rng.uniform(0, 0.3)]
    fade = rng.uniform(0.08, 0.6)
    play = lambda f, d: edges(partials(2 * np.pi * f * seconds_of(fs, d), fs, f, levels)
                              * np.exp(-seconds_of(fs, d) / fade), fs)
    gap = rng.uniform(0.1, 0.4)
    return melody(rng, fs, s, play, tune_of(rng, rng.uniform(900, 1800), rng.integers(4, 18)), gap,
                  gap * rng.uniform(0.6, 1.5), rng.uniform(0, 0.4))


def running_water(rng, fs, s):
    """A tap: hiss of the jet, and bubbles, each a damped sine that rises."""
    n = int(fs * s)
    steady = 1 + 0.1 * slow(rng, fs, n, rng.uniform(2, 10))
    x = rng.uniform(0.3, 1) * steady * band_noise(rng, fs, n, rng.uniform(200, 1500), rng.uniform(3500, 7800), 1)
    x += rng.uniform(0, 0.6) * coloured(rng, n, rng.uniform(0.5, 1.5))
    for _ in range(12):                                      # a dozen sizes of bubble, each often
        f, d = rng.uniform(350, 4500), rng.uniform(0.003, 0.02)
        t = seconds_of(fs, 8 * d)
        bubble = np.exp(-t / d) * np.sin(2 * np.pi * f * t * (1 + rng.uniform(0.2, 1.5) * t / d / 8))
        hits = np.where(rng.random(n) < rng.uniform(4, 80) / fs, rng.exponential(1, n), 0)
        x += rng.uniform(0.2, 2) * fftconvolve(hits, bubble)[:n]
    if rng.random() < 0.35:                                  # opened or closed meanwhile
        at, t = rng.uniform(0.1, 0.6) * s, np.arange(n) / fs
        x *= 1 / (1 + np.exp(-(t - at) / 0.05)) if rng.random() < 0.6 else 1 / (1 + np.exp((t - at - 0.3 * s) / 0.08))
    return x
