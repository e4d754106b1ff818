"""The one separable fit: exact cases, all three blocks, bounds, relations, priors, what is missing,
what is not determined, profiles, and the coverage of every error."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import linalg, optimize

from peled import separable
from peled.quantities import derive
from peled.separable import Sought, blocks, differences, fit, fitting, search
from peled.structure import xps, xrd

T = np.linspace(0, 6, 120)
LIFETIME = {"lifetime": Sought(1.0, log=True, step=0.3)}


def decays(values, derivatives=True):
    """exp(-t/τ) and an offset, with the derivative by τ."""
    (tau,) = values
    c = np.column_stack([np.exp(-T / tau), np.ones_like(T)])
    dc = np.zeros((1, *c.shape))
    dc[0, :, 0] = c[:, 0] * T / tau**2
    return c, dc


def noisy(rng, amplitudes=((2.0,), (0.3,)), tau=1.5, sd=0.03):
    clean = decays([tau])[0] @ np.array(amplitudes)
    return clean + sd * rng.standard_normal(clean.shape)


def test_exact_data_give_exact_parameters():
    data = decays([1.5])[0] @ [2.0, 0.3]
    found = fit(decays, data, LIFETIME, ["height", "offset"], error=0.01)
    assert found.values == pytest.approx([1.5], rel=1e-6)
    assert found.linear == pytest.approx([2.0, 0.3], rel=1e-6)
    assert found.estimates.converged
    assert found.chi2 == pytest.approx(0, abs=1e-8)


def test_differences_and_analytic_derivatives_agree():
    data = noisy(np.random.default_rng(1))[:, 0]
    options = {"error": 0.03}
    a = fit(decays, data, LIFETIME, ["height", "offset"], **options)
    basis = differences(lambda v: decays(v)[0], [1e-4])
    b = fit(basis, data, LIFETIME, ["height", "offset"], **options)
    assert b.values == pytest.approx(a.values, rel=1e-5)
    assert b.errors == pytest.approx(a.errors, rel=1e-3)
    held = differences(lambda v: decays(v)[0], [1e-4], [False])
    assert not held(np.array([1.5]), True)[1].any()


def doublets():
    x = np.arange(44.0, 74.0, 0.25)
    levels = (
        xps.Doublet("I 4d", 49.4, 1.7, 0.69),
        xps.Doublet("Au 4f", 64.0, 3.7, 0.75, asymmetry=0.1),
    )
    model = xps._LevelModel(x, 10 + 0 * x, levels, "exponential")
    return model.basis, model.sought


def powder():
    iodide = xrd.known_phases()["PbI2 2H"]
    phases = xrd.Phase("lattice", (6.28, 6.28, 6.28, 90, 90, 90), "P m -3 m"), iodide
    model = xrd.phases._Model(np.linspace(10, 50, 400), phases, (1.5406, 1.5444), 240.0)
    return model.basis, model.sought(None, None, None)


@pytest.mark.parametrize("model", [doublets, powder])
def test_slopes_are_the_derivatives_of_the_columns(model):
    basis, sought = model()
    values = np.array([s.value for s in sought.values()])
    columns, slopes = basis(values, True)
    steps = [1e-5 * s.step * (s.value if s.log else 1.0) for s in sought.values()]
    a = np.random.default_rng(0).normal(size=columns.shape[1])
    centred = [
        (basis(values + h, False)[0] - basis(values - h, False)[0]) @ a / (2 * step)
        for h, step in zip(np.diag(steps), steps, strict=True)
    ]
    for one, two in zip(slopes @ a, centred, strict=True):
        assert one == pytest.approx(two, rel=1e-4, abs=1e-4 * np.abs(two).max())
    both = slopes @ np.column_stack([a, 2 * a])
    np.testing.assert_allclose(both, (slopes @ a)[:, :, None] * [1, 2])


def test_what_the_data_do_not_feel_stays_and_hinders_no_other():
    def basis(values, derivatives):
        c, dc = decays(values[:1])
        return c, np.concatenate([dc, 1e-16 * dc])

    data = noisy(np.random.default_rng(1))[:, 0]
    unfelt = {"lifetime": LIFETIME["lifetime"], "other": Sought(7.0)}
    found = fit(basis, data, unfelt, ["height", "offset"], error=0.03)
    alone = fit(decays, data, LIFETIME, ["height", "offset"], error=0.03)
    assert found.values == pytest.approx([*alone.values, 7.0]) and found.estimates.converged


def test_errors_cover_and_goodness_is_standard_normal():
    rng = np.random.default_rng(2)
    pulls, goodness = [], []
    for _ in range(300):
        found = fit(decays, noisy(rng)[:, 0], LIFETIME, ["height", "offset"], error=0.03)
        truth = np.array([1.5, 2.0, 0.3])
        pulls.append((found.estimates.values - truth) / found.errors)
        goodness.append(found.estimates.goodness)
    assert np.std(pulls, axis=0) == pytest.approx(np.ones(3), abs=0.13)
    assert np.mean(goodness) == pytest.approx(0, abs=0.2)
    assert np.std(goodness) == pytest.approx(1, abs=0.15)


def test_a_fit_continued_from_its_end_stays_there():
    data = noisy(np.random.default_rng(5))[:, 0]
    found = fit(decays, data, LIFETIME, ["height", "offset"], error=0.03)
    assert found.linear_errors.tolist() == found.errors[-2:].tolist()
    assert found.estimates.values[-2:].tolist() == found.linear.tolist()
    again = fit(decays, data, found.continued, ["height", "offset"], error=0.03, max_evaluations=2)
    assert again.estimates.values == pytest.approx(found.estimates.values, rel=1e-4)
    assert found.continued == {n: replace(s, value=found.values[0]) for n, s in LIFETIME.items()}


def test_without_errors_the_scatter_gives_them_and_no_goodness():
    data = noisy(np.random.default_rng(3), sd=0.05)[:, 0]
    free = fit(decays, data, LIFETIME, ["height", "offset"])
    known = fit(decays, data, LIFETIME, ["height", "offset"], error=0.05)
    factor = np.sqrt(free.chi2 / free.freedom) / 0.05
    assert free.errors == pytest.approx(known.errors * factor, rel=1e-6)
    assert free.freedom == len(T) - 3
    assert free.estimates.goodness is None


def test_errors_too_small_are_made_larger_and_never_smaller():
    data = noisy(np.random.default_rng(4), sd=0.05)[:, 0]

    def errors(given, variance=separable.larger):
        return fit(
            decays, data, LIFETIME, ["height", "offset"], error=given, variance=variance
        ).errors

    assert errors(0.01) == pytest.approx(errors(0.05, None), rel=0.2)
    assert errors(0.2) == pytest.approx(4 * errors(0.05, None), rel=1e-6)


def test_correlated_noise_has_the_errors_of_many_repetitions():
    lags = 0.8 ** np.abs(np.arange(len(T))[:, None] - np.arange(len(T)))
    covariance, root = 0.03**2 * lags, 0.03 * np.linalg.cholesky(lags)
    rng, found = np.random.default_rng(5), []
    for _ in range(250):
        data = decays([1.5])[0] @ [2.0, 0.3] + root @ rng.standard_normal(len(T))
        found.append(
            fit(
                decays,
                data,
                LIFETIME,
                ["height", "offset"],
                covariance_of=lambda x: x.T @ covariance @ x,
            )
        )
    values = np.array([f.estimates.values for f in found])
    claimed = np.median([f.errors for f in found], axis=0)
    assert values.std(axis=0) == pytest.approx(claimed, rel=0.12)
    white = fit(decays, data, LIFETIME, ["height", "offset"], error=0.03).errors
    assert (claimed > 1.5 * white).all()


def test_columns_share_the_lifetime_and_missing_cells_weigh_nothing():
    rng, amplitudes = np.random.default_rng(6), ((2.0, 1.0, -0.5), (0.3, 0.1, 0.2))
    data = noisy(rng, amplitudes)
    whole = fit(decays, data, LIFETIME, ["height", "offset"], error=0.03)
    alone = fit(decays, data[:, 0], LIFETIME, ["height", "offset"], error=0.03)
    assert whole.errors[0] < alone.errors[0]
    assert whole.estimates.names[1:4] == ("height 1", "offset 1", "height 2")
    missing = data.copy()
    missing[20:40, 1] = np.nan
    error = np.full(data.shape, 0.03)
    error[20:40, 1] = np.inf
    a = fit(decays, missing, LIFETIME, ["height", "offset"], error=0.03)
    b = fit(decays, data, LIFETIME, ["height", "offset"], error=error)
    assert a.values == pytest.approx(b.values, rel=1e-9)
    assert a.errors == pytest.approx(b.errors)
    assert a.freedom == whole.freedom - 20
    assert not a.residual[20:40, 1].any()
    dense = np.delete(np.arange(len(T)), np.arange(20, 40))
    reference = fit(  # the same two columns as one spectrum each, side by side
        lambda v, d: (
            np.vstack([np.kron(np.eye(3)[j], decays(v)[0]) for j in range(3)])[_kept(dense)],
            np.concatenate([np.kron(np.eye(3)[j], decays(v)[1][0]) for j in range(3)], axis=0)[
                None
            ][:, _kept(dense)],
        ),
        data.T.ravel()[_kept(dense)],
        LIFETIME,
        [f"a{i}" for i in range(6)],
        error=0.03,
    )
    assert a.values == pytest.approx(reference.values, rel=1e-5)
    assert a.errors[0] == pytest.approx(reference.errors[0], rel=1e-4)


def _kept(dense):
    n = len(T)
    return np.concatenate([np.arange(n), n + dense, 2 * n + np.arange(n)])


def test_a_negative_amplitude_stays_at_zero_and_says_so():
    data = noisy(np.random.default_rng(7), ((-0.05,), (0.3,)))[:, 0]
    free = fit(decays, data, LIFETIME, ["height", "offset"], error=0.03)
    assert free.linear[0] < 0
    held = fit(decays, data, LIFETIME, ["height", "offset"], error=0.03, non_negative=1)
    assert held.linear[0] == 0 and held.estimates.at_bound.tolist() == [False, True, False]
    assert held.linear[1] == pytest.approx(data.mean())
    assert held.errors[1] == np.inf
    assert derive("height", "", lambda p: p["height"], held.estimates).value is None
    with pytest.raises(ValueError, match="one set of errors"):
        error = np.full((len(T), 2), 0.03)
        error[3, 1] = 1.0
        fit(decays, np.ones((len(T), 2)), LIFETIME, ["h", "o"], error=error, non_negative=1)


def test_bounds_hold_and_cost_their_own_error_only():
    data = noisy(np.random.default_rng(8))[:, 0]
    bounded = {"lifetime": Sought(1.0, high=1.2, log=True, step=0.3)}
    found = fit(decays, data, bounded, ["height", "offset"], error=0.03)
    assert found.values[0] == pytest.approx(1.2)
    assert found.errors[0] == np.inf and np.isfinite(found.errors[1:]).all()
    low = {"lifetime": Sought(2.0, low=1.8, step=0.3)}
    assert fit(decays, data, low, ["height", "offset"]).values[0] == pytest.approx(1.8)


@pytest.mark.parametrize("begin,ends", [(1.0, {"low": 1.0}), (2.0, {"high": 2.0})])
def test_a_search_that_begins_at_a_bound_leaves_it(begin, ends):
    data = noisy(np.random.default_rng(8))[:, 0]
    free = fit(decays, data, LIFETIME, ["height", "offset"])
    bounded = {"lifetime": Sought(begin, log=True, step=0.3, **ends)}
    found = fit(decays, data, bounded, ["height", "offset"])
    assert found.values == pytest.approx(free.values, rel=1e-4)


@pytest.mark.parametrize("seed", [0, 3])
def test_where_a_search_ends_is_not_where_it_began(seed):
    """A lifetime known to a third of itself bends the cost: ends differ by under 0.005 errors."""
    data = noisy(np.random.default_rng(seed), sd=0.3)[:, 0]
    starts = [{"lifetime": Sought(b, log=True, step=0.3)} for b in (0.3, 0.6, 1.0, 2.0, 3.0, 5.0)]
    found = [fit(decays, data, start, ["height", "offset"], error=0.3) for start in starts]
    assert np.ptp([f.values[0] for f in found]) < 0.005 * found[0].errors[0]


def test_a_search_cut_short_is_not_called_converged():
    data = noisy(np.random.default_rng(8))[:, 0]
    far = {"lifetime": Sought(0.05, log=True, step=0.3)}
    cut = fit(decays, data, far, ["height", "offset"], max_evaluations=2)
    assert not cut.estimates.converged
    assert fit(decays, data, far, ["height", "offset"]).estimates.converged


def test_what_is_known_is_a_square_and_its_slopes():
    prior, h = fitting._Prior(1, 3.0, 0.2), 1e-4
    low, here, high = (prior.evaluate(np.array([9.0, 3.5 + s])) for s in (-h, 0, h))
    assert here.cost == pytest.approx((0.5 / 0.2) ** 2)
    assert 2 * here.gradient[0] == pytest.approx((high.cost - low.cost) / (2 * h))
    bend = (high.cost - 2 * here.cost + low.cost) / h**2
    assert 2 * here.hessian[0, 0] == pytest.approx(bend, rel=1e-4)


class _Valley:
    """A narrow valley from (0, 0) down to (-5, 5), as a block of a problem."""

    index, total, rounded, compressed = np.arange(2), 25.0, 0.0, True
    curvature = np.array([[1.0, 0.99], [0.99, 1.0]])

    def evaluate(self, theta, derivatives=True, covariance=False):
        away = theta - [-5.0, 5.0]
        pull = self.curvature @ away
        return search.Evaluation(0.1 + away @ pull, pull, self.curvature)


def test_a_step_that_a_bound_cuts_short_is_not_the_last():
    """What is left of a step along a valley once a bound has cut it may go uphill: a shorter one
    does not."""
    wall = -0.01
    problem = search.Problem([_Valley()], lambda u: (u, np.eye(2)), [wall, -9.0], [9.0, 9.0])
    found = search.minimise(problem, [0.0, 0.0])
    assert found.converged and found.at_bound.tolist() == [True, False]
    assert found.theta == pytest.approx([wall, 5 - 0.99 * (wall + 5)], abs=1e-6)


class _Bowl:
    """x² from x = 1, of which a step promises `slope`² / `curvature`, and goes `slope` over
    `curvature` of the way."""

    index, total, rounded, compressed = np.arange(1), 1.0, 0.0, True

    def __init__(self, slope, curvature):
        self.slope, self.curvature = slope, curvature

    def evaluate(self, theta, derivatives=True, covariance=False):
        return search.Evaluation(
            float(theta @ theta), self.slope * theta, np.array([[self.curvature]])
        )

    def searched(self, evaluations, reach=9.0, tolerance=1e-30):
        problem = search.Problem([self], lambda u: (u, np.eye(1)), [-9.0], [9.0], reach)
        return search.minimise(problem, [1.0], tolerance=tolerance, max_evaluations=evaluations)


@pytest.mark.parametrize("promised,change", [(1.0, 0.1), (3.0, 0.5), (10.0, 2.0)])
def test_damping_follows_what_a_step_gained_of_what_it_promised(promised, change):
    """A damping λ leaves λ/(1 + λ) of the way; it begins at a thousandth."""
    bowl = _Bowl(promised, promised)
    first = 1e-3 / (1 + 1e-3)
    second = first * 1e-3 * change / (1 + 1e-3 * change)
    for evaluations, left in ((2, first), (3, second)):
        found = bowl.searched(evaluations)
        assert found.theta == pytest.approx([left]) and not found.converged
        assert found.decrement == pytest.approx(promised)  # (3x)²/3 of a cost of x²
        assert found.gradient_norm == pytest.approx(np.sqrt(promised))


def test_no_step_goes_further_than_twice_the_reach():
    assert _Bowl(4.0, 4.0).searched(2, reach=0.1).theta == pytest.approx([0.8])


def test_a_coordinate_at_its_reach_does_not_mislead_the_others():
    h, g = np.array([[1.0, 0.5, 0.0], [0.5, 2.0, 0.3], [0.0, 0.3, 1.0]]), np.array([3.0, -1.0, 0.5])
    step = search._within(h, g, np.array([1.5, 9.0, 9.0]))
    assert step[0] == -1.5
    assert (h @ step + g)[1:] == pytest.approx([0, 0])


def test_a_step_that_goes_uphill_is_damped_until_it_does_not():
    """Three times too far, until a damping of 0.001 · 8³ leaves less than twice."""
    assert _Bowl(3.0, 1.0).searched(4).theta == [1.0]
    assert _Bowl(3.0, 1.0).searched(5).theta == pytest.approx([1 - 3 / (1 + 1e-3 * 8**3)])


@pytest.mark.parametrize("total,least", [(1.0, 1e-9), (1e15, 1e-8)])
def test_where_nothing_is_better_little_must_be_promised(total, least):
    """Of the cost, 1 everywhere, or of what rounding leaves of the data's squares."""

    class Plain(_Bowl):
        def evaluate(self, theta, derivatives=True, covariance=False):
            return search.Evaluation(1.0, np.array([self.slope]), np.array([[self.curvature]]))

    for share in (0.9, 1.1):
        plain = Plain(np.sqrt(share * least), 1.0)
        plain.total = total
        assert plain.searched(60).converged == (share < 1)


@pytest.mark.parametrize("least", [0.9, 1.1])
def test_a_search_ends_where_no_more_is_promised_than_rounding_leaves(least):
    """A fourteenth digit of the data's squares; the step that promises it is still taken."""
    bowl = _Bowl(1.0, 1.0)
    bowl.total = least * 1e16
    found = bowl.searched(2, tolerance=1e-2)
    assert found.converged == (least > 1) and found.evaluations == (1 if least > 1 else 2)
    assert found.theta == pytest.approx([0.0 if least > 1 else 1e-3 / 1.001])


@pytest.mark.parametrize("away,arrived", [(0.03, True), (0.09, False)])
def test_a_search_that_moves_no_more_has_arrived_when_little_is_left(away, arrived):
    """Of its standard errors; one evaluation is that of the start."""
    data = noisy(np.random.default_rng(5))[:, 0]
    found = fit(decays, data, LIFETIME, ["height", "offset"], error=0.03)
    near = {"lifetime": Sought(found.values[0] + away * found.errors[0], step=0.3)}
    stopped = fit(decays, data, near, ["height", "offset"], error=0.03, max_evaluations=1)
    assert stopped.values[0] == near["lifetime"].value
    assert stopped.estimates.converged == arrived


def two(values, derivatives=True):
    """Two decays and no offset."""
    c = np.exp(-T[:, None] / np.asarray(values))
    dc = np.zeros((2, *c.shape))
    for i, tau in enumerate(values):
        dc[i, :, i] = c[:, i] * T / tau**2
    return c, dc


def test_a_relation_is_the_same_as_one_parameter_less():
    data = two([0.6, 2.4])[0] @ [1.0, 2.0]
    data = data + 0.01 * np.random.default_rng(9).standard_normal(len(T))
    sought = {"fast": Sought(0.4, log=True, step=0.3), "slow": Sought(9.0)}
    tied = fit(
        two, data, sought, ["a", "b"], error=0.01, relations={"slow": lambda v: 4 * v["fast"]}
    )
    assert tied.values[1] == pytest.approx(4 * tied.values[0])
    assert tied.estimates.names == ("fast", "a", "b")
    whole = fit(
        differences(lambda v: two([v[0], 4 * v[0]])[0], [1e-5]),
        data,
        {"fast": sought["fast"]},
        ["a", "b"],
        error=0.01,
    )
    assert tied.values[0] == pytest.approx(whole.values[0], rel=1e-5)
    assert tied.errors == pytest.approx(whole.errors, rel=1e-3)


def test_what_is_held_is_not_searched():
    data = two([0.6, 2.4])[0] @ [1.0, 2.0]
    sought = {"fast": Sought(0.4, log=True, step=0.3), "slow": Sought(2.4, held=True)}
    found = fit(two, data, sought, ["a", "b"], error=0.01)
    assert found.values == pytest.approx([0.6, 2.4], rel=1e-5)
    assert "slow" not in found.estimates.names


def test_what_is_known_counts_as_a_datum():
    data = noisy(np.random.default_rng(10))[:, 0]
    free = fit(decays, data, LIFETIME, ["height", "offset"], error=0.03)
    error = free.errors[0]
    other = free.values[0] + 2 * error
    known = {"lifetime": Sought(1.0, step=0.3, known=(other, error))}
    found = fit(decays, data, known, ["height", "offset"], error=0.03)
    assert found.values[0] == pytest.approx(free.values[0] + error, abs=0.15 * error)
    assert found.errors[0] == pytest.approx(error / np.sqrt(2), rel=0.05)
    assert found.chi2 - free.chi2 == pytest.approx(2.0, rel=0.1)  # one σ from each


def test_two_equal_lifetimes_leave_a_direction_open():
    data = noisy(np.random.default_rng(11), ((2.0,), (0.0,)))[:, 0]

    def twice(values):
        one = np.exp(-T / values[0])
        return np.column_stack([one, 3 * one])

    found = fit(differences(twice, [1e-4]), data, LIFETIME, ["a", "b"], error=0.03)
    assert found.estimates.null.shape[1] == 1
    assert np.isfinite(found.errors[0]) and np.isinf(found.errors[1:]).all()
    total = derive("sum", "", lambda p: p["a"] + 3 * p["b"], found.estimates)
    assert total.value == pytest.approx(2.0, abs=0.1)
    assert derive("a", "", lambda p: p["a"], found.estimates).value is None


def test_profile_intervals():
    data = noisy(np.random.default_rng(12))[:, 0]
    found = fit(decays, data, LIFETIME, ["height", "offset"], error=0.03)
    low, high = found.interval("lifetime", 0.1, 20.0)
    tau, error = found.values[0], found.errors[0]
    assert (low, high) == pytest.approx((tau - 1.96 * error, tau + 1.96 * error), rel=5e-3)
    chi2 = [
        fit(decays, data, {"lifetime": Sought(v, held=True)}, ["h", "o"], error=0.03).chi2
        for v in (low, high)
    ]
    assert chi2 == pytest.approx(np.full(2, found.chi2 + 3.8415), abs=0.1)
    tight = found.interval("lifetime", tau - 0.1 * error, tau + 0.1 * error)
    assert tight == pytest.approx((tau - 0.1 * error, tau + 0.1 * error))
    wide = found.interval("lifetime", 0.1, 20.0, 4 * 3.8415)
    assert wide[1] - wide[0] == pytest.approx(2 * (high - low), rel=0.05)


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="as many points as the 3 parameters, found 2"):
        data = np.full(len(T), np.nan)
        data[:2] = 1.0
        fit(decays, data, LIFETIME, ["height", "offset"])


def test_the_cost_is_what_lmfit_finds():
    from lmfit.models import ConstantModel, ExponentialModel

    data = noisy(np.random.default_rng(13))[:, 0]
    model = ExponentialModel() + ConstantModel()
    other = model.fit(data, x=T, amplitude=1, decay=1, c=0.1, weights=np.full(len(T), 1 / 0.03))
    found = fit(decays, data, LIFETIME, ["height", "offset"], error=0.03)
    assert found.chi2 == pytest.approx(other.chisqr, rel=1e-5)
    assert found.values[0] == pytest.approx(other.params["decay"].value, rel=1e-4)
    scaled = other.params["decay"].stderr / np.sqrt(other.redchi)
    assert found.errors[0] == pytest.approx(scaled, rel=1e-3)


def test_a_variance_widens_the_errors_of_correlated_noise_too():
    data = noisy(np.random.default_rng(11))[:, 0]
    options = {"error": 0.03, "covariance_of": lambda jacobian: jacobian.T @ jacobian}
    plain = fit(decays, data, LIFETIME, ["height", "offset"], **options)
    wide = fit(decays, data, LIFETIME, ["height", "offset"], variance=lambda *_: 4.0, **options)
    assert wide.errors == pytest.approx(2 * plain.errors, rel=1e-6)


@pytest.mark.parametrize("log", [False, True])
def test_lmfit_takes_over_at_the_minimum_with_priors_ties_and_missing_cells(log):
    data = np.stack([noisy(np.random.default_rng(k))[:, 0] for k in (5, 6)], axis=1)
    data[3:9, 0] = np.nan
    sought = {
        "life time": Sought(1.0, 0.1, 10.0, log=log, known=(1.4, 0.05)),
        "rise": Sought(0.3),
    }
    found = fit(
        differences(
            lambda v: np.stack([np.exp(-T / v[0]), np.exp(-T / v[1])], axis=1), [1e-4, 1e-4]
        ),
        data,
        sought,
        ["slow", "fast"],
        error=0.03,
        relations={"rise": lambda v: 0.2 * v["life time"]},
    )
    minimizer = found.to_lmfit()
    assert list(minimizer.params) == ["life_time", "slow_1", "fast_1", "slow_2", "fast_2"]
    start = minimizer.params["life_time"]
    assert (start.min, start.max) == (0.1, 10.0)
    assert np.sum(minimizer.userfcn(minimizer.params) ** 2) == pytest.approx(found.chi2, rel=1e-9)
    away = minimizer.params.copy()
    away["life_time"].value *= 1.2
    result = minimizer.minimize(params=away)
    stated = zip(result.params.values(), found.estimates.values, found.errors, strict=True)
    for p, value, error in stated:
        assert p.value == pytest.approx(value, abs=0.01 * error)
        assert p.stderr == pytest.approx(error, rel=0.02)


# ---- the blocks against what they shorten --------------------------------------------------------

DELAYS = np.linspace(0, 6, 40)


def three_decays(u, derivatives=True):
    """Three decays by the logarithms of their times, and the derivatives by these."""
    c = np.exp(-DELAYS[:, None] / np.exp(u))
    dc = np.zeros((3, *c.shape))
    for k in range(3):
        dc[k, :, k] = c[:, k] * DELAYS / np.exp(u[k])
    return c, dc


def block_of(kind, data, rng):
    """A block of a kind, the weights it has, and which of its wavelengths share their noise."""
    index, weight = np.arange(3), np.ones_like(data)
    if kind == "non-negative":
        return blocks.NonNegativeBlock(data, three_decays, index, 3), weight
    if kind in ("shared", "compressed"):
        return blocks.SharedBlock(data, three_decays, index, exact=kind == "shared"), weight
    weight = rng.uniform(0.5, 2, data.shape) * (rng.random(data.shape) > 0.1)

    sets = (15, 25) if kind == "two sets" else (40,)

    def dispersed(rows):
        def basis(u, derivatives):
            c, dc = three_decays(u)
            each = weight.T[rows, :, None]

            def of(own):
                return lambda a: np.einsum("ptn,wnm->wtp", dc[:, own], a) * each[:, own]

            return c * each, [of(slice(0, sets[0])), of(slice(sets[0], None))][: len(sets)]

        return basis

    def part(rows, chunks=()):
        seen, each = weight[:, rows] > 0, [index] * len(sets)
        return blocks.DispersedBlock(
            (data * weight)[:, rows], dispersed(rows), each, seen, sets, chunks
        )

    count = data.shape[1]
    halves = slice(0, count // 2), slice(count // 2, count)
    chunks = [part(rows) for rows in halves] if kind == "in chunks" else ()
    return part(slice(None), chunks), weight


def explicitly(u, data, weight, alike, positive):
    """Cost, gradient, Hessian, floor, residuals and their slopes, wavelength by wavelength."""
    c0, dc0 = three_decays(u)
    rest, slopes, parts, sets, fitted = [], [], [], [], []
    for d, w in zip((data * weight).T, weight.T, strict=True):
        keep = np.arange(3)
        if positive:
            keep = np.flatnonzero(optimize.nnls(c0, d)[0] > 0)
        c, dc = c0[:, keep] * w[:, None], dc0[:, :, keep] * w[:, None]
        inverse = np.linalg.pinv(c)
        out = np.eye(len(d)) - c @ inverse
        rest.append(out @ d)
        fitted.append(d - rest[-1])
        slopes.append([out @ x @ inverse @ d for x in dc])
        made = np.array([out @ x for x in dc])
        parts.append(np.einsum("ptn,nm,qtm->pq", made, inverse @ inverse.T, made))
        sets.append((tuple(keep), max(int((w > 0).sum()) - len(keep), 1)))
    rest, slopes = np.array(rest), np.array(slopes)
    noise = np.sum(rest**2, axis=1) / [free for _, free in sets]
    if alike:  # wavelengths with the same columns have the same noise
        noise = [np.mean(noise[[s == t for t in sets]]) for s in sets]
    floor = sum(n * part for n, part in zip(noise, parts, strict=True))
    cross = np.einsum("wpt,ws->pts", slopes, rest)
    gradient = -np.einsum("wpt,wt->p", slopes, rest)
    hessian = np.einsum("wpt,wqt->pq", slopes, slopes)
    signal = np.sqrt(np.mean(np.square(fitted), axis=0))
    return np.sum(rest**2), gradient, hessian, floor, rest.T @ rest, signal, cross


@pytest.mark.parametrize(
    "kind", ["shared", "compressed", "dispersed", "in chunks", "two sets", "non-negative"]
)
def test_blocks_are_what_their_wavelengths_add_up_to(kind):
    rng = np.random.default_rng(7)
    spectra = rng.normal(size=(3, 60))  # more than delays: those of one matrix are compressed
    data = three_decays(np.log([0.3, 1.2, 4.0]))[0] @ spectra + 0.1 * rng.normal(size=(40, 60))
    block, weight = block_of(kind, data, rng)
    u = np.log([0.4, 1.0, 5.0])
    alike = kind in ("shared", "compressed", "non-negative")
    expected = explicitly(u, data, weight, alike, kind == "non-negative")
    found = search.Problem(
        [block], lambda theta: (theta, np.eye(3)), *([-9] * 3, [9] * 3)
    ).evaluate(u, True, True)
    assert block.total == pytest.approx(np.sum((data * weight) ** 2))
    own = np.split(np.arange(40), [15]) if kind == "two sets" else [np.arange(40)]
    inside = sum(np.outer(np.isin(DELAYS, DELAYS[at]), np.isin(DELAYS, DELAYS[at])) for at in own)
    gram = linalg.block_diag(*(rows.gram for rows in found.rows))
    signal = np.concatenate([rows.signal for rows in found.rows])
    expected = [*expected[:4], expected[4] * inside, expected[5], expected[6]]
    parts = found.cost, found.gradient, found.hessian, found.floor, gram, signal
    for one, other in zip(parts, expected, strict=False):
        assert one == pytest.approx(other, rel=1e-6, abs=1e-8 * np.abs(other).max())
    assert block.evaluate(u, False).cost == pytest.approx(found.cost)
    kernel = np.exp(-np.abs(np.subtract.outer(DELAYS, DELAYS)))
    loud = np.random.default_rng(8).normal(size=(40, 2))
    for share in (None, loud @ loud.T):
        score, made = 0.0, 0.0
        for at, rows in zip(own, found.rows, strict=True):
            cross, one = expected[6][:, at[:, None], at], np.ix_(at, at)
            middle = cross if share is None else cross @ share[one]
            score = score + np.einsum("pij,ik,qkj->pq", middle, kernel[one], cross)
            made = made + sum(rows.scores([kernel[one]], None if share is None else share[one]))
        assert made == pytest.approx(score, rel=1e-6)


def test_coordinates_and_values_are_one_another():
    sought = {"a": Sought(0.4, log=True, step=0.3), "b": Sought(-2.0, step=0.5),
              "c": Sought(7.0, held=True)}  # fmt: skip
    place = fitting._Place(sought, {})
    values, slopes = place.expand(place.coordinates(np.array([1.1, 3.0])))
    assert values == pytest.approx([1.1, 3.0, 7.0])
    assert slopes == pytest.approx(np.array([[0.3 * 1.1, 0], [0, 0.5], [0, 0]]))


@pytest.mark.parametrize("wavelengths", [3, 5, 8])
def test_rows_of_a_map_hold_the_fewer_of_its_delays_and_wavelengths(wavelengths):
    x, rest = np.ones((2, 5, wavelengths)), np.ones((5, wavelengths))
    assert blocks._turned(x, rest)[0].shape == (2, 5, min(5, wavelengths))
    wide = blocks.SharedBlock(rest, three_decays, np.arange(3))  # by its products, which round
    assert (wide.rounded > 0) == (wavelengths > 5)


def test_columns_that_coincide_for_some_wavelengths_span_what_is_left():
    c = np.random.default_rng(3).normal(size=(3, 12, 3))
    c[1, :, 2] = 0.5 * c[1, :, 1]
    c[2, :, 0] = 0.0
    q, inverse = blocks.DispersedBlock(c[:, :, 0].T, None, [[]], None)._project(c)
    for one, left, back in zip(c, q, inverse, strict=True):
        assert left @ left.T == pytest.approx(one @ np.linalg.pinv(one), abs=1e-10)
        assert one @ back @ left.T == pytest.approx(left @ left.T, abs=1e-10)


def test_bases_of_one_matrix_span_what_its_columns_do():
    c = np.random.default_rng(3).normal(size=(4, 12, 3)) * [1.0, 30.0, 0.01]
    c[1, :, 2] = 0.5 * c[1, :, 1]
    c[2, :, 0] = 0.0
    c[3] = 0.0
    for one, rank in zip(c, (3, 2, 2, 0), strict=True):
        left, back = blocks._factored(one)
        assert left.T @ left == pytest.approx(np.eye(rank), abs=1e-10)
        unit = one / np.where(one.any(0), np.linalg.norm(one, axis=0), 1.0)
        assert left @ left.T == pytest.approx(unit @ np.linalg.pinv(unit, 1e-12), abs=1e-10)
        assert one @ back == pytest.approx(left, abs=1e-10)


@pytest.mark.parametrize("noise", [0.01, 0.3])
@pytest.mark.parametrize("kind", ["shared", "non-negative"])
@pytest.mark.parametrize("start", [(0.1, 0.8, 10.0), (0.5, 2.0, 3.0), (0.05, 1.0, 30.0)])
def test_searches_end_at_the_minimum_in_a_few_steps(kind, start, noise):
    """Three decays from starts up to eight times off; a step too many is a slip in the search."""
    rng = np.random.default_rng(7)
    data = three_decays(np.log([0.3, 1.2, 4.0]))[0] @ rng.normal(size=(3, 30))
    block, _ = block_of(kind, data + noise * rng.normal(size=data.shape), rng)
    free = np.full(3, 6.0)
    problem = search.Problem([block], lambda theta: (theta, np.eye(3)), -free, free)
    found = search.minimise(problem, np.log(start), tolerance=1e-8)
    assert found.converged and found.evaluations <= 20


def test_triangles_are_found_and_inverted():
    lower = np.tril(np.random.default_rng(1).uniform(0.5, 2, (5, 4, 4)))
    factors, failed = blocks._batched_cholesky(lower @ lower.transpose(0, 2, 1))
    assert np.tril(factors) == pytest.approx(lower) and not failed.any()
    found = blocks._batched_lower_inverse(lower)
    assert found @ lower == pytest.approx(np.broadcast_to(np.eye(4), lower.shape), abs=1e-12)
