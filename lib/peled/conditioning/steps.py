"""The steps of conditioning: each takes a signal and gives another, a sentence with numbers, and
its findings.

A step is a function (signal, companions, **settings) -> (signal, sentence, findings); `STEPS`
knows them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from scipy import stats
from scipy.ndimage import median_filter, uniform_filter1d

from peled.conditioning.detection import FALSE_ALARM, find_band
from peled.conditioning.noise import (
    LEAST_FREE,
    block_means,
    estimate_noise,
    free_region,
    line_through,
    noise_in,
    slow_in,
    stated_region,
    third_differences,
    white_deviation,
)
from peled.conditioning.signal import ConditioningError, Signal
from peled.conditioning.spikes import find_spikes, replace_points
from peled.materials import AXES_NM
from peled.quantities import Finding, with_error

#: Largest counts of 10 to 16 bit converters: one in a thousand maxima of this height is on it.
CEILINGS = (1023.0, 4095.0, 16383.0, 65535.0)
ABSORBED = 10.0  #: absorbance that no spectrometer sees through
BEND = 3.29  #: standard errors of a bend that straight baselines exceed in one of a thousand
WING_SHARE = 0.04  #: of a band's area in Lorentzian wings, as far as is known beforehand (one sd)
#: Of its full width at half maximum: lengths over which a band's wings fall to 1/e, and the shares
#: of its area in them, one sd; what falls at once is half of a hyperbolic secant.
LENGTHS = {0.4: 0.5, 1.0: WING_SHARE}
FAR = 2.0  #: FWHM from its maximum at which a Gaussian band has fallen to 2e-5
#: Points down to the next digit over those at the top: √2 for a parabola, counted in points.
ROUND = 1.2
GAPS = 0.2  #: largest share of cells without a value
UNFREE = "determined"  #: gate of a finding that nothing of the axis is free of light
TAIL = 0.05  #: least share of the axis beside a band that a baseline is judged by


def _few(labels: list[str]) -> str:
    """Labels of spectra, the first four by name."""
    return ", ".join(labels[:4]) + (f" and {len(labels) - 4} more" if len(labels) > 4 else "")


def axis(signal: Signal, companions: Mapping[str, Signal]):
    """An axis that is none is refused: not monotonic, point numbers, two units in one.

    Parameters
    ----------
    signal : Signal
    companions : mapping of str to Signal
        Not used.

    Returns
    -------
    Signal, str, tuple of Finding
        With a rising axis; what was done; nothing.

    Raises
    ------
    ConditioningError
        Also of fewer than 32 points or nm outside `AXES_NM`; names the place, what was expected and
        what was found.
    """
    x, name = signal.axis, signal.source or "signal"
    if x.size < 32 or not np.isfinite(x).all():
        raise ConditioningError(
            f"{name}: axis: expected at least 32 finite values, found {np.isfinite(x).sum()}"
        )
    step = np.diff(x)
    if not ((step > 0).all() or (step < 0).all()):
        wrong = int(np.flatnonzero(np.sign(step) != np.sign(np.median(step)))[0])
        raise ConditioningError(
            f"{name}: axis: expected to rise or fall all along, "
            f"found {x[wrong]:g} then {x[wrong + 1]:g} "
            f"at points {wrong + 1} and {wrong + 2}; export one range, sorted"
        )
    size = np.abs(step)
    leap = size[1:] / size[:-1]
    if (np.maximum(leap, 1 / leap) > 20).any():
        at = int(np.argmax(np.maximum(leap, 1 / leap)))
        raise ConditioningError(
            f"{name}: axis: expected one scale, found steps of {size[at]:.3g} "
            f"beside {size[at + 1]:.3g} at "
            f"{x[at + 1]:g}: two units or two ranges in one column"
        )
    if signal.axis_unit == "nm":
        if x.min() in (0, 1) and np.all(size == 1):
            raise ConditioningError(
                f"{name}: axis: expected nm, found the point numbers {x.min():g} to {x.max():g}; "
                "export with the wavelength calibration"
            )
        if x.min() < AXES_NM[0] or x.max() > AXES_NM[1]:
            raise ConditioningError(
                f"{name}: axis: expected nm between {AXES_NM[0]:g} and {AXES_NM[1]:g}, "
                f"found {x.min():g} to {x.max():g}"
            )
    said = f"{x.size} points from {x.min():g} to {x.max():g} {signal.axis_unit}"
    if step[0] > 0:
        return signal, said, ()
    return signal.taken(slice(None, None, -1)), said + ", turned to rise", ()


def saturation(signal: Signal, companions: Mapping[str, Signal], ceiling: float | None = None):
    """Points at the converter's ceiling are lost, and with them their spectrum.

    A ceiling is: the one given; the largest count of a converter of 10 bits or more, reached twice
    (that of one of 8 bits a dim maximum often is); a maximum that three neighbouring points share,
    unless it is round to the digits that were written, or three spectra, well above the noise.

    Parameters
    ----------
    signal : Signal
    companions : mapping of str to Signal
        Not used.
    ceiling : float, optional
        In the unit of the values.

    Returns
    -------
    Signal, str, tuple of Finding
        With the saturated spectra set aside; what was found; each of them, withheld.
    """
    y = np.where(signal.good, signal.values, -np.inf)
    top = y.max(axis=1)
    at_top = y >= top[:, None]
    run = at_top[:, 2:] & at_top[:, 1:-1] & at_top[:, :-2]
    known = np.where(signal.good, signal.values, 0.0)
    middle, low = np.quantile(known, (0.5, 0.1), axis=1)
    # Equal counts in noise are no ceiling; a background that falls is no noise.
    noise = 1.28 * np.median(white_deviation(known), axis=1)
    clear = top > middle + 12 * np.minimum(middle - low, noise)
    for row in np.flatnonzero(clear & run.any(axis=1)):
        run[row] &= not (_round_top(y[row]) or _repeated(y[row]))
    full = clear & (
        run.any(axis=1) | (np.isin(top, CEILINGS) & (np.count_nonzero(at_top, axis=1) > 1))
    )
    shared, times = np.unique(top[clear], return_counts=True)
    if times.size and times[-1] > 2:
        full |= clear & (top == shared[-1])
    if ceiling is not None:
        full |= top >= ceiling
    if not full.any():
        height = f"{top[np.isfinite(top)].max():.6g}" if np.isfinite(top).any() else "nothing"
        return signal, f"none; the largest value is {height} {signal.unit}", ()
    findings = tuple(
        Finding(
            "undamaged",
            "withheld",
            f"{np.count_nonzero(at_top[row])} points at the ceiling "
            f"{top[row]:.6g} {signal.unit}: saturated",
            signal.label(row),
        )
        for row in np.flatnonzero(full)
    )
    said = f"{full.sum()} of {len(top)} spectra saturated: {_few([f.where for f in findings])}"
    return signal.without(full), said, findings


def _round_top(y: np.ndarray) -> bool:
    """Whether a maximum is flat because few digits were written: the next digit holds more points
    than a ceiling leaves."""
    values, count = np.unique(y[np.isfinite(y)], return_counts=True)
    step = np.diff(values)
    digit = np.min(step[step > 1e-9 * np.abs(values).max()], initial=np.inf)
    return bool(step[-1] < 1.5 * digit and count[-2:].sum() > ROUND * count[-1])


def _repeated(y: np.ndarray) -> bool:
    """Whether points of a band are written more than once each, so that a maximum that neighbours
    share is no ceiling: as many as that share a value on its flanks."""
    values = y[np.isfinite(y)]
    low, top = values.min(), values.max()
    ends = np.flatnonzero(np.diff(values, prepend=np.nan, append=np.nan) != 0)
    size, height = np.diff(ends), values[ends[:-1]]
    flank = size[(height > low + 0.1 * (top - low)) & (height < top)]
    return bool(flank.size and np.quantile(flank, 0.75) >= size[height == top].max())


def missing(signal: Signal, companions: Mapping[str, Signal]):
    """Cells without a value lie on a cubic through their neighbours; where none has one the axis
    ends.

    Mode "missing cells" is half of what that cubic differs from a line by: nothing in noise or on a
    slope, a part of the maximum where a line of few points has lost its own. A spectrum that lacks
    more than `GAPS` of its cells is set aside.

    Parameters
    ----------
    signal : Signal
    companions : mapping of str to Signal
        Not used.

    Returns
    -------
    Signal, str, tuple of Finding
        With the cells filled and not good; what was done; each spectrum set aside, withheld.
    """
    known = np.isfinite(signal.values)
    aside = {finding.where for finding in signal.findings}
    empty = np.array(
        [not k.any() and signal.label(row) not in aside for row, k in enumerate(known)]
    )
    lost = ~known & (signal.used | empty)[:, None]
    if not lost.any():
        return signal, "no cell without a value", ()
    inside = known.any(axis=0) | empty.all()
    span = slice(int(inside.argmax()), inside.size - int(inside[::-1].argmax()))
    lost = lost[:, span]
    signal = signal.taken(span)
    share = lost.mean(axis=1)
    many = share > GAPS
    filled = lost & ~many[:, None]
    values, leaning = replace_points(signal.values, filled, 3)
    mode = 0.5 * np.where(filled, values - replace_points(signal.values, filled)[0], 0.0)
    findings = tuple(
        Finding(
            "undamaged",
            "withheld",
            f"{share[row]:.0%} of the cells hold no value, {GAPS:.0%} allowed",
            signal.label(row),
        )
        for row in np.flatnonzero(many)
    )
    out = replace(
        signal, values=values, good=signal.good & ~lost, leanings=(*signal.leanings, leaning),
        modes=np.concatenate([signal.modes, mode[None]]),
        mode_names=(*signal.mode_names, "missing cells"),
    )  # fmt: skip
    said = f"{np.count_nonzero(lost)} cells without a value in {np.count_nonzero(share)} spectra"
    return out.without(many), said + ": on a cubic through their neighbours", findings


def dark(signal: Signal, companions: Mapping[str, Signal]):
    """Companion "dark" subtracted, its mean where it holds several, scaled by integration time
    where both are known.

    Parameters
    ----------
    signal : Signal
    companions : mapping of str to Signal
        "dark": spectra without light on the signal's axis, which may reach further; without it
        nothing is done.

    Returns
    -------
    Signal, str, tuple of Finding
        Less the dark; what was done; doubtful where the integration time of only one is known.

    Raises
    ------
    ConditioningError
        If the axis of the dark is none, or not that of the signal.
    """
    if "dark" not in companions:
        return signal, "no dark file", ()
    other, *_ = axis(companions["dark"], {})
    other, *_ = missing(other, {})
    close = 0.1 * np.diff(signal.axis).min()
    within = (other.axis > signal.axis[0] - close) & (other.axis < signal.axis[-1] + close)
    found = other.axis[within]
    if found.shape != signal.axis.shape or not np.allclose(found, signal.axis, atol=close):
        raise ConditioningError(
            f"{other.source or 'dark'}: expected the axis of the signal "
            f"({signal.axis.size} points from "
            f"{signal.axis[0]:g}), found {other.axis.size} points from {other.axis[0]:g}"
        )
    n, findings, scale = len(other.values), [], 1.0
    if signal.exposure_ms and other.exposure_ms:
        scale = signal.exposure_ms / other.exposure_ms
    elif signal.exposure_ms or other.exposure_ms:
        evidence = "integration time known of one of signal and dark only: dark subtracted as it is"
        findings.append(Finding("assumed", "doubtful", evidence, other.source))
    mean = scale * other.values.mean(axis=0)[within]
    variance = signal.variance
    if variance is not None:
        if other.variance is not None:
            own = other.variance.mean(axis=0)[within] / n
        elif n > 1:  # its pattern is none of its noise
            own = other.values.var(axis=0, ddof=1).mean() / n
        else:
            own = estimate_noise(other.values).read[0]
        variance = variance + scale**2 * own
    said = f"{n} dark spectra, mean {mean.mean():.4g} {signal.unit}, times {scale:.4g}, subtracted"
    return replace(signal, values=signal.values - mean, variance=variance), said, tuple(findings)


def _scaled(signal: Signal, factor: np.ndarray | float, unit: str) -> Signal:
    variance, independent = (
        None if part is None else part * np.square(factor)
        for part in (signal.variance, signal.independent)
    )
    return replace(
        signal,
        values=signal.values * factor,
        unit=unit,
        variance=variance,
        independent=independent,
        modes=signal.modes * factor,
        fitted=signal.fitted * factor,
    )


def scale(
    signal: Signal,
    companions: Mapping[str, Signal],
    integration_ms: float | None = None,
    filter_transmission: float | None = None,
):
    """Divided by integration time and filter transmission (a fraction), so that spectra can be
    compared.

    Parameters
    ----------
    signal : Signal
    companions : mapping of str to Signal
        Not used.
    integration_ms : float, optional
        Above 0, ms.
    filter_transmission : float, optional
        Above 0, at most 1.

    Returns
    -------
    Signal, str, tuple of Finding
        Scaled with its errors, in `unit` ms⁻¹ where divided by time; what was done; nothing.

    Raises
    ------
    ConditioningError
        If a divisor is out of its range.
    """
    divisor, said, unit = 1.0, [], signal.unit
    if integration_ms is not None:
        if not integration_ms > 0:
            raise ConditioningError(f"integration_ms: expected above zero, found {integration_ms}")
        divisor, unit = divisor * integration_ms, f"{unit} ms⁻¹"
        said.append(f"divided by {integration_ms:g} ms")
    if filter_transmission is not None:
        if not 0 < filter_transmission <= 1:
            raise ConditioningError(
                f"filter_transmission: expected a fraction from 0 to 1, found {filter_transmission}"
            )
        divisor *= filter_transmission
        said.append(f"divided by the filter's transmission {filter_transmission:g}")
    return _scaled(signal, 1 / divisor, unit), " and ".join(said) or "nothing to scale by", ()


def _regions(x, excitation_nm, width_nm, edges):
    """Masks (name, low, high) of a laser, its second order, and what filters cut."""
    out = []
    if excitation_nm is not None:
        half = 0.5 * width_nm
        out.append(("laser", excitation_nm - half, excitation_nm + half))
        out.append(("second order", 2 * excitation_nm - 2 * half, 2 * excitation_nm + 2 * half))
    out += [("filter edge", *edge) for edge in edges]
    return [r for r in out if r[1] < x[-1] and r[2] > x[0]]


#: Lines of mercury in fluorescent tubes, the yellow pair as one, in nm (NIST Atomic Spectra
#: Database, doi:10.18434/T4W30F).
LAMP_NM = (404.66, 435.83, 546.07, 578.0)
LINE_NM = 6.0  #: half of what a line of a lamp may cover, slit and scale included


def _lamp_lines(x, values, sd, taken):
    """Lines of room light (name, low, high) in the mean of the spectra, out of any wider band.

    One stands six errors above the mean of what is 6 to 10 nm beside it, and makes up most of
    what is there above the darkest tenth of the spectrum, as no flank or top of a band does.
    """
    mean = values.mean(axis=0)
    error = float(np.sqrt(np.mean(sd**2) / len(values)))
    floor = np.percentile(mean, 10)
    for line in LAMP_NM:
        at = x - line
        beside = [(side * at >= LINE_NM) & (side * at <= LINE_NM + 4) for side in (-1, 1)]
        near = np.abs(at) <= 2
        if not near.any() or min(b.sum() for b in beside) < 2 or (taken & near).any():
            continue
        top = mean[near].max()
        rise = top - np.mean([mean[b].mean() for b in beside])
        if rise > 6 * error and rise > 0.6 * (top - floor):
            yield "room light", line - LINE_NM, line + LINE_NM


def cosmic(
    signal: Signal,
    companions: Mapping[str, Signal],
    threshold: float = 6.0,
    width: int = 3,
    excitation_nm: float | None = None,
    laser_width_nm: float = 10.0,
):
    """Cosmic rays replaced by the line between their neighbours (see `find_spikes`); laser lines
    stay.

    Parameters
    ----------
    signal : Signal
    companions : mapping of str to Signal
        Not used.
    threshold : float
        Height of a spike above its surroundings, in standard deviations of a point.
    width : int
        Longest spike, in points.
    excitation_nm : float, optional
        Of the laser, nm.
    laser_width_nm : float
        Full width about the laser where spikes are left alone, nm; twice that about its second
        order.

    Returns
    -------
    Signal, str, tuple of Finding
        With the points replaced and not good; what was done; nothing.
    """
    keep = np.zeros(signal.axis.size, bool)
    for _, low, high in _regions(signal.axis, excitation_nm, laser_width_nm, ()):
        keep |= (signal.axis >= low) & (signal.axis <= high)
    spikes = find_spikes(signal.values, threshold=threshold, width=width, keep=keep)
    count = int(spikes.sum())
    if not count:
        return signal, f"none above {threshold:g} standard deviations", ()
    rows, columns = np.nonzero(spikes)
    places = [
        f"{signal.axis[c]:.5g} {signal.axis_unit} of {signal.label(r)}"
        for r, c in zip(rows[:5], columns[:5])
    ]
    said = f"{count} points in {np.unique(rows).size} of {len(spikes)} spectra: {_few(places)}"
    values, leaning = replace_points(signal.values, spikes)
    leanings = (*signal.leanings, leaning)
    return replace(signal, values=values, good=signal.good & ~spikes, leanings=leanings), said, ()


def mask(
    signal: Signal,
    companions: Mapping[str, Signal],
    excitation_nm: float | None = None,
    laser_width_nm: float = 10.0,
    edges: tuple[tuple[float, float], ...] = (),
    room_light: bool = False,
):
    """Laser line, its second order and filter edges, and on request lines of room light, taken out:
    replaced by the line between their ends.

    The line is drawn between the means of five points at either end; what it may be wrong by, the
    error of those means and a quarter of the difference between them, becomes the mode "mask".

    Parameters
    ----------
    signal : Signal
    companions : mapping of str to Signal
        Not used.
    excitation_nm : float, optional
        Of the laser, nm.
    laser_width_nm : float
        Full width taken out about the laser, nm; twice that about its second order.
    edges : tuple of (float, float)
        Ranges (low, high) that filters cut, in the unit of the axis.
    room_light : bool
        Whether lines of mercury are looked for.

    Returns
    -------
    Signal, str, tuple of Finding
        With the points replaced and not good; what was done; nothing.
    """
    x, values, good = signal.axis, signal.values.copy(), signal.good.copy()
    mode, said = np.zeros_like(values), []
    sd = np.sqrt(estimate_noise(signal.finite, x).read)
    regions = _regions(x, excitation_nm, laser_width_nm, edges)
    taken = np.zeros(x.size, bool)
    for _, low, high in regions:
        taken |= (x >= low) & (x <= high)
    if room_light:
        regions += _lamp_lines(x, signal.finite, sd, taken)
    for name, low, high in regions:
        inside = (x >= low) & (x <= high)
        first, last = np.searchsorted(x, (low, high))
        ends = [p for p in (slice(max(first - 5, 0), first), slice(last, last + 5))]
        ends = [p for p in ends if x[p].size]
        if not inside.any() or not ends:
            continue
        level = np.array([values[:, p].mean(axis=1) for p in ends])
        place = [x[p].mean() for p in ends]
        share = np.interp(x[inside], place, np.arange(len(ends)))[None]
        values[:, inside] = level[:1].T * (1 - share) + level[-1:].T * share
        wrong = np.hypot(sd / np.sqrt(5 * len(ends)), 0.25 * np.abs(level[-1] - level[0]))
        mode[:, inside] = wrong[:, None]
        good[:, inside] = False
        said.append(f"{name} {low:g} to {high:g} {signal.axis_unit}")
    if not said:
        return signal, "nothing to mask on this axis", ()
    modes = np.concatenate([signal.modes, mode[None]])
    names = (*signal.mode_names, "mask")
    return (
        replace(signal, values=values, good=good, modes=modes, mode_names=names),
        "replaced by a line: " + ", ".join(said),
        (),
    )


def lines(signal: Signal, companions: Mapping[str, Signal], within_nm: tuple[float, float]):
    """Lines that are narrow against the band that they stand on, taken out: replaced by a quartic
    through what is beside them.

    A line stands 8 standard errors and a twentieth above that quartic, which leaves out a seventh
    of the band's width on either side, `LINE_NM` at most, and has fallen to a tenth there. Mode
    "line" is the error of the quartic.

    Parameters
    ----------
    signal : Signal
    companions : mapping of str to Signal
        Not used.
    within_nm : (float, float)
        (low, high), in the unit of the axis: where the band is.

    Returns
    -------
    Signal, str, tuple of Finding
        With the points replaced and not good; what was done; each line, doubtful unless it is one
        of `LAMP_NM`.
    """
    x, values, good = signal.axis, signal.finite.copy(), signal.good.copy()
    part = (x >= within_nm[0]) & (x <= within_nm[1])
    mode, findings = np.zeros_like(values), []
    for row in np.flatnonzero(signal.used):
        for at, width, times, hole, error in _narrow(x, values[row], part):
            lamp = np.min(np.abs(np.array(LAMP_NM) - at)) < 1.5
            said = (
                f"a line {width:.2g} {signal.axis_unit} wide at {at:.1f} {signal.axis_unit}, "
                f"{times:.2g} times the band under it, is taken out of the band"
            )
            said += (
                " (mercury)" if lamp else "; if it is no laser and no lamp but emission, name it "
                "alone in emission_band_nm"
            )  # fmt: skip
            status = "reported" if lamp else "doubtful"
            findings.append(Finding("undamaged", status, said, signal.label(row)))
            mode[row, hole], good[row, hole] = error, False
    if not findings:
        return signal, "no line on the band", ()
    out = replace(
        signal, values=np.where(good | ~signal.good, signal.values, values), good=good,
        modes=np.concatenate([signal.modes, mode[None]]), mode_names=(*signal.mode_names, "line"),
    )  # fmt: skip
    return out, "; ".join(f.evidence for f in findings), tuple(findings)


def _narrow(x, y, part):
    """Lines on the band in a part (n,) of a spectrum, taken out of it (in place): place, width,
    height over the band, where (a slice) and the error of what is there now."""
    step = float(np.median(np.diff(x)))
    smooth = median_filter(y, max(round(2.5 * LINE_NM / step) | 1, 3), mode="nearest")
    floor = smooth.min()
    width = np.count_nonzero(smooth[part] - floor > 0.5 * np.ptp(smooth[part]))
    size = max(round(min(LINE_NM / step, width / 7)), 3)
    reach, at = 3 * size, np.arange(-3 * size, 3 * size + 1) / size
    beside = np.abs(at) > 1
    powers = np.vander(at, 5, increasing=True)
    through = powers @ np.linalg.pinv(powers[beside])  # of the points beside, at all
    centre = np.zeros(at.size)
    centre[beside] = through[reach]
    noise = np.pad(third_differences(y), (1, 2), mode="edge")
    noise = median_filter(noise, 2 * reach + 1, mode="nearest")
    error, tried = np.linalg.norm(centre), ~part
    tried[:reach] = tried[-reach:] = True
    while not tried.all():
        band = np.convolve(y, centre[::-1], mode="same")
        over = np.where(tried, 0.0, y - band)
        top = int(np.argmax(over))
        if not over[top] > max(8 * np.hypot(error, 1) * noise[top], 0.05 * (band[top] - floor)):
            break
        tried[top - size // 2 : top + size // 2 + 1] = True
        near = slice(top - reach, top + reach + 1)
        fit = through @ y[near][beside]
        excess = (y[near] - fit)[~beside]
        if max(excess[:2].max(), excess[-2:].max()) > 0.1 * over[top] + 3 * noise[top]:
            continue
        hole = slice(top - size, top + size + 1)
        y[hole] = fit[~beside]
        wide = np.count_nonzero(excess > 0.5 * over[top]) * step
        times = over[top] / max(band[top] - floor, noise[top])
        yield x[top], wide, times, hole, error * noise[top]


def absorbance(signal: Signal, companions: Mapping[str, Signal], unit: str | None = None):
    """A = -lg T (or -lg R): from the unit given, or found by consistency.

    Found: values up to some 100 that reach above 20 are per cent. Fractions and absorbances are
    alike and are asked for.

    Parameters
    ----------
    signal : Signal
    companions : mapping of str to Signal
        Not used.
    unit : str, optional
        Of the values: %T, T, %R, R, absorbance, OD or A.

    Returns
    -------
    Signal, str, tuple of Finding
        Absorbance, NaN where a fraction is not above zero; what was done; doubtful where the unit
        was found and not given.

    Raises
    ------
    ConditioningError
        If the unit is another, or is not given and the values do not tell.
    """
    given, words = unit, {"%T": 100.0, "%R": 100.0, "T": 1.0, "R": 1.0}
    findings = ()
    high = float(np.nanquantile(signal.values, 0.99))
    low = float(np.nanquantile(signal.values, 0.01))
    shares = 20 < high <= 125 and low > -5
    says = f"{signal.source or 'signal'}: value_unit: expected "
    band, clear = _shape(np.nanmedian(signal.values, axis=0))
    emitted = "; if this band that falls to both ends is of an emission, write pl into the column "
    emitted = f"{emitted}measurement, else" if band else ";"
    if unit is None and shares and not band:
        unit = "%T"
        evidence = f"values from {low:.3g} to {high:.3g}: taken for per cent transmitted"
        findings = (Finding("assumed", "doubtful", evidence, signal.source),)
    if unit in ("absorbance", "OD", "A"):
        if high > ABSORBED and (band or clear):
            meant = "write %T (per cent are such values)" if shares else "say what they are"
            raise ConditioningError(
                f"{says}absorbances, below {ABSORBED:g}, found {low:.3g} to {high:.3g}{emitted} "
                f"{meant} in the column value_unit"
            )
        return replace(signal, unit="absorbance"), "absorbance as given", ()
    if unit not in words:
        raise ConditioningError(
            f"{says}one of %T, T, %R, R, absorbance, found {given!r} and values from {low:.3g} to "
            f"{high:.3g}, which do not tell{emitted} say it in the column value_unit"
        )
    fraction = signal.values / words[unit]
    lost = ~(fraction > 0)
    with np.errstate(all="ignore"):
        factor = np.where(lost, np.nan, -1 / (fraction * np.log(10) * words[unit]))
        values = np.where(lost, np.nan, -np.log10(fraction))
    out = replace(_scaled(signal, factor, "absorbance"), values=values, good=signal.good & ~lost)
    said = f"{unit} to absorbance"
    said += ", as given" if given else f", found: {findings[0].evidence}"
    if (lost & signal.good).any():
        said += f"; {np.count_nonzero(lost & signal.good)} points not above zero are lost"
    return out, said, findings


def _shape(values) -> tuple[bool, bool]:
    """Whether a spectrum (n,) is below a fifth of its rise at both of its ends, as a band; and
    highest to the red, as what a film lets through."""
    low, high = np.nanquantile(values, (0.01, 0.99))
    tenth = max(values.size // 10, 1)
    blue, red = (np.nanmedian(end) - low for end in (values[:tenth], values[-tenth:]))
    return max(blue, red) < 0.2 * (high - low), red > 0.5 * (high - low)


def noise(signal: Signal, companions: Mapping[str, Signal]):
    """Variance of the points from the spectra themselves, where no baseline is subtracted (see
    `estimate_noise`).

    Parameters
    ----------
    signal : Signal
    companions : mapping of str to Signal
        Not used.

    Returns
    -------
    Signal, str, tuple of Finding
        With variance and correlation, unless its variance was given; what was found; nothing.
    """
    if signal.variance is not None:
        return signal, "variance as given", ()
    region = free_region(signal.axis, signal.finite, signal.good)
    found = noise_in(region, signal.good)
    sd = np.sqrt(np.median(found.read))
    variance = found.variance(region.level)
    out = replace(
        signal, variance=variance, correlation=found.correlation, lumping=found.lumping,
        independent=found.independent(variance),
    )  # fmt: skip
    return out, f"{sd:.3g} {signal.unit} a point{_correlated(found)}", ()


def _correlated(found) -> str:
    if not found.correlation.size:
        return ""
    return (
        f", correlated over {found.correlation.size} points "
        f"(neighbours {found.correlation[0]:.2f}): "
        f"means are {np.sqrt(found.lumping):.2f} times as uncertain"
    )


def baseline(
    signal: Signal,
    companions: Mapping[str, Signal],
    order: int = 1,
    region_nm: tuple[float, float] | None = None,
    band_nm: tuple[float, float] | None = None,
    signal_nm: tuple[tuple[float, float], ...] = (),
):
    """A constant (order 0) or a line (1) from where there is statistically no signal, and what it
    may be wrong by; from `region_nm` (low, high) where somebody has said that it is free of it, and
    from all beside `signal_nm` where other spectra have shown where it is.
    With `band_nm`, spectra whose tails leave too little free have it from what is outside and more
    than `FAR` widths from the band's maximum; where that is too little too, from none to all of the
    lowest that is seen.

    Modes "offset" and "slope" hold the noise of the estimate, under the band; where the baseline
    was fitted the noise that went into it is taken out of the counting error instead
    (`Signal.fitted`). Mode "baseline model" is what a line cannot promise: beyond the last free
    point of a band that has free points on one side only, the line may go on or stop; and where
    blocks of the free region scatter more than their noise, that excess.

    Parameters
    ----------
    signal : Signal
    companions : mapping of str to Signal
        Not used.
    order : {0, 1}
    region_nm, band_nm : (float, float), optional
        (low, high), in the unit of the axis.
    signal_nm : tuple of (float, float)
        Where other spectra have shown signal.

    Returns
    -------
    Signal, str, tuple of Finding
        Less its baseline, with variance and modes; what was done; spectra with too few free points,
        withheld, or with `band_nm` doubtful; structure where there should be none, doubtful; 1/f
        noise, reported.

    Raises
    ------
    ConditioningError
        If `order` is another.
    """
    if order not in (0, 1):
        raise ConditioningError(f"baseline: order: expected 0 or 1, found {order!r}")
    least = max(LEAST_FREE, TAIL * signal.axis.size)
    region, found = _free_of_signal(signal, region_nm, band_nm, signal_nm, least)
    enough = region.count >= least
    line = region.slope[:, None] * (region.t - region.centre[:, None])
    level = region.level if order else region.level + line
    variance, independent = signal.variance, signal.independent
    fast, slow = found, np.empty((0, *level.shape))
    if variance is None:
        fast, slow = slow_in(region, found)
        variance = fast.variance(level)
        independent = fast.independent(variance)
    own = signal.variance is None
    lumping = found.lumping if own else 1.0
    free_variance = found.read if own else _mean(variance, region.free)
    of_line = fast.lumping * fast.read if own else free_variance
    offset_sd = np.sqrt(of_line / np.maximum(region.count, 1))
    poor = ~enough & signal.used
    if band_nm is not None:
        offset_sd = np.where(poor, np.abs(region.offset) / np.sqrt(3), offset_sd)
    slope_sd = np.where(enough, np.sqrt(of_line / region.spread), 0.0)
    shapes = [np.broadcast_to(offset_sd[:, None], level.shape)]
    if order:
        shapes.append(slope_sd[:, None] * (region.t - region.centre[:, None]))
    noise_of_wings = of_line + _of_a_wave(slow, region.free)
    within = None if band_nm is None else _inside(signal.axis, band_nm)
    under, wings, taken = _wings(region, level, signal.good, noise_of_wings, order, within)
    level = level + under
    # Slow waves are carried along as they are: of them the fit has taken nothing out.
    taken *= np.sqrt(of_line / np.maximum(noise_of_wings, 1e-300))[:, None]
    model, findings = _model_error(signal, region, slope_sd, free_variance * lumping, order)
    covered = ~region.free
    values = np.where(np.isfinite(signal.values), level, np.nan)
    out = replace(
        signal,
        values=values,
        variance=variance,
        independent=independent,
        correlation=fast.correlation if own else signal.correlation,
        lumping=found.lumping if own else signal.lumping,
        modes=np.concatenate(
            [
                signal.modes,
                np.stack([s * covered for s in shapes]),
                model[None],
                wings,
                slow,
            ]
        ),
        mode_names=(
            *signal.mode_names,
            *("offset", "slope")[: order + 1],
            "baseline model",
            *["wings"] * len(wings),
            *["1/f noise"] * len(slow),
        ),
        fitted=np.concatenate([signal.fitted, np.stack([s * region.free for s in shapes]), taken]),
    )
    if len(slow):
        findings += (_flicker(signal),)
    if band_nm is not None:
        findings += tuple(_nowhere_free(signal, region, row) for row in np.flatnonzero(poor))
        return out, _line_said(signal, region, found, offset_sd, order), findings
    findings += tuple(_too_few(signal, region, row, least) for row in np.flatnonzero(poor))
    return out.without(poor), _line_said(signal, region, found, offset_sd, order), findings


def _free_of_signal(signal: Signal, region_nm, band_nm, signal_nm, least: float):
    """The region that a baseline goes through, and the noise in what is free of signal."""
    x = signal.axis
    # Points that a step has replaced are no evidence of the baseline, and still stand on it.
    values = signal.finite
    if region_nm is None and not signal_nm:
        region = free_region(x, values, signal.good)
    else:
        low, high = region_nm or (x[0], x[-1])
        inside = (x >= low) & (x <= high)
        for low, high in signal_nm:
            inside &= (x < low) | (x > high)
        region = stated_region(x, values, signal.good & inside)
    found = noise_in(region, signal.good)  # tails outside a band are no noise
    if band_nm is not None and (tight := region.count < least).any():
        within = _inside(x, band_nm)
        outside = signal.good & ~within & _far(values, within)
        region = stated_region(x, values, np.where(tight[:, None], outside, region.free))
        if (lost := region.count < least).any():
            region = _anywhere(region, values, lost)
    return region, found


def _inside(x, band):
    return (x >= band[0]) & (x <= band[1])


def _far(values, within):
    """Where (n, n_x) the wings of a band, the strongest of what is `within` (n_x,), have fallen:
    `FAR` widths from its maximum."""
    smooth = uniform_filter1d(values, 9, axis=1, mode="nearest")
    seen = np.where(within, smooth, -np.inf)
    level = 0.5 * (seen.max(axis=1) + smooth.min(axis=1))[:, None]
    width = np.count_nonzero(seen > level, axis=1)[:, None]
    return np.abs(np.arange(values.shape[1]) - seen.argmax(axis=1)[:, None]) > FAR * width


def _anywhere(region, values, lost):
    """Spectra of which nothing is free, on a constant from none to all of their lowest block."""
    mean, number, _ = block_means(values[lost], np.isfinite(values[lost]))
    low = 0.5 * np.where(number > 3, mean, np.inf).min(axis=1)
    parts = {name: getattr(region, name).copy() for name in ("offset", "slope", "level", "free")}
    parts["offset"][lost], parts["slope"][lost], parts["free"][lost] = low, 0.0, False
    parts["level"][lost] = values[lost] - low[:, None]
    return region._replace(**parts, count=parts["free"].sum(axis=1).astype(float))


def _too_few(signal: Signal, region, row: int, least: float) -> Finding:
    said = (
        f"{region.count[row]:.0f} of {signal.axis.size} points lie on one line within their noise, "
        f"{least:.0f} needed for a baseline: all others are signal, or noise that wanders; "
        "measure a wider range"
    )
    return Finding("undamaged", "withheld", said, signal.label(row))


def _nowhere_free(signal: Signal, region, row: int) -> Finding:
    said = (
        "light is all over the axis, and no part of it tells the detector's constant: taken for "
        f"{with_error(region.offset[row], abs(region.offset[row]) / np.sqrt(3))} {signal.unit}, "
        "from none to all of the lowest that is seen; measure a wider range, or subtract a dark"
    )
    return Finding(UNFREE, "doubtful", said, signal.label(row))


def _line_said(signal: Signal, region, found, offset_sd, order: int) -> str:
    share = np.median(region.count) / signal.axis.size
    return (
        f"{('constant', 'line')[order]} from {share:.0%} of the points: offset "
        f"{with_error(np.median(region.offset), np.median(offset_sd))} {signal.unit}"
        + (f", rise over the axis {2 * np.median(region.slope):.3g}" if order else "")
        + f"; noise {np.sqrt(np.median(found.read)):.3g} a point{_correlated(found)}"
    )


def _flicker(signal: Signal) -> Finding:
    """That noise was taken for 1/f noise."""
    said = "the noise without signal wanders as 1/f noise does: carried along as slow waves"
    return Finding("described", "reported", said, signal.source)


def _of_a_wave(slow, free):
    """Variance (n,) of slow curves (m, n, n_x) in units of their independent parts, as that of a
    point is of white noise: tr C²/tr C where there is no signal."""
    if not len(slow):
        return 0.0
    curves = np.moveaxis(slow * free, 1, 0)
    products = curves @ curves.transpose(0, 2, 1)
    whole = np.einsum("nkk->n", products)
    return np.einsum("nkl,nkl->n", products, products) / np.maximum(whole, 1e-300)


def _wings(region, level, good, point_variance, order, within=None):
    """As `_wings_of`, some rows at a time: arrays that stay in the cache are twice as fast."""
    parts = []
    for rows in (slice(i, i + 48) for i in range(0, len(level), 48)):
        some = region._replace(
            free=region.free[rows], count=region.count[rows], centre=region.centre[rows],
            spread=region.spread[rows],
        )  # fmt: skip
        parts.append(_wings_of(some, level[rows], good[rows], point_variance[rows], order, within))
    under, modes, fitted = zip(*parts)
    return np.concatenate(under), *(np.concatenate(part, axis=1) for part in (modes, fitted))


def _wings_of(region, level, good, point_variance, order, within=None):
    """What wings of the band, small everywhere, have added to its baseline (n, n_x), modes
    (k, n, n_x) of its error, and what that takes out of the noise (k, n, n_x; `fitted`).

    On each side of its maximum a share of the band's area in a Lorentzian of its width is fitted to
    the spectrum where it seems free of signal and where it is `FAR` from the maximum, beside a line
    of its own, together with what is known beforehand: 0 ± `WING_SHARE`. Of a band that is known to
    be `within` (n_x,) shares in exponentials of `LENGTHS` too. The baseline is lowered by what
    these shares had lifted it.
    Where far points scatter about them more than noise does the band has another wing there: those
    points count that much less, and what is known beforehand decides.
    """
    t, free = region.t, region.free.astype(float)
    y = np.where(np.isfinite(level), level, 0.0)
    smooth = uniform_filter1d(y, 9, axis=1, mode="nearest")
    inside = smooth if within is None else np.where(within, smooth, -np.inf)
    peak = inside.argmax(axis=1)
    height = np.maximum(smooth[np.arange(len(level)), peak], 0.0)
    above = inside > 0.5 * height[:, None]
    half = np.maximum(np.median(above.sum(axis=1)), 3) * 0.5 * abs(t[1] - t[0])
    away = t - t[peak][:, None]
    sides = np.stack([away <= 0, away > 0])
    own = good
    if within is not None:  # beyond its lowest point on either side the light may be another's
        lowest = [t[np.where(side, smooth, np.inf).argmin(axis=1)][:, None] for side in sides]
        own = good & (t >= lowest[0]) & (t <= lowest[1])
    seen = region.free | ((np.abs(away) > 2 * FAR * half) & own)
    area = np.maximum(np.where(seen | ~own, 0.0, smooth).sum(axis=1), 0.0)[:, None]
    area = area * abs(t[1] - t[0])
    wings, known = list(area * half / np.pi / (away**2 + half**2) * sides), [WING_SHARE] * 2
    for length, share in LENGTHS.items() if within is not None else ():
        fall = 2 * length * half
        wings += list(area * np.exp(-np.abs(away) / fall) / (2 * fall) * sides)
        known += [share] * 2
    wings, known = np.stack(wings), np.array(known)
    lines = np.stack([_through(t, wing, free, order) for wing in wings])
    noise = np.maximum(point_variance, 1e-300)
    share, *_ = _shares(t, wings, y, seen.astype(float), noise, order, known)
    left = y - (share * (wings - lines)).sum(axis=0)
    mean, number, starts = block_means(left, seen)
    full, size = number > 3, np.diff(starts, append=t.size)
    weight = np.zeros_like(y)
    for side in sides:
        here = full & (np.add.reduceat(side, starts, axis=1, dtype=int) > size / 2)
        chi2 = (mean**2 * number * here).sum(axis=1) / noise
        misfit = np.maximum(chi2 / np.maximum(here.sum(axis=1), 1), 1.0)
        weight += side * seen / misfit[:, None]
    share, root, rests = _shares(t, wings, y, weight, noise, order, known)
    # The noise that makes the shares err is in part that which makes the line err.
    rests -= np.stack([_through(t, rest, free, order) for rest in rests])
    modes, fitted = (np.einsum("nik,inx->knx", root, part) for part in (lines, rests))
    return (share * lines).sum(axis=0), modes + fitted, fitted


def _through(t, values, weight, order):
    """The line, or constant, through values (n, n_x) with their weights, everywhere."""
    centre, _, offset, slope = line_through(t, values, weight)
    return offset[:, None] + (slope[:, None] * (t - centre[:, None]) if order else 0.0)


def _shares(t, wings, y, weight, noise, order, known):
    """Shares (k, n, 1) of wings (k, n, n_x) in y (n, n_x) beside a line, with what is known
    beforehand, 0 ± `known` (k,); a root (n, k, k) of their covariance; what the points count in
    them (k, n, n_x).
    """
    rests = np.stack([weight * (wing - _through(t, wing, weight, order)) for wing in wings])
    normal = np.moveaxis([[np.einsum("ij,ij->i", a, b) for b in wings] for a in rests], 2, 0)
    right = np.einsum("kij,ij->ik", rests, y) / noise[:, None]
    covariance = np.linalg.inv(normal / noise[:, None, None] + np.diag(known**-2.0))
    share = np.einsum("ikl,il->ki", covariance, right)
    return share[..., None], np.linalg.cholesky(covariance), rests


def _mean(values, where):
    return np.einsum("ij,ij->i", values, where) / np.maximum(where.sum(axis=1), 1)


def _model_error(signal, region, slope_sd, point_variance, order):
    """Mode (n, n_x) of what a line cannot promise, and findings of structure in the free region.

    Beyond the last free point on one side a line may stop or go on (evenly between: its slope /
    sqrt 12), or bend as far as the free points allow (the error of a quadratic term there),
    whichever is less. A bend of `BEND` standard errors is taken for real, and so is what blocks
    scatter more than noise with p < 1e-5.
    """
    t, free = region.t, region.free
    a, b, bend_sd, bent = _bend(region, point_variance)
    first = t[free.argmax(axis=1)]
    last = t[t.size - 1 - free[:, ::-1].argmax(axis=1)]
    edge = TAIL * (t[-1] - t[0])  # a strip at the end of the axis is no side of its own
    one_sided = ((first - t[0] > edge) | (t[-1] - last > edge)) & free.any(axis=1)
    curved = (np.abs(bent) > BEND * bend_sd) & signal.used
    excess, findings = _structure(signal, region, point_variance, order)
    model = np.zeros_like(region.level)
    for row in np.flatnonzero(one_sided | curved):
        shape = np.abs(t**2 + a[row] * t + b[row])
        beyond = np.maximum(first[row] - t, 0) + np.maximum(t - last[row], 0)
        steep = np.hypot(region.slope[row], slope_sd[row]) / np.sqrt(12)
        model[row] = np.minimum(beyond * steep, np.where(beyond > 0, shape * bend_sd[row], 0.0))
        if curved[row]:
            model[row] = np.hypot(model[row], shape * bent[row])
            evidence = (
                f"without signal the spectrum is no line: it bends by "
                f"{with_error(bent[row], bend_sd[row])} {signal.unit} over half the axis; "
                "added to the baseline's error"
            )
            findings += (Finding("described", "doubtful", evidence, signal.label(row)),)
    if excess.any():
        model = np.hypot(model, excess[:, None])
    return model, findings


def _bend(region, point_variance):
    """A parabola t^2 + a t + b, orthogonal to a line on the free points; its coefficient there
    with its error, (n,) each.
    """
    t = region.t
    powers = np.column_stack([t**k for k in range(5)])
    m0, m1, m2, m3, m4 = (region.free.astype(float) @ powers).T
    m0 = np.maximum(m0, 1)
    a = (m1 * m2 / m0 - m3) / np.maximum(m2 - m1**2 / m0, 1e-12)
    b = -(m2 + a * m1) / m0
    square = np.maximum(m4 + a * m3 + b * m2, 1e-12)
    return (
        a,
        b,
        np.sqrt(point_variance / square),
        np.where(region.free, region.level, 0.0) @ powers[:, 2] / square,
    )


def _structure(signal, region, variance, order):
    """What blocks of the free region scatter more than noise does, and the findings where that
    is certain.
    """
    residual = region.level
    if not order:
        residual = residual + region.slope[:, None] * (region.t - region.centre[:, None])
    mean, count, _ = block_means(residual, region.free)
    full = count > 3
    chi2 = (np.where(full, mean**2 * count, 0.0)).sum(axis=1) / np.maximum(variance, 1e-300)
    freedom = np.maximum(full.sum(axis=1) - 1 - order, 1)
    certain = (stats.chi2.sf(chi2, freedom) < 1e-5) & signal.used
    typical = np.maximum(count.sum(axis=1) / np.maximum(full.sum(axis=1), 1), 1)
    over = np.where(certain, np.maximum(chi2 / freedom - 1, 0.0), 0.0)
    excess = np.sqrt(over * variance / typical)
    findings = tuple(
        Finding(
            "described",
            "doubtful",
            f"without signal the spectrum is no {('constant', 'line')[order]}: its blocks scatter "
            f"{np.sqrt(chi2[row] / freedom[row]):.1f} times as much as noise; {excess[row]:.2g} "
            f"{signal.unit} added to the baseline's error",
            signal.label(row),
        )
        for row in np.flatnonzero(certain)
    )
    return excess, findings


def signal_(signal: Signal, companions: Mapping[str, Signal], false_alarm: float = FALSE_ALARM):
    """Spectra without a band are set aside, at a stated rate of false alarms (see `find_band`).

    Parameters
    ----------
    signal : Signal
        Less its baseline.
    companions : mapping of str to Signal
        Not used.
    false_alarm : float
        Share of spectra without light that pass, 0 to 1.

    Returns
    -------
    Signal, str, tuple of Finding
        With a band in each spectrum left; what was done; each set aside, withheld.
    """
    found = find_band(signal.values, signal.good, lumping=signal.lumping, false_alarm=false_alarm)
    nothing = (found.significance < found.threshold) & signal.used
    findings = tuple(
        Finding(
            "signal",
            "withheld",
            f"no band: the strongest excess, at {signal.axis[found.index[row]]:.0f} "
            f"{signal.axis_unit}, is {found.significance[row]:.1f} standard errors; "
            "noise alone exceeds "
            f"{found.threshold:.1f} in {false_alarm:g} of spectra",
            signal.label(row),
        )
        for row in np.flatnonzero(nothing)
    )
    said = f"a band in {np.count_nonzero(signal.used & ~nothing)} of {len(nothing)} spectra"
    said += f"; none in {_few([f.where for f in findings])}" if findings else ""
    return signal.without(nothing), said, findings


def whole(signal: Signal, companions: Mapping[str, Signal], edge: float = 0.05):
    """Spectra whose band an end of the axis cuts are set aside: at most `edge` of the maximum
    may be left there.

    Parameters
    ----------
    signal : Signal
        Less its baseline.
    companions : mapping of str to Signal
        Not used.
    edge : float
        Of the maximum, 0 to 1.

    Returns
    -------
    Signal, str, tuple of Finding
        With whole bands; what was done; each spectrum set aside, withheld.
    """
    few = max(5, signal.axis.size // 50)
    values = np.where(np.isfinite(signal.values), signal.values, 0.0)
    top = np.maximum(np.quantile(values, 1 - 2 / signal.axis.size, axis=1), 1e-300)
    findings, cut = (), np.zeros(len(values), bool)
    for end, part in ((signal.axis[0], slice(0, few)), (signal.axis[-1], slice(-few, None))):
        left = values[:, part].mean(axis=1)
        if signal.variance is not None:  # noise is no cut band
            left = left - 3 * np.sqrt(signal.variance[:, part].mean(axis=1) / few)
        found = (left > edge * top) & signal.used & ~cut
        cut |= found
        findings += tuple(
            Finding(
                "undamaged",
                "withheld",
                f"the axis cuts the band: {left[row] / top[row]:.0%} of the maximum is left at "
                f"{end:g} "
                f"{signal.axis_unit}, {edge:.0%} allowed; measure a wider range",
                signal.label(row),
            )
            for row in np.flatnonzero(found)
        )
    said = f"the axis cuts {np.count_nonzero(cut)} of {len(cut)} bands"
    return signal.without(cut), said, findings


STEPS: Mapping[str, Callable] = {
    "axis": axis,
    "saturation": saturation,
    "missing": missing,
    "dark": dark,
    "scale": scale,
    "cosmic": cosmic,
    "mask": mask,
    "lines": lines,
    "absorbance": absorbance,
    "noise": noise,
    "baseline": baseline,
    "signal": signal_,
    "whole": whole,
}
