"""Panels of notebook 03 that only this paper has."""

from __future__ import annotations

from hassan2021.colours import COLOURS


def draw_timeline(
    ax,
    *,
    scan_s: float,
    scans_before: int,
    exposure_s: float,
    start_s: float,
    scans_after: int,
    reexposure_s: dict[str, float],
    wavelengths_nm: dict[str, tuple[float, float, float]],
) -> None:
    """The procedure on one line, with the PL wavelength before (black) and after (red) exposure.

    `wavelengths_nm` maps a film to (before, after, error).
    """
    boxes = [
        (f"{scans_before} scans\n{scan_s:g} s each", 2.6, "sky"),
        (f"405 nm\n{exposure_s:g} s", 1.1, "pink"),
        (f"start\n{start_s:g} s", 0.9, "grey"),
        ("re-expose\n" + ", ".join(f"{v:g} s {k}" for k, v in reexposure_s.items()), 1.8, "pink"),
        (f"scan\n{scan_s:g} s", 1.0, "sky"),
    ]
    x = 0.0
    edges = []
    for text, width, colour in boxes:
        ax.add_patch(_box(x, 0.0, width, 0.8, COLOURS[colour]))
        ax.text(x + width / 2, 0.4, text, ha="center", va="center", size=5)
        edges.append(x)
        x += width + 0.12
    ax.annotate(
        "",
        (edges[3], -0.18),
        (x - 0.12, -0.18),
        arrowprops={"arrowstyle": "|-|", "lw": 0.8, "mutation_scale": 2},
    )
    ax.text((edges[3] + x) / 2, -0.34, f"{scans_after} times", ha="center", va="top", size=5.5)
    for i, (name, (before, after, error)) in enumerate(wavelengths_nm.items()):
        y = 1.35 + 0.55 * i
        ax.text(-0.1, y, name, ha="right", va="center", size=6, color=COLOURS[name])
        (
            ax.plot(edges[1] - 0.06, y, "o", color="black", ms=4),
            ax.text(edges[1] - 0.25, y, f"{before:.0f} nm", ha="right", va="center", size=5.5),
        )
        for at in (edges[2] - 0.06, edges[3] + boxes[3][1] + 0.06, x - 0.05):
            ax.plot(at, y, "o", color=COLOURS["orange"], ms=4)
        ax.text(
            edges[2] + 0.15, y, f"{after:.0f} ± {error:.0f} nm", ha="left", va="center", size=5.5
        )
    for colour, when in (("black", "before"), (COLOURS["orange"], "after")):
        ax.plot([], [], "o", color=colour, ms=4, label=f"PL {when} exposure")
    ax.set(xlim=(-0.9, x + 0.1), ylim=(-0.75, 2.3))
    ax.legend(loc="lower left", ncols=2, fontsize=5.5)
    ax.axis("off")


def _box(x, y, width, height, colour):
    from matplotlib.patches import FancyBboxPatch

    return FancyBboxPatch(
        (x, y),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.08",
        facecolor=colour,
        alpha=0.45,
        edgecolor="none",
    )
