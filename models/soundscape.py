#!/usr/bin/python3
"""Mixes annotated streams from labelled clips, to choose thresholds on and to measure what is heard.

  soundscape.py make OUT --manifest DATA/manifest.csv --folds esc50:4,us8k:2,*:5 --split test --snr 0,10 --minutes 60
  soundscape.py sets OUT --manifest DATA/manifest.csv --folds ...     the sets that the model's card quotes: SETS, below
  soundscape.py clips OUT --manifest DATA/manifest.csv --folds ...    each clip as other microphones in rooms record it

Writes FLAC at 16 kHz with a CSV beside each: onset,offset,label,snr,source (seconds, dB); NAME.others.csv holds in the
same way what no label is for; LIST.csv names them all, for `earshot evaluate --streams`. Speech, music and the like
that belong to the bed are annotated without an SNR. How an SNR is meant: sounds/stream.py.

Splits: `tune` and `test` take one half each of the clips that --folds lets through, `train` takes all; what was cut
from one recording is never in both halves. Rooms, microphones and synthesised sounds come from other seeds in each
split. Labels that no clip is for are synthesised where synth.py knows how. The same arguments give the same bytes.

Needs numpy, scipy, libsndfile and espeak-ng.
"""
import argparse, csv, math, pathlib
import numpy as np
import synth
from audiofile import write_audio
from sounds import beds, rooms
from sounds.clips import load_clips, parse_folds, read_at, read_vocabulary
from sounds.stream import FS, SPLITS, Spec, mix

VOCABULARY = pathlib.Path(__file__).parent / "labels.csv"
ALARMS = "smoke_alarm,clock_alarm,siren,glass_breaking,gun_shot,crying_baby,door_wood_knock"
SMOKE = "smoke_alarm,co_alarm"
BEEPS = "appliance_beep,telephone,door_bell,kettle,clock_alarm"
OTHERS = ("low_battery", "reversing", "blip")       # kinds of synth.py that no label is for
PIECE = 5.0                                         # minutes: each file has rooms and a microphone of its own
LASTING = {"smoke_alarm": 9.0, "co_alarm": 8.0}     # seconds to synthesise; 4 of all else
# name: split, labels (all, none or names), SNRs, beds, minutes, share of sounds without a label. The order seeds.
# Sets with the same first six letters are the same streams but for the SNR. Between smoke alarms there are 5 s and
# more, so that one is over for the program when the next begins.
SETS = {"tune": ("tune", "all", "0,5,10,15,20", "speech,music,kitchen,traffic,quiet", 100, 0.08),
        "tune-beds": ("tune", "none", "0", "speech,music,kitchen,traffic,quiet", 100, 0.0),
        "alarms-10db": ("test", ALARMS, "10", "speech,music", 40, 0.0),
        "alarms-00db": ("test", ALARMS, "0", "speech,music", 40, 0.0),
        "alarms-05db": ("test", ALARMS, "5", "speech,music", 40, 0.0),
        "alarms-20db": ("test", ALARMS, "20", "speech,music", 40, 0.0),
        "smoke-00db": ("test", SMOKE, "0", "speech,kitchen", 20, 0.0),
        "smoke-05db": ("test", SMOKE, "5", "speech,kitchen", 20, 0.0),
        "smoke-10db": ("test", SMOKE, "10", "speech,kitchen", 20, 0.0),
        "smoke-20db": ("test", SMOKE, "20", "speech,kitchen", 20, 0.0),
        "beeps": ("test", BEEPS, "0,5,10,20", "speech,kitchen", 40, 0.4),
        "test-beds": ("test", "none", "0", "speech,music,kitchen,traffic,quiet", 150, 0.0),
        "test": ("test", "all", "0,5,10,15,20", "speech,music,kitchen,traffic,quiet", 100, 0.08),
        "tune-alarms": ("tune", ALARMS + ",co_alarm", "0,5,10,15,20", "speech,music,kitchen", 60, 0.1)}
# name: microphone, metres between sound and microphone
PLACES = {"phone": ("phone", 0.3, 1.2), "usb": ("usb", 1.0, 2.5), "far": ("usb", 3.6, 4.4), "poor": ("poor", 1.0, 3.0)}


def synthesised(kinds):
    """Functions of (rng, rate) for kinds of synth.py, as often in the list as they were in training."""
    pool = []
    for kind in kinds:
        make, label, weight = synth.KINDS[kind]
        pool += [lambda rng, fs, make=make, s=LASTING.get(label, 4.0): make(rng, fs, s)] * max(1, weight // 20)
    return pool


def sources_of(clips, wanted, vocabulary):
    """{label: clips or generators} of all labels, or of the names given; what cannot be had is said."""
    lines = vocabulary[1]
    kinds = {}
    for kind, (_, label, _) in synth.KINDS.items():
        kinds.setdefault(label, []).append(kind)
    if wanted == "none":
        return {}
    names = [s for s in lines if s != "background"] if wanted == "all" else wanted.split(",")
    sources = {}
    for name in names:
        if name not in lines:
            raise SystemExit(f"--labels: '{name}' is no sound of {VOCABULARY.name}")
        pool = [c for c in clips if c.label == name]
        made = synthesised(kinds.get(name, ())) if not pool or name == "smoke_alarm" else []
        if pool or made:     # half of each where there are both
            sources[name] = pool * max(1, len(made) // max(1, len(pool))) + made
        elif wanted != "all":
            raise SystemExit(f"--labels: no clip of {name} in these folds, and synth.py makes none")
    return sources


def write_events(path, rows):
    with open(path, "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(("onset", "offset", "label", "snr", "source"))
        out.writerows((f"{a:.3f}", f"{b:.3f}", label, snr, source) for a, b, label, snr, source in sorted(rows))


def write_list(path, rows):
    with open(path, "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([("audio", "annotations", "bed", "microphone", "seconds"), *rows])


def make(out, clips, vocabulary, split, wanted, snrs, bed_names, minutes, share_others, seed, piece_minutes=PIECE,
         gap=5.0, least=0.5, resume=False, places=None):
    sources, library = sources_of(clips, wanted, vocabulary), beds.library_of(clips)
    out.mkdir(parents=True, exist_ok=True)
    done = {r[0]: r for r in csv.reader(open(out / "LIST.csv"))} if resume and (out / "LIST.csv").exists() else {}
    others = {kind: synthesised([kind]) for kind in OTHERS} if share_others > 0 and wanted != "none" else {}
    bed_names, left, rows, piece = bed_names.split(","), minutes, [], 0
    while left > 0.01:
        bed, length = bed_names[piece % len(bed_names)], min(left, piece_minutes)
        name = f"{piece:03d}-{bed}"
        left, piece = left - length, piece + 1
        if f"{name}.flac" in done:
            rows.append(done[f"{name}.flac"])
            continue
        spec = Spec(60 * length, bed, [float(s) for s in snrs.split(",")], sources, others, gap, least,
                    0.15 if least < 1 else 0.0, share_others)
        x, events, odd, inside, mic = mix(spec, library, split, seed, piece - 1, places)
        write_audio(out / f"{name}.flac", x, FS)
        write_events(out / f"{name}.csv", [(e.onset, e.offset, e.label, e.snr, e.source) for e in events]
                     + [(a, b, label, "", "bed") for a, b, label in inside])
        write_events(out / f"{name}.others.csv", [(e.onset, e.offset, e.label, e.snr, e.source) for e in odd])
        rows.append((f"{name}.flac", f"{name}.csv", bed, mic, f"{len(x) / FS:.1f}"))
        write_list(out / "LIST.csv", rows)
    write_list(out / "LIST.csv", rows)


def played_elsewhere(out, manifest, clips, split, seed):
    """Each clip through a room and a microphone of each of PLACES, and a manifest of the recordings."""
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (place, (kind, near, far)) in enumerate(PLACES.items()):
        (out / place).mkdir(exist_ok=True)
        for i, c in enumerate(clips):
            if not c.label:
                continue
            rng = np.random.default_rng([3, SPLITS.index(split), seed, number, i])
            x = read_at(c.path, FS)
            wet = rooms.through_room(rng, FS, x, near, far)[:len(x) + FS // 4]
            wet *= 10 ** (rng.uniform(-36, -18) / 20) / (rooms.active_rms(wet, FS) + 1e-9)
            name = f"{place}/{c.path.stem}.flac"
            write_audio(out / name, rooms.microphone(rng, FS, wet, kind)[0], FS)
            rows.append((name, c.dataset, c.label, place, c.path.name))
    with open(out / "manifest.csv", "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([("path", "dataset", "label", "place", "clip"), *rows])


def check(a):
    """Refuses in one line what make could not use."""
    for s in a.beds.split(","):
        if s not in beds.KINDS:
            raise SystemExit(f"--beds: '{s}' is none of {', '.join(beds.KINDS)}")
    for s in a.snr.split(","):
        try:
            float(s)
        except ValueError:
            raise SystemExit(f"--snr: '{s}' is no number") from None
    if a.minutes <= 0 or a.piece <= 0 or a.gap <= 0 or not 0 <= a.others <= 1:
        raise SystemExit("--minutes, --piece and --gap must be above 0, --others 0 to 1")


def left(a, clips, vocabulary):
    """Without the clips of folds and the sounds that are to stay unheard, and what else was cut from those recordings."""
    gone = {c.family for c in load_clips(a.manifest, parse_folds(a.without), vocabulary)} if a.without else set()
    names = parse_folds(a.without_sounds) if a.without_sounds else {}
    return [c for c in clips if c.family not in gone and c.name not in names.get(c.dataset, [])]


def run(a):
    if not a.manifest.is_file():
        raise SystemExit(f"{a.manifest}: no such file")
    vocabulary, folds = read_vocabulary(VOCABULARY), parse_folds(a.folds)
    half = {"train": None, "tune": 0, "test": 1}
    clips_of = lambda split: load_clips(a.manifest, folds, vocabulary, half[split])
    if a.do == "make":
        check(a)
        make(a.out, left(a, clips_of(a.split), vocabulary), vocabulary, a.split, a.labels, a.snr, a.beds, a.minutes, a.others, a.seed,
             a.piece, a.gap)
    elif a.do == "clips":
        played_elsewhere(a.out, a.manifest, clips_of("train"), a.split, a.seed)
    else:
        series, places, before = list(dict.fromkeys(s[:6] for s in SETS)), {}, ""
        for name in a.only.split(",") if a.only else SETS:
            if name not in SETS:
                raise SystemExit(f"--only: '{name}' is none of {', '.join(SETS)}")
            split, labels, snrs, bed_names, minutes, others = SETS[name]
            if name[:6] != before:
                places.clear()
            before = name[:6]
            clips = [c for c in clips_of(split) if split == "test" or c.dataset != "smoke_alarm"]
            if split == "test":     # the few real smoke alarms are for testing, all of them
                clips = [c for c in clips if c.dataset != "smoke_alarm"] + \
                    load_clips(a.manifest, {"smoke_alarm": ["*"]}, vocabulary)
            minutes = PIECE * math.ceil(minutes * a.scale / PIECE)
            make(a.out / name, clips, vocabulary, split, labels, snrs, bed_names, minutes, others,
                 [a.seed, series.index(name[:6])], PIECE, *((10.0, 5.0) if name.startswith("smoke") else ()),
                 resume=a.resume, places=places)
            print(f"{a.out / name}: {minutes:g} min", flush=True)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    q = p.add_subparsers(dest="do", required=True)
    m, s, c = q.add_parser("make"), q.add_parser("sets"), q.add_parser("clips")
    for one in (m, s, c):
        one.add_argument("out", type=pathlib.Path)
        one.add_argument("--manifest", type=pathlib.Path, required=True, help="path,dataset,label,fold")
        one.add_argument("--folds", default="*:*", help="esc50:4,us8k:2,*:5; * for all (%(default)s)")
        one.add_argument("--seed", type=int, default=1)
    for one in (m, c):
        one.add_argument("--split", choices=SPLITS, default="test")
    m.add_argument("--without", help="folds like --folds: their clips, and all of the same recordings, are left out")
    m.add_argument("--without-sounds", metavar="SET:NAME+NAME", help="a data set's names for sounds that are left out")
    m.add_argument("--labels", default="all", help="all, none or slugs (%(default)s)")
    m.add_argument("--snr", default="10", help="dB, of which each sound draws one (%(default)s)")
    m.add_argument("--beds", default="speech,music", help=", ".join(beds.KINDS) + ": one a file in turn (%(default)s)")
    m.add_argument("--minutes", type=float, default=60)
    m.add_argument("--piece", type=float, default=PIECE, help="minutes of one file (%(default)s)")
    m.add_argument("--gap", type=float, default=5, help="mean seconds between sounds (%(default)s)")
    m.add_argument("--others", type=float, default=0, help="share of sounds that no label is for (%(default)s)")
    s.add_argument("--only", help="names of sets, of " + ", ".join(SETS))
    s.add_argument("--scale", type=float, default=1, help="of their minutes (%(default)s)")
    s.add_argument("--resume", action="store_true", help="keep what the same command, perhaps of less scale, has made")
    return p.parse_args()


if __name__ == "__main__":
    run(arguments())
