# `make demo` and `make test` do everything from a fresh clone; `make help` lists the rest.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3

.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

install: $(VENV)/.installed ## .venv with everything the lock file pins, by hash

$(VENV)/.installed: requirements-dev.lock pyproject.toml
	@echo "==> creating $(VENV) from requirements-dev.lock (hashes checked)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

NODE := frontend/node_modules/.installed

$(NODE): frontend/package-lock.json
	@echo "==> installing frontend/node_modules from package-lock.json"
	cd frontend && npm ci --silent --ignore-scripts
	@touch $@

loader: $(NODE) ## frontend/dist/loader.min.js, for pages to include; fails when it is too big
	@cd frontend && npm run --silent loader

frontend-check: ## types and tests of the loader; needs node 20 and npm
ifneq ($(shell command -v npm),)
	@$(MAKE) --no-print-directory loader
	cd frontend && npm run --silent types && npm run --silent test
else ifneq ($(CI),)
	@echo "with CI set nothing is left out: install node 20 with npm" >&2; exit 1
else
	@echo "left out: types and tests of frontend/loader, since npm is missing (node 20 or newer)"
endif

demo: install ## the recorded rollouts against the real service, no cluster needed
	@$(BIN)/lockstep demo $(DEMO)

check: install frontend-check ## format, lint, types, imports, dead code, dependencies, Dockerfile, fast tests (< 2 min)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/deptry .
	$(BIN)/hadolint Dockerfile frontend/Dockerfile
	$(BIN)/pytest -m "not slow"

test: check cluster-tools frontend-tools ## check, and everything slower; with the real programs where Go is
	$(BIN)/pytest -m slow

frontend-tools: ## whether what the browser tests need is there: node, npm and some of Debian's packages
	@PATH=$$PATH:/usr/sbin; for it in node npm nginx chromium wrk envsubst; do command -v $$it >/dev/null || missing="$$missing $$it"; done; \
	if [ -z "$$missing" ]; then exit 0; \
	elif [ -n "$$CI" ]; then echo "with CI set nothing is left out: install$$missing" >&2; exit 1; \
	else echo "==> no$$missing here: what needs a browser or nginx is left out; see .ci/run"; fi

cluster-tools: ## the real kube-apiserver, etcd, Flagger and kustomize-controller, built once a machine
	@if command -v go >/dev/null; then tests/cluster/tools/build >/dev/null; \
	elif [ -n "$$CI" ]; then echo "with CI set nothing is left out: install Go" >&2; exit 1; \
	else echo "==> no Go here: what needs the real kube-apiserver, Flagger and Flux is left out"; fi

proof: install cluster-tools frontend-tools ## the real programs' suite alone, and its tables into docs/proof.md
	$(BIN)/pytest tests/cluster tests/frontend/test_whole_way.py
	$(BIN)/python -m tests.cluster.proof

record: install cluster-tools ## real rollouts as recordings for the demo: SCENARIOS="success deleted" TO=folder
	$(BIN)/python -m tests.cluster.record $(or $(TO),build/recordings) $(SCENARIOS)

manifests: install cluster-tools ## every manifest built, and dry-run on the real API server
	$(BIN)/pytest tests/unit/test_manifests.py tests/cluster/test_applied_manifests.py

bench: install ## what it costs, measured into docs/performance.md (5 min); real after `make cluster-tools`
	$(BIN)/python -m benchmarks

format: install ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## the lock files anew (needs uv)
	uv pip compile pyproject.toml --extra demo --group dev --universal --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --upgrade -o requirements-dev.lock
	uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --custom-compile-command "make lock" -c requirements-dev.lock -o requirements.lock

clean: ## remove what was built
	rm -rf $(VENV) build dist frontend/dist frontend/node_modules frontend/site* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: help install loader frontend-check frontend-tools demo check test cluster-tools proof record manifests bench format lock clean
