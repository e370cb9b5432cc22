# reminders: set up, try out, check. `make help` lists the targets.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
# Tests that wait for others leave room for one more than there are cores.
JOBS   ?= 3
SEEDS  ?= 200
FIRST  ?= 0

# Modules are compiled once, whatever the caller's shell says: many tests start processes.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test suite check simulate mutants test-long kill-test bench format lock picture pictures messages screenshots clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: $(VENV)/runtime.stamp ## see two days of an example clinic in a minute
	@$(BIN)/reminders demo

test: $(VENV)/dev.stamp ## every check and every test, side by side
	@$(MAKE) --no-print-directory check > $(VENV)/check.log 2>&1 & checked=$$!; \
	$(MAKE) --no-print-directory suite; passed=$$?; \
	wait $$checked || { cat $(VENV)/check.log; echo "make check found something: see above."; exit 1; }; \
	exit $$passed

suite: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not long"

check: $(VENV)/dev.stamp ## style, types, layers, dependencies
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry --no-ansi .
	$(BIN)/python -m tests.house.migrations

simulate: $(VENV)/dev.stamp ## live through years of faults in minutes: make simulate SEEDS=1000
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST) --jobs $(JOBS)

mutants: $(VENV)/dev.stamp ## take out one guard after the other: the seeds have to notice each
	$(BIN)/python -m tests.simulation.mutants --jobs $(JOBS)

test-long: $(VENV)/dev.stamp ## the heavy figures
	$(BIN)/python -m pytest -m long --hypothesis-profile=long

# The peers live in an environment of their own: none of them is a dependency of ours.
bench: $(VENV)/dev.stamp bench/.venv/stamp ## compare with other engines (QUICK=1: five minutes)
	$(BIN)/python bench/run.py $(if $(QUICK),--quick)

bench/.venv/stamp: bench/requirements.txt
	$(PYTHON) -m venv bench/.venv
	bench/.venv/bin/python -m pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	@touch $@

KILLS    ?= 200
PAUSES   ?= 30
RESTARTS ?= 10

kill-test: $(VENV)/dev.stamp ## kill the real daemon KILLS times on each database; its provider is the judge
	$(BIN)/python -m tests.kill --kills $(KILLS) --pauses $(PAUSES) --restarts $(RESTARTS) --json

format: $(VENV)/dev.stamp ## put the code in its form
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

lock: $(VENV)/dev.stamp ## write requirements.lock anew from pyproject.toml
	$(BIN)/python -m pip install --quiet "uv>=0.8"
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-annotate --quiet --output-file requirements.lock

picture: $(VENV)/dev.stamp ## draw docs/picture.svg anew
	$(BIN)/python -m tests.house.picture

pictures: $(VENV)/dev.stamp ## draw the pictures of the emails anew
	$(BIN)/python -m tests.house.pictures

messages: $(VENV)/dev.stamp ## write docs/messages.*.md anew from the texts
	$(BIN)/python -m tests.house.messages

screenshots: $(VENV)/dev.stamp ## take docs/desk-*.png anew, in the system's Chromium
	$(BIN)/python -m tests.house.screenshots

clean: ## remove what make has made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed. Say which one: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The lock names every version and its hash; our own code is installed without looking further.
$(VENV)/runtime.stamp: $(VENV)/bin/python pyproject.toml requirements.lock
	@echo "Installing. This takes a minute, once."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/runtime.stamp
	@touch $@
