"""Do the numbers of a device fit each other? Any three of luminance, current density, spectrum and
EQE give the fourth.

Printed numbers carry rounding, measured ones standard errors. Rounding is a bound, not a spread, so
an interval here is the range over all roundings, widened by z standard errors. `check_column` holds
a whole EQE column against the luminance, current and spectra beside it and names the shortcut that
would explain a constant ratio between the two.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from peled.led import photometry
from peled.led.photometry import A_M2_PER_MA_CM2, ELEMENTARY_CHARGE, LAMBERTIAN_SR
from peled.quantities.quantity import Z95

BRACKET_NM = (560.0, 800.0)  #: where the centre of a band is looked for


@dataclass(frozen=True)
class Stated:
    """A number as stated: value, half of the last digit printed, and standard error."""

    value: float
    half_width: float = 0.0
    standard_error: float = 0.0

    @property
    def corners(self) -> tuple[float, ...]:
        return (
            (self.value - self.half_width, self.value + self.half_width)
            if self.half_width
            else (self.value,)
        )


@dataclass(frozen=True)
class Derived:
    """The quantity that followed from the three others.

    `low` and `high` bound it over all roundings and ± 1.96 standard errors; `standard_error` is
    without rounding.
    """

    quantity: str
    value: float
    low: float
    high: float
    standard_error: float


def solve(
    *,
    luminance_cd_m2: Stated | float | None = None,
    current_density_mA_cm2: Stated | float | None = None,
    eqe: Stated | float | None = None,
    centre_nm: Stated | float | None = None,
    fwhm_nm: float,
) -> Derived:
    """The one quantity left out, from the three given.

    Parameters
    ----------
    luminance_cd_m2, current_density_mA_cm2, eqe : Stated or float, optional
        EQE as a fraction.
    centre_nm : Stated or float, optional
        Centre of a Gaussian band (in power), for devices whose spectrum is only described. It is
        looked for between 560 and 800 nm: luminance cannot tell the two flanks of V(λ) apart.
    fwhm_nm : float
        Width of the band.

    Returns
    -------
    Derived

    Raises
    ------
    ValueError
        If not exactly one quantity is missing, a value is not positive, or no band fits.

    Notes
    -----
    L = EQE (J/q) Λ/Ω_f of a Lambertian emitter (`photometry`).

    References
    ----------
    .. [1] S. R. Forrest, D. D. C. Bradley, M. E. Thompson, Adv. Mater. 15, 1043 (2003),
           doi:10.1002/adma.200302151

    Examples
    --------
    >>> found = solve(luminance_cd_m2=30.0, current_density_mA_cm2=0.1, centre_nm=620.0,
    ...               fwhm_nm=35.0)
    >>> found.quantity, round(found.value, 3)
    ('eqe', 0.176)
    """
    given = {
        "luminance_cd_m2": luminance_cd_m2,
        "current_density_mA_cm2": current_density_mA_cm2,
        "eqe": eqe,
        "centre_nm": centre_nm,
    }
    missing = [name for name, value in given.items() if value is None]
    if len(missing) != 1:
        raise ValueError(
            f"solve: expected exactly one of {', '.join(given)} left out, found {len(missing)}: "
            f"{', '.join(missing) or 'none'}"
        )
    known = {
        name: value if isinstance(value, Stated) else Stated(float(value))
        for name, value in given.items()
        if value is not None
    }
    for name, value in known.items():
        if not (math.isfinite(value.value) and value.value - value.half_width > 0):
            raise ValueError(
                f"{name}: expected a positive number, found {value.value:g} ± {value.half_width:g}"
            )
    target = missing[0]

    def answer(**v: float) -> float:
        # L = eqe J scale Λ: what is missing is L, or what L is missing by.
        scale = A_M2_PER_MA_CM2 / (ELEMENTARY_CHARGE * LAMBERTIAN_SR)
        per_photon = _band(v["centre_nm"], fwhm_nm) if "centre_nm" in v else 1.0
        product = v.get("eqe", 1.0) * v.get("current_density_mA_cm2", 1.0) * scale * per_photon
        if target == "luminance_cd_m2":
            return product
        quotient = v["luminance_cd_m2"] / product
        return _centre(quotient, fwhm_nm) if target == "centre_nm" else quotient

    value = answer(**{name: entry.value for name, entry in known.items()})
    corners = [
        answer(**dict(zip(known, combination, strict=True)))
        for combination in itertools.product(*(entry.corners for entry in known.values()))
    ]
    variance = 0.0
    for name, entry in known.items():
        if entry.standard_error:
            step = entry.standard_error
            moved = [
                answer(**{n: e.value + (s * step if n == name else 0.0) for n, e in known.items()})
                for s in (0.5, -0.5)
            ]
            variance += (moved[0] - moved[1]) ** 2
    error = math.sqrt(variance)
    return Derived(target, value, min(corners) - Z95 * error, max(corners) + Z95 * error, error)


def _per_photon(wavelength_nm, spectrum, **how) -> float:
    return float(
        photometry.luminous_energy_per_photon(wavelength_nm, spectrum, checked=True, **how)
    )


def _band(centre_nm: float, fwhm_nm: float) -> float:
    return _per_photon(*photometry.gaussian_band(centre_nm, fwhm_nm))


def _centre(per_photon: float, fwhm_nm: float) -> float:
    low, high = (_band(end, fwhm_nm) for end in BRACKET_NM)
    if not min(low, high) <= per_photon <= max(low, high):
        raise ValueError(
            f"centre: expected a band between {BRACKET_NM[0]:g} and {BRACKET_NM[1]:g} nm with "
            f"{per_photon:.3g} lm s per photon, "
            f"found {min(low, high):.3g} to {max(low, high):.3g}"
        )
    return float(brentq(lambda centre: _band(centre, fwhm_nm) - per_photon, *BRACKET_NM, xtol=1e-6))


@dataclass(frozen=True)
class CommonBand:
    """Whether one band serves several operating points.

    Attributes
    ----------
    centres_nm : array
        The centre that each point needs when its numbers are taken as exact.
    low_nm, high_nm : float
        What all points allow together within the rounding of their numbers; `low_nm` > `high_nm`
        when nothing does.
    """

    centres_nm: np.ndarray
    low_nm: float
    high_nm: float

    @property
    def possible(self) -> bool:
        return self.low_nm <= self.high_nm


def common_band(luminance_cd_m2, current_density_mA_cm2, eqe, *, fwhm_nm: float) -> CommonBand:
    """The centre of a band of given width that several operating points agree on, if any.

    Parameters
    ----------
    luminance_cd_m2, current_density_mA_cm2, eqe : sequence of Stated
        One a point; EQE as a fraction.
    fwhm_nm : float
        Of the band, Gaussian in power.

    Returns
    -------
    CommonBand

    Raises
    ------
    ValueError
        Where no band between 560 and 800 nm fits a point.

    See Also
    --------
    solve : one point.

    References
    ----------
    .. [1] S. R. Forrest, D. D. C. Bradley, M. E. Thompson, Adv. Mater. 15, 1043 (2003),
           doi:10.1002/adma.200302151
    """
    found = [
        solve(luminance_cd_m2=lum, current_density_mA_cm2=j, eqe=e, fwhm_nm=fwhm_nm)
        for lum, j, e in zip(luminance_cd_m2, current_density_mA_cm2, eqe, strict=True)
    ]
    return CommonBand(
        np.array([d.value for d in found]),
        max(d.low for d in found),
        min(d.high for d in found),
    )


#: Disagreement put down to the calibration of luminance meter, area and wavelength.
TOLERANCE = 0.03


@dataclass(frozen=True)
class ColumnCheck:
    """A reported EQE column against the EQE that luminance, current and spectrum give.

    Attributes
    ----------
    ratio : array
        Reported over found, point by point; NaN where not comparable.
    median, low, high : float
        Median ratio and its 95 % interval (order statistics, no distribution assumed).
    trend_per_decade : float
        Slope of ln(ratio) against log10 J; its standard error in `trend_error`.
    agrees : bool
        The interval of the median, widened by `TOLERANCE`, covers 1.
    explanations : tuple of (name, predicted ratio)
        Shortcuts that predict the median ratio within its interval (or 0.5 %), the closest first.
    points : int
    """

    ratio: np.ndarray
    median: float
    low: float
    high: float
    trend_per_decade: float
    trend_error: float
    agrees: bool
    explanations: tuple[tuple[str, float], ...]
    points: int


def shortcuts(wavelength_nm, spectrum) -> dict[str, float]:
    """What each common shortcut would make of a reported EQE: its ratio to that by the integral.

    Parameters
    ----------
    wavelength_nm : array (n,)
    spectrum : array (n,)
        Power per nm.

    Returns
    -------
    dict of str to float
        Sentence that names the shortcut, and (EQE by it)/(EQE by the integral).

    Raises
    ------
    SpectrumError
        For a spectrum that cannot be integrated (`photometry.check_spectrum`).

    References
    ----------
    .. [1] S. R. Forrest, D. D. C. Bradley, M. E. Thompson, Adv. Mater. 15, 1043 (2003),
           doi:10.1002/adma.200302151

    Examples
    --------
    A narrow band is its own peak; a factor of two for 2π sr does not depend on the band.

    >>> from peled.led.photometry import gaussian_band
    >>> found = shortcuts(*gaussian_band(555.0, 2.0))
    >>> [round(float(r), 2) for r in list(found.values())[:2]]
    [1.0, 1.0]
    """
    wavelength, values = photometry.check_spectrum(wavelength_nm, spectrum)
    true = _per_photon(wavelength, values)
    step = np.gradient(wavelength)
    photons = values * wavelength
    peak = wavelength[np.argmax(values)]
    centroid = float((photons * wavelength) @ step / (photons @ step))

    def line(wavelength_of_line: float) -> float:
        energy = photometry.PLANCK * photometry.SPEED_OF_LIGHT / (wavelength_of_line * 1e-9)
        return photometry.KM_LM_W * float(photometry.photopic_response(wavelength_of_line)) * energy

    return {
        "V(λ) was taken at the peak instead of over the spectrum": true / line(peak),
        "V(λ) was taken at the centroid instead of over the spectrum": true / line(centroid),
        "the spectrum counts photons where power was meant, or the reverse": true
        / _per_photon(wavelength, values, quantity="photons"),
        "V(λ) of CIE 2008 was used": true / _per_photon(wavelength, values, observer="CIE 2008"),
        "emission into 2π sr with constant intensity was assumed instead of Lambertian": 2.0,
        "π was left out": 1 / math.pi,
        "per cent and fraction were mixed": 100.0,
        "fraction and per cent were mixed": 0.01,
        "A m⁻² and mA cm⁻² were mixed": 10.0,
        "mA cm⁻² and A m⁻² were mixed": 0.1,
    }


def check_column(ratio, current_density_mA_cm2, expected) -> ColumnCheck:
    """What the ratio of a reported column to what its own readings give says.

    Parameters
    ----------
    ratio, current_density_mA_cm2 : array (n,)
        Reported over found; NaN where not comparable.
    expected : mapping of str to float
        Shortcut -> ratio that it would make.

    Returns
    -------
    ColumnCheck

    Notes
    -----
    The interval of the median is that of the order statistics n/2 ± 0.98 √n, without a
    distribution assumed; it is widened by `TOLERANCE` before it is held against 1.

    References
    ----------
    .. [1] W. R. Thompson, Ann. Math. Stat. 7, 122 (1936), doi:10.1214/aoms/1177732502

    Examples
    --------
    >>> ratio = np.array([1.99, 2.0, 2.01, 2.0, 1.98, 2.02])
    >>> found = check_column(ratio, np.geomspace(1, 100, 6), {"π was left out": 1 / math.pi,
    ...                                                       "2π for π": 2.0})
    >>> found.agrees, found.explanations[0][0]
    (False, '2π for π')
    """
    usable = np.isfinite(ratio)
    r = np.sort(ratio[usable])
    n = r.size
    # Distribution-free interval of a median: order statistics around n/2 ± 0.98 sqrt(n).
    reach = 0.98 * math.sqrt(n)
    low, high = r[max(math.floor(n / 2 - reach), 0)], r[min(math.ceil(n / 2 + reach), n - 1)]
    median = float(np.median(r))
    x, y = np.log10(np.asarray(current_density_mA_cm2)[usable]), np.log(ratio[usable])
    slope, slope_error = _slope(x, y)
    explanations = sorted(
        ((name, p) for name, p in expected.items() if low * 0.995 <= p <= high * 1.005),
        key=lambda pair: abs(math.log(median / pair[1])),
    )
    agrees = bool(low - TOLERANCE <= 1 <= high + TOLERANCE)
    return ColumnCheck(
        ratio,
        median,
        float(low),
        float(high),
        slope,
        slope_error,
        agrees,
        tuple(explanations),
        n,
    )


def _slope(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    centred = x - x.mean()
    spread = float(centred @ centred)
    if x.size < 3 or spread == 0:
        return 0.0, math.inf
    slope = float(centred @ y) / spread
    residual = y - y.mean() - slope * centred
    return slope, math.sqrt(float(residual @ residual) / (x.size - 2) / spread)
