package dlq

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Spool is a file that takes letters while Redis doesn't: what Add returned from is on disk. Goroutines and processes
// share it through a lock beside it, Python's too: the format is the same, and either replays what the other wrote.
type Spool struct{ path string }

// NewSpool names the file; it is made when it is needed.
func NewSpool(path string) *Spool { return &Spool{path} }

// spooled is what an add needs once more: age in milliseconds, body byte for byte (base64 in the file).
type spooled struct {
	Queue        string `json:"queue"`
	ID           string `json:"id"`
	Body         []byte `json:"body"`
	Milliseconds int64  `json:"milliseconds"`
	Reason       string `json:"reason"`
	Replays      int    `json:"replays"`
}

func (s *Spool) locked(do func() error) error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o777); err != nil {
		return err
	}
	// a file of its own, since replay replaces the spool; a new descriptor for each use, so goroutines wait as well
	file, err := os.OpenFile(s.path+".lock", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if err := lock(file); err != nil {
		return err
	}
	return do()
}

// append keeps a letter; an error says that the disk refused, and then it is kept nowhere.
func (s *Spool) append(one spooled) error {
	line, err := json.Marshal(one)
	if err != nil {
		return err
	}
	return s.locked(func() error {
		// the line break stands first too: a line that a crash has cut off must not spoil this one
		return write(s.path, "\n"+string(line)+"\n", os.O_APPEND)
	})
}

// write returns once the text is on disk, and the file's name too.
func write(path, text string, how int) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|how, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func (s *Spool) lines() ([][]byte, error) {
	text, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found [][]byte
	for _, line := range bytes.Split(text, []byte("\n")) {
		if len(line) > 0 {
			found = append(found, line)
		}
	}
	return found, err
}

// Count gives the letters that wait, lines that a crash cut off included.
func (s *Spool) Count() int {
	lines, _ := s.lines()
	return len(lines)
}

// waiting tells whether there is anything to replay; cheap enough to ask after every add.
func (s *Spool) waiting() bool {
	found, err := os.Stat(s.path)
	return err == nil && found.Size() > 0
}

// replay hands each to add in order and forgets those that it took; it tells how many. It stops at the first error,
// which it returns after the rest was kept. A line that is no letter (a crash within append, which then never returned)
// goes to PATH.bad.
func (s *Spool) replay(add func(spooled) error) (taken int, err error) {
	err = s.locked(func() error {
		lines, err := s.lines()
		if err != nil || len(lines) == 0 {
			return err
		}
		done := 0
		for _, line := range lines {
			if one, ok := spooledOf(line); !ok {
				err = write(s.path+".bad", string(line)+"\n", os.O_APPEND)
			} else if err = add(one); err == nil {
				taken++
			}
			if err != nil {
				break
			}
			done++
		}
		return errors.Join(err, s.keep(lines[done:]))
	})
	return taken, err
}

func (s *Spool) keep(lines [][]byte) error {
	var rest []byte
	for _, line := range lines {
		rest = append(append(rest, line...), '\n')
	}
	if err := write(s.path+".new", string(rest), os.O_TRUNC); err != nil {
		return err
	}
	return os.Rename(s.path+".new", s.path)
}

func spooledOf(line []byte) (one spooled, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&one)
	return one, err == nil && one.ID != "" && one.Queue != "" && one.Body != nil && !decoder.More()
}
