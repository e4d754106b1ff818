"""What `make test` runs, as one pytest session: all tests, and nbval over all notebooks in real kernels."""

import os
import sys
from pathlib import Path

import pytest

from peled.lab import keep_headless

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> int:
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT / "tests"))
    os.environ["PYTHONPATH"] = str(ROOT / "tests")  # for the workers
    os.environ["PELED_STAGE"] = str(
        ROOT / "build" / "nbval"
    )  # notebooks run by nbval write here, not into figures/
    keep_headless()
    jobs = os.environ.get("J") or str(os.cpu_count() or 1)
    return pytest.main(
        [
            "-q",
            "--nbval",
            "--nbval-current-env",
            "--nbval-cell-timeout=120",
            "--nbval-sanitize-with",
            "tests/nbval_sanitize.cfg",
            "-n",
            jobs,
            "--dist",
            "loadscope",
            # Not by their number of tests: the longest of all, a second build, is one of few and would come last and alone.
            "--no-loadscope-reorder",
            "--durations=12",
            "--benchmark-disable",
            "-o",
            "python_files=test_*.py bench_*.py",
            "-p",
            "no:cacheprovider",
            "tests",
            "notebooks",
            "benchmarks",
            *arguments,
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
