// Package auth holds the credentials that requests carry, and lets none of them out anywhere else.
//
// A [Secret] prints as REDACTED whatever the verb. [Claims] reads what a token says of itself, which is evidence of who asked; the token is not.
package auth
