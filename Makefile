# Needs Python 3.11 to 3.14, make and git; everything else goes into .venv on first use.

PYTHON ?= python3
PORT ?= 5000
# Not ?=, because some shells set HOST themselves.
HOST = 127.0.0.1
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# `dlvc` runs this checkout's code, even if the environment belongs to another checkout.
export PYTHONPATH := src

READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help run report verify repeat sync bench test test-full lint audit ui plots experiments database database-stop server \
	kills stress lock clean

help:
	@awk -F ':.*## ' '/^##@/ {print (n++ ? "\n" : "") substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-13s  %s\n", $$1, $$2}' Makefile

##@ The course

run: $(READY)  ## run what has changed; PROFILE=laptop or PROFILE=course for the lectures' data
	@dlvc run $(if $(PROFILE),--profile $(PROFILE))

report: $(READY)  ## open the page that tests every figure and claim of the lectures
	@dlvc run report
	@page=$$(dlvc report --mlflow http://$(HOST):$(PORT)) && echo "$$page" && \
		{ python -m webbrowser -t "file://$$page" > /dev/null || true; }

ui: $(READY)  ## open the results in MLflow on 127.0.0.1 (PORT=5000)
	@dvcview ui --port "$(PORT)"

plots: $(READY)  ## draw all curves and kernels into dvc_plots/index.html; works offline
	@python tools/plots_page.py
	@dvc plots show

experiments: $(READY)  ## what each `dvc exp run` changed, and its test accuracies
	@dvc exp show --only-changed --drop '(?!.*test_accuracy).*/|.*[.](yaml|json)$$|Created|State|Executor|results$$|figures$$'
	@echo 'The row of the branch has the committed results. A processor without AVX2, another number of threads or a GPU'
	@echo 'computes slightly different ones (docs/reproducibility.md). There, compare experiments with one another.'

##@ Operation

verify: $(READY)  ## check that no file is damaged and every result is valid; prints the commands for repairs
	@dvcview verify

repeat: $(READY)  ## repeat a stage of the published run in a clone, and compare its bytes (STAGE=lenet)
	@python -m tools.repeat $(STAGE)

sync: $(READY)  ## make MLflow show the state of dvc.lock, after a loss, a restore or a pull
	@dvcview sync

database: $(READY)  ## start PostgreSQL in .dvcview/postgres, for `make server`
	@dvcview database start

database-stop: $(READY)  ## stop this PostgreSQL
	@dvcview database stop

server: $(READY)  ## start MLflow for a team, on this PostgreSQL or on DVCVIEW_DATABASE (HOST=127.0.0.1 PORT=5000)
	@dvcview server --host "$(HOST)" --port "$(PORT)"

##@ Development of this project

test: lint  ## lint, types, all unit tests, and one small run of the whole course
	@python -m pytest -n 2 --dist worksteal -m "not full"
	@echo "Left out: kills at random, full disks, flipped bits, queues, several processes, shards, browsers,"
	@echo "PostgreSQL, remotes, a separate environment, real MNIST, the stress tests; make test-full runs them"

test-full: $(READY)  ## every test that `make test` leaves out, and all examples of every property
	@python -m pytest -n 2 --dist worksteal -m "full or hypothesis" --hypothesis-profile full

lint: $(READY)  ## ruff (rules and format) and mypy
	@ruff check .
	@ruff format --check .
	@mypy

bench: $(READY)  ## time the lectures' own loops and ours side by side (15 minutes; run nothing else meanwhile)
	@python -m benchmarks

kills: $(READY)  ## kill runs at random moments, and compare the next run with an undisturbed one (N=100 SEED=1)
	@python -m tests.stress.kills --kills $(or $(N),100) --seed $(or $(SEED),1)

stress: kills  ## the stress tests of docs/reliability.md: kills, flipped bits, hostile files, broken parameters, a full disk (2 hours)
	@python -m tests.stress.bit_flips --flips 1000 --seed 1
	@python -m tests.stress.fuzz --inputs 8000 --seed 3
	@python -m tests.stress.params --inputs 12000 --seed 5
	@unshare --mount $(if $(filter 0,$(shell id -u)),,--map-root-user) python -m tests.stress.disk --runs 20 --seed 1

audit: $(READY)  ## check the packages of requirements.lock for known vulnerabilities; needs a network
	@uv tool run pip-audit==2.10.1 --strict --disable-pip --require-hashes --requirement requirements.lock

lock: $(READY)  ## update requirements.lock from pyproject.toml
	uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-header \
		--all-extras pyproject.toml --output-file requirements.lock

clean:  ## delete the environment and every cache but DVC's
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY):
	@$(PYTHON) tools/set_up.py
