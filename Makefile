# Every target sets up first; setting up twice takes no time.
PY := .venv/bin/python

.PHONY: setup demo test test-long lint bench docs lock clean

setup:
	@scripts/setup

# The main job: five providers' networks, real packets, real mail, real pages. One portal stays open: see its last lines.
demo: setup
	@.venv/bin/op25b lab run --all --open infonia

test: setup
	$(PY) -m pytest -m "not long" --numprocesses 4 --dist loadfile --no-loadscope-reorder

test-long:
	@scripts/setup long
	$(PY) -m pytest -m long --timeout 1800

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports

bench:
	@scripts/setup bench
	$(PY) bench/run.py

# Writes the reference pages from the code.
docs: setup
	$(PY) docs/generate.py

# Chooses new versions for both lock files.
lock:
	@scripts/lock

# Leaves .venv alone.
clean:
	rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests bench -name '__pycache__' -type d -prune -exec rm -rf {} + 2>/dev/null || true
	find src -name '*.mo' -delete
