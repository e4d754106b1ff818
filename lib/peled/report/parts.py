"""What a report holds beside quantities: pictures, and what was set aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import FigureBase

    from .report import Report


@dataclass(frozen=True)
class Problem:
    """A row, file or part that gave nothing, and why."""

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


@dataclass(frozen=True)
class Panel:
    """One picture: `draw` fills a figure or subfigure. Without a sample it belongs to the batch;
    a wide one stands by itself over the whole width.
    """

    name: str
    draw: Callable[[FigureBase], None] = field(repr=False)
    sample: str = ""
    title: str = ""
    wide: bool = False


#: A topic's drawer: as many panels as the report has samples and series of its kind.
Drawer = Callable[["Report"], Iterable[Panel]]
