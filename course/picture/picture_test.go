package picture

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/svg"
)

const root = "../.."

func TestPages(t *testing.T) { check.PagesOf(t, root, Pages) }

func TestPictures(t *testing.T) {
	for _, p := range gallery {
		light, dark := p.drawn(&svg.Light), p.drawn(&svg.Dark)
		t.Run(p.name+" is well-formed and small", func(t *testing.T) {
			if n := len(light.String()); n > 40<<10 {
				t.Errorf("%d bytes", n)
			}
			if err := wellFormed(dark.String()); err != nil {
				t.Error(err)
			}
		})
		t.Run(p.name+" differs between the themes in its colours alone", func(t *testing.T) {
			colour := regexp.MustCompile(`#[0-9a-f]{6}`)
			if colour.ReplaceAllString(light.String(), "") != colour.ReplaceAllString(dark.String(), "") {
				t.Error("another drawing")
			}
		})
		t.Run(p.name+" has its words inside, and none over another", func(t *testing.T) {
			for _, found := range crowded(light) {
				t.Error(found)
			}
		})
	}
}

// wellFormed reads all of a file.
func wellFormed(file string) error {
	for d := xml.NewDecoder(strings.NewReader(file)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// crowded returns the words of a picture that are cut off at its edges or lie over others. Words
// are taken a little wider than in Helvetica, as other sans-serif fonts are.
func crowded(p *svg.Picture) (found []string) {
	words := p.Words()
	for i, a := range words {
		if a.X < 0 || a.Y < 0 || a.X+1.03*a.Width > p.Width || a.Y+a.Height > p.Height {
			found = append(found, fmt.Sprintf("%q leaves the picture", a.Text))
		}
		for _, b := range words[:i] {
			if overlap(a, b) {
				found = append(found, fmt.Sprintf("%q lies over %q", a.Text, b.Text))
			}
		}
	}
	return found
}

func overlap(a, b svg.Words) bool {
	return a.X < b.X+b.Width && b.X < a.X+a.Width && a.Y < b.Y+0.9*b.Height && b.Y < a.Y+0.9*a.Height
}

func TestCrowdedIsFound(t *testing.T) {
	for name, draw := range map[string]func(p *svg.Picture){
		"words that leave on the right": func(p *svg.Picture) { p.Text(90, 50, svg.Style{}, "too long") },
		"words that leave at the top":   func(p *svg.Picture) { p.Text(10, 5, svg.Style{}, "x") },
		"words over words": func(p *svg.Picture) {
			p.Text(10, 50, svg.Style{}, "under")
			p.Text(20, 54, svg.Style{}, "over")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := svg.New(&svg.Light, 100, 100, "", "")
			p.Text(50, 90, svg.Style{}, "alone")
			draw(p)
			if found := crowded(p); len(found) != 1 {
				t.Errorf("found %q", found)
			}
		})
	}
}

func TestWordsFitTheirBoxes(t *testing.T) {
	fill := []string{}
	for key, value := range shapes() {
		fill = append(fill, "{"+key+"}", value)
	}
	values := strings.NewReplacer(fill...)
	for name, nodes := range map[string][]svg.Node{
		"mla, both": latentCommon, "mla, naive": latentExpanded, "mla, absorbed": latentAbsorbed, "fp8": layerNodes,
		"mtp": predictionNodes, "rl": ladderNodes, "ppo": actorNodes, "grpo": groupNodes, "r1": stageNodes,
	} {
		t.Run("of "+name, func(t *testing.T) {
			for _, n := range nodes {
				for _, line := range n.Lines {
					p := svg.New(&svg.Light, 1000, 100, "", "")
					small := strings.HasPrefix(line, "~")
					p.Text(0, 50, svg.Style{Bold: !small}, values.Replace(strings.TrimLeft(line, "*~")))
					if wide := p.Words()[0].Width; wide > n.W || small && 11*wide/12 > n.W {
						t.Errorf("%q is %.0f wide in %s, %g wide", line, wide, n.ID, n.W)
					}
				}
			}
		})
	}
}
