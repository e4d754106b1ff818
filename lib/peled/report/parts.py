"""What a report holds beside quantities: pictures, and what was set aside."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
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


def by_kind(problems: Iterable[Problem]) -> list[Problem]:
    """Problems that say the same of several files as one, which names the first and the last.

    Parameters
    ----------
    problems : iterable of Problem

    Returns
    -------
    list of Problem

    Examples
    --------
    >>> for one in by_kind(Problem(f"{k}.csv (f)", f"{k}.csv: found no numbers") for k in "abc"):
    ...     print(one)
    a.csv (f) and 2 more, to c.csv (f): a.csv: found no numbers
    """
    kinds: dict[str, list[Problem]] = {}
    for one in problems:
        stem = re.split(r"\.\w+(?=$| [(\[])", one.where)[0]
        alike = re.sub(rf"(?<!\w){re.escape(stem)}(?=\.\w|')", "", one.reason)
        kinds.setdefault(alike, []).append(one)
    return [
        replace(first, where=f"{first.where} and {len(more)} more, to {more[-1].where}")
        if more else first
        for first, *more in kinds.values()
    ]  # fmt: skip


_PACKAGE = Path(__file__).resolve().parents[1]
_LIBRARIES = re.compile(r"site-packages|dist-packages|python3\.\d+[/\\]").search


def reason(error: Exception) -> str:
    """What an error says to whoever made the file.

    Parameters
    ----------
    error : Exception
        As it was caught.

    Returns
    -------
    str
        Its own sentence where this package raised it. What a library says of its arguments, or
        Python of a fault, speaks of no file: then which step failed, and what to do.
    """
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    library = bool(frames) and frames[-1] not in ours and _LIBRARIES(frames[-1].filename)
    if isinstance(error, ValueError) and not library:
        return str(error)
    step = f"at {ours[-1].name.strip('_<>')} " if ours else ""
    return (
        f"expected numbers that can be analysed, found some at which it fails {step}"
        f"({type(error).__name__}); see whether its columns are what the row says, or send the "
        "file with its row of the sample sheet"
    )


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
