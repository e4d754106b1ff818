"""What notebook 02 holds the paper against: printed numbers, optics, what the files say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from hassan2021 import desk
from hassan2021.desk import Missing, number
from hassan2021.simulate.photon_recycling import Fates, trace
from ledger import paper
from peled import photoluminescence as pl
from peled.photoluminescence import recycling, shift_budget
from peled.photoluminescence.measures import Result
from peled.quantities import Quantity
from peled.report import Report
from peled.samples import Sheet
from peled.sources import kind_of

NEAT, TREATED = "neat", "E+G"
FILMS = (NEAT, "GL", "EDTA", TREATED)
PLACES = ("solution", "film")
#: Half devices by the word in which the sheet's states differ, and the panels' words.
HALVES = {"on transport": "transport", "on hole transport": "hole-transport"}
BARE, TPD, TFB, TPBI = "PNCs", "P-TPD/PNCs", "TFB/PNCs", "PNCs/TPBi"
SERIES = ("pmma_1.03", "pmma_0.006", "neat_film", "single", "recovery", "EG_film")
EMISSION_NM = 620.0  #: at which the paper takes indices and the film's absorbance
MEAN = "lifetime, amplitude-weighted"
#: Photons that leave per density squared, and a hole meets a filled trap (cm³/s): held where a
#: yield's dependence on excitation is fitted, which sets no clock.
CLOCK = {"radiative": 1e-10, "detrap": 2e-11}


@dataclass(frozen=True)
class Film:
    """The film on glass of the paper's optics, and how far each input may be off by its rounding.

    `od` is the decadic absorbance at `EMISSION_NM`, `plqy` the yield outside, `half` half of the
    last printed digit of density and yield; the index is printed with a tolerance of its own.
    """

    n: float
    n_glass: float
    od: float
    thickness_nm: float
    plqy: float
    half: float = 0.005

    def error(self, value) -> float:
        """Standard error of `value(film)` from the rounding of index, density and yield."""
        here, index = value(self), paper.claim("C146").printed[0].half_width
        moved = [
            value(replace(self, **{name: getattr(self, name) + half}))
            for name, half in (("n", index), ("od", self.half), ("plqy", self.half))
        ]
        return float(np.hypot.reduce([(v - here) / 3**0.5 for v in moved]))

    def small_angle(self, outside: float) -> float:
        """Escape through one face by the paper's small-angle formula."""
        return recycling.escape.escape_small_angle(self.n, outside)

    def paper(self, base: float = 10.0) -> recycling.OpticalModel:
        """The paper's own escape: small-angle cones, one reflection, attenuation `base`^(−OD).

        Of the decadic density `base` is 10; e gives the other number that the paper prints.
        """
        front, back = self.small_angle(1.0), self.small_angle(self.n_glass)
        total = (back + front) * base ** (-self.od / 2) + (back - front) * base ** (-1.5 * self.od)
        name = "paper: small-angle cones" + (", base e" if base != 10 else "")
        return recycling.OpticalModel(name, float(total), float(1 - total))

    def rays(self) -> recycling.OpticalModel:
        """All rays, all bounces."""
        return recycling.ray_model(self.n, self.n_glass, self.od)

    def waves(self, thickness_nm: float | None = None) -> recycling.WaveOptics:
        """Dipoles in the stack of layers."""
        thick = self.thickness_nm if thickness_nm is None else thickness_nm
        return recycling.wave_optics(self.n, self.n_glass, thick, EMISSION_NM)

    def models(self) -> list[recycling.OpticalModel]:
        """What becomes of an emitted photon by the paper, rays and waves, the latter with none,
        half and all of the light in the glass taken back."""
        waves = self.waves()
        return [self.paper(), self.rays(), *(waves.model(share) for share in (0.0, 0.5, 1.0))]

    def traced(self, count: int, seed: int, **slide: float) -> Fates:
        """Photon by photon, in endless glass or in a slide (`glass_mm`, `radius_mm`)."""
        optics = {"n_film": self.n, "n_glass": self.n_glass, "optical_density": self.od}
        return trace(count, **optics, internal_yield=0.88, seed=seed, **slide)


@dataclass(frozen=True)
class Evidence:
    """What the folder says; every look-up raises `Missing` with a reason.

    Attributes
    ----------
    sheet, report : Sheet, Report
        Of `peled.photoluminescence.analyse`.
    folder : Path
    film : Film
    masses : (float, float)
        Total and reduced mass of the exciton in electron masses: confined as one, or each alone.
    quick : bool
    """

    sheet: Sheet
    report: Report
    folder: Path
    film: Film
    masses: tuple[float, float]
    quick: bool = False

    def kept(self, sample: str, word: str, state: str = "") -> Result:
        """What a measurement keeps of a sample: `emission`, `yields`, `decays` ..."""
        found = self.report.found.get(sample)
        for one in getattr(found, word, ()):
            if one.state == state:
                return one
        raise Missing(f"no {word} of {sample}{', ' if state else ''}{state} in the folder")

    def quantity(self, sample: str, name: str, state: str = "") -> Quantity:
        """A number of the report that is not withheld."""
        return desk.quantity(self.report, sample, name, state=state)

    def kind(self, measurement: str) -> str:
        """Kind of source of the files of a measurement."""
        paths = [row.path for row in self.sheet.rows if row.measurement == measurement]
        return kind_of(*paths) if paths else "measured"

    def of(self, names, look) -> dict:
        """Name -> what `look(name)` gives, where there is anything."""
        found = {}
        for name in names:
            try:
                found[name] = look(name)
            except Missing:
                continue
        return found

    # ---- spectra ---------------------------------------------------------------------------------

    def band(self, sample: str, state: str) -> pl.Emission:
        """An emission spectrum whose band stands out of the noise."""
        self.quantity(sample, "PL peak", state)
        return replace(self.kept(sample, "emission", state).fit, label=sample)

    @cached_property
    def films(self) -> dict[str, pl.Emission]:
        """Emission of the films that are there."""
        return self.of(FILMS, lambda s: self.band(s, "film"))

    def shift(self, sample: str) -> tuple[float, float]:
        """Peak of the solution less that of a film, nm; the error of the scale is common."""
        ends = [
            self.quantity(NEAT, "PL peak", "solution"),
            self.quantity(sample, "PL peak", "film"),
        ]
        own = [e for q in ends for cause, e in q.budget.items() if cause != "wavelength"]
        return ends[0].value - ends[1].value, float(np.hypot.reduce(own))

    @cached_property
    def relative(self) -> dict[str, tuple[float, float]]:
        """Photons of each film per absorbed photon, relative to the neat one, with errors."""
        if NEAT not in self.films:
            raise Missing("no emission of the neat film in the folder")
        rows = {r.sample: r for r in self.sheet.rows if r.measurement == "pl" and r.state == "film"}
        share = {name: rows[name].settings.get("absorptance") for name in self.films}
        if None in share.values():
            raise Missing("no absorptance of every film in the sample sheet")
        neat, found = self.films[NEAT], {}
        for name, m in self.films.items():
            value = m.area / share[name] / (neat.area / share[NEAT])
            spread = np.hypot(m.area_error / m.area, neat.area_error / neat.area)
            found[name] = (value, float(value * spread * (name != NEAT)))
        return found

    def areas(self, state: str) -> dict[str, tuple[float, float]]:
        """Areas of half devices relative to the bare film, with errors."""
        found = self.of(self.report.found, lambda s: self.band(s, state))
        if BARE not in found:
            raise Missing(f"no emission of {BARE}, {state} in the folder")
        bare = found.pop(BARE)
        every = {BARE: bare, **found}
        return {k: (m.area / bare.area, m.area_error / bare.area) for k, m in every.items()}

    # ---- yields ----------------------------------------------------------------------------------

    @cached_property
    def yields(self) -> dict[str, tuple]:
        """Sample -> (intensity, PLQY, fit of recombination or None, generation per mW/cm²)."""
        return self.of((NEAT, TREATED), self._yield_series)

    def _yield_series(self, sample: str) -> tuple:
        one = self.kept(sample, "yields", "film")
        self.largest(sample)
        at = zip(one.quantities, one.intensity_mW_cm2, strict=True)
        of_yields = (x for q, x in at if q.name.startswith("PLQY"))
        level = np.array([np.nan if x is None else x for x in of_yields])
        taken = float(np.mean(one.fit.absorptance))
        per_mW = float(
            pl.generation_rate(1.0, taken, self.film.thickness_nm, one.excitation_nm or 405.0)
        )
        fit = None
        if level.size > 4 and np.all(level > 0):
            covariance = one.fit.covariance
            fit = pl.fit_recombination(level * per_mW, one.fit.plqy, covariance, **CLOCK)
        return level, one.fit, fit, per_mW

    def yield_series(self, sample: str) -> tuple:
        """As `yields`."""
        if sample not in self.yields:
            raise Missing(f"no quantum yields of {sample} in the folder")
        return self.yields[sample]

    def largest(self, sample: str) -> Quantity:
        """The largest yield of a series."""
        found = [
            q for q in self.report.select(sample=sample, state="film")
            if q.name.startswith("PLQY") and q.value is not None
        ]  # fmt: skip
        if not found:
            raise Missing(f"no quantum yield of {sample} in the folder")
        return max(found, key=lambda q: q.value)

    # ---- decays ----------------------------------------------------------------------------------

    def mean(self, sample: str, state: str) -> Quantity:
        """Mean lifetime, area over initial height."""
        return self.quantity(sample, MEAN, state)

    @cached_property
    def means(self) -> dict[tuple[str, str], Quantity]:
        """(place, sample) -> mean lifetime."""
        places = [(p, s) for p in PLACES for s in (NEAT, TREATED)]
        return self.of(places, lambda key: self.mean(key[1], key[0]))

    @cached_property
    def half_means(self) -> dict[str, Quantity]:
        """Half device -> mean lifetime; of one measured in both series, that with hole layers."""
        found = {}
        for state in HALVES:
            found |= self.of(self.report.found, lambda s, state=state: self.mean(s, state))
        return found

    # ---- gaps, series, images --------------------------------------------------------------------

    def gap(self, sample: str) -> tuple[pl.TaucGap, pl.ElliottGap]:
        """Both gaps of an absorbance."""
        self.quantity(sample, "optical gap (Elliott)", "solution")
        fits = self.kept(sample, "absorption", "solution").fit
        try:
            return fits["optical gap (Tauc)"], fits["optical gap (Elliott)"]
        except KeyError as name:
            raise Missing(f"{sample}: no {name}") from None

    @cached_property
    def gaps(self) -> dict[str, tuple[pl.TaucGap, pl.ElliottGap]]:
        """Gaps of the samples that are there."""
        return self.of((NEAT, TREATED), self.gap)

    @cached_property
    def tracks(self) -> dict[str, Result]:
        """Series in time that could be followed."""

        def one(name: str) -> Result:
            found = self.kept(name, "series")
            if found.fit is None:
                raise Missing("; ".join(found.problems))
            return found

        return self.of(SERIES, one)

    def track(self, name: str) -> pl.Segregation:
        """How a series changes."""
        if name not in self.tracks:
            raise Missing(f"no series {name} in the folder")
        return self.tracks[name].fit

    @cached_property
    def truth(self) -> dict[str, float]:
        """What went into simulated files; empty for others."""
        path = self.folder / "truth.csv"
        return pl.read_truth(path) if path.is_file() else {}

    # ---- optics ----------------------------------------------------------------------------------

    @cached_property
    def slide(self) -> Fates:
        """Rays traced in a real slide: 1 mm thick, as wide as 2 × 2 cm."""
        return self.film.traced(self._count, 2, glass_mm=1.0, radius_mm=20 / np.sqrt(np.pi))

    @cached_property
    def endless(self) -> Fates:
        """Rays traced in glass without end."""
        return self.film.traced(self._count, 1)

    @property
    def _count(self) -> int:
        return 5000 if self.quick else 20000

    @cached_property
    def models(self) -> list[recycling.OpticalModel]:
        """What becomes of an emitted photon, by every optics."""
        slide = self.slide
        traced = recycling.OpticalModel(
            "rays traced in a 1 mm slide of 2 x 2 cm", slide.escape[0], slide.reabsorption[0]
        )
        return [*self.film.models(), traced]


def shift_sums(masses: tuple[float, float]) -> list[shift_budget.Combination]:
    """Sums of causes against the printed blue-shift of 12 nm."""
    start = number("C012")
    sizes = {"start_nm": start, "edge_errors_nm": (0.3, 0.3)}
    edges = number("C022"), number("C021")
    parts = [
        shift_budget.given("composition", 8.0 / 2, 8.0 / np.sqrt(12), start),
        shift_budget.confinement(*edges, mass=masses[0], regime="weak", **sizes),
        shift_budget.confinement(*edges, mass=masses[1], regime="strong", **sizes),
        shift_budget.given("surroundings", 7.0, 2.0, start),
    ]
    either = ("weak confinement", "strong confinement")
    return shift_budget.combinations(number("C018"), 1.0, parts, exclusive=either)
