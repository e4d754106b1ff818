"""What a spectrum is made of: bands with free, bounded, fixed or tied parameters, on a polynomial
baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from peled.lineshapes.bands import SHAPES


@dataclass(frozen=True)
class Parameter:
    """How one parameter enters a fit.

    Attributes
    ----------
    value : float, optional
        Start value, or the value itself when `fixed`. Without one the fit looks for a start in the
        data.
    lower, upper : float
        Bounds of a free parameter.
    fixed : bool
    tie : mapping, optional
        Linear tie: {other parameter: factor, ...}; the parameter is `offset` + sum of factor *
        other. A spin-orbit partner: {"main_centre": 1} with offset 11.5, {"main_area": 2 / 3},
        {"main_fwhm": 1}.
    offset : float
    """

    value: float | None = None
    lower: float = -np.inf
    upper: float = np.inf
    fixed: bool = False
    tie: Mapping[str, float] | None = None
    offset: float = 0.0


@dataclass(frozen=True)
class BandModel:
    """A sum of bands, `area * profile(x; centre, widths)` each, and a polynomial baseline.

    Parameters are named `<band>_<parameter>` (`main_centre`, `main_area`, `main_fwhm`, ...) and
    `base_0`, `base_1`, ... (coefficients of powers of `x - origin`). Bands are one of `gaussian`,
    `lorentzian`, `pseudo_voigt` (fraction), `voigt` (fwhm_gauss, fwhm_lorentz),
    `exponential_gaussian` (fwhm_gauss, tail), `split_gaussian` (fwhm_low, fwhm_high).

    Parameters
    ----------
    bands : mapping of str to str
        {name: shape}, in the order of the parameters.
    baseline : int or None
        Degree of the polynomial; None for no baseline.
    parameters : mapping of str to Parameter
        What departs from the default (free, widths positive, pseudo-Voigt fraction in [0, 1], all
        else unbounded). A name that belongs to no band declares an extra parameter for use in ties;
        it then needs a value.
    origin : float
        Where the baseline's powers are counted from; near the middle of the axis the coefficients
        are least correlated.

    Examples
    --------
    >>> model = BandModel({"main": "gaussian", "side": "gaussian"}, baseline=0,
    ...                   parameters={"side_fwhm": Parameter(tie={"main_fwhm": 1.0})})
    >>> model.names
    ('main_area', 'main_centre', 'main_fwhm', 'side_area', 'side_centre', 'side_fwhm', 'base_0')
    >>> model.free
    ('main_area', 'main_centre', 'main_fwhm', 'side_area', 'side_centre', 'base_0')
    """

    bands: Mapping[str, str]
    baseline: int | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    origin: float = 0.0

    def __post_init__(self):
        names, linear, spec = self._laid_out()
        own = len(names)
        self._specify(names, linear, spec)
        spec = {name: spec.get(name, Parameter()) for name in names}
        free = [name for name in names if not spec[name].fixed and spec[name].tie is None]
        if not free:
            raise ValueError("parameters: expected at least one free one, found all fixed or tied")
        transform, constant = _ties(spec, free)
        moved = [np.flatnonzero(column) for column in transform.T]
        derived = {
            "names": tuple(names),
            "free": tuple(free),
            "specification": spec,
            "transform": transform,
            "constant": constant,
            "lower": np.array([spec[name].lower for name in free]),
            "upper": np.array([spec[name].upper for name in free]),
            "linear": np.array([all(linear[row] for row in rows) for rows in moved]),
            "_own": own,
            # the usual case, nothing fixed or tied, needs no matrix product with every Jacobian
            "_plain": len(free) == len(names) == own and np.array_equal(transform, np.eye(own)),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def _laid_out(self) -> tuple[list[str], list[bool], dict[str, Parameter]]:
        """Names of all parameters, whether they are linear, and natural limits."""
        names, linear, spec = [], [], {}
        for band, shape in self.bands.items():
            if shape not in SHAPES:
                raise ValueError(
                    f"band {band!r}: expected a shape of {', '.join(SHAPES)}, found {shape!r}"
                )
            if not str(band).isidentifier() or band == "base":
                raise ValueError(
                    f"band {band!r}: expected a name of letters, digits and underscores other than "
                    "'base'"
                )
            own = [f"{band}_{parameter}" for parameter in SHAPES[shape].parameters]
            names += [f"{band}_area", *own]
            linear += [True] + [False] * len(own)
            for name, parameter in zip(own, SHAPES[shape].parameters):
                if parameter in SHAPES[shape].positive:
                    spec[name] = Parameter(lower=0.0)
                elif parameter == "fraction":
                    spec[name] = Parameter(lower=0.0, upper=1.0)
        if self.baseline is not None:
            if not 0 <= int(self.baseline) <= 10:
                raise ValueError(
                    f"baseline: expected a degree from 0 to 10 or None, found {self.baseline!r}"
                )
            names += [f"base_{power}" for power in range(int(self.baseline) + 1)]
            linear += [True] * (int(self.baseline) + 1)
        return names, linear, spec

    def _specify(self, names, linear, spec) -> None:
        """What was asked of parameters, and extra ones that belong to no band."""
        for name, given in self.parameters.items():
            if not isinstance(given, Parameter):
                raise TypeError(
                    f"parameter {name!r}: expected a Parameter, found {type(given).__name__}"
                )
            if name not in names:
                if given.value is None or given.tie:
                    raise ValueError(
                        f"parameter {name!r}: belongs to no band, so it is an extra one and needs "
                        f"a value; the names are {', '.join(names)}"
                    )
                names.append(name)
                linear.append(False)
            default = spec.get(name, Parameter())
            # the natural limits of a shape hold whatever else is asked
            spec[name] = replace(
                given, lower=max(given.lower, default.lower), upper=min(given.upper, default.upper)
            )

    def index(self, name: str) -> int:
        """Position of a parameter in `names`.

        Parameters
        ----------
        name : str

        Returns
        -------
        int

        Raises
        ------
        KeyError
            Naming the choices.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise KeyError(
                f"no parameter {name!r}; the parameters are {', '.join(self.names)}"
            ) from None

    def full(self, free: np.ndarray) -> np.ndarray:
        """All parameters from the free ones.

        Parameters
        ----------
        free : ndarray, shape (..., q)

        Returns
        -------
        ndarray, shape (..., p)
        """
        return free @ self.transform.T + self.constant

    def evaluate(self, x: np.ndarray, values: np.ndarray | Mapping[str, float]) -> np.ndarray:
        """Spectra of parameter sets.

        Parameters
        ----------
        x : ndarray, shape (m,)
        values : ndarray, shape (n, p) or (p,), or mapping by name

        Returns
        -------
        ndarray, shape (n, m) or (m,)
        """
        values = self._values(values)
        x = np.asarray(x, float)
        spectra = self._sum(np.atleast_2d(x), np.atleast_2d(values), False)[0]
        return spectra[0] if values.ndim == 1 and x.ndim == 1 else spectra

    def components(
        self, x: np.ndarray, values: np.ndarray | Mapping[str, float]
    ) -> dict[str, np.ndarray]:
        """Each band, and `baseline`, apart.

        Parameters
        ----------
        x : ndarray, shape (m,)
        values : ndarray, shape (n, p) or (p,), or mapping by name

        Returns
        -------
        dict of str to ndarray
            Shaped as `evaluate` does.
        """
        values = self._values(values)
        x = np.asarray(x, float)
        table, axis = np.atleast_2d(values), np.atleast_2d(x)
        parts, row = {}, 0
        for band, shape in self.bands.items():
            count = len(SHAPES[shape].parameters)
            columns = [table[:, row + 1 + k, None] for k in range(count)]
            parts[band] = (
                table[:, row, None] * SHAPES[shape].function(axis, *columns, derivatives=False)[0]
            )
            row += count + 1
        if self.baseline is not None:
            parts["baseline"] = sum(
                table[:, row + k, None] * (axis - self.origin) ** k
                for k in range(self.baseline + 1)
            )
        return {
            name: part[0] if values.ndim == 1 and x.ndim == 1 else part
            for name, part in parts.items()
        }

    def jacobian(self, x: np.ndarray, values: np.ndarray | Mapping[str, float]) -> np.ndarray:
        """Analytic derivatives in all parameters, ties not applied.

        Parameters
        ----------
        x : ndarray, shape (m,)
        values : ndarray, shape (n, p) or (p,), or mapping by name

        Returns
        -------
        ndarray, shape (n, p, m) or (p, m)
        """
        values = self._values(values)
        x = np.asarray(x, float)
        out = self._sum(np.atleast_2d(x), np.atleast_2d(values), True)[1]
        return out[0] if values.ndim == 1 and x.ndim == 1 else out

    def _values(self, values):
        if isinstance(values, Mapping):
            free = np.array([self._given(name, values) for name in self.free])
            return self.full(free)
        values = np.asarray(values, float)
        if values.shape[-1] != len(self.names):
            raise ValueError(
                f"values: expected {len(self.names)} parameters ({', '.join(self.names)}), found "
                f"shape {values.shape}"
            )
        return values

    def _given(self, name, values):
        value = values.get(name, self.specification[name].value)
        if value is None:
            raise ValueError(f"parameter {name!r}: expected a value, found none")
        return float(value)

    def _sum(self, x, table, derivatives):
        n, m = table.shape[0], x.shape[1]
        out = np.zeros((n, m))
        jac = np.zeros((n, len(self.names), m)) if derivatives else None
        row = 0
        for shape in self.bands.values():
            count = len(SHAPES[shape].parameters)
            area = table[:, row, None]
            profile, slopes = SHAPES[shape].function(
                x, *[table[:, row + 1 + k, None] for k in range(count)], derivatives=derivatives
            )
            if derivatives:
                jac[:, row] = profile
                for k in range(count):
                    np.multiply(area, slopes[k], out=jac[:, row + 1 + k])
            out += area * profile
            row += count + 1
        if self.baseline is not None:
            power = np.ones_like(x)
            for k in range(self.baseline + 1):
                if derivatives:
                    jac[:, row + k] = power
                out += table[:, row + k, None] * power
                power = power * (x - self.origin)
        return out, jac

    def evaluate_free(self, x, free):
        """Spectra and derivatives in the free parameters; what the fit calls.

        Parameters
        ----------
        x : ndarray, shape (m,)
        free : ndarray, shape (n, q)

        Returns
        -------
        values : ndarray, shape (n, m)
        derivatives : ndarray, shape (n, q, m)
        """
        values, jac = self._sum(x, free if self._plain else self.full(free), True)
        if not self._plain:
            jac = np.matmul(self.transform.T, jac)
        return values, jac

    def columns(self, x, free):
        """Derivatives at unit areas (p, m), their factors (n, p), and spectra (n, m), of free
        parameters (n, q) that differ in areas and baseline alone.

        Parameters
        ----------
        x : ndarray, shape (1, m)
            Axis that the spectra share.
        free : ndarray, shape (n, q)

        Returns
        -------
        columns : ndarray, shape (p, m)
        sizes : ndarray, shape (n, p)
            `sizes[i, :, None] * columns` are the derivatives of spectrum i.
        values : ndarray, shape (n, m)
        """
        table = self.full(free)
        unit, sizes = table[:1].copy(), np.ones_like(table)
        linear, row = [], 0
        for shape in self.bands.values():
            after = row + 1 + len(SHAPES[shape].parameters)
            unit[:, row], sizes[:, row + 1 : after] = 1.0, table[:, row, None]
            linear.append(row)
            row = after
        linear += range(row, self._own)
        columns = self._sum(x, unit, True)[1][0]
        return columns, sizes, table[:, linear] @ columns[linear]

    def freed(self, curvature, gradient):
        """Curvature (n, q, q) and gradient (n, q) by the free parameters, from those by all.

        Parameters
        ----------
        curvature : ndarray, shape (n, p, p)
        gradient : ndarray, shape (n, p)

        Returns
        -------
        curvature : ndarray, shape (n, q, q)
        gradient : ndarray, shape (n, q)
        """
        if self._plain:
            return curvature, gradient
        return self.transform.T @ curvature @ self.transform, gradient @ self.transform


def _ties(spec: Mapping[str, Parameter], free: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """All parameters as `transform @ free + constant`."""
    transform, constant = np.zeros((len(spec), len(free))), np.zeros(len(spec))
    for row, (name, p) in enumerate(spec.items()):
        if p.tie is not None:
            constant[row] = p.offset
            for other, factor in p.tie.items():
                if other not in spec:
                    raise ValueError(
                        f"parameter {name!r}: tied to {other!r}, which is not a parameter of the "
                        "model"
                    )
                if spec[other].tie is not None:
                    raise ValueError(
                        f"parameter {name!r}: tied to {other!r}, which is itself tied; tie both to "
                        "the same one"
                    )
                if spec[other].fixed:
                    constant[row] += factor * _fixed_value(other, spec[other])
                else:
                    transform[row, free.index(other)] += factor
        elif p.fixed:
            constant[row] = _fixed_value(name, p)
        else:
            _check_limits(name, p)
            transform[row, free.index(name)] = 1.0
    return transform, constant


def _check_limits(name: str, p: Parameter) -> None:
    if not p.lower < p.upper:
        raise ValueError(
            f"parameter {name!r}: expected lower < upper, found {p.lower} and {p.upper}"
        )
    if p.value is not None and not p.lower <= p.value <= p.upper:
        raise ValueError(
            f"parameter {name!r}: expected a value from {p.lower} to {p.upper}, found {p.value}"
        )


def _fixed_value(name, parameter):
    if parameter.value is None:
        raise ValueError(f"parameter {name!r}: fixed, so expected a value, found none")
    return float(parameter.value)
