"""Ultrasoft PBE pseudopotentials: made with `ld1.x` from the inputs in `data/energetics/espresso/pseudo`, and tested on free atoms.

Two sets. `soft`: wide cutoff radii, meant for 25 Ry; its carbon and oxygen are the older ones (`C.pbe-rrkjus`,
`O.pbe-rrkjus`) that come with Quantum ESPRESSO 6.7 in Debian. `hard`: hydrogen, carbon, nitrogen and oxygen with the
small radii of pslibrary 0.1 (Dal Corso 2014, doi:10.1016/j.commatsci.2014.07.043). Lead (5d 6s 6p), iodine (5s 5p) and
sulfur (3s 3p) are the same in both, also with the radii of pslibrary.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hassan2021.recompute.jobs import FOLDER, Job, MissingProgram
from ledger.files import write_atomically

INPUTS = FOLDER / "espresso" / "pseudo"
#: Where distributions put the potentials that they ship; ESPRESSO_PSEUDO, pw.x's own variable, goes first.
SHIPPED = ("/usr/share/espresso/pseudo",)
_HEAVY = {"S": "S.pbe-n", "I": "I.pbe-n", "Pb": "Pb.pbe-dn"}
SETS: dict[str, dict[str, str]] = {
    "soft": {"H": "H.pbe-soft", "C": "C.pbe-rrkjus", "N": "N.pbe-soft", "O": "O.pbe-rrkjus"}
    | _HEAVY,
    "hard": {"H": "H.pbe-hard", "C": "C.pbe-hard", "N": "N.pbe-hard", "O": "O.pbe-hard"} | _HEAVY,
}
#: Valence electrons in every set.
VALENCE = {"H": 1, "C": 4, "N": 5, "O": 6, "S": 6, "I": 7, "Pb": 14}
RYDBERG_EV = 13.605693122990  # CODATA 2022


@dataclass(frozen=True)
class Atom:
    """What a potential is tested on: valence configurations, the first the ground state, and where logarithmic derivatives are taken."""

    number: int
    core: str
    configurations: tuple[str, ...]
    radius_bohr: float


ATOMS = {
    "H": Atom(1, "", ("1s1", "1s0.5", "1s0.75 2p0.25"), 1.5),
    "C": Atom(6, "[He]", ("2s2 2p2", "2s1 2p3", "2s2 2p1", "2s2 2p2.25"), 1.8),
    "N": Atom(7, "[He]", ("2s2 2p3", "2s1 2p4", "2s2 2p2", "2s2 2p3.25"), 1.8),
    "O": Atom(8, "[He]", ("2s2 2p4", "2s1 2p5", "2s2 2p3", "2s2 2p4.5"), 1.8),
    "S": Atom(16, "[Ne]", ("3s2 3p4", "3s1 3p5", "3s2 3p3", "3s2 3p4.5"), 2.3),
    "I": Atom(53, "[Kr] 4d10", ("5s2 5p5", "5s1 5p6", "5s2 5p4", "5s2 5p5.5"), 2.5),
    "Pb": Atom(
        82, "[Xe] 4f14", ("5d10 6s2 6p2", "5d10 6s1 6p3", "5d10 6s2 6p1", "5d10 6s2 6p0"), 2.9
    ),
}
#: Logarithmic derivatives are compared from here, above the cores (iodine 4d -3.5 Ry), to here.
LOW_RY, HIGH_RY = -2.5, 2.0


def all_names() -> list[str]:
    """Every potential of every set."""
    return sorted({name for chosen in SETS.values() for name in chosen.values()})


def element_of(name: str) -> str:
    return name.split(".")[0]


def find_shipped(name: str) -> Path:
    """A potential that comes with Quantum ESPRESSO.

    Raises
    ------
    MissingProgram
        It is in none of the usual folders.
    """
    folders = [os.environ.get("ESPRESSO_PSEUDO", ""), *SHIPPED]
    for folder in filter(None, folders):
        if (path := Path(folder) / f"{name}.UPF").exists():
            return path
    raise MissingProgram(
        f"{name}.UPF: not in ESPRESSO_PSEUDO nor {', '.join(SHIPPED)}; Debian has it in quantum-espresso-data"
    )


def provide(names: Iterable[str], folder: Path) -> None:
    """Put `<name>.UPF` into `folder`: made by `ld1.x` from its kept input (a second each), or copied from the distribution.

    Raises
    ------
    MissingProgram
        Without `ld1.x`, or where a shipped potential is not found.
    RuntimeError
        `ld1.x` made none.
    """
    for name in names:
        target = folder / f"{name}.UPF"
        if target.exists():
            continue
        recipe = INPUTS / f"{name}.in"
        if recipe.exists():
            said = _ld1(recipe.read_text(), folder)
            if not target.exists():
                raise RuntimeError(
                    f"ld1.x made no {target.name} from {recipe.name}; its last words: {said.strip()[-300:]}"
                )
        else:
            shutil.copy(find_shipped(name), target)


def _ld1(text: str, folder: Path) -> str:
    if shutil.which("ld1.x") is None:
        raise MissingProgram("ld1.x: not installed here; Debian: apt install quantum-espresso")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        ["ld1.x"],
        input=text,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    ).stdout


@dataclass(frozen=True)
class Check:
    """One number of a free atom, all-electron and with the potential (Ry), or the worst difference of logarithmic derivatives."""

    potential: str
    configuration: str
    quantity: str
    all_electron: float
    pseudo: float

    @property
    def error(self) -> float:
        return self.pseudo - self.all_electron


def check(name: str, folder: Path) -> list[Check]:
    """Eigenvalues and excitation energies of the configurations of `ATOMS`, and logarithmic derivatives up to l = 2.

    A logarithmic derivative D enters as its phase, arccot(D)/pi per l: it gains one with every bound state, so a ghost
    shows as a difference of one between potential and all-electron atom. The `quantity` is then `phase l=<l>`, its
    `pseudo` the largest absolute difference between `LOW_RY` and `HIGH_RY`, its `all_electron` zero.

    Raises
    ------
    RuntimeError
        `ld1.x` did not finish.
    """
    symbol = element_of(name)
    atom = ATOMS[symbol]
    # The all-electron numbers come from the run with a made potential: shipped ones bring a mesh too coarse for 1s.
    judge = name if (INPUTS / f"{name}.in").exists() else SETS["hard"][symbol]
    provide([name, judge], folder)
    allowed = _channels(folder / f"{name}.UPF")
    configurations = [c for c in atom.configurations if all(s[1] in allowed for s in c.split())]
    runs = {
        which: _tested(which, atom, configurations, folder)
        for which in dict.fromkeys((name, judge))
    }
    found = []
    for k, configuration in enumerate(configurations):
        for quantity, (_, pseudo) in runs[name][k].items():
            found.append(Check(name, configuration, quantity, runs[judge][k][quantity][0], pseudo))
    phases = [
        np.loadtxt(folder / f"{which}.1{kind}.dlog") for which, kind in ((judge, ""), (name, "ps"))
    ]
    for column in range(1, min(p.shape[1] for p in phases)):
        found.append(
            Check(
                name,
                configurations[0],
                f"phase l={column - 1}",
                0.0,
                _worst_phase(*(p[:, column] for p in phases)),
            )
        )
    return found


def _tested(
    name: str, atom: Atom, configurations: list[str], folder: Path
) -> list[dict[str, tuple[float, float]]]:
    """Of each configuration the quantities, all-electron and pseudo (Ry); leaves `<name>.1.dlog` and `<name>.1ps.dlog`."""
    shells = sorted(
        {s[:2] for c in atom.configurations for s in c.split()}, key=lambda s: (int(s[0]), s[1])
    )
    ground = {s[:2]: s[2:] for s in atom.configurations[0].split()}
    # Empty shells of the all-electron atom are declared too, or ld1.x knows no orbital to compare with.
    reference = " ".join([atom.core, *(s + ground.get(s, "0") for s in shells)]).strip()
    tests = ", ".join(f"configts({k})='{c}'" for k, c in enumerate(configurations, 1))
    said = _ld1(
        f" &input\n title='{element_of(name)}', zed={atom.number}, rel=1, config='{reference}', iswitch=2, dft='PBE', prefix='{name}.',\n"
        f" rlderiv={atom.radius_bohr}, eminld={LOW_RY}, emaxld={HIGH_RY}, deld=0.01, nld=3\n /\n"
        f" &test\n file_pseudo='{name}.UPF', nconf={len(configurations)}, {tests}\n /\n",
        folder,
    )
    blocks = [
        b.split("Computing logarithmic")[0] for b in said.split("Testing the pseudopotential")[1:]
    ]
    blocks = [b for b in blocks if "Etotps" in b]
    if len(blocks) != len(configurations):
        raise RuntimeError(
            f"{name}: expected {len(configurations)} tested configurations, found {len(blocks)}; ld1.x ended with {said.strip()[-300:]}"
        )
    found = []
    for block in blocks:
        rows = re.findall(
            r"^\s+\d \d\s+(\d[SPD])\s+\d\(\s*([-\d.]+)\)\s+([-\d.]+)\s+([-\d.]+)\s+[-\d.]+",
            block.split("End of pseudo")[0],
            re.M,
        )
        these = {
            f"eigenvalue {shell.lower()}": (float(ae), float(ps))
            for shell, occupied, ae, ps in rows
            if float(occupied) > 0
        }
        if total := re.search(r"dEtot_ae =\s+([-\d.]+) Ry\s+dEtot_ps =\s+([-\d.]+) Ry", block):
            these["excitation"] = (float(total[1]), float(total[2]))
        found.append(these)
    return found


def _channels(path: Path) -> str:
    """Which of s, p, d the potential was made for: all up to its highest projector or its local channel."""
    head = path.read_text(errors="replace").split("<PP_MESH")[0]
    largest = max(int(n) for n in re.findall(r'l_max="?\s*(\d)', head) or ["1"])
    local = re.search(r'l_local="?\s*(-?\d)', head)
    return "spd"[: max(largest, int(local[1]) if local else 0) + 1]


def _worst_phase(all_electron: np.ndarray, pseudo: np.ndarray) -> float:
    """Largest difference of the unwrapped phases, in units of pi, where both start in the same branch."""

    def phase(derivative: np.ndarray) -> np.ndarray:
        return np.unwrap(2 * np.arctan2(1.0, derivative)) / (2 * np.pi)

    difference = phase(pseudo) - phase(all_electron)
    # At the low end nothing is bound: the branch there is common unless a ghost lies lower, which the eigenvalues show.
    return float(np.abs(difference - np.round(difference[0])).max())


def table(checks: Iterable[Check]) -> str:
    """The checks as CSV: energies in Ry, errors in meV; phases without unit."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(
        [
            "potential",
            "configuration",
            "quantity",
            "all_electron_Ry",
            "pseudo_Ry",
            "error_meV",
            "phase_difference",
        ]
    )
    for c in checks:
        if c.quantity.startswith("phase"):
            rows.writerow([c.potential, c.configuration, c.quantity, "", "", "", f"{c.pseudo:.4f}"])
        else:
            rows.writerow(
                [
                    c.potential,
                    c.configuration,
                    c.quantity,
                    f"{c.all_electron:.6f}",
                    f"{c.pseudo:.6f}",
                    f"{c.error * RYDBERG_EV * 1e3:.1f}",
                    "",
                ]
            )
    return out.getvalue()


def _run_checks(scratch: Path) -> None:
    write_atomically(
        INPUTS / "tests.csv", table(c for name in all_names() for c in check(name, scratch))
    )


def jobs() -> list[Job]:
    """Tests of the potentials."""
    return [
        Job(
            "espresso/pseudo/tests",
            _run_checks,
            (INPUTS / "tests.csv",),
            programs=("ld1.x",),
            minutes=0.5,
        )
    ]
