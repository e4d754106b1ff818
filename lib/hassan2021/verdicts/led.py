"""Verdicts on devices by the names of their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from peled.led.desk import Collection


def judge(
    room,
    claim_id: str,
    store: Mapping,
    names: str | tuple[str, ...],
    found: Callable[..., Mapping],
    data: Collection,
    **options,
) -> None:
    """Judge a claim on the named entries of a store, or say which file is missing.

    `found(*entries)` returns the keywords of `room.check` (found, standard_error, holds, note).
    """
    names = (names,) if isinstance(names, str) else names
    missing = [name for name in names if name not in store]
    if missing:
        room.not_testable(claim_id, f"no such file in data_dir: {', '.join(missing)}")
        return
    room.check(
        claim_id, kind=data.kind(*names), **found(*(store[name] for name in names)), **options
    )
