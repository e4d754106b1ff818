"""Linked sets that share some of their spectra and have others each for itself."""

from dataclasses import replace

import numpy as np
import pytest

from peled.transient_absorption import export, global_fit, lmfit_parameters
from test_transient_absorption import gradient_check
from test_transient_absorption_models import DELAYS, FREE, NM, S, bell, chain, within


def coherent(height, t0=0.0):
    z = (DELAYS - t0) / S
    bell_ = np.exp(-0.5 * z**2)
    return np.outer(height * bell_, bell(620, 40)) + np.outer(-height * z * bell_, bell(560, 30))


def with_artefact(factor, height, seed, **options):
    m = chain([factor * bell(540), factor * bell(600), factor * bell(660)], seed=seed, **options)
    return replace(m, name=f"set {seed}", signal=m.signal + coherent(height))


KINDS = {
    "one matrix for all": {},
    "dispersed": {"dispersion": (0.1,)},
    "terms": {"oscillations": ((2.0, 3.0),)},
    "terms, dispersed": {"oscillations": ((2.0, 3.0),), "dispersion": (0.1,)},
    "rules": {"alike": {"2": ("1", 0.5)}, "zero_nm": {"3": ((500, 580),)}},
    "rules, dispersed": {"non_negative": True, "dispersion": (0.1,)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_with_spectra_of_each_sets_own(kind):
    sets = [with_artefact(1.0, 0.4, 0), with_artefact(0.7, -0.2, 1)]
    model = replace(FREE, artefact=2, **KINDS[kind])
    gradient_check(model, sets, shared_spectra=True, own_spectra=("artefact",))


@pytest.mark.parametrize("kind", KINDS)
def test_spectra_that_are_all_own_are_those_of_unlinked_sets(kind):
    """The same minimum by two ways: nothing shared, and shared with every spectrum excepted."""
    sets = [with_artefact(1.0, 0.4, 0), with_artefact(0.7, -0.2, 1)]
    model = replace(FREE, artefact=1, **KINDS[kind])
    apart = global_fit(sets, model, starts=0)
    given = lmfit_parameters(model, sets, shared_spectra=True)
    given["scale_set_1"].vary = False
    every = {"shared_spectra": True, "own_spectra": model.spectra}
    fit = global_fit(sets, model, parameters=given, starts=0, **every)
    assert fit.ssr == pytest.approx(apart.ssr, rel=1e-8)
    assert fit.degrees_of_freedom == apart.degrees_of_freedom
    for i in (0, 1):
        assert np.allclose(fit.spectra(i).values, apart.spectra(i).values, atol=1e-7)
        assert np.allclose(fit.fitted(i), apart.fitted(i), atol=1e-7)
        one, two = fit.spectra(i).standard_errors, apart.spectra(i).standard_errors
        assert np.nanmedian(one / two) == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("holes", [0.0, 0.02])
@pytest.mark.parametrize("chirp", [0.0, -0.5])
def test_shared_spectra_with_an_artefact_of_each_sets_own(holes, chirp):
    """A solvent's response that does not grow with the solute: common spectra alone leave it in."""
    sets, rng = [], np.random.default_rng(5)
    for seed, (factor, height) in enumerate([(1.0, 0.4), (0.6, -0.4)]):
        spectra = [factor * bell(centre) for centre in (540, 600, 660)]
        m = chain(spectra, seed=seed, chirp=chirp)
        z = (DELAYS[:, None] - chirp * (1e3 / NM - 1e3 / 600)) / S
        y = m.signal + height * np.exp(-0.5 * z**2) * bell(620, 40)
        y = np.where(rng.random(y.shape) < holes, np.nan, y)
        sets.append(replace(m, name=f"set {seed}", signal=y))
    dispersion = {"dispersion": (-0.4,), "reference_nm": 600.0} if chirp else {}
    model = replace(FREE, artefact=1, **dispersion)
    common = global_fit(sets, model, shared_spectra=True)
    fit = global_fit(sets, model, shared_spectra=True, own_spectra=("artefact",))
    assert fit.ssr < 0.7 * common.ssr
    within(fit)
    scale = fit["scale_set_1"]
    assert abs(scale.value - 0.6) < 4 * scale.standard_error < 0.02
    names = fit.spectra().names
    for i in (0, 1):
        found = fit.spectra(i)
        at = names.index("artefact 1")
        off = (found.values[at] - (0.4, -0.4)[i] * bell(620, 40)) / found.standard_errors[at]
        assert np.sqrt(np.mean(off**2)) < 2
    first = names.index("decay 1")
    assert np.array_equal(fit.spectra(0).values[first], fit.spectra(1).values[first])
    record = export.fit_record(fit)
    assert export.repeat(record, sets).ssr == pytest.approx(fit.ssr, rel=1e-9)


def test_own_spectra_are_among_the_models():
    sets = [with_artefact(1.0, 0.0, 0), with_artefact(0.7, 0.0, 1)]
    with pytest.raises(ValueError, match=r"own spectra.*decay 1.*glow"):
        global_fit(sets, FREE, shared_spectra=True, own_spectra=("glow",))
