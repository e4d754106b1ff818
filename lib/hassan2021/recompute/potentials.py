"""Ultrasoft PBE pseudopotentials: made by `ld1.x` from kept inputs, and tested on free atoms.

Two sets. `soft`: wide cutoff radii, meant for 25 Ry; its carbon and oxygen are the older ones
(`C.pbe-rrkjus`, `O.pbe-rrkjus`) that come with Quantum ESPRESSO 6.7 in Debian. `hard`: hydrogen,
carbon, nitrogen and oxygen with the small radii of pslibrary 0.1 [1]_. Lead (5d 6s 6p), iodine
(5s 5p) and sulfur (3s 3p) are the same in both, also with the radii of pslibrary.

References
----------
.. [1] Dal Corso, Comput. Mater. Sci. 95, 337 (2014), doi:10.1016/j.commatsci.2014.07.043.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from hassan2021.recompute.jobs import FOLDER, Job, MissingProgram, require
from ledger.files import write_atomically
from peled.formats.atomistic.calculation import RYDBERG_EV

INPUTS = FOLDER / "espresso" / "pseudo"
#: Where distributions put the potentials that they ship; ESPRESSO_PSEUDO goes first.
SHIPPED = ("/usr/share/espresso/pseudo",)
_HEAVY = {"S": "S.pbe-n", "I": "I.pbe-n", "Pb": "Pb.pbe-dn"}
SETS: dict[str, dict[str, str]] = {
    "soft": {"H": "H.pbe-soft", "C": "C.pbe-rrkjus", "N": "N.pbe-soft", "O": "O.pbe-rrkjus"}
    | _HEAVY,
    "hard": {"H": "H.pbe-hard", "C": "C.pbe-hard", "N": "N.pbe-hard", "O": "O.pbe-hard"} | _HEAVY,
}
#: What a potential is tested on: nuclear charge, core, valence configurations (the first the
#: ground state), radius (bohr) of the logarithmic derivatives.
ATOMS: dict[str, tuple[int, str, tuple[str, ...], float]] = {
    "H": (1, "", ("1s1", "1s0.5", "1s0.75 2p0.25"), 1.5),
    "C": (6, "[He]", ("2s2 2p2", "2s1 2p3", "2s2 2p1", "2s2 2p2.25"), 1.8),
    "N": (7, "[He]", ("2s2 2p3", "2s1 2p4", "2s2 2p2", "2s2 2p3.25"), 1.8),
    "O": (8, "[He]", ("2s2 2p4", "2s1 2p5", "2s2 2p3", "2s2 2p4.5"), 1.8),
    "S": (16, "[Ne]", ("3s2 3p4", "3s1 3p5", "3s2 3p3", "3s2 3p4.5"), 2.3),
    "I": (53, "[Kr] 4d10", ("5s2 5p5", "5s1 5p6", "5s2 5p4", "5s2 5p5.5"), 2.5),
    "Pb": (
        82,
        "[Xe] 4f14",
        ("5d10 6s2 6p2", "5d10 6s1 6p3", "5d10 6s2 6p1", "5d10 6s2 6p0"),
        2.9,
    ),
}
#: Logarithmic derivatives are compared from above the cores (iodine 4d -3.5 Ry) to here.
LOW_RY, HIGH_RY = -2.5, 2.0
_HEAD = "potential,configuration,quantity,all_electron_Ry,pseudo_Ry,error_meV,phase_difference"


def provide(names: Iterable[str], folder: Path) -> None:
    """Put `<name>.UPF` into `folder`: made by `ld1.x` from its kept input (a second each), or
    copied from the distribution.

    Raises
    ------
    MissingProgram
        Without `ld1.x`, or where a shipped potential is not found.
    RuntimeError
        `ld1.x` made none.
    """
    for name in names:
        target, recipe = folder / f"{name}.UPF", INPUTS / f"{name}.in"
        if target.exists():
            continue
        if recipe.exists():
            said = _ld1(recipe.read_text(), folder)
            if not target.exists():
                raise RuntimeError(f"ld1.x made no {target.name}; it said {said.strip()[-300:]}")
            continue
        places = [Path(f) for f in (os.environ.get("ESPRESSO_PSEUDO"), *SHIPPED) if f]
        found = next((f / target.name for f in places if (f / target.name).exists()), None)
        if found is None:
            raise MissingProgram(
                f"{target.name}: not in ESPRESSO_PSEUDO nor {', '.join(SHIPPED)}; Debian has it in "
                "quantum-espresso-data"
            )
        shutil.copy(found, target)


def _ld1(text: str, folder: Path) -> str:
    require(programs=("ld1.x",))
    return subprocess.run(
        ["ld1.x"],
        input=text,
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    ).stdout


def check(name: str, folder: Path) -> list[list[str]]:
    """Rows of `tests.csv`: eigenvalues and excitation energies of the configurations of `ATOMS`,
    and logarithmic derivatives up to l = 2.

    A logarithmic derivative enters as its phase (`worst_phase`): it gains one with every bound
    state, so a ghost shows as a difference of one between potential and all-electron atom.
    """
    symbol = name.split(".")[0]
    # The all-electron numbers come from the run with a made potential: shipped ones bring a mesh
    # too coarse for 1s.
    judge = name if (INPUTS / f"{name}.in").exists() else SETS["hard"][symbol]
    provide([name, judge], folder)
    allowed = _channels(folder / f"{name}.UPF")
    tried = [c for c in ATOMS[symbol][2] if all(s[1] in allowed for s in c.split())]
    runs = {which: _tested(which, tried, folder) for which in dict.fromkeys((name, judge))}
    rows = []
    for k, configuration in enumerate(tried):
        for quantity, (_, mine) in runs[name][k].items():
            true = runs[judge][k][quantity][0]
            error = f"{(mine - true) * RYDBERG_EV * 1e3:.1f}"
            rows.append([name, configuration, quantity, f"{true:.6f}", f"{mine:.6f}", error, ""])
    files = (f"{judge}.1.dlog", f"{name}.1ps.dlog")
    phases = [np.loadtxt(folder / file) for file in files]
    for column in range(1, min(p.shape[1] for p in phases)):
        worst = f"{worst_phase(*(p[:, column] for p in phases)):.4f}"
        rows.append([name, tried[0], f"phase l={column - 1}", "", "", "", worst])
    return rows


def _tested(name: str, tried: list[str], folder: Path) -> list[dict[str, tuple[float, float]]]:
    """Of each configuration the quantities, all-electron and pseudo (Ry); leaves `.dlog` files."""
    symbol = name.split(".")[0]
    charge, core, configurations, radius = ATOMS[symbol]
    shells = {s[:2] for c in configurations for s in c.split()}
    ground = {s[:2]: s[2:] for s in configurations[0].split()}
    # Empty shells of the all-electron atom are declared too, or ld1.x knows no orbital to compare.
    reference = " ".join([core, *(s + ground.get(s, "0") for s in sorted(shells, key=_order))])
    tests = ", ".join(f"configts({k})='{c}'" for k, c in enumerate(tried, 1))
    said = _ld1(
        f" &input\n title='{symbol}', zed={charge}, rel=1, config='{reference.strip()}', "
        f"iswitch=2, dft='PBE', prefix='{name}.',\n rlderiv={radius}, eminld={LOW_RY}, "
        f"emaxld={HIGH_RY}, deld=0.01, nld=3\n /\n"
        f" &test\n file_pseudo='{name}.UPF', nconf={len(tried)}, {tests}\n /\n",
        folder,
    )
    parts = said.split("Testing the pseudopotential")[1:]
    blocks = [b for b in (p.split("Computing logarithmic")[0] for p in parts) if "Etotps" in b]
    if len(blocks) != len(tried):
        raise RuntimeError(
            f"{name}: expected {len(tried)} tested configurations, found {len(blocks)}; ld1.x said "
            f"{said.strip()[-300:]}"
        )
    found = []
    for block in blocks:
        row = r"^\s+\d \d\s+(\d[SPD])\s+\d\(\s*([-\d.]+)\)\s+([-\d.]+)\s+([-\d.]+)\s+[-\d.]+"
        levels = re.findall(row, block.split("End of pseudo")[0], re.M)
        these = {
            f"eigenvalue {shell.lower()}": (float(true), float(mine))
            for shell, occupied, true, mine in levels
            if float(occupied) > 0
        }
        total = re.search(r"dEtot_ae =\s+([-\d.]+) Ry\s+dEtot_ps =\s+([-\d.]+) Ry", block)
        if total:
            these["excitation"] = (float(total[1]), float(total[2]))
        found.append(these)
    return found


def _order(shell: str) -> tuple[int, str]:
    return int(shell[0]), shell[1]


def _channels(path: Path) -> str:
    """Which of s, p, d the potential was made for: up to its highest projector or local channel."""
    head = path.read_text(errors="replace").split("<PP_MESH")[0]
    largest = max(int(n) for n in re.findall(r'l_max="?\s*(\d)', head) or ["1"])
    local = re.search(r'l_local="?\s*(-?\d)', head)
    return "spd"[: max(largest, int(local[1]) if local else 0) + 1]


def worst_phase(all_electron: np.ndarray, pseudo: np.ndarray) -> float:
    """Largest difference of the phases arccot(D)/pi, where both start in the same branch."""
    mine, true = (
        np.unwrap(2 * np.arctan2(1.0, derivative)) / (2 * np.pi)
        for derivative in (pseudo, all_electron)
    )
    # At the low end nothing is bound: the branch there is common unless a ghost lies lower, which
    # the eigenvalues show.
    return float(np.abs(mine - true - np.round(mine[0] - true[0])).max())


def run(job: Job, target: Path, scratch: Path) -> None:
    """Every potential on its free atom and ions."""
    out = io.StringIO()
    out.write(_HEAD + "\n")
    for name in sorted({name for chosen in SETS.values() for name in chosen.values()}):
        csv.writer(out, lineterminator="\n").writerows(check(name, scratch))
    write_atomically(target, out.getvalue())
