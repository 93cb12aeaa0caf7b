# Every target sets up what it needs: `make demo` works on a fresh clone.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := test

PYTHON ?= python3
BIN := .venv/bin
# Python compiles a module when it is first imported, so pip need not compile them all.
INSTALLER ?= $(BIN)/python -m pip install --no-compile
PIP := $(INSTALLER) -c constraints.txt
BASE := .venv/.base
READY := .venv/.ready
WHOLE := .venv/.whole
SIMULATIONS := perf/interval_coverage.py perf/ranks.py perf/training.py
BENCHMARKS := $(filter-out perf/_% $(SIMULATIONS),$(wildcard perf/*.py))

# Where compiled modules are not kept, each process would compile torch anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: board-page demo test test-slow coverage lint format types generated docs bench faults fuzz

# Each is done again only when one of the two files changes, and holds those before it.
$(BASE): pyproject.toml constraints.txt
	@echo 'Installing nserbench into .venv: 1.4 GB, and more with the CUDA build of torch.'
	@echo 'It takes some minutes; most of it is the download of torch.'
	$(PYTHON) -m venv .venv
	$(PIP) -e .
	touch $@

$(READY): pyproject.toml constraints.txt
	@echo 'Installing what tests and docs need: a few minutes.'
	test -e $(BASE) || $(PYTHON) -m venv .venv
	$(PIP) -e '.[dev,docs]'
	touch $(BASE) $@

# asteroid's pesq is built here, so it needs a C compiler.
$(WHOLE): pyproject.toml constraints.txt
	@echo 'Installing every optional package, of which one is compiled: a few minutes.'
	test -e $(BASE) || $(PYTHON) -m venv .venv
	$(PIP) -e '.[all,dev,docs]'
	touch $(BASE) $(READY) $@

demo: $(BASE)
	@echo 'Training two heads in four conditions: about a minute on two cores.'
	$(BIN)/nserbench run --upstream mel --downstream mean,fc \
	    --corpus demo,demo-human,demo-park,demo-traffic --out results/demo
	$(BIN)/nserbench leaderboard results/demo
	@$(BIN)/nserbench leaderboard results/demo --format html -o results/demo/site

# Two workers with a thread each: with more they fight over the cores.
test: $(WHOLE)
	$(MAKE) --no-print-directory --jobs 2 lint types generated
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(WHOLE)
	$(BIN)/python -m pytest -m slow

# Which lines and branches the tests run; the figure is in CONTRIBUTING.
coverage: $(WHOLE)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(WHOLE)
	$(BIN)/mypy --num-workers 2

# Pages and tables that are made from the code.
generated: $(READY)
	$(BIN)/python docs/generate.py --check

docs: $(READY)
	$(BIN)/python docs/generate.py
	rm -rf site
	$(BIN)/python -m zensical build --clean --strict
	$(MAKE) --no-print-directory board-page
	@echo "The site: site/index.html"

# The page of all bundles, to which the site has a link.
board-page: $(READY)
	$(BIN)/nserbench check board
	$(BIN)/nserbench leaderboard board/* --format html -o site/board

# A script of perf/ prints `short` beside each figure that misses its bound.
bench: $(WHOLE)
	@short=0; output=$$(mktemp); trap 'rm -f "$$output"' EXIT; \
	for script in $(BENCHMARKS); do \
	    echo "== $$script"; \
	    $(BIN)/python "$$script" | tee "$$output"; \
	    if grep -qw short "$$output"; then short=1; fi; \
	done; \
	exit $$short

# Random inputs for everything that reads what others wrote. Failures are kept in
# fuzz-failures/; reliability/run_fuzz.py --help says how to repeat one.
fuzz: $(WHOLE)
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python reliability/run_fuzz.py --write

# Faults while the real program runs. To repeat an attempt, see reliability/run_faults.py.
faults: $(WHOLE)
	OMP_NUM_THREADS=1 $(BIN)/python reliability/run_faults.py
