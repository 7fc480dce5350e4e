#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""chrome_trace.py TRACE REPORT: a strict reader of what the Trace Event Format says of counters; rates times their time are what
the report has in all, and the states end where the report does."""
import json
import sys

trace = json.load(open(sys.argv[1], encoding="utf-8"), parse_constant=lambda c: sys.exit("no JSON: " + c))
report = json.load(open(sys.argv[2]))
assert set(trace) == {"displayTimeUnit", "otherData", "traceEvents"} and trace["displayTimeUnit"] in ("ms", "ns")
counters, names = {}, []
for e in trace["traceEvents"]:
    assert isinstance(e["name"], str) and e["name"] and type(e["pid"]) is int and type(e["tid"]) is int, e
    if e["ph"] == "M":
        assert e["name"] == "process_name" and set(e["args"]) == {"name"} and set(e) == {"ph", "name", "pid", "tid", "args"}, e
        names.append(e["args"]["name"])
        continue
    assert e["ph"] == "C" and set(e) == {"ph", "name", "pid", "tid", "ts", "args"}, e
    assert e["args"] and all(type(v) in (int, float) for v in e["args"].values()), e
    points = counters.setdefault(e["name"], [])
    assert type(e["ts"]) in (int, float) and e["ts"] >= (points[-1][0] if points else 0), e
    points.append((e["ts"], e["args"]["value"]))
assert names == [report["target"][0]["comm"]], names
totals = [t for k, t in report["totals"].items() if t and k != "mmap"]
for name, key in ("allocated (bytes/s)", "alloc_bytes"), ("allocations (1/s)", "alloc_objects"):
    points = counters[name]
    got = sum(v * (points[i + 1][0] - t) / 1e6 for i, (t, v) in enumerate(points[:-1]))
    want = sum(t[key] for t in totals)
    assert abs(got - want) <= 1e-4 * want + 1, (name, got, want)
assert counters["RSS (bytes)"][-1][1] == report["rss"]["end_bytes"] and counters["RSS (bytes)"][0][1] == report["rss"]["start_bytes"]
print("note: %d moments" % len(counters["RSS (bytes)"]))
