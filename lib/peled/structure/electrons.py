"""Photoelectrons of a sheet: levels that are there, charging, atomic ratios, work function."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from peled.formats.delimited import read_records
from peled.formats.vamas import Spectrum
from peled.quantities import Finding, Gate, Quantity, assumed, described, possible, signal
from peled.report import reason
from peled.samples import Held
from peled.structure import ups, xps
from peled.structure.detection import find_edges
from peled.structure.making import Bench, asked, estimates, saturated
from peled.tables import table

#: What adventitious carbon was found at, eV (G. Greczynski, L. Hultman, Prog. Mater. Sci. 107,
#: 100591 (2020), doi:10.1016/j.pmatsci.2019.100591).
CARBON_EV = (284.0, 286.0)
#: Columns of the sheet that say what the electrons cross: their mean free path goes by it.
MATERIAL = ("density_g_cm3", "molar_mass_g_mol", "valence_electrons", "gap_eV")
_WIDE_EV = 60.0  #: a longer region is a survey, not one of levels


def _levels(folder: Path) -> dict[str, xps.Doublet]:
    """The table of levels; a `levels.csv` in the folder of the data takes its place.

    Chemical states of one level are rows that begin alike, `C 1s` and `C 1s ester`.
    """
    columns = "position_eV", "splitting_eV", "ratio", "fwhm_eV", "asymmetry"
    none = {"splitting_eV": 0.0, "ratio": 0.0, "asymmetry": 0.0}  # of a level that is no doublet
    rows, _ = read_records(table("structure/levels.csv", folder), ("level", *columns))
    return {
        r["level"]: xps.Doublet(r["level"], *(r.number(c, none.get(c)) for c in columns))
        for r in rows
    }


@dataclass(frozen=True)
class Region:
    """A region fitted: its levels, by how much they lay too high, and from which row."""

    held: Held
    spectrum: Spectrum
    fit: xps.LevelFit
    shift: xps.Shift

    def level(self, name: str) -> tuple[float, float]:
        """Area and error of one of the levels.

        Parameters
        ----------
        name : str

        Returns
        -------
        area, standard_error : float
            Counts eV.

        Raises
        ------
        ValueError
            If no such level was fitted.
        """
        return self.fit.area(name)

    @property
    def described(self) -> Gate:
        """Doubts, or withholds, what the lines of the fit do not describe."""
        return described(self.fit.misfit_z, self.fit.missed, where=self.held.row.label)


def wanted(spectrum: Spectrum) -> list[xps.Doublet]:
    """Levels that a region's name says, or, where it says none, those that lie in it.

    Parameters
    ----------
    spectrum : Spectrum

    Returns
    -------
    list of Doublet
        Empty for a region longer than 60 eV, or of a level that the table has not, unless its name
        says one that it has.

    Raises
    ------
    FormatError
        For a table of levels that cannot be read.
    """
    known = _levels(spectrum.path.parent)
    words = f"{spectrum.name} {spectrum.transition}".lower().replace("_", " ")
    named = [
        d for name, d in known.items()
        if re.search(rf"(?<![a-z]){' ?'.join(name.lower().split()[:2])}", words)
    ]  # fmt: skip
    x = spectrum.binding_energy_eV
    if named or np.ptp(x) > _WIDE_EV or re.search(r"(?<![a-z])[a-z]{1,2} ?[1-6][spdf]", words):
        return named
    return [d for d in known.values() if x.min() + 2 < d.position_eV < x.max() - 2]


def levels(bench: Bench) -> None:
    """Core levels of a sample: ratios of elements, binding energies where they are referenced.

    Parameters
    ----------
    bench : Bench
        Its rows hold photoelectron spectra.
    """
    regions = []
    for held in bench.held:
        for spectrum in held.data:
            one = _region(bench, held, spectrum)
            if one is not None:
                regions.append(one)
                bench.keep[f"{held.row.label} {spectrum.name}"] = one
    reference = _reference(bench, regions)
    for one in regions:
        _positions(bench, one, reference)
    _ratios(bench, regions)


def _region(bench: Bench, held: Held, spectrum: Spectrum) -> Region | None:
    doublets = wanted(spectrum)
    name = f"levels of {spectrum.name}"
    if not doublets:
        wide = float(np.ptp(spectrum.binding_energy_eV))
        said = "no level of the table; add it to levels.csv beside the data"
        if wide > _WIDE_EV:
            said = f"a survey over {wide:.0f} eV: levels are fitted in regions of their own"
        bench.say(held, f"{spectrum.name}: {said}")
        return None
    if clipped := saturated(spectrum.binding_energy_eV, spectrum.counts, held.row.label):
        bench.withheld(held, name, "counts eV", *clipped)
        return None
    try:
        shift = xps.find_shift(spectrum.binding_energy_eV, spectrum.counts, doublets)
        if not shift.found:
            text = (
                f"{' and '.join(d.name for d in doublets)}: {shift.significance:.1f} standard "
                f"errors above background and {shift.rival:.1f} above the next best place, "
                f"where noise alone passes {shift.threshold:.1f}"
            )
            bench.nothing(held, name, "counts eV", "signal", text)
            return None
        ruler = doublets[0].name == "C 1s" and held.row.settings.get("charge_reference_eV")
        if len(doublets) == 1 and not ruler and abs(shift.value_eV) > 5:
            text = (
                f"the only line lies {shift.value_eV:+.1f} eV from {doublets[0].name}: charging or "
                "another level; give charge_reference_eV and a region of C 1s"
            )
            bench.nothing(held, name, "counts eV", "assumed", text)
            return None
        moved = [replace(d, position_eV=d.position_eV + shift.value_eV) for d in doublets]
        fit = xps.fit_levels(
            spectrum.binding_energy_eV, spectrum.counts, moved,
            background=bench.settings["background"],
        )  # fmt: skip
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        bench.nothing(held, name, "counts eV", "determined", reason(error))
        return None
    return Region(held, spectrum, fit, shift)


def _there(one: Region, name: str):
    area, error = one.level(name)
    return signal(area, error, f"the area of {name}", tries=len(one.fit.names),
                  where=one.held.row.label)  # fmt: skip


def _reference(bench: Bench, regions: list[Region]) -> Quantity | None:
    """By how much binding energies lie too high, from C 1s; None without that line."""
    for one in regions:
        if "C 1s" not in one.fit.names or _there(one, "C 1s")(None):
            continue
        i = one.fit.names.index("C 1s")
        said = one.held.row.settings.get("charge_reference_eV")
        measured = estimates(
            ("C 1s",), (one.fit.positions_eV[i],), ("eV",), (one.fit.position_errors_eV[i],)
        )
        where = one.held.row.label
        if said:
            return bench.make(
                one.held, "charging", "eV", lambda p, at=said: p["C 1s"] - at, measured,
                note=f"C 1s at {said:g} eV by the sheet", gates=(one.described,),
            )  # fmt: skip
        range_ = assumed("charge_reference_eV", "eV", *CARBON_EV, where=where)
        return bench.make(
            one.held, "charging", "eV", lambda p, at: p["C 1s"] - at, measured, range_,
            note="rests on adventitious carbon", gates=(one.described,),
        )  # fmt: skip
    return None


def _positions(bench: Bench, one: Region, reference: Quantity | None) -> None:
    for i, name in enumerate(one.fit.names):
        label = f"binding energy {name}"
        if reference is None:
            finding = Finding(
                "assumed", "withheld",
                f"no region of C 1s: energies are not referenced; the levels lie "
                f"{one.shift.value_eV:+.1f} eV from where they are expected, charging and "
                "chemistry together; give charge_reference_eV and a region of C 1s",
                one.held.row.label,
            )  # fmt: skip
            bench.withheld(one.held, label, "eV", finding)
            continue
        place = estimates(
            ("E",), (one.fit.positions_eV[i],), ("eV",), (one.fit.position_errors_eV[i],)
        )
        if name != "C 1s":
            bench.make(
                one.held, label, "eV", lambda p, by: p["E"] - by, place, reference,
                gates=(_there(one, name), one.described),
            )  # fmt: skip


def _ratios(bench: Bench, regions: list[Region]) -> None:
    """Atomic ratios of each level to one of Br 3d, else the strongest, in the same or another
    region."""
    places = {name: one for one in regions for name in one.fit.names}
    if len(places) < 2:
        return
    first = "Br 3d" if "Br 3d" in places else max(places, key=lambda n: places[n].level(n)[0])
    below = places[first]
    for name, above in places.items():
        element = name.split()[0]
        if name == first or element == first.split()[0]:
            continue
        label = f"{element} : {first.split()[0]} ({name})"
        if unknown := _unknown(above, below):
            findings = [asked(column, where) for column, where in unknown.items()]
            bench.withheld(above.held, label, "1", *findings)
            continue
        _ratio(bench, label, name, first, above, below)


def _unknown(above: Region, below: Region) -> dict[str, str]:
    """Columns that a ratio needs and the sheet lacks, with the row that lacks them."""
    one = above.held.row.label
    missing = {} if above.spectrum.photon_energy_eV else {"anode": one}
    times = [r.spectrum.collection_time_s for r in (above, below)]
    if above is not below and not all(times):
        missing["dwell_s"] = one
    for region in (above, below):
        row = region.held.row
        missing |= {c: row.label for c in MATERIAL if row.settings.get(c) is None}
    return missing


def _ratio(bench, label, name, first, above, below) -> None:
    """One ratio, with the error of the background's shape and of the sensitivities in it."""
    known = _levels(above.spectrum.path.parent) | _levels(below.spectrum.path.parent)
    at = {n: known[n].position_eV for n in (name, first)}
    photon = above.spectrum.photon_energy_eV
    factor = _factor(first, at[first], photon, below) / _factor(name, at[name], photon, above)
    if above is below:
        i, j = above.fit.names.index(name), above.fit.names.index(first)
        covariance = above.fit.area_covariance[np.ix_([i, j], [i, j])]
        other = _other_background(bench, above, name, first)
    else:
        covariance = np.diag([above.level(name)[1] ** 2, below.level(first)[1] ** 2])
        other = None
    values = np.array([above.level(name)[0], below.level(first)[0]])
    gates = (_there(above, name), _there(below, first), possible(0), *_described(above, below))
    if any(v <= 0 for v in values):
        values = np.maximum(values, 1e-9)  # withheld by the gates, in their words
    areas = estimates(("top", "bottom"), values, ("counts eV",) * 2, covariance)
    value = values[0] / values[1] * factor
    budget = {"sensitivity": bench.settings["sensitivity_relative"] * value}
    if other is not None:
        budget["background"] = abs(other / (values[0] / values[1]) - 1) * value
    rows = (above.held,) if above.held is below.held else (above.held, below.held)
    made = bench.make(
        rows, label, "1", lambda p: p["top"] / p["bottom"] * factor, areas, gates=gates, **budget
    )
    if {name.split()[0], first.split()[0]} == {"I", "Br"} and bench.settings["alloy"]:
        bench.make(rows, f"x_Br ({name})", "1", lambda q: 1 / (1 + q), made,
                   gates=(possible(0, 1),))  # fmt: skip


def _described(*regions: Region) -> list[Gate]:
    """The gates of different regions."""
    return [one.described for one in {id(one): one for one in regions}.values()]


def _factor(name: str, binding_eV: float, photon: float, one: Region) -> float:
    """Counts that one atom gives: sensitivity x transmission x mean free path x time."""
    s = one.spectrum
    transmission = 1.0
    if s.transmission is not None:
        order = np.argsort(s.binding_energy_eV)
        at = binding_eV + one.shift.value_eV
        transmission = float(np.interp(at, s.binding_energy_eV[order], s.transmission[order]))
    time = (s.collection_time_s or 1.0) * s.scans
    element, level = name.split()[:2]
    material = {column: float(one.held.row.settings[column]) for column in MATERIAL}
    free_path = float(xps.mean_free_path_nm(photon - binding_eV, **material))
    return xps.sensitivity(element, level, photon) * transmission * free_path * time


def _other_background(bench, one: Region, name: str, first: str) -> float | None:
    """The quotient of areas with the other background: what its shape may have got wrong."""
    kind = "tougaard" if bench.settings["background"] == "shirley" else "shirley"
    moved = [
        replace(_levels(one.spectrum.path.parent)[n], position_eV=float(at))
        for n, at in zip(one.fit.names, one.fit.positions_eV, strict=True)
    ]
    s = one.spectrum
    try:
        fit = xps.fit_levels(s.binding_energy_eV, s.counts, moved, background=kind)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError):
        return None
    return float(fit.area(name)[0] / fit.area(first)[0])


# ---- ultraviolet ---------------------------------------------------------------------------------


def edges(bench: Bench) -> None:
    """Work function, valence edge, ionisation energy of a sample.

    Parameters
    ----------
    bench : Bench
        Its rows hold ultraviolet photoelectron spectra.
    """
    cut = top = None
    for held in bench.held:
        for s in held.data:
            x, y = s.binding_energy_eV, s.counts
            bias = _bias(held, s)
            order = np.argsort(x)
            x, y = x[order], y[order]
            sigma = np.sqrt(np.maximum(np.convolve(y, np.ones(5) / 5, "same"), 1))
            name = "secondary cut-off" if _is_cutoff(s, bias) else "valence edge"
            if clipped := saturated(x, y, held.row.label):
                bench.withheld(held, name, "eV", *clipped)
                continue
            try:
                seen = find_edges(x, y, sigma, falling=name == "secondary cut-off")
                if not seen.features:
                    bench.nothing(held, name, "eV", "signal", seen.sentence("edge"))
                elif name == "secondary cut-off":
                    found = ups.secondary_cutoff(x, y, bias_V=0.0)
                    step = described(found.misfit_z, found.missed, where=held.row.label)
                    cut = (held, s, bias, found.energy_eV, max(found.error_eV, 1e-4), step)
                    bench.keep["cutoff"] = s, found
                else:
                    found = ups.valence_onset(x, y)
                    edge = described(found.misfit_z, found.missed, where=held.row.label)
                    top = (held, s, bias, found.energy_eV, max(found.error_eV, 1e-4), edge)
                    bench.keep["valence"] = s, found
            except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
                bench.nothing(held, name, "eV", "determined", reason(error))
    if cut:
        _work_function(bench, cut)
    if top:
        _edge(bench, top)
    if cut and top:
        _ionisation(bench, cut, top)


def _bias(held: Held, s: Spectrum) -> float | None:
    said = held.row.settings.get("bias_V")
    return float(said) if said is not None else s.target_bias_V


def _is_cutoff(s: Spectrum, bias: float | None) -> bool:
    if "cut" in s.name.lower():
        return True
    return "val" not in s.name.lower() and s.binding_energy_eV.mean() - (bias or 0) > 10


_CHARGE = "charging moves it one to one and cannot be told from it in these spectra"


def _work_function(bench: Bench, cut) -> None:
    held, s, bias, energy, error, step = cut
    if not s.photon_energy_eV:
        bench.withheld(held, "work function", "eV", asked("anode", held.row.label))
    elif bias is None:
        bench.withheld(held, "work function", "eV", asked("bias_V", held.row.label))
    else:
        fit = estimates(("cutoff",), (energy,), ("eV",), (error,))
        bench.make(
            held, "work function", "eV", lambda p: s.photon_energy_eV - (p["cutoff"] - bias), fit,
            gates=(possible(0), step), note=_CHARGE, scale=bench.settings["energy_eV"],
        )  # fmt: skip


def _edge(bench: Bench, top) -> None:
    held, _, bias, energy, error, edge = top
    if bias is None:
        bench.withheld(held, "valence edge below Fermi", "eV", asked("bias_V", held.row.label))
        return
    fit = estimates(("onset",), (energy,), ("eV",), (error,))
    bench.make(held, "valence edge below Fermi", "eV", lambda p: p["onset"] - bias, fit,
               gates=(possible(0), edge), note=_CHARGE,
               scale=bench.settings["energy_eV"])  # fmt: skip


def _ionisation(bench: Bench, cut, top) -> None:
    """hν − (cut-off − onset): neither bias nor charging enters, as long as both are the same."""
    held, s, bias, low, low_error, step = cut
    if not s.photon_energy_eV:
        bench.withheld(held, "ionisation energy", "eV", asked("anode", held.row.label))
        return
    if bias != top[2]:
        text = f"cut-off and valence edge were taken at {bias} and {top[2]} V"
        bench.nothing(held, "ionisation energy", "eV", "assumed", text)
        return
    fit = estimates(("cutoff", "onset"), (low, top[3]), ("eV",) * 2, (low_error, top[4]))
    bench.make(
        (held, top[0]) if top[0] is not held else held, "ionisation energy", "eV",
        lambda p: s.photon_energy_eV - (p["cutoff"] - p["onset"]), fit,
        gates=(possible(0), step, top[5]), note="free of bias and of charging",
        scale=bench.settings["energy_eV"],
    )  # fmt: skip
