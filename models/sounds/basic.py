"""Alarms as the standards have them, without variety of makers and batteries: for demo.flac and the tests."""
import numpy as np
from . import world
from .parts import edges, partials, piezo, repeat, seconds_of, square


def smoke_t3(rng, fs, s):
    on = 0.5 * rng.uniform(0.9, 1.1)
    return repeat(fs, s, piezo(rng, fs, rng.uniform(2800, 3500)), [(on, on), (on, on), (on, on + 1.0)])


def smoke_520(rng, fs, s):
    freq, on = rng.uniform(490, 550), 0.5 * rng.uniform(0.9, 1.1)
    beep = lambda d: edges(partials(2 * np.pi * freq * seconds_of(fs, d), fs, freq, square()), fs)
    return repeat(fs, s, beep, [(on, on), (on, on), (on, on + 1.0)])


def co_t4(rng, fs, s):
    on = 0.1 * rng.uniform(0.9, 1.1)
    return repeat(fs, s, piezo(rng, fs, rng.uniform(2800, 3500)), [(on, on)] * 3 + [(on, rng.uniform(1, 5))])


def clock_digital(rng, fs, s):
    on = rng.uniform(0.05, 0.08)
    freq = rng.uniform(1800, 2400) if rng.random() < 0.7 else rng.uniform(3950, 4200)
    return repeat(fs, s, piezo(rng, fs, freq), [(on, on)] * 3 + [(on, 1 - 7 * on)])


# kind: (number that seeds, generator, label)
KINDS = {"smoke_t3": (0, smoke_t3, "smoke_alarm"), "smoke_520": (1, smoke_520, "smoke_alarm"),
         "co_t4": (3, co_t4, "co_alarm"), "clock_digital": (5, clock_digital, "clock_alarm"),
         "siren": (9, world.siren, "siren"), "knock": (10, world.knock, "door_wood_knock"),
         "tick": (11, world.tick, "clock_tick"), "rain": (12, world.rain, "rain"),
         "speech": (13, world.speech, "speech"), "silence": (14, world.silence, "background")}
