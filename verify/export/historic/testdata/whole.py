"""Holds a file of 2018 and the list of what it leaves out against the activities: nothing may be in neither.

    whole.py PAGES CSV LOSSES    PAGES holds the bodies of pages, each behind its length in bytes on a line

Prints a line for each activity that cannot be had back from the two files, but for the order of its members and for bytes that are not UTF-8, and at the end how many could.
"""
import ast
import csv
import json
import sys


class Number(str):
    "A number as it was written."


class Object(list):
    "The members of an object, in order."


def load(text):
    return json.loads(text, parse_int=Number, parse_float=Number, object_pairs_hook=Object)


def plain(value):
    "What Python wrote by repr, in the form of what is loaded."
    if isinstance(value, dict):
        return Object((name, plain(v)) for name, v in value.items())
    if isinstance(value, list):
        return [plain(v) for v in value]
    if value is None or isinstance(value, (bool, str)):
        return value
    return Number(repr(value))


def text(value):
    "One text for each value: its kinds and everything in it."
    if isinstance(value, Object):
        return "{" + ",".join(ascii(name) + ":" + text(v) for name, v in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text, value)) + "]"
    return type(value).__name__ + ascii(str(value))


def properties(cell):
    "The custom properties that a cell shows."
    shown = ast.literal_eval(cell) if cell else {}
    return [Object([("Name", name), ("Value", plain(v))]) for name, v in shown.items()]


def key(name):
    "What a dictionary tells a name by."
    if isinstance(name, Number):
        return float(name) if any(c in name for c in ".eE") else int(name)
    return name


def repeated_properties(line, members):
    "How many names of custom properties stand more than once; they are listed behind the members."
    properties = members.get("CustomProperties")
    if line["why"] == "custom_properties" or not isinstance(properties, list) or isinstance(properties, Object):
        return 0
    names = [key(dict(p)["Name"]) for p in properties]
    return len({n for n in names if names.count(n) > 1})


def whole(line, cells):
    "The members of an activity, of its line in the list and its row."
    members = dict(line["members"])
    if line["id"]:
        members.setdefault("Id", line["id"])
    for name, cell in cells.items():
        if name not in members and name not in line["missing"]:
            members[name] = properties(cell) if name == "CustomProperties" else cell
    again = list(map(dict, line["repeated"]))
    pairs = []
    for one in again[:len(again) - repeated_properties(line, members)]:
        pairs += [(one["name"], v) for v in one["values"]]
        members.pop(one["name"], None)
    return pairs + list(members.items())


def content(pairs):
    "What an activity holds. In which order Name and Value of a property stand is not part of it."
    return sorted((ascii(name), text(ordered(v)) if name == "CustomProperties" else text(v)) for name, v in pairs)


def ordered(value):
    if isinstance(value, list) and not isinstance(value, Object):
        return [Object(sorted(v, key=lambda m: m[0])) if isinstance(v, Object) else v for v in value]
    return value


def main():
    pages = []
    with open(sys.argv[1], "rb") as stream:
        while line := stream.readline():
            pages.append(dict(load(stream.read(int(line)).decode("utf-8", "replace")))["value"])
    with open(sys.argv[2], encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with open(sys.argv[3], encoding="utf-8") as stream:
        lines = [dict(load(line)) for line in stream][1:]
    order = sorted({int(dict(line["provenance"])["seq"]) for line in lines})  # of the exchanges, each of which brought a page
    had = set()
    for line in lines:
        place = dict(line["provenance"])
        at = order.index(int(place["seq"])), int(place["pointer"].removeprefix("/value/"))
        activity = pages[at[0]][at[1]]
        row = rows[int(line["row"]) - 1] if line["row"] != "0" else {}
        if isinstance(activity, Object):
            same = content(whole(line, row)) == content(activity)
        else:
            same = text(line["value"]) == text(activity)
        if same:
            had.add(at)
        else:
            print("lost:", ascii(activity), ascii(line))
    print(len(had), "of", sum(map(len, pages)))


main()
