// Wrong-desktop speaks just enough RFB for a check to find it right, and breaks the promise that WRONG names:
// outside, missing, away (of its page), elsewhere, password, text (of its greeting), size, clipboard.
package main

import (
	"encoding/binary"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/gorilla/websocket"
)

const extendedSize = -308

var wrong = os.Getenv("WRONG")

var upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }, Subprotocols: []string{"binary"}}

func main() {
	log.SetFlags(0)
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	listener, err := net.Listen("tcp", ":8888")
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(listener, http.HandlerFunc(answer))
	<-terms
}

func answer(w http.ResponseWriter, r *http.Request) {
	base, err := url.PathUnescape(os.Getenv("JPY_BASE_USER_URL") + "/containers/" + os.Getenv("URL_ID"))
	if err != nil {
		log.Fatal(err)
	}
	switch rest, _ := strings.CutPrefix(r.URL.Path, base); {
	case rest == "/websockify" && (r.URL.Path != rest || wrong == "elsewhere"):
		serveDesktop(w, r)
	case r.URL.Path == base+"/":
		servePage(w)
	case r.URL.Path == base+"/page.js" && wrong != "missing":
		fmt.Fprintln(w, "// nothing")
	default:
		http.NotFound(w, r)
	}
}

func servePage(w http.ResponseWriter) {
	if wrong == "away" {
		w.Header().Set("Location", "http://elsewhere.example/")
		w.WriteHeader(http.StatusFound)
		return
	}
	script := "page.js"
	if wrong == "outside" {
		script = "/page.js"
	}
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprintf(w, "<!DOCTYPE html><title>Desktop</title><script src=%q></script>", script)
}

func serveDesktop(w http.ResponseWriter, r *http.Request) {
	connection, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer connection.Close()
	if wrong == "text" {
		send(connection, []byte("HTTP/1.1 400 Bad Request\r\n"))
		return
	}
	screen := size()
	for _, part := range handshake(screen) {
		send(connection, part)
		if _, _, err := connection.ReadMessage(); err != nil {
			return
		}
	}
	for {
		_, message, err := connection.ReadMessage()
		if err != nil || !follow(connection, message, screen) {
			return
		}
	}
}

// size is the one that the session was started with, width and height in four bytes as RFB has them.
func size() []byte {
	width, errWidth := strconv.Atoi(os.Getenv("X11_WIDTH"))
	height, errHeight := strconv.Atoi(os.Getenv("X11_HEIGHT"))
	if errWidth != nil || errHeight != nil || wrong == "size" {
		width, height = 800, 600
	}
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, uint16(width)), uint16(height))
}

// handshake is what the server says, each part answered by one message of the client.
func handshake(screen []byte) [][]byte {
	kind := byte(1)
	if wrong == "password" {
		kind = 2
	}
	format := append([]byte{32, 24}, make([]byte, 14)...)
	start := append(append(append([]byte{}, screen...), format...), 0, 0, 0, 1, 'D')
	return [][]byte{[]byte("RFB 003.008\n"), {1, kind}, {0, 0, 0, 0}, start}
}

// follow does what the client asks for, and tells whether to go on.
func follow(connection *websocket.Conn, message, screen []byte) bool {
	switch message[0] {
	case 3: // a picture: the layout, and one pixel
		send(connection, []byte{0, 0, 0, 2})
		send(connection, layout(0, screen))
		send(connection, append(rectangle(0, []byte{0, 1, 0, 1}, 0), 0, 0, 0, 0))
	case 6:
		return wrong != "clipboard"
	case 251:
		copy(screen, message[2:6])
		send(connection, append([]byte{0, 0, 0, 1}, layout(1, screen)...))
	}
	return true
}

// layout is one screen that fills the desktop; cause 1 is the client's asking.
func layout(cause byte, screen []byte) []byte {
	found := append(rectangle(cause, screen, extendedSize), 1, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0)
	return append(append(found, screen...), 0, 0, 0, 0)
}

func rectangle(x byte, size []byte, encoding int32) []byte {
	found := append([]byte{0, x, 0, 0}, size...)
	return binary.BigEndian.AppendUint32(found, uint32(encoding))
}

func send(connection *websocket.Conn, message []byte) {
	connection.WriteMessage(websocket.BinaryMessage, message)
}
