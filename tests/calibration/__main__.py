"""`make calibration`: every topic through the engine of campaigns; a table and a picture a topic.

python -m calibration [--out docs/calibration] [--work build/calibration] [--share 1] [TOPIC ...]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from calibration import TOPICS, page, pictures
from calibration.run import calibrate, engine_for, publish


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m calibration")
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=", ".join(TOPICS))
    parser.add_argument("--out", type=Path, default=Path("docs/calibration"))
    parser.add_argument("--work", type=Path, default=Path("build/calibration"))
    parser.add_argument("--share", type=float, default=1.0, help="of the draws")
    said = parser.parse_args()
    with engine_for() as run:
        for topic in said.topics or TOPICS:
            coverage, gates = calibrate(topic, said.work / topic, run, said.share)
            publish(said.out, topic, coverage, gates)
            pictures.save(said.out / f"{topic}.png", topic, coverage)
    page.write(said.out)


if __name__ == "__main__":
    main()
