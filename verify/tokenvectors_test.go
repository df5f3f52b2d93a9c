package verify_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161/authority"
)

// tsaSeed is the authority that stamps vectors.
const tsaSeed = 31

// stampedCase is the small case with a timestamp in the ledger, one of the final head and a late one.
func stampedCase(t *testing.T) map[string][]byte {
	t.Helper()
	m := sample.Small(t)
	id := sample.Authority(t, tsaSeed, authority.Options{})
	m.Stamp(id, nil)
	m.SealStamped(id, nil)
	files := m.Folder.Files()
	files["stamps/0001.tsr"], _ = m.Token(id, files[evidence.PackageNotePath], nil)
	return files
}

// stampedWith is a stamped case whose files are changed, and sealed again.
func stampedWith(change func(*testing.T, map[string][]byte)) func(*testing.T) map[string][]byte {
	return func(t *testing.T) map[string][]byte {
		files := stampedCase(t)
		delete(files, "stamps/0001.tsr")
		change(t, files)
		reseal(t, files)
		return files
	}
}

// finalToken is the name of the token over the final head, firstToken of the one that an entry states.
func finalToken(files map[string][]byte) string {
	return strings.TrimSuffix(newestNote(files), ".note") + ".tsr"
}

func firstToken(t *testing.T, files map[string][]byte) string {
	t.Helper()
	for name := range files {
		if strings.HasPrefix(name, evidence.CheckpointsPath+"/") && strings.HasSuffix(name, ".tsr") && name != finalToken(files) {
			return name
		}
	}
	t.Fatal("no token")
	return ""
}

// answered is a case whose final head has an answer that is otherwise than an honest one.
func answered(o authority.Options, change func(*testing.T, *authority.Reply)) func(*testing.T) map[string][]byte {
	return func(t *testing.T) map[string][]byte {
		m := sample.Small(t)
		m.SealStamped(sample.Authority(t, tsaSeed, o), func(r *authority.Reply) {
			if change != nil {
				change(t, r)
			}
		})
		return m.Folder.Files()
	}
}

// bytesOf changes the bytes of the final head's token.
func bytesOf(change func([]byte) []byte) func(*testing.T) map[string][]byte {
	return stampedWith(func(_ *testing.T, f map[string][]byte) { f[finalToken(f)] = change(bytes.Clone(f[finalToken(f)])) })
}

func tokenRecipes() []recipe {
	all := goodTokenRecipes()
	for _, group := range [][]recipe{tokenPlaceRecipes(), tokenAnswerRecipes(), tokenSignerRecipes(), tokenFormRecipes()} {
		all = append(all, group...)
	}
	return all
}

func goodTokenRecipes() []recipe {
	since := authority.Options{NotBefore: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)}
	return []recipe{
		{name: "good-stamped", about: "a case with timestamps of a head, of the final head and of package.note", make: stampedCase},
		{name: "good-token-certificate-expired-since", about: "the authority's certificate was valid when it signed and is not any more", make: answered(since, nil)},
		{name: "good-token-certificate-id-v1", about: "a certificate id of RFC 2634, with SHA-1", make: answered(authority.Options{}, func(_ *testing.T, r *authority.Reply) { r.CertIDs[0].Hash = crypto.SHA1 })},
		{name: "good-token-certificate-ids-both", about: "certificate ids of RFC 2634 and of RFC 5816", make: answered(authority.Options{}, func(_ *testing.T, r *authority.Reply) {
			r.CertIDs = append(r.CertIDs, authority.CertID{Of: r.Signer, Hash: crypto.SHA1, Issuer: r.Signer})
		})},
		{name: "good-token-digest-sha512", about: "a timestamp signed over SHA-512", make: answered(authority.Options{}, func(_ *testing.T, r *authority.Reply) { r.Digest = crypto.SHA512 })},
		{name: "good-token-fraction", about: "a time with a fraction of nine digits and no accuracy", make: answered(authority.Options{}, func(_ *testing.T, r *authority.Reply) { r.Time, r.Accuracy = "20261122100000.123456789Z", 0 })},
		{name: "good-token-extension", about: "a TSTInfo with an extension that is not critical", make: answered(authority.Options{}, func(t *testing.T, r *authority.Reply) { r.Extensions = infoExtension(t, false) })},
		{name: "good-token-self-signed", about: "a timestamp by a certificate that is its own root: whoever pins it may believe it", make: answered(authority.Options{SelfSign: true}, nil)},
		{name: "good-token-without-entry", about: "a timestamp of a head that no entry states: writing was interrupted", make: stampedWith(func(t *testing.T, f map[string][]byte) {
			f[oldestNote(f)[:len(oldestNote(f))-len(".note")]+".tsr"] = tokenOver(t, f[oldestNote(f)], nil)
		})},
		{name: "token-unsealed", code: "unsealed", exit: 4, about: "a case that is not sealed, with a timestamp of a head", make: func(t *testing.T) map[string][]byte {
			m := sample.Small(t)
			m.Stamp(sample.Authority(t, tsaSeed, authority.Options{}), nil)
			m.Close()
			return m.Folder.Files()
		}},
	}
}

// tokenOver makes another token than the sample's over any bytes, with the same nonce.
func tokenOver(t *testing.T, data []byte, change func(*authority.Reply)) []byte {
	t.Helper()
	q, err := rfc3161.NewQuery(sample.Rand(byte(len(data))), data)
	if err != nil {
		t.Fatal(err)
	}
	r := sample.Authority(t, tsaSeed, authority.Options{}).Reply(q, time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC))
	if change != nil {
		change(r)
	}
	der, err := r.DER()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// tokenPlaceRecipes are about where a token lies and what its entry says.
func tokenPlaceRecipes() []recipe {
	entry := func(old, new string) func(*testing.T) map[string][]byte {
		return func(t *testing.T) map[string][]byte {
			m := sample.Small(t)
			m.Stamp(sample.Authority(t, tsaSeed, authority.Options{}), nil)
			m.Close()
			f := m.Forge()
			batchWith(t, f, `"action":"stamp"`).Replace(t, old, new)
			f.KeepHeads = true
			return f.Build(t)
		}
	}
	return []recipe{
		{name: "token-missing", code: "token-missing", exit: 3, about: "a timestamp was deleted whose entry is there, and the manifests made again", make: stampedWith(func(t *testing.T, f map[string][]byte) { delete(f, firstToken(t, f)) })},
		{name: "token-other-head", code: "token-form", exit: 3, about: "the timestamp of another head of the same case", make: stampedWith(func(t *testing.T, f map[string][]byte) { f[finalToken(f)] = f[firstToken(t, f)] })},
		{name: "token-not-of-entry", code: "token-form", exit: 3, about: "a good timestamp of the right head that is not the one that its entry tells of", make: stampedWith(func(t *testing.T, f map[string][]byte) {
			name := firstToken(t, f)
			f[name] = tokenOver(t, f[strings.TrimSuffix(name, ".tsr")+".note"], nil)
		})},
		{name: "token-of-no-head", code: "token-form", exit: 3, about: "a timestamp whose head is not there", make: stampedWith(func(t *testing.T, f map[string][]byte) { f[evidence.TokenPath(3, 1)] = f[finalToken(f)] })},
		{name: "token-name", code: "path-unexpected", exit: 3, about: "a timestamp under a name that no token has", make: stampedWith(func(t *testing.T, f map[string][]byte) {
			f[strings.TrimSuffix(finalToken(f), ".tsr")+".1.tsr"] = f[finalToken(f)]
		})},
		{name: "token-ordinal-17", code: "path-unexpected", exit: 3, about: "a seventeenth timestamp of one head", make: stampedWith(func(t *testing.T, f map[string][]byte) {
			f[strings.TrimSuffix(finalToken(f), ".tsr")+".17.tsr"] = f[finalToken(f)]
		})},
		{name: "token-late-of-head", code: "token-form", exit: 3, about: "a file in stamps/ that is of a head, not of package.note", make: func(t *testing.T) map[string][]byte {
			f := stampedCase(t)
			f["stamps/0002.tsr"] = f[finalToken(f)]
			return f
		}},
		{name: "token-late-other-case", code: "token-form", exit: 3, about: "a late timestamp that was made of another package.note", make: func(t *testing.T) map[string][]byte {
			f := stampedCase(t)
			f["stamps/0001.tsr"] = tokenOver(t, []byte("another note\n"), nil)
			return f
		}},
		{name: "token-late-cut", code: "token-form", exit: 3, about: "a late timestamp that ends too early", make: func(t *testing.T) map[string][]byte {
			f := stampedCase(t)
			f["stamps/0001.tsr"] = f["stamps/0001.tsr"][:900]
			return f
		}},
		{name: "token-late-unsealed", code: "token-form", exit: 3, about: "a late timestamp in a case that is not sealed", make: func(t *testing.T) map[string][]byte {
			m := sample.Small(t)
			m.Close()
			f := m.Folder.Files()
			f["stamps/0001.tsr"] = tokenOver(t, f[newestNote(f)], nil)
			return f
		}},
		{name: "token-entry-head", code: "entry-rule", exit: 3, about: "an entry that names another head than its file is of", make: entry(`"name":"head","value":"`, `"name":"head","value":"1`)},
		{name: "token-entry-file", code: "entry-rule", exit: 3, about: "an entry that names a file which no token has", make: entry(`.tsr"`, `.1.tsr"`)},
		{name: "token-entry-field", code: "entry-rule", exit: 3, about: "an entry on a timestamp with another field", make: entry(`"name":"authority"`, `"name":"Authority"`)},
		{name: "token-entry-head-spelling", code: "entry-rule", exit: 3, about: "an entry that names its head with a 0 in front", make: entry(`"name":"head","value":"`, `"name":"head","value":"0`)},
		{name: "token-entry-later", code: "entry-rule", exit: 3, about: "an entry on the timestamp of a head that comes later", make: forgedStamp(func(t *testing.T, f *sample.Forged) {
			r := batchWith(t, f, `"action":"stamp"`)
			r.Replace(t, `"value":"14"`, `"value":"99"`)
			r.Replace(t, `"14.tsr"`, `"99.tsr"`)
		})},
		{name: "token-entry-twice", code: "entry-rule", exit: 3, about: "two entries on one timestamp", make: forgedStamp(func(t *testing.T, f *sample.Forged) {
			batchWith(t, f, `"14.2.tsr"`).Replace(t, `"14.2.tsr"`, `"14.tsr"`)
		})},
		{name: "token-entry-no-record", code: "entry-rule", exit: 3, about: "an entry on a timestamp without a record", make: forgedStamp(func(t *testing.T, f *sample.Forged) {
			for _, r := range f.Records() {
				if r.Header.ContentType == rfc3161.ReplyType {
					removeRecord(t, f, r)
					break
				}
			}
			r := batchWith(t, f, `"14.tsr"`)
			at := strings.Index(r.Block, `"records":[{`)
			end := strings.Index(r.Block[at:], "}]")
			r.Block = r.Block[:at] + `"records":[` + r.Block[at+end+1:]
		})},
		{name: "token-entry-record", code: "entry-rule", exit: 3, about: "an entry on a timestamp whose record is called something else", make: forgedStamp(func(t *testing.T, f *sample.Forged) {
			for _, r := range f.Records() {
				if r.Header.ContentType == rfc3161.ReplyType {
					r.Header.ContentType = "text/plain"
					break
				}
			}
			batchWith(t, f, `"14.tsr"`).Replace(t, rfc3161.ReplyType, "text/plain")
		})},
		{name: "token-entry-nonce", code: "token-form", exit: 3, about: "an entry that names another nonce than its timestamp", make: entry(`"name":"nonce","value":"`, `"name":"nonce","value":"1`)},
	}
}

// forgedStamp alters an unsealed case with two timestamps of the head over 14 entries.
func forgedStamp(change func(*testing.T, *sample.Forged)) func(*testing.T) map[string][]byte {
	return func(t *testing.T) map[string][]byte {
		m := sample.Small(t)
		head, err := m.W.Newest(t.Context())
		if err != nil || head.Size != 14 {
			t.Fatalf("%+v, %v", head, err)
		}
		for range 2 {
			der, nonce := m.Token(sample.Authority(t, tsaSeed, authority.Options{}), []byte(head.Note), nil)
			if err := m.W.Stamp(t.Context(), evidence.Stamp{Size: head.Size, DER: der, Authority: "http://tsa.example/", Nonce: nonce, Operator: "jo", Host: "host.example"}); err != nil {
				t.Fatal(err)
			}
		}
		m.Close()
		f := m.Forge()
		change(t, f)
		return f.Build(t)
	}
}

// tokenAnswerRecipes are about what an answer says.
func tokenAnswerRecipes() []recipe {
	wrong := func(name, about string, change func(*testing.T, *authority.Reply)) recipe {
		return recipe{name: "token-" + name, code: "token-form", exit: 3, about: about, make: answered(authority.Options{}, change)}
	}
	at := func(s string) func(*testing.T, *authority.Reply) {
		return func(_ *testing.T, r *authority.Reply) { r.Time = s }
	}
	return []recipe{
		wrong("imprint", "a timestamp of something else", func(_ *testing.T, r *authority.Reply) { r.Imprint = bytes.Repeat([]byte{1}, 32) }),
		wrong("imprint-sha1", "an imprint by SHA-1", func(_ *testing.T, r *authority.Reply) { r.Hash, r.Imprint = crypto.SHA1, r.Imprint[:20] }),
		wrong("imprint-called-sha512", "an imprint by SHA-256 that is called one by SHA-512", func(_ *testing.T, r *authority.Reply) { r.Hash = crypto.SHA512 }),
		wrong("imprint-short", "an imprint of 31 bytes", func(_ *testing.T, r *authority.Reply) { r.Imprint = r.Imprint[:31] }),
		wrong("imprint-long", "an imprint with a byte more", func(_ *testing.T, r *authority.Reply) { r.Imprint = append(bytes.Clone(r.Imprint), 0) }),
		wrong("status-with-modifications", "status 1, granted with modifications", func(_ *testing.T, r *authority.Reply) { r.Status = 1 }),
		wrong("status-rejected", "a refusal", func(_ *testing.T, r *authority.Reply) { r.Status, r.NoToken, r.Failure, r.Text = 2, true, 14, "no" }),
		wrong("status-rejected-with-token", "a refusal with a good token", func(_ *testing.T, r *authority.Reply) { r.Status = 2 }),
		wrong("status-negative", "a status below 0", func(_ *testing.T, r *authority.Reply) { r.Status = -1 }),
		wrong("none", "status granted and no token", func(_ *testing.T, r *authority.Reply) { r.NoToken = true }),
		wrong("nonce-long", "a nonce of 300 bits", func(_ *testing.T, r *authority.Reply) { r.Nonce = new(big.Int).Lsh(big.NewInt(1), 299) }),
		wrong("time-1999", "a time before there were such tokens", at("19991231235959Z")),
		wrong("time-no-seconds", "a time without seconds", at("202611221000Z")),
		wrong("time-offset", "a time with an offset", at("20261122100000+0000")),
		wrong("time-no-zone", "a time without zone", at("20261122100000")),
		wrong("time-fraction-empty", "a time with an empty fraction", at("20261122100000.Z")),
		wrong("time-fraction-zero", "a time whose fraction ends in 0", at("20261122100000.50Z")),
		wrong("time-comma", "a time with a comma", at("20261122100000,5Z")),
		wrong("time-no-day", "a day that does not exist", at("20260230100000Z")),
		wrong("time-leap-second", "a leap second", at("20261231235960Z")),
		wrong("accuracy-month", "an accuracy of a month", func(_ *testing.T, r *authority.Reply) { r.Accuracy = 30 * 24 * time.Hour }),
		wrong("extension-critical", "a critical extension in the TSTInfo", func(t *testing.T, r *authority.Reply) { r.Extensions = infoExtension(t, true) }),
		wrong("extensions-none", "an empty list of extensions", func(_ *testing.T, r *authority.Reply) { r.Extensions = []byte{} }),
		wrong("info-version", "a TSTInfo of version 2", func(_ *testing.T, r *authority.Reply) {
			r.Info = r.TSTInfo()
			r.Info[4] = 2
		}),
		wrong("info-trailing", "a byte behind the TSTInfo", func(_ *testing.T, r *authority.Reply) { r.Info = append(r.TSTInfo(), 0) }),
		wrong("info-element", "an element behind the last one of the TSTInfo", func(_ *testing.T, r *authority.Reply) {
			r.Info = append(r.TSTInfo(), 5, 0)
			r.Info[1] += 2
		}),
	}
}

func infoExtension(t *testing.T, critical bool) []byte {
	t.Helper()
	b, err := asn1.Marshal(struct {
		ID       asn1.ObjectIdentifier
		Critical bool `asn1:"optional"`
		Value    []byte
	}{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}, critical, []byte{5, 0}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tokenSignerRecipes are about certificates, algorithms and signatures.
func tokenSignerRecipes() []recipe {
	usage := func(name, about string, critical bool, u ...asn1.ObjectIdentifier) recipe {
		return recipe{name: "token-usage-" + name, code: "token-form", exit: 3, about: about,
			make: answered(authority.Options{Change: func(c *x509.Certificate) { c.ExtraExtensions[0] = authority.Usage(critical, u...) }}, nil)}
	}
	wrong := func(name, about string, change func(*testing.T, *authority.Reply)) recipe {
		return recipe{name: "token-" + name, code: "token-form", exit: 3, about: about, make: answered(authority.Options{}, change)}
	}
	other := func(t *testing.T) *authority.Identity { return sample.Authority(t, 77, authority.Options{}) }
	stamping, client := authority.TimeStamping(), authority.ClientAuth()
	return []recipe{
		usage("not-critical", "an extended key usage that is not critical", false, stamping),
		usage("other", "a certificate for something else", true, client),
		usage("more", "a certificate for timestamps and something else", true, stamping, client),
		usage("any", "a certificate for any use", true, asn1.ObjectIdentifier{2, 5, 29, 37, 0}),
		{name: "token-usage-missing", code: "token-form", exit: 3, about: "a certificate without an extended key usage",
			make: answered(authority.Options{Change: func(c *x509.Certificate) { c.ExtraExtensions = nil }}, nil)},
		{name: "token-key-usage", code: "token-form", exit: 3, about: "a certificate whose key usage is more than signatures",
			make: answered(authority.Options{Change: func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageKeyAgreement }}, nil)},
		wrong("certificates-missing", "a timestamp without certificates", func(_ *testing.T, r *authority.Reply) { r.Certificates = nil }),
		wrong("certificate-other", "a timestamp with certificates of which none is the signer's", func(t *testing.T, r *authority.Reply) { r.Certificates = [][]byte{other(t).Root.Raw} }),
		wrong("signers-two", "two signers", func(_ *testing.T, r *authority.Reply) { r.Signers = 2 }),
		wrong("signers-none", "no signer", func(_ *testing.T, r *authority.Reply) { r.Signers = 0 }),
		wrong("certificate-id-missing", "signed attributes without a certificate id", func(_ *testing.T, r *authority.Reply) { r.CertIDs = nil }),
		wrong("certificate-id-other", "a certificate id of another certificate", func(t *testing.T, r *authority.Reply) { r.CertIDs[0].Of = other(t).Signer }),
		wrong("certificate-id-v1-other", "a certificate id of RFC 2634 of another certificate", func(t *testing.T, r *authority.Reply) {
			r.CertIDs[0] = authority.CertID{Of: other(t).Signer, Hash: crypto.SHA1}
		}),
		wrong("certificate-id-issuer", "a certificate id with another issuer", func(t *testing.T, r *authority.Reply) { r.CertIDs[0].Issuer = other(t).Root }),
		wrong("digest-sha1", "a signature over SHA-1", func(_ *testing.T, r *authority.Reply) { r.Digest = crypto.SHA1 }),
		wrong("digest-other", "a signed digest that is not that of the TSTInfo", func(_ *testing.T, r *authority.Reply) { r.BadDigest = true }),
		wrong("digest-missing", "signed attributes without a digest", func(_ *testing.T, r *authority.Reply) { r.NoDigest = true }),
		wrong("type-other", "signed attributes of another content type", func(_ *testing.T, r *authority.Reply) {
			r.Type = []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1}
		}),
		wrong("signature-other-key", "a signature by another key", func(t *testing.T, r *authority.Reply) { r.Key = other(t).Key }),
		wrong("signature-algorithm", "a signature algorithm that does not go with the digest", func(_ *testing.T, r *authority.Reply) { r.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4} }),
	}
}

// tokenFormRecipes are about bytes.
func tokenFormRecipes() []recipe {
	wrong := func(name, about string, change func([]byte) []byte) recipe {
		return recipe{name: "token-" + name, code: "token-form", exit: 3, about: about, make: bytesOf(change)}
	}
	return []recipe{
		wrong("empty", "a timestamp file without bytes", func([]byte) []byte { return nil }),
		wrong("trailing", "a byte behind the answer", func(b []byte) []byte { return append(b, 0) }),
		wrong("twice", "the answer twice", func(b []byte) []byte { return append(b, b...) }),
		wrong("bare", "the token without its answer", func(b []byte) []byte { return b[9:] }),
		wrong("cut", "an answer that ends too early", func(b []byte) []byte { return b[:len(b)-1] }),
		wrong("cut-half", "half an answer", func(b []byte) []byte { return b[:len(b)/2] }),
		wrong("indefinite", "an answer of indefinite length", func(b []byte) []byte { return append(append([]byte{0x30, 0x80}, b[4:]...), 0, 0) }),
		wrong("length-spelling", "a length in a second spelling", func(b []byte) []byte { return append([]byte{0x30, 0x83, 0, b[2], b[3]}, b[4:]...) }),
		wrong("long", "an answer above 64 KiB", func(b []byte) []byte { return append(b, make([]byte, rfc3161.MaxSize)...) }),
		wrong("garbage", "a page of HTML in place of an answer", func([]byte) []byte { return []byte("<html>busy</html>\n") }),
		wrong("signature-bit", "one bit of the signature is altered", func(b []byte) []byte { return edit(b, len(b)-1, b[len(b)-1]^1) }),
	}
}
