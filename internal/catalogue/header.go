package catalogue

import (
	"fmt"
	"strings"

	"plumbline/verify/op"
)

// Header is what the recorder of kernels reads of the catalogue, from the root of the module.
const Header = "kernels/recorder/catalogue.h"

const headerHead = `// What the catalogue of ops says of inputs, of attributes that are left out, and of mistakes. Written by go generate ./... from the ops themselves.
#pragma once

namespace plumbline {

// CatalogueInput is the name of an input of an op.
struct CatalogueInput {
  const char *op, *name;
};

// CatalogueAttr is an attribute of an op with its default: a word, or a number, which is 1 or 0 for true and false. One without default has neither.
struct CatalogueAttr {
  const char *op, *name;
  bool hasNumber;
  double number;
  const char *word;
};

// CatalogueMistake is what a kernel of an op does that makes a mistake, and its numbers in the bank, "R01, R03", or "".
struct CatalogueMistake {
  const char *op, *name, *numbers, *sentence;
};

`

// CPP returns inputs, attributes and mistakes of ops as constants of C++.
func CPP(ops []*op.Op) string {
	var b strings.Builder
	b.WriteString(headerHead + "inline constexpr CatalogueInput catalogueInputs[] = {\n")
	for _, entry := range ops {
		for _, t := range entry.Inputs {
			fmt.Fprintf(&b, "    {%q, %q},\n", entry.Name, t.Name)
		}
	}
	b.WriteString("};\n\ninline constexpr CatalogueAttr catalogueAttrs[] = {\n")
	for _, entry := range ops {
		for _, a := range entry.Attrs {
			fmt.Fprintf(&b, "    {%q, %q, %s},\n", entry.Name, a.Name, cppDefault(a))
		}
	}
	b.WriteString("};\n\ninline constexpr CatalogueMistake catalogueMistakes[] = {\n")
	for _, entry := range ops {
		for _, m := range entry.Mistakes() {
			fmt.Fprintf(&b, "    {%q, %q, %q, %q},\n", entry.Name, m.ID, strings.Join(m.Numbers, ", "), m.Sentence)
		}
	}
	b.WriteString("};\n\n}  // namespace plumbline\n")
	return b.String()
}

// cppDefault returns the last three members of an attribute.
func cppDefault(a op.Attr) string {
	switch x := a.Default.(type) {
	case string:
		return fmt.Sprintf("false, 0, %q", x)
	case bool:
		if x {
			return "true, 1, nullptr"
		}
		return "true, 0, nullptr"
	case [2]int:
		return fmt.Sprintf("false, 0, %q", a.String())
	case nil:
		return "false, 0, nullptr"
	default:
		return fmt.Sprintf("true, %v, nullptr", x)
	}
}
