package simulation

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"flag"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
)

var (
	seeds = flag.Int("sim.seeds", 300, "how many seeds to live")
	from  = flag.Uint64("sim.from", 1, "the first of them")
	one   = flag.Uint64("sim.seed", 0, "live this seed alone, twice, and print its trace with -v")
)

// rows is how many activities a window has; several may begin in one second.
const rows = 70

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // worlds are small and many
	goleak.VerifyTestMain(m)
}

// newStage makes what all worlds share.
func newStage(t *testing.T) *stage {
	t.Helper()
	tenant, err := oldest(rows)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{tenant: tenant, key: signer(), since: tenant.Activities(simtenant.Apostrophe)[0].Time.Truncate(time.Second).Add(-time.Hour)}
	if s.leaf, s.roots, err = certify(); err != nil {
		t.Fatal(err)
	}
	base := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		base = "/dev/shm" // an index is synced some thirty times a seed, and nothing here depends on that
	}
	if s.dir, err = os.MkdirTemp(base, "simulation"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(s.dir) })
	return s
}

// oldest makes mailboxes of which one has its n oldest activities alone, so that others may arrive before and behind them.
func oldest(n int) (*simtenant.Tenant, error) {
	all, err := simtenant.New(simtenant.Options{Seed: 3})
	if err != nil {
		return nil, err
	}
	faults, err := simtenant.ParseFaults(fmt.Sprintf("vanish@1:%d", len(all.Activities(simtenant.Apostrophe))-n))
	if err != nil {
		return nil, err
	}
	t, err := all.Again(simtenant.Options{Faults: faults})
	if err != nil {
		return nil, err
	}
	r := httptest.NewRequest(http.MethodGet, "/api/v2.0/Users('"+strings.ReplaceAll(simtenant.Apostrophe, "'", "''")+"')/Activities?$top=1", nil)
	r.Header.Set("Authorization", "Bearer "+t.Token())
	r.Header.Set("Prefer", `exchange.behavior="ActivityAccess"`)
	w := httptest.NewRecorder()
	if t.ServeHTTP(w, r); w.Code != http.StatusOK || len(t.Activities(simtenant.Apostrophe)) != n {
		return nil, fmt.Errorf("status %d, %d activities are left of all", w.Code, len(t.Activities(simtenant.Apostrophe)))
	}
	return t, nil
}

// certify makes a certificate that is valid whatever the clock says, the same bytes every time.
func certify() (leaf tls.Certificate, roots *x509.CertPool, err error) {
	_, key, err := ed25519.GenerateKey(newRandom(2, "certificate"))
	if err != nil {
		return leaf, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "simulated service"}, DNSNames: []string{service},
		NotBefore: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true, IsCA: true}
	der, err := x509.CreateCertificate(newRandom(2, "signature"), template, template, key.Public(), key)
	if err != nil {
		return leaf, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return leaf, nil, err
	}
	roots = x509.NewCertPool()
	roots.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots, nil
}

// live lives one seed in a bubble of its own. What panics there becomes what is wrong with the seed.
func (s *stage) live(t *testing.T, seed uint64, p plant) (out *outcome) {
	defer func() {
		if r := recover(); r != nil {
			out = &outcome{seed: seed, plan: newScript(seed), trace: &trace{}, wrong: []string{fmt.Sprintf("panic: %v\n%s", r, debug.Stack())}}
		}
	}()
	synctest.Test(t, func(*testing.T) { out = s.simulate(seed, p) })
	return out
}

// lives lives seeds on all cores and hands over each outcome, one at a time.
func (s *stage) lives(t *testing.T, first uint64, n int, p plant, each func(*outcome) bool) {
	var next atomic.Uint64
	var stop atomic.Bool
	var mu sync.Mutex
	next.Store(first)
	t.Run("seeds", func(t *testing.T) {
		for k := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(k), func(t *testing.T) {
				t.Parallel()
				for !stop.Load() {
					seed := next.Add(1) - 1
					if seed >= first+uint64(n) {
						return
					}
					out := s.live(t, seed, p)
					mu.Lock()
					if !each(out) {
						stop.Store(true)
					}
					mu.Unlock()
				}
			})
		}
	})
}

func (o *outcome) report(t *testing.T) {
	t.Helper()
	for _, wrong := range o.wrong {
		t.Errorf("seed %d: %s", o.seed, wrong)
	}
	if len(o.wrong) > 0 {
		t.Errorf("seed %d: %s\nreplay: go test ./acquire/simulation -run TestSeeds -sim.seed %d -v", o.seed, o.plan, o.seed)
	}
}

// TestSeeds lives many seeds.
func TestSeeds(t *testing.T) {
	s := newStage(t)
	if *one != 0 {
		first, second := s.live(t, *one, sound), s.live(t, *one, sound)
		t.Logf("%s\n%s%s", first.plan, first.trace, first.hash)
		first.report(t)
		if first.hash != second.hash {
			t.Errorf("lived twice, it leaves %s and %s", first.hash, second.hash)
		}
		return
	}
	n := *seeds
	if testing.Short() {
		n = min(n, 60)
	}
	began := time.Now()
	var total count
	failed := 0
	s.lives(t, *from, n, sound, func(o *outcome) bool {
		total.add(o.count)
		if len(o.wrong) > 0 {
			o.report(t)
			failed++
		}
		return failed < 10
	})
	took := time.Since(began)
	t.Logf("%d seeds from %d in %v (%.1f ms each): %+v", n, *from, took.Round(time.Millisecond), float64(took.Milliseconds())/float64(n), total)
}

// TestSameTrace lives seeds twice: what happens is a function of the seed.
func TestSameTrace(t *testing.T) {
	s := newStage(t)
	n := max(30, *seeds/20)
	if testing.Short() {
		n = 10
	}
	hashes := map[uint64]string{}
	s.lives(t, *from, n, sound, func(o *outcome) bool { hashes[o.seed] = o.hash; return true })
	different := map[string]bool{}
	s.lives(t, *from, n, sound, func(o *outcome) bool {
		if hashes[o.seed] != o.hash || o.hash == "" {
			t.Errorf("seed %d: lived twice, it leaves %s and %s", o.seed, hashes[o.seed], o.hash)
		}
		different[o.hash] = true
		return true
	})
	if len(different) != n {
		t.Errorf("%d seeds leave %d traces", n, len(different))
	}
	first, second := s.live(t, *from, realChance), s.live(t, *from, realChance)
	if first.hash == second.hash {
		t.Error("random numbers that are not of the seed leave one trace twice")
	}
}

// TestPlanted plants bugs that must be noticed within so many seeds.
func TestPlanted(t *testing.T) {
	s := newStage(t)
	for _, c := range []struct {
		name   string
		plant  plant
		within int
		as     string
	}{
		{"entries are acknowledged and not synced", noSync, 60, ""},
		{"going on passes over a page", skipPage, 60, "rows that the service held when it answered its first page"},
		{"every window passes over a page", skipAlways, 60, "the case as a whole lacks"},
		{"rows that move are not seen", stillRows, 200, "rows are in it more than once"},
		{"rows that move are not seen, and those that came are not there", stillRows, 200, "rows; the service held"},
		{"a window is of another mailbox", otherMailbox, 60, "rows that the service never held"},
		{"each run has a window of its own", askAnew, 60, "asks for everything again"},
		{"a page that is there is asked for again", askTwice, 60, "and was asked for again"},
		{"a page stands beside the one that it replaces", keepBoth, 200, "is twice in window"},
		{"a refused attempt is not recorded", forgetRetry, 60, "retry_of names entry"},
		{"waits follow the wall clock", wallWait, 400, "a wait of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for k := range uint64(c.within) {
				o := s.live(t, *from+k, c.plant)
				if len(o.wrong) == 0 {
					continue
				}
				n := slices.IndexFunc(o.wrong, func(wrong string) bool { return strings.Contains(wrong, c.as) })
				if n < 0 {
					t.Errorf("noticed as %q, which does not name the bug", o.wrong[0])
					return
				}
				t.Logf("noticed after %d seeds, as: %.160s", k+1, o.wrong[n])
				return
			}
			t.Errorf("not noticed in %d seeds", c.within)
		})
	}
}
