// Package historic writes activities as the programs of 2018 wrote them, byte
// for byte: CrowdStrike's retriever and LMG's copy of it, both in Python.
//
// The files are for whatever reads such files, Magic-Unicorn-Tool for one. They
// hold less than the records do, and what they leave out goes to a list beside
// them. docs/records.md describes both.
package historic
