// SPDX-License-Identifier: GPL-2.0-or-later

// Package talk is how a target speaks with its test: "ready PID", "go", "done", "quit",
// each a line. Nothing in it allocates once the lines are made.
package talk

import (
	"os"
	"strconv"
	"syscall"
)

var (
	ready = []byte("ready " + strconv.Itoa(os.Getpid()) + "\n")
	done  = []byte("done\n")
)

// Ready says that probes may be put in.
func Ready() { syscall.Write(1, ready) }

// Done says that the work is done.
func Done() { syscall.Write(1, done) }

// AwaitLine waits for the test's next word. Raw, because os.Stdin and fmt allocate, and
// because a blocked read(2) keeps the netpoller out of the picture.
//
//go:noinline
func AwaitLine() {
	var c [1]byte
	for {
		n, err := syscall.Read(0, c[:])
		if err == syscall.EINTR {
			continue
		}
		if n != 1 || err != nil {
			syscall.Exit(3)
		}
		if c[0] == '\n' {
			return
		}
	}
}
