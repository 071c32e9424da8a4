#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""memory_table.py RAW ROWS [JSON] - the table of scripts/bench memory, from what was measured.

RAW has lines "@SIDE NAME VALUE" among others. ROWS has lines "NAME|LIMIT|SIDES|UNIT|WHAT" for the rows
that there have to be; LIMIT, if not empty, is "<=N" or ">=N" for v3's value, SIDES says who has to have
one (WHO). "none" as a value stands for what
the machine could not do, which is shown, and no fault of the measurement.
"""
import json
import re
import sys

SIDES = ["v3", "kvm", "kvm_thp", "kvm_2m", "kvm_1g"]
WHO = {"v3": SIDES[:1], "all": SIDES, "small": SIDES[:4], "huge": SIDES[3:], "huge_2m": SIDES[3:4]}


def read_raw(path):
    values = {}
    with open(path, encoding="utf-8", errors="replace") as raw:
        for line in raw:
            match = re.match(r"@(\w+) (\w+) (-?\d+|none)\s*$", line)
            if match and match.group(1) in SIDES:
                side, name, value = match.groups()
                values[name, side] = None if value == "none" else int(value)
    return values


def judge(limit, value):
    if not limit:
        return ""
    if value is None:
        return "MISSED"
    most = int(limit[2:])
    reached = value <= most if limit.startswith("<=") else value >= most
    return f"{'reached' if reached else 'MISSED'} ({limit})"


def main():
    values = read_raw(sys.argv[1])
    out = []
    missing = []
    head = "".join(f" {side:>14}" for side in SIDES)
    print(f"{'name':<16}{head}  {'target':<18} unit, what")
    with open(sys.argv[2], encoding="utf-8") as rows:
        lines = [line.rstrip("\n").split("|") for line in rows if line.strip()]
    for name, limit, who, unit, what in lines:
        missing += [f"{name} of {side}" for side in WHO[who] if (name, side) not in values]
        cells = ""
        for side in SIDES:
            value = values.get((name, side))
            text = "none" if (name, side) in values and value is None else "-"
            cells += f" {text if value is None else value:>14}"
        verdict = judge(limit, values.get((name, "v3")))
        print(f"{name:<16}{cells}  {verdict:<18} {unit}, {what}")
        out.append({"name": name, **{side: values.get((name, side)) for side in SIDES}})
    if missing:
        sys.exit("bench: not measured: " + ", ".join(missing))
    if len(sys.argv) > 3:
        with open(sys.argv[3], "w", encoding="utf-8") as target:
            json.dump(out, target, indent=1)
            target.write("\n")


main()
