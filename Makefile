# Everything a developer or an operator does with this repository starts here: `make help`.
#
# Variables: PYTHON (interpreter the environment is made with), VARIANT (cpu or gpu; found by nvidia-smi),
# STUDY (folder of DICOM for `make demo`), PYTEST_ARGS (passed to pytest), UPGRADE=1 (for `make lock`),
# CI=true (a skipped test is a failure), SHARED and HEADS (data for `make evaluate`; more heads as NAME=PATH).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& command -v $$python && break; done)
VARIANT ?= $(if $(findstring GPU,$(shell nvidia-smi -L 2>/dev/null)),gpu,cpu)
STUDY ?=
SHARED ?= ../shared
HEADS ?=
PYTEST_ARGS ?=

# onnxruntime and onnxruntime-gpu are one package under two names: side by side neither works.
RIVAL_RUNTIME := $(if $(filter gpu,$(VARIANT)),onnxruntime,onnxruntime-gpu)
RUNTIME_LOCK := requirements/$(VARIANT).txt
DEV_LOCK := $(if $(filter gpu,$(VARIANT)),requirements/dev-gpu.txt,requirements/dev.txt)
PROJECT := requirements/build.txt setup.cfg pyproject.toml
RUNTIME_STAMP := $(VENV)/.installed-$(VARIANT)
DEV_STAMP := $(VENV)/.installed-$(VARIANT)-dev

PIP := $(BIN)/python -m pip
PYTEST := $(BIN)/python -m pytest $(if $(filter true 1,$(CI)),--forbid-skips) $(PYTEST_ARGS)
FHIR_SERVER := tests/servers/fhir
FHIR_JAR := $(FHIR_SERVER)/target/fhir-test-server.jar
OHIF := docker/ohif
VIEWER := $(OHIF)/build/pacs-viewer/index.html
SPA := control_api/spa
APP := $(SPA)/dist/index.html
SHELL_SCRIPTS := .ci/run $(wildcard scripts/*.sh docker/*.sh docker/*/*.sh)

##@ Use

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(RUNTIME_STAMP) ## Make .venv with the pinned dependencies and the node in it (gpu where nvidia-smi lists one)

.PHONY: demo
demo: install ## Run the embedded node, send it a study over C-STORE, show the result (STUDY=dir sends your own)
	@$(BIN)/dicom-node demo $(if $(STUDY),--study "$(STUDY)") $$(test -f $(VIEWER) && echo --viewer $(OHIF)/build)

##@ Check

.PHONY: test
test: dev servers lint types ## Everything: servers, lint, types, then every test
	$(PYTEST)

.PHONY: lint
lint: dev $(SPA)/node_modules/.installed ## Ruff, import contracts, the app (ESLint, Prettier), shell scripts, Dockerfile, compose files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	npm --prefix $(SPA) run --silent lint
	$(BIN)/shellcheck $(SHELL_SCRIPTS)
	$(BIN)/hadolint docker/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec $(wildcard docker/compose*.yaml)

.PHONY: types
types: dev $(SPA)/node_modules/.installed ## Mypy, strict, over the five packages, and the compiler over the app
	$(BIN)/mypy
	npm --prefix $(SPA) run --silent check

.PHONY: format
format: dev ## Let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	npm --prefix $(SPA) run --silent format

.PHONY: unit
unit: dev ## Tests that need no server
	$(PYTEST) -m "not integration and not e2e"

.PHONY: integration
integration: dev servers ## Tests against one real server each
	$(PYTEST) -m integration

.PHONY: e2e
e2e: dev servers ## The whole line against all real servers
	$(PYTEST) -m e2e

.PHONY: nightly
nightly: dev servers ## Ten times as many random cases: geometry of whole series, damaged and hostile files
	$(PYTEST) --hypothesis-profile=nightly tests/property tests/hostile

.PHONY: coverage
coverage: dev ## Unit tests with branch coverage
	$(PYTEST) -m "not integration and not e2e" --cov --cov-report=term-missing

.PHONY: bench
bench: dev servers ## Measure; writes JSON and the table of benchmarks/README.md
	$(BIN)/python -m benchmarks

.PHONY: evaluate
evaluate: install ## Measure the default model against its teacher and the phantom's truth (SHARED=dir with data and models)
	$(BIN)/python -m models.brain_structures.training.evaluate \
		--teacher $(SHARED)/models/brainchop-meshnet/model18cls_labels.onnx \
		adult-A=$(SHARED)/data/mr-t1-defaced-adult-192/dicom \
		adult-B=$(SHARED)/data/mr-t1-memprage-sag-adult/dicom \
		adult-C=$(SHARED)/data/nifti-nrrd-extra/t1_crop.nii.gz $(HEADS)

##@ Prepare

.PHONY: dev
dev: $(DEV_STAMP) ## Like install, with the development tools

.PHONY: servers
servers: ## Install the real servers of the tests where possible (Debian packages, as root; FHIR by Maven, OHIF by npm)
	@scripts/install-test-servers.sh
	@$(MAKE) --no-print-directory $(FHIR_JAR)
	@$(MAKE) --no-print-directory $(VIEWER)
	@$(MAKE) --no-print-directory $(APP)

.PHONY: spa
spa: $(APP) ## Build the single-page app with its pinned npm packages, in control_api/spa/dist

.PHONY: viewer
viewer: $(VIEWER) ## Make the OHIF viewer from its pinned npm package, in docker/ohif/build

.PHONY: lock
lock: dev ## Write requirements/*.txt anew from setup.cfg (UPGRADE=1 takes the newest versions)
	$(call compile,requirements/build.in,build.txt)
	$(call compile,setup.cfg --extra cpu,cpu.txt)
	$(call compile,setup.cfg --extra gpu,gpu.txt)
	$(call compile,setup.cfg --extra cpu --extra dev -c requirements/cpu.txt,dev.txt)
	$(call compile,setup.cfg --extra gpu --extra dev -c requirements/gpu.txt -c requirements/dev.txt,dev-gpu.txt)

.PHONY: clean
clean: ## Remove what tools left behind; the environment and data stay
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage coverage.xml
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## Remove the environment, the viewer and the app too
	rm -rf $(VENV) *.egg-info $(OHIF)/build $(SPA)/dist $(SPA)/node_modules

define compile
$(BIN)/uv pip compile $(1) --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" --quiet $(if $(UPGRADE),--upgrade) --output-file requirements/$(2)
endef

define install_from
@echo "Installing $(1) into $(VENV); the first time this takes a minute or two."
@rm -f $(VENV)/.installed-*
$(PIP) install --disable-pip-version-check --require-hashes -r requirements/build.txt
$(PIP) uninstall --yes --quiet $(RIVAL_RUNTIME) 2>/dev/null
$(PIP) install --disable-pip-version-check --require-hashes -r $(1)
$(PIP) install --disable-pip-version-check --no-deps --no-build-isolation --editable .
endef

$(FHIR_JAR): $(FHIR_SERVER)/pom.xml $(shell find $(FHIR_SERVER)/src -type f 2>/dev/null)
	@command -v mvn >/dev/null || { echo "Maven is missing; the tests against a FHIR server will fail." >&2; exit 0; }; \
	echo "Building the FHIR test server; the first time Maven fetches its libraries."; \
	mvn --batch-mode --quiet --file $(FHIR_SERVER)/pom.xml package && touch $@ \
		|| echo "The FHIR test server could not be built; the tests that need it will fail." >&2

$(VIEWER): $(OHIF)/prepare_ohif.py $(OHIF)/app-config.js
	@command -v npm >/dev/null || { echo "npm is missing; the tests that look at results in OHIF will fail." >&2; exit 0; }; \
	echo "Making the OHIF viewer; its package has 50 MB."; \
	"$(PYTHON)" $(OHIF)/prepare_ohif.py $(OHIF)/build/pacs-viewer && touch $@ \
		|| echo "The OHIF viewer could not be made; the tests that look at results in it will fail." >&2

$(SPA)/node_modules/.installed: $(SPA)/package-lock.json
	npm --prefix $(SPA) ci --no-fund --no-audit --loglevel=error
	@touch $@

$(APP): $(SPA)/package-lock.json $(SPA)/index.html $(SPA)/vite.config.ts $(shell find $(SPA)/src -type f 2>/dev/null)
	@command -v npm >/dev/null || { echo "npm is missing; the node shows its status page in the app's place." >&2; exit 0; }; \
	echo "Building the app."; \
	{ $(MAKE) --no-print-directory $(SPA)/node_modules/.installed && npm --prefix $(SPA) run --silent build && touch $@; } \
		|| echo "The app could not be built; the node shows its status page, and the tests of the app will fail." >&2

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with its venv module is needed (Debian: python3-venv)." >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

$(RUNTIME_STAMP): $(RUNTIME_LOCK) $(PROJECT) | $(BIN)/python
	$(call install_from,$(RUNTIME_LOCK))
	@touch $@

$(DEV_STAMP): $(DEV_LOCK) $(PROJECT) | $(BIN)/python
	$(call install_from,$(DEV_LOCK))
	@touch $(RUNTIME_STAMP) $@
