# The only commands anyone needs. `make help` lists them.
SHELL := /bin/bash
CACHE := $(or $(CNI_SRIOV_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/cni-sriov)
PYTHON := $(CACHE)/venv/bin/python
export PYTHONDONTWRITEBYTECODE := 1
export PYTHONPATH := $(CURDIR)
export DESTDIR CNIBINDIR SBINDIR SNAPSHOT

.DEFAULT_GOAL := help
.PHONY: help setup check fmt test stress lab-kill lab-arm64 demo build install uninstall lab bench budgets clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## install what the other commands need (Debian packages, a virtual environment in the cache)
	@build/setup

check: setup ## ruff, mypy strict, unit tests (seconds, no root)
	@$(PYTHON) -m ruff format --check --quiet .
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m mypy --no-error-summary
	@TMPDIR=$(or $(wildcard /dev/shm),/tmp) $(PYTHON) -m pytest -q -m "not slow" -o tmp_path_retention_policy=failed tests/unit

fmt: setup ## format the code
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix --quiet . || true

build: setup ## build/out/cni-sriov: `sriov`, one static file, and `sriovctl` (SNAPSHOT=no: without a static libpython)
	@$(PYTHON) build/bundle.py

install: build ## put it into CNIBINDIR (default /opt/cni/bin); DESTDIR, SBINDIR
	@build/install install

uninstall: ## take it out again; a `sriov` that was there before comes back
	@build/install uninstall

demo: setup ## three containers on an emulated SR-IOV card: attach, ping by VLAN, CHECK, detach
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m tests.demo

lab: setup ## prepare the lab: QEMU with an emulated SR-IOV card (packages, guest, snapshot)
	@$(PYTHON) -m tests.lab prepare

test: setup ## every test: unit, contract, integration, lab (sets up all it needs)
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m pytest --durations=15

stress: setup ## of these tests the kills at every call, and the races, on the machine and on the card
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m pytest -m stress --durations=15

lab-kill: setup ## on the card: killed before and after every effect, and at sampled calls
	@$(PYTHON) build/bundle.py --quiet
	@LAB_KILL=all $(PYTHON) -m pytest -s tests/lab/test_kill_points.py

lab-arm64: setup ## the snapshot built in a root of arm64 under qemu-user: VERSION, and an ADD on the fake kernel
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m tests.lab.arm64

bench: build ## beside Debian's Go plugins and PEER_SRIOV: ratios, where an ADD goes (root; BENCH="--quick")
	@build/setup bench
	@PYTHONPATH=$(CURDIR):$(CACHE)/bench $(PYTHON) -m tests.bench $(BENCH)

budgets: setup ## record what a call may cost (instructions, requests to the kernel), and print what has changed
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m tests.budgets

clean: ## remove the build; the cache (packages, guest) stays
	@rm -rf build/out .pytest_cache .mypy_cache .ruff_cache
