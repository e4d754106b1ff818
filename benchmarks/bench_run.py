"""Headless building of all notebooks against the papermill command line and against plain scripts, in one run.

The bar: no more than the same code run as plain scripts one after another.
"""

import json
import os
import subprocess
import sys

import pytest

from ledger import files

NOTEBOOKS = sorted((files.ROOT / "notebooks").glob("0[1-7]_*.ipynb"))


def runner(folder):
    subprocess.run(
        [
            sys.executable,
            "-m",
            "ledger.run",
            *(p.stem for p in NOTEBOOKS),
            "--force",
            "--figures",
            str(folder / "figures"),
        ],
        check=True,
        capture_output=True,
    )


def papermill_cli(folder):
    for path in NOTEBOOKS:
        subprocess.run(
            [
                sys.executable,
                "-m",
                "papermill",
                str(path),
                str(folder / path.name),
                "-p",
                "figures_dir",
                str(folder / "figures"),
                "-p",
                "results_dir",
                str(folder / "results"),
            ],
            check=True,
            capture_output=True,
            cwd=files.ROOT / "notebooks",
        )


def plain_scripts(folder):
    for path in NOTEBOOKS:
        cells = [
            "".join(c["source"])
            for c in json.loads(path.read_text())["cells"]
            if c["cell_type"] == "code"
        ]
        script = folder / f"{path.stem}.py"
        script.write_text("\n\n".join(cells))
        subprocess.run(
            [sys.executable, str(script)],
            check=True,
            capture_output=True,
            env={**os.environ, "MPLBACKEND": "agg", "PELED_STAGE": str(folder)},
            cwd=files.ROOT / "notebooks",
        )


@pytest.mark.benchmark(group="all notebooks, headless")
@pytest.mark.parametrize("how", [runner, plain_scripts, papermill_cli], ids=lambda f: f.__name__)
def test_headless(benchmark, tmp_path, how, quick):
    if quick:
        pytest.skip("whole builds are run by the tests themselves")
    benchmark.pedantic(how, args=(tmp_path,), rounds=1, warmup_rounds=0)


@pytest.mark.benchmark(group="nothing to do")
def test_nothing_to_do(benchmark):
    command = [sys.executable, "-m", "ledger.run"]
    subprocess.run(command, check=True, capture_output=True)
    benchmark.pedantic(lambda: subprocess.run(command, check=True, capture_output=True), rounds=10)
