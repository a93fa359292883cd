# snn.h needs no build: this file runs the examples, the tests and the checks. `make help` lists them.
CFLAGS ?= -O2 -std=gnu99 -Wall -Wextra
BUILD ?= build
MNIST ?= examples/data

# OpenMP where the compiler has it; `make run OPENMP=` does without.
OPENMP := $(shell mkdir -p $(BUILD); echo 'int main(void) { return omp_get_num_threads() - 1; }' | \
    $(CC) -fopenmp -include omp.h -x c - -o $(BUILD)/probe 2> /dev/null && echo -fopenmp; rm -f $(BUILD)/probe)

EXAMPLES := $(patsubst examples/%.c,$(BUILD)/%,$(wildcard examples/*.c))
COMPILE = $(CC) $(CPPFLAGS) $(CFLAGS) $(OPENMP) $< -o $@ $(LDFLAGS) -lm

# The GPU's companion; nothing else needs nvcc. -fmad=false: neurons compute the CPU's bits.
NVCC ?= nvcc
NVCCFLAGS ?= -O3 -std=c++17 -fmad=false -Xcompiler -ffp-contract=off,-Wall,-Wextra,-Wno-maybe-uninitialized
CUDA_ARCHS ?= 75 80 90
CUDA_PROGRAMS := $(BUILD)/cuda/test_cuda $(BUILD)/cuda/mnist_cuda $(BUILD)/cuda/bench_cuda

all: $(EXAMPLES) $(BUILD)/test_snn $(BUILD)/test_vectors $(BUILD)/test_cuda $(BUILD)/bench ## everything that can be built, into build/

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1 \2/p' Makefile | while read -r name text; do printf '%-14s %s\n' "$$name" "$$text"; done

run: $(BUILD)/mnist ## train the convolutional net on the digits in MNIST (default examples/data)
	@OMP_WAIT_POLICY=$${OMP_WAIT_POLICY:-passive} $(BUILD)/mnist $(MNIST)

examples: $(EXAMPLES) ## all examples, into build/

test: $(BUILD)/test_snn $(BUILD)/test_vectors $(BUILD)/test_cuda ## the library's tests, the GPU's kernels in plain C, the reference vectors
	@{ $(BUILD)/test_snn $(FILTER); echo "exit $$?"; \
	   $(BUILD)/test_cuda $(FILTER); echo "exit $$?"; \
	   $(BUILD)/test_vectors tests/vectors; echo "exit $$?"; } 2>&1 | awk ' \
	    /^[0-9]+ passed, [0-9]+ failed/ { passed += $$1; failed += $$3; next } \
	    /^exit [0-9]+$$/ { if ($$2 != 0 && failed == before) { failed++; print } before = failed; next } \
	    { print; fflush() } \
	    END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 || passed == 0 }'

cuda: ## test, example and bench for NVIDIA GPUs, compiled (CUDA_ARCHS); needs nvcc
	@if ! command -v $(NVCC) > /dev/null; then \
	    echo "nvcc is not installed (or set NVCC): nothing compiled. It comes with NVIDIA's CUDA toolkit."; exit 1; fi
	@$(MAKE) -s $(CUDA_PROGRAMS)

cuda-test: cuda ## the GPU against the CPU; needs a GPU
	@$(BUILD)/cuda/test_cuda $(FILTER)

cuda-bench: cuda ## time of kernels and of one training step on the GPU
	@$(BUILD)/cuda/bench_cuda

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
	rm -rf $(BUILD) mnist.safetensors raster.png cartpole.png diehl_cook.png diehl_cook.pgm

$(BUILD)/%: examples/%.c snn.h
	@mkdir -p $(@D)
	$(COMPILE)

$(BUILD)/%: tests/%.c snn.h
	@mkdir -p $(@D)
	$(COMPILE)

$(BUILD)/test_cuda: tests/test_snn.c tests/cuda_shim.h snn_cuda.h
$(BUILD)/test_cuda: CFLAGS += -ffp-contract=off

# code for each of them, and of the last what a driver translates for those that came after it
NVCC_COMPILE = $(NVCC) $(NVCCFLAGS) $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) \
    -gencode arch=compute_$(lastword $(CUDA_ARCHS)),code=compute_$(lastword $(CUDA_ARCHS))
$(BUILD)/cuda/test_cuda: tests/test_cuda.c tests/test_snn.c snn.h snn_cuda.h
	@mkdir -p $(@D)
	$(NVCC_COMPILE) -x cu $< -o $@ -lcublas
$(BUILD)/cuda/%: examples/%.cu snn.h snn_cuda.h
	@mkdir -p $(@D)
	$(NVCC_COMPILE) $< -o $@ -lcublas
$(BUILD)/cuda/%: bench/%.cu snn.h snn_cuda.h
	@mkdir -p $(@D)
	$(NVCC_COMPILE) $< -o $@ -lcublas

$(BUILD)/%: bench/%.c snn.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -DSNN_BENCH_FLAGS="\"$(CFLAGS)\"" $(OPENMP) $< -o $@ $(LDFLAGS) -lm

.PHONY: all help run examples test cuda cuda-test cuda-bench bench lint matrix asan ubsan valgrind-core clean
