"""Writes the raw-like files of data/structure. Every number here is an assumption or comes from the
paper; README.md lists them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hassan2021.simulate.structure import diffraction, microscopy, spectra
from hassan2021.simulate.writers import write_tiff, write_vamas
from ledger import files

#: Truth of the two samples. Sizes, lattice constant and composition near 2:3 are the paper's; the
#: rest is assumed.
TRUTH = {
    "neat": {
        "edge_nm": 16.3,
        "edge_sd_nm": 2.0,
        "a_A": 6.050,
        "x_br": 0.600,
        "work_function_eV": 4.55,
        "onset_eV": 1.15,
        "urbach_meV": 22.0,
        "gap_eV": 1.960,
        "height_mm": 0.06,
    },
    "EG": {
        "edge_nm": 12.0,
        "edge_sd_nm": 1.7,
        "a_A": 6.050,
        "x_br": 0.630,
        "work_function_eV": 4.35,
        "onset_eV": 1.35,
        "urbach_meV": 18.0,
        "gap_eV": 1.995,
        "height_mm": -0.04,
    },
}
ZERO_DEG = 0.020
SAMPLE_NAMES = {"neat": "neat", "EG": "E+G"}


def _xrdml(path: Path, x, counts, sample: str) -> None:
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<xrdMeasurements xmlns="http://www.xrdml.com/XRDMeasurement/1.5" status="Completed">
 <sample type="To be analyzed"><id>{sample}</id></sample>
 <xrdMeasurement measurementType="Scan" status="Completed">
  <usedWavelength intended="K-Alpha"><kAlpha1 unit="Angstrom">1.5405929</kAlpha1><kAlpha2 unit="Angstrom">1.5444274</kAlpha2><ratioKAlpha2KAlpha1>0.5</ratioKAlpha2KAlpha1></usedWavelength>
  <scan appendNumber="0" mode="Continuous" scanAxis="Gonio" status="Completed">
   <dataPoints>
    <positions axis="2Theta" unit="deg"><startPosition>{x[0]:.4f}</startPosition><endPosition>{x[-1]:.4f}</endPosition></positions>
    <commonCountingTime unit="seconds">1.00</commonCountingTime>
    <counts unit="counts">{" ".join(str(int(c)) for c in counts)}</counts>
   </dataPoints>
  </scan>
 </xrdMeasurement>
</xrdMeasurements>
"""  # noqa: E501
    files.write_atomically(path, text)


def write_diffraction(folder: Path) -> None:
    rng = np.random.default_rng(701)
    x = np.round(np.arange(10.0, 60.001, 0.03), 4)
    for key, t in TRUTH.items():
        expected = diffraction.film_pattern(
            x,
            a_A=t["a_A"],
            mean_nm=t["edge_nm"],
            sd_nm=t["edge_sd_nm"],
            x_br=t["x_br"],
            zero_deg=ZERO_DEG,
            displacement_mm=t["height_mm"],
            peak_counts=6000,
        )
        _xrdml(folder / f"xrd_{key}.xrdml", x, rng.poisson(expected), SAMPLE_NAMES[key])
    x = np.round(np.arange(20.0, 80.001, 0.02), 4)
    _xrdml(
        folder / "xrd_standard_LaB6.xrdml",
        x,
        rng.poisson(diffraction.standard_pattern(x, zero_deg=ZERO_DEG, displacement_mm=0.0)),
        "LaB6 SRM 660c",
    )


def write_images(folder: Path) -> None:
    rng = np.random.default_rng(702)
    for key, t in TRUTH.items():
        edge, sd = t["edge_nm"], t["edge_sd_nm"]
        for name, n, pixel, dose in (("overview", 896, 0.30, 500), ("overview2", 896, 0.30, 500)):
            cubes = microscopy.place_cubes(rng, (n * pixel, n * pixel), edge, sd, touching=0.10)
            write_tiff(
                folder / f"tem_{key}_{name}.tif",
                microscopy.to_8bit(
                    microscopy.micrograph(rng, (n, n), pixel, cubes, dose_per_nm2=dose)
                ),
                pixel,
            )
        n, pixel = 512, 0.10
        cubes = microscopy.place_cubes(rng, (n * pixel, n * pixel), edge, sd, touching=0.2)
        write_tiff(
            folder / f"tem_{key}_medium.tif",
            microscopy.to_8bit(
                microscopy.micrograph(
                    rng, (n, n), pixel, cubes, dose_per_nm2=6000, lattice_contrast=1.0
                )
            ),
            pixel,
        )
        n, pixel = 448, 0.048
        middle = n * pixel / 2
        angle = np.radians({"neat": 21.0, "EG": 37.0}[key])
        cubes = np.array(
            [
                [middle, middle, edge, angle],
                [middle + 0.5 * edge + 7, middle + 9, edge, angle + 0.5],
            ]
        )
        write_tiff(
            folder / f"tem_{key}_zoom.tif",
            microscopy.to_8bit(
                microscopy.micrograph(
                    rng, (n, n), pixel, cubes, dose_per_nm2=16000, lattice_contrast=1.0
                )
            ),
            pixel,
        )


def write_photoelectrons(folder: Path) -> None:
    rng = np.random.default_rng(703)
    blocks = []
    for key, t in TRUTH.items():
        amounts = {
            "I": 3 * (1 - t["x_br"]),
            "Br": 3 * t["x_br"],
            "Pb": 1.0,
            "N": 1.0,
            "C": 9.0,
            "O": 1.2,
        }
        for name, low, high, step, gain in (
            ("survey", 0, 700, 0.5, 60.0),
            ("I 3d", 612, 640, 0.1, 300.0),
            ("I 4d + Br 3d", 42, 78, 0.1, 300.0),
            ("Pb 4f", 132, 150, 0.1, 300.0),
        ):
            binding = np.arange(high, low - 1e-9, -step)
            counts = rng.poisson(
                spectra.core_levels(binding, amounts, counts_per_unit=gain, shell_nm=0.6)
            )
            kinetic = spectra.PHOTON_EV - binding
            element, _, level = name.partition(" ")
            blocks.append(
                {
                    "name": f"{SAMPLE_NAMES[key]} {name}",
                    "sample": SAMPLE_NAMES[key],
                    "technique": "XPS",
                    "source": "Al K alpha",
                    "photon_energy_eV": spectra.PHOTON_EV,
                    "species": element,
                    "transition": level or "none",
                    "kinetic_energy_eV": kinetic,
                    "counts": counts,
                    "transmission": spectra.transmission(kinetic),
                    "pass_energy_eV": 20,
                    "scans": 10,
                }
            )
    write_vamas(
        folder / "xps.vms",
        blocks,
        comment=("simulated by hassan2021.simulate.structure",),
        irregular=True,
    )
    blocks = []
    for key, t in TRUTH.items():
        high = np.arange(18.4, 15.4, -0.02)
        low = np.arange(6.0, -1.0, -0.03)
        bias = -5.0
        for name, binding, expected in (
            (
                "secondary cut-off",
                high,
                spectra.secondary_edge(high, work_function_eV=t["work_function_eV"]),
            ),
            ("valence", low, spectra.valence_region(low, onset_eV=t["onset_eV"])),
        ):
            blocks.append(
                {
                    "name": f"{SAMPLE_NAMES[key]} {name}",
                    "sample": SAMPLE_NAMES[key],
                    "technique": "UPS",
                    "source": "He I",
                    "photon_energy_eV": 21.218,
                    "species": name,
                    "transition": "none",
                    "kinetic_energy_eV": 21.218 - (binding - 0) - bias,
                    "counts": rng.poisson(expected),
                    "target_bias_V": bias,
                    "pass_energy_eV": 5,
                }
            )
    write_vamas(
        folder / "ups.vms",
        blocks,
        comment=("simulated by hassan2021.simulate.structure; sample at -5 V",),
    )


def write_spectra(folder: Path) -> None:
    rng = np.random.default_rng(704)
    e = np.round(np.arange(1.40, 2.6001, 0.005), 4)
    columns = []
    for t in TRUTH.values():
        s = spectra.photothermal(e, gap_eV=t["gap_eV"], urbach_meV=t["urbach_meV"])
        columns.append(s * (1 + 0.02 * rng.normal(size=len(e))) + 2e-5 * rng.normal(size=len(e)))
    rows = "\n".join(f"{a:.4f},{b:.6g},{c:.6g}" for a, b, c in zip(e, *columns, strict=True))
    files.write_atomically(
        folder / "pds.csv", "Photon energy (eV),neat (arb. u.),E+G (arb. u.)\n" + rows + "\n"
    )
    x = np.arange(600.0, 4000.1, 2.0)
    parts = {
        "OA": {"oleic": 1.0, "MA": 0.6},
        "EDTA": {"oleic": 0.45, "MA": 0.6, "EDTA": 0.5},
        "GL": {"oleic": 0.45, "MA": 0.6, "GL": 0.5},
        "EG": {"oleic": 0.35, "MA": 0.6, "EDTA": 0.3, "GL": 0.3},
    }
    for name, mixture in parts.items():
        y = spectra.infrared_film(x, mixture, rng)
        files.write_atomically(
            folder / f"ftir_{name}.dpt",
            "\n".join(f"{a:.4f},{b:.6f}" for a, b in zip(x[::-1], y[::-1], strict=True)) + "\n",
        )


def write_mass_spectrometry(folder: Path) -> None:
    """Standards and digests: counts a second of 208Pb over those of the internal standard, in
    ratios with their scatter."""
    rng = np.random.default_rng(705)
    rows = [
        "kind,sample,concentration_ug_L,signal_ratio,signal_ratio_sd,volume_mL,dilution,mass_mg"
    ]
    for c in (0.0, 1.0, 5.0, 10.0, 25.0, 50.0, 100.0):
        true = 0.004 + 0.0213 * c
        sd = np.hypot(0.008 * true, 3e-4)
        rows.append(f"standard,,{c:g},{true + rng.normal(0, sd):.5f},{sd:.5f},,,")
    for name, content, mass in (
        ("GL", 518.0, 2.13),
        ("E+G", 428.0, 1.87),
        ("EDTA", 354.0, 2.42),
        ("supernatant", 0.05, 2.0),
    ):
        dilution = 500.0 if content > 1 else 1.0
        c = content * mass * 1000 / 50.0 / dilution
        true = 0.004 + 0.0213 * c
        sd = np.hypot(0.008 * true, 3e-4)
        rows.append(
            f"sample,{name},,{true + rng.normal(0, sd):.5f},{sd:.5f},50,{dilution:g},{mass:g}"
        )
    files.write_atomically(folder / "icpms.csv", "\n".join(rows) + "\n")


def write_truth(folder: Path) -> None:
    rows = [
        f"{SAMPLE_NAMES[key]},{name},{value:g}"
        for key, t in TRUTH.items()
        for name, value in t.items()
    ]
    files.write_atomically(
        folder / "truth.csv",
        "sample,name,value\n" + "\n".join([*rows, f",zero_deg,{ZERO_DEG:g}"]) + "\n",
    )


def main(folder: str | Path = "data/structure") -> int:
    """Write all simulated files into `folder` (relative to the repository root)."""
    folder = files.resolve(folder)
    for write in (
        write_diffraction,
        write_images,
        write_photoelectrons,
        write_spectra,
        write_mass_spectrometry,
        write_truth,
    ):
        write(folder)
    return 0
