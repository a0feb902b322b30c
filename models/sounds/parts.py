"""What sounds are made of: tones, beeps, noises, struck bodies. Samples are float64, fs in Hz, times in seconds."""
import numpy as np
from scipy.signal import butter, sosfilt


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


def tone(fs, freq, levels):
    """Harmonics of a frequency that varies: freq in Hz, one value a sample."""
    return partials(2 * np.pi * np.cumsum(freq) / fs, fs, float(np.max(freq)), levels)


def square(harmonics=11):
    return [1 / k if k % 2 else 0 for k in range(1, harmonics + 1)]


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


def cut_in(rng, fs, seconds, beep, spans, share=0.5):
    """As repeat, but in `share` of the cases the recording starts anywhere in the pattern."""
    period = sum(on + off for on, off in spans)
    skip = int(fs * rng.uniform(0, period)) if rng.random() < share else 0
    return repeat(fs, seconds + period, beep, spans)[skip:skip + int(seconds * fs)]


def coloured(rng, n, slope):
    """Noise of n samples whose power falls with frequency to the power of `slope` (0 white, 1 pink, 2 brown); RMS 1."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    x = np.fft.irfft(spectrum / np.maximum(np.arange(len(spectrum)), 20 * n / 48000 + 1) ** (slope / 2), n)
    return x / np.sqrt(np.mean(x ** 2))


def band_noise(rng, fs, n, low, high, order=2):
    x = sosfilt(butter(order, (low, min(high, 0.49 * fs)), "band", fs=fs, output="sos"), rng.standard_normal(n))
    return x / np.sqrt(np.mean(x ** 2))


def slow(rng, fs, n, rate):
    """A random curve of n samples, about N(0, 1), that turns `rate` times a second."""
    points = max(2, int(np.ceil(n / fs * rate)) + 2)
    return np.interp(np.arange(n) / fs * rate, np.arange(points), rng.standard_normal(points))


def strike(rng, fs, modes, decay, s=0.3):
    """A struck body: damped sines with a short burst of noise at the start."""
    t = seconds_of(fs, s)
    x = sum(rng.uniform(0.3, 1) * np.exp(-t / (decay * rng.uniform(0.5, 1.5)))
            * np.sin(2 * np.pi * f * t + rng.uniform(0, 6)) for f in modes)
    return x + 0.5 * rng.standard_normal(len(t)) * np.exp(-t / 0.002)


def ringing(fs, freq, ratios, levels, decays, s):
    """A bell, bar or plate: partials at freq * ratio, each of its own level and decay time in seconds."""
    t = seconds_of(fs, s)
    x = sum(a * np.exp(-t / d) * np.sin(2 * np.pi * freq * r * t)
            for r, a, d in zip(ratios, levels, decays) if freq * r < 0.45 * fs)
    n = max(1, int(0.001 * fs))
    x[:n] *= np.linspace(0, 1, n)
    return x


def place(x, at, y, gain=1.0):
    n = min(len(y), len(x) - at)
    if n > 0:
        x[at:at + n] += gain * y[:n]
