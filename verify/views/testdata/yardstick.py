#!/usr/bin/env python3
"""What views are measured against: the logon report and the dictionary of mails, from the retriever's CSV on standard input.

It is how one would write it in Python, with csv and ast.literal_eval, without the old tool's faults in reading. It attributes nothing, finds no repeats,
checks nothing, and keeps everything in memory. It prints how many logons and mails there are; with a file name as argument, the logons go there.
"""
import csv
import json
import sys
from ast import literal_eval

csv.field_size_limit(1 << 30)
MAIL = {"subject": ("Subject",), "from": ("SenderSmtpAddress", "SenderAddress"), "received": ("ReceivedTime",)}

logons, mails = [], {}
for row in csv.DictReader(open(sys.stdin.fileno(), encoding="utf-8-sig", newline="")):
    properties = literal_eval(row["CustomProperties"]) if row["CustomProperties"] else {}
    kind, item = row["ActivityIdType"], row["ActivityItemId"]
    if kind in ("ServerLogon", "Logon"):
        date, _, time = row["TimeStamp"].partition("T")
        logons.append((date, time, properties.get("ClientIP") or properties.get("IPAddress", ""), kind, row["AppIdType"],
                       properties.get("UserName", ""), properties.get("UserAgent") or properties.get("Browser", "")))
    if item:
        told = {k: properties[n] for k, names in MAIL.items() for n in names if n in properties}
        if told:
            mails[item] = {**told, **mails.get(item, {})}
if len(sys.argv) > 1:
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        for logon in sorted(logons):
            out.write("\t".join(logon) + "\n")
print(json.dumps({"logons": len(logons), "mails": len(mails)}))
