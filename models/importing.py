"""What the recipes for models made elsewhere share: an ONNX graph written node by node, labels from class names."""
import csv, re, sys

try:
    import numpy as np
    import onnx
    from recipe import LOGMEL, add_metadata  # noqa: F401 (handed on)
except ImportError as e:
    sys.exit(f"{sys.argv[0]}: Python's {e.name} is missing: apt install python3-numpy python3-onnx")


def fail(text):
    sys.exit(f"{sys.argv[0]}: {text}")


def slugs(names):
    """Labels as earshot wants them: "Child speech, kid speaking" is child_speech_kid_speaking; unique, under 48 long."""
    taken = set()
    for name in names:
        plain = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")[:47].rstrip("_") or "sound"
        slug, n = plain, 2
        while slug in taken:
            slug, n = f"{plain[:44]}_{n}", n + 1
        taken.add(slug)
        yield slug


def class_names(path, wanted):
    """The column display_name of AudioSet's class lists, by their column index."""
    try:
        rows = list(csv.DictReader(open(path, newline="", encoding="utf-8")))
        rows.sort(key=lambda r: int(r["index"]))
        names = [r["display_name"] for r in rows]
    except (OSError, KeyError, ValueError, TypeError) as e:
        fail(f"{path}: a CSV file with the columns index and display_name is needed ({e})")
    if [int(r["index"]) for r in rows] != list(range(wanted)):
        fail(f"{path}: {len(names)} classes; the model has {wanted}, numbered from 0")
    return names


class Graph:
    """Nodes in order; every method takes and gives names of values."""
    def __init__(self):
        self.nodes, self.weights = [], []

    def constant(self, name, x):
        self.weights.append(onnx.numpy_helper.from_array(np.ascontiguousarray(x, np.float32), name))
        return name

    def add(self, op, inputs, name, **attributes):
        self.nodes.append(onnx.helper.make_node(op, inputs, [name], name=name + "_" + op.lower(), **attributes))
        return name

    def conv(self, x, weight, bias, name, stride=1, pads=None, group=1):
        """weight: outputs, inputs / group, rows, columns; pads: top, left, bottom, right (half the kernel each)."""
        k = list(weight.shape[2:])
        pads = pads or [k[0] // 2, k[1] // 2] * 2
        return self.add("Conv", [x, self.constant(name + ".weight", weight), self.constant(name + ".bias", bias)], name,
                        kernel_shape=k, strides=[stride] * 2, pads=pads, group=group, dilations=[1, 1])

    def dense(self, x, weight, bias, name):
        """weight: outputs, inputs"""
        return self.add("Gemm", [x, self.constant(name + ".weight", weight), self.constant(name + ".bias", bias)], name,
                        transB=1)

    def save(self, path, x, shape, outputs, ir=7, opset=14):
        """outputs: name -> size"""
        value = lambda name, dims: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dims)
        graph = onnx.helper.make_graph(self.nodes, "earshot", [value(x, shape)],
                                       [value(name, [1, size]) for name, size in outputs.items()], self.weights)
        model = onnx.helper.make_model(graph, ir_version=ir, producer_name="earshot",
                                       opset_imports=[onnx.helper.make_opsetid("", opset)])
        onnx.checker.check_model(model)
        onnx.save(model, str(path))
