"""Whole evaluations of one sample by one technique, with the choices that a notebook would
otherwise spell out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from peled.formats.diffraction import Pattern
from peled.formats.images import Image
from peled.formats.vamas import Spectrum
from peled.structure import microscopy, ups, xps, xrd
from peled.structure.reading import region

LAB6_A = 4.156826  # NIST SRM 660c, 22.5 degrees Celsius


@dataclass(frozen=True)
class Instrument:
    """Zero error and width of a diffractometer, from a standard; (0 +- 0.02 degrees, unknown width)
    without one.
    """

    zero_deg: float = 0.0
    zero_error_deg: float = 0.02
    fwhm_deg: float | None = None
    a_A: float | None = None
    a_error_A: float | None = None


def calibrate_diffractometer(standard: Pattern | None) -> Instrument:
    """Fit the LaB6 standard, packed flush (its height held at 0), for zero error and line width."""
    if standard is None:
        return Instrument()
    fit = xrd.pawley_fit(
        standard.two_theta_deg,
        standard.intensity,
        standard.sigma,
        a_A=LAB6_A,
        zero_deg=None,
        displacement_mm=0.0,
        wavelengths_A=standard.radiation_A,
    )
    lorentz = np.degrees(0.64 * standard.radiation_A[0] / (fit.size_nm * 10))
    return Instrument(
        fit.zero_deg,
        max(fit.zero_error_deg, 0.002),
        float(np.hypot(fit.instrument_fwhm_deg, lorentz)),
        fit.a_A,
        fit.a_error_A,
    )


def film_options(instrument: Instrument, relative_sd: float, radius_mm: float = 240.0) -> dict:
    """Options of `xrd.pawley_fit` for a film of nanocubes."""
    return {
        "zero_deg": (instrument.zero_deg, instrument.zero_error_deg),
        "displacement_mm": None,
        "shape": "cube",
        "size_relative_sd": relative_sd,
        "instrument_fwhm_deg": instrument.fwhm_deg or 0.08,
        "thin_film": True,
        "radius_mm": radius_mm,
    }


def fit_film(pattern: Pattern, options: dict) -> xrd.PawleyFit:
    """Whole-pattern fit of a film; large crystals (lines hardly wider than the instrument) with
    Lorentzian size broadening.

    Raises
    ------
    FormatError
        Where neither file nor caller gives the wavelength.
    """
    fit = xrd.pawley_fit(
        pattern.two_theta_deg,
        pattern.intensity,
        pattern.sigma,
        wavelengths_A=pattern.radiation_A,
        **options,
    )
    if fit.size_nm > 60 or not fit.converged:
        options = options | {"shape": "lorentzian", "instrument_fwhm_deg": None, "thin_film": False}
        fit = xrd.pawley_fit(
            pattern.two_theta_deg,
            pattern.intensity,
            pattern.sigma,
            wavelengths_A=pattern.radiation_A,
            **options,
        )
    return fit


def sizes(
    images: Sequence[Image], *, pixel_relative_error: float = 0.01
) -> tuple[microscopy.SizeDistribution, list[microscopy.Segmentation]]:
    """Edges over several micrographs of one sample."""
    found = [microscopy.segment(image.pixels, image.pixel_nm) for image in images]
    return microscopy.size_distribution(
        [p.edge_nm for s in found for p in s.particles], pixel_relative_error=pixel_relative_error
    ), found


@dataclass(frozen=True)
class Halides:
    """Photoelectron result of one sample: fits by region, and I:Br by iodine level."""

    fits: dict[str, xps.LevelFit]
    ratios: dict[str, xps.HalideRatio]
    background_shift: float


def halides(
    spectra: dict[tuple[str, str], Spectrum], sample: str, background: str = "shirley"
) -> Halides | None:
    """I:Br of one sample from I 4d and from I 3d against Br 3d; None when the Br 3d region is
    missing.

    `background_shift` is how far the other background moves I 4d : Br 3d, as a systematic error.
    """
    shallow = region(spectra, sample, "Br", "3d")
    if shallow is None:
        return None
    at = {"I 4d": 49.4, "Br 3d": 68.4, "I 3d": 619.0, "Pb 4f": 138.2}
    x = shallow.binding_energy_eV
    fits, found, shift = {}, {}, 0.0
    with_iodine = x.min() < 46
    doublets = ([xps.Doublet("I 4d", at["I 4d"], 1.70, 0.69)] if with_iodine else []) + [
        xps.Doublet("Br 3d", at["Br 3d"], 1.05, 0.69)
    ]
    fits["Br 3d"] = xps.fit_levels(x, shallow.counts, doublets, background=background)
    bromine = fits["Br 3d"].area("Br 3d")
    if with_iodine:
        other = xps.fit_levels(
            x,
            shallow.counts,
            doublets,
            background="tougaard" if background == "shirley" else "shirley",
        )
        quotients = [f.area("I 4d")[0] / f.area("Br 3d")[0] for f in (fits["Br 3d"], other)]
        shift = abs(quotients[1] / quotients[0] - 1)
        found["I 4d"] = xps.halide_ratio(
            fits["Br 3d"].area("I 4d"),
            bromine,
            "I 4d",
            iodine_eV=at["I 4d"],
            bromine_eV=at["Br 3d"],
            transmission=(_transmission(shallow, at["I 4d"]), _transmission(shallow, at["Br 3d"])),
            covariance=float(fits["Br 3d"].area_covariance[0, 1]),
        )
    deep = region(spectra, sample, "I", "3d")
    deep = None if deep is shallow else deep
    if deep is not None:
        fits["I 3d"] = xps.fit_levels(
            deep.binding_energy_eV,
            deep.counts,
            [xps.Doublet("I 3d", at["I 3d"], 11.50, 0.69)],
            background=background,
        )
        time = [(s.collection_time_s or 1.0) * s.scans for s in (deep, shallow)]
        area = tuple(v * time[1] / time[0] for v in fits["I 3d"].area("I 3d"))
        found["I 3d"] = xps.halide_ratio(
            area,
            bromine,
            "I 3d",
            iodine_eV=at["I 3d"],
            bromine_eV=at["Br 3d"],
            transmission=(_transmission(deep, at["I 3d"]), _transmission(shallow, at["Br 3d"])),
        )
    lead = region(spectra, sample, "Pb", "4f")
    if lead is not None:
        fits["Pb 4f"] = xps.fit_levels(
            lead.binding_energy_eV,
            lead.counts,
            [xps.Doublet("Pb 4f", at["Pb 4f"], 4.87, 0.786)],
            background=background,
        )
    return Halides(fits, found, shift)


def _transmission(spectrum: Spectrum, binding_eV: float) -> float:
    """The file's transmission at a level; 1 where the file has none (then it is taken as flat)."""
    if spectrum.transmission is None:
        return 1.0
    order = np.argsort(spectrum.binding_energy_eV)
    return float(
        np.interp(binding_eV, spectrum.binding_energy_eV[order], spectrum.transmission[order])
    )


def levels(
    spectra: dict[tuple[str, str], Spectrum], sample: str, gap_eV: float
) -> tuple[ups.Cutoff, ups.Onset, ups.Levels] | None:
    """Cut-off, valence edge and levels of one sample; None when either region is missing."""
    cut = region(spectra, sample, "cut")
    valence = region(spectra, sample, "valence")
    if cut is None or valence is None:
        return None
    cutoff = ups.secondary_cutoff(
        cut.binding_energy_eV, cut.counts, bias_V=cut.target_bias_V or 0.0
    )
    onset = ups.valence_onset(
        valence.binding_energy_eV - (valence.target_bias_V or 0.0), valence.counts
    )
    return (
        cutoff,
        onset,
        ups.energy_levels(cutoff, onset, gap_eV, photon_eV=cut.photon_energy_eV or xps.HE_I_EV),
    )
