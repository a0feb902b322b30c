#!/usr/bin/python3
"""Sounds that come with Debian's games and desktops, without labels, for a teacher to name: what earshot-s learns from beside DATA.

  more_audio.py fetch WORK [--package NAME...]     apt-get download, nothing is installed: 6 GB; what may hold sounds is kept
  more_audio.py cut WORK                           WORK/manifest.csv and WORK/clips: 16 kHz, mono, at most 5 s each
  more_audio.py alike WORK TEACHER.npz DATA_TEACHER.npz     takes out of the manifest what DATA may hold too

All of it is from Debian's `main`, free to be changed and given away; the manifest says of each clip which package, version and
file it is from. The sets that figures come from were cut from Freesound: what is known to be from there is left out, and what the teacher
(teacher.py's answers to both) hears as it hears a clip of DATA. Of a file 20 s are taken at most, of a package 900 clips, of music
and speech 60 each. Other versions of the packages give other clips. Needs apt, dpkg, tar, python3-scipy and libsndfile.
"""
import argparse, csv, gzip, hashlib, json, math, pathlib, re, subprocess, sys, zipfile
import numpy as np
from scipy.signal import resample_poly
from audiofile import read_audio, write_audio

PACKAGES = """0ad-data adonthell-data alienblaster-data amphetamine-data ardentryst asterisk-core-sounds-en-wav
bucklespring-data colobot-common-sounds crrcsim-data deepin-sound-theme dustracing2d-data eiskaltdcpp-sounds endless-sky-data
extremetuxracer-data fillets-ng-data flightgear-data-base freedoom freedroid-data freedroidrpg-data frozen-bubble-data
gamine-data gl-117-data gnome-audio hedgewars-data heroes-sound-effects holotz-castle-data hydrogen-drumkits klettres-data
ktuberling-data lincity-ng-data lmms-common lomiri-sounds manaplus-data megaglest-data minetest-data mirrormagic-data
moon-lander-data naev-data netpanzer-data nexuiz-data openarena-085-data openarena-088-data openarena-data oxygen-sounds
pidgin-data pinball-data pingus-data psi-plus-sounds raincat-data ri-li-data scorched3d-data searchandrescue-data
simutrans-pak64 sonic-pi-samples sound-theme-freedesktop stormbaancoureur-data supertux-data tecnoballz-data torcs-data
trackballs-data trigger-rally-data tuxmath-data tuxpaint-stamps-default tuxtype-data ufoai-sound unknown-horizons warmux-data
warzone2100-data wesnoth-1.16-data widelands-data xmoto-data yaru-theme-sound""".split()
SOUND, CHEST = (".ogg", ".oga", ".wav", ".flac", ".mp3", ".opus", ".au", ".aiff", ".aif"), (".zip", ".pk3", ".wz", ".kpf")
LUMPS = ".wad"                                    # Doom's
FS, PIECE, FILE, PACKAGE, FEW = 16000, 5.0, 20.0, 900, 60
FREESOUND = re.compile(r"\d{3,7}__|freesound", re.I)
MUSIC = re.compile(r"music|soundtrack|instruments|drumkits", re.I)
TALK = re.compile(r"_desc|voices?\b|speech|/(?:lang|locale)|alphabet|/words|sounds/en|(?:^|/)[a-z]{2}(?:_[A-Z]{2})?/|klettres",
                  re.I)


def fetch(a):
    debs = a.work / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    for p in a.package or PACKAGES:
        if not list(debs.glob(f"{p}_*.deb")):
            subprocess.run(["apt-get", "download", "-q", p], cwd=debs, check=False)
        for deb in debs.glob(f"{p}_*.deb"):
            unpack(deb, a.work / "files" / p)


def unpack(deb, to):
    """The sounds, the archives that may hold some, and what says where they are from."""
    if to.exists():
        return
    part = to.with_name(to.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    kinds = [x for e in (*SOUND, *CHEST, LUMPS) for x in (f"*{e}", f"*{e.upper()}")]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as tar:
        told = [f"*{''.join(f'[{c.upper()}{c}]' for c in word)}*" for word in ("credit", "readme", "license", "licence")]
        subprocess.run(["tar", "-x", "-C", str(part), "--wildcards", "--no-same-owner", *kinds, "*/doc/*", *told],
                       stdin=tar.stdout, stderr=subprocess.DEVNULL, check=False)
    for chest in [f for f in part.rglob("*") if f.suffix.lower() in CHEST and f.is_file()]:
        try:
            with zipfile.ZipFile(chest) as z:
                names = [n for n in z.namelist() if n.lower().endswith(SOUND) or re.search("credit|licen[sc]e|readme", n, re.I)]
                z.extractall(chest.with_suffix(".d"), names)
        except (zipfile.BadZipFile, OSError, RuntimeError) as e:
            print(f"{chest}: {e}", file=sys.stderr)
        chest.unlink()
    for wad in [f for f in part.rglob("*") if f.suffix.lower() == LUMPS and f.is_file()]:
        doom(wad)
        wad.unlink()
    version = subprocess.run(["dpkg-deb", "-f", str(deb), "Version"], capture_output=True, text=True).stdout.strip()
    (part / "VERSION").write_text(version + "\n")
    part.rename(to)


def doom(path):
    """The sounds of a WAD: lumps named DS..., 8 bit, of a rate that stands before them"""
    data, to = path.read_bytes(), path.with_name(path.name + ".d")
    to.mkdir(exist_ok=True)
    count, at = (int.from_bytes(data[i:i + 4], "little") for i in (4, 8))
    for n in range(count):
        entry = data[at + 16 * n:at + 16 * n + 16]
        start, size = (int.from_bytes(entry[i:i + 4], "little") for i in (0, 4))
        lump, name = data[start:start + size], entry[8:].rstrip(b"\0").decode("latin1")
        if name.startswith("DS") and lump[:2] == b"\3\0":
            x = (np.frombuffer(lump[24:-16], np.uint8).astype(np.float32) - 128) / 128
            write_audio(to / f"{name}.wav", x, int.from_bytes(lump[2:4], "little"))


def from_freesound(folder):
    """Names that stand near the word in what comes with the package"""
    named = set()
    for doc in folder.rglob("*"):
        if doc.is_file() and not doc.is_symlink() and doc.suffix.lower() not in SOUND and doc.stat().st_size < 3e6:
            raw = doc.read_bytes()
            if raw[:2] == b"\x1f\x8b":
                raw = gzip.decompress(raw)
            lines = raw.decode("utf-8", "replace").splitlines()
            for n, line in enumerate(lines):
                if "freesound" in line.lower():
                    named |= set(re.findall(r"[\w-]{4,}(?=\.(?:ogg|oga|wav|flac|mp3))", " ".join(lines[max(0, n - 6):n + 7]), re.I))
    return {n.lower() for n in named}


def load(path):
    x, rate = read_audio(path)
    x = x[:60 * rate]
    if rate == FS:
        return x
    by = math.gcd(rate, FS)
    return resample_poly(x, FS // by, rate // by).astype(np.float32)


def pieces(x):
    """Stretches of at most PIECE seconds that hold sound, FILE seconds in all"""
    n = int(FS * 0.02)
    if len(x) < 4 * n:
        return []
    level = np.sqrt(np.mean(x[:len(x) // n * n].reshape(-1, n) ** 2, 1))
    top = np.percentile(level, 98)
    if top < 10 ** (-55 / 20):
        return []
    live = np.flatnonzero(level > max(top * 10 ** (-40 / 20), 10 ** (-70 / 20)))
    x = x[live[0] * n:(live[-1] + 1) * n]
    size, most = int(PIECE * FS), int(FILE / PIECE)
    count = min(most, max(1, -(-len(x) // size)))
    if len(x) > most * size:                        # spread over a long file
        starts = np.linspace(0, len(x) - size, most).astype(int)
    else:
        starts = np.arange(count) * size
    cut = [x[s:s + size] for s in starts]
    return [c for k, c in enumerate(cut) if k == 0 or (len(c) > FS and np.sqrt(np.mean(c ** 2)) > 10 ** (-50 / 20))]


def cut(a):
    mine, of = map(int, a.parts.split("/"))
    folders = sorted(p for p in (a.work / "files").iterdir() if p.suffix != ".part")
    for number, folder in enumerate(folders):
        listed = a.work / "listed" / f"{folder.name}.csv"
        if number % of != mine - 1 or listed.exists():
            continue
        rows = cut_package(a.work, folder)
        listed.parent.mkdir(exist_ok=True)
        with open(listed.with_suffix(".part"), "w", newline="") as f:
            w = csv.DictWriter(f, ["path", "dataset", "label", "fold", "package", "version", "file"], lineterminator="\n")
            w.writeheader()
            w.writerows(rows)
        listed.with_suffix(".part").rename(listed)
        print(f"{folder.name}: {len(rows)}", flush=True)
    lists = sorted((a.work / "listed").glob("*.csv"))
    if len(lists) == len(folders):
        rows = [r for p in lists for r in csv.DictReader(open(p))]
        with open(a.work / "manifest.csv", "w", newline="") as f:
            w = csv.DictWriter(f, list(rows[0]), lineterminator="\n")
            w.writeheader()
            w.writerows(rows)


def cut_package(work, folder):
    barred, seen, rows, some = from_freesound(folder), set(), [], {"music": 0, "talk": 0, "other": 0}
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in SOUND and f.is_file() and not f.is_symlink())
    files = [f for f in files if not FREESOUND.search(f.name) and f.stem.lower() not in barred]
    np.random.default_rng(int(hashlib.sha1(folder.name.encode()).hexdigest()[:8], 16)).shuffle(files)
    version = (folder / "VERSION").read_text().strip()
    to = work / "clips" / folder.name
    to.mkdir(parents=True, exist_ok=True)
    for f in files:
        if len(rows) >= PACKAGE:
            break
        name = f.relative_to(folder)
        kind = "music" if MUSIC.search(str(name.parent)) else "talk" if TALK.search(str(name)) else ""
        if kind and some[kind] >= FEW:
            continue
        try:
            x = load(f)
        except OSError:
            continue
        key = hashlib.sha1((x * 500).astype(np.int16).tobytes()).digest()
        if key in seen:
            continue
        seen.add(key)
        for c in pieces(x)[:2 if kind == "music" else None]:
            some[kind or "other"] += 1
            out = to / f"{len(rows):04d}.flac"
            write_audio(out, c, FS)
            rows.append({"path": str(out.relative_to(work)), "dataset": "more", "label": "", "fold": "", "package": folder.name,
                         "version": version, "file": str(f.relative_to(folder))})
    return rows


def alike(a):
    """Takes out of the manifest what the teacher hears as it hears a clip of DATA"""
    z, d = np.load(a.teacher), np.load(a.data)
    mean, std = d["emb"].mean(0), d["emb"].std(0) + 1e-6
    unit = lambda e: (v := (e - mean) / std) / np.linalg.norm(v, axis=1, keepdims=True)
    near = unit(z["emb"]) @ unit(d["emb"]).T
    rows, other = (json.loads(str(f["rows"])) for f in (z, d))
    out = {}
    for i, j in np.argwhere(near > a.over):
        out.setdefault(rows[i]["path"], (float(near[i, j]), other[j]["path"]))
    for path, (by, of) in sorted(out.items(), key=lambda o: -o[1][0]):
        print(f"{by:.3f} {path} {of}")
    listed = list(csv.DictReader(open(a.work / "manifest.csv")))
    with open(a.work / "manifest.csv", "w", newline="") as f:
        w = csv.DictWriter(f, list(listed[0]), lineterminator="\n")
        w.writeheader()
        w.writerows(r for r in listed if r["path"] not in out)
    print(f"{len(out)} of {len(rows)} taken out", file=sys.stderr)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    q = p.add_subparsers(dest="do", required=True)
    f, c, k = q.add_parser("fetch"), q.add_parser("cut"), q.add_parser("alike")
    for s in (f, c, k):
        s.add_argument("work", type=pathlib.Path)
    f.add_argument("--package", nargs="*")
    c.add_argument("--parts", default="1/1")
    k.add_argument("teacher", type=pathlib.Path, help="teacher.py's answers to WORK/manifest.csv")
    k.add_argument("data", type=pathlib.Path, help="its answers to DATA's manifest")
    k.add_argument("--over", type=float, default=0.9, help="cosine of two embeddings over which clips are taken for the same")
    a = p.parse_args()
    {"fetch": fetch, "cut": cut, "alike": alike}[a.do](a)
