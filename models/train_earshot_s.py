#!/usr/bin/python3
"""Trains earshot-s: a small log-mel CNN for one-second windows, taught by labels and by mn04 (teacher.py).

  train_earshot_s.py features MANIFEST.csv OUT.npz [--earshot build/earshot]    log-mel of every clip
  train_earshot_s.py rooms MANIFEST.csv OUT.npz [--earshot build/earshot]       the same of a copy of each in another room
  train_earshot_s.py train NET.pt DATA.npz... --teacher TEACHER.npz [--split 4] [--steps 12000]   goes on where NET.pt stands
  train_earshot_s.py between A.pt B.pt NET.pt [--share 0.5]    between two nets' weights, the second begun with the first's
  train_earshot_s.py scores NET.pt OUT.npz DATA.npz... [--split 4]   what the net says of clips it never saw, for calibrate.py
  train_earshot_s.py export NET.pt earshot-s.onnx DATA.npz... [--split 4]       the model file, without thresholds yet

MANIFEST.csv has the columns path (relative to it), dataset, label and, for real data, fold. --split 1 to 4 holds out that
fold of ESC-50 and some of UrbanSound8K; 0 holds out the real smoke alarms alone: the weights that ship. The same seed, data,
number of workers and machine give the same weights, whether or not the run was killed and started again. Needs Debian's python3-torch,
python3-onnx, libopenblas0-pthread, and the built program for the features.
"""
import argparse, csv, json, math, os, pathlib, tempfile, time
import numpy as np, torch, torch.distributed as dist, torch.nn as nn, torch.nn.functional as F
from earshot_s_data import BANDS, FRAMES, SPLITS, Data, mix_style
from earshot_s_net import Student
from recipe import LOGMEL, add_metadata, extract, freesound_ids, read_audio, write_audio

SYNC = 8                                          # steps between two averagings of the workers' weights


# --- figures -------------------------------------------------------------------------------------------------------
def logits(net, d, clips):
    """(logits of all windows, their clip)"""
    x, owner = d.windows(clips)
    net.eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        s = torch.cat([net(b.contiguous(memory_format=torch.channels_last))[0].float() for b in x.split(512)])
    return s.numpy(), owner


def figures(d, z, owner):
    """{data set: (clips, share right among all labels, among the set's own labels)}, logits averaged over a clip"""
    out = {}
    for ds in sorted({d.rows[c]["dataset"] for c in owner}):
        clips = [c for c in np.unique(owner) if d.rows[c]["dataset"] == ds and d.slug[c]]
        if clips:
            own = np.array(sorted({d.vocab.index(d.slug[c]) for c in clips}))
            mean = np.array([z[owner == c].mean(0) for c in clips])
            right = np.array([d.vocab.index(d.slug[c]) for c in clips])
            out[ds] = (len(clips), round(float((mean.argmax(1) == right).mean()), 4),
                       round(float((own[mean[:, own].argmax(1)] == right).mean()), 4))
    return out


# --- features ------------------------------------------------------------------------------------------------------
def save_features(a, rows, paths):
    whole = LOGMEL | {"frames": 0, "scale": 1, "shift": 0}
    mels = [m.astype(np.float16) for m in extract(a.earshot, "logmel", whole, paths)]
    np.savez(a.out, mel=np.concatenate(mels), ptr=np.cumsum([0] + [len(m) for m in mels]), rows=json.dumps(rows))


def features(a):
    rows = list(csv.DictReader(open(a.manifest)))
    save_features(a, rows, [a.manifest.parent / r["path"] for r in rows])


def room_response(rng, rate):
    """A room seen from afar: the direct sound, some early reflections, a decay that treble leaves sooner (Polack's model)."""
    rt60, direct = rng.uniform(0.15, 1.0), rng.uniform(0.15, 1)
    t = np.arange(int(rate * rt60)) / rate
    tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / rt60)
    dull = np.convolve(tail, [0.25, 0.5, 0.25], "same")
    fade = np.minimum(1, t / (rt60 * rng.uniform(0.2, 0.8)))
    tail = tail * (1 - fade) + dull * fade
    h = tail * (1 - direct) / np.sqrt((tail ** 2).sum())
    for at in rng.integers(int(0.001 * rate), int(0.03 * rate), 6):
        h[min(at, len(h) - 1)] += rng.uniform(-0.4, 0.4) * direct
    h[0] += direct
    return h / np.abs(h).max()


def rooms(a):
    from scipy.signal import fftconvolve
    rows, rng = list(csv.DictReader(open(a.manifest))), np.random.default_rng(a.seed)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for n, r in enumerate(rows):
            x, rate = read_audio(a.manifest.parent / r["path"])
            peak = np.abs(x).max() + 1e-9
            y = fftconvolve(x, room_response(rng, rate))[:len(x)]
            paths.append(pathlib.Path(folder) / f"{n}.wav")
            write_audio(paths[-1], y * min(peak / (np.abs(y).max() + 1e-9), 1), rate)
        save_features(a, [r | {"room": 1} for r in rows], paths)


# --- training ------------------------------------------------------------------------------------------------------
def masked_bce(z, y, known):
    return (F.binary_cross_entropy_with_logits(z, y, reduction="none") * known).sum(1)


def loss_of(student, d, clips, rng, a):
    m, k = round(a.heard_share * len(clips)) if a.heard else 0, a.windows
    n = len(clips) - m
    x, y, known, score, emb, trust = d.bag(clips[:n], k, rng)
    x = mix_style(x, n, k, a.style)
    if rng.random() < a.mixup:                                   # mixup of whole bags (Zhang et al., 2018)
        lam = torch.from_numpy(rng.beta(0.4, 0.4, n).astype(np.float32))
        lam, p = torch.maximum(lam, 1 - lam)[:, None], torch.randperm(n)
        v = x.view(n, k, FRAMES, BANDS)
        x = (v * lam[..., None, None] + v[p] * (1 - lam)[..., None, None]).view(-1, 1, FRAMES, BANDS)
        y, score, emb = (q * lam + q[p] * (1 - lam) for q in (y, score, emb))
        known, trust = known * known[p], trust * trust[p]
    if m:
        x, y, known, score, emb, trust = (torch.cat(q) for q in zip((x, y, known, score, emb, trust), d.heard_bag(m, k, rng)))
        n += m
    with torch.autocast("cpu", dtype=torch.bfloat16):
        h = student.net.embed(x.contiguous(memory_format=torch.channels_last))
    h = h.float()
    bag, drop = h.view(n, k, -1).mean(1), lambda q: F.dropout(q, 0.2)
    each = lambda t: t.repeat_interleave(k, 0)
    head = student.net.head
    loss = masked_bce(head(drop(bag)), y, known) + 0.5 * masked_bce(head(drop(h)), each(y), each(known)).view(n, k).mean(1)
    taught = 0.3 * F.binary_cross_entropy_with_logits(student.score(bag), score, reduction="none").sum(1) \
        + 4 * (1 - F.cosine_similarity(student.emb(bag), emb))
    return (loss + trust * taught).mean()


def average(tensors, workers):
    flat = torch.cat([t.data.reshape(-1) for t in tensors])
    dist.all_reduce(flat)
    flat /= workers
    at = 0
    for t in tensors:
        t.data.copy_(flat[at:at + t.numel()].view_as(t))
        at += t.numel()


def draw(d, seed, step, rank):
    """(random numbers, clips drawn with them) from a step on; seeds what torch and numpy draw, too"""
    rng = np.random.default_rng([seed, step, rank])
    np.random.seed([seed, step, rank])
    torch.manual_seed(seed + 1000003 * rank + step)
    return rng, d.sampler(rng)


def worker(rank, a):
    torch.set_num_threads(a.threads)
    if a.workers > 1:
        dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{a.port}", rank=rank, world_size=a.workers)
    d = Data(a.data, a.teacher, a.split, a.without)
    d.room_share, d.scene_share, d.more_share = a.rooms, a.scenes, a.more
    if a.heard:
        d.listen(a.heard)
    student, mean = (Student(len(d.vocab)).to(memory_format=torch.channels_last) for _ in range(2))
    torch.manual_seed(a.seed)
    for m in student.modules():
        if hasattr(m, "reset_parameters"):
            m.reset_parameters()
    opt, step = torch.optim.AdamW(student.parameters(), lr=a.lr, weight_decay=a.decay), 0
    if a.net.exists():
        state = torch.load(a.net)
        student.load_state_dict(state["net"]), opt.load_state_dict(state["opt"])
        mean.load_state_dict(state["mean"])
        step = state["step"]
    else:
        if a.init:
            student.begin_with(torch.load(a.init)["mean"])
        mean.load_state_dict(student.state_dict())
    floats = [t for t in student.state_dict().values() if t.dtype.is_floating_point]
    (rng, clips), t0, total = draw(d, a.seed, step, rank), time.time(), 0.0
    if rank == 0:
        print(f"{len(d.train)} to train, {len(d.check)} watched, {len(d.held)} held; from step {step} of {a.steps}",
              f"(the teacher's own head: {d.teacher_right:.3f})" if a.teacher else "", flush=True)
    parent = os.getppid()
    while step < a.steps:
        if a.workers > 1 and os.getppid() != parent:           # whoever started the workers was killed
            raise SystemExit(f"worker {rank}: left alone at step {step}")
        student.train()
        for g in opt.param_groups:
            g["lr"] = a.lr * min(1, (step + 1) / 300) * 0.5 * (1 + math.cos(math.pi * step / a.steps)) + 1e-6
        loss = loss_of(student, d, np.array([next(clips) for _ in range(a.clips)]), rng, a)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 5)
        opt.step()
        step, total = step + 1, total + loss.item()
        if a.workers > 1 and (step % SYNC == 0 or step == a.steps):
            average(floats, a.workers)
        keep = min(a.keep, (1 + step) / (10 + step))
        with torch.no_grad():
            for p, q in zip(mean.state_dict().values(), student.state_dict().values()):
                p.copy_(p * keep + q * (1 - keep) if p.dtype.is_floating_point else q)
        if rank == 0 and (step % a.save == 0 or step == a.steps):
            shown = figures(d, *logits(mean.net, d, d.held)) if step % (a.save * a.show) == 0 or step == a.steps else ""
            part = a.net.with_suffix(".part")
            torch.save({"net": student.state_dict(), "mean": mean.state_dict(), "opt": opt.state_dict(), "step": step,
                        "vocab": d.vocab}, part)
            os.replace(part, a.net)
            print(f"step {step} loss {total / a.save:.3f} {time.time() - t0:.0f} s {shown}", flush=True)
            total = 0.0
        if step % a.save == 0:                                 # so that a run that was killed goes on as if it had not been
            rng, clips = draw(d, a.seed, step, rank)


def train(a):
    if a.workers > 1:
        torch.multiprocessing.spawn(worker, (a,), a.workers)
    else:
        worker(0, a)


# --- after training ------------------------------------------------------------------------------------------------
def load(a, d):
    torch.set_num_threads(a.threads)
    state = torch.load(a.net)
    if state["vocab"] != d.vocab:
        raise SystemExit(f"{a.net}: trained for other labels than those of labels.csv")
    student = Student(len(d.vocab))
    student.load_state_dict(state["mean"])
    return student.net.eval(), state["step"]


def between(a):
    """Between two parts of one training there are weights that keep most of what each is good at (Wortsman et al., 2022)."""
    first, second = (torch.load(p) for p in (a.first, a.second))
    if first["vocab"] != second["vocab"]:
        raise SystemExit(f"{a.second}: trained for other labels than {a.first}")
    second["mean"] = {k: first["mean"][k] * (1 - a.share) + v * a.share if v.dtype.is_floating_point else v
                      for k, v in second["mean"].items()}
    torch.save(second, a.net)


def scores(a):
    d = Data(a.data, None, a.split, a.without)
    net, _ = load(a, d)
    z, owner = logits(net, d, d.held)
    clips = np.unique(owner)
    source = [min(freesound_ids(d.rows[i]) or {d.rows[i]["path"]}) for i in clips]
    _, group = np.unique(source, return_inverse=True)
    np.savez(a.out, logits=np.array([z[owner == i].mean(0) for i in clips]), wanted=d.y[clips].numpy(),
             known=d.known[clips].numpy(), group=group)
    print(json.dumps(figures(d, z, owner), indent=1))


def export(a):
    d = Data(a.data, None, a.split, a.without)
    net, step = load(a, d)
    torch.onnx.export(net, torch.zeros(1, 1, FRAMES, BANDS), str(a.onnx), opset_version=13, input_names=["logmel"],
                      output_names=["scores", "embedding"])
    add_metadata(a.onnx, "logmel", LOGMEL, {
        "window_s": "1.0", "labels": "\n".join(d.vocab), "activation": "sigmoid",
        "thresholds": "\n".join("0.50" for _ in d.vocab), "pooling": "loud_logit",
        "held": ",".join(f"{ds}:{f}" for ds, folds in SPLITS[a.split].items() if ds != "*" for f in folds) or "smoke_alarm",
        "accuracy": a.accuracy,
        "data": "ESC-50 (folds 1-4), UrbanSound8K (folds 1-8 in part) but for what is held, Kitchen20, Donate-a-cry, glass, "
                "gunshot and snoring collections, Barista, Speech Commands, instrument sounds, synthesised by models/synth.py, sounds in packages of Debian without labels; "
                "taught by mn04 (MIT)",
        "licence": "weights: CC BY-NC 4.0, trained in part on CC BY-NC 3.0 audio (ESC-50, UrbanSound8K): not for "
                   "commercial use",
        "date": time.strftime("%Y-%m-%d"), "description": "Compact log-mel CNN for 1 s windows, earshot's default"})


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    q = p.add_subparsers(dest="do", required=True)
    f, r, t, s, e = (q.add_parser(n) for n in ("features", "rooms", "train", "scores", "export"))
    b = q.add_parser("between")
    for name in ("first", "second", "net"):
        b.add_argument(name, type=pathlib.Path)
    b.add_argument("--share", type=float, default=0.5, help="of the second's weights")
    for s_ in (f, r):
        s_.add_argument("manifest", type=pathlib.Path)
        s_.add_argument("out", type=pathlib.Path)
        s_.add_argument("--earshot", default="build/earshot")
    for s_ in (t, s, e):
        s_.add_argument("net", type=pathlib.Path)
        s_.add_argument("--threads", type=int, default=1)
        s_.add_argument("--split", type=int, default=4, choices=range(5))
        s_.add_argument("--without", type=lambda text: text.split(","), default=[], help="labels to leave out, with all their clips: a,b")
    s.add_argument("out", type=pathlib.Path)
    e.add_argument("onnx", type=pathlib.Path)
    e.add_argument("--accuracy", default="not measured")
    for s_ in (t, s, e):
        s_.add_argument("data", nargs="+")
    t.add_argument("--teacher", nargs="*", help="what teacher.py made; without it the labels teach alone")
    t.add_argument("--init", help="begin with the weights of this state instead of random ones")
    t.add_argument("--steps", type=int, default=12000)
    t.add_argument("--clips", type=int, default=40, help="clips of a step")
    t.add_argument("--windows", type=int, default=3, help="windows of a clip")
    t.add_argument("--workers", type=int, default=1, help="processes whose weights are averaged")
    t.add_argument("--port", type=int, default=29500, help="by which they find each other, on the loopback")
    t.add_argument("--mixup", type=float, default=0.3, help="share of the steps with it")
    t.add_argument("--style", type=float, default=0.3, help="share of the clips whose bands' statistics are mixed")
    t.add_argument("--rooms", type=float, default=0.4, help="share of the clips that are heard in another room")
    t.add_argument("--scenes", type=float, default=0.4, help="share of the clips in whose place one of their mixtures is heard")
    t.add_argument("--more", type=float, default=0.3, help="share of the clips that have no label, where there are such")
    t.add_argument("--heard", type=pathlib.Path, help="folder of mixtures.py: what the teacher heard just so")
    t.add_argument("--heard-share", type=float, default=0.6, help="of the bags: such mixtures")
    t.add_argument("--lr", type=float, default=2e-3)
    t.add_argument("--decay", type=float, default=1e-2)
    t.add_argument("--keep", type=float, default=0.998, help="of the weights' running mean")
    t.add_argument("--save", type=int, default=250, help="steps between two saved states")
    t.add_argument("--show", type=int, default=4, help="saved states between two figures")
    for s_ in (r, t):
        s_.add_argument("--seed", type=int, default=0)
    return p.parse_args()


if __name__ == "__main__":
    a = arguments()
    {"features": features, "rooms": rooms, "train": train, "between": between, "scores": scores, "export": export}[a.do](a)
