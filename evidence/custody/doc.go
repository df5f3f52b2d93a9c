// Package custody writes and reads the record of who held a sealed case, and when (docs/container.md, section 12).
//
//	custody/0001.note    a signed note; its text is one Record
//	custody/0002.note    names the hash of the file before, and so on
//
// [Record.Text] and [ParseRecord] are one form in both directions. [Read] reads a chain and reports every rule that it breaks; [Append] adds a record to one that
// breaks none. A record states what the container was when it was written; [Measure] finds that out by hashing all of it.
//
// The package knows what a record says and not what it means for a verdict. A key in a record is whoever's it is: callers tell the keys that they know elsewhere.
package custody
