"""Clips as log-mel features, their targets, and the augmentation that earshot-s is trained with."""
import collections, csv, json, math, pathlib
import numpy as np, torch, torch.nn.functional as F
from recipe import LOGMEL, freesound_ids

FRAMES, BANDS, HOP = 96, 64, 50
OFFSET = 1e-3                                     # of the logarithm: magnitude = exp(logmel) - OFFSET
# Splits: ESC-50's folds 1 to 4, each with a share of UrbanSound8K's folds that are there. Other sets: a hash of the name.
SPLITS = {0: {}, **{k: {"esc50": str(k), "us8k": us, "smoke_alarm": "12345", "*": "5"}
                    for k, us in ((1, "15"), (2, "37"), (3, "468"), (4, "2"))}}
LEFT_OUT = {"blender", "juicer", "peel", "drawer", "chopping", "book", "sweep"}   # of Kitchen20: what `unknown` is measured with

# Sounds that are nested or often heard together: a clip of one says nothing about the other.
ALIKE = {"street_music": {"music", "speech"}, "music": {"street_music"}, "children_playing": {"speech", "laughing", "scream"},
         "speech": {"children_playing", "laughing", "breathing"}, "laughing": {"speech", "children_playing"},
         "thunderstorm": {"rain", "wind"}, "rain": {"thunderstorm", "water_drops", "running_water"}, "snoring": {"breathing"},
         "breathing": {"snoring"}, "church_bells": {"music", "door_bell"}, "fireworks": {"gun_shot"}, "sea_waves": {"wind"},
         "clock_alarm": {"appliance_beep", "co_alarm", "telephone"}, "appliance_beep": {"clock_alarm"},
         "co_alarm": {"clock_alarm", "smoke_alarm"},
         "telephone": {"clock_alarm", "music"}, "door_bell": {"church_bells", "music"},
         "pouring_water": {"running_water", "water_drops"}, "running_water": {"pouring_water", "water_drops", "toilet_flush"},
         "toilet_flush": {"running_water"}, "water_drops": {"running_water", "pouring_water"}, "kettle": {"running_water"}}
STREET = {"speech", "music", "wind", "footsteps", "chirping_birds"}  # what lies behind many UrbanSound8K clips
# Steady noises: below QUIET (mean magnitude, about -50 dBFS) they are what every quiet room sounds like.
STEADY = {"air_conditioner", "airplane", "engine_idling", "helicopter", "rain", "sea_waves", "train", "vacuum_cleaner",
          "washing_machine", "wind", "running_water"}
QUIET = 0.1
UNNAMED = 0.3                                     # weight of what the teacher's head takes a sound without a label for
# What a clip without a fitting label (a microwave, plates) surely is not.
ALARMS = {"smoke_alarm", "co_alarm", "glass_breaking", "gun_shot", "crying_baby", "dog_bark", "snoring", "chainsaw", "helicopter"}
MUSIC = {"instruments", "sms_tools"}
BEDS = {"speech", "music", "street_music", "children_playing"}
MORE = dict.fromkeys(("smoke_alarm", "co_alarm", "clock_alarm", "siren", "glass_breaking", "gun_shot", "crying_baby",
                      "door_wood_knock", "door_bell"), 1.6)   # drawn more often: what must not be missed
SHARE = {"esc50": 1.2, "us8k": 2, "synth": 0.5, "kitchen20": 0.5}   # of a set in what is drawn, beside its number of clips


class Vocabulary:
    """models/labels.csv: the slugs that the model is to hear, and the data sets' names for them."""
    def __init__(self, without=(), path=pathlib.Path(__file__).with_name("labels.csv")):
        rows = list(csv.DictReader(open(path)))
        unknown = set(without) - {r["slug"] for r in rows}
        if unknown:
            raise SystemExit(f"{', '.join(sorted(unknown))}: no label of {path}")
        self.labels = sorted(r["slug"] for r in rows if r["heard"] != "no" and r["slug"] not in without)
        self.names = {name: r["slug"] for r in rows for name in r["datasets"].replace(";", "|").split("|") if name}

    def slug(self, row):
        """Label of a clip, or None where it has none that fits."""
        ds, label = row["dataset"], row["label"]
        if not label or (ds in ("glass", "snoring") and label == "background"):
            return None
        if ds in MUSIC and label not in ("speech", "rain", "sea_waves", "wind", "water-flowing"):
            return "music"
        found = self.names.get(f"{ds}:{label}", label if label in self.labels and ds != "kitchen20" else None)
        return found if found in self.labels else None

    def target(self, row):
        """(wanted scores, which of them count)"""
        y, known, label = np.zeros(len(self.labels), np.float32), np.zeros(len(self.labels), np.float32), self.slug(row)
        at = self.labels.index
        if row["dataset"] == "more":                       # nobody said what it is: the teacher alone does
            return y, known
        if label is None:
            beep = row.get("kind") in ("low_battery", "blip", "reversing")
            sure = ALARMS | ({"siren", "door_wood_knock", "clock_alarm"} if beep else set())
            if row["dataset"] in ("glass", "snoring"):    # backgrounds that hold many a sound, but not this one
                sure = {"glass_breaking" if row["dataset"] == "glass" else "snoring"}
            known[[at(s) for s in sure if s in self.labels]] = 1
            return y, known
        known[:] = 1
        unsure = ALIKE.get(label, set()) | (STREET - {label} if row["dataset"] == "us8k" else set())
        if row.get("kind") == "smoke_fast":                # quick beeps: both kinds of detector have been heard to make them
            unsure = unsure | {"co_alarm"}
        known[[at(s) for s in unsure if s in self.labels]] = 0
        y[at(label)] = known[at(label)] = 1
        return y, known


class Data:
    """Everything in memory. `paths`: .npz of `features`; `teacher`: .npz files of teacher.py, or none; `split`: what is held out;
    `without`: labels that there shall not be, nor any clip of theirs."""
    def __init__(self, paths, teacher=None, split=4, without=()):
        self.rows, mels, said = [], [], []
        for path in paths:
            z = np.load(path)
            rows = json.loads(str(z["rows"]))
            if "score" in z:                               # scenes.py's: what the teacher said of each mixture
                rows = [r | {"said": r["said"] + sum(len(e) for _, e in said) if r["said"] >= 0 else -1} for r in rows]
                said.append((z["score"], z["emb"]))
            self.rows += rows
            mel, ptr = z["mel"], z["ptr"]
            mels += [mel[a:b] for a, b in zip(ptr, ptr[1:])]
        keep = self.clear_of(without)
        self.rows, mels = ([q for q, k in zip(p, keep) if k] for p in (self.rows, mels))
        floor = np.float16(math.log(OFFSET))
        mels = [np.concatenate([m, np.full((max(0, FRAMES - len(m)), BANDS), floor)]) for m in mels]
        self.start = np.cumsum([0] + [len(m) for m in mels])
        self.live = [self.live_windows(m) for m in mels]
        self.mel = np.concatenate(mels)
        words = Vocabulary(without)
        self.vocab, self.slug = words.labels, [words.slug(r) for r in self.rows]
        self.y, self.known = (torch.from_numpy(np.array(p)) for p in zip(*[words.target(r) for r in self.rows]))
        self.steady = torch.tensor([s in STEADY for s in self.slug])
        self.room_share = 0.4                              # of the clips that are heard in another room
        self.scene_share = 0.4                             # of the clips in whose place a mixture with them is heard
        self.pair_share = 0.5                              # of the clips that are heard with a second one
        self.more_share = 0.3                              # of the clips drawn: sounds without labels, where there are some
        self.split(SPLITS[split])
        self.beds = np.array([i for i in self.train if self.slug[i] in BEDS or self.rows[i]["dataset"] == "kitchen20"])
        self.more = np.array([i for i in self.train if self.rows[i]["dataset"] == "more"])
        self.named = np.array([i for i in self.train if self.rows[i]["dataset"] != "more"])
        self.taught(teacher)
        self.mixtures(said)

    def clear_of(self, without):
        """For each row, whether neither clip in it is one of those sounds, nor cut from a recording that one of them is cut from."""
        words = Vocabulary()
        family = set().union(*[freesound_ids(r) for r in self.rows if words.slug(r) in without])
        return [not any(words.slug(c) in without or freesound_ids(c) & family for c in [r, *filter(None, [r.get("b")])])
                for r in self.rows]

    @staticmethod
    def live_windows(mel):
        """Starts of the windows that hold sound: no more than 15 dB below the clip's loudest window."""
        frame = np.exp(mel.astype(np.float32)).mean(1)
        window = np.convolve(frame, np.ones(FRAMES), "valid")
        return np.flatnonzero(window >= window.max() * 10 ** (-15 / 20)).astype(np.int32)

    def split(self, hold):
        """held: never trained on, with all that shares a Freesound id with it left out; check: watched while training."""
        held = np.array([r.get("fold", "") != "" and r["fold"] in hold.get(r["dataset"], hold.get("*", "")) for r in self.rows])
        real_alarm = np.array([r["dataset"] == "smoke_alarm" for r in self.rows])
        never = np.array([r["dataset"] == "kitchen20" and r["label"] in LEFT_OUT for r in self.rows]) | real_alarm
        copy = np.array(["room" in r or "scene" in r for r in self.rows])
        ids = [freesound_ids(r) | {r["path"]} for r in self.rows]
        family = set().union(*[i for i, h in zip(ids, held) if h])
        leak = np.array([bool(i & family) for i in ids])
        group = [sum(map(ord, min(i))) for i in ids]
        check = np.array([g % 25 == 0 for g in group]) & bool(hold)
        self.held = np.flatnonzero((held | real_alarm) & ~copy)
        self.check = np.flatnonzero(~held & ~leak & ~never & check & ~copy)
        usable = self.usable = ~held & ~leak & ~never & ~check
        self.train = np.flatnonzero(usable & ~copy)
        index = {r["path"]: i for i, r in enumerate(self.rows) if not copy[i]}
        self.copies, self.scenes = collections.defaultdict(list), collections.defaultdict(list)
        self.sources = {}                                  # of a mixture: its two clips (-1: no second one)
        for i in np.flatnonzero(copy):
            r = self.rows[i]
            a, b = index[r["path"]], index[r["b"]["path"]] if r.get("b") else -1
            if r.get("scene", "copy") == "copy":
                self.copies[a].append(i)                   # a clip in another room
            elif usable[a] and (b < 0 or usable[b]):
                self.scenes[a].append(i)
                self.sources[i] = (a, b)

    def taught(self, teacher):
        """Teacher's scores and normalised embedding of each clip (a copy in a room has its original's), and who has them."""
        n = len(self.rows)
        self.score, self.emb = torch.zeros(n, 527), torch.zeros(n, 384)
        self.has_teacher = torch.zeros(n)
        if not teacher:
            return
        z = [np.load(path) for path in teacher]
        at = {r["path"]: i for i, r in enumerate(r for f in z for r in json.loads(str(f["rows"])))}
        z = {key: np.concatenate([f[key] for f in z]) for key in ("score", "emb")}
        here = [i for i, r in enumerate(self.rows) if r["path"] in at]
        there = [at[self.rows[i]["path"]] for i in here]
        seen = z["emb"][[at[self.rows[i]["path"]] for i in self.named if self.rows[i]["path"] in at]]
        self.score[here] = torch.from_numpy(z["score"][there])
        self.emb[here] = torch.from_numpy(((z["emb"][there] - seen.mean(0)) / (seen.std(0) + 1e-6)).astype(np.float32))
        self.has_teacher[here] = 1
        self.seen = (seen.mean(0), seen.std(0) + 1e-6)
        self.soften()

    def mixtures(self, said):
        """What is wanted of each mixture of scenes.py, and what the teacher said of it."""
        if not self.sources:
            return
        at = np.array(sorted(self.sources))
        a, b = np.array([self.sources[i] for i in at]).T
        below = torch.tensor([[self.rows[i]["below"]] for i in at], dtype=torch.float32)
        y, known = self.both(self.y[a], self.known[a], self.y[b], self.known[b], below)
        two = torch.from_numpy(b >= 0)[:, None]
        self.y[at], self.known[at] = torch.where(two, y, self.y[a]), torch.where(two, known, self.known[a])
        if self.has_teacher.any():
            score, emb = (np.concatenate(parts)[[self.rows[i]["said"] for i in at]].astype(np.float32) for parts in zip(*said))
            self.score[at] = torch.from_numpy(score)
            self.emb[at] = torch.from_numpy((emb - self.seen[0]) / self.seen[1]).float()
            self.has_teacher[at] = 1

    def listen(self, folder):
        """Takes mixtures.py's mixtures that the teacher heard as they are, but for those of held clips. They are read as they are drawn."""
        index = {r["path"]: i for i, r in enumerate(self.rows) if "room" not in r and "scene" not in r}
        parts, self.heard_mel, which = collections.defaultdict(list), [], []
        for n, path in enumerate(sorted(folder.glob("*.npz"))):
            z = np.load(path)
            self.heard_mel.append(np.load(path.with_suffix(".mel.npy"), mmap_mode="r"))
            own = np.array([index.get(p, -1) for p in json.loads(str(z["paths"]))] + [-2])      # a second clip -1: none
            a, b = (own[z["drawn"][:, k].astype(int)] for k in (0, 1))
            ok = np.flatnonzero((a >= 0) & (b != -1) & self.usable[a] & ((b == -2) | self.usable[b]))
            a, b, below = a[ok], b[ok], torch.from_numpy(z["drawn"][ok, 2:].astype(np.float32))
            y, known = self.both(self.y[a], self.known[a], self.y[b].clone(), self.known[b], below)
            two = torch.from_numpy(b >= 0)[:, None]
            which += [(n, i) for i in ok]
            parts["y"].append(torch.where(two, y, self.y[a])), parts["known"].append(torch.where(two, known, self.known[a]))
            parts["score"].append(torch.from_numpy(z["score"][ok].astype(np.float32)))
            parts["emb"].append(torch.from_numpy((z["emb"][ok].astype(np.float32) - self.seen[0]) / self.seen[1]).float())
        if not which:
            raise SystemExit(f"{folder}: no mixture of clips that may be trained on; mixtures.py makes some")
        self.heard = {k: torch.cat(v) for k, v in parts.items()} | {"which": np.array(which)}

    def heard_bag(self, n, k, rng):
        """As `bag`, of mixtures that the teacher heard: nothing but their level is changed, a little is blanked."""
        i = rng.integers(0, len(self.heard["which"]), n)
        x = np.stack([self.heard_mel[m][at, s:s + FRAMES] for m, at in self.heard["which"][i]
                      for s in rng.integers(0, self.heard_mel[m].shape[1] - FRAMES + 1, k)])
        e = (torch.from_numpy(x.astype(np.float32)).exp() - OFFSET).clamp_min(0)
        e *= (10 ** ((torch.rand(n, 1, 1) * 30 - 20) / 20)).repeat_interleave(k, 0)
        return (self.spoil(e, n, k, 0.4), *(self.heard[key][i] for key in ("y", "known", "score", "emb")), torch.ones(n))

    def both(self, y, known, yo, known_o, below):
        """(wanted, counting) of two clips at once, the second so many dB below: within 8 dB both are to be heard."""
        heard, at = (below < 8).float(), self.vocab.index("background")
        both_background = y[:, at] * yo[:, at]
        known = torch.maximum(y, known * known_o * (1 - yo * (1 - heard)))
        y = torch.maximum(y, yo * heard)
        known = torch.maximum(known, y)
        y[:, at] = both_background
        known[:, at] = torch.maximum(known[:, at], 1 - both_background)
        return y, known

    def soften(self, share=0.3, parts=5):
        """Moves labels part of the way to what a linear head on the teacher's embedding says, trained on other recordings."""
        able = np.array([i for i in self.train if self.has_teacher[i] and self.slug[i]])
        group = np.array([sum(map(ord, min(freesound_ids(self.rows[i]) or {self.rows[i]["path"]}))) % parts for i in able])
        right = self.y[able].argmax(1)
        soft = torch.zeros(len(able), len(self.vocab))
        for part in range(parts):
            rest = torch.from_numpy(group != part)
            soft[~rest] = linear_head(self.emb[able][rest], right[rest], len(self.vocab))(self.emb[able][~rest]).softmax(1)
        self.teacher_right = float((soft.argmax(1) == right).float().mean())
        self.y[able] += share * self.known[able] * (soft - self.y[able])
        if len(self.more):                                 # what it takes a sound without a label for; never for an alarm
            said = linear_head(self.emb[able], right, len(self.vocab))(self.emb[self.more]).softmax(1)
            alarm = torch.tensor([s in MORE for s in self.vocab]).float()
            known = UNNAMED * (1 - alarm * (said > 0.1))
            synthesised = torch.bincount(right, minlength=len(self.vocab)) == 0      # the head has never seen one of these
            known[:, synthesised] = 0
            self.y[self.more], self.known[self.more] = said, known

    def sampler(self, rng):
        """Clips in random order for ever: those of small classes, and of recordings cut into few clips, more often."""
        names = [(self.rows[i]["dataset"], self.slug[i]) for i in self.train]
        source = [self.rows[i].get("package") or min(freesound_ids(self.rows[i]) or {self.rows[i]["path"]}) for i in self.train]
        count, cuts = collections.Counter(names), collections.Counter(source)
        own = np.array([cuts[s] ** -0.4 for s in source])
        total = collections.Counter()
        for s, w in zip(names, own):
            total[s] += w
        p = np.array([w / total[s] * count[s] ** 0.4 * SHARE.get(s[0], 1) * MORE.get(s[1], 1)
                      * (8 if s == ("synth", "background") else 1) for s, w in zip(names, own)])
        unnamed = np.array([s[0] == "more" for s in names])
        if unnamed.any():
            p[unnamed] *= self.more_share / (1 - self.more_share) * p[~unnamed].sum() / p[unnamed].sum()
        while True:
            yield from rng.choice(self.train, 4096, p=p / p.sum())

    def crop(self, idx, k, rng):
        """Magnitudes [len(idx) * k, FRAMES, BANDS]: k windows of each clip; tempo, pitch, gain, filter vary by clip."""
        src = np.array([rng.choice(self.copies[c]) if c in self.copies and rng.random() < self.room_share else c for c in idx])
        i = np.repeat(src, k)
        first = self.start[i] + np.array([self.live[s][int(rng.random() * len(self.live[s]))] for s in i])
        tempo = np.repeat(rng.uniform(0.87, 1.15, len(idx)), k)[:, None]
        frame = np.minimum(first[:, None] + (np.arange(FRAMES) * tempo).astype(int), self.start[i + 1][:, None] - 1)
        band = np.clip(np.arange(BANDS) + np.repeat(rng.integers(-2, 3, len(idx)), k)[:, None], 0, BANDS - 1)
        x = torch.from_numpy(self.mel[frame[:, :, None], band[:, None, :]].astype(np.float32))
        e = (x.exp() - OFFSET).clamp_min(0)
        level = e.view(len(idx), -1).mean(1)[:, None, None] + 1e-6
        gain = 10 ** ((torch.rand(len(idx), 1, 1) * 26 - 20) / 20)
        gain = torch.where(self.steady[idx][:, None, None], gain.maximum(QUIET / level), gain)
        return e * (gain * curve(len(idx), 6, 0.35) * microphone(len(idx))).repeat_interleave(k, 0)

    def bag(self, idx, k, rng):
        """(input, wanted, counting, teacher's scores and embedding, trust in them) for k windows of each clip.

        `pair_share` of the clips get a second sound, 0 to 20 dB below, half of them speech, music or a kitchen; both count
        where they are near each other."""
        idx = np.array([rng.choice(self.scenes[c]) if self.scenes.get(c) and rng.random() < self.scene_share else c for c in idx])
        e, y, known = self.crop(idx, k, rng), self.y[idx].clone(), self.known[idx].clone()
        score, emb, trust = self.score[idx].clone(), self.emb[idx].clone(), self.has_teacher[idx].clone()
        n = int(self.pair_share * len(idx))
        other = np.where(rng.random(n) < 0.5, rng.choice(self.beds, n), rng.choice(self.named, n))
        if len(self.more):
            other = np.where(rng.random(n) < 0.25, rng.choice(self.more, n), other)
        f, below = self.crop(other, k, rng), torch.rand(n, 1) * 20
        level = lambda t: t.view(n, -1).mean(1, keepdim=True) + 1e-6
        scale = level(e[:n * k]) / level(f) * 10 ** (-below / 20)
        e[:n * k] += f * scale.repeat_interleave(k, 0)[..., None]
        heard = (below < 8).float()
        y[:n], known[:n] = self.both(y[:n], known[:n], self.y[other], self.known[other], below)
        weight = 1 / (1 + 10 ** (-below / 10))             # power of the first in the sum
        emb[:n] = weight * emb[:n] + (1 - weight) * self.emb[other]
        score[:n] = torch.maximum(score[:n], heard * self.score[other])
        trust[:n] *= self.has_teacher[other]
        return self.spoil(e, len(idx), k), y, known, score, emb, trust

    @staticmethod
    def spoil(e, n, k, often=1.0):
        """Sounds that start or stop in the window, room noise, padding, the less `often`; the logarithm, masked bands and frames."""
        t = torch.arange(FRAMES)[None, :, None]

        def some(share, low, high, other):
            chosen = torch.rand(n * k, 1, 1) < share * often
            return torch.where(chosen, torch.randint(low, high, (n * k, 1, 1)), torch.tensor(other))

        e = e * (t >= some(0.12, 0, 60, 0)) * (t < some(0.08, 30, FRAMES, FRAMES))
        level = torch.exp(torch.rand(n, 1, 1) * 4 - 6.5).minimum(e.view(n, -1).mean(1)[:, None, None] * 0.7)
        noise = level * curve(n, 4, 0.7) * (torch.rand(n, 1, 1) < 0.5 * often)
        e = e + noise.repeat_interleave(k, 0) * (1 + 0.3 * torch.randn(n * k, FRAMES, BANDS)).clamp_min(0.05)
        x = normal((e * (t < some(0.12, 20, FRAMES, FRAMES)) + OFFSET).log())
        for size, widest, dim in ((FRAMES, 12, 1), (BANDS, 8, 2)):
            at, width = torch.randint(0, size, (n * k, 1)), torch.randint(0, widest, (n * k, 1))
            axis = torch.arange(size)[None]
            x = x.masked_fill(((axis >= at) & (axis < at + width)).unsqueeze(3 - dim), -0.5)
        return x[:, None]

    def windows(self, clips):
        """(input, clip of each): every half second as `classify` cuts, those within 15 dB of the loudest, as it pools them"""
        xs, owner = [], []
        for c in clips:
            m = torch.from_numpy(self.mel[self.start[c]:self.start[c + 1]].astype(np.float32))
            m = F.pad(m, (0, 0, 0, -(len(m) - FRAMES) % HOP), value=math.log(OFFSET))
            m = m.unfold(0, FRAMES, HOP).transpose(1, 2)
            level = m.exp().mean((1, 2)) - OFFSET
            m = m[level >= float(level.max()) * 10 ** (-15 / 20)]
            xs.append(m)
            owner += [c] * len(m)
        return normal(torch.cat(xs))[:, None], np.array(owner)


def linear_head(x, right, classes, decay=1e-3):
    """Multinomial regression, by L-BFGS"""
    head = torch.nn.Linear(x.shape[1], classes)
    torch.nn.init.zeros_(head.weight), torch.nn.init.zeros_(head.bias)
    opt = torch.optim.LBFGS(head.parameters(), max_iter=40, history_size=10, line_search_fn="strong_wolfe")

    def closure():
        opt.zero_grad()
        loss = F.cross_entropy(head(x), right) + decay * head.weight.square().sum()
        loss.backward()
        return loss
    opt.step(closure)
    return head.requires_grad_(False)


def curve(n, points, spread):
    """[n, 1, BANDS]: a smooth random response of the microphone or spectrum of the noise, as a factor"""
    return F.interpolate(torch.randn(n, 1, points) * spread, size=BANDS, mode="linear", align_corners=True).exp()


MEL_HZ = 700 * (np.exp(np.linspace(np.log1p(125 / 700), np.log1p(7500 / 700), BANDS + 2)[1:-1]) - 1)


def microphone(n):
    """[n, 1, BANDS]: band limits as a factor: the resampler's droop from 48 kHz, small loudspeakers, telephones"""
    hz = torch.from_numpy(MEL_HZ.astype(np.float32))[None, None]
    droop = torch.from_numpy(np.interp(MEL_HZ, [6000, 6400, 6800, 7500], [0, -2.8, -9, -30]).astype(np.float32))[None, None]
    db = droop * (torch.rand(n, 1, 1) < 0.5)
    low = torch.exp(torch.rand(n, 1, 1) * 1.8 + 4.6)           # 100 to 600 Hz, 12 dB an octave
    db = db - 12 * torch.log2((low / hz).clamp_min(1)) * (torch.rand(n, 1, 1) < 0.25)
    high = torch.exp(torch.rand(n, 1, 1) * 1.0 + 7.9)          # 2.7 to 7.3 kHz, 24 dB an octave
    db = db - 24 * torch.log2((hz / high).clamp_min(1)) * (torch.rand(n, 1, 1) < 0.15)
    return 10 ** (db / 20)


def normal(x):
    """The affine map after the logarithm, as in the model's metadata."""
    return x * LOGMEL["scale"] + LOGMEL["shift"]


def mix_style(x, n, k, share):
    """Freq-MixStyle (Kim et al., 2022): for some clips, each band's mean and spread are mixed with another clip's."""
    v = x.view(n, k * FRAMES, BANDS)
    mean, std = v.mean(1, keepdim=True), v.std(1, keepdim=True) + 1e-3
    p, lam = torch.randperm(n), torch.from_numpy(np.random.beta(0.3, 0.3, (n, 1, 1)).astype(np.float32))
    lam = torch.where(torch.rand(n, 1, 1) < share, lam.maximum(1 - lam), torch.ones(1))
    mixed = (v - mean) / std * (lam * std + (1 - lam) * std[p]) + lam * mean + (1 - lam) * mean[p]
    return mixed.view_as(x)
