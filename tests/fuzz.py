"""`make fuzz`: a thousand mutants a reader (or as many as the argument says), what came of them, and what is wrong."""

import collections
import logging
import sys
import tempfile
from pathlib import Path

import mutants


def main(number: int) -> int:
    logging.disable()  # tifffile reports damage there
    outcomes, wrong = collections.Counter(), collections.Counter()
    seeds = collections.defaultdict(list)
    for seed in mutants.seeds():
        seeds[seed.reader].append(seed)
    with tempfile.TemporaryDirectory() as folder:
        for reader, files in seeds.items():
            done = repeat = 0
            while done < number:
                for seed in files:
                    for kind in mutants.KINDS:
                        random = mutants.generator(seed, kind, repeat)
                        outcome, complaint = mutants.judge(seed, kind, random, Path(folder))
                        done += outcome != "not applicable"
                        outcomes[outcome] += 1
                        if complaint:
                            wrong[reader, kind, outcome] += 1
                            print(f"{seed.name}, {kind}, number {repeat}: {complaint}", flush=True)
                repeat += 1
    tried = sum(outcomes.values()) - outcomes.pop("not applicable", 0)
    print(
        f"{tried} mutants, {len(seeds)} readers: {dict(outcomes)}; {sum(wrong.values())} not as owed"
    )
    for (reader, kind, outcome), count in wrong.most_common():
        print(f"{count:6d}  {reader}  {kind}  {outcome}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
