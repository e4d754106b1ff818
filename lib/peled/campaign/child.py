"""The process in which samples are analysed: a task is a line of JSON, its answer another.

Started by `peled.campaign.worker.Child`. It may be ended by a sample at any moment; it ends by
itself when its parent does, and what holds the interpreter then is ended by the limit of CPU time.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

try:
    import resource
except ImportError:  # no limits to be had: the parent's clock is the only one
    resource = None


def main(module: str, cpu_s: float, memory_MB: float) -> None:
    """Serve until the parent closes the pipe.

    Parameters
    ----------
    module : str
        Whose `analyse` is called.
    cpu_s : float
        CPU time for each sample, s.
    memory_MB : float
        Beyond what the imports take, MB.
    """
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # an analysis that prints
    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(tasks,), daemon=True).start()
    opened: set[str] = set()
    try:
        analyse = importlib.import_module(module).analyse
        _limit_memory(memory_MB)
    except BaseException as error:
        answers.write(_line({"ready": f"{module}: {type(error).__name__}: {error}"}))
        return
    sys.addaudithook(lambda event, args: _seen(opened, event, args))
    answers.write(_line({"ready": ""}))
    while True:
        task = json.loads(tasks.get())
        opened.clear()
        start = time.process_time()
        _limit_cpu(start + cpu_s)
        try:
            answer = {"status": "done", **_analysed(analyse, task, opened)}
        except MemoryError:
            answer = {"status": "stopped", "reason": f"needs more than {memory_MB:g} MB"}
        except BaseException as error:
            said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            answer = {"status": "failed", "reason": said}
        answers.write(_line({"reason": "", **answer, "seconds": time.process_time() - start}))


def _receive(tasks: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        tasks.put(line)
    os._exit(0)  # nobody waits for an answer


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False).encode() + b"\n"


def _limit_memory(memory_MB: float) -> None:
    """Above what imports have mapped."""
    if hasattr(resource, "RLIMIT_AS"):
        import psutil

        most = psutil.Process().memory_info().vms + int(memory_MB * 2**20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_cpu(at_s: float) -> None:
    """The system ends this process, also when its parent was killed and cannot."""
    if resource:
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(at_s) + 1, hard))


def _seen(opened: set[str], event: str, args: tuple) -> None:
    if event == "open" and isinstance(args[0], (str, os.PathLike)):
        opened.add(os.fspath(args[0]))


def _analysed(analyse, task: dict[str, Any], opened: set[str]) -> dict[str, Any]:
    from peled import sources
    from peled.campaign.units import Digests, sheet_of
    from peled.report import code_digest
    from peled.report.export import rows

    if code_digest() != task["code"]:
        return {"status": "lost", "reason": "the worker runs another version of peled"}
    sources.forget()  # a catalogue that was written since
    sheet = sheet_of(task)
    report = analyse(sheet, task["settings"])
    digest = Digests()
    read = {
        file: report.inputs.get(file) or digest(sheet.folder / file) for file in task["digests"]
    }
    if changed := [file for file in read if read[file] != task["digests"][file]]:
        return {"status": "lost", "reason": f"{', '.join(changed[:3])}: changed while being read"}
    also = {}
    for name in opened:
        path = Path(name).resolve()
        if path.is_relative_to(sheet.folder) or path.parent in sheet.folder.parents:
            file = os.path.relpath(path, sheet.folder).replace(os.sep, "/")
            if not any(file == f or file.startswith(f"{f}/") for f in read):
                also[file] = digest(path)
    if task.get("report"):
        report.export(task["report"])
    found = [r for r in rows(report) if not task["samples"] or r["sample"] in task["samples"]]
    problems = [[p.where, p.reason] for p in report.problems]
    groups = {s: report.groups.get(s, "") for s in task["samples"]}
    return {"rows": found, "problems": problems, "groups": groups, "also": also}
