#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""dashboard.py DASHBOARD RULES METRICS...: does each expression use only metrics that are in one of the scrapes, with labels that
they have there?"""
import json
import re
import sys

dashboard, rules, scrapes = json.load(open(sys.argv[1])), open(sys.argv[2]).read(), sys.argv[3:]
have = {}
for path in scrapes:
    for line in open(path):
        m = re.match(r'(allocsnoop_\w+)(?:\{(.*)\})? \S+$', line)
        if m:
            have.setdefault(m[1], {"instance", "job"}).update(re.findall(r'(\w+)="', m[2] or ""))
ids, exprs = set(), [("rules", e, "") for e in rules.split("expr:")[1:]]
for panel in dashboard["panels"]:
    assert panel["id"] not in ids and panel["title"] and panel["targets"], panel
    ids.add(panel["id"])
    exprs += [(panel["title"], t["expr"], t["legendFormat"]) for t in panel["targets"]]
exprs += [(v["name"], v["query"], "") for v in dashboard["templating"]["list"] if v["type"] == "query"]
for where, expr, legend in exprs:
    used = re.findall(r'(allocsnoop_\w+)(?:\{([^}]*)\})?', expr)
    assert used, (where, expr)
    for name, labels in used:
        assert name in have, "%s: no metric %s" % (where, name)
        for label in re.findall(r'(\w+)\s*=', labels) + re.findall(r'\{\{(\w+)\}\}', legend):
            assert label in have[name], "%s: %s has no label %s" % (where, name, label)
print("note: %d expressions, %d metrics" % (len(exprs), len(have)))
