"""NMR: errors that cover, physics in its limits, and the answers of real files."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hassan2021 import cpmas
from hassan2021.simulate.nmr import samples as tubes
from hassan2021.simulate.nmr import solid as solid_model
from hassan2021.simulate.nmr import solution
from peled import nmr
from peled.formats.nmr import Fid, read
from peled.nmr import significance
from peled.nmr.analyse import analyse, sniff
from peled.nmr.titration import bound_fractions
from peled.samples import read_sheet
from peled.tables import table

SETS = 200
MHZ = 400.0


def make(signal, *, noise=0.0, rng=None, width=2000.0, delay=0.0, carrier=0.0, nucleus="1H"):
    signal = np.atleast_2d(signal)
    if noise:
        signal = signal + noise * (
            rng.standard_normal(signal.shape) + 1j * rng.standard_normal(signal.shape)
        )
    return Fid(Path("made"), signal, width, MHZ * (1 + carrier * 1e-6), MHZ, nucleus, delay)


def decay(lines, points=1024, width=2000.0):
    """Sum of exponentials: (shift in ppm, width in Hz, amplitude)."""
    t = np.arange(points) / width
    return sum(a * np.exp((2j * np.pi * d * MHZ - np.pi * w) * t) for d, w, a in lines)


# ---- noise
# --------------------------------------------------------------------------------------------------
#


@pytest.mark.parametrize(
    ("broadening", "fill"), [(0.0, 0), (0.0, 1), (1.0, 1), (5.0, 2), (20.0, 1)]
)
def test_noise_covariance_is_that_of_the_processed_noise(broadening, fill):
    rng = np.random.default_rng(1)
    fid = make(np.zeros((300, 512), complex), noise=1.0, rng=rng)
    rows = [
        nmr.process(fid, trace=i, line_broadening_Hz=broadening, zero_fill=fill) for i in range(300)
    ]
    values = np.array([row.real for row in rows])
    found = [np.mean(values[:, 50:-50] * np.roll(values, -m, axis=1)[:, 50:-50]) for m in range(5)]
    np.testing.assert_allclose(
        found, np.mean([row.autocovariance[:5].real for row in rows], axis=0), atol=0.04 * found[0]
    )


@pytest.mark.parametrize(
    ("broadening", "fill"), [(0.0, 0), (0.3, 1), (1.0, 1), (3.0, 2), (10.0, 1)]
)
def test_integral_pulls(broadening, fill):
    """Pull standard deviation 0.9 to 1.1 for any line broadening and zero filling."""
    rng = np.random.default_rng(int(10 * broadening) + fill)
    clean = decay([(0.3, 2.0, 1.0), (-0.7, 4.0, 0.5)])
    region = [(0.2, 0.4)]
    truth = (
        nmr.integrate(
            nmr.process(make(clean), line_broadening_Hz=broadening, zero_fill=fill),
            region,
            flank_ppm=0.05,
        )
        .regions[0]
        .area
    )
    fid = make(np.repeat(clean[None], SETS, 0), noise=0.05, rng=rng)
    pulls = []
    for i in range(SETS):
        found = nmr.integrate(
            nmr.process(fid, trace=i, line_broadening_Hz=broadening, zero_fill=fill),
            region,
            flank_ppm=0.05,
        ).regions[0]
        pulls.append((found.area - truth) / found.noise_error)
    assert 0.9 < np.std(pulls) < 1.1
    assert abs(np.mean(pulls)) < 4 / np.sqrt(SETS)


@pytest.mark.parametrize(
    ("broadening", "fill", "truncated"),
    [(0.0, 0, False), (1.0, 1, False), (4.0, 2, False), (0.5, 1, True)],
)
def test_line_fit_intervals_cover(broadening, fill, truncated):
    """95 % intervals of position, width and area hold the truth 93 to 97 % of the time, with
    truncated decays too."""
    rng = np.random.default_rng(5 + fill)
    points = 400 if truncated else 1024
    clean = decay([(0.0, 2.0, 1.0), (0.012, 3.0, 0.6)], points)
    fid = make(np.repeat(clean[None], SETS, 0), noise=0.03, rng=rng)
    start = [nmr.Component("a", 0.0005, 2.3), nmr.Component("b", 0.0115, 2.5)]
    pulls = np.zeros((SETS, 6))
    for i in range(SETS):
        fit = nmr.fit_lines(
            nmr.process(fid, trace=i, line_broadening_Hz=broadening, zero_fill=fill),
            (-0.12, 0.13),
            start,
        )
        for k, (name, truth) in enumerate((("a", (0.0, 2.0, 1.0)), ("b", (0.012, 3.0, 0.6)))):
            line = fit[name]
            for j, (value, error) in enumerate(
                (
                    (line.position_ppm, line.position_error_ppm),
                    (line.width_Hz, line.width_error_Hz),
                    (line.area, line.area_error),
                )
            ):
                pulls[i, 3 * k + j] = (value - truth[j]) / error
    hits = np.abs(pulls) < 1.96
    assert 0.93 < hits.mean() < 0.97
    assert (hits.mean(axis=0) > 0.90).all()
    assert np.sqrt(np.mean(pulls**2, axis=0)) == pytest.approx(np.ones(6), abs=0.2)


def test_independent_errors_would_be_too_small():
    """Why the covariance matters: sigma sqrt(n) is 2 to 7 times too small for a broadened,
    zero-filled integral."""
    fid = make(decay([(0.0, 2.0, 1.0)]), noise=0.05, rng=np.random.default_rng(0))
    for broadening, low, high in ((1.0, 1.5, 4), (10.0, 3, 9)):
        spectrum = nmr.process(fid, line_broadening_Hz=broadening, zero_fill=1)
        found = nmr.integrate(spectrum, [(-0.1, 0.1)], flank_ppm=0).regions[0]
        count = np.sum(np.abs(spectrum.ppm) <= 0.1)
        assert (
            low
            < found.noise_error / (spectrum.noise_sd * np.sqrt(count) * spectrum.hz_per_point)
            < high
        )


def test_limits_cover_and_false_alarms_are_five_percent():
    rng = np.random.default_rng(3)
    strong = decay([(0.5, 3.0, 2.0)])
    alarms, covered = [], []
    for true in (0.0, 0.05):
        fid = make(
            np.repeat((strong + decay([(0.0, 5.0, true)]))[None], SETS, 0), noise=0.1, rng=rng
        )
        for i in range(SETS):
            found = nmr.limit_at(
                nmr.process(fid, trace=i, line_broadening_Hz=2.0),
                [0.0],
                5.0,
                window_ppm=(-0.25, 0.25),
            )
            (alarms if not true else covered).append(
                found.detected if not true else true < found.upper_limit
            )
    assert 0.02 < np.mean(alarms) < 0.08
    assert 0.92 < np.mean(covered) < 0.98


# ---- processing ----------------------------------------------------------------------------------


def test_area_is_the_amplitude_at_time_zero():
    for broadening in (0.0, 3.0):
        spectrum = nmr.process(make(decay([(0.1, 4.0, 2.5)], 8192)), line_broadening_Hz=broadening)
        assert spectrum.real.sum() * spectrum.hz_per_point == pytest.approx(2.5, rel=1e-3)


def test_the_noise_turns_with_the_phase_as_its_points_do():
    rng = np.random.default_rng(2)
    spectrum = nmr.process(make(np.zeros(256, complex), noise=1.0, rng=rng), line_broadening_Hz=3.0)
    turned = nmr.apply_phase(spectrum, nmr.Phase(40.0, 9000.0))
    for lag in (0, 1, 7):
        before, after = (s.values[lag:] * s.values[: 512 - lag].conj() for s in (spectrum, turned))
        both = turned.autocovariance[lag] / spectrum.autocovariance[lag]
        assert abs(both) == pytest.approx(1)
        assert both == pytest.approx(np.sum(after) / np.sum(before))


@pytest.mark.parametrize("p1", [0.0, -90.0, 350.0, -800.0])
def test_automatic_phase_finds_any_turn(p1):
    rng = np.random.default_rng(2)
    lines = [(2.0, 1.5, 1.0), (1.3, 1.0, 0.7), (1.28, 1.0, 0.7), (-0.4, 2.0, 1.2), (-1.9, 1.0, 0.4)]
    spectrum = nmr.process(make(decay(lines, 4096), noise=0.01, rng=rng), line_broadening_Hz=0.5)
    turned = nmr.apply_phase(spectrum, nmr.Phase(-70.0, -p1))
    found = nmr.autophase(turned)
    assert found.accepted
    for shift, *_ in lines:
        x = shift * MHZ / 2000
        error = found.p0_deg - 70 + (found.p1_deg - p1) * x
        assert abs((error + 180) % 360 - 180) < 6


def test_automatic_phase_refuses_what_has_none():
    rng = np.random.default_rng(4)
    mixed = decay(
        [(-1.5, 2, 1.0), (-0.5, 2, -1.0j), (0.4, 2, -1.0), (1.2, 2, 1.0j), (2.0, 2, -1.0)], 4096
    )
    for signal in (mixed, np.zeros(4096, complex)):
        fid = make(signal, noise=0.02, rng=rng)
        with pytest.raises(nmr.PhaseError, match=r"made: automatic phasing.*give phase="):
            nmr.process(fid, phase="auto")
        assert not nmr.process(fid, phase="auto", strict=False).phase.accepted


def test_baseline_methods_disagree_honestly():
    rng = np.random.default_rng(6)
    spectrum = nmr.process(
        make(decay([(1.0, 3, 1.0), (-1.0, 3, 1.0)], 4096), noise=0.01, rng=rng),
        line_broadening_Hz=1.0,
    )
    bend = 0.02 * (spectrum.ppm / 2.5) ** 2
    bent = spectrum.minus(-bend)
    found = nmr.baseline(bent)
    quiet = np.abs(np.abs(spectrum.ppm) - 1) > 0.3
    assert np.std((found.mean - bend)[quiet]) < 0.2 * np.std(bend[quiet])
    area = nmr.integrate(bent, [(0.8, 1.2)], base=found).regions[0]
    clean = nmr.integrate(spectrum, [(0.8, 1.2)], flank_ppm=0).regions[0]
    assert abs(area.area - clean.area) < 4 * area.error
    with pytest.raises(ValueError, match="at least three"):
        nmr.baseline(bent, methods=("arpls",))


def test_a_baseline_that_leans_stands_where_its_points_are():
    """Medians of eight points belong to the middle of the eight."""
    rng = np.random.default_rng(6)
    spectrum = nmr.process(make(decay([(0.0, 3, 0.0)], 4096), noise=0.01, rng=rng))
    lean = spectrum.noise_sd * np.arange(len(spectrum.ppm))
    found = nmr.baseline(spectrum.minus(-lean))
    inner = slice(1000, -1000)
    assert np.mean((found.curves["arpls"] - lean)[inner]) == pytest.approx(0, abs=spectrum.noise_sd)


@pytest.mark.parametrize("off_Hz, hum", [(8.0, True), (20.0, False)])
def test_hum_is_told_within_three_errors_of_the_place(off_Hz, hum):
    line = SimpleNamespace(
        position_ppm=(500 + off_Hz) / 400, position_error_ppm=0.01, width_Hz=0.1, width_error_Hz=0.1
    )
    processed = SimpleNamespace(
        points=1000, spectral_width_Hz=4000.0, carrier_ppm=0.0, reference_MHz=400.0
    )
    assert significance.is_hum(processed, line) == hum


def test_process_refuses():
    with pytest.raises(ValueError, match="at least 32"):
        nmr.process(make(decay([(0, 1, 1)], 20)))
    with pytest.raises(ValueError, match="zeros only"):
        nmr.process(make(np.zeros(128, complex)))
    with pytest.raises(ValueError, match=r"window.*at least 8 points"):
        nmr.process(make(decay([(0, 1, 1)]))).window(50, 60)


# ---- lines and spins -----------------------------------------------------------------------------


def test_ab_quartet_in_closed_form():
    """Lines of AB: centre ± (sqrt(dnu^2 + J^2) ± J)/2, inner over outer (C + J)/(C - J)."""
    dnu, j = 30.0, 12.0
    found = nmr.transitions([0.0, dnu / MHZ], np.array([[0, j], [0, 0]]), MHZ)
    c = np.hypot(dnu, j)
    order = np.argsort(found.frequency_Hz)
    np.testing.assert_allclose(
        found.frequency_Hz[order], dnu / 2 + np.array([-(c + j), -(c - j), c - j, c + j]) / 2
    )
    np.testing.assert_allclose(
        found.intensity[order][1] / found.intensity[order][0], (c + j) / (c - j)
    )


def test_spins_conserve_intensity_and_centre_and_tend_to_first_order():
    rng = np.random.default_rng(8)
    for n in (2, 3, 5):
        shifts, j = rng.uniform(0, 0.3, n), np.triu(rng.uniform(-15, 15, (n, n)), 1)
        found = nmr.transitions(shifts, j, MHZ, smallest=0)
        assert found.intensity.sum() == pytest.approx(n)
        assert np.sum(found.intensity * found.frequency_Hz) == pytest.approx(shifts.sum() * MHZ)
    weak = nmr.transitions(
        [0.0, 100.0, 100.0], np.array([[0, 7.0, 7.0], [0, 0, -12.0], [0, 0, 0]]), MHZ
    )
    first = np.abs(weak.frequency_Hz) < 100
    np.testing.assert_allclose(
        [weak.intensity[first & (np.abs(weak.frequency_Hz - f) < 0.5)].sum() for f in (-7, 0, 7)],
        [0.25, 0.5, 0.25],
        atol=1e-3,
    )
    with pytest.raises(ValueError, match="1 to 8"):
        nmr.transitions(np.zeros(9), np.zeros((9, 9)), MHZ)


def test_propagated_density_matrix_and_diagonalised_hamiltonian_agree():
    """The forward model (time steps in Liouville space) against the analysis (transitions): no
    shared formula."""
    spins = solution.Spins(
        (1.93, 1.82, 2.34), {(0, 1): -14.5, (0, 2): 6.7, (1, 2): 7.6}, (1.0, 1.0, 1.0)
    )
    time = np.arange(8192) / 2000.0
    signal = solution.decay(time, spins, None, 0.0, 0.0, 2.0, MHZ)
    assert signal[0].real == pytest.approx(3.0)
    spectrum = nmr.process(make(signal, carrier=2.0), line_broadening_Hz=0.5)
    j = np.zeros((3, 3))
    for (a, b), value in spins.couplings_Hz.items():
        j[a, b] = value
    peaks = nmr.pick_peaks(spectrum, threshold=1e3)
    lines = nmr.transitions(spins.shifts_ppm, j, MHZ, smallest=0.05)
    for ppm in peaks.ppm[peaks.height > 0.1 * peaks.height.max()]:
        assert np.abs(lines.frequency_Hz / MHZ - ppm).min() < 0.002


def test_spin_system_fit_recovers_couplings_within_errors():
    spins = solution.Spins(
        (1.93, 1.82, 2.34), {(0, 1): -14.5, (0, 2): 6.7, (1, 2): 7.6}, (1.2, 1.2, 1.2)
    )
    signal = solution.decay(np.arange(4096) / 2000.0, spins, None, 0.0, 0.0, 2.0, MHZ)
    spectrum = nmr.process(
        make(signal, noise=0.02, rng=np.random.default_rng(9), carrier=2.0), line_broadening_Hz=0.3
    )
    start = np.array([[0, -14.2, 6.4], [0, 0, 7.8], [0, 0, 0.0]])
    fit = nmr.fit_spin_system(spectrum, (1.75, 2.45), [1.931, 1.819, 2.341], start)
    for (a, b), truth in spins.couplings_Hz.items():
        assert (
            abs(abs(fit.couplings_Hz[a, b]) - abs(truth)) < 4 * fit.coupling_errors_Hz[a, b] + 0.005
        )
    np.testing.assert_allclose(fit.shifts_ppm, spins.shifts_ppm, atol=5e-4)
    assert fit.misfit < 1.2


# ---- exchange and binding ------------------------------------------------------------------------


def test_two_site_exchange_against_the_time_domain():
    time = np.arange(16384) / 4000.0
    free, bound = solution.Spins((0.0,), {}, (2.0,)), solution.Spins((0.2,), {}, (5.0,))
    for k_off, fraction in ((5.0, 0.3), (200.0, 0.5), (5000.0, 0.4)):
        signal = solution.decay(time, free, bound, fraction, k_off, 0.0, MHZ)
        spectrum = nmr.process(make(signal, width=4000.0))
        offset = spectrum.ppm * MHZ
        part = np.abs(offset) < 300
        model = nmr.two_site(offset[part], fraction, 0.0, 80.0, k_off / (1 - fraction), 2.0, 5.0)
        np.testing.assert_allclose(model, spectrum.real[part], atol=0.01 * model.max())
        assert np.trapezoid(
            nmr.two_site(np.linspace(-2e5, 2e5, 400001), fraction, 0.0, 80.0, k_off, 2.0, 5.0),
            dx=1.0,
        ) == pytest.approx(1, abs=0.01)


def test_bound_fractions_limits_and_the_quadratic():
    ligand, metal, k = 0.01, np.array([0.0, 0.002, 0.01, 0.05]), 500.0
    b = ligand + metal + 1 / k
    complexed = (b - np.sqrt(b**2 - 4 * ligand * metal)) / 2
    np.testing.assert_allclose(
        bound_fractions(ligand, metal, [k])[0], complexed / ligand, atol=1e-9
    )
    np.testing.assert_allclose(
        bound_fractions(ligand, metal, [1e10])[0], np.minimum(metal / ligand, 1), atol=1e-3
    )
    one, two = bound_fractions(ligand, metal, [k, 1e-12])
    np.testing.assert_allclose(one, complexed / ligand, atol=1e-6)
    np.testing.assert_allclose(two, 0, atol=1e-6)


def test_binding_intervals_cover():
    rng = np.random.default_rng(10)
    ligand, metal = np.full(7, 0.01), 0.01 * np.array([0, 0.25, 0.5, 1, 1.5, 2, 3])
    truth = 3.0 + np.outer(bound_fractions(ligand, metal, [10**2.7])[0], [0.2, -0.15])
    hits = []
    for _ in range(60):
        fit = nmr.fit_binding(
            ligand, metal, truth + 0.002 * rng.standard_normal(truth.shape), 0.002
        )
        low, high = fit.log10_K_intervals[0]
        hits.append(low <= 2.7 <= high)
    assert np.mean(hits) > 0.86


def test_binding_that_the_data_do_not_bound_says_so():
    ligand, metal = np.full(6, 0.01), 0.01 * np.array([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    fit = nmr.fit_binding(ligand, metal, 3 + 0.1 * metal / ligand, 0.002)
    assert fit.log10_K_intervals[0][1] == 8.0 or fit.log10_K_intervals[0][0] == 0.0
    with pytest.raises(ValueError, match="more than"):
        nmr.fit_binding(ligand[:2], metal[:2], [1, 2], 0.1)


def test_one_to_two_is_told_from_one_to_one():
    ligand, metal = np.full(9, 0.01), 0.01 * np.array([0, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2.5])
    f = bound_fractions(ligand, metal, [1e3, 1e4])
    y = 3 + 0.2 * f[0] + 0.05 * f[1] + 0.0005 * np.random.default_rng(0).standard_normal(9)
    fits = {m: nmr.fit_binding(ligand, metal, y, 0.0005, model=m) for m in ("1:1", "1:2")}
    assert fits["1:2"].bic < fits["1:1"].bic - 10


def test_binding_by_bic_counts_each_fitted_number_once():
    """χ² and two constants less, against one: k ln n with two shifts and K, three and two K."""
    ligand, metal = np.full(9, 0.01), 0.01 * np.array([0, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2.5])
    f = bound_fractions(ligand, metal, [1e3])
    y = 3 + 0.2 * f[0] + 0.001 * np.random.default_rng(0).standard_normal(9)
    for model, numbers in (("1:1", 3), ("1:2", 5)):
        fit = nmr.fit_binding(ligand, metal, y, 0.001, model=model)
        assert fit.bic - fit.chi2 == pytest.approx(numbers * np.log(9))


def test_tracking_survives_crossing_lines():
    steps = np.linspace(0, 1, 9)
    places = [np.array([3.0 + 0.3 * s, 3.2 - 0.2 * s]) for s in steps]
    areas = [np.array([1.0, 4.0])] * 9
    rng = np.random.default_rng(0)
    shuffled = [rng.permutation(2) for _ in steps]
    found = nmr.track(
        [p[o] for p, o in zip(places, shuffled, strict=True)],
        [a[o] for a, o in zip(areas, shuffled, strict=True)],
    )
    for k, order in enumerate(shuffled):
        assert list(order[found[k]]) == list(shuffled[0][found[0]])


def test_broadening_only_is_reported_as_such():
    ratio, error = np.array([0, 0.5, 1, 2.0]), np.full(4, 0.001)
    t = nmr.trend(
        "x",
        ratio,
        np.array([3.0, 3.0005, 2.9996, 3.0002]),
        error,
        np.array([1.0, 4, 5, 4]),
        np.full(4, 0.1),
    )
    assert t.kind == "broadening only"
    assert (
        nmr.trend("x", ratio, 3 + 0.1 * ratio, error, np.full(4, 2.0), np.full(4, 0.1)).kind
        == "shift only"
    )
    assert (
        nmr.trend("x", ratio, np.full(4, 3.0), error, np.full(4, 2.0), np.full(4, 0.1)).kind
        == "unchanged"
    )


# ---- solids --------------------------------------------------------------------------------------


def test_contact_times_recovered_from_integrated_rate_equations():
    times = np.array([0.05, 0.15, 0.4, 1, 2, 4, 8, 12]) * 1e-3
    site = solid_model.Site("x", 0, 1.0, 50, 50, 0, 0, 0.35e-3, 9e-3)
    y = np.array([solid_model.polarised(site, t) for t in times])
    np.testing.assert_allclose(nmr.build_up(times, 1.0, 0.35e-3, 9e-3), y, rtol=2e-3)
    fit = nmr.fit_build_up(
        times, y + 0.01 * np.random.default_rng(1).standard_normal(8), np.full(8, 0.01)
    )
    for name, true_ms in (("T_IS", 0.35), ("T1rho", 9.0)):
        q = fit.time(name)
        assert abs(q.value - true_ms) < 4 * q.standard_error
    with pytest.raises(ValueError, match="at least four"):
        nmr.fit_build_up(times[:3], y[:3], np.full(3, 0.1))


def test_rotor_echoes_are_physical():
    echoes = solid_model.rotor_echoes(105, 0.85, 100.6, 8000, 40)
    assert echoes[0] == pytest.approx(1)
    sidebands = np.fft.fft(echoes) / 40
    assert (sidebands.real > -1e-6).all() and sidebands.real.sum() == pytest.approx(1)
    assert (
        solid_model.rotor_echoes(105, 0.85, 100.6, 1e6, 40).real.min() > 0.99
    )  # fast spinning: no sidebands
    # Second moment of the sidebands is that of the tensor: delta^2 (1 + eta^2 / 3) / 5 (Maricq and
    # Waugh 1979)
    orders = np.fft.fftfreq(40, 1 / 40)
    moment = np.sum(sidebands.real * (orders * 8000) ** 2)
    assert moment == pytest.approx((105 * 100.6) ** 2 * (1 + 0.85**2 / 3) / 5, rel=0.03)


def test_sideband_of_the_double_bond_is_not_taken_for_an_alpha_carbon(root):
    fid = read(root / "data" / "nmr" / "13c_cpmas" / "neat")
    spectrum = nmr.process(fid, line_broadening_Hz=20, phase="auto", p1_deg=45.0)
    spectrum = spectrum.shifted(-tubes.MISREFERENCE_13C_ppm)
    vinyl = cpmas.fit_vinyl(spectrum, 8000.0)
    assert vinyl.rate_Hz == pytest.approx(8000, abs=5 * vinyl.rate_error_Hz + 1)
    assert vinyl.position_ppm == pytest.approx(130.2, abs=0.03)
    side = vinyl.position_ppm - 8000 / spectrum.reference_MHz
    assert side == pytest.approx(50.7, abs=0.1)
    naive = nmr.limit_at(spectrum, [50.7], 100, window_ppm=(46, 64))
    assert naive.detected
    found = cpmas.evidence(
        spectrum, [56.4, 54.5], 60, (46, 64), sideband=(side, 100.0), gauss_Hz=130
    )
    assert found.area < 3 * found.area_error


def test_the_38_ppm_line_is_ranked_not_asserted(root):
    references = [r for r in nmr.read_references(table("nmr/shifts.csv")) if r.nucleus == "13C"]
    found = nmr.rank(38.0, 0.3, references)
    labels = [c.label for c in found]
    assert {"GSSG Cys C beta", "oleylammonium C1", "GSH Glu C gamma"} <= set(labels)
    assert max(c.weight for c in found) < 0.9
    assert sum(c.weight for c in found) == pytest.approx(1)
    artefacts = nmr.sidebands([("C=C", 130.2)], 8000.0, 100.61)
    assert ("C=C sideband -1", pytest.approx(50.69, abs=0.02)) in artefacts
    first = nmr.rank(50.7, 0.1, references, extra=[(a, b, 0.2) for a, b in artefacts])[0]
    assert first.is_sideband


# ---- real files ----------------------------------------------------------------------------------


def test_ketobutyrate_positions_and_couplings(samples):
    folder = samples / "nmr" / "bmse000325_1h_bruker"
    answer = json.loads((folder / "reference.json").read_text())
    spectrum = nmr.process(read(folder), line_broadening_Hz=0.3, phase="auto")
    peaks = nmr.pick_peaks(spectrum, threshold=20)
    for ppm, _ in answer["peaks_ppm_intensity"]:
        assert np.abs(peaks.ppm - ppm).min() < 0.005
    triplet = nmr.fit_lines(
        spectrum, (1.0, 1.1), [nmr.Component("t", 1.053, 1.0, couplings_Hz=(7.2,), partners=(2,))]
    )["t"]
    quartet = nmr.fit_lines(
        spectrum, (2.68, 2.81), [nmr.Component("q", 2.744, 1.0, couplings_Hz=(7.2,), partners=(3,))]
    )["q"]
    assert triplet.position_ppm == pytest.approx(
        1.0533, abs=0.002
    ) and quartet.position_ppm == pytest.approx(2.744, abs=0.002)
    for line in (triplet, quartet):
        assert line.couplings_Hz[0] == pytest.approx(7.297, abs=0.05)
        assert line.coupling_errors_Hz[0] < 0.1


def test_vendor_processed_spectrum_gives_the_same(samples):
    done = nmr.from_spectrum(read(samples / "nmr" / "bmse000325_1h_bruker", processed=True))
    quartet = nmr.fit_lines(
        done, (2.68, 2.81), [nmr.Component("q", 2.744, 2.0, couplings_Hz=(7.2,), partners=(3,))]
    )["q"]
    assert quartet.position_ppm == pytest.approx(2.744, abs=0.002) and quartet.couplings_Hz[
        0
    ] == pytest.approx(7.30, abs=0.1)


def test_aspirin_integrals_and_fid_against_spectrum(samples):
    regions = [(2.15, 2.42), (6.95, 7.17), (7.2, 7.38), (7.42, 7.65), (7.95, 8.12)]
    mine = nmr.process(
        read(samples / "nmr/aspirin_jcamp/1h.fid.dx"), line_broadening_Hz=0.3, phase="auto"
    )
    vendor = nmr.from_spectrum(read(samples / "nmr/aspirin_jcamp/1h.dx"))
    for spectrum in (mine, vendor):
        areas = [r.area for r in nmr.integrate(spectrum, regions, flank_ppm=0).regions]
        assert areas[0] / sum(areas[1:]) == pytest.approx(3 / 4, rel=0.05)  # CH3 : aromatic H
    a, b = (
        mine.real / mine.real.max(),
        np.interp(mine.ppm, vendor.ppm, vendor.real / vendor.real.max()),
    )
    inside = (mine.ppm > 6.5) & (mine.ppm < 8.5)
    assert np.corrcoef(a[inside], b[inside])[0, 1] > 0.99


# ---- own files -----------------------------------------------------------------------------------


def test_series_in_another_format_gives_the_same_shifts(tmp_path, root):
    """The titration written as JCAMP-DX spectra and text tables takes the same way."""
    source = root / "data" / "nmr"
    folders = {"fids": tmp_path / "fids", "texts": tmp_path / "texts"}
    for kind, folder in folders.items():
        folder.mkdir()
        shutil.copy(source / "resonances.csv", folder)
        sheet = (
            "sample,measurement,file,solvent,host_mM,titrant,equivalents\n"
            ",line_table,resonances.csv,,,,\n"
        )
        name = "{equivalents}" if kind == "fids" else "{equivalents}.*"
        sheet += f"EDTA,1h,{name},DMSO-d6,10,PbI2,\n"
        (folder / "samples.csv").write_text(sheet)
    for k, path in enumerate(sorted((source / "1h_dmso").glob("EDTA_*"))):
        step = path.name.split("_")[1]
        shutil.copytree(path, folders["fids"] / step)
        spectrum = nmr.process(read(path), line_broadening_Hz=0.3, phase="auto", p1_deg=17.3)
        part = spectrum.window(2.0, 4.4)
        x, y = spectrum.ppm[part][::-1], spectrum.real[part][::-1]
        mhz = f"{spectrum.reference_MHz:.6f}"
        if k % 2:
            text = f"# frequency: {mhz} MHz\n# nucleus: 1H\nppm,intensity\n"
            text += "\n".join(f"{a:.6f},{b:.8g}" for a, b in zip(x, y, strict=True))
        else:
            text = (
                "##TITLE= x\n##JCAMP-DX= 5.0\n##DATA TYPE= NMR SPECTRUM\n"
                f"##.OBSERVE FREQUENCY= {mhz}\n##.OBSERVE NUCLEUS= ^1H\n##XUNITS= PPM\n"
                f"##YUNITS= A\n##XFACTOR= 1\n##YFACTOR= 1\n##FIRSTX= {x[0]:.8f}\n"
                f"##LASTX= {x[-1]:.8f}\n##NPOINTS= {len(x)}\n##XYPOINTS= (XY..XY)\n"
            )
            text += "\n".join(f"{a:.8f}, {b:.8g}" for a, b in zip(x, y, strict=True))
            text += "\n##END=\n"
        (folders["texts"] / f"{step}.{'csv' if k % 2 else 'dx'}").write_text(text)
    found = []
    for folder in folders.values():
        report = analyse(read_sheet(folder, "nmr", sniff=sniff))
        found.append([q for q in report.quantities if "over the titration" in q.name])
        (bound,) = [q for q in report.quantities if q.name == "log10 K of PbI2"]
        assert abs(bound.value - 3.0) < 3 * bound.standard_error < 0.3
        assert bound.standard_error == pytest.approx(np.ptp(bound.bounds) / 3.92, rel=1e-3)
    for one, other in zip(*found, strict=True):
        assert one.name == other.name and abs(one.value) > 0.05
        assert one.value == pytest.approx(other.value, abs=0.002)


def test_simulation_is_deterministic(tmp_path, root):
    from hassan2021.simulate.nmr import CARRIER_1H_ppm, proton, write

    name = "1h_dmso/EDTA_0.50"
    rng = np.random.default_rng([20210304, *name.encode()])
    write(tmp_path / "x", *proton("EDTA", 0.5, "DMSO", rng), CARRIER_1H_ppm, "1H")
    a, b = (
        np.frombuffer((f / "fid").read_bytes(), "<i4")
        for f in (tmp_path / "x", root / "data" / "nmr" / name)
    )
    assert np.abs(a - b).max() <= 1  # another processor may round the last digit


def test_errors_of_lines_grow_with_what_their_model_leaves():
    """Of a second line that nobody named; of a model that holds they are those of the noise."""
    rng, start = np.random.default_rng(5), [nmr.Component("a", 0.0005, 2.3)]
    one, two = [(0.0, 2.0, 1.0)], [(0.0, 2.0, 1.0), (0.08, 2.0, 0.5)]
    fits = [
        nmr.fit_lines(nmr.process(make(decay(lines), noise=0.03, rng=rng)), (-0.12, 0.13), start)
        for lines in (one, two)
    ]
    assert fits[0].misfit < 1.3 and fits[1].misfit > 3
    grown = fits[1]["a"].position_error_ppm / fits[0]["a"].position_error_ppm
    assert grown == pytest.approx(fits[1].misfit, rel=0.25)
