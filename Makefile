# make report   set up .venv and write the scaling-law report of a three-layer MLP on handwritten digits to report/
# make test     set up .venv; lint, type-check, doctests and tests
# make test-long  the statistical suites
# make notebooks  executes the notebooks in place
# make bench    the benchmarks; results are explained in docs/benchmarks.md

PYTHON ?= python3
BIN := .venv/bin
PINS := pyproject.toml constraints.txt

.PHONY: report test test-long bench notebooks lint wheel clean

report: .venv/.stamp-report
	$(BIN)/tensorprog verify mlp -o depth=3 --inputs digits --widths 64..2048 --samples 1600 --operator-samples 60 --proofs 0,2 --seed 0 --out report || [ $$? -eq 1 ]

test: .venv/.stamp-test lint
	$(BIN)/pytest -n auto --dist worksteal -m "not long" --doctest-modules --doctest-glob='*.md' tests tensorprog docs README.md

test-long: .venv/.stamp-test
	$(BIN)/pytest -n auto --dist worksteal -m long tests

lint: .venv/.stamp-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.stamp-test
	$(BIN)/python -m benchmarks

notebooks: .venv/.stamp-test
	$(BIN)/python -m notebooks

wheel: .venv/.stamp-test
	$(BIN)/python -m build --wheel

clean:
	rm -rf .venv build dist report *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/.stamp-venv:
	$(PYTHON) -c 'import sys; sys.exit("tensorprog needs Python 3.11 or newer; set PYTHON=...") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv .venv
	touch $@

.venv/.stamp-report: .venv/.stamp-venv $(PINS)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[digits]'
	touch $@

.venv/.stamp-test: .venv/.stamp-venv $(PINS)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[digits,test]'
	touch $@
