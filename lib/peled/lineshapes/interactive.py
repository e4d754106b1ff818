"""The same models in lmfit, for interactive work on one spectrum: confidence intervals, reports,
other minimisers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import numpy as np

from peled.lineshapes.model import BandModel


def to_lmfit(model: BandModel, start: Mapping[str, float] | None = None):
    """An `lmfit.Model` of the same parameters, bounds and ties.

    Parameters
    ----------
    model : BandModel
    start : mapping of str to float, optional
        Start values; those of the model otherwise, and 1 where there is none.

    Returns
    -------
    lmfit.Model
        With parameter hints set: `to_lmfit(model, start).fit(y, x=x)`.

    References
    ----------
    .. [1] M. Newville et al., LMFIT, doi:10.5281/zenodo.598352
    """
    import lmfit

    def bands(x, **values):
        return model.evaluate(x, np.array([values[name] for name in model.names], float))

    # lmfit reads the names of the parameters off the signature
    plain = inspect.Parameter.POSITIONAL_OR_KEYWORD
    bands.__signature__ = inspect.Signature(
        [inspect.Parameter(name, plain) for name in ("x", *model.names)]
    )
    made = lmfit.Model(bands, independent_vars=["x"])
    for name in model.names:
        p = model.specification[name]
        if p.tie is not None:
            made.set_param_hint(
                name,
                expr=" + ".join(
                    [f"{factor!r} * {other}" for other, factor in p.tie.items()]
                    + [repr(float(p.offset))]
                ),
            )
            continue
        value = (start or {}).get(name, p.value)
        made.set_param_hint(
            name,
            value=1.0 if value is None else float(value),
            min=p.lower,
            max=p.upper,
            vary=not p.fixed,
        )
    return made
