"""Writes the folders `lib/peled/examples/<topic>/` of the lab notebooks, the same every time.

`python tests/lab_examples.py` writes all; a test holds the committed files against it. Made of
nothing but textbook formulas, so that the analysis meets numbers it did not make: EQE = Φ q / (J A),
and the luminance of a Lambertian emitter from its photons by the CIE's V(λ).
"""

from __future__ import annotations

import csv
import math
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
    for group, devices in LED.items():
        for name, (peak_eqe, peak_nm) in devices.items():
            jvl, el = device(rng, peak_eqe, peak_nm, spectrum=name != NO_SPECTRUM)
            write(folder / f"{group}_{name}_jvl.csv", jvl)
            if el:
                write(folder / f"{group}_{name}_el.txt", el)
    minutes = np.arange(0, 181, 3.0)
    level = 100 * (0.3 * np.exp(-minutes / 12) + 0.7 * np.exp(-minutes / 260))
    level *= 1 + rng.normal(0, 0.004, minutes.size)
    lines = ["Current density (mA/cm2): 5", "Time (min)\tLuminance (cd/m2)"]
    write(
        folder / "treated_2a_life.txt",
        lines + [f"{t:.0f}\t{y:.2f}" for t, y in zip(minutes, level)],
    )
    write(folder / "notes.txt", ["2c: spectrometer was in use, no spectra taken"])


def device(rng, peak_eqe: float, peak_nm: float, *, spectrum: bool = True):
    """Lines of the sweep and of the spectra of one device."""
    v = np.round(np.arange(0, 5.01, 0.1), 3)
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
    return lines, spectra(rng, peak_nm) if spectrum else []


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
            write(
                folder / f"{group}_{name}_pl.csv",
                _rows("Wavelength (nm),counts", x, counts.round()),
            )
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
        write(
            folder / f"{group}_{name}_series.csv",
            _rows(heads, x[200:], *(c[200:] for c in columns)),
        )


PL_PEAKS = {name: said[0] for films in PL.values() for name, said in films.items()}


def _rows(head: str, *columns: np.ndarray) -> list[str]:
    rows = zip(*columns, strict=True)
    return [head, *(",".join([f"{r[0]:.2f}", *(f"{c:.0f}" for c in r[1:])]) for r in rows)]


#: Lifetimes (ps) of the sets; the README of the folder states them.
SETS = {
    ("film_a", "before"): (0.8, 18.0, 400.0),
    ("film_a", "after"): (0.8, 18.0, 620.0),
    ("film_b", "before"): (0.8, 26.0, 450.0),
}
LOST = {("film_b", "before"): 45}  # one missing cell in so many


def transient_absorption(folder: Path) -> None:
    """Three sets of two films: decays convolved with the response, a chirp, one unread file."""
    rng = np.random.default_rng(21)
    t = np.r_[np.arange(-1.0, 1.6, 0.08), np.geomspace(1.7, 1800, 34)].round(3)
    x = np.arange(480.0, 701.0, 5.0)
    xi = 1e3 / x - 1e3 / 590
    zero = 0.05 - 0.55 * xi + 0.25 * xi**2
    heights = (-2.0, 3.0, 5.0), (4.0, -6.0, -9.0)  # mOD, of two bands
    centres, widths = ((520, 540, 530), (610, 618, 622)), (28, 22)
    for key, taus in SETS.items():
        y = np.zeros((t.size, x.size))
        for i, tau in enumerate(taus):
            spectrum = sum(
                h[i] * np.exp(-(((x - c[i]) / w) ** 2) / 2)
                for h, c, w in zip(heights, centres, widths)
            )
            y += spectrum * convolved(t[:, None] - zero, tau, 0.11 / 2.3548)
        y += rng.normal(0, 0.05, y.shape)
        cells = np.char.mod("%.4f", y)
        if every := LOST.get(key):
            cells[rng.random(y.shape) < 1 / every] = "NaN"
        lines = ["# dA (mOD)", ",".join(["delay (ps)\\wavelength (nm)", *(f"{a:g}" for a in x)])]
        lines += [",".join([f"{a:g}", *row]) for a, row in zip(t, cells)]
        write(folder / f"{key[0]}_{key[1]}.csv", lines)
    write(folder / "notes.txt", ["film_b after: beam blocked, not measured"])


def convolved(t: np.ndarray, tau: float, sigma: float) -> np.ndarray:
    """exp(-t/tau) from zero on, convolved with a Gaussian."""
    rise = np.vectorize(math.erfc)((sigma / tau - t / sigma) / math.sqrt(2))
    return 0.5 * np.exp(np.minimum(sigma**2 / (2 * tau**2) - t / tau, 50.0)) * rise


PROCEDURE = """\
title: Caesium lead bromide crystals from solution, with two shells
source: own
chemicals:
  csbr: {name: CsBr, formula: CsBr, releases: {Cs: 1, Br: 1}, purity: 99.9 %}
  pbbr2: {name: PbBr2, formula: PbBr2, releases: {Pb: 1, Br: 2}, purity: 99 %}
  dmso: {name: DMSO, formula: C2H6OS}
  toluene: {name: toluene, formula: C7H8}
  octanoic_acid:
    {name: octanoic acid, formula: C8H16O2, releases: {octanoic acid: 1}, purity: 98 %,
     density: 0.91 g/mL}
  octylamine:
    {name: octylamine, formula: C8H19N, releases: {octylamine: 1}, purity: 99 %,
     density: 0.782 g/mL}
steps:
  - id: solution
    title: Solution of the salts
    conditions: [60 °C until clear]
    add:
      - {chemical: csbr, mass: 85.1 mg, to: flask}
      - {chemical: pbbr2, mass: 146.8 mg, to: flask}
      - {chemical: dmso, volume: 10 mL, to: flask}
  - id: injection
    title: Into toluene
    conditions: [stirred]
    add: {chemical: toluene, volume: 10 mL, to: beaker}
    transfer: {from: flask, to: beaker, volume: 1 mL}
  - id: washing
    title: Crystals spun down
    conditions: ["6,000 rpm, 5 min"]
    precipitate: {vessel: beaker, keep: {Pb: 0.8, Cs: 0.8, Br: 0.8}}
  - id: dispersing
    title: Dispersed
    disperse: {vessel: beaker, volume: 5 mL, chemical: toluene}
  - id: acid
    title: Acid shell
    alternative: acid
    treat: {chemical: octanoic_acid, volume: 20 uL, to: beaker}
  - id: amine
    title: Amine shell
    alternative: amine
    treat: {chemical: octylamine, volume: 20 uL, to: beaker}
product:
  formula: CsPbBr3
  components: {Cs: 1, Pb: 1, Br: 3}
  vessel: beaker
"""


def synthesis(folder: Path) -> None:
    """One procedure with two alternative treatments, and a note that is no procedure."""
    write(folder / "procedure.yaml", PROCEDURE.splitlines())
    write(folder / "notes.txt", ["the amine turned the dispersion cloudy"])


#: Rigid bodies: element, charge (e), Lennard-Jones sigma (angstrom) and epsilon (kcal/mol), place.
#: Water is TIP3P; the others are made up in its likeness.
BODIES = {
    "water": [
        ("O", -0.834, 3.15, 0.152, (0.0, 0.0, 0.0)),
        ("H", 0.417, 0.4, 0.046, (0.757, 0.586, 0.0)),
        ("H", 0.417, 0.4, 0.046, (-0.757, 0.586, 0.0)),
    ],
    "ammonia": [
        ("N", -1.02, 3.42, 0.17, (0.0, 0.0, 0.0)),
        ("H", 0.34, 0.4, 0.046, (0.94, 0.0, 0.37)),
        ("H", 0.34, 0.4, 0.046, (-0.47, 0.814, 0.37)),
        ("H", 0.34, 0.4, 0.046, (-0.47, -0.814, 0.37)),
    ],
}
SALT = [
    ("Na", 1.0, 2.6, 0.1, (2.82 * i, 2.82 * j, -2.82 * k))
    if (i + j + k) % 2
    else ("Cl", -1.0, 4.4, 0.1, (2.82 * i, 2.82 * j, -2.82 * k))
    for i in range(4)
    for j in range(4)
    for k in range(2)
]
STARTS = 4


def energetics(folder: Path) -> None:
    """Water and ammonia on a cluster of salt, alone and together, by a pair potential."""
    rng = np.random.default_rng(22)
    frame(folder / "salt.xyz", [SALT])
    kept = {}
    for name, body in BODIES.items():
        frame(folder / f"{name}.xyz", [body])
        found = [settled(rng, body, [SALT], 0.0 if name == "water" else 5.0) for _ in range(60)]
        kept[name] = [body for _, body in sorted(found, key=lambda f: f[0])[:STARTS]]
        for i, one in enumerate(kept[name]):
            frame(folder / f"{name}_on_salt-{i}.xyz", [one, SALT])
    for i in range(STARTS):
        pair = [kept["water"][i], kept["ammonia"][i]]
        frame(folder / f"both_on_salt-{i}.xyz", [*pair, SALT])
    lines = [
        "name,complex,parts,molecules",
        "water,water_on_salt-*.xyz,water.xyz + salt.xyz,1",
        "ammonia,ammonia_on_salt-*.xyz,ammonia.xyz + salt.xyz,1",
        "water+ammonia,both_on_salt-*.xyz,water.xyz + ammonia.xyz + salt.xyz,2",
        "methane,methane_on_salt.xyz,methane.xyz + salt.xyz,1",
    ]
    write(folder / "energies.csv", lines)


def settled(rng, body, others, x: float) -> tuple[float, list]:
    """A body turned at random, at the height of the lowest energy above a place near x."""
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.linalg.det(turn)  # no mirror image
    at = np.array([x + rng.uniform(0.5, 3.0), rng.uniform(2.0, 6.5), 0.0])
    tried = []
    for z in np.arange(2.0, 5.0, 0.05):
        placed = [(*a[:4], tuple(turn @ np.array(a[4]) + at + [0, 0, z])) for a in body]
        tried.append((energy([placed, *others]), placed))
    return min(tried, key=lambda t: t[0])


def energy(bodies: list) -> float:
    """Coulomb and Lennard-Jones between rigid bodies, eV."""
    total = 0.0
    for i, one in enumerate(bodies):
        for other in bodies[:i]:
            q, s, e = (np.array([a[k] for a in one], float)[:, None] for k in (1, 2, 3))
            p, t, f = (np.array([a[k] for a in other], float)[None] for k in (1, 2, 3))
            r = np.array([a[4] for a in one])[:, None] - np.array([a[4] for a in other])[None]
            d = np.sqrt((r**2).sum(axis=-1))
            x = ((s + t) / 2 / d) ** 6
            total += (14.39964 * q * p / d + 4 * np.sqrt(e * f) * 0.0433641 * (x * x - x)).sum()
    return float(total)


def frame(path: Path, bodies: list) -> None:
    """An extended XYZ with the energy."""
    atoms = [atom for body in bodies for atom in body]
    said = f"energy={energy(bodies):.6f} method=pair-potential charge=0 converged=T"
    head = f'Properties=species:S:1:pos:R:3 {said} program="lab_examples" pbc="F F F"'
    rows = (f"{a[0]:2s}" + "".join(f" {v + 0.0:11.5f}" for v in np.round(a[4], 5)) for a in atoms)
    write(path, [str(len(atoms)), head, *rows])


TOPICS = {
    "led": led,
    "photoluminescence": photoluminescence,
    "transient_absorption": transient_absorption,
    "synthesis": synthesis,
    "energetics": energetics,
}

if __name__ == "__main__":
    for topic, make in TOPICS.items():
        (EXAMPLES / topic).mkdir(exist_ok=True)
        make(EXAMPLES / topic)
