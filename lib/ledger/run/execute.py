"""One notebook from start to published outputs."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ledger import files
from ledger.notebook import COMMON_PARAMETERS, RESULTS, STAGE, misfit
from ledger.run import records
from ledger.run.quick import STARTED
from ledger.run.watch import Watch
from peled.lab import keep_headless

#: Exit status of a child whose notebook passed: a cell that ends the process with status 0 is no
#: success.
PASSED = 77
#: Linux: namespaces of users and of the network, for unshare(2).
_NEWUSER, _NEWNET = 0x10000000, 0x40000000


@dataclass(frozen=True)
class Job:
    """A notebook with its parameters and where its outputs go; `gathers` is the folder of results
    that it reads, if it does, `run` the process that started it, whose stage it writes to."""

    notebook: Path
    parameters: dict
    figures_dir: Path
    results_dir: Path
    engine: str = "fork"
    gathers: Path | None = None
    run: int = field(default_factory=os.getpid)

    @property
    def stem(self) -> str:
        return self.notebook.stem

    @property
    def topic(self) -> str:
        return self.stem.split("_", 1)[1]

    @property
    def record(self) -> Path:
        return records.record_path(self.stem, self.figures_dir)

    @property
    def stage(self) -> Path:
        return records.BUILD / "stage" / str(self.run) / self.stem

    @property
    def failed(self) -> Path:
        return records.BUILD / "failed" / f"{self.stem}.ipynb"


class NotebookFailed(RuntimeError):
    """A notebook that did not pass; the message says where and why."""


def tagged_parameters(notebook: Path) -> set[str]:
    """Names assigned in the notebook's `parameters` cell.

    Raises
    ------
    NotebookFailed
        If the file is no notebook, or has no such cell or several.
    """
    import ast

    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        tagged = [
            "".join(cell["source"])
            for cell in cells
            if "parameters" in cell.get("metadata", {}).get("tags", [])
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise NotebookFailed(
            f"{notebook.name}: expected a Jupyter notebook, found {error!r}"
        ) from None
    if len(tagged) != 1:
        raise NotebookFailed(
            f"{notebook.name}: expected one cell tagged `parameters`, found {len(tagged)}"
        )
    return {
        target.id
        for node in ast.parse(tagged[0]).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _run_in_child(job: Job) -> int:
    """Execute the notebook of `job` in this (forked) process; returns the exit status for it."""
    stage = job.stage
    shutil.rmtree(stage, ignore_errors=True)
    (stage / "figures").mkdir(parents=True)
    (stage / "results").mkdir()
    os.environ[STAGE] = str(stage)
    keep_headless()
    if job.gathers:
        os.environ[RESULTS] = str(job.gathers)
    os.chdir(files.ROOT / "notebooks")
    notebook = records.stat_of(job.notebook)
    folders = _data_folders(job)
    try:
        if job.engine == "fork":
            _leave_the_network()
            watch = Watch(folders)
            _execute(job, stage)
            report = watch.report()
        else:
            report = _execute_in_kernel(job, stage, folders)
        _check_results(job, stage)
    except BaseException as error:  # a notebook may end its process in any way
        message = str(error).strip().splitlines()
        (stage / "failure.txt").write_text(_last_line(message) or repr(error), encoding="utf-8")
        return 1
    report["inputs"] = sorted({*report["inputs"], str(job.notebook), str(records.LOCK)})
    report["seen"][str(job.notebook)] = notebook
    (stage / "reads.json").write_text(json.dumps(report), encoding="utf-8")
    return PASSED


def _leave_the_network() -> None:
    """Leave the network, with every program that is started from here, where the kernel lets
    one."""
    unshare = getattr(ctypes.CDLL(None), "unshare", None)  # Linux alone has it
    user, group = os.getuid(), os.getgid()
    if unshare is None or unshare(_NEWNET) == 0 or unshare(_NEWUSER | _NEWNET) != 0:
        return
    maps = {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}
    with contextlib.suppress(OSError):
        for name, line in maps.items():
            Path("/proc/self", name).write_text(line, encoding="ascii")


def publish(job: Job, seconds: float) -> int:
    """Rename the staged outputs into place and keep the record; returns how many panels there are.

    Raises
    ------
    NotebookFailed
        If something that was read has changed since, or the notebook itself wrote over it.
    """
    stage = job.stage
    report = json.loads((stage / "reads.json").read_text(encoding="utf-8"))
    inputs = _inputs(report)
    executed = records.BUILD / "executed" / f"{job.stem}.ipynb"
    moves = {stage / "executed.ipynb": executed}
    for made, target in (
        (stage / "figures", job.figures_dir),
        (stage / "results", job.results_dir),
    ):
        moves |= {
            path: target / path.relative_to(made)
            for path in sorted(made.rglob("*"))
            if path.is_file()
        }
    old = records.load(job.record)
    _into_place(moves)
    outputs = {
        records.key(target): files.sha256(target) for target in moves.values() if target != executed
    }
    for name in set(old.outputs if old else ()) - set(outputs):
        (files.ROOT / name).unlink(missing_ok=True)
    record = records.Record(
        parameters=job.parameters,
        inputs=inputs,
        outputs=outputs,
        seconds=round(seconds, 3),
        listings={records.key(Path(path)): seen for path, seen in report["listings"].items()},
        absent=[records.key(Path(path)) for path in report["absent"]],
        commit=records.commit(),
    )
    record.stats = {name: records.stat_of(files.ROOT / name) for name in {**inputs, **outputs}}
    record.save(job.record)
    job.failed.unlink(missing_ok=True)
    shutil.rmtree(stage, ignore_errors=True)
    return sum(path.endswith(".svg") for path in outputs)


def _into_place(moves: dict[Path, Path]) -> None:
    """Every output first beside its place; then all are renamed, and no signal comes between."""
    beside = {target: target.with_name(f".{target.name}.part") for target in moves.values()}
    for source, target in moves.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, beside[target])
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        for target, part in beside.items():
            os.replace(part, target)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _inputs(report: dict) -> dict[str, str]:
    """Digests of what was read, by name: of the bytes that were read, or of none.

    A file stands as it was when it was first opened; one that was open before (a module that the
    runner itself needs) must be older than the runner's start.
    """
    if report["overwritten"]:
        name = records.key(Path(report["overwritten"][0]))
        raise NotebookFailed(f"it writes over {name}, which it has read")
    found = {}
    for path in map(Path, report["inputs"]):
        name = records.key(path)
        found[name] = records.digest(path)
        now = records.stat_of(path) if found[name] else None
        seen = report["seen"].get(str(path))
        if now is None or (now != seen if seen else now[1] > STARTED):
            raise NotebookFailed(f"{name} has changed while it ran; run it again")
    return found


def keep_failure(job: Job, status: str) -> str:
    """Keep the executed copy of a failed notebook, clear its stage, and say in one line what
    happened."""
    stage, message = job.stage, status
    try:
        message = (stage / "failure.txt").read_text(encoding="utf-8") or status
    except OSError:
        pass
    if (stage / "executed.ipynb").exists():
        job.failed.parent.mkdir(parents=True, exist_ok=True)
        os.replace(stage / "executed.ipynb", job.failed)
        message += f" (see {files.display_path(job.failed)})"
    shutil.rmtree(stage, ignore_errors=True)
    return message


def _execute(job: Job, stage: Path, **options) -> None:
    import papermill

    from ledger.run import engine

    options.setdefault("engine_name", engine.NAME)
    try:
        papermill.execute_notebook(
            str(job.notebook),
            str(stage / "executed.ipynb"),
            parameters=job.parameters or None,
            kernel_name="python3",
            progress_bar=False,
            log_output=False,
            request_save_on_cell_execute=False,
            autosave_cell_every=0,
            cwd=str(files.ROOT / "notebooks"),
            **options,
        )
    except papermill.PapermillExecutionError as error:
        place = f"cell {error.cell_index}" + (f" [{error.exec_count}]" if error.exec_count else "")
        raise NotebookFailed(f"{place}: {error.ename}: {error.evalue}".strip()) from None


def _execute_in_kernel(job: Job, stage: Path, folders: tuple[Path, ...]) -> dict:
    """Papermill's own engine, with a real kernel that is watched through a start-up file of its
    own."""
    startup = stage / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    report = stage / "kernel.json"
    (startup / "00-watch.py").write_text(
        f"from ledger.run.watch import start_in_kernel\nstart_in_kernel({str(report)!r}, "
        f"{[str(f) for f in folders]!r})\ndel start_in_kernel\n",
        encoding="utf-8",
    )
    os.environ["IPYTHONDIR"] = str(stage / "ipython")
    _execute(job, stage, engine_name=None)
    found = json.loads(report.read_text(encoding="utf-8"))
    if status := found.pop("shell_status"):
        raise NotebookFailed(f"a shell line failed with status {status}")
    return found


def _check_results(job: Job, stage: Path) -> None:
    """A notebook that ended early without an error (`exit()`, a dead kernel) has written no
    results."""
    path = stage / "results" / f"{job.topic}.json"
    if not path.exists():
        raise NotebookFailed(f"it ended before its last cell: no {path.name} was written")
    if problem := misfit(json.loads(path.read_text(encoding="utf-8"))):
        raise NotebookFailed(f"its results do not fit their schema: {problem}")
    if not any((stage / "figures").glob("*.svg")):
        raise NotebookFailed("it made no figure")


def _data_folders(job: Job) -> tuple[Path, ...]:
    folder = files.resolve(job.parameters.get("data_dir", COMMON_PARAMETERS["data_dir"]))
    own = () if folder.is_relative_to(files.ROOT / "data") else (folder,)
    return own + ((job.gathers,) if job.gathers else ())


def _last_line(lines: list[str]) -> str:
    return lines[-1] if lines else ""


def timed(job: Job) -> None:
    """Body of a forked child: never returns."""
    status = 1
    try:
        status = _run_in_child(job)
    except BaseException as error:
        print(f"{job.stem}: {error!r}", file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
