package diagnosis

import (
	"math"
	"strings"
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// countedAgain returns the recording with an output in which a tile of keys counts so many times in
// the queries of a sequence from one on.
func countedAgain(right *recording.Recording, times float64, tile, from int) *recording.Recording {
	s, err := newSubject(right, nil, verdict.Verdict{}, 0)
	optest.Must(err)
	formed, _ := s.formed()
	more := tensor.New(formed[emulate.Weights].Shape...)
	for i, p := range formed[emulate.Weights].Data {
		more.Data[i] = p
		if keys := more.Shape[3]; i%keys/4 == tile && i/keys/2%4 >= from {
			more.Data[i] = times * p
		}
	}
	gives, err := s.between(&emulate.Quantities{Instead: map[string]*tensor.Tensor{emulate.Weights: more}})
	optest.Must(err)
	return edited(right, "out.o", func(i int, _ float64) float64 { return right.Type("out.o").Round(gives["o"][i]) })
}

// A loop may add a tile several times, in some rows alone.
func TestPartsInOtherAmounts(t *testing.T) {
	right := wide(4, 16, false)
	wrongs{
		{
			"a tile three times", "o counts the weights of keys in other amounts than once: in query from 2 on, " +
				"of 4: key 4 to 7 3 times: explains everything",
			countedAgain(right, 3, 1, 2),
		},
	}.check(t)
}

// A tile may count with a factor of its own, as where sums are not rescaled. What is no sum of
// parts is not said to be one.
func TestAmountsThatAreNoWholeNumbers(t *testing.T) {
	wrongs{
		{
			"rescaled by another", "o counts the weights of keys in other amounts than once: key 4 to 7 2.6 " +
				"times: explains everything",
			countedAgain(wide(4, 16, false), 2.6, 1, 2),
		},
	}.check(t)
	none := edited(wide(4, 16, false), "out.o", func(i int, x float64) float64 { return x * math.Sin(float64(i*i)) })
	if d := after(t, none, (*subject).tryAmounts); strings.Contains(d.Sentence, "other amounts") {
		t.Error(d.Sentence)
	}
}
