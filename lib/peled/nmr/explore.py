"""Views for the sliders of the notebook: everything slow is done once, a slider only turns and draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from peled.formats.nmr import Fid, read
from peled.nmr.processing import Phase, apply_phase, autophase, from_spectrum, process
from peled.nmr.titration import bound_fractions, two_site


def phase_view(path, *, points: int = 4000) -> Callable:
    """A drawing of one spectrum for given phases (relative to the automatic p0) and polynomial baseline."""
    content = read(path)
    spectrum = (
        process(content, line_broadening_Hz=0.3 if content.nucleus == "1H" else 20.0, zero_fill=0)
        if isinstance(content, Fid)
        else from_spectrum(content)
    )
    automatic = autophase(spectrum)

    def draw(p0_deg: float, p1_deg: float, baseline_order: int) -> None:
        import matplotlib.pyplot as plt

        turned = apply_phase(spectrum, Phase(automatic.p0_deg + p0_deg, p1_deg))
        y = turned.real
        # Baseline through the points that do not stand out from the median.
        x = np.linspace(-1, 1, len(y))
        quiet = np.abs(y - np.median(y)) < 4 * turned.noise_sd
        if quiet.sum() > 50:
            y = y - np.polynomial.polynomial.polyval(
                x, np.polynomial.polynomial.polyfit(x[quiet][::4], y[quiet][::4], baseline_order)
            )
        _, ax = plt.subplots(figsize=(6.2, 2.2), layout="constrained")
        step = max(len(y) // points, 1)
        ax.plot(turned.ppm[::step], y[::step] / y.max(), lw=0.5)
        ax.set_xlim(turned.ppm[-1], turned.ppm[0])
        ax.set_ylim(-0.15, 0.5)
        ax.set_xlabel("chemical shift (ppm)")
        ax.set_yticks([])

    return draw


def exchange_view(
    *,
    ligand_M: float,
    log10_K: float,
    shift_Hz: float,
    width_free_Hz: float = 1.3,
    width_bound_Hz: float = 5.0,
) -> Callable:
    """A drawing of one proton in exchange between free and bound ligand for given lead and rate."""
    offset = np.linspace(-0.8 * shift_Hz, 1.8 * shift_Hz, 1200)

    def draw(lead_per_ligand: float, log10_k_off: float) -> None:
        import matplotlib.pyplot as plt

        fraction = float(
            bound_fractions(
                np.array([ligand_M]), np.array([ligand_M * lead_per_ligand]), [10**log10_K]
            )[0, 0]
        )
        k_ex = 10**log10_k_off / max(1 - fraction, 1e-9)
        _, ax = plt.subplots(figsize=(4.0, 2.2), layout="constrained")
        ax.plot(
            offset, two_site(offset, fraction, 0.0, shift_Hz, k_ex, width_free_Hz, width_bound_Hz)
        )
        ax.axvline(0, color="grey", lw=0.5, ls=":")
        ax.axvline(shift_Hz, color="grey", lw=0.5, ls=":")
        ax.set_xlabel("offset from the free ligand (Hz)")
        ax.set_yticks([])
        ax.set_title(
            f"{fraction:.0%} bound, k_ex / (2π Δν) = {k_ex / (2 * np.pi * shift_Hz):.2g}", size=6.5
        )
        ax.invert_xaxis()

    return draw
