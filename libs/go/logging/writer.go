package logging

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

const (
	pieceSize     = 4096 // a pipe that is ready takes as much at once (PIPE_BUF)
	patience      = time.Second
	complainEvery = time.Minute
	restLimit     = 1 << 16
)

// writer writes whole lines, one write each, whatever is at the other end. A reader that stalls costs `patience` once
// and then nothing, until it reads again; a closed one costs nothing. What could not be written is counted.
type writer struct {
	out      io.Writer
	pipe     *pipe // out, where it is one that can stall
	turn     chan struct{}
	patience time.Duration
	notice   func(count int64, out func([]byte)) // makes the line that tells how many are missing

	stalled    atomic.Bool
	dropped    [6]atomic.Int64 // by level
	untold     atomic.Int64
	complained atomic.Int64
	rest       []byte // of a line whose beginning is out
}

func newWriter(out io.Writer) *writer {
	w := &writer{out: out, turn: make(chan struct{}, 1), patience: patience}
	if file, ok := out.(*os.File); ok {
		// A write to a closed stdout would end the process (SIGPIPE); the same pipe by another number says so instead.
		w.out = own(file)
		if found, err := file.Stat(); err == nil && found.Mode()&(os.ModeNamedPipe|os.ModeSocket|os.ModeCharDevice) != 0 {
			w.pipe = newPipe(w.out.(*os.File))
		}
	}
	return w
}

func (w *writer) write(level int, line []byte) {
	if !w.enter() {
		w.drop(level)
		return
	}
	defer w.leave(level)
	var err error
	if w.pipe != nil {
		err = w.onPipe(level, line)
	} else {
		_, err = w.out.Write(line)
	}
	if err != nil {
		w.drop(level)
		w.complain("log lines can't be written: " + err.Error())
	}
}

func (w *writer) enter() bool {
	select {
	case w.turn <- struct{}{}:
		return true
	default:
	}
	if w.stalled.Load() {
		return false
	}
	timer := time.NewTimer(2 * w.patience)
	defer timer.Stop()
	select {
	case w.turn <- struct{}{}:
		return true
	case <-timer.C:
		return false
	}
}

func (w *writer) leave(level int) {
	if recover() != nil { // an io.Writer of somebody's
		w.drop(level)
		w.complain("the writer of log lines panicked")
	}
	<-w.turn
}

// onPipe never writes what there is no room for.
func (w *writer) onPipe(level int, line []byte) error {
	wait := w.patience
	if w.stalled.Load() {
		wait = 0
	}
	end := time.Now().Add(wait)
	if !w.flush(end) || !w.room(end) {
		w.drop(level)
		w.complain("log lines are dropped: nobody reads them")
		return nil
	}
	if count := w.untold.Swap(0); count > 0 && w.notice != nil {
		w.notice(count, func(notice []byte) { line = append(notice[:len(notice):len(notice)], line...) })
	}
	if len(line) <= pieceSize {
		_, err := w.out.Write(line)
		return err
	}
	w.rest = append(w.rest, line...)
	w.flush(end)
	return nil
}

// flush writes what is begun, a piece at a time; the rest waits for the next line.
func (w *writer) flush(end time.Time) bool {
	for len(w.rest) > 0 {
		if !w.room(end) {
			return false
		}
		count, err := w.out.Write(w.rest[:min(len(w.rest), pieceSize)])
		w.rest = w.rest[count:]
		if err != nil {
			w.rest = nil
			return true // the line itself will meet the error
		}
	}
	w.rest = nil
	return true
}

func (w *writer) room(end time.Time) bool {
	ready := w.pipe.writable(0) || w.pipe.writable(time.Until(end))
	w.stalled.Store(!ready)
	return ready
}

func (w *writer) drop(level int) {
	w.dropped[level].Add(1)
	w.untold.Add(1)
}

// complain says one line a minute on stderr, if that takes it.
func (w *writer) complain(text string) {
	now := time.Now().UnixNano()
	last := w.complained.Load()
	if last != 0 && now-last < int64(complainEvery) || !w.complained.CompareAndSwap(last, now) {
		return
	}
	file := own(os.Stderr)
	if stderr := newPipe(file); stderr != nil && stderr.writable(0) {
		_, _ = fmt.Fprintf(file, "auralink logging: %s\n", text)
	}
}
