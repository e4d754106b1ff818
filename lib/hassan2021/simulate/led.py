"""Raw-like data of mixed-halide nanocrystal LEDs: what sourcemeter, luminance meter and lifetime
bench would have written.

`python -m hassan2021.simulate.led` writes data/led from fixed seeds. The paper prints few device
numbers, so most of what stands in `ASSUMPTIONS` is chosen; only the orderings and the numbers in
`PUBLISHED` are the paper's. No analysis module is used here: currents come from Kirchhoff's law
solved by bisection with Murgatroyd transport, efficiencies from a rate equation solved by Newton's
method, spectra from a Gaussian distribution of nanocrystal energies seen through a spectrometer
slit.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import constants

from ledger.files import ROOT, write_atomically
from peled.formats.delimited import read_table
from peled.tables import table

HYSTERESIS_V = 0.02  #: by which a sweep lags behind
TEMPERATURE_K = 295.0  #: of the device

HC_EV_NM = constants.h * constants.c / constants.e * 1e9
AREA_CM2 = 0.045

#: Printed in the paper (main text, Extended Data Figs. 7, 8); everything else is an assumption.
PUBLISHED = {
    "peak EQE": 0.203,
    "current density of peak, mA cm-2": 0.1,
    "EL peak, nm": 620.0,
    "shoulder, nm": 680.0,
    "lifetime series (J mA cm-2, L0 cd m-2, EQE0, T50 min)": (
        (0.1, 30.0, 0.164, 340.0),
        (1.0, 150.0, 0.091, 130.0),
        (10.0, 600.0, 0.033, 16.0),
    ),
    "drive and rest": (0.5, 60.0, 360.0),
    "devices in the histogram": 25,
}

ASSUMPTIONS = (
    f"device area {AREA_CM2} cm2; Lambertian emission; luminance along the normal by a "
    "meter with 0.02 cd m-2 noise floor and 1 % reading noise",
    "EL band: Gaussian in energy, FWHM 35 nm, with a low-energy tail of 12 meV; neat "
    "devices at 634 nm, 40 nm wide; I-rich band 680 nm, 46 nm wide",
    "segregation: photon share of the I-rich band grows as a delayed stretched "
    "exponential (exponent 0.8) towards a share that saturates with current",
    "currents: diode (ideality 1.7 to 2.2) in series with space-charge transport "
    "(Murgatroyd) and 18 Ohm, shunt and trap-assisted leakage in parallel",
    "sourcemeter: ranges per decade with 0.05 % gain steps (one device with 8 % at 10 "
    "uA), noise 0.1 nA; sweeps up and down with a small hysteresis",
    "efficiency: leakage at low current and bimolecular quenching at high current, "
    "placed so that the peak is the printed one at 0.1 mA cm-2",
    "lifetime: burn-in and stretched exponential scaled through the printed T50; 0.4 % noise",
    "histogram: 25 devices from a skewed distribution with median near 17 % whose best "
    "is the printed peak",
    "which curve of Extended Data Fig. 5 belongs to which ligand is inferred from the "
    "order in the text",
)


# ---- current -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Diode:
    """Electrical parameters of one device (current densities in mA cm-2, resistances in Ohm
    cm2)."""

    saturation: float = 1e-16
    ideality: float = 1.9
    mobility_cm2_Vs: float = 2e-6
    field_factor: float = 4e-4
    thickness_nm: float = 100.0
    series_Ohm_cm2: float = 0.8
    shunt_Ohm_cm2: float = 3e6
    trap_leakage: float = 2e-6


def current_density(voltage_V: np.ndarray, device: Diode) -> np.ndarray:
    """Current density (mA cm-2) at each voltage, by bisection of Kirchhoff's laws.

    Transport: J = 9/8 eps eps0 mu V^2/L^3 exp(0.891 gamma sqrt(V/L)) (Murgatroyd, J. Phys. D 3, 151
    (1970)), with eps_r = 3.
    """
    voltage = np.asarray(voltage_V, float)
    thermal = constants.k * TEMPERATURE_K / constants.e
    length = device.thickness_nm * 1e-9
    prefactor = (
        9 / 8 * 3 * constants.epsilon_0 * device.mobility_cm2_Vs * 1e-4 / length**3 * 0.1
    )  # mA cm-2 per V2

    def through(junction: np.ndarray) -> np.ndarray:
        return device.saturation * np.expm1(
            np.clip(junction / (device.ideality * thermal), None, 200.0)
        )

    def transported(drop: np.ndarray) -> np.ndarray:
        positive = np.clip(drop, 0.0, None)
        return (
            prefactor
            * positive**2
            * np.exp(np.clip(0.891 * device.field_factor * np.sqrt(positive / length), None, 60.0))
        )

    def beside(inner: np.ndarray) -> np.ndarray:
        return (
            1e3 * inner / device.shunt_Ohm_cm2
            + device.trap_leakage * np.sign(inner) * np.abs(inner) ** 2.5
        )

    def diode(inner: np.ndarray) -> np.ndarray:
        low, high = np.zeros_like(inner), np.maximum(inner, 0.0)
        for _ in range(48):
            middle = 0.5 * (low + high)
            too_much = through(middle) > transported(inner - middle)
            low, high = np.where(too_much, low, middle), np.where(too_much, middle, high)
        return through(0.5 * (low + high))

    low, high = np.minimum(voltage, 0.0), np.maximum(voltage, 0.0)
    for _ in range(48):
        inner = 0.5 * (low + high)
        excess = inner + 1e-3 * (diode(inner) + beside(inner)) * device.series_Ohm_cm2 > voltage
        low, high = np.where(excess, low, inner), np.where(excess, inner, high)
    inner = 0.5 * (low + high)
    return diode(inner) + beside(inner)


# ---- efficiency ----------------------------------------------------------------------------------


def emitted_fraction(
    current_mA_cm2: np.ndarray, *, quench_mA_cm2: float, leak_mA_cm2: float
) -> np.ndarray:
    """EQE up to a constant: excitons lost to each other, from the rate equation g = n + n^2; a
    fixed current that goes past."""
    current = np.asarray(current_mA_cm2, float)
    g = 2 * np.abs(current) / quench_mA_cm2
    return 2 / (1 + np.sqrt(1 + 4 * g)) * np.abs(current) / (np.abs(current) + leak_mA_cm2)


@lru_cache(maxsize=64)
def peaked(peak_eqe: float, peak_mA_cm2: float, quench_mA_cm2: float) -> dict[str, float]:
    """Leakage and scale that put the maximum of `emitted_fraction` at the given point."""
    grid = peak_mA_cm2 * np.geomspace(0.5, 2.0, 401)
    leaks = np.geomspace(1e-4, 3.0, 600) * peak_mA_cm2
    places = np.array(
        [
            grid[np.argmax(emitted_fraction(grid, quench_mA_cm2=quench_mA_cm2, leak_mA_cm2=leak))]
            for leak in leaks
        ]
    )
    leak = float(leaks[np.argmin(np.abs(np.log(places / peak_mA_cm2)))])
    top = float(
        emitted_fraction(np.array([peak_mA_cm2]), quench_mA_cm2=quench_mA_cm2, leak_mA_cm2=leak)[0]
    )
    return {"scale": peak_eqe / top, "quench_mA_cm2": quench_mA_cm2, "leak_mA_cm2": leak}


# ---- spectra -------------------------------------------------------------------------------------

WAVELENGTH_NM = np.arange(450.0, 851.0)
#: Where the bands are; the noise of the rest of the axis is drawn after that of these points.
BANDS = (WAVELENGTH_NM >= 540) & (WAVELENGTH_NM <= 780)


@dataclass(frozen=True)
class Emitter:
    """The emission band: peak and width of the mixed phase, tail, and the I-rich band that may grow
    beside it."""

    peak_nm: float = 620.0
    fwhm_nm: float = 35.0
    tail_meV: float = 12.0
    rich_nm: float = 680.0
    rich_fwhm_nm: float = 46.0


def _band(
    peak_nm: np.ndarray, fwhm_nm: np.ndarray, tail_meV: float, wavelength_nm: np.ndarray
) -> np.ndarray:
    """Photons per nm, unit area: a Gaussian in energy convolved with a one-sided exponential to low
    energy, by quadrature."""
    peak_nm, fwhm_nm = np.atleast_1d(peak_nm)[:, None, None], np.atleast_1d(fwhm_nm)[:, None, None]
    energy = HC_EV_NM / wavelength_nm[None, :, None]
    sigma = HC_EV_NM / peak_nm**2 * fwhm_nm / 2.3548
    nodes, weights = np.polynomial.laguerre.laggauss(24)
    tail = tail_meV * 1e-3
    # The convolution moves the maximum by nearly the mean of the tail: shifted back here, left as
    # it falls.
    shape = (
        np.exp(-0.5 * ((energy + nodes * tail - HC_EV_NM / peak_nm - 0.75 * tail) / sigma) ** 2)
        @ weights
    )
    photons = shape * (HC_EV_NM / wavelength_nm**2)
    return photons / photons.sum(axis=1, keepdims=True)


def emission(
    emitter: Emitter, share: np.ndarray, shift_nm: np.ndarray, broadening_nm: np.ndarray
) -> np.ndarray:
    """Power spectra (m, n), unit maximum of the first: mixed band shifted and broadened, photon
    share `share` in the I-rich band."""
    share, shift, broad = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(a, float)) for a in (share, shift_nm, broadening_nm))
    )
    main = _band(emitter.peak_nm + shift, emitter.fwhm_nm + broad, emitter.tail_meV, WAVELENGTH_NM)
    rich = _band(
        np.array([emitter.rich_nm]),
        np.array([emitter.rich_fwhm_nm]),
        emitter.tail_meV,
        WAVELENGTH_NM,
    )
    power = ((1 - share[:, None]) * main + share[:, None] * rich) / WAVELENGTH_NM
    return power / power[0].max()


def grown(
    time_min: np.ndarray,
    final: float,
    time_constant_min: float,
    delay_min: float = 0.0,
    exponent: float = 0.8,
) -> np.ndarray:
    """Delayed stretched exponential from 0 to `final`."""
    return final * (
        1
        - np.exp(
            -(
                (np.clip(np.asarray(time_min, float) - delay_min, 0, None) / time_constant_min)
                ** exponent
            )
        )
    )


#: Per surface: final I-rich share, shift (nm), broadening (nm) of the mixed band under 10 mA cm-2,
#: time constant (min).
SEGREGATION = {
    "neat": (0.38, 5.0, 6.0, 6.0),
    "OA": (0.30, 12.0, 5.0, 9.0),
    "EDTA": (0.012, 0.7, 3.2, 8.0),
    "GL": (0.002, 0.15, 0.3, 8.0),
    "EG": (0.003, 0.25, 0.6, 8.0),
    "EDTA_ADAC": (0.16, 6.0, 7.0, 6.0),
    "GL_ADAC": (0.004, 0.35, 0.6, 8.0),
    "EG_ADAC": (0.11, 4.5, 5.5, 7.0),
}
EMITTERS = {name: Emitter() for name in SEGREGATION} | {
    "neat": Emitter(634.0, 40.0),
    "OA": Emitter(632.0, 39.0),
    "EDTA": Emitter(622.0, 37.0),
    "EDTA_ADAC": Emitter(622.0, 38.0),
}


def driven(name: str, current_mA_cm2: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share, shift and broadening after a short dwell at a current: saturating with current, none
    below a threshold."""
    final, shift, broad, _ = SEGREGATION[name]
    excess = np.clip(np.asarray(current_mA_cm2, float) - 0.02, 0, None)
    weight = excess / (excess + 3.0)
    return final * weight, shift * weight, broad * weight


def noisy(spectra: np.ndarray, rng: np.random.Generator, level: float = 0.004) -> np.ndarray:
    """Shot-like and constant noise, relative to the maximum of each spectrum."""
    top = spectra.max(axis=1, keepdims=True)
    noise = np.empty_like(spectra)
    for part in (BANDS, ~BANDS):
        noise[:, part] = rng.standard_normal((len(spectra), np.count_nonzero(part)))
    return spectra + level * noise * np.sqrt(top * np.clip(spectra, 0, None) + 0.1 * top**2)


# ---- devices -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Device:
    """One device: electrics, emitter and efficiency, with the voltages of its sweep."""

    surface: str
    diode: Diode
    peak_eqe: float
    peak_mA_cm2: float
    quench_mA_cm2: float
    v_max: float = 6.0


DEVICES = {
    "fig3_neat": Device(
        "neat",
        Diode(
            saturation=8e-18,
            mobility_cm2_Vs=1.1e-6,
            ideality=2.1,
            shunt_Ohm_cm2=8e5,
            trap_leakage=2e-5,
        ),
        0.058,
        0.45,
        4.0,
    ),
    "fig3_EG": Device(
        "EG", Diode(saturation=1.0e-18, mobility_cm2_Vs=4e-6, ideality=1.9), 0.203, 0.1, 0.63
    ),
    "ed5_EDTA": Device(
        "EDTA", Diode(saturation=3.5e-18, mobility_cm2_Vs=3.2e-6, ideality=2.0), 0.152, 0.16, 1.0
    ),
    "ed5_GL": Device(
        "GL", Diode(saturation=2.2e-18, mobility_cm2_Vs=2.0e-6, ideality=2.0), 0.089, 0.20, 1.4
    ),
    "ed7_OA": Device(
        "OA",
        Diode(
            saturation=9e-18,
            mobility_cm2_Vs=0.9e-6,
            ideality=2.2,
            shunt_Ohm_cm2=6e5,
            trap_leakage=3e-5,
        ),
        0.021,
        0.6,
        5.0,
    ),
    "ed7_EG": Device(
        "EG", Diode(saturation=2.2e-18, mobility_cm2_Vs=2.2e-6, ideality=2.0), 0.085, 0.25, 1.6
    ),
}


@lru_cache(maxsize=1)
def _photopic() -> np.ndarray:
    columns = read_table(table("cie/cie_1924_photopic.csv")).columns
    return np.column_stack([column.values for column in columns])


def luminous_watt(power: np.ndarray) -> np.ndarray:
    """Luminance of a Lambertian emitter per emitted photon rate density, cd m-2 per (photons s-1
    m-2), from the CIE table."""
    table = _photopic()
    v = np.interp(WAVELENGTH_NM, table[:, 0], table[:, 1])
    photons = power * WAVELENGTH_NM * 1e-9 / (constants.h * constants.c)
    return 683.002 * (power * v).sum(axis=-1) / photons.sum(axis=-1) / np.pi


@lru_cache(maxsize=64)
def _currents(
    diode: Diode, v_max: float, step_V: float, hysteresis_V: float
) -> tuple[np.ndarray, np.ndarray]:
    up = np.round(np.arange(0.0, v_max + step_V / 2, step_V), 6)
    return np.r_[up, up[-2::-1]], current_density(np.r_[up, up[-2::-1] + hysteresis_V], diode)


def sweep(
    device: Device,
    rng: np.random.Generator,
    *,
    step_V: float = 0.05,
    range_step: float = 5e-4,
) -> dict[str, np.ndarray]:
    """A sweep up and down: voltage, current (A) as the ranges of the meter show it, luminance."""
    voltage, true = _currents(device.diode, device.v_max, step_V, HYSTERESIS_V)
    current = true * 1e-3 * AREA_CM2
    decade = np.ceil(np.log10(np.clip(np.abs(current), 1e-9, None) / 1.05))
    gain = 1 + range_step * np.where(decade == -5, 1.0, 0.05 * np.sin(3.1 * decade))
    seen = current * gain * (
        1 + 2e-3 * rng.standard_normal(current.size)
    ) + 1e-10 * rng.standard_normal(current.size)
    factors = peaked(device.peak_eqe, device.peak_mA_cm2, device.quench_mA_cm2)
    eqe = factors["scale"] * emitted_fraction(
        true, quench_mA_cm2=factors["quench_mA_cm2"], leak_mA_cm2=factors["leak_mA_cm2"]
    )
    # Below the emission onset the current is leakage and carries no light.
    eqe = eqe / (1 + np.exp(-(voltage - 1.85) / 0.04))
    spectra = emission(EMITTERS[device.surface], *driven(device.surface, true))
    lum = eqe * np.abs(true) * 10 / constants.e * luminous_watt(spectra)
    lum = lum * (1 + 0.01 * rng.standard_normal(lum.size)) + 0.02 * rng.standard_normal(lum.size)
    return {
        "voltage_V": voltage,
        "current_A": seen,
        "luminance_cd_m2": lum,
        "true_eqe": eqe,
        "true_J": true,
    }


# ---- files ---------------------------------------------------------------------------------------


def _write_csv(
    path: Path,
    header: list[str],
    columns: dict[str, np.ndarray],
    delimiter: str = ",",
    formats: dict[str, str] | None = None,
) -> None:
    out = io.StringIO()
    for line in header:
        out.write(line + "\n")
    out.write(delimiter.join(columns) + "\n")
    form = formats or {}
    for row in zip(*columns.values(), strict=True):
        out.write(
            delimiter.join(
                format(value, form.get(name, ".6g"))
                for name, value in zip(columns, row, strict=True)
            )
            + "\n"
        )
    write_atomically(path, out.getvalue())


def _write_xlsx(path: Path, title: str, head: list[tuple], columns: dict[str, np.ndarray]) -> None:
    """An Excel sheet with the same bytes each time: fixed dates inside and in the archive."""
    from datetime import datetime

    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    for row in head:
        sheet.append(row)
    sheet.append(list(columns))
    for row in zip(*columns.values(), strict=True):
        sheet.append([float(f"{value:.6g}") for value in row])
    book.properties.created = book.properties.modified = datetime(2021, 3, 3)
    raw, fixed = io.BytesIO(), io.BytesIO()
    book.save(raw)
    with zipfile.ZipFile(raw) as old, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if (
                name == "docProps/core.xml"
            ):  # the library stamps the time of saving whatever it is told
                import re

                content = re.sub(
                    rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2021-03-03T00:00:00Z", content
                )
            new.writestr(zipfile.ZipInfo(name, (2021, 3, 3, 0, 0, 0)), content)
    write_atomically(path, fixed.getvalue())


def _write_spectra(path: Path, spectra: np.ndarray, heads: list[str], header: list[str]) -> None:
    columns = {"Wavelength (nm)": WAVELENGTH_NM} | {
        head: row for head, row in zip(heads, spectra, strict=True)
    }
    _write_csv(
        path, header, columns, formats={"Wavelength (nm)": ".0f"} | {head: ".5f" for head in heads}
    )


def write_sweeps(folder: Path) -> None:
    """J-V-L sweeps of the six devices of Fig. 3, Extended Data Figs. 5 and 7, in three formats."""
    for number, (name, device) in enumerate(DEVICES.items()):
        got = sweep(
            device,
            np.random.default_rng([4, 1, number]),
            range_step=0.08 if name == "ed5_GL" else 5e-4,
        )
        if name.startswith("ed7"):
            columns = {
                "Voltage (V)": got["voltage_V"],
                "Current density (mA/cm2)": got["current_A"] * 1e3 / AREA_CM2,
                "Luminance (cd/m2)": got["luminance_cd_m2"],
            }
            _write_xlsx(
                folder / f"{name}.xlsx",
                "JVL",
                [("Device", name), ("Area (cm2)", AREA_CM2)],
                columns,
            )
            continue
        columns = {
            "Voltage (V)": got["voltage_V"],
            "Current (A)": got["current_A"],
            "Luminance (cd/m2)": got["luminance_cd_m2"],
        }
        header = [f"# simulated; Keithley 2400 with CS-2000; {name}", f"Area (cm2): {AREA_CM2}"]
        _write_csv(
            folder / f"{name}{'.tsv' if name.startswith('ed5') else '.csv'}",
            header,
            columns,
            "\t" if name.startswith("ed5") else ",",
            {"Current (A)": ".6e", "Voltage (V)": ".3f"},
        )


def write_spectra(folder: Path) -> None:
    """Spectra against time, bias and current; heads carry the parameter and its unit."""
    note = ["# simulated; spectral radiance, arbitrary units, relative-calibrated (power per nm)"]

    def series(
        path: str,
        name: str,
        share,
        shift,
        broad,
        heads: list[str],
        number: int,
        what: str,
        level: float = 0.004,
    ) -> None:
        spectra = noisy(
            emission(EMITTERS[name], share, shift, broad),
            np.random.default_rng([4, 2, number]),
            level,
        )
        _write_spectra(folder / path, spectra, heads, [*note, f"# {what}"])

    times = np.array([0, 0.5, 1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20.0])
    currents = np.array([0.1, 0.3, 0.5, 1, 2, 3, 5, 7, 10.0])
    number = 0
    for surface in ("neat", "EG"):
        final, shift, broad, tau = SEGREGATION[surface]
        course = grown(times, 1.0, tau * 1.6, 0.5)
        series(
            f"fig3_{surface}_time.csv",
            surface,
            0.65 * final * course,
            0.65 * shift * course,
            0.65 * broad * course,
            [f"{t:g} min" for t in times],
            number,
            "constant current 1.5 mA/cm2",
        )
        series(
            f"fig3_{surface}_current.csv",
            surface,
            *driven(surface, currents),
            [f"{j:g} mA/cm2" for j in currents],
            number + 1,
            "spectra at rising current density",
        )
        number += 2
    biases = np.array([2.6, 2.8, 3.0, 3.25, 3.5, 3.75, 4.0, 4.5, 5.0])
    for stem, surface, device in (
        ("ed5_EDTA", "EDTA", "ed5_EDTA"),
        ("ed5_GL", "GL", "ed5_GL"),
        ("ed5_EG", "EG", "fig3_EG"),
        ("ed7_OA", "OA", "ed7_OA"),
        ("ed7_EG", "EG", "ed7_EG"),
    ):
        series(
            f"{stem}_voltage.csv",
            surface,
            *driven(surface, current_density(biases, DEVICES[device].diode)),
            [f"{v:g} V" for v in biases],
            number,
            "spectra at rising bias",
        )
        number += 1
    for surface in ("EDTA", "GL", "EG", "EDTA_ADAC", "GL_ADAC", "EG_ADAC"):
        final, shift, broad, tau = SEGREGATION[surface]
        course = grown(times, 1.0, tau, 0.3)
        series(
            f"ed5_{surface}_time.csv",
            surface,
            final * course,
            shift * course,
            broad * course,
            [f"{t:g} min" for t in times],
            number,
            "constant current 10 mA/cm2",
        )
        number += 1
    drive = np.array([0, 1, 2, 4, 6, 8, 10, 15, 20, 25, 30, 40, 50, 60.0])
    rest = np.array([0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8.0])
    for surface, moved in (("OA", 11.0), ("EG", 0.2)):
        course = grown(drive, moved, 18.0, 0.0, 0.9)
        series(
            f"ed7_{surface}_drive.csv",
            surface,
            0 * course,
            course,
            0.2 * course,
            [f"{t:g} min" for t in drive],
            number,
            "constant current 0.5 mA/cm2",
        )
        left = course[-1] * np.exp(-rest / 1.4)
        series(
            f"ed7_{surface}_rest.csv",
            surface,
            0 * left,
            left,
            0.2 * left,
            [f"{t:g} h" for t in rest],
            number + 1,
            "same device, at rest in the glovebox, probed briefly",
        )
        number += 2
    for surface in ("neat", "EG"):
        final, shift, broad, tau = SEGREGATION[surface]
        for current, t50 in (
            (1.0, 130.0 if surface == "EG" else 40.0),
            (10.0, 16.0 if surface == "EG" else 6.0),
        ):
            steps = np.array([100, 90, 80, 70, 60, 50])
            at = t50 * (np.log(100 / steps) / np.log(2)) ** (1 / 0.75)
            weight = current / (current + 1.5)
            course = grown(at, weight, tau * 2, 0.3)
            heads = [f"T{s} @ {t:.2f} min" for s, t in zip(steps, at, strict=True)]
            series(
                f"ed8_{surface}_{current:g}mA_steps.csv",
                surface,
                final * course,
                shift * course,
                broad * course,
                heads,
                number,
                f"constant current {current:g} mA/cm2, at steps of the luminance",
            )
            number += 1
    series(
        "batch_EG_current.csv",
        "EG",
        *driven("EG", currents),
        [f"{j:g} mA/cm2" for j in currents],
        number,
        "one device of the batch, spectra at rising current density",
    )


#: Burn-in share, its time constant in units of T50, and the exponent of the long decay (assumed).
BURN_IN, BURN_IN_TIME, STRETCH = 0.10, 0.06, 0.85


def decay(time_min: np.ndarray, t50_min: float) -> np.ndarray:
    """L/L0 with a burn-in and a stretched exponential that pass one half at `t50_min`."""
    x = np.asarray(time_min, float) / t50_min
    at_half = 0.5 - BURN_IN * np.exp(-1 / BURN_IN_TIME)
    rate = np.log((1 - BURN_IN) / at_half)
    return BURN_IN * np.exp(-x / BURN_IN_TIME) + (1 - BURN_IN) * np.exp(-rate * x**STRETCH)


def write_lifetime(folder: Path) -> None:
    """Luminance logs at the three printed drives."""
    for number, (current, lum0, _, t50) in enumerate(
        PUBLISHED["lifetime series (J mA cm-2, L0 cd m-2, EQE0, T50 min)"]
    ):
        rng = np.random.default_rng([4, 3, number])
        time = np.linspace(0, 1.6 * t50, 200)
        lum = lum0 * decay(time, t50) * (1 + 0.004 * rng.standard_normal(time.size))
        lum[0] = lum0
        header = [
            "# simulated; constant current, in air",
            f"Current density (mA/cm2): {current:g}",
            f"Initial luminance (cd/m2): {lum0:g}",
        ]
        _write_csv(
            folder / f"ed8_EG_{current:g}mA.csv",
            header,
            {"Time (min)": time, "Luminance (cd/m2)": lum},
            formats={"Time (min)": ".4f", "Luminance (cd/m2)": ".5g"},
        )


def write_batch(folder: Path) -> None:
    """Sweeps up of the 25 devices of the histogram; the best is the printed peak."""
    rng = np.random.default_rng([4, 4])
    count = PUBLISHED["devices in the histogram"]
    peaks = 0.203 - np.abs(0.018 * rng.standard_normal(count) + 0.033)
    peaks = np.clip(peaks, 0.08, 0.2)
    peaks[int(np.argmax(peaks))] = PUBLISHED["peak EQE"]
    base = DEVICES["fig3_EG"]
    for i, peak in enumerate(peaks):
        diode = replace(
            base.diode,
            saturation=base.diode.saturation * 10 ** rng.normal(0, 0.3),
            mobility_cm2_Vs=base.diode.mobility_cm2_Vs * 10 ** rng.normal(0, 0.08),
        )
        got = sweep(replace(base, diode=diode, peak_eqe=float(peak), v_max=5.0), rng, step_V=0.1)
        part = slice(0, (got["voltage_V"].size + 1) // 2)
        columns = {
            "Voltage (V)": got["voltage_V"][part],
            "Current (A)": got["current_A"][part],
            "Luminance (cd/m2)": got["luminance_cd_m2"][part],
        }
        _write_csv(
            folder / f"EG_{i + 1:02d}.csv",
            [f"Area (cm2): {AREA_CM2}"],
            columns,
            formats={"Voltage (V)": ".2f", "Current (A)": ".5e", "Luminance (cd/m2)": ".5g"},
        )


def main() -> None:
    """Write all simulated files of data/led."""
    folder = ROOT / "data" / "led"
    write_sweeps(folder / "sweeps")
    write_spectra(folder / "spectra")
    write_lifetime(folder / "lifetime")
    write_batch(folder / "batch")


if __name__ == "__main__":
    main()
