"""Estimates, derived quantities, gates: against Monte Carlo, `uncertainties` and lmfit."""

import math

import lmfit
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import least_squares
from uncertainties import correlated_values, umath

from peled import quantities as pq
from peled.quantities import Quantity, derive, estimates, from_jacobian, from_normal, threshold

COVARIANCE = np.array([[0.04, -0.012, 0.003], [-0.012, 0.09, 0.01], [0.003, 0.01, 0.01]])


def fit(values=(5.0, 3.0, 2.0), covariance=COVARIANCE, **others):
    names = [f"p{i}" for i in range(len(values))]
    return from_normal(names, values, [""] * len(values), np.linalg.inv(covariance), **others)


# ---- derive --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b, c, log: a + b - 2 * c,
        lambda a, b, c, log: a * b / c,
        lambda a, b, c, log: a / (a + b),
        lambda a, b, c, log: log(a / b) * c,
        lambda a, b, c, log: 1 / a + 1 / b,
    ],
    ids=["sum", "product", "yield", "log", "reciprocals"],
)
def test_error_is_that_of_uncertainties(function):
    made = derive("f", "", lambda p: function(*p.values(), math.log), fit())
    expected = function(*correlated_values([5.0, 3.0, 2.0], COVARIANCE), umath.log)
    assert made.value == pytest.approx(expected.n)
    assert made.standard_error == pytest.approx(expected.s, rel=1e-6)


@pytest.mark.parametrize("log", [(), ("p0", "p1", "p2")])
@pytest.mark.parametrize(
    "function",
    [lambda p: p["p0"] / p["p1"], lambda p: p["p0"] - p["p1"], lambda p: math.log(p["p2"])],
    ids=["ratio", "difference", "log"],
)
def test_intervals_cover(function, log):
    """95 % intervals of estimates drawn around the truth hold the truth in 95 % of the draws."""
    rng = np.random.default_rng(5)
    truth = np.array([5.0, 3.0, 2.0])
    centre = np.log(truth) if log else truth
    true = function(dict(zip(["p0", "p1", "p2"], truth)))
    inside = 0
    for u in rng.multivariate_normal(centre, COVARIANCE / 4, 400):
        made = derive("f", "", function, fit(np.exp(u) if log else u, COVARIANCE / 4, log=log))
        inside += made.bounds[0] <= true <= made.bounds[1]
    assert 0.92 < inside / 400 < 0.985


def test_interval_of_a_logarithmic_parameter_is_log_normal():
    e = from_normal(["tau"], [2.0], ["ns"], [[1 / 0.25]], log=["tau"])
    made = derive("tau", "ns", lambda p: p["tau"], e)
    assert made.standard_error == pytest.approx(1.0, rel=1e-4)
    assert made.bounds == pytest.approx((2 * math.exp(-0.98), 2 * math.exp(0.98)), rel=1e-3)


def test_quantities_of_one_fit_stay_correlated():
    e = fit()
    a, b = (derive(n, "", lambda p, n=n: p[n], e) for n in ("p0", "p1"))
    once = derive("ratio", "", lambda p: p["p0"] / p["p1"], e)
    twice = derive("ratio", "", lambda a, b: a / b, a, b)
    mixed = derive("ratio", "", lambda a, p: a / p["p1"], a, fit())  # the same fit, made anew
    for made in (twice, mixed):
        assert made.standard_error == pytest.approx(once.standard_error, rel=1e-6)
    same = derive("one", "", lambda a, b: a / b, a, a)
    assert same.status == "withheld" and "no error" in same.reasons


def test_shared_calibration_cancels_in_a_ratio():
    lamp = Quantity("lamp", "", 1.0, {"calibration": 0.1}, "")
    yields = [
        derive("PLQY", "", lambda p, c, n=n: p[n] * c, fit(), lamp, counting=0.05)
        for n in ("p0", "p1")
    ]
    assert yields[0].budget == pytest.approx({"fit": 0.2, "calibration": 0.5, "counting": 0.05})
    assert len({key for q in yields for key in q.parts if key[0] == "counting"}) == 2
    ratio = derive("ratio", "", lambda a, b: a / b, *yields)
    assert "calibration" not in ratio.budget or ratio.budget["calibration"] < 1e-9
    assert ratio.budget["counting"] == pytest.approx(math.hypot(0.05 / 3, 0.05 * 5 / 9))


def test_a_derived_number_inherits_inputs_kind_and_doubt():
    doubt = pq.Finding("assumed", "doubtful", "joined by name", "a.csv")
    a = Quantity("a", "", 2.0, {"x": 0.1}, "", findings=(doubt,), inputs=("d1",))
    b = Quantity("b", "", 3.0, {"x": 0.1}, "", kind="literature", inputs=("d2", "d1"))
    made = derive("c", "", lambda a, b: a * b, a, b, inputs=["d0"])
    assert (made.kind, made.inputs, made.findings) == ("literature", ("d0", "d1", "d2"), (doubt,))
    gone = derive(
        "d", "", lambda c, a: c + a, made.found(pq.Finding("signal", "withheld", "no")), a
    )
    assert gone.value is None and "no" in gone.reasons and gone.budget == {}


def test_limits_keep_or_turn_their_sense():
    limit = Quantity("k", "", 2.0, {}, "", relation="<")
    assert (limit.standard_error, limit.bounds) == (None, (-math.inf, 2.0))
    other = Quantity("c", "", 4.0, {"x": 0.4}, "")
    assert derive("t", "", lambda k: 1 / k, limit).relation == ">"
    times = derive("t", "", lambda k, c: k * c, limit, other)
    assert times.relation == "<" and times.value == pytest.approx(8 + 1.645 * 0.8, rel=1e-3)
    both = derive("t", "", lambda k, m: k - m, limit, Quantity("m", "", 1.0, {}, "", relation="<"))
    assert both.status == "withheld"


def test_no_number_where_the_function_ends_within_the_error():
    wide = Quantity("x", "", 1.0, {"x": 0.7}, "")
    made = derive("ln", "", math.log, wide)
    assert made.status == "withheld" and "not defined" in made.reasons
    assert derive("ln", "", math.log, Quantity("x", "", 1.0, {"x": 0.2}, "")).status == "reported"
    square = derive("x²", "", lambda x: x * x, Quantity("x", "", 0.1, {"x": 0.7}, ""))
    assert square.status == "doubtful" and "maximum or minimum" in square.reasons


@pytest.mark.parametrize(
    "value, budget",
    [
        (1.0, {}),
        (1.0, {"a": 0.0}),
        (math.nan, {"a": 1.0}),
        (math.inf, {"a": 1.0}),
        (1.0, {"a": math.inf}),
    ],
)
def test_a_number_without_error_withholds_itself(value, budget):
    q = Quantity("q", "", value, budget, "")
    assert q.value is None and q.status == "withheld" and q.standard_error is None


def test_a_value_outside_its_interval_withholds_itself():
    q = Quantity("q", "", 3.0, {"a": 1.0}, "", interval=(0.0, 2.0))
    assert q.value is None and "does not lie in its interval" in q.reasons


def test_withheld_means_no_value_and_a_value_has_a_reason_to_be():
    with pytest.raises(ValueError, match="no finding"):
        Quantity("q", "", None, {}, "")
    with pytest.raises(ValueError, match="kind"):
        Quantity("q", "", 1.0, {"a": 1.0}, "", kind="guessed")


# ---- what a fit leaves open ----------------------------------------------------------------------


def branching(k1=2.0, k2=1.0, k3=0.05, coordinates="log", noise=0.01, seed=0):
    """A decay by two ways of which only the sum shows, and a slow one: as for from_jacobian."""
    t = np.linspace(0, 4, 200)
    fast, slow = np.exp(-(k1 + k2) * t), np.exp(-k3 * t)
    columns = [-t * fast, -t * fast, -t * slow]
    if coordinates == "log":
        columns = [c * k for c, k in zip(columns, (k1, k2, k3))]
    residual = noise * np.random.default_rng(seed).standard_normal(200)
    return ["k1", "k2", "k3"], [k1, k2, k3], ["1/ns"] * 3, np.stack(columns, 1), residual


@pytest.mark.parametrize("coordinates", ["log", "linear"])
@pytest.mark.parametrize("rates", [(2.0, 1.0), (2.0, 2e-5), (12.0, 11.0)])
def test_only_the_sum_of_two_rates_is_given(coordinates, rates):
    log = ["k1", "k2", "k3"] if coordinates == "log" else []
    e = from_jacobian(*branching(*rates, coordinates=coordinates), log=log)
    assert e.null.shape == (3, 1) and e.null[2, 0] == 0
    k1 = derive("k1", "1/ns", lambda p: p["k1"], e)
    assert k1.value is None and "only k1 + k2 is" in k1.reasons and "k3" not in k1.reasons
    total = derive("k1 + k2", "1/ns", lambda p: p["k1"] + p["k2"], e)
    assert total.status == "reported" and total.value == pytest.approx(sum(rates))
    _, values, _, jacobian, residual = branching(*rates)
    pair = np.stack([jacobian[:, 0] / rates[0], jacobian[:, 2] / values[2]], 1)
    variance = residual @ residual / 198 * np.linalg.inv(pair.T @ pair)[0, 0]
    assert total.standard_error == pytest.approx(math.sqrt(variance), rel=1e-5)
    for function in (lambda p: p["k1"] * p["k2"], lambda p: p["k1"] - p["k2"]):
        assert derive("f", "", function, e).status == "withheld"
    assert derive("k3", "1/ns", lambda p: p["k3"], e).status == "reported"


def test_a_refitted_sum_covers_where_its_rates_are_open():
    """Noise, a real fit of all three rates, and back: the 95 % interval of k1 + k2 holds 3."""
    t = np.linspace(0, 4, 200)
    clean = np.exp(-3 * t) + np.exp(-0.05 * t)
    rng, inside, n = np.random.default_rng(8), 0, 200

    def model(u):
        return np.exp(-(np.exp(u[0]) + np.exp(u[1])) * t) + np.exp(-np.exp(u[2]) * t)

    for _ in range(n):
        y = clean + 0.02 * rng.standard_normal(200)
        r = least_squares(lambda u, y=y: model(u) - y, np.log([1.5, 0.9, 0.06]))
        e = from_jacobian(
            ["k1", "k2", "k3"], np.exp(r.x), ["1/ns"] * 3, r.jac, r.fun, log=["k1", "k2", "k3"]
        )
        assert derive("k1", "1/ns", lambda p: p["k1"], e).value is None
        low, high = derive("k", "1/ns", lambda p: p["k1"] + p["k2"], e).bounds
        inside += low <= 3 <= high
    assert 0.91 < inside / n < 0.99


def test_a_refitted_rate_covers_whether_or_not_another_ended_at_its_bound():
    """An offset that is truly 0 ends at its bound of 0 in half of the fits."""
    t = np.linspace(0, 4, 200)
    rng, inside, at_bound, n = np.random.default_rng(9), 0, 0, 200
    for _ in range(n):
        y = np.exp(-t) + 0.02 * rng.standard_normal(200)
        r = least_squares(
            lambda p, y=y: np.exp(-p[0] * t) + p[1] - y, [0.8, 0.1], bounds=([0, 0], [9, 9])
        )
        stuck = ["c"] if r.active_mask[1] or r.x[1] < 1e-6 else []
        e = from_jacobian(["k", "c"], r.x, ["1/ns", ""], r.jac, r.fun, at_bound=stuck)
        q = derive("k", "1/ns", lambda p: p["k"], e)
        inside += q.bounds[0] <= 1 <= q.bounds[1]
        at_bound += bool(stuck)
    assert 0.3 < at_bound / n < 0.7 and 0.91 < inside / n < 0.99


def test_equal_rates_do_not_pass_their_product_for_determined():
    e = from_jacobian(*branching(1.5, 1.5), log=["k1", "k2", "k3"])
    made = derive("k1 k2", "", lambda p: p["k1"] * p["k2"], e)
    assert made.status == "withheld" and "unequal starting values" in made.reasons


@pytest.mark.parametrize(
    "names, gradient, said",
    [
        (("tau1", "tau2"), lambda x: -1 / x**2, "1/tau1 + 1/tau2"),
        (("amplitude", "yield"), lambda x: 1 / x, "amplitude · yield"),
        (("t0", "shift"), lambda x: np.array([1.0, -1.0]), "t0 − shift"),
        (("a", "b"), lambda x: np.array([1 / x[0], -1 / x[1]]), "a / b"),
        (("k1", "k2", "k3"), lambda x: np.ones(3), "k1 + k2 + k3"),
    ],
)
def test_the_combination_is_named(names, gradient, said):
    x = np.array([3.0, 0.7, 1.9])[: len(names)]
    g = gradient(x)
    e = from_normal(names, x, [""] * len(x), 50 * np.outer(g, g))
    assert f"only {said} is" in derive("f", "", lambda p: p[names[0]], e).reasons


def test_two_open_pairs_are_named_apart_and_an_idle_parameter_has_no_effect():
    pair = np.array([[1.0, 1.0], [1.0, 1.0]])
    normal = np.zeros((5, 5))
    normal[:2, :2], normal[2:4, 2:4] = pair, 1e6 * pair
    e = from_normal(list("abcde"), [1.0, 2.0, 3.0, 5.0, 7.0], [""] * 5, normal)
    assert e.null.shape == (5, 3)
    said = [derive(n, "", lambda p, n=n: p[n], e).reasons for n in "ace"]
    assert "only a + b is" in said[0] and "c" not in said[0].split("only")[1]
    assert "only c + d is" in said[1] and said[2] == "e has no effect on the data"
    assert derive("s", "", lambda p: p["a"] + p["b"] - p["c"] - p["d"], e).status == "reported"


def test_rank_does_not_depend_on_units_and_is_sharp():
    """A nearly singular fit keeps its large errors, a singular one has none, in any unit."""
    t = np.linspace(0, 1, 50)
    for scale in (1.0, 1e-9, 1e9):
        for gap, open_ways in ((0.0, 1), (1e-9, 1), (1e-3, 0)):
            columns = np.stack([t, (t + gap * t**2) * scale], 1)
            e = from_jacobian(["a", "b"], [1, 1 / scale], ["", ""], columns, np.ones(50), noise=1.0)
            assert e.null.shape[1] == open_ways, (scale, gap)
    a = derive("a", "", lambda p: p["a"], e)
    assert a.status == "reported" and a.standard_error > 1000


def test_a_bound_costs_its_own_parameter_only():
    _, _, units, jacobian, residual = branching()
    jacobian = np.delete(jacobian, 1, axis=1)
    free = from_jacobian(["k1", "k3"], [3, 0.05], units[:2], jacobian, residual)
    more = np.c_[jacobian, np.ones(200)]
    bound = from_jacobian(
        ["k1", "k3", "w"], [3, 0.05, 0.02], ["", "", "ns"], more, residual, at_bound=["w"]
    )
    assert np.allclose(bound.covariance[:2, :2], free.covariance, rtol=0.02)
    assert derive("k1", "", lambda p: p["k1"], bound).standard_error > 0
    width = derive("w", "ns", lambda p: p["w"], bound)
    assert width.status == "withheld" and "at its bound, 0.02 ns" in width.reasons


def test_a_parameter_that_another_drove_to_its_bound_is_open():
    names, _, units, jacobian, residual = branching(coordinates="linear")
    e = from_jacobian(names, [0.0, 3.0, 0.05], units, jacobian, residual, at_bound=["k1"])
    assert "only k1 + k2 is" in derive("k2", "", lambda p: p["k2"], e).reasons
    free = from_jacobian(*branching(coordinates="linear"))
    total = [derive("k", "", lambda p: p["k1"] + p["k2"], f) for f in (e, free)]
    assert total[0].standard_error == pytest.approx(total[1].standard_error, rel=1e-5)


def test_an_error_beyond_any_expansion_withholds():
    for error, status in ((0.3, "reported"), (1.0, "reported"), (3.0, "withheld")):
        e = from_normal(["tau"], [2.0], ["ns"], [[error**-2]], log=["tau"])
        made = derive("tau", "ns", lambda p: p["tau"], e)
        assert made.status == status
    assert "lies between 0.0056 and 7.2e+02" in made.reasons


def test_held_parameters_carry_no_error_and_no_number_of_their_own():
    e = from_normal(["a", "b"], [2.0, 3.0], ["", ""], np.eye(2), held=["b"])
    assert derive("ab", "", lambda p: p["a"] * p["b"], e).standard_error == pytest.approx(3.0)
    assert derive("b", "", lambda p: p["b"], e).status == "withheld"


def test_a_fit_that_did_not_converge_gives_nothing_and_its_problems_make_doubtful():
    lost = fit(converged=False)
    assert "did not converge" in derive("f", "", lambda p: p["p0"], lost).reasons
    odd = fit(problems=("the residual oscillates",))
    assert derive("f", "", lambda p: p["p0"], odd).status == "doubtful"


def test_as_many_parameters_as_points_determine_no_error():
    e = from_jacobian(["a", "b"], [1, 2], ["", ""], np.eye(2), np.zeros(2))
    assert derive("a", "", lambda p: p["a"], e).status == "withheld"


def test_correlated_residuals_widen_the_error():
    """Sandwich covariance against Monte Carlo of a mean in noise with memory."""
    rng, n, rho = np.random.default_rng(2), 200, 0.8
    noise_covariance = rho ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    jacobian = np.ones((n, 1))
    score = jacobian.T @ noise_covariance @ jacobian
    e = from_normal(["mean"], [0.0], [""], jacobian.T @ jacobian, score=score)
    draws = rng.multivariate_normal(np.zeros(n), noise_covariance, 4000).mean(axis=1)
    assert math.sqrt(e.covariance[0, 0]) == pytest.approx(draws.std(), rel=0.05)


# ---- gates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tries, dof", [(1, None), (1024, None), (1, 8), (64, 40)])
def test_noise_passes_as_signal_at_the_stated_rate(tries, dof):
    rng, n, rate = np.random.default_rng(7), 3000, 0.02
    noise = np.ones(n) if dof is None else np.sqrt(rng.chisquare(dof, n) / dof)
    peaks = rng.standard_normal((n, tries)).max(axis=1)
    passed = np.sum(peaks > threshold(tries, dof, rate) * noise)
    expected = rate if dof is None or tries == 1 else None
    if expected:
        assert abs(passed / n - expected) < 4 * math.sqrt(rate * (1 - rate) / n)
    else:  # one noise estimate for all places: the correction is on the safe side
        assert passed / n < rate * 1.2


def test_signal_passes_what_is_there_and_says_why_not():
    assert pq.signal(5.0, 1.0)(None) is None
    found = pq.signal(0.8, 1.0, "the photopic integral", where="el.csv")(None)
    assert (found.gate, found.status) == ("signal", "withheld")
    assert "photopic integral is 0.8, 0.8 times its error" in str(found)
    assert pq.signal(1.0, 0.0)(None).status == pq.signal(math.nan, 1.0)(None).status == "withheld"


@pytest.mark.parametrize(
    "value, error, stops",
    [
        (0.5, 0.1, 0),
        (1.02, 0.01, 0),
        (-0.01, 0.01, 0),
        (97.6, 1.0, 1),
        (1.05, 0.01, 1),
        (-1, 0.1, 1),
    ],
)
def test_possible_within_errors(value, error, stops):
    q = pq.judge(Quantity("EQE", "", value, {"x": error}, ""), pq.possible(0, 1))
    assert (q.status == "withheld") == bool(stops)
    if stops:
        assert "limit of what is possible" in q.reasons


def test_possible_looks_at_the_side_of_the_interval_and_at_limits():
    skew = Quantity("y", "", 1.4, {"x": 0.4}, "", interval=(0.4, 1.7))
    assert pq.possible(0, 1)(skew) is None
    assert pq.possible(0, 1)(Quantity("y", "", 1.4, {"x": 0.05}, "", interval=(1.3, 2.4)))
    limit = Quantity("y", "", 1.4, {}, "", relation="<")
    assert pq.possible(0, 1)(limit) is None
    assert pq.possible(0, 1)(Quantity("y", "", 1.4, {}, "", relation=">")).status == "withheld"


@pytest.mark.parametrize("tries", [1, 64])
def test_gates_stop_from_the_threshold_on(tries):
    """Of noise one number in a thousand passes for a signal, of true values at an edge and of
    models that hold one in a thousand is stopped."""
    least = stats.norm.isf(1 - (1 - 1e-3) ** (1 / tries))
    for z in (0.99 * least, 1.01 * least):
        assert (pq.signal(0.1 * z, 0.1, tries=tries)(None) is None) == (z > least)
        if tries == 1:
            assert (pq.described(z)(None) is None) == (z < least)
            for edge in (1 + 0.1 * z, -0.1 * z):
                found = pq.possible(0, 1)(Quantity("y", "", edge, {"x": 0.1}, ""))
                assert (found is None) == (z < least)


@pytest.mark.parametrize("dof", [5, 50, 5000])
def test_goodness_has_the_stated_rate_and_finds_misfit(dof):
    z = [pq.goodness_z(c, dof) for c in np.random.default_rng(1).chisquare(dof, 4000)]
    stopped = np.mean(np.array(z) > threshold(false_alarm=0.02))
    assert abs(stopped - 0.02) < 0.009
    for chi in (stats.chi2.isf(1e-6, dof), stats.chi2.isf(0.3, dof)):
        assert pq.goodness_z(chi, dof) == pytest.approx(
            stats.norm.isf(stats.chi2.sf(chi, dof)), abs=0.15
        )


def test_a_residual_above_known_noise_makes_doubtful():
    names, values, units, jacobian, residual = branching()
    at = [np.delete(np.array(a, object), 1) for a in (names, values, units)]
    jacobian = np.delete(jacobian, 1, axis=1)
    for noise, status in ((0.01, "reported"), (0.005, "doubtful")):
        e = from_jacobian(*at, jacobian, residual, noise=noise)
        assert derive("k1", "", lambda p: p["k1"], e).status == status


def test_an_unstated_setting_widens_or_withholds_with_its_column():
    a = Quantity("absorbed", "", 2.0, {"counting": 0.02}, "")
    asked = derive("PLQY", "", lambda a, f: a / f, a, pq.assumed("filter_transmission"))
    assert asked.value is None and "filter_transmission" in asked.reasons
    wide = derive(
        "PLQY", "", lambda a, f: a / f, a, pq.assumed("filter_transmission", "", 0.8, 1.0)
    )
    assert wide.status == "reported" and "fill in" in wide.reasons
    assert wide.budget["assumed"] == pytest.approx(2 / 0.81 * 0.2 / 12**0.5, rel=1e-4)
    assert wide.budget["assumed"] > wide.budget["counting"]


# ---- lmfit ---------------------------------------------------------------------------------------


def line(noise=0.05, seed=0, **limits):
    from lmfit import Model

    x = np.linspace(-3, 3, 120)
    y = 2 * np.exp(-((x - 0.3) ** 2) / 2 / 0.5**2) + noise * np.random.default_rng(seed).normal(
        size=120
    )
    model = Model(lambda x, h, m, s, c: h * np.exp(-((x - m) ** 2) / 2 / s**2) + c)
    parameters = model.make_params(h=1.5, m=0.1, s=0.6, c=0.0)
    for name, limit in limits.items():
        parameters[name].set(**limit)
    return model.fit(y, parameters, x=x)


def test_lmfit_gives_the_same_errors_and_correlations():
    result = line()
    e = pq.from_lmfit(result, {"m": "nm"})
    assert e.names == ("h", "m", "s", "c") and e.units[1] == "nm"
    assert np.allclose(e.covariance, result.covar, rtol=0.01, atol=1e-9)
    known = pq.from_lmfit(result, {}, noise=0.05)
    assert abs(known.goodness) < 3 and np.allclose(known.covariance, e.covariance, rtol=0.3)
    assert pq.from_lmfit(result, {}, noise=0.02).goodness > 5


def test_a_bound_of_lmfit_costs_its_own_error_only():
    result = line(s={"min": 0.55})
    assert result.params["m"].stderr is None or result.params["s"].stderr is not None
    e = pq.from_lmfit(result, {})
    assert list(np.array(e.names)[e.at_bound]) == ["s"]
    fixed = line(s={"value": 0.55, "vary": False})
    made = derive("m", "nm", lambda p: p["m"], e)
    assert made.standard_error == pytest.approx(fixed.params["m"].stderr, rel=0.02)
    assert derive("s", "nm", lambda p: p["s"], e).status == "withheld"


def test_lmfit_models_with_a_redundant_parameter_lose_only_that():
    from lmfit import Minimizer, Parameters, minimize

    t = np.linspace(0, 4, 100)
    y = np.exp(-2 * t) + 0.01 * np.random.default_rng(0).normal(size=100)
    p = Parameters()
    p.add("k1", 0.5)
    p.add("k2", 0.9)
    p.add("c", 1e-14)

    def residual(p):
        return np.exp(-(p["k1"] + p["k2"]) * t) + p["c"] - y

    minimizer = Minimizer(residual, p)
    result = minimizer.minimize()
    e = pq.from_lmfit(result, {}, minimizer=minimizer)
    assert "only k1 + k2 is" in derive("k1", "", lambda p: p["k1"], e).reasons
    total = derive("k", "", lambda p: p["k1"] + p["k2"], e)
    assert total.value == pytest.approx(2, abs=4 * total.standard_error) and total.interval is None
    assert derive("c", "", lambda p: p["c"], e).status == "reported"
    alone = pq.from_lmfit(minimize(residual, p), {})
    assert derive("k1", "", lambda p: p["k1"], alone).status == "withheld"


def test_a_profile_interval_goes_through_the_function():
    result = line(noise=0.3)
    e = pq.from_lmfit(result, {}, profile=["s"])
    low, high = e.intervals["s"]
    made = derive("fwhm", "", lambda p: 2.3548 * p["s"], e)
    assert made.interval == pytest.approx((2.3548 * low, 2.3548 * high))
    assert low < result.params["s"].value < high


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_what_falls_along_an_open_direction_is_as_open_as_what_rises(sign):
    fit = pq.from_normal(["k1", "k2"], [2.0, 3.0], ["1/ns"] * 2, [[100.0] * 2] * 2)
    found = derive("change", "1/ns", lambda p: 10 + sign * p["k1"] - sign * p["k2"], fit)
    assert found.value is None and "not determined" in found.reasons
    assert derive("sum", "1/ns", lambda p: 10 + sign * (p["k1"] + p["k2"]), fit).value is not None


def test_what_no_data_bound_is_withheld_without_a_warning():
    fit = from_normal(["tau"], [0.02], ["ps"], [[1e-12]], log=["tau"])
    assert derive("tau", "ps", lambda p: p["tau"], fit).status == "withheld"


def test_share_that_a_model_misses_is_what_was_put_in():
    x, rng = np.linspace(-3, 3, 2000), np.random.default_rng(0)
    signal = 90 * np.exp(-(x**2))
    for share in (0.04, 0.2):
        left = [share * signal + rng.standard_normal(x.size) for _ in range(20)]
        found = [pq.missed_share(one, signal) for one in left]
        assert np.mean(found) == pytest.approx(share, rel=0.03)
    assert pq.missed_share(rng.standard_normal(2000), signal) < 0.01
    assert pq.missed_share(np.ones(9), np.zeros(9)) == np.inf


@pytest.mark.parametrize("lags", [1, 3, 12])
def test_likeness_of_white_noise_is_a_standard_normal(lags):
    rng = np.random.default_rng(lags)
    z = [pq.likeness_z(7 * rng.standard_normal(300), lags) for _ in range(600)]
    assert abs(np.mean(z)) < 0.15 and np.std(z) == pytest.approx(1, abs=0.1)


def test_what_is_open_is_left_where_it_changes_least():
    """Of all amounts along an open direction the one of least relative change; what does not lean
    on that direction keeps its variance."""
    rng = np.random.default_rng(2)
    root, size = rng.standard_normal((4, 4)), np.array([1.0, 30.0, 0.2, 5.0])
    null = np.array([[1.0, 2.0, 0.0, -1.0]]).T
    found = estimates._least_change(root @ root.T, null, size)
    assert null.T / size**2 @ found == pytest.approx(np.zeros((1, 4)), abs=1e-9)
    sound = np.array([2.0, -1.0, 3.0, 0.0])  # orthogonal to what is open
    assert sound @ found @ sound == pytest.approx(sound @ root @ root.T @ sound)
    assert estimates._least_change(found, 0 * null, size) is found


def test_interval_of_a_bent_function_shares_its_way_among_the_causes():
    """1.96 errors along each cause by its part of the variance: of the fit exp(±), else plain."""
    fit = from_normal(["x"], [1.0], [""], np.array([[1 / 0.3**2]]), log=["x"])
    made = derive("y", "", lambda p: p["x"], fit, other=0.2)
    error = math.hypot(0.3, 0.2)
    way, beyond = 1.959964 * 0.3**2 / error, 1.959964 * 0.2**2 / error
    assert made.standard_error == pytest.approx(error)
    assert made.interval == pytest.approx((math.exp(-way) - beyond, math.exp(way) + beyond))


@pytest.mark.parametrize("low, high, told", [
    (-9.0, 9.0, False), (2.0 - 1e-4, 9.0, True), (-9.0, 2.0 + 1e-4, True),
])  # fmt: skip
def test_bounds_of_lmfit_count_on_either_side_and_its_report_has_these_errors(low, high, told):
    """Within a small share of the error of the value, from below as from above."""
    lmfit = pytest.importorskip("lmfit")
    x = np.linspace(-1, 1, 40)
    y = 2.0 + 3.0 * x + 0.1 * np.sin(40 * x) - 0.1 * np.sin(40 * x).mean()
    start = lmfit.Parameters()
    start.add("a", 2.0, min=low, max=high)
    start.add("b", 2.0)
    result, found = pq.fit_lmfit(lambda p: p["a"] + p["b"] * x - y, [start], {})
    assert bool(found.at_bound[0]) == told and not found.at_bound[1]
    if not told:
        errors = np.sqrt(np.diag(found.covariance))
        assert [result.params[n].stderr for n in "ab"] == pytest.approx(errors)
        shared = found.covariance[0, 1] / errors.prod()
        assert result.errorbars and result.params["a"].correl["b"] == pytest.approx(shared)
        left = y - np.polyval(np.polyfit(x, y, 1), x)
        assert errors[0] == pytest.approx(np.sqrt(left @ left / 38 / 40), rel=1e-4)


def test_scatter_as_large_as_the_least_noise_is_as_good_as_it_should_be():
    t = np.linspace(0, 5, 400)
    y = 3 - t + 0.2 * np.random.default_rng(1).standard_normal(400)
    start = lmfit.create_params(level=2.0, slope=0.0)
    _, found = pq.fit_lmfit(lambda p: p["level"] + p["slope"] * t - y, [start], {}, least_noise=0.2)
    assert abs(found.goodness) < 3


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_slopes_are_taken_over_a_step_of_the_size_of_the_number(size):
    one = Quantity("rate", "", size, {"fit": 1e-3 * size}, "1")
    found = derive("root", "1", np.sqrt, one)
    assert found.standard_error == pytest.approx(0.5e-3 * math.sqrt(size), rel=1e-3)
