# Everything that a newcomer or the CI types. `make run` and `make test` need only Python >= 3.11, make and git.

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SOURCES := swarm gateway tests

# CI skips nothing: a missing browser or ffmpeg is a failure there, and a note here.
ifeq ($(CI),true)
export SEEDCAST_NO_SKIP := 1
endif

.DEFAULT_GOAL := help
.PHONY: help setup run demo test check lint types fix unit e2e e2e-players e2e-ingest e2e-network sim sim-report bench bench-swarm bench-relay bench-gateway bench-ingest bench-restarts bench-tracker bench-discovery bench-fuzz fuzz-ingest capture test-tools player-tools clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  ARGS="..." hands options on, as in: make run ARGS="--viewers 3"'

run: demo ## start the demonstration: a broadcaster, relays, and your gateway at http://localhost:8080

demo: $(VENV)/.run ## the same as run
	@exec $(BIN)/seedcast demo $(ARGS)

setup: $(VENV)/.test ## make the virtual environment with everything for work on the code

# What is only calculated, or waits longer than it works, is tested on all processors; what has to keep up with real time
# has them for itself afterwards.
test: $(VENV)/.test test-tools check ## install what the tests need, then run every check and test
ifdef ARGS
	@$(BIN)/python -m pytest $(ARGS)
else
	@$(BIN)/python -m pytest -m "not e2e or alongside" --numprocesses auto --dist worksteal
	@$(BIN)/python -m pytest -m "e2e and not alongside"
endif

check: lint types ## lint and types

lint: $(VENV)/.test ## ruff: rules and formatting
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)

types: $(VENV)/.test ## mypy in strict mode
	@$(BIN)/mypy

fix: $(VENV)/.test ## let ruff repair what it can, and format
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

unit: $(VENV)/.test ## only the tests without real processes, sockets or browsers
	@$(BIN)/python -m pytest -m "not e2e" $(ARGS)

e2e: $(VENV)/.test test-tools ## only the tests with real processes, ffmpeg and a real browser
	@$(BIN)/python -m pytest -m e2e $(ARGS)

e2e-players: $(VENV)/.players test-tools player-tools ## play in every real player and print a table (half an hour); ARGS="--only vlc"
	@exec $(BIN)/python -m tests.players $(ARGS)

sim: $(VENV)/.run ## simulate a swarm: make sim SCENARIO=churn VIEWERS=200 SEED=1 SECONDS=30 (ARGS=--list names them)
	@exec $(BIN)/python -m swarm.sim $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(VIEWERS),--viewers $(VIEWERS)) \
		$(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

sim-report: $(VENV)/.run ## compare simulated broadcasts of this tree with those of a commit: make sim-report BASE=HEAD~1
	@exec $(BIN)/python -m swarm.sim.compare $(if $(BASE),--base $(BASE)) $(ARGS)

bench: $(VENV)/.test test-tools ## measure the demonstration in a real browser; the last line is JSON
	@exec $(BIN)/python -m tests.bench.demo $(ARGS)

bench-swarm: $(VENV)/.run ## measure real nodes on this machine: make bench-swarm VIEWERS=350
	@exec $(BIN)/python -m tests.bench.swarm $(if $(VIEWERS),--viewers $(VIEWERS)) \
		$(if $(BITRATE),--bitrate $(BITRATE)) $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

bench-relay: $(VENV)/.run ## measure what one viewer costs that relays; the last line is JSON
	@exec $(BIN)/python -m tests.bench.relay $(ARGS)

bench-gateway: $(VENV)/.test test-tools ## measure the gateway towards players, beside nginx; the last line is JSON
	@exec $(BIN)/python -m tests.bench.gateway $(ARGS)

e2e-ingest: $(VENV)/.test test-tools ## broadcast in every way, into a browser, as a table with screenshots; ARGS="--pusher bundled rtmp"
	@exec $(BIN)/python -m tests.bench.ingest $(ARGS)

bench-restarts: $(VENV)/.test test-tools ## kill a pusher twenty times while a browser plays (twenty minutes); ARGS="--spacing 6" is quicker
	@exec $(BIN)/python -m tests.bench.restarts $(ARGS)
e2e-network: $(VENV)/.run network-tools ## put real peers behind real NATs in network namespaces (root); ARGS=finding or ARGS=household measures
	@exec $(BIN)/python -m tests.network $(ARGS)

bench-ingest: $(VENV)/.test ## measure what copied pushes cost a gateway; the last line is JSON
	@exec $(BIN)/python -m tests.bench.ingest_load $(ARGS)

bench-tracker: $(VENV)/.run ## measure 10,000 announces a minute to the gateway's own tracker; the last line is JSON
	@exec $(BIN)/python -m tests.bench.tracker $(ARGS)

bench-discovery: $(VENV)/.run ## measure how long each way of finding peers takes; ARGS="--kill 20" kills a tracker
	@exec $(BIN)/python -m tests.bench.discovery $(ARGS)

bench-fuzz: $(VENV)/.run ## send ten million messages of every kind to one node; the last line is JSON
	@exec $(BIN)/python -m tests.bench.fuzz $(ARGS)

fuzz-ingest: $(VENV)/.test ## send a hundred thousand damaged pushes to the parsers before ffmpeg; the last line is JSON
	@exec $(BIN)/python -m tests.bench.fuzz_ingest $(ARGS)
capture: $(VENV)/.run ## show as root what the wire between two machines shows of a broadcast; the last line is JSON
	@exec $(BIN)/python -m tests.bench.capture $(ARGS)

clean: ## remove the virtual environment and everything that was built
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(SOURCES) -type d -name __pycache__ -prune -exec rm -rf {} +

# ---- the virtual environment; a stamp is older than pyproject.toml when the dependencies may have changed

# A Mac may be too old for libtorrent's wheels; pip's markers cannot tell.
take_dht = @test "$$(uname -s)" != Darwin || $(PIP) install --only-binary :all: libtorrent 2>/dev/null \
	|| echo "There is no libtorrent for this Mac: Seedcast goes without the DHT."

$(VENV)/.run: pyproject.toml | $(BIN)/pip
	@echo "Installing Seedcast into $(VENV) (once; a minute or so) ..."
	@$(PIP) install --only-binary pylibsrtp,miniupnpc --editable '.[whip,upnp]' 2>/dev/null || $(PIP) install --editable .
	$(take_dht)
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/pip
	@echo "Installing Seedcast and its test tools into $(VENV) (once; a minute or two) ..."
	@$(PIP) install --only-binary miniupnpc --editable '.[test,upnp]' 2>/dev/null || $(PIP) install --editable '.[test]'
	$(take_dht)
	@touch $@ $(VENV)/.run

$(VENV)/.players: pyproject.toml | $(BIN)/pip
	@echo "Installing the players that are Python packages into $(VENV) ..."
	@$(PIP) install --editable '.[test,players]'
	@touch $@ $(VENV)/.run $(VENV)/.test

# Debian and Ubuntu keep the module that puts pip into a new environment in a package of its own, python3-venv.
# Without it, a pip of the system or uv can fill the environment from outside.
$(BIN)/pip:
	@test -n "$(PYTHON)" || { \
		echo "Seedcast needs Python 3.11 or newer, and none was found."; \
		echo "Install it (Debian, Ubuntu: apt install python3 python3-venv), or name it: make run PYTHON=/path/to/python3"; \
		exit 2; }
	@rm -rf $(VENV); \
	if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null && $(PYTHON) -m venv $(VENV) >/dev/null; then exit 0; fi; \
	echo "$(PYTHON) has no complete venv module; looking for another way ..."; \
	rm -rf $(VENV); \
	if command -v uv >/dev/null && uv venv --quiet --seed --python $(PYTHON) $(VENV); then exit 0; fi; \
	rm -rf $(VENV); \
	if $(PYTHON) -m venv --without-pip $(VENV) 2>/dev/null \
		&& $(PYTHON) -m pip --disable-pip-version-check --quiet --python $(BIN)/python install pip 2>/dev/null \
		&& test -e $(BIN)/pip; then exit 0; fi; \
	rm -rf $(VENV); \
	echo "No virtual environment could be made. On Debian and Ubuntu install the missing part, then run make again:"; \
	echo "    sudo apt install python3-venv"; \
	exit 2

# ---- what only the tests need from the system

test-tools:
	@missing=""; \
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
		|| missing="chromium"; \
	command -v ffprobe >/dev/null || missing="$$missing ffmpeg"; \
	command -v Xvfb >/dev/null || missing="$$missing xvfb"; \
	command -v opentracker >/dev/null || missing="$$missing opentracker"; \
	{ command -v ip && command -v nft; } >/dev/null || missing="$$missing iproute2 nftables"; \
	test -n "$$missing" || exit 0; \
	if test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		echo "Installing for the tests, by apt: $$missing"; \
		apt-get update -qq </dev/null && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing </dev/null >/dev/null && exit 0; \
		echo "apt could not install: $$missing"; \
	fi; \
	echo "Not on this machine: $$missing. The tests that need it are $(if $(SEEDCAST_NO_SKIP),going to fail,skipped)."; \
	echo "To run them too: sudo apt install $$missing"

# Players with windows, a virtual screen for them, and npm for the players in pages; what is missing is left out.
PLAYER_PACKAGES := xvfb mpv vlc-bin vlc-plugin-base vlc-plugin-video-output npm \
	gstreamer1.0-plugins-base-apps gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav gstreamer1.0-x

player-tools:
	@missing=""; \
	for program in Xvfb mpv vlc npm gst-play-1.0 ffplay; do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	test -n "$$missing" || exit 0; \
	if test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		echo "Installing players by apt, for$$missing"; \
		apt-get update -qq </dev/null && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PLAYER_PACKAGES) </dev/null >/dev/null && exit 0; \
	fi; \
	echo "Not on this machine:$$missing. What needs them is left out of the table."; \
	echo "To have them too: sudo apt install $(PLAYER_PACKAGES)"

NETWORK_PACKAGES := iproute2 nftables miniupnpd-nftables

network-tools:
	@missing=""; \
	for program in ip nft miniupnpd; do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	test -n "$$missing" || exit 0; \
	if test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		echo "Installing by apt, for$$missing: $(NETWORK_PACKAGES)"; \
		apt-get update -qq </dev/null && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(NETWORK_PACKAGES) </dev/null >/dev/null && exit 0; \
	fi; \
	echo "Not on this machine:$$missing. To have them: sudo apt install $(NETWORK_PACKAGES)"
