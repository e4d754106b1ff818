"""Errors of patterns, breadths and micrographs: scatter of repetitions, weights written out."""

import importlib
import itertools
import math
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import special

from peled import materials
from peled.lineshapes.bands import pseudo_voigt
from peled.quantities import Quantity, threshold
from peled.structure import (
    composition,
    diffract,
    electrons,
    ftir,
    microscopy,
    standards,
    ups,
    urbach,
    xps,
    xrd,
)
from peled.structure.xrd import pawley, phases, profiles
from peled.structure.xrd.breadths import _breadth
from peled.structure.xrd.phases import Phase, fit_phases, widths

LINE = 1.5406


def _pattern(x, a, heights, floor=40.0, gauss=0.1, lorentz=0.25):
    """Single lines of a primitive cube over a level ground."""
    full, mixing, *_ = widths(gauss, np.array([lorentz]))
    at = [xrd.two_theta(a, hkl, LINE) for hkl in ((1, 0, 0), (1, 1, 0), (1, 1, 1))]
    return floor + sum(
        h * pseudo_voigt(x, c, full, mixing, False)[0] for h, c in zip(heights, at, strict=True)
    )


X = np.arange(12.0, 28.5, 0.04)
CLEAN = _pattern(X, 6.0, (900.0, 500.0, 300.0))
OPTIONS = {"wavelengths_A": (LINE,), "a_A": 6.0, "shape": "lorentzian", "background_order": 2,
           "instrument_fwhm_deg": 0.1, "zero_deg": 0.0, "displacement_mm": 0.0}  # fmt: skip


def _information(sigma):
    """Standard errors of the cell and the areas by differences of the closed form."""
    ground = np.polynomial.chebyshev.chebvander(2 * (X - X[0]) / np.ptp(X) - 1, 2)
    at = np.array([6.0, 0.25, 900.0, 500.0, 300.0])

    def made(p):
        return _pattern(X, p[0], p[2:], lorentz=p[1])

    steps = np.diag([1e-4, 1e-4, 1.0, 1.0, 1.0])
    slopes = [(made(at + h) - made(at - h)) / (2 * h.max()) for h in steps]
    design = np.column_stack([*slopes, ground]) / sigma[:, None]
    return np.sqrt(np.diag(np.linalg.inv(design.T @ design)))[[0, 2, 3, 4]]


def test_errors_of_a_pattern_are_those_of_its_noise_however_that_is_known():
    """Given, of counts, and read off the scatter of numbers that are no counts."""
    counts = np.random.default_rng(1).poisson(CLEAN).astype(float)
    cell, *areas = _information(np.sqrt(CLEAN))
    for unit, sigma in ((1.0, np.sqrt(CLEAN)), (1.0, None), (0.037, None)):
        found = xrd.pawley_fit(X, unit * counts, sigma, **OPTIONS)
        assert found.error_scale < 1.5 and found.chi2_reduced == pytest.approx(1, abs=0.3)
        assert found.a_error_A == pytest.approx(1.15 * cell, rel=0.25)
        claimed = found.intensity_errors / found.intensities
        # more than by counting alone: that the beam was steady three lines cannot tell
        ratio = claimed * [900.0, 500.0, 300.0] / areas
        assert ratio.min() > 0.85 and ratio.max() < 2.1


def test_counts_weigh_by_the_model_whoever_says_that_they_are_counts():
    """Weights by the counts themselves would pull few counts down by about one."""
    low = 3 + 0.02 * (CLEAN - CLEAN.min())
    counts = np.random.default_rng(2).poisson(low).astype(float)
    floor = np.sqrt(np.maximum(counts, 1))
    fits = [xrd.pawley_fit(X, unit * counts, sigma, **OPTIONS)
            for unit, sigma in ((1.0, None), (1.0, floor), (0.25, 0.25 * floor))]  # fmt: skip
    assert fits[0].a_A == pytest.approx(fits[1].a_A) == pytest.approx(fits[2].a_A, abs=1e-7)
    assert fits[2].sigma == pytest.approx(0.25 * np.sqrt(np.maximum(fits[0].model, 1)), rel=0.08)
    assert (counts - fits[0].model).mean() == pytest.approx(0, abs=0.2)
    assert pawley.unit_of_counts(counts, np.sqrt(low)) is None
    below = np.arange(1.0, 40.0) - 0.3  # three tenths below whole numbers, none above
    assert pawley.unit_of_counts(below, np.sqrt(below)) is None


def test_lines_of_a_phase_that_are_noise_stay_where_they_were():
    cube = Phase("cube", (6.0, 6.0, 6.0, 90.0, 90.0, 90.0), "P m -3 m")
    model = phases._Model(X, [cube], (LINE,), 240.0)
    at = np.array([0.0, 0.0, 0.1, 6.0, 20.0])
    before, _ = model.basis(at, False)
    count, lines = before.shape[1], before.shape[1] - model.ground.shape[1]
    heights = np.where(np.arange(count) == 1, 3.9, 4.1)  # the second line is not clear
    model.hold(SimpleNamespace(linear=heights, linear_errors=np.ones(count), design=before))
    after, slopes = model.basis(at + [0, 0, 0, 0.01, 0], True)
    moved = np.abs(after - before).max(axis=0) > 1e-6
    assert moved.tolist() == [i < lines and i != 1 for i in range(count)]
    assert not (slopes @ np.eye(count)[1]).any() and (slopes @ np.eye(count)[0])[3].any()


def test_lines_that_are_noise_lend_no_information():
    """With lines that are not there, a height that nothing else tells has the error it has without
    them; a line that is there keeps its say."""
    rng, options = np.random.default_rng(4), OPTIONS | {"displacement_mm": None}
    absent = [LINE / 2 / np.sin(np.radians(t / 2)) for t in (13.0, 17.5, 19.0, 23.0, 24.2, 27.5)]
    said = []
    for _ in range(4):
        counts = rng.poisson(0.2 * CLEAN).astype(float)
        said += [
            [xrd.pawley_fit(X, counts, extra_d_A=d, **options).a_error_A for d in ((), absent)]
        ]
    alone, beside = np.mean(said, axis=0)
    assert beside == pytest.approx(alone, rel=0.03)
    for heights, clear in (((3, 5, 50), (0, 1, 1)), ((3, 3, 50), (1, 1, 1))):
        assert (pawley.significant(np.array(heights), np.ones(3)) == clear).all()


def test_phases_scatter_as_they_say_with_noise_given_and_found():
    phase = Phase("cube", (6.0, 6.0, 6.0, 90.0, 90.0, 90.0), "P m -3 m")
    rng, found = np.random.default_rng(3), []
    for k in range(16):
        y, sigma = 0.037 * rng.poisson(CLEAN), 0.037 * np.sqrt(CLEAN) if k % 2 else None
        made = fit_phases(X, y, sigma, phases=[phase], wavelengths_A=(LINE,),
                          instrument_fwhm_deg=0.1)  # fmt: skip
        at = made.estimates.names.index("cube a")
        found.append((made.estimates.values[at], math.sqrt(made.estimates.covariance[at, at])))
    value, error = np.array(found).T
    assert np.mean(error[::2]) == pytest.approx(np.mean(error[1::2]), rel=0.25)
    assert np.mean(error) / value.std(ddof=1) == pytest.approx(1.2, abs=0.35)
    assert value.mean() == pytest.approx(6.0, abs=4 * error[0] / math.sqrt(16))


def test_breadth_of_a_line_scatters_as_it_says():
    x, at = np.arange(28.0, 32.0, 0.03), 30.0
    full, mixing, *_ = widths(0.1, np.array([0.3]))
    clean = 50 + 2000 * pseudo_voigt(x, at, full, mixing, False)[0] + 3 * (x - at)
    rng, found = np.random.default_rng(4), []
    for _ in range(40):
        y = rng.poisson(clean).astype(float)
        (one,) = _breadth(x, y, np.sqrt(clean), (2, 0, 0), at, 0.3, (LINE,), 0.1)
        found.append((one.breadth_deg, one.error_deg, one.two_theta_deg))
    value, error, place = np.array(found).T
    # Of a Lorentzian the integral breadth is π/2 of its full width.
    assert value.mean() == pytest.approx(math.pi / 2 * 0.3, abs=4 * value.std() / math.sqrt(40))
    assert place.mean() == pytest.approx(at, abs=0.005)
    assert np.mean(error) / value.std(ddof=1) == pytest.approx(1.07, abs=0.25)


def test_a_line_is_one_with_its_second_wavelength():
    """Half as strong and 0.25 % longer: left out or put on the other side, the line is too wide."""
    x, at, second = np.arange(56.0, 64.0, 0.03), 60.0, 1.5444
    full, mixing, *_ = widths(0.1, np.array([0.3]))
    other = 2 * np.degrees(np.arcsin(np.sin(np.radians(at / 2)) * second / LINE))
    y = 50 + 2000 * sum(
        share * pseudo_voigt(x, c, full, mixing, False)[0] for c, share in ((at, 1.0), (other, 0.5))
    )
    (one,) = _breadth(x, y, np.sqrt(y), (2, 0, 0), at, 0.3, (LINE, second), 0.1)
    assert one.breadth_deg == pytest.approx(math.pi / 2 * 0.3, rel=0.01)
    assert one.two_theta_deg == pytest.approx(at, abs=2e-3)


@pytest.mark.parametrize("size, count", [(3.6, 0), (4.2, 2)])
def test_lines_nearer_than_four_widths_have_no_breadth_of_their_own(size, count):
    """Of 0.0637 λ/(L cos θ) in radians: 1.56° for 3.6 nm, where the two are 6.1° apart."""
    x = np.arange(8.0, 29.0, 0.04)
    at = [float(xrd.two_theta(6.0, hkl, LINE)) for hkl in ((1, 0, 0), (1, 1, 0))]
    full, mixing, *_ = widths(0.05, np.degrees(0.0637 * LINE / np.array([size])))
    lines = 900 * np.column_stack([pseudo_voigt(x, c, full, mixing, False)[0] for c in at])
    y = 50 + lines.sum(axis=1)
    fit = SimpleNamespace(
        two_theta_deg=x, a_A=6.0, indices=((1, 0, 0), (1, 1, 0)), size_nm=size, lines=lines,
        intensities=np.full(2, 900.0), intensity_errors=np.ones(2), observed=y, model=y,
        background=np.full(x.size, 50.0), sigma=np.sqrt(y),
    )  # fmt: skip
    assert len(xrd.breadths(fit, (LINE,), 0.05)) == count


def test_absorption_of_a_perovskite_is_of_lead_and_of_what_stands_beside_it():
    """f'' of lead at the origin, of halides at the middles of the edges, each with its motion."""
    f2, b, a = {"Pb": 8.5, "I": 6.8, "Br": 1.3}, (1.2, 3.4), 6.05
    for hkl, signs in (((1, 0, 0), 1), ((1, 1, 0), -1), ((2, 1, 0), 1), ((1, 1, 1), -3)):
        s2 = sum(i * i for i in hkl) / (4 * a * a)
        halide = signs * (0.4 * 6.8 + 0.6 * 1.3) * math.exp(-3.4 * s2)
        found = xrd.crystal._imaginary_part(hkl, f2, 0.6, a, b)
        assert found == pytest.approx(8.5 * math.exp(-1.2 * s2) + halide)
    assert xrd.crystal._imaginary_part((1, 0, 0), {}, 0.6, a, b) == 0.0


# ---- micrographs ---------------------------------------------------------------------------------


def _spots(monkeypatch, of):
    """A transform whose spots are (frequencies, error) as given."""
    made = tuple(
        microscopy.Spot(fx, fy, error, 1 / math.hypot(fx, fy), error / (fx**2 + fy**2),
                        math.degrees(math.atan2(fy, fx)) % 180, strength)
        for fx, fy, error, strength in of
    )  # fmt: skip
    monkeypatch.setattr(microscopy, "find_spots", lambda *_, **__: (made, None, 0.1))


def _net(pixel=0.0):
    return microscopy.fit_square_lattice(None, 0.05, d100_nm=0.6, pixel_relative_error=pixel)


def test_spacings_of_a_net_are_weighted_means(monkeypatch):
    q, errors = 1 / 0.6, (0.004, 0.008)
    _spots(monkeypatch, [(q, 0.0, errors[0], 30.0), (0.0, q, errors[1], 20.0)])
    found = _net()
    best = (errors[0] ** -2 + errors[1] ** -2) ** -0.5
    assert found.d100_nm == pytest.approx(0.6)
    assert found.d100_error_nm == pytest.approx(best * 0.6**2)
    assert math.isnan(found.d110_nm)
    both = math.hypot(*errors) / q
    assert (found.ellipticity, found.ellipticity_error) == pytest.approx((1.0, both))
    assert (found.angle_deg, found.angle_error_deg) == pytest.approx((90.0, math.degrees(both)))
    assert _net(0.01).d100_error_nm == pytest.approx(math.hypot(best * 0.36, 0.006))


def test_a_net_that_its_spots_do_not_fit_has_wider_errors(monkeypatch):
    q, error = 1 / 0.6, 0.002
    square = [(q, 0.0), (0.0, q), (q, q), (q, -q)]
    off = [(0.0, 0.0), (0.0, 0.0), (0.012, 0.0), (-0.012, 0.0)]
    _spots(monkeypatch, [(a + c, b + d, error, 30.0) for (a, b), (c, d) in zip(square, off)])
    found = _net()
    # Eight numbers by two vectors: the differences go to (0, ±0.008) of b and what is left.
    design = np.array([[1, 0], [0, 1], [1, 1], [1, -1.0]])
    values = np.array(square) + off
    fitted, rest, *_ = np.linalg.lstsq(design, values, rcond=None)
    variance = rest.sum() / 4 * np.linalg.inv(design.T @ design)
    sides = np.hypot(*fitted.T)
    relative = np.sqrt(np.diag(variance)) / sides
    assert found.ellipticity == pytest.approx(sides[1] / sides[0])
    assert found.ellipticity_error == pytest.approx(found.ellipticity * math.hypot(*relative))
    assert rest.sum() / 4 / error**2 > 4
    lengths = np.hypot(*values[2:].T)
    mean, scatter = lengths.mean(), lengths.std(ddof=1) / math.sqrt(2)
    assert found.d110_nm == pytest.approx(1 / mean)
    expected = math.hypot(error / math.sqrt(2), scatter) / mean**2
    assert found.d110_error_nm == pytest.approx(expected)


def test_floor_of_a_tail_is_its_level_and_its_noise():
    rng, e = np.random.default_rng(5), np.linspace(1.4, 2.0, 241)
    found = np.array([
        urbach._floor(e, 2e-4 + 3e-5 * rng.standard_normal(241) + np.exp((e - 1.95) / 0.015))
        for _ in range(100)
    ])  # fmt: skip
    assert found[:, 0].mean() == pytest.approx(2e-4, rel=0.02)
    assert found[:, 1].mean() == pytest.approx(3e-5, rel=0.08)


# ---- edges, tails and residuals in closed form ---------------------------------------------------


@pytest.mark.parametrize("power", [0.5, 1.0, 1.7, 4.0])
def test_a_power_seen_with_a_resolution_is_its_convolution(power):
    t = (np.arange(1e5) + 0.5) * 2e-5  # from the edge on
    for u in (-5.0, 0.0, 1.0, 5.99, 6.01, 12.0):
        kernel = np.exp(-(((u * 0.1 - t) / 0.1) ** 2) / 2) / (0.1 * math.sqrt(2 * math.pi))
        seen = ups.power_edge([7 + u * 0.1], 7.0, 0.1, power)[0]
        assert seen == pytest.approx((t**power * kernel).sum() * 2e-5, rel=1e-4)
    assert ups.power_edge([6.0], 7.0, 0.1, power)[0] == 0.0


def _edge(x, at, power, width=0.08, wide=1.2):
    """A power of the energy from `at` on that ends after `wide`: 1 there."""
    return np.minimum(ups.power_edge(x, at, width, power) / wide**power, 1.0)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_a_valence_edge_is_where_its_power_begins(power):
    """Shape and scale are fitted: in counts per second too; the straight line goes astray."""
    x, rng, z = np.arange(-1.5, 4, 0.03), np.random.default_rng(26), []
    for ground, height, second in ((30, 3e3, 1.0), (10, 2e4, 7.0)) * 3:
        y = rng.poisson(ground + height * _edge(x, 1.3, power)) / second
        found = ups.valence_onset(x, y)
        z.append((found.energy_eV - 1.3) / found.error_eV)
        assert found.misfit_z < threshold() and 0.001 < found.error_eV < 0.15
    assert np.max(np.abs(z)) < 2.6 and found.power == pytest.approx(power, rel=0.15)
    assert found.width_eV == pytest.approx(0.08, abs=0.03)
    # The tangent of a root is steepest where the resolution rounds it, that of the others at 80 %.
    tangent = {0.5: -0.08, 1.0: 0.0, 2.0: 1.2 * math.sqrt(0.8) / 2}[power]
    assert found.extrapolated_eV == pytest.approx(1.3 + tangent, abs=0.04)


def test_an_edge_whose_lower_and_upper_part_disagree_has_the_error_of_that():
    """A parabola that goes over into a level, of which no noise hides it."""
    x = np.arange(-1.5, 4, 0.02)
    e = np.maximum(x - 1.3, 0)
    y = 10 + 3e4 * e**2 / (e**2 + 1.2**2)
    found = ups.valence_onset(x, np.random.default_rng(3).poisson(y))
    assert 0.05 < abs(found.energy_eV - 1.3) < 1.96 * found.error_eV < 0.5


def test_an_edge_is_as_sure_as_the_difference_of_its_parts_is_known(monkeypatch):
    """Five thirds of it carry the edge on to no height. Its variance is the lower part's less that
    of both, which holds the lower; where noise hides it the error is that of the noise."""
    fits, whole = [], ups._power_fit
    monkeypatch.setattr(ups, "_power_fit", lambda *a: fits.append(whole(*a)) or fits[-1])
    x, rng, z = np.arange(-1.5, 4, 0.02), np.random.default_rng(17), []
    for at in rng.uniform(1.2, 1.5, 12):
        e = np.maximum(x - at, 0)
        found = ups.valence_onset(x, rng.poisson(10 + 1000 * e**2 / (e**2 + 1.2**2)))
        lower, upper = fits[-2:]
        own, both = lower.errors[0], upper.errors[0]
        apart = (upper.values[0] - lower.values[0]) ** 2 + own**2 - both**2
        assert both < own and found.error_eV == pytest.approx(math.hypot(own, 5 / 3 * apart**0.5))
        z.append((found.energy_eV - at) / found.error_eV)
    assert 0.3 < np.sqrt(np.mean(np.square(z))) < 1.5


@pytest.mark.parametrize(
    "step, power, width, foot, said",
    [(0.02, 0.5, 1e-6, 0.0, "sharper than 0.01 eV"), (0.05, 1.0, 1e-6, 0.0, "sharper than 0.025"),
     (0.02, 1.0, 0.08, 0.03, "power is not|wider")],
)  # fmt: skip
def test_an_edge_that_no_credible_power_describes_has_no_place(step, power, width, foot, said):
    """Between two points it may lie anywhere; of a strong foot the band's own edge is not seen."""
    x = np.arange(-1.5, 4, step)
    y = 10 + 3e4 * (_edge(x, 1.3, power, width) + foot * _edge(x, 0.95, 1.0, 0.08, 0.35))
    with pytest.raises(ValueError, match=said):
        ups.valence_onset(x, np.random.default_rng(3).poisson(y))


@pytest.mark.parametrize("step, told", [(0.05, True), (0.12, False)])
def test_an_onset_takes_six_points_up_to_half_of_the_edge(step, told):
    """Half of an edge of 0.7 eV."""
    x = np.arange(-1.6, 3.4, step)
    width = 0.03 if told else 1e-6
    y = 1e6 + 1e6 * _edge(x, 1.37, 1.0, width, 0.7) + 1e-3 * (-1.0) ** np.arange(x.size)
    if told:
        found = ups.valence_onset(x, y)
        assert found.energy_eV == pytest.approx(1.37, abs=5e-3)
        assert 1.37 - 6 * step < found.log_energy_eV < 1.37 - step  # six widths and five points
    else:
        with pytest.raises(ValueError, match="six points"):
            ups.valence_onset(x, y)


def test_the_logarithmic_onset_is_three_noises_of_the_ground_up():
    x = np.arange(-1.6, 3.4, 0.005)
    noise = np.resize([2.0, -1.0, 0.0, -2.0, 1.0], x.size) / math.sqrt(2)  # smoothed away
    y = 1e6 + 2e6 * np.clip((x - 1.37) / 0.9, 0, 1) + 6000 * noise * (x < 1.27)
    found = ups.valence_onset(x, y)
    assert found.log_energy_eV == pytest.approx(1.37 + 3 * 6000 / (2e6 / 0.9), abs=0.008)


@pytest.mark.parametrize("second, whole", [(0.3, True), (0.15, False)])
def test_an_edge_ends_where_its_slope_has_fallen_to_a_fifth(second, whole):
    x = np.arange(0.0, 4.0, 0.02)
    smooth = 10 + 50 * np.clip(x - 1, 0, 1) + 50 * second * np.clip(x - 2, 0, 1)
    end = ups._first_shoulder(x, smooth, 52)
    assert x[end] == pytest.approx(3.0 if whole else 2.0, abs=0.1)
    # A rise of less than half of what it begins at is none.
    for more, end in ((60, 3.0 if whole else 2.0), (200, 3.9)):
        assert x[ups._first_shoulder(x, more + smooth, 52)] == pytest.approx(end, abs=0.1)
    assert ups._first_shoulder(x, 10 + 50 * x, 10) == x.size - 3


def test_windows_of_a_tail_differ_by_what_their_shared_noise_does_not_make():
    """√(σ²_narrow − σ²_wide) by chance (Hausman); much narrower ones are not asked."""

    def window(energy, error):
        return urbach._Window(1.8, energy, error, 0.5, 1.0, 0.0)

    chosen = window(20.0, 0.7)
    alike = [chosen, window(20.0 + 12.0, 2.0), window(20.0 - 7.0, 2.0)]
    narrow = window(90.0, 2.2)  # 2.2² > 9 · 0.7²
    expected = math.sqrt((144 + 49) / 2 - (4 - 0.49))
    assert urbach._beyond_noise([*alike, narrow], chosen) == pytest.approx(expected)
    limit = threshold(tries=1) * math.sqrt(4 - 0.49)
    for away, beyond in ((0.97, False), (1.03, True)):
        found = urbach._beyond_noise([chosen, window(20.0 + away * limit, 2.0)], chosen)
        assert (found > 0) is beyond
        if beyond:
            assert found == pytest.approx(math.sqrt((away * limit) ** 2 - 3.51))
    assert urbach._beyond_noise([chosen], chosen) == 0.0


def test_a_tail_without_floor_has_a_tenth_of_its_least_for_noise():
    e = np.linspace(1.6, 2.0, 81)
    s = np.exp((e - 1.9) / 0.02)
    assert urbach._floor(e, s) == pytest.approx((0.0, 0.1 * s[0]))


def test_a_signal_that_saturates_is_made_linear():
    """S₀(1 − exp(−αd)) to S₀αd, up to half of S₀."""
    e = np.linspace(1.6, 2.2, 601)
    depth = np.exp((e - 1.95) / 0.04)
    s = 3.0 * (1 - np.exp(-depth))
    linear, limit = urbach._linear(e, s, 2.15)
    plateau = np.median(s[e >= 2.15])
    low = s < 0.49 * plateau
    assert linear[low] == pytest.approx(3.0 * depth[low], rel=2e-3)
    assert (linear[s > 0.51 * plateau] == s[s > 0.51 * plateau]).all()
    assert np.interp(limit, e, 3 * depth) == pytest.approx(0.45 * plateau, rel=0.03)
    assert urbach._linear(e, s, math.nan) == (pytest.approx(s), e[-1])


def test_neighbours_of_a_residual_count_as_their_correlation():
    """(1 + ρ)/(1 − ρ) of a first-order autoregression; what is slow counts for sixty points."""
    rng, n = np.random.default_rng(6), 60_000
    white = rng.standard_normal(n)
    assert pawley._serial(white, np.ones(n)) == 1.0
    r = np.zeros(n)
    for k in range(1, n):
        r[k] = 0.7 * r[k - 1] + white[k]
    assert pawley._serial(r, np.ones(n)) == pytest.approx(1.7 / 0.3, rel=0.06)
    # Points of no weight are not there; a scale of the weights is none.
    weight = np.where(np.arange(n) < n // 2, 3.0, 0.0)
    loud = np.where(weight > 0, r, 100 * white)
    assert pawley._serial(loud, weight) == pytest.approx(
        pawley._serial(r[: n // 2], np.ones(n // 2))
    )
    for n, lags in ((1000, 60), (80, 10)):
        slow, uneven = np.ones(n), np.resize([1.0, 4.0], n)  # √(1·4) over 2.5 in odd lags
        for weight, odd in ((slow, 1.0), (uneven, 0.8)):
            expected = sum((odd if k % 2 else 1.0) * (1 - k / n) for k in range(1, lags))
            assert pawley._serial(slow, weight) == pytest.approx(1 + 2 * expected, rel=2e-3)
    # Twice the error of a correlation is where it is noise.
    for rho, counted in ((0.25, True), (0.15, False)):
        y = np.zeros(100)
        y[::20], y[1::20] = 1.0, 2 * rho / (1 + math.sqrt(1 - 4 * rho**2))
        assert bool(pawley._serial(y, np.ones(100)) > 1) is counted


@pytest.mark.parametrize("tetragonality", [0.0, 0.011])
def test_columns_of_a_pattern_are_voigts_over_the_reciprocal_spacing(tetragonality):
    """Each equivalent reflection at the spacing of its tetragonal cell, both wavelengths, a height
    and a zero: strain-free Lorentzians of integral breadth 1/size in s = 2 sin θ/λ."""
    a, zero, height, size, fwhm, radius = 6.05, 0.13, 0.31, 90.0, 0.11, 217.0
    x, lines = np.arange(11.0, 46.0, 0.05), (1.540593, 1.544427)
    hkls = [(1, 0, 0), (1, 1, 0), (2, 1, 0), (2, 1, 1), (3, 0, 0)]
    made = profiles.Profiles(x, hkls, lines, radius, "lorentzian", 0.0, False).matrix(
        a, zero, height, size, fwhm, tetragonality
    )
    theta = np.radians(x - zero + np.degrees(2 * height / radius) * np.cos(np.radians(x / 2))) / 2
    c_over = (1 + tetragonality) ** (1 / 3)
    edges = np.array([a / c_over, a / c_over, a * c_over**2])
    for column, hkl in zip(made.T, hkls, strict=True):
        same = sorted({tuple(s * i for s, i in zip(sign, p)) for p in itertools.permutations(hkl)
                       for sign in itertools.product((1, -1), repeat=3)})  # fmt: skip
        if hkl == (3, 0, 0):
            same += sorted({tuple(s * i for s, i in zip(sign, p))
                            for p in itertools.permutations((2, 2, 1))
                            for sign in itertools.product((1, -1), repeat=3)})  # fmt: skip
        expected, within = np.zeros(x.size), np.ones(x.size, bool)
        for wavelength, share in zip(lines, (2 / 3, 1 / 3), strict=True):
            s = 2 * np.sin(theta) / wavelength
            for member in same:
                s0 = np.linalg.norm(np.array(member) / edges)
                bragg = math.asin(s0 * lines[0] / 2)
                sigma = math.radians(fwhm) * math.cos(bragg) / lines[0] / math.sqrt(8 * math.log(2))
                line = special.voigt_profile(s - s0, sigma, 1 / (math.pi * size))
                polarised = (1 + np.cos(2 * theta) ** 2) / 2 / s / s0
                fall = np.exp(profiles.FALLOFF_A2 * (s0**2 - s**2))
                expected += share * line * polarised * fall / len(same)
                within &= np.abs(s - s0) < 0.85 * max(40 / size, 6 * sigma * 2.3548)
        assert within.sum() > 150
        assert column[within] == pytest.approx(expected[within], rel=2e-3)


def test_lines_fade_out_at_their_ends():
    """Within the last tenth of their reach, evenly: no point that comes in is a step."""
    x = np.arange(11.0, 40.0, 0.01)
    (column,) = (
        profiles.Profiles(x, [(1, 0, 0)], (LINE,), 240.0, "lorentzian", 0.0, False)
        .matrix(6.0, 0.0, 0.0, 300.0, 0.05, 0.0)
        .T
    )
    lit = np.flatnonzero(column)
    s = 2 * np.sin(np.radians(x / 2)) / LINE
    assert np.abs(s[lit[[0, -1]]] - 1 / 6).max() == pytest.approx(40 / 300, abs=2e-4)
    away = (s[lit] - 1 / 6) / (40 / 300)
    smooth = column[lit] * s[lit] * away**2 * np.exp(profiles.FALLOFF_A2 * s[lit] ** 2)
    smooth /= 1 + np.cos(np.radians(x[lit])) ** 2
    level = np.median(smooth[(away > 0.6) & (away < 0.85)])
    assert smooth[away > 0.8] / level == pytest.approx(
        np.minimum(10 * (1 - away[away > 0.8]), 1), abs=0.02
    )


@pytest.mark.parametrize("strongest, width", [(0, 0.43), (2, 0.71)])
def test_typical_width_is_that_of_the_strongest_line(strongest, width):
    x, y = np.arange(12.0, 28.5, 0.02), np.full(825, 60.0)
    hkls = [(1, 0, 0), (1, 1, 0), (1, 1, 1)]
    for k, (hkl, full) in enumerate(zip(hkls, (0.43, 0.3, 0.71))):
        at = xrd.two_theta(6.0, hkl, LINE)
        y += (500 if k == strongest else 100) / (1 + ((x - at) / full * 2) ** 4)
    assert pawley._typical_width(x, y, 6.0, LINE) == pytest.approx(width, abs=0.03)
    flat = np.where(np.abs(x - xrd.two_theta(6.0, hkls[1], LINE)) < 0.005, 900.0, 60.0)
    assert pawley._typical_width(x, flat, 6.0, LINE) == pytest.approx(0.04)  # two points at least


def test_a_background_has_a_degree_for_every_eight_degrees():
    x = np.arange(12.0, 53.0, 0.05)
    waves = np.polynomial.chebyshev.Chebyshev.basis(5, domain=[x[0], x[-1]])(x)
    clean = _pattern(x, 6.0, (900.0, 500.0, 300.0), floor=400.0) + 120 * waves
    counts = np.random.default_rng(9).poisson(clean).astype(float)
    options = {k: v for k, v in OPTIONS.items() if k != "background_order"}
    found = xrd.pawley_fit(x, counts, **options)
    assert found.chi2_reduced < 1.15
    assert found.background == pytest.approx(400 + 120 * waves, abs=25)
    assert np.count_nonzero(found.intensities > 5 * found.intensity_errors) == 3


def test_pulls_of_compositions_are_from_the_mean_of_the_others():
    of = {"a": (0.60, 0.01), "b": (0.63, 0.02), "c": (0.55, 0.03)}
    found = composition.joint_composition(of)
    for name, (value, error) in of.items():
        others = np.array([v for n, v in of.items() if n != name])
        mean = np.average(others[:, 0], weights=others[:, 1] ** -2)
        known = math.hypot(error, 1 / math.sqrt(np.sum(others[:, 1] ** -2)))
        assert found.pulls[name] == pytest.approx((value - mean) / known)


# ---- what a pattern tells ------------------------------------------------------------------------


def _told(fit=(), ruler=None, radius=240.0, wings=0.0, **settings):
    """What `_quantities` makes of a fit, by name: value, gates' statuses, note."""
    made = {}
    held = SimpleNamespace(
        row=SimpleNamespace(label="a", settings={"radius_mm": radius} if radius else {})
    )
    bench = SimpleNamespace(settings={"alloy": False} | settings, quantities=[])

    def make(held, name, unit, of, estimates, gates=(), note="", **causes):
        values = getattr(estimates, "values", None)
        given = dict(zip(estimates.names, values)) if values is not None else estimates.value
        one = Quantity(name, "a", of(given), {"fit": 1e-3}, unit, "measured", ())
        made[name] = (one.value, [g(one) for g in gates if g(one)], note, causes)
        bench.quantities.append(one)
        return bench.quantities[-1]

    def nothing(held, name, unit, gate, reason):
        made[name] = (None, [gate], reason, {})

    def withheld(held, name, unit, *findings):
        made[name] = (None, findings, "", {})

    bench.make, bench.nothing, bench.withheld = make, nothing, withheld
    whole = SimpleNamespace(**{
        "intensities": np.array([900.0, 40.0, 500.0]), "indices": ((1, 0, 0), (1, 1, 0), (2, 0, 0)),
        "intensity_errors": np.array([9.0, 1.0, 100.0]), "notes": (), "narrow": False, "a_A": 6.05,
        "displacement_mm": -0.07, "size_nm": 15.0, "a_error_A": 0.002, "size_error_nm": 3.0,
        "displacement_error_mm": 0.01, "converged": True, "shape": "lorentzian", **dict(fit),
    })  # fmt: skip
    diffract._quantities(bench, held, whole, ruler, wings)
    return made, bench.quantities


def test_cell_height_and_size_of_a_pattern():
    made, quantities = _told(alloy=True)
    assert made["lattice constant"][0] == 6.05 and made["sample height"][0] == -0.07
    assert "zero 0 ± 0.02° assumed" in made["lattice constant"][2]
    assert made["crystal size"][0] == 15.0 and "column length" in made["crystal size"][2]
    size = next(q for q in quantities if q.name == "crystal size")
    assert "assumed" in {f.gate for f in size.findings}  # the instrument's width was fitted too
    x, ends = materials.bromide_fraction_of_lattice(6.05, 0.0)
    found = made["x_Br (lattice)"]
    assert found[0] == pytest.approx(x) and found[3]["end members"] == pytest.approx(ends)
    ruled, quantities = _told(ruler=object(), radius=None)
    assert "assumed" not in ruled["lattice constant"][2] and "x_Br (lattice)" not in ruled
    assert ruled["sample height"][0] is None
    assert "assumed" not in {f.gate for q in quantities for f in q.findings}


@pytest.mark.parametrize("fit, told", [
    ({"size_error_nm": 7.4}, True), ({"size_error_nm": 7.6}, False),
    ({"narrow": True}, False), ({"shape": "cube"}, True),
])  # fmt: skip
def test_a_size_is_told_where_its_error_is_less_than_half(fit, told):
    made, _ = _told(fit)
    assert (made["crystal size"][0] is not None) is told


def test_what_is_not_known_of_the_instruments_wings_is_a_part_of_its_own():
    assert _told(wings=6.8)[0]["crystal size"][3] == {"wings": 6.8}
    assert (
        _told(wings=7.0)[0]["crystal size"][0] is None
    )  # with 3.0 of the fit more than half of 15
    ruler = SimpleNamespace(wings_per_nm=(0.01, 0.004))
    size, fit, wings = diffract._less_wings(20.0, 0.8, ruler)
    assert 1 / size == pytest.approx(1 / 20 - 0.01)
    assert (fit, wings) == pytest.approx((size**2 * 0.8 / 400, size**2 * 0.004))
    size, *errors = diffract._less_wings(200.0, 8.0, ruler)  # wings wider than the lines
    assert size == pytest.approx(math.hypot(*errors)) and size == pytest.approx(249.7, abs=0.1)


def test_what_the_crystals_of_a_standard_leave_of_its_lines_is_the_instruments():
    fit = SimpleNamespace(size_nm=400.0, size_error_nm=20.0)

    def wings(crystals):
        return standards.Ruler(None, fit, None, 0.06, 0.0, crystals).wings_per_nm

    assert wings(None) == pytest.approx((0.5 / 400, 0.4 / 400))
    assert wings(1000.0) == pytest.approx((1 / 400 - 1 / 1000, math.hypot(20 / 400**2, 0.2 / 1000)))
    assert wings(100.0) == pytest.approx((0.0, math.hypot(20 / 400**2, 0.2 / 400)))


def test_wings_of_neighbours_are_no_strain():
    """Lines of 12 nm without strain, whose wings reach under each other."""
    x, own = np.arange(11.0, 52.0, 0.04), []
    hkls = xrd.crystal.lines_in(6.05, x, LINE)
    lines = profiles.Profiles(x, hkls, (LINE,), 240.0, "lorentzian", 0.0, False)
    y = lines.matrix(6.05, 0.0, 0.0, 120.0, 0.08, 0.0)
    y = 60 + 5e4 * (y / y.max(axis=0)) @ np.linspace(1.0, 0.5, len(hkls))
    fit = xrd.pawley_fit(x, y, np.sqrt(y), **OPTIONS | {"instrument_fwhm_deg": 0.08, "a_A": 6.05})
    own = xrd.breadths(fit, (LINE,), 0.08)
    size, strain = xrd.williamson_hall(own, LINE).values
    assert len(own) >= 5 and 1 / size == pytest.approx(12.0, rel=0.02)
    assert abs(strain) < 0.05  # per cent; 0.15 with them


@pytest.mark.parametrize("errors, seen", [((9.0, 40.0, 400.0), False), ((9.0, 40.0, 50.0), True),
                                          ((300.0, 1.0, 500.0), False)])  # fmt: skip
def test_a_cell_takes_two_reflections(errors, seen):
    """By what they are in their errors, not by their heights."""
    made, _ = _told({"intensity_errors": np.array(errors)})
    assert (not made["lattice constant"][1]) is seen


@pytest.mark.parametrize("a, cells", [(6.34, 1), (6.6, 2)])
def test_a_cubic_phase_within_a_twentieth_is_the_lattice_found(monkeypatch, a, cells):
    """Else the lattice is fitted beside what the settings name."""
    asked = []

    def fit(*_, phases, **__):
        asked.append(phases)
        raise ArithmeticError

    monkeypatch.setattr(diffract, "fit_options", lambda *_: {})
    monkeypatch.setattr(diffract.xrd, "fit_phases", fit)
    phase = Phase("own", (a, a, a, 90.0, 90.0, 90.0), "P m -3 m")
    monkeypatch.setattr(diffract, "_phase_of", lambda *_: phase)
    held = SimpleNamespace(row=SimpleNamespace(path=Path("a")))
    whole = SimpleNamespace(a_A=6.05, two_theta_deg=None, observed=None, sigma=None)
    with pytest.raises(ArithmeticError):
        diffract._several(SimpleNamespace(settings={"phases": ("own",)}), held, whole, None)
    assert len(asked[0]) == cells


def test_mass_of_a_cell_is_of_its_atoms(tmp_path):
    """One PbI2 a cell, 461.01 g/mol; half of the lead gone, 357.4."""
    text = (Path(__file__).parent / "formats" / "pbi2.cif").read_text()
    assert xrd.read_cif(Path(__file__).parent / "formats" / "pbi2.cif").mass == pytest.approx(
        461.01, abs=0.05
    )
    lead = next(line for line in text.splitlines() if line.split()[:1] == ["Pb1"])
    halved = text.replace(lead, re.sub(r"1(?:\.0*)?$", "0.5", lead))
    (tmp_path / "half.cif").write_text(halved)
    assert xrd.read_cif(tmp_path / "half.cif").mass == pytest.approx(461.01 - 103.6, abs=0.05)


def test_a_level_of_zeros_is_no_place_without_noise():
    y = np.zeros(4000)
    y[2500:2800] = np.random.default_rng(16).normal(0.0, 1.0, 300)
    noise = ftir.local_noise(y)
    assert noise.min() == pytest.approx(0.5, rel=0.2) and noise[2650] == pytest.approx(1, rel=0.3)
    assert (ftir.local_noise(np.full(400, 0.3)) > 0).all()


def test_a_baseline_is_as_stiff_at_every_resolution():
    """Every other point of a spectrum has the same one under it."""
    x = np.arange(1000.0, 3000.0, 1.0)
    y = 0.1 * np.sin(x / 300) + 0.3 * np.exp(-(((x - 2000) / 20) ** 2))
    fine, coarse = ftir.baseline(x, y), ftir.baseline(x[::2], y[::2])
    assert coarse == pytest.approx(fine[::2], abs=2e-3)


def test_neighbours_are_alike_over_a_quarter_of_the_narrowest_band(monkeypatch):
    """Of bands of 8 and 40 cm⁻¹ on steps of 0.5: over four points."""
    asked = []
    monkeypatch.setattr(ftir, "likeness_z", lambda left, lags: asked.append(lags) or 0.0)
    x = np.arange(1000.0, 1200.0, 0.5)
    y = sum(h * np.exp(-4 * np.log(2) * ((x - c) / w) ** 2)
            for c, w, h in ((1080.0, 8.0, 1.0), (1110.0, 40.0, 0.7)))  # fmt: skip
    ftir._fit_group(x, y, np.array([1080.0, 1110.0]), np.array([8.0, 40.0]),
                    np.full(x.size, 1e-3), np.zeros(x.size, bool))  # fmt: skip
    assert asked == [4]


@pytest.mark.parametrize("narrow", [True, False])
def test_a_band_of_few_points_is_fitted_over_three_widths(narrow):
    """1.6 widths on either side hold too few of them for six numbers."""
    step = 2.5 if narrow else 0.2
    x = np.arange(1000.0, 1100.0, step)
    y = np.exp(-4 * np.log(2) * ((x - 1050.0) / 4.0) ** 2)
    _, curve = ftir._fit_group(x, y, np.array([1050.0]), np.array([4.0]),
                               np.full(x.size, 1e-3), np.zeros(x.size, bool))  # fmt: skip
    fitted = np.abs(x[curve != 0] - 1050.0).max()
    assert fitted == pytest.approx(10.0 if narrow else 6.3, abs=0.15)


def test_a_step_follows_the_lines_that_make_it():
    """Shirley's ground is the sum of the line up to there: put in, it comes out."""
    e = np.arange(276.0, 294.0, 0.05)
    line = 900 * np.exp(-4 * np.log(2) * ((e - 284.8) / 1.2) ** 2)
    ground = 200 + 300 * np.cumsum(line) / line.sum()
    found = xps.fit_levels(e, ground + line, [xps.Doublet("C 1s", 284.8, fwhm_eV=1.2)])
    assert found.background == pytest.approx(ground, abs=15.0)
    assert found.areas[0] == pytest.approx(line.sum() * 0.05, rel=0.02)


@pytest.mark.parametrize("shift", [12.0, -12.0, 11.9])
def test_a_shift_at_the_end_of_the_reach_is_found(shift):
    e = np.arange(265.0, 305.0, 0.1)
    y = 200 + 900 * np.exp(-4 * np.log(2) * ((e - 284.8 - shift) / 1.2) ** 2)
    found = xps.find_shift(e, y, [xps.Doublet("C 1s", 284.8, fwhm_eV=1.2)])
    assert found.value_eV == pytest.approx(shift, abs=0.06)


def test_strength_of_a_spot_is_its_power_over_the_mean_of_the_noise():
    """A wave of amplitude A in noise σ over n² points: A² n² / 4σ², and two thirds of it by Hann's
    window in each direction."""
    rng, n, strong = np.random.default_rng(14), 256, []
    x = np.arange(n)[None] * 0.05
    for _ in range(4):
        grey = rng.standard_normal((n, n)) + 0.15 * np.cos(2 * np.pi * x / 0.4 + rng.uniform(0, 6))
        spots, *_ = microscopy.find_spots(grey, 0.05)
        strong.append(spots[0].strength)
    assert np.mean(strong) == pytest.approx(0.15**2 * n**2 / 4 * 4 / 9, rel=0.25)


def test_a_slow_ground_is_a_plane_whichever_way_it_leans():
    row, column = np.mgrid[0:90, 0:120]
    for down, across in ((0.5, -0.2), (-0.3, 0.4)):
        leaning = 30 + down * row + across * column
        assert np.ptp(leaning - microscopy._plane(leaning)) < 1e-9


def test_the_smallest_particle_counts_by_its_edge_without_the_blur():
    """Blurred corners take four times 0.86 of the blur's square from a square's area."""
    grey = np.full((240, 240), 200.0)
    for row, column in np.ndindex(4, 4):
        grey[20 + 55 * row :, 20 + 55 * column :][:21, :21] = 100.0
    grey += np.random.default_rng(15).normal(0, 4, grey.shape) + 0.6 * np.arange(240)[:, None]
    found = microscopy.segment(grey, 0.4, smallest_nm=8.2)
    assert len(found.particles) == 16


@pytest.mark.parametrize("wavelength", [400.0, 633.0, 1500.0])
def test_refractive_index_of_air(wavelength):
    """Against Peck and Reeder, J. Opt. Soc. Am. 62, 958 (1972), doi:10.1364/JOSA.62.000958."""
    square = (1e3 / wavelength) ** 2
    expected = 8060.51 + 2480990 / (132.274 - square) + 17455.7 / (39.32957 - square)
    assert 1e8 * (materials.index_of_air(wavelength) - 1) == pytest.approx(expected, abs=4)


def test_degree_of_a_background_is_a_for_every_eight_degrees_between_three_and_fourteen():
    for first, span, degree in ((11.0, 20.0, 3), (11.0, 41.0, 5), (5.0, 140.0, 14)):
        x = np.linspace(first, first + span, 400)
        ground = pawley._ground(x)
        assert ground.shape == (400, degree + 1)
        assert ground[:, 2] == pytest.approx(2 * np.linspace(-1, 1, 400) ** 2 - 1)


def test_an_instrument_as_narrow_as_three_steps_is_found():
    x = np.arange(12.0, 28.5, 0.04)
    clean = _pattern(x, 6.0, (9e5, 5e5, 3e5), gauss=0.13, lorentz=1e-3)
    counts = np.random.default_rng(10).poisson(clean).astype(float)
    phase = Phase("cube", (6.0, 6.0, 6.0, 90.0, 90.0, 90.0), "P m -3 m")
    found = fit_phases(x, counts, np.sqrt(clean), phases=[phase], wavelengths_A=(LINE,)).estimates
    width = dict(zip(found.names, found.values))["width"]
    assert (math.exp(width) if width < 0 else width) == pytest.approx(0.13, abs=0.01)


def test_decades_of_a_tail_are_those_of_its_window():
    e = np.linspace(1.4, 1.9, 101)
    fit = urbach.urbach_energy(
        e, 1e-4 + np.exp((e - 1.9) / 0.02) * (1 + 1e-3 * np.sin(40 * np.arange(101)))
    )
    low, high = fit.window_eV
    assert fit.decades == pytest.approx((high - low) / fit.energy_meV * 1e3 / math.log(10))
    assert fit.curve[-1, 0] == pytest.approx(high + 0.05, abs=0.006)


def test_a_net_is_of_its_two_strongest_directions(monkeypatch):
    q = 1 / 0.6
    tilted = (q * math.cos(math.radians(86)), q * math.sin(math.radians(86)))
    spots = [(q, 0.0, 0.004, 30.0), (*tilted, 0.004, 25.0), (0.0, q, 0.004, 20.0)]
    for order in ((0, 1, 2), (2, 1, 0), (0, 2, 1)):
        _spots(monkeypatch, [spots[k] for k in order])
        assert _net().angle_deg == pytest.approx(86.0, abs=0.1)


def test_a_size_is_sought_from_what_the_instrument_leaves_of_a_width():
    """Scherrer; of an unknown instrument half of the width, of one as wide three tenths."""
    for shape, factor in (("cube", 0.886), ("lorentzian", 0.64)):
        for instrument, excess in ((0.3, 0.4), (None, 0.25 * 3**0.5), (0.5, 0.15)):
            found = pawley._start_size(0.5, LINE, instrument, shape)
            assert found == pytest.approx(factor * LINE / math.radians(excess))


@pytest.mark.parametrize("saddle, seeds", [(18.5, 1), (17.0, 2)])
def test_cubes_have_a_seed_each_where_a_saddle_parts_them(saddle, seeds):
    """By a twelfth of the deepest point."""
    profile = np.interp(np.arange(120), [10, 40, 60, 80, 110], [0, 20, saddle, 19.4, 0])
    distance = np.minimum(profile, np.interp(np.arange(60), [5, 30, 55], [0, 25, 0])[:, None])
    found = microscopy._seeds(distance, 1.0)
    assert len(np.unique(found[found > 0])) == seeds


@pytest.mark.parametrize("moved", [-22.0, 21.0])
def test_a_region_that_followed_the_charging_is_searched_as_a_whole(moved):
    x = np.arange(284.8 + moved - 9, 284.8 + moved + 11, 0.1)
    line = pseudo_voigt(x, 284.8 + moved, 1.2, 0.3, False)[0]
    counts = np.random.default_rng(12).poisson(500 + 2500 * line / line.max())
    found = xps.find_shift(x, counts, [xps.Doublet("C 1s", 284.8, fwhm_eV=1.2)])
    assert found.found and found.value_eV == pytest.approx(moved, abs=0.11)


def test_a_line_is_measured_over_six_of_its_widths_to_either_side(monkeypatch):
    x = np.arange(8.0, 20.0, 0.02)
    at = float(xrd.two_theta(6.0, (1, 0, 0), LINE))
    fit = SimpleNamespace(
        two_theta_deg=x, a_A=6.0, indices=((1, 0, 0),), size_nm=20.0, lines=np.zeros((x.size, 1)),
        intensities=np.ones(1), intensity_errors=np.full(1, 0.01), observed=x, model=x,
        background=x, sigma=x,
    )  # fmt: skip
    seen = []
    module = importlib.import_module("peled.structure.xrd.breadths")
    monkeypatch.setattr(module, "_breadth", lambda near, *_: seen.append(near) or [])
    xrd.breadths(fit, (LINE,), 0.05)
    wide = math.hypot(np.degrees(0.0637 * LINE / 20 / math.cos(math.radians(at / 2))), 0.05)
    assert seen[0][0] == pytest.approx(at - 6 * wide, abs=0.03)
    assert seen[0][-1] == pytest.approx(at + 6 * wide, abs=0.03)


@pytest.mark.parametrize("times, told", [(1.4, False), (3.0, True)])
def test_particles_in_dark_field_stand_twice_as_far_from_the_film_as_its_noise_reaches(times, told):
    rng = np.random.default_rng(3)
    film = 100 + 10 * rng.standard_normal((200, 200))
    level = microscopy._above_film(np.where(np.arange(200) < 10, 300.0, film), 1.0)
    picture = np.where(np.arange(200) < 10, 100 + times * (level - 100), film)
    if told:
        assert microscopy._above_film(picture, 1.0) == pytest.approx(level, rel=0.1)
    else:
        with pytest.raises(ValueError, match="two grey levels"):
            microscopy._above_film(picture, 1.0)


@pytest.mark.parametrize("beyond, there", [(0.2, False), (0.5, True)])
def test_a_superlattice_line_is_sought_three_tenths_of_a_degree_before_the_end(beyond, there):
    end = float(xrd.two_theta(6.05, np.array([1.5, 0.5, 0.5]), LINE)) + beyond
    x, rng = np.arange(11.0, end, 0.03), np.random.default_rng(2)
    lines = profiles.Profiles(
        x, xrd.crystal.lines_in(6.05, x, LINE), (LINE,), 240.0, "lorentzian", 0.0, False
    )
    y = rng.poisson(60 + 900 * lines.matrix(6.05, 0.0, 0.0, 120.0, 0.08, 0.0).sum(axis=1)) + 0.0
    fit = xrd.pawley_fit(x, y, superlattice=True, **OPTIONS | {"a_A": 6.05})
    assert ((1.5, 0.5, 0.5) in fit.indices) == there


@pytest.mark.parametrize("low, bias, cutoff", [(0.0, None, False), (14.0, None, True),
                                               (9.0, -5.0, True), (9.0, 5.0, False)])  # fmt: skip
def test_a_cutoff_lies_ten_electronvolts_below_the_fermi_level(low, bias, cutoff):
    """As the mean of its axis, less the bias; a name that says which comes first."""
    s = SimpleNamespace(name="UPS", binding_energy_eV=np.linspace(low, low + 3, 50))
    assert electrons._is_cutoff(s, bias) == cutoff
    assert electrons._is_cutoff(SimpleNamespace(name="Cutoff"), None)
