// Package withhold chooses what of a case a production does not disclose, and searches the finished production for it.
//
// A list of [Selector]s, one a line, says what is withheld: entries by number, exchanges in which a text occurs, exchanges that brought records of which a
// condition holds. [Choose] takes with them whatever would disclose the same: each attempt at the same page, and, where texts or conditions were given, what cannot
// be searched. The grain is one entry: all records of a page go with one of them.
//
// A text is looked for as it is, escaped as in JSON, percent-encoded, as an HTML character reference, in base64 at each of its three alignments, in UTF-16 and in
// hexadecimal; in ledger lines, in the bytes of requests and responses, and in bodies without transfer and content coding. [Plan.Search] does the same to every file
// of the finished production and to every record in it, and looks for what identifies the withheld entries besides: nonces, record ids, hashes of blocks.
//
// BUG: a text is found as it is spelt: not in other letter case, nor in another Unicode form of the same characters.
//
// BUG: other encodings are not looked through: texts in compressed or encrypted attachments, in images, in quoted-printable, or in an encoding of an encoding other than
// JSON, percent and HTML escapes in each other.
package withhold
