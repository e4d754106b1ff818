"""How far a campaign is, on the terminal; nothing where nobody looks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from peled.campaign.engines import Run, dashboard
from peled.campaign.run import Told


@contextlib.contextmanager
def progress(run: Run) -> Iterator[Told]:
    """A bar with the count, the time left, and what was not done, each with its name.

    Parameters
    ----------
    run : Run
        Its dashboard is named, if it has one.

    Yields
    ------
    callable
        To be called with the number of units done, of all, the label of the last and its status.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("samples", total=None)
        if link := dashboard(run):
            console.print(f"dashboard: {link}")

        def told(count: int, total: int, label: str, status: str) -> None:
            bar.update(task, completed=count, total=total)
            if status != "done":
                console.print(f"{label}: {status}", markup=False)

        yield told
