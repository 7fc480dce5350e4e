#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""check_json.py all|interval|empty|context|live|live-exact|go-memory|go-memory-unknown < DOCUMENT: the JSON of test_export.c's profile, field by field."""
import json
import sys


def no_constant(name):
    raise ValueError("JSON has no " + name)


def no_twice(pairs):
    keys = [k for k, _ in pairs]
    assert len(keys) == len(set(keys)), "a key comes twice: %s" % keys
    return dict(pairs)


raw = sys.stdin.buffer.read().decode("utf-8", "strict")
doc = json.loads(raw, parse_constant=no_constant, object_pairs_hook=no_twice)
which = sys.argv[1]


def same(what, got, want):
    if got != want or type(got) is not type(want):
        sys.exit("%s: %r, want %r" % (what, got, want))


def keys(what, got, want):
    same("keys of " + what, sorted(got), sorted(want.split()))


BALANCE = "start_bytes end_bytes grown_bytes released_bytes others_grown_bytes others_released_bytes unexplained_bytes"

keys("document", doc, "schema tool kernel start duration_s target mode sampling totals losses overhead rss live blocks peak rss_peak gc stacks")
same("schema", doc["schema"], 1)
same("tool", doc["tool"], "allocsnoop 0.1.0")
same("mode", doc["mode"], "exact")
same("sampling", doc["sampling"], None)
same("gc", doc["gc"], None)
if not which.startswith("live"):
    same("live", doc["live"], None)
if which == "empty":
    same("target", doc["target"], [])
    same("totals", doc["totals"], {"go": None, "malloc": None})
    same("losses", doc["losses"], {"events": 0})
    same("pct", doc["overhead"]["pct"], None)
    same("rss", doc["rss"], dict.fromkeys(("method " + BALANCE + " kinds areas go hugetlb_bytes timeline").split()))
    same("stacks", doc["stacks"], [])
    sys.exit(0)

M = 1 << 20
if which.startswith("go-memory"):
    # What is absent of the heap, 4 MiB, may be of any of its parts.
    known = {
        "rss_bytes": 85 * M, "heap_inuse_bytes": 40 * M, "heap_idle_bytes": 20 * M, "heap_released_bytes": 18 * M,
        "objects_bytes": 15 * M, "objects_missing_max_bytes": M, "stacks_bytes": 2 * M, "gc_work_bytes": M, "runtime_bytes": 6 * M,
        "heap_rss_bytes": 50 * M, "heap_lazy_free_bytes": 9 * M, "heap_huge_bytes": 4 * M, "other_anon_rss_bytes": 5 * M,
        "causes": [{"cause": "fragmentation", "bytes": 20 * M}, {"cause": "madv_free_pending", "bytes": 9 * M}]}
    same("go", doc["rss"]["go"], dict(dict.fromkeys(known), not_known="nobody knows") if which == "go-memory-unknown" else
         dict(known, not_known=None))
    sys.exit(0)
hostile = b"evil\x1b[31m;na\nme\xe2\x80\xae\xff".decode("utf-8", "replace")
if which == "context":
    serve = "net/http.(*Server).Serve server.go:3285"
    api = {"code": "200", "handler": "/api"}
    same("contexts", [[s[k] for k in ("type", "goroutine", "labels", "alloc_objects")] for s in doc["stacks"]], [
        ["[]uint8", serve, api, 1000], ["main.T", serve, api, 500],
        ["main.T", "main goroutine", {"handler": "/metrics"}, 10], ["main.T", serve, {}, 100],
        ["map[string]" + hostile, "%s %s:7" % (hostile, hostile), {hostile: hostile}, 7],
        ["chan int", "[prometheus+0x6300]", {"": "a key that could not be read"}, 2],
        [None, None, {"an empty value": ""}, 1]])
    sys.exit(0)

LIVE = "live_objects live_bytes live_objects_se live_bytes_se".split()
if which.startswith("live"):
    exact = which == "live-exact"
    same("live", doc["live"], {"source": "by mark bits, since the attach", "rate_bytes": 1 if exact else 65536,
                               "samples": 1234, "unjudged_bytes": 3 << 20, "unsure_samples": 7})

    def live(objects, size, objects_se, bytes_se):
        return dict(zip(LIVE, [objects, size] + ([None, None] if exact else [objects_se, bytes_se])))

    none = dict.fromkeys(LIVE)
    same("live of totals", {k: {f: t[f] for f in LIVE} for k, t in doc["totals"].items()},
         {"go": live(213, 10004092, 20.6, 223606.8), "malloc": none})
    same("live of go", [{f: s[f] for f in LIVE} for s in doc["stacks"] if s["source"] == "go"],
         [live(10, 2000001, 5.0, 100000.0), live(200, 8000000, 20.0, 200000.0), live(0, 0, 0.0, 0.0), live(0, 0, 0.0, 0.0),
          live(3, 4096, 0.0, 0.0)])
    for s in doc["stacks"]:
        if s["source"] != "go":
            same("live of " + s["source"], {f: s[f] for f in LIVE}, none)
    sys.exit(0)

interval = which == "interval"
same("kernel", doc["kernel"], "6.1.0")
same("start", doc["start"], "2023-11-14T22:13:25.000Z" if interval else "2023-11-14T22:13:20.000Z")
same("duration_s", doc["duration_s"], 2.5 if interval else 5.0)
same("target", doc["target"], [{"pid": 1234, "comm": "prometheus", "exe": "/usr/bin/prometheus",
                                "runtime": "go1.19.8", "exit_code": 3 if interval else None}])
go = {"alloc_objects": 10, "alloc_bytes": 1000, "requested_bytes": 900} if interval else \
     {"alloc_objects": 1235806, "alloc_bytes": 150000080, "requested_bytes": 144000075}
malloc = {"alloc_objects": 0, "alloc_bytes": 0, "requested_bytes": 0} if interval else \
         {"alloc_objects": 80, "alloc_bytes": 8000, "requested_bytes": 8000}
go.update(live_objects=None, live_bytes=None, live_grown_bytes=None, live_objects_se=None, live_bytes_se=None)
malloc.update(free_objects=None, free_bytes=None, live_objects=None, live_bytes=None, live_grown_bytes=None, live_objects_se=None,
              live_bytes_se=None)
same("totals", doc["totals"], {"go": go, "malloc": malloc})
lost = 0 if interval else 1234
same("losses", doc["losses"], {"events": lost, "site_map_full": lost, "ring_drop": 0})
same("overhead", doc["overhead"],
     {"hits": 100, "trap_ns": 1000000, "bpf_ns": 0, "target_cpu_s": 1.0, "pct": 0.1} if interval else
     {"hits": 1200000, "trap_ns": 250000000, "bpf_ns": 60000000, "target_cpu_s": 10.0, "pct": 3.1})


def balance(start, end, grown, released, others_grown=0, others_released=0):
    if interval:
        grown = released = others_grown = others_released = 0
    return dict(zip(BALANCE.split(), [start, end, grown, released, others_grown, others_released, end - start - grown + released]))


def kind(start, now, *moved):
    return balance(now if interval else start, now, *moved)


rss = doc["rss"]
same("kinds", rss.pop("kinds"), {
    "anon": kind(50 * M, 55 * M, 6 * M + 4096, M + 20480, 0, 8192), "file": kind(30 * M, 31 * M, 4096, 0),
    "shmem": kind(0, 0, 0, 0), "swap": kind(0, 0, 8192, 0, 8192, 0)})
same("hugetlb_bytes", rss.pop("hugetlb_bytes"), 0)
same("timeline", rss.pop("timeline"), None)
same("method", rss.pop("method"), "rss_stat")
same("areas", rss.pop("areas"), {} if interval else {
    "Go heap": {"grown_bytes": 6 * M, "released_bytes": M}, "not known": {"grown_bytes": 8192, "released_bytes": 20480}})
same("go", rss.pop("go"), None)
same("rss", rss, balance(86 * M, 85 * M, 0, 0) if interval else balance(80 * M, 86 * M, 6 * M + 8192, M + 20480, 0, 8192))
same("ledger", rss["end_bytes"] - rss["start_bytes"], rss["grown_bytes"] - rss["released_bytes"] + rss["unexplained_bytes"])

same("number of stacks", len(doc["stacks"]), 1 if interval else 10)
ROW = "pid source type goroutine labels alloc_objects alloc_bytes requested_bytes alloc_objects_se alloc_bytes_se " \
      "free_objects free_bytes live_objects live_bytes live_grown_bytes live_objects_se live_bytes_se oldest_s median_age_s peak_objects peak_bytes peak_rss_bytes rss_bytes incomplete walked frames"
for s in doc["stacks"]:
    keys("stack", s, ROW + (" rss_grown_bytes rss_released_bytes rss_swap_bytes rss_trend rss_trend_bytes_per_s allocated_by allocation_unseen_bytes" if s["source"] == "rss" else ""))
    same("pid", s["pid"], 1234)
    same("labels", s["labels"], {})
    for k in "goroutine alloc_objects_se alloc_bytes_se free_objects free_bytes live_objects live_bytes live_grown_bytes live_objects_se live_bytes_se oldest_s median_age_s peak_objects peak_bytes peak_rss_bytes".split():
        same(k, s[k], None)
    for k in "alloc_objects alloc_bytes requested_bytes".split():
        same(k, type(s[k]), type(None) if s["source"] == "rss" else int)
    same("rss_bytes", type(s["rss_bytes"]), int if s["source"] == "rss" else type(None))
    for f in s["frames"]:
        keys("frame", f, "func file line module inlined")
for name, total in doc["totals"].items():
    for k in "alloc_objects alloc_bytes requested_bytes".split():
        same("sum of " + k, sum(s[k] for s in doc["stacks"] if s["source"] == name), total[k])


def frame(func, file, line, module="prometheus", inlined=False):
    return {"func": func, "file": file, "line": line, "module": module, "inlined": inlined}


first = doc["stacks"][0]
same("type", first["type"], "[]uint8")
same("source", first["source"], "go")
same("frames", first["frames"][:5], [
    frame("runtime.mallocgc", "/go/src/runtime/malloc.go", 900), frame("runtime.makeslice", "/go/src/runtime/slice.go", 103),
    frame("main.grow", "/src/app/main.go", 43, inlined=True), frame("main.fill", "/src/app/main.go", 42),
    frame("main.handle", "/src/app/main.go", 77)])
if interval:
    sys.exit(0)
by = {(s["source"], s["incomplete"], s["alloc_bytes"], s["rss_bytes"]): s for s in doc["stacks"]}
same("broken", by["malloc", "broken", 7700, None]["frames"], [
    frame("malloc", None, None, "libc.so.6"), frame(hostile, hostile, 1),
    frame("[libc.so.6+0x9abc]", None, None, "libc.so.6"), frame("[unknown+0x5555]", None, None, None)])
same("hostile type", by["go", "truncated", 50000000, None]["type"], "map[string]" + hostile)
same("lost", by["malloc", "lost", 300, None]["frames"], [])
truncated = by["rss", "truncated", None, -8192]
same("rss", [truncated[k] for k in ("type", "rss_grown_bytes", "rss_released_bytes", "rss_swap_bytes")], [None, 4096, 12288, 0])
others = [s for s in doc["stacks"] if s["frames"] and s["frames"][0]["func"] == "[kernel: kswapd]"]
same("others", [[s[k] for k in ("rss_bytes", "rss_swap_bytes", "incomplete")] for s in others], [[-8192, 8192, None]])
