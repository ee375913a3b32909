//go:build !unix

package logging

import (
	"os"
	"time"
)

func writable(*os.File, time.Duration) bool { return true }

func own(file *os.File) *os.File { return file }
