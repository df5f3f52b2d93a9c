package row_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/rowtest"
)

// TestSpelling holds every row against evidence.MarshalLine, which spells by reflection.
func TestSpelling(t *testing.T) {
	m := rowtest.New(t)
	x := rowtest.Exchange(3, 2, 1, evidence.None)
	x.URL, x.Error = "https://h/\u00e9?q=\U0001F50D\"\\\x01\x7f\n", "cut <&> \u2028"
	x.Flags = []string{"a", "b-c"}
	e := m.Add(evidence.Head{Source: "m365", Window: 1, Method: "GET", Status: 200}, x, "request", "response", "resource")
	r, err := row.ExchangeOf(e)
	if err != nil {
		t.Fatal(err)
	}
	w := rowtest.Window(evidence.Opened, "")
	w.Text, w.Parameters = "tab\t\u00fc", append(w.Parameters, evidence.Pair{Name: "x", Value: "\r"})
	we := m.Add(evidence.Head{Source: "m365", Window: 1}, w)
	for name, v := range map[string]interface {
		Append([]byte) ([]byte, error)
	}{
		"exchange": r,
		"no flags": &row.Exchange{Start: rowtest.At(0), End: rowtest.At(1), Flags: []string{}, Records: []row.Record{}},
		"log":      row.LogOf(we),
		"window":   row.FoldWindow(nil, we),
		"cursor":   row.FoldCursor(nil, e),
		"empty":    &row.Cursor{Kept: []int64{}, Older: true},
	} {
		want, err := evidence.MarshalLine(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.Append([]byte("before"))
		if err != nil || string(got) != "before"+string(want) {
			t.Errorf("%s: %v\ngot  %s\nwant before%s", name, err, got, want)
		}
	}
	want := `{"window":1,"chain":3,"kept":[0],"older":false,"requests":1,"failed":0,"seen":0}`
	if got, err := row.FoldCursor(nil, e).Append(nil); string(got) != want || err != nil {
		t.Errorf("cursor %s, %v; want %s", got, err, want)
	}
	if k := row.CursorKey(1, 258); !bytes.Equal(k[:], []byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2}) {
		t.Errorf("key %x", k)
	}
}

// TestTimes wants six digits of fraction (docs/container.md, 1.3) for a whole second too.
func TestTimes(t *testing.T) {
	x := &row.LogEntry{Start: evidence.At(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)), End: evidence.At(time.Date(2026, 3, 1, 10, 0, 0, 5e8, time.FixedZone("", 3600))),
		Kind: "gap", Body: []byte("{}")}
	want := `{"seq":0,"start":"2026-03-01T09:00:00.000000Z","end":"2026-03-01T09:00:00.500000Z","kind":"gap","source":"","window":0,"run":"","body":{}}`
	got, err := x.Append(nil)
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
	if again, err := row.DecodeLog(got); err != nil || !again.Start.Equal(x.Start.Time) || !again.End.Equal(x.End.Time) {
		t.Errorf("decoded as %+v, %v", again, err)
	}
}

func TestDecodeIsStrict(t *testing.T) {
	good := `{"window":1,"chain":3,"kept":[4,5],"older":true,"requests":9,"failed":0,"seen":5}`
	if c, err := row.DecodeCursor([]byte(good)); err != nil || c.Kept[1] != 5 || !c.Older {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, bad := range []string{
		"", "{}", good[:len(good)-1], good + " ", `{"window":1,"chain":3,"kept":null,"older":true,"requests":9,"failed":0,"seen":5}`,
		`{"chain":3,"window":1,"kept":[4,5],"older":true,"requests":9,"failed":0,"seen":5}`,
		`{"window":1.0,"chain":3,"kept":[4,5],"older":true,"requests":9,"failed":0,"seen":5}`,
		`{"window":1,"chain":3,"kept":[4,5],"older":true,"requests":9,"failed":0,"seen":5,"x":1}`,
		`{"window":1,"chain":3,"kept":[1,2,3,4,5],"older":true,"requests":9,"failed":0,"seen":5}`,
	} {
		if c, err := row.DecodeCursor([]byte(bad)); err == nil {
			t.Errorf("%s: decoded as %+v", bad, c)
		}
	}
}

// step is one exchange of a chain: its status, and by how many exchanges before it the replaced one lies (0 none).
type step struct {
	status  int64
	replace int64
}

func TestCursor(t *testing.T) {
	for _, test := range []struct {
		name  string
		steps []step
		want  string
	}{
		{"three pages", []step{{200, 0}, {200, 0}, {200, 0}}, `"kept":[0,1,2],"older":false,"requests":3,"failed":0,"seen":2`},
		{"failed and tried again", []step{{200, 0}, {429, 0}, {503, 1}, {200, 1}}, `"kept":[0,3],"older":false,"requests":4,"failed":0,"seen":3`},
		{"later attempts failed", []step{{200, 0}, {429, 0}, {503, 1}}, `"kept":[0],"older":false,"requests":3,"failed":2,"seen":2`},
		{"page replaced by a failure", []step{{200, 0}, {200, 0}, {500, 1}}, `"kept":[0],"older":false,"requests":3,"failed":1,"seen":2`},
		{"page replaced by another", []step{{200, 0}, {200, 0}, {200, 1}}, `"kept":[0,2],"older":false,"requests":3,"failed":0,"seen":2`},
		{"older page replaced", []step{{200, 0}, {200, 0}, {200, 2}}, `"kept":[1,2],"older":false,"requests":3,"failed":0,"seen":2`},
		{"more than are listed", []step{{200, 0}, {200, 0}, {200, 0}, {200, 0}, {200, 0}, {200, 0}}, `"kept":[2,3,4,5],"older":true,"requests":6,"failed":0,"seen":5`},
		{"nothing kept", []step{{401, 0}}, `"kept":[],"older":false,"requests":1,"failed":1,"seen":0`},
	} {
		m := rowtest.New(t)
		var c *row.Cursor
		for i, s := range test.steps {
			retryOf := int64(evidence.None)
			if s.replace > 0 {
				retryOf = int64(i) - s.replace
			}
			c = row.FoldCursor(c, m.Add(evidence.Head{Window: 1, Method: "GET", Status: s.status}, rowtest.Exchange(1, 1, 1, retryOf)))
		}
		if got, err := c.Append(nil); err != nil || string(got) != `{"window":1,"chain":1,`+test.want+"}" {
			t.Errorf("%s: %s, %v", test.name, got, err)
		}
	}
	m := rowtest.New(t)
	cut := rowtest.Exchange(1, 1, 1, evidence.None)
	cut.Ended = "cut"
	c := row.FoldCursor(nil, m.Add(evidence.Head{Window: 1, Method: "GET", Status: 200}, cut))
	if last, ok := c.Last(); last != evidence.None || !ok || c.Failed != 1 {
		t.Errorf("cut answer: %+v", c)
	}
	if c := row.FoldCursor(nil, m.Add(evidence.Head{Method: "GET", Status: 200}, cut)); c != nil {
		t.Errorf("exchange without a window: %+v", c)
	}
}

func TestWindow(t *testing.T) {
	m := rowtest.New(t)
	m.Add(evidence.Head{}, &evidence.Gap{Reason: evidence.GapUnclean})
	x := rowtest.Exchange(1, 1, 1, evidence.None)
	fold := func(w *row.Window, b evidence.Body) *row.Window {
		h := evidence.Head{Source: "m365", Window: 7}
		if b == evidence.Body(x) {
			h.Method, h.Status = "GET", 200
		}
		return row.FoldWindow(w, m.Add(h, b))
	}
	if w := fold(nil, x); w != nil {
		t.Errorf("exchange before the window: %+v", w)
	}
	w := fold(nil, rowtest.Window(evidence.Opened, ""))
	closed := rowtest.Window(evidence.Partial, "throttled")
	closed.Requests, closed.User = 1, "another"
	w = fold(fold(fold(w, x), closed), x)
	want := `{"window":7,"source":"m365","acquisition":"` + rowtest.Hash("acquisition").String() + `","user":"anna@example.com",` +
		`"from":"2026-01-01T00:00:00Z","to":"2026-02-01T00:00:00Z","parameters":[{"name":"page_size","value":"100"}],"state":"partial",` +
		`"reason":"throttled","text":"","requests":1,"pages":0,"records":0,"last":-1,"opened":2,"closed":4,"exchanges":2,"seen":5}`
	if got, err := w.Append(nil); string(got) != want || err != nil {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, b := range rowtest.Sample(f, 8, 100) {
		for _, e := range b.Entries {
			err := new(row.Encoder).Rows(e, func(_ string, _, value []byte) error { f.Add(bytes.Clone(value)); return nil })
			if err != nil {
				f.Fatal(err)
			}
		}
	}
	f.Add([]byte(`{"window":1,"chain":3,"kept":[4,5],"older":true,"requests":9,"failed":0,"seen":5}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		again := func(v interface {
			Append([]byte) ([]byte, error)
		}, err error) {
			if err != nil {
				return
			}
			if got, err := v.Append(nil); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%q decodes and encodes as %q, %v", b, got, err)
			}
		}
		x, err := row.DecodeExchange(b)
		again(x, err)
		l, err := row.DecodeLog(b)
		again(l, err)
		w, err := row.DecodeWindow(b)
		again(w, err)
		c, err := row.DecodeCursor(b)
		again(c, err)
	})
}
