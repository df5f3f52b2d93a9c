package trust

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// FuzzNote holds Verify against package note: what Verify accepts, note.Open
// accepts with the same text and the same known signatures, and the note can be
// written again from its parts.
func FuzzNote(f *testing.F) {
	for _, s := range []string{
		peterNote, peterNote + enochSig, peterText + "\n" + enochSig, peterNote + peterSig, peterNote + enochSig + enochSig,
		"\n\n" + enochSig, "a\n\nb\n\n" + peterSig, peterNote + sigLine("EnochRoot", 0xaf0cfe78, []byte{1}), "", "\n\n\n",
	} {
		f.Add([]byte(s))
	}
	peter := mustVKey(f, goodVKey)
	v, err := note.NewVerifier(goodVKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		text, sigs, err := Verify(msg, []VKey{peter})
		var un *UnverifiedError
		unverified := errors.As(err, &un)
		if unverified {
			text, sigs = un.Text, un.Signatures
		} else if err != nil {
			return
		}
		again := text + "\n"
		known := 0
		for _, s := range sigs {
			data := append(binary.BigEndian.AppendUint32(nil, s.ID), s.Bytes...)
			again += "— " + s.Name + " " + base64.StdEncoding.EncodeToString(data) + "\n"
			if s.Known {
				known++
			}
		}
		if again != string(msg) {
			t.Errorf("written again: %q, was %q", again, msg)
		}
		n, err := note.Open(msg, note.VerifierList(v))
		var theirs *note.UnverifiedNoteError
		if errors.As(err, &theirs) != unverified {
			t.Fatalf("package note says %v, unverified here: %v", err, unverified)
		}
		if unverified {
			n, err = theirs.Note, nil
		}
		if err != nil || n.Text != text || len(n.Sigs) != known {
			t.Errorf("package note: %+v, %v; here %q with %d known", n, err, text, known)
		}
	})
}

// FuzzHead checks that what is accepted is written again as it was, and is only
// one of the two texts.
func FuzzHead(f *testing.F) {
	for _, s := range []string{
		headText, "o\n0\n" + root + "\n", "o\n9223372036854775807\n" + root + "\n", headText + "ext\n",
		"exhibit package v1\n" + headText + abcHex + "\n", "exhibit package v1\n" + headText + strings.ToUpper(abcHex) + "\n", "", "\n\n\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, errHead := ParseHead(text)
		if errHead == nil {
			if again, err := h.Text(); err != nil || again != text {
				t.Errorf("head written again: %q (%v), was %q", again, err, text)
			}
		}
		p, errPackage := ParsePackageStatement(text)
		if errPackage == nil {
			if again, err := p.Text(); err != nil || again != text {
				t.Errorf("statement written again: %q (%v), was %q", again, err, text)
			}
		}
		if errHead == nil && errPackage == nil {
			t.Errorf("%q is both", text)
		}
	})
}

// FuzzSSHKey: what is read as an ssh public key is sound, and is the same key when it is written and read again.
func FuzzSSHKey(f *testing.F) {
	f.Fuzz(func(t *testing.T, line string) {
		k, err := ParseSSHKey(line)
		if err != nil {
			return
		}
		if again, err := ParseVKey(k.String()); err != nil || again != k {
			t.Errorf("%q gives %s, which is no verifier key: %v", line, k, err)
		}
		written, err := sshLine(k)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseSSHKey(written); err != nil || again != k {
			t.Errorf("%q is written as %q, which gives %v: %v", line, written, again, err)
		}
	})
}
