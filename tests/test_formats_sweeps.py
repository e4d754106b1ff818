"""Readers of device measurements: layouts, units, directions, flags, and what they refuse."""

import io

import numpy as np
import pytest

from peled.formats import FormatError
from peled.formats.sweeps import read_lifetime, read_radiances, read_sweeps


def read_sweep(path, direction="up", **settings):
    """The one sweep in this direction."""
    (found,) = [s for s in read_sweeps(path, **settings) if s.direction == direction]
    return found


V = np.round(np.arange(0, 5.01, 0.25), 3)
J = 1e-3 * np.exp(1.6 * V)
L = np.where(V > 2, 20 * J, 0.0)


def table(heads, columns, header=(), delimiter=","):
    out = io.StringIO()
    for line in header:
        out.write(line + "\n")
    if heads:
        out.write(delimiter.join(heads) + "\n")
    for row in zip(*columns, strict=True):
        out.write(delimiter.join(f"{value:.8g}" for value in row) + "\n")
    return out.getvalue()


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "heads,factor_j,factor_l,area",
    [
        (("Voltage (V)", "Current density (mA/cm2)", "Luminance (cd/m2)"), 1, 1, None),
        (("V [V]", "J [A/m^2]", "L [cd/m²]"), 10, 1, None),
        (("Bias (mV)", "Current Density (A cm-2)", "Brightness (nits)"), 1e-3, 1, None),
        (("Voltage_V", "J_mA_cm2", "Luminance_cd_m2"), 1, 1, None),
        (("Voltage (V)", "Current (mA)", "Lv (kcd/m2)"), 0.045, 1e-3, 0.045),
        (("U (V)", "I (µA)", "L (cd m⁻²)"), 45, 1, 0.045),
    ],
)
def test_units_and_names(tmp_path, heads, factor_j, factor_l, area):
    volts = V * 1e3 if "mV" in heads[0] else V
    sweep = read_sweep(
        write(tmp_path / "d.csv", table(heads, (volts, J * factor_j, L * factor_l))), area_cm2=area
    )
    np.testing.assert_allclose(sweep.voltage_V, V, rtol=1e-6)
    np.testing.assert_allclose(sweep.current_density_mA_cm2, J, rtol=1e-6)
    np.testing.assert_allclose(sweep.luminance_cd_m2, L, rtol=1e-6)


@pytest.mark.parametrize("delimiter", ["\t", ";", ","])
def test_delimiters_decimal_commas_and_utf16(tmp_path, delimiter):
    text = table(("Voltage (V)", "Current density (mA/cm2)"), (V, J), delimiter=delimiter)
    if delimiter != ",":
        text = "\n".join(
            line if i == 0 else line.replace(".", ",") for i, line in enumerate(text.split("\n"))
        )
    sweep = read_sweep(write(tmp_path / "d.txt", text, "utf-16" if delimiter == "\t" else "utf-8"))
    np.testing.assert_allclose(sweep.current_density_mA_cm2, J, rtol=1e-6)


def test_area_from_header_and_parameter(tmp_path):
    for line, area in (
        ("Area (cm2): 0.045", 0.045),
        ("Device area = 4.5 mm2", 0.045),
        ("Pixel Area (mm^2),4.5", 0.045),
    ):
        path = write(
            tmp_path / "d.csv",
            table(("Voltage (V)", "Current (A)"), (V, J * 1e-3 * 0.045), header=[line]),
        )
        sweep = read_sweep(path)
        assert sweep.area_cm2 == pytest.approx(area), line
        np.testing.assert_allclose(sweep.current_density_mA_cm2, J, rtol=1e-6)
        assert any("area" in note for note in sweep.notes)
    np.testing.assert_allclose(
        read_sweep(path, area_cm2=0.09).current_density_mA_cm2, J / 2, rtol=1e-6
    )


def test_units_that_heads_leave_open_can_be_said(tmp_path):
    path = write(tmp_path / "d.csv", table(("V", "I", "L", "PD"), (V, J, L, J)))
    bare = read_sweep(path, area_cm2=0.045)
    assert bare.assumed == {"V": "V", "I": "A", "L": "cd m-2", "PD": "A"}
    said = read_sweep(path, area_cm2=0.045, current_unit="mA", luminance_unit="kcd/m2")
    np.testing.assert_allclose(
        said.current_density_mA_cm2, bare.current_density_mA_cm2 / 1e3, rtol=1e-12
    )
    np.testing.assert_allclose(said.luminance_cd_m2, 1e3 * bare.luminance_cd_m2, rtol=1e-12)
    assert "I" not in said.assumed


def test_every_line_and_column_of_a_sweep_is_accounted_for(tmp_path):
    header = ["Device: 7", "# in air", "Fläche [mm²]: 4,5"]
    text = table(("V (V)", "I (mA)", "x"), (V, J, L), header=header, delimiter=";")
    path = write(tmp_path / "d.csv", text, "cp1252")
    sweep = read_sweep(path)
    assert sweep.area_cm2 == pytest.approx(0.045) and "not used: x" in sweep.notes
    assert sweep.account.counts == {"head": 1, "key": 2, "comment": 1, "data": V.size}


def test_current_without_area_is_an_error(tmp_path):
    path = write(tmp_path / "d.csv", table(("Voltage (V)", "Current (A)"), (V, J)))
    with pytest.raises(FormatError, match=r"device area.*area_cm2"):
        read_sweeps(path)


def test_current_and_density_that_disagree_are_refused(tmp_path):
    path = write(
        tmp_path / "d.csv",
        table(
            ("Voltage (V)", "Current (A)", "Current density (mA/cm2)"),
            (V, J * 1e-3 * 0.045, J),
            header=["Area (cm2): 0.09"],
        ),
    )
    with pytest.raises(FormatError, match=r"0.045 cm2 between the two columns"):
        read_sweeps(path)


def test_up_and_down_are_kept_apart(tmp_path):
    there_and_back = np.r_[V, V[-2::-1]]
    current = np.r_[J, 1.1 * J[-2::-1]]
    up, down = read_sweeps(
        write(tmp_path / "d.csv", table(("Voltage (V)", "J (mA/cm2)"), (there_and_back, current)))
    )
    assert (up.direction, down.direction) == ("up", "down")
    assert len(up) == V.size and len(down) == V.size - 1
    np.testing.assert_allclose(down.current_density_mA_cm2, 1.1 * J[-2::-1], rtol=1e-6)


def test_turn_measured_twice_and_negative_start(tmp_path):
    volts = np.r_[-2.0, -1.0, V, V[::-1], -1.0]
    current = np.r_[-1e-4, -1e-5, J, J[::-1], -1e-5]
    up, down = read_sweeps(
        write(tmp_path / "d.csv", table(("Voltage (V)", "J (mA/cm2)"), (volts, current)))
    )
    assert len(up) == V.size + 2 and len(down) == V.size + 1
    assert not up.repeated.any() and not down.repeated.any()


def test_measurement_noise_in_voltage_is_no_turn(tmp_path):
    rng = np.random.default_rng(0)
    sweeps = read_sweeps(
        write(
            tmp_path / "d.csv",
            table(("Voltage (V)", "J (mA/cm2)"), (V + 0.02 * rng.normal(size=V.size), J)),
        )
    )
    assert [s.direction for s in sweeps] == ["up"]


def test_repeated_bias_points_are_flagged_not_dropped(tmp_path):
    volts, current = np.repeat(V, 2), np.repeat(J, 2)
    (sweep,) = read_sweeps(
        write(tmp_path / "d.csv", table(("Voltage (V)", "J (mA/cm2)"), (volts, current)))
    )
    assert len(sweep) == 2 * V.size and sweep.repeated.sum() == V.size
    assert any("repeated" in note for note in sweep.notes)


def test_keithley_without_heads(tmp_path):
    lines = [
        f"{v:+.6E},{j * 45e-6:+.6E},+9.910000E+37,{0.1 * i:+.6E},"
        f"{0x5800 if v < 4.5 else 0x5808:+.6E}"
        for i, (v, j) in enumerate(zip(V, J, strict=True))
    ]
    sweep = read_sweep(write(tmp_path / "k.txt", "\n".join(lines) + "\n"), area_cm2=0.045)
    np.testing.assert_allclose(sweep.current_density_mA_cm2, J, rtol=1e-5)
    assert sweep.time_s[-1] == pytest.approx(0.1 * (V.size - 1))
    np.testing.assert_array_equal(sweep.compliance, V >= 4.5)
    assert sweep.good.sum() == (V < 4.5).sum()


def test_keithley_2450_buffer(tmp_path):
    lines = ["Index,Buffer,Channel,Reading,Unit,Source Value,Source Unit,Relative Time"]
    lines += [
        f"{i},defbuffer1,0,{j * 45e-6:.6e},Amp DC,{v:.4f},Volt DC,{0.1 * i:.3f}"
        for i, (v, j) in enumerate(zip(V, J, strict=True), 1)
    ]
    sweep = read_sweep(write(tmp_path / "k.csv", "\n".join(lines)), area_cm2=0.045)
    np.testing.assert_allclose(sweep.current_density_mA_cm2, J, rtol=1e-5)
    np.testing.assert_allclose(sweep.voltage_V, V)
    assert sweep.time_s is not None


def test_compliance_seen_in_the_current_alone(tmp_path):
    current = np.minimum(J, J[V == 4.0])
    sweep = read_sweep(
        write(tmp_path / "d.csv", table(("Voltage (V)", "J (mA/cm2)"), (V, current)))
    )
    np.testing.assert_array_equal(sweep.compliance, V >= 4.0)


@pytest.mark.parametrize("size,flagged", [(0.0, 0), (0.10, 1)])
def test_range_step_is_flagged_only_when_there_is_one(tmp_path, size, flagged):
    v = np.arange(2.0, 4.0, 0.05)
    current = (
        1e-7 * np.exp(3.5 * (v - 2)) * (1 + 1e-3 * np.random.default_rng(1).normal(size=v.size))
    )
    current = np.where(current > 1.05e-5, current * (1 + size), current)
    sweep = read_sweep(
        write(tmp_path / "d.csv", table(("Voltage (V)", "Current (A)"), (v, current))),
        area_cm2=0.045,
    )
    assert sweep.range_change.sum() == flagged
    if flagged:
        assert 1e-5 < current[sweep.range_change][0] < 1.5e-5


def test_devices_side_by_side(tmp_path):
    path = write(
        tmp_path / "d.csv",
        table(
            ("V (V)", "J (mA/cm2)", "L (cd/m2)", "V (V)", "J (mA/cm2)", "L (cd/m2)"),
            (V, J, L, V, 2 * J, 3 * L),
        ),
    )
    first, second = read_sweeps(path)
    np.testing.assert_allclose(
        second.current_density_mA_cm2, 2 * first.current_density_mA_cm2, rtol=1e-6
    )
    assert {first.label, second.label} == {"device 1", "device 2"}


def test_reported_columns_and_hamamatsu_heads(tmp_path):
    heads = (
        "No.",
        "Voltage[V]",
        "Current[mA]",
        "Current Density[mA/cm2]",
        "Luminance[cd/m2]",
        "Luminance Efficiency[cd/A]",
        "External Quantum Efficiency[%]",
        "x",
        "y",
    )
    lit = V > 2
    n = np.arange(lit.sum())
    columns = (
        n,
        V[lit],
        J[lit] * 0.045,
        J[lit],
        L[lit],
        L[lit] / J[lit] / 10,
        5 + 0 * n,
        0.68 + 0 * n,
        0.32 + 0 * n,
    )
    sweep = read_sweep(
        write(tmp_path / "h.csv", table(heads, columns, header=["C9920-12", "Area (cm2),0.045"]))
    )
    np.testing.assert_allclose(sweep.reported_eqe, 0.05)
    np.testing.assert_allclose(sweep.reported_cd_A, 2.0)


def test_source_and_measured_columns(tmp_path):
    sweep = read_sweep(
        write(
            tmp_path / "d.csv",
            table(
                ("Source Voltage (V)", "Measured Voltage (V)", "Current density (mA/cm2)"),
                (V, V - 0.01, J),
            ),
        )
    )
    assert len(sweep) == V.size


def test_excel_with_sheets_and_text_cells(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for k, sheet in enumerate((book.active, book.create_sheet("second"))):
        sheet.append(["Area (cm2)", 0.045])
        sheet.append(["Voltage (V)", "Current (A)", "Luminance (cd/m2)", "remark"])
        for v, j, lum in zip(V, J, L, strict=True):
            sheet.append([float(v), float(j * 1e-3 * 0.045 * (k + 1)), float(lum), "ok"])
    book.save(tmp_path / "b.xlsx")
    first, second = read_sweeps(tmp_path / "b.xlsx")
    np.testing.assert_allclose(first.current_density_mA_cm2, J, rtol=1e-9)
    np.testing.assert_allclose(second.current_density_mA_cm2, 2 * J, rtol=1e-9)


def test_missing_luminance_readings_are_said(tmp_path):
    text = table(("Voltage (V)", "J (mA/cm2)", "Luminance (cd/m2)"), (V, J, L)).split("\n")
    text[3] = text[3].rsplit(",", 1)[0] + ",nan"
    sweep = read_sweep(write(tmp_path / "d.csv", "\n".join(text)))
    assert np.isnan(sweep.luminance_cd_m2).sum() == 1 and any(
        "without a reading" in note for note in sweep.notes
    )


@pytest.mark.parametrize(
    "change,message",
    [
        (lambda t: t.replace("Voltage (V)", "Voltage (furlong)"), "unit of voltage"),
        (lambda t: t.replace("Voltage (V)", "Length (m)"), "voltage column"),
        (lambda t: t.replace("J (mA/cm2)", "Depth (m)"), "current"),
        (
            lambda t: "\n".join([*t.split("\n")[:8], "1.9,oops,3", *t.split("\n")[8:]]),
            "line 9, column 2",
        ),
        (lambda t: "\n".join([*t.split("\n")[:8], "1.9,,3", *t.split("\n")[8:]]), "current"),
        (lambda t: "\n".join([*t.split("\n")[:8], "1.9,0.1,-50", *t.split("\n")[8:]]), "luminance"),
        (lambda t: "\n".join(t.split("\n")[:3]), "three bias points"),
        (lambda t: "", "empty"),
        (lambda t: "only words here", "rows of numbers"),
    ],
)
def test_broken_files_are_refused_with_the_place(tmp_path, change, message):
    path = write(
        tmp_path / "d.csv",
        change(table(("Voltage (V)", "J (mA/cm2)", "Luminance (cd/m2)"), (V, J, L))),
    )
    with pytest.raises(FormatError, match=message) as caught:
        read_sweeps(path)
    assert "d.csv" in str(caught.value)


def test_a_stray_cell_far_from_the_table_is_refused_before_it_costs(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    for row in zip(V, J, strict=True):
        book.active.append([float(v) for v in row])
    book.active["XFD1048576"] = 1
    book.save(tmp_path / "b.xlsx")
    with pytest.raises(FormatError, match="stray cells"):
        read_sweeps(tmp_path / "b.xlsx")


def test_damaged_xlsx(tmp_path):
    (tmp_path / "b.xlsx").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(FormatError, match="Excel"):
        read_sweeps(tmp_path / "b.xlsx")


# ---- luminance meter -----------------------------------------------------------------------------


def test_cs2000_export(tmp_path):
    w = np.arange(380, 781)
    band = np.exp(-0.5 * ((w - 620) / 15) ** 2)
    lines = ["Instrument,CS-2000", "Data Name,A,B", "Lv,100.5,201.0", "x,0.67,0.67"] + [
        f"{k},{v:.5e},{2 * v:.5e}" for k, v in zip(w, band, strict=True)
    ]
    got = read_radiances(write(tmp_path / "cs.csv", "\n".join(lines)))
    assert got.radiance.shape == (2, 401) and got.labels == ("A", "B")
    np.testing.assert_allclose(got.luminance_cd_m2, [100.5, 201.0])
    np.testing.assert_allclose(got.radiance[1], 2 * got.radiance[0], rtol=1e-4)
    with pytest.raises(FormatError, match="wavelength"):
        read_radiances(write(tmp_path / "no.csv", "\n".join(lines[:4])))
    assert got.account.counts == {"head": 0, "key": 4, "comment": 0, "data": 401}
    for bad in ("420,#N/A,22", "4O0,1,2", "nan,1,2", "400,1", "oops,1,2"):
        damaged = [*lines[:30], bad, *lines[31:]]
        with pytest.raises(FormatError, match="line 31"):
            read_radiances(write(tmp_path / "no.csv", "\n".join(damaged)))


# ---- lifetime ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head,factor", [("Time (s)", 1), ("Time (min)", 60), ("Elapsed time [h]", 3600)]
)
def test_lifetime_units(tmp_path, head, factor):
    t = np.linspace(0, 10, 30)
    log = read_lifetime(
        write(
            tmp_path / "l.csv",
            table(
                (head, "Luminance (cd/m2)"),
                (t, 100 * np.exp(-t / 10)),
                header=["Current density (mA/cm2): 1.5", "Initial luminance (cd/m2): 100"],
            ),
        )
    )
    np.testing.assert_allclose(log.time_s, t * factor)
    assert (log.current_density_mA_cm2, log.initial_luminance_cd_m2, log.signal_unit) == (
        1.5,
        100.0,
        "cd m-2",
    )


def test_lifetime_clock_stamps(tmp_path):
    lines = ["Date,Luminance (cd/m2)"] + [
        f"2020-05-17 14:{m:02d}:00,{100 - m}" for m in range(0, 50, 5)
    ]
    np.testing.assert_allclose(
        read_lifetime(write(tmp_path / "l.csv", "\n".join(lines))).time_s, 300 * np.arange(10)
    )


@pytest.mark.parametrize(
    "heads,times,message",
    [
        (("Time", "Luminance (cd/m2)"), np.arange(10.0), "time unit"),
        (("Time (s)", "Luminance (cd/m2)"), np.r_[0, 1, 2, 1.5, 3, 4], "time after 2 s"),
        (("Depth (m)", "Luminance (cd/m2)"), np.arange(10.0), "time column"),
        (("Time (s)", "Depth (m)"), np.arange(10.0), "luminance"),
    ],
)
def test_broken_lifetime_logs(tmp_path, heads, times, message):
    with pytest.raises(FormatError, match=message):
        read_lifetime(write(tmp_path / "l.csv", table(heads, (times, 100 - times))))


@pytest.mark.parametrize(
    "heads",
    [
        "V,J(mA/cm2),L(cd/m2),EQE(%),CE(cd/A),PE(lm/W)",
        "Voltage / V,Current density / mA cm-2,Luminance / cd m-2,EQE / %,CE / cd A-1,PE / lm W-1",
        "Voltage[V],Current Density[mA/cm²],Luminance[cd/m²],External Quantum "
        "Efficiency[%],Luminance Efficiency[cd/A],Power Efficacy[lm/W]",
        "voltage,current_density,luminance,eqe,ce,pe",
        "Voltage (V),Current Density (mA/cm2),Luminance (Cd/m2),EQE (%),Current "
        "Efficiency (Cd/A),Luminous Efficacy (lm/W)",
        "Bias,Jd (mA/cm2),Brightness (nit),EQE,LE (cd/A),PE (lm/W)",
        "Vdev (V),Jdev (mA/cm2),Lum (cd/m2),EQE (%),CE (cd/A),PE (lm/W)",
    ],
)
def test_heads_as_laboratories_write_them(tmp_path, heads):
    lit = V > 1
    columns = (
        V[lit],
        J[lit],
        L[lit],
        np.full(lit.sum(), 5.0),
        np.full(lit.sum(), 2.0),
        np.full(lit.sum(), 1.5),
    )
    sweep = read_sweep(write(tmp_path / "d.csv", heads + "\n" + table((), columns)))
    np.testing.assert_allclose(sweep.luminance_cd_m2, L[lit], rtol=1e-6)
    np.testing.assert_allclose(sweep.reported_eqe, 0.05)
    np.testing.assert_allclose(sweep.reported_cd_A, 2.0)
