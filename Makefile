# audioformer from a fresh clone; needs Python >= 3.10 and make. `make` alone lists what there is.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
TORCH_INDEX ?=
JOBS ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAMP := $(VENV)/.audioformer-set-up
APP_STAMP := $(VENV)/.audioformer-app-set-up
# what `make test` runs; the rest needs a browser, kernels of notebooks, a fresh virtual environment, or simply long
QUICK := smoke or not (slow or browser or notebook or install)
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --durations 10
TORCH := $(shell sed -n 's/^\(torch==[0-9.]*\).*/\1/p' constraints.txt)

.DEFAULT_GOAL := help
.PHONY: help setup app page test check lint lab clean

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14
	@echo 'Settings: PYTHON=python3.12, VENV=.venv, ARGS="options for app, test, check or lab",'
	@echo '          JOBS=2 (processes that run tests),'
	@echo '          TORCH_INDEX=https://download.pytorch.org/whl/cpu (Linux without an NVIDIA GPU: a far smaller torch)'

setup: $(STAMP) ## install everything into .venv, once

app: $(APP_STAMP) ## serve the app on http://127.0.0.1:7860
	$(BIN)/audioformer app $(ARGS)

page: $(STAMP) ## write page/audioformer.html, the app as one file that needs no installation
	$(BIN)/audioformer web -o page --one-file $(ARGS)

test: $(STAMP) ## run the quick tests, after every change (under 4 minutes)
	$(PYTEST) -m "$(QUICK)" $(ARGS)

# REST=1 leaves out what `make test` has just run
check: $(STAMP) lint ## run every test and the linters, before a release (under 25 minutes)
	$(PYTEST) $(if $(REST),-m "not ($(QUICK))") $(ARGS)

lint: $(STAMP) ## run the linters alone: ruff, codespell, eslint where npm is
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell README.md CHANGELOG.md app audioformer results scripts notebooks/*.md notebooks/handouts notebooks/src
	@if ! command -v npm >/dev/null; then echo 'eslint left out: there is no npm'; \
	elif npm install --silent --no-package-lock --no-audit --no-fund; then npm run --silent lint; \
	else echo 'eslint left out: npm could not install it'; fi

lab: $(STAMP) ## open JupyterLab in audioformer-notebooks/, a copy that is yours to write in
	$(BIN)/audioformer lab $(ARGS)

clean: ## remove build leftovers and caches; .venv, runs and data stay
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -prune -exec rm -rf {} +

# What the app needs, two thirds of everything, in half of the time.
# torch goes first, alone and by exact version: then no other package can pull in another build of it.
$(APP_STAMP): pyproject.toml setup.py constraints.txt
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo 'audioformer needs Python >= 3.10, and there is no $(PYTHON): install one or name it, make setup PYTHON=python3.12' >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo 'audioformer needs Python >= 3.10, and $(PYTHON) is older: install one or name it, make setup PYTHON=python3.12' >&2; exit 1; }
	@$(PIP) --version >/dev/null 2>&1 || "$(PYTHON)" -m venv $(if $(wildcard $(VENV)/pyvenv.cfg),--clear) "$(VENV)"
	$(PIP) install -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(TORCH)
	$(PIP) install -c constraints.txt -e '.[app,phones]'
	@touch $@

$(STAMP): $(APP_STAMP)
	$(PIP) install -c constraints.txt -e '.[all]'
	@$(BIN)/python -c 'from audioformer_app.web.runtime import cached; cached()' 2>/dev/null || \
	  echo 'left out: onnxruntime-web, for pages of audioformer web: it needs npm and a network' >&2
	@touch $@
