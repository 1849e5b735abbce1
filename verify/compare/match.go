package compare

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"plumbline/internal/spelling"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// side is one of the two recordings.
type side struct {
	rec      *recording.Recording
	expected []verdict.Expected

	first, count int // the entries that are compared; 0 of them: the recording is compared as a whole
}

// match refuses two recordings that are not of one call, and finds the part that one of them is of
// the other.
func (c *Comparison) match(recordings [2]*recording.Recording) (sides [2]side, err error) {
	var cases [2]*op.Case
	for i, rec := range recordings {
		sides[i].rec = rec
		if cases[i], err = op.Bind(rec); err != nil {
			return sides, err
		}
	}
	if err = sameCall(cases[0], cases[1]); err != nil {
		return sides, err
	}
	if err = c.shared(recordings); err != nil {
		return sides, err
	}
	known := cases[0].Op
	if slices.ContainsFunc(known.Inputs, func(t op.Tensor) bool {
		return !slices.Equal(recordings[0].Shape(t.Name), recordings[1].Shape(t.Name))
	}) {
		return sides, c.matchPart(known, &sides)
	}
	for _, t := range known.Inputs {
		if err = sameWhole(t.Name, recordings); err != nil {
			return sides, err
		}
	}
	return sides, nil
}

// sameCall compares op, attributes with their defaults, and which inputs there are, of which types.
func sameCall(a, b *op.Case) error {
	if a.Op != b.Op {
		return fmt.Errorf("op: %s and %s, want one", a.Op.Name, b.Op.Name)
	}
	for _, attr := range a.Op.Attrs {
		if x, y := a.Attr(attr.Name), b.Attr(attr.Name); !reflect.DeepEqual(x, y) {
			return fmt.Errorf("attrs: %q: %s and %s, want the same", attr.Name, said(attr, a), said(attr, b))
		}
	}
	for _, t := range a.Op.Inputs {
		x, y := a.Recording.Type(t.Name), b.Recording.Type(t.Name)
		switch {
		case a.Recording.Has(t.Name) != b.Recording.Has(t.Name):
			return fmt.Errorf("tensor %q: one of the two has none", t.Name)
		case x != y && !t.Any:
			return fmt.Errorf("tensor %q: types %s and %s, want the same", t.Name, x, y)
		}
	}
	return nil
}

// said returns an attribute as its recording has it, or the default.
func said(attr op.Attr, of *op.Case) string {
	if value := of.Recording.Attrs[attr.Name]; value != nil {
		return spelling.Show(value)
	}
	return attr.String()
}

// shared notes the outputs that one of the two has alone, and refuses two that have none in common.
func (c *Comparison) shared(recordings [2]*recording.Recording) error {
	common := false
	for i, rec := range recordings {
		for _, name := range rec.Outputs() {
			if !recordings[1-i].Has("out." + name) {
				c.Alone = append(c.Alone, name)
			} else {
				common = true
			}
		}
	}
	if !common {
		return errors.New("no output that both have")
	}
	return nil
}

// sameWhole compares an input bit by bit. Two that are generated and have one digest need not be
// made for it.
func sameWhole(name string, recordings [2]*recording.Recording) error {
	if !recordings[0].Has(name) {
		return nil
	}
	x, made := recordings[0].Recipe(name)
	if y, too := recordings[1].Recipe(name); made && too && x.SHA256 == y.SHA256 && x.Type == y.Type {
		return nil
	}
	a, b := newReader(recordings[0], name), newReader(recordings[1], name)
	at, err := a.differs(0, b, 0, a.total)
	if err != nil || at < 0 {
		return err
	}
	return fmt.Errorf("tensor %q: element %v differs, want the inputs of one call", name, a.index(at))
}
