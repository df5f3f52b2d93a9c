#!/usr/bin/env python3
"""Writes answers of the Activities API as the retriever of 2018 wrote them (ascending, no byte order mark).

Standard input is one JSON document a line. Python's own csv and repr make the file, so that nothing of ours has a part in it.
"""
import csv
import json
import sys

COLUMNS = ["TimeStamp", "AppIdType", "ActivityIdType", "ActivityItemId", "ActivityCreationTime", "ClientSessionId", "CustomProperties"]
out = csv.writer(open(sys.stdout.fileno(), "w", encoding="utf-8", newline=""), lineterminator="\n")
out.writerow(COLUMNS)
for line in sys.stdin:
    for activity in json.loads(line)["value"]:
        properties = {p["Name"]: p["Value"] for p in activity["CustomProperties"]}
        out.writerow([activity[c] for c in COLUMNS[:-1]] + [repr(properties) if properties else ""])
