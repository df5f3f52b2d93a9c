//go:build !unix

package trust

import "io/fs"

// openFlags adds nothing where a file cannot keep an open waiting.
const openFlags = 0

// checkPrivate accepts everything: these systems have no Unix modes, and a user's
// configuration folder is closed to other users by default.
func checkPrivate(fs.FileInfo, fs.FileMode) error { return nil }

// syncFolder does nothing: these systems cannot sync a folder.
func syncFolder(string) error { return nil }
