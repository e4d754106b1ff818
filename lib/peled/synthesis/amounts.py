"""From what is weighed and pipetted to amounts of substance, with errors that know what they share.

Errors are carried by the `uncertainties` package to first order. Each source (one atomic weight,
one balance, one
bottle) is one variable, so that two masses from the same balance, or two salts of the same
element, are correlated.
Standard atomic weights are IUPAC's, from `periodictable`. Their printed uncertainties are bounds
within which normal
materials lie, not standard errors, so each counts as a rectangle, u = U/√3 [1]_. That of lead is
207.2 ± 1.1, wide because
lead from different ores differs: it limits every mass of lead here to 0.31 %, every amount in PbI2
to 0.14 %.

References
----------
.. [1] Possolo et al., Metrologia 55, 476 (2018), doi:10.1088/1681-7575/aab9ee.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache, lru_cache

from uncertainties import UFloat, ufloat


class UnitError(ValueError):
    """A quantity without a unit, with an unknown one, or with one of another dimension."""


#: pint takes a time that grows with the square of the text's length.
_LONGEST_UNIT = 60


@lru_cache(maxsize=1)
def _units():
    import pint

    return pint.UnitRegistry(cache_folder=None)


def parse_quantity(text: str | float, unit: str, *, what: str = "quantity") -> float:
    """The magnitude of a quantity such as `922 mg` in another unit.

    Parameters
    ----------
    text : str or float
        A number with a unit; a bare number is refused.
    unit : str
        Wanted.
    what : str
        Named in an error.

    Returns
    -------
    float

    Raises
    ------
    UnitError
        If the text has no number, no unit, an unknown unit or one of another dimension, or is
        negative where `unit` is not a temperature.

    Examples
    --------
    >>> parse_quantity("0.5 mol/L", "mmol/mL")
    0.5
    """
    match = re.fullmatch(r"\s*([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(\S.*?)?\s*", str(text))
    if not match:
        raise UnitError(f"{what}: expected a number with a unit such as '1 {unit}', found {text!r}")
    if not match[2]:
        raise UnitError(f"{what}: expected a unit such as {unit}, found the bare number {text!r}")
    if len(match[2]) > _LONGEST_UNIT:
        found = f"{match[2][:20]!r} and {len(match[2]) - 20} characters more"
        raise UnitError(f"{what}: expected a unit like {unit}, found {found}")
    # pint reads rpm as an angular velocity; here it is a setting of a machine.
    if "rpm" in (unit, match[2]):
        if unit != match[2]:
            raise UnitError(f"{what}: expected a unit like {unit}, found {match[2]!r}")
        return float(match[1])
    registry = _units()
    try:
        value = registry.Quantity(float(match[1]), match[2]).to(unit).magnitude
    except Exception as error:  # pint raises several unrelated classes for text that is no unit
        raise UnitError(
            f"{what}: expected a unit like {unit}, found {match[2]!r} ({error})"
        ) from None
    if value < 0 and "deg" not in unit:
        raise UnitError(f"{what}: expected no negative value, found {text!r}")
    return float(value)


@cache
def atomic_weight(symbol: str) -> UFloat:
    """Standard atomic weight in g/mol, IUPAC's bound over √3; one variable an element, shared by
    all formulas.

    Parameters
    ----------
    symbol : str

    Returns
    -------
    ufloat
        g/mol.

    References
    ----------
    .. [1] Possolo et al., Metrologia 55, 476 (2018), doi:10.1088/1681-7575/aab9ee.
    """
    import periodictable

    element = getattr(periodictable, symbol)
    return ufloat(element.mass, element._mass_unc / 3**0.5, tag=f"atomic weight of {symbol}")


#: Water that a label joins to a salt by a full stop, a comma, a letter x or a blank.
_HYDRATE = re.compile(r"(.*?[A-Za-z)]\d*)\s*[.,x×\s]\s*((?:\d+\.?\d*|\.\d+)?\s*\(?(?:H2O|D2O)\)?)")


def _parts(formula: str) -> list[tuple[float, str]]:
    """Counts and formulas, as `periodictable` reads them, of any spelling of hydrates, brackets,
    halves, small digits.
    """
    text = unicodedata.normalize("NFKC", str(formula)).strip()
    text = text.replace("1⁄2", "0.5").translate(str.maketrans("[]{}", "()()"))
    if re.search(r"[·•∙⋅∗*+.x×\s][xn]\s*\(?H2O", text):
        raise ValueError(
            f"formula {formula!r}: expected the number of waters, found a letter for it; "
            "determine it (Karl Fischer, drying) and write it down"
        )
    parts = []
    for part in re.split(r"\s*[·•∙⋅∗*+]\s*", text):
        hydrate = _HYDRATE.fullmatch(part)
        parts += hydrate.groups() if hydrate else [part]
    found = [re.fullmatch(r"(\d+\.?\d*|\.\d+|)\s*([A-Za-z(].*)", part) for part in parts]
    if None in found:
        raise ValueError(
            f"formula {formula!r}: expected a chemical formula such as PbI2, found "
            f"{parts[found.index(None)] or 'nothing'!r} in it"
        )
    return [(float(part[1] or 1), part[2]) for part in found]


@cache
def composition(formula: str) -> tuple[tuple[str, float], ...]:
    """Elements of a formula with their counts.

    Parameters
    ----------
    formula : str
        Hydrates, brackets and halves in any spelling.

    Returns
    -------
    tuple of (symbol, count)
        Sorted by symbol.

    Raises
    ------
    ValueError
        If the formula cannot be read or is empty.

    Examples
    --------
    >>> composition("Pb(CH3COO)2.3H2O") == composition("Pb(CH₃COO)₂ · 3 H₂O")
    True
    """
    import periodictable

    parts, atoms = _parts(formula), Counter()
    try:
        for number, part in parts:
            for element, count in periodictable.formula(part).atoms.items():
                atoms[element.symbol] += number * count
    except Exception as error:  # pyparsing's and the library's own classes
        found = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"formula {formula!r}: expected a chemical formula such as PbI2, found {found}"
        ) from None
    if not atoms:
        raise ValueError(
            f"formula {formula!r}: expected a chemical formula such as PbI2, found none"
        )
    return tuple((symbol, float(count)) for symbol, count in sorted(atoms.items()))


def molar_mass(formula: str) -> UFloat:
    """Molar mass in g/mol, with the uncertainty of the atomic weights.

    Parameters
    ----------
    formula : str
        See `composition`.

    Returns
    -------
    ufloat

    Raises
    ------
    ValueError
        For a formula that cannot be read.

    References
    ----------
    .. [1] T. Prohaska et al., Pure Appl. Chem. 94, 573 (2022), doi:10.1515/pac-2019-0603

    Examples
    --------
    >>> print(f"{molar_mass('PbI2'):.1u}")
    461.0+/-0.6
    """
    return sum(count * atomic_weight(symbol) for symbol, count in composition(formula))


class Laboratory:
    """The errors of one laboratory's tools; one variable a shared source.

    Parameters
    ----------
    balance_calibration : float
        Relative standard error common to all weighings (one balance).
    balance_repeatability_mg : float
        Standard error of each weighing.
    pipette_calibration : float
        Relative standard error common to all volumes (one set of pipettes and cylinders).
    pipette_repeatability : float
        Relative standard error of each volume.
    """

    def __init__(
        self,
        balance_calibration=1e-4,
        balance_repeatability_mg=0.3,
        pipette_calibration=0.005,
        pipette_repeatability=0.008,
    ):
        for name, value in (
            ("balance_calibration", balance_calibration),
            ("balance_repeatability_mg", balance_repeatability_mg),
            ("pipette_calibration", pipette_calibration),
            ("pipette_repeatability", pipette_repeatability),
        ):
            if not value >= 0:
                raise ValueError(f"laboratory: {name}: expected no negative number, found {value}")
        self.balance = ufloat(1.0, balance_calibration, tag="balance")
        self.pipettes = ufloat(1.0, pipette_calibration, tag="pipettes")
        self.balance_repeatability_mg = balance_repeatability_mg
        self.pipette_repeatability = pipette_repeatability

    def __str__(self) -> str:
        return (
            f"balance {100 * self.balance.std_dev:.2g} % and {self.balance_repeatability_mg:g} mg "
            "a weighing, "
            f"volumes {100 * self.pipettes.std_dev:.2g} % and "
            f"{100 * self.pipette_repeatability:.2g} % each"
        )

    def weighed_mg(self, mass_mg: float, tag: str = "", times: int = 1) -> UFloat:
        """`times` masses, each read as `mass_mg`: repeatabilities add in quadrature, the
        calibration is common.

        Parameters
        ----------
        mass_mg : float
        tag : str
            Names the source of the error.
        times : int

        Returns
        -------
        ufloat
            Sum of the masses, mg.
        """
        error = self.balance_repeatability_mg * times**0.5
        return ufloat(mass_mg * times, error, tag=tag) * self.balance

    def measured_mL(self, volume_mL: float, tag: str = "", times: int = 1) -> UFloat:
        """`times` volumes, each read as `volume_mL`: as `weighed_mg`.

        Parameters
        ----------
        volume_mL : float
        tag : str
            Names the source of the error.
        times : int

        Returns
        -------
        ufloat
            Sum of the volumes, mL.
        """
        error = abs(volume_mL) * self.pipette_repeatability * times**0.5
        return ufloat(volume_mL * times, error, tag=tag) * self.pipettes


def purity_factor(purity: float, *, at_least: bool = True, tag: str = "") -> UFloat | float:
    """Mass fraction of the substance in its bottle.

    A label such as "≥ 98 %" is read as anything from there to pure, all equally likely (mean (p +
    1)/2, standard
    deviation (1 − p)/√12); a technical grade ("70 %") as that value within a tenth of what is
    missing.

    Parameters
    ----------
    purity : float
        Of the label, a fraction.
    at_least : bool
        Whether the label is a bound, or (technical grade) a value.
    tag : str
        Names the bottle: one bottle errs once.

    Returns
    -------
    ufloat, or 1.0 for a pure substance

    Raises
    ------
    ValueError
        If the purity is not a fraction in (0, 1].

    References
    ----------
    .. [1] JCGM 100:2008, section 4.3.7, doi:10.59161/JCGM100-2008E

    Examples
    --------
    >>> print(f"{purity_factor(0.98):.2u}")
    0.9900+/-0.0058
    """
    if not 0 < purity <= 1:
        raise ValueError(
            f"purity{' of ' + tag if tag else ''}: expected a fraction above 0 and up to 1, found "
            f"{purity}"
        )
    if purity == 1:
        return 1.0
    if at_least:
        return ufloat((1 + purity) / 2, (1 - purity) / 12**0.5, tag=f"purity of {tag}")
    return ufloat(purity, (1 - purity) / 10, tag=f"purity of {tag}")


def amount_mmol(formula: str, mass_mg: UFloat | float, purity: UFloat | float = 1.0) -> UFloat:
    """Amount of substance in a mass: n = m·p/M.

    Parameters
    ----------
    formula : str
    mass_mg : ufloat or float
    purity : ufloat or float
        Mass fraction of the substance, see `purity_factor`.

    Returns
    -------
    ufloat
        mmol.

    Raises
    ------
    ValueError
        For an unknown formula or a negative mass.

    References
    ----------
    .. [1] J. Meija et al., Pure Appl. Chem. 88, 265 (2016), doi:10.1515/pac-2015-0305

    Examples
    --------
    >>> print(f"{amount_mmol('CsBr', 212.81):.3f}")
    1.000+/-0.000
    """
    if getattr(mass_mg, "nominal_value", mass_mg) < 0:
        raise ValueError(f"{formula}: mass: expected no negative value, found {mass_mg} mg")
    return mass_mg * purity / molar_mass(formula)


__all__ = [
    "Laboratory",
    "UnitError",
    "amount_mmol",
    "atomic_weight",
    "composition",
    "molar_mass",
    "parse_quantity",
    "purity_factor",
]
