#!/usr/bin/env python3
"""yamnet_shape.py OUT.onnx - a network of YAMNet's shape (MobileNet v1, 96 x 64 log-mel, 521 classes, 69 M multiply-adds) with
random weights: what a user's larger model costs here. Writes the ONNX protobuf by hand, so that nothing has to be installed."""
import array, random, sys

random.seed(0)
BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + 5 * [(512, 1)] + [(1024, 2), (1024, 1)]


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def number(field, n): return varint(field << 3) + varint(n)
def data(field, b): return varint(field << 3 | 2) + varint(len(b)) + (b.encode() if isinstance(b, str) else b)


def ints(name, values): return data(5, data(1, name) + b"".join(number(8, v) for v in values) + number(20, 7))
def integer(name, value): return data(5, data(1, name) + number(3, value) + number(20, 2))


def tensor(name, dims):
    n = 1
    for d in dims:
        n *= d
    scale = (2 / (n / dims[0])) ** 0.5 if len(dims) > 1 else 0.01
    raw = array.array("f", (random.gauss(0, scale) for _ in range(n))).tobytes()
    return data(5, b"".join(number(1, d) for d in dims) + number(2, 1) + data(8, name) + data(9, raw))


def node(op, inputs, output, attributes=b""):
    return data(1, b"".join(data(1, i) for i in inputs) + data(2, output) + data(3, output + "_" + op) + data(4, op) + attributes)


def value(field, name, dims):
    shape = b"".join(data(1, number(1, d)) for d in dims)
    return data(field, data(1, name) + data(2, data(1, number(1, 1) + data(2, shape))))


graph, at, channels = b"", "logmel", 1


def conv(out, kernel, stride, group):
    global graph, at, channels
    name = "c%d" % len(graph)
    before, after = (1 if stride == 1 and kernel == 3 else 0), (1 if kernel == 3 else 0)
    graph += tensor(name + "w", [out, channels // group, kernel, kernel]) + tensor(name + "b", [out])
    graph += node("Conv", [at, name + "w", name + "b"], name, ints("kernel_shape", [kernel] * 2) + ints("strides", [stride] * 2)
                  + ints("pads", [before, before, after, after]) + integer("group", group))
    graph += node("Relu", [name], name + "r")
    at, channels = name + "r", out


conv(32, 3, 2, 1)
for width, stride in BLOCKS:
    conv(channels, 3, stride, channels)
    conv(width, 1, 1, 1)
graph += node("GlobalAveragePool", [at], "pool") + node("Flatten", ["pool"], "flat", integer("axis", 1))
graph += tensor("w", [521, 1024]) + tensor("b", [521]) + node("Gemm", ["flat", "w", "b"], "scores", integer("transB", 1))
graph += data(2, "shape") + value(11, "logmel", [1, 1, 96, 64]) + value(12, "scores", [1, 521])
meta = {"earshot.feature": "logmel", "earshot.feature.frames": "96", "earshot.window_s": "0.975", "earshot.activation": "sigmoid",
        "earshot.labels": "\n".join("class_%d" % i for i in range(521)), "earshot.thresholds": "\n".join(["0.5"] * 521)}
model = number(1, 7) + data(7, graph) + data(8, number(2, 13))
model += b"".join(data(14, data(1, k) + data(2, v)) for k, v in meta.items())
open(sys.argv[1], "wb").write(model)
