# Every target sets up .venv by itself; `make test` on a fresh clone is enough.
PYTHON ?= python3
BIN := .venv/bin
export ANYVIEW_DATA ?= $(wildcard $(abspath ../shared/data))
# some images set it; the suite's many processes would each compile every file
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test check evidence faults fuzz supply bench docs format clean

install: .venv/.installed
demo: install
	$(BIN)/anyview demo
test: install
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)
check: install
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/build.py --check
evidence: install
	@test -n "$(SYSTEM)" || { echo 'error: name the system: make evidence SYSTEM=simclr'; exit 2; }
	$(BIN)/python -m evidence.run $(SYSTEM) $(ARGS)
# threads of NumPy could not be forked
faults: install
	OMP_NUM_THREADS=1 $(BIN)/python -m faults.run $(ARGS)
supply: install .venv/.supply
	$(BIN)/python -m faults.supply $(ARGS)
fuzz: install .venv/.fuzz
	$(BIN)/python -m faults.guided $(ARGS)
bench: install .venv/.bench
	$(BIN)/python -m benchmarks.run $(ARGS)
docs: install
	$(BIN)/python docs/build.py
format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
clean:
	rm -rf .venv runs

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: anyview needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
.venv/.installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $@
# an extra: .venv/.bench, .venv/.fuzz, .venv/.supply
.venv/.%: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[$*]"
	@touch $@
