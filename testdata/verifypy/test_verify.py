"""Tests of evidence/bag/stranger/verify.py: cases made by casewriter.py, each wrong in one place.

Run: python3 -m unittest discover -s testdata/verifypy
Each mutation names the exit code and the first finding code that it must give. PLANTED takes single checks
out of verify.py and requires that a mutation notices.
"""
import base64
import contextlib
import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
import types
import unittest

import casewriter as cw

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.normpath(os.path.join(HERE, "..", "..", "evidence", "bag", "stranger", "verify.py"))
SEGMENT1, SEGMENT2 = "data/evidence/00001.warc.zst", "data/evidence/00002.warc.zst"
with open(SCRIPT, encoding="utf-8") as _file:
    SOURCE = _file.read()


def load(source):
    module = types.ModuleType("verify")
    module.__file__ = SCRIPT
    exec(compile(source, "verify.py", "exec"), module.__dict__)
    return module


VERIFY = load(SOURCE)


def outcome(module, root, ed25519, keys=()):
    """Exit code, first finding code and what was printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        report = module.Report()
        code = module.guarded(root, module.Elsewhere({"--key": [module.verifier_key_5_5(k) for k in keys]}), report, ed25519)
    return code, report.damage or report.incomplete or "-", out.getvalue()


# ---- ways to be wrong

def at(value, wanted, change):
    """A hook that changes the step whose context is `value`."""
    return lambda x, context, *more: change(x) if context == value else x


def put(seq, **items):
    """Changes keys of a body, entry seq."""
    def change(detail, at_seq):
        if at_seq == seq:
            detail["body"].update(items)
        return detail
    return {"detail": change}


def step(name, context, change):
    return {name: lambda x, c, *more: change(x) if c == context else x}


def swap(old, new):
    def change(data):
        assert data.count(old) >= 1, (old, data)
        return data.replace(old, new, 1)
    return change


def setting(**items):
    def change(value):
        value.update(items)
        return value
    return change


def flip(offset, bits):
    def change(data):
        data = bytearray(data)
        data[offset] ^= bits
        return bytes(data)
    return change


def reheader(seq, index, old, new):
    """Changes the header of a record before it is claimed."""
    def change(records, at_seq):
        if at_seq == seq:
            assert old in records[index].header, (old, records[index].header)
            records[index].header = records[index].header.replace(old, new, 1)
        return records
    return {"records": change}


def reend(records, seq):
    if seq == 5:
        records[0].end = b"\r\n\n\n"
    return records


def reblock(records, seq):
    """Another block of the same length behind the digest of the old one, claimed by the entry."""
    if seq == 5:
        records[1].block = records[1].block.replace(b"200", b"201")
    return records


def big(records, seq):
    return records[:1] + [cw.Record("response", b"\0" * (9 << 20))] if seq == 5 else records


def dictionary(frame):
    """The same frame with a dictionary id of one byte."""
    single = frame[4] >> 5 & 1
    cut = 5 if single else 6
    return frame[:4] + bytes([frame[4] | 1]) + frame[5:cut] + b"\x07" + frame[cut:]


def head_size(frame):
    return 5 + (0 if frame[4] >> 5 & 1 else 1) + ((1 if frame[4] >> 5 & 1 else 0), 2, 4, 8)[frame[4] >> 6]


def empty_blocks(frame):
    cut = head_size(frame)
    return frame[:cut] + b"\0\0\0" * 600 + frame[cut:]


def block_type(frame):
    cut = head_size(frame)
    return frame[:cut] + bytes([frame[cut] | 6]) + frame[cut + 1:]


def block_long(frame):
    cut = head_size(frame)
    return frame[:cut] + ((200000 << 3) | 1).to_bytes(3, "little") + b"x" * 200000 + b"xxxx"


def large(records, seq):
    return records[:1] + [cw.Record("response", b"\0" * (17 << 20))] if seq == 5 else records


def late_checksum(frame):
    """Empty blocks before a wrong checksum: zstd hands out the whole content before it comes to the checksum."""
    frame, at = bytearray(frame), head_size(frame)
    while not frame[at] & 1:
        kind = frame[at] >> 1 & 3
        at += 3 + (1 if kind == 1 else int.from_bytes(frame[at:at + 3], "little") >> 3)
    frame[at] &= 0xfe
    frame[-1] ^= 1
    return bytes(frame[:-4]) + b"\0\0\0" * 43700 + b"\1\0\0" + bytes(frame[-4:])


def edit(name, change):
    """After the case is written: a file changed, manifests and package.note as they were."""
    def do(w):
        path = os.path.join(w.root, name)
        with open(path, "rb") as file:
            data = file.read()
        with open(path, "wb") as file:
            file.write(change(data))
    return do


def remove(name):
    return lambda w: os.remove(os.path.join(w.root, name))


def add(name, data=b"x"):
    def do(w):
        os.makedirs(os.path.dirname(os.path.join(w.root, name)), exist_ok=True)
        w.write(name, data)
    return do


def link(w):
    name = os.path.join(w.root, SEGMENT2)
    os.mkdir(os.path.join(w.root, "work"))
    os.rename(name, os.path.join(w.root, "work", "x"))
    os.symlink("../../work/x", name)


def pipe(w):
    os.mkfifo(os.path.join(w.root, "data", "checkpoints", "99.note"))


def resealed(do):
    """After the change, manifests and package.note are made again by the same key."""
    def both(w):
        do(w)
        w.manifest()
        w.package_note()
    return both


def late_segment(w):
    w.new_segment()
    w.entry("operator", cw.operator("late"))
    w.flush()
    w.package()


def late_warcinfo(w):
    w.new_segment()
    w.package()


def late_batch(w):
    w.entry("operator", cw.operator("late"))
    w.flush()
    w.head()
    w.package()


def second_signs_early(w):
    """The second key signs alone over entries that add no key yet."""
    with open(os.path.join(w.root, "data/checkpoints/3.note"), "rb") as file:
        text = file.read().split(b"\n\n")[0] + b"\n"
    w.write("data/checkpoints/3.note", text + b"\n" + w.keys[1].line(text))


def bad_signature(note):
    """A wrong signature in the name of an allowed key beside a good one."""
    last = note.split(b"\n")[-2]
    name, raw = last.split(b" ")[1:]
    raw = bytearray(base64.b64decode(raw))
    raw[10] ^= 1
    return note + b"\xe2\x80\x94 %s %s\n" % (name, base64.b64encode(bytes(raw)))


def only_bad(note):
    text, line = note.split(b"\n\n")
    return text + b"\n\n" + bad_signature(note).split(b"\n")[-2] + b"\n"


def low_order(w_keys):
    """A case whose listed key is the neutral element: every such "signature" would hold."""
    raw = b"\1" + (1).to_bytes(32, "little")
    key = cw.Key("examiner")
    key.set(raw)
    return key.verifier


def more_bagit(root):
    with open(os.path.join(root, "bagit.txt"), "ab") as file:
        file.write(b"\n")


def splice_tail(number, junk):
    return edit("data/evidence/%05d.warc.zst" % number, lambda data: data + junk)


def cut_tail(number, n):
    return edit("data/evidence/%05d.warc.zst" % number, lambda data: data[:-n])


LOOSE = cw.zstd((lambda r: r.header + r.block + b"\r\n\r\n")(cw.Record("request", cw.REQUEST).placed(5, 0)))
ID_5_0 = b"WARC-Record-ID: <%s>\r\n" % cw.record_id(5, 0).encode()
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"

# name: (exit, first code, hooks, what is done afterwards); sealed cases
SEALED = {
    "frame-magic": (3, "frame-magic", step("frame", "record2.1", flip(0, 1)), None),
    "frame-skippable": (3, "frame-skippable", step("frame", "record2.1", lambda f: SKIPPABLE + f), None),
    "frame-skippable-end": (3, "frame-skippable", step("frame", "batch5", lambda f: f + SKIPPABLE), None),
    "frame-cut": (3, "frame-cut", step("frame", "batch5", lambda f: f[:-3]), None),
    "frame-reserved": (3, "frame-reserved", step("frame", "record2.1", flip(4, 8)), None),
    "frame-unused": (3, "frame-reserved", step("frame", "record2.1", flip(4, 16)), None),
    "frame-dictionary": (3, "frame-dictionary", step("frame", "record2.1", dictionary), None),
    "frame-no-checksum": (3, "frame-no-checksum", {"frame": lambda f, i, c: cw.zstd(c, "--no-check") if i == "record2.1" else f}, None),
    "frame-no-size": (3, "frame-no-size", {"frame": lambda f, i, c: cw.zstd(c, "stdin") if i == "record2.1" else f}, None),
    "frame-window": (3, "frame-window", {"records": big, "frame": lambda f, i, c: cw.zstd(c, "--long=27") if i == "record2.2" else f}, None),
    "frame-block-type": (3, "frame-block", step("frame", "record2.1", block_type), None),
    "frame-block-long": (3, "frame-block", step("frame", "record2.1", block_long), None),
    "frame-size": (3, "frame-size", step("frame", "record2.1", empty_blocks), None),
    "frame-checksum-wrong": (3, "frame-content", step("frame", "record2.1", flip(-1, 1)), None),
    "frame-checksum-wrong-batch": (3, "frame-content", step("frame", "batch5", flip(-1, 1)), None),
    "frame-checksum-wrong-large": (3, "frame-content", dict(step("frame", "record2.2", late_checksum), records=large), None),
    "frame-content-wrong": (3, "frame-content", step("frame", "record2.1", flip(-12, 1)), None),
    "junk-between": (3, "frame-magic", step("frame", "record2.1", lambda f: b"\0" + f), None),
    "record-two-in-frame": (3, "record-length", step("content", "record2.1", lambda c: c + c), None),
    "record-empty-frame": (3, "record-header", step("frame", "record2.1", lambda f: cw.zstd(b"") + f), None),
    "record-header-order": (3, "record-header", reheader(5, 0, b"WARC-Type: request\r\n%s" % ID_5_0, b"%sWARC-Type: request\r\n" % ID_5_0), None),
    "record-header-unknown": (3, "record-header", reheader(5, 0, b"Content-Type", b"X-Field: y\r\nContent-Type"), None),
    "record-header-twice": (3, "record-header", reheader(5, 0, b"WARC-Date: " + cw.TIME.encode() + b"\r\n",
                            b"WARC-Date: " + cw.TIME.encode() + b"\r\nWARC-Date: " + cw.TIME.encode() + b"\r\n"), None),
    "record-header-case": (3, "record-header", reheader(5, 0, b"WARC-Date", b"Warc-Date"), None),
    "record-header-space": (3, "record-header", reheader(5, 0, b"https://server.example/x\r\n", b"https://server.example/x \r\n"), None),
    "record-header-high": (3, "record-header", reheader(5, 0, b"server.example/x", b"server.example/\xc3\xbc"), None),
    "record-header-lf": (3, "record-header", reheader(5, 0, b"WARC/1.1\r\n", b"WARC/1.1\n"), None),
    "record-header-version": (3, "record-header", reheader(5, 0, b"WARC/1.1", b"WARC/1.0"), None),
    "record-header-type": (3, "record-header", reheader(5, 0, b"msgtype=request", b"msgtype=response"), None),
    "record-header-date": (3, "record-header", reheader(5, 0, b"2024-05-06T", b"2023-02-29T"), None),
    "record-header-truncated": (3, "record-header", reheader(6, 1, b"WARC-Truncated: length", b"WARC-Truncated: forget"), None),
    "record-header-kind": (3, "record-header", reheader(5, 0, b"WARC-Type: request", b"WARC-Type: revisit"), None),
    "record-header-id": (3, "record-header", reheader(5, 0, b"<urn:uuid:", b"<urn:uuid:A"), None),
    "record-header-long": (3, "record-header", reheader(5, 0, b"server.example/x", b"server.example/" + b"x" * 131072), None),
    "record-header-zero": (3, "record-header", reheader(5, 0, b"Content-Length: ", b"Content-Length: 0"), None),
    "record-length": (3, "record-length", reheader(5, 1, b"Content-Length: %d" % len(cw.RESPONSE), b"Content-Length: %d" % (len(cw.RESPONSE) + 1)), None),
    "record-id": (3, "record-mismatch", reheader(5, 0, ID_5_0, b"WARC-Record-ID: <%s>\r\n" % cw.record_id(5, 1).encode()), None),
    "record-concurrent": (3, "record-mismatch", reheader(5, 1, b"WARC-Concurrent-To: <%s>\r\n" % cw.record_id(5, 0).encode(), b""), None),
    "record-end": (3, "record-end", {"records": reend}, None),
    "record-digest": (3, "record-digest", {"records": reblock}, None),
    "record-unclaimed": (3, "record-unclaimed", step("frame", "batch2", lambda f: LOOSE + f), None),
    "record-missing": (3, "record-mismatch", step("frame", "record2.4", lambda f: b""), None),
    "record-order": (3, "record-mismatch", step("order", 2, lambda r: [r[1], r[0]] + r[2:]), None),
    "record-other": (3, "record-mismatch", step("content", "record2.1", lambda c: c.replace(b"2024-05-06T07:08:09", b"2024-05-06T07:08:08")), None),
    "warcinfo-hash": (3, "warcinfo", step("content", "warcinfo2", lambda c: c.replace(b"-9000-", b"-9001-")), None),
    "warcinfo-case": (3, "warcinfo", step("warcinfo", 2, lambda b: b.replace(b"0011", b"1100")), None),
    "warcinfo-fields": (3, "warcinfo", step("warcinfo", 2, lambda b: b + b"robots: ignore\r\n"), None),
    "warcinfo-twice": (3, "warcinfo", {"frame": lambda f, i, c: f + f if i == "warcinfo2" else f}, None),
    "segment-name": (3, "segment-name", step("filename", 2, lambda n: "00003.warc.zst"), None),
    "segment-missing": (3, "segment-missing", {}, remove(SEGMENT1)),
    "segment-last-missing": (3, "head-root", {}, remove(SEGMENT2)),
    "batch-header-date": (3, "batch-header", step("batch_fields", 2, lambda f: f[:2] + [("WARC-Date", "2024-05-06T07:08:09.000011Z")] + f[3:]), None),
    "batch-header-id": (3, "batch-header", step("batch_fields", 2, lambda f: f[:1] + [("WARC-Record-ID", "<urn:uuid:00000000-0000-8000-8000-000000000000>")] + f[2:]), None),
    "batch-form-key": (3, "batch-form", step("first", 2, setting(more=1)), None),
    "batch-form-space": (3, "batch-form", step("first_line", 2, swap(b'"batch":2', b'"batch": 2')), None),
    "batch-form-count": (3, "batch-form", step("first", 2, setting(count=5)), None),
    "batch-form-lf": (3, "batch-form", step("block", 2, lambda b: b[:-1]), None),
    "batch-form-line": (3, "batch-form", step("block", 2, lambda b: b + b"x\n"), None),
    "batch-form-case": (3, "batch-form", step("first", 2, setting(case="1" * 32)), None),
    "batch-form-frontier": (3, "batch-form", step("first", 4, setting(warcinfo="0" * 64, frontier=[])), None),
    "batch-order-number": (3, "batch-order", step("first", 2, setting(batch=3)), None),
    "batch-order-segment": (3, "batch-order", step("first", 2, setting(segment=2)), None),
    "batch-order-first": (3, "batch-order", step("first", 2, setting(first=4)), None),
    "batch-chain": (3, "batch-chain", step("first", 2, setting(prev="1" * 64)), None),
    "batch-frontier": (3, "batch-frontier", step("first", 3, lambda f: dict(f, frontier=f["frontier"][::-1])), None),
    "entry-space": (3, "entry-form", step("head_line", 4, swap(b",", b", ")), None),
    "entry-escape": (3, "entry-form", step("detail_line", 5, swap(b"https://", b"https:\\/\\/")), None),
    "entry-upper-escape": (3, "entry-form", step("detail_line", 5, swap(b"\\u20ac", b"\\u20AC")), None),
    "entry-utf8": (3, "entry-form", step("detail_line", 5, swap(b"\\u20ac", b"\xe2\x82\xac")), None),
    "entry-surrogate": (3, "entry-form", step("detail_line", 5, swap(b"\\u20ac", b"\\ud800")), None),
    "entry-twice": (3, "entry-form", step("detail_line", 5, swap(b'"page":1', b'"page":1,"page":1')), None),
    "entry-zero": (3, "entry-form", step("detail_line", 5, swap(b'"page":1', b'"page":01')), None),
    "entry-negative": (3, "entry-form", step("detail_line", 5, swap(b'"page":1', b'"page":-1')), None),
    "entry-minus-two": (3, "entry-form", put(5, parent=-2), None),
    "entry-fraction": (3, "entry-form", step("detail_line", 5, swap(b'"page":1', b'"page":1.0')), None),
    "entry-large": (3, "entry-form", put(5, page=2**53), None),
    "entry-huge": (3, "entry-form", step("detail_line", 5, swap(b'"page":1', b'"page":' + b"9" * 60000)), None),
    "entry-null": (3, "entry-form", put(10, sky=None), None),
    "entry-deep": (3, "entry-form", step("detail_line", 10, swap(b'["blue"', b"[" * 30000)), None),
    "entry-unknown-negative": (3, "entry-form", put(10, sky=-1), None),
    "entry-key-missing": (3, "entry-form", step("detail", 5, lambda d: dict(d, body={k: v for k, v in d["body"].items() if k != "url"})), None),
    "entry-key-unknown": (3, "entry-form", put(5, more=""), None),
    "entry-long": (3, "entry-form", put(5, error="x" * 65535), None),
    "entry-seq": (3, "entry-form", step("head", 4, setting(seq=5)), None),
    "entry-time": (3, "entry-form", step("head", 4, setting(start="2024-05-06T07:08:09Z")), None),
    "entry-kind": (3, "entry-form", step("head", 10, setting(kind="Weather")), None),
    "entry-method": (3, "entry-form", step("head", 4, setting(method="GET")), None),
    "entry-detail-hash": (3, "entry-form", step("head", 4, setting(detail="0" * 64)), None),
    "entry-flags": (3, "entry-form", put(5, flags=["b", "a"]), None),
    "entry-nonce": (3, "entry-form", step("detail", 5, setting(nonce="")), None),
    "entry-roots": (3, "entry-form", put(4, roots="other"), None),
    "rule-case-twice": (3, "entry-rule", {"head": lambda h, s: dict(h, kind="case") if s == 10 else h,
                        "detail": lambda d, s: dict(d, body=CASE_BODY()) if s == 10 else d}, None),
    "rule-origin": (3, "entry-rule", put(0, origin=cw.ORIGIN + "0"), None),
    "rule-window-number": (3, "entry-rule", step("head", 2, setting(window=2)), None),
    "rule-window-unknown": (3, "entry-rule", step("head", 5, setting(window=2)), None),
    "rule-window-requests": (3, "entry-rule", put(8, requests=2), None),
    "rule-window-acquisition": (3, "entry-rule", {"detail": lambda d, s: dict(d, body=dict(d["body"], acquisition="0" * 64)) if s in (2, 8) else d}, None),
    "rule-window-other": (3, "entry-rule", {"detail": lambda d, s: dict(d, body=cw.window("complete", 3, 5, to="")) if s == 8 else d}, None),
    "rule-window-zero": (3, "entry-rule", step("head", 8, setting(window=0)), None),
    "rule-window-last": (3, "entry-rule", put(8, last=4), None),
    "rule-parent": (3, "entry-rule", put(6, parent=6), None),
    "rule-retry": (3, "entry-rule", put(7, retry_of=4), None),
    "rule-connection": (3, "entry-rule", put(5, connection=5), None),
    "rule-redaction-far": (3, "entry-rule", put(5, redactions=[dict(cw.SPAN, offset=len(cw.REQUEST) - 7)]), None),
    "rule-redaction-index": (3, "entry-rule", put(5, redactions=[dict(cw.SPAN, record=2)]), None),
    "rule-redaction-response": (3, "entry-rule", put(5, redactions=[dict(cw.SPAN, record=1, offset=0)]), None),
    "rule-head-span": (3, "entry-rule", put(5, head_length=len(cw.RESPONSE) + 1), None),
    "rule-records": (3, "entry-rule", {"records": lambda r, s: r[::-1] if s == 6 else r}, None),
    "rule-no-request": (3, "entry-rule", {"records": lambda r, s: r[1:] if s == 5 else r}, None),
    "head-text": (3, "head-form", step("head_text", 3, lambda t: t + "extension\n"), None),
    "head-origin": (3, "head-form", step("head_text", 3, swap("case/0", "case/1")), None),
    "head-size-zero": (3, "head-form", step("head_text", 3, swap("\n3\n", "\n03\n")), None),
    "head-size-other": (3, "head-form", step("head_text", 3, swap("\n3\n", "\n4\n")), None),
    "head-base64": (3, "head-form", step("head_text", 3, swap("=\n", "\n")), None),
    "head-no-signature": (3, "head-form", step("note", 3, lambda n: n.split(b"\n\n")[0] + b"\n\n"), None),
    "head-root": (3, "head-root", step("head_text", 3, lambda t: "%s\n3\n%s\n" % (cw.ORIGIN, base64.b64encode(b"r" * 32).decode())), None),
    "head-signature-wrong": (3, "head-signature", step("note", 3, only_bad), None),
    "head-signature-beside": (3, "head-form", step("note", 3, bad_signature), None),
    "head-key-not-yet": (3, "head-signature", {}, resealed(second_signs_early)),
    "head-missing": (3, "head-missing", {}, resealed(remove("data/checkpoints/3.note"))),
    "head-final-missing": (3, "head-missing", {}, resealed(remove("data/checkpoints/15.note"))),
    "head-entry": (3, "head-entry", put(11, note="x"), None),
    "head-entry-missing": (3, "head-entry", {"head": lambda h, s: dict(h, kind="weather") if s == 11 else h,
                           "detail": lambda d, s: dict(d, body={}) if s == 11 else d}, None),
    "key-low-order": (3, "entry-form", put(0, keys=[low_order(None)]), None),
    "seal-counts": (3, "seal-form", put(14, counts=[]), None),
    "seal-preceding": (3, "seal-form", put(14, preceding="0" * 64), None),
    "seal-segment": (3, "seal-form", put(14, segment=1), None),
    "after-seal-batch": (3, "after-seal", {}, late_batch),
    "after-seal-segment": (3, "after-seal", {}, late_segment),
    "after-seal-warcinfo": (3, "after-seal", {}, late_warcinfo),
    "package-version": (3, "package-note", {"package_text": swap("package v1", "package v2")}, None),
    "package-size": (3, "package-note", {"package_text": swap("\n15\n", "\n14\n")}, None),
    "package-signature": (3, "package-note", {"package": only_bad}, None),
    "package-tag": (3, "package-note", {"package_text": lambda t: t[:-2] + ("0" if t[-2] != "0" else "1") + "\n"}, None),
    "manifest-order": (3, "manifest", {"manifest": lambda m: b"".join(m.splitlines(True)[::-1])}, None),
    "manifest-upper": (3, "manifest", {"manifest": lambda m: m[:64].upper() + m[64:]}, None),
    "manifest-extra": (3, "manifest", {"manifest": lambda m: m + b"0" * 64 + b"  data/x\n"}, None),
    "manifest-less": (3, "manifest", {"manifest": lambda m: b"".join(m.splitlines(True)[1:])}, None),
    "tagmanifest": (3, "tagmanifest", {"tagmanifest": lambda m: b"".join(m.splitlines(True)[1:])}, None),
    "bag-info-changed": (3, "tagmanifest", {}, edit("bag-info.txt", lambda d: d + b"x")),
    "bag-info-oxum": (3, "bagit", {"bag_info": lambda b: b.replace(b"Oxum: ", b"Oxum: 1")}, None),
    "bag-info-line": (3, "bagit", {"bag_info": lambda b: b"no label\n" + b}, None),
    "bagit-other": (3, "bagit", {"payload": lambda _, root: more_bagit(root)}, None),
    "ledger-changed": (3, "manifest", {}, edit("data/ledger.db", flip(0, 1))),
    "ledger-missing": (3, "path-missing", {}, remove("data/ledger.db")),
    "segment-malleated": (3, "manifest", {}, edit(SEGMENT1, lambda d: cw.zstd(subprocess.run(
        ["zstd", "-dc"], input=d[:VERIFY.frame_2_2(io.BytesIO(d), 0, len(d))[0]], stdout=subprocess.PIPE).stdout, "-19", "--ultra") +
        d[VERIFY.frame_2_2(io.BytesIO(d), 0, len(d))[0]:])),
    "path-data": (3, "path-unexpected", {}, resealed(add("data/extra.txt"))),
    "path-checkpoints": (3, "path-unexpected", {}, resealed(add("data/checkpoints/3.txt"))),
    "path-segment": (3, "path-unexpected", {}, resealed(add("data/evidence/00000.warc.zst"))),
    "path-top": (3, "path-unexpected", {}, add("notes.txt")),
    "path-folder": (3, "path-unexpected", {}, lambda w: os.mkdir(os.path.join(w.root, "more"))),
    "path-control": (3, "path-unexpected", {}, add("evil\x1b[2J\n.txt")),
    "path-link": (3, "path-type", {}, link),
    "path-pipe": (3, "path-type", {}, pipe),
    "tail-junk": (3, "frame-magic", {}, splice_tail(2, b"junk")),
    "tail-record": (3, "record-unclaimed", {}, splice_tail(2, LOOSE)),
    "tail-first-segment": (3, "record-unclaimed", {}, splice_tail(1, LOOSE)),
    "window-open": (4, "window-open", {"detail": lambda d, s: dict(d, body={}) if s == 8 else d,
                    "head": lambda h, s: dict(h, kind="weather", window=0) if s == 8 else h}, None),
    "window-partial": (4, "window-incomplete", put(8, state="partial", reason="throttled"), None),
    "window-failed": (4, "window-incomplete", put(8, state="failed"), None),
    "free-folders": (0, "-", {}, lambda w: (add("custody/receipt.pdf")(w), add("work/lock")(w), add("stamps/a/b")(w))),
}


def CASE_BODY():
    return {"format": "exhibit-container/1", "case": cw.CASE, "origin": cw.ORIGIN, "fields": [], "keys": [],
            "time_sources": [], "host": "", "tool": [], "continues": ""}


def start_segment(w):
    w.new_segment()


def empty_segment(w):
    add("data/evidence/00003.warc.zst", b"")(w)


def half_segment(w):
    w.new_segment()
    cut_tail(3, 5)(w)


def tail_then_batch(w):
    """Bytes behind the last batch of segment 1, though segment 2 goes on: no gap entry declares them."""
    splice_tail(1, b"junk")(w)


def recovered(cut):
    """A torn tail that a gap entry in the next segment holds; `cut` says whether it was cut already."""
    def do(w):
        path = os.path.join(w.root, SEGMENT2)
        offset, torn = os.path.getsize(path), LOOSE[:-7]
        if not cut:
            splice_tail(2, torn)(w)
        w.new_segment()
        w.checkpoint(13)
        w.entry("gap", {"reason": "torn", "text": "", "lost_run": cw.RUN, "in_flight": 8, "segment": 2, "offset": offset,
                        "length": len(torn)}, [cw.Record("resource", torn, "urn:exhibit:torn", cw.BYTES)], run="")
        w.flush()
    return do


def other_tail(w):
    recovered(False)(w)
    edit(SEGMENT2, flip(-1, 1))(w)


def sealing(w):
    w.checkpoint(13)
    w.seal(*w.keys[:2])


UNSEALED = {
    "unsealed": (4, "unsealed", {}, None),
    "unsealed-next-segment": (4, "unsealed", {}, start_segment),
    "torn-junk": (4, "torn-tail", {}, splice_tail(2, b"junk")),
    "torn-record": (4, "torn-tail", {}, splice_tail(2, LOOSE)),
    "torn-zeros": (4, "torn-tail", {}, splice_tail(2, b"\0" * 5000)),
    "frame-limit": (3, "frame-limit", {}, splice_tail(2, (b"junk" + LOOSE) * 100)),
    "torn-batch": (3, "head-root", {}, cut_tail(2, 5)),
    "torn-next-segment-empty": (4, "torn-tail", {}, empty_segment),
    "torn-next-segment-half": (4, "torn-tail", {}, half_segment),
    "torn-not-last": (3, "frame-magic", {}, tail_then_batch),
    "recovered": (4, "unsealed", {}, recovered(True)),
    "recovered-not-cut": (4, "torn-tail", {}, recovered(False)),
    "recovered-other-tail": (3, "frame-cut", {}, other_tail),
    "damage-before-batch": (3, "frame-content", step("frame", "record2.1", flip(-1, 1)), None),
    "damage-header-before-batch": (3, "frame-magic", step("frame", "record2.1", flip(2, 1)), None),
    "sealing": (4, "unsealed", {}, sealing),
    "sealing-tail": (3, "frame-magic", {}, lambda w: (sealing(w), splice_tail(2, b"junk")(w))),
    "manifest-left": (3, "path-unexpected", {}, add("manifest-sha256.txt", b"")),
    "note-beyond": (3, "head-root", {}, lambda w: os.rename(os.path.join(w.root, "data/checkpoints/13.note"),
                                                            os.path.join(w.root, "data/checkpoints/14.note"))
                    or edit("data/checkpoints/14.note", swap(b"\n13\n", b"\n14\n"))(w)),
    "no-segment": (3, "segment-missing", {}, lambda w: (remove(SEGMENT1)(w), remove(SEGMENT2)(w))),
    "no-data": (3, "segment-missing", {}, lambda w: (shutil.rmtree(os.path.join(w.root, "data")), add("custody/x")(w))),
    "package-junk": (3, "seal-form", {}, add("package.note", b"junk")),
    "batch-too-long": (3, "batch-form", {}, lambda w: too_long(w)),
}


def too_long(w):
    """A batch of more than 8 MiB: 70 entries of two long lines each."""
    for _ in range(140):
        w.entry("operator", cw.operator("x", text="y" * 65000))
    w.flush()


# a check taken out of verify.py: (the text, what stands in its place, the mutation that must notice)
PLANTED = [
    ("if flags & 0x18:", "if flags & 8:", "frame-unused"),
    ("if not flags & 4:", "if False:", "frame-no-checksum"),
    ("if window > MAX_WINDOW:", "if False:", "frame-window"),
    ("if size is not None and length > size + size // 128 + 1024:", "if False:", "frame-size"),
    ("                            if not good:\n", "                            if False:\n", "frame-checksum-wrong-large"),
    ('elif end != b"\\r\\n\\r\\n":', "elif False:", "record-end"),
    ('elif record.fields.get("WARC-Block-Digest", "sha256:" + record.block_hash) != "sha256:" + record.block_hash:', "elif False:", "record-digest"),
    ("if header != record.header or block != record.block_hash:", "if False:", "record-other"),
    ("if len(self.pending) > len(claims):", "if False:", "record-unclaimed"),
    ("if respelled != text:", "if False:", "entry-twice"),
    ('(type(item) is str and re.search("[\\ud800-\\udfff]", item))', "False", "entry-surrogate"),
    ('if head["detail"] != sha(detail_line):', "if False:", "entry-detail-hash"),
    ('if line["prev"] != self.prev:', "if False:", "batch-chain"),
    ('if line["frontier"] != [', "if False and [", "batch-frontier"),
    ("if record.header != want.encode():", "if False:", "batch-header-id"),
    ('or line["warcinfo"] != self.warcinfo.hash', "", "warcinfo-hash"),
    ('if body["requests"] != state[2]:', "if False:", "rule-window-requests"),
    ('if acquisition_4_7(head["source"], body) != body["acquisition"]:', "if False:", "rule-window-acquisition"),
    ('if body["acquisition"] != state[0]:', "if False:", "rule-window-other"),
    ("or y in LOW_ORDER", "", "key-low-order"),
    ("elif root != self.roots.get(size):", "elif False:", "head-root"),
    ("\n            if not good:\n", "\n            if False:\n", "head-key-not-yet"),
    ("if self.seal and self.seal[0] < seq:", "if False:", "after-seal-batch"),
    ("if not good or not all(good) or len(good) != len(signatures):", "if False:", "package-signature"),
    ("if found == b\"\".join(want):", "if True:", "manifest-order"),
    ("not stat.S_ISDIR(mode) and not stat.S_ISREG(mode)", "False", "path-link"),
    ("torn = garbled and (number", "torn = True or (number", "torn-not-last"),
]


class Cases(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for program in ("zstd", "openssl"):
            if shutil.which(program) is None:
                text = "verify.py NOT TESTED: the program %s is missing" % program
                if os.environ.get("EXHIBIT_REQUIRE_TOOLS") == "1":
                    raise AssertionError(text)
                raise unittest.SkipTest(text)
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.keys = [cw.Key("examiner"), cw.Key("second")]
        cls.ed25519 = VERIFY.Ed25519()

    def make(self, name, build, hooks, after):
        root = os.path.join(self.folder, "cases", name)
        if not os.path.exists(root):
            w = build(root, self.keys, dict(hooks))
            if after:
                w.on = {}
                after(w)
        return root

    def mutation(self, name):
        expected, build = (SEALED[name], cw.sealed) if name in SEALED else (UNSEALED[name], cw.unsealed)
        return self.make(name, build, expected[2], expected[3]), expected[:2]

    def test_mutations(self):
        for name in list(SEALED) + list(UNSEALED):
            with self.subTest(name):
                root, expected = self.mutation(name)
                code, first, text = outcome(VERIFY, root, self.ed25519)
                self.assertEqual((code, first), expected, text)
                self.assertTrue(all(" " <= c <= "~" or c == "\n" for c in text), "a control byte was printed")
        self.assertGreaterEqual(len(SEALED) + len(UNSEALED), 150)

    def test_each(self):
        """Batch mode gives the same answers as one process for each case."""
        names = ["free-folders", "record-digest", "unsealed", "window-failed", "head-root"]
        for name in names:
            root = self.mutation(name)[0]
            target = os.path.join(self.folder, "each", name)
            shutil.copytree(root, target)
        out = subprocess.run([sys.executable, SCRIPT, "--each", os.path.join(self.folder, "each")], stdout=subprocess.PIPE)
        want = "".join("%s\t%d\t%s\n" % ((name,) + self.mutation(name)[1]) for name in sorted(names))
        self.assertEqual((out.returncode, out.stdout.decode()), (0, want))

    def test_planted_bugs(self):
        for old, new, name in PLANTED:
            with self.subTest(name):
                self.assertEqual(SOURCE.count(old), 1, "the check to take out is not there: " + old)
                root, expected = self.mutation(name)
                code, first, text = outcome(load(SOURCE.replace(old, new)), root, self.ed25519)
                self.assertNotEqual((code, first), expected, "nothing noticed that this check was taken out: " + old)

    def run_script(self, *args, **options):
        return subprocess.run([sys.executable, SCRIPT] + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def test_intact(self):
        root = self.make("intact", cw.sealed, {}, None)
        result = self.run_script(root)
        self.assertEqual((result.returncode, result.stderr), (0, b""), result.stdout)
        for text in (b"(a) internally consistent: yes\n", b"(b) sealed by key: signer not checked", b"(c) existed before T: not shown",
                     b"(d) ", b"not checked", b"(e) ", b"that the server told the truth", b"that the operator recorded every exchange"):
            self.assertIn(text, result.stdout)

    def test_inside_the_bag(self):
        """Without an argument verify.py checks the bag that it lies in."""
        def own(_, root):
            shutil.copy(SCRIPT, os.path.join(root, "data", "verify.py"))
        root = self.make("own", cw.sealed, {"payload": own}, None)
        result = subprocess.run([sys.executable, os.path.join("data", "verify.py")], cwd=root, stdout=subprocess.PIPE)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_pinned_keys(self):
        root = self.make("pinned", cw.sealed, {}, None)
        stranger = cw.Key("stranger")
        first, second = self.keys[0].verifier, self.keys[1].verifier
        self.assertEqual(self.run_script("--key", first, root).returncode, 0)
        self.assertEqual(self.run_script("--key", stranger.verifier, root).returncode, 8)
        # the second key signed the final head, not package.note
        self.assertEqual(self.run_script("--key", second, root).returncode, 8)
        self.assertEqual(self.run_script("--key", first, "--key", stranger.verifier, root).returncode, 8)
        partial = self.mutation("window-partial")[0]
        self.assertEqual(self.run_script("--key", stranger.verifier, partial).returncode, 4)
        damaged = self.mutation("record-digest")[0]
        self.assertEqual(self.run_script("--key", stranger.verifier, damaged).returncode, 3)

    def test_readme(self):
        """The commands of README.txt do what it says, for the right key and for another."""
        with open(os.path.join(os.path.dirname(SCRIPT), "README.txt"), encoding="ascii") as file:
            text = file.read()
        start, end = text.index("    T=$(mktemp -d)"), text.index("It must print")
        root = self.make("readme", cw.sealed, {}, None)
        for key, said in ((self.keys[0], b"Verified Successfully"), (self.keys[1], b"Failure"), (cw.Key("examiner"), b"Failure")):
            result = subprocess.run(["bash", "-c", "KEY='%s'\n%s" % (key.verifier, text[start:end])], cwd=root,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertIn(said, result.stdout)
        for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
            self.assertEqual(subprocess.call(["sha256sum", "-c", "--quiet", name], cwd=root), 0)

    def test_no_surprise(self):
        """Random damage to any file of a case gives a verdict: 3 (or 4 unsealed), never 1."""
        chance = random.Random(7)
        for build, allowed in ((cw.sealed, (3,)), (cw.unsealed, (3, 4))):
            root = self.make("surprise-" + build.__name__, build, {}, None)
            names = [os.path.join(d, n) for d, _, names in os.walk(root) for n in names]
            for _ in range(100):
                path = chance.choice(sorted(names))
                with open(path, "rb") as file:
                    good = file.read()
                bad, n = bytearray(good), chance.randrange(len(good))
                bad[n:n + chance.choice((1, 4, 100))] = chance.choice((b"", b"\0", b"\xff\n", bad[:chance.randrange(60)]))
                if bad != good:
                    with open(path, "wb") as file:
                        file.write(bad)
                    code, _, text = outcome(VERIFY, root, self.ed25519)
                    self.assertIn(code, allowed, (path, n, text))
                    with open(path, "wb") as file:
                        file.write(good)

    def test_usage(self):
        root = self.make("usage", cw.sealed, {}, None)
        empty = os.path.join(self.folder, "empty")
        os.makedirs(empty, exist_ok=True)
        for args in (["--what", root], ["--key"], ["--key", "x+y+z", root], [root, root], [empty], [os.path.join(empty, "none")],
                     ["--each", os.path.join(empty, "none")], [SCRIPT]):
            result = self.run_script(*args)
            self.assertEqual(result.returncode, 2, args)
            self.assertNotIn(b"Traceback", result.stderr)

    def test_options(self):
        """Options stand before or behind the path, with a space or =, and what is wrong is said."""
        root, key = self.make("options", cw.sealed, {}, None), self.keys[0].verifier
        for args in (["--key", key, root], [root, "--key", key], ["--key=" + key, root], [root, "--key=" + key]):
            result = self.run_script(*args)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn(b"(b) sealed by key: yes", result.stdout)
        for args, says in (
                ([root, "--kye", key], b"--kye: no such option"),
                ([root, "--key"], b"--key: VKEY is missing"),
                ([root, "--key", "x"], b"--key x: no Ed25519 verifier key"),
                ([root, "--witness", key], b": no key of a witness"),
                ([root, "--witness-quorum", "0"], b"--witness-quorum 0: no number"),
                ([root, "--witness-quorum", "1"], b"--witness-quorum 1: more than there are witnesses"),
                ([root, "--known-head", "nowhere"], b"--known-head nowhere: "),
                ([root, "--tsa-ca", os.path.join(root, "bagit.txt")], b": no certificate in PEM"),
                ([root, "--custody-key", "x"], b"--custody-key x: no Ed25519 verifier key"),
                ([root, root], b"more than one folder is given"),
                (["--each", root, root], b"more than one folder is given"),
                (["--each", "nowhere"], b"--each nowhere: no folder")):
            result = self.run_script(*args)
            self.assertEqual((result.returncode, result.stdout), (2, b""), args)
            self.assertIn(says, result.stderr)
            self.assertIn(b"usage: verify.py [--key VKEY]...", result.stderr)

    def test_missing_programs(self):
        root = self.make("programs", cw.sealed, {}, None)
        for program in ("zstd", "openssl"):
            with tempfile.TemporaryDirectory() as path:
                for other in {"zstd", "openssl"} - {program}:
                    os.symlink(shutil.which(other), os.path.join(path, other))
                result = self.run_script(root, env={"PATH": path})
            self.assertEqual(result.returncode, 1, program)
            self.assertIn(b"the program %s cannot be run" % program.encode(), result.stdout)

    def test_later_window_completes(self):
        """A partial window is no gap once a later window of the same acquisition is complete; another's does not help."""
        def again(user):
            def after(w):
                w.checkpoint(13)
                body = dict(user=user)
                w.entry("window", cw.window("opened", 0, **body), source="src", window=2)
                w.entry("window", cw.window("empty", 0, **body), source="src", window=2)
                w.seal()
                w.package()
            return after
        partial = put(8, state="partial")
        root = self.make("again", cw.unsealed, partial, again("u\u00fc@example.org"))
        self.assertEqual(outcome(VERIFY, root, self.ed25519)[:2], (0, "-"))
        root = self.make("other", cw.unsealed, partial, again("v@example.org"))
        self.assertEqual(outcome(VERIFY, root, self.ed25519)[:2], (4, "window-incomplete"))

    def test_every_byte_of_a_segment(self):
        """Each byte of a sealed segment, one bit flipped: never 0, never an exception."""
        root = self.make("bytes", cw.sealed, {}, None)
        path = os.path.join(root, SEGMENT2)
        with open(path, "rb") as file:
            good = file.read()
        for offset in range(0, len(good), 131):
            with open(path, "wb") as file:
                file.write(flip(offset, 1 << offset % 8)(good))
            code, first, text = outcome(VERIFY, root, self.ed25519)
            self.assertEqual(code, 3, (offset, text))
        for length in range(0, len(good), 211):
            with open(path, "wb") as file:
                file.write(good[:length])
            self.assertEqual(outcome(VERIFY, root, self.ed25519)[0], 3, length)

    def test_tree(self):
        """Known answers: the roots of RFC 6962's reference data (certificate-transparency test vectors)."""
        leaves = [bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                             "606162636465666768696a6b6c6d6e6f")]
        roots = ["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                 "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                 "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                 "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                 "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                 "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                 "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                 "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"]
        tree = VERIFY.Tree_5_1()
        for i, leaf in enumerate(leaves):
            tree.add(leaf)
            self.assertEqual(tree.root().hex(), roots[i])
            self.assertEqual(cw.merkle(leaves[:i + 1]).hex(), roots[i])

    def test_weak_keys(self):
        """Keys of low order and second spellings of a key are refused; an ordinary one is not."""
        p = 2**255 - 19
        def verifier(number):
            key = cw.Key("k")
            key.set(b"\1" + number.to_bytes(32, "little"))
            return key.verifier
        for y in (0, 1, p - 1, p, p + 1, p + 5, 1 | 1 << 255, 2**255 - 1):
            self.assertIsNone(VERIFY.verifier_key_5_5(verifier(y)), y)
        self.assertIsNotNone(VERIFY.verifier_key_5_5(self.keys[0].verifier))
        self.assertIsNone(VERIFY.verifier_key_5_5(self.keys[0].verifier + "="))


if __name__ == "__main__":
    unittest.main()
