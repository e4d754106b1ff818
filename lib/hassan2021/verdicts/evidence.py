"""Evidence that no one topic owns: published measurements, the drive of the LED, ageing, XPS.

A published value has its error, conditions, DOI and how it was read in `published/literature.csv`.
What was measured on another material, or under other conditions, can neither confirm nor refute:
its row says so (`holds`), and so do the estimates below, each of which leaves something out.
"""

from __future__ import annotations

from functools import partial

from hassan2021.desk import Checks, Found, number
from hassan2021.structure import MATERIAL
from ledger import paper
from peled.materials import HC_EV_NM, bulk_wavelength_nm
from peled.structure import xps

ELEMENTARY_CHARGE_C = 1.602176634e-19
claims = Checks()


def judge_all(room) -> None:
    """Check the claims that no one topic owns; published values that test nothing check none."""
    for row in paper.literature():
        if row["holds"] not in ("context", "not found"):
            room.check(row["claim"], **_published(row))
    claims.judge(room, None)
    for name, (value, error, unit) in quantities().items():
        room.quantity(name, value, error, unit, "calculated")


def quantities() -> dict[str, tuple[float, float, str]]:
    """Numbers of these estimates that a reader may want: value, standard error, unit."""
    laser, led = pair_rates(number("C022"))
    least, most = (losses(claim_id) for claim_id in ("C149", "C148"))
    return {
        "pairs_a_second_laser": (laser, 2 * laser, "1/s"),
        "pairs_a_second_led": (led, led, "1/s"),
        "T50_at_1_mA_cm2_by_charge_and_in_the_dark": (*ageing(), "min"),
        "losses_to_one_radiative_decay": (least, (most - least) / 12**0.5, "1"),
    }


def _published(row: dict[str, str]) -> Found:
    value = f"{row['quantity']} {row['value']} {row['unit']}".strip()
    where = f"doi:{row['doi']}" if row["doi"] else row["place"]
    return {
        "found": float(row["found"]) if row["found"] else value,
        "standard_error": float(row["error"] or 0.0),
        "kind": "literature",
        "holds": row["holds"] or None,
        "route": row["route"],
        "note": f"{value}, {row['conditions']}; {row['source']}, {where} ({row['read']}); "
        f"{row['note']}",
    }


def _estimate(found: float | str, *, note: str) -> Found:
    """An estimate that leaves something out: evidence, but not enough to decide."""
    return {
        "found": found,
        "standard_error": 0.0,
        "kind": "calculated",
        "holds": "inconclusive",
        "note": note,
    }


def iodide_by_xps(line: str) -> float:
    """Share of iodide if the printed I:Br was made of areas without the mean free path.

    Electrons of I 3d5/2 are slower than those of Br 3d and come from less deep; those of I 4d are
    not.
    """
    energy_eV = {"I 3d5/2": 620.0, "I 4d": 50.0}[line]
    slow, fast = (xps.mean_free_path_nm(xps.AL_EV - e, **MATERIAL) for e in (energy_eV, 69.0))
    ratio = number("C029") * float(fast / slow)
    return ratio / (1 + ratio)


def _without_mean_free_path(e: None, ratio: bool) -> Found:
    printed, slow, fast = number("C225"), *map(iodide_by_xps, ("I 3d5/2", "I 4d"))
    bulk = [float(bulk_wavelength_nm(1 - x)) for x in (slow, printed)]
    return _estimate(
        slow / (1 - slow) if ratio else slow,
        note=f"TPP-2M: without the mean free path {printed:.2f} of iodide would be {slow:.2f} by "
        f"I 3d5/2, {fast:.2f} by I 4d, and the bulk line {bulk[0]:.0f} nm in place of "
        f"{bulk[1]:.0f}; cross-sections matter less: Scofield and Yeh and Lindau "
        "(doi:10.1016/0092-640X(85)90016-6) have I 4d over Br 3d within 2 %; the line, its area "
        "and the factors would settle it",
    )


for _id, _ratio in (("C029", True), ("C225", False)):
    claims(_id, "mean free path")(partial(_without_mean_free_path, ratio=_ratio))


def pair_rates(edge_nm: float) -> tuple[float, float]:
    """Electron-hole pairs a second and crystal, under the laser and in the LED at 1.5 mA/cm².

    The laser of the segregation test gives flux times absorption, 10⁵ cm⁻¹ times the crystal's
    volume at 405 nm (known to a factor of three); the LED shares one pair a carrier among the
    crystals of a layer, as thick as Methods have it, of cubes packed closely with 2 nm of shell.
    """
    pitch_nm = edge_nm + 2.0
    flux = number("C139") / (HC_EV_NM / number("C036") * ELEMENTARY_CHARGE_C)
    laser = flux * 1e5 * (edge_nm * 1e-7) ** 3
    crystals = number("C177") / pitch_nm / (pitch_nm * 1e-7) ** 2
    return laser, number("C048") * 1e-3 / ELEMENTARY_CHARGE_C / crystals


@claims("C062", "pair rates")
def stability_of_drive(e: None) -> Found:
    """Pairs that crystals get in the LED, beside those of the laser under which some turned red."""
    laser, led = pair_rates(number("C022"))
    return _estimate(
        f"{laser:.1g} pairs a second and crystal under the laser, {led:.1g} in the LED",
        note="absorption is known to a factor of three; the LED makes some "
        f"{laser / led:.0f} times fewer pairs than the laser under which neat crystals turned red, "
        "at 10 mA/cm² 49 times fewer; in 20 min against 30 s the doses differ less; field and heat "
        "are not in this",
    )


def ageing() -> tuple[float, float]:
    """Half-life at the middle drive and its error, by 1/T50 = 1/T_dark + J/Q from the outer two.

    One device need not age as the next, so this tests no printed number; ageing without current
    would explain the small exponent at low drive.
    """
    (j1, j2, j3) = (p.value for p in paper.claim("C066").printed)
    t1, t3 = map(number, ("C063", "C065"))
    per_charge = (1 / t3 - 1 / t1) / (j3 - j1)
    dark = 1 / (1 / t1 - per_charge * j1)
    middle = 1 / (1 / dark + per_charge * j2)
    return middle, middle**2 * 0.5 / 3**0.5 / t3**2 * (j2 - j1) / (j3 - j1)


def losses(claim_id: str) -> float:
    """Losses to one radiative decay at a printed yield η, whatever the lifetime: (1 − η)/η."""
    y = number(claim_id) / 100
    return (1 - y) / y


@claims("C229", "bound by the yield")
def losses_by_the_yield(e: None) -> Found:
    return _estimate(
        f"{losses('C149'):.2f} to {losses('C148'):.2f} losses to one radiative decay",
        note=f"by {number('C149'):g} % inside, and by {number('C148'):g} % if nothing were "
        "recycled; at one radiative rate lifetime and yield rise together, so lifetimes beside the "
        "yield of both films would part the rates",
    )
