"""What notebook 05 holds the paper against: spectra of the sheet, and what is read from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from hassan2021 import cpmas
from hassan2021.desk import Missing
from peled import molecules, nmr
from peled.formats import read_json
from peled.formats.nmr import GYROMAGNETIC_MHz_T  # noqa: F401  (of the notebook's arithmetic)
from peled.nmr.analyse import Series
from peled.nmr.lines import LineFit
from peled.nmr.processing import Processed
from peled.nmr.reading import Seen
from peled.nmr.referencing import first_standard
from peled.nmr.series import Followed, follow_geminal
from peled.report import Report
from peled.samples import Holdings, Sheet
from peled.sources import kind_of
from peled.tables import table

SOLIDS = ("neat", "GL", "EDTA", "E+G")
REFERENCE_ERROR_PPM = 0.001  #: random error of referencing one spectrum to its solvent
#: Windows of the contact series (ppm).
CONTACT = {"vinyl": (126.0, 134.0), "carbonyl": (168.0, 178.5), "alpha": (53.0, 59.5)}
#: Lines of each ligand whose shifts are fitted with one isotherm.
BOUND = {"EDTA": ("EDTA a", "EDTA b"), "GL": ("NH Cys", "Cys beta 1", "Cys beta 2")}
#: Amide protons of Cys and Gly, and the Cys alpha proton (ppm).
AMIDE_PPM = [(8.2, 8.36), (8.42, 8.54), (4.3, 4.5)]
VINYL_PPM = (5.2, 5.85)  #: of the colloid's double bonds
OUTER_HZ = 29.9  #: between the outer lines of the free vinyl protons, as seen


@dataclass(frozen=True)
class Bound:
    """Binding of one ligand to lead: the isotherm kept, both tried, the exchange by widths."""

    fit: nmr.titration.Binding
    tried: tuple[nmr.titration.Binding, ...]
    exchange: nmr.titration.Exchange
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Evidence:
    """What the folder says; every look-up raises `Missing` with a reason.

    Attributes
    ----------
    sheet, report : Sheet, Report
        Of `peled.nmr.analyse`.
    folder : Path
    beside : callable
        Name of a file -> its path, in the folder or bundled.
    mas_rate_Hz : float
        Where the files do not say.
    contact_time_s : float
        Of the single cross-polarisation spectra; assumed, the paper gives none.
    """

    sheet: Sheet
    report: Report
    folder: Path
    beside: object
    mas_rate_Hz: float
    contact_time_s: float

    # ---- spectra ---------------------------------------------------------------------------------

    def seen(self, measurement: str, sample: str, solvent: str = "") -> list[Seen]:
        """Spectra of a sample, in a solvent that begins so; a titration by its steps."""
        tube = self.report.found.get(sample)
        found = [
            s
            for s, _ in (tube.spectra if tube else ())
            if s.row.measurement == measurement
            and str(s.row.settings.get("solvent", "")).startswith(solvent)
        ]
        if not found:
            raise Missing(f"{sample}: no {measurement} {solvent} in the folder".replace("  ", " "))
        return sorted(found, key=lambda s: s.row.settings.get("equivalents", 0.0))

    def spectrum(self, measurement: str, sample: str, solvent: str = "") -> Processed:
        """The first of them."""
        return self.seen(measurement, sample, solvent)[0].spectrum

    def in_toluene(self, sample: str) -> Processed:
        """The colloid, phased by the sharp lines of the solvent's ring: its own lines are broad."""
        seen = self.seen("1h", sample, "toluene")[0]
        turn = nmr.autophase(seen.spectrum, p1_deg=0.0, window_ppm=(6.5, 7.5))
        turned = nmr.apply_phase(seen.spectrum, turn)
        return first_standard(turned, seen.solvent)[0]

    def titration(self, sample: str) -> list[Seen]:
        """Steps of a titration with lead, in DMSO; at least three."""
        found = [s for s in self.seen("1h", sample, "DMSO") if "equivalents" in s.row.settings]
        found = [s for s in found if s.matched.there]
        if len(found) < 3:
            text = f"{sample}: {len(found)} steps of a titration show lines; three are needed"
            raise Missing(text)
        return found

    def of(self, samples: Sequence[str], look) -> dict:
        """Sample -> what `look(sample)` gives, where it gives anything."""
        found = {}
        for sample in samples:
            try:
                found[sample] = look(sample)
            except (Missing, ValueError):  # not there, or it does not reach its window
                continue
        return found

    def kind(self, measurement: str) -> str:
        """Kind of source of the files of a measurement."""
        rows = [row.path for row in self.sheet.rows if row.measurement == measurement]
        return kind_of(*rows) if rows else "measured"

    @cached_property
    def holdings(self) -> Holdings:
        """The tables of the sheet."""
        return Holdings(self.sheet, {"line_table": lambda path, row: path})

    @cached_property
    def resonances(self) -> list:
        return nmr.read_resonances(self.beside("resonances.csv"))

    @cached_property
    def references(self) -> list:
        """Reference shifts of the package, or of the folder."""
        return nmr.read_references(table("nmr/shifts.csv", self.folder))

    @cached_property
    def drawings(self) -> dict:
        return molecules.read_molecules(self.beside("molecules.json"))

    @cached_property
    def system(self) -> dict:
        """The glutamyl spins."""
        return read_json(self.beside("glutamyl.json"), what="a spin system in JSON")

    # ---- solids ----------------------------------------------------------------------------------

    @cached_property
    def solids(self) -> dict[str, Processed]:
        return self.of(SOLIDS, lambda s: self.spectrum("13c_cpmas", s))

    @cached_property
    def scale_error_ppm(self) -> float:
        """Of the carbon axis, by the external standard."""
        errors = [
            s.scale_error_ppm or 0.0
            for found in self.of(SOLIDS, lambda s: self.seen("13c_cpmas", s)).values()
            for s in found
        ]
        return max(errors, default=0.0)

    @cached_property
    def vinyl(self) -> dict[str, cpmas.Vinyl]:
        """The double bond's line, of the samples that show it."""
        found = {}
        for name, spectrum in self.solids.items():
            try:
                v = cpmas.fit_vinyl(spectrum, self.mas_rate_Hz)
            except ValueError:  # the spectrum does not reach there
                continue
            if v.there:
                found[name] = v
        return found

    @cached_property
    def chain(self) -> dict[str, LineFit]:
        return {name: cpmas.fit_chain(self.solids[name]) for name in self.vinyl}

    @property
    def all_vinyl(self) -> dict[str, cpmas.Vinyl]:
        """Of all four samples, as the paper has them."""
        if set(self.vinyl) != set(SOLIDS):
            raise Missing("no line of C=C above the noise in all four solids")
        return self.vinyl

    def sideband_ppm(self, name: str) -> float:
        """Where the lower first sideband of the double bond falls."""
        return self.vinyl[name].position_ppm - self.mas_rate_Hz / self.solids[name].reference_MHz

    @cached_property
    def windows(self) -> dict[str, dict[str, nmr.detection.Limit]]:
        """Signal of glutathione in the alpha and carbonyl windows, beside what else lies there."""
        found = {}
        for name in self.vinyl:
            side = (self.sideband_ppm(name), 100.0)
            spectrum = self.solids[name]
            alpha = cpmas.evidence(
                spectrum, [56.4, 54.5], 60, (46, 64), sideband=side, gauss_Hz=130
            )
            carbonyl = cpmas.evidence(
                spectrum, [176.5, 174.8, 172.6, 175.6], 60, (160, 195),
                others=((181.0, 450.0),), gauss_Hz=130,
            )  # fmt: skip
            found[name] = {"alpha": alpha, "carbonyl": carbonyl}
        return found

    @cached_property
    def oxidised(self) -> dict[str, nmr.Line]:
        """The line near 38 ppm, where it stands out of the noise."""
        found = {}
        for name in (n for n in ("GL", "E+G") if n in self.vinyl):
            line = cpmas.fit_oxidised(self.solids[name])["near 38"]
            if nmr.there(self.solids[name], line, (35.3, 48.0)):
                found[name] = line
        return found

    def ranking(self, name: str) -> list[nmr.Candidate]:
        """What the line near 38 ppm could be; spinning sidebands compete on equal terms."""
        line, mhz = self.oxidised[name], self.solids[name].reference_MHz
        error = float(np.hypot(line.position_error_ppm, self.scale_error_ppm))
        lines = [("C=C", self.vinyl[name].position_ppm), ("carbonyl", 175.0)]
        extra = [(n, ppm, 0.5) for n, ppm in nmr.sidebands(lines, self.mas_rate_Hz, mhz)]
        carbons = [r for r in self.references if r.nucleus == "13C"]
        return nmr.rank(line.position_ppm, error, carbons, extra=extra)

    @cached_property
    def contact(self) -> Series | None:
        """The contact-time series of GL."""
        tube = self.report.found.get("GL")
        found = [s for s in (tube.series if tube else ()) if s.seen.row.measurement == "contact"]
        return found[0] if found else None

    @cached_property
    def builds(self) -> dict[str, nmr.Course]:
        """Build-up in each window of the contact series; none without one."""
        if self.contact is None:
            return {}
        c = self.contact
        return {n: cpmas.contact_series(c.traces, c.axis, w) for n, w in CONTACT.items()}

    def efficiency(self, name: str) -> tuple[float, float]:
        """Of cross polarisation at the contact time; 1 where it is not determined."""
        if name not in self.builds:
            return 1.0, 0.0
        e = self.builds[name].efficiency(self.contact_time_s)
        return (1.0, 0.0) if e.value is None else (e.value, e.standard_error)

    @cached_property
    def edta(self) -> dict[str, tuple[nmr.detection.Limit, tuple[cpmas.Amount, ...]]]:
        """How much EDTA could be there unseen: limit and detection limit per oleyl chain."""
        if "EDTA" not in self.vinyl:
            raise Missing("no spectrum of the EDTA sample in which C=C is seen")
        spectrum, vinyl = self.solids["EDTA"], self.vinyl["EDTA"]
        found = {}
        for label, ppm, window, known, like in (
            ("carboxyl", [172.0], (160, 195), (181.0, 450.0), "carbonyl"),
            ("NCH2CO", [57.5], (46, 70), (self.sideband_ppm("EDTA"), 100.0), "alpha"),
        ):
            got = nmr.limit_at(spectrum, ppm, 60, window_ppm=window, nuisance=(known,),
                               gauss_Hz=130, baseline_order=1)  # fmt: skip
            both = {
                "efficiency": self.efficiency(like),
                "vinyl_efficiency": self.efficiency("vinyl"),
            }
            amounts = tuple(
                cpmas.per_chain(area, got.area_error, 4, vinyl, **both)
                for area in (got.upper_limit, got.detection_limit)
            )
            found[label] = got, amounts
        return found

    # ---- solutions -------------------------------------------------------------------------------

    @cached_property
    def followed(self) -> dict[str, Followed]:
        """Lines through each titration."""

        def one(name: str) -> Followed:
            steps = self.titration(name)
            wanted = [r for r in self.resonances if name == "E+G" or r.ligand == name]
            ratios = [s.row.settings["equivalents"] for s in steps]
            spectra = [s.spectrum for s in steps]
            return nmr.follow(spectra, ratios, wanted, reference_error_ppm=REFERENCE_ERROR_PPM)

        return self.of(("EDTA", "GL", "E+G"), one)

    @cached_property
    def trends(self) -> dict[str, dict]:
        """Sample -> line -> how it moved and broadened."""
        found = {}
        for name, f in self.followed.items():
            columns = (f.shift_ppm, f.shift_error_ppm, f.width_Hz, f.width_error_Hz)
            found[name] = {
                line: nmr.trend(line, f.ratio, *(c[:, i] for c in columns))
                for i, line in enumerate(f.names)
            }
        return found

    def lines(self, sample: str, *names: str) -> list:
        """Trends of these lines.

        Raises
        ------
        Missing
            Where one was lost in the noise or never measured.
        """
        mine = self.trends.get(sample, {})
        found = [mine[n] for n in names if n in mine and np.isfinite(mine[n].shift_ppm)]
        if len(found) < len(names):
            raise Missing(f"{sample}: {', '.join(names)} not seen through a titration")
        return found

    @cached_property
    def binding(self) -> dict[str, Bound]:
        """Isotherm and exchange of each ligand with lead."""
        found = {}
        for name, lines in BOUND.items():
            f = self.followed.get(name)
            if f is None or len(f.ratio) < 4 or not set(lines) <= set(f.names):
                continue
            index = [f.column(n) for n in lines]
            if np.isfinite(f.shift_ppm[:, index]).all():  # none was lost on the way
                found[name] = self._bound(name, lines, f)
        return found

    def _bound(self, name: str, lines: Sequence[str], f: Followed) -> Bound:
        index = [f.column(n) for n in lines]
        steps = self.titration(name)
        ligand = np.array([s.row.settings["host_mM"] for s in steps]) * 1e-3
        lead = ligand * f.ratio
        tried = tuple(
            nmr.fit_binding(
                ligand, lead, f.shift_ppm[:, index], f.shift_error_ppm[:, index], model=m
            )
            for m in ("1:1", "1:2")
        )
        b = min(tried, key=lambda m: m.bic)
        constants = [10**k for k in b.log10_K]
        fraction = nmr.bound_fractions(ligand, lead, constants).sum(axis=0)
        fine = np.linspace(0, f.ratio.max(), 80)
        share = nmr.bound_fractions(ligand[0], ligand[0] * fine, constants)
        curves = {
            line: (fine, b.free_ppm[i] + (b.bound_ppm[:, i] - b.free_ppm[i]) @ share)
            for i, line in enumerate(lines)
        }
        hz = (b.bound_ppm[0] - b.free_ppm)[-1] * steps[0].spectrum.reference_MHz
        widths = f.width_Hz[:, index[-1]], f.width_error_Hz[:, index[-1]]
        return Bound(b, tried, nmr.fit_exchange(fraction, hz, *widths), curves)

    @cached_property
    def geminal(self) -> tuple:
        """Geminal coupling of Glu beta along the titration of GL: |2J| and errors, Hz."""
        spectra = [s.spectrum for s in self.titration("GL")]
        window = tuple(self.system["window_ppm"])
        if not all(nmr.matched_filter(s, window).there for s in spectra):
            raise Missing("GL: no line of Glu beta stands out of the noise in every step")
        return follow_geminal(spectra, self.system)

    @cached_property
    def colloid(self) -> dict[str, LineFit]:
        """The vinyl protons in toluene: bound ligand broad, free ligand sharp."""
        bound = nmr.Component("bound", 5.55, 15, 50, "voigt")
        free = nmr.Component("free", 5.467, 2.0, couplings_Hz=(5.2,), partners=(2,))
        found, held = {}, ("centre", "width", "couplings")
        spectra = self.of(("E+G", "neat"), self.in_toluene)
        for name, spectrum in spectra.items():  # the treated one shows the free ligand best
            if not free.fixed:
                first = nmr.fit_lines(spectrum, VINYL_PPM, [bound, free])
                if not all(nmr.there(spectrum, q, VINYL_PPM) for q in first.lines):
                    break
                line = first["free"]
                free = replace(
                    free, centre_ppm=line.position_ppm, width_Hz=line.width_Hz,
                    couplings_Hz=line.couplings_Hz, fixed=held,
                )  # fmt: skip
            # Two like protons, coupled to each other and to CH2: a weak pair outside the triplet.
            outer = replace(free, name="outer lines", couplings_Hz=(OUTER_HZ,), partners=(1,))
            found[name] = nmr.fit_lines(spectrum, VINYL_PPM, [bound, free, outer])
        return found

    @cached_property
    def amide(self) -> dict[str, list[tuple[float, float]]]:
        """Amide protons of Cys and Gly per Cys alpha proton, before and after D2O."""

        def integrals(measurement: str, solvent: str):
            spectrum = self.spectrum(measurement, "GL", solvent)
            got = nmr.integrate(spectrum, AMIDE_PPM, flank_ppm=0.03)
            alpha = got.regions[2]
            if not alpha.area > 5 * alpha.error:
                raise Missing("GL: no alpha proton of Cys above the noise")
            return [got.ratio(0, 2), got.ratio(1, 2)]

        labels = {"DMSO": ("1h", "DMSO"), "DMSO + D2O": ("exchange", "")}
        found = self.of(labels, lambda label: integrals(*labels[label]))
        first = found.get("DMSO", [])
        return found if all(value > 5 * error for value, error in first) else {}

    @cached_property
    def mixing(self) -> dict[tuple[str, str], float]:
        """Median distance of a ligand's lines alone from those of the mixture, ppm, by solvent."""
        found = {}
        for solvent, window in (("DMSO", (2.6, 4.5)), ("D2O", (2.0, 4.4))):
            look = self.of(("EDTA", "GL", "E+G"), lambda s, v=solvent: self.spectrum("1h", s, v))
            for name in ("EDTA", "GL"):
                if name in look and "E+G" in look:
                    found[name, solvent] = nearest(look[name], look["E+G"], window)
        return {k: v for k, v in found.items() if np.isfinite(v)}


def free_share(fit: LineFit) -> float:
    """Free ligand over all of it, in the vinyl lines of a colloid."""
    free = sum(line.area for line in fit.lines if line.name != "bound")
    return free / (free + fit["bound"].area)


def nearest(single: Processed, mixture: Processed, window: tuple[float, float]) -> float:
    """Median distance from a line of one ligand to the closest of the mixture, ppm."""
    a = nmr.pick_peaks(single, threshold=40, window_ppm=window)
    b = nmr.pick_peaks(mixture, threshold=20, window_ppm=window)
    if not len(a.ppm) or not len(b.ppm):
        return float("nan")
    return float(np.median([np.abs(b.ppm - x).min() for x in a.ppm]))
