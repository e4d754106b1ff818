"""From light to photons: how a reading of each kind of detector becomes an external quantum
efficiency.

Every route is the same quotient. A channel reads y = R Φ/G: Φ the photons a second and area (or
device), R = ∫ S w dλ / ∫ S λ/(hc) dλ the reading of a mean photon of the spectrum S, w the
detector's response, and G its geometry. So

    EQE = G y q / (R J),

with w = K_m V(λ), G = Ω_f for a luminance [1]_; w = responsivity, G = 1/collected for a photodiode;
w = 1 for radiance (G = Ω_f) and for the flux in an integrating sphere (G = 1).

References
----------
.. [1] S. R. Forrest, D. D. C. Bradley, M. E. Thompson, Adv. Mater. 15, 1043 (2003),
   doi:10.1002/adma.200302151
.. [2] M. Anaya et al., Nat. Photon. 13, 818 (2019), doi:10.1038/s41566-019-0543-y
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.constants import c as SPEED_OF_LIGHT
from scipy.constants import h as PLANCK

from peled.conditioning import ratio
from peled.led import photometry
from peled.led.reading import Series
from peled.quantities import Finding, Quantity

#: Height at an end of the axis, of the maximum, from which on a band counts as cut.
CUT = 0.05

Weights = Callable[[np.ndarray], np.ndarray]


def photopic(wavelength_nm: np.ndarray) -> np.ndarray:
    """K_m V(λ), lm W⁻¹.

    Parameters
    ----------
    wavelength_nm : array (n,)

    Returns
    -------
    array (n,)

    References
    ----------
    .. [1] CIE, Spectral luminous efficiency for photopic vision (2018),
           doi:10.25039/CIE.DS.dktna2s3

    Examples
    --------
    >>> float(photopic(555.0))
    683.002
    """
    return photometry.KM_LM_W * photometry.photopic_response(wavelength_nm)


@dataclass(frozen=True)
class Response:
    """Reading of a mean photon along a device's spectra.

    Attributes
    ----------
    axis : str
        `bias_V`, `current_mA_cm2` or '' (one spectrum, place unknown).
    at : (m,) array
        Rising.
    value : (m,) array
        R, reading of a mean photon.
    errors : mapping of str to (m,) array
        By cause, relative.
    slope : (m,) array
        d ln R / dλ of the whole spectrum, 1/nm.
    reasons : tuple of str
        Why spectra were left out.
    """

    axis: str
    at: np.ndarray
    value: np.ndarray
    errors: Mapping[str, np.ndarray]
    slope: np.ndarray
    reasons: tuple[str, ...] = ()
    series: tuple[Series, ...] = field(default=(), repr=False)

    def place(self, voltage_V: np.ndarray, current: np.ndarray) -> np.ndarray:
        """Points of a sweep on the axis of the spectra.

        Parameters
        ----------
        voltage_V : (n,) array
        current : (n,) array
            mA/cm².

        Returns
        -------
        array (n,)
            ln of the current density where spectra count by current, else V.
        """
        if self.axis == "current_mA_cm2":
            return np.log(np.maximum(current, 1e-30))
        return np.asarray(voltage_V, float)

    def grid(self) -> np.ndarray:
        """Where the spectra are, on that axis."""
        return np.log(self.at) if self.axis == "current_mA_cm2" else self.at

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """R at places x, between neighbouring spectra in proportion, the last one beyond."""
        return np.interp(x, self.grid(), self.value)

    def error_at(self, x: float, shift_nm: float) -> dict[str, float]:
        """Relative standard errors by cause at place x.

        Beyond the spectra "spectrum elsewhere" is added: what the last step of the series would go
        on to; of a single spectrum, a shift of `shift_nm` either way, evenly.

        Parameters
        ----------
        x : float
            As `place` gives it.
        shift_nm : float
            Half range, nm.

        Returns
        -------
        dict of str to float
        """
        grid = self.grid()
        high = int(np.clip(np.searchsorted(grid, x), 1, max(len(grid) - 1, 1)))
        low = high - 1
        if len(grid) == 1:
            found = {name: float(e[0]) for name, e in self.errors.items()}
            off = self.axis and abs(x - grid[0]) < 1e-9
            return found if off else found | self._elsewhere(shift_nm)
        share = float(np.clip((x - grid[low]) / (grid[high] - grid[low]), 0, 1))
        parts = (1 - share) * self.value[low], share * self.value[high]
        total = sum(parts)
        found = {
            name: float(np.hypot(parts[0] * e[low], parts[1] * e[high]) / total)
            for name, e in self.errors.items()
        }
        beyond = max(grid[0] - x, x - grid[-1], 0.0) / (grid[high] - grid[low])
        if beyond > 0.02:
            step = abs(self.value[high] - self.value[low]) * beyond
            most = min(step, float(np.ptp(self.value))) / total
            found["spectrum elsewhere"] = max(most, 1e-6) / math.sqrt(3)
        return found

    def _elsewhere(self, shift_nm: float) -> dict[str, float]:
        return {"spectrum elsewhere": float(abs(self.slope[0]) * shift_nm / math.sqrt(3))}

    def borrowed(self, shift_nm: float) -> Response:
        """The same for another device: each spectrum may be shifted by `shift_nm` either way.

        Parameters
        ----------
        shift_nm : float
            Half range, nm.

        Returns
        -------
        Response
            With the cause "spectrum of another device".
        """
        extra = {"spectrum of another device": np.abs(self.slope) * shift_nm / math.sqrt(3)}
        return Response(
            self.axis, self.at, self.value, {**self.errors, **extra}, self.slope, self.reasons,
            self.series,
        )  # fmt: skip


def response(series: Sequence[Series], weights: Weights, what: str) -> Response | None:
    """R of all spectra that say at which bias or current they were taken; else of a single one.

    Parameters
    ----------
    series : sequence of Series
    weights : callable
        Wavelengths (nm) -> w.
    what : str
        Name of ∫ S w dλ, for the sentences.

    Returns
    -------
    Response or None
        None where there is no spectrum at all; without usable ones `value` is empty and `reasons`
        say why.
    """
    placed = [s for s in series if s.axis in ("bias_V", "current_mA_cm2")]
    axis = placed[0].axis if placed else ""
    chosen = [s for s in placed if s.axis == axis] or [s for s in series if not s.axis][:1]
    if not chosen:
        return None
    rows, reasons = [], []
    for one in chosen:
        found, why = _response_of(one, weights, what)
        reasons += why
        at = one.signal.at if axis else np.zeros(len(one.signal.values))
        rows += [(float(at[i]), *found[i]) for i in sorted(found)]
    rows.sort(key=lambda row: row[0])
    names = list(dict.fromkeys(name for row in rows for name in row[2]))
    return Response(
        axis,
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows]),
        {name: np.array([row[2].get(name, 0.0) for row in rows]) for name in names},
        np.array([row[3] for row in rows]),
        tuple(reasons),
        tuple(chosen),
    )


def _response_of(one: Series, weights: Weights, what: str):
    """{spectrum: (R, relative errors by cause, slope)} and the reasons for those left out."""
    s = one.signal
    x = s.axis
    step = 0.5 * (np.r_[np.diff(x), 0.0] + np.r_[0.0, np.diff(x)])
    photons = step * x * 1e-9 / (PLANCK * SPEED_OF_LIGHT)
    w = weights(x)
    found = ratio(s, photons, step * w, what)
    out, reasons = {}, []
    for i in range(len(s.values)):
        if not s.used[i]:
            continue
        where = f"{one.label}, {s.label(i)}" if s.at is not None else one.label
        if found.reasons[i]:
            reasons.append(f"{one.label}: {found.reasons[i]}")
            continue
        if end := _cut(s, i):
            reasons.append(f"{where}: {end}")
            continue
        r = 1 / float(found.value[i])
        errors = {name: float(e[i] * r) for name, e in found.errors.items()}
        y = np.where(np.isfinite(s.values[i]), s.values[i], 0.0)
        up, down = (float(y @ (step * weights(x + d))) for d in (0.5, -0.5))
        slope = (up - down) / float(y @ (step * w))
        out[i] = (r, errors, slope)
    return out, reasons


def _cut(s, i: int) -> str:
    """Why a spectrum is no whole band, or ''."""
    y = s.values[i]
    k = max(3, y.size // 50)
    sd = math.sqrt(float(np.nanmedian(s.variance[i])) / k) if s.variance is not None else 0.0
    top = np.nanmax(y)
    for name, part, end in (("short", y[:k], s.axis[0]), ("long", y[-k:], s.axis[-1])):
        height = float(np.nanmean(part))
        if height > CUT * top and height > 4 * sd:
            return (
                f"at its {name} end, {end:.0f} nm, the spectrum still has {height / top:.0%} of "
                "its "
                "maximum: the band is cut; measure a wider range"
            )
    return ""


def scale_error(one: Series, taken_nm: float) -> tuple[float, tuple[Finding, ...]]:
    """Standard error of a spectrometer's wavelength scale: as the sheet states it, or as taken.

    Parameters
    ----------
    one : Series
    taken_nm : float
        Where nobody stated it.

    Returns
    -------
    float, tuple of Finding
        In nm; what is said where nobody stated it.
    """
    if (stated := one.settings.get("wavelength_error_nm")) is not None:
        return float(stated), ()
    said = f"wavelength scale within {taken_nm:g} nm taken; state wavelength_error_nm"
    return taken_nm, (Finding("assumed", "reported", said, one.label),)


# ---- geometry ------------------------------------------------------------------------------------


def effective_angle(pattern, stated: str, range_relative: float, where: str) -> Quantity:
    """Ω_f in sr: of a measured pattern; π of an emitter stated as Lambertian; else π and a range.

    Parameters
    ----------
    pattern : Pattern or None
    stated : str
        Column `geometry`.
    range_relative : float
        Half range of Ω_f taken where neither is there; ± 0.1 are powers of the cosine from 0.8 to
        1.2.
    where : str
        For the finding.

    Returns
    -------
    Quantity

    References
    ----------
    .. [1] S. R. Forrest, D. D. C. Bradley, M. E. Thompson, Adv. Mater. 15, 1043 (2003),
           doi:10.1002/adma.200302151
    .. [2] M. Anaya et al., Nat. Photon. 13, 818 (2019), doi:10.1038/s41566-019-0543-y
    """
    if pattern is not None:
        value = photometry.effective_solid_angle(pattern.angle_deg, pattern.intensity)
        error = _pattern_error(pattern, value)
        return Quantity("effective solid angle", "", value, {"pattern": error}, "sr")
    if "lambert" in stated.lower():
        exact = {"pattern": 1e-9}
        return Quantity("effective solid angle", "", math.pi, exact, "sr")
    said = (
        f"no angular pattern measured: that of a Lambertian emitter within {range_relative:.0%} "
        "taken; measure one (goniometer) or write geometry = lambertian"
    )
    half = range_relative * math.pi
    return Quantity(
        "effective solid angle",
        "",
        math.pi,
        {"assumed pattern": half / math.sqrt(3)},
        "sr",
        findings=(Finding("assumed", "reported", said, where),),
    )


def _pattern_error(pattern, value: float) -> float:
    """Half the difference of the two sides of a pattern, or of its odd and even points."""
    angle, intensity = np.asarray(pattern.angle_deg), np.asarray(pattern.intensity)
    sides = [angle <= 0, angle >= 0]
    if min(np.ptp(angle[m]) if m.any() else 0.0 for m in sides) < 70:
        order = np.argsort(angle)
        sides = [np.isin(np.arange(angle.size), order[k::2]) for k in (0, 1)]
        sides = [m | (np.abs(angle) == np.abs(angle).min()) for m in sides]
        sides = [m | (np.abs(angle) == np.abs(angle).max()) for m in sides]
    found = [photometry.effective_solid_angle(angle[m], intensity[m]) for m in sides]
    return max(abs(found[0] - found[1]) / 2, 1e-3 * value)


def collected_share(settings: Mapping, emitter_cm2: float, where: str) -> Quantity:
    """Fraction of the forward light that a photodiode sees, from the columns of the sheet.

    `geometry` sphere: all; contact: all but up to a tenth; `distance_mm` with `detector_area_cm2`:
    the view factor of two discs; `solid_angle_sr`: that cone of a Lambertian emitter,
    Ω/π (1 − Ω/4π).

    Parameters
    ----------
    settings : mapping
    emitter_cm2 : float
    where : str
        For the findings.

    Returns
    -------
    Quantity
        Otherwise withheld, with the columns to fill in.

    References
    ----------
    .. [1] S. R. Forrest, D. D. C. Bradley, M. E. Thompson, Adv. Mater. 15, 1043 (2003),
           doi:10.1002/adma.200302151

    Examples
    --------
    >>> collected_share({"geometry": "sphere"}, 0.1, "").value
    1.0
    """
    stated = str(settings.get("geometry", "")).lower()
    name = "share of the light collected"
    if "sphere" in stated:
        return Quantity(name, "", 1.0, {"pattern": 1e-9}, "1")
    if "contact" in stated:
        said = "a photodiode in contact sees 90 to 100 % of the light: taken"
        finding = Finding("assumed", "reported", said, where)
        return Quantity(name, "", 0.95, {"geometry": 0.1 / 12**0.5}, "1", findings=(finding,))
    if "distance_mm" in settings and "detector_area_cm2" in settings:
        radii = [10 * math.sqrt(a / math.pi) for a in (emitter_cm2, settings["detector_area_cm2"])]
        share = photometry.disc_view_factor(*radii, settings["distance_mm"])
        return Quantity(name, "", share, {"geometry": 1e-9}, "1")
    if "solid_angle_sr" in settings:
        cone = settings["solid_angle_sr"]
        share = cone / math.pi * (1 - cone / (4 * math.pi))
        return Quantity(name, "", share, {"geometry": 1e-9}, "1")
    said = (
        "the share of the light that the photodiode sees is stated nowhere; fill in the column "
        "geometry (sphere, contact), or distance_mm and detector_area_cm2, or solid_angle_sr"
    )
    finding = Finding("assumed", "withheld", said, where)
    return Quantity(name, "", None, {}, "1", findings=(finding,))
