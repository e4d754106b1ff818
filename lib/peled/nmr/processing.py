"""From a free induction decay to a phased spectrum whose noise is known at every point.

Everything done to the decay is linear: window, zero filling, Fourier transform, phase. White noise
of the digitiser therefore becomes noise with an autocovariance that follows from the window alone,
and every later estimate uses it. Apodised and zero-filled points are correlated; counting them as
independent makes errors 2 to 7 times too small.

Conventions: chemical shift ascending; S = 2 dt sum w_n x_n exp(-2 pi i k n / M), so that the area
of an absorption line over Hz is the signal's amplitude at time zero; phases in degrees, the
first-order one over the whole sweep width with its pivot at the receiver frequency.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.optimize import minimize, minimize_scalar
from scipy.signal import find_peaks

#: Of a processed spectrum, of whose scatter the noise is told.
LEAST_POINTS = 64


class PhaseError(ValueError):
    """A spectrum that automatic phasing cannot phase well enough to be used."""


@dataclass(frozen=True)
class Phase:
    """Zero- and first-order phase (degrees) and how good they are.

    Attributes
    ----------
    p0_deg, p1_deg : float
        Applied as exp(-i (p0 + p1 (f - carrier) / sweep width)).
    negative_fraction : float
        Area below the baseline (beyond three noise standard deviations) over all area, within the
        signals, each divided by the root of its height.
    spread_deg : float
        Scatter of the lines' own phases about p0 + p1 x (1.48 times the weighted median deviation).
    lines : int
        Lines that were used.
    accepted : bool
    aside : bool
        Whether the largest line has a phase of its own, as a solvent that was saturated, and was
        left out.
    sought : bool
        Whether it was sought, not given: fits of lines then leave it free.
    """

    p0_deg: float
    p1_deg: float
    negative_fraction: float = 0.0
    spread_deg: float = 0.0
    lines: int = 0
    accepted: bool = True
    aside: bool = False
    sought: bool = False


@dataclass(frozen=True)
class Processed:
    """A spectrum with the covariance of its noise.

    Attributes
    ----------
    ppm : ndarray, shape (M,)
        Chemical shift, ascending.
    values : ndarray, complex, shape (M,)
        Phased spectrum; `real` is the absorption part.
    autocovariance : ndarray, complex, shape (M // 2,)
        Of the noise: the real part of entry m is the covariance of `real` at points m apart.
    reference_MHz : float
        Frequency at 0 ppm: 1 ppm is this many Hz.
    spectral_width_Hz, carrier_ppm : float
    points : float
        Length of the decay in points from its time origin; 0 when not known (a spectrum that
        somebody else processed).
    line_broadening_Hz, gaussian_Hz : float
        Of the window: exp(-pi LB t) exp(-(pi GB t)^2 / (4 ln 2)).
    phase : Phase
    nucleus : str
    """

    ppm: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)
    autocovariance: np.ndarray = field(repr=False)
    reference_MHz: float
    spectral_width_Hz: float
    carrier_ppm: float
    points: float = 0.0
    line_broadening_Hz: float = 0.0
    gaussian_Hz: float = 0.0
    phase: Phase = Phase(0.0, 0.0)
    nucleus: str = ""
    notes: tuple[str, ...] = ()

    @property
    def real(self) -> np.ndarray:
        return self.values.real

    @property
    def noise_sd(self) -> float:
        """Standard deviation of one point of `real`."""
        return float(np.sqrt(self.autocovariance[0].real))

    @property
    def hz_per_point(self) -> float:
        return float((self.ppm[1] - self.ppm[0]) * self.reference_MHz)

    def window(self, low_ppm: float, high_ppm: float) -> slice:
        """Points between two shifts (in either order).

        Parameters
        ----------
        low_ppm, high_ppm : float

        Returns
        -------
        slice

        Raises
        ------
        ValueError
            If fewer than eight points lie inside.
        """
        low, high = sorted((low_ppm, high_ppm))
        a, b = np.searchsorted(self.ppm, [low, high])
        if b - a < 8:
            raise ValueError(
                f"window {low:g} to {high:g} ppm: expected at least 8 points of the spectrum "
                f"({self.ppm[0]:.2f} to {self.ppm[-1]:.2f} ppm), found {max(b - a, 0)}"
            )
        return slice(int(a), int(b))

    def covariance_of(self, operators: np.ndarray) -> np.ndarray:
        """Covariance of linear functionals of a stretch of points.

        Parameters
        ----------
        operators : ndarray, shape (points, functionals)

        Returns
        -------
        ndarray, shape (functionals, functionals)
            A^T C A with the Toeplitz covariance C of the noise.
        """
        n = len(operators)
        lags = self.autocovariance[:n].real
        ring = np.zeros(next_fast_len(2 * n, real=True))  # on which the matrix is circulant
        ring[: len(lags)], ring[len(ring) + 1 - len(lags) :] = lags, lags[:0:-1]
        moved = rfft(operators, len(ring), axis=0) * rfft(ring).real[:, None]
        return operators.T @ irfft(moved, len(ring), axis=0)[:n]

    def independent_points(self, count: int) -> float:
        """Number of independent noise values that `count` neighbouring points are worth.

        Parameters
        ----------
        count : int

        Returns
        -------
        float
        """
        lags = (
            self.autocovariance[: min(count, len(self.autocovariance))].real
            / self.autocovariance[0].real
        )
        weight = count - np.arange(len(lags))
        return float(count**2 / (count + 2 * np.sum(weight[1:] * lags[1:] ** 2)))

    def shifted(self, shift_ppm: float) -> Processed:
        """The same spectrum on a moved axis.

        Parameters
        ----------
        shift_ppm : float

        Returns
        -------
        Processed
        """
        return replace(self, ppm=self.ppm + shift_ppm, carrier_ppm=self.carrier_ppm + shift_ppm)

    def minus(self, baseline: np.ndarray) -> Processed:
        """The same spectrum less a real baseline.

        Parameters
        ----------
        baseline : ndarray, shape (points,)

        Returns
        -------
        Processed
        """
        return replace(self, values=self.values - baseline)


def process(
    fid,
    *,
    trace: int = 0,
    line_broadening_Hz: float = 0.0,
    gaussian_Hz: float = 0.0,
    zero_fill: int = 1,
    phase: tuple[float, float] | str | None = None,
    p1_deg: float | None = None,
    phase_window_ppm: tuple[float, float] | None = None,
    strict: bool = True,
) -> Processed:
    """Window, zero-fill, transform and phase one decay.

    Parameters
    ----------
    fid : peled.formats.nmr.Fid
    trace : int
        Row of an arrayed experiment.
    line_broadening_Hz, gaussian_Hz : float
        Window, see `Processed`. A negative line broadening with a Gaussian narrows lines.
    zero_fill : int
        Times that the length is doubled beyond the next power of two.
    phase : (p0, p1) in degrees, "auto", or None
    p1_deg : float, optional
        With "auto": a first-order phase that is known.
    phase_window_ppm : (low, high), optional
        With "auto": the lines to phase by.
    strict : bool
        Refuse a spectrum that cannot be phased.

    Returns
    -------
    Processed

    Raises
    ------
    PhaseError
        From "auto" with `strict`.
    ValueError
        For a decay too short, or one that is not finite.

    References
    ----------
    .. [1] R. R. Ernst and W. A. Anderson, Rev. Sci. Instrum. 37, 93 (1966), doi:10.1063/1.1719961
    """
    x = np.asarray(fid.data[trace], complex)
    if len(x) < 32 or len(x) <= fid.group_delay + 16:
        raise ValueError(
            f"{fid.path.name}: expected at least 32 complex points beyond the filter delay of "
            f"{fid.group_delay:g}, found {len(x)}"
        )
    if not np.isfinite(x).all() or not np.any(x):
        found = "NaN or infinite points" if np.any(x) else "zeros only"
        raise ValueError(f"{fid.path.name}: trace {trace}: expected a finite signal, found {found}")
    dwell, delay = fid.dwell_s, fid.group_delay
    time = (np.arange(len(x)) - delay) * dwell
    weight = np.exp(
        -np.pi * line_broadening_Hz * np.maximum(time, 0)
        - (np.pi * gaussian_Hz * np.maximum(time, 0)) ** 2 / (4 * np.log(2))
    )
    if delay == 0:
        # The transform of a decay from t = 0 counts its first point by half (trapezoid rule), else
        # the baseline is lifted.
        weight[0] *= 0.5
    size = 2 ** (int(np.ceil(np.log2(len(x)))) + zero_fill)
    offset = np.fft.fftshift(np.fft.fftfreq(size, dwell))
    values = (
        2
        * dwell
        * np.fft.fftshift(np.fft.fft(weight * x, size))
        * np.exp(2j * np.pi * offset * dwell * delay)
    )
    sigma = noise_of_decay(x, delay)
    shape = np.fft.fft(weight**2, size)[: size // 2] * np.exp(
        2j * np.pi * np.arange(size // 2) * delay / size
    )
    autocovariance = (2 * dwell * sigma) ** 2 * shape
    found = Processed(
        fid.carrier_ppm + offset / fid.reference_MHz,
        values,
        autocovariance,
        fid.reference_MHz,
        fid.spectral_width_Hz,
        fid.carrier_ppm,
        len(x) - delay,
        line_broadening_Hz,
        gaussian_Hz,
        Phase(0.0, 0.0),
        fid.nucleus,
        fid.notes,
    )
    if isinstance(phase, str):
        if phase != "auto":
            raise ValueError(f"phase: expected two angles, 'auto' or None, found {phase!r}")
        solution = autophase(found, p1_deg=p1_deg, window_ppm=phase_window_ppm)
        if strict and not solution.accepted:
            raise PhaseError(
                f"{fid.path.name}: automatic phasing: expected lines of one phase with less than "
                f"5 % of their area negative, found {solution.negative_fraction:.0%} negative, "
                f"{solution.spread_deg:.0f}° spread over {solution.lines} lines; "
                "give phase=(p0, p1)"
            )
        return without_roll(apply_phase(found, solution))
    return without_roll(apply_phase(found, Phase(*phase))) if phase is not None else found


def apply_phase(processed: Processed, phase: Phase) -> Processed:
    """Turn the phase of a spectrum. The noise keeps its variance; a first-order phase shifts its
    covariance in time.

    Parameters
    ----------
    processed : Processed
    phase : Phase

    Returns
    -------
    Processed

    References
    ----------
    .. [1] R. R. Ernst and W. A. Anderson, Rev. Sci. Instrum. 37, 93 (1966), doi:10.1063/1.1719961
    """
    x = _over_width(processed)
    values = processed.values * np.exp(-1j * np.deg2rad(phase.p0_deg + phase.p1_deg * x))
    turn = np.exp(
        -1j
        * np.deg2rad(phase.p1_deg)
        * np.arange(len(processed.autocovariance))
        / len(processed.ppm)
    )
    return replace(
        processed, values=values, autocovariance=processed.autocovariance * turn, phase=phase
    )


def noise_of_decay(decay: np.ndarray, group_delay: float = 0.0) -> float:
    """Standard deviation of the noise in each of the two components of a decay, robust against its
    signals.

    Taken in the frequency domain, where the unweighted, unfilled spectrum of N points has white
    noise: median absolute second difference of the quieter stretches of its central part (filters
    cut the edges).

    Parameters
    ----------
    decay : ndarray, complex, shape (points,)
    group_delay : float
        Points before the time origin.

    Returns
    -------
    float
        In the units of the decay.
    """
    n = len(decay)
    spectrum = np.fft.fftshift(np.fft.fft(decay)) / np.sqrt(n)
    spectrum = spectrum * np.exp(2j * np.pi * np.fft.fftshift(np.fft.fftfreq(n)) * group_delay)
    middle = spectrum[int(0.08 * n) : int(0.92 * n)]
    # Third differences remove the wings of strong lines; variance factor 20 (squares of 1, 3, 3,
    # 1).
    difference = np.diff(middle, 3) / np.sqrt(20)
    block = max(min(len(difference) // 24, 256), 16)
    rows = difference[: len(difference) // block * block].reshape(-1, block)
    level = np.median(np.abs(rows), axis=1)
    quiet = rows[level <= 1.25 * np.quantile(level, 0.2)]
    # |d| of complex Gaussian noise is Rayleigh: its median is sigma sqrt(2 ln 2). From the quiet
    # stretches the estimate starts low; all differences below 2.5 sigma, with the variance that
    # this cut takes away, make it consistent.
    sigma = float(np.median(np.abs(quiet)) / np.sqrt(2 * np.log(2)))
    squares, cut = np.abs(difference) ** 2, 2.5
    kept = 2 * (1 - (1 + cut**2 / 2) * np.exp(-(cut**2) / 2)) / (1 - np.exp(-(cut**2) / 2))
    for _ in range(60):
        inside = squares[squares < (cut * sigma) ** 2]
        if len(inside) < 32:
            break
        new = float(np.sqrt(inside.mean() / kept))
        if abs(new / sigma - 1) < 1e-4:
            break
        sigma = new
    return sigma


def _autocovariance(rows: np.ndarray, lags: int) -> tuple[np.ndarray, int]:
    """Autocovariance of stretches that are less a parabola, and where it has fallen into its error.

    A parabola takes three of n coefficients away, and with them 3/n of the power at low frequency
    from every lag; that is given back.
    """
    length = rows.shape[1]
    found = np.array([np.mean(rows[:, : length - m] * rows[:, m:]) for m in range(lags)])
    covariance, cut = found, lags
    for _ in range(10):
        floor = 2 * covariance[0] / np.sqrt(rows.size)
        small = np.flatnonzero(np.abs(covariance) < floor)
        cut = int(small[0]) + 1 if len(small) else lags
        power = 2 * covariance[:cut].sum() - covariance[0]
        covariance = found + 3 / length * max(power, 0.0)
    return covariance, cut


def from_spectrum(spectrum) -> Processed:
    """A spectrum that somebody else processed, with the covariance of its noise where it is quiet.

    Parameters
    ----------
    spectrum : peled.formats.nmr.Spectrum

    Returns
    -------
    Processed

    Raises
    ------
    ValueError
        For intensities that are not finite, and for fewer than 64.

    Notes
    -----
    The autocovariance is the mean over stretches of M/64 points, each less a parabola: the quietest
    eighth, and all that are not louder than these by more than stretches of one noise differ. It is
    cut where it has fallen into its own uncertainty [1]_.

    References
    ----------
    .. [1] P. J. Brockwell, R. A. Davis, Time Series: Theory and Methods, section 7.2 (1991),
       doi:10.1007/978-1-4419-0320-4
    """
    y = np.asarray(spectrum.intensity, float)
    if not np.isfinite(y).all():
        lost = int((~np.isfinite(y)).sum())
        raise ValueError(
            f"{spectrum.path.name}: expected finite intensities, found {lost} that are not"
        )
    if len(y) < LEAST_POINTS:
        raise ValueError(
            f"{spectrum.path.name}: expected at least {LEAST_POINTS} points, of which noise can be "
            f"told, found {len(y)}"
        )
    length = max(len(y) // 64, LEAST_POINTS)
    rows = y[: len(y) // length * length].reshape(-1, length)
    x = np.linspace(-1, 1, length)
    basis = np.linalg.qr(np.vander(x, 3))[0]
    rows = rows - (rows @ basis) @ basis.T
    spread = rows.std(axis=1)
    live = spread > 1e-12 * (
        np.abs(y).max() or 1.0
    )  # a stretch set to zero by a vendor's software is not quiet but empty
    rows = rows[live] if live.any() else rows
    rows = rows[np.argsort(rows.std(axis=1))]
    lags, spread = length // 3, rows.std(axis=1)
    count = max(len(rows) // 8, 3)
    for _ in range(20):
        covariance, cut = _autocovariance(rows[:count], lags)
        # By what one stretch is off; the quietest of many alike would stand for less than noise.
        shares = (covariance[:cut] / (covariance[0] or 1.0)) ** 2
        off = np.sqrt(max(2 * shares.sum() - 1, 0.0) / (2 * length))
        level = np.sqrt(np.mean(spread[:count] ** 2))
        more = int(np.searchsorted(spread, level * (1 + 3 * off), side="right"))
        if more <= count:
            break
        count = more
    full = np.zeros(len(y) // 2)
    full[: min(2 * cut, lags)] = covariance[: min(2 * cut, lags)]
    # A cut may leave directions of less than no noise; they have none.
    both = np.concatenate([full, [0.0], full[:0:-1]])
    full = np.fft.irfft(np.maximum(np.fft.rfft(both).real, 0.0), len(both))[: len(full)]
    values = (
        y + 1j * np.asarray(spectrum.imaginary)
        if spectrum.imaginary is not None
        else y.astype(complex)
    )
    frequency = spectrum.reference_MHz if np.isfinite(spectrum.reference_MHz) else 1.0
    width = (spectrum.ppm[-1] - spectrum.ppm[0]) * frequency * len(y) / (len(y) - 1)
    # Area over Hz, as for own spectra, needs no factor: intensities stay in the vendor's units.
    return Processed(
        np.asarray(spectrum.ppm, float),
        values,
        full,
        frequency,
        float(width),
        float(np.mean(spectrum.ppm[[0, -1]])),
        0.0,
        nucleus=spectrum.nucleus,
        notes=spectrum.notes,
    )


# ---- phase ---------------------------------------------------------------------------------------


def autophase(
    processed: Processed,
    *,
    p1_deg: float | None = None,
    window_ppm: tuple[float, float] | None = None,
) -> Phase:
    """Phase without a hand on the mouse.

    A large first-order turn also turns the baseline: its roll is taken off, and the rest of the
    phase sought in a second pass. Where the lines agree on none, or none is seen beside the
    largest, the others are asked without it.

    Parameters
    ----------
    processed : Processed
    p1_deg : float, optional
        A first-order phase that is known (a receiver's dead time is the same for all its spectra);
        only p0 is sought.
    window_ppm : (low, high), optional
        Use only lines between these shifts: sharp ones, where the rest of the spectrum is broad.

    Returns
    -------
    Phase

    See Also
    --------
    _one_pass : how.
    """
    max_lines = 40
    if processed.points:  # zeros beyond twice its length say nothing new of a decay
        more = max(int(len(processed.ppm) / (2 * processed.points)), 1)
        kept = {name: getattr(processed, name)[::more] for name in ("ppm", "values")}
        lags = processed.autocovariance[::more]
        processed = replace(processed, autocovariance=lags, **kept) if more > 1 else processed
    inside = np.ones(len(processed.ppm), bool)
    if window_ppm is not None:
        inside = (processed.ppm >= min(window_ppm)) & (processed.ppm <= max(window_ppm))
    found = _two_passes(processed, p1_deg, inside, max_lines)
    found = replace(found, sought=True)
    if found.accepted and found.lines >= LEAST_LINES:
        return found
    largest = np.where(inside, np.abs(processed.values), 0.0).argmax()
    reach = int(ASIDE * len(inside))
    inside[max(largest - reach, 0) : largest + reach + 1] = False
    others = _two_passes(processed, p1_deg, inside, max_lines)
    enough = others.accepted and others.lines >= LEAST_LINES
    return replace(others, aside=True, sought=True) if enough else found


#: Where lines agree on no phase, or so few are seen beside the largest, that is left out, with what
#: is a share of the width off.
LEAST_LINES, ASIDE = 3, 0.004


def _two_passes(processed: Processed, p1_deg: float | None, inside, max_lines: int) -> Phase:
    if p1_deg is not None:
        turned = apply_phase(processed, Phase(0.0, p1_deg))
        return replace(_one_pass(without_roll(turned), 0.0, inside, max_lines), p1_deg=p1_deg)
    first = _one_pass(processed, None, inside, max_lines)
    if not first.lines or abs(first.p1_deg) < ROLLS_DEG:
        return first
    second = _one_pass(without_roll(apply_phase(processed, first)), None, inside, max_lines)
    p0 = (first.p0_deg + second.p0_deg + 180) % 360 - 180
    return replace(second, p0_deg=p0, p1_deg=first.p1_deg + second.p1_deg)


#: A first-order phase beyond this, degrees, turns the baseline too: points are missing at the
#: beginning of the decay, or stand before it.
ROLLS_DEG = 45.0

#: So many of them at most are thought of.
MISSING_POINTS = 10


def without_roll(processed: Processed) -> Processed:
    """A spectrum phased by a large first-order turn, less the roll of its baseline.

    Parameters
    ----------
    processed : Processed
        Phased.

    Returns
    -------
    Processed

    Notes
    -----
    A first-order phase p1 over the width is a decay that begins d = p1/360° points after its time
    origin. The points at the times τ = d, d - 1, … that are missing, or too many where d is
    negative, each add c exp(-2πi x τ) to the spectrum, x from -1/2 to 1/2 over the width: a few
    terms of known τ, fitted to what is no line.
    """
    begin = processed.phase.p1_deg / 360
    if abs(processed.phase.p1_deg) < ROLLS_DEG or abs(begin) > MISSING_POINTS:
        return processed
    times = begin - np.sign(begin) * np.arange(np.floor(abs(begin)) + 1)
    size = len(processed.ppm)
    x = 2 * np.pi * (np.arange(size) / size - 0.5)
    turns = np.exp(-1j * np.outer(x, times))
    basis = np.column_stack([np.ones(size), turns.real, turns.imag])
    coarse = min(2048, size)
    rows = np.arange(coarse) * (size // coarse) + size // (2 * coarse)
    y = np.median(processed.real[: size // coarse * coarse].reshape(coarse, -1), axis=1)
    weight = np.ones(coarse)
    for _ in range(30):  # lines stand up: what is above the fit counts for less the higher it is
        found = np.linalg.lstsq(basis[rows] * weight[:, None], y * weight, rcond=1e-8)[0]
        rest = y - basis[rows] @ found
        scale = 1.4826 * np.median(np.abs(rest)) or 1.0
        weight = 1 / (1 + (rest / (2 * scale)) ** 2)
    return processed.minus(basis @ found)


#: Of the first-order phases that the lines' own phases allow, so many are refined.
REFINED = 3

#: Lines whose phases scatter by more than this about all that they allow, degrees, have none, and a
#: search among them no end: no first-order phase is taken.
SCATTERED_DEG = 60.0

#: Searches that begin as near to the end of another, rad amid the lines and over their spread, end
#: there too.
SAME_PHASE = 0.1

#: Points of the spectrum, evenly taken, that a reading of the phase looks at: by then its error is
#: that of the line shape.
MOST_POINTS = 4000


def _one_pass(
    processed: Processed,
    p1_deg: float | None,
    inside: np.ndarray,
    max_lines: int,
) -> Phase:
    """Phase from the lines' own phases, refined until the least area is negative, from several
    starts.

    The dispersive wings of each group of lines give its own phase. These phases are met by p0 + p1
    x over a grid of p1 (several turns); the best few are refined on them and on the negative part
    of the absorption spectrum near the signals, and the best is kept.

    Returns
    -------
    Phase
        `accepted` is False when more than 5 % of the area stays negative, the lines' phases scatter
        by more than 20° about the solution, or no line stands above ten times the noise.
    """
    magnitude, x = np.abs(processed.values), _over_width(processed)
    peaks, prominences = _standing(magnitude, processed.noise_sd, inside, max_lines)
    if not len(peaks):
        return Phase(0.0, 0.0, 1.0, 180.0, 0, False)
    half_widths = _half_widths(magnitude, peaks)
    centres, phases, errors = _group_phases(processed, peaks, half_widths)
    # Two readings of the phase, each blind to what disturbs the other: wings to line shape, cores
    # to overlap and baseline.
    places = np.concatenate([np.interp(centres, np.arange(len(x)), x), x[peaks]])
    phases = np.concatenate([phases, _line_phases(processed, peaks, half_widths)])
    of_wings = 1.0 / (np.minimum(errors, np.pi) ** 2 + 0.08**2)
    of_cores = (prominences / prominences.max()) ** 0.5 / 0.25**2
    weights = np.concatenate([of_wings, of_cores])
    free = p1_deg is None and len(peaks) > 1 and np.ptp(places) > 0.02
    candidates = [0.0 if p1_deg is None else p1_deg]
    if free:
        candidates = _agreed_turns(places, phases, weights) + candidates
    index, share = _near_lines(magnitude, peaks, half_widths)
    cost = _Disagreement(
        processed.values[index], x[index], share, processed.noise_sd, places, phases, weights
    )
    angles = _least_of(cost, candidates, free)
    fraction, spread = cost.negative_fraction(angles), cost.spread_deg(angles)
    return Phase(
        float(np.rad2deg(np.angle(np.exp(1j * angles[0])))),
        float(np.rad2deg(angles[1])),
        fraction,
        spread,
        len(peaks),
        bool(fraction < 0.05 and spread < 20),
    )


def _over_width(processed: Processed) -> np.ndarray:
    """Frequency from the carrier over the sweep width, from -1/2 to 1/2."""
    offset = (processed.ppm - processed.carrier_ppm) * processed.reference_MHz
    return offset / processed.spectral_width_Hz


def _standing(
    magnitude: np.ndarray, noise: float, inside: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Points and prominences of the most prominent lines, ascending: ten times the noise, and a
    hundredth of the largest, high."""
    top = magnitude[inside].max()
    height = max(10 * noise, 0.01 * top)
    # Between what is high enough only the lowest point says anything of prominences.
    high = magnitude >= height
    ends = np.flatnonzero(np.diff(high, prepend=not high[0]))
    lowest, kept = magnitude.copy(), high.copy()
    lowest[ends], kept[ends] = np.minimum.reduceat(magnitude, ends), True
    few = np.where(high, magnitude, lowest)[kept]
    peaks, found = find_peaks(few, height=height, prominence=max(6 * noise, 0.005 * top))
    peaks = np.flatnonzero(kept)[peaks]
    peaks, prominences = peaks[inside[peaks]], found["prominences"][inside[peaks]]
    # Shoulders have no phase of their own: lines that stand out from what is around them come
    # first.
    standing = prominences > 0.5 * magnitude[peaks]
    if standing.sum() >= 3:
        peaks, prominences = peaks[standing], prominences[standing]
    order = np.sort(np.argsort(prominences)[::-1][:most])
    return peaks[order], prominences[order]


def _agreed_turns(places: np.ndarray, phases: np.ndarray, weights: np.ndarray) -> list[float]:
    """The five first-order phases, degrees, at which phases (rad) agree best on one p0, the best
    first."""
    far, near = np.arange(-1440.0, 1440.0, 120.0), np.arange(0.0, 120.0, 4.0)
    grid = np.add.outer(far, near).ravel()
    seen = weights / weights.sum() * np.exp(1j * phases)
    turned, fine = (np.exp(-1j * np.outer(np.deg2rad(part), places)) for part in (far, near))
    agreement = np.abs((turned * seen) @ fine.T).ravel()
    agreement -= 2e-5 * np.abs(grid)  # of two that fit alike, the smaller turn
    tops = find_peaks(np.concatenate([[0], agreement, [0]]))[0] - 1
    return [float(grid[i]) for i in tops[np.argsort(agreement[tops])[::-1][:5]]]


def _near_lines(
    magnitude: np.ndarray, peaks: np.ndarray, half_widths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points near lines, at most `MOST_POINTS`, and what each counts for.

    A line counts by the root of its height: a solvent that was saturated has a phase of its own.
    """
    share = np.zeros(len(magnitude))
    for k in np.argsort(magnitude[peaks]):
        reach = int(15 * half_widths[k]) + 8
        share[max(peaks[k] - reach, 0) : peaks[k] + reach + 1] = magnitude[peaks[k]] ** -0.5
    index = np.flatnonzero(share)
    index = index[:: -(-len(index) // MOST_POINTS)]
    return index, share[index]


@dataclass(frozen=True)
class _Disagreement:
    """What speaks against (p0, p1), rad: area below the noise, and phases of lines elsewhere.

    Attributes
    ----------
    part : ndarray, complex, shape (points,)
        Spectrum near lines; `place` over the width, `share` is what each point counts for.
    noise : float
        Standard deviation of a point.
    places, phases, weights : ndarray, shape (readings,)
        Of lines.
    """

    part: np.ndarray
    place: np.ndarray
    share: np.ndarray
    noise: float
    places: np.ndarray
    phases: np.ndarray
    weights: np.ndarray

    def __call__(self, angles: np.ndarray) -> tuple[float, np.ndarray]:
        """Share of the area below the noise and the lines' disagreement, and its gradient."""
        turned, scale = self._turned(angles), self.area
        under = np.flatnonzero(turned.real < -self.noise)
        turned, share = turned[under], self.share[under]
        below, across = share @ (turned.real + self.noise), share * turned.imag
        weights = self.weights / self.weights.sum()
        away = self.phases - angles[0] - angles[1] * self.places
        pull = 0.5 * weights * np.sin(away)
        cost = 0.5 * (1 - weights @ np.cos(away)) - below / scale
        slope = -across.sum() / scale - pull.sum()
        tilt = -(across @ self.place[under]) / scale - pull @ self.places
        return float(cost), np.array([slope, tilt])

    @cached_property
    def area(self) -> float:
        """Of all points, by their magnitude."""
        return float(self.share @ np.abs(self.part))

    def _turned(self, angles: np.ndarray) -> np.ndarray:
        return self.part * np.exp(-1j * (angles[0] + angles[1] * self.place))

    def p0(self, p1: float) -> float:
        """Where the lines agree best with a p1."""
        return np.angle(np.sum(self.weights * np.exp(1j * (self.phases - p1 * self.places))))

    def negative_fraction(self, angles: np.ndarray) -> float:
        """Area below three times the noise over all."""
        real = self._turned(angles).real
        below = self.share @ np.minimum(real + 3 * self.noise, 0)
        return float(-below / (self.share @ np.abs(real)))

    def spread_deg(self, angles: np.ndarray) -> float:
        """Scatter of the lines' phases: 1.48 times the weighted median of what they are off."""
        rest = np.abs(np.angle(np.exp(1j * (self.phases - angles[0] - angles[1] * self.places))))
        ranked = np.argsort(rest)
        half = np.searchsorted(np.cumsum(self.weights[ranked]), 0.5 * self.weights.sum())
        return float(1.4826 * np.rad2deg(rest[ranked][half]))


def _least_of(cost: _Disagreement, candidates_deg: list[float], free: bool) -> np.ndarray:
    """Phases (p0, p1), rad, of least cost: from the best candidates of p1, or with p1 as it is, the
    last of them.
    """
    # Sought are the phase amid the lines and its change over their spread, which are alike in size
    # and do not feel each other; lines close together would leave p1 where it began.
    amid = float(np.average(cost.places, weights=cost.weights))
    spread = float(np.sqrt(np.average((cost.places - amid) ** 2, weights=cost.weights))) or 1.0
    turns = np.array([[1.0, amid], [0.0, spread]])
    back = np.linalg.inv(turns)

    def around(angles: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = cost(back @ angles)
        return value, back.T @ gradient

    starts = [np.array([cost.p0(p1), p1]) for p1 in np.deg2rad(candidates_deg)]
    if min(map(cost.spread_deg, starts)) > SCATTERED_DEG:
        return starts[-1]
    best, ends = None, []
    for start in sorted(starts, key=lambda angles: cost(angles)[0])[:REFINED]:
        if any(np.abs(end - turns @ start).max() < SAME_PHASE for end in ends):
            continue
        if free:
            # Points that sink below the noise make kinks, at which a line search would not end.
            options = {"ftol": 1e-8, "gtol": 1e-5, "maxls": 8}
            found = minimize(around, turns @ start, jac=True, method="L-BFGS-B", options=options)
            score, angles = found.fun, back @ found.x
            ends.append(found.x)
        else:
            p0, p1 = start
            only = minimize_scalar(
                lambda a: cost(np.array([a, p1]))[0],  # noqa: B023
                bounds=(p0 - 0.6, p0 + 0.6),
                method="bounded",
                options={"xatol": 1e-4},
            )
            score, angles = only.fun, np.array([only.x, p1])
        if best is None or score < best[0] - 1e-4:
            best = (score, angles)
    return best[1]


def _group_phases(
    processed: Processed, peaks: np.ndarray, half_widths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place (points), phase and its standard error (rad) of each group of lines, from its wings.

    Far from a group of lines of any shape the spectrum is its area over 2 pi i (f - f0): pure
    dispersion, with the group's phase. Between the groups the spectrum is therefore a sum of such
    hyperbolas and a smooth baseline, and one linear fit gives all complex areas. Absorption falls
    off as 1/f^2 and is even about the group: it hardly enters.
    """
    size = len(processed.ppm)
    order = np.argsort(peaks)
    peaks, half_widths = peaks[order], half_widths[order].astype(float)
    groups: list[list[int]] = []
    for i in range(len(peaks)):
        if groups and peaks[i] - peaks[groups[-1][-1]] < 7 * max(
            half_widths[i], half_widths[groups[-1]].max()
        ):
            groups[-1].append(i)
        else:
            groups.append([i])
    power = np.abs(processed.values) ** 2
    far, near = np.ones(size, bool), np.zeros(size, bool)
    centres, widths = [], []
    for group in groups:
        half = half_widths[group].max()
        low, high = (
            int(max(peaks[group[0]] - 3 * half, 0)),
            int(min(peaks[group[-1]] + 3 * half, size - 1)),
        )
        inside = np.arange(low, high + 1)
        centres.append(
            np.average(inside, weights=power[inside])
            if len(group) == 1
            else np.average(peaks[group], weights=half_widths[group] * np.sqrt(power[peaks[group]]))
        )
        widths.append(0.5 * (high - low))
        far[low : high + 1] = False
        reach = int(5 * (high - low) + 40)
        near[max(low - reach, 0) : high + reach] = True
    centres, widths = np.array(centres), np.array(widths)
    index = np.flatnonzero(far & near)
    if len(index) < 4 * (len(groups) + 3):
        index = np.flatnonzero(far)
    index = index[:: len(index) // MOST_POINTS + 1]
    x = (index - size / 2) / size
    fall = widths / (index[:, None] - centres)
    # Of i times the amplitudes, all is real but the spectrum.
    columns = np.hstack([fall / (2 * np.pi), np.vander(x, 3)])
    # Close to a group the hyperbola is only roughly right: give points there less weight.
    height = np.abs(processed.values[peaks[[g[0] for g in groups]]]) / processed.noise_sd
    fall *= fall
    fall *= fall
    weight = 1.0 / np.sqrt(1.0 + fall @ (0.03 * height) ** 2)
    weighted = columns * weight[:, None]
    values = (processed.values[index] * weight).view(float).reshape(-1, 2)
    found, variances = _solved(weighted.T @ weighted, weighted.T @ values)
    rest = values - weighted @ found
    amplitudes = 1j * (found[:, 0] + 1j * found[:, 1])
    error = (
        np.sqrt(variances)
        * np.sqrt(np.mean(rest**2) * 2)
        * np.sqrt(max(len(index) / processed.independent_points(len(index)), 1.0))
    )
    count = len(groups)
    return (
        centres,
        np.angle(amplitudes[:count]),
        error[:count] / np.maximum(np.abs(amplitudes[:count]), 1e-300) + np.deg2rad(1.5),
    )


def _line_phases(processed: Processed, peaks: np.ndarray, half_widths: np.ndarray) -> np.ndarray:
    """Phase of each line: complex amplitudes of causal Lorentzians 1 / (R + 2 pi i f), fitted all
    together.
    """
    step = processed.hz_per_point
    near = np.zeros(len(processed.ppm), bool)
    for peak, half in zip(peaks, half_widths, strict=True):
        near[max(peak - 6 * half - 4, 0) : peak + 6 * half + 5] = True
    index = np.flatnonzero(near)
    index = index[:: len(index) // MOST_POINTS + 1]
    # The magnitude of a Lorentzian is sqrt(3) times as wide as its absorption.
    rate = np.pi * 2 * half_widths * step / np.sqrt(3)
    # 1/|S|^2 of a Lorentzian is a parabola: its vertex places the line between the points.
    inverse = 1.0 / np.maximum(
        np.abs(processed.values[np.clip(peaks[:, None] + [-1, 0, 1], 0, len(processed.ppm) - 1)])
        ** 2,
        1e-300,
    )
    curve = inverse[:, 0] - 2 * inverse[:, 1] + inverse[:, 2]
    place = peaks + np.where(
        curve > 0, 0.5 * (inverse[:, 0] - inverse[:, 2]) / np.where(curve > 0, curve, 1.0), 0.0
    )
    # Radians from one point to the next, of a line that decays by e in one.
    turn = 2 * np.pi * step / rate
    odd = index[:, None] - place
    odd *= turn
    even = odd * odd
    even += 1
    np.reciprocal(even, out=even)
    odd *= even
    # A product of two lines is a sum of them, with t for turn: conj(a) b = (t_b b + t_a conj(a)) /
    # (t_a + t_b + i t_a t_b (place_a - place_b)).
    sums = turn * (even.sum(axis=0) - 1j * odd.sum(axis=0))
    apart = turn[:, None] + turn + 1j * np.outer(turn, turn) * (place[:, None] - place)
    normal = (sums + sums.conj()[:, None]) / apart
    values = processed.values[index].view(float).reshape(-1, 2)
    right = (even.T @ values) @ [1, 1j] + (odd.T @ values) @ [1j, -1]
    return np.angle(_solved(normal, right)[0])


def _solved(normal: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solution of normal equations, and the variance of each coefficient for unit noise; what is
    determined to less than 1e-6 of the best is left out."""
    size = np.sqrt(np.maximum(np.diag(normal).real, 1e-300))
    power, ways = np.linalg.eigh(normal / np.outer(size, size))
    known = power > 1e-12 * power[-1]
    ways = ways[:, known] / size[:, None]
    found = (ways / power[known]) @ (ways.conj().T @ right)
    return found, (np.abs(ways) ** 2) @ (1 / power[known])


def _half_widths(magnitude: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Points from each maximum to where the magnitude has fallen to half, the nearer side; to the
    end of the spectrum where it does not."""
    limit = np.minimum(peaks, len(magnitude) - 1 - peaks)
    out, left, reach = np.maximum(limit, 1), np.arange(len(peaks)), 32
    while len(left):
        at, away = peaks[left, None], np.arange(1, reach + 1)
        nearer = np.minimum(
            magnitude[np.maximum(at - away, 0)],
            magnitude[np.minimum(at + away, len(magnitude) - 1)],
        )
        fallen = nearer <= magnitude[at] / 2
        first = fallen.argmax(axis=1) + 1
        found = fallen.any(axis=1) & (first < limit[left])
        out[left[found]] = first[found]
        left, reach = left[~found & (limit[left] > reach)], reach * 8
    return out


# ---- baseline ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Baseline:
    """A baseline by several methods: their mean, and their spread as a systematic error at each
    point.
    """

    mean: np.ndarray = field(repr=False)
    spread: np.ndarray = field(repr=False)
    curves: dict[str, np.ndarray] = field(repr=False)


def baseline(
    processed: Processed,
    *,
    methods: tuple[str, ...] = ("arpls", "imodpoly", "std_distribution"),
) -> Baseline:
    """Baseline by at least three methods, with their spread.

    Parameters
    ----------
    processed : Processed
    methods : names of `pybaselines`
        `arpls` [1]_, `imodpoly` [2]_, `std_distribution` [3]_ (made for NMR), or others.

    Returns
    -------
    Baseline

    Raises
    ------
    ValueError
        For fewer than three methods, or an unknown one.

    References
    ----------
    .. [1] S.-J. Baek et al., Analyst 140, 250 (2015), doi:10.1039/C4AN01061B
    .. [2] J. Zhao et al., Appl. Spectrosc. 61, 1225 (2007), doi:10.1366/000370207782597003
    .. [3] K.-C. Wang et al., Anal. Chem. 85, 1231 (2013), doi:10.1021/ac303233c
    """
    from pybaselines import Baseline as Methods

    if len(methods) < 3:
        raise ValueError(
            f"methods: expected at least three, whose spread is the error, found {len(methods)}"
        )
    y = processed.real
    size = min(1024, len(y))
    step = len(y) // size
    # A baseline is smooth: it is sought on medians of neighbouring points and read between them.
    coarse = np.median(y[: size * step].reshape(size, step), axis=1)
    place = (np.arange(size) + 0.5) * step - 0.5
    span = size / 5  # nothing wider than a fifth of the sweep counts as a signal
    fitter = Methods(np.arange(size))
    options = {
        "arpls": {"lam": (span / 6.28) ** 4},
        "imodpoly": {"poly_order": 7},
        "std_distribution": {"half_window": max(int(span / 12), 4)},
    }
    curves = {}
    for method in methods:
        if not hasattr(fitter, method):
            raise ValueError(f"methods: expected names of pybaselines, found {method!r}")
        found, _ = getattr(fitter, method)(coarse, **options.get(method, {}))
        curves[method] = np.interp(np.arange(len(y)), place, found)
    stacked = np.array(list(curves.values()))
    return Baseline(stacked.mean(axis=0), stacked.std(axis=0, ddof=1), curves)
