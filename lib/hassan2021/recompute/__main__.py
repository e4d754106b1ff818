"""`python -m hassan2021.recompute [pattern ...]`: list the calculations, or repeat or run some."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hassan2021.recompute import gaussians, jobs, potentials, tightbinding, waves

KINDS = {
    "tight_binding": tightbinding.run,
    "stand_in": tightbinding.run_stand_in,
    "solvation": tightbinding.run_solvation,
    "hessian": tightbinding.run_hessian,
    "pyscf": gaussians.run,
    "pyscf_box": gaussians.run_box,
    "dispersion": gaussians.run_dispersion,
    "pw": waves.run,
    "ld1": potentials.run,
    "bond": waves.run_bond,
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m hassan2021.recompute",
        description="Repeat the kept energies from their geometries, one core, one by one; run "
        "and keep those that are not kept.",
    )
    parser.add_argument(
        "patterns",
        nargs="*",
        metavar="NAME",
        help="names or patterns such as 'tight_binding/methylamine*'; none: list",
    )
    parser.add_argument(
        "--inputs",
        metavar="FOLDER",
        type=Path,
        help="write the inputs of these pw.x calculations, for another machine, and run nothing",
    )
    given = parser.parse_args(argv)
    every = jobs.listed()
    if not given.patterns:
        print(*every, sep="\n")
        return 0
    try:
        picked = jobs.chosen(every, given.patterns)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if given.inputs:
        print(*(waves.write_input(job, given.inputs) for job in picked), sep="\n")
        return 0
    return 1 if jobs.run_all(picked, KINDS) else 0


if __name__ == "__main__":
    sys.exit(main())
