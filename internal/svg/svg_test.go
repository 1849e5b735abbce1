package svg

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestPixels(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 12: "12", 12.34: "12.3", -7.5: "-7.5", -0.04: "0", math.Copysign(0, -1): "0", 99.96: "100",
		math.Nextafter(0.35, 0): Pixels(0.35), math.Nextafter(0.35, 1): Pixels(0.35), math.Nextafter(2.25, 0): "2.2",
	} {
		if got := Pixels(x); got != want {
			t.Errorf("%.17g: %s, want %s", x, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for words, want := range map[string]string{
		"plain":      ">plain<",
		"c^{KV}_j":   `>c<tspan dy="-4" font-size="8.6">KV</tspan><tspan dy="7.9" font-size="8.6">j</tspan><`,
		"x_t + 1":    `>x<tspan dy="4" font-size="8.6">t</tspan><tspan dy="-4"> + 1<`,
		`kv\_len`:    ">kv_len<",
		"a<b & c":    ">a&lt;b &amp; c<",
		"open^{KV":   `>open<tspan dy="-4" font-size="8.6">{</tspan><tspan dy="4">KV<`,
		"ends with_": ">ends with_<",
		"θ_θ":        `>θ<tspan dy="4" font-size="8.6">θ</tspan><`,
		"":           "><",
	} {
		t.Run("of "+strconv.Quote(words), func(t *testing.T) {
			p := New(&Light, 100, 100, "", "")
			p.Text(10, 20, Style{}, words)
			if got := p.String(); !strings.Contains(got, want) {
				t.Errorf("%s\nwant %s", got, want)
			}
		})
	}
}

func TestWords(t *testing.T) {
	t.Run("a word ends where the anchor says", func(t *testing.T) {
		p := New(&Light, 100, 100, "", "")
		for _, anchor := range []string{Start, Middle, End} {
			p.Text(50, 20, Style{Size: 10, Anchor: anchor}, "iii")
		}
		var lefts []string
		for _, w := range p.Words() {
			lefts = append(lefts, Pixels(w.X))
		}
		if want := []string{"50", "46.7", "43.3"}; !slices.Equal(lefts, want) { // three of 222 thousandths
			t.Errorf("%v, want %v", lefts, want)
		}
	})
	t.Run("a turned word goes upwards from its place", func(t *testing.T) {
		p := New(&Light, 100, 100, "", "")
		p.Text(50, 80, Style{Size: 10, Turned: true}, "iii")
		if w := p.Words()[0]; Pixels(w.Y) != "73.3" || Pixels(w.Height) != "6.7" || Pixels(w.X) != "42" {
			t.Errorf("%+v", w)
		}
	})
	t.Run("what is raised is smaller, and bold is wider", func(t *testing.T) {
		if a, b := Wide("x", 10, false), Wide("x", 10, true); a != 5 || b <= a {
			t.Errorf("%g and %g", a, b)
		}
	})
}

func TestPictureIsAFile(t *testing.T) {
	p := New(&Dark, 300, 200, "a <title>", "what & why")
	p.Rounded(1, 2, 3, 4, 5, BlueTint, Blue)
	p.Cells([]Cell{{1, 2, 3, 4}, {5, 6, 7, 8}}, Green, None)
	f := p.Plot(40, 40, 200, 100, Axis{Min: 1, Max: 100, Log: true, Ticks: []float64{10}}, Axis{Max: 2, Label: "y"})
	f.Curve(Stroke{Colour: Orange, Dash: Dashed}, 1, 100, 2, func(x float64) float64 { return x / 50 })
	file := p.String()
	for _, part := range []string{
		"<title>a &lt;title&gt;</title>", "<desc>what &amp; why</desc>", Dark[BlueTint], `d="M1 2h3v4h-3zM5 6h7v8h-7z"`,
		`points="140,140 140,40"`,           // ten is half of the way to a hundred
		`points="40,139 210.3,89.5 240,40"`, // of the curve, at 1, 50.5 and 100
		`stroke-dasharray="7 4"`, `viewBox="0 0 300 200"`,
	} {
		if !strings.Contains(file, part) {
			t.Errorf("lacks %s:\n%s", part, file)
		}
	}
	for d := xml.NewDecoder(strings.NewReader(file)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRoute(t *testing.T) {
	nodes := map[string]Node{"a": Box("a", 0, 100, 40, 20, Blue), "b": Box("b", 100, 0, 60, 20, Blue)}
	for _, c := range []struct {
		name     string
		from, to string
		want     []Point
	}{
		{"sideways it turns twice, half-way", "a.r", "b.l", []Point{{40, 110}, {70, 110}, {70, 10}, {100, 10}}},
		{"upwards it turns twice, half-way", "a.t", "b.b", []Point{{20, 100}, {20, 60}, {130, 60}, {130, 20}}},
		{"round a corner it turns once", "a.t", "b.l", []Point{{20, 100}, {20, 10}, {100, 10}}},
		{"round a corner the other way it turns once", "a.r", "b.b", []Point{{40, 110}, {130, 110}, {130, 20}}},
		{"a part along the side is in percent", "a.r25", "b.b50", []Point{{40, 105}, {130, 105}, {130, 20}}},
		{"it goes straight to where it comes in", "a.t", "b.b=", []Point{{20, 100}, {20, 20}}},
		{"it goes straight from where it leaves", "a.t=", "b.b", []Point{{130, 100}, {130, 20}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := route(nodes, Edge{From: c.from, To: c.to}); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
	t.Run("a node that is not there is a mistake of the drawing", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		route(nodes, Edge{From: "a.t", To: "c.b"})
	})
}

// Words are read against what lies under them. 4.5 is what WCAG 2 asks of small letters.
func TestContrast(t *testing.T) {
	for name, theme := range map[string]*Theme{"light": &Light, "dark": &Dark} {
		for _, c := range []struct {
			over, under []Colour
			least       float64
		}{
			{[]Colour{Ink}, []Colour{Ground, Panel, BlueTint, OrangeTint, GreenTint, PurpleTint}, 10},
			{[]Colour{Muted, Blue, Orange, Green, Purple}, []Colour{Ground, Panel}, 4.5},
			{[]Colour{Muted}, []Colour{BlueTint, OrangeTint, GreenTint, PurpleTint}, 4.5},
			{[]Colour{Ground}, []Colour{Blue, Orange}, 4.5},
		} {
			for _, over := range c.over {
				for _, under := range c.under {
					if got := contrast(theme[over], theme[under]); got < c.least {
						t.Errorf("%s: %s on %s has %.2f, wanted %g", name, theme[over], theme[under], got, c.least)
					}
				}
			}
		}
	}
}

// contrast is WCAG 2's ratio of two colours.
func contrast(a, b string) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(hex string) (sum float64) {
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			panic(err)
		}
		v := float64(n) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}

func TestTint(t *testing.T) {
	for colour, want := range map[Colour]Colour{
		Blue: BlueTint, Orange: OrangeTint, Green: GreenTint, Purple: PurpleTint, Muted: Panel, Ink: Panel,
	} {
		if got := colour.Tint(); got != want {
			t.Errorf("%d: %d, want %d", colour, got, want)
		}
	}
}
