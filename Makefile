# `make demo` and `make test` need only Python 3.11, Git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ORACLES := .venv-oracles
TRAINING := .venv-training
TORCH := torch==2.13.0
ROWS ?= 1M

.PHONY: venv demo test oracles browser spark training ceph lint format docs bench schemas schemas-check wheel check lock clean

venv: $(READY)

$(READY): requirements/uv.txt requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements/dev.txt
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(READY)

demo: $(READY)
	$(BIN)/labelstore demo

test: $(READY)
	$(BIN)/pytest -q -n 2 --dist loadgroup

# Official readers; PyTorch comes by its version alone, for its build depends on the machine.
$(ORACLES)/.ready: requirements/oracles.txt
	$(PYTHON) -m venv $(ORACLES)
	$(ORACLES)/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(ORACLES)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/oracles.txt
	touch $(ORACLES)/.ready

oracles: $(READY) $(ORACLES)/.ready
	$(BIN)/pytest -q -n 2 tests/oracles

# Debian's Chromium, for the page of a difference.
browser: $(READY)
	command -v chromium >/dev/null || (apt-get -qq update && apt-get -qq -y install --no-install-recommends chromium >/dev/null)
	$(BIN)/pytest -q tests/browser

# Spark itself comes with the locked packages; it needs a Java runtime.
spark: $(READY)
	command -v java >/dev/null || (apt-get -qq update && apt-get -qq -y install --no-install-recommends openjdk-17-jre-headless >/dev/null)
	$(BIN)/pytest -q tests/spark

# PyTorch and Hugging Face's library, beside all that `make test` has.
$(TRAINING)/.ready: $(READY) requirements/training.txt
	$(PYTHON) -m venv $(TRAINING)
	VIRTUAL_ENV=$(TRAINING) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements/dev.txt -r requirements/training.txt
	$(TRAINING)/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	VIRTUAL_ENV=$(TRAINING) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(TRAINING)/.ready

training: $(TRAINING)/.ready
	$(TRAINING)/bin/pytest -q tests/pytorch

# Debian's Ceph, for an S3 server that is none of Python's; the packages start no daemon.
ceph: $(READY)
	command -v radosgw ceph-mon ceph-osd >/dev/null || (apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends ceph-mon ceph-osd ceph-common radosgw >/dev/null)
	$(BIN)/pytest -q tests/ceph

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: $(READY)
	$(BIN)/python docs/generate.py --check
	$(BIN)/zensical build --clean --strict --config-file docs/zensical.toml

bench: $(READY) $(TRAINING)/.ready
	$(BIN)/python tests/bench/promises.py --rows $(ROWS)
	$(BIN)/python tests/bench/shapes.py --rows $(ROWS)
	$(BIN)/python tests/bench/peers.py
	$(BIN)/python tests/bench/formats.py
	$(BIN)/python tests/bench/pairing.py
	$(BIN)/python tests/bench/meaning.py --rows $(ROWS)
	$(BIN)/python tests/bench/questions.py --rows $(ROWS)
	$(BIN)/python tests/bench/lineage.py --rows $(ROWS)
	$(TRAINING)/bin/python tests/bench/training.py

schemas: $(READY)
	$(BIN)/labelstore schema export schemas/v1
	$(BIN)/python docs/generate.py

schemas-check: $(READY)
	rm -rf .schemas-now && $(BIN)/labelstore schema export .schemas-now >/dev/null
	diff -r .schemas-now schemas/v1 && rm -rf .schemas-now

wheel: $(READY)
	rm -rf dist
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python
	$(BIN)/check-wheel-contents --toplevel labelstore,labelstore_converters dist/*.whl
	$(BIN)/python tests/wheel.py dist/*.whl

check: lint test oracles browser spark training ceph schemas-check docs wheel

lock:
	cd requirements && for name in uv runtime dev; do \
		uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
			--no-emit-index-url --custom-compile-command "make lock" $$name.in -o $$name.txt; done
	cd requirements && uv pip compile --quiet --no-deps --generate-hashes --universal \
		--python-version 3.11 --no-emit-index-url --custom-compile-command "make lock" \
		oracles.in -o oracles.txt
	cd requirements && uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
		--no-emit-index-url --custom-compile-command "make lock" training.in -o training.txt

clean:
	rm -rf $(VENV) $(ORACLES) $(TRAINING) dist site .schemas-now .mypy_cache .ruff_cache .pytest_cache .hypothesis
