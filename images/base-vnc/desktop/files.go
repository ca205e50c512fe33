package main

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log"
	"mime"
	"net/http"
	"syscall"
)

func (s *server) list(w http.ResponseWriter, _ *http.Request) {
	items, err := s.downloads.list()
	if err != nil {
		refuseFile(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(map[string][]item{"items": items})
}

func (s *server) download(w http.ResponseWriter, r *http.Request, name string) {
	file, err := s.downloads.openFile(name)
	if err != nil {
		refuseFile(w, err)
		return
	}
	defer file.Close()
	facts, err := file.Stat()
	if err != nil {
		refuseFile(w, err)
		return
	}
	headers := w.Header()
	headers.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	headers.Set("Content-Type", "application/octet-stream")
	headers.Set("X-Content-Type-Options", "nosniff")
	headers.Set("Content-Security-Policy", "sandbox")
	headers.Set("Cache-Control", "no-store")
	http.ServeContent(w, r, "", facts.ModTime(), file)
}

// upload keeps a file whole or not at all.
func (s *server) upload(w http.ResponseWriter, r *http.Request, name string) {
	s.uploads.RLock()
	defer s.uploads.RUnlock()
	if why := whyNoName(name); why != "" {
		refuse(w, http.StatusBadRequest, why)
		return
	}
	kept, err := s.downloads.receive(name, r)
	if err != nil {
		refuseFile(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(map[string]string{"name": kept})
}

func (d *downloads) receive(name string, r *http.Request) (string, error) {
	directory, err := d.open()
	if err != nil {
		return "", err
	}
	defer directory.Close()
	if free, known := room(directory); known && r.ContentLength > 0 && uint64(r.ContentLength) > free {
		return "", syscall.ENOSPC
	}
	draft, err := newDraft(directory)
	if err != nil {
		return "", err
	}
	defer draft.discard()
	if _, err := io.Copy(draft, r.Body); err != nil {
		return "", err
	}
	return draft.keep(name)
}

// refuseFile answers what stands in the way of a file.
func refuseFile(w http.ResponseWriter, err error) {
	switch {
	case isFull(err):
		refuse(w, http.StatusInsufficientStorage, "Your home is full: delete files, or take a smaller one.")
	case errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENOTDIR):
		refuse(w, http.StatusConflict, "Downloads in your home is a link or no folder: rename it, and it is made anew.")
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EINVAL): // EINVAL: no name at all
		refuse(w, http.StatusNotFound, "Downloads has no such file.")
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		refuse(w, http.StatusConflict, "The permissions of Downloads, or of the file, do not allow it.")
	case errors.Is(err, fs.ErrExist):
		refuse(w, http.StatusConflict, "Too many files have this name: give it another.")
	case errors.Is(err, io.ErrUnexpectedEOF):
		refuse(w, http.StatusBadRequest, "The file broke off on its way: nothing of it was kept.")
	default:
		log.Printf("files: %v", err)
		refuse(w, http.StatusInternalServerError, "The file system did not do it: the session's log says why.")
	}
}
