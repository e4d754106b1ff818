"""Plane waves in planar multilayers, and the one recursion that everything planar here is built on.

Conventions: fields go as exp(i kz z - i omega t), so absorption is Im n >= 0 and kz has Im kz >= 0.
A wave is labelled by its effective index N = k_parallel / k0, the same in all layers. Amplitudes
are of E for s and of H for p polarisation; both then obey one pair of formulas with the admittance
Y = kz (s) or kz / n^2 (p), in units of k0: r = (Y1 - Y2) / (Y1 + Y2), t = 2 Y1 / (Y1 + Y2), flux =
Re[Y (1 - rho) (1 + rho)*] |a|^2 (Born & Wolf, section 1.6).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

POLARISATIONS = ("s", "p")


@dataclass(frozen=True)
class PlaneWave:
    """What becomes of a plane wave: arrays over (wavelength, angle), or scalars where one was
    given.

    Attributes
    ----------
    R, T : reflected and transmitted power
    layers : power absorbed in each inner layer, first axis the layer
    r, t : complex amplitudes of E (s) or H (p)
    """

    R: np.ndarray
    T: np.ndarray
    layers: np.ndarray = field(repr=False)
    r: np.ndarray = field(repr=False)
    t: np.ndarray = field(repr=False)

    @property
    def A(self) -> np.ndarray:
        """Absorbed power, from the fluxes into and out of each layer."""
        return self.layers.sum(axis=0)


def multilayer(
    indices, thickness_nm, wavelength_nm, angle=0.0, polarisation: str = "s"
) -> PlaneWave:
    """Reflection, transmission and absorption of a coherent multilayer.

    Parameters
    ----------
    indices : sequence of complex or (w,) array
        From the medium of incidence (lossless) to the exit medium; an array gives one index a
        wavelength.
    thickness_nm : sequence of float
        Of the inner layers, so two shorter than `indices`.
    wavelength_nm : float or (w,) array
    angle : float or (a,) array
        Of incidence in radians, 0 <= angle < pi/2.
    polarisation : {"s", "p", "unpolarised"}
        "unpolarised" gives mean powers; its amplitudes are nan.

    Returns
    -------
    PlaneWave

    Raises
    ------
    ValueError
        Layer counts that do not fit, negative thickness, gain (Im n < 0), an absorbing medium of
        incidence.

    References
    ----------
    .. [1] L. A. A. Pettersson, L. S. Roman, O. Inganäs, J. Appl. Phys. 86, 487 (1999),
           doi:10.1063/1.370757
    .. [2] S. J. Byrnes, Multilayer optical calculations, doi:10.48550/arXiv.1603.02720
    """
    if polarisation == "unpolarised":
        s, p = (
            multilayer(indices, thickness_nm, wavelength_nm, angle, each) for each in POLARISATIONS
        )
        nothing = np.full(np.shape(s.R), np.nan)
        return PlaneWave(
            0.5 * (s.R + p.R), 0.5 * (s.T + p.T), 0.5 * (s.layers + p.layers), nothing, nothing
        )
    if polarisation not in POLARISATIONS:
        raise ValueError(
            f"polarisation: expected 's', 'p' or 'unpolarised', found {polarisation!r}"
        )
    wavelength, angles = (
        np.atleast_1d(np.asarray(wavelength_nm, float)),
        np.atleast_1d(np.asarray(angle, float)),
    )
    n, d = check_layers(
        [np.atleast_1d(np.asarray(index, complex))[:, None] for index in indices], thickness_nm
    )
    if any(index.shape[0] not in (1, len(wavelength)) for index in n):
        raise ValueError(
            f"indices: expected one number or {len(wavelength)} (one a wavelength) for each medium"
        )
    if not ((wavelength > 0).all() and (angles >= 0).all() and (angles < np.pi / 2).all()):
        raise ValueError(
            "wavelength_nm, angle: expected positive wavelengths and angles from 0 to below pi/2"
        )
    if np.abs(n[0].imag).max() > 0:
        raise ValueError("indices: expected a lossless medium of incidence")
    k0 = 2 * np.pi / wavelength[:, None]
    effective = n[0].real * np.sin(angles)[None, :]
    kz = [normal_component(index, effective) for index in n]
    # grazing angles lose digits in n^2 - N^2; the angle is known here
    kz[0] = n[0] * np.cos(angles)[None, :] + 0 * effective
    y = admittances(n, kz, polarisation)
    waves = cascade(y, [np.exp(1j * k0 * kz[j + 1] * d[j]) for j in range(len(d))])
    flux = waves.fluxes(y) / y[0].real
    squeeze = tuple(axis for axis, given in ((0, wavelength_nm), (1, angle)) if np.ndim(given) == 0)
    parts = [
        np.abs(waves.r[0]) ** 2,
        flux[-1],
        -np.diff(flux, axis=0),
        waves.r[0],
        waves.amplitudes[-1],
    ]
    parts = [
        np.squeeze(part, axis=tuple(axis + (k == 2) for axis in squeeze))
        for k, part in enumerate(parts)
    ]
    return PlaneWave(*(part[()] for part in parts))


def check_layers(indices, thickness_nm):
    """Indices as arrays and thicknesses as floats, refused where they make no stack.

    Parameters
    ----------
    indices : sequence of complex
        First and last are the outer media.
    thickness_nm : sequence of float or array
        Of the inner layers.

    Returns
    -------
    indices, thickness : sequence

    Raises
    ------
    ValueError
        Naming the layer: too few or many, negative, not finite, a gain (k < 0).
    """
    thickness = [
        np.asarray(value, float)
        for value in ([thickness_nm] if np.isscalar(thickness_nm) else thickness_nm)
    ]
    if len(indices) != len(thickness) + 2:
        raise ValueError(
            f"thickness_nm: expected {len(indices) - 2} inner layers for {len(indices)} indices, "
            f"found {len(thickness)}"
        )
    for k, value in enumerate(thickness):
        if not (np.isfinite(value).all() and (value >= 0).all()):
            raise ValueError(
                f"thickness_nm: layer {k + 1}: expected a finite thickness of 0 or more, found "
                f"{value}"
            )
    for k, index in enumerate(indices):
        if not np.isfinite(index).all() or (np.imag(index) < 0).any() or (index == 0).any():
            raise ValueError(
                f"indices: medium {k}: expected finite n + ik with k >= 0, found "
                f"{np.ravel(index)[0]}"
            )
    return indices, thickness


def normal_component(index, effective):
    """k_z/k_0 = √(n² − N²) for effective indices N, the root that decays.

    Parameters
    ----------
    index : complex
    effective : array or float
        On the real axis or below it in the complex plane.

    Returns
    -------
    array of complex
        With Im >= 0.

    Examples
    --------
    >>> complex(normal_component(1.0, 1.25))
    0.75j
    """
    root = np.sqrt(np.asarray(index, complex) ** 2 - np.asarray(effective) ** 2)
    # n^2 - N^2 on the negative real axis may carry -0j, which would give the growing wave
    return np.where(root.imag < 0, -root, root)


def admittances(indices, kz, polarisation):
    """Y of each medium for one polarisation: k_z for s, k_z/n² for p.

    Parameters
    ----------
    indices : sequence of complex
    kz : sequence of array
        As `normal_component` gives them.
    polarisation : "s" or "p"

    Returns
    -------
    list of array

    References
    ----------
    .. [1] M. Born, E. Wolf, Principles of Optics, 7th edition (1999), section 1.6
    """
    return list(kz) if polarisation == "s" else [k / index**2 for index, k in zip(indices, kz)]


@dataclass(frozen=True)
class Cascade:
    """Generalised reflections and forward amplitudes of a wave of unit amplitude that falls on a
    stack.

    `r[j]` is the reflection seen in medium j at its far face; `rho[j]` the same at its near face;
    `amplitudes[j]` the forward wave at the near face of medium j + 1.
    """

    r: list
    rho: list
    amplitudes: list

    def fluxes(self, y):
        """Net power at the near face of each medium after the first (j, ...), in the unit of |a|^2
        Y.

        Parameters
        ----------
        y : sequence of array
            Admittances of all media.

        Returns
        -------
        array (media - 1, ...)
        """
        rows = []
        for j, amplitude in enumerate(self.amplitudes):
            rho = self.rho[j + 1]
            rows.append(np.abs(amplitude) ** 2 * (y[j + 1] * (1 - rho) * np.conj(1 + rho)).real)
        return np.array(rows)


def reflection(y, phases):
    """The reflection seen from the first medium, by the recursion r ← (s + r φ²)/(1 + s r φ²).

    Parameters
    ----------
    y : sequence of array
        Admittances of all media.
    phases : sequence of array
        exp(i k_z d) of the inner layers.

    Returns
    -------
    array of complex

    References
    ----------
    .. [1] M. Born, E. Wolf, Principles of Optics, 7th edition (1999), section 1.6
    """
    r = (y[-2] - y[-1]) / (y[-2] + y[-1])
    for j in range(len(y) - 3, -1, -1):
        step = (y[j] - y[j + 1]) / (y[j] + y[j + 1])
        rho = r * phases[j] ** 2
        r = (step + rho) / (1 + step * rho)
    return r


def cascade(y, phases) -> Cascade:
    """Reflections from the last medium to the first, then amplitudes back: phases only decay.

    Parameters
    ----------
    y : sequence of array
        Admittances of all media.
    phases : sequence of array
        exp(i k_z d) of the inner layers.

    Returns
    -------
    Cascade
    """
    count = len(y)
    r, rho = [None] * (count - 1), [None] * count
    rho[-1] = np.zeros_like(y[-1])
    for j in range(count - 2, -1, -1):
        step = (y[j] - y[j + 1]) / (y[j] + y[j + 1])
        r[j] = (step + rho[j + 1]) / (1 + step * rho[j + 1])
        if j > 0:
            rho[j] = r[j] * phases[j - 1] ** 2
    amplitudes, incoming = [], 1.0
    for j in range(count - 1):
        step = (y[j] - y[j + 1]) / (y[j] + y[j + 1])
        amplitudes.append(incoming * (1 + step) / (1 + step * rho[j + 1]))
        if j < count - 2:
            incoming = amplitudes[-1] * phases[j]
    return Cascade(r, rho, amplitudes)
