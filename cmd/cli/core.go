package cli

import (
	"fmt"
	"io"
)

// NoCore keeps what the process has in memory, keys, tokens and passphrases among it, out of core dumps, whoever ends it and however. It is called first. A system that
// does not let it gets a warning on talk and the program all the same: evidence that is lost for want of a setting would be the worse of the two.
func NoCore(talk io.Writer) {
	if err := noCore(); err != nil {
		fmt.Fprintf(talk, "warning: core dumps cannot be turned off (%v): if this program dies, its memory may be written to a file, with keys and passphrases in it\n", err)
	}
}
