"""`python -m hassan2021.recompute [pattern ...]`: list what can be recomputed, or run what is missing of it."""

from __future__ import annotations

import argparse
import sys

from hassan2021.recompute import (
    adsorption,
    dispersion,
    espresso,
    espresso_box,
    jobs,
    lead,
    molecules,
    poses,
    pseudopotentials,
    tables,
    thermal,
)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m hassan2021.recompute",
        description="Recompute the kept energies, one core, one after the other.",
    )
    parser.add_argument(
        "patterns",
        nargs="*",
        metavar="NAME",
        help="names or patterns such as 'tight_binding/methylamine*'; none: list",
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="also what is kept already (its files are removed first)",
    )
    given = parser.parse_args(argv)
    modules = (
        molecules,
        adsorption,
        poses,
        lead,
        dispersion,
        thermal,
        pseudopotentials,
        espresso_box,
        espresso,
    )
    every = [job for module in modules for job in module.jobs()]
    if not given.patterns:
        for job in every:
            print(
                f"{'kept' if job.done else '    '}  {job.name}  ({job.minutes:g} min; {', '.join(job.packages + job.programs)})"
            )
        return 0
    try:
        picked = jobs.chosen(every, given.patterns)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if given.again:
        for job in picked:
            for path in job.outputs:
                path.unlink(missing_ok=True)
    failed = jobs.run_all(picked)
    tables.write()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
