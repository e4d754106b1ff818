"""The receiver: oversampled digitiser with noise and rounding, a linear-phase decimation filter,
phase and ring-down.

A signal enters as a function of time and leaves as a spectrometer stores it: delayed by the filter,
in integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import firwin

OVERSAMPLING = 8
TAPS = 1088
#: Delay of the linear-phase filter in stored points: half its length.
GROUP_DELAY = (TAPS - 1) / 2 / OVERSAMPLING


@dataclass(frozen=True)
class Receiver:
    """What the electronics do to a decay.

    Attributes
    ----------
    sweep_Hz : float
    points : int
        Complex points stored.
    noise : float
        Standard deviation of the noise of each component of a stored point, in units of the signal.
    phase_deg : float
        Receiver phase.
    dead_time_s : float
        The receiver opens late: a first-order phase over the sweep.
    ring_down : float
        Amplitude of the probe's ring-down relative to the signal at time zero (a broad hump under
        the spectrum).
    ring_time_s : float
    """

    sweep_Hz: float
    points: int
    noise: float
    phase_deg: float = 0.0
    dead_time_s: float = 0.0
    ring_down: float = 0.0
    ring_time_s: float = 25e-6

    def times(self) -> np.ndarray:
        """Times at which the digitiser looks, seconds after the receiver opens."""
        return (
            np.arange(self.points * OVERSAMPLING) / (self.sweep_Hz * OVERSAMPLING)
            + self.dead_time_s
        )

    def store(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Digitise, filter, decimate.

        Parameters
        ----------
        signal : ndarray, complex, shape (points * OVERSAMPLING,)
            At `times()`.

        Returns
        -------
        ndarray, complex, shape (points,)
            In digitiser units.
        """
        taps = firwin(TAPS, 0.96 / OVERSAMPLING, window=("kaiser", 9.0))
        fine_noise = self.noise / np.sqrt(np.sum(taps**2))
        time = self.times() - self.dead_time_s
        analogue = signal * np.exp(1j * np.deg2rad(self.phase_deg)) + self.ring_down * abs(
            signal[0]
        ) * np.exp(-time / self.ring_time_s)
        analogue = analogue + fine_noise * (
            rng.standard_normal(len(signal)) + 1j * rng.standard_normal(len(signal))
        )
        # Signal averaging rounds in units of the sum of scans: a step well below the noise, as on
        # any healthy instrument.
        step = fine_noise / 8
        digital = np.rint(analogue.real / step) + 1j * np.rint(analogue.imag / step)
        size = 2 ** int(np.ceil(np.log2(len(digital) + TAPS)))
        filtered = np.fft.ifft(np.fft.fft(digital, size) * np.fft.fft(taps, size))[
            : len(digital) : OVERSAMPLING
        ]
        return np.rint(filtered.real) + 1j * np.rint(filtered.imag)
