//go:build !unix

package logging

import (
	"os"
	"time"
)

type pipe struct{}

func newPipe(*os.File) *pipe { return &pipe{} }

func (*pipe) writable(time.Duration) bool { return true }

func own(file *os.File) *os.File { return file }
