# make run    build, and start the gate with its defaults and the lab world
# make test   install what the tests need, then check, then run every test
# make check  vet, staticcheck, gofumpt and the conventions of this project
# make fuzz   run every fuzz target for FUZZTIME
# make bench  measure, beside the yardsticks of each measurement
# make classifier         train the weights of the PTR name classifier on CORPUS
# make classifier-report  report its figures in cross-validation on CORPUS
# make docs   write the generated pages anew, and what the examples print
# make comparison  write docs/comparison.md anew, with what other tools say
# make build  the program, in bin/arpagate
# make clean  remove what was built

FUZZTIME ?= 20s
BENCHTIME ?= 1s
# Labelled names: address, name, label, weight, registered domain. They are of
# real hosts, and no part of this repository.
CORPUS ?= ../shared/data/rdns_dev.tsv
# How many of the worst errors classifier-report lists.
ERRORS ?= 0

TOOL = go tool -modfile=tools.mod

# Some tests make network namespaces, which takes root. For root a skipped test
# is a failure; for others the skips are printed by go test -v.
ifeq ($(shell id -u),0)
export ARPAGATE_NEED_ALL = 1
endif

.PHONY: help run build test setup check fuzz bench classifier classifier-report docs clean

help:
	@sed -n 's/^# make/make/p' Makefile

run: build
	exec ./bin/arpagate serve --lab

build:
	CGO_ENABLED=0 go build -trimpath -o bin/arpagate ./cmd/arpagate

test: setup check
	@test "$$(id -u)" = 0 || echo 'make test: not root: tests that make network namespaces are skipped (sudo make test runs them)'
	go test -race -shuffle=on -timeout 15m ./...

setup:
	@test/setup

check:
	go vet ./...
	$(TOOL) staticcheck ./...
	@bad=$$($(TOOL) gofumpt -l .); test -z "$$bad" || { echo "gofumpt would change:"; echo "$$bad"; exit 1; }
	@out=$$(go test -v .) || { echo "$$out" | grep -vE 'no test for|^=== |^--- PASS'; exit 1; }; \
		echo "$$out" | sed -nE 's/^ +[a-z_]+\.go:[0-9]+: (hostile inputs .*|.* better at most .*)/\1/p'

fuzz:
	@grep -rHoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | sed 's|/[^/]*:func | |' | \
	while read -r dir name; do \
		echo "$$dir $$name"; \
		go test -run='^$$' -fuzz="^$$name\$$" -fuzztime=$(FUZZTIME) "$$dir" </dev/null || exit 1; \
	done

bench:
	go test -run='^$$' -bench=. -benchmem -benchtime=$(BENCHTIME) -timeout 30m \
		$$(grep -rlE '^func Benchmark' --include='*_test.go' . | xargs -n1 dirname | sort -u)

classifier:
	go run ./test/classifier -corpus $(CORPUS) -out internal/generic/weights.go

classifier-report:
	@go run ./test/classifier -corpus $(CORPUS) -report -errors $(ERRORS)

docs: build
	./bin/arpagate docs --out docs
	go test -count=1 -run='^(TestMadeParts|TestExamples)$$' ./cmd/arpagate -update

comparison:
	@test/setup peers
	go test -count=1 -timeout 30m -run='^TestComparison$$' ./test/doctor -comparison '$(CURDIR)/bin/comparison'

clean:
	rm -rf bin
