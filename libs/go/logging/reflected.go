package logging

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	neturl "net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"auralink.example/shared/internal/fault"
)

// other writes a value of a type that only reflection knows; one whose methods panic stands as unencodable.
func (l *line) other(v any, limit, depth int) {
	start, above, names := len(l.b), len(l.above), len(l.names)
	defer func() {
		if recover() != nil {
			l.b, l.above, l.names = l.b[:start], l.above[:above], l.names[:names]
			l.unencodable(v)
		}
	}()
	l.reflected(v, reflect.ValueOf(v), limit, depth)
}

func (l *line) reflected(v any, r reflect.Value, limit, depth int) {
	switch r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.Interface:
		if r.IsNil() { // whatever its methods would make of it
			l.string("null")
			return
		}
	}
	switch known := v.(type) {
	case slog.LogValuer:
		l.attr(slog.AnyValue(known).Resolve(), limit, depth)
		return
	case error:
		l.error(known, limit)
		return
	case *big.Int:
		l.integer(known)
		return
	case *neturl.URL: // whose fields say less than its text
		l.text(known.String(), limit, false)
		return
	case json.Marshaler:
		l.marshalled(known, limit, depth)
		return
	case encoding.TextMarshaler:
		text, err := known.MarshalText()
		if err != nil {
			l.unencodable(v)
			return
		}
		l.text(string(text), limit, false)
		return
	}
	switch r.Kind() {
	case reflect.Map:
		l.container(identityOf{r.Pointer(), -1}, depth, func() { l.object(mapMembers(r), limit, depth-1, nil) })
	case reflect.Struct:
		l.structure(v, r, limit, depth)
	case reflect.Pointer:
		if known, ok := v.(fmt.Stringer); ok && !hasParts(r.Elem()) {
			l.text(fault.String(known), limit, false)
			return
		}
		which := identityOf{r.Pointer(), -2}
		if l.holds(which) {
			l.string(`"<circular>"`)
			return
		}
		l.above = append(l.above, which)
		l.value(r.Elem().Interface(), limit, depth)
		l.above = l.above[:len(l.above)-1]
	case reflect.Slice:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			l.bytes(r.Bytes(), limit)
			return
		}
		l.container(identityOf{r.Pointer(), r.Len()}, depth, func() { l.array(r, limit, depth-1) })
	case reflect.Array:
		l.container(identityOf{}, depth, func() { l.array(r, limit, depth-1) })
	default:
		l.scalar(v, r, limit)
	}
}

func (l *line) scalar(v any, r reflect.Value, limit int) {
	if known, ok := v.(fmt.Stringer); ok {
		l.text(fault.String(known), limit, false)
		return
	}
	switch {
	case r.Kind() == reflect.String:
		l.text(r.String(), limit, false)
	case r.Kind() == reflect.Bool:
		l.b = strconv.AppendBool(l.b, r.Bool())
	case r.CanInt():
		l.b = strconv.AppendInt(l.b, r.Int(), 10)
	case r.CanUint():
		l.unsigned(r.Uint())
	case r.CanFloat():
		l.float(r.Float(), r.Type().Bits())
	case r.CanComplex():
		l.text(strconv.FormatComplex(r.Complex(), 'g', -1, r.Type().Bits()), limit, false)
	default: // functions, channels
		l.unencodable(v)
	}
}

func (l *line) array(r reflect.Value, limit, depth int) {
	l.b = append(l.b, '[')
	room, within := limit-2, min(limit, valueLimit)
	for at := range r.Len() {
		start := len(l.b)
		if at > 0 {
			l.b = append(l.b, ',')
		}
		l.value(r.Index(at).Interface(), within, depth)
		if room -= len(l.b) - start; room < 0 {
			l.cut = true
			l.b = l.b[:start]
			break
		}
	}
	l.b = append(l.b, ']')
}

// membersOf gives the members of a value that is a mapping, and which one it is.
func membersOf(v slog.Value) ([]slog.Attr, identityOf, bool) {
	if v.Kind() == slog.KindGroup {
		return v.Group(), identityOf{}, true
	}
	if v.Kind() == slog.KindAny {
		if known, ok := v.Any().(members); ok {
			return known, identityOf{}, true
		}
		if r := reflect.ValueOf(v.Any()); r.Kind() == reflect.Map && !r.IsNil() {
			return mapMembers(r), identityOf{r.Pointer(), -1}, true
		}
	}
	return nil, identityOf{}, false
}

// mapMembers are those of a map, sorted by their keys as text: a map of Go has no order of its own.
func mapMembers(r reflect.Value) []slog.Attr {
	found := make([]slog.Attr, 0, min(r.Len(), mapLimit))
	for each := r.MapRange(); each.Next() && len(found) < mapLimit; {
		found = append(found, slog.Attr{Key: keyText(each.Key()), Value: valueOf(each.Value().Interface())})
	}
	sortMembers(found)
	return found
}

// valueOf is slog.AnyValue, which makes 0.10000000149011612 of float32's 0.1.
func valueOf(v any) slog.Value {
	if known, ok := v.(float32); ok {
		short, _ := strconv.ParseFloat(strconv.FormatFloat(float64(known), 'g', -1, 32), 64)
		return slog.Float64Value(short)
	}
	return slog.AnyValue(v)
}

func sortMembers(of []slog.Attr) {
	slices.SortFunc(of, func(a, b slog.Attr) int { return cmp.Compare(a.Key, b.Key) })
}

func keyText(key reflect.Value) string {
	if key.Kind() == reflect.String {
		return key.String()
	}
	v := key.Interface()
	if known, ok := v.(encoding.TextMarshaler); ok {
		if text, err := known.MarshalText(); err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(v)
}

// structure writes the exported fields, by the names that encoding/json would give them. So a key that the contract
// redacts is redacted there too.
func (l *line) structure(v any, r reflect.Value, limit, depth int) {
	fields := fieldsOf(r.Type())
	if len(fields) == 0 && r.NumField() > 0 {
		if known, ok := v.(fmt.Stringer); ok {
			l.text(fault.String(known), limit, false)
		} else {
			l.unencodable(v)
		}
		return
	}
	l.container(identityOf{}, depth, func() {
		o := l.open(limit, depth-1, nil)
		for _, one := range fields {
			field, err := r.FieldByIndexErr(one.index)
			if err != nil || one.omitEmpty && isEmpty(field) || one.omitZero && field.IsZero() {
				continue
			}
			if !l.member(&o, one.name, valueOf(field.Interface())) {
				break
			}
		}
		l.end(&o)
	})
}

// hasParts tells whether there is more to show than a text.
func hasParts(r reflect.Value) bool {
	switch r.Kind() {
	case reflect.Struct:
		return len(fieldsOf(r.Type())) > 0
	case reflect.Map, reflect.Slice, reflect.Array, reflect.Pointer, reflect.Interface:
		return true
	}
	return false
}

type field struct {
	name                string
	index               []int
	omitEmpty, omitZero bool
}

var structures sync.Map // reflect.Type → []field

func fieldsOf(t reflect.Type) []field {
	if found, ok := structures.Load(t); ok {
		return found.([]field)
	}
	var fields []field
	var named [][]int // embedded structs that have a name of their own
	for _, one := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(one.Tag.Get("json"), ",")
		embedded := one.Anonymous && name == "" && structOf(one.Type)
		if name == "-" && options == "" || slices.ContainsFunc(named, func(index []int) bool {
			return len(one.Index) > len(index) && slices.Equal(one.Index[:len(index)], index)
		}) {
			named = append(named, one.Index)
			continue
		}
		if embedded || !one.IsExported() {
			continue
		}
		if one.Anonymous {
			named = append(named, one.Index)
		}
		if name == "" {
			name = one.Name
		}
		has := func(option string) bool { return slices.Contains(strings.Split(options, ","), option) }
		fields = append(fields, field{name, one.Index, has("omitempty"), has("omitzero")})
	}
	structures.Store(t, fields)
	return fields
}

func structOf(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

// marshalled writes what a value's own MarshalJSON gives: read, so that it is redacted and cut like anything else.
func (l *line) marshalled(v json.Marshaler, limit, depth int) {
	text, err := v.MarshalJSON()
	if err != nil || !json.Valid(text) {
		l.unencodable(v)
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	l.value(ordered(decoder), limit, depth)
}

// ordered reads valid JSON, with the members of objects in their order.
func ordered(decoder *json.Decoder) any {
	token, _ := decoder.Token()
	switch token {
	case json.Delim('{'):
		found := members{}
		for decoder.More() {
			key, _ := decoder.Token()
			found = append(found, slog.Any(key.(string), ordered(decoder)))
		}
		_, _ = decoder.Token()
		return found
	case json.Delim('['):
		items := []any{}
		for decoder.More() {
			items = append(items, ordered(decoder))
		}
		_, _ = decoder.Token()
		return items
	}
	return token
}

func mapIdentity(fields map[string]any) identityOf {
	return identityOf{reflect.ValueOf(fields).Pointer(), -1}
}
