"""Making a spectrum ready: nm to eV, and the noise when nobody recorded it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from peled.conditioning.noise import MEDIAN, third_differences
from peled.materials import HC_EV_NM


class EnergySpectrum(NamedTuple):
    """A spectrum per unit energy: `energy_eV` (m,) ascending, `signal` and `variance` (..., m);
    variance None if unknown."""

    energy_eV: np.ndarray
    signal: np.ndarray
    variance: np.ndarray | None


def to_energy(
    wavelength_nm: np.ndarray, signal: np.ndarray, variance: np.ndarray | None = None
) -> EnergySpectrum:
    """A spectral density per nm as one per eV, with the Jacobian and, for the variance, its square.

    E = hc / lambda and I(E) = I(lambda) lambda^2 / hc (Mooney & Kambhampati, J. Phys. Chem. Lett. 4
    (2013) 3316). The area over the axis is kept, the shape is not: maxima move. Works on counts,
    photons or power alike.

    Parameters
    ----------
    wavelength_nm : (m,) array
        In any order, positive and distinct.
    signal : (m,) or (n, m) array
        Per nm (or per equal wavelength step).
    variance : array broadcastable to `signal`, optional

    Returns
    -------
    EnergySpectrum
        Over rising energies.

    Raises
    ------
    ValueError
        Wavelengths that are not positive or repeat, shapes that do not fit, values that are not
        finite.

    References
    ----------
    .. [1] J. Mooney and P. Kambhampati, J. Phys. Chem. Lett. 4, 3316 (2013), doi:10.1021/jz401508t
    """
    wavelength = _axis(wavelength_nm, "wavelength_nm")
    signal = np.asarray(signal, float)
    _match(wavelength, signal, "signal")
    if not (wavelength > 0).all():
        place = int(np.argmin(wavelength))
        raise ValueError(
            f"wavelength_nm: point {place}: expected positive wavelengths, found "
            f"{wavelength[place]}"
        )
    order = np.argsort(-wavelength)
    wavelength = wavelength[order]
    jacobian = wavelength**2 / HC_EV_NM
    if variance is not None:
        variance = (
            np.broadcast_to(np.asarray(variance, float), signal.shape)[..., order] * jacobian**2
        )
    return EnergySpectrum(HC_EV_NM / wavelength, signal[..., order] * jacobian, variance)


def to_wavelength(energy_eV: np.ndarray, signal: np.ndarray):
    """The way back from `to_energy`: a density per eV as one per nm.

    Parameters
    ----------
    energy_eV : ndarray, shape (m,)
    signal : ndarray, shape (..., m)

    Returns
    -------
    wavelength_nm : ndarray, shape (m,)
        Ascending.
    signal : ndarray, shape (..., m)
        Times hc/λ².

    References
    ----------
    .. [1] J. Mooney and P. Kambhampati, J. Phys. Chem. Lett. 4, 3316 (2013), doi:10.1021/jz401508t

    Examples
    --------
    >>> wavelength, signal = to_wavelength(np.array([1.9, 2.0]), np.array([1.0, 1.0]))
    >>> wavelength.round(2).tolist()
    [619.92, 652.55]
    """
    energy = _axis(energy_eV, "energy_eV")
    return tuple(to_energy(energy, signal))[:2]


def estimate_variance(y: np.ndarray) -> np.ndarray:
    """Variance of white noise on a smooth curve, from third differences (robust: median absolute).

    A curve that bends within four points is taken for noise; neighbours that the instrument has
    smoothed give too small a value.

    Parameters
    ----------
    y : ndarray, shape (..., m)

    Returns
    -------
    ndarray, shape (...,)
        In the square of the unit of `y`.

    Raises
    ------
    ValueError
        For fewer than eight points.

    References
    ----------
    .. [1] T. Gasser, L. Sroka, C. Jennen-Steinmetz, Biometrika 73, 625 (1986),
           doi:10.1093/biomet/73.3.625

    Examples
    --------
    >>> y = np.random.default_rng(0).normal(0, 2.0, 4000)
    >>> bool(abs(estimate_variance(y) / 4 - 1) < 0.1)
    True
    """
    y = np.asarray(y, float)
    if y.shape[-1] < 8:
        raise ValueError(
            f"y: expected at least 8 points to judge the noise by, found {y.shape[-1]}"
        )
    third = third_differences(y)
    spread = np.median(third, axis=-1)
    zero = spread == 0  # digitised or mostly flat data
    return np.where(zero, MEDIAN**2 * (third**2).mean(axis=-1), spread**2)


def _axis(x, name):
    x = np.asarray(x, float)
    if x.ndim != 1 or len(x) < 2:
        raise ValueError(f"{name}: expected an axis of at least 2 points, found shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(
            f"{name}: point {int(np.flatnonzero(~np.isfinite(x))[0])}: expected finite values, "
            f"found {x[~np.isfinite(x)][0]}"
        )
    values, counts = np.unique(x, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"{name}: expected distinct values, found {values[counts > 1][0]} {counts.max()} times"
        )
    return x


def _match(x, y, name):
    if y.ndim not in (1, 2) or y.shape[-1] != len(x):
        raise ValueError(f"{name}: expected shape ({len(x)},) or (n, {len(x)}), found {y.shape}")
    if not np.isfinite(y).all():
        place = np.argwhere(~np.isfinite(np.atleast_2d(y)))[0]
        raise ValueError(
            f"{name}: spectrum {place[0]}, point {place[1]}: expected finite values, found "
            f"{np.atleast_2d(y)[tuple(place)]}"
        )
