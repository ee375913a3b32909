//go:build unix

package logging

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// writable tells whether the file takes a piece within the time. Its flags are others' too, so it stays a blocking one.
func writable(file *os.File, within time.Duration) bool {
	connection, err := file.SyscallConn()
	if err != nil {
		return true // the write will say why
	}
	ready := true
	_ = connection.Control(func(number uintptr) {
		end := time.Now().Add(within)
		for {
			wait := max(0, time.Until(end))
			polled := []unix.PollFd{{Fd: int32(number), Events: unix.POLLOUT}}
			count, err := unix.Poll(polled, int((wait+time.Millisecond-1)/time.Millisecond))
			if err == unix.EINTR {
				continue
			}
			ready = err != nil || count > 0 // an error of the file too: the write will say which
			return
		}
	})
	return ready
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
