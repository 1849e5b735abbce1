// Tensorcore packs recorded results of real tensor cores into golden/testdata:
//
//	go run ./golden/tensorcore FOLDER
//
// FOLDER holds one file DEVICE-OPERANDS.safetensors of each device and type, 5,000 results with
// their operands, as F. A. Khattak and M. Mikaitis recorded them (see golden/README.md). Of each
// file, and of its float16 results, it takes the rows that tell the device's step from its
// neighbours, bit for bit, always the same ones. Before, it computes every result anew; with -check
// it only does that, and says how many differ.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	_ "plumbline/verify/op/all"
)

func main() {
	folder := flag.String("o", filepath.Join("golden", "testdata"), "folder to write to")
	check := flag.Bool("check", false, "compute every result anew, and write nothing")
	flag.Parse()
	if err := run(flag.Arg(0), *folder, *check); err != nil {
		fmt.Fprintf(os.Stderr, "tensorcore: %v\n", err)
		os.Exit(1)
	}
}

func run(from, to string, check bool) error {
	all, err := readFolder(from)
	if err != nil {
		return err
	}
	licence, err := os.ReadFile(filepath.Join(from, "LICENCE"))
	if err != nil {
		return err
	}
	if err := compareAll(all); err != nil || check {
		return err
	}
	for _, o := range all {
		if err := o.save(to, string(licence)); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(to, "LICENCE-tensor-cores.txt"), licence, 0o644)
}

// compareAll fails if the model does not give every result.
func compareAll(all []*origin) error {
	results, wrong := 0, 0
	for _, o := range all {
		n, differ, err := o.compare()
		if err != nil {
			return err
		}
		results, wrong = results+n, wrong+differ
	}
	fmt.Printf("%d of %d results differ\n", wrong, results)
	if wrong > 0 {
		return fmt.Errorf("the model does not explain these results")
	}
	return nil
}

// compare says of each output how many of its results are not the model's, and counts them.
func (o *origin) compare() (results, wrong int, err error) {
	n, _ := o.rows()
	for _, output := range o.outputs() {
		differ, err := o.differing(output)
		if err != nil {
			return 0, 0, err
		}
		results, wrong = results+n, wrong+differ
		fmt.Printf("%s-%s %s: %d of %d results differ from the model's\n", o.device, o.operands, output, differ, n)
	}
	return results, wrong, nil
}

// save writes a recording of each output.
func (o *origin) save(folder, licence string) error {
	for _, output := range o.outputs() {
		path := filepath.Join(folder, o.name(output)+".safetensors")
		if err := o.pack(output, licence).Save(path); err != nil {
			return err
		}
	}
	return nil
}
