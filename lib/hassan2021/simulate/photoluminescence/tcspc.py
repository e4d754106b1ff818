"""Single-photon counting by Monte Carlo: cycles, first photons, response with tail, dark counts."""

from __future__ import annotations

import struct

import numpy as np


def response_delays(rng: np.random.Generator, count: int) -> np.ndarray:
    """Delays in ns drawn from the instrument response: a 0.40 ns core, a 5 % diffusion tail of 0.6
    ns."""
    delay = rng.normal(2.0, 0.40 / 2.35482, count)
    tail = rng.random(count) < 0.05
    return delay + np.where(tail, rng.exponential(0.6, count), 0.0)


def trapped_lifetimes(
    rng: np.random.Generator,
    count: int,
    radiative_ns: float,
    trap_ns: float,
    mean_traps: float,
    quench_ns: float = np.inf,
    quenched: float = 0.0,
) -> np.ndarray:
    """Lifetimes in ns of crystals with a Poisson number of traps (P. P. Infelta, M. Grätzel, J.
    Phys. Chem. 83 (1979) 78 kinetics), a share `quenched` of which also loses carriers to an
    interface, weighted by the photons they give."""
    traps = rng.poisson(mean_traps, count)
    rate = (
        1 / radiative_ns
        + traps / trap_ns
        + np.where(rng.random(count) < quenched, 1 / quench_ns, 0.0)
    )
    lifetime = 1 / rate
    # A crystal emits in proportion to its lifetime: keep it with that probability.
    return lifetime[rng.random(count) < lifetime / radiative_ns]


def histogram(
    rng: np.random.Generator,
    bins: int,
    bin_ns: float,
    cycles: int,
    photons: int,
    lifetimes: np.ndarray,
    dark_per_bin: float,
) -> np.ndarray:
    """Histogram of the first photon of each excitation cycle; `photons` is the mean number that
    reach the detector."""
    count = rng.poisson(photons)
    t = rng.exponential(rng.choice(lifetimes, count)) + response_delays(rng, count)
    cycle = rng.integers(0, cycles, count)
    order = np.lexsort((t, cycle))
    first = np.ones(count, dtype=bool)
    first[1:] = cycle[order][1:] != cycle[order][:-1]
    kept = t[order][first]
    return np.histogram(kept, bins=np.arange(bins + 1) * bin_ns)[0] + rng.poisson(
        dark_per_bin, bins
    )


def response_histogram(
    rng: np.random.Generator, bins: int, bin_ns: float, photons: int, dark_per_bin: float
) -> np.ndarray:
    """The response as it is recorded on a scatterer."""
    return np.histogram(response_delays(rng, photons), bins=np.arange(bins + 1) * bin_ns)[
        0
    ] + rng.poisson(dark_per_bin, bins)


def mean_lifetime(
    radiative_ns: float,
    trap_ns: float,
    mean_traps: float,
    quench_ns: float = np.inf,
    quenched: float = 0.0,
) -> float:
    """Amplitude-weighted mean lifetime of `trapped_lifetimes`, summed over numbers of traps: the
    truth to be found."""
    n = np.arange(0, 60)
    weight = np.exp(
        n * np.log(max(mean_traps, 1e-300))
        - mean_traps
        - np.array([sum(np.log(np.arange(1, k + 1))) for k in n])
    )
    plain = 1 / (1 / radiative_ns + n / trap_ns)
    fast = 1 / (1 / radiative_ns + n / trap_ns + 1 / quench_ns)
    return float(weight @ ((1 - quenched) * plain + quenched * fast))


def phu_file(
    curves: list[np.ndarray], bin_ns: float, sync_Hz: float, seconds: float, comment: str
) -> bytes:
    """Histograms as a PicoQuant .phu file (unified tags, version 1.0)."""

    def tag(name: str, kind: int, value: bytes, index: int = -1, extra: bytes = b"") -> bytes:
        return struct.pack("<32siI8s", name.encode(), index, kind, value) + extra

    def integer(name, value, index=-1):
        return tag(name, 0x10000008, struct.pack("<q", value), index)

    def real(name, value, index=-1):
        return tag(name, 0x20000008, struct.pack("<d", value), index)

    def text(name, value):
        raw = value.encode("latin-1") + b"\0"
        raw += b"\0" * (-len(raw) % 8)
        return tag(name, 0x4001FFFF, struct.pack("<q", len(raw)), extra=raw)

    def build(offset: int) -> bytes:
        parts = [
            text("File_GUID", "{5f1d6c1e-2f0b-4c46-9a0e-0c6d1a2b3c4d}"),
            text("File_Comment", comment),
            integer("Measurement_Mode", 0),
            integer("Measurement_SubMode", 0),
            real("MeasDesc_Resolution", bin_ns * 1e-9),
            integer("MeasDesc_AcquisitionTime", int(seconds * 1e3)),
            integer("HistoResult_NumberOfCurves", len(curves)),
            integer("HistoResult_BitsPerBin", 32),
        ]
        for k, curve in enumerate(curves):
            parts += [
                integer("HistResDscr_CurveIndex", k, k),
                integer("HistResDscr_DataOffset", offset + sum(4 * c.size for c in curves[:k]), k),
                integer("HistResDscr_HistogramBins", curve.size, k),
                real("HistResDscr_HWBaseResolution", bin_ns * 1e-9, k),
                real("HistResDscr_MDescResolution", bin_ns * 1e-9, k),
                integer("HistResDscr_MDescStopAfter", int(seconds * 1e3), k),
                integer("HistResDscr_SyncRate", int(sync_Hz), k),
                integer("HistResDscr_IntegralCount", int(curve.sum()), k),
            ]
        parts.append(tag("Header_End", 0xFFFF0008, b"\0" * 8))
        return b"PQHISTO\0" + b"1.0\0\0\0\0\0" + b"".join(parts)

    header = build(0)
    header = build(len(header))
    return header + b"".join(np.asarray(c, dtype="<u4").tobytes() for c in curves)
