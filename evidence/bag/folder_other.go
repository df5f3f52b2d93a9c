//go:build !unix

package bag

// openFlags adds nothing where a file cannot keep an open waiting.
const openFlags = 0
