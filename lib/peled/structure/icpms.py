"""Mass-spectrometric lead contents: from counts over a calibration line, and what stoichiometry
allows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from peled.formats.delimited import Account

#: Molar masses, g/mol (IUPAC 2021, abridged).
PB, HYDROGEN = 207.2, 1.008


@dataclass(frozen=True)
class Calibration:
    """Straight line counts = intercept + slope x concentration: coefficients, covariance, and the
    scatter it was drawn through.
    """

    intercept: float
    slope: float
    covariance: np.ndarray = field(repr=False)
    chi2_reduced: float = 1.0
    concentrations: np.ndarray = field(repr=False, default=None)
    signals: np.ndarray = field(repr=False, default=None)
    range: tuple[float, float] = (0.0, 0.0)
    account: Account = field(default_factory=Account, repr=False)


@dataclass(frozen=True)
class Content:
    """Lead content of a solid, microgram per milligram, with its standard error; notes say what to
    doubt.
    """

    value: float
    standard_error: float
    notes: tuple[str, ...] = ()


def calibrate(concentration, signal, signal_error) -> Calibration:
    """Weighted straight line through standards.

    Parameters
    ----------
    concentration : array, shape (standards,)
        µg/L.
    signal, signal_error : array, shape (standards,)
        Counts over those of the internal standard.

    Returns
    -------
    Calibration

    Raises
    ------
    ValueError
        With fewer than three standards or errors that are not positive.

    References
    ----------
    .. [1] L. A. Currie, Anal. Chem. 40, 586 (1968), doi:10.1021/ac60259a007
    """
    c, y, s = (np.asarray(v, float) for v in (concentration, signal, signal_error))
    if len(c) < 3 or not (s > 0).all() or len(np.unique(c)) < 2:
        raise ValueError(
            "calibration: expected at least three standards of different concentration with "
            f"positive errors, found {len(c)}"
        )
    design = np.column_stack([np.ones_like(c), c]) / s[:, None]
    covariance = np.linalg.inv(design.T @ design)
    a, b = covariance @ (design.T @ (y / s))
    chi2 = float(np.sum(((y - a - b * c) / s) ** 2) / max(len(c) - 2, 1))
    return Calibration(
        float(a),
        float(b),
        covariance * max(chi2, 1.0),
        chi2,
        c,
        y,
        (float(c.min()), float(c.max())),
    )


def lead_content(
    calibration: Calibration,
    signal: float,
    signal_error: float,
    *,
    volume_ml: float,
    dilution: float,
    mass_mg: float,
    mass_error_mg: float = 0.0,
    dilution_relative_error: float = 0.0,
) -> Content:
    """Lead per mass of a solid from a digested sample: concentration × volume × dilution / mass,
    all errors to first order.

    Parameters
    ----------
    calibration : Calibration
    signal, signal_error : float
    volume_ml : float
        Of the digest.
    dilution : float
        Factor from the digest to what was measured.
    mass_mg, mass_error_mg : float
        Of the solid.
    dilution_relative_error : float

    Returns
    -------
    Content

    Raises
    ------
    ValueError
        If slope, volume, dilution or mass is not positive.
    """
    if not np.isfinite([signal, signal_error]).all() or signal_error <= 0:
        raise ValueError(
            f"signal: expected a number and an error above 0, found {signal}, {signal_error}"
        )
    for name, value in (
        ("slope", calibration.slope),
        ("volume_ml", volume_ml),
        ("dilution", dilution),
        ("mass_mg", mass_mg),
    ):
        if not value > 0:
            raise ValueError(f"{name}: expected a positive number, found {value}")
    concentration = (signal - calibration.intercept) / calibration.slope
    gradient = np.array([-1 / calibration.slope, -concentration / calibration.slope])
    variance = (
        signal_error / calibration.slope
    ) ** 2 + gradient @ calibration.covariance @ gradient
    factor = volume_ml / 1000 * dilution / mass_mg
    value = concentration * factor
    error = np.sqrt(
        variance * factor**2
        + value**2 * ((mass_error_mg / mass_mg) ** 2 + dilution_relative_error**2)
    )
    notes = (
        ()
        if concentration <= 1.05 * calibration.range[1]
        else (f"{concentration:.3g} lies above the highest standard {calibration.range[1]:.3g}",)
    )
    return Content(float(value), float(error), notes)


def ceiling(ligand_mass: float, *, lead: float = 1.0) -> float:
    """Lead content of a complex of one ligand, in which each lead takes the place of two hydrogens.

    Parameters
    ----------
    ligand_mass : float
        Molar mass of the free ligand (of all that one formula holds), g/mol.
    lead : float
        Lead atoms for one of it.

    Returns
    -------
    float
        n M(Pb) / (n M(Pb) + M − 2 n M(H)), µg/mg.

    Examples
    --------
    >>> round(ceiling(292.24))  # ethylenediaminetetraacetic acid
    417
    """
    return 1000 * lead * PB / (lead * (PB - 2 * HYDROGEN) + ligand_mass)


def lead_per_ligand(content_ug_mg: float, ligand_mass: float) -> float:
    """Lead atoms per ligand in a solid of these two alone, `ceiling` turned round.

    Parameters
    ----------
    content_ug_mg : float
        Lead content, µg/mg.
    ligand_mass : float
        Molar mass of the free ligand, g/mol.

    Returns
    -------
    float
    """
    w = content_ug_mg / 1000
    rest = (1 - w) / w * PB + 2 * HYDROGEN  # mass of ligand for one mole of lead
    return ligand_mass / rest


def mass_balance(lead_mg: float, others_mg: float) -> float:
    """Largest lead content, µg/mg, of a residue that takes all lead and keeps all of the others.

    Parameters
    ----------
    lead_mg, others_mg : float
        Masses.

    Returns
    -------
    float
    """
    return 1000 * lead_mg / (lead_mg + others_mg)
