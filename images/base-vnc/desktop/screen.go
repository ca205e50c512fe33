package main

import (
	"fmt"
	"os"
	"strconv"
)

type screen struct {
	width, height, depth int
	fixed                bool // else the desktop takes the size of the browser's window
	dpi                  int  // 0: the X server's own, 96
}

// screenFromEnvironment reads X11_WIDTH, X11_HEIGHT and X11_DEPTH, within the bounds that the portal has too, and X11_DPI.
func screenFromEnvironment() (screen, error) {
	width, wide, errWidth := number("X11_WIDTH", 1280, 320, 7680)
	height, high, errHeight := number("X11_HEIGHT", 800, 200, 4320)
	depth, _, errDepth := number("X11_DEPTH", 24, 16, 24)
	dpi, _, errDPI := number("X11_DPI", 0, 48, 384)
	for _, err := range []error{errWidth, errHeight, errDepth, errDPI} {
		if err != nil {
			return screen{}, err
		}
	}
	return screen{width, height, depth, wide && high, dpi}, nil
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
	if s.dpi != 0 {
		flags = append(flags, "-dpi", strconv.Itoa(s.dpi))
	}
	if os.Getenv("DESKTOP_3D") == "0" {
		flags = append(flags, "-extension", "GLX") // saves 10 MB and 60 ms, for Mesa is not loaded
	}
	return flags
}
