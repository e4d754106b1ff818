"""Forward models of the photoluminescence experiments, and the raw-like files they write.

Numbers that the paper prints come from its ledger; all others are assumptions, listed in
`ASSUMPTIONS`. Nothing here uses the analysis: crystals are summed one by one, photons are drawn one
by one, rate equations are integrated in time.
"""

from __future__ import annotations

import gzip
import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from hassan2021.simulate.photoluminescence import crystals, segregation, sphere, tcspc
from ledger import files, paper

ASSUMPTIONS = {
    "crystals": "exciton binding 30 meV, homogeneous width 26 meV, Urbach energy 16 meV, exciton "
    "mass 0.44 m0, spread of composition 0.015; gaps moved rigidly to the printed "
    "emission wavelengths",
    "films": "relative yields neat 0.30, EDTA 0.45, GL 0.50, E+G 0.70 and absorptances 0.20 to "
    "0.23 at 405 nm; only the 0.70 is the paper's",
    "fluence": "405 nm continuous laser, B = 1e-10 cm3/s (photons that leave), C = 2e-27 cm6/s, "
    "detrapping 2e-11 cm3/s, trap density 1e16 (E+G) and 3e16 cm-3 (neat), capture "
    "4.5e-11 (E+G) and 4e-10 cm3/s (neat), 30 nm film; "
    "E+G reaches the printed 70 %",
    "sphere": "self-absorption 6 %, wall light taken by the sample 5.5 %, stray laser, smooth "
    "response, shot noise",
    "lifetimes": "radiative 40 ns (solution) and 30 ns (film), one trap 12 and 8 ns, mean number "
    "of traps neat 1.2 and 1.6, E+G 0.25 and 0.35; response 0.40 ns with a 5 % tail of "
    "0.6 ns; 2 MHz, 2 % of cycles counted",
    "transport layers": "share of crystals that quench into the layer and how fast: "
    "poly-TPD 50 %, 6 ns; "
    "PEDOT:PSS 35 %, 10 ns; TFB 25 %, 15 ns; TPBi 3 %, 15 ns; transmission of the "
    "layers at 350 nm 0.75, 0.97, 0.93",
    "segregation": "times to nucleate, shares, red shift 75 meV, bleaching; the same for all "
    "concentrations, as the paper finds; nothing grows to the blue",
    "confocal": "PSF 260 nm, 60 nm pixels, layer 100 nm thick, mean spacing from the mass ratio "
    "0.001, blinking and bleaching",
}
WAVELENGTH = np.arange(540.0, 780.01, 0.5)
TREATMENTS = {
    "neat": (0.30, 0.210),
    "GL": (0.50, 0.205),
    "EDTA": (0.45, 0.215),
    "E+G": (0.70, 0.220),
}
LIFETIMES = {
    "solution": {"neat": (40.0, 12.0, 1.2), "E+G": (40.0, 12.0, 0.25)},
    "film": {"neat": (30.0, 8.0, 1.6), "E+G": (30.0, 8.0, 0.35)},
}
QUENCHERS = {
    "PNCs": (np.inf, 0.0, 1.0),
    "PD/PNCs": (10.0, 0.35, 0.97),
    "P-TPD/PNCs": (6.0, 0.50, 0.75),
    "PNCs/TPBi": (15.0, 0.03, 0.93),
    "TFB/PNCs": (15.0, 0.25, 0.80),
}
CYCLES, PERIOD_NS = 15_000_000, 500.0
RED_SHIFT_EV = 0.075


def film_parameters() -> dict[str, sphere.Film]:
    """Recombination of the two films of the fluence series."""
    return {
        "neat": sphere.Film(capture=4e-10, traps=3e16, auger=2e-27, absorptance=0.21),
        "E+G": sphere.Film(capture=4.5e-11, traps=1e16, auger=2e-27, absorptance=0.22),
    }


def ensembles() -> dict[str, crystals.Ensemble]:
    """Crystals by name, tuned to the emission wavelengths that the paper prints."""
    number = {
        name: paper.claim(c).number
        for name, c in (("solution", "C012"), ("GL", "C013"), ("EDTA", "C014"), ("E+G", "C015"))
    }
    neat = crystals.Ensemble(urbach_eV=0.016)
    small = replace(neat, edge_nm=12.0, edge_sd_nm=1.7, bromide=0.615)
    made = {
        "solution": crystals.tuned(neat, number["solution"]),
        "neat": crystals.tuned(neat, 649.0),
    }  # 649 nm: legend of Extended Data Fig. 3
    return made | {name: crystals.tuned(small, number[name]) for name in ("GL", "EDTA", "E+G")}


def main(folder: Path | None = None) -> None:
    """Write every file of data/photoluminescence, from fixed seeds."""
    folder = folder or files.ROOT / "data" / "photoluminescence"
    made = ensembles()
    for write in (
        _absorption,
        _solution,
        _films,
        _sphere,
        _lifetimes,
        _transport,
        _segregation,
        _confocal,
        _truth,
    ):
        write(folder, made)


def _absorption(folder: Path, made) -> None:
    rng = np.random.default_rng(2101)
    w = np.arange(800.0, 379.9, -0.5)
    columns = []
    for name, scale in (("solution", 0.42), ("E+G", 0.40)):
        a = crystals.absorption(crystals.HC / w, made[name])
        a = scale * a / np.interp(450.0, w[::-1], a[::-1])
        # Scatter of the colloid, and the shot noise of a photometer: worse where little light
        # passes.
        columns.append(a + 0.012 * (500 / w) ** 3 + rng.normal(0, 4e-4, w.size) * 10 ** (a / 2))
    lines = ["neat,,E+G,,", "Wavelength (nm),Abs,Wavelength (nm),Abs,"]
    lines += [f"{x:.2f},{a:.6f},{x:.2f},{b:.6f}," for x, a, b in zip(w, *columns, strict=True)]
    lines += [
        "",
        "neat",
        "Instrument: simulated UV-Vis photometer",
        "Scan range (nm): 800.00 to 380.00",
        "Data interval (nm): 0.50",
        "",
        "E+G",
        "Same settings",
        "",
    ]
    files.write_atomically(folder / "absorption_solution.csv", "\r\n".join(lines))


def _solution(folder: Path, made) -> None:
    rng = np.random.default_rng(2102)
    w = (
        400 + 0.61 * np.arange(640) - 1.2e-5 * np.arange(640) ** 2
    )  # a grating spectrometer's uneven axis
    photons = crystals.emission_nm(w, made["solution"])
    expected = 24000 * photons / photons.max() + 900 * np.exp(
        -(w - 400) / 9.0
    )  # the laser behind its filter
    counts = rng.poisson(expected) + rng.poisson(120, w.size)
    hit = rng.choice(np.flatnonzero((w < 570) | (w > 720)), 3, replace=False)
    counts[hit] += rng.integers(2500, 9000, hit.size)  # cosmic rays
    head = [
        "Data from solution_neat.txt Node",
        "",
        "Integration Time (sec): 5.000000E-1",
        "Scans to average: 1",
        "Electric dark correction enabled: false",
        "XAxis mode: Wavelengths",
        f"Number of Pixels in Spectrum: {w.size}",
        ">>>>>Begin Spectral Data<<<<<",
    ]
    files.write_atomically(
        folder / "pl_solution.txt",
        "\n".join(head + [f"{x:.3f}\t{c:d}" for x, c in zip(w, counts, strict=True)]) + "\n",
    )


def _films(folder: Path, made) -> None:
    rng = np.random.default_rng(2103)
    names = list(TREATMENTS)
    columns = []
    for name in names:
        quantum_yield, absorptance = TREATMENTS[name]
        photons = crystals.emission_nm(WAVELENGTH, made[name])
        columns.append(rng.poisson(4.5e6 * photons * quantum_yield * absorptance + 15))
    head = [
        "Labels," + ",".join(names) + ",",
        "Type," + "Emission Scan," * 4,
        "Excitation wavelength," + "405," * 4,
        "Absorptance," + "".join(f"{TREATMENTS[n][1]:.3f}," for n in names),
        "Dark counts," + "15," * 4,
        "Xaxis," + "Wavelength," * 4,
        "Yaxis," + "Counts," * 4,
        "",
    ]
    rows = [f"{x:.2f}," + "".join(f"{c[i]:d}," for c in columns) for i, x in enumerate(WAVELENGTH)]
    files.write_atomically(folder / "pl_films.txt", "\n".join(head + rows) + "\n")


def _sphere(folder: Path, made) -> None:
    w = np.concatenate([np.arange(396.0, 416.0, 0.25), np.arange(416.0, 780.1, 1.0)])
    knots = np.arange(380.0, 800.1, 5.0)
    factor = crystals.HC / knots / sphere.response(knots)
    lines = [
        "# quantity: energy",
        "# relative error: 0.015",
        "# counts x factor is proportional to power per nm",
        "wavelength_nm,factor",
    ]
    files.write_atomically(
        folder / "sphere_calibration.csv",
        "\n".join(
            lines + [f"{x:.1f},{f / factor[0]:.6f}" for x, f in zip(knots, factor, strict=True)]
        )
        + "\n",
    )
    intensities = np.geomspace(0.1, 300, 12)
    for seed, (name, film) in enumerate(film_parameters().items()):
        rng = np.random.default_rng(2110 + seed)
        spectrum = crystals.emission_nm(w, made[name])
        spectrum[w < 500] = 0
        blue = crystals.absorption(crystals.HC / w, made[name])
        taken = 1 - np.exp(-blue / blue[np.argmin(np.abs(w - 600))] * 0.4)
        taken *= film.self_absorption / np.trapezoid(taken * spectrum, w)
        columns, heads = [], []
        for intensity in intensities:
            generation = (
                intensity
                * 1e-3
                / (1.98644586e-25 / 405e-9)
                * film.absorptance
                / (film.thickness_nm * 1e-7)
            )
            found = sphere.runs(
                rng,
                w,
                spectrum,
                np.clip(taken, 0, 1),
                sphere.steady_yield(generation, film),
                film,
                1.2e6 * min(1.0, (intensity / 3) ** 0.5) / 0.2,
            )
            for run, counts in found.items():
                columns.append(counts)
                heads.append(f"{run} {intensity:.4g} mW/cm2")
        head = [
            f"# Sample: {name} film on glass",
            "# Laser band (nm): 398-412",
            "# Emission band (nm): 540-780",
            "# Excitation (nm): 405",
            f"# Film thickness (nm): {film.thickness_nm:g}",
            "# Dark counts subtracted",
        ]
        rows = [f"{x:.2f}," + ",".join(f"{c[i]:.0f}" for c in columns) for i, x in enumerate(w)]
        files.write_atomically(
            folder / f"sphere_{name.replace('+', '')}.csv",
            "\n".join([*head, "Wavelength (nm)," + ",".join(heads), *rows]) + "\n",
        )


def _decays(
    rng, sets: dict, photons: int, bins: int, bin_ns: float, dark: float
) -> dict[str, np.ndarray]:
    pools = {
        name: tcspc.trapped_lifetimes(rng, 400_000, *parameters)
        for name, parameters in sets.items()
    }
    made = {"IRF": tcspc.response_histogram(rng, bins, bin_ns, 400_000, 0.3)}
    return made | {
        name: tcspc.histogram(rng, bins, bin_ns, CYCLES, photons, pool, dark)
        for name, pool in pools.items()
    }


def _timed_text(decays: dict[str, np.ndarray], bin_ns: float, excitation: str) -> str:
    head = [
        f"# Excitation: {excitation}",
        f"# Repetition rate (MHz): {1e3 / PERIOD_NS:g} MHz",
        f"# Excitation pulses: {CYCLES:.3e}",
        "Time (ns)\t" + "\t".join(decays),
    ]
    table = np.array(list(decays.values())).T
    return (
        "\n".join(
            head
            + [
                f"{i * bin_ns:.4f}\t" + "\t".join(str(c) for c in row)
                for i, row in enumerate(table)
            ]
        )
        + "\n"
    )


def _lifetimes(folder: Path, made) -> None:
    solution = _decays(
        np.random.default_rng(2120), LIFETIMES["solution"], 300_000, 2800, 0.128, 1.2
    )
    files.write_atomically(folder / "trpl_solution.txt", _timed_text(solution, 0.128, "405 nm"))
    film = _decays(np.random.default_rng(2121), LIFETIMES["film"], 300_000, 2800, 0.128, 1.2)
    binary = tcspc.phu_file(
        list(film.values()), 0.128, 1e9 / PERIOD_NS, CYCLES * PERIOD_NS * 1e-9, "|".join(film)
    )
    files.write_atomically(folder / "trpl_film.phu", binary)


def _transport(folder: Path, made) -> None:
    film = LIFETIMES["film"]["E+G"]
    for seed, (stem, names) in enumerate(
        (
            ("transport", ("PNCs", "PD/PNCs", "P-TPD/PNCs", "PNCs/TPBi")),
            ("hole_transport", ("PNCs", "P-TPD/PNCs", "TFB/PNCs")),
        )
    ):
        rng = np.random.default_rng(2130 + seed)
        sets = {name: (*film, *QUENCHERS[name][:2]) for name in names}
        text = _timed_text(_decays(rng, sets, 250_000, 2000, 0.128, 1.0), 0.128, "450 nm")
        if stem == "transport":
            stream = io.BytesIO()
            with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0, filename="") as packed:
                packed.write(text.encode())
            files.write_atomically(folder / "trpl_transport.txt.gz", stream.getvalue())
        else:
            files.write_atomically(folder / "trpl_hole_transport.txt", text)
        excitation = 350 if stem == "transport" else 450
        photons = crystals.emission_nm(WAVELENGTH, made["E+G"])
        bare = tcspc.mean_lifetime(*film)
        columns = []
        for name in names:
            passed = QUENCHERS[name][2] if excitation == 350 else 1.0
            columns.append(
                rng.poisson(6e5 * photons * passed * tcspc.mean_lifetime(*sets[name]) / bare + 12)
            )
        head = ["Wavelength\t" + "\t".join(names), "nm\t" + "\t".join(["counts"] * len(names))]
        rows = [
            f"{x:.2f}\t" + "\t".join(str(c[i]) for c in columns) for i, x in enumerate(WAVELENGTH)
        ]
        files.write_atomically(
            folder / f"pl_{stem}_{excitation}nm.txt", "\n".join(head + rows) + "\n"
        )


def _segregation(folder: Path, made) -> None:
    w = np.arange(560.0, 760.1, 1.0)
    start = 649.0
    common = {"peak_nm": start, "red_shift_eV": RED_SHIFT_EV, "nucleation_s": 140.0, "extent": 0.45}
    times = np.array([0, 5, 10, 20, 40, 60, 90, 120, 180, 240, 300, 420, 600.0])
    sets = {
        "segregation_pmma_1.03": (times, {"crystals": 40000, "counts": 6000, "bleach_s": 6000.0}),
        "segregation_pmma_0.006": (times, {"crystals": 6000, "counts": 2500, "bleach_s": 1500.0}),
        "segregation_neat_film": (times, {"crystals": 40000, "counts": 8000, "bleach_s": 9000.0}),
        "segregation_single": (
            np.arange(0, 301, 15.0),
            {"crystals": 14, "counts": 420, "bleach_s": 500.0, "blinking": True},
        ),
        "segregation_recovery": (
            np.concatenate(
                [times[times <= 300], 300 + np.array([60, 180, 360, 720, 1200, 1800.0])]
            ),
            {
                "crystals": 40000,
                "counts": 6000,
                "bleach_s": 9000.0,
                "dark_from_s": 300.0,
                "recovery_s": 600.0,
            },
        ),
        "segregation_EG_film": (
            times,
            {
                "crystals": 40000,
                "counts": 8000,
                "bleach_s": 9000.0,
                "peak_nm": 630.0,
                "extent": 1e-9,
            },
        ),
    }
    for seed, (name, (t, options)) in enumerate(sets.items()):
        counts = segregation.spectra(np.random.default_rng(2140 + seed), w, t, **(common | options))
        if name == "segregation_single":  # a LabSpec matrix
            lines = [
                "#Acq. time (s)=\t2",
                "#AxisUnit[1]=\tnm",
                "time (s)\t" + "\t".join(f"{x:.1f}" for x in w),
            ]
            lines += [
                f"{s:g}\t" + "\t".join(f"{c:.0f}" for c in row)
                for s, row in zip(t, counts, strict=True)
            ]
            files.write_atomically(folder / f"{name}.txt", "\n".join(lines) + "\n")
            continue
        head = ["# Excitation: 405 nm continuous", "# Dark counts: 20"] + (
            ["# Dark from (s): 300"] if "dark_from_s" in options else []
        )
        lines = [*head, "Wavelength (nm)," + ",".join(f"{s:g} s" for s in t)] + [
            f"{x:.1f}," + ",".join(f"{c:.0f}" for c in column)
            for x, column in zip(w, counts.T, strict=True)
        ]
        files.write_atomically(folder / f"{name}.csv", "\n".join(lines) + "\n")


def _confocal(folder: Path, made) -> None:
    import tifffile

    spacing = (1.18 / 4.01 * 0.001 / (1 + 1.18 / 4.01 * 0.001)) ** (
        -1 / 3
    ) * 16.3  # nm, one crystal per this cube
    sets = {
        "confocal_neat_film": {
            "spacing_nm": 60.0,
            "layer_nm": 30.0,
            "photons": 180.0,
            "dark": 4.0,
            "bleach_frames": 60.0,
            "dense": True,
        },
        "confocal_pmma_0.001": {
            "spacing_nm": spacing,
            "layer_nm": 100.0,
            "photons": 160.0,
            "dark": 4.0,
            "bleach_frames": 14.0,
        },
    }
    for seed, (name, options) in enumerate(sets.items()):
        stack = segregation.confocal(
            np.random.default_rng(2150 + seed), 8, 96, 60.0, psf_fwhm_nm=260.0, **options
        )
        stream = io.BytesIO()
        tifffile.imwrite(
            stream,
            stack,
            imagej=True,
            resolution=(1 / 0.060, 1 / 0.060),
            metadata={"axes": "TYX", "unit": "um", "finterval": 30.0},
            compression=None,
        )
        files.write_atomically(folder / f"{name}.tif", stream.getvalue())


def _truth(folder: Path, made) -> None:
    """What an analysis of these files should find."""
    rows = []
    for place, sets in LIFETIMES.items():
        rows += [
            (f"mean_lifetime_{place}_{name}", tcspc.mean_lifetime(*parameters), "ns")
            for name, parameters in sets.items()
        ]
    film = LIFETIMES["film"]["E+G"]
    rows += [
        (f"mean_lifetime_{name}", tcspc.mean_lifetime(*film, *quench[:2]), "ns")
        for name, quench in QUENCHERS.items()
    ]
    for name, parameters in film_parameters().items():
        levels = (
            np.geomspace(0.1, 300, 12)
            * 1e-3
            / (1.98644586e-25 / 405e-9)
            * parameters.absorptance
            / (parameters.thickness_nm * 1e-7)
        )
        yields = [sphere.steady_yield(g, parameters) for g in levels]
        rows += [
            (f"plqy_largest_{name}", max(yields), ""),
            (f"capture_rate_{name}", parameters.capture * parameters.traps, "1/s"),
            (f"traps_{name}", parameters.traps, "cm-3"),
            (f"absorptance_{name}", parameters.absorptance, ""),
        ]
    for name in ("solution", "E+G"):
        gap, weight = crystals.gaps(made[name])
        rows.append((f"gap_{name}", float(weight @ gap), "eV"))
    rows += [
        ("red_shift", RED_SHIFT_EV, "eV"),
        ("self_absorption", film_parameters()["E+G"].self_absorption, ""),
    ]
    files.write_atomically(
        folder / "truth.csv",
        "name,value,unit\n" + "".join(f"{name},{value:.8g},{unit}\n" for name, value, unit in rows),
    )
