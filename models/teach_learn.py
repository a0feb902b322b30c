"""What `earshot teach` learns, again and again: common/teach/learn.c in NumPy, on windows that the program itself cut and embedded.

A sound's clips are taught once, all together; their windows are then in STATE/taught, and heads of any of them are fitted here in a tenth of
a second. Windows come out of that file with 8 bits, so that a head differs from the program's own by their rounding alone.
"""
import pathlib, shutil, struct, subprocess, tempfile
import numpy as np

STEPS, HALVINGS, TAIL, STEEPEST, TOP_LOGIT = 30, 12, 0.02, 8.0, 2.2
RIDGE, HARD_WEIGHT, OTHERS_WINDOWS, WINDOWS_H = 1e-3, 20.0, 4, 3600


def background(path):
    """[rows][dims] of a .background (teach/background.h)"""
    data, at = path.read_bytes(), len(b"earshot background 1\n")
    _, n, dims = struct.unpack_from("<QII", data, at)
    scale = np.frombuffer(data, "<f4", dims, at + 16)
    return np.frombuffer(data, np.int8, n * dims, at + 16 + 4 * dims + 2 * n).reshape(n, dims) * scale


def read_taught(path):
    """{source: its windows} of the only class in STATE/taught (teach/taughtfile.h)"""
    data, at, out = path.read_bytes(), 17, {}

    def take(form):
        nonlocal at
        values = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return values if len(values) > 1 else values[0]

    def text():
        return bytes(take(f"{take('B')}s")).decode()
    if take("II") != (1, 0):
        raise SystemExit(f"{path}: one class and no correction were expected")
    for _ in range(3):
        text()
    take("Qq")
    dims = take("I")
    take(f"{dims}f")
    take("fffQ")
    for _ in range(take("I")):
        source = text()
        *_, windows, clean = take("BfffHH")
        rows = np.array([np.float32(take("f")) * np.array(take(f"{dims}b"), np.float32) for _ in range(windows)], np.float32)
        out[source] = rows[:clean]
    return out


def windows_of(earshot, model, paths):
    """[windows of each clip; None: nothing can be learned from it]. The sound's name is one that no model has."""
    state = pathlib.Path(tempfile.mkdtemp())
    try:
        subprocess.run([earshot, "teach", "--state-dir", state, "--model", model, "the_sound", *paths], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        known = read_taught(state / "taught")
    finally:
        shutil.rmtree(state)
    return [known.get(str(p)) for p in paths]


def fit(x, y, weight, ridge):
    """Weighted logistic regression by Newton's method with halved steps, as logistic.c does it; the last column is the bias's 1."""
    w, penalty = np.zeros(x.shape[1]), np.full(x.shape[1], ridge)
    penalty[-1] = 0

    def loss(w):
        z = x @ w
        return 0.5 * (penalty * w * w).sum() + (weight * (np.logaddexp(0, z) - y * z)).sum()
    now = loss(w)
    for _ in range(STEPS):
        q = 1 / (1 + np.exp(-np.clip(x @ w, -500, 500)))
        scaled = x * np.sqrt(weight * np.maximum(q * (1 - q), 1e-7))[:, None].astype(np.float32)
        hessian = (scaled.T @ scaled).astype(float) + np.diag(penalty + 1e-9)
        step = np.linalg.solve(hessian, penalty * w + x.T @ (weight * (q - y)))
        before = now
        for k in range(HALVINGS):
            if loss(w - step / 2 ** k) < now:
                w = w - step / 2 ** k
                now = loss(w)
                break
        if not before - now > 1e-5 * before:
            break
    return w


def learn(negatives, others, examples):
    """(w, bias): score = sigmoid(x . w + bias), 0.5 the threshold. others: windows of what else is taught."""
    mean, deviation = negatives.mean(0), negatives.std(0) + 1e-3
    x = np.concatenate([negatives, *others, *examples])
    x = np.c_[(x - mean) / deviation, np.ones(len(x))].astype(np.float32)
    n, hard = len(negatives), sum(map(len, others))
    first, total = n + hard, n + HARD_WEIGHT * hard
    weight = np.r_[np.full(n, 0.5 / total), np.full(hard, 0.5 * HARD_WEIGHT / total),
                   np.concatenate([np.full(len(e), 0.5 / len(e) / len(examples)) for e in examples])]
    w = fit(x, np.r_[np.zeros(first), np.ones(len(x) - first)], weight, RIDGE)
    v = x @ w
    tail, ordered = max(1, int(TAIL * n)), np.sort(v[:n])
    start = ordered[-tail - 1]
    excess = max((ordered[-tail:] - start).mean(), 1e-3)
    threshold = start + excess * np.log(max(WINDOWS_H * tail / n, 1))
    ends = first + np.cumsum([0] + [len(e) for e in examples])
    best = sorted(v[a:b].max() for a, b in zip(ends, ends[1:]))
    over = best[len(best) // 2] - threshold
    slope = max(TOP_LOGIT / over, 0.2) if over > TOP_LOGIT / STEEPEST else STEEPEST
    return slope * w[:-1] / deviation, slope * (w[-1] - threshold - (w[:-1] * mean / deviation).sum())
