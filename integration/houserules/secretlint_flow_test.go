package houserules_test

import (
	"go/ast"
	"go/types"
	"slices"

	"golang.org/x/tools/go/packages"
)

// A grade says how sure it is that an expression is a secret.
type grade int

const (
	public   grade = iota
	named          // its name says so: it may be a token of text for all we know
	revealed       // it comes from a Secret
)

// A secretFlow knows which variables and functions of one package hold a
// secret. It does not follow the order of statements: what is ever given a
// secret holds one. What was revealed is followed everywhere, through fields,
// parameters and results; what only has the name, into local variables.
type secretFlow struct {
	info  *types.Info
	holds map[types.Object]grade
}

// textPackages are those whose functions hand on the text they are given.
var textPackages = []string{"strings", "bytes", "slices", "fmt"}

// followSecrets repeats over the package until nothing more is learnt.
func followSecrets(p *packages.Package) *secretFlow {
	f := &secretFlow{info: p.TypesInfo, holds: map[types.Object]grade{}}
	for known := -1; known != f.known(); {
		known = f.known()
		for _, file := range p.Syntax {
			f.learn(file)
		}
	}
	return f
}

func (f *secretFlow) known() int {
	sum := 0
	for _, g := range f.holds {
		sum += int(g)
	}
	return sum
}

func (f *secretFlow) learn(file *ast.File) {
	var within *types.Func // the declaration around the node
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			within, _ = f.info.Defs[n.Name].(*types.Func)
		case *ast.ReturnStmt:
			// A closure's return counts for its declaration: too much, never too little.
			for _, result := range n.Results {
				f.mark(within, f.grade(result))
			}
		case *ast.AssignStmt:
			f.assign(n.Lhs, n.Rhs)
		case *ast.ValueSpec:
			names := make([]ast.Expr, len(n.Names))
			for i, name := range n.Names {
				names[i] = name
			}
			f.assign(names, n.Values)
		case *ast.RangeStmt:
			if n.Value != nil {
				f.mark(f.object(n.Value), f.grade(n.X))
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok {
				f.mark(f.info.Uses[key], f.grade(n.Value))
			}
		case *ast.CallExpr:
			f.pass(n)
		}
		return true
	})
}

func (f *secretFlow) assign(to, from []ast.Expr) {
	for i, target := range to {
		switch {
		case len(from) == len(to):
			f.mark(f.object(target), f.grade(from[i]))
		case len(from) == 1:
			f.mark(f.object(target), f.grade(from[0]))
		}
	}
}

// pass follows an argument into a function of this package.
func (f *secretFlow) pass(call *ast.CallExpr) {
	fn := f.callee(call)
	if fn == nil {
		return
	}
	params := fn.Signature().Params()
	for i, arg := range call.Args {
		if i < params.Len() && f.grade(arg) == revealed {
			f.mark(params.At(i), revealed)
		}
	}
}

// mark remembers text only: errors, numbers and structs are no secrets. A
// Secret itself needs no mark, its type says it.
func (f *secretFlow) mark(obj types.Object, g grade) {
	switch o := obj.(type) {
	case *types.Var:
		local := !o.IsField() && o.Pkg() != nil && o.Parent() != o.Pkg().Scope()
		if isText(o.Type()) && (g == revealed || local) {
			f.holds[o] = max(f.holds[o], g)
		}
	case *types.Func:
		if o == nil || g != revealed {
			return
		}
		if r := o.Signature().Results(); r.Len() > 0 && isText(r.At(0).Type()) {
			f.holds[o] = revealed
		}
	}
}

// is reports whether an expression yields a secret.
func (f *secretFlow) is(e ast.Expr) bool { return f.grade(e) != public }

func (f *secretFlow) grade(e ast.Expr) grade {
	if tv, ok := f.info.Types[e]; ok && (tv.IsType() || tv.Value != nil) {
		return public // a type, or a constant
	} else if ok && isSecretType(tv.Type) {
		return revealed
	}
	switch e := e.(type) {
	case *ast.Ident, *ast.SelectorExpr:
		obj := f.object(e)
		if obj == nil || f.holds[obj] != public || !isSecretName(obj) {
			return f.holds[obj]
		}
		return named
	case *ast.ParenExpr:
		return f.grade(e.X)
	case *ast.StarExpr:
		return f.grade(e.X)
	case *ast.UnaryExpr:
		return f.grade(e.X)
	case *ast.SliceExpr:
		return f.grade(e.X)
	case *ast.IndexExpr:
		return f.grade(e.X)
	case *ast.BinaryExpr:
		if f.isText(e) {
			return max(f.grade(e.X), f.grade(e.Y))
		}
	case *ast.CallExpr:
		return f.gradeCall(e)
	}
	return public
}

func (f *secretFlow) gradeAny(list []ast.Expr) grade {
	most := public
	for _, e := range list {
		most = max(most, f.grade(e))
	}
	return most
}

func (f *secretFlow) isText(e ast.Expr) bool {
	t := f.info.TypeOf(e)
	return t != nil && isText(t)
}

func (f *secretFlow) gradeCall(call *ast.CallExpr) grade {
	if tv := f.info.Types[call.Fun]; tv.IsType() { // a conversion
		return f.gradeAny(call.Args)
	}
	if id, ok := ast.Unparen(call.Fun).(*ast.Ident); ok && id.Name == "append" {
		return f.gradeAny(call.Args)
	}
	fn := f.callee(call)
	if fn == nil || fn.Pkg() == nil {
		return public
	}
	if fn.Name() == "Reveal" && fn.Pkg().Path() == authminPath {
		return revealed
	}
	if slices.Contains(textPackages, fn.Pkg().Path()) {
		if r := fn.Signature().Results(); r.Len() > 0 && isText(r.At(0).Type()) {
			return f.gradeAny(call.Args)
		}
		return public
	}
	if isSecretName(fn) {
		return max(named, f.holds[fn])
	}
	return f.holds[fn]
}

// callee is the declared function or method of a call, if it is one.
func (f *secretFlow) callee(call *ast.CallExpr) *types.Func {
	fun := ast.Unparen(call.Fun)
	if index, ok := fun.(*ast.IndexExpr); ok {
		fun = index.X // an explicit type argument
	}
	fn, _ := f.object(fun).(*types.Func)
	return fn
}

func (f *secretFlow) object(e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return f.info.ObjectOf(e)
	case *ast.SelectorExpr:
		return f.info.ObjectOf(e.Sel)
	case *ast.IndexExpr:
		return f.object(e.X)
	case *ast.StarExpr:
		return f.object(e.X)
	}
	return nil
}
