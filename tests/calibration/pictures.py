"""One picture a topic: the share of 95 % intervals that hold the truth, by quantity and noise."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from peled import figures
from peled.files import write_atomically


def save(path: Path, topic: str, rows: list[dict]) -> None:
    """A cell a quantity and kind of noise, its number in per cent; empty where none is reported."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    quantities = list(dict.fromkeys(row["quantity"] for row in rows))
    kinds = list(dict.fromkeys((row["kind"], row["level"]) for row in rows))
    with mpl.rc_context():
        figures.use_style()
        size = (2.2 + 0.36 * len(kinds), 1.6 + 0.2 * len(quantities))
        figure = Figure(figsize=size, layout="constrained")
        ax = figure.subplots()
        grid = np.full((len(quantities), len(kinds)), np.nan)
        for row in rows:
            at = quantities.index(row["quantity"]), kinds.index((row["kind"], row["level"]))
            if "inside_95" in row:
                grid[at] = 100 * row["inside_95"]
                out = row["covers"] != "95 %"
                ax.text(at[1], at[0], f"{grid[at]:.0f}", ha="center", va="center", fontsize=5.5,
                        weight="bold" if out else "normal")  # fmt: skip
        norm = mpl.colors.TwoSlopeNorm(95, 60, 100)
        ax.imshow(grid, cmap="RdYlBu", norm=norm, aspect="auto", alpha=0.6)
        ax.set_yticks(range(len(quantities)), quantities, fontsize=6)
        names = [f"{kind}\n{level}" if level else kind for kind, level in kinds]
        ax.set_xticks(range(len(kinds)), names, rotation=60, ha="right", fontsize=5.5,
                      rotation_mode="anchor")  # fmt: skip
        ax.set_title(f"{topic.replace('_', ' ')}: % of 95 % intervals that hold the truth\n"
                     "bold: not compatible with 93 to 97", fontsize=7)  # fmt: skip
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=160, metadata={"Software": None})
    write_atomically(path, stream.getvalue())
