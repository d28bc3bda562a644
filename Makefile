# The entry points for people and CI. Each target first sets up what it needs (bin/dev). `make help` lists them.
# ARGS is passed to the command of a target: make integration ARGS='-k expansion -x'.

.NOTPARALLEL:
.DEFAULT_GOAL := help
ARGS ?=
# For tests that share no fixtures: all cores.
spread := -n auto --maxprocesses 4 --dist worksteal
cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/odh-persistency

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ See it work
.PHONY: demo demo-down
demo: ## Create homes and shares on a real API server, publish software, run again without changes, preview a change, start a hub
	@bin/dev examples/demo/run $(ARGS)

demo-down: ## Stop and remove the demo
	@if [ -s .dev/demo-namespace ]; then \
	  [ -n "$$KUBECONFIG$$K8S_AUTH_KUBECONFIG" ] || { echo "A demo that was killed left the namespace $$(cat .dev/demo-namespace) on" \
	    "the cluster that KUBECONFIG named then; set KUBECONFIG and run this again to remove it." >&2; exit 1; }; \
	  examples/demo/run --down; \
	fi
	@if [ -x .dev/venv/bin/python ]; then \
	  if bin/dev python -m testbed status >/dev/null; then \
	    env -u KUBECONFIG -u K8S_AUTH_KUBECONFIG -u K8S_AUTH_HOST bin/dev examples/demo/run --down; \
	  fi; \
	  bin/dev python -m testbed down; \
	fi
	@# What a link leads to, too.
	@chmod -R u+w '$(or $(ODHP_TESTBED_DATA),.dev)/demo' '$(or $(ODHP_TESTBED_DATA),.dev)'/demo/*/software/. 2>/dev/null || true
	@rm -rf '$(or $(ODHP_TESTBED_DATA),.dev)'/demo/*/software/* '$(or $(ODHP_TESTBED_DATA),.dev)/demo'

##@ Test it
.PHONY: quick soak test lint unit oracle hub software integration adversary awx e2e molecule sanity gates
quick: ## Lint of changed files and unit tests without property tests, under a minute
	@bin/system-packages
	@bin/dev tests/gates/lint changed
	@bin/dev pytest tests/unit -q -m 'not property' $(spread) $(ARGS)

soak: ## Property tests with thousands of new cases each
	@HYPOTHESIS_PROFILE=soak bin/dev pytest tests/unit tests/oracle -m property $(spread) --durations=10 $(ARGS)

test: ## Everything below, as in CI; continues after a failure and prints a summary
	@bin/system-packages
	@bin/dev python tests/run.py $(ARGS)

lint: ## ruff, mypy, import cycles, ansible-lint, yamllint, shellcheck
	@bin/system-packages
	@bin/dev tests/gates/lint $(ARGS)

unit: ## Unit tests (no cluster), on all cores
	@bin/dev pytest tests/unit $(spread) $(ARGS)

oracle: ## Names and claims, compared with the real KubeSpawner
	@bin/dev pytest tests/oracle $(ARGS)

hub: ## Tests with real JupyterHubs
	@bin/dev pytest tests/hub $(ARGS)

software: ## Tests of software trees, with the real EasyBuild and the real Lmod
	@bin/system-packages
	@bin/dev pytest tests/software $(ARGS)

integration: ## Tests with a real API server: the testbed, or the cluster of KUBECONFIG
	@bin/system-packages
	@bin/dev pytest tests/integration $(ARGS)

adversary: ## Tests of what an adversary and public bug reports found, with a real API server
	@bin/system-packages
	@bin/dev pytest tests/adversary $(ARGS)

awx: ## Jobs of AWX, with ansible-runner as AWX runs them, and the execution environment
	@bin/dev pytest tests/awx $(ARGS)

e2e: ## End-to-end tests: a hub, its servers as pods on the testbed's node (needs root on Linux, and npm)
	@bin/system-packages
	@bin/dev pytest tests/e2e $(ARGS)

molecule: ## The roles' molecule scenarios
	@bin/dev python tests/run.py molecule $(ARGS)

sanity: ## ansible-test sanity
	@bin/system-packages
	@bin/dev tests/gates/sanity $(ARGS)

gates: ## Sanity, documentation, changelog; the artifact is built, imported, installed and used
	@bin/system-packages
	@bin/dev python tests/run.py gates $(ARGS)

##@ Measure it, build it
.PHONY: bench build docs lock
bench: ## Compare durations with named peers and write docs/benchmarks/; ARGS=homes, shares, access, hook, servers or software for one
	@bin/dev python -m benchmarks $(ARGS)

build: ## Build the collection's artifact in build/
	@bin/dev ansible-galaxy collection build --force --output-path build

docs: ## Print the documentation of every module
	@bin/dev sh -c 'ansible-doc $$(ansible-doc --list odh.persistency | cut -d" " -f1)' | cat

lock: ## Recompile requirements/*.in; UPGRADE=1 for newer versions, ARGS=NAME for one file
	@bin/dev requirements/lock $(ARGS)

##@ Tidy up
.PHONY: clean clean-cache
clean: demo-down ## Stop everything and remove all local state of this checkout
	rm -rf .dev build .pytest_cache .mypy_cache .ruff_cache .hypothesis .ansible collections
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean-cache: ## Remove this user's compiled Kubernetes and downloads; the next start compiles again
	rm -rf '$(cache)'
