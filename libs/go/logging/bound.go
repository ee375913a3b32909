package logging

import "log/slog"

// bound is context that a logger adds to every line. It is written when it is bound: what the caller does with a map
// afterwards, from any goroutine, is nothing to the logger.
type bound struct {
	members []boundMember
	group   string // the group that is open below, with what is bound in it
	below   *bound
}

type boundMember struct {
	key       string
	name      string
	text      string // the member as it is written, name and value
	cut, gone bool   // gone: of a declared key, and null
}

// innermost is where attributes go now: the group that was opened last, how deep it is, and the types declared there.
func (b *bound) innermost(declared types) (*bound, int, types) {
	depth := depthLimit
	for b.below != nil {
		declared, _ = declared[b.group].(types)
		b, depth = b.below, depth-1
	}
	return b, depth, declared
}

func (b *bound) clone() *bound {
	if b == nil {
		return &bound{}
	}
	copied := *b
	copied.members = append([]boundMember(nil), b.members...)
	if b.below != nil {
		copied.below = b.below.clone()
	}
	return &copied
}

// with is b with more attributes; a later one of a key takes the place of an earlier one.
func (b *bound) with(e *entry, attrs []slog.Attr) *bound {
	copied := b.clone()
	inner, depth, declared := copied.innermost(e.types)
	for _, attr := range flat(nil, attrs) {
		inner.set(e.bind(attr, depth, declared))
	}
	return copied
}

// open is b with a group that what follows goes into.
func (b *bound) open(name string) *bound {
	copied := b.clone()
	inner, _, _ := copied.innermost(nil)
	inner.group, inner.below = name, &bound{}
	return copied
}

func (b *bound) set(member boundMember) {
	for at := range b.members {
		if b.members[at].key == member.key {
			b.members[at] = member
			return
		}
	}
	b.members = append(b.members, member)
}

func (e *entry) bind(attr slog.Attr, depth int, declared types) (found boundMember) {
	l := line{e: e}
	o := object{room: lineLimit, work: workLimit, limit: valueLimit, depth: depth, declared: declared}
	l.member(&o, attr.Key, attr.Value)
	found = boundMember{key: attr.Key, text: string(l.b), cut: l.cut, gone: len(l.b) == 0}
	if len(l.names) > 0 {
		found.name = found.text[l.names[0][0]:l.names[0][1]]
	}
	return found
}

func (b *bound) empty() bool {
	return b == nil || len(b.members) == 0 && b.below.empty()
}

// boundObject writes what is bound and, in the group that was opened last, attrs, of which a key that is bound as well
// stands where the bound one stood.
func (l *line) boundObject(b *bound, attrs []slog.Attr, limit, depth int, declared types) {
	o := l.open(limit, depth, declared)
	if b.below != nil {
		_ = l.boundMembers(&o, b, nil)
		if !b.below.empty() || len(attrs) > 0 {
			below, _ := declared[b.group].(types)
			l.group(&o, b.group, func(limit, depth int) { l.boundObject(b.below, attrs, limit, depth, below) })
		}
		l.end(&o)
		return
	}
	if l.boundMembers(&o, b, attrs) {
		for at := range attrs {
			if !b.has(attrs[at].Key) && !l.member(&o, attrs[at].Key, attrs[at].Value) {
				break
			}
		}
	}
	l.end(&o)
}

func (b *bound) has(key string) bool {
	for at := range b.members {
		if b.members[at].key == key {
			return true
		}
	}
	return false
}

func (l *line) boundMembers(o *object, b *bound, attrs []slog.Attr) bool {
	for at := range b.members {
		member := &b.members[at]
		if own := find(attrs, member.key); own != nil {
			if !l.member(o, own.Key, own.Value) {
				return false
			}
			continue
		}
		if member.gone {
			continue
		}
		start, name := l.begin(o)
		l.string(member.text)
		l.cut = l.cut || member.cut
		if !l.close(o, start, name, name+len(member.name)) {
			return false
		}
	}
	return true
}

// group writes a member that is an object of its own.
func (l *line) group(o *object, key string, write func(limit, depth int)) {
	start, name := l.begin(o)
	known := l.e.key(key)
	l.string(known.name)
	l.cut = l.cut || known.cut
	end := len(l.b)
	if known.secret {
		l.string(`"` + mark + `"`)
	} else {
		l.container(identityOf{}, o.depth, func() { write(o.limit, o.depth-1) })
	}
	l.close(o, start, name, end)
}

func find(attrs []slog.Attr, key string) *slog.Attr {
	for at := range attrs {
		if attrs[at].Key == key {
			return &attrs[at]
		}
	}
	return nil
}

// flat appends attributes as log/slog wants them written: values resolved, empty ones and empty groups left out, groups
// without a name in place, of a key the last value where the first stood.
func flat(into, attrs []slog.Attr) []slog.Attr {
	for _, attr := range attrs {
		into = flatOne(into, attr)
	}
	return into
}

func flatOne(into []slog.Attr, attr slog.Attr) []slog.Attr {
	if attr.Value.Kind() == slog.KindLogValuer {
		attr.Value = attr.Value.Resolve()
	}
	if attr.Value.Kind() == slog.KindGroup {
		members := attr.Value.Group()
		if len(members) == 0 {
			return into
		}
		if attr.Key == "" {
			return flat(into, members)
		}
	} else if attr.Equal(slog.Attr{}) {
		return into
	}
	if known := find(into, attr.Key); known != nil {
		known.Value = attr.Value
		return into
	}
	return append(into, attr)
}
