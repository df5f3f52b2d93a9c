// Package views answers what an investigator asks of the activities of a mailbox: who logged on from where, what was searched for and read, and in which session.
//
// A view is a table. Its rows are events, in the order of time, mailbox by mailbox; docs/views.md says what its columns are. Views are made of the records
// of a verified container (package extract) and of nothing else, so that they can be made again at any time.
//
// How a view is made, whatever the number of records, in bounded memory:
//
//	records ── gatherer ──> events, signs that sessions are alive, what is said of mails     (on all cores)
//	events  ── collapse ──> one event for records that have the same id
//	        ── number ────> rows, in their order; logons and rows go to the linker
//	linker  ──────────────> by n: the logon of each row, how it was found, the candidates
//	mails   ──────────────> by n: the mail of each row
//	rows + links + mails ─> the format; or, of sessions:
//	        ── session ───> the rows of each session together, of which one is made
//
// Each arrow is a [sorter]: what two streams have in common is found by sorting both by it. The same activities give the same view in whatever order they
// were acquired: nothing depends on the order of arrival but where a record stands. A filter leaves rows out when they are linked, or sessions when they are made, so that nothing
// that a row says depends on it.
package views
