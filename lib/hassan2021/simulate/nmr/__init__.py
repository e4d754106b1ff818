"""Forward models of the NMR files, written as Bruker experiment folders: `python -m
hassan2021.simulate.nmr`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hassan2021.simulate.nmr import samples, solid, solution
from hassan2021.simulate.nmr.detector import GROUP_DELAY, OVERSAMPLING, Receiver
from hassan2021.simulate.writers import write_bruker
from ledger.files import ROOT

CARRIER_1H_ppm, CARRIER_13C_ppm = 5.0, 100.0


def proton(
    name: str,
    ratio: float,
    solvent: str,
    rng: np.random.Generator,
    *,
    d2o: bool = False,
) -> tuple[np.ndarray, Receiver, float]:
    """One solution spectrum of GL, EDTA or both ("E+G") with lead iodide."""
    base = samples.BASE_1H_MHz
    receiver = Receiver(6002.4, 8192, 0.012, rng.uniform(-160, 160), 8e-6, 0.002, 30e-6)
    time = receiver.times()
    place = {"carrier_ppm": CARRIER_1H_ppm, "reference_MHz": base}
    ligands = ["GL", "EDTA"] if name == "E+G" else [name]
    bound = dict(
        zip(
            ligands,
            solution.bound_fractions(
                ratio * samples.LIGAND_M,
                [samples.LIGAND_M] * len(ligands),
                [10 ** samples.LOG_K[x] for x in ligands],
            ),
            strict=True,
        )
    )
    signal = np.zeros(len(time), complex)
    if solvent == "DMSO":
        signal += solution.chd2(time, 2.50, 1.6, 1.9, 1.2, **place) + solution.exponential(
            time,
            3.33 if not d2o else 3.62,
            2.5 if not d2o else 9.0,
            5.0 if not d2o else 9.0,
            **place,
        )
    else:
        signal += solution.exponential(time, 4.79, 12.0, 3.0, **place) + solution.exponential(
            time, 0.0, 0.9, 1.0, **place
        )
    if "GL" in ligands:
        f, rate = bound["GL"], samples.K_OFF_s["GL"]
        if solvent == "D2O":
            for system, protons in (
                (samples.CYS_D2O, 1),
                (samples.GLU_D2O, 1),
                (samples.GLY_D2O, 2),
            ):
                signal += protons * solution.decay(
                    time, system, None, 0.0, 0.0, CARRIER_1H_ppm, base
                )
        else:
            kept = 0.03 if d2o else 1.0  # share of amide protons left after D2O
            for free, complexed in (
                (samples.CYS, samples.CYS_BOUND),
                (samples.GLU, samples.GLU_BOUND),
                (samples.GLY, samples.GLY_BOUND),
            ):
                whole = solution.decay(time, free, complexed, f, rate, CARRIER_1H_ppm, base)
                amide = free is not samples.GLU
                signal += whole * (kept if amide else 1.0)
                if amide and kept < 1:
                    rest = solution.Spins(
                        free.shifts_ppm[1:],
                        {(i - 1, j - 1): v for (i, j), v in free.couplings_Hz.items() if i},
                        free.widths_Hz[1:],
                    )
                    signal += (1 - kept) * solution.decay(
                        time, rest, None, 0.0, 0.0, CARRIER_1H_ppm, base
                    )
            # Ammonium and carboxylic protons: broad, exchanging with water.
            signal += solution.exponential(time, 8.1, 3.0, 260.0, gauss_Hz=150, **place) * kept
    if "EDTA" in ligands:
        f, rate = bound["EDTA"], samples.K_OFF_s["EDTA"]
        pairs = (
            ((samples.EDTA_D2O[0], None, 8), (samples.EDTA_D2O[1], None, 4))
            if solvent == "D2O"
            else (
                (samples.EDTA_A, samples.EDTA_A_BOUND, 8),
                (samples.EDTA_B, samples.EDTA_B_BOUND, 4),
            )
        )
        for free, complexed, protons in pairs:
            signal += protons * solution.decay(
                time, free, complexed, f if complexed else 0.0, rate, CARRIER_1H_ppm, base
            )
    return receiver.store(signal, rng), receiver, base


def colloid(free_share: float, rng: np.random.Generator) -> tuple[np.ndarray, Receiver, float]:
    """Nanocrystals in deuterated toluene: broad bound oleyl lines, sharp free ones, residual
    solvent."""
    receiver = Receiver(6002.4, 8192, 0.010, rng.uniform(-160, 160), 8e-6, 0.002, 30e-6)
    time = receiver.times()
    place = {"carrier_ppm": CARRIER_1H_ppm, "reference_MHz": samples.BASE_1H_MHz}
    signal = solution.chd2(time, 2.08, 2.0, 2.2, 1.2, **place)
    for shift, protons in ((6.97, 0.7), (7.01, 0.4), (7.09, 0.8)):
        signal += solution.exponential(time, shift, protons, 2.5, **place)
    bound = 1 - free_share
    for shift, protons, lorentz, gauss in (
        (5.56, 2, 12, 46),
        (2.20, 6, 20, 60),
        (1.42, 24, 15, 55),
        (0.98, 3, 8, 30),
        (1.75, 2, 30, 70),
    ):
        signal += bound * solution.exponential(
            time, shift, protons, lorentz, gauss_Hz=gauss, **place
        )
    # Two vinyl protons and the four allylic ones beside them
    free = solution.Spins(
        (5.465, 5.465, 2.07, 2.07, 2.07, 2.07),
        {
            (0, 1): 10.9,
            (0, 2): 6.6,
            (0, 3): 6.6,
            (1, 4): 6.6,
            (1, 5): 6.6,
            (0, 4): -1.4,
            (0, 5): -1.4,
            (1, 2): -1.4,
            (1, 3): -1.4,
        },
        (1.4, 1.4, 4, 4, 4, 4),
    )
    signal += free_share * solution.decay(
        time, free, None, 0.0, 0.0, CARRIER_1H_ppm, samples.BASE_1H_MHz
    )
    for shift, protons, width in ((1.36, 22, 7.0), (0.92, 3, 4.0)):
        signal += free_share * solution.exponential(time, shift, protons, width, **place)
    return receiver.store(signal, rng), receiver, samples.BASE_1H_MHz


def carbon(
    sites: list[solid.Site],
    rng: np.random.Generator,
    *,
    contact_s: float = samples.CONTACT_s,
    points: int = 2048,
    noise: float = 0.07,
) -> tuple[np.ndarray, Receiver, float]:
    """One 13C CP-MAS decay."""
    receiver = Receiver(
        40000.0, points, noise, rng.uniform(-160, 160), 1 / 40000 / OVERSAMPLING, 0.01, 20e-6
    )
    signal = solid.decay(
        receiver.times(),
        sites,
        contact_s=contact_s,
        mas_rate_Hz=samples.MAS_RATE_Hz,
        carrier_ppm=CARRIER_13C_ppm,
        reference_MHz=samples.BASE_13C_MHz,
    )
    return receiver.store(signal, rng), receiver, samples.BASE_13C_MHz


def write(
    folder: Path,
    data: np.ndarray,
    receiver: Receiver,
    base_MHz: float,
    carrier_ppm: float,
    nucleus: str,
    *,
    moved_ppm: float = 0.0,
    **options,
) -> None:
    """Write one experiment; `moved_ppm` is the error of its reference frequency."""
    carrier = round(base_MHz * (1 + carrier_ppm * 1e-6), 9)
    write_bruker(
        folder,
        data,
        spectral_width_Hz=receiver.sweep_Hz,
        base_MHz=base_MHz,
        carrier_MHz=carrier,
        reference_MHz=round(base_MHz * (1 - moved_ppm * 1e-6), 9),
        nucleus=nucleus,
        group_delay=GROUP_DELAY,
        origin="peled forward model, no instrument",
        **options,
    )


def main(folder: Path | None = None) -> None:
    """Write all simulated files of `data/nmr`."""
    folder = folder or ROOT / "data" / "nmr"

    def seed(name: str) -> np.random.Generator:
        return np.random.default_rng([20210304, *name.encode()])

    for name, sites in samples.SOLIDS.items():
        path = f"13c_cpmas/{name}"
        write(
            folder / path,
            *carbon(sites, seed(path)),
            CARRIER_13C_ppm,
            "13C",
            moved_ppm=samples.MISREFERENCE_13C_ppm,
            mas_rate_Hz=samples.MAS_RATE_Hz,
            scans=8192,
            pulse_program="cp",
            title=f"simulated 13C CP-MAS, {name} nanocrystals",
            second_nucleus="1H",
            second_MHz=samples.BASE_1H_MHz,
        )
    path = "13c_cpmas/adamantane"
    write(
        folder / path,
        *carbon(samples.adamantane(), seed(path), points=4096, noise=0.02),
        CARRIER_13C_ppm,
        "13C",
        moved_ppm=samples.MISREFERENCE_13C_ppm,
        mas_rate_Hz=samples.MAS_RATE_Hz,
        scans=16,
        pulse_program="cp",
        title="simulated adamantane, external standard",
        second_nucleus="1H",
        second_MHz=samples.BASE_1H_MHz,
    )
    contacts = np.array([0.05, 0.15, 0.4, 1.0, 2.0, 4.0, 8.0, 12.0]) * 1e-3
    path = "13c_contact/GL"
    rng = seed(path)
    traces = [
        carbon(
            samples.SOLIDS["GL"],
            np.random.default_rng([7, i]),
            contact_s=t,
            points=1024,
            noise=0.06,
        )
        for i, t in enumerate(contacts)
    ]
    phase = np.exp(1j * np.deg2rad(rng.uniform(-160, 160)))
    data = (
        np.array([trace[0] * np.exp(-1j * np.deg2rad(trace[1].phase_deg)) for trace in traces])
        * phase
    )
    write(
        folder / path,
        data,
        traces[0][1],
        samples.BASE_13C_MHz,
        CARRIER_13C_ppm,
        "13C",
        moved_ppm=samples.MISREFERENCE_13C_ppm,
        mas_rate_Hz=samples.MAS_RATE_Hz,
        scans=4096,
        pulse_program="cp",
        contact_times_s=contacts,
        title="simulated contact-time series, GL nanocrystals",
        second_nucleus="1H",
        second_MHz=samples.BASE_1H_MHz,
    )
    for name, share in (("neat", 0.04), ("E+G", 0.30)):
        path = f"1h_toluene/{name}"
        write(
            folder / path,
            *colloid(share, seed(path)),
            CARRIER_1H_ppm,
            "1H",
            scans=64,
            solvent="Tol",
            title=f"simulated 1H, {name} nanocrystals in toluene-d8",
        )
    for name in ("EDTA", "GL", "E+G"):
        for ratio in samples.RATIOS:
            path = f"1h_dmso/{name}_{ratio:.2f}"
            rng = seed(path)
            write(
                folder / path,
                *proton(name, ratio, "DMSO", rng),
                CARRIER_1H_ppm,
                "1H",
                moved_ppm=float(rng.normal(0, 0.01)),
                scans=64,
                solvent="DMSO",
                title=f"simulated 1H, {name} with {ratio:g} equivalents of PbI2 in DMSO-d6",
            )
        path = f"1h_d2o/{name}"
        write(
            folder / path,
            *proton(name, 0.0, "D2O", seed(path)),
            CARRIER_1H_ppm,
            "1H",
            scans=64,
            solvent="D2O",
            title=f"simulated 1H, {name} in D2O",
        )
    path = "1h_dmso_d2o/GL"
    write(
        folder / path,
        *proton("GL", 0.0, "DMSO", seed(path), d2o=True),
        CARRIER_1H_ppm,
        "1H",
        scans=64,
        solvent="DMSO",
        title="simulated 1H, GL in DMSO-d6 with D2O",
    )
