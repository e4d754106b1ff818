"""Micrographs, photoelectrons, tails, bands, lead contents: limits, recovery with coverage,
refusals, and the notebook's own loading path."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hassan2021 import structure as paper
from hassan2021.simulate.structure import files as simulated_files
from hassan2021.simulate.structure import microscopy as render
from hassan2021.simulate.structure import spectra
from hassan2021.structure import MATERIAL
from ledger import files
from peled.formats import FormatError
from peled.formats.delimited import read_table
from peled.formats.diffraction import read_pattern
from peled.formats.images import read_image
from peled.formats.vamas import read_vamas
from peled.samples import read_sheet
from peled.structure import ftir, icpms, microscopy, reading, ups, urbach, xps
from peled.structure.analyse import analyse, sniff
from writers import write_xy

DATA = files.ROOT / "data" / "structure"


# ---- micrographs ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outlined():
    """Twelve micrographs of 12 nm cubes with what was put in."""
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n, pixel = 512, 0.3
        cubes = render.place_cubes(rng, (n * pixel, n * pixel), 12.0, 1.7, touching=0.1)
        image = render.to_8bit(render.micrograph(rng, (n, n), pixel, cubes, dose_per_nm2=500))
        found.append((cubes, microscopy.segment(image, pixel)))
    return found


def test_edges_of_single_cubes(outlined):
    """Every outline against the cube it belongs to: no bias beyond 0.06 nm (a fifth of a pixel),
    scatter below 0.2 nm."""
    differences = []
    for cubes, segmentation in outlined:
        for p in segmentation.particles:
            i = np.argmin(np.hypot(cubes[:, 0] - p.column * 0.3, cubes[:, 1] - p.row * 0.3))
            differences.append(p.edge_nm - cubes[i, 2])
    differences = np.array(differences)
    assert len(differences) > 300
    assert abs(np.median(differences)) < 0.06
    assert np.subtract(*np.percentile(differences, [84, 16])) / 2 < 0.2
    assert np.mean(np.abs(differences) > 1) < 0.02  # cubes wrongly joined or parted


def test_mean_edge_covers_the_truth(outlined):
    """24 independent image halves would be too few for a percentage: the pulls must be of unit
    size, and no more than one beyond two."""
    pulls = []
    for _, segmentation in outlined:
        d = microscopy.size_distribution(
            [p.edge_nm for p in segmentation.particles], pixel_relative_error=0.0
        )
        pulls.append((d.mean_nm - 12.0) / d.mean_error_nm)
    assert np.sum(np.abs(pulls) > 1.96) <= 2
    assert 0.5 < np.std(pulls) < 1.6


def test_mean_edge_coverage_of_populations():
    rng = np.random.default_rng(4)
    inside = [
        abs(
            (
                d := microscopy.size_distribution(rng.normal(16.3, 2, 40), pixel_relative_error=0.0)
            ).mean_nm
            - 16.3
        )
        < 1.96 * d.mean_error_nm
        for _ in range(2000)
    ]
    assert 0.93 <= np.mean(inside) <= 0.97


def test_magnification_error_does_not_average_out():
    edges = np.random.default_rng(0).normal(12, 1.7, 10000)
    assert microscopy.size_distribution(edges).mean_error_nm == pytest.approx(0.12, abs=0.005)


@settings(max_examples=8, deadline=None)
@given(angle=st.floats(2, 88), a=st.floats(0.57, 0.64))
def test_lattice_of_a_rotated_cube(angle, a):
    rng = np.random.default_rng(int(angle * 1000))
    cubes = np.array([[11.0, 11.0, 15.0, np.radians(angle)]])
    image = render.micrograph(
        rng, (440, 440), 0.05, cubes, a_nm=a, dose_per_nm2=16000, lattice_contrast=1.0
    )
    fit = microscopy.fit_square_lattice(image, 0.05, d100_nm=0.605, pixel_relative_error=0.0)
    assert fit.d100_nm == pytest.approx(a, rel=0.01)
    assert fit.d110_nm == pytest.approx(a / np.sqrt(2), rel=0.01)
    assert fit.angle_deg == pytest.approx(90, abs=0.7)
    assert abs((fit.rotation_deg - angle + 45) % 90 - 45) < 1.0


def test_elliptical_image_is_reported():
    """A scan that is stretched by 3 % along one axis shows in the axes' ratio."""
    y, x = np.mgrid[0:400, 0:400] * 0.05
    image = (
        np.cos(2 * np.pi * x / 0.605)
        + np.cos(2 * np.pi * y / (0.605 * 1.03))
        + np.random.default_rng(0).normal(0, 1, (400, 400))
    )
    fit = microscopy.fit_square_lattice(image, 0.05, d100_nm=0.605)
    assert max(fit.ellipticity, 1 / fit.ellipticity) == pytest.approx(1.03, abs=0.004)


def test_micrographs_without_cubes_are_refused():
    noise = np.random.default_rng(0).normal(100, 10, (256, 256))
    with pytest.raises(ValueError, match=r"two grey levels|stand out"):
        microscopy.segment(noise, 0.3)
    with pytest.raises(ValueError, match="expected two spots"):
        microscopy.fit_square_lattice(noise, 0.05, d100_nm=0.605)
    with pytest.raises(ValueError, match="at least three"):
        microscopy.size_distribution([12.0, 13.0])


def test_size_change_arithmetic():
    step = microscopy.size_change((16.3, 2.0), (12.0, 1.7), 6.05)
    assert step.ratio == pytest.approx(0.736, abs=5e-4)
    assert step.volume_lost == pytest.approx(0.60, abs=0.002)
    assert step.cells == pytest.approx((26.94, 19.83), abs=0.01)
    assert step.lead_atoms == pytest.approx((19557, 7803), rel=1e-3)
    assert step.population_separation == pytest.approx(1.64, abs=0.01)


# ---- photoelectrons ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("element", "level", "scofield"),
    [("I", "3d5/2", 19.87), ("Br", "3d", 2.84), ("Pb", "4f7/2", 12.74), ("C", "1s", 1.0)],
)
def test_cross_sections_are_scofields(element, level, scofield):
    assert xps.sensitivity(element, level, 1486.6) == pytest.approx(scofield, abs=0.006)


def test_mean_free_path_bias_of_iodine_3d():
    fast, slow = (xps.mean_free_path_nm(1486.7 - at, **MATERIAL) for at in (68.4, 619))
    assert fast / slow == pytest.approx(1.46, abs=0.01)


def test_coverage_of_the_halide_ratio():
    """I 4d : Br 3d under Tougaard losses, fitted with Shirley's step; 300 sets."""
    rng = np.random.default_rng(9)
    x = np.arange(42, 78, 0.15)
    mu = spectra.core_levels(x, {"I": 1.2, "Br": 1.8, "Pb": 1.0}, counts_per_unit=25, shell_nm=0.6)
    doublets = (xps.Doublet("I 4d", 49.4, 1.7, 0.69), xps.Doublet("Br 3d", 68.4, 1.05, 0.69))
    transmission = tuple(spectra.transmission(1486.7 - e) for e in (49.4, 68.4))
    counts = [
        xps.sensitivity(element, level) * t * xps.mean_free_path_nm(xps.AL_EV - at, **MATERIAL)
        for (element, level, at), t in zip((("I", "4d", 49.4), ("Br", "3d", 68.4)), transmission)
    ]
    atoms, inside = counts[0] / counts[1], []
    for _ in range(300):
        fit = xps.fit_levels(x, rng.poisson(mu), doublets)
        covariance = float(fit.area_covariance[0, 1])
        q, error = xps.ratio(fit.area("I 4d"), fit.area("Br 3d"), covariance)
        inside.append(abs(q / atoms - 2 / 3) < 1.96 * error / atoms)
    assert 0.92 <= np.mean(inside) <= 0.98, np.mean(inside)


def test_ups_levels_of_simulated_samples():
    for s in read_vamas(DATA / "ups.vms"):
        truth = simulated_files.TRUTH["neat" if s.sample == "neat" else "EG"]
        bias = s.target_bias_V or 0.0
        if "cut" in s.name.lower():
            cutoff = ups.secondary_cutoff(s.binding_energy_eV, s.counts, bias_V=bias)
            work = s.photon_energy_eV - cutoff.energy_eV
            assert work == pytest.approx(truth["work_function_eV"], abs=0.03)
            assert cutoff.width_eV == pytest.approx(0.12, abs=0.01)
        else:
            onset = ups.valence_onset(s.binding_energy_eV - bias, s.counts)
            assert onset.energy_eV == pytest.approx(truth["onset_eV"], abs=3 * onset.error_eV)
            assert onset.log_energy_eV < onset.energy_eV  # the foot of weak states
    with pytest.raises(ValueError, match="cut-off"):
        ups.secondary_cutoff(np.linspace(15, 18, 60), np.full(60, 5.0))
    with pytest.raises(ValueError, match="rising edge"):
        ups.valence_onset(np.linspace(-1, 5, 100), np.random.default_rng(0).poisson(100, 100))


# ---- tails, bands, lead --------------------------------------------------------------------------


def test_coverage_of_the_urbach_energy():
    """120 spectra with exciton, saturation and floor, of four tails."""
    rng = np.random.default_rng(7)
    e = np.arange(1.4, 2.6, 0.005)
    inside = []
    for tail in (15, 18, 22, 30):
        mu = spectra.photothermal(e, gap_eV=1.96, urbach_meV=tail)
        for _ in range(30):
            f = urbach.urbach_energy(
                e, mu * (1 + 0.02 * rng.normal(size=len(e))) + 2e-5 * rng.normal(size=len(e))
            )
            inside.append(abs(f.energy_meV - tail) < 1.96 * f.error_meV)
    assert 0.90 <= np.mean(inside) <= 0.99, np.mean(inside)


def test_pure_tail_is_exact():
    e = np.linspace(1.4, 1.9, 101)
    f = urbach.urbach_energy(
        e,
        1e-4 + np.exp((e - 1.9) / 0.02) * (1 + 1e-3 * np.sin(40 * np.arange(101))),
    )
    assert f.energy_meV == pytest.approx(20, rel=2e-3)
    assert np.isnan(f.saturation_eV)
    with pytest.raises(ValueError, match="exponential tail"):
        urbach.urbach_energy(e, 1e-4 * (1 + 0.01 * np.random.default_rng(0).normal(size=101)))
    with pytest.raises(ValueError, match="increasing"):
        urbach.urbach_energy(e[::-1], np.exp(e))


def test_bands_are_found_where_they_are():
    x = np.arange(600.0, 4000, 2)
    rng = np.random.default_rng(3)
    truth = ((2924, 26, 0.2), (2853, 20, 0.15), (1640, 40, 0.1), (1545, 44, 0.12), (911, 22, 0.08))
    y = (
        sum(h / (1 + 4 * ((x - c) / w) ** 2) for c, w, h in truth)
        + 0.02
        + 2e-9 * (4000 - x) ** 2
        + rng.normal(0, 3e-4, len(x))
    )
    found = ftir.fit_bands(x, y)
    # An assignment reaches two errors of a place beyond its ends.
    one = min(found.bands, key=lambda b: abs(b.position_cm1 - 911))
    at, error = one.position_cm1, one.position_error_cm1
    named = [
        ftir.Assignment(at + 1.5 * error, 960.0, "near above", "", ""),
        ftir.Assignment(at + 2.5 * error, 960.0, "far above", "", ""),
        ftir.Assignment(860.0, at - 1.5 * error, "near below", "", ""),
        ftir.Assignment(860.0, at - 2.5 * error, "far below", "", ""),
    ]
    again = ftir.fit_bands(x, y, assignments=named)
    one = min(again.bands, key=lambda b: abs(b.position_cm1 - 911))
    assert [a.vibration for a in one.assignments] == ["near above", "near below"]
    for centre, width, height in truth:
        band = min(found.bands, key=lambda b: abs(b.position_cm1 - centre))
        assert band.position_cm1 == pytest.approx(centre, abs=max(4 * band.position_error_cm1, 0.5))
        assert band.fwhm_cm1 == pytest.approx(width, rel=0.2)
        assert band.height == pytest.approx(height, rel=0.15)
    with pytest.raises(ValueError, match="increasing"):
        ftir.fit_bands(x[::-1], y)


def test_stoichiometric_ceilings_and_mass_balance():
    c = paper.stoichiometric_ceilings()
    assert [c["Pb-GL 1:1"], c["Pb-EDTA 1:1"], c["Pb-E+G 1:1"], c["PbI2"]] == pytest.approx(
        [404, 417, 410, 449], abs=0.6
    )
    assert paper.balance()["GL"] == pytest.approx(66, abs=0.5)
    for mass in (150.0, 300.0):
        assert icpms.lead_per_ligand(icpms.ceiling(mass), mass) == pytest.approx(1.0, abs=1e-12)


def test_coverage_of_lead_contents():
    rng = np.random.default_rng(8)
    c = np.array([0, 1, 5, 10, 25, 50, 100.0])
    inside = []
    for _ in range(1000):
        true = 0.004 + 0.0213 * c
        sd = np.hypot(0.008 * true, 3e-4)
        line = icpms.calibrate(c, true + rng.normal(0, sd), sd)
        mass = 2.0 + rng.normal(0, 0.01)
        signal = 0.004 + 0.0213 * (428 * 2.0 * 1000 / 50 / 500)
        s = float(np.hypot(0.008 * signal, 3e-4))
        found = icpms.lead_content(
            line,
            signal + rng.normal(0, s),
            s,
            volume_ml=50,
            dilution=500,
            mass_mg=mass,
            mass_error_mg=0.01,
        )
        inside.append(abs(found.value - 428) < 1.96 * found.standard_error)
    assert 0.93 <= np.mean(inside) <= 0.98
    with pytest.raises(ValueError, match="three standards"):
        icpms.calibrate([1, 2], [1, 2], [0.1, 0.1])


# ---- a folder of files ---------------------------------------------------------------------------


def test_own_files_in_other_formats(tmp_path):
    """The bundled data rewritten as a laboratory might have them give the same results."""
    pattern = read_pattern(DATA / "xrd_neat.xrdml")
    write_xy(tmp_path / "xrd.xy", pattern.two_theta_deg, pattern.intensity)
    (region,) = [
        s for s in read_vamas(DATA / "xps.vms") if s.sample == "neat" and "4d" in s.name
    ]  # fmt: skip
    rows = "\n".join(
        f"{e:.2f};{c / t:.1f}".replace(".", ",")
        for e, c, t in zip(region.binding_energy_eV, region.counts, region.transmission)
    )
    (tmp_path / "xps I 4d + Br 3d.csv").write_text("Binding energy (eV);counts\n" + rows)
    e, neat = (c.values for c in read_table(DATA / "pds.csv").numeric[:2])
    (tmp_path / "pds.txt").write_text(
        "wavelength (nm)\tsignal\n"
        + "\n".join(f"{1239.84198 / a:.4f}\t{b:.6e}" for a, b in zip(e, neat, strict=True))
    )
    (tmp_path / "samples.csv").write_text(
        f"sample,measurement,file,anode,{','.join(MATERIAL)}\nneat,xrd,xrd.xy,Cu,,,,\n"
        f"neat,xps,xps*.csv,Al,{','.join(map(str, MATERIAL.values()))}\n"
        "neat,absorption,pds.txt,,,,,\n"
    )
    own = analyse(read_sheet(tmp_path, "structure", sniff=sniff))
    a, halides, tail = (
        own.select(name=n)[0] for n in ("lattice constant", "I : Br (I 4d)", "Urbach energy")
    )
    assert abs(a.value - 6.05) < 3 * a.standard_error < 0.05
    assert halides.value == pytest.approx(0.652, rel=0.02)
    assert tail.value == pytest.approx(urbach.urbach_energy(e, neat).energy_meV, rel=2e-3)


def test_simulated_files_are_what_is_committed(tmp_path):
    """Same seeds, same files: the small ones byte for byte."""
    simulated_files.write_spectra(tmp_path)
    simulated_files.write_mass_spectrometry(tmp_path)
    for name in ("pds.csv", "icpms.csv", "ftir_GL.dpt"):
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name
    assert read_pattern(DATA / "xrd_neat.xrdml").wavelengths_A == pytest.approx(
        (1.5405929, 1.5444274)
    )
    assert read_image(DATA / "tem_neat_zoom.tif").pixel_nm == pytest.approx(0.048)


@pytest.mark.parametrize("dress", ["utf-8", "utf-16", "cp1252", "semicolons"])
def test_lead_table_in_other_dress(tmp_path, dress):
    text = (DATA / "icpms.csv").read_text().replace("sample,GL", "sample,GL µ")
    if dress == "semicolons":
        text = text.replace(",", ";").replace(".", ",")
    path = tmp_path / "icpms.csv"
    path.write_bytes(text.encode("utf-8" if dress == "semicolons" else dress))
    line, contents = reading.read_lead(path)
    expected_line, expected = reading.read_lead(DATA / "icpms.csv")
    assert contents["GL µ"] == expected["GL"] and line.slope == expected_line.slope
    assert line.account.counts == {
        "head": 1,
        "key": 0,
        "comment": 0,
        "data": line.account.lines - 1,
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sample,GL,,", "sample,GL,,x", "signal_ratio"),
        ("sample,GL,,", "sample,GL,", "line 9: expected 8 cells"),
        ("sample,GL,,", "sampel,GL,,", "line 9, column kind"),
        ("sample,EDTA,", "sample,GL,", "each sample once"),
        ("standard,,50,1", "standard,,50,NaN#", "signal_ratio"),
        ("0.02502,0.00036", "0.02502,0", "positive errors"),
        ("signal_ratio_sd", "sd", "signal_ratio_sd"),
    ],
)
def test_lead_table_refuses_what_it_cannot_use(tmp_path, old, new, message):
    text = (DATA / "icpms.csv").read_text()
    assert old in text
    (tmp_path / "icpms.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        reading.read_lead(tmp_path / "icpms.csv")


def test_the_sheet_says_of_what_the_films_are():
    rows = read_sheet(DATA, "structure", sniff=sniff).rows
    held = next(r for r in rows if r.measurement == "xps")
    assert {column: held.settings[column] for column in MATERIAL} == MATERIAL
