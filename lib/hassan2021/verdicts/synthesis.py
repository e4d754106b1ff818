"""The paper's synthesis claims against what its procedure implies.

Everything here is arithmetic on a procedure that has been run (`recomputed`) or a small independent calculation
(`calculated`). A procedure of one's own that lacks a step leaves the claims on it not testable.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from uncertainties import UFloat, ufloat

from hassan2021.verdicts import evidence
from ledger import paper
from peled.synthesis.amounts import composition, molar_mass, parse_quantity
from peled.synthesis.crystals import CrystalPopulation, sedimentation_mm, sedimenting_diameter_nm
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


@dataclass(frozen=True)
class MassBalance:
    """Stated mass of crystals in the stock, and what the lead and halide that went in allow (mg)."""

    stated_mg: float
    lead_limit_mg: UFloat
    halide_limit_mg: UFloat
    limiting: str
    injected: dict[str, UFloat]
    volume_mL: float

    @property
    def closing_concentration_mg_mL(self) -> UFloat:
        """Concentration at which the stock would hold all the lead and no more."""
        return self.lead_limit_mg / self.volume_mL

    @property
    def closing_shell_fraction(self) -> float:
        """Share of the solid that would have to be ligand for the stated mass to hold the lead bound."""
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
    x_br_precursor: float = 1 / 3,
) -> MassBalance:
    """Compare volume × concentration with the largest yield of crystals from what `vessel` has received.

    `x_br_precursor` is the composition for which lead limits; `x_br` the composition measured in the product.
    """
    injected = outcome.received(vessel)
    lead, _ = yield_limit_mmol({"Pb": injected["Pb"]}, {"Pb": 1.0})
    halide, limiting = yield_limit_mmol(injected, perovskite_needs(x_br))
    return MassBalance(
        volume_mL * concentration_mg_mL,
        lead * molar_mass(perovskite_formula(x_br_precursor)),
        halide * molar_mass(perovskite_formula(x_br)),
        limiting,
        injected,
        volume_mL,
    )


def shell_share(crystals: CrystalPopulation) -> UFloat:
    """Share of ligands in the mass of cubes that carry three (± 1) oleyl chains a nm² of their surface."""
    per_nm3 = ufloat(3.0, 1.0) * 6 / crystals.edge_nm  # chains for a nm³ of crystal
    oleyl = 275.0 / 6.02214076e23 * 1e21  # mean of acid and amine, 1e-21 g
    mass = per_nm3 * oleyl
    return mass / (mass + crystals.density_g_cm3)


class Facts:
    """Numbers of a procedure by step; a missing step is None."""

    def __init__(self, procedure: Procedure):
        self.steps = {step["id"]: step for step in procedure.steps}
        self.procedure = procedure

    def quantity(
        self, step: str, action: str, unit: str, chemical: str | None = None
    ) -> float | None:
        """The quantity of an action of a step in `unit`."""
        for entry in entries(self.steps.get(step, {}), action):
            if chemical in (None, entry.get("chemical")):
                text = entry.get("mass") or entry.get("volume") or entry.get("amount")
                if text and text != "all":
                    return parse_quantity(text, unit, what=step)
        return None

    def count(self, action: str) -> int:
        return sum(action in step for step in self.procedure.steps)


#: DOI of the paper, which a procedure must name as its source to be judged by the paper's claims.
DOI = "10.1038/s41586-021-03217-8"


def of_paper(procedure: Procedure) -> bool:
    """Whether a procedure is the paper's; any other can have no verdict."""
    return DOI in procedure.source


def judge_all(
    room,
    procedure: Procedure,
    pure: Outcome,
    balance: MassBalance | None,
    neat: CrystalPopulation | None,
    treated: CrystalPopulation | None,
    *,
    rotor_mm: tuple[float, float] = (50.0, 120.0),
) -> None:
    """Give a verdict on every claim of the synthesis room.

    Parameters
    ----------
    room : ledger.notebook.Room
    procedure : Procedure
    pure : Outcome
        The procedure run with every bottle taken as pure.
    balance, neat, treated : MassBalance, CrystalPopulation, or None
        None for another procedure than the paper's: no claim is then testable.
    rotor_mm : pair of float
        Range of the rotor's radius, which is not printed.
    """
    if balance is None:
        for claim_id in room.missing_claims():
            room.not_testable(claim_id, "the procedure is not the paper's")
        return
    facts = Facts(procedure)

    def printed(claim_id: str) -> float:
        return paper.claim(claim_id).number

    def check(
        claim_id: str, find: Callable[[], object], *, kind: str = "recomputed", **options
    ) -> None:
        """`find` returns a number, a UFloat, or (holds, text); anything it misses makes the claim not testable."""
        try:
            found = find()
        except (TypeError, KeyError, ZeroDivisionError):
            room.not_testable(claim_id, "the procedure file has no step for it")
            return
        if isinstance(found, tuple):
            room.check(claim_id, found[1], kind=kind, holds=found[0], **options)
        else:
            room.check(
                claim_id,
                getattr(found, "nominal_value", found),
                getattr(found, "std_dev", 0.0),
                kind=kind,
                **options,
            )

    lead, bromide = pure.added.get("Pb"), pure.added.get("Br")
    iodide_fraction = 2 * lead / (2 * lead + bromide) if lead and bromide else None
    _composition(check, lead, bromide, iodide_fraction, pure)
    _volumes(check, facts, printed, lead, room)
    _balance(check, balance, neat, treated, facts)
    _spins(check, neat, treated, rotor_mm, printed)
    transcribed = {
        "C090": "a label; at 99.99 % it moves no number here",
        "C091": "a label; the acid is in 60-fold excess over lead",
        "C092": "a label; technical grade, so a third of the amine's mass is something else",
        "C093": "the procedure bubbles dry gas; no step uses the solution",
        "C094": "a label; the ligand is in excess",
        "C095": "a label; the ligand is in excess",
        "C101": "nothing printed depends on the temperature",
        "C104": "sizes against growth time would settle it",
        "C106": "the volume of a batch is not printed",
        "C110": "the second antisolvent ratio rests on it (see there)",
        "C124": "spectra against stirring time would settle it",
    }
    for claim_id, why in transcribed.items():
        room.not_testable(claim_id, why)


def _composition(check, lead, bromide, iodide_fraction, pure) -> None:
    check(
        "C006",
        lambda: (
            abs(iodide_fraction.nominal_value - 0.5) < 1e-3,
            f"x = {iodide_fraction.nominal_value:.3f} is iodide in one spelling, bromide in the other",
        ),
        note="MAPb(IxBr1-x)3 and MAPb(I1-xBrx)3 name one compound only at x = 1/2; x_I or x_Br is named every time here",
    )
    check("C028", lambda: 2 * lead / bromide, note="2 n(PbI2)/n(MABr), both bottles taken as pure")
    check("C226", lambda: iodide_fraction, note="iodide fraction of the halide in the precursor")
    check(
        "C096",
        lambda: bromide * molar_mass("PbI2"),
        note="PbI2 that makes I:Br 2:1 with the MABr weighed; most of the error is lead's atomic weight",
    )
    check(
        "C097",
        lambda: lead * molar_mass("CH3NH3Br"),
        note="MABr that makes I:Br 2:1 with the PbI2 weighed",
    )
    check(
        "C023",
        lambda: pure.added["GL"] / pure.added["EDTA"],
        note=f"equimolar is {float((molar_mass('C10H17N3O6S') / molar_mass('C10H16N2O8')).nominal_value):.3f} g of GL to 1 g of EDTA",
    )

    def electrons(formula: str) -> int:
        return int(sum(_Z[symbol] * count for symbol, count in composition(formula)))

    check(
        "C099",
        lambda: (
            electrons("CH3NH3") % 2 == 0,
            f"CH3NH3 has {electrons('CH3NH3')} electrons, CH3NH2 {electrons('CH3NH2')}",
        ),
        kind="calculated",
        margin=math.inf,
        note="a neutral gas of closed-shell molecules has an even count: methylamine is CH3NH2",
    )


def _volumes(check, facts: Facts, printed, lead, room) -> None:
    def volume(step: str, action: str, chemical: str | None = None) -> float:
        return facts.quantity(step, action, "mL", chemical)

    check(
        "C098",
        lambda: lead / 0.5,
        note="acetonitrile for 0.50 mol/L of lead, the round number the masses point to; the salts' own volume is left out",
    )
    check(
        "C100",
        lambda: 0.1 / (lead / volume("precursor", "add", "acetonitrile")),
        note="precursor for 0.100 mmol of lead a batch, the round number; six injections use 1.2 of 4 mL",
    )

    def fits():
        batch = printed("C106") * 3 / printed("C105")
        rest = batch - printed("C102") - printed("C103") - printed("C100")
        return rest > 0, f"{rest:.1f} mL of a {batch:.0f} mL batch left for toluene"

    batch_note = "the batch follows from three tubes of 10 mL for six batches; the volume of toluene is not printed"
    for claim_id, other, factor in (("C102", "C103", 10), ("C103", "C102", 0.1)):
        check(claim_id, fits, route="room in the batch", note=batch_note)
        check(
            claim_id,
            lambda other=other, factor=factor: factor * printed(other),
            route="acid to amine",
            note="ten parts of acid to one of amine by volume, 14.7 to 1 in moles",
        )
    check(
        "C105",
        lambda: volume("control", "transfer") * 2 / volume("stock", "disperse"),
        note="12 mL of stock from 2 mL a batch",
    )
    check(
        "C107",
        lambda: printed("C106") * printed("C111") / printed("C110"),
        note="the antisolvent ratio of the second wash, 2:1, applied to the first",
    )
    check(
        "C111",
        lambda: printed("C110") * printed("C107") / printed("C106"),
        note="the antisolvent ratio of the first wash, 2:1, applied to the second",
    )
    check(
        "C115",
        lambda: float(facts.count("precipitate")),
        note="precipitations counted in the synthesis section",
    )
    check(
        "C116",
        lambda: printed("C117") / printed("C105"),
        note="12 mL for six batches",
    )
    check(
        "C117",
        lambda: printed("C105") * printed("C116"),
        note="six batches of 2 mL",
    )

    treatments = [step for step in facts.procedure.steps if step.get("alternative")]

    def shared():
        portion = printed("C117") / printed("C121")
        needed = len(treatments) * printed("C123")
        return (
            True if needed <= portion else "inconclusive",
            f"{len(treatments)} treatments need {needed:.0f} mL, a portion of the stock is {portion:.0f} mL",
        )

    for claim_id, found in (
        ("C121", lambda: printed("C117") / (2 * printed("C123"))),
        ("C123", lambda: printed("C117") / (2 * printed("C121"))),
    ):
        check(
            claim_id,
            found,
            route="two treatments",
            note="two treatments of 3 mL use up one of two portions of a 12 mL stock",
        )
        check(
            claim_id,
            shared,
            route="three treatments",
            note="GL, EDTA and E+G at 3 mL each do not fit into one portion: a second preparation is implied",
        )


def _balance(
    check, balance: MassBalance, neat: CrystalPopulation, treated: CrystalPopulation, facts: Facts
) -> None:
    # "A batch" may be one injection (six in 12 mL) or a centrifuge tube of 10 mL (two injections).
    # The solid that was weighed holds its ligands too: three a nm² of surface, give or take one.
    shell = shell_share(neat)
    # The composition is printed to tenths, and one line of iodine without its mean free path would give another; what
    # bromide allows goes with its inverse.
    iodide = paper.claim("C225").number
    off = math.hypot(0.05, evidence.iodide_by_xps("I 3d5/2") - iodide) / 3**0.5
    limits = {
        "lead": (balance.lead_limit_mg / (1 - shell), "all the injected lead as MAPbI2Br"),
        "bromide": (
            balance.halide_limit_mg / (1 - shell) * ufloat(1.0, off / (1 - iodide)),
            f"for x_Br = {1 - iodide:.1f} ± {off:.2f}, which XPS found, {balance.limiting} limits",
        ),
    }
    solid = f"with {100 * shell.nominal_value:.0f} % of ligands in the solid, in {balance.volume_mL:g} mL"
    for claim_id, volume in (("C112", balance.volume_mL), ("C118", 1.0)):
        for element, (most, why) in limits.items():
            for reading, injections in (("one injection", 1), ("a tube", 2)):
                share = (injections * most / balance.stated_mg).nominal_value
                check(
                    claim_id,
                    lambda most=most, volume=volume, n=injections: n * most / volume,
                    limit="upper",
                    route=f"{element}, a batch is {reading}",
                    note=f"{why}, {solid}: {share:.2f} of the stated mass with {6 * injections} injections; what a batch "
                    "is decides, and weighing a dried aliquot would settle it",
                )

    def enough():
        mass = paper.claim("C123").number * paper.claim("C112").number
        freed = neat.lead_mmol(mass) * neat.lost_fraction(treated)
        ligand = paper.claim("C122").number
        return (
            ligand >= 10 * freed,
            f"{ligand:g} mmol of ligand, {freed:.3f} mmol of lead freed when all crystals shrink from {neat.edge_nm:g} to {treated.edge_nm:g} nm",
        )

    check(
        "C122",
        enough,
        note="in more than ten-fold excess over all the lead that the shrinkage frees; for E+G the text does not say whether 2 mmol is the sum or each",
    )


def _spins(
    check,
    neat: CrystalPopulation,
    treated: CrystalPopulation,
    rotor_mm: tuple[float, float],
    printed,
) -> None:
    """Stokes sedimentation over the range of rotor radii: single crystals must stay up, flocs and powder must come down."""
    density = neat.density_g_cm3

    def pellet():
        size = max(
            sedimenting_diameter_nm(
                40, density_g_cm3=density, rpm=printed("C108"), minutes=printed("C109"), rotor_mm=r
            )
            for r in rotor_mm
        )
        return size < 1000 * printed("C126"), f"flocs above {size:.0f} nm reach the bottom"

    def stays(crystals: CrystalPopulation, rpm: str, minutes: float):
        size = (
            crystals.edge_nm * (6 / 3.141592653589793) ** (1 / 3) + 3.5
        )  # a sphere of equal volume with its ligand shell
        path = max(
            sedimentation_mm(
                size,
                density_g_cm3=crystals.density_g_cm3,
                rpm=printed(rpm),
                minutes=minutes,
                rotor_mm=r,
            )
            for r in rotor_mm
        )
        return path < 10, f"single crystals sink at most {path:.1f} mm"

    options = {
        "kind": "calculated",
        "note": f"Stokes' law; the rotor is not printed, {rotor_mm[0]:.0f}-{rotor_mm[1]:.0f} mm taken",
    }
    check("C108", pellet, **options)
    check("C109", pellet, **options)
    check("C119", lambda: stays(neat, "C119", printed("C120")), **options)
    check("C120", lambda: stays(neat, "C119", printed("C120")), **options)
    check("C125", lambda: stays(treated, "C125", 10.0), **options)
    check(
        "C126",
        lambda: (
            treated.edge_nm * 3**0.5 + 4 < printed("C126") * 1000,
            f"a crystal is {treated.edge_nm * 3**0.5 + 4:.0f} nm across its corners with ligands",
        ),
        kind="calculated",
        note="single crystals pass the filter; what it stops are aggregates and powder",
    )
