// Package odata is the query language that the acquired services speak: the
// part of OData 4.0's URL conventions that the Outlook Activities API and its
// clients used. It parses and evaluates; it knows no service, no network and
// no other package of the project.
//
// # Filters
//
// [Parse] reads a condition in this grammar:
//
//	condition  = all { "or" all }
//	all        = term { "and" term }
//	term       = "not" term | "(" condition ")" | comparison
//	comparison = operand [ ( "eq" | "ne" | "gt" | "ge" | "lt" | "le" ) operand ]
//	operand    = path | string | number | time | "true" | "false" | "null" | "(" operand ")"
//	path       = name { "/" name }
//	name       = ( letter | "_" ) { letter | digit | "_" }        ASCII, up to 128 bytes
//	string     = "'" { any character but "'" | "''" } "'"         valid UTF-8
//	number     = [ "-" ] digits [ "." digits ] [ "e" [ sign ] digits ]
//	time       = YYYY-MM-DD "T" hh:mm:ss [ "." 1 to 9 digits ] ( "Z" | ( "+" | "-" ) hh:mm )
//
// Blanks and tabs may stand between tokens. Words are case-sensitive, as in
// OData 4.0. An operand that stands alone is a condition only if it is a path
// (a Boolean property), true or false. Functions, arithmetic and lambdas are
// refused by name. OData binds "not" more tightly than "eq", which nobody
// expects, so "not a eq b" is refused with a hint to write "not (a eq b)".
//
// A filter is at most [MaxFilterLength] bytes, in what was parsed and in its
// canonical form, and nests at most [MaxDepth] deep. [Filter.String] gives the
// canonical form: minimal parentheses, one blank between tokens, times in UTC
// without trailing zeros, numbers in their shortest decimal form. Parsing it
// gives an equal filter.
//
// # Evaluation
//
// [Filter.Eval] asks a [Lookup] for properties. Strings compare byte by byte,
// times as instants, numbers exactly, whether whole or not; false sorts before
// true. Null equals null alone; gt, ge, lt and le with null are false; a null
// Boolean property is neither true nor false, and a filter that comes out so
// does not match. Both sides of "and" and "or" are always evaluated: whether a
// filter is an error (unknown property, operands of different types) does not
// depend on the data.
//
// [Filter.Possible] tells whether a condition can hold anywhere in a part of all
// that there could be, given by the [Domain] of each property. It sees single
// comparisons exactly and joins them without looking from one to the other.
//
// # Queries
//
// [ParseQuery] reads a raw URL query with the options $filter, $orderby,
// $select, $top and $skip. It accepts what clients send: "$" or "%24", blanks
// as "+" or "%20", apostrophes raw or "%27", an empty $filter, any order, empty
// parts between ampersands. An option given twice is an error, as is a "$"
// option that is not one of these five. Options without "$" belong to the
// service and are left alone.
//
// Source: OData Version 4.0 Part 2 (URL Conventions), sections 5.1.1 and 5.1.3
// to 5.1.5, and its ABNF; where this package is stricter, the text above says so.
package odata
