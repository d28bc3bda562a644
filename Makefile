# What people and CI call. Each target sets up what it needs first (bin/dev); `make help` lists them.
# ARGS goes to the command of a target: make integration ARGS='-k growth -x'.

.NOTPARALLEL:
.DEFAULT_GOAL := help
ARGS ?=
# Tests that share nothing run on all cores.
spread := -n auto --maxprocesses 4 --dist worksteal
cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/odh-persistency

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ See it work
.PHONY: demo demo-down
demo: ## Homes and shares of a realistic environment on a real API server: made, made again (no change), a change shown beforehand
	@bin/dev examples/demo/run $(ARGS)

demo-down: ## Stop what the demo started
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
	@rm -rf .dev/demo-export

##@ Test it
.PHONY: quick test soak lint unit oracle hub integration molecule sanity gates
quick: ## Lint of what changed, and the unit tests without the property tests: under a minute
	@bin/system-packages
	@bin/dev tests/gates/lint changed
	@bin/dev pytest tests/unit -q -m 'not property' $(spread) $(ARGS)

test: ## Everything below, as CI does; goes on after a failure and sums up
	@bin/system-packages
	@bin/dev python tests/run.py $(ARGS)

soak: ## The property tests with thousands of cases each, new ones in each run
	@HYPOTHESIS_PROFILE=soak bin/dev pytest tests/unit tests/oracle -m property $(spread) --durations=10 $(ARGS)

lint: ## ruff, mypy, import cycles, ansible-lint, yamllint, shellcheck
	@bin/system-packages
	@bin/dev tests/gates/lint $(ARGS)

unit: ## Unit tests (no cluster), on all cores
	@bin/dev pytest tests/unit $(spread) $(ARGS)

oracle: ## Names and claims against the real KubeSpawner
	@bin/dev pytest tests/oracle $(ARGS)

hub: ## Against a real JupyterHub
	@bin/dev pytest tests/hub $(ARGS)

integration: ## Against a real API server: the testbed, or the cluster of KUBECONFIG
	@bin/system-packages
	@bin/dev pytest tests/integration $(ARGS)

molecule: ## The roles' molecule scenarios
	@bin/dev python tests/run.py molecule $(ARGS)

sanity: ## ansible-test sanity
	@bin/system-packages
	@bin/dev tests/gates/sanity $(ARGS)

gates: ## Sanity, documentation, changelog, and the artifact: built, imported, installed, used
	@bin/system-packages
	@bin/dev python tests/run.py gates $(ARGS)

##@ Measure it, build it
.PHONY: bench build docs lock
bench: ## Speed, as ratios to named peers in one run; writes docs/benchmarks/; ARGS=homes, shares or access for one
	@bin/dev python -m benchmarks $(ARGS)

build: ## The collection's artifact, in build/
	@bin/dev ansible-galaxy collection build --force --output-path build

docs: ## Print the documentation of every module
	@bin/dev sh -c 'ansible-doc $$(ansible-doc --list odh.persistency | cut -d" " -f1)' | cat

lock: ## Compile requirements/*.in again; UPGRADE=1 takes newer versions, ARGS=NAME one file
	@bin/dev requirements/lock $(ARGS)

##@ Tidy up
.PHONY: clean clean-cache
clean: demo-down ## Stop everything and remove what was made in this checkout
	rm -rf .dev build .pytest_cache .mypy_cache .ruff_cache .hypothesis .ansible collections
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean-cache: ## Remove the compiled Kubernetes and the downloads of this user too: the next start compiles again
	rm -rf '$(cache)'
