# make demo | test | check: each makes .venv first if it has to.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STUDIO := .venv-label-studio
# uv installs faster; pip gets torch first, whose CPU wheel uv may not find
UV := VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --constraint constraints.txt

.PHONY: demo test check clean test-label-studio

demo: $(VENV)/core
	$(BIN)/weaklabel run demo/job.yaml --out demo-run
	@echo "report: file://$(CURDIR)/demo-run/report.html"

test: $(VENV)/all
	$(BIN)/python -m pytest -n 2

check: $(VENV)/all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-label-studio: $(VENV)/all $(STUDIO)/bin/label-studio
	LABEL_STUDIO=$(abspath $(STUDIO))/bin/label-studio $(BIN)/python -m pytest -m label_studio tests/label_studio

# its own environment, for its pins contradict ours
$(STUDIO)/bin/label-studio: | $(BIN)/uv
	$(PYTHON) -m venv $(STUDIO)
	VIRTUAL_ENV=$(STUDIO) $(BIN)/uv pip install --quiet 'label-studio>=1.20'
	touch $@

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet uv

$(VENV)/core: pyproject.toml constraints.txt | $(BIN)/uv
	$(UV) --editable .
	touch $@

$(VENV)/all: pyproject.toml constraints.txt | $(BIN)/uv
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(UV) --editable '.[all]'
	touch $@ $(VENV)/core

clean:
	rm -rf $(VENV) $(STUDIO) demo-run
