"""Device measurements of light-emitting diodes: J-V-L sweeps, radiance series of a luminance meter,
lifetime logs.

`read_sweeps` reads text (any delimiter, decimal mark, header) and Excel sheets with columns
recognised by name and unit: voltage; current or current density; luminance; photodiode current;
EQE, cd/A and lm/W as reported; time; status. Among them are exports of Keithley 2400/2450
sourcemeters (with or without column heads, status word), of Konica-Minolta CS-2000 and of Hamamatsu
C9920-12. Up and down sweeps come back apart. Nothing is dropped: points in compliance, at a range
change, repeated, or without a luminance reading are kept and flagged.

Tried on files not written here: current and voltage of three solar-cell set-ups (Keithley 2400 by
the software of PVcomB and of HySPRINT, IRIS) in `tests/data/*.jv.txt` of
github.com/nomad-hzb/nomad-hysprint. No file of a luminance meter could be had: luminance, radiance
and lifetimes were tried on files written here after the manuals, one of each layout in
`tests/formats`.
"""

from peled.formats.sweeps.jvl import Sweep, read_sweeps
from peled.formats.sweeps.lifetime import LifetimeLog, read_lifetime
from peled.formats.sweeps.radiances import Radiances, read_radiances

__all__ = [
    "LifetimeLog",
    "Radiances",
    "Sweep",
    "read_lifetime",
    "read_radiances",
    "read_sweeps",
]
