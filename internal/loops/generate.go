package loops

//go:generate go run -C gen . -out ../avx512_amd64.s -stubs ../avx512_amd64.go -pkg loops
