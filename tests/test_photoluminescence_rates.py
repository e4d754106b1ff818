"""Rates of a fluence series: the solver against closed forms, the fit against LSODA's
transients."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import ndtr

from peled.photoluminescence import poisson
from peled.photoluminescence.analyse import analyse, sniff
from peled.photoluminescence.dynamics import RATES, Depth, Light, course
from peled.photoluminescence.fluence import yield_of_generation
from peled.photoluminescence.lifetimes import fit_decay, prepare_response
from peled.photoluminescence.transients import (
    LAWS,
    Transient,
    Yields,
    _Series,
    density_per_pulse,
    fit_laws,
    fit_transients,
)
from peled.samples import read_sheet

TRAPS = {"radiative": 6e-11, "capture": 1e-9, "traps": 6e15, "detrap": 2e-10}
PLAIN = {"k1": 3e6, "radiative": 6e-11}
BIN, BINS, FWHM, FINE = 1.0, 400, 2.5, 16


def integrated(rates, density, time):
    """Light n p relative to density², by LSODA."""
    k = {name: rates.get(name, 0.0) for name in RATES}

    def change(_, y):
        n, m = y
        p = n + m + k["doping"] / density
        trapped = k["capture"] * n * (k["traps"] - m * density)
        pairs = k["radiative"] * density * n * p + k["auger"] * density**2 * n * p**2
        return [
            -1e-9 * (k["k1"] * n + trapped + pairs),
            1e-9 * (trapped - k["detrap"] * density * m * p),
        ]

    n, m = solve_ivp(
        change, (0, time[-1]), [1.0, 0.0], t_eval=time, method="LSODA", rtol=1e-9, atol=1e-13
    ).y
    return n * (n + m + k["doping"] / density)


def series(rates, densities, rng, peak=3000.0, background=2.0, response=20000.0):
    """Poisson transients with a Gaussian response, folded and binned on a fine grid."""
    fine = BIN / FINE
    more = BINS * FINE + 320  # what comes later reaches the last bins through the response
    before, time = int(20 / fine), fine * np.arange(more)
    kernel = np.exp(-0.5 * (np.arange(-320, 321) * fine / (FWHM / 2.3548)) ** 2)
    axis = -20 + BIN * np.arange(BINS)
    irf = rng.poisson(response * np.diff(ndtr(np.append(axis, axis[-1] + BIN) / (FWHM / 2.3548))))
    measured = prepare_response(axis, irf.astype(float), BIN)
    made = []
    for density in densities:
        light = np.zeros(more)
        light[before:] = integrated(rates, density, time)[: more - before]
        light[before] *= 0.5
        mean = np.convolve(light, kernel, "same")[: BINS * FINE].reshape(BINS, FINE).sum(axis=1)
        counts = rng.poisson(peak * mean / mean.max() + background)
        made.append(Transient(axis, counts, density, f"{density:.0e}", measured))
    return made


# ---- the solver ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rates",
    [PLAIN, {**PLAIN, "auger": 3e-28}, TRAPS, {**PLAIN, "doping": 1e16}, {**TRAPS, "k1": 1e6}],
)
def test_light_is_that_of_lsoda(rates):
    densities = np.array([1e14, 1e16, 1e18])
    found = course(rates, densities, step_ns=0.05, span_ns=500.0)
    for i, density in enumerate(densities):
        expected = rates["radiative"] * density**2 * integrated(rates, density, found.time_ns)
        assert np.abs(found.light[:, i] - expected).max() < 1e-4 * expected[0]


def test_first_order_and_radiative_follow_the_closed_form():
    """dn/dt = −k n − B n² gives n = n₀ e^(−kt)/(1 + (B n₀/k)(1 − e^(−kt)))."""
    k, b, n0 = 5e6, 1e-10, 3e17
    found = course({"k1": k, "radiative": b}, [n0], step_ns=0.02, span_ns=600.0)
    fall = np.exp(-k * 1e-9 * found.time_ns)
    n = n0 * fall / (1 + b * n0 / k * (1 - fall))
    assert np.abs(found.light[:, 0] / (b * n**2) - 1)[fall > 1e-2].max() < 1e-3


def test_bins_hold_all_photons():
    """Without loss but light, every carrier leaves one photon."""
    found = course({"radiative": 1e-9}, [1e18], step_ns=0.01, span_ns=2000.0)
    edges = np.linspace(-7.0, 1990.0, 300)
    counts = np.diff(Light(found, None).accumulated(edges), axis=0)
    left = 1 / (1 + 1e-9 * 1e18 * 1990e-9)
    assert counts.sum() * 1e-9 == pytest.approx(1e18 * (1 - left), rel=3e-4)


@pytest.mark.parametrize(("front", "back"), [(0.0, 0.0), (500.0, 0.0), (500.0, 2000.0)])
def test_surfaces_take_carriers_as_the_slowest_mode(front, back):
    """D q²: q solves tan(qL) = (S₁+S₂)Dq/(D²q² − S₁S₂); light of a doped film falls with it."""
    length, diffusion = 500e-7, 0.5
    rates = {
        "radiative": 1e-12,
        "doping": 1e18,
        "diffusion": diffusion,
        "front": front,
        "back": back,
    }
    found = course(rates, [1e10], step_ns=0.01, span_ns=30.0, depth=Depth(500.0, 5e4, 48))
    late = found.time_ns > 15
    slope = np.polyfit(found.time_ns[late], np.log(found.light[late, 0]), 1)[0]
    expected = 0.0
    if front or back:
        q = brentq(
            lambda q: (diffusion**2 * q**2 - front * back) * np.sin(q * length)
            - (front + back) * diffusion * q * np.cos(q * length),
            1e-3 / length, (np.pi / 2 if not back else np.pi) / length,
        )  # fmt: skip
        expected = diffusion * q**2 * 1e-9
    assert -slope == pytest.approx(expected + 1e-12 * 1e18 * 1e-9, rel=3e-3)


def test_pulses_meet_what_is_left():
    """A first-order decay that repeats has 1/(1 − e^(−kT)) times the carriers at its start."""
    rates = {"k1": 2e6, "radiative": 1e-13, "doping": 1e17}
    once = course(rates, [1e12], step_ns=0.1, span_ns=100.0)
    many = course(rates, [1e12], step_ns=0.1, span_ns=100.0, periodic=True)
    rate = 2e6 + 1e-13 * 1e17
    assert many.repeats
    assert many.light[0] / once.light[0] == pytest.approx(1 / (1 - np.exp(-rate * 1e-7)), rel=1e-3)


# ---- the fit -------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [None, 450.0])
@pytest.mark.parametrize("prompt", [False, True])
def test_merged_bins_hold_the_light_of_theirs_and_tell_as_much(period, prompt):
    """Expected counts and slopes of merged bins are sums over bins; errors differ by rounding."""
    rng = np.random.default_rng(0)
    rates = PLAIN if period else TRAPS
    made = series(rates, [1e15, 1e17], rng)
    if prompt:
        made = [replace(t, time_ns=t.time_ns + 20, response=None) for t in made]
    model = _Series(tuple(made), tuple(rates), {}, None, period, False, None)
    theta = model.start(**rates)
    theta[len(rates)] += 0 if prompt else 0.3
    merged, blocks = model.jacobian(theta)
    steps = 2e-3 * np.eye(theta.size)
    mean, *moved = (
        model.everywhere(at)[0][0][1]
        for at in (theta, *(theta + step for step in steps), *(theta - step for step in steps))
    )
    slopes = np.subtract(*np.split(np.array(moved), 2)) / 4e-3
    theirs = np.array([poisson._along(blocks, step) for step in np.eye(theta.size)])
    starts = model.groups[0].kernel.ends[:-1]
    gathered, by = (
        np.add.reduceat(one, starts, axis=-1).reshape(*one.shape[:-2], -1) for one in (mean, slopes)
    )
    assert merged.size < 0.5 * mean.size and merged.sum() == pytest.approx(mean.sum(), rel=1e-5)
    assert model.counts.sum() == sum(t.counts.sum() for t in made)
    assert np.abs(merged - gathered).max() < 0.01 * np.sqrt(gathered.max())
    assert (np.abs(theirs - by).max(axis=1) < 2e-3 * np.abs(by).max(axis=1)).all()
    errors = [
        np.diag(np.linalg.inv((one / m) @ one.T))[: len(rates)]
        for one, m in ((slopes.reshape(theta.size, -1), mean.ravel()), (theirs, merged))
    ]
    assert errors[1] == pytest.approx(errors[0], rel=0.02)


@pytest.mark.parametrize("bins", [203, 251, 362, 401, 693])
def test_records_of_any_length_are_merged_around_their_pulse(bins):
    """A bin that is left over alone at an end of the record belongs to no pulse."""
    axis, rng = 0.5 * np.arange(bins), np.random.default_rng(bins)
    seen = np.exp(-0.5 * ((axis - 11.0) / 0.8) ** 2)
    light = np.convolve(np.exp(-axis / 30), seen)[:bins]
    response = prepare_response(axis, rng.poisson(20000 * seen), 0.5)
    made = [Transient(axis, rng.poisson(3000 * light / light.max() + 2), n, "", response)
            for n in (1e12, 2e12)]  # fmt: skip
    found = fit_transients(made, ("k1",), held={"radiative": 1e-18, "doping": 1e18})
    error = np.sqrt(found.estimates.covariance[0, 0])
    assert found.converged and abs(np.log(found.estimates.values[0] * 30e-9)) < 4 * error < 0.08


def test_an_empty_dark_does_not_stop_the_search():
    """Where no bin before the pulse holds a count, the background begins above none."""
    dim = series(TRAPS, [1e15, 1e16, 1e17], np.random.default_rng(3), background=0.01)
    found = fit_transients(dim, tuple(TRAPS))
    points = sum(t.counts.size for t in dim)
    number = (found.bic - found.deviance) / math.log(points)
    assert number == pytest.approx(round(number), abs=1e-6) and number >= 3
    assert found.converged and found.goodness_z < 4


@pytest.mark.parametrize("truth", [PLAIN, TRAPS])
def test_rates_cover(truth):
    free, pulls = tuple(truth), []
    for seed in range(8):
        found = fit_transients(series(truth, [1e15, 1e16, 1e17], np.random.default_rng(seed)), free)
        e = found.estimates
        assert found.converged and not e.at_bound[: len(free)].any() and found.goodness_z < 3.5
        errors = np.sqrt(np.diag(e.covariance))[: len(free)]
        pulls.append(np.log(e.values[: len(free)] / [truth[n] for n in free]) / errors)
    inside = np.mean(np.abs(pulls) < 1.96)
    assert inside >= 0.85 and 0.6 < np.std(pulls) < 1.35


def test_the_law_is_found_and_what_it_leaves_open_is_a_limit():
    rng = np.random.default_rng(3)
    laws = [law for law in LAWS if "traps" not in law]
    fits = fit_laws(series(PLAIN, [1e15, 1e16, 1e17], rng), laws)
    assert next(iter(fits)) == "first order + radiative"
    auger = fits["first order + radiative + Auger"].upper_limit("auger")
    weak, strong = fits["first order + radiative + Auger"], {**PLAIN, "auger": auger}
    assert 1e-30 < auger < 1e-27 and weak.upper_limit("auger") == auger
    seen = fit_transients(series(strong, [1e15, 1e16, 1e17], rng), ("k1", "radiative", "auger"))
    at = seen.estimates.names.index("auger")
    assert abs(np.log(seen.estimates.values[at] / auger)) < 3 * np.sqrt(
        seen.estimates.covariance[at, at]
    )


def test_wrong_densities_move_the_rates_by_their_powers():
    rng = np.random.default_rng(5)
    right = series(TRAPS, [1e15, 1e16, 1e17], rng)
    doubled = [Transient(t.time_ns, t.counts, 2 * t.density_cm3, "", t.response) for t in right]
    one, two = (fit_transients(ts, tuple(TRAPS)) for ts in (right, doubled))
    assert two.deviance == pytest.approx(one.deviance, abs=0.02)
    for name, value in zip(TRAPS, two.estimates.values / one.estimates.values):
        assert value == pytest.approx(2.0 ** RATES[name][1], rel=0.01)


def test_quantum_yields_join():
    """One transient says little of radiation against loss at its end; yields say it."""
    rng = np.random.default_rng(6)
    (one,) = series(PLAIN, [1e15], rng)
    alone = fit_transients([one], tuple(PLAIN))
    generation = np.geomspace(1e21, 1e24, 4)
    plqy = yield_of_generation(generation, 0, 0, 0, detrap=0, radiative=6e-11, first=3e6)
    joined = fit_transients([one], tuple(PLAIN), yields=Yields(generation, plqy, 0.02 * plqy))
    e, before = (np.sqrt(f.estimates.covariance[1, 1]) for f in (joined, alone))
    assert e < 0.3 * before
    assert abs(np.log(joined.estimates.values[1] / 6e-11)) < 3.5 * e


def test_yield_with_first_order_loss_and_doping():
    """B(n + p₀)/(k + B(n + p₀)) with G = n (k + B(n + p₀))."""
    k, b, p0, n = 4e6, 5e-11, 3e16, 1e16
    pairs = b * (n + p0)
    got = yield_of_generation([n * (k + pairs)], 0, 0, 0, radiative=b, detrap=0, first=k, doping=p0)
    assert got[0] == pytest.approx(pairs / (k + pairs), rel=1e-3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"free": ("k1", "k2")}, "rates: expected"),
        ({"free": ("k1", "diffusion")}, "depth: expected"),
        ({"held": {"k1": 1e6}}, "each free or held"),
    ],
)
def test_what_cannot_be_fitted_is_said(change, said):
    with pytest.raises(ValueError, match=said):
        fit_transients(series(PLAIN, [1e16], np.random.default_rng(0)), **change)


def test_the_noise_of_the_response_is_in_the_lifetime():
    """A response of 500 counts: without its noise two errors in three are too small."""
    pulls = []
    rng = np.random.default_rng(7)
    for _ in range(40):
        axis = 0.4 * np.arange(300) - 20.13
        edges, sigma = np.append(axis, axis[-1] + 0.4), 1.2 / 2.3548
        fine = np.linspace(axis[0], edges[-1], 300 * 32, endpoint=False)
        kernel = np.exp(-0.5 * (np.arange(-160, 161) * 0.0125 / sigma) ** 2)
        light = np.convolve(np.where(fine >= 0, np.exp(-fine / 3), 0), kernel, "same")
        mean = light.reshape(300, 32).sum(axis=1)
        counts = rng.poisson(20000 * mean / mean.max() + 2).astype(float)
        irf = rng.poisson(500 * np.diff(ndtr(edges / sigma)) + 0.1).astype(float)
        fit = fit_decay(axis, counts, response=prepare_response(axis, irf, 0.4))
        pulls.append((fit.lifetimes_ns[0] - 3) / fit.lifetime_errors_ns[0])
    assert 0.7 < np.std(pulls) < 1.35 and abs(np.mean(pulls)) < 0.7


# ---- a folder ------------------------------------------------------------------------------------


def folder(path, truth, fluences, columns="fluence_uJ_cm2,thickness_nm,absorptance,excitation_nm"):
    rng = np.random.default_rng(11)
    rows = [f"file,sample,measurement,role,{columns}"]
    densities = [density_per_pulse(f, 0.3, 50.0, 405.0) for f in fluences]
    for fluence, one in zip(fluences, series(truth, densities, rng)):
        table = np.column_stack([one.time_ns, one.counts])
        np.savetxt(path / f"{fluence:g}.csv", table, delimiter=",", fmt="%g", comments="",
                   header="time (ns),counts")  # fmt: skip
        said = f"{fluence:g},50,0.3,405" if "thickness" in columns else f"{fluence:g}"
        rows.append(f"{fluence:g}.csv,film_A,trpl,,{said}")
    irf = one.response.counts
    time = one.response.start_ns + BIN * np.arange(irf.size)
    np.savetxt(path / "irf.csv", np.column_stack([time, np.round(irf)]), delimiter=",", fmt="%g",
               header="time (ns),counts", comments="")  # fmt: skip
    rows.append("irf.csv,,trpl,irf" + "," * (columns.count(",") + 1))
    (path / "samples.csv").write_text("\n".join(rows) + "\n")
    return analyse(read_sheet(path, "photoluminescence", sniff=sniff), {
        "laws": ("1",), "rate_laws": ("first order + radiative", "traps + radiative"),
    })  # fmt: skip


def test_a_folder_of_fluences_gives_rates(tmp_path):
    report = folder(tmp_path, PLAIN, (0.02, 0.2, 2.0))
    (first,) = report.select(name="first-order rate")
    (radiative,) = report.select(name="radiative rate (leaving)")
    assert abs(first.value - 3e6) < 4 * first.standard_error < 4e5
    assert radiative.budget["fluence"] == pytest.approx(0.1 * radiative.value, rel=0.01)
    assert abs(radiative.value - 6e-11) < 2 * radiative.standard_error
    assert any(panel.name == "trpl_fluence" for panel in report.panels())


def test_a_law_of_more_rates_is_no_worse():
    """Beside the law that it holds: from its own start the one with doping ended 117 above."""
    for seed in range(3):
        made = series(PLAIN, [1e14, 1e15, 1e16], np.random.default_rng(seed))
        fits = fit_laws(made, [law for law in LAWS if "traps" not in law])
        least = fits["first order + radiative"].deviance
        assert all(fit.deviance < least + 0.5 for fit in fits.values())


@pytest.mark.parametrize("dark", [(0.02,), (0.02, 0.2)])
def test_decays_without_light_give_no_rates(tmp_path, dark):
    """A row of dark counts is set aside by name; where one decay is left nothing is fitted."""
    folder(tmp_path, PLAIN, (0.02, 0.2, 2.0))
    rng = np.random.default_rng(8)
    for fluence in dark:
        rows = np.loadtxt(tmp_path / f"{fluence:g}.csv", delimiter=",", skiprows=1)
        rows[:, 1] = rng.poisson(2, len(rows))
        np.savetxt(tmp_path / f"{fluence:g}.csv", rows, delimiter=",", fmt="%g",
                   header="time (ns),counts", comments="")  # fmt: skip
    report = analyse(read_sheet(tmp_path, "photoluminescence", sniff=sniff), {
        "laws": ("1",), "rate_laws": ("first order + radiative",),
    })  # fmt: skip
    found = report.select(name="first-order rate")
    if len(dark) == 2:
        assert not found
        said = " ".join(problem.reason for problem in report.problems)
        assert "expected decays at 2 fluences" in said and "0.02 µJ/cm², 0.2 µJ/cm²" in said
    else:
        assert abs(found[0].value - 3e6) < 4 * found[0].standard_error < 8e5
        assert any("set aside: 0.02 µJ/cm²" in f.evidence for f in found[0].findings)


def test_a_folder_without_thickness_says_what_is_missing(tmp_path):
    report = folder(tmp_path, PLAIN, (0.02, 2.0), columns="fluence_uJ_cm2")
    assert not [q for q in report.quantities if "rate" in q.name]
    assert any("thickness_nm, excitation_nm" in problem.reason for problem in report.problems)


def test_a_shift_of_responses_leaves_decays_without_one_where_they_are():
    """Two of a short pulse beside two with a response: counts and slopes of the first are those of
    a series of their own, those of the others follow the shift."""
    rng = np.random.default_rng(2)
    with_response = series(PLAIN, [1e15, 1e17], rng)
    time = np.arange(300.0)
    bare = [Transient(time, rng.poisson(500 * np.exp(-time / 90) + 2), n) for n in (1e15, 1e17)]
    both = _Series((*bare, *with_response), ("k1", "radiative"), {}, None, None, False, None)
    alone = _Series(tuple(bare), ("k1", "radiative"), {}, None, None, False, None)
    rates = np.log([3e6, 6e-11])
    scales, dark = np.log([3.0, 4.0, 3.0, 4.0]), np.full(4, 2.0)
    at = [np.concatenate([rates, [shift], scales, dark]) for shift in (0.0, 0.7)]
    still, moved = (both.expected(theta) for theta in at)
    own = alone.expected(np.concatenate([rates, scales[:2], dark[:2]]))
    assert still[: own.size] == pytest.approx(own, rel=1e-5)
    assert np.array_equal(moved[: own.size], still[: own.size])
    assert np.abs(moved - still)[own.size :].max() > 0.01 * still[own.size :].max()
    blocks = both.jacobian(at[0])[1]
    step = 1e-4 * (np.arange(at[0].size) == 2)
    by_shift = (both.expected(at[0] + step) - both.expected(at[0] - step)) / 2e-4
    found = poisson._along(blocks, 1.0 * (np.arange(at[0].size) == 2))
    assert found == pytest.approx(by_shift, abs=2e-3 * np.abs(by_shift).max())


def test_a_descent_ends_by_no_step_over_which_its_model_bends():
    """Light 50 e^θ of which the counts say 0.2, a twentieth of its error, sought from 0.02: by one
    linear step θ was 12 higher, with light 2000 times as bright as the counts."""

    class Model:
        bounds, strides = (np.array([-40.0]), np.array([5.0])), np.array([1.5])

        def jacobian(self, theta):
            light = np.full((1, 100), 50 * np.exp(theta[0]))
            return 1000 + light[0], light

    counts = np.full(100, 1000.2)
    found = poisson.descend(Model(), counts, slice(0, 100), np.array([-8.0]))
    assert found.converged and found.theta[0] == pytest.approx(np.log(0.2 / 50), abs=0.3)


def test_goodness_of_the_rates_is_that_of_the_fit():
    found = fit_transients(series(PLAIN, [1e15, 1e17], np.random.default_rng(4)))
    assert found.estimates.goodness == pytest.approx(found.goodness_z) and found.goodness_z != 0


@pytest.mark.parametrize("period", [None, 80.0])
def test_light_between_any_times_is_the_integral_of_light(period):
    """Once and twice, over several turns or beyond the last time, by sums of the light itself."""
    found = Light(course(PLAIN, np.array([1e17, 3e15]), step_ns=0.02, span_ns=80.0), period)
    time = np.arange(0.0, 290.0, 0.02)
    middles, lanes = time[:-1] + 0.01, np.array([1, 0])
    light = found.accumulated(middles, lanes, 0)
    once = np.cumsum(light, axis=0) * 0.02
    twice = 0.02 * np.cumsum(once - 0.5 * 0.02 * light, axis=0)
    for order, summed in ((1, once), (2, twice)):
        ours = found.accumulated(time[1:], lanes, order)
        assert np.abs(ours - summed).max() < 2e-4 * np.abs(summed).max()


def test_a_rate_begins_where_a_series_would_not_show_it():
    """A millionth of the carriers lost over all times, at the highest density; and all within a
    tenth of a bin's step at the lowest."""
    made = _Series(tuple(series(PLAIN, [1e15, 1e17], np.random.default_rng(1))),
                   ("k1", "radiative", "auger"), {}, None, None, False, None)  # fmt: skip
    low, high = (np.exp(ends[:3]) for ends in made.bounds)
    assert low * 1e-9 * made.span * [1, 1e17, 1e34] == pytest.approx(1e-6)
    assert high * 1e-9 * made.step * 10 * [1, 1e15, 1e30] == pytest.approx(30)
    assert made.span == pytest.approx(1.02 * (BINS * BIN) + 10 * BIN, rel=0.06)
