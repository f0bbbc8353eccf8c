# audioformer from a fresh clone; needs Python >= 3.10 and make. `make` alone lists what there is.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
TORCH_INDEX ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAMP := $(VENV)/.audioformer-set-up
TORCH := $(shell sed -n 's/^\(torch==[0-9.]*\).*/\1/p' constraints.txt)

.DEFAULT_GOAL := help
.PHONY: help setup app test lab clean

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14
	@echo 'Settings: PYTHON=python3.12, VENV=.venv, ARGS="options for app, test or lab",'
	@echo '          TORCH_INDEX=https://download.pytorch.org/whl/cpu (Linux without an NVIDIA GPU: a far smaller torch)'

setup: $(STAMP) ## install everything into .venv, once

app: $(STAMP) ## serve the app on http://127.0.0.1:7860
	$(BIN)/audioformer app $(ARGS)

test: $(STAMP) ## run the whole test suite
	$(BIN)/python -m pytest $(ARGS)

lab: $(STAMP) ## open JupyterLab in notebooks/
	$(BIN)/audioformer lab $(ARGS)

clean: ## remove build leftovers and caches; .venv, runs and data stay
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -prune -exec rm -rf {} +

# torch goes first, alone and by exact version: then no other package can pull in another build of it.
$(STAMP): pyproject.toml setup.py constraints.txt
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo 'audioformer needs Python >= 3.10, and there is no $(PYTHON): install one or name it, make setup PYTHON=python3.12' >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo 'audioformer needs Python >= 3.10, and $(PYTHON) is older: install one or name it, make setup PYTHON=python3.12' >&2; exit 1; }
	@$(PIP) --version >/dev/null 2>&1 || "$(PYTHON)" -m venv $(if $(wildcard $(VENV)/pyvenv.cfg),--clear) "$(VENV)"
	$(PIP) install -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(TORCH)
	$(PIP) install -c constraints.txt -e '.[all]'
	@touch $@
