// A service in Go that writes log lines on order: POST /log, as of service.py. Built when a run begins.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"auralink.example/shared/logging"
)

type order struct {
	Level, Message, Error string
	Through               string // print: the message as it is
	Trace                 string `json:"trace_id"`
	User                  string `json:"user_id"`
	Request               string `json:"request_id"`
	Context               map[string]any
	First, Count          int
	Rate                  float64 // lines a second
}

func main() {
	logger := logging.New(os.Getenv("SERVICE"), logging.Options{Level: logging.LevelTrace, Version: "1.0.0", Environment: "live"})
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /log", func(w http.ResponseWriter, r *http.Request) {
		given := order{Count: 1}
		if err := json.NewDecoder(r.Body).Decode(&given); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		begun := time.Now()
		for n := given.First; n < given.First+given.Count; n++ {
			say(logger, given, strings.ReplaceAll(given.Message, "{n}", fmt.Sprint(n)))
			if given.Rate > 0 {
				time.Sleep(time.Until(begun.Add(time.Duration(float64(n-given.First+1) / given.Rate * float64(time.Second)))))
			}
		}
		_, _ = w.Write([]byte("null"))
	})
	logger.Fatal(context.Background(), "Ended", http.ListenAndServe(":"+os.Getenv("PORT"), nil), nil)
}

// say writes one line, of a trace of its own where none is given.
func say(logger *logging.Logger, o order, message string) {
	if o.Through == "print" {
		fmt.Println(message)
		return
	}
	ctx, _ := logging.ContinueTrace(context.Background(), "00-"+o.Trace+"-00f067aa0ba902b7-01")
	if o.User != "" {
		ctx = logging.WithUser(ctx, o.User)
	}
	if o.Request != "" {
		ctx = logging.WithRequest(ctx, o.Request)
	}
	var err error
	if o.Error != "" {
		err = errors.New(o.Error)
	}
	switch o.Level {
	case "TRACE":
		logger.Trace(ctx, message, o.Context)
	case "DEBUG":
		logger.Debug(ctx, message, o.Context)
	case "WARN":
		logger.Warn(ctx, message, o.Context)
	case "ERROR":
		logger.Error(ctx, message, err, o.Context)
	case "FATAL":
		logger.Fatal(ctx, message, err, o.Context)
	default:
		logger.Info(ctx, message, o.Context)
	}
}
