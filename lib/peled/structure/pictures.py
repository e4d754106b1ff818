"""Micrographs of a sheet: sizes of particles, spacings of lattice planes."""

from __future__ import annotations

import numpy as np

from peled.samples import Held
from peled.structure import microscopy
from peled.structure.making import Bench, estimates

#: Fewer particles than this give no distribution.
LEAST_PARTICLES = 20


def sizes(bench: Bench) -> float | None:
    """Edges over all micrographs of a sample; their relative spread, where it is known."""
    scale = bench.settings["pixel_relative"]
    edges, used = [], []
    for held in bench.held:
        image = held.data
        try:
            found = microscopy.segment(image.pixels, image.pixel_nm)
        except ValueError as error:
            bench.nothing(held, "particle edge, mean", "nm", "signal", str(error))
            continue
        bench.keep[held.row.label] = image, found
        if not found.particles:
            text = f"no whole particle ({found.cut} cut by the border, {found.odd} odd in shape)"
            bench.nothing(held, "particle edge, mean", "nm", "signal", text)
            continue
        edges += [p.edge_nm for p in found.particles]
        used.append(held)
    if not used:
        return None
    if len(edges) < LEAST_PARTICLES:
        text = f"only {len(edges)} whole particles; {LEAST_PARTICLES} are needed"
        bench.nothing(used[0], "particle edge, mean", "nm", "determined", text)
        return None
    d = microscopy.size_distribution(edges, pixel_relative_error=0.0)
    bench.keep["sizes"] = d
    note = f"{len(edges)} particles in {len(used)} micrographs"
    fit = estimates(
        ("mean", "sd"), (d.mean_nm, max(d.sd_nm, 1e-9)), ("nm", "nm"),
        (d.mean_error_nm, d.sd_error_nm),
    )  # fmt: skip
    magnification = {"calibration": scale * d.mean_nm}
    bench.make(used, "particle edge, mean", "nm", lambda p: p["mean"], fit, note=note,
               **magnification)  # fmt: skip
    if d.sd_nm > 2 * d.sd_error_nm:
        bench.make(used, "particle edge, spread", "nm", lambda p: p["sd"], fit,
                   calibration=scale * d.sd_nm)  # fmt: skip
        return d.sd_nm / d.mean_nm
    text = f"spread {d.sd_nm:.2g} nm, not above the error of an outline"
    bench.nothing(used[0], "particle edge, spread", "nm", "determined", text)
    return None


def lattices(bench: Bench) -> None:
    """Spacings in the Fourier transform of each micrograph, of whatever lattice."""
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
            note=f"{len(family)} spots at {angles}",
            calibration=bench.settings["pixel_relative"] * mean,
        )


def families(spots) -> list[list[microscopy.Spot]]:
    """Spots of one spacing within 2 % (a square net stretched by drift), strongest family first."""
    out: list[list[microscopy.Spot]] = []
    for spot in sorted(spots, key=lambda s: -s.strength):
        home = next((f for f in out if abs(spot.d_nm / f[0].d_nm - 1) < 0.02), None)
        if home is None:
            out.append([spot])
        else:
            home.append(spot)
    return sorted(out, key=lambda f: -sum(s.strength for s in f))
