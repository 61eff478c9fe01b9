# Two commands do everything on a bare machine: `make run` and `make test`. `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
PILOTHOUSE_HOME ?= workspace
PILOTHOUSE_PORT ?= 8642
export PILOTHOUSE_HOME PILOTHOUSE_PORT

.PHONY: run test check lint types walls lock bench nightly docs clean help

run: .venv/.ready ## start the server with the demo organisation; a second time continues where it stopped
	@exec $(BIN)/pilothouse demo --home "$(PILOTHOUSE_HOME)" --port "$(PILOTHOUSE_PORT)"

test: .venv/.ready-dev ## the whole suite: SQLite, Postgres, wire and browser tests
	@scripts/browser
	$(BIN)/python -m pytest

check: lint types walls ## style, types and import walls

lint: .venv/.ready-dev
	$(BIN)/ruff check src tests bench

types: .venv/.ready-dev
	$(BIN)/mypy

walls: .venv/.ready-dev
	$(BIN)/lint-imports

bench: .venv/.ready-dev bench/lancedb/.venv/.ready ## every benchmark, with its peers, in one run each
	@for each in bench/*.py; do echo "== $$each"; $(BIN)/python $$each || exit 1; done

nightly: .venv/.ready-dev bench/gbstats/.venv/.ready ## the long simulation studies, and GrowthBook's gbstats as a peer
	$(BIN)/python bench/gbstats/compare.py
	$(BIN)/python bench/studies.py

bench/%/.venv/.ready: bench/%/requirements.lock .venv/.uv
	@$(BIN)/uv venv --quiet --clear --python $(PYTHON) bench/$*/.venv
	@$(BIN)/uv pip install --quiet --python bench/$*/.venv/bin/python --require-hashes -r bench/$*/requirements.lock
	@touch $@

lock: .venv/.ready ## resolve the locks again (hashed, universal, without addresses)
	scripts/lock

clean: ## remove the environment and caches; never the workspace
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 18

.venv/.uv: requirements-bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Pilothouse needs Python 3.11 or newer; name one with make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@touch $@

.venv/.ready: .venv/.uv requirements.lock pyproject.toml
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.ready-dev: .venv/.ready requirements-dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@
