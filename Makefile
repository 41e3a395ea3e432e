# Two commands matter: `make run` and `make test`. Nothing but python3 (3.11 or newer), make and git is assumed; where
# there is a C++ compiler, the kernel of the matcher is compiled and answers faster; where there is npm, it brings htmx,
# and the portal's pages change in parts.

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
BENCH := $(VENV)/.installed-bench
ASSETS := $(VENV)/.assets
TEST_ASSETS := $(VENV)/.assets-of-tests
PYTEST := $(BIN)/python -m pytest
JOBS ?= 2
ARGS ?=

# What touches a database runs on PostgreSQL as well. Faults start the servers that they harm by themselves; the browser
# sees pages that the tests of the portal have read there, too. `INDICIA_TEST_DATABASE=postgresql make test ARGS=...`
# narrows it on PostgreSQL. Laws are tried with fewer examples the second time: it is the SQL that differs.
ON_POSTGRESQL := $(addprefix tests/,integration/store integration/services integration/web wire acceptance)

# What the kernel is compiled from, and a stamp that is another one as soon as there is a compiler.
NATIVE := $(wildcard native/CMakeLists.txt native/kernel/*.[ch]pp native/bindings/*.[ch]pp)
COMPILER := $(VENV)/.compiler-$(shell tools/find_compiler >/dev/null && echo found || echo missing)
# The same of npm: what it brings is tried again when it has appeared, or its lock has changed.
NPM := $(VENV)/.npm-$(shell command -v npm >/dev/null && echo found || echo missing)
FROM_NPM := package.json package-lock.json .npmrc tools/assets.py
CMAKE := $(BIN)/cmake -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN)/ninja) -S native
CTEST := $(BIN)/ctest --output-on-failure --no-tests=ignore --parallel $(JOBS)
# make fuzz: for how long each target runs, which ones, and with what they are compiled.
SECONDS ?= 60
TARGETS ?= $(basename $(notdir $(wildcard native/fuzz/fuzz_*.cpp)))
CLANG ?= clang++

.PHONY: help run install test quick check format-check lint types imports links rules fix bench lock clean \
	wheel native-test sanitize fuzz fuzz-build fuzz-keep assets screenshots

help: ## list what can be done (this)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUNTIME) $(ASSETS) ## install what is needed, then serve on this machine and print what to try
	@exec $(BIN)/indicia serve --first-run $(ARGS)

install: $(RUNTIME) $(ASSETS) ## install Indicia into .venv: the command is .venv/bin/indicia
	@echo "installed: $(BIN)/indicia"

test: $(DEV) $(TEST_ASSETS) $(if $(ARGS)$(filter %missing,$(COMPILER)),,native-test) ## set up and pass the whole suite, on SQLite and on PostgreSQL (ARGS="-k word" narrows it)
	@$(BIN)/python tools/install_programs.py packages.apt
	$(PYTEST) -n $(JOBS) $(ARGS)
	$(if $(ARGS),,INDICIA_TEST_DATABASE=postgresql $(PYTEST) --hypothesis-profile=quick -n $(JOBS) $(ON_POSTGRESQL))

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

wheel: $(RUNTIME) $(ASSETS) ## build a wheel with the kernel in it into dist/ (needs a C++ compiler)
	@rm -f build/wheel.log
	INDICIA_KERNEL_REQUIRED=1 $(PIP) --log build/wheel.log wheel --no-deps --no-build-isolation --wheel-dir dist . || \
		{ echo "build/wheel.log says more" >&2; exit 1; }
	ls -sh dist/*.whl

native-test: $(DEV) ## test the kernel by itself: native/tests, and the inputs that fuzzing has kept
	@$(CMAKE) -B build/native -DINDICIA_PYTHON=OFF -DINDICIA_TESTS=ON >/dev/null
	$(BIN)/cmake --build build/native
	$(CTEST) --test-dir build/native

# The module is put beside a copy of src, which Python finds before .venv: -S leaves out what .venv says of src itself.
# libstdc++ is loaded with the sanitizer, which otherwise finds nobody to hand a C++ exception on to.
sanitize: $(DEV) ## native-test and the unit tests of the matcher, under sanitizers (g++)
	@$(CMAKE) -B build/sanitize -DCMAKE_CXX_COMPILER=g++ -DCMAKE_BUILD_TYPE=RelWithDebInfo -DINDICIA_SANITIZE=ON \
		-DINDICIA_TESTS=ON -DPython_EXECUTABLE=$(abspath $(BIN)/python) >/dev/null
	$(BIN)/cmake --build build/sanitize
	$(CTEST) --test-dir build/sanitize
	rm -rf build/sanitize/python
	$(BIN)/cmake --install build/sanitize --prefix build/sanitize/python >/dev/null
	cp -r src/indicia build/sanitize/python/
	packages=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
	export PYTHONPATH=$(abspath build/sanitize/python):$$packages PYTHONMALLOC=malloc
	export LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libstdc++.so.6)"
	export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
	$(BIN)/python -S -c 'from indicia.matcher import _kernel; assert "/build/sanitize/" in _kernel.__file__, _kernel.__file__'
	$(BIN)/python -S -m pytest --capture=sys -p no:schemathesis -p no:cacheprovider tests/unit/matcher $(ARGS)

fuzz: fuzz-build ## fuzz the kernel with clang, each target for SECONDS=60 (TARGETS="one other" chooses)
	@for target in $(TARGETS); do
		mkdir -p build/fuzz/corpus/$$target native/fuzz/corpus/$$target
		echo "fuzzing $$target for $(SECONDS) seconds"
		build/fuzz/$$target build/fuzz/corpus/$$target native/fuzz/corpus/$$target -max_total_time=$(SECONDS) \
			-timeout=10 -verbosity=0 -print_final_stats=1 -artifact_prefix=build/fuzz/found-$$target- $(ARGS)
	done

fuzz-keep: fuzz-build ## keep in native/fuzz/corpus/ what fuzzing found that reaches new code
	@for target in $(TARGETS); do
		mkdir -p build/fuzz/corpus/$$target native/fuzz/corpus/$$target
		build/fuzz/$$target -merge=1 -verbosity=0 native/fuzz/corpus/$$target build/fuzz/corpus/$$target
		echo "$$target: $$(find native/fuzz/corpus/$$target -type f | wc -l) inputs kept"
	done

fuzz-build: $(DEV)
	@command -v $(CLANG) >/dev/null || { echo "fuzzing needs clang++, which brings libFuzzer; on Debian: apt install clang" >&2; exit 1; }
	$(CMAKE) -B build/fuzz -DCMAKE_CXX_COMPILER=$(CLANG) -DCMAKE_BUILD_TYPE=RelWithDebInfo -DINDICIA_SANITIZE=ON \
		-DINDICIA_FUZZ=ON -DINDICIA_PYTHON=OFF >/dev/null
	$(BIN)/cmake --build build/fuzz

assets: $(DEV) ## bring what npm has to bring, also after it failed
	@$(BIN)/python tools/assets.py --tests
	touch $(ASSETS) $(TEST_ASSETS)

screenshots: $(DEV) $(TEST_ASSETS) ## make pictures of every page into docs/images (needs chromium)
	@$(BIN)/python tools/install_programs.py packages.apt
	$(BIN)/python -m tools.screenshots $(ARGS)

bench: $(BENCH) $(ASSETS) ## measure against peers and write bench/RESULTS.md
	$(BIN)/python -m bench $(ARGS)

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock"

lock: $(DEV) ## write requirements/ anew from pyproject.toml (ARGS=--upgrade takes newer releases)
	$(LOCK) $(ARGS) pyproject.toml --group build -o requirements/runtime.txt
	$(LOCK) $(ARGS) pyproject.toml --group build --group dev --all-extras -c requirements/runtime.txt -o requirements/dev.txt
	$(LOCK) $(ARGS) pyproject.toml --group build --extra postgres -c requirements/dev.txt -o requirements/postgres.txt
	$(LOCK) $(ARGS) --group bench -c requirements/dev.txt -o requirements/bench.txt

clean: ## remove .venv, caches and build results; your data is elsewhere and stays
	rm -rf $(VENV) build dist node_modules src/indicia/web/static/vendor .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests tools bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# Each stamp is newer than what it was made from, so that a warm run installs nothing.

$(BIN)/python:
	@python=$$(tools/find_python)
	echo "making $(VENV) with $$("$$python" --version)"
	"$$python" -m venv $(VENV) || { rm -rf $(VENV); echo "no virtual environment could be made; on Debian: apt install python3-venv" >&2; exit 1; }

# pip is quiet, and its log is not: where the kernel could not be compiled, one line says so and why.
define install_indicia
mkdir -p build
rm -f build/install.log
$(PIP) --log build/install.log install --no-deps --no-build-isolation -e . || { echo "build/install.log says more" >&2; exit 1; }
$(BIN)/python tools/kernel_state.py build/install.log
endef

$(COMPILER): | $(BIN)/python
	@rm -f $(VENV)/.compiler-*
	touch $@

$(NPM): | $(BIN)/python
	@rm -f $(VENV)/.npm-*
	touch $@

# Where npm is missing or fails, one line says so, and nothing is tried again until one of these has changed.
$(ASSETS): $(FROM_NPM) $(NPM) | $(BIN)/python
	@$(BIN)/python tools/assets.py
	touch $@

$(TEST_ASSETS): $(FROM_NPM) $(NPM) | $(BIN)/python
	@$(BIN)/python tools/assets.py --tests
	touch $(ASSETS) $@

$(RUNTIME): requirements/runtime.txt pyproject.toml $(NATIVE) $(COMPILER) | $(BIN)/python
	@echo "installing from requirements/runtime.txt"
	$(PIP) install --require-hashes -r requirements/runtime.txt
	$(install_indicia)
	touch $@

$(DEV): requirements/dev.txt requirements/runtime.txt pyproject.toml $(NATIVE) $(COMPILER) | $(BIN)/python
	@echo "installing from requirements/dev.txt"
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(install_indicia)
	touch $(RUNTIME) $@

$(BENCH): requirements/bench.txt $(DEV)
	@echo "installing from requirements/bench.txt"
	$(PIP) install --require-hashes -r requirements/bench.txt
	touch $@
