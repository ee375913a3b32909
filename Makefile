# Everything is made in .venv; the judges go to the user's cache (tools/install). Needs python3 >= 3.11; `tools` also
# Go and Node.js. Variables: PYTHON (python3), PROFILE (prod), GRAFANA_URL, ARGS (passed on to pytest, benchmark
# or soak), N (rounds of the soak, 2; runs of live in a row, 1).
PYTHON ?= python3
PROFILE ?= prod
ARGS ?=
VENV := .venv

.DEFAULT_GOAL := help
.PHONY: help render test live live-ha live-objectives live-check tools verify grafana-check bench bench-runtime soak lint clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

render: $(VENV)/.runtime ## Render PROFILE (prod) into rendered/PROFILE; needs nothing but Python
	$(VENV)/bin/obsgen render --profile $(PROFILE)

test: $(VENV)/.live ## Run the tests; a test whose judge is absent says so (OBSGEN_REQUIRE_JUDGES=1: it fails)
	$(VENV)/bin/python -m pytest tests -n auto $(ARGS)
	$(VENV)/bin/python -m pytest libs/python/tests -n auto $(ARGS)
	libs/go/check test

live: $(VENV)/.live ## Boot rendered trees on a real control plane and watch them (root, Linux; OBSGEN_LIVE=all: Loki and the agents too)
	N=$(or $(N),1) tests/live/run $(ARGS)

live-ha: $(VENV)/.live ## Boot several Lokis over S3, several Alertmanagers and a Redis Cluster, and lose some of them (root, Linux, Loki)
	tools/install versitygw prometheus-config-reloader
	OBSGEN_LIVE=ha N=$(or $(N),1) tests/live/run $(ARGS)

live-objectives: $(VENV)/.live ## Measure what the objectives promise on one machine, an hour long (root, Linux, Loki; OBSGEN_QUIET: seconds instead)
	OBSGEN_LIVE=objectives N=$(or $(N),1) tests/live/run $(ARGS)

live-check: $(VENV)/.live ## Ask whether the kept results of the live tests still hold (tests/live/kept)
	$(VENV)/bin/python -m tests.live.check $(ARGS)

tools: ## Build the pinned judges that the registries carry (docs/judges.md)
	tools/install

verify: $(VENV)/.dev tools ## Read every rendered text with the servers' own programs, or by record
	$(VENV)/bin/obsgen verify --all --require all

grafana-check: $(VENV)/.runtime ## Ask the Grafana at GRAFANA_URL whether it shows rendered/PROFILE (tools/grafana/check.py)
	$(VENV)/bin/python tools/grafana/check.py "$(GRAFANA_URL)" rendered/$(PROFILE)

bench: $(VENV)/.bench ## Measure the generator (bench/)
	$(VENV)/bin/python -m bench $(ARGS)

bench-runtime: $(VENV)/.bench ## Measure the libraries beside their peers (bench/runtime/)
	$(VENV)/bin/python -m bench.runtime $(ARGS)

soak: $(VENV)/.dev ## Kill Redis and cut its power N times (2) in each way, count what is lost (docs/soak.md)
	cd libs && ../$(VENV)/bin/python -m soak --rounds $(or $(N),2) $(ARGS)

lint: $(VENV)/.dev ## Check style, format and types
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy --strict generator libs/python/auralink_shared libs/soak
	libs/go/check lint

clean: ## Remove what was made here; the judges in the cache stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment for all; a stamp says which extras it holds.
$(VENV)/.runtime: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11: name another with make PYTHON=..." >&2; exit 1; }
	test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime libs/python/pyproject.toml
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' --editable 'libs/python[test]'
	@touch $@

$(VENV)/.live: $(VENV)/.dev
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[live]'
	@touch $@

$(VENV)/.bench: $(VENV)/.dev libs/python/pyproject.toml
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]' --editable 'libs/python[bench]'
	@touch $@
