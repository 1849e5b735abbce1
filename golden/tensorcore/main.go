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
	results, wrong := 0, 0
	for _, o := range all {
		for _, output := range o.outputs() {
			differ, err := o.differing(output)
			if err != nil {
				return err
			}
			n, _ := o.rows()
			results, wrong = results+n, wrong+differ
			fmt.Printf("%s-%s %s: %d of %d results differ from the model's\n", o.device, o.operands, output, differ, n)
			if check {
				continue
			}
			path := filepath.Join(to, o.name(output)+".safetensors")
			if err := o.pack(output, string(licence)).Save(path); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%d of %d results differ\n", wrong, results)
	if wrong > 0 {
		return fmt.Errorf("the model does not explain these results")
	}
	if check {
		return nil
	}
	return os.WriteFile(filepath.Join(to, "LICENCE-tensor-cores.txt"), licence, 0o644)
}
