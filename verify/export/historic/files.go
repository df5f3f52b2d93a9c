package historic

import (
	"bufio"
	"encoding/binary"
	"io"
	"strconv"
)

// files are the two that are written side by side.
type files struct {
	csv, losses *bufio.Writer
	rows        int64
	in          bufio.Reader
}

func newPen(w io.Writer) *bufio.Writer { return bufio.NewWriterSize(w, 64<<10) }

// record writes what was gathered of one record: its row, if it has one, and its line in the list.
func (f *files) record(data io.Reader) error {
	f.in.Reset(data)
	length, err := binary.ReadUvarint(&f.in)
	if err != nil {
		return err
	}
	line := append(make([]byte, 0, 32), `{"row":`...)
	if length > 0 {
		f.rows++
		line = strconv.AppendInt(line, f.rows, 10)
		if _, err := io.CopyN(f.csv, &f.in, int64(length)); err != nil {
			return err
		}
	} else {
		line = append(line, '0')
	}
	if _, err := f.losses.Write(line); err != nil {
		return err
	}
	_, err = io.Copy(f.losses, &f.in)
	return err
}
