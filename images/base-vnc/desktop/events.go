package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"
)

const (
	eventsEvery = 500 * time.Millisecond // between two looks at what may have changed, while a page is open
	breathEvery = 20 * time.Second       // between two signs of life of a stream that has nothing to say
)

// told is what a page knows of the session beside the picture.
type told struct {
	Application string   `json:"application"` // running or ended
	Status      int      `json:"status"`      // of the application that ended
	Notices     []string `json:"notices"`     // sentences
	Files       int      `json:"files"`       // grows when Downloads changes
}

func (s *server) told() []byte {
	ended, status := s.application.state()
	now := told{"running", status, s.home.notices(), s.downloads.counted()}
	if ended {
		now.Application = "ended"
	}
	text, _ := json.Marshal(now) // it has nothing that cannot be told
	return text
}

// events streams what is told: at once, and when it has changed.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	stream := http.NewResponseController(w)
	looks, breaths := time.NewTicker(eventsEvery), time.NewTicker(breathEvery)
	defer looks.Stop()
	defer breaths.Stop()
	var last []byte
	for {
		if now := s.told(); !bytes.Equal(now, last) {
			fmt.Fprintf(w, "data: %s\n\n", now)
			last = now
			if stream.Flush() != nil {
				return
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-looks.C:
		case <-breaths.C:
			io.WriteString(w, ":\n\n")
			if stream.Flush() != nil {
				return
			}
		}
	}
}

func (s *server) startApplication(w http.ResponseWriter, _ *http.Request) {
	switch err := s.application.start(); {
	case err == errRunning:
		refuse(w, http.StatusConflict, "The application runs: it can be started when it has ended.")
	case err != nil:
		log.Print(err)
		refuse(w, http.StatusInternalServerError, "The application cannot be started.")
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}
