package engine

import (
	"fmt"

	"plumbline/verify/recording"
	"plumbline/verify/request"
)

// Requested is a set of requests, and what they show.
type Requested struct {
	Files    []File  `json:"files"`
	Mistakes []Shown `json:"mistakes"`
}

// File is one request.
type File struct {
	Name  string `json:"name"`
	Says  string `json:"says"`
	Shows int    `json:"shows"`
	Bytes []byte `json:"-"`
}

// Shown is a mistake, and the number of the file that shows it best, −1 where none does.
type Shown struct {
	ID       string   `json:"id"`
	Numbers  []string `json:"numbers"`
	Sentence string   `json:"sentence"`
	Hidden   string   `json:"hidden"`
	File     int      `json:"file"`
	Strength string   `json:"strength"`
}

// Request makes requests of an op. Attributes are a JSON object; the type of the inputs may be "".
func Request(name, attrs, typ string) (Requested, error) {
	fixed, err := recording.ParseObject(attrs)
	if err != nil {
		return Requested{}, fmt.Errorf("attributes: %w, want a JSON object such as {\"causal\":true}", err)
	}
	inputs, err := request.TypeOf(typ)
	if err != nil {
		return Requested{}, fmt.Errorf("the type of the inputs is %w", err)
	}
	set, err := request.Make(name, request.Options{Attrs: fixed, Type: inputs})
	if err != nil {
		return Requested{}, err
	}
	return said(set)
}

func said(set *request.Set) (r Requested, err error) {
	for i, name := range set.Names(set.Op + ".safetensors") {
		f := File{Name: name, Says: set.Files[i].Says, Shows: set.Files[i].Count()}
		if f.Bytes, err = bytesOf(set.Files[i].Recording); err != nil {
			return r, err
		}
		r.Files = append(r.Files, f)
	}
	for _, m := range set.Mistakes {
		s := Shown{
			ID: m.ID, Numbers: m.Numbers, Sentence: m.Sentence, Hidden: m.Hidden, File: -1,
			Strength: fmt.Sprintf("%.3g", m.Strength),
		}
		if m.Shows() {
			s.File = m.File
		}
		r.Mistakes = append(r.Mistakes, s)
	}
	return r, nil
}
