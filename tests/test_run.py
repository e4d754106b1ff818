"""The headless runner on a toy paper in a repository of its own: whole or nothing, only what
changed, failures by name."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ledger.run import execute, records
from toy import Toy


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path / "toy")


def test_a_notebook_runs_when_what_it_read_has_changed_and_only_then(toy):
    assert toy.run("-j2") == ["01_stick", "02_stone"]
    first = toy.figures()
    assert {
        "figures/fig1a.svg",
        "figures/fig1a.png",
        "figures/fig1a.json",
        "figures/fig1b.svg",
        "figures/results/stick.json",
    } <= set(first)
    verdicts = {
        v["claim_id"]: v["verdict"]
        for v in json.loads((toy.root / "figures/results/stick.json").read_text())["verdicts"]
    }
    assert verdicts == {"C001": "agrees", "C002": "not testable", "C003": "pipeline recovers"}

    assert toy.run() == [] and "up to date" in toy.out
    for path in [
        *toy.root.glob("data/*/*.txt"),
        *toy.root.glob("notebooks/*"),
        *toy.root.rglob("lib/**/*.py"),
        toy.root / "requirements.lock",
    ]:
        path.touch()
    assert toy.run() == [], "dates alone changed"

    (toy.root / "lib/toy/stick.py").write_text("COLOUR = 'blue'\n")
    assert toy.run() == ["01_stick"], "a module that only one notebook imports"
    (toy.root / "data/stone/a.txt").write_text("2.00")
    assert toy.run() == ["02_stone"], "a data file"
    (toy.root / "data/stone/b.txt").write_text("0.001")
    assert toy.run() == ["02_stone"] and "files came or went" in toy.out, (
        "a new file in a folder that was listed"
    )
    (toy.root / "figures/fig1a.png").unlink()
    assert toy.run() == ["01_stick"], "a figure deleted"
    (toy.root / "figures/fig1b.svg").write_text("altered")
    assert toy.run() == ["02_stone"], "a figure altered"
    assert toy.run("-p", "quick", "True") == ["01_stick", "02_stone"], "parameters"
    assert toy.run("-p", "quick", "True") == []
    with (toy.root / "requirements.lock").open("a") as stream:
        stream.write("# changed\n")
    assert toy.run("-p", "quick", "True") == ["01_stick", "02_stone"], "the lock"


def test_one_build_or_two_at_a_time_or_real_kernels_give_the_same_bytes(toy):
    toy.run("-j1")
    first, executed = toy.figures(), (toy.root / "build/executed/01_stick.ipynb").read_text()
    shutil.rmtree(toy.root / "figures")
    shutil.rmtree(toy.root / "build")
    toy.run("-j2")
    assert toy.figures() == first
    toy.run("--engine", "kernel", "--force", "-j2")
    assert toy.figures() == first
    outputs = [
        [c.get("outputs") for c in json.loads(text)["cells"]]
        for text in (executed, (toy.root / "build/executed/01_stick.ipynb").read_text())
    ]
    assert outputs[0] == outputs[1]
    record = json.loads((toy.root / "build/records/01_stick.json").read_text())
    assert {
        "data/stick/a.txt",
        "lib/toy/stick.py",
        "notebooks/01_stick.ipynb",
        "requirements.lock",
    } <= set(record["inputs"]), "a watched kernel sees what was read"
    assert toy.run() == [], "records of either engine serve the other"


FAILURES = {
    "a failing cell": ("raise ValueError('no stick')", "ValueError: no stick"),
    "exit": ("sys.exit(0)", "exit"),
    "the process ends": ("os._exit(0)", "ended early with status 0"),
    "a crash": ("import ctypes; ctypes.string_at(0)", "killed by signal 11"),
    "a shell line": ("!false", "shell line failed with status 1"),
    "network": (
        "import urllib.request; urllib.request.urlopen('http://192.0.2.1/', timeout=5)",
        "network access is off",
    ),
    "a datagram sent": (
        "import socket\nlink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "link.sendmsg([b'x'], [], 0, ('192.0.2.1', 9))",
        "network access is off",
    ),
    "no results": ("room.finish = lambda: None", "was written"),
    "a bad figure name": (
        "room.save(room.panel('x')[0], 'not a panel', kind='recomputed')",
        "results",
    ),
}


def test_failing_notebooks_are_named_and_leave_the_last_good_figures(toy):
    """One notebook a failure, in one build; the others still run."""
    stick = json.loads((toy.root / "notebooks/01_stick.ipynb").read_text())

    def write(name, middle):
        topic = name[3:]
        setup = stick["cells"][1]["source"].replace("'stick'", f"'{topic}'")
        draw = f"fig, ax = room.panel('extra_{topic}')\n"
        draw += f"room.save(fig, 'extra_{topic}', kind='recomputed')"
        sources = (stick["cells"][0]["source"], setup, middle, draw, "room.finish()")
        cells = [c | {"source": s} for c, s in zip(stick["cells"], sources, strict=True)]
        (toy.root / f"notebooks/{name}.ipynb").write_text(json.dumps(stick | {"cells": cells}))
        (toy.root / f"data/{topic}").mkdir(exist_ok=True)
        (toy.root / f"data/{topic}/a.txt").write_text("2.0")

    names = {what: f"{10 + i}_{'abcdefghi'[i]}" for i, what in enumerate(FAILURES)}
    for name in names.values():
        write(name, "pass")
    every = ["01_stick", "02_stone", *names.values()]
    assert toy.run("-j2") == every
    good = toy.figures()
    for what, (source, _) in FAILURES.items():
        write(names[what], source)
    (toy.root / "data/stone/a.txt").write_text("2.00")
    assert toy.run("-j2", status=1) == ["02_stone"]
    *said, last = toy.err.strip().splitlines()
    failed = ", ".join(names.values())
    assert last == f"{len(names)} of {len(every)} notebooks failed: {failed}"
    for what, (_, message) in FAILURES.items():
        own = [line for line in said if line.startswith(f"FAILED {names[what]}")]
        assert any(message in line for line in own), (what, toy.err)
    now = toy.figures()
    assert good.keys() == now.keys()
    assert {k for k in good if now[k] != good[k]} <= {k for k in good if "1b" in k or "stone" in k}
    for what in ("a failing cell", "exit", "a shell line"):
        kept = toy.root / f"build/failed/{names[what]}.ipynb"
        assert '"output_type": "error"' in kept.read_text(), what
    write(names["exit"], "pass  # again")
    assert toy.run("11") == ["11_b"] and not (toy.root / "build/failed/11_b.ipynb").exists()


def test_programs_that_a_notebook_starts_are_off_the_network_too(toy):
    """What no audit hook of this process sees; where the kernel gives namespaces (Linux)."""
    libc = ctypes.CDLL(None)
    if (pid := os.fork()) == 0:
        os._exit(0 if any(libc.unshare(flags) == 0 for flags in (0x40000000, 0x50000000)) else 1)
    if os.waitpid(pid, 0)[1] != 0:
        pytest.skip("this kernel gives no network namespaces to its users")
    links = "subprocess.check_output(['cat', '/proc/net/dev'], text=True).splitlines()[2:]"
    middle = f"import subprocess\nassert [x.split(':')[0].strip() for x in {links}] == ['lo']"
    toy.write("stick", middle=middle)
    assert toy.run("01") == ["01_stick"]


def test_unusable_arguments_are_said(toy):
    toy.run("-p", "data_dri", "elsewhere", status=1)
    assert "unknown parameter data_dri; it knows data_dir" in toy.err
    toy.run("--data", "nowhere", status=2)
    assert "expected a folder, found nothing at nowhere" in toy.err
    toy.run("09_moon", status=2)
    assert "expected one of 01_stick, 02_stone" in toy.err
    shutil.rmtree(toy.root / "figures")
    (toy.root / "figures").write_text("not a folder")
    toy.run(status=2)
    assert "figures" in toy.err and "can be written" in toy.err and "Traceback" not in toy.err


def test_missing_data_is_named(toy):
    (toy.root / "data/stick/a.txt").unlink()
    toy.run(status=1)
    assert "data/stick: expected files like *.txt, found none" in toy.err


def test_another_data_folder(toy, tmp_path):
    own = tmp_path / "mylab" / "stick"
    own.mkdir(parents=True)
    (own / "mine.txt").write_text("1.5")
    assert toy.run("--data", str(own.parent), "--figures", str(tmp_path / "mine")) == ["01_stick"]
    assert "no data folder for 02_stone: left out" in toy.out
    results = json.loads((tmp_path / "mine/results/stick.json").read_text())
    assert (
        results["verdicts"][0]["verdict"] == "disagrees"
        and results["figures"][0]["source_kind"] == "measured"
    )
    assert str(tmp_path) not in json.dumps(results), "no machine's folders in results"
    assert toy.run("--data", str(own.parent), "--figures", str(tmp_path / "mine")) == []
    (own / "mine.txt").write_text("2.0")
    assert toy.run("--data", str(own.parent), "--figures", str(tmp_path / "mine")) == ["01_stick"]
    assert toy.run("01", "--data", str(own), "--figures", str(tmp_path / "flat")) == ["01_stick"], (
        "a plain folder of files serves a named notebook"
    )


def test_a_build_folder_of_somebody_else_is_said(toy):
    (toy.root / "build/.lock").mkdir(parents=True)
    toy.run(status=2)
    assert "build/.lock: Is a directory; figures are built in" in toy.err
    assert "Traceback" not in toy.err


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_what_a_notebook_starts_ends_with_it(toy, tmp_path):
    started = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    keep = f"open({str(tmp_path / 'pid')!r}, 'w').write(str({started}.pid))"
    toy.write("stick", middle=f"import subprocess\n{keep}")
    toy.run("01")
    state = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
    assert not state.exists() or state.read_text().split()[2] in "ZX"


def test_outputs_are_renamed_together_or_not_at_all(tmp_path):
    """When one cannot be copied, none has been replaced."""
    (tmp_path / "a").write_text("new")
    (tmp_path / "there").write_text("old")
    moves = {tmp_path / "a": tmp_path / "there", tmp_path / "gone": tmp_path / "beside"}
    with pytest.raises(FileNotFoundError):
        execute._into_place(moves)
    assert (tmp_path / "there").read_text() == "old"
    (tmp_path / "gone").write_text("new")
    execute._into_place(moves)
    assert [(tmp_path / n).read_text() for n in ("there", "beside")] == ["new", "new"]
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_at_any_moment_it_leaves_nothing_half_written_and_completes_next_time(toy, number):
    toy.run()
    good = toy.figures()
    toy.write(
        "stick", middle="import time; (room.figures_dir / 'started').write_text(''); time.sleep(60)"
    )
    process = toy.start("-j1")
    deadline = time.time() + 60
    while not list((toy.root / "build/stage").rglob("started")) and time.time() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    process.wait(timeout=20)
    assert process.returncode != 0
    assert toy.figures() == good
    toy.write("stick", middle="pass # again")
    assert toy.run() == ["01_stick"]
    assert not list(toy.root.rglob("*.part")) and not list(
        (toy.root / "build/stage").rglob("started")
    )


def test_a_notebook_that_hangs_is_ended(toy):
    toy.write("stick", middle="import time; time.sleep(60)")
    toy.run("01", "--timeout", "4", status=1)
    assert "not finished after 4 s" in toy.err


def test_stored_outputs_are_the_same_every_time(toy):
    command = [sys.executable, "-m", "ledger.run.store"]
    texts = []
    for _ in range(2):
        subprocess.run(
            command, cwd=toy.root, env=toy.environment(), check=True, capture_output=True
        )
        texts.append((toy.root / "notebooks/01_stick.ipynb").read_text())
    assert (
        texts[0] == texts[1]
        and "sum 2.0" in texts[0]
        and "image/png" in texts[0]
        and str(toy.root) not in texts[0]
    )


def test_outputs_prose_and_ids_of_a_notebook_are_no_source(toy):
    """Running it in JupyterLab and saving makes nothing stale; an edited cell does."""
    toy.run("-j2")
    path = toy.root / "notebooks/01_stick.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "2"}]
    notebook["cells"][1]["execution_count"] = 7
    for i, cell in enumerate(notebook["cells"]):
        cell["id"] = f"other{i}"
        cell["metadata"]["editable"] = True
    prose = {"cell_type": "markdown", "id": "p", "metadata": {}, "source": "A stick."}
    notebook["cells"].append(prose)
    notebook["metadata"]["language_info"] = {"name": "python", "version": "3.99"}
    path.write_text(json.dumps(notebook))
    assert toy.run() == []
    assert "stale" not in toy.python("-m", "ledger.run.verify")
    notebook["cells"][2]["source"] += "\n1 + 1"
    path.write_text(json.dumps(notebook))
    assert "stale" in toy.python("-m", "ledger.run.verify", status=1)
    assert toy.run() == ["01_stick"]


#: A cell in which another program does something.
RUN = "import subprocess\nsubprocess.run([sys.executable, '-c', {!r}], check=True)"
CHANGES = [
    ("data/stick/a.txt", "fork"),
    ("lib/toy/stick.py", "fork"),
    ("notebooks/01_stick.ipynb", "fork"),
    ("lib/ledger/paper.py", "fork"),  # which the runner itself needs, before any notebook
    ("notebooks/01_stick.ipynb", "kernel"),
]


@pytest.mark.parametrize("name, engine", CHANGES)
def test_what_changes_during_a_run_is_not_recorded_as_read(toy, name, engine):
    """Another program saves an input while the notebook runs: no record, no figure."""
    save = f"open({str(toy.root / name)!r}, 'a').write(' ')"
    toy.write("stick", middle="from toy import stick\n" + RUN.format(save))
    toy.run("01", "--engine", engine, status=1)
    assert f"{name} has changed while it ran" in toy.err
    assert not toy.figures() and not list(toy.root.glob("build/records/*"))


def test_a_notebook_that_writes_over_its_input_fails(toy):
    toy.write("stick", middle="room.files('*.txt')[0].write_text('2.0')")
    toy.run("01", status=1)
    assert "writes over data/stick/a.txt, which it has read" in toy.err
    write = "write_atomically(room.files('*.txt')[0], '2.0')"
    toy.write("stick", middle=f"from ledger.files import write_atomically\n{write}")
    toy.run("01", status=1)
    assert "writes over data/stick/a.txt" in toy.err


def test_damaged_records_and_folders_in_place_of_files_mean_another_run(toy):
    toy.run("01")
    record = toy.root / "build/records/01_stick.json"
    kept = json.loads(record.read_text())
    for damage in ("{", "[]", json.dumps(kept | {"inputs": []}), json.dumps({"inputs": {}})):
        record.write_text(damage)
        assert records.load(record) is None, damage
    (toy.root / "figures/fig1a.svg").unlink()
    (toy.root / "figures/fig1a.svg").mkdir()
    toy.run("01", status=1)
    assert "fig1a.svg" in toy.err and "Traceback" not in toy.err


def test_leftovers_go_from_any_figures_folder(toy, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / ".fig1a.svg.part").write_text("half")
    toy.run("01", "--figures", str(mine))
    assert not list(mine.rglob("*.part"))
