"""Linked sets that share some of their spectra and have others each for itself."""

from dataclasses import replace

import numpy as np
import pytest

from peled.transient_absorption import (
    EqualAreas,
    Model,
    export,
    global_fit,
    lmfit_parameters,
    matrix,
)
from peled.transient_absorption.dispersed import NormalBlock
from peled.transient_absorption.irf import gaussian_decay
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
    if "terms" in kind:
        late = np.clip(DELAYS, 0, None)
        wave = 0.3 * (DELAYS > 0) * np.exp(-late / 3) * np.cos(np.pi * late)
        sets = [replace(m, signal=m.signal + np.outer(wave, bell(580, 30))) for m in sets]
    model = replace(FREE, artefact=1, **KINDS[kind])
    apart = global_fit(sets, model, starts=0)
    given = lmfit_parameters(model, sets, shared_spectra=True)
    given["scale_set_1"].vary = False
    every = {"shared_spectra": True, "own_spectra": model.spectra}
    fit = global_fit(sets, model, parameters=given, starts=0, **every)
    assert fit.ssr == pytest.approx(apart.ssr, rel=1e-8) and fit.converged and apart.converged
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


# ---- initial populations -------------------------------------------------------------------------

TAUS = (0.4, 8.0, 300.0)
SPECTRA = [bell(540), bell(600, 20), bell(660)]
MIXED = Model(TAUS, fwhm_ps=0.12, populations=("decay 2", "decay 3"))
AREAS = (EqualAreas("decay 1", "decay 2"), EqualAreas("decay 1", "decay 3", ratio=0.8, weight=0.5))


def mixture(populations, seed, sigma=1e-4, chirp=0.0):
    x = DELAYS[:, None] - chirp * (1e3 / NM - 1e3 / 600)
    y = sum(
        n * gaussian_decay(x, 1 / tau, S) * a
        for n, tau, a in zip(populations, TAUS, SPECTRA, strict=True)
    )
    y = y + sigma * np.random.default_rng(seed).standard_normal(y.shape)
    return matrix(DELAYS, NM, y, name=f"set {seed}")


def test_steps_of_linked_sets_under_rules_from_gram_matrices():
    """Known spectra, windows, limits at zero, populations and scales at once: the same cost,
    gradient and Hessian as orthogonal projections give."""
    sets = [mixture((1, 0.5, 0.8), 0, chirp=-0.4), mixture((0.7, 0.9, 0.2), 1, chirp=-0.4)]
    model = replace(
        MIXED, dispersion=(-0.3,), non_negative=True, artefact=1,
        known={"decay 1": (NM, SPECTRA[0])}, zero_nm={"decay 3": ((500, 560),)},
    )  # fmt: skip
    rough = global_fit(sets, model, shared_spectra=True, starts=0, max_evaluations=2)
    block, u = rough.setup.problem.blocks[0], rough.setup.expand(rough.theta)[0]
    assert isinstance(block, NormalBlock)
    fast, slow = block.evaluate(u), block.exact_block.evaluate(u)
    assert fast.cost == pytest.approx(slow.cost, rel=1e-9)
    for name in ("gradient", "hessian"):
        one, two = getattr(fast, name), getattr(slow, name)
        assert np.allclose(one, two, rtol=1e-6, atol=1e-8 * np.abs(two).max())


@pytest.mark.parametrize("rules", [{}, {"equal_areas": AREAS}, {"non_negative": True}], ids=str)
@pytest.mark.parametrize("dispersion", [(), (-0.4,)])
def test_gradients_by_populations(rules, dispersion):
    sets = [mixture((1, 1, 1), 0, 3e-4), mixture((0.8, 0.3, 0.5), 1, 3e-4)]
    model = replace(MIXED, dispersion=dispersion, **rules)
    gradient_check(model, sets, shared_spectra=True)
    sets = [with_artefact(1.0, 0.4, 0), with_artefact(0.7, -0.2, 1)]
    scheme = replace(FREE.scheme, initial={"1": 1.0, "2": 0.3})
    model = replace(FREE, scheme=scheme, populations=("2",), dispersion=dispersion, artefact=1)
    gradient_check(model, sets, shared_spectra=True)


def test_sets_in_which_the_same_species_are_made_in_other_proportions():
    """Their populations are those of the first set times factors, which are found as often as
    their errors say; common spectra alone, or a scale, do not describe it."""
    made = (0.8, 0.24, 0.56)
    true = {"scale_set_1": 0.8, "population_decay_2_set_1": 0.3, "population_decay_3_set_1": 0.7}
    pulls = []
    for seed in range(16):
        sets = [mixture(n, at + seed, chirp=-0.5) for n, at in (((1, 1, 1), 100), (made, 200))]
        names = [m.name.replace(" ", "_") for m in sets]
        model = replace(MIXED, dispersion=(-0.5,), t0_ps=0.0)
        fit = global_fit(sets, model, shared_spectra=True, starts=0)
        assert "population_decay_2_" + names[0] not in fit.free and not fit.null.shape[1]
        found = [fit[name.replace("set_1", names[1])] for name in true]
        pulls += [(e.value - t) / e.standard_error for e, t in zip(found, true.values())]
        assert all(e.standard_error < 0.02 for e in found)
    assert 0.7 < np.sqrt(np.mean(np.square(pulls))) < 1.4 and np.abs(pulls).max() < 4
    assert np.allclose(fit.spectra().values, SPECTRA, atol=1e-3)
    assert np.allclose(fit.dads(1).values, np.array(made)[:, None] / 0.8 * SPECTRA, atol=1e-3)
    common = global_fit(sets, replace(model, populations=()), shared_spectra=True, starts=0)
    assert common.ssr > 2 * fit.ssr


def test_areas_that_have_a_ratio_give_the_populations_of_the_first_set_too():
    """They are a convention, which leaves the residual as it is: errors are those of the areas'
    noise, as repeated draws show."""
    areas = np.sum(SPECTRA, axis=1)
    values, errors = [], []
    for seed in range(12):
        sets = [mixture((1, 1, 1), 300 + seed, 3e-4), mixture((0.8, 0.24, 0.56), 400 + seed, 3e-4)]
        model = replace(MIXED, equal_areas=AREAS, t0_ps=0.0, fwhm_ps=0.12)
        fit = global_fit(sets, model, shared_spectra=True, starts=0)
        found = [fit[f"population_decay_{i}_set_{300 + seed}"] for i in (2, 3)]
        values.append([e.value for e in found])
        errors.append([e.standard_error for e in found])
    free = global_fit(sets, replace(model, equal_areas=()), shared_spectra=True, starts=0)
    assert fit.ssr == pytest.approx(free.ssr, rel=1e-8)
    assert fit.degrees_of_freedom == free.degrees_of_freedom
    sums = fit.spectra().values.sum(axis=1)
    assert sums[0] == pytest.approx(sums[1], rel=1e-4) == pytest.approx(0.8 * sums[2], rel=1e-4)
    true = areas[1:] / areas[0] * (1, 0.8)
    scatter = np.std(values, axis=0, ddof=1)
    assert np.allclose(np.mean(values, axis=0), true, atol=4 * scatter.max() / np.sqrt(12))
    assert np.allclose(scatter / np.mean(errors, axis=0), 1, atol=0.5)
    record = export.fit_record(fit)
    assert export.repeat(record, sets).ssr == pytest.approx(fit.ssr, rel=1e-9)


def test_areas_within_a_window_and_weighted_wavelengths():
    """A single set whose spectra are tied is pulled from its best fit as far as the weight says."""
    m = mixture((1, 1, 1), 0)
    m = replace(m, standard_error=np.broadcast_to(np.linspace(1, 3, len(NM)), m.shape))
    within = (550.0, 640.0)
    model = Model(TAUS, t0_ps=0.0, fwhm_ps=0.12, fixed=("t0", "fwhm"))
    ratios = []
    for weight in (1e-6, 1e3):
        tie = EqualAreas("decay 1", "decay 2", weight=weight, window_nm=within)
        fit = global_fit(m, replace(model, equal_areas=(tie,)), starts=0)
        one, two, _ = fit.spectra().values[:, (within[0] <= NM) & (within[1] >= NM)].sum(axis=1)
        ratios.append(one / two)
    assert abs(ratios[0] - 1) > 0.3 and ratios[1] == pytest.approx(1, abs=1e-3)


def test_populations_are_those_of_species_and_start_above_zero():
    with pytest.raises(ValueError, match=r"populations of decay 1.*found glow"):
        replace(MIXED, populations=("glow",))
    with pytest.raises(ValueError, match=r"start above zero.*'2': 0.0"):
        replace(FREE, populations=("2",))
