"""What is in the tubes and rotors: every number here is an assumption unless its comment names a
source."""

from __future__ import annotations

from hassan2021.simulate.nmr.solid import Site
from hassan2021.simulate.nmr.solution import Spins

BASE_1H_MHz = 400.13  # a 400 MHz spectrometer, as acknowledged; 9.4 T
BASE_13C_MHz = 100.612769
MAS_RATE_Hz = 8000.0  # Methods
CONTACT_s = 2e-3  # not given in the paper
MISREFERENCE_13C_ppm = 0.42  # spinner not yet set to adamantane: the notebook has to find it

ASSUMPTIONS = (
    "1H shifts of the ligands: D2O as Govindaraju, Young and Maudsley 2000; DMSO "
    "values estimated, as the paper prints none",
    "changes on binding lead (signs as the paper reports, sizes assumed), 1:1 "
    "complexes, log K and k_off assumed",
    "10 mmol/L of each ligand; lead to ligand 0 to 2",
    "13C: contact time 2 ms, T_IS and T1rho of each carbon, tensors and widths "
    "assumed; 0.6 GL per oleyl chain; EDTA 0.004 per chain",
    "the carbon at 38 ppm is put in as C-beta of the half of the GL that is oxidised, "
    "shifted from its solution value by the solid",
    "methylammonium in the NCs at 30.4 ppm; oleylammonium C1 broad at 40 ppm",
    "free fraction of the oleyl ligands in toluene 4 % before and 30 % after treatment",
)

# ---- solution ------------------------------------------------------------------------------------

CYS = Spins(
    (8.28, 4.40, 2.80, 2.66),
    {(0, 1): 8.0, (1, 2): 5.0, (1, 3): 8.3, (2, 3): -13.8},
    (2.5, 1.2, 1.2, 1.2),
)
GLU = Spins(
    (3.47, 1.93, 1.82, 2.34, 2.30),
    {
        (0, 1): 6.3,
        (0, 2): 6.4,
        (1, 2): -14.5,
        (1, 3): 6.7,
        (1, 4): 7.6,
        (2, 3): 7.6,
        (2, 4): 6.7,
        (3, 4): -15.9,
    },
    (1.4, 1.2, 1.2, 1.2, 1.2),
)
GLY = Spins((8.48, 3.73, 3.73), {(0, 1): 5.8, (0, 2): 5.8}, (2.5, 1.2, 1.2))
EDTA_A, EDTA_B = (
    Spins((3.58,), {}, (1.3,)),
    Spins((2.95,), {}, (1.3,)),
)  # NCH2COO (8 H) and NCH2CH2N (4 H)

# Govindaraju, Young and Maudsley, NMR Biomed. 13, 129 (2000): GSH in water, pH 7
CYS_D2O = Spins(
    (4.561, 2.926, 2.975), {(0, 1): 7.09, (0, 2): 4.71, (1, 2): -14.06}, (1.2, 1.2, 1.2)
)
GLU_D2O = Spins(
    (3.769, 2.159, 2.146, 2.510, 2.560),
    {
        (0, 1): 6.34,
        (0, 2): 6.36,
        (1, 2): -15.48,
        (1, 3): 6.7,
        (1, 4): 7.6,
        (2, 3): 7.6,
        (2, 4): 6.7,
        (3, 4): -15.92,
    },
    (1.2,) * 5,
)
GLY_D2O = Spins((3.769,), {}, (1.2,))
EDTA_D2O = (Spins((3.62,), {}, (1.3,)), Spins((3.24,), {}, (1.3,)))

# Changes in the complex: EDTA downfield; Cys beta downfield and broad; Cys NH upfield; Glu geminal
# coupling smaller; Gly none
CYS_BOUND = CYS.moved((-0.18, 0.05, 0.26, 0.22), {}, (2.0, 1.0, 5.0, 5.0))
GLU_BOUND = GLU.moved((0.02, 0.03, 0.03, 0.02, 0.02), {(1, 2): -11.5}, (0.5,) * 5)
GLY_BOUND = GLY.moved((0.0, 0.0, 0.0), {}, (0.4, 0.2, 0.2))
EDTA_A_BOUND, EDTA_B_BOUND = EDTA_A.moved((0.12,), {}, (3.0,)), EDTA_B.moved((0.22,), {}, (4.0,))
LOG_K = {"GL": 2.6, "EDTA": 3.0}
K_OFF_s = {"GL": 4000.0, "EDTA": 2500.0}
RATIOS = (0.0, 0.25, 0.5, 1.0, 2.0)
LIGAND_M = 0.010

# ---- solid ---------------------------------------------------------------------------------------


def oleyl() -> list[Site]:
    """Oleate and oleylammonium on the NCs, one chain: mobile carbons, sharp; those next to the
    surface broad."""
    return [
        Site("C=C", 130.2, 2.0, 40, 55, 105, 0.85, 0.35e-3, 9e-3),
        Site("CH2 chain", 29.8, 9.0, 45, 80, 16, 0.5, 0.25e-3, 9e-3),
        Site("CH2 allyl", 27.3, 2.0, 45, 70, 16, 0.5, 0.25e-3, 9e-3),
        Site("CH2 w-2", 32.1, 1.0, 40, 60, 16, 0.5, 0.30e-3, 9e-3),
        Site("CH2 w-1", 22.9, 1.0, 35, 50, 15, 0.5, 0.40e-3, 10e-3),
        Site("CH3", 14.4, 1.0, 30, 45, 15, 0.3, 0.80e-3, 12e-3),
        Site("C1 ammonium", 40.0, 0.35, 120, 330, 25, 0.5, 0.15e-3, 5e-3),
        Site("C1 carboxylate", 181.0, 0.45, 120, 320, -75, 0.7, 1.2e-3, 6e-3),
        Site("methylammonium", 30.4, 1.5, 20, 40, 2, 0.0, 4.0e-3, 20e-3),
    ]


def glutathione(amount: float, oxidised: float) -> list[Site]:
    """GL on the NCs; `oxidised` is the share of cysteines in a disulfide."""
    broad, rigid = 130, (0.12e-3, 7e-3)
    carbonyl = (1.1e-3, 7e-3)
    return [
        Site("Glu COO", 176.5, amount, 60, broad, -75, 0.7, *carbonyl),
        Site("Glu C delta", 174.8, amount, 60, broad, -75, 0.7, *carbonyl),
        Site("Cys CO", 172.6, amount, 60, broad, -75, 0.7, *carbonyl),
        Site("Gly COO", 175.6, amount, 60, broad, -75, 0.7, *carbonyl),
        Site("Cys C alpha", 56.4, amount, 60, broad, 22, 0.5, *rigid),
        Site("Glu C alpha", 54.4, amount, 60, broad, 22, 0.5, *rigid),
        Site("Gly C alpha", 43.6, amount, 60, broad, 22, 0.5, 0.08e-3, 7e-3),
        Site("Glu C gamma", 33.0, amount, 60, broad, 18, 0.5, 0.08e-3, 7e-3),
        Site("Glu C beta", 27.6, amount, 60, broad, 18, 0.5, 0.08e-3, 7e-3),
        Site("Cys C beta SH", 27.0, amount * (1 - oxidised), 60, broad, 18, 0.5, 0.08e-3, 7e-3),
        Site("Cys C beta SS", 38.0, amount * oxidised, 60, broad, 18, 0.5, 0.08e-3, 7e-3),
    ]


def edta(amount: float) -> list[Site]:
    """EDTA on the NCs."""
    return [
        Site("EDTA COO", 172.0, 4 * amount, 60, 130, -75, 0.7, 1.2e-3, 7e-3),
        Site("EDTA NCH2CO", 57.5, 4 * amount, 60, 130, 20, 0.5, 0.08e-3, 7e-3),
        Site("EDTA NCH2CH2N", 52.0, 2 * amount, 60, 130, 20, 0.5, 0.08e-3, 7e-3),
    ]


def adamantane() -> list[Site]:
    """The external standard: 38.48 and 29.45 ppm (Morcombe and Zilm, J. Magn. Reson. 162, 479
    (2003))."""
    return [
        Site("CH2", 38.48, 6.0, 4, 6, 0, 0, 1.5e-3, 40e-3),
        Site("CH", 29.45, 4.0, 4, 6, 0, 0, 1.0e-3, 40e-3),
    ]


SOLIDS = {
    "neat": oleyl(),
    "GL": oleyl() + glutathione(0.60, 0.50),
    "EDTA": oleyl() + edta(0.004),
    "E+G": oleyl() + glutathione(0.50, 0.50) + edta(0.003),
}
