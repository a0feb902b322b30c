#!/usr/bin/python3
"""Makes an earshot model of YAMNet, Google's classifier of AudioSet's 521 sounds.

  import_yamnet.py yamnet.tflite yamnet_class_map.csv yamnet.onnx

yamnet.tflite is the file that TensorFlow Hub gives for google/yamnet/tflite; yamnet_class_map.csv lies beside the model's source
in the tensorflow/models repository. Only the network is taken: the features come from earshot, which computes the very same
ones. Weights that the file holds as 8-bit integers are widened, what a TFLite runtime does too; it rounds the signals between the
layers as well, so scores differ from its own a little.

Needs python3-numpy and python3-onnx, and nothing of TensorFlow: the file is read as what it is, a FlatBuffer.
"""
import argparse, pathlib, struct, time
from importing import Graph, LOGMEL, add_metadata, class_names, fail, np, slugs

# Codes of TensorFlow Lite's schema (schema.fbs)
CONV, DEPTHWISE, DENSE, LOGISTIC, MEAN = 3, 4, 9, 14, 40
FLOAT32, INT8 = 0, 9
SAME, RELU, NO_ACTIVATION = 0, 1, 0
FRAMES, BANDS, LABELS = 96, 64, 521


class Table:
    """A table of a FlatBuffer: a signed offset back to its list of fields, then each field's offset within the table."""
    def __init__(self, data, at):
        self.data, self.at = data, at
        self.fields = at - struct.unpack_from("<i", data, at)[0]
        self.size = struct.unpack_from("<H", data, self.fields)[0]

    def _place(self, field):
        entry = 4 + 2 * field
        offset = struct.unpack_from("<H", self.data, self.fields + entry)[0] if entry < self.size else 0
        return self.at + offset if offset else None

    def _target(self, field):
        at = self._place(field)
        return None if at is None else at + struct.unpack_from("<I", self.data, at)[0]

    def number(self, field, kind, default=0):
        at = self._place(field)
        return default if at is None else struct.unpack_from("<" + kind, self.data, at)[0]

    def array(self, field, kind):
        at = self._target(field)
        n = 0 if at is None else struct.unpack_from("<I", self.data, at)[0]
        return np.frombuffer(self.data, kind, n, at + 4) if n else np.zeros(0, kind)

    def table(self, field):
        at = self._target(field)
        return None if at is None else Table(self.data, at)

    def tables(self, field):
        at = self._target(field)
        n = 0 if at is None else struct.unpack_from("<I", self.data, at)[0]
        places = [at + 4 + 4 * i for i in range(n)]
        return [Table(self.data, p + struct.unpack_from("<I", self.data, p)[0]) for p in places]


class Tflite:
    def __init__(self, path):
        data = pathlib.Path(path).read_bytes()
        if data[4:8] != b"TFL3":
            fail(f"{path}: no TensorFlow Lite file")
        model = Table(data, struct.unpack_from("<I", data, 0)[0])
        self.codes = [max(c.number(0, "b"), c.number(3, "i")) for c in model.tables(1)]
        main = model.tables(2)[0]
        self.tensors, self.operators, self.buffers = main.tables(0), main.tables(3), model.tables(4)

    def code(self, operator):
        return self.codes[operator.number(0, "I")]

    def shape(self, i):
        return [int(d) for d in self.tensors[i].array(0, "<i4")]

    def constant(self, i):
        """A tensor's values as float32: those of 8 bits by their channels' scales."""
        t = self.tensors[i]
        kind, raw = t.number(1, "b"), self.buffers[t.number(2, "I")]
        if kind == FLOAT32:
            return raw.array(0, "u1").view("<f4").reshape(self.shape(i))
        if kind != INT8:
            fail(f"tensor {i} is of type {kind}; 32-bit float and 8-bit integers are known")
        q = t.table(4)
        scale, zero, axis = q.array(2, "<f4"), q.array(3, "<i8"), q.number(6, "i")
        along = [-1 if k == axis else 1 for k in range(len(self.shape(i)))]
        values = raw.array(0, "i1").reshape(self.shape(i)).astype(np.float32) - zero.astype(np.float32).reshape(along)
        return values * scale.reshape(along)


def same_pads(rows, columns, kernel, stride):
    """TensorFlow's SAME: as many outputs as ceil(size / stride), and where an odd number must be added, more behind."""
    pads = [max((-(-n // stride) - 1) * stride + k - n, 0) for n, k in zip((rows, columns), kernel)]
    return [pads[0] // 2, pads[1] // 2, pads[0] - pads[0] // 2, pads[1] - pads[1] // 2]


def convert(file, g):
    """The operators behind the spectrogram, one after the other. Returns the last one's name."""
    x, started = "logmel", False
    for n, op in enumerate(file.operators):
        code, inputs, options = file.code(op), op.array(1, "<i4"), op.table(4)
        started = started or code == CONV
        if not started:
            continue                                    # the front end: waveform to log-mel
        if code in (CONV, DEPTHWISE):
            weight, bias = file.constant(inputs[1]), file.constant(inputs[2])
            weight = weight.transpose(0, 3, 1, 2) if code == CONV else weight.transpose(3, 0, 1, 2)
            act = options.number(3 if code == CONV else 4, "b")
            stride = options.number(1, "i", 1)
            if options.number(0, "b") != SAME or stride != options.number(2, "i", 1) or act != RELU:
                fail(f"operator {n} is a convolution of another kind than YAMNet has")
            pads = same_pads(*file.shape(inputs[0])[1:3], weight.shape[2:], stride)
            x = g.conv(x, weight, bias, f"conv{n}", stride, pads, len(weight) if code == DEPTHWISE else 1)
            x = g.add("Relu", [x], f"relu{n}")
        elif code == MEAN:
            x = g.add("Flatten", [g.add("GlobalAveragePool", [x], "mean")], "embedding", axis=1)
        elif code == DENSE:
            x = g.dense(x, file.constant(inputs[1]), file.constant(inputs[2]), "scores")
        elif code != LOGISTIC:                          # earshot's own: metadata key earshot.activation
            fail(f"operator {n} has the code {code}, which YAMNet does not hold")
    return x


def main(a):
    g = Graph()
    try:
        file = Tflite(a.tflite)
        if convert(file, g) != "scores":
            fail(f"{a.tflite}: no YAMNet: its network does not end in a dense layer")
    except OSError as e:
        fail(e)
    except (struct.error, IndexError, ValueError, TypeError, AttributeError) as e:
        fail(f"{a.tflite}: damaged, or no YAMNet: {e}")
    sizes = {w.name: w.dims for w in g.weights}
    g.save(a.onnx, "logmel", [1, 1, FRAMES, BANDS],
           {"scores": sizes["scores.weight"][0], "embedding": sizes["scores.weight"][1]})
    labels = list(slugs(class_names(a.classes, sizes["scores.weight"][0])))
    add_metadata(a.onnx, "logmel", LOGMEL | {"scale": 1, "shift": 0}, {
        "window_s": "1.0", "labels": "\n".join(labels), "activation": "sigmoid",
        "thresholds": "\n".join([str(a.threshold)] * len(labels)),
        "data": "AudioSet (2 million YouTube clips); trained by Google", "licence": "Apache-2.0",
        "date": time.strftime("%Y-%m-%d"), "description": f"YAMNet, MobileNet v1 over log-mel, from {a.tflite.name}",
        "accuracy": "models/imported.md of earshot's source"})


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("tflite", "classes", "onnx"):
        p.add_argument(name, type=pathlib.Path)
    p.add_argument("--threshold", type=float, default=0.5, help="of every class (0.5)")
    args = p.parse_args()
    if not 0 <= args.threshold <= 1:
        p.error(f"--threshold {args.threshold}: 0 to 1")
    main(args)
