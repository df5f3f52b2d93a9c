"""Tests of what verify.py says of timestamps, on the vectors that both verifiers run. PLANTED takes single checks out of verify.py, and requires that a vector then ends otherwise.

Run: python3 -m unittest discover -s testdata/verifypy
"""
import glob
import io
import os
import subprocess
import tarfile
import tempfile
import unittest

from test_verify import HERE, SOURCE, load

VECTORS = os.path.normpath(os.path.join(HERE, "..", "vectors"))

# What is taken out, what stands there then, and the vector that notices.
PLANTED = [
    ("    if code != 0:\n", "    if code > 2:\n", "token-status-rejected-with-token"),
    ("    outer.end()\n    status_5_6", "    status_5_6", "token-trailing"),
    ("if not 1 <= size <= 4 or length < 128 or length >> 8 * (size - 1) == 0:", "if False:", "token-length-spelling"),
    ('or match[1] < b"2000" or', 'or', "token-time-1999"),
    ("if extension.boolean():", "if extension.boolean() and False:", "token-extension-critical"),
    ("if not 0 <= seconds <= 86400:", "if False:", "token-accuracy-month"),
    ("if not critical or not value:", "if not value:", "token-usage-not-critical"),
    ("    if usages.oid() != OID_STAMPING:", "    if usages.oid() and False:", "token-usage-other"),
    ("            token_bad(\"the certificate's key usage", "            str(\"the certificate's key usage", "token-key-usage"),
    ("    signers.end()\n    token =", "    token =", "token-signers-two"),
    ("    if OID_ID_V1 not in values and OID_ID_V2 not in values:", "    if False:", "token-certificate-id-missing"),
    ("if algorithm is None or first.take(4) !=", "if algorithm is None or first.take(4) and False and b'' !=", "token-certificate-id-other"),
    ("    if (directory.element(0x30)[1], serial) != (certificate.issuer, certificate.serial):", "    if directory.element(0x30) and False:", "token-certificate-id-issuer"),
    ("    if not fits:", "    if False:", "token-signature-algorithm"),
    ("    if not openssl.signature(", "    if False and not openssl.signature(", "token-signature-other-key"),
    ('if token["imprint"] != sha(data):', "if False:", "token-imprint"),
    ("if block != sha(raw) or", "if", "token-not-of-entry"),
    ("            if not self.has(name):\n                self.report.add(\"token-missing\"", "            if False:\n                self.report.add(\"token-missing\"", "token-missing"),
    ("        if not whole_5_6(key, signature):", "        if False:", "token-signature-trailing"),
    ("or part >= 1 << 24:", "and True:", "token-policy-part"),
    ("if part == 0 and byte == 128 or part", "if part", "token-policy-spelling"),
    ("        status.bits()\n", "        status.take(3)\n", "token-status-failure"),
    ("if not 0 <= number <= 2 or self.serial < 0 or", "if self.serial < 0 or", "token-certificate-version"),
    ("if not 0 <= number <= 2 or self.serial < 0 or", "if not 0 <= number <= 2 or", "token-certificate-serial"),
    ("or tbs.element(0x30)[1] != algorithm:", "or tbs.element(0x30) is algorithm:", "token-certificate-algorithm"),
    ("            if not allowed:\n", "            if False:\n", "token-certificate-name"),
    ("not self.has(over) or not self.has(name) or", "not self.has(over) or", "token-late-folder"),
    ("(token[\"nonce\"] is None or nonce", "(nonce", "token-entry-nonce-none"),
    ("or match[1] != values[0] or int(values[0]) > seq:", "or match[1] != values[0]:", "token-entry-later"),
]


def unpack(name, folder):
    with open(os.path.join(VECTORS, name + ".vector"), "rb") as file:
        header, _, body = file.read().partition(b"\n\n")
    tar = subprocess.run(["zstd", "-dqc"], input=body, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        archive.extractall(folder, filter="data")
    return int(dict(line.split(b": ", 1) for line in header.splitlines() if b": " in line)[b"exit"])


def verdict(module, folder):
    """Exit code and the first finding of class damage."""
    report = module.Report(quiet=True)
    return module.guarded(folder, module.Elsewhere({}), report, module.Ed25519()), report.damage


class Tokens(unittest.TestCase):
    def test_planted_bugs(self):
        self.assertGreater(len(glob.glob(os.path.join(VECTORS, "token-*.vector"))), 60)
        for old, new, name in PLANTED:
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                self.assertEqual(SOURCE.count(old), 1, old)
                want = unpack(name, folder)
                honest = verdict(load(SOURCE), folder)
                self.assertEqual(honest[0], want)
                self.assertNotEqual(verdict(load(SOURCE.replace(old, new)), folder), honest, "nobody noticed")

    def test_pinned_file(self):
        """Of a PEM file nothing counts but what is called a certificate, as for the check."""
        block = "-----BEGIN %sCERTIFICATE-----\nQUJD\n-----END %sCERTIFICATE-----\n"
        pem = "text\n" + block % ("TRUSTED ", "TRUSTED ") + block % ("", "") + block % ("X509 ", "X509 ")
        self.assertEqual(load(SOURCE).pinned_5_9(pem.encode()), [b"ABC"])


if __name__ == "__main__":
    unittest.main()
