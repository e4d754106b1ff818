"""Published measurements as evidence: each row of `published/literature.csv` bears on one claim, by a route of its own.

A row gives a value in the claim's unit with its error, conditions and DOI, and how it was read. What was measured on
another material, or under other conditions, can neither confirm nor refute: such a row says so (`holds`).
"""

from __future__ import annotations

import csv

from ledger import paper
from peled.materials import HC_EV_NM

#: Ways of reading a source that may carry a verdict.
READ = ("full text", "abstract", "database")


def rows() -> list[dict[str, str]]:
    """The published values that bear on claims.

    Raises
    ------
    ledger.paper.LedgerError
        Naming a row whose source was not read.
    """
    path = paper.published_folder() / "literature.csv"
    with path.open(newline="", encoding="utf-8") as stream:
        found = list(csv.DictReader(stream))
    for row in found:
        if row["read"] not in READ or not row["doi"]:
            raise paper.LedgerError(
                f"literature.csv, {row['claim']} {row['route']}: expected a DOI and read from "
                f"{', '.join(READ)}, found {row['doi'] or 'no DOI'}, {row['read']}"
            )
    return found


def literature(room) -> None:
    """Check every claim that a published value bears on."""
    for row in rows():
        room.check(
            row["claim"],
            float(row["found"]) if row["found"] else f"{row['value']} {row['unit']}",
            float(row["error"] or 0.0),
            kind="literature",
            holds=row["holds"] or None,
            route=row["route"],
            note=f"{row['quantity']}: {row['value']} {row['unit']}, {row['conditions']}; "
            f"{row['source']}, doi:{row['doi']} ({row['read']}); {row['note']}",
        )


def pair_rates(
    edge_nm: float, *, shell_nm: float = 2.0, layer_nm: float = 30.0
) -> tuple[float, float]:
    """Electron-hole pairs a second and crystal, under the laser of the segregation test and in the LED at 1.5 mA/cm².

    The laser gives flux times absorption, 10⁵ cm⁻¹ times the crystal's volume at 405 nm (known to a factor of three);
    the LED shares one pair a carrier among the crystals of a layer of close-packed cubes.
    """
    flux = paper.claim("C139").number / (HC_EV_NM / paper.claim("C036").number * 1.602177e-19)
    laser = flux * 1e5 * (edge_nm * 1e-7) ** 3
    crystals = layer_nm / (edge_nm + shell_nm) / ((edge_nm + shell_nm) * 1e-7) ** 2
    return laser, paper.claim("C048").number * 1e-3 / 1.602177e-19 / crystals


def stability_of_drive(room) -> None:
    """Whether the LED is the harder or the easier test of segregation than the laser."""
    laser, led = pair_rates(paper.claim("C022").number)
    room.quantity("pairs_a_second_laser", laser, 2 * laser, "1/s", "calculated")
    room.quantity("pairs_a_second_led", led, led, "1/s", "calculated")
    room.check(
        "C062",
        f"{laser:.1g} pairs a second and crystal under the laser, {led:.1g} in the LED",
        kind="calculated",
        holds="inconclusive",
        route="pair rates",
        note="absorption is known to a factor of three; the LED makes some "
        f"{laser / led:.0f} times fewer pairs than the laser under which neat crystals turned red, so by carriers alone "
        "its 20 min are the easier test; field and heat are not in this",
    )


def ageing(room) -> None:
    """Half-lives against ageing by charge and in the dark together: 1/T50 = 1/T_dark + J/Q, from the outer two points."""
    (j1, j2, j3) = (p.value for p in paper.claim("C066").printed)
    t1, t2, t3 = (paper.claim(c).number for c in ("C063", "C064", "C065"))
    per_charge = (1 / t3 - 1 / t1) / (j3 - j1)
    dark = 1 / (1 / t1 - per_charge * j1)
    middle = 1 / (1 / dark + per_charge * j2)
    error = middle**2 * 0.5 / 3**0.5 / t3**2 * (j2 - j1) / (j3 - j1)
    room.check(
        "C064",
        middle,
        error,
        kind="calculated",
        holds="inconclusive",
        route="ageing by charge and in the dark",
        note=f"1/T50 = 1/{dark:.0f} min + J/Q from 0.1 and 10 mA cm-2 gives {middle:.0f} min at 1 mA cm-2, printed {t2:g}; "
        "one device need not age as the next, so this tests no printed number; ageing without current would explain the small exponent at low drive",
    )
