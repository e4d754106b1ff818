"""NMR of a folder of one's own: nothing from noise, no number that the data do not hold."""

from pathlib import Path

import numpy as np
import pytest

from hassan2021 import nmr as study
from hassan2021.desk import DOI
from hassan2021.simulate.writers import write_bruker
from hassan2021.verdicts import nmr as verdicts
from ledger import paper
from peled import nmr
from peled.formats.nmr import Fid
from peled.nmr import reading as nmr_reading
from peled.nmr.analyse import analyse, sniff
from peled.nmr.referencing import first_standard
from peled.samples import read_sheet

SHARED = Path(__file__).resolve().parents[2] / "shared" / "failing" / "nmr_structure"
MHZ = {"1H": 400.0, "13C": 100.6}


def decay(lines, rng, *, nucleus="1H", points=4096, width=4000.0, noise=0.3):
    """Sum of exponentials (shift in ppm, width in Hz, amplitude) in white noise."""
    t = np.arange(points) / width
    signal = sum(
        a * np.exp((2j * np.pi * d * MHZ[nucleus] - np.pi * w) * t) for d, w, a in lines
    ) + np.zeros(points, complex)
    return signal + noise * (rng.standard_normal(points) + 1j * rng.standard_normal(points))


def fid(lines, rng, *, nucleus="1H", width=4000.0, **options):
    data = decay(lines, rng, nucleus=nucleus, width=width, **options)[None]
    return Fid(Path("made"), data, width, MHZ[nucleus], MHZ[nucleus], nucleus)


def write(folder, data, *, nucleus="1H", width=4000.0, **options):
    mhz = MHZ[nucleus]
    options = {"base_MHz": mhz, "carrier_MHz": mhz, "reference_MHz": mhz} | options
    return write_bruker(folder, 1e4 * data, nucleus=nucleus, spectral_width_Hz=width, **options)


# ---- significance --------------------------------------------------------------------------------


def test_noise_makes_a_line_as_seldom_as_stated():
    """Phase sought in the noise, lines of any width sought anywhere: below the stated rate."""
    rng = np.random.default_rng(1)
    passed = 0
    for _ in range(120):
        p = nmr.process(
            fid([], rng, points=512), line_broadening_Hz=2.0, phase="auto", strict=False
        )
        passed += nmr.matched_filter(p, false_alarm=0.1).there
    assert passed <= 22  # 120 x 0.1, three standard errors above


#: Amplitude of the noise by frequency over the width, -1/2 to 1/2.
COLOURS = {
    "1/f": lambda f: (0.05 / f) ** 0.5,
    "1/f above a corner": lambda f: np.hypot(1, (0.01 / f) ** 0.5),
    "drift": lambda f: 0.05 / f,
    "blue": lambda f: f**0.5,
    "filtered": lambda f: 1 / np.hypot(1, f / 0.05),
    "picked up in a band": lambda f: np.hypot(1, 3 * np.exp(-(((f - 0.2) / 0.03) ** 2))),
}


@pytest.mark.parametrize("colour", COLOURS)
def test_noise_that_is_not_white_makes_no_lines(colour):
    """1e-3 asked for; with the level of the quiet stretches taken everywhere 0.3 to 1."""
    rng, found = np.random.default_rng(5), 0
    away = np.maximum(np.abs(np.fft.fftfreq(4096)), 1 / 4096)
    for _ in range(8):
        white = np.fft.fft(decay([], rng, nucleus="13C"))
        x = np.fft.ifft(COLOURS[colour](away) * white)[None]
        one = Fid(Path("made"), x, 1e4, 100.0, 100.0, "13C")
        p = nmr.process(one, line_broadening_Hz=1.0, phase="auto", strict=False)
        found += nmr.matched_filter(p).there
    assert found == 0


def test_the_mains_are_no_line(tmp_path):
    """50 Hz and its harmonics in both channels: said; a line of a sample that stands there by
    chance is one, as it decays."""
    t, rng = np.arange(8192) / 4000.0, np.random.default_rng(6)
    hum = sum(0.4 / k * np.exp(2j * np.pi * (50 * k * t + rng.random())) for k in (3, 5))
    noise = decay([], rng, points=8192)
    write(tmp_path / "hum", noise + hum)
    line = 3 * np.exp((2j * np.pi * 900 - np.pi * 2) * t)
    write(tmp_path / "both", noise + hum + line)
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    assert sum("mains" in p.reason for p in report.problems) >= 2
    shifts = [q for q in report.quantities if q.name.startswith("shift")]
    assert [round(q.value * MHZ["1H"]) for q in shifts if q.value is not None] == [900]


@pytest.mark.parametrize("turn, upright", [(0.0, True), (2.0, True), (60.0, False), (180.0, False)])
def test_a_spectrum_that_nobody_phased_has_no_integrals(tmp_path, turn, upright):
    """As it came from a program: real values alone, whose phase cannot be set anew."""
    lines = [(1.0, 2.0, 30.0), (2.5, 2.0, 90.0), (-3.0, 2.0, 60.0)]
    p = nmr.process(fid(lines, np.random.default_rng(9)), line_broadening_Hz=0.5)
    y = (p.values * np.exp(1j * np.radians(turn))).real
    x, y = p.ppm[::-1] * MHZ["1H"], np.round(y[::-1] * 1e6).astype(int)
    head = {
        "TITLE": "a", "JCAMP-DX": "5.00", "DATA TYPE": "NMR SPECTRUM", "XUNITS": "HZ",
        "YUNITS": "ARBITRARY UNITS", ".OBSERVE FREQUENCY": MHZ["1H"], ".OBSERVE NUCLEUS": "^1H",
        "FIRSTX": x[0], "LASTX": x[-1], "XFACTOR": 1, "YFACTOR": 1, "NPOINTS": len(x),
        "XYDATA": "(X++(Y..Y))",
    }  # fmt: skip
    rows = [*(f"##{k}={v}" for k, v in head.items()), *(f"{a} {b}" for a, b in zip(x, y)), "##END="]
    (tmp_path / "a.jdx").write_text("\n".join(rows))
    (tmp_path / "samples.csv").write_text("sample,measurement,file\na,1h,a.jdx\n")
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    ratios = [q for q in report.quantities if q.name.startswith("integral")]
    shifts = [q for q in report.quantities if q.name.startswith("shift") and q.value is not None]
    said = [sum("below the baseline" in q.reasons for q in of) for of in (ratios, shifts)]
    if upright:
        assert len(shifts) == 3 and said == [0, 0]
        assert sum(q.value is not None for q in ratios) == 2
    else:
        assert all(q.value is None for q in ratios) and said == [len(ratios), len(shifts)]


@pytest.mark.parametrize("width", [1.0, 10.0, 60.0])
def test_a_line_is_found_where_it_is_at_any_width(width):
    rng = np.random.default_rng(2)
    size = 12 * 0.3 * np.sqrt(2 * np.pi * width / 4000.0)
    found = [
        nmr.matched_filter(nmr.process(fid([(1.5, width, size)], rng), line_broadening_Hz=1.0))
        for _ in range(20)
    ]
    assert np.mean([m.there for m in found]) >= 0.9
    places = np.array([m.ppm[m.best] for m in found])
    assert np.median(np.abs(places - 1.5)) * MHZ["1H"] < width


class Room:
    """Keeps what is judged."""

    def __init__(self):
        self.kept = {}

    def check(self, claim_id, *_, **__):
        self.kept[claim_id] = "checked"

    def not_testable(self, claim_id, why):
        self.kept[claim_id] = "not testable"

    def missing_claims(self):
        return [c for c in paper.claims() if c not in self.kept]


def test_verdicts_on_noise_are_not_testable(tmp_path):
    """Every claim that rests on a line, where the sheet names the paper and all files are noise."""
    rng = np.random.default_rng(3)
    for name in ("neat", "GL", "EDTA", "E+G"):
        width = 4000.0 if name == "EDTA" else 40000.0  # one that does not reach its lines
        noise = decay([], rng, nucleus="13C")
        write(tmp_path / f"s_{name}", noise, nucleus="13C", width=width)
        for step in ("0", "0.5", "1", "2"):
            write(tmp_path / f"t_{name}_{step}", decay([], rng, points=2048))
    (tmp_path / "samples.csv").write_text(
        f"sample,measurement,file,solvent,host_mM,equivalents,doi\n,,,,,,{DOI}\n"
        "{sample},13c_cpmas,s_{sample},,,,\n{sample},1h,t_{sample}_{equivalents},DMSO-d6,10,,\n"
    )
    sheet = read_sheet(tmp_path, "nmr", sniff=sniff)
    bundled = Path(__file__).resolve().parents[1] / "data" / "nmr"
    evidence = study.Evidence(
        sheet, analyse(sheet), tmp_path, lambda name: bundled / name, 8000.0, 2e-3
    )
    room = Room()
    verdicts.judge_all(room, evidence)
    printed = {"C193", "C276", "C224"}  # arithmetic on what is printed needs no file
    assert {c for c, said in room.kept.items() if said == "checked"} <= printed
    assert {
        f"C{n}" for n in ("068", "069", "071", "072", "073", "197", "198", "199", "200")
    } <= set(room.kept)


def test_a_folder_of_noise_gives_reasons_only(tmp_path):
    rng = np.random.default_rng(4)
    for k in range(3):
        write(tmp_path / f"GL_{k}", decay([], rng), solvent="DMSO")
    write(tmp_path / "c", decay([], rng, nucleus="13C"), nucleus="13C", pulse_program="cp")
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    assert not report.quantities
    assert sum("noise alone passes" in p.reason for p in report.problems) == 4


@pytest.mark.skipif(not SHARED.exists(), reason="no folder of inputs that failed")
def test_the_noise_that_once_agreed():
    report = analyse(read_sheet(SHARED / "noise_only_13c", "nmr", sniff=sniff))
    assert not report.quantities
    assert sum("noise alone passes" in p.reason for p in report.problems) == 2


# ---- one's own samples ---------------------------------------------------------------------------


def test_five_spectra_of_a_sample_that_no_table_knows(tmp_path):
    rng = np.random.default_rng(5)
    for k in range(5):
        lines = [(2.53, 1.0, 20.0), (2.91 + 0.02 * k, 1.5, 10.0), (3.33, 3.0, 30.0)]
        write(
            tmp_path / f"cysteamine_{k}", decay(lines, rng), solvent="d6-DMSO", title="cysteamine"
        )
    sheet = "sample,measurement,file,equivalents\ncysteamine,1h,cysteamine_{equivalents},\n"
    (tmp_path / "samples.csv").write_text(sheet)
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    assert len(report.found["cysteamine"].spectra) == 5
    shifts = [q for q in report.quantities if q.name.startswith("shift")]
    assert len(shifts) == 15 and all(q.value is not None and q.standard_error > 0 for q in shifts)
    # The solvent line stood 0.03 ppm off; all others come back with it.
    for k in range(5):
        mine = sorted(q.value for q in shifts if q.state == f"{k} equivalents")
        np.testing.assert_allclose(mine, [2.50, 2.88 + 0.02 * k, 3.30], atol=0.003)
    assert len(report.panels()) == 5


def test_shifts_cover_where_the_phase_was_found_without_hand(tmp_path):
    """A small error of the phase moves lines by more than their noise; it is in their error."""
    rng = np.random.default_rng(13)
    places = np.array([-1.5, 0.2, 1.0, 2.2])
    for k in range(24):
        lines = [(d, 1.0 + 0.5 * i, 60.0) for i, d in enumerate(places)]
        write(tmp_path / f"s_{k}", decay(lines, rng) * np.exp(2j * np.pi * rng.random()))
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    shifts = [q for q in report.quantities if q.name.startswith("shift") and q.value is not None]
    assert len(shifts) >= 90
    # The scale is the receiver's here and exact; its error, of a range, is left out.
    errors = [np.sqrt(sum(e**2 for c, e in q.budget.items() if c != "scale")) for q in shifts]
    off = [np.abs(q.value - places).min() for q in shifts]
    inside = np.array(off) < 1.96 * np.array(errors)
    assert 0.88 <= np.mean(inside) <= 1.0


def test_a_solvent_that_is_unknown_is_said(tmp_path):
    write(tmp_path / "a", decay([(1.0, 1.0, 20.0)], np.random.default_rng(6)), solvent="brine")
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    shift = next(q for q in report.quantities if q.name.startswith("shift"))
    assert shift.status == "doubtful" and any("brine" in f.evidence for f in shift.findings)


@pytest.mark.parametrize("sheet", ["a,1h,1\na,13c,2\n", "a,1h,1\nb,13c,2\n"])
def test_carbon_in_water_stands_by_the_protons_of_its_tube(tmp_path, sheet):
    """D2O has no carbon: the zero is Ξ times that of 1H; without protons its column is asked for.

    The frequency at 0 ppm of both nuclei in one field, by definition of Ξ (DSS in D2O).
    """
    rng, field_ppm = np.random.default_rng(18), 0.125
    zero = 400.0 * (1 + 1e-6 * field_ppm) * 0.25144953
    mhz = {"base_MHz": 100.58, "carrier_MHz": 100.58, "reference_MHz": 100.58}
    t = np.arange(16384) / 24000.0
    off = 1e6 * (zero / 100.58 - 1)
    carbon = sum(20 * np.exp((2j * np.pi * (d + off) * 100.58 - 6) * t) for d in (55.0, 30.0))
    carbon = carbon + 0.3 * (rng.standard_normal(len(t)) + 1j * rng.standard_normal(len(t)))
    protons = decay([(4.79 + field_ppm, 2.0, 30.0), (3.0 + field_ppm, 1.0, 20.0)], rng)
    write(tmp_path / "1", protons, solvent="D2O")
    write(tmp_path / "2", carbon, nucleus="13C", width=24000.0, solvent="D2O", **mhz)
    (tmp_path / "samples.csv").write_text("sample,measurement,file\n" + sheet)
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    shifts = [q for q in report.quantities if q.name.startswith("shift, 13C")]
    if "b" in sheet:
        assert all("1H spectrum of the same sample" in q.reasons for q in shifts)
    else:
        for q, true in zip(shifts, (30.0, 55.0), strict=True):
            # of the protons' standard (HDO, 0.02 ppm) and of field and lock
            assert q.standard_error == pytest.approx(np.hypot(0.02, 0.02), rel=0.1)
            assert q.status == "reported"
            assert abs(q.value - true) < 2.5 * q.standard_error


def test_a_decay_at_its_ceiling_gives_no_integral(tmp_path):
    """Cut at 0.7 of its height; the top of a slow line in its noise is no ceiling."""
    rng = np.random.default_rng(19)
    y = decay([(1.0, 2.0, 20.0), (3.0, 2.0, 30.0)], rng, points=1024)
    top = 0.7 * np.abs(y.real).max()
    cut = np.clip(y.real, -top, top) + 1j * np.clip(y.imag, -top, top)
    write(tmp_path / "1", cut, solvent="DMSO")
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    ratios = [q for q in report.quantities if q.name.startswith("integral")]
    assert ratios and all(q.value is None and "ceiling" in q.reasons for q in ratios)
    assert any(q.status == "doubtful" for q in report.quantities if q.name.startswith("shift"))
    slow = np.round(1e4 * decay([(0.0, 0.02, 1.0)], rng, noise=1e-4))
    assert nmr_reading.clipped(slow) == 0 and nmr_reading.clipped(np.round(1e4 * y)) == 0


@pytest.mark.parametrize(("top", "lost"), [(3.6e6, 2), (2.4e6, 0)])
def test_two_of_three_points_at_the_top_fall_onto_one_step_by_chance(top, lost):
    """Once in a third of the steps in 0.2 %: 2,400 and 1,600; 2,000 make it one in 2,000 of two."""
    part = np.concatenate([[top, -top, 0.9985 * top], np.arange(400.0) * (-1) ** np.arange(400)])
    assert nmr_reading.clipped(part + 1j * np.arange(403.0)) == lost
    assert nmr_reading.clipped([part + 1j * np.arange(403.0), 1j * np.arange(403.0)]) == 0


@pytest.mark.parametrize(
    ("said", "is_"),
    [
        ("dmso-d6", "DMSO-d6"),
        ("DMSO_d6", "DMSO-d6"),
        ("(CD3)2SO", "DMSO-d6"),
        ("d6-DMSO", "DMSO-d6"),
        ("(CD₃)₂SO", "DMSO-d6"),
        ("Acetone", "acetone-d6"),
        ("MeOD", "CD3OD"),
        ("CDCl3", "CDCl3"),
        ("D2O", "D2O"),
        ("DMSO-d6 + D2O", "DMSO-d6"),
        ("C7D8", "toluene-d8"),
        ("d-toluene", "toluene-d8"),
        ("", ""),
        ("motor oil", ""),
    ],
)
def test_solvents_by_their_usual_names(said, is_):
    assert nmr.read_solvents().find(said) == is_


def test_a_user_extends_the_tables(tmp_path):
    (tmp_path / "solvents.csv").write_text(
        "solvent,aliases,nucleus,standards,source\nDMF-d7,d7-DMF;DMF,1H,DMF-d6,own\n"
    )
    (tmp_path / "standards.csv").write_text(
        "name,nucleus,shift_ppm,error_ppm,partners,coupling_Hz,source\n"
        "DMF-d6,1H,8.03,0.01,0,0,own\n"
    )
    solvents, standards = nmr.read_solvents(tmp_path), nmr.read_standards(tmp_path)
    assert [s.shift_ppm for s in solvents.standards("DMF", "1H", standards)] == [8.03]
    assert solvents.find("MeOD") == "CD3OD"  # the shipped rows stay
    (tmp_path / "solvents.csv").write_text("solvent\nx\n")
    with pytest.raises(ValueError, match=r"solvents.csv.*line 1"):
        nmr.read_solvents(tmp_path)


def test_the_carbon_line_of_the_solvent_moves_the_scale():
    """A CD3 septet (1:3:6:7:6:3:1) 1.3 ppm off: every line moves back by that."""
    rng = np.random.default_rng(7)
    j = 21.0 / MHZ["13C"]
    septet = [
        (39.52 + 1.3 + k * j, 1.5, 3 * a) for k, a in zip(range(-3, 4), (1, 3, 6, 7, 6, 3, 1))
    ]
    made = fid([*septet, (60.0 + 1.3, 2.0, 20.0)], rng, nucleus="13C", width=20000.0, points=16384)
    p = nmr.process(made, line_broadening_Hz=1.0)
    known = nmr.read_solvents().standards("(CD3)2SO", "13C", nmr.read_standards())
    moved, error, trouble = first_standard(p, known)
    assert trouble == "" and error > 0
    m = nmr.matched_filter(moved, (55.0, 65.0))
    assert m.ppm[m.best] == pytest.approx(60.0, abs=0.02)


# ---- courses against a time ----------------------------------------------------------------------

TIMES = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 2.5, 4, 6, 8, 10, 12]) * 1e-3


def build_up(t_is, t1rho, size, seed=0):
    y = nmr.build_up(TIMES, size, t_is, t1rho)
    noise = 0.05 * np.random.default_rng(seed).standard_normal(len(TIMES))
    return nmr.fit_build_up(TIMES, y + noise, np.full(len(TIMES), 0.05))


def test_contact_times_that_are_not_determined_are_no_numbers():
    fast = build_up(1e-6, 8e-3, 10.0)  # built up before the first point
    assert fast.time("T_IS").value is None
    assert fast.time("T1rho").value == pytest.approx(8.0, rel=0.05)
    short = build_up(0.02e-3, 8e-3, 10.0).time("T_IS")
    assert abs(short.value - 0.02) < 4 * short.standard_error and short.standard_error > 1e-4
    for size in (0.0, -10.0):
        course = build_up(0.3e-3, 8e-3, size)
        assert course.time("T_IS").value is None and course.time("T1rho").value is None
        assert course.efficiency(2e-3).value is None


@pytest.mark.parametrize(
    ("name", "level", "amplitude", "scatter"),
    [("T1", 5.0, -9.6, 0.0), ("T1", 5.0, -5.0, 0.0), ("T2", 0.0, 5.0, 0.0),
     ("T1", 5.0, -9.6, 0.02), ("T2", 0.0, 5.0, 0.04)],
)  # fmt: skip
def test_relaxation_times_cover(name, level, amplitude, scatter):
    """Inversion recovery with an imperfect pulse, saturation recovery, a decay of echoes; also
    where traces scatter with their signal, by two and four times their noise: reported, not in
    doubt where that is by a few per cent."""
    rng = np.random.default_rng(8)
    t = np.geomspace(0.01, 3.0, 10)
    inside, count = 0, 50
    for _ in range(count):
        y = level + amplitude * np.exp(-t / 0.301)
        y = y * (1 + scatter * rng.standard_normal(t.size)) + 0.05 * rng.standard_normal(t.size)
        q = nmr.fit_relaxation(t, y, np.full(t.size, 0.05)).time(name, "s")
        low, high = q.bounds
        assert scatter > 0.02 or q.status == "reported"
        inside += low <= 0.301 <= high
    assert inside >= 43


def test_times_that_do_not_vary_are_no_course():
    with pytest.raises(ValueError, match="at least four, found 1"):
        nmr.fit_relaxation(np.full(24, 12.0), np.ones(24), np.full(24, 0.1))


def test_relaxation_of_nothing_is_no_number():
    t = np.geomspace(0.01, 3.0, 10)
    rng = np.random.default_rng(9)
    for y in (np.zeros(10), np.full(10, 5.0)):
        course = nmr.fit_relaxation(t, y + 0.05 * rng.standard_normal(10), np.full(10, 0.05))
        name = next(n[3:] for n in course.estimates.names if n.startswith("ln "))
        assert course.time(name, "s").value is None


@pytest.mark.parametrize("programme", ["t1ir", "cp3lev_satrec"])
def test_a_relaxation_series_from_its_folder(tmp_path, programme):
    """Also where it is seen by cross polarisation: seconds are no contact."""
    rng = np.random.default_rng(10)
    t = np.geomspace(0.01, 3.0, 10)
    size = 40 * (1 - 1.9 * np.exp(-t / 0.45))
    data = np.array([decay([(1.0, 2.0, a)], rng) for a in size])
    write(tmp_path / "film", data, pulse_program=programme, contact_times_s=t)
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    (q,) = [q for q in report.quantities if q.name.startswith("T1")]
    assert abs(q.value - 450) < 4 * q.standard_error < 100


def test_a_shift_of_thousands_of_ppm_is_no_number(tmp_path):
    """The carrier of the file is 0.4 MHz off: of a scale it says nothing. A hydride's is one."""
    rng, shifts = np.random.default_rng(12), {}
    for name, off in (("off", 0.4), ("hydride", 0.02)):
        write(tmp_path / name, decay([(1.0, 2.0, 40.0)], rng)[None], reference_MHz=400.0 + off)
    for q in analyse(read_sheet(tmp_path, "nmr", sniff=sniff)).quantities:
        shifts[q.sample] = q.value
    assert shifts["off"] is None and shifts["hydride"] == pytest.approx(1 - 0.02 / 4e-4, abs=0.1)


def test_contact_times_of_one_file_each_are_a_series(tmp_path):
    """The same times as from one experiment with a list of them; without times they are asked
    for."""
    rng = np.random.default_rng(12)
    size = nmr.build_up(TIMES, 90.0, 0.6e-3, 9e-3)
    data = np.array([decay([(1.0, 2.0, a)], rng) for a in size])
    found = []
    for kind, column in (("list", ""), ("files", "contact_ms"), ("none", "x_contact")):
        folder = tmp_path / kind
        pairs = zip(TIMES, data, strict=True)
        for time, one in [(None, data)] if kind == "list" else pairs:
            name = "film" if time is None else f"film_{1e3 * time:g}"
            listed = {"contact_times_s": TIMES} if time is None else {}
            write(folder / name, np.atleast_2d(one), pulse_program="cp", **listed)
        line = f"film,contact,film_{{{column}}}" if column else "film,contact,film"
        (folder / "samples.csv").write_text(f"sample,measurement,file\n{line}\n")
        report = analyse(read_sheet(folder, "nmr", sniff=sniff))
        found.append({q.name: q for q in report.quantities})
        assert ("contact_ms of the sample sheet" in str(report.problems)) == (kind == "none")
    first, second, nothing = found
    assert set(first) == set(second) and len(first) > 1 and not nothing
    for name, q in first.items():
        assert second[name].value == pytest.approx(q.value, rel=1e-6), name


# ---- integrals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flank", "wings", "widths"),
    [(None, False, (2.0, 2.0)), (0, False, (1.5, 4.0)), (0.05, False, (2.0, 2.0)),
     (0.2, True, (1.5, 4.0)), (0.02, True, (2.0, 2.0))],
)  # fmt: skip
def test_ratios_of_integrals_cover_for_any_flank(flank, wings, widths):
    rng = np.random.default_rng(11)
    off = []
    wide, narrow = widths
    for _ in range(60):
        lines = [(1.0, wide, 60.0), (3.0, 2.0, 90.0)]
        for turn, share in ((-1, 0.25), (0, 0.5), (1, 0.25)):  # no wider than its lines
            lines.append((-1.0 + turn * 7.0 / MHZ["1H"], narrow, 60 * 0.2316 * share))
        made = fid(lines, rng, points=8192)
        p = nmr.process(made, line_broadening_Hz=0.3)
        got = nmr.integrate(p, [(-1.15, -0.85), (0.85, 1.15)], flank_ppm=flank, wings=wings)
        value, error = got.ratio(0, 1)
        off.append((value - 0.2316) / error)
    # Without wings the error holds what they would change, which a ratio of lines of one width does
    # not feel: 93 to 97 % of 150 draws, 98 to 99 % for unequal widths.
    assert np.mean(np.abs(off) < 1.96) >= 0.9
    assert wide != narrow or np.std(off) > 0.65


def test_wings_outside_the_region_are_added():
    """A Lorentzian holds 1 - (2/π) atan(2 d/Γ) of its area beyond ± d."""
    p = nmr.process(fid([(1.0, 4.0, 100.0)], np.random.default_rng(12), noise=0.01, points=16384))
    region = [(0.9, 1.1)]
    lost = 1 - 2 / np.pi * np.arctan(2 * 0.1 * MHZ["1H"] / 4.0)
    plain = nmr.integrate(p, region, flank_ppm=0).regions[0]
    whole = nmr.integrate(p, region, wings=True).regions[0]
    assert plain.area == pytest.approx(100 * (1 - lost), rel=0.004)
    assert whole.area == pytest.approx(100, rel=0.004)
    assert abs(plain.area - 100) < 3 * plain.error


def test_integrals_of_a_folder_cover_for_lines_of_any_width(tmp_path):
    """Wide and narrow lines in one spectrum: wings lie far outside a window of the wide one."""
    rng = np.random.default_rng(14)
    truth = {-1.5: (3.0, 0.4), 2.0: (16.0, 5.0)}  # ppm: width in Hz, over the line at 0.3 ppm
    for k in range(16):
        lines = [(0.3, 2.0, 60.0), *((d, w, 60.0 * r) for d, (w, r) in truth.items())]
        turned = decay(lines, rng, points=8192) * np.exp(2j * np.pi * rng.random())
        write(tmp_path / f"s_{k}", turned)
    table = "ligand,name,shift_ppm,couplings_Hz,partners,width_Hz,reach_ppm\n,first,0.3,,,2,0.1\n"
    table += "".join(f",at {d},{d},,,{w},0.1\n" for d, (w, _) in truth.items())
    (tmp_path / "lines.csv").write_text(table)
    sheet = "sample,measurement,file\n{sample},1h,s_{sample}\n,line_table,lines.csv\n"
    (tmp_path / "samples.csv").write_text(sheet)
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    pulls = [
        (q.value - ratio) / q.standard_error
        for d, (_, ratio) in truth.items()
        for q in report.select(name=f"integral, 1H at {d} over first")
        if q.value is not None
    ]
    assert len(pulls) >= 28
    assert np.mean(np.abs(pulls) < 1.96) >= 0.87 and np.std(pulls) < 1.4


def test_a_faint_line_near_zero_is_no_standard(tmp_path):
    rng = np.random.default_rng(15)
    lines = [(0.12, 1.0, 0.6), (7.26 - 5, 1.5, 100.0), (2.0, 2.0, 4000.0)]  # the second at 2.26
    write(tmp_path / "a", decay(lines, rng, noise=0.02), solvent="CDCl3")
    report = analyse(read_sheet(tmp_path, "nmr", sniff=sniff))
    (found,) = [q for q in report.select(sample="a") if q.name.endswith("near 2.00 ppm")]
    assert found.status == "doubtful" and "not referenced" in found.reasons


def test_a_recovery_from_saturation_is_no_decay():
    """Most delays before the plateau, all signals positive: the later half still lies higher."""
    t = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0])
    course = nmr.fit_relaxation(t, 5 * (1 - np.exp(-t / 0.9)), np.full(t.size, 0.02))
    assert course.time("T1", "s").value == pytest.approx(0.9, rel=1e-3)
