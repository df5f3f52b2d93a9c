package verify_test

import (
	"archive/tar"
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161/authority"
)

// differedRecipes are what the check and verify.py judged differently when both were given the same odd tokens, folders, heads and productions.
func differedRecipes() []recipe {
	folder := func(name string) []tar.Header {
		return []tar.Header{{Name: name, Typeflag: tar.TypeDir, Mode: 0o700}}
	}
	return append(differedTokens(), []recipe{
		{name: "token-late-folder", code: "token-form", exit: 3, about: "a folder in stamps/ that is called as a timestamp is", make: stampedCase, extra: folder("stamps/0002.tsr")},
		{name: "token-entry-nonce-none", code: "token-form", exit: 3, about: "an entry that names a nonce, on a timestamp that has none", make: func(t *testing.T) map[string][]byte {
			m := sample.Small(t)
			m.Stamp(sample.Authority(t, tsaSeed, authority.Options{}), func(r *authority.Reply) { r.Nonce = nil })
			m.Close()
			f := m.Forge()
			b := batchWith(t, f, `"action":"stamp"`)
			const mark = `"name":"nonce","value":"`
			value, _, _ := strings.Cut(after(b.Block, mark), `"`)
			b.Replace(t, mark+value, mark+"-1")
			return f.Build(t)
		}},
		{name: "production-evidence-empty", code: "path-unexpected", exit: 3, about: "a folder for segments in a production that discloses no record", extra: folder("data/evidence"),
			make: produced(levels{1: 0, 2: 0, 3: 1, 4: 0, 5: 0, 6: 0, 7: 1, 8: 1, 10: 0, 11: 1, 12: 0, 13: 0}, same)},
		{name: "production-window-later-withheld", code: "window-failed", exit: 4, about: "a failed window, and how a later one for the same ended is withheld: nobody can say that it completed the first", make: laterWithheld},
		{name: "supplements-size", code: "entry-rule", exit: 3, about: "the supplemented head is over more entries than a case can have", make: supplementing(func(t *testing.T) []string {
			lines := strings.SplitN(earlierHead(t), "\n", 3)
			return []string{lines[0] + "\n10000000000000000\n" + lines[2]}
		})},
		{name: "custody-holder-former", code: "custody-holder", exit: 0, about: "a release in the name of the holder, by the key of the one who held the case before", make: releasedByFormer},
		{name: "custody-handover-one-key", code: "custody-handover", exit: 0, about: "a receipt that the key of the release signed, in the name of the other party", make: func(t *testing.T) map[string][]byte {
			h := &handover{t: t, files: sealed(t)}
			h.release()
			answers := "answers: " + h.hash(1) + "\ntime: "
			h.add(strings.Replace(h.head("received"), "time: ", answers, 1)+"released-by: Jo Example\nreceived-by: Kim Clerk\n"+h.tail(lab), lab)
			return h.files
		}},
	}...)
}

// releasedByFormer is a case that its first holder releases once more, in the name of the second, who has received it and says nothing of that.
func releasedByFormer(t *testing.T) map[string][]byte {
	h := handed(t)
	h.add(h.head("transferred")+"released-by: Kim Clerk\nreceived-by: Sam Other\n"+h.tail(lab), lab)
	answers := "answers: " + h.hash(3) + "\ntime: "
	h.add(strings.Replace(h.head("received"), "time: ", answers, 1)+"released-by: Kim Clerk\nreceived-by: Sam Other\n"+h.tail(77), 77)
	return h.files
}

// laterWithheld is a production of a case with two windows for the same, of which the first failed and the second was completed by an entry that is withheld.
func laterWithheld(t *testing.T) map[string][]byte {
	m := sample.New(t, nil)
	asked := evidence.Window{User: "adele@contoso.example", Last: evidence.None}
	var last int64
	for i, state := range []string{evidence.Failed, evidence.Complete} {
		asked.State, asked.Reason = evidence.Opened, ""
		m.Window(int64(i+1), asked)
		if asked.State = state; state == evidence.Failed {
			asked.Reason = "throttled"
		}
		last = m.Window(int64(i+1), asked)
	}
	return withheldOf(t, m, levels{last: 1})
}

// differedTokens are answers in DER that only one of the two took.
func differedTokens() []recipe {
	beside := func(name, about string, change func(root []byte) []byte) recipe {
		return recipe{name: "token-certificate-" + name, code: "token-form", exit: 3, about: "beside the signer's certificate " + about,
			make: answered(authority.Options{}, func(t *testing.T, r *authority.Reply) {
				root := bytes.Clone(sample.Authority(t, tsaSeed, authority.Options{}).Root.Raw)
				r.Certificates = append(r.Certificates, change(root))
			})}
	}
	version := []byte{0xa0, 3, 2, 1, 2, 2} // and the tag of the serial number, which follows
	policy := func(name, about string, oid ...byte) recipe {
		return recipe{name: "token-policy-" + name, code: "token-form", exit: 3, about: about, make: answered(authority.Options{}, func(t *testing.T, r *authority.Reply) {
			info := r.TSTInfo()
			own, err := asn1.Marshal(r.Policy)
			if err != nil {
				t.Fatal(err)
			}
			info[1] += byte(len(oid) + 2 - len(own))
			r.Info = bytes.Replace(info, own, append([]byte{6, byte(len(oid))}, oid...), 1)
		})}
	}
	return []recipe{
		beside("serial", "one with a serial number below 0", func(b []byte) []byte {
			at := bytes.Index(b, version) + len(version) + 1
			return edit(b, at, b[at]|0x80)
		}),
		beside("version", "one of version 10", func(b []byte) []byte { return edit(b, bytes.Index(b, version)+4, 9) }),
		beside("algorithm", "one with two algorithms", func(b []byte) []byte { return edit(b, bytes.Index(b, []byte{4, 3, 2, 0x30})+2, 3) }),
		beside("name", "one whose name holds a text that cannot be", func(b []byte) []byte {
			at := bytes.Index(b, []byte("simulated"))
			return edit(b, at, 0)
		}),
		policy("part", "a policy with a part of 2^31", 0x2a, 0x88, 0x80, 0x80, 0x80, 0x00),
		policy("spelling", "a policy with a part in a second spelling", 0x2a, 0x80, 0x01),
		{name: "token-status-failure", code: "token-form", exit: 3, about: "status granted with a failure that has not even the number of its unused bits", make: bytesOf(func(b []byte) []byte {
			if !bytes.HasPrefix(b[4:], []byte{0x30, 3, 2, 1, 0}) {
				panic(fmt.Sprintf("status %x", b[4:9]))
			}
			b[3] += 2
			return append(append(bytes.Clone(b[:4]), 0x30, 5, 2, 1, 0, 3, 0), b[9:]...)
		})},
		{name: "token-signature-trailing", code: "token-form", exit: 3, about: "a byte behind a signature that is as long as one by its key can be", make: answered(authority.Options{}, signatureWithMore)},
		{name: "good-token-key-usage-long", about: "a key usage in two bytes of which the second is empty", make: answered(authority.Options{Change: func(c *x509.Certificate) {
			c.KeyUsage = 0
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Critical: true, Value: []byte{3, 3, 0, 0x80, 0}})
		}}, nil)},
	}
}

// longer is a key that puts a byte behind each signature.
type longer struct{ crypto.Signer }

// Sign implements [crypto.Signer].
func (k longer) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	sig, err := k.Signer.Sign(random, digest, o)
	return append(sig, 0xfe), err
}

// signatureWithMore takes the first serial number with which the signature has 72 bytes, as many as one by a key on P-256 can have: of a file with more, openssl reads no further.
func signatureWithMore(t *testing.T, r *authority.Reply) {
	for serial := int64(1); serial < 1000; serial++ {
		r.Serial = big.NewInt(serial)
		der, err := r.DER()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(der[len(der)-74:], []byte{4, 72, 0x30, 70}) {
			r.Key = longer{r.Key}
			return
		}
	}
	t.Fatal("no signature is as long as it can be")
}
