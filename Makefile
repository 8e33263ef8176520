# make          what `make build` does
# make build    target/release/thalweg, and .venv/bin/thalweg with its Python package
# make run      build, then serve APP over HTTP/1.1 and HTTP/2 with a certificate made for it
# make test     all tests; installs what they need into .peers
# make check    format, lints, documentation, requirements without a test, dependencies
# make peers    only installs what tests and benchmarks need
# make bench    applications, static responses, idle connections, HPACK and sessions here and in their peers
# make clean    removes all that was built, and .venv
#
# APP=module:callable  what `make run` serves       CHDIR=directory      where it is
# PYTHON=program       the interpreter              HTTP=, HTTPS=        the addresses of `make run`
# BENCH=arguments      more arguments for the benchmark

PYTHON ?= python3
APP ?= werkzeug.testapp:test_app
CHDIR ?= .
HTTP ?= 127.0.0.1:8080
HTTPS ?= 127.0.0.1:8443
BENCH ?=

VENV := .venv
PEERS := .peers/venv
TOOLS := .tools
CARGO_DENY := cargo-deny@0.20.2
PYTHON_TOOLS := maturin==1.16.0 ruff==0.17.5 mypy==2.4.1

# What programs and wheel are made of.
SOURCES := Cargo.toml Cargo.lock $(shell find crates -path '*/tests' -prune -o -type f ! -name '*.pyc' ! -name '*.so' -print)

.DELETE_ON_ERROR:
.PHONY: build run test check peers bench clean prerequisites FORCE

build: $(VENV)/.wheel

prerequisites:
	@PYTHON='$(PYTHON)' scripts/prerequisites.sh

# ---- the program and the wheel ------------------------------------------------------------------------------

target/release/thalweg: $(SOURCES) | prerequisites
	cargo build --release --locked --package thalweg-cli
	@touch $@

# The program takes the place of the wheel's script of the same name: it drops privileges before Python starts.
$(VENV)/.wheel: target/release/thalweg $(VENV)/.interpreter $(TOOLS)/python/.tools
	scripts/wheel.sh $(TOOLS)/python/bin/maturin $(VENV) --release
	install target/release/thalweg $(VENV)/bin/thalweg
	@touch $@

# Changes only when PYTHON is another interpreter than the one that .venv was made with.
$(VENV)/.interpreter: FORCE | prerequisites
	@scripts/venv.sh $(VENV) '$(PYTHON)'

run: build
	@scripts/run.sh $(VENV) '$(APP)' '$(CHDIR)' '$(HTTP)' '$(HTTPS)'

# ---- tests --------------------------------------------------------------------------------------------------

peers: | prerequisites
	PYTHON='$(PYTHON)' tests/peers.sh

# The same profile as the Rust tests: what they compiled is used again.
$(PEERS)/.wheel: $(SOURCES) $(TOOLS)/python/.tools | peers
	scripts/wheel.sh $(TOOLS)/python/bin/maturin $(PEERS) --profile dev
	@touch $@

test: peers
	scripts/cargo-test.sh
	$(MAKE) --no-print-directory $(PEERS)/.wheel
	cd crates/python && $(CURDIR)/$(PEERS)/bin/pytest
	$(PEERS)/bin/pytest tests

bench: build peers
	cargo build --release --locked --manifest-path bench/servers/Cargo.toml --target-dir target
	cargo build --release --locked --manifest-path bench/protocol/Cargo.toml --target-dir target
	$(PEERS)/bin/python bench/run.py --thalweg $(VENV)/bin/thalweg --programs target/release $(BENCH)

# ---- style and dependencies ---------------------------------------------------------------------------------

check: $(TOOLS)/python/.tools $(TOOLS)/cargo/.deny | prerequisites
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo fmt --manifest-path bench/servers/Cargo.toml --check
	cargo fmt --manifest-path bench/protocol/Cargo.toml --check
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked
	$(TOOLS)/python/bin/ruff check .
	$(TOOLS)/python/bin/ruff format --check .
	cd crates/python && $(CURDIR)/$(TOOLS)/python/bin/mypy python
	$(TOOLS)/python/bin/mypy --strict scripts
	$(TOOLS)/python/bin/python scripts/requirements.py
	cargo fetch --locked --quiet
	PATH="$(CURDIR)/$(TOOLS)/cargo/bin:$$PATH" cargo deny --offline check licenses bans sources

# ---- tools of the build, in a virtual environment of their own ------------------------------------------------

$(TOOLS)/python/.tools: Makefile | prerequisites
	@scripts/venv.sh $(TOOLS)/python '$(PYTHON)'
	$(TOOLS)/python/bin/pip install --quiet --disable-pip-version-check $(PYTHON_TOOLS)
	@touch $@

# Compiled from source, in two or three minutes, because no registry has a current build of it.
$(TOOLS)/cargo/.deny: | prerequisites
	cargo install --locked --quiet --root $(TOOLS)/cargo $(CARGO_DENY)
	@touch $@

# Keeps .tools and .peers, which hold nothing of ours.
clean:
	rm -rf target $(VENV) $(PEERS)/.wheel run

FORCE:
