#!/usr/bin/env python3
"""Lists the dearest outputs of the last build of each, and fails when all together pass the budget.

usage: build_cost.py [BUILD_DIR] [--limit SECONDS]

Seconds are of one core, as Ninja saw each command run; with ccache warm they say what a rebuild costs.
"""
import argparse
import os
import sys

# Source: two cores for ten minutes are 1200 s; a sixth is kept for slower machines.
LIMIT_S = 1000


def read_log(path):
    """{output: milliseconds} of the newest entry of each output of a .ninja_log."""
    cost = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            fields = line.rstrip("\n").split("\t")
            if line.startswith("#") or len(fields) != 5:
                continue
            cost[fields[3]] = int(fields[1]) - int(fields[0])
    return cost


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", default="build")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds of one core")
    arguments = parser.parse_args()
    log = os.path.join(arguments.build, ".ninja_log")
    if not os.path.exists(log):
        print(f"build cost: {log} is missing: build first")
        return 1
    cost = read_log(log)
    total = sum(cost.values()) / 1000
    for output, ms in sorted(cost.items(), key=lambda entry: (-entry[1], entry[0]))[:10]:
        print(f"{ms / 1000:7.1f} s  {output}")
    print(f"build cost: {total:.0f} s of one core for {len(cost)} outputs, limit {arguments.limit:.0f} s")
    return 0 if total <= arguments.limit else 1


if __name__ == "__main__":
    sys.exit(main())
