# The only commands anyone needs. `make help` lists them.
SHELL := /bin/bash
CACHE := $(or $(CNI_SRIOV_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/cni-sriov)
PYTHON := $(CACHE)/venv/bin/python
LABS := $(filter-out lab-all lab-vpp,$(shell sed -n 's/^\(lab-[a-z0-9]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST))))
export PYTHONDONTWRITEBYTECODE := 1
export PYTHONPATH := $(CURDIR)
override OUT := $(abspath $(OUT))
export DESTDIR CNIBINDIR NETAVARKDIR SBINDIR PREFIX SNAPSHOT FORCE OFFLINE OUT VENDOR

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: # `##@` is a heading, `##` what a target does
	@awk -F ':.*## |##@ ' \
	    '/^##@ /{printf "\n%s\n", $$2} /^[a-z0-9-]+:.*## /{printf "  make %-16s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Every day; each installs what it needs first

check: setup ## format, lint, types, unit tests: a minute, no root
	@$(PYTHON) -m ruff format --check --quiet .
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m mypy --no-error-summary
	@TMPDIR=$(or $(wildcard /dev/shm),/tmp) $(PYTHON) -m pytest -q -m "not slow" -o tmp_path_retention_policy=failed tests/unit

fmt: setup ## format the code, and mend what ruff can
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix --quiet . || true

test: setup ## every test, as CI does: unit, contract, integration, lab (root)
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m pytest --durations=15

demo: setup ## three containers on an emulated card: attach, ping, CHECK, detach (root)
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m tests.demo

##@ The plugin

build: setup ## build/out/cni-sriov: `sriov`, one static file, and `sriovctl`; its manual (OUT, OFFLINE)
	@$(PYTHON) build/bundle.py

install: build ## put it into CNIBINDIR, by default /opt/cni/bin (DESTDIR, NETAVARKDIR, SBINDIR, PREFIX)
	@build/install install

uninstall: ## take it out again, unless containers need it (FORCE); a `sriov` from before comes back
	@build/install uninstall

vendor: ## build/vendor: all that `make build OFFLINE=1` needs on a machine without a network (VENDOR)
	@build/setup vendor

dist: build ## build/out/dist: tarball, .deb, image, checksums and bill of materials of a release
	@build/setup dist
	@$(PYTHON) build/package/dist.py
	@build/package/judge $(or $(OUT),build/out)/dist/*.deb

##@ Parts of the tests, and what is too long for them (root)

lab: setup ## prepare the lab: QEMU with an emulated SR-IOV card
	@$(PYTHON) -m tests.lab prepare

stress: setup ## kills at every call, and races, on the machine and on the card
	@$(PYTHON) build/bundle.py --quiet
	@KILL_ALL=1 $(PYTHON) -m pytest -m stress --durations=15

errno: setup ## each call of ADD, DEL and GC fails with each of five errors; half an hour
	@$(PYTHON) build/bundle.py --quiet
	@ERRNO=all $(PYTHON) -m pytest -s tests/unit/test_errno.py tests/integration/test_errno_everywhere.py

soak: setup ## 3 000 ADD/DEL pairs, kills, failing calls, hostile pods; some minutes
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m tests.soak 2> $(or $(SOAK_LOG),/dev/null)

lab-kill: setup ## on the card: kills before and after every effect; ten minutes
	@$(PYTHON) build/bundle.py --quiet
	@LAB_KILL=1/1 $(PYTHON) -m pytest -s tests/lab/test_kill_points.py

lab-host: setup ## more of sriovctl on the card, and a machine that boots for it; five minutes
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m pytest -s tests/lab/other_machines.py tests/lab/more_drivers.py

lab-vpp: setup ## a real VPP in the guest; CNI_SRIOV_VPP is its directory; five minutes
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m pytest -s tests/lab/real_vpp.py

lab-containerd: setup ## twenty pods, and all of it with the newest of the archive; some minutes
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m pytest -s tests/lab/containerd_churn.py tests/lab/newest_containerd.py

lab-podman: setup ## podman 4 and 5: nine at once, no VF free, a power cut; ten minutes with the rest
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m pytest -s --durations=20 tests/lab/test_podman.py tests/lab/test_podman5.py tests/lab/podman_crowd.py tests/lab/podman5_crowd.py

lab-packages: setup ## the .deb on a node, and the image under containerd; four minutes
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m pytest -s tests/lab/packages_deb.py tests/lab/packages_image.py

lab-cnitool: setup ## the archive's newest cnitool, with the verbs of CNI 1.1.0; two minutes
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m pytest -s tests/lab/newest_cnitool.py

lab-etcd: setup ## shared pools at the etcd of each newer suite of Debian; half an hour, busy
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m tests.lab.newer_etcd

lab-kubernetes: setup ## a VF as the network of every pod, a shared pool; half an hour, once some minutes more
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m tests.lab.kubernetes_parts
	@api=$$($(PYTHON) -m tests.lab.kube_apiserver) && KUBE_APISERVER=$$api \
	    $(PYTHON) -m pytest -q tests/unit/kubeapi tests/integration/test_shared_pool_kubernetes.py
	@$(PYTHON) -m pytest -s tests/lab/kubernetes_shared.py tests/lab/kubernetes.py

lab-arm64: setup ## `sriov` built and called on arm64, emulated; a minute
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m tests.lab.arm64

lab-py313: setup ## built of Debian 13's Python, and tested, in a root of that suite; ten minutes
	@$(PYTHON) -m tests.lab.py313

lab-all: ## each lab-NAME after the other; to the end, whatever fails
	@failed=; for name in $(LABS); do $(MAKE) --no-print-directory $$name || failed="$$failed $$name"; done; \
	[ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

bench: build ## beside Debian's Go plugins, and PEER_SRIOV=... (BENCH=--quick)
	@build/setup bench
	@PYTHONPATH=$(CURDIR):$(CACHE)/bench $(PYTHON) -m tests.bench $(BENCH)

##@ Upkeep

budgets: setup ## record what a call costs, in tests/budgets.json, and print what changed
	@$(PYTHON) build/bundle.py --quiet
	@$(PYTHON) -m tests.budgets

pins: ## the newest versions of tools and libraries into build/constraints.txt
	@build/setup pins

setup: ## what the others begin with: Debian packages, tools in the cache
	@build/setup

clean: ## remove the build; the cache (tools, the lab's guest) stays
	@rm -rf build/out .pytest_cache .mypy_cache .ruff_cache
