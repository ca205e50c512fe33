package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

const (
	mostListed  = 1000 // files; older ones are left out
	namesAtOnce = 256
	whatChanges = unix.IN_CREATE | unix.IN_CLOSE_WRITE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE |
		unix.IN_ONLYDIR | unix.IN_DONT_FOLLOW
)

// downloads is the folder through which files come and go: its regular files that are not hidden, and nothing below it. No
// link is followed, for what is unpacked here may be anyone's.
type downloads struct {
	path string

	mutex   sync.Mutex
	inotify int
	watch   int
	changes int
}

type item struct {
	Name     string    `json:"name"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

func newDownloads(home string) *downloads {
	inotify, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		inotify = -1 // the user has too many: the page is not told of changes
	}
	return &downloads{path: filepath.Join(home, "Downloads"), inotify: inotify, watch: -1}
}

// counted returns a number that has grown if anything changed since the last call. The folder may come and go meanwhile.
func (d *downloads) counted() int {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	watch, err := unix.InotifyAddWatch(d.inotify, d.path, whatChanges)
	if err != nil {
		watch = -1
	}
	changed := watch != d.watch
	d.watch = watch
	events := make([]byte, 4096)
	for {
		if count, err := unix.Read(d.inotify, events); err != nil || count <= 0 {
			break
		}
		changed = true
	}
	if changed {
		d.changes++
	}
	return d.changes
}

// open returns the folder, made if it is not there.
func (d *downloads) open() (*os.File, error) {
	directory, err := openDirectory(d.path)
	if os.IsNotExist(err) {
		if err = os.Mkdir(d.path, 0o755); err == nil || os.IsExist(err) {
			directory, err = openDirectory(d.path)
		}
	}
	return directory, err
}

func openDirectory(path string) (*os.File, error) {
	return os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}

// list returns the newest files first; none where there is no folder yet.
func (d *downloads) list() ([]item, error) {
	items := []item{}
	directory, err := openDirectory(d.path)
	if os.IsNotExist(err) {
		return items, nil
	}
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	for {
		names, err := directory.Readdirnames(namesAtOnce)
		for _, name := range names {
			if found, ok := look(directory, name); ok {
				items = append(items, found)
			}
		}
		items = newest(items)
		if err != nil { // io.EOF, or what is left cannot be read
			return items, nil
		}
	}
}

func newest(items []item) []item {
	slices.SortFunc(items, func(a, b item) int {
		if order := b.Modified.Compare(a.Modified); order != 0 {
			return order
		}
		return strings.Compare(a.Name, b.Name)
	})
	return items[:min(len(items), mostListed)]
}

// look returns what is listed of the name, if it is. JSON cannot carry names that are not UTF-8.
func look(directory *os.File, name string) (item, bool) {
	var facts unix.Stat_t
	err := unix.Fstatat(int(directory.Fd()), name, &facts, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil || facts.Mode&unix.S_IFMT != unix.S_IFREG || isHidden(name) || !utf8.ValidString(name) {
		return item{}, false
	}
	return item{name, facts.Size, time.Unix(facts.Mtim.Unix()).UTC()}, true
}

// openFile returns a regular file to read. What is not one is not there.
func (d *downloads) openFile(name string) (*os.File, error) {
	if isHidden(name) || strings.ContainsRune(name, '/') {
		return nil, os.ErrNotExist
	}
	directory, err := openDirectory(d.path)
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	// O_NONBLOCK: to open a FIFO would wait for its writer.
	flags := unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK
	number, err := unix.Openat(int(directory.Fd()), name, flags, 0)
	if err == unix.ELOOP || err == unix.ENXIO {
		return nil, os.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(number), name)
	if facts, err := file.Stat(); err != nil || !facts.Mode().IsRegular() {
		file.Close()
		return nil, os.ErrNotExist
	}
	return file, nil
}

func isHidden(name string) bool { return name == "" || name[0] == '.' }

// whyNoName says why a file cannot have the name, or nothing.
func whyNoName(name string) string {
	switch {
	case name == "":
		return "The file needs a name."
	case name[0] == '.':
		return "The name begins with a dot: hidden files are not taken."
	case strings.ContainsRune(name, '/'):
		return "The name has a slash: files go to Downloads itself, not below it."
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "The name must be UTF-8 without control characters."
	case len(name) > 240: // of the 255 of most file systems, for the number of a name that is taken
		return "The name is longer than 240 bytes: give it a shorter one."
	}
	return ""
}

// room returns how many bytes fit beside what is there; false where the file system does not say.
func room(directory *os.File) (uint64, bool) {
	var facts unix.Statfs_t
	err := unix.Fstatfs(int(directory.Fd()), &facts)
	return facts.Bavail * uint64(facts.Bsize), err == nil && facts.Blocks > 0
}
