// Package memnet is a network in memory that runs on the time of a [testing/synctest] bubble. Tests put a client and a server of package net/http, or
// anything else over net.Conn, on it and say what becomes of each connection.
//
// What is written travels in segments. Each has a size and a delay that the [Line] gives, and arrives at an instant of its own: no two segments of one direction
// share one. A reader gets what has arrived, so that reads are short as they are on a real network. A line that breaks does so after an exact number
// of bytes: in order, by a reset, or by silence, where nothing arrives any more and nobody is told.
//
// Time passes only when every goroutine of the bubble waits. Where delays are drawn so that no two events meet at one instant, a run is therefore a function of
// what was drawn, although goroutines run in parallel.
package memnet
