"""Single methods of NMR against peers and closed forms: diffusion, NMRPipe, scales, phases."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from hassan2021.simulate.writers import write_bruker
from peled import nmr
from peled.formats.nmr import Fid, Spectrum, read, read_gradients
from peled.nmr import integrals, processing, referencing, series, significance, titration
from peled.nmr.analyse import analyse, sniff
from peled.samples import read_sheet

FORMATS = Path(__file__).parent / "formats"


def decay(lines, rng, *, points=4096, width=4000.0, noise=0.3, mhz=400.0):
    """Sum of exponentials (ppm, Hz, amplitude) in white noise."""
    t = np.arange(points) / width
    signal = sum(a * np.exp((2j * np.pi * d * mhz - np.pi * w) * t) for d, w, a in lines)
    return signal + noise * (rng.standard_normal(points) + 1j * rng.standard_normal(points))


# ---- diffusion -----------------------------------------------------------------------------------


def test_diffusion_by_stejskal_and_tanner_covers(tmp_path):
    """Two molecules with lines of their own: D in the closed form of rectangular gradients."""
    gradients = np.linspace(2.0, 48.0, 10)  # G/cm
    turn = 2 * np.pi * 42.577478518e6 * gradients * 0.01 * 2e-3
    b = turn**2 * (0.05 - 2e-3 / 3)
    rng, pulls = np.random.default_rng(0), []
    for k in range(12):
        data = np.array([
            decay([(1.0, 2.0, 30 * np.exp(-x * 1.2e-9)), (-2.0, 3.0, 40 * np.exp(-x * 4e-10))], rng)
            for x in b
        ])  # fmt: skip
        folder = tmp_path / f"s{k}"
        write_bruker(folder, 1e4 * data, spectral_width_Hz=4000.0, base_MHz=400.0,
                     carrier_MHz=400.0, reference_MHz=400.0, nucleus="1H",
                     pulse_program="ledbpgp2s", contact_times_s=gradients)  # fmt: skip
        (folder / "difflist").write_text("".join(f"{g:.4f}\n" for g in gradients))
        acqus = (folder / "acqus").read_text().replace("##END=", "")
        zeros = " ".join(["0"] * 30)
        acqus += (
            f"##$P= (0..63)\n{zeros} 1000\n##$D= (0..63)\n{' '.join(['0'] * 20)} 0.05\n##END=\n"
        )
        (folder / "acqus").write_text(acqus)
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    for q in report.quantities:
        truth = 1.2e-9 if "near 1.00" in q.name else 4e-10
        pulls.append((q.value - truth) / q.standard_error)
        assert q.unit == "m²/s" and q.standard_error < 0.1 * truth
    assert len(pulls) == 24 and np.mean(np.abs(pulls) < 1.96) > 0.8


def test_gradients_without_their_times_are_asked_for(tmp_path):
    folder = tmp_path / "s"
    write_bruker(folder, 1e4 * np.ones((4, 64), complex), spectral_width_Hz=4e3, base_MHz=400.0,
                 carrier_MHz=400.0, reference_MHz=400.0, nucleus="1H")  # fmt: skip
    (folder / "difflist").write_text("1\n2\n3\n4\n")
    with pytest.raises(ValueError, match="P30 and D20"):
        read_gradients(folder)


# ---- NMRPipe -------------------------------------------------------------------------------------


def test_nmrpipe_is_what_nmrglue_makes_of_it():
    """The decay, transformed by either, and the spectrum, point by point."""
    nmrglue = pytest.importorskip("nmrglue")
    head, data = nmrglue.pipe.read(str(FORMATS / "nmr_pipe.ft1"))
    axis = nmrglue.pipe.make_uc(head, data).ppm_scale()[::-1]
    spectrum = read(FORMATS / "nmr_pipe.ft1")
    assert np.allclose(spectrum.ppm, axis, atol=1e-9)
    assert np.array_equal(spectrum.intensity, data.real[::-1].astype(float))
    fid = read(FORMATS / "nmr_pipe.fid")
    assert isinstance(fid, Fid) and fid.nucleus == "1H"
    ours = nmr.process(fid, zero_fill=1)
    strongest = ours.ppm[np.argmax(np.abs(ours.values))]
    theirs = axis[np.argmax(np.abs(data[::-1]))]
    assert strongest == pytest.approx(theirs, abs=0.012) == pytest.approx(5.9, abs=0.02)


# ---- the scale -----------------------------------------------------------------------------------


def test_a_scale_that_nothing_sets_has_the_error_of_its_range(tmp_path):
    """Without a solvent, and where lines of the sample hide which is the solvent's."""
    rng = np.random.default_rng(1)
    options = {"spectral_width_Hz": 4e3, "base_MHz": 400.0, "carrier_MHz": 400.0,
               "reference_MHz": 400.0, "nucleus": "1H"}  # fmt: skip
    write_bruker(tmp_path / "bare", 1e4 * decay([(2.0, 2.0, 30.0)], rng), **options)
    near = [(2.43, 2.0, 30.0), (2.6, 2.0, 25.0), (-1.0, 2.0, 50.0)]
    write_bruker(tmp_path / "crowded", 1e4 * decay(near, rng), solvent="DMSO", **options)
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    for sample, least in (("bare", 0.15), ("crowded", 0.05)):
        found = [q for q in report.quantities if q.sample == sample and q.name.startswith("shift")]
        assert found and all(q.standard_error > least for q in found)
        assert all(q.status == "doubtful" for q in found)


# ---- phase ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("p1", [-150.0, -45.0, 45.0, 150.0])
def test_first_order_phase_of_two_lines_close_together(p1):
    """A tenth of the sweep apart, as those of adamantane: what p1 leaves there is in their
    phases."""
    rng, found = np.random.default_rng(4), []
    for _ in range(6):
        data = decay([(0.6, 4.0, 60.0), (1.6, 4.0, 40.0)], rng)[None]
        made = Fid(Path("made"), data, 4000.0, 400.0, 400.0, "1H")
        spectrum = nmr.process(made, line_broadening_Hz=1.0)
        found.append(nmr.autophase(nmr.apply_phase(spectrum, nmr.Phase(20.0, -p1))).p1_deg)
    assert np.mean(found) == pytest.approx(p1, abs=15)


@pytest.mark.parametrize("missing", [-1.6, 1.43, 3.4])
def test_points_missing_at_the_beginning_cost_neither_phase_nor_baseline(missing):
    """A dead time of some points turns the phase by 360° each and rolls the baseline."""
    rng = np.random.default_rng(21)
    t = (np.arange(8192) + missing) / 4000.0
    places, sizes = np.linspace(-4.2, 4.4, 12), rng.uniform(10, 60, 12)
    data = sum(
        a * np.exp((2j * np.pi * d * 400.0 - np.pi * 1.5) * t)
        for d, a in zip(places, sizes, strict=True)
    ) * np.exp(0.7j) + 0.3 * (rng.standard_normal(8192) + 1j * rng.standard_normal(8192))
    made = Fid(Path("made"), data[None], 4000.0, 400.0, 400.0, "1H")
    p = nmr.process(made, phase="auto")
    assert p.phase.accepted and p.phase.p1_deg == pytest.approx(360 * missing, abs=2.0)
    for d, a in zip(places, sizes, strict=True):
        line = nmr.fit_lines(p, (d - 0.05, d + 0.05), [nmr.Component("a", d, 1.5)])["a"]
        assert line.area == pytest.approx(a, rel=0.02)


def test_a_saturated_solvent_does_not_turn_the_others():
    rng = np.random.default_rng(22)
    t = np.arange(8192) / 4000.0
    lines = [(d, 1.0, 10.0) for d in (-3.1, -2.4, -1.0, 1.2, 2.0)]
    data = sum(a * np.exp((2j * np.pi * d * 400.0 - np.pi * w) * t) for d, w, a in lines)
    data = data + 200.0 * np.exp((2j * np.pi * 0.1 * 400.0 - np.pi * 2.0) * t + 2.9j)
    data = np.exp(0.5j) * data + 0.05 * (rng.standard_normal(8192) + 1j * rng.standard_normal(8192))
    made = Fid(Path("made"), data[None], 4000.0, 400.0, 400.0, "1H")
    phase = nmr.process(made, line_broadening_Hz=0.3, phase="auto").phase
    assert phase.accepted and phase.aside
    assert phase.p0_deg == pytest.approx(np.rad2deg(0.5), abs=5) and abs(phase.p1_deg) < 15


def test_a_recovery_phased_upside_down_is_a_recovery():
    t = np.array([0.01, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2])
    course = nmr.fit_relaxation(t, -5 + 9.6 * np.exp(-t / 0.3), np.full(8, 0.02))
    assert course.time("T1", "s").value == pytest.approx(0.3, rel=0.01)


def test_a_hump_takes_no_lines_along(tmp_path):
    """What is no line leaves the fit of those in its reach, which then are numbers."""
    rng = np.random.default_rng(23)
    t = np.arange(16384) / 4000.0
    lines = [(-1.0, 1.5, 40.0), (0.0, 1.5, 40.0), (0.6, 1.5, 80.0), (0.3, 400.0, 900.0)]
    data = sum(a * np.exp((2j * np.pi * d * 400.0 - np.pi * w) * t) for d, w, a in lines)
    data = data + 0.1 * (rng.standard_normal(t.size) + 1j * rng.standard_normal(t.size))
    options = {"base_MHz": 400.0, "carrier_MHz": 400.0, "reference_MHz": 400.0}
    write_bruker(tmp_path / "a", 1e3 * data, nucleus="1H", spectral_width_Hz=4000.0, **options)
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    found = [q.value for q in report.quantities if q.name.startswith("shift")]
    assert all(any(v is not None and abs(v - d) < 0.002 for v in found) for d in (-1.0, 0.0, 0.6))
    ratios = [q for q in report.quantities if q.name.startswith("integral") and q.value is not None]
    assert any(abs(q.value - 0.5) < 3 * q.standard_error < 0.3 for q in ratios)


# ---- maxima of a matched filter ----


@pytest.mark.parametrize("dip, seen", [(2.2, 1), (2.8, 2)])
def test_a_maximum_rises_by_half_of_what_noise_passes(dip, seen):
    """Two maxima of 40 and 20 with a saddle between them, where noise alone passes 5."""
    x = np.arange(400)
    ratio = np.interp(x, [0, 150, 200, 250, 399], [0.0, 40.0, 20.0 - dip, 20.0, 0.0])
    found = significance.Matched(x / 100, 400.0, ratio[None], np.ones(1), ratio, np.ones(400), 5.0,
                                 100, 1e-3)  # fmt: skip
    assert len(found.lines()[0]) == seen


def test_templates_of_the_widest_lines_span_a_quarter_of_the_sweep():
    p = made(np.zeros(4000))
    lengths = [len(significance._template(p, width)) for width in (10.05, 4000.0)]
    assert lengths == [81, 1001]  # four widths of 10 points on either side; 500 points at most


# ---- parts of a phase ----------------------------------------------------------------------------


def made(values, noise=1.0, width=4000.0):
    """A spectrum of these values with white noise, at 400 MHz."""
    values = np.asarray(values, complex)
    ppm = (np.arange(values.size) / values.size - 0.5) * width / 400.0
    covariance = np.zeros(values.size // 2, complex)
    covariance[0] = noise**2
    return processing.Processed(ppm, values, covariance, 400.0, width, 0.0, values.size / 2)


def roofs(of, size=4000, ground=0.0):
    """Triangles (point, height) of half width 5."""
    away = np.abs(np.arange(size)[:, None] - np.array([p for p, _ in of]))
    return ground + (np.array([h for _, h in of]) * np.clip(1 - away / 10, 0, 1)).sum(axis=1)


def test_lines_to_phase_stand_ten_noises_and_a_hundredth_of_the_largest_high():
    everywhere = np.ones(4000, bool)
    of = [(500, 9.5), (900, 10.5), (1300, 40.0), (1700, 90.0)]
    peaks, prominences = processing._standing(roofs(of), 1.0, everywhere, 40)
    assert peaks.tolist() == [900, 1300, 1700] and prominences.tolist() == [10.5, 40.0, 90.0]
    few = processing._standing(roofs(of), 1.0, everywhere, 2)
    assert few[0].tolist() == [1300, 1700] and few[1].tolist() == [40.0, 90.0]
    of[0] = (500, 5000.0)
    assert processing._standing(roofs(of), 1.0, everywhere, 40)[0].tolist() == [500, 1700]
    # Where not to look a line has no height either.
    right = processing._standing(roofs(of), 1.0, np.arange(4000) > 600, 40)[0]
    assert right.tolist() == [900, 1300, 1700]


@pytest.mark.parametrize("valley, noise, kept", [(94.5, 1.0, 1), (93.5, 1.0, 2), (93.5, 2.0, 1)])
def test_a_line_on_another_stands_six_noises_over_the_valley(valley, noise, kept):
    y = np.interp(np.arange(1000), [0, 400, 450, 500, 900], [0, 100.0, valley, 100.5, 0])
    assert len(processing._standing(y, noise, np.ones(1000, bool), 40)[0]) == kept
    assert len(processing._standing(20 * y, noise, np.ones(1000, bool), 40)[0]) == 2
    wide = np.interp(np.arange(1000), [0, 400, 450, 500, 900], [0, 1000, 995.5, 1000.5, 0])
    assert len(processing._standing(wide, 0.1, np.ones(1000, bool), 40)[0]) == 1  # 5 of 1000


@pytest.mark.parametrize("others, found", [(2, [300, 700, 1500, 1600]), (3, [300, 900, 1500])])
def test_shoulders_have_no_phase_where_three_lines_stand_alone(others, found):
    of = [(300, 50.0), (900 if others == 3 else 700, 30.0)]
    y = roofs([*of, (1500, 100.0)])
    y[1500:1700] = np.interp(np.arange(1500, 1700), [1500, 1550, 1600, 1660], [100, 60, 90, 0])
    if others == 2:
        y[650:750] = 0.0
        found = [300, 1500, 1600]
    assert processing._standing(y, 1.0, np.ones(4000, bool), 40)[0].tolist() == found


def test_turns_on_which_lines_agree_come_best_first():
    rng = np.random.default_rng(24)
    places, weights = rng.uniform(-0.5, 0.5, 12), rng.uniform(1, 5, 12)
    for p1 in (200.0, -1000.0, 1380.0):
        phases = 0.3 + np.deg2rad(p1) * places
        turns = processing._agreed_turns(places, phases, weights)
        assert turns[0] == pytest.approx(p1, abs=2) and 3 < len(turns) <= 5
        agreed = [abs(np.exp(1j * (phases - np.deg2rad(t) * places)) @ weights) for t in turns]
        assert agreed == sorted(agreed, reverse=True)
    # The heavier lines decide.
    phases = np.deg2rad(np.where(weights > 2.5, 400.0, -300.0)) * places
    assert processing._agreed_turns(places, phases, weights**8)[0] == pytest.approx(400, abs=40)
    # Two lines half a width apart agree every 720 degrees: the least turn is taken.
    pair = np.array([-0.25, 0.25])
    for p1, least in ((452.0, -268.0), (-300.0, -300.0)):
        turns = processing._agreed_turns(pair, np.deg2rad(p1) * pair, np.ones(2))
        assert turns[0] == least and least + 720 in turns


def test_points_near_lines_count_by_the_root_of_the_higher_line():
    magnitude = np.ones(5000)
    peaks, half = np.array([1000, 1100, 3000]), np.array([4, 4, 10])
    magnitude[peaks] = 400.0, 100.0, 25.0
    index, share = processing._near_lines(magnitude, peaks, half)
    by_point = np.zeros(5000)
    by_point[index] = share
    assert (by_point[1100 - 31 : 1100 + 69] == 0.1).all()
    assert (by_point[1000 - 68 : 1000 + 69] == 0.05).all()
    assert (by_point[3000 - 158 : 3000 + 159] == 0.2).all()
    assert index.size == 137 + 100 + 317
    wide = processing._near_lines(np.ones(50_000), np.array([25_000]), np.array([1000]))[0]
    assert 3000 < wide.size <= 6000 and np.ptp(wide) > 29_990


def _disagreement(seed=25):
    rng = np.random.default_rng(seed)
    place = np.sort(rng.uniform(-0.5, 0.5, 300))
    part = rng.uniform(5, 50, 300) * np.exp(
        1j * (0.4 + 1.1 * place + 0.3 * rng.standard_normal(300))
    )
    places = rng.uniform(-0.5, 0.5, 9)
    phases = 0.4 + 1.1 * places + 0.1 * rng.standard_normal(9)
    return processing._Disagreement(
        part, place, rng.uniform(0.1, 1, 300), 2.0, places, phases, rng.uniform(1, 9, 9)
    )


@pytest.mark.parametrize("at", [(1.9, 2.3), (-2.5, 0.4), (0.4, 1.1)])
def test_slope_of_what_speaks_against_a_phase_is_its_difference(at):
    cost, at, h = _disagreement(), np.array(at), 1e-6 * np.eye(2)
    expected = [(cost(at + d)[0] - cost(at - d)[0]) / 2e-6 for d in h]
    assert cost(at)[1] == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_what_speaks_against_a_phase_is_area_below_and_lines_elsewhere():
    """Nothing at the right one; upside down all but the noise, and each line."""
    place, places = np.linspace(-0.5, 0.5, 50), np.array([-0.4, 0.1, 0.3])
    share, weights = np.linspace(1, 3, 50), np.array([1.0, 2.0, 5.0])
    part = 10 * np.exp(1j * (0.4 + 1.1 * place))
    cost = processing._Disagreement(part, place, share, 2.0, places, 0.4 + 1.1 * places, weights)
    right, wrong = np.array([0.4, 1.1]), np.array([0.4 + np.pi, 1.1])
    assert cost(right)[0] == pytest.approx(0) and cost.negative_fraction(right) == 0
    assert cost(wrong)[0] == pytest.approx(0.8 + 1)
    assert cost.negative_fraction(wrong) == pytest.approx(0.4)  # below three times the noise
    assert cost.p0(1.1) == pytest.approx(0.4)
    turned = cost(right + [np.pi / 3, 0])[0]  # still above the ground
    assert turned == pytest.approx(0.5 * (1 - 0.5))
    assert cost.spread_deg(right) == pytest.approx(0, abs=1e-9)
    off = processing._Disagreement(
        part, place, share, 2.0, places, 0.4 + 1.1 * places + np.deg2rad([1.0, 9.0, -3.0]), weights
    )
    assert off.spread_deg(right) == pytest.approx(1.4826 * 3)  # five of eight in weight
    light = replace(off, weights=np.array([5.0, 2.0, 1.0]))
    assert light.spread_deg(right) == pytest.approx(1.4826)


def test_the_least_disagreement_is_found_from_near_it():
    cost, exact = _disagreement(), None
    grid = [(p0, p1) for p0 in np.linspace(0.3, 0.5, 41) for p1 in np.linspace(0.8, 1.4, 61)]
    exact = min(grid, key=lambda at: cost(np.array(at))[0])
    found = processing._least_of(cost, [900.0, 30.0, -700.0], True)
    assert found == pytest.approx(exact, abs=0.01)
    held = processing._least_of(cost, [50.0], False)
    assert held[1] == pytest.approx(np.deg2rad(50.0))
    best = min(np.linspace(0, 1, 2001), key=lambda p0: cost(np.array([p0, held[1]]))[0])
    assert held[0] == pytest.approx(best, abs=1e-3)
    # Of many candidates the best three by their cost are refined.
    far = processing._least_of(cost, [900.0, -900.0, 700.0, -700.0, 60.0], True)
    assert far == pytest.approx(found, abs=1e-3)


@pytest.mark.parametrize("first, whole", [(100.0, (-160.0, 105.0)), (30.0, (170.0, 30.0))])
def test_a_turn_that_rolls_the_baseline_takes_a_second_pass(first, whole, monkeypatch):
    passes = [nmr.Phase(170.0, first, lines=3), nmr.Phase(30.0, 5.0, lines=3)]
    seen = []

    def once(processed, p1_deg, inside, most):
        seen.append(processed.phase)
        return passes[len(seen) - 1]

    monkeypatch.setattr(processing, "_one_pass", once)
    flat = made(np.ones(512))
    found = processing._two_passes(flat, None, np.ones(512, bool), 40)
    assert (found.p0_deg, found.p1_deg) == pytest.approx(whole)
    assert [p.p1_deg for p in seen] == [0.0, first][: len(seen)]
    seen.clear()
    found = processing._two_passes(flat, -70.0, np.ones(512, bool), 40)
    assert (found.p0_deg, found.p1_deg) == (170.0, -70.0) and seen[0].p1_deg == -70.0


def _hyperbolas(size, of, ground=(0.0, 0.0, 0.0)):
    """Complex areas over 2πi (f − f₀), in units of a group's half width over the distance, on a
    parabola; within six points of a group a peak that is even about it."""
    k = np.arange(size, dtype=float)
    x = k / size - 0.5
    y = np.polyval(ground, x).astype(complex)
    for at, amplitude in of:
        with np.errstate(divide="ignore"):
            y += np.where(k == at, 0, amplitude / (2j * np.pi * (k - at)))
    for at, amplitude in of:
        y[at - 6 : at + 7] = abs(amplitude) / (1 + (np.arange(-6, 7) / 2.0) ** 2)
    return y


def test_phases_of_groups_are_those_of_hyperbolas_on_a_parabola():
    of = [(700, 900 * np.exp(0.7j)), (1800, 250 * np.exp(-2.1j)), (3100, 400 * np.exp(1.9j))]
    y = _hyperbolas(4096, of, (3 + 2j, -1j, 4 - 1j))
    peaks, half = np.array([3100, 700, 1800]), np.array([2, 2, 2])
    centres, phases, errors = processing._group_phases(made(y), peaks, half)
    assert centres == pytest.approx([700, 1800, 3100], abs=1e-6)
    assert phases == pytest.approx([0.7, -2.1, 1.9], abs=1e-6)
    assert errors == pytest.approx(np.deg2rad([1.5] * 3), rel=1e-3)  # by what no noise makes


@pytest.mark.parametrize("apart, groups", [(27, 1), (29, 2)])
def test_lines_nearer_than_seven_half_widths_are_one_group(apart, groups):
    y = _hyperbolas(2048, [(900, 300.0)])
    found = processing._group_phases(made(y), np.array([900, 900 + apart]), np.array([2, 4]))
    assert len(found[0]) == groups
    if groups == 1:  # weighed by width and height
        weight = np.array([2, 4]) * np.abs(y[[900, 900 + apart]])
        assert found[0][0] == pytest.approx(900 + apart * weight[1] / weight.sum())


def test_errors_of_phases_of_groups_are_those_of_noise():
    of = [(700, 900 * np.exp(0.7j)), (1800, 250 * np.exp(-2.1j)), (3100, 400 * np.exp(1.9j))]
    clean, rng, found = _hyperbolas(4096, of), np.random.default_rng(26), []
    for _ in range(60):
        noise = rng.standard_normal(4096) + 1j * rng.standard_normal(4096)
        noise[[p + k for p, _ in of for k in range(-6, 7)]] = 0
        found.append(processing._group_phases(
            made(clean + noise), np.array([700, 1800, 3100]), np.array([2, 2, 2])
        )[1:])  # fmt: skip
    phases, errors = np.array(found).transpose(1, 0, 2)
    claimed = errors.mean(axis=0) - np.deg2rad(1.5)
    assert claimed / phases.std(axis=0) == pytest.approx([1.6] * 3, abs=0.4)  # of both parts


@pytest.mark.parametrize("at", [800.0, 800.37, 799.55])
def test_phase_of_a_line_between_two_points(at):
    step = 4000.0 / 2048
    rate = 2 * np.pi * 3 * step / np.sqrt(3)
    y = 5 * np.exp(0.9j) / (rate + 2j * np.pi * (np.arange(2048) - at) * step)
    found = processing._line_phases(made(y), np.array([800]), np.array([3]))
    assert found == pytest.approx([0.9], abs=1e-6)


def test_phases_of_lines_that_overlap_are_found_together():
    step, half = 4000.0 / 2048, np.array([3, 4])
    rate = 2 * np.pi * half * step / np.sqrt(3)
    k, at = np.arange(2048)[:, None], np.array([800, 830])
    y = (np.exp([0.9j, -1.2j]) * rate / (rate + 2j * np.pi * (k - at) * step)).sum(axis=1)
    found = processing._line_phases(made(y), at, half)
    assert found == pytest.approx([0.9, -1.2], abs=0.04)


@pytest.mark.parametrize("begin", [-2.3, 0.4, 3.6])
def test_a_roll_of_missing_points_is_taken_off(begin):
    """Points at times d, d − 1, … or at −d, … that are too many; lines stay."""
    size = 4096
    x = np.arange(size) / size - 0.5
    times = [begin - np.sign(begin) * k for k in range(int(abs(begin)) + 1)]
    rng = np.random.default_rng(27)
    roll = sum(rng.uniform(2, 9) * np.exp(-2j * np.pi * x * t + 1j * k)
               for k, t in enumerate(times)) + 3.0  # fmt: skip
    lines = sum(200 / (1 + ((x - at) * size / 4) ** 2) for at in (-0.31, -0.1, 0.22))
    noise = 0.5 * rng.standard_normal(size)
    spectrum = replace(made(roll + lines + noise, 0.5), phase=nmr.Phase(0.0, 360 * begin))
    rest = processing.without_roll(spectrum).real - lines - noise
    assert np.abs(rest).max() < 0.35
    for turn in (40.0, 3700.0):  # no roll, and more points than may be missing
        same = replace(spectrum, phase=nmr.Phase(0.0, turn))
        assert processing.without_roll(same) is same
    for turn in (50.0, 3500.0):
        other = replace(spectrum, phase=nmr.Phase(0.0, turn))
        assert processing.without_roll(other) is not other


# ---- spectra that others processed ---------------------------------------------------------------


def _spectrum(y, **more):
    ppm = np.linspace(-1.0, 9.0, y.size)
    return Spectrum(Path("a"), ppm, y, more.pop("mhz", 400.0), "1H", **more)


@pytest.mark.parametrize("smooth", [1, 5])
@pytest.mark.parametrize("lit", [0.0, 0.5])
def test_noise_of_a_processed_spectrum_is_that_between_its_lines(smooth, lit):
    """Running means of white noise: a triangle of covariances; parabolas below; lines in half of
    it, or in none."""
    rng, found, n = np.random.default_rng(28), [], 32768
    kernel, x = np.ones(smooth) / smooth, np.linspace(-1, 1, n)
    for _ in range(4):
        y = np.convolve(rng.standard_normal(n + smooth - 1), kernel, "valid") + 5 * x**2
        y[: int(lit * n)] += 40 * rng.standard_normal(int(lit * n)).cumsum() / 50
        found.append(processing.from_spectrum(_spectrum(y)).autocovariance[:7].real)
    expected = np.clip(smooth - np.arange(7), 0, None) / smooth**2
    assert np.mean(found, axis=0) == pytest.approx(expected, abs=0.03 * expected[0])


def test_stretches_set_to_zero_are_not_quiet():
    rng = np.random.default_rng(29)
    y = rng.standard_normal(16384)
    y[:4000] = y[14000:] = 0.0
    done = processing.from_spectrum(_spectrum(y))
    assert done.noise_sd == pytest.approx(1.0, rel=0.04)
    assert processing.from_spectrum(_spectrum(np.zeros(4096))).noise_sd == 0.0


def test_axis_and_parts_of_a_processed_spectrum():
    rng = np.random.default_rng(30)
    y, other = rng.standard_normal((2, 4096))
    done = processing.from_spectrum(_spectrum(y, imaginary=other))
    assert (done.values == y + 1j * other).all()
    assert done.spectral_width_Hz == pytest.approx(10.0 * 400.0 * 4096 / 4095)
    assert done.hz_per_point * 4096 == pytest.approx(done.spectral_width_Hz)
    assert done.carrier_ppm == pytest.approx(4.0)
    unknown = processing.from_spectrum(_spectrum(y, mhz=np.nan))
    assert unknown.reference_MHz == 1.0 and (unknown.values.imag == 0).all()


# ---- integrals, limits, patterns -----------------------------------------------------------------


def _under(y, part, width, **more):
    taken = np.zeros(y.size, bool)
    taken[part] = True
    return integrals._line_under(part, y, width, 0.5, taken, **more) @ y


def test_what_is_under_a_region_is_the_line_through_its_flanks():
    k = np.arange(400.0)
    line = 3 + 0.02 * k
    y = line + 50 * np.exp(-(((k - 210) / 6) ** 2)) * (np.abs(k - 210) < 30)
    for part, width in ((slice(180, 250), 25), (slice(180, 250), 300)):
        assert _under(y, part, width) == pytest.approx(0.5 * line[part].sum())
    y[:30] = line[:30] + 7.0  # a flank ends with the spectrum: three points and 25
    assert _under(line, slice(3, 60), 25) == pytest.approx(0.5 * line[3:60].sum())
    assert _under(line, slice(0, 399), 25) == 0.0  # fewer than four points


def test_wings_of_a_line_are_moved_into_its_region():
    k = np.arange(400.0)
    line, part, at = 3 + 0.02 * k, slice(180, 250), 205
    with np.errstate(divide="ignore"):
        y = line + np.where(k == at, 0.0, 900 / (k - at) ** 2) * ((k < 180) | (k >= 250))
    y[at] += 1000.0
    y[at + 20] += 99.0  # less than a tenth of the top: no part of the signal
    outside = 900 * (1 / (205 - 179.5) + 1 / (249.5 - 205))
    found = _under(y, part, 40, wings=True)
    assert found == pytest.approx(0.5 * (line[part].sum() - outside), rel=1e-6)
    y[at + 20] += 300.0  # two places, weighted by what is in them
    pair = [(205, 1000.0), (225, 399.0)]
    total = sum(h for _, h in pair)
    for x in (*range(100, 180), *range(250, 330)):
        y[x] = line[x] + sum(900 * h / total / (x - c) ** 2 for c, h in pair)
    outside = sum(900 * h / total * (1 / (c - 179.5) + 1 / (249.5 - c)) for c, h in pair)
    level = [line[180 + k] + v for k, v in enumerate(y[part] - line[part])]
    y[part] = np.where(np.isin(np.arange(180, 250), [205, 225]), level, np.median(y[100:180]))
    found = _under(y, part, 40, wings=True)
    assert found == pytest.approx(0.5 * (line[part].sum() - outside), rel=2e-2)


def test_limits_of_a_line_are_those_of_its_error():
    """Currie's of a normal estimate; the upper one of a normal cut off at zero."""
    rng = np.random.default_rng(31)
    spectrum = nmr.process(Fid(Path("a"), decay([], rng)[None], 4000.0, 400.0, 400.0, "1H"),
                           line_broadening_Hz=2.0)  # fmt: skip
    for at in (-2.0, 0.7, 3.1):
        found = nmr.limit_at(spectrum, [at, at + 0.05], 3.0)
        same = nmr.limit_at(spectrum, [at, at + 0.05], 3.0,
                            window_ppm=(at - 50 / 400, at + 0.05 + 50 / 400))  # fmt: skip
        assert found == same
        error = found.area_error
        assert found.critical == pytest.approx(1.6448536 * error)
        assert found.detection_limit == pytest.approx(2 * 1.6448536 * error)
        above = stats.norm.sf(found.upper_limit, found.area, error)
        assert above / stats.norm.sf(0, found.area, error) == pytest.approx(0.05)
        assert found.detected is (found.area > found.critical)


def test_a_limit_grows_with_what_is_not_described():
    rng = np.random.default_rng(32)
    data = decay([(0.0, 2.0, 3.0)], rng)
    spectrum = nmr.process(Fid(Path("a"), data[None], 4000.0, 400.0, 400.0, "1H"))
    of = {"shifts_ppm": [0.1], "width_Hz": 4.0, "window_ppm": (-0.2, 0.4)}
    blind = nmr.limit_at(spectrum, **of)
    told = nmr.limit_at(spectrum, **of, nuisance=[(0.0, 2.0)])
    assert blind.area_error > 3 * told.area_error and abs(told.area) < 3 * told.area_error
    # By the root mean square of what is left over the noise, for the independent points less four.
    part = spectrum.window(-0.2, 0.4)
    y, axis = spectrum.real[part], spectrum.ppm[part]
    columns = nmr.lines.shape_columns(spectrum, axis, np.array([0.1]), 4.0)
    design = np.column_stack([columns, np.vander(np.linspace(-1, 1, y.size), 3)])
    rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    points = spectrum.independent_points(y.size)
    misfit = np.sqrt(np.mean(rest**2) * points / (points - 4)) / spectrum.noise_sd
    operator = np.linalg.pinv(design)[:1].T
    plain = np.sqrt(spectrum.covariance_of(operator)[0, 0])
    assert blind.area_error == pytest.approx(misfit * plain)


@pytest.mark.parametrize("area", [np.nan, 20.0])
@pytest.mark.parametrize("broader", [1.0, 2.5, 6.0])
@pytest.mark.parametrize("at", [0.63, 0.517])
def test_a_pattern_is_found_where_and_as_broad_as_it_is(area, broader, at):
    """A doublet of 8 Hz beside a line five times as strong."""
    rng = np.random.default_rng(33)
    lines = [(at + s * 4 / 400, 2.0 * broader, 10.0) for s in (-1, 1)]
    lines += [(1.1, 2.0, 100.0)] if np.isfinite(area) else []
    data = decay(lines, rng, points=8192, noise=0.02)
    spectrum = nmr.process(Fid(Path("a"), data[None], 4000.0, 400.0, 400.0, "1H"))
    place, width = series._pattern(spectrum, 0.6, (8.0,), (1,), 2.0, 0.2, area)
    assert place == pytest.approx(at, abs=2 * spectrum.hz_per_point / 400)
    if np.isfinite(area):
        assert width == 2.0 * broader
    assert series._pattern(spectrum, 40.0, (8.0,), (1,), 2.0, 0.2, area) == (40.0, 2.0)


def test_of_two_patterns_alike_the_nearer_is_taken():
    rng = np.random.default_rng(34)
    data = decay([(0.5, 2.0, 20.0), (0.67, 2.0, 20.0)], rng, points=8192, noise=0.02)
    spectrum = nmr.process(Fid(Path("a"), data[None], 4000.0, 400.0, 400.0, "1H"))
    for start, nearer in ((0.56, 0.5), (0.61, 0.67)):
        place, width = series._pattern(spectrum, start, (), (), 2.0, 0.2, 20.0)
        assert place == pytest.approx(nearer, abs=0.003) and width == 2.0


# ---- standards -----------------------------------------------------------------------------------


def _tube(lines, seed=35, noise=0.05):
    rng = np.random.default_rng(seed)
    data = decay(lines, rng, points=8192, noise=noise)
    return nmr.process(Fid(Path("a"), data[None], 4000.0, 400.0, 400.0, "1H"))


def test_a_standard_moves_the_axis_and_knows_its_rivals():
    standard = referencing.Standard("made", "1H", 0.0, 0.004, 0, 0.0, "")
    spectrum = _tube([(0.11, 1.5, 30.0), (-0.05, 1.5, 12.0), (0.2, 1.5, 6.0), (2.0, 1.5, 400.0)])
    found = referencing.reference(spectrum, standard)
    line = found.fit["standard"]
    assert found.moved_ppm == pytest.approx(-0.11, abs=1e-3)
    assert found.spectrum.ppm[0] == pytest.approx(spectrum.ppm[0] + found.moved_ppm)
    assert found.error_ppm == pytest.approx(np.hypot(line.position_error_ppm, 0.004))
    # Of 0.3 of its height on, beyond the window that was fitted.
    assert found.rivals_ppm == pytest.approx([-0.16], abs=1e-3)
    near = _tube([(0.11, 1.5, 30.0), (0.142, 1.5, 12.0)])
    assert len(referencing.reference(near, standard).rivals_ppm) == 0  # within 12 widths
    with pytest.raises(ValueError, match="may be anything"):
        referencing.reference(_tube([(0.1, 1.5, 9.0), (2.0, 1.5, 12_000.0)]), standard)
    assert referencing.reference(_tube([(0.1, 1.5, 9.0), (2.0, 1.5, 7000.0)]), standard)


@pytest.mark.parametrize(("apart_Hz", "beside", "at"), [
    (8.0, 30.0, -0.05), (19.0, 30.0, -0.05), (4.0, 30.0, 0.1), (21.0, 30.0, 0.1), (8.0, 6.0, 0.1),
])  # fmt: skip
def test_a_line_that_a_coupling_has_split_is_no_standard(apart_Hz, beside, at):
    """A doublet of the sample is higher than the solvent's line; shims split by less."""
    standard = referencing.Standard("made", "1H", 0.0, 0.004, 0, 0.0, "")
    lines = [(0.1, 1.0, 32.0), (0.1 + apart_Hz / 400, 1.0, beside), (-0.05, 1.5, 20.0)]
    found = referencing.reference(_tube(lines), standard)
    assert found.moved_ppm == pytest.approx(-at, abs=6e-3)


@pytest.mark.parametrize("highest", [-2, -1, 0, 1, 2])
def test_the_middle_of_a_quintet_is_found_from_any_of_its_lines(highest):
    standard = referencing.Standard("quintet", "1H", 0.5, 0.0, 4, 2.0, "")
    lines = [(0.5 + k * 2.0 / 400, 0.6, a) for k, a in zip(range(-2, 3), (1, 4, 6, 4, 1))]
    spectrum = _tube(lines, noise=0.002)
    at = referencing._centre(spectrum, standard, 0.5 + highest * 2.0 / 400, 0.6)
    assert at == pytest.approx(0.5, abs=1e-9)


# ---- shapes and courses --------------------------------------------------------------------------


@pytest.mark.parametrize("broadening", [0.0, 1.5])
def test_a_line_is_drawn_as_the_transform_of_its_decay(broadening):
    """The first point counts by half; also where the decay is cut off."""
    t = np.arange(1024) / 4000.0
    data = 3.0 * np.exp((2j * np.pi * 0.637 * 400.0 - np.pi * 2.2) * t)
    spectrum = nmr.process(Fid(Path("a"), data[None], 4000.0, 400.0, 400.0, "1H"),
                           line_broadening_Hz=broadening)  # fmt: skip
    drawn = nmr.lines.shape_columns(spectrum, spectrum.ppm, np.array([0.637]), 2.2)[:, 0]
    assert 3.0 * drawn == pytest.approx(spectrum.real, abs=1e-6 * spectrum.real.max())


def test_a_pattern_of_unknown_area_is_told_from_a_higher_line():
    """Two lines of ten against one of twelve a piece: by likeness, times size."""
    rng = np.random.default_rng(36)
    lines = [(0.5 + s * 4 / 400, 2.0, 10.0) for s in (-1, 1)] + [(0.72, 2.0, 24.0)]
    data = decay(lines, rng, points=8192, noise=0.02)
    spectrum = nmr.process(Fid(Path("a"), data[None], 4000.0, 400.0, 400.0, "1H"))
    place, _ = series._pattern(spectrum, 0.6, (8.0,), (1,), 2.0, 0.2, np.nan)
    assert place == pytest.approx(0.5, abs=0.003)


def test_a_forest_of_lines_is_no_noise():
    """Wings of sixty lines all over the spectrum, a tenth of its points."""
    rng, n = np.random.default_rng(38), 8192
    lines = [(d, 0.4, 0.3) for d in rng.uniform(-4, 4, 60)]
    for _ in range(3):
        data = decay(lines, rng, points=n, noise=1.0)
        assert processing.noise_of_decay(data) == pytest.approx(1.0, rel=0.04)


@pytest.mark.parametrize("points", [1, 6, 63])
def test_a_spectrum_of_too_few_points_says_so(tmp_path, points):
    """Nothing of an array's shape; one with enough beside it is analysed."""
    values = " ".join(str(100 * k % 701) for k in range(1, points + 1))
    head = "##TITLE= x\n##JCAMP-DX= 5.0\n##DATA TYPE= NMR SPECTRUM\n##.OBSERVE FREQUENCY= 400.0\n"
    (tmp_path / "short.jdx").write_text(
        f"{head}##.OBSERVE NUCLEUS= ^1H\n##XUNITS= HZ\n##YUNITS= ARBITRARY UNITS\n##XFACTOR= 1\n"
        f"##YFACTOR= 1\n##FIRSTX= 0\n##LASTX= {points - 1}\n##DELTAX= 1\n##NPOINTS= {points}\n"
        f"##XYDATA= (X++(Y..Y))\n0 {values}\n##END=\n"
    )
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    assert any(f"at least 64 points, of which noise can be told, found {points}" in p.reason
               for p in report.problems)  # fmt: skip


def _followed(lines, rng, resonances, noise):
    data = decay(lines, rng, points=8192, noise=noise)
    spectrum = nmr.process(Fid(Path("a"), data[None], 4000.0, 400.0, 400.0, "1H"))
    return series.follow([spectrum], [0.0], resonances)


def test_a_weak_line_is_followed_and_its_neighbour_left_alone():
    """Eight times its error is there; a stranger seven widths off is not in the window."""
    rng, own = np.random.default_rng(39), series.Resonance("a", "b", 0.5, (), (), 3.0, 0.0)
    noise = 0.02 / 8 / _followed([(0.5, 3.0, 1.0)], rng, [own], 0.02).area_error[0, 0]
    found = [_followed([(0.5, 3.0, 1.0)], rng, [own], noise) for _ in range(12)]
    assert sum(np.isfinite(f.area[0, 0]) for f in found) >= 10
    with_neighbour = [(0.5, 3.0, 1.0), (0.5 + 7.5 * 3 / 400, 3.0, 1.0)]
    found = _followed(with_neighbour, rng, [own], 0.002)
    assert found.area[0, 0] == pytest.approx(1.0, rel=0.05)


def test_a_doublet_beside_a_line_is_found_from_afar():
    """Couplings up to 5 Hz, widths up to a factor of four from where the search begins."""
    rng, pulls = np.random.default_rng(1), []
    for _ in range(40):
        w, j, noise = rng.uniform(0.5, 6), rng.uniform(3, 12), rng.uniform(0.02, 0.6)
        lines = [(0.5 - j / 800, w, 1.0), (0.5 + j / 800, w, 1.0), (0.53, 2.0, 0.7)]
        data = decay(lines, rng, points=8192, noise=noise)
        decays = Fid(Path("a"), data[None], 4000.0, 400.0, 400.0, "1H")
        spectrum = nmr.process(decays, line_broadening_Hz=rng.choice([0.0, 0.5]))
        own = nmr.Component(
            "a", 0.5 + rng.normal(0, 0.003), 2.0, couplings_Hz=(7.0,), partners=(1,)
        )
        other = nmr.Component("b", 0.532, 1.5, shape=rng.choice(["lorentz", "voigt"]))
        a = nmr.fit_lines(spectrum, (0.4, 0.65), [own, other])["a"]
        pulls.append((a.position_ppm - 0.5) / a.position_error_ppm)
        assert abs(a.width_Hz - w) < 4 * a.width_error_Hz
    assert max(np.abs(pulls)) < 3.3
    assert 0.7 < np.std(pulls) < 1.3


def test_two_sites_move_with_the_axis():
    x = np.linspace(-200, 300, 101)
    here = nmr.two_site(x, 0.3, 0.0, 80.0, 60.0, 2.0, 5.0)
    there = nmr.two_site(x + 37.0, 0.3, 37.0, 117.0, 60.0, 2.0, 5.0)
    assert there == pytest.approx(here)


@pytest.mark.parametrize("t1, scatter, long", [(2.4, 0.1, True), (1.2, 0.05, False)])
@pytest.mark.parametrize("told", [1.0, 8.0])
def test_ends_of_a_time_are_open_by_the_scatter_not_by_what_errors_say(t1, scatter, long, told):
    t = np.geomspace(0.05, 1.6, 8)
    noise = scatter * np.random.default_rng(3).standard_normal(8)
    y = 5 * (1 - 1.9 * np.exp(-t / t1)) + noise
    course = nmr.fit_relaxation(t, y, np.full(8, scatter / told))
    assert [bool(e) for e in course.open_ends["T1"]] == [False, long]


def test_lines_of_a_series_are_followed_within_reach():
    """None beyond it, whatever the cost of missing one; areas tell lines that cross."""
    reach = nmr.titration.REACH_PPM
    found = nmr.track([np.array([1.0, 2.0]), np.array([1.0 + 0.9 * reach, 2.0 + 1.1 * reach])])
    assert found.tolist() == [[0, 1], [0, -1]]


def test_a_build_up_with_both_times_alike_is_the_limit_of_times_near_each_other():
    t = np.geomspace(1e-4, 2e-2, 9)
    limit = nmr.build_up(t, 7.0, 3e-3, 3e-3)
    assert limit == pytest.approx(7.0 * t / 3e-3 * np.exp(-t / 3e-3))
    assert limit == pytest.approx(nmr.build_up(t, 7.0, 3e-3, 3.003e-3), rel=5e-3)
    course = nmr.fit_build_up(t, nmr.build_up(t, 7.0, 5e-4, 1.2e-2), np.full(9, 0.01))
    found = dict(zip(course.estimates.names, course.estimates.values, strict=True))
    assert found["amplitude"] == pytest.approx(7.0, rel=0.02)


def test_sidebands_stand_at_multiples_of_the_spinning_rate():
    rng = np.random.default_rng(37)
    rate, sizes = 320.0, {-2: 4.0, -1: 9.0, 0: 30.0, 1: 12.0, 2: 6.0}
    lines = [(0.3 + k * rate / 400, 3.0, a) for k, a in sizes.items()]
    data = decay(lines, rng, points=8192, noise=0.02)
    spectrum = nmr.process(Fid(Path("a"), data[None], 4000.0, 400.0, 400.0, "1H"))
    family = nmr.Component("a", 0.31, 2.5, sidebands=2, mas_rate_Hz=rate)
    line = nmr.fit_lines(spectrum, (-1.7, 2.3), [family])["a"]
    assert line.position_ppm == pytest.approx(0.3, abs=1e-3)
    assert line.areas_by_order == pytest.approx(list(sizes.values()), rel=0.03)
    assert line.area == pytest.approx(sum(line.areas_by_order))


@pytest.mark.parametrize("height, parts", [(8.0, 2), (6.0, 1)])
def test_a_maximum_is_two_lines_where_two_explain_more(height, parts):
    """8² + 8² above 10², 6² + 6² below."""
    ppm, ratio = np.linspace(0.0, 10.0, 1001), np.zeros((2, 1001))
    ratio[0, [480, 520]] = height
    ratio[1, 500] = 10.0
    seen = significance.Matched(
        ppm,
        400.0,
        ratio,
        np.array([40.0, 160.0]),
        ratio.max(axis=0),
        np.where(ratio[1] > ratio[0], 160.0, 40.0),
        5.0,
        1000,
        1e-3,
    )
    seen.ratio[[480, 520]] = 0.0  # the wide shape is the likelier one everywhere
    index, width = seen.lines()
    assert index.tolist() == ([480, 520] if parts == 2 else [500])
    assert set(width) == {40.0 if parts == 2 else 160.0}


@pytest.mark.parametrize("times, wider", [(2.0, False), (6.0, True)])
def test_a_limit_grows_only_by_what_chance_does_not_leave(times, wider):
    """The mean square of what is left is 1 ± √(2/n) by chance."""
    rng, size = np.random.default_rng(33), 4096
    white, ppm = np.zeros(size // 2, complex), np.linspace(0.0, 10.0, size)
    white[0] = 1.0
    spectrum = processing.Processed(ppm, rng.standard_normal(size) + 0j, white, 400.0, 4000.0, 5.0)
    of = {"shifts_ppm": [5.0], "width_Hz": 4.0, "window_ppm": (4.7, 5.3)}
    part = spectrum.window(4.7, 5.3)
    y, axis = spectrum.real[part], ppm[part]
    line = nmr.lines.shape_columns(spectrum, axis, np.array([5.0]), 4.0)
    design = np.column_stack([line, np.vander(np.linspace(-1, 1, y.size), 3)])
    rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    points = spectrum.independent_points(y.size)
    freedom = points - design.shape[1]
    now = np.mean(rest**2) * points / freedom / spectrum.noise_sd**2
    scale = np.sqrt((1 + times * np.sqrt(2 / freedom)) / now)
    plain = nmr.limit_at(spectrum, **of).area_error
    data = spectrum.values.copy()
    data[part] *= scale
    found = nmr.limit_at(replace(spectrum, values=data), **of).area_error
    assert (found > 1.05 * plain) is wider


def test_what_wings_may_take_goes_with_the_unit_of_the_spectrum():
    rng, size = np.random.default_rng(34), 4096
    white, ppm = np.zeros(size // 2, complex), np.linspace(0.0, 10.0, size)
    white[0] = 1.0
    y = 400.0 * np.exp(-(((ppm - 5) / 0.004) ** 2)) + 40.0 * np.exp(-np.abs(ppm - 5) / 0.1)
    y += rng.standard_normal(size)  # wings of more than the sharp top has
    made = [
        integrals.integrate(
            processing.Processed(ppm, unit * y + 0j, unit**2 * white, 400.0, 4000.0, 5.0),
            [(4.9, 5.1)], flank_ppm=0.0,
        ).regions[0]
        for unit in (1.0, 1e3, 1e-3)
    ]  # fmt: skip
    for other, unit in zip(made[1:], (1e3, 1e-3)):
        assert other.wing_error == pytest.approx(unit * made[0].wing_error)


def test_a_weak_complex_is_found_below_where_the_search_begins():
    ligand, metal = np.full(7, 0.5), 0.5 * np.array([0, 0.5, 1, 2, 4, 8, 16])
    shifts = 3.0 + 0.2 * titration.bound_fractions(ligand, metal, [10**0.3])[0]
    found = nmr.fit_binding(ligand, metal, shifts + 1e-4 * np.cos(np.arange(7)), 1e-4)
    assert found.log10_K[0] == pytest.approx(0.3, abs=0.02)


def test_noise_that_a_filter_shapes_is_taken_around_each_region():
    """Strong at the receiver's frequency, as after a digital filter: areas of nothing scatter as
    their errors say where they lie; by the quiet stretches they do not."""
    rng, size = np.random.default_rng(12), 4096
    ppm = np.linspace(0.0, 10.0, size)
    shape = 1 + 2 * np.exp(-(((ppm - 5) / 1.5) ** 2))
    white = np.zeros(size // 2, complex)
    white[0], pulls = 1.0, {True: [], False: []}
    for _ in range(40):
        noise = shape * rng.standard_normal(size) + 0j
        spectrum = processing.Processed(ppm, noise, white, 400.0, 4000.0, 5.0)
        for local, found in pulls.items():
            made = integrals.integrate(spectrum, [(4.7, 5.3), (0.7, 1.3)], local=local)
            found.append([r.area / r.noise_error for r in made.regions])
    assert np.std(pulls[True], axis=0) == pytest.approx(1, abs=0.3)
    middle, end = np.std(pulls[False], axis=0)
    assert middle > 2 and end == pytest.approx(1, abs=0.3)
