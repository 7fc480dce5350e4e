#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Markdown tables of what bench.sh measured.

report.py DATA ROUNDS: lines of table, row, column, tool, value, round; in table "label" the value
is how the tool is called. A cell is the median of
the rounds and, in brackets, the least and the greatest; a ratio is taken within each round.
"""
import statistics
import sys

LABELS = {}  # in the order of the rows
BUILDS = {"fp": "frame pointers", "nofp": "no frame pointers"}

data = {}  # (table, row, column, tool) -> {round: value}


def load(path):
    for line in open(path):
        table, row, column, tool, value, number = line.rstrip("\n").split("\t")
        if table == "label":
            LABELS[tool] = value
            continue
        try:
            data.setdefault((table, row, column, tool), {})[int(number)] = float(value)
        except ValueError:
            pass


def rounds(*key):
    return data.get(key, {})


def combine(op, *series):
    """@op of the values of each round that all of @series have."""
    common = set(series[0]).intersection(*series[1:])
    return {number: op(*(one[number] for one in series)) for number in common}


def ratio(a, b):
    return combine(lambda x, y: x / y if y else float("nan"), a, b)


def minus(a, b):
    return combine(lambda x, y: x - y, a, b)


def cell(series, digits=0):
    if not series:
        return "-"
    values = sorted(series.values())
    form = "{:,.%df}" % digits
    text = form.format(statistics.median(values))
    if len(values) > 1:
        text += " (%s-%s)" % (form.format(values[0]), form.format(values[-1]))
    return text


def table(title, head, rows):
    rows = [row for row in rows if any(value != "-" for value in row[1:])]
    if not rows:
        return
    print("\n### %s\n" % title)
    print("| " + " | ".join(head) + " |")
    print("| --- |" + " ---: |" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def keys(name, position):
    """The values that occur in this part of the keys of table @name, as they came."""
    return list(dict.fromkeys(key[position] for key in data if key[0] == name))


def pairs():
    depths = sorted(keys("pairs", 2), key=int)
    for build in keys("pairs", 1):
        rows = []
        for tool in LABELS:
            at = [rounds("pairs", build, depth, tool) for depth in depths]
            row = [LABELS[tool]] + [cell(one, 0 if tool != "base" else 1) for one in at]
            for other in ("snoop", "live"):
                row.append(cell(ratio(at[0], rounds("pairs", build, depths[0], other)), 2))
                row.append(cell(ratio(at[-1], rounds("pairs", build, depths[-1], other)), 2))
            rows.append(row)
        head = ["ns per malloc and free"] + ["%s calls deep" % depth for depth in depths]
        for other in ("allocsnoop", "--live"):
            head += ["x %s at %s" % (other, depth) for depth in (depths[0], depths[-1])]
        table("C, a malloc and free pair, %s" % BUILDS[build], head, rows)


def hit():
    base = rounds("floor", "no probe", "ns", "")
    table(
        "An empty program in the same places: the floor",
        ["ns per pair", "whole", "added by the probes"],
        [
            [name, cell(rounds("floor", name, "ns", "")), cell(minus(rounds("floor", name, "ns", ""), base))]
            for name in keys("floor", 1)
        ],
    )
    rows = []
    for build in keys("body", 1):
        bare = rounds("body", build, "3", "bare.ns")
        for depth in sorted({key[2] for key in data if key[0] == "body" and key[1] == build}, key=int):
            whole = rounds("body", build, depth, "whole.ns")
            rows.append(
                [
                    "%s, %s deep" % (BUILDS[build], depth),
                    cell(rounds("body", build, depth, "whole.frames")),
                    cell(whole),
                    cell(rounds("body", build, depth, "whole.trap")),
                    cell(rounds("body", build, depth, "whole.bpf")),
                    cell(minus(whole, bare)),
                ]
            )
        rows.append(
            [
                "%s, 3 deep, --min-size 1G" % BUILDS[build],
                "-",
                cell(bare),
                cell(rounds("body", build, "3", "bare.trap")),
                cell(rounds("body", build, "3", "bare.bpf")),
                "-",
            ]
        )
    table(
        "What a malloc of allocsnoop's consists of (entry and return)",
        [
            "ns per pair",
            "frames",
            "whole, as the program sees it",
            "traps, as reported",
            "programs, as reported",
            "walk, hash and count: whole less that without (--min-size 1G)",
        ],
        rows,
    )


def programs():
    for program in keys("programs", 1):
        rows = []
        for tool in LABELS:
            wall, cpu = rounds("programs", program, "wall", tool), rounds("programs", program, "cpu", tool)
            slow = ratio(wall, rounds("programs", program, "wall", "base"))
            ours = ratio(rounds("programs", program, "wall", "snoop"), rounds("programs", program, "wall", "base"))
            slow_cpu = ratio(cpu, rounds("programs", program, "cpu", "base"))
            rows.append(
                [
                    LABELS[tool],
                    cell(combine(lambda us: us / 1e6, wall), 2) if wall else "-",
                    cell(slow, 2),
                    cell(slow_cpu, 2),
                    cell(ratio(slow, ours), 2),
                ]
            )
        table(program, ["", "s", "x untraced", "x untraced, CPU of the program", "x allocsnoop"], rows)


def go():
    base = rounds("go", "jsonloop", "ns", "base")
    ours = minus(rounds("go", "jsonloop", "ns", "snoop"), base)
    rows = []
    for tool in LABELS:
        ns = rounds("go", "jsonloop", "ns", tool)
        added = minus(ns, base)
        if tool == "base":
            rows.append([LABELS[tool], cell(ns), "-", "-"])
        else:
            rows.append([LABELS[tool], cell(ns), cell(added) if ns else "-", cell(ratio(added, ours), 2) if ns else "-"])
    table("Go, a JSON loop", ["ns per allocation", "whole", "added", "added, x allocsnoop"], rows)


load(sys.argv[1])
print("%s rounds; a cell is the median (least-greatest) of them." % sys.argv[2])
pairs()
hit()
programs()
go()
