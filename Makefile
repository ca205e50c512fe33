# The commands of a newcomer and of a developer; what is longer than a line stands in a script.
.DEFAULT_GOAL := help
.PHONY: help trial trial-clean test test-hosts mutations check bench images venv words lock

PYTHON := .venv/bin/python
CODE := control_plane ansible images/build images/building tests
# What needs no engine, no database server, no nginx and no browser.
UNIT := $(wildcard tests/test_*.py tests/domain tests/usecases tests/web tests/cli tests/bundle tests/security) \
	$(patsubst %,tests/adapters/test_%.py,accounting_class accounting_csv accounting_snapshot \
		allow_list gateway_contract journal pam_host simphony)

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

trial: ## run the whole portal on this machine until Ctrl-C (root; TRIAL_PORT=8443, TRIAL_APPS_PORT, TRIAL_APPS_DOMAIN)
	@exec control_plane/trial/run

trial-clean: ## remove what trials left: var/, homes, images, network
	@exec control_plane/trial/run --clean

test: ## run the tests on the real parts and on whole hosts, in less than an hour (root; ARGS="-k name")
	@exec tests/run -m "not variant" $(ARGS)

test-hosts: ## all that provision whole hosts, every release and rarer ways, too (root; ARGS="-k name")
	@exec tests/run tests/deploy $(ARGS)

mutations: ## take each defence out of a copy and see its test fail (root; ARGS="-k name")
	@control_plane/trial/venv control_plane/requirements.lock tests/requirements.lock
	@exec $(PYTHON) tests/security/mutate $(ARGS)

check: venv ## lint, types, unit tests
	$(PYTHON) -m ruff check $(CODE)
	$(PYTHON) -m ruff format --check $(CODE)
	$(PYTHON) -m mypy $(CODE)
	$(PYTHON) -m pytest $(UNIT) $(ARGS)

bench: ## run the benchmarks and print a table (root)
	@control_plane/trial/needs wrk
	@control_plane/trial/venv control_plane/requirements.lock tests/requirements.lock
	@PYTHONPATH=tests exec $(PYTHON) -m bench $(ARGS)

images: venv ## build the demo images, or IMAGE="gnuplot paraview"
	@exec $(PYTHON) images/build $(IMAGE)

venv: ## make .venv from the locks
	@control_plane/trial/packages python3-venv
	@control_plane/trial/venv control_plane/requirements.lock tests/requirements.lock

words: venv ## bring the catalogues of translations up to what pages say
	@exec $(PYTHON) tests/wording.py

lock: venv ## lock the newest versions of the dependencies
	@exec tests/lock
