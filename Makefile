# `make run` and `make test` are all a newcomer needs; `make help` lists the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup run test check format bench bench-query load crash fuzz mutation requirements clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
N ?= 200
SCENARIO ?= mixed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:            ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(STAMP)  ## make .venv and install what requirements-dev.txt pins (again only after a change)

$(STAMP): requirements-dev.txt pyproject.toml
	@sh .ci/venv $(VENV)
	@echo "setup: installing pinned packages"
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --no-index --no-deps --no-build-isolation --editable .
	@$(BIN)/lrs warm
	@touch $@

run: setup       ## start the LRS with its embedded PostgreSQL and a live demonstration
	@$(BIN)/lrs up --demo

test: check      ## check, then run the tests; what was skipped, and why, is listed at the end
	$(BIN)/python -m pytest

check: setup     ## lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup    ## rewrite the sources in the one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup     ## measure speed, beside yardsticks of the same run
	$(BIN)/python -m benchmarks.path

bench-query: setup ## store two million statements and ask for them in every way, plans attached
	$(BIN)/python -m benchmarks.query

load: setup      ## a load test with a verdict (make load SCENARIO=mixed ARGS="--peak 40 --seconds 60")
	$(BIN)/python -m loadtests $(SCENARIO) $(ARGS)

crash: setup     ## kill processes under load, N times (make crash N=200), and look for what was lost
	$(BIN)/python -m tests.crash --faults $(N)

fuzz: setup      ## a hundred thousand hostile requests against the edge
	$(BIN)/python -m tests.fuzz

mutation: setup  ## switch the validator's rules off one by one: some test must fail each time
	$(BIN)/python -m tests.mutants

requirements: setup ## pin the newest fitting versions anew
	sh .ci/pin

clean:           ## remove what can be made again (never the data)
	rm -rf $(VENV) build dist reports .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find lrs tests -name __pycache__ -type d -prune -exec rm -rf {} +
