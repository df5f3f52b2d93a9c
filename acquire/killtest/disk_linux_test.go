package killtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// disk is an ext4 file system of its own that a case lies on: an image in a file, mounted where the case is. Its power can be taken away and come back.
type disk struct {
	dir     string // of the case and its acknowledgements, which are not on the disk
	owner   int    // process
	options string // of the mount
	mounted bool
}

// diskSize is large for any case here; the image has holes.
const diskSize = 32 << 20

// ext4Shutdown is EXT4_IOC_SHUTDOWN: from now on nothing reaches the disk and everything fails.
const ext4Shutdown = 0x8004587D

// cutPower takes the power of the disk that is mounted at dir.
func cutPower(dir string, how loss) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.IoctlSetPointerInt(fd, ext4Shutdown, int(how)), unix.Close(fd))
}

// image is the file of a disk. It tells whose it is: what a process leaves when it is killed, the next one takes away.
func (d *disk) image() string {
	return filepath.Join(d.dir, fmt.Sprintf("exhibit-power-%d.img", d.owner))
}

// plug puts a copy of a base on a disk of its own, durably.
func (s *service) plug(b *base, options string) (*disk, error) {
	return s.plugAs(os.Getpid(), b, options)
}

// plugAs plugs a disk as a certain process.
func (s *service) plugAs(owner int, b *base, options string) (*disk, error) {
	dir, err := s.folderFor()
	if err != nil {
		return nil, err
	}
	d := &disk{dir: dir, owner: owner, options: options}
	s.t.Cleanup(func() {
		if err := d.unplug(); err != nil {
			s.t.Error(err)
		}
	})
	if err := errors.Join(os.Mkdir(caseIn(dir), 0o700), os.WriteFile(d.image(), nil, 0o600), os.Truncate(d.image(), diskSize)); err != nil {
		return nil, err
	}
	if err := command("mkfs.ext4", "-q", "-F", "-b", "4096", "-J", "size=4", "-E", "lazy_itable_init=1,nodiscard", d.image()); err != nil {
		return nil, err
	}
	if err := d.mount(); err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(caseIn(dir), "lost+found")); err != nil { // it is no part of a case
		return nil, err
	}
	if err := os.CopyFS(dir, os.DirFS(b.dir)); err != nil {
		return nil, err
	}
	return d, d.sync()
}

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (d *disk) mount() error {
	options := "loop,noinit_itable"
	if d.options != "" {
		options += "," + d.options
	}
	err := command("mount", "-t", "ext4", "-o", options, d.image(), caseIn(d.dir))
	d.mounted = err == nil
	return err
}

// sync makes everything on the disk durable.
func (d *disk) sync() error {
	f, err := os.Open(caseIn(d.dir))
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
}

// restart gives power back: the file system replays its journal.
func (d *disk) restart() error {
	if err := d.unmount(); err != nil {
		return err
	}
	return d.mount()
}

// maxBusy is how long a disk may be busy.
const maxBusy = 20 * time.Second

// unmount tries again while the disk is busy: a process that another worker is just starting has copies of what this one has open until it executes its program.
func (d *disk) unmount() error {
	for began := time.Now(); ; {
		err := unix.Unmount(caseIn(d.dir), 0)
		if errors.Is(err, unix.EBUSY) && time.Since(began) < maxBusy {
			runtime.Gosched()
			continue
		}
		if err != nil {
			err = errors.Join(fmt.Errorf("unmount: %w", err), unix.Unmount(caseIn(d.dir), unix.MNT_DETACH))
		}
		d.mounted = false
		return err
	}
}

// unplug takes the disk away with all that is on it. It may be called again.
func (d *disk) unplug() error {
	if d.mounted {
		if err := d.unmount(); err != nil {
			return err
		}
	}
	return os.RemoveAll(d.dir)
}

// ours is the backing file of a loop device that a process with these tests made.
var ours = regexp.MustCompile(`/exhibit-power-([0-9]+)\.img( \(deleted\))?\n?$`)

// sweep takes away what processes that are gone have left mounted.
func sweep() error {
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return err
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		backing, err := os.ReadFile(file) // it goes when the device is freed
		who := ours.FindSubmatch(backing)
		if err != nil || who == nil {
			continue
		}
		pid, err := strconv.Atoi(string(who[1]))
		if err != nil || !errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			continue
		}
		device := "/dev/" + strings.Split(file, "/")[3]
		for line := range strings.Lines(string(mounts)) {
			if f := strings.Fields(line); f[0] == device {
				errs = append(errs, unix.Unmount(f[1], unix.MNT_DETACH), os.RemoveAll(filepath.Dir(f[1])))
			}
		}
	}
	return errors.Join(errs...)
}

// needDisks skips a test where no disk can be had, and says so. It fails where one should be had and cannot.
func needDisks(t *testing.T) {
	t.Helper()
	const what = "power lost under a real file system: "
	if _, err := os.Stat("/dev/loop-control"); errors.Is(err, fs.ErrNotExist) {
		skip(t, what+"there are no loop devices")
	}
	if os.Geteuid() != 0 {
		skip(t, what+"only root can mount one")
	}
	s := newService(t)
	b, err := s.base("none")
	if err == nil {
		err = sweep()
	}
	var d *disk
	if err == nil {
		d, err = s.plug(b, "")
	}
	if err == nil {
		err = errors.Join(cutPower(caseIn(d.dir), lossAll), d.restart(), d.unplug())
	}
	if err != nil {
		untested(t, what+err.Error())
	}
}

// TestSweep leaves a mounted disk behind as a process that was killed does; the next takes it away, and none of those who live.
func TestSweep(t *testing.T) {
	needDisks(t)
	s := newService(t)
	b, err := s.base("none")
	if err != nil {
		t.Fatal(err)
	}
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	left, err := s.plugAs(gone.Process.Pid, b, "")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := s.plug(b, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := sweep(); err != nil {
		t.Error(err)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left.dir); !errors.Is(err, fs.ErrNotExist) || strings.Contains(string(mounts), caseIn(left.dir)) {
		t.Errorf("the disk of a process that is gone is left: %v\n%s", err, mounts)
	} else {
		left.mounted = false
	}
	if !strings.Contains(string(mounts), caseIn(kept.dir)) {
		t.Error("the disk of a process that lives is gone")
	}
}
