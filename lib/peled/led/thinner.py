"""What another thickness would give: drag along the limit of a stack against one of its layers."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from peled.lab import Explorer
from peled.led.ceiling import Stack
from peled.led.outcoupling import Limit, assumed, scan
from peled.report import Report
from peled.samples import Sheet

POINTS = 29  #: thicknesses of a curve
REACH = (0.2, 2.0)  #: of the thickness as described


def explorer(sheet: Sheet, report: Report) -> Explorer:
    """The explorer of a folder's stack.

    Parameters
    ----------
    sheet : Sheet
        Not used.
    report : Report

    Returns
    -------
    Explorer

    Raises
    ------
    LookupError
        If the sheet names no stack.
    """
    stacks = {name: d.stack for name, d in report.found.items() if d.stack is not None}
    if not stacks:
        raise LookupError("the sheet names no stack of layers: there is no limit to try")
    return Thinner(stacks, report)


class Thinner(Explorer):
    """Drag over the curve: what this layer would give with that thickness, the others as they are.

    Choices are `stack`, `layer` and `thickness_nm` (a number, or where the curve was pointed at).
    """

    def __init__(self, stacks: dict[str, Stack], report: Report):
        self.assumed = assumed(report.settings)
        self.stacks = stacks
        self.curves: dict[tuple[str, str], tuple[np.ndarray, Limit]] = {}
        self.chosen = {"stack": next(iter(stacks)), "layer": "", "thickness_nm": None}
        self.menus = {"stack": list(stacks), "layer": []}
        self.figure = Figure(figsize=(4.6, 2.9), layout="constrained")
        ax = self.figure.subplots()
        self.points = {"thickness_nm": ax}
        (self.curve,) = ax.plot([], [], lw=1.2)
        (self.now,) = ax.plot([], [], "o", ms=5, color="k", label="as described")
        (self.then,) = ax.plot([], [], "o", ms=5, color="C1", label="tried")
        ax.set(ylabel="EQE limit (%)")
        ax.xaxis.set_minor_locator(NullLocator())
        ax.legend(loc="lower right", fontsize=6)
        self.said = self.figure.suptitle("\n", fontsize=7)
        self.turned("stack")

    def turned(self, name: str) -> None:
        if name == "thickness_nm" and np.ndim(self.chosen[name]) == 0:
            self._refuse(self.chosen[name])
        if name == "stack":
            layers = self._stack.layers[1:]
            self.menus["layer"] = [layer.name for layer in layers]
            electron = [layer.name for layer in layers if layer.role == "electron"]
            self.chosen["layer"] = (electron or self.menus["layer"])[0]
        if name in ("stack", "layer"):
            self.chosen["thickness_nm"] = None

    def _refuse(self, nm: float | None) -> None:
        """A number beyond the curve is an error; a pointer at its end is not."""
        layer = self.chosen["layer"]
        low, high = (share * self._stack[layer].thickness_nm for share in REACH)
        if nm is not None and not low <= nm <= high:
            self.chosen["thickness_nm"] = None
            raise ValueError(
                f"thickness_nm: expected {low:.4g} to {high:.4g} nm of {layer}, found {nm:g}; for "
                "more describe another stack"
            )

    @property
    def _stack(self) -> Stack:
        return self.stacks[self.chosen["stack"]]

    def _scanned(self) -> tuple[np.ndarray, Limit]:
        key = self.chosen["stack"], self.chosen["layer"]
        if key not in self.curves:
            here = self._stack[key[1]].thickness_nm
            tried = np.append(here, np.linspace(REACH[0] * here, REACH[1] * here, POINTS - 1))
            self.curves[key] = tried, scan(self._stack, key[1], tried, self.assumed)
        return self.curves[key]

    def update(self) -> None:
        """Move the point; a layer is scanned once."""
        tried, found = self._scanned()
        eqe, place = 100 * found.eqe, self.chosen["thickness_nm"]
        x = float(np.clip(np.ravel([tried[0] if place is None else place])[0], tried[1], tried[-1]))
        y = float(np.interp(x, tried[1:], eqe[1:]))
        ax = self.points["thickness_nm"]
        self.curve.set_data(tried[1:], eqe[1:])
        self.now.set_data(tried[:1], eqe[:1])
        self.then.set_data([x], [y])
        ax.set_xlim(tried[1], tried[-1])
        ax.set_ylim(0, 1.15 * eqe.max())
        layer = self.chosen["layer"]
        ax.set_xlabel(f"thickness of {layer} (nm)")
        self.said.set_text(
            f"{layer} {tried[0]:.3g} nm: {eqe[0]:.1f} %; {x:.3g} nm: {y:.1f} % "
            f"(internal yield {self.assumed.internal_yield:g})"
        )
