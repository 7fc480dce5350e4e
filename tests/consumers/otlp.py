#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""otlp.py FILE REPORT [TEXT...]: a strict reader of OTLP profiles (message ProfilesData of opentelemetry-proto's
profiles/v1development/profiles.proto behind release 1.9.0), which shares no code with the writer.

Every field is in the tables below, of the wire type of its type, and of a singular field there is one; strings are
UTF-8 without control characters; every index is inside its table; each table begins with its empty element and has
nothing twice and nothing that nobody refers to; keys of attributes and identities of samples come once. Sums by
sample type and source, and by type and names of functions too, are those of REPORT, the JSON of the same profile.
TEXT: what some string has to contain.
"""
import collections
import json
import sys
import unicodedata

# message: {number: (name, type, is repeated)}; the type of a message is its name.
PROTO = """
ProfilesData 1:resource_profiles:*ResourceProfiles 2:dictionary:ProfilesDictionary
ProfilesDictionary 1:mapping_table:*Mapping 2:location_table:*Location 3:function_table:*Function 4:link_table:*Link 5:string_table:*string 6:attribute_table:*KeyValueAndUnit 7:stack_table:*Stack
ResourceProfiles 1:resource:Resource 2:scope_profiles:*ScopeProfiles 3:schema_url:string
Resource 1:attributes:*KeyValue 2:dropped_attributes_count:uint32
ScopeProfiles 1:scope:InstrumentationScope 2:profiles:*Profile 3:schema_url:string
InstrumentationScope 1:name:string 2:version:string 3:attributes:*KeyValue 4:dropped_attributes_count:uint32
Profile 1:sample_type:ValueType 2:samples:*Sample 3:time_unix_nano:fixed64 4:duration_nano:uint64 5:period_type:ValueType 6:period:int64 7:profile_id:bytes 8:dropped_attributes_count:uint32 9:original_payload_format:string 10:original_payload:bytes 11:attribute_indices:*int32
Link 1:trace_id:bytes 2:span_id:bytes
ValueType 1:type_strindex:int32 2:unit_strindex:int32
Sample 1:stack_index:int32 2:attribute_indices:*int32 3:link_index:int32 4:values:*int64 5:timestamps_unix_nano:*fixed64
Mapping 1:memory_start:uint64 2:memory_limit:uint64 3:file_offset:uint64 4:filename_strindex:int32 5:attribute_indices:*int32
Stack 1:location_indices:*int32
Location 1:mapping_index:int32 2:address:uint64 3:lines:*Line 4:attribute_indices:*int32
Line 1:function_index:int32 2:line:int64 3:column:int64
Function 1:name_strindex:int32 2:system_name_strindex:int32 3:filename_strindex:int32 4:start_line:int64
KeyValueAndUnit 1:key_strindex:int32 2:value:AnyValue 3:unit_strindex:int32
KeyValue 1:key:string 2:value:AnyValue
AnyValue 1:string_value:string 2:bool_value:bool 3:int_value:int64 4:double_value:double 5:array_value:ArrayValue 7:bytes_value:bytes
ArrayValue 1:values:*AnyValue
"""
MESSAGES = {}
for row in PROTO.strip().split("\n"):
    message, *fields = row.split()
    MESSAGES[message] = {int(n): (name, kind.lstrip("*"), kind[0] == "*") for n, name, kind in (f.split(":") for f in fields)}
INTS = {"int32": (-2**31, 2**31), "int64": (-2**63, 2**63), "uint32": (0, 2**32), "uint64": (0, 2**64), "bool": (0, 2)}


def is_odd(c):
    return unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") or c == "\ufffd"


def clean(name):
    """JSON has control characters as they are, escaped, and U+FFFD for a byte that is no text."""
    return "".join("?" if is_odd(c) else c for c in name or "")


def varint(data, at):
    value = 0
    for n in range(10):
        byte = data[at + n]
        value |= (byte & 127) << 7 * n
        if byte < 128:
            assert value < 2**64 and (byte or not n), "a varint that is too long"
            return value, at + n + 1
    raise AssertionError("a varint without end")


def integer(kind, value):
    low, high = INTS[kind]
    if low and value >= 2**63:
        value -= 2**64
    assert low <= value < high, (kind, value)
    return value


def parse(message, data):
    ret = {name: [] if many else None for name, _, many in MESSAGES[message].values()}
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        assert tag >> 3 in MESSAGES[message], "%s has no field %d" % (message, tag >> 3)
        name, kind, many = MESSAGES[message][tag >> 3]
        where = message + "." + name
        wire = {"fixed64": 1, "double": 1}.get(kind, 0 if kind in INTS else 2)
        wire = 2 if many and wire != 2 else wire  # proto3 packs
        assert tag & 7 == wire, "%s is of wire type %d" % (where, tag & 7)
        if wire == 0:
            value, at = varint(data, at)
            value = integer(kind, value)
        elif wire == 1:
            assert at + 8 <= len(data), where
            value, at = int.from_bytes(data[at:at + 8], "little"), at + 8
        else:
            size, at = varint(data, at)
            assert at + size <= len(data), where + " ends outside"
            value, at = data[at:at + size], at + size
        if wire == 2 and kind in INTS:
            assert ret[name] == [], where + " comes twice"
            i, ret[name] = 0, []
            while i < len(value):
                item, i = varint(value, i)
                ret[name].append(integer(kind, item))
            continue
        if kind == "string":
            value = value.decode("utf-8")  # strict
            assert not any(map(is_odd, value)), (where, value)
        elif kind in MESSAGES:
            value = parse(kind, value)
        if many:
            ret[name].append(value)
        else:
            assert ret[name] is None, where + " comes twice"
            ret[name] = value
    if message == "AnyValue":
        assert sum(v not in (None, []) for v in ret.values()) == 1, ret
    return ret


def main(path, report_path, *texts):
    with open(path, "rb") as f:
        data = parse("ProfilesData", f.read())
    with open(report_path) as f:
        report = json.load(f)
    dictionary = data["dictionary"]
    used = collections.defaultdict(set)

    def look(table, index):
        index = index or 0
        assert 0 <= index < len(dictionary[table]), (table, index, len(dictionary[table]))
        used[table].add(index)
        return dictionary[table][index]

    def attributes(indices):
        pairs = [look("attribute_table", i) for i in indices]
        assert 0 not in indices, indices
        keys = [look("string_table", p["key_strindex"]) for p in pairs]
        assert len(set(keys)) == len(keys) and "" not in keys, keys
        return {k: next(v for v in p["value"].values() if v not in (None, [])) for k, p in zip(keys, pairs)}

    def functions(stack):
        lines = [line for i in dictionary["stack_table"][stack]["location_indices"] for line in dictionary["location_table"][i]["lines"]]
        return tuple(dictionary["string_table"][dictionary["function_table"][line["function_index"]]["name_strindex"]] for line in lines)

    # The tables. Element 0 of each is empty.
    for table, kind, _ in MESSAGES["ProfilesDictionary"].values():
        items = dictionary[table]
        assert items, "no " + table
        assert items[0] == ("" if kind == "string" else parse(kind, b"")), (table, items[0])
        assert len({repr(i) for i in items}) == len(items), "twice in " + table
    for item in dictionary["attribute_table"][1:]:
        look("string_table", item["key_strindex"])
        look("string_table", item["unit_strindex"])
    for item in dictionary["function_table"][1:]:
        assert look("string_table", item["name_strindex"])
        look("string_table", item["system_name_strindex"])
        look("string_table", item["filename_strindex"])
    for item in dictionary["mapping_table"][1:]:
        assert item["memory_start"] is None or item["memory_start"] < item["memory_limit"], item
        look("string_table", item["filename_strindex"])
        attributes(item["attribute_indices"])
    for item in dictionary["location_table"][1:]:
        look("mapping_table", item["mapping_index"])
        assert item["lines"], item
        for line in item["lines"]:
            assert line["function_index"]
            look("function_table", line["function_index"])
        attributes(item["attribute_indices"])
    for item in dictionary["stack_table"][1:]:
        assert item["location_indices"] and 0 not in item["location_indices"]
        for i in item["location_indices"]:
            look("location_table", i)

    # The profiles.
    got, got_by, order = collections.Counter(), collections.Counter(), []
    (resource,) = data["resource_profiles"]
    about = {a["key"]: a["value"] for a in resource["resource"]["attributes"]}
    assert len(about) == len(resource["resource"]["attributes"]), about
    if len(report["target"]) == 1:
        assert about["process.pid"]["int_value"] == report["target"][0]["pid"], about
    (scope,) = resource["scope_profiles"]
    assert scope["scope"]["name"] == "allocsnoop" and scope["scope"]["version"], scope["scope"]
    for profile in scope["profiles"]:
        name, unit = (look("string_table", profile["sample_type"][f]) for f in ("type_strindex", "unit_strindex"))
        assert unit == ("count" if name.endswith("_objects") else "bytes"), (name, unit)
        assert name not in order, name
        order.append(name)
        look("string_table", profile["period_type"]["type_strindex"])
        look("string_table", profile["period_type"]["unit_strindex"])
        lost = {k[len("allocsnoop.lost."):]: v for k, v in attributes(profile["attribute_indices"]).items()}
        assert lost == {k: v for k, v in report["losses"].items() if v and k != "events"}, (lost, report["losses"])
        assert abs((profile["duration_nano"] or 0) / 1e9 - report["duration_s"]) < 0.01, profile["duration_nano"]
        seen = set()
        for sample in profile["samples"]:
            assert sample["stack_index"] and len(sample["values"]) == 1 and sample["values"][0], sample
            assert not sample["timestamps_unix_nano"] and not sample["link_index"], sample
            look("stack_table", sample["stack_index"])
            identity = (sample["stack_index"], frozenset(sample["attribute_indices"]))
            assert identity not in seen, identity
            seen.add(identity)
            own = attributes(sample["attribute_indices"])
            funcs = functions(sample["stack_index"])
            got[name, own["allocsnoop.source"]] += sample["values"][0]
            got_by[name, own["allocsnoop.source"], own.get("allocsnoop.type", ""), funcs] += sample["values"][0]
    for table in dictionary:
        unused = set(range(1, len(dictionary[table]))) - used[table]
        assert not unused, "nobody refers to %s of %s" % (sorted(unused)[:10], table)

    # What the report has.
    keys = {"alloc_space": "alloc_bytes", "alloc_objects": "alloc_objects", "inuse_space": "live_bytes",
            "inuse_objects": "live_objects", "rss_space": "rss_bytes"}
    want, want_by = collections.Counter(), collections.Counter()
    for stack in report["stacks"]:
        for name in order:
            value = stack.get(keys[name])
            if (name == "rss_space") == (stack["source"] == "rss"):
                want[name, stack["source"]] += value or 0
                funcs = tuple(clean(f["func"]) for f in stack["frames"]) or ("[lost stack]",)
                want_by[name, stack["source"], clean(stack["type"]), funcs] += value or 0
    for have, should in (got, want), (got_by, want_by):
        for key in set(have) | set(should):
            assert have[key] == should[key], (key, have[key], should[key])
    everything = "\n".join(dictionary["string_table"] + [a["value"]["string_value"] or "" for a in dictionary["attribute_table"][1:]])
    for text in texts:
        assert text in everything, text
    print("note: %s; %d stacks, %d locations" % (", ".join("%s %d" % (" ".join(k), v) for k, v in sorted(got.items()) if v),
                                                 len(dictionary["stack_table"]) - 1, len(dictionary["location_table"]) - 1))


if __name__ == "__main__":
    main(*sys.argv[1:])
