"""Kinetics that are no sum of exponentials, perturbed free induction, and what may be demanded of
the species' spectra."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.optimize import nnls

from peled.transient_absorption import Model, Scheme, global_fit, matrix
from peled.transient_absorption.density import LifetimeDensity
from peled.transient_absorption.irf import FWHM_PER_SIGMA, gaussian, gaussian_decay
from peled.transient_absorption.terms import (
    CM_PER_PS,
    FreeInduction,
    PowerLaw,
    Recombination,
    Stretched,
)
from test_transient_absorption import gradient_check

DELAYS = np.unique(np.round(np.r_[np.arange(-1, 1.5, 0.05), np.geomspace(1.5, 900, 45)], 5))
NM = np.linspace(500, 700, 24)
S = 0.12 / FWHM_PER_SIGMA
SIGMA = 1e-4


def bell(centre, width=30.0):
    return 1e-2 * np.exp(-0.5 * ((NM - centre) / width) ** 2)


def measured(clean, seed=0, sigma=SIGMA, **more):
    rng = np.random.default_rng(seed)
    m = matrix(DELAYS, NM, clean + sigma * rng.standard_normal(clean.shape), name=f"set {seed}")
    return replace(m, **more)


# ---- kinetics that are no sum of exponentials ----------------------------------------------------


class _At:
    """What a law sees of a data set."""

    class matrix:
        fluence, wavelength_nm = 3.0, NM


LAWS = [
    Stretched(20.0, 0.6),
    PowerLaw(5.0, 0.4),
    Recombination({2: 30.0}),
    Recombination({1: 300.0, 2: 40.0, 3: 90.0}),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: "+".join(law.names))
def test_a_law_is_the_convolution_and_has_its_derivatives(law):
    v, x = np.log(law.start), np.array([-0.3, -0.05, 0.0, 0.03, 0.2, 1.0, 40.0])
    c, d, dx, ds = law.made(v, x, S, _At, True)

    def population(t):
        return float(law.population(v, np.array(t), 3.0)[0])

    for at, value in zip(x, c[:, 0], strict=True):
        low, high = max(at - 8 * S, 0.0), max(at + 8 * S, 0.0)
        whole = quad(lambda t, at=at: population(t) * gaussian(at - t, S), low, high, epsabs=1e-7)[
            0
        ]
        assert value == pytest.approx(whole, abs=1e-6)
    h = 1e-5
    for i in range(len(v)):
        step = h * np.eye(len(v))[i]
        up, down = (law.made(v + k * step, x, S, _At, False)[0] for k in (1, -1))
        assert np.allclose((up - down) / (2 * h), d[i], atol=2e-6)
    up, down = (law.made(v, x + k * 1e-5, S, _At, False)[0] for k in (1, -1))
    assert np.allclose((up - down) / 2e-5, dx, atol=1e-4)
    up, down = (law.made(v, x, S * (1 + k * 1e-5), _At, False)[0] for k in (1, -1))
    assert np.allclose((up - down) / 2e-5, ds, atol=1e-5)


def test_recombination_has_its_closed_forms_and_solves_its_equation():
    t = np.geomspace(1e-3, 1e5, 60)
    second, _ = Recombination({2: 30.0}).population(np.log([30.0]), t, 3.0)
    assert np.allclose(second, 3 / (1 + 3 * t / 30), rtol=1e-7)
    third, _ = Recombination({3: 30.0}).population(np.log([30.0]), t, 3.0)
    assert np.allclose(third, 3 / np.sqrt(1 + 2 * 9 * t / 30), rtol=1e-7)
    both, _ = Recombination({1: 50.0, 2: 30.0}).population(np.log([50.0, 30.0]), t, 3.0)
    e = np.exp(-t / 50)  # Bernoulli's equation
    assert np.allclose(both, 3 * e / (1 + 3 * 50 / 30 * (1 - e)), rtol=1e-6, atol=1e-12)
    law = Recombination({1: 300.0, 2: 40.0, 3: 90.0}, reference=2.0)
    v = np.log(law.start)

    def slope(_, n):
        return -n / 300 - n**2 / 40 - n**3 / 90

    known = solve_ivp(slope, (0, 900), [1.5], t_eval=[1, 10, 100, 900], rtol=1e-10, atol=1e-13)
    found, _ = law.population(v, known.t, 3.0)
    assert np.allclose(found, known.y[0], rtol=1e-6)


@pytest.mark.parametrize("law", LAWS[:2], ids=lambda law: law.names[-1])
def test_a_law_is_found_beside_a_decay(law):
    v = np.log(law.start)
    slow = law.made(v, DELAYS, S, _At, False)[0][:, 0]
    fast = Stretched(1.0).made(np.log([0.4, 1.0]), DELAYS, S, _At, False)[0][:, 0]
    m = measured(np.outer(slow, bell(560)) + np.outer(fast, bell(640)))
    start = replace(law, tau_ps=2 * law.tau_ps)
    fit = global_fit(m, Model((0.6,), law=start, t0_ps=0.0, fwhm_ps=0.15))
    for name, true in zip(("tau_1", *law.names), (0.4, *law.start), strict=True):
        assert abs(fit[name].value - true) < 4 * fit[name].standard_error < 0.3 * true
    assert fit.flags == () and fit.spectra().names == ("decay 1", "law")
    chirped = replace(fit.model, dispersion=(0.05,))
    gradient_check(chirped, m)


def test_a_fluence_series_in_one_fit():
    """Bimolecular and Auger constants from four fluences in one fit, better than from one alone."""
    law = Recombination({1: 900.0, 2: 60.0, 3: 40.0}, reference=4.0)
    sets = []
    for i, fluence in enumerate((0.5, 1.0, 2.0, 4.0)):

        class At:
            class matrix:
                pass

        At.matrix.fluence = fluence
        n = law.made(np.log(law.start), DELAYS, S, At, False)[0][:, 0]
        sets.append(measured(np.outer(n, bell(600)), seed=i, fluence=fluence))
    start = replace(law, tau_ps={1: 500.0, 2: 100.0, 3: 100.0})
    model = Model(law=start, t0_ps=0.0, fwhm_ps=0.12)
    scales = {f"scale_set_{i}": 1.0 for i in (1, 2, 3)}
    fit = global_fit(sets, model, shared_spectra=True, parameters=scales)
    for name, true in zip(law.names, law.start, strict=True):
        assert abs(np.log(fit[name].value / true)) < 4 * fit[name].standard_error / true
        assert fit[name].standard_error < 0.25 * true
    assert np.allclose(fit.spectra().values[0], bell(600), atol=4 * SIGMA)
    alone = global_fit(sets[-1], model)
    assert alone["tau_third"].standard_error > 1.3 * fit["tau_third"].standard_error
    with pytest.raises(ValueError, match="fluence"):
        global_fit(replace(sets[0], fluence=None), model)


# ---- perturbed free induction --------------------------------------------------------------------


def test_free_induction_before_zero_time_does_not_bend_the_lifetimes():
    """A mid-infrared line: oscillations at negative delays, faster the further from the line."""
    nm = 1e7 / np.linspace(1980.0, 2040.0, 24)[::-1]
    delays = np.r_[np.arange(-6, 2, 0.1), np.geomspace(2, 200, 30)]
    line = FreeInduction(1, (2010.0, 1.8))

    class At:
        class matrix:
            wavelength_nm = nm

    v = np.array([2010.0, np.log(1.8)])
    x = np.broadcast_to(delays, (24, len(delays)))
    waves = line.made(v, x, S, At, False)[0]
    off = 1e7 / nm - 2010.0
    t = delays[delays < -1]
    rate = 1 / 1.8 - 2j * np.pi * CM_PER_PS * off[:, None]
    expected = np.exp(rate * t + 0.5 * (rate * S) ** 2).real  # the response damps fast beats
    assert np.allclose(waves[:, delays < -1, 0], expected, atol=1e-6)
    shape = 1e-2 / (1 + (off / 6) ** 2)
    decay = Stretched(1.0).made(np.log([20.0, 1.0]), delays, S, _At, False)[0]
    y = decay * shape - 0.6 * (waves[:, :, 0] * shape[:, None]).T
    m = matrix(delays, nm, y + SIGMA * np.random.default_rng(0).standard_normal(y.shape))
    model = Model(
        (15.0,), t0_ps=0.0, fwhm_ps=0.12, free_induction=((2011.0, 1.2),), fixed=("fwhm",)
    )
    gradient_check(model, m)
    fit = global_fit(m, model, starts=0)
    assert abs(fit["line_1"].value - 2010) < 4 * fit["line_1"].standard_error < 1
    assert abs(fit["dephasing_1"].value - 1.8) < 4 * fit["dephasing_1"].standard_error < 0.3
    assert abs(fit.lifetimes_ps[0] - 20) < 4 * fit.lifetime_errors()[0]
    assert fit.ssr < 0.5 * global_fit(m, replace(model, free_induction=()), starts=0).ssr


# ---- what is demanded of spectra -----------------------------------------------------------------


CHAIN = Scheme(
    {("1", "2"): "a", ("2", "3"): "b", ("3", None): "c"},
    {"a": 0.3, "b": 10.0, "c": 400.0},
    {"1": 1.0},
)
TRUE = {"a": 0.4, "b": 14.0, "c": 280.0}
FREE = Model(scheme=CHAIN, t0_ps=0.0, fwhm_ps=0.12)


@pytest.mark.parametrize("chirp", [(), (0.3,)])
def test_an_artefact_of_a_width_of_its_own_and_a_wave_that_rises_before_zero_time(chirp):
    """As of a thick cell and of pump pulses that overlap; the response keeps its own width."""
    x = DELAYS[:, None] - sum(d * (1e3 / NM - 1e3 / 600) for d in chirp)
    wide, tau, period, s = 0.3 / FWHM_PER_SIGMA, 0.25, 0.6, S
    pulse = np.exp(-0.5 * (x / wide) ** 2)
    fine = np.linspace(-6 * s, 6 * s, 241)
    shape = gaussian(fine, s) * (fine[1] - fine[0])
    at = x[:, :, None] - fine
    y = (np.exp(np.minimum(at, 0) / tau) * (at < 0) * np.cos(2 * np.pi * at / period)) @ shape
    decay = gaussian_decay(x, 1 / 20.0, s)
    clean = decay * bell(560) + pulse * bell(620) - x / wide * pulse * bell(600) + y * bell(650)
    m = measured(clean)
    model = Model(
        (15.0,), t0_ps=0.0, fwhm_ps=0.12, dispersion=chirp, reference_nm=600.0, artefact=2,
        artefact_fwhm_ps=0.2, oscillations=((0.55, -0.3),),
    )  # fmt: skip
    fit = global_fit(m, model, starts=0)
    true = {"tau_1": 20.0, "width_artefact": 0.3, "period_1": period, "damping_1": tau}
    for name, value in true.items():
        assert abs(fit[name].value - value) < 4 * fit[name].standard_error < 0.1 * value
    assert abs(fit["fwhm"].value - 0.12) < 4 * fit["fwhm"].standard_error
    names = fit.spectra().names
    assert names[:3] == ("decay 1", "artefact 1", "artefact 2")
    assert np.allclose(fit.spectra().values[1], bell(620), atol=1e-3)
    gradient_check(model, m)
    with pytest.raises(ValueError, match=r"artefact_fwhm_ps.*0.3 of 0 columns"):
        Model((1.0,), artefact_fwhm_ps=0.3)


def chain(spectra, t0=0.0, bleach=None, seed=0, chirp=0.0):
    xi = 1e3 / NM - 1e3 / 600
    k = np.array([1 / t for t in TRUE.values()])

    x = DELAYS[:, None] - t0 - chirp * xi
    decays = np.stack([gaussian_decay(x, rate, S) for rate in k], -1)
    scheme = replace(CHAIN, start_ps=TRUE)
    c = decays @ scheme.rates(list(TRUE.values()))[2]
    y = np.einsum("twn,nw->tw", c, np.array(spectra))
    return measured(y if bleach is None else y - c.sum(-1) * bleach, seed)


def within(fit, errors=4.0):
    for name, true in TRUE.items():
        e = fit[f"tau_{name}"]
        assert abs(e.value - true) < errors * e.standard_error < 0.5 * true


def test_gradients_under_every_rule():
    m = chain([bell(540), bell(600), bell(660)], chirp=-0.5)
    holes = np.random.default_rng(3).random(m.shape) < 0.02
    m = replace(m, signal=np.where(holes, np.nan, m.signal))
    model = replace(FREE, dispersion=(-0.4,), artefact=2, infinite=True)
    gradient_check(replace(model, non_negative=True), m)
    gradient_check(replace(model, zero_nm={"3": ((500, 580),)}, alike={"2": ("1", 0.5)}), m)
    known = {"bleach": (NM, bell(620, 20)), "1": (NM, bell(540))}
    rules = {"known": known, "zero_nm": {"2": ((500, 560),), "3": ((500, 600),)}}
    gradient_check(replace(model, **rules), m)
    other = replace(chain([bell(540), bell(600), bell(660)], t0=0.1, seed=1), name="other")
    gradient_check(replace(model, **rules), [m, other], shared_spectra=True)
    guided = {"guides": {"2": (NM, bell(605), 0.3)}, "zero_nm": {"3": ((500, 560),)}}
    gradient_check(replace(model, **guided), [m, other], shared_spectra=True)
    gradient_check(replace(model, **guided), [m, other])


def test_a_known_bleach_gives_the_excited_absorption_behind_it():
    """The absorbance before the pulse, and states that absorb on one side only: their spectra and
    the share of depleted ground state come out."""
    ground = bell(600, 25)
    spectra = [0.5 * bell(530, 25), 0.8 * bell(545, 20), 0.4 * bell(520, 20)]
    m = chain(spectra, bleach=0.7 * ground)
    wide = np.linspace(450, 750, 200)
    absorbance = 1e-2 * np.exp(-0.5 * ((wide - 600) / 25) ** 2)
    zero = {name: ((620.0, 720.0),) for name in "123"}
    fit = global_fit(m, replace(FREE, known={"bleach": (wide, absorbance)}, zero_nm=zero))
    within(fit)
    size = fit["size_bleach"]
    assert abs(size.value - 0.7) < 4 * size.standard_error < 0.1
    assert np.all(np.abs(fit.sads().values - spectra) < 5 * fit.sads().standard_errors + 1e-5)
    assert fit.ssr == pytest.approx(float(np.sum(fit.residual() ** 2)), rel=1e-9)
    # the decays' spectra are those of the same curves without any rule
    free = global_fit(m, FREE)
    assert np.allclose(fit.dads().values, free.dads().values, atol=1e-3)
    # without windows the excited states could absorb whatever the bleach takes away
    loose = global_fit(m, replace(FREE, known={"bleach": (wide, absorbance)}), starts=0)
    assert np.isnan(loose["size_bleach"].value) or loose["size_bleach"].at_bound
    within(loose)
    with pytest.raises(ValueError, match="expected finite values from"):
        global_fit(m, replace(FREE, known={"bleach": (NM[3:], ground[3:])}))


def test_a_guide_tells_the_yield_that_decays_alone_do_not():
    """A makes B or is lost: the decays give the sum of both rates, the spectrum of B measured in a
    solution of it the share of each. What the guide errs by is in the error."""
    transfers = {("A", "B"): "ab", ("A", None): "loss", ("B", None): "b"}
    scheme = Scheme(transfers, {"ab": 20.0, "loss": 20.0, "b": 400.0}, {"A": 1.0})
    truth = Scheme(transfers, {"ab": 12.0, "loss": 30.0, "b": 300.0}, {"A": 1.0})
    k, _, t = truth.rates([12.0, 30.0, 300.0])
    c = np.column_stack([gaussian_decay(DELAYS, each, S) for each in k]) @ t
    model = Model(scheme=scheme, t0_ps=0.0, fwhm_ps=0.12, fixed=("t0", "fwhm"))

    def guided(*guide):
        return replace(model, guides={"B": (NM, *guide)}, fixed=("t0", "fwhm", "guide_B"))

    off, errors = [], []
    for seed in range(8):
        rng = np.random.default_rng(100 + seed)
        m = measured(c @ np.array([bell(540), bell(600)]), seed)
        m = replace(m, standard_error=np.full(m.shape, SIGMA))
        other = bell(600) + 2 * SIGMA * rng.standard_normal(len(NM))
        fit = global_fit(m, guided(other, 2 * SIGMA), starts=0)
        found = fit["tau_ab"]
        off.append((found.value - 12.0) / found.standard_error)
        errors.append(found.standard_error)
        assert fit.size == m.signal.size + len(NM)
    assert np.sqrt(np.mean(np.square(off))) < 2 and np.median(errors) < 2
    alone = global_fit(m, model, starts=0)
    assert np.isnan(alone["tau_ab"].value)
    same = global_fit(m, guided(other, 1e-9), starts=0).sads().values[1]  # as good as known
    assert np.allclose(same, other, atol=1e-7)
    with pytest.raises(ValueError, match="errors above zero"):
        global_fit(m, guided(other, 0.0))
    with pytest.raises(ValueError, match="needs no guide"):
        replace(guided(other), known={"B": (NM, other)})


def test_equal_spectra_part_what_decays_alone_do_not():
    """The last two states look alike (s2 = s3): fewer spectra, the same lifetimes."""
    m = chain([bell(540), bell(620), bell(620)])
    fit = global_fit(m, replace(FREE, alike={"3": ("2", 1.0)}))
    assert fit.spectra().names == ("1", "2", "3")
    values = fit.sads().values
    assert np.allclose(values[1], values[2], rtol=1e-12)
    assert np.allclose(values[1], bell(620), atol=4e-4)
    assert fit.degrees_of_freedom == global_fit(m, FREE).degrees_of_freedom + len(NM)
    assert abs(fit["tau_c"].value - 280) < 4 * fit["tau_c"].standard_error
    sum_of = fit["tau_a"]
    assert abs(sum_of.value - 0.4) < 4 * sum_of.standard_error


def test_windows_are_zero_inside_and_free_outside():
    m = chain([bell(540), bell(600), bell(660)])
    fit = global_fit(m, replace(FREE, zero_nm={"1": ((640.0, 700.0),)}))
    within(fit)
    first = fit.sads().values[0]
    assert not first[NM >= 640].any() and first[NM < 640].all()
    assert fit.setup.linear == 3 * len(NM) - np.count_nonzero(NM >= 640)


def test_non_negative_spectra_with_chirp_and_missing_cells():
    m = chain([bell(530, 12), bell(600, 12), bell(670, 12)], chirp=-0.5)
    holes = np.random.default_rng(3).random(m.shape) < 0.03
    m = replace(m, signal=np.where(holes, np.nan, m.signal))
    model = replace(FREE, dispersion=(-0.4,), non_negative=True)
    fit = global_fit(m, model, starts=0)
    within(fit)
    sads = fit.sads().values
    assert sads.min() >= 0 and np.count_nonzero(sads == 0) > 5
    (block,) = fit.setup.problem.blocks
    c = fit._solved[0][1]
    expected = sum(nnls(c[w], block.data[:, w])[1] ** 2 for w in range(len(NM)))
    assert fit.ssr == pytest.approx(expected, rel=1e-6)


def test_rules_that_contradict_or_name_nobody_are_refused():
    for rules, said in (
        ({"zero_nm": {"4": ((1, 2),)}}, "found 4"),
        ({"alike": {"2": ("3", 1.0), "3": ("1", 1.0)}}, "more than one rule"),
        ({"known": {"1": (NM, NM)}, "zero_nm": {"1": ((500, 600),)}}, "more than one rule"),
    ):
        with pytest.raises(ValueError, match=said):
            replace(FREE, **rules)
    with pytest.raises(ValueError, match="give one"):
        Model((1.0,), known={"bleach": (NM, NM)})


def test_shared_spectra_count_their_weights():
    """Two sets of unlike noise, one half as strong: errors of a point weigh it and move nothing."""
    one = chain([bell(540), bell(600), bell(660)], seed=1)
    two = chain([bell(540), bell(600), bell(660)], seed=2)
    noisy = SIGMA * (1 + np.linspace(0, 4, len(NM)))
    rng = np.random.default_rng(5)
    signal = 0.5 * (two.signal + noisy * rng.standard_normal(two.shape))
    two = replace(two, signal=signal, standard_error=np.broadcast_to(noisy, two.shape) * 0.5)
    one = replace(one, standard_error=np.full(one.shape, SIGMA))
    fit = global_fit([one, two], FREE, shared_spectra=True)
    scale = fit["scale_set_2"]
    assert abs(scale.value - 0.5) < 4 * scale.standard_error < 0.05
    within(fit)


@pytest.mark.parametrize("height, counted", [(0.12, True), (0.08, False)])
def test_a_peak_of_a_density_counts_from_a_tenth_of_the_highest_on(height, counted):
    lifetimes = np.geomspace(0.1, 100, 7)
    density = np.outer([0.0, 1.0, 0.0, 0.0, 0.0, height, 0.0], [1.0, -1.0, 1.0])
    empty = np.zeros(1)
    made = LifetimeDensity(lifetimes, np.arange(3.0), density, 1.0, "", empty, empty, empty)
    assert len(made.peaks()) == 1 + counted
