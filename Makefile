# The face for newcomers; meson does the work.
#
#   make run     a Kontor window with a demo company, signed in to a server on this machine
#   make test    every test suite; the last line counts
#   make help    the rest
#
# BUILD=dir names another build folder; MESON_ARGS='-Dx=y' is used when it is first made.

BUILD ?= build
MESON_ARGS ?=
PREFIX ?=

export BUILD MESON_ARGS PREFIX

# How long each of what takes a time of your choice; empty: its own.
SECONDS ?=

.PHONY: build run test soak planted hostile bench fuzz install clean help

build:
	@tools/install-deps --check run || echo "Building all the same; tools/install-deps run installs them." >&2
	@tools/build

run:
	@tools/install-deps run
	@tools/build
	@tools/run

test:
	@tools/install-deps test
	@tools/run-tests $(SUITE)

# Simulated histories until the time is over: SECONDS=3600, SEED=, STEPS=.
soak:
	@tools/install-deps test
	@tools/build
	@tools/soak $(or $(SECONDS),60) $(SEED) $(STEPS)

# Do the tests see a fault? Each of a list is planted into a copy of the tree, and must be found.
planted:
	@tools/install-deps test
	@tests/sim/planted $(PLANTED)

bench:
	@tools/install-deps test
	@tools/build
	@tools/bench $(BENCH)

fuzz:
	@tools/install-deps fuzz
	@tools/fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(FUZZ)

hostile:
	@tools/build
	@tools/hostile $(or $(SECONDS),600)

install:
	@tools/build
	@meson install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir '$(DESTDIR)')

clean:
	rm -rf $(BUILD)

help:
	@echo 'make [build]        build the programs into $(BUILD)/'
	@echo 'make run            the window with a demo company; installs what is missing'
	@echo 'make test           all suites; SUITE="unit sim server ui lint" picks some'
	@echo 'make hostile        real programs on a hostile network; SECONDS=3600 for a night'
	@echo 'make soak           simulated histories on every core; SECONDS=60, SEED=, STEPS='
	@echo 'make planted        plants known faults into a copy, one by one: each must be found'
	@echo 'make bench          print the figures; BENCH="NAME…" picks some'
	@echo 'make fuzz           let libFuzzer try every parser; SECONDS=60 each, FUZZ="NAME…" picks some'
	@echo 'make install        PREFIX=/usr/local, DESTDIR= honoured'
	@echo 'make clean          remove $(BUILD)/'
