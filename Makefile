# What is built is kept in ~/.cache/slipway (SLIPWAY_CACHE moves it); `make down` ends the cluster.
.DEFAULT_GOAL := help
.PHONY: help ready tools images cluster prometheus down status demo test test-unit test-contract test-cluster \
	test-long test-image test-gpu bench soak busy scale chaos reports lint format crds manifests docs lock prune \
	env compiled packages

# Tests start the operator and others a hundred times: none of them compiles its modules anew.
unexport PYTHONDONTWRITEBYTECODE

DEV := python3 -m dev
BIN := .venv/bin
WITHOUT_LONG := -m "not long and not image"
# The cluster that `make demo` uses: local, kind for one that Docker and kind make, or current for that
# of your own kubeconfig.
CLUSTER ?= local
# Where the images lie that `make demo CLUSTER=current` uses.
IMAGE_REGISTRY ?=

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## From nothing to a prediction (CLUSTER=kind, or CLUSTER=current IMAGE_REGISTRY=... for your own)
	@$(DEV) demo --cluster=$(CLUSTER) --image-registry=$(IMAGE_REGISTRY)

test: packages env ## All set-up, then every test but the long ones
	@$(MAKE) --silent --jobs=3 tools images compiled
	@$(MAKE) --silent --jobs=2 lint cluster
	@$(BIN)/pytest $(WITHOUT_LONG) --numprocesses=4 --dist=loadscope

# Once for all workers, each of which would compile all tests, and what they import, for itself. Later
# only what has changed is compiled, which costs less than to collect all tests once more.
compiled: .venv/compiled
.venv/compiled:
	@$(BIN)/pytest $(WITHOUT_LONG) --collect-only --quiet --quiet >/dev/null || : # they tell what is wrong
	@touch $@

packages:
	@$(DEV) packages

ready:
	@$(DEV) images
	@$(DEV) up

test-long: tools env ready ## Others' schedulers, upgrades, removals, rare paths, the READMEs' commands, a tenth of the soak
	@$(BIN)/pytest -m long tests/contract tests/cluster tests/chaos tests/unit/server tests/unit/runtime

test-unit: env ## Pure tests, no cluster
	@$(BIN)/pytest tests/unit tests/property

test-contract: env ## Tests against a real kube-apiserver and etcd
	@$(BIN)/pytest -m "not long" tests/contract tests/chart tests/security

test-image: env ## Tests of the helper library and the Python server in images with torch, no cluster
	@$(BIN)/pytest tests/image

test-gpu: ## Tests of the helper library on this machine's GPU, with the Python that has torch
	@python3 -m pytest -c tests/gpu/pytest.ini --rootdir=. --confcutdir=tests/gpu tests/gpu

test-cluster: env ## Tests on the local cluster
	@$(BIN)/pytest tests/cluster

soak: env ## Lose no request of 100,000 while pods and traffic move
	@SLIPWAY_SOAK_REQUESTS=100000 SLIPWAY_SOAK_RATE=200 $(BIN)/pytest -s tests/cluster/test_soak.py

busy: env ## Lose no request while pods move on a machine that is short of processor time, 20 times each
	@SLIPWAY_BUSY_TURNS=20 $(BIN)/pytest -s tests/cluster/test_busy.py

scale: env ## Measure the control plane on simulated nodes, with and without the operator
	@$(BIN)/python -m tests.scale

chaos: env ## Have the cluster around the operator fail in many ways, under load, ten minutes each
	@$(BIN)/python -m tests.chaos --seconds 600

reports: env ## Play users' reports on the local cluster: a table of what is expected and what is seen
	@$(BIN)/python -m tests.reports

bench: env ## Measure what Envoy costs, the Python server beside TorchServe, transfers beside those of 0.2.0
	@$(BIN)/python -m tests.bench
	@$(BIN)/python -m tests.bench.servers
	@$(BIN)/python -m tests.bench.transfer
	@$(BIN)/python -m tests.bench.sealing

PROSE := --builtin clear,rare,en-GB_to_en-US --dictionary - --dictionary dev/words.txt \
	README.md CHANGELOG.md CONTRIBUTING.md CODE_OF_CONDUCT.md ROADMAP.md SECURITY.md docs/*.md docs/runbooks/*.md charts/slipway/README.md \
	charts/slipway/values.yaml images/README.md images/*/README.md

lint: env ## Style, types, layers of imports, spelling, generated files
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy --package slipway --package slipway_runtime --package slipway_pods --package slipway_handlers
	@$(BIN)/mypy dev tests install docs
	@$(BIN)/mypy --config-file images/python/pyproject.toml --package slipway_server --package ts
	@$(BIN)/lint-imports
	@$(BIN)/lint-imports images/python/pyproject.toml
	@$(BIN)/codespell
	@$(BIN)/codespell $(PROSE)
	@$(BIN)/python -m install.generate --check

format: env ## Put the code into its format
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

tools: ## Build the cluster's programs from pinned sources
	@$(DEV) tools

images: ## Build the images, and load them into the local cluster if it is up
	@$(DEV) images

cluster: ## Bring the local cluster up
	@$(DEV) up

status: ## Say which processes of the local cluster run
	@$(DEV) status

prometheus: ## Start a Prometheus that scrapes the local cluster, with the chart's rules
	@$(DEV) prometheus

down: ## End the local cluster: nothing stays running, mounted or routed
	@$(DEV) down

prune: ## Remove programs and images of earlier states from the cache
	@$(DEV) prune

env: ## Make .venv with everything that tests and linters need
	@$(DEV) env

crds: env ## Generate the CRDs from the API models, and what contains them
	@$(BIN)/python -c 'import pathlib, slipway.api.crd as c; \
		c.crd_files(lambda name, text: pathlib.Path("crds", name).write_text(text) and None)'
	@$(BIN)/python -m install.generate

manifests: env ## Generate what is made from the chart
	@$(BIN)/python -m install.generate

docs: env ## Generate the reference from the code
	@$(BIN)/python -m docs.reference

lock: ## Pin anew what pyproject.toml and the images' requirements.in ask for
	@$(DEV) lock
