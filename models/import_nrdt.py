#!/usr/bin/python3
"""Makes earshot models of the NRDT networks of github.com/Joal84/audio-class, as ONNX files without metadata.

  import_nrdt.py us8k_nrdt_cnn.onnx us8k_labels.txt us8k-nrdt-original.onnx [--scale 32768]

labels.txt: a label a line, in the order of the network's output. The networks were trained on samples from -1 to 1; the program
that they come from feeds them 16-bit integers instead, 32768 times as large, when it listens: --scale 32768 does the same.
Their weights carry no licence: for your own comparison only.

Needs python3-numpy and python3-onnx.
"""
import argparse, pathlib, time
from importing import fail, onnx, slugs
from recipe import NRDT, SHARED_NAMES, add_metadata


def main(a):
    try:
        names = [line.strip() for line in a.labels.read_text().splitlines() if line.strip()]
        model = onnx.load(str(a.network))
    except (OSError, ValueError, onnx.onnx_cpp2py_export.checker.ValidationError) as e:
        fail(e)
    except Exception as e:                              # protobuf's own kind of error, whose module differs by version
        fail(f"{a.network}: no ONNX file: {e}")
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    if shape != [1, 1, 11, 220]:
        fail(f"{a.network}: no NRDT network: its input is {shape}, not [1, 1, 11, 220]")
    outputs = model.graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    if outputs and outputs != len(names):
        fail(f"{a.labels}: {len(names)} labels for {outputs} outputs")
    onnx.save(model, str(a.onnx))
    labels = [SHARED_NAMES.get(s, s) for s in slugs(names)]
    add_metadata(a.onnx, "nrdt", NRDT | {"sample_scale": a.scale}, {
        "window_s": "5.0", "labels": "\n".join(labels), "activation": "softmax",
        "thresholds": "\n".join([str(a.threshold)] * len(labels)), "data": "not stated",
        "licence": "none stated by its authors: not to be given away", "date": time.strftime("%Y-%m-%d"),
        "description": f"NRDT network of audio-class, from {a.network.name}"
                       + (", fed as its live path feeds it" if a.scale != 1 else "")})


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("network", "labels", "onnx"):
        p.add_argument(name, type=pathlib.Path)
    p.add_argument("--scale", type=int, choices=(1, 32768), default=1, help="full scale of the samples (1)")
    p.add_argument("--threshold", type=float, default=0.5, help="of every class (0.5)")
    main(p.parse_args())
