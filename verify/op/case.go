package op

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/rope"
	"plumbline/verify/recording"
)

// Case is a recording bound to its op: every shape, attribute and type checked, so that equations
// never meet bad data.
type Case struct {
	Op         *Op
	Arithmetic arithmetic.Declared

	Recording *recording.Recording
	attrs     map[string]any
	dims      map[string]float64 // letters of the shapes
	binder    map[string]string  // the tensor whose shape bound a letter
	inputs    map[string]*input
	sides     map[string]*Case // with the arithmetic of each

	// Excerpt says that the recording is a part of one that is too large to be recomputed: then it
	// is one of several, and has to be quick.
	Excerpt bool

	// FirstForm says that of the forms that a kernel may have the first is enough, for now: the
	// verdict of one that has it needs no other.
	FirstForm bool

	trouble *trouble
	flush   bool // numbers below the normal float32 numbers count as zero
}

// Bind checks a recording as it is checked before it is judged, but that it may be a request, which
// has no outputs.
func Bind(rec *recording.Recording) (*Case, error) {
	return guarded(func() (*Case, error) { return bind(rec) })
}

// On returns the case with another recording of the same inputs, for what writes outputs into it:
// inputs are decoded once for all such cases.
func (c *Case) On(rec *recording.Recording) *Case {
	other := *c
	other.Recording, other.trouble, other.sides = rec, new(trouble), maps.Clone(c.sides)
	for name, side := range other.sides {
		of := *side
		of.Recording, of.trouble = rec, other.trouble
		other.sides[name] = &of
	}
	return &other
}

// bind checks a recording against its op, and its inputs.
func bind(rec *recording.Recording) (*Case, error) {
	op, err := opOf(rec)
	if err != nil {
		return nil, err
	}
	c, err := bindHead(op, rec)
	if err == nil {
		err = c.checkInputs()
	}
	if err == nil && op.Check != nil {
		err = c.trouble.or(op.Check(c))
	}
	if err != nil {
		return nil, c.errorf("%w", err)
	}
	return c, nil
}

// bindHead checks what a recording says before its data: attributes, declared arithmetic, names,
// shapes and types.
func bindHead(op *Op, rec *recording.Recording) (*Case, error) {
	c := &Case{
		Op: op, Recording: rec, attrs: map[string]any{}, dims: map[string]float64{}, binder: map[string]string{},
		inputs: newInputs(op, rec), sides: map[string]*Case{}, trouble: new(trouble),
	}
	for _, step := range []func() error{c.bindAttrs, c.bindArithmetic, c.bindNames, c.bindShapes} {
		if err := step(); err != nil {
			return c, c.errorf("%w", err)
		}
	}
	return c, nil
}

// errorf starts a message with the recording's name, once.
func (c *Case) errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if strings.HasPrefix(err.Error(), c.Recording.Name+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", c.Recording.Name, err)
}

func (c *Case) bindAttrs() error {
	for _, name := range sortedKeys(c.Recording.Attrs) {
		if !slices.ContainsFunc(c.Op.Attrs, func(a Attr) bool { return a.Name == name }) {
			near := spelling.Suggest(name, absent(c.Op.attrNames(), c.Recording.Attrs))
			return fmt.Errorf(
				"attrs: unknown key %s: %s has %s%s", spelling.Quote(name), c.Op.Name, attrNames(c.Op), near,
			)
		}
	}
	for _, a := range c.Op.Attrs {
		value := c.Recording.Attrs[a.Name]
		present := value != nil // null is as good as nothing
		v, err := a.resolve(value, present)
		if err != nil {
			if x, _ := number(value); a.Name == "window" && x < 0 {
				err = fmt.Errorf("%w; 0 is off", err) // −1 is, in other libraries
			}
			return fmt.Errorf("attrs: %q: %w", a.Name, err)
		}
		c.attrs[a.Name] = v
		c.bindLetters(a, v)
	}
	return nil
}

// bindLetters binds the letters that an attribute stands for in shapes.
func (c *Case) bindLetters(a Attr, value any) {
	if a.Letter == "" {
		return
	}
	switch v := value.(type) {
	case int:
		c.dims[a.Letter] = float64(v)
	case [2]int:
		c.dims[a.Letter+"0"], c.dims[a.Letter+"1"] = float64(v[0]), float64(v[1])
	}
}

func sortedKeys(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func attrNames(op *Op) string {
	if len(op.Attrs) == 0 {
		return "no attributes"
	}
	return strings.Join(op.attrNames(), ", ")
}

func (op *Op) attrNames() []string {
	names := make([]string, len(op.Attrs))
	for i, a := range op.Attrs {
		names[i] = a.Name
	}
	return names
}

// absent keeps the names that are no keys of an object: one that is cannot have been meant by
// another.
func absent(names []string, object map[string]any) []string {
	return slices.DeleteFunc(names, func(name string) bool { _, ok := object[name]; return ok })
}

// bindArithmetic reads what is declared: of all, and where an op has sides of each.
func (c *Case) bindArithmetic() error {
	common := maps.Clone(c.Recording.Arithmetic)
	for _, side := range c.Op.Sides {
		delete(common, side)
	}
	var err error
	if c.Arithmetic, err = c.Op.declared(common); err != nil {
		return c.orSides(err)
	}
	for _, side := range c.Op.Sides {
		own, ok := c.Recording.Arithmetic[side].(map[string]any)
		if said := c.Recording.Arithmetic[side]; said != nil && !ok {
			return fmt.Errorf("arithmetic: %q: found %s, want an object", side, spelling.Show(said))
		}
		all := maps.Clone(common)
		maps.Copy(all, own)
		other := *c
		if other.Arithmetic, err = c.Op.declared(all); err != nil {
			return fmt.Errorf("of side %q: %w", side, err)
		}
		c.sides[side] = &other
	}
	return nil
}

// orSides adds to what is wrong with declared keys that an op with sides takes those of each, too.
func (c *Case) orSides(err error) error {
	if len(c.Op.Sides) == 0 {
		return err
	}
	return fmt.Errorf("%w; or an object of these for each side, %s", err, strings.Join(c.Op.Sides, " and "))
}

// declared reads declared keys.
func (op *Op) declared(said map[string]any) (arithmetic.Declared, error) {
	for _, k := range op.Arithmetic {
		s, ok := said[k.Name].(string)
		if ok && k.Words != nil && !slices.Contains(k.Words, s) {
			return arithmetic.Declared{}, fmt.Errorf("arithmetic: %q: found %s, want %s%s", k.Name, spelling.Quote(s),
				strings.Join(k.Words, " or "), spelling.Suggest(s, k.Words))
		}
	}
	return arithmetic.Parse(said, op.defaults(), op.keys())
}

// Side returns the case with the arithmetic of one side.
func (c *Case) Side(name string) *Case { return c.sides[name] }

// bindNames checks that every tensor belongs to the op, and that none it needs is missing.
func (c *Case) bindNames() error {
	for _, name := range c.Recording.Inputs() {
		if !slices.ContainsFunc(c.Op.Inputs, func(t Tensor) bool { return t.Name == name }) {
			near := spelling.Suggest(name, lacking(c.Recording, c.Op.Inputs, ""))
			return fmt.Errorf(
				"tensor %s: %s has no such input, its inputs are %s%s", spelling.Quote(name), c.Op.Name,
				tensorNames(c.Op.Inputs), near,
			)
		}
	}
	for _, name := range c.Recording.Outputs() {
		if !slices.ContainsFunc(c.Op.Outputs, func(t Tensor) bool { return t.Name == name }) {
			near := spelling.Suggest(name, lacking(c.Recording, c.Op.Outputs, "out."))
			return fmt.Errorf(
				"tensor %s: %s has no such output, its outputs are %s%s", spelling.Quote("out."+name), c.Op.Name,
				tensorNames(c.Op.Outputs), near,
			)
		}
	}
	for _, t := range c.Op.Inputs {
		if !t.Optional && !c.Recording.Has(t.Name) {
			return fmt.Errorf("tensor %q: missing, want %s", t.Name, t.ShapeText())
		}
	}
	return nil
}

func tensorNames(ts []Tensor) string {
	names := make([]string, len(ts))
	for i, t := range ts {
		names[i] = t.Name
	}
	return strings.Join(names, ", ")
}

// bindShapes binds the letters of all shapes, inputs first, and checks element types.
func (c *Case) bindShapes() error {
	for _, t := range c.Op.Inputs {
		if err := c.bindShape(t, t.Name); err != nil {
			return err
		}
	}
	for _, t := range c.Op.Outputs {
		if err := c.bindShape(t, "out."+t.Name); err != nil {
			return err
		}
	}
	return nil
}

func (c *Case) bindShape(t Tensor, name string) error {
	if !c.Recording.Has(name) {
		return nil
	}
	if err := checkType(t, name, c.Recording.Type(name)); err != nil {
		return err
	}
	shape := c.Recording.Shape(name)
	axes := t.axes(len(shape))
	if len(shape) != len(axes) {
		return fmt.Errorf("tensor %q: shape %v, want %d axes %s", name, shape, len(t.Shape), t.ShapeText())
	}
	for axis, expression := range axes {
		if shape[axis] == 0 && !t.Empty {
			return fmt.Errorf(
				"tensor %q: shape %v: axis %s has length 0, so there is nothing to judge", name, shape, expression,
			)
		}
		if err := c.bindAxis(t, name, expression, float64(shape[axis])); err != nil {
			return err
		}
	}
	return nil
}

func checkType(t Tensor, name string, typ dtype.Type) error {
	if (typ.Float() != t.Integer || t.Any) && (typ != dtype.F8E8M0 || t.Scales) {
		return nil
	}
	want := "a floating-point type"
	if t.Integer {
		want = "an integer type"
	}
	return fmt.Errorf("tensor %q: type %s, want %s", name, typ, want)
}

// bindAxis binds the letter of an axis, or compares its length with that of letters that are bound.
func (c *Case) bindAxis(t Tensor, name, expression string, length float64) error {
	want, known := c.dimension(expression)
	if !known {
		c.dims[expression], c.binder[expression] = length, name
		return nil
	}
	if want == length {
		return nil
	}
	err := fmt.Errorf(
		"tensor %q: shape %v, want %s with %s = %.0f", name, c.Recording.Shape(name), t.ShapeText(), expression, want,
	)
	if first := c.binder[expression]; first != "" {
		err = fmt.Errorf(
			"%w, as tensor %q of shape %v has it: the two disagree", err, first, c.Recording.Shape(first),
		)
	}
	return err
}

// dimension evaluates an expression of letters; known is false for a single letter that is not
// bound yet.
func (c *Case) dimension(expression string) (value float64, known bool) {
	if token.IsIdentifier(expression) {
		v, ok := c.dims[expression]
		return v, ok
	}
	e, err := parser.ParseExpr(expression)
	if err != nil {
		panic("op: shape is not an expression: " + expression)
	}
	return c.evaluate(e), true
}

func (c *Case) evaluate(e ast.Expr) float64 {
	switch e := e.(type) {
	case *ast.Ident:
		if v, ok := c.dims[e.Name]; ok {
			return v
		}
		return math.NaN()
	case *ast.BasicLit:
		return literal(e.Value)
	case *ast.ParenExpr:
		return c.evaluate(e.X)
	case *ast.BinaryExpr:
		return operate(e.Op, c.evaluate(e.X), c.evaluate(e.Y))
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.Ident); ok && f.Name == "ceil" && len(e.Args) == 1 {
			return math.Ceil(c.evaluate(e.Args[0]))
		}
	}
	panic(badShape)
}

const badShape = "op: shape has an operator that is not +, *, / or ceil"

func operate(with token.Token, x, y float64) float64 {
	switch with {
	case token.ADD:
		return x + y
	case token.MUL:
		return x * y
	case token.QUO:
		return x / y
	}
	panic(badShape)
}

func literal(number string) float64 {
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		panic("op: shape has a number that cannot be read: " + number)
	}
	return v
}

// Dim returns the size that a letter stands for.
func (c *Case) Dim(letter string) int { return int(c.dims[letter]) }

// OutputShape returns the shape of an output, whether the recording has it or not.
func (c *Case) OutputShape(name string) []int { return c.Shape(c.boundAxes(c.Op.Output(name))) }

// Shape returns the lengths of axes that are declared. One may be named by an attribute that counts
// what is along it.
func (c *Case) Shape(axes []string) []int {
	shape := []int{}
	for _, expression := range axes {
		n, known := c.dimension(expression)
		if !known {
			n = float64(c.Int(expression))
		}
		shape = append(shape, int(n))
	}
	return shape
}

// boundAxes returns the declared shape whose letters all have lengths.
func (c *Case) boundAxes(t Tensor) []string {
	for _, expression := range t.Shape {
		if _, known := c.dimension(expression); !known && t.Other != nil {
			return t.Other
		}
	}
	return t.Shape
}

// Trouble returns what kept an input from being read after it had been checked, if anything did:
// nothing may be made of a case that has any.
func (c *Case) Trouble() error { return c.trouble.or(nil) }

// Wants tells whether the recording has that output.
func (c *Case) Wants(output string) bool { return c.Recording.Has("out." + output) }

// Float returns a number attribute; a missing one is 0.
func (c *Case) Float(name string) float64 {
	x, _ := c.attrs[name].(float64)
	return x
}

// Number returns a number attribute, or what a missing one stands for.
func (c *Case) Number(a Attr) float64 {
	if a.Derived != nil && !c.Has(a.Name) {
		return a.Derived(c)
	}
	return c.Float(a.Name)
}

// Int returns a whole attribute.
func (c *Case) Int(name string) int {
	x, _ := c.attrs[name].(int)
	return x
}

// Pair returns an attribute of two whole numbers.
func (c *Case) Pair(name string) [2]int {
	x, _ := c.attrs[name].([2]int)
	return x
}

// Flag returns a true-or-false attribute.
func (c *Case) Flag(name string) bool {
	x, _ := c.attrs[name].(bool)
	return x
}

// Word returns a choice.
func (c *Case) Word(name string) string {
	x, _ := c.attrs[name].(string)
	return x
}

// YaRN returns the stretched rotation, or nil.
func (c *Case) YaRN() *rope.YaRN {
	y, _ := c.attrs["yarn"].(*rope.YaRN)
	return y
}

// Attr returns the value of an attribute, whatever its kind; nil where it is missing.
func (c *Case) Attr(name string) any { return c.attrs[name] }

// Has tells whether an attribute has a value.
func (c *Case) Has(attr string) bool { return c.attrs[attr] != nil }

// TypeOr returns the declared type, or that of an input where none is declared.
func (c *Case) TypeOr(declared dtype.Type, input string) dtype.Type {
	if declared != dtype.Invalid {
		return declared
	}
	return c.Recording.Type(input)
}

// Letters returns the letters of shapes that have lengths, in alphabetical order.
func (c *Case) Letters() []string { return slices.Sorted(maps.Keys(c.dims)) }
