"""Single methods of structure and of separable fits against certified values and peers."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from peled import separable
from peled.formats import FormatError
from peled.formats.diffraction import Pattern
from peled.lineshapes.bands import pseudo_voigt
from peled.quantities import derive
from peled.samples import read_sheet
from peled.separable import Sought
from peled.structure import analyse as structure
from peled.structure import eds, ftir, microscopy, pictures, windows, xps, xrd
from peled.structure.reading import read_counts

NIST = Path(__file__).parent / "nist"

# ---- separable fit -------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [(0.009, 113, 20, 140, 20), (0.0096, 110, 25, 139, 25)])
def test_two_gaussians_on_an_exponential_as_certified(start):
    """NIST StRD Gauss3, both starts: values, standard deviations, residual sum of squares."""
    lines = (NIST / "Gauss3.dat").read_text().splitlines()
    certified = {
        name: tuple(map(float, rest.split()[2:])) for name, rest in
        (line.strip().split(" =") for line in lines[40:48])
    }  # fmt: skip
    y, x = np.array([line.split() for line in lines[60:]], float).T

    def basis(p, derivatives):
        fall = np.exp(-p[0] * x)
        u = [(x - p[k]) / p[k + 1] for k in (1, 3)]
        bells = [np.exp(-(v**2)) for v in u]
        slopes = np.zeros((5, len(x), 3))
        slopes[0, :, 0] = -x * fall
        for k, (v, bell) in enumerate(zip(u, bells, strict=True)):
            slopes[1 + 2 * k, :, 1 + k] = 2 * v / p[2 + 2 * k] * bell
            slopes[2 + 2 * k, :, 1 + k] = 2 * v**2 / p[2 + 2 * k] * bell
        return np.column_stack([fall, *bells]), slopes

    sought = {
        name: Sought(value, step=step) for name, value, step in
        zip(("b2", "b4", "b5", "b7", "b8"), start, (1e-3, 2, 2, 2, 2), strict=True)
    }  # fmt: skip
    fit = separable.fit(basis, y, sought, ["b1", "b3", "b6"])
    assert fit.estimates.converged
    for name, value, error in zip(
        fit.estimates.names, fit.estimates.values, fit.errors, strict=True
    ):
        # A search ends a thousandth of a standard error from the minimum.
        assert value == pytest.approx(certified[name][0], abs=1e-3 * certified[name][1])
        assert error == pytest.approx(certified[name][1], rel=1e-4)
    assert fit.chi2 == pytest.approx(1.2444846360e03, rel=1e-8)


# ---- photoelectrons ------------------------------------------------------------------------------


def test_levels_on_an_exponential_tail_cover():
    """I 4d on the tail of the valence band: areas of repeated noise, and what a line would do."""
    x = np.arange(40.0, 60.0, 0.1)
    line = pseudo_voigt(x, 49.4, 1.1, 0.3, False)[0]
    line = (line + 0.69 * pseudo_voigt(x, 51.1, 1.1, 0.3, False)[0]) / 1.69
    truth = 3000 * line + 150 + 4000 * np.exp(-(x - x[0]) / 5)
    level = [xps.Doublet("I 4d", 49.4, 1.7, 0.69, 1.1)]
    pulls, rng = [], np.random.default_rng(5)
    for _ in range(120):
        fit = xps.fit_levels(x, rng.poisson(truth), level, background="exponential")
        pulls.append((fit.areas[0] - 3000) / fit.area_errors[0])
    assert 0.9 < np.mean(np.abs(pulls) < 1.96) <= 1.0
    straight = xps.fit_levels(x, truth, level, background="linear")
    assert straight.chi2_reduced > 3


def test_a_metals_line_is_that_of_doniach_and_sunjic():
    """Peer: lmfit's closed form, where the band is wide enough not to end it."""
    lineshapes = pytest.importorskip("lmfit").lineshapes
    x = np.arange(-60.0, 60.0, 0.02)
    for index in (0.05, 0.15):
        lorentz = pseudo_voigt(x, 0.0, 0.6, 1.0, False)[0]
        ours = xps.metal_tail(x, lorentz, index, band_eV=3e4)
        theirs = lineshapes.doniach(-x, 1.0, 0.0, 0.3, index)
        near = np.abs(x) < 3
        quotient = ours[near] / theirs[near]
        assert np.ptp(quotient) < 0.02 * quotient.mean()


# ---- powder patterns of several phases -----------------------------------------------------------

CU = (1.540593, 1.544427)
ANGLES = np.linspace(10, 60, 2000)
CSCL = """data_CsCl
_cell_length_a 4.123
_cell_length_b 4.123
_cell_length_c 4.123
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_U_iso_or_equiv
Cs1 Cs 0 0 0 0.01
Cl1 Cl 0.5 0.5 0.5 0.01
"""
NACL = CSCL.replace("CsCl", "NaCl").replace("4.123", "5.6402").replace("P m -3 m", "F m -3 m")
NACL = NACL.replace("Cs1 Cs", "Na1 Na")


def powder(cell, spacegroup, atoms, size_nm):
    """Lines of a powder by brute force: all (hkl) of a cell with all its atoms, no symmetry."""
    import gemmi

    out = np.zeros_like(ANGLES)
    u = gemmi.UnitCell(*cell)
    r = range(-8, 9)
    for h in np.array(np.meshgrid(r, r, r)).reshape(3, -1).T:
        if not h.any() or (s := 1 / u.calculate_d(list(map(int, h)))) > 2 * np.sin(0.55) / CU[0]:
            continue
        f = 0.0
        for name, at in atoms:
            f += (
                gemmi.Element(name).it92.calculate_sf(s * s / 4)
                * np.exp(-8 * np.pi**2 * 0.01 * s * s / 4)
                * np.exp(2j * np.pi * (h @ at))
            )
        if abs(f) < 1e-6:
            continue
        for wavelength, share in zip(CU, (2 / 3, 1 / 3), strict=True):
            theta = np.arcsin(wavelength * s / 2)
            polar = (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
            width = np.degrees(2 * wavelength / (np.pi * 10 * size_nm * np.cos(theta)))
            at = np.degrees(2 * theta)
            out += share * abs(f) ** 2 * polar * pseudo_voigt(ANGLES, at, width, 1.0, False)[0]
    return out / u.volume  # counts go as the volume lit over that of the cell squared


def test_weight_fractions_of_a_mixture_made_by_brute_force(tmp_path):
    """60 : 40 by weight of CsCl and NaCl, counts and errors; as fast as one looks."""
    phases = []
    for name, text in (("CsCl", CSCL), ("NaCl", NACL)):
        (tmp_path / f"{name}.cif").write_text(text)
        phases.append(xrd.read_cif(tmp_path / f"{name}.cif"))
    half = np.array([0.5, 0.5, 0.5])
    face = [np.array(v) for v in ((0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0))]
    one = powder(phases[0].cell, "", [("Cs", 0 * half), ("Cl", half)], 30.0)
    two = powder(phases[1].cell, "", [("Na", f) for f in face] + [("Cl", f + half) for f in face],
                 20.0)  # fmt: skip
    # Per gram: the lines of a cell over its mass, which takes the place of one of its volumes.
    lit = 0.6 * one / phases[0].mass + 0.4 * two / phases[1].mass
    pulls, rng = [], np.random.default_rng(1)
    for _ in range(12):
        counts = rng.poisson(300 + 1.2e4 * lit / lit.max() * 10)
        fit = xrd.fit_phases(ANGLES, counts, np.sqrt(counts), phases=phases, wavelengths_A=CU,
                             instrument_fwhm_deg=0.02)  # fmt: skip
        w = fit.weights

        def share(q, w=w):
            own = q["CsCl scale"] * w["CsCl"]
            return own / (own + q["NaCl scale"] * w["NaCl"])

        found = derive("share", "1", share, fit.estimates)
        pulls.append((found.value - 0.6) / found.standard_error)
        assert found.value == pytest.approx(0.6, abs=0.01)
    assert np.mean(np.abs(pulls) < 1.96) > 0.7 and abs(np.mean(pulls)) < 1.5


def test_cells_of_two_phases_cover():
    """A perovskite and lead iodide with lines of their own: cells with the height free."""
    phases = [xrd.Phase("perovskite", (6.06, 6.06, 6.06, 90, 90, 90), "P m -3 m"),
              xrd.known_phases()["PbI2 2H"]]  # fmt: skip
    truth = [xrd.Phase("", (6.05, 6.05, 6.05, 90, 90, 90), "P m -3 m"),
             xrd.Phase("", (4.55, 4.55, 6.99, 90, 90, 120), "P -3 m 1")]  # fmt: skip
    rng, pattern = np.random.default_rng(3), np.full(len(ANGLES), 100.0)
    for phase, size in zip(truth, (25.0, 15.0), strict=True):
        for h in phase.lines(1.55, 8.9)[0]:
            d = 1 / np.sqrt(np.sum((h @ np.linalg.inv(_axes(phase.cell)).T) ** 2))
            top = rng.uniform(20, 300)
            for wavelength, share in zip(CU, (2 / 3, 1 / 3), strict=True):
                theta = np.arcsin(wavelength / 2 / d)
                width = np.degrees(2 * wavelength / (np.pi * 10 * size * np.cos(theta)))
                at = np.degrees(2 * theta) - 0.08 * np.degrees(2 / 240) * np.cos(theta)
                line = pseudo_voigt(ANGLES, at, width, 1.0, False)[0]
                pattern += top * share * line
    inside = []
    for _ in range(16):
        counts = rng.poisson(pattern)
        fit = xrd.fit_phases(ANGLES, counts, np.sqrt(counts), phases=phases, wavelengths_A=CU,
                             displacement_mm=None, instrument_fwhm_deg=0.01)  # fmt: skip
        e = fit.estimates
        for name, value in (("perovskite a", 6.05), ("PbI2 2H a", 4.55), ("PbI2 2H c", 6.99)):
            i = e.names.index(name)
            inside.append(abs(e.values[i] - value) < 1.96 * np.sqrt(e.covariance[i, i]))
    assert 0.85 < np.mean(inside) <= 1.0


def _axes(cell):
    import gemmi

    return np.array(gemmi.UnitCell(*cell).orth.mat.tolist()).T


def test_lines_that_two_cubic_cells_explain_give_no_lattice_constant(tmp_path):
    """Lines at 3, 4, 8 of a are at 6, 8, 16 of √2 a too, and two foreign ones tip the balance."""
    x, a, rng = np.arange(22.0, 100.0, 0.02), 3.76, np.random.default_rng(3)
    y = np.full(len(x), 60.0)
    lines = [(2 * np.degrees(np.arcsin(CU[0] * np.sqrt(n) / 2 / a)), h)
             for n, h in ((3, 300.0), (4, 160.0), (8, 150.0))]  # fmt: skip
    for at, height in (*lines, (27.1, 80.0), (38.1, 80.0)):
        y += height / (1 + ((x - at) / 0.25) ** 2)
    counts = np.column_stack([x, rng.poisson(y)])
    np.savetxt(tmp_path / "film.xy", counts, header="2theta (deg),counts", delimiter=",")
    (tmp_path / "samples.csv").write_text("sample,measurement,file,anode\nfilm,xrd,film.xy,Cu\n")
    report = structure.analyse(read_sheet(tmp_path, "structure", sniff=structure.sniff))
    (q,) = [q for q in report.quantities if q.name == "lattice constant"]
    assert q.value is None or q.value == pytest.approx(a, rel=0.01), str(q)


def test_williamson_hall_parts_size_from_strain():
    """β = λ/(L cos θ) + 4 ε tan θ put in: 30 nm and 0.3 %; without strain, none is found."""
    for strain in (0.3, 0.0):
        rng, pattern, found = np.random.default_rng(7), np.full(len(ANGLES), 200.0), []
        for hkl in ((1, 0, 0), (1, 1, 0), (2, 0, 0), (2, 1, 0), (2, 1, 1), (2, 2, 0)):
            for wavelength, share in zip(CU, (2 / 3, 1 / 3), strict=True):
                theta = np.arcsin(wavelength * np.linalg.norm(hkl) / 2 / 6.05)
                breadth = wavelength / (300 * np.cos(theta)) + 0.04 * strain * np.tan(theta)
                width = np.degrees(breadth) * 2 / np.pi
                at = np.degrees(2 * theta)
                pattern += 900 * share * pseudo_voigt(ANGLES, at, width, 1.0, False)[0]
        for _ in range(10):
            counts = rng.poisson(pattern)
            fit = xrd.pawley_fit(ANGLES, counts, wavelengths_A=CU, a_A=6.05, displacement_mm=0.0,
                                 instrument_fwhm_deg=0.02)  # fmt: skip
            e = xrd.williamson_hall(xrd.breadths(fit, CU, 0.02), CU[0])
            found.append((e.values - (1 / 30, strain)) / np.sqrt(np.diag(e.covariance)))
        assert np.mean(np.abs(found) < 1.96) >= 0.8 and np.abs(np.mean(found, axis=0)).max() < 1


def test_williamson_hall_is_a_weighted_line_with_the_errors_of_its_scatter():
    """By numpy's polynomial fit, whose covariance grows by χ² over its degrees of freedom."""
    wavelength, at = 1.5406, np.array([14.6, 20.8, 29.6, 33.2, 42.4, 45.1])
    breadths, errors = np.array([0.30, 0.52, 0.41, 0.62, 0.49, 0.70]), np.linspace(0.02, 0.05, 6)
    lines = [xrd.Breadth((), *line) for line in zip(at, breadths, errors)]
    found = xrd.williamson_hall(lines, wavelength)
    cos = np.cos(np.radians(at / 2))
    (slope, level), covariance = np.polyfit(
        4 * np.sin(np.radians(at / 2)), np.radians(breadths) * cos, 1,
        w=1 / (np.radians(errors) * cos), cov=True,
    )  # fmt: skip
    assert found.values == pytest.approx([10 * level / wavelength, 100 * slope])
    errors_of_line = np.sqrt(np.diag(covariance))[::-1] * (10 / wavelength, 100)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(errors_of_line)


# ---- X-ray counts, infrared ----------------------------------------------------------------------


def test_composition_from_counts_covers(tmp_path):
    """MAPb(I0.4Br0.6)3 by Cliff and Lorimer with k factors of 3 %, which err too; Poisson
    counts."""
    rng, truth = np.random.default_rng(2), {"Pb": 1.0, "I": 1.2, "Br": 1.8}
    k, inside = {"Pb": 2.05, "I": 1.48, "Br": 1.21}, []
    for trial in range(40):
        folder = tmp_path / str(trial)
        folder.mkdir()
        text = "element,counts,background,k,k_error\n"
        for element, amount in truth.items():
            actual = k[element] * (1 + 0.03 * rng.standard_normal())
            net = 40 * amount * eds.atomic_weight(element) / actual
            counts, below = rng.poisson(net + 300), rng.poisson(300)
            text += f"{element},{counts},{below},{k[element]},{0.03 * k[element]}\n"
        text += f"Cs,{rng.poisson(300)},{rng.poisson(300)},1.5,0.05\n"
        (folder / "counts.csv").write_text(text)
        report = structure.analyse(read_sheet(folder, "structure", sniff=structure.sniff))
        total = sum(truth.values())
        for q in report.quantities:
            if "Cs" in q.name:
                assert q.value is None
            elif q.name.startswith("atomic fraction"):
                away = q.value - truth[q.name.split()[2]] / total
                inside.append(abs(away) < 1.96 * q.standard_error)
    assert len(inside) == 120 and 0.88 < np.mean(inside) < 1.0


@pytest.mark.parametrize("thick, status", [(0.0, "reported"), (0.17, "not"), (1.2, "withheld")])
def test_lines_of_one_element_tell_what_a_thin_foil_has_not(tmp_path, thick, status):
    """L lines of lead and iodine pass, M lines are absorbed on their way out: said; in a thin foil
    the composition covers and is seldom doubted."""
    rng, truth, inside, seen = np.random.default_rng(12), {"Pb": 1.0, "I": 3.0}, [], []
    lines = (("Pb", "La", 2.0, 0.0), ("Pb", "Ma", 1.2, 1.0), ("I", "La", 1.5, 0.3))
    for _ in range(40 if status == "reported" else 10):
        text = "element,line,counts,background,k,k_error\n"
        for element, line, k, absorbed in lines:
            actual = k * (1 + 0.02 * rng.standard_normal())
            net = 60 * truth[element] * eds.atomic_weight(element) / actual
            net *= np.exp(-thick * absorbed)
            counts, below = rng.poisson(net + 300), rng.poisson(300)
            text += f"{element},{line},{counts},{below},{k},{0.02 * k}\n"
        (tmp_path / "counts.csv").write_text(text)
        report = structure.analyse(read_sheet(tmp_path, "structure", sniff=structure.sniff))
        assert len(report.quantities) == 3
        (ratio,) = (q for q in report.quantities if " : " in q.name)
        seen.append("not" if status == "not" and ratio.status != "reported" else ratio.status)
        if status == "reported":
            numerator, denominator = ratio.name.split()[0], ratio.name.split()[2]
            away = ratio.value / (truth[numerator] / truth[denominator]) - 1
            inside.append(abs(away) < 1.96 * ratio.standard_error / ratio.value)
    assert seen.count(status) >= 0.95 * len(seen), seen
    assert not inside or np.mean(inside) >= 0.88


def test_one_line_an_element_tells_no_absorption(tmp_path):
    (tmp_path / "c.csv").write_text(
        "element,counts,background,k,k_error\nPb,9000,300,2,0.04\nI,8000,300,1.5,0.03\n"
    )
    report = structure.analyse(read_sheet(tmp_path, "structure", sniff=structure.sniff))
    assert {q.status for q in report.quantities} == {"doubtful"}
    assert all("would not show" in q.reasons for q in report.quantities)


@pytest.mark.parametrize("line", ["Xx,1,0,1,0", "Pb,-1,0,1,0", "Pb,1,0,0,0", "Pb,1,0,1,"])
def test_counts_that_cannot_be_used_are_refused(tmp_path, line):
    (tmp_path / "c.csv").write_text(f"element,counts,background,k,k_error\nI,5,1,1,0.1\n{line}\n")
    with pytest.raises(FormatError, match="line 3"):
        read_counts(tmp_path / "c.csv")


def test_attenuated_total_reflection_is_undone():
    """Two bands of one height in transmission: what the depth of the light makes of them."""
    x = np.arange(800.0, 3200.0, 2.0)
    flat = sum(np.exp(-(((x - c) / 15) ** 2)) for c in (1000.0, 2900.0))
    theta, n1, n2 = np.radians(45), 2.4, 1.6
    depth = 1e7 / x / (2 * np.pi * n1 * np.sqrt(np.sin(theta) ** 2 - (n2 / n1) ** 2))
    back = ftir.atr_corrected(x, flat * depth)
    heights = [back[np.abs(x - c) < 20].max() for c in (1000.0, 2900.0)]
    assert heights[1] == pytest.approx(heights[0], rel=1e-3)


# ---- micrographs ---------------------------------------------------------------------------------


def dark_field(rng, low, high, pixel_nm=0.4):
    """Cubes of 12 nm, each as bright as it is thick; the edges that went in."""
    y, x = np.mgrid[0:512, 0:512] * pixel_nm
    picture, edges = np.full(x.shape, 100.0), rng.normal(12.0, 1.2, 49)
    for k, edge in enumerate(edges):
        centre = (np.array(divmod(k, 7)) + 0.5) * 28 + rng.uniform(-3, 3, 2)
        turn = rng.uniform(0, np.pi / 2)
        u = (x - centre[0]) * np.cos(turn) + (y - centre[1]) * np.sin(turn)
        v = (y - centre[1]) * np.cos(turn) - (x - centre[0]) * np.sin(turn)
        inside = (np.abs(u) < edge / 2) & (np.abs(v) < edge / 2)
        picture[inside] += np.exp(rng.uniform(np.log(low), np.log(high)))
    picture = ndimage.gaussian_filter(picture, 2.0)
    return picture + 6 * rng.standard_normal(x.shape), edges


@pytest.mark.parametrize("high", [45, 400])
def test_particles_in_dark_field_need_no_grey_level_in_common(high):
    """From one brightness to a factor of ten between the thinnest and the thickest."""
    for seed in range(3):
        picture, edges = dark_field(np.random.default_rng(seed), 40, high)
        found = microscopy.segment(picture, 0.4)
        assert len(found.particles) >= 46
        mean = np.mean([p.edge_nm for p in found.particles])
        assert mean == pytest.approx(edges.mean(), abs=0.15)


@pytest.mark.parametrize("thick", [True, False])
def test_round_particles_in_dark_field(thick):
    """Spheres as bright as they are thick, and disks: their diameters, and no cubes."""
    rng = np.random.default_rng(8)
    y, x = np.mgrid[0:512, 0:512] * 0.4
    picture, radii = np.full(x.shape, 100.0), rng.normal(7.0, 0.7, 49)
    for k, radius in enumerate(radii):
        row, column = (np.array(divmod(k, 7)) + 0.5) * 28 + rng.uniform(-3, 3, 2)
        chord = np.sqrt(np.maximum(radius**2 - (x - column) ** 2 - (y - row) ** 2, 0))
        picture += 12 * chord if thick else 80.0 * (chord > 0)
    picture = ndimage.gaussian_filter(picture, 1.0) + 6 * rng.standard_normal(x.shape)
    found = microscopy.segment(picture, 0.4)
    assert found.round and len(found.particles) >= 46
    mean = np.mean([p.edge_nm for p in found.particles])
    assert mean == pytest.approx(2 * radii.mean(), rel=pictures.ROUND_RELATIVE)


def test_cubes_with_rough_outlines_are_not_round():
    """Correlated noise makes outlines rough and rectangles wide; edges stay those of cubes."""
    rng = np.random.default_rng(1)
    picture, edges = dark_field(rng, 60, 61)
    grain = ndimage.gaussian_filter(rng.standard_normal(picture.shape), 2.0)
    found = microscopy.segment(picture + 12 * grain / grain.std(), 0.4)
    assert not found.round
    d = microscopy.size_distribution([p.edge_nm for p in found.particles], pixel_relative_error=0)
    assert abs(d.mean_nm - edges.mean()) < 1.96 * d.mean_error_nm < 1.0


def test_a_film_alone_has_no_particles_in_dark_field():
    for seed in range(3):
        rng = np.random.default_rng(seed)
        grain = ndimage.gaussian_filter(rng.standard_normal((512, 512)), 6)
        for film in (
            rng.normal(100, 6, (512, 512)),
            100 + 60 * grain + rng.normal(0, 6, (512, 512)),
        ):
            with pytest.raises(ValueError, match="no two grey levels"):
                microscopy.segment(film, 0.4)


@dataclass(frozen=True)
class _Row:
    row: SimpleNamespace
    data: object


def test_a_window_leaves_the_points_between_its_ends_of_every_column():
    angle = np.linspace(10, 60, 501)
    pattern = Pattern(
        Path("s1.xy"), "s1", angle, np.arange(501.0), "counts", np.sqrt(np.arange(501.0) + 1)
    )
    held = _Row(SimpleNamespace(label="s1", measurement="xrd"), pattern)
    assert windows.cut(held, {"s2": (20, 30)}) is held
    for ends in ((20.0, 30.0), (30.0, 20.0)):
        data = windows.cut(held, {"s1": ends}).data
        assert data.two_theta_deg[[0, -1]] == pytest.approx([20, 30])
        assert data.intensity == pytest.approx(np.arange(100.0, 201.0))
        assert data.sigma == pytest.approx(np.sqrt(np.arange(101.0, 202.0)))
    with pytest.raises(ValueError, match="expected 12 points, found 11"):
        windows.cut(held, {"s1": (20, 21)})
    tail = _Row(SimpleNamespace(label="s1", measurement="absorption"), (angle, 2 * angle))
    x, y = windows.cut(tail, {"s1": (15, 20)}).data
    assert x[[0, -1]] == pytest.approx([15, 20]) and y == pytest.approx(2 * x)
