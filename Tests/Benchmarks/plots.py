"""Draws figures as SVG, on logarithmic axes. Standard library only."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 36, 46
COLORS = ("#0b6e99", "#c2541b", "#3d8b37", "#7a4fa3", "#8a6d00", "#b3325e")
TEXT = 'font-family="sans-serif" font-size="12" fill="#222"'


def log_plot(title, x_label, y_label, series):
    """An SVG text: `series` maps a name to its points, (x, y) with both above 0."""
    points = [point for line in series.values() for point in line]
    xs, ys = decades(x for x, _ in points), decades(y for _, y in points)

    def place(x, y):
        across = (math.log10(x) - xs[0]) / (xs[1] - xs[0])
        up = (math.log10(y) - ys[0]) / (ys[1] - ys[0])
        return (
            LEFT + across * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        text(LEFT, 20, title, weight="bold"),
        text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_label, anchor="middle"),
        text(14, (TOP + HEIGHT - BOTTOM) / 2, y_label, anchor="middle", turned=True),
    ]
    for power in range(xs[0], xs[1] + 1):
        x, y = place(10**power, 10 ** ys[0])
        parts += [line(x, TOP, x, y), text(x, y + 16, number(power), anchor="middle")]
    for power in range(ys[0], ys[1] + 1):
        x, y = place(10 ** xs[0], 10**power)
        parts += [line(x, y, WIDTH - RIGHT, y), text(x - 6, y + 4, number(power), anchor="end")]
    for index, (name, values) in enumerate(series.items()):
        color = COLORS[index % len(COLORS)]
        places = [place(*value) for value in sorted(values)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in places]
        y = TOP + 14 + 18 * index
        parts.append(f'<rect x="{WIDTH - RIGHT + 12}" y="{y - 9}" width="10" height="10" fill="{color}"/>')
        parts.append(text(WIDTH - RIGHT + 28, y, name))
    return "\n".join([*parts, "</svg>", ""])


def decades(values):
    """The powers of ten around values; at least one decade."""
    logarithms = [math.log10(value) for value in values]
    low, high = math.floor(min(logarithms)), math.ceil(max(logarithms))
    return low, max(high, low + 1)


def number(power):
    """10^power as a short text."""
    units = {0: "", 3: "k", 6: "M", 9: "G"}
    base = power // 3 * 3
    return f"{10 ** (power - base)}{units[base]}" if base in units else f"1e{power}"


def text(x, y, content, anchor="start", weight="normal", turned=False):
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" {TEXT}{turn}>'
        f"{escape(content)}</text>"
    )


def line(x1, y1, x2, y2):
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'
    )
