"""`make fuzz`: a thousand mutants a reader (or as many as the argument says), what came of them,
and what is wrong.

An interrupted run reports what it has done.
"""

import collections
import contextlib
import itertools
import logging
import sys
import tempfile
from pathlib import Path

import mutants


def main(number: int) -> int:
    logging.disable()  # tifffile reports damage there
    outcomes, done, wrong = (collections.Counter() for _ in range(3))
    seeds = mutants.seeds() + mutants.larger_seeds()
    readers = {seed.reader for seed in seeds}
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        for repeat in itertools.count():
            unfinished = [seed for seed in seeds if done[seed.reader] < number]
            if not unfinished:
                break
            for seed, kind in itertools.product(unfinished, mutants.KINDS):
                random = mutants.generator(seed, kind, repeat)
                outcome, complaint = mutants.judge(seed, kind, random, Path(folder))
                if outcome == "not applicable":
                    continue
                done[seed.reader] += 1
                outcomes[outcome] += 1
                if complaint:
                    wrong[seed.reader, kind] += 1
                    print(f"{seed.name}, {kind}, number {repeat}: {complaint}", flush=True)
    tried, bad = done.total(), wrong.total()
    print(f"{tried} mutants, {len(readers)} readers: {dict(outcomes)}; {bad} not as owed")
    for (reader, kind), count in wrong.most_common():
        print(f"{count:6d}  {reader}  {kind}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
