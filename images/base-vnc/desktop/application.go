package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

const autostart = "/etc/remoteapp/autostart"

var errRunning = errors.New("the application runs")

// application is what the image shows. Its zero value counts as running: the window manager is about to start it.
type application struct {
	mutex   sync.Mutex
	command *exec.Cmd // the last one started
	ended   bool
	status  int // of the last one that ended; 128 and the signal's number where a signal ended it, as shells say
}

// start runs the application; errRunning while it runs.
func (a *application) start() error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.command != nil && !a.ended {
		return errRunning
	}
	command := exec.Command("sh", autostart)
	if err := launch(command); err != nil {
		return fmt.Errorf("the application cannot be started: %w", err)
	}
	a.command, a.ended, a.status = command, false, 0
	go a.await(command)
	return nil
}

func (a *application) await(command *exec.Cmd) {
	command.Wait()
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.ended, a.status = true, shellStatus(command.ProcessState)
}

// end ends the application's whole process group, what it left behind too.
func (a *application) end() {
	a.mutex.Lock()
	command := a.command
	a.mutex.Unlock()
	if command != nil {
		end(command, patience)
	}
}

// state returns whether it ended and, if so, with what status.
func (a *application) state() (ended bool, status int) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.ended, a.status
}

func shellStatus(state *os.ProcessState) int {
	if waited, ok := state.Sys().(syscall.WaitStatus); ok && waited.Signaled() {
		return 128 + int(waited.Signal())
	}
	return state.ExitCode()
}
