package casefile

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// An Installation is the log of the cases that were opened with one configuration folder (docs/container.md, 5.13), as it stands in its folder installation:
//
//	id       32 hexadecimal digits, LF
//	log      the leaves, each ended by LF; only appended to
//	N.note   the head over the first N leaves, one for each that was signed
//	lock     locked while a case is added
type Installation struct {
	Origin string
	Leaves []evidence.InstallationLeaf
	Size   int64  // leaves under the newest head; one that was interrupted may have left more
	Note   []byte // the newest head; nil if there is none yet

	dir  string
	keep int64 // bytes of the log that are whole lines
}

// ErrInstallation says that an installation log is damaged: what is there is not what its head commits to. Nothing is added to it.
var ErrInstallation = errors.New("installation log is damaged")

const (
	installationFolder = "installation"
	maxInstallation    = 64 << 20 // bytes of the log
)

// ReadInstallation reads and checks the installation log of a configuration folder. It is [fs.ErrNotExist] if there is none, and [ErrInstallation] if it is not what its
// newest head commits to. Who signed that is for the caller to say.
func ReadInstallation(configDir string) (*Installation, error) {
	n := &Installation{dir: filepath.Join(configDir, installationFolder)}
	id, err := readSmall(filepath.Join(n.dir, "id"), 64)
	if err != nil {
		return nil, err
	}
	if n.Origin = evidence.InstallationOrigin(strings.TrimSuffix(string(id), "\n")); !evidence.IsID(strings.TrimSuffix(string(id), "\n")) {
		return nil, fmt.Errorf("%w: its id is malformed", ErrInstallation)
	}
	if err := n.readLog(); err != nil {
		return nil, err
	}
	return n, n.readHead()
}

// readLog reads the leaves. A last line without its LF was interrupted and never counted.
func (n *Installation) readLog() error {
	text, err := readSmall(filepath.Join(n.dir, "log"), maxInstallation)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		leaf, err := evidence.ParseInstallationLeaf(strings.TrimSuffix(line, "\n"))
		if err != nil || leaf.Seq != int64(len(n.Leaves)) {
			return fmt.Errorf("%w: line %d is no leaf", ErrInstallation, len(n.Leaves)+1)
		}
		n.Leaves = append(n.Leaves, leaf)
		n.keep += int64(len(line))
	}
	return nil
}

// readHead holds the leaves against the newest head.
func (n *Installation) readHead() error {
	names, err := os.ReadDir(n.dir)
	if err != nil {
		return err
	}
	for _, e := range names {
		n.Size = max(n.Size, evidence.NoteSize(e.Name()))
	}
	if n.Size == 0 {
		return nil
	}
	if n.Note, err = readSmall(n.notePath(n.Size), trust.MaxNoteSize); err != nil {
		return err
	}
	text, _, _ := strings.Cut(string(n.Note), "\n\n")
	head, err := trust.ParseHead(text + "\n")
	switch {
	case err != nil || head.Size != n.Size || head.Origin != n.Origin:
		return fmt.Errorf("%w: the head over %d leaves is malformed", ErrInstallation, n.Size)
	case n.Size > int64(len(n.Leaves)):
		return fmt.Errorf("%w: its head covers %d cases and %d are there: the end was cut off", ErrInstallation, n.Size, len(n.Leaves))
	}
	root, _, err := n.prove(0, n.Size)
	if err == nil && root != evidence.Hash(head.Root) {
		err = fmt.Errorf("%w: the first %d cases are not those that its head commits to", ErrInstallation, n.Size)
	}
	return err
}

func (n *Installation) notePath(size int64) string {
	return filepath.Join(n.dir, strconv.FormatInt(size, 10)+".note")
}

// prove makes the root over size leaves, and the proof that leaf seq is one of them.
func (n *Installation) prove(seq, size int64) (evidence.Hash, []evidence.Hash, error) {
	p, err := evidence.ProveInclusion(seq, size)
	if err != nil {
		return evidence.Hash{}, nil, err
	}
	for _, l := range n.Leaves {
		p.Add(evidence.LeafHash([]byte(l.String())))
	}
	return p.Proof()
}

// Proof is the proof that leaf seq is under the newest head.
func (n *Installation) Proof(seq int64) ([]evidence.Hash, error) {
	_, path, err := n.prove(seq, n.Size)
	return path, err
}

// Proofs gives consistency proofs for the newest head.
func (n *Installation) Proofs(_ context.Context, old int64) ([][32]byte, error) {
	p, err := evidence.ProveConsistency(old, n.Size)
	if err != nil {
		return nil, err
	}
	for _, l := range n.Leaves {
		p.Add(evidence.LeafHash([]byte(l.String())))
	}
	_, path, err := p.Proof()
	var out [][32]byte
	for _, h := range path {
		out = append(out, h)
	}
	return out, err
}

// Extends requires that the log goes on from a head of it that somebody kept elsewhere. It fails with [ErrInstallation] if the log was begun anew, cut or changed. Who signed the
// head is for the caller to say.
func (n *Installation) Extends(head trust.Head) error {
	switch {
	case head.Origin != n.Origin:
		return fmt.Errorf("%w: the head is one of %s, and this is %s: it was begun anew, or is another one", ErrInstallation, head.Origin, n.Origin)
	case head.Size < 1 || head.Size > int64(len(n.Leaves)):
		return fmt.Errorf("%w: the head covers %d cases and %d are there", ErrInstallation, head.Size, len(n.Leaves))
	}
	root, _, err := n.prove(0, head.Size)
	if err == nil && root != evidence.Hash(head.Root) {
		err = fmt.Errorf("%w: the first %d cases are not those of the head", ErrInstallation, head.Size)
	}
	return err
}

// statement is what the log says about a case: its leaf, the newest head, and the proof that the one is under the other. It is nil if the log does not have the case.
func (n *Installation) statement(caseID string) (*evidence.InstallationStatement, error) {
	i := slices.IndexFunc(n.Leaves, func(l evidence.InstallationLeaf) bool { return l.Case == caseID })
	if i < 0 || int64(i) >= n.Size {
		return nil, nil
	}
	path, err := n.Proof(int64(i))
	if err != nil {
		return nil, err
	}
	return &evidence.InstallationStatement{Leaf: n.Leaves[i], Note: string(n.Note), Proof: path}, nil
}

// addCase appends a case to the installation log of env, which is begun if there is none, and signs a head over it. Both are durable when it returns what the log now says
// about the case.
func addCase(ctx context.Context, env Env, signers []trust.Signer, caseID string) (*evidence.InstallationStatement, error) {
	dir := filepath.Join(env.ConfigDir, installationFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	release, err := lockInstallation(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	n, err := ReadInstallation(env.ConfigDir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = beginInstallation(env, dir); err == nil {
			n, err = ReadInstallation(env.ConfigDir)
		}
	}
	if err != nil {
		return nil, err
	}
	leaf := evidence.InstallationLeaf{Seq: int64(len(n.Leaves)), Case: caseID, Time: evidence.At(env.Now())}
	if err := n.append(leaf); err != nil {
		return nil, err
	}
	if err := n.sign(ctx, signers); err != nil {
		return nil, err
	}
	return n.statement(caseID)
}

// lockTries and lockPause bound the wait for another process that adds a case, which takes milliseconds.
const (
	lockTries = 250
	lockPause = 20 * time.Millisecond
)

func lockInstallation(dir string) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for range lockTries {
		if err = tryLock(f); !errors.Is(err, errHeld) {
			break
		}
		time.Sleep(lockPause)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("installation log %q: %w", dir, err), f.Close())
	}
	return func() { _ = errors.Join(unlock(f), f.Close()) }, nil // the end of the process frees it too
}

// beginInstallation gives a new log its id. A log without id is not one that anything was written to.
func beginInstallation(env Env, dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, "log")); err == nil {
		return fmt.Errorf("%w: its id is gone", ErrInstallation)
	}
	var id [16]byte
	if _, err := io.ReadFull(env.Rand, id[:]); err != nil {
		return fmt.Errorf("random bytes: %w", err)
	}
	return replaceSync(filepath.Join(dir, "id"), []byte(hex.EncodeToString(id[:])+"\n"))
}

// append writes a leaf behind the whole lines of the log; what an interrupted write left there is cut first.
func (n *Installation) append(leaf evidence.InstallationLeaf) error {
	path := filepath.Join(n.dir, "log")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	line := leaf.String() + "\n"
	if err = f.Truncate(n.keep); err == nil {
		if _, err = f.WriteAt([]byte(line), n.keep); err == nil {
			err = f.Sync()
		}
	}
	if err := errors.Join(err, f.Close(), syncDir(n.dir)); err != nil {
		return fmt.Errorf("installation log %q: %w", path, err)
	}
	n.Leaves, n.keep = append(n.Leaves, leaf), n.keep+int64(len(line))
	return nil
}

// noteBy is the newest head, signed by these keys: as it stands if one of them signed it.
func (n *Installation) noteBy(ctx context.Context, signers []trust.Signer) (string, error) {
	var keys []trust.VKey
	for _, s := range signers {
		k, err := trust.ParseVKey(s.VerifierKey())
		if err != nil {
			return "", err
		}
		keys = append(keys, k)
	}
	if _, _, err := trust.Verify(n.Note, keys); err == nil {
		return string(n.Note), nil
	}
	text, _, _ := strings.Cut(string(n.Note), "\n\n")
	note, err := trust.Sign(ctx, text+"\n", signers...)
	return string(note), err
}

// sign signs a head over all leaves.
func (n *Installation) sign(ctx context.Context, signers []trust.Signer) error {
	size := int64(len(n.Leaves))
	root, _, err := n.prove(0, size)
	if err != nil {
		return err
	}
	text, err := trust.Head{Origin: n.Origin, Size: size, Root: root}.Text()
	if err != nil {
		return err
	}
	note, err := trust.Sign(ctx, text, signers...)
	if err != nil {
		return fmt.Errorf("head of the installation log: %w", err)
	}
	if err := replaceSync(n.notePath(size), note); err != nil {
		return err
	}
	n.Note, n.Size = note, size
	return nil
}

// newSuffix is what the name of a file ends with until all of it is there.
const newSuffix = ".new"

// replaceSync puts a file in place, whole and durable, in a folder that is made if it is not there.
func replaceSync(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temp := path + newSuffix
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// StateInstallation appends what the installation log says by now about this case; nothing if the log does not have it, because the case was opened elsewhere. That the log cannot
// be read is stated too, and keeps nobody from sealing. Where another case's key signed the newest head of the log, that of this case signs it once more: only such a head can be
// checked with what the case holds.
func (c *Case) StateInstallation(ctx context.Context) error {
	n, err := ReadInstallation(c.env.ConfigDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return c.operator(ctx, evidence.ActionInstallation, "the installation log cannot be read: "+strings.ToValidUTF8(err.Error(), "?"))
	}
	s, err := n.statement(c.ID())
	if err != nil || s == nil {
		return err
	}
	if s.Note, err = n.noteBy(ctx, c.keys); err != nil {
		return err
	}
	return c.operator(ctx, evidence.ActionInstallation, fmt.Sprintf("this is case %d of the %d that have been opened on this installation by now", s.Leaf.Seq+1, n.Size), s.Fields()...)
}

// Cosignatures is the folder for the cosignatures of witnesses on heads of the log.
func (n *Installation) Cosignatures() string { return filepath.Join(n.dir, evidence.StampsPath) }

// KeepCosignature writes a cosignature of a witness on the newest head, whose key has this id, for good.
func (n *Installation) KeepCosignature(id uint32, note []byte) error {
	if err := os.MkdirAll(n.Cosignatures(), 0o700); err != nil {
		return err
	}
	return replaceSync(filepath.Join(n.dir, filepath.FromSlash(evidence.WitnessPath(n.Size, id))), note)
}
