"""Micrographs of a sheet: sizes of particles, spacings of lattice planes."""

from __future__ import annotations

import numpy as np

from peled.quantities import Finding
from peled.report import reason
from peled.samples import Held
from peled.structure import microscopy
from peled.structure.making import Bench, estimates

#: Fewer particles than this give no distribution.
LEAST_PARTICLES = 20

#: Share of particles that are odd in shape, and not counted, beyond which the rest stand for
#: themselves alone.
ODD = 0.2

#: What the microscope's own blur, which nobody knows, moves the outline of round particles by.
ROUND_RELATIVE = 0.015


def sizes(bench: Bench) -> float | None:
    """Edges over all micrographs of a sample; their relative spread, where it is known.

    Parameters
    ----------
    bench : Bench
        Its rows hold micrographs.

    Returns
    -------
    float or None
        Standard deviation over mean; None for round particles, too few of them, or a spread that
        does not stand above its error.
    """
    scale = bench.settings["pixel_relative"]
    found, used = [], []
    for held in bench.held:
        image = held.data
        try:
            one = microscopy.segment(image.pixels, image.pixel_nm)
        except ValueError as error:
            bench.nothing(held, "particle edge, mean", "nm", "signal", reason(error))
            continue
        bench.keep[held.row.label] = image, one
        if not one.particles:
            text = f"no whole particle ({one.cut} cut by the border, {one.odd} odd in shape)"
            bench.nothing(held, "particle edge, mean", "nm", "signal", text)
            continue
        found.append(one)
        used.append(held)
    if not used:
        return None
    edges = [p.edge_nm for one in found for p in one.particles]
    what = "particle diameter" if all(one.round for one in found) else "particle edge"
    if len(edges) < LEAST_PARTICLES:
        text = f"only {len(edges)} whole particles; {LEAST_PARTICLES} are needed"
        bench.nothing(used[0], f"{what}, mean", "nm", "determined", text)
        return None
    if len({one.round for one in found}) > 1:
        text = "some micrographs show cubes, others round particles: make them two samples"
        bench.nothing(used[0], f"{what}, mean", "nm", "described", text)
        return None
    d = microscopy.size_distribution(edges, pixel_relative_error=0.0)
    bench.keep["sizes"] = d
    odd = sum(one.odd for one in found)
    since = len(bench.quantities)
    note = f"{len(edges)} particles in {len(used)} micrographs; magnification known to {scale:.0%}"
    fit = estimates(
        ("mean", "sd"), (d.mean_nm, max(d.sd_nm, 1e-9)), ("nm", "nm"),
        (d.mean_error_nm, d.sd_error_nm),
    )  # fmt: skip
    budget = {"calibration": scale * d.mean_nm}
    if what == "particle diameter":
        budget["outline"] = ROUND_RELATIVE * d.mean_nm
    bench.make(used, f"{what}, mean", "nm", lambda p: p["mean"], fit, note=note, **budget)
    spread = d.sd_nm > 2 * d.sd_error_nm
    if spread:
        bench.make(used, f"{what}, spread", "nm", lambda p: p["sd"], fit,
                   calibration=scale * d.sd_nm)  # fmt: skip
    else:
        text = f"spread {d.sd_nm:.2g} nm, not above the error of an outline"
        bench.nothing(used[0], f"{what}, spread", "nm", "determined", text)
    if odd > ODD * (odd + len(edges)):
        text = f"{odd} of {odd + len(edges)} particles are odd in shape and not counted"
        bench.doubt(since, Finding("described", "doubtful", text, used[0].row.label))
    return d.sd_nm / d.mean_nm if spread and what == "particle edge" else None


def lattices(bench: Bench) -> None:
    """Spacings in the Fourier transform of each micrograph, of whatever lattice.

    Parameters
    ----------
    bench : Bench
        Its rows hold micrographs.
    """
    bench.each(_lattice)


def _lattice(bench: Bench, held: Held) -> None:
    image = held.data
    reach = (max(2.2 * image.pixel_nm, 0.1), min(1.5, 0.1 * min(image.extent_nm)))
    if reach[0] >= reach[1]:
        bench.nothing(held, "lattice spacing", "nm", "determined", "the picture is too small")
        return
    spots, power, step = microscopy.find_spots(image.pixels, image.pixel_nm, d_range_nm=reach)
    if not spots:
        text = "no spot of the Fourier transform above its noise"
        bench.nothing(held, "lattice spacing", "nm", "signal", text)
        return
    bench.keep[held.row.label] = image, spots, power, step
    scale = bench.settings["pixel_relative"]
    for number, family in enumerate(families(spots)[:3], start=1):
        d = np.array([s.d_nm for s in family])
        error = np.array([s.d_error_nm for s in family])
        weight = error**-2.0
        mean = float(weight @ d / weight.sum())
        scatter = float(np.std(d, ddof=1) / np.sqrt(len(d))) if len(d) > 1 else 0.0
        one = float(np.hypot(weight.sum() ** -0.5, scatter))
        angles = ", ".join(f"{s.angle_deg:.0f}°" for s in family)
        bench.make(
            held,
            f"lattice spacing {number}",
            "nm",
            lambda p: p["d"],
            estimates(("d",), (mean,), ("nm",), (one,)),
            note=f"{len(family)} spots at {angles}; magnification known to {scale:.0%}",
            calibration=scale * mean,
        )


def families(spots) -> list[list[microscopy.Spot]]:
    """Spots of one spacing within 2 % (a square net stretched by drift), strongest family first.

    Parameters
    ----------
    spots : iterable of Spot

    Returns
    -------
    list of list of Spot
        Within a family the strongest first.
    """
    out: list[list[microscopy.Spot]] = []
    for spot in sorted(spots, key=lambda s: -s.strength):
        home = next((f for f in out if abs(spot.d_nm / f[0].d_nm - 1) < 0.02), None)
        if home is None:
            out.append([spot])
        else:
            home.append(spot)
    return sorted(out, key=lambda f: -sum(s.strength for s in f))
