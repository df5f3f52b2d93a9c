// Package acquire asks services for evidence and records every exchange in a case.
//
// A [Source] knows what can be asked of one service. Its [Plan] is fixed before the first request: user, bounds, the
// parameters that shape requests, and a number of chains, each of which begins with one request and goes on from page to page.
// From there a source is a pure step function: given a page that was recorded, it says what the page holds and what to ask next. So progress is
// a function of the recorded exchanges alone (docs/container.md, 4.9), and going on after an interruption needs no
// state but the last page kept of each chain, which is read back from the segments.
//
//	plan → window opened → per chain: request → exchange durable → Next(page) → request → … → window closed
//
// [Run] does everything that is the same for all sources. It writes run-start, the window and run-stop; resumes; follows only links that stay at
// the origin and were not followed before; retries above the recorder, each attempt an exchange of its own; and states how the window ended and
// why. No source sees a page before it is durable.
//
// # How a window ends
//
//	complete   every chain came to its end
//	empty      likewise, and there was no record
//	partial    pages were taken, and something is known to be missing: the reason says what
//	failed     no page was taken
//
// An interrupted window stays open. A window that is open, partial or failed is continued by the next run of the same acquisition, from where its
// chains stand; one that is complete or empty is asked nothing. Where rows arrived behind a run, or may have, so that it is partial with nothing left to be asked, another
// window asks the same from the beginning; [RunUntilStill] opens it at once.
package acquire
