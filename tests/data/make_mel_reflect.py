#!/usr/bin/env python3
"""mel_reflect_chirp_16k.npy: the EfficientAT kind of front end, written down once more with NumPy in double precision.

Valid pre-emphasis, reflection, a symmetric Hann window in the centre of a longer FFT, power, kaldi's triangles, affine."""
import sys
import numpy as np
import soundfile

x, rate = soundfile.read(sys.argv[1])
n_fft, window, hop, bands, fmin, fmax = 1024, 800, 320, 64, 50.0, 7600.0
x = x[1:] - 0.97 * x[:-1]
x = np.pad(x, n_fft // 2, mode="reflect")
taper = np.zeros(n_fft)
taper[(n_fft - window) // 2:][:window] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / (window - 1))
frames = np.stack([x[t:t + n_fft] * taper for t in range(0, len(x) - n_fft + 1, hop)])
power = np.abs(np.fft.rfft(frames)) ** 2
mel = lambda f: 1127 * np.log(1 + f / 700)
edges = np.linspace(mel(fmin), mel(fmax), bands + 2)
at = mel(np.arange(n_fft // 2 + 1) * rate / n_fft)[:, None]
bank = np.minimum((at - edges[:-2]) / (edges[1:-1] - edges[:-2]), (edges[2:] - at) / (edges[2:] - edges[1:-1])).clip(0)
np.save(sys.argv[2], ((np.log(power @ bank + 1e-5) + 4.5) / 5).T.astype("<f4").copy())
