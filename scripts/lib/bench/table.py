#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""table.py RAW ROWS [JSON] - a benchmark's table, from what was measured.

RAW has lines "@SIDE NAME VALUE [MIN MAX]" among others, SIDE being v3 or kvm. ROWS has lines
"NAME|LIMIT|UNIT|WHAT" for the rows that there have to be: LIMIT is the most that the ratio may be,
or with "abs" behind it v3's value, in which case KVM has no counterpart; empty: none.
"""
import json
import re
import sys


def read_raw(path):
    values = {}
    with open(path, encoding="utf-8", errors="replace") as raw:
        for line in raw:
            match = re.match(r"@(v3|kvm) (\w+) (-?\d+)(?: (-?\d+) (-?\d+))?\s*$", line)
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
    most = float(limit.removesuffix(" abs"))
    value = v3 if limit.endswith(" abs") else ratio
    return f"{'reached' if value <= most else 'MISSED'} ({limit.removesuffix(' abs')})"


def main():
    values = read_raw(sys.argv[1])
    out = []
    missing = []
    print(f"{'name':<16} {'v3':>12} {'kvm':>12} {'ratio':>8}  {'target':<16} unit, what")
    for name, limit, unit, what in read_rows(sys.argv[2]):
        v3 = values.get((name, "v3"))
        kvm = values.get((name, "kvm"))
        missing += [f"{name} of {side}" for side, value in (("v3", v3), ("kvm", kvm))
                    if value is None and (side == "v3" or not limit.endswith("abs"))]
        if v3 is None:
            continue
        ratio = v3[0] / kvm[0] if kvm and kvm[0] else None
        text = "-" if ratio is None else f"{ratio:.3f}"
        verdict = judge(limit, v3[0], ratio) if ratio is not None or limit.endswith("abs") else ""
        print(f"{name:<16} {v3[0]:>12} {kvm[0] if kvm else '-':>12} {text:>8}  {verdict:<16} "
              f"{unit}, {what}")
        out.append({"name": name, "v3": v3[0], "kvm": kvm[0] if kvm else None,
                    "ratio": None if ratio is None else round(ratio, 6)})
    if missing:
        sys.exit("bench: not measured: " + ", ".join(missing))
    if len(sys.argv) > 3:
        with open(sys.argv[3], "w", encoding="utf-8") as target:
            json.dump(out, target, indent=1)
            target.write("\n")


main()
