# Everything a newcomer or CI runs. Needs Python 3.11 or newer; PYTHON=python3.12 chooses another.
PYTHON ?= python3
# How many tests run side by side: most of them wait for servers.
JOBS ?= 3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint bench docs clean

demo: $(VENV)/installed
	@$(BIN)/gizzi demo

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/installed-test
	@for file in benchmarks/*.py; do case $$file in */_*) ;; *) $(BIN)/python $$file || exit 1 ;; esac; done

docs: $(VENV)/installed-test
	$(BIN)/python docs/build.py

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Gizzi needs Python 3.11 or newer; try make PYTHON=python3.12")'
	@echo "Installing Gizzi into $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,learn]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
