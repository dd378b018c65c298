# Two commands do all set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
unexport PYTHONDONTWRITEBYTECODE  # tests start many processes: each would compile the kit anew

.PHONY: demo test soak bench pages size lab lint demo-data clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/.core
	$(PIP) install -c constraints.txt -e '.[test]'
	touch $@

demo: $(VENV)/.core
	$(BIN)/evalkit batch params/demo/projects.csv --out outputs
	$(BIN)/evalkit batch params/demo/filed.csv --out outputs/填报表
	$(BIN)/evalkit batch params/demo/standards.csv --out outputs/成本标准
	$(BIN)/evalkit batch params/demo/science.csv --out outputs/权重与满意度

test: $(VENV)/.test lint
	$(BIN)/python -m pytest -q -n auto --dist loadgroup

soak: $(VENV)/.test
	EVALKIT_SOAK=1 $(BIN)/python -m pytest -q -n auto --dist loadgroup

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tests/tools/size.py --check

bench: $(VENV)/.test
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

pages: $(VENV)/.core
	$(BIN)/python tests/tools/pages.py outputs --out outputs/pages

size: $(BIN)/python
	$(BIN)/python tests/tools/size.py

lab: $(VENV)/.core
	$(BIN)/evalkit lab

demo-data: $(VENV)/.core
	$(BIN)/python tests/demo/build.py
	$(BIN)/python tests/demo/standards.py
	$(BIN)/python tests/demo/survey.py
	$(BIN)/python tests/demo/weights.py
	$(BIN)/python tests/demo/drawn.py

clean:
	rm -rf $(VENV) outputs/* .mypy_cache .ruff_cache .pytest_cache
