"""Tables of n and k: files of the refractiveindex.info database, and plain delimited tables.

Everything is stored against the wavelength in nm. Outside the range of a table there is no value,
only an error: an extrapolated index is a wrong one.

Tried on files not written here: eleven of refractiveindex.info (perovskites, Al, LiF, glass).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_yaml
from peled.formats.contract import reader
from peled.tables import table


@dataclass(frozen=True)
class IndexTable:
    """The complex refractive index of one material.

    Call it with wavelengths in nm for n + ik; between tabulated points n and k are straight lines
    in wavelength.

    Attributes
    ----------
    name : str
    range_nm : (float, float)
        Where both n and k are known.
    source, comment, conditions : str
        Literature reference, remarks and licence as the file has them.
    """

    name: str
    range_nm: tuple[float, float]
    source: str = ""
    comment: str = ""
    parts: tuple = field(default=(), repr=False)

    def __call__(self, wavelength_nm):
        """n + ik at wavelengths in nm (scalar or array).

        Raises
        ------
        ValueError
            Naming the material, its range, and the first wavelength outside it.
        """
        wavelength = np.asarray(wavelength_nm, float)
        low, high = self.range_nm
        outside = ~((wavelength >= low * (1 - 1e-9)) & (wavelength <= high * (1 + 1e-9)))
        if outside.any():
            raise ValueError(
                f"{self.name}: expected wavelengths from {low:.6g} to {high:.6g} nm, found "
                f"{np.ravel(wavelength[outside])[0]:.6g} nm; take another table"
            )
        value = np.zeros(wavelength.shape, complex)
        for part in self.parts:
            value = value + part(wavelength)
        return value[()]

    def n(self, wavelength_nm):
        """Real part.

        Parameters
        ----------
        wavelength_nm : float or array
            nm.

        Returns
        -------
        float or array

        Raises
        ------
        ValueError
            Outside `range_nm`.
        """
        return np.real(self(wavelength_nm))

    def k(self, wavelength_nm):
        """Imaginary part.

        Parameters
        ----------
        wavelength_nm : float or array
            nm.

        Returns
        -------
        float or array
            Above zero where light is absorbed.

        Raises
        ------
        ValueError
            Outside `range_nm`.
        """
        return np.imag(self(wavelength_nm))


@dataclass(frozen=True)
class _Tabulated:
    wavelength_nm: np.ndarray
    values: np.ndarray
    factor: complex

    def __call__(self, wavelength):
        return self.factor * (np.interp(wavelength, self.wavelength_nm, self.values))


@dataclass(frozen=True)
class _Formula:
    """Dispersion formulas of refractiveindex.info, wavelength in micrometres inside (database
    documentation, 2024)."""

    number: int
    c: tuple

    def __call__(self, wavelength):
        x, c = np.asarray(wavelength, float) / 1000, self.c
        pairs = [(c[k], c[k + 1]) for k in range(1, len(c) - 1, 2)]
        if self.number == 1:  # Sellmeier
            return np.sqrt(1 + c[0] + sum(a * x**2 / (x**2 - b**2) for a, b in pairs)) + 0j
        if self.number == 2:  # Sellmeier, squares given
            return np.sqrt(1 + c[0] + sum(a * x**2 / (x**2 - b) for a, b in pairs)) + 0j
        if self.number == 3:  # polynomial
            return np.sqrt(c[0] + sum(a * x**b for a, b in pairs)) + 0j
        if self.number == 4:  # the general one
            head = list(c[1:9]) + [0.0] * (8 - len(c[1:9]))
            value = c[0] + sum(
                head[k] * x ** head[k + 1] / (x**2 - head[k + 2] ** head[k + 3])
                for k in (0, 4)
                if head[k]
            )
            return np.sqrt(value + sum(a * x**b for a, b in zip(c[9::2], c[10::2]))) + 0j
        if self.number == 5:  # Cauchy
            return c[0] + sum(a * x**b for a, b in pairs) + 0j
        return 1 + c[0] + sum(a / (b - x**-2) for a, b in pairs) + 0j  # 6: gases


_UNITS = {"um": 1000.0, "nm": 1.0}


@reader("a refractive index (refractiveindex.info YAML, or a table)")
def read_index(path: str | os.PathLike) -> IndexTable:
    """Read a YAML file of the refractiveindex.info database, or a table of wavelength, n and k.

    YAML: `tabulated nk`, `tabulated n`, `tabulated k` and `formula 1` to `6`, wavelengths in
    micrometres. Delimited: the unit of the first column (nm, um) is taken from its head; without
    one, values below 25 are micrometres; k may be left out.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    IndexTable

    Raises
    ------
    FormatError
        Naming file and place: no such file, no YAML, unknown kind of data, text in the numbers,
        repeated wavelengths, a negative k, no n.

    References
    ----------
    .. [1] M. N. Polyanskiy, Sci. Data 11, 94 (2024), doi:10.1038/s41597-023-02898-2
    """
    path = Path(path)
    if path.suffix.lower() in (".yml", ".yaml"):
        return _read_yaml(path)
    from peled.formats.delimited import read_table

    table = read_table(path)
    columns = table.columns
    if len(columns) < 2:
        raise FormatError(
            path,
            expected="columns of wavelength, n and optionally k",
            found=f"{len(columns)} column",
        )
    wavelength = np.asarray(columns[0].values, float)
    unit = (columns[0].unit or "").lower().replace("µ", "u").replace("μ", "u")
    factor = _UNITS.get(unit, 1.0 if wavelength.max() > 25 else 1000.0)
    rows = np.column_stack(
        [wavelength * factor, *(np.asarray(column.values, float) for column in columns[1:3])]
    )
    return _assemble(
        path, [_tabulated(path, "table", rows, "nk" if rows.shape[1] > 2 else "n")], "", ""
    )


def _read_yaml(path):
    content = read_yaml(path, what="a refractiveindex.info file in YAML")
    if (
        not isinstance(content, dict)
        or not isinstance(content.get("DATA"), list)
        or not content["DATA"]
    ):
        raise FormatError(
            path,
            expected="a refractiveindex.info file with a list DATA",
            found=f"{type(content).__name__} without it",
        )
    parts = []
    for place, block in enumerate(content["DATA"], start=1):
        kind = str(block.get("type", "")) if isinstance(block, dict) else ""
        where = f"DATA block {place}"
        if kind.startswith("tabulated "):
            try:
                rows = np.array(
                    [
                        [float(cell) for cell in line.split()]
                        for line in str(block.get("data", "")).splitlines()
                        if line.strip()
                    ]
                )
            except ValueError as error:
                raise FormatError(
                    path, expected="rows of numbers of one length", found=str(error), place=where
                ) from None
            if rows.ndim != 2 or len(rows) == 0:
                raise FormatError(
                    path,
                    expected="rows of numbers of one length",
                    found="none" if rows.size == 0 else "rows of several lengths",
                    place=where,
                )
            rows[:, 0] *= 1000
            parts.append(_tabulated(path, where, rows, kind.split()[1]))
        elif kind.startswith("formula "):
            parts.append(_formula(path, where, block, kind))
        else:
            raise FormatError(
                path, expected="tabulated nk, n, k or formula 1 to 6", found=repr(kind), place=where
            )
    return _assemble(
        path,
        parts,
        str(content.get("REFERENCES", "")).strip(),
        str(content.get("COMMENTS", "")).strip(),
    )


def _formula(path, where, block, kind):
    try:
        number = int(kind.split()[1])
        coefficients = tuple(float(value) for value in str(block["coefficients"]).split())
        low, high = (
            1000 * float(value)
            for value in str(block.get("wavelength_range", block.get("range"))).split()
        )
    except (KeyError, ValueError, IndexError) as error:
        raise FormatError(
            path,
            expected="coefficients and a wavelength_range of two numbers",
            found=f"{type(error).__name__}: {error}",
            place=where,
        ) from None
    if not 1 <= number <= 6:
        raise FormatError(
            path, expected="formula 1 to 6", found=kind, place=where, advice="tabulate it"
        )
    if len(coefficients) < 1:
        raise FormatError(path, expected="coefficients", found="none", place=where)
    return _Formula(number, coefficients), (low, high), True


def _tabulated(path, where, rows, kind):
    need = {"nk": 3, "n": 2, "k": 2}.get(kind)
    if need is None or rows.shape[1] < need:
        raise FormatError(
            path,
            expected=f"{need or 'n, k or nk:'} columns for tabulated {kind}",
            found=str(rows.shape[1]),
            place=where,
        )
    if not np.isfinite(rows).all():
        raise FormatError(
            path,
            expected="finite numbers",
            found="a value that is not",
            place=f"{where}, row {int(np.argwhere(~np.isfinite(rows))[0][0]) + 1}",
        )
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    wavelength = rows[:, 0]
    if (wavelength <= 0).any() or (np.diff(wavelength) == 0).any():
        place = wavelength[0] if wavelength[0] <= 0 else wavelength[1:][np.diff(wavelength) == 0][0]
        raise FormatError(
            path,
            expected="positive wavelengths, each once",
            found=f"{place / 1000:g} um",
            place=where,
        )
    k = rows[:, -1] if kind != "n" else np.zeros(len(rows))
    if (k[: len(rows)] < 0).any() and kind != "n":
        raise FormatError(path, expected="k of 0 or more", found=f"{k.min():g}", place=where)
    columns = (
        [(rows[:, 1], 1.0)]
        if kind == "n"
        else [(rows[:, 1], 1j)]
        if kind == "k"
        else [(rows[:, 1], 1.0), (rows[:, 2], 1j)]
    )
    return (
        [_Tabulated(wavelength, values, factor) for values, factor in columns],
        (float(wavelength[0]), float(wavelength[-1])),
        kind != "k",
    )


def _assemble(path, blocks, source, comment):
    parts, low, high, has_n = [], 0.0, np.inf, False
    for found, span, real in blocks:
        parts += found if isinstance(found, list) else [found]
        low, high, has_n = max(low, span[0]), min(high, span[1]), has_n or real
    if not has_n:
        raise FormatError(path, expected="n beside k", found="k alone")
    if not low <= high:
        raise FormatError(
            path,
            expected="n and k over a common range of wavelengths",
            found=f"none (from {low:g} to {high:g} nm)",
        )
    return IndexTable(path.stem, (low, high), source, comment, tuple(parts))


@lru_cache(maxsize=64)
def index_table(name: str) -> IndexTable:
    """A material of the package's tables by its file's stem.

    Parameters
    ----------
    name : str

    Returns
    -------
    IndexTable
        To be called with wavelengths in nm.

    Raises
    ------
    FormatError
        Naming the materials there are.

    References
    ----------
    .. [1] M. N. Polyanskiy, Sci. Data 11, 94 (2024), doi:10.1038/s41597-023-02898-2

    Examples
    --------
    >>> complex(index_table("Al_Rakic")(620.0)).imag > 6
    True
    """
    base = table("optics")
    found = {path.stem: path for path in sorted(base.glob("*.y*ml")) if path.name != "about.yaml"}
    if name not in found:
        raise FormatError(
            base, expected=f"a material of {', '.join(found) or '(none here)'}", found=repr(name)
        )
    return read_index(found[name])
