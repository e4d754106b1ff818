"""What `make test` runs: all tests, nbval over all notebooks in real kernels, and what two builds
share.

The browser is driven by `make test-browser` alone.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest

from peled.lab import keep_headless

ROOT = Path(__file__).resolve().parents[1]
#: What nbval runs writes here, not into figures/: it is the second build of `test_reproducible`.
SECOND = ROOT / "build" / "nbval"


def main(arguments: list[str]) -> int:
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT / "tests"))
    os.environ["PYTHONPATH"] = str(ROOT / "tests")  # for the workers
    os.environ["PELED_STAGE"] = str(SECOND)
    shutil.rmtree(SECOND, ignore_errors=True)
    keep_headless()
    common = ["-q", "-p", "no:cacheprovider", "-o", "python_files=test_*.py bench_*.py"]
    whole = pytest.main(
        [
            *common,
            "--nbval",
            "--nbval-current-env",
            "--nbval-cell-timeout=120",
            "--nbval-sanitize-with=tests/nbval_sanitize.cfg",
            f"--numprocesses={os.environ.get('J') or os.cpu_count() or 1}",
            "--dist=loadscope",
            "--no-loadscope-reorder",  # the small ones come last
            "--durations=12",
            "--benchmark-disable",
            "--ignore=tests/test_browser.py",
            "--ignore=tests/test_reproducible.py",
            "tests",
            "notebooks",
            "benchmarks",
            *arguments,
        ]
    )
    if whole:
        return int(whole)
    os.environ["PELED_SECOND"] = str(SECOND)
    return int(pytest.main([*common, "tests/test_reproducible.py"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
