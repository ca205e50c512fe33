package main

import (
	"errors"
	"sync"
	"syscall"
	"time"
)

const (
	homeEvery = 10 * time.Second // between two looks at a home, while a page is open
	leastRoom = 64 << 10         // bytes: with less, a home counts as full
)

// home is where the application runs and what is saved goes, or what stands in for it.
type home struct {
	path string
	lost string // why what is saved here is lost, in one sentence, or nothing

	mutex  sync.Mutex
	looked time.Time
	full   string
}

// whyLost says why a home cannot be kept to, or nothing.
func whyLost(path string) string {
	switch {
	case path == "" || path == "/" || errors.Is(syscall.Access(path, 0), syscall.ENOENT):
		return "This session has no home: what you save is lost when it ends."
	case syscall.Access(path, 2 /* W_OK */) != nil:
		return "Your home is read-only: what you save is lost when the session ends."
	}
	return ""
}

// notices returns what the user should know of the home, a sentence each.
func (h *home) notices() []string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if time.Since(h.looked) > homeEvery {
		h.full, h.looked = whyFull(h.path), time.Now()
	}
	sentences := []string{}
	for _, sentence := range []string{h.lost, h.full} {
		if sentence != "" {
			sentences = append(sentences, sentence)
		}
	}
	return sentences
}

// whyFull writes a little to a file that vanishes: a quota or a file system's own rules show in nothing else.
func whyFull(path string) string {
	directory, err := openDirectory(path)
	if err != nil {
		return "Your home cannot be opened: nothing can be saved."
	}
	defer directory.Close()
	draft, err := newDraft(directory)
	if err == nil {
		_, err = draft.Write(make([]byte, leastRoom))
		err = errors.Join(err, draft.discard())
	}
	switch {
	case isFull(err):
		return "Your home is full: nothing more can be saved until you delete files."
	case err != nil:
		return "Your home cannot be written to: nothing can be saved."
	}
	return ""
}

// isFull says whether the disk, the quota or the largest size of a file is used up.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
