"""EQE from absolute spectra: total flux in an integrating sphere, radiance along the normal."""
from __future__ import annotations


def quantities(device, settings):
    return []
