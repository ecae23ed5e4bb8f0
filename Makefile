# Needs Python 3.11 or newer, git and make. Everything else goes into .venv, from the package
# registry that pip is set up with, and only what the hashes in requirements/ allow.

PYTHON ?= python3
BIN    := .venv/bin
READY  := .venv/ready
LOCK   := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
          --generate-hashes --no-header --no-annotate $(if $(UPGRADE),--upgrade)
OURS   := src tests bench scripts
# of the vendor's SDK, beside the one in the environment: each in a folder of its own
BESIDE := 2.0.0b2 2.0.0b4

.DELETE_ON_ERROR:
.PHONY: help demo test check format soak bench lock clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY)-runtime ## install, and run the demo on the local world
	@$(BIN)/vedette demo

test: $(READY)-dev ## install, and run the tests
	@$(BIN)/pytest

check: $(READY)-dev ## format, lint, types, import contracts, docs
	$(BIN)/ruff format --check $(wildcard $(OURS))
	$(BIN)/ruff check $(wildcard $(OURS))
	$(BIN)/mypy
	$(BIN)/mypy tests/typed.py
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_docs.py

format: $(READY)-dev ## put every file into its form
	$(BIN)/ruff format $(wildcard $(OURS))
	$(BIN)/ruff check --fix $(wildcard $(OURS))

soak: $(READY)-dev ## the long proofs, left out of `make test`
	@$(BIN)/pytest -m soak -n 0

bench: $(READY)-dev ## measure side by side and write bench/RESULTS.md
	@$(BIN)/python bench/run.py

lock: $(READY)-dev ## remake requirements/ from pyproject.toml; UPGRADE=1 takes newer releases
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) --group dev pyproject.toml -o requirements/dev.txt
	$(LOCK) -c requirements/dev.txt pyproject.toml -o requirements/runtime.txt
	$(LOCK) -c requirements/dev.txt --group build -o requirements/build.txt
	@for one in $(BESIDE); do \
	    echo "azure-mgmt-securityinsight==$$one" | \
	        $(LOCK) --no-deps -o requirements/sdk-$$one.txt - || exit 1; done

clean: ## remove everything that was made here
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Compiled by hand and on all cores: pip does it on one, and PYTHONDONTWRITEBYTECODE in the
# environment would leave our own tree to be compiled anew at every start.
define install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	    --require-hashes --no-deps $(foreach file,$(1),-r requirements/$(file).txt)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	    --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -qq -j 0 .venv/lib src || true
	@touch $@
endef

$(READY)-runtime: requirements/runtime.txt requirements/build.txt pyproject.toml | $(READY)-venv
	$(call install,runtime build)

$(READY)-dev: requirements/dev.txt $(BESIDE:%=requirements/sdk-%.txt) pyproject.toml | $(READY)-venv
	@for one in $(BESIDE); do \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	        --no-deps --upgrade --target .venv/sdk/$$one -r requirements/sdk-$$one.txt || exit 1; done
	$(call install,dev)
	@touch $(READY)-runtime

$(READY)-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vedette needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	@touch $@
