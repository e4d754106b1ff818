"""What notebook 04 holds the paper against: its printed operating points, and the devices that
the sample sheet names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hassan2021 import desk
from hassan2021.desk import Missing
from ledger import paper
from peled.conditioning import propagate
from peled.led import photometry
from peled.led.ceiling import Ceiling, Stack
from peled.led.consistency import CommonBand, Derived, Stated, common_band, solve
from peled.led.current_voltage import JVFit, fit_jv
from peled.led.device import Curve, Run
from peled.led.lifetime import Acceleration, DecayFit, acceleration, fit_decay
from peled.led.reading import Series
from peled.led.stability import Followed, Relaxation, relaxation
from peled.quantities import Quantity
from peled.report import Report
from peled.samples import Sheet

BATCH = "E+G batch"
#: Layers of Fig. 3 that the stack of Extended Data Fig. 7a has not.
LATER_LAYERS = ("TFB",)
#: What the ceiling is varied over: both printed thicknesses of the emitter, what is not printed.
VARIED = {
    "emitter_nm": (20.0, 30.0),
    "hole_nm": (0.5, 30.0, 60.0, 90.0),
    "ito_nm": (100.0, 150.0),
    "organic_index": (1.60, 1.70, 1.80),
    "vertical": (1 / 3, 0.2),
    "ito_index": (1.75, 1.95),
}


#: Of a `photometry.Colour`.
COORDINATES: Mapping[str, Callable[[photometry.Colour], np.ndarray]] = {
    "x": lambda colour: colour.x,
    "y": lambda colour: colour.y,
    **{red: lambda colour, red=red: colour.distance[red] for red in photometry.RED_PRIMARIES},
}


@dataclass(frozen=True)
class Points:
    """The operating points of the legend of Extended Data Fig. 8; any two numbers give the third.

    `exact` takes the numbers as exact, `rounded` the luminances as rounded; `champion` is the
    luminance at the peak EQE.
    """

    drive: tuple[float, ...]
    luminance: tuple[Stated, ...]
    eqe: tuple[Stated, ...]
    eqe_found: tuple[Derived, ...]
    luminance_found: tuple[Derived, ...]
    drive_found: tuple[Derived, ...]
    exact: CommonBand
    rounded: CommonBand
    champion: Derived


def _stated(claims: Sequence[str], scale: float = 1.0) -> tuple[Stated, ...]:
    found = [paper.claim(c) for c in claims]
    return tuple(Stated(scale * c.number, scale * c.printed[0].half_width) for c in found)


def printed_points(centre_nm: float, fwhm_nm: float) -> Points:
    """The three drives of the lifetime test, for a band at `centre_nm`."""
    line = {"centre_nm": centre_nm, "fwhm_nm": fwhm_nm}
    drive = tuple(p.value for p in paper.claim("C066").printed)
    lum, eqe = _stated(("C262", "C263", "C264")), _stated(("C259", "C260", "C261"), 0.01)
    exact = [Stated(s.value) for s in lum]
    peak = Stated(paper.claim("C056").number / 100, 0.0005)
    at_peak = paper.claim("C057").number
    return Points(
        drive,
        lum,
        eqe,
        tuple(
            solve(luminance_cd_m2=x, current_density_mA_cm2=j, **line) for x, j in zip(lum, drive)
        ),
        tuple(solve(eqe=q, current_density_mA_cm2=j, **line) for q, j in zip(eqe, drive)),
        tuple(solve(eqe=q, luminance_cd_m2=x, **line) for q, x in zip(eqe, lum)),
        common_band(exact, drive, eqe, fwhm_nm=fwhm_nm),
        common_band(lum, drive, eqe, fwhm_nm=fwhm_nm),
        solve(eqe=peak, current_density_mA_cm2=at_peak, **line),
    )


def printed_ageing() -> Acceleration:
    """Acceleration of ageing by luminance, from the three printed lifetimes."""
    life, lum = _stated(("C063", "C064", "C065")), _stated(("C262", "C263", "C264"))
    errors = [[s.half_width / 3**0.5 for s in stated] for stated in (life, lum)]
    return acceleration([s.value for s in lum], [s.value for s in life], *errors)


@dataclass(frozen=True)
class Evidence:
    """What the folder and the stack say; every look-up raises `Missing` with a reason.

    Attributes
    ----------
    sheet, report : Sheet, Report
        Of `peled.led.analyse`.
    stack, ceiling : Stack, Ceiling
    internal_yield : float
    points : Points
    """

    sheet: Sheet
    report: Report
    stack: Stack
    ceiling: Ceiling
    internal_yield: float
    points: Points

    def quantity(self, sample: str, name: str, state: str = "") -> Quantity:
        """A number of the report that is not withheld."""
        return desk.quantity(self.report, sample, name, state=state)

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """Devices with a peak EQE, those of the batch aside."""
        peaks = [q for q in self.report.select(name="peak EQE", state="") if q.value is not None]
        names = dict.fromkeys(q.sample for q in peaks)
        return tuple(name for name in names if self.report.groups[name] != BATCH)

    def run(self, sample: str) -> Run:
        """The sweep of a device, the one up where there is one."""
        return self._swept(sample)[0]

    def curve(self, sample: str) -> Curve:
        """EQE along that sweep."""
        return self._swept(sample)[1]

    def _swept(self, sample: str) -> tuple[Run, Curve]:
        device = self.report.found.get(sample)
        for (index, _), curve in device.curves.items() if device else ():
            if curve.peak is not None and not device.runs[index].backward:
                return device.runs[index], curve
        raise Missing(f"no sweep of {sample} with light above its noise in the folder")

    def series(self, sample: str, state: str = "", current: float | None = None) -> Series:
        """The spectra of a device in a state (and at a drive)."""
        device = self.report.found.get(sample)
        for one in device.series if device else ():
            drive = one.settings.get("current_mA_cm2")
            if one.state == state and current in (None, drive) and one.used.any():
                return one
        raise Missing(f"no spectra of {' '.join(filter(None, (sample, state)))} in the folder")

    def followed(self, sample: str, state: str = "") -> Followed:
        """Peak, width and shoulder along a series."""
        one = self.series(sample, state)
        found = self.report.found[sample].followed.get((one.state, one.label))
        if found is None:
            raise Missing(f"the spectra of {sample}, {state}, could not be followed")
        return found

    def rest(self, sample: str) -> Relaxation:
        """Recovery of the peak at rest, in hours."""
        f = self.followed(sample, "rest")
        hours = paper.claim("C257").number
        return relaxation(f.parameter / 3600, f.peak_nm, f.peak_error, at=hours, unit="h")

    def colour(self, sample: str) -> dict[str, tuple[float, float]]:
        """x, y and the distance in u'v' to each standard red, with errors, at the peak EQE."""
        curve = self.curve(sample)
        series = curve.response.series[0]
        s, used = series.signal, np.flatnonzero(series.used)
        at = np.zeros(len(s.values)) if s.at is None else s.at
        at = np.log(at) if curve.response.axis == "current_mA_cm2" else at
        near = used[np.argsort(np.abs(at[used] - curve.place))[:2]]
        near = near[np.argsort(at[near])]
        both = replace(
            s, values=s.values[near], good=s.good[near], variance=s.variance[near], at=at[near],
            modes=s.modes[:, near], fitted=s.fitted[:, near],
        )  # fmt: skip
        found = {}
        for name, of in COORDINATES.items():
            value, causes = propagate(both, lambda y, of=of: of(photometry.colour(s.axis, y)))
            errors = np.hypot.reduce([*causes.values()])
            found[name] = tuple(float(np.interp(curve.place, at[near], v)) for v in (value, errors))
        return found

    @cached_property
    def jv(self) -> dict[str, JVFit | str]:
        """J-V fits of the devices; the reason where there is none."""
        found: dict[str, JVFit | str] = {}
        for sample in self.devices:
            s = self.run(sample).sweep
            try:
                found[sample] = fit_jv(s.voltage_V, s.current_density_mA_cm2, good=s.good)
            except ValueError as error:
                found[sample] = str(error)
        return found

    @cached_property
    def decays(self) -> dict[str, DecayFit]:
        """Burn-in and stretched exponential of each lifetime log, by its file; times in minutes."""
        logs = [log for device in self.report.found.values() for log in device.lifetimes]
        return {row.file: fit_decay(log.time_s / 60, log.signal) for row, log, _ in logs}

    @cached_property
    def batch(self) -> tuple[Quantity, ...]:
        """Peak EQE of the devices of the histogram."""
        members = [s for s, group in self.report.groups.items() if group == BATCH]
        found = [q for s in members for q in self.report.select(sample=s, name="peak EQE")]
        if len(kept := tuple(q for q in found if q.value is not None)) < 5:
            raise Missing(f"fewer than five devices of the group {BATCH} in the folder")
        return kept
