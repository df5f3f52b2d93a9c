#!/usr/bin/env python3
"""The sessions of one mailbox, as docs/views.md says it, from the attributions of attribute.py.

    sessions.py < ANSWERS     prints a JSON array, in the order of the first events: kind, session, first and last event (ids), events, inferred events, logons,
                              addresses, displays, milliseconds displayed, displays without end, deleted items, codes of observations
"""
import json
import sys

sys.dont_write_bytecode = True  # nothing is left in this folder
from attribute import HALF_DAY, attribute, gather

MINUTE = 60 * 1000


def neighbours(l, logons):
    """The admitted logons of the same application from the same address, before and after."""
    same = sorted((o for o in logons if (o.app, o.address) == (l.app, l.address)), key=lambda o: o.order)
    i = same.index(l)
    return same[:i], same[i + 1:]


def chain(l, logons):
    """The first of the logons that are less than half a day apart and end with this one."""
    for o in reversed(neighbours(l, logons)[0]):
        if l.at - o.at >= HALF_DAY:
            break
        l = o
    return l.id


def origin(l, logons):
    return l.session or chain(l, logons)


def session_of(e, logons, ends):
    how, logon, possible = attribute(e, logons, ends)
    if how == "service":
        return None
    if e.logon and not e.admitted:
        return "refused", e.app + " " + e.address
    if e.session:
        return "client session", e.session
    if how == "ambiguous":
        return how, e.app + " " + " ".join(sorted(origin(l, logons) for l in possible))
    if how == "none":
        return "no logon", e.app
    if e.logon:
        after = neighbours(e, logons)[1]
        if after and after[0].session and after[0].at - e.at < MINUTE:
            return "client session", after[0].session
        return "inferred", chain(e, logons)
    return ("client session", logon.named) if logon.named else session_of(logon, logons, ends)


def displays(events):
    """How many there are, how long they take together, and how many have no end; and ends without a start."""
    count = total = unended = 0
    lone, since = [], {}
    for e in events:
        if e.type == "ReadingPaneDisplayStart":
            count += 1
            unended += e.item in since
            since[e.item] = since.get(e.item, [])[-1:] + [(e.at, e.made)]
        elif e.type == "ReadingPaneDisplayEnd":
            now = since.get(e.item)
            if not now:
                lone.append(e)
            elif len(now) == 2 and now[1] == (e.at, e.made):  # an end and a start of one time
                total += e.at - now.pop(0)[0]
                unended -= 1
            else:
                total += e.at - since.pop(e.item)[-1][0]
    return count, total, unended + len(since), lone


def observed(kind, events, new, mails, logons, ends, lone):
    codes, addresses, gone = [], [], {}
    for e in events:
        codes += ["new-address"] * (e.id in new)
        if e.logon and e.address:
            if kind == "client session" and addresses and e.address not in addresses:
                codes.append("address-change")
            addresses += [e.address] * (e.address not in addresses)
        how, logon, _ = attribute(e, logons, ends)
        codes += ["before-logon"] * (how == "same session" and e.at < logon.at)
        codes += ["before-delivery"] * (e.type != "MessageDelivered" and e.at < mails.get(e.item, e.at))
        codes += ["after-deletion"] * (e.type != "ReadingPaneDisplayEnd" and gone.get(e.item, e.at) < e.at)
        codes += ["created-before"] * (e.made < e.at)
        codes += ["display-end"] * (e in lone)
        if e.type == "Delete":
            gone.setdefault(e.item, e.at)
    return sorted(codes), addresses


def run(lines):
    events, logons, ends = gather(lines)
    events.sort(key=lambda e: e.order)
    new, seen, mails, groups = set(), {}, {}, {}
    for e in events:
        if e.logon and e.address and (e.address not in seen or e.admitted and not seen[e.address]):
            new.add(e.id)
            seen[e.address] = e.admitted
        if e.type == "MessageDelivered":
            mails.setdefault(e.item, e.at)
        group = session_of(e, logons, ends)
        if group:
            groups.setdefault(group, []).append(e)
    out = []
    for (kind, name), members in groups.items():
        count, total, unended, lone = displays(members)
        codes, addresses = observed(kind, members, new, mails, logons, ends, lone)
        client = kind == "client session"
        out.append([kind, name if client else "", members[0].id, members[-1].id, len(members), sum(client and not e.session for e in members), sum(e.logon for e in members),
                    addresses, count, total, unended, [e.item for e in members if e.type == "Delete"], codes])
    return out


print(json.dumps(run(sys.stdin)))
