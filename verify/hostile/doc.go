// Package hostile gives exhibit-verify bundles that somebody made to mislead it, stop it or exhaust it. It has tests alone; docs/reliability.md tells what they
// try and what came of it.
//
// A case of a row is one bundle on disk and one child process: the real program, built once, with bounded memory and time. Whatever the bundle, the child ends by
// itself with a documented exit code, prints no panic, writes no file but the one that --out names, changes nothing in the bundle, and never says that altered
// bytes are intact. `go test` takes a stated part of each row, -hostile.full the whole. EXHIBIT_VERIFY names another build of the program to try, for example
// that of an old commit.
package hostile
