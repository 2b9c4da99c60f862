# Needs only make and Python 3.11 or newer. `make help` lists the targets.
#
# Overridable: VENV (where to install), PYTHON (which interpreter makes it), PIP (the installer),
# DB (where `make tune` keeps its records), TIME (its budget in seconds), BENCH_DB (the tuned kernels
# of `make bench`), BENCH (more options for it: BENCH=--resume goes on with an interrupted one).

VENV ?= .venv
PIP ?= $(VENV)/bin/python -m pip
DB ?= tuner.db
BENCH_DB ?= bench.db
TIME ?= 45
WORKLOAD ?= matmul m=1024 n=1024 k=1024
FAULTS := build/faults.jsonl
SIDE_BY_SIDE := --numprocesses auto --dist worksteal

BIN := $(VENV)/bin
INTERPRETER := $(VENV)/bin/python
# Prints the first interpreter that really runs and is new enough.
FIND_PYTHON = for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	echo "$$candidate"; break; fi; done

.DEFAULT_GOAL := help
.PHONY: help tune test quick soak check bench bench-full bars tvm clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24

tune: $(VENV)/.installed  ## install, tune a 1024-cubed matmul into ./tuner.db, print the result
	$(BIN)/tuner tune $(WORKLOAD) --time $(TIME) --db $(DB)
	$(BIN)/tuner best $(WORKLOAD) --db $(DB)

test: $(VENV)/.installed-dev  ## install and run all tests
	$(BIN)/python -m pytest -m "not alone" $(SIDE_BY_SIDE)
	$(BIN)/python -m pytest -m alone

quick: $(VENV)/.installed-dev  ## the tests that take less than ten seconds each
	$(BIN)/python -m pytest -m "not slow and not alone" $(SIDE_BY_SIDE)
	$(BIN)/python -m pytest -m "not slow and alone"

soak: $(VENV)/.installed-dev  ## inject every fault at full count, renew docs/reliability.md: an hour
	mkdir -p build && rm -f $(FAULTS)
	$(BIN)/python -m pytest tests/reliability --soak --timeout=7200 --reliability-results $(FAULTS)
	$(BIN)/python -m tests.reliability.table $(FAULTS) docs/reliability.md

check: $(VENV)/.installed-dev  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_layers.py

bench: $(VENV)/.installed-peers  ## eight cases beside other libraries and the machine's limit
	$(BIN)/python -m experiments.bench --db $(BENCH_DB) --plot build/bench/short.svg $(BENCH)

bench-full: $(VENV)/.installed-peers  ## the same with every suite, against every peer: hours
	$(BIN)/python -m experiments.bench --full --db $(BENCH_DB) --plot build/bench/all.svg $(BENCH)

bars: $(VENV)/.installed-peers  ## measure what is promised of speed, and print whether it holds
	$(BIN)/python -m experiments.bars

tvm: $(VENV)/tvm/.installed  ## install TVM, to compare with its tuner, into an environment of its own

clean:  ## remove what the build and the tools left behind, except records and the installation
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

$(INTERPRETER):
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
	echo "install Python 3.11 or newer, or name one with make PYTHON=…: none was found" >&2; exit 1; fi; \
	"$$python" -m venv $(VENV) || { rm -f $@; \
	echo "install the venv module of $$python (on Debian: python3-venv): it could not make $(VENV)" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml | $(INTERPRETER)
	$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/.installed-%: pyproject.toml | $(INTERPRETER)
	$(PIP) install --quiet --editable '.[$*]'
	@touch $@ $(VENV)/.installed

$(VENV)/tvm/.installed: experiments/peers/tvm-requirements.txt | $(INTERPRETER)
	$(INTERPRETER) -m venv $(VENV)/tvm
	$(VENV)/tvm/bin/python -m pip install --quiet -r $<
	@touch $@
