package odata

import (
	"fmt"
	"strings"
)

const (
	// MaxFilterLength bounds a filter in bytes, before and after it is brought
	// into canonical form.
	MaxFilterLength = 16 << 10
	// MaxDepth bounds how deep parentheses and "not" nest.
	MaxDepth = 64
)

// Filter is a parsed condition. It is immutable: any number of goroutines may
// use one. The nil *Filter is the empty condition, which matches all.
type Filter struct {
	root *node
}

type nodeKind uint8

const (
	nodeOr      nodeKind = iota // of two or more children, none of them an or
	nodeAnd                     // of two or more children, none of them an and
	nodeNot                     // of one child
	nodeCompare                 // of two operands
	nodePath                    // operand
	nodeLiteral                 // operand
)

type node struct {
	kind     nodeKind
	op       string // of a comparison
	path     string
	value    Value
	children []*node
}

// Parse reads a condition, as the package comment gives the grammar. An empty
// text is an error: it is the empty condition only as an option of a query.
// Errors are of type *[SyntaxError].
func Parse(s string) (*Filter, error) {
	p := &parser{lexer: lexer{what: "filter", text: s}}
	if len(s) > MaxFilterLength {
		return nil, p.fail(MaxFilterLength, "%d bytes are more than %d", len(s), MaxFilterLength)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	root, err := p.condition(0)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEnd {
		return nil, p.fail(p.tok.at, "unexpected %s after the condition", p.tok.describe())
	}
	f := &Filter{root: root}
	if n := len(f.String()); n > MaxFilterLength {
		return nil, p.fail(len(s), "%d bytes in canonical form are more than %d", n, MaxFilterLength)
	}
	return f, nil
}

// String gives the canonical form; "" for the empty condition.
func (f *Filter) String() string {
	if f == nil || f.root == nil {
		return ""
	}
	var b strings.Builder
	f.root.write(&b)
	return b.String()
}

func (n *node) write(b *strings.Builder) {
	switch n.kind {
	case nodeOr, nodeAnd:
		word := " or "
		if n.kind == nodeAnd {
			word = " and "
		}
		for i, c := range n.children {
			if i > 0 {
				b.WriteString(word)
			}
			c.writeInside(b, n.kind == nodeAnd && c.kind == nodeOr)
		}
	case nodeNot:
		c := n.children[0]
		b.WriteString("not ")
		c.writeInside(b, c.kind == nodeOr || c.kind == nodeAnd || c.kind == nodeCompare)
	case nodeCompare:
		n.children[0].write(b)
		b.WriteString(" " + n.op + " ")
		n.children[1].write(b)
	case nodePath:
		b.WriteString(n.path)
	case nodeLiteral:
		b.WriteString(n.value.String())
	}
}

func (n *node) writeInside(b *strings.Builder, parentheses bool) {
	if parentheses {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	n.write(b)
}

// parser is a recursive descent over the tokens, one ahead.
type parser struct {
	lexer
	tok token
}

func (p *parser) advance() (err error) {
	p.tok, err = p.next()
	return err
}

func (p *parser) isWord(word string) bool {
	return p.tok.kind == tokenWord && p.tok.text == word
}

// condition parses what "or" joins and requires that the result is a condition.
func (p *parser) condition(depth int) (*node, error) {
	at := p.tok.at
	n, err := p.chain(nodeOr, depth)
	if err == nil && !n.isCondition() {
		return nil, p.fail(at, "%q is no condition", clip(n.value.String()))
	}
	return n, err
}

// isCondition tells whether n may stand alone.
func (n *node) isCondition() bool {
	return n.kind != nodeLiteral || n.value.kind == kindBool
}

// chain parses terms joined by "or" (whose parts are chains of "and") or by
// "and". Chains inside chains of the same kind are dissolved: both operators
// are associative. A chain of one is that term itself, perhaps an operand.
func (p *parser) chain(kind nodeKind, depth int) (*node, error) {
	word, part := "or", func() (*node, error) { return p.chain(nodeAnd, depth) }
	if kind == nodeAnd {
		word, part = "and", func() (*node, error) { return p.term(depth) }
	}
	at := p.tok.at
	first, err := part()
	if err != nil || !p.isWord(word) {
		return first, err
	}
	all := &node{kind: kind}
	for n := first; ; {
		if !n.isCondition() {
			return nil, p.fail(at, "%q is no condition", clip(n.value.String()))
		}
		if n.kind == kind {
			all.children = append(all.children, n.children...)
		} else {
			all.children = append(all.children, n)
		}
		if !p.isWord(word) {
			return all, nil
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		at = p.tok.at
		if n, err = part(); err != nil {
			return nil, err
		}
	}
}

func (p *parser) term(depth int) (*node, error) {
	if p.isWord("not") {
		return p.negation(depth)
	}
	at := p.tok.at
	left, err := p.operand(depth)
	if err != nil {
		return nil, err
	}
	if !p.isComparison() {
		return left, nil
	}
	op := p.tok.text
	if left.kind != nodePath && left.kind != nodeLiteral {
		return nil, p.fail(at, "a condition cannot be compared by %q", op)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	at = p.tok.at
	right, err := p.operand(depth)
	if err != nil {
		return nil, err
	}
	if right.kind != nodePath && right.kind != nodeLiteral {
		return nil, p.fail(at, "a condition cannot be compared by %q", op)
	}
	if p.isComparison() {
		return nil, p.fail(p.tok.at, "a comparison cannot be compared by %q", p.tok.text)
	}
	return &node{kind: nodeCompare, op: op, children: []*node{left, right}}, nil
}

func (p *parser) negation(depth int) (*node, error) {
	if depth >= MaxDepth {
		return nil, p.fail(p.tok.at, "nesting is deeper than %d", MaxDepth)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	at, part := p.tok.at, p.operand
	if p.isWord("not") {
		part = p.negation
	}
	n, err := part(depth + 1)
	if err != nil {
		return nil, err
	}
	if p.isComparison() {
		return nil, p.fail(p.tok.at, "%q after a negation: write not (… %s …)", p.tok.text, p.tok.text)
	}
	if !n.isCondition() {
		return nil, p.fail(at, "%q is no condition", clip(n.value.String()))
	}
	return &node{kind: nodeNot, children: []*node{n}}, nil
}

func (p *parser) isComparison() bool {
	return p.tok.kind == tokenWord && isOperator(p.tok.text)
}

func isOperator(word string) bool {
	switch word {
	case "eq", "ne", "gt", "ge", "lt", "le":
		return true
	}
	return false
}

// operand parses a path, a literal, or anything in parentheses; the caller
// decides whether a condition may stand there.
func (p *parser) operand(depth int) (*node, error) {
	t := p.tok
	switch t.kind {
	case tokenLiteral:
		return &node{kind: nodeLiteral, value: t.value}, p.advance()
	case tokenWord:
		return p.named()
	case tokenOpen:
		if depth >= MaxDepth {
			return nil, p.fail(t.at, "nesting is deeper than %d", MaxDepth)
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		n, err := p.chain(nodeOr, depth+1)
		if err != nil {
			return nil, err
		}
		if p.tok.kind != tokenClose {
			return nil, p.fail(p.tok.at, "%s where the parenthesis of offset %d should close", p.tok.describe(), t.at)
		}
		return n, p.advance()
	}
	return nil, p.fail(t.at, "%s where a condition or a value is expected", t.describe())
}

// named parses a word that stands as an operand.
func (p *parser) named() (*node, error) {
	t := p.tok
	if err := p.advance(); err != nil {
		return nil, err
	}
	switch t.text {
	case "true", "false":
		return &node{kind: nodeLiteral, value: Bool(t.text == "true")}, nil
	case "null":
		return &node{kind: nodeLiteral}, nil
	case "and", "or", "not":
		return nil, p.fail(t.at, "%q where a condition or a value is expected", t.text)
	}
	if isOperator(t.text) {
		return nil, p.fail(t.at, "%q where a condition or a value is expected", t.text)
	}
	if p.tok.kind == tokenOpen {
		return nil, p.fail(t.at, "function %q is not supported", clip(t.text))
	}
	return &node{kind: nodePath, path: t.text}, nil
}

// Lookup gives the properties of one thing that a filter judges. Path is a name
// or several joined by "/". The second result is false if there is no property
// of that name; a property without a value is null.
type Lookup interface {
	Property(path string) (Value, bool)
}

// Eval tells whether the thing that l describes satisfies the condition. It
// fails with [ErrUnknownProperty] or [ErrType] in the chain.
func (f *Filter) Eval(l Lookup) (bool, error) {
	if f == nil || f.root == nil {
		return true, nil
	}
	t, err := f.root.eval(l)
	return t == yes, err
}

// truth is three-valued: a null Boolean property is unknown.
type truth uint8

const (
	no truth = iota
	unknown
	yes
)

func (n *node) eval(l Lookup) (truth, error) {
	switch n.kind {
	case nodeOr, nodeAnd:
		return n.evalChain(l)
	case nodeNot:
		t, err := n.children[0].eval(l)
		return yes - t, err
	case nodeCompare:
		return n.evalCompare(l)
	}
	v, err := n.operand(l)
	switch {
	case err != nil:
		return no, err
	case v.kind == kindNull:
		return unknown, nil
	case v.kind != kindBool:
		return no, fmt.Errorf("property %q as a condition is a %v: %w", n.path, v.kind, ErrType)
	case v.truth:
		return yes, nil
	}
	return no, nil
}

// evalChain evaluates every part, also when the result is known, so that
// errors do not depend on the data.
func (n *node) evalChain(l Lookup) (truth, error) {
	result := no
	if n.kind == nodeAnd {
		result = yes
	}
	for _, c := range n.children {
		t, err := c.eval(l)
		if err != nil {
			return no, err
		}
		if n.kind == nodeAnd {
			result = min(result, t)
		} else {
			result = max(result, t)
		}
	}
	return result, nil
}

func (n *node) evalCompare(l Lookup) (truth, error) {
	a, err := n.children[0].operand(l)
	if err != nil {
		return no, err
	}
	b, err := n.children[1].operand(l)
	if err != nil {
		return no, err
	}
	if a.kind == kindNull || b.kind == kindNull {
		same := a.kind == b.kind
		return truthOf(n.op == "eq" && same || n.op == "ne" && !same), nil
	}
	order, err := compare(a, b)
	if err != nil {
		var w strings.Builder
		n.write(&w)
		return no, fmt.Errorf("comparison %q of %w", clip(w.String()), err)
	}
	switch n.op {
	case "eq":
		return truthOf(order == 0), nil
	case "ne":
		return truthOf(order != 0), nil
	case "gt":
		return truthOf(order > 0), nil
	case "ge":
		return truthOf(order >= 0), nil
	case "lt":
		return truthOf(order < 0), nil
	}
	return truthOf(order <= 0), nil
}

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (n *node) operand(l Lookup) (Value, error) {
	if n.kind == nodeLiteral {
		return n.value, nil
	}
	v, ok := l.Property(n.path)
	if !ok {
		return Value{}, fmt.Errorf("property %q: %w", n.path, ErrUnknownProperty)
	}
	return v, nil
}
