"""Single methods of NMR against peers and closed forms: diffusion, NMRPipe, scales, phases."""

from pathlib import Path

import numpy as np
import pytest

from hassan2021.simulate.writers import write_bruker
from peled import nmr
from peled.formats.nmr import Fid, read, read_gradients
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
