"""Micrographs of nanocubes: particles and their edges, lattice spacings from the Fourier
transform."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from peled.quantities import FALSE_ALARM, threshold

TOLERANCE = 0.08  #: of a spacing, relative, to be taken for the one expected

SMOOTHING_NM = 0.8  #: standard deviation, at least 0.7 pixels

#: Area that the half-way contour of a Gaussian-blurred right-angled corner loses, in units of the
#: blur's variance: the integral of probit(1/(2 Phi(y))) over y from 0 to infinity.
CORNER = 0.86477
_MOST_ASPECT, _LEAST_SOLIDITY = 1.45, 0.88  #: of one particle; the rest is refused as odd
#: Share of the tightest rectangle that a particle fills at least: a square all of it, a disk π/4.
_LEAST_FILL, _LEAST_FILL_ROUND = 0.82, 0.68
_ROUND = 0.2  #: fourfold moment below which particles are round: 0 for a disk, 3/7 for a square


@dataclass(frozen=True)
class Particle:
    """One projected particle: centre (pixels), edge (square root of its area; of a round one the
    diameter), nm, and rotation of the tightest rectangle, degrees (0 to 90).
    """

    row: float
    column: float
    edge_nm: float
    rotation_deg: float
    solidity: float


@dataclass(frozen=True)
class SizeDistribution:
    """Edges of many particles, nm.

    `mean_nm` with `mean_error_nm` (of the mean, with the error of the pixel size and of the outline
    inside), `sd_nm` with `sd_error_nm` (of the population, outline error taken out), `edges_nm`,
    and `notes`.
    """

    mean_nm: float
    mean_error_nm: float
    sd_nm: float
    sd_error_nm: float
    edges_nm: np.ndarray = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Segmentation:
    """Particles found in an image, the label image, how many were refused (`cut` by the border,
    `odd` in shape), and whether they are round.
    """

    particles: tuple[Particle, ...] = field(repr=False)
    labels: np.ndarray = field(repr=False)
    cut: int
    odd: int
    threshold: float
    round: bool = False


@dataclass(frozen=True)
class Spot:
    """One maximum of the Fourier transform: spatial frequency (1/nm), error, spacing d (nm), error,
    direction (degrees), strength over the noise there.
    """

    fx: float
    fy: float
    frequency_error: float
    d_nm: float
    d_error_nm: float
    angle_deg: float
    strength: float


@dataclass(frozen=True)
class LatticeFit:
    """A square net {100}, {110} fitted to spots.

    `d100_nm`, `d110_nm` with errors from all spots of a family, the pixel size included;
    `rotation_deg` of the net; `ellipticity` = ratio of the two {100} spacings; `angle_deg` between
    them (90 for a cube seen along an axis); `spots` with indices.
    """

    d100_nm: float
    d100_error_nm: float
    d110_nm: float
    d110_error_nm: float
    rotation_deg: float
    ellipticity: float
    ellipticity_error: float
    angle_deg: float
    angle_error_deg: float
    spots: tuple[tuple[tuple[int, int], Spot], ...] = field(repr=False)
    power: np.ndarray = field(repr=False)
    frequency_step: float


def segment(
    pixels,
    pixel_nm: float,
    *,
    smallest_nm: float = 4.0,
) -> Segmentation:
    """Find cubes or round particles: background taken off, smoothed, threshold (Otsu 1979),
    touching ones parted by watershed on the distance to the outline.

    Which of the two they are is told from their fourfold moment |⟨z⁴⟩| / ⟨|z|⁴⟩. Round ones
    that are darker or brighter in the middle are spheres, seen by their thickness: the contour
    half-way up is then inside the outline.

    Parameters
    ----------
    pixels : (rows, columns) array
    pixel_nm : float
    smallest_nm : float
        Particles with a shorter edge are noise.

    Returns
    -------
    Segmentation

    Raises
    ------
    ValueError
        If nothing stands out of the background.

    References
    ----------
    .. [1] N. Otsu, IEEE Trans. Syst. Man Cybern. 9, 62 (1979), doi:10.1109/TSMC.1979.4310076
    """
    from scipy import ndimage
    from skimage import filters, measure, segmentation

    image = np.asarray(pixels, float)
    if image.ndim != 2 or not pixel_nm > 0:
        raise ValueError(
            "micrograph: expected a two-dimensional image and a positive pixel size, found shape "
            f"{image.shape} and {pixel_nm}"
        )
    blur_nm = max(SMOOTHING_NM, 0.7 * pixel_nm)
    smooth = ndimage.gaussian_filter(image, blur_nm / pixel_nm)
    if np.mean((smooth - np.median(smooth)) ** 3) < 0:  # dark crystals on a bright film
        smooth = -smooth
    smooth = smooth - _plane(smooth)
    mask = smooth > filters.threshold_otsu(smooth)
    low, high = smooth[~mask].mean(), smooth[mask].mean()
    # Otsu parts even one bell curve, into halves 2.65 of their own spreads apart.
    two_levels = high - low > 3.2 * max(smooth[~mask].std(), smooth[mask].std())
    if not two_levels:
        mask = smooth > _above_film(smooth, blur_nm / pixel_nm)
        low, high = smooth[~mask].mean(), smooth[mask].mean()
    away = ~ndimage.binary_dilation(mask, iterations=max(1, round(2 * blur_nm / pixel_nm)))
    low = (
        float(np.mean(smooth[away])) if away.sum() > 100 else low
    )  # the film away from blurred outlines
    middle = 0.5 * (low + high)  # the outline of a blurred step lies half-way
    if two_levels:
        mask = smooth > middle
    mask = ndimage.binary_fill_holes(mask)
    mask = ndimage.binary_opening(mask, iterations=max(1, round(0.4 / pixel_nm)))
    distance = ndimage.distance_transform_edt(mask)
    labels = segmentation.watershed(-distance, _seeds(distance, pixel_nm), mask=mask)
    labels = _outline_each(smooth, labels, distance, low, pixel_nm)
    whole, cut, odd = [], 0, 0
    rows, columns = image.shape
    for region in measure.regionprops(labels):
        top, left, bottom, right = region.bbox
        if np.sqrt(region.area * pixel_nm**2 + 4 * CORNER * blur_nm**2) < smallest_nm:
            continue
        if top == 0 or left == 0 or bottom == rows or right == columns:
            cut += 1
            continue
        length, width, rotation = _tightest_rectangle(_rim(region.image))
        if region.solidity < _LEAST_SOLIDITY or length > _MOST_ASPECT * width:
            odd += 1
            continue
        whole.append((region, length, width, rotation))
    fill = np.array([r.area / (length * width) for r, length, width, _ in whole])
    round_ = len(whole) > 2 and np.median([_fourfold(r.coords) for r, *_ in whole]) < _ROUND
    good = fill >= (_LEAST_FILL_ROUND if round_ else _LEAST_FILL)
    scale = _round_scale(smooth - low, labels, distance, blur_nm / pixel_nm) if round_ else 0.0
    particles = tuple(
        Particle(
            *map(float, r.centroid),
            2 * scale * float(np.sqrt(r.area / np.pi)) * pixel_nm
            if round_
            else float(np.sqrt(r.area * pixel_nm**2 + 4 * CORNER * blur_nm**2)),
            rotation,
            float(r.solidity),
        )
        for (r, _, _, rotation), kept in zip(whole, good, strict=True)
        if kept
    )
    return Segmentation(
        particles, labels, cut, odd + int((~good).sum()), float(middle), bool(round_)
    )


def _fourfold(pixels: np.ndarray) -> float:
    """|⟨z⁴⟩| / ⟨|z|⁴⟩ of pixels (n, 2) about their mean; a rough outline hardly changes it."""
    z = (pixels - pixels.mean(axis=0)) @ (1, 1j)
    return float(np.abs(np.mean(z**4)) / np.mean(np.abs(z) ** 4))


def _round_scale(above, labels, distance, blur: float) -> float:
    """Radius of round particles over that of their contours half-way to the film.

    Between that of a disk and of a sphere as bright as it is thick, both blurred alike, by how much
    the level falls from the middle to the rim.
    """
    from scipy import ndimage

    index = np.arange(1, int(labels.max()) + 1)
    radius = float(np.median(np.sqrt(ndimage.sum(labels > 0, labels, index) / np.pi)))
    seen, _ = _fall(above, labels, distance)
    extent = np.arange(-np.ceil(1.4 * radius + 4 * blur), np.ceil(1.4 * radius + 4 * blur) + 1)
    rho = np.hypot(extent[:, None], extent) / (1.1 * radius)
    model = []
    for profile in ((rho < 1) * 1.0, np.sqrt(np.maximum(1 - rho**2, 0))):
        picture = ndimage.gaussian_filter(profile, blur)
        mask = (picture > 0.45 * picture.max()).astype(int)
        fall, level = _fall(picture, mask, ndimage.distance_transform_edt(mask))
        area = np.count_nonzero(picture > 0.5 * level)
        model.append((fall, 1.1 * radius / np.sqrt(area / np.pi)))
    (disk, of_disk), (sphere, of_sphere) = model
    share = float(np.clip((seen - disk) / (sphere - disk), 0, 1))
    return (1 - share) * of_disk + share * of_sphere


def _fall(above, labels, distance) -> tuple[float, float]:
    """Median over particles of the level near the rim over that of the middle, and their level."""
    from scipy import ndimage

    index = np.arange(1, int(labels.max()) + 1)
    depth = distance / np.concatenate([[np.inf], ndimage.maximum(distance, labels, index)])[labels]

    def mean(low: float, high: float):
        return ndimage.mean(above, np.where((depth > low) & (depth <= high), labels, 0), index)

    return float(np.nanmedian(mean(0.35, 0.5) / mean(0.8, 1))), float(np.median(mean(0.4, 1)))


def _above_film(smooth, blur: float) -> float:
    """Level that the film alone passes nowhere, where particles have no grey level in common.

    In dark field a particle is as bright as it is thick. The film is the mode of the grey values,
    its scatter that below the mode.

    Raises
    ------
    ValueError
        If less than a hundredth of the picture is above it, or what is above it is no brighter
        than twice as far from the film as that level.
    """
    counts, edges = np.histogram(smooth, bins=256)
    wide = np.convolve(counts, np.ones(9), "same")
    film = edges[int(np.argmax(wide))]
    under = film - smooth[smooth < film]
    scatter = np.sqrt(np.mean(under**2)) if under.size else 0.0
    places = smooth.size / max(4 * np.pi * blur**2, 1.0)
    level = film + threshold(max(int(places), 1)) * scatter
    above = smooth > level
    if not above.mean() > 0.01 or np.median(smooth[above]) - film < 2 * (level - film):
        raise ValueError(
            "micrograph: expected particles that stand out of the film, found no two grey levels "
            "and nothing that the noise of the film does not reach"
        )
    return float(level)


def _seeds(distance, pixel_nm: float):
    """One seed a cube: maxima of the distance to the outline that stand a tenth of the deepest one
    above their saddles (h-maxima, on every second pixel, which is much faster and as good).
    """
    from scipy import ndimage
    from skimage import measure, morphology

    smooth = ndimage.gaussian_filter(distance, max(0.3 / pixel_nm, 0.5))[::2, ::2]
    labels = measure.label(morphology.h_maxima(smooth, max(0.08 * distance.max(), 0.5)))
    seeds = np.zeros(distance.shape, int)
    seeds[::2, ::2] = labels
    return seeds


def _outline_each(smooth, labels, distance, background: float, pixel_nm: float):
    """Each particle outlined half-way between its own level and the film: thick cubes are darker,
    and one threshold for all would draw them too large and thin ones too small.
    """
    from scipy import ndimage
    from skimage import segmentation

    count = int(labels.max())
    if count == 0:
        return labels
    index = np.arange(1, count + 1)
    deepest = ndimage.maximum(distance, labels, index)
    core = np.where(distance > 0.4 * np.concatenate([[np.inf], deepest])[labels], labels, 0)
    level = np.concatenate([[np.inf], ndimage.mean(smooth, core, index)])
    wide = segmentation.expand_labels(labels, distance=1.2 / pixel_nm)
    return np.where(smooth > 0.5 * (background + level[wide]), wide, 0)


def _plane(image):
    """Slow background: a plane through the medians of a 6 x 6 mosaic."""
    rows, columns = image.shape
    r, c = np.mgrid[0:rows, 0:columns]
    blocks = [
        (rr.mean(), cc.mean(), np.percentile(image[np.ix_(rr, cc)], 30))
        for rr in np.array_split(np.arange(rows), 6)
        for cc in np.array_split(np.arange(columns), 6)
    ]
    table = np.array(blocks)
    coefficients = np.linalg.lstsq(
        np.column_stack([np.ones(len(table)), table[:, :2]]), table[:, 2], rcond=None
    )[0]
    return coefficients[0] + coefficients[1] * r + coefficients[2] * c


def _rim(mask) -> np.ndarray:
    """First and last pixel of every row: enough for the rectangle around them."""
    rows = np.arange(mask.shape[0])
    first, last = mask.argmax(axis=1), mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
    return np.vstack([np.column_stack([rows, first]), np.column_stack([rows, last])]).astype(float)


def _tightest_rectangle(coordinates) -> tuple[float, float, float]:
    """Longer and shorter side (pixels) and rotation (degrees) of the rectangle of least area around
    the pixels.
    """
    angles = np.radians(np.arange(0, 90, 2.0))
    points = coordinates - coordinates.mean(axis=0)
    u = points[:, 0, None] * np.cos(angles) + points[:, 1, None] * np.sin(angles)
    v = -points[:, 0, None] * np.sin(angles) + points[:, 1, None] * np.cos(angles)
    a, b = np.ptp(u, axis=0) + 1, np.ptp(v, axis=0) + 1
    i = int(np.argmin(a * b))
    return float(max(a[i], b[i])), float(min(a[i], b[i])), float(np.degrees(angles[i]))


def size_distribution(
    edges_nm, *, outline_error_nm: float = 0.3, pixel_relative_error: float = 0.01
) -> SizeDistribution:
    """Mean and spread of edges.

    Parameters
    ----------
    edges_nm : (n,) array
    outline_error_nm : float
        Standard error that one edge may at most have from its outline; the half of its square is
        taken out of the variance, the range is in the error of the spread.
    pixel_relative_error : float
        Standard error of the pixel size, common to all edges: it does not average out.

    Returns
    -------
    SizeDistribution

    Raises
    ------
    ValueError
        For fewer than three edges.

    References
    ----------
    .. [1] JCGM 100:2008, section 4.2, doi:10.59161/JCGM100-2008E
    """
    edges = np.asarray(edges_nm, float)
    if len(edges) < 3 or not (edges > 0).all():
        raise ValueError(f"sizes: expected at least three positive edges, found {len(edges)}")
    n, mean, sd = len(edges), float(edges.mean()), float(edges.std(ddof=1))
    # What outlines add to the variance lies between nothing and that error's square.
    population = np.sqrt(max(sd**2 - outline_error_nm**2 / 2, 0.0))
    of_outlines = outline_error_nm**2 / np.sqrt(12) / max(2 * population, outline_error_nm, 1e-9)
    # Student's factor turns the error of few particles into one whose 1.96-fold covers 95 %.
    from scipy import stats

    student = stats.t.ppf(0.975, n - 1) / 1.959964
    notes = (f"only {n} particles",) if n < 30 else ()
    excess = np.mean((edges - mean) ** 4) / sd**4
    return SizeDistribution(
        mean,
        float(np.hypot(student * sd / np.sqrt(n), pixel_relative_error * mean)),
        float(population),
        float(
            np.linalg.norm(
                [
                    sd * np.sqrt(max(excess - 1, 2.0) / (4 * (n - 1))) * student,
                    pixel_relative_error * sd,
                    of_outlines,
                ]
            )
        ),
        edges,
        notes,
    )


@dataclass(frozen=True)
class SizeChange:
    """What a change of edge means for cubes of lattice constant a: `ratio` and error, share of
    volume gone, unit cells along an edge before and after, layers lost on each face, lead atoms
    before and after, and the difference in units of the two populations' combined spread and of its
    error.
    """

    ratio: float
    ratio_error: float
    volume_lost: float
    volume_lost_error: float
    cells: tuple[float, float]
    layers_lost: float
    lead_atoms: tuple[float, float]
    population_separation: float
    significance: float


def size_change(
    before: tuple[float, float],
    after: tuple[float, float],
    a_A: float,
    *,
    errors_nm: tuple[float, float] | None = None,
) -> SizeChange:
    """What a change of the edges of cubes means in cells.

    Parameters
    ----------
    before, after : (float, float)
        Mean and spread of the edges, nm.
    a_A : float
        Lattice constant, ångström.
    errors_nm : (float, float), optional
        Standard errors of the means.

    Returns
    -------
    SizeChange
        Lost volume 1 - q³ with q the ratio of the edges, its error 3 q² σ_q.

    References
    ----------
    .. [1] JCGM 100:2008, section 5.1, doi:10.59161/JCGM100-2008E
    """
    (l1, s1), (l2, s2) = before, after
    e1, e2 = errors_nm or (0.0, 0.0)
    q = l2 / l1
    q_error = q * np.hypot(e1 / l1, e2 / l2)
    cells = (10 * l1 / a_A, 10 * l2 / a_A)
    return SizeChange(
        q,
        float(q_error),
        1 - q**3,
        float(3 * q**2 * q_error),
        cells,
        (cells[0] - cells[1]) / 2,
        (cells[0] ** 3, cells[1] ** 3),
        (l1 - l2) / float(np.hypot(s1, s2)),
        (l1 - l2) / float(np.hypot(e1, e2)) if e1 or e2 else float("inf"),
    )


# ---- lattice from the Fourier transform ----------------------------------------------------------


def power_spectrum(pixels, pixel_nm: float) -> tuple[np.ndarray, float]:
    """Power of the windowed image (Hann), zero frequency in the centre.

    Parameters
    ----------
    pixels : array, shape (rows, columns)
    pixel_nm : float

    Returns
    -------
    power : ndarray
        On a finer, padded grid.
    step : float
        Of its frequencies, 1/nm.
    """
    image = np.asarray(pixels, float)
    side = min(image.shape)
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    image = image[top : top + side, left : left + side]
    window = np.hanning(side)
    padded = 1 << int(np.ceil(np.log2(2 * side)))
    transform = np.fft.fftshift(
        np.fft.fft2((image - image.mean()) * window[:, None] * window, (padded, padded))
    )
    return np.abs(transform) ** 2, 1 / (padded * pixel_nm)


def find_spots(
    pixels,
    pixel_nm: float,
    *,
    d_range_nm: tuple[float, float] = (0.18, 0.9),
    strongest: int = 24,
    least: float | None = None,
    pixel_relative_error: float = 0.0,
) -> tuple[tuple[Spot, ...], np.ndarray, float]:
    """Maxima of the power spectrum over its local noise, with positions below the grid step
    (parabola through the logarithm).

    Noise of one frequency is exponential, so that its largest of m independent ones passes
    ln(m/alpha) with the chance alpha: that is `least` where nothing is said, with `FALSE_ALARM` and
    the frequencies of the unpadded image. The error of a frequency is that of a sine wave's in
    white noise [1]_, widened for the window.

    Parameters
    ----------
    pixels : array, shape (rows, columns)
    pixel_nm : float
    d_range_nm : (float, float)
        Of the spacings.
    strongest : int
        Number of spots, at most.
    least : float, optional
        Power over the local noise.
    pixel_relative_error : float
        Of `pixel_nm`, in the errors of the spacings.

    Returns
    -------
    spots : tuple of Spot
    power : ndarray
    step : float
        Of its frequencies, 1/nm.

    References
    ----------
    .. [1] D. C. Rife, R. R. Boorstyn, IEEE Trans. Inf. Theory 20, 591 (1974),
       doi:10.1109/TIT.1974.1055282
    """
    from scipy import ndimage

    power, step = power_spectrum(pixels, pixel_nm)
    n = power.shape[0]
    f = (np.arange(n) - n // 2) * step
    radius = np.hypot(f[:, None], f[None, :])
    # Noise falls with frequency (amorphous film, contrast transfer): the median in rings is its
    # level.
    ring = np.minimum((radius / (8 * step)).astype(int), n // 16)
    flat = np.argsort(ring, axis=None)
    counts = np.bincount(ring.ravel())
    medians = np.array(
        [
            np.median(part) if len(part) else 1.0
            for part in np.split(power.ravel()[flat], np.cumsum(counts)[:-1])
        ]
    )
    if least is None:
        least = float(np.log(np.square(min(np.asarray(pixels).shape)) / 2 / FALSE_ALARM))
    relative = power / (medians[ring] / np.log(2))
    # Noise of a scan differs from line to line and is alike along them: whole columns or rows.
    # Their medians are off by √(3/2) / ln 2 over the root of their points, the window counted.
    excess, off = 1.0, 1.77 / np.sqrt(min(np.asarray(pixels).shape))
    for axis in (0, 1):
        level = np.median(relative, axis=axis, keepdims=True) / np.log(2)
        excess = np.maximum(excess, level * (1 + off))
    smooth = ndimage.gaussian_filter(relative, 1.0)
    peak = (
        (smooth == ndimage.maximum_filter(smooth, size=9))
        & (ndimage.gaussian_filter(relative / excess, 1.0) > least)
        & (radius > 1 / d_range_nm[1])
        & (radius < 1 / d_range_nm[0])
    )
    half = peak & (
        (f[:, None] > 0) | ((f[:, None] == 0) & (f[None, :] > 0))
    )  # the other half is the same by symmetry
    rows, columns = np.nonzero(half)
    order = np.argsort(-smooth[rows, columns])[:strongest]
    found = []
    window_length = min(np.asarray(pixels).shape) * pixel_nm
    logs = np.log(smooth)
    for r, c in zip(rows[order], columns[order], strict=True):
        dr = _vertex(logs[r - 1, c], logs[r, c], logs[r + 1, c])
        dc = _vertex(logs[r, c - 1], logs[r, c], logs[r, c + 1])
        fy, fx = f[r] + dr * step, f[c] + dc * step
        q = float(np.hypot(fx, fy))
        # Half width of a Hann spectrum line is 2/T; its position is known to that over the
        # amplitude's signal to noise.
        error = float(
            np.hypot(0.7 / window_length / np.sqrt(2 * relative[r, c]), pixel_relative_error * q)
        )
        found.append(
            Spot(
                float(fx),
                float(fy),
                error,
                1 / q,
                error / q**2,
                float(np.degrees(np.arctan2(fy, fx)) % 180),
                float(relative[r, c]),
            )
        )
    return tuple(found), power, step


def _vertex(a: float, b: float, c: float) -> float:
    bottom = a - 2 * b + c
    return float(np.clip(0.5 * (a - c) / bottom, -0.5, 0.5)) if bottom < 0 else 0.0


def fit_square_lattice(
    pixels,
    pixel_nm: float,
    *,
    d100_nm: float,
    pixel_relative_error: float = 0.01,
    **options,
) -> LatticeFit:
    """Find a cube's net of {100} and {110} spots near the expected spacing and fit it.

    Parameters
    ----------
    pixels : array, shape (rows, columns)
    pixel_nm : float
    d100_nm : float
        Spacing expected of {100}.
    pixel_relative_error : float
        Of `pixel_nm`.
    **options
        For `find_spots`.

    Returns
    -------
    LatticeFit

    Raises
    ------
    ValueError
        If two {100} directions about 90 degrees apart are not seen.
    """
    # Four predicted places are few tries: e^-12 each is far below any rate of false alarms.
    options = {"least": 12.0} | options
    spots, power, step = find_spots(pixels, pixel_nm, **options)
    first = [s for s in spots if abs(s.d_nm / d100_nm - 1) < TOLERANCE]
    best = None
    for i, a in enumerate(first):
        for b in first[i + 1 :]:
            angle = abs(a.angle_deg - b.angle_deg)
            angle = min(angle, 180 - angle)
            if abs(angle - 90) < 6 and (
                best is None or a.strength * b.strength > best[0].strength * best[1].strength
            ):
                best = (a, b)
    if best is None:
        seen = ", ".join(f"{s.d_nm:.3f}" for s in spots[:6]) or "none"
        raise ValueError(
            f"lattice: expected two spots of about {d100_nm:.3f} nm at 90 degrees, found spacings "
            f"{seen} nm; choose a region with one crystal along a cube axis"
        )
    a, b = best
    basis = np.array([[a.fx, a.fy], [b.fx, b.fy]])
    # All members of {100} and {110} near the predicted places refine the two basis vectors.
    rows, values, weights, members = [], [], [], []
    for h, k in ((1, 0), (0, 1), (1, 1), (1, -1)):
        target = np.array([h, k]) @ basis
        near = [
            (np.hypot(s.fx - sign * target[0], s.fy - sign * target[1]), sign, s)
            for s in spots
            for sign in (1, -1)
        ]
        near = [x for x in near if x[0] < 0.06 * np.hypot(*target)]
        if near:
            _, sign, s = max(near, key=lambda x: x[2].strength)
            members.append(((h, k), s))
            rows.append([h, k])
            values.append([sign * s.fx, sign * s.fy])
            weights.append(1 / s.frequency_error**2)
    rows, values, weights = np.array(rows, float), np.array(values), np.array(weights)
    normal = rows.T @ (weights[:, None] * rows)
    fitted = np.linalg.solve(normal, rows.T @ (weights[:, None] * values))
    misfit = float(
        np.sum(weights[:, None] * (values - rows @ fitted) ** 2) / max(2 * len(rows) - 4, 1)
    )
    covariance = np.linalg.inv(normal) * max(misfit, 1.0)
    qa, qb = np.hypot(*fitted[0]), np.hypot(*fitted[1])
    ea, eb = np.sqrt(covariance[0, 0]), np.sqrt(covariance[1, 1])

    def spacing(n: int) -> tuple[float, float]:
        use = [s for hk, s in members if hk[0] ** 2 + hk[1] ** 2 == n]
        if not use:
            return float("nan"), float("nan")
        w = np.array([s.frequency_error**-2 for s in use])
        q = np.array([1 / s.d_nm for s in use])
        mean = float(w @ q / w.sum())
        scatter = float(np.std(q, ddof=1) / np.sqrt(len(q))) if len(q) > 1 else 0.0
        return 1 / mean, float(np.sqrt(1 / w.sum() + scatter**2) / mean**2)

    (d1, e1), (d2, e2) = spacing(1), spacing(2)
    cosine = fitted[0] @ fitted[1] / (qa * qb)
    return LatticeFit(
        d1,
        float(np.hypot(e1, pixel_relative_error * d1)),
        d2,
        float(np.hypot(e2, pixel_relative_error * d2)),
        float(np.degrees(np.arctan2(fitted[0, 1], fitted[0, 0])) % 90),
        float(qb / qa),
        float(qb / qa * np.hypot(ea / qa, eb / qb)),
        float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))),
        float(np.degrees(np.hypot(ea / qa, eb / qb))),
        tuple(members),
        power,
        step,
    )
