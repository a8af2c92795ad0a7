# The commands of this project; `make help` lists them. The longer ones are in scripts/.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Flags for `make run`: make run ARGS='--listen 127.0.0.1:9090'
ARGS ?=
# The server that `make interop`, `make crash` and `make frame-rounds` test.
TIDEMARK_BINARY ?= $(CURDIR)/.build/debug/tidemark
KILL_ROUNDS ?= 200
# How many seeds `make frame-rounds` plays: FRAME_SEED=n repeats from n on.
FRAME_SEEDS ?= 1000
# How long `make endurance` runs: see Tests/Interop/scale.py and Tests/Endurance.
ENDURANCE_COMMITS ?= 50000
ENDURANCE_CHECKPOINTS ?= 100
ENDURANCE_MEBIBYTES ?= 260
SMALL_COMMITS ?= 1000000
IDLE_SECONDS ?= 75
SLOW_SECONDS ?= 3600
# Options of `make bench`: `BENCH=--help` tells them.
BENCH ?=
# How many seeds `make sim` runs.
SEEDS ?= 200

python := .venv/bin/python
swift_files := Package.swift Sources Tests

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: setup ## Build a release and serve ./data on 127.0.0.1:8080; flags in ARGS=
	@scripts/build -c release --static-swift-stdlib --product tidemark
	@exec .build/release/tidemark serve $(ARGS)

.PHONY: setup
setup: ## Install the libraries that are missing (needs root or sudo, only then)
	@scripts/setup

.PHONY: build
build: setup ## Build everything for debugging
	@scripts/build

.PHONY: release
release: setup ## Build .build/release/tidemark
	@scripts/build -c release --static-swift-stdlib --product tidemark

.PHONY: test
test: ## Run every test
	@scripts/test

.PHONY: conformance
conformance: setup ## Run the protocol's conformance tests
	@scripts/build --build-tests
	@swift test --skip-build --filter ConformanceTests

.PHONY: test-setup
test-setup:
	@scripts/setup --test
	@scripts/build --product tidemark

.PHONY: interop
interop: test-setup ## Run the interoperability tests with the real client library
	@TIDEMARK_BINARY=$(TIDEMARK_BINARY) $(python) -m pytest Tests/Interop

.PHONY: crash
crash: test-setup ## Kill the server under load, again and again (KILL_ROUNDS=200)
	@TIDEMARK_BINARY=$(TIDEMARK_BINARY) $(python) Tests/Crash/kill_rounds.py \
		--rounds $(KILL_ROUNDS)

.PHONY: frame-rounds
frame-rounds: test-setup ## Frame clients against a model, with kills (FRAME_SEEDS=1000, FRAME_SEED=n)
	@TIDEMARK_BINARY=$(TIDEMARK_BINARY) $(python) Tests/Crash/frame_rounds.py \
		--seeds $(FRAME_SEEDS) $(if $(FRAME_SEED),--seed $(FRAME_SEED))

.PHONY: endurance
endurance: setup ## The long runs: histories, a million commits, a slow client (about two hours)
	@scripts/setup --test
	@scripts/build -c release --static-swift-stdlib --product tidemark
	@ENDURANCE_COMMITS=$(ENDURANCE_COMMITS) ENDURANCE_CHECKPOINTS=$(ENDURANCE_CHECKPOINTS) \
		ENDURANCE_MEBIBYTES=$(ENDURANCE_MEBIBYTES) SMALL_COMMITS=$(SMALL_COMMITS) \
		IDLE_SECONDS=$(IDLE_SECONDS) SLOW_SECONDS=$(SLOW_SECONDS) \
		TIDEMARK_BINARY=$(CURDIR)/.build/release/tidemark \
		scripts/endurance

.PHONY: bench
bench: release ## Measure all figures of docs/performance.md beside their anchors (BENCH=--quick)
	@scripts/setup --bench
	@scripts/build -c release --static-swift-stdlib --product tidemark-bench
	@TIDEMARK_BINARY=$(CURDIR)/.build/release/tidemark \
		python3 Tests/Benchmarks/bench.py $(BENCH)

.PHONY: counts
counts: release ## Count what requests cost, beside the baseline; UPDATE=1 makes it the baseline
	@scripts/setup --test
	@TIDEMARK_BINARY=$(CURDIR)/.build/release/tidemark \
		$(python) Tests/Benchmarks/counts.py $(if $(UPDATE),--update)

.PHONY: sim
sim: setup ## Run the seeded models: SEEDS=200 of them, or SEED=n alone
	@scripts/build --build-tests
	@TIDEMARK_SEEDS=$(SEEDS) $(if $(SEED),TIDEMARK_SEED=$(SEED)) \
		swift test --skip-build --filter 'DatabaseStateTests|StoreModelTests|CrashTests|FaultTests'

.PHONY: check
check: lint test ## What a change has to pass

.PHONY: format
format: ## Format the Swift sources
	@swift format --in-place --recursive $(swift_files)

.PHONY: lint
lint: ## Complain about Swift sources that are not formatted
	@swift format lint --strict --recursive $(swift_files)

.PHONY: protos
protos: ## Make Sources/CSyncProtos again from Protos/sync.proto
	@scripts/generate-protos

.PHONY: clean
clean: ## Remove what was built (never ./data)
	@rm -rf .build .venv
