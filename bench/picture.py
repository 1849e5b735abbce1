"""Draws how the time of a verdict grows: one panel for each size, both axes logarithmic."""

import math

PANEL_WIDE, PANEL_HIGH, STEP = 148, 150, 180  # pixels
LEFT, TOP = 62, 76
DOT, FIT, GRID, TEXT = "#1f5fa8", "#999999", "#dddddd", "#222222"


def fitted(points: list[tuple[float, float]]) -> tuple[float, float]:
    """The exponent p and the factor c of c·nᵖ by least squares of the logarithms."""
    x, y = [math.log(n) for n, _ in points], [math.log(t) for _, t in points]
    mx, my = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - mx) ** 2 for a in x)
    p = sum((a - mx) * (b - my) for a, b in zip(x, y)) / spread if spread else 0.0
    return p, math.exp(my - p * mx)


def text(x: float, y: float, size: int, anchor: str, words: str) -> str:
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{words}</text>'


def line(x0: float, y0: float, x1: float, y1: float, colour: str, more: str = "") -> str:
    return (
        f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{colour}"{more}/>'
    )


def seconds_of(t: float) -> str:
    return f"{t:g} s" if t >= 1 else f"{t * 1e3:g} ms"


def short(n: int) -> str:
    """A size in few letters: 512, 16k, 129k."""
    return str(n) if n < 1000 else f"{n / (1024 if n % 1024 == 0 else 1000):.0f}k"


class Panel:
    """One size on its axes; all panels have the same decades of time."""

    def __init__(self, left: float, points: list, low: int, high: int):
        self.left, self.points, self.low, self.high = left, points, low, high
        self.first, self.last = points[0][0], points[-1][0]

    def x(self, n: float) -> float:
        wide = math.log(self.last / self.first) or 1.0
        return self.left + 8 + (PANEL_WIDE - 16) * math.log(n / self.first) / wide

    def y(self, t: float) -> float:
        share = (math.log10(t) - self.low) / (self.high - self.low)
        return TOP + PANEL_HIGH * (1 - share)

    def drawn(self, axis: str, op: str, labelled: bool) -> list[str]:
        right, below = self.left + PANEL_WIDE, TOP + PANEL_HIGH
        rows = [text(self.left, TOP - 26, 13, "start", axis)]
        rows.append(text(self.left, TOP - 10, 10, "start", op))
        for decade in range(self.low, self.high + 1):
            y = self.y(10.0**decade)
            rows.append(line(self.left, y, right, y, GRID))
            if labelled:
                rows.append(text(self.left - 6, y + 4, 11, "end", seconds_of(10.0**decade)))
        if len(self.points) > 1:
            rows += self.fit(right)
        for n, t in self.points:
            rows.append(f'<circle cx="{self.x(n):.1f}" cy="{self.y(t):.1f}" r="3.5" fill="{DOT}"/>')
            rows.append(text(self.x(n), below + 15, 10, "middle", short(n)))
        return rows

    def fit(self, right: float) -> list[str]:
        """The fitted power as a dashed line, and its exponent."""
        p, c = fitted(self.points)
        x0, x1 = self.x(self.first), self.x(self.last)
        y0, y1 = self.y(c * self.first**p), self.y(c * self.last**p)
        words = f"p = {p:.2f}".replace("-", "−")
        return [
            line(x0, y0, x1, y1, FIT, ' stroke-dasharray="4 3"'),
            text(right, TOP - 26, 12, "end", words),
        ]


def drawn(measured: list[tuple[list[str], float]]) -> str:
    """The picture of ([axis, op, size], seconds), as SVG."""
    panels: dict[tuple[str, str], list] = {}
    for (axis, op, n), seconds in measured:
        panels.setdefault((axis, op), []).append((int(n), seconds))
    times = [t for _, t in measured] or [1]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    wide = LEFT + STEP * max(1, len(panels)) - STEP + PANEL_WIDE + 24
    tall = TOP + PANEL_HIGH + 30
    title = "Time of a verdict against the number n of one thing; dashed: time ∝ nᵖ, fitted"
    size = f'width="{wide}" height="{tall}"'
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" fill="{TEXT}">',
        f'<rect {size} fill="#ffffff"/>',
        text(LEFT, 26, 15, "start", title),
    ]
    for i, ((axis, op), points) in enumerate(panels.items()):
        panel = Panel(LEFT + i * STEP, sorted(points), low, max(high, low + 1))
        rows += panel.drawn(axis, op, labelled=i == 0)
    return "\n".join([*rows, "</svg>", ""])
