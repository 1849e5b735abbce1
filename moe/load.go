package moe

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

const (
	badIndices = "moe: indices are no rows of equal length of experts below their number"
	badDevices = "moe: devices are not one per expert, from 0"
)

// Loads returns how many tokens chose each expert.
//
//	c_i = Σ_t 1[i among the chosen of t]
//
// indices is [T][K]; the result is [N]. An index below 0 is padding and counts for nobody. Differs
// in code: rows of padding that carry indices are counted, in loads and losses alike. It implements
// DeepSeekMoE (13), its sum, and Loss-Free Balancing, algorithm 1, its c.
func Loads(indices [][]int, experts int) []int {
	c, k := make([]int, experts), topK(indices)
	for _, row := range indices {
		if len(row) != k {
			panic(badIndices)
		}
		for _, i := range row {
			if i >= experts {
				panic(badIndices)
			}
			if i >= 0 {
				c[i]++
			}
		}
	}
	return c
}

// topK returns K, the experts of a token.
func topK(indices [][]int) int {
	if len(indices) == 0 {
		return 0
	}
	return len(indices[0])
}

// RelativeLoads returns the loads of the experts over their mean, 1 where they are even.
//
//	f_i = N/(K T) Σ_t 1[i among the chosen of t]
//
// indices is [T][K]; the result is [N] and sums to N if nothing is padding. T counts all rows, as
// in TileKernels. Differs in code: DeepSeek-V3 (18) is printed with the K highest scores without
// bias and without groups, TopKRows; code counts what was chosen. It implements DeepSeekMoE (13),
// DeepSeek-V2 (24), DeepSeek-V3 (18), and the f of Loss-Free Balancing (2).
func RelativeLoads(indices [][]int, experts int) []float64 {
	f, pairs := make([]float64, experts), topK(indices)*len(indices)
	for i, c := range Loads(indices, experts) {
		f[i] = float64(c*experts) / float64(pairs)
	}
	return f
}

// MeanScores returns the mean score of each expert.
//
//	P_i = (1/T) Σ_t s_ti
//
// scores is [T × N]; the result is [N], and sums to 1 if rows do. It implements DeepSeekMoE (14),
// DeepSeek-V2 (25), DeepSeek-V3 (20), and the P of Loss-Free Balancing (2).
func MeanScores(scores mat.Matrix) []float64 {
	rows, cols := scores.Dims()
	p := make([]float64, cols)
	for i := range p {
		p[i] = floats.Sum(mat.Col(nil, i, scores)) / float64(rows)
	}
	return p
}

// RelativeDeviceLoads returns the mean relative load of the experts of each device.
//
//	f′_g = 1/|E_g| Σ_{j ∈ E_g} f_j
//
// loads is f, [N], device [N] has the device of each expert; the result is [D]. A device without
// experts has 0. It implements DeepSeekMoE (16) and DeepSeek-V2 (27).
func RelativeDeviceLoads(loads []float64, device []int) []float64 {
	f := perDevice(loads, device)
	size := make([]int, len(f))
	for _, g := range device {
		size[g]++
	}
	for g := range f {
		f[g] /= float64(max(size[g], 1))
	}
	return f
}

// DeviceScores returns the sum of the mean scores of the experts of each device.
//
//	P′_g = Σ_{j ∈ E_g} P_j
//
// means is [N]; the result is [D]. It implements DeepSeekMoE (17), and DeepSeek-V2 (28) and (31).
func DeviceScores(means []float64, device []int) []float64 { return perDevice(means, device) }

// RelativeSentLoads returns how many tokens are sent to each device, 1 where every token goes to
// most devices and these are even.
//
//	f″_g = D/(M T) Σ_t 1[t is sent to device g]
//
// most is M, the devices of a token at most; the result is [D]. A token with several experts on a
// device is sent there once. It implements DeepSeek-V2 (30).
func RelativeSentLoads(indices [][]int, device []int, most int) []float64 {
	Loads(indices, len(device)) // checks them
	f := make([]float64, devices(device))
	for _, row := range indices {
		sent := make([]bool, len(f))
		for _, i := range row {
			if i >= 0 && !sent[device[i]] {
				sent[device[i]] = true
				f[device[i]]++
			}
		}
	}
	for g := range f {
		f[g] = f[g] * float64(len(f)) / float64(most*len(indices))
	}
	return f
}

// devices returns D, one more than the highest device.
func devices(device []int) int {
	highest := -1
	for _, g := range device {
		if g < 0 {
			panic(badDevices)
		}
		highest = max(highest, g)
	}
	return highest + 1
}

// perDevice returns the sums of x over the experts of each device.
func perDevice(x []float64, device []int) []float64 {
	if len(x) != len(device) {
		panic(badDevices)
	}
	sums := make([]float64, devices(device))
	for i, g := range device {
		sums[g] += x[i]
	}
	return sums
}
