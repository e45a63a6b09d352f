# Lumbago's commands: `make help` lists them. Needed: Python 3.11 or newer with pip, and make.
# What is installed goes to .venv, by the lock files, and again only when those change.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
# The outer pip installs into the environment, with the machine's own pip settings; modules compile when first imported.
INSTALL = $(PYTHON) -m pip --python $(RUN)/python --disable-pip-version-check install -qq --no-compile
PYTEST = $(RUN)/python -m pytest --jaxtyping-packages=lumbago,beartype.beartype
UV := uv==0.13.8
COMPILE = $(RUN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(UPGRADE)
BUNDLE := src/lumbago/web/static
# What torch asks for only on NVIDIA machines; locked nowhere.
CUDA := cuda-bindings cuda-toolkit nvidia-cublas nvidia-cudnn-cu13 nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvshmem-cu13 triton

.DEFAULT_GOAL := help
.PHONY: help demo test test-system test-slow check format bench bundle phantom-check sizes-check other-phantoms real-check train-check rsna-check few-shot-check ablations lock clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/runtime.stamp  ## install what analyzing needs, then analyze a phantom study into demo/
	$(RUN)/lumbago demo --out demo

test: $(VENV)/test.stamp  ## run the tests, but for those marked system and slow (ARGS="..." goes to pytest)
	OMP_NUM_THREADS=1 $(PYTEST) -n 2 --dist loadfile $(ARGS)

test-system: $(VENV)/test.stamp  ## run the tests that need Debian packages, installing those when root
	tests/system/install-packages
	$(PYTEST) -m system $(ARGS)

test-slow: $(VENV)/test.stamp  ## run the tests that take minutes
	$(PYTEST) -m slow $(ARGS)

check: $(VENV)/test.stamp  ## format, lint, types, layers and sizes
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/python -m pytest tests/test_layers.py

format: $(VENV)/test.stamp  ## put the code into form
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

bench: $(VENV)/runtime.stamp  ## time the analysis of a phantom study: cold, warm, memory
	$(RUN)/python bench/analyze.py

train-check: $(VENV)/test.stamp  ## kill, resume, share out and time real training runs; takes minutes
	$(RUN)/python bench/train_check.py $(ARGS)

rsna-check: $(VENV)/test.stamp  ## run the RSNA 2024 kit end to end on phantoms; takes ten minutes (ARGS="--out DIR" keeps all)
	$(RUN)/python bench/rsna_check.py $(ARGS)

few-shot-check: $(VENV)/test.stamp  ## score graders of 10 to 100 patients, few-shot and from scratch; takes an hour (ARGS="DATA --locators ... --out DIR")
	$(RUN)/python bench/few_shot.py $(ARGS)

ablations: $(VENV)/test.stamp  ## what each ingredient of the disc grader brings on patients; takes hours (ARGS="DATA --locators ... --out DIR")
	$(RUN)/python bench/ablations.py $(ARGS)

real-check: $(VENV)/test.stamp  ## what the models say of real slices without grades of that kind; takes an hour (ARGS="DATA --locators ... --out DIR")
	$(RUN)/python bench/real_check.py $(ARGS)

phantom-check: $(VENV)/runtime.stamp  ## hold the phantoms against published statistics; takes up to an hour (ARGS="--spines 500")
	$(RUN)/python bench/phantom_check.py $(ARGS)

sizes-check: $(VENV)/test.stamp  ## hold the sizes that a report states against phantoms' truth; takes minutes (ARGS="--phantoms 40")
	$(RUN)/python bench/sizes.py $(ARGS)

other-phantoms: $(VENV)/test.stamp  ## score the shipped models on phantoms of another kind; takes half an hour (ARGS="--out DIR")
	$(RUN)/python bench/other_phantoms.py $(ARGS)

bundle:  ## build the viewer of the dashboard from viewer/ (needs Node.js and npm)
	cd viewer && npm ci --ignore-scripts --no-audit --no-fund --silent
	cd viewer && npm run --silent check
	cd viewer && node bundle.mjs $(abspath $(BUNDLE))

lock: $(VENV)/python.stamp  ## write the lock files anew (UPGRADE=--upgrade takes newer versions)
	$(INSTALL) $(UV)
	$(COMPILE) pyproject.toml -o requirements.lock
	printf '%s\n' hatchling editables | $(COMPILE) - -c requirements.lock -o requirements-build.lock
	$(COMPILE) pyproject.toml --extra dev --extra serve -c requirements.lock -c requirements-build.lock -o requirements-dev.lock
	printf '%s\n' $(CUDA) > $(VENV)/cuda.txt
	$(COMPILE) pyproject.toml --extra train -c requirements.lock -c requirements-dev.lock -c constraints.txt \
	  --excludes $(VENV)/cuda.txt --no-emit-package torch -o requirements-train.lock

clean:  ## remove everything that these commands made
	rm -rf $(VENV) demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit("make: found Python %d.%d; expected 3.11 or newer; name one with make PYTHON=..." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --without-pip --clear $(VENV)
	@touch $@

$(VENV)/runtime.stamp: $(VENV)/python.stamp requirements.lock requirements-build.lock pyproject.toml
	$(INSTALL) --require-hashes -r requirements.lock -r requirements-build.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# --no-deps: the locks are complete, and nothing in them may choose a torch. Torch comes last and by version alone,
# because its file differs between machines; all it needs but itself is then there.
$(VENV)/test.stamp: $(VENV)/runtime.stamp requirements-dev.lock requirements-train.lock constraints.txt
	$(INSTALL) --no-deps --require-hashes -r requirements-dev.lock -r requirements-train.lock
	$(INSTALL) --constraint constraints.txt torch
	@touch $@
