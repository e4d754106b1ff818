"""Emission of electric dipoles inside a planar stack: how fast, and where the light goes.

Chance, Prock & Silbey, Adv. Chem. Phys. 37 (1978) 1; Lukosz, Phys. Rev. B 22 (1980) 3030; Neyts, J.
Opt. Soc. Am. A 15 (1998) 962. The dipole is a sum of plane and evanescent waves labelled by the
effective index N = k_parallel / k0; each is reflected by the two half stacks. Powers are in units
of the dipole's power in its own medium without interfaces.

Two integrations that share nothing but the interface formulas: the total power comes from a contour
below the real N axis, which passes under the poles of guided modes and plasmons however sharp they
are; the far field and the absorption of each layer come from power fluxes on the real axis, in
panels halved until they agree. What the two disagree about is the energy balance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from peled.optics.planewave import (
    admittances,
    cascade,
    check_layers,
    multilayer,
    normal_component,
    reflection,
)
from peled.optics.quadrature import integrate_contour, integrate_panels

CHANNELS = ("air_top", "air_bottom", "substrate", "guided", "plasmon", "absorbed")
#: A layer thinner than this does not decide what a plasmon is bound to (1 nm of LiF between an
#: organic layer and Al).
_THIN_NM = 10.0


@dataclass(frozen=True)
class DipoleEmission:
    """Where the photons of a dipole go, in fractions of all it emits; floats, or (scan,) arrays for
    scanned thicknesses.

    Attributes
    ----------
    purcell
        Emission rate over that in the unbounded emitter medium.
    air_top, air_bottom
        Into the medium above; into the medium outside a thick substrate below.
    substrate
        Below: into the substrate's half-space or, with `outside`, trapped in the thick substrate.
    guided
        Modes that are evanescent in both outer media, plasmons apart; they end in absorption.
    plasmon
        p-polarised power bound to a metal: evanescent in the dielectric next to it.
    absorbed
        In lossy layers, out of waves that could leave; and near-field losses that no mode carries.
    layers : (inner layers,) or (inner layers, scan) array
        Power absorbed in each inner layer, whatever carried it. Guided light and plasmons are in it
        where asked for.
    balance
        (far field + absorption, by fluxes on the real axis) / (total by the contour) - 1. Over all
        N, or over the radiating ones alone where guided light was left out or has no loss to end
        in.
    """

    purcell: float
    air_top: float
    air_bottom: float
    substrate: float
    guided: float
    plasmon: float
    absorbed: float
    layers: np.ndarray = field(repr=False)
    balance: float = 0.0

    @property
    def outcoupling(self):
        """Fraction of the emitted light that ends in air."""
        return self.air_top + self.air_bottom

    def fractions(self) -> dict:
        """The channels by name; they sum to 1."""
        return {name: getattr(self, name) for name in CHANNELS}

    def efficiency(self, quantum_yield):
        """Photons in air per excitation, for an emitter with this yield in the unbounded medium.

        q F / (1 - q + q F) * outcoupling: the stack speeds up emission but not the non-radiative
        rate.

        Parameters
        ----------
        quantum_yield : float
            0 to 1.

        Returns
        -------
        float or array (scan,)
        """
        rate = quantum_yield * self.purcell
        return rate / (1 - quantum_yield + rate) * self.outcoupling


def dipole_emission(
    indices: Sequence[complex],
    thickness_nm: Sequence,
    emitter: int,
    wavelength_nm: float,
    *,
    depth: float | Sequence[float] | None = None,
    orientation: str | float = "isotropic",
    outside: float | None = None,
    layers: bool = False,
    tolerance: float = 1e-5,
) -> DipoleEmission:
    """Emission of dipoles in one layer of a stack, by channel.

    Parameters
    ----------
    indices : sequence of complex
        From bottom (substrate) to top, both outer media included. The emitter's own k is left out:
        a point dipole in an absorber loses infinite power to its near field. Absorbing film put a
        few nm beside the dipole loses it nearly as much: that is energy transfer, not re-absorption
        of light.
    thickness_nm : sequence of float or (scan,) arrays
        Of the inner layers, bottom to top; arrays (all of one length) scan a thickness in one go.
        The emitter may be thin.
    emitter : int
        Position of the emitter in `indices` (1 is the first inner layer). The first or last puts
        the dipole into an outer medium, `depth` nm from its interface.
    wavelength_nm : float
    depth : float or sequence of float, optional
        Where in the emitter, from its bottom (0) to its top (1); several are averaged. Default:
        uniform (5 Gauss nodes). In an outer medium: nm from the interface.
    orientation : {"isotropic", "horizontal", "vertical"} or float
        Of the transition dipole; a number is the vertical fraction, isotropic being 1/3.
    outside : float, optional
        The bottom medium is a thick (incoherent) slab and this is the index beyond it, 1 for air:
        light that comes back from its far face sees the reflectance of the full stack. Without it
        the bottom medium is endless.
    layers : bool
        Follow guided light and plasmons into the layers that absorb them too (slower), for `layers`
        and a full balance.
    tolerance : float
        Of each integral, relative to the total power.

    Returns
    -------
    DipoleEmission

    Raises
    ------
    ValueError
        Layer counts that do not fit, gain, an emitter or depth outside the stack, nothing lossless
        to radiate into.

    See Also
    --------
    far_field : emission against angle outside.
    power_spectrum : dissipated power against effective index.

    References
    ----------
    .. [1] R. R. Chance, A. Prock, R. Silbey, Adv. Chem. Phys. 37, 1 (1978),
           doi:10.1002/9780470142561.ch1
    .. [2] K. A. Neyts, J. Opt. Soc. Am. A 15, 962 (1998), doi:10.1364/JOSAA.15.000962

    Examples
    --------
    A 30 nm film of n = 1.82 on glass guides nothing at 620 nm:

    >>> film = dipole_emission([1.5, 1.82, 1.0], [30.0], 1, 620.0, outside=1.0)
    >>> abs(round(film.guided, 6))
    0.0
    """
    stack = _Stack(indices, thickness_nm, emitter, wavelength_nm, depth, orientation)
    radiating, boundary = stack.radiating(), stack.plasmon_boundary()
    ranges = sorted(
        {0.0, radiating, max(boundary or 0.0, radiating), max(stack.largest(), radiating) + 0.5}
    )
    s, p = integrate_contour(stack.power, ranges, tolerance)  # (ranges, depths, scan)
    s_near, p_near = integrate_panels(
        lambda t: stack.beyond(stack.power, ranges[-1], t), [0.0, 1.0], tolerance
    )
    total = s.sum(axis=0) + p.sum(axis=0) + s_near + p_near
    which = np.array(ranges[:-1])
    leaving = which < radiating
    bound = (
        np.zeros(len(which), bool)
        if boundary is None
        else which >= max(boundary, radiating) - 1e-12
    )
    radiated = (s + p)[leaving].sum(axis=0)
    plasmon = p[bound].sum(axis=0) + (0.0 if boundary is None else p_near)
    guided = (s + p)[~leaving].sum(axis=0) - p[bound].sum(axis=0)
    near = s_near + (p_near if boundary is None else 0.0)

    edges = stack.edges(0.0, radiating)
    flux = integrate_panels(lambda N: stack.fluxes(N, outside), edges, tolerance)
    count = len(stack.d)
    top, bottom, air, back_top = flux[:4]
    inside, back = flux[4 : 4 + count], flux[4 + count :]
    counted, reference = top + bottom + inside.sum(axis=0), radiated
    if layers and stack.lossy:
        for more in (
            integrate_panels(
                lambda N: stack.fluxes(N, None), stack.edges(radiating, ranges[-1]), tolerance
            ),
            integrate_panels(
                lambda t: stack.beyond(lambda N: stack.fluxes(N, None), ranges[-1], t),
                [0.0, 1.0],
                tolerance,
            ),
        ):
            inside = inside + more[4 : 4 + count]
            counted = counted + more[0] + more[1] + more[4 : 4 + count].sum(axis=0)
        reference = total
    # an outer medium that absorbs receives no free light: what enters it is lost
    absorbed = radiated - top - bottom + near + back.sum(axis=0)
    if stack.n[-1].imag.any():
        absorbed, top, back_top = absorbed + top + back_top, 0 * top, 0 * top
    if stack.n[0].imag.any():
        absorbed, bottom = absorbed + bottom, 0 * bottom
    substrate = bottom - air - back_top - back.sum(axis=0)
    share = stack.weights[:, None] / total
    parts = [
        np.sum(share * part, axis=0)
        for part in (top + back_top, air, substrate, guided, plasmon, absorbed)
    ]
    mean = [np.sum(stack.weights[:, None] * part, axis=0) for part in (total, counted, reference)]
    by_layer = np.sum(share * (inside + back), axis=1)
    result = [mean[0], *parts, by_layer, mean[1] / mean[2] - 1]
    return DipoleEmission(
        *(
            (part[..., 0] if part.ndim > 1 else float(part[0])) if stack.single else part
            for part in result
        )
    )


def power_spectrum(
    indices,
    thickness_nm,
    emitter,
    wavelength_nm,
    effective_index,
    *,
    depth=0.5,
    orientation="isotropic",
) -> tuple[np.ndarray, np.ndarray]:
    """Dissipated power per effective index N, whose integral over N is the Purcell factor.

    Parameters
    ----------
    indices, thickness_nm, emitter, wavelength_nm, orientation
        As in `dipole_emission`.
    effective_index : array (m,)
        May be complex (below the real axis).
    depth : float
        Place of the dipole in the emitter, 0 its bottom and 1 its top.

    Returns
    -------
    s, p : array (m,)
        By polarisation. Modes show as peaks, of no width where nothing absorbs.

    See Also
    --------
    dipole_emission : the integrals, by channel.

    References
    ----------
    .. [1] K. A. Neyts, J. Opt. Soc. Am. A 15, 962 (1998), doi:10.1364/JOSAA.15.000962
    .. [2] M. Furno et al., Phys. Rev. B 85, 115205 (2012), doi:10.1103/PhysRevB.85.115205
    """
    stack = _Stack(indices, thickness_nm, emitter, wavelength_nm, depth, orientation)
    s, p = stack.power(np.asarray(effective_index))
    s, p = np.tensordot(stack.weights, s, (0, 0))[0], np.tensordot(stack.weights, p, (0, 0))[0]
    return (s, p) if np.iscomplexobj(effective_index) else (s.real, p.real)


def far_field(
    indices,
    thickness_nm,
    emitter,
    wavelength_nm,
    angle,
    *,
    side="bottom",
    outside=None,
    depth=None,
    orientation="isotropic",
) -> tuple[np.ndarray, np.ndarray]:
    """Power per solid angle (1/sr, of the dipole's power in its unbounded medium), s and p
    polarised, against angle.

    Parameters
    ----------
    indices, thickness_nm, emitter, wavelength_nm, outside, depth, orientation
        As for `dipole_emission`.
    angle : (a,) array
        In radians from the normal, in the medium where the light is seen.
    side : {"top", "bottom"}
        With `outside` and "bottom", the light is seen beyond the thick substrate; with `outside`
        and "top" it includes what comes back from the substrate.

    Returns
    -------
    s, p : (a,) arrays

    Raises
    ------
    ValueError
        For another `side`, or layers, an emitter or a wavelength that cannot be.

    References
    ----------
    .. [1] K. A. Neyts, J. Opt. Soc. Am. A 15, 962 (1998), doi:10.1364/JOSAA.15.000962
    """
    if side not in ("top", "bottom"):
        raise ValueError(f"side: expected 'top' or 'bottom', found {side!r}")
    stack = _Stack(indices, thickness_nm, emitter, wavelength_nm, depth, orientation)
    index = stack.n[-1].real.item() if side == "top" else (outside or stack.n[0].real.item())
    angle = np.asarray(angle, float)
    effective = index * np.sin(angle)
    effective = np.where(
        np.abs(effective - stack.ne) < 1e-9, stack.ne - 1e-9, effective
    )  # grazing in the emitter: 0 / 0
    rows = (0, 3) if side == "top" else ((1,) if outside is None else (2,))
    solid = index * np.cos(angle) / (2 * np.pi * np.maximum(np.sin(angle), 1e-12))
    found = []
    for polarisation in ("s", "p"):
        flux = stack.fluxes(np.maximum(effective, 1e-12), outside, (polarisation,))
        found.append(solid * np.tensordot(stack.weights, sum(flux[row] for row in rows), (0, 0))[0])
    return found[0], found[1]


class _Stack:
    """A dipole in a stack: reflections of the two half stacks, powers and fluxes for arrays of N.

    Arrays carry (depths, scan, N). The emitter is medium `e`, its real index is `ne`.
    """

    def __init__(self, indices, thickness_nm, emitter, wavelength_nm, depth, orientation):
        index = [np.asarray(value, complex) for value in indices]
        if any(value.ndim for value in index):
            raise ValueError("indices: expected one number a medium; call once a wavelength")
        n, d = check_layers(index, list(thickness_nm))
        if not 0 <= emitter < len(n):
            raise ValueError(f"emitter: expected a medium from 0 to {len(n) - 1}, found {emitter}")
        if not wavelength_nm > 0:
            raise ValueError(
                f"wavelength_nm: expected a positive wavelength, found {wavelength_nm}"
            )
        lengths = {value.size for value in d if value.ndim}
        if len(lengths) > 1:
            raise ValueError(f"thickness_nm: expected scans of one length, found {sorted(lengths)}")
        self.single = not lengths
        self.e, self.k0 = emitter, 2 * np.pi / wavelength_nm
        n[emitter] = np.asarray(n[emitter].real + 0j)
        self.n, self.ne, self.d = (
            n,
            n[emitter].real.item(),
            [np.atleast_1d(value)[:, None] for value in d],
        )
        self.lossy = any(value.imag > 0 and self._present(k) for k, value in enumerate(n))
        names = {"isotropic": 1 / 3, "horizontal": 0.0, "vertical": 1.0}
        vertical = names.get(orientation, orientation)
        if isinstance(vertical, str) or not 0 <= vertical <= 1:
            raise ValueError(
                "orientation: expected isotropic, horizontal, vertical or a vertical fraction "
                f"from 0 to 1, found {orientation!r}"
            )
        self.vertical = float(vertical)
        self._place(depth)

    def _place(self, depth):
        outer = self.e in (0, len(self.n) - 1)
        if depth is None:
            if outer:
                raise ValueError(
                    "depth: expected the distance from the interface in nm for a dipole in an "
                    "outer medium, found none"
                )
            t, w = np.polynomial.legendre.leggauss(5)
            depth, self.weights = 0.5 * (t + 1), 0.5 * w
        else:
            depth = np.atleast_1d(np.asarray(depth, float))
            self.weights = np.full(len(depth), 1 / len(depth))
        if not (np.isfinite(depth).all() and (depth >= 0).all() and (outer or (depth <= 1).all())):
            raise ValueError(
                "depth: expected "
                f"{'nm from the interface' if outer else 'fractions of the emitter from 0 to 1'}, "
                f"found {depth}"
            )
        depth = depth[:, None, None]
        if outer:
            self.up = depth if self.e == 0 else None
            self.down = depth if self.e != 0 else None
        else:
            thickness = self.d[self.e - 1][None]
            self.up, self.down = (1 - depth) * thickness, depth * thickness

    def _present(self, k):
        """Whether medium k has any thickness."""
        return k in (0, len(self.n) - 1) or self.d[k - 1].max() > 0

    def radiating(self):
        """Largest effective index that reaches a lossless outer medium."""
        outer = [value.real.item() for value in (self.n[0], self.n[-1]) if value.imag == 0]
        if not outer:
            raise ValueError(
                "indices: expected at least one lossless outer medium, found both absorbing"
            )
        return max(outer)

    def largest(self):
        """Beyond this N there are no poles: the largest index, or the effective index of a plasmon
        where that is larger."""
        top = max(value.real.item() for value in self.n)
        for a, b in zip(self.n[:-1], self.n[1:]):
            a, b = a.item() ** 2, b.item() ** 2
            if (a.real < 0) != (b.real < 0):
                top = max(top, abs(np.sqrt(a * b / (a + b)).real))
        return top

    def plasmon_boundary(self):
        """Index of the dielectric that a metal's plasmon is bound to, on the emitter's side; None
        without a metal."""
        found = []
        for k, value in enumerate(self.n):
            if (value.item() ** 2).real < 0 and k != self.e and self._present(k):
                step = 1 if self.e > k else -1
                j = k + step
                while j != self.e and (
                    (self.n[j].item() ** 2).real < 0 or self.d[j - 1].max() < _THIN_NM
                ):
                    j += step
                found.append(self.n[j].real.item())
        return min(found) if found else None

    def edges(self, low, high):
        """Panel edges from `low` to `high`: every index between, where the integrand has a branch
        point."""
        inner = {
            value.real.item() for value in self.n if low + 1e-9 < value.real.item() < high - 1e-9
        }
        return [low, *sorted(inner), high]

    def beyond(self, function, start, t):
        """`function` over N from `start` to infinity as one over t from 0 to 1."""
        return function(start + 4 * t / (1 - t)) * (4 / (1 - t) ** 2)

    def _half(self, kz, polarisation, upward):
        """Admittances outward from the emitter and phases of the inner layers passed."""
        order = range(self.e, len(self.n)) if upward else range(self.e, -1, -1)
        y = admittances([self.n[j] for j in order], [kz[j] for j in order], polarisation)
        return y, [np.exp(1j * self.k0 * kz[j] * self.d[j - 1]) for j in list(order)[1:-1]]

    def _at_dipole(self, r, kz, distance):
        return r * np.exp(2j * self.k0 * kz * distance)

    def power(self, N):
        """Dissipated power per unit N, s and p, complex off the real axis: (2, depths, scan, N)."""
        kz = [normal_component(value, N) for value in self.n]
        l, u2 = kz[self.e] / self.ne, (N / self.ne) ** 2
        h, v = 1 - self.vertical, self.vertical
        rows = []
        for polarisation in ("s", "p"):
            a = []
            for upward, distance in ((True, self.up), (False, self.down)):
                a.append(
                    0.0
                    if distance is None
                    else self._at_dipole(
                        reflection(*self._half(kz, polarisation, upward)), kz[self.e], distance
                    )
                )
            up, down = a
            resonance = 1 / (1 - up * down)
            if polarisation == "s":
                rows.append(h * 0.375 / l * (1 + up) * (1 + down) * resonance)
            else:
                rows.append(
                    (
                        h * 0.375 * l * (1 - up) * (1 - down)
                        + v * 0.75 * u2 / l * (1 + up) * (1 + down)
                    )
                    * resonance
                )
        shape = (len(self.weights), max((d.shape[0] for d in self.d), default=1), len(N))
        powers = np.array([np.broadcast_to(row, shape) for row in rows]) * (2 * N / self.ne**2)
        return powers if np.iscomplexobj(N) else powers.real

    def fluxes(self, N, outside, polarisations=("s", "p")):
        """Powers per unit N on the real axis: (4 + 2 layers, depths, scan, N).

        Rows: out at the top, out at the bottom, of that into air beyond a thick substrate, of that
        back through the stack and out at the top; absorbed in each inner layer directly; and out of
        the substrate's returning light.
        """
        count, depths, scan = (
            len(self.d),
            len(self.weights),
            max((d.shape[0] for d in self.d), default=1),
        )
        out = np.zeros((4 + 2 * count, depths, scan, len(N)))
        kz = [normal_component(value, N) for value in self.n]
        l2, u2 = np.abs(kz[self.e] / self.ne) ** 2, (N / self.ne) ** 2
        h, v = 1 - self.vertical, self.vertical
        for polarisation in polarisations:
            halves = []
            for upward, distance in ((True, self.up), (False, self.down)):
                if distance is None:
                    halves.append(None)
                    continue
                y, phases = self._half(kz, polarisation, upward)
                waves = cascade(y, phases)
                halves.append(
                    (waves, y, distance, self._at_dipole(waves.r[0], kz[self.e], distance))
                )
            up, down = (0.0 if half is None else half[3] for half in halves)
            resonance = np.abs(1 / (1 - up * down)) ** 2
            unit = self.ne if polarisation == "p" else 1 / self.ne
            bottom = 0.0
            for upward, half, other in ((True, halves[0], down), (False, halves[1], up)):
                if polarisation == "s":
                    source = h * 0.1875 / l2 * np.abs(1 + other) ** 2
                else:
                    source = (
                        h * 0.1875 * np.abs(1 - other) ** 2
                        + v * 0.375 * u2 / l2 * np.abs(1 + other) ** 2
                    )
                source = source * resonance * unit
                if (
                    half is None
                ):  # the emitter's own half-space: the net flux away from the dipole plane
                    own = admittances([self.n[self.e]], [kz[self.e]], polarisation)[0]
                    power = source * own.real
                    out[0 if upward else 1] += power
                    bottom = bottom if upward else power
                    continue
                waves, y, distance, _ = half
                source = source * np.exp(-2 * self.k0 * kz[self.e].imag * distance)
                steps = waves.fluxes(y)
                out[0 if upward else 1] += source * steps[-1]
                for k in range(len(steps) - 1):
                    medium = self.e + 1 + k if upward else self.e - 1 - k
                    out[4 + medium - 1] += source * (steps[k] - steps[k + 1])
                bottom = bottom if upward else source * steps[-1]
            if outside is not None:
                self._return(out, bottom, kz, N, outside, polarisation)
        return out * (2 * N / self.ne**2)

    def _return(self, out, bottom, kz, N, outside, polarisation):
        """Light in the thick substrate: into air beyond, or back onto the full stack, in all
        bounces."""
        count = len(self.d)
        y = admittances(self.n, kz, polarisation)
        free = admittances(
            [np.asarray(outside + 0j)], [normal_component(outside, N)], polarisation
        )[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            there = np.abs((y[0] - free) / (y[0] + free)) ** 2
            waves = cascade(y, [np.exp(1j * self.k0 * kz[j + 1] * self.d[j]) for j in range(count)])
            steps = waves.fluxes(y) / y[0].real
        escaping = min(outside, self.n[0].real.item()) > N
        here = np.abs(waves.r[0]) ** 2
        bounces = np.where(escaping, bottom / (1 - np.where(escaping, there * here, 0.0)), 0.0)
        out[2] += bounces * (1 - there)
        returned = bounces * there
        out[3] += returned * np.where(escaping, steps[-1], 0.0)
        for k in range(count):
            out[4 + count + k] += returned * np.where(escaping, steps[k] - steps[k + 1], 0.0)


#: A round slide, excited in its middle, and the nodes over its trapped rays.
SLIDE_MM, RADIUS_MM, NODES = 1.0, 6.0, 200


def substrate_reabsorption(
    indices,
    thickness_nm,
    emitter,
    wavelength_nm,
    k,
    *,
    orientation="isotropic",
) -> float:
    """Fraction of the light trapped in a slide that the emitter layer absorbs before the rim.

    The slide is round, of 1 mm and 6 mm radius, and excited in its middle. A ray at angle theta in
    it meets the stack radius / (2 thickness tan theta) times,
    counted as a real number, and loses each time what the stack with an absorbing emitter does not
    reflect (plane waves, so with interference). Trapped is what the far face, to air, reflects
    totally.

    Parameters
    ----------
    indices, thickness_nm, emitter, wavelength_nm, orientation
        As in `dipole_emission`.
    k : float
        Imaginary index of the emitter at the emission wavelength: k = OD ln(10) lambda / (4 pi d)
        for a decadic density OD of a normal pass.

    Returns
    -------
    float
        0 for k = 0, 1 for an endless slide.

    Raises
    ------
    ValueError
        If k is negative, or nothing is trapped.

    References
    ----------
    .. [1] C. Cho et al., Nat. Commun. 11, 611 (2020), doi:10.1038/s41467-020-14401-1
    """
    if not k >= 0:
        raise ValueError(f"k: expected k ≥ 0, found {k}")
    below = complex(indices[0]).real
    if not below > 1:
        raise ValueError(f"substrate: expected an index above that of air, found {below:g}")
    t, w = np.polynomial.legendre.leggauss(NODES)
    low = np.arcsin(1 / below)
    # denser towards both ends, where the film's reflectance has roots
    angle = low + (np.pi / 2 - low) * np.sin(np.pi / 4 * (t + 1)) ** 2
    weight = w * np.sin(np.pi / 2 * (t + 1)) * np.sin(angle)
    light = far_field(indices, thickness_nm, emitter, wavelength_nm, angle, orientation=orientation)
    absorbing = [complex(value) for value in indices]
    absorbing[emitter] = complex(absorbing[emitter].real, k)
    bounces = RADIUS_MM / (2 * SLIDE_MM * np.tan(angle))
    taken = total = 0.0
    for polarisation, power in zip(("s", "p"), light, strict=True):
        wave = multilayer(absorbing, thickness_nm, wavelength_nm, angle, polarisation)
        gone = np.clip(1 - wave.R, 0, 1)
        share = np.divide(
            wave.layers[emitter - 1], gone, out=np.zeros_like(gone), where=gone > 1e-15
        )
        met = -np.expm1(bounces * np.log1p(-np.minimum(gone, 1 - 1e-15)))
        taken += np.sum(weight * power * share * met)
        total += np.sum(weight * power)
    return float(taken / total)
