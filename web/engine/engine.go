// Package engine is what the page does: it judges recordings, joins reports, makes requests and
// runs emulated kernels on them, as the command does, without files.
package engine

import (
	"bytes"
	"fmt"
	"runtime/debug"

	_ "plumbline/verify/emulate/all"
	_ "plumbline/verify/op/all"

	"plumbline/internal/version"
	"plumbline/verify/diagnosis"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/report"
	"plumbline/verify/verdict"
)

// Limits are how much work one recording may ask for, in products as plumbline verify counts them.
type Limits struct{ Judge, Diagnosis float64 }

// Judge judges the recording that a file holds. It returns the report of it, as plumbline verify
// -json -v writes it.
func Judge(name string, file []byte, l Limits) []byte { return write(judge(name, file, l)) }

// judge never panics: should something, one file must not cost the verdicts of the others.
func judge(name string, file []byte, l Limits) (e report.Entry) {
	defer func() {
		if p := recover(); p != nil {
			e = report.NewUnusable(name, (&op.Fault{Value: p}).Error()+"\n"+string(debug.Stack()))
		}
	}()
	rec, err := recording.Read(bytes.NewReader(file), int64(len(file)), name)
	if err != nil {
		return report.NewUnusable(name, err.Error())
	}
	v := diagnosis.JudgeWith(rec, diagnosis.Options{
		Most: l.Judge, Budget: l.Diagnosis, Vouching: l.Diagnosis, Draw: true,
	})
	if work, err := op.WorkSparing(rec); v.Status == verdict.Unusable && err == nil && !(work <= l.Judge) {
		v.Reason += " (the limits of this page raise it; plumbline verify is faster)"
	}
	e = report.NewEntry(v, rec.Provenance)
	e.Attrs, e.Arithmetic = rec.Attrs, rec.Arithmetic
	return e
}

// Unusable returns the report of a file that could not be judged, with the reason.
func Unusable(name, reason string) []byte { return write(report.NewUnusable(name, reason)) }

// write writes the report of one recording.
func write(e report.Entry) []byte {
	var b bytes.Buffer
	j := report.NewJSON(&b, version.Current())
	if err := j.Add(e); err != nil {
		return write(report.NewUnusable(e.File, err.Error()))
	}
	_ = j.Close() // a buffer takes everything
	return b.Bytes()
}

// Emulate returns a request with what an emulated kernel leaves that makes one mistake, none where
// that is "".
func Emulate(request []byte, mistake string) ([]byte, error) {
	rec, err := recording.Read(bytes.NewReader(request), int64(len(request)), "request")
	if err != nil {
		return nil, err
	}
	if mistake != "" && !known(rec.Op, mistake) {
		return nil, fmt.Errorf("%s: no mistake %q is known of its kernels", rec.Op, mistake)
	}
	made, err := emulate.Run(rec.Request(), emulate.Config{Mistake: mistake})
	if err != nil {
		return nil, err
	}
	return bytesOf(made)
}

func known(name, mistake string) bool {
	for _, m := range op.Lookup(name).Mistakes() {
		if m.ID == mistake {
			return true
		}
	}
	return false
}

func bytesOf(rec *recording.Recording) ([]byte, error) {
	var b bytes.Buffer
	_, err := rec.WriteTo(&b)
	return b.Bytes(), err
}
