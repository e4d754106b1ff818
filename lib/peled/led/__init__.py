"""Light-emitting devices: photometry, consistency of stated numbers, J-V, colour stability,
lifetime, optical ceiling.

>>> from peled.led import efficiency, gaussian_band
>>> round(float(efficiency(30.0, 0.1, *gaussian_band(620.0, 35.0)).eqe), 3)
0.176
"""

from peled.led.ceiling import read_stack
from peled.led.consistency import check_column, common_band, solve
from peled.led.current_voltage import fit_jv, peak_eqe, rolloff, turn_on
from peled.led.lifetime import acceleration, crossing_time, fit_decay
from peled.led.photometry import colour, efficiency, gaussian_band, luminance
from peled.led.stability import follow, relaxation

__all__ = [
    "acceleration",
    "check_column",
    "colour",
    "common_band",
    "crossing_time",
    "efficiency",
    "fit_decay",
    "fit_jv",
    "follow",
    "gaussian_band",
    "luminance",
    "peak_eqe",
    "read_stack",
    "relaxation",
    "rolloff",
    "solve",
    "turn_on",
]
