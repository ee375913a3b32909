// alloy-syntax reads files of Grafana Alloy with Alloy's own parser.
//
//	alloy-syntax FILE...
//
// Each fault is one line on stderr, FILE:LINE:COLUMN: MESSAGE. Exit 0 where there is none, 1 where there is one, 2 where a
// file can't be read. It knows syntax only: no component, no argument, no reference.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/grafana/alloy/syntax/diag"
	"github.com/grafana/alloy/syntax/parser"
)

func main() {
	code := 0
	for _, name := range os.Args[1:] {
		text, err := os.ReadFile(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		if _, err := parser.ParseFile(name, text); err != nil {
			report(err)
			code = 1
		}
	}
	os.Exit(code)
}

func report(err error) {
	var all diag.Diagnostics
	if !errors.As(err, &all) {
		fmt.Fprintln(os.Stderr, err)
	}
	for _, one := range all {
		fmt.Fprintln(os.Stderr, one.Error())
	}
}
