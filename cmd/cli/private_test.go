package cli

import (
	"strings"
	"testing"
)

// TestWithoutKeys: of a private key that was given in a wrong place no message repeats anything but what kind it is.
func TestWithoutKeys(t *testing.T) {
	const secret = "b3BlbnNzaC1rZXktdjEA"
	for _, message := range []string{
		`--key: malformed verifier key "PRIVATE+KEY+name+00112233+` + secret + `": type`,
		"open # a comment\nPRIVATE+KEY+name+00112233+" + secret + "/x+=\n: no such file",
		`--identity "AGE-SECRET-KEY-1` + secret + `": no such file`,
		"open -----BEGIN OPENSSH PRIVATE KEY-----\n" + secret + "\n" + secret + "\n-----END OPENSSH PRIVATE KEY-----\n: file name too long",
		`"-----BEGIN PRIVATE KEY-----\n` + secret,
		`"-----BEGIN RSA PRIVATE KEY-----\n` + secret + `\n-----END RSA PRIVATE KEY-----\n" and AGE-SECRET-KEY-1` + secret,
	} {
		if got := withoutKeys(message); strings.Contains(got, secret) || !strings.Contains(got, "a private key, which is not shown here") {
			t.Errorf("%q becomes %q", message, got)
		}
	}
	for _, message := range []string{"", "a private key", "-----BEGIN CERTIFICATE-----", "name+00112233+AQ=="} {
		if got := withoutKeys(message); got != message {
			t.Errorf("%q becomes %q", message, got)
		}
	}
}
