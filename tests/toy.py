"""A small paper in a repository of its own, for tests of the runner, of the claims and of the
site."""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from ledger import files, paper

CLAIMS = """C001,abstract,fig1a,length,The stick is two metres long,2.0,,m,,{topic},recompute,,,,,,,,
C002,abstract,,colour,The stick is red,red,,,,{topic},transcribe,,,,,present: red,,,
C003,methods,fig1a,weight,The stick weighs ten grams,10,~,g,,{topic},recover,,,,,,,0.5,"""  # noqa: E501


def cell(source, name, tags=()):
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {"tags": list(tags)} if tags else {},
        "execution_count": None,
        "outputs": [],
        "source": source,
    }


def notebook(topic, middle="", panel="fig1a"):
    parameters = (
        'data_dir = "data"\nfigures_dir = "figures"\nresults_dir = "figures/results"\nquick = False'
    )
    setup = (
        "import sys, os\nfrom ledger.notebook import open_room\nroom = "
        f"open_room('{topic}', data_dir=data_dir, figures_dir=figures_dir, "
        "results_dir=results_dir, quick=quick)\n"
        f"values = [float(p.read_text()) for p in room.files('*.txt')]\nprint('sum', sum(values))"
    )
    draw = (
        f"fig, ax = room.panel('{panel}')\nax.plot(values)\nroom.save(fig, '{panel}', "
        "inputs=room.files('*.txt'))"
    )
    judge = (
        "room.check('{0}1', sum(values), 0.01, kind='recomputed'); "
        "room.not_testable('{0}2', 'no picture'); room.check('{0}3', 10, kind='simulated')\n"
        "room.finish()"
    )
    prefix = {"stick": "C00", "stone": "C10"}[topic]
    cells = [
        cell(parameters, "parameters", ["parameters"]),
        cell(setup, "setup"),
        cell(middle or "pass", "middle"),
        cell(draw, "draw"),
        cell(judge.format(prefix), "finish"),
    ]
    return json.dumps(
        {
            "cells": cells,
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


class Warm:
    """A process that has imported what a run needs from others and nothing of this repository.
    Each run is a fork of it, without the two seconds of those imports."""

    SCRIPT = """
import json, os, runpy, sys, time, traceback
import matplotlib, matplotlib.pyplot, matplotlib_inline.backend_inline, papermill, IPython
os.setsid()
for line in sys.stdin:
    task = json.loads(line)
    pid = os.fork()
    if not pid:
        os.chdir(task["root"])
        os.environ.clear()
        os.environ.update(task["environment"])
        for number, name in ((0, os.devnull), (1, task["out"]), (2, task["err"])):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
        sys.path.insert(0, task["environment"]["PYTHONPATH"])
        sys.argv[1:] = task["arguments"]
        status = 1
        try:
            runpy.run_module("ledger.run", run_name="__main__", alter_sys=True)
            status = 0
        except SystemExit as error:
            status = error.code or 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    end = time.monotonic() + 120
    while not (found := os.waitpid(pid, os.WNOHANG))[0]:
        time.sleep(0.005)
        if time.monotonic() > end:
            os.kill(pid, 9)
    print(os.waitstatus_to_exitcode(found[1]), flush=True)
"""

    def __init__(self):
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-c", self.SCRIPT],
            env=environment | {"MPLBACKEND": "agg"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.process.kill)

    def run(self, root: Path, environment: dict, arguments) -> tuple[int, str, str]:
        """Exit status, standard output and standard error of `python -m ledger.run`."""
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            task = {"root": str(root), "environment": environment, "out": str(out),
                    "err": str(err), "arguments": arguments}  # fmt: skip
            self.process.stdin.write(json.dumps(task) + "\n")
            self.process.stdin.flush()
            status = int(self.process.stdout.readline())
            return status, out.read_text(), err.read_text()


@cache
def warm() -> Warm:
    return Warm()


class Toy:
    """A small repository with two notebooks, and ways to run it."""

    def __init__(self, root: Path):
        self.root = root
        for package in ("peled", "ledger"):  # the paper of this repository is not needed
            shutil.copytree(files.ROOT / "lib" / package, root / "lib" / package)
        (root / "lib" / "toy" / "published").mkdir(parents=True)
        (root / "lib" / "toy" / "stick.py").write_text("COLOUR = 'red'\n")
        shutil.copy(files.ROOT / "requirements.lock", root)
        (root / "notebooks").mkdir()
        claims = (
            CLAIMS.format(topic="stick")
            + "\n"
            + CLAIMS.format(topic="stone").replace("C00", "C10").replace("fig1a", "fig1b")
        )
        published = root / "lib" / "toy" / "published"
        (published / "claims.csv").write_text(
            ",".join(paper.Claim.__dataclass_fields__) + "\n" + claims + "\n"
        )
        (published / "panels.csv").write_text(
            ",".join(paper.Panel.__dataclass_fields__)
            + "\n1a,fig1a,a stick,stick,plot,C001,,,,,\n1b,fig1b,a stone,stone,plot,C101,,,,,\n"
        )
        for topic, panel in (("stick", "fig1a"), ("stone", "fig1b")):
            (root / "data" / topic).mkdir(parents=True)
            (root / "data" / topic / "a.txt").write_text("2.0")
            self.write(
                topic, panel=panel, middle="from toy import stick" if topic == "stick" else ""
            )
        listed = [
            {
                "path": f"{topic}/{name}.txt",
                "title": f"a {topic}",
                "sourceKind": "measured",
                "made": "with a ruler",
                "bytes": 3,
                "hash": "sha256:" + 64 * "0",
            }
            for topic in ("stick", "stone")
            for name in "ab"
        ]
        (root / "data" / "datapackage.json").write_text(json.dumps({"resources": listed}))
        (root / "figures").mkdir()

    def write(self, topic, middle="", panel=None):
        number = {"stick": "01", "stone": "02"}[topic]
        (self.root / "notebooks" / f"{number}_{topic}.ipynb").write_text(
            notebook(topic, middle, panel or {"stick": "fig1a", "stone": "fig1b"}[topic])
        )

    def environment(self):
        drop = {"PELED_STAGE", "PELED_PUBLISHED", "PYTHONPATH"}
        return {
            **{k: v for k, v in os.environ.items() if k not in drop},
            "PYTHONPATH": str(self.root / "lib"),
            "COLUMNS": "200",
        }

    def start(self, *arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "ledger.run", *arguments],
            cwd=self.root,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments, status=0):
        """`python -m ledger.run` to its end; returns the notebooks that ran."""
        found, out, err = warm().run(self.root, self.environment(), arguments)
        assert found == status, out + err
        self.out, self.err = out, err
        ran = [line.split(":")[0] for line in out.splitlines() if " panels in " in line]
        return sorted(ran)

    def python(self, *arguments, status=0, executable=None):
        """Run this Python in the repository; returns what it says."""
        done = subprocess.run(
            [executable or sys.executable, *arguments],
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def gather(self):
        """Add the notebook that gathers all results, as the repository has it."""
        shutil.copy(files.ROOT / "notebooks" / "08_claims.ipynb", self.root / "notebooks")

    def figures(self):
        return {
            p.relative_to(self.root).as_posix(): files.sha256(p)
            for p in sorted((self.root / "figures").rglob("*"))
            if p.is_file()
        }
