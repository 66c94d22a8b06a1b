# Everything a newcomer, a developer or CI needs. `make help` lists it.
#
# Each target does its own set-up: a virtual environment in .venv with the versions of constraints.txt, made
# once and again only when constraints.txt or pyproject.toml change. Arguments for pytest: make test T="-k lease".

SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
T ?=

.PHONY: models help setup demo test test-optimised lint format generate lock check planted picture bench bench-small campaign campaign-check mutants mutants-changed clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): constraints.txt pyproject.toml scripts/setup.sh
	@PYTHON="$(PYTHON)" bash scripts/setup.sh
	@touch $@

setup: $(READY) ## the virtual environment, with the tested versions

demo: $(READY) ## a whole visit on a simulated pen, over a real pseudo-terminal, with record and report in build/demo
	@$(BIN)/python scripts/demo.py

test: $(READY) ## the tests
	$(BIN)/python -m pytest -n auto $(T)

# No limit may depend on `assert`: all holds when Python drops assertions, too (those of the tests themselves are
# rewritten by pytest and stay). By the environment and not by -O, so that workers and subprocesses run so as well.
test-optimised: $(READY) ## the tests of safety, protocol, driver and simulated pen again, as under python -O
	PYTHONOPTIMIZE=1 $(BIN)/python -m pytest -n auto -q -W "ignore:assertions not in test modules" \
	  tests/safety tests/protocol tests/driver tests/sim

planted: $(READY) ## every planted bug in a copy of the tree, and the tests that catch it; some minutes
	$(BIN)/python tests/planted/run.py

lint: $(READY) ## formatting, lint, types, layers, and whether the generated files are fresh
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python firmware_protocol/generate.py --check
	$(BIN)/python scripts/safety_page.py --check
	$(BIN)/python scripts/translations.py --check
	$(BIN)/python scripts/procedure_page.py --check

format: $(READY) ## formats the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: $(READY) ## all that is written by programs: tables, C headers, vectors, the safety file's pages, translations
	$(BIN)/python firmware_protocol/generate.py
	$(BIN)/python scripts/safety_page.py
	$(BIN)/python scripts/translations.py
	$(BIN)/python scripts/procedure_page.py

picture: $(READY) ## the pictures in docs/images, drawn from real runs and reports
	$(BIN)/python scripts/terminal_picture.py docs/images/treat.svg
	$(BIN)/python scripts/report_picture.py docs/images

# Without the references (no package index, no wheel for this machine) the rest is measured all the same.
BENCH_READY := .venv/.bench-ready
$(BENCH_READY): bench/constraints.txt $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r bench/constraints.txt \
	  && touch $@ || echo "the packages to compare with cannot be had here; their rows are left out" >&2

bench: $(BENCH_READY) ## docs/benchmarks.md: the figures, beside those of other libraries; needs a quiet machine and 4 minutes
	$(BIN)/python -m bench

bench-small: $(BENCH_READY) ## the benchmarks in a size that only shows that they run
	$(BIN)/python -m bench --small

# Nearly an hour; one part alone: .venv/bin/python -m campaign PART --seed N --size full. A long soak:
# make campaign CAMPAIGN="--hours 72 --real-hours 8"
CAMPAIGN_SEED ?= 1
CAMPAIGN ?=
campaign: $(READY) ## docs/safety/campaign.md: the safety campaign with its full numbers
	$(BIN)/python -m campaign --size full --seed $(CAMPAIGN_SEED) --keep build/campaign --report docs/safety/campaign.md $(CAMPAIGN)

models: ## Spin over the models of the wire, and over the bugs planted in them
	$(PYTHON) models/verify.py

campaign-check: $(READY) ## the campaign in the size of CI, 4 minutes
	$(BIN)/python -m campaign --size check --seed $(CAMPAIGN_SEED)

# Apart from the rest: cosmic-ray's operators, without its other dependencies.
MUTANTS_READY := .venv/.mutants-ready
$(MUTANTS_READY): mutants/constraints.txt $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
	  --target .venv/mutants -r mutants/constraints.txt && touch $@

mutants: $(MUTANTS_READY) ## docs/safety/mutants.md: every mutant of the safety layer, the wire and the stop path; a quarter of an hour
	$(BIN)/python -m mutants --report docs/safety/mutants.md

mutants-changed: $(MUTANTS_READY) ## the mutants on lines that changed, in 3 minutes at most
	$(BIN)/python -m mutants --changed

lock: ## constraints.txt anew, from the newest versions that pyproject.toml permits
	@PYTHON="$(PYTHON)" bash scripts/lock.sh

check: lint test-optimised $(BENCH_READY) campaign-check mutants-changed test ## all that CI runs

clean: ## removes the environment and everything built
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
