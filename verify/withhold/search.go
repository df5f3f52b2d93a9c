package withhold

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
	"github.com/exhibit-dfir/exhibit/verify"
)

// Leak is a place in a finished production where something stands that is withheld.
type Leak struct {
	Path string // of the file
	Seq  int64  // of the entry whose line or record it is in, -1 if that cannot be told
	Line int    // of the list, 0 if it is what identifies a withheld entry
	Form string // in words
}

func (l *Leak) String() string {
	where := l.Path
	if l.Seq >= 0 {
		where += fmt.Sprintf(", entry %d", l.Seq)
	}
	what := "what identifies a withheld entry"
	if l.Line > 0 {
		what = fmt.Sprintf("what line %d of the list names", l.Line)
	}
	return where + ": " + what + ", " + l.Form
}

// maxLeaks is how many leaks are listed. One is enough.
const maxLeaks = 20

// Search looks through a finished production for what is withheld: through the bytes of every file but those that fixed names, whose content is the same in each
// production, through every record in every frame of the segments, and through the bodies of the disclosed exchanges. c is the production as it was checked. An error means
// that not all of it could be looked through; leaks may have been found all the same.
func (p *Plan) Search(ctx context.Context, files fs.FS, c *verify.Container, fixed []string) ([]Leak, error) {
	s := &searcher{Plan: p, m: p.searchMatcher()}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || d.IsDir() || slices.Contains(fixed, name) {
			return err
		}
		if strings.HasPrefix(name, evidence.SegmentsPath+"/") {
			if err := s.segment(ctx, files, name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return s.file(files, name)
	})
	if err != nil {
		return s.leaks, err
	}
	for e, err := range c.Entries(ctx) {
		if err != nil {
			return s.leaks, err
		}
		hits, unsearchable, err := scanEntry(ctx, c, e, s.m)
		if err != nil {
			return s.leaks, err
		}
		if unsearchable != "" && !p.disclose && s.withTexts() && evidence.LeastLevel(e.Head.Kind) < evidence.LevelWhole {
			return s.leaks, fmt.Errorf("entry %d cannot be searched: %s", e.Head.Seq, unsearchable)
		}
		s.found(evidence.ProductionPath, e.Head.Seq, hits)
	}
	return s.leaks, nil
}

func (p *Plan) withTexts() bool { return len(p.Needles) > 0 }

// searchMatcher looks for all texts, and for what identifies withheld entries as it is and in base64.
func (p *Plan) searchMatcher() *matcher {
	var patterns []pattern
	for i, text := range p.Needles {
		patterns = append(patterns, formsOf(text, i)...)
	}
	for i, b := range p.withheld {
		of := len(p.Needles) + i
		patterns = append(patterns, pattern{string(b), of, "as it is"})
		if len(b) == 32 {
			for shift := range 3 {
				patterns = append(patterns, pattern{inBase64(base64.StdEncoding, string(b), shift), of, "in base64"})
			}
		}
	}
	return newMatcher(patterns)
}

// searcher is a search while it runs.
type searcher struct {
	*Plan
	m     *matcher
	leaks []Leak
}

func (s *searcher) found(path string, seq int64, hits []hit) {
	for _, h := range hits {
		l := Leak{Path: path, Seq: seq, Form: h.form}
		if h.of < len(s.from) {
			l.Line = s.selectors[s.from[h.of]].Line
		}
		if len(s.leaks) < maxLeaks {
			s.leaks = append(s.leaks, l)
		}
	}
}

func (s *searcher) file(files fs.FS, name string) error {
	f, err := files.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	scan := newScan(s.m)
	if err := scan.copyTo(f); err != nil {
		return err
	}
	s.found(name, evidence.None, scan.hits)
	return nil
}

// segment looks through each record of a segment, whether or not anything names it.
func (s *searcher) segment(ctx context.Context, files fs.FS, name string) error {
	f, err := files.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	src, ok := f.(io.ReaderAt)
	if !ok {
		return fmt.Errorf("it cannot be read at any offset")
	}
	dec, err := warc.NewDecoder()
	if err != nil {
		return err
	}
	defer dec.Close()
	r := warc.NewReader(dec, src, 0, info.Size())
	for {
		rec, err := r.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		scan := newScan(s.m)
		if whole := rec.Whole(); whole != nil {
			err = scan.copyTo(bytes.NewReader(whole))
		} else {
			var head []byte
			if head, err = rec.Header.Append(nil); err == nil {
				scan.Write(head)
				_, err = warc.CopyBlock(ctx, dec, src, rec.Offset, info.Size(), scan)
				scan.Close()
			}
		}
		if err != nil {
			return err
		}
		s.found(name, evidence.None, scan.hits)
	}
}
