#!/usr/bin/env python3
"""To which logon each activity of one mailbox belongs, as docs/views.md says it: for each event all logons are looked through. Nothing is sorted, held or bounded.

    attribute.py < ANSWERS     answers of the API, one a line; prints a JSON object: by id [how, gap in milliseconds or null, [[address, session of a candidate], the latest first]]
"""
import json
import sys
from datetime import datetime

HALF_DAY = 12 * 3600 * 1000


def millis(text):
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


class Activity:
    def __init__(self, a):
        p = {x["Name"]: x["Value"] for x in reversed(a["CustomProperties"])}
        self.id, self.type, self.app, self.session = a["Id"], a["ActivityIdType"], a["AppIdType"], a["ClientSessionId"]
        self.at, self.made, self.item = millis(a["TimeStamp"]), millis(a["ActivityCreationTime"]), a["ActivityItemId"]
        self.address = p.get("ClientIP") or p.get("IPAddress") or ""
        self.logon = self.type in ("ServerLogon", "Logon")
        self.admitted = self.logon and p.get("Result", "").lower() in ("", "success")
        self.order = (self.at, self.made, self.type == "ReadingPaneDisplayEnd", self.id)
        self.named = self.session  # of a logon without session that a browser left beside one with a session, that one's


def origins(possible):
    """One candidate for each origin: the latest logon of a session, or of none, at an address; a browser's two logons are one."""
    kept = []
    for l in sorted(possible, key=lambda l: l.order, reverse=True):
        if not any((k.session, k.address) == (l.session, l.address) for k in kept):
            kept.append(l)
    out = list(kept)
    for plain in (k for k in kept if not k.session):
        named = [k for k in kept if k.session and k.address == plain.address]
        if len(named) > 1 or len(named) == 1 and named[0].order > plain.order:
            out.remove(plain)
        elif named:
            out.remove(named[0])
            plain.named = named[0].session
    return out


def attribute(e, logons, ends):
    """How, the logon if there is one, and the candidates."""
    if e.logon:
        return "itself", e, []
    if e.type == "MessageDelivered" and not e.session:
        return "service", None, []
    own = [l for l in logons if e.session and l.session == e.session]
    if own:
        before = [l for l in own if l.at <= e.at]
        l = max(before, key=lambda l: l.order) if before else min(own, key=lambda l: l.order)
        return "same session", l, []
    before = [l for l in logons if l.app == e.app and l.at <= e.at and not (e.session and l.session)]
    if not before:
        return "none", None, []
    latest = max(l.at for l in before)
    for l in logons:
        l.named = l.session
    possible = origins([l for l in before if l.at == latest or ends[l.id] >= e.at])
    return ("inferred", possible[0], []) if len(possible) == 1 else ("ambiguous", None, possible)


def gather(lines):
    """All activities, their logons that led to something, and until when each of these is in use."""
    events = {}
    for line in lines:
        for a in json.loads(line)["value"]:
            events[a["Id"]] = Activity(a)
    events = list(events.values())
    logons = [e for e in events if e.admitted]
    ends = {}
    for l in logons:
        if l.session:
            ends[l.id] = max(e.at for e in events if e.session == l.session and (e.admitted or not e.logon))
        else:
            after = [o for o in logons if o.app == l.app and o.address == l.address and o.order > l.order]
            follower = min(after, key=lambda o: o.order, default=l)
            ends[l.id] = follower.at if follower.at - l.at < HALF_DAY else l.at
    return events, logons, ends


def run(lines):
    events, logons, ends = gather(lines)
    out = {}
    for e in events:
        how, logon, possible = attribute(e, logons, ends)
        out[e.id] = [how, e.at - logon.at if logon else None, [[l.address, l.session] for l in possible]]
    return out


if __name__ == "__main__":
    print(json.dumps(run(sys.stdin)))
