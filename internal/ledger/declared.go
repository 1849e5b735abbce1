package ledger

import (
	"go/ast"
	"io/fs"
)

// Declared returns the file that declares each name at the top of some packages, methods apart and
// tests left out, by the folder of the package and the name, as in "numbers/logistic.Sigmoid". A
// package that does not exist has none.
func Declared(root fs.FS, rooms ...string) (map[string]string, error) {
	files := map[string]string{}
	for _, room := range rooms {
		sources, err := parseDir(root, room)
		if err != nil {
			return nil, err
		}
		for _, s := range sources {
			if s.isTest() {
				continue
			}
			for _, name := range topNames(s.file) {
				files[room+"."+name] = s.name
			}
		}
	}
	return files, nil
}

// topNames returns the functions, types, variables and constants of a file.
func topNames(file *ast.File) (names []string) {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Recv == nil {
				names = append(names, decl.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				names = append(names, specNames(spec)...)
			}
		}
	}
	return names
}

func specNames(spec ast.Spec) (names []string) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		names = append(names, spec.Name.Name)
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			names = append(names, name.Name)
		}
	}
	return names
}
