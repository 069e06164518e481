# `make run` starts the service, `make test` proves the checkout; `make help` lists the rest.

SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export MAKE

PYTEST := .venv/bin/pytest -q
# So many test processes, each with its own database: most tests wait more than they compute.
WORKERS := $(or $(DREAMFORGE_TEST_WORKERS),$(shell n=$$(nproc); echo $$((n < 6 ? n + 1 : 6))))
PARALLEL := $(PYTEST) -n $(WORKERS) --dist worksteal
MANAGE := .venv/bin/python manage.py
SETS := service $(if $(OTEL_EXPORTER_OTLP_ENDPOINT)$(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)$(OTEL_TRACES_EXPORTER),tracing)
# Tools that only read the code must not depend on somebody's database or settings.
CLEAN := env DREAMFORGE_DOTENV=/dev/null DF_DATA_DIR=$(CURDIR)/.tools/gates

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

# The two commands

.PHONY: run
run: ## Start the whole service; PORT=, DF_DATA_DIR= and every DF_ variable are honoured
	@deploy/scripts/venv.sh $(SETS)
	@exec $(MANAGE) dreamforge

.PHONY: demo
demo: ## From a download to an image, without an internet; ONCE=1 ends by itself, PORT=, DF_DATA_DIR=
	@deploy/scripts/venv.sh service
	@exec .venv/bin/python -m deploy.demo $(if $(ONCE),--once)

.PHONY: test
test: develop services ## Everything: format, lint, types, documents, tests on both databases
	@deploy/scripts/gates.sh

# What they stand on

.PHONY: develop
develop: ## Python packages for work on Dream Forge, in .venv
	@deploy/scripts/venv.sh service tracing runner dev

.PHONY: services
services: develop ## PostgreSQL, Redis, RabbitMQ, ExifTool and Chromium for the tests
	@deploy/scripts/services.sh

# One gate at a time

.PHONY: check-format lint imports dependencies types check-migrations check-openapi check-config-docs
check-format: develop ## Formatting, without changing anything
	@.venv/bin/ruff format --quiet --check .

lint: develop ## Ruff's rules
	@.venv/bin/ruff check --quiet .

imports: develop ## The import directions between the rooms
	@.venv/bin/lint-imports

dependencies: develop ## The installed packages agree with each other
	@.venv/bin/python -m pip check --disable-pip-version-check

types: develop ## mypy, strict
	@$(CLEAN) .venv/bin/mypy

check-migrations: develop ## No model has changed without its migration
	@$(CLEAN) $(MANAGE) makemigrations --check --dry-run

check-openapi: develop ## docs/openapi is what the code says
	@$(CLEAN) $(MANAGE) openapi --check

check-config-docs: develop ## docs/configuration.md is what the code says
	@$(CLEAN) $(MANAGE) config_docs --check

.PHONY: test-sqlite test-postgres test-browser compose-check
test-sqlite: develop services ## The whole suite on SQLite; ARGS= go to pytest
	@$(PARALLEL) $(ARGS)

# Folders without a test for it are not even read: they would load torch into each process.
NO_DATABASE := tests/browser tests/deploy tests/downloader/library tests/hubs tests/runners
test-postgres: develop services ## What a database can change, on PostgreSQL; ARGS= go to pytest
	@DREAMFORGE_TEST_DATABASE=postgres $(PARALLEL) -m "not pure and not browser" \
		$(NO_DATABASE:%=--ignore=%) $(ARGS)

test-browser: develop services ## The pages in a real Chromium; pictures in test-results/screenshots
	@$(PYTEST) tests/browser $(ARGS)

.PHONY: screenshots
screenshots: develop services ## Every page in light, dark and on a phone: test-results/screenshots
	@DREAMFORGE_TEST_ALL_VIEWS=1 $(PYTEST) tests/browser -k "whole_for_everybody" $(ARGS)

compose-check: develop services ## The Dockerfiles, compose files and k3s manifests
	@$(PYTEST) tests/deploy $(ARGS)

.PHONY: soak bench bench-sse
LONG := DREAMFORGE_TEST_AWAY_S=40 DREAMFORGE_TEST_CLAIMED_JOBS=5000
soak: develop services ## Random kills for ten minutes, long outages, long queues; SOAK_S=, SEED=
	@$(LONG) $(PYTEST) tests/jobs/test_chaos_outages.py tests/jobs/test_crowds.py
	@DREAMFORGE_TEST_SOAK_S=$(or $(SOAK_S),600) DREAMFORGE_TEST_SOAK_SEED=$(or $(SEED),0) $(PYTEST) -s tests/soak

bench: develop services ## Measure posting, throughput, flatness and recovery; prints tables
	@deploy/scripts/venv.sh bench
	@.venv/bin/python -m benchmarks $(ARGS)

bench-sse: develop services ## Measure event streams beside polling for each client
	@.venv/bin/python -m benchmarks.sse $(ARGS)

# What writes into the checkout

.PHONY: fmt openapi config-docs lock clean
fmt: develop ## Format the code and repair what ruff can repair
	@.venv/bin/ruff check --quiet --fix . ; .venv/bin/ruff format .

openapi: develop ## Write docs/openapi from the code
	@$(CLEAN) $(MANAGE) openapi

config-docs: develop ## Write docs/configuration.md and .env.example from the code
	@$(CLEAN) $(MANAGE) config_docs

lock: develop ## Pin requirements/*.in again; ARGS=--upgrade takes newer versions
	@deploy/scripts/lock.sh $(ARGS)

clean: ## Remove what was built or downloaded here; data/ and .env stay
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache test-results
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
