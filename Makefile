# Each target sets up what it needs: the first run makes .venv, the next ones start at once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# What has been installed into .venv: the product, and the tools that test it.
PRODUCT := $(VENV)/.product
TOOLS := $(VENV)/.tools
# The server in JavaScript that the tests ask, and what judges the page's accessibility.
MODULES := tests/servers/node_modules
# The server that speaks S3's protocol to the tests: its libraries do not go together with ours.
S3 := tests/servers/s3/site
AXE := tests/ui/node_modules
# Most tests wait for sockets and processes: more of them at a time than there are cores.
PROCESSES ?= 3
# The browser that the tests drive.
CHROMIUM := /usr/bin/chromium

# The documentation page of the original API, where it lies beside the checkout; else our own program is run.
PAGE := $(wildcard ../shared/seed/workflow-execution-api.txt)

.DEFAULT_GOAL := help
.PHONY: help client schema demo serve test postgresql chromium screenshots lint docs bench storm differential lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(PRODUCT) ## the documentation's example program against a server, a sample upstream and proxies
	@$(BIN)/swath demo $(PAGE:%=--page %) $(ARGS)

serve: $(PRODUCT) ## API, web page and a worker on this machine; ARGS="--port 8400"
	@$(BIN)/swath serve $(ARGS)

test: lint $(MODULES)/.installed $(S3)/.installed $(AXE)/.installed postgresql chromium ## everything that CI runs; ARGS="-k name" chooses tests
	@$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile $(ARGS) || { echo $$? > .pytest_cache/status; exit 1; }

lint: $(TOOLS) ## style, types and import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: $(TOOLS) ## the documentation as a site, in docs/build/html
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/build/html
	@echo "docs/build/html/index.html"

screenshots: $(TOOLS) chromium ## pictures of every view of the page, into docs/images; ARGS chooses views
	@fc-list | grep -qi emoji || $(AS_ROOT) apt-get -qq install -y --no-install-recommends fonts-noto-color-emoji >&2
	@$(BIN)/python -m tests.ui.screenshots $(ARGS)

bench: $(TOOLS) ## measure; ARGS chooses benchmarks
	@$(BIN)/python -m benchmarks $(ARGS)

# The tests start a server of their own from these programs.
POSTGRESQL = $(wildcard /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb) $(shell command -v initdb)
AS_ROOT = $(if $(filter 0,$(shell id -u)),,sudo)

postgresql:
	@test -n "$(strip $(POSTGRESQL))" || { echo "Installing PostgreSQL for the tests ..." >&2; \
	$(AS_ROOT) apt-get -qq update && $(AS_ROOT) apt-get -qq install -y --no-install-recommends postgresql >&2; } || \
	{ echo "The tests need PostgreSQL's programs (initdb, pg_ctl): install them, then run make test again." >&2; exit 1; }

chromium:
	@test -x $(CHROMIUM) || { echo "Installing Chromium for the tests ..." >&2; \
	$(AS_ROOT) apt-get -qq update && $(AS_ROOT) apt-get -qq install -y --no-install-recommends chromium >&2; } || \
	{ echo "The tests need Debian's $(CHROMIUM): install it, then run make test again." >&2; exit 1; }

storm: $(TOOLS) $(S3)/.installed postgresql ## a hundred kills at random moments on either database: the same bytes; takes a quarter of an hour
	@$(BIN)/python -m pytest -m slow tests/acceptance -s $(ARGS)

differential: $(TOOLS) $(MODULES)/.installed ## the same lists by Swath and by dlt's REST client: the same rows
	@$(BIN)/python -m pytest -m slow tests/servers/test_dlt.py $(ARGS)

client: $(TOOLS) ## make the synchronous client anew of the asynchronous one
	@$(BIN)/python tools/sync_client.py > .client && mv .client src/swath/client/synchronous.py

schema: $(PRODUCT) ## write docs/formula.schema.json anew, by which editors check formulas
	@$(BIN)/python -c 'import json; from swath.flow.formula import schema; print(json.dumps(schema(), indent=2))' > docs/formula.schema.json

lock: $(BIN)/python ## resolve the dependencies anew; UPGRADE=--upgrade takes the newest
	@$(PIP) install 'uv>=0.9,<1'
	@$(call compile,requirements.lock,pyproject.toml --group build)
	@$(call compile,requirements-dev.lock,pyproject.toml --group dev --constraint requirements.lock)
	@$(call compile,tests/servers/dlt/requirements.lock,tests/servers/dlt/requirements.in)
	@$(call compile,tests/servers/s3/requirements.lock,tests/servers/s3/requirements.in)
	@cd $(MODULES)/.. && npm install --silent --package-lock-only
	@cd $(AXE)/.. && npm install --silent --package-lock-only

compile = $(BIN)/uv pip compile $(2) --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command 'make lock' $(UPGRADE) --output-file $(1)

clean: ## forget .venv and all caches
	rm -rf $(VENV) $(MODULES) $(S3) $(AXE) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Swath needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	@$(PYTHON) -m venv $(VENV)

$(PRODUCT): requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing Swath into $(VENV) ..." >&2
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(TOOLS): requirements-dev.lock $(PRODUCT)
	@echo "Installing the tools of make test into $(VENV) ..." >&2
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

$(S3)/.installed: tests/servers/s3/requirements.lock | $(BIN)/python
	@echo "Installing an S3 server into $(S3) ..." >&2
	@rm -rf $(S3)
	@$(PIP) install --require-hashes --no-deps --target $(S3) -r $<
	@touch $@

%/node_modules/.installed: %/package-lock.json
	@echo "Installing what $< locks ..." >&2
	@cd $(@D)/.. && npm ci --silent
	@touch $@
