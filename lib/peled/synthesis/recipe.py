"""From a target to a weighing table: what to weigh, and how well each weighing must be done."""

from __future__ import annotations

import csv
import html
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from uncertainties import nominal_value

from peled.synthesis.amounts import Laboratory, molar_mass, parse_quantity, purity_factor
from peled.synthesis.procedure import Chemical

#: Cations that a formula may name by their letters, and what they are made of.
CATIONS = {
    "MA": "CH6N",
    "FA": "CH5N2",
    "GUA": "CH6N3",
    "GA": "CH6N3",
    "DMA": "C2H8N",
    "EA": "C2H8N",
    "BA": "C4H12N",
    "PEA": "C8H12N",
}
_SPELT = {"CH3NH3": "MA", "HC(NH2)2": "FA", "CH(NH2)2": "FA"}
_CATION = rf"(?:{'|'.join(sorted(CATIONS, key=len, reverse=True))})(?![a-z])"
_TOKEN = re.compile(rf"({_CATION}|[A-Z][a-z]?|\(|\))(\d+\.?\d*|\.\d+)?")


def components(formula: str) -> dict[str, float]:
    """Components of a formula with their numbers: elements, and cations by their letters
    (`CATIONS`).

    Parameters
    ----------
    formula : str
        With brackets and fractions, sites mixed where wanted.

    Returns
    -------
    dict
        Number by component, in the order of the formula.

    Raises
    ------
    ValueError
        For what is no such formula.

    Examples
    --------
    >>> components("Cs0.1FA0.9Pb(I0.8Br0.2)3")["FA"]
    0.9
    >>> components("Cs3Cu2I5")
    {'Cs': 3.0, 'Cu': 2.0, 'I': 5.0}
    """
    text = "".join(str(formula).split())
    for spelt, letters in _SPELT.items():
        text = text.replace(spelt, letters)
    levels: list[Counter] = [Counter()]
    for match in (found := list(_TOKEN.finditer(text))):
        name, number = match[1], float(match[2] or 1)
        if name == "(":
            levels.append(Counter())
            continue
        inner = Counter({name: 1.0})
        if name == ")":
            inner = levels.pop()
            if not levels:
                break
        for component, count in inner.items():
            levels[-1][component] += count * number
    if len(levels) != 1 or "".join(m[0] for m in found) != text or not levels[0]:
        raise ValueError(
            f"formula: expected elements, {', '.join(CATIONS)} and brackets such as "
            f"FA0.9Cs0.1Pb(I0.8Br0.2)3, found {str(formula)!r}"
        )
    return {component: round(count, 12) for component, count in levels[0].items()}


def salt(text: str) -> Chemical:
    """A bottle by its formula, all of whose components count: `CsI`, `FAI 99.5 %`.

    Parameters
    ----------
    text : str
        A formula, and behind a blank the purity of its label.

    Returns
    -------
    Chemical

    Raises
    ------
    ValueError
        For what is no formula or purity.

    Examples
    --------
    >>> salt("MAI 98 %").releases
    {'MA': 1.0, 'I': 1.0}
    """
    name, _, purity = text.strip().partition(" ")
    releases = components(name)
    formula = "".join(f"({CATIONS.get(c, c)}){n:g}" for c, n in releases.items())
    share = parse_quantity(purity, "percent", what=f"purity of {name}") / 100 if purity else None
    return Chemical(name, name, formula, releases, share)


@dataclass(frozen=True)
class Weighing:
    """One line of the table: what to weigh, and by how much it may be off."""

    salt: str
    amount_mmol: float
    mass_mg: float
    tolerance_mg: float


@dataclass(frozen=True)
class Recipe:
    """A precursor solution for a target composition.

    `target` has moles by component for one formula unit, `largest_yield_mg` the mass of all that
    goes into the batches,
    `expected` what else is known of the product, in sentences.
    """

    target: Mapping[str, float]
    concentration_mol_L: float
    volume_mL: float
    batches: int
    batch_volume_mL: float
    weighings: tuple[Weighing, ...]
    largest_yield_mg: float
    expected: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Components with their numbers, such as `Pb I2 Br MA`."""
        return " ".join(f"{c}{n:.4g}" if n != 1 else c for c, n in self.target.items())

    @property
    def summary(self) -> str:
        """How much is made of what, and what it is for."""
        return (
            f"{self.volume_mL:g} mL at {self.concentration_mol_L:g} mol/L, for {self.batches} "
            "batches of "
            f"{self.batch_volume_mL:g} mL; at most {self.largest_yield_mg:.0f} mg of product. The "
            "volume is "
            "that of the solution: fill up to it."
        )

    def to_csv(self) -> str:
        """The weighing sheet as CSV."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["salt", "amount (mmol)", "mass (mg)", "tolerance (mg)", "weighed (mg)"])
        for w in self.weighings:
            writer.writerow(
                [w.salt, f"{w.amount_mmol:.4f}", f"{w.mass_mg:.2f}", f"{w.tolerance_mg:.2f}", ""]
            )
        return stream.getvalue()

    def to_html(self) -> str:
        """The weighing sheet as a page to print."""
        rows = "".join(
            f"<tr><td>{html.escape(w.salt)}</td><td>{w.amount_mmol:.4f}</td>"
            f"<td>{w.mass_mg:.2f}</td>"
            f"<td>± {w.tolerance_mg:.2f}</td><td></td></tr>"
            for w in self.weighings
        )
        style = (
            "body{font:12pt sans-serif;max-width:42em;margin:2em auto}"
            "table{border-collapse:collapse;width:100%}"
            "td,th{border:1px solid #555;padding:.4em;text-align:right}"
            "td:first-child,th:first-child{text-align:left}td:last-child{min-width:7em}"
        )
        said = html.escape(" ".join((self.summary, *self.expected)))
        return (
            "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>Weighing "
            "sheet</title>"
            f"<style>{style}</style></head><body><h1>{html.escape(self.title)} precursor</h1>"
            f"<p>{said}</p><table><tr><th>salt</th><th>mmol</th><th>mg</th><th>tolerance</th>"
            f"<th>weighed</th></tr>{rows}</table>"
            "<p>Date: ____________ &nbsp; Name: ____________________</p></body></html>\n"
        )


def make_recipe(
    target: Mapping[str, float],
    salts: Sequence[Chemical],
    *,
    concentration_mol_L: float,
    batches: int,
    batch_volume_mL: float,
    volume_mL: float | None = None,
    tolerance: float = 0.01,
    expected: tuple[str, ...] = (),
    laboratory: Laboratory | None = None,
) -> Recipe:
    """Masses of salts that give a precursor of a target composition: any chemistry, mixed sites,
    excess where wanted.

    The amounts n >= 0 solve sum over salts of releases x n = target exactly. Where several
    mixtures do, salts that are
    listed first are used first (each next one costs three times as much in a linear program).
    The tolerance of a weighing is what keeps each component within `tolerance` of its target when
    all salts use theirs,
    adding in quadrature: over the components c that a salt brings, dm = m min_c tolerance
    target_c/(share_c sqrt(k_c)),
    with share_c what the salt brings of c and k_c the number of salts that bring it.

    Parameters
    ----------
    target : mapping
        Moles of each component in one formula unit, such as ``{"Pb": 1, "I": 2, "Br": 1, "MA":
        1}``.
    salts : sequence of Chemical
        What is at hand; those that bring a component that is not wanted are left out. Purities
        count at their mean.
    concentration_mol_L : float
        Formula units a litre of solution.
    batches, batch_volume_mL
        How often how much of it is used.
    volume_mL : float, optional
        What is made; by default what the batches need.
    tolerance : float
        Relative, of each component.
    expected : tuple of str
        Sentences for the sheet.
    laboratory : Laboratory, optional
        Whose balance is to do it; a tolerance below twice its repeatability is said on the sheet.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For a target without components, a quantity that is not positive, more taken for the
        batches than is made, and
        salts that cannot give the target.

    References
    ----------
    .. [1] Q. Huangfu, J. A. J. Hall, Math. Program. Comput. 10, 119 (2018),
           doi:10.1007/s12532-017-0130-5
    """
    needed = batches * batch_volume_mL
    volume_mL = needed if volume_mL is None else volume_mL
    for name, value in (
        ("concentration_mol_L", concentration_mol_L),
        ("volume_mL", volume_mL),
        ("batches", batches),
        ("batch_volume_mL", batch_volume_mL),
    ):
        if not value > 0:
            raise ValueError(f"{name}: expected a positive number, found {value}")
    if needed > volume_mL * (1 + 1e-9):
        raise ValueError(
            f"batches: expected at most {volume_mL:g} mL in all, "
            f"found {batches} x {batch_volume_mL:g} mL; make more, or leave volume_mL out"
        )
    target = {c: float(n) for c, n in target.items() if n > 0}
    scale = concentration_mol_L * volume_mL
    used = [(salt, n * scale) for salt, n in _mixture(target, salts)]
    total = {c: n * scale for c, n in target.items()}
    brought_by = {c: sum(c in s.releases for s, _ in used) for c in target}
    weighings = []
    for salt, n in used:
        purity = purity_factor(salt.purity or 1.0, at_least=salt.at_least)
        mass = n * molar_mass(salt.formula).nominal_value / nominal_value(purity)
        allowed = min(
            total[c] / (k * n * brought_by[c] ** 0.5) for c, k in salt.releases.items() if k
        )
        weighings.append(
            Weighing(salt.name, float(n), float(mass), float(tolerance * mass * allowed))
        )
    coarse = 2 * (laboratory or Laboratory()).balance_repeatability_mg
    if fine := [w.salt for w in weighings if w.tolerance_mg < coarse]:
        expected = (
            *expected,
            f"{', '.join(fine)}: the tolerance is below {coarse:g} mg, twice what the balance "
            "repeats; make more, or dilute a stock.",
        )
    product = sum(n * molar_mass(salt.formula).nominal_value for salt, n in used)
    return Recipe(
        target,
        concentration_mol_L,
        volume_mL,
        batches,
        batch_volume_mL,
        tuple(weighings),
        float(product * needed / volume_mL),
        expected,
    )


def _mixture(
    target: Mapping[str, float], salts: Sequence[Chemical]
) -> list[tuple[Chemical, float]]:
    """Salts and moles of each for one formula unit."""
    usable = [s for s in salts if s.releases and set(s.releases) <= set(target)]
    missing = set(target) - {c for s in salts for c in s.releases}
    if missing or not usable:
        raise ValueError(
            "target: expected components that salts bring, found "
            f"{', '.join(sorted(missing)) or 'none'} with "
            f"{', '.join(s.name for s in salts) or 'no salt'}"
        )
    brings = np.array([[s.releases.get(c, 0.0) for s in usable] for c in target])
    wanted = np.array(list(target.values()))
    found = linprog(3.0 ** np.arange(len(usable)), A_eq=brings, b_eq=wanted, method="highs")
    if not found.success:
        raise ValueError(
            f"target: expected a composition that {', '.join(s.name for s in usable)} can give, "
            "found "
            f"{', '.join(f'{c} {n:g}' for c, n in target.items())}; check that charges balance"
        )
    most = found.x.max()
    return [(s, float(n)) for s, n in zip(usable, found.x, strict=True) if n > 1e-9 * most]
