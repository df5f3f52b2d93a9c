package casefile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

const (
	indexPath = evidence.WorkPath + "/ledger.db"
	maxNote   = 16 << 10
)

// ErrNoFolder says that a folder is no case.
var ErrNoFolder = errors.New("folder is no case")

// ErrIndex says that the index could not be written, or read while that was done. The segments are not touched by that.
var ErrIndex = errors.New("index cannot be written")

// Case is an open case. Its methods may be called concurrently, but for Close, which ends it.
type Case struct {
	Opening evidence.Opening // what was found and done when it was opened; of a new case the case entry alone
	Rebuilt bool             // the index could not be used and was made again from the segments
	KeyMade string           // path of the signing key that was made because there was none; else ""

	env    Env
	dir    string
	folder *evidence.DiskFolder
	lock   *lock
	writer *evidence.Writer
	index  *ledger.Ledger
	lazy   *ledger.Lazy
	keys   []trust.Signer // of heads
}

// NewOptions say what a new case is.
type NewOptions struct {
	Fields    []evidence.Pair // names are those of [Fields]
	Signers   []trust.Signer  // of heads; nil for Key
	Key       KeySource       // nil for the default key, which is made if there is none
	Times     []string        // URLs of the time-stamping authorities that are asked, without queries
	Continues string          // the last head note of the case that this one goes on from, or ""
	Register  bool            // add the case to the installation log of the configuration folder, and state that in the case

	Supplements string // the final head note of an earlier sealed case that this one supplements, or ""
}

// New makes a case in dir, which must be empty or not exist, and opens it.
func New(ctx context.Context, env Env, dir string, o NewOptions) (*Case, error) {
	if err := checkFields(o.Fields); err != nil {
		return nil, err
	}
	c := &Case{env: env, dir: dir}
	if err := c.signers(ctx, &o.Signers, o.Key); err != nil {
		return nil, err
	}
	id, err := evidence.NewID(env.Rand)
	if err != nil {
		return nil, err
	}
	if c.folder, err = evidence.MakeFolder(dir); err != nil {
		return nil, err
	}
	if c.lock, err = acquireLock(env, dir); err != nil {
		return nil, err
	}
	body := evidence.Case{Case: id, Fields: append([]evidence.Pair{}, o.Fields...), TimeSources: append([]string{}, o.Times...), Host: env.Host, Tool: env.Tool, Continues: o.Continues}
	body.Fields = append(body.Fields, evidence.Pair{Name: fieldOperator, Value: env.Operator})
	if o.Supplements != "" {
		body.Fields = append(body.Fields, evidence.Pair{Name: evidence.FieldSupplements, Value: o.Supplements})
	}
	if o.Register { // before the first entry: a case that is begun is in the log
		stated, err := addCase(ctx, env, o.Signers, id)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("installation log in %q: %w", env.ConfigDir, err), c.Close(ctx))
		}
		body.Tool = slices.Concat(body.Tool, stated.ToolPairs())
	}
	err = writeHost(dir, env.Host)
	if err == nil {
		err = c.openIndex()
	}
	if err == nil {
		c.writer, err = evidence.Create(ctx, c.options(o.Signers), body)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close(ctx))
	}
	body.Format, body.Origin = evidence.Format, evidence.Origin(id)
	for _, s := range o.Signers {
		body.Keys = append(body.Keys, s.VerifierKey())
	}
	c.Opening = evidence.Opening{Case: &body, Entries: 1}
	return c, nil
}

// OpenOptions say how a case is opened.
type OpenOptions struct {
	Signers  []trust.Signer // of heads; nil for Key
	Key      KeySource      // nil for the default key
	TakeOver bool           // go on although another host worked on the case
}

// Open opens a case to append to it. It recovers from an interrupted write, as [evidence.Open] describes, and catches the index up or, where it cannot be
// used, makes it again.
//
// It fails with [ErrNoFolder], [*LockedError], [*HostError], [evidence.ErrSealed], [evidence.ErrNoCase] and [*evidence.DamageError].
func Open(ctx context.Context, env Env, dir string, o OpenOptions) (*Case, error) {
	if err := isCase(dir); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(filepath.Join(dir, evidence.PackageNotePath)); err == nil { // before the lock is written: nothing in a sealed case changes
		return nil, evidence.ErrSealed
	}
	c := &Case{env: env, dir: dir}
	var err error
	if c.lock, err = acquireLock(env, dir); err != nil {
		return nil, err
	}
	if err := c.open(ctx, o); err != nil {
		return nil, errors.Join(err, c.Close(ctx))
	}
	return c, nil
}

func isCase(dir string) error {
	info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(evidence.SegmentsPath)))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %q", ErrNoFolder, dir)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%w: %q", ErrNoFolder, dir)
	}
	return nil
}

// readCase reads the case entry. A folder that a new case was just being made in may not have a segment yet.
func readCase(ctx context.Context, files fs.FS) (*evidence.Case, error) {
	body, err := evidence.ReadCase(ctx, files)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, evidence.ErrNoCase
	}
	return body, err
}

func (c *Case) open(ctx context.Context, o OpenOptions) error {
	var err error
	if c.folder, err = evidence.OpenFolder(c.dir); err != nil {
		return err
	}
	files := c.folder.FS()
	body, err := readCase(ctx, files)
	if err != nil {
		return err
	}
	before, err := checkHost(c.env, c.dir, body.Host, o.TakeOver)
	if err != nil {
		return err
	}
	if err := c.signers(ctx, &o.Signers, o.Key); err != nil {
		return err
	}
	if err := removeSpools(c.dir); err != nil {
		return err
	}
	if err := c.openContainer(ctx, o.Signers); err != nil {
		return err
	}
	if before == c.env.Host {
		return nil
	}
	if err := c.operator(ctx, evidence.ActionTakeOver, "work on this case goes on at another host",
		evidence.Pair{Name: "from", Value: before}); err != nil {
		return err
	}
	return writeHost(c.dir, c.env.Host)
}

// openContainer opens index and container. An index that does not fit the segments is deleted once and made again; one that is ahead of them is not:
// it tells of a loss.
func (c *Case) openContainer(ctx context.Context, signers []trust.Signer) error {
	for {
		err := c.openIndex()
		if err != nil {
			return err
		}
		writer, opening, err := evidence.Open(ctx, c.options(signers))
		if err == nil {
			c.writer, c.Opening = writer, *opening
			return nil
		}
		var damage *evidence.DamageError
		stale := errors.As(err, &damage) && damage.Path == indexPath || errors.Is(err, ledger.ErrUnreadable) || errors.Is(err, ledger.ErrOrder)
		if c.Rebuilt || !stale {
			return err
		}
		// What stood in the index's way has been reported by Apply; closing tells it again.
		_ = c.closeIndex()
		if err := c.dropIndex(); err != nil {
			return err
		}
	}
}

func (c *Case) openIndex() error {
	path := filepath.Join(c.dir, filepath.FromSlash(indexPath))
	var err error
	if c.index, err = ledger.Open(path, ledger.Options{}); errors.Is(err, ledger.ErrUnreadable) {
		if err = c.dropIndex(); err == nil {
			c.index, err = ledger.Open(path, ledger.Options{})
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIndex, err)
	}
	c.lazy = ledger.NewLazy(named{c.index})
	return nil
}

// named is an index whose errors name its file: the system names none where a sync fails, and bbolt passes on the system's words alone.
type named struct{ *ledger.Ledger }

func (n named) Apply(ctx context.Context, batches []*evidence.Batch) error {
	if err := n.Ledger.Apply(ctx, batches); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrIndex, indexPath, err)
	}
	return nil
}

func (c *Case) dropIndex() error {
	c.Rebuilt = true
	return os.Remove(filepath.Join(c.dir, filepath.FromSlash(indexPath)))
}

// gather is how long an entry waits for another to share its sync: less than a sync takes on most disks.
const gather = 300 * time.Microsecond

func (c *Case) options(signers []trust.Signer) evidence.Options {
	return evidence.Options{Folder: c.folder, Signers: signers, Now: c.env.Now, Rand: c.env.Rand, Index: c.lazy, Gather: gather,
		Spool: func() (evidence.Spool, error) { return newSpool(c.SpoolDir()) }, Software: c.env.software()}
}

func (c *Case) signers(ctx context.Context, s *[]trust.Signer, source KeySource) error {
	defer func() { c.keys = *s }()
	if len(*s) > 0 {
		return nil
	}
	if source == nil {
		source = func(context.Context) (trust.Signer, string, error) { return DefaultKey(c.env, nil) }
	}
	key, made, err := source(ctx)
	if err != nil {
		return err
	}
	c.KeyMade, *s = made, []trust.Signer{key}
	return nil
}

// ID is the case id.
func (c *Case) ID() string { return c.Opening.Case.Case }

// Dir is the case folder as it was given.
func (c *Case) Dir() string { return c.dir }

// SpoolDir is where large answers wait; it is emptied when the case is opened.
func (c *Case) SpoolDir() string { return filepath.Join(c.dir, evidence.WorkPath) }

// Files are the files of the case folder.
func (c *Case) Files() fs.FS { return c.folder.FS() }

// Writer is what appends to the container.
func (c *Case) Writer() *evidence.Writer { return c.writer }

// Append adds an entry and returns when it is durable.
func (c *Case) Append(ctx context.Context, d *evidence.Draft) (*evidence.Entry, error) {
	return c.writer.Append(ctx, d)
}

// Index is the index, caught up with all that was appended before the call. It must not be used after Close.
func (c *Case) Index(ctx context.Context) (*ledger.Ledger, error) {
	if err := c.lazy.Flush(ctx); err != nil {
		return nil, err
	}
	return c.index, nil
}

// Note adds a remark of the operator to the ledger: text of at most 16 KiB in UTF-8.
func (c *Case) Note(ctx context.Context, text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return errors.New("note is empty")
	case len(text) > maxNote:
		return fmt.Errorf("note of %d bytes is longer than %d", len(text), maxNote)
	case !utf8.ValidString(text):
		return errors.New("note is no UTF-8")
	}
	return c.operator(ctx, evidence.ActionNote, text)
}

// MaxReason is the longest reason for which a key is allowed, in bytes.
const MaxReason = 2048

// Allow adds a key that may sign, for a reason of at most [MaxReason] bytes of UTF-8 without control characters, or "". It may from the next head on, which the
// keys that sign now sign over its entry: closing the case makes one.
func (c *Case) Allow(ctx context.Context, key trust.VKey, reason string) error {
	if len(reason) > MaxReason || !plain(reason) {
		return fmt.Errorf("reason must be at most %d bytes of UTF-8 without control characters", MaxReason)
	}
	_, err := c.Append(ctx, &evidence.Draft{Start: c.env.Now(), Body: &evidence.Key{Action: "allow", Key: key.String(), Text: reason}})
	return err
}

func (c *Case) operator(ctx context.Context, action, text string, fields ...evidence.Pair) error {
	_, err := c.Append(ctx, &evidence.Draft{Start: c.env.Now(),
		Body: &evidence.Operator{Action: action, Text: text, Operator: c.env.Operator, Host: c.env.Host, Fields: append([]evidence.Pair{}, fields...)}})
	return err
}

// Close signs a head if one is due, brings the index up and frees the case for others.
func (c *Case) Close(ctx context.Context) error {
	var errs []error
	if c.writer != nil {
		errs = append(errs, c.writer.Close(context.WithoutCancel(ctx)))
		c.writer = nil
	}
	errs = append(errs, c.closeIndex())
	if c.lock != nil {
		errs = append(errs, c.lock.release())
		c.lock = nil
	}
	if c.folder != nil {
		errs = append(errs, c.folder.Close())
		c.folder = nil
	}
	return errors.Join(errs...)
}

func (c *Case) closeIndex() error {
	if c.index == nil {
		return nil
	}
	err := c.lazy.Close()
	if !errors.Is(err, ledger.ErrUnreadable) { // else bbolt was stopped amid a change, by a disk that cannot be read, and waits for its own locks: the system closes the file
		if cerr := c.index.Close(); cerr != nil {
			err = errors.Join(err, fmt.Errorf("%w: %w", ErrIndex, cerr))
		}
	}
	c.index, c.lazy = nil, nil
	return err
}
