# The two commands a newcomer needs are `make demo` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench screenshots clean

UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
RUN := $(UV) run --frozen
PYTHON ?= python3

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# uv comes from the machine, or by pip into an environment of its own.
.tools/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Underwing needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V)." >&2; exit 1; }
	@$(PYTHON) -m venv .tools || { echo "Could not make an environment: on Debian, install the package python3-venv." >&2; exit 1; }
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv

setup: $(if $(findstring .tools,$(UV)),.tools/bin/uv)  ## Make the environment (.venv)
	@$(UV) sync --frozen --quiet --no-dev --inexact

demo: setup  ## Start the service, replay shipped conversations, show decisions; Ctrl-C stops it
	@$(UV) run --frozen --no-sync underwing demo

dev: $(if $(findstring .tools,$(UV)),.tools/bin/uv)
	@$(UV) sync --frozen --quiet

test: dev  ## Run the whole test suite
	@$(RUN) python tests/run.py

check: dev  ## Lint and type-check
	@$(RUN) ruff check . && $(RUN) ruff format --check . && $(RUN) mypy

bench: dev  ## Run the benchmarks (peers are measured where they are installed)
	@$(RUN) python benchmarks/run.py

screenshots: dev  ## Take the pictures of the console in docs/pictures (needs Chromium)
	@$(RUN) python scripts/screenshots.py

clean:  ## Remove the environments and everything made
	rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis dist reports var
