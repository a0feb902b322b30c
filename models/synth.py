#!/usr/bin/python3
"""Synthesises sounds that the data sets lack or that must be free of rights: alarms above all.

  synth.py train DIR [--count 100] [--seed 1]    clips for training and a manifest.csv (path,dataset,label,kind)
  synth.py demo FILE.flac [--seed 2]             the bundled recording, and FILE.csv with its annotations
  synth.py tests DIR [--seed 3]                  short sounds that the tests classify, and sounds.csv

Needs numpy, scipy, libsndfile and espeak-ng. Each of the three has its own seed: nothing that is tested was trained on.
"""
import argparse, csv, pathlib
import numpy as np
from scipy.signal import butter, sosfilt
from audiofile import write_audio
from sounds import alarms, basic, home, rooms, world
from sounds.parts import coloured, edges, place

# kind: (generator, label of the vocabulary or "" where none fits, percent of --count). The order seeds: append only.
KINDS = {"smoke_t3": (alarms.smoke_t3, "smoke_alarm", 190), "smoke_520": (alarms.smoke_520, "smoke_alarm", 60),
         "smoke_fast": (alarms.smoke_fast, "smoke_alarm", 240),
         "smoke_sounder": (alarms.smoke_sounder, "smoke_alarm", 40),
         "co_t4": (alarms.co_t4, "co_alarm", 300), "low_battery": (alarms.low_battery, "", 180),
         "reversing": (alarms.reversing, "", 150), "blip": (alarms.blip, "", 80),
         "clock_digital": (alarms.clock_digital, "clock_alarm", 150), "bell_chime": (home.bell_chime, "door_bell", 150),
         "bell_electronic": (home.bell_electronic, "door_bell", 110),
         "bell_buzzer": (home.bell_buzzer, "door_bell", 50),
         "phone_bell": (home.phone_bell, "telephone", 100), "phone_warble": (home.phone_warble, "telephone", 80),
         "phone_mobile": (home.phone_mobile, "telephone", 90),
         "phone_vibrating": (home.phone_vibrating, "telephone", 40),
         "kettle": (home.kettle, "kettle", 220), "appliance": (home.appliance_beep, "appliance_beep", 220),
         "appliance_melody": (home.appliance_melody, "appliance_beep", 80),
         "running_water": (home.running_water, "running_water", 150), "siren": (world.siren, "siren", 180),
         "knock": (world.knock, "door_wood_knock", 150), "tick": (world.tick, "clock_tick", 130),
         "rain": (world.rain, "rain", 100), "speech": (world.speech, "speech", 150),
         "silence": (world.silence, "background", 260)}


def training_clip(rng, fs, kind):
    """(samples): the sound in a room, at times behind a door, 0 to 30 dB above the noise of the room."""
    make, s = KINDS[kind][0], rng.integers(20, 49) / 8
    if kind == "silence":
        return world.silence(rng, fs, 4.0) * 10 ** (rng.uniform(-85, -42) / 20)
    n = int(fs * s)
    dry = np.resize(np.append(make(rng, fs, s)[:n], np.zeros(fs)), n)
    wet = rooms.through_room(rng, fs, dry, 0.5, 6)[:n] if rng.random() < 0.85 else dry
    if rng.random() < 0.25:
        wet = rooms.door(rng, fs, wet)
    noise = world.silence(rng, fs, s)
    snr = rng.uniform(0, 25) if rng.random() < 0.6 else rng.uniform(20, 50)
    wet = wet / (rooms.active_rms(wet, fs) + 1e-12)
    x = wet + 10 ** (-snr / 20) * noise
    if rng.random() < 0.5:
        x = rooms.microphone(rng, fs, x * 0.1 / (rooms.active_rms(x, fs) + 1e-12))[0]
    return x * 10 ** (rng.uniform(-30, -1) / 20) / (np.abs(x).max() + 1e-12)


def make_training(folder, count, seed, fs=16000):
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (kind, (_, label, share)) in enumerate(KINDS.items()):
        for i in range(max(1, round(count * share / 100))):
            x = training_clip(np.random.default_rng([seed, number, i]), fs, kind)
            write_audio(folder / f"{kind}-{i}.flac", x, fs)
            rows.append((f"{kind}-{i}.flac", "synth", label, kind))
    with open(folder / "manifest.csv", "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([("path", "dataset", "label", "kind"), *rows])


# --- what ships and what is tested -----------------------------------------------------------------------------------
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
            make, label = basic.KINDS[kind][1:]
            dry = np.concatenate([edges(make(rng, fs, s), fs, 0.02), np.zeros(fs // 2)])
            place(x, int(at * fs), rooms.record(rng, fs, dry, peak, -120, 0.4, 6, False))
            out.writerow((at, at + s, label))
    write_audio(path, x, fs)


def make_tests(folder, seed, fs=16000):
    with open(folder / "sounds.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(("file", "label"))
        for kind, s in TESTS:
            number, make, label = basic.KINDS[kind]
            rng = np.random.default_rng([seed, number])
            dry = make(rng, fs, s)
            x = dry * 10 ** (-62 / 20) if kind == "silence" else rooms.record(rng, fs, dry, -10, -65, 0.35, 8, False)
            write_audio(folder / f"{kind}.flac", x, fs)
            out.writerow((f"{kind}.flac", label))


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=("train", "demo", "tests"))
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("--count", type=int, default=100, help="training clips: 40 to 300 hundredths of it of each kind")
    p.add_argument("--seed", type=int)
    a = p.parse_args()
    if a.what == "train":
        make_training(a.out, a.count, a.seed or 1)
    elif a.what == "demo":
        make_demo(a.out, a.seed or 2)
    else:
        make_tests(a.out, a.seed or 3)
