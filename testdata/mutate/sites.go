package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// site is one place at which a check reports what it found.
type site struct {
	ID   string // "verify/check.go checker.holes 1": the first place in that function
	Text string // the code, on one line
	Line int

	from, to int    // offsets
	value    string // type of what the call gives; "" for a statement
}

// Packages whose checks are switched off, and the functions and closures by which each reports. "add" and "append" report only if what they are given is a finding.
func reporters() map[string][]string {
	return map[string][]string{
		"verify":           {"find", "rule", "fail", "deepFind", "unmet", "form", "bad", "add"},
		"evidence":         {"fault"},
		"evidence/custody": {"report"},
		"evidence/bag":     {"report", "add"},
	}
}

// adders are the functions called "add" that report.
func adders() []string { return []string{"Report.add", "rules.add"} }

// values are the types of the calls that may stand within an expression.
func values() map[string]string { return map[string]string{"fault": "error", "unmet": "bool"} }

// source is a file with its sites.
type source struct {
	Path  string // from the module's root
	Text  []byte
	Sites []site
}

// load finds the sites of a package.
func load(root, pkg string) ([]source, error) {
	paths, err := filepath.Glob(filepath.Join(root, pkg, "*.go"))
	if err != nil {
		return nil, err
	}
	var out []source
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		name := pkg + "/" + filepath.Base(path)
		s, err := parse(name, plant(name, text), reporters()[pkg])
		if err != nil {
			return nil, err
		}
		if len(s.Sites) > 0 {
			out = append(out, s)
		}
	}
	return out, nil
}

// planted is a check that no vector covers, because the verifier has none like it. Each run must report that.
const planted = "verify/complete.go checker.statements 1"

// plant puts it into the text of its file.
func plant(path string, text []byte) []byte {
	if path != "verify/complete.go" {
		return text
	}
	const head = "func (c *checker) statements() {"
	return bytes.Replace(text, []byte(head), []byte(head+` if c.r.Entries == 1<<52 { c.r.find("planted", "", "") }`), 1)
}

// parse finds the sites of a file.
func parse(path string, text []byte, names []string) (source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, 0)
	if err != nil {
		return source{}, err
	}
	s := source{Path: path, Text: text}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil || slices.Contains(names, f.Name.Name) && f.Name.Name != "add" || slices.Contains(adders(), nameOf(f)) {
			continue // how it is reported, and no place where it is
		}
		v := &visitor{fset: fset, names: names, text: text}
		ast.Inspect(f.Body, v.visit)
		for i, found := range v.found {
			found.ID = fmt.Sprintf("%s %s %d", path, nameOf(f), i+1)
			s.Sites = append(s.Sites, found)
		}
	}
	return s, nil
}

// nameOf is a function's name, of a method with its type.
func nameOf(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	t := f.Recv.List[0].Type
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name + "." + f.Name.Name
	}
	return f.Name.Name
}

// visitor collects the sites of a function.
type visitor struct {
	fset  *token.FileSet
	names []string
	text  []byte
	found []site
}

func (v *visitor) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if id, ok := n.Lhs[0].(*ast.Ident); ok && len(n.Rhs) == 1 {
			if _, closure := n.Rhs[0].(*ast.FuncLit); closure && slices.Contains(v.names, id.Name) {
				return false // how it reports, and no place where it does
			}
		}
		if call, ok := n.Rhs[0].(*ast.CallExpr); ok && calls(call) == "append" && len(call.Args) > 1 && isNew(call.Args[1]) {
			v.add(n, "")
			return false
		}
	case *ast.ExprStmt:
		if call, ok := n.X.(*ast.CallExpr); ok && v.reports(call) {
			v.add(n, "")
			return false
		}
	case *ast.CallExpr:
		if v.reports(n) {
			v.add(n, values()[calls(n)])
			return false
		}
	}
	return true
}

func (v *visitor) add(n ast.Node, value string) {
	from, to := v.fset.Position(n.Pos()), v.fset.Position(n.End())
	v.found = append(v.found, site{Text: strings.Join(strings.Fields(string(v.text[from.Offset:to.Offset])), " "), Line: from.Line, from: from.Offset, to: to.Offset, value: value})
}

// calls is the last name of what a call calls.
func calls(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

func (v *visitor) reports(c *ast.CallExpr) bool {
	name := calls(c)
	return slices.Contains(v.names, name) && (name != "add" || isFinding(c.Args))
}

// isFinding reports whether arguments begin with a finding: a new one, one by the name of f, or a code.
func isFinding(args []ast.Expr) bool {
	if len(args) == 0 {
		return false
	}
	switch a := args[0].(type) {
	case *ast.BasicLit:
		return a.Kind == token.STRING
	case *ast.Ident:
		return a.Name == "f"
	}
	return isNew(args[0])
}

// isNew reports whether an expression is a finding or a list of them that is made there, or one that is made of what another package found.
func isNew(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit:
		t := e.Type
		if list, ok := t.(*ast.ArrayType); ok {
			t = list.Elt
		}
		id, ok := t.(*ast.Ident)
		return ok && (id.Name == "Finding" || id.Name == "Problem")
	case *ast.CallExpr:
		return calls(e) == "ofFault" || calls(e) == "ofZip"
	}
	return false
}

// switchable is the file with a switch around each of its sites. The first has the number first.
func (s *source) switchable(module string, first int) []byte {
	var out []byte
	at := 0
	for i, site := range s.Sites {
		out = append(out, s.Text[at:site.from]...)
		code := s.Text[site.from:site.to]
		if site.value == "" {
			out = fmt.Appendf(out, "if !mutant.Off(%d) { %s }", first+i, code)
		} else {
			out = fmt.Appendf(out, "mutant.Value(%d, func() %s { return %s })", first+i, site.value, code)
		}
		at = site.to
	}
	text := string(append(out, s.Text[at:]...))
	clause := "\npackage "
	from := strings.Index("\n"+text, clause)
	end := from + strings.IndexByte(text[from:], '\n')
	return []byte(text[:end] + fmt.Sprintf("; import %q", module+"/mutant") + text[end:])
}

// switches is the package that the files import: which site is off, the environment says at each moment. Only places that report ask.
const switches = `// Package mutant exists in an overlay alone.
package mutant

import (
	"os"
	"strconv"
	"sync"
)

var (
	mu    sync.Mutex
	asked = map[int]bool{}
)

// Off reports whether site n is switched off.
func Off(n int) bool {
	mu.Lock()
	asked[n] = true
	mu.Unlock()
	off := os.Getenv("EXHIBIT_MUTANT")
	return off == "all" || off == strconv.Itoa(n)
}

// Asked is which sites were asked for since the last call.
func Asked() map[int]bool {
	mu.Lock()
	defer mu.Unlock()
	was := asked
	asked = map[int]bool{}
	return was
}

// Value is what f gives, or nothing if site n is switched off.
func Value[T any](n int, f func() T) (v T) {
	if !Off(n) {
		v = f()
	}
	return v
}
`
