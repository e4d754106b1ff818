"""Recombination rates of a sample from all its decays at different fluences, as quantities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from peled.photoluminescence.counts import as_counts, response_counts
from peled.photoluminescence.dynamics import RATES
from peled.photoluminescence.fluence import generation_rate
from peled.photoluminescence.lifetimes import no_law, prepare_response, unseen_pulse
from peled.photoluminescence.measures import WITHHELD_Z, Result
from peled.photoluminescence.poisson import expected_deviance, unit_deviance
from peled.photoluminescence.transients import (
    Transient,
    TransientFit,
    Yields,
    density_per_pulse,
    fit_laws,
)
from peled.quantities import Finding, Quantity, derive, described, judge
from peled.quantities.gates import threshold
from peled.samples import Held, Holdings

#: As a table names the rates.
NAMES: Mapping[str, str] = {
    "k1": "first-order rate",
    "radiative": "radiative rate (leaving)",
    "auger": "Auger coefficient",
    "capture": "capture by traps",
    "traps": "trap density",
    "detrap": "emptying of traps",
    "doping": "doping",
}
AS_WELL = 6.0  #: difference of BIC below which another law describes a series as well
GROUPS = 32  #: parts of a decay's time, by which its light is told from a constant level
GAIN = 1.0  #: by which a law of more rates has to lower the deviance to be another
OPEN = 0.5  #: relative error above which a rate is given as a limit
_NEEDED = ("fluence_uJ_cm2", "thickness_nm", "excitation_nm")


def recombination(
    holdings: Holdings, members: Sequence[Held], settings: Mapping, labels, yields: Sequence[Result]
) -> Result:
    """Rates of the law that all decays of a sample prefer; what they leave open is a limit.

    Rows need fluence, thickness, excitation and, better, absorptance; quantum yields of the sample
    at an `intensity_mW_cm2` join the fit. The error of the fluence (`settings`) enters by its power
    in each rate.

    Parameters
    ----------
    holdings : Holdings
        Where responses (role irf) are looked for.
    members : sequence of Held
        Decays of one state at different fluences.
    settings : mapping
        `SETTINGS` of `analyse`; `rate_laws` and `fluence_error` count here.
    labels : mapping
        Sample, state, kind and inputs of the quantities.
    yields : sequence of Result
        Of `quantum_yields`, the same sample.

    Returns
    -------
    Result
        Fits by law, best BIC first.

    Raises
    ------
    ValueError
        If a row lacks what a density needs.

    References
    ----------
    .. [1] M. B. Johnston and L. M. Herz, Acc. Chem. Res. 49, 146 (2016),
           doi:10.1021/acs.accounts.5b00411
    """
    held = members[0]
    transients, findings = [], []
    responses: dict = {}
    for one in members:
        missing = [name for name in _NEEDED if name not in one.row.settings]
        if missing:
            raise ValueError(
                f"rates of a fluence series: expected {', '.join(missing)} in the sample sheet"
            )
        transients.append(_transient(holdings, one, responses, findings))
    order = np.argsort([t.density_cm3 for t in transients])
    transients = [transients[i] for i in order]
    dark = [t.label for t in transients if not _lit(t.counts)]
    if len(transients) - len(dark) < 2:
        raise ValueError(
            "rates of a fluence series: expected decays at 2 fluences, found no more than noise "
            f"about a constant level at {', '.join(dark)}"
        )
    if dark:
        said = f"no more than noise about a constant level, set aside: {', '.join(dark)}"
        findings.append(Finding("signal", "reported", said))
        transients = [t for t in transients if t.label not in dark]
    fits = fit_laws(
        transients,
        settings["rate_laws"],
        period_ns=held.data.period_ns,
        yields=_steady(yields, held.row.settings),
    )
    best = next(iter(fits.values()))
    said = "the spot is taken as evenly lit: an uneven one mixes densities, which is in no error"
    findings.append(Finding("assumed", "reported", said))
    close = [
        law for law, f in fits.items()
        if f is not best and f.bic < best.bic + AS_WELL
        # More rates that gain nothing are no other law.
        and not (set(f.free) > set(best.free) and f.deviance > best.deviance - GAIN)
    ]  # fmt: skip
    if close:
        said = f"describes the decays as well (BIC within {AS_WELL:g}): {', '.join(close)}"
        findings.append(Finding("described", "reported", said))
    if best.goodness_z > WITHHELD_Z:
        said = no_law("series", best.law, best.goodness_z)
        findings.append(Finding("described", "withheld", said))
    if not best.repeats:
        said = "pulses do not meet the state that they leave: traps fill over too many pulses"
        findings.append(Finding("determined", "withheld", said))
    findings = tuple(dict.fromkeys(findings))
    made = [
        judge(_rate(best, name, settings["fluence_error"], labels).found(*findings),
              described(best.goodness_z))
        for name in best.free
    ]  # fmt: skip
    return Result(held.row.label, labels["state"], tuple(made), transients, None, fits,
                  excitation_nm=held.row.settings["excitation_nm"])  # fmt: skip


def _lit(counts: np.ndarray) -> bool:
    """Whether counts (n,) in `GROUPS` parts of their time are more than noise about one level."""
    ends = np.linspace(0, counts.size, min(GROUPS, counts.size), endpoint=False).astype(int)
    width = np.diff(ends, append=counts.size)
    seen, mean = np.add.reduceat(counts, ends), counts.mean() * width
    expected, variance = expected_deviance(mean)
    found = unit_deviance(seen, mean).sum()
    return bool(found - expected > threshold() * np.sqrt(variance))


def _transient(holdings, held: Held, responses: dict, findings: list) -> Transient:
    row, decay = held.row, held.data
    counts, gain, said = as_counts(decay.counts, decay.sigma)
    if gain != 1:
        findings.append(Finding("assumed", "reported", said, row.label))
    share = row.settings.get("absorptance")
    if share is None:
        share = 1.0
        said = "absorptance is stated nowhere: all light taken as absorbed, densities are too high"
        findings.append(Finding("assumed", "doubtful", said))
    density = density_per_pulse(
        row.settings["fluence_uJ_cm2"], share, row.settings["thickness_nm"],
        row.settings["excitation_nm"],
    )  # fmt: skip
    label = f"{row.settings['fluence_uJ_cm2']:g} µJ/cm²"
    irf = holdings.companion(row, "irf")
    if irf is not None:
        key = irf.digest, irf.row.part, decay.bin_ns  # its noise is one for all its decays
        if key not in responses:
            seen = irf.data.time_ns, response_counts(irf.data.counts, irf.data.sigma)
            responses[key] = prepare_response(*seen, decay.bin_ns, decay.period_ns)
        return Transient(decay.time_ns, counts, density, label, responses[key])
    said = "no response: the pulse is taken as shorter than a bin, where counts have risen by half"
    findings.append(Finding("assumed", "doubtful", said))
    pulse = unseen_pulse(decay.time_ns, counts)
    after = slice(int(np.searchsorted(decay.time_ns, pulse.over_ns)), None)
    return Transient(decay.time_ns[after] - pulse.start_ns, counts[after], density, label)


def _steady(yields: Sequence[Result], said: Mapping) -> Yields | None:
    """Reported yields at known intensities as points of the same fit."""
    points = [
        (intensity, q.value, q.standard_error)
        for one in yields
        for q, intensity in zip(one.quantities, one.intensity_mW_cm2)
        if intensity and q.name.startswith("PLQY") and q.status == "reported"
    ]
    if not points or "absorptance" not in said:
        return None
    intensity, plqy, error = np.array(points).T
    generation = generation_rate(
        intensity, said["absorptance"], said["thickness_nm"], said["excitation_nm"]
    )
    return Yields(generation, plqy, error)


def _rate(fit: TransientFit, name: str, fluence_error: float, labels) -> Quantity:
    """One rate, or its upper limit where the data leave it open."""
    unit, power = RATES[name]
    at = fit.estimates.names.index(name)
    open_ = fit.estimates.at_bound[at] or fit.estimates.covariance[at, at] > OPEN**2
    if open_ and fit.converged and (limit := fit.upper_limit(name)) is not None:
        limit *= 1 + 1.645 * abs(power) * fluence_error
        return Quantity(NAMES[name], value=limit, budget={}, unit=unit, relation="<",
                        note=fit.law, **labels)  # fmt: skip
    causes = {"fluence": abs(power) * fluence_error * float(fit.estimates.values[at])}
    return derive(NAMES[name], unit, partial(_natural, name), fit.estimates, note=fit.law,
                  **labels, **{k: v for k, v in causes.items() if v > 0})  # fmt: skip


def _natural(name: str, values: Mapping[str, float]) -> float:
    return values[name]
