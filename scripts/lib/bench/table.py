#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""table.py RAW ROWS [JSON] - a benchmark's table, from what was measured.

RAW has lines "@SIDE NAME VALUE [MIN MAX]" among others, SIDE being v3, kvm or bare. ROWS has lines
"NAME|LIMIT|UNIT|WHAT" for the rows that there have to be: LIMIT is the most that the ratio to KVM may
be, with "bare" behind it the ratio to the bare machine, or with "abs" v3's value, in which cases KVM
has no counterpart; empty: none.
"""
import json
import re
import sys


def read_raw(path):
    values = {}
    with open(path, encoding="utf-8", errors="replace") as raw:
        for line in raw:
            match = re.match(r"@(v3|kvm|bare) (\w+) (-?\d+)(?: (-?\d+) (-?\d+))?\s*$", line)
            if match:
                side, name, *numbers = match.groups()
                values[name, side] = [int(n) for n in numbers if n is not None]
    return values


def read_rows(path):
    with open(path, encoding="utf-8") as rows:
        return [line.rstrip("\n").split("|") for line in rows if line.strip()]


def judge(limit, v3, ratio):
    if not limit:
        return ""
    most, *kind = limit.split()
    value = v3 if kind == ["abs"] else ratio
    if value is None:
        return ""
    return f"{'reached' if value <= float(most) else 'MISSED'} ({most})"


def main():
    values = read_raw(sys.argv[1])
    out = []
    missing = []
    print(f"{'name':<16} {'v3':>12} {'kvm':>12} {'bare':>12} {'ratio':>8}  {'target':<16} unit, what")
    for name, limit, unit, what in read_rows(sys.argv[2]):
        v3, kvm, bare = ((values.get((name, side)) or [None])[0] for side in ("v3", "kvm", "bare"))
        peer, other = ("bare", bare) if limit.endswith("bare") else ("kvm", kvm)
        missing += [f"{name} of {side}" for side, value in (("v3", v3), (peer, other))
                    if value is None and (side == "v3" or not limit.endswith("abs"))]
        if v3 is None:
            continue
        ratio = v3 / other if other else None
        shown = ["-" if value is None else value for value in (kvm, bare)]
        text = "-" if ratio is None else f"{ratio:.3f}"
        print(f"{name:<16} {v3:>12} {shown[0]:>12} {shown[1]:>12} {text:>8}  "
              f"{judge(limit, v3, ratio):<16} {unit}, {what}")
        row = {"name": name, "v3": v3, "kvm": kvm,
               "ratio": None if ratio is None else round(ratio, 6)}
        if bare is not None:
            row["bare"] = bare
        out.append(row)
    if missing:
        sys.exit("bench: not measured: " + ", ".join(missing))
    if len(sys.argv) > 3:
        with open(sys.argv[3], "w", encoding="utf-8") as target:
            json.dump(out, target, indent=1)
            target.write("\n")


main()
