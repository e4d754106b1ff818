"""Writes the folders `lib/peled/examples/<topic>/` of the lab notebooks, the same every time.

`python tests/lab_examples.py` writes all; a test holds the committed files against it. Made of
nothing but textbook formulas, so that the analysis meets numbers it did not make: EQE = Φ q / (J
A), and the luminance of a Lambertian emitter from its photons by the CIE's V(λ).
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
from scipy.special import wofz

from hassan2021.simulate.writers import write_bruker, write_tiff

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
    write(folder / "stack.csv", STACK)


#: Layers from the substrate up, the emission of the devices at about 653 nm.
STACK = [
    "name,role,thickness_nm,n,k,index_table,wavelength_nm,fwhm_nm",
    "glass,substrate,,,,soda-lime_Rubin,,",
    "ITO,anode,130,1.85,0.005,,,",
    "HTL,hole,40,1.70,0,,,",
    "nanocrystals,emitter,25,1.85,0,,653,36",
    "ETL,electron,40,1.72,0,,,",
    "Al,cathode,100,,,Al_Rakic,,",
]


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
    _fluences(folder, rng, t)


#: First-order (1/s) and radiative rate (cm³/s) of the fluence series of film f4.
RATES = 4.5e7, 9e-11


def _fluences(folder: Path, rng, t) -> None:
    """Decays of film f4 at three fluences (µJ/cm²), 45 % absorbed in 50 nm: closed form."""
    k, b = RATES
    fine = np.arange(0, 120, 0.025)
    kernel = np.exp(-0.5 * ((fine - 10.5) / 0.4) ** 2)
    for fluence in (0.2, 2, 20):
        density = fluence * 1e-6 * 0.45 / (H * C / 405e-9) / 50e-7
        fall = np.exp(-1e-9 * k * fine)
        light = (fall / (1 + b * density / k * (1 - fall))) ** 2
        law = np.convolve(kernel, light)[: fine.size].reshape(-1, 10).sum(axis=1)
        decay = rng.poisson(8e4 * law / law.sum() + 0.5)
        write(folder / f"treated_f4_{fluence:g}uJ.csv", _rows("Time (ns),counts", t, decay))


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


#: Vinyl protons over the standard's ring protons, by integrals; the README states them.
NMR = {
    "control": {"c1": 0.80, "c2": 0.76, "c3": 0.84},
    "treated": {"t1": 0.35, "t2": 0.38, "t3": 0.33},
}
T1_S = {"ring H": 2.1, "OCH3": 1.2}
UNTUNED = "t3"  # its decay is noise: one number is withheld
PROTON_MHZ, CARBON_MHZ = 400.13, 100.61


def nmr(folder: Path) -> None:
    """Ligands stripped into DMSO-d6 beside a standard; one recovery; a solid with adamantane."""
    rng = np.random.default_rng(24)
    for group, tubes in NMR.items():
        for name, ratio in tubes.items():
            size = 0.0 if name == UNTUNED else 1.0
            lines = [
                *multiplet(2.53, (1, 2, 3, 2, 1), 1.9, 1.2, 9.0),
                (3.36, 4.0, 25.0), (6.12, 1.2, 30.0), (3.72, 1.2, 90.0), (1.27, 15.0, 200 * ratio),
                *multiplet(5.35, (1, 2, 1), 4.8, 1.5, 30.0 * ratio),
                *multiplet(0.88, (1, 2, 1), 6.8, 1.5, 45.0 * ratio),
            ]  # fmt: skip
            data = decay(rng, lines, PROTON_MHZ, 4800.0, 4096, 0.4, carrier=5.0, size=size)
            bruker(folder / f"{group}_{name}", data, "1H", 4800.0, 5.0, solvent="DMSO")
    delays = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.3, 2.0, 3.5, 6.0, 12.0])
    left = {name: 1 - 1.94 * np.exp(-delays / t) for name, t in T1_S.items()}
    data = [
        decay(rng, [(6.09, 6.0, 30 * a), (3.69, 6.0, 90 * b)], PROTON_MHZ, 2400.0, 1024, 0.5,
              carrier=5.0, turn=0.7)
        for a, b in zip(*left.values())
    ]  # fmt: skip
    bruker(folder / "standard_recovery", np.array(data), "1H", 2400.0, 5.0, solvent="DMSO",
           pulse_program="t1ir", contact_times_s=delays)  # fmt: skip
    off = 0.62  # ppm that the scale of the solids is off
    for name, lines in {
        "adamantane": [(38.48, 25.0, 60.0), (29.45, 25.0, 40.0)],
        "crystals": [(130.2, 70.0, 25.0), (29.9, 90.0, 160.0), (14.3, 60.0, 20.0)],
    }.items():
        moved = [(d + off, w, a) for d, w, a in lines]
        data = decay(rng, moved, CARBON_MHZ, 30000.0, 2048, 0.6, carrier=100.0)
        bruker(folder / f"solid_{name}", data, "13C", 30000.0, 100.0, pulse_program="cp")
    table = [
        "ligand,name,shift_ppm,couplings_Hz,partners,width_Hz,reach_ppm",
        ",ring H,6.09,,,1.2,0.03", ",OCH3,3.69,,,1.2,0.03",
        ",vinyl,5.32,4.8,2,1.5,0.04", ",CH2,1.24,,,15,0.05", ",CH3,0.85,6.8,2,1.5,0.04",
    ]  # fmt: skip
    write(folder / "lines.csv", table)
    write(folder / "notes.txt", ["t3: the probe was not tuned"])


def multiplet(ppm: float, weights, coupling_Hz: float, width_Hz: float, size: float) -> list:
    """Lines (ppm, Hz, amplitude) of a first-order pattern of total amplitude `size`."""
    middle, total = (len(weights) - 1) / 2, sum(weights)
    return [
        (ppm + (k - middle) * coupling_Hz / PROTON_MHZ, width_Hz, size * w / total)
        for k, w in enumerate(weights)
    ]


def decay(rng, lines, mhz: float, width_Hz: float, points: int, noise: float, *,
          carrier: float, size: float = 1.0, turn: float | None = None) -> np.ndarray:  # fmt: skip
    """Free induction decay of lines (ppm, full width in Hz, amplitude) in white noise."""
    t = np.arange(points) / width_Hz
    signal = sum(
        a * np.exp((2j * np.pi * (d - carrier) * mhz - np.pi * w) * t) for d, w, a in lines
    )
    turn = np.exp(2j * np.pi * (rng.random() if turn is None else turn))  # the receiver's phase
    white = rng.standard_normal(points) + 1j * rng.standard_normal(points)
    return 2e4 * (size * turn * signal + noise * white)


def bruker(folder: Path, data, nucleus: str, width_Hz: float, carrier_ppm: float, **said) -> None:
    """A folder as a spectrometer leaves it."""
    mhz = PROTON_MHZ if nucleus == "1H" else CARBON_MHZ
    write_bruker(folder, data, spectral_width_Hz=width_Hz, base_MHz=mhz, reference_MHz=mhz,
                 carrier_MHz=mhz * (1 + 1e-6 * carrier_ppm), nucleus=nucleus, **said)  # fmt: skip


#: Lattice constant (Å) and column length (nm) of films; the README states them.
FILMS = {
    "control": {"f1": (6.052, 16.0), "f2": (6.049, 16.6), "f3": (6.051, 15.5)},
    "treated": {"f4": (6.021, 12.1), "f5": (6.024, 11.8), "f6": (6.020, 12.4)},
}
#: Of one film of each group: edge of its cubes (nm), I : Br, charging (eV), Urbach energy (meV).
ONE = {"f1": (14.0, 0.66, 0.0, 22.0), "f4": (11.0, 0.55, 0.8, 17.0)}
WORK_EV, EDGE_EV, LATTICE_NM, LEAD_UG_MG = 4.50, 1.10, 0.605, 420.0
CU_A = ((1.540593, 2 / 3), (1.544427, 1 / 3))
ZERO_DEG, RADIUS_MM = 0.03, 240.0
#: I 4d over Br 3d per atom with Al Kα: J. H. Scofield, J. Electron Spectrosc. 8, 129 (1976),
#: 4.13 / 2.84, mean free paths 1.01.
IODINE = 4.13 / 2.84 * 1.01


def structure(folder: Path) -> None:
    """Six films by X-rays, two of them by everything else, and a note that is no measurement."""
    rng = np.random.default_rng(25)
    lines = {"100": 1.0, "110": 0.25, "111": 0.15, "200": 0.9, "210": 0.45, "211": 0.3,
             "220": 0.3, "300": 0.2}  # fmt: skip
    x = np.arange(11.0, 48.0, 0.04)
    for group, films in FILMS.items():
        for name, (a, nm) in films.items():
            y = pattern(x, a, lines, nm, height_mm=rng.normal(0, 0.08))
            y = rng.poisson(900 * y + 60 + 200 * np.exp(-x / 12))
            write(folder / f"xrd_{group}_{name}.xy", _rows("2theta (deg),counts", x, y))
    hexaboride = {"100": 0.55, "110": 1.0, "111": 0.45, "200": 0.25, "210": 0.5, "211": 0.3}
    x = np.arange(20.0, 57.0, 0.02)
    y = rng.poisson(4000 * pattern(x, 4.156826, hexaboride, 800.0) + 40)
    write(folder / "xrd_LaB6.xy", _rows("2theta (deg),counts", x, y))
    for name, (edge, halides, charging, tail) in ONE.items():
        write_tiff(folder / f"tem_{name}.tif", cubes(rng, edge), 0.4)
        photoelectrons(rng, folder, name, halides, charging)
        e = np.arange(1.5, 2.3, 0.005)
        depth = 1.5 * np.exp((np.minimum(e, 1.9) - 1.9) / tail * 1e3)
        signal = 1 - np.exp(-depth - 6 * np.sqrt(np.maximum(e - 1.9, 0)))
        signal = signal * (1 + rng.normal(0, 0.01, e.size)) + 2e-4 + rng.normal(0, 2e-5, e.size)
        text = [f"{a:.3f},{b:.5e}" for a, b in zip(e, signal)]
        write(folder / f"pds_{name}.csv", ["energy (eV),signal", *text])
        x = np.arange(650.0, 3400.0, 4.0)
        bands = {2924: 0.09, 2853: 0.06, 1467: 0.03, 1545 if name == "f1" else 1645: 0.05}
        y = sum(h * np.exp(-4 * np.log(2) * ((x - at) / 24) ** 2) for at, h in bands.items())
        y += 0.02 + 1e-5 * x + rng.normal(0, 4e-4, x.size)
        text = [f"{a:.1f},{b:.5f}" for a, b in zip(x, y)]
        write(folder / f"ftir_{name}.csv", ["wavenumber (cm-1),absorbance", *text])
    write_tiff(folder / "hrtem_f1.tif", fringes(rng), 0.05)
    heads = "kind,sample,concentration_ug_L,signal_ratio,signal_ratio_sd,volume_mL,dilution,mass_mg"
    mass = 2.05  # mg in 50 mL, diluted 500 times
    taken = {"": (0, 5, 20, 60, 120), "f1": (LEAD_UG_MG * mass / 50 * 1e3 / 500,)}
    text = [heads]
    for name, contents in taken.items():
        for c in contents:
            ratio, error = 0.004 + 0.0213 * c, 0.0003 + 0.008 * 0.0213 * c
            said = f"{ratio + error * rng.normal():.5f},{error:.5f}"
            text.append(
                f"sample,{name},,{said},50,500,{mass}" if name else f"standard,,{c},{said},,,"
            )
    write(folder / "icpms.csv", text)
    write(folder / "notes.txt", ["f4: the stage charged up under X-rays"])


def pattern(x, a: float, lines: dict, nm: float, *, height_mm: float = 0.0) -> np.ndarray:
    """Cubic powder pattern: Bragg, a Lorentzian of integral breadth λ/(L cos θ), the instrument's
    Gaussian of 0.06°, zero, and the sample's height, which moves lines by -2 s cos θ / R."""
    y = np.zeros_like(x)
    for hkl, size in lines.items():
        n = math.sqrt(sum(int(i) ** 2 for i in hkl))
        for wavelength, share in CU_A:
            theta = math.asin(wavelength * n / (2 * a))
            at = math.degrees(2 * theta) + ZERO_DEG
            at -= math.degrees(2 * height_mm * math.cos(theta) / RADIUS_MM)
            breadth = math.degrees(wavelength / (10 * nm * math.cos(theta)))
            gamma, sigma = breadth / math.pi, 0.06 / 2.3548  # half width of the Lorentzian
            z = ((x - at) + 1j * gamma) / (sigma * math.sqrt(2))
            y += share * size * wofz(z).real / wofz(1j * gamma / sigma / math.sqrt(2)).real
    return y


def cubes(rng, edge_nm: float) -> np.ndarray:
    """Squares turned at random on a grid, 400 x 400 points of 0.4 nm."""
    place = np.arange(400) * 0.4
    x, y = np.meshgrid(place, place)
    grey = np.full(x.shape, 170.0)
    for cx in np.arange(14, 150, 22.0):
        for cy in np.arange(14, 150, 22.0):
            turn, half = rng.uniform(0, np.pi / 2), edge_nm * (1 + rng.normal(0, 0.08)) / 2
            u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
            v = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
            outside = np.maximum(abs(u), abs(v)) - half
            grey -= 70 / (1 + np.exp(np.clip(outside / 0.25, -40, 40)))
    return np.clip(grey + rng.normal(0, 7, grey.shape), 0, 255).round().astype("uint8")


def fringes(rng) -> np.ndarray:
    """A square lattice turned by 20°, 300 x 300 points of 0.05 nm."""
    place = np.arange(300) * 0.05
    x, y = np.meshgrid(place, place)
    c, s = np.cos(0.35), np.sin(0.35)
    waves = np.cos(2 * np.pi * (c * x + s * y) / LATTICE_NM)
    waves = waves + np.cos(2 * np.pi * (c * y - s * x) / LATTICE_NM)
    return (120 + 12 * waves + rng.normal(0, 14, x.shape)).clip(0, 255).round().astype("uint8")


def photoelectrons(rng, folder: Path, name: str, halides: float, charging: float) -> None:
    """Core levels with a step under them; cut-off and valence edge at a bias of -5 V for f1."""
    for region, doublets in {
        "I 4d + Br 3d": [
            (49.4, 1.70, 1 / 1.69, 9e3 * IODINE * halides),
            (68.4, 1.05, 1 / 1.69, 9e3),
        ],
        "C 1s": [(284.8, 0.0, 1.0, 6e3)],
    }.items():
        low, high = doublets[0][0] - 8, doublets[-1][0] + 8
        x = np.arange(low, high, 0.1)
        y = np.full(x.size, 300.0)
        for at, splitting, share, area in doublets:
            for place, part in ((at, share), (at + splitting, 1 - share)):
                line = np.exp(-4 * np.log(2) * ((x - place - charging) / 1.2) ** 2)
                line *= part * area / (1.2 * 1.0645)
                y += line + 0.03 * np.cumsum(line) * 0.1
        rows = _rows("binding energy (eV),counts", x, rng.poisson(y))
        write(folder / f"xps_{name}_{region}.csv", rows)
    if name != "f1":
        return
    for region, at, sign, x in (
        ("cutoff", 21.218 - WORK_EV - 5, 1, np.arange(9.0, 13.5, 0.02)),
        ("valence", EDGE_EV - 5, -1, np.arange(-7.0, -1.0, 0.02)),
    ):
        inside = sign * (at - x)
        smooth = 0.06 * np.log1p(np.exp(np.clip(inside / 0.06, -40, 40)))
        rise = 4000 / (1 + np.exp(-np.clip(inside / 0.05, -40, 40))) if sign > 0 else 900 * smooth
        rows = _rows("binding energy (eV),counts", x, rng.poisson(rise + 25))
        write(folder / f"ups_{name}_{region}.csv", rows)


TOPICS = {
    "led": led,
    "photoluminescence": photoluminescence,
    "transient_absorption": transient_absorption,
    "synthesis": synthesis,
    "energetics": energetics,
    "nmr": nmr,
    "structure": structure,
}

if __name__ == "__main__":
    for topic, make in TOPICS.items():
        (EXAMPLES / topic).mkdir(exist_ok=True)
        make(EXAMPLES / topic)
