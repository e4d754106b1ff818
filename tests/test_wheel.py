"""The wheel holds the analysis alone and works where nothing of this repository is."""

import subprocess
import sys
import zipfile

import pytest

from ledger import files

#: One analysis a topic, on numbers made on the spot; each prints one line.
ANALYSES = """
import sys
import numpy as np
rng = np.random.default_rng(0)

from peled.led import photometry
x = np.arange(500.0, 780.0)
band = np.exp(-0.5 * ((x - 640) / 15) ** 2)
found = photometry.efficiency(100.0, 1.0, x, band)
print("led", found)

from peled import optics, materials
print("optics", optics.index_table("Al_Rakic")(620.0), materials.bulk_gap_eV(0.6))

from peled.lineshapes import BandModel, fit_series
model = BandModel({"a": "gaussian"})
noisy = model.evaluate(x, np.array([[50.0, 640.0, 35.0]])) + rng.normal(0, 0.01, (1, len(x)))
fit = fit_series(x, noisy, model, {"a_area": 40.0, "a_centre": 630.0, "a_fwhm": 30.0})
print("photoluminescence", fit.values)

from peled import transient_absorption as ta
t = np.concatenate([np.linspace(-1, 1, 40), np.geomspace(1.1, 500, 60)])
decay = np.where(t > 0, np.exp(-np.maximum(t, 0) / 30), 0)[:, None] * np.exp(-((x - 620) / 20) ** 2)
data = ta.Matrix(t, x, decay + rng.normal(0, 1e-3, decay.shape))
fit = ta.global_fit(data, ta.Model(lifetimes_ps=(10.0,)))
assert abs(fit.lifetimes_ps[0] - 30) < 3, fit.lifetimes_ps
print("transient_absorption", fit.lifetimes_ps)

from peled import nmr
from peled.tables import table
print("nmr", len(nmr.read_references(table("nmr/shifts.csv"))))

from peled.structure import reading, composition, xrd
print("structure", len(reading.read_assignments(__import__("pathlib").Path("."))),
      composition.composition_from_gap(640.0), xrd.two_theta(6.05, (1, 0, 0)))

from peled.energetics import frenkel, pairs_per_crystal
print("energetics", pairs_per_crystal(0.2, 1000))

from peled.synthesis import molar_mass
print("synthesis", molar_mass("PbI2"))

from peled.lab import open_folder
lab = open_folder("led")
print("lab", len(lab.sheet), [str(q) for q in lab.report.select(name="peak EQE")][:2])

assert not {"ledger", "hassan2021"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    before = set(files.ROOT.iterdir()) | set((files.ROOT / "lib").iterdir())
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(folder), str(files.ROOT)], check=True, timeout=300)
    assert before == set(files.ROOT.iterdir()) | set((files.ROOT / "lib").iterdir())
    return next(folder.glob("peled-*.whl"))


def test_it_holds_the_analysis_and_its_tables_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"peled"}
    for name in ("py.typed", "tables/constants.csv", "tables/datapackage.json", "style/view3d.js",
                 "examples/led/samples.csv"):  # fmt: skip
        assert f"peled/{name}" in names, name
    assert any(name.startswith("peled/tables/optics/") for name in names)


def test_one_analysis_of_each_topic_runs_in_a_foreign_folder(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    (tmp_path / "mine").mkdir()
    # The packages of this environment, but not its link to the repository.
    head = (
        "import sys; sys.path = [p for p in sys.path if not p.endswith('/lib')]; "
        f"sys.path.insert(0, {str(tmp_path / 'installed')!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", head + ANALYSES],
        cwd=tmp_path / "mine",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 9, done.stdout
    assert not any((tmp_path / "mine").iterdir())
