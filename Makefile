# Each target sets itself up in .venv; the second call starts at once.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
comma := ,
.DEFAULT_GOAL := help
PYTHON ?= python3
# On x86 Linux, pip's own torch is a CUDA build of several gigabytes. For the small CPU build:
#   make run TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
TORCH_INDEX_URL ?=
# Notebook numbers for `run` and `notebooks`, for example NB="00 01"; empty means all.
NB ?=
# Options for JupyterLab, for example LAB_ARGS=--no-browser on a remote machine.
LAB_ARGS ?= $(if $(filter 0,$(shell id -u)),--allow-root)
# Parts that must not be skipped, for example MLREF_REQUIRE=tensorflow; CI requires all.
REQUIRED := $(filter tensorflow azure awscli,$(subst $(comma), ,$(MLREF_REQUIRE)))
# Processes that run the tests. Most of them wait for what they have started.
WORKERS ?= 2
BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	@test -d .venv && echo "bringing .venv up to date" || echo "setting up .venv: downloads about 1 GB, takes 2.7 GB of disk and 2 to 5 minutes"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it: make PYTHON=python3.11 ...")'
	@$(PYTHON) -m venv .venv
	@$(if $(TORCH_INDEX_URL),$(PIP) torch --index-url $(TORCH_INDEX_URL))
	@$(PIP) -e '.[all]'
	@touch $@

.PHONY: run
run: $(READY) $(REQUIRED)  ## run every notebook, then one model on every target (NB=01: that notebook only)
	@$(BIN)/mlref run $(NB)

.PHONY: test
test: $(REQUIRED) check labs pytest nbval  ## everything that CI checks

.PHONY: check
check: $(READY)  ## lint, types, layers, generated files
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary
	@layers=$$($(BIN)/lint-imports --no-cache) || { echo "$$layers"; exit 1; }
	@$(BIN)/python tools/nb.py check
	@$(BIN)/python tools/readme.py check

.PHONY: labs
labs: $(READY)  ## prove that each lab is gradable: solutions pass, holes and wrong answers do not
	@$(BIN)/python tools/labs.py check

.PHONY: pytest
pytest: $(READY)  ## the tests of library, tools and targets, in two processes (WORKERS=0: in one)
	@$(BIN)/pytest -q -n $(WORKERS)

.PHONY: nbval
nbval: $(READY)  ## execute the notebooks again and compare every output
	@cd notebooks && PYTHONHASHSEED=0 ../$(BIN)/pytest -q -c /dev/null --rootdir=. -p no:cacheprovider --nbval --nbval-cell-timeout=300 --nbval-kernel-startup-timeout=180 .

.PHONY: tensorflow
tensorflow: build/envs/tensorflow/.ready  ## TensorFlow in an environment of its own, for chapter 1

# On x86 Linux tensorflow-cpu is the same without the GPU parts; elsewhere there is one package.
TENSORFLOW ?= $(if $(filter Linux-x86_64,$(shell uname -s)-$(shell uname -m)),tensorflow-cpu,tensorflow)

build/envs/tensorflow/.ready: constraints-tensorflow.txt
	@echo "setting up $(@D): downloads about 0.3 GB, takes 1.6 GB of disk and about a minute"
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check -c constraints-tensorflow.txt $(TENSORFLOW) numpy
	@touch $@

.PHONY: azure
azure: build/envs/azure/.ready  ## Azure's inference server in an environment of its own, for the tests

# Beside it only what mlref needs at its core: the same as a deployment has. mlref itself is read from
# the checkout.
build/envs/azure/.ready: constraints-azure.txt
	@echo "setting up $(@D): downloads about 0.1 GB, takes 0.3 GB of disk and about a minute"
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check -c constraints-azure.txt azureml-inference-server-http numpy onnxruntime packaging rich typer
	@touch $@

.PHONY: awscli
awscli: build/envs/awscli/.ready  ## AWS's command line in an environment of its own, for the tests

build/envs/awscli/.ready: constraints-awscli.txt
	@echo "setting up $(@D): downloads 20 MB, takes 0.2 GB of disk and 10 seconds"
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check -c constraints-awscli.txt awscli
	@touch $@

.PHONY: notebooks
notebooks: $(READY)  ## execute the notebooks whose source changed (FORCE=1 for all)
	@$(BIN)/python tools/nb.py execute $(NB)

.PHONY: lab
lab: $(READY)  ## JupyterLab on notebook 00
	@$(BIN)/jupyter lab $(LAB_ARGS) notebooks/00_start_here.ipynb

.PHONY: bench
bench: $(READY)  ## every benchmark, each printing one table
	@set -e; for script in benchmarks/*.py; do $(BIN)/python $$script; done

# The peers of benchmarks/serving.py that cannot share .venv. One that fails does not stop the others.
PEERS := robyn litserve mlserver bentoml ray

.PHONY: bench-peers
bench-peers:  ## environments of the servers that ours is compared with: downloads 0.5 GB, takes 1.7 GB of disk
	@failed=; \
	for peer in $(PEERS); do $(MAKE) --no-print-directory build/envs/$$peer/.ready || failed="$$failed $$peer"; done; \
	test -z "$$failed" || { echo "could not set up:$$failed; the benchmark leaves them out"; exit 1; }

$(PEERS:%=build/envs/%/.ready): build/envs/%/.ready: benchmarks/peers/%.txt
	@echo "setting up $(@D)"
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check -r $<
	@touch $@

.PHONY: k8s-real
k8s-real: $(READY)  ## a real Kubernetes 1.20: built once in minutes, our objects applied, its autoscaler asked
	@$(BIN)/python tools/k8s_real.py all

.PHONY: constraints
constraints: $(READY)  ## write the versions that are installed now into constraints.txt
	@$(BIN)/python -m pip freeze --disable-pip-version-check --exclude-editable | sed -nE 's/^([^@ ]+==[^+]+)(\+.*)?$$/\1/p' > constraints.txt
	@touch $(READY)

.PHONY: clean
clean:  ## delete .venv, build and every cache in this folder
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
