package evidence

import "github.com/go-json-experiment/json/jsontext"

// The members of everything that stands in lines, in the order of docs/container.md, 3.2 and 4.1 to 4.6.

func (h *BatchHead) members(c *codec) {
	c.text("format", &h.Format)
	c.text("case", &h.Case)
	c.integer("batch", &h.Batch)
	c.integer("segment", &h.Segment)
	c.integer("first", &h.First)
	c.integer("count", &h.Count)
	c.time("time", &h.Time)
	c.hash("prev", &h.Prev)
	if c.reading && c.next("warcinfo") {
		h.SegmentHead = &SegmentHead{}
	}
	if h.SegmentHead != nil {
		c.hash("warcinfo", &h.Warcinfo)
		c.hashes("frontier", &h.Frontier)
	}
}

func (h *Head) members(c *codec) {
	c.integer("seq", &h.Seq)
	c.text("kind", &h.Kind)
	c.time("start", &h.Start)
	c.time("end", &h.End)
	c.text("source", &h.Source)
	c.integer("window", &h.Window)
	c.text("method", &h.Method)
	c.integer("status", &h.Status)
	c.hash("detail", &h.Detail)
}

// detailLine is a detail with its body decoded, and the bytes that it is read from.
type detailLine struct {
	*Detail
	line []byte
	body Body // nil if the kind is unknown
}

func (d *detailLine) members(c *codec) {
	c.hash("nonce", &d.Nonce)
	c.text("run", &d.Run)
	list(c, "records", &d.Records, members[RecordRef])
	if !c.key("body") {
		return
	}
	if !c.reading {
		c.object(d.body.members)
		return
	}
	// The body is all that is left but the detail's own closing brace.
	start, end := len(d.line)-len(c.in), len(d.line)-1
	if end <= start {
		c.fail("a body is missing")
		return
	}
	d.Body = jsontext.Value(d.line[start:end:end])
	if d.body != nil {
		c.object(d.body.members)
		return
	}
	if err := canonical(d.Body); err != nil {
		c.fail("body: %w", err)
		return
	}
	c.in = c.in[end-start:]
}

func (r *RecordRef) members(c *codec) {
	c.text("type", &r.Type)
	c.text("uri", &r.URI)
	c.text("content_type", &r.ContentType)
	c.text("truncated", &r.Truncated)
	c.hash("block", &r.Block)
	c.integer("block_length", &r.BlockLength)
}

func (p *Pair) members(c *codec) {
	c.text("name", &p.Name)
	c.text("value", &p.Value)
}

func (r *Redaction) members(c *codec) {
	c.integer("record", &r.Record)
	c.text("what", &r.What)
	c.text("name", &r.Name)
	c.integer("offset", &r.Offset)
	c.integer("length", &r.Length)
}

func (b *Case) members(c *codec) {
	c.text("format", &b.Format)
	c.text("case", &b.Case)
	c.text("origin", &b.Origin)
	c.pairs("fields", &b.Fields)
	c.texts("keys", &b.Keys)
	c.texts("time_sources", &b.TimeSources)
	c.text("host", &b.Host)
	c.pairs("tool", &b.Tool)
	c.text("continues", &b.Continues)
}

func (b *Operator) members(c *codec) {
	c.text("action", &b.Action)
	c.text("text", &b.Text)
	c.text("operator", &b.Operator)
	c.text("host", &b.Host)
	c.pairs("fields", &b.Fields)
}

func (b *Connection) members(c *codec) {
	c.integer("number", &b.Number)
	c.text("origin", &b.Origin)
	c.text("remote", &b.Remote)
	c.text("local", &b.Local)
	c.text("proxy", &b.Proxy)
	c.text("protocol", &b.Protocol)
	c.text("tls_version", &b.TLSVersion)
	c.text("cipher", &b.Cipher)
	c.text("server_name", &b.ServerName)
	c.boolean("verified", &b.Verified)
	c.text("roots", &b.Roots)
	c.text("error", &b.Error)
	list(c, "redactions", &b.Redactions, members[Redaction])
}

func (b *Exchange) members(c *codec) {
	c.integer("counter", &b.Counter)
	c.text("request_id", &b.RequestID)
	c.integer("connection", &b.Connection)
	c.text("url", &b.URL)
	c.integer("chain", &b.Chain)
	c.integer("page", &b.Page)
	c.integer("parent", &b.Parent)
	c.integer("before", &b.Before)
	c.integer("attempt", &b.Attempt)
	c.integer("retry_of", &b.RetryOf)
	c.text("protocol", &b.Protocol)
	c.text("framing", &b.Framing)
	c.text("ended", &b.Ended)
	c.integers("interim", &b.Interim)
	c.texts("flags", &b.Flags)
	c.integer("head_offset", &b.HeadOffset)
	c.integer("head_length", &b.HeadLength)
	list(c, "redactions", &b.Redactions, members[Redaction])
	c.pairs("claims", &b.Claims)
	c.text("error", &b.Error)
}

func (b *Window) members(c *codec) {
	c.hash("acquisition", &b.Acquisition)
	c.text("state", &b.State)
	c.text("reason", &b.Reason)
	c.text("text", &b.Text)
	c.text("user", &b.User)
	c.text("from", &b.From)
	c.text("to", &b.To)
	c.pairs("parameters", &b.Parameters)
	c.integer("requests", &b.Requests)
	c.integer("pages", &b.Pages)
	c.integer("records", &b.Records)
	c.integer("last", &b.Last)
}

func (b *Gap) members(c *codec) {
	c.text("reason", &b.Reason)
	c.text("text", &b.Text)
	c.text("lost_run", &b.LostRun)
	c.integer("in_flight", &b.InFlight)
	c.integer("segment", &b.Segment)
	c.integer("offset", &b.Offset)
	c.integer("length", &b.Length)
}

func (b *Checkpoint) members(c *codec) {
	c.integer("size", &b.Size)
	c.text("note", &b.Note)
}

func (b *Key) members(c *codec) {
	c.text("action", &b.Action)
	c.text("key", &b.Key)
	c.text("text", &b.Text)
}

func (b *Seal) members(c *codec) {
	list(c, "counts", &b.Counts, members[KindCount])
	c.integer("segment", &b.Segment)
	c.hash("preceding", &b.Preceding)
}

func (k *KindCount) members(c *codec) {
	c.text("kind", &k.Kind)
	c.integer("count", &k.Count)
}
