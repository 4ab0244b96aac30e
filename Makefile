# make workbook | make experiments | make test | make faults | make lab: each sets up all it needs in .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
DATA ?= sample
# The run's folder; empty: tin run chooses it from data and profile.
RUN ?=
# Empty: sample; for experiments on other data laptop.
PROFILE ?=
ARGS ?=
# An index from which pip takes torch and torchvision, such as that of PyTorch's builds for CPUs alone.
TORCH_INDEX ?=
FIRST_NOTEBOOK := notebooks/00_first_look.ipynb
# What JupyterLab and papermill write into a notebook beside outputs and execution counts.
LANGUAGE := codemirror_mode file_extension mimetype nbconvert_exporter pygments_lexer version
JUPYTER_KEYS := metadata.papermill cell.metadata.papermill $(LANGUAGE:%=metadata.language_info.%)
# Processes that share the test files: many tests wait for other processes to start.
WORKERS ?= 2
# OpenMP's threads spin while they wait, which is ruinous as soon as two processes share the cores.
export OMP_WAIT_POLICY ?= PASSIVE
# And each of the processes that share the test files computes on one.
test faults: export OMP_NUM_THREADS ?= 1

.PHONY: workbook experiments test faults lab notebook-filter docs-report lint clean

workbook: .venv/ready
	$(BIN)/tin run --data "$(DATA)" $(if $(RUN),--run "$(RUN)") --profile $(or $(PROFILE),sample) $(ARGS)

# The paper's experiments, notebooks 10 to 16.
experiments: .venv/ready
	$(BIN)/tin run --group experiments --data "$(DATA)" $(if $(RUN),--run "$(RUN)") \
	  --profile $(or $(PROFILE),$(if $(filter sample,$(DATA)),sample,laptop)) $(ARGS)

test: .venv/ready lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --ignore tests/faults $(ARGS)

# What goes wrong: kills, full disks, damaged files, odd and hostile input; ends with a table.
faults: .venv/ready
	$(BIN)/python -m pytest tests/faults -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
	  --faults-table faults.md $(ARGS)

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# In a container one is often root, which JupyterLab refuses by default; it listens on localhost only.
lab: .venv/ready notebook-filter
	$(BIN)/jupyter lab --notebook-dir . $(if $(filter 0,$(shell id -u)),--allow-root) \
	  --FileContentsManager.post_save_hook=tin_lib.lab.git_status.after_save $(ARGS) $(FIRST_NOTEBOOK)

# Keeps what running a notebook changes out of this clone's commits: a git filter of its own.
notebook-filter: .venv/ready
	if git rev-parse --git-dir >/dev/null 2>&1; then $(BIN)/nbstripout --install && \
	  git config filter.nbstripout.clean '"$(BIN)/python" -m nbstripout --keep-id' && \
	  git config filter.nbstripout.extrakeys "$(JUPYTER_KEYS)" && \
	  git config filter.nbstripout.required false; fi  # git goes on without it where .venv is gone

# The rendered report in docs/report and the README's pictures, from the sample's run; needs npm and Chromium.
docs-report: .venv/ready
	$(BIN)/tin run --run runs/sample
	$(BIN)/python docs/make_report.py runs/sample
	$(BIN)/python docs/make_pictures.py

# The marker is newer than pyproject.toml only after an installation that went through.
.venv/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(if $(TORCH_INDEX),$(PIP) --index-url "$(TORCH_INDEX)" torch torchvision)
	$(PIP) -e '.[lab,cluster,test,benchmark]'
	touch $@

clean:
	rm -rf .venv runs
