"""From a target to a weighing table: what to weigh, and how well each weighing must be done."""

from __future__ import annotations

import csv
import html
import io
from dataclasses import dataclass

import numpy as np

from peled.materials import bulk_gap_eV, lattice_constant_angstrom, photon_energy_eV
from peled.synthesis.amounts import molar_mass

#: Salts by formula, with the halide they bring; PbBr2 is needed only above x_Br = 1/3.
SALTS = {
    "PbI2": {"Pb": 1, "I": 2},
    "PbBr2": {"Pb": 1, "Br": 2},
    "CH3NH3I": {"I": 1},
    "CH3NH3Br": {"Br": 1},
}
SHOWN = {"PbI2": "PbI2", "PbBr2": "PbBr2", "CH3NH3I": "MAI", "CH3NH3Br": "MABr"}


@dataclass(frozen=True)
class Weighing:
    """One line of the table: what to weigh, and by how much it may be off."""

    salt: str
    amount_mmol: float
    mass_mg: float
    tolerance_mg: float


@dataclass(frozen=True)
class Recipe:
    """A precursor solution for a target composition, and what to expect of it."""

    x_br: float
    lead_mol_L: float
    volume_mL: float
    batches: int
    batch_volume_mL: float
    weighings: tuple[Weighing, ...]
    gap_eV: float
    wavelength_nm: float
    a_angstrom: float
    largest_yield_mg: float

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
            f"<tr><td>{html.escape(w.salt)}</td><td>{w.amount_mmol:.4f}</td><td>{w.mass_mg:.2f}</td><td>± {w.tolerance_mg:.2f}</td><td></td></tr>"
            for w in self.weighings
        )
        return (
            "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>Weighing sheet</title><style>body{font:12pt sans-serif;max-width:42em;margin:2em auto}"
            "table{border-collapse:collapse;width:100%}td,th{border:1px solid #555;padding:.4em;text-align:right}td:first-child,th:first-child{text-align:left}"
            "td:last-child{min-width:7em}</style></head><body>"
            f"<h1>MAPb(I<sub>{1 - self.x_br:.3f}</sub>Br<sub>{self.x_br:.3f}</sub>)<sub>3</sub> precursor</h1>"
            f"<p>{self.volume_mL:g} mL at {self.lead_mol_L:g} mol/L lead, for {self.batches} batches of {self.batch_volume_mL:g} mL. "
            f"Bulk gap {self.gap_eV:.3f} eV ({self.wavelength_nm:.0f} nm), lattice constant {self.a_angstrom:.3f} Å, at most {self.largest_yield_mg:.0f} mg of perovskite.</p>"
            f"<table><tr><th>salt</th><th>mmol</th><th>mg</th><th>tolerance</th><th>weighed</th></tr>{rows}</table>"
            "<p>Date: ____________ &nbsp; Name: ____________________</p></body></html>\n"
        )


def make_recipe(
    x_br: float,
    *,
    lead_mol_L: float = 0.5,
    volume_mL: float = 4.0,
    batches: int = 6,
    batch_volume_mL: float = 0.2,
    tolerance_x: float = 0.005,
    tolerance_lead: float = 0.01,
) -> Recipe:
    """Masses for a precursor of MAPb(I1-xBrx)3 with MA:Pb = 1.

    Up to x_Br = 1/3 all lead comes as PbI2 and the bromide as MABr; above, PbBr2 replaces part of it (the paper used none).
    The tolerance of a weighing is what keeps x_Br within `tolerance_x` and the lead within `tolerance_lead` (relative)
    when all weighings use theirs, adding in quadrature: Δm = min(tol_x/√k / |∂x/∂m|, tol_Pb·m/√k).

    Raises
    ------
    ValueError
        For a fraction outside 0 to 1, a quantity that is not positive, or more taken for the batches than is made.
    """
    if not 0 <= x_br <= 1:
        raise ValueError(f"x_br: expected a fraction from 0 to 1, found {x_br}")
    for name, value in (
        ("lead_mol_L", lead_mol_L),
        ("volume_mL", volume_mL),
        ("batches", batches),
        ("batch_volume_mL", batch_volume_mL),
    ):
        if not value > 0:
            raise ValueError(f"{name}: expected a positive number, found {value}")
    if batches * batch_volume_mL > volume_mL * (1 + 1e-9):
        raise ValueError(
            f"batches: expected at most {volume_mL:g} mL in all, found {batches} x {batch_volume_mL:g} mL"
        )
    lead = lead_mol_L * volume_mL
    bromide = 3 * x_br
    amounts = {
        "PbI2": 1 - max(bromide - 1, 0) / 2,
        "PbBr2": max(bromide - 1, 0) / 2,
        "CH3NH3I": max(1 - bromide, 0),
        "CH3NH3Br": min(bromide, 1),
    }
    amounts = {salt: n * lead for salt, n in amounts.items() if n > 1e-12}
    masses = {salt: n * molar_mass(salt).nominal_value for salt, n in amounts.items()}
    slack = 1 / np.sqrt(len(amounts))
    weighings = []
    for salt, n in amounts.items():
        # x = Br/(I + Br); the total of halide is 3 n(Pb)
        slope = (
            (SALTS[salt].get("Br", 0) * (1 - x_br) - SALTS[salt].get("I", 0) * x_br)
            / (3 * lead)
            / molar_mass(salt).nominal_value
        )
        limits = [tolerance_x * slack / abs(slope)] if abs(slope) > 1e-9 else []
        if "Pb" in SALTS[salt]:
            limits.append(tolerance_lead * slack * lead * molar_mass(salt).nominal_value)
        weighings.append(
            Weighing(
                SHOWN[salt],
                n,
                masses[salt],
                min(limits) if limits else tolerance_lead * masses[salt],
            )
        )
    gap = float(bulk_gap_eV(x_br))
    used = lead * batches * batch_volume_mL / volume_mL
    perovskite = sum(masses.values()) / lead * used
    return Recipe(
        x_br,
        lead_mol_L,
        volume_mL,
        batches,
        batch_volume_mL,
        tuple(weighings),
        gap,
        float(photon_energy_eV(gap)),
        float(lattice_constant_angstrom(x_br)),
        perovskite,
    )
