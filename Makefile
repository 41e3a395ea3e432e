# Two commands matter: `make run` and `make test`. Nothing but python3 (3.11 or newer), make and git is assumed.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
RUNTIME := $(VENV)/.installed-runtime
DEV := $(VENV)/.installed-dev
PYTEST := $(BIN)/python -m pytest
JOBS ?= 2
ARGS ?=

.PHONY: help run install test quick check format-check lint types imports links rules fix bench lock clean

help: ## list what can be done (this)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUNTIME) ## install what is needed, then serve on this machine and print what to try
	@exec $(BIN)/indicia serve --first-run $(ARGS)

install: $(RUNTIME) ## install Indicia into .venv: the command is .venv/bin/indicia
	@echo "installed: $(BIN)/indicia"

test: $(DEV) ## set up and pass the whole suite (ARGS="-k word" narrows it)
	@$(BIN)/python tools/install_programs.py packages.apt
	$(PYTEST) -n $(JOBS) $(ARGS)

quick: $(DEV) ## laws and golden files, in seconds
	@paths=(); for path in src/indicia/domain tests/unit tests/golden; do [[ ! -d $$path ]] || paths+=("$$path"); done
	$(PYTEST) --hypothesis-profile=quick -p no:schemathesis -m "not slow" "$${paths[@]}" $(ARGS)

check: format-check lint types imports links rules ## everything that judges the code without running it

format-check: $(DEV)
	$(BIN)/ruff format --check .

lint: $(DEV)
	$(BIN)/ruff check .

types: $(DEV)
	$(BIN)/mypy

imports: $(DEV)
	$(BIN)/lint-imports

links: $(DEV)
	$(BIN)/python tools/dead_links.py .

rules: $(DEV)
	$(PYTEST) -q -p no:schemathesis -p no:cacheprovider tests/unit/test_house_rules.py

fix: $(DEV) ## format, and mend what can be mended mechanically
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format --quiet .

bench: $(DEV) ## measure against peers and write bench/RESULTS.md
	$(BIN)/python -m bench $(ARGS)

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" pyproject.toml --group build

lock: $(DEV) ## write requirements/ anew from pyproject.toml (ARGS=--upgrade takes newer releases)
	$(LOCK) $(ARGS) -o requirements/runtime.txt
	$(LOCK) $(ARGS) --group dev --extra postgres -c requirements/runtime.txt -o requirements/dev.txt

clean: ## remove .venv, caches and build results; your data is elsewhere and stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests tools bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# Each stamp is newer than what it was made from, so that a warm run installs nothing.

$(BIN)/python:
	@python=$$(tools/find_python)
	echo "making $(VENV) with $$("$$python" --version)"
	"$$python" -m venv $(VENV) || { rm -rf $(VENV); echo "no virtual environment could be made; on Debian: apt install python3-venv" >&2; exit 1; }

$(RUNTIME): requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "installing from requirements/runtime.txt"
	$(PIP) install --require-hashes -r requirements/runtime.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(DEV): requirements/dev.txt requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "installing from requirements/dev.txt"
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $(RUNTIME) $@
