"""How many lifetimes do the data support?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from peled.transient_absorption.globalfit import GlobalFit, global_fit
from peled.transient_absorption.matrices import resolved_artefact
from peled.transient_absorption.noise import differences, effective_wavelengths


def small_p(p: float) -> str:
    """A p value as text; below 10⁻¹⁰ its size says nothing.

    Parameters
    ----------
    p : float

    Returns
    -------
    str

    Examples
    --------
    >>> small_p(0.0312), small_p(1e-40)
    ('0.031', '< 1e-10')
    """
    return "< 1e-10" if p < 1e-10 else f"{p:.2g}"


@dataclass(frozen=True)
class Candidate:
    """One number of components: the fit's cost, the residual's largest singular value over what
    noise makes, F test against the best smaller number, BIC."""

    components: int
    lifetimes_ps: tuple[float, ...]
    rms: float
    largest_singular_value: float
    p_value: float
    bic: float
    flags: tuple[str, ...]


@dataclass(frozen=True)
class ComponentTable:
    """Fits with 1, 2, … components. `supported` is the number that the data ask for and that
    describes them with lifetimes that can be told apart; `at_least`: more are asked for, but no fit
    with more has such lifetimes. `fits` are the fits themselves."""

    rows: tuple[Candidate, ...]
    supported: int
    at_least: bool
    effective_wavelengths: float
    fits: tuple

    def __str__(self) -> str:
        head = (
            "components  rms         residual SVD / noise  F test p   BIC - lowest  lifetimes (ps)"
        )
        lowest = min(r.bic for r in self.rows)
        return "\n".join(
            [
                head,
                *(
                    f"{r.components:<11d} {r.rms:<11.3e} {r.largest_singular_value:<21.2f} "
                    f"{small_p(r.p_value):<10s} {r.bic - lowest:<13.0f} "
                    + ", ".join(f"{float(f'{t:.2g}'):g}" for t in r.lifetimes_ps)
                    for r in self.rows
                ),
                f"supported: {'at least ' if self.at_least else ''}{self.supported}",
            ]
        )


# p value of a further decay that is there whatever BIC says. BIC charges it for a spectrum of its
# own at every wavelength, and with much noise would rather bend the lifetimes of the others. The F
# test knows nothing of the search for the lifetime: a hundredth alone is not rare by chance.
_SEEN = 1e-9
_BEYOND = "longer than the window"
STAYS = "slowest component stays over all delays"
_UNCLEAR = (
    "coalescing",
    "spike",
    "runaway",
    "at bound: tau",
    "undetermined: tau",
    _BEYOND,
    "wide artefact",
)


def number_of_components(data, model, *, most: int = 5, **options) -> ComponentTable:
    """Fit with 1 to `most` lifetimes and say how many the data support.

    The F test and the Bayesian information criterion count wavelengths by their effective
    independent number, found from the residual of the richest fit: noise common to many pixels is
    otherwise taken for signal. A number counts as supported when its p value against the best
    smaller one is below 0.01 and BIC falls, or p is below 10⁻⁹, and its lifetimes stay apart (none
    coalescing, at a bound, shorter than the response, undetermined). The walk goes on past numbers
    that fail.

    Parameters
    ----------
    data, model
        As for `global_fit`; the model's lifetimes are replaced, an artefact that the delays do not
        resolve is left out, the rest is kept. Numbers that have
        too few delays are left out.
    most : int
    **options
        For `global_fit`.

    Returns
    -------
    ComponentTable

    References
    ----------
    .. [1] G. Schwarz, Ann. Stat. 6, 461 (1978), doi:10.1214/aos/1176344136
    """
    fits = _fits(data, model, most, options)
    grams = [f.rows[0].gram for f in fits]
    nt, nw = data.shape
    independent = min(effective_wavelengths(differences(grams[-1])), nw)
    share = independent / nw
    # Largest singular value that noise alone leaves (Marchenko–Pastur edge for the effective number
    # of wavelengths).
    level = np.trace(grams[-1]) / max(nt - len(fits[-1].model.spectra), 1)
    edge = np.sqrt(level * (1 + np.sqrt(nt / independent)) ** 2)
    count = nt * independent
    free = [len(f.theta) + len(f.model.spectra) * independent for f in fits]
    bic = [
        count * np.log(f.ssr * share / count) + k * np.log(count)
        for f, k in zip(fits, free, strict=True)
    ]
    rows, best, at_least = [], 0, False
    for i, (fit, gram) in enumerate(zip(fits, grams, strict=True)):
        p = _p_value(fits[best], fit, free[best], free[i], count) if i else 0.0
        unclear = tuple(f for f in fit.flags if any(word in f for word in _UNCLEAR))
        rows.append(
            Candidate(
                i + 1,
                fit.dads().lifetimes_ps,
                fit.rms,
                float(np.sqrt(np.linalg.eigvalsh(gram)[-1]) / edge),
                p,
                float(bic[i]),
                unclear,
            )
        )
        if i and (p < _SEEN or (p < 0.01 and bic[i] < bic[best])):
            # one decay beyond the window is told from the faster ones; two are not from each other
            one = np.sum(fit.lifetimes_ps > data.delay_ps[-1]) == 1
            unclear = [f for f in unclear if not (one and _BEYOND in f)]
            best, at_least = (best, True) if unclear else (i, False)
    return ComponentTable(tuple(rows), best + 1, at_least, float(independent), tuple(fits))


def _fits(data, model, most, options) -> list:
    last = float(data.delay_ps[-1])
    response = 2 * model.fwhm_ps if model.irf == "gaussian" else 0.0
    low = max(response, 2 * float(np.diff(data.delay_ps).min()))
    if not last > 2 * low:
        raise ValueError(
            f"delays: expected some beyond {2 * low:.3g} ps, four steps or responses, found "
            f"{len(data.delay_ps)} up to {last:.3g} ps; no lifetime can be told from them"
        )
    if model.artefact:
        columns = resolved_artefact(data, model.artefact, model.fwhm_ps, model.t0_ps)
        model = replace(model, artefact=columns)
    fixed = tuple(f for f in model.fixed if not f.startswith("tau"))
    fits = []
    for n in range(1, most + 1):
        start = tuple(np.geomspace(low, last / 2, n + 2)[1:-1])
        made = replace(model, lifetimes_ps=start, fixed=fixed, bounds_ps={})
        if n > 1 and not _enough(data, made):
            break
        fits.append(lasting(global_fit(data, made, **options)))
    return fits


def _enough(data, model) -> bool:
    return len(data.delay_ps) > len(model.spectra) + len(model.names)


def moving_baseline(fit: GlobalFit, fewer: GlobalFit | None = None, **options) -> bool:
    """Whether a baseline that moves steadily over the delays describes a matrix better.

    Better than the last decay: with one less a lower sum of squares. Or beside all of them, with p
    below 10⁻⁹ in the F test.

    Parameters
    ----------
    fit : GlobalFit
        Without it.
    fewer : GlobalFit, optional
        The same with a decay less.
    **options
        For `global_fit`.

    Returns
    -------
    bool
    """
    data = fit.matrices[0]
    beside, instead = (f and replace(f.model, **f.starts, ramp=True) for f in (fit, fewer))
    if not _enough(data, beside):
        return False
    if instead and global_fit(data, instead, **options).ssr < fit.ssr:
        return True
    more = global_fit(data, beside, **{**options, "starts": 0})
    gram = differences(fit.rows[0].gram)
    independent = min(effective_wavelengths(gram), data.shape[1])
    free = [len(f.theta) + len(f.model.spectra) * independent for f in (fit, more)]
    return _p_value(fit, more, *free, data.shape[0] * independent) < _SEEN


def lasting(fit: GlobalFit) -> GlobalFit:
    """The fit of one matrix with a component that stays in place of a slowest decay that lies
    beyond the delays and is not determined by them; else as it is.

    A lifetime far beyond the last delay leaves a constant, and an error without bound that says
    nothing against the other lifetimes.

    Parameters
    ----------
    fit : GlobalFit
        Of parallel decays.

    Returns
    -------
    GlobalFit
        With `STAYS` among its flags where a component stays.
    """
    model, tau, error = fit.model, fit.lifetimes_ps, fit.lifetime_errors()
    last = float(fit.matrices[0].delay_ps[-1])
    said = f"{STAYS} (to {last:.4g} ps): its lifetime is not determined"
    if model.infinite:
        return replace(fit, flags=(*fit.flags, said))
    if model.scheme or len(tau) == 0:
        return fit
    slow = int(np.argmax(tau))
    if tau[slow] <= last or f"tau_{slow + 1}" in model.fixed or error[slow] <= 0.5 * tau[slow]:
        return fit
    rest = tuple(np.delete(tau, slow))
    fewer = replace(model, **{**fit.starts, "lifetimes_ps": rest, "infinite": True})
    found = global_fit(fit.matrices, fewer, starts=0, noise=fit.options["noise"])
    return replace(found, flags=(*found.flags, said))


def _p_value(fewer, more, free_fewer: float, free_more: float, count: float) -> float:
    extra, left = free_more - free_fewer, max(count - free_more, 1)
    f_value = max(fewer.ssr - more.ssr, 0) / extra / max(more.ssr / left, 1e-300)
    return float(stats.f.sf(f_value, extra, left))
