# Run `make` for the list of targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

CARGO ?= cargo
LISTEN ?= 127.0.0.1:8080
CONFIG ?= conf/quickstart.json
LOCKED := --locked
FUZZ_SECONDS ?= 60

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: system ## Start the gateway on 127.0.0.1:8080, with a fake provider for every vendor without a key
	$(CARGO) build $(LOCKED) -p gateway -p loadtest --bins
	@LISTEN="$(LISTEN)" CONFIG="$(CONFIG)" scripts/run.sh

.PHONY: test
test: system-python ## Run all tests, the official Python clients' and the API's included
	@scripts/test.py

.PHONY: test-scripts
test-scripts: ## Test the scripts alone
	@scripts/test.py scripts

.PHONY: test-rust
test-rust: system-python ## Run the Rust tests alone
	@scripts/test.py rust

.PHONY: test-sdk
test-sdk: system-python ## Run the official Python clients against a real gateway alone
	@scripts/test.py sdk

.PHONY: test-api
test-api: system-python ## Test the management API against its own document alone
	@scripts/test.py api

.PHONY: fuzz
fuzz: system ## Give every decoder of the providers crate broken input, for FUZZ_SECONDS (60) in all
	TOLLGATE_FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test $(LOCKED) -p providers --test translation -- --nocapture fuzz::broken

.PHONY: check
check: fmt-check lint layering doc test fuzz ## Everything that CI runs

.PHONY: fmt
fmt: lint-tools ## Format everything
	$(CARGO) fmt --all
	.venv/lint/bin/ruff format --quiet sdk-tests api-tests scripts

.PHONY: fmt-check
fmt-check: lint-tools
	$(CARGO) fmt --all --check
	.venv/lint/bin/ruff format --quiet --check sdk-tests api-tests scripts

.PHONY: lint
lint: lint-tools ## Clippy without a warning; shell scripts, Python and the Dockerfile likewise
	$(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings
	.venv/lint/bin/shellcheck scripts/*.sh .ci/run
	.venv/lint/bin/ruff check --quiet sdk-tests api-tests scripts
	.venv/lint/bin/hadolint Dockerfile

.PHONY: layering
layering: ## Fail when a crate knows what it must not know
	@scripts/layering.sh

.PHONY: doc
doc: system ## Build the API documentation without a warning, and check that documents name what is there
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --workspace --no-deps --document-private-items --quiet
	@scripts/check-docs.py

.PHONY: deny
deny: ## Check licences, bans and sources of dependencies (installs cargo-deny; minutes, so not in `check`)
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny --version $(CARGO_DENY_VERSION)
	$(CARGO) deny $(LOCKED) check bans licenses sources

.PHONY: advisories
advisories: ## Check dependencies for known vulnerabilities (fetches the advisory database)
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny --version $(CARGO_DENY_VERSION)
	$(CARGO) deny $(LOCKED) check advisories

.PHONY: bench
bench: system ## Run the micro-benchmarks
	$(CARGO) bench $(LOCKED) --workspace

.PHONY: load load-quick
load: ## Measure the gateway beside a bare pass-through (about five minutes; wants an idle machine)
	@scripts/load.sh
load-quick: ## The same in under a minute
	@scripts/load.sh --quick

.PHONY: request-schemas
request-schemas: system-python ## Make the schemas that the fake provider checks requests by from the newest SDKs' types
	@scripts/python-env.sh sdk-newest
	.venv/sdk-newest/bin/python scripts/request-schemas.py loadtest/schemas

.PHONY: lock-python
lock-python: system-python ## Resolve the Python lock files anew
	@scripts/python-env.sh lock

.PHONY: system system-python
system:
	@scripts/system.sh
system-python:
	@scripts/system.sh python

.PHONY: lint-tools
lint-tools: system-python
	@scripts/python-env.sh lint

CARGO_DENY_VERSION := 0.20.2
