# The ways into the project. Each target sets up what it needs, and does nothing twice.
#
#   make run          serve the chat and the test subprotocols on http://127.0.0.1:8080/
#   make test         every check: style, types, layers, tests with coverage, a browser, the Autobahn suite's groups 1-10
#   make conformance  all 517 cases of the Autobahn suite
#   make fuzz         look for requests that break a promise, guided by coverage, for FUZZ_SECONDS (300)
#   make soak         1,000 connections that come, go and misbehave, for SOAK_SECONDS (300)
#   make docs         write what is generated from the code

PYTHON ?= python3
CONFIG ?= conf/ws.ini
PYTEST_ARGS ?=
FUZZ_SECONDS ?= 300
SOAK_SECONDS ?= 300
BIN = .venv/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet
# A plain editable install would hide the twistd plugin; this kind of it does not.
INSTALL = $(PIP) install --config-settings editable_mode=compat --editable

.PHONY: run test conformance fuzz soak lint docs browser clean

run: .venv/.run
	$(BIN)/twistd --nodaemon --pidfile= wsdaemon --config $(CONFIG)

test: .venv/.test tests/node/node_modules/.made browser lint
	$(BIN)/python -m pytest --cov --cov-report= $(PYTEST_ARGS)
	$(BIN)/coverage report

conformance: .venv/.test
	$(BIN)/python -m pytest tests/test_conformance.py --conformance -s

fuzz: .venv/.fuzz
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m tests.fuzz.run

soak: .venv/.test
	$(BIN)/python -m tests.soak --seconds $(SOAK_SECONDS)

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/towncrier build --draft --version next >/dev/null

docs: .venv/.test
	$(BIN)/python tools/write_reference.py

# A browser for the chat's tests: the one that is there, else the system's package, where that can be installed.
browser:
	@tools/ensure-browser

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or later is needed: make PYTHON=python3.12 ...' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	touch $@

.venv/.run: .venv/.made setup.cfg pyproject.toml
	$(INSTALL) .
	touch $@

.venv/.test: .venv/.run setup.cfg pyproject.toml
	$(INSTALL) '.[test,dev]'
	touch $@

.venv/.fuzz: .venv/.test
	$(INSTALL) '.[test,dev,fuzz]'
	touch $@

# Clients that nobody here wrote, in JavaScript; without npm they are left out (but never where CI is set).
tests/node/node_modules/.made: tests/node/package.json tests/node/package-lock.json
	@if command -v npm >/dev/null; then cd tests/node && npm ci --silent --no-audit --no-fund && touch node_modules/.made; \
	else echo 'npm is not installed: the tests with Node clients are left out' >&2; fi

clean:
	rm -rf .venv tests/node/node_modules build *.egg-info .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
