"""Van Roosbroeck and Shockley: closed forms, coverage on noise, no number without a line."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from peled.photoluminescence import measures
from peled.photoluminescence import reciprocity as r
from peled.photoluminescence.analyse import analyse, sniff
from peled.samples import read_sheet

KT = r.K_EV * 300
E = np.linspace(1.5, 2.2, 700)


def film(urbach=0.015, gap=1.9):
    """Absorptance with a soft edge and an Urbach tail; emission by the relation."""
    alpha = np.where(gap < E, 1 + 3 * (E - gap), np.exp((E - gap) / urbach))
    absorbed = 1 - np.exp(-1.5 * alpha)
    return absorbed, absorbed * E**2 * np.exp(-(E - gap) / KT)


def test_kT_and_urbach_energy_cover():
    absorbed, emitted = film()
    pulls = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        sa, se = 2e-4, 2e-3 * emitted.max()
        a = absorbed + rng.normal(0, sa, E.size)
        m = emitted + rng.normal(0, se, E.size)
        kt = r.thermal_energy(E, m, np.full(E.size, se), a, np.full(E.size, sa))
        alpha = -np.log(1 - a)
        eu = r.urbach_energy(E, alpha, sa / (1 - a))
        pulls.append([(kt.scale_eV - KT) / kt.error_eV, (eu.scale_eV - 0.015) / eu.error_eV])
    inside = np.mean(np.abs(pulls) < 1.96, axis=0)
    assert np.all(inside > 0.9), inside
    assert kt.error_eV < 0.1 * KT and eu.error_eV < 0.002


def test_emission_continues_absorption():
    """Where absorption is lost in noise, the emission's tail gives the same Urbach energy."""
    _, emitted = film()
    rng = np.random.default_rng(1)
    se = 1e-5 * emitted.max()
    detailed = np.exp((E - E.mean()) / KT) / E**2
    implied, error = (emitted + rng.normal(0, se, E.size)) * detailed, se * detailed
    tail = E < 1.95
    found = r.urbach_energy(E[tail], implied[tail], error[tail])
    assert abs(found.scale_eV - 0.015) < 4 * found.error_eV < 0.003
    assert found.window_eV[0] < 1.80


def test_noise_and_flat_spectra_give_nothing():
    rng = np.random.default_rng(2)
    noise, one = rng.normal(0, 1, E.size), np.ones(E.size)
    with pytest.raises(ValueError, match="expected at least"):
        r.thermal_energy(E, noise, one, noise, one)
    with pytest.raises(ValueError, match="absorption edge"):
        r.urbach_energy(E, noise, one)
    with pytest.raises(ValueError, match="expected a rise"):
        r.thermal_energy(E, E**2 * np.exp(0 * E), 1e-3 * one, 0.5 + 0.4 * (E > 2.1), 1e-3 * one)


def test_an_offset_of_the_absorption_widens_the_error():
    absorbed, emitted = film()
    small = np.full(E.size, 2e-4), np.full(E.size, 2e-3 * emitted.max())
    right = r.thermal_energy(E, emitted, small[1], absorbed, small[0])
    off = r.thermal_energy(E, emitted, small[1], absorbed + 0.01, small[0])
    assert off.error_eV > 5 * right.error_eV
    assert abs(off.scale_eV - KT) < 3 * off.error_eV


def _folder(place, absorbed, emitted, seed=4, dark=0.0):
    """Emission, on `dark` counts, and absorptance of a film as files."""
    wavelength = (r.HC_EV_NM / E)[::-1]
    per_nm = (emitted * E**2)[::-1]
    rng = np.random.default_rng(seed)
    counts = rng.poisson(3e4 * per_nm / per_nm.max() + 3 + dark)
    percent = 100 * (absorbed + rng.normal(0, 5e-4, E.size))[::-1]
    for name, head, values in (("pl", "counts", counts), ("abs", "absorptance (%)", percent)):
        table = np.column_stack([wavelength, values])
        np.savetxt(place / f"{name}.csv", table, "%.4f", ",",
                   header=f"Wavelength (nm),{head}", comments="")  # fmt: skip


def test_the_quasi_fermi_splitting_is_the_radiative_limit_less_what_the_yield_costs(tmp_path):
    """Δμ/q = V_oc,rad(A I λ/hc) + kT ln PLQY, of runs of a sphere beside the spectra."""
    absorbed, emitted = film(gap=1.6 + 0.3)
    _folder(tmp_path, absorbed, emitted)
    x, rng, plqy, share = np.arange(380.0, 800.0, 0.8), np.random.default_rng(5), 0.2, 0.5
    laser, band = (np.exp(-0.5 * ((x - c) / w) ** 2) for c, w in ((405, 1.5), (650, 12)))
    light = {"empty": laser / laser.sum()}
    light["direct"] = (1 - share) * light["empty"] + plqy * share * band / band.sum()
    for role, seen in light.items():
        counts = rng.poisson(4e6 * seen * 405 / x) + rng.normal(30, 8, x.size)
        np.savetxt(tmp_path / f"{role}.csv", np.column_stack([x, counts]), "%.2f", ",",
                   header="Wavelength (nm),counts", comments="")  # fmt: skip
    (tmp_path / "gain.csv").write_text("# quantity: energy\nWavelength (nm),factor\n300,1\n900,1\n")
    head = "sample,measurement,file,role,value_unit,temperature_K,excitation_nm,intensity_mW_cm2\n"
    rows = (
        "f,pl,pl.csv,,,,,\nf,absorption,abs.csv,,%A,{},,\nf,plqy,gain.csv,gain,,,,\n"
        "f,plqy,{{role}}.csv,{{role}},,,405,100\n"
    )
    for kelvin in ("300", ""):
        (tmp_path / "samples.csv").write_text(head + rows.format(kelvin))
        report = analyse(read_sheet(tmp_path, "photoluminescence", sniff=sniff))
        found = report.select(name="quasi-Fermi level splitting")
        if not kelvin:
            assert not found and any("temperature_K" in p.reason for p in report.problems)
            continue
        dark = r.radiative_dark_current(E, absorbed, 300.0)
        current = share * 100 * 405 / r.HC_EV_NM
        truth = r.radiative_voltage(current, dark, 300.0) + r.K_EV * 300 * np.log(plqy)
        (q,) = found
        assert abs(q.value - truth) < 2 * q.standard_error < 0.02 and q.budget["PLQY"] > 0


def test_a_folder_gives_the_radiative_limit_of_its_film(tmp_path):
    """J₀ by the absorptance and, below its noise, by the emission: the truth within errors."""
    absorbed, emitted = film(gap=1.6 + 0.3)
    truth = r.radiative_voltage(20.0, r.radiative_dark_current(E, absorbed, 300.0), 300.0)
    _folder(tmp_path, absorbed, emitted)
    sheet = (
        "sample,measurement,file,value_unit,temperature_K,photocurrent_mA_cm2\n"
        "f,pl,pl.csv,,,\nf,absorption,abs.csv,%A,{},20\n"
    )
    for kelvin in ("300", ""):
        (tmp_path / "samples.csv").write_text(sheet.format(kelvin))
        report = analyse(read_sheet(tmp_path, "photoluminescence", sniff=sniff))
        found = report.select(name="radiative limit of the voltage")
        if not kelvin:
            assert not found and any("temperature_K" in p.reason for p in report.problems)
        else:
            (q,) = found
            assert abs(q.value - truth) < 2 * q.standard_error < 0.01
            (line,) = report.select(name="temperature of emission")
            assert abs(line.value - 300) < 3 * line.standard_error < 30


def test_dark_counts_of_the_spectrometer_do_not_move_the_radiative_limit(tmp_path):
    absorbed, emitted = film(gap=1.6 + 0.3)
    truth = r.radiative_voltage(20.0, r.radiative_dark_current(E, absorbed, 300.0), 300.0)
    sheet = "sample,measurement,file,value_unit,temperature_K,photocurrent_mA_cm2\n"
    (tmp_path / "samples.csv").write_text(
        sheet + "f,pl,pl.csv,,,\nf,absorption,abs.csv,%A,300,20\n"
    )
    for dark in (0.0, 9000.0):
        _folder(tmp_path, absorbed, emitted, dark=dark)
        report = analyse(read_sheet(tmp_path, "photoluminescence", sniff=sniff))
        (q,) = report.select(name="radiative limit of the voltage")
        own = (q.standard_error**2 - q.budget["temperature"] ** 2) ** 0.5
        assert abs(q.value - truth) < 2.5 * own < 3e-3 and q.budget["baseline"] > 0
        (shown,) = report.found["f"].emission
        assert abs(np.median(shown.signal.values)) < 0.02 * np.max(shown.signal.values)


def test_the_quantum_efficiency_of_a_cell_gives_its_radiative_limit(tmp_path):
    """Every 10 nm, over energies, ending in the tail, with a zero that a printer has underflown:
    as an EQE is published. The voltage and kT are those of the curve it was taken from."""
    absorbed, emitted = film()
    _folder(tmp_path, absorbed, emitted)
    truth = r.radiative_voltage(20.0, r.radiative_dark_current(E, absorbed, 300.0), 300.0)
    at = r.HC_EV_NM / np.arange(565.0, 676.0, 2.5)
    at = at[np.argsort(-at)]
    rows = [f"{e:.12g}\t{q:.7g}" for e, q in zip(at, np.interp(at, E, absorbed))]
    rows.append(f"{r.HC_EV_NM / 680:.12g}\t6.9940525E-452")
    (tmp_path / "cell.dat").write_text("\n".join(rows) + "\n")
    head = "sample,measurement,file,value_unit,temperature_K,photocurrent_mA_cm2\n"
    sheet = head + "f,pl,pl.csv,,,\nf,absorption,cell.dat,{},300,20\n"
    (tmp_path / "samples.csv").write_text(sheet.format("EQE"))
    report = analyse(read_sheet(tmp_path, "photoluminescence", sniff=sniff))
    (volts,) = report.select(name="radiative limit of the voltage")
    assert abs(volts.value - truth) < 2 * volts.standard_error < 0.012
    (line,) = report.select(name="temperature of emission")
    assert abs(line.value - 300) < 2.5 * line.standard_error < 60
    (panel,) = (one for one in report.panels() if one.name == "absorption")
    panel.draw(figure := Figure())
    assert "EQE" in figure.axes[0].get_ylabel()
    (tmp_path / "samples.csv").write_text(sheet.format("%A"))  # fractions
    report = analyse(read_sheet(tmp_path, "photoluminescence", sniff=sniff))
    assert not report.select(name="radiative limit of the voltage")
    assert any("EQE into value_unit" in problem.reason for problem in report.problems)


@pytest.mark.parametrize("urbach", [0.012, 0.02, 0.04])
def test_an_urbach_tail_ends_where_the_edge_bends(tmp_path, urbach):
    """A film that absorbs five times as much in the blue as at its edge, in per cent transmitted,
    known as an absorption by the name of its file alone."""
    wavelength = np.linspace(400, 900, 1200)
    energy = r.HC_EV_NM / wavelength
    alpha = np.where(energy > 1.7, 1 + 3 * (energy - 1.7), np.exp((energy - 1.7) / urbach))
    seen = 92 * 10 ** (-0.5 * alpha) + np.random.default_rng(7).normal(0, 0.1, energy.size)
    np.savetxt(tmp_path / "film_transmission.txt", np.column_stack([wavelength, seen]), "%.4f")
    report = analyse(read_sheet(tmp_path, "photoluminescence", sniff=sniff))
    assert not report.select(name="PL peak")
    (found,) = report.select(name="Urbach energy")
    assert found.sample == "film" and found.status == "doubtful"
    assert abs(found.value - 1e3 * urbach) < 3.5 * found.standard_error < 0.05 * 1e3 * urbach


@pytest.mark.parametrize(
    ("width", "error", "stated", "expected"),
    [
        (0.08, 0.001, 300, "reported"),
        (0.08, 0.001, None, "reported"),
        (0.08, 0.001, 360, "doubtful"),
        (0.04, 0.001, 300, "withheld"),  # 1.5 kT
        (0.08, 0.005, 300, "withheld"),  # 386 ± 59 K is no temperature
    ],
)
def test_a_temperature_needs_a_tail_and_is_doubtful_where_it_is_not_the_samples(
    width, error, stated, expected
):
    line = r.Line(0.02585, error, (1.9, 1.9 + width), 40, 0.0, 1.92)
    said = {} if stated is None else {"temperature_K": stated}
    findings = measures._thermal(line, said, error)
    found = measures._of_line("T", line, "K", 1 / r.K_EV, findings, {"sample": "f"}, {"more": 1e-5})
    assert found.status == expected and (found.value is None) == (expected == "withheld")
