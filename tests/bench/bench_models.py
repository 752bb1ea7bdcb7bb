#!/usr/bin/env python3
"""Runs Orrery and another runtime on models in turn, A B A B, and compares.

usage: bench_models.py --orrery BINARY --rival 'COMMAND' [--threads 1,2] [--rounds 3] [--runs 30] [--kernels 5] [--json F] MODEL...

COMMAND is a command line with {model}, {threads} and {runs} in it; the last line it prints is JSON with "median_ms".
Example: --rival 'node ort_run.js {model} --threads {threads} --bench {runs}'. Without --rival only Orrery runs.

A round takes both medians one right after the other; the ratio of a model is the median of its rounds' ratios, since
both sides of a round meet the same weather. Ratios are the rival's time over Orrery's: above 1 Orrery is ahead. The
kernels that take most of Orrery's time stand below each model, with their share, so that the worst are seen.
"""
import argparse
import json
import math
import os
import shlex
import statistics
import subprocess
import sys


def last_json(text):
    """The object that starts at the first line with a brace: a report is its program's last word."""
    start = text.find("{")
    if start < 0:
        raise ValueError("no JSON in what it printed")
    return json.loads(text[start:])


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return last_json(done.stdout)


def rival_once(options, model, threads):
    words = [w.format(model=model, threads=threads, runs=options.runs) for w in shlex.split(options.rival)]
    return run(words)["median_ms"]


def orrery_once(options, model, threads):
    return run([options.orrery, "bench", model, "--threads", str(threads), "--runs", str(options.runs), "--json"])


def measure(options, model, threads):
    """Medians of each round, and the kernels of Orrery's fastest."""
    row = {"model": os.path.basename(model), "threads": threads, "rival_ms": [], "orrery_ms": [], "kernels": []}
    best = None
    for _ in range(options.rounds):
        if options.rival:
            row["rival_ms"].append(rival_once(options, model, threads))
        report = orrery_once(options, model, threads)
        row["orrery_ms"].append(report["median_ms"])
        if best is None or report["median_ms"] < best["median_ms"]:
            best = report
    total = sum(f["median_us"] for f in best.get("functions", [])) or 1.0
    row["kernels"] = [{"name": f["name"], "ms": f["median_us"] / 1e3, "share": f["median_us"] / total}
                      for f in best.get("functions", [])[:options.kernels]]
    ratios = [a / b for a, b in zip(row["rival_ms"], row["orrery_ms"])]
    if ratios:
        row["ratio"] = statistics.median(ratios)
        row["spread"] = [min(ratios), max(ratios)]
    return row


def show(row):
    ours = statistics.median(row["orrery_ms"])
    line = f"{row['model']:28} {row['threads']:2}  "
    if "ratio" in row:
        line += (f"rival {statistics.median(row['rival_ms']):9.3f} ms  orrery {ours:9.3f} ms  "
                 f"ratio {row['ratio']:5.2f} ({row['spread'][0]:.2f} to {row['spread'][1]:.2f})")
    else:
        line += f"orrery {ours:9.3f} ms"
    print(line)
    for kernel in row["kernels"]:
        print(f"      {kernel['share'] * 100:5.1f} %  {kernel['ms']:9.3f} ms  {kernel['name']}")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orrery", required=True)
    parser.add_argument("--rival", default="")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--kernels", type=int, default=5)
    parser.add_argument("--json")
    parser.add_argument("models", nargs="+")
    options = parser.parse_args()
    rows, failed = [], 0
    for threads in (int(t) for t in options.threads.split(",")):
        here = []
        for model in options.models:
            try:
                here.append(measure(options, model, threads))
                show(here[-1])
            except (RuntimeError, ValueError, KeyError, OSError) as error:
                failed += 1
                print(f"{os.path.basename(model):28} {threads:2}  {error}")
        ratios = [row["ratio"] for row in here if "ratio" in row]
        if ratios:
            mean = math.exp(statistics.mean(math.log(r) for r in ratios))
            print(f"{threads} threads: geometric mean {mean:.3f} over {len(ratios)} models, worst {min(ratios):.2f}")
        rows += here
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump(rows, out, indent=1)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
