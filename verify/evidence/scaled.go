package evidence

import (
	"maps"
	"math"
	"slices"

	"plumbline/verify/recording"
)

// factors are the inputs that outputs are proportional to, each with the power of the factor that
// it gets, by op. Other ops have no such input: a logarithm, a ratio or a choice of the best does
// not grow with what it is made of.
//
// The cache of mla.decode holds keys and values at once: what it is multiplied by is taken off the
// queries, and the logits stay.
var factors = map[string]map[string]int{
	"attention.forward":  {"v": 1},
	"attention.backward": {"do": 1},
	"attention.merge":    {"o": 1},
	"fp8.gemm":           {"a_scale": 1},
	"fp8.grouped_gemm":   {"a_scale": 1},
	"mla.decode":         {"kv_cache": 1, "q": -1},
	"mla.layer":          {"w_o": 1},
	"moe.experts":        {"w_down": 1, "shared_down": 1},
	"moe.layer":          {"w_down": 1, "shared_down": 1},
	"mtp.combine":        {"projection": 1},
	"norm.rms":           {"weight": 1},
	"ppo.gae":            {"rewards": 1, "values": 1},
	"rope.apply":         {"x": 1},
}

// scaled returns a request whose outputs are 2^exp2 times as large, and whether the op has one.
func scaled(request *recording.Recording, exp2 int) (*recording.Recording, bool, error) {
	of, ok := factors[request.Op]
	if exp2 == 0 {
		return request, true, nil
	}
	if !ok {
		return nil, false, nil
	}
	other := request.Clone()
	for name, power := range of {
		if !other.Has(name) {
			continue
		}
		x, err := other.Tensor(name)
		if err != nil {
			return nil, false, err
		}
		for i := range x.Data {
			x.Data[i] = math.Ldexp(x.Data[i], power*exp2)
		}
		other.Set(name, request.Type(name), x)
	}
	return other, true, nil
}

// scalable lists the ops that have such an input.
func scalable() []string { return slices.Sorted(maps.Keys(factors)) }
