"""The paper's claims about the synthesis: one short function a claim, evidence in, found value out.

Everything here is arithmetic on a procedure that has been run (`recomputed`) or a small independent
calculation (`calculated`). A procedure that lacks a step leaves the claims on it not testable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from uncertainties import UFloat, ufloat

from hassan2021.desk import DOI, Checks, Found, Missing, number
from hassan2021.verdicts.evidence import iodide_by_xps
from peled.synthesis.amounts import composition, molar_mass, parse_quantity
from peled.synthesis.crystals import CrystalPopulation, sedimentation_mm
from peled.synthesis.procedure import (
    Outcome,
    Procedure,
    entries,
    perovskite_formula,
    perovskite_needs,
    yield_limit_mmol,
)

#: Atomic numbers of what the ligands and gases here are made of, to count electrons.
_Z = {"H": 1, "C": 6, "N": 7, "O": 8, "S": 16}
#: Range of the radius of the centrifuge's rotor (mm), which is not printed.
ROTOR_MM = (50.0, 120.0)

SPIN = "neither the rotor nor the size of the flocs is printed, so no outcome would contradict it"
#: Least path to the pellet of a tube.
TUBE_MM = 10.0
claims = Checks(
    {
        "C090": "a label; at 99.99 % it moves no number here",
        "C091": "a label; the acid is in 60-fold excess over lead",
        "C092": "a label; technical grade, so a third of the amine's mass is something else",
        "C023": "printed once, for one mixture",
        "C093": "no step printed here uses the solution; the gas may come from it",
        "C100": "printed once; six injections of it use 1.2 of the 4 mL",
        "C094": "a label; the ligand is in excess",
        "C095": "a label; the ligand is in excess",
        "C101": "nothing printed depends on the temperature",
        "C104": "sizes against growth time would settle it",
        "C106": "the volume of a batch is not printed",
        "C108": SPIN,
        "C109": SPIN,
        "C110": "the second antisolvent ratio (C111) rests on it",
        "C122": "printed once; no excess is claimed that it could fall short of",
        "C124": "spectra against stirring time would settle it",
    }
)


@dataclass(frozen=True)
class MassBalance:
    """Stated mass of crystals in the stock, and what lead and halide that went in allow (mg)."""

    stated_mg: float
    lead_limit_mg: UFloat
    halide_limit_mg: UFloat
    limiting: str
    volume_mL: float

    @property
    def closing_concentration_mg_mL(self) -> UFloat:
        """Concentration at which the stock would hold all the lead and no more."""
        return self.lead_limit_mg / self.volume_mL

    @property
    def closing_shell_fraction(self) -> float:
        """Share of the solid that would have to be ligand for the stated mass to hold the lead."""
        return 1 - self.lead_limit_mg.nominal_value / self.stated_mg

    @property
    def closing_batches(self) -> float:
        """Batches that the stated mass would need, relative to those made."""
        return self.stated_mg / self.lead_limit_mg.nominal_value


def mass_balance(
    outcome: Outcome,
    *,
    vessel: str,
    volume_mL: float,
    concentration_mg_mL: float,
    x_br: float,
) -> MassBalance:
    """Compare volume × concentration with the largest yield from what `vessel` received.

    Lead limits for the composition of the precursor, one bromide in three; `x_br` is that measured
    in the product.
    """
    injected = outcome.received(vessel)
    lead, _ = yield_limit_mmol({"Pb": injected["Pb"]}, {"Pb": 1.0})
    halide, limiting = yield_limit_mmol(injected, perovskite_needs(x_br))
    return MassBalance(
        volume_mL * concentration_mg_mL,
        lead * molar_mass(perovskite_formula(1 / 3)),
        halide * molar_mass(perovskite_formula(x_br)),
        limiting,
        volume_mL,
    )


def shell_share(crystals: CrystalPopulation) -> UFloat:
    """Share of oleyl acid and amine in the mass of cubes that were washed twice.

    Three (± 1) chains a nm² of surface are bound; of those in which the crystals were made, none to
    six a nm² more are assumed to be weighed with them, since no weighing of a dried residue is
    printed.
    """
    chains = ufloat(3.0, 1.0) + ufloat(3.0, 3.0 / math.sqrt(3))
    per_nm3 = chains * 6 / crystals.edge_nm  # chains for a nm³ of crystal
    oleyl = 275.0 / 6.02214076e23 * 1e21  # mean of acid and amine, 1e-21 g
    mass = per_nm3 * oleyl
    return mass / (mass + crystals.density_g_cm3)


@dataclass(frozen=True)
class Evidence:
    """A procedure that has been run, and the crystals that the paper prints.

    Attributes
    ----------
    procedure : Procedure
    pure : Outcome
        The procedure run with every bottle taken as pure.
    crystals : mapping
        `x_br`, `a_angstrom`, and the arguments of the populations `neat` and `treated`.
    """

    procedure: Procedure
    pure: Outcome
    crystals: Mapping[str, Any]

    @cached_property
    def steps(self) -> dict[str, dict]:
        """Steps of the procedure by identifier."""
        return {step["id"]: step for step in self.procedure.steps}

    def quantity(self, step: str, action: str, unit: str, chemical: str | None = None) -> float:
        """The quantity of an action of a step in `unit`; `Missing` where there is none."""
        for entry in entries(self.steps.get(step, {}), action):
            if chemical in (None, entry.get("chemical")):
                text = entry.get("mass") or entry.get("volume") or entry.get("amount")
                if text and text != "all":
                    return parse_quantity(text, unit, what=step)
        raise Missing("the procedure file has no step for it")

    def added(self, component: str) -> UFloat:
        """What was added of a component (mmol); `Missing` where none was."""
        if component not in self.pure.added:
            raise Missing("the procedure file has no step for it")
        return self.pure.added[component]

    @property
    def iodide_fraction(self) -> UFloat:
        """Share of iodide in the halide of the precursor, by lead iodide and the bromide salt."""
        lead, bromide = self.added("Pb"), self.added("Br")
        return 2 * lead / (2 * lead + bromide)

    @cached_property
    def balance(self) -> MassBalance:
        """Of the stock that is printed."""
        return mass_balance(
            self.pure,
            vessel="batches",
            volume_mL=number("C117"),
            concentration_mg_mL=number("C112"),
            x_br=self.crystals["x_br"],
        )

    def population(self, name: str) -> CrystalPopulation:
        """`neat` or `treated` crystals."""
        lattice = {key: self.crystals[key] for key in ("x_br", "a_angstrom")}
        return CrystalPopulation(**self.crystals[name], **lattice)

    @cached_property
    def neat(self) -> CrystalPopulation:
        return self.population("neat")

    @cached_property
    def treated(self) -> CrystalPopulation:
        return self.population("treated")

    @property
    def lost(self) -> float:
        """Share of the lead that goes when every neat crystal shrinks to a treated one."""
        return self.neat.lost_fraction(self.treated)

    @property
    def portion_mg(self) -> float:
        """Crystals in a portion that is treated."""
        return number("C123") * number("C112")

    @property
    def ligands_per_lead(self) -> float:
        """Ligands offered for a lead atom of the crystals that are treated."""
        return number("C122") / self.neat.lead_mmol(self.portion_mg)


def of_paper(procedure: Procedure) -> bool:
    """Whether a procedure names the paper as its source; any other can have no verdict."""
    return DOI in procedure.source


def judge_all(room, e: Evidence | None) -> None:
    """A verdict on every claim of the synthesis; None is another procedure than the paper's."""
    if e is not None:
        claims.judge(room, e)
        return
    for claim_id in room.missing_claims():
        room.not_testable(claim_id, "the procedure is not the paper's")


def finding(e: Evidence) -> list[str]:
    """What follows from the printed numbers, in four lines."""
    lead, iodide, bromide = (e.added(c) for c in ("Pb", "I", "Br"))
    balance, neat, treated = e.balance, e.neat, e.treated
    ratio, shell = iodide / bromide, shell_share(neat)
    most = ", ".join(
        f"all the {e} makes {m.nominal_value:.0f} ± {m.std_dev:.0f}"
        for e, (m, _) in _limits(e).items()
    )
    atoms, surface = neat.mean(neat.lead_atoms), neat.mean(neat.surface_lead)
    deep = (neat.edge_nm - treated.edge_nm) * 10 / neat.a_angstrom / 2
    per_surface = neat.ligands_per_surface_lead(number("C122"), e.portion_mg)
    return [
        f"the weighings fit: I:Br {ratio.nominal_value:.3f} ± {ratio.std_dev:.3f} (printed "
        f"{number('C028'):g}), {((iodide + bromide) / lead).nominal_value:.2f} halides a lead",
        f"whether the mass fits hangs on what a batch is: stated {balance.stated_mg:.0f} mg, "
        f"{100 * shell.nominal_value:.0f} % acid and amine; {most} mg, or twice that",
        f"a neat crystal has {atoms:.0f} lead atoms, {100 * surface / atoms:.0f} % of them at its "
        f"surface; from {neat.edge_nm:g} to {treated.edge_nm:g} nm {100 * e.lost:.0f} % of "
        f"all lead goes, {deep:.1f} unit cells from each face",
        f"the ligand is in excess: {e.ligands_per_lead:.1f} molecules for each lead atom, "
        f"{per_surface:.0f} for each at the surface",
    ]


def quantities(e: Evidence) -> dict[str, tuple[float, float | None, str]]:
    """Numbers to keep: (value, standard error, unit) by name."""
    lead, iodide, bromide = (e.added(c) for c in ("Pb", "I", "Br"))
    precursor, balance = e.pure.vessels["precursor"], e.balance
    neat, treated = e.neat, e.treated
    sure = {
        "PbI2": (lead, "mmol"),
        "MABr": (bromide, "mmol"),
        "I:Br of the precursor": (iodide / bromide, ""),
        "lead concentration of the precursor": (
            precursor.amounts["Pb"] / precursor.volume_mL,
            "mol/L",
        ),
        "halide per lead": ((iodide + bromide) / lead, ""),
        "lead-limited yield": (balance.lead_limit_mg, "mg"),
        "bromide-limited yield": (balance.halide_limit_mg, "mg"),
    }
    means = {
        "lead atoms per neat crystal": neat.mean(neat.lead_atoms),
        "lead atoms per treated crystal": treated.mean(treated.lead_atoms),
        "lead removed by shrinkage": e.lost,
        "ligands per lead atom": e.ligands_per_lead,
    }
    return {k: (v.nominal_value, v.std_dev, unit) for k, (v, unit) in sure.items()} | {
        k: (v, None, "") for k, v in means.items()
    }


def _amount(found: UFloat | float, note: str) -> Found:
    return {
        "found": getattr(found, "nominal_value", found),
        "standard_error": getattr(found, "std_dev", 0.0),
        "note": note,
    }


# ---- composition -------------------------------------------------------------------------------


@claims("C006")
def letter_x(e: Evidence) -> Found:
    x = e.iodide_fraction.nominal_value
    return {
        "found": f"x = {x:.3f} is iodide in one spelling, bromide in the other",
        "holds": abs(x - 0.5) < 1e-3,
        "note": "MAPb(IxBr1-x)3 and MAPb(I1-xBrx)3 name one compound only at x = 1/2; "
        "x_I or x_Br is named every time here",
    }


@claims("C028")
def iodide_to_bromide(e: Evidence) -> Found:
    ratio = 2 * e.added("Pb") / e.added("Br")
    return _amount(ratio, "2 n(PbI2)/n(MABr), both bottles taken as pure")


@claims("C226")
def iodide_share(e: Evidence) -> Found:
    return _amount(e.iodide_fraction, "iodide fraction of the halide in the precursor")


@claims("C096")
def mass_of_lead_iodide(e: Evidence) -> Found:
    return _amount(
        e.added("Br") * molar_mass("PbI2"),
        "PbI2 that makes I:Br 2:1 with the MABr weighed; most of the error is lead's atomic weight",
    )


@claims("C097")
def mass_of_bromide(e: Evidence) -> Found:
    found = e.added("Pb") * molar_mass("CH3NH3Br")
    return _amount(found, "MABr that makes I:Br 2:1 with the PbI2 weighed")


@claims("C099")
def formula_of_the_gas(e: Evidence) -> Found:
    printed, methylamine = (
        int(sum(_Z[symbol] * n for symbol, n in composition(formula)))
        for formula in ("CH3NH3", "CH3NH2")
    )
    return {
        "found": f"CH3NH3 has {printed} electrons, CH3NH2 {methylamine}",
        "holds": printed % 2 == 0,
        "kind": "calculated",
        "margin": math.inf,
        "note": "a neutral gas of closed-shell molecules has an even count: methylamine is CH3NH2; "
        "may be an artefact of the text conversion",
    }


# ---- volumes and counts ------------------------------------------------------------------------


@claims("C098")
def acetonitrile(e: Evidence) -> Found:
    return _amount(
        e.added("Pb") / 0.5,
        "acetonitrile for 0.50 mol/L of lead, the round number the masses point to; "
        "the salts' own volume is left out",
    )


@claims("C102", "room in the batch")
@claims("C103", "room in the batch")
def room_in_the_batch(e: Evidence) -> Found:
    batch = number("C106") * 3 / number("C105")
    rest = batch - number("C102") - number("C103") - number("C100")
    return {
        "found": f"{rest:.1f} mL of a {batch:.0f} mL batch left for toluene",
        # As it would be with a third more of either.
        "holds": "inconclusive" if rest > 0 else False,
        "note": "the batch follows from three tubes of 10 mL for six batches; "
        "the volume of toluene is not printed",
    }


@claims("C102", "acid to amine", other="C103", factor=10)
@claims("C103", "acid to amine", other="C102", factor=0.1)
def acid_to_amine(e: Evidence, other: str, factor: float) -> Found:
    note = "ten parts of acid to one of amine by volume, 14.7 to 1 in moles"
    return _amount(factor * number(other), note)


@claims("C105")
def number_of_batches(e: Evidence) -> Found:
    moved = e.quantity("control", "transfer", "mL")
    found = moved * 2 / e.quantity("stock", "disperse", "mL")
    return _amount(found, "12 mL of stock from 2 mL a batch")


@claims("C107", wash="second", other="first", volumes=("C106", "C111", "C110"))
@claims("C111", wash="first", other="second", volumes=("C110", "C107", "C106"))
def antisolvent(e: Evidence, wash: str, other: str, volumes: tuple[str, ...]) -> Found:
    a, b, c = map(number, volumes)
    note = f"the antisolvent ratio of the {wash} wash, 2:1, applied to the {other}"
    return _amount(a * b / c, note)


@claims("C115")
def precipitations(e: Evidence) -> Found:
    count = sum("precipitate" in step for step in e.procedure.steps)
    return _amount(float(count), "precipitations counted in the synthesis section")


@claims("C116")
def volume_of_a_batch(e: Evidence) -> Found:
    return _amount(number("C117") / number("C105"), "12 mL for six batches")


@claims("C117")
def volume_of_the_stock(e: Evidence) -> Found:
    return _amount(number("C105") * number("C116"), "six batches of 2 mL")


@claims("C121", "two treatments", other="C123")
@claims("C123", "two treatments", other="C121")
def two_treatments(e: Evidence, other: str) -> Found:
    note = "two treatments of 3 mL use up one of two portions of a 12 mL stock"
    return _amount(number("C117") / (2 * number(other)), note)


@claims("C121", "three treatments")
@claims("C123", "three treatments")
def three_treatments(e: Evidence) -> Found:
    count = sum(bool(step.get("alternative")) for step in e.procedure.steps)
    portion, needed = number("C117") / number("C121"), count * number("C123")
    return {
        "found": f"{count} treatments need {needed:.0f} mL, "
        f"a portion of the stock is {portion:.0f} mL",
        "holds": True if needed <= portion else "inconclusive",
        "note": "GL, EDTA and E+G at 3 mL each do not fit into one portion: "
        "a second preparation is implied",
    }


# ---- mass --------------------------------------------------------------------------------------


def _limits(e: Evidence) -> dict[str, tuple[UFloat, str]]:
    """Most solid (mg) that lead and bromide allow, ligands included, and why.

    The composition is printed to tenths, and one line of iodine without its mean free path would
    give another; what bromide allows goes with its inverse.
    """
    balance, crystal_share = e.balance, 1 - shell_share(e.neat)
    iodide = number("C225")
    off = math.hypot(0.05, iodide_by_xps("I 3d5/2") - iodide) / 3**0.5
    spread = ufloat(1.0, off / (1 - iodide))
    found = f"for x_Br = {1 - iodide:.1f} ± {off:.2f}, which XPS found, {balance.limiting} limits"
    return {
        "lead": (balance.lead_limit_mg / crystal_share, "all the injected lead as MAPbI2Br"),
        "bromide": (balance.halide_limit_mg / crystal_share * spread, found),
    }


def stated_mass(e: Evidence, element: str, injections: int, per_mL: bool) -> Found:
    """A batch may be one injection (six in 12 mL) or a centrifuge tube of 10 mL (two injections).

    The solid that was weighed holds its ligands too.
    """
    balance, shell = e.balance, shell_share(e.neat)
    most, why = _limits(e)[element]
    share = (injections * most / balance.stated_mg).nominal_value
    note = (
        f"{why}, with {100 * shell.nominal_value:.0f} % of acid and amine in the solid, in "
        f"{balance.volume_mL:g} mL: {share:.2f} of the stated mass with {6 * injections} "
        "injections; what a batch is decides, and weighing a dried aliquot would settle it"
    )
    volume = balance.volume_mL if per_mL else 1.0
    # What a batch is decides, and it is printed nowhere: one reading refutes, the other does not.
    return {**_amount(injections * most / volume, note), "limit": "upper", "holds": "inconclusive"}


for _claim, _per_mL in (("C112", True), ("C118", False)):
    for _element in ("lead", "bromide"):
        for _reading, _n in (("one injection", 1), ("a tube", 2)):
            claims(
                _claim,
                f"{_element}, a batch is {_reading}",
                element=_element,
                injections=_n,
                per_mL=_per_mL,
            )(stated_mass)


# ---- spins: single crystals must stay up, flocs and powder must come down ----------------------

TOLUENE = {"liquid_g_cm3": 0.87, "viscosity_mPa_s": 0.56}  # at 25 °C
STOKES = f"Stokes' law; the rotor is not printed, {ROTOR_MM[0]:.0f}-{ROTOR_MM[1]:.0f} mm taken"


@claims("C119", crystals="neat", rpm="C119")
@claims("C120", crystals="neat", rpm="C119")
@claims("C125", crystals="treated", rpm="C125")
def stays_up(e: Evidence, crystals: str, rpm: str) -> Found:
    found = e.population(crystals)
    minutes = number("C120") if crystals == "neat" else 10.0
    # A sphere of equal volume with its ligand shell.
    size = found.edge_nm * (6 / math.pi) ** (1 / 3) + 3.5
    spin = {"density_g_cm3": found.density_g_cm3, "rpm": number(rpm), "minutes": minutes} | TOLUENE
    path = max(sedimentation_mm(size, rotor_mm=r, **spin) for r in ROTOR_MM)
    return {
        "found": f"single crystals sink at most {path:.1f} mm",
        "holds": path < TUBE_MM,
        "margin": math.log(TUBE_MM / path) / math.log(1.5),
        "kind": "calculated",
        "note": f"{STOKES}; the least path to a pellet is taken as {TUBE_MM:g} mm; a factor of 1.5 "
        "for shape, shell and viscosity",
    }


@claims("C126")
def through_the_filter(e: Evidence) -> Found:
    across = e.treated.edge_nm * 3**0.5 + 4
    return {
        "found": f"a crystal is {across:.0f} nm across its corners with ligands",
        "holds": across < number("C126") * 1000,
        "margin": math.log(number("C126") * 1000 / across) / math.log(1.5),
        "kind": "calculated",
        "note": "single crystals pass the filter; what it stops are aggregates and powder",
    }
