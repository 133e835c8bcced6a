# make tour   run every lesson on the sample set            make test          all tests
# make lab    open JupyterLab at lesson 00                  make test-browser  the widgets in a real browser
# make bench  the speed comparisons                         make test-hostile  an attack of four minutes
# make setup  only prepare .venv                            make site          the lessons as web pages, in runs/site/html
# On a machine with an NVIDIA GPU: make EXTRAS=gpu,dev setup

PYTHON ?= python3.11
MINUTES ?= 4
EXTRAS ?= cpu,dev
RUN := .venv/bin/python
STAMP := .venv/.ready
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root) # in a container

.PHONY: setup tour lab site test test-browser test-hostile bench lint lessons clean
.DELETE_ON_ERROR:

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(RUN) || $(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $(STAMP)

tour: $(STAMP)
	$(RUN) tools/tour.py --out runs/tour

lab: $(STAMP)
	OMP_WAIT_POLICY=PASSIVE $(RUN) -m jupyterlab --ServerApp.root_dir=. $(AS_ROOT) \
		--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

test: $(STAMP)
	$(RUN) tools/run_tests.py

test-browser: $(STAMP)
	$(RUN) -m pytest --numprocesses=2 --dist=loadfile tests/browser

# Damaged and lying files and servers, and kills; MINUTES=600 goes on with new seeds and keeps what fails in runs/hostile.
test-hostile: $(STAMP)
	PYTHONPATH=tests $(RUN) -m hostile --minutes $(MINUTES)

bench: $(STAMP)
	for script in benchmarks/*.py; do echo "== $$script"; $(RUN) $$script || exit 1; done

lint: $(STAMP)
	$(RUN) -m ruff check . && $(RUN) -m ruff format --check . && $(RUN) -m codespell_lib actlib tests tools benchmarks notebooks docs *.md

# Run every lesson on the sample set and keep its outputs in notebooks/ (before a commit that changes a lesson).
lessons: $(STAMP)
	$(RUN) tools/tour.py --out runs/tour --keep

site: .venv/.site
	$(RUN) -m tools.build_site

.venv/.site: $(STAMP)
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS),site]'
	touch .venv/.site

clean:
	rm -rf .venv runs data/cache data/sample
