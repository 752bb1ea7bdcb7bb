#!/usr/bin/env python3
"""Runs single kernels of Orrery's and of oneDNN's in turn, A B A B, and compares.

usage: bench_kernels.py --orrery BINARY [--threads 1,2] [--rounds 3] [--runs 40] [--only WORD] [--json F]

Needs an Orrery built with the region backend for oneDNN and, to write the models, Debian's package python3-onnx, which
./run and ./test do not install: apt-get install python3-onnx, and Debian's own python3 to run this. Each
model is one product: ten convolutions of ResNet-50 with a bias and a relu (batch 1, constant weights), products of two
square matrices that are both inputs, and a vector times a constant matrix.

oneDNN's time is that of its primitive alone, as its own verbose mode tells (DNNL_VERBOSE=1), the median of all runs but
the first few; so values lie as it wants them. Orrery's is the sum of its kernels: without the layout_transform of a
convolution's image at both ends (each convolution chooses its own layout: over the whole graph, of one convolution, one
that takes the image as it is can be the better choice), with the copies a product makes of its operands. Ratios are oneDNN's time over
Orrery's: above 1 Orrery is ahead. GFLOP/s count the plain sum, whatever an algorithm saves; the share is of the peak
that `orrery measure` finds.
"""
import argparse
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

# Name, channels, filters, extent of the image, extent of the window, stride.
CONVOLUTIONS = [
    ("conv1 7x7/2", 3, 64, 224, 7, 2),
    ("2a 1x1", 64, 64, 56, 1, 1),
    ("2b 3x3", 64, 64, 56, 3, 1),
    ("2c 1x1", 64, 256, 56, 1, 1),
    ("3b 3x3/2", 128, 128, 56, 3, 2),
    ("3b 3x3", 128, 128, 28, 3, 1),
    ("3a 1x1", 512, 128, 28, 1, 1),
    ("4b 3x3", 256, 256, 14, 3, 1),
    ("4c 1x1", 256, 1024, 14, 1, 1),
    ("5b 3x3", 512, 512, 7, 3, 1),
]
SQUARES = [256, 512, 1024, 2048]
VECTOR = 4096
WARM = 5  # runs of oneDNN's that do not count


def save(path, nodes, inputs, constants):
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(1)
    values = [numpy_helper.from_array((draw.standard_normal(shape) * 0.05).astype(np.float32), name)
              for name, shape in constants]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs]
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node(*node[:3], **node[3]) for node in nodes], "kernel", infos, [result],
                              values)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)


def kernels(folder):
    """(name, path, operations) of each."""
    for name, channels, filters, extent, window, stride in CONVOLUTIONS:
        path = os.path.join(folder, f"conv{len(os.listdir(folder))}.onnx")
        border = window // 2
        save(path,
             [("Conv", ["x", "w", "b"], ["c"],
               {"strides": [stride] * 2, "pads": [border] * 4, "kernel_shape": [window] * 2}),
              ("Relu", ["c"], ["y"], {})], [("x", [1, channels, extent, extent])],
             [("w", (filters, channels, window, window)), ("b", (filters, ))])
        yield name, path, 2 * (extent // stride)**2 * channels * filters * window**2
    for n in SQUARES:
        path = os.path.join(folder, f"matmul{n}.onnx")
        save(path, [("MatMul", ["a", "b"], ["y"], {})], [("a", [n, n]), ("b", [n, n])], [])
        yield f"matmul {n}", path, 2 * n**3
    path = os.path.join(folder, "vector.onnx")
    save(path, [("MatMul", ["a", "b"], ["y"], {})], [("a", [1, VECTOR])], [("b", (VECTOR, VECTOR))])
    yield f"GEMV {VECTOR}", path, 2 * VECTOR**2


def run(command, **environment):
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def bench(options, path, threads):
    return [options.orrery, "bench", path, "--threads", str(threads), "--runs", str(options.runs), "--json"]


def ours(options, path, threads):
    text = run(bench(options, path, threads) + ["--pass-option", "AlterOpLayout.choose=local"])
    functions = json.loads(text[text.index("{"):])["functions"]
    if not any("layout_transform" not in f["name"] for f in functions):
        raise RuntimeError("no kernel ran")
    convolution = any("conv2d" in f["name"] for f in functions)
    # A second function of a name is NAME_1.
    return sum(f["median_us"] for f in functions if not (convolution and f["name"].startswith("layout_transform"))) / 1e3


def theirs(options, path, threads):
    text = run(bench(options, path, threads) + ["--partition", "dnnl"], DNNL_VERBOSE="1")
    times = []
    for line in text.splitlines():
        words = line.split(",")
        if len(words) > 4 and words[0] in ("dnnl_verbose", "onednn_verbose") and words[1] == "exec" and words[3] != "reorder":
            times.append(float(words[-1]))
    if len(times) <= WARM:
        raise RuntimeError("oneDNN told of no runs: is Orrery built with its backend?")
    return statistics.median(times[WARM:])


def peak(options, path, threads):
    text = run([options.orrery, "measure", path, "--threads", str(threads), "--json"])
    return json.loads(text[text.index("{"):])["peaks"]["gflops"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orrery", required=True)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--only", default="", help="kernels whose name holds this")
    parser.add_argument("--json")
    options = parser.parse_args()
    missing = [name for name in ("numpy", "onnx") if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"bench_kernels.py: {sys.executable} has no {' and no '.join(missing)}: apt-get install python3-onnx, "
                 "and run this with /usr/bin/python3")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        models = [k for k in kernels(folder) if options.only in k[0]]
        for threads in (int(t) for t in options.threads.split(",")):
            most = peak(options, models[0][1], threads)
            print(f"{threads} threads, peak {most:.1f} GFLOP/s")
            print(f"{'kernel':14}{'oneDNN ms':>11}{'ours ms':>10}{'ratio':>7}{'spread':>14}{'GFLOP/s':>9}{'of peak':>9}")
            ratios = []
            for name, path, operations in models:
                pairs = [(theirs(options, path, threads), ours(options, path, threads)) for _ in range(options.rounds)]
                each = [a / b for a, b in pairs]
                ratio, time = statistics.median(each), statistics.median(b for _, b in pairs)
                speed = operations / time / 1e6
                ratios.append(ratio)
                rows.append({"kernel": name, "threads": threads, "onednn_ms": [a for a, _ in pairs],
                             "orrery_ms": [b for _, b in pairs], "ratio": ratio, "gflops": speed,
                             "of_peak": speed / most})
                print(f"{name:14}{statistics.median(a for a, _ in pairs):11.3f}{time:10.3f}{ratio:7.2f}"
                      f"{min(each):8.2f}–{max(each):.2f}{speed:10.1f}{100 * speed / most:7.0f} %")
                sys.stdout.flush()
            mean = math.exp(statistics.mean(math.log(r) for r in ratios))
            ahead = sum(r > 1 for r in ratios)
            print(f"geometric mean {mean:.2f}, ahead on {ahead} of {len(ratios)}, worst {min(ratios):.2f}\n")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump(rows, out, indent=1)


if __name__ == "__main__":
    main()
