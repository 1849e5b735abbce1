//go:build js && wasm

// Wasm is the engine of the page as a WebAssembly program: functions that a worker calls.
package main

import (
	"encoding/json"
	"fmt"
	"syscall/js"

	"plumbline/internal/heap"
	"plumbline/internal/version"
	"plumbline/web/engine"
)

func main() {
	heap.Floor(32 << 20)
	engineOf := map[string]any{
		"version":  version.Current(),
		"judge":    function(judge),
		"unusable": function(unusable),
		"render":   function(render),
		"request":  function(request),
		"emulate":  function(emulate),
	}
	js.Global().Set("plumbline", engineOf)
	js.Global().Call("plumblineReady")
	select {} // functions are called for as long as the worker lives
}

// function makes a Go function one of JavaScript: what fails returns {error}, and so does a fault
// of ours, which is not to cost the calls after it.
func function(f func(args []js.Value) (any, error)) js.Func {
	return js.FuncOf(func(_ js.Value, args []js.Value) (value any) {
		defer func() {
			if p := recover(); p != nil {
				value = map[string]any{"error": fmt.Sprintf("internal error: %v", p)}
			}
		}()
		value, err := f(args)
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		return value
	})
}

// judge (name, bytes, most work, most work of a diagnosis) returns the report as JSON.
func judge(args []js.Value) (any, error) {
	limits := engine.Limits{Judge: args[2].Float(), Diagnosis: args[3].Float()}
	return string(engine.Judge(args[0].String(), bytesOf(args[1]), limits)), nil
}

// unusable (name, reason) returns a report as JSON.
func unusable(args []js.Value) (any, error) {
	return string(engine.Unusable(args[0].String(), args[1].String())), nil
}

// render (form, reports) joins reports and returns them in one form.
func render(args []js.Value) (any, error) {
	reports := make([]string, args[1].Length())
	for i := range reports {
		reports[i] = args[1].Index(i).String()
	}
	return engine.Render(args[0].String(), reports)
}

// request (op, attributes, type) returns what requests show, as JSON, and their bytes.
func request(args []js.Value) (any, error) {
	made, err := engine.Request(args[0].String(), args[1].String(), args[2].String())
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(made)
	if err != nil {
		return nil, err
	}
	var files []any
	for _, f := range made.Files {
		files = append(files, array(f.Bytes))
	}
	return map[string]any{"said": string(text), "files": files}, nil
}

// emulate (bytes of a request, mistake) returns the bytes of a recording.
func emulate(args []js.Value) (any, error) {
	made, err := engine.Emulate(bytesOf(args[0]), args[1].String())
	if err != nil {
		return nil, err
	}
	return array(made), nil
}

func bytesOf(array js.Value) []byte {
	data := make([]byte, array.Get("length").Int())
	js.CopyBytesToGo(data, array)
	return data
}

func array(data []byte) js.Value {
	a := js.Global().Get("Uint8Array").New(len(data))
	js.CopyBytesToJS(a, data)
	return a
}
