#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""schema.py SCHEMA FILE...: is each line of each FILE a document of SCHEMA (user/export/schema)?"""
import json
import sys

import jsonschema

schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
bad = n = 0
for path in sys.argv[2:]:
    for line in open(path, encoding="utf-8"):
        n += 1
        for error in validator.iter_errors(json.loads(line)):
            bad += 1
            print("FAILED: %s: %s: %s" % (path, "/".join(map(str, error.absolute_path)), error.message[:300]))
assert n
print("note: %d documents" % n)
sys.exit(bad != 0)
