"""`python -m ledger.run`: bring the figures up to date, or store the notebooks' outputs."""

from __future__ import annotations

import os
import sys

from ledger.run.quick import nothing_to_do

if __name__ == "__main__" and not set(sys.argv[1:]) - {"--quiet"}:
    here = os.path.dirname(os.path.abspath(__file__))
    if found := nothing_to_do(os.path.normpath(os.path.join(here, *[os.pardir] * 3))):
        if not sys.argv[1:]:
            print(f"figures are up to date ({found} notebooks)")
        sys.exit(0)

import argparse
import contextlib
import ctypes
import fcntl
import shutil
import signal
import time
from pathlib import Path

from ledger import files
from ledger.run import records

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(
        _name, "1"
    )  # notebooks run side by side; threads inside each would fight for the same cores


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 when all asked-for notebooks are up to date, 1 when one failed, 2 for unusable
    arguments."""
    options = _arguments(arguments)
    try:
        jobs = _jobs(options)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    todo = _reasons(jobs, options)
    if not todo:
        if not options.quiet:
            print(f"figures are up to date ({len(jobs)} notebooks)")
        return 0
    return _run(jobs, todo, options)


def _reasons(jobs: list[dict], options: argparse.Namespace) -> dict[str, str]:
    """Why notebooks must run, by stem; those that need not are not in it."""
    reasons = {
        job["notebook"].stem: "asked for"
        if options.force
        else records.whats_changed(job["record"], job["parameters"])
        for job in jobs
    }
    return {stem: reason for stem, reason in reasons.items() if reason}


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m ledger.run",
        description="Run the notebooks whose inputs have changed and publish their figures and "
        "results.",
    )
    parser.add_argument("names", nargs="*", help="notebooks, such as 04_led or led; all by default")
    parser.add_argument(
        "-j",
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        help="notebooks at a time (default: the number of cores)",
    )
    parser.add_argument(
        "--data",
        default="",
        help="another data folder with a subfolder a topic; topics without one are left out",
    )
    parser.add_argument("--figures", default="figures", help="where panels go (default: figures)")
    parser.add_argument(
        "--results",
        default="",
        help="where results go (default: results inside the figures folder)",
    )
    parser.add_argument(
        "--gather",
        default="",
        help="the results that gathering notebooks read (default: those of this run)",
    )
    parser.add_argument(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a parameter for the notebooks; several may be given",
    )
    parser.add_argument(
        "--engine",
        choices=("fork", "kernel"),
        default="fork",
        help="fork: one forked child a notebook (default); kernel: papermill's own, a "
        "Jupyter kernel each",
    )
    parser.add_argument("--force", action="store_true", help="run even what is up to date")
    parser.add_argument(
        "--timeout",
        type=float,
        default=600,
        help="seconds after which a notebook has failed (default: 600)",
    )
    parser.add_argument(
        "--quiet", action="store_true", help="say nothing when there is nothing to do"
    )
    return parser.parse_args(arguments)


def notebooks(names: list[str] | None = None) -> list[Path]:
    """The numbered notebooks, or those named by stem, number, topic or path.

    Raises
    ------
    ValueError
        For a name that fits none.
    """
    there = sorted((files.ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    if not names:
        return there
    chosen = []
    for name in names:
        stem = Path(name).stem
        found = [path for path in there if stem in (path.stem, path.stem[:2], path.stem[3:])]
        if not found:
            raise ValueError(
                f"notebook {name!r}: expected one of {', '.join(path.stem for path in there)}"
            )
        chosen += [path for path in found if path not in chosen]
    return chosen


def _jobs(options: argparse.Namespace) -> list[dict]:
    figures_dir = files.resolve(options.figures)
    results_dir = files.resolve(options.results) if options.results else figures_dir / "results"
    parameters = {name: _literal(value) for name, value in options.parameter}
    chosen = notebooks(options.names)
    if options.data:
        data = Path(options.data).expanduser()
        parameters["data_dir"] = str(data)
        if not files.resolve(data).is_dir():
            raise ValueError(f"data folder: expected a folder, found nothing at {options.data}")
        if not options.names:
            here = [path for path in chosen if (files.resolve(data) / path.stem[3:]).is_dir()]
            if not here:
                raise ValueError(
                    f"data folder {options.data}: expected a subfolder named "
                    f"{', '.join(path.stem[3:] for path in chosen)}, found none; "
                    "name the notebook to run it on a plain folder of files"
                )
            left = [path.stem for path in chosen if path not in here]
            if left and not options.quiet:
                print(f"no data folder for {', '.join(left)}: left out")
            chosen = here
    gathered = files.resolve(options.gather) if options.gather else results_dir
    return [
        {
            "notebook": path,
            "parameters": dict(parameters),
            "figures_dir": figures_dir,
            "results_dir": results_dir,
            "engine": options.engine,
            "record": records.record_path(path.stem, figures_dir),
            "gathers": gathered if records.runs_after_all(path) else None,
        }
        for path in chosen
    ]


def _literal(value: str) -> object:
    import ast

    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def _run(jobs: list[dict], reasons: dict[str, str], options: argparse.Namespace) -> int:
    try:
        records.BUILD.mkdir(exist_ok=True)
        lock = open(records.BUILD / ".lock", "w")  # held until the process ends
    except OSError as error:
        print(
            f"error: {files.display_path(error.filename)}: {error.strerror}; figures are built in"
            " build/ and figures/ of this checkout, by who may write there",
            file=sys.stderr,
        )
        return 2
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("another build is running in this checkout; waiting for it", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    _clear_leftovers({Path(job[name]) for job in jobs for name in ("figures_dir", "results_dir")})
    sys.modules.setdefault(
        "rfc3987_syntax", None
    )  # only wanted for IRI formats by jsonschema; compiling its grammar costs a second
    import logging

    from ledger.run import execute

    # What gathers results is asked again when the others are done: by then they may have changed.
    made = [
        execute.Job(**{key: value for key, value in job.items() if key != "record"})
        for job in jobs
        if job["gathers"] or job["notebook"].stem in reasons
    ]
    failed: dict[str, str] = {}
    for job in list(made):
        try:
            unknown = set(job.parameters) - execute.tagged_parameters(job.notebook)
            if unknown:
                raise execute.NotebookFailed(
                    f"unknown parameter {', '.join(sorted(unknown))}; it knows "
                    f"{', '.join(sorted(execute.tagged_parameters(job.notebook)))}"
                )
        except execute.NotebookFailed as error:
            failed[job.stem] = str(error)
            print(f"FAILED {job.stem}: {error}", file=sys.stderr, flush=True)
            made.remove(job)
    for folder in {job.figures_dir for job in made} | {job.results_dir for job in made}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            files.write_atomically(folder / ".writable", "")
            (folder / ".writable").unlink()
        except OSError as error:
            print(
                f"error: figures folder {files.display_path(folder)}: expected a folder "
                f"that can be written, found: {error.strerror or error}",
                file=sys.stderr,
            )
            return 2
    logging.getLogger("papermill").setLevel(logging.ERROR)
    if options.engine == "fork" and made:
        from ledger.run import engine

        engine.register(len(made) > 2)
    elif made:
        import papermill  # noqa: F401
    # The longest first, so that the last to end is a short one.
    made.sort(key=lambda job: -(old.seconds if (old := records.load(job.record)) else 1e9))
    gathering = [job for job in made if job.gathers]
    failed |= _schedule([job for job in made if not job.gathers], reasons, options)
    if failed and gathering:
        print(
            "not run, for it gathers the results of all: "
            f"{', '.join(job.stem for job in gathering)}",
            file=sys.stderr,
        )
    elif gathering:
        late = _reasons([job for job in jobs if job["gathers"]], options)
        failed |= _schedule([job for job in gathering if job.stem in late], late, options)
    if failed:
        print(
            f"{len(failed)} of {len(jobs)} notebooks failed: {', '.join(sorted(failed))}",
            file=sys.stderr,
        )
        return 1
    return 0


def _schedule(jobs: list, reasons: dict[str, str], options: argparse.Namespace) -> dict[str, str]:
    from ledger.run import execute

    live: dict[int, tuple] = {}
    waiting, failed = list(jobs), {}
    progress = _Progress(len(jobs))
    _die_with_children(live)
    while waiting or live:
        while waiting and len(live) < max(1, options.jobs):
            job = waiting.pop(0)
            sys.stdout.flush()
            sys.stderr.flush()
            pid = os.fork()
            if pid == 0:
                os.setpgid(0, 0)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                _end_with_parent()
                execute.timed(job)
            live[pid] = (job, time.perf_counter())
        pid, status, used = os.wait4(-1, os.WNOHANG)
        progress.show({job.stem: time.perf_counter() - started for job, started in live.values()})
        if pid == 0:
            for child, (job, started) in live.items():
                if time.perf_counter() - started > options.timeout:
                    (job.stage / "failure.txt").write_text(
                        f"not finished after {options.timeout:g} s", encoding="utf-8"
                    )
                    _kill(child)
            time.sleep(0.02)
            continue
        if pid not in live:
            continue
        job, started = live.pop(pid)
        with contextlib.suppress(OSError):  # what the notebook has started and left running
            os.killpg(pid, signal.SIGKILL)
        seconds = time.perf_counter() - started
        code = os.waitstatus_to_exitcode(status)
        problem = ""
        if code == execute.PASSED:
            try:
                panels = execute.publish(job, seconds)
            except (OSError, execute.NotebookFailed) as error:
                problem = execute.keep_failure(job, str(error))
        else:
            problem = execute.keep_failure(
                job,
                f"the process was killed by signal {-code}"
                if code < 0
                else f"the process ended early with status {code}",
            )
        if problem:
            failed[job.stem] = problem
            progress.line(f"FAILED {job.stem}: {problem}", error=True)
        else:
            cpu = used.ru_utime + used.ru_stime
            progress.line(
                f"{job.stem}: {panels} panels in {seconds:.1f} s, {cpu:.1f} s of CPU time "
                f"({reasons[job.stem]})"
            )
    progress.clear()
    shutil.rmtree(records.BUILD / "stage" / str(os.getpid()), ignore_errors=True)
    return failed


class _Progress:
    """One line that tells what runs and for how long, on a terminal; nothing but finished lines
    elsewhere."""

    def __init__(self, total: int):
        self.total, self.done, self.shown = total, 0, 0.0
        self.terminal = sys.stdout.isatty()

    def show(self, running: dict[str, float]) -> None:
        if self.terminal and time.perf_counter() - self.shown > 0.1:
            self.shown = time.perf_counter()
            text = f"[{self.done}/{self.total}] " + "  ".join(
                f"{stem} {seconds:.0f} s" for stem, seconds in running.items()
            )
            print("\r\033[K" + text[: shutil.get_terminal_size().columns - 1], end="", flush=True)

    def line(self, text: str, error: bool = False) -> None:
        self.done += 1
        self.clear()
        print(text, file=sys.stderr if error else sys.stdout, flush=True)

    def clear(self) -> None:
        if self.terminal:
            print("\r\033[K", end="", flush=True)


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
            return
        except OSError:
            continue


def _die_with_children(live: dict[int, tuple]) -> None:
    def stop(number, frame) -> None:
        for pid in list(live):
            _kill(pid)
        shutil.rmtree(records.BUILD / "stage" / str(os.getpid()), ignore_errors=True)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _end_with_parent() -> None:
    """On Linux, a child goes when its parent is killed; elsewhere its leftovers are cleared by the
    next run."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    except (OSError, AttributeError):
        pass


def _clear_leftovers(folders: set[Path]) -> None:
    """Remove what killed runs have left. The lock is held, so no stage is in use."""
    shutil.rmtree(records.BUILD / "stage", ignore_errors=True)
    for folder in folders | {files.ROOT / "figures"}:
        for leftover in folder.rglob(".*.part"):
            leftover.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
