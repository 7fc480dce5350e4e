# SPDX-License-Identifier: GPL-2.0-or-later
# The same for Python: "ready", then for each line N a loop of N rounds, and "done".
import json
import sys

doc = {"orders": [{"id": i, "name": "order %d" % i, "tags": ["a" * 20, "b" * 40], "price": i * 1.5} for i in range(50)]}
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        json.loads(json.dumps(doc))
    print("done", flush=True)
