package dlq

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"
)

// Get gives one letter, in the queue or in the trash, or ErrUnknown.
func (d *DLQ) Get(ctx context.Context, queue, id string) (Letter, error) {
	k, err := keysOf(queue)
	if err != nil {
		return Letter{}, err
	}
	found, err := d.found(ctx, k, id)
	if err != nil || len(found) == 0 {
		if err == nil {
			err = failure("unknown", queue, id)
		}
		return Letter{}, err
	}
	if len(found) != 5 {
		return Letter{}, unexpected(queue, id, found)
	}
	text := texts(found)
	letter, err := read(queue, id, text[1], text[2], text[3], Place(text[0]))
	if found[4] != nil {
		letter.Edited = []byte(text[4])
	}
	return letter, err
}

func (d *DLQ) found(ctx context.Context, k keys, id string) ([]any, error) {
	found, err := d.run(ctx, "get", k.index, id).Slice()
	if err == nil && len(found) == 0 {
		var taken int64
		if taken, err = d.adopt(ctx, k); err != nil || taken == 0 {
			return nil, err // adopt has counted it
		}
		found, err = d.run(ctx, "get", k.index, id).Slice()
	}
	return found, d.counted(k.queue, "list", err)
}

// ListOptions say which page. The zero value is the newest 50 in the queue.
type ListOptions struct {
	Limit       int    // 1 to 500; 0 is 50
	Cursor      string // of the page before
	OldestFirst bool
	Place       Place // InQueue by default
	Only        Filter
}

// Page is some letters, and where the next page begins; "" after the last.
type Page struct {
	Letters []Letter
	Cursor  string
}

// List gives the next letters behind the cursor: each once, whatever is added or removed between pages.
func (d *DLQ) List(ctx context.Context, queue string, options ListOptions) (Page, error) {
	k, err := keysOf(queue)
	if err != nil {
		return Page{}, err
	}
	if options.Limit == 0 {
		options.Limit = 50
	}
	if options.Place == "" {
		options.Place = InQueue
	}
	if options.Limit < 1 || options.Limit > 500 || (options.Place != InQueue && options.Place != InTrash) {
		return Page{}, errors.New("the limit is 1 to 500, the place queue or trash")
	}
	cursor := options.Cursor
	if cursor == "" {
		if _, err := d.adopt(ctx, k); err != nil {
			return Page{}, err
		}
	} else if _, err := strconv.ParseUint(cursor, 10, 63); err != nil {
		return Page{}, fmt.Errorf("%q is no cursor of a page", cursor)
	}
	var page Page
	for {
		answer, err := d.run(ctx, "list", k.index, pageArguments(options, cursor)...).Slice()
		if err == nil && (len(answer)%4 != 1) {
			err = unexpected(queue, "*", len(answer))
		}
		if d.counted(queue, "list", err) != nil {
			return Page{}, err
		}
		more, text := answer[0] != int64(0), texts(answer[1:])
		for at := 0; at < len(text); at += 4 {
			letter, err := read(queue, text[at], text[at+1], text[at+2], text[at+3], options.Place)
			if err != nil {
				return Page{}, err
			}
			cursor = strconv.FormatInt(letter.Age, 10)
			if !options.Only.takes(letter) {
				continue
			}
			page.Letters = append(page.Letters, letter)
			if len(page.Letters) == options.Limit {
				if more || at+4 < len(text) {
					page.Cursor = cursor
				}
				return page, nil
			}
		}
		if !more {
			return page, nil
		}
	}
}

func pageArguments(options ListOptions, cursor string) []any {
	order, least, greatest := "newest", score(options.Only.Since, "-inf"), score(options.Only.Until, "+inf")
	if options.OldestFirst {
		order = "oldest"
	}
	if cursor != "" {
		if options.OldestFirst {
			least = "(" + cursor
		} else {
			greatest = "(" + cursor
		}
	}
	return []any{string(options.Place), order, least, greatest, options.Limit, pageBytes}
}

func score(at time.Time, without string) string {
	if at.IsZero() {
		return without
	}
	return strconv.FormatInt(at.UnixMicro(), 10)
}

// All gives all letters of List, page after page; an error ends it.
func (d *DLQ) All(ctx context.Context, queue string, options ListOptions) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		for {
			page, err := d.List(ctx, queue, options)
			if err != nil {
				yield(Letter{}, err)
				return
			}
			for _, letter := range page.Letters {
				if !yield(letter, nil) {
					return
				}
			}
			if page.Cursor == "" {
				return
			}
			options.Cursor = page.Cursor
		}
	}
}

func texts(answer []any) []string {
	found := make([]string, len(answer))
	for at, value := range answer {
		switch known := value.(type) {
		case string:
			found[at] = known
		case int64:
			found[at] = strconv.FormatInt(known, 10)
		}
	}
	return found
}
