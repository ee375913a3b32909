//go:build !unix || solaris || aix

package dlq

import (
	"errors"
	"os"
)

func lock(*os.File) error { return errors.New("a spool needs flock, which this system doesn't have") }
