"""What notebook 07 holds the paper against: its printed numbers, and what the sheet's files say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from hassan2021 import desk
from hassan2021.desk import Missing, number
from ledger import paper
from peled import materials
from peled.quantities import Quantity
from peled.report import Report
from peled.samples import Held, Holdings, Sheet
from peled.sources import kind_of
from peled.structure import composition, diffract, icpms, microscopy, urbach, xrd
from peled.structure.reading import read_truth
from peled.structure.rows import READERS

NEAT, TREATED = "neat", "E+G"
PAIR = (NEAT, TREATED)
#: Where the net of the paper's cubes is looked for: its lattice constant.
D100_NM = 0.605

#: MAPb(I0.4Br0.6)3, what photoelectrons cross: valence electrons are those of the cation (C 4,
#: N 5, H 6), of lead (4) and of three halides (7 each). The sample sheet says the same.
MATERIAL = {
    "density_g_cm3": 4.3,
    "molar_mass_g_mol": 544.8,
    "valence_electrons": 40.0,
    "gap_eV": 1.93,
}
#: Settings of the analysis for a film of cubes of mixed halides on a substrate.
SETTINGS = {"crystals": "cubes", "thin_film": True, "alloy": True, "pixel_relative": 0.01}


@dataclass(frozen=True)
class Evidence:
    """What the folder says; every look-up raises `Missing` with a reason.

    Attributes
    ----------
    sheet, report : Sheet, Report
        Of `peled.structure.analyse`.
    folder : Path
    confinement_eV : float
        Of the neat cubes, assumed when their emission is turned into a composition.
    quick : bool
    """

    sheet: Sheet
    report: Report
    folder: Path
    confinement_eV: float
    quick: bool = False

    @cached_property
    def holdings(self) -> Holdings:
        """The files of the sheet."""
        return Holdings(self.sheet, READERS)

    def quantity(self, sample: str, name: str) -> Quantity:
        """A number of the report that is not withheld."""
        return desk.quantity(self.report, sample, name)

    def kept(self, sample: str, word: str) -> dict:
        """What a technique keeps of a sample."""
        found = self.report.found.get(sample, {}).get(word)
        if not found:
            raise Missing(f"{sample}: no {word} in the folder")
        return found

    def of(self, word: str, look) -> dict:
        """Sample -> what `look(sample)` gives, of the samples measured so."""
        found = {}
        others = [s for s in self.report.found if s not in PAIR]
        for sample in (*PAIR, *others):
            try:
                self.kept(sample, word)
                found[sample] = look(sample)
            except Missing:
                continue
        if not found:
            raise Missing(f"no {word} in the folder")
        return found

    def kind(self, word: str) -> str:
        """Kind of source of the files of a measurement."""
        return kind_of(*(h.row.path for h in self.holdings.select(measurement=word)))

    # ---- micrographs -----------------------------------------------------------------------------

    def sizes(self, sample: str) -> microscopy.SizeDistribution:
        found = self.kept(sample, "tem")
        if "sizes" not in found:
            raise Missing(f"{sample}: no distribution of edges")
        return found["sizes"]

    def images(self, sample: str, word: str) -> list:
        """Micrographs of a sample whose name holds a word."""
        rows = [h for h in self.holdings if h.row.sample == sample and word in h.row.path.stem]
        if not rows:
            raise Missing(f"{sample}: no micrograph named {word}")
        return [h.data for h in rows]

    @cached_property
    def lattices(self) -> dict[str, microscopy.LatticeFit]:
        """The net of one cube, from the magnified lattice image of each sample."""
        found = {}
        for sample in PAIR:
            try:
                (image,) = self.images(sample, "zoom")
            except Missing:
                continue
            relative = self.report.settings["pixel_relative"]
            found[sample] = microscopy.fit_square_lattice(
                image.pixels, image.pixel_nm, d100_nm=D100_NM, pixel_relative_error=relative
            )
        return found

    def lattice(self, sample: str) -> microscopy.LatticeFit:
        if sample not in self.lattices:
            raise Missing(f"{sample}: no magnified lattice image")
        return self.lattices[sample]

    # ---- powder patterns -------------------------------------------------------------------------

    def fit(self, sample: str) -> xrd.PawleyFit:
        return next(iter(self.kept(sample, "xrd").values()))

    def change(self) -> tuple[float, float]:
        """Lattice constant of the treated less that of the neat film, and its error, ångström."""
        return xrd.lattice_change(*(self.fit(s) for s in PAIR))

    @cached_property
    def phases(self) -> dict[str, xrd.PhaseTest]:
        """Cubic or tilted, of each film."""
        ruler, _ = diffract.ruler_of(self.holdings, self.report.settings)
        found = {}
        for sample in PAIR[: 1 if self.quick else 2]:
            held = self.holdings.select(measurement="xrd", sample=sample, role="sample")
            if held and sample in self.of("xrd", self.fit):
                found[sample] = self._phase(held[0], ruler)
        return found

    def _phase(self, held: Held, ruler) -> xrd.PhaseTest:
        sample, settings = held.row.sample, self.report.settings
        try:
            d = self.sizes(sample)
            spread = d.sd_nm / d.mean_nm
        except Missing:
            spread = None
        options = diffract.fit_options(held, ruler, spread, settings)
        options |= {"a_A": self.fit(sample).a_A, "window_deg": (11.0, 46.0)}
        p = held.data
        return xrd.phase_test(p.two_theta_deg, p.intensity, p.sigma, **options)

    # ---- photoelectrons --------------------------------------------------------------------------

    def levels(self, sample: str) -> dict:
        """Fits of core levels by level."""
        found = self.kept(sample, "xps")
        return {name: one.fit for one in found.values() for name in one.fit.names}

    def survey(self, sample: str):
        """The survey spectrum of a sample, None without one."""
        rows = self.holdings.select(measurement="xps", sample=sample)
        spectra = [s for held in rows for s in held.data if "survey" in s.name.lower()]
        return spectra[0] if spectra else None

    # ---- lead, composition -----------------------------------------------------------------------

    @cached_property
    def lead(self) -> dict[str, icpms.Content]:
        """Lead contents by sample."""
        found = {}
        for sample in self.report.found:
            for _, contents in self.report.found[sample].get("icpms", {}).values():
                found |= contents
        return found

    def content(self, sample: str) -> icpms.Content:
        if sample not in self.lead:
            raise Missing(f"{sample}: no lead content in the folder")
        return self.lead[sample]

    def tail(self, sample: str) -> tuple[urbach.UrbachFit, tuple[np.ndarray, np.ndarray]]:
        return next(iter(self.kept(sample, "absorption").values()))

    @cached_property
    def constants(self) -> dict:
        return materials.constants(self.folder)

    @cached_property
    def truth(self) -> dict[tuple[str, str], float]:
        """What went into simulated files."""
        return read_truth(self.folder)

    @cached_property
    def ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Lattice constants of the end members and their errors, ångström."""
        pairs = (self.constants["a_MAPbI3"], self.constants["a_MAPbBr3"])
        return tuple(zip(*pairs, strict=True))

    @cached_property
    def printed(self) -> composition.JointComposition:
        """The bromide fraction that printed numbers give, the recipe's among them."""
        a, ratio = paper.claim("C033").printed[0], number("C029")
        vegard = materials.bromide_fraction_of_lattice(
            a.value, a.half_width / np.sqrt(3), *self.ends
        )
        emission = composition.composition_from_gap(number("C012"), 1.0, self.confinement_eV, 0.010)
        return composition.joint_composition(
            {
                "XRD, 6.05 Å": vegard,
                "XPS, I:Br 2:3": (1 / (1 + ratio), 0.10 * ratio / (1 + ratio) ** 2),
                "emission 642 nm": emission,
                "crystals as the recipe": (1 - number("C226"), 0.01),
            }
        )

    @cached_property
    def crystals(self) -> composition.JointComposition:
        """The same without the recipe: ions need not enter the crystal as they are weighed in."""
        kept = {k: v for k, v in self.printed.estimates.items() if "recipe" not in k}
        return composition.joint_composition(kept)

    def joint(self, sample: str) -> composition.JointComposition:
        """The bromide fraction that a sample's files give."""
        found = {}
        for name, label in (("x_Br (I 4d)", "XPS"), ("x_Br (lattice)", "XRD, Vegard")):
            try:
                q = self.quantity(sample, name)
            except Missing:
                continue
            found[label] = q.value, q.standard_error
        if "XRD, Vegard" in found:
            x, error, _, _ = xrd.composition_from_intensities(self.fit(sample), texture=True)
            found["XRD, intensities"] = x, float(np.hypot(error, 0.02))
        if len(found) < 2:
            raise Missing(f"{sample}: fewer than two estimates of its composition")
        return composition.joint_composition(found)


def step() -> microscopy.SizeChange:
    """What the printed edges mean: volume and layers lost."""
    edges = [(number(c), paper.claim(c).printed_spread) for c in ("C022", "C021")]
    return microscopy.size_change(*edges, number("C033"))


#: Molar masses, g/mol (IUPAC 2021, abridged weights).
LIGANDS = {"GL": 307.32, "EDTA": 292.24}
SOLIDS = {"MAPbI2Br": 572.98, "MAPb(I0.4Br0.6)3": 535.39, "PbI2": 461.0, "PbBr2": 367.0}
CUBES_MG = 120.0  #: of MAPbI2Br that is washed


def stoichiometric_ceilings() -> dict[str, float]:
    """Lead contents of the pure solids one could think of, µg/mg."""
    found = {f"Pb-{name} 1:1": icpms.ceiling(mass) for name, mass in LIGANDS.items()}
    found["Pb-E+G 1:1"] = icpms.ceiling(sum(LIGANDS.values()), lead=2)
    return found | {name: 1000 * icpms.PB / mass for name, mass in SOLIDS.items()}


def balance() -> dict[str, float]:
    """The most lead (µg/mg) that a residue can hold if all 2 mmol of ligand stay in it."""
    mixes = {"GL": {"GL": 2.0}, "E+G": {"GL": 1.0, "EDTA": 1.0}, "EDTA": {"EDTA": 2.0}}
    lead = CUBES_MG * icpms.PB / SOLIDS["MAPbI2Br"]
    return {
        name: icpms.mass_balance(lead, sum(n * LIGANDS[ligand] for ligand, n in mix.items()))
        for name, mix in mixes.items()
    }
