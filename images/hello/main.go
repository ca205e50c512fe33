// Hello is the smallest application that keeps the image contract: a page, an echo over HTTP and one over WebSocket.
// It serves only its session path, and misbehaves (late, never, gone, deaf to SIGTERM) when a HELLO_ variable asks.
package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

const maxMessage = 1 << 20 // bytes; a longer WebSocket message closes the connection

//go:embed index.html
var page []byte

var upgrader = websocket.Upgrader{
	ReadBufferSize:  64 << 10,
	WriteBufferSize: 64 << 10,
	CheckOrigin:     func(*http.Request) bool { return true }, // the portal authorises before it forwards
}

func main() {
	log.SetFlags(0)
	if text := os.Getenv("HELLO_EXIT"); text != "" {
		fmt.Printf("hello: told to exit with status %s\n", text)
		status, err := strconv.Atoi(text)
		if err != nil {
			log.Fatalf("HELLO_EXIT: %v", err)
		}
		os.Exit(status)
	}
	go endOnTerm()
	time.Sleep(delay())
	log.Print("hello: listening on port 8888")
	log.Fatal(http.ListenAndServe(":8888", serveUnder(sessionPath())))
}

func endOnTerm() {
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	for range terms {
		if os.Getenv("HELLO_IGNORE_TERM") != "1" {
			os.Exit(0)
		}
	}
}

func delay() time.Duration {
	text := os.Getenv("HELLO_DELAY")
	if text == "" {
		return 0
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		log.Fatalf("HELLO_DELAY: %v", err)
	}
	return time.Duration(seconds * float64(time.Second))
}

// sessionPath returns the decoded path without its end slash: clients may encode the same path differently.
func sessionPath() string {
	encoded := os.Getenv("JPY_BASE_USER_URL") + "/containers/" + os.Getenv("URL_ID")
	decoded, err := url.PathUnescape(encoded)
	if err != nil {
		log.Fatalf("JPY_BASE_USER_URL: %v", err)
	}
	return decoded
}

func serveUnder(base string) http.Handler {
	never := os.Getenv("HELLO_NEVER") == "1"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, inside := strings.CutPrefix(r.URL.Path, base)
		switch {
		case never:
			http.Error(w, "told never to be ready", http.StatusServiceUnavailable)
		case inside && rest == "":
			redirect(w, path.Base(r.URL.EscapedPath())+"/")
		case inside && rest[0] == '/':
			answer(w, r, rest[1:])
		default:
			http.NotFound(w, r)
		}
	})
}

func answer(w http.ResponseWriter, r *http.Request, rest string) {
	first, tail, _ := strings.Cut(rest, "/")
	switch first {
	case "":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page)
	case "echo":
		writeJSON(w, describe(r))
	case "ws":
		echoFrames(w, r)
	case "status":
		answerStatus(w, tail)
	case "cookie":
		setCookies(w, r.URL.Query()["set"])
	case "redirect":
		redirect(w, r.URL.Query().Get("to"))
	default:
		http.NotFound(w, r)
	}
}

// setCookies sends the lines as they stand, however odd, or one harmless cookie.
func setCookies(w http.ResponseWriter, lines []string) {
	if len(lines) == 0 {
		lines = []string{"hello=world; HttpOnly"}
	}
	for _, line := range lines {
		w.Header().Add("Set-Cookie", line)
	}
	fmt.Fprintln(w, "cookie set")
}

// redirect sends the address as it stands: a relative one is right whatever name and port the browser used.
func redirect(w http.ResponseWriter, to string) {
	if to == "" {
		to = "./"
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
}

func answerStatus(w http.ResponseWriter, text string) {
	code, err := strconv.Atoi(text)
	if err != nil || code < 200 || code > 599 {
		http.Error(w, "status/<200 to 599>", http.StatusNotFound)
		return
	}
	w.WriteHeader(code)
	fmt.Fprintf(w, "status %d from the application\n", code)
}

type request struct {
	Method  string      `json:"method"`
	Path    string      `json:"path"`
	Query   string      `json:"query"`
	Headers [][2]string `json:"headers"`
}

// describe keeps the path as it was sent (%2F too); headers are sorted by name, repeated ones stay apart.
func describe(r *http.Request) request {
	sent, query, _ := strings.Cut(r.RequestURI, "?")
	headers := [][2]string{{"Host", r.Host}}
	for name, values := range r.Header {
		for _, value := range values {
			headers = append(headers, [2]string{name, value})
		}
	}
	sort.SliceStable(headers, func(i, j int) bool { return headers[i][0] < headers[j][0] })
	return request{r.Method, sent, query, headers}
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value)
}

func echoFrames(w http.ResponseWriter, r *http.Request) {
	connection, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer connection.Close()
	connection.SetReadLimit(maxMessage)
	if r.URL.Query().Has("headers") {
		connection.WriteJSON(describe(r).Headers)
	}
	for {
		kind, message, err := connection.ReadMessage()
		if err != nil || connection.WriteMessage(kind, message) != nil {
			return
		}
	}
}
