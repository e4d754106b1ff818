"""Writes the folders `lib/peled/examples/<topic>/` of the lab notebooks, the same every time.

`python tests/lab_examples.py` writes all; a test holds the committed files against it. Made of
nothing but textbook formulas, so that the analysis meets numbers it did not make: EQE = Φ q / (J A),
and the luminance of a Lambertian emitter from its photons by the CIE's V(λ).
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).resolve().parents[1] / "lib" / "peled" / "examples"
CIE = EXAMPLES.parent / "tables" / "cie" / "cie_1924_photopic.csv"

Q, H, C = 1.602176634e-19, 6.62607015e-34, 299792458.0
AREA = 0.045  # cm2

#: Peak EQE and emission peak (nm) of the devices; the README of the folder states them.
LED = {
    "control": {"1a": (0.082, 656.0), "1b": (0.078, 657.0), "1c": (0.086, 655.0)},
    "treated": {"2a": (0.121, 651.0), "2b": (0.127, 650.0), "2c": (0.118, 651.5)},
}
NO_SPECTRUM = "2c"  # so that one number is withheld
OFFSET = 0.004  # of the spectrometer's baseline, of the peak at the largest bias


def photopic(wavelength_nm: np.ndarray) -> np.ndarray:
    """V(λ) of 1924, from the CIE's table."""
    with open(CIE, encoding="utf-8") as stream:
        rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    x, y = (np.array([float(row[k]) for row in rows]) for k in ("wavelength_nm", "V"))
    return np.interp(wavelength_nm, x, y, left=0.0, right=0.0)


def band(x: np.ndarray, peak_nm: float) -> np.ndarray:
    """Power per nm of a Gaussian 34 nm wide."""
    return np.exp(-4 * np.log(2) * ((x - peak_nm) / 34) ** 2)


def led(folder: Path) -> None:
    """Six light-emitting diodes of two groups, a lifetime, and a note that is no measurement."""
    rng = np.random.default_rng(20)
    v = np.round(np.arange(0, 5.01, 0.1), 3)
    for group, devices in LED.items():
        for name, (peak_eqe, peak_nm) in devices.items():
            diode = 1e-6 * v + 3e-4 * np.exp(np.minimum((v - 1.9) / 0.13, 40.0))
            j = 1 / (1 / np.maximum(diode, 1e-12) + 1 / (1e-9 + 12 * v**3 / 5**2))  # mA/cm2
            eqe = peak_eqe * 2 / (j / 2.5 + 2.5 / np.maximum(j, 1e-12)) ** 0.5 / np.sqrt(2)
            eqe[v < 2.0] = 0.0
            x = np.arange(520.0, 800.0)
            s = band(x, peak_nm)
            photons = eqe * j * 10 / Q  # 1/(s m2)
            lumen = 683.002 * (s * photopic(x)).sum() / (s * x * 1e-9).sum() * H * C
            luminance = photons * lumen / np.pi
            said = luminance * (1 + rng.normal(0, 0.004, v.size)) + 0.05
            said += rng.normal(0, 0.02, v.size)
            current = j * 1e-3 * AREA * (1 + rng.normal(0, 0.002, v.size))
            lines = ["Voltage (V),Current (A),Luminance (cd/m2)"]
            lines += [f"{a:.1f},{b:.4e},{c:.3f}" for a, b, c in zip(v, current, said)]
            write(folder / f"{group}_{name}_jvl.csv", lines)
            if name != NO_SPECTRUM:
                write(folder / f"{group}_{name}_el.txt", spectra(rng, peak_nm))
    minutes = np.arange(0, 181, 3.0)
    level = 100 * (0.3 * np.exp(-minutes / 12) + 0.7 * np.exp(-minutes / 260))
    level *= 1 + rng.normal(0, 0.004, minutes.size)
    lines = ["Current density (mA/cm2): 5", "Time (min)\tLuminance (cd/m2)"]
    write(
        folder / "treated_2a_life.txt",
        lines + [f"{t:.0f}\t{y:.2f}" for t, y in zip(minutes, level)],
    )
    write(folder / "notes.txt", ["2c: spectrometer was in use, no spectra taken"])


def spectra(rng, peak_nm: float) -> list[str]:
    """Counts at five biases; nothing is lit at 1 V."""
    x = np.arange(450.0, 850.0, 0.8)
    biases = {1.0: 0.0, 2.5: 0.05, 3.0: 0.2, 3.5: 0.5, 4.0: 1.0}
    columns = []
    for volts, height in biases.items():
        shape = band(x, peak_nm - 0.4 * (volts - 3)) * height
        counts = 20000 * (shape + OFFSET) + rng.normal(0, 12, x.size)
        columns.append(counts + rng.normal(0, 1, x.size) * np.sqrt(20000 * shape))
    lines = ["Wavelength (nm)\t" + "\t".join(f"{volts} V" for volts in biases)]
    rows = zip(x, *columns)
    return lines + ["\t".join([f"{r[0]:.2f}", *(f"{c:.0f}" for c in r[1:])]) for r in rows]


def write(path: Path, lines: list[str]) -> None:
    path.write_bytes(("\n".join(lines) + "\n").encode())


#: Films of `photoluminescence`: PL peak (nm), PLQY, lifetime (ns); the README states them.
PL = {
    "control": {"f1": (652.0, 0.31, 9.0), "f2": (653.0, 0.29, 8.5), "f3": (651.5, 0.33, 9.4)},
    "treated": {"f4": (644.0, 0.62, 21.0), "f5": (643.5, 0.66, 22.5), "f6": (644.5, 0.64, 21.5)},
}
DIM = "f3"  # its beam was blocked in the sphere: one number is withheld


def photoluminescence(folder: Path) -> None:
    """Six films of two groups: spectra, runs of a sphere, decays with a response, two series."""
    rng = np.random.default_rng(21)
    x = np.arange(380.0, 800.0, 0.8)
    t = np.arange(0, 120, 0.25)
    pulse = np.exp(-0.5 * ((t - 10.5) / 0.4) ** 2)
    write(folder / "trpl_irf.csv", _rows("Time (ns),counts", t, rng.poisson(9000 * pulse + 0.3)))
    for group, films in PL.items():
        for name, (peak_nm, plqy, tau) in films.items():
            shape = np.exp(-4 * np.log(2) * ((x - peak_nm) / 30) ** 2)
            counts = rng.poisson(9000 * plqy * shape) + 40 + rng.normal(0, 6, x.size)
            write(folder / f"{group}_{name}_pl.csv", _rows("Wavelength (nm),counts", x, counts.round()))
            fine = np.arange(0, 120, 0.025)
            kernel = np.exp(-0.5 * ((fine - 10.5) / 0.4) ** 2)
            law = np.convolve(kernel, np.exp(-fine / tau))[: fine.size].reshape(-1, 10).sum(axis=1)
            decay = rng.poisson(1.2e5 * law / law.sum() + 0.5)
            write(folder / f"{group}_{name}_trpl.csv", _rows("Time (ns),counts", t, decay))
            lit = 0.0 if name == DIM else 0.45
            for run, left, taken in (
                ("empty", 1.0, 0.0), ("indirect", 0.9, 0.1 * lit / 0.45),
                ("direct", (1 - lit) * 0.9, lit + (1 - lit) * 0.1 * lit / 0.45),
            ):  # fmt: skip
                line = np.exp(-0.5 * ((x - 405) / 1.5) ** 2)
                light = left * line / line.sum() + plqy * taken * shape / shape.sum()
                seen = rng.poisson(3e5 * light * 405 / x) + 30 + rng.normal(0, 8, x.size)
                path = folder / f"{group}_{name}_sphere_{run}.csv"
                write(path, _rows("Wavelength (nm),counts", x, seen.round()))
    said = "# quantity: energy\nWavelength (nm),factor"
    write(folder / "sphere_calibration.csv", _rows(said, x[::25], np.ones(x[::25].size)))
    for group, name, share in (("control", "f1", 0.35), ("treated", "f4", 0.0)):
        minutes = np.arange(0, 20)
        columns = []
        for grown in share * (1 - np.exp(-minutes / 5)):
            near = np.exp(-4 * np.log(2) * ((x - PL_PEAKS[name]) / 30) ** 2)
            far = np.exp(-4 * np.log(2) * ((x - PL_PEAKS[name] - 42) / 30) ** 2)
            columns.append(rng.poisson(900 * ((1 - grown) * near + grown * far) + 20))
        columns[0] = columns[0] // 3  # the shutter opened within the first frame
        heads = ",".join(["Wavelength (nm)", *(f"{60 * m} s" for m in minutes)])
        write(folder / f"{group}_{name}_series.csv", _rows(heads, x[200:], *(c[200:] for c in columns)))


PL_PEAKS = {name: said[0] for films in PL.values() for name, said in films.items()}


def _rows(head: str, *columns: np.ndarray) -> list[str]:
    rows = zip(*columns, strict=True)
    return [head, *(",".join([f"{r[0]:.2f}", *(f"{c:.0f}" for c in r[1:])]) for r in rows)]


TOPICS = {"led": led, "photoluminescence": photoluminescence}

if __name__ == "__main__":
    for topic, make in TOPICS.items():
        (EXAMPLES / topic).mkdir(exist_ok=True)
        make(EXAMPLES / topic)
