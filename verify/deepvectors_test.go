package verify_test

import (
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
)

// deepRecipes are answers of which the entry tells something else than the bytes. A check that is not deep takes them as they are.
func deepRecipes() []recipe {
	answered := func(name, about string, a sample.Answer) recipe {
		a.Page, a.Parent, a.RetryOf, a.Status = 1, evidence.None, evidence.None, 200
		return recipe{name: "deep-layout-" + name, code: "deep-layout", exit: 3, about: about, make: func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			m.Exchange(a)
			m.Close()
			return m.Folder.Files()
		}}
	}
	return []recipe{
		answered("trailing", "three bytes behind the end of the response", sample.Answer{Head: "HTTP/1.1 200 OK\r\nContent-Length: 12", Body: `{"value":[]}` + "abc"}),
		answered("head", "a head that ends four bytes before the entry says", sample.Answer{Head: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"}),
		answered("framing", "an answer with a length that is called chunked", sample.Answer{Head: "HTTP/1.1 200 OK\r\nContent-Length: 12", Body: `{"value":[]}`, Framing: "chunked"}),
	}
}
