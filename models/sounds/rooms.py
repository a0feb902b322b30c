"""Rooms, doors and microphones between a sound and the recording of it.

A room is a shoebox: its early reflections are image sources (Allen and Berkley, 1979), up to the third order; from
there on noise that decays, octave by octave, with Eyring's reverberation time, at the level that the diffuse field has
beside the direct sound at the distance r: 16 pi r^2 / A, with A = S a / (1 - a) for a surface S of absorption a."""
import numpy as np
from scipy.fft import next_fast_len
from scipy.signal import butter, fftconvolve, lfilter, oaconvolve, sosfilt
from .parts import coloured

SPEED = 343.0
OCTAVES = np.array([125, 250, 500, 1000, 2000, 4000, 8000.0])
# Mean absorption by octave, between which rooms are drawn: tiles and concrete, furniture and carpet
HARD = np.array([0.03, 0.03, 0.04, 0.05, 0.06, 0.07, 0.09])
SOFT = np.array([0.15, 0.22, 0.32, 0.40, 0.45, 0.48, 0.52])


def active_rms(x, fs, below_db=20.0):
    """RMS over the 20 ms frames that are at most below_db under the loudest: the level of a sound while it sounds."""
    size = max(1, int(0.02 * fs))
    frames = np.pad(x, (0, -len(x) % size)).reshape(-1, size)
    power = np.mean(frames ** 2, axis=1)
    loud = power >= power.max() * 10 ** (-below_db / 10)
    return float(np.sqrt(power[loud].mean())) if power.max() > 0 else 0.0


def octave_filter(x, fs, gains):
    """Gain (a factor) by octave of OCTAVES, interpolated over log frequency, without delay; the ends hold beyond."""
    f = np.fft.rfftfreq(len(x), 1 / fs)
    g = np.interp(np.log2(np.maximum(f, 20)), np.log2(OCTAVES), gains)
    return np.fft.irfft(np.fft.rfft(x) * g, len(x))


def shoebox(rng, fs, near=0.8, far=5.0):
    """(response, metres): source and microphone `near` to `far` apart in a drawn room. The direct sound's gain is 1."""
    size = np.array([rng.uniform(2.2, 8), rng.uniform(2.0, 6), rng.uniform(2.3, 3.4)])
    mix = rng.beta(1.5, 1.8)
    alpha = np.clip((HARD ** (1 - mix) * SOFT ** mix) * rng.uniform(0.8, 1.2, len(OCTAVES)), 0.02, 0.8)
    for _ in range(60):
        source, mic = (rng.uniform(0.15, size - 0.15) for _ in range(2))
        distance = float(np.linalg.norm(source - mic))
        if near <= distance <= far:
            break
    surface = 2 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
    volume = float(np.prod(size))
    rt60 = 0.161 * volume / (-surface * np.log(1 - alpha) + 4 * np.array([0, 0, 0, 0.002, 0.004, 0.008, 0.02]) * volume)
    n = next_fast_len(int(fs * min(2.0, 1.05 * rt60.max() + 0.03)))
    early, start = images(fs, size, source, mic, alpha, n)
    return early + tail(rng, fs, n, rt60, alpha, surface, distance, start), distance


def images(fs, size, source, mic, alpha, n, order=3):
    """Image sources up to `order` reflections, from the direct sound on; and the sample where the tail sets in."""
    trains = np.zeros((order + 1, n + 2))
    first = np.linalg.norm(source - mic)
    reach = np.arange(-order, order + 1)
    for index in np.stack(np.meshgrid(reach, reach, reach), -1).reshape(-1, 3):
        if np.abs(index).sum() > order:
            continue
        image = np.where(index % 2 == 0, index * size + source, (index + 1) * size - source)
        r = np.linalg.norm(image - mic)
        at = (r - first) / SPEED * fs
        if at < n:
            k, part = int(at), at - int(at)
            trains[np.abs(index).sum(), k:k + 2] += first / r * np.array([1 - part, part])
    out = trains[0, :n].copy()
    for bounces in range(1, order + 1):
        out += octave_filter(trains[bounces, :n], fs, (1 - alpha) ** (bounces / 2))
    return out, min(n - 1, int(2 * float(size.mean()) / SPEED * fs))


def tail(rng, fs, n, rt60, alpha, surface, distance, start):
    """The diffuse field after the early reflections, band by band."""
    t, out = np.arange(n) / fs, np.zeros(n)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    f = np.log2(np.maximum(np.fft.rfftfreq(n, 1 / fs), 20))
    for k, octave in enumerate(np.log2(OCTAVES)):
        low = 0 if k == 0 else octave                          # the ends hold beyond
        high = 20 if k == len(OCTAVES) - 1 else octave
        share = np.clip(1 - np.maximum(low - f, f - high), 0, 1)
        band = np.fft.irfft(spectrum * share, n) * 10 ** (-3 * t / rt60[k])
        energy = 16 * np.pi * distance ** 2 * (1 - alpha[k]) / (surface * alpha[k])
        width = np.mean(share ** 2)
        band *= np.sqrt(energy * width) / (np.sqrt(np.sum(band ** 2)) + 1e-12)
        out += band * np.clip((np.arange(n) - start / 3) / (start / 1.5 + 1), 0, 1)
    return out


def door(rng, fs, x):
    """Through a shut or half-open door or a wall: high frequencies are lost."""
    sos = butter(int(rng.integers(1, 3)), 10 ** rng.uniform(2.7, 3.5), fs=fs, output="sos")
    leak = 10 ** (rng.uniform(-30, -12) / 20)
    return sosfilt(sos, x) + leak * x


def through_room(rng, fs, x, near=0.5, far=5.0):
    """The sound as it arrives, with the room's tail: longer than x. The direct sound has the level of x."""
    return fftconvolve(x, shoebox(rng, fs, near, far)[0])


def smooth_eq(fs, gains_db, taps=512):
    """Filter of a smooth response: gains at points evenly over log frequency, 60 Hz to 8 kHz. Delays by taps / 2 samples."""
    at = np.linspace(np.log2(60), 13, len(gains_db))
    gain = 10 ** (np.interp(np.log2(np.maximum(np.fft.rfftfreq(taps, 1 / fs), 20)), at, gains_db) / 20)
    return np.roll(np.fft.irfft(gain), taps // 2) * np.hanning(taps + 1)[:taps]


# band limits in Hz, spread of the response in dB, noise floor in dBFS, share that clips, bits of a poor converter
MICROPHONES = {"phone": ((90, 250), (5500, 7600), 4.0, (-72, -58), 0.15, 0),
               "usb": ((40, 140), (6000, 7900), 3.0, (-66, -50), 0.1, 0),
               "poor": ((150, 450), (3200, 5500), 6.0, (-60, -44), 0.3, 9),
               "good": ((20, 60), (7500, 7950), 1.2, (-84, -70), 0.0, 0)}


class Microphone:
    """One microphone, drawn: `colour` is its response, `finish` adds its noise and limits."""
    def __init__(self, rng, fs, kind=None):
        self.kind, self.fs = kind or str(rng.choice(list(MICROPHONES))), fs
        low, high, spread, floor, self.clips, self.bits = MICROPHONES[self.kind]
        self.response = smooth_eq(fs, rng.normal(0, spread, 8))
        self.low = butter(2, rng.uniform(*low), "high", fs=fs, output="sos")
        self.high = butter(4, min(rng.uniform(*high), 0.49 * fs), fs=fs, output="sos")
        self.floor, self.slope = 10 ** (rng.uniform(*floor) / 20), rng.uniform(0, 1.2)

    def colour(self, x):
        half = len(self.response) // 2
        return sosfilt(self.high, sosfilt(self.low, oaconvolve(x, self.response)[half:half + len(x)]))

    def noise(self, rng, n):
        return self.floor * coloured(rng, next_fast_len(n), self.slope)[:n]

    def record(self, rng, x):
        """The samples coloured, with noise, within its limits: as loud as they came."""
        y = self.colour(x)
        y = y * (active_rms(x, self.fs) / (active_rms(y, self.fs) + 1e-12))
        return self.limit(rng, y + self.noise(rng, len(y)))

    def limit(self, rng, x):
        """Clipped, in the share of cases that its kind says, and in the steps of its converter."""
        if rng.random() < self.clips:
            top = np.abs(x).max() * rng.uniform(0.4, 0.9) + 1e-9
            x = top * np.tanh(x / top)
        return np.round(x * 2 ** (self.bits + 2)) / 2 ** (self.bits + 2) if self.bits else x


def microphone(rng, fs, x, kind=None):
    """(samples, kind): coloured, band-limited, with noise, at times clipped, as one of MICROPHONES would record it."""
    m = Microphone(rng, fs, kind)
    return m.record(rng, x), m.kind


def simple_room(rng, fs, rt60, direct):
    """Impulse response: the direct sound, then noise that decays by 60 dB in rt60 seconds and darkens."""
    t = np.arange(int(round(fs * rt60))) / fs
    decay = rng.standard_normal(len(t)) * 10 ** (-3 * t / rt60) * (t > rng.uniform(0.002, 0.012))
    decay = lfilter([0.5], [1, -0.5], decay)
    decay /= np.sqrt(np.sum(decay ** 2)) + 1e-9
    decay *= 10 ** (-direct / 20)
    decay[0] += 1
    return decay


def record(rng, fs, x, peak_db, floor_db, rt60=None, direct=None, shut=None):
    """A sound as a microphone in a room gets it: reverberant, perhaps through a door, over room noise."""
    n = len(x)
    wet = fftconvolve(x, simple_room(rng, fs, rt60 or rng.uniform(0.1, 0.9), direct or rng.uniform(-6, 12)))[:n]
    if shut or (shut is None and rng.random() < 0.2):
        wet = lfilter(*butter(1, rng.uniform(600, 2500), fs=fs), wet)
    wet *= 10 ** (peak_db / 20) / (np.abs(wet).max() + 1e-12)
    return wet + 10 ** (floor_db / 20) * coloured(rng, n, rng.uniform(0.3, 1.8))
