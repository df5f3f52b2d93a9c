package odata

import "slices"

// Domain is what is known of a property: the values that it can have. The zero Domain is any value, null included.
type Domain struct {
	// From and Below bound a range, From in it and Below not; null bounds nothing. They are for times and numbers.
	From, Below Value
	// Is is the one value that the property has, if Known.
	Is    Value
	Known bool
	// Not are strings of which the property is none; it is a string then.
	Not []string
}

// Possible tells whether something whose properties lie in these domains can satisfy the condition. It may say yes where nothing can, because it does not see how two
// parts of a condition exclude each other; where it says no, nothing does. domain gives the domain of a path.
func (f *Filter) Possible(domain func(path string) Domain) bool {
	if f == nil || f.root == nil {
		return true
	}
	return f.root.outcomes(domain)&(1<<yes) != 0
}

// Literals returns the values with which a path is compared, in the order of the text.
func (f *Filter) Literals(path string) (values []Value) {
	f.visit(func(n *node) {
		if n.kind != nodeCompare {
			return
		}
		a, b := n.children[0], n.children[1]
		if a.kind == nodePath && a.path == path && b.kind == nodeLiteral {
			values = append(values, b.value)
		}
		if b.kind == nodePath && b.path == path && a.kind == nodeLiteral {
			values = append(values, a.value)
		}
	})
	return values
}

// Paths returns the properties that the condition looks at, each once, in the order of the text.
func (f *Filter) Paths() (paths []string) {
	f.visit(func(n *node) {
		if n.kind == nodePath && !slices.Contains(paths, n.path) {
			paths = append(paths, n.path)
		}
	})
	return paths
}

// visit calls see for every node.
func (f *Filter) visit(see func(*node)) {
	if f == nil || f.root == nil {
		return
	}
	var walk func(*node)
	walk = func(n *node) {
		see(n)
		for _, c := range n.children {
			walk(c)
		}
	}
	walk(f.root)
}

// Instant returns the time that a value is, in seconds since 1970 and nanoseconds. ok is false if it is none.
func (v Value) Instant() (seconds int64, nanos int, ok bool) {
	return v.time.Unix(), v.time.Nanosecond(), v.kind == kindTime
}

// Text returns the string that a value is. ok is false if it is none.
func (v Value) Text() (s string, ok bool) { return v.text, v.kind == kindString }

// truths is a set of truth: bit t says that t is possible.
type truths uint8

const anything truths = 1<<no | 1<<unknown | 1<<yes

func (n *node) outcomes(domain func(string) Domain) truths {
	switch n.kind {
	case nodeAnd, nodeOr:
		set := n.children[0].outcomes(domain)
		for _, c := range n.children[1:] {
			set = join(set, c.outcomes(domain), n.kind == nodeAnd)
		}
		return set
	case nodeNot:
		set := n.children[0].outcomes(domain)
		return set&(1<<unknown) | set&(1<<no)<<yes | set>>yes
	case nodeCompare:
		return n.compared(domain)
	case nodeLiteral:
		return 1 << truthOf(n.value.truth)
	}
	return anything
}

// join is the set of what "and" or "or" can make of two sets.
func join(a, b truths, and bool) (set truths) {
	for x := no; x <= yes; x++ {
		for y := no; y <= yes; y++ {
			if a&(1<<x) == 0 || b&(1<<y) == 0 {
				continue
			}
			if and {
				set |= 1 << min(x, y)
			} else {
				set |= 1 << max(x, y)
			}
		}
	}
	return set
}

// compared is what a comparison can be. Of two paths it can be anything.
func (n *node) compared(domain func(string) Domain) truths {
	a, b, op := n.children[0], n.children[1], n.op
	if a.kind == nodeLiteral && b.kind == nodePath {
		a, b, op = b, a, mirrored(op)
	}
	if a.kind != nodePath || b.kind != nodeLiteral {
		return anything
	}
	d := domain(a.path)
	switch {
	case d.Known:
		t, err := (&node{kind: nodeCompare, op: op, children: []*node{{kind: nodeLiteral, value: d.Is}, b}}).evalCompare(nil)
		if err != nil {
			return anything
		}
		return 1 << t
	case len(d.Not) > 0:
		return outside(d.Not, op, b.value)
	}
	return within(d, op, b.value)
}

// mirrored is the operator with its sides exchanged.
func mirrored(op string) string {
	switch op {
	case "gt":
		return "lt"
	case "ge":
		return "le"
	case "lt":
		return "gt"
	case "le":
		return "ge"
	}
	return op
}

// outside compares a string that is none of some with a literal.
func outside(not []string, op string, v Value) truths {
	differs := v.kind == kindNull || v.kind == kindString && slices.Contains(not, v.text)
	switch {
	case differs && op == "eq":
		return 1 << no
	case differs && op == "ne":
		return 1 << yes
	}
	return 1<<no | 1<<yes
}

// within compares what lies in a range with a literal.
func within(d Domain, op string, v Value) truths {
	above := d.Below.kind == v.kind && v.kind != kindNull && atMost(d.Below, v)                     // everything is less than v
	below := d.From.kind == v.kind && v.kind != kindNull && !atMost(d.From, v)                      // everything is greater than v
	starts := d.From.kind == v.kind && v.kind != kindNull && atMost(d.From, v) && atMost(v, d.From) // v is the least of all
	switch op {
	case "eq":
		return settled(false, above || below)
	case "ne":
		return settled(above || below, false)
	case "lt":
		return settled(above, below || starts)
	case "le":
		return settled(above, below)
	case "gt":
		return settled(below, above)
	}
	return settled(below || starts, above)
}

func settled(always, never bool) truths {
	switch {
	case always:
		return 1 << yes
	case never:
		return 1 << no
	}
	return 1<<no | 1<<yes
}

// atMost compares two values of one kind.
func atMost(a, b Value) bool {
	order, err := compare(a, b)
	return err == nil && order <= 0
}
