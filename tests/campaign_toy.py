"""A topic whose files say what their analysis shall do, and a campaign of it as a command.

`python campaign_toy.py FOLDER OUT [SCHEDULER]`; the words of a file are those of `analyse`.
"""

import ctypes
import os
import re
import sys
import time
from pathlib import Path

import numpy as np

from peled.campaign.engines import engine
from peled.campaign.run import Campaign
from peled.campaign.worker import Budget
from peled.quantities import Quantity
from peled.report import from_holdings
from peled.samples import Holdings

CPU_S, MEMORY_MB = 1.0, 300.0


def analyse(sheet, settings):
    holdings = Holdings(sheet, {"jvl": lambda path, row: path.read_text().split()})
    made = [_made(held, settings) for held in holdings.select(role="sample") if held.row.sample]
    return from_holdings(holdings, made, settings=settings)


def _made(held, settings):
    word, *rest = held.data
    if word == "loop":  # holds the interpreter, so that nothing but the system can end it
        re.match(r"(a+)+$", "a" * 60 + "b")
    elif word == "sleep":
        time.sleep(3600)
    elif word == "eat":
        kept = []
        while True:
            kept.append(bytearray(20_000_000))
    elif word == "segfault":
        ctypes.string_at(0)
    elif word == "leave":
        os._exit(3)
    elif word == "raise":
        raise ValueError("no sweep")
    elif word == "beside":
        word = (held.row.path.parent / rest[0]).read_text()
    elif word == "slow":
        time.sleep(float(rest[1]))
        word = rest[0]
    value = float(word) * settings.get("gain", 1.0)
    print("an analysis that prints")
    return Quantity("length", held.row.sample, value, {"ruler": 0.1}, "mm", inputs=(held.digest,))


class Toy(Campaign):
    """As `Campaign`, of this module."""

    module = __name__ if __name__ != "__main__" else Path(__file__).stem


def write(folder: Path, words: dict[str, str], more: str = "") -> None:
    """A folder with a sheet and a file a sample."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "samples.csv").write_text(
        f"sample,measurement,file\n{{sample}},jvl,{{sample}}.txt\n{more}"
    )
    for sample, said in words.items():
        (folder / f"{sample}.txt").write_text(said)


def devices(folder: Path, count: int) -> None:
    """Light-emitting diodes of two groups made on eight days; the tenth of each ten is broken.

    The EQE grows with the annealing temperature.
    """
    import lab_examples  # for this alone: a worker of the toy starts without it

    rng = np.random.default_rng(25)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["sample,measurement,file,group,area_cm2,geometry,date,x_annealing_C"]
    for i in range(count):
        group, name = ("control", "treated")[i % 2], f"d{i:04d}"
        day, annealing = f"2026-05-{1 + 8 * i // count:02d}", 90 + 2 * (i % 7)
        eqe = (0.08, 0.12)[i % 2] * (1 + 0.01 * (annealing - 96)) * (1 + rng.normal(0, 0.03))
        jvl, el = lab_examples.device(rng, eqe, 655 - 5 * (i % 2) + rng.normal(0, 0.7))
        lab_examples.write(folder / f"{name}_jvl.csv", jvl[:12] if i % 10 == 9 else jvl)
        lab_examples.write(folder / f"{name}_el.txt", el)
        said = f"{group},0.045,lambertian,{day},{annealing}"
        lines += [f"{name},jvl,{name}_jvl.csv,{said}", f"{name},el_series,{name}_el.txt,{said}"]
    lab_examples.write(folder / "samples.csv", lines)


def run(folder: Path, out: Path, scheduler: str | None = None, **options) -> list[dict]:
    """The rows of a whole campaign."""
    with engine(Budget(Toy.module, CPU_S, MEMORY_MB), scheduler, workers=2) as go:
        return through(go, folder, out, **options)


def through(go, folder: Path, out: Path, **options) -> list[dict]:
    """The same through an engine that runs already."""
    work = Toy("led", folder, out, **options)
    units = work.once(go)
    work.write(units)
    return list(work.rows(units))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
