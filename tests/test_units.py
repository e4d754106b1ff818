"""Every unit that a table of the readers knows is what `pint` says it is."""

import math

import pint
import pytest
from scipy import constants

from peled import materials
from peled.formats import images, spectra, tas, tcspc
from peled.formats.atomistic import calculation, structures
from peled.formats.sweeps import columns
from peled.led import device, reading, sphere
from peled.optics import indices
from peled.photoluminescence import fluence, reciprocity, shift_budget
from peled.structure import rows
from peled.transient_absorption import terms

UNITS = pint.UnitRegistry()
#: What the tables spell in their own way: without case, lines of fractions or powers.
AMPERE = {"a": "A", "amp": "A", "ma": "mA", "ua": "uA", "na": "nA", "pa": "pA"}
DENSITY = {
    "macm-2": "mA/cm**2", "acm-2": "A/cm**2", "uacm-2": "uA/cm**2", "nacm-2": "nA/cm**2",
    "am-2": "A/m**2",
}  # fmt: skip
LUMINANCE = {"cdm-2": "cd/m**2", "kcdm-2": "kcd/m**2", "cdcm-2": "cd/cm**2"}
RADIANCE = {
    f"{prefix}{unit}": f"{prefix}W/m**2/sr"
    for prefix in ("", "m", "u")
    for unit in ("wsr/m-2", "wsr-1m-2", "wsrm-2", "wm-2sr-1", "w/m2/sr", "wm2/sr-1")
}
FRACTION = {"%": "percent", "": "dimensionless", "1": "dimensionless", "fraction": "dimensionless"}
LENGTH = {
    "a": "angstrom", "å": "angstrom", "angstroms": "angstrom", "ångström": "angstrom",
    "ångströms": "angstrom", "microns": "micron", r"\u00b5m": "um",
    "ev": "eV", "mev": "meV", "cm-1": "1/cm",
}  # fmt: skip
SQUARES = {"cm2": "cm**2", "m2": "m**2"}


def said(text):
    for short, long in SQUARES.items():
        text = text.replace(f"/{short}", f"/{long}")
    return text


SWEEPS = {
    "voltage": ("V", {"v": "V", "mv": "mV"}),
    "current": ("A", AMPERE),
    "photocurrent": ("A", AMPERE),
    "current_density": ("mA/cm**2", DENSITY),
    "luminance": ("cd/m**2", LUMINANCE),
    "radiance": ("W/m**2/sr", RADIANCE),
    "flux": ("W", {"w": "W", "mw": "mW", "uw": "uW", "nw": "nW"}),
    "eqe": ("dimensionless", FRACTION),
    "current_efficiency": ("cd/A", {"cda-1": "cd/A"}),
    "power_efficacy": ("lm/W", {"lmw-1": "lm/W"}),
    "time": ("s", {}),
}
TABLES = [
    ("delays", tas.TIME_UNITS_PS, "ps", {}),
    ("decays", tcspc._TO_NS, "ns", {}),
    ("settings", spectra._SECONDS, "s", {}),
    ("images", images._NM, "nm", LENGTH),
    ("indices", indices._UNITS, "nm", {}),
    *((name, columns.FACTORS[name], *how) for name, how in SWEEPS.items()),
    *((f"given in {unit}", table, said(unit.replace(" cm-2", "/cm2").replace(" m-2", "/m2")), {})
      for unit, table in device.UNITS.items()),
]  # fmt: skip


@pytest.mark.parametrize("name, table, unit, spelled", TABLES, ids=[t[0] for t in TABLES])
def test_factors_of_a_table_of_units(name, table, unit, spelled):
    for key, factor in table.items():
        if key == "fl":  # a foot-lambert
            value = UNITS.Quantity(1 / math.pi, "cd/ft**2").to(unit).magnitude
        else:
            value = UNITS.Quantity(1, said(spelled.get(key, key))).to(unit).magnitude
        assert factor == pytest.approx(value, rel=1e-6), key


def test_no_table_of_sweeps_is_left_out():
    assert set(SWEEPS) == set(columns.FACTORS)


def test_axes_of_spectra_and_edges():
    for key, (unit, factor) in spectra._TO_AXIS.items():
        value = UNITS.Quantity(1, LENGTH.get(key, key)).to(unit, "spectroscopy").magnitude
        assert factor == pytest.approx(value, rel=1e-8), key
    for key, to_eV in rows._AXIS_EV.items():
        value = UNITS.Quantity(2.5, LENGTH.get(key, key)).to("eV", "spectroscopy").magnitude
        assert to_eV(2.5) == pytest.approx(value, rel=1e-8), key


def test_prefixes():
    for key, factor in sphere._PREFIX.items():
        assert factor == pytest.approx(UNITS.Quantity(1, f"{key}A").to("A").magnitude)
    for key, (name, factor) in reading.AXES.items():
        target = name.rpartition("_")[2]
        assert factor == pytest.approx(UNITS.Quantity(1, key).to(target).magnitude)
    for key, factor in tas.SIGNAL_UNITS_OD.items():
        prefix = key.removesuffix("OD") if key != "DA" else ""
        assert factor == pytest.approx(UNITS.Quantity(1, f"{prefix}m").to("m").magnitude)


def test_constants_of_nature():
    c, e, h = constants.c, constants.e, constants.h
    for found, value in [
        (materials.HC_EV_NM, h * c / e * 1e9),
        (materials.AVOGADRO, constants.N_A),
        (materials.K_EV, constants.k / e),
        (calculation.HARTREE_EV, constants.value("Hartree energy in eV")),
        (structures.BOHR_ANGSTROM, constants.value("Bohr radius") * 1e10),
        (fluence.H_C, h * c),
        (reciprocity.BLACKBODY, 2 * math.pi / ((h / e) ** 3 * (100 * c) ** 2)),
        (reciprocity.CHARGE_MC, 1e3 * e),
        (shift_budget.H2_8M0_EV_NM2, h**2 / (8 * constants.m_e) / e * 1e18),
        (terms.CM_PER_PS, 100 * c * 1e-12),
    ]:
        assert found == pytest.approx(value, rel=2e-6)
