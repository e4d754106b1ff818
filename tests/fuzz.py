"""`make fuzz`: a thousand mutants a reader (or as many as the argument says), what came of them,
and what is wrong.

Counts are printed every ten minutes and at the end; a run that is interrupted or terminated prints
what it has done.
"""

import collections
import contextlib
import itertools
import logging
import signal
import sys
import tempfile
import time
from pathlib import Path

import mutants

EVERY = 600.0  # seconds between two reports


def main(number: int, first: int = 0) -> int:
    """`number` mutants a reader; `first` is where a run goes on that ended before."""
    logging.disable()  # tifffile reports damage there
    outcomes, done, wrong = (collections.Counter() for _ in range(3))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    due = time.monotonic() + EVERY
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        for seed, kind, repeat in _trials(number, first, done):
            random = mutants.generator(seed, kind, repeat)
            outcome, complaint = mutants.judge(seed, kind, random, Path(folder))
            if outcome == "not applicable":
                continue
            done[seed.reader] += 1
            outcomes[outcome] += 1
            if complaint:
                wrong[seed.reader, kind] += 1
                print(f"{seed.name}, {kind}, number {repeat}: {complaint}", flush=True)
            if time.monotonic() > due:
                due += EVERY
                _report(done, outcomes, wrong)
    _report(done, outcomes, wrong)
    for (reader, kind), count in wrong.most_common():
        print(f"{count:6d}  {reader}  {kind}")
    return bool(wrong)


def _trials(number: int, first: int, done: collections.Counter):
    """Seed, kind and number of each mutant; those that chance does not change come once, and of
    the larger files, which take the most time, every fifth.
    """
    small, large = mutants.seeds(), mutants.larger_seeds()
    for repeat in itertools.count(first):
        seeds = small + ([] if repeat % 5 else large)
        unfinished = [seed for seed in seeds if done[seed.reader] < number]
        if not unfinished and not repeat % 5:
            return
        kinds = [name for name, kind in mutants.KINDS.items() if kind.chance or not repeat]
        yield from ((seed, kind, repeat) for seed, kind in itertools.product(unfinished, kinds))


def _report(done, outcomes, wrong) -> None:
    tried = f"{done.total()} mutants, {len(done)} readers: {dict(outcomes)}"
    print(f"{tried}; {wrong.total()} not as owed", flush=True)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:] or ("1000",))))
