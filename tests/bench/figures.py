# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of bench.c, for benchmarks in Python."""

import os
import statistics

UNITS = {"ms": "{:.1f} ms", "MB": "{:.1f} MB", "s": "{:.2f} s"}


class Table:
    def __init__(self, title, head, quick):
        self.quick = quick
        self.rows = []
        with open("/proc/loadavg", encoding="ascii") as file:
            load = file.read().split()[0]
        print(f"{title}\n{head}, {os.cpu_count()} processors, load at the start {load}", flush=True)

    def figure(self, work, unit, goal=0):
        values = []
        self.rows.append((work, unit, goal, values))
        return values

    def finish(self):
        """Prints it; the exit code."""
        good = True
        print(f"{'work':<52}{'goal':>11}{'median':>12}  {'min – max':<24}{'ratio':<20}")
        for work, unit, goal, values in self.rows:
            if not values:
                continue
            form = UNITS[unit].format
            median = statistics.median_high(values)
            spread = f"{form(min(values))} – {form(max(values))}" if len(values) > 1 else ""
            verdict = "" if self.quick or not goal else "pass" if median <= goal else "falls short"
            good = good and (not goal or median <= goal)
            aim = "≤ " + form(goal) if goal else ""
            print(f"{work:<52}{aim:>11}{form(median):>12}  {spread:<44}{verdict}".rstrip())
        return 0 if good or self.quick else 1


def percentile(values, share):
    values = sorted(values)
    return values[min(int(len(values) * share), len(values) - 1)]
