// Package stamping asks time-stamping authorities for tokens over the heads of an open case, beside the work on it (docs/container.md, 5.7).
//
// A token is asked for at the opening, every [Every] while a run lasts, at each stop, and at the seal. Nobody waits for an authority but who has nothing else to do: heads and their entries go on
// without tokens, and each question ends after [Patience]. What an authority does never fails a run: a token becomes a `stamp` entry, everything else a `stamp-failed` entry, with the answer if one
// came.
//
// An answer is accepted if it has the form of package evidence/trust/rfc3161 and answers the query: imprint and nonce. Whose it is, nobody asks here: that is for those who pin authorities when
// they check the case.
package stamping
