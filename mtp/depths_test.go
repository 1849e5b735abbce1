package mtp_test

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"

	"plumbline/internal/check"
	"plumbline/mtp"
)

// slope is what central differences of a loss of the toy are off by: values and third derivatives
// up to 40, some hundred roundings.
var slope = check.DifferenceBound(40, 100)

func TestDepthsBackward(t *testing.T) {
	for _, c := range []struct {
		order             mtp.Order
		masked, normed    bool
		headless, oneDeep bool
	}{
		{}, {order: mtp.EmbeddingFirst, masked: true}, {normed: true}, {headless: true},
		{normed: true, headless: true}, {oneDeep: true},
	} {
		t.Run(fmt.Sprintf("it is the slope of the loss of all depths: %+v", c), func(t *testing.T) {
			m := newToy(c.order)
			m.MaskFirst, m.PassNormed = c.masked, c.normed
			if c.headless {
				m.Modules[0].NormHead, m.Modules[1].NormHead = nil, nil
			}
			if c.oneDeep {
				m.Modules, m.w = m.Modules[:1], m.w[:1]
			}
			checkGradients(t, m)
		})
	}
}

// checkGradients compares every gradient of a toy with differences.
func checkGradients(t *testing.T, m *toy) {
	t.Helper()
	_, dlogits := m.loss()
	dh0, ds := m.Backward(m.h0, m.tokens, dlogits)
	loss := func() float64 { l, _ := m.loss(); return l }
	compare := func(what string, got, x []float64) {
		t.Helper()
		check.NearAll(t, what, got, moved(loss, x), slope)
		if len(x) > 0 && floats.Norm(got, math.Inf(1)) < 100*slope {
			t.Errorf("%s is %v, too small to be told from none", what, got)
		}
	}
	compare("dh0", data(dh0), m.h0.RawMatrix().Data)
	compare("dEmb", data(ds.Embedding), m.Embedding.RawMatrix().Data)
	compare("dOutHead", data(ds.Head), m.Head.RawMatrix().Data)
	for k, module := range m.Modules {
		dm := ds.Modules[k]
		compare("dNormHidden", dm.NormHidden, module.NormHidden)
		compare("dNormEmbedding", dm.NormEmbedding, module.NormEmbedding)
		compare("dM", data(dm.Projection), module.Projection.RawMatrix().Data)
		compare("dNormHead", dm.NormHead, module.NormHead)
		compare("dTRM", data(m.dw[k]), m.w[k].RawMatrix().Data)
	}
	if dm := ds.Modules[0]; dm.Block.Forward != nil {
		t.Error("a gradient has a block")
	}
}
