package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

const attempts = 1000 // names tried for one file

// draft is a file that is written and has no name yet; where the file system must have one (NFS), a hidden one.
type draft struct {
	*os.File
	directory *os.File
	hidden    string
}

// newDraft makes an empty draft in the directory, to be kept or discarded.
func newDraft(directory *os.File) (*draft, error) {
	within := int(directory.Fd())
	flags := unix.O_WRONLY | unix.O_CLOEXEC
	hidden := ""
	number, err := unix.Openat(within, ".", flags|unix.O_TMPFILE, 0o644)
	if err == unix.EOPNOTSUPP || err == unix.EISDIR {
		hidden = ".upload-" + rand.Text()
		number, err = unix.Openat(within, hidden, flags|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o644)
	}
	if err != nil {
		return nil, err
	}
	return &draft{os.NewFile(uintptr(number), "draft"), directory, hidden}, nil
}

// keep gives the draft the name, or one with a number where that is taken, and returns it.
func (d *draft) keep(name string) (string, error) {
	if d.hidden != "" {
		if err := d.Close(); err != nil { // NFS says only now that the disk is full
			return "", err
		}
	}
	extension := path.Ext(name)
	stem := name[:len(name)-len(extension)]
	for number := 1; number <= attempts; number++ {
		if number > 1 {
			name = fmt.Sprintf("%s (%d)%s", stem, number, extension)
		}
		if err := d.link(name); err != unix.EEXIST {
			return name, err
		}
	}
	return "", unix.EEXIST
}

// link never replaces what has the name.
func (d *draft) link(name string) error {
	within := int(d.directory.Fd())
	if d.hidden != "" {
		return unix.Linkat(within, d.hidden, within, name, 0)
	}
	self := fmt.Sprintf("/proc/self/fd/%d", d.Fd())
	return unix.Linkat(unix.AT_FDCWD, self, within, name, unix.AT_SYMLINK_FOLLOW)
}

// discard frees what the draft holds; a name that it was given stays. It reports what only closing tells.
func (d *draft) discard() error {
	err := d.Close()
	if d.hidden != "" {
		unix.Unlinkat(int(d.directory.Fd()), d.hidden, 0)
	}
	return err
}
