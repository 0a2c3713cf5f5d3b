# Every target makes its own virtual environment when there is none.
#   make demo    the main job on real data, ends with the path of the picture
#   make test    the test suite            make lint    ruff, docstrings, Lua's contracts and syntax, spelling
#   make coverage   the test suite, and that it reaches the share of lines and branches that pyproject.toml asks for
#   make types   mypy --strict             make bench   speed against pycwt, in one run
#   make examples  the programs of tools/examples, each of which checks its own results
#   make docs    the documentation site, in site/    make install  the package alone, for use
#   make dist    wheel and sdist in dist/, checked, the wheel installed and used    make audit  known vulnerabilities
#   make cost    what jobs cost on the board: docs/cost.md    make cost-check    whether that has grown
#   make attack  kills, damaged files, hostile boards and faults of the line: ten minutes; findings at the end
#   make study   the performance study: measures 15 to 20 minutes, writes docs/performance.md and docs/comparison.md;
#                started again after an interruption, it goes on with the parts that are missing
#   make study-quick   every part of it on small sizes, into a temporary folder
#   make study-pages   its pages again from the numbers that are there

PYTHON ?= python3
VENV ?= .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif

.PHONY: install demo emblua attack test coverage lint types bench cost cost-check examples study study-quick study-pages docs dist audit clean
.DELETE_ON_ERROR:

$(VENV)/.made:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.core: pyproject.toml $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,plot]'
	touch $@ $(VENV)/.core

$(VENV)/.study: pyproject.toml $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[study]'
	touch $@ $(VENV)/.core

$(VENV)/.docs: pyproject.toml $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@ $(VENV)/.core

$(VENV)/.release: pyproject.toml $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[release]'
	touch $@ $(VENV)/.core

install: $(VENV)/.core

demo: $(VENV)/.core
	$(BIN)/elm11 demo

# The board's Lua, for the tests: built once, before several processes of pytest ask for it. Where it cannot be built,
# tests skip and say why.
emblua: $(VENV)/.made
	@for machine in "" "--m32" "--machine line" "--machine each"; do \
	    $(BIN)/python tools/emblua/build.py $$machine >/dev/null 2>&1 || true; done

test: $(VENV)/.dev emblua
	$(BIN)/python -m pytest -n auto --dist worksteal

coverage: $(VENV)/.dev emblua
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report term

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/lint/docstrings.py
	$(BIN)/python tools/lint/lint_lua.py
	git ls-files -z | xargs -0 $(BIN)/codespell

types: $(VENV)/.dev
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python tools/bench/bench.py

examples: $(VENV)/.dev
	@for example in tools/examples/*.py; do printf '\n== %s\n' "$$example"; $(BIN)/python "$$example" || exit 1; done

cost: $(VENV)/.dev
	$(BIN)/python tools/cost/cost_table.py

cost-check: $(VENV)/.dev
	$(BIN)/python tools/cost/cost_table.py --check

attack study study-quick study-pages: export PYTHONPATH = tools

study: $(VENV)/.study
	$(BIN)/python -m study

study-quick: $(VENV)/.study
	$(BIN)/python -m study --quick

study-pages: $(VENV)/.dev
	$(BIN)/python -m study --pages-only

attack: $(VENV)/.dev
	$(BIN)/python -m attack

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

dist: $(VENV)/.release
	$(BIN)/python tools/release/check_dist.py

audit: $(VENV)/.release
	$(BIN)/python -m pip freeze --exclude-editable > $(VENV)/audit.txt
	$(BIN)/python -m pip_audit --strict --progress-spinner off --disable-pip --no-deps --requirement $(VENV)/audit.txt

clean:
	rm -rf $(VENV) build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis
