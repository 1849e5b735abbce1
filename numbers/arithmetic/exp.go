package arithmetic

import "math"

// powerSteps is how many powers between 1 and 2 are at hand.
const powerSteps = 64

// powers are 2^(i/powerSteps).
var powers = func() (p [powerSteps]float64) {
	for i := range p {
		p[i] = math.Exp2(float64(i) / powerSteps)
	}
	return p
}()

// exp2 returns 2^x as powersOfTwo does.
func exp2(x float64) float64 {
	one := [1]float64{x}
	powersOfTwo(one[:])
	return one[0]
}

// powersOfTwo replaces numbers x by 2^x, good to 2 ulp and the same on every processor:
// 2^(n/64) · e^r with n the whole number nearest to 64x and |r| ≤ ln 2/128, where six terms of e^r
// are enough. Runs need as many exponentials as scores, and math.Exp takes twice as long.
func powersOfTwo(x []float64) {
	const wholes = 3 << 51 // what lies around it are whole numbers, whose last bits are theirs
	for i, v := range x {
		if !(-1000 < v && v < 1000) {
			x[i] = math.Exp2(v)
			continue
		}
		shifted := float64(v*powerSteps) + wholes
		r := (v - (shifted-wholes)/powerSteps) * math.Ln2
		e := 1./6 + float64(r*(1./24+float64(r*(1./120))))
		e = 1 + float64(r*(1+float64(r*(0.5+float64(r*e)))))
		n := math.Float64bits(shifted)
		x[i] = math.Float64frombits(math.Float64bits(powers[n%powerSteps])+n/powerSteps<<52) * e
	}
}
