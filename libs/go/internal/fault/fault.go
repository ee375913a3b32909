// Package fault reads an error for a log line or a dead letter, whatever the error's own methods do.
package fault

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"syscall"
)

// Text is what the error says, else its type; an error that can't say says so. It never panics.
func Text(err error) string {
	return said(err, err.Error)
}

// said calls a method of v that may panic: one with a nil receiver, or one that is wrong.
func said(v any, method func() string) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("<unprintable %T>", v)
		}
	}()
	if text = method(); text == "" {
		text = Type(v)
	}
	return text
}

// String is what a fmt.Stringer says; it never panics.
func String(s fmt.Stringer) string {
	return said(s, s.String)
}

// Type is the name of the value's type without pointer: `fs.PathError`.
func Type(v any) string {
	t := reflect.TypeOf(v)
	if t == nil {
		return "nil"
	}
	return strings.TrimLeft(t.String(), "*")
}

// Fields are error_type and error_code. The type is the first in the chain that is more than a text around another
// (fmt.Errorf, errors.New, errors.Join), else the outermost. The code is that of the first with a method ErrorCode or
// Code that gives a string, else the name of a system call's number.
func Fields(err error) (kind, code string) {
	for _, one := range chain(err) {
		if !wrapper(one) && kind == "" {
			kind = Type(one)
		}
		if code == "" {
			code = codeOf(one)
		}
	}
	if kind == "" {
		kind = Type(err)
	}
	return kind, code
}

func wrapper(err error) bool {
	switch Type(err) {
	case "errors.errorString", "errors.joinError", "fmt.wrapError", "fmt.wrapErrors":
		return true
	}
	return false
}

const deepest = 50 // an error that unwraps to itself ends too

func chain(err error) (found []error) {
	defer func() { _ = recover() }() // an Unwrap that panics: what was found counts
	for err != nil && len(found) < deepest {
		found = append(found, err)
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			if all := many.Unwrap(); len(all) > 0 {
				err = all[0]
				continue
			}
		}
		err = errors.Unwrap(err)
	}
	return found
}

func codeOf(err error) (code string) {
	defer func() {
		if recover() != nil {
			code = ""
		}
	}()
	switch known := err.(type) {
	case interface{ ErrorCode() string }:
		return known.ErrorCode()
	case interface{ Code() string }:
		return known.Code()
	case syscall.Errno:
		return numbers[known]
	}
	return ""
}

// What a service meets on the network and on its disk.
var numbers = map[syscall.Errno]string{
	syscall.EACCES: "EACCES", syscall.EADDRINUSE: "EADDRINUSE", syscall.EAGAIN: "EAGAIN",
	syscall.ECONNABORTED: "ECONNABORTED", syscall.ECONNREFUSED: "ECONNREFUSED", syscall.ECONNRESET: "ECONNRESET",
	syscall.EEXIST: "EEXIST", syscall.EHOSTUNREACH: "EHOSTUNREACH", syscall.EINTR: "EINTR", syscall.EINVAL: "EINVAL",
	syscall.EIO: "EIO", syscall.EISDIR: "EISDIR", syscall.EMFILE: "EMFILE", syscall.ENETUNREACH: "ENETUNREACH",
	syscall.ENOENT: "ENOENT", syscall.ENOSPC: "ENOSPC", syscall.ENOTDIR: "ENOTDIR", syscall.EPERM: "EPERM",
	syscall.EPIPE: "EPIPE", syscall.EROFS: "EROFS", syscall.ETIMEDOUT: "ETIMEDOUT",
}
