// Desktop runs one X server, one window manager and the web server for them, all as the user and without capabilities.
// They live and die together: when one ends, or on SIGTERM, the others are ended and the container with them.
package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	webRoot   = "/usr/share/remoteapp/page"
	autostart = "sh /etc/remoteapp/start-application"
	patience  = 3 * time.Second // for applications to save and end; the portal gives the container 10 s
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("desktop: ")
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM, syscall.SIGINT)
	if err := run(terms); err != nil {
		log.Fatal(err)
	}
}

func run(terms <-chan os.Signal) error {
	screen, err := screenFromEnvironment()
	if err != nil {
		return err
	}
	if err := prepareDirectories(); err != nil {
		return err
	}
	socket := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "rfb.sock")
	server, err := newServer(sessionPath(), webRoot, socket)
	if err != nil {
		return err
	}
	failed := make(chan error, 3)
	go func() { failed <- server.listen() }()

	display, err := startDisplay(screen, socket, failed)
	if err != nil {
		return err
	}
	defer end(display)
	windows, err := startWindows(failed)
	if err != nil {
		return err
	}
	defer end(windows)
	server.ready.Store(true)
	log.Printf("ready on display %s", os.Getenv("DISPLAY"))
	select {
	case <-terms:
		return nil
	case err := <-failed:
		return err
	}
}

// prepareDirectories makes a private runtime directory, and a home where the environment names none that is writable.
func prepareDirectories() error {
	runtime, err := os.MkdirTemp("", "runtime-")
	if err != nil {
		return err
	}
	os.Setenv("XDG_RUNTIME_DIR", runtime)
	home := os.Getenv("HOME")
	if home == "/" || syscall.Access(home, 2 /* W_OK */) != nil {
		home = filepath.Join(runtime, "home")
		log.Printf("HOME is not writable: using %s, which ends with the session", home)
		os.Setenv("HOME", home)
		if err := os.Mkdir(home, 0o700); err != nil {
			return err
		}
	}
	return os.Chdir(home)
}

// startDisplay starts the X server and returns once it greets on its RFB socket.
func startDisplay(screen screen, socket string, failed chan<- error) (*exec.Cmd, error) {
	number, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer number.Close()
	command := exec.Command("Xtigervnc", append(screen.arguments(),
		"-displayfd", "3", "-desktop", "Desktop",
		"-rfbport", "-1", "-rfbunixpath", socket, "-rfbunixmode", "0600", // -1: with 0 it also listens on TCP 5900
		"-Log", "*:stderr:0", "-nolisten", "tcp", "-SecurityTypes", "None", "-AlwaysShared",
		"-BlacklistThreshold", "1000000000", // all clients share one address here, and one that leaves early counts
	)...)
	command.ExtraFiles = []*os.File{writer}
	err = start(command, failed)
	writer.Close()
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(number).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the X server ended before it was ready")
	}
	os.Setenv("DISPLAY", ":"+strings.TrimSpace(line))
	return command, awaitGreeting(socket)
}

func awaitGreeting(socket string) error {
	connection, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer connection.Close()
	connection.SetReadDeadline(time.Now().Add(10 * time.Second))
	greeting := make([]byte, 12)
	if _, err = connection.Read(greeting); err == nil && !strings.HasPrefix(string(greeting), "RFB ") {
		err = fmt.Errorf("the X server does not speak RFB")
	}
	return err
}

// startWindows lets the window manager start the application: started beside it, the screen stayed black every other time.
func startWindows(failed chan<- error) (*exec.Cmd, error) {
	command := exec.Command("openbox", "--sm-disable", "--startup", autostart)
	return command, start(command, failed)
}

// start runs the command in a process group of its own; its end, whatever the status, is reported to failed.
func start(command *exec.Cmd, failed chan<- error) error {
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return err
	}
	go func() {
		err := command.Wait()
		failed <- fmt.Errorf("%s ended: %v", command.Args[0], err)
	}()
	return nil
}

// end asks the whole group of the command to end and waits until nobody of it is left, or patience is at its end.
func end(command *exec.Cmd) {
	group := -command.Process.Pid
	syscall.Kill(group, syscall.SIGTERM)
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(5 * time.Millisecond) {
		if syscall.Kill(group, 0) == syscall.ESRCH {
			return
		}
	}
	syscall.Kill(group, syscall.SIGKILL)
}

type screen struct {
	width, height, depth int
	fixed                bool // else the desktop takes the size of the browser's window
}

// screenFromEnvironment reads X11_WIDTH, X11_HEIGHT and X11_DEPTH, within the bounds that the portal has too.
func screenFromEnvironment() (screen, error) {
	width, wide, errWidth := number("X11_WIDTH", 1280, 320, 7680)
	height, high, errHeight := number("X11_HEIGHT", 800, 200, 4320)
	depth, _, errDepth := number("X11_DEPTH", 24, 16, 24)
	for _, err := range []error{errWidth, errHeight, errDepth} {
		if err != nil {
			return screen{}, err
		}
	}
	return screen{width, height, depth, wide && high}, nil
}

func number(name string, absent, least, most int) (value int, given bool, err error) {
	text := os.Getenv(name)
	if text == "" {
		return absent, false, nil
	}
	value, err = strconv.Atoi(text)
	if err != nil || value < least || value > most {
		return 0, true, fmt.Errorf("%s is %q: must be a number from %d to %d", name, text, least, most)
	}
	return value, true, nil
}

func (s screen) arguments() []string {
	follow := "1"
	if s.fixed {
		follow = "0"
	}
	size := fmt.Sprintf("%dx%d", s.width, s.height)
	flags := []string{"-geometry", size, "-depth", strconv.Itoa(s.depth), "-AcceptSetDesktopSize=" + follow}
	if os.Getenv("DESKTOP_3D") == "0" {
		flags = append(flags, "-extension", "GLX") // saves 10 MB and 60 ms, for Mesa is not loaded
	}
	return flags
}
