"""How often intervals hold the truth, and gates act: draws of known truth through the analyses.

`make calibration` writes a table and a picture a topic.
A topic is a module with `SHEET`, the sample sheet of all its folders, `CONDITIONS`, and

    draw(folder, sample, rng, **settings) -> {quantity: true value}

which writes one sample's files, as instruments would have them, by formulas that share nothing with
the analysis. `matched(rows, truth)`, where a topic has it, names the rows of a sample after the
true values that they are of. What an analysis takes as a stated error (of a meter, of a wavelength
scale) is drawn from it; all else is of the files' own noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

#: Topics that are calibrated.
TOPICS = ("led", "photoluminescence", "transient_absorption", "nmr", "structure")


@dataclass(frozen=True)
class Condition:
    """One kind of noise at one level.

    Attributes
    ----------
    kind, level : str
    settings : mapping
        Of the topic's `draw`.
    meant : str
        `quiet`: no gate has a reason to act, one that does is a false alarm. `act`: numbers of
        `on` are wrong or worth nothing, one that is reported is missed. `open`: either is right.
    on : tuple of str
    analysis : mapping
        Settings of the topic's `analyse`.
    sheet : str
        Of this condition's folder, where it is not the topic's.
    """

    kind: str
    level: str
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    meant: Literal["quiet", "act", "open"] = "quiet"
    on: tuple[str, ...] = ()
    sheet: str = ""
    analysis: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        return f"{self.kind}, {self.level}" if self.level else self.kind
