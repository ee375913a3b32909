// compose-go reads a file of Docker Compose with Compose's own parser.
//
//	compose-go FILE
//
// Prints the project as Compose would run it, as JSON: variables filled in, defaults written out, paths absolute. Each fault is a
// line on stderr. What Compose only warns of is a fault too: a variable that nobody set becomes an empty text, and a key of
// an older format does nothing. Exit 0 without a fault, 1 with one, 2 where the file can't be read. Nothing is started, and
// no file but this one is opened.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/sirupsen/logrus"
)

// faults makes each warning a fault.
type faults struct{ found bool }

func (f *faults) Levels() []logrus.Level { return []logrus.Level{logrus.WarnLevel, logrus.ErrorLevel} }

func (f *faults) Fire(entry *logrus.Entry) error {
	f.found = true
	fmt.Fprintln(os.Stderr, entry.Message)
	return nil
}

func main() {
	if len(os.Args) != 2 {
		exit(2, "usage: compose-go FILE")
	}
	if _, err := os.ReadFile(os.Args[1]); err != nil {
		exit(2, err)
	}
	warned := &faults{}
	logrus.AddHook(warned)
	logrus.SetOutput(nothing{})
	// no environment: a variable has to come from the file's own default
	options, err := cli.NewProjectOptions([]string{os.Args[1]}, cli.WithoutEnvironmentResolution, cli.WithDiscardEnvFile)
	if err != nil {
		exit(1, err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		exit(1, err)
	}
	if warned.found {
		os.Exit(1)
	}
	text, err := json.MarshalIndent(project, "", " ")
	if err != nil {
		exit(1, err)
	}
	fmt.Println(string(text))
}

func exit(code int, why any) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(code)
}

type nothing struct{}

func (nothing) Write(text []byte) (int, error) { return len(text), nil }
