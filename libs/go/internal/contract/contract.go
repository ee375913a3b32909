// Package contract reads the contract that obsgen renders from observability.yaml: what a log line holds, what is
// redacted, which queues there are.
package contract

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Variable names the file of the contract; the rendered workloads set it to /etc/obsgen/contract.json.
const Variable = "OBSGEN_CONTRACT"

//go:generate cp ../../../python/auralink_shared/default_contract.json default_contract.json
//go:embed default_contract.json
var packaged []byte

// Contract is contract.json, version 1, as far as the libraries go by it.
type Contract struct {
	Version int      `json:"version"`
	Logging *Logging `json:"logging"`
	DLQ     DLQ      `json:"dlq"`
}

// Logging is what a log line holds.
type Logging struct {
	Levels []string         `json:"levels"`
	Fields map[string]Field `json:"fields"`
	Redact []string         `json:"redact"`
}

// Field is where a field stands in the line, and its type: string, number, boolean or object.
type Field struct {
	Path []string `json:"path"`
	Type string   `json:"type"`
}

// DLQ has the numbers of every queue; its own Queue is for those that aren't declared.
type DLQ struct {
	Queue
	Queues map[string]Queue `json:"queues"`
}

// Queue has 0 where the contract says nothing.
type Queue struct {
	MaxAttempts      int   `json:"max_attempts"`
	RetentionSeconds int64 `json:"retention_seconds"`
}

// Load reads the contract that OBSGEN_CONTRACT names, else that of this release. It is an error if a named file is
// missing or no contract of version 1: who named one would not want another in its place.
func Load() (*Contract, error) {
	path := os.Getenv(Variable)
	if path == "" {
		return Default(), nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err // it names the file
	}
	found, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return found, nil
}

// Default is the contract of this release.
func Default() *Contract {
	found, err := parse(packaged)
	if err != nil {
		panic(err) // the bytes are in the program, and a test reads them
	}
	return found
}

func parse(text []byte) (*Contract, error) {
	var found Contract
	if err := json.Unmarshal(text, &found); err != nil {
		return nil, err
	}
	if found.Version != 1 || found.Logging == nil {
		return nil, errors.New("no contract of version 1")
	}
	return &found, nil
}
