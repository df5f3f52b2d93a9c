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
}

func newPen(w io.Writer) *bufio.Writer { return bufio.NewWriterSize(w, 64<<10) }

// record writes what was gathered of one record: its row, if it has one, and its line in the list.
func (f *files) record(data []byte) error {
	length, n := binary.Uvarint(data)
	row, loss := data[n:n+int(length)], data[n+int(length):]
	line := append(make([]byte, 0, 32), `{"row":`...)
	if length > 0 {
		f.rows++
		line = strconv.AppendInt(line, f.rows, 10)
		if _, err := f.csv.Write(row); err != nil {
			return err
		}
	} else {
		line = append(line, '0')
	}
	if _, err := f.losses.Write(line); err != nil {
		return err
	}
	_, err := f.losses.Write(loss)
	return err
}
