//go:build unix && !solaris && !aix

package dlq

import (
	"os"
	"syscall"
)

// lock waits until nobody else has the file; closing it gives it back.
func lock(file *os.File) error {
	for {
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != syscall.EINTR {
			return err
		}
	}
}
