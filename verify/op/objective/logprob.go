package objective

import (
	"fmt"
	"math"

	"plumbline/internal/parallel"
	"plumbline/numbers/arithmetic"
	"plumbline/policy"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

func init() { op.Register(logprobOp) }

// The forms of a log-probability.
var logprobForms = []string{"any", stable}

const stable = "stable"

// formKey says how log-probabilities are formed.
var formKey = op.Key{
	Name: "form", Default: "any", Words: logprobForms,
	Doc: "of log-probabilities: any, of which z − lse is one, or stable, (z − max) − log Σ",
}

// logprobOp is policy.logprob.
var logprobOp = &op.Op{
	Name:      "policy.logprob",
	Doc:       "Log-probabilities of sampled tokens, and the entropy of the distributions they were sampled from.",
	Equations: []string{"policy.LogProb", "policy.LogSoftmax", "policy.Entropy", "policy.KeptLogProb"},
	Inputs: []op.Tensor{
		{Name: "logits", Shape: []string{"N", "vocab"}, Doc: "logits; −∞ excludes a token"},
		{Name: "tokens", Shape: []string{"N"}, Integer: true, Doc: "sampled tokens"},
		{
			Name: "kept", Shape: []string{"N", "vocab"}, Optional: true, Any: true,
			Doc: "1 for tokens that the sampler kept (top-p, top-k), else 0: the policy is renormalised over them",
		},
	},
	Outputs: []op.Tensor{
		{Name: "logprob", Shape: []string{"N"}, Axes: []string{"token"}, Doc: "log-probabilities of the tokens"},
		{Name: "entropy", Shape: []string{"N"}, Axes: []string{"token"}, Doc: "entropies, in nats"},
	},
	Attrs: []op.Attr{
		temperatureAttr,
		{
			Name: "ignore_index", Kind: op.Integer, Missing: "none",
			Doc: "the token of rows that are not judged, whatever they hold",
		},
		{
			Name: "form", Kind: op.Choice, Missing: "as the arithmetic says", Choices: logprobForms,
			Doc: "the key of the arithmetic, which may stand here as well",
		},
	},
	Arithmetic: []op.Key{op.AccumulateKey, elementwiseKey, formKey},
	Check:      all(checkForm, checkLogProb, checkTemperature),
	Truth:      policyLogProb,
	Work:       func(c *op.Case) float64 { return op.TokenWork * c.Extent("N") * c.Extent("vocab") },
}

// checkForm refuses a recording that says two things of its form.
func checkForm(c *op.Case) error {
	said := c.Recording.Arithmetic["form"] != nil
	if attr := c.Word("form"); attr != "" && said && attr != c.Arithmetic.Form {
		return fmt.Errorf("attrs: %q: found %s, but the arithmetic says %s", "form", attr, c.Arithmetic.Form)
	}
	return nil
}

// isStable tells whether log-probabilities are (z − max) − log Σ.
func isStable(c *op.Case) bool { return c.Word("form") == stable || c.Arithmetic.Form == stable }

// ignored tells whether token n is one that is not judged.
func ignored(c *op.Case, n int) bool {
	return c.Has("ignore_index") && c.Input("tokens").Data[n] == float64(c.Int("ignore_index"))
}

func checkLogProb(c *op.Case) error {
	for n := range c.Dim("N") {
		if ignored(c, n) {
			continue
		}
		if err := checkToken(c, n); err != nil {
			return err
		}
		if err := checkKept(c, n); err != nil {
			return err
		}
	}
	return nil
}

// checkKept checks the set that the sampler kept for token n: the token is in it.
func checkKept(c *op.Case, n int) error {
	kept := c.Input("kept")
	if kept == nil {
		return nil
	}
	for j, k := range kept.Row(n) {
		if k != 0 && k != 1 {
			return fmt.Errorf("tensor %q: index [%d %d]: found %v, want 0 or 1", "kept", n, j, k)
		}
	}
	if token := int(c.Input("tokens").Data[n]); kept.Row(n)[token] == 0 {
		return fmt.Errorf("tensor %q: index [%d %d]: found 0 for the token that was sampled", "kept", n, token)
	}
	return nil
}

// logitsOf returns the logits of row n, −∞ for what the sampler did not keep.
func logitsOf(c *op.Case, n int) []float64 {
	row, kept := c.Input("logits").Row(n), c.Input("kept")
	if kept == nil {
		return row
	}
	z := make([]float64, len(row))
	for j, k := range kept.Row(n) {
		z[j] = row[j]
		if k == 0 {
			z[j] = math.Inf(-1)
		}
	}
	return z
}

// policyLogProb computes each token by itself. A kernel that adds up a large vocabulary in one
// chain loses what no other does, see step.OneByOne: then all its log-probabilities may be off by
// that.
func policyLogProb(c *op.Case) ([]verdict.Expected, error) {
	n, temperature := c.Dim("N"), c.Float("temperature")
	logprob, entropy, skipped := make([]float64, n), make([]float64, n), make([]bool, n)
	forward, backward := make([]float64, n), make([]float64, n)
	parallel.Each(n, func(i int) {
		if skipped[i] = ignored(c, i); skipped[i] {
			return
		}
		row, token := logitsOf(c, i), int(c.Input("tokens").Data[i])
		logp := policy.LogSoftmax(row, temperature)
		logprob[i], entropy[i] = logp[token], policy.Entropy(row, temperature)
		forward[i], backward[i] = step.OneByOne(logp, c.Arithmetic.Accumulate.Type())
		forward[i], backward[i] = logprob[i]+forward[i], logprob[i]+backward[i]
	})
	expected := c.Run(logProbProgram(c, skipped), 16*float64(n*c.Dim("vocab")),
		op.Expectation{Name: "logprob", Truth: logprob, Shape: []int{n}, Unjudged: skipped},
		op.Expectation{Name: "entropy", Truth: entropy, Shape: []int{n}, Unjudged: skipped})
	if expected[0].Name == "logprob" && c.Dim("vocab") > step.ScalarLoop {
		expected[0].Branches = append(expected[0].Branches, oneByOne(skipped, forward, backward))
	}
	return expected, nil
}

// oneByOne returns what all log-probabilities are that are judged where a kernel adds up the
// vocabulary in one chain.
func oneByOne(skipped []bool, forward, backward []float64) verdict.Branch {
	b := verdict.Branch{Truths: make([][]float64, 2)}
	for i, skip := range skipped {
		if !skip {
			b.Elements = append(b.Elements, i)
			b.Truths[0], b.Truths[1] = append(b.Truths[0], forward[i]), append(b.Truths[1], backward[i])
		}
	}
	return b
}

// logProbProgram computes policy.logprob.
func logProbProgram(c *op.Case, skipped []bool) op.Program {
	tokens, n := c.Input("tokens").Data, c.Dim("N")
	return func(r *arithmetic.Run) map[string][]float64 {
		s := newEager(c, r).NewSoftmax(c.Float("temperature"))
		if isStable(c) {
			s.Stable()
		}
		logprob, entropy := make([]float64, n), make([]float64, n)
		logLast, entropyLast := s.Last("logprob"), s.Last("entropy")
		for i := range n {
			if skipped[i] {
				continue
			}
			d, token := s.Of(logitsOf(c, i)), int(tokens[i])
			logprob[i] = logLast.Round(s.LogProb(d, token))
			if c.Wants("entropy") && !d.ExcludesAll() {
				entropy[i] = entropyLast.Round(s.EntropyOf(d))
			}
		}
		return map[string][]float64{"logprob": logprob, "entropy": entropy}
	}
}
