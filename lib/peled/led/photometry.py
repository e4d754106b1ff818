"""Photometry of a light-emitting device: from current, luminance and spectrum to efficiencies and
colour, and back.

Conventions
-----------
Spectra are arrays (..., wavelength) in any linear unit; `quantity` says what they count: `"power"`
(W nm⁻¹, what a calibrated spectroradiometer gives) or `"photons"` (photons s⁻¹ nm⁻¹). Luminance is
along the surface normal, in cd m⁻²; current density in mA cm⁻² (1 mA cm⁻² = 10 A m⁻²); efficiencies
are fractions, not per cent. The observer is CIE 1924 V(λ) with K_m = 683.002 lm W⁻¹, chromaticity
is CIE 1931, 2°.

The chain is short. A device that emits the photon flux EQE·J/q into the forward half-space with the
angular pattern I(θ) = I(0)·f(θ) has the normal luminance

    L = EQE · (J/q) · Λ / Ω_f,     Λ = K_m ∫ S V dλ / ∫ S λ/(hc) dλ,     Ω_f = 2π ∫ f(θ) sin θ dθ,

with S the power spectrum and Λ the luminous energy a photon carries on average. A Lambertian
emitter (constant radiance, intensity ∝ cos θ) has Ω_f = π. Sources: S. R. Forrest, D. D. C.
Bradley, M. E. Thompson, Adv. Mater. 15, 1043 (2003), 10.1002/adma.200302151; CIE S 010/ISO 23539
(photometry), CIE 015:2018 (colorimetry).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.constants import c as SPEED_OF_LIGHT
from scipy.constants import e as ELEMENTARY_CHARGE
from scipy.constants import h as PLANCK

from peled.formats.delimited import read_table
from peled.tables import table

#: maximum luminous efficacy of V(λ) in standard air, lm W⁻¹ (683 lm W⁻¹ at exactly 540 THz)
KM_LM_W = 683.002
A_M2_PER_MA_CM2 = 10.0
WIDE_GRID_NM = np.arange(450.0, 850.5, 0.5)  #: a grid that holds a red band and its shoulder
LAMBERTIAN_SR = math.pi  #: effective solid angle of a Lambertian emitter
OBSERVERS = {"CIE 1924": "cie_1924_photopic.csv", "CIE 2008": "cie_2008_photopic.csv"}
MATCHING_FILE = "cie_1931_colour_matching.csv"

#: Red primaries (x, y): ITU-R BT.2020, DCI-P3 (SMPTE RP 431-2), sRGB (IEC 61966-2-1).
RED_PRIMARIES = {"BT.2020": (0.708, 0.292), "DCI-P3": (0.680, 0.320), "sRGB": (0.640, 0.330)}


class SpectrumError(ValueError):
    """A spectrum, or a quantity beside it, with which no photometry can be done."""


@lru_cache(maxsize=8)
def _reference(name: str) -> np.ndarray:
    values = np.column_stack([column.values for column in read_table(table(f"cie/{name}")).columns])
    values.setflags(write=False)
    return values


def photopic_response(wavelength_nm: np.ndarray, observer: str = "CIE 1924") -> np.ndarray:
    """V(λ), the luminous efficiency of the eye in daylight.

    Parameters
    ----------
    wavelength_nm : array or float
    observer : "CIE 1924" or "CIE 2008"
        The second is the physiologically relevant 2° function, which no luminance meter uses: at
        620 nm it is 10 % higher.

    Returns
    -------
    array or float
        Interpolated linearly in the 1 nm table; 0 outside 360–830 nm, where it is below 4e-6.

    References
    ----------
    CIE 018:2019, The Basis of Physical Photometry.

    References
    ----------
    .. [1] CIE, Spectral luminous efficiency for photopic vision (2018),
           doi:10.25039/CIE.DS.dktna2s3

    Examples
    --------
    >>> float(photopic_response(620.0))
    0.381
    """
    known = _reference(OBSERVERS[observer])
    return np.interp(wavelength_nm, known[:, 0], known[:, 1], left=0.0, right=0.0)


def matching_functions(wavelength_nm: np.ndarray) -> np.ndarray:
    """CIE 1931 x̄, ȳ, z̄ of the 2° observer.

    Parameters
    ----------
    wavelength_nm : array (n,)

    Returns
    -------
    array (3, n)
        Interpolated linearly in the 1 nm table; 0 outside it.

    References
    ----------
    CIE 015:2018, Colorimetry, 4th edition.

    Examples
    --------
    ȳ is V(λ):

    >>> y = matching_functions(np.array([555.0, 620.0]))[1]
    >>> y.round(3).tolist()
    [1.0, 0.381]
    """
    known = _reference(MATCHING_FILE)
    return np.stack(
        [np.interp(wavelength_nm, known[:, 0], known[:, i], left=0.0, right=0.0) for i in (1, 2, 3)]
    )


def check_spectrum(
    wavelength_nm, spectrum, *, quantity: str = "power", edge: float = 0.05
) -> tuple[np.ndarray, np.ndarray]:
    """Refuse a spectrum that cannot be integrated; return it with rising wavelength.

    Parameters
    ----------
    wavelength_nm : array (n,)
    spectrum : array (..., n)
    quantity : "power" or "photons"
    edge : float
        Largest value at either end of the range, relative to the maximum: more means that the range
        cuts the emission band.

    Returns
    -------
    array (n,), array (..., n)
        Wavelength in nm, and the spectrum in its order.

    Raises
    ------
    SpectrumError
        For unequal shapes, fewer than five points, repeated or non-finite values, wavelengths that
        are not nm, a spectrum without positive signal, or one cut at an end.
    """
    wavelength, values = np.asarray(wavelength_nm, float), np.asarray(spectrum, float)
    if quantity not in ("power", "photons"):
        raise SpectrumError(f"quantity: expected 'power' or 'photons', found {quantity!r}")
    if wavelength.ndim != 1 or values.shape[-1:] != wavelength.shape or wavelength.size < 5:
        raise SpectrumError(
            f"spectrum: expected (..., n) values over n >= 5 wavelengths, found {values.shape} "
            f"over {wavelength.shape}"
        )
    if not (np.isfinite(wavelength).all() and np.isfinite(values).all()):
        raise SpectrumError("spectrum: expected finite numbers, found NaN or infinity")
    order = np.argsort(wavelength)
    wavelength, values = wavelength[order], values[..., order]
    if (np.diff(wavelength) <= 0).any():
        raise SpectrumError(
            "wavelength: expected each value once, found "
            f"{wavelength[:-1][np.diff(wavelength) <= 0][0]:g} nm twice"
        )
    if wavelength[0] < 100 or wavelength[-1] > 5000:
        raise SpectrumError(
            f"wavelength: expected nm, found {wavelength[0]:g} to {wavelength[-1]:g}"
        )
    peak = values.max(axis=-1)
    if (peak <= 0).any():
        raise SpectrumError(
            f"spectrum: expected a positive signal, found a maximum of {float(np.min(peak)):.3g} "
            f"in spectrum {int(np.argmin(peak))}"
        )
    # The median of three points at each end, so that a noisy pixel does not look like a cut band.
    for name, part, end in (
        ("short", values[..., :3], wavelength[0]),
        ("long", values[..., -3:], wavelength[-1]),
    ):
        height = np.max(np.median(part, axis=-1) / peak)
        if height > edge:
            raise SpectrumError(
                f"spectrum: expected the whole emission band, found {height:.0%} of the maximum "
                f"still at its {name} end, {end:g} nm; "
                "measure a wider range or subtract the background"
            )
    return wavelength, values


def _weights(wavelength_nm: np.ndarray) -> np.ndarray:
    """Trapezoid weights of an arbitrary rising grid."""
    step = np.diff(wavelength_nm)
    return 0.5 * (np.r_[step, 0.0] + np.r_[0.0, step])


def _sums(wavelength_nm: np.ndarray, quantity: str, observer: str = "CIE 1924") -> np.ndarray:
    """Columns that turn a spectrum into luminous flux / K_m and photon number: shape (n, 2)."""
    step, energy_J = _weights(wavelength_nm), PLANCK * SPEED_OF_LIGHT / (wavelength_nm * 1e-9)
    v = photopic_response(wavelength_nm, observer)
    return np.column_stack(
        [step * v, step / energy_J] if quantity == "power" else [step * v * energy_J, step]
    )


def luminous_energy_per_photon(
    wavelength_nm,
    spectrum,
    *,
    quantity: str = "power",
    observer: str = "CIE 1924",
    checked: bool = False,
) -> np.ndarray:
    """Λ = K_m ⟨h c V/λ⟩ over the photons of a spectrum, in lm s.

    Parameters
    ----------
    wavelength_nm : array (n,)
    spectrum : array (..., n)
    quantity : "power" or "photons"
    observer : "CIE 1924" or "CIE 2008"
    checked : bool
        The spectra went through `check_spectrum` before.

    Returns
    -------
    array (...)

    References
    ----------
    .. [1] S. R. Forrest, D. D. C. Bradley, M. E. Thompson, Adv. Mater. 15, 1043 (2003),
           doi:10.1002/adma.200302151
    """
    if not checked:
        wavelength_nm, spectrum = check_spectrum(wavelength_nm, spectrum, quantity=quantity)
    luminous, photons = np.moveaxis(spectrum @ _sums(wavelength_nm, quantity, observer), -1, 0)
    return KM_LM_W * luminous / photons


def effective_solid_angle(
    angle_deg=None, intensity=None, *, cosine_power: float | None = None
) -> float:
    """Ω_f = 2π ∫ f(θ) sin θ dθ of an angular pattern, in sr.

    Parameters
    ----------
    angle_deg, intensity : array, optional
        A measured pattern: radiant or luminous intensity (projected area included) against the
        angle from the normal, 0 to about 90°; both signs of the angle are averaged.
    cosine_power : float, optional
        I ∝ cosⁿθ instead: Ω_f = 2π/(n + 1). A Lambertian emitter has n = 1.

    Returns
    -------
    float
        sr; π where nothing is given.

    Raises
    ------
    ValueError
        If the pattern does not reach from the normal to at least 70°, or is negative.

    References
    ----------
    .. [1] S. R. Forrest, D. D. C. Bradley, M. E. Thompson, Adv. Mater. 15, 1043 (2003),
           doi:10.1002/adma.200302151
    """
    if cosine_power is not None:
        if cosine_power <= -1:
            raise ValueError(f"cosine_power: expected more than -1, found {cosine_power:g}")
        return 2 * math.pi / (cosine_power + 1)
    if angle_deg is None:
        return LAMBERTIAN_SR
    angle, value = np.abs(np.asarray(angle_deg, float)), np.asarray(intensity, float)
    if (
        angle.shape != value.shape
        or angle.size < 4
        or not np.isfinite(value).all()
        or (value < 0).any()
    ):
        raise ValueError(
            "pattern: expected at least four finite, non-negative intensities, one for each angle"
        )
    angles, inverse = np.unique(angle, return_inverse=True)
    mean = np.bincount(inverse, value) / np.bincount(inverse)
    if angles[0] > 5 or angles[-1] < 70 or angles[-1] > 90.5 or mean[0] <= 0:
        raise ValueError(
            f"pattern: expected angles from the normal to at least 70 deg, found {angles[0]:g} to "
            f"{angles[-1]:g} deg"
        )
    from scipy.interpolate import PchipInterpolator

    # Intensity falls to zero at 90° for any flat emitter; a pattern that stops short is carried
    # there.
    if angles[-1] < 89.5:
        angles, mean = np.r_[angles, 90.0], np.r_[mean, 0.0]
    fine = np.linspace(0, np.pi / 2, 1801)
    f = np.clip(
        PchipInterpolator(np.radians(angles), mean / mean[0])(
            np.clip(fine, np.radians(angles[0]), np.radians(angles[-1]))
        ),
        0,
        None,
    )
    return float(2 * np.pi * np.trapezoid(f * np.sin(fine), fine))


@dataclass(frozen=True)
class Efficiency:
    """Efficiencies at one or many operating points; arrays of one shape, fractions and SI-derived
    units.
    """

    eqe: np.ndarray
    current_efficiency_cd_A: np.ndarray


def _positive(name: str, value, *, zero: bool = False) -> np.ndarray:
    value = np.asarray(value, float)
    if not np.isfinite(value).all() or (value < 0).any() or (not zero and (value == 0).any()):
        bad = value[~np.isfinite(value) | (value < 0) | ((value == 0) & (not zero))]
        raise ValueError(
            f"{name}: expected {'non-negative' if zero else 'positive'} finite numbers, found "
            f"{bad.flat[0]:g}"
        )
    return value


def efficiency(
    luminance_cd_m2,
    current_density_mA_cm2,
    wavelength_nm,
    spectrum,
    *,
    solid_angle_sr: float = LAMBERTIAN_SR,
) -> Efficiency:
    """External quantum efficiency and cd A⁻¹, EQE = Ω_f L q/(J Λ), at each point.

    Parameters
    ----------
    luminance_cd_m2 : array (...)
        Along the normal; zero is allowed, negative values are not.
    current_density_mA_cm2 : array (...)
    wavelength_nm : array (n,)
    spectrum : array (n,) or (..., n)
        Power per nm, one for all points, or one for each: a shoulder of 25 % at 680 nm takes 24 %
        off the cd A⁻¹ of the same EQE.
    solid_angle_sr : float
        `effective_solid_angle` of the pattern; π (Lambertian) by default.

    Returns
    -------
    Efficiency

    Raises
    ------
    ValueError, SpectrumError
        For negative or non-finite luminance, current that is not positive, unusable spectra.

    See Also
    --------
    luminance : the inverse.
    peled.led.device : with the errors of readings, spectra and calibration.

    References
    ----------
    .. [1] S. R. Forrest, D. D. C. Bradley, M. E. Thompson, Adv. Mater. 15, 1043 (2003),
           doi:10.1002/adma.200302151

    Examples
    --------
    >>> round(float(efficiency(30.0, 0.1, *gaussian_band(620.0, 35.0)).eqe), 3)
    0.176
    """
    luminance, current = (
        _positive("luminance", luminance_cd_m2, zero=True),
        _positive("current density", current_density_mA_cm2),
    )
    wavelength, values = check_spectrum(wavelength_nm, spectrum)
    per_photon = luminous_energy_per_photon(wavelength, values, checked=True)
    electrons = A_M2_PER_MA_CM2 * current / ELEMENTARY_CHARGE
    eqe = solid_angle_sr * luminance / (electrons * per_photon)
    cd_A = luminance / (A_M2_PER_MA_CM2 * current)
    return Efficiency(eqe, np.broadcast_to(cd_A, np.shape(eqe)))


def luminance(eqe, current_density_mA_cm2, wavelength_nm, spectrum) -> np.ndarray:
    """Normal luminance that an EQE at a current density stands for, L = EQE (J/q) Λ/Ω_f.

    Parameters
    ----------
    eqe : array or float
        A fraction.
    current_density_mA_cm2 : array or float
    wavelength_nm : array (n,)
    spectrum : array (n,) or (..., n)
        Power per nm.

    Returns
    -------
    array
        cd m⁻², of a Lambertian emitter (Ω_f = π).

    Raises
    ------
    ValueError, SpectrumError
        For negative or non-finite values, or a spectrum that cannot be integrated.

    See Also
    --------
    efficiency : the inverse.

    References
    ----------
    .. [1] S. R. Forrest, D. D. C. Bradley, M. E. Thompson, Adv. Mater. 15, 1043 (2003),
           doi:10.1002/adma.200302151

    Examples
    --------
    >>> band = gaussian_band(620.0, 35.0)
    >>> round(float(luminance(efficiency(30.0, 0.1, *band).eqe, 0.1, *band)), 6)
    30.0
    """
    electrons = (
        A_M2_PER_MA_CM2
        * _positive("current density", current_density_mA_cm2, zero=True)
        / ELEMENTARY_CHARGE
    )
    per_photon = luminous_energy_per_photon(wavelength_nm, spectrum)
    return _positive("EQE", eqe, zero=True) * electrons * per_photon / LAMBERTIAN_SR


def disc_view_factor(
    emitter_radius_mm: float, detector_radius_mm: float, distance_mm: float
) -> float:
    """Fraction of a Lambertian disc's emission that falls on a coaxial parallel disc.

    F₁₂ = (X − √(X² − 4 (r₂/r₁)²))/2 with X = 1 + (d² + r₂²)/r₁² [1]_.

    Parameters
    ----------
    emitter_radius_mm, detector_radius_mm : float
        r₁ and r₂.
    distance_mm : float
        d, between the two planes.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For a radius that is not positive or a negative distance.

    References
    ----------
    .. [1] J. R. Howell, A Catalog of Radiation Heat Transfer Configuration Factors, C-41.

    Examples
    --------
    A point sees sin² of the half angle:

    >>> round(disc_view_factor(0.01, 5.0, 5.0), 4)
    0.5
    """
    if min(emitter_radius_mm, detector_radius_mm) <= 0 or distance_mm < 0:
        raise ValueError(
            "disc_view_factor: expected positive radii and a distance that is not negative"
        )
    ratio2 = (detector_radius_mm / emitter_radius_mm) ** 2
    x = 1 + (distance_mm / emitter_radius_mm) ** 2 + ratio2
    # 2 b/(x + sqrt) instead of (x - sqrt)/2: no cancellation for small emitters.
    return 2 * ratio2 / (x + math.sqrt(max(x**2 - 4 * ratio2, 0.0)))


# ---- colour --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Colour:
    """Chromaticity of one or many spectra, and its distance in u'v' to the red primaries of the
    display standards."""

    x: np.ndarray
    y: np.ndarray
    u: np.ndarray
    v: np.ndarray
    distance: dict[str, np.ndarray]


def uv_prime(x, y) -> tuple[np.ndarray, np.ndarray]:
    """CIE 1976 u' = 4x/(−2x + 12y + 3), v' = 9y/(−2x + 12y + 3).

    Parameters
    ----------
    x, y : array or float
        CIE 1931 chromaticity.

    Returns
    -------
    u, v : array or float

    References
    ----------
    .. [1] CIE 015:2018, Colorimetry, doi:10.25039/TR.015.2018

    Examples
    --------
    Equal energy:

    >>> u, v = uv_prime(1 / 3, 1 / 3)
    >>> round(float(u), 4), round(float(v), 4)
    (0.2105, 0.4737)
    """
    denominator = -2 * np.asarray(x) + 12 * np.asarray(y) + 3
    return 4 * np.asarray(x) / denominator, 9 * np.asarray(y) / denominator


def colour(wavelength_nm, spectrum) -> Colour:
    """Chromaticity of emission spectra, with distances in u'v' to the display primaries.

    Parameters
    ----------
    wavelength_nm : array (n,)
    spectrum : array (..., n)
        Power per nm.

    Returns
    -------
    Colour
        CIE 1931 x, y, CIE 1976 u', v' and the Euclidean distance to each of `RED_PRIMARIES`.

    Raises
    ------
    SpectrumError
        For a spectrum that cannot be integrated (`check_spectrum`).

    References
    ----------
    .. [1] CIE 015:2018, Colorimetry, doi:10.25039/TR.015.2018

    Examples
    --------
    >>> found = colour(*gaussian_band(630.0, 20.0))
    >>> round(float(found.x), 3), round(float(found.y), 3)
    (0.703, 0.297)
    """
    wavelength, values = check_spectrum(wavelength_nm, spectrum)
    xyz = values @ (matching_functions(wavelength) * _weights(wavelength)).T
    total = xyz.sum(axis=-1)
    x, y = xyz[..., 0] / total, xyz[..., 1] / total
    u, v = uv_prime(x, y)
    reds = {name: uv_prime(*xy) for name, xy in RED_PRIMARIES.items()}
    return Colour(
        x, y, u, v, {name: np.hypot(u - red[0], v - red[1]) for name, red in reds.items()}
    )


# ---- stand-ins for a spectrum that is only described ---------------------------------------------


def gaussian_band(
    centre_nm: float, fwhm_nm: float, wavelength_nm=None
) -> tuple[np.ndarray, np.ndarray]:
    """A Gaussian band in power, for devices of which only peak and width are printed.

    Parameters
    ----------
    centre_nm, fwhm_nm : float
    wavelength_nm : array (n,), optional
        By default a grid of 0.5 nm over ± 4 FWHM.

    Returns
    -------
    wavelength_nm, spectrum : array (n,)
        Height 1.

    Raises
    ------
    ValueError
        For a centre or width that is not positive.

    Examples
    --------
    >>> x, y = gaussian_band(620.0, 35.0)
    >>> round(float(np.ptp(x[y > 0.5])), 1)
    34.0
    """
    if centre_nm <= 0 or fwhm_nm <= 0:
        raise ValueError(
            f"band: expected positive centre and width, found {centre_nm:g}, {fwhm_nm:g} nm"
        )
    wavelength = (
        np.arange(centre_nm - 4 * fwhm_nm, centre_nm + 4 * fwhm_nm, min(0.5, fwhm_nm / 20))
        if wavelength_nm is None
        else np.asarray(wavelength_nm, float)
    )
    return wavelength, np.exp(-4 * math.log(2) * ((wavelength - centre_nm) / fwhm_nm) ** 2)
