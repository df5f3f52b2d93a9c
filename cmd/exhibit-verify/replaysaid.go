package main

import (
	"fmt"
	"io"
	"net"
	"strconv"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/verify/replay"
)

// startView is what a replay says once it answers, as --json prints it: docs/replay.md.
type startView struct {
	URL         string   `json:"url"`
	Host        string   `json:"host"` // the address that it listens on
	Port        int64    `json:"port"`
	Certificate string   `json:"certificate"`        // the file in which a client finds it: that of --ca-out or --tls-cert; "" where none was named
	Fingerprint string   `json:"certificate_sha256"` // in hexadecimal, with colons
	Case        string   `json:"case"`               // its id
	Exchanges   int64    `json:"exchanges"`
	Activities  int64    `json:"activities"` // that listings are derived of
	Hosts       []string `json:"hosts"`      // that were recorded
	Windows     []string `json:"windows"`    // what is recorded, in words
}

func newStartView(addr net.Addr, cert certificate, archive *replay.Archive) (v startView, err error) {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return v, err
	}
	v = startView{URL: "https://" + net.JoinHostPort(host, port), Host: host, Fingerprint: cert.fingerprint(), Case: archive.CaseID(), Exchanges: archive.Exchanges(),
		Activities: archive.Activities(), Hosts: append([]string{}, archive.Hosts()...), Windows: append([]string{}, archive.Coverage()...)}
	v.Port, err = strconv.ParseInt(port, 10, 32)
	return v, err
}

// print writes it for a reader.
func (v *startView) print(w io.Writer) {
	fmt.Fprintf(w, "listening at %s\n", v.URL)
	fmt.Fprintf(w, "certificate SHA-256 %s\n", v.Fingerprint)
	fmt.Fprintf(w, "%s, %s\n", cli.Count(v.Exchanges, "exchange", "exchanges"), cli.Count(v.Activities, "activity", "activities"))
	for _, h := range v.Hosts {
		fmt.Fprintln(w, cli.EscapeLine("recorded of "+h))
	}
}

// endView is what a replay says of its answers when it ends, likewise.
type endView struct {
	Recorded    int64 `json:"recorded"`
	Derived     int64 `json:"derived"`
	Refused     int64 `json:"refused"`
	NotRecorded int64 `json:"not_recorded"`
	NotTaken    int64 `json:"not_taken"` // of them, those that did not go out to their end
	Exit        int   `json:"exit"`      // the exit code
}

// add counts an answer.
func (v *endView) add(kind replay.Kind, taken bool) {
	switch kind {
	case replay.Recorded:
		v.Recorded++
	case replay.Derived:
		v.Derived++
	case replay.Refused:
		v.Refused++
	case replay.NotRecorded:
		v.NotRecorded++
	}
	if !taken {
		v.NotTaken++
	}
}

// print writes it for a reader.
func (v *endView) print(w io.Writer) {
	fmt.Fprintf(w, "answered: %d recorded, %d derived, %d refused, %d not recorded", v.Recorded, v.Derived, v.Refused, v.NotRecorded)
	if v.NotTaken > 0 {
		fmt.Fprintf(w, "; %d of them not to the end", v.NotTaken)
	}
	fmt.Fprintln(w)
}
