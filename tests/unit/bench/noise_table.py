#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""noise_table.py FOLDER SCRATCH - tests of scripts/lib/bench/noise_table.py in FOLDER: what is the
emulator's, what is the contender's, table, verdicts and JSON."""
import io
import json
import os
import sys
import unittest
from contextlib import redirect_stdout

FOLDER, SCRATCH = sys.argv[1:3]
sys.path.insert(0, FOLDER)
sys.dont_write_bytecode = True
import noise_table as table  # pylint: disable=import-error,wrong-import-position

HEAD = "detour: khz=1000 step=8 step_median=11 threshold=50\n"


def contender(name, detours, awake="", extra="", elapsed=2000000, begin=1000000):
    """In 2 s of a TSC of 1 MHz."""
    return (f"@begin {name}\n{HEAD}detour: begin={begin} elapsed={elapsed} reads=9 backwards=0\n" +
            "".join(f"detour+ {s:x}:{n:x}\n" for s, n in detours) +
            f"detour: listed={len(detours)} of={len(detours)}\n{extra}{awake}@end {name}\n")


def run(raw, names, want_json=False):
    """(output, JSON, status) of the program."""
    paths = [os.path.join(SCRATCH, name) for name in ("raw", "rows", "json")]
    with open(paths[0], "w", encoding="utf-8") as out:
        out.write(raw)
    with open(paths[1], "w", encoding="utf-8") as out:
        out.write("".join(f"{name}|what {name} is\n" for name in names))
    old, sys.argv = sys.argv, ["noise_table.py", paths[0], paths[1], paths[2] if want_json else "-"]
    output, status = io.StringIO(), 0
    try:
        with redirect_stdout(output):
            table.main()
    except SystemExit as end:
        status = end.code
    finally:
        sys.argv = old
    if not want_json or status:
        return output.getvalue(), None, status
    with open(paths[2], encoding="utf-8") as found:
        return output.getvalue(), json.load(found), status


class Rest(unittest.TestCase):
    def test_no_other_cpu(self):
        self.assertIsNone(table.rest_of(1000, 4000, []))
        self.assertIsNone(table.rest_of(1000, 4000, [(5000, 9000), (10, 900)]))

    def test_all_is_the_other_cpus(self):
        self.assertEqual(table.rest_of(1000, 9000, [(1000 + table.LEAD, 9000 - table.TRAIL)]), 0)
        self.assertEqual(table.rest_of(1000, 9000, [(1400, 8700)]), 0)

    def test_before_and_after(self):
        self.assertEqual(table.rest_of(10000, 30000, [(10000 + table.LEAD + 700, 29600)]), 700)
        self.assertEqual(table.rest_of(10000, 30000, [(10100, 20000)]), 10000 - table.TRAIL)

    def test_twice(self):
        edges = table.LEAD + table.TRAIL
        self.assertEqual(table.rest_of(0, 50000, [(100, 10000), (10000 + edges, 50000)]), 0)
        self.assertEqual(table.rest_of(0, 50000, [(100, 10000), (13000 + edges, 50000)]), 3000)

    def test_turns(self):
        self.assertEqual(table.rest_of(10000, 30000, [(0, 90000)]), 0)


class Program(unittest.TestCase):
    def test_table(self):
        raw = contender("linux_pinned", [(1000, 2000), (100000, 3000), (200000, 9000)],
                        "@awake 1200500 1208600\n@interrupts LOC 3\n@interrupts TLB 2\n")
        raw += contender("v3_owned", [(5000, 7000)], "@awake 2005400 2011700\n",
                         "detour: offset=-1000000\ndetour: noise timer 0\ndetour: noise yield 2\n")
        raw += contender("kvm_pinned", [(100, 20000)] * 40, "", "detour: offset=5\n")
        output, found, status = run(raw, ["linux_pinned", "v3_owned", "kvm_pinned"], True)
        self.assertEqual(status, 0)
        rows = {row["name"]: row for row in found["contenders"]}
        self.assertEqual(rows["linux_pinned"]["detours"], 2)
        self.assertEqual(rows["linux_pinned"]["emulator"], 1)
        self.assertEqual(rows["linux_pinned"]["per_second"], 1.0)
        self.assertEqual(rows["linux_pinned"]["longest"], 3000)
        self.assertEqual(rows["linux_pinned"]["lost_ppm"], 2500.0)
        self.assertEqual(rows["linux_pinned"]["interrupts"], {"LOC": 3, "TLB": 2})
        self.assertEqual(rows["linux_pinned"]["interrupts_per_second"], 1.5)
        self.assertEqual(rows["v3_owned"]["detours"], 0)
        self.assertEqual(rows["v3_owned"]["v3_noise"], {"timer": 0, "yield": 2})
        self.assertEqual(rows["kvm_pinned"]["per_second"], 20.0)
        self.assertIn("counted by v3 noise: 2 yield", output)
        self.assertEqual(len(found["verdicts"]), 4)
        self.assertNotIn("MISSED", output)

    def test_missed(self):
        raw = contender("v3_owned", [(100 * i, 50) for i in range(9)] + [(5000, 20000)], "",
                        "detour: offset=0\n")
        raw += contender("linux_pinned", [(100, 60)])
        output, _, status = run(raw, ["v3_owned", "linux_pinned"])
        self.assertEqual(status, 0)
        self.assertIn("v3_owned: 5 disturbances a second, at most 1: MISSED", output)
        self.assertIn("the longest 20000, at most 10000: MISSED", output)
        self.assertIn("linux_pinned 0.5, at most a tenth: MISSED", output)
        self.assertNotIn("kvm", output)

    def test_hidden(self):
        raw = contender("v3_owned", [], "@interrupts CAL 43\n",
                        "detour: offset=0\ndetour: noise call 42\ndetour: noise yield 1\n")
        self.assertIn("v3_owned: 21 disturbances a second, at most 1: MISSED",
                      run(raw, ["v3_owned"])[0])

    def test_not_measured(self):
        raw = contender("linux", [])
        self.assertIn("v3_owned", run(raw, ["linux", "v3_owned"])[2])
        self.assertIn("linux", run(raw.replace("@end linux\n", ""), ["linux"])[2])

    def test_truncated(self):
        raw = contender("linux", [(1, 60)]).replace("of=1\n", "of=3 truncated\n")
        self.assertIn("more detours than could be listed: linux", run(raw, ["linux"])[2])

    def test_no_offset(self):
        raw = contender("v3_owned", [(1, 60)], "@awake 5 6\n")
        self.assertIn("TSC of guests", run(raw, ["v3_owned"])[2])


unittest.main(argv=sys.argv[:1])
