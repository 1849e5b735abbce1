package svg

// Colour is what a colour is for; a theme says which one that is.
type Colour int

// Ground is what all else lies on, Ink what is read, Muted what is read second, Grid what lies
// behind, Panel the fill of a box. The other colours are of things that are told apart, each with a
// tint of it for areas under words. None draws nothing.
const (
	None Colour = iota
	Ground
	Ink
	Muted
	Grid
	Panel
	Blue
	Orange
	Green
	Purple
	BlueTint
	OrangeTint
	GreenTint
	PurpleTint
	colours
)

// Tint returns the colour for areas that belongs to a colour for lines; Panel for all others.
func (c Colour) Tint() Colour {
	if Blue <= c && c <= Purple {
		return c - Blue + BlueTint
	}
	return Panel
}

// Theme has a colour for everything: "#rrggbb".
type Theme [colours]string

// Light and Dark are for pages of GitHub's light and dark theme. The four colours stay apart for
// people who do not tell red from green.
var (
	Light = Theme{
		None: "none", Ground: "#ffffff", Ink: "#1f2328", Muted: "#59636e", Grid: "#d8dee4", Panel: "#f3f5f7",
		Blue: "#0a5ea8", Orange: "#b04a00", Green: "#0b7350", Purple: "#8038a0",
		BlueTint: "#dcebfa", OrangeTint: "#fce6d4", GreenTint: "#d8f2e5", PurpleTint: "#f0e2f7",
	}
	Dark = Theme{
		None: "none", Ground: "#0d1117", Ink: "#e6edf3", Muted: "#9aa5b1", Grid: "#30363d", Panel: "#1b212a",
		Blue: "#6cb6ff", Orange: "#ffa35c", Green: "#4fd6a0", Purple: "#dcaeff",
		BlueTint: "#15304d", OrangeTint: "#4b2c14", GreenTint: "#113c2d", PurpleTint: "#3a2450",
	}
)
