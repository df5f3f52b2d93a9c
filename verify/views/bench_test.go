package views

import (
	"fmt"
	"io"
	"testing"
	"time"
)

// BenchmarkKinds makes each view of 20,000 activities.
func BenchmarkKinds(b *testing.B) {
	l := newLife(7)
	bench(b, Options{}, l.next)
}

// BenchmarkCrowd makes each view of 20,000 activities of which four in five belong to one of 80 logons that are in use at the same time: as many candidates as are listed.
func BenchmarkCrowd(b *testing.B) {
	n := 0
	at := time.Date(2018, 6, 1, 0, 0, 0, 0, time.UTC)
	bench(b, Options{}, func() activity {
		n++
		at = at.Add(7 * time.Second)
		a := act("", "Outlook", "OpenedAnAttachment", "", fmt.Sprint("m", n%100), "AttachmentAction", "Open")
		switch n % 10 {
		case 0, 5:
			a = act("", "Outlook", "ServerLogon", "", "", "Result", "Success", "UserAgent", "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.9226; Pro)", "ClientIP", fmt.Sprint("198.51.100.", n/5%80))
		case 1, 2:
			a.ActivityIDType = "ReadingPaneDisplayStart"
		}
		a.ID, a.TimeStamp, a.ActivityCreationTime = fmt.Sprint(n), at.Format("2006-01-02T15:04:05.000Z"), at.Format("2006-01-02T15:04:05.500Z")
		return a
	})
}

// BenchmarkFilter makes each view of the activities of BenchmarkKinds, of one address in 40.
func BenchmarkFilter(b *testing.B) {
	l := newLife(7)
	bench(b, Options{Filter: Filter{Addresses: []string{"198.51.100.7"}}}, l.next)
}

func bench(b *testing.B, opt Options, next func() activity) {
	var pages [][]activity
	for range 20 {
		var page []activity
		for range 1000 {
			page = append(page, next())
		}
		pages = append(pages, page)
	}
	c := container(b, []box{{"kim@example.com", pages}})
	f, err := FindFormat("tsv")
	if err != nil {
		b.Fatal(err)
	}
	for _, k := range Kinds() {
		b.Run(k.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if sum, err := Write(b.Context(), c, k, f, opt, io.Discard); err != nil || sum.Extract.Records != 20_000 {
					b.Fatal(err, sum)
				}
			}
		})
	}
}
