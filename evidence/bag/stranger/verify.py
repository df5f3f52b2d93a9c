#!/usr/bin/env python3
"""verify.py: checks an exhibit case with Python, zstd and openssl alone.

    python3 verify.py                  the case that this file lies in (data/verify.py)
    python3 verify.py PATH             the case in the folder PATH
    python3 verify.py --key VKEY PATH  and that VKEY signed it (may be repeated; all must have)
    python3 verify.py --known-head FILE PATH   and that it goes on from a head that was kept elsewhere (may be repeated)
    python3 verify.py --witness VKEY PATH      and that this witness cosigned its newest head (may be repeated;
                                               with --witness-quorum N, that N of them did)
    python3 verify.py --each DIR       each folder in DIR is a case: NAME, exit code, first finding code

It was written from the text of the format (docs/container.md, format 1) and shares no code with the
tool that made the case. Functions carry the number of the section that they check: frame_2_2 checks
section 2.2. It changes nothing in the case.

Exit codes: 0 verified, 1 unexpected (a program is missing, a file cannot be read), 2 usage,
3 altered or damaged, 4 incomplete or not sealed, 8 what was asked for with --key, --known-head or --witness
is not met.
If several hold, 3 comes before 4 and 4 before 8.

It does not look into ledger.db (a derived index: the manifest covers its bytes, nothing more is asked
of it), and does not look into custody/ and work/, which no manifest covers; in stamps/, at cosignatures alone.
"""
import base64, calendar, collections, hashlib, json, os, re, stat, subprocess, sys, tempfile, threading, time
from concurrent.futures import ThreadPoolExecutor

MAX_LINE, MAX_BATCH, MAX_HEADER = 65535, 8 << 20, 131072     # 1.1, 3.1, 2.3
MAX_WINDOW, MAX_BLOCK = 8 << 20, 128 << 10                   # 2.2
MAX_INT = 2**53 - 1                                          # 1.2
MAX_NOTE = 65535            # a note is the value of one JSON line, so it is no longer than a line
MAX_KNOWN = 128 << 10       # a head with cosignatures (5.6) stands in no line
MAX_DEPTH = 64              # of nested objects and arrays (1.2)
MAX_DAMAGE = 64             # places in one segment from which reading is taken up again
MAX_SCAN = 1 << 20          # block headers read in search of the next frame after damage
MAX_KEYS = 1024                                              # 5.5
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
        self.other = None                         # first code of another history (5.6), beside which the case may be whole

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
        node, n = hashlib.sha256(b"\0" + line).digest(), self.size
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


def cosigned_5_7(signature, text):
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


# ---- The case ---------------------------------------------------------------------------------------

class Case:
    """One pass over a case folder. What it has seen so far stands in its fields."""
    def __init__(self, root, report, ed25519, elsewhere):
        self.root, self.report, self.ed25519, self.elsewhere = root, report, ed25519, elsewhere
        self.files = set()                        # regular files, paths with "/"
        self.case_id, self.batches, self.next_seq, self.prev = None, 0, 0, ZERO_HASH
        self.tree, self.roots, self.wanted = Tree_5_1(), {}, set()
        self.kinds, self.kind_counts = bytearray(), collections.Counter()
        self.keys, self.added_keys, self.checkpoints = [], [], []
        self.windows = []                         # [acquisition, state, exchanges, pages brought] of window 1, 2, …
        self.chains = {}                          # (window, chain) → (seq, page, attempt, kept) of its latest exchange
        self.seal = None                          # (seq, segment) of the seal entry
        self.held, self.pending, self.tails, self.gaps = [], [], [], []
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
        allowed = re.compile(r"bagit\.txt|bag-info\.txt|(tag)?manifest-sha256\.txt|package\.note|data/(ledger\.db|"
                             r"README\.txt|verify\.py|evidence/[0-9]{5}\.warc\.zst|checkpoints/[1-9][0-9]{0,15}\.note)")
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
        self.cosignatures = sorted((int(m[1]), m[2], n) for n in self.files
                                   for m in [re.fullmatch(r"stamps/([1-9][0-9]{0,18})\.([0-9a-f]{8})\.cosig", n)] if m)
        self.sizes = set(self.notes) | {size for size, _, _ in self.cosignatures} | {h.size for h in self.elsewhere.heads}

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
        return seq == -1 or seq < len(self.kinds) and self.kinds[seq] == self.KIND_NUMBER[kind]

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
        if kind == "case":
            self.keys = [verifier_key_5_5(k) for k in body["keys"]]
            if not self.keys:
                yield "the case allows no key"
            if body["case"] != self.case_id or body["origin"] != ORIGIN + body["case"]:
                yield "case id or origin is another one"
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
            counts = [{"kind": k, "count": n} for k, n in sorted(self.kind_counts.items())]
            if body["counts"] != counts or body["segment"] != self.number or body["preceding"] != self.prev_before:
                self.report.add("seal-form", "entry %d" % seq, "the seal does not say what came before it")

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
        for seq, size, digest in self.checkpoints:
            if size > seq:
                self.report.add("entry-rule", "entry %d" % seq, "a checkpoint over entries that come later")
            if size not in self.wanted:
                self.report.add("head-missing", "data/checkpoints/%d.note" % size,
                                "entry %d holds this head, the file is not there" % seq)
            elif digests.get(size, digest) != digest:
                self.report.add("head-entry", "data/checkpoints/%d.note" % size, "entry %d holds another text" % seq)
        held = {size for _, size, _ in self.checkpoints}
        for size in self.notes[:-1]:              # the newest has its entry yet to come, the final one has none
            if size not in held:
                self.report.add("head-entry", "data/checkpoints/%d.note" % size, "no checkpoint entry holds this head")

    # -- 6: the case folder once sealed

    def seal_6(self):
        once_sealed = ["bag-info.txt", "bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt",
                       "data/README.txt", "data/ledger.db", "data/verify.py"]
        if not self.sealed:
            for name in once_sealed:
                if self.has(name) and not self.seal:
                    self.report.add("path-unexpected", name, "belongs to a sealed case, but there is no seal entry")
            self.report.add("unsealed", "package.note", "not there: the case is %s" % (
                "being sealed, and the seal was not finished" if self.seal else "not sealed"), incomplete=True)
            return
        if not self.seal:
            self.report.add("seal-form", "package.note", "the case calls itself sealed, but there is no seal entry")
        if self.tree.size not in self.wanted:
            self.report.add("head-missing", "data/checkpoints/%d.note" % self.tree.size, "the final head is not there")
        for name in once_sealed:
            if not self.has(name):
                self.report.add("path-missing", name, "a sealed case has this file")
        self.package_note_6_3()
        self.manifest_6_2("tagmanifest-sha256.txt", "tagmanifest", once_sealed[:3])
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

    def package_note_6_3(self):
        self.package = None
        try:
            lines, text, signatures = signed_note_5_2(self.read("package.note", MAX_NOTE + 1), 5, "package-note")
            size, root = size_and_root(lines[2:4], "package-note")
            tag = self.hash_file("tagmanifest-sha256.txt") if self.has("tagmanifest-sha256.txt") else ""
            for wrong, meaning in (
                    (lines[0] != "exhibit package v1" or not is_hash(lines[4]), "its first or last line is malformed"),
                    (lines[1] != ORIGIN + str(self.case_id), "it belongs to another origin"),
                    (size != self.tree.size, "it was signed over %d entries, %d are there" % (size, self.tree.size)),
                    (root != self.tree.root(), "the entries do not give the root that was signed"),
                    (lines[4] != tag, "tagmanifest-sha256.txt is not the one that was signed")):
                if wrong:
                    self.report.add("package-note", "package.note", meaning)
            self.package = text, signatures
            good = [self.ed25519.good(self.allowed[s[:2]], text, s[2]) for s in signatures if s[:2] in self.allowed]
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

    # -- the verdict

    def windows_complete(self):
        """Section 4.8 and the exit code: what was asked for and not answered to the end."""
        done = set()
        for number, (acquisition, state, _, _) in reversed(list(enumerate(self.windows, 1))):
            if state in ("complete", "empty"):
                done.add(acquisition)
            elif acquisition not in done:
                self.report.add("window-open" if state == "opened" else "window-incomplete", "window %d" % number,
                                "%s, and no later window completed it" % state, incomplete=True)

    def pinned(self, keys):
        """The given keys that signed the final head and package.note (unsealed: the newest head)."""
        notes = [self.good_heads.get(self.tree.size), self.package] if self.sealed else \
            [self.good_heads.get(self.notes[-1])] if self.notes else [None]
        return [key for key in keys if all(
            note and any(s[:2] == key[:2] and self.ed25519.good(key[2], note[0], s[2]) for s in note[1])
            for note in notes)]

    # -- 5.6 and 5.7: heads that somebody else holds, and cosignatures of witnesses

    def trusted(self, text, signatures, keys):
        """Whether a key that may sign the case, a given key or a given witness signed, and none of them badly."""
        jobs = []
        for s in signatures:
            for key in set(self.allowed.items()) | {(k[:2], k[2]) for k in keys}:
                if s[:2] == key[0]:
                    jobs.append((key[1], text, s[2]))
            for key in self.elsewhere.witnesses:
                if s[:2] == key[:2]:
                    made = cosigned_5_7(s[2], text)
                    jobs.append((key[2],) + made[1:] if made else (key[2], text, b""))
        return bool(jobs) and all(self.ed25519.good(*job) for job in jobs)

    def extends(self, head, name):
        """Whether the case goes on from a head of it that a trusted key signed."""
        if head.size > self.tree.size:
            self.report.add("rolled-back", name, "it covers %d entries, and %d are there" % (head.size, self.tree.size))
        elif head.root != self.roots.get(head.size):
            self.report.add("fork", name, "over the first %d entries it has the root %s, and the case has %s" % (
                head.size, head.root.hex(), self.roots.get(head.size, b"").hex()))
        else:
            return True
        return False

    def history_5_6(self, keys):
        """What is not met: each a line to be said."""
        unmet = []
        for head in self.elsewhere.heads:
            if head.origin != ORIGIN + str(self.case_id):
                unmet.append("known head %s: it is a head of another case" % show(head.name))
            elif not self.trusted(head.text, head.signatures, keys):
                unmet.append("known head %s: no key that the case allows or that was given signed it" % show(head.name))
            else:
                self.extends(head, show(head.name))
        unmet += self.cosignatures_5_7(keys)
        return unmet

    def cosignatures_5_7(self, keys):
        self.seen = {key: (0, 0) for key in self.elsewhere.witnesses}    # size and time of the largest head
        self.strangers = set()
        for size, number, name in self.cosignatures:
            try:
                head = Head_5_6(name, self.read(name, MAX_KNOWN + 1))
            except (Bad, OSError):
                continue                          # it proves nothing, and nothing says that it must be there
            numbers = [s[1].hex() for s in head.signatures if cosigned_5_7(s[2], head.text)]
            if head.size != size or head.origin != ORIGIN + str(self.case_id) or number not in numbers or \
                    not self.trusted(head.text, head.signatures, keys) or not self.extends(head, name):
                continue
            for s in head.signatures:
                made, known = cosigned_5_7(s[2], head.text), [k for k in self.seen if k[:2] == s[:2]]
                if made and not known:
                    self.strangers.add(s[:2])
                for key in known:
                    self.seen[key] = max(self.seen[key], (size, made[0]))
        met = [key for key, (size, _) in self.seen.items() if size and (size == self.tree.size or not self.sealed)]
        wanted = self.elsewhere.quorum or len(self.seen)
        return [] if len(met) >= wanted else ["%d of %d witnesses: %s" % (len(met), wanted, "; ".join(
            "%s cosigned the head over %d of %d entries" % (show(key[0]), self.seen[key][0], self.tree.size)
            for key in self.seen if key not in met))]


class Head_5_6:
    """A head out of a note, whoever signed it. Raises Bad."""
    def __init__(self, name, data):
        self.name = name
        lines, self.text, self.signatures = signed_note_5_2(data, 3, "known-head", MAX_KNOWN)
        self.origin = lines[0]
        self.size, self.root = size_and_root(lines[1:], "known-head")


class Elsewhere:
    """What the user has from others than the operator: heads, and keys of witnesses."""
    def __init__(self):
        self.heads, self.witnesses, self.quorum = [], [], 0

    def given(self, option, value):
        """Takes one option. A text says what is wrong with it."""
        if option == "--known-head":
            try:
                with open(value, "rb") as file:
                    self.heads.append(Head_5_6(value, file.read(MAX_KNOWN + 1)))
            except (Bad, OSError) as err:
                return "%s: %s" % (show(value), show(getattr(err, "text", err)))
        elif option == "--witness":
            self.witnesses.append(verifier_key_5_5(value, 4))
            if self.witnesses[-1] is None:
                return "not the key of a witness, NAME+HASH+BASE64 of type 4"
        elif not re.fullmatch("[1-9][0-9]{0,3}", value):
            return "not a number"
        else:
            self.quorum = int(value)
        return ""

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


def check(root, keys, report, ed25519, elsewhere):
    """Checks one case and returns the exit code."""
    case = Case(root, report, ed25519, elsewhere)
    case.paths_6_1()
    case.segments_2_1()
    case.heads_5()
    case.seal_6()
    case.windows_complete()
    met = case.pinned(keys)
    for key in keys:
        if key not in met:
            report.say("[key-not-met] %s: this key did not sign the %s" % (
                show(key[0]), "final head and package.note" if case.sealed else "newest head"))
    unmet = case.history_5_6(keys)
    for line in unmet:
        report.say("[not-met] " + line)
    report.suppressed()
    say = report.say
    say("case %s: %d segments with batches, %d entries" % (case.case_id, case.last_batch_segment, case.tree.size))
    say("(a) internally consistent: " + ("NO, first finding: " + report.damage if report.damage else
        "yes" if case.sealed else "yes, at the level of content (not sealed: no manifest covers the bytes of the files)"))
    if case.sealed and keys and len(met) == len(keys) and not report.damage:
        say("(b) sealed by key: yes, " + ", ".join(show(key[0]) for key in met))
    else:
        say("(b) sealed by key: " + ("NO" if keys and len(met) < len(keys) or keys and report.damage else
            "NO, the case is not sealed" if keys else "signer not checked (give --key with a key that you got elsewhere)"))
    say("(c) existed before T: not shown: no trusted time in format 1 as built")
    say("(d) the history that witnesses saw: " + elsewhere.statement(case, unmet))
    say("(e) complete, by its windows and its seal: " + (
        "NO, first finding: " + report.incomplete if report.incomplete else "not known, see (a)" if report.damage else
        "not known, see (d)" if report.other else "yes"))
    say("what none of this shows: that the server told the truth")
    say("what none of this shows: that the operator recorded every exchange")
    say("what none of this shows: that the tool that recorded was honest, and its clock right")
    say("not looked into: the content of ledger.db, custody/, work/, and all but cosignatures in stamps/")
    return 3 if report.damage or report.other else 4 if report.incomplete else 8 if len(met) < len(keys) or unmet else 0


def guarded(root, keys, report, ed25519, elsewhere=None):
    """check, but a failure that is not the evidence's becomes exit code 1 and one line."""
    try:
        return check(root, keys, report, ed25519, elsewhere or Elsewhere())
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


def main(args):
    usage = "usage: verify.py [--key VKEY]… [--known-head FILE]… [--witness VKEY]… [PATH] | verify.py --each DIR".replace("…", "...")
    keys, each, ed25519, elsewhere = [], None, Ed25519(), Elsewhere()
    while args and args[0].startswith("-"):
        option = args.pop(0)
        if option not in ("--key", "--each", "--known-head", "--witness", "--witness-quorum") or not args:
            print(usage, file=sys.stderr)
            return 2
        if option == "--each":
            each = args.pop(0)
            continue
        if option != "--key":
            wrong = elsewhere.given(option, args.pop(0))
            if wrong:
                print("%s: %s" % (option, wrong), file=sys.stderr)
                return 2
            continue
        key = verifier_key_5_5(args.pop(0))
        if key is None:
            print("--key: not an Ed25519 verifier key NAME+HASH+BASE64", file=sys.stderr)
            return 2
        keys.append(key)
    if elsewhere.quorum > len(elsewhere.witnesses):
        print("--witness-quorum: more than there are witnesses", file=sys.stderr)
        return 2
    if each is not None:
        if args or not os.path.isdir(each):
            print(usage, file=sys.stderr)
            return 2
        for name in sorted(os.listdir(each)):
            if os.path.isdir(os.path.join(each, name)):
                report = Report(quiet=True)
                code = guarded(os.path.join(each, name), keys, report, ed25519, elsewhere)
                print("%s\t%d\t%s" % (show(name), code, report.damage or report.other or report.incomplete or "-"))
        return 0
    root = args[0] if args else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if len(args) > 1 or not os.path.isdir(root) or not is_case(root):
        print("%s\n%s: not the folder of a case" % (usage, show(root)), file=sys.stderr)
        return 2
    return guarded(root, keys, Report(), ed25519, elsewhere)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
