"""The delay × wavelength matrix, and where its signal begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

# a mechanical delay line of more than 50 ns (7.5 m of travel) is rarer than a wrong unit
FEMTOSECOND_SUSPECT = 50000.0
_OVERFLOW = 1e3  # times the median of all cells: no signal


@dataclass(frozen=True)
class Matrix:
    """A difference signal over delays and wavelengths. Make it by `matrix`, which checks it.

    `signal` and `standard_error` have the shape (delays, wavelengths) and the unit `unit`: "OD",
    another one (counts), or "" where nobody says; NaN marks points masked on purpose. `fluence` is
    that of the pump, or what it excites, in a unit common to the sets of a series
    (`terms.Recombination`).
    """

    delay_ps: np.ndarray
    wavelength_nm: np.ndarray
    signal: np.ndarray
    name: str = "data"
    standard_error: np.ndarray | None = None
    unit: str = "OD"
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    fluence: float | None = None

    @property
    def shape(self) -> tuple[int, int]:
        return self.signal.shape

    @cached_property
    def rise(self) -> Rise:
        """Where the signal begins, see `find_rise`."""
        return find_rise(self)

    def take(self, delays=slice(None), wavelengths=slice(None), step: str = "") -> Matrix:
        """Some of the rows and columns.

        Parameters
        ----------
        delays, wavelengths : index, slice or mask
        step : str
            What is recorded as done.

        Returns
        -------
        Matrix
        """
        error = self.standard_error
        return replace(
            self,
            delay_ps=self.delay_ps[delays],
            wavelength_nm=self.wavelength_nm[wavelengths],
            signal=self.signal[delays][:, wavelengths],
            standard_error=None if error is None else error[delays][:, wavelengths],
            steps=self.steps + ((step,) if step else ()),
        )

    def near(self, wavelength_nm: float) -> int:
        """Index of the nearest wavelength.

        Parameters
        ----------
        wavelength_nm : float

        Returns
        -------
        int
        """
        return int(np.argmin(np.abs(self.wavelength_nm - wavelength_nm)))


def matrix(
    delay_ps,
    wavelength_nm,
    signal,
    *,
    name: str = "data",
    standard_error=None,
    unit: str = "OD",
) -> Matrix:
    """A checked matrix, sorted by delay and wavelength.

    Delays that are out of order are sorted and repeated delays averaged; both are recorded. Cells
    at one largest value, far above all others, are overflows of the detector and missing, with the
    wavelengths where a tenth of them is. Wavelengths without any finite value, and those that stay
    at one value over all delays, are dropped and recorded.

    Parameters
    ----------
    delay_ps : array, shape (nt,)
    wavelength_nm : array, shape (nw,)
    signal : array, shape (nt, nw)
        In OD; NaN where missing.
    name : str
    standard_error : array, shape (nt, nw), optional
        Weights the fits.
    Returns
    -------
    Matrix

    Raises
    ------
    ValueError
        For shapes that do not fit (a transposed matrix is named as such), NaN on an axis, fewer
        than three delays, or no finite value at all.
    """
    delay, wavelength, signal = (np.array(a, float) for a in (delay_ps, wavelength_nm, signal))
    error = None if standard_error is None else np.array(standard_error, float)
    if delay.ndim != 1 or wavelength.ndim != 1 or signal.ndim != 2:
        raise ValueError(
            f"{name}: expected delays (nt), wavelengths (nw) and a signal (nt, nw), found shapes "
            f"{delay.shape}, {wavelength.shape}, {signal.shape}"
        )
    if signal.shape != (len(delay), len(wavelength)):
        hint = (
            "; the signal looks transposed, hand over its transpose"
            if signal.shape == (len(wavelength), len(delay))
            else ""
        )
        raise ValueError(
            f"{name}: expected a signal of shape {(len(delay), len(wavelength))} (delays, "
            f"wavelengths), found {signal.shape}{hint}"
        )
    if error is not None and error.shape != signal.shape:
        raise ValueError(
            f"{name}: expected standard errors of shape {signal.shape}, found {error.shape}"
        )
    for what, axis in (("delays", delay), ("wavelengths", wavelength)):
        if not np.all(np.isfinite(axis)):
            raise ValueError(
                f"{name}: {what}: expected finite numbers, found "
                f"{np.count_nonzero(~np.isfinite(axis))} that are not, first at position "
                f"{int(np.argmin(np.isfinite(axis))) + 1}"
            )
    done, notes = [], []
    signal = np.where(np.isfinite(signal), signal, np.nan)
    size = np.abs(signal)
    full = size == np.fmax.reduce(size, axis=None)
    if full.sum() > 2 and size[full][0] > _OVERFLOW * np.nanmedian(size):
        done.append(f"{int(full.sum())} cells at the limit {size[full][0]:g} taken as missing")
        signal[full | (full.mean(axis=0) > 0.1)] = np.nan
    stuck = np.fmin.reduce(signal) == np.fmax.reduce(signal)
    if not stuck.all():
        signal = np.where(stuck, np.nan, signal)
    if np.any(np.diff(delay) < 0):
        done.append("delays sorted")
    order = np.argsort(delay, kind="stable")
    delay, signal = delay[order], signal[order]
    error = None if error is None else error[order]
    if np.any(np.diff(delay) == 0):
        unique, first, counts = np.unique(delay, return_index=True, return_counts=True)
        with np.errstate(invalid="ignore"):
            present = np.isfinite(signal)
            number = np.add.reduceat(present, first, axis=0)
            signal = np.where(
                number > 0,
                np.add.reduceat(np.where(present, signal, 0.0), first, axis=0)
                / np.maximum(number, 1),
                np.nan,
            )
            if error is not None:
                error = np.sqrt(
                    np.add.reduceat(np.where(present, error, 0.0) ** 2, first, axis=0)
                ) / np.maximum(number, 1)
        done.append(f"{int(np.sum(counts - 1))} repeated delays averaged")
        delay = unique
    order = np.argsort(wavelength, kind="stable")
    if np.any(np.diff(order) != 1):
        wavelength, signal = wavelength[order], signal[:, order]
        error = None if error is None else error[:, order]
    empty = ~np.isfinite(signal).any(axis=0)
    if empty.all():
        raise ValueError(f"{name}: expected a signal, found no finite value")
    if empty.any():
        done.append(f"{int(empty.sum())} wavelengths without any value, or stuck at one, dropped")
        wavelength, signal = wavelength[~empty], signal[:, ~empty]
        error = None if error is None else error[:, ~empty]
    lost = ~np.isfinite(signal).any(axis=1)
    if lost.any():
        done.append(f"{int(lost.sum())} delays without any value dropped")
        delay, signal = delay[~lost], signal[~lost]
        error = None if error is None else error[~lost]
    if len(delay) < 3:
        raise ValueError(f"{name}: expected at least 3 delays, found {len(delay)}")
    if np.ptp(delay) > FEMTOSECOND_SUSPECT:
        notes.append(f"delays span {np.ptp(delay):.3g} ps: are they femtoseconds?")
    return Matrix(
        delay,
        wavelength,
        np.ascontiguousarray(signal),
        name,
        error,
        unit,
        tuple(done),
        tuple(notes),
    )


def bin_wavelengths(m: Matrix, count: int) -> Matrix:
    """Mean of each `count` neighbouring wavelengths; an incomplete last group is averaged as it
    is.

    Parameters
    ----------
    m : Matrix
    count : int

    Returns
    -------
    Matrix
    """
    if count < 2:
        return m
    starts = np.arange(0, len(m.wavelength_nm), count)
    number = np.diff(np.r_[starts, len(m.wavelength_nm)])
    error = None if m.standard_error is None else _group_errors(m.standard_error, m.signal, starts)
    return replace(
        m,
        wavelength_nm=np.add.reduceat(m.wavelength_nm, starts) / number,
        signal=_group_means(m.signal, starts),
        standard_error=error,
        steps=(*m.steps, f"{count} wavelengths averaged into one"),
    )


def _group_means(signal, starts):
    """Means of groups of columns over the cells that are there."""
    there = np.isfinite(signal)
    number = np.add.reduceat(there, starts, axis=1, dtype=int)
    total = np.add.reduceat(np.where(there, signal, 0.0), starts, axis=1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _group_errors(error, signal, starts):
    there = np.isfinite(signal) & np.isfinite(error)
    number = np.add.reduceat(there, starts, axis=1, dtype=int)
    total = np.sqrt(np.add.reduceat(np.where(there, error, 0.0) ** 2, starts, axis=1))
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


@dataclass(frozen=True)
class Rise:
    """Where the signal begins. `onset_ps`: the last delay before the rise of each wavelength, NaN
    where the signal is there from the first delay on.

    `seen` is whether any wavelength shows a rise, `late` whether there is a signal but no rise at
    all.
    """

    onset_ps: np.ndarray
    seen: bool
    late: bool


_DECAYS = 12  # exponentials that stand for any decay
_LEVEL = 0.5  # of what follows, above which a constant is no background
_NOTHING = 0.05  # and where it rises after the first delay, below which it is one nevertheless
_GROUPS = 48  # averages of neighbouring wavelengths in which a rise is looked for


def find_rise(m: Matrix) -> Rise:
    """The rise of each wavelength, from a constant up to a delay followed by decays, against decays
    from the first delay on.

    Decays are a dictionary of exponentials from the smallest step to three windows; the break that
    lowers the sum of squares most counts where the fall is significant, and where the constant is
    small beside what follows, at most wavelengths. Neighbouring wavelengths are averaged into about
    48 groups first; groups without signal take the onset of the others.

    Parameters
    ----------
    m : Matrix

    Returns
    -------
    Rise
    """
    coarse = bin_wavelengths(m, max(1, len(m.wavelength_nm) // _GROUPS))
    t, y = m.delay_ps, filled(m.delay_ps, coarse.signal)
    nt = len(t)
    decays = max(1, min(_DECAYS, nt // 3))
    rates = 1 / np.geomspace(float(np.diff(t).min()), 3 * np.ptp(t), decays)
    square = np.cumsum(y**2, axis=0)
    mean = np.cumsum(y, axis=0)
    breaks = np.arange(nt - decays - 2) if nt > decays + 4 else np.zeros(1, int)
    cost = np.empty((len(breaks), y.shape[1]))
    for i in breaks:
        x = t[i:] - t[i]
        q, _ = np.linalg.qr(np.column_stack([np.ones_like(x), np.exp(-np.outer(x, rates))]))
        after = square[-1] - (square[i - 1] if i else 0.0) - np.sum((q.T @ y[i:]) ** 2, axis=0)
        before = square[i - 1] - mean[i - 1] ** 2 / i if i else 0.0
        cost[i] = np.maximum(after, 0) + before
    least = max(1e-24 * float(square[-1].max()), 1e-300)
    free = max(nt - decays - 3, 1)

    def gain(costs):
        best = np.argmin(costs, axis=0)
        low = np.take_along_axis(costs, best[None], 0)[0]
        return best, (costs[0] - low) / 2 / np.maximum(low / free, least)

    best, f = gain(cost)
    whole, f_whole = gain(cost.sum(1, keepdims=True))
    flat = square[-1] - mean[-1] ** 2 / nt
    low = np.maximum(cost.min(0) / free, least)
    signal = (flat - cost[0]) / decays / low > 100
    broken = (f > 30) & (best > 0)
    # Before zero time there is next to nothing; a plateau between two decays is as high as what
    # follows it.
    rising = broken & signal
    plateau = False
    if rising.any():
        common = int(np.median(best[rising]))
        level = mean[common - 1] / common
        height = np.abs(y[common:] - level).max(axis=0)
        share = np.abs(level) / np.maximum(height, 1e-300)
        plateau = np.median(share[signal]) > _LEVEL and np.median(share[rising]) > _NOTHING
        # A fixed pattern may be higher than all that follows, but no decay waits and then jumps.
        if plateau:
            jumps = [_jump(t, y[:, g], best[g]) for g in np.flatnonzero(rising)]
            plateau = np.median(jumps) < 0.5
    seen = bool(not plateau and (broken.any() or (f_whole[0] > 30 and whole[0] > 0)))
    if not seen:
        late = bool(signal.any())
        onset = np.full(len(m.wavelength_nm), np.nan if late else t[0])
        return Rise(onset, False, late)
    where = np.where(broken, best, np.nan)
    spread = [where[max(0, g - 2) : g + 3] for g in range(len(where))]
    common = np.nanmin(where) if broken.any() else whole[0]
    near = np.array([np.nanmedian(w) if np.isfinite(w).any() else common for w in spread])
    at = np.where(broken, np.fmin(where, near), near).astype(int)
    # Zero time changes little from group to group: it lies before the first delay only beside rises
    # close to that.
    beside = [where[max(0, g - 4) : g + 5] for g in range(len(where))]
    early = np.array([not np.isfinite(w).any() or np.nanmin(w) <= 3 for w in beside])
    onset = np.where(signal & ~broken & early, np.nan, t[np.maximum(at - 1, 0)])
    groups = np.argmin(np.abs(m.wavelength_nm[:, None] - coarse.wavelength_nm), axis=1)
    return Rise(onset[groups], True, False)


def _jump(t, y, at: int) -> float:
    """Share of the greatest change after a level that is reached within a quarter of its time."""
    change = np.abs(y[at:] - y[:at].mean())
    soon = t[at:] <= t[at - 1] + (t[at - 1] - t[0]) / 4
    return float(change[soon].max(initial=0.0) / max(change.max(), 1e-300))


def filled(t, y):
    """Missing cells by interpolation along the delays; for looking, never for fitting.

    Parameters
    ----------
    t : ndarray, shape (nt,)
        Rising delays, ps.
    y : ndarray, shape (nt, nw)
        NaN where cells are missing.

    Returns
    -------
    ndarray, shape (nt, nw)
        0 at wavelengths without any value.
    """
    out = y.copy()
    for column in np.flatnonzero(~np.isfinite(y).all(axis=0)):
        good = np.isfinite(y[:, column])
        out[:, column] = np.interp(t, t[good], y[good, column]) if good.any() else 0.0
    return out


def estimate_t0(m: Matrix) -> float:
    """Zero time from the rise: where the change over all wavelengths first reaches half of its
    early maximum; the first delay where there is none.

    Parameters
    ----------
    m : Matrix

    Returns
    -------
    float
        ps.
    """
    found = m.rise
    if not found.seen:
        return float(m.delay_ps[0])
    with np.errstate(invalid="ignore"):
        before = (m.delay_ps[:, None] <= found.onset_ps) & np.isfinite(m.signal)
    level = np.where(before, m.signal, 0.0).sum(0) / np.maximum(before.sum(0), 1)
    energy = np.sqrt(np.nanmean(np.square(m.signal - level), axis=1))
    quiet = m.delay_ps <= np.nanmin(found.onset_ps)
    height = np.maximum(energy - np.median(energy[quiet]), 0)
    peak = int(np.argmax(height))
    at = int(np.argmax((height >= 0.5 * height[peak]) & ~quiet))
    if at == 0 or height[peak] == 0:
        return float(m.delay_ps[0])
    low, high = height[at - 1], height[at]
    fraction = np.clip((0.5 * height[peak] - low) / (high - low), 0, 1) if high > low else 0.5
    return float(m.delay_ps[at - 1] + fraction * (m.delay_ps[at] - m.delay_ps[at - 1]))


def resolved_artefact(m: Matrix, columns: int, fwhm_ps: float, t0_ps: float | None = None) -> int:
    """Columns of the coherent artefact that the delays can tell from decays.

    None where the signal is there from the first delay on; else one less than there are delays
    within two widths of zero time: the artefact would stand for the fastest decay.

    Parameters
    ----------
    m : Matrix
    columns : int
        Those of the model.
    fwhm_ps : float
        Of the response.
    t0_ps : float, optional
        Sought where it is not given.

    Returns
    -------
    int
        From 0 to `columns`.

    References
    ----------
    .. [1] S. A. Kovalenko et al., Phys. Rev. A 59, 2369 (1999), doi:10.1103/PhysRevA.59.2369
    """
    if m.rise.late:
        return 0
    zero = estimate_t0(m) if t0_ps is None else t0_ps
    near = int(np.count_nonzero(np.abs(m.delay_ps - zero) <= 2 * fwhm_ps))
    return min(columns, max(near - 1, 0))
