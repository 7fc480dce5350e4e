#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares what allocsnoop reported with what the target says of itself.

check.py COMMAND FILE...; each command prints the numbers it compared, lines that
start with "FAILED" for what does not fit, and exits 1 if there were any.
"""
import collections
import glob
import json
import math
import os
import re
import subprocess
import sys

failures = 0


def fail(text):
    global failures
    failures += 1
    if failures <= 20:
        print("FAILED:", text)


def equal(what, got, want):
    if got != want:
        fail("%s is %s, want %s" % (what, got, want))


def within(what, got, low, high):
    if got is None or not low <= got <= high:
        fail("%s is %s, want %s to %s" % (what, got, low, high))


def load(path):
    with open(path) as f:
        return json.load(f)


def load_ledger(path):
    """The last line of JSON: the target may have printed others before."""
    with open(path) as f:
        return json.loads([line for line in f if line.startswith("{")][-1])


def note(text):
    print("note:", text)


def stacks(report, source):
    return [s for s in report["stacks"] if s["source"] == source]


def funcs(stack):
    return [f["func"] for f in stack["frames"]]


def no_losses(report, but=()):
    lost = {k: v for k, v in report["losses"].items() if v and k not in but and k != "events"}
    equal("losses", lost, {})


# Stacks that are not whole, where a test is about counts: native_stacks.sh and native_hostile.sh are about stacks.
CUT = ("stack_unreadable", "unwind_gap", "unwind_no_table")


def cut_in(report):
    """Of native programs only musl's own code has no tables."""
    return CUT if any("musl" in t["exe"] for t in report["target"]) else ("stack_unreadable",)


def reconcile(report):
    """The stacks are the totals, none left out."""
    for source in ("go", "malloc", "mmap"):
        totals = report["totals"].get(source)
        if not totals or totals.get("alloc_objects") is None:
            equal("stacks of %s without totals" % source, len(stacks(report, source)), 0)
            continue
        for key in ("alloc_objects", "alloc_bytes", "requested_bytes"):
            equal("sum of %s over the stacks of %s" % (key, source),
                  sum(s[key] for s in stacks(report, source)), totals[key])


BLOCK_KEYS = ("free_objects", "free_bytes", "live_objects", "live_bytes")
SUM_KEYS = ("alloc_objects", "alloc_bytes", "requested_bytes")


def by_site(report, source, names, callers=(), skip=lambda frames: False):
    """Sums per innermost frame that is one of the names, and the stacks of each.

    callers: {function: name}: what the door's own caller is called when the site
    itself is not its caller, and code without frame pointers in between may hide it.
    """
    sums = collections.defaultdict(collections.Counter)
    found = collections.defaultdict(list)
    for stack in stacks(report, source):
        if skip(stack["frames"]):
            continue
        site = dict(callers).get(next(iter(funcs(stack)[1:]), None))
        site = site or next((f for f in funcs(stack) if f in names), None)
        found[site].append(stack)
        for key in SUM_KEYS + BLOCK_KEYS:
            sums[site][key] += stack[key] or 0
    return sums, found


# --- Go ---------------------------------------------------------------------

GO_DOOR = "runtime.mallocgc"
# By which function of the runtime a site reaches the door, by the part of its name behind "main.site".
GO_CALLERS = [(re.compile("main.site(%s)$" % sites), re.compile(callers)) for sites, callers in (
    (r"(Bytes|Pointers)\w*|GiveBack|GenericSlice|ReflectSlice", r"runtime\.(makeslice|newobject|convTslice|newarray)|reflect\.unsafe_NewArray"),
    (r"Copy\w+", r"runtime\.makeslice(copy)?"),
    (r"Grow\w*", r"runtime\.(growslice|makeslice)"),
    (r"Collect", r"runtime\.(growslice|moveSlice\w*)"),
    (r"String", r"runtime\.slicebytetostring"),
    (r"Concat\w*|FromRunes", r"runtime\.rawstring"),
    (r"Itoa", r"runtime\.slicebytetostring"),
    (r"ToBytes", r"runtime\.rawbyteslice"),
    (r"ToRunes", r"runtime\.rawruneslice"),
    (r"Builder|Repeat", r"runtime\.(makeslice|growslice|slicebytetostring)|internal/bytealg\.MakeNoZero"),
    (r"Map\w*", r"runtime\.(newobject|newarray|growslice|makeslice)"),
    (r"Box\w+|Panic\w*", r"runtime\.(convT\w*|newobject)"),
    (r"Chan\w*", r"runtime\.(makechan|newobject)"),
    (r"Pool", r"runtime\.(newobject|makeslice|growslice|convT\w*)"),
    (r"Reflect", r"reflect\.unsafe_New"),
    (r"", r"runtime\.newobject"),
)]
# Functions that the compiler or the runtime put between two others, which runtime.Callers leaves out.
GO_HIDDEN = re.compile(r"runtime\.(call\d+|reflectcall\w*|runOpenDeferFrame|deferCallSave|deferreturn)$|"
                       r"main\.(workload\w+|siteDefer)\.func\d+$|.*\.(go|defer)wrap\d+$")
# Where the memory profile begins: behind the runtime's functions, and behind those of it that other packages call theirs.
GO_INSIDE = re.compile(r"runtime\.|reflect\.unsafe_New|internal/bytealg\.MakeNoZero$")
# From a goroutine's stack to the scheduler's.
GO_SWITCHES = {"runtime.systemstack", "runtime.mcall", "runtime.morestack"}
# What a map is made of, besides the buckets or groups that are shown as the map itself.
GO_MAP_PARTS = re.compile(r"(\[\])?\*?(runtime|maps|internal/runtime/maps)\.\w+$")


def go_nested(frames):
    """Allocated by the runtime for itself, in the middle of something else.

    Either by the allocator (a GC assist that has to wait), or on the scheduler's
    stack: for a goroutine that is parked, preempted or calls the runtime. There the
    memory profile does not look for callers; we have those of the goroutine.
    """
    if any(f["func"] in GO_SWITCHES for f in frames):
        return True
    doors = [f["func"].startswith(GO_DOOR) for f in frames]
    # From 1.27 mallocgc forwards to a door for the size class: the doors that begin a stack are one allocation.
    return any(doors[doors.index(False):]) if False in doors else False


def go_name(func):
    """As runtime.Frame prints it: what a generic function was made for is left out."""
    return re.sub(r"\[.*\]", "[...]", func)


def go_inner(frames):
    """(func, line) pairs as far as both have them: from GO_INSIDE on, without GO_HIDDEN."""
    pairs = [(go_name(f["func"]), f["line"]) for f in frames
             if f.get("file") != "<autogenerated>" and not GO_HIDDEN.match(f["func"])]
    first = next((i for i, p in enumerate(pairs) if not GO_INSIDE.match(p[0])), 0)
    return tuple(pairs[first:])


def go_caller(stack, site):
    """The caller of the door is in the stack: the frame that the usual stack walk loses."""
    names = funcs(stack)
    if len(names) < 2 or not names[0].startswith(GO_DOOR):
        fail("the door of %s is %s" % (site, names[:1]))
        return
    doors = next((i for i, n in enumerate(names) if not n.startswith(GO_DOOR)), len(names))
    if GO_DOOR not in names[:doors]:
        # A door for one size class, which compiled code calls itself: which code, go_stacks() knows.
        return
    want = next((callers for sites, callers in GO_CALLERS if sites.match(site)), GO_CALLERS[-1][1])
    if not want.match(names[doors]):
        fail("the caller of %s is %s, want %s, in %s" % (names[doors - 1], names[doors], want.pattern, site))


def go_inlined(stack):
    """siteInlined's callees have no code of their own."""
    got = {f["func"]: f["inlined"] for f in stack["frames"]}
    for func in ("main.inlinedInner", "main.inlinedOuter"):
        equal(func + " inlined", got.get(func), True)


def go_version(ledger):
    """The minor version, and whether tiny objects have a size-specialised door."""
    minor = int(re.match(r"go1\.(\d+)", ledger["go"]).group(1))
    experiments = re.findall(r"\w+", ledger["go"].partition("X:")[2])
    return minor, "nosizespecializedmalloc" not in experiments if minor >= 27 else "sizespecializedmalloc" in experiments


def tiny_slack(ledger):
    """Bytes by which tiny objects may be charged otherwise than the runtime did.

    Whether a tiny object opens a block of 16 bytes is seen at the door's first
    instructions. Behind them the goroutine may be sent away: it must assist the GC
    and wait, or, where mallocgc calls a function with a stack check of its own before
    it looks at the block (1.21 to 1.23: deductAssistCredit), it is preempted. Then it
    may go on when the GC has taken the P's block away, or on another P with another
    block. That is at most a block for each P in each cycle, and one for each of the
    10 ms that sysmon leaves a goroutine alone. A GC that the program itself waits for
    does not count. From 1.24 on the door is mallocgcTiny, behind all that, and the
    bytes are equal, but for the size-specialised doors, which assist themselves.
    """
    outer = ledger["outer"]
    minor, special = go_version(ledger)
    if minor >= 24 and not special:
        return 0
    blocks = 2 * (outer["num_gc"] - outer["forced_gc"])
    if 21 <= minor <= 23 and ledger["procs"] > 1:
        blocks += ledger["procs"] * (1 + outer["ns"] // 10000000)
    return 16 * blocks


def go_profile(ledger, names):
    """What the memory profile has of each site: objects and bytes."""
    profile = collections.defaultdict(lambda: [0, 0])
    for p in ledger["stacks"] or []:
        site = next((f["func"] for f in p["frames"] if f["func"] in names), None)
        if not go_nested(p["frames"]):
            profile[site][0] += p["objects"]
            profile[site][1] += p["bytes"]
    return profile


def go_reuses(ledger):
    """With GOEXPERIMENT=runtimefreegc append gives back the array it leaves behind.

    An allocation that gets such an array is none for MemStats and the profile. It is
    one for us: somebody asked for memory and got it.
    """
    return "runtimefreegc" in ledger["go"]


def go_totals(report, ledger):
    totals = report["totals"]["go"]
    for key, truth in (("alloc_objects", "mallocs"), ("alloc_bytes", "total_alloc")):
        inner, outer, got = ledger["inner"][truth], ledger["outer"][truth], totals[key]
        slack = tiny_slack(ledger) if key == "alloc_bytes" else 0
        if go_reuses(ledger):
            within(key, got, inner - slack + 1, outer + slack + ledger["freed"][key[len("alloc_"):]])
        else:
            within(key, got, inner - slack, outer + slack)
        error = got - min(max(got, inner), outer)
        note("%s %s of %d" % (key, got, inner) + (" to %d" % outer if outer != inner else "") +
             (" (%+d)" % error if error else ""))


def go_reused(report, ledger):
    """What MemStats does not count is what the profile does not have, stack by stack."""
    names = {s["func"] for s in ledger["sites"]}
    sums, _ = by_site(report, "go", names, skip=go_nested)
    profile = go_profile(ledger, names)
    ours = sum(sums[n]["alloc_bytes"] - profile[n][1] for n in names)
    got, inner, outer = (report["totals"]["go"]["alloc_bytes"], ledger["inner"]["total_alloc"],
                         ledger["outer"]["total_alloc"])
    slack = tiny_slack(ledger)
    within("reused bytes, by MemStats and by the profile", ours, got - outer - slack, got - inner + slack)
    note("reused %d objects, %d bytes, of %d objects given back" % (
        report["totals"]["go"]["alloc_objects"] - ledger["outer"]["mallocs"], ours, ledger["freed"]["objects"]))


def go_type(site, found):
    """Each stack of the site has its type."""
    for stack in found:
        got = stack["type"]
        if site["type"].startswith("map["):
            if got != site["type"] and not GO_MAP_PARTS.match(got or ""):
                fail("type of %s is %s, want %s or a part of it" % (site["func"], got, site["type"]))
        elif site["type"].startswith("chan "):
            if got not in (site["type"], "chan", "runtime.hchan"):
                fail("type of %s is %s, want %s" % (site["func"], got, site["type"]))
        elif "go.shape." in (got or ""):
            # Up to 1.20 generic code allocates by the type's shape: that is what the allocator is told.
            equal("type of %s before its arguments" % site["func"], got.partition("[go.")[0], site["type"].rpartition("[")[0])
        elif site["type"]:
            equal("type of " + site["func"], got, site["type"])


def go_sites(report, ledger):
    names = {s["func"] for s in ledger["sites"]}
    sums, found = by_site(report, "go", names, skip=go_nested)
    profile = go_profile(ledger, names)
    worst_objects = worst_bytes = (0, "")
    for site in ledger["sites"]:
        name, got = site["func"], sums[site["func"]]
        if name == "main.siteZero":
            equal(name + " objects", got["alloc_objects"], 0)
            continue
        if site["objects"]:
            equal(name + " objects", got["alloc_objects"], site["objects"])
            worst_objects = max(worst_objects, (abs(got["alloc_objects"] - site["objects"]), name))
        if site["requested_bytes"]:
            equal(name + " requested_bytes", got["requested_bytes"], site["requested_bytes"])
        if ledger["stacks"] is not None:
            objects, size = profile[name]
            slack = tiny_slack(ledger) if site["tiny"] else 0
            more = ledger["freed"] if go_reuses(ledger) else {"objects": 0, "bytes": 0}
            if not site["tiny"]:
                within(name + " objects by the profile", got["alloc_objects"], objects, objects + more["objects"])
                worst_objects = max(worst_objects, (abs(got["alloc_objects"] - objects), name))
            within(name + " bytes by the profile", got["alloc_bytes"], size - slack, size + slack + more["bytes"])
            worst_bytes = max(worst_bytes, (abs(got["alloc_bytes"] - size), name))
        if not found[name]:
            fail(name + " has no stack")
        for stack in found[name]:
            go_caller(stack, name)
            if name == "main.siteInlined":
                go_inlined(stack)
        go_type(site, found[name])
    note("worst site %d objects, %d bytes%s" % (worst_objects[0], worst_bytes[0], "".join(
        " (%s)" % n.replace("main.", "") for n in sorted({w[1] for w in (worst_objects, worst_bytes) if w[0]}))))


# The profile ends after 32 calls, the runtime's included, whose number depends on the way through the allocator
# (from 1.27 there is a slow one): compare what every stack has.
PROFILE_CALLS = 24


def go_by_stack(found, key_objects, key_bytes, tiny):
    """Objects and bytes of each stack of the workload: (is tiny, key) to [objects, bytes]."""
    out = collections.defaultdict(lambda: [0, 0])
    for s in found:
        key = go_inner(s["frames"])[:PROFILE_CALLS]
        # What the runtime allocates for itself in the middle belongs to nobody, and may be nested.
        if go_nested(s["frames"]) or not s[key_bytes] or not any(f.startswith(("main.site", "main.workload")) for f, _ in key):
            continue
        out[any(f in tiny for f, _ in key), key][0] += s[key_objects]
        out[any(f in tiny for f, _ in key), key][1] += s[key_bytes]
    return out


def go_stacks(report, ledger):
    """Every stack of the memory profile, function and line, frame by frame.

    Of tiny objects the profile has the bytes of the blocks, at the stack that opened each.
    """
    tiny = {s["func"] for s in ledger["sites"] if s["tiny"]}
    ours = go_by_stack(stacks(report, "go"), "alloc_objects", "alloc_bytes", tiny)
    theirs = go_by_stack(ledger["stacks"], "objects", "bytes", tiny)
    slack, same = tiny_slack(ledger), 0
    for is_tiny, key in set(ours) | set(theirs):
        got, want = ours[is_tiny, key], theirs[is_tiny, key]
        if is_tiny:
            good = abs(got[1] - want[1]) <= slack
        else:
            good = got == want
        if not good and go_reuses(ledger):
            good = 0 <= got[0] - want[0] <= ledger["freed"]["objects"] and got[1] >= want[1]
        same += good
        if not good:
            fail("stack %s: objects, bytes are %s, by the profile %s" % (
                " < ".join("%s:%d" % f for f in key[:6]), got, want))
    note("stacks %d of %d" % (same, len(ours)))


def cmd_go(report_path, ledger_path):
    report, ledger = load(report_path), load_ledger(ledger_path)
    equal("schema", report["schema"], 1)
    equal("mode", report["mode"], "exact")
    equal("runtime", report["target"][0]["runtime"], ledger["go"])
    no_losses(report)
    reconcile(report)
    go_totals(report, ledger)
    go_sites(report, ledger)
    if ledger["stacks"] is not None:
        go_stacks(report, ledger)
        if go_reuses(ledger):
            go_reused(report, ledger)
    if ledger["c"]:
        c = ledger["c"]
        sums, found = by_site(report, "malloc", {c["func"]})
        equal("C objects", sums[c["func"]]["alloc_objects"], c["objects"])
        equal("C requested_bytes", sums[c["func"]]["requested_bytes"], c["requested_bytes"])
        for s in found[c["func"]]:
            equal("caller of malloc", funcs(s)[1], c["func"])


def cmd_go_types(report_path, *want):
    """The stacks of FUNC carry the type: FUNC=TYPE ..."""
    report = load(report_path)
    for pair in want:
        func, _, name = pair.partition("=")
        equal("types of " + func, {s["type"] for s in stacks(report, "go") if func in funcs(s)}, {name})


def go_context(stack):
    return stack["goroutine"], tuple(sorted(stack["labels"].items()))


def type_fits(got, want):
    return got == want or want.endswith("*") and (got or "").startswith(want[:-1])


# What makes a map or a channel has a header as well, which the ledger does not count.
GO_HEADERS = {"runtime.hmap", "maps.Map", "runtime.hchan"}


def context_entries(report, entries):
    """Each site's allocations by type, goroutine and labels."""
    want = collections.defaultdict(lambda: [0, 0])
    for e in entries:
        key = (e["site"], e["type"], e["goroutine"], tuple(sorted(e["labels"].items())))
        want[key][0] += e["objects"]
        want[key][1] += e["bytes"]
    got = collections.defaultdict(lambda: [0, 0, 0])
    for s in stacks(report, "go"):
        site = next((f for f in funcs(s) if f.startswith("main.site")), None)
        if not site or s["type"] in GO_HEADERS:
            continue
        kind = next((k[1] for k in want if k[0] == site and type_fits(s["type"], k[1])), s["type"])
        for i, key in enumerate(SUM_KEYS):
            got[(site, kind) + go_context(s)][i] += s[key]
    for key in sorted(set(want) | set(got), key=str):
        objects, size = want[key] if key in want else (0, 0)
        equal("objects of %s, %s, by %s with %s" % key, got[key][0], objects)
        if size:
            equal("bytes of %s, %s, by %s with %s" % key, got[key][1:], [size, size])
    note("%d sums by site, type, goroutine and labels" % len(want))


def context_sums(report, ledger):
    """All that is charged to a go statement, or to a label set, whatever allocated it."""
    for which, keys in ((0, [c["goroutine"] for c in ledger["creators"] if c["whole"]]),
                        (1, [tuple(sorted(labels.items())) for labels in ledger["label_sets"]])):
        for key in keys:
            mine = [s for s in stacks(report, "go") if go_context(s)[which] == key and s["type"] not in GO_HEADERS]
            want = [e for e in ledger["entries"] if (e["goroutine"], tuple(sorted(e["labels"].items())))[which] == key]
            equal("objects of %s" % (key,), sum(s["alloc_objects"] for s in mine), sum(e["objects"] for e in want))
            if all(e["bytes"] for e in want):
                equal("bytes of %s" % (key,), sum(s["alloc_bytes"] for s in mine), sum(e["bytes"] for e in want))


def cmd_go_context(report_path, ledger_path):
    report, ledger = load(report_path), load_ledger(ledger_path)
    equal("runtime", report["target"][0]["runtime"], ledger["go"])
    no_losses(report)
    reconcile(report)
    context_entries(report, ledger["entries"])
    context_sums(report, ledger)


def cmd_go_goroutines(text_path, report_path, ledger_path):
    """--group-by goroutine: objects and the number of goroutines of each go statement."""
    report, ledger = load(report_path), load_ledger(ledger_path)
    # The name may have a line of its own.
    row = re.compile(r"^ +[0-9]+ +[0-9.]+ % .* ([0-9,]+) +([0-9,]+)  go\s+(\S.*)$", re.M)
    rows = {}
    for m in row.finditer(open(text_path).read()):
        rows[re.sub(" +", " ", m.group(3))] = [int(n.replace(",", "")) for n in m.groups()[:2]]
    for c in ledger["creators"]:
        objects = sum(s["alloc_objects"] for s in stacks(report, "go") if s["goroutine"] == c["goroutine"])
        equal("objects, goroutines of " + c["goroutine"], rows.get(c["goroutine"]), [objects, c["goroutines"]])
    equal("goroutines of main", rows.get("main goroutine", [0, 0])[1], 1)
    note("%d goroutines of %d statements" % (sum(c["goroutines"] for c in ledger["creators"]), len(ledger["creators"])))


def cmd_go_tags(pb_path, report_path):
    """The labels of the samples as go tool pprof adds them up."""
    report = load(report_path)
    out = subprocess.run(["go", "tool", "pprof", "-tags", "-sample_index=alloc_objects", pb_path],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if out.returncode:
        fail("go tool pprof: " + out.stdout)
        return
    got, key = {}, None
    for line in out.stdout.splitlines():
        head = re.match(r"^ *(\S+): Total ", line)
        m = re.match(r"^ *([0-9.]+)[kM]? \( *[0-9.]+%\): (.*)$", line)
        key = head.group(1) if head else key
        if m:
            got[key, m.group(2)] = float(m.group(1))
    want = collections.Counter()
    for s in stacks(report, "go"):
        for k, v in s["labels"].items():
            want[k, re.sub(r"[\x00-\x1f\x7f]", "?", v)] += s["alloc_objects"]
    for pair, objects in want.items():
        equal("objects with %s=%s by go tool pprof" % pair, got.get(pair), objects)
    note("%d labels by go tool pprof" % len(want))


# --- cgo --------------------------------------------------------------------

CGO_BORDERS = {"runtime.cgocall", "runtime.cgocallbackg", "runtime.main", "runtime.goexit"}


def go_funcs(names):
    """The Go functions of a stack, and where it crosses over to C and back; the rest of the runtime's glue differs
    by Go version and by who tells. A thread that C made has a goroutine without a beginning of its own.
    """
    kept = [n for n in names if n.startswith("main.") and "_cgoexp" not in n or n in CGO_BORDERS]
    # A function and its wrapper for the other calling convention.
    kept = [n for i, n in enumerate(kept) if n not in CGO_BORDERS or n != (kept[i - 1] if i else None)]
    if kept[-2:] == ["runtime.cgocallbackg", "runtime.goexit"]:
        kept.pop()
    return tuple(kept)


def cgo_key(source, leaf, names, stripped):
    """What a stack is compared by. Between cgocall and who called C stands a function made by cgo."""
    names = go_funcs(names)
    if source == "malloc" and len(names) > 1:
        names = (names[0], "main._Cfunc_") + names[1 + names[1].startswith("main._Cfunc_"):]
    return source, leaf if not stripped else None, names


def cgo_places(report, leaves, stripped):
    """Objects by cgo_key() of all stacks that the program's own functions allocate from."""
    places = collections.Counter()
    for stack in stacks(report, "go") + stacks(report, "malloc"):
        names = funcs(stack)
        is_go = stack["source"] == "go"
        leaf = next((n for n in names if n == "main.goAlloc"), None) if is_go else (names + [None])[1]
        # By address only: the program's own. From Go 1.21 on the runtime calls C for itself before a callback, too.
        unnamed = stripped and (leaf or "").startswith("[") and any(n.startswith("main.site") for n in names)
        if leaf in leaves or unnamed:
            places[cgo_key(stack["source"], leaf, names, stripped)] += stack["alloc_objects"]
    return places


# The C functions of the program by that which Go calls, innermost first (tests/targets/go/cgo/native.c).
CGO_FRAMES = {
    "c_direct": ["c_direct"],
    "c_nested": ["c_direct", "c_middle", "c_nested"],
    "c_numbers": ["c_busy", "c_numbers"],
    "c_addresses": ["c_busy_addresses", "c_addresses"],
    "c_zero": ["c_busy_zero", "c_zero"],
    "c_framed": ["c_framed"],
    "c_call": ["goCallback", "c_call"],
    "c_call_numbers": ["goCallback", "c_busy_call", "c_call_numbers"],
    "c_call_framed": ["goCallback", "c_call_framed"],
}


def cgo_c_frames(stack):
    """Compares each run of C functions in @stack; their number. By that which cgo made they may have been entered."""
    names = [n for n in funcs(stack) if "_cgo_" not in n]
    seen = 0
    if stack["source"] == "malloc" and not names[1:2][0].startswith("c_"):
        return 0  # the runtime's own C: from Go 1.22 on a callback asks for the thread's stack
    for i, name in enumerate(names):
        called = name.startswith("main._Cfunc_") and CGO_FRAMES.get(name[len("main._Cfunc_"):])
        if not called:
            continue
        start = next((j + 1 for j in range(i - 1, -1, -1) if names[j] == "crosscall2" or names[j] in DOORS), None)
        inner = [n for n in names[start:i] if n not in ("runtime.cgocall", "runtime.asmcgocall", "runtime.asmcgocall.abi0")]
        if inner != called:
            fail("C functions below %s: %s, want %s" % (name, inner, called))
        seen += len(inner)
    return seen


def cmd_cgo(report_path, ledger_path, *flags):
    """Each stack that crosses between Go and C has the Go functions that the program itself saw.

    flags: "stripped": C functions have no names; "malloc": Go's allocations are not probed.
    """
    report, ledger = load(report_path), load_ledger(ledger_path)
    stripped = "stripped" in flags
    wanted = [p for p in ledger["places"] if p["funcs"] or not stripped]
    wanted = [p for p in wanted if p["source"] == "malloc" or "malloc" not in flags]
    no_losses(report, CUT)
    reconcile(report)
    ours = cgo_places(report, {p["leaf"] for p in wanted}, stripped)
    theirs = collections.Counter()
    for p in wanted:
        border = ["runtime.cgocall"] if p["source"] == "malloc" and p["funcs"] else []
        theirs[cgo_key(p["source"], p["leaf"], border + p["funcs"], stripped)] += p["objects"]
    for key in sorted(set(ours) | set(theirs), key=str):
        if ours[key] != theirs[key]:
            fail("%s by %s below %s: %d objects, want %d" % (
                key[0], key[1], " < ".join(key[2]), ours[key], theirs[key]))
    # What the walk gives of C in between, where C has frame pointers.
    for stack in [] if stripped else stacks(report, "malloc"):
        if funcs(stack)[1:2] == ["c_framed"]:
            equal("asmcgocall below c_framed", "runtime.asmcgocall" in funcs(stack)[2:4], True)
        if funcs(stack)[1:2] == ["c_thread_site"]:
            equal("the thread's first functions", set(funcs(stack)[2:]) & {"only_malloc", "call_go"} != set(), True)
    frames = 0
    for stack in [] if stripped else stacks(report, "malloc") + stacks(report, "go"):
        frames += cgo_c_frames(stack)
        if "main.goThread" in funcs(stack):
            equal("the end of a stack of a thread that C made", [n for n in funcs(stack) if n in ("goThread", "call_go")],
                  ["goThread", "call_go"])
    if not stripped:
        within("C functions in all stacks", frames, 100, 10 ** 6)
    note("%d C functions in between, all of them those that were called" % frames)
    note("%d stacks that cross between Go and C, up to %d Go functions deep" % (
        len(theirs), max(len(k[2]) for k in theirs)))


# --- C ----------------------------------------------------------------------

DOORS = {prefix + name for prefix in ("", "__libc_", "__", "__GI___", "__GI_", "__GI___libc_") for name in (
    "malloc calloc realloc reallocarray posix_memalign aligned_alloc memalign valloc pvalloc").split()}
# Libraries' functions that allocate for a site: by how their symbols may be called.
THROUGH = {
    "strdup": ("strdup", "__strdup", "__GI___strdup", "__GI_strdup"),
    "operator new(unsigned long)": ("operator new(unsigned long)",),
}


def c_caller(stack, site):
    """The caller of the door is who it must be, whatever the code in between is built like."""
    names = [f["func"] for f in stack["frames"] if not f["inlined"]]
    if not names or names[0] not in DOORS:
        fail("the door of %s is %s" % (site["func"], names[:1]))
    elif site["door"] not in THROUGH:
        equal("caller of " + names[0], names[1:2], [site["func"]])
    elif names[1:2] and names[1] not in THROUGH[site["door"]]:
        fail("the caller of %s is %s, want %s" % (names[0], names[1], site["door"]))


def live_totals(report, dropped=None):
    """What was allocated is given back, or live, in each row and in the totals; but for the stacks through @dropped."""
    rows = stacks(report, "malloc")
    totals = report["totals"]["malloc"]
    for row in rows:
        if dropped in funcs(row):
            continue
        for unit in ("objects", "bytes"):
            equal("given back and live %s of %s" % (unit, funcs(row)[:3]),
                  row["free_" + unit] + row["live_" + unit], row["alloc_" + unit])
        equal("age of %s" % funcs(row)[:3], row["oldest_s"] is not None, row["live_objects"] > 0)
        if row["oldest_s"] is not None:
            within("median age of %s" % funcs(row)[:3], row["median_age_s"], 0, row["oldest_s"])
            within("oldest of %s" % funcs(row)[:3], row["oldest_s"], 0, report["duration_s"] + 1)
    for key in ("free_objects", "free_bytes", "live_objects", "live_bytes"):
        equal("sum of %s over the stacks" % key, sum(s[key] for s in rows), totals[key])
    equal("blocks that are followed", report["blocks"]["followed"], totals["live_objects"])


def cmd_live_sampled(report_path, truth):
    report, truth = load(report_path), int(truth)
    no_losses(report, NOT_LOST + CUT)
    reconcile(report)
    totals = report["totals"]["malloc"]
    equal("frees are not counted", totals["free_objects"], None)
    within("standard error", totals["live_bytes_se"], 1, truth / 10)
    slack = 5 * totals["live_bytes_se"]
    within("live_bytes", totals["live_bytes"], truth - slack, truth + slack)
    note("%d of %d bytes live, +-%d, from %d of the blocks" % (
        totals["live_bytes"], truth, totals["live_bytes_se"], report["blocks"]["followed"]))


def cmd_live_peak(report_path):
    """tests/targets/c/peak.c: the exact height, and a snapshot that is near it and has both sites, not the late one."""
    report = load(report_path)
    # Stacks of pages begin where no list of code is there yet, and the kernel may be too busy mapping to be asked.
    no_losses(report, NOT_LOST + CUT)
    live_totals(report)
    peak = report["peak"]
    equal("the most that was live", peak["high_bytes"], 100 * 1000 + 100 * 50000)
    rows = stacks(report, "malloc")
    equal("sum of peak_bytes", sum(s["peak_bytes"] for s in rows), peak["live_bytes"])
    equal("sum of peak_objects", sum(s["peak_objects"] for s in rows), peak["live_objects"])
    at = {n: sum(s["peak_bytes"] for s in rows if n in funcs(s)) for n in ("site_low", "site_high", "site_late")}
    # Every 5 % more ask for a snapshot; it is taken while the program goes on.
    within("snapshot", peak["live_bytes"], peak["high_bytes"] // 2, peak["high_bytes"])
    equal("site_low at the peak", at["site_low"], 100000)
    equal("site_late at the peak", at["site_late"], 0)
    note("%d of %d bytes in the best of %d snapshots" % (peak["live_bytes"], peak["high_bytes"], peak["snapshots"]))


# What is told beside the losses and is none.
NOT_LOST = ("events", "free_before_attach", "free_missed", "burst_ended")


def cmd_live_sites(report_path, ledger_path, *flags):
    """Frees and live objects of each site, counted at the stack that allocated."""
    report, ledger = load(report_path), load_ledger(ledger_path)
    # A thread that ends has glibc call free for each chunk in its cache: the program has given those back before.
    no_losses(report, cut_in(report) + (("free_before_attach",) if "threads" in flags else ()))
    reconcile(report)
    live_totals(report)
    names = {s["func"] for s in ledger["sites"]}
    callers = {alias: s["func"] for s in ledger["sites"] for alias in THROUGH.get(s["door"], ())}
    sums, _ = by_site(report, "malloc", names, callers)
    for site in ledger["sites"]:
        got = sums[site["func"]]
        equal(site["func"] + " objects", got["alloc_objects"], site["objects"])
        equal(site["func"] + " free_objects", got["free_objects"], site["free_objects"])
        equal(site["func"] + " live_objects", got["live_objects"], site["objects"] - site["free_objects"])
        equal(site["func"] + " live_bytes", got["live_bytes"], site["live_bytes"])
        equal(site["func"] + " free_bytes", got["free_bytes"], site["requested_bytes"] - site["live_bytes"])
    totals = report["totals"]["malloc"]
    note("%d objects, %d given back, %d live of %d bytes" % (
        totals["alloc_objects"], totals["free_objects"], totals["live_objects"], totals["live_bytes"]))


def live_site_of(report, func, pid=None):
    """(objects, given back, live, live bytes) of the stacks through @func."""
    rows = [s for s in stacks(report, "malloc") if func in funcs(s) and pid in (None, s["pid"])]
    return tuple(sum(s[k] for s in rows) for k in ("alloc_objects", "free_objects", "live_objects", "live_bytes"))


def cmd_live_exec(report_path, ledger_path, n):
    """The blocks of site_before were not given back, and are not live: the image that had them is gone."""
    report, ledger, n = load(report_path), load_ledger(ledger_path), int(n)
    no_losses(report, CUT + ("exec_blocks",))
    equal("exec_blocks", report["losses"]["exec_blocks"], n)
    equal("site_before", live_site_of(report, "site_before"), (n, 0, 0, 0))
    live_totals(report, "site_before")
    for site in ledger["sites"]:
        if site["door"] in ("malloc", "malloc|realloc"):
            equal(site["func"], live_site_of(report, site["func"]), (
                site["objects"], site["free_objects"], site["objects"] - site["free_objects"], site["live_bytes"]))


def cmd_live_fork(report_path, ledger_path, n, parent, child):
    """What the child gives back of what it inherited is a free of nobody's; the parent's blocks are all there."""
    report, n = load(report_path), int(n)
    inherited, own = load_ledger(ledger_path)["sites"]
    no_losses(report, ("free_before_attach", "late_attach"))
    equal("free_before_attach", report["losses"]["free_before_attach"], n)
    live_totals(report)
    equal("site_inherited of the parent", live_site_of(report, "site_inherited", int(parent)), (n, 0, n, inherited["live_bytes"]))
    equal("site_inherited of the child", live_site_of(report, "site_inherited", int(child)), (0, 0, 0, 0))
    equal("site_child", live_site_of(report, "site_child", int(child)), (
        own["objects"], own["free_objects"], own["objects"] - own["free_objects"], own["live_bytes"]))


def cmd_live_full(report_path, ledger_path, most):
    """More blocks than the table takes: what it did not is a loss, and explains all that is missing."""
    report, ledger, most = load(report_path), load_ledger(ledger_path), int(most)
    totals, losses = report["totals"]["malloc"], report["losses"]
    lost, lost_bytes = losses["block_table_full"], losses["block_table_full_bytes"]
    no_losses(report, ("block_table_full", "block_table_full_bytes", "free_before_attach"))
    equal("events", losses["events"], lost)
    within("block_table_full", lost, 1, totals["alloc_objects"])
    within("live_objects", totals["live_objects"], 1, most)
    equal("blocks that are followed", report["blocks"]["followed"], totals["live_objects"])
    for unit, missing in (("objects", lost), ("bytes", lost_bytes)):
        equal("given back, live, and lost " + unit, totals["free_" + unit] + totals["live_" + unit] + missing, totals["alloc_" + unit])
    for key, truth in (("alloc_objects", "objects"), ("alloc_bytes", "requested_bytes")):
        equal(key, totals[key], sum(s[truth] for s in ledger["sites"]))
    frees = sum(s["free_objects"] for s in ledger["sites"])
    equal("frees, of blocks that are known and that are not", totals["free_objects"] + losses["free_before_attach"], frees)
    note("%d objects: %d given back, %d live, %d lost" % (totals["alloc_objects"], totals["free_objects"], totals["live_objects"], lost))


def load_lines(path):
    """The documents that are complete."""
    with open(path) as f:
        return [json.loads(line) for line in f if line.endswith("\n")]


def cmd_live_older_seen(path, func, n):
    """By now the objects of @func are old enough."""
    reports = load_lines(path)
    equal("live objects of " + func, reports and live_site_of(reports[-1], func)[2], int(n))


def cmd_live_older(path, ledger_path, older, n):
    reports, ledger = load_lines(path), load_ledger(ledger_path)
    older, n = float(older), int(n)
    with open(ledger_path) as f:
        young_s = json.loads(f.readline())["young_s"]
    for report in reports:
        for row in stacks(report, "malloc"):
            if row["live_objects"]:
                within("oldest", row["oldest_s"], older, 1e9)
                within("median", row["median_age_s"], older, row["oldest_s"])
    counted = {f: sum(live_site_of(r, f)[0] for r in reports) for f in ("site_old", "site_young")}
    equal("allocated", counted, {"site_old": n, "site_young": n})
    equal("live of site_old", live_site_of(reports[-1], "site_old")[2:], (n, 64 * n))
    equal("of those in the table", reports[-1]["blocks"]["followed"], 2 * n)
    if young_s < older:
        equal("live of site_young", live_site_of(reports[-1], "site_young")[2:], (0, 0))
    note("the young ones are %.1f s old" % young_s)


def cmd_live_threads(pid, path):
    """Whoever has a place in the table of threads (bpftool's dump of it) is a thread that is there."""
    tids = {int(t) for t in os.listdir("/proc/%s/task" % pid)}
    kept = {e["formatted"]["key"] for e in load(path)}
    equal("threads that have ended", sorted(kept - tids), [])
    within("threads", len(kept), 1, len(tids))


def cmd_live_new(report_path, n):
    """tests/targets/c/throw.cc: three kinds of operator new, all given back; those that threw are none."""
    report, n = load(report_path), int(n)
    no_losses(report, NOT_LOST + CUT)
    reconcile(report)
    live_totals(report)
    # The caller of libstdc++'s aligned operator new, whose code uses the frame pointer's register, is not known.
    rows = [s for s in stacks(report, "malloc") if any("align_val_t" in f or f.startswith("site_new(") for f in funcs(s))]
    equal("objects of site_new", sum(s["alloc_objects"] for s in rows), 3 * n)
    equal("bytes of site_new", sum(s["alloc_bytes"] for s in rows), 3 * sum(64 + i % 50 * 64 for i in range(n)))
    equal("given back of site_new", sum(s["free_objects"] for s in rows), 3 * n)


def cmd_live_valgrind(report_path, log_path, *flags):
    """idents: python's numbers of 30 bits and more take a digit, of 4 bytes, more. The identity of a thread is the
    address of its record, which lies below 2^30 where valgrind maps it and above where the kernel does.
    """
    log = open(log_path).read().replace(",", "")
    allocs, frees, size = map(int, re.search(r"total heap usage: (\d+) allocs (\d+) frees (\d+) bytes", log).groups())
    left_bytes, left = map(int, re.search(r"in use at exit: (\d+) bytes in (\d+) blocks", log).groups())
    report = load(report_path)
    no_losses(report, NOT_LOST + CUT + ("stack_truncated",))
    reconcile(report)
    live_totals(report)
    totals = report["totals"]["malloc"]
    equal("objects", totals["alloc_objects"], allocs)
    equal("frees", totals["free_objects"], frees)
    equal("objects in use at exit", totals["live_objects"], left)
    equal("bytes in use at exit", totals["live_bytes"], left_bytes)
    idents = 0
    if "idents" in flags:
        idents = sum(s["alloc_objects"] for s in stacks(report, "malloc") if "thread_get_ident" in funcs(s))
        within("calls of thread_get_ident", idents, 1, 1000)
    equal("bytes", totals["alloc_bytes"], size + 4 * idents)
    note("%d allocs, %d frees, %d bytes (%+d), %d in use at exit" % (
        allocs, frees, size, totals["alloc_bytes"] - size, left_bytes))


def cmd_heaptrack(report_path, folded_path, *names):
    """Leaked bytes of each function, by heaptrack's flame graph of leaks."""
    want = collections.Counter()
    for line in open(folded_path):
        stack, _, value = line.rstrip().rpartition(" ")
        name = next((n for n in names if re.search(r"\b%s\b" % n, stack)), None)
        want[name] += int(value)
    got = collections.Counter()
    for s in stacks(load(report_path), "malloc"):
        name = next((n for n in names if any(f.startswith(n) for f in funcs(s))), None)
        got[name] += s["live_bytes"]
    for name in names:
        equal("leaked by " + name, got[name], want[name])
    # libstdc++ keeps a pool for exceptions that find no memory; heaptrack leaves it out.
    pool = sum(s["live_bytes"] for s in stacks(load(report_path), "malloc") if s["live_bytes"] == 72704 and s["live_objects"] == 1)
    equal("leaked in all", sum(got.values()) - pool, sum(want.values()))
    note(", ".join("%s %d" % (n, got[n]) for n in names))


def incomplete(report, source="malloc"):
    return sum(s["alloc_objects"] for s in stacks(report, source) if s.get("incomplete"))


def cmd_whole(report_path, *but):
    """Every stack is whole, but for @but: names of losses."""
    report = load(report_path)
    no_losses(report, but)
    reconcile(report)
    objects, cut = report["totals"]["malloc"]["alloc_objects"], incomplete(report)
    if not objects:
        fail("no objects")
    if not but:
        equal("objects whose stack is not whole", cut, 0)
        for s in stacks(report, "malloc"):
            if len(s["frames"]) < 3:
                fail("a stack of %s" % funcs(s))
    elif cut and not any(report["losses"].get(k) for k in but):
        fail("%d objects have a stack that is not whole, and no loss says why" % cut)
    note("%d objects, %d of them with a stack that is not whole" % (objects, cut))


def cmd_top(report_path, source, *path):
    """Every stack of path[0] goes on so."""
    for s in stacks(load(report_path), source):
        names = [n for n in funcs(s) if n not in DOORS]
        if path[0] in names:
            names = names[names.index(path[0]):]
            equal("stack of " + path[0], names[:len(path)], list(path))


def path_is(names, path):
    """Does the stack begin with the path? "*": any frames; "": the end; "!": it ends here, though there is more."""
    if not path:
        return True
    if path[0] in ("", "!"):
        return not names
    if path[0] == "*":
        return any(path_is(names[i:], path[1:]) for i in range(len(names) + 1))
    return names[:1] == path[:1] and path_is(names[1:], path[1:])


def cmd_sites(report_path, ledger_path, *flags):
    """Each path of the ledger (the innermost function first) has the objects that the program says, each in a whole
    stack. flags: "cut": stacks may end early, and then say so; "wild": they may be anything; "together": only the sum
    of all paths is right. Others are names of losses that are allowed.
    """
    report, ledger = load(report_path), load_ledger(ledger_path)
    no_losses(report, flags)
    reconcile(report)
    found = collections.Counter()
    cut = 0
    for s in stacks(report, "malloc"):
        names = [n for n in funcs(s) if n not in DOORS]
        path = next((p["funcs"] for p in ledger["paths"] if p["funcs"][:1] == names[:1]), None)
        if not path:
            continue
        found[path[0]] += s["alloc_objects"]
        cut += s["alloc_objects"] if s.get("incomplete") else 0
        if "wild" in flags or ("cut" in flags and s.get("incomplete")):
            continue
        if not path_is(names, path) or bool(s.get("incomplete")) != (path[-1] == "!"):
            fail("%s (incomplete: %s), want %s" % (names, s.get("incomplete"), path))
    if "together" in flags:
        # Those whose library was gone before anybody looked have no name, and say so.
        missing = sum(p["objects"] for p in ledger["paths"]) - sum(found.values())
        within("objects without their function's name", missing, 0, incomplete(report))
    for site in ledger["paths"] if "together" not in flags else ():
        equal("objects of " + site["funcs"][0], found[site["funcs"][0]], site["objects"])
    note("%d objects in %d paths, %d with a stack that is cut" % (sum(found.values()), len(ledger["paths"]), cut))


def cmd_c(report_path, ledger_path, *flags):
    """flags: "total": nothing but the sites allocates; "roots": each stack reaches a thread's start
    (the site's own code has frame pointers). Without "roots" a stack may end where
    a frame pointer should be and is not.
    """
    report, ledger = load(report_path), load_ledger(ledger_path)
    no_losses(report, () if "roots" in flags else cut_in(report))
    reconcile(report)
    names = {s["func"] for s in ledger["sites"]}
    callers = {alias: s["func"] for s in ledger["sites"] for alias in THROUGH.get(s["door"], ())}
    sums, found = by_site(report, "malloc", names, callers)
    for site in ledger["sites"]:
        got = sums[site["func"]]
        equal(site["func"] + " objects", got["alloc_objects"], site["objects"])
        equal(site["func"] + " requested_bytes", got["requested_bytes"], site["requested_bytes"])
        for s in found[site["func"]]:
            c_caller(s, site)
            if "roots" in flags and site["door"] not in THROUGH and not {"main", "work", "_start"} & set(funcs(s)):
                fail("%s: the stack ends early: %s" % (site["func"], funcs(s)))
    objects = sum(s["objects"] for s in ledger["sites"])
    requested = sum(s["requested_bytes"] for s in ledger["sites"])
    totals = report["totals"]["malloc"]
    if "total" in flags:
        equal("total objects", totals["alloc_objects"], objects)
        equal("total requested_bytes", totals["requested_bytes"], requested)
        if totals.get("free_objects") is not None:
            equal("freed objects", totals["free_objects"], sum(s["free_objects"] for s in ledger["sites"]))
    note("%d objects, %d bytes, %d stacks" % (objects, requested, sum(len(found[n]) for n in names)))


# --- RSS --------------------------------------------------------------------

def cmd_rss(report_path, ledger_path, slack_pages="16"):
    report, ledger = load(report_path), load_ledger(ledger_path)
    slack = int(slack_pages) * ledger["page"]
    rss = report["rss"]
    truth = ledger["rss_end"] - ledger["rss_start"]
    grown = rss["end_bytes"] - rss["start_bytes"]
    within("growth of RSS", grown, truth - slack, truth + slack)
    equal("start + grown - released + unexplained",
          rss["start_bytes"] + rss["grown_bytes"] - rss["released_bytes"] + rss["unexplained_bytes"], rss["end_bytes"])
    within("unexplained_bytes", rss["unexplained_bytes"], -slack, slack)
    got = collections.Counter()
    for s in stacks(report, "rss"):
        name = next((f for f in funcs(s) if f in ledger["funcs"]), None)
        got[name] += s["rss_bytes"]
    for name, want in ledger["funcs"].items():
        within("rss_bytes of " + name, got[name], want - slack, want + slack)
    note("RSS grew by %d, /proc says %d; %s" % (grown, truth, ", ".join(
        "%s %+d of %+d pages" % (n, got[n] // ledger["page"], w // ledger["page"]) for n, w in ledger["funcs"].items())))


KINDS = ("anon", "file", "shmem", "swap")


def bound(balance):
    """What may be unexplained: 1 % of the bytes moved, and not less than 512 KiB."""
    return max((balance["grown_bytes"] + balance["released_bytes"]) // 100, 512 << 10)


def balanced(what, balance):
    equal(what + ": start + grown - released + unexplained", balance["start_bytes"] + balance["grown_bytes"] -
          balance["released_bytes"] + balance["unexplained_bytes"], balance["end_bytes"])
    within(what + " unexplained", balance["unexplained_bytes"], -bound(balance), bound(balance))


def rss_balanced(report):
    """The ledger adds up, in all and by kind, and its rows are its totals."""
    rss = report["rss"]
    rows = stacks(report, "rss")
    balanced("RSS", rss)
    for kind in KINDS:
        balanced(kind, rss["kinds"][kind])
    for key in ("start_bytes", "end_bytes", "grown_bytes", "released_bytes", "others_grown_bytes", "others_released_bytes",
                "unexplained_bytes"):
        equal("sum of %s over the kinds" % key, sum(rss["kinds"][k][key] for k in KINDS if k != "swap"), rss[key])
    for key in ("grown_bytes", "released_bytes"):
        equal("sum of %s over the rows" % key, sum(s["rss_" + key] for s in rows), rss[key])
    swap = rss["kinds"]["swap"]
    equal("swap of the rows", sum(s["rss_swap_bytes"] for s in rows), swap["grown_bytes"] - swap["released_bytes"])
    for key in ("grown_bytes", "released_bytes"):
        equal("sum of %s over the areas" % key, sum(a[key] for a in rss["areas"].values()), rss[key])
    for s in rows:
        equal("rss_bytes of a row", s["rss_bytes"], s["rss_grown_bytes"] - s["rss_released_bytes"])
    return rss


def cmd_faults(report_path, ledger_path, *names):
    """Without the kernel's counters: the faults of the functions that touch each page once; the rest is told as unexplained."""
    report, ledger = load(report_path), load_ledger(ledger_path)
    rss, rows = report["rss"], stacks(report, "rss")
    no_losses(report, CUT)
    equal("method", rss["method"], "page_faults")
    for part in [rss] + list(rss["kinds"].values()) + list(rss["areas"].values()) + rows:
        for key in ("released_bytes", "others_grown_bytes", "others_released_bytes", "rss_released_bytes", "rss_trend"):
            equal(key, part.get(key), None)
    equal("start, what faults grew, and the rest", rss["start_bytes"] + rss["grown_bytes"] + rss["unexplained_bytes"],
          rss["end_bytes"])
    equal("sum over the rows", sum(s["rss_grown_bytes"] for s in rows), rss["grown_bytes"])
    for name in names:
        want = ledger["funcs"][name]["grown"]
        got = sum(s["rss_grown_bytes"] for s in rows if name in funcs(s))
        within("faults of %s" % name, got, want - 8 * ledger["page"], want + 8 * ledger["page"])
    within("end against smaps_rollup by the program itself", rss["end_bytes"], ledger["rss_end"] - (512 << 10),
           ledger["rss_end"] + (512 << 10))
    note("%d KiB by faults, %d unexplained" % (rss["grown_bytes"] >> 10, rss["unexplained_bytes"] >> 10))


def cmd_ledger(report_path, ledger_path, slack_pages="8", *flags):
    """What each function added and gave back. flags: "more": others do so, too"""
    report, ledger = load(report_path), load_ledger(ledger_path)
    no_losses(report, CUT)
    rss = rss_balanced(report)
    got = collections.defaultdict(collections.Counter)
    for s in stacks(report, "rss"):
        name = next((f for f in funcs(s) if f in ledger["funcs"]), None)
        got[name].update(grown=s["rss_grown_bytes"], released=s["rss_released_bytes"])
    slack = int(slack_pages) * ledger["page"]
    for name, want in ledger["funcs"].items():
        for key in ("grown", "released"):
            within("%s of %s" % (key, name), got[name][key], want[key] - slack, want[key] + slack)
    if "more" not in flags:
        others = 64 * ledger["page"] + slack
        within("what no function of the ledger moved", got[None]["grown"] + got[None]["released"], 0, others)
    within("end against smaps_rollup by the program itself", rss["end_bytes"], ledger["rss_end"] - bound(rss),
           ledger["rss_end"] + bound(rss))
    worst = max([abs(got[n][k] - w[k]) for n, w in ledger["funcs"].items() for k in w] or [0])
    note("%d KiB grown, %d released, %d unexplained; no function off by more than %d pages" % (
        rss["grown_bytes"] >> 10, rss["released_bytes"] >> 10, rss["unexplained_bytes"] >> 10, worst // ledger["page"]))


def cmd_rss_caller(report_path, func, inner):
    """All frames inside of func are such functions, and there is one, but for a page or two of its own."""
    inside, bare = 0, 0
    for s in stacks(load(report_path), "rss"):
        names = funcs(s)
        if func not in names:
            continue
        leaves = names[:names.index(func)]
        if leaves and all(re.fullmatch(inner, f) for f in leaves):
            inside += s["rss_grown_bytes"]
        else:
            bare += s["rss_grown_bytes"]
    within("bytes of %s without %s" % (func, inner), bare, 0, inside // 100)
    if not inside:
        fail("%s has no stack with %s" % (func, inner))


def cmd_rss_area(report_path, *wants):
    """wants: FUNC=AREA+AREA: nearly all that the function moved is of these kinds (type), some of each."""
    rows = stacks(load(report_path), "rss")
    for want in wants:
        func, areas = want.split("=")
        areas = areas.split("+")
        sums = collections.Counter()
        for s in rows:
            if func in funcs(s):
                sums[s["type"]] += s["rss_grown_bytes"] + (s["rss_released_bytes"] or 0)
        if not all(sums[a] for a in areas) or sum(sums[a] for a in areas) < 0.99 * sum(sums.values()):
            fail("what %s moved is %s, want %s" % (func, dict(sums), areas))


def cmd_rss_swap(report_path, ledger_path, who, back, slack_pages):
    """Pages went to swap by WHO (a regular expression of rows), and came back by the function BACK: as many as /proc told."""
    report, ledger = load(report_path), load_ledger(ledger_path)
    rss, slack, want = rss_balanced(report), int(slack_pages) * ledger["page"], ledger["swapped"]
    swap = rss["kinds"]["swap"]
    if want < 1000 * ledger["page"]:
        fail("only %d bytes went to swap" % want)
    within("bytes to swap", swap["grown_bytes"], want - slack, want + slack + want // 100)
    within("bytes back", swap["released_bytes"], want - slack, want + slack + want // 100)
    got = collections.defaultdict(collections.Counter)
    for s in stacks(report, "rss"):
        name = "who" if re.search(who, funcs(s)[0]) else back if back in funcs(s) else None
        got[name].update(released=s["rss_released_bytes"], grown=s["rss_grown_bytes"], swap=s["rss_swap_bytes"])
    within("to swap by " + who, got["who"]["swap"], 0.9 * want - slack, want + slack + want // 100)
    within("released by " + who, got["who"]["released"], 0.9 * want - slack, rss["released_bytes"])
    within("grown of " + back, got[back]["grown"], want - slack - want // 100, want + slack)
    within("swap of " + back, got[back]["swap"], -want - slack, slack + want // 100 - want)
    note("%d KiB to swap, %d back, /proc says %d; unexplained: %s" % (
        swap["grown_bytes"] >> 10, swap["released_bytes"] >> 10, want >> 10,
        ", ".join("%s %d KiB" % (k, rss["kinds"][k]["unexplained_bytes"] >> 10) for k in KINDS)))


def cmd_rss_kind(report_path, kind, want, slack):
    """How many bytes of a kind came."""
    within(kind + " grown", load(report_path)["rss"]["kinds"][kind]["grown_bytes"], int(want) - int(slack), int(want) + int(slack))


def cmd_rss_own_swap(report_path, ledger_path, func, back, slack_pages):
    """As many pages as /proc told went to swap while the process itself was in FUNC, and came back in BACK."""
    report, ledger = load(report_path), load_ledger(ledger_path)
    rss, slack, want = rss_balanced(report), int(slack_pages) * ledger["page"], ledger["swapped"]
    got = collections.defaultdict(collections.Counter)
    for s in stacks(report, "rss"):
        name = next((f for f in funcs(s) if f in (func, back)), None)
        got[name].update(released=s["rss_released_bytes"], grown=s["rss_grown_bytes"], swap=s["rss_swap_bytes"])
    if want < 1000 * ledger["page"]:
        fail("only %d bytes went to swap" % want)
    within("grown of " + func, got[func]["grown"], ledger["funcs"][func]["grown"] - slack, ledger["funcs"][func]["grown"] + slack)
    within("swap of " + func, got[func]["swap"], want * 0.99 - slack, want * 1.01 + slack)
    within("released of " + func, got[func]["released"], want * 0.99 - slack, rss["released_bytes"])
    within("swap of " + back, got[back]["swap"], -want * 1.01 - slack, slack - want * 0.99)
    note("%d KiB to swap in %s, %d back in %s, /proc says %d" % (
        got[func]["swap"] >> 10, func, -got[back]["swap"] >> 10, back, want >> 10))


def cmd_hugetlb(report_path, ledger_path, want):
    """Memory of hugetlbfs is told, and in no RSS."""
    report, ledger = load(report_path), load_ledger(ledger_path)
    rss = rss_balanced(report)
    equal("hugetlb_bytes", rss["hugetlb_bytes"], int(want))
    within("RSS grown", rss["grown_bytes"], 0, 512 << 10)
    within("end against smaps_rollup by the program itself", rss["end_bytes"], ledger["rss_end"] - bound(rss),
           ledger["rss_end"] + bound(rss))


def cmd_rss_balance(report_path, *rollup_paths):
    """Of any program; rollup_paths: its smaps_rollup before the end and after it."""
    report = load(report_path)
    rss = rss_balanced(report)
    ends = []
    for path in rollup_paths:
        with open(path) as f:
            ends.append(next(int(line.split()[1]) << 10 for line in f if line.startswith("Rss:")))
    if ends:
        within("end against smaps_rollup", rss["end_bytes"], min(ends) - bound(rss), max(ends) + bound(rss))
    note("%d KiB grown, %d released, %d unexplained, %d stacks" % (
        rss["grown_bytes"] >> 10, rss["released_bytes"] >> 10, rss["unexplained_bytes"] >> 10, len(stacks(report, "rss"))))


def cmd_rss_row(report_path, func, grown_from, grown_to, released_from, released_to):
    """What the rows with that function (a regular expression) added and gave back, in bytes."""
    rows = [s for s in stacks(load(report_path), "rss") if any(re.search(func, f) for f in funcs(s))]
    grown, released = sum(s["rss_grown_bytes"] for s in rows), sum(s["rss_released_bytes"] for s in rows)
    within("grown by " + func, grown, int(grown_from), int(grown_to))
    within("released by " + func, released, int(released_from), int(released_to))
    note("%s: %d KiB grown, %d released" % (func, grown >> 10, released >> 10))


def touched_pairs(report, names):
    """Bytes that became resident, by the functions of that name that touched the memory and had asked for it."""
    pairs = collections.Counter()
    for s in stacks(report, "rss"):
        if funcs(s)[:1] and funcs(s)[0].startswith("[uprobes"):
            continue  # where the kernel steps over probed instructions
        equal("parts of %s" % funcs(s)[:3], sum(p["bytes"] for p in s["allocated_by"]) + s["allocation_unseen_bytes"],
              s["rss_grown_bytes"])
        touched = next((f for f in funcs(s) if re.match(names, f)), "")
        for part in s["allocated_by"]:
            pairs[touched, next((f for f in funcs(part) if re.match(names, f)), ""), part["source"]] += part["bytes"]
        pairs[touched, "", None] += s["allocation_unseen_bytes"]
    return pairs


def cmd_touched(report_path, ledger_path, slack_pages, *by):
    """by: the sources by which a pair may be known, FUNC_THAT_ASKED=SOURCE; the others by malloc."""
    report, ledger = load(report_path), load_ledger(ledger_path)
    slack = int(slack_pages) * ledger["page"]
    sources = dict(b.split("=") for b in by)
    want, pairs = collections.Counter(), touched_pairs(report, "(touch|ask)_")
    for pair in ledger["pairs"]:
        asked = pair["asked"]
        want[pair["touched"], asked, sources.get(asked, "malloc") if asked else None] += pair["bytes"]
    no_losses(report, NOT_LOST + CUT)
    for key, n in sorted(want.items(), key=str):
        within("%s of memory of %s, by %s" % key, pairs[key], n - slack, n + slack)
    for (touched, asked, source), n in sorted(pairs.items(), key=str):
        # The allocator touches what it hands out, too, for whoever asks.
        if (touched, asked, source) not in want and not (touched == asked and source == "malloc"):
            within("%s of memory of %s, by %s" % (touched, asked, source), n, 0, slack if touched else 1 << 20)
    note("%d pairs, %d KiB" % (len(want), sum(want.values()) >> 10))


def cmd_touched_by(report_path, touched, asked, least_pct):
    """Of what rows with a function that matches touched made resident, so much was asked for by one that matches asked."""
    rows = [s for s in stacks(load(report_path), "rss") if any(re.search(touched, f) for f in funcs(s))]
    grown = sum(s["rss_grown_bytes"] for s in rows)
    found = sum(p["bytes"] for s in rows for p in s["allocated_by"] if any(re.search(asked, f) for f in funcs(p)))
    within("%% of %s that is of %s" % (touched, asked), 100 * found / (grown or 1), float(least_pct), 100)
    note("%s: %d KiB, %d of it of %s" % (touched, grown >> 10, found >> 10, asked))


def cmd_touched_go(report_path, fills, least_pct):
    """Go's heap that came inside of a function that matches fills was asked for by the same stack, from there on."""
    report, grown, found = load(report_path), 0, 0
    for s in stacks(report, "rss"):
        inside = [i for i, f in enumerate(funcs(s)) if re.fullmatch(fills, f)]
        equal("parts of %s" % funcs(s)[:3], sum(p["bytes"] for p in s["allocated_by"]) + s["allocation_unseen_bytes"],
              s["rss_grown_bytes"])
        for part in s["allocated_by"]:
            if part["source"] == "go" and inside:
                equal("who asked", funcs(part), funcs(s)[len(s["frames"]) - len(part["frames"]):])
                equal("frames left out", len(part["frames"]), len(s["frames"]) - inside[-1])
        if inside and s["type"] == "Go heap":
            grown += s["rss_grown_bytes"]
            found += sum(p["bytes"] for p in s["allocated_by"] if p["source"] == "go")
    within("KiB that were touched inside", grown >> 10, 1024, 1 << 30)
    within("% of them by the same stack", 100 * found / (grown or 1), float(least_pct), 100)
    note("%d KiB inside, %d by the same stack" % (grown >> 10, found >> 10))


def took_span(part):
    return part["source"] == "go" and funcs(part)[:1] == ["runtime.(*mheap).setSpans"]


def cmd_touched_spans(report_path, ledger_path, shape):
    """tests/targets/go/spans: what its own page table has of it."""
    report, ledger = load(report_path), load_ledger(ledger_path)
    areas = {a: moved["grown_bytes"] for a, moved in report["rss"]["areas"].items()}
    stacks_bytes, heap = areas.get("goroutine stacks", 0), areas.get("Go heap", 0)
    no_losses(report, NOT_LOST + CUT)
    if shape == "stacks":
        # What the runtime's collector works with lies in the arena, too; the collector is off.
        # It looks before it is done: some pages come while it looks, and behind that.
        within("pages of the arena", stacks_bytes + heap, ledger["arena"] - (256 << 10), ledger["arena"] + (256 << 10))
        within("of stacks", stacks_bytes, 16 << 20, ledger["stacks"])
        within("of the heap", heap, 0, 1 << 20)
        note("stacks in use %d, resident %d" % (ledger["stacks"], stacks_bytes))
        return
    asked, got = {"large": "main.askLarge", "small": "main.askSmall"}[shape], collections.Counter()
    for s in stacks(report, "rss"):
        for part in s["allocated_by"] if "main.touchAll" in funcs(s) else []:
            got[asked in funcs(part), took_span(part)] += part["bytes"]
    within("touched", ledger["touched"], 1 << 20, 1 << 30)
    equal("of memory of " + asked, dict(got), {(True, shape == "small"): ledger["touched"]})
    within("of stacks", stacks_bytes, 0, 128 << 10)
    note("%d bytes" % ledger["touched"])


def cmd_rss_peak(report_path, out_path):
    """tests/targets/c/peak.c: its RSS at the height, and a snapshot near it in which site_high has what it touched."""
    report = load(report_path)
    truth, highest = (int(kb) * 1024 for kb in re.findall(r"(?:Rss|VmHWM):\s+(\d+) kB", open(out_path).read()))
    peak, rows = report["rss_peak"], stacks(report, "rss")
    within("the highest RSS", peak["high_bytes"], truth, truth + 4 * 4096)
    # The kernel reads its counters for VmHWM without the CPUs' parts, each of up to 32 pages or twice the CPUs.
    slack = 3 * os.cpu_count() * max(32, 2 * os.cpu_count()) * 4096
    within("the highest RSS by VmHWM", peak["high_bytes"], highest - slack, highest + slack)
    within("snapshot", peak["rss_bytes"], peak["high_bytes"] * 0.8, peak["high_bytes"])
    equal("sum of the stacks at the peak", report["rss"]["start_bytes"] + sum(s["peak_rss_bytes"] for s in rows), peak["rss_bytes"])
    at = {n: sum(s["peak_rss_bytes"] for s in rows if n in funcs(s)) for n in ("site_warm", "site_low", "site_high", "site_late")}
    # 5.1 MB in all, some of it where site_warm had been, and libc's code. The snapshot may have missed a part.
    missed, page = peak["high_bytes"] - peak["rss_bytes"], 4096
    within("site_high at the peak", at["site_high"], 5000000 - missed - 48 * page, 5000000 + 48 * page)
    within("all sites at the peak", sum(at.values()), 5100000 - missed - 16 * page, 5100000 + 96 * page)
    equal("site_late at the peak", at["site_late"], 0)
    note("RSS %d, by the ledger %+d, by VmHWM %+d; %.1f %% of it in the best of %d snapshots" % (
        truth, peak["high_bytes"] - truth, highest - truth, 100 * peak["rss_bytes"] / peak["high_bytes"], peak["snapshots"]))


# --- formats ----------------------------------------------------------------

MMAP_KEYS = ("alloc_objects", "alloc_bytes", "requested_bytes", "live_objects", "live_bytes")
# The functions that make the system calls, as symbols name them.
MMAP_DOORS = re.compile(r"(__)?(mmap|mmap64|mremap|brk|syscall)$")


def mmap_reconcile(report):
    """What was mapped is there or was given back, in each stack and in all; the sums over the stacks are the totals."""
    totals = report["totals"]["mmap"]
    rows = stacks(report, "mmap")
    for key in MMAP_KEYS + ("free_objects", "free_bytes"):
        equal("sum of %s over the stacks" % key, sum(s[key] for s in rows), totals[key])
    for s in rows + [totals]:
        equal("what is left of it", (s["live_objects"], s["live_bytes"]),
              (s["alloc_objects"] - s["free_objects"], s["alloc_bytes"] - s["free_bytes"]))
    cost = report["overhead"]
    if cost["hits"] < totals["alloc_objects"] or (cost["hits"] > 1000 and not cost["bpf_ns"]): # one in 64 is timed
        fail("the overhead is %s" % report["overhead"])


def mmap_size(report, grown, besides=0):
    """The address space grew by what was mapped since the attach and is there, less what was there before and is not."""
    totals = report["totals"]["mmap"]
    within("growth of the address space", totals["live_bytes"] - totals["before_attach_unmapped_bytes"], grown - besides, grown)


def cmd_mmap(report_path, ledger_path, *flags):
    """uprobes: the kernel may have mapped a page of its own for them."""
    report, ledger = load(report_path), load_ledger(ledger_path)
    sums = collections.defaultdict(collections.Counter)
    kinds = collections.defaultdict(set)
    for stack in stacks(report, "mmap"):
        names = funcs(stack)
        site = next((f for f in names if f in ledger["sites"]), None)
        for key in MMAP_KEYS:
            sums[site][key] += stack[key]
        kinds[site].add(stack["type"])
        outside = next((f for f in names if not MMAP_DOORS.match(f)), None)
        if site and (not MMAP_DOORS.match(names[0]) or outside != site):
            fail("%s is not the caller in %s" % (site, names))
    for site, want in ledger["sites"].items():
        for key in MMAP_KEYS:
            equal("%s of %s" % (key, site), sums[site][key], want[key])
    for site, kind in (("map_kept", "anonymous"), ("map_file_part", "file"), ("map_stack_like", "stack"), ("grow_brk", "brk"),
                       ("grow_moved", "anonymous")):
        equal("type of %s" % site, kinds[site], {kind})
    mmap_reconcile(report)
    mmap_size(report, ledger["size_end"] - ledger["size_start"], 4096 if "uprobes" in flags else 0)
    no_losses(report)
    note("%d sites, %d calls, %d bytes mapped, %d there, as the program and VmSize say" % (
        len(ledger["sites"]), report["totals"]["mmap"]["alloc_objects"], report["totals"]["mmap"]["alloc_bytes"],
        report["totals"]["mmap"]["live_bytes"]))


def cmd_mmap_size(report_path, start, end, *frames):
    report = load(report_path)
    mmap_reconcile(report)
    mmap_size(report, int(end) - int(start))
    for func in frames:
        if not any(func in funcs(s) for s in stacks(report, "mmap")):
            fail("no stack has %s" % func)
    note("%d bytes there, as VmSize says" % report["totals"]["mmap"]["live_bytes"])


def cmd_mmap_only_not(report_path, ledger_path, other):
    """With -t: the sites of the thread as in the ledger, none of another thread."""
    report, ledger = load(report_path), load_ledger(ledger_path)
    for site, want in ledger["sites"].items():
        rows = [s for s in stacks(report, "mmap") if site in funcs(s)]
        for key in MMAP_KEYS:
            equal("%s of %s" % (key, site), sum(s[key] for s in rows), 0 if site == other else want[key])


def cmd_mmap_sizes(report_path, size):
    rows = stacks(load(report_path), "mmap")
    if not rows:
        fail("nothing of %s bytes" % size)
    for s in rows:
        equal("bytes a mapping", s["requested_bytes"], s["alloc_objects"] * int(size))


def cmd_mmap_children(report_path, comm):
    """The command and its child have both become comm; each has its own address space."""
    report = load(report_path)
    pids = [t["pid"] for t in report["target"] if t["comm"] == comm]
    equal("number of processes", len(pids), 2)
    mapped = [sum(s["alloc_bytes"] for s in stacks(report, "mmap") if s["pid"] == p) for p in pids]
    if min(mapped) < 1 << 20:
        fail("they mapped %s bytes" % mapped)
    mmap_reconcile(report)
    equal("late_attach", report["losses"]["late_attach"], 1)
    equal("not_followed", report["losses"]["not_followed"], 0)


def strace_calls(path, pid):
    """(name, args, result) of the successful calls of a process after its exec."""
    calls, begun = [], None
    with open(path) as f:
        for line in f:
            m = re.match(r"(\d+) +(.*)", line)
            if not m or int(m.group(1)) != pid:
                continue
            text = m.group(2)
            if text.endswith("<unfinished ...>"):
                begun = text[:-len("<unfinished ...>")].rstrip()
                continue
            resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", text)
            text = begun + resumed.group(1) if resumed else text
            m = re.match(r"(\w+)\((.*)\) += (-?\w+)", text)
            if m and m.group(1) == "execve" and m.group(3) == "0":
                calls = []
            elif m and not m.group(3).startswith("-"):
                calls.append((m.group(1), m.group(2).split(", "), int(m.group(3), 0)))
    return calls


def cmd_mmap_strace(report_path, log_path):
    """strace saw the same run: page by page, whose are they at the end?"""
    report = load(report_path)
    pid = report["target"][0]["pid"]
    page, owner, live, end = 4096, {}, collections.Counter(), None
    want = collections.Counter()

    def pages(addr, length):
        return range(addr // page, (addr + length + page - 1) // page)

    def put(addr, length, asked):
        want.update(alloc_objects=1, alloc_bytes=len(pages(addr, length)) * page, requested_bytes=asked)
        for p in pages(addr, length):
            owner[p] = want["alloc_objects"]

    for name, args, result in strace_calls(log_path, pid):
        if name == "mmap":
            put(result, int(args[1]), int(args[1]))
        elif name == "munmap":
            for p in pages(int(args[0], 0), int(args[1])):
                owner.pop(p, None)
        elif name == "mremap":
            old, old_len, new_len = int(args[0], 0), int(args[1]), int(args[2])
            moved = [owner.pop(p, None) for p in pages(old, old_len)]
            for p, who in zip(pages(result, new_len), moved):
                if who:
                    owner[p] = who
            if len(pages(result, new_len)) > len(moved):
                put(result + len(moved) * page, new_len - len(moved) * page, new_len - old_len)
        elif name == "brk":
            now = (result + page - 1) // page * page
            if end is not None and now > end:
                put(end, now - end, now - end)
            for p in range(now // page, (end or now) // page):
                owner.pop(p, None)
            end = now
    live.update(owner.values())
    want.update(live_objects=len(live), live_bytes=len(owner) * page)
    rows = [s for s in stacks(report, "mmap") if s["pid"] == pid]
    for key in MMAP_KEYS:
        equal(key, sum(s[key] for s in rows), want[key])
    mmap_reconcile(report)
    no_losses(report)
    if want["alloc_objects"] < 20:
        fail("strace has %d calls only" % want["alloc_objects"])
    note("%d calls, %d bytes mapped, %d there at the end, as strace says" % (
        want["alloc_objects"], want["alloc_bytes"], want["live_bytes"]))


def cmd_folded(folded_path, report_path, key="alloc_bytes"):
    """A strict reader of folded stacks, and their sum against the JSON totals of the same capture."""
    total = 0
    lines = open(folded_path, encoding="utf-8", newline="\n").read().split("\n")
    equal("text behind the last newline", lines.pop(), "")
    line_re = re.compile(r"^[^;\x00-\x1f\x7f]+(;[^;\x00-\x1f\x7f]+)* (-?[0-9]+)$")
    for i, line in enumerate(lines, 1):
        m = line_re.match(line)
        if not m:
            fail("%s:%d is not a folded stack: %r" % (folded_path, i, line[:200]))
            continue
        total += int(m.group(2))
    stacks_only = [line.rsplit(" ", 1)[0] for line in lines]
    equal("number of different stacks", len(set(stacks_only)), len(stacks_only))
    if lines != sorted(lines) and stacks_only != sorted(stacks_only) and \
            stacks_only != sorted(stacks_only, key=lambda s: s.encode()):
        fail("the stacks are not sorted")
    report = load(report_path)
    want = sum(s[key] for s in report["stacks"] if s[key] is not None)
    equal("sum of the folded values", total, want)
    comm = report["target"][0]["comm"]
    if not all(s.split(";")[0].startswith(comm) for s in stacks_only):
        fail("a stack does not start with the process, %s" % comm)
    note("%d folded stacks, %d %s" % (len(lines), total, key))


def cmd_speedscope(imported_path, report_path):
    """What speedscope's importer made of a file, against the JSON of the same capture: each profile, stack by stack."""
    imported, report = load(imported_path), load(report_path)
    keys = ["alloc_bytes", "alloc_objects"] + ["live_bytes", "live_objects"] * (report["blocks"] is not None) + \
        ["rss_bytes"] * (report["rss"]["method"] == "rss_stat")
    equal("profiles", [p["name"] for p in imported["profiles"]], keys)
    for profile, key in zip(imported["profiles"], keys):
        got, want = collections.Counter(), collections.Counter()
        for names, weight in profile["stacks"]:
            got[tuple(names)] += weight
        for s in report["stacks"]:
            if (s["source"] == "rss") == (key == "rss_bytes") and (s[key] or 0) > 0:
                want[tuple([report["target"][0]["comm"]] + (funcs(s)[::-1] or ["[lost stack]"]))] += s[key]
        equal(key, got, want)
        equal("unit of " + key, profile["unit"], "none" if "objects" in key else "bytes")
        note("%s: %d stacks, %d" % (key, len(got), profile["total"]))


def go_pprof(*args):
    """What `go tool pprof` prints."""
    env = dict(os.environ, PPROF_TMPDIR=".", HOME=os.environ.get("HOME", "."))
    return subprocess.run(("go", "tool", "pprof") + args, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True).stdout


def pprof_total(pb_path, index, *options):
    """The sum over all samples, in bytes or objects; what was printed if there is none."""
    out = go_pprof("-top", "-nodecount=10000", "-nodefraction=0", "-sample_index=" + index,
                   *(["-unit=B"] if index.endswith("_space") else []), *options, pb_path)
    m = re.search(r"accounting for ([0-9]+)B?, .* of [0-9]+B? total", out)
    return int(m.group(1)) if m else out[:300]


def cmd_pprof(pb_path, report_path):
    report = load(report_path)
    for index, key in (("alloc_space", "alloc_bytes"), ("alloc_objects", "alloc_objects")):
        equal(index + " total by go tool pprof", pprof_total(pb_path, index),
              sum(s[key] for s in report["stacks"] if s["source"] in ("go", "malloc")))
    raw = go_pprof("-raw", pb_path)
    for want in ("alloc_objects/count", "alloc_space/bytes", "Mappings"):
        if want not in raw:
            fail("go tool pprof -raw has no " + want)


def pprof_stacks(pb_path):
    """The stacks of a pprof file as tuples of addresses, innermost first."""
    locations, samples, part = {}, [], None
    for line in go_pprof("-raw", pb_path).splitlines():
        if line[:9] in ("Samples:", "Locations", "Mappings"):
            part = line[:9]
        elif part == "Samples:":
            m = re.match(r"\s*\d+[\s\d-]*: ([\d ]+)$", line)
            if m:
                samples.append(m.group(1).split())
        elif part == "Locations":
            m = re.match(r"\s*(\d+): 0x([0-9a-f]+) ", line)
            if m:
                locations[m.group(1)] = int(m.group(2), 16)
    return {tuple(locations[i] for i in sample) for sample in samples}


ALLOCATORS = r"/(libc\.so|libc-|libstdc\+\+|libjemalloc)"


class Code:
    """The code that a process has mapped."""

    def __init__(self, pid):
        self.maps = []
        with open("/proc/%s/maps" % pid) as maps:
            for line in maps:
                m = re.match(r"([0-9a-f]+)-([0-9a-f]+) ..x. \S+ \S+ \S+\s*(.*)", line)
                if m:
                    self.maps.append((int(m.group(1), 16), int(m.group(2), 16), m.group(3)))

    def file(self, pc):
        return next((path for a, b, path in self.maps if a <= pc < b), "")

    def callers(self, stack):
        """Without the allocator's own frames: of nested doors gdb stopped in the inner one, and the pprof file leaves them out."""
        n = 0
        while n < len(stack) and stack[n] and re.search(ALLOCATORS, self.file(stack[n])):
            n += 1
        return stack[n:]


def missing_stacks(name, gdb_path, pid):
    """gdb's stacks, how many of them end where generated code begins, those that are not ours, and ours."""
    code = Code(pid)
    ours = set()
    for path in glob.glob(name + ".*.pb.gz"):
        ours |= {code.callers(s) for s in pprof_stacks(path)}
    with open(gdb_path) as f:
        seen = [tuple(s) for s in json.load(f)]
    good = [code.callers(s) for s in seen if s]
    cut = [s for s in good if s[-1] is None]  # generated code begins there: as far as that ours are the same

    def is_ours(s):
        return any(o[:len(s) - 1] == s[:-1] for o in ours) if s[-1] is None else s in ours
    return good, len(cut), [s for s in good if not is_ours(s)], ours


def cmd_stacks_missing(name, gdb_path, pid):
    """Prints how many of gdb's stacks are not among ours yet."""
    print(len(missing_stacks(name, gdb_path, pid)[2]))


def cmd_native_stacks(name, gdb_path, pid):
    """
    What gdb saw is among ours, but for what a program does once in a while and did not again; and ours go to the
    thread's first frame.
    """
    good, cut, missing, ours = missing_stacks(name, gdb_path, pid)
    rare = len(good) // 50
    for stack in missing[rare:][:3]:
        best = max(ours, key=lambda o: sum(1 for a, b in zip(reversed(o), reversed(stack)) if a == b))
        fail("gdb's stack %s\n  is not ours; the nearest %s" % (" ".join(hex(a or 0) for a in stack), " ".join(map(hex, best))))
    if len(missing) > rare + 3:
        fail("and %d more" % (len(missing) - rare - 3))
    if len(good) < 50:
        fail("gdb has only %d stacks to compare" % len(good))
    rows = [s for path in glob.glob(name + ".*.json") for s in load(path)["stacks"]]
    for source, weight in (("malloc", "alloc_objects"), ("rss", None)):
        mine = [s for s in rows if s["source"] == source and s["frames"] and not s["frames"][0]["func"].startswith("[the kernel")]
        total = sum(s[weight] if weight else 1 for s in mine)
        whole = sum(s[weight] if weight else 1 for s in mine if s["incomplete"] is None)
        if source == "malloc" and (not total or whole < total * 0.995):
            fail("%d of %d allocations have their whole stack" % (whole, total))
        elif whole < total * 0.95:
            fail("%d of %d faulting stacks are whole" % (whole, total))
        for s in [s for s in mine if s["incomplete"]][:2]:
            note("%s %s: %s" % (source, s["incomplete"], " < ".join(f["func"] for f in s["frames"])))
        ends = {s["frames"][-1]["func"] for s in mine if s["incomplete"] is None}
        if len(ends) > 4:
            fail("stacks end in %s" % sorted(ends))
        note("%s: %d stacks, whole %.2f %%" % (source, len(mine), 100 * whole / max(total, 1)))
    note("%d of %d stacks as gdb's, %d different ones; %d of them up to generated code" %
         (len(good) - len(missing), len(good), len(set(good)), cut))


def cmd_intervals(path, ledger_path, count):
    """One document per line, each its own interval; together the whole."""
    docs = [json.loads(line) for line in open(path)]
    ledger = load_ledger(ledger_path)
    within("number of documents", len(docs), int(count), int(count) + 1)
    for d in docs:
        equal("schema", d["schema"], 1)
        reconcile(d)
        equal("fields", sorted(d), sorted(docs[0]))
    for key, want in (("alloc_objects", sum(s["objects"] for s in ledger["sites"])),
                      ("requested_bytes", sum(s["requested_bytes"] for s in ledger["sites"]))):
        equal("sum of %s over the intervals" % key, sum(d["totals"]["malloc"][key] for d in docs), want)


SCHEMA = {
    "schema": int, "tool": str, "kernel": str, "start": str, "duration_s": float, "target": list, "mode": str,
    "totals": dict, "losses": dict, "overhead": dict, "rss": dict, "stacks": list,
}
STACK = {
    "pid": int, "source": str, "type": (str, type(None)), "alloc_objects": int, "alloc_bytes": int,
    "requested_bytes": int, "rss_bytes": (int, type(None)), "frames": list,
}
FRAME = {"func": str, "file": (str, type(None)), "line": (int, type(None)), "module": (str, type(None)), "inlined": bool}


def conform(what, obj, shape):
    for key, kind in shape.items():
        if key not in obj:
            fail("%s has no field %s" % (what, key))
        elif kind is float and isinstance(obj[key], int):
            pass
        elif obj[key] is None and kind in (int, float) and what == "a stack":
            pass
        elif not isinstance(obj[key], kind):
            fail("%s: %s is %r" % (what, key, obj[key]))


def cmd_schema(report_path):
    report = load(report_path)
    conform("the report", report, SCHEMA)
    equal("schema", report["schema"], 1)
    if not re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$", report["start"]):
        fail("start is not a date of RFC 3339: " + report["start"])
    conform("the overhead", report["overhead"], {"hits": int, "trap_ns": int, "bpf_ns": int, "target_cpu_s": float,
                                                 "pct": (float, type(None))})
    for t in report["target"]:
        conform("the target", t, {"pid": int, "comm": str, "exe": str, "runtime": str, "exit_code": (int, type(None))})
    for s in report["stacks"]:
        conform("a stack", s, STACK)
        for f in s["frames"]:
            conform("a frame", f, FRAME)
            if re.search(r"[\x00-\x1f\x7f]", f["func"]) and "\\u" not in f["func"]:
                pass  # JSON may carry them, escaped
    events = report["losses"]["events"]
    equal("sum of the named losses", sum(v for k, v in report["losses"].items() if k not in NOT_LOST + CUT), events)


# --- services ---------------------------------------------------------------

def cmd_names(report_path, source, share, whose="all"):
    """At least SHARE percent of bytes on stacks whose frames all have names, and each frame of the main module.

    whose: "own" leaves out the processes that the first one started, which may end before their files are read.
    """
    report = load(report_path)
    pids = {t["pid"] for t in (report["target"] if whose == "all" else report["target"][:1])}
    module = os.path.basename(report["target"][0]["exe"])
    total = named = objects = 0
    bad = collections.Counter()
    for s in stacks(report, source):
        if s["pid"] not in pids:
            continue
        unknown = [f for f in s["frames"] if f["func"].startswith("[")]
        total += s["alloc_bytes"]
        objects += s["alloc_objects"]
        named += 0 if unknown or not s["frames"] else s["alloc_bytes"]
        for f in unknown:
            bad[f["func"]] += s["alloc_bytes"]
        if source == "go" and any(f["module"] and os.path.basename(f["module"]) == module for f in unknown):
            fail("a Go frame without a name: %s in %s" % (unknown[0]["func"], funcs(s)[:6]))
    pct = 100.0 * named / total if total else 0.0
    within("share of bytes with names, percent", pct, float(share), 100.0)
    if bad:
        print("without a name:", bad.most_common(5))
    note("named %.3f" % pct)


# A Go program's own counters: as /metrics of a service, as /debug/pprof/heap?debug=1, which reads them at the
# very beginning and is exact, or as the TypeScript compiler's --extendedDiagnostics, which knows the objects only.
COUNTERS = {
    "alloc_objects": r"^(?:go_memstats_mallocs_total|# Mallocs =|Memory allocs:) +([0-9.e+]+)$",
    "alloc_bytes": r"^(?:go_memstats_alloc_bytes_total|# TotalAlloc =) +([0-9.e+]+)$",
}


def counters(path):
    """None for what the program does not tell. All are 0 at the start of a program, whose name here is "start"."""
    if path == "start":
        return dict.fromkeys(COUNTERS, 0.0)
    with open(path, errors="replace") as f:
        text = f.read()
    found = {key: re.search(regex, text, re.M) for key, regex in COUNTERS.items()}
    if not any(found.values()):
        fail("%s has no counters: %s" % (path, text[:200]))
    return {key: float(m.group(1)) if m else None for key, m in found.items()}


def own(report, key):
    """Of the first process alone: it may have started others that are Go as well."""
    return sum(s[key] for s in stacks(report, "go") if s["pid"] == report["target"][0]["pid"])


def compare(what, got, truth, percent, slack=0.0):
    off = 100.0 * (got - truth) / truth
    percent += 100.0 * slack / truth
    within("deviation of %s in percent (%d, the program says %d)" % (what, got, truth), off, -percent, percent)
    note("%s %d of %d (%+.4f %%)" % (what, got, truth, off))


def cmd_no_losses(report_path, *but):
    """cut: stacks may end early"""
    no_losses(load(report_path), CUT if "cut" in but else ())


def cmd_memstats(report_path, percent, *scrapes):
    """Scrapes in order: most without load, the load between two of them; the first may be "start".

    The tool saw the scrapes whole; the counters were read somewhere in the middle
    of the first and of the last. So it saw one scrape more than their difference,
    and what one scrape costs those in a row and without load tell. From the
    program's start on it is the last one's end that is more, which is nearly all of
    it: what is made once was before the first.
    """
    report = load(report_path)
    equal("lost events", report["losses"]["events"], 0)
    note("losses " + (", ".join("%s %d" % l for l in sorted(report["losses"].items()) if l[1]) or "none"))
    reconcile(report)
    note("runtime " + report["target"][0]["runtime"])
    values = [counters(s) for s in scrapes]
    for key in COUNTERS:
        series = [v[key] for v in values]
        if not series or None in series:
            note("%s %d, which it does not count" % (key, own(report, key)))
            within(key, own(report, key), 1, float("inf"))
            continue
        told = series[scrapes[0] == "start":]
        idle = sorted(b - a for a, b in zip(told, told[1:]))[:-1] or [0]  # the load is the largest
        scrape = idle[len(idle) // 2]
        compare(key, own(report, key), series[-1] - series[0] + scrape, float(percent), idle[-1] - idle[0])


def cmd_memprofile(report_path, percent, pb_path):
    """The program wrote its memory profile at rate 1, with the GC off, just before its end: bytes are equal.

    But for those of writing it, on both sides. Of tiny objects a profile has only those that open a block: no objects.
    """
    report = load(report_path)
    equal("lost events", report["losses"]["events"], 0)
    reconcile(report)
    note("runtime " + report["target"][0]["runtime"])
    got = sum(s["alloc_bytes"] for s in stacks(report, "go") if not any(f.startswith("runtime/pprof.") for f in funcs(s)))
    truth = pprof_total(pb_path, "alloc_space", "-ignore=^runtime/pprof\\.")
    if isinstance(truth, str):
        fail("go tool pprof: " + truth)
        return
    compare("alloc_bytes", got, truth, float(percent))


# --- commands ---------------------------------------------------------------

def cmd_valgrind(report_path, log_path, pid=None):
    """Total heap usage as valgrind counts it, from the first instruction to the last."""
    report = load(report_path)
    m = re.search(r"total heap usage: ([0-9,]+) allocs, ([0-9,]+) frees, ([0-9,]+) bytes allocated", open(log_path).read())
    allocs, frees, size = (int(x.replace(",", "")) for x in m.groups())
    totals = report["totals"]["malloc"]
    no_losses(report)
    reconcile(report)
    equal("objects", totals["alloc_objects"], allocs)
    equal("requested_bytes", totals["requested_bytes"], size)
    if totals.get("free_objects") is not None:
        equal("freed objects", totals["free_objects"], frees)
    note("%d allocations, %d bytes, as valgrind" % (allocs, size))


def cmd_site(report_path, source, func, objects, requested, pid=None):
    """Objects and requested bytes of the stacks that pass FUNC, in process PID if given."""
    report = load(report_path)
    chosen = [s for s in stacks(report, source) if func in funcs(s) and (pid is None or s["pid"] == int(pid))]
    equal("objects of " + func, sum(s["alloc_objects"] for s in chosen), int(objects))
    if requested != "-":
        equal("requested_bytes of " + func, sum(s["requested_bytes"] for s in chosen), int(requested))


def cmd_site_or_loss(report_path, source, func, objects, *losses):
    """All of them, or fewer and the loss has one of the names."""
    report = load(report_path)
    got = sum(s["alloc_objects"] for s in stacks(report, source) if func in funcs(s))
    lost = {name: report["losses"].get(name, 0) for name in losses}
    within("objects of " + func, got, 0, int(objects))
    if got < int(objects) and not any(lost.values()):
        fail("%d objects of %s out of %s, and no loss is named: %s" % (got, func, objects, report["losses"]))
    note("%d of %s objects of %s, losses %s" % (got, objects, func, lost))


def cmd_frame_module(report_path, func, module):
    """Every frame called FUNC is of the file MODULE, and there is one."""
    mods = {os.path.basename(f["module"] or "") for s in load(report_path)["stacks"] for f in s["frames"] if f["func"] == func}
    equal("modules of " + func, mods, {module})


def cmd_jit(report_path, ledger_path, func):
    """RSS by generated code: the pages that func, by the perf map, touched."""
    report, ledger = load(report_path), load_ledger(ledger_path)
    pages = unnamed = 0
    for stack in stacks(report, "rss"):
        if any(func in f["func"] and f["module"] == "[jit]" for f in stack["frames"]):
            pages += stack["rss_bytes"] // os.sysconf("SC_PAGE_SIZE")
        unnamed += any(f["func"].startswith("[jit+") for f in stack["frames"])
    note("%d of %d pages in %s; %d stacks with unnamed generated code" % (pages, ledger["pages"], func, unnamed))
    within("pages that %s touched" % func, pages, 0.9 * ledger["pages"], 1.01 * ledger["pages"])


def cmd_lines(report_path, file, *want):
    """Some stack has these frames of FILE, innermost first, each FUNC:LINE or FUNC:LINE:inlined."""
    seen = set()
    for stack in stacks(load(report_path), "malloc"):
        own = ["%s:%s%s" % (f["func"], f["line"], ":inlined" * f["inlined"]) for f in stack["frames"]
               if f["file"] and os.path.basename(f["file"]) == file]
        seen.add(tuple(own))
    if tuple(want) not in seen:
        fail("no stack %s among %s" % (want, sorted(seen)))


def cmd_rust(report_path):
    """Frames of names.rs: the method at line 5, the inlined closure at line 8 inside boxed, both called by main."""
    own = [[(f["func"], f["line"], f["inlined"]) for f in s["frames"] if os.path.basename(f["file"] or "") == "names.rs"]
           for s in stacks(load(report_path), "malloc")]
    method = [o for o in own if o and "Shop<" in o[0][0] and "::stock" in o[0][0] and o[0][1] == 5]
    closure = [o for o in own if len(o) > 2 and "boxed::{" in o[0][0] and o[0][1:] == (8, True) and o[1][0] == "names::boxed"]
    for what, line, chosen in (("the method", 14, method), ("the closure", 15, closure)):
        if not chosen or not any("names::main" == f and n == line for f, n, _ in chosen[0]):
            fail("%s is not among %s" % (what, own))
    for stack in own:
        for func, _, _ in stack:
            if re.search(r"::h[0-9a-f]{16}$|^_R|^_ZN", func):
                fail("a name with its hash, or mangled: %s" % func)


def cmd_kernel(report_path, func):
    """Kernel frames stand before all others, bear names of kallsyms, and func's page faults have them."""
    with open("/proc/kallsyms") as f:
        known = {line.split()[2] for line in f}
    chosen = frames = 0
    for stack in stacks(load(report_path), "rss"):
        is_kernel = [f["module"] == "[kernel]" for f in stack["frames"]]
        equal("kernel frames first", sorted(is_kernel, reverse=True), is_kernel)
        for f in stack["frames"][:sum(is_kernel)]:
            frames += 1
            if f["func"].split(" ")[0] not in known:
                fail("%s is not in kallsyms" % f["func"])
        if func in funcs(stack) and stack["rss_bytes"] > 0:
            chosen += stack["rss_bytes"]
            if "handle_mm_fault" not in funcs(stack) and "do_syscall_64" not in funcs(stack):
                fail("a fault without the kernel's part: %s" % funcs(stack))
    note("%d kernel frames, %d bytes of %s" % (frames, chosen, func))
    within("bytes of " + func, chosen, 1, 1 << 60)


def cmd_exit_code(report_path, pid, want):
    codes = {t["pid"]: t["exit_code"] for t in load(report_path)["target"]}
    if pid == "first":
        pid = next(iter(codes))
    equal("exit_code of %s" % pid, codes.get(int(pid), "absent"), None if want == "null" else int(want))


def cmd_target_pids(report_path, *pids):
    equal("processes", sorted(t["pid"] for t in load(report_path)["target"]), sorted(int(p) for p in pids))


# --- Go: live objects -------------------------------------------------------

LIVE_SITE = re.compile(r"main\.(site|garbage)\w+$")
LIVE_KEYS = ("live_objects", "live_bytes")


def live_site(func):
    """Blocks of tiny objects belong to both that share them: see the target."""
    return "main.siteTiny" if func == "main.garbageTiny" else func


def chance(size, rate):
    return -math.expm1(-size / rate) if rate > 1 else 1.0


def live_sizes(ledger):
    sizes = {s["func"]: s["bytes"] // s["objects"] for s in ledger["sites"]}
    return {**sizes, **{f.replace(".site", ".garbage"): size for f, size in sizes.items()}}


def live_own(func, objects, size, sizes, rate):
    """Objects of the site's own size: others are the runtime's, which may have to wait in the middle."""
    if not LIVE_SITE.match(func or ""):
        return False
    rounding = sizes[func] / 2 + 1 if rate > 1 else 0
    return abs(size - objects * sizes[func]) <= rounding


def live_sites(report, ledger):
    """By site: objects, bytes, number of rows."""
    sums, sizes = collections.defaultdict(lambda: [0, 0, 0]), live_sizes(ledger)
    for s in stacks(report, "go"):
        site = next((f for f in funcs(s) if LIVE_SITE.match(f)), None)
        if not s["live_bytes"] or go_nested(s["frames"]):
            continue
        if not live_own(site, s["live_objects"], s["live_bytes"], sizes, report["live"]["rate_bytes"]):
            continue
        for i, key in enumerate(LIVE_KEYS):
            sums[live_site(site)][i] += s[key]
        sums[live_site(site)][2] += 1
    return sums


def live_profile(ledger):
    """The same as the program's own memory profile has it, scaled as runtime/pprof does."""
    sums, sizes = collections.defaultdict(lambda: [0, 0]), live_sizes(ledger)
    for p in ledger["profile"]:
        if live_own(p["func"], p["objects"], p["bytes"], sizes, ledger["rate"]):
            scale = 1 / chance(p["bytes"] / p["objects"], ledger["rate"])
            sums[live_site(p["func"])][0] += p["objects"] * scale
            sums[live_site(p["func"])][1] += p["bytes"] * scale
    return sums


def live_reconcile(report):
    """The stacks are the totals, but for each being rounded."""
    rows, totals = stacks(report, "go"), report["totals"]["go"]
    for key in LIVE_KEYS:
        slack = len(rows) / 2 + 1
        got = sum(s[key] for s in rows)
        within("sum of %s over the stacks" % key, got, totals[key] - slack, totals[key] + slack)
        if totals[key + "_se"] is not None:
            var = sum(s[key + "_se"] ** 2 for s in rows)
            within("sum of the variances of %s" % key, var, totals[key + "_se"] ** 2 * 0.99 - len(rows),
                   totals[key + "_se"] ** 2 * 1.01 + len(rows))


def live_by_profile(report, ledger, lost):
    """The samples are the program's own: nothing but rounding lies between.

    A few may be lost, and that is told: who waits for the GC behind the door goes through one again.
    """
    ours, theirs, sizes = live_sites(report, ledger), live_profile(ledger), live_sizes(ledger)
    for site in sorted(set(ours) | set(theirs)):
        got, want = ours[site], theirs[site]
        weight = lost / chance(sizes[site], ledger["rate"])
        for i, key in enumerate(LIVE_KEYS):
            slack = 0 if ledger["rate"] == 1 else (got[2] + 1) / 2 + 1e-6 * want[i]
            less = weight * (sizes[site] if i else 1)
            within("%s of %s" % (key, site), got[i], want[i] - slack - less, want[i] + slack)
    note("%d sites as in the memory profile" % len(theirs))


# Tiny blocks that hold something of the runtime's own besides.
LIVE_FOREIGN_BYTES = 256


# Unsure samples up to which a report is judged from above: a few, or a small share.
LIVE_UNSURE_MIN = 5
LIVE_UNSURE_SHARE = 0.05


def live_by_arithmetic(report, ledger, source):
    """What is kept, as far as sampling can tell; exact where every object is followed.

    With mark bits an object may count though it is gone: because it was looked at too late
    (which is told), or because its goroutine had to wait for the GC behind the door and another
    goroutine's object was taken for its own. These few are allowed once, not at each site. A machine that is too
    busy to look in time makes more and more of them unsure: from some share on nothing is said of too much.
    """
    wrong, lost, unsure = 0, 0, report["live"]["unsure_samples"]
    if source in ("marks", "both"):
        wrong = unsure + 2 + ledger["num_gc"] // 20
    else:
        lost = report["losses"]["sample_lost"]
    rate = report["live"]["rate_bytes"]
    ours, worst, surplus = live_sites(report, ledger), (0, ""), 0
    for site in ledger["sites"]:
        size = site["bytes"] / site["objects"]
        truth = site["bytes"] - (0 if source == "profile" else site["before_bytes"])
        p = chance(size, rate)
        se = math.sqrt(truth / size * (1 - p) / p) * size
        got = ours.pop(site["func"], [0, 0, 0])
        slack = 4.5 * se + LIVE_FOREIGN_BYTES + lost * size
        within("live_bytes of " + site["func"], got[1], truth - slack, math.inf if wrong else truth + slack)
        surplus += max(0, got[1] - truth - slack) / (size / p)
        if se:
            worst = max(worst, (abs(got[1] - truth) / se, site["func"]))
    # Garbage: nothing of it.
    garbage = sum(got[1] for got in ours.values())
    surplus += max(0, garbage - LIVE_FOREIGN_BYTES) / (rate + 65536)
    if unsure > max(LIVE_UNSURE_MIN, LIVE_UNSURE_SHARE * report["live"]["samples"]):
        note("NOT JUDGED whether it is too much: %d of %d samples were looked at too late" %
             (unsure, report["live"]["samples"]))
    else:
        within("samples too many", surplus, 0, wrong)
    if worst[1]:
        note("worst %.1f se (%s)" % worst)


def cmd_go_live(report_path, ledger_path, source, *losses):
    """source: profile, profile-since (what was before is not known), marks, or both."""
    report, ledger = load(report_path), load_ledger(ledger_path)
    live = report["live"]
    equal("source", live["source"], {
        "profile": "by the runtime's memory profile",
        "profile-since": "by the runtime's memory profile, since the attach",
        "marks": "by mark bits, since the attach",
        "both": "by the runtime's memory profile and mark bits"}[source])
    lost = report["losses"].get("sample_lost", 0)
    no_losses(report, but=("sample_lost",) + losses)
    reconcile(report)
    live_reconcile(report)
    if source == "profile":
        live_by_profile(report, ledger, lost)
    if source.startswith("profile"):
        equal("rate", live["rate_bytes"], ledger["rate"])
        equal("unsure", live["unsure_samples"], 0)
    within("sample_lost", lost, 0, ledger["num_gc"] / 2)
    live_by_arithmetic(report, ledger, source)
    note("%s: %d samples, %d lost, %d unsure, %d GCs" % (source, live["samples"], lost, live["unsure_samples"],
                                                        ledger["num_gc"]))


def cmd_go_live_gone(report_path, func, objects):
    """What FUNC has allocated is gone."""
    found = [s for s in stacks(load(report_path), "go") if func in funcs(s)]
    equal("objects of " + func, sum(s["alloc_objects"] for s in found), int(objects))
    equal("live bytes of " + func, sum(s["live_bytes"] for s in found), 0)


def cmd_go_live_pprof(pb_path, report_path):
    report = load(report_path)
    for index, key in (("inuse_space", "live_bytes"), ("inuse_objects", "live_objects")):
        equal(index + " total by go tool pprof", pprof_total(pb_path, index), sum(s[key] for s in stacks(report, "go")))
    if "inuse_space" not in go_pprof("-raw", pb_path).partition("Samples:")[2].split("\n")[1]:
        fail("go tool pprof does not show inuse_space")


# --- sampling ---------------------------------------------------------------

# Objects and bytes of a round of shares.c, by site.
SHARES = {"site_often": (6, 600), "site_large": (1, 3000), "site_zeroed": (3, 600)}


def sampled_part(report, least):
    """The report comes from bursts."""
    sampling = report["sampling"]
    note("%d bursts, %.1f ms of %.1f s, cost %.2f %%" % (
        sampling["bursts"], 1000 * sampling["bursts_s"], sampling["sampled_s"], report["overhead"]["pct"]))
    equal("mode", report["mode"], "sampled")
    within("bursts", sampling["bursts"], least, 10 ** 6)
    # After a burst that ended late, because others had the CPU, a debt is paid first.
    within("time not looked at", sampling["uncovered_s"], 0, report["duration_s"])


def cmd_sampled(report_path, rounds):
    """What shares.c did, by what bursts have seen of it."""
    report, rounds = load(report_path), int(rounds)
    sampled_part(report, 2)
    totals = report["totals"]["malloc"]
    sums, _ = by_site(report, "malloc", set(SHARES))
    objects = sum(o for o, _ in SHARES.values())
    for site, (count, size) in SHARES.items():
        # Of each burst all is seen; only the rounds at its ends are not whole.
        share = sums[site]["alloc_objects"] / totals["alloc_objects"]
        within("share of the objects of " + site, share, 0.93 * count / objects, 1.07 * count / objects)
        share = sums[site]["alloc_bytes"] / totals["alloc_bytes"]
        within("share of the bytes of " + site, share, 0.93 * size / 4200, 1.07 * size / 4200)
    se = totals["alloc_objects_se"]
    note("objects %d +-%d of about %d" % (totals["alloc_objects"], se, rounds * objects))
    # The rounds were counted a moment before and after.
    within("objects", totals["alloc_objects"], 0.5 * rounds * objects - 4 * se, 1.5 * rounds * objects + 4 * se)
    for stack in stacks(report, "malloc"):
        within("standard error of a row", stack["alloc_bytes_se"], 0, totals["alloc_bytes"])


def cmd_budget(report_path, pct):
    report = load(report_path)
    # How long a debt is paid is as long as one burst was late.
    equal("mode", report["mode"], "sampled")
    cpu_s, cost_s = report["overhead"]["target_cpu_s"], report["overhead"]["pct"] * report["overhead"]["target_cpu_s"] / 100
    # A second's worth is there from the start; and a burst that ended late is a debt for which the time is too short.
    within("seconds that tracing cost", cost_s, 0.0, float(pct) / 100 * (cpu_s + 1) + 0.02)


def cmd_sampled_like(report_path, exact_path):
    """The same shares as in another capture of the same work, that saw everything."""
    report, exact = load(report_path), load(exact_path)
    sampled_part(report, 2)
    shares = []
    for r in (report, exact):
        found = collections.Counter()
        for stack in stacks(r, "go"):
            found[tuple((f["func"], f["line"]) for f in stack["frames"]), stack["type"]] += stack["alloc_bytes"]
        shares.append({key: value / sum(found.values()) for key, value in found.items()})
    top = sorted(shares[1], key=shares[1].get, reverse=True)[:10]
    off = sorted(abs(shares[0].get(key, 0) / shares[1][key] - 1) for key in top)
    note("top ten off by %.1f %% (median), %.1f %% (worst)" % (100 * off[4], 100 * off[9]))
    within("median error of the top ten", off[4], 0, 0.1)
    equal("of the top ten missing", sum(key not in shares[0] for key in top), 0)


def cmd_sampled_totals(report_path, objects):
    """Of Go, whose runtime counts: as many as the program says, less what Ps have not told and bursts have not seen."""
    report, objects = load(report_path), int(objects)
    total, unseen = report["totals"]["go"], report["sampling"]["unseen_objects"]
    note("%d bursts, %d objects and %d not seen, of %d" % (report["sampling"]["bursts"], total["alloc_objects"], unseen, objects))
    equal("mode", report["mode"], "sampled")
    within("objects", total["alloc_objects"] + unseen, 0.99 * objects, 1.01 * objects)
    within("objects not seen", unseen, 0, objects / 2)


def cmd_same_totals(report_path, other_path):
    report, other = load(report_path), load(other_path)
    equal("mode", report["mode"], "exact")
    for key in SUM_KEYS:
        equal(key, report["totals"]["malloc"][key], other["totals"]["malloc"][key])


# --- what RSS of a Go program is made of -------------------------------------

def between(what, got, a, b, slack=0):
    within(what, got, min(a, b) - slack, max(a, b) + slack)


def cmd_go_memory(report_path, ledger_path, *causes):
    """tests/targets/go/memory: the runtime's numbers are the program's own MemStats, the kernel's its smaps; exactly where
    both readings of the program agree. causes: those that are named, the largest first; NAME? may be missing.
    """
    mem, ledger = load(report_path)["rss"]["go"], load_ledger(ledger_path)
    if mem["not_known"]:
        return fail("not known: " + mem["not_known"])
    before, after = ledger["before"], ledger["after"]
    for key, theirs in (("heap_inuse_bytes", "HeapInuse"), ("heap_idle_bytes", "HeapIdle"), ("heap_released_bytes", "HeapReleased"),
                        ("stacks_bytes", "StackInuse")):
        between(key, mem[key], before[theirs], after[theirs])
    between("runtime and work of the GC", mem["runtime_bytes"] + mem["gc_work_bytes"], before["Runtime"], after["Runtime"])
    # Objects of spans that Ps cache are counted late; by 1.15, which has one count for all, early.
    alloc = min(before["HeapAlloc"], after["HeapAlloc"]), max(before["HeapAlloc"], after["HeapAlloc"])
    within("objects_bytes", mem["objects_bytes"], alloc[0] - mem["objects_missing_max_bytes"],
           alloc[1] + (mem["objects_missing_max_bytes"] or 4 << 20))
    # The program's own reading touches some pages.
    for key, theirs in (("rss_bytes", "Rss"), ("heap_rss_bytes", "HeapRss"), ("heap_lazy_free_bytes", "HeapLazyFree")):
        between(key, mem[key], before[theirs], after[theirs], 512 << 10)
    got = [c["cause"] for c in mem["causes"]]
    equal("causes", got, [c.rstrip("?") for c in causes if c[-1] != "?" or c[:-1] in got])
    for c in mem["causes"]:
        within("bytes of " + c["cause"], c["bytes"], mem["rss_bytes"] // 10, mem["rss_bytes"])
    exact = sum(before[k] == after[k] for k in ("HeapInuse", "HeapIdle", "HeapReleased", "StackInuse", "Runtime"))
    note("%s: %d of 5 numbers exact, objects %+d of %d; RSS %d, causes %s" % (
        ledger["go"], exact, mem["objects_bytes"] - before["HeapAlloc"], before["HeapAlloc"], mem["rss_bytes"],
        ", ".join("%s %d" % (c["cause"], c["bytes"]) for c in mem["causes"]) or "none"))


def cmd_go_memory_metrics(report_path, *scrapes):
    """The program's own metrics, one scrape or more before the report and one after it; bounds are theirs."""
    mem = load(report_path)["rss"]["go"]
    if mem["not_known"]:
        return fail("not known: " + mem["not_known"])
    read = []
    for path in scrapes:
        with open(path) as f:
            read.append({w[0]: int(float(w[1])) for w in (line.split() for line in f) if len(w) == 2 and w[0].startswith("go_memstats_")})
    for key, theirs in (("heap_inuse_bytes", "heap_inuse_bytes"), ("heap_idle_bytes", "heap_idle_bytes"),
                        ("heap_released_bytes", "heap_released_bytes"), ("stacks_bytes", "stack_inuse_bytes")):
        values = [r["go_memstats_" + theirs] for r in read]
        # A scrape allocates, and grows stacks, itself: as much as scrapes differ, and a span of each class.
        slack = max(values) - min(values) + (1 << 20)
        within(key, mem[key], min(values) - slack, max(values) + slack)
        note("%s %d, by its metrics %s" % (key, mem[key], ", ".join(map(str, values))))
    # Not the text of another program.
    within("heap_rss_bytes", mem["heap_rss_bytes"], 1 << 20, mem["rss_bytes"])


# --- the target's code ------------------------------------------------------

def cmd_text(pid, want):
    """Is the code in the process's memory, page by page, that of its files? want: same, differs."""
    differing = []
    with open("/proc/%s/maps" % pid) as f:
        maps = [line.split(None, 5) for line in f]
    checked = 0
    with open("/proc/%s/mem" % pid, "rb", 0) as mem:
        for m in maps:
            if "x" not in m[1] or m[4] == "0":
                continue
            start, end = (int(x, 16) for x in m[0].split("-"))
            with open("/proc/%s/map_files/%x-%x" % (pid, start, end), "rb") as f:
                f.seek(int(m[2], 16))
                on_disk = f.read(end - start)
            mem.seek(start)
            in_memory = mem.read(end - start)[:len(on_disk)]
            checked += len(in_memory)
            if in_memory != on_disk:
                differing += ["%s+0x%x: %02x, file has %02x" % (m[5].strip(), int(m[2], 16) + i, a, b)
                              for i, (a, b) in enumerate(zip(in_memory, on_disk)) if a != b]
    print("%d bytes of code, %d differ" % (checked, len(differing)))
    if want == "same":
        for d in differing:
            fail(d)
    elif not differing:
        fail("no byte differs: there is no breakpoint")
    elif len(differing) > 200 or any(": cc," not in d for d in differing):
        fail("not breakpoints: %s" % differing[:5])


def main():
    command = globals().get("cmd_" + sys.argv[1].replace("-", "_")) if len(sys.argv) > 1 else None
    if not command:
        sys.exit("usage: check.py COMMAND FILE...: " + " ".join(sorted(n[4:] for n in globals() if n.startswith("cmd_"))))
    command(*sys.argv[2:])
    if failures > 20:
        print("... and %d more" % (failures - 20))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
