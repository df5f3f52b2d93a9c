package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
)

// text collects what a command prints, and wakes whoever waits for a line.
type text struct {
	mu  sync.Mutex
	b   bytes.Buffer
	now chan struct{} // a line was written
}

func newText() *text { return &text{now: make(chan struct{}, 1)} }

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	select {
	case x.now <- struct{}{}:
	default:
	}
	return x.b.Write(p)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

// replaying is the command while it runs.
type replaying struct {
	t         *testing.T
	out, talk *text
	url       string
	cancel    context.CancelFunc
	code      chan int
}

func startReplay(t *testing.T, dir string, args ...string) *replaying {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &replaying{t: t, out: newText(), talk: newText(), cancel: cancel, code: make(chan int, 1)}
	go func() {
		r.code <- run(ctx, append([]string{"replay", dir}, args...), cli.Streams{In: strings.NewReader(""), Out: r.out, Err: r.talk})
	}()
	line := regexp.MustCompile(`listening at (https://\S+)\n|^\{.*"url":"([^"]+)".*\}\n`)
	for {
		if m := line.FindStringSubmatch(r.out.String()); m != nil {
			r.url = m[1] + m[2]
			return r
		}
		select {
		case <-r.out.now:
		case code := <-r.code:
			t.Fatalf("ended with %d: %s", code, r.talk)
		}
	}
}

// stop interrupts the command and expects its exit code.
func (r *replaying) stop(want int) {
	r.t.Helper()
	r.cancel()
	if got := <-r.code; got != want {
		r.t.Errorf("exit code %d, want %d: %s", got, want, r.talk)
	}
}

func (r *replaying) client(pool *x509.CertPool) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	r.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// newestBody is what the last exchange of the sample case brought that asked for its page 1.
const newestBody = `{"value":[]}`

// get asks for a page of the sample case.
func get(client *http.Client, url string) (status int, body string, err error) {
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Authorization", "Bearer hunter2hunter2")
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, string(b), err
}

// pool reads the certificate that a replay wrote before it said where it listens.
func pool(t *testing.T, path string) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if b, err := os.ReadFile(path); err != nil || !pool.AppendCertsFromPEM(b) {
		t.Fatalf("%s: %v, %q", path, err, b)
	}
	return pool
}

// TestReplay asks over TLS with the certificate that was written: it is the one whose fingerprint is printed, and good for the names of the case.
func TestReplay(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	r := startReplay(t, smallCase(t), "--ca-out", ca)
	roots := pool(t, ca)
	client := r.client(roots)
	for target, want := range map[string]string{"/page/1": newestBody, "/nowhere": `{"error":{"code":"ExhibitNotRecorded"`} {
		if _, body, err := get(client, r.url+target); err != nil || !strings.HasPrefix(body, want) {
			t.Errorf("%s: %q, %v", target, body, err)
		}
	}
	for _, name := range []string{"localhost", "service.example", "127.0.0.1", "::1"} {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(r.url, "https://"), &tls.Config{RootCAs: roots, ServerName: name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		conn.Close()
	}
	if conn, err := tls.Dial("tcp", strings.TrimPrefix(r.url, "https://"), &tls.Config{RootCAs: roots, ServerName: "other.example"}); err == nil {
		conn.Close()
		t.Error("the certificate is good for any name")
	}
	r.stop(0)
	if strings.Contains(r.talk.String()+r.out.String(), "hunter2") {
		t.Errorf("a secret is printed: %s", r.talk)
	}
	for _, line := range []string{"200 recorded, entry ", "404 not-recorded: this case holds no answer to GET"} {
		if !strings.Contains(r.talk.String(), line) {
			t.Errorf("%q is not said: %s", line, r.talk)
		}
	}
	if !strings.HasSuffix(r.out.String(), "\nanswered: 1 recorded, 0 derived, 0 refused, 1 not recorded\n") {
		t.Errorf("at the end: %s", r.out)
	}
	openssl(t, ca, r.out.String())
}

// TestReplayJSON: what is printed is all that a script needs, which has nothing else here; and at the end it counts the answers.
func TestReplayJSON(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	r := startReplay(t, smallCase(t), "--json", "--ca-out", ca)
	var start struct {
		URL, Host, Certificate, Case string
		Port                         int
		SHA256                       string `json:"certificate_sha256"`
		Exchanges, Activities        int
		Hosts, Windows               []string
	}
	line := r.out.String()
	if err := json.Unmarshal([]byte(line), &start); err != nil || strings.Count(line, "\n") != 1 {
		t.Fatalf("%v: %s", err, line)
	}
	if start.URL != fmt.Sprintf("https://127.0.0.1:%d", start.Port) || start.Host != "127.0.0.1" || start.Certificate != ca || start.Case != sample.CaseID || start.Exchanges != 4 || start.Activities != 0 ||
		!slices.Equal(start.Hosts, []string{"service.example"}) || start.Windows == nil || len(start.Windows) != 0 {
		t.Errorf("%s", line)
	}
	openssl(t, start.Certificate, "certificate SHA-256 "+start.SHA256+"\n")
	client := r.client(pool(t, start.Certificate))
	for target, status := range map[string]int{"/page/1": 200, "/page/2": 200, "/nowhere": 404} {
		if got, _, err := get(client, fmt.Sprintf("https://%s:%d%s", start.Host, start.Port, target)); err != nil || got != status {
			t.Errorf("%s: %d, %v", target, got, err)
		}
	}
	response, err := client.Post(start.URL+"/page/1", "text/plain", strings.NewReader("x"))
	if err != nil || response.StatusCode != 413 {
		t.Errorf("a body: %v, %v", response, err)
	} else {
		response.Body.Close()
	}
	r.stop(0)
	if end, want := strings.TrimPrefix(r.out.String(), line), `{"recorded":2,"derived":0,"refused":1,"not_recorded":1,"not_taken":0,"exit":0}`+"\n"; end != want {
		t.Errorf("at the end: %q, want %q", end, want)
	}
}

// TestReplayCertificate: OpenSSL before 3.0 does not find a self-signed certificate with a key usage that does not allow to sign certificates (its issue 1418), and Python
// from 3.13 on holds certificates against more rules: each has to trust this one all the same, and none may take it for an authority.
func TestReplayCertificate(t *testing.T) {
	c, err := selfSigned([]string{"localhost", "127.0.0.1", "::1", "127.0.0.1", "outlook.office.com", "localhost"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(c.Certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if leaf.KeyUsage != 0 || leaf.IsCA || !leaf.BasicConstraintsValid || len(leaf.DNSNames) != 2 || len(leaf.IPAddresses) != 2 {
		t.Errorf("key usage %v, authority %v, names %q %q", leaf.KeyUsage, leaf.IsCA, leaf.DNSNames, leaf.IPAddresses)
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		}
		fmt.Fprintf(os.Stderr, "NOT TESTED: the rules of openssl for the certificate of a replay: %v\n", err)
		return
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte(c.pem), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flags := range []string{"", "-x509_strict", "-x509_strict -partial_chain -check_ss_sig"} {
		args := append(strings.Fields("verify -purpose sslserver -verify_hostname outlook.office.com "+flags), "-CAfile", file, file)
		if b, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
			t.Errorf("openssl %q: %v, %s", args, err, b)
		}
	}
}

// openssl holds the certificate and what is printed of it against another program.
func openssl(t *testing.T, file, out string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		}
		fmt.Fprintf(os.Stderr, "NOT TESTED: the certificate of a replay against openssl: %v\n", err)
		return
	}
	b, err := exec.Command("openssl", "x509", "-in", file, "-noout", "-fingerprint", "-sha256").CombinedOutput()
	_, print, _ := strings.Cut(strings.TrimSpace(string(b)), "=")
	if err != nil || print == "" || !strings.Contains(out, "certificate SHA-256 "+print+"\n") {
		t.Errorf("openssl: %v, %s\n%s", err, b, out)
	}
	if b, err := exec.Command("openssl", "verify", "-purpose", "sslserver", "-CAfile", file, file).CombinedOutput(); err != nil {
		t.Errorf("openssl: %v, %s", err, b)
	}
}

// TestReplayOwnCertificate serves with a certificate that the user brings.
func TestReplayOwnCertificate(t *testing.T) {
	c, err := selfSigned([]string{"127.0.0.1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	otherDER, err := x509.MarshalPKCS8PrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"cert": []byte(c.pem), "key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), "other": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: otherDER})} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	path := smallCase(t)
	r := startReplay(t, path, "--tls-cert", file("cert"), "--tls-key", file("key"))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(c.pem))
	if status, body, err := get(r.client(pool), r.url+"/page/1"); err != nil || status != 200 || body != newestBody {
		t.Errorf("%d %q, %v", status, body, err)
	}
	r.stop(0)
	refused(t, []string{"replay", path, "--tls-cert", file("cert"), "--tls-key", file("other")}, "--tls-cert")
	refused(t, []string{"replay", path, "--tls-cert", file("cert")}, "--tls-cert and --tls-key go together")
	refused(t, []string{"replay", path, "--tls-cert", file("cert"), "--tls-key", file("key"), "--ca-out", file("ca")}, "--ca-out writes the certificate that is made")
}

// TestReplayCrowd: more clients than are served at once wait, and are answered when one of them goes; all of them end with the command.
func TestReplayCrowd(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	r := startReplay(t, smallCase(t), "--ca-out", ca)
	client := r.client(pool(t, ca))
	var silent []net.Conn
	for range maxConnections {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		silent = append(silent, conn)
	}
	done := make(chan error, 1)
	go func() {
		status, _, err := get(client, r.url+"/page/1")
		if err == nil && status != 200 {
			err = fmt.Errorf("status %d", status)
		}
		done <- err
	}()
	silent[5].Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	r.stop(0)
	if _, err := silent[6].Read(make([]byte, 1)); err == nil {
		t.Error("a client is still served")
	}
}

// TestReplayPlain: a client without TLS is told so.
func TestReplayPlain(t *testing.T) {
	r := startReplay(t, smallCase(t))
	status, body, err := get(http.DefaultClient, strings.Replace(r.url, "https://", "http://", 1)+"/page/1")
	if err != nil || status != 400 || body != "use https: TLS alone is spoken here" {
		t.Errorf("%d %q, %v", status, body, err)
	}
	http.DefaultClient.CloseIdleConnections()
	r.stop(0)
}

// TestReplayOpenCase: a case that is not sealed is replayed, and the exit code says what it is.
func TestReplayOpenCase(t *testing.T) {
	dir, m := t.TempDir(), sample.Small(t)
	m.Close()
	for name, content := range m.Folder.Files() {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := startReplay(t, dir)
	r.stop(cli.Incomplete)
	if !strings.Contains(r.talk.String(), "what was served is what was acquired") {
		t.Errorf("%s", r.talk)
	}
	var out, talk bytes.Buffer
	code := run(t.Context(), []string{"replay", smallCase(t), "--key", sample.Key(t, 77).VerifierKey()}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &talk})
	if code != cli.KeyUnmet || out.Len() > 0 || !strings.Contains(talk.String(), "nothing was served") {
		t.Errorf("another key: %d %s %s", code, &out, &talk)
	}
}

// TestReplayAddresses: names are not looked up, and an address that others can reach is warned of.
func TestReplayAddresses(t *testing.T) {
	path := smallCase(t)
	for _, addr := range []string{"replay.example:0", "127.0.0.1:http", "127.0.0.1:-1", "[::1:0", "localhost"} {
		refused(t, []string{"replay", path, "--listen", addr}, "--listen")
	}
	r := startReplay(t, path, "--listen", "localhost:0")
	r.stop(0)
	if strings.Contains(r.talk.String(), "warning") {
		t.Errorf("%s", r.talk)
	}
	r = startReplay(t, path, "--listen", "0.0.0.0:0")
	r.stop(0)
	if !strings.Contains(r.talk.String(), "warning: whoever can reach this address can read the evidence") {
		t.Errorf("%s", r.talk)
	}
}

// TestReplayAltered: a case that is altered meanwhile is not answered from, and the command ends with 3.
func TestReplayAltered(t *testing.T) {
	dir, ca := smallCase(t), filepath.Join(t.TempDir(), "ca.pem")
	r := startReplay(t, dir, "--ca-out", ca)
	client := r.client(pool(t, ca))
	segments, err := filepath.Glob(filepath.Join(dir, "data", "evidence", "*"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	for _, name := range segments {
		if err := os.WriteFile(name, make([]byte, 100_000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	status, body, err := get(client, r.url+"/page/1")
	if err != nil || status != 500 || !strings.Contains(body, "the case is not any more what was checked") {
		t.Errorf("%d %q, %v", status, body, err)
	}
	if code := <-r.code; code != cli.Damaged || !strings.Contains(r.talk.String(), "check the case again") {
		t.Errorf("exit code %d: %s", code, r.talk)
	}
	r.cancel()
}
