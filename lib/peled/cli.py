"""The command line: what a notebook does, where there is none.

Exit status: 0 where at least one number is reported, 1 where none is, 2 where the command cannot be
understood.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from peled.lab.folder import topics


@click.group()
def main() -> None:
    """Analyses of perovskite-LED laboratories."""


@main.command()
@click.argument("topic")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Results folder.")
@click.option("--samples", type=click.Path(path_type=Path), help="A sheet that lies elsewhere.")
def report(topic: str, folder: Path, out: Path | None, samples: Path | None) -> None:
    """Analyse FOLDER as TOPIC says; print the numbers, write CSV, JSON and PDF.

    The folder is described by its samples.csv. Without one, a sheet is proposed and written to the
    results folder; numbers that rest on it are doubtful until a person has saved it beside the
    data.
    """
    if topic not in topics():
        known = ", ".join(topics()) or "none is installed"
        raise click.BadParameter(f"{topic!r}: expected one of {known}", param_hint="TOPIC")
    out = out or Path(f"{topic}_report")
    if out.resolve().is_relative_to(folder.resolve()):
        raise click.BadParameter("expected a folder outside the data", param_hint="--out")
    from peled.samples import SheetError, read_sheet

    room = importlib.import_module(f"peled.{topic}.analyse")
    try:
        sheet = read_sheet(folder, topic, sniff=getattr(room, "sniff", None), samples=samples)
    except SheetError as error:
        raise click.ClickException(str(error)) from error
    found = room.analyse(sheet, {})
    click.echo(str(found))
    try:
        written = found.export(out)
        if sheet.source is None:
            written.append(sheet.write_proposal(out))
            click.echo(
                f"\nNo samples.csv: the rows above are proposed. Correct {written[-1].name} and "
                "save it beside the data as samples.csv."
            )
    except OSError as error:
        raise click.ClickException(str(error)) from error
    click.echo("\nWritten: " + ", ".join(path.as_posix() for path in written))
    if all(q.value is None for q in found.quantities):
        raise click.ClickException("no number can be reported; the reasons stand above")
