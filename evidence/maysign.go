package evidence

import (
	"context"
	"io/fs"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// MaySign walks a case up to entry size and returns the keys that may sign a head over its first size entries (docs/container.md, 5.5): those of the case entry, and those of
// key entries that an earlier head covers, which one of the keys before had signed over these very entries. A size beyond all entries gives those that may sign
// package.note. It fails with a [*DamageError] or a [*Fault] where the entries before size cannot be read.
func MaySign(ctx context.Context, files fs.FS, size int64) ([]trust.VKey, error) {
	survey, err := NewSurvey(files)
	if err != nil {
		return nil, err
	}
	m := maySign{files: files, notes: survey.Notes, size: size}
	for b, err := range Batches(ctx, files) {
		if err != nil {
			return nil, err
		}
		for _, e := range b.Entries {
			if m.tree.Size() >= size {
				return m.ring.may, nil
			}
			if err := m.entry(e); err != nil {
				return nil, err
			}
		}
		if m.tree.Size() >= size {
			return m.ring.may, nil
		}
	}
	return m.ring.may, nil
}

// maySign is the state of one such walk.
type maySign struct {
	files  fs.FS
	notes  []int64 // sizes of the heads that were not met yet, ascending
	size   int64
	ring   keyring
	tree   Tree
	origin string
}

// entry takes the next entry, and the head over all entries up to it, if there is one.
func (m *maySign) entry(e *Entry) (err error) {
	switch body := e.Body.(type) {
	case *Case:
		if m.tree.Size() == 0 {
			m.origin = Origin(body.Case)
			m.ring, err = newKeyring(body)
		}
	case *Key:
		err = m.ring.add(e.Head.Seq, body)
	}
	if err != nil {
		return err
	}
	m.tree.Add(LeafHash(e.HeadLine))
	for len(m.notes) > 0 && m.notes[0] <= m.tree.Size() {
		n := m.notes[0]
		m.notes = m.notes[1:]
		if n < m.tree.Size() || n >= m.size {
			continue
		}
		head, err := readNote(m.files, n, m.ring.may)
		if err == nil && head == (trust.Head{Origin: m.origin, Size: n, Root: m.tree.Root()}) {
			m.ring.cover(n)
		}
	}
	return nil
}
