package picture

import (
	"fmt"
	"slices"
	"strings"

	"plumbline/internal/svg"
	"plumbline/model"
)

// The pipeline that is drawn, of DeepSeek's own example: stages, and batches of a step.
const pipelineRanks, pipelineBatches = 8, 20

// Times of a chunk: forward, backward for inputs, backward for weights; a full backward is both. A
// forward and a backward that overlap take as long as one after the other.
const timeForward, timeInputs, timeWeights = 1, 1, 1

// chunk is one batch in one direction: 0 goes from the first stage to the last, 1 the other way.
type chunk struct {
	kind             byte // F forward, B full backward, I backward for inputs, W backward for weights
	direction, batch int
}

// slot is what a stage does without a break: one chunk, or a forward and a backward that overlap.
type slot struct {
	chunks     []chunk
	start, end int
}

func (s slot) time() (sum int) {
	for _, c := range s.chunks {
		sum += map[byte]int{'F': timeForward, 'B': timeInputs + timeWeights, 'I': timeInputs, 'W': timeWeights}[c.kind]
	}
	return sum
}

// stage returns which stage of its direction a chunk is at on a rank.
func (c chunk) stage(rank int) int {
	if c.direction == 1 {
		return pipelineRanks - 1 - rank
	}
	return rank
}

// done says when a chunk was done at a stage of its direction; the forward comes from the stage
// before, the backward from the one after.
type done map[passed]int

// passed is a chunk, F or B, behind a stage of its direction.
type passed struct {
	chunk
	stage int
}

// ready returns when what a chunk needs is there, and whether it is known yet.
func (d done) ready(c chunk, rank int) (at int, known bool) {
	stage := c.stage(rank)
	forward, backward := chunk{'F', c.direction, c.batch}, chunk{'B', c.direction, c.batch}
	switch {
	case c.kind == 'W', c.kind == 'F' && stage == 0:
		return 0, true // its own stage's order says the rest
	case c.kind == 'F':
		at, known = d[passed{forward, stage - 1}]
	case stage == pipelineRanks-1:
		at, known = d[passed{forward, stage}]
	default:
		at, known = d[passed{backward, stage + 1}]
	}
	return at, known
}

func (d done) note(c chunk, rank, at int) {
	if c.kind == 'I' { // what the stage before waits for
		c.kind = 'B'
	}
	d[passed{c, c.stage(rank)}] = at
}

// simulate gives every slot its time: each stage works off its own in order, as soon as what it
// needs has come. It returns the end of the last, or −1 if some can never start.
func simulate(orders [][]slot) (end int) {
	d, free, next := done{}, make([]int, len(orders)), make([]int, len(orders))
	for moved := true; moved; {
		moved = false
		for rank, order := range orders {
			if next[rank] < len(order) && start(d, &order[next[rank]], rank, free[rank]) {
				free[rank] = order[next[rank]].end
				end = max(end, free[rank])
				next[rank]++
				moved = true
			}
		}
	}
	for rank, order := range orders {
		if next[rank] < len(order) {
			return -1
		}
	}
	return end
}

// start gives one slot its time, if all that it needs is known.
func start(d done, s *slot, rank, free int) bool {
	s.start = free
	for _, c := range s.chunks {
		at, known := d.ready(c, rank)
		if !known {
			return false
		}
		s.start = max(s.start, at)
	}
	s.end = s.start + s.time()
	for _, c := range s.chunks {
		d.note(c, rank, s.end)
	}
	return true
}

var picturePipeline = picture{
	name: "pipeline", heading: "Pipeline", width: 880, height: 500,
	title: "Two schedules of a pipeline, and their bubbles",
	about: `
Two charts of eight stages against time. Under 1F1B, 20 micro-batches take 81 units, 21 of them
idle. Under DualPipe, with micro-batches coming from both ends and forwards beside backwards, they
take 66, 6 of them idle.
`,
	text: `
Eight stages, twenty micro-batches, one row a stage; what is left empty is a bubble. A forward takes
1, a backward 2, half of it for the weights, and a pair that overlaps 3: the saving is in the order
alone. Both schedules are simulated, every chunk beginning as soon as its stage is free and what it
needs has come; DualPipe's order is that of its published code, in which micro-batches come from
both ends and a backward for weights fills gaps. The bubbles come out as the formulas of V3's
Table 2 say.
`,
	drawnBy: []string{"model.Bubble1F1B", "model.BubbleDualPipe"},
	draw:    drawPipeline,
}

// chunkKind is one entry of the legend.
type chunkKind struct {
	name      string
	kinds     string
	direction int
	colour    svg.Colour
}

// is tells whether a chunk is drawn as that kind.
func (c chunk) is(k chunkKind) bool {
	return strings.IndexByte(k.kinds, c.kind) >= 0 && (k.direction < 0 || k.direction == c.direction)
}

func drawPipeline(p *svg.Picture) {
	const f, b, w = timeForward, timeInputs + timeWeights, timeWeights
	for i, schedule := range []struct {
		name, formula string
		orders        [][]slot
		bubble        float64
	}{
		{"1F1B", "(PP − 1)(F + B)", oneForwardOneBackward(), model.Bubble1F1B(pipelineRanks, f, b)},
		{"DualPipe", "(PP/2 − 1)(F&B + B − 3W)", dualPipe(), model.BubbleDualPipe(pipelineRanks, f+b, b, w)},
	} {
		end, busy := simulate(schedule.orders), 0
		for _, s := range schedule.orders[0] {
			busy += s.time()
		}
		y := 44 + 216*float64(i)
		p.Text(60, y-12, svg.Style{Size: 14, Bold: true}, schedule.name)
		p.Text(150, y-12, svg.Style{Colour: svg.Muted},
			fmt.Sprintf("%d units of time, %d of them idle on every stage: %s = %g", end, end-busy, schedule.formula,
				schedule.bubble))
		drawSchedule(p, y, schedule.orders)
	}
	drawChunkKinds(p)
}

func drawChunkKinds(p *svg.Picture) {
	x := 60.0
	for _, k := range chunkKinds {
		p.Rect(x, 462, 16, 14, k.colour, svg.None)
		p.Text(x+22, 474, svg.Style{}, k.name)
		x += 44 + svg.Wide(k.name, 12, false)
	}
}

// chunkKinds are the colours of a chart.
var chunkKinds = []chunkKind{
	{"forward", "F", 0, svg.Blue},
	{"forward from the other end", "F", 1, svg.Purple},
	{"backward", "BI", 0, svg.Orange},
	{"backward of these", "BI", 1, svg.Green},
	{"backward for weights", "W", -1, svg.Muted},
}

// drawSchedule draws one row for each stage.
func drawSchedule(p *svg.Picture, y float64, orders [][]slot) {
	const left, unit, row = 60.0, 10.0, 22.0
	cells := make([][]svg.Cell, len(chunkKinds))
	for rank, order := range orders {
		top := y + row*float64(rank)
		p.Text(left-8, top+14, svg.Style{Size: 11, Anchor: svg.End, Colour: svg.Muted}, fmt.Sprint("stage ", rank+1))
		for _, s := range order {
			high := (row - 3) / float64(len(s.chunks))
			for i, c := range s.chunks {
				k := slices.IndexFunc(chunkKinds, c.is)
				cells[k] = append(cells[k], svg.Cell{X: left + unit*float64(s.start), Y: top + high*float64(i),
					Width: unit * float64(s.end-s.start), Height: high})
			}
		}
	}
	for k, kind := range chunkKinds {
		p.Cells(cells[k], kind.colour, svg.Ground)
	}
}
