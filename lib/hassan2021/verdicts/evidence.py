"""Evidence that no one topic owns: published measurements, the drive of the LED, ageing, the reading of XPS.

A published value has its error, conditions, DOI and how it was read in `published/literature.csv`. What was measured on
another material, or under other conditions, can neither confirm nor refute: its row says so (`holds`).
"""

from __future__ import annotations

from ledger import paper
from peled.materials import HC_EV_NM, bulk_wavelength_nm
from peled.structure import xps


def literature(room) -> None:
    """Check every claim that a published value bears on; what is context alone tests nothing."""
    for row in paper.literature():
        if row["holds"] == "context":
            continue
        value = f"{row['value']} {row['unit']}".strip()
        said = f"{row['quantity']}: {value}, {row['conditions']}"
        room.check(
            row["claim"],
            float(row["found"]) if row["found"] else value,
            float(row["error"] or 0.0),
            kind="literature",
            holds=row["holds"] or None,
            route=row["route"],
            note=f"{said}; {row['source']}, {_where(row)} ({row['read']}); {row['note']}",
        )


def _where(row: dict[str, str]) -> str:
    return f"doi:{row['doi']}" if row["doi"] else row["place"]


def iodide_by_xps(line: str) -> float:
    """Share of iodide in the halide if the printed I:Br was made of areas without the mean free path.

    Electrons of I 3d5/2 are slower than those of Br 3d and come from less deep; those of I 4d are not.
    """
    energy_eV = {"I 3d5/2": 620.0, "I 4d": 50.0}[line]
    path = [float(xps.mean_free_path_nm(xps.AL_EV - e)) for e in (energy_eV, 69.0)]
    ratio = paper.claim("C029").number * path[1] / path[0]
    return ratio / (1 + ratio)


def xps_reading(room) -> None:
    """What the printed composition becomes if the mean free path was left out; whether it was is not printed."""
    printed, slow, fast = paper.claim("C225").number, *map(iodide_by_xps, ("I 3d5/2", "I 4d"))
    bulk = [float(bulk_wavelength_nm(1 - x)) for x in (slow, printed)]
    note = (
        f"TPP-2M: without the mean free path {printed:.2f} of iodide would be {slow:.2f} by I 3d5/2, {fast:.2f} by I 4d, "
        f"and the bulk line {bulk[0]:.0f} nm in place of {bulk[1]:.0f}; cross-sections matter less: Scofield and Yeh "
        "and Lindau (doi:10.1016/0092-640X(85)90016-6) have I 4d over Br 3d within 2 %; the line, its area and the "
        "factors would settle it"
    )
    for claim_id, found in (("C029", slow / (1 - slow)), ("C225", slow)):
        room.check(claim_id, found, kind="calculated", holds="inconclusive",
                   route="mean free path", note=note)  # fmt: skip


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
        f"{laser / led:.0f} times fewer pairs than the laser under which neat crystals turned red, "
        "so by carriers alone its 20 min are the easier test; field and heat are not in this",
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


def losses(room) -> None:
    """What a yield says of rates: losses to one radiative decay are (1 − η)/η, whatever the lifetime."""
    inside, outside = (paper.claim(c).number / 100 for c in ("C149", "C148"))
    least, most = ((1 - y) / y for y in (inside, outside))
    room.quantity(
        "losses_to_one_radiative_decay", least, (most - least) / 12**0.5, "1", "calculated"
    )
    room.check(
        "C229",
        f"{least:.2f} to {most:.2f} losses to one radiative decay",
        kind="calculated",
        holds="inconclusive",
        route="bound by the yield",
        note=f"by {100 * inside:g} % inside, and by {100 * outside:g} % if nothing were recycled; at one radiative rate "
        "lifetime and yield rise together, so lifetimes beside the yield of both films would part the rates",
    )
