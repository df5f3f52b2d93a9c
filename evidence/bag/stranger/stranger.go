// Package stranger holds what a sealed case carries for people who have none of our programs: a page that says how to check it with sha256sum, zstd, openssl
// and python3, and a verifier in Python that was written from the text of the format alone.
package stranger

import _ "embed"

//go:embed README.txt
var readme string

//go:embed verify.py
var verifier string

// Readme is the file data/README.txt of a sealed case.
func Readme() []byte { return []byte(readme) }

// Verifier is the file data/verify.py of a sealed case.
func Verifier() []byte { return []byte(verifier) }
