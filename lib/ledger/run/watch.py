"""Sees what a process really reads, and when, and keeps it off the network.

An audit hook reports every file that Python opens and every folder it lists, each as it was at that
moment: what changes later was not read. Files opened inside C libraries escape it;
readers that hand a path to one (HDF5) pass through `peled.formats.read_bytes` or open the file
first.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.util import source_from_cache
from pathlib import Path

from ledger import files
from ledger.run.quick import listing

_LOCAL = {"127.0.0.1", "::1", "localhost", "0.0.0.0", ""}
_NOT_INPUTS = (".venv", "build", "figures", ".git", ".pytest_cache", ".hypothesis")


class NetworkError(RuntimeError):
    """A notebook tried to reach the network."""


class Watch:
    """Records this process's reads from the moment it is made.

    `folders` lists further places that count: a `data_dir` elsewhere, or the folder of results for
    a notebook that gathers them.
    """

    def __init__(self, folders: tuple[Path, ...] = ()):
        self.roots = (files.ROOT, *folders)
        self.opened: dict[str, list[int] | None] = {}
        self.listed: dict[str, str] = {}
        self.written: set[str] = set()
        self.on = True
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple) -> None:
        if not self.on:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = (
                (set(mode) & set("wax+"))
                if isinstance(mode, str)
                else (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR))
            )
            if isinstance(path, (str, bytes, os.PathLike)):
                self._note(os.path.abspath(os.fsdecode(path)), bool(writes))
        elif event == "os.rename" and isinstance(arguments[1], (str, bytes, os.PathLike)):
            self.written.add(os.path.abspath(os.fsdecode(arguments[1])))
        elif event in ("os.listdir", "os.scandir"):
            if isinstance(arguments[0], (str, bytes, os.PathLike)):
                folder = os.path.abspath(os.fsdecode(arguments[0]))
                if folder not in self.listed:
                    self.listed[folder] = ""  # before it is listed once more, here
                    self.listed[folder] = listing(folder)
        elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            address = arguments[1]
            if isinstance(address, tuple) and str(address[0]) not in _LOCAL:
                raise NetworkError(
                    f"network access is off while figures are built: connection to {address[0]}"
                )
        elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
            host = arguments[0]
            if (
                host is not None
                and os.fsdecode(host) not in _LOCAL
                and os.fsdecode(host) != os.uname().nodename
            ):
                raise NetworkError(
                    f"network access is off while figures are built: look-up of {os.fsdecode(host)}"
                )

    def _note(self, path: str, writes: bool) -> None:
        if writes:
            self.written.add(path)
            return
        if path.endswith(".pyc"):  # a module that is read from its cache stands for its source
            try:
                path = source_from_cache(path)
            except ValueError:
                return
        if path not in self.opened:
            try:
                found = os.stat(path)
            except OSError:
                self.opened[path] = None
            else:
                self.opened[path] = [found.st_size, found.st_mtime_ns, found.st_ino]

    def report(self) -> dict:
        """Files read and folders listed, as they were then, files looked for in vain, inputs that
        were written over; all inside the watched places.
        """
        self.on = False
        modules = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        opened = {Path(name) for name in [*self.opened, *filter(None, modules)]}
        inside = [path for path in sorted(opened) if self._counts(path)]
        found = {
            "inputs": [str(path) for path in inside if path.is_file()],
            "seen": {str(p): stat for p in inside if (stat := self.opened.get(str(p)))},
            "overwritten": sorted(str(p) for p in inside if str(p) in self.written),
            "absent": [str(path) for path in inside if not path.exists()],
            # Python's import system lists lib/ and a notebook looks up its own name: neither is
            # data.
            "listings": {
                str(path): self.listed[str(path)]
                for path in sorted(map(Path, self.listed))
                if self._counts(path)
                and path.is_dir()
                and not path.is_relative_to(files.ROOT / "lib")
                and path not in (files.ROOT, files.ROOT / "notebooks")
            },
        }
        self.on = True
        return found

    def _counts(self, path: Path) -> bool:
        if (
            path.suffix in (".pyc", ".part")
            or "__pycache__" in path.parts
            or ".ipynb_checkpoints" in path.parts
        ):
            return False
        for root in self.roots:
            if path.is_relative_to(root):
                inner = path.relative_to(root).parts
                return not (
                    root == files.ROOT
                    and inner
                    and inner[0] in _NOT_INPUTS
                    and not any(path.is_relative_to(r) for r in self.roots[1:])
                )
        return False


def start_in_kernel(report: str, folders: list[str]) -> None:
    """Watch a Jupyter kernel: called by its start-up file, writes the report after every cell."""
    from IPython import get_ipython

    watch = Watch(tuple(Path(folder) for folder in folders))
    shell = get_ipython()

    def write(result=None) -> None:
        text = json.dumps(
            {**watch.report(), "shell_status": int(shell.user_ns.get("_exit_code", 0) or 0)}
        )
        Path(report).write_text(text, encoding="utf-8")

    shell.events.register("post_run_cell", write)
