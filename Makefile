# snn.h needs no build: this file runs the examples, the tests and the checks. `make help` lists them.
CFLAGS ?= -O2 -std=gnu99 -Wall -Wextra
BUILD ?= build
MNIST ?= examples/data

# OpenMP where the compiler has it; `make run OPENMP=` does without.
OPENMP := $(shell mkdir -p $(BUILD); echo 'int main(void) { return omp_get_num_threads() - 1; }' | \
    $(CC) -fopenmp -include omp.h -x c - -o $(BUILD)/probe 2> /dev/null && echo -fopenmp; rm -f $(BUILD)/probe)

EXAMPLES := $(patsubst examples/%.c,$(BUILD)/%,$(wildcard examples/*.c))
COMPILE = $(CC) $(CPPFLAGS) $(CFLAGS) $(OPENMP) $< -o $@ $(LDFLAGS) -lm

all: $(EXAMPLES) $(BUILD)/test_snn $(BUILD)/test_vectors $(BUILD)/bench ## everything that can be built, into build/

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1 \2/p' Makefile | while read -r name text; do printf '%-14s %s\n' "$$name" "$$text"; done

run: $(BUILD)/mnist ## train the convolutional net on the digits in MNIST (default examples/data)
	@OMP_WAIT_POLICY=$${OMP_WAIT_POLICY:-passive} $(BUILD)/mnist $(MNIST)

examples: $(EXAMPLES) ## all examples, into build/

test: $(BUILD)/test_snn $(BUILD)/test_vectors ## the library's tests and the reference vectors
	@{ $(BUILD)/test_snn $(FILTER); echo "exit $$?"; \
	   $(BUILD)/test_vectors tests/vectors; echo "exit $$?"; } 2>&1 | awk ' \
	    /^[0-9]+ passed, [0-9]+ failed/ { passed += $$1; failed += $$3; next } \
	    /^exit [0-9]+$$/ { if ($$2 != 0 && failed == before) { failed++; print } before = failed; next } \
	    { print; fflush() } \
	    END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 || passed == 0 }'

bench: $(BUILD)/bench ## time of one training step of three nets: ms/step images/s peak-MB
	@$(BUILD)/bench t5_mlp quick t6 --mnist $(MNIST)

lint: ## warnings as C and C++, exported symbols, compile time, line count
	@tests/lint.sh $(BUILD)

matrix: ## compilers x language standards x configurations, each program run
	@tests/compile/matrix.sh $(BUILD)/matrix

asan: ## the tests under the address sanitizer
	@$(MAKE) -s test BUILD=$(BUILD)/asan CFLAGS="-O1 -g -std=gnu99 -fno-omit-frame-pointer -fsanitize=address"

ubsan: ## the tests under the undefined-behaviour sanitizer
	@$(MAKE) -s test BUILD=$(BUILD)/ubsan CFLAGS="-O1 -g -std=gnu99 -fsanitize=undefined -fno-sanitize-recover=all"

valgrind-core: ## the core tests under valgrind
	@if ! command -v valgrind > /dev/null; then echo "valgrind is not installed: nothing checked"; test -z "$$CI"; else \
	    $(MAKE) -s $(BUILD)/valgrind/test_snn BUILD=$(BUILD)/valgrind CFLAGS="-O1 -g -std=gnu99" OPENMP= && \
	    valgrind -q --leak-check=full --error-exitcode=1 $(BUILD)/valgrind/test_snn core; fi

clean: ## remove build/ and what the examples leave
	rm -rf $(BUILD) mnist.safetensors raster.png

$(BUILD)/%: examples/%.c snn.h
	@mkdir -p $(@D)
	$(COMPILE)

$(BUILD)/%: tests/%.c snn.h
	@mkdir -p $(@D)
	$(COMPILE)

$(BUILD)/%: bench/%.c snn.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -DSNN_BENCH_FLAGS="\"$(CFLAGS)\"" $(OPENMP) $< -o $@ $(LDFLAGS) -lm

.PHONY: all help run examples test bench lint matrix asan ubsan valgrind-core clean
