// Package hostile holds no code but tests: the whole acquirer against servers that mean harm. Rows S1 to S11 of the matrix of attacks, and K1 and K2 as far as a server can echo a secret, each
// as a table of named cases with the outcome that was worked out by hand.
//
// A server lies about links, lengths, codings, certificates and time; what must hold is that the token reaches one origin and nothing else is ever dialled, that what came is kept as it came,
// that time, memory and disk are bounded, that nothing is called complete that is not, and that the case is one in which the verifier finds no damage.
//
// Each harness has planted bugs that it must catch: an acquirer that is made of net/http and believes the server in one respect (planted_test.go).
package hostile
