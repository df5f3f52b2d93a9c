"""Writes the activity page and, for all fixtures, where their records lie.

Usage: python3 make.py            (in this folder; writes two files)

ranges.txt is the oracle for offsets and hashes: it comes from Python's JSON
decoder over the raw bytes, read as Latin-1 so that characters count bytes.
Each line: file, RFC 6901 pointer, offset, length, SHA-256.
"""
import hashlib
import json
import pathlib

here = pathlib.Path(__file__).resolve().parent
records = here.parents[2] / "testdata" / "records"


def activity(n, kind, app, session, item, stamp, created, properties):
    """One activity, with the keys in the order in which the service sent them."""
    user = "Users('kim@example.com')"
    ident = "AAMkAGI0000000000000000000000000%02d=" % n
    props = ",".join('{"Name":%s,"Value":%s}' % p for p in properties)
    return (
        '{"@odata.id":"https:\\/\\/outlook.office.com\\/api\\/v2.0\\/%s\\/Activities(\'%s\')",'
        '"@odata.etag":"W/\\"CQAAAA==\\"","Id":"%s","ActivityCreationTime":"%s",'
        '"ActivityIdType":"%s","AppIdType":"%s","ClientSessionId":"%s","ActivityItemId":"%s",'
        '"TimeStamp":"%s","CustomProperties":[%s]}'
    ) % (user, ident, ident, created, kind, app, session, item, stamp, props)


def page():
    q = json.dumps
    delivered = [
        (q("From"), q("Lee <lee@example.net>")), (q("DeliveredToInbox"), q("True")),
        (q("Recipients"), q("kim@example.com;sam@example.com")),
        (q("ReceivedTime"), q("6/21/2018 12:14:12 PM")), (q("SentTime"), q("2018-06-21T12:14:10.000Z")),
        (q("SenderSmtpAddress"), q("lee@example.net")), (q("InternetMessageId"), q("<m1@example.net>")),
        (q("Subject"), '"=HYPERLINK(\\"http:\\/\\/example.net\\") caf\u00e9"'),
    ]
    logon = [
        (q("UserName"), q("kim@example.com")), (q("ExceptionInfo"), q("")), (q("Result"), q("Success")),
        (q("UserAgent"), q("Mozilla/5.0 (Windows NT 10.0)")), (q("ClientIP"), q("198.51.100.7")),
    ]
    browser = [
        (q("Layout"), q("Mouse")), (q("Flights"), q("a")), (q("Flights"), q("b")),
        (q("IPAddress"), q("203.0.113.9")), (q("Browser"), q("Firefox 60")),
    ]
    search = [
        (q("Sid"), q("af8d0000-0000-4000-8000-00000000c0de")), (q("Query"), q("O'Brien, W-9; 2017")),
        (q("MaxRes"), "1156492.00"), (q("Rid"), "18446744073709551615"),
    ]
    items = [
        activity(1, "MessageDelivered", "Exchange", "", "AAMkAGI1item_-1=",
                 "2018-06-21T12:14:13.019Z", "2018-06-21T12:14:13.816Z", delivered),
        activity(2, "ServerLogon", "IMAP", "", "", "2018-06-21T12:20:00.000Z", "2018-06-21T12:20:00.400Z", logon),
        activity(3, "Logon", "Web", "64990000-0000-4000-8000-0000000043a2", "",
                 "2018-06-21T12:30:00.000Z", "2018-06-21T12:30:00.800Z", browser),
        activity(4, "SearchResult", "Web", "64990000-0000-4000-8000-0000000043a2", "",
                 "2018-06-21T10:45:30.000Z", "2018-06-21T10:45:30.797Z", search),
    ]
    context = "https://outlook.office.com/api/v2.0/$metadata#Users('kim%40example.com')/Activities"
    return ('{"@odata.context":%s,"value":[%s],"@odata.nextLink":"https://outlook.office.com/next"}'
            % (q(context), ",".join(items))).encode()


def skip(text, at, more=""):
    while at < len(text) and text[at] in " \t\r\n" + more:
        at += 1
    return at


def elements(text, at):
    """Ranges of the elements of the array at that place."""
    decoder = json.JSONDecoder()
    at = skip(text, at + 1)
    while text[at] != "]":
        _, end = decoder.raw_decode(text, at)
        yield at, end
        at = skip(text, end, ",")


def ranges(raw):
    """Pointer, start and end of each record in a body."""
    text = raw.decode("latin-1")
    decoder = json.JSONDecoder()
    at = skip(text, 0)
    while at < len(text):
        value, end = decoder.raw_decode(text, at)
        if isinstance(value, list):
            for i, (a, b) in enumerate(elements(text, at)):
                yield "/%d" % i, a, b
        elif isinstance(value, dict) and isinstance(value.get("value"), list):
            start = text.index('"value":[', at) + len('"value":')
            for i, (a, b) in enumerate(elements(text, start)):
                yield "/value/%d" % i, a, b
        else:
            yield "", at, end
        at = skip(text, end)


def main():
    (here / "activities.json").write_bytes(page())
    files = [here / "activities.json"] + sorted(records.glob("*/*.json"))
    with open(here / "ranges.txt", "w", encoding="ascii", newline="\n") as out:
        for file in files:
            raw = file.read_bytes()
            name = file.name if file.parent == here else "%s/%s" % (file.parent.name, file.name)
            for pointer, a, b in ranges(raw):
                print(name, pointer or "-", a, b - a, hashlib.sha256(raw[a:b]).hexdigest(), file=out)


main()
