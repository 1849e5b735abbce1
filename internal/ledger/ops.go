package ledger

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
)

const (
	catalogue  = "verify/op"
	recordings = "golden/testdata"
	invalid    = recordings + "/invalid" // of wrong kernels
)

// readOps returns the ops that the families below verify/op declare, each with the golden
// recordings of it.
func readOps(root fs.FS) ([]Op, error) {
	folders, folderErr := fs.Glob(root, catalogue+"/*")
	files, fileErr := readRecordings(root)
	if err := cmp.Or(folderErr, fileErr); err != nil {
		return nil, err
	}
	var sources []source
	for _, folder := range append(folders, catalogue) {
		if info, err := fs.Stat(root, folder); err != nil || !info.IsDir() {
			continue
		}
		parsed, err := parseDir(root, folder)
		if err != nil {
			return nil, err
		}
		sources = append(sources, parsed...)
	}
	return opsOf(sources, files)
}

// opsOf returns the ops of source files, sorted by name.
func opsOf(sources []source, files map[string][]string) ([]Op, error) {
	var ops []Op
	for _, s := range sources {
		found, err := s.ops()
		if err != nil {
			return nil, err
		}
		for _, op := range found {
			op.Recordings = files[op.Name]
			ops = append(ops, op)
		}
	}
	slices.SortFunc(ops, func(a, b Op) int { return cmp.Compare(a.Name, b.Name) })
	return ops, nil
}

// ops returns the composite literals of a file that have both a Name and Equations; a test file
// declares no ops.
func (s source) ops() (ops []Op, err error) {
	if s.isTest() {
		return nil, nil
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		name, equations := field(literal, "Name"), field(literal, "Equations")
		if name == nil || equations == nil {
			return true
		}
		op := Op{Position: fmt.Sprintf("%s:%d", s.name, s.line(literal))}
		var nameErr, listErr error
		op.Name, nameErr = stringLiteral(name)
		op.Equations, listErr = stringList(equations)
		if e := cmp.Or(nameErr, listErr); e != nil && err == nil {
			err = fmt.Errorf("%s: Name and Equations of an op: %w", op.Position, e)
		}
		ops = append(ops, op)
		return true
	})
	return ops, err
}

// field returns the value of a field in a composite literal, or nil.
func field(literal *ast.CompositeLit, name string) ast.Expr {
	for _, element := range literal.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.Ident); ok && key.Name == name {
				return pair.Value
			}
		}
	}
	return nil
}

func stringLiteral(value ast.Expr) (string, error) {
	literal, ok := value.(*ast.BasicLit)
	if !ok {
		return "", errors.New("not a string literal")
	}
	return strconv.Unquote(literal.Value)
}

func stringList(value ast.Expr) ([]string, error) {
	literal, ok := value.(*ast.CompositeLit)
	if !ok {
		return nil, errors.New("not a list of string literals")
	}
	var list []string
	for _, element := range literal.Elts {
		s, err := stringLiteral(element)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// readRecordings returns the golden recordings by op.
func readRecordings(root fs.FS) (map[string][]string, error) {
	files := map[string][]string{}
	err := fs.WalkDir(root, recordings, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() || path.Ext(name) != ".safetensors" || path.Dir(name) == invalid {
			return err
		}
		op, err := readOpName(root, name)
		if err != nil {
			return fmt.Errorf("%s: op of the recording: %w", name, err)
		}
		files[op] = append(files[op], name)
		return nil
	})
	return files, err
}

// readOpName returns the op that a safetensors header names.
func readOpName(root fs.FS, name string) (string, error) {
	file, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	var length uint64
	if err := binary.Read(file, binary.LittleEndian, &length); err != nil {
		return "", err
	}
	const longest = 100_000_000 // of a safetensors header
	var header struct {
		Metadata struct {
			Op string `json:"op"`
		} `json:"__metadata__"`
	}
	err = json.NewDecoder(io.LimitReader(file, int64(min(length, longest)))).Decode(&header)
	return header.Metadata.Op, err
}
