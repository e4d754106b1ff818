"""Cubic nanocrystals counted: lead atoms, surface, ligands, over a distribution of sizes and not
for the mean cube.

Edges are normally distributed. Averages over a function of the edge are Gauss-Hermite quadratures,
exact for
polynomials; the mean volume of a population is larger than that of its mean cube, E[L³] = μ³ +
3μσ².
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from peled.materials import AVOGADRO, lattice_constant_angstrom
from peled.synthesis.amounts import molar_mass
from peled.synthesis.procedure import perovskite_formula

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(24)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True)
class CrystalPopulation:
    """Cubes with normally distributed edges.

    Parameters
    ----------
    edge_nm, edge_sd_nm : float
        Mean and standard deviation of the edge.
    x_br : float
        Bromide fraction of the halide.
    a_angstrom : float, optional
        Lattice constant; Vegard's by default.

    Raises
    ------
    ValueError
        If the edge is not well above zero (mean below four standard deviations) or x_br is no
        fraction.
    """

    edge_nm: float
    edge_sd_nm: float
    x_br: float = 0.6
    a_angstrom: float | None = None

    def __post_init__(self):
        if not 0 <= self.x_br <= 1:
            raise ValueError(f"x_br: expected a fraction from 0 to 1, found {self.x_br}")
        if not (self.edge_sd_nm >= 0 and self.edge_nm > 4 * self.edge_sd_nm):
            raise ValueError(
                f"edge: expected a mean above four standard deviations, found {self.edge_nm} ± "
                f"{self.edge_sd_nm} nm"
            )
        if self.a_angstrom is None:
            object.__setattr__(self, "a_angstrom", float(lattice_constant_angstrom(self.x_br)))

    def mean(self, function: Callable[[np.ndarray], np.ndarray]) -> float:
        """Number average of a function of the edge in nm.

        Parameters
        ----------
        function : callable
            Of an array of edges, nm.

        Returns
        -------
        float
        """
        return float(_WEIGHTS @ function(self.edge_nm + self.edge_sd_nm * _NODES))

    def spread(self, function: Callable[[np.ndarray], np.ndarray]) -> float:
        """Standard deviation over the population of a function of the edge in nm.

        Parameters
        ----------
        function : callable
            Of an array of edges, nm.

        Returns
        -------
        float
        """
        values = function(self.edge_nm + self.edge_sd_nm * _NODES)
        return float(np.sqrt(_WEIGHTS @ (values - _WEIGHTS @ values) ** 2))

    def cells(self, edge_nm: np.ndarray) -> np.ndarray:
        """Unit cells along an edge.

        Parameters
        ----------
        edge_nm : ndarray

        Returns
        -------
        ndarray
        """
        return np.asarray(edge_nm) * 10 / self.a_angstrom

    def lead_atoms(self, edge_nm: np.ndarray) -> np.ndarray:
        """Lead atoms in a cube: one a unit cell.

        Parameters
        ----------
        edge_nm : ndarray

        Returns
        -------
        ndarray
        """
        return self.cells(edge_nm) ** 3

    def surface_lead(self, edge_nm: np.ndarray) -> np.ndarray:
        """Lead atoms in the outermost layer of cells: n³ − (n − 2)³.

        Parameters
        ----------
        edge_nm : ndarray

        Returns
        -------
        ndarray
        """
        n = self.cells(edge_nm)
        return n**3 - np.maximum(n - 2, 0) ** 3

    @property
    def density_g_cm3(self) -> float:
        """X-ray density: one formula unit in a³."""
        return molar_mass(perovskite_formula(self.x_br)).nominal_value / (
            AVOGADRO * (self.a_angstrom * 1e-8) ** 3
        )

    @property
    def mean_mass_g(self) -> float:
        """Mean mass of a crystal without its ligands."""
        return self.density_g_cm3 * self.mean(lambda edge: edge**3) * 1e-21

    def per_mL(self, concentration_mg_mL: float) -> float:
        """Crystals per mL of a dispersion.

        Parameters
        ----------
        concentration_mg_mL : float
            Of solid.

        Returns
        -------
        float
        """
        return concentration_mg_mL * 1e-3 / self.mean_mass_g

    def lead_mmol(self, mass_mg: float) -> float:
        """Lead in a mass of crystals, mmol.

        Parameters
        ----------
        mass_mg : float
            Of crystals.

        Returns
        -------
        float
        """
        return mass_mg / molar_mass(perovskite_formula(self.x_br)).nominal_value

    def ligands_per_surface_lead(self, ligand_mmol: float, mass_mg: float) -> float:
        """Ligand molecules offered per lead atom of the surface.

        Parameters
        ----------
        ligand_mmol : float
        mass_mg : float
            Of crystals.

        Returns
        -------
        float
        """
        exposed = self.mean(self.surface_lead) / self.mean(self.lead_atoms)
        return ligand_mmol / (self.lead_mmol(mass_mg) * exposed)

    def lost_fraction(self, after: CrystalPopulation) -> float:
        """Share of all lead that goes when every crystal shrinks to one of another population.

        Parameters
        ----------
        after : CrystalPopulation

        Returns
        -------
        float
        """
        return 1 - after.mean(after.lead_atoms) / self.mean(self.lead_atoms)


def lead_complex_ceiling(ligand_formulas: dict[str, float], protons_lost: float = 2.0) -> float:
    """Largest lead content of a dry complex of one lead a ligand, µg Pb per mg.

    Parameters
    ----------
    ligand_formulas : dict
        Formula to mole fraction; one entry for a single ligand.
    protons_lost : float
        Protons that each Pb2+ replaces.

    Returns
    -------
    float

    References
    ----------
    .. [1] J. Meija et al., Pure Appl. Chem. 88, 265 (2016), doi:10.1515/pac-2015-0305
    """
    lead = molar_mass("Pb")
    ligand = sum(fraction * molar_mass(formula) for formula, fraction in ligand_formulas.items())
    whole = lead + ligand - protons_lost * molar_mass("H")
    return float((1000 * lead / whole).nominal_value)


def sedimentation_mm(
    diameter_nm: float,
    *,
    density_g_cm3: float,
    rpm: float,
    minutes: float,
    rotor_mm: float,
    liquid_g_cm3: float,
    viscosity_mPa_s: float,
) -> float:
    """How far a sphere sinks in a centrifuge: Stokes' law at constant radius, v = Δρ d² ω² r/(18
    η).

    Good while the path is short against the rotor's
    radius.

    Parameters
    ----------
    diameter_nm : float
    density_g_cm3, liquid_g_cm3 : float
        Of the sphere and of the liquid.
    rpm, minutes : float
        Of the centrifuge.
    rotor_mm : float
        Radius.
    viscosity_mPa_s : float

    Returns
    -------
    float
        mm.
    """
    omega = rpm * 2 * np.pi / 60
    speed = (
        (density_g_cm3 - liquid_g_cm3)
        * 1e3
        * (diameter_nm * 1e-9) ** 2
        * omega**2
        * rotor_mm
        * 1e-3
        / (18 * viscosity_mPa_s * 1e-3)
    )
    return speed * minutes * 60 * 1e3
