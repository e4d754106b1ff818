"""Forward model of the transient-absorption experiment: raw-like files whose kinetics are no sum of
exponentials.

Each nanocrystal holds a whole number N of electron–hole pairs. Pulses leave a Poisson distribution
of N, which decays by the master equation

    dp_N/dt = k_{N+1} p_{N+1} − k_N p_N,    k_N = N/τ_1X + N(N−1)/(2 τ_A)

(binary collisions of pairs: Barzykin and Tachiya, J. Phys.: Condens. Matter 19, 065105 (2007), DOI
10.1088/0953-8984/19/6/065105). The absorbance of a crystal with N pairs at the carrier temperature
T follows Elliott (Phys. Rev. 108, 1384 (1957)): a broadened exciton and a Sommerfeld-enhanced
continuum, their band edge lowered as n^{1/3} (gap renormalisation), the exciton screened, and the
transitions blocked where quasi-Fermi distributions fill the bands. Carriers start hot and cool.
After irradiation part of the pairs funnels into iodide-rich domains with a gap near 1.83 eV.

The signal is then seen as an instrument sees it: group delay of the probe from the Sellmeier
equation of fused silica (Malitson, J. Opt. Soc. Am. 55, 1205 (1965)), a Gaussian response folded in
numerically, a coherent artefact, pump scatter, probe noise correlated over wavelengths, and a drift
during each scan whose delays are visited in the order the paper gives.

`python -m hassan2021.simulate.transient_absorption` writes the files of `data/transient_absorption`
from fixed seeds. What is assumed stands in `ASSUMPTIONS`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.linalg import expm

from hassan2021.simulate.writers import write_ufs
from ledger import files

REFERENCE_NM = 630.0  #: where the group delay is zero
CARRIER_MASS = 0.2  #: of electron and hole, in units of m0

HC_EV_NM = 1239.8419843320026
KB_EV = 8.617333262e-5
H_J_S, C_NM_PS, C_M_S = 6.62607015e-34, 299792.458, 299792458.0

#: Published inputs: fluence, wavelengths, resolution, scan counts, sizes, PL wavelengths.
PUMP_NM, PUMP_UJ_CM2 = 520.0, 106.0
RESOLUTION_PS, LONGEST_PS = 0.1, 800.0
SCANS = {"before": 72, "after": 60}
EDGE_NM = {"neat": 16.3, "E+G": 12.0}
PL_NM = {
    ("neat", "before"): 649.0,
    ("neat", "after"): 669.0,
    ("E+G", "before"): 628.0,
    ("E+G", "after"): 632.0,
}

ASSUMPTIONS = (
    "3.0 pairs per crystal on average in neat and E+G films, not the tens that the "
    "printed fluence implies (see the notebook)",
    "single-pair lifetime 300 ps, Auger constant of a pair of pairs 22 ps (neat), 20 "
    "ps (E+G): chosen so that the fit lands near the printed constants",
    "cooling from 900 K with 0.28 ps; gap renormalisation 22 meV at 10^18 cm^-3, "
    "growing as n^(1/3)",
    "density-of-states masses 0.2; exciton binding 20 meV; inhomogeneous width 32 meV; "
    "absorbance 0.03 of the continuum 0.25 eV above the edge",
    "band edge 30 meV above the PL (Stokes shift)",
    "after irradiation: iodide-rich domains at 1.83 eV with 10 % of the absorbance, 12 "
    "% of the pairs funnel into them with 6 ps (neat); a tenth of both in E+G",
    "response Gaussian, 100 fs full width at half maximum; probe dispersed by 12 mm of "
    "fused silica; coherent artefact 1.5 mOD",
    "noise of one scan 0.85 mOD, two thirds of its variance common to pixels within 40 "
    "nm; signal drift of 3 % per scan; one spiky scan in twenty",
)


@dataclass(frozen=True)
class Film:
    """A film of nanocrystals; energies in eV, times in ps."""

    gap_eV: float
    edge_nm: float
    pairs: float = 3.0
    tau_single_ps: float = 300.0
    tau_auger_ps: float = 22.0
    cooling_ps: float = 0.28
    hot_K: float = 900.0
    renormalisation_eV: float = 0.022
    binding_eV: float = 0.020
    width_eV: float = 0.032
    absorbance: float = 0.03
    domain_gap_eV: float = 1.83
    domain_share: float = 0.0
    funnel_share: float = 0.0
    funnel_ps: float = 6.0


def film(sample: str, state: str, **changes) -> Film:
    """The four films of the paper as assumed here."""
    found = Film(
        gap_eV=HC_EV_NM / PL_NM[sample, "before"] + 0.030,
        edge_nm=EDGE_NM[sample],
        tau_auger_ps=22.0 if sample == "neat" else 20.0,
    )
    if state == "after":
        strength = 1.0 if sample == "neat" else 0.1
        found = replace(
            found,
            domain_share=0.10 * strength,
            funnel_share=0.12 * strength,
            domain_gap_eV=1.83 if sample == "neat" else 1.93,
        )
    return replace(found, **changes)


# ---- one crystal ---------------------------------------------------------------------------------


def elliott(energy_eV, gap_eV, binding_eV, width_eV, exciton=1.0):
    """Absorbance of a direct gap with excitons, broadened by a Gaussian: (exciton part, continuum
    part), continuum → 1 for E ≫ gap without its slope."""
    fine = np.arange(-0.25, 1.4, 0.002)
    ry = max(binding_eV, 1e-6)
    kernel_x = np.arange(-4 * width_eV, 4 * width_eV + 1e-9, 0.002)
    kernel = np.exp(-0.5 * (kernel_x / width_eV) ** 2)
    kernel /= kernel.sum()
    bound = np.zeros_like(fine)
    for n in (1, 2, 3):
        bound[np.argmin(np.abs(fine + ry / n**2))] += 4 * np.pi * ry / n**3 / 0.002 * 0.25
    above = fine > 0
    x = np.pi * np.sqrt(ry / np.where(above, np.maximum(fine, 1e-5), 1.0))
    free = np.where(
        above, 2 * x / (1 - np.exp(-2 * x)) * np.sqrt(np.maximum(fine, 0)) / np.sqrt(0.25), 0.0
    )
    bound, free = (np.convolve(y, kernel, mode="same") for y in (bound, free))
    at = np.asarray(energy_eV) - gap_eV
    return exciton * np.interp(at, fine, bound, left=0.0), np.interp(at, fine, free, left=0.0)


@lru_cache(maxsize=1)
def _fermi_table():
    """Reduced density n/Nc against η: ∫ 2/√π √x /(1 + e^{x−η}) dx."""
    eta = np.linspace(-12, 30, 400)
    x = np.linspace(0, 80, 8001)[1:]
    integrand = np.sqrt(x) / (1 + np.exp(np.clip(x[None, :] - eta[:, None], -700, 700)))
    return np.log(2 / np.sqrt(np.pi) * integrand.sum(1) * (x[1] - x[0])), eta


def occupation(energy_above_eV, density_cm3, temperature_K):
    """Electron (= hole) occupation at half of the excess energy."""
    states = 2.509e19 * CARRIER_MASS**1.5 * (temperature_K / 300) ** 1.5
    logs, eta = _fermi_table()
    level = np.interp(np.log(max(density_cm3, 1e10) / states), logs, eta)
    return 1 / (
        1
        + np.exp(
            np.clip(np.maximum(energy_above_eV, 0) / (2 * KB_EV * temperature_K) - level, -700, 700)
        )
    )


def absorbance(f: Film, energy_eV, pairs: float, temperature_K: float):
    """Absorbance of crystals that each hold `pairs` pairs at a carrier temperature."""
    density = pairs / (f.edge_nm**3 * 1e-21)
    gap = f.gap_eV - f.renormalisation_eV * (density / 1e18) ** (1 / 3)
    screened = f.binding_eV / (1 + density / 2e18)
    bound, free = elliott(energy_eV, gap, screened, f.width_eV)
    blocked = 2 * occupation(energy_eV - gap, density, temperature_K) if pairs > 0 else 0.0
    edge = 2 * occupation(0.0, density, temperature_K) if pairs > 0 else 0.0
    return f.absorbance * (bound * (1 - edge) + free * (1 - blocked))


def populations(f: Film, time_ps):
    """p_N(t) on increasing times from 0, shape (times, N + 1), from a Poisson start."""
    top = int(np.ceil(f.pairs + 6 * np.sqrt(f.pairs) + 4))
    n = np.arange(top + 1)
    rates = n / f.tau_single_ps + n * (n - 1) / (2 * f.tau_auger_ps)
    k = np.diag(-rates) + np.diag(rates[1:], 1)
    log_factorial = np.cumsum(np.log(np.maximum(n, 1)))
    p = np.exp(n * np.log(f.pairs) - f.pairs - log_factorial)
    p /= p.sum()
    out, last = [], 0.0
    for t in time_ps:
        p = expm(k * (t - last)) @ p
        out.append(p)
        last = t
    return np.array(out)


def response(f: Film, wavelength_nm):
    """Difference absorbance after an infinitely short pulse: fine times (ps) and ΔA (times,
    wavelengths)."""
    time = np.unique(np.r_[0.0, np.arange(0.01, 2.0, 0.02), np.geomspace(2.0, 1000.0, 90)])
    energy = HC_EV_NM / np.asarray(wavelength_nm, float)
    p = populations(f, time)
    temperature = 300.0 + (f.hot_K - 300.0) * np.exp(-time / f.cooling_ps)
    nodes = np.r_[300.0, 330.0, 380.0, 450.0, 550.0, 700.0, 900.0, f.hot_K]
    ground = absorbance(f, energy, 0, 300.0)
    numbers = np.arange(p.shape[1])
    # Domains take their share of the pairs; what has funnelled no longer fills the host.
    moved = f.funnel_share * (1 - np.exp(-time / f.funnel_ps))
    signal = np.zeros((len(time), len(energy)))
    spectra = np.array([[absorbance(f, energy, n, T) - ground for T in nodes] for n in numbers])
    for j, T in enumerate(temperature):
        at = np.clip(np.searchsorted(nodes, T) - 1, 0, len(nodes) - 2)
        w = np.clip((T - nodes[at]) / (nodes[at + 1] - nodes[at]), 0, 1)
        hosts = (1 - w) * spectra[:, at] + w * spectra[:, at + 1]
        # Pairs left in the host shrink its response in proportion, between N and 0.
        signal[j] = (1 - moved[j]) * (p[j] @ hosts)
    if f.domain_share > 0:
        domain = replace(f, gap_eV=f.domain_gap_eV, absorbance=f.absorbance * f.domain_share)
        bound, free = elliott(energy, domain.gap_eV, domain.binding_eV, domain.width_eV)
        bleach = domain.absorbance * (
            bound + free * np.exp(-np.maximum(energy - domain.gap_eV, 0) / (2 * KB_EV * 300))
        )
        filled = 1 - np.exp(-np.outer(moved, numbers) * 1.5)
        signal -= np.einsum("tn,tn->t", p, filled)[:, None] * bleach
    return time, signal


# ---- the instrument ------------------------------------------------------------------------------


def group_delay_ps(wavelength_nm, millimetres=12.0):
    """Group delay of fused silica relative to a reference wavelength."""

    def index(um):
        return np.sqrt(
            1
            + 0.6961663 * um**2 / (um**2 - 0.0684043**2)
            + 0.4079426 * um**2 / (um**2 - 0.1162414**2)
            + 0.8974794 * um**2 / (um**2 - 9.896161**2)
        )

    def group(nm):
        um, d = np.asarray(nm, float) / 1e3, 1e-4
        return index(um) - um * (index(um + d) - index(um - d)) / (2 * d)

    return millimetres * 1e6 / C_NM_PS * (group(wavelength_nm) - group(REFERENCE_NM))


def delays_ps():
    """Delays of a scan: fine around zero, then logarithmic to 800 ps."""
    return np.unique(
        np.round(
            np.r_[
                np.arange(-2.0, -0.6, 0.2),
                np.arange(-0.6, 1.4, 0.05),
                np.geomspace(1.4, LONGEST_PS, 62),
            ],
            4,
        )
    )


def ideal(f: Film, delay_ps, wavelength_nm):
    """Noise-free signal as the instrument sees it, shape (delays, wavelengths)."""
    artefact, t0_ps = 1.5e-3, 0.05
    time, clean = response(f, wavelength_nm)
    sigma = RESOLUTION_PS / 2.3548200450309493
    u = np.linspace(-5, 5, 101)
    weight = np.exp(-0.5 * u**2)
    weight /= weight.sum()
    out = np.empty((len(delay_ps), len(wavelength_nm)))
    lag = group_delay_ps(wavelength_nm)
    for j in range(len(wavelength_nm)):
        centre = np.asarray(delay_ps) - t0_ps - lag[j]
        x = centre[:, None] - sigma * u[None, :]
        seen = np.interp(x, time, clean[:, j])
        seen[x < 0] = 0.0
        on_edge = np.abs(x) < sigma * 0.05  # half of the sample that straddles zero
        out[:, j] = (np.where(on_edge, 0.5 * clean[0, j], seen)) @ weight
        z = centre / sigma
        out[:, j] += (
            artefact
            * np.cos(wavelength_nm[j] / 40.0)
            * (1 - 0.8 * z - 0.6 * z**2)
            * np.exp(-0.5 * z**2)
        )
    return out


def visiting_time(count: int, order: str = "alternating"):
    """When in a scan (0 to 1) each delay is visited: alternate delays up, the others down again; or
    all ascending."""
    if order == "ascending":
        return np.linspace(0, 1, count)
    sequence = np.r_[np.arange(0, count, 2), np.arange(count - 1 - (count % 2), 0, -2)]
    when = np.empty(count)
    when[sequence] = np.linspace(0, 1, count)
    return when


def scans(
    f: Film,
    delay_ps,
    wavelength_nm,
    count: int,
    seed: int,
    *,
    noise=0.85e-3,
    drift=-0.03,
    order="alternating",
    spikes=True,
    scatter=True,
):
    """Single scans with noise, drift and pump scatter, shape (count, delays, wavelengths)."""
    rng = np.random.default_rng(seed)
    clean = (
        ideal(f, delay_ps, wavelength_nm)
        * (1 + drift * visiting_time(len(delay_ps), order))[:, None]
    )
    distance = (wavelength_nm[:, None] - wavelength_nm[None, :]) / 40.0
    common = np.linalg.cholesky(np.exp(-0.5 * distance**2) + 1e-8 * np.eye(len(wavelength_nm)))
    out = np.empty((count, *clean.shape))
    near = (
        np.exp(-0.5 * ((wavelength_nm - PUMP_NM) / 3.5) ** 2)
        if scatter
        else np.zeros(len(wavelength_nm))
    )
    for i in range(count):
        shared = rng.standard_normal(clean.shape) @ common.T
        own = rng.standard_normal(clean.shape)
        out[i] = (
            clean
            + noise * (np.sqrt(2 / 3) * shared + np.sqrt(1 / 3) * own)
            + near * (4e-3 + 6e-3 * rng.standard_normal((clean.shape[0], 1)))
        )
        if (
            spikes and i % 20 == 7
        ):  # a cosmic ray or a dust grain: one delay of one scan is off at all wavelengths
            out[i, rng.integers(clean.shape[0])] += rng.choice([-1, 1]) * 0.03
    return out


def photoluminescence(sample: str, wavelength_nm, rng):
    """Fibre spectra: fresh, then after each of 60 scans; Poisson counts over a dark level. The mean
    wavelength is the published one, steady within 1 nm."""

    def spectrum(mean, width, tail):
        main = np.exp(-0.5 * ((wavelength_nm - mean) / width) ** 2)
        red = np.exp(-0.5 * ((wavelength_nm - mean - 1.6 * width) / (1.3 * width)) ** 2)
        y = main + tail * red
        shift = mean - np.sum(wavelength_nm * y) / np.sum(y)
        return np.interp(wavelength_nm - shift, wavelength_nm, y)

    columns = [spectrum(PL_NM[sample, "before"], 13.0, 0.0)]
    for _ in range(SCANS["after"]):
        columns.append(
            spectrum(
                PL_NM[sample, "after"] + 0.6 * rng.standard_normal(),
                14.0,
                0.35 if sample == "neat" else 0.02,
            )
        )
    counts = np.column_stack(columns) * 6000 + 40
    return rng.poisson(counts)


def main(folder: Path | None = None) -> None:
    """Write all files of `data/transient_absorption`."""
    folder = folder or files.ROOT / "data" / "transient_absorption"
    delay, wide = delays_ps(), np.arange(500.0, 740.1, 1.5)
    coarse = np.arange(552.0, 732.1, 5.0)
    note = (
        "Pump wavelength: 520 nm\nPump fluence: 106 uJ/cm2\nSample: {sample}\nState: "
        "{state} irradiation\nNumber of scans: {count}\nOrigin: forward model, not a "
        "measurement\n"
    )
    for i, sample in enumerate(("neat", "E+G")):
        stem = sample.replace("+", "")
        for j, state in enumerate(("before", "after")):
            f, count = film(sample, state), SCANS[state]
            mean = scans(
                f,
                delay,
                wide,
                4,
                100 + 10 * i + j,
                noise=0.85e-3 / np.sqrt(count / 4),
                spikes=False,
            ).mean(0)
            write_ufs(
                folder / f"{stem}_{state}.ufs",
                delay,
                wide,
                mean,
                metadata=note.format(sample=sample, state=state, count=count),
            )
            single = scans(f, delay, coarse, count, 200 + 10 * i + j, scatter=False)
            _save_npz(
                folder / f"{stem}_{state}_scans.npz",
                delay_ps=delay,
                wavelength_nm=coarse,
                dA_uOD=np.round(single * 1e6).astype(np.int16),
            )
    # One film at rising fluence, every microscopic rate unchanged; and one scanned in plain
    # ascending order.
    for pairs in (0.5, 1.5, 5.0, 15.0, 36.0):
        f = film("neat", "before", pairs=pairs)
        mean = scans(
            f,
            delay,
            coarse,
            1,
            int(300 + 10 * pairs),
            noise=3e-5,
            drift=0.0,
            spikes=False,
            scatter=False,
        )[0]
        write_ufs(
            folder / f"fluence_{pairs:04.1f}_pairs.ufs",
            delay,
            coarse,
            mean,
            metadata=f"Average pairs per crystal: {pairs}\nOrigin: forward model, not a "
            "measurement\n",
        )
    for name, order, drift in (
        ("alternating", "alternating", -0.1),
        ("ascending", "ascending", -0.1),
        ("steady", "alternating", 0.0),
    ):
        mean = scans(
            film("neat", "before"),
            delay,
            coarse,
            1,
            400,
            noise=3e-5,
            drift=drift,
            order=order,
            spikes=False,
            scatter=False,
        )[0]
        write_ufs(
            folder / f"order_{name}.ufs",
            delay,
            coarse,
            mean,
            metadata=f"Order of delays: {order}\nDrift: {drift * 100:.0f} % per scan\nOrigin: "
            "forward model, not a measurement\n",
        )
    nm = np.arange(580.0, 740.1, 1.0)
    for i, sample in enumerate(("neat", "E+G")):
        counts = photoluminescence(sample, nm, np.random.default_rng(500 + i))
        head = ",".join(
            [
                "Wavelength (nm)",
                "fresh (counts)",
                *(f"scan {k + 1:02d} (counts)" for k in range(SCANS["after"])),
            ]
        )
        rows = [",".join([f"{w:.1f}", *map(str, c)]) for w, c in zip(nm, counts, strict=True)]
        files.write_atomically(
            folder / f"pl_{sample.replace('+', '')}.csv", "\n".join([head, *rows]) + "\n"
        )


def _save_npz(path: Path, **arrays) -> None:
    """A compressed archive with fixed time stamps: the same content gives the same bytes."""
    import io
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entry.getvalue())
    files.write_atomically(path, stream.getvalue())


if __name__ == "__main__":
    main()
