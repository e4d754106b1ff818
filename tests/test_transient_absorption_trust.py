"""What real files do to a global fit: missing cells, moved zero times, late starts, scans, noise as
lasers make it, parameters that the data do not determine; and the models that need every
wavelength's own zero time."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from peled.transient_absorption import (
    Model,
    Scheme,
    before_after,
    bootstrap,
    export,
    global_fit,
    lifetime_density,
    matrix,
    noise,
    number_of_components,
    preprocess,
    profile,
    workflow,
)
from peled.transient_absorption.components import STAYS, lasting, moving_baseline
from peled.transient_absorption.dispersed import NormalBlock
from peled.transient_absorption.drift import drift, without
from peled.transient_absorption.irf import damped_wave, gaussian, gaussian_decay
from peled.transient_absorption.matrices import resolved_artefact

WAVELENGTH = np.linspace(480, 720, 60)
DELAYS = np.r_[np.arange(-1.5, 3, 0.05), np.geomspace(3, 800, 50)]
EARLY = np.r_[np.arange(-1, 2, 0.05), np.geomspace(2, 500, 40)]
BANDS = ((1.0, 0.4, 520.0), (-1.5, 14.0, 600.0), (1.0, 280.0, 660.0))
SIGMA = 1e-4


def film(
    delays=DELAYS,
    wavelength=WAVELENGTH,
    bands=BANDS,
    t0=0.0,
    chirp=(),
    seed=0,
    sigma=SIGMA,
    name="set",
):
    """Bands (amplitude, lifetime, centre) of 10 mOD through a response of 0.12 ps, zero time t0 + Σ
    d_j ξ^j."""
    xi = 1e3 / wavelength - 1e3 / 600
    x = delays[:, None] - t0 - sum(d * xi ** (j + 1) for j, d in enumerate(chirp))
    y = sum(
        1e-2 * a * gaussian_decay(x, 1 / tau, 0.05) * np.exp(-(((wavelength - c) / 45) ** 2))
        for a, tau, c in bands
    )
    rng = np.random.default_rng(seed)
    return matrix(delays, wavelength, y + sigma * rng.standard_normal(y.shape), name=name)


def holes(m, share, seed=1):
    gone = np.random.default_rng(seed).random(m.shape) < share
    return replace(m, signal=np.where(gone, np.nan, m.signal))


def started(m, lifetimes=(0.4, 14.0, 280.0)):
    return workflow.start_model(
        m, lifetimes_ps=lifetimes, fwhm_ps=0.1, dispersion_order=2, artefact=0
    )[0]


# ---- missing cells -------------------------------------------------------------------------------


def test_missing_cells_cost_no_delay_and_only_their_share_of_certainty():
    whole = film(chirp=(-1.0, -0.4))
    errors, rows = [], []
    for share in (0.0, 0.01, 0.3):
        m = holes(whole, share)
        fit = global_fit(m, started(m), starts=0)
        off = np.log(fit.lifetimes_ps / (0.4, 14.0, 280.0)) * fit.lifetimes_ps
        assert np.all(np.abs(off) < 4 * fit.lifetime_errors())
        assert np.isfinite(fit.fitted()).all() and fit.size == np.isfinite(m.signal).sum()
        errors.append(fit.lifetime_errors())
        flat = workflow.without_chirp(m, fit)
        rows.append(len(flat.delay_ps))
        again = global_fit(flat, replace(started(m), dispersion=(), t0_ps=None), starts=0)
        assert np.allclose(again.lifetimes_ps, (0.4, 14.0, 280.0), rtol=0.06)
    assert len(set(rows)) == 1 and rows[0] > 0.9 * len(DELAYS)
    assert np.all(errors[2] > 1.02 * errors[0]) and np.all(errors[2] < 1.6 * errors[0])


def test_every_step_takes_missing_cells():
    m = holes(film(EARLY, name="before"), 0.02)
    model = Model((0.3, 10.0, 300.0), t0_ps=0.0, fwhm_ps=0.1)
    fit = global_fit(m, model)
    draws = bootstrap(fit, 60)
    assert draws.failed == 0
    spread = np.log(draws.lifetimes).std(0)
    assert np.allclose(spread, fit.lifetime_errors() / fit.lifetimes_ps, rtol=0.45)
    assert number_of_components(m, model, most=4).supported == 3
    gap = np.abs(np.log(profile(fit, "tau_2").low / 14.0))
    assert gap < 0.05
    test = before_after(m, holes(film(EARLY, name="after", seed=5), 0.02, seed=3), model, starts=0)
    assert test.lifetimes_p > 1e-3
    given = {"t0_ps": 0.0, "fwhm_ps": 0.12, "strength": 1.0}
    with_holes, without = (lifetime_density(x, **given) for x in (m, film(EARLY)))
    close = np.abs(with_holes.density - without.density).max()
    assert close < 0.1 * np.abs(without.density).max()
    assert export.matrix_csv(m).count("NaN") == np.isnan(m.signal).sum()


def test_density_of_missing_cells_is_least_squares_over_the_others():
    """Normal equations of each wavelength written out, against the filled fit."""
    m = holes(film(EARLY[::3], WAVELENGTH[::12]), 0.15)
    tau = np.geomspace(0.2, 500, 12)
    found = lifetime_density(
        m, t0_ps=0.0, fwhm_ps=0.12, lifetimes_ps=tau, strength=0.1, penalty="identity", offset=True
    )
    s = 0.12 / 2.3548200450309493
    c = np.column_stack([gaussian_decay(m.delay_ps[:, None], 1 / tau, s), np.ones(len(m.delay_ps))])
    weight = np.diag(np.r_[np.full(12, 0.1**2), 0.0])
    for j, y in enumerate(m.signal.T):
        good = np.isfinite(y)
        expected = np.linalg.solve(c[good].T @ c[good] + weight, c[good].T @ y[good])[:12]
        assert np.allclose(found.density[:, j], expected, atol=1e-6 * np.abs(expected).max())


# ---- zero time, background, dispersion -----------------------------------------------------------


@pytest.mark.parametrize("t0", [0.0, -8.0, 40.0])
def test_zero_time_and_background_wherever_the_stage_stands(t0):
    m = film(DELAYS + t0, t0=t0)
    m = replace(m, signal=m.signal + 3e-3 * np.sin(WAVELENGTH / 9))
    out = preprocess.subtract_background(m)
    assert preprocess.estimate_t0(m) == pytest.approx(t0, abs=0.06)
    assert np.abs(out.signal[out.delay_ps < t0 - 0.5].mean(0)).max() < 5 * SIGMA / np.sqrt(10)


def test_signal_from_the_first_delay_on_is_no_background():
    late = film(np.geomspace(0.3, 800, 60), bands=((1.0, 8.0, 620.0), (1.0, 120.0, 680.0)))
    out = workflow.prepare(late, window_nm=None, background_before_ps=-0.7)
    assert np.array_equal(out.signal, late.signal)
    assert any("none subtracted" in step for step in out.steps)
    for model in (Model((5.0, 100.0), irf=None), Model((5.0, 100.0), fwhm_ps=0.1)):
        fit = global_fit(out, model)
        assert np.all(np.abs(fit.lifetimes_ps - (8.0, 120.0)) < 4 * fit.lifetime_errors())
    assert any("no rise" in flag for flag in fit.flags)


def test_background_belongs_to_each_wavelength():
    """Over a chirp of half a picosecond blue has risen before the first delay, red has not."""
    delays = np.r_[np.arange(0, 3, 0.05), np.geomspace(3, 500, 40)]
    bands = ((1.0, 30.0, 520.0), (1.0, 30.0, 600.0), (1.0, 30.0, 680.0))
    m = film(delays, bands=bands, t0=0.1, chirp=(-1.2,))
    out = preprocess.subtract_background(m)
    kept = np.all(out.signal == m.signal, axis=0)
    zero = 0.1 - 1.2 * (1e3 / WAVELENGTH - 1e3 / 600)
    assert kept[zero < -0.15].all() and not kept[zero > 0.35].any()
    assert "none at" in out.steps[-1]


@pytest.mark.parametrize(("moved", "other"), itertools.product((0.0, 0.4), (-1.0, -2.0)))
def test_sets_have_their_own_zero_time_and_share_a_dispersion_only_if_they_do(moved, other):
    sets = [
        film(chirp=(-1.0, -0.4), seed=1, name="first"),
        film(t0=moved, chirp=(other, -0.4), seed=2, name="second"),
    ]
    model = started(sets[0])
    if other == -1.0:
        joint = workflow.common_dispersion(sets, model)
    else:
        with pytest.warns(UserWarning, match="does not share"):
            joint = workflow.common_dispersion(sets, model)
        assert any("does not share" in flag for flag in joint.flags)
    model = workflow.with_dispersion(model, joint)
    assert ("dispersion_1" in model.fixed) == (other == -1.0)
    for m in sets:
        fit = global_fit(m, model)
        assert np.all(np.abs(fit.lifetimes_ps - (0.4, 14.0, 280.0)) < 4 * fit.lifetime_errors())


def test_windows_of_other_probes_and_struck_delays_are_said():
    m = film()
    out = workflow.prepare(m, window_nm=(715, 1300))
    assert out.shape[1] == m.shape[1] and "not applied" in out.steps[0]
    struck = replace(
        m, signal=m.signal + np.where(np.arange(len(DELAYS)) == 110, 4e-3, 0.0)[:, None]
    )
    assert preprocess.struck_delays(m) == ()
    (at,) = preprocess.struck_delays(struck)
    assert at == DELAYS[110]
    proposed = workflow.prepare(struck, window_nm=None)
    assert len(proposed.delay_ps) == len(DELAYS) and any("struck" in s for s in proposed.steps)
    dropped = workflow.prepare(struck, window_nm=None, drop_delays_ps=[at])
    assert len(dropped.delay_ps) == len(DELAYS) - 1
    with pytest.raises(ValueError, match="no delay at"):
        preprocess.drop_delays(m, [3.33])


# ---- scans ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 12])
def test_scans_with_different_dead_pixels(count):
    rng = np.random.default_rng(count)
    clean = film(EARLY, sigma=0.0)
    size = SIGMA * np.where(np.arange(count) == 1, 3.0, 1.0)
    scans = []
    for i, s in enumerate(size):
        y = clean.signal + s * rng.standard_normal(clean.shape)
        y[:, 5 + i] = np.nan
        y[7 + i, 20] = np.nan
        scans.append(matrix(EARLY, WAVELENGTH, y))
    mean = preprocess.average_scans(scans)
    assert mean.shape == clean.shape and np.isfinite(mean.signal).all()
    pull = (mean.signal - clean.signal) / mean.standard_error
    assert np.mean(np.abs(pull) < 2) == pytest.approx(0.95, abs=0.04)
    if count > 2:  # the noisy scan counts for a ninth
        best = 1 / np.sqrt(np.sum(1 / size**2))
        assert np.std(mean.signal - clean.signal) == pytest.approx(best, rel=0.08)
    weighted = preprocess.smooth_errors(mean)
    fit = global_fit(weighted, Model((0.4, 14.0, 280.0), t0_ps=0.0, fwhm_ps=0.12), starts=0)
    assert fit.ssr / fit.degrees_of_freedom == pytest.approx(1.0, abs=0.25)
    assert fit.rms == pytest.approx(np.std(mean.signal - clean.signal), rel=0.1)


def test_bleaching_over_the_scans_is_said():
    scans = [
        replace(film(EARLY, seed=i), signal=(1 - 0.02 * i) * film(EARLY, seed=i).signal)
        for i in range(6)
    ]
    (note,) = preprocess.average_scans(scans).notes
    assert "falls by 1" in note and note.endswith("over the scans")
    assert preprocess.average_scans([film(EARLY, seed=i) for i in range(6)]).notes == ()


def test_errors_from_scans_are_those_of_the_noise_not_of_the_misfit():
    """Drifting, pixel-common noise in every scan and a model that lacks a decay: the scans still
    tell how far lifetimes scatter."""
    clean = film(EARLY, sigma=0.0).signal
    model = Model((10.0, 200.0), t0_ps=0.0, fwhm_ps=0.12, fixed=("t0", "fwhm"))
    found, said = [], []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        scans = np.stack([clean + 8 * laser_noise("drift", clean, rng) for _ in range(8)])
        fit = global_fit(matrix(EARLY, WAVELENGTH, scans.mean(0)), model, starts=0)
        found.append(fit.theta)
        by_scans = fit.with_scans(scans)
        said.append(np.sqrt(np.diag(by_scans.covariance)))
        assert not any(f.startswith("residual correlated") for f in by_scans.flags)
    wider = noise.widening(np.ones((1, 1)), [[2 / 7]])  # of Student's t, which the errors hold
    assert np.allclose(np.median(said, axis=0) / wider, np.std(found, axis=0), rtol=0.35)
    with pytest.raises(ValueError, match="at least 4"):
        fit.with_scans(scans[:3])


# ---- what the data do not determine --------------------------------------------------------------


def branching(start):
    transfers = {("s1", "s2"): "a", ("s1", "s3"): "b", ("s2", None): "c", ("s3", None): "d"}
    return Model(scheme=Scheme(transfers, start, {"s1": 1.0}), fwhm_ps=0.14, t0_ps=0.0)


@pytest.mark.parametrize(("a", "b"), [(1.2, 1.0), (3.0, 0.6)])
def test_only_the_sum_of_branching_rates_is_determined(a, b):
    m = film(EARLY, bands=((1.0, 0.5, 520.0), (1.0, 5.0, 580.0), (1.0, 80.0, 640.0)))
    fit = global_fit(m, branching({"a": a, "b": b, "c": 4.0, "d": 100.0}))
    for name in ("tau_a", "tau_b"):
        assert np.isnan(fit[name].value) and np.isnan(fit[name].standard_error)
    (total,) = fit.combinations
    assert total.text == "1/tau_a + 1/tau_b" and total.unit == "1/ps"
    assert 0 < total.standard_error < 0.05 and abs(total.value - 2.0) < 4 * total.standard_error
    assert any("only 1/tau_a + 1/tau_b = " in flag for flag in fit.flags)
    for name, truth in (("tau_c", 5.0), ("tau_d", 80.0)):
        assert abs(fit[name].value - truth) < 4 * fit[name].standard_error
    assert np.isfinite(fit.lifetime_errors()).all() and np.isfinite(fit.dads().values).all()
    sads = fit.sads()
    assert np.isfinite(sads.values[0]).all() and np.isnan(sads.values[1]).all()
    again = export.repeat(export.fit_record(fit), m)
    assert again.ssr == pytest.approx(fit.ssr, rel=1e-9)


def test_a_reversible_step_gives_its_invariants_only():
    """A ⇌ B, B → ground: two decays, three rates; their sum and the product of the outer two are
    all that shows."""
    scheme = Scheme(
        {("A", "B"): "on", ("B", "A"): "back", ("B", None): "out"},
        {"on": 1.0, "back": 5.0, "out": 60.0},
        {"A": 1.0},
    )
    tau = np.array([0.8, 4.0, 80.0])
    k = scheme.rates(tau)[0]
    m = film(EARLY, bands=((1.0, 1 / k[0], 540.0), (1.0, 1 / k[1], 640.0)))
    fit = global_fit(m, Model(scheme=scheme, t0_ps=0.0, fwhm_ps=0.12))
    found = {c.text: c for c in fit.combinations}
    assert np.isnan([fit[f"tau_{n}"].value for n in ("on", "back", "out")]).all()
    for text, truth in (
        ("tau_on * tau_out", 64.0),
        ("1/tau_on + 1/tau_back + 1/tau_out", np.sum(1 / tau)),
    ):
        assert abs(found[text].value - truth) < 4 * found[text].standard_error


def test_what_is_not_determined_has_no_interval():
    m = film(EARLY, bands=((1.0, 0.5, 520.0), (1.0, 5.0, 580.0), (1.0, 80.0, 640.0)))
    fit = global_fit(m, branching({"a": 1.2, "b": 1.0, "c": 4.0, "d": 100.0}))
    found = profile(fit, "tau_a")
    assert (found.low, found.high) == (0.0, np.inf)
    assert np.isfinite(profile(fit, "tau_c").high)


def test_a_response_that_no_delay_resolves_is_held():
    delays = np.r_[-2, -1, -0.5, 0, 0.2, 0.5, 1, 2, 4, 8, 16, 32, 100, 400.0]
    for seed in range(4):
        m = film(delays, bands=((1.0, 0.5, 580.0), (1.0, 8.0, 620.0)), seed=seed)
        fit = global_fit(m, Model((0.4, 10.0), fwhm_ps=0.1))
        assert np.all(np.abs(fit.lifetimes_ps - (0.5, 8.0)) < 4 * fit.lifetime_errors())
        held = any("not resolved" in flag for flag in fit.flags)
        assert held == (fit["fwhm"].standard_error is None)
        assert held or fit["fwhm"].value > 0.02


def test_a_bound_costs_its_own_error_only():
    m = film(EARLY, bands=((1.0, 5.0, 520.0), (1.0, 80.0, 640.0)))
    free = Model((5.0, 80.0), t0_ps=0.0, fwhm_ps=0.14)
    fit = global_fit(m, replace(free, bounds_ps={"fwhm": (0.15, 1.0)}))
    held = global_fit(m, replace(free, fwhm_ps=0.15, fixed=("fwhm",)))
    assert fit["fwhm"].at_bound and np.isnan(fit["fwhm"].standard_error)
    assert np.allclose(fit.lifetime_errors(), held.lifetime_errors(), rtol=1e-6)
    assert np.allclose(fit.dads().standard_errors, held.dads().standard_errors, rtol=1e-6)
    own = global_fit(m, replace(free, bounds_ps={"tau_2": (90.0, 200.0)}))
    assert np.isnan(own.lifetime_errors()[1]) and own.lifetime_errors()[0] > 0


# ---- noise as lasers make it ---------------------------------------------------------------------


def laser_noise(kind, clean, rng):
    nt, nw = clean.shape
    white = SIGMA * rng.standard_normal((nt, nw))

    def memory(rho, shape):
        out = rng.standard_normal(shape)
        for i in range(1, nt):
            out[i] = rho * out[i - 1] + np.sqrt(1 - rho**2) * out[i]
        return out

    if kind == "proportional":
        return 0.3 * white + 0.03 * np.abs(clean) * rng.standard_normal((nt, nw))
    if kind == "pump":
        return white + 0.02 * rng.standard_normal((nt, 1)) * clean
    if kind == "delays":
        return SIGMA * memory(0.6, (nt, nw))
    if kind == "common to pixels":
        return white + SIGMA * rng.standard_normal((nt, 1))
    if kind == "common, with memory":
        return white + SIGMA * memory(0.7, (nt, 1))
    if kind.endswith("1/f"):
        power = np.fft.rfftfreq(4 * nt)
        power[0] = power[1]
        pink = np.fft.irfft(np.fft.rfft(rng.standard_normal(4 * nt)) / np.sqrt(power))[:nt, None]
        pink = pink / pink.std()
        return white + pink * (0.02 * clean if kind == "pump 1/f" else 1.5 * SIGMA)
    drift = np.cumsum(rng.standard_normal(nt))
    return white + 1.5 * SIGMA * ((drift - drift.mean()) / drift.std())[:, None]


KINDS = {
    "proportional": 0.0,
    "pump": 0.0,
    "delays": 0.9,
    "common to pixels": 0.0,
    "common, with memory": 0.9,
    "drift": 0.9,
    "pump 1/f": 0.8,
    "baseline 1/f": 0.9,
}  # and how often at least a memory over the delays must be said


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_hold_for_noise_as_lasers_make_it_or_say_so(kind):
    w = WAVELENGTH[::2]
    clean = film(EARLY, w, sigma=0.0)
    truth = np.log([0.4, 14.0, 280.0])
    model = Model((0.4, 14.0, 280.0), t0_ps=0.0, fwhm_ps=0.12)
    hits, textbook, said = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        m = replace(clean, signal=clean.signal + laser_noise(kind, clean.signal, rng))
        fit = global_fit(m, model, starts=0)
        off = np.abs(fit.theta[:3] - truth)
        hits.append(off < 1.96 * np.sqrt(np.diag(fit.covariance)[:3]))
        textbook.append(off < 1.96 * np.sqrt(np.diag(fit.covariance_white)[:3]))
        said.append(any("residual correlated" in flag or "structure" in flag for flag in fit.flags))
    assert 0.9 <= np.mean(hits) <= 0.99
    assert np.mean(said) >= KINDS[kind]
    assert kind == "proportional" or np.mean(textbook) < 0.9


def test_a_missing_oscillation_does_not_excuse_itself():
    """One pattern over all wavelengths: an effective number of wavelengths taken from it would be
    one."""
    m, model = waves()
    fit = global_fit(m, replace(model, oscillations=()))
    assert any("structure in the residual" in flag for flag in fit.flags)
    found = noise.structure(fit.rows[0].gram, 2, m.shape[1])
    assert found.excess > 1.3 and noise.effective_wavelengths(fit.rows[0].gram) < 5
    assert global_fit(m, model).flags == ()
    # Sampled so coarsely that neighbours are not alike, it still stands out of the noise before
    # zero.
    coarse = np.r_[np.arange(-1.5, 3, 0.23), np.geomspace(3, 800, 30)]
    m, model = waves(delays=coarse, size=1.5e-2)
    fit = global_fit(m, replace(model, oscillations=()))
    assert any("times that before" in flag for flag in fit.flags)


@pytest.mark.parametrize(
    "delays",
    [np.r_[-2, -1, -0.5, 0, 0.2, 0.5, 1, 2, 4, 8, 16, 32, 100, 400.0], np.geomspace(0.3, 800, 60)],
)
@pytest.mark.parametrize("artefact", [0, 3])
def test_number_of_components_of_few_and_late_delays(delays, artefact):
    bands = ((1.0, 0.5, 580.0), (1.0, 8.0, 620.0), (1.0, 120.0, 680.0))
    found = []
    for seed in range(5):
        m = film(delays, np.linspace(550, 730, 30), bands, seed=seed)
        model = Model((1.0,), fwhm_ps=0.1, artefact=artefact)
        table = number_of_components(m, model, most=3 if len(delays) < 20 else 4)
        found.append(table.supported)
        assert table.at_least or table.supported == 3
    assert sum(n == 3 for n in found) >= 4


def test_few_delays_near_zero_tell_few_columns_of_an_artefact_and_all_lifetimes():
    """None at all would leave the artefact to the fastest decay, and the others to one lifetime."""
    delays = np.r_[-2, -1, -0.5, 0, 0.2, 0.5, 1, 2, 4, 8, 16, 32, 100, 400.0]
    bands = ((1.0, 0.5, 580.0), (1.0, 8.0, 620.0), (1.0, 120.0, 680.0))
    m = film(delays, np.linspace(550, 730, 30), bands, seed=1)
    pulse = np.exp(-0.5 * (delays / 0.05) ** 2)[:, None] * 4e-3 * np.linspace(1, 0.2, 30)
    m = replace(m, signal=m.signal + pulse)
    assert resolved_artefact(m, 3, 0.1, 0.0) == 1
    assert resolved_artefact(film(EARLY, seed=1), 3, 0.1, 0.0) == 3
    assert resolved_artefact(m.take(delays=slice(5, None)), 3, 0.1, 0.0) == 0
    table = number_of_components(m, Model((1.0,), fwhm_ps=0.1, artefact=3), most=3)
    assert table.supported == 3 and not table.at_least
    fit = table.fits[2]
    assert np.all(np.abs(fit.lifetimes_ps - (0.5, 8, 120)) < 4 * fit.lifetime_errors())


# ---- every wavelength its own zero time ----------------------------------------------------------


def gram_and_exact(fit, shift=0.02):
    block = fit.setup.problem.blocks[0]
    assert isinstance(block, NormalBlock)
    u = fit.setup.expand(fit.theta + shift)[0]
    return block.evaluate(u), block.exact_block.evaluate(u)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"infinite": True, "offset": True, "artefact": 4},
        {"artefact": 1, "dispersion": ()},
        {
            "lifetimes_ps": (),
            "scheme": branching({"a": 1.2, "b": 1.0, "c": 9.0, "d": 100.0}).scheme,
        },
        {"non_negative": True},
        {"alike": {"decay 2": ("decay 1", 0.5)}, "zero_nm": {"decay 3": ((0, 500),)}},
    ],
)
def test_steps_from_gram_matrices_are_those_of_projections(changes):
    m = holes(film(EARLY, chirp=(-0.8,)), 0.03)
    model = replace(
        Model((0.3, 10.0, 300.0), t0_ps=0.0, fwhm_ps=0.12, dispersion=(-0.8, 0.1)), **changes
    )
    fast, slow = gram_and_exact(global_fit(m, model, starts=0, max_evaluations=4))
    assert fast.cost == pytest.approx(slow.cost, rel=1e-9)
    assert np.allclose(
        fast.gradient, slow.gradient, rtol=1e-6, atol=1e-8 * np.abs(slow.gradient).max()
    )
    assert np.allclose(
        fast.hessian, slow.hessian, rtol=1e-6, atol=1e-8 * np.abs(slow.hessian).max()
    )


def test_shared_spectra_with_a_fitted_dispersion():
    one = holes(film(chirp=(-1.0, -0.4), seed=1, name="one"), 0.01)
    two = film(t0=0.3, chirp=(-1.0, -0.4), seed=2, name="two")
    two = replace(two, signal=0.6 * two.signal)
    model = Model((0.3, 10.0, 300.0), fwhm_ps=0.1, dispersion=(-0.8, -0.2))
    fit = global_fit([one, two], model, shared_spectra=True)
    scale = fit["scale_two"]
    assert abs(scale.value - 0.6) < 4 * scale.standard_error and scale.standard_error < 2e-3
    assert fit["t0_two"].value == pytest.approx(0.3, abs=5e-3)
    assert np.all(np.abs(fit.lifetimes_ps - (0.4, 14.0, 280.0)) < 4 * fit.lifetime_errors())
    assert fit.residual("two").std() == pytest.approx(0.6 * SIGMA, rel=0.1)
    fast, slow = gram_and_exact(fit, shift=0.005)
    assert np.allclose(
        fast.gradient, slow.gradient, rtol=1e-6, atol=1e-8 * np.abs(slow.gradient).max()
    )
    assert np.allclose(
        fast.hessian, slow.hessian, rtol=1e-6, atol=1e-8 * np.abs(slow.hessian).max()
    )


def test_scales_and_widths_are_found_from_a_far_start():
    """Zero time, width and dispersion are varied too when a search starts anew."""
    m = film(chirp=(-1.0, -0.4))
    best = global_fit(m, started(m), starts=0).ssr
    far = Model((1.0, 20.0, 500.0), fwhm_ps=0.6, t0_ps=0.3, dispersion=(-0.5, 0.0))
    assert global_fit(m, far, starts=4).ssr == pytest.approx(best, rel=1e-7)


# ---- oscillations --------------------------------------------------------------------------------


WAVE_DELAYS = np.r_[np.arange(-1, 5, 0.05), np.geomspace(5, 800, 30)]


def waves(chirp=(), delays=WAVE_DELAYS, size=1.5e-3):
    """Two decays and a wave packet of 0.5 ps that lives for 1.2 ps."""
    m = film(delays, bands=((1.0, 3.0, 560.0), (1.0, 120.0, 640.0)), chirp=chirp)
    xi = 1e3 / WAVELENGTH - 1e3 / 600
    x = delays[:, None] - sum(d * xi ** (j + 1) for j, d in enumerate(chirp))
    z = damped_wave(x, 1 / 1.2 - 2j * np.pi / 0.5, 0.05)
    band = size * np.exp(-(((WAVELENGTH - 600) / 50) ** 2))
    m = replace(m, signal=m.signal + band * (np.cos(0.7) * z.real + np.sin(0.7) * z.imag))
    model = Model(
        (2.0, 100.0), t0_ps=0.0, fwhm_ps=0.1, dispersion=chirp, oscillations=((0.55, 1.0),)
    )
    return m, model


def test_a_damped_wave_is_the_convolution():
    for tau, period, x in itertools.product((1.0, 0.1), (0.5, 0.2), (-0.1, 0.0, 0.07, 1.0)):
        kappa = 1 / tau - 2j * np.pi / period
        expected = [
            quad(
                lambda u, f=f, k=kappa, x=x: f(np.exp(-k * u)) * gaussian(x - u, 0.05),
                0,
                max(0, x) + 0.6,
                points=[max(x, 0)],
                limit=400,
            )[0]
            for f in (np.real, np.imag)
        ]
        found = damped_wave(x, kappa, 0.05)
        assert np.allclose([found.real, found.imag], expected, atol=1e-9)
    far = damped_wave(np.array([-1e4, 1e4]), 1e3 - 1e3j, 1e-3)
    assert np.isfinite(far).all()


@pytest.mark.parametrize("chirp", [(), (0.8,)])
def test_oscillations_and_decays_in_one_fit(chirp):
    m, model = waves(chirp)
    fit = global_fit(m, model)
    truth = {"tau_1": 3.0, "tau_2": 120.0, "period_1": 0.5, "damping_1": 1.2}
    for name, value in truth.items():
        assert abs(fit[name].value - value) < 4 * fit[name].standard_error < 0.2 * value
    amplitude, phase = fit.oscillations()
    centre = m.near(600)
    assert abs(amplitude.values[0, centre] - 1.5e-3) < 5 * amplitude.standard_errors[0, centre]
    assert abs(phase.values[0, centre] - 0.7) < 0.1
    problem, theta = fit.setup.problem, fit.theta + 0.01
    now = problem.evaluate(theta)
    for i in range(len(theta)):
        step = 1e-5 * np.eye(len(theta))[i]
        up, down = (problem.evaluate(theta + s * step, derivatives=False).cost for s in (1, -1))
        assert 2 * now.gradient[i] == pytest.approx((up - down) / 2e-5, rel=1e-3)
    assert export.repeat(export.fit_record(fit), m).ssr == pytest.approx(fit.ssr, rel=1e-10)


# ---- while the delays are measured ---------------------------------------------------------------


def test_a_drift_of_the_signal_over_the_delays_is_told_from_the_decays():
    """Signals that lose a tenth from the first delay to the last: lifetimes of the fit alone are
    off by many standard errors, beside the drift by few; without a drift none is found."""
    model = Model((0.4, 14.0, 280.0), t0_ps=0.0, fwhm_ps=0.12)
    off, alone = [], []
    for seed in range(4):
        m = film(EARLY, WAVELENGTH[::4], seed=seed, sigma=3e-5)
        gain = np.linspace(1, 0.9, len(EARLY))[:, None]
        bleached = replace(m, signal=m.signal * gain)
        found = drift(bleached, model, (0.0, 0.1))
        assert found.sure and abs(found.value + 0.1 / 0.95) < 4 * found.standard_error
        assert not drift(m, model, (0.0, 0.1)).sure
        for data, into in ((without(bleached, found.value), off), (bleached, alone)):
            fit = global_fit(data, model, starts=0)
            if into is off:
                fit = fit.widened(found.moves, found.standard_error)
            into.append((fit.lifetimes_ps - (0.4, 14.0, 280.0)) / fit.lifetime_errors())
    assert np.abs(off).max() < 4 and np.sqrt(np.mean(np.square(off))) < 1.6
    assert np.abs(np.mean(alone, axis=0)).max() > 3.5


def test_what_is_known_of_a_drift_weighs_as_a_datum():
    m = film(EARLY, WAVELENGTH[::4])
    model = Model((0.4, 14.0, 280.0), t0_ps=0.0, fwhm_ps=0.12)
    free, held = (drift(m, model, (-0.05, sd)) for sd in (10.0, 1e-6))
    assert abs(held.value + 0.05) < 1e-5 and abs(free.value) < 4 * free.standard_error
    half = drift(m, model, (0.02, free.standard_error))
    assert np.isclose(half.value, (free.value + 0.02) / 2, atol=0.3 * free.standard_error)


def test_a_decay_far_beyond_the_delays_stays_and_costs_no_other_its_number():
    bands = ((1.0, 2.0, 520.0), (-1.2, 60.0, 600.0), (1.0, 3e7, 660.0))
    m = film(EARLY, WAVELENGTH[::3], bands, seed=4)
    table = number_of_components(m, Model((1.0,), fwhm_ps=0.1, artefact=0), most=4, starts=1)
    fit = table.fits[table.supported - 1]
    assert table.supported == 3 and not table.at_least and fit.model.infinite
    assert table.rows[2].lifetimes_ps[-1] == np.inf
    assert sum(STAYS in flag for flag in fit.flags) == 1
    again = lasting(global_fit(m, replace(fit.model, **fit.starts), starts=0))
    assert sum(STAYS in flag for flag in again.flags) == 1  # however it came there
    off = np.abs(fit.lifetimes_ps - (2.0, 60.0))
    assert np.all(off < 4 * fit.lifetime_errors()) and np.all(fit.lifetime_errors() < (0.05, 3))
    near = film(EARLY, WAVELENGTH[::3], (*bands[:2], (1.0, 900.0, 660.0)), seed=4)
    held = lasting(global_fit(near, Model((2.0, 60.0, 900.0), fwhm_ps=0.1), starts=0))
    assert not held.model.infinite and abs(held.lifetimes_ps[2] / 900 - 1) < 0.1


def test_few_scans_that_agree_by_chance_make_no_error_small():
    """Of independent noise the errors from five scans would scatter by a third; none is below the
    textbook's, which all points tell."""
    rng = np.random.default_rng(1)
    clean = film(EARLY, WAVELENGTH[::3], sigma=0.0).signal
    ratios = []
    for _ in range(8):
        scans = clean + 3e-4 * rng.standard_normal((5, *clean.shape))
        mean = matrix(EARLY, WAVELENGTH[::3], scans.mean(0))
        fit = global_fit(mean, Model((0.4, 14.0, 280.0), t0_ps=0.0, fwhm_ps=0.12), starts=0)
        found = np.diag(fit.with_scans(scans).covariance) / np.diag(fit.covariance_white)
        ratios.append(np.sqrt(found))
    assert 0.9 < np.min(ratios) < 1.05 and np.max(ratios) > 1.4


def test_a_noisy_end_of_a_single_scan_counts_less():
    m = film(EARLY, WAVELENGTH, seed=6)
    noisy = m.wavelength_nm > 640
    rng = np.random.default_rng(0)
    signal = m.signal + 2e-3 * noisy * rng.standard_normal(m.shape)
    dirty = replace(m, signal=signal)
    model = Model((0.4, 14.0, 280.0), t0_ps=0.0, fwhm_ps=0.12)
    made = [preprocess.weigh(dirty, *w) for w in ((), [(640, 800, 0.05)])]
    plain, weighted = (global_fit(each, model, starts=0) for each in made)
    gain = plain.lifetime_errors() / weighted.lifetime_errors()
    off = np.abs(weighted.lifetimes_ps - (0.4, 14.0, 280.0)) / weighted.lifetime_errors()
    assert np.all(gain > 1.5) and np.all(off < 4) and weighted.flags == ()
    assert "weight 0.05 from 640 to 800 nm" in made[1].steps
    with pytest.raises(ValueError, match="use a mask"):
        preprocess.weigh(m, (640, 800, 0.0))


def with_artefact(seed, t0=0.0, chirp=(-1.0, -0.4)):
    """Three decays and a coherent artefact of three columns in delays 0.04 ps apart."""
    t = np.r_[np.arange(-1.5, 3, 0.04), np.geomspace(3, 800, 40)]
    m = film(t, np.linspace(480, 720, 36), t0=t0, chirp=chirp, seed=seed, name=f"set{seed}")
    xi = 1e3 / m.wavelength_nm - 1e3 / 600
    x = (m.delay_ps[:, None] - t0 - chirp[0] * xi - chirp[1] * xi**2) / 0.05
    more = 3e-3 * np.exp(-0.5 * x**2) * (1 - 0.6 * x + 0.3 * x**2) * (1 + 0.3 * xi)
    return replace(m, signal=m.signal + more)


def test_an_artefact_is_no_scatter_and_leaves_the_common_dispersion_where_it_is():
    """Its derivatives move the rise as zero time does: from half a response off the joint search
    ends in another minimum."""
    sets = [with_artefact(1), with_artefact(2)]
    assert not any(preprocess.find_scatter(m) for m in sets)
    model = Model((0.4, 14.0, 280.0), dispersion=(-1.0, -0.4), artefact=3)
    joint = workflow.common_dispersion(sets, model, t0_ps=(0.0, 0.0))
    for name, truth in (("dispersion_1", -1.0), ("dispersion_2", -0.4), ("tau_1_set1", 0.4)):
        assert abs(joint.value(name) - truth) < 4 * joint[name].standard_error


def test_an_artefact_between_two_delays_is_no_minimum():
    """Delays 0.08 ps apart and much noise: a response narrower than that would fit single delays,
    at each wavelength others, and the search would stall."""
    delays = np.r_[np.arange(-1.0, 1.6, 0.08), np.geomspace(1.7, 900, 24)]
    bands = ((0.6, 3.0, 520.0), (-1.0, 80.0, 610.0))
    for seed in range(4):
        m = film(delays, np.linspace(480, 700, 23), bands, 0.0, (-0.5, 0.2), seed, 2.5e-4)
        model = Model(
            (3.0, 80.0), t0_ps=0.0, fwhm_ps=0.06, dispersion=(-0.5, 0.2), artefact=3, offset=True
        )
        fit = global_fit(m, model, starts=1)
        assert fit.converged and fit.optimum["fwhm"] >= 0.06
        assert np.all(np.abs(fit.lifetimes_ps - (3.0, 80.0)) < 4 * fit.lifetime_errors())


def test_overflows_and_pixels_that_never_change_are_missing():
    m = film(EARLY, WAVELENGTH, seed=2)
    y = m.signal.copy()
    y[:, 0], y[:, 3] = -21.47483647, 0.0
    y[::4, 1] = 21.47483647
    y[5, 7] = -21.47483647
    made = matrix(m.delay_ps, m.wavelength_nm, y)
    assert len(made.wavelength_nm) == len(WAVELENGTH) - 3
    assert np.isnan(made.signal).sum() == 1 and np.nanmax(np.abs(made.signal)) < 0.1
    assert any("at the limit 21.47" in step for step in made.steps)
    rounded = np.round(m.signal, 3)  # whose largest value repeats and is no limit
    assert np.isfinite(matrix(m.delay_ps, m.wavelength_nm, rounded).signal).all()


def test_a_weak_decay_in_much_noise_is_missed_by_no_criterion():
    """With noise of a tenth of the signal BIC does not pay for a second decay at 23 wavelengths;
    one lifetime alone would be a third too long."""
    delays = np.r_[np.arange(-1, 1.6, 0.08), np.geomspace(1.7, 900, 24)]
    bands = ((0.6, 3.0, 520.0), (-1.0, 80.0, 610.0))
    for seed in range(3):
        m = film(delays, np.linspace(480, 700, 23), bands, seed=seed, sigma=1e-3)
        table = number_of_components(m, Model((1.0,), fwhm_ps=0.1, artefact=0), most=3, starts=1)
        assert table.supported == 2
        (fast, slow), errors_ = table.fits[1].lifetimes_ps, table.fits[1].lifetime_errors()
        assert abs(slow - 80) < 4 * errors_[1] and abs(fast - 3) < 4 * errors_[0]


RAMPS = {"none": 0.0, "grey": 0.1, "of two signs": 0.1 * np.cos(np.linspace(0, np.pi, 24))}
BANDS = ((-1.0, 1.5, 520.0), (1.0, 120.0, 640.0))


def _on_moving_baseline(kind, delays, seed=1):
    """Two decays on a baseline that gains a tenth of their largest signal over all delays."""
    m = film(delays, np.linspace(480, 720, 24), BANDS, seed=seed)
    order = np.linspace(-0.5, 0.5, len(delays))[:, None]
    return replace(m, signal=m.signal + RAMPS[kind] * np.abs(m.signal).max() * order)


@pytest.mark.parametrize("kind", RAMPS)
@pytest.mark.parametrize("before_ps", [1.5, 0.35], ids=["early delays", "few early delays"])
def test_a_baseline_that_moves_is_no_decay(kind, before_ps):
    """Taken for a decay it gives one more, or bends the others; its spectrum may be any."""
    delays = np.r_[np.arange(-before_ps, 3, 0.08), np.geomspace(3, 1500, 45)]
    m = _on_moving_baseline(kind, delays)
    model = Model((1.0, 100.0), t0_ps=0.0, fwhm_ps=0.12, offset=True)
    two = global_fit(m, model, starts=0)
    three = global_fit(m, replace(model, lifetimes_ps=(1.0, 10.0, 300.0)), starts=1)
    assert moving_baseline(two, starts=1) == moving_baseline(three, two, starts=1)
    assert moving_baseline(two, starts=1) == (kind != "none")
    fit = global_fit(m, replace(two.model, **two.starts, ramp=True), starts=0)
    assert np.all(np.abs(fit.lifetimes_ps - (1.5, 120)) < 4 * fit.lifetime_errors())
    found = fit.spectra()
    at = found.names.index("baseline ramp")
    off = found.values[at] - RAMPS[kind] * np.abs(m.signal).max()
    assert np.sqrt(np.mean((off / found.standard_errors[at]) ** 2)) < 1.6


def test_noise_with_a_memory_is_no_moving_baseline():
    delays = np.r_[np.arange(-1.5, 3, 0.08), np.geomspace(3, 1500, 45)]
    model = Model((1.0, 100.0), t0_ps=0.0, fwhm_ps=0.12, offset=True)
    for seed in range(6):
        m = _on_moving_baseline("none", delays, seed)
        common = 2e-4 * np.random.default_rng(seed).standard_normal(len(delays))
        for i in range(1, len(delays)):
            common[i] += 0.7 * common[i - 1]
        m = replace(m, signal=m.signal + common[:, None])
        assert not moving_baseline(global_fit(m, model, starts=0))
