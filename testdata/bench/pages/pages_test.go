package pages

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// stream is the bodies of the first pages of a seed.
func stream(seed uint64, count, size int) (all []byte, pages []*Page) {
	m := New(seed)
	for range count {
		p := m.Page(size)
		pages, all = append(pages, p), append(all, p.Body...)
	}
	return all, pages
}

func TestPages(t *testing.T) {
	one, pages := stream(7, 200, 5_000)
	if again, _ := stream(7, 200, 5_000); !bytes.Equal(one, again) {
		t.Error("one seed gives different pages")
	}
	if other, _ := stream(8, 200, 5_000); bytes.Equal(one, other) {
		t.Error("two seeds give the same pages")
	}
	if mean := len(one) / len(pages); mean < 4_750 || mean > 5_250 {
		t.Errorf("pages of %d bytes, want about 5,000", mean)
	}
	ids := map[string]bool{}
	for n, p := range pages {
		var list struct {
			Next  string `json:"@odata.nextLink"`
			Value []struct{ Id, CreationTime, Operation string }
		}
		if err := json.Unmarshal(p.Body, &list); err != nil || len(list.Value) != p.Records {
			t.Fatalf("page %d: %d records, want %d: %v", n, len(list.Value), p.Records, err)
		}
		for _, body := range [][]byte{p.WithIDs(nil, int64(n)), p.WithIDs(nil, int64(n)+1<<40), append(LinkTo("https://x.example/2"), p.Body[1:]...)} {
			if err := json.Unmarshal(body, &list); err != nil {
				t.Fatal(err)
			}
			for _, r := range list.Value {
				if ids[r.Id] || len(r.Id) != 36 || r.CreationTime == "" || r.Operation == "" {
					t.Fatalf("page %d: record %+v, or its id is not the only one", n, r)
				}
				ids[r.Id] = true
			}
		}
		if list.Next != "https://x.example/2" {
			t.Errorf("page %d: next link %q", n, list.Next)
		}
	}
}

// TestPacks: whole streams pack as those of real services do.
func TestPacks(t *testing.T) {
	if _, err := exec.LookPath("zstd"); err != nil {
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			t.Fatal("no zstd")
		}
		t.Skip("NOT TESTED that pages pack 7 to 9 times: no zstd")
	}
	for _, size := range []int{5_000, 50_000, 500_000} {
		all, _ := stream(7, 20_000_000/size, size)
		cmd := exec.Command("zstd", "-3", "-c")
		cmd.Stdin = bytes.NewReader(all)
		packed, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if ratio := float64(len(all)) / float64(len(packed)); ratio < 7 || ratio > 9 {
			t.Errorf("pages of %d bytes pack %.2f times, want 7 to 9", size, ratio)
		}
	}
}
