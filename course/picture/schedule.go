package picture

// oneForwardOneBackward returns what each stage does under 1F1B: as many forwards as there are
// stages after it, then a forward and a backward in turn.
func oneForwardOneBackward() (orders [][]slot) {
	for rank := range pipelineRanks {
		ahead := pipelineRanks - 1 - rank
		var order []slot
		for i := range pipelineBatches + ahead {
			if i < pipelineBatches {
				order = append(order, slot{chunks: []chunk{{'F', 0, i}}})
			}
			if i >= ahead {
				order = append(order, slot{chunks: []chunk{{'B', 0, i - ahead}}})
			}
		}
		orders = append(orders, order)
	}
	return orders
}

// worker writes the order of one rank down as DualPipe's code does: it counts the chunks of both
// directions, and keeps those whose backward for weights is still to be done.
type worker struct {
	second    bool // of the second half of the ranks, for which directions are exchanged
	forwards  [2]int
	backwards [2]int
	weights   []chunk
	order     []slot
}

func (w *worker) turned(phase int) int {
	if w.second {
		return 1 - phase
	}
	return phase
}

func (w *worker) nextForward(phase int) chunk {
	d := w.turned(phase)
	w.forwards[d]++
	return chunk{'F', d, w.forwards[d] - 1}
}

func (w *worker) nextBackward(phase int, zeroBubble bool) chunk {
	d := w.turned(phase)
	w.backwards[d]++
	c := chunk{'B', d, w.backwards[d] - 1}
	if zeroBubble {
		w.weights = append(w.weights, chunk{'W', d, c.batch})
		c.kind = 'I'
	}
	return c
}

func (w *worker) do(chunks ...chunk) { w.order = append(w.order, slot{chunks: chunks}) }

func (w *worker) forward(phase int) { w.do(w.nextForward(phase)) }

func (w *worker) backward(phase int, zeroBubble bool) { w.do(w.nextBackward(phase, zeroBubble)) }

func (w *worker) both(forward, backward int) {
	w.do(w.nextForward(forward), w.nextBackward(backward, false))
}

func (w *worker) weight() {
	w.do(w.weights[0])
	w.weights = w.weights[1:]
}

// dualPipe returns what each rank does in the eight steps of DualPipe's code, half of the batches
// coming from either end.
func dualPipe() (orders [][]slot) {
	const half = pipelineRanks / 2
	for rank := range pipelineRanks {
		w := worker{second: rank >= half}
		fromEnd := min(rank, pipelineRanks-1-rank)
		w.fill(half-fromEnd-1, fromEnd+1)
		w.main(pipelineBatches/2-pipelineRanks+fromEnd+1, fromEnd == half-1)
		w.drain(half-fromEnd-1, fromEnd)
		orders = append(orders, w.order)
	}
	return orders
}

// fill is steps 1 to 3: nF0, nF0F1, nI1W1F1.
func (w *worker) fill(toMiddle, fromEnd int) {
	for range 2 * toMiddle {
		w.forward(0)
	}
	for range fromEnd {
		w.forward(0)
		w.forward(1)
	}
	for range toMiddle {
		w.backward(1, true)
		w.weight()
		w.forward(1)
	}
}

// main is step 4: nF0B1F1B0, each forward with a backward of the other direction.
func (w *worker) main(n int, middle bool) {
	for i := range n {
		if i == 0 && middle { // not overlapped, for a smaller bubble
			w.forward(0)
			w.backward(1, false)
		} else {
			w.both(0, 1)
		}
		w.both(1, 0)
	}
}

// drain is steps 5 to 8: nB1F1B0, nB1B0, nWI0, nW.
func (w *worker) drain(toMiddle, fromEnd int) {
	for range toMiddle {
		w.backward(1, false)
		w.both(1, 0)
	}
	zeroBubble := false
	for i := range fromEnd + 1 {
		zeroBubble = zeroBubble || i == (fromEnd+1)/2 && fromEnd%2 == 1
		w.backward(1, zeroBubble)
		zeroBubble = zeroBubble || i == (fromEnd+1)/2 && fromEnd%2 == 0
		w.backward(0, zeroBubble)
	}
	for range toMiddle {
		w.weight()
		w.backward(0, true)
	}
	for range fromEnd + 1 {
		w.weight()
	}
}
