package verify

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence/bag"
)

// slack is how many bytes more than bag-info.txt counts are read of a payload all the same, so that what was added to it is named
// with its hash.
const slack = 1 << 30

// payloadFS gives out the files of data/ as long as they are no longer together than bag-info.txt says, and some. A file that takes no room on
// disk may call itself larger than can be hashed in a year; one that is not counted is no part of the evidence whatever its hash.
type payloadFS struct {
	fs.FS
	left int64
}

// newPayloadFS reads Payload-Oxum. Where that cannot be told, the case is damaged, and files of slack bytes are read.
func newPayloadFS(files fs.FS) *payloadFS {
	p := &payloadFS{files, slack}
	info, err := readSmall(files, "bag-info.txt", 1<<20)
	if err != nil {
		return p
	}
	fields, _ := bag.ParseInfo(info)
	for _, f := range fields {
		octets, _, _ := strings.Cut(f.Value, ".")
		if n, err := strconv.ParseInt(octets, 10, 64); f.Label == bag.PayloadOxum && err == nil && n >= 0 && n <= 1<<53 {
			p.left += n
		}
	}
	return p
}

// Open opens a file, which must have the size that it says, or a folder.
func (p *payloadFS) Open(name string) (fs.File, error) {
	f, err := p.FS.Open(name)
	if err != nil || !strings.HasPrefix(name, "data/") {
		return f, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return f, nil
	}
	if info.Size() > p.left {
		f.Close()
		return nil, fmt.Errorf("it is %d bytes long, more than bag-info.txt counts, and was not hashed", info.Size())
	}
	p.left -= info.Size()
	return &payloadFile{f, info.Size()}, nil
}

// payloadFile is a file that must not grow while it is read.
type payloadFile struct {
	fs.File
	left int64
}

func (f *payloadFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	if f.left -= int64(n); f.left < 0 {
		return 0, fmt.Errorf("it grew while it was read")
	}
	return n, err
}
