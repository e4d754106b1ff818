"""Checks of a topic: one short function a claim, evidence in, the arguments of `ledger.paper.judge` out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class Missing(LookupError):
    """What a check needs is not in the folder; the message says what."""


class Checks:
    """The checks of one topic, in the order in which they are written.

    Examples
    --------
    >>> checks = Checks()
    >>> @checks.claim("C007", "Methods against legend")
    ... def power_density(evidence):
    ...     return {"found": 7.09}
    """

    def __init__(self, not_testable: Mapping[str, str] | None = None):
        self.not_testable = dict(not_testable or {})
        self.functions: list[tuple[str, str, Callable[[Any], dict]]] = []

    def claim(self, claim_id: str, route: str = "", **fixed):
        """Enter a function as a check of a claim; `fixed` are arguments that go before the evidence's."""

        def keep(function):
            self.functions.append((claim_id, route, lambda evidence: function(evidence, **fixed)))
            return function

        return keep

    def judge(self, room, evidence) -> None:
        """A verdict by every check; where something is missing the claim is not testable, and why."""
        for claim_id, why in self.not_testable.items():
            room.not_testable(claim_id, why)
        for claim_id, route, find in self.functions:
            try:
                found = find(evidence)
            except Missing as reason:
                room.not_testable(claim_id, str(reason))
            else:
                room.check(claim_id, route=route, **{"kind": "recomputed", **found})
