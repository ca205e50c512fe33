// Desktop runs one X server, one window manager, the application and the web server for them, all as the user and without
// capabilities. The first two and the web server live and die together: when one ends, or on SIGTERM, all are ended and the
// container with them. The application may end, and be started again.
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
	onWindows = "sh /etc/remoteapp/start-desktop" // the window manager runs it once it manages windows
	// The portal gives the container 10 s.
	patience     = 4 * time.Second // for the application to save and end
	lastPatience = time.Second     // for what has nothing to save
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("desktop: ")
	terms, starts := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(starts, syscall.SIGUSR1)
	if err := run(terms, starts); err != nil {
		log.Fatal(err)
	}
}

// run returns when something of the desktop ended, with the reason, or with none on a signal of terms. Each signal of starts
// starts the application: first the window manager sends one, for beside it the screen stayed black every other time.
func run(terms, starts <-chan os.Signal) error {
	screen, err := screenFromEnvironment()
	if err != nil {
		return err
	}
	home, err := prepareDirectories()
	if err != nil {
		return err
	}
	socket := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "rfb.sock")
	app := &application{}
	server, err := newServer(sessionPath(), webRoot, socket, app, home)
	if err != nil {
		return err
	}
	failed := make(chan error, 3)
	go func() { failed <- server.listen() }()

	display, err := startDisplay(screen, socket, failed)
	if err != nil {
		return err
	}
	defer end(display, lastPatience)
	windows, err := startWindows(failed)
	if err != nil {
		return err
	}
	defer end(windows, lastPatience)
	defer app.end()
	defer server.close()
	server.ready.Store(true)
	log.Printf("ready on display %s", os.Getenv("DISPLAY"))
	for {
		select {
		case <-terms:
			return nil
		case err := <-failed:
			return err
		case <-starts:
			if err := app.start(); err != nil {
				log.Print(err)
			}
		}
	}
}

// prepareDirectories makes a private runtime directory, and a home where the environment names none that is writable.
func prepareDirectories() (*home, error) {
	runtime, err := os.MkdirTemp("", "runtime-")
	if err != nil {
		return nil, err
	}
	os.Setenv("XDG_RUNTIME_DIR", runtime)
	os.Setenv("DESKTOP_PID", strconv.Itoa(os.Getpid()))
	home := &home{path: os.Getenv("HOME")}
	if home.lost = whyLost(home.path); home.lost != "" {
		home.path = filepath.Join(runtime, "home")
		log.Printf("HOME is not writable: using %s, which ends with the session", home.path)
		os.Setenv("HOME", home.path)
		if err := os.Mkdir(home.path, 0o700); err != nil {
			return nil, err
		}
	}
	return home, os.Chdir(home.path)
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

func startWindows(failed chan<- error) (*exec.Cmd, error) {
	command := exec.Command("openbox", "--sm-disable", "--startup", onWindows)
	return command, start(command, failed)
}

// start runs the command in a process group of its own; its end, whatever the status, is reported to failed.
func start(command *exec.Cmd, failed chan<- error) error {
	if err := launch(command); err != nil {
		return err
	}
	go func() {
		err := command.Wait()
		failed <- fmt.Errorf("%s ended: %v", command.Args[0], err)
	}()
	return nil
}

// launch starts the command in a process group of its own.
func launch(command *exec.Cmd) error {
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return command.Start()
}

// end asks the whole group of the command to end and waits until nobody of it is left, or patience is at its end.
func end(command *exec.Cmd, patience time.Duration) {
	group := -command.Process.Pid
	syscall.Kill(group, syscall.SIGTERM)
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(5 * time.Millisecond) {
		if syscall.Kill(group, 0) == syscall.ESRCH {
			return
		}
	}
	syscall.Kill(group, syscall.SIGKILL)
}
