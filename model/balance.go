package model

import (
	"cmp"
	"slices"
)

// Replicate returns how many replicas each expert has in so many slots: after one of each, every
// slot goes to the expert whose replicas have the highest load.
//
//	r_i = 1;  argmax_i load_i / r_i has one more, until Σ_i r_i = slots
//
// Of equal ones the first. No other choice makes the highest load_i / r_i smaller.
// It implements EPLB's replicate_experts (code), behind DeepSeek-V3 section 3.4.1.
func Replicate(load []float64, slots int) (replicas []int) {
	if slots < len(load) || len(load) == 0 {
		panic("model: fewer slots than experts")
	}
	replicas = make([]int, len(load))
	for i := range replicas {
		replicas[i] = 1
	}
	for range slots - len(load) {
		highest := 0
		for i := range load {
			if load[i]/float64(replicas[i]) > load[highest]/float64(replicas[highest]) {
				highest = i
			}
		}
		replicas[highest]++
	}
	return replicas
}

// Pack returns the pack of each item: from the heaviest item on, each to the lightest pack that has
// room left. All packs have as many items.
//
//	pack_i = argmin_p Σ_{j: pack_j = p} load_j  of the packs with fewer than n/P items
//
// Of equal ones the first. It implements EPLB's balanced_packing (code), behind DeepSeek-V3 section
// 3.4.1.
func Pack(load []float64, packs int) (pack []int) {
	if packs < 1 || len(load)%packs != 0 {
		panic("model: items do not fill packs evenly")
	}
	order := make([]int, len(load))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(load[j], load[i]) })
	pack, sum, items := make([]int, len(load)), make([]float64, packs), make([]int, packs)
	for _, i := range order {
		lightest := -1
		for p := range packs {
			if items[p] < len(load)/packs && (lightest < 0 || sum[p] < sum[lightest]) {
				lightest = p
			}
		}
		pack[i] = lightest
		sum[lightest] += load[i]
		items[lightest]++
	}
	return pack
}

// GPULoads returns the load of each GPU when experts are replicated into slots and these packed.
//
//	load_g = Σ_{slots of g} load_i / r_i
//
// It implements EPLB's global rebalancing (code), behind DeepSeek-V3 section 3.4.1.
func GPULoads(load []float64, slots, gpus int) []float64 {
	var each []float64
	for i, r := range Replicate(load, slots) {
		for range r {
			each = append(each, load[i]/float64(r))
		}
	}
	loads := make([]float64, gpus)
	for slot, g := range Pack(each, gpus) {
		loads[g] += each[slot]
	}
	return loads
}

// Imbalance returns how many times the mean the highest load is: how much longer all wait for it.
//
//	max_g load_g / mean_g load_g = 1 + MaxVio
//
// It implements Loss-Free Balancing (4), plus 1.
func Imbalance(load []float64) float64 {
	sum := 0.0
	for _, l := range load {
		sum += l
	}
	return slices.Max(load) * float64(len(load)) / sum
}

// NodesOfToken returns to how many of G nodes a token is sent in the mean, if all choices of K out
// of N experts are equally likely and no limit is set.
//
//	G (1 − Π_{i<K} (N − N/G − i) / (N − i))
//
// The product is the probability that none is on a node. It implements the node limit of
// DeepSeek-V3 section 2.1.2, if there were none (derived).
func NodesOfToken(experts, nodes, chosen int) float64 {
	none := 1.0
	for i := range chosen {
		none *= float64(experts-experts/nodes-i) / float64(experts-i)
	}
	return float64(nodes) * (1 - none)
}

// AffordableExperts returns how many experts a token could have while sending it on inside M nodes
// takes no longer than sending it to them.
//
//	M · (bandwidth inside a node) / (bandwidth between nodes)
//
// With 4 nodes, 160 GB/s of NVLink and 50 GB/s of InfiniBand these are 12.8, of which DeepSeek-V3
// uses 8. It implements DeepSeek-V3 section 3.2.2, its 13 experts.
func AffordableExperts(nodes, inside, between float64) float64 { return nodes * inside / between }
