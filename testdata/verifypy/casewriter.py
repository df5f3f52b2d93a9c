"""A small writer of cases, made from docs/container.md alone, for the tests of verify.py.

It shares no code with verify.py: what both do was written twice from the text. `Writer.on` holds functions
that change one step of the writing, so that a test can make a case that is wrong in one place and
consistent (hashed, chained, signed) everywhere else.
"""
import base64
import hashlib
import json
import os
import shutil
import subprocess
import tempfile

CASE = "00112233445566778899aabbccddeeff"
RUN = "ffeeddccbbaa99887766554433221100"
ORIGIN = "exhibit-dfir.github.io/case/" + CASE
TIME = "2024-05-06T07:08:09.000010Z"
_frames = {}


def sha(data):
    return hashlib.sha256(data).hexdigest()


def line(value):
    return json.dumps(value, separators=(",", ":")).encode()


def zstd(content, *options):
    """One frame by the zstd program, with content size (from a file) and checksum."""
    key = content, options
    if key not in _frames:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            arguments = [o for o in options if o != "stdin"]
            with open(file.name, "rb") as stdin:
                source = [] if "stdin" in options else [file.name]
                _frames[key] = subprocess.run(["zstd", "-q", "-1", "--check", "-c"] + arguments + source,
                                              stdin=stdin, check=True, stdout=subprocess.PIPE).stdout
    return _frames[key]


class Key:
    """An Ed25519 key made and used by openssl."""
    def __init__(self, name):
        self.name, self.signed = name, {}
        self.pem = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True,
                                  stdout=subprocess.PIPE).stdout
        der = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "DER"], input=self.pem, check=True,
                             stdout=subprocess.PIPE).stdout
        self.set(b"\1" + der[-32:])

    def set(self, raw):
        self.number = hashlib.sha256(self.name.encode() + b"\n" + raw).digest()[:4]
        self.verifier = "%s+%s+%s" % (self.name, self.number.hex(), base64.b64encode(raw).decode())

    def sign(self, text):
        if text not in self.signed:
            with tempfile.TemporaryDirectory() as folder:
                for name, data in (("k", self.pem), ("t", text)):
                    with open(os.path.join(folder, name), "wb") as file:
                        file.write(data)
                self.signed[text] = subprocess.run(
                    ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", os.path.join(folder, "k"),
                     "-in", os.path.join(folder, "t")], check=True, stdout=subprocess.PIPE).stdout
        return self.signed[text]

    def line(self, text):
        return b"\xe2\x80\x94 %s %s\n" % (self.name.encode(), base64.b64encode(self.number + self.sign(text)))


def merkle(leaves):
    """RFC 6962, section 2.1, by its recursive definition."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + merkle(leaves[:k]) + merkle(leaves[k:])).digest()


def subtrees(leaves):
    """The roots of the complete subtrees, the largest first."""
    found, start = [], 0
    for bit in reversed(range(40)):
        if len(leaves) >> bit & 1:
            found.append(merkle(leaves[start:start + (1 << bit)]).hex())
            start += 1 << bit
    return found


def pairs(**items):
    return [{"name": k, "value": v} for k, v in items.items()]


def record_id(seq, i):
    """The id of record i of entry seq."""
    name = bytearray(hashlib.sha256(b"exhibit record %s %d" % (nonce(seq).encode(), i)).digest()[:16])
    name[6], name[8] = 0x80 | name[6] & 15, 0x80 | name[8] & 63
    name = name.hex()
    return "urn:uuid:%s-%s-%s-%s-%s" % (name[:8], name[8:12], name[12:16], name[16:20], name[20:])


def nonce(seq):
    return sha(b"nonce %d" % seq)


class Record:
    def __init__(self, kind, block, uri="https://server.example/x", ctype="", truncated=""):
        self.kind, self.block, self.uri, self.ctype, self.truncated = kind, block, uri, ctype, truncated
        self.end, self.header = b"\r\n\r\n", None

    def place(self, seq, i, first):
        """Makes the header that record i of entry seq has, whose record 0 is of the type `first`."""
        fields = [("WARC-Type", self.kind), ("WARC-Record-ID", "<%s>" % record_id(seq, i)), ("WARC-Date", TIME), ("WARC-Target-URI", self.uri)]
        if self.kind == "response" and first == "request":
            fields += [("WARC-Concurrent-To", "<%s>" % record_id(seq, 0))]
        if self.truncated:
            fields += [("WARC-Truncated", self.truncated)]
        fields += [("Content-Type", self.ctype or "application/http;msgtype=" + self.kind)]
        if self.kind != "request":
            fields += [("WARC-Block-Digest", "sha256:" + sha(self.block))]
        fields += [("Content-Length", str(len(self.block)))]
        self.header = header(fields)

    def placed(self, seq, i):
        self.place(seq, i, "request")
        return self

    def claim(self):
        return {"type": self.kind, "uri": self.uri, "content_type": self.ctype, "truncated": self.truncated,
                "block": sha(self.block), "block_length": len(self.block)}


def header(fields):
    return ("WARC/1.1\r\n" + "".join("%s: %s\r\n" % f for f in fields) + "\r\n").encode()


class Writer:
    def __init__(self, root, keys, on=None):
        self.root, self.keys, self.on = root, keys, on or {}
        self.leaves, self.kinds, self.queue, self.records = [], [], [], []
        self.batch, self.prev, self.segment, self.notes = 0, "0" * 64, 0, {}
        for folder in ("data/evidence", "data/checkpoints"):
            os.makedirs(os.path.join(root, folder))

    def hook(self, name, value, *context):
        return self.on[name](value, *context) if name in self.on else value

    def write(self, name, data, mode="wb"):
        with open(os.path.join(self.root, *name.split("/")), mode) as file:
            file.write(data)

    def append(self, record, index):
        """One record as one frame at the end of the segment; index names it for the hooks."""
        content = self.hook("content", record, index)
        self.write("data/evidence/%05d.warc.zst" % self.segment, self.hook("frame", zstd(content), index, content), "ab")

    def new_segment(self):
        self.segment += 1
        self.first = True
        block = self.hook("warcinfo", b"software: casewriter\r\nformat: WARC File Format 1.1\r\n"
                          b"conformsTo: http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/\r\n"
                          b"isPartOf: " + CASE.encode() + b"\r\n", self.segment)
        head = header([("WARC-Type", "warcinfo"), ("WARC-Record-ID", "<urn:uuid:00000000-0000-4000-9000-%012x>" % self.segment),
                       ("WARC-Date", TIME), ("WARC-Filename", self.hook("filename", "%05d.warc.zst" % self.segment, self.segment)),
                       ("Content-Type", "application/warc-fields"), ("WARC-Block-Digest", "sha256:" + sha(block)),
                       ("Content-Length", str(len(block)))])
        self.warcinfo = head + block + b"\r\n\r\n"
        self.append(self.warcinfo, "warcinfo%d" % self.segment)

    def entry(self, kind, body, records=(), source="", window=0, method="", status=0, run=RUN):
        seq = len(self.leaves)
        for i, r in enumerate(records):
            r.place(seq, i, records[0].kind)
        records = self.hook("records", list(records), seq)
        for i, r in enumerate(records):
            if r.header is None:
                r.place(seq, i, records[0].kind)
        detail = {"nonce": nonce(seq), "run": run, "records": [r.claim() for r in records], "body": body}
        detail = self.hook("detail_line", line(self.hook("detail", detail, seq)), seq)
        head = {"seq": seq, "kind": kind, "start": TIME, "end": TIME, "source": source, "window": window,
                "method": method, "status": status, "detail": sha(detail)}
        head = self.hook("head_line", line(self.hook("head", head, seq)), seq)
        self.leaves.append(head)
        try:
            self.kinds.append(json.loads(head.decode("ascii"))["kind"])
        except ValueError:
            self.kinds.append(kind)
        self.queue.append((head, detail))
        self.records += records

    def flush(self):
        self.batch += 1
        first = {"format": "exhibit-batch/1", "case": CASE, "batch": self.batch, "segment": self.segment,
                 "first": len(self.leaves) - len(self.queue), "count": len(self.queue), "time": TIME, "prev": self.prev}
        if self.first:
            first["warcinfo"] = sha(self.warcinfo)
            first["frontier"] = subtrees(self.leaves[:first["first"]])
        first = self.hook("first", first, self.batch)
        lines = [self.hook("first_line", line(first), self.batch)] + [text for pair in self.queue for text in pair]
        block = self.hook("block", b"".join(text + b"\n" for text in lines), self.batch)
        number = bytearray(hashlib.sha256(b"exhibit batch %s %d" % (CASE.encode(), self.batch)).digest()[:16])
        number[6], number[8] = 0x80 | number[6] & 15, 0x80 | number[8] & 63
        name = number.hex()
        head = header(self.hook("batch_fields", [
            ("WARC-Type", "metadata"),
            ("WARC-Record-ID", "<urn:uuid:%s-%s-%s-%s-%s>" % (name[:8], name[8:12], name[12:16], name[16:20], name[20:])),
            ("WARC-Date", first["time"] if isinstance(first.get("time"), str) else TIME),
            ("Content-Type", "application/vnd.exhibit.batch"), ("WARC-Block-Digest", "sha256:" + sha(block)),
            ("Content-Length", str(len(block)))], self.batch))
        for i, record in enumerate(self.hook("order", self.records, self.batch)):
            self.append(record.header + record.block + record.end, "record%d.%d" % (self.batch, i))
        self.append(head + block + b"\r\n\r\n", "batch%d" % self.batch)
        self.prev, self.queue, self.records, self.first = sha(block), [], [], False

    def head(self, *signers):
        size = len(self.leaves)
        text = self.hook("head_text", "%s\n%d\n%s\n" % (ORIGIN, size, base64.b64encode(merkle(self.leaves)).decode()), size).encode()
        note = text + b"\n" + b"".join(k.line(text) for k in signers or self.keys[:1])
        note = self.hook("note", note, size)
        self.notes[size] = note
        self.write("data/checkpoints/%d.note" % size, note)

    def checkpoint(self, size):
        self.entry("checkpoint", {"size": size, "note": self.notes[size].decode()}, run="")

    def seal(self, *signers):
        counts = [{"kind": k, "count": self.kinds.count(k)} for k in sorted(set(self.kinds))]
        self.entry("seal", {"counts": counts, "segment": self.segment, "preceding": self.prev}, run="")
        self.flush()
        self.head(*signers)

    def package(self, *signers):
        for name, data in (("data/ledger.db", b"an index"), ("data/README.txt", b"read me"), ("data/verify.py", b"pass"),
                           ("bagit.txt", b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")):
            self.write(name, data)
        self.hook("payload", None, self.root)
        self.manifest()
        self.package_note(*signers)

    def manifest(self):
        """Both manifests, from what lies there."""
        names = [os.path.relpath(os.path.join(folder, name), self.root).replace(os.sep, "/")
                 for folder, _, names in os.walk(os.path.join(self.root, "data")) for name in names]
        oxum = "Payload-Oxum: %d.%d\n" % (sum(os.path.getsize(os.path.join(self.root, n)) for n in names), len(names))
        self.write("bag-info.txt", self.hook("bag_info", b"Bagging-Date: 2024-05-06\n" + oxum.encode()))
        self.write("manifest-sha256.txt", self.hook("manifest", self.listing(names)))
        self.write("tagmanifest-sha256.txt", self.hook("tagmanifest", self.listing(["bag-info.txt", "bagit.txt", "manifest-sha256.txt"])))

    def listing(self, names):
        text = b""
        for name in sorted(names):
            with open(os.path.join(self.root, name), "rb") as file:
                text += b"%s  %s\n" % (sha(file.read()).encode(), name.encode())
        return text

    def package_note(self, *signers):
        with open(os.path.join(self.root, "tagmanifest-sha256.txt"), "rb") as file:
            tag = sha(file.read())
        text = self.hook("package_text", "exhibit package v1\n%s\n%d\n%s\n%s\n" % (
            ORIGIN, len(self.leaves), base64.b64encode(merkle(self.leaves)).decode(), tag)).encode()
        self.write("package.note", self.hook("package", text + b"\n" + b"".join(k.line(text) for k in signers or self.keys[:1])))


# ---- the case of the tests

BYTES = "application/octet-stream"
REQUEST = b"GET /x HTTP/1.1\r\nHost: server.example\r\nAuthorization: Bearer REDACTED\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
SPAN = {"record": 0, "what": "header", "name": "Authorization", "offset": REQUEST.index(b"REDACTED"), "length": 8}


def exchange(counter, **changes):
    body = {"counter": counter, "request_id": "id-%d" % counter, "connection": 4, "url": "https://server.example/x",
            "chain": 0, "page": counter, "parent": -1, "before": 0, "attempt": 1, "retry_of": -1,
            "protocol": "HTTP/1.1", "framing": "length", "ended": "complete", "interim": [], "flags": ["a", "b"],
            "head_offset": 0, "head_length": RESPONSE.index(b"{"), "redactions": [dict(SPAN)],
            "claims": pairs(aud="\u20ac \U0001f600 \x7f\x01\""), "error": ""}
    body.update(changes)
    return body


def window(state, requests, last=-1, source="src", **changes):
    body = {"acquisition": "", "state": state, "reason": "", "text": "", "user": "u\u00fc@example.org",
            "from": "2024-01-01T00:00:00Z", "to": "2024-02-01T00:00:00Z", "parameters": pairs(size="10"),
            "requests": requests, "pages": min(requests, 1), "records": 0, "last": last}
    body.update(changes)
    asked = [source, body["user"], body["from"], body["to"]] + [p["name"] + "=" + p["value"] for p in body["parameters"]]
    body["acquisition"] = changes.get("acquisition", sha("".join(a + "\n" for a in asked).encode()))
    return body


def operator(action, **changes):
    return dict({"action": action, "text": "", "operator": "o", "host": "h", "fields": []}, **changes)


def connection():
    return {"number": 1, "origin": "https://server.example", "remote": "192.0.2.1:443", "local": "192.0.2.2:5000",
            "proxy": "", "protocol": "http/1.1", "tls_version": "1.3", "cipher": "X", "server_name": "server.example",
            "verified": True, "roots": "system", "error": "", "redactions": []}


def beginning(w):
    """Entries 0 to 6 in segment 1: a case, a head, an open window, two exchanges."""
    w.new_segment()
    w.entry("case", {"format": "exhibit-container/1", "case": CASE, "origin": ORIGIN, "fields": pairs(number="A-1"),
                     "keys": [k.verifier for k in w.keys[:1]], "time_sources": [], "host": "h", "tool": pairs(name="t"),
                     "continues": ""}, run="")
    w.entry("operator", operator("run-start"))
    w.entry("window", window("opened", 0), source="src", window=1)
    w.flush()
    w.head()
    w.checkpoint(3)
    w.entry("connection", connection(), [Record("resource", b"-----BEGIN", "urn:exhibit:certificates",
                                                "application/pem-certificate-chain")])
    w.entry("exchange", exchange(1), [Record("request", REQUEST), Record("response", RESPONSE)],
            source="src", window=1, method="GET", status=200)
    w.entry("exchange", exchange(2, parent=5, ended="cut"), [
        Record("request", REQUEST), Record("response", RESPONSE, truncated="length"),
        Record("resource", b"more", "urn:exhibit:excess", BYTES)], source="src", window=1, method="GET", status=200)
    w.flush()


def middle(w):
    """Entries 7 to 12 in segment 2: a failed request, the window's end, a second key, a kind that nobody knows."""
    w.new_segment()
    w.entry("exchange", exchange(3, page=2, retry_of=6, attempt=2, head_offset=-1, head_length=0, ended="no-response", error="eof"),
            [Record("request", REQUEST)], source="src", window=1, method="GET")
    w.entry("window", window("complete", 3, 5), source="src", window=1)
    w.entry("key", {"action": "allow", "key": w.keys[1].verifier, "text": ""}, run="")
    w.entry("weather", {"sky": ["blue", {"cloud": 0}], "rain": False})
    w.flush()
    w.head()
    w.checkpoint(11)
    w.entry("operator", operator("run-stop"))
    w.flush()


def ending(w):
    """Entries 13 and 14: a head by the second key alone, its entry, the seal."""
    w.head(w.keys[1])
    w.checkpoint(13)
    w.seal(*w.keys[:2])


def unsealed(root, keys, on=None):
    w = Writer(root, keys, on)
    beginning(w)
    middle(w)
    w.head(w.keys[1])
    return w


def sealed(root, keys, on=None):
    w = Writer(root, keys, on)
    beginning(w)
    middle(w)
    ending(w)
    w.package()
    return w


def clear(root):
    shutil.rmtree(root, ignore_errors=True)
