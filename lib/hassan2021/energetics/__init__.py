"""What notebook 06 works on: the printed energies, the kept calculations, and what lies between.

told      what the paper prints, and the bounds that follow
loading   what the folder holds: one's own table, beside it the kept ones
methods   what several methods say of one quantity, and the error that leaves
charts    what the panels draw
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hassan2021.energetics import loading, methods
from hassan2021.energetics.told import Published, published
from ledger import paper
from peled.energetics import frenkel


@dataclass(frozen=True)
class Assumed:
    """What the notebook takes for its Frenkel pairs, as its parameters have it.

    `errors_eV` are two standard errors of a formation energy, the second more cautious;
    `correlation` how much of them two surfaces share; `iodides` the lattice sites at the surface
    of one crystal.
    """

    temperature_K: float
    errors_eV: tuple[float, float]
    correlation: float
    iodides: int

    def step(self, low_eV: float, high_eV: float, **options) -> tuple[frenkel.Suppression, ...]:
        """Suppression from one formation energy to another, for both errors."""
        return tuple(
            frenkel.suppression(
                low_eV,
                high_eV,
                error_eV=error,
                correlation=self.correlation,
                temperature_K=self.temperature_K,
                **options,
            )
            for error in self.errors_eV
        )


@dataclass(frozen=True)
class Evidence:
    """What is printed, what was calculated, and how far each method may be off.

    Attributes
    ----------
    told : Published
    held : loading.Holdings
    errors : mapping
        Standard error of each method (eV), without the spread of the starts.
    gaps : mapping
        Preference of free lead by method and medium.
    assumed : Assumed
    """

    told: Published
    held: loading.Holdings
    errors: Mapping[str, float]
    gaps: Mapping[str, methods.LeadGap]
    assumed: Assumed = Assumed(300.0, (0.05, 0.10), 0.5, 1000)

    @property
    def compared(self) -> dict[str, Mapping]:
        """Rows by method that stand beside the paper's numbers."""
        wanted = (loading.GFN2, loading.DFT, loading.OWN)
        return {m: self.held.methods[m] for m in wanted if m in self.held.methods}

    @property
    def surfaces(self) -> dict[str, dict]:
        """Formation energies of Frenkel pairs in tight binding, by surface and site."""
        return loading.frenkel_rows(self.held.methods[loading.GFN2])

    @property
    def best(self) -> str:
        """The paper's quantity for free lead in the best method at hand."""
        return next((m for m in methods.LEAD_METHODS if m in self.gaps), "")

    @property
    def factors(self) -> dict[str, tuple[frenkel.Suppression, ...]]:
        """How much rarer pairs are on one surface than on another, by the printed energies."""
        energy, up = self.told.frenkel_eV, self.told.increases_eV
        pairs = {
            "GL / bare": ("bare", "GL"),
            "E+G / bare": ("bare", "GL+EDTA"),
            "E+G / GL": ("GL", "GL+EDTA"),
            "MAI / bare": ("bare", "MAI"),
        }
        found = {name: self.assumed.step(*(energy[k] for k in two)) for name, two in pairs.items()}
        ether = self.assumed.step(up["ether (PEO)"], up["GL+EDTA"])
        return {**found, "E+G / ether": ether}

    def rows(self, method: str) -> Mapping:
        """Rows of a method; none where there is no table of it."""
        return self.held.methods.get(method, {})

    def searched(self, method: str) -> Mapping:
        """Single points in geometries of another search carry that search's error."""
        return self.rows(loading.GFN2) if method == loading.DFT else {}

    def estimate(self, method: str, name: str) -> methods.Estimate:
        """A row with the error of its method and of its search."""
        what = "geometry" if method == loading.DFT else "method"
        searched = self.searched(method).get(name)
        return methods.estimate(self.rows(method)[name], self.errors[method], what, searched)


def gather(room, **assumed) -> Evidence:
    """Everything that the folder of a room says; kept calculations beside it. `assumed` are the
    fields of `Assumed`.
    """
    held = loading.load(room)
    reference = held.methods[loading.DFT]
    measured = {
        m: methods.method_error_eV(held.methods[m], reference)[0]
        for m in (loading.GFN1, loading.GFN2)
    }
    errors = measured | {loading.DFT: methods.GEOMETRY_ERROR_EV}
    found = Evidence(published(), held, errors, methods.lead_gaps(held.lead))
    return replace(found, assumed=replace(found.assumed, **assumed))


def finding(evidence: Evidence) -> list[str]:
    """What the numbers say, in five lines."""
    told, lines = evidence.told, []
    singles = {
        m: [f"{n} {rows[n].energy_eV:.2f}" for n in ("GL", "EDTA") if n in rows]
        for m, rows in evidence.compared.items()
    }
    said = "; ".join(f"{m}: {', '.join(found)}" for m, found in singles.items() if found)
    printed = ", ".join(f"{n} {told.cells[n].energy_eV.middle:.2f}" for n in ("GL", "EDTA"))
    lines.append(f"one ligand on the surface, eV: printed {printed}; {said}")
    beyond = {}
    for m, rows in evidence.compared.items():
        searched = evidence.held.methods[loading.GFN2]
        found = methods.interaction(rows, "GL+EDTA", evidence.errors.get(m, 0.0), searched)
        if found:
            beyond[m] = f"{m} {found.value_eV:+.2f} ± {found.error_eV:.2f}"
    lines.append(
        f"the pair beyond its singles, eV: printed {told.interaction.middle:.2f}; "
        + "; ".join(beyond.values())
    )
    terms = {
        "GL": [(1, "GL")],
        "EDTA": [(1, "EDTA")],
        "the pair beyond its singles": [(1, "GL+EDTA"), (-1, "GL"), (-1, "EDTA")],
    }
    reference = evidence.rows(loading.DFT)
    splits = {name: methods.parts(reference, *each) for name, each in terms.items()}
    if all(splits.values()):
        lines.append(
            f"of {loading.DFT}, by the functional and by D3: "
            + ", ".join(
                f"{name} {s.functional_eV:+.2f} {s.dispersion_eV:+.2f}"
                for name, s in splits.items()
            )
        )
    real = ", ".join(
        f"{name} {s.difference_eV:+.2f} eV {s.probability:.2f}"
        for name, (s, _) in evidence.factors.items()
    )
    lines.append(f"probability that a rise of the formation energy is real: {real}")
    if evidence.best:
        g, every = evidence.gaps[evidence.best], [g.gap_eV for g in evidence.gaps.values()]
        lines.append(
            f"EDTA holds free lead {g.gap_eV:.2f} eV more strongly ({evidence.best}; "
            f"{min(every):.2f} to {max(every):.2f} over all), printed "
            f"{paper.claim('C175').number:.2f}"
        )
    return lines


def quantities(evidence: Evidence) -> dict[str, tuple]:
    """Numbers to keep: (value, standard error, unit, kind) by name."""
    held, inter = evidence.held, evidence.told.interaction
    error = inter.half_width / 3  # three uniform roundings
    found = {"interaction of the E+G pair": (inter.middle, error, "eV")}
    for name, (s, _) in evidence.factors.items():
        difference = (s.difference_eV, s.difference_se_eV, "eV")
        found[f"difference of formation energies, {name}"] = difference
        found[f"probability that the difference is real, {name}"] = (s.probability,)
    for method, rows in held.methods.items():
        for row in rows.values():
            # The method's error is that of adsorption energies; of defects, dimers and variants
            # it is not known.
            own = methods.estimate(row, evidence.errors.get(method, 0.0), "").error_eV
            error = own if methods.on_slab(row.name) else None
            found[f"{row.name}, {method}"] = (row.energy_eV, error, "eV", held.kind(method))
    for name, row in held.box.items():
        found[f"in a box, {name}"] = (row.energy_eV, None, "eV", "calculated")
    for name, g in evidence.gaps.items():
        found[f"EDTA over GL on free lead, {name}"] = (g.gap_eV, g.error_eV, "eV", "calculated")
    return found
