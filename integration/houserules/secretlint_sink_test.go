package houserules_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/packages"
)

// comparers are functions that stop at the first difference, or look for one
// text in another.
var comparers = map[string][]string{
	"bytes":   {"Compare", "Contains", "ContainsAny", "Cut", "CutPrefix", "CutSuffix", "Equal", "EqualFold", "HasPrefix", "HasSuffix", "Index", "LastIndex"},
	"strings": {"Compare", "Contains", "ContainsAny", "Cut", "CutPrefix", "CutSuffix", "EqualFold", "HasPrefix", "HasSuffix", "Index", "LastIndex"},
	"slices":  {"BinarySearch", "Compare", "Contains", "Equal", "Index"},
	"maps":    {"Equal"},
	"cmp":     {"Compare", "Less"},
	"reflect": {"DeepEqual"},
}

// keyed are the methods of sync.Map, whose first argument is a key.
var keyed = []string{"CompareAndDelete", "CompareAndSwap", "Delete", "Load", "LoadAndDelete", "LoadOrStore", "Store", "Swap"}

var comparisons = []token.Token{token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ}

// A finding is a secret where it must not be.
type finding struct {
	at  token.Position
	why string
}

func (f finding) String() string { return fmt.Sprintf("%s: %s", f.at, f.why) }

// lintSecrets finds every place of a package in which a secret is compared
// other than by its digest in constant time.
func lintSecrets(p *packages.Package) []finding {
	l := &secretLint{secretFlow: followSecrets(p), fset: p.Fset}
	for _, file := range p.Syntax {
		ast.Inspect(file, func(n ast.Node) bool {
			l.look(n)
			return true
		})
	}
	return l.found
}

type secretLint struct {
	*secretFlow
	fset  *token.FileSet
	found []finding
}

func (l *secretLint) say(n ast.Node, why string) {
	l.found = append(l.found, finding{l.fset.Position(n.Pos()), why})
}

func (l *secretLint) look(n ast.Node) {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if slices.Contains(comparisons, n.Op) && l.compares(n.X, n.Y) {
			l.say(n, "a secret is compared with "+n.Op.String())
		}
	case *ast.SwitchStmt:
		l.lookSwitch(n)
	case *ast.CallExpr:
		l.lookCall(n)
	case *ast.IndexExpr:
		if l.isMap(n.X) && l.is(n.Index) {
			l.say(n, "a secret is a map key")
		}
	case *ast.CompositeLit:
		for _, element := range n.Elts {
			if kv, ok := element.(*ast.KeyValueExpr); ok && l.isMap(n) && l.is(kv.Key) {
				l.say(kv, "a secret is a map key")
			}
		}
	case *ast.MapType:
		if isSecretType(l.info.TypeOf(n.Key)) {
			l.say(n, "a map has a secret type as its key")
		}
	}
}

// compares reports a comparison that depends on a secret's text. To ask
// whether there is one at all, or what one byte of it is, gives nothing away.
func (l *secretLint) compares(x, y ast.Expr) bool {
	if l.isAbsence(x) || l.isAbsence(y) {
		return false
	}
	if (l.isConstant(x) || l.isConstant(y)) && (l.isSingleByte(x) || l.isSingleByte(y)) {
		return false
	}
	return l.is(x) || l.is(y)
}

func (l *secretLint) lookSwitch(n *ast.SwitchStmt) {
	if n.Tag == nil {
		return // its cases are comparisons of their own
	}
	for _, clause := range n.Body.List {
		for _, value := range clause.(*ast.CaseClause).List {
			if l.compares(n.Tag, value) {
				l.say(value, "a secret is compared by switch")
			}
		}
	}
}

func (l *secretLint) lookCall(call *ast.CallExpr) {
	if id, ok := ast.Unparen(call.Fun).(*ast.Ident); ok && id.Name == "delete" && len(call.Args) == 2 {
		if l.is(call.Args[1]) {
			l.say(call, "a secret is a map key")
		}
		return
	}
	fn := l.callee(call)
	if fn == nil || fn.Pkg() == nil || len(call.Args) == 0 {
		return
	}
	pkg, name := fn.Pkg().Path(), fn.Name()
	switch {
	case name == "ContainsAny" && l.isConstant(call.Args[1]): // single characters, as in compares
	case slices.Contains(comparers[pkg], name) && slices.ContainsFunc(call.Args, l.is):
		l.say(call, "a secret is compared by "+fn.Pkg().Name()+"."+name)
	case pkg == "sync" && fn.Signature().Recv() != nil && slices.Contains(keyed, name) && l.is(call.Args[0]):
		l.say(call, "a secret is the key of a sync.Map")
	case pkg == "crypto/subtle" && name == "ConstantTimeCompare" && slices.ContainsFunc(call.Args, l.isRaw):
		l.say(call, "ConstantTimeCompare returns at once on unequal length: compare digests")
	}
}

// isRaw is a secret of any length, which a sliced array is not.
func (l *secretLint) isRaw(e ast.Expr) bool {
	if slice, ok := ast.Unparen(e).(*ast.SliceExpr); ok {
		t := l.info.TypeOf(slice.X).Underlying()
		if pointer, ok := t.(*types.Pointer); ok {
			t = pointer.Elem().Underlying()
		}
		if _, ok := t.(*types.Array); ok {
			return false
		}
	}
	return l.is(e)
}

func (l *secretLint) isMap(e ast.Expr) bool {
	t := l.info.TypeOf(e)
	if t == nil {
		return false
	}
	_, ok := t.Underlying().(*types.Map)
	return ok
}

func (l *secretLint) isAbsence(e ast.Expr) bool {
	tv := l.info.Types[e]
	return tv.IsNil() || tv.Value != nil && tv.Value.ExactString() == `""`
}

func (l *secretLint) isConstant(e ast.Expr) bool { return l.info.Types[e].Value != nil }

func (l *secretLint) isSingleByte(e ast.Expr) bool {
	t := l.info.TypeOf(e)
	return t != nil && isByte(t)
}
