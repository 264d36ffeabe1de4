# The front door. `make demo` and `make test` need only Python 3.11+, make and a network: they make their own .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# a person's own pip configuration may add warnings, never packages: versions come from constraints.txt
PIP = PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet -c constraints.txt
PYTEST_OPTIONS ?= -n 2
OTHER_PYTHONS ?= 3.12 3.13
# what hardly depends on the Python that runs it: documents, browsers, brokers, kills, servers, whole commands
ELSEWHERE = $(addprefix --ignore tests/,docs browser faults acceptance integrations cli workflow storage)
BENCH ?=
BENCH_EXTRA ?= bench
# the OpenSSF command needs pyopenssl and does not ask for it; it signs and verifies in an environment of its own
MODEL_SIGNING ?= model-signing==1.1.1 pyopenssl==26.4.0

# arrays here are short: threads of the linear algebra library only wait for each other, ten times as long when cores are shared
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-spark test-model-signing check lint types contracts pages docs docs-serve doctest nightly bench bench-engines test-all-pythons constraints clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.has-runtime  ## the demonstration: a year of real flights through the loop; report, project and evidence in demo/
	$(BIN)/calibrant demo --output demo

test: $(VENV)/.has-test  ## the quick tests and doctests
	$(BIN)/python -m pytest -q -m "not theory" $(PYTEST_OPTIONS)

nightly: $(VENV)/.has-test  ## the theorems by simulation (slow)
	$(BIN)/python -m pytest -q -m theory $(PYTEST_OPTIONS)

test-spark: .venv-spark/.has-spark  ## the join on Spark in local mode (needs Java 17) and on ClickHouse's engine
	@command -v java >/dev/null || { echo "Java 17 or newer is needed for Spark"; exit 2; }
	CI_SPARK=true CI_CLICKHOUSE=true .venv-spark/bin/python -m pytest -q -n 0 \
	  tests/integrations/test_engines_spark.py tests/integrations/test_engines_clickhouse.py

test-model-signing: .venv-model-signing/.has-model-signing $(VENV)/.has-test  ## artifacts against OpenSSF's model_signing command
	CI=true $(BIN)/python -m pytest -q -n 0 tests/artifacts/test_model_signing.py

check: lint types contracts docs test  ## lint, types, import contracts, docs, doctests, tests

lint: $(VENV)/.has-dev  ## ruff: rules and format
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/ruff format --check src tests benchmarks examples

types: $(VENV)/.has-dev  ## mypy --strict
	$(BIN)/mypy --strict

contracts: $(VENV)/.has-dev  ## which room may import which
	$(BIN)/lint-imports

pages: $(VENV)/.has-dev  ## write docs/errors.md, docs/cli.md, docs/runbooks and the table of roles from the source
	$(BIN)/python docs/errors_page.py
	$(BIN)/python docs/cli_page.py
	$(BIN)/python docs/registry_page.py
	$(BIN)/python docs/runbooks_page.py

docs: $(VENV)/.has-dev  ## build the documentation into site/, warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-serve: $(VENV)/.has-dev  ## read the documentation in a browser
	$(BIN)/mkdocs serve

doctest: $(VENV)/.has-test  ## the examples in docstrings alone
	$(BIN)/python -m pytest -q src

bench: .venv-bench/.has-$(BENCH_EXTRA)  ## benchmarks against peers; BENCH="--rows 1000000" for a small run, BENCH_EXTRA=bench-torch for more peers
	env -u OPENBLAS_NUM_THREADS .venv-bench/bin/python -m benchmarks --write $(BENCH)

bench-engines: .venv-spark/.has-spark  ## whole queries on DuckDB and Spark; BENCH="--duckdb 1e6 1e8 --spark 1e6" for the rows of each
	.venv-spark/bin/python -m benchmarks.engines $(BENCH)

# Other Pythons, where the machine has them: pyenv's, or python3.X on the PATH.
test-all-pythons:  ## the tests on Python 3.12 and 3.13 where they lie
	@for version in $(OTHER_PYTHONS); do \
	  found=""; \
	  for candidate in $$HOME/.pyenv/versions/$$version*/bin/python $$(command -v python$$version); do \
	    if [ -x "$$candidate" ] && "$$candidate" -c 'import venv' 2>/dev/null; then found="$$candidate"; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then echo "Python $$version: not on this machine, not tested"; continue; fi; \
	  echo "Python $$version: $$found"; \
	  $(MAKE) --no-print-directory test VENV=.venv-$$version PYTHON="$$found" \
	    PYTEST_OPTIONS="$(PYTEST_OPTIONS) $(ELSEWHERE)" || exit 1; \
	done

constraints: $(VENV)/.has-dev .venv-bench/.has-$(BENCH_EXTRA) .venv-spark/.has-spark  ## write constraints.txt from what is installed
	{ sed -n '/^#/p' constraints.txt; \
	  for one in $(VENV) .venv-bench .venv-spark; do $$one/bin/python -m pip freeze --exclude-editable; done \
	  | grep '==' | sort -fu; } > constraints.new && mv constraints.new constraints.txt

clean:  ## remove what the other targets made
	rm -rf .venv .venv-bench .venv-model-signing .venv-spark $(addprefix .venv-,$(OTHER_PYTHONS)) site demo \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# ---- environments: a stamp for each, so that nothing is installed twice

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.has-runtime: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(VENV)/.has-test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[test]'
	@touch $@

$(VENV)/.has-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.has-test $(VENV)/.has-runtime

.venv-bench/.has-$(BENCH_EXTRA): pyproject.toml constraints.txt
	test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	PIP_DISABLE_PIP_VERSION_CHECK=1 .venv-bench/bin/python -m pip install --quiet -c constraints.txt -e '.[$(BENCH_EXTRA)]'
	@touch $@

.venv-spark/.has-spark: pyproject.toml constraints.txt
	test -x .venv-spark/bin/python || $(PYTHON) -m venv .venv-spark
	PIP_DISABLE_PIP_VERSION_CHECK=1 .venv-spark/bin/python -m pip install --quiet -c constraints.txt -e '.[test-engines]'
	@touch $@

.venv-model-signing/.has-model-signing: Makefile constraints.txt
	test -x .venv-model-signing/bin/python || $(PYTHON) -m venv .venv-model-signing
	PIP_DISABLE_PIP_VERSION_CHECK=1 .venv-model-signing/bin/python -m pip install --quiet -c constraints.txt $(MODEL_SIGNING)
	@touch $@
