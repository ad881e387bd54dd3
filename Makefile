# Tessera. `make` lists the commands.
VENV := .venv
BIN := $(VENV)/bin
CLOUDS := $(VENV)/clouds
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	command -v $$name >/dev/null 2>&1 && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow test-cluster test-clouds dev format lint clean

help: ## List the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(VENV)/installed ## Generate the demo shop, run everything, say what came out
	@$(BIN)/tessera demo

test: $(VENV)/installed-dev ## Run the tests, a file a process, two at a time
	@$(BIN)/python -m pytest -m "not slow and not cluster" --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-slow: $(VENV)/installed-dev ## Run the proofs that take minutes as well
	@$(BIN)/python -m pytest -m "not cluster"

test-cluster: $(VENV)/installed-dev ## Compare all engines, a Spark cluster among them, on three loads and a real shop
	@$(BIN)/python -m pytest -m cluster tests/engines

test-clouds: $(CLOUDS)/installed ## Compile and lint the models for Snowflake, BigQuery and Databricks
	@$(CLOUDS)/bin/python -m pytest tests/engines/test_clouds.py

dev: $(VENV)/installed ## Open Dagster: the graph, runs, checks, schedules
	@$(BIN)/tessera dev

install: $(VENV)/installed-dev ## Make the virtual environment, with the tools for development

format: $(VENV)/installed-dev ## Format Python and SQL
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix . && $(BIN)/sqlfmt dbt_project/models sql_traits

lint: $(VENV)/installed-dev ## Check Python and SQL
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/sqlfmt --check dbt_project/models sql_traits

clean: ## Remove the virtual environment and what dbt compiled (never your data)
	rm -rf $(VENV) dbt_project/target dbt_project/dbt_packages

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found; install it, or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock | $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.lock
	@touch $@

# An environment of its own: the three adapters fit together, but not with requirements.lock.
$(CLOUDS)/installed: requirements-clouds.lock pyproject.toml | $(VENV)/bin/python
	@$(BIN)/python -m venv $(CLOUDS)
	$(CLOUDS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-clouds.lock
	$(CLOUDS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
