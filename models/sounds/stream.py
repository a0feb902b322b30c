"""Mixes one annotated stream: sounds in rooms over a bed, through one microphone.

The signal-to-noise ratio of a sound is 20 log10 of its active RMS over the bed's active RMS, both as the microphone's
response leaves them, the bed with the microphone's noise in it. Active RMS: over the 20 ms frames that are at most
20 dB under the loudest one (rooms.active_rms): pauses of an alarm or of a speaker count on neither side. An event
reaches from the first to the last 10 ms frame that is at most 20 dB under its loudest, the room's tail included."""
from dataclasses import dataclass, field
import numpy as np
from scipy.signal import fftconvolve
from . import beds
from .clips import active_span, cut_out, read_at
from .parts import place
from .rooms import Microphone, active_rms, shoebox

FS = 16000
MICROPHONES = {"good": 0.35, "usb": 0.3, "phone": 0.3, "poor": 0.05}     # how often one of rooms.MICROPHONES is drawn
SPLITS = ("train", "tune", "test")    # draw rooms, microphones and synthesised sounds from seeds of their own
BED_LEVEL = {"quiet": (-66, -52)}     # dBFS of the bed; all others:
OTHER_LEVEL = (-46, -35)
# What is not played over a bed that holds the like of it
ALIKE = {"speech": {"speech", "children_playing", "street_music"}, "music": {"music", "street_music"},
         "rain": {"rain", "thunderstorm"}, "running_water": {"running_water", "pouring_water", "rain"}}


@dataclass
class Spec:
    seconds: float
    bed: str
    snrs: list
    sources: dict                      # label: [Clip or function of (rng, fs) that gives samples]
    others: dict = field(default_factory=dict)   # the same for sounds that no label is for
    gap: float = 5.0                   # mean pause between sounds
    least: float = 0.5                 # the shortest
    overlap: float = 0.15              # share of sounds that begin while another one lasts
    share_others: float = 0.0          # share of sounds drawn from `others`
    microphone: str = ""               # of rooms.MICROPHONES, drawn where empty
    distance: tuple = (0.6, 5.0)
    home: tuple = None                 # (Microphone, {label: response}): one box where it stands, the same in every piece; None: drawn


@dataclass
class Event:
    onset: float
    offset: float
    label: str
    snr: float
    source: str
    start: int = 0                     # first sample of `samples` in the stream
    samples: np.ndarray = None


def draw_sound(rng, source, label):
    """(samples, where from), or None where the clip is silent"""
    if callable(source):
        return cut_out(source(rng, FS), FS, label, 9.0), "synth"
    longest = 9.0 if label in ("smoke_alarm", "co_alarm") else 5.0
    return cut_out(read_at(source.path, FS), FS, label, longest, rng), f"{source.dataset}/{source.path.name}"


def schedule(rng, spec, taken):
    """Start, label, SNR, source of sound after sound; the caller sends how long each came out."""
    busy = []                          # (end, label) of what still lasts
    at = rng.exponential(spec.gap) + 1.0
    labels, others = sorted(set(spec.sources) - taken), sorted(spec.others)
    while at < spec.seconds - 2 and (labels or others):
        odd = others and (not labels or rng.random() < spec.share_others)
        free = [s for s in (others if odd else labels) if all(s != name or end < at - 1 for end, name in busy)]
        if not free:
            at += 1
            continue
        label = str(rng.choice(free))
        pool = (spec.others if odd else spec.sources)[label]
        length = yield at, label, float(rng.choice(spec.snrs)), pool[rng.integers(len(pool))], bool(odd)
        busy = [(end, name) for end, name in busy if end > at] + [(at + length, label)]
        last = max(end for end, _ in busy)
        if len(busy) < 2 and rng.random() < spec.overlap:
            at += max(0.3, rng.uniform(0.2, 0.8) * length)
        else:
            at = last + max(spec.least, rng.exponential(spec.gap))


def microphone_kind(rng):
    return str(rng.choice(list(MICROPHONES), p=list(MICROPHONES.values())))


class Place:
    """The rooms, the microphone and the bed of a piece; they do not depend on the sounds or their SNR."""
    def __init__(self, spec, library, key):
        rng = np.random.default_rng([2, *key])
        self.responses = [shoebox(rng, FS, *spec.distance)[0] for _ in range(8)]
        kind = microphone_kind(rng)
        mic = Microphone(rng, FS, spec.microphone or kind)
        self.mic = spec.home[0] if spec.home else mic
        bed, self.inside = beds.make_bed(rng, FS, spec.seconds, spec.bed, library, self.responses)
        bed = self.mic.colour(bed)
        bed *= 10 ** (rng.uniform(*BED_LEVEL.get(spec.bed, OTHER_LEVEL)) / 20) / active_rms(bed, FS)
        self.bed = (bed + self.mic.noise(rng, len(bed))).astype(np.float32)
        self.level = active_rms(self.bed, FS)


def mix(spec, library, split, seed, piece, places=None):
    """(samples, events, other events, what the bed holds, microphone): the same for the same arguments, bit by bit.

    places: a dict in which what only the SNR tells apart is kept from call to call, for the same library."""
    key = (SPLITS.index(split), *np.atleast_1d(seed), piece)
    rng, which = np.random.default_rng([1, *key]), (*key, spec.seconds, spec.bed, spec.microphone, spec.distance)
    where = (places or {}).get(which) or Place(spec, library, key)
    if places is not None:
        places[which] = where
    bed, mic, inside = where.bed, where.mic, where.inside
    out, events, odd = bed.astype(float), [], []
    taken = {name for _, _, label in inside for name in ALIKE.get(label, {label})}
    plan, length = schedule(rng, spec, taken), None
    while True:
        try:
            at, label, snr, source, is_odd = plan.send(length)
        except StopIteration:
            break
        event = arrive(rng, spec, where, at, label, snr, source)
        length = event.offset - event.onset if event else 0.0
        if event:
            place(out, event.start, event.samples)
            (odd if is_odd else events).append(event)
    return mic.limit(rng, out), events, odd, inside, mic.kind


def arrive(rng, spec, where, at, label, snr, source):
    """The event as the microphone gets it, or None where it would reach beyond the stream's end."""
    dry, name = draw_sound(rng, source, label)
    if dry is None or len(dry) < 0.02 * FS:
        return None
    response = where.responses[rng.integers(len(where.responses))]
    wet = where.mic.colour(fftconvolve(dry, spec.home[1][label] if spec.home else response))
    a, b = active_span(wet, FS)
    start = int(at * FS) - a
    if start < 0 or start + b > (spec.seconds - 0.5) * FS:
        return None
    wet = wet[:b + FS]
    wet *= where.level * 10 ** (snr / 20) / active_rms(wet, FS)
    return Event((start + a) / FS, (start + b) / FS, label, snr, name, start, wet)
