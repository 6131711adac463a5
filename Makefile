# `make run` and `make test` are all a newcomer needs; `make help` lists the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup run test check format bench bench-query bench-sim overload load capacity crash crash-kafka histories fuzz mutation requirements clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
WARM := $(VENV)/.warm
SIMULATOR_WARM := $(VENV)/.simulator-warm
N ?= 200
HISTORIES ?= 100000
SCENARIO ?= mixed
PEAK ?= 0.7
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:            ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(WARM)   ## make .venv and install what requirements-dev.txt pins (again only after a change)

$(STAMP): requirements-dev.txt pyproject.toml
	@sh .ci/venv $(VENV)
	@echo "setup: installing pinned packages"
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(WARM): $(STAMP)
	@$(BIN)/lrs warm
	@touch $@

$(SIMULATOR_WARM): $(STAMP)
	@$(BIN)/simulator warm
	@touch $@

run: setup       ## start the LRS with its embedded PostgreSQL and a live demonstration (KAFKA=1: its log on Kafka)
	@$(if $(KAFKA),$(BIN)/python -m tests.kafka) $(BIN)/lrs up --demo

test: $(STAMP)   ## check, then run the tests; what was skipped, and why, is listed at the end
	@$(MAKE) --no-print-directory --jobs 2 setup check $(SIMULATOR_WARM)
	$(BIN)/python -m pytest

check: $(STAMP)  ## lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup    ## rewrite the sources in the one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup     ## measure speed, beside yardsticks of the same run (KAFKA=1: also with the log on Kafka)
	$(BIN)/python -m benchmarks.path $(if $(KAFKA),--log both)

bench-query: setup ## store two million statements and ask for them in every way, plans attached
	$(BIN)/python -m benchmarks.query

overload: setup  ## a surge of ten times what the store takes, on Kafka (make overload ARGS="--seconds 600")
	$(BIN)/python -m benchmarks.overload $(ARGS)

bench-sim: setup ## simulate a day of two crore learners, and render statements, beside published figures
	$(BIN)/python -m benchmarks.simulator

load: setup      ## a load test with a verdict (make load SCENARIO=mixed ARGS="--peak 40 --seconds 60")
	$(BIN)/python -m loadtests $(SCENARIO) $(ARGS)

capacity: setup  ## from a simulated scenario to a verdict on this machine (SCENARIO=deadline-day PEAK=0.7)
	$(BIN)/python -m loadtests.capacity $(SCENARIO) --peak $(PEAK) $(ARGS)

crash: setup     ## kill processes under load, N times (make crash N=200), and look for what was lost
	$(BIN)/python -m tests.crash --faults $(N)

crash-kafka: setup ## the same with the log on Kafka: also zombies, rebalances, restarts, a network that fails
	$(BIN)/python -m tests.crash --faults $(N) --log kafka

histories: setup ## let 100,000 seeded histories of the stages happen in memory (make histories HISTORIES=N)
	$(BIN)/python -m tests.histories --histories $(HISTORIES)

fuzz: setup      ## a hundred thousand hostile requests against the edge
	$(BIN)/python -m tests.fuzz

mutation: setup  ## switch the validator's rules off one by one: some test must fail each time
	$(BIN)/python -m tests.mutants

requirements: setup ## pin the newest fitting versions anew
	sh .ci/pin

clean:           ## remove what can be made again (never the data)
	rm -rf $(VENV) build dist reports .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find lrs simulator tests -name __pycache__ -type d -prune -exec rm -rf {} +
