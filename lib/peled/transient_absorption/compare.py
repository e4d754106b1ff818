"""Did lifetimes or spectra change? Pairs of measurements fitted jointly and apart, and the
amplitude in a band with its interval."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from peled.transient_absorption.components import small_p
from peled.transient_absorption.globalfit import GlobalFit, global_fit
from peled.transient_absorption.noise import effective_wavelengths
from peled.transient_absorption.preprocess import Matrix
from peled.transient_absorption.schemes import Model


@dataclass(frozen=True)
class Hypothesis:
    """One way to fit the pair: what is shared, its χ² (per effective wavelength), free numbers and
    BIC; `p_value` against the freest way."""

    name: str
    chi2: float
    free: float
    bic: float
    p_value: float
    lifetimes_ps: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class PairTest:
    """Result of `before_after`. `log_ratio` is ln(τ after / τ before) per component with its
    standard error from the separate fits."""

    hypotheses: tuple[Hypothesis, ...]
    log_ratio: np.ndarray
    log_ratio_error: np.ndarray
    lifetimes_p: float
    fits: tuple[GlobalFit, ...]

    @property
    def best(self) -> str:
        """Name of the hypothesis with the lowest BIC."""
        return min(self.hypotheses, key=lambda h: h.bic).name

    def __str__(self) -> str:
        lowest = min(h.bic for h in self.hypotheses)
        lines = [
            "shared                   chi2 - lowest   free   BIC - lowest   p against nothing "
            "shared"
        ]
        base = min(h.chi2 for h in self.hypotheses)
        lines += [
            f"{h.name:<24s} {h.chi2 - base:<15.0f} {h.free:<6.0f} {h.bic - lowest:<14.0f} "
            f"{small_p(h.p_value)}"
            for h in self.hypotheses
        ]
        return "\n".join(lines)


def before_after(before: Matrix, after: Matrix, model: Model, **options) -> PairTest:
    """Fit two matrices with nothing, lifetimes, spectra, or both shared, and compare the ways.

    Each set is weighted with its own residual noise (they may differ in the number of scans). χ²
    counts wavelengths by their effective independent number, so that noise common to many pixels
    does not make every difference significant. Sharing spectra allows one factor of amplitude and
    needs matrices without fitted dispersion; it is left out otherwise.

    Parameters
    ----------
    before, after : Matrix
        On the same wavelengths, with different names.
    model : Model
        Of either set.
    **options
        For `global_fit`.

    Returns
    -------
    PairTest

    Raises
    ------
    ValueError
        If the two have the same name or different wavelengths.

    References
    ----------
    .. [1] I. H. M. van Stokkum, D. S. Larsen, R. van Grondelle, Biochim. Biophys. Acta 1657, 82
           (2004), doi:10.1016/j.bbabio.2004.04.011
    """
    if not np.array_equal(before.wavelength_nm, after.wavelength_nm):
        raise ValueError(
            f"{before.name} and {after.name}: expected the same wavelengths, found others; crop "
            "both alike"
        )
    if before.name == after.name:
        raise ValueError(f"expected two names, found {before.name!r} twice")
    alone = [global_fit(m, model, **options) for m in (before, after)]
    noise = [np.sqrt(fit.ssr / max(fit.degrees_of_freedom, 1)) for fit in alone]
    scaled = [_scaled(m, s) for m, s in zip((before, after), noise, strict=True)]
    independent = float(
        np.mean([min(effective_wavelengths(f.rows[0].gram), before.shape[1]) for f in alone])
    )
    share = independent / before.shape[1]
    start = model if model.scheme is not None else replace(model, **alone[0].starts)
    # By default nothing but the kinetics is compared: width and dispersion may be each set's own in
    # all hypotheses.
    ways = [("nothing", (), False), ("lifetimes", ("tau",), False)]
    if not model.dispersion:
        ways += [("spectra", (), True), ("lifetimes and spectra", ("tau",), True)]
    rows, fits = [], []
    for name, link, spectra in ways:
        fit = global_fit(
            scaled, start, link=link, shared_spectra=spectra, **{"starts": 0, **options}
        )
        fits.append(fit)
        free = len(fit.theta) + fit.setup.linear * share
        count = fit.size * share
        chi2 = fit.ssr * share
        p = 1.0
        if rows:
            extra = rows[0][2] - free
            left = max(count - rows[0][2], 1)
            p = float(
                stats.f.sf(max(chi2 - rows[0][1], 0) / extra / (rows[0][1] / left), extra, left)
            )
        rows.append(
            (
                name,
                chi2,
                free,
                chi2 + free * np.log(count),
                p,
                tuple(tuple(fit.lifetimes(i)) for i in range(2)),
            )
        )
    tau = [fit.lifetimes_ps for fit in alone]
    error = [fit.lifetime_errors() / fit.lifetimes_ps for fit in alone]
    ratio, spread = np.log(tau[1] / tau[0]), np.hypot(*error)
    moved = spread > 0
    kinetic = [i for i, n in enumerate(alone[0].free) if n.startswith("tau")]
    joint = sum(f.covariance[np.ix_(kinetic, kinetic)] for f in alone)
    difference = alone[1].theta[kinetic] - alone[0].theta[kinetic]
    wald = (
        float(difference @ np.linalg.pinv(joint) @ difference)
        if np.isfinite(joint).all() and moved.any()
        else np.nan
    )
    return PairTest(
        tuple(Hypothesis(*row) for row in rows),
        ratio,
        spread,
        float(stats.chi2.sf(wald, len(kinetic))),
        tuple(fits),
    )


def _scaled(m: Matrix, noise: float) -> Matrix:
    """A matrix in which the residual has the variance 1, by its signal or, where weighted, by its
    errors."""
    if m.standard_error is None:
        return replace(m, signal=m.signal / noise)
    return replace(m, standard_error=m.standard_error * noise)


@dataclass(frozen=True)
class Amplitude:
    """A component's mean amplitude over a band, with its standard error, in the unit of the
    signal."""

    value: float
    standard_error: float


def band_amplitude(
    fit: GlobalFit, component: int, low_nm: float, high_nm: float, matrix: int = 0
) -> Amplitude:
    """Mean of a spectrum of the fit over a band; its error counts noise common to the band's
    wavelengths and the lifetimes' uncertainty.

    Parameters
    ----------
    fit : GlobalFit
    component : int
        Row of `fit.spectra()`; −1 is the slowest decay.
    low_nm, high_nm : float
    matrix : int
        Which of the fitted data sets.

    Returns
    -------
    Amplitude

    Raises
    ------
    ValueError
        If the fit has no wavelength in the band.

    References
    ----------
    .. [1] I. H. M. van Stokkum, D. S. Larsen, R. van Grondelle, Biochim. Biophys. Acta 1657, 82
           (2004), doi:10.1016/j.bbabio.2004.04.011
    """
    m = fit.matrices[matrix]
    inside = (m.wavelength_nm >= low_nm) & (m.wavelength_nm <= high_nm)
    if not inside.any():
        raise ValueError(
            f"{m.name}: expected wavelengths between {low_nm:g} and {high_nm:g} nm, found "
            f"{m.wavelength_nm[0]:g} to {m.wavelength_nm[-1]:g}"
        )
    i = component if component >= 0 else fit.model.components + component
    segment, is_own = fit.setup.segments[matrix], fit.model.spectra[i] in fit.setup.own
    i = fit.setup.columns[matrix][i]
    number, _ = fit.setup.place[matrix]
    block = fit.setup.problem.blocks[number]
    a, c, pseudo = fit._solved[number]
    u, jacobian = fit.setup.expand(fit.theta)
    size = u[segment.scale] if is_own and segment.scale is not None else 1.0
    w = inside / inside.sum() / segment.wavelength_weight * size
    if c.ndim == 3:
        rest = block.data - np.einsum("wtn,nw->tw", c, a)
        each = (rest * w) @ pseudo[:, i]  # noise shared by the band's wavelengths adds up
        local = block.local(u)
        slope = -np.einsum("w,wt,wtp->p", w, pseudo[:, i], local(a.T[:, :, None]))
    else:
        each = np.outer((block.data - c @ a) @ w, pseudo[i])
        _, dc = block.basis(u, True)
        slope = -np.einsum("t,ptn,n->p", pseudo[i], dc, a @ w)
    slope = jacobian[block.index].T @ slope
    if size != 1.0:
        slope = slope + jacobian[segment.scale] * float(a[i] @ w) / size
    places = zip(fit.kernels, fit.setup.place, strict=True)
    noise = sum(kernel.total(each[rows, rows]) for kernel, (n, rows) in places if n == number)
    return Amplitude(
        float(a[i] @ w), float(np.sqrt(noise + slope @ np.nan_to_num(fit.covariance) @ slope))
    )


@dataclass(frozen=True)
class ShapeChange:
    """How a spectrum's shape differs from another's: `difference` = |b/scale − a| / |a|, `scale`
    the best factor, and the shift of its centroid with error."""

    scale: float
    difference: float
    expected_difference: float
    shift_nm: float
    shift_error_nm: float


def shape_change(wavelength_nm, a, b, a_error, b_error) -> ShapeChange:
    """Compare two spectra on the same wavelengths; `expected_difference` is what their errors alone
    make.

    Centroids weigh by what of the spectrum exceeds a tenth of its extremum, with the extremum's
    sign: a weight that ends at zero, so that noise moves no point in or out at a jump.

    Parameters
    ----------
    wavelength_nm : array, shape (n,)
    a, b : array, shape (n,)
        Spectra in one unit.
    a_error, b_error : array, shape (n,)
        Their standard errors.

    Returns
    -------
    ShapeChange
    """
    wavelength_nm, a, b, a_error, b_error = (
        np.asarray(x, float) for x in (wavelength_nm, a, b, a_error, b_error)
    )
    scale = float(a @ b / (a @ a))
    difference = float(np.linalg.norm(b / scale - a) / np.linalg.norm(a))
    expected = float(np.sqrt(np.sum(a_error**2 + (b_error / scale) ** 2)) / np.linalg.norm(a))
    found = []
    for y, e in ((a, a_error), (b, b_error)):
        top = int(np.argmax(np.abs(y)))
        above = np.maximum(y / y[top] - 0.1, 0.0)
        centre = float(wavelength_nm @ above / above.sum())
        slopes = np.where(above > 0, wavelength_nm - centre, 0.0) / (above.sum() * y[top])
        slopes[top] -= slopes @ y / y[top]  # all are relative to the extremum
        error = float(np.sqrt(np.sum((slopes * e) ** 2)))
        found.append((centre, error))
    return ShapeChange(
        scale,
        difference,
        expected,
        found[1][0] - found[0][0],
        float(np.hypot(found[0][1], found[1][1])),
    )


def carriers_per_crystal(
    fluence_uJ_cm2: float, wavelength_nm: float, absorption_per_cm: float, edge_nm: float
) -> tuple[float, float]:
    """Photons per cm² and electron–hole pairs per crystal (fluence × absorption coefficient ×
    volume) of a pump pulse.

    Parameters
    ----------
    fluence_uJ_cm2 : float
    wavelength_nm : float
        Of the pump.
    absorption_per_cm : float
        Absorption coefficient, 1/cm, base e.
    edge_nm : float
        Of a cube.

    Returns
    -------
    (float, float)
        Photons/cm² and pairs per crystal.

    References
    ----------
    .. [1] V. I. Klimov et al., Science 287, 1011 (2000), doi:10.1126/science.287.5455.1011

    Examples
    --------
    >>> [float(f"{x:.3g}") for x in carriers_per_crystal(106, 520, 4e4, 16.3)]
    [277000000000000.0, 48.1]
    """
    photons = fluence_uJ_cm2 * 1e-6 / (6.62607015e-34 * 299792458.0 / (wavelength_nm * 1e-9))
    return photons, photons * absorption_per_cm * edge_nm**3 * 1e-21
