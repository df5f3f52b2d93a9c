// Package pages makes the answers that the benchmarks serve and store: pages of JSON as an audit log gives them, the same for the same seed.
//
// What makes real pages small when packed is there: names, addresses and ids that come again within a page and from page to page, between values that
// never do. Whole streams of them pack 7 to 9 times with `zstd -3`; TestPacks holds that.
package pages

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Page is one answer's body.
type Page struct {
	Body    []byte
	Records int
	ids     []int // where the id of each record begins
}

const idLength = 36

// WithIDs returns a copy of the body in which each record has an id of its own, made of n, which must differ from page to page.
func (p *Page) WithIDs(dst []byte, n int64) []byte {
	dst = append(dst[:0], p.Body...)
	for i, at := range p.ids {
		copy(dst[at:at+idLength], fmt.Sprintf("%08x-%04x-4000-8000-%012x", uint32(n>>16), uint16(n), i))
	}
	return dst
}

// WithLink returns the body with a link to the next page.
func (p *Page) WithLink(next string) []byte {
	return fmt.Appendf(nil, `{"@odata.nextLink":%q,%s`, next, p.Body[1:])
}

// account is somebody who does things.
type account struct {
	mail, object, puid, agent, app string
	addresses                      [3]string
	box                            string // what the ids of all items in the mailbox begin with
}

// Maker makes pages one after another. It is not for concurrent use.
type Maker struct {
	r        *rand.Rand
	now      time.Time
	tenant   string
	accounts []account
	sites    []string
	kinds    []template
	item     template

	who *account // of the record being made
}

// New returns a maker of the pages of a seed.
func New(seed uint64) *Maker {
	m := &Maker{r: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 2, 2, 6, 0, 0, 0, time.UTC)}
	m.tenant = m.guid()
	var agents, apps []string
	for range 30 {
		v := 120 + m.r.IntN(20)
		agents = append(agents, fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.%d.%d Safari/537.36 Edg/%d.0.0.0", v, m.r.IntN(7000), m.r.IntN(200), v))
		apps = append(apps, m.guid())
	}
	for i := range 250 {
		a := account{mail: fmt.Sprintf("%s.%s%d@fabrikam.example", m.word(), m.word(), i), object: m.guid(), puid: fmt.Sprintf("10032%011X", m.r.Int64N(1<<44)),
			agent: agents[m.r.IntN(len(agents))], app: apps[m.r.IntN(len(apps))]}
		for k := range a.addresses {
			a.addresses[k] = fmt.Sprintf("%d.%d.%d.%d", 20+m.r.IntN(180), m.r.IntN(256), m.r.IntN(256), 1+m.r.IntN(254))
		}
		a.box = "AAMkA" + base64.URLEncoding.EncodeToString([]byte(a.object + a.puid))[:66]
		m.accounts = append(m.accounts, a)
	}
	for i := range 50 {
		m.sites = append(m.sites, fmt.Sprintf("https://fabrikam.example/sites/%s-%s%d", m.word(), m.word(), i))
	}
	for _, k := range []string{signIn, mailAccess, file, rule} {
		m.kinds = append(m.kinds, parse(k))
	}
	m.item = parse(mailItem)
	return m
}

// Page makes the next page, of about size bytes and at least one record.
func (m *Maker) Page(size int) *Page {
	p := &Page{Body: []byte(`{"value":[`)}
	for p.Records == 0 || len(p.Body) < size-550 {
		if p.Records > 0 {
			p.Body = append(p.Body, ',')
		}
		m.record(p)
		p.Records++
	}
	p.Body = append(p.Body, `]}`...)
	return p
}

// record appends one. A few accounts do most of what is done.
func (m *Maker) record(p *Page) {
	m.now = m.now.Add(time.Duration(m.r.IntN(15_000)) * time.Millisecond)
	share := m.r.Float64()
	m.who = &m.accounts[int(share*share*share*float64(len(m.accounts)))]
	kind := m.kinds[[]int{0, 0, 0, 1, 1, 1, 2, 2, 2, 3}[m.r.IntN(10)]]
	m.fill(p, kind)
}

func (m *Maker) fill(p *Page, t template) {
	for _, part := range t {
		p.Body = append(p.Body, part.text...)
		switch part.name {
		case "":
		case "id":
			p.ids = append(p.ids, len(p.Body))
			p.Body = append(p.Body, m.guid()...)
		case "items":
			for i := range 1 + m.r.IntN(4) {
				if i > 0 {
					p.Body = append(p.Body, ',')
				}
				m.fill(p, m.item)
			}
		default:
			p.Body = append(p.Body, m.value(part.name)...)
		}
	}
}

// value is what stands for a name in a template.
func (m *Maker) value(name string) string {
	switch name {
	case "time":
		return m.now.Format("2006-01-02T15:04:05")
	case "guid":
		return m.guid()
	case "tenant":
		return m.tenant
	case "mail":
		return m.who.mail
	case "object":
		return m.who.object
	case "puid":
		return m.who.puid
	case "agent":
		return m.who.agent
	case "app":
		return m.who.app
	case "box":
		return m.who.box
	case "ip":
		return m.who.addresses[min(m.r.IntN(8), 2)]
	case "site":
		return m.sites[m.r.IntN(len(m.sites))]
	case "file":
		return fmt.Sprintf("%s-%s-%d.docx", m.word(), m.word(), m.r.IntN(3000))
	case "subject":
		return strings.Join([]string{m.word(), m.word(), m.word(), m.word()}, " ") + fmt.Sprintf(" %d", m.r.IntN(100_000))
	case "short":
		return m.random(9)
	case "number":
		return fmt.Sprint(m.r.IntN(200_000))
	case "done":
		return []string{"FileAccessed", "FilePreviewed", "FileDownloaded", "FileModified"}[m.r.IntN(4)]
	}
	panic("pages: template with the unknown name " + name)
}

func (m *Maker) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(m.r.Uint32())
	}
	return b
}

func (m *Maker) random(n int) string { return base64.URLEncoding.EncodeToString(m.bytes(n)) }

func (m *Maker) guid() string {
	h := hex.EncodeToString(m.bytes(16))
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:]
}

func (m *Maker) word() string { return words[m.r.IntN(len(words))] }
