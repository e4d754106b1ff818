# make figures, make test, make lab: each sets up what it needs, inside this folder, from python3 (>= 3.11) and GNU make.
.SUFFIXES:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/sh

PYTHON  ?= python3
VENV    := .venv
PY      := $(VENV)/bin/python
OK      := $(VENV)/.ok
J       ?=
DATA    ?=
FIGURES ?=
ONLY    ?=
export J

# Nothing of the user's setup leaks in, nothing is kept outside this folder.
unexport PYTHONPATH PYTHONSTARTUP PYTHONHOME PYTHONOPTIMIZE PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX JUPYTER_PATH VIRTUAL_ENV MPLBACKEND
export PYTHONNOUSERSITE := 1
export PYTHONSAFEPATH   := 1
export PYTHONHASHSEED   := 0
export TZ               := UTC
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export MPLCONFIGDIR     := $(CURDIR)/$(VENV)/state/matplotlib
export IPYTHONDIR       := $(CURDIR)/$(VENV)/state/ipython
export JUPYTER_CONFIG_DIR := $(CURDIR)/$(VENV)/state/jupyter
export JUPYTER_DATA_DIR := $(CURDIR)/$(VENV)/state/jupyter-data
export JUPYTER_RUNTIME_DIR := $(CURDIR)/$(VENV)/state/jupyter-runtime
export JUPYTER_PLATFORM_DIRS := 1
export XDG_CACHE_HOME   := $(CURDIR)/$(VENV)/state/cache
export PYDEVD_DISABLE_FILE_VALIDATION := 1

quoted = '$(subst ','\'',$(1))'
RUN := $(PY) -m ledger.run $(if $(J),-j $(J)) $(if $(DATA),--data $(call quoted,$(DATA))) $(if $(FIGURES),--figures $(call quoted,$(FIGURES)))

.PHONY: help figures test fuzz mutants verify site test-browser lab energetics energetics-env env notebooks references data datapackage lint bench calibration overview lock clean distclean

help: ## list the targets
	@echo 'make TARGET [VARIABLE=value]'; echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16
	@echo; echo '  J=2             notebooks at a time (default: the number of cores)'
	@echo '  DATA=mylab      another data folder, with a subfolder a topic'
	@echo '  FIGURES=mine    another folder for the panels and results'
	@echo '  ONLY="04_led"   these notebooks only'

figures: $(OK) ## regenerate every panel whose notebook, code or data has changed
	@$(RUN) $(ONLY)

test: $(VENV)/.test ## all checks: units, physics, notebooks against their stored outputs, figures and numbers against references
	@$(PY) -m ledger.run --quiet $(if $(J),-j $(J))
	@$(PY) tests/run_all.py

fuzz: $(OK) ## damaged files of every kind through every reader, a thousand each (N=3000 for more)
	@$(PY) tests/fuzz.py $(or $(N),1000)

mutants: $(VENV)/.test ## two hundred slips planted in the physics, one at a time, against its own tests (N=20 for fewer, ONLY=led for a room)
	@$(PY) tests/slips.py $(or $(N),200) $(ONLY)

calibration: $(VENV)/.test ## how often intervals hold the truth and gates act, by simulated files: docs/calibration (ONLY=led for a topic, SHARE=0.1 for fewer files)
	@PYTHONPATH='$(CURDIR)/tests' $(PY) -m calibration --share $(or $(SHARE),1) $(ONLY)

verify: $(OK) ## hold every figure against the data, code and picture it was saved with
	@$(PY) -m ledger.run.verify $(if $(FIGURES),--figures $(call quoted,$(FIGURES)))

site: $(VENV)/.site figures ## a static site of claims, panels, notebooks, data and the API, in build/site/index.html
	@$(PY) -m ledger.site $(if $(FIGURES),--figures $(call quoted,$(FIGURES)))

test-browser: $(VENV)/.lab $(VENV)/.test site ## a notebook in JupyterLab and the site, driven in headless Chromium (skipped where there is none)
	@PELED_SITE=build/site $(PY) -m pytest -q -rs -p no:cacheprovider tests/test_browser.py tests/test_site.py

lab: $(VENV)/.lab ## JupyterLab on the notebooks
	@$(PY) -m jupyterlab --config=lib/ledger/lab/jupyter_server_config.py --LabApp.app_settings_dir='$(CURDIR)/lib/ledger/lab/settings' --ServerApp.root_dir='$(CURDIR)' --LabApp.default_url=/lab/tree/notebooks/01_synthesis.ipynb $$([ "$$(id -u)" = 0 ] && echo --allow-root) $(ARGS)

notebooks: $(OK) ## execute the notebooks and store their outputs in them
	@$(PY) -m ledger.run.store $(ONLY)

references: $(VENV)/.test figures ## accept today's figures and numbers as the references of the tests
	@$(PY) tests/references.py

data: $(OK) ## write the simulated raw-like files again from their forward models
	@for m in lib/hassan2021/simulate/[a-z]*; do n=$$(basename $$m .py); grep -q '^def main' $$m $$m/__main__.py 2>/dev/null && echo "$$n" && $(PY) -m hassan2021.simulate.$$n || true; done
	@$(PY) -m ledger.datapackage

datapackage: $(OK) ## write the catalogue of data files
	@$(PY) -m ledger.datapackage

lint: $(VENV)/.test ## ruff
	@$(PY) -m ruff check . && $(PY) -m ledger.datapackage --check

overview: $(OK) figures ## the picture in the README, from the panels
	@$(PY) docs/overview.py

bench: $(VENV)/.test ## benchmarks, as ratios to a peer in the same run (BENCH=file for one)
	@$(PY) -m pytest -q -p no:cacheprovider --benchmark-only --benchmark-columns=min,median,rounds --benchmark-storage=build/benchmarks $(or $(BENCH),benchmarks/bench_*.py)

COMPILE := uv pip compile -q --universal --python-version 3.11 --generate-hashes --only-binary :all: --custom-compile-command 'make lock'
lock: ## make the lock files again from pyproject.toml (needs uv and the network)
	@rm -f requirements*.lock
	@$(COMPILE) pyproject.toml --all-extras --no-emit-package pip -o build-all.lock
	@$(COMPILE) pyproject.toml -c build-all.lock -o requirements.lock
	@for extra in test lab site energetics; do $(COMPILE) pyproject.toml --extra $$extra -c build-all.lock -o requirements-$$extra.lock; done
	@echo uv | $(COMPILE) - -o requirements-uv.lock; rm -f build-all.lock

env: $(OK) ## the environment in .venv, from the lock (with uv when it is there, else pip)

# $(call install,lock file): exact versions with checked hashes, no cache outside this folder; by uv, which is
# itself locked, and by pip where uv does not run or does not get through. Modules are compiled when first imported.
define install
{ [ -x $(VENV)/bin/uv ] && UV_NATIVE_TLS=1 $(VENV)/bin/uv pip install -q --no-cache --no-deps --require-hashes --python $(PY) -r $(1) 2>$(VENV)/uv.log; } \
|| $(PY) -m pip install -q --disable-pip-version-check --no-input --no-cache-dir --no-compile --no-deps --only-binary :all: --require-hashes -r $(1)
endef

$(OK): requirements.lock requirements-uv.lock
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo 'peled needs python3 (3.11 or newer); there is no $(PYTHON) on this machine' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "peled needs python3 3.11 or newer; this is $$($(PYTHON) -V 2>&1); name another with make PYTHON=python3.12" >&2; exit 1; }
	@if [ -x $(PY) ] && [ "$$(cat $@ 2>/dev/null)" = "$$(cksum < requirements.lock) $(CURDIR)" ]; then touch $@; exit 0; fi; \
	set -e; rm -f $@; echo 'setting up .venv (once)'; \
	$(PYTHON) -m venv --clear $(VENV) || { echo 'python3 has no venv module; on Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }; \
	$(PY) -m pip install -q --disable-pip-version-check --no-input --no-cache-dir --no-deps --only-binary :all: --require-hashes -r requirements-uv.lock || echo 'no uv for this platform; pip takes its place'; \
	$(call install,requirements.lock); \
	$(PY) -c 'import sysconfig, pathlib; pathlib.Path(sysconfig.get_path("purelib"), "peled.pth").write_text(str(pathlib.Path("lib").resolve()) + "\n")'; \
	$(PY) -c 'import matplotlib.font_manager, ledger.run.__main__'; \
	echo "$$(cksum < requirements.lock) $(CURDIR)" > $@

$(VENV)/.test: requirements-test.lock $(OK)
	@set -e; echo 'adding what the tests need to .venv (once)'; $(call install,requirements-test.lock); touch $@

$(VENV)/.energetics: requirements-energetics.lock $(OK)
	@set -e; echo 'adding tblite, RDKit and PySCF to .venv (once)'; $(call install,requirements-energetics.lock); touch $@

$(VENV)/.site: requirements-site.lock $(OK)
	@set -e; echo 'adding Sphinx to .venv (once)'; $(call install,requirements-site.lock); touch $@

$(VENV)/.lab: requirements-lab.lock $(OK)
	@set -e; echo 'adding JupyterLab to .venv (once)'; $(call install,requirements-lab.lock); touch $@

energetics-env: $(VENV)/.energetics ## what recomputing the energies of 06 needs: tblite, RDKit, PySCF (Quantum ESPRESSO is the system's)

energetics: $(if $(ONLY),$(VENV)/.energetics,$(OK)) ## repeat kept energies of 06: ONLY='tight_binding/methylamine*'; without ONLY, list them
	@$(PY) -m hassan2021.recompute $(foreach name,$(ONLY),'$(name)')

clean: ## remove what was built, keep the environment
	@rm -rf build figures/results; rm -f figures/*.svg figures/*.png figures/*.json

distclean: clean ## remove the environment too
	@rm -rf $(VENV)
