package check

import (
	"io"
	"runtime"
)

// Reads is a source that counts the bytes which are read from it.
type Reads struct {
	io.ReaderAt
	N int64
}

func (r *Reads) ReadAt(b []byte, at int64) (int, error) {
	r.N += int64(len(b))
	return r.ReaderAt.ReadAt(b, at)
}

// Allocated returns how many bytes f allocates, given back ones too.
func Allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
