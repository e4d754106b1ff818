"""Headless building of all notebooks against the papermill command line and against plain scripts,
in one run.

The bar: no more than the same code run as plain scripts one after another.
"""

import json
import os
import resource
import shutil
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


@pytest.mark.benchmark(group="first run")
def test_first_run(benchmark, tmp_path, quick):
    """What the README says of a first run: a fresh clone with an empty home, in CPU seconds."""
    if quick or not shutil.which("git"):
        pytest.skip("needs git and what the environment is made from")
    clone, home = tmp_path / "peled", tmp_path / "home"
    home.mkdir()
    subprocess.run(["git", "clone", "-q", str(files.ROOT), str(clone)], check=True)
    kept = {name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")}

    def spent(target):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = ["make", "-C", str(clone), target]
        subprocess.run(command, check=True, capture_output=True, env={**kept, "HOME": str(home)})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def first():
        for name, target in (
            ("environment", "env"),
            ("notebooks", "figures"),
            ("again", "figures"),
        ):
            benchmark.extra_info[f"{name}, CPU s"] = spent(target)

    benchmark.pedantic(first, rounds=1, warmup_rounds=0)
    print("\n" + ", ".join(f"{k} {v:.3g}" for k, v in benchmark.extra_info.items()))
