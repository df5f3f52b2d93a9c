package cli

import "regexp"

// privateKeys are private keys in the forms in which people have them: of `exhibit key new`, of age, and in PEM, whose end may be missing.
var privateKeys = regexp.MustCompile(`(PRIVATE\+KEY\+|AGE-SECRET-KEY-)[^\s"'\\]*|(-----BEGIN [A-Z ]*PRIVATE KEY-----)(?s:.*?)(-----END [A-Z ]*-----|$)`)

// withoutKeys takes private keys out of a message: somebody may give one where a public key or the name of a file belongs, and messages are kept in logs.
func withoutKeys(message string) string {
	return privateKeys.ReplaceAllString(message, "${1}${2}… (a private key, which is not shown here; others may have read it from the command line)")
}
