"""A laboratory's folder of structure measurements, from its sample sheet to numbers or reasons.

>>> from peled.structure.analyse import analyse, sniff
>>> from peled.samples import read_sheet
>>> report = analyse(read_sheet("folder", "structure", sniff=sniff))     # doctest: +SKIP
>>> print(report)                                                       # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from peled.report import Problem, Report, from_holdings, reason
from peled.samples import Holdings, Sheet
from peled.structure import diffract, drawers, electrons, optical, pictures
from peled.structure.making import Bench
from peled.structure.rows import READERS, sniff
from peled.structure.windows import cut

__all__ = ["SETTINGS", "analyse", "sniff"]

#: What `settings` may say, and what is taken where it does not.
SETTINGS: Mapping[str, Any] = {
    "crystals": "any",  # any: Lorentzian size broadening; cubes: exact lines of cubes
    "edge_spread": 0.1,  # relative spread of the edges of cubes without micrographs
    "phases": (),  # crystals beside the lattice: names of cells.csv, CIF files of the folder
    "thin_film": False,  # film much thinner than the X-rays' path
    "alloy": False,  # also turn lattice constants and ratios into x_Br of MAPb(I,Br)3
    # Standard error of the microscope's magnification: 0.01 after a calibration by a known lattice.
    "pixel_relative": 0.03,
    "background": "shirley",  # under core levels: shirley, tougaard, linear or exponential
    "sensitivity_relative": 0.1,  # standard error of a ratio of sensitivity factors
    "energy_eV": 0.02,  # standard error of an ultraviolet spectrometer's scale
    "atr": False,  # infrared by attenuated total reflection, where the file does not say so
    "wavenumber_cm1": 0.5,  # of an infrared spectrometer's scale
    "windows": {},  # by name of a signal: (low, high) of its axis that is evaluated
    "test": "Welch",  # between groups: Welch or Mann-Whitney
}


def analyse(sheet: Sheet, settings: Mapping[str, Any] = {}) -> Report:
    """All numbers that a folder of structure measurements gives, each with its error or a reason.

    Parameters
    ----------
    sheet : peled.samples.Sheet
        Of topic structure.
    settings : mapping
        Of `SETTINGS`; what is not said is as there.

    Returns
    -------
    Report
        `found[sample]` maps a measurement (xrd, tem, hrtem, xps, ups, ftir, absorption, icpms, eds)
        to what its technique keeps: fits by row, images with their outlines, spectra with edges.

    Raises
    ------
    ValueError
        If a setting is unknown.

    Notes
    -----
    Every line, band, edge, spot and particle has to stand out of the noise of its own file
    (`peled.structure.detection`, 1e-3 a file). The standard of a sheet, named in it or recognised,
    gives the zero of all patterns. A technique that fails leaves its reason and stops no other.
    """
    if unknown := set(settings) - set(SETTINGS):
        raise ValueError(f"settings: expected {', '.join(SETTINGS)}, found {', '.join(unknown)}")
    chosen = {**SETTINGS, **settings}
    holdings = Holdings(sheet, READERS)
    problems: list[Problem] = []
    quantities, found = [], {}
    ruler, said = diffract.ruler_of(holdings, chosen)
    problems += [Problem(*one) for one in said]
    samples = dict.fromkeys(h.row.sample for h in holdings if h.row.role == "sample")
    for sample in samples:
        spread = None
        for word, technique in _techniques(ruler).items():
            held = holdings.select(measurement=word, sample=sample, role="sample")
            if not held:
                continue
            bench = Bench(sample, held, chosen)
            try:
                bench.held = tuple(cut(h, chosen["windows"]) for h in held)
                result = technique(bench, spread)
            except Exception as error:  # one technique never stops another
                problems.append(Problem(f"{sample} {word}".strip(), reason(error)))
            else:
                spread = result if word == "tem" else spread
            quantities += bench.quantities
            problems += bench.problems
            found.setdefault(sample, {})[word] = bench.keep
    return from_holdings(
        holdings, quantities, found=found, problems=problems, settings=chosen,
        drawers=drawers.DRAWERS, test=chosen["test"],
    )  # fmt: skip


def _techniques(ruler) -> dict[str, Callable[[Bench, float | None], float | None]]:
    """By measurement; micrographs first, as the spread of edges shapes the lines of cubes."""
    return {
        "tem": lambda bench, _: pictures.sizes(bench),
        "hrtem": lambda bench, _: pictures.lattices(bench),
        "xrd": lambda bench, spread: diffract.evaluate(bench, ruler, spread),
        "xps": lambda bench, _: electrons.levels(bench),
        "ups": lambda bench, _: electrons.edges(bench),
        "ftir": lambda bench, _: optical.bands(bench),
        "absorption": lambda bench, _: optical.tails(bench),
        "icpms": lambda bench, _: optical.contents(bench),
        "eds": lambda bench, _: optical.elements(bench),
    }
