"""Audio files by libsndfile. Needs no more than numpy."""
import ctypes
import numpy as np

WAV, FLAC, PCM16 = 0x10000, 0x170000, 0x2


class SfInfo(ctypes.Structure):
    _fields_ = [("frames", ctypes.c_int64), ("rate", ctypes.c_int), ("channels", ctypes.c_int),
                ("format", ctypes.c_int), ("sections", ctypes.c_int), ("seekable", ctypes.c_int)]


def sndfile():
    lib = ctypes.CDLL("libsndfile.so.1")
    lib.sf_open.restype = ctypes.c_void_p
    lib.sf_readf_float.restype = lib.sf_writef_float.restype = ctypes.c_int64
    return lib


def read_audio(path):
    """(mono float32 samples, rate)"""
    lib, info = sndfile(), SfInfo()
    h = lib.sf_open(str(path).encode(), 0x10, ctypes.byref(info))
    if not h:
        raise OSError(f"{path}: libsndfile cannot read it")
    x = np.zeros((info.frames, info.channels), np.float32)
    n = lib.sf_readf_float(ctypes.c_void_p(h), ctypes.c_void_p(x.ctypes.data), ctypes.c_int64(info.frames))
    lib.sf_close(ctypes.c_void_p(h))
    return x[:n].mean(1), info.rate


def write_audio(path, x, rate):
    """Mono, 16 bit, FLAC or WAV by the name's ending. What exceeds full scale is clipped."""
    kind = FLAC if str(path).endswith(".flac") else WAV
    lib, info = sndfile(), SfInfo(rate=rate, channels=1, format=kind | PCM16)
    h = lib.sf_open(str(path).encode(), 0x20, ctypes.byref(info))
    if not h:
        raise OSError(f"{path}: libsndfile cannot write it")
    x = np.clip(x, -1, 1 - 2 ** -15).astype(np.float32)
    lib.sf_writef_float(ctypes.c_void_p(h), ctypes.c_void_p(x.ctypes.data), ctypes.c_int64(len(x)))
    lib.sf_close(ctypes.c_void_p(h))
