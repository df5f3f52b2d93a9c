//go:build !unix

package cli

// noCore has nothing to do on Windows: Go's runtime keeps the system's error reporting, which writes dumps there, away from crashes, unless GOTRACEBACK=wer asks for it.
func noCore() error { return nil }
