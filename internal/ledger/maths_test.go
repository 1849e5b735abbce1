package ledger

import (
	"strings"
	"testing"
)

func TestTex(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{`cKV_t = WDKV h_t`, `c_{t}^{KV} = W^{DKV}\,h_{t}`},
		{`θ_i = b^(−2i/d),  i = 0 … d/2−1`, `\theta_{i} = b^{-2i/d},\quad i = 0 \dots d/2-1`},
		{`y_i = w_i x_i / √(mean(x²) + ε)`, `y_{i} = w_{i}\,x_{i} / \sqrt{\text{mean}(x^{2}) + \varepsilon}`},
		{`softmax(qᵀk/(t √d_k))`, `\text{softmax}(q^{\top}k/(t\,\sqrt{d_{k}}))`},
		{`o_s = Σ_{j ≤ i} p_sj v_j`, `o_{s} = \sum_{j \le i} p_{sj}\,v_{j}`},
		{`WUK_iᵀ q`, `W_{i}^{UK\,\top}\,q`},
		{`dW2 = dy hᵀ`, `dW_{2} = dy\,h^{\top}`},
		{`θ'_i = 10⁻¹² x₁²`, `\theta_{i}^{\prime} = 10^{-12}\,x_{1}^{2}`},
		{`γ(r) = 0 for r < α`, `\gamma(r) = 0\ \text{for}\ r \lt \alpha`},
		{`w = mean of w_h over the group's heads`, `w = \text{mean of}\ w_{h}\ \text{over the group's heads}`},
		{`j > i − window if there is a window`, `j \gt i - \text{window if there is a window}`},
		{`j < kv_len,  mscale_all_dim²`, `j \lt \mathrm{kv\_len},\quad \mathrm{mscale\_all\_dim}^{2}`},
		{`lse = log Σ_p e^{lse_p − lse}`, `\text{lse} = \log \sum_{p} e^{\text{lse}_{p} - \text{lse}}`},
		{`S = {1, 2}`, `S = \{1, 2\}`},
		{`π_old(a | s)`, `\pi_{\text{old}}(a \mid s)`},
		{`|x|`, `\vert x\vert`},
		{`1/|o| Σ_t x`, `1/\vert o\vert \sum_{t} x`},
		{`a_{tij} x_{(i)}`, `a_{tij}\,x_{(i)}`},
		{`x̂ = 0.1 m ln s + 1.`, `\hat{x} = 0.1\,m\,\ln s + 1.`},
		{`low  = 2·k`, `\text{low} = 2\cdot k`},
		{`e^−x`, `e^{-x}`},
		{`log-sum-exp`, `\text{log-sum-exp}`},
	} {
		got, ok := TeX(c.line)
		if !ok || got != c.want {
			t.Errorf("%s\n got %s, %v\nwant %s", c.line, got, ok, c.want)
		}
	}
}

func TestTexGivesUpOnWhatItDoesNotKnow(t *testing.T) {
	for _, line := range []string{`⎡cos⎤`, `x^`, `x_`, `e^{x`, `√(x`, `a ⌘ b`, `$x$`, "`x`", `\sum`} {
		if got, ok := TeX(line); ok {
			t.Errorf("%s became %s", line, got)
		}
	}
}

func TestBalanced(t *testing.T) {
	for out, want := range map[string]bool{
		`x_{i}`: true, `\{x\}`: true, `\{x`: true,
		`{x`: false, `x}`: false, `}{`: false, `a|b`: false, "a`b": false, `a$b`: false,
	} {
		if balanced(out) != want {
			t.Errorf("balanced(%s) = %v", out, !want)
		}
	}
}

func FuzzTex(f *testing.F) {
	f.Add(`o_{t,i} = Σ_{j ≤ t} softmax_j(q_{t,i}ᵀ k_{j,i} / √(d_h+d_h^R)) v_{j,i}`)
	f.Add(`x′″² ̂^(a_(b)) | {c} 1.5.`)
	f.Fuzz(func(t *testing.T, line string) {
		if out, ok := TeX(line); ok && (!balanced(out) || strings.ContainsAny(out, "|`$\n")) {
			t.Errorf("%q became %q", line, out)
		}
	})
}
