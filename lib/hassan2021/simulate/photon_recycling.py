"""Photons in a film on glass, one by one: emission, refraction, trapping, re-absorption and
re-emission.

A Monte Carlo of rays that shares nothing with the escape formulas it is there to test: it knows
angles, the laws of Snell, Fresnel (in sines and tangents) and Beer, and random numbers. There is no
interference in it.

Geometry: film between z = 0 (front, towards air) and z = 1 film thickness (back); behind it glass,
endless or a round slide with a rim at which light leaves. Sideways steps inside the film are
neglected beside those in the glass.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Fates:
    """What became of the excitations.

    Attributes
    ----------
    excitations : int
        Started.
    emissions : int
        Photons emitted, re-emission included.
    front, back, edge : int
        Photons that left: into the medium in front; behind (into endless glass, or through a slide
        into air); at its rim.
    reabsorbed : int
        Absorptions by the film.
    lost : int
        Excitations that ended without light.
    by_generation : (g,) array of int
        Photons that left after 0, 1, 2, ... re-absorptions.
    escaped_nm : (k,) array
        Wavelengths of the photons that left, where a spectrum was given.
    """

    excitations: int
    emissions: int
    front: int
    back: int
    edge: int
    reabsorbed: int
    lost: int
    by_generation: np.ndarray = field(repr=False)
    escaped_nm: np.ndarray | None = field(default=None, repr=False)

    @property
    def escaped(self) -> int:
        return self.front + self.back + self.edge

    @property
    def external_yield(self) -> tuple[float, float]:
        """Photons out per excitation and its standard error."""
        return _share(self.escaped, self.excitations)

    @property
    def escape(self) -> tuple[float, float]:
        """Probability that an emitted photon leaves, and its standard error."""
        return _share(self.escaped, self.emissions)

    @property
    def reabsorption(self) -> tuple[float, float]:
        """Probability that an emitted photon is absorbed by the film, and its standard error."""
        return _share(self.reabsorbed, self.emissions)


def _share(part, whole):
    share = part / max(whole, 1)
    return float(share), float(np.sqrt(max(share * (1 - share), 1 / max(whole, 1)) / max(whole, 1)))


def trace(
    photons: int,
    *,
    n_film: float = 1.82,
    n_front: float = 1.0,
    n_glass: float = 1.5,
    optical_density: float | np.ndarray = 0.02,
    internal_yield: float = 1.0,
    glass_mm: float | None = None,
    radius_mm: float = 6.0,
    wavelength_nm: np.ndarray | None = None,
    emission: np.ndarray | None = None,
    seed: int = 0,
    max_events: int = 100_000,
) -> Fates:
    """Follow excitations of a film until each has ended.

    Parameters
    ----------
    photons : int
        Excitations to start, uniform in depth.
    n_film, n_front, n_glass : float
    optical_density : float or (w,) array
        Decadic absorbance of one normal pass; against `wavelength_nm` where that is given.
    internal_yield : float
        Probability that an excitation emits.
    glass_mm : float, optional
        Thickness of the slide, air behind it; endless glass without.
    radius_mm : float
        Of the slide; excitations start within a tenth of it from the middle. What reaches the rim
        has left.
    wavelength_nm, emission : (w,) arrays, optional
        Emission spectrum in photons per nm, on an even grid; each photon gets a wavelength of its
        own.
    seed : int
    max_events : int
        Give up after so many steps of the slowest photon.

    Returns
    -------
    Fates

    Raises
    ------
    ValueError
        Values outside their range; a film that neither absorbs nor leaks (light trapped for ever).
    """
    _check(photons, n_film, n_front, n_glass, internal_yield, glass_mm, radius_mm)
    random = np.random.default_rng(seed)
    absorbance = np.atleast_1d(np.asarray(optical_density, float)) * np.log(10)
    if not (np.isfinite(absorbance).all() and (absorbance >= 0).all()):
        raise ValueError(
            f"optical_density: expected values of 0 or more, found {np.ravel(optical_density)[0]}"
        )
    spectral = wavelength_nm is not None
    if spectral:
        wavelength_nm, emission = np.asarray(wavelength_nm, float), np.asarray(emission, float)
        if wavelength_nm.shape != emission.shape or (emission < 0).any() or emission.sum() <= 0:
            raise ValueError(
                "emission: expected one value of 0 or more a wavelength, found shapes "
                f"{emission.shape} and {wavelength_nm.shape}"
            )
        absorbance = np.broadcast_to(absorbance, wavelength_nm.shape)
        ladder = np.cumsum(emission) / emission.sum()
    counts = dict.fromkeys(("emissions", "front", "back", "edge", "reabsorbed", "lost"), 0)
    generations, colours = [], []

    # one row a live excitation: depth, place on the slide, re-absorptions so far
    depth, generation = random.random(photons), np.zeros(photons, int)
    spread = 0.1 * radius_mm * np.sqrt(random.random(photons))
    turn = 2 * np.pi * random.random(photons)
    place = np.stack([spread * np.cos(turn), spread * np.sin(turn)])

    def emit(depth, place, generation):
        """Excitations emit or end; the photons start in random directions and one of two
        polarisations."""
        shine = random.random(len(depth)) < internal_yield
        counts["lost"] += int((~shine).sum())
        count = int(shine.sum())
        counts["emissions"] += count
        heading = 2 * np.pi * random.random(count)
        colour = np.searchsorted(ladder, random.random(count)) if spectral else np.zeros(count, int)
        return {
            "depth": depth[shine],
            "x": place[0, shine],
            "y": place[1, shine],
            "generation": generation[shine],
            "up": 2 * random.random(count) - 1,
            "cx": np.cos(heading),
            "cy": np.sin(heading),
            "tm": random.random(count) < 0.5,
            "colour": colour,
        }

    def leave(photon, where, rows):
        counts[where] += int(rows.sum())
        generations.append(photon["generation"][rows])
        if spectral:
            colours.append(wavelength_nm[photon["colour"][rows]])

    photon = emit(depth, place, generation)
    for _ in range(max_events):
        if len(photon["depth"]) == 0:
            break
        # a run through the film: `up` is the cosine towards the front
        slant = np.abs(photon["up"])
        reach = np.where(photon["up"] > 0, photon["depth"], 1 - photon["depth"]) / np.maximum(
            slant, 1e-300
        )
        strength = absorbance[photon["colour"]]
        with np.errstate(divide="ignore"):
            stop = random.exponential(size=len(reach)) / strength
        absorbed = stop < reach
        fresh = None
        if absorbed.any():
            counts["reabsorbed"] += int(absorbed.sum())
            new_depth = photon["depth"][absorbed] - photon["up"][absorbed] * stop[absorbed]
            fresh = emit(
                np.clip(new_depth, 0, 1),
                np.stack([photon["x"][absorbed], photon["y"][absorbed]]),
                photon["generation"][absorbed] + 1,
            )
            photon = {name: values[~absorbed] for name, values in photon.items()}
        # at a face: leave, turn back, or visit the glass
        front = photon["up"] > 0
        angle = np.arccos(np.clip(np.abs(photon["up"]), 0, 1))
        passes = random.random(len(angle)) >= np.where(
            front,
            _reflectance(angle, n_film, n_front, photon["tm"]),
            _reflectance(angle, n_film, n_glass, photon["tm"]),
        )
        photon["depth"] = np.where(front, 0.0, 1.0)
        gone = passes & front
        leave(photon, "front", gone)
        into = passes & ~front
        if glass_mm is None:
            leave(photon, "back", into)
            gone = gone | into
        else:
            gone = gone | _visit_glass(
                photon, into, angle, random, leave, n_film, n_glass, n_front, glass_mm, radius_mm
            )
        photon["up"] = np.where(
            passes & ~front, photon["up"] * -1, np.where(passes, photon["up"], -photon["up"])
        )
        photon = {name: values[~gone] for name, values in photon.items()}
        if fresh is not None:
            photon = {
                name: np.concatenate([values, fresh[name]]) for name, values in photon.items()
            }
    else:
        raise ValueError(
            f"optical_density: expected every photon to end within {max_events} steps, "
            f"found {len(photon['depth'])} still on their way; "
            "light that is trapped needs some absorption or a rim"
        )
    left = np.concatenate(generations) if generations else np.zeros(0, int)
    return Fates(
        photons,
        **counts,
        by_generation=np.bincount(left),
        escaped_nm=np.concatenate(colours) if spectral and colours else None,
    )


def _visit_glass(photon, into, angle, random, leave, n_film, n_glass, n_front, glass_mm, radius_mm):
    """Photons in the slide go to and fro until they leave or re-enter the film; True for those that
    left."""
    gone = np.zeros(len(angle), bool)
    live = np.flatnonzero(into)
    tilt = np.arcsin(np.clip(n_film / n_glass * np.sin(angle[live]), 0, 1))
    step = glass_mm * np.tan(tilt)
    while len(live):
        for downward in (True, False):
            photon["x"][live] += step * photon["cx"][live]
            photon["y"][live] += step * photon["cy"][live]
            rim = np.hypot(photon["x"][live], photon["y"][live]) > radius_mm
            _count(photon, "edge", live[rim], leave, gone)
            live, tilt, step = live[~rim], tilt[~rim], step[~rim]
            through = random.random(len(live)) >= _reflectance(
                tilt, n_glass, 1.0 if downward else n_film, photon["tm"][live]
            )
            if downward:
                _count(photon, "back", live[through], leave, gone)
            # upward, what passes is back in the film, heading for the front
            live, tilt, step = live[~through], tilt[~through], step[~through]
    return gone


def _count(photon, where, rows, leave, gone):
    mask = np.zeros(len(gone), bool)
    mask[rows] = True
    leave(photon, where, mask)
    gone |= mask


def _reflectance(angle, n_in, n_out, tm):
    """Fresnel's sine and tangent laws; 1 beyond the critical angle. `tm` picks the polarisation of
    each ray."""
    if n_in == n_out:
        return np.zeros_like(angle)
    sine = n_in / n_out * np.sin(angle)
    total = sine >= 1
    other = np.arcsin(np.where(total, 0.0, sine))
    steep = angle < 1e-5  # at normal incidence both laws are 0 / 0
    with np.errstate(divide="ignore", invalid="ignore"):
        te = (np.sin(angle - other) / np.sin(angle + other)) ** 2
        ratio = np.where(tm, (np.tan(angle - other) / np.tan(angle + other)) ** 2, te)
    ratio = np.where(steep, ((n_in - n_out) / (n_in + n_out)) ** 2, ratio)
    return np.where(total, 1.0, ratio)


def _check(photons, n_film, n_front, n_glass, internal_yield, glass_mm, radius_mm):
    if photons < 1:
        raise ValueError(f"photons: expected at least 1, found {photons}")
    for name, value in (
        ("n_film", n_film),
        ("n_front", n_front),
        ("n_glass", n_glass),
        ("radius_mm", radius_mm),
        ("glass_mm", 1.0 if glass_mm is None else glass_mm),
    ):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name}: expected a positive number, found {value}")
    if not 0 <= internal_yield <= 1:
        raise ValueError(
            f"internal_yield: expected a probability from 0 to 1, found {internal_yield}"
        )
