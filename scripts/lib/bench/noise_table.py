#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""noise_table.py RAW ROWS JSON [SVGDIR] - what Selfish Detour found, without what is the emulator's.

RAW is from noise.lab: "@begin NAME", what detour said, "detour: offset=N" (guest's TSC less the host's),
"@awake FROM TO" (TSC: CPU 0 was not idle), "@interrupts ROW COUNT", "detour: noise CAUSE COUNT" (of
v3 noise), "@end NAME".
ROWS has lines "NAME|WHAT" for the contenders there have to be. JSON is a file or "-", SVGDIR a folder for
the plots.

With counted instructions all CPUs of the emulated machine take turns and share one clock, so the
instructions of CPU 0 are a gap on CPU 1, as they are not on hardware. A detour in which CPU 0 was awake
is shortened by that, by LEAD before it (CPU 0's way out of HLT to the first recorded event) and by TRAIL
behind it (from the last one back to HLT). If nothing is left, it was no detour. When CPU 0 is awake for
long, or waits for CPU 1, that one has turns meanwhile, and what it lost in them cannot be told from CPU
0's: it is left out. So the interrupts that CPU 1 took are counted as well; verdicts on owned CPUs are on
the detours or the interrupts that v3 noise has counted, whichever are more.
"""
import json
import os
import re
import subprocess
import sys

SLACK = 150      # ticks that may be left of a gap that was CPU 0's
LEAD = 1500      # measured: 475, after an idle period without a tick up to 1310
TRAIL = 400      # measured: 374 to 390
# Rows of /proc/interrupts that are no interrupts, or counted in others (TLB shootdowns are calls).
NOT_TAKEN = ("TLB", "MCP", "RTR", "ERR", "MIS")
PER_SECOND = 1.0
LONGEST = 10000
RATIO = 0.1


class Contender:
    def __init__(self, name):
        self.name = name
        self.values = {}
        self.detours = []
        self.awake = []
        self.interrupts = {}
        self.noise = {}
        self.truncated = False


def read_raw(path):
    contenders, now = {}, None
    with open(path, encoding="utf-8", errors="replace") as raw:
        for line in raw:
            words = line.split()
            if not words:
                continue
            if words[0] == "@begin":
                now = contenders[words[1]] = Contender(words[1])
            elif now is None:
                continue
            elif words[0] == "@end":
                now.values["complete"] = 1
                now = None
            elif words[0] == "@awake":
                now.awake.append((int(words[1]), int(words[2])))
            elif words[0] == "@interrupts":
                now.interrupts[words[1]] = int(words[2])
            elif words[0] == "detour+":
                now.detours += [tuple(int(n, 16) for n in w.split(":")) for w in words[1:]]
            elif words[:2] == ["detour:", "noise"]:
                now.noise[words[2]] = int(words[3])
            elif words[0] == "detour:":
                now.values.update(re.findall(r"(\w+)=(-?[0-9.]+)", line))
                now.truncated |= words[-1] == "truncated"
    return contenders


def rest_of(start, end, awake):
    """What is left of a detour without CPU 0's times in it; None: CPU 0 was not awake in it."""
    rest, at = 0, start - LEAD
    mine = [(b, e) for b, e in awake if b < end and e > start]
    for begin, stop in mine:
        rest += max(begin - LEAD - max(at, start), 0)
        at = stop + TRAIL
    return rest + max(end - at, 0) if mine else None


def attribute(contender):
    """Sets .real, the detours that are not the emulator's, and .emulator, their number."""
    values = contender.values
    begin = int(values["begin"]) - int(values.get("offset", 0))
    contender.real, contender.emulator = [], 0
    awake = [(b - begin, e - begin) for b, e in contender.awake]
    for start, length in contender.detours:
        rest = rest_of(start, start + length, awake)
        if rest is None:
            contender.real.append((start, length))
        elif rest > SLACK:
            contender.real.append((start, rest))
        else:
            contender.emulator += 1


def summarize(contender):
    lengths = sorted(length for _, length in contender.real)
    ticks = int(contender.values["elapsed"])
    seconds = ticks / (int(contender.values["khz"]) * 1000)
    return {
        "name": contender.name,
        "seconds": round(seconds, 3),
        "detours": len(lengths),
        "per_second": round(len(lengths) / seconds, 3),
        "lost_ppm": round(sum(lengths) / ticks * 1e6, 3),
        "longest": lengths[-1] if lengths else 0,
        "median": lengths[(len(lengths) - 1) // 2] if lengths else 0,
        "emulator": contender.emulator,
        "step": int(contender.values["step_median"]),
        "threshold": int(contender.values["threshold"]),
        "interrupts_per_second": round(sum(n for row, n in contender.interrupts.items()
                                           if row not in NOT_TAKEN) / seconds, 3),
        "interrupts": contender.interrupts,
        "v3_noise": contender.noise,
    }


def judge(rows):
    """Lines of verdicts on the owned CPUs, for what was measured."""
    by_name = {row["name"]: row for row in rows}
    lines = []

    def verdict(name, what, reached):
        lines.append(f"{name}: {what}: {'reached' if reached else 'MISSED'}")

    for suffix in ("", "_nohz"):
        owned = by_name.get("v3_owned" + suffix)
        if not owned:
            continue
        # interrupts while Linux had the CPU are part of that, and only v3 noise knows which
        counted = sum(n for cause, n in owned["v3_noise"].items() if cause != "yield")
        rate = max(owned["per_second"], round(counted / owned["seconds"], 3))
        verdict(owned["name"], f"{rate:g} disturbances a second, at most {PER_SECOND:g}", rate <= PER_SECOND)
        verdict(owned["name"], f"the longest {owned['longest']}, at most {LONGEST}",
                owned["longest"] <= LONGEST)
        for peer in (by_name.get(name + suffix) for name in ("linux_pinned", "kvm_pinned")):
            if peer:
                verdict(owned["name"], f"{rate:g} a second, {peer['name']} {peer['per_second']:g}, at "
                        "most a tenth", rate <= RATIO * peer["per_second"])
    return lines


def gnuplot(contenders, whats, folder):
    os.makedirs(folder, exist_ok=True)
    seconds = max(int(c.values["elapsed"]) / (int(c.values["khz"]) * 1000) for c in contenders)
    style = (f"set logscale y\nset xrange [0:{seconds:g}]\nset yrange [10:1e6]\nset grid\nset key off\n"
             "set xlabel 'seconds'\nset ylabel 'TSC ticks'\nset format y '10^{%T}'\n")
    plots, data = {}, ""
    for contender in contenders:
        khz = int(contender.values["khz"])
        # a point far outside keeps gnuplot from complaining of no data
        points = [(-1, 100)] + [(s / khz / 1000, n) for s, n in contender.real]
        data += f"${contender.name} << EOD\n" + "".join(f"{x:.6f} {y}\n" for x, y in points) + "EOD\n"
        what = whats[contender.name].replace("_", "\\\\_")
        plots[contender.name] = f'set title "{what}: {len(points) - 1} detours"\n' \
            f"plot ${contender.name} using 1:2 with points pointtype 7 pointsize 0.3\n"
    script = data + style
    for name, plot in plots.items():
        script += f"set terminal svg size 640,360\nset output '{folder}/{name}.svg'\n{plot}unset output\n"
    columns = 2
    lines = (len(plots) + columns - 1) // columns
    script += f"set terminal svg size {columns * 480},{lines * 270}\nset output '{folder}/overview.svg'\n" \
        f"set multiplot layout {lines},{columns}\n" + "".join(plots.values()) + "unset multiplot\n"
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def print_table(rows, whats):
    print(f"{'name':<18} {'detours/s':>10} {'irqs/s':>9} {'lost ppm':>10} {'median':>8} {'longest':>8} "
          f"{'number':>7} {'emulator':>8}  what")
    for row in rows:
        print(f"{row['name']:<18} {row['per_second']:>10.3f} "
              f"{row['interrupts_per_second']:>9.3f} {row['lost_ppm']:>10.3f} {row['median']:>8} "
              f"{row['longest']:>8} {row['detours']:>7} {row['emulator']:>8}  {whats[row['name']]}")


def main():
    found = read_raw(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as lines:
        whats = dict(line.rstrip("\n").split("|") for line in lines if line.strip())
    missing = [name for name in whats if "complete" not in found.get(name, Contender(name)).values]
    if missing:
        sys.exit("bench: not measured: " + ", ".join(missing))
    contenders = [found[name] for name in whats]
    lost = [c.name for c in contenders if c.awake and "offset" not in c.values
            and not c.name.startswith("linux")]
    if lost:
        sys.exit("bench: not known how far the TSC of guests is from the host's: " + ", ".join(lost))
    cut = [c.name for c in contenders if c.truncated]
    if cut:
        sys.exit("bench: more detours than could be listed: " + ", ".join(cut))
    for contender in contenders:
        attribute(contender)
    rows = [summarize(contender) for contender in contenders]
    print_table(rows, whats)
    for contender in contenders:
        if contender.noise:
            print(f"{contender.name}: counted by v3 noise: " + (", ".join(
                f"{count} {cause}" for cause, count in contender.noise.items() if count) or "nothing"))
    verdicts = judge(rows)
    print("\n".join(verdicts))
    if sys.argv[3] != "-":
        with open(sys.argv[3], "w", encoding="utf-8") as target:
            json.dump({"contenders": rows, "verdicts": verdicts}, target, indent=1)
            target.write("\n")
    if len(sys.argv) > 4:
        gnuplot(contenders, whats, sys.argv[4])


if __name__ == "__main__":
    main()
