"""What the programs of 2018 make of pages of activities, with the json and csv modules of Python itself.

    retriever.py FORMAT       the bodies of pages on standard input, each behind its length in bytes on a line; the file on standard output
    retriever.py printable    which characters beyond ASCII this Python shows as they are: one range a line, in hexadecimal
    retriever.py repr         JSON values, one a line; repr of each on standard output, one a line

FORMAT is crowdstrike-csv or lmg-csv. Pages are taken in the order given; then rows are sorted by TimeStamp, which the
service did for the programs. What must not be compared with a later Python is not in the input.
"""
import csv
import io
import json
import sys

COLUMNS = ["TimeStamp", "AppIdType", "ActivityIdType", "ActivityItemId", "ActivityCreationTime", "ClientSessionId", "CustomProperties"]


def attributes(activity):
    properties = activity.pop("CustomProperties", None)
    if properties:
        activity["CustomProperties"] = {p["Name"]: p["Value"] for p in properties}
    return activity


def pages(stream):
    while line := stream.readline():
        yield json.loads(stream.read(int(line)).decode("utf-8", "replace"))["value"]


def write(form):
    rows = [attributes(a) for page in pages(sys.stdin.buffer) for a in page]
    rows.sort(key=lambda a: a["TimeStamp"], reverse=form == "crowdstrike-csv")
    out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8-sig" if form == "crowdstrike-csv" else "utf-8", newline="\n")
    writer = csv.DictWriter(out, extrasaction="ignore", fieldnames=COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    out.flush()


def printable():
    start = None
    for c in range(0x80, 0x110001):
        shown = c < 0x110000 and chr(c).isprintable()
        if shown and start is None:
            start = c
        if not shown and start is not None:
            print("%x-%x" % (start, c - 1))
            start = None


if sys.argv[1] == "printable":
    printable()
elif sys.argv[1] == "repr":
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(repr(json.loads(line)).encode() + b"\n")
else:
    write(sys.argv[1])
