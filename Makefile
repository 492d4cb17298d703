# The ways into the project. Each target sets up what it needs, and does nothing twice.
#
#   make run          serve the chat and the test subprotocols on http://127.0.0.1:8080/
#   make check        what every commit needs: style, types, layers, and the tests that need no other process
#   make test         every check: those, all other tests with coverage, a browser, the Autobahn suite's groups 1-10
#   make conformance  all 517 cases of the Autobahn suite
#   make fuzz         look for requests that break a promise, guided by coverage, for FUZZ_SECONDS (300)
#   make bench        how fast the server is beside others, and what got slower; BENCH_ARGS='--rounds 3', or others
#   make bench-save   the same, and keep the results as those to compare with
#   make soak         1,000 connections that come, go and misbehave, for SOAK_SECONDS (300)
#   make docs         write what is generated from the code
#   make nox          the tests on each Python that is installed, with the lowest versions, and without optional parts
#   make constraints  take the newest versions of all that is installed here, from now on
#   make release      NEWS.md, version, tag and distributions: make release VERSION=1.2.3

PYTHON ?= python3
CONFIG ?= conf/ws.ini
PYTEST_ARGS ?=
FUZZ_SECONDS ?= 300
SOAK_SECONDS ?= 300
BENCH_ARGS ?=
BIN = .venv/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet
# A plain editable install would hide the twistd plugin; this kind of it does not.
INSTALL = $(PIP) install --constraint constraints.txt --config-settings editable_mode=compat --editable

.PHONY: run check test conformance fuzz soak bench bench-save lint docs nox constraints release browser clean

run: .venv/.run
	$(BIN)/twistd --nodaemon --pidfile= wsdaemon --config $(CONFIG)

check lint: .venv/.test
	$(BIN)/python -m tests.run $@ $(PYTEST_ARGS)

test: .venv/.test tests/node/node_modules/.made browser
	$(BIN)/python -m tests.run test $(PYTEST_ARGS)

conformance: .venv/.test
	$(BIN)/python -m pytest tests/conformance/test_conformance.py --conformance -s

fuzz: .venv/.fuzz
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m tests.fuzz.run

soak: .venv/.test
	$(BIN)/python -m tests.soak --seconds $(SOAK_SECONDS)

# Half an hour on two cores that nothing else should use.
bench: .venv/.bench benchmarks/node/node_modules/.made benchmarks/build/wsload benchmarks/build/limit
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

bench-save: override BENCH_ARGS += --save
bench-save: bench

docs: .venv/.test
	$(BIN)/python -m tools.write_reference

nox: .venv/.test
	$(BIN)/nox

# The versions that every install here takes; each is the newest that setup.cfg and the others allow.
constraints: .venv/.test
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --no-annotate --all-extras \
		--output-file constraints.txt setup.cfg

release: .venv/.test
	$(BIN)/python tools/release.py $(VERSION)

# A browser for the chat's tests: the one that is there, else the system's package, where that can be installed.
browser:
	@tools/ensure-browser

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or later is needed: make PYTHON=python3.12 ...' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	touch $@

.venv/.run: .venv/.made setup.cfg pyproject.toml constraints.txt
	$(INSTALL) '.[speed]'
	touch $@

.venv/.test: .venv/.run setup.cfg pyproject.toml constraints.txt
	$(INSTALL) '.[speed,test,dev]'
	touch $@

.venv/.fuzz: .venv/.test
	$(INSTALL) '.[speed,test,dev,fuzz]'
	touch $@

.venv/.bench: .venv/.run
	$(INSTALL) '.[speed,bench]'
	touch $@

# Clients that nobody here wrote, in JavaScript; without npm they are left out (but never where CI is set).
tests/node/node_modules/.made: tests/node/package.json tests/node/package-lock.json
	@if command -v npm >/dev/null; then cd tests/node && npm ci --silent --no-audit --no-fund && touch node_modules/.made; \
	else echo 'npm is not installed: the tests with Node clients are left out' >&2; fi

benchmarks/node/node_modules/.made: benchmarks/node/package.json benchmarks/node/package-lock.json
	@if command -v npm >/dev/null; then cd benchmarks/node && npm ci --silent --no-audit --no-fund --ignore-scripts && touch node_modules/.made; \
	else echo "npm is not installed: Node's ws is left out" >&2; fi

# The load generator, and the server in C that is the limit.
benchmarks/build/%: benchmarks/%.c benchmarks/messages.h
	@command -v $(CC) >/dev/null || { echo 'make bench needs a C compiler: apt install gcc, or make CC=...' >&2; exit 1; }
	@printf '#include <openssl/ssl.h>\n#include <zlib.h>\n' | $(CC) -E - >/dev/null 2>&1 \
	|| { echo 'make bench needs the headers of OpenSSL and zlib: apt install libssl-dev zlib1g-dev' >&2; exit 1; }
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -o $@ $< -lssl -lcrypto -lz

clean:
	rm -rf .venv tests/node/node_modules benchmarks/node/node_modules benchmarks/build build *.egg-info .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
