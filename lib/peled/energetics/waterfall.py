"""A binding energy as the sum of its contributions, drawn as a waterfall."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import NamedTuple

from peled.figures import COLOURS

#: Colours of contributions by kind; members of one series take those of `MEMBERS` in turn.
KINDS = {"between": COLOURS["amber"], "total": COLOURS["orange"], "other": COLOURS["grey"]}
MEMBERS = tuple(COLOURS[name] for name in ("green", "pink", "sky", "brown"))


class Step(NamedTuple):
    """One contribution: name, energy in eV, its error in eV or None, and a kind: `member` or one of
    `KINDS`.
    """

    label: str
    value_eV: float
    error_eV: float | None = None
    kind: str = "other"


class Bar(NamedTuple):
    """A bar of the running total: where it starts and ends, and its error or None (eV)."""

    label: str
    start_eV: float
    end_eV: float
    error_eV: float | None
    kind: str


def running(steps: Sequence[Step], *, total: str = "total") -> list[Bar]:
    """The bars of a waterfall and that of the total.

    Parameters
    ----------
    steps : sequence of Step or of tuples (label, value_eV, error_eV, kind)
    total : str
        Name of the last bar; empty for none. It has no error: a step that is itself a difference
        (the intermolecular part) is not independent of the others.

    Returns
    -------
    list of Bar

    Raises
    ------
    ValueError
        For an energy that is not finite, or an unknown kind.

    Examples
    --------
    >>> parts = [("A", -1.85, None, "member"), ("B", -1.6, None, "member"), ("A-B", -1.0)]
    >>> [round(bar.end_eV, 2) for bar in running(parts)]
    [-1.85, -3.45, -4.45, -4.45]
    """
    bars, at = [], 0.0
    for step in (Step(*s) for s in steps):
        if not math.isfinite(step.value_eV):
            raise ValueError(f"{step.label}: expected a finite energy, found {step.value_eV}")
        if step.kind not in ("member", *KINDS):
            known = ", ".join(("member", *KINDS))
            raise ValueError(f"{step.label}: expected a kind of {known}, found {step.kind!r}")
        bars.append(Bar(step.label, at, at + step.value_eV, step.error_eV, step.kind))
        at += step.value_eV
    if total:
        bars.append(Bar(total, 0.0, at, None, "total"))
    return bars


def waterfall(ax, series: Mapping[str, Sequence[Step]], *, total: str = "total") -> None:
    """Waterfalls side by side, one for each source (paper, tight binding, DFT): contributions,
    running total, values and errors.

    Parameters
    ----------
    ax : Axes
    series : mapping of str to steps
        By source the steps, tuples (label, value_eV, error_eV or None, kind); error bars are drawn
        where an error is known.
    total : str
        Name of the last bar of each.
    """
    left, ticks, low, high = 0.0, [], 0.0, 0.0
    for name, steps in series.items():
        bars = running(steps, total=total)
        members = cycle(MEMBERS)
        for k, bar in enumerate(bars):
            x = left + k
            ax.bar(
                x,
                bar.end_eV - bar.start_eV,
                bottom=bar.start_eV,
                width=0.72,
                color=next(members) if bar.kind == "member" else KINDS[bar.kind],
                alpha=1.0 if bar.kind == "total" else 0.75,
                zorder=2,
            )
            if k + 1 < len(bars):
                ax.plot(
                    [x + 0.36, x + 0.64], [bar.end_eV] * 2, color="black", lw=0.5, ls=":", zorder=1
                )
            if bar.error_eV is not None:
                ax.errorbar(
                    x,
                    bar.end_eV,
                    yerr=bar.error_eV,
                    color="black",
                    lw=0.8,
                    capsize=1.8,
                    capthick=0.8,
                    zorder=3,
                )
            size = bar.end_eV - bar.start_eV
            text = f"{size:+.2f}" if bar.kind != "total" else f"{size:.2f}"
            text += f"\n\u00b1 {bar.error_eV:.2f}" if bar.error_eV is not None else ""
            lowest = min(bar.start_eV, bar.end_eV) - (bar.error_eV or 0.0)
            gap = {"xy": (x, lowest), "xytext": (0, -2), "textcoords": "offset points"}
            ax.annotate(
                text.replace("-", "\u2212"),
                **gap,
                ha="center",
                va="top",
                fontsize=5.5,
                linespacing=1.0,
                zorder=4,
            )
            ticks.append((x, bar.label))
            low, high = (
                min(low, lowest),
                max(high, bar.start_eV, bar.end_eV + (bar.error_eV or 0.0)),
            )
        ax.text(
            left + (len(bars) - 1) / 2,
            1.0,
            name,
            transform=ax.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=6.5,
        )
        left += len(bars) + 0.6
    ax.axhline(0, color="black", lw=0.6)
    ax.set_xticks(
        [x for x, _ in ticks],
        [label for _, label in ticks],
        rotation=40,
        ha="right",
        rotation_mode="anchor",
        fontsize=6,
    )
    ax.tick_params(axis="x", length=0)
    ax.set(
        ylabel="energy (eV)",
        xlim=(-0.7, left - 0.9),
        ylim=(low - 0.17 * (high - low), high + 0.06 * (high - low)),
    )
