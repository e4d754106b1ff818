"""A laboratory's folder, from its sample sheet to a report."""

import io
import itertools
import json
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.io import netcdf_file

from lab_examples import EXAMPLES
from peled.formats.tas import read_tas
from peled.report.slides import slides
from peled.samples import read_sheet
from peled.transient_absorption import (
    Model,
    analyse,
    explore,
    matrix,
    plots,
    preprocess,
    workflow,
)
from peled.transient_absorption.blank import subtract_blank
from peled.transient_absorption.globalfit import Spectra
from peled.transient_absorption.irf import columns, gaussian
from peled.transient_absorption.terms import Recombination
from test_transient_absorption_trust import DELAYS, film, holes, waves
from writers import write_matrix

CHIRP = (-1.0, -0.4)
TRUE = {"lifetime 1": 0.4, "lifetime 2": 14.0, "lifetime 3": 280.0}
SHEET = """sample,measurement,file,state,scan,signal_unit
control,ta,control_{state}.csv,,,OD
treated,ta,treated_scan{scan}.csv,,,mOD
late,ta,late.csv,,,OD
broken,ta,broken.csv,,,OD
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    wavelength = np.linspace(480, 720, 30)

    def write(name, m, unit=1.0):
        write_matrix(folder / name, m.delay_ps, m.wavelength_nm, m.signal * unit, digits=7)

    for state, t0, seed in (("before", 0.0, 1), ("after", 0.3, 2)):
        m = film(wavelength=wavelength, t0=t0, chirp=CHIRP, seed=seed)
        write(f"control_{state}.csv", holes(m, 0.01))
    for i in range(6):
        m = film(wavelength=wavelength, chirp=CHIRP, seed=10 + i)
        write(f"treated_scan{i + 1}.csv", m, 1e3)
    bands = ((1.0, 8.0, 620.0), (1.0, 120.0, 680.0))
    write("late.csv", film(np.geomspace(0.3, 800, 60), wavelength, bands))
    (folder / "broken.csv").write_text("nothing\n1,2\n")
    (folder / "samples.csv").write_text(SHEET)
    sheet = read_sheet(folder, "transient_absorption", sniff=analyse.sniff)
    return analyse.analyse(sheet, {"artefact": 0})


def test_what_a_file_does_not_say_of_its_axes_the_sheet_says(tmp_path):
    """Energies without a unit, and axes of which either could be the delays."""
    m = film(np.r_[-2:2:30j, np.geomspace(2.2, 900, 30)], np.linspace(500, 700, 16), seed=2)
    order = slice(None, None, -1)
    write_matrix(
        tmp_path / "a.csv", m.delay_ps, 1239.841984 / m.wavelength_nm[order], m.signal[:, order]
    )
    sheet = read_sheet(tmp_path, "transient_absorption", sniff=analyse.sniff)
    assert "spectral_unit in the sample sheet" in str(sheet.unlisted[0])
    head = "sample,measurement,file,spectral_unit,orientation,delay_unit"
    (tmp_path / "samples.csv").write_text(f"{head}\na,ta,a.csv,eV,delays down,fs\n")
    (row,) = read_sheet(tmp_path, "transient_absorption", sniff=analyse.sniff).select()
    (found,) = analyse._read(row.path, row)
    assert np.allclose(found.wavelength_nm, m.wavelength_nm)
    assert np.allclose(found.delay_ps, m.delay_ps * 1e-3)


def test_lifetimes_of_every_set_within_their_errors(report):
    for sample, states in {"control": ("before", "after"), "treated": ("",)}.items():
        for state in states:
            for name, truth in TRUE.items():
                (q,) = report.select(sample=sample, state=state, name=name)
                assert q.status == "reported" and abs(q.value - truth) < 4 * q.standard_error
    for name, truth in (("lifetime 1", 8.0), ("lifetime 2", 120.0)):
        (q,) = report.select(sample="late", name=name)
        assert abs(q.value - truth) < 4 * q.standard_error
    assert not report.select(sample="late", name="lifetime 3")


def test_states_are_compared(report):
    for name in TRUE:
        (q,) = report.select(sample="control", name=f"{name}, after/before")
        assert abs(q.value - 1) < 4 * q.standard_error < 0.2


def test_one_bad_file_is_a_row_with_its_reason(report):
    (problem,) = report.problems
    assert "broken" in problem.where and "expected a matrix" in problem.reason


def test_steps_and_missing_cells_are_said(report):
    late = report.found["late"]["late"].matrix
    assert any("none subtracted" in step for step in late.steps)
    treated = report.found["treated"]["treated"].matrix
    assert treated.steps[0].startswith("mean of 6 scans") and np.abs(treated.signal).max() < 0.05
    (q,) = report.select(sample="control", state="before", name="lifetime 1")
    assert any("cells missing" in str(f) for f in q.findings)


def test_it_draws_and_prints(report):
    names = [panel.name for panel in report.panels()]
    assert len(names) == 4 * 3 + 1 and "control before and after" in names
    assert "lifetime 3" in str(report)


def test_unknown_settings_are_refused(tmp_path):
    sheet = read_sheet(tmp_path, "transient_absorption")
    with pytest.raises(ValueError, match="expected lifetimes_ps"):
        analyse.analyse(sheet, {"lifetime": 3})


def test_a_set_in_which_nothing_decays_says_why_it_has_no_lifetime(tmp_path):
    rng, wavelength = np.random.default_rng(0), np.linspace(500, 700, 12)
    pattern = 0.2 * rng.standard_normal(wavelength.size)
    noise = 1e-4 * rng.standard_normal((DELAYS.size, wavelength.size))
    write_matrix(tmp_path / "a.csv", DELAYS, wavelength, pattern + noise)
    (tmp_path / "samples.csv").write_text("sample,measurement,file,signal_unit\nA,ta,a.csv,OD\n")
    sheet = read_sheet(tmp_path, "transient_absorption", sniff=analyse.sniff)
    (found,) = analyse.analyse(sheet, {}).select(name="lifetime 1")
    assert found.value is None and "stays over all delays" in found.reasons


def test_wavelengths_at_which_next_to_nothing_was_measured_are_left_out():
    m = film(wavelength=np.linspace(500, 700, 12))
    few = m.signal.copy()
    few[3:, 4] = np.nan
    few[len(few) // 2 :, 6] = np.nan
    out = workflow.prepare(preprocess.replace(m, signal=few), window_nm=())
    assert np.array_equal(out.wavelength_nm, np.delete(m.wavelength_nm, 4))
    assert out.steps[-1] == "less than 20 % of the delays measured at 572.7 nm: left out"


def test_a_wavelength_with_a_few_cells_sets_no_scale():
    axes = Figure().subplots()
    nm = np.linspace(500, 600, 20)
    values = np.sin(nm / 20)[None] * 1e-3
    errors = np.full_like(values, 1e-5)
    values[0, 7], errors[0, 7] = 1e14, 1e17
    plots.draw_spectra(axes, Spectra(("decay 1",), nm, values, errors))
    assert max(np.abs(axes.get_ylim())) < 2
    drawn = axes.lines[0].get_ydata()
    assert np.isnan(drawn[7]) and np.isfinite(np.delete(drawn, 7)).all()


def test_many_points_of_a_spectrum_are_drawn_as_means_of_neighbours():
    axes = Figure().subplots()
    nm = np.r_[np.linspace(400, 500, 1024), np.linspace(600, 700, 1024)]
    rng = np.random.default_rng(0)
    values = (np.sin(nm / 20) + 0.3 * rng.standard_normal(nm.size))[None]
    values[0, :2] = np.nan
    plots.draw_spectra(axes, Spectra(("decay 1",), nm, values, np.full_like(values, 0.3)), unit="")
    x, y = axes.lines[0].get_data()
    gap = np.isnan(x)
    assert 300 < len(x) <= 520 and gap.sum() == 1 and not ((x > 501) & (x < 599)).any()
    assert np.sqrt(np.nanmean((y - np.sin(x / 20)) ** 2)) < 0.2
    assert axes.get_ylabel() == "Amplitude (unit not said)"


def test_zero_time_of_the_stage_counts_where_no_rise_tells_it(tmp_path):
    """Amplitudes at zero time are those of the film; a zero time after the first signal is none."""
    late, zero = np.geomspace(1.0, 800, 60), -2.0
    m = film(late + zero, bands=((1.0, 8.0, 620.0), (1.0, 120.0, 680.0)), t0=zero, seed=4)
    write_matrix(tmp_path / "film.csv", m.delay_ps, m.wavelength_nm, m.signal, digits=7)
    lines = "sample,measurement,file,signal_unit,zero_ps\nfilm,ta,film.csv,OD,{}\n"
    amplitude = {}
    for said in ("", "-2", "-0.5"):
        (tmp_path / "samples.csv").write_text(lines.format(said))
        sheet = read_sheet(tmp_path, "transient_absorption", sniff=analyse.sniff)
        report = analyse.analyse(sheet, {"drift": 0.0, "components": 2})
        if said == "-0.5":
            assert "zero_ps: expected none after the first delay, -1 ps" in str(report.problems)
            continue
        ((one,),) = (states.values() for states in report.found.values())
        assert one.fit.lifetimes_ps == pytest.approx((8.0, 120.0), rel=0.02)
        amplitude[said] = one.fit.dads().values[0].max()
    assert amplitude["-2"] == pytest.approx(1e-2, rel=0.02)
    assert amplitude[""] < 0.97e-2


@pytest.mark.parametrize("width", (1.9, 2.4, 3.5))
def test_ticks_do_not_touch_and_legends_lie_on_no_curve(width):
    m = film(seed=1)
    figure = Figure(figsize=(width, 3.6), layout="constrained")
    over, under = figure.subplots(2)
    plots.draw_map(over, m)
    plots.draw_transients(under, m, m.signal, [(500, 520), (560, 580), (640, 660)])
    plots.delay_axis(under, m.delay_ps)
    figure.draw_without_rendering()
    for ax in (over, under):
        labels = [t for t in ax.get_xticklabels() if t.get_text()]
        ends = [t.get_window_extent() for t in labels]
        assert "0" in [t.get_text() for t in labels] and len(labels) > 1
        assert all(a.x1 < b.x0 for a, b in itertools.pairwise(ends))
    legend = under.get_legend().get_window_extent()
    assert legend.y0 >= under.get_window_extent().y1 - 1


@pytest.mark.parametrize("zero", [-10.0, 0.4])
def test_delays_are_drawn_around_zero_time(zero):
    delay = zero + np.r_[np.arange(-3, 3, 0.1), np.geomspace(3, 2000, 60)]
    m = matrix(delay, np.linspace(500, 600, 8), np.ones((len(delay), 8)), unit="counts")
    figure = Figure()
    axes = figure.subplots()
    plots.draw_map(axes, m, zero_ps=zero)
    figure.canvas.draw()
    assert [text.get_text() for text in axes.get_xticklabels()] == ["-1", "0", "1", *_DECADES]
    shown = zero if abs(zero) > 1 else 0.0
    assert axes.get_xticks()[1] == shown and axes.get_xlim() == (delay[0], delay[-1])
    assert (f"after {zero:g} ps" in axes.get_xlabel()) == (abs(zero) > 1)
    there = axes.transData.transform(
        np.column_stack([shown + np.array([-1.0, 0, 1, 10, 100]), [550] * 5])
    )
    apart = np.diff(there[:, 0])
    assert apart[0] == pytest.approx(apart[1]) and apart[2] == pytest.approx(apart[3])
    back = axes.transData.inverted().transform(there)[:, 0]
    assert back == pytest.approx(shown + np.array([-1.0, 0, 1, 10, 100]))
    assert figure.axes[1].get_ylabel() == "Signal (counts)"


_DECADES = ["10", "100", "1000"]


def test_a_unit_that_the_file_says_is_not_doubted(tmp_path):
    delay = np.r_[np.arange(-5, 5, 1.0), np.geomspace(5, 900, 30)]
    rows = np.column_stack([delay, 0.01 * (delay > 0)[:, None] * np.ones(6)])
    for unit, doubted in (("ns", False), ("", True)):
        factor = 1 if unit else 1000
        head = [f"delay ({unit})" if unit else "", *map(str, np.arange(500, 560, 10))]
        lines = [head, *([f"{x:.6g}" for x in (row[0] * factor, *row[1:])] for row in rows)]
        path = tmp_path / f"a{unit}.csv"
        path.write_text("\n".join(",".join(line) for line in lines))
        (m,) = workflow.scans_of(read_tas(path), "a")
        assert bool(m.notes) == doubted and m.delay_ps[-1] == pytest.approx(900e3)
        assert m.unit == ""


def test_a_blank_is_subtracted_with_its_own_size_and_zero_time():
    m = film(chirp=CHIRP, bands=((1.0, 14.0, 600.0), (1.0, 280.0, 660.0)))
    xi = 1e3 / m.wavelength_nm - 1e3 / 600
    zero = CHIRP[0] * xi + CHIRP[1] * xi**2

    def artefact(size, later):
        return size * 0.05 * gaussian(m.delay_ps[:, None] - zero - later, 0.05)

    blank = preprocess.replace(m, signal=artefact(4e-3, 0.08), name="solvent")
    dirty = preprocess.replace(m, signal=m.signal + artefact(1.6e-3, 0.0))
    model = Model((10.0, 300.0), t0_ps=0.0, fwhm_ps=0.1, dispersion=(-0.8, 0.0))
    out = subtract_blank(dirty, blank, model)
    words = out.steps[-1].split()
    assert float(words[3]) == pytest.approx(0.4, abs=0.01)
    assert float(words[5]) == pytest.approx(-80, abs=5)
    assert np.abs(out.signal - m.signal).max() < 0.2 * np.abs(dirty.signal - m.signal).max()
    inverted = preprocess.replace(m, signal=m.signal - artefact(1.6e-3, 0.0))
    out = subtract_blank(inverted, blank, model)
    assert "not subtracted" in out.steps[-1] and np.array_equal(out.signal, inverted.signal)


@pytest.mark.parametrize(("unit", "factor"), [("OD", 1.0), ("mOD", 1e3), ("dT/T", 0), ("%", 0)])
def test_units_of_difference_signals(tmp_path, unit, factor):
    m = film(wavelength=np.linspace(500, 700, 12))
    y = m.signal * factor if factor else (10**-m.signal - 1) * (100 if unit == "%" else 1)
    write_matrix(tmp_path / "a.csv", m.delay_ps, m.wavelength_nm, y, digits=9)
    (tmp_path / "samples.csv").write_text(
        f"sample,measurement,file,signal_unit\na,ta,a.csv,{unit}\n"
    )
    sheet = read_sheet(tmp_path, "transient_absorption", sniff=analyse.sniff)
    report = analyse.analyse(sheet, {"artefact": 0, "components": 3})
    (one,) = report.found["a"].values()
    assert not report.problems and one.fit.rms == pytest.approx(1e-4, rel=0.1)


SETS = {
    "one": ((1.0, 30.0, 600.0),),
    "two": ((1.0, 2.0, 560.0), (-1.0, 200.0, 640.0)),
    "four": ((1.0, 0.4, 520.0), (-1.2, 4.0, 580.0), (1.0, 40.0, 640.0), (-0.8, 400.0, 690.0)),
    "short": ((1.0, 0.5, 540.0), (1.0, 8.0, 600.0), (1.0, 120.0, 680.0)),
}


def test_any_number_of_components_any_delays(tmp_path):
    """One to four lifetimes, fourteen delays, a stage zero at -8 ps, missing cells: as many as the
    data support, within errors."""
    few = np.r_[-2, -1, -0.5, 0, 0.2, 0.5, 1, 2, 4, 8, 16, 32, 100, 400.0]
    rows = ["sample,measurement,file,signal_unit"]
    for i, (name, bands) in enumerate(SETS.items()):
        t0 = -8.0 if name == "two" else 0.0
        delays = few if name == "short" else DELAYS + t0
        m = holes(film(delays, np.linspace(480, 720, 30), bands, t0=t0, seed=i), 0.01)
        write_matrix(tmp_path / f"{name}.csv", m.delay_ps, m.wavelength_nm, m.signal, digits=7)
        rows.append(f"{name},ta,{name}.csv,OD")
    (tmp_path / "samples.csv").write_text("\n".join(rows) + "\n")
    sheet = read_sheet(tmp_path, "transient_absorption", sniff=analyse.sniff)
    report = analyse.analyse(sheet, {"artefact": 0})
    assert not report.problems
    for name, bands in SETS.items():
        found = [q for q in report.select(sample=name) if q.name.startswith("lifetime")]
        assert len(found) == len(bands) and all(q.value is not None for q in found)
        for q, (_, tau, _) in zip(found, bands, strict=True):
            assert abs(q.value - tau) < 4 * q.standard_error < tau


def test_oscillations_of_a_folder(tmp_path):
    m, _ = waves()
    write_matrix(tmp_path / "a.csv", m.delay_ps, m.wavelength_nm, m.signal, digits=7)
    (tmp_path / "samples.csv").write_text("sample,measurement,file,signal_unit\na,ta,a.csv,OD\n")
    sheet = read_sheet(tmp_path, "transient_absorption", sniff=analyse.sniff)
    settings = {"components": 2, "artefact": 0, "dispersion_order": 0}
    report = analyse.analyse(sheet, settings | {"oscillations_ps": [(0.55, 1.0)]})
    for name, truth in (("period 1", 0.5), ("damping 1", 1.2), ("lifetime 2", 120.0)):
        (q,) = report.select(name=name)
        assert abs(q.value - truth) < 4 * q.standard_error
    (panel,) = [p for p in report.panels() if "oscillations" in p.name]
    figure = plt.figure()
    panel.draw(figure)
    assert "500 fs" in figure.axes[0].get_legend_handles_labels()[1][0]


@pytest.mark.parametrize("size", [0.0, 1.5])
def test_the_width_is_given_beside_an_artefact_that_stands_out(tmp_path, size):
    """One that is noise trades places with zero time, and the width with the square of that."""
    from calibration import transient_absorption as room

    rng = np.random.default_rng(3)
    true = room.draw(tmp_path, "film", rng, fine=True, artefact=size)["response FWHM"]
    (tmp_path / "samples.csv").write_text(room.SHEET.format(sample="film"))
    sheet = read_sheet(tmp_path, "transient_absorption", sniff=analyse.sniff)
    (width,) = analyse.analyse(sheet, {"artefact": 1, "components": 2}).select(name="response FWHM")
    if size:
        assert abs(width.value - true) < 4 * width.standard_error < 0.1 * true
    else:
        assert width.value is None and "set artefact to 0" in str(width.findings)
    if not size:
        (width,) = analyse.analyse(sheet, {"artefact": 0, "components": 2}).select(
            name="response FWHM"
        )
        assert abs(width.value - true) < 4 * width.standard_error < 0.1 * true


def shown(cuts):
    """The spectra that are drawn, without the line at zero."""
    return [y for line in cuts.axes["decays"].lines[1:] if len(y := line.get_ydata())]


def test_a_scan_is_dropped_by_a_click_and_by_a_setting(tmp_path):
    """One scan of eight is weaker: the click drops it from the mean, and so does the setting
    that is kept."""
    lines = ["sample,measurement,file,scan,signal_unit"]
    for i in range(1, 9):
        m = film(wavelength=np.linspace(480, 720, 20), chirp=CHIRP, seed=i)
        signal = m.signal * (0.97 if i == 3 else 1.0)
        write_matrix(tmp_path / f"s{i}.csv", m.delay_ps, m.wavelength_nm, signal, digits=7)
        lines.append(f"film,ta,s{i}.csv,{i},OD")
    (tmp_path / "samples.csv").write_text("\n".join(lines) + "\n")
    sheet = read_sheet(tmp_path, "transient_absorption", sniff=analyse.sniff)
    made = analyse.analyse(sheet, {"artefact": 0, "components": 3})
    cuts = explore.explorer(sheet, made)
    numbers, sizes = cuts._sizes()
    assert list(numbers) == list(range(1, 9)) and sizes[2] < 0.985 < sizes[0]
    before = np.nanmax(np.abs(cuts._fit().matrices[0].signal))
    cuts.choose(pointer=explore.SCAN, scan=(3.2, 0.5), beside=explore.FIRST)
    after = np.nanmax(np.abs(cuts._fit().matrices[0].signal))
    assert cuts.settings == {"drop_scans": {"film": [3]}} and after > before
    assert len(shown(cuts)) == 6  # three decays of each fit
    again = analyse.analyse(sheet, {"artefact": 0, "components": 3, **cuts.settings})
    (one,) = again.found["film"].values()
    assert list(one.scans) == [1, 2, 4, 5, 6, 7, 8]
    assert np.nanmax(np.abs(one.matrix.signal)) == pytest.approx(after, rel=0.01)
    cuts.choose(scan=(3.0, 0.5))
    assert cuts.settings == {}
    with_more = analyse.analyse(
        sheet, {"artefact": 0, "components": 3, "drop_scans": {"film": [3]}}
    )
    cuts = explore.explorer(sheet, with_more)
    cuts.choose(pointer=explore.SCAN, scan=(5.1, 0.5))
    assert cuts.settings == {"drop_scans": {"film": [3, 5]}}  # what was dropped before stays so
    none = analyse.analyse(sheet, {"drop_scans": {"film": range(1, 9)}})
    assert any("no scan of film is left" in str(p) for p in none.problems)


def test_two_sets_beside_each_other_and_two_kinds_of_spectra(report):
    cuts = explore.explorer(None, report)
    first, other = list(cuts.sets)[:2]
    cuts.choose(set=first, beside=other, point=(5.0, 600.0))
    m, fit = cuts.sets[other].matrix, cuts.sets[other].fit
    i, j = int(np.argmin(np.abs(m.delay_ps - 5.0))), m.near(600.0)
    lines = cuts.lines["spectrum"]
    assert np.array_equal(lines[0].get_ydata(), 1e3 * m.signal[i], equal_nan=True)
    assert np.allclose(cuts.lines["trace"][3].get_ydata(), 1e3 * fit.fitted()[:, j])
    assert f"beside, {other}" in cuts.said.get_text()
    cuts.choose(beside=explore.FIRST)  # the same data: its fit alone
    own = 1e3 * cuts.sets[first].fit.fitted()
    at = int(np.argmin(np.abs(cuts.sets[first].matrix.delay_ps - cuts.at[0])))
    assert not len(lines[0].get_xdata()) and np.allclose(lines[3].get_ydata(), own[at])
    cuts.choose(beside="none", spectra="EADS")
    assert np.allclose(shown(cuts), 1e3 * cuts._fit().eads().values)
    assert "EADS" in cuts.axes["decays"].get_ylabel() and not len(lines[3].get_xdata())


def test_a_number_of_lifetimes_given_to_all_stays_where_one_set_has_its_own():
    sheet = read_sheet(
        EXAMPLES / "transient_absorption", "transient_absorption", sniff=analyse.sniff
    )
    made = analyse.analyse(sheet, {"components": 3})
    cuts = explore.explorer(sheet, made)
    first, *others = cuts.sets
    cuts.choose(components="2")
    assert cuts.settings == {"components": {first: 2} | dict.fromkeys(others, 3)}


def test_files_of_every_fit(report):
    """NetCDF as xarray and pyglotaran read it: named axes, data, fit, spectra, the record."""
    kept = dict(explore.files(report))
    assert {"late_dads.csv", "late_eads.csv", "late_fit.json", "late_corrected.csv"} < set(kept)
    found = netcdf_file(io.BytesIO(kept["control_before.nc"]), mmap=False)
    one = report.found["control"]["before"]
    assert found.variables["data"].dimensions == ("time", "spectral")
    assert np.array_equal(found.variables["time"][:], one.matrix.delay_ps)
    data, fitted = (found.variables[n][:] for n in ("data", "fitted_data"))
    assert np.array_equal(data, one.matrix.signal, equal_nan=True) and np.isnan(data).any()
    assert np.allclose(found.variables["residual"][:], data - fitted, equal_nan=True)
    assert np.allclose(found.variables["lifetime"][:3], one.fit.lifetimes_ps)
    names = [b"".join(row).decode().strip("\0") for row in found.variables["component"][:]]
    assert tuple(names) == one.fit.model.spectra
    assert json.loads(found.record.decode())["result"]["ssr"] == one.fit.ssr


def test_slides_name_the_package_that_they_need(report, tmp_path):
    """A slide a sample and one of the batch, numbers in the notes."""
    try:
        from pptx import Presentation
    except ImportError:
        with pytest.raises(ImportError, match="python-pptx"):
            slides(report)
        return
    deck = Presentation(io.BytesIO(slides(report)))
    assert len(deck.slides) == len(report.samples) + 1
    assert "lifetime 1" in deck.slides[0].notes_slide.notes_text_frame.text
    assert any(shape.shape_type == 13 for shape in deck.slides[0].shapes)  # a picture


# ---- fluence, and streak cameras -----------------------------------------------------------------


def test_all_fluences_of_a_sample_in_one_fit(tmp_path):
    """Mono- and bimolecular decay at 1, 4 and 16 times a fluence: both lifetimes as made, where
    each set alone has others."""
    t, nm = np.r_[np.arange(-1, 2, 0.1), np.geomspace(2, 1500, 35)], np.linspace(500, 700, 12)
    law = Recombination({1: 400.0, 2: 900.0})
    rng = np.random.default_rng(0)
    for fluence in (1, 4, 16):
        pulse = SimpleNamespace(matrix=SimpleNamespace(fluence=fluence))
        n = law.made(np.log(law.start), t, 0.1, pulse, False)[0]
        y = 1e-3 * n * np.exp(-(((nm - 600) / 40) ** 2))
        noise = 2e-5 * rng.standard_normal(y.shape)
        write_matrix(tmp_path / f"film_{fluence}.csv", t, nm, y + noise, digits=7)
    (tmp_path / "samples.csv").write_text(
        "sample,measurement,file,fluence_uJ_cm2,signal_unit\n"
        "film,ta,film_{fluence_uJ_cm2}.csv,,OD\n"
    )
    sheet = read_sheet(tmp_path, "transient_absorption", sniff=analyse.sniff)
    settings = {"artefact": 0, "dispersion_order": 0, "components": 1, "orders": (1, 2)}
    report = analyse.analyse(sheet, settings | {"fwhm_ps": 0.25})
    for name, truth in (("first", 400.0), ("second", 900.0)):
        (q,) = report.select(sample="film", name=f"lifetime of {name} order at the lowest fluence")
        assert q.value is not None, q.reasons
        assert abs(q.value - truth) < max(4 * q.standard_error, 0.03 * truth), str(q)
    alone = [q.value for q in report.quantities if q.name == "lifetime 1"]
    assert max(alone) > 2 * min(alone)


def test_a_streak_camera_through_the_folder(tmp_path):
    """The sweep back, half a period later, is part of the model and no background."""
    t, nm = np.linspace(-40, 160, 300), np.linspace(500, 700, 12)
    c = columns(t - 5.0, np.array([1 / 30, 1 / 900]), 1.2, period=2000.0)[0]
    spectra = [np.exp(-(((nm - at) / 30) ** 2)) for at in (570, 630)]
    y = 0.1 * c @ spectra + 3e-4 * np.random.default_rng(0).standard_normal((300, 12))
    write_matrix(tmp_path / "film.csv", t, nm, y, digits=6)
    (tmp_path / "samples.csv").write_text(
        "sample,measurement,file,signal_unit\nfilm,ta,film.csv,OD\n"
    )
    sheet = read_sheet(tmp_path, "transient_absorption", sniff=analyse.sniff)
    settings = {"period_ps": 2000.0, "fwhm_ps": 3.0, "dispersion_order": 0, "components": 2}
    report = analyse.analyse(sheet, settings)
    assert not report.problems
    for name, truth in (("lifetime 1", 30.0), ("lifetime 2", 900.0)):
        (q,) = report.select(sample="film", name=name)
        assert q.status == "reported" and abs(q.value - truth) < 4 * q.standard_error, q.reasons
