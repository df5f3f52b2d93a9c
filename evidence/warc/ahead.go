package warc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
)

// Ahead reads the records of a segment in order, as a [Reader] does, and decodes them on all cores ahead of its caller. One goroutine
// cuts the file into jobs of whole frames, each of which one worker decodes from the bytes that were cut. Memory is bounded by the
// jobs in flight: aheadWorkers of them, each of one record or aheadContent bytes. An Ahead is for one goroutine.
type Ahead struct {
	src    io.ReaderAt
	size   int64
	each   func(*Record) any
	want   func(offset int64) bool
	limit  *int64 // bytes of content that may still be decoded; nil for no limit
	cancel context.CancelFunc
	wg     sync.WaitGroup
	free   chan *job
	work   chan *job
	order  chan *job

	now  *job // whose records are handed out
	next int
	err  error // what ended it
}

// Bounds of the jobs.
const (
	aheadWorkers = 8
	aheadRead    = 512 << 10 // bytes of the file
	aheadContent = 1 << 20   // decoded bytes, of more than one record
)

// job is some whole frames of the file.
type job struct {
	raw    []byte // of the file, from offset on
	offset int64
	frames []Frame
	stream bool // one frame, too large to be held in memory
	err    error

	content int64 // of all frames
	out     []byte
	records []Record
	made    []any
	done    chan struct{}
}

// NewAhead starts reading the first size bytes of src at offset. each, if not nil, is called for every record, by many goroutines at once, and
// what it returns comes with the record. want, if not nil, says which frames are decoded: of the others only the headers of blocks are looked at, and their
// records have no more than a place ([Record.Decoded]). No more than limit bytes of content are decoded, if it is not nil, as by [Reader.Limit]. The caller must call Close, and
// must not use dec and limit until then.
func NewAhead(ctx context.Context, dec *Decoder, src io.ReaderAt, offset, size int64, limit *int64, want func(offset int64) bool, each func(*Record) any) (*Ahead, error) {
	workers := min(runtime.GOMAXPROCS(0), aheadWorkers)
	for len(dec.others) < workers-1 {
		d, err := NewDecoder()
		if err != nil {
			return nil, err
		}
		dec.others = append(dec.others, d)
	}
	ctx, cancel := context.WithCancel(ctx)
	jobs := workers + 2
	if want == nil {
		want = func(int64) bool { return true }
	}
	a := &Ahead{src: src, size: size, each: each, want: want, limit: limit, cancel: cancel, free: make(chan *job, jobs), work: make(chan *job, jobs), order: make(chan *job, jobs)}
	for range jobs {
		a.free <- &job{}
	}
	a.wg.Go(func() { a.cut(ctx, offset) })
	for _, d := range append([]*Decoder{dec}, dec.others...)[:workers] {
		a.wg.Go(func() {
			for j := range a.work {
				a.decode(ctx, d, j)
				close(j.done)
			}
		})
	}
	return a, nil
}

// Close ends the reading.
func (a *Ahead) Close() {
	a.cancel()
	a.wg.Wait()
}

// Next is [Reader.Next], with what each made of the record. The record is valid until the next call.
func (a *Ahead) Next(ctx context.Context) (*Record, any, error) {
	for a.err == nil {
		if a.now == nil {
			a.take(ctx)
			continue
		}
		if i := a.next; i < len(a.now.records) {
			a.next++
			return &a.now.records[i], a.now.made[i], nil
		}
		a.err = a.now.err
		a.free <- a.now // has room: jobs are all there are
		a.now, a.next = nil, 0
	}
	return nil, nil, a.err
}

// take waits for the next job.
func (a *Ahead) take(ctx context.Context) {
	select {
	case j, ok := <-a.order:
		if !ok {
			a.err = io.EOF
			if err := ctx.Err(); err != nil {
				a.err = err
			}
			return
		}
		<-j.done
		a.now = j
	case <-ctx.Done():
		a.err = ctx.Err()
	}
}

// cut makes jobs until the end of the file or the first frame that breaks a rule.
func (a *Ahead) cut(ctx context.Context, pos int64) {
	defer close(a.work)
	defer close(a.order)
	for pos < a.size {
		var j *job
		select {
		case j = <-a.free:
		case <-ctx.Done():
			return
		}
		*j = job{raw: j.raw[:0], offset: pos, frames: j.frames[:0], out: j.out, records: j.records[:0], made: j.made[:0], done: make(chan struct{})}
		j.err = a.fill(j)
		if n := len(j.frames); n > 0 {
			pos = j.frames[n-1].Offset + j.frames[n-1].Length
		}
		end := j.err != nil
		a.order <- j // has room, like work
		a.work <- j
		if end {
			return
		}
	}
}

var errShort = errors.New("frame goes on behind what was read")

// fill reads a piece of the file and finds the whole frames in it: at least one, unless it fails.
func (a *Ahead) fill(j *job) error {
	if err := a.read(j, aheadRead); err != nil {
		return err
	}
	pos := j.offset
	for pos < a.size {
		f, err := walkFrame(pos, a.size, nil, j.peek(a.size))
		if errors.Is(err, errShort) || err == nil && pos+f.Length > j.offset+int64(len(j.raw)) {
			if len(j.frames) > 0 {
				return nil
			}
			return a.fillLarge(j)
		}
		if err != nil {
			return err
		}
		pos += f.Length
		if !a.want(f.Offset) {
			j.frames = append(j.frames, f)
			continue
		}
		if len(j.frames) > 0 && j.content+f.Content > aheadContent {
			return nil
		}
		if f.Content > InlineLimit {
			j.stream = true
		}
		if err := a.allow(f); err != nil {
			return err
		}
		j.frames = append(j.frames, f)
		if j.content += f.Content; j.content > aheadContent {
			return nil
		}
	}
	return nil
}

// fillLarge makes a job of one frame that is larger than what was read.
func (a *Ahead) fillLarge(j *job) error {
	f, err := NewReader(nil, a.src, j.offset, a.size).nextFrame()
	if err != nil {
		return err
	}
	if !a.want(f.Offset) {
		j.frames = append(j.frames, f)
		return nil
	}
	if err := a.allow(f); err != nil {
		return err
	}
	if f.Content > InlineLimit {
		j.frames, j.stream = append(j.frames, f), true
		return nil
	}
	if err := a.read(j, f.Length); err != nil {
		return err
	}
	again, err := walkFrame(j.offset, a.size, nil, j.peek(a.size))
	if err == nil && again != f {
		err = fmt.Errorf("segment changed while it was read, at offset %d", j.offset)
	}
	j.frames, j.content = append(j.frames, f), f.Content
	return err
}

// allow takes a frame's content off the limit.
func (a *Ahead) allow(f Frame) error {
	if a.limit != nil {
		if *a.limit -= f.Content; *a.limit < 0 {
			return ErrContent
		}
	}
	return nil
}

func (a *Ahead) read(j *job, n int64) error {
	n = min(n, a.size-j.offset)
	if int64(cap(j.raw)) < n {
		j.raw = make([]byte, n)
	}
	j.raw = j.raw[:n]
	if got, err := a.src.ReadAt(j.raw, j.offset); int64(got) < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("segment changed while it was read, at offset %d: %w", j.offset, err)
	}
	return nil
}

// peek gives bytes of a file of size bytes from what was read of it.
func (j *job) peek(size int64) func(off int64, n int) ([]byte, error) {
	return func(off int64, n int) ([]byte, error) {
		n = int(min(int64(n), size-off))
		at := off - j.offset
		if at+int64(n) > int64(len(j.raw)) {
			return nil, errShort
		}
		return j.raw[at : at+int64(n)], nil
	}
}

// decode reads the records of a job's frames, up to the first that breaks a rule.
func (a *Ahead) decode(ctx context.Context, d *Decoder, j *job) {
	if j.stream {
		r := NewReader(d, a.src, j.offset, a.size)
		j.add(a.each, func(rec *Record) error { return r.streamed(ctx, j.frames[0], rec, nil) }, j.frames[0])
		return
	}
	if int64(cap(j.out)) < j.content {
		j.out = make([]byte, j.content)
	}
	out := j.out[:0]
	for _, f := range j.frames {
		if ctx.Err() != nil {
			j.err = ctx.Err()
			return
		}
		if !a.want(f.Offset) {
			j.records, j.made = append(j.records, Record{Offset: f.Offset, FrameLength: f.Length}), append(j.made, nil)
			continue
		}
		at := f.Offset - j.offset
		end := int64(len(out)) + f.Content
		if !j.add(a.each, func(rec *Record) error {
			return d.record(f, j.raw[at:at+f.Length], out[len(out):len(out):end], rec)
		}, f) {
			return
		}
		out = out[:end]
	}
}

// add appends the record of a frame, or notes why there is none.
func (j *job) add(each func(*Record) any, read func(*Record) error, f Frame) bool {
	j.records = append(j.records, Record{Offset: f.Offset, FrameLength: f.Length})
	rec := &j.records[len(j.records)-1]
	if err := read(rec); err != nil {
		j.records = j.records[:len(j.records)-1]
		j.err = err
		return false
	}
	var made any
	if each != nil {
		made = each(rec)
	}
	j.made = append(j.made, made)
	return true
}
