package ledger

// signs are the characters that stand for themselves in a formula.
var signs = signTable()

func signTable() map[rune]piece {
	table := map[rune]piece{}
	add := func(c class, names map[rune]string) {
		for r, tex := range names {
			table[r] = piece{tex: tex, class: c}
		}
	}
	add(symbol, letters)
	add(operator, operators)
	add(function, map[rune]string{'Σ': `\sum`, '∑': `\sum`, 'Π': `\prod`, '∏': `\prod`, '∫': `\int`})
	add(opening, map[rune]string{'(': "(", '[': "[", '{': `\{`, '⌊': `\lfloor`, '⌈': `\lceil`, '⟨': `\langle`})
	add(
		closing,
		map[rune]string{')': ")", ']': "]", '}': `\}`, '⌋': `\rfloor`, '⌉': `\rceil`, '⟩': `\rangle`, '!': "!"},
	)
	return table
}

var letters = map[rune]string{
	'α': `\alpha`, 'β': `\beta`, 'γ': `\gamma`, 'δ': `\delta`, 'ε': `\varepsilon`, 'ζ': `\zeta`, 'η': `\eta`,
	'θ': `\theta`,
	'ι': `\iota`, 'κ': `\kappa`, 'λ': `\lambda`, 'μ': `\mu`, 'ν': `\nu`, 'ξ': `\xi`, 'π': `\pi`, 'ρ': `\rho`,
	'σ': `\sigma`, 'τ': `\tau`, 'υ': `\upsilon`, 'φ': `\varphi`, 'ϕ': `\phi`, 'χ': `\chi`, 'ψ': `\psi`, 'ω': `\omega`,
	'Γ': `\Gamma`, 'Δ': `\Delta`, 'Θ': `\Theta`, 'Λ': `\Lambda`, 'Ξ': `\Xi`, 'Φ': `\Phi`, 'Ψ': `\Psi`, 'Ω': `\Omega`,
	'∞': `\infty`, '∂': `\partial`, '∇': `\nabla`, 'ℓ': `\ell`, '∅': `\varnothing`, '⊤': `\top`, '𝟙': `\mathbb{1}`,
	'ℝ': `\mathbb{R}`, '𝔼': `\mathbb{E}`, 'Â': `\hat{A}`, 'â': `\hat{a}`, 'ê': `\hat{e}`, 'ĝ': `\hat{g}`,
	'ŷ': `\hat{y}`, 'Ŵ': `\hat{W}`, 'Ŷ': `\hat{Y}`,
	'½': `\tfrac{1}{2}`, '¼': `\tfrac{1}{4}`, 'ȳ': `\bar{y}`, 'ē': `\bar{e}`, 'õ': `\tilde{o}`,
}

var operators = map[rune]string{
	'=': "=", '+': "+", '-': "-", '−': "-", '±': `\pm`, '∓': `\mp`, '/': "/", '*': "*", '·': `\cdot`, '⋅': `\cdot`,
	'×': `\times`,
	'÷': `\div`, '⊙': `\odot`, '⊗': `\otimes`, '⊕': `\oplus`, '∘': `\circ`, '<': `\lt`, '>': `\gt`, '≤': `\le`,
	'≥': `\ge`, '≠': `\ne`,
	'≈': `\approx`, '≡': `\equiv`, '≪': `\ll`, '≫': `\gg`, '∝': `\propto`, '∼': `\sim`, '~': `\sim`, '∈': `\in`,
	'∉': `\notin`, '⊂': `\subset`,
	'⊆': `\subseteq`, '∪': `\cup`, '∩': `\cap`, '∀': `\forall`, '∃': `\exists`, '¬': `\neg`, '∧': `\land`, '∨': `\lor`,
	'→': `\to`, '←': `\gets`, '↦': `\mapsto`, '⇒': `\Rightarrow`, '⇔': `\Leftrightarrow`, '≔': `:=`, '‖': `\Vert`,
	'∥': `\Vert`,
	',': ",", ';': ";", ':': ":", '.': ".", '…': `\dots`, '⋯': `\cdots`, '?': "?", '%': `\%`, '&': `\&`,
}

// above and below are the characters that are raised or lowered by themselves; a command ends with
// a space, for what may follow.
var above = map[rune]string{
	'⁰': "0", '¹': "1", '²': "2", '³': "3", '⁴': "4", '⁵': "5", '⁶': "6", '⁷': "7", '⁸': "8", '⁹': "9", '⁺': "+",
	'⁻': "-",
	'ᵀ': `\top `, 'ⁿ': "n", 'ⁱ': "i", 'ᵏ': "k", 'ᵗ': "t", 'ᵐ': "m", '\'': `\prime `, '’': `\prime `, '′': `\prime `,
	'″': `\prime\prime `,
}

var below = map[rune]string{
	'₀': "0", '₁': "1", '₂': "2", '₃': "3", '₄': "4", '₅': "5", '₆': "6", '₇': "7", '₈': "8", '₉': "9", '₊': "+",
	'₋': "-",
	'ᵢ': "i", 'ⱼ': "j", 'ₖ': "k", 'ₘ': "m", 'ₙ': "n", 'ₜ': "t", 'ₚ': "p", 'ₛ': "s",
}

// accents are the combining characters.
var accents = map[rune]string{'\u0302': `\hat`, '\u0303': `\tilde`, '\u0304': `\bar`, '\u0307': `\dot`}
