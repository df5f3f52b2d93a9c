#!/usr/bin/env python3
"""verify.py: checks an exhibit case with Python, zstd and openssl alone.

    python3 verify.py                  the case that this file lies in (data/verify.py)
    python3 verify.py PATH             the case in the folder PATH
    python3 verify.py --key VKEY PATH  and that VKEY signed it (may be repeated; all must have)
    python3 verify.py --tsa-ca PEM PATH
                                       and that a time-stamping authority with this root stamped it (likewise)
    python3 verify.py --known-head FILE PATH
                                       and that it goes on from a head that was kept elsewhere (likewise)
    python3 verify.py --witness VKEY PATH
                                       and that this witness cosigned its newest head (likewise; with
                                       --witness-quorum N, that N of them did)
    python3 verify.py --custody-key VKEY PATH
                                       and that VKEY signed a custody record (likewise)
    python3 verify.py --each DIR       each folder in DIR is a case: NAME, exit code, first finding code

It was written from the text of the format (docs/container.md, format 1) and shares no code with the
tool that made the case. Functions carry the number of the section that they check: frame_2_2 checks
section 2.2. It changes nothing in the case.

Exit codes: 0 verified, 1 unexpected (a program is missing, a file cannot be read), 2 usage,
3 altered or damaged, 4 incomplete or not sealed, 8 what was asked for with --key, --tsa-ca, --known-head,
--witness or --custody-key is not met.
If several hold, 3 comes before 4 and 4 before 8.

A folder with data/production.jsonl is a production, part of a case (section 13), and is checked as such. A key
given with --key must then have signed the sealed head or package.note, and one of them the head.

It does not look into ledger.db (a derived index: the manifest covers its bytes, nothing more is asked
of it), and does not look into work/ and what lies in stamps/ but timestamps and cosignatures. No manifest
covers these, nor custody/, whose records are checked by themselves (section 12). The form of timestamps is
read here; openssl checks their signatures and, for --tsa-ca, their chains (openssl ts -verify). Neither asks
whether a certificate was revoked.
"""
import base64, calendar, collections, hashlib, json, os, re, stat, subprocess, sys, tempfile, threading, time
from concurrent.futures import ThreadPoolExecutor

MAX_LINE, MAX_BATCH, MAX_HEADER = 65535, 8 << 20, 131072     # 1.1, 3.1, 2.3
MAX_WINDOW, MAX_BLOCK = 8 << 20, 128 << 10                   # 2.2
MAX_INT = 2**53 - 1                                          # 1.2
MAX_NOTE = 65535            # a note is the value of one JSON line, so it is no longer than a line
MAX_KNOWN = 128 << 10       # a head with cosignatures (5.11) stands in no line
MAX_DEPTH = 64              # of nested objects and arrays (1.2)
MAX_DAMAGE = 64             # places in one segment from which reading is taken up again
MAX_SCAN = 1 << 20          # block headers read in search of the next frame after damage
MAX_KEYS = 1024                                              # 5.5
MAX_COSIGNATURES = 1024                                      # 5.10
MAX_FILES, MAX_LEVELS = 250_000, 16                          # 6.1
SHOWN = 20                  # findings printed of one code
CHUNK = 1 << 16
ZERO_HASH = "0" * 64
ORIGIN = "exhibit-dfir.github.io/case/"
CONFORMS = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"


class Bad(Exception):
    """One broken rule: a finding code and what it means."""
    def __init__(self, code, text=""):
        super().__init__(code, text)
        self.code, self.text = code, text


class Unexpected(Exception):
    """Not the evidence's fault: exit code 1."""


def sha(data):
    return hashlib.sha256(data).hexdigest()


def show(text):
    """Text from the evidence, without any byte that a terminal could obey."""
    if isinstance(text, bytes):
        text = text[:400].decode("latin-1")
    return str(text)[:200].encode("unicode_escape").decode("ascii")


class Report:
    """Collects findings; prints them as they come unless quiet."""
    def __init__(self, quiet=False):
        self.quiet, self.count = quiet, collections.Counter()
        self.damage = self.incomplete = None      # first code of each class
        self.other = None                         # first code of another history (5.11), beside which the case may be whole

    def add(self, code, place, meaning, incomplete=False):
        if code in ("fork", "rolled-back"):
            self.other = self.other or code
        elif incomplete:
            self.incomplete = self.incomplete or code
        else:
            self.damage = self.damage or code
        self.count[code] += 1
        if self.count[code] <= SHOWN:
            self.say("[%s] %s: %s" % (code, place, meaning))

    def say(self, line):
        if not self.quiet:
            print(line)

    def suppressed(self):
        for code, n in sorted(self.count.items()):
            if n > SHOWN:
                self.say("[%s] and %d more of the same kind" % (code, n - SHOWN))


# ---- 1. Conventions ---------------------------------------------------------------------------------

def json_integer(text):
    if len(text) > 16 or not -1 <= int(text) <= MAX_INT:
        raise ValueError("integer out of range")
    return int(text)


def json_refuse(text):
    raise ValueError("fraction or constant")


def json_1_2(line, code):
    """The object in a line (without LF), if that line is its only allowed spelling."""
    if len(line) > MAX_LINE:
        raise Bad(code, "a line of %d bytes is longer than 65,535" % len(line))
    try:
        text = line.decode("ascii")
        value = json.loads(text, parse_int=json_integer, parse_float=json_refuse, parse_constant=json_refuse)
        if type(value) is not dict:
            raise Bad(code, "a line is not a JSON object")
        respelled = json.dumps(value, separators=(",", ":"))
    except (ValueError, RecursionError):
        raise Bad(code, "a line is not JSON as the format allows it: %s" % show(line[:80]))
    if respelled != text:
        raise Bad(code, "a line is not in its only allowed spelling: %s" % show(line[:80]))
    level, depth = [value], 0
    while level:                                  # null and half a surrogate pair are no values
        depth, below = depth + 1, []
        for item in level:
            if item is None or (type(item) is str and re.search("[\ud800-\udfff]", item)):
                raise Bad(code, "a line holds null or half a character")
            if type(item) in (dict, list) and depth > MAX_DEPTH:
                raise Bad(code, "a line nests deeper than %d" % MAX_DEPTH)
            if type(item) is dict:
                below += list(item) + list(item.values())
            elif type(item) is list:
                below += item
        level = below
    return value


def is_text(v):
    return type(v) is str


def is_bool(v):
    return type(v) is bool


def integer(low=0, high=MAX_INT):
    return lambda v: type(v) is int and low <= v <= high


def one_of(*words):
    return lambda v: type(v) is str and v in words


def matches(pattern):
    compiled = re.compile(pattern)
    return lambda v: type(v) is str and compiled.fullmatch(v) is not None


def array(of, most=MAX_INT):
    return lambda v: type(v) is list and len(v) <= most and all(map(of, v))


def obj(**keys):
    """An object with exactly these keys in exactly this order."""
    return lambda v: type(v) is dict and list(v) == list(keys) and all(keys[k](v[k]) for k in keys)


def is_time_1_3(v):
    m = type(v) is str and re.fullmatch(
        r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z", v)
    if not m:
        return False
    year, month, day = int(m.group(1)), int(m.group(2)), int(m.group(3))
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year or 2000, month)[1]


is_hash = matches("[0-9a-f]{64}")                                               # 1.4
is_id = matches("[0-9a-f]{32}")                                                 # 1.5
is_record_id = matches("urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")    # 1.5
is_word = matches("[a-z][a-z0-9-]{0,31}")                                       # 1.6
is_key_name = matches("[!-*,-~]{1,255}")                                        # 5.5
count, positive, seq_or_none = integer(), integer(1), integer(-1)
pairs = array(obj(name=is_text, value=is_text))


def strict_base64(text):
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return raw if base64.b64encode(raw).decode() == text else None


# ---- 2. Segments ------------------------------------------------------------------------------------

def frame_2_2(file, offset, end, budget=None):
    """Walks the headers of the zstd frame at offset (RFC 8878, section 3.1).

    Returns its length, its content size (None if it names none) and the rules that it breaks. Raises Bad
    when not even its length can be told."""
    def take(n):
        data = file.read(n)
        if len(data) < n or file.tell() > end:
            raise Bad("frame-cut", "the file ends within a frame")
        return data
    file.seek(offset)
    magic = take(4)
    if magic[1:] == b"\x2a\x4d\x18" and magic[0] >> 4 == 5:
        raise Bad("frame-skippable", "a skippable frame is not allowed")
    if magic != b"\x28\xb5\x2f\xfd":
        raise Bad("frame-magic", "no zstd frame begins here (bytes %s)" % magic.hex())
    broken, flags = [], take(1)[0]
    single, size_flag = flags >> 5 & 1, flags >> 6
    if flags & 0x18:
        broken.append(Bad("frame-reserved", "the reserved or the unused bit of the frame header is set"))
    if not flags & 4:
        broken.append(Bad("frame-no-checksum", "the frame has no content checksum"))
    window = 0
    if not single:
        byte = take(1)[0]
        window = (1 << 10 + (byte >> 3)) // 8 * (8 + (byte & 7))
    if flags & 3:
        take((0, 1, 2, 4)[flags & 3])
        broken.append(Bad("frame-dictionary", "the frame names a dictionary"))
    width = (single, 2, 4, 8)[size_flag]
    size = int.from_bytes(take(width), "little") + (256 if width == 2 else 0) if width else None
    if size is None:
        broken.append(Bad("frame-no-size", "the frame does not say how long its content is"))
    if single:
        window = size
    if window > MAX_WINDOW:
        broken.append(Bad("frame-window", "the frame asks for a window of %d bytes" % window))
    last = False
    while not last:
        if budget is not None:
            budget[0] -= 1
            if budget[0] < 0:
                raise Bad("frame-cut", "no end of the frame was found")
        head = int.from_bytes(take(3), "little")
        last, kind, length = head & 1, head >> 1 & 3, head >> 3
        if kind == 3:
            raise Bad("frame-block", "a block of the reserved type")
        if length > min(MAX_BLOCK, window):
            raise Bad("frame-block", "a block of %d bytes" % length)
        file.seek(1 if kind == 1 else length, 1)          # a block of type 1 repeats one byte
    if flags & 4:
        take(4)
    length = file.tell() - offset
    if length > end - offset:
        raise Bad("frame-cut", "the file ends within a frame")
    if size is not None and length > size + size // 128 + 1024:
        broken.append(Bad("frame-size", "%d bytes for a content of %d are more than allowed" % (length, size)))
    return length, size, broken


def next_frame(file, offset, end, budget):
    """After damage: where the next whole frame begins, or end."""
    at, tail = offset, b""
    while at < end and budget[0] > 0:
        file.seek(at)
        data = file.read(min(CHUNK, end - at))
        if not data:
            break
        found = (tail + data).find(b"\x28\xb5\x2f\xfd")
        if found >= 0:
            place = at - len(tail) + found
            try:
                frame_2_2(file, place, end, budget)
                return place
            except Bad:
                at, tail = place + 1, b""
                continue
        tail = (tail + data)[-3:]
        at += len(data)
    return end


def runs_2_2(file, end):
    """The segment as runs of frames that follow on each other: (start, end, what is wrong behind it)."""
    budget, start, at, damage = [MAX_SCAN], 0, 0, 0
    while at < end:
        try:
            length, size, broken = frame_2_2(file, at, end)
        except Bad as bad:
            damage += 1
            after = next_frame(file, at + 1, end, budget)
            if budget[0] <= 0 or damage > MAX_DAMAGE:
                yield start, at, [(at, bad), (at, Bad("frame-limit", "too much damage: the rest was not read"))]
                return
            yield start, at, [(at, bad)]
            start = at = after
            continue
        if size is None:                          # its content cannot be told from the next one's
            yield start, at, [(at, b) for b in broken]
            start = at + length
        at += length
    if start < at:
        yield start, at, []


class Content:
    """The content of the frames between two offsets of a file, from one `zstd -dc`."""
    def __init__(self, path, start, end):
        self.proc = run_zstd()
        self.feeder = threading.Thread(target=self.feed, args=(path, start, end), daemon=True)
        self.feeder.start()

    def feed(self, path, start, end):
        try:
            with open(path, "rb") as file:
                file.seek(start)
                while start < end:
                    data = file.read(min(CHUNK, end - start))
                    if not data:
                        break
                    self.proc.stdin.write(data)
                    start += len(data)
            self.proc.stdin.close()
        except (OSError, ValueError):
            pass                                  # zstd stopped reading: its end tells the rest

    def read(self, n):
        data = self.proc.stdout.read(n)
        if len(data) < n:
            raise Bad("frame-content", "zstd cannot decode the frame, or its content is shorter than it says")
        return data

    def ended(self):
        """Whether zstd has given all that it has to give."""
        return not self.proc.stdout.peek(1)

    def good(self):
        """After the end: whether zstd accepted everything, checksums included."""
        return self.ended() and self.proc.wait() == 0

    def close(self):
        self.proc.kill()
        self.proc.stdout.close()
        self.proc.wait()
        self.feeder.join()
        try:
            self.proc.stdin.close()
        except OSError:
            pass


def frame_good(path, start, end):
    """Whether zstd accepts one frame by itself."""
    content = Content(path, start, end)
    try:
        while content.proc.stdout.read(CHUNK):
            pass
        return content.good()
    finally:
        content.close()


def run_zstd():
    try:
        return subprocess.Popen(["zstd", "-dcq", "--memory=8MB"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, bufsize=CHUNK)
    except OSError as err:
        raise Unexpected("the program zstd cannot be run (%s): install it and try again" % err)


REQUIRED, OPTIONAL = True, False
COMMON = [("WARC-Type", REQUIRED), ("WARC-Record-ID", REQUIRED), ("WARC-Date", REQUIRED)]
TARGET = [("WARC-Target-URI", REQUIRED)]
TYPE = [("Content-Type", REQUIRED)]
TYPE_DIGEST = TYPE + [("WARC-Block-Digest", REQUIRED)]
LENGTH = [("Content-Length", REQUIRED)]
FIELDS_2_3 = {
    "warcinfo": COMMON + [("WARC-Filename", REQUIRED)] + TYPE_DIGEST + LENGTH,
    "request": COMMON + TARGET + TYPE + LENGTH,
    "response": COMMON + TARGET + [("WARC-Concurrent-To", OPTIONAL), ("WARC-Truncated", OPTIONAL)] + TYPE_DIGEST + LENGTH,
    "resource": COMMON + TARGET + TYPE_DIGEST + LENGTH,
    "metadata": COMMON + TYPE_DIGEST + LENGTH,
}
CONTENT_TYPES_2_3 = {
    "warcinfo": "application/warc-fields", "metadata": "application/vnd.exhibit.batch",
    "request": "application/http;msgtype=request", "response": "application/http;msgtype=response",
}
is_truncation = one_of("length", "time", "disconnect", "unspecified")
is_value = matches("[!-~](?:[ -~]*[!-~])?")
VALUES_2_3 = {
    "WARC-Record-ID": lambda v: v[:1] == "<" and v[-1:] == ">" and is_record_id(v[1:-1]),
    "WARC-Concurrent-To": lambda v: v[:1] == "<" and v[-1:] == ">" and is_record_id(v[1:-1]),
    "WARC-Date": is_time_1_3,
    "WARC-Block-Digest": matches("sha256:[0-9a-f]{64}"),
    "WARC-Truncated": is_truncation,
    "Content-Length": lambda v: re.fullmatch("0|[1-9][0-9]{0,15}", v) is not None and int(v) <= MAX_INT,
}


def fields_2_3(lines):
    """Name and value of each line `name: value`."""
    found = []
    for line in lines:
        m = re.fullmatch(rb"([A-Za-z-]+): ((?:[!-~](?:[ -~]*[!-~])?)?)", line)
        if not m:
            raise Bad("record-header", "not a header field as the format spells it: %s" % show(line))
        found.append((m.group(1).decode(), m.group(2).decode()))
    return found


def header_2_3(header):
    """The fields of a WARC header by name."""
    lines = header[:-4].split(b"\r\n")
    if lines[0] != b"WARC/1.1":
        raise Bad("record-header", "a record does not begin with WARC/1.1")
    fields = fields_2_3(lines[1:])
    kind = fields[0][1] if fields and fields[0][0] == "WARC-Type" else None
    if kind not in FIELDS_2_3:
        raise Bad("record-header", "a record of no known WARC-Type")
    rest = list(fields)
    for name, required in FIELDS_2_3[kind]:
        if rest and rest[0][0] == name:
            rest.pop(0)
        elif required:
            raise Bad("record-header", "%s is missing or out of order in a %s record" % (name, kind))
    if rest:
        raise Bad("record-header", "%s does not belong there in a %s record" % (show(rest[0][0]), kind))
    for name, value in fields:
        if not VALUES_2_3.get(name, is_text)(value):
            raise Bad("record-header", "the value of %s is malformed: %s" % (name, show(value)))
    fields = dict(fields)
    if fields["Content-Type"] != CONTENT_TYPES_2_3.get(kind, fields["Content-Type"]):
        raise Bad("record-header", "Content-Type %s in a %s record" % (show(fields["Content-Type"]), kind))
    return fields


TORN_7_2 = ("record-header", "record-length", "record-end", "record-digest", "record-unclaimed")


class Record:
    """One WARC record: what it says, what was measured; the block itself of batches and warcinfo alone."""
    def __init__(self):
        self.fields, self.header, self.block, self.broken = {}, b"", None, []
        self.type = self.hash = self.block_hash = ""
        self.offset = self.block_length = 0


def record_2_3(content, size):
    """Reads the one record that a frame of this content size holds."""
    record, whole, hasher = Record(), hashlib.sha256(), hashlib.sha256()
    data = content.read(min(size, MAX_HEADER))
    left = size - len(data)
    whole.update(data)
    stop = data.find(b"\r\n\r\n")
    try:
        if stop < 0:
            raise Bad("record-header", "no WARC header ends within 131,072 bytes")
        record.header, data = data[:stop + 4], data[stop + 4:]
        record.fields = header_2_3(record.header)
        record.type = record.fields["WARC-Type"]
    except Bad as bad:
        record.broken.append(bad)
    record.block_length = size - len(record.header) - 4
    keep = record.type in ("metadata", "warcinfo") and record.block_length <= MAX_BATCH
    if record.type == "metadata" and not keep:
        record.broken.append(Bad("batch-form", "a batch of %d bytes is longer than 8 MiB" % record.block_length))
    kept, end = [], b""
    while True:
        data = end + data                         # the last four bytes are the end, not the block
        block, end = data[:-4] if len(data) > 4 else b"", data[-4:]
        hasher.update(block)
        if keep:
            kept.append(block)
        if not left:
            break
        data = content.read(min(left, CHUNK))
        left -= len(data)
        whole.update(data)
    record.hash, record.block_hash = whole.hexdigest(), hasher.hexdigest()
    if not record.type:
        return record
    if int(record.fields["Content-Length"]) != record.block_length:
        record.broken.append(Bad("record-length", "Content-Length is %s, but the frame holds %d" % (
            record.fields["Content-Length"], record.block_length)))
    elif end != b"\r\n\r\n":
        record.broken.append(Bad("record-end", "the record does not end in CR LF CR LF"))
    elif record.fields.get("WARC-Block-Digest", "sha256:" + record.block_hash) != "sha256:" + record.block_hash:
        record.broken.append(Bad("record-digest", "the block is not the one that WARC-Block-Digest names"))
    if keep:
        record.block = b"".join(kept)
    return record


# ---- 4. The forms of entries ------------------------------------------------------------------------

def word_or_empty(v):
    return v == "" or is_word(v)


HEAD_4_1 = obj(seq=count, kind=is_word, start=is_time_1_3, end=is_time_1_3, source=word_or_empty, window=count,
               method=is_text, status=lambda v: v == 0 and type(v) is int or integer(100, 999)(v), detail=is_hash)
RECORD_FORM_4_3 = obj(type=one_of("request", "response", "resource"), uri=is_value, content_type=is_text,
                      truncated=is_text, block=is_hash, block_length=count)


def record_form_4_3(r):
    return (RECORD_FORM_4_3(r) and (is_value(r["content_type"]) if r["type"] == "resource" else r["content_type"] == "")
            and (r["truncated"] == "" or r["type"] == "response" and is_truncation(r["truncated"])))


RECORDS_4_3 = array(record_form_4_3, 64)


def uuid_of(text):
    """The record id that is made of a text: a UUID of version 8."""
    raw = bytearray(hashlib.sha256(text.encode()).digest()[:16])
    raw[6], raw[8] = raw[6] & 0x0f | 0x80, raw[8] & 0x3f | 0x80
    u = raw.hex()
    return "urn:uuid:" + "-".join((u[:8], u[8:12], u[12:16], u[16:20], u[20:]))


def header_4_3(head, detail, i):
    """The WARC header of record i of an entry leaves no choice: it is made of the entry."""
    records, record = detail["records"], detail["records"][i]
    name = lambda n: "<%s>" % uuid_of("exhibit record %s %d" % (detail["nonce"], n))
    fields = [("WARC-Type", record["type"]), ("WARC-Record-ID", name(i)), ("WARC-Date", head["start"]),
              ("WARC-Target-URI", record["uri"])]
    if record["type"] == "response" and records[0]["type"] == "request":
        fields.append(("WARC-Concurrent-To", name(0)))
    if record["truncated"]:
        fields.append(("WARC-Truncated", record["truncated"]))
    fields.append(("Content-Type", record["content_type"] or CONTENT_TYPES_2_3[record["type"]]))
    if record["type"] != "request":
        fields.append(("WARC-Block-Digest", "sha256:" + record["block"]))
    fields.append(("Content-Length", record["block_length"]))
    return ("WARC/1.1\r\n" + "".join("%s: %s\r\n" % f for f in fields) + "\r\n").encode()
DETAIL_4_2 = obj(nonce=is_hash, run=lambda v: v == "" or is_id(v), records=RECORDS_4_3, body=lambda v: type(v) is dict)


def is_key(v):
    return is_text(v) and verifier_key_5_5(v) is not None


REDACTIONS_4_4 = array(obj(record=count, what=one_of("header", "query"), name=is_text, offset=count, length=count))
KINDS_4_4 = {
    "case": obj(format=one_of("exhibit-container/1"), case=is_id, origin=is_text, fields=pairs, keys=array(is_key),
                time_sources=array(is_text), host=is_text, tool=pairs, continues=is_text),
    "operator": obj(action=is_word, text=is_text, operator=is_text, host=is_text, fields=pairs),
    "connection": obj(number=positive, origin=is_text, remote=is_text, local=is_text, proxy=is_text,
                      protocol=is_text, tls_version=is_text, cipher=is_text, server_name=is_text, verified=is_bool,
                      roots=one_of("system", "file", "none"), error=is_text, redactions=REDACTIONS_4_4),
    "exchange": obj(counter=positive, request_id=is_text, connection=seq_or_none, url=is_text, chain=count,
                    page=count, parent=seq_or_none, before=count, attempt=positive, retry_of=seq_or_none,
                    protocol=is_text, framing=word_or_empty, ended=is_word, interim=array(integer(100, 199)),
                    flags=lambda v: array(is_word)(v) and v == sorted(v), head_offset=seq_or_none,
                    head_length=count,
                    redactions=REDACTIONS_4_4, claims=pairs, error=is_text),
    "window": obj(acquisition=is_hash, state=one_of("opened", "complete", "partial", "empty", "failed"),
                  reason=word_or_empty, text=is_text, user=is_text, **{"from": is_text}, to=is_text,
                  parameters=pairs, requests=count, pages=count, records=count, last=seq_or_none),
    "gap": obj(reason=is_word, text=is_text, lost_run=lambda v: v == "" or is_id(v), in_flight=count, segment=count,
               offset=count, length=count),
    "checkpoint": obj(size=count, note=is_text),
    "key": obj(action=one_of("allow"), key=is_key, text=is_text),
    "seal": obj(counts=array(obj(kind=is_word, count=count)), segment=count, preceding=is_hash),
}


def no_negative(value):
    """In kinds that the text does not know no place says "none": no integer has a sign (1.2)."""
    todo = [value]
    while todo:
        item = todo.pop()
        if type(item) is int and item < 0:
            return False
        todo += list(item.values()) if type(item) is dict else item if type(item) is list else []
    return True


def acquisition_4_7(source, body):
    lines = [source, body["user"], body["from"], body["to"]]
    lines += [p["name"] + "=" + p["value"] for p in body["parameters"]]
    if any("\n" in line for line in lines) or any("=" in p["name"] for p in body["parameters"]):
        return None                               # it could not be told from another
    return sha("".join(line + "\n" for line in lines).encode("utf-8"))


# ---- 5. The tree, keys and signatures ---------------------------------------------------------------

class Tree_5_1:
    """RFC 6962, section 2.1, kept as the roots of its complete subtrees, the largest first."""
    def __init__(self):
        self.size, self.frontier = 0, []

    def add(self, line):
        self.add_leaf(hashlib.sha256(b"\0" + line).digest())

    def add_leaf(self, node):
        n = self.size
        while n & 1:
            node, n = hashlib.sha256(b"\1" + self.frontier.pop() + node).digest(), n >> 1
        self.frontier.append(node)
        self.size += 1

    def root(self):
        if not self.frontier:
            return hashlib.sha256().digest()
        node = self.frontier[-1]
        for left in reversed(self.frontier[:-1]):
            node = hashlib.sha256(b"\1" + left + node).digest()
        return node


# The y coordinates of the points whose order divides 8: a "signature" by such a key says nothing.
FIELD_P = 2**255 - 19
LOW_ORDER = {0, 1, FIELD_P - 1} | {int.from_bytes(bytes.fromhex(y), "little") for y in (
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")}


def on_curve(y):
    """Whether some x fits y: -x^2 + y^2 = 1 + d x^2 y^2 has a solution where (y^2 - 1)(d y^2 + 1) is a square."""
    d = -121665 * pow(121666, FIELD_P - 2, FIELD_P)
    return pow((y * y - 1) * (d * y * y + 1), (FIELD_P - 1) // 2, FIELD_P) in (0, 1)


def valid_name(name):
    return name != "" and "+" not in name and not any(c.isspace() for c in name)


def verifier_key_5_5(text, kind=1):
    """(name, key hash, public key) of a verifier key NAME+HASH+BASE64 (C2SP signed-note), or None. Of a witness the kind is 4."""
    parts = text.split("+", 2)
    raw = strict_base64(parts[2]) if len(parts) == 3 else None
    if raw is None or len(raw) != 33 or raw[0] != kind or not is_key_name(parts[0]):
        return None
    if parts[1] != sha(parts[0].encode("utf-8") + b"\n" + raw)[:8]:
        return None
    y = int.from_bytes(raw[1:], "little") & (1 << 255) - 1
    if y >= FIELD_P or y in LOW_ORDER or not on_curve(y):
        return None
    return parts[0], bytes.fromhex(parts[1]), raw[1:]


def key_hash_5_10(key):
    """What the name of a cosignature tells its key by: 32 digits of the hash of NAME+HASH+BASE64."""
    name, number, pub = key
    return sha(("%s+%s+%s" % (name, number.hex(), base64.b64encode(b"\1" + pub).decode())).encode("utf-8"))[:32]


def signed_note_5_2(data, lines, code, most=MAX_NOTE):
    """(lines of the text, signed bytes, [(name, key hash, signature)]) of a C2SP signed note."""
    try:
        parts = data.decode("utf-8").split("\n")
    except ValueError:
        raise Bad(code, "the note is not UTF-8")
    if len(data) > most or any(c < " " for part in parts for c in part):
        raise Bad(code, "the note is too long or holds control characters")
    if len(parts) < lines + 3 or parts[-1] or parts[lines] or not all(parts[:lines]) or len(parts) > lines + 102:
        raise Bad(code, "the note is not %d lines, an empty line and signatures" % lines)
    signatures = []
    for line in parts[lines + 1:-1]:
        words = line.split(" ")
        raw = strict_base64(words[2]) if len(words) == 3 and words[0] == "\u2014" else None
        if raw is None or len(raw) < 5 or not valid_name(words[1]):
            raise Bad(code, "malformed signature line: %s" % show(line))
        if any(s[:2] == (words[1], raw[:4]) for s in signatures):
            raise Bad(code, "two signature lines by one key: %s" % show(words[1]))
        signatures.append((words[1], raw[:4], raw[4:]))
    return parts[:lines], ("\n".join(parts[:lines]) + "\n").encode("utf-8"), signatures


def cosigned_5_12(signature, text):
    """(time, signed bytes, signature) of a cosignature on the text of a head, or None if it has not the form of one."""
    if len(signature) != 72 or signature[0] > 127:
        return None
    seconds = int.from_bytes(signature[:8], "big")
    return seconds, b"cosignature/v1\ntime %d\n" % seconds + text, signature[8:]


def size_and_root(lines, code):
    """Size and root from two lines of a head or of package.note."""
    root = strict_base64(lines[1])
    if not re.fullmatch("[1-9][0-9]{0,15}", lines[0]) or root is None or len(root) != 32:
        raise Bad(code, "malformed size or root: %s" % show(" ".join(lines)))
    return int(lines[0]), root


class Ed25519:
    """Signatures by `openssl pkeyutl`, several processes at a time; each result is kept."""
    DER = bytes.fromhex("302a300506032b6570032100")    # SubjectPublicKeyInfo before the 32 bytes of the key

    def __init__(self):
        self.known = {}

    def check(self, jobs):
        """jobs: (public key, signed bytes, signature)."""
        todo = [job for job in dict.fromkeys(jobs) if job not in self.known]
        if not todo:
            return
        if not self.known:
            self.self_test()
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for job, good in zip(todo, pool.map(lambda j: self.openssl(folder, *j), enumerate(todo))):
                self.known[job] = good

    def good(self, key, text, signature):
        self.check([(key, text, signature)])
        return self.known[key, text, signature]

    def openssl(self, folder, number, job):
        if len(job[2]) != 64:
            return False
        names = [os.path.join(folder, "%d.%s" % (number, part)) for part in ("key", "text", "sig")]
        for name, data in zip(names, (self.DER + job[0], job[1], job[2])):
            with open(name, "wb") as file:
                file.write(data)
        try:
            return subprocess.call(
                ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", names[0],
                 "-in", names[1], "-sigfile", names[2]],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
        except OSError as err:
            raise Unexpected("the program openssl cannot be run (%s): install it and try again" % err)
        finally:
            for name in names:
                os.unlink(name)

    def self_test(self):
        """RFC 8032, section 7.1, TEST 2: must be accepted, and refused for another text."""
        key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        signature = bytes.fromhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                                  "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
        with tempfile.TemporaryDirectory() as folder:
            if not self.openssl(folder, 0, (key, b"\x72", signature)):
                raise Unexpected("openssl does not verify Ed25519: version 3.0 or later is needed")
            if self.openssl(folder, 0, (key, b"\x73", signature)):
                raise Unexpected("openssl accepts a wrong signature")


# ---- 5.6 Tokens: RFC 3161 answers. Their form is read here; openssl checks signatures, and chains to pinned roots ----

MAX_TOKEN, MAX_LATE, MAX_STAMPS = 65536, 1000, 65536         # 5.6, 5.8, 5.7
TOKEN_NAME = r"data/checkpoints/([1-9][0-9]{0,15})(?:\.(?:[2-9]|1[0-6]))?\.tsr"
HASHES = {"608648016503040201": "sha256", "608648016503040202": "sha384", "608648016503040203": "sha512"}
OID_SIGNED_DATA, OID_TST_INFO = "2a864886f70d010702", "2a864886f70d0109100104"
OID_TYPE, OID_DIGEST = "2a864886f70d010903", "2a864886f70d010904"
OID_ID_V1, OID_ID_V2 = "2a864886f70d010910020c", "2a864886f70d010910022f"
OID_KEY_USAGE, OID_EXT_USAGE, OID_STAMPING, OID_SKI = "551d0f", "551d25", "2b06010505070308", "551d0e"
OID_ANY_USAGE = "551d2500"
OID_RSA, OID_EC, OID_ED25519 = "2a864886f70d010101", "2a8648ce3d0201", "2b6570"
CURVES = ("2a8648ce3d030107", "2b81040022", "2b81040023")    # P-256, P-384, P-521
WITH_HASH = {"2a864886f70d01010b": "sha256", "2a864886f70d01010c": "sha384", "2a864886f70d01010d": "sha512",
             "2a8648ce3d040302": "sha256", "2a8648ce3d040303": "sha384", "2a8648ce3d040304": "sha512"}


def token_bad(text):
    raise Bad("token-form", text)


class Der:
    """Elements of DER one after another. Anything but the shortest definite length is malformed."""
    def __init__(self, data):
        self.data, self.at = data, 0

    def peek(self):
        return self.data[self.at] if self.at < len(self.data) else -1

    def element(self, tag):
        """(content, whole element); a tag of None takes any."""
        start, at, data = self.at, self.at + 2, self.data
        if at > len(data) or data[start] & 31 == 31 or tag is not None and data[start] != tag:
            token_bad("no element of tag %s at byte %d" % (tag, start))
        length = data[start + 1]
        if length > 127:
            size = length & 127
            length = int.from_bytes(data[at:at + size], "big")
            at += size
            if not 1 <= size <= 4 or length < 128 or length >> 8 * (size - 1) == 0:
                token_bad("a length in a second spelling")
        if at + length > len(data):
            token_bad("an element that ends too late")
        self.at = at + length
        return data[at:self.at], data[start:self.at]

    def take(self, tag):
        return self.element(tag)[0]

    def inside(self, tag):
        return Der(self.take(tag))

    def has(self, tag):
        return self.take(tag) if self.peek() == tag else None

    def oid(self):
        content = self.take(6)
        if not content or content[-1] & 128:
            token_bad("malformed object identifier")
        part = 0
        for byte in content:
            if part == 0 and byte == 128 or part >= 1 << 24:
                token_bad("an object identifier in a second spelling, or with a part of 2^31 or more")
            part = (part << 7 | byte & 127) if byte & 128 else 0
        return content.hex()

    def bits(self):
        """A BIT STRING: its bytes, after the number of unused bits, which are 0."""
        content = self.take(3)
        if not content or content[0] > 7 or content[-1] & (1 << content[0]) - 1 if len(content) > 1 else content != b"\0":
            token_bad("malformed bit string")
        return content[1:]

    def integer(self, tag=2):
        content = self.take(tag)
        if not content or len(content) > 1 and (content[0], content[1] >> 7) in ((0, 0), (255, 1)):
            token_bad("malformed integer")
        return int.from_bytes(content, "big", signed=True)

    def boolean(self):
        content = self.has(1)
        if content not in (None, b"\0", b"\xff"):
            token_bad("malformed boolean")
        return content == b"\xff"

    def end(self):
        if self.at != len(self.data):
            token_bad("something follows")

    def bare(self):
        """The end of an AlgorithmIdentifier without parameters."""
        if self.has(5):
            token_bad("malformed NULL")
        self.end()


def hash_5_6(alg):
    """The name of a hash out of its AlgorithmIdentifier, None for one that is not accepted."""
    oid = alg.oid()
    alg.bare()
    return HASHES.get(oid)


def info_5_6(data):
    """TSTInfo: what the authority states."""
    outer = Der(data)
    info = outer.inside(0x30)
    outer.end()
    if info.integer() != 1:
        token_bad("another version of TSTInfo")
    info.oid()
    imprint = info.inside(0x30)
    algorithm, digest = hash_5_6(imprint.inside(0x30)), imprint.take(4)
    imprint.end()
    if algorithm != "sha256" or len(digest) != 32:
        token_bad("the imprint is no SHA-256")
    serial = info.integer()
    if serial < 0 or serial.bit_length() > 160:
        token_bad("the serial number")
    text = info.take(0x18)
    match = re.fullmatch(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{0,8}[1-9]))?Z", text)
    if not match or match[1] < b"2000" or not is_time_1_3("%s-%s-%sT%s:%s:%s.000000Z" % tuple(m.decode() for m in match.groups()[:6])):
        token_bad("the time %s" % show(text))
    when = calendar.timegm(tuple(map(int, match.groups()[:6])))
    nanos = int((match[7] or b"").ljust(9, b"0"))
    accuracy = accuracy_5_6(info)
    info.boolean()
    nonce = info.integer() if info.peek() == 2 else None
    if nonce is not None and abs(nonce).bit_length() > 256:
        token_bad("the nonce")
    name = info.has(0xa0)
    if name is not None:
        name = Der(name)
        name.element(None)
        name.end()
    extensions_5_6(info)
    info.end()
    return {"imprint": digest.hex(), "time": (when, nanos), "accuracy": accuracy, "nonce": nonce}


def accuracy_5_6(info):
    """Nanoseconds."""
    total, content = 0, info.has(0x30)
    if content is None:
        return 0
    fields = Der(content)
    if fields.peek() == 2:
        seconds = fields.integer()
        if not 0 <= seconds <= 86400:
            token_bad("an accuracy of %d s" % seconds)
        total = seconds * 10**9
    for tag, unit in ((0x80, 10**6), (0x81, 10**3)):
        if fields.peek() == tag:
            count = fields.integer(tag)
            if not 1 <= count <= 999:
                token_bad("the accuracy")
            total += count * unit
    fields.end()
    return total


def extensions_5_6(info):
    content = info.has(0xa1)
    if content is None:
        return
    todo = Der(content)
    if todo.peek() < 0:
        token_bad("an empty list of extensions")
    while todo.peek() >= 0:
        extension = todo.inside(0x30)
        extension.oid()
        if extension.boolean():
            token_bad("a critical extension")
        extension.take(4)
        extension.end()


# What a text in the name of a certificate may hold, by its tag.
TEXTS = {19: rb"[A-Za-z0-9 '()+,./:=?*&-]*", 20: rb"[\0-\xff]*", 22: rb"[\0-\x7f]*", 18: rb"[0-9 ]*", 30: rb"(?:[\0-\xff]{2})*"}


def name_5_6(name):
    """The form of a name in a certificate (RFC 5280, section 4.1.2.4)."""
    while name.peek() >= 0:
        part = name.inside(0x31)
        while part.peek() >= 0:
            pair = part.inside(0x30)
            pair.oid()
            tag, text = pair.peek(), pair.take(None)
            try:
                allowed = tag == 12 and text.decode() is not None or TEXTS.get(tag) and re.fullmatch(TEXTS[tag], text)
            except ValueError:
                allowed = False
            if not allowed:
                token_bad("a text in a certificate's name")


class Certificate:
    """What a certificate says, in its form (RFC 5280, section 4.1). Whether its signature is good is for openssl, when it looks for a chain."""
    def __init__(self, whole):
        self.whole = whole
        outer = Der(whole).inside(0x30)
        tbs, algorithm = outer.inside(0x30), outer.element(0x30)[1]
        outer.bits()
        version = Der(tbs.has(0xa0) or b"\2\1\0")
        number, self.serial = version.integer(), tbs.integer()
        version.end()
        if not 0 <= number <= 2 or self.serial < 0 or tbs.element(0x30)[1] != algorithm:
            token_bad("a certificate of another version, with a serial number below 0, or with two algorithms")
        self.issuer = tbs.element(0x30)[1]
        validity = tbs.inside(0x30)
        for _ in range(2):
            if validity.peek() not in (0x17, 0x18) or not re.fullmatch(rb"\d{12}(\d\d)?Z", validity.take(None)):
                token_bad("a time in a certificate")
        self.subject = tbs.element(0x30)[1]
        for name in self.issuer, self.subject:
            name_5_6(Der(name).inside(0x30))
        self.key = tbs.element(0x30)[1]
        key = Der(self.key).inside(0x30)
        key.inside(0x30).oid()
        key.bits()
        self.extensions = {}
        tbs.has(0x81), tbs.has(0x82)
        extensions = tbs.has(0xa3) if number == 2 else None
        todo = Der(Der(extensions).take(0x30) if extensions is not None else b"")
        while todo.peek() >= 0:
            extension = todo.inside(0x30)
            oid = extension.oid()
            if oid in self.extensions:
                token_bad("an extension that a certificate has twice")
            self.extensions[oid] = extension.boolean(), extension.take(4)

    def key_identifier(self):
        _, value = self.extensions.get(OID_SKI, (False, b"\x04\x00"))
        return Der(value).take(4)

    def for_timestamps_5_6(self):
        critical, value = self.extensions.get(OID_EXT_USAGE, (False, b""))
        usage = Der(value)
        if not critical or not value:
            token_bad("the certificate's extended key usage is missing or not critical")
        usages = usage.inside(0x30)
        usage.end()
        if usages.oid() != OID_STAMPING:
            token_bad("the certificate is for something else")
        usages.end()
        if OID_KEY_USAGE in self.extensions:
            bits = Der(self.extensions[OID_KEY_USAGE][1]).bits() + b"\0\0"
            if bits[0] & 0x3f or bits[1] & 0x80:                          # digitalSignature, contentCommitment
                token_bad("the certificate's key usage is not signatures alone")

    def may_stamp_5_9(self):
        """Whether it is not for other things than timestamps alone."""
        usages = Der(Der(self.extensions.get(OID_EXT_USAGE, (False, b"\x30\0"))[1]).take(0x30))
        if usages.peek() < 0:
            return True
        found = False
        while usages.peek() >= 0:
            found = usages.oid() in (OID_STAMPING, OID_ANY_USAGE) or found
        return found

    def key_kind_5_6(self):
        spki = Der(self.key).inside(0x30)
        algorithm = spki.inside(0x30)
        oid = algorithm.oid()
        if oid == OID_RSA and 2048 <= Der(spki.take(3)[1:]).inside(0x30).integer().bit_length() <= 16384:
            return "rsa"
        if oid == OID_EC and algorithm.oid() in CURVES:
            return "ec"
        if oid == OID_ED25519:
            return "ed25519"
        token_bad("a weak key, or one of a kind that is not accepted")


def status_5_6(status):
    code = status.integer()
    texts = status.has(0x30)
    todo = Der(texts or b"")
    while todo.peek() >= 0:
        todo.take(12)
    if status.peek() == 3:
        status.bits()
    status.end()
    if code != 0:
        token_bad("status %d: not granted" % code)


def token_5_6(raw, openssl):
    """Holds an answer against its form and returns what it states, with its certificates."""
    if len(raw) > MAX_TOKEN:
        token_bad("longer than %d bytes" % MAX_TOKEN)
    outer = Der(raw)
    response = outer.inside(0x30)
    outer.end()
    status_5_6(response.inside(0x30))
    info = response.inside(0x30)
    response.end()
    if info.oid() != OID_SIGNED_DATA:
        token_bad("no SignedData")
    explicit = info.inside(0xa0)
    info.end()
    signed = explicit.inside(0x30)
    explicit.end()
    if signed.integer() != 3:
        token_bad("another version of SignedData")
    announced, encap = signed.inside(0x31), signed.inside(0x30)
    if encap.oid() != OID_TST_INFO:
        token_bad("what is signed is no TSTInfo")
    content = encap.inside(0xa0)
    encap.end()
    data = content.take(4)
    content.end()
    certificates, todo = [], Der(signed.has(0xa0) or b"")
    while todo.peek() >= 0:
        certificates.append(Certificate(todo.element(0x30)[1]))
    if len(certificates) > 16:
        token_bad("more than 16 certificates")
    signed.has(0xa1)
    signers = signed.inside(0x31)
    signed.end()
    if signers.peek() < 0:
        token_bad("no signer")
    signer = signers.inside(0x30)
    signers.end()
    token = info_5_6(data)
    token["certificates"] = certificates
    token["signer"] = signer_5_6(signer, announced, certificates, data, openssl)
    return token


def signer_5_6(signer, announced, certificates, data, openssl):
    version = signer.integer()
    if version == 1:
        name = signer.inside(0x30)
        wanted = name.element(0x30)[1], name.integer()
        name.end()
        mine = [c for c in certificates if (c.issuer, c.serial) == wanted]
    elif version == 3:
        wanted = signer.take(0x80)
        mine = [c for c in certificates if wanted and c.key_identifier() == wanted]
    else:
        token_bad("another version of SignerInfo")
    digest = hash_5_6(signer.inside(0x30))
    attributes = signer.element(0xa0)[1]
    algorithm = signer.inside(0x30)
    signature_oid = algorithm.oid()
    algorithm.bare()
    signature = signer.take(4)
    signer.has(0xa1)
    signer.end()
    hashes = []
    while announced.peek() >= 0:
        hashes.append(hash_5_6(announced.inside(0x30)))
    if digest is None or digest not in hashes:
        token_bad("a hash that is not accepted, or not announced")
    if not mine:
        token_bad("the signer's certificate is missing")
    attributes_5_6(attributes, digest, data, mine[0])
    mine[0].for_timestamps_5_6()
    kind = mine[0].key_kind_5_6()
    fits = signature_oid == OID_ED25519 and digest == "sha512" if kind == "ed25519" else \
        kind == "rsa" and signature_oid == OID_RSA or WITH_HASH.get(signature_oid) == digest and \
        signature_oid.startswith("2a8648ce" if kind == "ec" else "2a864886")
    if not fits:
        token_bad("a signature algorithm that does not go with key and hash")
    if not openssl.signature(mine[0].key, digest, b"\x31" + attributes[1:], signature):
        token_bad("the signature is wrong")
    return mine[0]


def attributes_5_6(element, digest, data, certificate):
    """The signed attributes: content type, digest, certificate ids."""
    todo, values = Der(Der(element).take(0xa0)), {}
    while todo.peek() >= 0:
        attribute = todo.inside(0x30)
        oid = attribute.oid()
        content = attribute.take(0x31)
        attribute.end()
        if oid in values or not content or len(values) >= 32:
            token_bad("signed attributes")
        values[oid] = content
    for oid, tag, want in ((OID_TYPE, 6, bytes.fromhex(OID_TST_INFO)), (OID_DIGEST, 4, hashlib.new(digest, data).digest())):
        value = Der(values.get(oid, b""))
        if value.take(tag) != want:
            token_bad("signed content type or digest")
        value.end()
    if OID_ID_V1 not in values and OID_ID_V2 not in values:
        token_bad("no certificate id")
    for oid in (OID_ID_V2, OID_ID_V1):
        if oid in values:
            certificate_id_5_6(Der(values[oid]), oid, certificate)


def certificate_id_5_6(value, oid, certificate):
    ids = value.inside(0x30)
    value.end()
    first = ids.inside(0x30).inside(0x30)
    ids.has(0x30)
    ids.end()
    algorithm = "sha1" if oid == OID_ID_V1 else "sha256"
    if oid == OID_ID_V2 and first.peek() == 0x30:
        algorithm = hash_5_6(first.inside(0x30))
    if algorithm is None or first.take(4) != hashlib.new(algorithm, certificate.whole).digest():
        token_bad("the certificate id is of another certificate")
    if first.peek() < 0:
        return
    name = first.inside(0x30)
    first.end()
    names = name.inside(0x30)
    serial = name.integer()
    name.end()
    directory = names.inside(0xa4)
    names.end()
    if (directory.element(0x30)[1], serial) != (certificate.issuer, certificate.serial):
        token_bad("the certificate id names another issuer or serial number")
    directory.end()


def pinned_5_9(pem):
    """The certificates in a PEM file that are called so, and nothing else in it."""
    return [base64.b64decode(block) for block in re.findall(b"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", pem, re.DOTALL)]


def leads_5_9(token, pinned):
    """Whether names lead from the signer to a pinned certificate, without one that is for other things than timestamps alone."""
    roots, todo, seen = [], [token["signer"]], set()
    for whole in pinned:
        try:
            roots.append(Certificate(whole))
        except Bad:
            pass                                  # nothing leads to it
    while todo:
        this = todo.pop()
        if this.whole in seen or not this.may_stamp_5_9():
            continue
        seen.add(this.whole)
        if this.whole in pinned:
            return True
        todo += [above for above in roots + token["certificates"] if above.subject == this.issuer]
    return False


def whole_5_6(key, signature):
    """Whether a signature is as long as one by this key is: for RSA as its modulus, for ECDSA as the two numbers say, for Ed25519 64 bytes."""
    spki = Der(key).inside(0x30)
    oid = spki.inside(0x30).oid()
    if oid == OID_RSA:
        return len(signature) == (Der(spki.bits()).inside(0x30).integer().bit_length() + 7) // 8
    if oid == OID_ED25519:
        return len(signature) == 64
    try:
        pair = Der(signature)
        pair.take(0x30)
        pair.end()
    except Bad:
        return False
    return True


class Timestamps:
    """What openssl does for tokens."""
    def run(self, files, arguments):
        with tempfile.TemporaryDirectory() as folder:
            for name, data in files.items():
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(data)
            try:
                return subprocess.run(["openssl"] + arguments, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True)
            except OSError as err:
                raise Unexpected("the program openssl cannot be run (%s): install it and try again" % err)

    def signature(self, key, digest, signed, signature):
        """Whether a signature over signed attributes is good under a SubjectPublicKeyInfo."""
        pem = b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(key) + b"-----END PUBLIC KEY-----\n"
        files = {"key": pem, "signed": signed, "signature": signature}
        if not whole_5_6(key, signature):         # openssl dgst does not read what follows it
            return False
        if Der(key).inside(0x30).inside(0x30).oid() == OID_ED25519:
            how = ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "key", "-in", "signed", "-sigfile", "signature"]
        else:
            how = ["dgst", "-" + digest, "-verify", "key", "-signature", "signature", "signed"]
        return self.run(files, how).returncode == 0

    def trusted(self, token, raw, data, pem):
        """Whether `openssl ts -verify` finds a chain to these roots, as of the time that the token states."""
        if token["time"][0] > time.time() + 86400 or not leads_5_9(token, pinned_5_9(pem)):
            return False
        roots = b"".join(b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n" for der in pinned_5_9(pem))
        done = self.run({"data": data, "token": raw, "roots": roots}, [      # level 2: no weak key, no weak hash in the chain
            "ts", "-verify", "-data", "data", "-in", "token", "-CAfile", "roots", "-partial_chain", "-auth_level", "2", "-attime", str(token["time"][0])])
        if b"nknown option" in done.stderr:
            raise Unexpected("this openssl cannot check timestamps as of another time: version 3.0 or later is needed")
        return done.returncode == 0


def instant(when, nanos, more=0):
    """A time with its accuracy, in words."""
    total = when * 10**9 + nanos + more
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(total // 10**9)) + (".%09d" % (total % 10**9)).rstrip("0").rstrip(".") + "Z"


# ---- 6. Names and fields of a sealed case -----------------------------------------------------------

LABELS_6_2 = ("Source-Organization", "Organization-Address", "Contact-Name", "Contact-Phone", "Contact-Email",
              "External-Description", "External-Identifier", "Bagging-Date", "Payload-Oxum", "Bag-Software-Agent",
              "Internal-Sender-Identifier", "Internal-Sender-Description")


def bag_field_6_2(label, value):
    """Whether a line of bag-info.txt is one field in its form."""
    if not re.fullmatch("[A-Za-z0-9-]{1,64}", label) or any(label != l and label.lower() == l.lower() for l in LABELS_6_2):
        return False
    if not 1 <= len(value.encode("utf-8")) <= 4096 or value.strip() != value or re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029]", value):
        return False
    return label != "Bagging-Date" or is_time_1_3(value + "T00:00:00.000000Z")


def supplements_4_10(body):
    """What is wrong with what a case entry says of the earlier case that it supplements."""
    notes = [pair["value"] for pair in body["fields"] if pair["name"] == "supplements"]
    if len(notes) > 1:
        yield "two cases that this one supplements"
    for note in notes[:1]:
        try:
            lines, _, _ = signed_note_5_2(note.encode("utf-8"), 3, "entry-rule")
            size_and_root(lines[1:], "entry-rule")
            if lines[0] == ORIGIN + body["case"] or not lines[0].startswith(ORIGIN) or not is_id(lines[0][len(ORIGIN):]):
                yield "what it supplements is no other case"
        except Bad as bad:
            yield "the case that this one supplements: " + bad.text


# ---- 12. Custody ------------------------------------------------------------------------------------

EVENTS_12 = ("created", "sealed", "verified", "copied", "transferred", "received", "accessed", "exported", "redacted", "stored", "destroyed")
MAX_CHAIN = 8 << 20         # bytes of all records


def zone_12(v):
    return re.fullmatch("[+-]([01][0-9]|2[0-3]):[0-5][0-9]", v) is not None


def handover_12(record):
    return record.get("event") in ("transferred", "received")


# The lines of a record in their order: name, whether it must be there, whether it may, what its value is.
ALWAYS, MAY, ANY = (lambda r: True), (lambda r: False), (lambda v: True)
LINES_12 = [
    ("sequence", ALWAYS, ALWAYS, matches("[1-9][0-9]{0,3}")), ("id", ALWAYS, ALWAYS, is_id), ("previous", ALWAYS, ALWAYS, is_hash),
    ("answers", MAY, lambda r: r.get("event") == "received", is_hash), ("time", ALWAYS, ALWAYS, is_time_1_3), ("zone", ALWAYS, ALWAYS, zone_12),
    ("event", ALWAYS, ALWAYS, one_of(*EVENTS_12)), ("exhibit", ALWAYS, ALWAYS, ANY), ("description", MAY, ALWAYS, ANY),
    ("container", ALWAYS, ALWAYS, is_hash),
    ("size", ALWAYS, ALWAYS, lambda v: re.fullmatch("0|[1-9][0-9]{0,15}", v) is not None and int(v) <= MAX_INT),
] + [(party + part, (MAY if part else here), here, ANY) for party, here in (
    ("by", lambda r: not handover_12(r)), ("released-by", handover_12), ("received-by", handover_12)) for part in ("", "-organisation", "-contact")
] + [(name, MAY, ALWAYS, ANY) for name in ("purpose", "authority", "method", "from-place", "to-place", "storage", "condition", "changes")
] + [("result", lambda r: r.get("event") == "verified", lambda r: r.get("event") == "verified", ANY), ("tool", ALWAYS, ALWAYS, ANY),
     ("key", ALWAYS, ALWAYS, lambda v: verifier_key_5_5(v) is not None)]


def custody_record_12(data):
    """The values of a record by their names, its signed bytes and its signature."""
    lines, text, signatures = signed_note_5_2(data, data.split(b"\n\n")[0].count(b"\n") + 1, "custody-form")
    if len(lines) < 3 or lines[0] != "exhibit custody v1" or not is_key_name(lines[1]) or len(signatures) != 1:
        raise Bad("custody-form", "it is no custody record with one signature line")
    record, rest = {"origin": lines[1]}, lines[2:]
    for name, _, _, _ in LINES_12:
        if rest and rest[0].startswith(name + ": "):
            record[name] = rest.pop(0)[len(name) + 2:]
    if rest:
        raise Bad("custody-form", "a line that a record does not have there: %s" % show(rest[0]))
    for name, must, may, good in LINES_12:
        if name not in record:
            if must(record):
                raise Bad("custody-form", "it has no %s" % name)
        elif not may(record) or not bag_field_6_2("custody", record[name]) or not good(record[name]):
            raise Bad("custody-form", "%s is malformed, or does not belong there: %s" % (name, show(record[name])))
    return record, text, signatures[0]


# ---- The case ---------------------------------------------------------------------------------------

# What the codes begin with that say that entries could not be read.
UNREAD = ("frame-", "batch-form", "batch-order", "record-header", "record-length", "record-end", "segment-missing", "entry-form", "production-form", "production-order")


class Case:
    """One pass over a case folder. What it has seen so far stands in its fields."""
    INDEX_6_1, STATEMENT_6_3 = "ledger.db", "exhibit package v1"
    ONCE_SEALED = ["bag-info.txt", "bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt",
                   "data/README.txt", "data/ledger.db", "data/verify.py"]
    HIDDEN = 255                                  # in kinds: an entry of which nothing but a hash is known

    def __init__(self, root, report, ed25519, elsewhere):
        self.root, self.report, self.ed25519, self.elsewhere = root, report, ed25519, elsewhere
        self.stamps, self.tokens = {}, []         # file → its stamp entry; (name, size or None, token, raw, data)
        self.files = set()                        # regular files, paths with "/"
        self.case_id, self.batches, self.next_seq, self.prev = None, 0, 0, ZERO_HASH
        self.tree, self.roots, self.wanted = Tree_5_1(), {}, set()
        self.kinds, self.kind_counts = bytearray(), collections.Counter()
        self.keys, self.added_keys, self.checkpoints = [], [], []
        self.windows = []                         # [acquisition, state, exchanges, pages brought] of window 1, 2, …
        self.chains = {}                          # (window, chain) → (seq, page, attempt, kept) of its latest exchange
        self.seal = None                          # (seq, segment) of the seal entry
        self.held, self.pending, self.tails, self.gaps = [], [], [], []
        self.package = None                       # text and signatures of package.note
        self.last_batch_segment = 0

    def path(self, name):
        return os.path.join(self.root, *name.split("/"))

    def has(self, name):
        return name in self.files

    def read(self, name, most):
        with open(self.path(name), "rb") as file:
            return file.read(most)

    def hash_file(self, name, start=0):
        hasher = hashlib.sha256()
        with open(self.path(name), "rb") as file:
            file.seek(start)
            for data in iter(lambda: file.read(CHUNK), b""):
                hasher.update(data)
        return hasher.hexdigest()

    # -- 6.1: paths. Nothing but what is listed here is opened, and no symbolic link is followed.

    def paths_6_1(self):
        allowed = re.compile(r"bagit\.txt|bag-info\.txt|(tag)?manifest-sha256\.txt|package\.note|data/(" + re.escape(self.INDEX_6_1) +
                             r"|README\.txt|verify\.py|evidence/[0-9]{5}\.warc\.zst|checkpoints/[1-9][0-9]{0,15}\.note)|" + TOKEN_NAME)
        free = {"custody", "stamps", "work"}
        folders = free | {"data", "data/evidence", "data/checkpoints"}
        todo, seen = [""], 0
        while todo:
            folder = todo.pop()
            for item in sorted(os.listdir(self.path(folder) if folder else self.root)):
                name = folder + "/" + item if folder else item
                mode, seen = os.lstat(self.path(name)).st_mode, seen + 1
                if seen > MAX_FILES:
                    self.report.add("path-read", show(name), "there are more files than are read of a case")
                    todo = []
                    break
                loose = name.split("/")[0] in free and "/" in name
                if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
                    self.report.add("path-type", show(name), "neither a regular file nor a folder; it was not opened")
                elif stat.S_ISDIR(mode):
                    if not loose and name not in folders:
                        self.report.add("path-unexpected", show(name), "a folder that a case does not have")
                    if name.count("/") >= MAX_LEVELS:
                        self.report.add("path-read", show(name), "more than %d levels of folders" % MAX_LEVELS)
                    elif name != "work":
                        todo.append(name)
                else:
                    if not loose and (not allowed.fullmatch(name) or name == "data/evidence/00000.warc.zst"):
                        self.report.add("path-unexpected", show(name), "a file that a case does not have")
                    self.files.add(name)
        self.sealed = self.has("package.note")    # claimed; whether it is valid is seen later
        self.notes = sorted(int(n[17:-5]) for n in self.files if re.fullmatch(r"data/checkpoints/[1-9][0-9]{0,15}\.note", n))
        self.wanted = set(self.notes)
        self.witnessed = sorted((int(m[1]), m[2], n) for n in self.files
                                for m in [re.fullmatch(r"stamps/([1-9][0-9]{0,18})-([0-9a-f]{8})\.witness", n)] if m)
        self.sizes = set(self.notes) | {size for size, _, _ in self.witnessed} | {h.size for h in self.elsewhere.heads}

    # -- 2: segments

    def segments_2_1(self):
        numbers = sorted(int(n[14:19]) for n in self.files if re.fullmatch(r"data/evidence/[0-9]{5}\.warc\.zst", n))
        numbers = [n for n in numbers if n]
        for n in range(1, max(numbers, default=1) + 1):
            if n in numbers:
                self.segment(n)
            else:
                self.report.add("segment-missing", "data/evidence/%05d.warc.zst" % n, "there is no such segment")
        self.tails_7_2(max(numbers, default=1))

    def segment(self, number):
        self.number, self.name = number, "data/evidence/%05d.warc.zst" % number
        self.records, self.warcinfo, self.first_batch, self.batch_end = 0, None, True, 0
        self.held, self.pending, restarts = [], [], 0
        path, size = self.path(self.name), os.stat(self.path(self.name)).st_size
        with open(path, "rb") as file, open(path, "rb") as again:
            for start, end, broken in runs_2_2(again, size):
                content = None
                while start < end:
                    length, content_size, rules = frame_2_2(file, start, end)
                    if content is None:
                        if restarts > MAX_DAMAGE:
                            self.hold(start, Bad("frame-limit", "too much damage: the rest was not read"))
                            break
                        content, restarts = Content(path, start, end), restarts + 1
                    for bad in rules:
                        self.hold(start, bad)
                    try:
                        record = record_2_3(content, content_size)
                        if content.ended():       # at the last frame, or because of this frame or of the next
                            good = content.good() if start + length == end else frame_good(path, start, start + length)
                            content.close()
                            content = None        # the next frame gets a new process
                            if not good:
                                raise Bad("frame-content", "zstd does not accept the frame: wrong checksum or content")
                        elif start + length == end:
                            raise Bad("frame-content", "the frame holds more than it says")
                        record.offset = start
                        self.record_2_4(record, start + length)
                    except Bad as bad:
                        self.hold(start, bad)
                        self.unread(start)
                        if content is not None:
                            content.close()
                            content = None
                    start += length
                if content is not None:
                    content.close()
                for offset, bad in broken:
                    self.hold(offset, bad)
                    self.unread(offset)
        alone = self.records == 1 and self.first_batch and self.warcinfo is not None and not self.held
        if self.batch_end < size or not size:
            self.tails.append((number, self.batch_end, size, alone, self.held, len(self.pending)))

    def unread(self, offset):
        """Stands for a record that could not be read, so that those behind it keep their places."""
        if len(self.pending) < 1024 * 64:
            record = Record()
            record.offset = offset
            self.pending.append(record)

    def hold(self, offset, bad):
        """A finding between batches counts as damage once a whole batch lies beyond it; until then it may be torn."""
        if bad.code == "frame-limit":             # what lies beyond is not known
            self.report.add(bad.code, "%s, byte %d" % (self.name, offset), bad.text)
        elif len(self.held) < 1000:
            self.held.append((bad.code, "%s, byte %d" % (self.name, offset), bad.text))

    def tails_7_2(self, last):
        """What lies behind the last whole batch of each segment."""
        for number, offset, size, alone, held, records in self.tails:
            name, place = "data/evidence/%05d.warc.zst" % number, "data/evidence/%05d.warc.zst, byte %d" % (number, offset)
            if self.seal and number > self.seal[1]:
                self.report.add("after-seal", place, "a segment after the one that the seal entry is in")
            if alone and number == last and not self.sealed:
                continue                          # a segment that was begun and not used yet
            garbled = all(code.startswith("frame-") or code in TORN_7_2 for code, _, _ in held)
            torn = garbled and (number == last or not alone and offset and
                                (number, offset, size - offset, self.hash_file(name, offset)) in self.gaps)
            if torn and not self.sealed and not self.seal:
                self.report.add("torn-tail", place, "%d bytes follow the last whole batch%s: torn when the tool was "
                                "stopped; only its recovery may touch them" % (size - offset, " (%s)" % held[0][0] if held else ""),
                                incomplete=True)
                continue
            for finding in held:
                self.report.add(*finding)
            if records or alone:
                self.report.add("record-unclaimed", place, "records that no batch claims")
            self.report.add("torn-tail", place, "%d bytes follow the last whole batch" % (size - offset))

    def record_2_4(self, record, end):
        """One record in its place: warcinfo first, then records and the batches that claim them."""
        self.records += 1
        for bad in record.broken:
            self.hold(record.offset, bad)
        if (record.type == "warcinfo") != (self.records == 1):
            self.hold(record.offset, Bad("warcinfo", "the first record, and no other, must be a warcinfo record"))
        if record.type == "warcinfo":
            self.warcinfo = self.warcinfo or record
            self.warcinfo_2_3(record)
        elif record.type == "metadata":
            for finding in self.held:
                self.report.add(*finding)
            self.batch_3(record)
            self.held, self.pending, self.batch_end, self.first_batch = [], [], end, False
            self.last_batch_segment = self.number
        elif len(self.pending) < 1024 * 64:
            record.block = None
            self.pending.append(record)
        else:
            self.hold(record.offset, Bad("record-unclaimed", "more records than a batch can claim"))

    def warcinfo_2_3(self, record):
        try:
            lines = (record.block or b"").split(b"\r\n")
            fields = fields_2_3(lines[:-1])
            if lines[-1] or [f[0] for f in fields] != ["software", "format", "conformsTo", "isPartOf"] or \
                    not all(f[1] for f in fields) or len(record.block) > 1024:
                raise Bad("warcinfo", "the block of warcinfo is not its four fields")
            fields = dict(fields)
            if fields["format"] != "WARC File Format 1.1" or fields["conformsTo"] != CONFORMS or not is_id(fields["isPartOf"]):
                raise Bad("warcinfo", "format, specification or case id in warcinfo is not what it must be")
            self.case_id = self.case_id or fields["isPartOf"]
            if fields["isPartOf"] != self.case_id:
                raise Bad("warcinfo", "the segment belongs to another case: %s" % fields["isPartOf"])
            if record.fields["WARC-Filename"] != self.name[14:]:
                raise Bad("segment-name", "the segment calls itself %s" % show(record.fields["WARC-Filename"]))
        except Bad as bad:
            self.hold(record.offset, Bad("warcinfo", bad.text) if bad.code == "record-header" else bad)

    # -- 3: batches

    def batch_3(self, record):
        place = "%s, byte %d, batch %d" % (self.name, record.offset, self.batches + 1)
        report = lambda code, text: self.report.add(code, place, text)
        block = record.block
        if block is None:
            return                                # too long: reported already
        self.batches += 1
        lines = block.split(b"\n")
        if lines.pop():
            report("batch-form", "the last line does not end in LF")
        try:
            first = self.first_line_3_2(json_1_2(lines[0] if lines else b"", "batch-form"), report)
            self.header_3_3(first, record, block, report)
            self.next_seq = first["first"]
            if len(lines) != 1 + 2 * first["count"]:
                report("batch-form", "%d lines are not a first line and %d entries" % (len(lines), first["count"]))
        except Bad as bad:
            report(bad.code, bad.text)
        self.prev_before, self.prev = self.prev, sha(block)
        claims = []
        for i in range(1, len(lines) - 1, 2):
            claims += self.entry_4(lines[i], lines[i + 1], place)
        self.claims_2_4(claims, place)

    def first_line_3_2(self, line, report):
        keys = dict(format=one_of("exhibit-batch/1"), case=is_id, batch=positive, segment=positive, first=count,
                    count=integer(1, 1024), time=is_time_1_3, prev=is_hash)
        if self.first_batch:
            keys.update(warcinfo=is_hash, frontier=array(is_hash))
        if not obj(**keys)(line):
            raise Bad("batch-form", "the first line does not have the keys and values of section 3.2")
        self.case_id = self.case_id or line["case"]
        if line["case"] != self.case_id:
            report("batch-form", "the batch belongs to another case: %s" % line["case"])
        for key, want in (("batch", self.batches), ("segment", self.number), ("first", self.next_seq)):
            if line[key] != want:
                report("batch-order", "%s is %d where %d was due" % (key, line[key], want))
        if line["prev"] != self.prev:
            report("batch-chain", "prev does not name the batch before")
        if self.first_batch:
            if self.warcinfo is None or line["warcinfo"] != self.warcinfo.hash:
                report("warcinfo", "the warcinfo record is not the one that the segment's first batch names")
            if line["frontier"] != [node.hex() for node in self.tree.frontier]:
                report("batch-frontier", "frontier is not the tree of the entries before this segment")
        return line

    def header_3_3(self, first, record, block, report):
        """The header of a batch leaves no choice: it is made again from the block."""
        want = ("WARC/1.1\r\nWARC-Type: metadata\r\nWARC-Record-ID: <%s>\r\nWARC-Date: %s\r\n"
                "Content-Type: application/vnd.exhibit.batch\r\nWARC-Block-Digest: sha256:%s\r\nContent-Length: %d\r\n\r\n"
                % (uuid_of("exhibit batch %s %d" % (first["case"], first["batch"])), first["time"], sha(block), len(block)))
        if record.header != want.encode():
            report("batch-header", "the header of the batch is not the one that its block gives")

    def claims_2_4(self, claims, place):
        """The records since the last batch must be those that the entries name, in the same order."""
        for (header, block), record in zip(claims, self.pending):
            if header != record.header or block != record.block_hash:
                self.report.add("record-mismatch", "%s, byte %d" % (self.name, record.offset),
                                "the record is not the one that the ledger names here")
        if len(self.pending) > len(claims):
            self.report.add("record-unclaimed", "%s, byte %d" % (self.name, self.pending[len(claims)].offset),
                            "%d records that no entry claims" % (len(self.pending) - len(claims)))
        elif len(claims) > len(self.pending):
            self.report.add("record-mismatch", place, "entries name %d records that are not there" % (
                len(claims) - len(self.pending)))

    # -- 4: entries

    def entry_4(self, head_line, detail_line, place):
        """Checks one entry and returns its claims to records."""
        seq = self.next_seq
        self.next_seq += 1
        place = "%s, entry %d" % (place, seq)
        self.tree.add(head_line)
        if self.tree.size in self.sizes:
            self.roots[self.tree.size] = self.tree.root()
        kind, claims, body = "", [], {}
        try:
            head = json_1_2(head_line, "entry-form")
            if not HEAD_4_1(head):
                raise Bad("entry-form", "the head line does not have the keys and values of section 4.1")
            kind = head["kind"]
            if head["seq"] != seq:
                self.report.add("entry-form", place, "seq is %d" % head["seq"])
            if kind != "exchange" and (head["method"] or head["status"]):
                self.report.add("entry-form", place, "method and status belong to exchanges alone")
            if head["detail"] != sha(detail_line):
                self.report.add("entry-form", place, "the detail line is not the one that the head line names")
            detail = json_1_2(detail_line, "entry-form")
            if not DETAIL_4_2(detail):
                raise Bad("entry-form", "the detail line does not have the keys and values of sections 4.2 and 4.3")
            body = detail["body"]
            if not KINDS_4_4.get(kind, no_negative)(body):
                raise Bad("entry-form", "the body does not have the keys and values of a body of kind %s" % kind)
            claims = [(header_4_3(head, detail, i), r["block"]) for i, r in enumerate(detail["records"])]
            for text in self.rules_4(seq, head, detail["records"], body):
                self.report.add("entry-rule", place, text)
        except Bad as bad:
            self.report.add(bad.code, place, bad.text)
        if self.seal and self.seal[0] < seq:
            self.report.add("after-seal", place, "an entry after the seal entry")
        self.kinds.append(self.KIND_NUMBER.get(kind, 0))
        self.kind_counts[kind] += 1
        return claims

    KIND_NUMBER = {kind: i for i, kind in enumerate(KINDS_4_4, 1)}

    def earlier(self, seq, kind):
        """Whether seq names an earlier entry of that kind; -1 names none."""
        return seq == -1 or seq < len(self.kinds) and self.kinds[seq] in (self.KIND_NUMBER[kind], self.HIDDEN)

    def rules_4(self, seq, head, records, body):
        """Yields what an entry says against sections 4.5 to 4.8."""
        kind, window = head["kind"], head["window"]
        if (kind == "case") != (seq == 0):
            yield "entry 0, and no other, is the case entry"
        if kind == "window" and body["state"] == "opened":
            if window != len(self.windows) + 1:
                yield "window %d is opened where %d was due" % (window, len(self.windows) + 1)
            self.windows.append([body["acquisition"], "opened", 0, 0])
            if body["last"] != -1:
                yield "a window opens with a last page"
        elif window > len(self.windows):
            yield "window %d was not opened before" % window
        elif kind == "window":
            yield from self.closing_4_8(window, body)
        if kind == "window":
            if not self.earlier(body["last"], "exchange"):
                yield "last names no earlier exchange"
            if acquisition_4_7(head["source"], body) != body["acquisition"]:
                yield "acquisition is not the hash of what was asked for"
        elif kind == "exchange":
            if 0 < window <= len(self.windows):
                self.windows[window - 1][2] += 1
            yield from self.retry_4_8(seq, head, body)
            yield from self.exchange_4_5(head, records, body)
        elif kind == "connection":
            yield from self.record_types_4_5(records, ("request", "response", "resource"), 0)
            yield from self.redactions_4_6(records, body)
        elif kind in ("operator", "gap", "checkpoint"):
            yield from () if all(r["type"] == "resource" for r in records) else ["records that such an entry does not have"]
        elif kind in ("case", "window", "key", "seal") and records:
            yield "records that such an entry does not have"
        if kind == "operator" and body["action"] == "stamp":
            yield from self.stamp_5_7(seq, records, body)
        if kind == "case":
            self.keys = [verifier_key_5_5(k) for k in body["keys"]]
            if not self.keys:
                yield "the case allows no key"
            if body["case"] != self.case_id or body["origin"] != ORIGIN + body["case"]:
                yield "case id or origin is another one"
            yield from supplements_4_10(body)
        elif kind == "key":
            if len(self.keys) + len(self.added_keys) >= MAX_KEYS:
                yield "more than %d keys" % MAX_KEYS
            else:
                self.added_keys.append((seq, verifier_key_5_5(body["key"])))
        elif kind == "checkpoint":
            self.checkpoints.append((seq, body["size"], sha(body["note"].encode("utf-8"))))
        elif kind == "gap":
            if body["reason"] == "torn" and len(records) == 1:
                self.gaps.append((body["segment"], body["offset"], records[0]["block_length"], records[0]["block"]))
            if any(r["block_length"] != body["length"] for r in records):
                yield "length is not that of the torn bytes"
        elif kind == "seal" and not self.seal:
            self.seal = seq, self.number
            if not self.seal_4_4(seq, body):
                self.report.add("seal-form", "entry %d" % seq, "the seal does not say what came before it")

    def seal_4_4(self, seq, body):
        counts = [{"kind": k, "count": n} for k, n in sorted(self.kind_counts.items())]
        return body["counts"] == counts and body["segment"] == self.number and body["preceding"] == self.prev_before

    def closing_4_8(self, window, body):
        if not window:
            yield "a window entry without a window"
            return
        state = self.windows[window - 1]
        if body["requests"] != state[2]:
            yield "the window counts %d requests, its exchanges are %d" % (body["requests"], state[2])
        if body["acquisition"] != state[0]:
            yield "the window is closed as another acquisition than it was opened"
        if body["pages"] > state[3]:
            yield "the window counts %d pages, %d were brought" % (body["pages"], state[3])
        state[1] = body["state"]

    def retry_4_8(self, seq, head, body):
        """A retry replaces the latest exchange of its own chain, on the same page."""
        key = head["window"], body["chain"]
        last = self.chains.get(key)
        if body["retry_of"] >= 0 and (not last or last[0] != body["retry_of"] or last[1] != body["page"] or last[2] >= body["attempt"]):
            yield "retry_of does not name the latest attempt at this page of the chain"
        kept = head["status"] == 200 and body["ended"] == "complete"
        if head["window"] and head["window"] <= len(self.windows):
            self.windows[head["window"] - 1][3] += kept - (body["retry_of"] >= 0 and last is not None and last[3])
        self.chains[key] = seq, body["page"], body["attempt"], kept

    def exchange_4_5(self, head, records, body):
        for key, kind in (("connection", "connection"), ("parent", "exchange"), ("retry_of", "exchange")):
            if not self.earlier(body[key], kind):
                yield "%s names no earlier %s" % (key, kind)
        yield from self.record_types_4_5(records, ("request", "response", "resource"), 1)
        if any(r["type"] != "resource" and r["uri"] != body["url"] for r in records):
            yield "a record is of another URL than its entry"
        answered = len(records) > 1 and records[1]["type"] == "response"
        if head["status"] and not answered:
            yield "a status without a response"
        response = records[1]["block_length"] if answered else 0
        if body["head_offset"] < 0 and body["head_length"] or \
                body["head_offset"] >= 0 and not 0 < body["head_length"] <= response - body["head_offset"]:
            yield "head_offset and head_length do not lie in the response"
        yield from self.redactions_4_6(records, body)

    def redactions_4_6(self, records, body):
        for r in body["redactions"]:
            if r["record"] >= len(records) or r["offset"] + r["length"] > records[r["record"]]["block_length"]:
                yield "a redaction lies outside its record"
            elif records[r["record"]]["type"] != "request":
                yield "a redaction in what is not a request"

    def record_types_4_5(self, records, types, required):
        """The records of an entry must be those types in that order; the first `required` must be there."""
        found = [r["type"] for r in records]
        if found != [t for t in types if t in found] or found[:required] != list(types[:required]):
            yield "the records are not those that such an entry has"

    # -- 5: heads

    def heads_5(self):
        """Every note: its form, its root, its signatures; then the entries that repeat the notes."""
        heads, self.good_heads = [], {}           # size → keys whose signature is good
        for size in self.notes:
            name = "data/checkpoints/%d.note" % size
            try:
                data = self.read(name, MAX_NOTE + 1)
                lines, text, signatures = signed_note_5_2(data, 3, "head-form")
                if lines[0] != ORIGIN + str(self.case_id):
                    raise Bad("head-form", "the head belongs to another origin: %s" % show(lines[0]))
                stated, root = size_and_root(lines[1:], "head-form")
                if stated != size:
                    raise Bad("head-form", "the head states size %d" % stated)
            except Bad as bad:
                self.report.add(bad.code, name, bad.text)
                continue
            heads.append((size, name, text, signatures, sha(data)))
            if size > self.tree.size:
                self.report.add("head-root", name, "the head covers %d entries, but only %d are there" % (size, self.tree.size))
            elif root != self.roots.get(size):
                self.report.add("head-root", name, "the entries do not give the root that was signed")
        self.signatures_5_5(heads)
        self.checkpoints_5_3({size: digest for size, _, _, _, digest in heads})

    def signatures_5_5(self, heads):
        allowed, everyone = {}, self.keys + [key for _, key in self.added_keys]
        for name, number, key in everyone:
            if allowed.setdefault((name, number), key) != key:
                self.report.add("entry-rule", "keys", "two keys share the name and number of %s" % show(name))
        self.ed25519.check([(allowed[s[0], s[1]], text, s[2]) for _, _, text, signatures, _ in heads
                            for s in signatures if (s[0], s[1]) in allowed])
        self.allowed = {(name, number): key for name, number, key in self.keys}
        added = list(self.added_keys)
        for size, name, text, signatures, _ in heads:
            good = any(self.ed25519.good(self.allowed[s[:2]], text, s[2]) for s in signatures if s[:2] in self.allowed)
            if not good:
                self.report.add("head-signature", name, "no key that may sign has signed this head")
            foreign = [s for s in signatures if s[:2] not in self.allowed and not any(
                from_seq < size and s[:2] == key[:2] for from_seq, key in added)]
            if good and foreign:
                self.report.add("head-signature", name, "a signature line by a key that may not sign")
            while good and added and added[0][0] < size:       # the head covers these key entries
                self.allowed.setdefault(added[0][1][:2], added[0][1][2])
                added.pop(0)
            if any(not self.ed25519.good(self.allowed[s[:2]], text, s[2]) for s in signatures if s[:2] in self.allowed):
                self.report.add("head-signature", name, "a signature in the name of an allowed key is wrong")
            self.good_heads[size] = text, signatures

    def checkpoints_5_3(self, digests):
        held = set()
        for seq, size, digest in self.checkpoints:
            if size in held:
                self.report.add("entry-rule", "entry %d" % seq, "a second checkpoint entry over %d entries" % size)
            held.add(size)
            if size > seq:
                self.report.add("entry-rule", "entry %d" % seq, "a checkpoint over entries that come later")
            if size not in self.wanted:
                self.report.add("head-missing", "data/checkpoints/%d.note" % size,
                                "entry %d holds this head, the file is not there" % seq)
            elif digests.get(size, digest) != digest:
                self.report.add("head-entry", "data/checkpoints/%d.note" % size, "entry %d holds another text" % seq)
        for size in self.notes[:-1]:              # the newest has its entry yet to come, the final one has none
            if size not in held:
                self.report.add("head-entry", "data/checkpoints/%d.note" % size, "no checkpoint entry holds this head")

    def in_stamps(self, end):
        """What lies in stamps/ under names that end so, files or not."""
        folder = self.path("stamps")
        names = os.listdir(folder) if os.path.lexists(folder) and stat.S_ISDIR(os.lstat(folder).st_mode) else []
        return sorted(n for n in names if n.endswith(end))

    def cosignatures_5_10(self, keys):
        """Files in stamps/ that say they are cosignatures. Known keys are those given and those of the case; nothing else is checked with."""
        self.cosigned = {}                        # key → size of the largest head that it has cosigned
        known = {key_hash_5_10(key): key for key in [(*pair, pub) for pair, pub in self.allowed.items()] + keys}
        names = self.in_stamps(".cosignature")
        if len(names) > MAX_COSIGNATURES:
            self.report.add("cosignature-form", "stamps", "more than %d cosignatures" % MAX_COSIGNATURES)
        for name in names[:MAX_COSIGNATURES]:
            try:
                self.cosignature_5_10("stamps/" + name, known, keys)
            except Bad as bad:
                self.report.add(bad.code, show("stamps/" + name), bad.text)

    def cosignature_5_10(self, path, known, given):
        name = re.fullmatch(r"stamps/([1-9][0-9]{0,15})-([0-9a-f]{32})\.cosignature", path)
        if not name or not self.has(path):
            raise Bad("cosignature-form", "no cosignature has such a name, or it is no file")
        size, key = int(name[1]), known.get(name[2])
        _, text, signatures = signed_note_5_2(self.read(path, MAX_NOTE + 1), 3, "cosignature-form")
        if len(signatures) != 1:
            raise Bad("cosignature-form", "%d signature lines, not 1" % len(signatures))
        by, signature = signatures[0][:2], signatures[0][2]
        if key and by != key[:2] or not key and any(by == other[:2] for other in known.values()):
            raise Bad("cosignature-form", "its name is not that of the key in its signature line")
        if key and not self.ed25519.good(key[2], text, signature):
            raise Bad("cosignature-signature", "the signature in the name of %s is wrong" % show(by[0]))
        if size not in self.notes:
            raise Bad("cosignature-head", "the case has no head over %d entries" % size)
        if size in self.roots and text != ("%s%s\n%d\n%s\n" % (
                ORIGIN, self.case_id, size, base64.b64encode(self.roots[size]).decode())).encode():
            raise Bad("cosignature-head", "it was signed over another head than data/checkpoints/%d.note" % size)
        if key:
            self.cosigned[key] = max(size, self.cosigned.get(key, 0))
        who = show(by[0]) + ("" if key in given else ", a key that the case allows and that was not given")
        if not key:
            who = "a key that calls itself %s (%s): not checked, and proves nothing (give --key with a key that you got elsewhere)" % (
                show(by[0]), by[1].hex())
        self.report.say("head over %d entries: cosigned by %s" % (size, who))

    def stamp_5_7(self, seq, records, body):
        """An entry that states a token."""
        values = [f["value"] for f in body["fields"]]
        if [f["name"] for f in body["fields"]] != ["head", "file", "authority", "nonce"] or len(records) != 1:
            yield "a timestamp with other fields or records"
            return
        match = re.fullmatch(TOKEN_NAME, "data/checkpoints/" + values[1])
        record = records[0]
        if (record["type"], record["uri"], record["content_type"]) != ("resource", "urn:exhibit:timestamp", "application/timestamp-reply"):
            yield "the record is no timestamp"
        elif not match or match[1] != values[0] or int(values[0]) > seq:
            yield "a timestamp of head %s in file %s" % (show(values[0]), show(values[1]))
        elif match[0] in self.stamps or len(self.stamps) >= MAX_STAMPS:
            yield "a second entry on %s, or too many" % show(values[1])
        else:
            self.stamps[match[0]] = seq, record["block"], values[3]

    def tokens_5_7(self):
        """Every token: its form, what it is of, and the entry that states it."""
        openssl = Timestamps()
        names = sorted(n for n in self.files if re.fullmatch(TOKEN_NAME, n))
        late = ["stamps/" + n for n in self.in_stamps(".tsr")]
        for name in names + late[:MAX_LATE]:
            over = "package.note" if name in late else "data/checkpoints/%s.note" % re.fullmatch(TOKEN_NAME, name)[1]
            try:
                if not self.has(over) or not self.has(name) or name in late and not self.sealed:
                    token_bad("what it should be of is not there: %s; or it is no file" % over)
                data, raw = self.read(over, MAX_NOTE + 1), self.read(name, MAX_TOKEN + 1)
                token = token_5_6(raw, openssl)
                if token["imprint"] != sha(data):
                    token_bad("it is of something else than %s" % over)
                seq, block, nonce = self.stamps.get(name, (None, sha(raw), None))
                if block != sha(raw) or nonce is not None and (token["nonce"] is None or nonce != "%x" % token["nonce"]):
                    token_bad("it is not the one that entry %d tells of" % seq)
                self.tokens.append((name, None if name in late else int(over[17:-5]), token, raw, data, seq))
            except Bad as bad:
                self.report.add(bad.code, show(name), bad.text)
        if len(late) > MAX_LATE:
            self.report.add("token-form", "stamps", "more than %d timestamps" % MAX_LATE)
        for name, (seq, _, _) in self.stamps.items():
            if not self.has(name):
                self.report.add("token-missing", name, "entry %d tells of this timestamp" % seq)

    def stamped_5_9(self, roots):
        """[(name, root file, met)] and what the tokens of pinned authorities prove, in words."""
        openssl, met, lines = Timestamps(), [], []
        for file, pem in roots:
            good = [t for t in self.tokens if openssl.trusted(t[2], t[3], t[4], pem)]
            whole = [t for t in good if t[1] in (None, self.tree.size)]
            met.append((file, bool(whole if self.sealed else good)))
            if good:
                best = min(whole or [t for t in good if t[1] == max(g[1] for g in good)], key=lambda t: t[2]["time"])
                lines.append("%s entries existed before %s, by %s" % (
                    "all %d" % self.tree.size if whole else "the first %d of %d" % (best[1], self.tree.size),
                    instant(*best[2]["time"], best[2]["accuracy"]), show(file)))
            stated = [t for t in good if t[5] is not None]
            if stated:
                first = min(stated, key=lambda t: t[5])
                lines.append("the entries behind entry %d were committed after %s" % (first[5], instant(*first[2]["time"], -first[2]["accuracy"])))
        return met, lines

    # -- 6: the case folder once sealed

    def seal_6(self):
        if not self.sealed:
            for name in self.ONCE_SEALED:
                if self.has(name) and not self.seal:
                    self.report.add("path-unexpected", name, "belongs to a sealed case, but there is no seal entry")
            self.report.add("unsealed", "package.note", "not there: the case is %s" % (
                "being sealed, and the seal was not finished" if self.seal else "not sealed"), incomplete=True)
            return
        if not self.seal:
            self.report.add("seal-form", "package.note", "the case calls itself sealed, but there is no seal entry")
        if self.tree.size not in self.wanted:
            self.report.add("head-missing", "data/checkpoints/%d.note" % self.tree.size, "the final head is not there")
        self.package_6_2()

    def package_6_2(self):
        """Everything that must be there once sealed: all files, both manifests, package.note."""
        for name in self.ONCE_SEALED:
            if not self.has(name):
                self.report.add("path-missing", name, "a sealed case has this file")
        self.package_note_6_3(self.allowed)
        self.manifest_6_2("tagmanifest-sha256.txt", "tagmanifest", self.ONCE_SEALED[:3])
        self.manifest_6_2("manifest-sha256.txt", "manifest", [n for n in self.files if n.startswith("data/")])
        if self.has("bagit.txt") and self.read("bagit.txt", 100) != b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n":
            self.report.add("bagit", "bagit.txt", "does not declare BagIt 1.0 in UTF-8")
        self.bag_info_6_2()

    def bag_info_6_2(self):
        """The last line of bag-info.txt counts the bytes and files of data/; the others are a label, a colon and a value."""
        if not self.has("bag-info.txt"):
            return
        sizes = [os.stat(self.path(n)).st_size for n in self.files if n.startswith("data/")]
        try:
            lines = self.read("bag-info.txt", (1 << 20) + 1).decode("utf-8").split("\n")
        except ValueError:
            lines = ["not UTF-8", ""]
        if lines[-1] or lines[-2:-1] != ["Payload-Oxum: %d.%d" % (sum(sizes), len(sizes))]:
            self.report.add("bagit", "bag-info.txt", "Payload-Oxum is not its last line, or does not count what is in data/")
        fields = [line.partition(": ")[::2] for line in lines[:-1]]
        labels = [label for label, _ in fields]
        if len(fields) > 200 or not all(bag_field_6_2(*field) for field in fields) or \
                any(labels.count(once) > 1 for once in ("Payload-Oxum", "Bagging-Date")):
            self.report.add("bagit", "bag-info.txt", "a line is not a label and a value, or one that stands once is there twice")

    def package_note_6_3(self, allowed):
        self.package = None
        try:
            lines, text, signatures = signed_note_5_2(self.read("package.note", MAX_NOTE + 1), 5, "package-note")
            size, root = size_and_root(lines[2:4], "package-note")
            tag = self.hash_file("tagmanifest-sha256.txt") if self.has("tagmanifest-sha256.txt") else ""
            for wrong, meaning in (
                    (lines[0] != self.STATEMENT_6_3 or not is_hash(lines[4]), "its first or last line is malformed"),
                    (lines[1] != ORIGIN + str(self.case_id), "it belongs to another origin"),
                    (size != self.tree.size, "it was signed over %d entries, %d are there" % (size, self.tree.size)),
                    (root != self.tree.root(), "the entries do not give the root that was signed"),
                    (lines[4] != tag, "tagmanifest-sha256.txt is not the one that was signed")):
                if wrong:
                    self.report.add("package-note", "package.note", meaning)
            self.package = text, signatures
            good = [self.ed25519.good(allowed[s[:2]], text, s[2]) for s in signatures if s[:2] in allowed]
            if not good or not all(good) or len(good) != len(signatures):
                self.report.add("package-note", "package.note", "no good signature by a key that may sign, or one by another key, or a wrong one")
        except Bad as bad:
            self.report.add(bad.code, "package.note", bad.text)

    def manifest_6_2(self, name, code, members):
        """Makes the manifest again and asks for the same bytes."""
        if not self.has(name):
            return                                # path-missing, said already
        names = sorted((m for m in members if self.has(m)), key=os.fsencode)
        want = [("%s  " % self.hash_file(m)).encode() + os.fsencode(m) + b"\n" for m in names]
        found = self.read(name, sum(map(len, want)) + (1 << 20))
        if found == b"".join(want):
            return
        lines, same = found.splitlines(True), set(want)
        listed = set(lines)
        for line in want:
            if line not in listed:
                self.report.add(code, show(line[66:-1]), "not listed in %s with the hash that it has: changed or added" % name)
        for line in lines:
            if line not in same and line[66:-1].decode("latin-1") not in names:
                self.report.add(code, show(line[66:-1]), "listed in %s, but not there, or the line is malformed" % name)
        if listed == same:
            self.report.add(code, name, "lines are repeated or out of order")

    # -- 12: custody

    def custody_12(self):
        """The records of who held the case: their form, signatures, chain, and the container that they found."""
        self.custody, self.custody_last, before, ids, releases, answered, left = [], None, ZERO_HASH, set(), set(), set(), MAX_CHAIN
        names = [n for n in self.files if n.startswith("custody/")]
        numbers = {int(n[8:12]) for n in names if re.fullmatch(r"custody/[0-9]{4}\.note", n) and n != "custody/0000.note"}
        self.custody_other = len(names) - len(numbers)
        self.custody_signatures_12(sorted(numbers))
        for n in range(1, max(numbers, default=0) + 1):
            name = "custody/%04d.note" % n
            try:
                if n not in numbers:
                    if n == 1 or n - 1 in numbers:
                        self.report.add("custody-missing", name, "there is no such record, and there are later ones")
                    before = None
                    continue
                data = self.read(name, MAX_NOTE + 1)
                if len(data) > min(left, MAX_NOTE):
                    before = None
                    raise Bad("custody-form", "it is longer than 65,535 bytes, or all records are longer than 8 MiB")
                left, self.custody_last, last, before = left - len(data), sha(data), before, sha(data)
                record, text, signature = custody_record_12(data)
                key = verifier_key_5_5(record["key"])
                if signature[:2] != key[:2] or not self.ed25519.good(key[2], text, signature[2]):
                    raise Bad("custody-signature", "the key that it names did not sign it: %s" % show(key[0]))
                self.custody.append((n, record, key))
                self.custody_chain_12(name, n, record, last, (ids, releases, answered))
                if record["event"] == "transferred":
                    releases.add(before)
            except Bad as bad:
                self.report.add(bad.code, name, bad.text)

    def custody_signatures_12(self, numbers):
        """Has the signatures checked, several at a time."""
        jobs, left = [], MAX_CHAIN
        for n in numbers:
            data = self.read("custody/%04d.note" % n, MAX_NOTE + 1)
            if len(data) > min(left, MAX_NOTE):
                continue
            left -= len(data)
            try:
                record, text, signature = custody_record_12(data)
                jobs.append((verifier_key_5_5(record["key"])[2], text, signature[2]))
            except Bad:
                pass                              # said when its turn comes
        self.ed25519.check(jobs)

    def custody_chain_12(self, name, n, record, last, known):
        ids, releases, answered = known
        answers, container, size = record.get("answers"), self.container_12(), self.octets_12()
        for code, wrong, meaning in (
                ("custody-chain", record["sequence"] != str(n), "it says that it is record %s" % record["sequence"]),
                ("custody-chain", last is not None and record["previous"] != last, "it does not follow the record before it"),
                ("custody-chain", record["id"] in ids, "it has the id of an earlier record"),
                ("custody-chain", answers and answers not in releases, "it acknowledges a release that is none of the records before"),
                ("custody-chain", answers and answers in answered, "it acknowledges a release that was acknowledged before"),
                ("custody-case", self.case_id is not None and record["origin"] != ORIGIN + str(self.case_id), "it is a record of another case"),
                ("custody-container", container and record["container"] != container, "it found another container than was sealed"),
                ("custody-container", container and size and record["size"] != size, "it found another number of bytes than was sealed")):
            if wrong:
                self.report.add(code, name, meaning)
        ids.add(record["id"])
        answered.add(answers)

    def container_12(self):
        """The hash that package.note signs."""
        return self.package[0].decode("utf-8").split("\n")[4] if self.sealed and self.package else None

    def octets_12(self):
        """The bytes of data/ that bag-info.txt counts."""
        if not self.has("bag-info.txt"):
            return None
        m = re.search(rb"(?:^|\n)Payload-Oxum: (0|[1-9][0-9]*)\.[0-9]+\n$", self.read("bag-info.txt", 1 << 20))
        return m.group(1).decode() if m else None

    def say_custody(self, say, pinned):
        """Who held the case, as the records have it."""
        for n, record, key in self.custody:
            who = record.get("by") or "%s to %s" % (record["released-by"], record["received-by"])
            say("custody %d: %s (%s) %s: %s; signed by %s%s" % (n, record["time"], record["zone"], record["event"], show(who), show(key[0]),
                "" if key in pinned else ", a key that you did not pin"))
        if self.custody_last:
            say("custody: the last record has the hash %s" % self.custody_last)
            say("custody: records that were dropped behind it, or never written, cannot be seen here: compare with the parties' copies")
            say("custody: keys that are found in records prove nothing unless you pinned them")
        if self.custody_other:
            say("[custody-other] %d files in custody/ are no records; nothing covers them" % self.custody_other)

    # -- the verdict

    def windows_complete(self):
        """Section 4.8 and the exit code: what was asked for and not answered to the end."""
        done = set()
        for number, (acquisition, state, _, _) in reversed(list(enumerate(self.windows, 1))):
            if state in ("complete", "empty"):
                done.add(acquisition)
            elif state != "withheld" and acquisition not in done:    # what is withheld completes nothing that anybody can see
                self.report.add("window-open" if state == "opened" else "window-incomplete", "window %d" % number,
                                "%s, and no later window is known to have completed it" % state, incomplete=True)

    def pinned(self, keys):
        """The given keys that signed the final head and package.note (unsealed: the newest head)."""
        notes = [self.good_heads.get(self.tree.size), self.package] if self.sealed else \
            [self.good_heads.get(self.notes[-1])] if self.notes else [None]
        return [key for key in keys if all(
            note and any(s[:2] == key[:2] and self.ed25519.good(key[2], note[0], s[2]) for s in note[1])
            for note in notes)]

    def cosigners(self, keys):
        """The given keys that have cosigned the newest head, and made no bad signature elsewhere (5.10)."""
        notes = [note for note in (self.good_heads.get(self.notes[-1] if self.notes else 0), self.package) if note]
        return [key for key in keys if self.notes and self.cosigned.get(key) == self.notes[-1] and all(
            self.ed25519.good(key[2], text, s[2]) for text, signatures in notes for s in signatures if s[:2] == key[:2])]

    def complete(self):
        return "yes"

    def describe(self):
        self.report.say("case %s: %d segments with batches, %d entries" % (self.case_id, self.last_batch_segment, self.tree.size))

    # -- 5.11 and 5.12: heads that somebody else holds, and cosignatures of witnesses

    def trusted(self, text, signatures, keys):
        """Whether a key that may sign the case, a given key or a given witness signed, and none of them badly."""
        jobs = []
        for s in signatures:
            for key in set(self.allowed.items()) | {(k[:2], k[2]) for k in keys}:
                if s[:2] == key[0]:
                    jobs.append((key[1], text, s[2]))
            for key in self.elsewhere.witnesses:
                if s[:2] == key[:2]:
                    made = cosigned_5_12(s[2], text)
                    jobs.append((key[2],) + made[1:] if made else (key[2], text, b""))
        return bool(jobs) and all(self.ed25519.good(*job) for job in jobs)

    def extends(self, head, name):
        """Whether the case goes on from a head of it that a trusted key signed."""
        if any(code.startswith(UNREAD) for code in self.report.count):   # what is missing here is damage, and no other history
            self.report.add("head-unproven", name, "entries cannot be read, so that it cannot be told whether the case goes on from it")
        elif head.size > self.tree.size:
            self.report.add("rolled-back", name, "it covers %d entries, and %d are there" % (head.size, self.tree.size))
        elif head.root != self.roots.get(head.size):
            self.report.add("fork", name, "over the first %d entries it has the root %s, and the case has %s" % (
                head.size, head.root.hex(), self.roots.get(head.size, b"").hex()))
        else:
            return True
        return False

    def history_5_11(self, keys):
        """What is not met: each a line to be said."""
        unmet = []
        for head in self.elsewhere.heads:
            if head.origin != ORIGIN + str(self.case_id):
                unmet.append("known head %s: it is a head of another case" % show(head.name))
            elif not self.trusted(head.text, head.signatures, keys):
                unmet.append("known head %s: no key that the case allows or that was given signed it" % show(head.name))
            else:
                self.extends(head, show(head.name))
        unmet += self.cosignatures_5_12(keys)
        return unmet

    def cosignatures_5_12(self, keys):
        self.seen = {key: (0, 0) for key in self.elsewhere.witnesses}    # size and time of the largest head
        self.strangers = set()
        for size, number, name in self.witnessed:
            try:
                head = Head_5_11(name, self.read(name, MAX_KNOWN + 1))
            except (Bad, OSError):
                continue                          # it proves nothing, and nothing says that it must be there
            numbers = [s[1].hex() for s in head.signatures if cosigned_5_12(s[2], head.text)]
            if head.size != size or head.origin != ORIGIN + str(self.case_id) or number not in numbers or \
                    not self.trusted(head.text, head.signatures, keys) or not self.extends(head, name):
                continue
            for s in head.signatures:
                made, known = cosigned_5_12(s[2], head.text), [k for k in self.seen if k[:2] == s[:2]]
                if made and not known:
                    self.strangers.add(s[:2])
                for key in known:
                    self.seen[key] = max(self.seen[key], (size, made[0]))
        met = [key for key, (size, _) in self.seen.items() if size and (size == self.tree.size or not self.sealed)]
        wanted = self.elsewhere.quorum or len(self.seen)
        return [] if len(met) >= wanted else ["%d of %d witnesses: %s" % (len(met), wanted, "; ".join(
            "%s cosigned the head over %d of %d entries" % (show(key[0]), self.seen[key][0], self.tree.size)
            for key in self.seen if key not in met))]


# ---- 13. Productions --------------------------------------------------------------------------------

MAX_PRODUCTION_LINE, MAX_REASON, MAX_SOFTWARE = 2 * MAX_LINE + 128, 1000, 200
HEAD_13_2 = obj(format=one_of("exhibit-production/1"), case=is_id, size=positive, time=is_time_1_3,
                software=lambda v: is_value(v) and len(v) <= MAX_SOFTWARE, producer=is_key)
LEAST_13_3 = {"case": 2, "checkpoint": 2, "key": 2, "seal": 2, "window": 1, "gap": 1}
LINE_13_3 = re.compile(r'\{"seq":(0|[1-9][0-9]{0,15}),"level":([012]),')
DECODER = json.JSONDecoder(parse_int=json_integer, parse_float=json_refuse, parse_constant=json_refuse)


def value_at(text, key, at):
    """The spelling of the value of a key that must stand at a place, and where it ends."""
    start = at + len(key) + 3
    if text[at:start] != '"%s":' % key:
        raise Bad("production-form", "the key %s is not in its place" % key)
    try:
        value, end = DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        raise Bad("production-form", "the value of %s is not JSON as the format allows it" % key)
    return value, text[start:end], end


def line_13_3(line):
    """(seq, level, leaf hash, head line, detail line) of a line; what the level leaves out is None."""
    try:
        text = line.decode("ascii")
    except ValueError:
        raise Bad("production-form", "a line is not ASCII")
    start = LINE_13_3.match(text)
    if not start or len(line) > MAX_PRODUCTION_LINE or text[-1:] != "}":
        raise Bad("production-form", "not a line as the format spells it: %s" % show(line[:80]))
    seq, level, at = int(start.group(1)), int(start.group(2)), start.end()
    if level < 2:
        reason, spelled, at = value_at(text, "reason", at)
        if not is_text(reason) or json.dumps(reason) != spelled or re.search("[\ud800-\udfff]", reason) or \
                len(reason.encode("utf-8")) > MAX_REASON:
            raise Bad("production-form", "the reason is not a text in its only spelling, or too long")
        at += 1
        if text[at - 1:at] != ",":
            raise Bad("production-form", "nothing follows the reason")
    if level == 0:
        leaf = re.fullmatch('"leaf":"([0-9a-f]{64})"}', text[at:])
        if not leaf:
            raise Bad("production-form", "no leaf hash follows")
        return seq, level, bytes.fromhex(leaf.group(1)), None, None
    _, head, at = value_at(text, "head", at)
    leaf = hashlib.sha256(b"\0" + head.encode()).digest()
    if level == 1:
        if text[at:] != "}":
            raise Bad("production-form", "something follows the head line")
        return seq, level, leaf, head.encode(), None
    if text[at:at + 10] != ',"detail":':
        raise Bad("production-form", "no detail line follows the head line")
    return seq, level, leaf, head.encode(), text[at + 10:-1].encode()


class Production(Case):
    """A production (section 13): part of a case, and all of it accounted for."""
    INDEX_6_1, STATEMENT_6_3 = "production.jsonl", "exhibit production v1"
    ONCE_SEALED = ["bag-info.txt", "bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt",
                   "data/README.txt", "data/production.jsonl", "data/verify.py", "package.note"]

    @staticmethod
    def is_at(root):
        return os.path.lexists(os.path.join(root, "data", "production.jsonl"))

    def segments_2_1(self):
        """Every record of the segments, then every line of production.jsonl."""
        self.sealed, self.levels, self.hidden, self.size, self.producer = True, [0, 0, 0], 0, 0, None
        self.heads_only, self.number = set(), 0
        self.first, self.queue = None, []         # of records: (hash of the header, hash of the block, place)
        if not self.has("data/production.jsonl"):
            return
        with open(self.path("data/production.jsonl"), "rb") as file:
            try:
                self.first_13_2(file.readline(MAX_LINE + 2))
            except Bad as bad:
                self.report.add(bad.code, "data/production.jsonl, line 1", bad.text)
                return
            numbers = sorted(int(n[14:19]) for n in self.files if re.fullmatch(r"data/evidence/[0-9]{5}\.warc\.zst", n))
            for n in range(1, max(numbers, default=0) + 1):
                if n in numbers:
                    before = len(self.queue)
                    self.segment(n)
                    if len(self.queue) == before:
                        self.report.add("production-form", self.name, "the segment holds no record")
                else:
                    self.report.add("segment-missing", "data/evidence/%05d.warc.zst" % n, "there is no such segment")
            self.lines_13_3(file)
        if not numbers and os.path.isdir(self.path("data/evidence")):
            self.report.add("path-unexpected", "data/evidence", "no record is disclosed, and the folder is there")

    def first_13_2(self, line):
        if line[-1:] != b"\n":
            raise Bad("production-form", "there is no first line")
        self.first = json_1_2(line[:-1], "production-form")
        if not HEAD_13_2(self.first):
            raise Bad("production-form", "the first line does not have the keys and values of section 13.2")
        self.case_id, self.size, self.producer = self.first["case"], self.first["size"], verifier_key_5_5(self.first["producer"])

    def hold(self, offset, bad):
        self.report.add(bad.code, "%s, byte %d" % (self.name, offset), bad.text)

    def unread(self, offset):
        self.queue.append(("", "", "%s, byte %d" % (self.name, offset)))

    def record_2_4(self, record, end):
        self.records += 1
        for bad in record.broken:
            self.hold(record.offset, bad)
        if self.records == 1:
            if (record.header, record.block) != self.warcinfo_13_4():
                self.hold(record.offset, Bad("warcinfo", "not the warcinfo that the first line of production.jsonl makes"))
        else:
            self.queue.append((sha(record.header), record.block_hash, "%s, byte %d" % (self.name, record.offset)))

    def warcinfo_13_4(self):
        block = ("software: %s\r\nformat: WARC File Format 1.1\r\nconformsTo: %s\r\nisPartOf: %s\r\n" % (
            self.first["software"], CONFORMS, self.case_id)).encode()
        header = ("WARC/1.1\r\nWARC-Type: warcinfo\r\nWARC-Record-ID: <%s>\r\nWARC-Date: %s\r\nWARC-Filename: %s\r\n"
                  "Content-Type: application/warc-fields\r\nWARC-Block-Digest: sha256:%s\r\nContent-Length: %d\r\n\r\n" % (
                      uuid_of("exhibit production %s %d" % (self.case_id, self.number)), self.first["time"],
                      self.name[14:], sha(block), len(block))).encode()
        return header, block

    def lines_13_3(self, file):
        claims, due = [], 0
        while True:
            line = file.readline(MAX_PRODUCTION_LINE + 2)
            if not line:
                break
            place = "data/production.jsonl, line of entry %d" % due
            try:
                if line[-1:] != b"\n":
                    raise Bad("production-form", "a line without an end, or too long")
                due = self.line_13_3(*line_13_3(line[:-1]), due, place, claims)
            except Bad as bad:
                self.report.add(bad.code, place, bad.text)
                due += 1
        if due != self.size:
            self.report.add("production-order", "data/production.jsonl", "%d lines for %d entries" % (due, self.size))
        self.claims_13_4(claims)

    def line_13_3(self, seq, level, leaf, head_line, detail_line, due, place, claims):
        """One line in its place. Returns the seq of the line that is due next."""
        if seq != due or seq >= self.size:
            self.report.add("production-order", place, "the line of entry %d where that of entry %d was due" % (seq, due))
            if seq > due:                         # a hole, or a lie: the tree is lost in any case
                return due + 1
        self.levels[level] += 1
        self.next_seq = seq
        if level == 2:
            claims += self.entry_4(head_line, detail_line, place)
            return seq + 1
        self.tree.add_leaf(leaf)
        if self.tree.size in self.sizes:
            self.roots[self.tree.size] = self.tree.root()
        if level == 1:
            self.head_only(seq, head_line, place)
        else:
            if seq == 0:
                self.report.add("production-level", place, "the case entry is withheld")
            self.hidden += 1
            self.kinds.append(self.HIDDEN)
        return seq + 1

    def head_only(self, seq, line, place):
        """An entry of which nothing but the head line is there."""
        head = json_1_2(line, "production-form")
        kind = head.get("kind")
        if not HEAD_4_1(head) or head["seq"] != seq or kind != "exchange" and (head["method"] or head["status"]):
            raise Bad("production-form", "the head line does not have the keys and values of section 4.1")
        if LEAST_13_3.get(kind, 0) > 1:
            self.report.add("production-level", place, "an entry of kind %s is withheld" % kind)
        if (kind == "case") != (seq == 0):
            self.report.add("entry-rule", place, "entry 0, and no other, is the case entry")
        window = head["window"]
        if kind == "window" and window == len(self.windows) + 1:
            self.windows.append([None, "withheld", 0, 0])
        elif window > len(self.windows) or kind == "window" and not window:
            self.report.add("entry-rule", place, "window %d was not opened before" % window)
        elif kind == "window":
            self.windows[window - 1][1] = "withheld"
        elif kind == "exchange" and window:
            self.windows[window - 1][2] += 1
            self.windows[window - 1][3] += head["status"] == 200      # it may have brought a page
        self.heads_only.add(seq)
        self.kinds.append(self.KIND_NUMBER.get(kind, 0))
        self.kind_counts[kind] += 1

    def claims_13_4(self, claims):
        for (header, block), (found, found_block, place) in zip(claims, self.queue):
            if (sha(header), block) != (found, found_block):
                self.report.add("record-mismatch", place, "the record is not the one that the entries name here")
        if len(self.queue) > len(claims):
            self.report.add("record-unclaimed", self.queue[len(claims)][2], "%d records that no disclosed entry names" % (
                len(self.queue) - len(claims)))
        elif len(claims) > len(self.queue):
            self.report.add("record-mismatch", "data/evidence", "entries name %d records that are not there" % (
                len(claims) - len(self.queue)))

    # -- the rules across entries, as far as what is withheld lets them be seen

    def withheld(self, seq):
        return 0 <= seq < len(self.kinds) and (self.kinds[seq] == self.HIDDEN or seq in self.heads_only)

    def closing_4_8(self, window, body):
        if not window:
            yield "a window entry without a window"
            return
        state = self.windows[window - 1]
        state[0] = state[0] or body["acquisition"]
        if not state[2] <= body["requests"] <= state[2] + self.hidden:
            yield "the window counts %d requests, and its exchanges cannot be as many" % body["requests"]
        if state[0] != body["acquisition"]:
            yield "the window is closed as another acquisition than it was opened"
        if body["pages"] > state[3] + self.hidden:
            yield "the window counts %d pages, more than were brought" % body["pages"]
        state[1] = body["state"]

    def retry_4_8(self, seq, head, body):
        last, named = self.chains.get((head["window"], body["chain"])), body["retry_of"]
        if self.withheld(named):
            self.chains.pop((head["window"], body["chain"]), None)
            if last and last[0] > named:
                yield "retry_of does not name the latest attempt of the chain"
            body = dict(body, retry_of=-1)
        yield from Case.retry_4_8(self, seq, head, body)

    def seal_4_4(self, seq, body):
        stated = {c["kind"]: c["count"] for c in body["counts"]}
        if [c["kind"] for c in body["counts"]] != sorted(stated) or sum(stated.values()) != seq or body["segment"] < 1:
            return False
        if any(n > stated.get(kind, 0) for kind, n in self.kind_counts.items()):
            return False
        return all(n == self.kind_counts[kind] for kind, n in stated.items() if LEAST_13_3.get(kind, 0))

    def seal_6(self):
        if not self.seal or self.seal[0] != self.size - 1:
            self.report.add("seal-form", "data/production.jsonl", "the last entry is not the seal")
        if self.tree.size not in self.wanted:
            self.report.add("head-missing", "data/checkpoints/%d.note" % self.tree.size, "the final head is not there")
        self.package_6_2()

    def package_note_6_3(self, allowed):
        self.package = None
        if self.has("package.note"):
            Case.package_note_6_3(self, {self.producer[:2]: self.producer[2]} if self.producer else {})

    def complete(self):
        withheld = sum(w[1] == "withheld" for w in self.windows)
        return "not known: the outcome of %d windows is withheld" % withheld if withheld else "yes: this is what was acquired, not what is disclosed"

    def pinned(self, keys):
        """Each key must have signed the sealed head or package.note, and one of them the head; else none counts."""
        def by(note):
            return [key for key in keys if note and any(
                s[:2] == key[:2] and self.ed25519.good(key[2], note[0], s[2]) for s in note[1])]
        head, package = by(self.good_heads.get(self.tree.size)), by(self.package)
        return [key for key in keys if (head or self.cosigners(keys)) and (key in head or key in package and key == self.producer)]

    def describe(self):
        self.report.say("production of case %s: %d disclosed, %d withheld%s" % (
            self.case_id, self.levels[2], self.levels[0] + self.levels[1],
            "" if self.report.damage else ", nothing else, root matches"))
        self.report.say("withheld: of %d entries the head line is there, of %d a hash alone" % (self.levels[1], self.levels[0]))


class Head_5_11:
    """A head out of a note, whoever signed it. Raises Bad."""
    def __init__(self, name, data):
        self.name = name
        lines, self.text, self.signatures = signed_note_5_2(data, 3, "known-head", MAX_KNOWN)
        self.origin = lines[0]
        if not is_key_name(self.origin):
            raise Bad("known-head", "an origin that no head has: %s" % show(self.origin))
        self.size, self.root = size_and_root(lines[1:], "known-head")


def time_5_9(case, roots, report):
    """Statement (c); returns how many of the pinned authorities did not stamp the case."""
    met, lines = case.stamped_5_9(roots)
    unmet = [file for file, ok in met if not ok]
    for file in unmet:
        report.say("[tsa-not-met] %s: this authority did not stamp %s" % (show(file), "the final head or package.note" if case.sealed else "a head"))
    if roots:
        answer = "NO" if unmet or report.damage else "yes"
        report.say("(c) existed before T: " + "; ".join([answer] + lines))
    elif case.tokens:
        report.say("(c) existed before T: not checked: %d timestamps are there (give --tsa-ca with a root that its owner publishes)" % len(case.tokens))
    else:
        report.say("(c) existed before T: not shown: there is no timestamp")
    return len(unmet)


class Elsewhere:
    """What the user has from others than whoever made the case, as main reads it."""
    def __init__(self, given):
        self.keys, self.roots = given.get("--key", []), given.get("--tsa-ca", [])
        self.heads, self.witnesses = given.get("--known-head", []), given.get("--witness", [])
        self.custody = given.get("--custody-key", [])
        self.quorum = max(given.get("--witness-quorum", []), default=0)
        if self.quorum > len(self.witnesses):
            raise ValueError("--witness-quorum %d: more than there are witnesses" % self.quorum)

    def statement(self, case, unmet):
        found = [code for code in ("fork", "rolled-back") if case.report.count[code]]
        others = "; %d other witnesses cosigned, which proves nothing" % len(case.strangers) if case.strangers else ""
        if found or unmet:
            return "NO: " + "; ".join(found + unmet)
        if not self.heads and not self.witnesses:
            return "not checked (give --known-head or --witness)" + others
        if case.report.damage:
            return "not known, see (a)"
        return "yes, " + "; ".join(
            ["it goes on from the head over %d of %d entries in %s" % (h.size, case.tree.size, show(h.name)) for h in self.heads] +
            ["%s cosigned the head over %d of %d entries at %s" % (
                show(key[0]), size, case.tree.size, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(min(at, 1 << 37))))
             for key, (size, at) in case.seen.items() if size]) + others


def signed_5_5(case, keys, report):
    """Statement (b); returns what it says and how many of the given keys signed nothing that counts."""
    case.cosignatures_5_10(keys)
    met = case.pinned(keys)
    cosigned = [key for key in case.cosigners(keys) if key not in met]
    unmet = [key for key in keys if key not in met + cosigned]
    for key in unmet:
        report.say("[key-not-met] %s: this key did not sign the %s" % (
            show(key[0]), "final head and package.note" if case.sealed else "newest head"))
    cosigners = "; cosigned by " + ", ".join(show(key[0]) for key in cosigned) if cosigned else ""
    if not keys:
        answer = "signer not checked (give --key with a key that you got elsewhere)"
    elif unmet or report.damage:
        answer = "NO"
    elif cosigned and not met:
        answer = "signer not checked, no given key signed the case" + cosigners
    else:
        answer = "yes, " + ", ".join(show(key[0]) for key in met) + cosigners if case.sealed else "NO, the case is not sealed"
    return answer, len(unmet)


def check(root, elsewhere, report, ed25519):
    """Checks one case or production and returns the exit code."""
    case = (Production if Production.is_at(root) else Case)(root, report, ed25519, elsewhere)
    case.paths_6_1()
    case.segments_2_1()
    case.heads_5()
    case.tokens_5_7()
    case.seal_6()
    case.custody_12()
    case.windows_complete()
    signed, unmet = signed_5_5(case, elsewhere.keys, report)
    unseen = case.history_5_11(elsewhere.keys)
    for line in unseen:
        report.say("[not-met] " + line)
    unsigned = [key for key in elsewhere.custody if key not in [signer for _, _, signer in case.custody]]
    for key in unsigned:
        report.say("[custody-key-not-met] %s: this key signed no custody record" % show(key[0]))
    report.suppressed()
    say = report.say
    case.describe()
    case.say_custody(say, elsewhere.keys + elsewhere.custody)
    say("(a) internally consistent: " + ("NO, first finding: " + report.damage if report.damage else
        "yes" if case.sealed else "yes, at the level of content (not sealed: no manifest covers the bytes of the files)"))
    say("(b) sealed by key: " + (signed if not report.damage or not elsewhere.keys else "NO"))
    unstamped = time_5_9(case, elsewhere.roots, report)
    say("(d) the history that witnesses saw: " + elsewhere.statement(case, unseen))
    say("(e) complete, by its windows and its seal: " + (
        "NO, first finding: " + report.incomplete if report.incomplete else "not known, see (a)" if report.damage else
        "not known, see (d)" if report.other else case.complete()))
    say("what none of this shows: that the server told the truth")
    say("what none of this shows: that the operator recorded every exchange, and keeps no other case beside this one")
    say("what none of this shows: that the holder of the signing key did not make this history anew; a head kept elsewhere, or cosigned by a witness, does")
    say("what none of this shows: that the tool that recorded was honest, and its clock right")
    say("what none of this shows: that nothing was cut off behind the newest head, unless you hold a later one from elsewhere")
    say("not looked into: the content of ledger.db, work/, what lies in stamps/ beside timestamps and cosignatures")
    return 3 if report.damage or report.other else 4 if report.incomplete else 8 if unmet or unstamped or unseen or unsigned else 0


def guarded(root, elsewhere, report, ed25519):
    """check, but a failure that is not the evidence's becomes exit code 1 and one line."""
    try:
        return check(root, elsewhere, report, ed25519)
    except Unexpected as err:
        report.say("unexpected: %s" % show(str(err)))
    except Exception as err:                      # never a traceback: the place and the kind of failure
        frame = err.__traceback__
        while frame.tb_next:
            frame = frame.tb_next
        report.say("unexpected: %s: %s (line %d of verify.py)" % (type(err).__name__, show(str(err)), frame.tb_lineno))
    return 1


def is_case(path):
    return any(os.path.lexists(os.path.join(path, n)) for n in ("data", "bagit.txt", "custody"))


def given_key(text):
    key = verifier_key_5_5(text)
    if key is None:
        raise ValueError("no Ed25519 verifier key NAME+HASH+BASE64")
    return key


def given_root(name):
    with open(name, "rb") as file:
        pem = file.read(1 << 23)
    if not pinned_5_9(pem):
        raise ValueError("no certificate in PEM")
    return name, pem


def given_head(name):
    with open(name, "rb") as file:
        return Head_5_11(name, file.read(MAX_KNOWN + 1))


def given_witness(text):
    key = verifier_key_5_5(text, 4)
    if key is None:
        raise ValueError("no key of a witness, NAME+HASH+BASE64 of type 4")
    return key


def given_number(text):
    if not re.fullmatch("[1-9][0-9]{0,3}", text):
        raise ValueError("no number")
    return int(text)


def given_folder(name):
    if not os.path.isdir(name):
        raise ValueError("no folder")
    return name


OPTIONS = {                 # option: what its value is called, and what reads it
    "--key": ("VKEY", given_key),
    "--tsa-ca": ("PEM", given_root),
    "--known-head": ("FILE", given_head),
    "--witness": ("VKEY", given_witness),
    "--witness-quorum": ("N", given_number),
    "--custody-key": ("VKEY", given_key),
    "--each": ("DIR", given_folder),
}


def command_line(args):
    """({option: [values]}, [paths]): options stand before or behind paths. ValueError says what is wrong."""
    given, paths, args = {option: [] for option in OPTIONS}, [], collections.deque(args)
    while args:
        arg = args.popleft()
        if not arg.startswith("-"):
            paths.append(arg)
            continue
        option, glued, value = arg.partition("=")
        if option not in OPTIONS:
            raise ValueError("%s: no such option" % show(option))
        called, read = OPTIONS[option]
        if not glued and not args:
            raise ValueError("%s: %s is missing" % (option, called))
        value = value if glued else args.popleft()
        try:
            given[option].append(read(value))
        except (Bad, OSError, ValueError) as err:
            raise ValueError("%s %s: %s" % (option, show(value), show(getattr(err, "text", err))))
    if len(given["--each"]) > 1 or len(paths) > (0 if given["--each"] else 1):
        raise ValueError("more than one folder is given")
    return given, paths


def main(args):
    try:
        given, paths = command_line(args)
        elsewhere, ed25519 = Elsewhere(given), Ed25519()
        for folder in given["--each"]:
            for name in sorted(os.listdir(folder)):
                if os.path.isdir(os.path.join(folder, name)):
                    report = Report(quiet=True)
                    code = guarded(os.path.join(folder, name), elsewhere, report, ed25519)
                    print("%s\t%d\t%s" % (show(name), code, report.damage or report.other or report.incomplete or "-"))
            return 0
        root = paths[0] if paths else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        if not os.path.isdir(root) or not is_case(root):
            raise ValueError("%s: not the folder of a case" % show(root))
    except ValueError as err:
        options = " ".join("[%s %s]..." % (option, OPTIONS[option][0]) for option in OPTIONS if option != "--each")
        print("%s\nusage: verify.py %s [PATH] | verify.py --each DIR" % (err, options), file=sys.stderr)
        return 2
    return guarded(root, elsewhere, Report(), ed25519)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
