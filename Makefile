# `make help` explains each target. Both `make run` and `make test` set up whatever they need by themselves.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PY := .venv/bin/python
SETUP = @python=$$(sh infra/local/find-python) && "$$python" -m infra.local.set_up

# Compiled modules are kept here, also where the shell says otherwise: a start without them takes seconds more.
export PYTHONPYCACHEPREFIX := $(CURDIR)/var/pycache
unexport PYTHONDONTWRITEBYTECODE

run: ## Start the cloud: set-up, sample prefecture, then the address to open (PORT=8080 DB=postgresql BUS=rabbitmq)
	$(SETUP) run
	@exec $(PY) -m infra.local.run

stop: ## Stop the cloud that `make run` started in another terminal
	@test -x $(PY) || { echo "Nothing runs here."; exit 0; }; $(PY) -m infra.local.run stop

reset: ## Delete the sample's data and start afresh at the next `make run` (asks first)
	@test -x $(PY) || { echo "There is nothing to delete."; exit 0; }; $(PY) -m infra.local.run reset

test: ## Set up, lint, then run every test that is not marked slow, on private RabbitMQ and PostgreSQL nodes
	$(SETUP) test
	@$(MAKE) --no-print-directory lint-here
	@exec $(PY) -m infra.local.test $(TESTS)

slow: ## All that `make test` leaves: every page in a browser, long journeys, pages on PostgreSQL too, kills under load, outages (TESTS=… for some)
	$(SETUP) test
	@exec $(PY) -m infra.local.test -m slow $(TESTS)

lint: ## Style, types and the boundaries of the modules (ruff, basedpyright, import-linter)
	$(SETUP) test
	@$(MAKE) --no-print-directory lint-here

lint-here:
	@$(PY) -m infra.local.lint

format: ## Format the code and mend what ruff can mend
	@$(PY) -m ruff check --fix --quiet . ; $(PY) -m ruff format .

bench: ## Measure: events per second, ready time, joining time; ratios and spread are printed
	$(SETUP) test
	@exec $(PY) -m infra.local.bench $(BENCH)

pictures: ## Take the pictures of README from a cloud started for this (docs/pictures)
	$(SETUP) test
	@exec $(PY) -m tests.browser.pictures

accessibility: ## Walk every kind of page in a browser and write docs/accessibility-pages.md (WHO=everybody|citizen|staff|bidding|… for one walk; minutes)
	$(SETUP) test
	@$(if $(WHO),,rm -f var/accessibility.jsonl)
	@ACCESSIBILITY_RECORD=$(CURDIR)/var/accessibility.jsonl $(PY) -m infra.local.test -m slow -n 0 tests/browser/test_every_page.py $(if $(WHO),-k $(WHO))
	@exec $(PY) -m tests.browser.record

accessibility-table: ## Write docs/accessibility.md from services/tenants/data/accessibility.toml
	@$(PY) -m services.tenants.accessibility

lock: ## Write requirements*.lock from pyproject.toml, with hashes (UPGRADE=1 takes newer versions)
	$(SETUP) test
	@$(PY) -m infra.local.lock

manifests: ## Write compose.yaml and infra/k8s anew from the list of services, then judge them (kubectl, schemas, checkov)
	$(SETUP) test
	@$(PY) -m infra.local.manifests

containers: ## The stories on the images of this checkout, each role in its own container (needs Docker with compose)
	$(SETUP) test
	@CLOUD_IN=containers exec $(PY) -m infra.local.test $(or $(TESTS),tests/integration tests/browser/test_the_whole_story.py --deselect tests/integration/test_kill_anything.py)

sbom: ## What is inside each image, as CycloneDX (var/sbom; TAG=…: with Debian's packages of the images built here)
	$(SETUP) test
	@$(PY) -m infra.local.sbom $(or $(TAG),$(shell git rev-parse --short HEAD))

drill: ## The disaster drill: a box is kept, lost, and goes on elsewhere; prints what was lost and how long people waited (minutes)
	$(SETUP) test
	@exec $(PY) -m infra.local.test -m slow -n 0 tests/integration/test_the_first_site_is_lost.py

chaos: ## Kill and stop everything at random under load, or FAULTS=all|name,… one by one; counts what was lost, writes docs/chaos.md (MINUTES=30, SEED=…)
	$(SETUP) test
	@exec $(PY) -m tests.unbroken.chaos --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS)) $(if $(PACE),--pace $(PACE))

load: ## A Japanese year: opening minute ×20, deadline with 200 uploads, April transfers, noon of a subsidy, a soak; writes docs/load.md (MINUTES=60, PHASES=…; SHARE=0.2: fewer people, writes nothing)
	$(SETUP) test
	@exec $(PY) -m tests.unbroken.load --minutes $(or $(MINUTES),60) $(if $(PHASES),--phases $(PHASES)) $(if $(SHARE),--share $(SHARE))

rolling: ## Two of every role, each replaced in turn while everybody reads and writes; counts errors, lost, doubled (docs/rolling.md; SERVICES="tenants eapply", IN_TURN=1 for a small machine, ONLY=eapply: of all that runs only this is replaced; minutes)
	$(SETUP) test
	@exec $(PY) -m tests.unbroken.fleet $(if $(SERVICES),--services $(SERVICES)) $(if $(IN_TURN),--in-turn) $(if $(ONLY),--only $(ONLY))

earlier: ## The code of the release before, on the tables of this one: reads, writes and events of every service (REVISION=…, minutes)
	$(SETUP) test
	@exec $(PY) -m tests.unbroken.earlier $(if $(REVISION),--revision $(REVISION))

audit: ## Ask for known weaknesses of every locked package; what could not be looked up is a failure (needs PyPI's advisories)
	$(SETUP) test
	@$(PY) -m infra.local.audit

mutants: ## Plant a fault for every test that services/backup/FAULTS.md names and see it turn red; writes docs/backup-mutants.md (WORDS=… for some)
	$(SETUP) test
	@exec $(PY) -m tests.unbroken.mutants $(WORDS)

fuzz: ## Requests made from each service's own OpenAPI document, sent to every route (EXAMPLES=20 SERVICE=ebid SEED=…)
	$(SETUP) test
	@exec $(PY) -m tests.unbroken.fuzz --examples $(or $(EXAMPLES),20) --seed $(or $(SEED),1) $(if $(SERVICE),--service $(SERVICE))

simulate: ## Thousands of interleavings of telling, sending, applying and dying, decided by a seed (SEEDS=5000; SEED=… shows one again)
	$(SETUP) test
	@exec $(PY) -m tests.unbroken.simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),5000))

doctor: ## Look at everything that real use needs, with the settings of this environment (TLS, mail, keys, stores); changes nothing
	$(SETUP) run
	@$(PY) -m gateway doctor; gateway=$$?; $(PY) -m services doctor && exit $$gateway

images: ## Build the container image of every service with the one Dockerfile (needs Docker; TAG=…, REGISTRY=…)
	@sh infra/docker/build

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: accessibility accessibility-table run stop reset test slow lint lint-here format bench pictures lock manifests containers sbom drill rolling earlier audit chaos load mutants fuzz simulate doctor images help
