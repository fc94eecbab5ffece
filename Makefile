# Each target does its own set-up in a fresh clone: a virtual environment with the exact versions of requirements.lock.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: demo test lint docs bench lock clean help

PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
READY := .venv/.ready

ifndef ANODIFF_DATA
ifneq ($(wildcard ../shared/data/.),)
export ANODIFF_DATA := $(abspath ../shared/data)
endif
endif

help:  ## What there is to make
	@sed -nE 's/^([a-z]+):[^=]*  ## (.*)/make \1	\2/p' Makefile

demo: $(READY)  ## The main job on real data, with a report
	$(BIN)/anodiff demo --overwrite

test: export OMP_NUM_THREADS := 1
test: $(READY)  ## Tests, laws and doctests; one thread for each worker
	$(BIN)/python -m pytest -n $(WORKERS)

lint: $(READY) docs  ## Style, types, layers, documentation
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY)  ## The documentation as html in docs/_build; warnings are errors
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build

bench: $(READY)  ## Measure again what the docs show (hours; it goes on where it was cut off)
	PATH="$(CURDIR)/$(BIN):$$PATH" JOBS=$(WORKERS) bash benchmarks/all.sh

lock:  ## Pin today's versions of everything
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install -q torch==2.13.0 hatchling editables
	.venv-lock/bin/pip install -q --no-build-isolation -e '.[test,lint,docs]'
	{ sed -n '/^#/p' requirements.lock 2>/dev/null; .venv-lock/bin/pip freeze --exclude-editable | sed 's/+cpu$$//'; } > .lock
	mv .lock requirements.lock
	rm -rf .venv-lock

clean:  ## Remove everything that make made
	rm -rf .venv .venv-lock docs/_build anodiff-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "anodiff needs Python 3.11 or newer; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@
