# Two commands are enough: `make run` starts a home with a lamp, `make test` shows that it works. Both bring what they
# need; on a fresh Debian only Go 1.26 and make have to be there. `make help` lists the rest.

SHELL       := /bin/sh
MAKEFLAGS   += --no-builtin-rules
.SUFFIXES:
.NOTPARALLEL:
.DEFAULT_GOAL := help

# Go as its own installer leaves it need not be in PATH.
export PATH := $(PATH):/usr/local/go/bin

VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BUILT       := $(shell git log -1 --format=%ct 2>/dev/null)
LDFLAGS     := -s -w -buildid= -X main.version=$(VERSION) -X main.built=$(BUILT)
BUILD       := CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'

CACHE       := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/twinbridge
# The tools are built once per version: the folder is named after what pins them.
TOOLS       := $(CACHE)/tools/$(shell cat tools/go.mod tools/go.sum | cksum | cut -d' ' -f1)

SEEDS       ?= 2000
LOOPS       ?= 200
FUZZTIME    ?= 60s
DATA        ?= ./.twinbridge
PKG         ?= ./...

# What the tests use beside Go: the race detector wants a C compiler; the store, and pairing, are killed at system calls;
# the broker, the announcements and the binary are spoken to with other people's programs; a QR code is read by one; the
# emulated board needs an emulator; the page needs a browser.
NEED_RACE   := gcc=gcc /usr/include/stdlib.h=libc6-dev
NEED_CRASH  := strace=strace
NEED_PEERS  := mosquitto=mosquitto mosquitto_passwd=mosquitto mosquitto_pub=mosquitto-clients mosquitto_sub=mosquitto-clients curl=curl
NEED_QR     := zbarimg=zbar-tools
NEED_NET    := ip=iproute2
NEED_MDNS   := avahi-daemon=avahi-daemon avahi-publish-service=avahi-utils dbus-daemon=dbus-daemon unshare=util-linux
NEED_PAGE   := chromium=chromium node=nodejs npm=npm certutil=libnss3-tools
NEED_HOME   := $(NEED_NET) avahi-daemon=avahi-daemon avahi-browse=avahi-utils dbus-daemon=dbus-daemon node=nodejs npm=npm
NEED_BOARD  := qemu-system-aarch64=qemu-system-arm

# Packages of tests that run real programs. They come after the others and one at a time, as they measure time.
E2E         := ./test/e2e/... ./test/hostile/... ./test/readme/...
CHAOS       := ./test/world/... ./test/chaos/...
PAGE        := ./test/page/...
HOMEKIT     := ./test/homekit/...
BOARD       := ./test/gpio/...

# Schemathesis, in a venv that is named after what pins it.
API_NEEDS   := test/api/requirements.txt
VENV        := $(CACHE)/schemathesis/$(shell cksum < $(API_NEEDS) | cut -d' ' -f1)

# aiohomekit, the same way.
HOME_NEEDS  := test/homekit/requirements.txt
HOME_VENV   := $(CACHE)/aiohomekit/$(shell cksum < $(HOME_NEEDS) | cut -d' ' -f1)
# HAP-python, likewise.
PEER_NEEDS  := test/bench/peers/requirements.txt
PEERS       := $(CACHE)/hap-python/$(shell cksum < $(PEER_NEEDS) | cut -d' ' -f1)

# What `make test` leaves to `make test-long`: faults planted by building dozens of programs, pages of a thousand cards, and
# what foreign controllers find at a bridge that others wrote.
SHORT       := $(if $(LONG),,-skip '^(TestPlantedFaults|TestStormFinds|TestMany|TestHubMany|TestHAPNodeJS)$$')

##@ The two that matter

run: build ## Build, and start a hub and a node with a lamp in one process; data in ./.twinbridge (DATA=folder)
	./bin/twinbridge up --data $(DATA) --demo

test: unit sim e2e chaos together ## All tests: unit (race detector), simulation, end to end, kills under load, REST by schemathesis, the page in a browser, HomeKit controllers, mDNS beside Avahi, emulated board

##@ Building

build: go ## Build ./bin/twinbridge: static, reproducible
	$(BUILD) -o bin/ ./cmd/twinbridge

clean: ## Remove what was built. The data of `make run` stays: rm -r .twinbridge forgets it
	rm -rf bin

##@ Parts of `make test`

unit: go ## Vet and unit tests with the race detector (PKG=./twin/...); installs gcc, libc6-dev, strace, mosquitto, mosquitto-clients, iproute2, avahi, zbar-tools
	@tools/need "unit tests" $(NEED_RACE) $(NEED_CRASH) $(NEED_PEERS) $(NEED_QR) $(NEED_NET) $(NEED_MDNS)
	go vet -tags board ./...
	go test -race $(if $(LONG),,-short) -timeout 20m $(if $(filter ./...,$(PKG)),$$(go list ./... | grep -v -e /test/ -e '/internal/simtest$$' -e '/internal/looptest$$'),$(PKG))

# The simulation runs in one thread, where the race detector would find nothing and take ten times as long.
sim: go ## The simulation of the twin's rules: SEEDS=2000 random histories; of the link's loops: LOOPS=200
	@tools/need "the simulation" $(NEED_RACE)
	go test -timeout 60m -count 1 $(SHORT) ./internal/simtest -v -seeds $(SEEDS)
	go test -timeout 60m -count 1 $(SHORT) ./internal/looptest -v -runs $(LOOPS)
	go test -race -timeout 60m -count 1 ./internal/looptest -run '^TestHistories$$' -v -runs $(shell expr $(LOOPS) / 10)

# As root also in network namespaces that the tests make and take away again.
e2e: go ## The real binaries, driven as people do, and attacked; installs mosquitto, mosquitto-clients, curl, iproute2, strace
	@tools/need "end-to-end tests" $(NEED_PEERS) $(NEED_NET) $(NEED_CRASH)
	go test -p 1 -timeout 20m -count 1 $(SHORT) $(E2E)

chaos: go ## Hub, node, mapper and broker killed and cut off under load for 30 s, 5 minutes with LONG=1; what was told holds
	@tools/need "tests with kills" $(NEED_PEERS)
	go test -p 1 -timeout 30m -count 1 $(SHORT) -v $(CHAOS)

api: go $(VENV)/ok ## The hub's REST API against what schemathesis thinks of; installs python3-venv, makes a venv
	SCHEMATHESIS=$(VENV) go test -timeout 15m -count 1 -v ./test/api

$(VENV)/ok: $(API_NEEDS)
	@python3 -c 'import ensurepip, venv' 2>/dev/null || tools/need "tests of the REST API" python3=python3 /usr/lib/python3/ensurepip=python3-venv
	rm -rf $(VENV)
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $(API_NEEDS)
	touch $@

# The browser is Debian's; what drives it is pinned by test/page/package-lock.json and downloads nothing by itself.
page: go ## The page for the browser, in Chromium; installs chromium, nodejs, npm, libnss3-tools (PAGE_SHOTS=folder keeps pictures)
	@if tools/need "tests of the page" $(NEED_PAGE) && npm ci --prefix test/page --ignore-scripts --no-audit --no-fund --silent; then \
		go test -p 1 -timeout 15m -count 1 $(SHORT) $(PAGE); \
	elif [ "$$CI" = true ]; then \
		exit 1; \
	else \
		echo "page: left out, see above" >&2; \
	fi

# Both controllers are pinned, by test/homekit/package-lock.json and test/homekit/requirements.txt. As root only: each has a
# network namespace.
homekit: go $(HOME_VENV)/ok ## The HomeKit bridge, driven by hap-controller and aiohomekit; installs avahi-daemon, avahi-utils, iproute2, nodejs, npm, python3-venv, makes a venv
	@if tools/need "tests with HomeKit controllers" $(NEED_HOME) && npm ci --prefix test/homekit --ignore-scripts --no-audit --no-fund --silent; then \
		AIOHOMEKIT=$(HOME_VENV) go test -p 1 -timeout 15m -count 1 $(SHORT) -v $(HOMEKIT); \
	elif [ "$$CI" = true ]; then \
		exit 1; \
	else \
		echo "homekit: left out, see above" >&2; \
	fi

# What these install comes first, one after the other: two at once would be in each other's way.
together: go $(VENV)/ok $(HOME_VENV)/ok ## REST, the page, HomeKit, mDNS and the emulated board at the same time, as in `make test`
	@tools/need "tests that run together" $(NEED_PAGE) $(NEED_HOME) $(NEED_MDNS) $(NEED_BOARD) || [ "$$CI" != true ]
	@MAKE='$(MAKE)' tools/together api page homekit mdns test-gpio

# As root only. What takes longer, links that come and go and floods among it, is for LONG.
mdns: go ## What we announce, as Avahi, zeroconf and a client by hand see it on networks of the tests' own; installs avahi-daemon, avahi-utils, iproute2
	@if tools/need "tests of what is announced" $(NEED_NET) $(NEED_MDNS) avahi-browse=avahi-utils; then \
		go test -p 1 -timeout 15m -count 1 $(if $(LONG),,-run '^(TestFound|TestConflict|TestDetails)$$') ./test/dnssd; \
	elif [ "$$CI" = true ]; then \
		exit 1; \
	else \
		echo "mdns: left out, see above" >&2; \
	fi

$(HOME_VENV)/ok: $(HOME_NEEDS)
	@python3 -c 'import ensurepip, venv' 2>/dev/null || tools/need "tests with HomeKit controllers" python3=python3 /usr/lib/python3/ensurepip=python3-venv
	rm -rf $(HOME_VENV)
	python3 -m venv $(HOME_VENV)
	$(HOME_VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $(HOME_NEEDS)
	touch $@

test-gpio: go ## The relay's drivers on an emulated Raspberry Pi; installs QEMU, fetches a Debian kernel
	@if tools/need "tests on an emulated board" $(NEED_BOARD); then \
		go test -tags board -p 1 -timeout 15m -count 1 -v $(BOARD); \
	elif [ "$$CI" = true ]; then \
		exit 1; \
	else \
		echo "test-gpio: left out, see above" >&2; \
	fi

##@ Longer

test-long: export LONG := 1
test-long: ## Everything of `make test` and more of it: 20,000 seeds, 2,000 loops, planted faults, 200 kills, 5 minutes of chaos, races in the binary, each fuzz target 60 s
	$(MAKE) unit
	$(MAKE) sim SEEDS=20000 LOOPS=2000
	$(MAKE) e2e
	$(MAKE) chaos
	$(MAKE) api
	$(MAKE) page
	$(MAKE) homekit
	$(MAKE) mdns
	$(MAKE) test-gpio
	$(MAKE) fuzz

fuzz: go ## Every fuzz target for FUZZTIME=60s (PKG=./edge/eventbus/...)
	tools/fuzz $(FUZZTIME) $(PKG)

bench: build ## Measure the real binary beside its targets, 9 minutes (ONLY=wishes,order measures parts; DISK=folder another disk)
	@case ',$(or $(ONLY),homekit),' in *,homekit,*) $(MAKE) --no-print-directory bench-peers;; esac
	go run ./test/bench -binary bin/twinbridge -disk $(or $(DISK),bin) -only '$(ONLY)' -python $(PEERS)/bin/python

# HAP-NodeJS, HAP-python: HomeKit's figures are held against theirs. Without them their columns are empty.
bench-peers:
	@if npm ci --prefix test/bench/peers --ignore-scripts --no-audit --no-fund --silent; then :; \
	else echo "bench: without HAP-NodeJS, for which node and npm are needed" >&2; fi
	@if [ -e $(PEERS)/ok ]; then :; \
	elif rm -rf $(PEERS) && python3 -m venv $(PEERS) && \
		$(PEERS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $(PEER_NEEDS); then touch $(PEERS)/ok; \
	else echo "bench: without HAP-python, for which python3-venv is needed" >&2; rm -rf $(PEERS); fi

##@ Checks without running

lint: $(TOOLS)/golangci-lint $(TOOLS)/staticcheck $(TOOLS)/gofumpt ## golangci-lint, staticcheck, gofumpt; builds them once (some minutes)
	$(TOOLS)/golangci-lint config verify
	$(TOOLS)/golangci-lint run
	$(TOOLS)/staticcheck -tags board ./...
	@unformatted=$$($(TOOLS)/gofumpt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted; make fmt does it:" $$unformatted >&2; exit 1; fi

fmt: $(TOOLS)/golangci-lint ## Format all Go files: gofumpt, imports in groups
	$(TOOLS)/golangci-lint fmt

vuln: $(TOOLS)/govulncheck ## Known vulnerabilities; needs the internet (VULNDB=file:///folder reads a copy)
	@tools/need "a look at the vulnerability database" curl=curl
	tools/vuln $(TOOLS)/govulncheck $(VULNDB)

# The tools lie outside the tree and are built from tools/go.mod.
TOOL_golangci-lint := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
TOOL_staticcheck   := honnef.co/go/tools/cmd/staticcheck
TOOL_gofumpt       := mvdan.cc/gofumpt
TOOL_govulncheck   := golang.org/x/vuln/cmd/govulncheck

$(TOOLS)/%: | go
	@echo "building $* into $(TOOLS)"
	cd tools && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o $@ $(TOOL_$*)

##@ Help

go:
	@go version >/dev/null 2>&1 || { echo "Go 1.26 or later is needed and not in PATH: https://go.dev/dl/" >&2; exit 1; }

help: ## This list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: run test build clean unit sim e2e chaos together api page homekit mdns test-gpio test-long fuzz bench bench-peers lint fmt vuln go help
