package main

import (
	"encoding/json"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// The page needs its own script, style and socket; noVNC draws cursors as data addresses. Who may frame the page is the
// portal's affair.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'"

const longestMessage = 16 << 20 // bytes of one message of a client: a pasted text is the longest

const chunk = 64 << 10 // bytes read from the X server at once

var upgrader = websocket.Upgrader{
	ReadBufferSize:  4 << 10,
	WriteBufferSize: chunk + 16, // a whole chunk and its frame header leave in one write
	Subprotocols:    []string{"binary"},
	CheckOrigin:     func(*http.Request) bool { return true }, // the portal authorises before it forwards
}

// server answers below one path only: the page, RFB at "websockify", and what the page knows and does beside the picture. It
// answers 503 until ready is set.
type server struct {
	base, socket string
	page         http.Handler
	application  *application
	home         *home
	downloads    *downloads
	web          http.Server
	uploads      sync.RWMutex // held for reading by each upload
	ready        atomic.Bool
}

// sessionPath returns the path, percent-encoded and without its end slash, below which everything is served.
func sessionPath() string {
	return os.Getenv("JPY_BASE_USER_URL") + "/containers/" + os.Getenv("URL_ID")
}

func newServer(encodedBase, webRoot, socket string, app *application, home *home) (*server, error) {
	base, err := url.PathUnescape(encodedBase) // clients may encode the same path differently
	if err != nil {
		return nil, err
	}
	s := &server{base: base, socket: socket, page: http.FileServer(http.Dir(webRoot)),
		application: app, home: home, downloads: newDownloads(home.path)}
	s.web = http.Server{Addr: ":8888", Handler: s, ReadHeaderTimeout: 10 * time.Second}
	return s, nil
}

func (s *server) listen() error { return s.web.ListenAndServe() }

// close cuts uploads off and gives them a moment to leave nothing behind.
func (s *server) close() {
	s.web.Close()
	cleaned := make(chan struct{})
	go func() {
		s.uploads.Lock()
		close(cleaned)
	}()
	select {
	case <-cleaned:
	case <-time.After(lastPatience):
	}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, inside := strings.CutPrefix(r.URL.Path, s.base)
	switch {
	case !inside || rest != "" && rest[0] != '/':
		http.NotFound(w, r)
	case !s.ready.Load():
		http.Error(w, "the desktop is starting", http.StatusServiceUnavailable)
	case rest == "/application" || rest == "/files" || strings.HasPrefix(rest, "/files/"):
		s.act(w, r, rest)
	case !only("GET HEAD", w, r):
	case rest == "":
		// Relative, so right whatever name and port the browser used.
		w.Header().Set("Location", path.Base(r.URL.EscapedPath())+"/")
		w.WriteHeader(http.StatusFound)
	case rest == "/websockify":
		s.bridge(w, r)
	case rest == "/events":
		if only("GET", w, r) {
			s.events(w, r)
		}
	default:
		s.servePage(w, r, rest)
	}
}

// act does what those who only look at a session may not do.
func (s *server) act(w http.ResponseWriter, r *http.Request, rest string) {
	name, isFile := strings.CutPrefix(rest, "/files/")
	switch {
	case r.Header.Get("X-Session-Access") == "view":
		refuse(w, http.StatusForbidden, "You may only look at this session.")
	case rest == "/application":
		if only("POST", w, r) {
			s.startApplication(w, r)
		}
	case !isFile:
		if only("GET HEAD", w, r) {
			s.list(w, r)
		}
	case r.Method == http.MethodPut:
		s.upload(w, r, name)
	case only("GET HEAD PUT", w, r):
		s.download(w, r, name)
	}
}

// refuse answers with a problem (RFC 9457).
func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}

// only answers 405 unless the request has one of the methods, which are separated by spaces.
func only(methods string, w http.ResponseWriter, r *http.Request) bool {
	for _, method := range strings.Fields(methods) {
		if r.Method == method {
			return true
		}
	}
	w.Header().Set("Allow", strings.ReplaceAll(methods, " ", ", "))
	refuse(w, http.StatusMethodNotAllowed, r.Method+" is not allowed here: "+strings.ReplaceAll(methods, " ", ", ")+".")
	return false
}

func (s *server) servePage(w http.ResponseWriter, r *http.Request, rest string) {
	headers := w.Header()
	headers.Set("Content-Security-Policy", contentPolicy)
	headers.Set("X-Content-Type-Options", "nosniff")
	headers.Set("Referrer-Policy", "no-referrer")
	headers.Set("Cache-Control", "no-cache") // ask again: the next session's image may have another page
	if rest == "/page.js" && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		headers.Set("Content-Encoding", "gzip")
		headers.Set("Content-Type", "text/javascript; charset=utf-8")
		headers.Set("Vary", "Accept-Encoding")
		rest += ".gz"
	}
	inner := *r
	inner.URL = &url.URL{Path: rest}
	s.page.ServeHTTP(w, &inner)
}

// bridge joins one WebSocket and one connection to the X server. Each side is read only as fast as the other takes it.
func (s *server) bridge(w http.ResponseWriter, r *http.Request) {
	display, err := net.Dial("unix", s.socket)
	if err != nil {
		log.Printf("no connection to the X server: %v", err)
		http.Error(w, "the desktop is gone", http.StatusServiceUnavailable)
		return
	}
	defer display.Close()
	client, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer client.Close()
	go func() {
		defer display.Close()
		defer client.Close()
		toClient(client, display)
	}()
	toDisplay(display, client)
}

func toClient(client *websocket.Conn, display net.Conn) {
	buffer := make([]byte, chunk)
	for {
		count, err := display.Read(buffer)
		if err != nil {
			reason := websocket.FormatCloseMessage(websocket.CloseGoingAway, "the desktop closed the connection")
			client.WriteControl(websocket.CloseMessage, reason, time.Now().Add(time.Second))
			return
		}
		if client.WriteMessage(websocket.BinaryMessage, buffer[:count]) != nil {
			return
		}
	}
}

func toDisplay(display net.Conn, client *websocket.Conn) {
	client.SetReadLimit(longestMessage)
	for {
		_, message, err := client.ReadMessage()
		if err != nil {
			return
		}
		if _, err = display.Write(message); err != nil {
			return
		}
	}
}
