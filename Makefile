# A thin face over Meson and the scripts; see CONTRIBUTING.md for what each target is for.
.PHONY: all build build-test deps deps-test test run demo status model attacks-red kill revoke check check-fast lint fuzz bench clients \
        conformance clean

ROUNDS ?= 200
RUNS ?= 100
FUZZ_SECONDS ?= 60

all: build

deps:
	@sh dev/deps.sh product

deps-test:
	@sh dev/deps.sh product test

build: deps
	@sh dev/build.sh build

build-test: deps-test
	@sh dev/build.sh build-test -Dbreaks=true -Dfuzz=true

test: deps-test
	@sh dev/test.sh

run: build
	@sh dev/target.sh run dev/run.sh

demo: build
	@sh dev/target.sh demo tests/demo.py

status:
	@/usr/bin/python3 dev/status.py

model: deps-test
	@sh dev/target.sh model tests/model/run.py

attacks-red: build build-test
	@sh dev/target.sh attacks-red tests/attacks_red.py

kill: build build-test
	@sh dev/target.sh kill tests/crash/kill.py --rounds $(ROUNDS)

revoke: build deps-test
	@sh dev/target.sh revoke tests/revoke.py --runs $(RUNS)

check-fast: build-test
	@sh dev/check.sh fast

check: build build-test
	@sh dev/check.sh full

lint:
	@sh dev/check.sh lint

fuzz: deps-test
	@sh dev/fuzz.sh $(FUZZ_SECONDS)

bench: build
	@sh dev/deps.sh product test bench
	@sh dev/target.sh bench bench/run.py

clients: build
	@sh dev/deps.sh product test clients
	@sh dev/target.sh clients tests/clients/run.py

conformance: build
	@sh dev/deps.sh product test
	@sh dev/target.sh conformance tests/s3/conformance.py --suite "$(S3TESTS)"

clean:
	rm -rf build build-test build-sanitize
