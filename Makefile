# Two commands on a fresh machine with Python 3.11 or newer:
#
#   make run     installs autoscope into .venv and runs the quickstart session
#   make test    the same environment with the test tools, then every check that CI runs
#
# make run ARGS="--seed 3 --out my-session"    more about a run: .venv/bin/autoscope run --help

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
JOBS   ?= 2

BIN := $(VENV)/bin
OUT := build

# One thread for each worker: the tests already run on every core.
test check: export OMP_NUM_THREADS = 1

.PHONY: run test check format-check lint types layers wheel pytest clean

run: $(VENV)/.installed
	$(BIN)/autoscope run $(ARGS)

test: $(VENV)/.installed-test
	$(MAKE) --no-print-directory check

check: format-check lint types layers wheel pytest

format-check:
	$(BIN)/ruff format --check .

lint:
	$(BIN)/ruff check .

types:
	$(BIN)/mypy

layers:
	$(BIN)/lint-imports

pytest:
	$(BIN)/pytest -n $(JOBS) --dist worksteal --durations 10

# The wheel holds every file of the four packages, and works in an environment that has nothing else.
wheel:
	rm -rf $(OUT)/wheel $(OUT)/wheel-venv
	$(BIN)/python -m build --wheel --no-isolation --outdir $(OUT)/wheel . > $(OUT).log 2>&1 || { cat $(OUT).log; exit 1; }
	rm -f $(OUT).log
	$(BIN)/python .ci/check_wheel.py $(OUT)/wheel/*.whl
	$(BIN)/python -m venv $(OUT)/wheel-venv
	$(call install,$(OUT)/wheel-venv/bin/python,$(OUT)/wheel/*.whl)
	cd $(OUT) && wheel-venv/bin/python -W error::ImportWarning -c \
	  "import autoscope, autoscope_envs, autoscope_policies, autoscope_simulators, autoscope.testing"
	cd $(OUT) && wheel-venv/bin/autoscope --version
	rm -rf $(OUT)/wheel-venv

clean:
	rm -rf $(OUT) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# -- the environment --------------------------------------------------------------------------------
# Stamps: nothing is installed again until pyproject.toml changes. The install is editable, so a changed
# source needs none.

$(VENV)/.installed: pyproject.toml | $(BIN)/uv
	$(call install,$(BIN)/python,--editable .)
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/uv
	$(call install,$(BIN)/python,--editable '.[test]')
	@touch $@ $(VENV)/.installed

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "autoscope needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." ; \
	  echo "Install one and name it: make run PYTHON=python3.12" ; exit 1 ; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "python3 -m venv failed: on Debian and Ubuntu, apt install python3-venv" ; exit 1 ; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv || { \
	  echo "uv cannot be had, pip does its work" ; printf '#!/bin/sh\nexit 1\n' > $@ ; chmod +x $@ ; }

# $(call install,PYTHON,WHAT): by uv, which is many times faster, or by pip.
install = $(BIN)/uv pip install --python $(1) $(2) || $(1) -m pip install $(2)
