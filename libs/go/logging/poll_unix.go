//go:build unix

package logging

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pipe is a file that can stall. Its flags are others' too, so it stays a blocking one.
type pipe struct {
	connection syscall.RawConn
	polled     []unix.PollFd
	wait       int
	ready      bool
	poll       func(uintptr)
}

func newPipe(file *os.File) *pipe {
	connection, err := file.SyscallConn()
	if err != nil {
		return nil
	}
	p := &pipe{connection: connection, polled: make([]unix.PollFd, 1)}
	p.poll = func(number uintptr) { // one for all lines
		for {
			p.polled[0] = unix.PollFd{Fd: int32(number), Events: unix.POLLOUT}
			count, err := unix.Poll(p.polled, p.wait)
			if err == unix.EINTR {
				continue
			}
			p.ready = err != nil || count > 0 // an error of the file too: the write will say which
			return
		}
	}
	return p
}

// writable tells whether it takes a piece within the time. Not to be called by two goroutines.
func (p *pipe) writable(within time.Duration) bool {
	p.ready, p.wait = true, int((max(0, within)+time.Millisecond-1)/time.Millisecond)
	_ = p.connection.Control(p.poll)
	return p.ready
}

// own is the file by a number of our own; itself where it can't be had.
func own(file *os.File) *os.File {
	connection, err := file.SyscallConn()
	if err != nil {
		return file
	}
	copied := file
	_ = connection.Control(func(number uintptr) {
		if number > 2 {
			return
		}
		if mine, err := unix.FcntlInt(number, unix.F_DUPFD_CLOEXEC, 3); err == nil {
			copied = os.NewFile(uintptr(mine), file.Name())
		}
	})
	return copied
}
