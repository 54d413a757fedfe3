package houserules_test

import (
	"go/ast"
	"go/types"
	"slices"

	"golang.org/x/tools/go/packages"
)

// A secretFlow knows which variables and functions of one package hold a
// revealed secret. It does not follow the order of statements: what is ever
// given a secret holds one.
type secretFlow struct {
	info  *types.Info
	holds map[types.Object]bool
}

// textPackages are those whose functions hand on the text they are given.
var textPackages = []string{"strings", "bytes", "slices", "fmt"}

// followSecrets repeats over the package until nothing more is learnt.
func followSecrets(p *packages.Package) *secretFlow {
	f := &secretFlow{info: p.TypesInfo, holds: map[types.Object]bool{}}
	for known := -1; known != len(f.holds); {
		known = len(f.holds)
		for _, file := range p.Syntax {
			f.learn(file)
		}
	}
	return f
}

func (f *secretFlow) learn(file *ast.File) {
	var funcs []*types.Func // the declarations around the node
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			obj, _ := f.info.Defs[n.Name].(*types.Func)
			funcs = append(funcs, obj)
		case *ast.ReturnStmt:
			// A closure's return counts for its declaration: too much, never too little.
			for _, result := range n.Results {
				if len(funcs) > 0 && f.is(result) {
					f.mark(funcs[len(funcs)-1])
				}
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
			if n.Value != nil && f.is(n.X) {
				f.mark(f.object(n.Value))
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && f.is(n.Value) {
				f.mark(f.info.Uses[key])
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
		case len(from) == len(to) && f.is(from[i]), len(from) == 1 && len(to) > 1 && f.is(from[0]):
			f.mark(f.object(target))
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
		if i < params.Len() && f.is(arg) {
			f.mark(params.At(i))
		}
	}
}

// mark remembers text only: errors, numbers and structs are no secrets. A
// Secret itself needs no mark, its type says it.
func (f *secretFlow) mark(obj types.Object) {
	switch obj := obj.(type) {
	case *types.Var:
		if isText(obj.Type()) {
			f.holds[obj] = true
		}
	case *types.Func:
		if r := obj.Signature().Results(); r.Len() > 0 && isText(r.At(0).Type()) {
			f.holds[obj] = true
		}
	}
}

// is reports whether an expression yields a secret.
func (f *secretFlow) is(e ast.Expr) bool {
	if tv, ok := f.info.Types[e]; ok && (tv.IsType() || tv.Value != nil) {
		return false // a type, or a constant
	} else if ok && isSecretType(tv.Type) {
		return true
	}
	switch e := e.(type) {
	case *ast.Ident, *ast.SelectorExpr:
		obj := f.object(e)
		return obj != nil && (f.holds[obj] || isSecretName(obj))
	case *ast.ParenExpr:
		return f.is(e.X)
	case *ast.StarExpr:
		return f.is(e.X)
	case *ast.UnaryExpr:
		return f.is(e.X)
	case *ast.SliceExpr:
		return f.is(e.X)
	case *ast.IndexExpr:
		return f.is(e.X)
	case *ast.BinaryExpr:
		return f.isText(e) && (f.is(e.X) || f.is(e.Y))
	case *ast.CallExpr:
		return f.isCall(e)
	}
	return false
}

func (f *secretFlow) isText(e ast.Expr) bool {
	t := f.info.TypeOf(e)
	return t != nil && isText(t)
}

func (f *secretFlow) isCall(call *ast.CallExpr) bool {
	if tv := f.info.Types[call.Fun]; tv.IsType() { // a conversion
		return len(call.Args) == 1 && f.is(call.Args[0])
	}
	if id, ok := ast.Unparen(call.Fun).(*ast.Ident); ok && id.Name == "append" {
		return slices.ContainsFunc(call.Args, f.is)
	}
	fn := f.callee(call)
	if fn == nil || fn.Pkg() == nil {
		return false
	}
	if fn.Name() == "Reveal" && fn.Pkg().Path() == authminPath {
		return true
	}
	if slices.Contains(textPackages, fn.Pkg().Path()) {
		r := fn.Signature().Results()
		return r.Len() > 0 && isText(r.At(0).Type()) && slices.ContainsFunc(call.Args, f.is)
	}
	return f.holds[fn] || isSecretName(fn)
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
