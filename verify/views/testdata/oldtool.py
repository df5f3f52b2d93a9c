#!/usr/bin/env python3
"""What the report tool of 2018 does, in other words: faults and all, written anew from what is known of it.

    oldtool.py < CSV        prints its five reports as JSON, or {"aborted": why}, as the tool then writes none

It cuts lines at every comma, takes quotation marks and semicolons away, evaluates what is left as a Python dict, and looks for names in the pieces where
that fails; it keeps four applications; what it calls the last address is the one that it saw for the first time last.
"""
import json
import sys
from ast import literal_eval

APPS = {"Web", "Exchange", "Outlook", "Mobile"}
UNKNOWN = "No Data"


def without(text, marks):
    return "".join(c for c in text if c not in marks)


class Row:
    def __init__(self, line):
        cells = line.split(",")
        halves = cells[0].split("T")
        self.date, self.time = halves[0], halves[1]
        self.app, self.type, self.item = cells[1:4]
        self.text = without(",".join(cells[6:]), '";')

    def properties(self):
        return literal_eval(self.text)

    def piece(self, name):
        """The last piece between commas that mentions the name, from behind its first colon and the blank there."""
        found = None
        for piece in self.text.split(","):
            parts = piece.split(":")
            if any(name in part[1:] for part in parts):
                found = without(":".join(parts[1:])[1:], "\"';")
        return found


def learn(mails, row, names, known_stay):
    """Notes a mail: names are those of subject, sender and received time; None where the type has none."""
    if known_stay and row.item in mails:
        return
    mail = mails.setdefault(row.item, {})
    try:
        properties = row.properties()
        mail.update({k: properties[n] for k, n in names.items()})
    except Exception:
        mail.update({k: row.piece(n) for k, n in names.items() if row.piece(n) is not None})


def run(lines):
    mails, rows = {}, [Row(line) for line in lines]
    for row in rows:
        if row.app not in APPS:
            continue
        if row.type == "MessageDelivered" and row.app == "Exchange":
            mails[row.item] = {}
            learn(mails, row, {"subject": "Subject", "from": "SenderSmtpAddress", "received": "ReceivedTime"}, False)
        elif row.type == "MarkAsRead" and row.app in ("Mobile", "Outlook"):
            learn(mails, row, {"from": "SenderAddress", "received": "ReceivedTime"}, True)
        elif row.type == "ReplyAll":
            learn(mails, row, {"from": "SenderAddress", "received": "ReceivedTime"}, False)
    addresses, out = [UNKNOWN], {"logons": [], "searches": [], "reading": [], "by_item": {}, "attachments": []}
    logon_file = "Date\tTime\tSource IP\tLogon Type\tApp Type\tUser\tClient"  # and no end of line
    for row in rows:
        if row.app not in APPS:
            continue
        at, last = [row.date, row.time], addresses[-1]
        mail = mails.get(row.item, {})
        of_mail = [mail.get(k, UNKNOWN) for k in ("subject", "from", "received")]
        if row.type in ("ServerLogon", "Logon"):
            p = row.properties()
            server = row.type == "ServerLogon"
            address = p["ClientIP" if server else "IPAddress"]
            cells = at + [address, row.type, row.app, p["UserName"] if server else " ", p["UserAgent" if server else "Browser"]]
            out["logons"].append(cells)
            logon_file += "\t".join(cells) + "\n"
            if address not in addresses:
                addresses.append(address)
        elif "ReadingPane" in row.type:
            out["reading"].append(at + [row.type, row.app] + of_mail + [last])
            out["by_item"].setdefault(row.item, []).append("\t".join(at + [row.type, row.app] + of_mail) + last)
        elif row.type in ("SearchResult", "SearchSuggestionsDisplay"):
            name = "Query" if row.type == "SearchResult" else "SuggestionStimulus"
            try:
                out["searches"].append(at + [row.app, row.properties()[name], last])
            except Exception:
                pass  # its second attempt looks for the name in a single letter
        elif row.type == "OpenedAnAttachment":
            out["attachments"].append(at + [row.app] + of_mail + [row.properties()["AttachmentAction"], last, row.item])
    out["logon_file"] = logon_file
    return out


with open(sys.stdin.fileno(), encoding="utf-8") as csv_file:
    try:
        print(json.dumps(run(csv_file)))
    except Exception as e:
        print(json.dumps({"aborted": repr(e)}))
