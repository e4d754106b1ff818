"""The command line: what a notebook does, where there is none.

Exit status: 0 where at least one number is reported, 1 where none is, 2 where the command cannot be
understood.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import click

from peled import THREADS

LOOK_S = 2.0  # between two looks at a folder that grows


@click.group()
def main() -> None:
    """Analyses of perovskite-LED laboratories."""
    for name in THREADS:  # on matrices as small as these, threads spend their time waiting
        os.environ.setdefault(name, "1")


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
    _check(topic)
    out = _outside(out or Path(f"{topic}_report"), folder)
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


def _check(topic: str) -> None:
    from peled.lab.folder import topics

    if topic not in topics():
        known = ", ".join(topics()) or "none is installed"
        raise click.BadParameter(f"{topic!r}: expected one of {known}", param_hint="TOPIC")


def _outside(out: Path, folder: Path) -> Path:
    if out.resolve().is_relative_to(folder.resolve()):
        raise click.BadParameter("expected a folder outside the data", param_hint="--out")
    return out


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@main.command()
@click.argument("topic")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Results folder.")
@click.option("--settings", type=_FILE, help="JSON with settings of the analysis.")
@click.option("--workers", type=click.IntRange(1), help="On this machine; default: its cores.")
@click.option("--scheduler", help="Address of a dask scheduler, tcp://…")
@click.option("--jobqueue", type=_FILE, help="YAML with a section of dask-jobqueue.")
@click.option(
    "--cpu-s", type=click.FloatRange(1), default=600.0, help="CPU time a sample may take."
)
@click.option("--memory-mb", type=click.FloatRange(1), default=2000.0, help="Memory it may take.")
@click.option("--reports", is_flag=True, help="Write a report a sample, too.")
@click.option("--parquet", is_flag=True, help="Write the table as Parquet, too.")
@click.option("--watch", is_flag=True, help="Go on as files arrive, until interrupted.")
def campaign(topic, folder, out, settings, workers, scheduler, jobqueue, cpu_s, memory_mb, reports,
             parquet, watch) -> None:  # fmt: skip
    """Analyse every sample of every samples.csv in and below FOLDER as TOPIC says.

    One table, one page of pictures. What is done is kept: the same command goes on where it was
    interrupted, and analyses again only what changed.
    """
    import json

    from peled.campaign.engines import EngineError, engine
    from peled.campaign.progress import progress
    from peled.campaign.run import Campaign
    from peled.campaign.worker import Budget

    _check(topic)
    out = _outside(out or Path(f"{topic}_campaign"), folder)
    try:
        said = json.loads(settings.read_text(encoding="utf-8")) if settings else {}
    except ValueError as error:
        raise click.BadParameter(f"no JSON: {error}", param_hint="--settings") from error
    work = Campaign(topic, folder, out, said, reports=reports, parquet=parquet)
    try:
        with engine(Budget(work.module, cpu_s, memory_mb), scheduler, jobqueue, workers) as run:
            with progress(run) as told:
                if watch:
                    _watch(work, run, told)
                units = work.once(run, told)
            written = work.write(units)
    except (EngineError, OSError, ImportError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        raise click.ClickException("interrupted; the same command goes on from here") from None
    click.echo("Written: " + ", ".join(path.as_posix() for path in written))
    if not any(row.get("value") is not None for row in work.rows(units)):
        raise click.ClickException("no number can be reported; the reasons stand in the table")


def _watch(work, run, told) -> None:
    """Look until the keyboard says that the day is over."""
    import time

    try:
        for _ in work.watch(run, told):
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        click.echo("\nA last look.", err=True)
