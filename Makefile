# What people type. `make` alone says so.
.PHONY: help demo test lint bench verifiers reaction siege scoring figures evaluate foreign fuzz crash outage build clean

help:
	@printf 'make demo   build, then attack a bank behind Countersign for half a minute, and print what held\n'
	@printf 'make test   format, lints, and all tests\n'
	@printf 'make lint   format and lints alone\n'
	@printf 'make bench  what a request costs, side by side with nginx and a bare proxy\n'
	@printf 'make verifiers  how much evidence one core verifies, and how much of that is cryptography\n'
	@printf 'make reaction  how long after a signal the next request is refused\n'
	@printf 'make siege  whether honest phones notice 2,000 requests a second of strangers, from one network and from ten thousand (SECONDS=60 each)\n'
	@printf 'make scoring  what judging a request costs with a million people in memory\n'
	@printf 'make figures  how the code is built: sizes of files and functions, imports, floors, comments\n'
	@printf 'make evaluate  how well the risk models tell attacks from ordinary life, beside the anchors; DATA=../shared/data/risk\n'
	@printf 'make foreign  clients and servers of other makers: gRPC and SMTP for Python, HTTP/2 of Node, nginx (needs node, python3, nginx)\n'
	@printf 'make fuzz   every fuzz target, SECONDS=600 each (nightly, cargo-fuzz)\n'
	@printf 'make outage  fill the disk of a loaded node, take its descriptors, read its log no more, and see it recover\n'
	@printf 'make crash  kill -9 a loaded node ROUNDS=50 times and look for what was lost\n'

build:
	cargo build --release --locked --package countersign

demo: build
	target/release/countersign demo $(ARGS)

test: lint
	cargo test --workspace --locked --quiet

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings

bench:
	scripts/bench

verifiers:
	cargo run --release --locked --quiet --package countersign-attest --example throughput -- $(ARGS)

reaction:
	cargo run --release --locked --quiet --package countersign-demo --example reaction

siege:
	cargo run --release --locked --quiet --package countersign-demo --example siege

scoring:
	cargo run --release --locked --quiet --package countersign-monitor --example scoring

figures:
	cargo test --locked --quiet --package countersign --test architecture -- --ignored figures --nocapture

DATA ?= ../shared/data/risk
evaluate: build
	target/release/countersign evaluate all $(DATA) $(ARGS)

foreign:
	scripts/foreign
	scripts/mail
	scripts/auth_request

SECONDS ?= 600
fuzz:
	scripts/fuzz $(SECONDS)

outage: build
	cargo build --release --locked --package countersign-example-bank
	scripts/outage

ROUNDS ?= 50
crash: build
	cargo build --release --locked --package countersign-example-bank
	scripts/crash $(ROUNDS)
