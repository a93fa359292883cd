/* snn.h - v0.1.0 - spiking neural networks in one C99 header - MIT-0, see the end of this file
 *
 * Do this:
 *     #define SNN_IMPLEMENTATION
 *     #include "snn.h"
 * in ONE C or C++ file, and a plain #include "snn.h" everywhere else. Link with -lm. That is all.
 */
#ifndef SNN_H_INCLUDED
#define SNN_H_INCLUDED

/*
 * EXAMPLE
 *   A convolutional spiking net learns to tell four kinds of bars from each other, in a second and
 *   without data: save it as bars.c beside snn.h, then cc -O2 bars.c -o bars -lm && ./bars. The
 *   file with SNN_IMPLEMENTATION takes 10 to 20 seconds to compile (SNN_NO_SIMD: two thirds of
 *   that), so keep it apart in a project of yours; the header alone takes none.
 *
 *       #define SNN_IMPLEMENTATION
 *       #include "snn.h"
 *       #include <stdio.h>
 *
 *       enum { BATCH = 64, STEPS = 20, SIDE = 16, PIXELS = SIDE * SIDE, KINDS = 4 };
 *       enum { TRAIN = 2048, TEST = 512, ROUNDS = 96 };
 *       static float images[(TRAIN + TEST) * PIXELS];
 *       static int labels[TRAIN + TEST];
 *
 *       static void draw(int k)
 *       {
 *           int i, row, column, lit, at = (int)(snn_random(7, 0, (uint32_t)k, 0) % 9) - 4;
 *           labels[k] = k % KINDS;
 *           for (i = 0; i < PIXELS; i++) {
 *               row = i / SIDE, column = i % SIDE;
 *               lit = k % KINDS == 0 ? row == 8 + at : k % KINDS == 1 ? column == 8 + at :
 *                     k % KINDS == 2 ? row == column + at : row + column == 15 + at;
 *               images[k * PIXELS + i] = 0.5f * (float)lit +
 *                                        0.5f * snn_uniform(7, 1, (uint32_t)k, (uint32_t)i);
 *           }
 *       }
 *
 *       int main(void)
 *       {
 *           static float x[BATCH * PIXELS];
 *           int y[BATCH], k, node;
 *           float loss = 0;
 *           snn_net *net = NULL;
 *           snn_tensor spikes;
 *           snn_net_desc desc = {0};
 *           snn_conv2d_desc conv = {0};
 *           snn_pool2d_desc pool = {0};
 *           snn_linear_desc fc = {0};
 *           snn_leaky_desc lif = {0};
 *           snn_loss_desc count = {0};
 *           snn_optim_desc adam = {0};
 *           snn_data train = {0}, test = {0};
 *
 *           for (k = 0; k < TRAIN + TEST; k++) draw(k);
 *           train.x = images, train.y = labels, train.count = TRAIN, train.features = PIXELS;
 *           test.x = images + TRAIN * PIXELS, test.y = labels + TRAIN;
 *           test.count = TEST, test.features = PIXELS;
 *
 *           desc.batch = BATCH, desc.steps = STEPS, desc.seed = 1;
 *           conv.out_channels = 8, conv.kernel = 5;
 *           pool.kernel = 2;
 *           fc.out_features = KINDS;
 *           lif.beta = 0.9f, lif.surrogate = SNN_FAST_SIGMOID;
 *           if (snn_net_create(&net, &desc) != SNN_OK) return 1;
 *           node = snn_input(net, 1, SIDE, SIDE);
 *           node = snn_conv2d(net, node, &conv);
 *           node = snn_max_pool2d(net, node, &pool);
 *           node = snn_leaky(net, node, &lif);
 *           node = snn_flatten(net, node);
 *           node = snn_linear(net, node, &fc);
 *           node = snn_leaky(net, node, &lif);
 *           if (snn_net_build(net) != SNN_OK) {
 *               puts(snn_net_error(net));
 *               return 1;
 *           }
 *
 *           count.kind = SNN_LOSS_MSE_COUNT;
 *           count.correct_rate = 0.8f, count.incorrect_rate = 0.2f;
 *           adam.lr = 5e-3f;
 *           for (k = 0; k < ROUNDS && loss >= 0; k++) {
 *               snn_batch(&train, NULL, k * BATCH % TRAIN, BATCH, 0, x, y);
 *               loss = snn_train_step(net, &adam, &count, x, y);
 *               if (k % 16 == 15) printf("batch %d  loss %.3f\n", k + 1, (double)loss);
 *           }
 *           printf("right: %.1f %%\n", 100 * snn_evaluate(net, &test, SNN_ACCURACY_RATE));
 *
 *           snn_batch(&test, NULL, 0, BATCH, 0, x, y);
 *           snn_net_reset(net);
 *           for (k = 0; k < STEPS; k++) {
 *               snn_net_step(net, k == 0 ? x : NULL);
 *               spikes = snn_net_spikes(net, node);
 *               printf("step %2d: the first image makes outputs %g %g %g %g\n", k,
 *                      (double)spikes.data[0], (double)spikes.data[1],
 *                      (double)spikes.data[2], (double)spikes.data[3]);
 *           }
 *           snn_net_destroy(net);
 *           return 0;
 *       }
 *
 *   In C99 a desc can stand in the call: snn_leaky(net, x, &(snn_leaky_desc){ .beta = 0.9f }).
 *
 * CONTENTS
 *   Search for a token, with its arrows, to get there. Public half: >>config, >>types, >>api.
 *   Implementation, each section using only those before it:
 *       >>platform   includes, compilers, CPU     >>kernels     the loops that decide the speed
 *       >>core       random numbers, text, RAM    >>surrogates  values, derivatives, integrals
 *       >>neurons    one block each               >>layers      linear, conv, pool ..., the scan
 *       >>encode     data to spikes               >>loss        losses and metrics
 *       >>optim      optimisers, schedules        >>rules       learning beside backpropagation
 *       >>net        graph, memory plan, running  >>train       training step, evaluation
 *       >>convert    ReLU nets into spiking nets  >>io          safetensors, IDX, NIR
 *
 * WHAT IT COMPUTES
 *   A net is a graph of layers that runs for T time steps on B samples. Time comes first: a signal
 *   is [T][B][N...] in C order, channels before rows before columns; a row is the [N...] of one
 *   step and sample. The engine works layer by layer, each over all T steps; snn_net_step does one
 *   step of all layers, with the same numbers. Each edge carries one kind of signal:
 *     constant   one [B][N] for all steps. The input is constant unless net_desc.input says
 *                otherwise, and so is what follows up to the first neuron, dropout, delay or norm
 *                through time: computed once, not T times, backward too.
 *     dense      [T][B][N] floats: currents, membranes, spikes whose values differ by neuron.
 *     spikes     one bit for each neuron and step, and one value for all spikes of a layer.
 *                Convolution walks the nonzeros of a row; linear does where they are few, and
 *                multiplies where they are many.
 *   Backpropagation through time is written by hand. A pass keeps input currents and spikes;
 *   backward computes the membranes again.
 *
 * SHAPES AND NAMES
 *   Shapes are per sample and step: snn_input(net, 1, 28, 28) is an image, snn_input(net, 784, 0,
 *   0) a vector. Convolution and pooling want three axes; linear reads any shape as a vector. A
 *   layer call returns a node id, the input of further layers, of several if you like: skips are
 *   snn_add, snn_multiply, snn_iand and snn_concat. The last node added is the output. Layers are
 *   named conv1, fc1, lif1, ... or as the desc says; parameters conv1.weight (O,I/groups,kh,kw),
 *   fc1.weight (out,in), fc1.bias, lif1.beta, as in PyTorch's state_dict.
 *
 * NEURONS
 *   Equations and sources stand with each block in >>neurons. Where frameworks differ, a field
 *   decides:
 *     comparison   spikes where membrane > threshold, strictly; fire_at_threshold = 1: >=
 *     reset        SUBTRACT the threshold, to ZERO (LIF: to v_reset), or NONE; SNN_RESET_DEFAULT is
 *                  the neuron's own
 *     when         one step after the spike, as snnTorch does; no_reset_delay = 1: within the step.
 *                  LIF, IF, CoarseLIF, BioLIF, Izhikevich, AdEx, ConductanceLIF always reset within
 *                  the step, and whatever the membrane was before, as most other frameworks do;
 *                  CoarseLIF and BioLIF to zero, Izhikevich to c
 *     detached     the delayed reset is a constant for gradients; through the immediate one the
 *                  spike's gradient flows, unless detach_reset
 *     reported     the membrane after a reset within the step, with membrane_before_reset the one
 *                  before it
 *     decay        beta, alpha: factors a step, clamped to [0,1] by most neurons; 0 means not
 *                  given, a negative one decay 0. net_desc.dt takes no part: it is saved with the
 *                  model
 *     refractory   LIF, IF: steps after a spike without input or spike
 *     input        LIF, IF, LI: times input_gain; decay_input = 1: times 1 - beta
 *     custom       values of parameters without a field; 0 means the default, 1e-30 as good as 0
 *     spike value  graded: 1 unless given; a parameter like the others
 *     inhibition   one spike a sample and step, of the neuron furthest above its threshold; value
 *                  1
 *     surrogate    backward only, SNN_SURROGATE_LIST; forward is a step for all of them
 *     recurrence   what the layer's last spikes (for some a state) add to its input: V s, W s + b,
 *                  or a convolution; any neuron can have it
 *     quant        states rounded to 2^bits levels after each step; straight through for gradients
 *     output       output_membrane = 1: the layer hands on its membrane; with SNN_RESET_NONE a
 *                  readout
 *   per_neuron = 1 gives each parameter a value per neuron; learn_beta and its like train it.
 *   snn_neuron_init, snn_neuron_forward and snn_neuron_backward run a neuron on plain arrays,
 *   without a net.
 *
 * LOSSES AND TARGETS
 *   A loss reads the output's spikes (ce_rate, ce_count, ce_temporal, mse_count, mse_temporal) or
 *   membranes (ce_membrane, ce_max_membrane, mse_membrane); of a layer without membrane, what it
 *   puts out. Labels count from 0. Rates are spikes a step: mse_count compares counts with floor(T
 *   rate). population is the number of classes where several outputs stand for one. l1_rate is
 *   added for every output spike; rates puts a price on the firing of any recorded node: a sum,
 *   bounds a neuron, bounds a layer. snn_loss and snn_rate_loss do the same on plain arrays. Target
 *   trains: snn_targets_rate, snn_targets_latency.
 *
 * TRAINING
 *   snn_train_step is snn_net_forward, snn_net_zero_grad, snn_net_loss, snn_net_backward,
 *   snn_net_optim_step; call them yourself for anything else:
 *     accumulate   backward ADDS to the parameters' gradients: zero_grad and optim_step every k-th
 *                  batch
 *     record       snn_net_record, before build, keeps a node's spikes, membranes, states
 *                  (snn_net_spikes, _membrane, _trace) and room for their gradients (_dspikes,
 *                  _dmembrane, _dtrace); the output has all but the states unasked. After backward
 *                  _dspikes holds the whole gradient of what the node put out
 *     own loss     after forward and zero_grad write dloss/dspikes, dloss/dmembrane into these
 *                  views of any node recorded with SNN_RECORD_GRADIENT, then backward, which adds
 *                  what flows in from later layers
 *     schedule     optim.lr = snn_schedule(&schedule, k); clipping and groups are fields of
 *                  snn_optim_desc
 *     long T       checkpoint = c stores states every c-th step and runs the stretches between
 *                  again in backward: the same gradients, less memory, one more forward pass.
 *                  half_traces stores in 16 bits what backward reads again, which is not exact
 *     faster       gradient_floor: convolutions skip small gradients, which is not exact
 *     truncated    snn_train_truncated; or snn_net_continue and backward for each chunk: states go
 *                  on, gradients stop at its start
 *     parameters   snn_net_values, snn_net_grads: all that is trained, one row each; after writing
 *                  snn_net_params_changed
 *     norms        snn_norm: batch, batch through time, threshold-dependent, layer. Training steps
 *                  move the running statistics, snn_net_train(net, 0) uses them, snn_net_fold puts
 *                  them into the layer before
 *     few bits     weight_bits of linear and convolution layers: computed with rounded weights,
 *                  trained in full ones
 *     data         snn_batch gathers samples, snn_data_subset and snn_data_split part them
 *     doubts       snn_net_gradcheck compares backward with finite differences, on a net with
 *                  SNN_SPIKES_SMOOTH; net_desc.debug names the layer and step of the first NaN;
 *                  snn_net_print marks layers that are dead or saturated
 *
 * LEARNING WITHOUT A BACKWARD PASS
 *   In a net, one snn_net_step after the other:
 *     STDP         snn_net_stdp, before build: a linear or convolution layer learns in every step,
 *                  event by event. Optimisers leave its weights alone; other layers of the net may
 *                  learn by backward
 *     reward       the same with a snn_reward_desc: steps leave eligibilities, and
 *                  snn_net_learn(net, rewards) after each step changes the weights
 *     online       snn_net_online: gradients forward in time (OTTT, e-prop, DECOLLE, ...). After a
 *                  step write what its loss says into snn_net_signal of the top layer, then
 *                  snn_net_learn; snn_net_optim_step every step, or after the last
 *   On plain arrays, each with its equations where it is declared: STDP of pairs, of triplets and
 *   by Diehl and Cook's four rules (snn_stdp_linear, _conv2d), by reward (snn_reward_update), of
 *   first spikes (snn_stdp_first_spike); ReSuMe, PES; thresholds that adapt (snn_homeostasis),
 *   weights kept in proportion (snn_normalise_rows), neurons that get labels and vote
 *   (snn_assign_labels, snn_vote); the online rules, SLAYER, Forward-Forward, BP-STDP; exact spike
 *   times (snn_spikeprop_, snn_eventprop_); evolution strategies for what has a score and no
 *   gradient (snn_es_). They allocate nothing; traces and states are yours.
 *
 * CONVERSION
 *   A net with steps = 1 of linear, convolution and pooling layers, dropout and snn_relu (or
 *   snn_qcfs) is an ordinary net and trains as one: loss SNN_LOSS_CE_MEMBRANE, accuracy
 *   SNN_ACCURACY_MEMBRANE; snn_net_fold first puts its batch norms into the weights.
 *   snn_net_convert makes a spiking net of it; the sum of its output currents approaches the
 *   ordinary net's outputs as T grows.
 *
 * STREAMING
 *   snn_net_reset, then snn_net_step once a tick; states stay in the net, snn_net_state reads or
 *   sets them. NULL goes on with a constant input as it is: what stands before the first neuron is
 *   then not computed again. T calls give the numbers of one forward pass over T steps, but for a
 *   threshold norm in training, which takes the steps of a call together. Spikes that are bits
 *   already go into the first [B][words] of snn_net_input_words before snn_net_step(net, NULL). A
 *   net that was trained has dropout and the statistics of batches until snn_net_train(net, 0); one
 *   that only streams has inference = 1, batch and steps 1, and never has them.
 *
 * MEMORY
 *   A net is two blocks: a small one of snn_net_create, and one of snn_net_build for all the rest.
 *   snn_net_memory is their exact size in bytes, also before build: it is the real planner on an
 *   arena that only counts. Buffers that are never needed at the same time share memory.
 *   snn_net_create_in puts all into a buffer of yours, and nothing is ever allocated; that many
 *   bytes are enough at any alignment, so print them once on the machine you develop on. Of a small
 *   net the nodes are the most: max_layers = the layers it has saves 1.5 KB for each of 64 that it
 *   has not. A file's model gets there by an allocator that hands out the buffer:
 *   examples/stream.c. After build nothing allocates either, but for snn_net_load, which reads its
 *   file into memory and frees it; snn_net_load_from does not.
 *
 * THREADS AND DETERMINISM
 *   With -fopenmp a layer's work goes to all cores; else net_desc.threads.parallel_for can hand it
 *   to a pool of yours; else the calling thread does it. Work is cut by its size, into at most 16
 *   tasks, never by the number of threads: the bits of a result do not depend on it. Random numbers
 *   are functions of seed and position. There are no writable globals: nets are independent; one
 *   net serves one thread at a time.
 *   Kernels are picked when a net is created, the best of the machine; net_desc.isa or the
 *   environment variable SNN_ISA (scalar, simd128, avx2, avx512) asks for less. They differ in the
 *   last bits, by fused multiply-add; deterministic = 1 does without it: a program then computes
 *   the same bits on all of them. Two builds agree too if neither has -ffast-math or lets the
 *   compiler fuse (-ffp-contract=off), and the C libraries' expf, logf and cosf agree.
 *
 * ERRORS
 *   Calls return snn_status: 0, or negative. While a net is built its first error stays, further
 *   layer calls hand it on and snn_net_build returns it: one check for a chain. snn_net_error is
 *   the sentence:
 *       conv2d "conv2": a 7 x 7 kernel does not fit the padded 5 x 5 input
 *   After build an error leaves the net usable, and net_desc.logger hears every one. Descs that
 *   were not zeroed, NaN and infinity in inputs and files, files that are cut or altered: all are
 *   errors. Nothing prints, aborts or exits; SNN_ASSERT is for the library's own invariants.
 *
 * FILES
 *   snn_net_save writes safetensors: a JSON header and little-endian float32 tensors under
 *   PyTorch's names and shapes. Python reads it with
 *   safetensors.torch.load_file("mnist.safetensors"). The graph is in the metadata, a line a layer
 *   with every field that is not 0, and dt beside it:
 *       leaky name=lif1 in=2 beta=0.9 ... reset=subtract surrogate=fast_sigmoid surrogate_p0=25 ...
 *   snn_net_open makes a net from the file alone. snn_net_load fills one that you built, also from
 *   a plain file of PyTorch whose layers have the same names; neuron parameters that it lacks stay.
 *   Other dtypes, unknown tensors and wrong shapes are refused by name. Not in a file: optimiser
 *   state, batch, steps, seed, and the code of your own neurons and surrogates (add those layers,
 *   then load).
 *
 * CONFIGURATION
 *   Define before the include. (all): alike in every file that includes snn.h; (one): only the file
 *   with SNN_IMPLEMENTATION looks.
 *     SNN_IMPLEMENTATION    (one)  the library itself is compiled here
 *     SNN_STATIC            (all)  static functions, a private copy for each file that sets it
 *     SNN_DEF               (all)  what stands before each function; extern
 *     SNN_NO_SIMD           (one)  plain C kernels
 *     SNN_NO_STDIO          (all)  no stdio.h: no call takes a path
 *     SNN_NO_STDLIB         (all)  no stdlib.h: no malloc, getenv, assert, snn_idx_load; give
 *                                  hooks or use snn_net_create_in
 *     SNN_NO_GETENV         (one)  SNN_ISA in the environment is not read
 *     SNN_NO_KERNEL_PRAGMA  (one)  gcc: kernels at the flags of the file, not at -O3
 *     SNN_ASSERT(x)         (one)  assert(x); nothing with NDEBUG or SNN_NO_STDLIB
 *     SNN_EXPF(x)           (one)  instead of expf; also SNN_LOGF, _SQRTF, _COSF, _ATANF, _POWF,
 *                                  _FLOORF, _FABSF; math.h and string.h are always included
 *   All of it is 700 KB of code at -O2 on x86-64. A program that runs a net with linear layers
 *   links about 310 KB of them with -ffunction-sections -Wl,--gc-sections, 125 KB with -Os,
 *   SNN_NO_SIMD and SNN_NO_KERNEL_PRAGMA too.
 *
 * PORTABILITY AND LIMITS
 *   C99, and C++98 to C++20. gcc and clang get vector kernels: SSE2, AVX2 and AVX-512 by what the
 *   machine has on x86-64, NEON on 64-bit Arm; other compilers and machines get plain C. IEEE
 *   floats and ints of 32 bits are taken for granted, a byte order is not. One input a net;
 *   SNN_MAX_DIMS axes; 2^28 elements a row; 2^24 samples and steps; pooling windows of 256
 *   elements. Everything is float: quant, weight_bits and packing change values and storage, not
 *   arithmetic. GPUs: snn_cuda.h. Of NIR there are the numbers of its neurons, not the files.
 *
 * HOW TO ADD A NEURON
 *   Outside, in a file of yours: a snn_neuron_def with step and grad (and jump and fall where a
 *   spike changes states at once, start for a first state that is not zero), given to
 *   snn_neuron(). They see one time step of n neurons, as snn_neuron_block says: state 0 is the
 *   membrane, parameter 0 the threshold, a spike is where drive > 0. Surrogates, grading,
 *   immediate resets, recurrence, packing, time and threads are the engine's.
 *   examples/custom_neuron.c is complete; build its net with SNN_SPIKES_SMOOTH and let
 *   snn_net_gradcheck tell whether grad is right.
 *   Inside, for all users. 1: write the block in >>neurons, before #undef SNN__PARAM. Its comment
 *   has the equations and their source; here V = b w + a w^2 + x - sub R theta with w = (1 - zero
 *   R) U. step1 is one step of one neuron: s are its states, p its parameters (p[0] the threshold),
 *   x its inputs, m the reset as factors; it returns the drive. grad1 turns ds, the gradients of
 *   the states after, into those before, R being a constant:
 *
 *       SNN__HD float snn__quadratic_step1(float *s, const float *p, const float *x, snn__mode m)
 *       {
 *           SNN__NO_CONTRACT
 *           const float r = snn__reset_indicator(s[0], p[0], m.equal);
 *           const float w = (1.0f - m.zero * r) * s[0];
 *           s[0] = snn__flush(p[1] * w + p[2] * w * w + x[0] - m.sub * r * p[0]);
 *           return s[0] - p[0];
 *       }
 *       SNN__HD void snn__quadratic_grad1(float *ds, float *dp, float *dx, const float *s,
 *                                         const float *p, const float *x, float dd, snn__mode m)
 *       {
 *           SNN__NO_CONTRACT
 *           const float r = snn__reset_indicator(s[0], p[0], m.equal);
 *           const float w = (1.0f - m.zero * r) * s[0];
 *           const float g = ds[0] + dd;
 *           (void)x;
 *           dp[0] -= dd + m.sub * r * g;
 *           dp[1] += g * w;
 *           dp[2] += g * w * w;
 *           ds[0] = (1.0f - m.zero * r) * (p[1] + 2.0f * p[2] * w) * g;
 *           dx[0] = g;
 *       }
 *       SNN__NEURON_LOOPS(quadratic, 1, 3, 1)
 *       static const snn_neuron_def snn__quadratic_def = {
 *           "quadratic", "quadratic", "Quadratic integrate-and-fire", 1, 3, {"mem"},
 *           {SNN__THETA, SNN__BETA, SNN__CUSTOM("a", 0.01f, 0)}, SNN_RESET_SUBTRACT,
 *           SNN__RUN(quadratic), SNN__USUAL, SNN__NO_DERIVED, SNN__NO_JUMP,
 *           &snn__quadratic_wide};
 *
 *   SNN__NEURON_LOOPS(name, states, parameters, inputs) makes the loops over many neurons, for each
 *   instruction set, and lets snn_cuda.h make kernels. SNN__PARAM(field, default, flags) is a
 *   parameter with a field of snn_neuron_desc and a learn_ flag of that name; SNN__CUSTOM(name,
 *   default, flags), parameter k, has its value in custom[k], and learn_custom trains it. A reset
 *   within the spike's step is a jump1 and its gradient fall1, then SNN__JUMP_LOOPS: see LIF. 2:
 *   add the row X(SNN_QUADRATIC, quadratic) to SNN_NEURON_LIST in >>types: it makes the enum, the
 *   desc, snn_quadratic(), the file tag, the tables and the tests. 3: make test. It then checks the
 *   new row: on plain arrays against the net, spikes and membranes by their bits and gradients to
 *   1e-5; and every parameter's gradient against central differences through time, for each reset,
 *   delayed and immediate, scalar and per
 *   neuron.
 *
 * GLOSSARY
 *     beta, alpha       decay of the membrane, of the synaptic current, a step
 *     BPTT, TBPTT       backpropagation through time; truncated: in chunks of steps
 *     drive             what decides on a spike, mostly membrane - threshold
 *     graded spike      a spike of another value than 1
 *     membrane          a neuron's potential, its state 0; U before a step, V after it
 *     primitive         integral of a surrogate: the smooth spike of gradient checks
 *     rate              spikes per neuron and step
 *     surrogate         what backward takes for the derivative of the spike, a step
 *     synaptic current  input after its own decay, before it reaches the membrane
 *     synop             one addition, caused by one spike on one synapse
 *     threshold, theta  what the membrane has to exceed
 *     trace             a state over time, one value a step
 */

/* ---- >>config ------------------------------------------------------------------------------ */
/* Version, linkage and the compile-time switches of the manual's chapter CONFIGURATION. */

#define SNN_VERSION_MAJOR 0
#define SNN_VERSION_MINOR 1
#define SNN_VERSION_PATCH 0
#define SNN_VERSION (SNN_VERSION_MAJOR * 10000 + SNN_VERSION_MINOR * 100 + SNN_VERSION_PATCH)

#include <stddef.h>
#include <stdint.h>

#ifdef SNN_STATIC
    #ifndef SNN_IMPLEMENTATION
        #define SNN_IMPLEMENTATION
    #endif
    #if defined(__GNUC__)
        #define SNN_DEF static __attribute__((unused))
    #else
        #define SNN_DEF static
    #endif
#elif !defined(SNN_DEF)
    #define SNN_DEF extern
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- >>types ------------------------------------------------------------------------------- */
/* Every desc starts and ends with a canary that must be 0: `= {0}` in C, `= {}` in C++. A field
 * left zero means its default, which the comment gives; fields marked (required) have none. */

#define SNN_MAX_DIMS 6   /* axes of a tensor */
#define SNN_MAX_PARAMS 12 /* parameters of a neuron, derived ones included */
#define SNN_MAX_STATES 4 /* states of a neuron */
#define SNN_NAME_SIZE 32 /* bytes of a layer's name, the final 0 included */

/* Status of every call that can fail: 0 is success, errors are negative and grouped. */
#define SNN_STATUS_LIST(X)                                                                         \
    X(SNN_OK, 0, "ok")                                                                             \
    X(SNN_ERR_NULL, -1, "a required pointer is NULL")                                              \
    X(SNN_ERR_ARGUMENT, -2, "an argument is out of range")                                         \
    X(SNN_ERR_SHAPE, -3, "shapes do not fit")                                                      \
    X(SNN_ERR_DESC, -4, "a desc was not zero-initialised")                                         \
    X(SNN_ERR_NAN, -5, "a value is NaN or infinite")                                               \
    X(SNN_ERR_NOT_FOUND, -6, "no such name")                                                       \
    X(SNN_ERR_MEMORY, -20, "out of memory")                                                        \
    X(SNN_ERR_TOO_LARGE, -21, "a size overflows")                                                  \
    X(SNN_ERR_STATE, -40, "the call is not possible in this state")                                \
    X(SNN_ERR_IO, -60, "a file could not be read or written")                                      \
    X(SNN_ERR_FORMAT, -61, "a file is not of the expected format")                                 \
    X(SNN_ERR_MISMATCH, -62, "a file does not fit the net")                                        \
    X(SNN_ERR_UNSUPPORTED, -80, "not supported")                                                   \
    X(SNN_ERR_DEVICE, -81, "the device that runs the net failed")

typedef enum snn_status {
#define SNN__X(name, value, text) name = value,
    SNN_STATUS_LIST(SNN__X)
#undef SNN__X
    SNN_STATUS_FORCE_INT = 0x7fffffff
} snn_status;

/* A view of floats with a shape, C order. It owns nothing. data NULL: no such tensor. */
typedef struct snn_tensor {
    float *data;
    int ndim;
    int shape[SNN_MAX_DIMS];
} snn_tensor;

/* Memory hooks: both or neither. alloc may return NULL. size in bytes. */
typedef struct snn_allocator {
    void *(*alloc)(size_t size, void *user);
    void (*free)(void *pointer, size_t size, void *user);
    void *user;
} snn_allocator;

/* Runs task(arg, i) for i = 0 .. count-1, in any order, on any threads, and returns when all are
 * done. Which thread runs which task never changes a result. */
typedef struct snn_threads {
    void (*parallel_for)(void *user, int count, void (*task)(void *arg, int i), void *arg);
    void *user;
} snn_threads;

/* Receives the sentence of each error as it happens. */
typedef struct snn_logger {
    void (*log)(snn_status status, const char *sentence, void *user);
    void *user;
} snn_logger;

typedef enum snn_isa { /* instruction set of the kernels */
    SNN_ISA_AUTO = 0,  /* the best this machine has; the environment variable SNN_ISA overrides */
    SNN_ISA_SCALAR,
    SNN_ISA_SIMD128, /* SSE2 or NEON */
    SNN_ISA_AVX2,    /* AVX2 and FMA */
    SNN_ISA_AVX512
} snn_isa;

/* Surrogate gradients d(x), x = membrane - threshold. p0 and p1 are the parameters; zero means the
 * default in brackets. The spike is H(x) for all of them. SNN_SURROGATE_LIST gives name, p0, p1. */
#define SNN_SURROGATE_LIST(X)                                                                      \
    X(SNN_ATAN, atan, 2.0f, 0.0f)                     /* (a/2)/(1+(pi/2 a x)^2), a = p0 */         \
    X(SNN_FAST_SIGMOID, fast_sigmoid, 25.0f, 0.0f)    /* 1/(1+k|x|)^2, k = p0 */                   \
    X(SNN_SIGMOID, sigmoid, 25.0f, 0.0f)              /* k e/(1+e)^2, e = exp(-kx), k = p0 */      \
    X(SNN_STRAIGHT_THROUGH, straight_through, 0, 0)   /* 1 */                                      \
    X(SNN_TRIANGULAR, triangular, 1.0f, 0.0f)         /* x < 0 ? c : -c, c = p0 */                 \
    X(SNN_HEAVISIDE, heaviside, 0, 0)                 /* H(x) */                                   \
    X(SNN_SPIKE_RATE_ESCAPE, spike_rate_escape, 1.0f, 25.0f) /* k exp(-b|x-1|), b = p0, k = p1 */  \
    X(SNN_STOCHASTIC, stochastic, 0.0f, 0.2f)         /* H(x) ? 1 : (u-0.5+m) v, m = p0, v = p1 */ \
    X(SNN_LEAKY_SPIKE, leaky_spike, 0.1f, 0.0f)       /* H(x) ? 1 : k, k = p0 */                   \
    X(SNN_SPARSE_FAST_SIGMOID, sparse_fast_sigmoid, 25.0f, 1.0f) /* x > B ? 1/(1+k|x|)^2 : 0 */    \
    X(SNN_CUSTOM_SURROGATE, custom, 0.0f, 0.0f)       /* what the callback returns */              \
    X(SNN_NO_SURROGATE, none, 0.0f, 0.0f)             /* 0: spikes carry no gradient */            \
    X(SNN_BOXCAR, boxcar, 0.5f, 0.0f)                 /* |x| < w ? 1/(2w) : 0, w = p0 */           \
    X(SNN_HAT, hat, 1.0f, 1.0f)                       /* h max(0, 1 - |x|/w), w = p0, h = p1 */

typedef enum snn_surrogate_kind {
#define SNN__X(id, name, p0, p1) id,
    SNN_SURROGATE_LIST(SNN__X)
#undef SNN__X
    SNN_SURROGATE_COUNT
} snn_surrogate_kind;

/* d[i] = d(x[i]); with primitive = 1 instead the integral of d, used by the smooth-spike mode. */
typedef void (*snn_surrogate_fn)(int n, const float *x, float *d, int primitive, void *user);

typedef struct snn_surrogate {
    snn_surrogate_kind kind;
    float p0, p1;             /* 0: the defaults above */
    snn_surrogate_fn custom;  /* for SNN_CUSTOM_SURROGATE */
    void *user;
} snn_surrogate;

typedef enum snn_reset {
    SNN_RESET_DEFAULT = 0, /* what the neuron's own comment says; subtract for most */
    SNN_RESET_SUBTRACT,    /* threshold is subtracted */
    SNN_RESET_ZERO,        /* membrane is cleared */
    SNN_RESET_NONE
} snn_reset;

/* What a neuron layer's own last spikes add to its input. Any neuron can have it. */
typedef enum snn_recurrence {
    SNN_RECURRENCE_DEFAULT = 0, /* the neuron's own: none, but linear for the recurrent ones */
    SNN_RECURRENCE_NONE,
    SNN_RECURRENCE_ONE_TO_ONE, /* V s, one V a layer or a neuron */
    SNN_RECURRENCE_LINEAR,     /* W s + b, all to all */
    SNN_RECURRENCE_CONV2D      /* convolution, same size, zero padding (k-1)/2 */
} snn_recurrence;

/* Rounding of states to 2^bits levels, straight-through for gradients; bits 0: off. lo = -threshold
 * (1 + lower), hi = threshold (1 + upper). Uniform levels, or exponentially closer around a
 * centre. */
typedef struct snn_quant {
    int bits;
    int exponential;
    int centre_zero;   /* exponential: 0: levels crowd around threshold, 1: around 0 */
    float threshold;   /* 1 */
    int set_limits;    /* 1: lower and upper as given */
    float lower;       /* 0 */
    float upper;       /* 0.2 */
    float multiplier;  /* exponential: 0: by bits 1..8: .05 .1 .3 .5 .7 .9 .925 .95 */
} snn_quant;

/* How a net carries spikes between layers. */
typedef enum snn_spike_mode {
    SNN_SPIKES_PACKED = 0, /* one bit each, walked event by event */
    SNN_SPIKES_DENSE,      /* floats; same numbers, for comparison */
    SNN_SPIKES_SMOOTH      /* the surrogate's primitive instead of a step: for gradient checks */
} snn_spike_mode;

typedef enum snn_input_kind {
    SNN_INPUT_CONSTANT = 0, /* one [B][N] frame, shown at every step */
    SNN_INPUT_DENSE,        /* [T][B][N] floats */
    /* [T][B][N] of zeros and ones (nonzero counts as 1), kept as bits: snn_net_input_words */
    SNN_INPUT_SPIKES
} snn_input_kind;

/* initial weights; fan_in = inputs per output, fan_out = outputs per input */
typedef enum snn_init {
    /* weights and biases uniform in +-1/sqrt(fan_in), as PyTorch's default */
    SNN_INIT_DEFAULT = 0,
    SNN_INIT_KAIMING_UNIFORM, /* +-gain sqrt(3/fan_in), gain sqrt 2 */
    SNN_INIT_KAIMING_NORMAL,  /* deviation gain/sqrt(fan_in), gain sqrt 2 */
    SNN_INIT_XAVIER_UNIFORM,  /* +-gain sqrt(6/(fan_in+fan_out)), gain 1 */
    SNN_INIT_XAVIER_NORMAL,   /* deviation gain sqrt(2/(fan_in+fan_out)), gain 1 */
    SNN_INIT_ORTHOGONAL,      /* orthonormal rows or columns times gain 1 */
    SNN_INIT_CONSTANT         /* every weight = init_gain; biases 0 */
} snn_init;

/* A net. Created, given layers, built, run. */
typedef struct snn_net snn_net;

/* Another engine that runs nets, as snn_cuda_backend() of snn_cuda.h returns it. The net then keeps
 * only copies of its parameters, input and recorded signals; a view that was once asked for is
 * current after every call, and what is written there counts. */
typedef struct snn_backend {
    const struct snn__engine *engine;
    const void *desc;
} snn_backend;

typedef struct snn_net_desc {
    uint32_t _start;
    int batch;                 /* samples in one pass; 1 */
    int steps;                 /* time steps T in one pass; 1 */
    uint64_t seed;             /* of the weights, dropout and every other draw; 0 is a seed too */
    int inference;             /* 1: no gradients, no optimiser state: the smallest memory */
    snn_input_kind input;      /* constant */
    snn_spike_mode spikes;     /* packed */
    /* steps between stored states: memory grows with it and with T/checkpoint instead of with T,
     * for one more forward pass; 0: all T */
    int checkpoint;
    /* of those, steps whose gradients are in memory at once; 0: as many as are fast, about 32, of
     * all-to-all recurrences all; a backend has its own number. Nets with norms hold all */
    int gradient_steps;
    /* smaller, not exact: 1 stores the input currents of neurons, which backward reads again, in
     * 16 bits (IEEE binary16: 11 bits of precision, infinite from 65520 on). Forward reads the
     * same numbers, so gradients are those of the net that ran; beside the exact net's, where a few
     * spikes on the edge flip, they are 4 to 17 % off in trained nets. Worth it where T is many
     * gradient_steps, a third less memory: gradients of one segment have the currents' own place */
    int half_traces;
    /* faster, not exact: of the gradients that reach a convolution, or its pool, in one step of one
     * sample, those smaller than so many times the largest count as zero. At 0.01 a step of
     * 12C5-MP2-64C5-MP2-FC10 takes 0.9 times as long, and gradients are off by 3 to 5 % of their
     * norm; 0 (exact) to 1 */
    float gradient_floor;
    /* optimiser blocks: 2 for Adam, 1 for momentum or RMSprop; 0: 2; -1: none */
    int moments;
    int max_layers;            /* room for nodes; 64 */
    /* 1: the same bits on every instruction set (no fused multiply-add) */
    int deterministic;
    snn_isa isa;               /* auto */
    float dt;                  /* seconds of a step, saved with the model; 1e-3 */
    /* 1: forward and backward look at every layer's numbers and name the first NaN or infinity */
    int debug;
    const snn_backend *backend; /* runs the net; read until it is built; NULL: this library */
    snn_allocator allocator;   /* malloc and free */
    snn_threads threads;       /* OpenMP where compiled in, else one thread */
    snn_logger logger;         /* silence */
    uint32_t _end;
} snn_net_desc;

typedef struct snn_linear_desc {
    uint32_t _start;
    const char *name;   /* "fc1", "fc2", ... */
    int out_features;   /* (required) */
    int no_bias;
    snn_init init;
    float init_gain;    /* 0: the init's own */
    /* 2..8: computes with weights rounded to so many bits, see snn_quantise_weights */
    int weight_bits;
    uint32_t _end;
} snn_linear_desc;

typedef struct snn_conv2d_desc { /* of conv1d and conv_transpose2d too */
    uint32_t _start;
    const char *name;             /* "conv1", ... */
    int out_channels;             /* (required) */
    /* square kernel; (required) unless kernel_h and kernel_w are given */
    int kernel;
    int kernel_h, kernel_w;       /* kernel */
    int stride, stride_h, stride_w;       /* 1; a single axis overrides */
    int padding, padding_h, padding_w;    /* 0, zeros */
    int dilation, dilation_h, dilation_w; /* 1 */
    int groups;                   /* 1 */
    /* conv_transpose2d: rows and columns more on one side; 0 */
    int output_padding, output_padding_h, output_padding_w;
    int no_bias;
    snn_init init;
    float init_gain;
    int weight_bits;              /* as snn_linear_desc's */
    uint32_t _end;
} snn_conv2d_desc;

/* Normalisation y = w (x - mean)/sqrt(var + eps) + b. In evaluation the batch norms take running
 * statistics, which each training step moves: r += momentum (batch value - r). */
typedef enum snn_norm_kind {
    /* over samples and positions, of each step by itself; w, b a channel */
    SNN_NORM_BATCH = 0,
    /* the same, each step with a w and running statistics of its own, no b (BNTT) */
    SNN_NORM_BATCH_TIME,
    /* over steps, samples and positions; w starts at alpha times threshold (tdBN) */
    SNN_NORM_THRESHOLD,
    /* over all features of a sample and step; w, b a feature */
    SNN_NORM_LAYER
} snn_norm_kind;

typedef struct snn_norm_desc {
    uint32_t _start;
    const char *name;      /* "norm1", ... */
    snn_norm_kind kind;
    float eps;             /* 1e-5 */
    float momentum;        /* 0.1; a negative one: 0 */
    int no_affine;         /* 1: no w and b */
    int steps;             /* batch_time: how many; the net's. Later steps share the last */
    float alpha, threshold; /* threshold: 1, 1 */
    uint32_t _end;
} snn_norm_desc;

typedef struct snn_pool2d_desc {
    uint32_t _start;
    const char *name;
    int kernel;                        /* (required) unless kernel_h and kernel_w are given */
    int kernel_h, kernel_w;
    int stride, stride_h, stride_w;    /* kernel */
    int padding, padding_h, padding_w; /* 0; -infinity for max, counted zeros for the average */
    uint32_t _end;
} snn_pool2d_desc;

/* The built-in neurons: id, C name of the constructor, block in >>neurons. */
#define SNN_NEURON_LIST(X)                                                                         \
    X(SNN_LEAKY, leaky)                                                                            \
    X(SNN_LAPICQUE, lapicque)                                                                      \
    X(SNN_SYNAPTIC, synaptic)                                                                      \
    X(SNN_ALPHA, alpha)                                                                            \
    X(SNN_RLEAKY, rleaky)                                                                          \
    X(SNN_RSYNAPTIC, rsynaptic)                                                                    \
    X(SNN_SLSTM, slstm)                                                                            \
    X(SNN_STATE_LEAKY, state_leaky)                                                                \
    X(SNN_DELTA_LEAKY, delta_leaky)                                                                \
    X(SNN_LEAKY_PARALLEL, leaky_parallel)                                                          \
    X(SNN_ALIF, alif)                                                                              \
    X(SNN_TRUNCATED_LEAKY, truncated_leaky)                                                        \
    X(SNN_LIF, lif)                                                                                \
    X(SNN_IF, if)                                                                                  \
    X(SNN_LI, li)                                                                                  \
    X(SNN_COARSE_LIF, coarse_lif)                                                                  \
    X(SNN_BIO_LIF, bio_lif)                                                                        \
    X(SNN_MCPITTS, mcpitts)                                                                        \
    X(SNN_SOFT_LIF, soft_lif)                                                                      \
    X(SNN_IZHIKEVICH, izhikevich)                                                                  \
    X(SNN_ADEX, adex)                                                                              \
    X(SNN_CONDUCTANCE_LIF, conductance_lif)                                                        \
    X(SNN_RELU, relu)                                                                              \
    X(SNN_QCFS, qcfs)

/* One desc for all spiking neurons; each uses the fields that its equations name and ignores the
 * others. */
typedef struct snn_neuron_desc {
    uint32_t _start;
    const char *name;        /* "lif1", ... */
    /* membrane decay a step (required by Leaky); a negative one means decay 0 */
    float beta;
    float alpha;             /* synaptic decay a step */
    float threshold;         /* 1 */
    float graded;            /* value of a spike; 1 */
    snn_reset reset;
    /* 0: reset one step after the spike (snnTorch's default); 1: at once */
    int no_reset_delay;
    /* 1: only the neuron furthest above its threshold spikes, per sample */
    int inhibition;
    int fire_at_threshold;   /* 0: spikes when membrane > threshold; 1: when >= */
    snn_surrogate_kind surrogate; /* atan */
    float surrogate_p0, surrogate_p1;
    snn_surrogate_fn surrogate_fn; /* for SNN_CUSTOM_SURROGATE */
    void *surrogate_user;
    int learn_beta, learn_alpha, learn_threshold, learn_graded;
    /* 1: every parameter has one value per neuron instead of one per layer */
    int per_neuron;
    float custom[SNN_MAX_PARAMS]; /* values of a custom neuron's parameters; 0: its default */
    int learn_custom;        /* 1: its learnable parameters are trained */
    /* 1: the layer's output is the membrane, not the spike: a non-spiking readout */
    int output_membrane;
    snn_quant quant;         /* rounding of the states; off */
    snn_recurrence recurrence;
    int kernel, kernel_h, kernel_w; /* of a convolutional recurrence (odd) */
    float V;                 /* one-to-one recurrence: 1 */
    int fixed_recurrent;     /* 1: recurrent weights are not trained */
    int no_recurrent_bias;
    float R, C, time_step;   /* Lapicque: resistance, capacitance, and step (1) */
    float tau;               /* CoarseLIF, StateLeaky (or beta): time constant in steps */
    float kernel_steps;      /* TruncatedLeaky: length of its kernel */
    float input_gain;        /* LIF, IF, LI: what an input is worth; 1 */
    int decay_input;         /* LIF, LI: 1: input_gain is 1 - beta */
    /* LIF, IF: where the membrane decays to, where ZERO puts it; 0. ConductanceLIF: -65 */
    float v_rest, v_reset;
    /* LIF, IF: steps after a spike without input or spike; 0. ConductanceLIF: 10 */
    float refractory;
    float v_start;           /* LIF, IF, LI: the membrane before the first step, less v_rest; 0 */
    /* 1: no gradient through a reset in the spike's own step */
    int detach_reset;
    /* 1: the recorded membrane is the one that the spike was taken from */
    int membrane_before_reset;
    uint32_t _end;
} snn_neuron_desc;
#define SNN__X(id, name) typedef snn_neuron_desc snn_##name##_desc;
SNN_NEURON_LIST(SNN__X)
#undef SNN__X

/* One time step of n neurons, as a neuron's functions see it. Arrays have n entries.
 *
 *   step   reads param, state (before the step) and x; writes state (after) and drive.
 *   grad   reads param, state (before the step), x, drive, ddrive and dstate (gradient of the state
 *          after the step); writes dx and dstate (gradient of the state before), ADDS to dparam.
 *          dx may be x's own array.
 *   jump   what a spike does to the states at once: reads param, spike (0, 1, or smooth) and state
 *          (after the step); writes state.
 *   fall   gradients of the jump: reads param, spike, state (before the jump) and dstate (after
 *          it); writes dstate (before it) and dspike, ADDS to dparam.
 *
 * A neuron fires where drive > 0 (usually membrane - threshold). The delayed reset R, a constant
 * for gradients, is 1 where state[0] > param[0] before the step (or equal, if equal is 1). sub,
 * zero: 1 when the reset mode is subtract or zero, else 0. */
typedef struct snn_neuron_block {
    int n;
    const float *param[SNN_MAX_PARAMS];
    float *state[SNN_MAX_STATES];
    const float *x;
    float *drive;
    float sub, zero, equal;
    const float *ddrive;
    float *dstate[SNN_MAX_STATES];
    float *dparam[SNN_MAX_PARAMS];
    float *dx;
    const float *spike;
    float *dspike;
    /* neurons with several inputs: input g of neuron i is x[g*stride + i], and so dx */
    size_t stride;
} snn_neuron_block;

/* What a neuron is: data, no code beside step and grad. State 0 is the membrane; parameter 0 is the
 * threshold. A user's own neuron is one of these, given to snn_neuron(). */
typedef struct snn_neuron_param {
    const char *name;     /* "beta" */
    float value;          /* default */
    int field;            /* offset in snn_neuron_desc of its value, or 0 for custom[] */
    int learn;            /* offset in snn_neuron_desc of its learn flag, or 0: learn_custom */
    int flags;            /* SNN_PARAM_* */
} snn_neuron_param;
enum {
    SNN_PARAM_REQUIRED = 1, /* 0 is an error that names it */
    SNN_PARAM_CLAMP01 = 2,  /* used as min(max(p,0),1); no gradient outside */
    SNN_PARAM_FIXED = 4     /* cannot be trained */
};

typedef struct snn_neuron_def {
    const char *name;     /* "leaky": the file tag */
    const char *prefix;   /* "lif": default layer names */
    const char *title;    /* "Leaky integrate-and-fire" */
    int states, params;   /* counts; params includes the threshold */
    const char *state_name[SNN_MAX_STATES];
    snn_neuron_param param[SNN_MAX_PARAMS];
    snn_reset reset;      /* what SNN_RESET_DEFAULT means here */
    void (*step)(const snn_neuron_block *b);
    void (*grad)(const snn_neuron_block *b);
    int quantised;        /* states that desc.quant rounds, the first so many; 0: all */
    int inputs;           /* input currents of one neuron (4 for an LSTM's gates); 0: 1 */
    int feedback;         /* what a recurrence reads: 0: the spikes, k: state k-1 */
    snn_recurrence recurrence; /* what SNN_RECURRENCE_DEFAULT means here; 0: none */
    /* completes and checks a desc; NULL: nothing to do */
    snn_status (*resolve)(snn_neuron_desc *d);
    /* parameters computed from the others, as param[params .. params+derived-1]: once for many
     * steps. underive turns their gradients into gradients of what they came from. */
    int derived;
    void (*derive)(int n, float *const *param);
    void (*underive)(int n, const float *const *param, float *const *dparam);
    void (*start)(const snn_neuron_block *b); /* writes the first state; NULL: zeros */
    void (*jump)(const snn_neuron_block *b);  /* both or neither; NULL: spikes change no state */
    void (*fall)(const snn_neuron_block *b);
    const struct snn__wide_loops *wide;       /* the library's own neurons: their vector loops */
} snn_neuron_def;

typedef enum snn_neuron_kind {
#define SNN__X(id, name) id,
    SNN_NEURON_LIST(SNN__X)
#undef SNN__X
    SNN_NEURON_COUNT
} snn_neuron_kind;

/* A neuron for use without a net; filled by snn_neuron_init. param[i] NULL: the scalar value[i]. */
typedef struct snn_neuron_model {
    const snn_neuron_def *def;
    snn_neuron_desc desc;
    snn_surrogate surrogate;
    float value[SNN_MAX_PARAMS];
    /* caller may point these at [n] arrays; param[def->params]: the graded factor */
    const float *param[SNN_MAX_PARAMS + 1];
} snn_neuron_model;

/* A parameter of a net, as PyTorch's state_dict would show it. */
typedef struct snn_param {
    char name[SNN_NAME_SIZE * 2]; /* "fc1.weight" */
    snn_tensor value;
    snn_tensor grad;              /* data NULL: not trained */
    int node;
} snn_param;

typedef enum snn_loss_kind {
    SNN_LOSS_CE_RATE = 0,     /* cross entropy at every step on spikes, mean over steps */
    SNN_LOSS_CE_COUNT,        /* cross entropy of spike counts */
    SNN_LOSS_CE_MEMBRANE,     /* cross entropy at every step on membranes, SUM over steps */
    SNN_LOSS_CE_MAX_MEMBRANE, /* cross entropy of each membrane's maximum over time */
    SNN_LOSS_CE_TEMPORAL,     /* cross entropy of (negated or inverted) first spike times */
    SNN_LOSS_MSE_COUNT,       /* squared error of spike counts against rates */
    SNN_LOSS_MSE_MEMBRANE,    /* squared error of membranes at every step */
    SNN_LOSS_MSE_TEMPORAL,    /* squared error of first (or first F) spike times */
    SNN_LOSS_COUNT
} snn_loss_kind;

typedef enum snn_reduction { SNN_MEAN = 0, SNN_SUM, SNN_NONE } snn_reduction;

/* A price on the firing of a node, recorded with SNN_RECORD_SPIKES and SNN_RECORD_GRADIENT. With z
 * the mean over time of a neuron's spikes in one sample, and m the layer's mean of z:
 *   l1 (sum of all spikes)                              as snnTorch's l1_rate_sparsity
 *   + lower_weight mean over samples and neurons of max(0, lower - z)^2
 *   + upper_weight mean over samples and neurons of max(0, z - upper)^2
 * per_layer: the bounds are on m, their mean is over samples. */
typedef struct snn_rate_desc {
    int node;             /* unused by snn_rate_loss */
    float l1;
    float lower, lower_weight;
    float upper, upper_weight;
    int per_layer;
} snn_rate_desc;

typedef struct snn_loss_desc {
    uint32_t _start;
    snn_loss_kind kind;
    snn_reduction reduction;
    float correct_rate;       /* mse_count: 1 */
    float incorrect_rate;     /* mse_count: 0 */
    /* classes coded by C/population outputs each; 0: one output a class */
    int population;
    const float *weight;      /* [C] class weights; none */
    int set_targets;          /* 1: on_target and off_target are used as given */
    float on_target;          /* mse_membrane: 1; mse_temporal: 0 (first step) */
    float off_target;         /* mse_membrane: 0; mse_temporal: -1 (last step) */
    /* mse_membrane: targets are [T], one label a step for the whole batch */
    int time_var_targets;
    float tolerance;          /* mse_temporal: times closer than this cost nothing; 0 */
    int multi_spike;          /* mse_temporal: the first F spikes; 0: one */
    const float *on_times;    /* mse_temporal, F > 1: [F] target steps of the right class */
    const float *off_times;   /* [F] of the others */
    /* mse_temporal: [F][B][C] target steps themselves, instead of labels */
    const float *times;
    int reciprocal;           /* ce_temporal: 0: -time, 1: 1/(time+1) */
    float l1_rate;            /* plus this times the number of output spikes; 0 */
    const snn_rate_desc *rates; /* snn_net_loss: prices on any nodes; none */
    int num_rates;
    uint32_t _end;
} snn_loss_desc;

typedef enum snn_metric { SNN_ACCURACY_RATE = 0, SNN_ACCURACY_TEMPORAL,
    SNN_ACCURACY_MEMBRANE } snn_metric;

typedef enum snn_optim_kind { SNN_ADAM = 0, SNN_ADAMW, SNN_SGD, SNN_RMSPROP } snn_optim_kind;

typedef struct snn_param_group { /* overrides for parameters whose names start with prefix */
    const char *prefix;
    float lr_scale;      /* 1 */
    float weight_decay;  /* added to the optimiser's */
    int frozen;          /* 1: not updated */
    float lo, hi;        /* every update ends in [lo, hi]; both 0: anywhere */
} snn_param_group;

typedef struct snn_optim_desc {
    uint32_t _start;
    snn_optim_kind kind;
    float lr;             /* (required) */
    float beta1, beta2;   /* Adam: 0.9, 0.999; RMSprop: alpha = beta2, 0.99 */
    float eps;            /* 1e-8 */
    float weight_decay;   /* 0 */
    float momentum;       /* SGD, RMSprop: 0 */
    float dampening;      /* SGD: 0 */
    int nesterov;         /* SGD */
    float clip_value;     /* each gradient into [-v, v]; 0: off */
    float clip_norm;      /* all gradients scaled to this 2-norm if above it; 0: off */
    const snn_param_group *groups; /* first match counts */
    int num_groups;
    uint32_t _end;
} snn_optim_desc;

typedef enum snn_schedule_kind {
    SNN_SCHEDULE_CONSTANT = 0,
    SNN_SCHEDULE_STEP,     /* lr gamma^floor(k/step_size) */
    SNN_SCHEDULE_COSINE,   /* min_lr + (lr - min_lr)(1 + cos(pi k/period))/2 */
    SNN_SCHEDULE_ONE_CYCLE /* cosine up from max/25 to max over 30 % of period,
        then down to max/25e4 */
} snn_schedule_kind;

typedef struct snn_schedule_desc {
    uint32_t _start;
    snn_schedule_kind kind;
    float lr;        /* (required) base rate; one-cycle: the maximum */
    int step_size;   /* step */
    float gamma;     /* step: 0.1 */
    int period;      /* cosine, one-cycle: steps in all */
    float min_lr;    /* cosine: 0 */
    /* any kind: the rate rises linearly from lr/warmup over this many steps first */
    int warmup;
    uint32_t _end;
} snn_schedule_desc;

/* Labelled samples. Either x (floats, [count][features]) or bytes (scaled by 1/255). For nets with
 * sequence input a sample is [T][N] and features = T*N. */
typedef struct snn_data {
    const float *x;
    const unsigned char *bytes;
    const int *y;      /* [count] labels */
    int count;
    int features;
} snn_data;

/* What one layer did in the last pass. */
typedef struct snn_layer_stats {
    double spikes;      /* spikes of this layer (neurons) */
    double rate;        /* spikes per neuron and step */
    double synops;      /* additions its incoming spikes caused, per step and sample */
    double dense_ops;   /* multiply-adds of the same layer without sparsity, per step and sample */
} snn_layer_stats;

enum { /* what snn_net_record keeps; the last layer has all of them */
    SNN_RECORD_SPIKES = 1,   /* output as floats, [T][B][N] */
    SNN_RECORD_MEMBRANE = 2, /* membranes after each step */
    /* room for gradients of what is recorded, set by you before backward */
    SNN_RECORD_GRADIENT = 4,
    SNN_RECORD_STATES = 8    /* all states after each step, the membrane among them */
};

/* How snn_net_convert finds lam, the activation that a spike of each neuron stands for. */
typedef enum snn_convert_method {
    SNN_CONVERT_MAX = 0,    /* the largest activation on the calibration data */
    SNN_CONVERT_PERCENTILE, /* a percentile of them, which outliers do not move (Rueckauer) */
    SNN_CONVERT_DIEHL,      /* the larger of the largest activation and the largest weight before */
    SNN_CONVERT_MODEL,      /* what weights and biases allow for inputs in [0,1]; no data */
    /* the largest current that spikes cause, one layer after the other (Spike-Norm, Sengupta) */
    SNN_CONVERT_SPIKE_NORM,
    SNN_CONVERT_QCFS        /* trained thresholds of qcfs layers, all of them (Bu); no data */
} snn_convert_method;

typedef struct snn_convert_desc {
    uint32_t _start;
    snn_convert_method method;
    /* the new net: batch, steps (required), input, seed, hooks; what is not given of allocator,
     * threads, isa, deterministic and dt is the old net's */
    snn_net_desc net;
    float percentile;     /* PERCENTILE: 99.9; others that look at data: 100, the maximum */
    int positive_only;    /* 1: percentiles of the positive activations only */
    int channel_wise;     /* 1: a lam for each channel of images, not one a layer; not MODEL */
    snn_reset reset;      /* subtract; zero is that of Diehl and Sengupta */
    float start;          /* membrane before the first step, in thresholds; 0, QCFS: 0.5 */
    int sweep_steps;      /* SPIKE_NORM: steps a sample is shown; net.steps */
    int keep_states;      /* SPIKE_NORM: 1: membranes go on from sweep to sweep */
    int record;           /* SNN_RECORD_* of each neuron of the new net */
    uint32_t _end;
} snn_convert_desc;

/* -- exact spike times -- */

/* The spike time of a neuron that stays silent: a number, so that the earliest of several times is
 * their minimum, and -ffast-math does no harm. */
#define SNN_NEVER 1e30f

typedef struct snn_spike { /* one spike of a list; lists are sorted by time */
    double t;
    int neuron;
    /* tau_mem dV/dt before the spike: forward writes it, backward reads it, of a layer's spikes */
    float slope;
} snn_spike;

typedef struct snn_spikeprop_desc {
    uint32_t _start;
    const float *delay;    /* (required) [delays], of the connections between any two neurons */
    int delays;            /* (required) */
    float tau;             /* of the response; 7 */
    float theta;           /* 1; > 0 */
    float t_end;           /* who has not fired by then stays silent; 0: no end */
    float step;            /* 0: exact times; else the first multiple where x >= theta */
    float slope_min;       /* backward takes no slope for less; 0.1; negative: slopes as they are */
    float eta;             /* learning rate; 0.01 */
    float w_min, w_max;    /* update clips to them; both 0: it does not */
    uint32_t _end;
} snn_spikeprop_desc;

typedef struct snn_eventprop_desc {
    uint32_t _start;
    float tau_mem, tau_syn; /* (required) in the unit of the times; they may be equal */
    float theta;            /* 1; > 0 */
    float t_end;            /* no spikes after it; 0: no end */
    uint32_t _end;
} snn_eventprop_desc;

typedef enum snn_rounding {
    SNN_ROUND_NEAREST = 0,  /* halves up */
    SNN_ROUND_EVEN,         /* halves to the even neighbour */
    SNN_ROUND_DOWN,
    SNN_ROUND_NONE
} snn_rounding;

typedef struct snn_population_desc {
    uint32_t _start;
    int fields;            /* (required) neurons a value; >= 3 */
    float beta;            /* how narrow the fields are; 1.5 */
    float t_max;           /* time of a neuron that does not respond; 10 */
    float t_silent;        /* later times are silent; 0.9 t_max */
    snn_rounding rounding; /* of the times, to whole steps */
    int n3ml;              /* 1: centres one field lower; silent are rounded times >= t_silent */
    uint32_t _end;
} snn_population_desc;

/* An evolution strategy: what to try, not how to step. */
typedef struct snn_es_desc {
    uint32_t _start;
    int population;  /* (required) members of a generation, an even number: they come in pairs */
    float sigma;     /* deviation of the noise; 0.1 */
    uint64_t seed;
    uint32_t _end;
} snn_es_desc;

/* ---- >>api --------------------------------------------------------------------------------- */

/* -- ground -- */

SNN_DEF int snn_version(void);                            /* SNN_VERSION of the implementation */
SNN_DEF const char *snn_status_name(snn_status status);   /* "SNN_ERR_SHAPE" */
SNN_DEF const char *snn_status_text(snn_status status);   /* "shapes do not fit" */
SNN_DEF snn_isa snn_isa_best(void);                       /* of this machine and this build */
SNN_DEF const char *snn_isa_name(snn_isa isa);            /* "avx2" */

/* snn_tensor_make - a view of data with ndim axes; snn_tensor_count - its number of elements */
SNN_DEF snn_tensor snn_tensor_make(float *data, int ndim, const int *shape);
SNN_DEF size_t snn_tensor_count(const snn_tensor *t);

/* Counter-based random numbers: the value depends on (seed, stream, step, index) and nothing else,
 * so that any split over threads or batches draws the same. The generator is SplitMix64's output
 * function over the hashed key plus index times the golden ratio (Steele, Lea, Flood 2014).
 *   snn_random        32 random bits              snn_uniform    [0, 1), 24 bits
 *   snn_normal        mean 0, deviation 1 (Box-Muller on two draws)
 *   snn_bernoulli     1 with probability p        snn_permutation  order[0..n-1] of 0..n-1
 *   (Fisher-Yates) */
SNN_DEF uint32_t snn_random(uint64_t seed, uint32_t stream, uint32_t step, uint32_t index);
SNN_DEF float snn_uniform(uint64_t seed, uint32_t stream, uint32_t step, uint32_t index);
SNN_DEF float snn_normal(uint64_t seed, uint32_t stream, uint32_t step, uint32_t index);
SNN_DEF int snn_bernoulli(float p, uint64_t seed, uint32_t stream, uint32_t step, uint32_t index);
SNN_DEF void snn_permutation(int *order, int n, uint64_t seed, uint32_t stream);

/* snn_spikes_pack - bit i%32 of word i/32 is set where x[i] != 0; words = (n+31)/32
 * snn_spikes_unpack - the reverse, 0 or gain */
SNN_DEF void snn_spikes_pack(uint32_t *words, const float *x, int n);
SNN_DEF void snn_spikes_unpack(float *x, const uint32_t *words, int n, float gain);

/* -- formulas: surrogates and neurons on plain arrays -- */

/* snn_surrogate_grad - d[i] = d(x[i]);  snn_surrogate_primitive - its integral in x
 * noise [n]: uniform numbers for SNN_STOCHASTIC, else NULL. d may alias x. Formulas: see
 * SNN_SURROGATE_LIST. Source: Neftci, Mostafa, Zenke, Surrogate Gradient Learning in Spiking Neural
 * Networks, 2019. Matches: snntorch.surrogate. */
SNN_DEF void snn_surrogate_grad(const snn_surrogate *s, int n, const float *x, const float *noise,
                                float *d);
SNN_DEF void snn_surrogate_primitive(const snn_surrogate *s, int n, const float *x,
                                     const float *noise,
                                     float *y);
SNN_DEF const char *snn_surrogate_name(snn_surrogate_kind kind);

/* snn_quant_levels - the 2^bits levels, ascending; levels NULL: only their number. Negative: bits
 * not 1..16. snn_quantise - each x becomes its nearest level, the lower one on a tie (gradient: the
 * identity) Matches: snntorch.functional.state_quant. */
SNN_DEF int snn_quant_levels(const snn_quant *q, float *levels);
SNN_DEF void snn_quantise(const float *levels, int count, int n, float *x);

/* snn_neuron_info - the definition of a built-in neuron; NULL when there is none */
SNN_DEF const snn_neuron_def *snn_neuron_info(snn_neuron_kind kind);

/* snn_neuron_init - check a desc and resolve its defaults for use without a net */
SNN_DEF snn_status snn_neuron_init(snn_neuron_model *m, const snn_neuron_def *def,
                                   const snn_neuron_desc *desc);

/* snn_neuron_start - the states before the first step: zeros, for some the resting potential */
SNN_DEF void snn_neuron_start(const snn_neuron_model *m, int n, float *const *state);

/* snn_neuron_forward - one time step of n neurons of one sample
 *   spk      out [n]           spikes: 0 or the graded factor; with output_membrane, membranes
 *   state    in/out [states][n]  state[0] is the membrane
 *   x        in [n]            input current
 * Order: R = H(U - theta); V from U, x, R; spike from V; immediate reset if asked for.
 * No allocation. Cannot fail. spk may alias x. */
SNN_DEF void snn_neuron_forward(const snn_neuron_model *m, int n, float *spk, float *const *state,
                                const float *x);

/* snn_neuron_backward - gradients of that step; the state before the step is given again
 *   dx       out [n]
 *   dstate   in/out [states][n]  in: gradient of the states after, out: of the states before
 *   dparam   in/out [params+1] of [n], added to; the last is the graded factor's; entries may be
 *   NULL
 *   state    in  [states][n]   before the step (not changed)
 *   dspk     in  [n]           gradient of the spikes */
SNN_DEF void snn_neuron_backward(const snn_neuron_model *m, int n, float *dx, float *const *dstate,
                                 float *const *dparam, const float *const *state, const float *x,
                                 const float *dspk);

/* snn_quantise_weights - out[r][c] = s_r round(w[r][c]/s_r), s_r = max over c of |w|/(2^(bits-1) -
 * 1): symmetric, a scale each row (output); bits 2..8, gradients pass straight through. scale
 * [rows] may be NULL; out may be w. What layers with weight_bits compute with. */
SNN_DEF snn_status snn_quantise_weights(float *out, float *scale, const float *w, int rows,
                                        int cols, int bits);

/* -- encoders: data in, spikes out, time first -- */

/* snn_encode_rate - Bernoulli spikes: out[t][i] = 1 with probability clamp(data[i]*gain + offset,
 * 0, 1)
 *   out   [T][n]   data [n]   first  steps that stay silent   gain 1 and offset 0 are the plain
 *   code
 * Draws are (seed, stream 0, t, i). Matches: spikegen.rate(data, T, gain, offset, first). */
SNN_DEF snn_status snn_encode_rate(float *out, const float *data, int T, int n, float gain,
                                   float offset,
                                   int first, uint64_t seed);
/* snn_encode_rate_sequence - the same for data [T][n] without gain; out is [first+T][n], silent
 * first. Matches: spikegen.rate(data, time_var_input=True), spikegen.rate_conv. */
SNN_DEF snn_status snn_encode_rate_sequence(float *out, const float *data, int T, int n, int first,
                                            uint64_t seed);

typedef struct snn_latency_desc { /* spikegen.latency's arguments */
    uint32_t _start;
    float threshold;    /* 0.01; in (0,1) */
    float tau;          /* 1; > 0 */
    int first;          /* step of the earliest spike; 0 */
    int normalize;      /* spread the times over all steps */
    int linear;         /* 0: tau ln(x/(x-threshold)); 1: -tau (x-1) */
    int clip;           /* data below threshold never spikes */
    int bypass;         /* spikes after the last step are dropped instead of an error */
    int interpolate;    /* a ramp that reaches on_target at the spike instead of a spike */
    int set_targets;    /* 1: on_target and off_target as given */
    float on_target;    /* 1 */
    float off_target;   /* 0 */
    float epsilon;      /* 1e-7 */
    uint32_t _end;
} snn_latency_desc;

/* snn_latency_times - spike times in steps (floats, not rounded) of n values; T 0: not given.
 * Matches: spikegen.latency_code. */
SNN_DEF snn_status snn_latency_times(float *times, const float *data, int T, int n,
                                     const snn_latency_desc *d);
/* snn_latency_steps - steps that snn_encode_latency will write: T, or with T = 0 and bypass the
 * largest rounded time + 1; negative status on error. */
SNN_DEF int snn_latency_steps(const float *data, int T, int n, const snn_latency_desc *d);
/* snn_encode_latency - one spike per value, early for large ones; out [steps][n], steps by the
 * function above. times [n] is scratch and leaves with the spike times. Matches:
 * spikegen.latency. */
SNN_DEF snn_status snn_encode_latency(float *out, float *times, const float *data, int T, int n,
                                      const snn_latency_desc *d);
/* snn_latency_ramp - ramps up to on at each (rounded) time, off after it; out [T][n].
 * Matches: spikegen.latency_interpolate. */
SNN_DEF snn_status snn_latency_ramp(float *out, const float *times, int T, int n, float on,
                                    float off);

/* snn_encode_delta - out 1 where data rose by threshold or more since the last step; with off_spike
 * also -1 where it fell so. data, out [T][n]. padding: step 0 is compared with itself instead of 0.
 * Matches: spikegen.delta. */
SNN_DEF snn_status snn_encode_delta(float *out, const float *data, int T, int n, float threshold,
                                    int padding, int off_spike);

/* snn_one_hot - out [B][C];  inverse = 1: ones and zeros swapped;  snn_from_one_hot - class of
 * each row
 * (the first 1; -1 where a row has none). Matches: spikegen.to_one_hot, to_one_hot_inverse. */
SNN_DEF snn_status snn_one_hot(float *out, const int *targets, int B, int C, int inverse);
SNN_DEF snn_status snn_from_one_hot(int *targets, const float *rows, int B, int C);

/* snn_target_rate_code - spike train [T] of a rate, and its spike steps (times, up to T; NULL: not
 * wanted). pattern 0 regular, 1 uniform, 2 Poisson (seeded). Returns the number of spikes drawn or
 * a negative status. Matches: spikegen.target_rate_code. */
SNN_DEF int snn_target_rate_code(float *train, int *times, int T, int first, float rate,
                                 int pattern,
                                 uint64_t seed);
/* snn_rate_ramp - ramps off..on up to each spike step; out [T]. Matches:
 * spikegen.rate_interpolate. */
SNN_DEF void snn_rate_ramp(float *out, const int *times, int count, int T, float on, float off);

typedef struct snn_target_desc { /* spikegen.targets_rate's arguments */
    uint32_t _start;
    int set_rates;         /* 1: the two rates as given */
    float correct_rate;    /* 1 */
    float incorrect_rate;  /* 0 */
    int set_targets;       /* 1: on_target and off_target as given */
    float on_target;       /* 1 */
    float off_target;      /* 0 */
    int first;             /* first spike step; 0 */
    int pattern;           /* 0 regular, 1 uniform, 2 Poisson */
    int interpolate;       /* ramps instead of spikes */
    uint64_t seed;         /* of patterns 1 and 2 */
    uint32_t _end;
} snn_target_desc;

/* snn_targets_rate - target spikes or levels of B labels; out [T][B][C], or [B][C] when the rates
 * are 1 and 0 and first is 0. Returns the number of time steps written (1 for [B][C]) or a negative
 * status. Where both rates are plain, the wrong classes get max(0, off) for on > off, as in the
 * reference. Matches: spikegen.targets_rate. */
SNN_DEF int snn_targets_rate(float *out, const int *targets, int T, int B, int C,
                             const snn_target_desc *d);
/* snn_targets_latency - snn_encode_latency of the one-hot rows; out [T][B][C], scratch [2][B][C].
 * Matches: spikegen.targets_latency. */
SNN_DEF snn_status snn_targets_latency(float *out, float *scratch, const int *targets, int T,
                                       int B, int C,
                                       const snn_latency_desc *d);

/* snn_encode_draws - spikes where draw <= gain data, for uniform draws [T][n] of your own, as from
 *   a hardware generator; positive: and draw > 0, so that zeros stay silent. Matches: spikingtorch
 *   Poisson (gain scale, positive), n3ml Simple (gain 1/scale), SimplePoisson (gain 1/32).
 * snn_encode_periodic - m += gain data; a spike where m >= 1, then m = 0, or with subtract m -= 1:
 *   the first fires every ceil(1/(gain data)) steps, the second with rate gain data. Matches:
 *   spikingtorch Periodic; n3ml's IF generators.
 * snn_encode_intervals - spikes at the cumulative sums of intervals [T+1][n], in steps, the first
 *   step being 1; an interval of 0 counts as 1; units with rate[i] = 0 are silent
 * snn_encode_poisson - the same, intervals drawn from a Poisson distribution of mean 1/(rate dt):
 *   a more regular train than snn_encode_rate's. rate in Hz, dt in seconds; draws are (seed, stream
 *   1, i, ..). Match: n3ml and BindsNET Poisson. */
SNN_DEF snn_status snn_encode_draws(float *out, const float *data, const float *draws, int T,
                                    int n, float gain, int positive);
SNN_DEF snn_status snn_encode_periodic(float *out, const float *data, int T, int n, float gain,
                                       int subtract);
SNN_DEF snn_status snn_encode_intervals(float *out, const int *intervals, const float *rate, int T,
                                        int n);
SNN_DEF snn_status snn_encode_poisson(float *out, const float *rate, int T, int n, float dt,
                                      uint64_t seed);
/* snn_decode_sum - out[i] = gain (sum_t spikes[t][i] + offset): gain 1/T the rate; offset -T/2
 * spikingtorch's Sum. spikes [T][n] */
SNN_DEF snn_status snn_decode_sum(float *out, const float *spikes, int T, int n, float gain,
                                  float offset);

/* -- events: what neuromorphic sensors record -- */

typedef struct snn_event {
    uint32_t t;     /* microseconds */
    uint16_t x, y;
    uint8_t p;      /* polarity: 0 darker, 1 brighter */
} snn_event;

/* snn_events_nmnist - the events of an N-MNIST recording (.bin): 5 bytes each, x, y, then polarity
 * (1 bit) and time (23 bits, big-endian). One with y = 240 says that the clock ran over: 2^13 us
 * more for it and all behind it; it stays in the list and falls out of any picture.
 * snn_events_aedat - the polarity events of an AEDAT 3.1 file with start <= t < end
 * snn_events_shd - spike times in seconds of cochlea channels ("units"), as t, x with y = p = 0
 *   out, max   room for so many events; NULL: only count
 * Return the number of events in the data (it may exceed max) or a negative status.
 * Sources: Orchard et al. 2015; inivation's AEDAT 3.1 description; Cramer et al. 2020. Match:
 * snntorch.spikevision. */
SNN_DEF int snn_events_nmnist(snn_event *out, int max, const void *memory, size_t size);
SNN_DEF int snn_events_aedat(snn_event *out, int max, const void *memory, size_t size,
                             uint32_t start, uint32_t end);
SNN_DEF int snn_events_shd(snn_event *out, int max, const float *times, const int *units, int n);

typedef struct snn_frames_desc {
    uint32_t _start;
    int steps;             /* (required) T */
    uint32_t dt;           /* microseconds of a step; 1000 */
    int width, height;     /* (required) of the sensor; what lies outside is dropped */
    int downsample;        /* cells of so many pixels a side; 1 */
    int no_polarity;       /* 1: one channel; 0: two, [0] darker, [1] brighter */
    int reverse;           /* 1: x counts from the other side, as SHD's channels do */
    int binary;            /* 1: ones instead of counts */
    uint32_t _end;
} snn_frames_desc;
/* snn_event_frames - counts of events, out [T][polarities][height/downsample][width/downsample];
 * time starts with the first event (inside or not), later events than T steps are dropped. */
SNN_DEF snn_status snn_event_frames(float *out, const snn_event *events, int count,
                                    const snn_frames_desc *d);

/* -- plasticity: rules that look at the spikes of a synapse's two sides, on plain arrays -- */

typedef enum snn_stdp_bound { /* f(w), what a change of w is multiplied by */
    SNN_STDP_TIMES_W = 0,     /* w, as snnTorch does unless told otherwise */
    SNN_STDP_ADDITIVE,        /* 1 */
    /* (w_max - w)^mu where it grows, (w - w_min)^mu where it shrinks; outside the bounds mu = 1
     * leads back, other mu stand still */
    SNN_STDP_SOFT,
    /* exp(-beta (w - w_min)) where it grows, exp(-beta (w_max - w)) where it shrinks */
    SNN_STDP_EXPONENTIAL
} snn_stdp_bound;
typedef enum snn_stdp_order { /* which spikes of the step itself the traces hold when w changes */
    SNN_STDP_TRACES_FIRST = 0, /* all of them: traces, then both changes */
    SNN_STDP_TRACES_LAST,      /* none: both changes, then traces; spikes of one step do not pair */
    SNN_STDP_IN_TURN           /* change by pre, trace of pre, change by post, trace of post */
} snn_stdp_order;
typedef struct snn_stdp_desc {
    uint32_t _start;
    float tau_pre, tau_post;  /* (required) time constants of the traces, steps */
    int exponential;          /* 1: traces decay by exp(-1/tau); 0: by 1 - 1/tau */
    int nearest;              /* 1: a spike sets its trace; 0: adds to it */
    snn_stdp_bound bound;
    float a_pre, a_post;      /* sizes of the changes; 1 if all four are 0 */
    float w_min, w_max, mu;   /* bounds and the power of SOFT: 0, 1, 1 */
    snn_stdp_order order;
    int clip;                 /* 1: in place, changes end at w_min and w_max */
    float a_pre3, a_post3;    /* triplets: sizes that count with the second traces; 0 */
    float tau_pre2, tau_post2; /* time constants of these; required where the size is not 0 */
    float x_tar;              /* what a trace of pre must be for post not to depress; 0 */
    float beta;               /* EXPONENTIAL; 3 */
    uint32_t _end;
} snn_stdp_desc;

/* snn_stdp_linear - one step of spike-timing-dependent plasticity, of pairs or triplets of spikes
 *   tp = tp decay_pre + pre;  tq = tq decay_post + post;  tp2, tq2 with decays of their own
 *   e_b[o][i] = post_b[o] (a_post + a_post3 tq2_b[o]) f(w) (tp_b[i] - x_tar)
 *             - pre_b[i] (a_pre + a_pre3 tp2_b[i]) f(w) tq_b[o];  dw += the sum of e_b
 *   pre [B][I], post [B][O]  spikes;  trace_pre, trace_post  [B][I], [B][O] in/out, zeros at first;
 *   [2][B][I] with a_pre3 and [2][B][O] with a_post3: the second traces, which here never hold the
 *   step's own spikes
 *   w [O][I];  dw [O][I] ADDED to, or NULL;  eligibility [B][O][I] written, or NULL: what
 *   snn_reward_update takes
 * In place: with dw == w it is the weights that change, sample after sample; with clip a weight
 * that changes ends up within its bounds. A synapse whose two sides fire at once changes by both
 * from the old w, with IN_TURN by one after the other. EXPONENTIAL: x_tar counts with the f of what
 * shrinks. Work grows with the spikes: silent neurons cost nothing but their traces.
 * Known rules, all in place and with exponential = 1, clip = 1:
 *   Song, van Rossum, Guetig   TRACES_LAST; ADDITIVE, SOFT, SOFT with mu below 1
 *   Pfister and Gerstner       TRACES_LAST, ADDITIVE, a_pre3, a_post3, no clip
 *   Diehl and Cook             IN_TURN. 1: SOFT, a_post, x_tar; 2: EXPONENTIAL, a_post, x_tar; 3: 1
 *                              and a_pre; 4: ADDITIVE, nearest, a_pre, a_post3
 *   n3ml PostPre               ADDITIVE, nearest
 * Matches: snntorch.functional.stdp_learner.stdp_linear_single_step; exponential: mstdp, mstdpet.
 * Source: Song, Miller, Abbott 2000; Guetig et al. 2003; Pfister, Gerstner 2006; Diehl, Cook
 * 2015. */
SNN_DEF snn_status snn_stdp_linear(const snn_stdp_desc *d, int B, int I, int O, const float *pre,
                                   const float *post, float *trace_pre, float *trace_post,
                                   const float *w, float *dw, float *eligibility);
/* snn_stdp_conv2d - the same for a convolution c (dilation and groups 1): pre [B][I][H][W], post
 * [B][O][OH][OW], w, dw [O][I][kh][kw]; the traces of pre are those of the padded image,
 * [B][I][H + 2 padding_h][W + 2 padding_w]. In place: place after place. conv1d: H = 1, kernel_h =
 * 1. Matches: stdp_conv1d_single_step, stdp_conv2d_single_step. */
SNN_DEF snn_status snn_stdp_conv2d(const snn_stdp_desc *d, const snn_conv2d_desc *c, int B, int I,
                                   int H, int W, const float *pre, const float *post,
                                   float *trace_pre, float *trace_post, const float *w, float *dw);

/* A reward and how eligibilities become changes of weights; zero = default. */
typedef struct snn_reward_desc {
    uint32_t _start;
    float lr;              /* (required) */
    float tau;             /* steps that an eligibility lasts; 0: only its own */
    float gain;            /* of e into the eligibility; 1 */
    float tau_dopamine;    /* steps that a reward lasts; 0: only its own */
    float tau_mean;        /* rewards over which their running mean goes; 0: no mean */
    int clip;              /* 1: w stays in bounds */
    float w_min, w_max;    /* 0, 1 */
    uint32_t _end;
} snn_reward_desc;
typedef struct snn_reward { /* of one sample, zeros at first */
    float dopamine, mean;
} snn_reward;

/* snn_reward_update - one step of a reward-modulated rule on n weights, sample after sample
 *   z = z exp(-1/tau) + gain e;  w += lr d z
 *   d = r, or with tau_dopamine d exp(-1/tau_dopamine) + r;  with tau_mean r counts as r - mean,
 *   then mean += (r - mean)/tau_mean
 *   w [n];  e [B][n] the eligibility of snn_stdp_linear, or NULL: nothing new
 *   z [B][n] in/out, zeros at first;  tau 0: written, or NULL
 *   state [B], NULL without dopamine and mean;  r [B] rewards, or NULL: none came in this step, and
 *   a mean stays as it is
 * Florian: MSTDP tau 0; MSTDPET gain 1/tau; e of ADDITIVE, exponential STDP; his reward of a step
 * answers to the spikes of the step before. Izhikevich: tau, tau_dopamine, clip; e of TRACES_LAST.
 * Fremaux: tau_mean, without which the unsupervised part of STDP prevails.
 * Source: Florian 2007; Izhikevich 2007; Fremaux, Sprekeler, Gerstner 2010. */
SNN_DEF snn_status snn_reward_update(const snn_reward_desc *d, int B, size_t n, float *w, float *z,
                                     const float *e, snn_reward *state, const float *r);

typedef struct snn_first_spike_desc { /* zero = default */
    uint32_t _start;
    float right_before, right_after; /* a of a right decision; 0.004, -0.003 if both are 0 */
    float wrong_before, wrong_after; /* a of a wrong one; -0.004, 0.0005 if both are 0 */
    int hits, decisions; /* of the last batch: right ones count 1 - hits/decisions, wrong ones
                          * hits/decisions; decisions 0: both count 1 */
    uint32_t _end;
} snn_first_spike_desc;
/* snn_stdp_first_spike - dw[o][i] += a w (1 - w), a the one of `before` where input i was not later
 * than winner o, of `after` where it was, or was silent
 *   t_pre [I], t_post [O]  step of the first spike, negative: none; a silent output learns nothing
 *   right [O]  1: rewarded, 0: punished
 *   w, dw [O][I]  dw ADDED to; dw == w: in place
 * Rows are winners: those that won nothing have t_post -1.
 * Source: Mozafari et al. 2018, 2019. */
SNN_DEF snn_status snn_stdp_first_spike(const snn_first_spike_desc *d, int I, int O,
                                        const int *t_pre, const int *t_post, const int *right,
                                        const float *w, float *dw);

typedef struct snn_resume_desc {
    uint32_t _start;
    float lr;                    /* (required) */
    float tau;                   /* (required) steps that a spike of pre counts */
    float a;                     /* of any spike of post, whatever came in; 0 */
    float gain;                  /* of what came in; 1 */
    float actual_tau, actual_a, actual_gain; /* the same for actual spikes; 0: as for wanted ones */
    uint32_t _end;
} snn_resume_desc;
/* snn_resume_linear - one step of ReSuMe: remote supervision by a wanted spike train
 *   dw[o][i] += lr sum_b (wanted_b[o] - post_b[o]) (a + gain tp_b[i]);  tp = (tp + pre) exp(-1/tau)
 *   tp is the trace of steps before: a spike of pre counts from the next step on
 *   pre [B][I], post, wanted [B][O]  spikes;  dw [O][I] ADDED to: the weights themselves, if you
 *   like
 *   trace in/out [B][I], zeros at first; with actual_tau [2][B][I]
 * Work grows with the spikes of post and wanted that are not the same.
 * Differs: n3ml's Ponulak takes exp(-t/tau) of the time t of the input's spike, not of its age, and
 * adds actual_a instead of subtracting it.
 * Source: Ponulak 2005; Ponulak, Kasinski 2010. */
SNN_DEF snn_status snn_resume_linear(const snn_resume_desc *d, int B, int I, int O,
                                     const float *pre, const float *post, const float *wanted,
                                     float *trace, float *dw);

/* snn_pes_linear - prescribed error sensitivity, the delta rule on spikes, sample after sample
 *   out_b = w pre_b;  w += lr (target_b - out_b) pre_b^T
 *   pre [B][I], spikes or filtered ones;  target [B][O];  w [O][I] in/out
 *   out [B][O]  what the decoder w said, before it learned;  NULL: target holds the errors
 * The ensemble of the Neural Engineering Framework is w, neurons like snn_lif and an encoder.
 * Matches: n3ml's Voelker. Source: MacNeil, Eliasmith 2011; Voelker 2015. */
SNN_DEF snn_status snn_pes_linear(float lr, int B, int I, int O, const float *pre,
                                  const float *target, float *w, float *out);

/* snn_normalise_rows - scales each row of w [rows][columns] to the sum `total`; absolute = 1: of
 * absolute values. Rows whose sum is 0 stay. Matches: n3ml's normalize. Source: Diehl, Cook
 * 2015. */
SNN_DEF snn_status snn_normalise_rows(float *w, int rows, int columns, float total, int absolute);

/* snn_assign_labels - what neurons that learned without labels stand for
 *   counts [N][neurons]  spikes of each sample;  y [N]  its label, 0 .. classes-1
 *   rates  out [classes][neurons]  mean count for the samples of a class; 0 without any
 *   assign out [neurons]  class of the highest rate, the lowest of equals; -1: never fired
 * snn_vote - classes of samples by the neurons' labels
 *   rates  NULL: all-activity voting; as above: proportion weighting, a neuron's count times the
 *          share of its label in its rates
 *   score  out [N][classes] or NULL  mean count of the neurons of a class; 0 without any
 *   y      out [N] or NULL  class of the highest score, the lowest of equals
 * Errors: labels out of range. Match: bindsnet.evaluation.all_activity, proportion_weighting.
 * Source: Diehl, Cook 2015; Hazan et al. 2018. */
SNN_DEF snn_status snn_assign_labels(int N, int neurons, int classes, const float *counts,
                                     const int *y, float *rates, int *assign);
SNN_DEF snn_status snn_vote(int N, int neurons, int classes, const float *counts,
                            const int *assign, const float *rates, float *score, int *y);

/* snn_homeostasis - a threshold that rises with a neuron's own spikes, so that all take their turn
 *   theta = theta decay + plus spikes;   threshold = base + theta decay
 *   theta      in/out [n]   how much each is raised, after the step of spikes
 *   threshold  out [n]      for the next step, before which theta decays once more: point param[0]
 *                           of a snn_neuron_model at it
 *   spikes     in [n]       of the step just taken; NULL: theta stands, threshold is written
 * decay = exp(-dt/tau). One within 1e-6 of 1 is lost in a float's rounding: decay = 1 in the steps,
 * and every so many of them one call with plus 0 and the decay of all. To freeze theta don't call.
 * Errors: SNN_ERR_NULL; SNN_ERR_SHAPE: n < 1; SNN_ERR_ARGUMENT: decay outside [0,1];
 * SNN_ERR_NAN: base or plus.
 * Source: Diehl, Cook 2015: plus 0.05 mV, tau 1e7 ms, base -72 mV with theta from 20 mV on. n3ml's
 * DiehlAndCook: decay 1, on SNN_LIF with refractory. */
SNN_DEF snn_status snn_homeostasis(int n, float *theta, float *threshold, const float *spikes,
                                   float base, float decay, float plus);

/* -- gradients forward in time, and other rules without a stored past, on plain arrays -- */

/* snn_dense_forward - y = x W^T + b: the product that the rules below have on both sides
 *   y out [B][O]   x [B][I]   w [O][I]   b [O] or NULL        zeros in x cost nothing
 * snn_dense_backward - dx = dy W (written), dw += dy^T x, db += sum over samples of dy
 *   dy [B][O], its zeros cost nothing; dx, dw, db may each be NULL, and x and w where nothing needs
 *   them. dx alone is also what carries an error through a feedback matrix w [O][I]. */
SNN_DEF snn_status snn_dense_forward(float *y, const float *x, const float *w, const float *b,
                                     int B, int I, int O);
SNN_DEF snn_status snn_dense_backward(float *dx, float *dw, float *db, const float *dy,
                                      const float *x, const float *w, int B, int I, int O);

/* Three-factor rules: gradients forward in time, from traces instead of a stored past. All of them
 * are one step of one dense layer, by the settings of snn_online_desc; e is the eligibility of a
 * synapse, psi the surrogate's slope at the neuron, signal what the loss of this step says to it:
 *
 *     Q = decay Q + k pre          P = decay2 P + k2 Q (or Q)            k = 1, or 1 - decay
 *     E = carry E + P (or P)       e = psi (E - adaptation A)            A = adaptation_decay A + e
 *     F = smooth F + e (or e)      dw += sum over samples of signal F    (A moves after its use)
 *     g = signal psi               db += sum of g,   dpre = g W
 *
 *   rule             decay  others            psi                signal
 *   OTTT             lam    -                 hat                dL_t/ds; below, dpre from above
 *   SLTT             -      -                 any surrogate      as OTTT
 *   e-prop           alpha  adaptation beta,  hat, w = v_th,     B^T (y - y*), B = W_out or random
 *                           adaptation_decay  h = gamma/v_th
 *                           rho, smooth kappa
 *   e-prop's readout kappa  -                 NULL               y - y*
 *   DECOLLE          beta   decay2 alpha,     boxcar w = 1/2     G^T (G s - target)
 *                           normalise
 *   OSTL             -      carry             any surrogate      dL_t/ds; below, dpre from above
 *
 * carry is dV_t/dV_(t-1) of each neuron, its reset included: exact for a layer without recurrence.
 * The neurons are any of the library's: OTTT's is LIF with SNN_RESET_SUBTRACT, e-prop's ALIF with
 * subtract. DECOLLE's is ALIF on W P + b, beta -1 (no memory), SNN_RESET_NONE, threshold 1e-30, the
 * paper's gamma as rho, its rho (1 - gamma) as kappa. For recurrent weights pre are the last step's
 * spikes.
 * With adaptation, smooth or carry there is a value a synapse and sample, and work for each; else
 * the traces are the inputs', and work goes with the neurons whose psi and signal are not 0.
 * Sources: Xiao et al., OTTT, NeurIPS 2022; Meng et al., SLTT, ICCV 2023; Bellec et al., e-prop,
 * Nature Communications 2020; Kaiser et al., DECOLLE, Frontiers in Neuroscience 2020; Bohnstingl et
 * al., OSTL, IEEE TNNLS 2022. */
typedef struct snn_online_desc {
    uint32_t _start;
    float decay;            /* of the inputs' trace, in [0,1]; 0: the inputs themselves */
    float decay2;           /* of a second filter behind it; 0: none */
    int normalise;          /* 1: filters take 1 - decay of what comes in */
    float adaptation;       /* threshold per unit of an adaptive neuron's trace (beta); 0 */
    float adaptation_decay; /* of that trace (rho), in [0,1] */
    float smooth;           /* filter of the eligibility (kappa), in [0,1]; 0: none */
    const float *carry;     /* [B][O] of this step, or always NULL */
    uint32_t _end;
} snn_online_desc;

/* snn_online_size - floats of the state, zeros at first (a new sequence: zeros again); 0: bad desc
 * snn_online_trace - only moves the traces; returns P [B][I] in the state, NULL on bad input. For
 *   layers that compute with P, before snn_online_linear with pre NULL
 * snn_online_linear - one step
 *   pre   [B][I]  inputs of the layer;  NULL: the traces have moved already
 *   psi   [B][O]  slopes, as snn_surrogate_grad of membrane - threshold makes; NULL: ones
 *   signal [B][O] NULL: eligibilities move, nothing is learnt in this step
 *   w     [O][I]  for dpre alone
 *   dw [O][I], db [O]  ADDED to: gradients, to go down;  dpre [B][I] written;  each may be NULL */
SNN_DEF size_t snn_online_size(const snn_online_desc *d, int B, int I, int O);
SNN_DEF const float *snn_online_trace(const snn_online_desc *d, int B, int I, const float *pre,
                                      float *state);
SNN_DEF snn_status snn_online_linear(const snn_online_desc *d, int B, int I, int O,
                                     const float *pre, const float *psi, const float *signal,
                                     const float *w, float *state, float *dw, float *db,
                                     float *dpre);

/* SLAYER: neurons that answer spikes with eps(t) = (t/tau) exp(1 - t/tau), t in steps
 *   a = eps * x,  u_t = W a_t + sum_(k<t) nu(t-k) s_k,  s = H(u - threshold), >=
 *   nu(t) = -refractory threshold (t/tau_refractory) exp(1 - t/tau_refractory)
 *   backward, with e = dL/ds and rho(u) = height exp(-steepness |u - threshold|):
 *   d = rho(u) e;  dw = sum_t d_t a_t^T;  dL/dx_t = sum_(k>=t) eps(k-t) W^T d_k
 * The kernels are not cut off: two states a neuron make them, so time is linear in T. The
 * refractory path carries no gradient. Source: Shrestha, Orchard, SLAYER, NeurIPS 2018. */
typedef struct snn_slayer_desc {
    uint32_t _start;
    float tau;                /* (required) steps */
    float tau_refractory;     /* 1 */
    float threshold;          /* 1 */
    float refractory;         /* 2 */
    float height, steepness;  /* 1, 1; often 1/threshold for both */
    uint32_t _end;
} snn_slayer_desc;
/* snn_slayer_forward - x [T][B][I], w [O][I]; a [T][B][I], u, s [T][B][O] written
 * snn_slayer_backward - e [T][B][O] becomes d; dw [O][I] ADDED to, dx [T][B][I] written, or NULL
 * snn_alpha_filter - y = eps * x along the time of [T][n]; reverse: its transpose, sum_(k>=t)
 *   eps(k-t) x_k, which a loss on filtered spikes needs for its gradient. y may be x. */
SNN_DEF snn_status snn_slayer_forward(const snn_slayer_desc *d, int T, int B, int I, int O,
                                      const float *x, const float *w, float *a, float *u,
                                      float *s);
SNN_DEF snn_status snn_slayer_backward(const snn_slayer_desc *d, int T, int B, int I, int O,
                                       const float *a, const float *u, const float *w, float *e,
                                       float *dw, float *dx);
SNN_DEF snn_status snn_alpha_filter(float tau, int T, int n, const float *x, float *y,
                                    int reverse);

typedef struct snn_forward_forward_desc {
    uint32_t _start;
    float threshold;  /* 2 */
    int mean;         /* goodness: 0: sum of h^2, 1: their mean */
    int negative;     /* 1: the samples are negative ones */
    uint32_t _end;
} snn_forward_forward_desc;
/* snn_forward_forward - one layer that learns to tell positive from negative samples by itself
 *   h = relu(W x/(|x| + 1e-8) + b);  G = sum h^2;  loss = mean over samples of
 *   log(1 + exp(threshold - G)), negative ones log(1 + exp(G - threshold))
 *   x [B][I], w [O][I], b [O];  h [B][O] written, the next layer's x;  goodness [B] and loss (one
 *   number) written, dw and db ADDED to, each may be NULL
 * For a spiking layer x and h are spike counts over T steps. Prediction: the label written into x
 * whose goodness, summed over the layers, is largest. Source: Hinton, The Forward-Forward
 * Algorithm, 2022. */
SNN_DEF snn_status snn_forward_forward(const snn_forward_forward_desc *d, int B, int I, int O,
                                       const float *x, const float *w, const float *b, float *h,
                                       float *goodness, float *loss, float *dw, float *db);

/* BP-STDP: at the steps when a sample's teacher fires, spikes of the last `window` steps (this one
 * included) stand for rates
 *   xi_o = 1 for the label if it was silent, -1 for another neuron that was not, else 0
 *   dw += xi n_pre^T (a change, to be added to w with a rate);  xi_pre = (W^T xi) where n_pre > 0
 * snn_bpstdp_error - moves the output's window with spikes [B][O]; xi [B][O] written
 *   teacher [B]  0: silent, xi = 0; NULL: all fire
 * snn_bpstdp_linear - moves the window of pre [B][I]; dw [O][I] ADDED to; xi_pre [B][I] written or
 *   NULL, it is the xi of the layer before. From the last layer to the first, in each step.
 *   state  (window + 1) B O, (window + 1) B I floats, zeros at first;  t = 0, 1, ... the step
 * IF neurons (SNN_IF: threshold, zero, fire_at_threshold) stand for rectified units. Source:
 * Tavanaei, Maida, BP-STDP, Neurocomputing 2019. */
SNN_DEF snn_status snn_bpstdp_error(int window, int t, int B, int O, const float *spikes,
                                    const int *label, const float *teacher, float *state,
                                    float *xi);
SNN_DEF snn_status snn_bpstdp_linear(int window, int t, int B, int I, int O, const float *pre,
                                     const float *xi, const float *w, float *state, float *dw,
                                     float *xi_pre);

/* -- learning in exact spike times -- */

/* snn_population_fields - Gaussian receptive fields over lo..hi of each feature
 *   centre_i = lo + (2 i - 3)/2 (hi - lo)/(fields - 2), i = 1 .. fields (n3ml: 0 .. fields - 1)
 *   width = (hi - lo)/(beta (fields - 2))
 *   centre  out [features][fields] or NULL     width  out [features] or NULL
 * snn_encode_population - the responses of these fields, and spike times, early for strong ones
 *   act = exp(-(x - centre)^2/(2 width^2));  t = t_max (1 - act), rounded; SNN_NEVER where silent
 *   times  out [B][features][fields] or NULL   act    out, the same shape, or NULL
 *   x      in  [B][features], may lie outside  lo, hi in  [features]
 * Whether a neuron is silent is seen before rounding; t_silent > t_max: none is. Rounded times are
 * exact: they are computed in double. Errors: lo >= hi, fields < 3, a value that is not finite.
 * Source: Bohte, Kok, La Poutre 2002, section 4. Matches: n3ml's Population with n3ml = 1 and
 * SNN_ROUND_EVEN, its PopulationEncoder with SNN_ROUND_DOWN. */
SNN_DEF snn_status snn_population_fields(const snn_population_desc *d, int features, float *centre,
                                         float *width, const float *lo, const float *hi);
SNN_DEF snn_status snn_encode_population(const snn_population_desc *d, int B, int features,
                                         float *times, float *act, const float *x, const float *lo,
                                         const float *hi);

/* SpikeProp: one spike a neuron, K = delays connections for each pair of neurons
 *   x_j(t) = sum_ik w_jik eps(t - t_i - delay_k),  eps(s) = s/tau exp(1 - s/tau) for s > 0
 *   t_j = the first t where x_j reaches theta, from below; SNN_NEVER where it does not
 * snn_spikeprop_forward - the spike times of one layer
 *   t_out  out [B][O]             slope  out [B][O]  dx/dt at t_out, for backward; 0 where silent
 *   t_in   in  [B][I]             w      in  [O][I][K]
 *   spikes scratch [I*K + O]      state  scratch [2*O]
 *   Between two arrivals x is (a + b t) exp(-t/tau), its maximum known: no crossing is missed and
 *   no grid is needed. The times are exact to the last bits of a float.
 * snn_spikeprop_backward - from the gradient of t_out
 *   delta_j = -dt_j/max(slope_j, slope_min);  dw_jik = delta_j eps(t_j - t_i - delay_k)
 *   dt_i = -sum_jk delta_j w_jik eps'(t_j - t_i - delay_k)
 *   dw     [O][I][K] ADDED to, or NULL        dt_in  out [B][I] or NULL
 *   delta  out [B][O] or NULL                 dt_out in  [B][O], t - target for half squares
 *   Silent neurons neither give nor get a gradient; outputs that must not stay silent want start
 *   weights that make them fire. w is read for dt_in alone: the paper takes the weights of the
 *   forward pass, n3ml those after the output layer's update.
 * snn_spikeprop_update - w = clip(w - eta dw), n weights
 * Times in any unit, that of tau and delay. Negative times are times like others. Errors: t_in that
 * is not finite (SNN_NEVER is), step without t_end.
 * Source: Bohte, Kok, La Poutre, Error-backpropagation in temporally encoded networks of spiking
 * neurons, 2002. Matches: n3ml's Bohte2002 with step 1, slope_min -1, w_min 0.02, w_max 1. */
SNN_DEF snn_status snn_spikeprop_forward(const snn_spikeprop_desc *d, int B, int I, int O,
                                         float *t_out, float *slope, const float *t_in,
                                         const float *w, snn_spike *spikes, double *state);
SNN_DEF snn_status snn_spikeprop_backward(const snn_spikeprop_desc *d, int B, int I, int O,
                                          float *dw, float *dt_in, float *delta,
                                          const float *dt_out, const float *t_out,
                                          const float *slope, const float *t_in, const float *w);
SNN_DEF snn_status snn_spikeprop_update(const snn_spikeprop_desc *d, int n, float *w,
                                        const float *dw);

/* EventProp: any number of spikes, exact gradients of what depends on their times
 *   tau_mem V' = -V + I;  tau_syn I' = -I;  an input spike of i adds w_ji to I_j
 *   spike at V = theta, from below: V -> 0, I goes on
 * snn_eventprop_forward - the spikes of one layer and one sample
 *   out    out [max]    sorted by time        in     in [count]   sorted by time
 *   w      in  [O][I]                         state  scratch [2*O]
 *   Returns their number; SNN_ERR_TOO_LARGE where there are more than max.
 * snn_eventprop_backward - gradients from dt_out, those of the times of out; with s = T - t
 *   tau_mem dlV/ds = -lV;  tau_syn dlI/ds = -lI + lV, from 0
 *   at a spike of out: lV += (theta lV + dt_out)/(tau_mem V')
 *   at a spike of in:  dw_ji -= tau_syn lI_j;  dt_in = sum_j w_ji (lV_j - lI_j)
 *   dw     [O][I] ADDED to, or NULL           dt_in  out [count] or NULL: dt_out of the layer below
 *   dt_out in  [out_count]                    in, out  those of forward, not changed
 *   A layer of O neurons keeps its spikes and nothing else. A silent neuron gets no gradient.
 * Errors: lists that are not sorted or name neurons that are not there.
 * snn_spikes_sort - by time, at equal times by neuron
 * Source: Wunderlich, Pehle, Event-based backpropagation can compute exact gradients for spiking
 * neural networks, 2021. */
SNN_DEF int snn_eventprop_forward(const snn_eventprop_desc *d, int I, int O, snn_spike *out,
                                  int max, const snn_spike *in, int count, const float *w,
                                  double *state);
SNN_DEF snn_status snn_eventprop_backward(const snn_eventprop_desc *d, int I, int O, float *dw,
                                          float *dt_in, const float *dt_out, const snn_spike *out,
                                          int out_count, const snn_spike *in, int count,
                                          const float *w, double *state);
SNN_DEF void snn_spikes_sort(snn_spike *spikes, int count);

/* -- evolution strategy: learning from a score alone, for control and what has no gradient -- */

/* The members of a generation are the parameters with noise, in pairs of opposite signs; those that
 * scored better pull the parameters towards themselves:
 *   theta_m = theta + sigma e_m;  e_m = eps_(m/2) for even m, -eps_(m/2) for odd m
 *   g = -1/(population sigma) sum over m of u_m e_m;  theta -= lr g
 *   u_m  the rank of member m's fitness, from -1/2, the worst, to 1/2; equal ones share their mean
 * g estimates the gradient of what is to fall, as the optimisers take it: snn_optim_update with
 * SNN_SGD and weight_decay is the paper's update; Adam, or snn_net_optim_step after writing g to
 * snn_net_grads, work as well. The noise is snn_normal(seed, generation, m/2, i): nothing is
 * stored, any thread can run any member, in any order, and all arrive at the same bits.
 * Source: Salimans, Ho, Chen, Sidor, Sutskever, Evolution Strategies as a Scalable Alternative to
 * Reinforcement Learning, 2017. */

/* snn_es_sample - the parameters of one member
 *   theta  in [n]   the present parameters      out  out [n]   member's own; may be theta itself
 *   member  0 .. population-1 */
SNN_DEF snn_status snn_es_sample(const snn_es_desc *d, uint32_t generation, int member, size_t n,
                                 const float *theta, float *out);
/* snn_es_gradient - g of the generation, from the members' scores
 *   fitness  in [population]   higher is better; NaN or infinity is an error
 *   g        out [n]           written, not added to; 0 where all members are equal */
SNN_DEF snn_status snn_es_gradient(const snn_es_desc *d, uint32_t generation, size_t n,
                                   const float *fitness, float *g);

/* -- NIR: the neuromorphic intermediate representation -- */

/* A LIF node, tau dv/dt = (v_leak - v) + r i, or with tau_syn > 0 a CubaLIF node, tau_syn di/dt =
 * -i + w_in s. Times in seconds. */
typedef struct snn_nir_neuron {
    float tau_mem, tau_syn;
    float r, w_in;
    float v_leak, v_reset, v_threshold;
} snn_nir_neuron;
/* snn_nir_export - of Leaky (alpha 0) or Synaptic: tau = dt/(1 - decay), r = tau_mem/dt, w_in =
 *   tau_syn/dt. The reset is not part of NIR.
 * snn_nir_import - decays by Euler, 1 - dt/tau. An input factor other than 1, w = r dt/tau_mem
 *   times w_in dt/tau_syn, goes into the threshold: theta = v_threshold/w. The neuron resets to
 *   zero within the step. v_leak and v_reset must be 0: for others use snn_lif.
 * Match: snntorch.export_to_nir, import_from_nir (dt 1e-4 there). Source: Pedersen et al. 2024. */
SNN_DEF snn_status snn_nir_export(snn_nir_neuron *node, float alpha, float beta, float threshold,
                                  float dt);
SNN_DEF snn_status snn_nir_import(float *alpha, float *beta, float *threshold,
                                  const snn_nir_neuron *node, float dt);

/* -- losses and metrics on plain arrays -- */

/* snn_loss - value and gradient of a loss of section SNN_LOSS_*
 *   spk, mem    [T][B][C]  what the loss does not read may be NULL
 *   y           [B] labels ([T] with time_var_targets; unused with times)
 *   dloss       upstream gradient: one number, or one per element for SNN_NONE; NULL: ones
 *   loss        out: one number; with SNN_NONE [B] (CE) or [B][C] (MSE)
 *   dspk, dmem  [T][B][C], ADDED to; NULL: no gradient wanted
 * Weighted means divide by the batch, except ce_temporal, which divides by the sum of the weights.
 * Class weights of the MSE losses scale sample b by weight[y[b]]. Errors: labels out of range, C
 * not a multiple of population, missing arrays. Matches: snntorch.functional losses. */
SNN_DEF snn_status snn_loss(const snn_loss_desc *d, int T, int B, int C, const float *spk,
                            const float *mem, const int *y, const float *dloss, float *loss,
                            float *dspk, float *dmem);
SNN_DEF const char *snn_loss_name(snn_loss_kind kind);
/* snn_rate_loss - the price of spikes [T][B][n] by the sums of snn_rate_desc; dspk [T][B][n] ADDED
 * to, or NULL */
SNN_DEF float snn_rate_loss(const snn_rate_desc *d, int T, int B, int n, const float *spk,
                            float *dspk);

/* snn_accuracy - share of samples whose largest count, earliest first spike, or largest membrane
 * sum is at the label. x [T][B][C] spikes or membranes; population as in the losses; lowest index
 * wins ties. Matches: functional.accuracy_rate, accuracy_temporal. Returns a negative status on bad
 * input. */
SNN_DEF double snn_accuracy(snn_metric metric, int T, int B, int C, const float *x, const int *y,
                            int population);
/* snn_predict - the winning class of each sample, [B] */
SNN_DEF snn_status snn_predict(snn_metric metric, int T, int B, int C, const float *x, int *y,
                               int population);

/* -- optimisers and schedules on plain arrays -- */

/* snn_optim_update - one step, k = 1, 2, ... , on n parameters
 *   Adam     m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2;
 *            p -= lr/(1-b1^k) m / (sqrt(v)/sqrt(1-b2^k) + eps)
 *   AdamW    p *= 1 - lr wd first, no decay in g
 *   SGD      b = mu b + (1-damp) g (first step b = g); p -= lr (nesterov ? g + mu b : b)
 *   RMSprop  v = a v + (1-a) g^2; p -= lr g/(sqrt(v)+eps);
 *            with momentum b = mu b + g/(sqrt(v)+eps); p -= lr b
 *   m1, m2   state blocks [n], zero at first: Adam m, v; SGD b, -; RMSprop v, b
 * Matches: torch.optim with the same flags. clip and groups are the net's business, not applied
 * here. */
SNN_DEF snn_status snn_optim_update(const snn_optim_desc *d, int k, float *p, const float *g,
                                    float *m1,
                                    float *m2, size_t n);
/* snn_schedule - the learning rate of step k = 0, 1, ... Matches: torch StepLR, CosineAnnealingLR,
 * OneCycleLR */
SNN_DEF float snn_schedule(const snn_schedule_desc *d, int k);

/* -- net: building -- */

/* snn_net_create - an empty net; snn_net_create_in - the same inside a caller's buffer (any
 * alignment), which must outlive it: then nothing is ever allocated. Errors: bad desc, no
 * memory. */
SNN_DEF snn_status snn_net_create(snn_net **out, const snn_net_desc *desc);
SNN_DEF snn_status snn_net_create_in(snn_net **out, const snn_net_desc *desc, void *memory,
                                     size_t size);
SNN_DEF void snn_net_destroy(snn_net *net); /* NULL is allowed */

/* Layers. Each returns the id of its node, or a negative status that the net remembers: the first
 * error stays, later calls return it, snn_net_build reports it. A negative x passes through. The
 * last node added is the net's output. Shapes below are per sample and step. */
/* (N,0,0): a vector of N */
SNN_DEF int snn_input(snn_net *net, int channels, int height, int width);
/* y = x W^T + b, W (out,in) */
SNN_DEF int snn_linear(snn_net *net, int x, const snn_linear_desc *d);
/* cross-correlation, W (O,I/groups,kh,kw) */
SNN_DEF int snn_conv2d(snn_net *net, int x, const snn_conv2d_desc *d);
/* along (C,1,L) */
SNN_DEF int snn_conv1d(snn_net *net, int x, const snn_conv2d_desc *d);
/* the adjoint of a convolution, W (I,O/groups,kh,kw) */
SNN_DEF int snn_conv_transpose2d(snn_net *net, int x, const snn_conv2d_desc *d);
/* gradient to the first maximum; of spikes: whether there is one */
SNN_DEF int snn_max_pool2d(snn_net *net, int x, const snn_pool2d_desc *d);
/* sum/(kh kw), padding counted */
SNN_DEF int snn_avg_pool2d(snn_net *net, int x, const snn_pool2d_desc *d);
SNN_DEF int snn_sum_pool2d(snn_net *net, int x, const snn_pool2d_desc *d);
SNN_DEF int snn_flatten(snn_net *net, int x);
SNN_DEF int snn_reshape(snn_net *net, int x, int channels, int height, int width);
/* residual connections of spiking nets (SEW-ResNet: ADD, AND, IAND); same shapes */
SNN_DEF int snn_add(snn_net *net, int a, int b);      /* a + b */
SNN_DEF int snn_multiply(snn_net *net, int a, int b); /* a b; of spikes: and */
SNN_DEF int snn_iand(snn_net *net, int a, int b);     /* (1 - a) b; of spikes: b and not a */
SNN_DEF int snn_concat(snn_net *net, int a, int b);                       /* along the channels */
SNN_DEF int snn_scale(snn_net *net, int x, float factor);
/* y[c] = w[c] x[c], a trained w (C,1) a channel, at first factor, or for 0 uniform in [0.5, 1.5).
 * snntorch.GradedSpikes multiplies the same axis of an input (size,k). */
SNN_DEF int snn_graded_spikes(snn_net *net, int x, float factor);
SNN_DEF int snn_norm(snn_net *net, int x, const snn_norm_desc *d);
/* y_t = x_(t-steps), zero before the first: an axon's or a synapse's delay */
SNN_DEF int snn_delay(snn_net *net, int x, int steps);
/* fresh mask every step; off in evaluation */
SNN_DEF int snn_dropout(snn_net *net, int x, float p);
/* a neuron of your own; and one constructor per row of SNN_NEURON_LIST */
SNN_DEF int snn_neuron(snn_net *net, int x, const snn_neuron_def *def, const snn_neuron_desc *d);
#define SNN__X(id, name) SNN_DEF int snn_##name(snn_net *net, int x, const snn_neuron_desc *d);
SNN_NEURON_LIST(SNN__X)
#undef SNN__X

/* snn_net_record - keep more of a node than the pass needs (SNN_RECORD_*); before build */
SNN_DEF snn_status snn_net_record(snn_net *net, int node, int what);
/* snn_net_memory - exact bytes of the net: what build allocates plus what create did; also the size
 * that snn_net_create_in needs. Callable before build. 0 while the net has an error. */
SNN_DEF size_t snn_net_memory(const snn_net *net);
/* snn_net_build - plan, allocate, initialise. Afterwards nothing allocates. */
SNN_DEF snn_status snn_net_build(snn_net *net);
/* while a net is built its first error as a sentence, later the last one, whatever succeeded since;
 * "": there was none */
SNN_DEF const char *snn_net_error(const snn_net *net);

/* -- net: running -- */

/* snn_net_forward - from zero states over all T steps
 *   x  [B][N], or [T][B][N] for sequence input; NULL: what snn_net_input (of spikes
 *      snn_net_input_words) already holds
 * snn_net_continue - goes on from the states of the last call for 1 <= steps <= T steps
 * snn_net_step - one step, x [B][N]; NULL: what the input holds, of SNN_INPUT_SPIKES the first
 *   [B][words] of snn_net_input_words; a constant input has not changed (its first layer is then
 *   not computed again). Same numbers as forward. */
SNN_DEF snn_status snn_net_forward(snn_net *net, const float *x);
SNN_DEF snn_status snn_net_continue(snn_net *net, const float *x, int steps);
SNN_DEF snn_status snn_net_step(snn_net *net, const float *x);
SNN_DEF snn_status snn_net_reset(snn_net *net); /* states to zero */
/* snn_net_backward - gradients of all parameters, ADDED to their grad, from the gradients that you
 * or snn_net_loss put into snn_net_dspikes / snn_net_dmembrane of recorded nodes, through the steps
 * of the last forward or continue. */
SNN_DEF snn_status snn_net_backward(snn_net *net);
/* parameters' and recorded nodes' gradients to 0 */
SNN_DEF snn_status snn_net_zero_grad(snn_net *net);
/* 1 (default): dropout, norms by the batch; 0: evaluation mode, as nets for inference always are */
SNN_DEF snn_status snn_net_train(snn_net *net, int training);

SNN_DEF int snn_net_output(const snn_net *net);       /* id of the last node */
/* id by name, or SNN_ERR_NOT_FOUND */
SNN_DEF int snn_net_node(const snn_net *net, const char *name);
SNN_DEF const char *snn_net_node_name(const snn_net *net, int node); /* NULL past the last node */
/* Views, valid until the net is destroyed; data NULL when not recorded. [T'][B][N...] with T' the
 * steps of the last pass, 1 for constant nodes.
 *   input      [B][N] or [T][B][N]; you may fill it and pass NULL to forward
 *   spikes     any node's output as floats;  dspikes    its gradient
 *   membrane   state 0 after each step, of a layer without membrane its output;  dmembrane
 *   gradient
 *   trace      a neuron's state k after each step;  dtrace  gradient
 *   state      [B][N] state k now, you may set it; with recurrence the last one is the spikes
 *   dstate     [B][N] after backward: gradient of the state before the pass */
SNN_DEF snn_tensor snn_net_input(const snn_net *net);
/* the packed input of a net of SNN_INPUT_SPIKES, [T][B][*words] (words may be NULL): bit i%32 of
 * word i/32 is feature i. You may fill it and pass NULL to forward. NULL for other inputs */
SNN_DEF uint32_t *snn_net_input_words(const snn_net *net, int *words);
SNN_DEF snn_tensor snn_net_spikes(const snn_net *net, int node);
SNN_DEF snn_tensor snn_net_dspikes(const snn_net *net, int node);
SNN_DEF snn_tensor snn_net_membrane(const snn_net *net, int node);
SNN_DEF snn_tensor snn_net_dmembrane(const snn_net *net, int node);
SNN_DEF snn_tensor snn_net_trace(const snn_net *net, int node, int k);
SNN_DEF snn_tensor snn_net_dtrace(const snn_net *net, int node, int k);
SNN_DEF snn_tensor snn_net_state(const snn_net *net, int node, int k);
SNN_DEF snn_tensor snn_net_dstate(const snn_net *net, int node, int k);
SNN_DEF int snn_net_param_count(const snn_net *net);
/* NULL past the end */
SNN_DEF const snn_param *snn_net_param(const snn_net *net, int index);
SNN_DEF const snn_param *snn_net_find_param(const snn_net *net, const char *name);
/* call after writing parameters yourself */
SNN_DEF snn_status snn_net_params_changed(snn_net *net);
/* snn_net_fold - each batch norm of one channel set (SNN_NORM_BATCH, _THRESHOLD) that alone reads a
 * linear or convolution layer with bias goes into that layer's weights, with its running
 * statistics, and then passes its input on: the same evaluation, up to rounding. Returns how many,
 * or a status. */
SNN_DEF int snn_net_fold(snn_net *net);
/* all trained parameters, and their gradients, as one row each (padding between parameters is
 * zero): one loop for an optimiser or an all-reduce of your own */
SNN_DEF snn_tensor snn_net_values(const snn_net *net);
SNN_DEF snn_tensor snn_net_grads(const snn_net *net);
SNN_DEF snn_status snn_net_stats(const snn_net *net, int node, snn_layer_stats *out);
/* snn_net_print - a table of layers, shapes, parameters, bytes and synaptic operations into text;
 * returns the length it needs, like snprintf */
SNN_DEF size_t snn_net_print(const snn_net *net, char *text, size_t size);

/* snn_net_gradcheck - compares backward with central differences of the loss in every parameter (at
 * most 64 elements each, drawn by seed) of a net built with SNN_SPIKES_SMOOTH. Elements whose
 * change moves a reset are left out: resets are steps, and constants for the gradient.
 *   worst  out: largest |numeric - analytic| / max(1e-3, largest |analytic| of that parameter) */
SNN_DEF snn_status snn_net_gradcheck(snn_net *net, const float *x, const int *y,
                                     const snn_loss_desc *loss,
                                     float eps, float *worst);

/* -- net: layers that learn in the step, without a backward pass -- */

/* snn_net_stdp - a linear or convolution layer learns by snn_stdp_linear, snn_stdp_conv2d in every
 *   snn_net_step: its weights change in place, work grows with the spikes; optimisers leave it be
 *   reward  NULL; else (linear layers) steps leave eligibilities, and snn_net_learn changes the
 *           weights by snn_reward_update
 * snn_net_online - a linear layer whose gradients snn_net_learn adds up by snn_online_linear, for
 *   snn_net_optim_step whenever you like; psi is the slope of the neurons' own surrogate
 * Both come before build, when one neuron layer and nothing else reads the layer. The rest of the
 * net may learn by backward. A net that rests (snn_net_train 0) does not learn; snn_net_reset
 * clears traces and eligibilities. Errors: another kind of layer, groups or dilation, a desc out of
 * range; online in a net for inference.
 *
 * snn_net_signal - [B][O] what the loss of this step says to the layer's neurons: dL/ds, or what
 *   the table of rules has. You write it after the step, for the top layer (snn_net_loss leaves
 *   dL/ds in snn_net_dspikes); from there snn_net_learn carries it down through W to the layers
 *   below that learn so too. It is zero again after that
 * snn_net_learn - after each step, where a layer waits for a signal or a reward [B] (NULL: none) */
SNN_DEF snn_status snn_net_stdp(snn_net *net, int node, const snn_stdp_desc *d,
                                const snn_reward_desc *reward);
SNN_DEF snn_status snn_net_online(snn_net *net, int node, const snn_online_desc *d);
SNN_DEF snn_tensor snn_net_signal(const snn_net *net, int node);
SNN_DEF snn_status snn_net_learn(snn_net *net, const float *reward);

/* -- trainer -- */

/* snn_net_loss - loss of the last pass over the output node; gradients into its dspikes and
 * dmembrane (replacing them) if the net can train */
SNN_DEF snn_status snn_net_loss(snn_net *net, const snn_loss_desc *d, const int *y, float *loss);
/* snn_net_optim_step - clip, then update every trained parameter with its gradient */
SNN_DEF snn_status snn_net_optim_step(snn_net *net, const snn_optim_desc *d);
/* snn_train_step - zero gradients, forward, loss, backward, update; returns the loss (negative: -1
 * with the reason in snn_net_error) */
SNN_DEF float snn_train_step(snn_net *net, const snn_optim_desc *o, const snn_loss_desc *l,
                             const float *x,
                             const int *y);
/* snn_train_truncated - truncated backpropagation through `total` steps in chunks of the net's T:
 * loss, backward and update after each chunk, states go on, gradients stop. x [B][N] or
 * [total][B][N]; a last shorter chunk counts as the reference does it. Returns the loss averaged as
 * there. Matches: snntorch.backprop.TBPTT for one batch (BPTT with total = T, RTRL with T = 1). */
SNN_DEF float snn_train_truncated(snn_net *net, const snn_optim_desc *o, const snn_loss_desc *l,
                                  const float *x, const int *y, int total);
/* snn_batch - copies `batch` samples order[start..] (NULL: start..) into x and their labels into y,
 * [B][features] or time-first [T][B][features/T] for T > 0. Past the end it repeats the last
 * sample. Returns the number of real samples. */
SNN_DEF int snn_batch(const snn_data *data, const int *order, int start, int batch, int T,
                      float *x, int *y);
/* snn_data_subset - part idx of data cut into `parts`: samples [n idx, n (idx+1)), n = count/parts
 * snn_data_split - a share held out for validation: order[0 .. count-1] gets all indices, first the
 *   training samples, shuffled, then count*share others, ascending; returns how many others
 * Match: snntorch.utils.data_subset, valid_split (but for the generator). */
SNN_DEF snn_status snn_data_subset(snn_data *part, const snn_data *data, int parts, int idx);
SNN_DEF int snn_data_split(int *order, int count, float share, uint64_t seed);
/* snn_evaluate - accuracy over all samples, in evaluation mode; negative on error */
SNN_DEF double snn_evaluate(snn_net *net, const snn_data *data, snn_metric metric);

/* -- conversion of a trained ReLU net into a spiking net -- */

/* snn_percentile - percentile of n values, 0 the least and 100 the largest, linear between order
 * statistics: rank (n-1) percent/100. positive_only: of the values > 0; 0 where there are none.
 * x is overwritten. Errors: n 0, a percentage out of range, NaN. Matches: numpy.percentile. */
SNN_DEF snn_status snn_percentile(float *out, float *x, size_t n, double percent,
                                  int positive_only);

/* snn_net_convert - a new net, built, in which each relu or qcfs of the built net ann is an IF
 *   v += z;  s = v >= lam;  v -= lam s  (reset zero: v = 0 where s);  output lam s
 *   out           the net, for snn_net_destroy; layers keep their names, so lam of "relu1" is in
 *                 the parameters relu1.threshold and relu1.graded_spikes_factor
 *   ann           of relu, qcfs, linear, convolutions, pools, flatten, add, concat, scale, dropout
 *                 (left out) and batch norms that snn_net_fold has emptied. It is not changed
 *   calibration   samples to measure activations on; y is not read. For SPIKE_NORM what the new
 *                 net will see: with sequence input a sample is [T][N], features T N
 * Threshold and value of a spike are both lam: signals keep ann's units, weights and biases stay as
 * they are, and the mean over time of what a neuron puts out approaches its activation, within
 * about lam/T a layer, as long as that is at most lam. The spikes are those of threshold 1, spikes
 * of 1, weights W lam_before/lam and biases b/lam, which the papers write; without biases also
 * those of unchanged weights, spikes of 1 and thresholds lam/lam_before.
 * Inputs are constant, a current of the image at each step, or spikes that you draw
 * (snn_encode_rate, net.input = SNN_INPUT_SPIKES). A last layer without relu stays a current: its
 * sum over time is the answer, snn_evaluate with SNN_ACCURACY_MEMBRANE.
 * Average pooling is exact, it passes a fraction on. Max pooling of spikes passes one on whenever
 * any in the window fires, more than the largest rate unless they fire together; before the first
 * neuron, on constants, it is exact. Where nothing is active lam is the layer's largest, or 1.
 * Allocates, with net.allocator or else ann's, besides the result a copy of ann and its largest
 * activations, freed at the end. Errors: *out is NULL, the sentence is in snn_net_error(ann).
 * Sources: Diehl et al., Fast-classifying, high-accuracy spiking deep networks, 2015 (MODEL, MAX,
 * DIEHL); Rueckauer et al., Conversion of continuous-valued deep networks, 2017 (PERCENTILE,
 * biases, reset by subtraction); Sengupta et al., Going deeper in spiking neural networks, 2019
 * (SPIKE_NORM); Kim et al., Spiking-YOLO, 2020 (channel_wise); Bu et al. 2022 (QCFS). */
SNN_DEF snn_status snn_net_convert(snn_net **out, snn_net *ann, const snn_convert_desc *d,
                                   const snn_data *calibration);

/* -- files -- */

/* Models are safetensors files: parameters under PyTorch's names and shapes, the graph with every
 * neuron's conventions and dt in the metadata. Errors leave the net as it was; the sentence is in
 * snn_net_error.
 *   snn_net_save_size / snn_net_save_to     to memory; returns bytes written
 *   snn_net_load / snn_net_load_from        weights into a net of the same layers
 *   snn_net_open / snn_net_open_from        a new net from the file alone; desc gives batch,
 *   steps, hooks;
 *                                           built and ready. error (256 bytes or NULL) gets the
 *                                           sentence */
SNN_DEF size_t snn_net_save_size(const snn_net *net);
SNN_DEF size_t snn_net_save_to(const snn_net *net, void *memory, size_t size);
SNN_DEF snn_status snn_net_load_from(snn_net *net, const void *memory, size_t size);
SNN_DEF snn_status snn_net_open_from(snn_net **out, const snn_net_desc *desc, const void *memory,
                                     size_t size,
                                     char *error);
#ifndef SNN_NO_STDIO
SNN_DEF snn_status snn_net_save(snn_net *net, const char *path);
SNN_DEF snn_status snn_net_load(snn_net *net, const char *path);
SNN_DEF snn_status snn_net_open(snn_net **out, const snn_net_desc *desc, const char *path,
                                char *error);
#endif

/* Raw IDX files (MNIST): big-endian magic 0,0,type 8,ndim, then the dimensions, then bytes.
 *   snn_idx_parse  shape and data of a file in memory   snn_idx_load  reads a file; free with
 *   snn_idx_free */
typedef struct snn_idx {
    int ndim;
    int shape[SNN_MAX_DIMS];
    size_t count;               /* elements */
    const unsigned char *data;
    void *memory;               /* what snn_idx_load allocated */
    size_t memory_size;
} snn_idx;
SNN_DEF snn_status snn_idx_parse(snn_idx *out, const void *memory, size_t size);
#if !defined(SNN_NO_STDIO) && !defined(SNN_NO_STDLIB)
SNN_DEF snn_status snn_idx_load(snn_idx *out, const char *path);
SNN_DEF void snn_idx_free(snn_idx *idx);
#endif

#ifdef __cplusplus
}
#endif

/* ---------------- Stop here if you only want to use the library. ---------------- */

#endif /* SNN_H_INCLUDED */

/* ================================ IMPLEMENTATION ================================ */
#ifdef SNN_IMPLEMENTATION
#ifndef SNN_IMPLEMENTATION_DONE
#define SNN_IMPLEMENTATION_DONE

/* ---- >>platform ---------------------------------------------------------------------------- */
/* Includes, compiler shims, what the CPU can do, parallel-for. */

#include <math.h>
#include <string.h>
#ifndef SNN_NO_STDLIB
    #include <stdlib.h>
#endif
#ifndef SNN_NO_STDIO
    #include <stdio.h>
#endif

#if defined(__GNUC__) && !defined(SNN_NO_SIMD) && !defined(__CUDACC__) &&                      \
    (defined(__x86_64__) || defined(__aarch64__))
    #define SNN__VECTORS 1 /* GNU vector extensions: SSE2 or NEON, four wide */
#else
    #define SNN__VECTORS 0
#endif
#if SNN__VECTORS && defined(__x86_64__)
    #define SNN__X86 1
    #include <immintrin.h>
    #define SNN__TARGET_AVX2 __attribute__((target("avx2")))
    #define SNN__TARGET_FMA __attribute__((target("avx2,fma")))
    #define SNN__TARGET_AVX512                                                                 \
        __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,popcnt")))
#else
    #define SNN__X86 0
#endif

#ifndef SNN_ASSERT
    #if defined(NDEBUG) || defined(SNN_NO_STDLIB)
        #define SNN_ASSERT(x) ((void)0)
    #else
        #include <assert.h>
        #define SNN_ASSERT(x) assert(x)
    #endif
#endif

#ifndef SNN_EXPF
    #define SNN_EXPF expf
#endif
#ifndef SNN_LOGF
    #define SNN_LOGF logf
#endif
#ifndef SNN_SQRTF
    #define SNN_SQRTF sqrtf
#endif
#ifndef SNN_COSF
    #define SNN_COSF cosf
#endif
#ifndef SNN_ATANF
    #define SNN_ATANF atanf
#endif
#ifndef SNN_POWF
    #define SNN_POWF powf
#endif
#ifndef SNN_FLOORF
    #define SNN_FLOORF floorf
#endif
#ifndef SNN_FABSF
    #define SNN_FABSF fabsf
#endif

#if defined(__GNUC__)
    #define SNN__INLINE static inline __attribute__((always_inline, unused))
    #define SNN__RESTRICT __restrict__
    #define SNN__CTZ(x) __builtin_ctz(x)
#elif defined(_MSC_VER)
    #define SNN__INLINE static __forceinline
    #define SNN__RESTRICT __restrict
#else
    #define SNN__INLINE static
    #define SNN__RESTRICT
#endif
#ifndef SNN__CTZ
static int snn__ctz(uint32_t x)
{
    int n = 0;
    while (!(x & 1u)) {
        x >>= 1;
        n++;
    }
    return n;
}
    #define SNN__CTZ(x) snn__ctz(x)
#endif

/* Formulas marked so can be called by a CUDA compiler on both sides. */
#ifdef __CUDACC__
    #define SNN__HD SNN__INLINE __host__ __device__
    #define SNN__HD_CALL static __host__ __device__ /* too long to be inlined */
#else
    #define SNN__HD SNN__INLINE
    #define SNN__HD_CALL static
#endif
#ifdef __clang__
    #define SNN__NO_CONTRACT _Pragma("clang fp contract(off)")
#else
    #define SNN__NO_CONTRACT
#endif

#ifdef __cplusplus
extern "C" {
#endif

SNN_DEF int snn_version(void) { return SNN_VERSION; }

SNN_DEF snn_isa snn_isa_best(void)
{
#if SNN__X86
    /* these tests include the operating system's support for the wide registers */
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("fma"))
        return SNN_ISA_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return SNN_ISA_AVX2;
#endif
    return SNN__VECTORS ? SNN_ISA_SIMD128 : SNN_ISA_SCALAR;
}

SNN_DEF const char *snn_isa_name(snn_isa isa)
{
    static const char *const name[] = {"auto", "scalar", "simd128", "avx2", "avx512"};
    return (int)isa >= 0 && isa <= SNN_ISA_AVX512 ? name[isa] : "unknown";
}

static snn_isa snn__isa_resolve(snn_isa wanted)
{
    snn_isa best = snn_isa_best();
#if !defined(SNN_NO_STDLIB) && !defined(SNN_NO_GETENV)
    if (wanted == SNN_ISA_AUTO) {
        const char *e = getenv("SNN_ISA");
        int i;
        for (i = 1; e && i <= SNN_ISA_AVX512; i++)
            if (!strcmp(e, snn_isa_name((snn_isa)i))) wanted = (snn_isa)i;
    }
#endif
    return wanted == SNN_ISA_AUTO || wanted > best ? best : wanted;
}

/* threads NULL: the caller's alone. work: about how many floats are touched in all; a little is not
 * worth waking OpenMP's threads for. */
enum { SNN__SERIAL_WORK = 1 << 14 };
static void snn__parallel_for(const snn_threads *threads, double work, int count,
                              void (*task)(void *, int), void *arg)
{
    int i;
    if (threads && threads->parallel_for && count > 1) {
        threads->parallel_for(threads->user, count, task, arg);
        return;
    }
#ifdef _OPENMP
    if (threads && count > 1 && work > (double)SNN__SERIAL_WORK) {
        #pragma omp parallel for schedule(dynamic, 1)
        for (i = 0; i < count; i++) task(arg, i);
        return;
    }
#endif
    (void)work;
    for (i = 0; i < count; i++) task(arg, i);
}

/* SNN__FAST("O3") to SNN__FAST_END is compiled so whatever the file's flags are (in >>layers with
 * "O2", for the compiler's time), and without fusing multiply and add unless a kernel says so. */
#if defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__) &&                        \
    !defined(SNN_NO_KERNEL_PRAGMA)
    #define SNN__PRAGMA(x) _Pragma(#x)
    #define SNN__FAST(level)                                                                   \
        _Pragma("GCC push_options") SNN__PRAGMA(                                               \
            GCC optimize(level, "no-trapping-math", "no-math-errno", "fp-contract=off"))
    #define SNN__FAST_END _Pragma("GCC pop_options")
#else
    #define SNN__FAST(level)
    #define SNN__FAST_END
#endif
SNN__FAST("O3")

/* ---- >>kernels ----------------------------------------------------------------------------- */
/* The inner loops that decide the speed, once for each instruction set from one template.
 *
 * All sums run over k = 0, 1, 2 ... in this order for every output, whatever the vector width, the
 * tile or the sparsity, so one net gives the same numbers for one step or many, for any thread
 * count, and, without fused multiply-add (the deterministic table), on every instruction set. */

#define SNN__LANES 16 /* rows of prepared weights are padded to this many floats */
#define SNN__PAD(n) (((n) + SNN__LANES - 1) / SNN__LANES * SNN__LANES)
enum { SNN__FEW = 2 * SNN__LANES }; /* outputs, for which gather4 is faster than gather */
enum { SNN__ABREAST = 8 };          /* neighbours of a lookup */

enum { SNN__FIRE_ABOVE, SNN__FIRE_AT, SNN__FIRE_NONZERO };
/* What SNN__ABREAST neighbouring windows see of a row of an image: `bits` of it, less than 32,
 * behind `pad` zeros, from bit `at` for the first channel, `stride` further for each next one. A
 * window is `width` bits, cut into parts of `part`. */
typedef struct snn__windows {
    uint32_t at, stride, bits, pad, channels, width, part;
} snn__windows;
typedef struct snn__kernels {
    snn_isa isa;
    int wide; /* copies of neurons, surrogates and optimisers: 1: for AVX2, 2: for AVX-512 */
    int mr, nr;
    /* c[mr][nr] += a[mr][k] b[k][nr];  a(i,p) = a[i*ra + p*ca], b(p,j) = b[p*ldb + j] */
    void (*tile)(int k, const float *a, size_t ra, size_t ca, const float *b, size_t ldb, float *c,
                 size_t ldc);
    void (*tile1)(int k, const float *a, size_t ca, const float *b, size_t ldb, float *c);
    /* y[0..n) = init[0..n) + sum_j val[j] w[idx[j]*ld + 0..n), n a multiple of SNN__LANES;
     * init NULL: zeros; val NULL: ones */
    void (*gather)(float *y, const float *init, const float *w, size_t ld, int n,
                   const uint32_t *idx, const float *val, int count);
    /* the same from zero, then each SNN__LANES of the sums added at y + to[0], to[1] .. */
    void (*gather_to)(float *y, const int32_t *to, const float *w, size_t ld, int n,
                      const uint32_t *idx, const float *val, int count);
    /* y[j*SNN__LANES + l] += the sum of a[i] b[i + idx[j]] over i < n where l = i % SNN__LANES, for
     * j < count; n a multiple of SNN__LANES */
    void (*dots)(float *y, const float *a, const float *b, const uint32_t *idx, int count, int n);
    /* y[j*32 + i] = the sum of d[r*ldd + j] over r < rows where words[r*ldw] has bit i, j < n, n at
     * most SNN__LANES; NULL without registers of masks */
    void (*masked)(float *y, const uint32_t *words, size_t ldw, const float *d, size_t ldd,
                   int rows, int n);
    /* four gathers of ones at once, for few outputs, whose sums alone would wait for each other:
     * y[p*ldy + 0..n) = init + sum_j w[idx[p*ldi + j]*ld + 0..n), j < count[p] */
    void (*gather4)(float *y, size_t ldy, const float *init, const float *w, size_t ld, int n,
                    const uint32_t *idx, size_t ldi, const int *count);
    /* code[j*SNN__ABREAST + p] = (k << part | the bits that window p sees) * SNN__LANES, where the
     * j-th part in which any window sees a bit is the k-th of all; returns how many there are. code
     * has room for all. */
    uint32_t (*codes)(uint32_t *code, const uint32_t *words, const snn__windows *v);
    /* for SNN__LANES outputs of SNN__ABREAST neighbours p
     * y[p*ldy ..] = init + sum_(r < rows, j < count[r*step])
     *                        w[r*ldw + code[(r*step*ldc + j)*SNN__ABREAST + p] ..] */
    void (*lookup)(float *y, size_t ldy, const float *init, const float *w, size_t ldw,
                   const uint32_t *code, size_t ldc, const uint32_t *count, size_t step, int rows);
    /* w[idx[j]*ld + 0..n) += val[j] y[0..n) for each j */
    void (*scatter)(float *w, size_t ld, int n, const uint32_t *idx, const float *val, int count,
                    const float *y);
    /* bit i of words = d[i] > 0, >= 0, != 0 (SNN__FIRE_*); spare bits of the last word are 0 */
    void (*fire)(uint32_t *words, const float *d, int n, int compare);
    /* indices (and values) of the nonzeros of n bits or floats; returns their number. idx and val
     * must have room for SNN__LANES more than n. */
    int (*list_bits)(const uint32_t *words, int n, uint32_t *idx);
    int (*list_floats)(const float *x, int n, uint32_t *idx, float *val);
    /* y[i] = the largest of x[at[k] + i], k < count; arg[i] = the first such k; n a multiple of
     * SNN__LANES */
    void (*maximum)(float *y, unsigned char *arg, const float *x, const int32_t *at, int count,
                    int n);
    /* its gradient: x[at[k] + i] = d[i] where k is arg[i], else 0; or with add that is added */
    void (*unpool)(float *x, const int32_t *at, int count, const float *d,
                   const unsigned char *arg, int n, int add);
    /* y[i] += the sum of d[j*ldd + i] over j < rows where arg[j*lda + i] is first .. first+few-1 */
    void (*add_won)(float *y, const float *d, size_t ldd, const unsigned char *arg, size_t lda,
                    int rows, int first, int few, int n);
    /* to and from IEEE binary16, rounded to nearest even */
    void (*halve)(uint16_t *y, const float *x, size_t n);
    void (*widen)(float *y, const uint16_t *x, size_t n);
    /* y[j*ldy + i] = x[i*ldx + j] for i < rows, j < cols; or with add that is added */
    void (*transpose)(float *y, size_t ldy, const float *x, size_t ldx, int rows, int cols,
                      int add);
    /* y[r*ldy + i] += a x[r*ldx + i] for r < rows, i < n */
    void (*add)(float *y, size_t ldy, const float *x, size_t ldx, int rows, int n, float a);
} snn__kernels;

/* one vocabulary per register width: type, width, load, store, broadcast, multiply-add */
#define snn__s_t float
#define SNN__s_W 1
#define SNN__s_LOAD(p) (*(p))
#define SNN__s_STORE(p, v) (*(p) = (v))
#define SNN__s_SET1(x) (x)
#define SNN__s_ADD(a, b) ((a) + (b))
#define SNN__s_MADD(a, b, c) ((a) * (b) + (c))
#if SNN__VECTORS
typedef float snn__v4_t __attribute__((vector_size(16), aligned(4), may_alias));
typedef uint32_t snn__u4_t __attribute__((vector_size(16), aligned(4), may_alias));
    #define SNN__v4_W 4
    #define SNN__v4_LOAD(p) (*(const snn__v4_t *)(p))
    #define SNN__v4_STORE(p, v) (*(snn__v4_t *)(p) = (v))
    #define SNN__v4_SET1(x) snn__v4_set1(x)
SNN__INLINE snn__v4_t snn__v4_set1(float x)
{
    snn__v4_t v = {x, x, x, x};
    return v;
}
    #define SNN__v4_ADD(a, b) ((a) + (b))
    #define SNN__v4_MADD(a, b, c) ((a) * (b) + (c))
    #ifdef __clang__
        #define SNN__v4_SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
    #else
        #define SNN__v4_SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, snn__u4_make(i, j, k, l))
SNN__INLINE snn__u4_t snn__u4_make(uint32_t i, uint32_t j, uint32_t k, uint32_t l)
{
    snn__u4_t v = {i, j, k, l};
    return v;
}
    #endif
#endif
#if SNN__X86
    #define snn__v8_t __m256
    #define SNN__v8_W 8
    #define SNN__v8_LOAD(p) _mm256_loadu_ps(p)
    #define SNN__v8_STORE(p, v) _mm256_storeu_ps(p, v)
    #define SNN__v8_SET1(x) _mm256_set1_ps(x)
    #define SNN__v8_ADD(a, b) _mm256_add_ps(a, b)
    #define SNN__v8_MADD(a, b, c) _mm256_add_ps(_mm256_mul_ps(a, b), c)
    #define snn__f8_t __m256
    #define SNN__f8_W 8
    #define SNN__f8_LOAD(p) _mm256_loadu_ps(p)
    #define SNN__f8_STORE(p, v) _mm256_storeu_ps(p, v)
    #define SNN__f8_SET1(x) _mm256_set1_ps(x)
    #define SNN__f8_ADD(a, b) _mm256_add_ps(a, b)
    #define SNN__f8_MADD(a, b, c) _mm256_fmadd_ps(a, b, c)
    #define snn__f16_t __m512
    #define SNN__f16_W 16
    #define SNN__f16_LOAD(p) _mm512_loadu_ps(p)
    #define SNN__f16_STORE(p, v) _mm512_storeu_ps(p, v)
    #define SNN__f16_SET1(x) _mm512_set1_ps(x)
    #define SNN__f16_ADD(a, b) _mm512_add_ps(a, b)
    #define SNN__f16_MADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#endif

#define SNN__PLAIN /* no target attribute */
#if defined(__GNUC__) && __GNUC__ >= 8 && !defined(__clang__) && !defined(__CUDACC__)
    /* unrolled before the compiler decides what lives in registers; else sums would live on the
     * stack */
    #define SNN__EACH(i, n) _Pragma("GCC unroll 16") for (i = 0; i < (n); i++)
    #define SNN__ABREAST_EACH(p) /* one vector, if it is still a loop when vectors are made */     \
        _Pragma("GCC unroll 1") for (p = 0; p < SNN__ABREAST; p++)
#else
    #define SNN__EACH(i, n) for (i = 0; i < (n); i++)
    #define SNN__ABREAST_EACH(p) for (p = 0; p < SNN__ABREAST; p++)
#endif
static const float snn__zeros[8 * SNN__LANES] = {0.0f}; /* what a gather starts from */
/* so many times SNN__LANES outputs, if that many registers there are */
#define SNN__GATHER_CASE(lanes, P, NG)                                                             \
    case lanes:                                                                                    \
        if ((lanes) * SNN__LANES / SNN__##P##_W <= NG)                                             \
            snn__gather_part_##P(y + o, init + o * more, w + o, ld, idx, val, count,               \
                                 (lanes) * SNN__LANES / SNN__##P##_W);                             \
        break;
#define SNN__GATHER_TO_CASE(lanes, P, NG)                                                          \
    case lanes:                                                                                    \
        if ((lanes) * SNN__LANES / SNN__##P##_W <= NG)                                             \
            snn__gather_to_part_##P(y, to, w, ld, idx, val, count,                                 \
                                    (lanes) * SNN__LANES / SNN__##P##_W);                          \
        break;
/* P vocabulary, MR x NV vectors in a tile, NG vectors in a gather */
#define SNN__KERNEL_TEMPLATE(P, TARGET, MR, NV, NG)                                            \
    TARGET static void snn__tile_##P(int k, const float *a, size_t ra, size_t ca,                  \
                                     const float *b, size_t ldb, float *c, size_t ldc)             \
    {                                                                                              \
        snn__##P##_t acc[MR][NV];                                                                  \
        int i, j, p;                                                                               \
        SNN__EACH(i, MR)                                                                           \
            SNN__EACH(j, NV)                                                                       \
                acc[i][j] = SNN__##P##_LOAD(c + (size_t)i * ldc + j * SNN__##P##_W);               \
        for (p = 0; p < k; p++, a += ca, b += ldb) {                                               \
            snn__##P##_t bv[NV];                                                                   \
            SNN__EACH(j, NV) bv[j] = SNN__##P##_LOAD(b + j * SNN__##P##_W);                        \
            SNN__EACH(i, MR) {                                                                     \
                snn__##P##_t av = SNN__##P##_SET1(a[(size_t)i * ra]);                              \
                SNN__EACH(j, NV) acc[i][j] = SNN__##P##_MADD(av, bv[j], acc[i][j]);                \
            }                                                                                      \
        }                                                                                          \
        SNN__EACH(i, MR)                                                                           \
            SNN__EACH(j, NV)                                                                       \
                SNN__##P##_STORE(c + (size_t)i * ldc + j * SNN__##P##_W, acc[i][j]);               \
    }                                                                                              \
    TARGET static void snn__tile1_##P(int k, const float *a, size_t ca, const float *b,            \
                                      size_t ldb, float *c)                                        \
    {                                                                                              \
        snn__##P##_t acc[NV];                                                                      \
        int j, p;                                                                                  \
        SNN__EACH(j, NV) acc[j] = SNN__##P##_LOAD(c + j * SNN__##P##_W);                           \
        for (p = 0; p < k; p++, a += ca, b += ldb) {                                               \
            snn__##P##_t av = SNN__##P##_SET1(*a);                                                 \
            SNN__EACH(j, NV)                                                                       \
                acc[j] = SNN__##P##_MADD(av, SNN__##P##_LOAD(b + j * SNN__##P##_W), acc[j]);       \
        }                                                                                          \
        SNN__EACH(j, NV) SNN__##P##_STORE(c + j * SNN__##P##_W, acc[j]);                           \
    }                                                                                              \
    TARGET SNN__INLINE void snn__gather_part_##P(float *y, const float *init, const float *w,      \
                                                 size_t ld, const uint32_t *idx,                   \
                                                 const float *val, int count, int nv)              \
    {                                                                                              \
        snn__##P##_t acc[NG];                                                                      \
        int i, j;                                                                                  \
        SNN__EACH(j, nv) acc[j] = SNN__##P##_LOAD(init + j * SNN__##P##_W);                        \
        if (val)                                                                                   \
            for (i = 0; i < count; i++) {                                                          \
                const float *r = w + (size_t)idx[i] * ld;                                          \
                snn__##P##_t v = SNN__##P##_SET1(val[i]);                                          \
                SNN__EACH(j, nv)                                                                   \
                    acc[j] =                                                                       \
                        SNN__##P##_MADD(v, SNN__##P##_LOAD(r + j * SNN__##P##_W), acc[j]);         \
            }                                                                                      \
        else                                                                                       \
            for (i = 0; i < count; i++) {                                                          \
                const float *r = w + (size_t)idx[i] * ld;                                          \
                SNN__EACH(j, nv)                                                                   \
                    acc[j] = SNN__##P##_ADD(SNN__##P##_LOAD(r + j * SNN__##P##_W), acc[j]);        \
            }                                                                                      \
        SNN__EACH(j, nv) SNN__##P##_STORE(y + j * SNN__##P##_W, acc[j]);                           \
    }                                                                                              \
    TARGET static void snn__gather_##P(float *y, const float *init, const float *w, size_t ld,     \
                                       int n, const uint32_t *idx, const float *val,               \
                                       int count)                                                  \
    {                                                                                              \
        const int more = init != NULL, most = NG * SNN__##P##_W / SNN__LANES;                      \
        int left = n / SNN__LANES, parts = (left + most - 1) / most, take, o = 0;                  \
        if (!init) init = snn__zeros;                                                              \
        for (; left > 0; left -= take, parts--, o += take * SNN__LANES) { /* even parts */         \
            take = parts > 1 ? (left + parts - 1) / parts : left;                                  \
            switch (take) {                                                                        \
                SNN__GATHER_CASE(1, P, NG)                                                         \
                SNN__GATHER_CASE(2, P, NG)                                                         \
                SNN__GATHER_CASE(3, P, NG)                                                         \
                SNN__GATHER_CASE(4, P, NG)                                                         \
                SNN__GATHER_CASE(5, P, NG)                                                         \
                SNN__GATHER_CASE(6, P, NG)                                                         \
                SNN__GATHER_CASE(7, P, NG)                                                         \
                SNN__GATHER_CASE(8, P, NG)                                                         \
            default: break;                                                                        \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    TARGET SNN__INLINE void snn__gather_to_part_##P(float *y, const int32_t *to, const float *w,   \
                                                    size_t ld, const uint32_t *idx,                \
                                                    const float *val, int count, int nv)           \
    {                                                                                              \
        snn__##P##_t acc[NG];                                                                      \
        int i, j;                                                                                  \
        SNN__EACH(j, nv) acc[j] = SNN__##P##_SET1(0.0f);                                           \
        for (i = 0; i < count; i++) {                                                              \
            const float *r = w + (size_t)idx[i] * ld;                                              \
            snn__##P##_t v = SNN__##P##_SET1(val[i]);                                              \
            SNN__EACH(j, nv)                                                                       \
                acc[j] = SNN__##P##_MADD(v, SNN__##P##_LOAD(r + j * SNN__##P##_W), acc[j]);        \
        }                                                                                          \
        SNN__EACH(j, nv) {                                                                         \
            float *at = y + to[j * SNN__##P##_W / SNN__LANES] + j * SNN__##P##_W % SNN__LANES;     \
            SNN__##P##_STORE(at, SNN__##P##_ADD(SNN__##P##_LOAD(at), acc[j]));                     \
        }                                                                                          \
    }                                                                                              \
    TARGET static void snn__gather_to_##P(float *y, const int32_t *to, const float *w, size_t ld,  \
                                          int n, const uint32_t *idx, const float *val, int count) \
    {                                                                                              \
        const int most = NG * SNN__##P##_W / SNN__LANES;                                           \
        int left = n / SNN__LANES, parts = (left + most - 1) / most, take;                         \
        for (; left > 0; left -= take, parts--, to += take, w += take * SNN__LANES) {              \
            take = parts > 1 ? (left + parts - 1) / parts : left;                                  \
            switch (take) {                                                                        \
                SNN__GATHER_TO_CASE(1, P, NG)                                                      \
                SNN__GATHER_TO_CASE(2, P, NG)                                                      \
                SNN__GATHER_TO_CASE(3, P, NG)                                                      \
                SNN__GATHER_TO_CASE(4, P, NG)                                                      \
                SNN__GATHER_TO_CASE(5, P, NG)                                                      \
                SNN__GATHER_TO_CASE(6, P, NG)                                                      \
                SNN__GATHER_TO_CASE(7, P, NG)                                                      \
                SNN__GATHER_TO_CASE(8, P, NG)                                                      \
            default: break;                                                                        \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    TARGET SNN__INLINE void snn__dots_part_##P(float *y, const float *a, const float *b,           \
                                               const uint32_t *idx, int n, int taps)               \
    {                                                                                              \
        enum { V = SNN__LANES / SNN__##P##_W };                                                    \
        snn__##P##_t acc[4][V];                                                                    \
        int i, j, g;                                                                               \
        SNN__EACH(g, taps)                                                                         \
            SNN__EACH(j, V) acc[g][j] = SNN__##P##_LOAD(y + g * SNN__LANES + j * SNN__##P##_W);    \
        for (i = 0; i < n; i += SNN__LANES)                                                        \
            SNN__EACH(j, V) {                                                                      \
                const snn__##P##_t v = SNN__##P##_LOAD(a + i + j * SNN__##P##_W);                  \
                SNN__EACH(g, taps)                                                                 \
                    acc[g][j] = SNN__##P##_MADD(                                                   \
                        v, SNN__##P##_LOAD(b + idx[g] + i + j * SNN__##P##_W), acc[g][j]);         \
            }                                                                                      \
        SNN__EACH(g, taps)                                                                         \
            SNN__EACH(j, V) SNN__##P##_STORE(y + g * SNN__LANES + j * SNN__##P##_W, acc[g][j]);    \
    }                                                                                              \
    TARGET static void snn__dots_##P(float *y, const float *a, const float *b,                     \
                                     const uint32_t *idx, int count, int n)                        \
    {                                                                                              \
        enum { V = SNN__LANES / SNN__##P##_W, G = NG >= 4 * V ? 4 : NG >= 2 * V ? 2 : 1 };         \
        int j;                                                                                     \
        for (j = 0; j + G <= count; j += G)                                                        \
            snn__dots_part_##P(y + j * SNN__LANES, a, b, idx + j, n, G);                           \
        for (; j < count; j++) snn__dots_part_##P(y + j * SNN__LANES, a, b, idx + j, n, 1);        \
    }                                                                                              \
    TARGET static void snn__gather4_##P(float *y, size_t ldy, const float *init, const float *w,   \
                                        size_t ld, int n, const uint32_t *idx, size_t ldi,         \
                                        const int *count)                                          \
    {                                                                                              \
        enum { V = SNN__LANES / SNN__##P##_W, G = NG < 4 * V ? NG / V : 4 };                       \
        const int more = init != NULL;                                                             \
        int o, p, g, i, j, least;                                                                  \
        if (!init) init = snn__zeros;                                                              \
        for (p = 0; p < 4; p += G, idx += G * ldi, count += G) {                                   \
            for (least = count[0], g = 1; g < G; g++)                                              \
                least = count[g] < least ? count[g] : least;                                       \
            for (o = 0; o < n; o += SNN__LANES) {                                                  \
                const float *from = w + o;                                                         \
                snn__##P##_t acc[G][V];                                                            \
                SNN__EACH(g, G)                                                                    \
                    SNN__EACH(j, V)                                                                \
                        acc[g][j] = SNN__##P##_LOAD(init + o * more + j * SNN__##P##_W);           \
                for (i = 0; i < least; i++)                                                        \
                    SNN__EACH(g, G) {                                                              \
                        const float *r = from + (size_t)idx[(size_t)g * ldi + (size_t)i] * ld;     \
                        SNN__EACH(j, V)                                                            \
                            acc[g][j] =                                                            \
                                SNN__##P##_ADD(SNN__##P##_LOAD(r + j * SNN__##P##_W), acc[g][j]);  \
                    }                                                                              \
                SNN__EACH(g, G) {                                                                  \
                    for (i = least; i < count[g]; i++) {                                           \
                        const float *r = from + (size_t)idx[(size_t)g * ldi + (size_t)i] * ld;     \
                        SNN__EACH(j, V)                                                            \
                            acc[g][j] =                                                            \
                                SNN__##P##_ADD(SNN__##P##_LOAD(r + j * SNN__##P##_W), acc[g][j]);  \
                    }                                                                              \
                    SNN__EACH(j, V)                                                                \
                        SNN__##P##_STORE(y + (size_t)(p + g) * ldy + o + j * SNN__##P##_W,         \
                                         acc[g][j]);                                               \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    TARGET static void snn__lookup_##P(float *y, size_t ldy, const float *init, const float *w,    \
                                       size_t ldw, const uint32_t *code, size_t ldc,               \
                                       const uint32_t *count, size_t step, int rows)               \
    {                                                                                              \
        enum { V = SNN__LANES / SNN__##P##_W, G = NG < 8 * V ? NG / V : SNN__ABREAST };            \
        int p, g, i, r;                                                                            \
        if (!init) init = snn__zeros;                                                              \
        for (p = 0; p < SNN__ABREAST; p += G) {                                                    \
            const uint32_t *row = code + p;                                                        \
            const float *from = w;                                                                 \
            snn__##P##_t acc[G][V];                                                                \
            SNN__EACH(g, G)                                                                        \
                SNN__EACH(i, V) acc[g][i] = SNN__##P##_LOAD(init + i * SNN__##P##_W);              \
            for (r = 0; r < rows; r++, row += step * ldc * SNN__ABREAST, from += ldw) {            \
                const uint32_t *at = row, *end = row + count[(size_t)r * step] * SNN__ABREAST;     \
                for (; at < end; at += SNN__ABREAST)                                               \
                    SNN__EACH(g, G)                                                                \
                        SNN__EACH(i, V)                                                            \
                            acc[g][i] = SNN__##P##_ADD(                                            \
                                SNN__##P##_LOAD(from + at[g] + i * SNN__##P##_W), acc[g][i]);      \
            }                                                                                      \
            SNN__EACH(g, G)                                                                        \
                SNN__EACH(i, V)                                                                    \
                    SNN__##P##_STORE(y + (size_t)(p + g) * ldy + i * SNN__##P##_W, acc[g][i]);     \
        }                                                                                          \
    }                                                                                              \
    TARGET SNN__INLINE void snn__scatter_part_##P(float *w, size_t ld, const uint32_t *idx,        \
                                                  const float *val, int count, const float *y,     \
                                                  int nv)                                          \
    {                                                                                              \
        snn__##P##_t v[NG];                                                                        \
        int i, j;                                                                                  \
        for (j = 0; j < nv; j++) v[j] = SNN__##P##_LOAD(y + j * SNN__##P##_W);                     \
        for (i = 0; i < count; i++) {                                                              \
            float *r = w + (size_t)idx[i] * ld;                                                    \
            if (val) {                                                                             \
                snn__##P##_t s = SNN__##P##_SET1(val[i]);                                          \
                for (j = 0; j < nv; j++)                                                           \
                    SNN__##P##_STORE(                                                              \
                        r + j * SNN__##P##_W,                                                      \
                        SNN__##P##_MADD(s, v[j], SNN__##P##_LOAD(r + j * SNN__##P##_W)));          \
            } else                                                                                 \
                for (j = 0; j < nv; j++)                                                           \
                    SNN__##P##_STORE(                                                              \
                        r + j * SNN__##P##_W,                                                      \
                        SNN__##P##_ADD(v[j], SNN__##P##_LOAD(r + j * SNN__##P##_W)));              \
        }                                                                                          \
    }                                                                                              \
    TARGET static void snn__scatter_##P(float *w, size_t ld, int n, const uint32_t *idx,           \
                                        const float *val, int count, const float *y)               \
    {                                                                                              \
        int o = 0;                                                                                 \
        for (; o + NG * SNN__##P##_W <= n; o += NG * SNN__##P##_W)                                 \
            snn__scatter_part_##P(w + o, ld, idx, val, count, y + o, NG);                          \
        for (; o < n; o += SNN__LANES)                                                             \
            snn__scatter_part_##P(w + o, ld, idx, val, count, y + o,                               \
                                  SNN__LANES / SNN__##P##_W);                                      \
    }                                                                                              \
    TARGET static void snn__add_##P(float *y, size_t ldy, const float *x, size_t ldx, int rows,    \
                                    int n, float a)                                                \
    {                                                                                              \
        const snn__##P##_t v = SNN__##P##_SET1(a);                                                 \
        int r, i;                                                                                  \
        for (r = 0; r < rows; r++, y += ldy, x += ldx) {                                           \
            for (i = 0; i + SNN__##P##_W <= n; i += SNN__##P##_W)                                  \
                SNN__##P##_STORE(                                                                  \
                    y + i, SNN__##P##_MADD(v, SNN__##P##_LOAD(x + i), SNN__##P##_LOAD(y + i)));    \
            for (; i < n; i++) y[i] += a * x[i];                                                   \
        }                                                                                          \
    }

SNN__KERNEL_TEMPLATE(s, SNN__PLAIN, 2, 4, 16)
#if SNN__VECTORS
SNN__KERNEL_TEMPLATE(v4, SNN__PLAIN, 4, 2, 8)
#endif
#if SNN__X86
SNN__KERNEL_TEMPLATE(v8, SNN__TARGET_AVX2, 4, 2, 8)
SNN__KERNEL_TEMPLATE(f8, SNN__TARGET_FMA, 6, 2, 8)
SNN__KERNEL_TEMPLATE(f16, SNN__TARGET_AVX512, 8, 2, 8)
#endif

static void snn__fire_plain(uint32_t *words, const float *d, int n, int compare)
{
    int i, j;
    for (i = 0; i < n; i += 32) {
        uint32_t w = 0;
        int m = n - i < 32 ? n - i : 32;
        if (compare == SNN__FIRE_ABOVE)
            for (j = 0; j < m; j++) w |= (uint32_t)(d[i + j] > 0.0f) << j;
        else if (compare == SNN__FIRE_AT)
            for (j = 0; j < m; j++) w |= (uint32_t)(d[i + j] >= 0.0f) << j;
        else
            for (j = 0; j < m; j++) w |= (uint32_t)(d[i + j] != 0.0f) << j;
        *words++ = w;
    }
}
#if SNN__X86
SNN__TARGET_AVX2 static void snn__fire_avx2(uint32_t *words, const float *d, int n, int compare)
{
    const __m256 z = _mm256_setzero_ps();
    for (; n >= 32; n -= 32, d += 32) {
        uint32_t w = 0;
        int j;
        for (j = 0; j < 4; j++) {
            const __m256 v = _mm256_loadu_ps(d + 8 * j);
            const __m256 c = compare == SNN__FIRE_ABOVE ? _mm256_cmp_ps(v, z, _CMP_GT_OQ)
                             : compare == SNN__FIRE_AT  ? _mm256_cmp_ps(v, z, _CMP_GE_OQ)
                                                        : _mm256_cmp_ps(v, z, _CMP_NEQ_UQ);
            w |= (uint32_t)_mm256_movemask_ps(c) << (8 * j);
        }
        *words++ = w;
    }
    if (n > 0) snn__fire_plain(words, d, n, compare);
}
SNN__TARGET_AVX512 static void snn__fire_avx512(uint32_t *words, const float *d, int n, int compare)
{
    const __m512 z = _mm512_setzero_ps();
    for (; n > 0; n -= 32, d += 32) {
        const uint32_t valid = n < 32 ? (1u << n) - 1 : UINT32_MAX;
        uint32_t w = 0;
        int j;
        for (j = 0; j < 32; j += 16) {
            const __mmask16 m = (__mmask16)(valid >> j);
            const __m512 v = _mm512_maskz_loadu_ps(m, d + j);
            const __mmask16 c = compare == SNN__FIRE_ABOVE
                                    ? _mm512_mask_cmp_ps_mask(m, v, z, _CMP_GT_OQ)
                                : compare == SNN__FIRE_AT
                                    ? _mm512_mask_cmp_ps_mask(m, v, z, _CMP_GE_OQ)
                                    : _mm512_mask_cmp_ps_mask(m, v, z, _CMP_NEQ_UQ);
            w |= (uint32_t)c << j;
        }
        *words++ = w;
    }
}
#endif

static int snn__list_bits_plain(const uint32_t *words, int n, uint32_t *idx)
{
    int count = 0, i;
    for (i = 0; i < n; i += 32) {
        uint32_t w = *words++;
        for (; w; w &= w - 1) idx[count++] = (uint32_t)(i + SNN__CTZ(w));
    }
    return count;
}
static int snn__list_floats_plain(const float *x, int n, uint32_t *idx, float *val)
{
    int count = 0, i;
    for (i = 0; i < n; i++) { /* no branch: they would be guessed wrong */
        idx[count] = (uint32_t)i;
        val[count] = x[i];
        count += x[i] != 0.0f;
    }
    return count;
}
#if SNN__X86
SNN__TARGET_AVX512 static int snn__list_bits_avx512(const uint32_t *words, int n, uint32_t *idx)
{
    const __m512i step = _mm512_set1_epi32(16);
    const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    int count = 0, i;
    for (i = 0; i < n; i += 32) {
        const uint32_t w = *words++;
        __m512i at = _mm512_add_epi32(first, _mm512_set1_epi32(i));
        if (!w) continue;
        _mm512_storeu_si512(idx + count, _mm512_maskz_compress_epi32((__mmask16)w, at));
        count += __builtin_popcount(w & 0xffffu);
        at = _mm512_add_epi32(at, step);
        _mm512_storeu_si512(idx + count, _mm512_maskz_compress_epi32((__mmask16)(w >> 16), at));
        count += __builtin_popcount(w >> 16);
    }
    return count;
}
SNN__TARGET_AVX512 static int snn__list_floats_avx512(const float *x, int n, uint32_t *idx,
                                                      float *val)
{
    const __m512i step = _mm512_set1_epi32(16);
    __m512i at = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    int count = 0, i;
    for (i = 0; i < n; i += 16) {
        __mmask16 valid = (__mmask16)(n - i < 16 ? (1u << (n - i)) - 1u : 0xffffu);
        __m512 v = _mm512_maskz_loadu_ps(valid, x + i);
        __mmask16 m = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
        _mm512_storeu_si512(idx + count, _mm512_maskz_compress_epi32(m, at));
        _mm512_storeu_ps(val + count, _mm512_maskz_compress_ps(m, v));
        count += __builtin_popcount(_cvtmask16_u32(m));
        at = _mm512_add_epi32(at, step);
    }
    return count;
}
SNN__TARGET_AVX512 SNN__INLINE void snn__masked_part_avx512(float *y, const uint32_t *words,
                                                            size_t ldw, const float *d, size_t ldd,
                                                            int rows, int n)
{
    __m512 low[8], high[8];
    int j, r;
    SNN__EACH(j, n) low[j] = high[j] = _mm512_setzero_ps();
    for (r = 0; r < rows; r++, words += ldw, d += ldd) {
        const __mmask16 a = (__mmask16)*words, b = (__mmask16)(*words >> 16);
        SNN__EACH(j, n) {
            const __m512 v = _mm512_set1_ps(d[j]);
            low[j] = _mm512_mask_add_ps(low[j], a, low[j], v);
            high[j] = _mm512_mask_add_ps(high[j], b, high[j], v);
        }
    }
    SNN__EACH(j, n) {
        _mm512_storeu_ps(y + 32 * j, low[j]);
        _mm512_storeu_ps(y + 32 * j + 16, high[j]);
    }
}
SNN__TARGET_AVX512 static void snn__masked_avx512(float *y, const uint32_t *words, size_t ldw,
                                                  const float *d, size_t ldd, int rows, int n)
{
#define SNN__MASKED_CASE(n)                                                                        \
    case n: snn__masked_part_avx512(y, words, ldw, d, ldd, rows, n); break;
    int take;
    for (; n > 0; n -= take, y += 32 * take, d += take) {
        take = n > 8 ? (n + 1) / 2 : n; /* so many pairs of sums are in registers */
        switch (take) {
            SNN__MASKED_CASE(1)
            SNN__MASKED_CASE(2)
            SNN__MASKED_CASE(3)
            SNN__MASKED_CASE(4)
            SNN__MASKED_CASE(5)
            SNN__MASKED_CASE(6)
            SNN__MASKED_CASE(7)
            SNN__MASKED_CASE(8)
        default: break;
        }
    }
#undef SNN__MASKED_CASE
}
#endif

SNN__INLINE uint32_t snn__codes_loop(uint32_t *code, const uint32_t *words, const snn__windows *of)
{
    const snn__windows v = *of; /* which the compiler knows stays as it is */
    const uint32_t before = (1u << (SNN__ABREAST - 1)) - 1; /* what the last window does not see */
    uint32_t c, k, p, first = 0, n = 0, at = v.at;
    for (c = 0; c < v.channels; c++, at += v.stride) {
        const uint64_t low = words[at / 32], high = words[(at + v.bits - 1) / 32];
        const uint32_t row = (uint32_t)((high << 32 | low) >> at % 32) & ((1u << v.bits) - 1);
        for (k = 0; k < v.width; k += v.part, first += 1u << v.part) {
            const uint32_t rest = v.width - k, seen = row << v.pad >> k;
            const uint32_t mask = (1u << (rest < v.part ? rest : v.part)) - 1;
            uint32_t *to = code + n * SNN__ABREAST;
            SNN__ABREAST_EACH(p) to[p] = (first | (seen >> p & mask)) * SNN__LANES;
            n += (seen & (mask << (SNN__ABREAST - 1) | before)) != 0;
        }
    }
    return n;
}
static uint32_t snn__codes_plain(uint32_t *code, const uint32_t *words, const snn__windows *v)
{
    return snn__codes_loop(code, words, v);
}
#if SNN__X86
SNN__TARGET_AVX2 static uint32_t snn__codes_avx2(uint32_t *code, const uint32_t *words,
                                                 const snn__windows *v)
{
    return snn__codes_loop(code, words, v);
}
#endif

SNN__INLINE void snn__maximum_loop(float *y, unsigned char *arg, const float *x, const int32_t *at,
                                   int count, int n)
{
    int i, j, k;
    for (i = 0; i < n; i += SNN__LANES) {
        float best[SNN__LANES];
        int32_t first[SNN__LANES];
        for (j = 0; j < SNN__LANES; j++) best[j] = x[at[0] + i + j], first[j] = 0;
        for (k = 1; k < count; k++)
            for (j = 0; j < SNN__LANES; j++) {
                const float e = x[at[k] + i + j];
                first[j] = e > best[j] ? k : first[j];
                best[j] = e > best[j] ? e : best[j];
            }
        for (j = 0; j < SNN__LANES; j++) y[i + j] = best[j], arg[i + j] = (unsigned char)first[j];
    }
}
SNN__INLINE void snn__unpool_loop(float *x, const int32_t *at, int count, const float *d,
                                  const unsigned char *arg, int n, int add)
{
    int i, j, k;
    for (i = 0; i < n; i += SNN__LANES)
        for (k = 0; k < count; k++) {
            float *y = x + at[k] + i;
            if (add)
                for (j = 0; j < SNN__LANES; j++) y[j] += arg[i + j] == k ? d[i + j] : 0.0f;
            else
                for (j = 0; j < SNN__LANES; j++) y[j] = arg[i + j] == k ? d[i + j] : 0.0f;
        }
}
SNN__INLINE void snn__add_won_loop(float *y, const float *d, size_t ldd, const unsigned char *arg,
                                   size_t lda, int rows, int first, int few, int n)
{
    int i, j, r;
    for (i = 0; i < n; i += SNN__LANES) {
        const float *x = d + i;
        const unsigned char *a = arg + i;
        float sum[SNN__LANES] = {0.0f};
        for (r = 0; r < rows; r++, x += ldd, a += lda)
            for (j = 0; j < SNN__LANES; j++)
                sum[j] += (unsigned)(a[j] - first) < (unsigned)few ? x[j] : 0.0f;
        for (j = 0; j < SNN__LANES; j++) y[i + j] += sum[j];
    }
}
static void snn__add_won_plain(float *y, const float *d, size_t ldd, const unsigned char *arg,
                               size_t lda, int rows, int first, int few, int n)
{
    snn__add_won_loop(y, d, ldd, arg, lda, rows, first, few, n);
}
static void snn__maximum_plain(float *y, unsigned char *arg, const float *x, const int32_t *at,
                               int count, int n)
{
    snn__maximum_loop(y, arg, x, at, count, n);
}
static void snn__unpool_plain(float *x, const int32_t *at, int count, const float *d,
                              const unsigned char *arg, int n, int add)
{
    snn__unpool_loop(x, at, count, d, arg, n, add);
}
#if SNN__X86
SNN__TARGET_AVX2 static void snn__unpool_avx2(float *x, const int32_t *at, int count,
                                              const float *d, const unsigned char *arg, int n,
                                              int add)
{
    snn__unpool_loop(x, at, count, d, arg, n, add);
}
SNN__TARGET_AVX2 static void snn__add_won_avx2(float *y, const float *d, size_t ldd,
                                               const unsigned char *arg, size_t lda, int rows,
                                               int first, int few, int n)
{
    snn__add_won_loop(y, d, ldd, arg, lda, rows, first, few, n);
}
SNN__TARGET_AVX512 static void snn__add_won_avx512(float *y, const float *d, size_t ldd,
                                                   const unsigned char *arg, size_t lda, int rows,
                                                   int first, int few, int n)
{
    const __m512i least = _mm512_set1_epi32(first), more = _mm512_set1_epi32(few);
    int i, r;
    for (i = 0; i < n; i += 16) {
        __m512 sum = _mm512_setzero_ps();
        for (r = 0; r < rows; r++) {
            const void *at = arg + (size_t)r * lda + i;
            const __m512i a = _mm512_maskz_cvtepu8_epi32(0xffff,
                                                         _mm_loadu_si128((const __m128i *)at));
            const __mmask16 won = _mm512_cmplt_epu32_mask(_mm512_sub_epi32(a, least), more);
            sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(won, d + (size_t)r * ldd + i));
        }
        _mm512_storeu_ps(y + i, _mm512_add_ps(_mm512_loadu_ps(y + i), sum));
    }
}
SNN__TARGET_AVX512 static void snn__unpool_avx512(float *x, const int32_t *at, int count,
                                                  const float *d, const unsigned char *arg, int n,
                                                  int add)
{
    int i, k;
    for (i = 0; i < n; i += 16) {
        const __m512 v = _mm512_loadu_ps(d + i);
        const __m512i a = _mm512_maskz_cvtepu8_epi32(
            0xffff, _mm_loadu_si128((const __m128i *)(const void *)(arg + i)));
        for (k = 0; k < count; k++) {
            const __mmask16 won = _mm512_cmpeq_epi32_mask(a, _mm512_set1_epi32(k));
            float *y = x + at[k] + i;
            _mm512_storeu_ps(y, add ? _mm512_add_ps(_mm512_loadu_ps(y), _mm512_maskz_mov_ps(won, v))
                                    : _mm512_maskz_mov_ps(won, v));
        }
    }
}
SNN__TARGET_AVX2 static void snn__maximum_avx2(float *y, unsigned char *arg, const float *x,
                                               const int32_t *at, int count, int n)
{
    snn__maximum_loop(y, arg, x, at, count, n);
}
SNN__TARGET_AVX512 static void snn__maximum_avx512(float *y, unsigned char *arg, const float *x,
                                                   const int32_t *at, int count, int n)
{
    int i, k;
    for (i = 0; i < n; i += 16) {
        __m512 best = _mm512_loadu_ps(x + at[0] + i);
        __m512i first = _mm512_setzero_si512();
        for (k = 1; k < count; k++) {
            const __m512 e = _mm512_loadu_ps(x + at[k] + i);
            const __mmask16 more = _mm512_cmp_ps_mask(e, best, _CMP_GT_OQ);
            best = _mm512_mask_mov_ps(best, more, e);
            first = _mm512_mask_mov_epi32(first, more, _mm512_set1_epi32(k));
        }
        _mm512_storeu_ps(y + i, best);
        _mm_storeu_si128((__m128i *)(void *)(arg + i), _mm512_maskz_cvtepi32_epi8(0xffff, first));
    }
}
#endif

static void snn__transpose_plain(float *y, size_t ldy, const float *x, size_t ldx, int rows,
                                 int cols, int add)
{
    int i = 0, j;
#if SNN__VECTORS /* blocks of 4 x 4 */
    for (; i + 4 <= rows; i += 4) {
        const float *from = x + (size_t)i * ldx;
        for (j = 0; j < cols; j++) {
            float *to = y + (size_t)j * ldy + i;
            if (j + 4 <= cols) {
                const snn__v4_t a = SNN__v4_LOAD(from + j), b = SNN__v4_LOAD(from + ldx + j);
                const snn__v4_t c = SNN__v4_LOAD(from + 2 * ldx + j);
                const snn__v4_t d = SNN__v4_LOAD(from + 3 * ldx + j);
                const snn__v4_t ab = SNN__v4_SHUFFLE(a, b, 0, 4, 1, 5);
                const snn__v4_t cd = SNN__v4_SHUFFLE(c, d, 0, 4, 1, 5);
                const snn__v4_t ab2 = SNN__v4_SHUFFLE(a, b, 2, 6, 3, 7);
                const snn__v4_t cd2 = SNN__v4_SHUFFLE(c, d, 2, 6, 3, 7);
                snn__v4_t column[4];
                int k;
                column[0] = SNN__v4_SHUFFLE(ab, cd, 0, 1, 4, 5);
                column[1] = SNN__v4_SHUFFLE(ab, cd, 2, 3, 6, 7);
                column[2] = SNN__v4_SHUFFLE(ab2, cd2, 0, 1, 4, 5);
                column[3] = SNN__v4_SHUFFLE(ab2, cd2, 2, 3, 6, 7);
                for (k = 0; k < 4; k++, to += ldy) {
                    if (add) column[k] += SNN__v4_LOAD(to);
                    SNN__v4_STORE(to, column[k]);
                }
                j += 3;
            } else {
                int k;
                for (k = 0; k < 4; k++)
                    to[k] = (add ? to[k] : 0.0f) + from[(size_t)k * ldx + (size_t)j];
            }
        }
    }
#endif
    for (; i < rows; i++)
        for (j = 0; j < cols; j++) {
            float *to = y + (size_t)j * ldy + i;
            *to = (add ? *to : 0.0f) + x[(size_t)i * ldx + (size_t)j];
        }
}
#if SNN__X86
/* 8 x 4 at a time: rows i to i + 3 in the lower halves of registers, the other four in the upper */
SNN__TARGET_AVX2 static void snn__transpose_avx2(float *y, size_t ldy, const float *x, size_t ldx,
                                                 int rows, int cols, int add)
{
    int i, j, k;
    for (i = 0; i + 8 <= rows; i += 8, x += 8 * ldx, y += 8) {
        for (j = 0; j + 4 <= cols; j += 4) {
            const float *from = x + j;
            float *to = y + (size_t)j * ldy;
            __m256 a[4], b[4];
            for (k = 0; k < 4; k++, from += ldx)
                a[k] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from)),
                                            _mm_loadu_ps(from + 4 * ldx), 1);
            b[0] = _mm256_unpacklo_ps(a[0], a[1]);
            b[1] = _mm256_unpackhi_ps(a[0], a[1]);
            b[2] = _mm256_unpacklo_ps(a[2], a[3]);
            b[3] = _mm256_unpackhi_ps(a[2], a[3]);
            a[0] = _mm256_shuffle_ps(b[0], b[2], 0x44);
            a[1] = _mm256_shuffle_ps(b[0], b[2], 0xee);
            a[2] = _mm256_shuffle_ps(b[1], b[3], 0x44);
            a[3] = _mm256_shuffle_ps(b[1], b[3], 0xee);
            for (k = 0; k < 4; k++, to += ldy)
                _mm256_storeu_ps(to, add ? _mm256_add_ps(_mm256_loadu_ps(to), a[k]) : a[k]);
        }
        if (j < cols) snn__transpose_plain(y + (size_t)j * ldy, ldy, x + j, ldx, 8, cols - j, add);
    }
    if (i < rows) snn__transpose_plain(y, ldy, x, ldx, rows - i, cols, add);
}
#endif

SNN__INLINE void snn__halve_loop(uint16_t *y, const float *x, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++) {
        uint32_t u, a, small, h;
        float f;
        memcpy(&u, x + i, sizeof u);
        a = u & 0x7fffffffu;
        memcpy(&f, &a, sizeof f);
        f += 0.5f; /* whose last place is the smallest half's */
        memcpy(&small, &f, sizeof small);
        h = (a - 0x38000000u + 0xfffu + ((a >> 13) & 1u)) >> 13;
        h = a < 0x38800000u ? small - 0x3f000000u : h;
        h = a >= 0x477ff000u ? 0x7c00u : h;
        h = a > 0x7f800000u ? 0x7e00u : h;
        y[i] = (uint16_t)(h | (u >> 16 & 0x8000u));
    }
}
SNN__INLINE void snn__widen_loop(float *y, const uint16_t *x, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++) {
        const uint32_t h = x[i], e = h & 0x7c00u, a = (h & 0x7fffu) << 13;
        const float small = (float)(int32_t)(h & 0x3ffu) * (1.0f / 16777216.0f);
        uint32_t u;
        memcpy(&u, &small, sizeof u);
        u = e == 0 ? u : a + (e == 0x7c00u ? 0x70000000u : 0x38000000u);
        u |= (h & 0x8000u) << 16;
        memcpy(y + i, &u, sizeof u);
    }
}
static void snn__halve_plain(uint16_t *y, const float *x, size_t n) { snn__halve_loop(y, x, n); }
static void snn__widen_plain(float *y, const uint16_t *x, size_t n) { snn__widen_loop(y, x, n); }
#if SNN__X86
SNN__TARGET_AVX2 static void snn__halve_avx2(uint16_t *y, const float *x, size_t n)
{
    snn__halve_loop(y, x, n);
}
SNN__TARGET_AVX2 static void snn__widen_avx2(float *y, const uint16_t *x, size_t n)
{
    snn__widen_loop(y, x, n);
}
SNN__TARGET_AVX512 static void snn__halve_avx512(uint16_t *y, const float *x, size_t n)
{
    size_t i;
    for (i = 0; i + 16 <= n; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(y + i),
                            _mm512_maskz_cvtps_ph(0xffff, _mm512_loadu_ps(x + i), 0));
    snn__halve_loop(y + i, x + i, n - i);
}
SNN__TARGET_AVX512 static void snn__widen_avx512(float *y, const uint16_t *x, size_t n)
{
    size_t i;
    for (i = 0; i + 16 <= n; i += 16)
        _mm512_storeu_ps(y + i, _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(
                                                    (const __m256i *)(const void *)(x + i))));
    snn__widen_loop(y + i, x + i, n - i);
}
#endif

/* a table; P: of the template, the others as they are called below */
#define SNN__KERNELS(name, isa, wide, mr, nr, P, fire, list, pool, turn, masked)                   \
    static const snn__kernels snn__kernels_##name = {                                              \
        isa, wide, mr, nr, snn__tile_##P, snn__tile1_##P, snn__gather_##P, snn__gather_to_##P,     \
        snn__dots_##P, masked, snn__gather4_##P, snn__codes_##turn, snn__lookup_##P,               \
        snn__scatter_##P, snn__fire_##fire, snn__list_bits_##list, snn__list_floats_##list,        \
        snn__maximum_##pool, snn__unpool_##pool, snn__add_won_##pool, snn__halve_##pool,           \
        snn__widen_##pool, snn__transpose_##turn, snn__add_##P};
SNN__KERNELS(scalar, SNN_ISA_SCALAR, 0, 2, 4, s, plain, plain, plain, plain, NULL)
#if SNN__VECTORS
SNN__KERNELS(simd128, SNN_ISA_SIMD128, 0, 4, 8, v4, plain, plain, plain, plain, NULL)
#endif
#if SNN__X86
SNN__KERNELS(avx2_exact, SNN_ISA_AVX2, 1, 4, 16, v8, avx2, plain, avx2, avx2, NULL)
SNN__KERNELS(avx2, SNN_ISA_AVX2, 1, 6, 16, f8, avx2, plain, avx2, avx2, NULL)
SNN__KERNELS(avx512, SNN_ISA_AVX512, 2, 8, 32, f16, avx512, avx512, avx512, avx2,
             snn__masked_avx512)
#endif

static const snn__kernels *snn__kernels_select(snn_isa isa, int deterministic)
{
#if SNN__X86
    if (isa >= SNN_ISA_AVX2 && deterministic) return &snn__kernels_avx2_exact;
    if (isa == SNN_ISA_AVX512) return &snn__kernels_avx512;
    if (isa == SNN_ISA_AVX2) return &snn__kernels_avx2;
#endif
#if SNN__VECTORS
    if (isa >= SNN_ISA_SIMD128) return &snn__kernels_simd128;
#endif
    (void)isa;
    (void)deterministic;
    return &snn__kernels_scalar;
}

static size_t snn__count_bits(const uint32_t *words, size_t n)
{
    size_t i, m, s = 0;
    for (; n; n -= m, words += m) {
        uint32_t bytes = 0; /* four sums of as many words as cannot overflow them */
        m = n < 31 ? n : 31;
        for (i = 0; i < m; i++) {
            uint32_t x = words[i];
            x -= (x >> 1) & 0x55555555u;
            x = (x & 0x33333333u) + ((x >> 2) & 0x33333333u);
            bytes += (x + (x >> 4)) & 0x0F0F0F0Fu;
        }
        bytes = (bytes & 0x00FF00FFu) + ((bytes >> 8) & 0x00FF00FFu);
        s += (bytes + (bytes >> 16)) & 0xFFFFu;
    }
    return s;
}
static size_t snn__count_floats(const float *x, size_t n)
{
    size_t i, s = 0;
    for (i = 0; i < n; i++) s += x[i] != 0.0f;
    return s;
}

/* Bytes of so many bits (2, 4 or 8) into `words` words, and back: word i takes from[i] and,
 * shifted, from[words + i] ... */
static void snn__bytes_fold(uint32_t *SNN__RESTRICT to, const uint32_t *SNN__RESTRICT from,
                            size_t words, size_t bits)
{
    const uint32_t mask = 0x01010101u * (0xffu >> (8 - bits)); /* behind the last is anything */
    size_t i, k;
    for (i = 0; i < words; i++) to[i] = from[i] & mask;
    for (k = bits; k < 8; k += bits)
        for (from += words, i = 0; i < words; i++) to[i] |= (from[i] & mask) << k;
}
static void snn__bytes_unfold(uint32_t *SNN__RESTRICT to, const uint32_t *SNN__RESTRICT from,
                              size_t words, size_t bits)
{
    const uint32_t mask = 0x01010101u * (0xffu >> (8 - bits));
    size_t i, k;
    for (k = 0; k < 8; k += bits, to += words)
        for (i = 0; i < words; i++) to[i] = from[i] >> k & mask;
}

static void snn__zero(float *x, size_t n) { memset(x, 0, n * sizeof(float)); }
/* each of these rows of n floats, a multiple of SNN__LANES, = v, or zeros */
static void snn__fill_rows(float *y, const float *v, int rows, int n)
{
    float lanes[SNN__LANES] = {0.0f};
    int i, r;
    for (i = 0; i < n; i += SNN__LANES) {
        if (v) memcpy(lanes, v + i, sizeof lanes);
        for (r = 0; r < rows; r++) memcpy(y + (size_t)r * (size_t)n + i, lanes, sizeof lanes);
    }
}
static void snn__accumulate(float *SNN__RESTRICT y, const float *SNN__RESTRICT x, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++) y[i] += x[i];
}
SNN__HD float snn__clamp(float x, float lo, float hi)
{
    x = x < lo ? lo : x;
    return x > hi ? hi : x;
}
/* What decays (states, their gradients, moments of optimisers) must not linger in subnormals, which
 * are slow on many machines. */
enum { SNN__FLUSH_STEPS = 8 }; /* between two looks at what decays slowly */
#define SNN__LEAST 1e-30f        /* what is less becomes 0 */
#define SNN__LEAST_SQUARE 1e-36f /* of means of squares, which are compared with others */
SNN__HD float snn__flush(float x) { return SNN_FABSF(x) < SNN__LEAST ? 0.0f : x; }
static void snn__flush_row(float *x, size_t n, float least)
{
    size_t i;
    for (i = 0; i < n; i++) x[i] = SNN_FABSF(x[i]) < least ? 0.0f : x[i];
}

static int snn__finite(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u); /* by bits: right under -ffast-math too */
    return (u & 0x7f800000u) != 0x7f800000u;
}
/* index of the first NaN or infinity, n if there is none */
static size_t snn__first_bad(const float *x, size_t n)
{
    size_t i, j;
    for (i = 0; i < n; i += 256) { /* a block at a time, without a branch for each */
        const size_t m = n - i < 256 ? n - i : 256;
        uint32_t worst = 0;
        for (j = 0; j < m; j++) {
            uint32_t u;
            memcpy(&u, x + i + j, sizeof u);
            u &= 0x7f800000u;
            worst = u > worst ? u : worst;
        }
        for (j = 0; worst == 0x7f800000u && j < m; j++)
            if (!snn__finite(x[i + j])) return i + j;
    }
    return n;
}
static int snn__all_finite(const float *x, size_t n) { return snn__first_bad(x, n) == n; }

/* The matrix product C = A B (+ C), split over tasks by the size of C alone. a(i,p) = a[i*ra +
 * p*ca] [m][k], b row-major [k][ldb], c [m][ldc]. b must be readable up to a full tile beyond
 * column n: the arena's padding sees to that. */
typedef struct snn__gemm_job {
    const snn__kernels *kern;
    int m, n, k, blocks_n;
    const float *a, *b, *bias;
    size_t ra, ca, ldb, ldc;
    float *c;
    int add;
} snn__gemm_job;
enum { SNN__GEMM_M = 96, SNN__GEMM_N = 192, SNN__GEMM_K = 256 };

static void snn__gemm_block(void *arg, int task)
{
    const snn__gemm_job *g = (const snn__gemm_job *)arg;
    const snn__kernels *kern = g->kern;
    int i0 = task / g->blocks_n * SNN__GEMM_M, j0 = task % g->blocks_n * SNN__GEMM_N;
    int i1 = i0 + SNN__GEMM_M < g->m ? i0 + SNN__GEMM_M : g->m;
    int j1 = j0 + SNN__GEMM_N < g->n ? j0 + SNN__GEMM_N : g->n;
    int i, j, p, r;
    float edge[8 * 32]; /* the largest tile: 1 KB */
    if (!g->add)
        for (i = i0; i < i1; i++) {
            float *c = g->c + (size_t)i * g->ldc;
            if (g->bias) memcpy(c + j0, g->bias + j0, (size_t)(j1 - j0) * sizeof(float));
            else snn__zero(c + j0, (size_t)(j1 - j0));
        }
    for (p = 0; p < g->k; p += SNN__GEMM_K) {
        int k = g->k - p < SNN__GEMM_K ? g->k - p : SNN__GEMM_K;
        for (j = j0; j < j1; j += kern->nr) {
            const float *b = g->b + (size_t)p * g->ldb + j;
            int w = j1 - j < kern->nr ? j1 - j : kern->nr;
            for (i = i0; i < i1;) {
                const float *a = g->a + (size_t)i * g->ra + (size_t)p * g->ca;
                float *c = g->c + (size_t)i * g->ldc + j;
                int h = i1 - i < kern->mr ? 1 : kern->mr;
                if (w == kern->nr && h > 1) kern->tile(k, a, g->ra, g->ca, b, g->ldb, c, g->ldc);
                else if (w == kern->nr) kern->tile1(k, a, g->ca, b, g->ldb, c);
                else {
                    for (r = 0; r < h; r++) {
                        snn__zero(edge + r * kern->nr, (size_t)kern->nr);
                        memcpy(edge + r * kern->nr, c + (size_t)r * g->ldc,
                               (size_t)w * sizeof(float));
                    }
                    if (h > 1) kern->tile(k, a, g->ra, g->ca, b, g->ldb, edge, (size_t)kern->nr);
                    else kern->tile1(k, a, g->ca, b, g->ldb, edge);
                    for (r = 0; r < h; r++)
                        memcpy(c + (size_t)r * g->ldc, edge + r * kern->nr,
                               (size_t)w * sizeof(float));
                }
                i += h;
            }
        }
    }
}

static void snn__gemm(const snn__kernels *kern, const snn_threads *threads, int m, int n, int k,
                      const float *a, size_t ra, size_t ca, const float *b, size_t ldb, float *c,
                      size_t ldc, const float *bias, int add)
{
    snn__gemm_job g;
    int blocks;
    g.kern = kern;
    g.m = m;
    g.n = n;
    g.k = k;
    g.a = a;
    g.ra = ra;
    g.ca = ca;
    g.b = b;
    g.ldb = ldb;
    g.c = c;
    g.ldc = ldc;
    g.bias = bias;
    g.add = add;
    g.blocks_n = (n + SNN__GEMM_N - 1) / SNN__GEMM_N;
    blocks = (m + SNN__GEMM_M - 1) / SNN__GEMM_M * g.blocks_n;
    snn__parallel_for(threads, (double)m * n * k / 16, blocks, snn__gemm_block, &g);
}

/* ---- >>core -------------------------------------------------------------------------------- */
/* Status texts, random numbers, checked sizes, the arena, text formatting. */

SNN_DEF const char *snn_status_name(snn_status status)
{
    switch (status) {
#define SNN__X(name, value, text)                                                              \
case name: return #name;
        SNN_STATUS_LIST(SNN__X)
#undef SNN__X
    default: return "unknown status";
    }
}

SNN_DEF const char *snn_status_text(snn_status status)
{
    switch (status) {
#define SNN__X(name, value, text)                                                              \
case name: return text;
        SNN_STATUS_LIST(SNN__X)
#undef SNN__X
    default: return "unknown status";
    }
}

SNN_DEF snn_tensor snn_tensor_make(float *data, int ndim, const int *shape)
{
    snn_tensor t;
    int i;
    memset(&t, 0, sizeof t);
    t.data = data;
    t.ndim = ndim < 0 ? 0 : ndim > SNN_MAX_DIMS ? SNN_MAX_DIMS : ndim;
    for (i = 0; i < t.ndim; i++) t.shape[i] = shape[i];
    return t;
}

SNN_DEF size_t snn_tensor_count(const snn_tensor *t)
{
    size_t n = 1;
    int i;
    for (i = 0; i < t->ndim; i++) n *= (size_t)t->shape[i];
    return n;
}

SNN__HD uint64_t snn__mix64(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}
SNN__HD uint64_t snn__rng_key(uint64_t seed, uint32_t stream, uint32_t step)
{
    return snn__mix64(seed ^ snn__mix64(((uint64_t)stream << 32 | step) + 0x9E3779B97F4A7C15u));
}
SNN__HD uint32_t snn__rng_at(uint64_t key, uint32_t index)
{
    return (uint32_t)(snn__mix64(key + (uint64_t)index * 0x9E3779B97F4A7C15u) >> 32);
}
SNN__HD float snn__rng_uniform(uint64_t key, uint32_t index)
{
    return (float)(snn__rng_at(key, index) >> 8) * (1.0f / 16777216.0f);
}

SNN_DEF uint32_t snn_random(uint64_t seed, uint32_t stream, uint32_t step, uint32_t index)
{
    return snn__rng_at(snn__rng_key(seed, stream, step), index);
}
SNN_DEF float snn_uniform(uint64_t seed, uint32_t stream, uint32_t step, uint32_t index)
{
    return snn__rng_uniform(snn__rng_key(seed, stream, step), index);
}
SNN_DEF float snn_normal(uint64_t seed, uint32_t stream, uint32_t step, uint32_t index)
{
    uint64_t key = snn__rng_key(seed, stream, step);
    float u = 1.0f - snn__rng_uniform(key, 2u * index); /* (0,1]: the logarithm exists */
    float v = snn__rng_uniform(key, 2u * index + 1u);
    return SNN_SQRTF(-2.0f * SNN_LOGF(u)) * SNN_COSF(6.2831853f * v);
}
SNN_DEF int snn_bernoulli(float p, uint64_t seed, uint32_t stream, uint32_t step, uint32_t index)
{
    return snn_uniform(seed, stream, step, index) < p;
}
SNN_DEF void snn_permutation(int *order, int n, uint64_t seed, uint32_t stream)
{
    uint64_t key = snn__rng_key(seed, stream, 0x5eedu);
    int i, j, t;
    for (i = 0; i < n; i++) order[i] = i;
    for (i = n - 1; i > 0; i--) {
        j = (int)(((uint64_t)snn__rng_at(key, (uint32_t)i) * (uint64_t)(i + 1)) >> 32);
        t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
}

SNN_DEF void snn_spikes_pack(uint32_t *words, const float *x, int n)
{
    snn__fire_plain(words, x, n, SNN__FIRE_NONZERO);
}
SNN_DEF void snn_spikes_unpack(float *x, const uint32_t *words, int n, float gain)
{
    static const uint32_t bit[32] = {
        1u << 0,  1u << 1,  1u << 2,  1u << 3,  1u << 4,  1u << 5,  1u << 6,  1u << 7,
        1u << 8,  1u << 9,  1u << 10, 1u << 11, 1u << 12, 1u << 13, 1u << 14, 1u << 15,
        1u << 16, 1u << 17, 1u << 18, 1u << 19, 1u << 20, 1u << 21, 1u << 22, 1u << 23,
        1u << 24, 1u << 25, 1u << 26, 1u << 27, 1u << 28, 1u << 29, 1u << 30, 1u << 31};
    uint32_t g, u[32];
    int i, k;
    memcpy(&g, &gain, sizeof g);
    for (i = 0; i < n; i += 32) { /* vectors, no branch */
        const uint32_t w = words[i >> 5];
        for (k = 0; k < 32; k++) u[k] = (w & bit[k]) == bit[k] ? g : 0;
        memcpy(x + i, u, (size_t)(n - i < 32 ? n - i : 32) * sizeof *x);
    }
}

/* sizes: a product or sum that overflows becomes SIZE_MAX and stays there */
static size_t snn__mul_size(size_t a, size_t b) { return b && a > SIZE_MAX / b ? SIZE_MAX : a * b; }
static size_t snn__add_size(size_t a, size_t b) { return a > SIZE_MAX - b ? SIZE_MAX : a + b; }

/* The arena hands out pieces of one block. With base NULL it only counts: the planner run on such
 * an arena gives the exact size that the same planner then needs. Every piece starts at a multiple
 * of 64 bytes and is followed by 128 bytes of padding, so kernels may read a register beyond the
 * end. */
typedef struct snn__arena {
    char *base;
    size_t used, size;
    int overflow;
} snn__arena;
enum { SNN__ALIGN = 64, SNN__SLACK = 128 };

static void *snn__arena_take(snn__arena *a, size_t count, size_t size)
{
    size_t at = a->used, bytes = snn__mul_size(count, size), end;
    if (!count) return NULL;
    bytes = snn__add_size(bytes, SNN__SLACK + SNN__ALIGN - 1);
    bytes = bytes == SIZE_MAX ? bytes : bytes / SNN__ALIGN * SNN__ALIGN;
    end = snn__add_size(at, bytes);
    if (end == SIZE_MAX || end > a->size) {
        a->overflow = 1;
        return NULL;
    }
    a->used = end;
    return a->base ? a->base + at : NULL;
}
static float *snn__arena_floats(snn__arena *a, size_t rows, size_t cols)
{
    return (float *)snn__arena_take(a, snn__mul_size(rows, cols), sizeof(float));
}

/* Text without stdio: %s string, %d int, %u size_t (given as size_t), %g double (9 digits), %%
 * percent. Counts like snprintf: returns the length that the whole text needs. */
typedef struct snn__text {
    char *at;
    size_t size, length;
} snn__text;

static void snn__text_char(snn__text *t, char c)
{
    if (t->length + 1 < t->size) {
        t->at[t->length] = c;
        t->at[t->length + 1] = 0;
    }
    t->length++;
}
static void snn__text_str(snn__text *t, const char *s)
{
    while (*s) snn__text_char(t, *s++);
}
static void snn__text_uint(snn__text *t, uint64_t u)
{
    char digits[24];
    int n = 0;
    do digits[n++] = (char)('0' + u % 10);
    while (u /= 10);
    while (n) snn__text_char(t, digits[--n]);
}
static void snn__text_int(snn__text *t, int i)
{
    if (i < 0) snn__text_char(t, '-');
    snn__text_uint(t, i < 0 ? 0u - (uint64_t)i : (uint64_t)i);
}
/* 9 significant digits name every float; trailing zeros are dropped */
static void snn__text_float(snn__text *t, double x)
{
    int e = 0, i, n = 9;
    uint64_t m;
    char digits[16];
    if (!snn__finite((float)x)) {
        snn__text_str(t, x > 0 ? "inf" : x < 0 ? "-inf" : "nan");
        return;
    }
    if (x < 0) {
        snn__text_char(t, '-');
        x = -x;
    }
    if (x == 0) {
        snn__text_char(t, '0');
        return;
    }
    while (x >= 10) {
        x /= 10;
        e++;
    }
    while (x < 1) {
        x *= 10;
        e--;
    }
    m = (uint64_t)(x * 1e8 + 0.5);
    if (m >= 1000000000u) {
        m /= 10;
        e++;
    }
    for (i = n; i--; m /= 10) digits[i] = (char)('0' + m % 10);
    while (n > 1 && digits[n - 1] == '0') n--;
    if (e < -4 || e > 8) {
        snn__text_char(t, digits[0]);
        if (n > 1) snn__text_char(t, '.');
        for (i = 1; i < n; i++) snn__text_char(t, digits[i]);
        snn__text_char(t, 'e');
        snn__text_int(t, e);
        return;
    }
    if (e < 0) snn__text_str(t, "0.");
    for (i = -1; i > e; i--) snn__text_char(t, '0');
    for (i = 0; i < n || i <= e; i++) {
        if (i == e + 1 && e >= 0) snn__text_char(t, '.');
        snn__text_char(t, i < n ? digits[i] : '0');
    }
}

/* pads with spaces up to a column of the current line; for tables */
static void snn__text_column(snn__text *t, size_t line, size_t column)
{
    do snn__text_char(t, ' ');
    while (t->length < line + column);
}

#include <stdarg.h>
static void snn__text_list(snn__text *t, const char *format, va_list args)
{
    for (; *format; format++) {
        if (*format != '%') snn__text_char(t, *format);
        else switch (*++format) {
            case 's': snn__text_str(t, va_arg(args, const char *)); break;
            case 'd': snn__text_int(t, va_arg(args, int)); break;
            case 'u': snn__text_uint(t, (uint64_t)va_arg(args, size_t)); break;
            case 'g': snn__text_float(t, va_arg(args, double)); break;
            default: snn__text_char(t, *format); break;
            }
    }
}
static void snn__text_format(snn__text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    snn__text_list(t, format, args);
    va_end(args);
}

/* ---- >>surrogates -------------------------------------------------------------------------- */
/* Derivative d(x) and its integral for each row of SNN_SURROGATE_LIST; x = membrane - threshold. */

/* exp to 4 ulp in +-64, beyond it as there, so that nothing made of it is subnormal. Without libm,
 * so that loops vectorise: 2^n times a polynomial in the rest. */
SNN__HD float snn__exp1(float x)
{
    SNN__NO_CONTRACT
    float n, r, p, scale;
    int32_t bits;
    x = snn__clamp(x, -64.0f, 64.0f);
    bits = (int32_t)(x * 1.44269504f + 127.5f); /* the nearest integer, biased: it is positive */
    n = (float)bits - 127.0f;
    r = (x - n * 0.693145752f) - n * 1.42860677e-6f;
    p = 1.0f +
        r * (1.0f +
             r * (0.5f + r * (0.166666657f +
                              r * (0.0416665734f + r * (0.00833345950f + r * 0.00139262271f)))));
    bits = (int32_t)((uint32_t)bits << 23);
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}
/* ln to 3 ulp of normal x > 0: of 2^n m, m in [sqrt 1/2, sqrt 2), n ln 2 + 2 artanh((m-1)/(m+1)) */
SNN__HD float snn__log1(float x)
{
    SNN__NO_CONTRACT
    float m, n, r, z;
    int32_t bits, power;
    memcpy(&bits, &x, sizeof bits);
    power = (bits - 0x3f3504f3) >> 23;
    bits -= power * 8388608;
    memcpy(&m, &bits, sizeof m);
    n = (float)power;
    r = (m - 1.0f) / (m + 1.0f);
    z = r * r;
    z *= 0.666666667f + z * (0.4f + z * (0.285714286f + z * (0.222222222f + z * 0.181818182f)));
    return n * 0.693145752f + (r + (r + (r * z + n * 1.42860677e-6f)));
}

SNN__HD float snn__atan_grad1(float x, float a)
{
    SNN__NO_CONTRACT
    float y = 1.57079633f * a * x;
    return 0.5f * a / (1.0f + y * y);
}
SNN__HD float snn__fast_sigmoid_grad1(float x, float k)
{
    SNN__NO_CONTRACT
    float y = 1.0f + k * SNN_FABSF(x);
    return 1.0f / (y * y);
}
SNN__HD float snn__sigmoid_grad1(float x, float k)
{
    SNN__NO_CONTRACT
    float e = snn__exp1(-SNN_FABSF(k * x)); /* d is even: |x| avoids the overflow */
    return k * e / ((e + 1.0f) * (e + 1.0f));
}
SNN__HD float snn__triangular_grad1(float x, float c) { return x < 0.0f ? c : -c; }
SNN__HD float snn__heaviside_grad1(float x) { return x > 0.0f ? 1.0f : 0.0f; }
SNN__HD float snn__spike_rate_escape_grad1(float x, float b, float k)
{
    return k * snn__exp1(-b * SNN_FABSF(x - 1.0f));
}
SNN__HD float snn__stochastic_grad1(float x, float m, float v, float u)
{
    return x > 0.0f ? 1.0f : (u - 0.5f + m) * v;
}
SNN__HD float snn__leaky_spike_grad1(float x, float k) { return x > 0.0f ? 1.0f : k; }
SNN__HD float snn__sparse_fast_sigmoid_grad1(float x, float k, float b)
{
    return x > b ? snn__fast_sigmoid_grad1(x, k) : 0.0f;
}
SNN__HD float snn__boxcar_grad1(float x, float w) { return SNN_FABSF(x) < w ? 0.5f / w : 0.0f; }
SNN__HD float snn__hat_grad1(float x, float w, float h)
{
    const float y = 1.0f - SNN_FABSF(x) / w;
    return y > 0.0f ? h * y : 0.0f;
}

/* The integral of d, so that finite differences of a smooth net test the backward pass exactly. */
static float snn__surrogate_primitive1(snn_surrogate_kind kind, float x, float p0, float p1,
                                       float u)
{
    switch (kind) {
    case SNN_ATAN: return 0.318309886f * SNN_ATANF(1.57079633f * p0 * x) + 0.5f;
    case SNN_FAST_SIGMOID: return x / (1.0f + p0 * SNN_FABSF(x));
    case SNN_SIGMOID: return 1.0f / (1.0f + snn__exp1(-p0 * x));
    case SNN_STRAIGHT_THROUGH: return x;
    case SNN_TRIANGULAR: return -p0 * SNN_FABSF(x);
    case SNN_HEAVISIDE: return x > 0.0f ? x : 0.0f;
    case SNN_SPIKE_RATE_ESCAPE: {
        float e = p1 / p0 * snn__exp1(-p0 * SNN_FABSF(x - 1.0f));
        return x < 1.0f ? e : 2.0f * p1 / p0 - e;
    }
    case SNN_STOCHASTIC: return x > 0.0f ? x : (u - 0.5f + p0) * p1 * x;
    case SNN_LEAKY_SPIKE: return x > 0.0f ? x : p0 * x;
    case SNN_SPARSE_FAST_SIGMOID:
        return x > p1 ? x / (1.0f + p0 * SNN_FABSF(x)) - p1 / (1.0f + p0 * SNN_FABSF(p1)) : 0.0f;
    case SNN_BOXCAR: return 0.5f / p0 * snn__clamp(x, -p0, p0);
    case SNN_HAT:
        x = snn__clamp(x / p0, -1.0f, 1.0f);
        return p1 * p0 * (x - 0.5f * x * SNN_FABSF(x));
    default: return 0.0f;
    }
}

/* out[i] = g[i] d(x[i]); g NULL: ones. One loop per kind, so that each vectorises. */
SNN__HD void snn__surrogate_loop(const snn_surrogate *s, int n, const float *SNN__RESTRICT x,
                                 const float *g, const float *noise, float *out)
{
    const float p0 = s->p0, p1 = s->p1;
    int i;
#define SNN__LOOP(d)                                                                           \
    if (g)                                                                                         \
        for (i = 0; i < n; i++) out[i] = g[i] * (d);                                               \
    else                                                                                           \
        for (i = 0; i < n; i++) out[i] = (d);                                                      \
    break;
    switch (s->kind) {
    case SNN_ATAN: SNN__LOOP(snn__atan_grad1(x[i], p0))
    case SNN_FAST_SIGMOID: SNN__LOOP(snn__fast_sigmoid_grad1(x[i], p0))
    case SNN_SIGMOID: SNN__LOOP(snn__sigmoid_grad1(x[i], p0))
    case SNN_STRAIGHT_THROUGH: SNN__LOOP(1.0f)
    case SNN_TRIANGULAR: SNN__LOOP(snn__triangular_grad1(x[i], p0))
    case SNN_HEAVISIDE: SNN__LOOP(snn__heaviside_grad1(x[i]))
    case SNN_SPIKE_RATE_ESCAPE: SNN__LOOP(snn__spike_rate_escape_grad1(x[i], p0, p1))
    case SNN_STOCHASTIC: SNN__LOOP(snn__stochastic_grad1(x[i], p0, p1, noise ? noise[i] : 0.5f))
    case SNN_LEAKY_SPIKE: SNN__LOOP(snn__leaky_spike_grad1(x[i], p0))
    case SNN_SPARSE_FAST_SIGMOID: SNN__LOOP(snn__sparse_fast_sigmoid_grad1(x[i], p0, p1))
    case SNN_BOXCAR: SNN__LOOP(snn__boxcar_grad1(x[i], p0))
    case SNN_HAT: SNN__LOOP(snn__hat_grad1(x[i], p0, p1))
    default: SNN__LOOP(0.0f)
    }
#undef SNN__LOOP
}
static void snn__surrogate_plain(const snn_surrogate *s, int n, const float *x, const float *g,
                                 const float *noise, float *out)
{
    snn__surrogate_loop(s, n, x, g, noise, out);
}
#if SNN__X86
SNN__TARGET_AVX2 static void snn__surrogate_avx2(const snn_surrogate *s, int n, const float *x,
                                                 const float *g, const float *noise, float *out)
{
    snn__surrogate_loop(s, n, x, g, noise, out);
}
SNN__TARGET_AVX512 static void snn__surrogate_avx512(const snn_surrogate *s, int n, const float *x,
                                                     const float *g, const float *noise, float *out)
{
    snn__surrogate_loop(s, n, x, g, noise, out);
}
#endif
/* s is resolved; x and out may be the same, out and g too */
static void snn__surrogate_apply(const snn_surrogate *s, int wide, int n, const float *x,
                                 const float *g, const float *noise, float *out)
{
    if (s->kind == SNN_CUSTOM_SURROGATE) {
        int i;
        s->custom(n, x, out, 0, s->user);
        for (i = 0; g && i < n; i++) out[i] *= g[i];
        return;
    }
#if SNN__X86
    if (wide > 1) snn__surrogate_avx512(s, n, x, g, noise, out);
    else if (wide) snn__surrogate_avx2(s, n, x, g, noise, out);
    else
#endif
        snn__surrogate_plain(s, n, x, g, noise, out);
    (void)wide;
}

static const struct {
    const char *name;
    float p0, p1;
} snn__surrogate_table[] = {
#define SNN__X(id, name, p0, p1) {#name, p0, p1},
    SNN_SURROGATE_LIST(SNN__X)
#undef SNN__X
};

SNN_DEF const char *snn_surrogate_name(snn_surrogate_kind kind)
{
    return (int)kind >= 0 && kind < SNN_SURROGATE_COUNT ? snn__surrogate_table[kind].name : NULL;
}

static snn_surrogate snn__surrogate_defaults(const snn_surrogate *s)
{
    snn_surrogate r = *s;
    if (r.p0 == 0.0f) r.p0 = snn__surrogate_table[r.kind].p0;
    if (r.p1 == 0.0f) r.p1 = snn__surrogate_table[r.kind].p1;
    return r;
}

SNN_DEF void snn_surrogate_grad(const snn_surrogate *s, int n, const float *x, const float *noise,
                                float *d)
{
    snn_surrogate r = snn__surrogate_defaults(s);
    snn__surrogate_apply(&r, 0, n, x, NULL, noise, d);
}
SNN_DEF void snn_surrogate_primitive(const snn_surrogate *s, int n, const float *x,
                                     const float *noise, float *y)
{
    snn_surrogate r = snn__surrogate_defaults(s);
    int i;
    if (r.kind == SNN_CUSTOM_SURROGATE) r.custom(n, x, y, 1, r.user);
    else
        for (i = 0; i < n; i++)
            y[i] = snn__surrogate_primitive1(r.kind, x[i], r.p0, r.p1, noise ? noise[i] : 0.5f);
}

/* ---- >>neurons ----------------------------------------------------------------------------- */
/* One block each: equations and source, what frameworks differ on, and two functions of one neuron
 * at one step, which are all there is to it:
 *
 *   step1   s: states before the step, becomes those after; p: parameters, then derived ones; x:
 *           inputs; returns the drive, which decides on the spike
 *   grad1   ds: gradients of the states after the step, becomes those before; dp: those of the
 *           parameters, added to; dx: those of the inputs, written; s: before the step; dd: of the
 *           drive
 *
 * and where a spike changes the states at once, h being the spike (0, 1, or smooth):
 *
 *   jump1   s: states after the step, becomes those after the spike
 *   fall1   its gradients: ds, dp as in grad1, s: before the jump; returns that of h
 *
 * The loops over many neurons, the spike, its surrogate and value, and snnTorch's reset without
 * delay are the same for all, and stand once: before the first block and behind the last. */

typedef struct snn__mode { /* of a layer's reset, as factors */
    float sub, zero, equal;
} snn__mode;

/* R, the delayed reset: was the membrane beyond the threshold after the last step? A constant for
 * gradients. equal is 1 where a membrane exactly on the threshold counts. */
SNN__HD float snn__reset_indicator(float u, float theta, float equal)
{
    return (equal != 0.0f ? u >= theta : u > theta) ? 1.0f : 0.0f;
}

#if defined(__clang__)
    #define SNN__INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
    #pragma clang diagnostic push
    #pragma clang diagnostic ignored "-Wpass-failed" /* where it does not vectorise, so be it */
#elif defined(__GNUC__) && !defined(__CUDACC__)
    #define SNN__INDEPENDENT _Pragma("GCC ivdep")
#else
    #define SNN__INDEPENDENT
#endif

/* known to be 0 when compiled, as the gradient of a parameter that cannot be trained */
#ifdef __GNUC__
    #define SNN__NOTHING(x) (__builtin_constant_p((x) == 0.0f) && (x) == 0.0f)
#else
    #define SNN__NOTHING(x) 0
#endif

typedef float (*snn__step1)(float *s, const float *p, const float *x, snn__mode m);
typedef void (*snn__grad1)(float *ds, float *dp, float *dx, const float *s, const float *p,
                           const float *x, float dd, snn__mode m);
typedef void (*snn__jump1)(float *s, const float *p, float h, snn__mode m);
typedef float (*snn__fall1)(float *ds, float *dp, const float *s, const float *p, float h,
                            snn__mode m);

/* Each loop fetches one neuron into locals, calls the formula, puts it back. Inlined, with S
 * states, P parameters (derived ones included) and I inputs known, the locals are registers and the
 * loop is a vector loop. */
SNN__INLINE snn__mode snn__block_mode(const snn_neuron_block *b)
{
    snn__mode m;
    m.sub = b->sub;
    m.zero = b->zero;
    m.equal = b->equal;
    return m;
}
SNN__INLINE void snn__step_loop(const snn_neuron_block *b, int S, int P, int I, snn__step1 step1)
{
    float *state[SNN_MAX_STATES], *SNN__RESTRICT drive = b->drive;
    const float *param[SNN_MAX_PARAMS], *input[SNN_MAX_STATES];
    const snn__mode m = snn__block_mode(b);
    const int n = b->n;
    int i, k;
    for (k = 0; k < S; k++) state[k] = b->state[k];
    for (k = 0; k < P; k++) param[k] = b->param[k];
    for (k = 0; k < I; k++) input[k] = b->x + (size_t)k * b->stride;
    SNN__INDEPENDENT
    for (i = 0; i < n; i++) {
        float s[SNN_MAX_STATES], p[SNN_MAX_PARAMS], x[SNN_MAX_STATES];
        for (k = 0; k < S; k++) s[k] = state[k][i];
        for (k = 0; k < P; k++) p[k] = param[k][i];
        for (k = 0; k < I; k++) x[k] = input[k][i];
        drive[i] = step1(s, p, x, m);
        for (k = 0; k < S; k++) state[k][i] = s[k];
    }
}
SNN__INLINE void snn__grad_loop(const snn_neuron_block *b, int S, int P, int I, snn__grad1 grad1)
{
    float *dstate[SNN_MAX_STATES], *dparam[SNN_MAX_PARAMS], *dinput[SNN_MAX_STATES];
    const float *state[SNN_MAX_STATES], *param[SNN_MAX_PARAMS], *input[SNN_MAX_STATES];
    const float *ddrive = b->ddrive;
    const snn__mode m = snn__block_mode(b);
    const int n = b->n;
    int i, k;
    for (k = 0; k < S; k++) state[k] = b->state[k], dstate[k] = b->dstate[k];
    for (k = 0; k < P; k++) param[k] = b->param[k], dparam[k] = b->dparam[k];
    for (k = 0; k < I; k++) {
        input[k] = b->x + (size_t)k * b->stride;
        dinput[k] = b->dx + (size_t)k * b->stride;
    }
    SNN__INDEPENDENT
    for (i = 0; i < n; i++) {
        float s[SNN_MAX_STATES], p[SNN_MAX_PARAMS], x[SNN_MAX_STATES];
        float ds[SNN_MAX_STATES], dp[SNN_MAX_PARAMS], dx[SNN_MAX_STATES];
        for (k = 0; k < S; k++) s[k] = state[k][i], ds[k] = dstate[k][i];
        for (k = 0; k < P; k++) p[k] = param[k][i], dp[k] = 0.0f;
        for (k = 0; k < I; k++) x[k] = input[k][i];
        grad1(ds, dp, dx, s, p, x, ddrive[i], m);
        for (k = 0; k < S; k++) dstate[k][i] = ds[k];
        for (k = 0; k < I; k++) dinput[k][i] = dx[k];
        for (k = 0; k < P; k++)
            if (!SNN__NOTHING(dp[k])) dparam[k][i] += dp[k];
    }
}
SNN__INLINE void snn__jump_loop(const snn_neuron_block *b, int S, int P, snn__jump1 jump1)
{
    float *state[SNN_MAX_STATES];
    const float *param[SNN_MAX_PARAMS], *spike = b->spike;
    const snn__mode m = snn__block_mode(b);
    const int n = b->n;
    int i, k;
    for (k = 0; k < S; k++) state[k] = b->state[k];
    for (k = 0; k < P; k++) param[k] = b->param[k];
    SNN__INDEPENDENT
    for (i = 0; i < n; i++) {
        float s[SNN_MAX_STATES], p[SNN_MAX_PARAMS];
        for (k = 0; k < S; k++) s[k] = state[k][i];
        for (k = 0; k < P; k++) p[k] = param[k][i];
        jump1(s, p, spike[i], m);
        for (k = 0; k < S; k++) state[k][i] = s[k];
    }
}
SNN__INLINE void snn__fall_loop(const snn_neuron_block *b, int S, int P, snn__fall1 fall1)
{
    float *dstate[SNN_MAX_STATES], *dparam[SNN_MAX_PARAMS], *dspike = b->dspike;
    const float *state[SNN_MAX_STATES], *param[SNN_MAX_PARAMS], *spike = b->spike;
    const snn__mode m = snn__block_mode(b);
    const int n = b->n;
    int i, k;
    for (k = 0; k < S; k++) state[k] = b->state[k], dstate[k] = b->dstate[k];
    for (k = 0; k < P; k++) param[k] = b->param[k], dparam[k] = b->dparam[k];
    SNN__INDEPENDENT
    for (i = 0; i < n; i++) {
        float s[SNN_MAX_STATES], p[SNN_MAX_PARAMS], ds[SNN_MAX_STATES], dp[SNN_MAX_PARAMS];
        for (k = 0; k < S; k++) s[k] = state[k][i], ds[k] = dstate[k][i];
        for (k = 0; k < P; k++) p[k] = param[k][i], dp[k] = 0.0f;
        dspike[i] = fall1(ds, dp, s, p, spike[i], m);
        for (k = 0; k < S; k++) dstate[k][i] = ds[k];
        for (k = 0; k < P; k++)
            if (!SNN__NOTHING(dp[k])) dparam[k][i] += dp[k];
    }
}

/* What a kernel of another compiler needs beside step1 and grad1: the numbers of states, parameters
 * and inputs as constants, and a jump1 and fall1 of every neuron, perhaps without effect. */
#define SNN__SIZES(name, S, P, I)                                                                  \
    enum { snn__##name##_S = S, snn__##name##_P = P, snn__##name##_I = I };
#define SNN__STILL(name)                                                                           \
    SNN__HD void snn__##name##_jump1(float *s, const float *p, float h, snn__mode m)               \
    {                                                                                              \
        (void)s, (void)p, (void)h, (void)m;                                                        \
    }                                                                                              \
    SNN__HD float snn__##name##_fall1(float *ds, float *dp, const float *s, const float *p,        \
                                      float h, snn__mode m)                                        \
    {                                                                                              \
        (void)ds, (void)dp, (void)s, (void)p, (void)h, (void)m;                                    \
        return 0.0f;                                                                               \
    }
/* neuron `name` computes what neuron `as` does */
#define SNN__SAME_FORMULA(name, as)                                                                \
    SNN__SIZES(name, snn__##as##_S, snn__##as##_P, snn__##as##_I)                                  \
    SNN__HD float snn__##name##_step1(float *s, const float *p, const float *x, snn__mode m)       \
    {                                                                                              \
        return snn__##as##_step1(s, p, x, m);                                                      \
    }                                                                                              \
    SNN__HD void snn__##name##_grad1(float *ds, float *dp, float *dx, const float *s,              \
                                     const float *p, const float *x, float dd, snn__mode m)        \
    {                                                                                              \
        snn__##as##_grad1(ds, dp, dx, s, p, x, dd, m);                                             \
    }                                                                                              \
    SNN__HD void snn__##name##_jump1(float *s, const float *p, float h, snn__mode m)               \
    {                                                                                              \
        snn__##as##_jump1(s, p, h, m);                                                             \
    }                                                                                              \
    SNN__HD float snn__##name##_fall1(float *ds, float *dp, const float *s, const float *p,        \
                                      float h, snn__mode m)                                        \
    {                                                                                              \
        return snn__##as##_fall1(ds, dp, s, p, h, m);                                              \
    }

/* A neuron's loops, for the baseline and wide ones: for AVX2, for AVX-512. */
#define SNN__LOOPS(name, step, grad, TARGET, S, P, I)                                              \
    TARGET static void snn__##name##_##step(const snn_neuron_block *b)                             \
    {                                                                                              \
        snn__step_loop(b, S, P, I, snn__##name##_step1);                                           \
    }                                                                                              \
    TARGET static void snn__##name##_##grad(const snn_neuron_block *b)                             \
    {                                                                                              \
        snn__grad_loop(b, S, P, I, snn__##name##_grad1);                                           \
    }
#define SNN__JUMPS(name, S, P)                                                                     \
    static void snn__##name##_jump(const snn_neuron_block *b)                                      \
    {                                                                                              \
        snn__jump_loop(b, S, P, snn__##name##_jump1);                                              \
    }                                                                                              \
    static void snn__##name##_fall(const snn_neuron_block *b)                                      \
    {                                                                                              \
        snn__fall_loop(b, S, P, snn__##name##_fall1);                                              \
    }
typedef struct snn__wide_loops {
    void (*step[2])(const snn_neuron_block *);
    void (*grad[2])(const snn_neuron_block *);
} snn__wide_loops;
#if SNN__X86
    #define SNN__ALL_LOOPS(name, S, P, I)                                                          \
        SNN__LOOPS(name, step, grad, SNN__PLAIN, S, P, I)                                          \
        SNN__LOOPS(name, step_avx2, grad_avx2, SNN__TARGET_AVX2, S, P, I)                          \
        SNN__LOOPS(name, step_avx512, grad_avx512, SNN__TARGET_AVX512, S, P, I)                    \
        static const snn__wide_loops snn__##name##_wide = {                                        \
            {snn__##name##_step_avx2, snn__##name##_step_avx512},                                  \
            {snn__##name##_grad_avx2, snn__##name##_grad_avx512}};
#else
    #define SNN__ALL_LOOPS(name, S, P, I)                                                          \
        SNN__LOOPS(name, step, grad, SNN__PLAIN, S, P, I)                                          \
        static const snn__wide_loops snn__##name##_wide = {                                        \
            {snn__##name##_step, snn__##name##_step}, {snn__##name##_grad, snn__##name##_grad}};
#endif
#define SNN__NEURON_LOOPS(name, S, P, I)                                                           \
    SNN__SIZES(name, S, P, I)                                                                      \
    SNN__STILL(name)                                                                               \
    SNN__ALL_LOOPS(name, S, P, I)
#define SNN__JUMP_LOOPS(name, S, P, I) /* of a neuron whose states change at once with a spike */  \
    SNN__SIZES(name, S, P, I)                                                                      \
    SNN__ALL_LOOPS(name, S, P, I)                                                                  \
    SNN__JUMPS(name, S, P)

/* What stands in a definition (the order is snn_neuron_def's): a parameter with fields of
 * snn_neuron_desc for its value and its learn flag; one that is not trained; one in custom[]. */
#define SNN__PARAM(name, value, flags)                                                             \
    {                                                                                              \
        #name, value, (int)offsetof(snn_neuron_desc, name),                                        \
            (int)offsetof(snn_neuron_desc, learn_##name), flags                                    \
    }
#define SNN__FIXED(name, value)                                                                    \
    {                                                                                              \
        #name, value, (int)offsetof(snn_neuron_desc, name), 0, SNN_PARAM_FIXED                     \
    }
#define SNN__CUSTOM(name, value, flags) {name, value, 0, 0, flags}
#define SNN__THETA SNN__PARAM(threshold, 1.0f, 0)
#define SNN__BETA SNN__PARAM(beta, 0.0f, SNN_PARAM_REQUIRED | SNN_PARAM_CLAMP01)
/* loops of a formula; then quantised states, inputs, feedback, recurrence, resolve */
#define SNN__RUN(name) snn__##name##_step, snn__##name##_grad
#define SNN__USUAL 0, 1, 0, SNN_RECURRENCE_NONE, NULL
/* derived parameters, start, jump and fall, wide loops: without, with */
#define SNN__NO_DERIVED 0, NULL, NULL
#define SNN__DERIVED(name, count) count, snn__##name##_derive, snn__##name##_underive
#define SNN__NO_JUMP NULL, NULL, NULL
#define SNN__JUMP(name) NULL, snn__##name##_jump, snn__##name##_fall

/* -- Leaky integrate-and-fire
 *
 *   R = H(U - theta)                         the reset, one step after the spike, detached
 *   subtract   V = b U + x - R theta
 *   zero       V = b ((1-R) U) + x           the input of the step after a spike is kept
 *   none       V = b U + x                   b = clamp(beta, 0, 1)
 *   spike      S = H(V - theta)              strict: a membrane on the threshold is silent
 *
 * backward, with gV the gradient of V, k = 1 - R for zero and 1 otherwise:
 *   dx = gV;  dU = b k gV;  dbeta = k U gV;  dtheta = -R gV (subtract) - gradient of the drive V -
 *   theta
 *
 * Matches: snntorch.Leaky(beta, threshold, reset_mechanism). Source: Eshraghian et al., Training
 * Spiking Neural Networks Using Lessons From Deep Learning, Proc. IEEE 2023, eq. 4 and section on
 * resets. */
SNN__HD float snn__leaky_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    const float theta = p[0], beta = p[1], u = s[0], r = snn__reset_indicator(u, theta, m.equal);
    s[0] = snn__flush(beta * ((1.0f - m.zero * r) * u) + x[0] - m.sub * r * theta);
    return s[0] - theta;
}
SNN__HD void snn__leaky_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                              const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float theta = p[0], beta = p[1], u = s[0], r = snn__reset_indicator(u, theta, m.equal);
    const float k = 1.0f - m.zero * r, g = ds[0] + dd;
    (void)x;
    dp[0] -= dd + m.sub * r * g;
    dp[1] += g * k * u;
    ds[0] = beta * k * g;
    dx[0] = g;
}
SNN__NEURON_LOOPS(leaky, 1, 2, 1)
static const snn_neuron_def snn__leaky_def = {
    "leaky", "lif", "Leaky integrate-and-fire", 1, 2, {"mem"}, {SNN__THETA, SNN__BETA},
    SNN_RESET_SUBTRACT, SNN__RUN(leaky), SNN__USUAL, SNN__NO_DERIVED, SNN__NO_JUMP,
    &snn__leaky_wide};

/* -- Lapicque: the RC circuit, integrated by Euler
 *
 *   W = (1 - q) U + q R x,  q = dt/(R C) = -ln(beta);  V = W - R' theta (subtract), (1-R') W
 *   (zero), W (none)
 *
 * R' is the reset indicator, R the resistance. Completion at construction: beta alone: R = 1; beta
 * or C missing follow from the others by beta = exp(-dt/(R C)); all of them given, R and C rule.
 * The effective decay is 1 + ln(beta), not beta: Euler's. beta can be trained (through q), R and C
 * cannot. Matches: snntorch.Lapicque. Source: Lapicque, J. Physiol. Pathol. Gen. 1907. */
enum { SNN__LAPICQUE_BETA = 1, SNN__LAPICQUE_R, SNN__LAPICQUE_Q };
SNN__HD float snn__lapicque_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    const float theta = p[0], resistance = p[SNN__LAPICQUE_R], q = p[SNN__LAPICQUE_Q], u = s[0];
    const float r = snn__reset_indicator(u, theta, m.equal);
    const float w = resistance * q * x[0] + (1.0f - q) * u;
    s[0] = snn__flush((1.0f - m.zero * r) * w - m.sub * r * theta);
    return s[0] - theta;
}
SNN__HD void snn__lapicque_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                                 const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float theta = p[0], resistance = p[SNN__LAPICQUE_R], q = p[SNN__LAPICQUE_Q], u = s[0];
    const float r = snn__reset_indicator(u, theta, m.equal), g = ds[0] + dd;
    const float gw = (1.0f - m.zero * r) * g;
    dp[0] -= dd + m.sub * r * g;
    dp[SNN__LAPICQUE_Q] += gw * (resistance * x[0] - u);
    ds[0] = (1.0f - q) * gw;
    dx[0] = resistance * q * gw;
}
static snn_status snn__lapicque_resolve(snn_neuron_desc *d)
{
    const float dt = d->time_step == 0.0f ? 1.0f : d->time_step;
    if (d->R == 0.0f && d->C == 0.0f) d->R = 1.0f;
    if (d->R == 0.0f) d->R = -dt / (d->C * SNN_LOGF(d->beta));
    if (d->C != 0.0f) d->beta = SNN_EXPF(-dt / (d->R * d->C));
    return d->beta > 0.0f && d->beta <= 1.0f && d->R > 0.0f ? SNN_OK : SNN_ERR_ARGUMENT;
}
static void snn__lapicque_derive(int n, float *const *p)
{
    int i;
    for (i = 0; i < n; i++) p[SNN__LAPICQUE_Q][i] = -SNN_LOGF(p[SNN__LAPICQUE_BETA][i]);
}
static void snn__lapicque_underive(int n, const float *const *p, float *const *dp)
{
    int i;
    for (i = 0; i < n; i++)
        dp[SNN__LAPICQUE_BETA][i] -= dp[SNN__LAPICQUE_Q][i] / p[SNN__LAPICQUE_BETA][i];
}
SNN__NEURON_LOOPS(lapicque, 1, 4, 1)
static const snn_neuron_def snn__lapicque_def = {
    "lapicque", "lapicque", "Lapicque's RC circuit", 1, 3, {"mem"},
    {SNN__THETA, SNN__PARAM(beta, 0.0f, 0), SNN__FIXED(R, 1.0f)}, SNN_RESET_SUBTRACT,
    SNN__RUN(lapicque), 0, 1, 0, SNN_RECURRENCE_NONE, snn__lapicque_resolve,
    SNN__DERIVED(lapicque, 1), SNN__NO_JUMP, &snn__lapicque_wide};

/* -- Synaptic: a decaying input current in front of the membrane; with recurrence, RSynaptic
 *
 *   I = a I' + x;  W = b U + I;  V = W - R theta (subtract), (1-R) W (zero), W (none);  S = H(V -
 *   theta)
 *
 * a = clamp(alpha), b = clamp(beta) to [0,1]. The current is never reset. backward: gV through the
 * reset; gI = gI' + gV; dx = gI; dU = b gV; dI = a gI. Matches: snntorch.Synaptic, and with a
 * recurrence snntorch.RSynaptic. Source: Eshraghian et al. 2023, section on second-order
 * neurons. */
enum { SNN__SYNAPTIC_BETA = 1, SNN__SYNAPTIC_ALPHA };
SNN__HD float snn__synaptic_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    const float theta = p[0], r = snn__reset_indicator(s[0], theta, m.equal);
    s[1] = snn__flush(p[SNN__SYNAPTIC_ALPHA] * s[1] + x[0]);
    s[0] = snn__flush((1.0f - m.zero * r) * (p[SNN__SYNAPTIC_BETA] * s[0] + s[1]) -
                      m.sub * r * theta);
    return s[0] - theta;
}
SNN__HD void snn__synaptic_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                                 const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float r = snn__reset_indicator(s[0], p[0], m.equal), g = ds[0] + dd;
    const float gw = (1.0f - m.zero * r) * g, gj = ds[1] + gw;
    (void)x;
    dp[0] -= dd + m.sub * r * g;
    dp[SNN__SYNAPTIC_BETA] += gw * s[0];
    dp[SNN__SYNAPTIC_ALPHA] += gj * s[1];
    ds[0] = p[SNN__SYNAPTIC_BETA] * gw;
    ds[1] = p[SNN__SYNAPTIC_ALPHA] * gj;
    dx[0] = gj;
}
SNN__NEURON_LOOPS(synaptic, 2, 3, 1)
#define SNN__ALPHA SNN__PARAM(alpha, 0.0f, SNN_PARAM_REQUIRED | SNN_PARAM_CLAMP01)
static const snn_neuron_def snn__synaptic_def = {
    "synaptic", "synaptic", "Leaky integrate-and-fire with synaptic current", 2, 3, {"mem", "syn"},
    {SNN__THETA, SNN__BETA, SNN__ALPHA}, SNN_RESET_SUBTRACT, SNN__RUN(synaptic), SNN__USUAL,
    SNN__NO_DERIVED, SNN__NO_JUMP, &snn__synaptic_wide};
SNN__SAME_FORMULA(rsynaptic, synaptic)
static const snn_neuron_def snn__rsynaptic_def = {
    "rsynaptic", "rsynaptic", "Synaptic whose spikes return to its input", 2, 3, {"mem", "syn"},
    {SNN__THETA, SNN__BETA, SNN__ALPHA}, SNN_RESET_SUBTRACT, SNN__RUN(synaptic), 0, 1, 0,
    SNN_RECURRENCE_LINEAR, NULL, SNN__NO_DERIVED, SNN__NO_JUMP, &snn__synaptic_wide};

/* -- Alpha: excitatory and inhibitory currents whose difference is the membrane, an alpha function
 * of time
 *
 *   e = a E' + x;  n = b N' - x;  W = tau (e + n),  tau = ln a/(ln b - ln a) + 1
 *   none:      E = e                N = n          V = W
 *   zero:      E = (1-R) e          N = (1-R) n    V = (1-R) W       (the default)
 *   subtract:  E = e - R theta      N = (1-R) n    V = W + R N'
 *
 * The membrane has no memory of its own; only R sees the last one. alpha > beta is required.
 * Matches: snntorch.Alpha (as it computes, not as its documentation prints tau). Source: Eshraghian
 * et al. 2023; Rall 1967 for the alpha function. */
enum { SNN__ALPHA_BETA = 1, SNN__ALPHA_ALPHA, SNN__ALPHA_TAU };
SNN__HD float snn__alpha_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    const float theta = p[0], r = snn__reset_indicator(s[0], theta, m.equal), inh = s[2];
    const float e = p[SNN__ALPHA_ALPHA] * s[1] + x[0], n = p[SNN__ALPHA_BETA] * inh - x[0];
    s[0] = (1.0f - m.zero * r) * (p[SNN__ALPHA_TAU] * (e + n)) + m.sub * r * inh;
    s[1] = snn__flush((1.0f - m.zero * r) * e - m.sub * r * theta);
    s[2] = snn__flush((1.0f - (m.zero + m.sub) * r) * n);
    return s[0] - theta;
}
SNN__HD void snn__alpha_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                              const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float alpha = p[SNN__ALPHA_ALPHA], beta = p[SNN__ALPHA_BETA], tau = p[SNN__ALPHA_TAU];
    const float r = snn__reset_indicator(s[0], p[0], m.equal), g = ds[0] + dd;
    const float gw = (1.0f - m.zero * r) * g, e = alpha * s[1] + x[0], n = beta * s[2] - x[0];
    const float de = (1.0f - m.zero * r) * ds[1] + tau * gw,
                dn = (1.0f - (m.zero + m.sub) * r) * ds[2] + tau * gw;
    dp[0] -= dd + m.sub * r * ds[1];
    dp[SNN__ALPHA_TAU] += gw * (e + n);
    dp[SNN__ALPHA_ALPHA] += de * s[1];
    dp[SNN__ALPHA_BETA] += dn * s[2];
    ds[0] = 0.0f;
    ds[1] = alpha * de;
    ds[2] = beta * dn + m.sub * r * g;
    dx[0] = de - dn;
}
static snn_status snn__alpha_resolve(snn_neuron_desc *d)
{
    return d->alpha > d->beta && d->beta < 1.0f && d->beta > 0.0f ? SNN_OK : SNN_ERR_ARGUMENT;
}
static void snn__alpha_derive(int n, float *const *p)
{
    int i;
    for (i = 0; i < n; i++) {
        const float la = SNN_LOGF(p[SNN__ALPHA_ALPHA][i]), lb = SNN_LOGF(p[SNN__ALPHA_BETA][i]);
        p[SNN__ALPHA_TAU][i] = la / (lb - la) + 1.0f;
    }
}
static void snn__alpha_underive(int n, const float *const *p, float *const *dp)
{
    int i;
    for (i = 0; i < n; i++) {
        const float a = p[SNN__ALPHA_ALPHA][i], b = p[SNN__ALPHA_BETA][i], la = SNN_LOGF(a),
                    lb = SNN_LOGF(b), d = (lb - la) * (lb - la);
        dp[SNN__ALPHA_ALPHA][i] += dp[SNN__ALPHA_TAU][i] * lb / (a * d);
        dp[SNN__ALPHA_BETA][i] -= dp[SNN__ALPHA_TAU][i] * la / (b * d);
    }
}
SNN__NEURON_LOOPS(alpha, 3, 4, 1)
static const snn_neuron_def snn__alpha_def = {
    "alpha", "alpha", "Alpha membrane", 3, 3, {"mem", "syn_exc", "syn_inh"},
    {SNN__THETA, SNN__BETA, SNN__ALPHA}, SNN_RESET_ZERO, SNN__RUN(alpha), 0, 1, 0,
    SNN_RECURRENCE_NONE, snn__alpha_resolve, SNN__DERIVED(alpha, 1), SNN__NO_JUMP,
    &snn__alpha_wide};
#undef SNN__ALPHA

/* -- RLeaky: Leaky whose spikes return to its own input
 *
 *   W = b U + x + rec(S'),  V = W - R theta (subtract), (1-R) W (zero: the whole membrane, unlike
 *   Leaky's), W (none)
 *
 * Which rec is the layer's recurrence (one-to-one V, linear, convolution); linear unless said
 * otherwise. Matches: snntorch.RLeaky. */
SNN__HD float snn__rleaky_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    const float theta = p[0], r = snn__reset_indicator(s[0], theta, m.equal);
    s[0] = snn__flush((1.0f - m.zero * r) * (p[1] * s[0] + x[0]) - m.sub * r * theta);
    return s[0] - theta;
}
SNN__HD void snn__rleaky_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                               const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float r = snn__reset_indicator(s[0], p[0], m.equal), g = ds[0] + dd;
    const float gw = (1.0f - m.zero * r) * g;
    (void)x;
    dp[0] -= dd + m.sub * r * g;
    dp[1] += gw * s[0];
    ds[0] = p[1] * gw;
    dx[0] = gw;
}
SNN__NEURON_LOOPS(rleaky, 1, 2, 1)
static const snn_neuron_def snn__rleaky_def = {
    "rleaky", "rleaky", "Recurrent leaky integrate-and-fire", 1, 2, {"mem"},
    {SNN__THETA, SNN__BETA}, SNN_RESET_SUBTRACT, SNN__RUN(rleaky), 0, 1, 0, SNN_RECURRENCE_LINEAR,
    NULL, SNN__NO_DERIVED, SNN__NO_JUMP, &snn__rleaky_wide};

/* -- SLSTM: an LSTM cell whose hidden state is thresholded; also SConv2dLSTM, with convolutions
 *
 *   i, f, o = sigmoid(z), g = tanh(z_g), z = x + rec(mem');  c = f c' + i g;  W = o tanh(c)
 *   mem = W - R theta (subtract), (1-R) W (zero), W (none, the default);  S = H(mem - theta)
 *
 * Four inputs a neuron, in the order i, f, g, o: put a linear layer (or a convolution) of four
 * times the width before it. The recurrence reads mem. The order of snnTorch's SConv2dLSTM is i, f,
 * o, g. Matches: snntorch.SLSTM, SConv2dLSTM (with a convolutional recurrence). Source: Hochreiter,
 * Schmidhuber 1997. */
SNN__HD float snn__sigmoid1(float x) { return 1.0f / (1.0f + snn__exp1(-x)); }
SNN__HD float snn__tanh1(float x) { return 2.0f * snn__sigmoid1(2.0f * x) - 1.0f; }
SNN__HD float snn__slstm_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    const float theta = p[0], r = snn__reset_indicator(s[0], theta, m.equal);
    s[1] = snn__sigmoid1(x[1]) * s[1] + snn__sigmoid1(x[0]) * snn__tanh1(x[2]);
    s[0] = (1.0f - m.zero * r) * (snn__sigmoid1(x[3]) * snn__tanh1(s[1])) - m.sub * r * theta;
    return s[0] - theta;
}
SNN__HD void snn__slstm_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                              const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float r = snn__reset_indicator(s[0], p[0], m.equal), c = s[1];
    const float i = snn__sigmoid1(x[0]), f = snn__sigmoid1(x[1]), g = snn__tanh1(x[2]);
    const float o = snn__sigmoid1(x[3]), t = snn__tanh1(f * c + i * g), gm = ds[0] + dd;
    const float gw = (1.0f - m.zero * r) * gm, gcell = ds[1] + gw * o * (1.0f - t * t);
    dp[0] -= dd + m.sub * r * gm;
    dx[0] = gcell * g * i * (1.0f - i);
    dx[1] = gcell * c * f * (1.0f - f);
    dx[2] = gcell * i * (1.0f - g * g);
    dx[3] = gw * t * o * (1.0f - o);
    ds[0] = 0.0f; /* what mem gave to the next step went through the recurrence */
    ds[1] = gcell * f;
}
SNN__NEURON_LOOPS(slstm, 2, 1, 4)
static const snn_neuron_def snn__slstm_def = {
    "slstm", "slstm", "Spiking LSTM", 2, 1, {"mem", "syn"}, {SNN__THETA}, SNN_RESET_NONE,
    SNN__RUN(slstm), 0, 4, 1, SNN_RECURRENCE_LINEAR, NULL, SNN__NO_DERIVED, SNN__NO_JUMP,
    &snn__slstm_wide};

/* for neurons without reset: whatever the desc says of it does not count */
static snn_status snn__no_reset_resolve(snn_neuron_desc *d)
{
    d->reset = SNN_RESET_NONE;
    d->no_reset_delay = 0;
    return SNN_OK;
}

/* -- StateLeaky: a leaky integrator without reset, by time constant
 *
 *   V = d U + x,  d = exp(-1/tau);  S = H(V - theta)
 *
 * From beta, tau = 1/(1 - beta): the decay is exp(beta - 1), not beta. tau is what is trained.
 * State 0 is the membrane as reported, perhaps rounded; state 1 the integrator, which never is.
 * Matches: snntorch.StateLeaky (there the graded factor counts twice: its square here), LinearLeaky
 * with a linear layer before it. */
enum { SNN__STATE_LEAKY_TAU = 1, SNN__STATE_LEAKY_DECAY, SNN__STATE_LEAKY_STEPS = 2,
       SNN__TRUNCATED_DECAY, SNN__TRUNCATED_TAIL };
SNN__HD float snn__state_leaky_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    (void)m;
    s[0] = s[1] = snn__flush(p[SNN__STATE_LEAKY_DECAY] * s[1] + x[0]);
    return s[0] - p[0];
}
SNN__HD void snn__state_leaky_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                                    const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float g = ds[0] + ds[1] + dd;
    (void)x;
    (void)m;
    dp[0] -= dd;
    dp[SNN__STATE_LEAKY_DECAY] += g * s[1];
    ds[0] = 0.0f;
    ds[1] = p[SNN__STATE_LEAKY_DECAY] * g;
    dx[0] = g;
}
static snn_status snn__state_leaky_resolve(snn_neuron_desc *d)
{
    snn__no_reset_resolve(d);
    if (d->tau == 0.0f) d->tau = (float)(1.0 / (1.0 - (double)d->beta + 1e-12));
    return d->tau > 0.0f ? SNN_OK : SNN_ERR_ARGUMENT;
}
static void snn__state_leaky_derive(int n, float *const *p)
{
    int i;
    for (i = 0; i < n; i++)
        p[SNN__STATE_LEAKY_DECAY][i] = SNN_EXPF(-1.0f / p[SNN__STATE_LEAKY_TAU][i]);
}
static void snn__state_leaky_underive(int n, const float *const *p, float *const *dp)
{
    int i;
    for (i = 0; i < n; i++) {
        const float tau = p[SNN__STATE_LEAKY_TAU][i];
        dp[SNN__STATE_LEAKY_TAU][i] +=
            dp[SNN__STATE_LEAKY_DECAY][i] * p[SNN__STATE_LEAKY_DECAY][i] / (tau * tau);
    }
}
SNN__NEURON_LOOPS(state_leaky, 2, 3, 1)
#define SNN__TAU                                                                                   \
    {                                                                                              \
        "tau", 0.0f, (int)offsetof(snn_neuron_desc, tau),                                          \
            (int)offsetof(snn_neuron_desc, learn_beta), 0                                          \
    }
static const snn_neuron_def snn__state_leaky_def = {
    "state_leaky", "state_leaky", "Leaky integrator by time constant, no reset", 2, 2,
    {"mem", "integral"}, {SNN__THETA, SNN__TAU}, SNN_RESET_NONE, SNN__RUN(state_leaky), 1, 1, 0,
    SNN_RECURRENCE_NONE, snn__state_leaky_resolve, SNN__DERIVED(state_leaky, 1), SNN__NO_JUMP,
    &snn__state_leaky_wide};

/* -- TruncatedLeaky: StateLeaky whose kernel ends after K = kernel_steps steps
 *
 *   V = d U + x_t - d^K x_(t-K) = sum over j < K of d^j x_(t-j)
 *
 * Two inputs a neuron, x_t and x_(t-K): its layer is snn_concat(net, x, snn_delay(net, x, K)).
 * Matches: snntorch.StateLeaky, LinearLeaky with kernel_truncation_steps = K. */
SNN__HD float snn__truncated_leaky_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    (void)m;
    s[0] = s[1] = snn__flush(p[SNN__TRUNCATED_DECAY] * s[1] + x[0] - p[SNN__TRUNCATED_TAIL] * x[1]);
    return s[0] - p[0];
}
SNN__HD void snn__truncated_leaky_grad1(float *ds, float *dp, float *dx, const float *s,
                                        const float *p, const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float g = ds[0] + ds[1] + dd;
    (void)m;
    dp[0] -= dd;
    dp[SNN__TRUNCATED_DECAY] += g * s[1];
    dp[SNN__TRUNCATED_TAIL] -= g * x[1];
    ds[0] = 0.0f;
    ds[1] = p[SNN__TRUNCATED_DECAY] * g;
    dx[0] = g;
    dx[1] = -p[SNN__TRUNCATED_TAIL] * g;
}
static snn_status snn__truncated_leaky_resolve(snn_neuron_desc *d)
{
    return d->kernel_steps > 0.0f ? snn__state_leaky_resolve(d) : SNN_ERR_ARGUMENT;
}
static void snn__truncated_leaky_derive(int n, float *const *p)
{
    int i;
    for (i = 0; i < n; i++) {
        const float tau = p[SNN__STATE_LEAKY_TAU][i];
        p[SNN__TRUNCATED_DECAY][i] = SNN_EXPF(-1.0f / tau);
        p[SNN__TRUNCATED_TAIL][i] = SNN_EXPF(-p[SNN__STATE_LEAKY_STEPS][i] / tau);
    }
}
static void snn__truncated_leaky_underive(int n, const float *const *p, float *const *dp)
{
    int i;
    for (i = 0; i < n; i++) {
        const float tau = p[SNN__STATE_LEAKY_TAU][i], steps = p[SNN__STATE_LEAKY_STEPS][i];
        dp[SNN__STATE_LEAKY_TAU][i] +=
            (dp[SNN__TRUNCATED_DECAY][i] * p[SNN__TRUNCATED_DECAY][i] +
             dp[SNN__TRUNCATED_TAIL][i] * p[SNN__TRUNCATED_TAIL][i] * steps) / (tau * tau);
    }
}
SNN__NEURON_LOOPS(truncated_leaky, 2, 5, 2)
static const snn_neuron_def snn__truncated_leaky_def = {
    "truncated_leaky", "state_leaky", "StateLeaky with a kernel of finite length", 2, 3,
    {"mem", "integral"}, {SNN__THETA, SNN__TAU, SNN__FIXED(kernel_steps, 0.0f)}, SNN_RESET_NONE,
    SNN__RUN(truncated_leaky), 1, 2, 0, SNN_RECURRENCE_NONE, snn__truncated_leaky_resolve,
    SNN__DERIVED(truncated_leaky, 2), SNN__NO_JUMP, &snn__truncated_leaky_wide};

/* -- DeltaLeaky: spikes when the membrane changes by more than a threshold in one step, up or down
 *
 *   V = beta U + x;  D = V - U;  S = H(|D| - delta)            beta is not clamped; no reset
 *   backward: q = ddrive sign(D);  gV = A + q;  dx = gV;  dbeta = gV U;  dU = beta gV - q
 *
 * The field threshold is delta. Matches: snntorch.DeltaLeaky. */
SNN__HD float snn__delta_leaky_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    const float u = s[0], v = p[1] * u + x[0];
    (void)m;
    s[0] = snn__flush(v);
    return SNN_FABSF(v - u) - p[0];
}
SNN__HD void snn__delta_leaky_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                                    const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float u = s[0], d = (p[1] * u + x[0]) - u;
    const float q = d > 0.0f ? dd : d < 0.0f ? -dd : 0.0f, g = ds[0] + q;
    (void)m;
    dp[0] -= dd;
    dp[1] += g * u;
    ds[0] = p[1] * g - q;
    dx[0] = g;
}
static snn_status snn__delta_leaky_resolve(snn_neuron_desc *d)
{
    d->quant.bits = 0; /* nor does rounding count */
    return snn__no_reset_resolve(d);
}
SNN__NEURON_LOOPS(delta_leaky, 1, 2, 1)
static const snn_neuron_def snn__delta_leaky_def = {
    "delta_leaky", "delta_leaky", "Leaky that spikes on change", 1, 2, {"mem"},
    {SNN__THETA, SNN__PARAM(beta, 0.0f, SNN_PARAM_REQUIRED)}, SNN_RESET_NONE,
    SNN__RUN(delta_leaky), 0, 1, 0, SNN_RECURRENCE_NONE, snn__delta_leaky_resolve,
    SNN__NO_DERIVED, SNN__NO_JUMP, &snn__delta_leaky_wide};

/* -- LeakyParallel: a rectified recurrent layer, thresholded
 *
 *   h = max(0, x + rec(h'));  S = H(h - theta)
 *
 * x comes from a linear layer before it. The recurrence reads h: one-to-one with V = beta (the
 * default), or linear for a full matrix. No reset. Matches: snntorch.LeakyParallel, LeakyKernel. */
SNN__HD float snn__leaky_parallel_step1(float *s, const float *p, const float *x, snn__mode m)
{
    (void)m;
    s[0] = x[0] > 0.0f ? x[0] : 0.0f;
    return s[0] - p[0];
}
SNN__HD void snn__leaky_parallel_grad1(float *ds, float *dp, float *dx, const float *s,
                                       const float *p, const float *x, float dd, snn__mode m)
{
    (void)s;
    (void)p;
    (void)m;
    dp[0] -= dd;
    dx[0] = x[0] > 0.0f ? ds[0] + dd : 0.0f;
    ds[0] = 0.0f; /* what h gave to the next step went through the recurrence */
}
SNN__NEURON_LOOPS(leaky_parallel, 1, 1, 1)
static const snn_neuron_def snn__leaky_parallel_def = {
    "leaky_parallel", "parallel", "Rectified recurrent layer, thresholded", 1, 1, {"h"},
    {SNN__THETA}, SNN_RESET_NONE, SNN__RUN(leaky_parallel), 0, 1, 1, SNN_RECURRENCE_ONE_TO_ONE,
    snn__no_reset_resolve, SNN__NO_DERIVED, SNN__NO_JUMP, &snn__leaky_parallel_wide};

/* -- ALIF: Leaky whose threshold rises with each of its spikes and relaxes (LSNN)
 *
 *   R = H(U - theta - kappa A');  A = rho A' + R;  V as Leaky's with R;  S = H(V - theta - kappa A)
 *   backward: gA = dA - kappa ddrive;  dkappa = -A ddrive;  drho = gA A';  dA' = rho gA;  the rest
 *   as Leaky
 *
 * The spike of the last step raises the threshold now. custom[2] is rho (0.97), custom[3] kappa
 * (0.2). Source: Bellec et al., Long short-term memory and learning-to-learn in networks of spiking
 * neurons, NeurIPS 2018. */
enum { SNN__ALIF_BETA = 1, SNN__ALIF_RHO, SNN__ALIF_KAPPA };
SNN__HD float snn__alif_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    const float theta = p[0], kappa = p[SNN__ALIF_KAPPA], u = s[0];
    const float r = snn__reset_indicator(u, theta + kappa * s[1], m.equal);
    s[1] = snn__flush(p[SNN__ALIF_RHO] * s[1] + r);
    s[0] = snn__flush(p[SNN__ALIF_BETA] * ((1.0f - m.zero * r) * u) + x[0] - m.sub * r * theta);
    return s[0] - theta - kappa * s[1];
}
SNN__HD void snn__alif_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                             const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float theta = p[0], rho = p[SNN__ALIF_RHO], kappa = p[SNN__ALIF_KAPPA], u = s[0];
    const float r = snn__reset_indicator(u, theta + kappa * s[1], m.equal);
    const float k = 1.0f - m.zero * r, g = ds[0] + dd, ga = ds[1] - kappa * dd;
    (void)x;
    dp[0] -= dd + m.sub * r * g;
    dp[SNN__ALIF_BETA] += g * k * u;
    dp[SNN__ALIF_RHO] += ga * s[1];
    dp[SNN__ALIF_KAPPA] -= dd * (rho * s[1] + r);
    ds[0] = p[SNN__ALIF_BETA] * k * g;
    ds[1] = rho * ga;
    dx[0] = g;
}
SNN__NEURON_LOOPS(alif, 2, 4, 1)
static const snn_neuron_def snn__alif_def = {
    "alif", "alif", "Adaptive-threshold leaky integrate-and-fire", 2, 4, {"mem", "adaptation"},
    {SNN__THETA, SNN__BETA, SNN__CUSTOM("rho", 0.97f, SNN_PARAM_CLAMP01),
     SNN__CUSTOM("kappa", 0.2f, 0)}, SNN_RESET_SUBTRACT, SNN__RUN(alif), SNN__USUAL,
    SNN__NO_DERIVED, SNN__NO_JUMP, &snn__alif_wide};

/* -- LIF, IF, LI: as other frameworks write them, with the reset in the spike's own step
 *
 *   open = 1, but 0 for `refractory` steps after a spike
 *   V = rest + b (U - rest) + open g x;   h = open H(V - theta)
 *   U = V - h theta (subtract),  V + h (reset - V) (zero, the default),  V (none)
 *
 * b = clamp(beta); g is input_gain (1; with decay_input 1 - beta); rest v_rest, reset v_reset, both
 * 0 unless given. The membrane starts at rest + v_start. Gradients flow through the reset unless
 * detach_reset; >= is fire_at_threshold; membrane_before_reset reports V instead of U.
 *   spikingjelly IFNode, LIFNode(tau, v_reset)   v_rest = v_reset, beta = 1 - 1/tau, decay_input,
 *                                                fire_at_threshold; v_reset None: SUBTRACT
 *   spikingtorch IF, LIF(tau)  beta = exp(-1/tau), input_gain = tau (1 - beta); LIF(decay): beta
 *   n3ml SoftIF, BatchIF       beta 1, SUBTRACT or ZERO, fire_at_threshold; there BatchIF resets a
 *                              membrane exactly on the threshold silently, and LIF1d never resets
 *   n3ml LIF                   beta = exp(-dt/tau), v_rest, v_reset, refractory, fire_at_threshold
 *   Wu (STBP)                  beta 0.2, threshold 0.5, surrogate boxcar
 *   NIR LIF                    beta = 1 - dt/tau, input_gain = r dt/tau, v_rest = v_leak
 * IF is LIF with b = 1. LI never spikes: its output is its membrane, a readout or a synapse's
 * filter. Source: Gerstner et al., Neuronal Dynamics, 2014, 1.3; Fang et al., SpikingJelly,
 * 2023. */
enum { SNN__LIF_BETA = 1, SNN__LIF_GAIN, SNN__LIF_REST, SNN__LIF_RESET, SNN__LIF_REFRACTORY,
       SNN__LIF_START, SNN__LIF_PARAMS };
SNN__HD float snn__lif_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    const float rest = p[SNN__LIF_REST], open = s[1] > 0.0f ? 0.0f : 1.0f;
    const float v = rest + p[SNN__LIF_BETA] * (s[0] - rest) + open * p[SNN__LIF_GAIN] * x[0];
    (void)m;
    s[0] = snn__flush(v);
    s[1] = s[1] > 1.0f ? s[1] - 1.0f : 0.0f;
    return open * (s[0] - p[0]) - (1.0f - open);
}
SNN__HD void snn__lif_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                            const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float beta = p[SNN__LIF_BETA], open = s[1] > 0.0f ? 0.0f : 1.0f;
    const float g = ds[0] + open * dd;
    (void)m;
    dp[0] -= open * dd;
    dp[SNN__LIF_BETA] += g * (s[0] - p[SNN__LIF_REST]);
    dp[SNN__LIF_GAIN] += g * open * x[0];
    ds[0] = beta * g;
    ds[1] = 0.0f;
    dx[0] = open * p[SNN__LIF_GAIN] * g;
}
SNN__HD void snn__lif_jump1(float *s, const float *p, float h, snn__mode m)
{
    SNN__NO_CONTRACT
    s[0] += h * (m.zero * (p[SNN__LIF_RESET] - s[0]) - m.sub * p[0]);
    s[1] += h * (p[SNN__LIF_REFRACTORY] - s[1]);
}
SNN__HD float snn__lif_fall1(float *ds, float *dp, const float *s, const float *p, float h,
                             snn__mode m)
{
    SNN__NO_CONTRACT
    const float a = ds[0];
    dp[0] -= m.sub * h * a;
    dp[SNN__LIF_RESET] += m.zero * h * a;
    ds[0] = (1.0f - m.zero * h) * a;
    ds[1] = 0.0f;
    return a * (m.zero * (p[SNN__LIF_RESET] - s[0]) - m.sub * p[0]);
}
static void snn__lif_start(const snn_neuron_block *b)
{
    int i;
    for (i = 0; i < b->n; i++)
        b->state[0][i] = b->param[SNN__LIF_REST][i] + b->param[SNN__LIF_START][i];
}
static snn_status snn__lif_resolve(snn_neuron_desc *d)
{
    if (d->decay_input && d->input_gain == 0.0f)
        d->input_gain = 1.0f - snn__clamp(d->beta, 0.0f, 1.0f);
    d->no_reset_delay = 0;
    return d->refractory < 0.0f ? SNN_ERR_ARGUMENT : SNN_OK;
}
static snn_status snn__li_resolve(snn_neuron_desc *d)
{
    d->output_membrane = 1;
    snn__no_reset_resolve(d);
    return snn__lif_resolve(d);
}
SNN__JUMP_LOOPS(lif, 2, 7, 1)
SNN__SAME_FORMULA(if, lif)
SNN__SAME_FORMULA(li, lif)
#define SNN__LIF_DEF(name, prefix, title, beta, reset, resolve)                                    \
    {                                                                                              \
        name, prefix, title, 2, 7, {"mem", "refractory"},                                          \
            {SNN__THETA, beta,                                                                     \
             {"input_gain", 1.0f, (int)offsetof(snn_neuron_desc, input_gain), 0, 0},               \
             SNN__FIXED(v_rest, 0.0f),                                                             \
             {"v_reset", 0.0f, (int)offsetof(snn_neuron_desc, v_reset), 0, 0},                     \
             SNN__FIXED(refractory, 0.0f), SNN__FIXED(v_start, 0.0f)},                             \
            reset, SNN__RUN(lif), 1, 1, 0, SNN_RECURRENCE_NONE, resolve, SNN__NO_DERIVED,          \
            snn__lif_start, snn__lif_jump, snn__lif_fall, &snn__lif_wide                           \
    }
static const snn_neuron_def snn__lif_def =
    SNN__LIF_DEF("lif", "lif", "LIF that resets in the step of its spike", SNN__BETA,
                 SNN_RESET_ZERO, snn__lif_resolve);
static const snn_neuron_def snn__if_def =
    SNN__LIF_DEF("if", "if", "Integrate-and-fire", SNN__CUSTOM("beta", 1.0f, SNN_PARAM_FIXED),
                 SNN_RESET_ZERO, snn__lif_resolve);
static const snn_neuron_def snn__li_def =
    SNN__LIF_DEF("li", "li", "Leaky integrator, does not spike", SNN__BETA, SNN_RESET_NONE,
                 snn__li_resolve);
#undef SNN__LIF_DEF

/* -- CoarseLIF: LIF whose input in the step of a spike counts from the spike on
 *
 *   V = (1-S') (a U + b x) + S' c x,  a = exp(-1/tau), b = tau (1 - a), c = tau (1 - b);  S' the
 *   last spike
 *
 * c is b averaged over a uniform spike time within the step. As states: U = (1-S) V and S, which
 * the next step reads. Gradients flow through both. Matches: spikingtorch CoarseLIF (SpikingLayer).
 * Source: Yanguas-Gil, Coarse scale representation of spiking neural networks, 2020. */
enum { SNN__COARSE_TAU = 1, SNN__COARSE_A, SNN__COARSE_B, SNN__COARSE_C };
SNN__HD float snn__coarse_lif_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    const float gain = p[SNN__COARSE_B] + s[1] * (p[SNN__COARSE_C] - p[SNN__COARSE_B]);
    (void)m;
    s[0] = snn__flush(p[SNN__COARSE_A] * s[0] + gain * x[0]);
    return s[0] - p[0];
}
SNN__HD void snn__coarse_lif_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                                   const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float b = p[SNN__COARSE_B], c = p[SNN__COARSE_C], g = ds[0] + dd;
    (void)m;
    dp[0] -= dd;
    dp[SNN__COARSE_A] += g * s[0];
    dp[SNN__COARSE_B] += g * (1.0f - s[1]) * x[0];
    dp[SNN__COARSE_C] += g * s[1] * x[0];
    ds[0] = p[SNN__COARSE_A] * g;
    ds[1] = (c - b) * x[0] * g;
    dx[0] = (b + s[1] * (c - b)) * g;
}
SNN__HD void snn__coarse_lif_jump1(float *s, const float *p, float h, snn__mode m)
{
    (void)p;
    (void)m;
    s[0] *= 1.0f - h;
    s[1] = h;
}
SNN__HD float snn__coarse_lif_fall1(float *ds, float *dp, const float *s, const float *p, float h,
                                    snn__mode m)
{
    const float dh = ds[1] - s[0] * ds[0];
    (void)dp;
    (void)p;
    (void)m;
    ds[0] *= 1.0f - h;
    ds[1] = 0.0f;
    return dh;
}
static snn_status snn__coarse_lif_resolve(snn_neuron_desc *d)
{
    snn__no_reset_resolve(d);
    return d->tau > 0.0f ? SNN_OK : SNN_ERR_ARGUMENT;
}
static void snn__coarse_lif_derive(int n, float *const *p)
{
    int i;
    for (i = 0; i < n; i++) {
        const float tau = p[SNN__COARSE_TAU][i], a = SNN_EXPF(-1.0f / tau), b = tau * (1.0f - a);
        p[SNN__COARSE_A][i] = a;
        p[SNN__COARSE_B][i] = b;
        p[SNN__COARSE_C][i] = tau * (1.0f - b);
    }
}
static void snn__coarse_lif_underive(int n, const float *const *p, float *const *dp)
{
    int i;
    for (i = 0; i < n; i++) {
        const float tau = p[SNN__COARSE_TAU][i], a = p[SNN__COARSE_A][i];
        const float db = 1.0f - a - a / tau, dc = 1.0f - p[SNN__COARSE_B][i] - tau * db;
        dp[SNN__COARSE_TAU][i] += dp[SNN__COARSE_A][i] * a / (tau * tau) +
                                  dp[SNN__COARSE_B][i] * db + dp[SNN__COARSE_C][i] * dc;
    }
}
SNN__JUMP_LOOPS(coarse_lif, 2, 5, 1)
static const snn_neuron_def snn__coarse_lif_def = {
    "coarse_lif", "coarse", "LIF in coarse time steps", 2, 2, {"mem", "spike"},
    {SNN__THETA, SNN__TAU}, SNN_RESET_NONE, SNN__RUN(coarse_lif), 1, 1, 0, SNN_RECURRENCE_NONE,
    snn__coarse_lif_resolve, SNN__DERIVED(coarse_lif, 3), SNN__JUMP(coarse_lif),
    &snn__coarse_lif_wide};
#undef SNN__TAU

/* -- BioLIF: excitation and shunting inhibition, dv/dt = nudt (-v + xe (1-v) - xi v), solved over a
 * step
 *
 *   nu = 1 + xe + xi;  a = exp(-nudt nu);  V = a U + xe/nu (1 - a);  S = H(V - theta);  U = (1-S) V
 *
 * Two inputs a neuron, both not negative: all xe, then all xi. threshold is 0.5, custom[1] nudt
 * (0.5). a is a constant for the gradients of the inputs, as in the original; custom[2] = 1: no
 * longer. Matches: spikingtorch BioLIF. Source: the model's equation, solved exactly. */
enum { SNN__BIO_NUDT = 1, SNN__BIO_EXACT };
SNN__HD float snn__bio_lif_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    const float nu = 1.0f + x[0] + x[1], a = snn__exp1(-p[SNN__BIO_NUDT] * nu);
    (void)m;
    s[0] = snn__flush(s[0] * a + x[0] / nu * (1.0f - a));
    return s[0] - p[0];
}
SNN__HD void snn__bio_lif_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                                const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float nu = 1.0f + x[0] + x[1], a = snn__exp1(-p[SNN__BIO_NUDT] * nu), g = ds[0] + dd;
    const float da = g * (s[0] - x[0] / nu) * a, shared = -(1.0f - a) * x[0] / (nu * nu) * g -
                                                          p[SNN__BIO_EXACT] * p[SNN__BIO_NUDT] * da;
    (void)m;
    dp[0] -= dd;
    dp[SNN__BIO_NUDT] -= nu * da;
    ds[0] = a * g;
    dx[0] = shared + (1.0f - a) / nu * g;
    dx[1] = shared;
}
SNN__HD void snn__bio_lif_jump1(float *s, const float *p, float h, snn__mode m)
{
    (void)p;
    (void)m;
    s[0] *= 1.0f - h;
}
SNN__HD float snn__bio_lif_fall1(float *ds, float *dp, const float *s, const float *p, float h,
                                 snn__mode m)
{
    const float dh = -s[0] * ds[0];
    (void)dp;
    (void)p;
    (void)m;
    ds[0] *= 1.0f - h;
    return dh;
}
SNN__JUMP_LOOPS(bio_lif, 1, 3, 2)
static const snn_neuron_def snn__bio_lif_def = {
    "bio_lif", "bio", "LIF with shunting inhibition", 1, 3, {"mem"},
    {SNN__PARAM(threshold, 0.5f, 0), SNN__CUSTOM("nudt", 0.5f, 0),
     SNN__CUSTOM("exact", 0.0f, SNN_PARAM_FIXED)}, SNN_RESET_NONE, SNN__RUN(bio_lif), 0, 2, 0,
    SNN_RECURRENCE_NONE, snn__no_reset_resolve, SNN__NO_DERIVED, SNN__JUMP(bio_lif),
    &snn__bio_lif_wide};

/* -- McPitts: no memory, V = x;  S = H(x - theta)
 * Matches: spikingtorch McPitts; n3ml Wu with threshold 0.5 and a boxcar. Source: McCulloch, Pitts,
 * A Logical Calculus of the Ideas Immanent in Nervous Activity, 1943. */
SNN__HD float snn__mcpitts_step1(float *s, const float *p, const float *x, snn__mode m)
{
    (void)m;
    s[0] = x[0];
    return x[0] - p[0];
}
SNN__HD void snn__mcpitts_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                                const float *x, float dd, snn__mode m)
{
    (void)s;
    (void)p;
    (void)x;
    (void)m;
    dp[0] -= dd;
    dx[0] = ds[0] + dd;
    ds[0] = 0.0f;
}
SNN__NEURON_LOOPS(mcpitts, 1, 1, 1)
static const snn_neuron_def snn__mcpitts_def = {
    "mcpitts", "mcpitts", "Threshold unit without memory", 1, 1, {"mem"}, {SNN__THETA},
    SNN_RESET_NONE, SNN__RUN(mcpitts), 0, 1, 0, SNN_RECURRENCE_NONE, snn__no_reset_resolve,
    SNN__NO_DERIVED, SNN__NO_JUMP, &snn__mcpitts_wide};

/* -- SoftLIF: the firing rate of a LIF as a smooth function of its current; does not spike
 *
 *   y = gain x + bias - theta;  q = sigma ln(1 + exp(y/sigma));
 *   V = amplitude/(tau_ref + tau_rc ln(1 + theta/q))
 *   dV/dx = gain sig(y/sigma) V^2/amplitude tau_rc theta/(q (q + theta))
 *   both 0 where ln q < -88.7: 1/q would be no float
 *
 * theta is the field threshold (1); custom[1..6]: gain (1), bias (0), sigma (0.02), tau_ref
 * (0.001), tau_rc (0.05), amplitude (0.063). n3ml leaves the threshold out of y: bias = 1. Matches:
 * n3ml SoftLIF. Source: Hunsberger, Eliasmith, Spiking Deep Networks with LIF Neurons, 2015. */
enum { SNN__SOFT_GAIN = 1, SNN__SOFT_BIAS, SNN__SOFT_SIGMA, SNN__SOFT_REF, SNN__SOFT_RC,
       SNN__SOFT_AMPLITUDE };
SNN__HD float snn__soft_lif_rate1(float *slope, const float *p, float x)
{
    SNN__NO_CONTRACT
    const float y = (p[SNN__SOFT_GAIN] * x + p[SNN__SOFT_BIAS] - p[0]) / p[SNN__SOFT_SIGMA];
    const float e = snn__exp1(-SNN_FABSF(y)), l = 1.0f + e, over = (y > 0.0f ? 1.0f : e) / l;
    const float small = snn__log1(l) * (e / (l - 1.0f)); /* ln(1 + e), but for l = 1 */
    const float q = p[SNN__SOFT_SIGMA] * ((y > 0.0f ? y : 0.0f) + (l == 1.0f ? e : small));
    /* ln q and sig(y)/q, where l rounds to 1 without q */
    const float lnq = l == 1.0f && y < 0.0f ? y + snn__log1(p[SNN__SOFT_SIGMA]) : snn__log1(q);
    const float over_q = l == 1.0f && y < 0.0f ? 1.0f / p[SNN__SOFT_SIGMA] : over / q;
    const float rate = p[SNN__SOFT_AMPLITUDE] /
                       (p[SNN__SOFT_REF] + p[SNN__SOFT_RC] * (snn__log1(q + p[0]) - lnq));
    const float rise = p[SNN__SOFT_GAIN] * over_q * rate * rate / p[SNN__SOFT_AMPLITUDE] *
                       p[SNN__SOFT_RC] * p[0] / (q + p[0]);
    const int silent = lnq < -88.7f;
    *slope = silent ? 0.0f : rise;
    return silent ? 0.0f : rate;
}
SNN__HD float snn__soft_lif_step1(float *s, const float *p, const float *x, snn__mode m)
{
    float slope;
    (void)m;
    s[0] = snn__soft_lif_rate1(&slope, p, x[0]);
    return -1.0f;
}
SNN__HD void snn__soft_lif_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                                 const float *x, float dd, snn__mode m)
{
    float slope;
    (void)dp;
    (void)s;
    (void)dd;
    (void)m;
    snn__soft_lif_rate1(&slope, p, x[0]);
    dx[0] = slope * ds[0];
    ds[0] = 0.0f;
}
static snn_status snn__soft_lif_resolve(snn_neuron_desc *d)
{
    d->output_membrane = 1;
    return snn__no_reset_resolve(d);
}
SNN__NEURON_LOOPS(soft_lif, 1, 7, 1)
static const snn_neuron_def snn__soft_lif_def = {
    "soft_lif", "soft_lif", "Smooth rate of a LIF", 1, 7, {"rate"},
    {SNN__FIXED(threshold, 1.0f), SNN__CUSTOM("gain", 1.0f, SNN_PARAM_FIXED),
     SNN__CUSTOM("bias", 0.0f, SNN_PARAM_FIXED), SNN__CUSTOM("sigma", 0.02f, SNN_PARAM_FIXED),
     SNN__CUSTOM("tau_ref", 0.001f, SNN_PARAM_FIXED),
     SNN__CUSTOM("tau_rc", 0.05f, SNN_PARAM_FIXED),
     SNN__CUSTOM("amplitude", 0.063f, SNN_PARAM_FIXED)}, SNN_RESET_NONE, SNN__RUN(soft_lif), 0, 1,
    0, SNN_RECURRENCE_NONE, snn__soft_lif_resolve, SNN__NO_DERIVED, SNN__NO_JUMP,
    &snn__soft_lif_wide};

/* -- Izhikevich: two variables, and most firing patterns of the cortex
 *
 *   v += (0.04 v^2 + 5 v + 140 - u + x)/2, twice;  u += a (b v - u)      a step is 1 ms, v in mV
 *   spike where v > threshold (30):  v = c,  u += d
 *
 * custom[1..4]: a (0.02), b (0.2), c (-65), d (8): regular spiking. Starts at v = -65, u = -13.
 * Integrated in the order of the published program; membrane_before_reset shows the spikes' peaks.
 * Not with inhibition: a neuron that may not spike is not reset and grows without bound.
 * Source: Izhikevich, Simple Model of Spiking Neurons, IEEE Trans. Neural Networks 2003. */
enum { SNN__IZHIKEVICH_A = 1, SNN__IZHIKEVICH_B, SNN__IZHIKEVICH_C, SNN__IZHIKEVICH_D };
SNN__HD float snn__izhikevich_half1(float v, float u, float x)
{
    SNN__NO_CONTRACT
    return v + 0.5f * (0.04f * v * v + 5.0f * v + 140.0f - u + x);
}
SNN__HD float snn__izhikevich_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    const float u = s[1], v = snn__izhikevich_half1(snn__izhikevich_half1(s[0], u, x[0]), u, x[0]);
    (void)m;
    s[0] = v;
    s[1] = u + p[SNN__IZHIKEVICH_A] * (p[SNN__IZHIKEVICH_B] * v - u);
    return v - p[0];
}
SNN__HD void snn__izhikevich_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                                   const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float a = p[SNN__IZHIKEVICH_A], b = p[SNN__IZHIKEVICH_B], u = s[1], gu = ds[1];
    const float v1 = snn__izhikevich_half1(s[0], u, x[0]), v2 = snn__izhikevich_half1(v1, u, x[0]);
    const float g2 = ds[0] + dd + a * b * gu, g1 = g2 * (3.5f + 0.04f * v1);
    (void)m;
    dp[0] -= dd;
    dp[SNN__IZHIKEVICH_A] += gu * (b * v2 - u);
    dp[SNN__IZHIKEVICH_B] += gu * a * v2;
    ds[0] = g1 * (3.5f + 0.04f * s[0]);
    ds[1] = (1.0f - a) * gu - 0.5f * (g1 + g2);
    dx[0] = 0.5f * (g1 + g2);
}
SNN__HD void snn__izhikevich_jump1(float *s, const float *p, float h, snn__mode m)
{
    SNN__NO_CONTRACT
    (void)m;
    s[0] += h * (p[SNN__IZHIKEVICH_C] - s[0]);
    s[1] += h * p[SNN__IZHIKEVICH_D];
}
SNN__HD float snn__izhikevich_fall1(float *ds, float *dp, const float *s, const float *p, float h,
                                    snn__mode m)
{
    SNN__NO_CONTRACT
    const float a = ds[0];
    (void)m;
    dp[SNN__IZHIKEVICH_C] += h * a;
    dp[SNN__IZHIKEVICH_D] += h * ds[1];
    ds[0] = (1.0f - h) * a;
    return a * (p[SNN__IZHIKEVICH_C] - s[0]) + ds[1] * p[SNN__IZHIKEVICH_D];
}
static void snn__izhikevich_start(const snn_neuron_block *b)
{
    int i;
    for (i = 0; i < b->n; i++) {
        b->state[0][i] = -65.0f;
        b->state[1][i] = -13.0f;
    }
}
SNN__JUMP_LOOPS(izhikevich, 2, 5, 1)
static const snn_neuron_def snn__izhikevich_def = {
    "izhikevich", "izhikevich", "Izhikevich's two-variable neuron", 2, 5, {"v", "u"},
    {SNN__PARAM(threshold, 30.0f, 0), SNN__CUSTOM("a", 0.02f, 0), SNN__CUSTOM("b", 0.2f, 0),
     SNN__CUSTOM("c", -65.0f, 0), SNN__CUSTOM("d", 8.0f, 0)}, SNN_RESET_NONE,
    SNN__RUN(izhikevich), 0, 1, 0, SNN_RECURRENCE_NONE, snn__no_reset_resolve, SNN__NO_DERIVED,
    snn__izhikevich_start, snn__izhikevich_jump, snn__izhikevich_fall, &snn__izhikevich_wide};

/* -- AdEx: exponential integrate-and-fire with adaptation, in units of threshold over rest
 *
 *   V = U + (1-b) (D exp(min((U - theta)/D, 1)) - U - W) + x;   W' = W + (1-rho) (a U - W)
 *   spike where V > theta:  U = 0 (zero, the default) or V - theta (subtract),  W = W' + jump
 *
 * b = clamp(beta) is the membrane's decay; custom[2..5]: rho (0.97), the current's; a (0) couples
 * it to the membrane; jump (0.1); D (0.5), the sharpness of the upstroke. Source: Brette, Gerstner,
 * Adaptive Exponential Integrate-and-Fire Model, J. Neurophysiol. 2005, with E_L = 0. */
enum { SNN__ADEX_BETA = 1, SNN__ADEX_RHO, SNN__ADEX_A, SNN__ADEX_JUMP, SNN__ADEX_D };
SNN__HD float snn__adex_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    const float u = s[0], w = s[1], d = p[SNN__ADEX_D], z = (u - p[0]) / d;
    const float e = snn__exp1(z < 1.0f ? z : 1.0f);
    (void)m;
    s[0] = snn__flush(u + (1.0f - p[SNN__ADEX_BETA]) * (d * e - u - w) + x[0]);
    s[1] = snn__flush(w + (1.0f - p[SNN__ADEX_RHO]) * (p[SNN__ADEX_A] * u - w));
    return s[0] - p[0];
}
SNN__HD void snn__adex_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                             const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float u = s[0], w = s[1], d = p[SNN__ADEX_D], a = p[SNN__ADEX_A], z = (u - p[0]) / d;
    const float e = snn__exp1(z < 1.0f ? z : 1.0f), up = z < 1.0f ? e : 0.0f; /* d (D e)/dU */
    const float leak = 1.0f - p[SNN__ADEX_BETA], relax = 1.0f - p[SNN__ADEX_RHO];
    const float g = ds[0] + dd, gw = ds[1];
    (void)x;
    (void)m;
    dp[0] -= dd + leak * up * g;
    dp[SNN__ADEX_BETA] -= g * (d * e - u - w);
    dp[SNN__ADEX_RHO] -= gw * (a * u - w);
    dp[SNN__ADEX_A] += gw * relax * u;
    dp[SNN__ADEX_D] += g * leak * (e - up * z);
    ds[0] = g * (1.0f + leak * (up - 1.0f)) + gw * relax * a;
    ds[1] = gw * (1.0f - relax) - g * leak;
    dx[0] = g;
}
SNN__HD void snn__adex_jump1(float *s, const float *p, float h, snn__mode m)
{
    SNN__NO_CONTRACT
    s[0] -= h * (m.zero * s[0] + m.sub * p[0]);
    s[1] += h * p[SNN__ADEX_JUMP];
}
SNN__HD float snn__adex_fall1(float *ds, float *dp, const float *s, const float *p, float h,
                              snn__mode m)
{
    SNN__NO_CONTRACT
    const float a = ds[0];
    dp[0] -= m.sub * h * a;
    dp[SNN__ADEX_JUMP] += h * ds[1];
    ds[0] = (1.0f - m.zero * h) * a;
    return ds[1] * p[SNN__ADEX_JUMP] - a * (m.zero * s[0] + m.sub * p[0]);
}
static snn_status snn__adex_resolve(snn_neuron_desc *d)
{
    d->no_reset_delay = 0;
    return d->custom[SNN__ADEX_D] < 0.0f ? SNN_ERR_ARGUMENT : SNN_OK;
}
SNN__JUMP_LOOPS(adex, 2, 6, 1)
static const snn_neuron_def snn__adex_def = {
    "adex", "adex", "Adaptive exponential integrate-and-fire", 2, 6, {"mem", "adaptation"},
    {SNN__THETA, SNN__BETA, SNN__CUSTOM("rho", 0.97f, SNN_PARAM_CLAMP01),
     SNN__CUSTOM("a", 0.0f, 0), SNN__CUSTOM("jump", 0.1f, 0), SNN__CUSTOM("sharpness", 0.5f, 0)},
    SNN_RESET_ZERO, SNN__RUN(adex), 0, 1, 0, SNN_RECURRENCE_NONE, snn__adex_resolve,
    SNN__NO_DERIVED, SNN__JUMP(adex), &snn__adex_wide};

/* -- ReLU: V = max(x, 0), the activation of an ordinary net; no memory, does not spike. For nets
 * that are trained first and converted then (snn_net_convert). A recurrence reads V. The drive is
 * positive on one side of the kink, so that gradient checks see when x crosses it. */
SNN__HD float snn__relu_step1(float *s, const float *p, const float *x, snn__mode m)
{
    (void)p;
    (void)m;
    s[0] = x[0] > 0.0f ? x[0] : 0.0f;
    return x[0];
}
SNN__HD void snn__relu_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                             const float *x, float dd, snn__mode m)
{
    (void)dp;
    (void)s;
    (void)p;
    (void)dd;
    (void)m;
    dx[0] = x[0] > 0.0f ? ds[0] : 0.0f;
    ds[0] = 0.0f;
}
static snn_status snn__activation_resolve(snn_neuron_desc *d)
{
    d->output_membrane = 1;
    return snn__no_reset_resolve(d);
}
SNN__NEURON_LOOPS(relu, 1, 1, 1)
static const snn_neuron_def snn__relu_def = {
    "relu", "relu", "Rectifier, does not spike", 1, 1, {"value"}, {SNN__FIXED(threshold, 1.0f)},
    SNN_RESET_NONE, SNN__RUN(relu), 0, 1, 1, SNN_RECURRENCE_NONE, snn__activation_resolve,
    SNN__NO_DERIVED, SNN__NO_JUMP, &snn__relu_wide};

/* -- QCFS: quantised clip-floor-shift, the rate of an IF neuron after L steps, for training
 *
 *   V = lam clip(floor(x L/lam + 1/2)/L, 0, 1);  lam the threshold, custom[1] L, the levels (8)
 *   dV/dx   = 1 for -h < x < lam - h, h = lam/(2L), else 0; through the floor as if it were not
 *   dV/dlam = (V - x)/lam there, 0 below, 1 above
 *
 * custom[2] = 1: 0 <= x <= lam instead, as the public program has it, which clamps first. lam is
 * trained with learn_threshold; it is taken as at least 1e-6. Source: Bu et al., Optimal ANN-SNN
 * Conversion for High-accuracy and Ultra-low-latency Spiking Neural Networks, ICLR 2022. */
enum { SNN__QCFS_LEVELS = 1, SNN__QCFS_CLAMP };
SNN__HD float snn__qcfs_lambda1(const float *p) { return p[0] > 1e-6f ? p[0] : 1e-6f; }
SNN__HD float snn__qcfs_value1(const float *p, float x)
{
    SNN__NO_CONTRACT
    const float lambda = snn__qcfs_lambda1(p), levels = p[SNN__QCFS_LEVELS];
    const float u = x * levels / lambda + 0.5f;
    const float up = u > 0.0f ? (u < levels ? u : levels) : 0.0f; /* of NaN, too: it is cast */
    return lambda * ((float)(int)up / levels); /* of what is not negative a cast is the floor */
}
SNN__HD float snn__qcfs_low1(const float *p) /* where the gradient starts to pass; it ends lam on */
{
    SNN__NO_CONTRACT
    return (p[SNN__QCFS_CLAMP] != 0.0f ? 0.0f : -0.5f) * snn__qcfs_lambda1(p) /
           p[SNN__QCFS_LEVELS];
}
SNN__HD float snn__qcfs_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    const float low = snn__qcfs_low1(p);
    (void)m;
    s[0] = snn__qcfs_value1(p, x[0]);
    return (x[0] - low) * (snn__qcfs_lambda1(p) + low - x[0]);
}
SNN__HD void snn__qcfs_grad1(float *ds, float *dp, float *dx, const float *s, const float *p,
                             const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float lambda = snn__qcfs_lambda1(p), low = snn__qcfs_low1(p), z = x[0], g = ds[0];
    const float closed = p[SNN__QCFS_CLAMP] != 0.0f ? 1.0f : 0.0f, up = lambda + low;
    const float from = (z > low ? 1.0f : 0.0f) + (z == low ? closed : 0.0f);
    const float pass = from * ((z < up ? 1.0f : 0.0f) + (z == up ? closed : 0.0f));
    const float in = snn__clamp(z, low, up), slope = (snn__qcfs_value1(p, in) - in) / lambda;
    (void)s;
    (void)dd;
    (void)m;
    dp[0] += g * (pass * slope + (1.0f - pass) * from);
    dx[0] = pass * g;
    ds[0] = 0.0f;
}
static snn_status snn__qcfs_resolve(snn_neuron_desc *d)
{
    const float levels = d->custom[SNN__QCFS_LEVELS];
    snn__activation_resolve(d);
    if (levels == 0.0f || (levels >= 1.0f && levels <= 16777216.0f)) return SNN_OK;
    return SNN_ERR_ARGUMENT;
}
SNN__NEURON_LOOPS(qcfs, 1, 3, 1)
static const snn_neuron_def snn__qcfs_def = {
    "qcfs", "qcfs", "Quantised clip-floor-shift, does not spike", 1, 3, {"value"},
    {SNN__THETA, SNN__CUSTOM("levels", 8.0f, SNN_PARAM_FIXED),
     SNN__CUSTOM("clamp_first", 0.0f, SNN_PARAM_FIXED)}, SNN_RESET_NONE, SNN__RUN(qcfs), 0, 1, 1,
    SNN_RECURRENCE_NONE, snn__qcfs_resolve, SNN__NO_DERIVED, SNN__NO_JUMP, &snn__qcfs_wide};

/* -- ConductanceLIF: excitation and inhibition as conductances that decay
 *
 *   e = E' + xe;  n = N' + xi                  conductances, in units of the leak's
 *   D = (rest - U) + e (E_exc - U) + n (E_inh - U);  G = 1 + e + n
 *   V = U + rate D                             Euler, rate = dt/tau
 *   V = U + (1 - exp(-rate G))/G D             exponential = 1: exact while e and n stand still,
 *                                              and stable where rate G is above 1
 *   E = e decay_exc;  N = n decay_inh
 *   S = H(V - theta):  V = v_reset, held there for `refractory` steps without integration or spike
 *
 * Two inputs a neuron: all xe, then all xi. Defaults: the excitatory neurons of Diehl and Cook in
 * steps of 0.5 ms, mV: threshold -52, v_rest -65, v_reset -65, refractory 10 (a negative one: 0),
 * custom[1..6]: rate (0.5/100), exponential (0), E_exc (0), E_inh (-100), decay_exc exp(-0.5/1),
 * decay_inh exp(-0.5/2). Their inhibitory ones: threshold -40, v_rest -60, v_reset -45, refractory
 * 4, rate 0.5/10, E_inh -85. The membrane starts at rest. For a threshold that adapts point the
 * model's param[0] at what snn_homeostasis keeps.
 * Source: Diehl, Cook, Unsupervised Learning of Digit Recognition Using Spike-Timing-Dependent
 * Plasticity, 2015. */
enum { SNN__COND_RATE = 1, SNN__COND_EXPONENTIAL, SNN__COND_E_EXC, SNN__COND_E_INH,
       SNN__COND_DECAY_EXC, SNN__COND_DECAY_INH, SNN__COND_REST, SNN__COND_RESET,
       SNN__COND_REFRACTORY };
SNN__HD float snn__conductance_lif_step1(float *s, const float *p, const float *x, snn__mode m)
{
    SNN__NO_CONTRACT
    const float open = s[3] > 0.0f ? 0.0f : 1.0f, e = s[1] + x[0], n = s[2] + x[1];
    const float d = (p[SNN__COND_REST] - s[0]) + e * (p[SNN__COND_E_EXC] - s[0]) +
                    n * (p[SNN__COND_E_INH] - s[0]), g = 1.0f + e + n, rate = p[SNN__COND_RATE];
    const float k = p[SNN__COND_EXPONENTIAL] != 0.0f ? (1.0f - snn__exp1(-rate * g)) / g : rate;
    (void)m;
    s[0] = snn__flush(open > 0.0f ? s[0] + k * d : p[SNN__COND_RESET]);
    s[1] = snn__flush(e * p[SNN__COND_DECAY_EXC]);
    s[2] = snn__flush(n * p[SNN__COND_DECAY_INH]);
    s[3] = s[3] > 1.0f ? s[3] - 1.0f : 0.0f;
    return open * (s[0] - p[0]) - (1.0f - open);
}
SNN__HD void snn__conductance_lif_grad1(float *ds, float *dp, float *dx, const float *s,
                                        const float *p, const float *x, float dd, snn__mode m)
{
    SNN__NO_CONTRACT
    const float open = s[3] > 0.0f ? 0.0f : 1.0f, e = s[1] + x[0], n = s[2] + x[1];
    const float up = p[SNN__COND_E_EXC] - s[0], down = p[SNN__COND_E_INH] - s[0];
    const float d = (p[SNN__COND_REST] - s[0]) + e * up + n * down, g = 1.0f + e + n;
    const float rate = p[SNN__COND_RATE], exact = p[SNN__COND_EXPONENTIAL] != 0.0f ? 1.0f : 0.0f;
    const float a = exact > 0.0f ? snn__exp1(-rate * g) : 1.0f; /* dk/drate */
    const float k = exact > 0.0f ? (1.0f - a) / g : rate, dk = exact * (rate * a - k) / g;
    const float gv = open * (ds[0] + dd);
    (void)m;
    dp[0] -= open * dd;
    dp[SNN__COND_RATE] += gv * a * d;
    dp[SNN__COND_E_EXC] += gv * k * e;
    dp[SNN__COND_E_INH] += gv * k * n;
    dp[SNN__COND_DECAY_EXC] += ds[1] * e;
    dp[SNN__COND_DECAY_INH] += ds[2] * n;
    dp[SNN__COND_RESET] += (1.0f - open) * ds[0];
    ds[0] = gv * (1.0f - k * g);
    dx[0] = ds[1] = ds[1] * p[SNN__COND_DECAY_EXC] + gv * (k * up + dk * d);
    dx[1] = ds[2] = ds[2] * p[SNN__COND_DECAY_INH] + gv * (k * down + dk * d);
    ds[3] = 0.0f;
}
SNN__HD void snn__conductance_lif_jump1(float *s, const float *p, float h, snn__mode m)
{
    SNN__NO_CONTRACT
    (void)m;
    s[0] += h * (p[SNN__COND_RESET] - s[0]);
    s[3] += h * (p[SNN__COND_REFRACTORY] - s[3]);
}
SNN__HD float snn__conductance_lif_fall1(float *ds, float *dp, const float *s, const float *p,
                                         float h, snn__mode m)
{
    SNN__NO_CONTRACT
    const float a = ds[0];
    (void)m;
    dp[SNN__COND_RESET] += h * a;
    ds[0] = (1.0f - h) * a;
    ds[3] = 0.0f;
    return a * (p[SNN__COND_RESET] - s[0]);
}
static void snn__conductance_lif_start(const snn_neuron_block *b)
{
    memcpy(b->state[0], b->param[SNN__COND_REST], (size_t)b->n * sizeof(float));
}
SNN__JUMP_LOOPS(conductance_lif, 4, 10, 2)
static const snn_neuron_def snn__conductance_lif_def = {
    "conductance_lif", "cond", "LIF with excitatory and inhibitory conductances", 4, 10,
    {"mem", "g_exc", "g_inh", "refractory"},
    {SNN__PARAM(threshold, -52.0f, 0), SNN__CUSTOM("rate", 0.005f, 0),
     SNN__CUSTOM("exponential", 0.0f, SNN_PARAM_FIXED), SNN__CUSTOM("E_exc", 0.0f, 0),
     SNN__CUSTOM("E_inh", -100.0f, 0),
     SNN__CUSTOM("decay_exc", 0.60653066f, SNN_PARAM_CLAMP01),
     SNN__CUSTOM("decay_inh", 0.77880078f, SNN_PARAM_CLAMP01),
     SNN__FIXED(v_rest, -65.0f),
     {"v_reset", -65.0f, (int)offsetof(snn_neuron_desc, v_reset), 0, 0},
     SNN__FIXED(refractory, 10.0f)},
    SNN_RESET_NONE, SNN__RUN(conductance_lif), 1, 2, 0, SNN_RECURRENCE_NONE,
    snn__no_reset_resolve, SNN__NO_DERIVED, snn__conductance_lif_start,
    snn__conductance_lif_jump, snn__conductance_lif_fall, &snn__conductance_lif_wide};

#undef SNN__PARAM
#undef SNN__FIXED
#undef SNN__CUSTOM
#undef SNN__THETA
#undef SNN__BETA
#undef SNN__RUN
#undef SNN__USUAL
#undef SNN__NO_DERIVED
#undef SNN__DERIVED
#undef SNN__NO_JUMP
#undef SNN__JUMP

/* -- the registry */

static const snn_neuron_def *const snn__neuron_table[] = {
#define SNN__X(id, name) &snn__##name##_def,
    SNN_NEURON_LIST(SNN__X)
#undef SNN__X
};

SNN_DEF const snn_neuron_def *snn_neuron_info(snn_neuron_kind kind)
{
    return (int)kind >= 0 && kind < SNN_NEURON_COUNT ? snn__neuron_table[kind] : NULL;
}

/* -- what all neurons share */

/* A neuron as the engine runs it: functions chosen, modes as numbers. */
typedef struct snn__neuron {
    const snn_neuron_def *def;
    void (*step)(const snn_neuron_block *);
    void (*grad)(const snn_neuron_block *);
    snn_surrogate surrogate;
    float sub, zero, equal;
    int immediate, inhibition, smooth, wide, detach;
    const float *levels; /* quantised states: the levels, ascending */
    int level_count;
} snn__neuron;

static void snn__neuron_setup(snn__neuron *q, const snn_neuron_def *def, const snn_neuron_desc *d,
                              const snn_surrogate *surrogate, int smooth, int wide)
{
    snn_reset reset = d->reset == SNN_RESET_DEFAULT ? def->reset : d->reset;
    q->def = def;
    q->step = def->step;
    q->grad = def->grad;
    q->surrogate = *surrogate;
    q->sub = reset == SNN_RESET_SUBTRACT ? 1.0f : 0.0f;
    q->zero = reset == SNN_RESET_ZERO ? 1.0f : 0.0f;
    q->equal = d->fire_at_threshold ? 1.0f : 0.0f;
    q->immediate = d->no_reset_delay && reset != SNN_RESET_NONE;
    q->inhibition = d->inhibition;
    q->smooth = smooth;
    q->wide = wide;
    q->detach = d->detach_reset;
    q->levels = NULL;
    q->level_count = 0;
    if (wide && def->wide) {
        q->step = def->wide->step[wide - 1];
        q->grad = def->wide->grad[wide - 1];
    }
}

/* the furthest above threshold, the first among equals */
static int snn__winner(const float *drive, int n)
{
    int i, w = 0;
    for (i = 1; i < n; i++)
        if (drive[i] > drive[w]) w = i;
    return w;
}

/* What an emitted spike does at once to the candidate membrane V = u[i], with reset_delay = False:
 *   D = h - R;  subtract: U = V - D theta;  zero: U = V - D V
 * h: the spike (0, 1, or smooth), prev: the membrane before the step, which gives R. */
static void snn__immediate_reset(const snn__neuron *q, int n, float *u, const float *prev,
                                 const float *h, const float *theta)
{
    const float sub = q->sub, zero = q->zero, equal = q->equal;
    int i;
    SNN__INDEPENDENT
    for (i = 0; i < n; i++) {
        const float d = h[i] - snn__reset_indicator(prev[i], theta[i], equal);
        u[i] -= d * (sub * theta[i] + zero * u[i]);
    }
}

/* h[i] = the spike before grading: a step of the drive, or the surrogate's primitive in smooth
 * nets; with inhibition zero for all but the winner, which may lie outside these n. */
static void snn__fire(const snn__neuron *q, int n, const float *drive, const float *noise, float *h,
                      int winner)
{
    const float equal = q->equal;
    int i;
    if (q->smooth) snn_surrogate_primitive(&q->surrogate, n, drive, noise, h);
    else {
        SNN__INDEPENDENT
        for (i = 0; i < n; i++) h[i] = snn__reset_indicator(drive[i], 0.0f, equal);
    }
    for (i = 0; q->inhibition && i < n; i++)
        if (i != winner) h[i] = 0.0f;
}

SNN_DEF void snn_quantise(const float *levels, int count, int n, float *x)
{
    int i, lo, hi;
    for (i = 0; i < n; i++) {
        for (lo = 0, hi = count - 1; hi - lo > 1;) {
            const int m = (lo + hi) / 2;
            if (levels[m] <= x[i]) lo = m;
            else hi = m;
        }
        x[i] = x[i] - levels[lo] <= levels[hi] - x[i] ? levels[lo] : levels[hi];
    }
}

/* Exponential: below the centre c, gaps m^0, m^1, ... from lo on; above it m^(M-1), ..., m^0 up to
 * hi; each side scaled to fill its range. The centre itself is no level. */
SNN_DEF int snn_quant_levels(const snn_quant *q, float *levels)
{
    static const double base[8] = {0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.925, 0.95};
    const double threshold = q->threshold == 0.0f ? 1.0 : (double)q->threshold;
    const double lower = (double)q->lower,
                 upper = q->set_limits || q->upper != 0.0f ? (double)q->upper : 0.2;
    const double lo = -threshold * (1.0 + lower), hi = threshold * (1.0 + upper),
                 c = q->centre_zero ? 0.0 : threshold;
    int n, j, below;
    double m, sum, gap, at, share;
    if (q->bits < 1 || q->bits > 16) return SNN_ERR_ARGUMENT;
    n = 1 << q->bits;
    if (!levels) return n;
    if (!q->exponential) {
        for (j = 0; j < n; j++) levels[j] = (float)(lo + (hi - lo) * j / (n - 1));
        return n;
    }
    m = q->multiplier != 0.0f ? (double)q->multiplier : base[q->bits < 8 ? q->bits - 1 : 7];
    share = (c - lo) / (hi - lo); /* c may be beyond them */
    below = !(share > 0.0) ? 0 : share < 1.0 ? (int)(n * share) : n;
    for (sum = 0, gap = 1, j = 0; j < below; j++, gap *= m) sum += gap;
    for (at = lo, gap = 1, j = 0; j < below; j++, gap *= m) {
        levels[j] = (float)at;
        at += gap * (c - lo) / sum;
    }
    for (sum = 0, gap = 1, j = below; j < n; j++, gap *= m) sum += gap;
    for (at = hi, gap = 1, j = n - 1; j >= below;
         j--, gap *= m) { /* downwards: the last gap is m^0 */
        levels[j] = (float)at;
        at -= gap * (hi - c) / sum;
    }
    return n;
}

/* the states after a step, rounded if the layer rounds, and the drive */
static void snn__neuron_integrate(const snn__neuron *q, const snn_neuron_block *b)
{
    int i, k;
    q->step(b);
    if (!q->levels) return;
    /* the drive moves with the membrane it is taken from */
    for (i = 0; i < b->n; i++) b->drive[i] -= b->state[0][i];
    for (k = 0; k < (q->def->quantised ? q->def->quantised : q->def->states); k++)
        snn_quantise(q->levels, q->level_count, b->n, b->state[k]);
    for (i = 0; i < b->n; i++) b->drive[i] += b->state[0][i];
}

/* One step: states, drive, and h if wanted (needed by resets at once, so they compute it anyway).
 * prev [n] is scratch for them; v [n], if not NULL, gets the membrane before such a reset. */
static void snn__neuron_advance(const snn__neuron *q, snn_neuron_block *b, const float *noise,
                                float *h, float *prev, float *v)
{
    if (q->immediate) memcpy(prev, b->state[0], (size_t)b->n * sizeof(float));
    snn__neuron_integrate(q, b);
    if (v) memcpy(v, b->state[0], (size_t)b->n * sizeof(float));
    if (h) snn__fire(q, b->n, b->drive, noise, h, q->inhibition ? snn__winner(b->drive, b->n) : 0);
    if (q->immediate) snn__immediate_reset(q, b->n, b->state[0], prev, h, b->param[0]);
    if (q->def->jump) {
        b->spike = h;
        q->def->jump(b);
    }
}

/* Gradients of a jump: its states are those of the step, taken once more. after: [states+1][n] */
static void snn__neuron_fall(const snn__neuron *q, const snn_neuron_block *b, const float *h,
                             float *gh, float *after)
{
    snn_neuron_block c = *b;
    const int n = b->n;
    int i, k;
    for (k = 0; k < q->def->states; k++) {
        c.state[k] = after + k * n;
        memcpy(c.state[k], b->state[k], (size_t)n * sizeof(float));
    }
    c.spike = h;
    c.dspike = after + q->def->states * n;
    c.drive = c.dspike; /* not needed: it is there already */
    snn__neuron_integrate(q, &c);
    q->def->fall(&c);
    for (i = 0; !q->detach && i < n; i++) gh[i] += c.dspike[i];
}

/* scratch of a retreat: [SNN__RETREAT + states + 1][n] */
enum { SNN__RETREAT_H, SNN__RETREAT_GH, SNN__RETREAT_DDRIVE, SNN__RETREAT_AFTER, SNN__RETREAT =
    SNN__RETREAT_AFTER + SNN_MAX_STATES + 1 };

/* Gradients of one step (the fire block of the reference, then the neuron's own).
 *   b        state: before the step; drive: of the step; dstate in: after, out: before
 *   gs       gradient of the spike value f h, NULL: zeros;  f [n] graded factors, NULL: ones;  df
 *   added to
 *   dv       gradient of the membrane before a reset at once, NULL: zeros
 *   winner   with inhibition: the one that may spike;  scratch  as above */
static void snn__neuron_retreat(const snn__neuron *q, snn_neuron_block *b, const float *gs,
                                const float *f, float *df, const float *dv, const float *noise,
                                int winner, float *scratch)
{
    const int n = b->n;
    const float *theta = b->param[0], *u = b->state[0];
    float *h = scratch + SNN__RETREAT_H * n, *gh = scratch + SNN__RETREAT_GH * n;
    float *ddrive = scratch + SNN__RETREAT_DDRIVE * n;
    int i;
    b->ddrive = ddrive;
    if (!q->immediate && !q->def->jump && !f && !q->inhibition && !dv) { /* the common case */
        if (gs) snn__surrogate_apply(&q->surrogate, q->wide, n, b->drive, gs, noise, ddrive);
        else snn__zero(ddrive, (size_t)n);
        q->grad(b);
        return;
    }
    snn__fire(q, n, b->drive, noise, h, winner);
    if (q->inhibition) f = df = NULL; /* a winner's spike is 1, ungraded */
    if (!gs) snn__zero(gh, (size_t)n);
    for (i = 0; gs && i < n; i++) gh[i] = f ? f[i] * gs[i] : gs[i];
    for (i = 0; gs && df && i < n; i++) df[i] += gs[i] * h[i];
    if (q->immediate) {
        const float sub = q->sub, zero = q->zero, equal = q->equal, through = !q->detach;
        const float *drive = b->drive;
        float *du = b->dstate[0], *dtheta = b->dparam[0];
        SNN__INDEPENDENT
        for (i = 0; i < n; i++) {
            const float a = du[i], v = drive[i] + theta[i];
            const float d = h[i] - snn__reset_indicator(u[i], theta[i], equal);
            gh[i] -= through * (a * (sub * theta[i] + zero * v));
            dtheta[i] -= sub * d * a;
            du[i] = (1.0f - zero * d) * a;
        }
    }
    if (q->def->jump)
        snn__neuron_fall(q, b, h, gh, scratch + SNN__RETREAT_AFTER * n);
    for (i = 0; dv && i < n; i++) b->dstate[0][i] += dv[i];
    for (i = 0; q->inhibition && i < n; i++)
        if (i != winner) gh[i] = 0.0f;
    snn__surrogate_apply(&q->surrogate, q->wide, n, b->drive, gh, noise, ddrive);
    q->grad(b);
}

/* -- neurons without a net */

/* the value that desc d gives to parameter k, defaults resolved; *missing: required and absent */
static float snn__neuron_value(const snn_neuron_def *def, const snn_neuron_desc *d, int k,
                               int *missing)
{
    const snn_neuron_param *p = &def->param[k];
    float v;
    if (p->field) memcpy(&v, (const char *)d + p->field, sizeof v);
    else v = d->custom[k];
    if (missing) *missing = v == 0.0f && (p->flags & SNN_PARAM_REQUIRED);
    return v == 0.0f ? p->value : v;
}

SNN_DEF snn_status snn_neuron_init(snn_neuron_model *m, const snn_neuron_def *def,
                                   const snn_neuron_desc *desc)
{
    int k, missing;
    if (!m || !def || !desc) return SNN_ERR_NULL;
    if (desc->_start || desc->_end) return SNN_ERR_DESC;
    if (desc->surrogate < 0 || desc->surrogate >= SNN_SURROGATE_COUNT || desc->reset < 0 ||
        desc->reset > SNN_RESET_NONE)
        return SNN_ERR_ARGUMENT;
    if (desc->surrogate == SNN_CUSTOM_SURROGATE && !desc->surrogate_fn) return SNN_ERR_NULL;
    if (desc->quant.bits) return SNN_ERR_UNSUPPORTED; /* its levels need a net's memory */
    memset(m, 0, sizeof *m);
    m->def = def;
    m->desc = *desc;
    m->surrogate.kind = desc->surrogate;
    m->surrogate.p0 = desc->surrogate_p0;
    m->surrogate.p1 = desc->surrogate_p1;
    m->surrogate.custom = desc->surrogate_fn;
    m->surrogate.user = desc->surrogate_user;
    m->surrogate = snn__surrogate_defaults(&m->surrogate);
    if (m->desc.graded == 0.0f) m->desc.graded = 1.0f;
    for (k = 0; k < def->params; k++)
        if (snn__neuron_value(def, desc, k, &missing), missing) return SNN_ERR_ARGUMENT;
    if (def->resolve && def->resolve(&m->desc) != SNN_OK) return SNN_ERR_ARGUMENT;
    desc = &m->desc;
    for (k = 0; k < def->params; k++) {
        m->value[k] = snn__neuron_value(def, desc, k, &missing);
        if (missing) return SNN_ERR_ARGUMENT;
        if (!snn__finite(m->value[k])) return SNN_ERR_NAN;
    }
    return SNN_OK;
}

/* Plain arrays go through in small pieces with stack scratch; inhibition spans the sample, so there
 * the pieces would be wrong and the caller's spk doubles as scratch for the drives. */
enum { SNN__PIECE = 16 };
static void snn__model_block(const snn_neuron_model *m, snn_neuron_block *b, int at, int n,
                             float value[SNN_MAX_PARAMS][SNN__PIECE])
{
    int k, i;
    b->n = n;
    for (k = 0; k < m->def->params; k++) {
        for (i = 0; i < n; i++) {
            float v = m->param[k] ? m->param[k][at + i] : m->value[k];
            value[k][i] =
                m->def->param[k].flags & SNN_PARAM_CLAMP01 ? snn__clamp(v, 0.0f, 1.0f) : v;
        }
        b->param[k] = value[k];
    }
    if (m->def->derived) {
        float *p[SNN_MAX_PARAMS];
        for (k = 0; k < m->def->params + m->def->derived; k++) b->param[k] = p[k] = value[k];
        m->def->derive(n, p);
    }
}

static void snn__model_begin(const snn_neuron_model *m, snn__neuron *q, snn_neuron_block *b, int n)
{
    memset(b, 0, sizeof *b);
    snn__neuron_setup(q, m->def, &m->desc, &m->surrogate, 0, 0);
    b->sub = q->sub;
    b->zero = q->zero;
    b->equal = q->equal;
    b->stride = (size_t)n;
}

SNN_DEF void snn_neuron_start(const snn_neuron_model *m, int n, float *const *state)
{
    float value[SNN_MAX_PARAMS][SNN__PIECE];
    snn_neuron_block b;
    snn__neuron q;
    int at, k;
    snn__model_begin(m, &q, &b, n);
    for (k = 0; k < m->def->states; k++) snn__zero(state[k], (size_t)n);
    for (at = 0; m->def->start && at < n; at += SNN__PIECE) {
        snn__model_block(m, &b, at, n - at < SNN__PIECE ? n - at : SNN__PIECE, value);
        for (k = 0; k < m->def->states; k++) b.state[k] = state[k] + at;
        m->def->start(&b);
    }
}

SNN_DEF void snn_neuron_forward(const snn_neuron_model *m, int n, float *spk, float *const *state,
                                const float *x)
{
    float value[SNN_MAX_PARAMS][SNN__PIECE], prev[SNN__PIECE], drive[SNN__PIECE], h[SNN__PIECE];
    snn_neuron_def calm; /* with inhibition resets wait for the winner */
    snn_neuron_block b;
    snn__neuron q;
    int at, i, k, best = -1, immediate;
    float best_drive = 0.0f;
    snn__model_begin(m, &q, &b, n);
    b.drive = drive;
    immediate = q.immediate;
    if (m->desc.inhibition) {
        calm = *m->def;
        calm.jump = NULL;
        q.def = &calm;
        q.inhibition = q.immediate = 0;
    }
    for (at = 0; at < n; at += SNN__PIECE) {
        snn__model_block(m, &b, at, n - at < SNN__PIECE ? n - at : SNN__PIECE, value);
        for (k = 0; k < m->def->states; k++) b.state[k] = state[k] + at;
        b.x = x + at;
        for (i = 0; m->desc.inhibition && i < b.n; i++)
            prev[i] = snn__reset_indicator(b.state[0][i], b.param[0][i], q.equal);
        snn__neuron_advance(&q, &b, NULL, h, prev, NULL);
        for (i = 0; i < b.n; i++) {
            const float *f = m->param[m->def->params];
            if (m->desc.inhibition && (best < 0 || drive[i] > best_drive)) {
                best = at + i;
                best_drive = drive[i];
            }
            /* R, kept for the reset */
            spk[at + i] = m->desc.inhibition ? prev[i] : (f ? f[at + i] : m->desc.graded) * h[i];
            if (m->desc.output_membrane && !m->desc.inhibition) spk[at + i] = state[0][at + i];
        }
    }
    for (at = 0; m->desc.inhibition && at < n; at += SNN__PIECE) {
        snn__model_block(m, &b, at, n - at < SNN__PIECE ? n - at : SNN__PIECE, value);
        for (k = 0; k < m->def->states; k++) b.state[k] = state[k] + at;
        for (i = 0; i < b.n; i++) {
            float *u = &b.state[0][i];
            h[i] = at + i == best ? snn__reset_indicator(best_drive, 0.0f, q.equal) : 0.0f;
            if (immediate)
                *u -= (h[i] - spk[at + i]) * (q.sub * b.param[0][i] + q.zero * *u);
            spk[at + i] = h[i];
        }
        b.spike = h;
        if (m->def->jump) m->def->jump(&b);
        if (m->desc.output_membrane) memcpy(spk + at, b.state[0], (size_t)b.n * sizeof(float));
    }
}

SNN_DEF void snn_neuron_backward(const snn_neuron_model *m, int n, float *dx, float *const *dstate,
                                 float *const *dparam, const float *const *state, const float *x,
                                 const float *dspk)
{
    float value[SNN_MAX_PARAMS][SNN__PIECE], dvalue[SNN_MAX_PARAMS + 1][SNN__PIECE];
    float before[SNN_MAX_STATES][SNN__PIECE], after[SNN_MAX_STATES][SNN__PIECE];
    float scratch[(int)SNN__RETREAT * SNN__PIECE], drive[SNN__PIECE], f[SNN__PIECE], best = 0.0f;
    const int params = m->def->params;
    snn_neuron_block b;
    snn__neuron q;
    int at, i, k, pass, winner = -1;
    snn__model_begin(m, &q, &b, n);
    b.drive = drive;
    for (pass = q.inhibition ? 0 : 1; pass < 2; pass++) /* the first only looks for the winner */
        for (at = 0; at < n; at += SNN__PIECE) {
            snn__model_block(m, &b, at, n - at < SNN__PIECE ? n - at : SNN__PIECE, value);
            for (k = 0; k < m->def->states; k++) {
                memcpy(before[k], state[k] + at, (size_t)b.n * sizeof(float));
                memcpy(after[k], before[k], (size_t)b.n * sizeof(float));
                b.state[k] = after[k];
                b.dstate[k] = dstate[k] + at;
            }
            b.x = x + at;
            q.step(&b); /* for the drive */
            for (i = 0; !pass && i < b.n; i++)
                if (winner < 0 || drive[i] > best) {
                    winner = at + i;
                    best = drive[i];
                }
            if (!pass) continue;
            for (k = 0; k < m->def->states; k++) b.state[k] = before[k];
            for (k = 0; k < params + m->def->derived; k++) b.dparam[k] = dvalue[k];
            memset(dvalue, 0, sizeof dvalue);
            for (i = 0; i < b.n; i++)
                f[i] = m->param[params] ? m->param[params][at + i] : m->desc.graded;
            b.dx = dx + at;
            if (m->desc.output_membrane) snn__accumulate(dstate[0] + at, dspk + at, (size_t)b.n);
            snn__neuron_retreat(&q, &b, m->desc.output_membrane ? NULL : dspk + at, f,
                                dvalue[SNN_MAX_PARAMS], NULL, NULL, winner - at, scratch);
            for (k = 0; k < m->def->states; k++)
                snn__flush_row(b.dstate[k], (size_t)b.n, SNN__LEAST);
            if (m->def->derived) m->def->underive(b.n, b.param, b.dparam);
            for (k = 0; dparam && k <= params; k++)
                for (i = 0; dparam[k] && i < b.n; i++) {
                    float v = k == params ? 0.0f : m->param[k] ? m->param[k][at + i] : m->value[k];
                    if (k < params && (m->def->param[k].flags & SNN_PARAM_CLAMP01) &&
                        (v < 0.0f || v > 1.0f))
                        continue;
                    dparam[k][at + i] += dvalue[k < params ? k : SNN_MAX_PARAMS][i];
                }
        }
}

SNN__FAST_END
SNN__FAST("O2")

/* ---- >>layers ------------------------------------------------------------------------------ */
/* The node of the graph, and one forward/backward pair for each kind of layer.
 *
 * A signal has rows: one for each sample (constant), or one for each step and sample, row = t*B +
 * b. "Row" layers (conv, pool, add ...) work on one row at a time, so a chain of them needs only
 * one row of scratch for what lies between; "whole" layers (linear) and neurons take all rows at
 * once. */

typedef enum snn__signal { SNN__CONSTANT, SNN__DENSE, SNN__BITS } snn__signal;
enum { SNN__INTS = 16, SNN__FLOATS = 4, SNN__TASKS = 16, SNN__BLOCK = 512 };
enum { SNN__SEGMENT_STEPS = 32, SNN__SEGMENT_ROWS = 512 }; /* about, where nothing is asked */

/* a piece of the pool that lives from step `from` to step `to` of the pass */
typedef struct snn__buffer {
    size_t size, offset;
    int from, to;
} snn__buffer;

typedef struct snn__conv_shape {
    int c, h, w, hp, wp; /* input, padded */
    int o, oh, ow, p;    /* output, positions */
    int g, cg, og, ogp;  /* groups; channels of one in and out; out padded */
    int k, kp, op;       /* kernel size of a group, padded; row of channels-last output */
    int taps;            /* kh kw */
    int run, runs;       /* a receptive field is `runs` runs of `run` elements of the image */
    int pitch, origin, dp; /* dy: positions from row to row, the first one, and all: with a border
                            * of zeros if the weights' gradient is gathered */
} snn__conv_shape;

/* Along one axis: taps k, k+1, ... of the backward kernel lie over positions p, p+1, ... */
typedef struct snn__span {
    int32_t k, p, len;
} snn__span;

enum { SNN__NO_RULE, SNN__STDP, SNN__REWARD, SNN__ONLINE };
typedef struct snn__rule {
    int kind, post;   /* post: the neurons behind the layer */
    snn_stdp_desc stdp;
    snn_reward_desc reward;
    snn_online_desc online;
    /* one block of `size` floats, zero after a reset: traces of both sides; with a reward the
     * step's eligibility [B][O][I], what lasts of it, and the rewards' state; or the online rule's
     * state, signal [B][O], signal for the layer below [B][I] */
    float *pre, *post_trace, *e, *z, *rewards, *state, *signal, *below;
    size_t size;
} snn__rule;

typedef struct snn__node {
    int op;
    char name[SNN_NAME_SIZE];
    int in[2], ins;
    int i[SNN__INTS]; /* attributes, named in SNN__LAYER_LIST */
    float f[SNN__FLOATS];
    int ndim, shape[3], n, words; /* of one row; words of packed spikes */
    snn__signal signal;
    snn_neuron_desc desc; /* neurons */
    snn__neuron neuron;
    int record;
    /* graph */
    int root;             /* the node that owns this one's buffers: itself, unless a view */
    int exec;             /* the node at whose turn it runs: itself, or the last of its chain */
    int users, last_user; /* nodes reading the buffers; the latest by exec */
    int chunk;          /* only one row a task exists: consumed at once by the next in the chain */
    int halved;         /* out is in `half`, as 16 bits */
    int hwc;            /* that row is channels-last, in the convolution's scratch */
    int tiles;          /* the max pool that reads it, if its windows tile it */
    int lazy;           /* the linear layer whose gradient this neuron computes as it needs it */
    int backward;       /* gradients of the output are wanted */
    int add;            /* they are added up, not written */
    int param0, params; /* its entries in net->params */
    /* buffers */
    float *out;                 /* [rows][n] */
    uint32_t *bits;             /* [rows][words] */
    float *dout;                /* [rows][n] */
    uint32_t *argmax;           /* max pool: [rows][words] */
    snn__buffer buf[3];         /* out, dout, argmax, where pooled */
    uint16_t *half;
    int out_steps, dout_steps;  /* so many are stored, not a segment */
    size_t out_row0, dout_row0; /* then: the row where the current segment starts */
    float *rec_spk;             /* [T][B][n] */
    float *rec[SNN_MAX_STATES], *drec[SNN_MAX_STATES]; /* states, as recorded */
    float *state[SNN_MAX_STATES + 1]; /* [B][n] now; with recurrence the last is what is fed back */
    float *dstate[SNN_MAX_STATES + 1];
    int states; /* how many of them */
    snn_recurrence recurrence;
    float *levels; /* quantised states */
    float *values; /* neurons: [params + derived + 1][snn__neuron_stride] what a scan reads */
    float
        *saved; /* [segments+1][states][B][n] at the start of each segment; the last: at the end */
    const float *gain; /* value of a spike; NULL: 1 */
    /* prepared weights, padded; linear: [in][out], [out][in]; conv: [c][taps backwards][o],
     * [o][taps][c], [c][taps][o], sums of patterns; norm: means, 1/deviations */
    float *wt, *wk, *wu, *wp;
    float *rounded;    /* weights of few bits */
    int32_t *run; /* conv: from a window's first element to each SNN__LANES of its padded runs */
    uint32_t *look; /* conv of planes: from a position to what its taps see, forward, backward */
    snn__span *span[2];  /* conv: the spans of each row, column of the image */
    int32_t *span_at[2]; /* [h+1], [w+1]: where they start */
    int32_t *tile[2];    /* [h], [w]: the first tile that they reach, one behind the last */
    snn__conv_shape conv;
    int block;     /* neurons: neurons a task scans together */
    snn__rule rule; /* what its weights learn by in snn_net_step */
    float *psi;     /* neurons: [B][n] surrogate's slope at the last step, where a rule reads it */
    size_t s[16];  /* offsets in a task's scratch; s[15]: in the op's own */
    double spikes; /* counted in the last pass */
} snn__node;

/* what a task may scribble on */
typedef struct snn__task {
    char *memory;
} snn__task;

enum { SNN__SOURCE, SNN__VIEW, SNN__ROW, SNN__WHOLE, SNN__SCAN };
typedef struct snn__op {
    const char *name, *prefix;
    const char *ints, *floats; /* names of the attributes, space separated */
    int ins;
    int kind;        /* SNN__SOURCE ... */
    int keeps_input; /* backward reads the input again */
    snn_status (*infer)(snn_net *net, snn__node *q);
    void (*plan)(snn_net *net, snn__node *q, snn__arena *a); /* prepared weights, maps */
    void (*scratch)(snn_net *net, snn__node *q, snn__arena *task, snn__arena *op);
    void (*prepare)(snn_net *net, snn__node *q);             /* after parameters changed */
    void (*begin)(snn_net *net, snn__node *q, snn__task *t); /* backward, once a task */
    void (*forward)(snn_net *net, snn__node *q, snn__task *t, size_t row);
    void (*backward)(snn_net *net, snn__node *q, snn__task *t, size_t row);
    void (*end)(snn_net *net, snn__node *q, int tasks); /* backward, after all tasks */
} snn__op;

/* -- the registry: id, name, prefix, int and float attributes, inputs, kind, keeps input,
 * functions */
#define SNN__CONV_NAMES                                                                            \
    "out_channels kernel_h kernel_w stride_h stride_w padding_h padding_w dilation_h dilation_w "  \
    "groups bias init weight_bits output_padding_h output_padding_w"
#define SNN__LAYER_LIST(X)                                                                     \
    X(INPUT, "input", "input", "channels height width", "", 0, SNN__SOURCE, 0,                     \
      snn__input_infer, NULL, NULL, NULL, NULL, NULL, NULL, NULL)                                  \
    X(LINEAR, "linear", "fc", "out_features bias init weight_bits", "init_gain", 1, SNN__WHOLE,    \
      1, snn__linear_infer, snn__linear_plan, snn__linear_scratch, snn__linear_prepare, NULL,      \
      snn__linear_forward, snn__linear_backward, NULL)                                             \
    X(CONV2D, "conv2d", "conv", SNN__CONV_NAMES, "init_gain", 1, SNN__ROW, 1, snn__conv_infer,     \
      snn__conv_plan, snn__conv_scratch, snn__conv_prepare, snn__conv_begin, snn__conv_forward,    \
      snn__conv_backward, snn__conv_end)                                                           \
    X(CONV1D, "conv1d", "conv", SNN__CONV_NAMES, "init_gain", 1, SNN__ROW, 1, snn__conv_infer,     \
      snn__conv_plan, snn__conv_scratch, snn__conv_prepare, snn__conv_begin, snn__conv_forward,    \
      snn__conv_backward, snn__conv_end)                                                           \
    X(CONV_TRANSPOSE2D, "conv_transpose2d", "deconv", SNN__CONV_NAMES, "init_gain", 1, SNN__ROW,   \
      1, snn__conv_infer, snn__conv_plan, snn__conv_scratch, snn__conv_prepare, snn__conv_begin,   \
      snn__conv_transpose_forward, snn__conv_transpose_backward, snn__conv_end)                    \
    X(MAX_POOL2D, "max_pool2d", "pool",                                                            \
      "kernel_h kernel_w stride_h stride_w padding_h padding_w", "", 1, SNN__ROW, 0,               \
      snn__pool_infer, NULL, snn__pool_scratch, NULL, NULL,                          \
      snn__max_pool_forward, snn__max_pool_backward, NULL)                                         \
    X(AVG_POOL2D, "avg_pool2d", "pool",                                                            \
      "kernel_h kernel_w stride_h stride_w padding_h padding_w", "", 1, SNN__ROW, 0,               \
      snn__avg_pool_infer, NULL, snn__pool_scratch, NULL, NULL, snn__mean_pool_forward,            \
      snn__mean_pool_backward, NULL)                                                               \
    X(SUM_POOL2D, "sum_pool2d", "pool",                                                            \
      "kernel_h kernel_w stride_h stride_w padding_h padding_w", "", 1, SNN__ROW, 0,               \
      snn__sum_pool_infer, NULL, snn__pool_scratch, NULL, NULL, snn__mean_pool_forward,            \
      snn__mean_pool_backward, NULL)                                                               \
    X(RESHAPE, "reshape", "view", "channels height width", "", 1, SNN__VIEW, 0,                    \
      snn__view_infer, NULL, NULL, NULL, NULL, NULL, NULL, NULL)                                   \
    X(ADD, "add", "add", "", "", 2, SNN__ROW, 0, snn__add_infer, NULL, snn__plain_scratch,         \
      NULL, NULL, snn__add_forward, snn__add_backward, NULL)                                       \
    X(MULTIPLY, "multiply", "multiply", "", "", 2, SNN__ROW, 1, snn__add_infer, NULL,              \
      snn__plain_scratch, NULL, NULL, snn__multiply_forward, snn__multiply_backward, NULL)         \
    X(IAND, "iand", "iand", "", "", 2, SNN__ROW, 1, snn__add_infer, NULL, snn__plain_scratch,      \
      NULL, NULL, snn__multiply_forward, snn__multiply_backward, NULL)                             \
    X(CONCAT, "concat", "concat", "", "", 2, SNN__ROW, 0, snn__concat_infer, NULL,                 \
      snn__plain_scratch, NULL, NULL, snn__concat_forward, snn__concat_backward, NULL)             \
    X(SCALE, "scale", "scale", "", "factor", 1, SNN__ROW, 0, snn__scale_infer, NULL,               \
      snn__plain_scratch, NULL, NULL, snn__scale_forward, snn__scale_backward, NULL)               \
    X(DROPOUT, "dropout", "dropout", "", "p", 1, SNN__ROW, 0, snn__dropout_infer, NULL,            \
      snn__plain_scratch, NULL, NULL, snn__dropout_forward, snn__dropout_backward, NULL)           \
    X(NORM, "norm", "norm", "norm_kind affine steps", "eps momentum initial", 1, SNN__WHOLE, 1,    \
      snn__norm_infer, snn__norm_plan, snn__no_scratch, NULL, NULL, snn__norm_forward,             \
      snn__norm_backward, NULL)                                                                    \
    X(GRADED_SPIKES, "graded_spikes", "graded", "", "factor", 1, SNN__ROW, 1, snn__graded_infer,   \
      NULL, snn__graded_scratch, NULL, snn__graded_begin, snn__graded_forward,                     \
      snn__graded_backward, snn__graded_end)                                                       \
    X(DELAY, "delay", "delay", "steps", "", 1, SNN__WHOLE, 0, snn__delay_infer, snn__delay_plan,   \
      snn__no_scratch, NULL, NULL, snn__delay_forward, snn__delay_backward, NULL)                  \
    X(NEURON, "neuron", "neuron", "", "", 1, SNN__SCAN, 1, snn__neuron_infer,                      \
      snn__neuron_plan, snn__neuron_scratch, snn__neuron_prepare, NULL, snn__neuron_forward,       \
      snn__neuron_backward, NULL)

enum {
#define SNN__X(id, name, prefix, ints, floats, ins, kind, keep, inf, pl, sc, pr, be, fw, bw,   \
               en)                                                                                 \
    SNN__##id,
    SNN__LAYER_LIST(SNN__X)
#undef SNN__X
        SNN__LAYER_COUNT
};
struct snn_net {
    snn_net_desc desc;
    snn_status status;
    int built, training, dirty, constant_valid;
    int ran; /* a pass is there to go backward through */
    int stepped; /* and it was one step, which snn_net_learn may follow */
    int replay; /* backward runs a segment again: nothing may count twice */
    int bad;    /* debug: node + 1 of the first NaN or infinity of the pass, 0: none */
    size_t bad_row, bad_element;
    const snn__kernels *kern;
    int count; /* nodes */
    snn__node *node;
    int params;
    snn_param *param;
    float *values, *grads, *moment[2];
    size_t trained;             /* floats in values, grads and moments that are trained */
    int segment, segments;      /* steps whose gradients are stored at once; how many such */
    int window;                 /* steps whose signals are: one or many segments */
    int t0, len;                /* the current segment */
    int pass_steps;             /* steps of the last pass */
    uint32_t time, time0, pass; /* steps since reset at this segment and at the pass; resets */
    int optim_step;
    char *pool, *scratch, *op_scratch;
    size_t pool_size, task_size, op_size;
    int tasks;
    int *labels; /* [B] staging of snn_evaluate */
    void *block; /* what build allocated */
    size_t block_size, head_size;
    char *buffer; /* the caller's memory, for create_in */
    size_t buffer_size;
    int owned;
    const struct snn__engine *engine; /* the backend's, or NULL */
    void *device;                     /* its records of this net */
    char error[256];
};

/* What a backend does; every call but supports, segment and size is on a net that is planned. Those
 * that return a status say why by snn__fail. net->dirty: parameters are to be read from the host
 * copy; net->constant_valid: the input and all that is constant have not changed since the last
 * pass. */
typedef struct snn__engine {
    const char *name;
    snn_status (*supports)(snn_net *net, int node); /* asked for every node before build */
    int (*segment)(const snn_net *net);             /* gradient_steps where the desc has none */
    size_t (*size)(const snn_net *net);             /* bytes of its records, at net->device */
    snn_status (*build)(snn_net *net);
    void (*destroy)(snn_net *net);
    snn_status (*reset)(snn_net *net);              /* first states */
    snn_status (*forward)(snn_net *net);            /* pass_steps steps on the input's host copy */
    snn_status (*zero_grad)(snn_net *net);
    snn_status (*loss)(snn_net *net, const snn_loss_desc *d, const int *y, float *loss);
    snn_status (*loss_value)(snn_net *net, float *loss); /* of a loss that was called with NULL */
    snn_status (*backward)(snn_net *net);
    snn_status (*optim)(snn_net *net, const snn_optim_desc *d);
    snn_status (*predict)(snn_net *net, snn_metric metric, int *y); /* of the output, [B] */
    /* the host copy at view, or with NULL of all parameters, becomes current; keep: it is so after
     * every later call too, and what is written there counts */
    void (*read)(snn_net *net, const float *view, int keep);
    double (*spikes)(snn_net *net, int node);       /* of a neuron layer in the last pass */
} snn__engine;
static void snn__backend_read(const snn_net *net, const float *view, int keep)
{
    if (net->engine && net->built) net->engine->read((snn_net *)net, view, keep);
}

#define SNN__SCRATCH(t, q, k, type) ((type *)(void *)((t)->memory + (q)->s[k]))
static size_t snn__scratch_take(snn__arena *a, size_t count, size_t size)
{
    size_t at = a->used;
    snn__arena_take(a, count, size);
    return at;
}

static snn__node *snn__input_of(const snn_net *net, const snn__node *q, int k)
{
    return &net->node[net->node[q->in[k]].root];
}
static size_t snn__rows(const snn_net *net, const snn__node *q) /* of the current segment */
{
    return (size_t)net->desc.batch * (size_t)(q->signal == SNN__CONSTANT ? 1 : net->len);
}
static float *snn__param_value(const snn_net *net, const snn__node *q, int k)
{
    return net->param[q->param0 + k].value.data;
}
static float *snn__param_grad(const snn_net *net, const snn__node *q, int k)
{
    return net->param[q->param0 + k].grad.data;
}
static size_t snn__row_index(const snn_net *net, const snn__node *p, size_t row)
{
    return p->signal == SNN__CONSTANT ? row % (size_t)net->desc.batch : p->out_row0 + row;
}
static const uint32_t *snn__row_bits(const snn_net *net, const snn__node *p, size_t row)
{
    return p->bits + snn__row_index(net, p, row) * (size_t)p->words;
}
static float snn__gain(const snn__node *p) { return p->gain ? *p->gain : 1.0f; }

/* where node p's output row is: its buffer, or scratch of the task when it is a link of a chain,
 * or will be halved */
static float *snn__row_out(const snn_net *net, snn__node *p, const snn__task *t, size_t row)
{
    return p->chunk || p->halved ? SNN__SCRATCH(t, p, 0, float)
                                 : p->out + snn__row_index(net, p, row) * (size_t)p->n;
}
static uint16_t *snn__row_half(const snn_net *net, const snn__node *p, size_t row)
{
    return p->half + snn__row_index(net, p, row) * (size_t)p->n;
}
/* input k of q as floats; packed spikes are unpacked into q's scratch 2+k */
static const float *snn__row_in(const snn_net *net, const snn__node *q, const snn__task *t,
                                size_t row, int k)
{
    snn__node *p = snn__input_of(net, q, k);
    if (p->signal == SNN__BITS) {
        float *x = SNN__SCRATCH(t, q, 2 + k, float);
        snn_spikes_unpack(x, snn__row_bits(net, p, row), p->n, snn__gain(p));
        return x;
    }
    return snn__row_out(net, p, t, row);
}
static float *snn__row_dout(const snn_net *net, const snn__node *p, const snn__task *t, size_t row)
{
    size_t r = p->signal == SNN__CONSTANT ? row % (size_t)net->desc.batch : p->dout_row0 + row;
    return p->chunk ? SNN__SCRATCH(t, p, 1, float) : p->dout + r * (size_t)p->n;
}
/* gradient row of input k, ready to be added to; NULL: not wanted */
static float *snn__row_din(const snn_net *net, const snn__node *q, const snn__task *t, size_t row,
                           int k)
{
    snn__node *p = snn__input_of(net, q, k);
    float *d;
    if (!p->backward) return NULL;
    d = snn__row_dout(net, p, t, row);
    if (!p->add) snn__zero(d, (size_t)p->n);
    return d;
}
/* scratch rows that any row layer needs: 0, 1 its own output and gradient, 2, 3 unpacked inputs */
static void snn__row_scratch(snn_net *net, snn__node *q, snn__arena *task)
{
    int k;
    if ((q->chunk && !q->hwc) || q->halved) {
        q->s[0] = snn__scratch_take(task, (size_t)q->n, sizeof(float));
        q->s[1] = snn__scratch_take(task, q->chunk && q->backward ? (size_t)q->n : 0,
                                    sizeof(float));
    }
    for (k = 0; k < q->ins; k++) {
        snn__node *p = snn__input_of(net, q, k);
        q->s[2 + k] =
            snn__scratch_take(task, p->signal == SNN__BITS ? (size_t)p->n : 0, sizeof(float));
    }
}
/* Where a row of node p, or its gradient's, is put together before it is copied to its place. In
 * training most places are out of the caches, which take one line after the other sooner than many
 * at a time; rows that are scratch themselves, and those of nets for inference, are not. */
static int snn__staged(const snn_net *net, const snn__node *p)
{
    return !net->desc.inference && !p->chunk && !p->halved;
}
static float *snn__stage(const snn_net *net, const snn__node *p, const snn__node *q,
                         const snn__task *t, int k, float *row) /* in q's scratch k */
{
    return snn__staged(net, p) ? SNN__SCRATCH(t, q, k, float) : row;
}
static void snn__stage_write(float *row, const float *stage, size_t n)
{
    if (row != stage) memcpy(row, stage, n * sizeof *row);
}
static void snn__plain_scratch(snn_net *net, snn__node *q, snn__arena *task, snn__arena *op)
{
    (void)op;
    snn__row_scratch(net, q, task);
}

static int snn__task_count(size_t units) { return units < SNN__TASKS ? (int)units : SNN__TASKS; }

static snn_status snn__fail(snn_net *net, snn_status status, const char *format, ...);
static const char *snn__op_name(const snn__node *q); /* of its kind, for sentences */
static int snn__is_conv(const snn__node *q)
{
    return q->op == SNN__CONV2D || q->op == SNN__CONV1D || q->op == SNN__CONV_TRANSPOSE2D;
}

/* -- linear: y[r][o] = b[o] + sum_i x[r][i] w[o][i]
 *    dx = dy w;  dw[o][i] = sum_r dy[r][o] x[r][i];  db[o] = sum_r dy[r][o]
 *
 * Few nonzero inputs: for each nonzero of a row, a row of the transposed weights is added; in
 * backward, for each nonzero of a column, a row of dy. Many: the matrix product. The sums run in
 * the same order either way, so the choice does not show in the numbers. */
enum { SNN__LINEAR_OUT, SNN__LINEAR_BIAS, SNN__LINEAR_INIT, SNN__LINEAR_BITS }; /* i[] */
enum { SNN__LINEAR_ROWS = 16, SNN__LINEAR_TILE = 128, SNN__LINEAR_COLUMN = 16 };
/* Large weights, and a large dy, are gathered from in blocks that stay in the second-level cache
 * for all rows, for all columns; so many outputs of a dy. */
enum { SNN__LINEAR_WEIGHTS = 1 << 18 };
enum { SNN__LINEAR_LARGE = 1 << 20, SNN__LINEAR_DY = 1 << 17, SNN__LINEAR_OUTS = 256 };
enum { SNN__LINEAR_CHUNK = 4 * SNN__GEMM_M }; /* rows of a product that are unpacked or halved */
enum { SNN__LAZY = 32 }; /* to so few outputs neurons compute dx = dy w themselves */
#define SNN__SPARSE_SHARE 0.4 /* nonzero share under which walking the nonzeros wins */

SNN_DEF snn_status snn_quantise_weights(float *out, float *scale, const float *w, int rows,
                                        int cols, int bits)
{
    int r, c;
    if (!out || !w) return SNN_ERR_NULL;
    if (bits < 2 || bits > 8 || rows < 0 || cols < 0) return SNN_ERR_ARGUMENT;
    for (r = 0; r < rows; r++, w += cols, out += cols) {
        float s = 0.0f;
        for (c = 0; c < cols; c++) s = SNN_FABSF(w[c]) > s ? SNN_FABSF(w[c]) : s;
        s /= (float)((1 << (bits - 1)) - 1);
        if (scale) scale[r] = s;
        for (c = 0; c < cols; c++) out[c] = s > 0.0f ? s * SNN_FLOORF(w[c] / s + 0.5f) : 0.0f;
    }
    return SNN_OK;
}
static snn_status snn__weight_bits_check(snn_net *net, const snn__node *q, int bits)
{
    if (!bits || (bits >= 2 && bits <= 8)) return SNN_OK;
    return snn__fail(net, SNN_ERR_ARGUMENT, "\"%s\": weights are rounded to 2 to 8 bits, given %d",
                     q->name, bits);
}
/* the weights that a layer computes with: its parameter, or that rounded into q->rounded */
static const float *snn__weights(const snn_net *net, const snn__node *q)
{
    return q->rounded ? q->rounded : snn__param_value(net, q, 0);
}
static void snn__weights_round(const snn_net *net, const snn__node *q, int bits)
{
    const snn_tensor *w = &net->param[q->param0].value;
    if (q->rounded)
        snn_quantise_weights(q->rounded, NULL, w->data, w->shape[0],
                             (int)(snn_tensor_count(w) / (size_t)w->shape[0]), bits);
}

static size_t snn__linear_ld(const snn__node *q)
{
    size_t ld = SNN__PAD((size_t)q->n);
    return ld % 1024 ? ld : ld + SNN__LANES; /* powers of two would fight for the same cache sets */
}

static snn_status snn__linear_infer(snn_net *net, snn__node *q)
{
    snn__node *x = &net->node[q->in[0]];
    if (q->i[SNN__LINEAR_OUT] <= 0)
        return snn__fail(net, SNN_ERR_ARGUMENT,
                         "linear \"%s\": out_features is required and positive, given %d", q->name,
                         q->i[SNN__LINEAR_OUT]);
    q->ndim = 1;
    q->shape[0] = q->i[SNN__LINEAR_OUT];
    q->signal = x->signal == SNN__CONSTANT ? SNN__CONSTANT : SNN__DENSE;
    return snn__weight_bits_check(net, q, q->i[SNN__LINEAR_BITS]);
}
static void snn__linear_plan(snn_net *net, snn__node *q, snn__arena *a)
{
    const size_t in = (size_t)snn__input_of(net, q, 0)->n;
    q->wt = snn__arena_floats(a, in, snn__linear_ld(q));
    q->wk = snn__input_of(net, q, 0)->lazy ? snn__arena_floats(a, (size_t)q->n, SNN__PAD(in))
                                           : NULL;
    q->rounded = q->i[SNN__LINEAR_BITS] ? snn__arena_floats(a, in, (size_t)q->n) : NULL;
}
enum {
    SNN__LINEAR_IDX,
    SNN__LINEAR_VAL,
    SNN__LINEAR_ACC,
    SNN__LINEAR_WORDS,
    SNN__LINEAR_COLUMNS,
    SNN__LINEAR_WIDE = 14, /* the op's own */
    SNN__LINEAR_DENSE
}; /* s[] */
static void snn__linear_scratch(snn_net *net, snn__node *q, snn__arena *task, snn__arena *op)
{
    const snn__node *x = snn__input_of(net, q, 0);
    const size_t steps = x->signal == SNN__CONSTANT ? 1 : (size_t)net->segment;
    const size_t all = snn__mul_size(steps, (size_t)net->desc.batch);
    const size_t rows = net->desc.inference ? 0 : all;
    const size_t chunk = all < SNN__LINEAR_CHUNK ? all : (size_t)SNN__LINEAR_CHUNK;
    const size_t forward = (size_t)SNN__LINEAR_ROWS * (size_t)x->n + SNN__LANES;
    const size_t ld = SNN__PAD((size_t)q->n), lists = ld <= SNN__FEW ? 4 : 1;
    const size_t backward = lists * ((rows + 31) / 32 * 32 + SNN__LANES);
    const size_t list = forward > backward ? forward : backward;
    const size_t acc = ld < SNN__FEW ? (size_t)SNN__FEW : ld;
    q->s[SNN__LINEAR_IDX] = snn__scratch_take(task, list, sizeof(uint32_t));
    q->s[SNN__LINEAR_VAL] = snn__scratch_take(task, list, sizeof(float));
    q->s[SNN__LINEAR_ACC] = snn__scratch_take(
        task, rows ? SNN__LINEAR_COLUMN * acc : (size_t)SNN__LINEAR_TILE, sizeof(float));
    q->s[SNN__LINEAR_WORDS] = snn__scratch_take(task, (rows + 31) / 32 * 32, sizeof(uint32_t));
    q->s[SNN__LINEAR_COLUMNS] = snn__scratch_take(task, (rows + 31) / 32 * 32, sizeof(uint32_t));
    /* unpacked rows for the product */
    q->s[SNN__LINEAR_DENSE] = snn__scratch_take(
        op, x->signal == SNN__BITS ? snn__mul_size(chunk, (size_t)x->n) : 0, sizeof(float));
    q->s[SNN__LINEAR_WIDE] = snn__scratch_take(
        op, q->halved ? snn__mul_size(chunk, (size_t)q->n) : 0, sizeof(float));
}
typedef struct snn__linear_job {
    snn_net *net;
    snn__node *q, *x;
    size_t rows;
    int tasks;
    const float *dy; /* backward: rows from row0 */
    size_t row0, out0, outs; /* outputs from out0, padded in forward */
} snn__linear_job;
static void snn__linear_prepare_task(void *arg, int task)
{
    const snn__linear_job *job = (const snn__linear_job *)arg;
    const snn__node *q = job->q;
    const size_t in = (size_t)job->x->n, out = (size_t)q->n, ld = snn__linear_ld(q);
    const size_t i1 = (in * (size_t)(task + 1) / (size_t)job->tasks);
    const float *w = snn__weights(job->net, q);
    size_t i, i0;
    for (i0 = in * (size_t)task / (size_t)job->tasks; i0 < i1; i0 += 16) /* strips: rows of wt */
        job->net->kern->transpose(q->wt + i0 * ld, ld, w + i0, in, q->n,
                                  i1 - i0 < 16 ? (int)(i1 - i0) : 16, 0);
    for (i = in * (size_t)task / (size_t)job->tasks; i < i1; i++)
        snn__zero(q->wt + i * ld + out, ld - out);
}
static void snn__linear_prepare(snn_net *net, snn__node *q)
{
    snn__linear_job job;
    size_t o, in;
    memset(&job, 0, sizeof job);
    job.net = net;
    job.q = q;
    job.x = snn__input_of(net, q, 0);
    in = (size_t)job.x->n;
    job.tasks = snn__task_count((in + 63) / 64);
    snn__weights_round(net, q, q->i[SNN__LINEAR_BITS]);
    snn__parallel_for(&net->desc.threads, (double)job.x->n * q->n, job.tasks,
                      snn__linear_prepare_task, &job);
    for (o = 0; q->wk && o < (size_t)q->n; o++) /* for lazy neurons, on whole cache lines */
        memcpy(q->wk + o * SNN__PAD(in), snn__weights(net, q) + o * in, in * sizeof(float));
}

/* the prepared weights once more, of the inputs and outputs that fired: all that STDP changed */
static void snn__linear_touch(const snn_net *net, snn__node *q, const float *pre,
                              const float *post)
{
    const size_t in = (size_t)snn__input_of(net, q, 0)->n, out = (size_t)q->n,
                 ld = snn__linear_ld(q);
    const float *w = snn__param_value(net, q, 0);
    size_t b, i, o;
    for (b = 0; b < (size_t)net->desc.batch; b++, pre += in, post += out) {
        for (o = 0; o < out; o++) {
            if (post[o] == 0.0f) continue;
            for (i = 0; i < in; i++) q->wt[i * ld + o] = w[o * in + i];
            if (q->wk) memcpy(q->wk + o * SNN__PAD(in), w + o * in, in * sizeof(float));
        }
        for (i = 0; i < in; i++)
            for (o = 0; pre[i] != 0.0f && o < out; o++) {
                q->wt[i * ld + o] = w[o * in + i];
                if (q->wk) q->wk[o * SNN__PAD(in) + i] = w[o * in + i];
            }
    }
}

/* Nonzeros of elements first .. first+n of a row, as the gather and scatter kernels want them;
 * dense: the row's floats, where they are not in its buffer. Plain spikes have no values, graded
 * ones all the same; so packed and dense signals give the same sums. */
static int snn__has_values(const snn__node *x)
{
    return x->signal != SNN__BITS || snn__gain(x) != 1.0f;
}
static int snn__list_row(const snn_net *net, const snn__node *x, const float *dense, size_t row,
                         size_t first, size_t n, uint32_t *idx, float *val)
{
    int count, i;
    if (x->signal != SNN__BITS) {
        if (!dense) dense = x->out + snn__row_index(net, x, row) * (size_t)x->n;
        return net->kern->list_floats(dense + first, (int)n, idx, val);
    }
    count = net->kern->list_bits(snn__row_bits(net, x, row) + first / 32, (int)n, idx);
    for (i = 0; snn__has_values(x) && i < count; i++) val[i] = snn__gain(x);
    return count;
}

/* of a sample of the rows: what hangs on it does not show in the numbers */
static double snn__density(const snn_net *net, const snn__node *x, size_t rows)
{
    const size_t step = 1 + rows / 64, first = snn__row_index(net, x, 0);
    size_t count = 0, r;
    for (r = 0; r < rows; r += step)
        count += x->signal == SNN__BITS
                     ? snn__count_bits(x->bits + (first + r) * (size_t)x->words, (size_t)x->words)
                     : snn__count_floats(x->out + (first + r) * (size_t)x->n, (size_t)x->n);
    return (double)count / (double)((rows + step - 1) / step * (size_t)x->n);
}

/* sum of (a - am) (b - bm) over some rows; b NULL: of a. Eight partial sums a row, then doubles. */
static double snn__moment(const float *a, float am, const float *b, float bm, size_t rows,
                          size_t stride, int n)
{
    double sum = 0.0;
    size_t r;
    int i, k;
    for (r = 0; r < rows; r++, a += stride, b = b ? b + stride : NULL) {
        float part[8] = {0, 0, 0, 0, 0, 0, 0, 0}, rest = 0.0f;
        for (i = 0; b && i + 8 <= n; i += 8)
            for (k = 0; k < 8; k++) part[k] += (a[i + k] - am) * (b[i + k] - bm);
        for (; !b && i + 8 <= n; i += 8)
            for (k = 0; k < 8; k++) part[k] += a[i + k];
        for (; i < n; i++) rest += b ? (a[i] - am) * (b[i] - bm) : a[i];
        for (k = 0; k < 8; k++) rest += part[k];
        sum += (double)rest;
    }
    return sum;
}
static float snn__sum(const float *x, int n)
{
    return (float)snn__moment(x, 0.0f, NULL, 0.0f, 1, 0, n);
}

static void snn__linear_forward_task(void *arg, int task)
{
    const snn__linear_job *job = (const snn__linear_job *)arg;
    snn_net *net = job->net;
    snn__node *q = job->q, *x = job->x;
    snn__task t;
    const size_t ld = snn__linear_ld(q), in = (size_t)x->n, out = (size_t)q->n;
    const size_t r1 = job->rows * (size_t)(task + 1) / (size_t)job->tasks;
    const size_t o1 = ld - job->out0 < job->outs ? ld : job->out0 + job->outs;
    const float *bias = q->i[SNN__LINEAR_BIAS] ? snn__param_value(net, q, 1) : NULL;
    uint32_t *idx;
    float *val, *acc;
    size_t r, k, o, j, m, rows;
    int count[SNN__LINEAR_ROWS];
    t.memory = net->scratch + (size_t)task * net->task_size;
    idx = SNN__SCRATCH(&t, q, SNN__LINEAR_IDX, uint32_t);
    val = SNN__SCRATCH(&t, q, SNN__LINEAR_VAL, float);
    acc = SNN__SCRATCH(&t, q, SNN__LINEAR_ACC, float);
    for (r = job->rows * (size_t)task / (size_t)job->tasks; r < r1; r += SNN__LINEAR_ROWS) {
        rows = r1 - r < SNN__LINEAR_ROWS ? r1 - r : (size_t)SNN__LINEAR_ROWS;
        for (k = 0; k < rows; k++)
            count[k] = snn__list_row(net, x, NULL, r + k, 0, in, idx + k * in, val + k * in);
        for (o = job->out0; o < o1;
             o += SNN__LINEAR_TILE) { /* a tile of the weights stays in cache for all rows */
            const size_t w = o1 - o < SNN__LINEAR_TILE ? o1 - o : (size_t)SNN__LINEAR_TILE;
            const size_t real = out > o ? (out - o < w ? out - o : w) : 0;
            for (k = 0; k < rows; k += m) {
                m = ld <= SNN__FEW && !snn__has_values(x) && k + 4 <= rows ? 4 : 1;
                if (m == 4)
                    net->kern->gather4(acc, w, bias, q->wt, ld, (int)w, idx + k * in, in,
                                       count + k);
                else
                    net->kern->gather(acc, bias ? bias + o : NULL, q->wt + o, ld, (int)w,
                                      idx + k * in, snn__has_values(x) ? val + k * in : NULL,
                                      count[k]);
                for (j = 0; j < m; j++)
                    if (q->halved)
                        net->kern->halve(snn__row_half(net, q, r + k + j) + o, acc + j * w, real);
                    else
                        memcpy(snn__row_out(net, q, &t, r + k + j) + o, acc + j * w,
                               real * sizeof(float));
            }
        }
    }
}

static void snn__linear_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    snn__linear_job job;
    snn__node *x = snn__input_of(net, q, 0);
    const size_t rows = snn__rows(net, x), in = (size_t)x->n, out = (size_t)q->n,
                 ld = snn__linear_ld(q);
    const float *bias = q->i[SNN__LINEAR_BIAS] ? snn__param_value(net, q, 1) : NULL;
    const int packed = x->signal == SNN__BITS;
    const size_t chunk = packed || q->halved ? (size_t)SNN__LINEAR_CHUNK : rows;
    float *dense = (float *)(void *)(net->op_scratch + q->s[SNN__LINEAR_DENSE]);
    float *wide = (float *)(void *)(net->op_scratch + q->s[SNN__LINEAR_WIDE]);
    size_t r, k, m;
    (void)t;
    (void)row;
    if (rows < 8 || snn__density(net, x, rows) < SNN__SPARSE_SHARE) {
        job.net = net;
        job.q = q;
        job.x = x;
        job.rows = rows;
        job.tasks = snn__task_count((rows + SNN__LINEAR_ROWS - 1) / SNN__LINEAR_ROWS);
        job.outs = SNN__LINEAR_WEIGHTS / in / SNN__LINEAR_TILE * SNN__LINEAR_TILE;
        if (job.outs < SNN__LINEAR_TILE) job.outs = SNN__LINEAR_TILE;
        if (rows < 8 * SNN__LINEAR_ROWS) job.outs = ld; /* too few to pay for blocks */
        for (job.out0 = 0; job.out0 < ld; job.out0 += job.outs)
            snn__parallel_for(&net->desc.threads, (double)rows * (double)(in + job.outs),
                              job.tasks, snn__linear_forward_task, &job);
        return;
    }
    for (r = 0; r < rows; r += m) {
        m = rows - r < chunk ? rows - r : chunk;
        for (k = 0; packed && k < m; k++)
            snn_spikes_unpack(dense + k * in, snn__row_bits(net, x, r + k), x->n, snn__gain(x));
        snn__gemm(net->kern, &net->desc.threads, (int)m, q->n, x->n,
                  packed ? dense : x->out + snn__row_index(net, x, r) * in, in, 1, q->wt, ld,
                  q->halved ? wide : q->out + snn__row_index(net, q, r) * out, out, bias, 0);
        if (q->halved) net->kern->halve(snn__row_half(net, q, r), wide, m * out);
    }
}

/* bit k of word j becomes bit j of word k (Warren, Hacker's Delight, 7-3) */
static void snn__transpose_bits(uint32_t *a)
{
    uint32_t mask = 0x0000ffffu, t;
    int j, k;
    for (j = 16; j; j >>= 1, mask ^= mask << j)
        for (k = 0; k < 32; k = (k + j + 1) & ~j) {
            t = ((a[k] >> j) ^ a[k + j]) & mask;
            a[k] ^= t << j;
            a[k + j] ^= t;
        }
}
/* dw of a range of columns, over the job's rows and outputs: one writer an element. 32 columns at a
 * time, their nonzeros are bits [row][column], turned to [column][row] and listed. */
static void snn__linear_backward_task(void *arg, int task)
{
    const snn__linear_job *job = (const snn__linear_job *)arg;
    snn_net *net = job->net;
    snn__node *q = job->q, *x = job->x;
    snn__task t;
    const size_t ld = SNN__PAD(job->outs), in = (size_t)x->n, out = (size_t)q->n;
    const size_t groups = (job->rows + 31) / 32;
    const float *dense =
        x->signal == SNN__BITS ? NULL : x->out + snn__row_index(net, x, job->row0) * in;
    /* few outputs are never cut into blocks: four columns at once, or all of a word */
    const int few = out <= SNN__FEW && !snn__has_values(x);
    const int ones = few && out <= SNN__LANES && net->kern->masked;
    const size_t list = groups * 32 + SNN__LANES;
    size_t word, r, i, j, k;
    float *dw = snn__param_grad(net, q, 0) + job->out0 * in, *val, *acc;
    uint32_t *idx, *words, *columns;
    int count[4];
    t.memory = net->scratch + (size_t)task * net->task_size;
    idx = SNN__SCRATCH(&t, q, SNN__LINEAR_IDX, uint32_t);
    val = SNN__SCRATCH(&t, q, SNN__LINEAR_VAL, float);
    acc = SNN__SCRATCH(&t, q, SNN__LINEAR_ACC, float);
    words = SNN__SCRATCH(&t, q, SNN__LINEAR_WORDS, uint32_t);
    columns = SNN__SCRATCH(&t, q, SNN__LINEAR_COLUMNS, uint32_t);
    for (word = (size_t)x->words * (size_t)task / (size_t)job->tasks;
         word < (size_t)x->words * (size_t)(task + 1) / (size_t)job->tasks; word++) {
        const size_t first = word * 32, n = in - first < 32 ? in - first : 32;
        if (ones) {
            net->kern->masked(acc, snn__row_bits(net, x, 0) + word, (size_t)x->words, job->dy, out,
                              (int)job->rows, (int)out);
            net->kern->add(dw + first, in, acc, 32, (int)out, (int)n, 1.0f);
            continue;
        }
        for (r = 0; r < job->rows; r++)
            if (dense)
                net->kern->fire(words + r, dense + r * in + first, (int)n, SNN__FIRE_NONZERO);
            else words[r] = snn__row_bits(net, x, job->row0 + r)[word];
        for (; r < groups * 32; r++) words[r] = 0;
        for (r = 0; r < groups; r++) {
            snn__transpose_bits(words + r * 32);
            for (k = 0; k < n; k++) columns[k * groups + r] = words[r * 32 + k];
        }
        for (i = 0; i < n; i += SNN__LINEAR_COLUMN) {
            const size_t m = n - i < SNN__LINEAR_COLUMN ? n - i : (size_t)SNN__LINEAR_COLUMN;
            if (job->row0) /* go on with the sums of the rows before */
                net->kern->transpose(acc, ld, dw + first + i, in, (int)job->outs, (int)m, 0);
            for (j = 0; j < m; j++) {
                const size_t at = few ? j % 4 : 0;
                count[at] = net->kern->list_bits(columns + (i + j) * groups, (int)(groups * 32),
                                                 idx + at * list);
                for (k = 0; snn__has_values(x) && k < (size_t)count[0]; k++)
                    val[k] = dense ? dense[idx[k] * in + first + i + j] : snn__gain(x);
                if (few && j + 1 == m)
                    for (k = at + 1; k < 4; k++) count[k] = 0;
                if (!few)
                    net->kern->gather(acc + j * ld, job->row0 ? acc + j * ld : NULL, job->dy, out,
                                      (int)ld, idx, snn__has_values(x) ? val : NULL, count[0]);
                else if (at == 3 || j + 1 == m)
                    net->kern->gather4(acc + (j - at) * ld, ld, NULL, job->dy, out, (int)ld, idx,
                                       list, count);
            }
            net->kern->transpose(dw + first + i, in, acc, ld, (int)m, (int)job->outs,
                                 job->row0 == 0);
        }
    }
}

static void snn__linear_bias_task(void *arg, int task)
{
    const snn__linear_job *job = (const snn__linear_job *)arg;
    const size_t out = (size_t)job->q->n, first = (size_t)task * SNN__LINEAR_TILE;
    const size_t n = out - first < SNN__LINEAR_TILE ? out - first : (size_t)SNN__LINEAR_TILE;
    size_t r;
    for (r = 0; r < job->rows; r++)
        snn__accumulate(snn__param_grad(job->net, job->q, 1) + first,
                        job->dy + r * out + first, n);
}

static void snn__linear_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    snn__linear_job job;
    snn__node *x = snn__input_of(net, q, 0);
    const size_t rows = snn__rows(net, x), in = (size_t)x->n, out = (size_t)q->n;
    const float *dy = snn__row_dout(net, q, NULL, 0);
    size_t r, o;
    (void)t;
    (void)row;
    job.net = net;
    job.q = q;
    job.x = x;
    job.rows = rows;
    job.dy = dy;
    if (q->i[SNN__LINEAR_BIAS] && snn__param_grad(net, q, 1))
        snn__parallel_for(&net->desc.threads, (double)rows * (double)out,
                          (int)((out + SNN__LINEAR_TILE - 1) / SNN__LINEAR_TILE),
                          snn__linear_bias_task, &job);
    if (snn__param_grad(net, q, 0)) {
        if (rows < 8 || snn__density(net, x, rows) < SNN__SPARSE_SHARE) {
            const int large = out > SNN__FEW && rows * out > SNN__LINEAR_LARGE;
            const size_t outs = large && out > SNN__LINEAR_OUTS ? (size_t)SNN__LINEAR_OUTS : out;
            const size_t block = large ? SNN__LINEAR_DY / SNN__PAD(outs) / 32 * 32 : rows;
            job.tasks = snn__task_count((size_t)x->words);
            for (r = 0; r < rows; r += block)
                for (o = 0; o < out; o += outs) {
                    job.row0 = r;
                    job.rows = rows - r < block ? rows - r : block;
                    job.out0 = o;
                    job.outs = out - o < outs ? out - o : outs;
                    job.dy = dy + r * out + o;
                    snn__parallel_for(&net->desc.threads,
                                      (double)job.rows * (double)(in + job.outs), job.tasks,
                                      snn__linear_backward_task, &job);
                }
        } else if (x->signal != SNN__BITS)
            snn__gemm(net->kern, &net->desc.threads, q->n, x->n, (int)rows, dy, 1, out,
                      x->out + snn__row_index(net, x, 0) * in, in, snn__param_grad(net, q, 0), in,
                      NULL, 1);
        else {
            const size_t chunk = (size_t)SNN__GEMM_M * 4;
            float *dense = (float *)(void *)(net->op_scratch + q->s[SNN__LINEAR_DENSE]);
            size_t k, m;
            for (r = 0; r < rows; r += chunk) {
                m = rows - r < chunk ? rows - r : chunk;
                for (k = 0; k < m; k++)
                    snn_spikes_unpack(dense + k * in, snn__row_bits(net, x, r + k), x->n,
                                      snn__gain(x));
                snn__gemm(net->kern, &net->desc.threads, q->n, x->n, (int)m, dy + r * out, 1, out,
                          dense, in, snn__param_grad(net, q, 0), in, NULL, 1);
            }
        }
    }
    if (x->backward && !x->lazy)
        snn__gemm(net->kern, &net->desc.threads, (int)rows, x->n, q->n, dy, out, 1,
                  snn__weights(net, q), in, snn__row_dout(net, x, NULL, 0), in, NULL, x->add);
}

/* -- conv2d: y[o][p] = b[o] + sum_(c,ky,kx) x[c][py*s + ky*d - pad][..] w[o][c][ky][kx]
 * (cross-correlation); conv1d on (C,1,L); conv_transpose2d, its adjoint
 *
 * Groups of few channels are planes, see below. Else these walks do everything, on channels-last
 * copies of rows, y [position][o] and the image [pixel][c]:
 *   spread    for each nonzero of the image (set bit, for spikes) the weights w[c][taps][o] are
 *             added to the positions that see it. With stride and dilation 1 these are some rows of
 *             neighbours, and stored backwards the weights are too: a block is added to a block.
 *   product   the same of an image with few zeros, unfolded: [c][taps][position]
 *   lookup    the same sums for many spikes: what a row of the kernel sees of a channel is a number
 *             of a few bits, and the sum of the weights w of each such pattern is in a table. Eight
 *             neighbours at once add up what their rows look up.
 *   weights   for each channel and row of its kernel, dy where the nonzeros saw it is added up in
 *             dw[c][taps][o]; with stride, dilation or groups a spread the other way round
 *   image     for each position, the rows of w [o][taps][c] of its nonzero dy are added up, then
 *             added to the pixels that it sees
 * A convolution is a spread, product or lookup forward, weights and image backward; a transposed
 * one is an image forward, its output, and a spread or product backward. All add up an output
 * channel by channel, tap by tap: stored as bits or not, spikes give the same. */
enum {
    SNN__CONV_OUT,
    SNN__CONV_KH,
    SNN__CONV_KW,
    SNN__CONV_SH,
    SNN__CONV_SW,
    SNN__CONV_PH,
    SNN__CONV_PW,
    SNN__CONV_DH,
    SNN__CONV_DW,
    SNN__CONV_GROUPS,
    SNN__CONV_BIAS,
    SNN__CONV_INIT,
    SNN__CONV_BITS,
    SNN__CONV_OPH, /* output padding */
    SNN__CONV_OPW
};
enum { SNN__POOL_KH, SNN__POOL_KW, SNN__POOL_SH, SNN__POOL_SW, SNN__POOL_PH, SNN__POOL_PW };
/* what leaves room for the rest in a first-level cache of 32 KB: weights, and positions at a time,
 * so that their lists are short; and in a second-level one: rows of tables, SNN__LANES wide */
enum { SNN__CONV_WEIGHTS = 7168, SNN__CONV_BAND = 32, SNN__CONV_TABLE = 4096 };
enum { SNN__CONV_FEW = 8 }; /* outputs of a group that are too few for the matrix product */
enum { SNN__PLANES = 4 };   /* its inputs, and outputs, at most, where channels are planes */
enum { SNN__CONV_PART = 5, SNN__CONV_WIDE = 24 }; /* inputs of a pattern, of its row, at most */
enum {
    SNN__CONV_IDX = 4,
    SNN__CONV_VAL,
    SNN__CONV_Y,
    SNN__CONV_STAGE,
    SNN__CONV_DY,
    SNN__CONV_DIMAGE,
    SNN__CONV_DW_PART,
    SNN__CONV_COUNT, /* where patterns are looked up */
    SNN__CONV_CODE,
    SNN__CONV_SEEN,
    SNN__CONV_COLUMNS /* what is unfolded, or planes of x */
}; /* s[] */

/* of an image of c x h x w and a convolution from it to o channels */
static snn__conv_shape snn__conv_shape_of(const int *i, int c, int h, int w, int o)
{
    snn__conv_shape s;
    s.c = c;
    s.h = h;
    s.w = w;
    s.hp = s.h + 2 * i[SNN__CONV_PH];
    s.wp = s.w + 2 * i[SNN__CONV_PW];
    s.o = o;
    s.oh = (s.hp - i[SNN__CONV_DH] * (i[SNN__CONV_KH] - 1) - 1 - i[SNN__CONV_OPH]) /
               i[SNN__CONV_SH] + 1;
    s.ow = (s.wp - i[SNN__CONV_DW] * (i[SNN__CONV_KW] - 1) - 1 - i[SNN__CONV_OPW]) /
               i[SNN__CONV_SW] + 1;
    s.p = s.oh * s.ow;
    s.g = i[SNN__CONV_GROUPS];
    s.cg = s.c / s.g;
    s.og = s.o / s.g;
    s.ogp = SNN__PAD(s.og);
    s.k = i[SNN__CONV_KH] * i[SNN__CONV_KW] * s.cg;
    s.op = SNN__PAD(s.o);
    s.taps = i[SNN__CONV_KH] * i[SNN__CONV_KW];
    s.run = i[SNN__CONV_DW] == 1 && s.g == 1 ? i[SNN__CONV_KW] * s.c : s.cg;
    s.runs = s.k / s.run;
    s.pitch = s.ow;
    s.origin = 0;
    s.dp = s.p;
    s.kp = s.runs * SNN__PAD(s.run);
    return s;
}
/* Does every element of the input see a whole kernel of positions, where those of dy within zeros
 * count? Then the weights' gradient is gathered. */
static int snn__conv_dense(const snn__node *q)
{
    const int *i = q->i;
    return q->op != SNN__CONV_TRANSPOSE2D && i[SNN__CONV_SH] == 1 && i[SNN__CONV_SW] == 1 &&
           i[SNN__CONV_DH] == 1 && i[SNN__CONV_DW] == 1 && i[SNN__CONV_GROUPS] == 1 &&
           i[SNN__CONV_PH] < i[SNN__CONV_KH] && i[SNN__CONV_PW] < i[SNN__CONV_KW];
}
/* Groups of few channels are convolved as planes: from 8 on it takes longer than a spread of few
 * spikes, which fills more lanes there. */
static int snn__conv_planes(const snn__node *q)
{
    const snn__conv_shape *s = &q->conv;
    return q->op != SNN__CONV_TRANSPOSE2D && s->g > 1 && s->og <= SNN__PLANES &&
           s->cg <= SNN__PLANES && s->hp * s->wp < 1 << 24; /* offsets are 32 bits */
}
/* A max pool whose windows tile its input. Where a row has few events, most tiles see none of them:
 * their outputs are the bias, and no weight asks for their gradients. */
static int snn__pool_tiles(const snn__node *q)
{
    const int *i = q->i;
    return q->op == SNN__MAX_POOL2D && i[SNN__POOL_KH] == i[SNN__POOL_SH] &&
           i[SNN__POOL_KW] == i[SNN__POOL_SW] && !i[SNN__POOL_PH] && !i[SNN__POOL_PW];
}
static int snn__conv_tiles(const snn_net *net, const snn__node *q, int axis) /* along an axis */
{
    const int size = net->node[q->tiles].i[SNN__POOL_KH + axis];
    return ((axis ? q->conv.ow : q->conv.oh) + size - 1) / size;
}
static snn_status snn__conv_infer(snn_net *net, snn__node *q)
{
    snn__node *x = &net->node[q->in[0]];
    const char *kind = snn__op_name(q);
    const int transposed = q->op == SNN__CONV_TRANSPOSE2D;
    int *i = q->i, k;
    int64_t hp, wp;
    snn__conv_shape s;
    if (x->ndim != 3)
        return snn__fail(net, SNN_ERR_SHAPE,
                         "%s \"%s\": input \"%s\" has %d axes, wants channels, height, width", kind,
                         q->name, x->name, x->ndim);
    if (q->op == SNN__CONV1D && (x->shape[1] != 1 || i[SNN__CONV_KH] != 1))
        return snn__fail(net, SNN_ERR_SHAPE,
                         "conv1d \"%s\": input \"%s\" is %d x %d x %d, wants C x 1 x L", q->name,
                         x->name, x->shape[0], x->shape[1], x->shape[2]);
    if (i[SNN__CONV_OUT] <= 0)
        return snn__fail(net, SNN_ERR_ARGUMENT,
                         "%s \"%s\": out_channels is required and positive, given %d", kind,
                         q->name, i[SNN__CONV_OUT]);
    if (i[SNN__CONV_KH] <= 0 || i[SNN__CONV_KW] <= 0)
        return snn__fail(net, SNN_ERR_ARGUMENT,
                         "%s \"%s\": kernel is required and positive, given %d x %d", kind, q->name,
                         i[SNN__CONV_KH], i[SNN__CONV_KW]);
    for (k = SNN__CONV_KH; k <= SNN__CONV_DW; k++)
        if (i[k] < (k == SNN__CONV_PH || k == SNN__CONV_PW ? 0 : 1) || i[k] > 1 << 16)
            return snn__fail(
                net, SNN_ERR_ARGUMENT,
                "%s \"%s\": kernel, stride, padding and dilation must be in range, given %d", kind,
                q->name, i[k]);
    if (i[SNN__CONV_GROUPS] < 1 || x->shape[0] % i[SNN__CONV_GROUPS] ||
        i[SNN__CONV_OUT] % i[SNN__CONV_GROUPS])
        return snn__fail(net, SNN_ERR_SHAPE,
                         "%s \"%s\": %d groups must divide %d input and %d output channels", kind,
                         q->name, i[SNN__CONV_GROUPS], x->shape[0], i[SNN__CONV_OUT]);
    hp = x->shape[1] + 2 * (int64_t)i[SNN__CONV_PH];
    wp = x->shape[2] + 2 * (int64_t)i[SNN__CONV_PW];
    if (i[SNN__CONV_OUT] > 1 << 24 || hp * wp > (1 << 28) / x->shape[0] ||
        (int64_t)i[SNN__CONV_KH] * i[SNN__CONV_KW] > (1 << 28) / x->shape[0] ||
        (int64_t)i[SNN__CONV_KH] * i[SNN__CONV_KW] > 1 << 24 ||
        (int64_t)i[SNN__CONV_DH] * i[SNN__CONV_KH] > 1 << 28 ||
        (int64_t)i[SNN__CONV_DW] * i[SNN__CONV_KW] > 1 << 28)
        return snn__fail(net, SNN_ERR_TOO_LARGE,
                         "%s \"%s\": the padded input or the kernel is too large", kind, q->name);
    for (k = 0; k < 2; k++)
        if (i[SNN__CONV_OPH + k] < 0 ||
            (i[SNN__CONV_OPH + k] &&
             (!transposed || (i[SNN__CONV_OPH + k] >= i[SNN__CONV_SH + k] &&
                              i[SNN__CONV_OPH + k] >= i[SNN__CONV_DH + k]))))
            return snn__fail(net, SNN_ERR_ARGUMENT,
                             "%s \"%s\": output padding is for transposed convolutions and less "
                             "than the stride or the dilation, given %d", kind, q->name,
                             i[SNN__CONV_OPH + k]);
    if (transposed) { /* the image is the output */
        hp = (int64_t)(x->shape[1] - 1) * i[SNN__CONV_SH] - 2 * i[SNN__CONV_PH] +
             (int64_t)i[SNN__CONV_DH] * (i[SNN__CONV_KH] - 1) + i[SNN__CONV_OPH] + 1;
        wp = (int64_t)(x->shape[2] - 1) * i[SNN__CONV_SW] - 2 * i[SNN__CONV_PW] +
             (int64_t)i[SNN__CONV_DW] * (i[SNN__CONV_KW] - 1) + i[SNN__CONV_OPW] + 1;
        if (hp < 1 || wp < 1 || hp > 1 << 20 || wp > 1 << 20 ||
            hp * wp > (1 << 28) / i[SNN__CONV_OUT])
            return snn__fail(net, SNN_ERR_SHAPE,
                             "%s \"%s\": an output of %d x %d is no image", kind, q->name,
                             hp < -1 ? -1 : hp > 1 << 20 ? 1 << 20 : (int)hp,
                             wp < -1 ? -1 : wp > 1 << 20 ? 1 << 20 : (int)wp);
        s = snn__conv_shape_of(i, i[SNN__CONV_OUT], (int)hp, (int)wp, x->shape[0]);
    } else s = snn__conv_shape_of(i, x->shape[0], x->shape[1], x->shape[2], i[SNN__CONV_OUT]);
    if (s.hp < i[SNN__CONV_DH] * (i[SNN__CONV_KH] - 1) + 1 ||
        s.wp < i[SNN__CONV_DW] * (i[SNN__CONV_KW] - 1) + 1)
        return snn__fail(net, SNN_ERR_SHAPE,
                         "%s \"%s\": a %d x %d kernel does not fit the padded %d x %d input", kind,
                         q->name, i[SNN__CONV_KH], i[SNN__CONV_KW], s.hp, s.wp);
    q->ndim = 3;
    q->shape[0] = transposed ? s.c : s.o;
    q->shape[1] = transposed ? s.h : s.oh;
    q->shape[2] = transposed ? s.w : s.ow;
    q->conv = s;
    if (snn__conv_dense(q)) {
        q->conv.pitch = s.w + i[SNN__CONV_KW] - 1;
        q->conv.origin = (i[SNN__CONV_KH] - 1 - i[SNN__CONV_PH]) * q->conv.pitch +
                         i[SNN__CONV_KW] - 1 - i[SNN__CONV_PW];
        q->conv.dp = (s.h + i[SNN__CONV_KH] - 1) * q->conv.pitch;
    }
    q->signal = x->signal == SNN__CONSTANT ? SNN__CONSTANT : SNN__DENSE;
    return snn__weight_bits_check(net, q, i[SNN__CONV_BITS]);
}
/* The spans of coordinate x of an axis; counts them where out is NULL. */
static int snn__conv_spans(const snn__conv_shape *s, const int *i, int axis, int x, snn__span *out)
{
    const int K = i[SNN__CONV_KH + axis], size = axis ? s->ow : s->oh;
    int k, n = 0, last = -2;
    for (k = 0; k < K; k++) { /* of the backward kernel */
        const int at = x + i[SNN__CONV_PH + axis] - (K - 1 - k) * i[SNN__CONV_DH + axis];
        const int p = at / i[SNN__CONV_SH + axis];
        if (at < 0 || at % i[SNN__CONV_SH + axis] || p >= size) continue;
        if (n && last == k - 1 && s->g == 1 && i[SNN__CONV_SH + axis] == 1 &&
            i[SNN__CONV_DH + axis] == 1) {
            if (out) out[n - 1].len++;
        } else {
            if (out) out[n].k = k, out[n].p = p, out[n].len = 1;
            n++;
        }
        last = k;
    }
    return n;
}
/* A row of the kernel is cut into parts, the spikes that a part sees are a pattern, and what their
 * weights add up to is looked up in q->wp, [o / SNN__LANES][ky][c][part][pattern][SNN__LANES]. */
static int snn__conv_parts(const snn__node *q)
{
    return (q->i[SNN__CONV_KW] + SNN__CONV_PART - 1) / SNN__CONV_PART;
}
static int snn__conv_part(const snn__node *q) /* inputs of one */
{
    return (q->i[SNN__CONV_KW] + snn__conv_parts(q) - 1) / snn__conv_parts(q);
}
static size_t snn__conv_table(const snn__node *q) /* patterns of a row */
{
    return (size_t)(q->conv.c * snn__conv_parts(q)) << snn__conv_part(q);
}
static int snn__conv_tabled(const snn_net *net, const snn__node *q)
{
    return snn__conv_dense(q) && snn__input_of(net, q, 0)->signal != SNN__CONSTANT &&
           q->i[SNN__CONV_KW] <= SNN__CONV_WIDE &&
           snn__conv_table(q) * (size_t)q->i[SNN__CONV_KH] <= SNN__CONV_TABLE;
}
static int snn__conv_blocks(const snn__conv_shape *s) /* of neighbours, in a row of positions */
{
    return (s->ow + SNN__ABREAST - 1) / SNN__ABREAST;
}
/* positions at a time; where nothing is trained, memory counts more than speed */
static int snn__conv_band(const snn_net *net) { return net->desc.inference ? 4 : SNN__CONV_BAND; }
/* rows of positions whose windows are unfolded at a time: enough to fill a tile of the product */
static int snn__conv_rows(const snn_net *net, const snn__conv_shape *s)
{
    const int rows = (net->desc.inference ? SNN__CONV_BAND / 2 : SNN__CONV_BAND) / s->ow;
    return rows < 1 ? 1 : rows < s->oh ? rows : s->oh;
}
static size_t snn__conv_room(const snn_net *net, const snn__conv_shape *s) /* of a list */
{
    const size_t n = (size_t)(s->c * s->h * s->w), p = net->desc.inference ? 0 : (size_t)s->p;
    const size_t band = (size_t)snn__conv_band(net) * ((size_t)s->og + SNN__LANES);
    const size_t most = n > p ? n : p;
    return (most > band ? most : band) + SNN__LANES;
}
/* -- planes
 *
 * Groups of few channels would leave most lanes of a channels-last row empty. Theirs are planes, in
 * rows of `pitch` floats with zeros between them: a tap is one offset for all positions. The output
 * is a gather over taps (of which strides take some), the gradient of the image one over the
 * mirrored taps in planes of dy, that of a weight the product of a plane of dy and a plane of x. */
static int snn__planes_pitch(const snn__node *q)
{
    return q->conv.wp + (q->i[SNN__CONV_KW] - 1) * q->i[SNN__CONV_DW];
}
static size_t snn__planes_x(const snn__node *q) /* floats of a plane of x, of dy */
{
    return (size_t)(q->conv.hp * snn__planes_pitch(q)) + SNN__LANES;
}
static size_t snn__planes_dy(const snn__node *q)
{
    return (size_t)((q->conv.hp + (q->i[SNN__CONV_KH] - 1) * q->i[SNN__CONV_DH]) *
                    snn__planes_pitch(q)) + SNN__LANES;
}
/* from the first position to the last, of all without strides */
static int snn__planes_length(const snn__node *q)
{
    return SNN__PAD((q->conv.oh - 1) * q->i[SNN__CONV_SH] * snn__planes_pitch(q) +
                    (q->conv.ow - 1) * q->i[SNN__CONV_SW] + 1);
}
/* the part of a task in the gradients: SNN__LANES sums of each weight, then the bias */
static size_t snn__planes_partial(const snn__conv_shape *s)
{
    const size_t weights = snn__mul_size((size_t)s->cg * (size_t)s->taps, SNN__LANES);
    return snn__mul_size((size_t)s->o, snn__add_size(weights, 1));
}
static void snn__planes_plan(snn_net *net, snn__node *q, snn__arena *a)
{
    const snn__conv_shape *s = &q->conv;
    const int *i = q->i, kw = i[SNN__CONV_KW], pitch = snn__planes_pitch(q);
    int c, k;
    q->wk = snn__input_of(net, q, 0)->backward
                ? snn__arena_floats(a, (size_t)s->o * (size_t)s->cg, (size_t)s->taps)
                : NULL;
    q->look = (uint32_t *)snn__arena_take(a, (size_t)((s->cg + s->og) * s->taps), sizeof *q->look);
    for (c = 0; q->look && c < s->cg + s->og; c++)
        for (k = 0; k < s->taps; k++) {
            const int back = c >= s->cg;
            const int y = back ? i[SNN__CONV_PH] + (i[SNN__CONV_KH] - 1 - k / kw) * i[SNN__CONV_DH]
                               : k / kw * i[SNN__CONV_DH];
            const int x = back ? i[SNN__CONV_PW] + (kw - 1 - k % kw) * i[SNN__CONV_DW]
                               : k % kw * i[SNN__CONV_DW];
            q->look[c * s->taps + k] = (uint32_t)(
                (back ? (size_t)(c - s->cg) * snn__planes_dy(q) : (size_t)c * snn__planes_x(q)) +
                (size_t)(y * pitch + x));
        }
}
static void snn__planes_scratch(snn_net *net, snn__node *q, snn__arena *task)
{
    const snn__conv_shape *s = &q->conv;
    const size_t y = (size_t)snn__planes_length(q), dx = (size_t)(s->h * snn__planes_pitch(q));
    q->s[SNN__CONV_COLUMNS] =
        snn__scratch_take(task, snn__mul_size((size_t)s->cg, snn__planes_x(q)), sizeof(float));
    q->s[SNN__CONV_Y] = snn__scratch_take(task, (y > dx ? y : dx) + SNN__LANES, sizeof(float));
    if (net->desc.inference) return;
    q->s[SNN__CONV_DY] =
        snn__scratch_take(task, snn__mul_size((size_t)s->og, snn__planes_dy(q)), sizeof(float));
    q->s[SNN__CONV_DW_PART] = snn__scratch_take(task, snn__planes_partial(s), sizeof(float));
}
static void snn__planes_prepare(snn_net *net, snn__node *q)
{
    const snn__conv_shape *s = &q->conv;
    const float *w = snn__weights(net, q); /* [o][cg][taps], to [c][og][taps] */
    int o, c;
    for (o = 0; q->wk && o < s->o; o++)
        for (c = 0; c < s->cg; c++, w += s->taps)
            memcpy(q->wk + ((o / s->og * s->cg + c) * s->og + o % s->og) * s->taps, w,
                   (size_t)s->taps * sizeof(float));
}
/* images of h x w into planes of `size` floats, element (0, 0) at `first` */
static void snn__planes_fill(float *plane, size_t size, int planes, size_t first, size_t row,
                             size_t column, const float *x, int h, int w)
{
    int c, y, i;
    snn__zero(plane, size * (size_t)planes);
    for (c = 0; c < planes; c++, plane += size)
        for (y = 0; y < h; y++, x += w) {
            float *to = plane + first + (size_t)y * row;
            if (column == 1) memcpy(to, x, (size_t)w * sizeof(float));
            else
                for (i = 0; i < w; i++) to[(size_t)i * column] = x[i];
        }
}
static const float *snn__planes_of_x(const snn__node *q, const snn__task *t, const float *x, int g)
{
    const snn__conv_shape *s = &q->conv;
    const size_t pitch = (size_t)snn__planes_pitch(q);
    float *plane = SNN__SCRATCH(t, q, SNN__CONV_COLUMNS, float);
    snn__planes_fill(plane, snn__planes_x(q), s->cg,
                     (size_t)q->i[SNN__CONV_PH] * pitch + (size_t)q->i[SNN__CONV_PW], pitch, 1,
                     x + g * s->cg * s->h * s->w, s->h, s->w);
    return plane;
}
static void snn__planes_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const snn__conv_shape *s = &q->conv;
    const int n = snn__planes_length(q), k = s->cg * s->taps, stride = q->i[SNN__CONV_SW];
    const size_t down = (size_t)(q->i[SNN__CONV_SH] * snn__planes_pitch(q));
    const float *w = snn__weights(net, q), *x = snn__row_in(net, q, t, row, 0), *plane = NULL;
    const float *bias = q->i[SNN__CONV_BIAS] ? snn__param_value(net, q, 1) : NULL;
    float *y = SNN__SCRATCH(t, q, SNN__CONV_Y, float), *out = snn__row_out(net, q, t, row);
    int o, oy, i;
    for (o = 0; o < s->o; o++, w += k) {
        if (o % s->og == 0) plane = snn__planes_of_x(q, t, x, o / s->og);
        for (i = 0; i < n; i++) y[i] = bias ? bias[o] : 0.0f;
        net->kern->gather(y, y, plane, 1, n, q->look, w, k);
        for (oy = 0; oy < s->oh; oy++, out += s->ow) {
            const float *from = y + (size_t)oy * down;
            if (stride == 1) memcpy(out, from, (size_t)s->ow * sizeof(float));
            else
                for (i = 0; i < s->ow; i++) out[i] = from[i * stride];
        }
    }
}
static void snn__planes_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const snn__conv_shape *s = &q->conv;
    const int n = snn__planes_length(q), k = s->cg * s->taps, pitch = snn__planes_pitch(q);
    const int within = SNN__PAD((s->h - 1) * pitch + s->w);
    const size_t size = snn__planes_dy(q), stride = (size_t)q->i[SNN__CONV_SW];
    const size_t first = (size_t)((q->i[SNN__CONV_KH] - 1) * q->i[SNN__CONV_DH] * pitch +
                                  (q->i[SNN__CONV_KW] - 1) * q->i[SNN__CONV_DW]);
    const float *x = snn__row_in(net, q, t, row, 0), *dout = snn__row_dout(net, q, t, row);
    const float *w = q->wk, *plane;
    float *dx = snn__row_din(net, q, t, row, 0), *dy = SNN__SCRATCH(t, q, SNN__CONV_DY, float);
    float *dw = SNN__SCRATCH(t, q, SNN__CONV_DW_PART, float);
    float *db = dw + (size_t)s->o * (size_t)k * SNN__LANES;
    float *y = SNN__SCRATCH(t, q, SNN__CONV_Y, float);
    int g, o, c, iy;
    for (g = 0; g < s->g; g++) {
        plane = snn__planes_of_x(q, t, x, g);
        snn__planes_fill(dy, size, s->og, first, (size_t)(q->i[SNN__CONV_SH] * pitch), stride,
                         dout, s->oh, s->ow);
        for (o = 0; o < s->og; o++, dw += k * SNN__LANES, dout += s->p) {
            net->kern->dots(dw, dy + (size_t)o * size + first, plane, q->look, k, n);
            *db++ += snn__sum(dout, s->p);
        }
        for (c = 0; dx && c < s->cg; c++, w += s->og * s->taps) {
            net->kern->gather(y, NULL, dy, 1, within, q->look + k, w, s->og * s->taps);
            for (iy = 0; iy < s->h; iy++, dx += s->w)
                snn__accumulate(dx, y + iy * pitch, (size_t)s->w);
        }
    }
}
static void snn__planes_end(snn_net *net, snn__node *q, int tasks)
{
    const snn__conv_shape *s = &q->conv;
    float *gw = snn__param_grad(net, q, 0);
    float *gb = q->i[SNN__CONV_BIAS] ? snn__param_grad(net, q, 1) : NULL;
    const size_t weights = (size_t)s->o * (size_t)(s->cg * s->taps);
    snn__task t;
    size_t i, l;
    int id;
    for (id = 0; id < tasks; id++) {
        const float *part;
        t.memory = net->scratch + (size_t)id * net->task_size;
        part = SNN__SCRATCH(&t, q, SNN__CONV_DW_PART, const float);
        for (i = 0; gw && i < weights; i++) {
            float sum = 0.0f;
            for (l = 0; l < SNN__LANES; l++) sum += part[i * SNN__LANES + l];
            gw[i] += sum;
        }
        if (gb) snn__accumulate(gb, part + weights * SNN__LANES, (size_t)s->o);
    }
}

static void snn__conv_plan(snn_net *net, snn__node *q, snn__arena *a)
{
    const snn__conv_shape *s = &q->conv;
    const int transposed = q->op == SNN__CONV_TRANSPOSE2D;
    const int backward = snn__input_of(net, q, 0)->backward;
    int i, axis;
    q->rounded = q->i[SNN__CONV_BITS]
                     ? snn__arena_floats(a, (size_t)s->o * (size_t)s->cg, (size_t)s->taps)
                     : NULL;
    if (snn__conv_planes(q)) {
        snn__planes_plan(net, q, a);
        return;
    }
    q->wt = !transposed || backward
                ? snn__arena_floats(a, (size_t)s->c * (size_t)s->taps, (size_t)s->ogp)
                : NULL;
    q->wu = !transposed && snn__input_of(net, q, 0)->signal != SNN__BITS && s->og >= SNN__CONV_FEW
                ? snn__arena_floats(a, (size_t)s->c * (size_t)s->taps, (size_t)s->ogp)
                : NULL;
    q->wp = snn__conv_tabled(net, q)
                ? snn__arena_floats(a, snn__conv_table(q) * (size_t)q->i[SNN__CONV_KH],
                                    (size_t)s->op)
                : NULL;
    q->wk = transposed || backward ? snn__arena_floats(a, (size_t)s->o, (size_t)s->kp) : NULL;
    q->run = (int32_t *)snn__arena_take(a, (size_t)(s->kp / SNN__LANES), sizeof(int32_t));
    for (axis = 0; axis < 2; axis++) {
        const int size = axis ? s->w : s->h;
        size_t spans = 0;
        for (i = 0; i < size; i++) spans += (size_t)snn__conv_spans(s, q->i, axis, i, NULL);
        q->span[axis] = (snn__span *)snn__arena_take(a, spans, sizeof(snn__span));
        q->span_at[axis] = (int32_t *)snn__arena_take(a, (size_t)size + 1, sizeof(int32_t));
        q->tile[axis] =
            (int32_t *)snn__arena_take(a, q->tiles ? 2 * (size_t)size : 0, sizeof(int32_t));
        for (i = 0; q->tile[axis] && q->tiles && i < size; i++) {
            const int tile = net->node[q->tiles].i[SNN__POOL_KH + axis];
            const int last = i + q->i[SNN__CONV_PH + axis], end = axis ? s->ow : s->oh;
            const int least = last - q->i[SNN__CONV_KH + axis] + 1;
            q->tile[axis][2 * i] = (least > 0 ? least : 0) / tile;
            q->tile[axis][2 * i + 1] = (last < end ? last : end - 1) / tile + 1;
        }
        for (i = 0; q->span_at[axis] && i < size; i++)
            q->span_at[axis][i + 1] =
                q->span_at[axis][i] + snn__conv_spans(s, q->i, axis, i,
                                                      q->span[axis] + q->span_at[axis][i]);
    }
    for (i = 0; q->run && i < s->kp / SNN__LANES; i++) {
        const int lanes = SNN__PAD(s->run) / SNN__LANES, run = i / lanes;
        const int y = s->runs == q->i[SNN__CONV_KH] ? run : run / q->i[SNN__CONV_KW];
        const int x = s->runs == q->i[SNN__CONV_KH] ? 0 : run % q->i[SNN__CONV_KW];
        q->run[i] = (y * q->i[SNN__CONV_DH] * s->wp + x * q->i[SNN__CONV_DW]) * s->c +
                    i % lanes * SNN__LANES;
    }
}
/* weight gradient of a task: [c][taps][o], then the bias: [o], of a transposed one: [c] */
static size_t snn__conv_partial(const snn__conv_shape *s)
{
    const size_t w = snn__mul_size((size_t)s->c * (size_t)s->taps, (size_t)s->ogp);
    return snn__add_size(w, (size_t)(s->op > s->c ? s->op : s->c));
}
static void snn__conv_scratch(snn_net *net, snn__node *q, snn__arena *task, snn__arena *op)
{
    const snn__conv_shape *s = &q->conv;
    const size_t y = snn__mul_size((size_t)s->p + SNN__ABREAST, (size_t)s->op);
    const size_t list = snn__conv_room(net, s);
    const int transposed = q->op == SNN__CONV_TRANSPOSE2D,
              image = transposed || (!net->desc.inference && snn__input_of(net, q, 0)->backward);
    const int staged_out = !q->hwc && !transposed && snn__staged(net, q);
    const int staged_in = image && !transposed && snn__staged(net, snn__input_of(net, q, 0));
    const size_t out = staged_out ? (size_t)s->o * (size_t)s->p : 0;
    const size_t in = staged_in ? (size_t)s->c * (size_t)(s->h * s->w) : 0;
    (void)op;
    snn__row_scratch(net, q, task);
    if (snn__conv_planes(q)) {
        snn__planes_scratch(net, q, task);
        return;
    }
    q->s[SNN__CONV_IDX] = snn__scratch_take(task, list, sizeof(uint32_t));
    q->s[SNN__CONV_VAL] = snn__scratch_take(task, list, sizeof(float));
    q->s[SNN__CONV_Y] = snn__scratch_take(task, y, sizeof(float));
    q->s[SNN__CONV_STAGE] = snn__scratch_take(task, in > out ? in : out, sizeof(float));
    if (snn__conv_tabled(net, q)) {
        const size_t rows = (size_t)(s->h * snn__conv_blocks(s));
        q->s[SNN__CONV_COUNT] = snn__scratch_take(task, rows, sizeof(uint32_t));
        q->s[SNN__CONV_CODE] = snn__scratch_take(
            task, snn__mul_size(rows * SNN__ABREAST, (size_t)(s->c * snn__conv_parts(q))),
            sizeof(uint32_t));
    }
    if (q->tiles)
        q->s[SNN__CONV_SEEN] = snn__scratch_take(
            task,
            2 * ((size_t)(snn__conv_tiles(net, q, 0) * snn__conv_tiles(net, q, 1)) + SNN__LANES),
            sizeof(uint32_t));
    if (transposed ? !net->desc.inference : snn__input_of(net, q, 0)->signal != SNN__BITS)
        q->s[SNN__CONV_COLUMNS] = snn__scratch_take(
            task, snn__mul_size((size_t)(s->cg * s->taps),
                                (size_t)(snn__conv_rows(net, s) * s->ow)), sizeof(float));
    q->s[SNN__CONV_DIMAGE] = snn__scratch_take(
        task, image ? snn__mul_size((size_t)(s->hp * s->wp), (size_t)s->c) + SNN__LANES : 0,
        sizeof(float));
    if (net->desc.inference && !transposed) return;
    q->s[SNN__CONV_DY] =
        snn__scratch_take(task, snn__mul_size((size_t)s->dp, (size_t)s->op), sizeof(float));
    if (net->desc.inference) return;
    q->s[SNN__CONV_DW_PART] = snn__scratch_take(task, snn__conv_partial(s), sizeof(float));
}
static void snn__conv_tabulate(snn__node *q, const float *w)
{
    const snn__conv_shape *s = &q->conv;
    const int kw = q->i[SNN__CONV_KW], part = snn__conv_part(q);
    float *to = q->wp;
    int o, ky, c, k, i, j, n, p;
    for (o = 0; o < s->op; o += SNN__LANES)
        for (ky = 0; ky < q->i[SNN__CONV_KH]; ky++)
            for (c = 0; c < s->c; c++)
                for (k = 0; k < kw; k += part, to += (SNN__LANES << part)) {
                    snn__zero(to, (size_t)SNN__LANES << part);
                    for (i = 0; i < part && k + i < kw; i++) { /* those without i, and its weight */
                        float weight[SNN__LANES] = {0.0f};
                        for (j = 0; j < SNN__LANES && o + j < s->o; j++)
                            weight[j] = w[((o + j) * s->c + c) * s->taps + ky * kw + k + i];
                        for (n = 1 << i, p = 0; p < n; p++)
                            for (j = 0; j < SNN__LANES; j++)
                                to[(n + p) * SNN__LANES + j] = to[p * SNN__LANES + j] + weight[j];
                    }
                }
}
static void snn__conv_prepare(snn_net *net, snn__node *q)
{
    const snn__conv_shape *s = &q->conv;
    const float *w = snn__weights(net, q); /* [o][cg][kh][kw] */
    int o, c, k;
    snn__weights_round(net, q, q->i[SNN__CONV_BITS]);
    if (snn__conv_planes(q)) {
        snn__planes_prepare(net, q);
        return;
    }
    if (q->wp) snn__conv_tabulate(q, w);
    if (q->wt) snn__zero(q->wt, (size_t)(s->c * s->taps) * (size_t)s->ogp);
    if (q->wu) snn__zero(q->wu, (size_t)(s->c * s->taps) * (size_t)s->ogp);
    if (q->wk) snn__zero(q->wk, (size_t)s->o * (size_t)s->kp);
    for (o = 0; o < s->o; o++)
        for (c = 0; c < s->cg; c++)
            for (k = 0; k < s->taps; k++) {
                const float v = w[(o * s->cg + c) * s->taps + k];
                const int image_c = o / s->og * s->cg + c, tap = s->taps - 1 - k;
                if (q->wt)
                    q->wt[(size_t)(image_c * s->taps + tap) * (size_t)s->ogp +
                          (size_t)(o % s->og)] = v;
                if (q->wu)
                    q->wu[(size_t)(image_c * s->taps + k) * (size_t)s->ogp +
                          (size_t)(o % s->og)] = v;
                if (q->wk) {
                    const int at = k * s->cg + c, run = at / s->run;
                    q->wk[(size_t)o * (size_t)s->kp +
                          (size_t)(run * SNN__PAD(s->run) + at - run * s->run)] = v;
                }
            }
}
/* nonzeros of an image, channels first; value NULL: all are 1 */
typedef struct snn__list {
    uint32_t *idx;
    float *value;
    int count;
    const float *dense; /* the image, if most is listed; else NULL */
} snn__list;
/* Too few outputs do not fill a tile of the product. */
static const float *snn__conv_dense_image(const snn__conv_shape *s, const float *image, int count)
{
    const int most = (double)count > SNN__SPARSE_SHARE * s->c * s->h * s->w;
    return most && s->og >= SNN__CONV_FEW ? image : NULL;
}
static snn__list snn__conv_list(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    snn__node *x = snn__input_of(net, q, 0);
    snn__list l;
    l.idx = SNN__SCRATCH(t, q, SNN__CONV_IDX, uint32_t);
    l.value = SNN__SCRATCH(t, q, SNN__CONV_VAL, float);
    l.count = snn__list_row(net, x, x->signal == SNN__BITS ? NULL : snn__row_out(net, x, t, row),
                            row, 0, (size_t)x->n, l.idx, l.value);
    if (!snn__has_values(x)) l.value = NULL;
    l.dense = x->signal == SNN__BITS
                  ? NULL
                  : snn__conv_dense_image(&q->conv, snn__row_out(net, x, t, row), l.count);
    return l;
}
/* The tiles that the listed nonzeros reach: seen[0] of them, and which, ascending. NULL: so many
 * that one had better take all. */
static const uint32_t *snn__conv_seen(const snn__node *q, const snn__task *t)
{
    const uint32_t *seen = SNN__SCRATCH(t, q, SNN__CONV_SEEN, const uint32_t);
    return q->tiles && seen[0] != UINT32_MAX ? seen : NULL;
}
static void snn__conv_see(const snn_net *net, const snn__node *q, const snn__task *t,
                          const snn__list *l)
{
    const snn__conv_shape *s = &q->conv;
    const uint32_t pixels = (uint32_t)(s->h * s->w), width = (uint32_t)s->w;
    const int across = snn__conv_tiles(net, q, 1), all = snn__conv_tiles(net, q, 0) * across;
    uint32_t *seen = SNN__SCRATCH(t, q, SNN__CONV_SEEN, uint32_t), first = 0;
    uint32_t *bits = seen + 1 + all + SNN__LANES;
    int i, y, x;
    seen[0] = UINT32_MAX;
    if ((int64_t)l->count * s->taps >= s->p) return;
    memset(bits, 0, (size_t)(all + 31) / 32 * sizeof *bits);
    for (i = 0; i < l->count; i++) {
        const int32_t *rows, *columns;
        if (l->idx[i] - first >= pixels) first = l->idx[i] / pixels * pixels;
        rows = q->tile[0] + 2 * ((l->idx[i] - first) / width);
        columns = q->tile[1] + 2 * ((l->idx[i] - first) % width);
        for (y = rows[0]; y < rows[1]; y++)
            for (x = columns[0]; x < columns[1]; x++)
                bits[(y * across + x) / 32] |= 1u << (y * across + x) % 32;
    }
    seen[0] = (uint32_t)net->kern->list_bits(bits, all, seen + 1);
}
/* y of these tiles, or NULL of all, = the bias */
static void snn__conv_fill(const snn_net *net, const snn__node *q, const uint32_t *seen,
                           const float *bias, float *y)
{
    const snn__conv_shape *s = &q->conv;
    const int *size = net->node[q->tiles].i, across = seen ? snn__conv_tiles(net, q, 1) : 0;
    uint32_t i;
    int row;
    if (!seen) snn__fill_rows(y, bias, s->p, s->op);
    for (i = 1; seen && i <= seen[0]; i++) {
        const int y0 = (int)seen[i] / across * size[SNN__POOL_KH];
        const int x0 = (int)seen[i] % across * size[SNN__POOL_KW];
        const int wide = size[SNN__POOL_KW] < s->ow - x0 ? size[SNN__POOL_KW] : s->ow - x0;
        for (row = y0; row < y0 + size[SNN__POOL_KH] && row < s->oh; row++)
            snn__fill_rows(y + (row * s->ow + x0) * s->op, bias, wide, s->op);
    }
}
/* columns[c][taps][position] = what positions of some rows see of a group's channels, or zero */
static void snn__conv_unfold(const snn__node *q, const float *x, int row, int rows, int backwards,
                             float *columns)
{
    const snn__conv_shape *s = &q->conv;
    const int *i = q->i, kw = i[SNN__CONV_KW], stride = i[SNN__CONV_SW];
    int c, k, r, ox;
    for (c = 0; c < s->cg; c++, x += s->h * s->w)
        for (k = 0; k < s->taps; k++)
            for (r = row; r < row + rows; r++, columns += s->ow) {
                const int tap = backwards ? s->taps - 1 - k : k;
                const int y = r * i[SNN__CONV_SH] + tap / kw * i[SNN__CONV_DH] - i[SNN__CONV_PH];
                const int x0 = tap % kw * i[SNN__CONV_DW] - i[SNN__CONV_PW];
                const int from = y * s->w + x0;
                int first = 0, last = x0 < s->w ? (s->w - 1 - x0) / stride + 1 : 0;
                if (y < 0 || y >= s->h) last = 0;
                if (last > s->ow) last = s->ow;
                while (first < last && first * stride + x0 < 0) first++;
                if (first >= last) first = last = s->ow;
                for (ox = 0; ox < first; ox++) columns[ox] = 0.0f;
                if (stride == 1 && first < last)
                    memcpy(columns + first, x + from + first,
                           (size_t)(last - first) * sizeof(float));
                else
                    for (; ox < last; ox++) columns[ox] = x[from + ox * stride];
                for (ox = last; ox < s->ow; ox++) columns[ox] = 0.0f;
            }
}
/* as snn__conv_spread, for all of an image */
static void snn__conv_product(const snn_net *net, const snn__node *q, const snn__task *t,
                              const float *x, float *y, float *w, int to_weights)
{
    const snn__conv_shape *s = &q->conv;
    const int k = s->cg * s->taps, most = snn__conv_rows(net, s);
    const int backwards = to_weights || !q->wu; /* as w */
    const size_t weights = (size_t)k * (size_t)s->ogp;
    float *columns = SNN__SCRATCH(t, q, SNN__CONV_COLUMNS, float);
    int g, row;
    if (!backwards) w = q->wu;
    for (g = 0; g < s->g; g++, x += s->cg * s->h * s->w, w += weights)
        for (row = 0; row < s->oh; row += most) {
            const int rows = most < s->oh - row ? most : s->oh - row, n = rows * s->ow;
            float *at = y + (size_t)(row * s->ow) * (size_t)s->op + g * s->og;
            snn__conv_unfold(q, x, row, rows, backwards, columns);
            if (to_weights)
                snn__gemm(net->kern, NULL, k, s->og, n, columns, (size_t)n, 1, at, (size_t)s->op, w,
                          (size_t)s->ogp, NULL, 1);
            else
                snn__gemm(net->kern, NULL, n, s->og, k, columns, 1, (size_t)n, w, (size_t)s->ogp,
                          at, (size_t)s->op, NULL, 1);
        }
}
/* For each listed nonzero: to the positions y add its weights w, or (to_weights) the other way
 * round. Elements come channel by channel, so one channel's weights stay in the fastest cache. */
static void snn__conv_spread(const snn_net *net, const snn__node *q, const snn__task *t,
                             const snn__list *l, float *y, float *w, int to_weights)
{
    const snn__conv_shape *s = &q->conv;
    const uint32_t pixels = (uint32_t)(s->h * s->w), width = (uint32_t)s->w;
    const size_t kw = (size_t)q->i[SNN__CONV_KW], ogp = (size_t)s->ogp, op = (size_t)s->op;
    const size_t ldw = kw * ogp, ldy = (size_t)s->ow * op;
    uint32_t first = 0, c = 0;
    int i, a, b;
    if (l->dense) {
        snn__conv_product(net, q, t, l->dense, y, w, to_weights);
        return;
    }
    for (i = 0; i < l->count; i++) {
        const float v = l->value ? l->value[i] : 1.0f;
        uint32_t row, column;
        if (l->idx[i] - first >= pixels) {
            c = l->idx[i] / pixels;
            first = c * pixels;
        }
        row = (l->idx[i] - first) / width;
        column = l->idx[i] - first - row * width;
        for (a = q->span_at[0][row]; a < q->span_at[0][row + 1]; a++) {
            const snn__span down = q->span[0][a];
            for (b = q->span_at[1][column]; b < q->span_at[1][column + 1]; b++) {
                const snn__span right = q->span[1][b];
                float *at_y = y + (size_t)down.p * ldy + (size_t)right.p * op +
                              (size_t)c / (size_t)s->cg * (size_t)s->og;
                float *at_w = w + (size_t)c * (size_t)s->taps * ogp + (size_t)down.k * ldw +
                              (size_t)right.k * ogp;
                if (to_weights)
                    net->kern->add(at_w, ldw, at_y, ldy, down.len, right.len * s->ogp, v);
                else net->kern->add(at_y, ldy, at_w, ldw, down.len, right.len * s->ogp, v);
            }
        }
    }
}
/* y = bias + what the patterns of each position's window look up */
static void snn__conv_lookup(const snn_net *net, const snn__node *q, const snn__task *t,
                             const uint32_t *words, const float *bias, float *y)
{
    const snn__conv_shape *s = &q->conv;
    const int kh = q->i[SNN__CONV_KH], kw = q->i[SNN__CONV_KW], blocks = snn__conv_blocks(s);
    const size_t room = (size_t)(s->c * snn__conv_parts(q)), op = (size_t)s->op;
    const size_t ldw = snn__conv_table(q) * SNN__LANES;
    uint32_t *code = SNN__SCRATCH(t, q, SNN__CONV_CODE, uint32_t);
    uint32_t *count = SNN__SCRATCH(t, q, SNN__CONV_COUNT, uint32_t);
    snn__windows v;
    int row, b, o, at = 0;
    v.stride = (uint32_t)(s->h * s->w);
    v.channels = (uint32_t)s->c;
    v.width = (uint32_t)kw;
    v.part = (uint32_t)snn__conv_part(q);
    for (row = 0; row < s->h; row++)
        for (b = 0; b < blocks; b++, at++) {
            const int x0 = b * SNN__ABREAST - q->i[SNN__CONV_PW], x1 = x0 + SNN__ABREAST - 1 + kw;
            const int left = x0 > 0 ? x0 : 0, right = x1 < s->w ? x1 : s->w;
            v.at = (uint32_t)(row * s->w + left);
            v.bits = (uint32_t)(right - left);
            v.pad = (uint32_t)(left - x0);
            count[at] = net->kern->codes(code + (size_t)at * room * SNN__ABREAST, words, &v);
        }
    for (o = 0; o < s->op; o += SNN__LANES)
        for (row = 0; row < s->oh; row++) { /* beyond its end it writes what the next one will */
            const int y0 = row - q->i[SNN__CONV_PH], top = y0 > 0 ? y0 : 0;
            const int bottom = y0 + kh < s->h ? y0 + kh : s->h;
            const float *w = q->wp + (size_t)(o / SNN__LANES * kh + top - y0) * ldw;
            for (b = 0, at = top * blocks; b < blocks; b++, at++)
                net->kern->lookup(y + (size_t)(row * s->ow + b * SNN__ABREAST) * op + o, op,
                                  bias ? bias + o : NULL, w, ldw,
                                  code + (size_t)at * room * SNN__ABREAST, room, count + at,
                                  (size_t)blocks, bottom - top);
        }
}
/* dw += what the listed nonzeros saw of dy: for each channel and row of its kernel a gather over
 * the channel's nonzeros, so that weights stay in registers. The list is used up. */
static void snn__conv_weights(const snn_net *net, const snn__node *q, snn__list *l,
                              const float *dy, float *dw)
{
    const snn__conv_shape *s = &q->conv;
    const int kh = q->i[SNN__CONV_KH];
    const uint32_t pixels = (uint32_t)(s->h * s->w), width = (uint32_t)s->w;
    const uint32_t pitch = (uint32_t)s->pitch;
    const size_t op = (size_t)s->op, ldw = (size_t)q->i[SNN__CONV_KW] * op;
    uint32_t *idx = l->idx;
    int i, k, end;
    for (i = 0; i < l->count; i = end) {
        const uint32_t c = idx[i] / pixels, first = c * pixels;
        float *w = dw + (size_t)c * (size_t)s->taps * op;
        for (end = i; end < l->count && idx[end] - first < pixels; end++) {
            const uint32_t row = (idx[end] - first) / width;
            idx[end] += row * (pitch - width) - first;
        }
        for (k = 0; k < kh; k++, w += ldw)
            net->kern->gather(w, w, dy + (size_t)k * pitch * op, op, (int)ldw, idx + i,
                              l->value ? l->value + i : NULL, end - i);
    }
}
/* image += dy W, a band of positions at a time and of the weights what stays in the cache */
static void snn__conv_image(const snn_net *net, const snn__node *q, const snn__task *t,
                            const float *dy, float *image)
{
    const snn__conv_shape *s = &q->conv;
    const size_t room = (size_t)s->og + SNN__LANES;
    uint32_t *idx = SNN__SCRATCH(t, q, SNN__CONV_IDX, uint32_t);
    float *val = SNN__SCRATCH(t, q, SNN__CONV_VAL, float);
    const int parts = 1 + (int)((size_t)s->og * (size_t)s->kp / SNN__CONV_WEIGHTS);
    const int part = SNN__PAD((s->kp + parts - 1) / parts);
    const int whole = snn__conv_band(net);
    int p, g, k, o, count[SNN__CONV_BAND];
    size_t at[SNN__CONV_BAND];
    for (g = 0; g < s->g; g++)
        for (p = 0; p < s->p; p += whole) {
            const int band = whole < s->p - p ? whole : s->p - p;
            for (k = 0; k < band; k++) {
                const int oy = (p + k) / s->ow, ox = (p + k) % s->ow;
                count[k] = net->kern->list_floats(
                    dy + (size_t)(s->origin + oy * s->pitch + ox) * (size_t)s->op + g * s->og,
                    s->og, idx + (size_t)k * room, val + (size_t)k * room);
                at[k] = (size_t)(oy * q->i[SNN__CONV_SH] * s->wp + ox * q->i[SNN__CONV_SW]) *
                            (size_t)s->c + (size_t)(g * s->cg);
            }
            for (o = 0; o < s->kp; o += part)
                for (k = 0; k < band; k++)
                    if (count[k]) /* at most positions behind a max pool nothing arrives */
                        net->kern->gather_to(image + at[k], q->run + o / SNN__LANES,
                                             q->wk + (size_t)(g * s->og) * (size_t)s->kp + o,
                                             (size_t)s->kp, s->kp - o < part ? s->kp - o : part,
                                             idx + (size_t)k * room, val + (size_t)k * room,
                                             count[k]);
        }
}
/* x, channels first, = the image within its padding, or with add += */
static void snn__conv_cut(const snn_net *net, const snn__node *q, const float *image, float *x,
                          int add)
{
    const snn__conv_shape *s = &q->conv;
    const int whole = s->wp == s->w; /* then all rows are one */
    const float *at = image + (size_t)(q->i[SNN__CONV_PH] * s->wp + q->i[SNN__CONV_PW]) *
                                  (size_t)s->c;
    int y;
    for (y = 0; y < (whole ? 1 : s->h); y++)
        net->kern->transpose(x + y * s->w, (size_t)(s->h * s->w), at + (size_t)(y * s->wp * s->c),
                             (size_t)s->c, whole ? s->h * s->w : s->w, s->c, add);
}
/* dy, channels last, of a row channels first */
static void snn__conv_positions(const snn_net *net, const snn__node *q, const float *d, float *dy)
{
    const snn__conv_shape *s = &q->conv;
    const int whole = s->pitch == s->ow;
    int y;
    for (y = 0; y < (whole ? 1 : s->oh); y++)
        net->kern->transpose(dy + (size_t)(s->origin + y * s->pitch) * (size_t)s->op,
                             (size_t)s->op, d + y * s->ow, (size_t)s->p, s->o,
                             whole ? s->p : s->ow, 0);
}
/* the bias gradient of a task: behind that of the weights */
static float *snn__conv_dbias(const snn__node *q, const snn__task *t)
{
    return SNN__SCRATCH(t, q, SNN__CONV_DW_PART, float) +
           (size_t)(q->conv.c * q->conv.taps) * (size_t)q->conv.ogp;
}
/* db[o] += the sum of dy over positions: of each row of them, then of those. What a pool of tiles
 * adds up itself (snn__pool_bias) is the same. */
static void snn__conv_bias(const snn_net *net, const snn__node *q, const snn__task *t,
                           const float *dy, float *db)
{
    const snn__conv_shape *s = &q->conv;
    uint32_t *idx = SNN__SCRATCH(t, q, SNN__CONV_IDX, uint32_t);
    float *sum = SNN__SCRATCH(t, q, SNN__CONV_Y, float); /* forward's */
    int y, x;
    for (x = 0; x < s->ow; x++) idx[x] = (uint32_t)x;
    for (y = 0; y < s->oh; y++) {
        net->kern->gather(sum, NULL, dy + (size_t)(s->origin + y * s->pitch) * (size_t)s->op,
                          (size_t)s->op, s->op, idx, NULL, s->ow);
        snn__accumulate(db, sum, (size_t)s->op);
    }
}

/* The row as bits, if it is ones, and enough of them that lookups are faster than a spread: one for
 * every four rows of a block's channels. */
static const uint32_t *snn__conv_ones(const snn_net *net, snn__node *q, const snn__task *t,
                                      size_t row)
{
    const snn__conv_shape *s = &q->conv;
    snn__node *x = snn__input_of(net, q, 0);
    const uint32_t *words = NULL;
    if (!q->wp) return NULL;
    if (x->signal != SNN__BITS) {
        const float *dense = snn__row_out(net, x, t, row);
        uint32_t *packed = SNN__SCRATCH(t, q, SNN__CONV_IDX, uint32_t);
        int i = 0;
        while (i < x->n && (dense[i] == 0.0f || dense[i] == 1.0f)) i++;
        if (i == x->n) net->kern->fire(packed, dense, x->n, SNN__FIRE_NONZERO);
        if (i == x->n) words = packed;
    } else if (!snn__has_values(x)) words = snn__row_bits(net, x, row);
    return words && 4 * snn__count_bits(words, (size_t)(x->n + 31) / 32) >
                        (size_t)(s->h * snn__conv_blocks(s) * s->c)
               ? words
               : NULL;
}
static void snn__conv_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const snn__conv_shape *s = &q->conv;
    const float *bias = q->i[SNN__CONV_BIAS] ? snn__param_value(net, q, 1) : NULL;
    float *y = SNN__SCRATCH(t, q, SNN__CONV_Y, float), *out, *stage;
    const uint32_t *ones;
    if (snn__conv_planes(q)) {
        snn__planes_forward(net, q, t, row);
        return;
    }
    ones = snn__conv_ones(net, q, t, row);
    if (ones) {
        if (q->tiles) SNN__SCRATCH(t, q, SNN__CONV_SEEN, uint32_t)[0] = UINT32_MAX;
        snn__conv_lookup(net, q, t, ones, bias, y);
    } else {
        const snn__list l = snn__conv_list(net, q, t, row);
        if (q->tiles) snn__conv_see(net, q, t, &l);
        snn__conv_fill(net, q, snn__conv_seen(q, t), bias, y);
        snn__conv_spread(net, q, t, &l, y, q->wt, 0);
    }
    if (q->hwc) return;
    out = snn__row_out(net, q, t, row);
    stage = snn__stage(net, q, q, t, SNN__CONV_STAGE, out);
    net->kern->transpose(stage, (size_t)s->p, y, (size_t)s->op, s->p, s->o, 0);
    snn__stage_write(out, stage, (size_t)(s->p * s->o));
}
static void snn__conv_begin(snn_net *net, snn__node *q, snn__task *t)
{
    const int planes = snn__conv_planes(q);
    (void)net;
    snn__zero(SNN__SCRATCH(t, q, SNN__CONV_DW_PART, float),
              planes ? snn__planes_partial(&q->conv) : snn__conv_partial(&q->conv));
    if (planes) return;
    snn__zero(SNN__SCRATCH(t, q, SNN__CONV_DY, float), /* its border, and what no window sees */
              (size_t)q->conv.dp * (size_t)q->conv.op);
}
static void snn__conv_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const snn__conv_shape *s = &q->conv;
    const snn__node *x = snn__input_of(net, q, 0);
    float *dy = SNN__SCRATCH(t, q, SNN__CONV_DY, float);
    float *image = SNN__SCRATCH(t, q, SNN__CONV_DIMAGE, float);
    float *dw = SNN__SCRATCH(t, q, SNN__CONV_DW_PART, float), *dx, *stage;
    snn__list l;
    if (snn__conv_planes(q)) {
        snn__planes_backward(net, q, t, row);
        return;
    }
    l = snn__conv_list(net, q, t, row);
    if (!q->hwc) snn__conv_positions(net, q, snn__row_dout(net, q, t, row), dy);
    if (snn__conv_dense(q)) snn__conv_weights(net, q, &l, dy, dw);
    else snn__conv_spread(net, q, t, &l, dy, dw, 1);
    if (!q->tiles) snn__conv_bias(net, q, t, dy, snn__conv_dbias(q, t));
    if (!x->backward) return;
    snn__zero(image, (size_t)(s->hp * s->wp) * (size_t)s->c);
    snn__conv_image(net, q, t, dy, image);
    dx = snn__row_dout(net, x, t, row);
    stage = x->add ? dx : snn__stage(net, x, q, t, SNN__CONV_STAGE, dx);
    snn__conv_cut(net, q, image, stage, x->add);
    snn__stage_write(dx, stage, (size_t)x->n);
}
static void snn__conv_transpose_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const snn__conv_shape *s = &q->conv;
    const float *bias = q->i[SNN__CONV_BIAS] ? snn__param_value(net, q, 1) : NULL;
    float *x = SNN__SCRATCH(t, q, SNN__CONV_DY, float), *out = snn__row_out(net, q, t, row);
    float *image = SNN__SCRATCH(t, q, SNN__CONV_DIMAGE, float);
    int c, i;
    snn__conv_positions(net, q, snn__row_in(net, q, t, row, 0), x);
    snn__zero(image, (size_t)(s->hp * s->wp) * (size_t)s->c);
    snn__conv_image(net, q, t, x, image);
    for (c = 0; c < s->c; c++)
        for (i = 0; i < s->h * s->w; i++) out[c * s->h * s->w + i] = bias ? bias[c] : 0.0f;
    snn__conv_cut(net, q, image, out, 1);
}
static void snn__conv_transpose_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const snn__conv_shape *s = &q->conv;
    const float *dout = snn__row_dout(net, q, t, row);
    float *x = SNN__SCRATCH(t, q, SNN__CONV_DY, float);
    float *dx = SNN__SCRATCH(t, q, SNN__CONV_Y, float);
    float *dw = SNN__SCRATCH(t, q, SNN__CONV_DW_PART, float), *din;
    float *db = snn__conv_dbias(q, t);
    snn__list l;
    int c;
    snn__conv_positions(net, q, snn__row_in(net, q, t, row, 0), x);
    l.idx = SNN__SCRATCH(t, q, SNN__CONV_IDX, uint32_t);
    l.value = SNN__SCRATCH(t, q, SNN__CONV_VAL, float);
    l.count = net->kern->list_floats(dout, q->n, l.idx, l.value);
    l.dense = snn__conv_dense_image(s, dout, l.count);
    snn__conv_spread(net, q, t, &l, x, dw, 1);
    for (c = 0; c < s->c; c++)
        db[c] += snn__sum(dout + c * s->h * s->w, s->h * s->w);
    din = snn__row_din(net, q, t, row, 0);
    if (!din) return;
    snn__zero(dx, (size_t)s->p * (size_t)s->op);
    snn__conv_spread(net, q, t, &l, dx, q->wt, 0);
    net->kern->transpose(din, (size_t)s->p, dx, (size_t)s->op, s->p, s->o, 1);
}
static void snn__conv_end(snn_net *net, snn__node *q, int tasks)
{
    const snn__conv_shape *s = &q->conv;
    const int transposed = q->op == SNN__CONV_TRANSPOSE2D;
    float *gw = snn__param_grad(net, q, 0),
          *gb = q->i[SNN__CONV_BIAS] ? snn__param_grad(net, q, 1) : NULL;
    snn__task t;
    int id, o, c, k;
    if (snn__conv_planes(q)) {
        snn__planes_end(net, q, tasks);
        return;
    }
    for (id = 0; id < tasks; id++) {
        const float *part;
        t.memory = net->scratch + (size_t)id * net->task_size;
        part = SNN__SCRATCH(&t, q, SNN__CONV_DW_PART, const float);
        for (o = 0; gw && o < s->o; o++)
            for (c = 0; c < s->cg; c++)
                for (k = 0; k < s->taps; k++)
                    gw[(o * s->cg + c) * s->taps + k] +=
                        part[(size_t)((o / s->og * s->cg + c) * s->taps + s->taps - 1 - k) *
                                 (size_t)s->ogp +
                             (size_t)(o % s->og)];
        if (gb)
            snn__accumulate(gb, snn__conv_dbias(q, &t), (size_t)(transposed ? s->c : s->o));
    }
}

/* -- pooling: max (gradient to the first maximum of the window), average (sum/(kh kw), padding
 * counted), sum. Reads a convolution's channels-last scratch directly when chained to one. */
enum { SNN__POOL_ROW = 4, SNN__POOL_ARG, SNN__POOL_AT, SNN__POOL_STAGE };

static snn_status snn__pool_infer(snn_net *net, snn__node *q)
{
    snn__node *x = &net->node[q->in[0]];
    const int *i = q->i;
    int k, a;
    if (x->ndim != 3)
        return snn__fail(net, SNN_ERR_SHAPE,
                         "pool \"%s\": input \"%s\" has %d axes, wants channels, height, width",
                         q->name, x->name, x->ndim);
    if (i[SNN__POOL_KH] <= 0 || i[SNN__POOL_KW] <= 0 ||
        (int64_t)i[SNN__POOL_KH] * i[SNN__POOL_KW] > 256)
        return snn__fail(
            net, SNN_ERR_ARGUMENT,
            "pool \"%s\": kernel is required, positive and at most 256 elements, given %d x %d",
            q->name, i[SNN__POOL_KH], i[SNN__POOL_KW]);
    if (i[SNN__POOL_SH] <= 0 || i[SNN__POOL_SW] <= 0)
        return snn__fail(net, SNN_ERR_ARGUMENT,
                         "pool \"%s\": stride must be positive, given %d x %d", q->name,
                         i[SNN__POOL_SH], i[SNN__POOL_SW]);
    for (k = 0; k < 2; k++)
        if (i[SNN__POOL_PH + k] < 0 || i[SNN__POOL_PH + k] > i[SNN__POOL_KH + k] / 2)
            return snn__fail(net, SNN_ERR_ARGUMENT,
                             "pool \"%s\": padding must be between 0 and half the kernel, given %d",
                             q->name, i[SNN__POOL_PH + k]);
    q->ndim = 3;
    q->shape[0] = x->shape[0];
    for (a = 1; a < 3; a++) {
        int size = x->shape[a] + 2 * i[SNN__POOL_PH + a - 1];
        if (size < i[SNN__POOL_KH + a - 1])
            return snn__fail(net, SNN_ERR_SHAPE,
                             "pool \"%s\": window %d is larger than the padded input %d", q->name,
                             i[SNN__POOL_KH + a - 1], size);
        q->shape[a] = (size - i[SNN__POOL_KH + a - 1]) / i[SNN__POOL_SH + a - 1] + 1;
    }
    q->signal = x->signal == SNN__CONSTANT ? SNN__CONSTANT : SNN__DENSE;
    return SNN_OK;
}
/* Which element of its window each output was: [positions][channels] bytes in scratch, stored in
 * as few bits as a window needs. */
static size_t snn__pool_bits(const snn__node *q)
{
    const int elements = q->i[SNN__POOL_KH] * q->i[SNN__POOL_KW];
    return elements <= 4 ? 2 : elements <= 16 ? 4 : 8;
}
static size_t snn__pool_words(const snn__node *q) /* of a row */
{
    const size_t bytes = 32 / snn__pool_bits(q);
    return ((size_t)q->n + bytes - 1) / bytes;
}
static void snn__pool_scratch(snn_net *net, snn__node *q, snn__arena *task, snn__arena *op)
{
    (void)op;
    snn__row_scratch(net, q, task);
    q->s[SNN__POOL_ROW] = snn__scratch_take(
        task, snn__mul_size(SNN__PAD((size_t)q->shape[0]), (size_t)(q->shape[1] * q->shape[2])),
        sizeof(float));
    q->s[SNN__POOL_ARG] = snn__scratch_take(
        task, SNN__LANES + snn__pool_words(q) * (32 / snn__pool_bits(q)), 1);
    q->s[SNN__POOL_AT] = snn__scratch_take(
        task, (size_t)(q->i[SNN__POOL_KH] * q->i[SNN__POOL_KW]), sizeof(int32_t));
    q->s[SNN__POOL_STAGE] = snn__scratch_take(
        task, q->op == SNN__MAX_POOL2D && snn__staged(net, q) ? (size_t)q->n : 0, sizeof(float));
}

/* element (c, y, x) of the input is at data[c*sc + (y*w + x)*sp]; and so of its gradient */
typedef struct snn__pool_view {
    const float *data;
    float *grad;
    size_t sc, sp;
    int w;
} snn__pool_view;
/* adds: not each element is written once */
static snn__pool_view snn__pool_input(snn_net *net, snn__node *q, snn__task *t, size_t row,
                                      int backward, int adds)
{
    snn__node *x = snn__input_of(net, q, 0);
    snn__pool_view v;
    v.data = NULL;
    v.grad = NULL;
    v.w = net->node[q->in[0]].shape[2];
    if (x->hwc) {
        v.sc = 1;
        v.sp = SNN__PAD((size_t)x->shape[0]);
        v.data = SNN__SCRATCH(t, x, SNN__CONV_Y, const float);
        if (!backward) return v;
        v.w = x->conv.pitch;
        v.grad = SNN__SCRATCH(t, x, SNN__CONV_DY, float);
        if (adds) snn__zero(v.grad, v.sp * (size_t)x->conv.dp);
        v.grad += (size_t)x->conv.origin * v.sp;
    } else {
        v.sp = 1;
        v.sc = (size_t)(net->node[q->in[0]].shape[1] * v.w);
        if (backward) v.grad = snn__row_din(net, q, t, row, 0);
        else v.data = snn__row_in(net, q, t, row, 0);
    }
    return v;
}
/* the window of output (oy, ox), cut to the input */
typedef struct snn__window {
    int y0, y1, x0, x1;
} snn__window;
static snn__window snn__pool_window(const int *i, int h, int w, int oy, int ox)
{
    snn__window n;
    n.y0 = oy * i[SNN__POOL_SH] - i[SNN__POOL_PH];
    n.x0 = ox * i[SNN__POOL_SW] - i[SNN__POOL_PW];
    n.y1 = n.y0 + i[SNN__POOL_KH] < h ? n.y0 + i[SNN__POOL_KH] : h;
    n.x1 = n.x0 + i[SNN__POOL_KW] < w ? n.x0 + i[SNN__POOL_KW] : w;
    return n;
}

/* where the window of output (oy, ox) starts; at[]: its elements from there on, the same *count
 * as before if it is not cut */
SNN__INLINE size_t snn__pool_elements(const snn__node *q, const int *in, const snn__pool_view *v,
                                 int oy, int ox, int32_t *at, int *count)
{
    const int size = q->i[SNN__POOL_KH] * q->i[SNN__POOL_KW];
    snn__window n;
    int y0, x0, y, x;
    if (*count == size && !q->i[SNN__POOL_PH] && !q->i[SNN__POOL_PW]) /* then none is cut */
        return (size_t)(oy * q->i[SNN__POOL_SH] * v->w + ox * q->i[SNN__POOL_SW]) * v->sp;
    n = snn__pool_window(q->i, in[1], in[2], oy, ox);
    y0 = n.y0 < 0 ? 0 : n.y0;
    x0 = n.x0 < 0 ? 0 : n.x0;
    if (*count != size || (n.y1 - y0) * (n.x1 - x0) != size)
        for (*count = 0, y = 0; y < n.y1 - y0; y++)
            for (x = 0; x < n.x1 - x0; x++) at[(*count)++] = (y * v->w + x) * (int32_t)v->sp;
    return (size_t)(y0 * v->w + x0) * v->sp;
}
static uint32_t *snn__pool_argmax(const snn_net *net, const snn__node *q, size_t row)
{
    const int t0 = q->signal == SNN__CONSTANT ? 0 : net->t0 % net->window;
    return q->argmax + ((size_t)t0 * (size_t)net->desc.batch + row) * snn__pool_words(q);
}
/* the next of these tiles (NULL: of all outputs), so many in a line; *k: how many so far; and its
 * place; 0: none */
static int snn__pool_next(const snn__node *q, const uint32_t *seen, int wide, int *k, int *oy,
                          int *ox)
{
    const int count = seen ? (int)seen[0] : q->shape[1] * q->shape[2];
    while (++*k <= count) {
        const int at = seen ? (int)seen[*k] : *k - 1;
        *oy = at / wide;
        *ox = at % wide;
        if (*oy < q->shape[1] && *ox < q->shape[2]) return 1; /* tiles may be cut, outputs not */
    }
    return 0;
}
static void snn__max_pool_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const int *in = net->node[q->in[0]].shape, channels = q->shape[0],
              positions = q->shape[1] * q->shape[2];
    const snn__pool_view v = snn__pool_input(net, q, t, row, 0, 0);
    const size_t padded = SNN__PAD((size_t)channels);
    const snn__node *x = snn__input_of(net, q, 0);
    const uint32_t *seen = snn__conv_seen(x, t);
    const int wide = seen ? snn__conv_tiles(net, x, 1) : q->shape[2];
    float *best = SNN__SCRATCH(t, q, SNN__POOL_ROW, float), *out = snn__row_out(net, q, t, row);
    float *stage = snn__stage(net, q, q, t, SNN__POOL_STAGE, out);
    unsigned char *winners = SNN__SCRATCH(t, q, SNN__POOL_ARG, unsigned char);
    int32_t *at = SNN__SCRATCH(t, q, SNN__POOL_AT, int32_t);
    int i = 0, oy = 0, ox = 0, c, k, count = 0;
    if (seen) {
        snn__fill_rows(best, x->i[SNN__CONV_BIAS] ? snn__param_value(net, x, 1) : NULL, positions,
                       (int)padded);
        memset(winners, 0, (size_t)q->n);
    }
    while (snn__pool_next(q, seen, wide, &i, &oy, &ox)) {
        const float *from = v.data + snn__pool_elements(q, in, &v, oy, ox, at, &count);
        /* what is too much of a position's padded numbers the next one overwrites */
        float *y = best + (size_t)(oy * q->shape[2] + ox) * padded;
        unsigned char *arg = winners + (oy * q->shape[2] + ox) * channels;
        if (x->hwc) net->kern->maximum(y, arg, from, at, count, (int)padded);
        else
            for (c = 0; c < channels; c++, from += v.sc)
                for (y[c] = from[at[0]], arg[c] = 0, k = 1; k < count; k++)
                    if (from[at[k]] > y[c]) y[c] = from[at[k]], arg[c] = (unsigned char)k;
    }
    if (q->argmax)
        snn__bytes_fold(snn__pool_argmax(net, q, row), (const uint32_t *)(const void *)winners,
                        snn__pool_words(q), snn__pool_bits(q));
    net->kern->transpose(stage, (size_t)positions, best, padded, positions, channels, 0);
    snn__stage_write(out, stage, (size_t)q->n);
}
/* the gradient of the bias of the convolution whose positions these windows tile */
static void snn__pool_bias(const snn_net *net, const snn__node *q, const float *d,
                           const unsigned char *arg, float *db)
{
    const size_t channels = (size_t)q->shape[0], padded = SNN__PAD(channels);
    const int kw = q->i[SNN__POOL_KW], size = q->i[SNN__POOL_KH] * kw;
    int oy, first;
    for (oy = 0; oy < q->shape[1]; oy++) {
        for (first = 0; first < size; first += kw) /* a row of positions */
            net->kern->add_won(db, d, padded, arg, channels, q->shape[2], first, kw, (int)padded);
        d += (size_t)q->shape[2] * padded;
        arg += (size_t)q->shape[2] * channels;
    }
}
static void snn__max_pool_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const int *in = net->node[q->in[0]].shape, channels = q->shape[0],
              positions = q->shape[1] * q->shape[2];
    const int meet = q->i[SNN__POOL_KH] > q->i[SNN__POOL_SH] ||
                     q->i[SNN__POOL_KW] > q->i[SNN__POOL_SW]; /* windows have elements in common */
    const snn__pool_view v = snn__pool_input(net, q, t, row, 1, meet);
    const size_t padded = SNN__PAD((size_t)channels);
    float *rows = SNN__SCRATCH(t, q, SNN__POOL_ROW, float);
    int32_t *at = SNN__SCRATCH(t, q, SNN__POOL_AT, int32_t);
    unsigned char *winners = SNN__SCRATCH(t, q, SNN__POOL_ARG, unsigned char);
    const uint32_t *seen = NULL;
    snn__node *x = snn__input_of(net, q, 0);
    int i = 0, oy = 0, ox = 0, wide = q->shape[2], c, count = 0;
    if (!v.grad) return;
    snn__bytes_unfold((uint32_t *)(void *)winners, snn__pool_argmax(net, q, row),
                      snn__pool_words(q), snn__pool_bits(q));
    net->kern->transpose(rows, padded, snn__row_dout(net, q, t, row), (size_t)positions, channels,
                         positions, 0);
    if (x->tiles) snn__pool_bias(net, q, rows, winners, snn__conv_dbias(x, t));
    if (x->tiles && !snn__input_of(net, x, 0)->backward) { /* weights alone ask for gradients */
        const snn__list l = snn__conv_list(net, x, t, row);
        snn__conv_see(net, x, t, &l);
        seen = snn__conv_seen(x, t);
        if (seen) wide = snn__conv_tiles(net, x, 1);
    }
    while (snn__pool_next(q, seen, wide, &i, &oy, &ox)) {
        const int p = oy * q->shape[2] + ox;
        const float *d = rows + (size_t)p * padded;
        const unsigned char *arg = winners + p * channels;
        float *to = v.grad + snn__pool_elements(q, in, &v, oy, ox, at, &count);
        if (x->hwc) net->kern->unpool(to, at, count, d, arg, (int)padded, meet);
        else
            for (c = 0; c < channels; c++) to[(size_t)c * v.sc + (size_t)at[arg[c]]] += d[c];
    }
}

/* 1 for the sum, 1/(kh kw) for the average */
static float snn__pool_factor(const snn__node *q) { return q->f[0]; }
static snn_status snn__avg_pool_infer(snn_net *net, snn__node *q)
{
    snn_status status = snn__pool_infer(net, q);
    if (status == SNN_OK) q->f[0] = 1.0f / (float)(q->i[SNN__POOL_KH] * q->i[SNN__POOL_KW]);
    return status;
}
static snn_status snn__sum_pool_infer(snn_net *net, snn__node *q)
{
    q->f[0] = 1.0f;
    return snn__pool_infer(net, q);
}
static void snn__mean_pool_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const int *in = net->node[q->in[0]].shape, positions = q->shape[1] * q->shape[2];
    snn__pool_view v = snn__pool_input(net, q, t, row, 0, 0);
    float *out = snn__row_out(net, q, t, row), *sum = SNN__SCRATCH(t, q, SNN__POOL_ROW, float);
    int p, y, x, c;
    for (p = 0; p < positions; p++) {
        snn__window n = snn__pool_window(q->i, in[1], in[2], p / q->shape[2], p % q->shape[2]);
        snn__zero(sum, (size_t)q->shape[0]);
        for (y = n.y0 < 0 ? 0 : n.y0; y < n.y1; y++)
            for (x = n.x0 < 0 ? 0 : n.x0; x < n.x1; x++)
                for (c = 0; c < q->shape[0]; c++)
                    sum[c] += v.data[(size_t)c * v.sc + (size_t)(y * v.w + x) * v.sp];
        for (c = 0; c < q->shape[0]; c++) out[c * positions + p] = sum[c] * snn__pool_factor(q);
    }
}
static void snn__mean_pool_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const int *in = net->node[q->in[0]].shape, positions = q->shape[1] * q->shape[2];
    snn__pool_view v = snn__pool_input(net, q, t, row, 1, 1);
    const float *d = snn__row_dout(net, q, t, row);
    int p, y, x, c;
    if (!v.grad) return;
    for (p = 0; p < positions; p++) {
        snn__window n = snn__pool_window(q->i, in[1], in[2], p / q->shape[2], p % q->shape[2]);
        for (y = n.y0 < 0 ? 0 : n.y0; y < n.y1; y++)
            for (x = n.x0 < 0 ? 0 : n.x0; x < n.x1; x++)
                for (c = 0; c < q->shape[0]; c++)
                    v.grad[(size_t)c * v.sc + (size_t)(y * v.w + x) * v.sp] +=
                        d[c * positions + p] * snn__pool_factor(q);
    }
}

/* -- flatten, reshape: another shape on the same numbers */
static snn_status snn__view_infer(snn_net *net, snn__node *q)
{
    snn__node *x = &net->node[q->in[0]];
    int k;
    int64_t n = 1;
    for (k = 0; k < 3; k++) q->shape[k] = q->i[k] > 0 ? q->i[k] : 1;
    q->ndim = q->i[1] > 0 || q->i[2] > 0 ? 3 : 1;
    if (!q->i[0]) q->shape[0] = x->n; /* flatten */
    for (k = 0; k < q->ndim; k++) n = n > 1 << 28 ? n : n * q->shape[k];
    if (n != x->n)
        return snn__fail(net, SNN_ERR_SHAPE,
                         "reshape \"%s\": %d x %d x %d does not hold the %d features of \"%s\"",
                         q->name, q->shape[0], q->shape[1], q->shape[2], x->n, x->name);
    q->signal = x->signal;
    return SNN_OK;
}

/* -- add, multiply, iand (residual connections), concat (along channels), scale, dropout */
static snn__signal snn__mixed_signal(const snn_net *net, const snn__node *q)
{
    int k;
    for (k = 0; k < q->ins; k++)
        if (net->node[q->in[k]].signal != SNN__CONSTANT) return SNN__DENSE;
    return SNN__CONSTANT;
}
static snn_status snn__add_infer(snn_net *net, snn__node *q)
{
    snn__node *a = &net->node[q->in[0]], *b = &net->node[q->in[1]];
    if (a->ndim != b->ndim || memcmp(a->shape, b->shape, sizeof a->shape))
        return snn__fail(net, SNN_ERR_SHAPE,
                         "%s \"%s\": \"%s\" is %d x %d x %d but \"%s\" is %d x %d x %d",
                         snn__op_name(q), q->name,
                         a->name, a->shape[0], a->shape[1], a->shape[2], b->name, b->shape[0],
                         b->shape[1], b->shape[2]);
    q->ndim = a->ndim;
    memcpy(q->shape, a->shape, sizeof q->shape);
    q->signal = snn__mixed_signal(net, q);
    return SNN_OK;
}
static void snn__add_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const float *a = snn__row_in(net, q, t, row, 0), *b = snn__row_in(net, q, t, row, 1);
    float *y = snn__row_out(net, q, t, row);
    int i;
    for (i = 0; i < q->n; i++) y[i] = a[i] + b[i];
}
static void snn__add_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    int k;
    for (k = 0; k < 2; k++) {
        float *d = snn__row_din(net, q, t, row, k);
        if (d) snn__accumulate(d, snn__row_dout(net, q, t, row), (size_t)q->n);
    }
}

/* iand: (1 - a) b = b - a b */
static void snn__multiply_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const float *a = snn__row_in(net, q, t, row, 0), *b = snn__row_in(net, q, t, row, 1);
    float *y = snn__row_out(net, q, t, row);
    const int not_a = q->op == SNN__IAND;
    int i;
    for (i = 0; i < q->n; i++) y[i] = not_a ? (1.0f - a[i]) * b[i] : a[i] * b[i];
}
static void snn__multiply_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const float *a = snn__row_in(net, q, t, row, 0), *b = snn__row_in(net, q, t, row, 1);
    const float *dy = snn__row_dout(net, q, t, row);
    const int not_a = q->op == SNN__IAND;
    float *d = snn__row_din(net, q, t, row, 0);
    int i;
    for (i = 0; d && i < q->n; i++) d[i] += (not_a ? -b[i] : b[i]) * dy[i];
    d = snn__row_din(net, q, t, row, 1);
    for (i = 0; d && i < q->n; i++) d[i] += (not_a ? 1.0f - a[i] : a[i]) * dy[i];
}

static snn_status snn__concat_infer(snn_net *net, snn__node *q)
{
    snn__node *a = &net->node[q->in[0]], *b = &net->node[q->in[1]];
    if (a->ndim != b->ndim ||
        (a->ndim == 3 && (a->shape[1] != b->shape[1] || a->shape[2] != b->shape[2])))
        return snn__fail(net, SNN_ERR_SHAPE,
                         "concat \"%s\": \"%s\" is %d x %d x %d but \"%s\" is %d x %d x %d",
                         q->name, a->name, a->shape[0], a->shape[1], a->shape[2], b->name,
                         b->shape[0], b->shape[1], b->shape[2]);
    q->ndim = a->ndim;
    memcpy(q->shape, a->shape, sizeof q->shape);
    q->shape[0] += b->shape[0];
    q->signal = snn__mixed_signal(net, q);
    return SNN_OK;
}
static void snn__concat_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const int n = net->node[q->in[0]].n;
    float *y = snn__row_out(net, q, t, row);
    memcpy(y, snn__row_in(net, q, t, row, 0), (size_t)n * sizeof(float));
    memcpy(y + n, snn__row_in(net, q, t, row, 1), (size_t)(q->n - n) * sizeof(float));
}
static void snn__concat_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const float *dy = snn__row_dout(net, q, t, row);
    int k, at = 0;
    for (k = 0; k < 2; k++) {
        const int n = net->node[q->in[k]].n;
        float *d = snn__row_din(net, q, t, row, k);
        if (d) snn__accumulate(d, dy + at, (size_t)n);
        at += n;
    }
}

static snn_status snn__same_infer(snn_net *net, snn__node *q)
{
    snn__node *x = &net->node[q->in[0]];
    q->ndim = x->ndim;
    memcpy(q->shape, x->shape, sizeof q->shape);
    q->signal = x->signal == SNN__CONSTANT ? SNN__CONSTANT : SNN__DENSE;
    return SNN_OK;
}
static snn_status snn__scale_infer(snn_net *net, snn__node *q)
{
    if (!snn__finite(q->f[0]))
        return snn__fail(net, SNN_ERR_NAN, "scale \"%s\": the factor is not finite", q->name);
    return snn__same_infer(net, q);
}
static void snn__scale_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const float *x = snn__row_in(net, q, t, row, 0);
    float *y = snn__row_out(net, q, t, row);
    int i;
    for (i = 0; i < q->n; i++) y[i] = q->f[0] * x[i];
}
static void snn__scale_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const float *dy = snn__row_dout(net, q, t, row);
    float *d = snn__row_din(net, q, t, row, 0);
    int i;
    for (i = 0; d && i < q->n; i++) d[i] += q->f[0] * dy[i];
}

static snn_status snn__dropout_infer(snn_net *net, snn__node *q)
{
    snn_status status = snn__same_infer(net, q);
    if (!snn__finite(q->f[0]) || q->f[0] < 0.0f || q->f[0] >= 1.0f)
        return snn__fail(net, SNN_ERR_ARGUMENT, "dropout \"%s\": p must be in [0, 1), given %g",
                         q->name, (double)q->f[0]);
    q->signal = SNN__DENSE; /* a fresh mask every step: nothing stays constant */
    return status;
}
/* y = x keep/(1-p); the mask is drawn again in backward, from the same counter */
static void snn__dropout_apply(const snn_net *net, const snn__node *q, size_t row, const float *x,
                               float *y, int add)
{
    const float p = q->f[0], scale = 1.0f / (1.0f - p);
    const uint32_t time = net->time + (uint32_t)(row / (size_t)net->desc.batch);
    const uint64_t key = snn__rng_key(net->desc.seed ^ ((uint64_t)net->pass << 32),
                                      (uint32_t)(0x1000 + (q - net->node)), time);
    const uint32_t first = (uint32_t)(row % (size_t)net->desc.batch) * (uint32_t)q->n;
    int i;
    for (i = 0; i < q->n; i++) {
        float keep = !net->training || snn__rng_uniform(key, first + (uint32_t)i) >= p
                         ? (net->training ? scale : 1.0f)
                         : 0.0f;
        y[i] = (add ? y[i] : 0.0f) + keep * x[i];
    }
}
static void snn__dropout_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    snn__dropout_apply(net, q, row, snn__row_in(net, q, t, row, 0), snn__row_out(net, q, t, row),
                       0);
}
static void snn__dropout_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    float *d = snn__row_din(net, q, t, row, 0);
    if (d) snn__dropout_apply(net, q, row, snn__row_dout(net, q, t, row), d, 1);
}

/* -- norm: y = w (x - mean)/sqrt(var + eps) + b, over what the kind says; graded spikes: y = w x
 *
 *   h = (x - mean)/sqrt(var + eps);  dw = sum dy h;  db = sum dy
 *   dx = w/sqrt(var + eps) (dy - mean(dy) - h mean(dy h))      with the batch's own statistics
 *   dx = w/sqrt(var + eps) dy                                  with running ones
 *
 * Rows that share statistics are a group: those of a step, of all steps, or one alone (layer). A
 * task has some channels of all rows (layer: some rows, then some features), so that sums have one
 * order. Running variances are unbiased, n/(n-1). Source: Ioffe, Szegedy 2015; BNTT: Kim, Panda
 * 2021; tdBN: Zheng et al. 2021; Ba, Kiros, Hinton 2016. Matches: torch BatchNorm1d, 2d, LayerNorm;
 * snntorch BatchNormTT1d, 2d, GradedSpikes. */
enum { SNN__NORM_KIND, SNN__NORM_AFFINE, SNN__NORM_STEPS };            /* i[] */
enum { SNN__NORM_EPS, SNN__NORM_MOMENTUM, SNN__NORM_WEIGHT };         /* f[] */

static int snn__norm_bias(const snn__node *q)
{
    return q->i[SNN__NORM_AFFINE] && q->i[SNN__NORM_KIND] != SNN_NORM_BATCH_TIME;
}
static snn_status snn__norm_infer(snn_net *net, snn__node *q)
{
    const snn_status status = snn__same_infer(net, q);
    const int kind = q->i[SNN__NORM_KIND];
    if (kind < 0 || kind > SNN_NORM_LAYER)
        return snn__fail(net, SNN_ERR_ARGUMENT, "norm \"%s\": no kind has number %d", q->name,
                         kind);
    if (!(q->f[SNN__NORM_EPS] > 0.0f) || !(q->f[SNN__NORM_MOMENTUM] >= 0.0f) ||
        !(q->f[SNN__NORM_MOMENTUM] <= 1.0f) || !snn__finite(q->f[SNN__NORM_WEIGHT]) ||
        !snn__finite(q->f[SNN__NORM_EPS]))
        return snn__fail(net, SNN_ERR_ARGUMENT,
                         "norm \"%s\": eps must be positive, momentum in [0, 1], given %g and %g",
                         q->name, (double)q->f[SNN__NORM_EPS], (double)q->f[SNN__NORM_MOMENTUM]);
    if (q->i[SNN__NORM_STEPS] < 0 || q->i[SNN__NORM_STEPS] > 1 << 24)
        return snn__fail(net, SNN_ERR_ARGUMENT, "norm \"%s\": %d steps", q->name,
                         q->i[SNN__NORM_STEPS]);
    if (net->node[q->in[0]].signal == SNN__BITS)
        return snn__fail(net, SNN_ERR_UNSUPPORTED, "norm \"%s\": \"%s\" carries packed spikes",
                         q->name, net->node[q->in[0]].name);
    if (kind == SNN_NORM_THRESHOLD && net->desc.checkpoint < net->desc.steps &&
        !net->desc.inference)
        return snn__fail(net, SNN_ERR_UNSUPPORTED,
                         "norm \"%s\": takes all steps together, a checkpoint interval cuts them",
                         q->name);
    if (!q->i[SNN__NORM_STEPS]) q->i[SNN__NORM_STEPS] = net->desc.steps;
    if (kind == SNN_NORM_BATCH_TIME) q->signal = SNN__DENSE; /* each step has its own weights */
    return status;
}
/* how many statistics are kept, at most */
static size_t snn__norm_groups(const snn_net *net, const snn__node *q)
{
    const size_t steps = q->signal == SNN__CONSTANT ? 1 : (size_t)net->segment;
    if (q->i[SNN__NORM_KIND] == SNN_NORM_LAYER) return steps * (size_t)net->desc.batch;
    return steps * (size_t)q->shape[0];
}
static void snn__norm_plan(snn_net *net, snn__node *q, snn__arena *a)
{
    q->wt = snn__arena_floats(a, snn__norm_groups(net, q), 1);
    q->wk = snn__arena_floats(a, snn__norm_groups(net, q), 1);
}
static void snn__no_scratch(snn_net *net, snn__node *q, snn__arena *task, snn__arena *op)
{
    (void)net;
    (void)q;
    (void)task;
    (void)op;
}

typedef struct snn__norm_job {
    snn_net *net;
    snn__node *q, *x;
    size_t rows, group; /* rows in all, rows that share statistics */
    int tasks, batch;   /* batch: the statistics are the batch's own */
} snn__norm_job;

static snn__norm_job snn__norm_begin(snn_net *net, snn__node *q)
{
    snn__norm_job job;
    const int kind = q->i[SNN__NORM_KIND];
    job.net = net;
    job.q = q;
    job.x = snn__input_of(net, q, 0);
    job.rows = snn__rows(net, q);
    job.group = kind == SNN_NORM_LAYER ? 1 : kind == SNN_NORM_THRESHOLD ? job.rows
                                                                       : (size_t)net->desc.batch;
    job.tasks = snn__task_count(kind == SNN_NORM_LAYER ? job.rows : (size_t)q->shape[0]);
    job.batch = kind == SNN_NORM_LAYER || (net->training && !net->desc.inference);
    return job;
}
/* the entry of w and of the running statistics that group g uses */
static size_t snn__norm_entry(const snn__norm_job *job, size_t g)
{
    const size_t last = (size_t)job->q->i[SNN__NORM_STEPS] - 1, t = job->net->time + g;
    return job->q->i[SNN__NORM_KIND] != SNN_NORM_BATCH_TIME ? 0 : t < last ? t : last;
}
/* the first input row of group g: a constant input has the same for all */
static size_t snn__norm_row(const snn__norm_job *job, size_t g)
{
    const int mixed = job->x->signal == SNN__CONSTANT && job->q->signal != SNN__CONSTANT;
    return mixed ? 0 : g * job->group;
}
static int snn__norm_running(const snn__node *q) /* index of running_mean among the parameters */
{
    return q->i[SNN__NORM_AFFINE] + snn__norm_bias(q);
}

static void snn__norm_forward_task(void *arg, int task)
{
    const snn__norm_job *job = (const snn__norm_job *)arg;
    snn_net *net = job->net;
    snn__node *q = job->q;
    const int layer = q->i[SNN__NORM_KIND] == SNN_NORM_LAYER, affine = q->i[SNN__NORM_AFFINE];
    const size_t n = (size_t)q->n, C = layer ? 1 : (size_t)q->shape[0], S = n / C;
    const size_t units = layer ? job->rows : C;
    const size_t u0 = units * (size_t)task / (size_t)job->tasks,
                 u1 = units * (size_t)(task + 1) / (size_t)job->tasks;
    const float *x = job->x->out + snn__row_index(net, job->x, 0) * n, eps = q->f[SNN__NORM_EPS];
    float *y = q->out + snn__row_index(net, q, 0) * n;
    const float *w = affine ? snn__param_value(net, q, 0) : NULL;
    const float *b = snn__norm_bias(q) ? snn__param_value(net, q, 1) : NULL;
    const int constant = q->signal == SNN__CONSTANT, steps = constant ? net->pass_steps : 1;
    size_t u, g, r, i;
    for (u = u0; u < u1; u++) {
        const size_t c = layer ? 0 : u;
        for (g = layer ? u : 0; g < (layer ? u + 1 : job->rows / job->group); g++) {
            const size_t first = g * job->group * n + c * S, at = snn__norm_entry(job, g) * C + c;
            const float *in = x + snn__norm_row(job, g) * n + c * S;
            const double count = (double)job->group * (double)S;
            float mean, var, inv, scale;
            if (job->batch) {
                /* the rounding of the mean is taken out of the variance again */
                const double exact = snn__moment(in, 0, NULL, 0, job->group, n, (int)S) / count;
                mean = (float)exact;
                var = (float)(snn__moment(in, mean, in, mean, job->group, n, (int)S) / count -
                              (exact - (double)mean) * (exact - (double)mean));
            } else {
                mean = snn__param_value(net, q, snn__norm_running(q))[at];
                var = snn__param_value(net, q, snn__norm_running(q) + 1)[at];
            }
            if (job->batch && !layer && !net->replay) {
                float *rm = snn__param_value(net, q, snn__norm_running(q)) + at;
                float *rv = snn__param_value(net, q, snn__norm_running(q) + 1) + at;
                /* a constant input stands for all steps of the pass: so many values, or so often */
                const int often = q->i[SNN__NORM_KIND] == SNN_NORM_BATCH, times = often ? steps : 1;
                const double values = often ? count : count * steps;
                float keep = 1.0f;
                int t;
                for (t = 0; t < times; t++) keep *= 1.0f - q->f[SNN__NORM_MOMENTUM];
                *rm = keep * *rm + (1.0f - keep) * mean;
                *rv = keep * *rv +
                      (1.0f - keep) * (float)((double)var * values / (values > 1 ? values - 1 : 1));
            }
            inv = 1.0f / SNN_SQRTF((var > 0.0f ? var : 0.0f) + eps);
            q->wt[layer ? u : g * C + c] = mean;
            q->wk[layer ? u : g * C + c] = inv;
            scale = inv * (affine ? 1.0f : q->f[SNN__NORM_WEIGHT]);
            for (r = 0; r < job->group; r++) {
                const float *from = in + r * n;
                float *to = y + first + r * n;
                if (layer)
                    for (i = 0; i < S; i++)
                        to[i] = (from[i] - mean) * scale * (w ? w[i] : 1.0f) + (b ? b[i] : 0.0f);
                else {
                    const float k = w ? scale * w[at] : scale, add = b ? b[at] : 0.0f;
                    for (i = 0; i < S; i++) to[i] = (from[i] - mean) * k + add;
                }
            }
        }
    }
}
static void snn__norm_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    snn__norm_job job = snn__norm_begin(net, q);
    (void)t;
    (void)row;
    snn__parallel_for(&net->desc.threads, (double)job.rows * q->n, job.tasks,
                      snn__norm_forward_task, &job);
}
static void snn__norm_backward_task(void *arg, int task)
{
    const snn__norm_job *job = (const snn__norm_job *)arg;
    snn_net *net = job->net;
    snn__node *q = job->q, *in = job->x;
    const int layer = q->i[SNN__NORM_KIND] == SNN_NORM_LAYER, affine = q->i[SNN__NORM_AFFINE];
    const size_t n = (size_t)q->n, C = layer ? 1 : (size_t)q->shape[0], S = n / C;
    const size_t units = layer ? job->rows : C;
    const size_t u0 = units * (size_t)task / (size_t)job->tasks,
                 u1 = units * (size_t)(task + 1) / (size_t)job->tasks;
    const float *x = in->out + snn__row_index(net, in, 0) * n;
    const float *dy = snn__row_dout(net, q, NULL, 0);
    const float *w = affine ? snn__param_value(net, q, 0) : NULL;
    float *dw = affine ? snn__param_grad(net, q, 0) : NULL;
    float *db = snn__norm_bias(q) ? snn__param_grad(net, q, 1) : NULL;
    float *dx = in->backward ? snn__row_dout(net, in, NULL, 0) : NULL;
    size_t u, g, r, i;
    for (u = u0; u < u1; u++) {
        const size_t c = layer ? 0 : u;
        for (g = layer ? u : 0; g < (layer ? u + 1 : job->rows / job->group); g++) {
            const size_t first = g * job->group * n + c * S, at = snn__norm_entry(job, g) * C + c;
            const size_t from0 = snn__norm_row(job, g) * n + c * S;
            const float mean = q->wt[layer ? u : g * C + c], inv = q->wk[layer ? u : g * C + c];
            const double count = (double)job->group * (double)S;
            const float scale =
                inv * (w && !layer ? w[at] : affine ? 1.0f : q->f[SNN__NORM_WEIGHT]);
            double sum = 0, dot = 0; /* of dy, of dy (x - mean) */
            if (layer)
                for (i = 0; i < S; i++) {
                    const double d = (double)(dy[first + i] * (w ? w[i] : 1.0f));
                    sum += d;
                    dot += d * (double)(x[from0 + i] - mean);
                }
            else {
                sum = snn__moment(dy + first, 0, NULL, 0, job->group, n, (int)S);
                dot = snn__moment(dy + first, 0, x + from0, mean, job->group, n, (int)S);
                if (dw) dw[at] += (float)(dot * (double)inv);
                if (db) db[at] += (float)sum;
            }
            if (!dx) continue;
            sum = job->batch ? sum / count : 0;
            dot = job->batch ? dot / count * (double)inv * (double)inv : 0;
            for (r = 0; r < job->group; r++) {
                const size_t from = from0 + r * n;
                for (i = 0; i < S; i++) {
                    const float d = dy[first + r * n + i] * (layer && w ? w[i] : 1.0f);
                    const float e = scale * (d - (float)sum - (x[from + i] - mean) * (float)dot);
                    dx[from + i] = in->add ? dx[from + i] + e : e;
                }
            }
        }
    }
}
/* layer norm: dw, db of some features, over all rows */
static void snn__norm_features_task(void *arg, int task)
{
    const snn__norm_job *job = (const snn__norm_job *)arg;
    snn__node *q = job->q;
    const size_t n = (size_t)q->n, i0 = n * (size_t)task / (size_t)job->tasks,
                 i1 = n * (size_t)(task + 1) / (size_t)job->tasks;
    const float *x = job->x->out + snn__row_index(job->net, job->x, 0) * n;
    const float *dy = snn__row_dout(job->net, q, NULL, 0);
    float *dw = snn__param_grad(job->net, q, 0), *db = snn__param_grad(job->net, q, 1);
    size_t r, i;
    for (r = 0; dw && r < job->rows; r++)
        for (i = i0; i < i1; i++) {
            dw[i] += dy[r * n + i] * (x[r * n + i] - q->wt[r]) * q->wk[r];
            db[i] += dy[r * n + i];
        }
}
static void snn__norm_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    snn__norm_job job = snn__norm_begin(net, q);
    const double work = (double)job.rows * q->n;
    (void)t;
    (void)row;
    if (q->i[SNN__NORM_KIND] == SNN_NORM_LAYER && q->i[SNN__NORM_AFFINE]) {
        snn__norm_job features = job;
        features.tasks = snn__task_count((size_t)q->n);
        snn__parallel_for(&net->desc.threads, work, features.tasks, snn__norm_features_task,
                          &features);
    }
    snn__parallel_for(&net->desc.threads, work, job.tasks, snn__norm_backward_task, &job);
}

enum { SNN__GRADED_DW = 4 }; /* s[] */
static snn_status snn__graded_infer(snn_net *net, snn__node *q)
{
    const snn_status status = snn__same_infer(net, q);
    if (!snn__finite(q->f[0]))
        return snn__fail(net, SNN_ERR_NAN, "graded_spikes \"%s\": the factor is not finite",
                         q->name);
    return status;
}
static void snn__graded_scratch(snn_net *net, snn__node *q, snn__arena *task, snn__arena *op)
{
    snn__plain_scratch(net, q, task, op);
    q->s[SNN__GRADED_DW] = snn__scratch_take(task, (size_t)q->shape[0], sizeof(float));
}
static void snn__graded_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const float *x = snn__row_in(net, q, t, row, 0), *w = snn__param_value(net, q, 0);
    float *y = snn__row_out(net, q, t, row);
    const int S = q->n / q->shape[0];
    int i;
    for (i = 0; i < q->n; i++) y[i] = w[i / S] * x[i];
}
static void snn__graded_begin(snn_net *net, snn__node *q, snn__task *t)
{
    (void)net;
    snn__zero(SNN__SCRATCH(t, q, SNN__GRADED_DW, float), (size_t)q->shape[0]);
}
static void snn__graded_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const float *x = snn__row_in(net, q, t, row, 0), *w = snn__param_value(net, q, 0);
    const float *dy = snn__row_dout(net, q, t, row);
    float *dw = SNN__SCRATCH(t, q, SNN__GRADED_DW, float), *dx;
    const int S = q->n / q->shape[0];
    int i;
    for (i = 0; i < q->n; i++) dw[i / S] += dy[i] * x[i];
    dx = snn__row_din(net, q, t, row, 0);
    for (i = 0; dx && i < q->n; i++) dx[i] += w[i / S] * dy[i];
}
static void snn__graded_end(snn_net *net, snn__node *q, int tasks)
{
    float *dw = snn__param_grad(net, q, 0);
    snn__task t;
    int id;
    for (id = 0; id < tasks; id++) {
        t.memory = net->scratch + (size_t)id * net->task_size;
        snn__accumulate(dw, SNN__SCRATCH(&t, q, SNN__GRADED_DW, const float), (size_t)q->shape[0]);
    }
}

/* -- delay: y_t = x_(t-K). State 0 is the last K inputs, [K][B][n], the oldest first. */
static snn_status snn__delay_infer(snn_net *net, snn__node *q)
{
    const snn_status status = snn__same_infer(net, q);
    if (q->i[0] < 1 || q->i[0] > 1 << 16)
        return snn__fail(net, SNN_ERR_ARGUMENT, "delay \"%s\": 1 to 65536 steps, given %d", q->name,
                         q->i[0]);
    q->signal = SNN__DENSE;
    return status;
}
static size_t snn__state_size(const snn_net *net, const snn__node *q) /* floats of a state */
{
    return snn__mul_size(snn__mul_size((size_t)net->desc.batch, (size_t)q->n),
                         q->op == SNN__DELAY ? (size_t)q->i[0] : 1);
}
/* saved states: the start of each segment, and the end */
static void snn__state_plan(snn_net *net, snn__node *q, int states, snn__arena *a)
{
    const size_t size = snn__state_size(net, q);
    int k;
    q->states = states;
    for (k = 0; k < states; k++) q->state[k] = snn__arena_floats(a, size, 1);
    if (net->desc.inference) return;
    for (k = 0; k < states; k++) q->dstate[k] = snn__arena_floats(a, size, 1);
    if (net->engine) return;
    q->saved = snn__arena_floats(
        a, snn__mul_size((size_t)(net->segments > 1 ? net->segments + 1 : 1), (size_t)states),
        size);
}
static void snn__delay_plan(snn_net *net, snn__node *q, snn__arena *a)
{
    snn__state_plan(net, q, 1, a);
}
static void snn__state_save(snn_net *net, snn__node *q, int slot, int save)
{
    const size_t size = snn__state_size(net, q);
    int k;
    for (k = 0; q->saved && k < q->states; k++) {
        float *s = q->saved + ((size_t)slot * (size_t)q->states + (size_t)k) * size;
        if (save) memcpy(s, q->state[k], size * sizeof(float));
        else memcpy(q->state[k], s, size * sizeof(float));
    }
}
static void snn__delay_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const snn__node *x = snn__input_of(net, q, 0);
    const size_t n = (size_t)q->n, B = (size_t)net->desc.batch, K = (size_t)q->i[0] * B;
    const size_t rows = (size_t)net->len * B;
    float *y = q->out + q->out_row0 * n, *past = q->state[0];
    size_t r, to;
    (void)t;
    (void)row;
    snn__state_save(net, q, net->t0 / net->segment, 1);
    memcpy(y, past, (rows < K ? rows : K) * n * sizeof(float));
    if (rows < K) memmove(past, past + rows * n, (K - rows) * n * sizeof(float));
    for (r = 0; r < rows; r++) { /* row r comes out K rows later: in this segment, or later still */
        float *at;
        if (r + K < rows) at = y + (r + K) * n;
        else {
            to = r + K - rows;
            at = past + to * n;
        }
        if (x->signal == SNN__BITS)
            snn_spikes_unpack(at, snn__row_bits(net, x, r), q->n, snn__gain(x));
        else memcpy(at, x->out + snn__row_index(net, x, r) * n, n * sizeof(float));
    }
}
static void snn__delay_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    snn__node *x = snn__input_of(net, q, 0);
    const size_t n = (size_t)q->n, B = (size_t)net->desc.batch, K = (size_t)q->i[0] * B;
    const size_t rows = (size_t)net->len * B;
    const float *dy = snn__row_dout(net, q, NULL, 0);
    float *dpast = q->dstate[0];
    size_t r;
    (void)t;
    (void)row;
    for (r = 0; x->backward && r < rows; r++) {
        const float *from = r + K < rows ? dy + (r + K) * n : dpast + (r + K - rows) * n;
        float *to = snn__row_dout(net, x, NULL, r);
        if (x->add || x->signal == SNN__CONSTANT) snn__accumulate(to, from, n);
        else memcpy(to, from, n * sizeof(float));
    }
    if (rows < K) memmove(dpast + rows * n, dpast, (K - rows) * n * sizeof(float));
    memcpy(dpast, dy, (rows < K ? rows : K) * n * sizeof(float));
}

/* -- neurons over time: the scan
 *
 * A task takes some samples and a block of neurons, keeps their states in cache and walks all
 * steps. The backward pass first walks them again to rebuild what forward did not store: the states
 * before each step and the drives. With recurrence or inhibition, which couple the neurons of a
 * sample, a block is the whole sample. */
enum {
    SNN__SCAN_TAPE,
    SNN__SCAN_DRIVES,
    SNN__SCAN_WORK,
    SNN__SCAN_DPARAM,
    SNN__SCAN_X,
    SNN__SCAN_DX,
    SNN__SCAN_IDX,
    SNN__SCAN_VAL,
    SNN__SCAN_DREC
}; /* s[] */
enum { SNN__LAZY_STEPS = 8 }; /* at least the rows of a kernel's tile */
enum { SNN__WORK_PREV, SNN__WORK_NOISE, SNN__WORK_GS, SNN__WORK_V, SNN__WORK_RETREAT,
       SNN__WORK_LAZY = SNN__WORK_RETREAT + SNN__RETREAT,
       SNN__WORK_COUNT = SNN__WORK_LAZY + SNN__LAZY_STEPS };

static int snn__graded_varies(const snn__node *q)
{
    return q->desc.per_neuron && (q->desc.learn_graded || q->desc.graded != 1.0f);
}
static int snn__inputs(const snn__node *q)
{
    return q->neuron.def->inputs > 1 ? q->neuron.def->inputs : 1;
}

/* -- recurrence: x += W s + b (linear, convolution) or V s, with s the layer's spikes of the step
 * before */
static int snn__recurrent_params(const snn__node *q)
{
    switch (q->recurrence) {
    case SNN_RECURRENCE_ONE_TO_ONE: return 1;
    case SNN_RECURRENCE_LINEAR:
    case SNN_RECURRENCE_CONV2D: return 1 + !q->desc.no_recurrent_bias;
    default: return 0;
    }
}
static int snn__recurrent_spec(const snn__node *q, int k, const char **name, int *shape,
                               int *trained)
{
    *trained = !q->desc.fixed_recurrent;
    *name = q->recurrence == SNN_RECURRENCE_ONE_TO_ONE ? "recurrent.V"
            : k                                        ? "recurrent.bias"
                                                       : "recurrent.weight";
    if (q->recurrence == SNN_RECURRENCE_ONE_TO_ONE) {
        shape[0] = q->n;
        return q->desc.per_neuron ? 1 : 0;
    }
    if (q->recurrence == SNN_RECURRENCE_LINEAR) {
        shape[0] = snn__inputs(q) * q->n;
        shape[1] = q->n;
        return k ? 1 : 2;
    }
    shape[0] = snn__inputs(q) * q->shape[0];
    shape[1] = q->shape[0];
    shape[2] = q->desc.kernel_h;
    shape[3] = q->desc.kernel_w;
    return k ? 1 : 4;
}
static float *snn__recurrent_value(const snn_net *net, const snn__node *q, int k)
{
    return k < snn__recurrent_params(q) ? snn__param_value(net, q, q->neuron.def->params + 1 + k)
                                        : NULL;
}
static float *snn__recurrent_grad(const snn_net *net, const snn__node *q, int k)
{
    return k < snn__recurrent_params(q) ? snn__param_grad(net, q, q->neuron.def->params + 1 + k)
                                        : NULL;
}
static void snn__recurrent_init(snn_net *net, snn__node *q)
{
    const uint32_t stream = (uint32_t)(0x3000 + (q - net->node));
    int k;
    size_t i;
    float one_to_one = q->desc.V == 0.0f ? 1.0f : q->desc.V;
    if (q->desc.V == 0.0f && q->neuron.def->feedback && q->desc.beta != 0.0f)
        one_to_one = snn__clamp(q->desc.beta, 0.0f, 1.0f);
    for (k = 0; k < snn__recurrent_params(q); k++) {
        snn_tensor *w = &net->param[q->param0 + q->neuron.def->params + 1 + k].value;
        const int fan_in = q->recurrence == SNN_RECURRENCE_LINEAR
                               ? q->n
                               : q->shape[0] * q->desc.kernel_h * q->desc.kernel_w;
        const float bound = 1.0f / SNN_SQRTF((float)(fan_in > 0 ? fan_in : 1));
        for (i = 0; i < snn_tensor_count(w); i++)
            w->data[i] = q->recurrence == SNN_RECURRENCE_ONE_TO_ONE
                             ? one_to_one
                             : bound * (2.0f * snn_uniform(net->desc.seed, stream, (uint32_t)k,
                                                           (uint32_t)i) - 1.0f);
    }
}
static size_t snn__recurrent_ld(const snn__node *q)
{
    return SNN__PAD((size_t)(snn__inputs(q) * q->n));
}

/* The parameters of all neurons, or what all blocks share: clamped, derived, and as the last the
 * graded factor. */
static size_t snn__neuron_stride(const snn__node *q)
{
    return (size_t)(q->desc.per_neuron ? q->n : q->block);
}
static void snn__neuron_values(const snn_net *net, snn__node *q)
{
    const snn_neuron_def *def = q->neuron.def;
    const size_t stride = snn__neuron_stride(q);
    const int last = def->params + def->derived;
    float *all[SNN_MAX_PARAMS + 1];
    size_t i;
    int k;
    for (k = 0; k <= last; k++) {
        const float *v = snn__param_value(net, q, k < def->params ? k : def->params);
        const int clamp = k < def->params && (def->param[k].flags & SNN_PARAM_CLAMP01);
        all[k] = q->values + (size_t)k * stride;
        for (i = 0; i < stride && (k < def->params || k == last); i++) {
            const float x = v[q->desc.per_neuron ? i : 0];
            all[k][i] = clamp ? snn__clamp(x, 0.0f, 1.0f) : x;
        }
    }
    if (def->derived) def->derive((int)stride, all);
}
static void snn__neuron_prepare(snn_net *net, snn__node *q)
{
    const int in = q->n, out = snn__inputs(q) * q->n;
    const float *w = snn__recurrent_value(net, q, 0);
    int o;
    snn__neuron_values(net, q);
    if (q->recurrence != SNN_RECURRENCE_LINEAR) return;
    net->kern->transpose(q->wt, snn__recurrent_ld(q), w, (size_t)in, out, in, 0);
    for (o = 0; q->wk && o < out; o++)
        memcpy(q->wk + (size_t)o * SNN__PAD((size_t)in), w + (size_t)o * (size_t)in,
               (size_t)in * sizeof(float));
}
/* x [inputs*n, padded] += recurrence of s [n] */
static void snn__recurrent_forward(const snn_net *net, const snn__node *q, const snn__task *t,
                                   const float *s, float *x)
{
    const int n = q->n, out = snn__inputs(q) * n, kh = q->desc.kernel_h, kw = q->desc.kernel_w;
    const float *w = snn__recurrent_value(net, q, 0), *bias = snn__recurrent_value(net, q, 1);
    uint32_t *idx = SNN__SCRATCH(t, q, SNN__SCAN_IDX, uint32_t);
    float *val = SNN__SCRATCH(t, q, SNN__SCAN_VAL, float);
    int i, o, ky, kx, count;
    if (q->recurrence == SNN_RECURRENCE_ONE_TO_ONE) {
        for (i = 0; i < n; i++) x[i] += w[q->desc.per_neuron ? i : 0] * s[i];
        return;
    }
    count = net->kern->list_floats(s, n, idx, val);
    if (q->recurrence == SNN_RECURRENCE_LINEAR) {
        for (i = 0; bias && i < out; i++) x[i] += bias[i];
        net->kern->gather(x, x, q->wt, snn__recurrent_ld(q), (int)snn__recurrent_ld(q), idx, val,
                          count);
        return;
    }
    {
        const int C = q->shape[0], H = q->shape[1], W = q->shape[2], O = out / (H * W);
        for (i = 0; bias && i < out; i++) x[i] += bias[i / (H * W)];
        for (i = 0; i < count; i++) { /* each nonzero into the window of outputs that see it */
            const int c = (int)idx[i] / (H * W), y = (int)idx[i] / W % H, xx = (int)idx[i] % W;
            for (o = 0; o < O; o++)
                for (ky = 0; ky < kh; ky++)
                    for (kx = 0; kx < kw; kx++) {
                        const int oy = y - ky + kh / 2, ox = xx - kx + kw / 2;
                        if (oy >= 0 && oy < H && ox >= 0 && ox < W)
                            x[(o * H + oy) * W + ox] +=
                                val[i] * w[((o * C + c) * kh + ky) * kw + kx];
                    }
        }
    }
}
/* ds [n, padded] += W^T dx; dw, db: partial sums of a task, transposed for linear. s: as forward
 * saw it */
static void snn__recurrent_backward(const snn_net *net, const snn__node *q, const snn__task *t,
                                    const float *s, const float *dx, float *ds, float *dw)
{
    const int n = q->n, out = snn__inputs(q) * n, kh = q->desc.kernel_h, kw = q->desc.kernel_w;
    const float *w = snn__recurrent_value(net, q, 0);
    uint32_t *idx = SNN__SCRATCH(t, q, SNN__SCAN_IDX, uint32_t);
    float *val = SNN__SCRATCH(t, q, SNN__SCAN_VAL, float), *db;
    int i, o, ky, kx, count;
    if (q->recurrence == SNN_RECURRENCE_ONE_TO_ONE) {
        for (i = 0; i < n; i++) {
            dw[i] += dx[i] * s[i];
            ds[i] += w[q->desc.per_neuron ? i : 0] * dx[i];
        }
        return;
    }
    if (q->recurrence == SNN_RECURRENCE_LINEAR) {
        db = dw + (size_t)n * snn__recurrent_ld(q);
        snn__accumulate(db, dx, (size_t)out);
        count = net->kern->list_floats(s, n, idx, val);
        net->kern->scatter(dw, snn__recurrent_ld(q), (int)snn__recurrent_ld(q), idx, val, count,
                           dx);
        count = net->kern->list_floats(dx, out, idx, val);
        net->kern->gather(ds, ds, q->wk, SNN__PAD((size_t)n), SNN__PAD(n), idx, val, count);
        return;
    }
    {
        const int C = q->shape[0], H = q->shape[1], W = q->shape[2], O = out / (H * W);
        int at = 0, c, y, xx;
        db = dw + (size_t)O * (size_t)(C * kh * kw);
        for (i = 0; i < out; i++) db[i / (H * W)] += dx[i];
        for (o = 0; o < O; o++)
            for (c = 0; c < C; c++)
                for (ky = -(kh / 2); ky <= kh / 2; ky++)
                    for (kx = -(kw / 2); kx <= kw / 2; kx++, at++) {
                        const int rows = H - (ky < 0 ? -ky : ky), wide = W - (kx < 0 ? -kx : kx);
                        y = ky > 0 ? ky : 0, xx = kx > 0 ? kx : 0;
                        if (rows > 0 && wide > 0)
                            net->kern->add(ds + (c * H + y) * W + xx, (size_t)W,
                                           dx + (o * H + y - ky) * W + xx - kx, (size_t)W, rows,
                                           wide, w[at]);
                    }
        count = net->kern->list_floats(s, n, idx, val);
        for (i = 0; i < count; i++)
            for (c = (int)idx[i] / (H * W), y = (int)idx[i] / W % H, xx = (int)idx[i] % W, o = 0;
                 o < O; o++)
                for (ky = 0; ky < kh; ky++)
                    for (kx = 0; kx < kw; kx++) {
                        const int oy = y - ky + kh / 2, ox = xx - kx + kw / 2;
                        if (oy >= 0 && oy < H && ox >= 0 && ox < W)
                            dw[((o * C + c) * kh + ky) * kw + kx] +=
                                dx[(o * H + oy) * W + ox] * val[i];
                    }
    }
}
static size_t snn__recurrent_partial(const snn__node *q)
{
    const size_t n = (size_t)q->n;
    if (q->recurrence == SNN_RECURRENCE_NONE) return 0;
    if (q->recurrence == SNN_RECURRENCE_ONE_TO_ONE) return n;
    if (q->recurrence == SNN_RECURRENCE_LINEAR) return snn__mul_size(n + 1, snn__recurrent_ld(q));
    return snn__mul_size((size_t)(snn__inputs(q) * q->shape[0]),
                         (size_t)(q->shape[0] * q->desc.kernel_h * q->desc.kernel_w) + 1);
}
/* adds a task's partial sums to the gradients */
static void snn__recurrent_reduce(const snn_net *net, const snn__node *q, const float *dw)
{
    float *gw = snn__recurrent_grad(net, q, 0), *gb = snn__recurrent_grad(net, q, 1);
    const int n = q->n, out = snn__inputs(q) * n;
    int i, o;
    if (!gw) return;
    if (q->recurrence == SNN_RECURRENCE_ONE_TO_ONE) {
        for (i = 0; i < n; i++) gw[q->desc.per_neuron ? i : 0] += dw[i];
    } else if (q->recurrence == SNN_RECURRENCE_LINEAR) {
        for (o = 0; o < out; o++)
            for (i = 0; i < n; i++)
                gw[(size_t)o * (size_t)n + (size_t)i] +=
                    dw[(size_t)i * snn__recurrent_ld(q) + (size_t)o];
        for (o = 0; gb && o < out; o++) gb[o] += dw[(size_t)n * snn__recurrent_ld(q) + (size_t)o];
    } else {
        const int O = snn__inputs(q) * q->shape[0],
                  size = O * q->shape[0] * q->desc.kernel_h * q->desc.kernel_w;
        for (i = 0; i < size; i++) gw[i] += dw[i];
        for (o = 0; gb && o < O; o++) gb[o] += dw[size + o];
    }
}

/* -- the layer */
static snn_status snn__recurrent_infer(snn_net *net, snn__node *q)
{
    const char *kind = q->neuron.def->name;
    q->recurrence = q->desc.recurrence;
    if ((int)q->recurrence < 0 || q->recurrence > SNN_RECURRENCE_CONV2D)
        return snn__fail(net, SNN_ERR_ARGUMENT, "%s \"%s\": no recurrence has number %d", kind,
                         q->name, (int)q->recurrence);
    if (q->recurrence == SNN_RECURRENCE_DEFAULT) q->recurrence = q->neuron.def->recurrence;
    if (q->recurrence == SNN_RECURRENCE_DEFAULT) q->recurrence = SNN_RECURRENCE_NONE;
    if (q->recurrence == SNN_RECURRENCE_ONE_TO_ONE && snn__inputs(q) > 1)
        return snn__fail(net, SNN_ERR_ARGUMENT,
                         "%s \"%s\": one-to-one recurrence is for neurons with one input", kind,
                         q->name);
    if (q->recurrence == SNN_RECURRENCE_LINEAR && q->n > 1 << 14)
        return snn__fail(net, SNN_ERR_TOO_LARGE, "%s \"%s\": all-to-all recurrence of %d neurons",
                         kind, q->name, q->n);
    if (q->recurrence != SNN_RECURRENCE_CONV2D) return SNN_OK;
    if (!q->desc.kernel_h) q->desc.kernel_h = q->desc.kernel;
    if (!q->desc.kernel_w) q->desc.kernel_w = q->desc.kernel;
    if (q->ndim != 3)
        return snn__fail(net, SNN_ERR_SHAPE,
                         "%s \"%s\": a convolutional recurrence wants channels, height, width",
                         kind, q->name);
    if (q->desc.kernel_h < 1 || q->desc.kernel_w < 1 || !(q->desc.kernel_h & 1) ||
        !(q->desc.kernel_w & 1) || q->desc.kernel_h > 255 || q->desc.kernel_w > 255)
        return snn__fail(net, SNN_ERR_ARGUMENT,
                         "%s \"%s\": the recurrent kernel must be odd, given %d x %d", kind,
                         q->name, q->desc.kernel_h, q->desc.kernel_w);
    return SNN_OK;
}
static snn_status snn__neuron_infer(snn_net *net, snn__node *q)
{
    snn__node *x = &net->node[q->in[0]];
    const snn_neuron_def *def = q->neuron.def;
    const int inputs = snn__inputs(q);
    int k, missing;
    q->ndim = x->ndim;
    memcpy(q->shape, x->shape, sizeof q->shape);
    if (x->shape[0] % inputs)
        return snn__fail(net, SNN_ERR_SHAPE,
                         "%s \"%s\": the %d channels of \"%s\" are not a multiple of %d", def->name,
                         q->name, x->shape[0], x->name, inputs);
    q->shape[0] /= inputs;
    q->n = x->n / inputs;
    if ((int)q->desc.surrogate < 0 || q->desc.surrogate >= SNN_SURROGATE_COUNT)
        return snn__fail(net, SNN_ERR_ARGUMENT, "%s \"%s\": no surrogate has number %d", def->name,
                         q->name, (int)q->desc.surrogate);
    if (q->desc.surrogate == SNN_CUSTOM_SURROGATE && !q->desc.surrogate_fn)
        return snn__fail(net, SNN_ERR_NULL, "%s \"%s\": a custom surrogate needs surrogate_fn",
                         def->name, q->name);
    if ((int)q->desc.reset < 0 || q->desc.reset > SNN_RESET_NONE)
        return snn__fail(net, SNN_ERR_ARGUMENT, "%s \"%s\": no reset has number %d", def->name,
                         q->name, (int)q->desc.reset);
    if (q->desc.inhibition && x->ndim != 1)
        return snn__fail(net, SNN_ERR_SHAPE,
                         "%s \"%s\": inhibition wants a vector of neurons, the input has %d axes",
                         def->name, q->name, x->ndim);
    if (q->desc.quant.bits < 0 || q->desc.quant.bits > 16)
        return snn__fail(net, SNN_ERR_ARGUMENT,
                         "%s \"%s\": states are quantised to 1 to 16 bits, given %d", def->name,
                         q->name, q->desc.quant.bits);
    for (k = 0; k < def->params; k++) {
        snn__neuron_value(def, &q->desc, k, &missing);
        if (missing)
            return snn__fail(net, SNN_ERR_ARGUMENT, "%s \"%s\": %s is required", def->name, q->name,
                             def->param[k].name);
    }
    if (def->resolve && def->resolve(&q->desc) != SNN_OK)
        return snn__fail(net, SNN_ERR_ARGUMENT,
                         "%s \"%s\": its decays or time constants are out of range", def->name,
                         q->name);
    for (k = 0; k < def->params; k++) {
        const float v = snn__neuron_value(def, &q->desc, k, NULL);
        if (!snn__finite(v))
            return snn__fail(net, SNN_ERR_NAN, "%s \"%s\": %s is not finite", def->name, q->name,
                             def->param[k].name);
    }
    if (!snn__finite(q->desc.graded) || !snn__finite(q->desc.surrogate_p0) ||
        !snn__finite(q->desc.surrogate_p1) || !snn__finite(q->desc.V))
        return snn__fail(net, SNN_ERR_NAN, "%s \"%s\": a number in the desc is not finite",
                         def->name, q->name);
    if (q->desc.graded == 0.0f) q->desc.graded = 1.0f;
    q->signal =
        net->desc.spikes == SNN_SPIKES_PACKED && !snn__graded_varies(q) && !q->desc.output_membrane
            ? SNN__BITS
            : SNN__DENSE;
    return snn__recurrent_infer(net, q);
}
static int snn__neuron_learns(const snn_net *net, const snn__node *q)
{
    int k;
    for (k = 0; k <= q->neuron.def->params; k++)
        if (snn__param_grad(net, q, k)) return 1;
    return 0;
}
static void snn__neuron_plan(snn_net *net, snn__node *q, snn__arena *a)
{
    const snn_neuron_def *def = q->neuron.def;
    snn_surrogate s;
    int k;
    memset(&s, 0, sizeof s);
    s.kind = q->desc.surrogate;
    s.p0 = q->desc.surrogate_p0;
    s.p1 = q->desc.surrogate_p1;
    s.custom = q->desc.surrogate_fn;
    s.user = q->desc.surrogate_user;
    s = snn__surrogate_defaults(&s);
    snn__neuron_setup(&q->neuron, def, &q->desc, &s, net->desc.spikes == SNN_SPIKES_SMOOTH,
                      net->kern->wide);
    k = def->states + (q->recurrence != SNN_RECURRENCE_NONE && !def->feedback);
    snn__state_plan(net, q, k, a);
    q->block = SNN__BLOCK; /* the tape of a block should stay in the second-level cache */
    while (q->block > 64 && !net->desc.inference &&
           (size_t)net->segment * (size_t)(def->states + 1) * (size_t)q->block > 1 << 18)
        q->block /= 2;
    if (q->desc.inhibition || q->recurrence != SNN_RECURRENCE_NONE || snn__inputs(q) > 1 ||
        q->block > q->n)
        q->block = q->n;
    q->values = snn__arena_floats(a, (size_t)(def->params + def->derived) + 1,
                                  snn__neuron_stride(q));
    if (q->recurrence == SNN_RECURRENCE_LINEAR && !net->engine) {
        q->wt = snn__arena_floats(a, (size_t)q->n, snn__recurrent_ld(q));
        q->wk = net->desc.inference
                    ? NULL
                    : snn__arena_floats(a, (size_t)(snn__inputs(q) * q->n), SNN__PAD((size_t)q->n));
    }
    if (q->desc.quant.bits) {
        q->levels = snn__arena_floats(a, (size_t)1 << q->desc.quant.bits, 1);
        if (q->levels) snn_quant_levels(&q->desc.quant, q->levels);
        q->neuron.levels = q->levels;
        q->neuron.level_count = 1 << q->desc.quant.bits;
    }
}
static void snn__neuron_scratch(snn_net *net, snn__node *q, snn__arena *task, snn__arena *op)
{
    const size_t block = (size_t)q->block, states = (size_t)q->states;
    const size_t params = (size_t)(q->neuron.def->params + q->neuron.def->derived) + 1;
    const size_t wide = SNN__PAD((size_t)snn__inputs(q) * block);
    (void)op;
    q->s[SNN__SCAN_WORK] = snn__scratch_take(
        task, (q->lazy ? SNN__WORK_COUNT : SNN__WORK_LAZY) * block, sizeof(float));
    q->s[SNN__SCAN_DRIVES] = snn__scratch_take(
        task, (net->desc.inference ? 1 : (size_t)net->segment) * block, sizeof(float));
    q->s[SNN__SCAN_X] = snn__scratch_take(task, wide, sizeof(float));
    if (q->recurrence != SNN_RECURRENCE_NONE) {
        q->s[SNN__SCAN_IDX] = snn__scratch_take(task, wide + SNN__LANES, sizeof(uint32_t));
        q->s[SNN__SCAN_VAL] = snn__scratch_take(task, wide + SNN__LANES, sizeof(float));
    }
    if (net->desc.inference) return;
    q->s[SNN__SCAN_DX] =
        snn__scratch_take(task, 2 * wide, sizeof(float)); /* of a step; and summed over steps */
    q->s[SNN__SCAN_TAPE] = snn__scratch_take(
        task, snn__mul_size(((size_t)net->segment + 1) * states, SNN__PAD(block)), sizeof(float));
    q->s[SNN__SCAN_DPARAM] = snn__scratch_take(task, params * (size_t)q->n, sizeof(float));
    q->s[SNN__SCAN_DREC] = snn__scratch_take(task, snn__recurrent_partial(q), sizeof(float));
}

typedef struct snn__scan {
    snn_net *net;
    snn__node *q, *x;
    int split_b, split_n; /* tasks = split_b * split_n */
    double spikes[SNN__TASKS];
    size_t bad[SNN__TASKS]; /* debug: 1 + row * n + element of a task's first NaN or infinity */
} snn__scan;

static void snn__scan_split(snn__scan *s)
{
    int blocks = (s->q->n + s->q->block - 1) / s->q->block, b = s->net->desc.batch;
    s->split_b = snn__task_count((size_t)b);
    s->split_n = SNN__TASKS / s->split_b < blocks ? SNN__TASKS / s->split_b : blocks;
}
/* block of neurons at .. at+n; returns their graded factors */
static const float *snn__scan_block(const snn__node *q, snn_neuron_block *b, int at, int n)
{
    const snn_neuron_def *def = q->neuron.def;
    const float *v = q->values + (q->desc.per_neuron ? at : 0);
    int k;
    b->n = n;
    for (k = 0; k < def->params + def->derived; k++, v += snn__neuron_stride(q)) b->param[k] = v;
    b->stride = (size_t)q->n;
    b->sub = q->neuron.sub;
    b->zero = q->neuron.zero;
    b->equal = q->neuron.equal;
    return v;
}
/* input current of step t, the recurrence's share included; feedback: what it reads, before the
 * step */
static const float *snn__scan_input(const snn__scan *s, const snn__task *task, int t, int sample,
                                    int at, int n, const float *feedback)
{
    const size_t row = (size_t)t * (size_t)s->net->desc.batch + (size_t)sample;
    const snn__node *x = s->x, *q = s->q;
    float *buffer = SNN__SCRATCH(task, q, SNN__SCAN_X, float);
    const float *in = buffer;
    if (x->signal == SNN__BITS)
        snn_spikes_unpack(buffer, snn__row_bits(s->net, x, row) + at / 32, n * snn__inputs(q),
                          snn__gain(x));
    else if (x->halved)
        s->net->kern->widen(buffer, snn__row_half(s->net, x, row) + at,
                            (size_t)(n * snn__inputs(q)));
    else in = x->out + snn__row_index(s->net, x, row) * (size_t)x->n + at;
    if (q->recurrence == SNN_RECURRENCE_NONE) return in;
    if (in != buffer) memcpy(buffer, in, (size_t)x->n * sizeof(float));
    snn__recurrent_forward(s->net, q, task, feedback, buffer);
    return buffer;
}
static const float *snn__scan_noise(const snn__scan *s, const snn__task *task, int t, int sample,
                                    int at, int n)
{
    float *u;
    uint64_t key;
    int i;
    if (s->q->neuron.surrogate.kind != SNN_STOCHASTIC) return NULL;
    u = SNN__SCRATCH(task, s->q, SNN__SCAN_WORK, float) + SNN__WORK_NOISE * s->q->block;
    key = snn__rng_key(s->net->desc.seed, (uint32_t)(0x2000 + (s->q - s->net->node)),
                       s->net->time + (uint32_t)t);
    for (i = 0; i < n; i++)
        u[i] = snn__rng_uniform(key, (uint32_t)sample * (uint32_t)s->q->n + (uint32_t)(at + i));
    return u;
}
/* does the scan need the spikes as floats, or are the drives' signs enough? */
static int snn__scan_needs_h(const snn__node *q, int output)
{
    return q->neuron.immediate || q->neuron.def->jump || q->states > q->neuron.def->states ||
           (output && (q->neuron.inhibition || q->signal == SNN__DENSE));
}
/* spike values f h (ungraded for a winner), which a recurrence sees at the next step */
static void snn__scan_spikes(const snn__node *q, int n, const float *f, const float *h, float *spk)
{
    int i;
    for (i = 0; i < n; i++) spk[i] = q->neuron.inhibition ? h[i] : f[i] * h[i];
}

static void snn__scan_forward_task(void *arg, int id)
{
    snn__scan *s = (snn__scan *)arg;
    snn_net *net = s->net;
    snn__node *q = s->q;
    const snn__neuron *neuron = &q->neuron;
    const int B = net->desc.batch, bi = id / s->split_n, ni = id % s->split_n,
              blocks = (q->n + q->block - 1) / q->block;
    const int h_wanted = snn__scan_needs_h(q, 1), states = neuron->def->states;
    snn_neuron_block b;
    snn__task task;
    float *work, *h, *spk, *v;
    size_t spikes = 0, bad = 0;
    int k, t, i, block, sample;
    task.memory = net->scratch + (size_t)id * net->task_size;
    work = SNN__SCRATCH(&task, q, SNN__SCAN_WORK, float);
    h = work + SNN__WORK_RETREAT * q->block;
    v = q->desc.membrane_before_reset && q->rec[0] ? work + SNN__WORK_V * q->block : NULL;
    memset(&b, 0, sizeof b);
    b.drive = SNN__SCRATCH(&task, q, SNN__SCAN_DRIVES, float);
    /* blocks inside samples: the rows of a sample's steps stay in the machine's page tables */
    for (sample = B * bi / s->split_b; sample < B * (bi + 1) / s->split_b; sample++)
        for (block = blocks * ni / s->split_n; block < blocks * (ni + 1) / s->split_n; block++) {
            const int at = block * q->block, n = q->n - at < q->block ? q->n - at : q->block;
            const float *f = snn__scan_block(q, &b, at, n);
            const size_t first = (size_t)sample * (size_t)q->n + (size_t)at;
            const float *feedback =
                neuron->def->feedback ? q->state[neuron->def->feedback - 1] + first : NULL;
            for (k = 0; k < states; k++) b.state[k] = q->state[k] + first;
            spk = q->states > states ? q->state[states] + first : NULL;
            for (t = 0; t < net->len; t++) {
                const size_t row = (size_t)t * (size_t)B + (size_t)sample,
                             whole = (size_t)(net->t0 * B) + row;
                b.x = snn__scan_input(s, &task, t, sample, at, n, spk ? spk : feedback);
                snn__neuron_advance(neuron, &b, snn__scan_noise(s, &task, t, sample, at, n),
                                    h_wanted ? h : NULL, work + SNN__WORK_PREV * q->block, v);
                if (spk) snn__scan_spikes(q, n, f, h, spk);
                if (q->psi)
                    snn_surrogate_grad(&neuron->surrogate, n, b.drive,
                                       snn__scan_noise(s, &task, t, sample, at, n),
                                       q->psi + first);
                for (k = 0; net->desc.debug && k < states; k++)
                    for (i = 0; i < n; i++)
                        if (!snn__finite(b.state[k][i]) &&
                            (!bad || bad > whole * (size_t)q->n + (size_t)(at + i) + 1))
                            bad = whole * (size_t)q->n + (size_t)(at + i) + 1;
                if (q->signal == SNN__BITS) {
                    uint32_t *bits = q->bits + (q->out_row0 + row) * (size_t)q->words + at / 32;
                    if (neuron->inhibition) snn_spikes_pack(bits, h, n);
                    else
                        net->kern->fire(bits, b.drive, n,
                                        neuron->equal != 0.0f ? SNN__FIRE_AT : SNN__FIRE_ABOVE);
                    spikes += snn__count_bits(bits, (size_t)((n + 31) / 32));
                    if (q->rec_spk)
                        snn_spikes_unpack(q->rec_spk + whole * (size_t)q->n + at, bits, n,
                                          snn__gain(q));
                } else {
                    float *out = q->out + (q->out_row0 + row) * (size_t)q->n + at;
                    if (q->desc.output_membrane) memcpy(out, b.state[0], (size_t)n * sizeof(float));
                    else snn__scan_spikes(q, n, f, h, out);
                    /* smooth: a fingerprint of who is above threshold, for gradcheck */
                    for (k = 0; neuron->smooth && k < n; k++)
                        spikes +=
                            b.drive[k] > 0.0f ? whole * (size_t)q->n + (size_t)(at + k) + 1 : 0;
                    if (!neuron->smooth && !q->desc.output_membrane)
                        spikes += snn__count_floats(out, (size_t)n);
                }
                for (k = 0; k < states; k++)
                    if (q->rec[k])
                        memcpy(q->rec[k] + whole * (size_t)q->n + at, v && !k ? v : b.state[k],
                               (size_t)n * sizeof(float));
            }
        }
    s->spikes[id] = (double)spikes;
    s->bad[id] = bad;
}

static void snn__scan_run(snn_net *net, snn__node *q, void (*task)(void *, int), snn__scan *s)
{
    s->net = net;
    s->q = q;
    s->x = snn__input_of(net, q, 0);
    snn__scan_split(s);
    snn__parallel_for(&net->desc.threads, (double)net->len * net->desc.batch * q->n,
                      s->split_b * s->split_n,
                      task, s);
}

static void snn__neuron_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    snn__scan s;
    size_t first = 0;
    int k;
    (void)t;
    (void)row;
    snn__state_save(net, q, net->t0 / net->segment, 1);
    snn__scan_run(net, q, snn__scan_forward_task, &s);
    if (net->replay) return;
    for (k = 0; k < s.split_b * s.split_n; k++) {
        q->spikes += s.spikes[k];
        if (s.bad[k] && (!first || s.bad[k] < first)) first = s.bad[k];
    }
    if (!first || net->bad) return;
    net->bad = 1 + (int)(q - net->node);
    net->bad_row = (first - 1) / (size_t)q->n;
    net->bad_element = (first - 1) % (size_t)q->n;
}

/* gradient of the outputs at .. at+n of a row, from the linear layer that alone reads them */
static const float *snn__scan_lazy(const snn_net *net, const snn__node *q, const snn__task *task,
                                   int t, int sample, int at, int n)
{
    const snn__node *u = &net->node[q->lazy];
    const int first = t / net->kern->mr * net->kern->mr;
    const size_t row = (size_t)net->desc.batch * (size_t)u->n; /* of a step */
    float *dout = SNN__SCRATCH(task, q, SNN__SCAN_WORK, float) + SNN__WORK_LAZY * q->block;
    if (t == net->len - 1 || t == first + net->kern->mr - 1)
        snn__gemm(net->kern, NULL, t - first + 1, n, u->n,
                  snn__row_dout(net, u, NULL, (size_t)sample) + (size_t)first * row, row, 1,
                  u->wk + at, SNN__PAD((size_t)q->n), dout, (size_t)q->block, NULL, 0);
    return dout + (t - first) * q->block;
}
static void snn__scan_backward_task(void *arg, int id)
{
    snn__scan *s = (snn__scan *)arg;
    snn_net *net = s->net;
    snn__node *q = s->q, *x = s->x;
    const snn__neuron *neuron = &q->neuron;
    const snn_neuron_def *def = neuron->def;
    const int B = net->desc.batch, bi = id / s->split_n, ni = id % s->split_n,
              blocks = (q->n + q->block - 1) / q->block;
    const int states = q->states, params = def->params + def->derived, len = net->len,
              K = SNN__PAD(q->block);
    const int learns = snn__neuron_learns(net, q);
    const int wide = snn__inputs(q), recurrent = q->recurrence != SNN_RECURRENCE_NONE;
    const size_t bn = (size_t)B * (size_t)q->n, n_all = (size_t)q->n, row_in = (size_t)x->n;
    const float *saved = q->saved + (size_t)(net->t0 / net->segment) * (size_t)states * bn;
    snn__task task;
    snn_neuron_block b;
    float *tape, *drives, *work, *dparam, *sum, *step_dx, *drec, *h, *gs;
    int k, t, i, block, sample;
    task.memory = net->scratch + (size_t)id * net->task_size;
    tape = SNN__SCRATCH(&task, q, SNN__SCAN_TAPE, float); /* [len+1][states][K] */
    drives = SNN__SCRATCH(&task, q, SNN__SCAN_DRIVES, float);
    work = SNN__SCRATCH(&task, q, SNN__SCAN_WORK, float);
    dparam = SNN__SCRATCH(&task, q, SNN__SCAN_DPARAM, float); /* [params+1][n] */
    drec = SNN__SCRATCH(&task, q, SNN__SCAN_DREC, float);
    step_dx = SNN__SCRATCH(&task, q, SNN__SCAN_DX, float);
    sum = step_dx + SNN__PAD((size_t)wide * (size_t)q->block);
    h = work + SNN__WORK_RETREAT * q->block;
    gs = work + SNN__WORK_GS * q->block;
    memset(&b, 0, sizeof b);
    snn__zero(dparam, (size_t)(params + 1) * n_all);
    snn__zero(drec, snn__recurrent_partial(q));
    for (sample = B * bi / s->split_b; sample < B * (bi + 1) / s->split_b; sample++)
        for (block = blocks * ni / s->split_n; block < blocks * (ni + 1) / s->split_n; block++) {
            const int at = block * q->block, n = q->n - at < q->block ? q->n - at : q->block;
            const float *graded = snn__scan_block(q, &b, at, n), *f = graded;
            const size_t first = (size_t)sample * n_all + (size_t)at;
            const int fed =
                def->feedback ? def->feedback - 1 : states - 1; /* state that a recurrence reads */
            float *df = NULL;
            for (k = 0; k < params; k++) b.dparam[k] = dparam + (size_t)k * n_all + at;
            if (learns) df = dparam + (size_t)params * n_all + at;
            if (!df && !q->gain && !snn__graded_varies(q)) f = NULL;
            for (k = 0; k < states; k++)
                memcpy(tape + k * K, saved + (size_t)k * bn + first, (size_t)n * sizeof(float));
            for (t = 0; t < len; t++) { /* forward again */
                float *now = tape + (size_t)t * (size_t)(states * K), *next = now + states * K;
                memcpy(next, now, (size_t)(states * K) * sizeof(float));
                for (k = 0; k < def->states; k++) b.state[k] = next + k * K;
                b.drive = drives + t * q->block;
                b.x = snn__scan_input(s, &task, t, sample, at, n, now + fed * K);
                snn__neuron_advance(neuron, &b, snn__scan_noise(s, &task, t, sample, at, n),
                                    snn__scan_needs_h(q, 0) ? h : NULL,
                                    work + SNN__WORK_PREV * q->block, NULL);
                if (states > def->states)
                    snn__scan_spikes(q, n, graded, h, next + (states - 1) * K);
            }
            for (k = 0; k < def->states; k++) b.dstate[k] = q->dstate[k] + first;
            if (x->backward && x->signal == SNN__CONSTANT) snn__zero(sum, (size_t)(wide * n));
            for (t = len - 1; t >= 0; t--) {
                const size_t row = (size_t)t * (size_t)B + (size_t)sample,
                             whole = (size_t)(net->t0 * B) + row;
                const float *dout =
                    q->lazy                  ? snn__scan_lazy(net, q, &task, t, sample, at, n)
                    : q->backward && q->dout ? q->dout + (q->dout_row0 + row) * n_all + at
                                             : NULL;
                float *now = tape + (size_t)t * (size_t)(states * K), *dx = step_dx, *to;
                const float *dv = NULL; /* recorded before the reset: then its gradient waits */
                if (q->drec[0] && q->desc.membrane_before_reset)
                    dv = q->drec[0] + whole * n_all + at;
                for (k = 0; k < def->states; k++) {
                    b.state[k] = now + k * K;
                    if (q->drec[k] && (k || !dv))
                        snn__accumulate(b.dstate[k], q->drec[k] + whole * n_all + at, (size_t)n);
                }
                b.drive = drives + t * q->block;
                b.x = snn__scan_input(s, &task, t, sample, at, n, now + fed * K);
                if (q->desc.output_membrane) {
                    if (dout) snn__accumulate(b.dstate[0], dout, (size_t)n);
                    dout = NULL;
                }
                if (states > def->states) { /* spikes also reached the next step */
                    float *ds = q->dstate[states - 1] + first;
                    for (i = 0; i < n; i++) {
                        gs[i] = (dout ? dout[i] : 0.0f) + ds[i];
                        ds[i] = 0.0f;
                    }
                    dout = gs;
                }
                if (!recurrent && x->backward && x->signal != SNN__CONSTANT && !x->add)
                    dx = x->dout + (x->dout_row0 + row) * row_in + at;
                b.dx = dx;
                snn__neuron_retreat(
                    neuron, &b, dout, f, df, dv, snn__scan_noise(s, &task, t, sample, at, n),
                    neuron->inhibition ? snn__winner(b.drive, n) : 0,
                    work + SNN__WORK_RETREAT * q->block);
                if (recurrent) {
                    /* padded, so through scratch: the kernels write whole registers */
                    float *ds = SNN__SCRATCH(&task, q, SNN__SCAN_X, float);
                    snn__zero(ds, SNN__PAD((size_t)n));
                    snn__zero(dx + (size_t)(wide * n),
                              SNN__PAD((size_t)(wide * n)) - (size_t)(wide * n));
                    snn__recurrent_backward(net, q, &task, now + fed * K, dx, ds, drec);
                    snn__accumulate(q->dstate[fed] + first, ds, (size_t)n);
                }
                for (k = 0; k < def->states && (net->t0 + t) % SNN__FLUSH_STEPS == 0; k++)
                    snn__flush_row(b.dstate[k], (size_t)n, SNN__LEAST);
                if (!x->backward) continue;
                to =
                    x->signal == SNN__CONSTANT ? sum : x->dout + (x->dout_row0 + row) * row_in + at;
                if (to == dx) continue;
                if (x->signal == SNN__CONSTANT || x->add)
                    net->kern->add(to, 0, dx, 0, 1, wide * n, 1.0f);
                else memcpy(to, dx, (size_t)(wide * n) * sizeof(float));
            }
            if (x->backward && x->signal == SNN__CONSTANT) {
                float *to = x->dout + (size_t)sample * row_in + at;
                for (i = 0; i < wide * n; i++) to[i] = (x->add ? to[i] : 0.0f) + sum[i];
            }
        }
    for (block = blocks * ni / s->split_n;
         def->derived && block < blocks * (ni + 1) / s->split_n; block++) {
        const int at = block * q->block, n = q->n - at < q->block ? q->n - at : q->block;
        snn__scan_block(q, &b, at, n);
        for (k = 0; k < params; k++) b.dparam[k] = dparam + (size_t)k * n_all + at;
        def->underive(n, b.param, b.dparam);
    }
}
static void snn__neuron_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    const snn_neuron_def *def = q->neuron.def;
    snn__scan s;
    snn__task slot;
    int id, k, i;
    (void)t;
    (void)row;
    snn__scan_run(net, q, snn__scan_backward_task, &s);
    for (id = 0; id < s.split_b * s.split_n; id++) {
        const float *dparam;
        slot.memory = net->scratch + (size_t)id * net->task_size;
        snn__recurrent_reduce(net, q, SNN__SCRATCH(&slot, q, SNN__SCAN_DREC, const float));
        dparam = SNN__SCRATCH(&slot, q, SNN__SCAN_DPARAM, const float);
        for (k = 0; k <= def->params; k++) {
            const float *from =
                dparam + (size_t)(k < def->params ? k : k + def->derived) * (size_t)q->n;
            float *g = snn__param_grad(net, q, k);
            const float *v = snn__param_value(net, q, k);
            const int vector = q->desc.per_neuron,
                      clamp = k < def->params && (def->param[k].flags & SNN_PARAM_CLAMP01);
            for (i = 0; g && i < q->n; i++) {
                const float p = v[vector ? i : 0];
                if (!clamp || (p >= 0.0f && p <= 1.0f)) g[vector ? i : 0] += from[i];
            }
        }
    }
}

/* the states before the first step, where they are not zero */
static void snn__neuron_start(snn_net *net, snn__node *q)
{
    snn_neuron_block b;
    int at, sample, k;
    if (!q->neuron.def->start) return;
    snn__neuron_values(net, q); /* what has changed since the last pass */
    memset(&b, 0, sizeof b);
    for (at = 0; at < q->n; at += q->block) {
        snn__scan_block(q, &b, at, q->n - at < q->block ? q->n - at : q->block);
        for (sample = 0; sample < net->desc.batch; sample++) {
            for (k = 0; k < q->neuron.def->states; k++)
                b.state[k] = q->state[k] + (size_t)sample * (size_t)q->n + at;
            q->neuron.def->start(&b);
        }
    }
}

static snn_status snn__input_infer(snn_net *net, snn__node *q)
{
    int k;
    for (k = 0; k < 3; k++) q->shape[k] = k && !q->i[k] ? 1 : q->i[k];
    q->ndim = q->i[1] || q->i[2] ? 3 : 1;
    for (k = 0; k < q->ndim; k++)
        if (q->shape[k] <= 0 || q->shape[k] > 1 << 24)
            return snn__fail(net, SNN_ERR_SHAPE, "input: %d x %d x %d is not a shape", q->i[0],
                             q->i[1], q->i[2]);
    q->signal = net->desc.input == SNN_INPUT_CONSTANT ? SNN__CONSTANT
                : net->desc.input == SNN_INPUT_SPIKES ? SNN__BITS
                                                      : SNN__DENSE;
    return SNN_OK;
}

/* -- the registry, filled */
static const snn__op snn__op_table[] = {
#define SNN__X(id, name, prefix, ints, floats, ins, kind, keep, inf, pl, sc, pr, be, fw, bw,   \
               en)                                                                                 \
    {name, prefix, ints, floats, ins, kind, keep, inf, pl, sc, pr, be, fw, bw, en},
    SNN__LAYER_LIST(SNN__X)
#undef SNN__X
};
static const char *snn__op_name(const snn__node *q)
{
    return q->op == SNN__NEURON ? q->neuron.def->name : snn__op_table[q->op].name;
}

SNN__FAST_END
#if defined(__clang__)
    #pragma clang diagnostic pop
#endif

/* ---- >>encode ------------------------------------------------------------------------------ */
/* Data into spikes and labels into targets, time first; every draw is counter-based. */

static int snn__either(int a, int b, int fallback) { return a ? a : b ? b : fallback; }
static float snn__float_or(float value, float fallback) { return value != 0.0f ? value : fallback; }

static float snn__round_even(float x)
{
    float below = SNN_FLOORF(x);
    const float rest = x - below;
    if (rest > 0.5f || (rest == 0.5f && below * 0.5f != SNN_FLOORF(below * 0.5f))) below += 1.0f;
    return below;
}

static int snn__labels_valid(const int *y, size_t count, size_t classes)
{
    size_t i;
    for (i = 0; i < count; i++)
        if (y[i] < 0 || (size_t)y[i] >= classes) return 0;
    return 1;
}

/* -- rate */

static void snn__bernoulli_row(float *out, const float *data, int n, float gain, float offset,
                               uint64_t seed, int t)
{
    int i;
    for (i = 0; i < n; i++) {
        const float p = snn__clamp(data[i] * gain + offset, 0.0f, 1.0f);
        out[i] = (float)snn_bernoulli(p, seed, 0, (uint32_t)t, (uint32_t)i);
    }
}

SNN_DEF snn_status snn_encode_rate(float *out, const float *data, int T, int n, float gain,
                                   float offset, int first, uint64_t seed)
{
    int t;
    if (!out || !data) return SNN_ERR_NULL;
    if (T < 1 || n < 1 || first < 0 || first >= T) return SNN_ERR_ARGUMENT;
    if (!snn__finite(gain) || !snn__finite(offset)) return SNN_ERR_ARGUMENT;
    if (!snn__all_finite(data, (size_t)n)) return SNN_ERR_NAN;
    memset(out, 0, (size_t)first * (size_t)n * sizeof(float));
    for (t = first; t < T; t++)
        snn__bernoulli_row(out + (size_t)t * (size_t)n, data, n, gain, offset, seed, t);
    return SNN_OK;
}

SNN_DEF snn_status snn_encode_rate_sequence(float *out, const float *data, int T, int n, int first,
                                            uint64_t seed)
{
    const size_t row = (size_t)n;
    int t;
    if (!out || !data) return SNN_ERR_NULL;
    if (T < 1 || n < 1 || first < 0) return SNN_ERR_ARGUMENT;
    if (!snn__all_finite(data, (size_t)T * row)) return SNN_ERR_NAN;
    memset(out, 0, (size_t)first * row * sizeof(float));
    out += (size_t)first * row;
    for (t = 0; t < T; t++) /* draws follow the data's step: `first` only delays the same spikes */
        snn__bernoulli_row(out + (size_t)t * row, data + (size_t)t * row, n, 1.0f, 0.0f, seed, t);
    return SNN_OK;
}

/* -- latency */

typedef struct snn__latency {
    snn_latency_desc d; /* resolved; a normalised linear code has its own tau */
    float edge;         /* log: smallest value that is coded; linear: latest time, less `first` */
} snn__latency;

static snn_latency_desc snn__latency_defaults(const snn_latency_desc *d)
{
    snn_latency_desc r = *d;
    r.threshold = snn__float_or(r.threshold, 0.01f);
    r.tau = snn__float_or(r.tau, 1.0f);
    r.epsilon = snn__float_or(r.epsilon, 1e-7f);
    if (!r.set_targets) r.on_target = snn__float_or(r.on_target, 1.0f);
    return r;
}

/* unit: the data must lie in [0,1] */
static snn_status snn__latency_open(snn__latency *l, const float *data, int T, int n,
                                    const snn_latency_desc *desc, int unit)
{
    snn_latency_desc *d = &l->d;
    int i, above = 0, below = 0;
    if (!data || !desc) return SNN_ERR_NULL;
    if (desc->_start || desc->_end) return SNN_ERR_DESC;
    *d = snn__latency_defaults(desc);
    if (n < 1 || T < 0 || d->first < 0 || (T && d->first >= T)) return SNN_ERR_ARGUMENT;
    if (d->normalize && !T) return SNN_ERR_ARGUMENT;
    if (!(d->threshold > 0.0f && d->threshold < 1.0f)) return SNN_ERR_ARGUMENT;
    if (!(d->tau > 0.0f) || !snn__finite(d->tau)) return SNN_ERR_ARGUMENT;
    if (!snn__all_finite(data, (size_t)n)) return SNN_ERR_NAN;
    for (i = 0; i < n; i++) {
        above |= data[i] > 1.0f;
        below |= data[i] < 0.0f;
    }
    if (unit ? above || below : d->first && above && below) return SNN_ERR_ARGUMENT;

    if (d->linear) {
        if (d->normalize) d->tau = (float)(T - 1 - d->first);
        l->edge = (float)((double)d->tau * (1.0 - (double)d->threshold));
    } else { /* rounded once, as the reference does: x - threshold cancels all but a few bits */
        const double decimal =
            floor((double)d->threshold * 1e6 + 0.5) * 1e-6; /* 0.01f was written 0.01 */
        const int short_one = (float)decimal == d->threshold;
        l->edge = (float)((short_one ? decimal : (double)d->threshold) + (double)d->epsilon);
        if (!(l->edge > d->threshold)) return SNN_ERR_ARGUMENT;
    }
    return SNN_OK;
}

static float snn__latency_time(const snn__latency *l, float x)
{
    float t;
    if (l->d.linear) {
        t = -l->d.tau * (x - 1.0f);
        if (t > l->edge) t = l->edge;
    } else {
        if (x < l->edge) x = l->edge;
        t = l->d.tau * SNN_LOGF(x / (x - l->d.threshold));
    }
    return t + (float)l->d.first;
}

/* Times of all values; returns the largest. */
static float snn__latency_fill(const snn__latency *l, float *times, const float *data, int T, int n)
{
    const float first = (float)l->d.first, steps = (float)(T - 1);
    float low, high;
    int i;
    low = high = snn__latency_time(l, data[0]);
    for (i = 0; i < n; i++) {
        const float t = times[i] = snn__latency_time(l, data[i]);
        if (t < low) low = t;
        if (t > high) high = t;
    }
    if (!l->d.normalize) return high;
    if (!l->d.linear && high > first) {
        for (i = 0; i < n; i++)
            times[i] = (times[i] - first) * (steps - first) / (high - first) + first;
        return steps;
    }
    if (l->d.linear && low < 0.0f) { /* only data above 1 */
        for (i = 0; i < n; i++)
            times[i] = high > low ? (times[i] - low) / (high - low) * steps : 0.0f;
        return steps;
    }
    return high;
}

/* Steps of the code whose latest spike is at `last`, or a negative status. */
static int snn__latency_fit(const snn__latency *l, int T, float last)
{
    last = snn__round_even(last);
    if (T) return l->d.bypass || last <= (float)(T - 1) ? T : SNN_ERR_ARGUMENT;
    if (!l->d.bypass) return SNN_ERR_ARGUMENT;
    return last < 1e9f ? (int)last + 1 : SNN_ERR_TOO_LARGE;
}

SNN_DEF snn_status snn_latency_times(float *times, const float *data, int T, int n,
                                     const snn_latency_desc *d)
{
    snn__latency l;
    snn_status status;
    if (!times) return SNN_ERR_NULL;
    status = snn__latency_open(&l, data, T, n, d, 0);
    if (status == SNN_OK) snn__latency_fill(&l, times, data, T, n);
    return status;
}

SNN_DEF int snn_latency_steps(const float *data, int T, int n, const snn_latency_desc *d)
{
    snn__latency l;
    float last = 0.0f;
    int i;
    const snn_status status = snn__latency_open(&l, data, T, n, d, 1);
    if (status != SNN_OK) return status;
    if (l.d.normalize) return T; /* always fits */
    for (i = 0; i < n; i++) {
        const float t = snn__latency_time(&l, data[i]);
        if (t > last) last = t;
    }
    return snn__latency_fit(&l, T, last);
}

SNN_DEF snn_status snn_encode_latency(float *out, float *times, const float *data, int T, int n,
                                      const snn_latency_desc *d)
{
    snn__latency l;
    snn_status status;
    float on, off;
    size_t i, count;
    int steps;
    if (!out || !times) return SNN_ERR_NULL;
    status = snn__latency_open(&l, data, T, n, d, 1);
    if (status != SNN_OK) return status;
    steps = snn__latency_fit(&l, T, snn__latency_fill(&l, times, data, T, n));
    if (steps < 0) return (snn_status)steps;
    if (l.d.interpolate)
        return snn_latency_ramp(out, times, steps, n, l.d.on_target, l.d.off_target);

    off = l.d.off_target > 0.0f ? l.d.off_target : 0.0f; /* max(spike * on, off) */
    on = l.d.on_target > l.d.off_target ? l.d.on_target : l.d.off_target;
    count = (size_t)steps * (size_t)n;
    for (i = 0; i < count; i++) out[i] = off;
    for (i = 0; i < (size_t)n; i++) {
        const float t = snn__round_even(times[i]);
        if (l.d.clip && data[i] < l.d.threshold) continue;
        if (t <= (float)(steps - 1)) out[(size_t)t * (size_t)n + i] = on;
    }
    return SNN_OK;
}

SNN_DEF snn_status snn_latency_ramp(float *out, const float *times, int T, int n, float on,
                                    float off)
{
    int t, i;
    if (!out || !times) return SNN_ERR_NULL;
    if (T < 1 || n < 1 || !(on >= off)) return SNN_ERR_ARGUMENT;
    if (!snn__all_finite(times, (size_t)n)) return SNN_ERR_NAN;
    for (i = 0; i < n; i++)
        if (times[i] < -0.5f) return SNN_ERR_ARGUMENT;
    for (t = 0; t < T; t++)
        for (i = 0; i < n; i++) {
            const float end = snn__round_even(times[i]);
            /* a spike at 0 is over, and one after T never starts: 0.5 puts both above `on` below */
            const float v = t > 0 ? (float)t / (end == 0.0f || end > (float)T ? 0.5f : end)
                                  : (float)(end == 0.0f);
            const float y = v * (on - off) + off;
            out[(size_t)t * (size_t)n + (size_t)i] = y > on ? off : y;
        }
    return SNN_OK;
}

/* -- delta */

SNN_DEF snn_status snn_encode_delta(float *out, const float *data, int T, int n, float threshold,
                                    int padding, int off_spike)
{
    const size_t row = (size_t)n, count = (size_t)T * (size_t)n;
    size_t i;
    if (!out || !data) return SNN_ERR_NULL;
    if (T < 1 || n < 1 || !snn__finite(threshold)) return SNN_ERR_ARGUMENT;
    if (!snn__all_finite(data, count)) return SNN_ERR_NAN;
    for (i = 0; i < count; i++) {
        const float before = i >= row ? data[i - row] : padding ? data[i] : 0.0f;
        const float rise = data[i] - before;
        out[i] = (float)((rise >= threshold) - (off_spike && rise <= -threshold));
    }
    return SNN_OK;
}

/* -- targets */

SNN_DEF snn_status snn_one_hot(float *out, const int *targets, int B, int C, int inverse)
{
    int b, c;
    if (!out || !targets) return SNN_ERR_NULL;
    if (B < 1 || C < 1) return SNN_ERR_ARGUMENT;
    if (!snn__labels_valid(targets, (size_t)B, (size_t)C)) return SNN_ERR_ARGUMENT;
    for (b = 0; b < B; b++)
        for (c = 0; c < C; c++) *out++ = (float)((c == targets[b]) != (inverse != 0));
    return SNN_OK;
}

SNN_DEF snn_status snn_from_one_hot(int *targets, const float *rows, int B, int C)
{
    int b, c;
    if (!targets || !rows) return SNN_ERR_NULL;
    if (B < 1 || C < 1) return SNN_ERR_ARGUMENT;
    for (b = 0; b < B; b++, rows += C) {
        for (c = 0; c < C && rows[c] != 1.0f; c++) {}
        targets[b] = c < C ? c : -1;
    }
    return SNN_OK;
}

/* The train of a rate, one value every `stride` floats. */
static snn_status snn__rate_train(float *train, size_t stride, int T, int first, float rate,
                                  int pattern, uint64_t seed)
{
    int t, k;
    if (T < 1 || first < 0 || first > T || !(rate >= 0.0f && rate <= 1.0f)) return SNN_ERR_ARGUMENT;
    if (pattern < 0 || pattern > 2) return SNN_ERR_ARGUMENT;
    for (t = 0; t < T; t++)
        train[(size_t)t * stride] =
            pattern == 2 && t >= first ? (float)snn_bernoulli(rate, seed, 0, (uint32_t)t, 0) : 0.0f;
    if (pattern == 2 || rate == 0.0f) return SNN_OK;
    for (k = 0; (double)first + (double)k / (double)rate < (double)T; k++) {
        if (pattern == 1)
            t = (int)(snn_uniform(seed, 0, 0, (uint32_t)k) * (float)(T - first) + (float)first);
        else /* through float, so that 10 / 0.1f is step 100 and not 99 */
            t = (int)(float)((double)first + (double)k / (double)rate);
        if (t < T) train[(size_t)t * stride] = 1.0f;
    }
    return SNN_OK;
}

/* The same array as ramps: behind the scan, so it can be done in place. */
static void snn__train_to_ramp(float *x, size_t stride, int T, float on, float off)
{
    int t, j, start = 0; /* first step after the spike before */
    for (t = 0; t < T; t++) {
        if (x[(size_t)t * stride] == 0.0f) continue;
        for (j = start; j < t; j++)
            x[(size_t)j * stride] = off + (on - off) * ((float)(j - start) / (float)(t - start));
        x[(size_t)t * stride] = on;
        start = t + 1;
    }
    for (t = start; t < T; t++) x[(size_t)t * stride] = off;
}

SNN_DEF int snn_target_rate_code(float *train, int *times, int T, int first, float rate,
                                 int pattern, uint64_t seed)
{
    snn_status status;
    int t, count = 0;
    if (!train) return SNN_ERR_NULL;
    status = snn__rate_train(train, 1, T, first, rate, pattern, seed);
    if (status != SNN_OK) return status;
    for (t = 0; t < T; t++) {
        if (train[t] == 0.0f) continue;
        if (times) times[count] = t;
        count++;
    }
    return count;
}

SNN_DEF void snn_rate_ramp(float *out, const int *times, int count, int T, float on, float off)
{
    int k;
    if (!out || T < 1 || (count > 0 && !times)) return;
    memset(out, 0, (size_t)T * sizeof(float));
    for (k = 0; k < count; k++)
        if (times[k] >= 0 && times[k] < T) out[times[k]] = 1.0f;
    snn__train_to_ramp(out, 1, T, on, off);
}

static snn_target_desc snn__target_defaults(const snn_target_desc *d)
{
    snn_target_desc r = *d;
    if (!r.set_rates) r.correct_rate = snn__float_or(r.correct_rate, 1.0f);
    if (!r.set_targets) r.on_target = snn__float_or(r.on_target, 1.0f);
    return r;
}

SNN_DEF int snn_targets_rate(float *out, const int *targets, int T, int B, int C,
                             const snn_target_desc *d)
{
    snn_target_desc r;
    size_t row, pair;
    int t, b, c, plain;
    if (!out || !targets || !d) return SNN_ERR_NULL;
    if (d->_start || d->_end) return SNN_ERR_DESC;
    r = snn__target_defaults(d);
    plain = r.correct_rate == 1.0f && r.incorrect_rate == 0.0f;
    if (plain && r.first == 0) T = 1;
    if (T < 1 || B < 1 || C < 1 || r.first < 0 || r.first > T) return SNN_ERR_ARGUMENT;
    if (r.pattern < 0 || r.pattern > 2 || !(r.incorrect_rate <= r.correct_rate))
        return SNN_ERR_ARGUMENT;
    if (!snn__labels_valid(targets, (size_t)B, (size_t)C)) return SNN_ERR_ARGUMENT;

    /* The trains of right and wrong classes start out as pairs at the front of `out`. Rows are
     * written from the last on, never over an earlier step's pair; one output needs one train. */
    row = (size_t)B * (size_t)C;
    pair = row > 1 ? 2 : 1;
    if (!plain) {
        for (c = (int)pair - 1; c >= 0; c--) {
            const snn_status status =
                snn__rate_train(out + c, pair, T, r.first, c ? r.incorrect_rate : r.correct_rate,
                                r.pattern, c ? ~r.seed : r.seed);
            if (status != SNN_OK) return status;
            if (r.interpolate) snn__train_to_ramp(out + c, pair, T, r.on_target, r.off_target);
        }
    }
    for (t = T - 1; t >= 0; t--) {
        float right = plain ? 1.0f : out[(size_t)t * pair];
        float wrong = plain ? 0.0f : out[(size_t)t * pair + pair - 1];
        float *step = out + (size_t)t * row;
        if (plain && t < r.first) {
            right = wrong = r.off_target;
        } else if (plain && r.first == 0 && r.on_target <= r.off_target) {
            right = r.on_target;
            wrong = r.off_target;
        } else if (plain || !r.interpolate) {
            right *= r.on_target;
            wrong *= r.on_target;
            if (right < r.off_target) right = r.off_target;
            if (wrong < r.off_target) wrong = r.off_target;
        }
        for (b = 0; b < B; b++)
            for (c = 0; c < C; c++) *step++ = c == targets[b] ? right : wrong;
    }
    return T;
}

SNN_DEF snn_status snn_targets_latency(float *out, float *scratch, const int *targets, int T, int B,
                                       int C, const snn_latency_desc *d)
{
    const snn_status status = snn_one_hot(scratch, targets, B, C, 0);
    if (status != SNN_OK) return status;
    if (B > 0x7fffffff / C) return SNN_ERR_TOO_LARGE;
    return snn_encode_latency(out, scratch + (size_t)B * (size_t)C, scratch, T, B * C, d);
}

/* -- events */

static void snn__event_put(snn_event *out, int max, int k, uint32_t t, uint32_t x, uint32_t y,
                           uint32_t p)
{
    if (!out || k >= max) return;
    out[k].t = t;
    out[k].x = (uint16_t)x;
    out[k].y = (uint16_t)y;
    out[k].p = (uint8_t)p;
}

SNN_DEF int snn_events_nmnist(snn_event *out, int max, const void *memory, size_t size)
{
    const unsigned char *b = (const unsigned char *)memory;
    uint32_t over = 0;
    int k, n;
    if (!b) return SNN_ERR_NULL;
    if (size % 5) return SNN_ERR_FORMAT;
    if (size / 5 > 0x7fffffff || max < 0) return SNN_ERR_ARGUMENT;
    n = (int)(size / 5);
    for (k = 0; k < n; k++, b += 5) {
        if (b[1] == 240) over += 1u << 13;
        snn__event_put(out, max, k,
                       over + ((uint32_t)(b[2] & 127) << 16 | (uint32_t)b[3] << 8 | b[4]), b[0],
                       b[1], b[2] >> 7);
    }
    return n;
}

static uint32_t snn__little32(const unsigned char *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
/* Text lines that begin with #, then packets: 28 bytes of type u16, source u16, event size, time
 * offset, overflow, capacity, number, valid u32, then the events, all little-endian. Type 1 is
 * polarity: data u32 (15 bits x, 15 bits y, polarity, valid from the top), time u32. */
SNN_DEF int snn_events_aedat(snn_event *out, int max, const void *memory, size_t size,
                             uint32_t start, uint32_t end)
{
    const unsigned char *b = (const unsigned char *)memory;
    size_t at = 0;
    int found = 0, ended = 0;
    if (!b) return SNN_ERR_NULL;
    if (max < 0) return SNN_ERR_ARGUMENT;
    if (!size || b[0] != '#') return SNN_ERR_FORMAT;
    while (!ended && at < size && b[at] == '#') {
        const size_t line = at;
        while (at < size && b[at] != '\n') at++;
        at += at < size;
        ended = at - line > 12 && b[at - 1] == '\n' && !memcmp(b + line, "#!END-HEADER", 12);
    }
    if (at == size && !ended) return SNN_ERR_FORMAT;
    while (at < size) {
        uint32_t type, bytes, number, k;
        if (size - at < 28) return SNN_ERR_FORMAT;
        type = snn__little32(b + at) & 0xffffu;
        bytes = snn__little32(b + at + 4);
        number = snn__little32(b + at + 20);
        at += 28;
        if (number && (bytes == 0 || (size - at) / bytes < number)) return SNN_ERR_FORMAT;
        if (type == 1 && number && bytes < 8) return SNN_ERR_FORMAT;
        for (k = 0; type == 1 && k < number; k++) {
            const uint32_t data = snn__little32(b + at + (size_t)k * bytes),
                           t = snn__little32(b + at + (size_t)k * bytes + 4);
            if (t < start || t >= end) continue;
            if (found == 0x7fffffff) return SNN_ERR_TOO_LARGE;
            snn__event_put(out, max, found++, t, data >> 17 & 0x1fffu, data >> 2 & 0x1fffu,
                           data >> 1 & 1u);
        }
        at += (size_t)number * bytes;
    }
    return found;
}

SNN_DEF int snn_events_shd(snn_event *out, int max, const float *times, const int *units, int n)
{
    int k;
    if (!times || !units) return SNN_ERR_NULL;
    if (n < 0 || max < 0) return SNN_ERR_ARGUMENT;
    for (k = 0; k < n; k++) {
        if (!(times[k] >= 0.0f && times[k] < 4e3f)) return SNN_ERR_NAN;
        if (units[k] < 0 || units[k] > 0xffff) return SNN_ERR_ARGUMENT;
        snn__event_put(out, max, k, (uint32_t)(times[k] * 1e6f), (uint32_t)units[k], 0, 0);
    }
    return n;
}

SNN_DEF snn_status snn_event_frames(float *out, const snn_event *events, int count,
                                    const snn_frames_desc *d)
{
    const uint32_t dt = d && d->dt ? d->dt : 1000;
    const int ds = d && d->downsample ? d->downsample : 1;
    size_t row, frame, at;
    int k, w, h;
    if (!out || !d || (!events && count > 0)) return SNN_ERR_NULL;
    if (d->_start || d->_end) return SNN_ERR_DESC;
    if (d->steps < 1 || d->steps > 1 << 24 || count < 0 || ds < 1 || d->width < ds ||
        d->height < 1 || (d->height > 1 && d->height < ds) || d->width > 1 << 16 ||
        d->height > 1 << 16)
        return SNN_ERR_ARGUMENT;
    w = d->width / ds;
    h = d->height == 1 ? 1 : d->height / ds; /* a line of sensors is not thinned across */
    row = (size_t)w;
    frame = row * (size_t)h * (d->no_polarity ? 1 : 2);
    if (snn__mul_size(frame, (size_t)d->steps) > SIZE_MAX / sizeof(float)) return SNN_ERR_TOO_LARGE;
    snn__zero(out, frame * (size_t)d->steps);
    for (k = 0; k < count; k++) {
        const uint32_t step = events[k].t < events[0].t ? 0xffffffffu
                                                        : (events[k].t - events[0].t) / dt;
        int x = events[k].x / ds, y = d->height == 1 ? events[k].y : events[k].y / ds;
        if (step >= (uint32_t)d->steps || x >= w || y >= h) continue;
        if (d->reverse) x = w - 1 - x;
        at = (size_t)step * frame + (size_t)y * row + (size_t)x;
        if (!d->no_polarity && events[k].p) at += row * (size_t)h;
        out[at] = d->binary ? 1.0f : out[at] + 1.0f;
    }
    return SNN_OK;
}

/* -- encoders of other frameworks, and decoders */

SNN_DEF snn_status snn_encode_draws(float *out, const float *data, const float *draws, int T,
                                    int n, float gain, int positive)
{
    size_t t, i;
    if (!out || !data || !draws) return SNN_ERR_NULL;
    if (T < 1 || n < 1 || !snn__finite(gain)) return SNN_ERR_ARGUMENT;
    if (!snn__all_finite(data, (size_t)n)) return SNN_ERR_NAN;
    for (t = 0; t < (size_t)T; t++)
        for (i = 0; i < (size_t)n; i++, draws++)
            *out++ = *draws <= gain * data[i] && (*draws > 0.0f || !positive) ? 1.0f : 0.0f;
    return SNN_OK;
}

SNN_DEF snn_status snn_encode_periodic(float *out, const float *data, int T, int n, float gain,
                                       int subtract)
{
    size_t t, i;
    if (!out || !data) return SNN_ERR_NULL;
    if (T < 1 || n < 1 || !snn__finite(gain)) return SNN_ERR_ARGUMENT;
    if (!snn__all_finite(data, (size_t)n)) return SNN_ERR_NAN;
    for (i = 0; i < (size_t)n; i++) {
        float m = 0.0f;
        for (t = i; t < (size_t)T * (size_t)n; t += (size_t)n) {
            m += gain * data[i];
            out[t] = m >= 1.0f ? 1.0f : 0.0f;
            if (m >= 1.0f) m = subtract ? m - 1.0f : 0.0f;
        }
    }
    return SNN_OK;
}

/* a spike `gap` steps behind the last, which was at *step of 1..T; 0: that is past the end */
static int snn__spike_after(float *out, int *step, int gap, int T, size_t stride)
{
    if (gap < 1) gap = 1;
    if (gap > T - *step) return 0;
    *step += gap;
    out[(size_t)(*step - 1) * stride] = 1.0f;
    return 1;
}
SNN_DEF snn_status snn_encode_intervals(float *out, const int *intervals, const float *rate, int T,
                                        int n)
{
    size_t i, k, N;
    if (!out || !intervals || !rate) return SNN_ERR_NULL;
    if (T < 1 || n < 1) return SNN_ERR_ARGUMENT;
    N = (size_t)n;
    for (k = 0; k < (size_t)T * N + N; k++)
        if (intervals[k] < 0) return SNN_ERR_ARGUMENT;
    if (!snn__all_finite(rate, N)) return SNN_ERR_NAN;
    snn__zero(out, (size_t)T * N);
    for (i = 0; i < N; i++) {
        int step = 0;
        for (k = i; rate[i] != 0.0f; k += N) /* past the end at the latest after T intervals */
            if (!snn__spike_after(out + i, &step, intervals[k], T, N)) break;
    }
    return SNN_OK;
}

SNN_DEF snn_status snn_encode_poisson(float *out, const float *rate, int T, int n, float dt,
                                      uint64_t seed)
{
    size_t i, N;
    if (!out || !rate) return SNN_ERR_NULL;
    if (T < 1 || n < 1 || !(dt > 0.0f) || !snn__finite(dt)) return SNN_ERR_ARGUMENT;
    N = (size_t)n;
    if (!snn__all_finite(rate, N)) return SNN_ERR_NAN;
    for (i = 0; i < N; i++)
        if (rate[i] < 0.0f) return SNN_ERR_ARGUMENT;
    snn__zero(out, (size_t)T * N);
    for (i = 0; i < N; i++) {
        const uint64_t key = snn__rng_key(seed, 1, (uint32_t)i);
        const double mean = 1.0 / ((double)rate[i] * (double)dt);
        uint32_t draw = 0;
        int step = 0;
        while (rate[i] > 0.0f) {
            /* events of a process of rate 1 in a time of `mean`; more than T + 1 are of no use */
            double left = mean;
            int gap = -1;
            while (left > 0.0 && gap <= T) {
                left += (double)SNN_LOGF(1.0f - snn__rng_uniform(key, draw++));
                gap++;
            }
            if (!snn__spike_after(out + i, &step, gap, T, N)) break;
        }
    }
    return SNN_OK;
}

SNN_DEF snn_status snn_decode_sum(float *out, const float *spikes, int T, int n, float gain,
                                  float offset)
{
    int t, i;
    if (!out || !spikes) return SNN_ERR_NULL;
    if (T < 1 || n < 1 || !snn__finite(gain) || !snn__finite(offset)) return SNN_ERR_ARGUMENT;
    for (i = 0; i < n; i++) out[i] = offset;
    for (t = 0; t < T; t++) snn__accumulate(out, spikes + (size_t)t * (size_t)n, (size_t)n);
    for (i = 0; i < n; i++) out[i] *= gain;
    return SNN_OK;
}

/* ---- >>loss -------------------------------------------------------------------------------- */
/* Each reads one number per class out of [T][B][C] and sends its gradient back there. */

typedef enum snn__reading {
    SNN__STEP,  /* value of step s */
    SNN__TOTAL, /* sum over the steps */
    SNN__PEAK,  /* maximum over the steps, the first one */
    SNN__SPIKE  /* step of spike number s, T-1 where there is none */
} snn__reading;

typedef struct snn__reader {
    snn__reading reading;
    size_t T, B, C, group, classes; /* `group` consecutive outputs make a class */
    const float *x;
} snn__reader;

enum { SNN__TILE = 64 };
typedef struct snn__tile { /* up to SNN__TILE classes of one sample */
    float z[SNN__TILE];    /* what was read */
    float g[SNN__TILE];    /* its gradient */
    size_t at[SNN__TILE];  /* PEAK, SPIKE: the element that it came from */
} snn__tile;

static snn_status snn__reader_open(snn__reader *r, snn__reading reading, int T, int B, int C,
                                   int population, const float *x)
{
    if (!x) return SNN_ERR_NULL;
    if (T < 1 || B < 1 || C < 1 || population < 0) return SNN_ERR_ARGUMENT;
    if (population && C % population) return SNN_ERR_SHAPE;
    r->reading = reading;
    r->T = (size_t)T;
    r->B = (size_t)B;
    r->C = (size_t)C;
    r->classes = population ? (size_t)population : (size_t)C;
    r->group = r->C / r->classes;
    r->x = x;
    return SNN_OK;
}

SNN__HD_CALL size_t snn__tile_count(const snn__reader *r, size_t k0)
{
    const size_t left = r->classes - k0;
    return left > SNN__TILE ? (size_t)SNN__TILE : left;
}

/* Reads the tile of classes k0 .. k0+n-1 of sample b and returns n. */
SNN__HD_CALL size_t snn__read(const snn__reader *r, size_t s, size_t b, size_t k0, snn__tile *tile)
{
    const size_t n = snn__tile_count(r, k0), group = r->group;
    const size_t end = r->reading == SNN__STEP ? s + 1 : r->T;
    size_t t = r->reading == SNN__STEP ? s : 0, j, k;
    for (k = 0; k < n; k++) tile->z[k] = 0.0f;
    for (k = 0; k < n && r->reading > SNN__TOTAL; k++) {
        const size_t from = r->reading == SNN__SPIKE ? r->T - 1 : 0;
        tile->at[k] = (from * r->B + b) * r->C + (k0 + k) * group;
        tile->z[k] = r->reading == SNN__SPIKE ? -1.0f - (float)s : r->x[tile->at[k]];
    }
    for (; t < end; t++) {
        const size_t base = (t * r->B + b) * r->C + k0 * group;
        for (j = 0; j < group; j++) {
            const float *x = r->x + base + j;
            if (r->reading <= SNN__TOTAL) {
                for (k = 0; k < n; k++) tile->z[k] += x[k * group];
                continue;
            }
            for (k = 0; k < n; k++) {
                const float v = x[k * group];
                if (r->reading == SNN__PEAK) {
                    if (!(v > tile->z[k])) continue;
                    tile->z[k] = v;
                } else {
                    if (v == 0.0f || tile->z[k] >= 0.0f || (tile->z[k] += 1.0f) < 0.0f) continue;
                    tile->z[k] = (float)t;
                }
                tile->at[k] = base + j + k * group;
            }
        }
    }
    if (r->reading == SNN__SPIKE)
        for (k = 0; k < n; k++)
            if (tile->z[k] < 0.0f) tile->z[k] = (float)(r->T - 1);
    return n;
}

/* Adds tile->g to the gradients of all that snn__read read. */
SNN__HD_CALL void snn__read_back(const snn__reader *r, size_t s, size_t b, size_t k0, size_t n,
                                 const snn__tile *tile, float *dx)
{
    const size_t end = r->reading == SNN__STEP ? s + 1 : r->T;
    size_t t = r->reading == SNN__STEP ? s : 0, j, k;
    if (r->reading > SNN__TOTAL) {
        for (k = 0; k < n; k++) dx[tile->at[k]] += tile->g[k];
        return;
    }
    for (; t < end; t++)
        for (j = 0; j < r->group; j++) {
            float *d = dx + (t * r->B + b) * r->C + k0 * r->group + j;
            for (k = 0; k < n; k++) d[k * r->group] += tile->g[k];
        }
}

/* -- losses */

typedef struct snn__loss_info {
    const char *name;
    snn__reading reading;
    int membrane; /* reads mem, not spk */
    int squared;  /* squared error, not cross entropy */
    int over_T;   /* how often it is divided by T */
} snn__loss_info;

static const snn__loss_info snn__loss_table[SNN_LOSS_COUNT] = {
    /* in the order of snn_loss_kind */
    {"ce_rate", SNN__STEP, 0, 0, 1},      {"ce_count", SNN__TOTAL, 0, 0, 0},
    {"ce_membrane", SNN__STEP, 1, 0, 0},  {"ce_max_membrane", SNN__PEAK, 1, 0, 0},
    {"ce_temporal", SNN__SPIKE, 0, 0, 0}, {"mse_count", SNN__TOTAL, 0, 1, 1},
    {"mse_membrane", SNN__STEP, 1, 1, 1}, {"mse_temporal", SNN__SPIKE, 0, 1, 2},
};

typedef struct snn__loss_pass {
    snn_loss_desc d; /* resolved */
    snn__reader in;
    size_t rows; /* readings of a sample: steps, spikes or 1 */
    float scale; /* of every element: 1/T and the mean */
    const int *y;
    const float *dloss;
    float *loss, *dx;
    double total;
} snn__loss_pass;

static snn_loss_desc snn__loss_defaults(const snn_loss_desc *d)
{
    snn_loss_desc r = *d;
    r.correct_rate = snn__float_or(r.correct_rate, 1.0f);
    if (r.multi_spike == 0) r.multi_spike = 1;
    if (!r.set_targets) {
        if (r.kind == SNN_LOSS_MSE_MEMBRANE) r.on_target = snn__float_or(r.on_target, 1.0f);
        if (r.kind == SNN_LOSS_MSE_TEMPORAL) r.off_target = snn__float_or(r.off_target, -1.0f);
    }
    return r;
}

static snn_status snn__loss_open(snn__loss_pass *p, const snn_loss_desc *desc, int T, int B, int C,
                                 const float *spk, const float *mem, const int *y)
{
    snn_loss_desc *d = &p->d;
    const snn__loss_info *info;
    snn_status status;
    size_t b;
    double count;
    if (!desc) return SNN_ERR_NULL;
    if (desc->_start || desc->_end) return SNN_ERR_DESC;
    if ((int)desc->kind < 0 || desc->kind >= SNN_LOSS_COUNT) return SNN_ERR_ARGUMENT;
    if ((int)desc->reduction < 0 || desc->reduction > SNN_NONE) return SNN_ERR_ARGUMENT;
    *d = snn__loss_defaults(desc);
    info = &snn__loss_table[d->kind];
    status =
        snn__reader_open(&p->in, info->reading, T, B, C, d->population, info->membrane ? mem : spk);
    if (status != SNN_OK) return status;
    if (d->l1_rate != 0.0f && !spk) return SNN_ERR_NULL;
    if (d->l1_rate != 0.0f && d->reduction == SNN_NONE) return SNN_ERR_ARGUMENT;

    if (d->kind != SNN_LOSS_MSE_TEMPORAL) {
        d->tolerance = 0.0f;
        d->multi_spike = 1;
        d->on_times = d->off_times = d->times = NULL;
    }
    if (d->multi_spike < 1) return SNN_ERR_ARGUMENT;
    if (d->multi_spike > 1 && !d->times && (!d->on_times || !d->off_times)) return SNN_ERR_NULL;
    p->rows = info->reading == SNN__STEP ? p->in.T : (size_t)d->multi_spike;
    if (d->kind == SNN_LOSS_MSE_COUNT) { /* in float: 0.7f of 10 steps are 7 spikes, in double 6 */
        const float most = (float)T * (float)p->in.group;
        d->on_target = SNN_FLOORF(most * d->correct_rate);
        d->off_target = SNN_FLOORF(most * d->incorrect_rate);
    }

    if (d->time_var_targets && info->reading != SNN__STEP) return SNN_ERR_ARGUMENT;
    if (d->times && !d->weight) y = NULL; /* needs no labels */
    else if (!y) return SNN_ERR_NULL;
    else if (!snn__labels_valid(y, d->time_var_targets ? p->in.T : p->in.B, p->in.classes))
        return SNN_ERR_ARGUMENT;
    p->y = y;

    count = (double)p->in.B; /* what the mean divides by */
    if (info->squared) count *= (double)p->in.classes;
    if (info->squared && info->reading == SNN__SPIKE) count *= (double)p->rows;
    if (d->kind == SNN_LOSS_CE_TEMPORAL && d->weight)
        for (count = 0.0, b = 0; b < p->in.B; b++) count += (double)d->weight[y[b]];
    if (d->reduction != SNN_MEAN) count = 1.0;
    if (info->over_T > 0) count *= (double)T;
    if (info->over_T > 1) count *= (double)T;
    p->scale = (float)(1.0 / count);
    return SNN_OK;
}

/* Adds to the value that element e counts towards; returns the gradient of that value. */
SNN__HD_CALL float snn__loss_add(snn__loss_pass *p, size_t e, float value)
{
    if (p->d.reduction != SNN_NONE) {
        p->total += (double)value;
        return p->dloss ? p->dloss[0] : 1.0f;
    }
    p->loss[e] += value;
    return p->dloss ? p->dloss[e] : 1.0f;
}

/* -w log softmax(z)[label];  dz = w (softmax(z) - onehot). Pass 0 sums exponentials relative to
 * the largest z so far; pass 1 sends the gradients back. */
SNN__HD_CALL void snn__entropy_row(snn__loss_pass *p, size_t s, size_t b)
{
    const size_t K = p->in.classes, label = (size_t)p->y[p->d.time_var_targets ? s : b];
    const int temporal = p->in.reading == SNN__SPIKE, reciprocal = p->d.reciprocal;
    float w = p->d.weight ? p->scale * p->d.weight[label] : p->scale;
    float top = -3e38f, sum = 0.0f, right = 0.0f;
    size_t k0, k, n;
    int pass;
    snn__tile tile;
    for (pass = 0; pass < (p->dx ? 2 : 1); pass++) {
        for (k0 = 0; k0 < K; k0 += n) {
            n = snn__tile_count(&p->in, k0);
            if (pass == 0 || K > SNN__TILE) { /* pass 1 still has a single tile */
                float high = top;
                snn__read(&p->in, s, b, k0, &tile);
                if (temporal)
                    for (k = 0; k < n; k++)
                        tile.z[k] = reciprocal ? 1.0f / (tile.z[k] + 1.0f) : -tile.z[k];
                for (k = 0; k < n; k++) high = tile.z[k] > high ? tile.z[k] : high;
                if (k0 > 0 && high > top) sum *= snn__exp1(top - high);
                top = high;
                for (k = 0; k < n; k++) tile.g[k] = snn__exp1(tile.z[k] - top);
            }
            if (pass == 0) {
                for (k = 0; k < n; k++) sum += tile.g[k];
                if (label - k0 < n) right = tile.z[label - k0];
                continue;
            }
            for (k = 0; k < n; k++) tile.g[k] *= w / sum;
            if (label - k0 < n) tile.g[label - k0] -= w;
            if (temporal && reciprocal) /* the sign of dtime and that of an earlier spike cancel */
                for (k = 0; k < n; k++) tile.g[k] *= tile.z[k] * tile.z[k];
            snn__read_back(&p->in, s, b, k0, n, &tile, p->dx);
        }
        if (pass == 0) w *= snn__loss_add(p, b, w * (top - right + SNN_LOGF(sum)));
    }
}

/* w (z - target)^2;  dz = 2 w (z - target), negated for spike times: more spike means earlier */
SNN__HD_CALL void snn__squared_row(snn__loss_pass *p, size_t s, size_t b)
{
    const snn_loss_desc *d = &p->d;
    const size_t K = p->in.classes;
    const size_t label = p->y ? (size_t)p->y[d->time_var_targets ? s : b] : 0;
    const float w = d->weight ? p->scale * d->weight[label] : p->scale;
    const float on = d->on_times ? d->on_times[s] : d->on_target;
    const float off = d->off_times ? d->off_times[s] : d->off_target;
    const float *times = d->times ? d->times + (s * p->in.B + b) * K : NULL;
    const float last = (float)(p->in.T - 1);
    const int temporal = p->in.reading == SNN__SPIKE;
    size_t k0, k, n;
    snn__tile tile;
    for (k0 = 0; k0 < K; k0 += n) {
        n = snn__read(&p->in, s, b, k0, &tile);
        for (k = 0; k < n; k++) {
            float target = times ? times[k0 + k] : k0 + k == label ? on : off, diff, up;
            if (temporal && target < 0.0f) target += last + 1.0f; /* counts from the end */
            diff = tile.z[k] - target;
            if (SNN_FABSF(diff) < d->tolerance) diff = 0.0f;
            up = snn__loss_add(p, b * K + k0 + k, w * diff * diff);
            tile.g[k] = (temporal ? -2.0f : 2.0f) * w * diff * up;
            /* missing spikes all land on the last step, which takes the gradient of only one */
            if (temporal && s + 1 < p->rows && tile.z[k] == last) tile.g[k] = 0.0f;
        }
        if (p->dx) snn__read_back(&p->in, s, b, k0, n, &tile, p->dx);
    }
}

typedef struct snn__loss_job {
    snn__loss_pass pass;
    double total[SNN__TASKS];
    int tasks;
} snn__loss_job;
static void snn__loss_task(void *arg, int task) /* a part of the samples */
{
    snn__loss_job *job = (snn__loss_job *)arg;
    snn__loss_pass p = job->pass;
    const int squared = snn__loss_table[p.d.kind].squared;
    const size_t last = p.in.B * (size_t)(task + 1) / (size_t)job->tasks;
    size_t s, b;
    for (s = 0; s < p.rows; s++)
        for (b = p.in.B * (size_t)task / (size_t)job->tasks; b < last; b++) {
            if (squared) snn__squared_row(&p, s, b);
            else snn__entropy_row(&p, s, b);
        }
    job->total[task] = p.total;
}
static snn_status snn__loss(const snn_threads *threads, const snn_loss_desc *d, int T, int B, int C,
                            const float *spk, const float *mem, const int *y, const float *dloss,
                            float *loss, float *dspk, float *dmem)
{
    snn__loss_job job;
    snn__loss_pass *p = &job.pass;
    const snn__loss_info *info;
    double total = 0.0;
    size_t i, count;
    const snn_status status = snn__loss_open(p, d, T, B, C, spk, mem, y);
    if (status != SNN_OK) return status;
    if (!loss) return SNN_ERR_NULL;
    info = &snn__loss_table[p->d.kind];
    count = p->in.T * p->in.B * p->in.C;
    p->dloss = dloss;
    p->loss = loss;
    p->dx = info->membrane ? dmem : dspk;
    p->total = 0.0;
    if (p->d.reduction == SNN_NONE)
        memset(loss, 0, p->in.B * (info->squared ? p->in.classes : 1) * sizeof(float));
    job.tasks = snn__task_count(p->in.B);
    for (i = 0; i < (size_t)job.tasks; i++) job.total[i] = 0.0;
    snn__parallel_for(threads, (double)count, job.tasks, snn__loss_task, &job);
    for (i = 0; i < (size_t)job.tasks; i++) total += job.total[i];
    if (p->d.l1_rate != 0.0f) {
        const float up = p->d.l1_rate * (dloss ? dloss[0] : 1.0f);
        double spikes = 0.0;
        for (i = 0; i < count; i++) spikes += (double)spk[i];
        total += (double)p->d.l1_rate * spikes;
        for (i = 0; dspk && i < count; i++) dspk[i] += up;
    }
    if (p->d.reduction != SNN_NONE) *loss = (float)total;
    return SNN_OK;
}
SNN_DEF snn_status snn_loss(const snn_loss_desc *d, int T, int B, int C, const float *spk,
                            const float *mem, const int *y, const float *dloss, float *loss,
                            float *dspk, float *dmem)
{
    return snn__loss(NULL, d, T, B, C, spk, mem, y, dloss, loss, dspk, dmem);
}

SNN_DEF float snn_rate_loss(const snn_rate_desc *d, int T, int B, int n, const float *spk,
                            float *dspk)
{
    const size_t row = (size_t)B * (size_t)n, pool = d->per_layer ? (size_t)n : 1;
    const double share = 1.0 / ((double)T * (double)pool), units = (double)row / (double)pool;
    double total = 0.0;
    size_t u, i;
    int t;
    for (u = 0; u < row; u += pool) { /* one rate: of a neuron, or of a sample's whole layer */
        double spikes = 0.0, g = (double)d->l1, under, over;
        for (t = 0; t < T; t++)
            for (i = 0; i < pool; i++) spikes += (double)spk[(size_t)t * row + u + i];
        under = (double)d->lower - spikes * share;
        over = spikes * share - (double)d->upper;
        total += (double)d->l1 * spikes;
        if (d->lower_weight != 0.0f && under > 0.0) {
            total += (double)d->lower_weight * under * under / units;
            g -= 2.0 * (double)d->lower_weight * under * share / units;
        }
        if (d->upper_weight != 0.0f && over > 0.0) {
            total += (double)d->upper_weight * over * over / units;
            g += 2.0 * (double)d->upper_weight * over * share / units;
        }
        for (t = 0; dspk && t < T; t++)
            for (i = 0; i < pool; i++) dspk[(size_t)t * row + u + i] += (float)g;
    }
    return (float)total;
}

SNN_DEF const char *snn_loss_name(snn_loss_kind kind)
{
    return (int)kind >= 0 && kind < SNN_LOSS_COUNT ? snn__loss_table[kind].name : "unknown";
}

/* -- metrics */

static snn_status snn__metric_open(snn__reader *r, snn_metric metric, int T, int B, int C,
                                   int population, const float *x)
{
    if ((int)metric < 0 || metric > SNN_ACCURACY_MEMBRANE) return SNN_ERR_ARGUMENT;
    return snn__reader_open(r, metric == SNN_ACCURACY_TEMPORAL ? SNN__SPIKE : SNN__TOTAL, T, B, C,
                            population, x);
}

/* Largest reading, or the earliest spike; the lowest index wins ties. */
SNN__HD_CALL int snn__best_class(const snn__reader *r, size_t b)
{
    const float sign = r->reading == SNN__SPIKE ? -1.0f : 1.0f;
    float best = 0.0f;
    size_t winner = 0, k0, k, n;
    snn__tile tile;
    for (k0 = 0; k0 < r->classes; k0 += n) {
        n = snn__read(r, 0, b, k0, &tile);
        for (k = 0; k < n; k++)
            if (k0 + k == 0 || sign * tile.z[k] > best) {
                best = sign * tile.z[k];
                winner = k0 + k;
            }
    }
    return (int)winner;
}

SNN_DEF snn_status snn_predict(snn_metric metric, int T, int B, int C, const float *x, int *y,
                               int population)
{
    snn__reader r;
    size_t b;
    const snn_status status = snn__metric_open(&r, metric, T, B, C, population, x);
    if (status != SNN_OK) return status;
    if (!y) return SNN_ERR_NULL;
    for (b = 0; b < r.B; b++) y[b] = snn__best_class(&r, b);
    return SNN_OK;
}

SNN_DEF double snn_accuracy(snn_metric metric, int T, int B, int C, const float *x, const int *y,
                            int population)
{
    snn__reader r;
    size_t b, hits = 0;
    const snn_status status = snn__metric_open(&r, metric, T, B, C, population, x);
    if (status != SNN_OK) return (double)status;
    if (!y) return (double)SNN_ERR_NULL;
    if (!snn__labels_valid(y, r.B, r.classes)) return (double)SNN_ERR_ARGUMENT;
    for (b = 0; b < r.B; b++) hits += snn__best_class(&r, b) == y[b];
    return (double)hits / (double)r.B;
}
SNN__FAST("O3")

/* ---- >>optim ------------------------------------------------------------------------------- */
/* One pass over n parameters per step; all that depends on the step is a constant of that pass. */

static snn_optim_desc snn__optim_defaults(const snn_optim_desc *d)
{
    snn_optim_desc r = *d;
    r.beta1 = snn__float_or(r.beta1, 0.9f);
    r.beta2 = snn__float_or(r.beta2, r.kind == SNN_RMSPROP ? 0.99f : 0.999f);
    r.eps = snn__float_or(r.eps, 1e-8f);
    return r;
}

/* Square root to 2 ulp: sqrtf may set errno, and compilers do not vectorise a loop that does. */
SNN__HD float snn__sqrt1(float x)
{
    const float least = x < 1e-37f ? 1e-37f : x, half = 0.5f * least; /* no overflow in y y */
    float y; /* 1/sqrt(x): first guess by halving the exponent, then Newton's steps */
    int32_t bits;
    memcpy(&bits, &least, sizeof bits);
    bits = 0x5f375a86 - (bits >> 1);
    memcpy(&y, &bits, sizeof y);
    y *= 1.5f - half * y * y;
    y *= 1.5f - half * y * y;
    y *= 1.5f - half * y * y;
    return x * y;
}

/* 1 - b^k. In double: b^k is close to 1 for many steps. */
static double snn__bias(float b, int k)
{
    double power = 1.0, square = (double)b;
    for (; k > 0; k >>= 1, square *= square)
        if (k & 1) power *= square;
    return 1.0 - power;
}

/* shrink: AdamW's decay, else 1; decay: Adam's L2 term, else 0; rate, unbias: bias corrections */
SNN__HD void snn__adam_pass(float *SNN__RESTRICT p, const float *SNN__RESTRICT g,
                           float *SNN__RESTRICT m, float *SNN__RESTRICT v, size_t n, float b1,
                           float b2, float rate, float unbias, float eps, float shrink, float decay)
{
    SNN__NO_CONTRACT
    const float a1 = 1.0f - b1, a2 = 1.0f - b2;
    size_t i;
    for (i = 0; i < n; i++) {
        const float w = p[i] * shrink, gi = g[i] + decay * w;
        const float mi = b1 * m[i] + a1 * gi, vi = b2 * v[i] + a2 * gi * gi;
        m[i] = mi;
        v[i] = vi;
        p[i] = w - rate * mi / (snn__sqrt1(vi) * unbias + eps);
    }
}

SNN__HD void snn__sgd_pass(float *SNN__RESTRICT p, const float *SNN__RESTRICT g, size_t n,
                                float lr, float decay)
{
    SNN__NO_CONTRACT
    size_t i;
    for (i = 0; i < n; i++) p[i] -= lr * (g[i] + decay * p[i]);
}

/* b = keep b + add g;  p -= lr (now g + through b) */
SNN__HD void snn__momentum_pass(float *SNN__RESTRICT p, const float *SNN__RESTRICT g,
                               float *SNN__RESTRICT b, size_t n, float lr, float decay, float keep,
                               float add, float now, float through)
{
    SNN__NO_CONTRACT
    size_t i;
    for (i = 0; i < n; i++) {
        const float gi = g[i] + decay * p[i], bi = keep * b[i] + add * gi;
        b[i] = bi;
        p[i] -= lr * (now * gi + through * bi);
    }
}

SNN__HD void snn__rmsprop_pass(float *SNN__RESTRICT p, const float *SNN__RESTRICT g,
                              float *SNN__RESTRICT v, size_t n, float lr, float decay, float alpha,
                              float eps)
{
    SNN__NO_CONTRACT
    size_t i;
    for (i = 0; i < n; i++) {
        const float gi = g[i] + decay * p[i], vi = alpha * v[i] + (1.0f - alpha) * gi * gi;
        v[i] = vi;
        p[i] -= lr * gi / (snn__sqrt1(vi) + eps);
    }
}

SNN__HD void snn__rmsprop_momentum_pass(float *SNN__RESTRICT p, const float *SNN__RESTRICT g,
                                       float *SNN__RESTRICT v, float *SNN__RESTRICT b, size_t n,
                                       float lr, float decay, float alpha, float eps, float mu)
{
    SNN__NO_CONTRACT
    size_t i;
    for (i = 0; i < n; i++) {
        const float gi = g[i] + decay * p[i], vi = alpha * v[i] + (1.0f - alpha) * gi * gi;
        const float bi = mu * b[i] + gi / (snn__sqrt1(vi) + eps);
        v[i] = vi;
        b[i] = bi;
        p[i] -= lr * bi;
    }
}

/* step k, of a desc that is in order */
SNN__INLINE void snn__optim_pass(const snn_optim_desc *r, int k, float *p, const float *g,
                                 float *m1, float *m2, size_t n)
{
    const int momentum = r->momentum > 0.0f;
    if (r->kind == SNN_ADAM || r->kind == SNN_ADAMW) {
        const float rate = (float)((double)r->lr / snn__bias(r->beta1, k));
        const float unbias = 1.0f / SNN_SQRTF((float)snn__bias(r->beta2, k));
        const int apart = r->kind == SNN_ADAMW;
        snn__adam_pass(p, g, m1, m2, n, r->beta1, r->beta2, rate, unbias, r->eps,
                       apart ? 1.0f - r->lr * r->weight_decay : 1.0f,
                       apart ? 0.0f : r->weight_decay);
    } else if (r->kind == SNN_SGD && !momentum) {
        snn__sgd_pass(p, g, n, r->lr, r->weight_decay);
    } else if (r->kind == SNN_SGD) { /* the first step fills the buffer with g itself */
        snn__momentum_pass(p, g, m1, n, r->lr, r->weight_decay, k > 1 ? r->momentum : 0.0f,
                           k > 1 ? 1.0f - r->dampening : 1.0f, r->nesterov ? 1.0f : 0.0f,
                           r->nesterov ? r->momentum : 1.0f);
    } else if (!momentum) {
        snn__rmsprop_pass(p, g, m1, n, r->lr, r->weight_decay, r->beta2, r->eps);
    } else {
        snn__rmsprop_momentum_pass(p, g, m1, m2, n, r->lr, r->weight_decay, r->beta2, r->eps,
                                   r->momentum);
    }
}
#if SNN__X86
SNN__TARGET_AVX2 static void snn__optim_pass_avx2(const snn_optim_desc *r, int k, float *p,
                                                  const float *g, float *m1, float *m2, size_t n)
{
    snn__optim_pass(r, k, p, g, m1, m2, n);
}
SNN__TARGET_AVX512 static void snn__optim_pass_avx512(const snn_optim_desc *r, int k, float *p,
                                                      const float *g, float *m1, float *m2,
                                                      size_t n)
{
    snn__optim_pass(r, k, p, g, m1, m2, n);
}
#endif
static snn_status snn__optim_update(const snn_optim_desc *d, int wide, int k, float *p,
                                    const float *g, float *m1, float *m2, size_t n)
{
    snn_optim_desc r;
    int adam, momentum, one, two; /* moments that it has */
    if (!d || !p || !g) return SNN_ERR_NULL;
    if (d->_start || d->_end) return SNN_ERR_DESC;
    r = snn__optim_defaults(d);
    if ((int)r.kind < 0 || r.kind > SNN_RMSPROP || k < 1) return SNN_ERR_ARGUMENT;
    if (!(r.lr > 0.0f) || !snn__finite(r.lr)) return SNN_ERR_ARGUMENT;
    if (!(r.beta1 >= 0.0f && r.beta1 < 1.0f)) return SNN_ERR_ARGUMENT;
    if (!(r.beta2 >= 0.0f && r.beta2 < 1.0f)) return SNN_ERR_ARGUMENT;
    if (!(r.eps >= 0.0f && r.weight_decay >= 0.0f && r.momentum >= 0.0f)) return SNN_ERR_ARGUMENT;
    adam = r.kind == SNN_ADAM || r.kind == SNN_ADAMW;
    momentum = !adam && r.momentum > 0.0f;
    if (r.kind == SNN_SGD && r.nesterov && (!momentum || r.dampening != 0.0f))
        return SNN_ERR_ARGUMENT;
    one = adam || momentum || r.kind == SNN_RMSPROP;
    two = adam || (momentum && r.kind == SNN_RMSPROP);
    if ((one && !m1) || (two && !m2)) return SNN_ERR_NULL;
#if SNN__X86
    if (wide > 1) snn__optim_pass_avx512(&r, k, p, g, m1, m2, n);
    else if (wide) snn__optim_pass_avx2(&r, k, p, g, m1, m2, n);
    else
#endif
        snn__optim_pass(&r, k, p, g, m1, m2, n);
    (void)wide;
    if (one && k % SNN__FLUSH_STEPS == 0)
        snn__flush_row(m1, n, r.kind == SNN_RMSPROP ? SNN__LEAST_SQUARE : SNN__LEAST);
    if (two && k % SNN__FLUSH_STEPS == 0)
        snn__flush_row(m2, n, adam ? SNN__LEAST_SQUARE : SNN__LEAST);
    return SNN_OK;
}
SNN_DEF snn_status snn_optim_update(const snn_optim_desc *d, int k, float *p, const float *g,
                                    float *m1, float *m2, size_t n)
{
    return snn__optim_update(d, 0, k, p, g, m1, m2, n);
}

/* -- schedules */

static snn_schedule_desc snn__schedule_defaults(const snn_schedule_desc *d)
{
    snn_schedule_desc r = *d;
    r.gamma = snn__float_or(r.gamma, 0.1f);
    return r;
}

/* from .. to along half a cosine, x in [0,1] */
static float snn__cosine(float from, float to, float x)
{
    return to + (from - to) * 0.5f * (1.0f + SNN_COSF(3.14159265f * x));
}

/* A bad desc gives 0, which no optimiser accepts. */
SNN_DEF float snn_schedule(const snn_schedule_desc *d, int k)
{
    snn_schedule_desc r;
    float x;
    if (!d || d->_start || d->_end) return 0.0f;
    r = snn__schedule_defaults(d);
    if (k < 0) k = 0;
    if (k < r.warmup) return r.lr * (float)(k + 1) / (float)r.warmup;
    if (r.warmup > 0) { /* counted in the period */
        k -= r.warmup;
        r.period -= r.warmup;
    }
    switch (r.kind) {
    case SNN_SCHEDULE_CONSTANT: return r.lr;
    case SNN_SCHEDULE_STEP:
        return r.step_size > 0 ? r.lr * SNN_POWF(r.gamma, (float)(k / r.step_size)) : 0.0f;
    case SNN_SCHEDULE_COSINE:
        if (r.period < 1) return 0.0f;
        x = (float)(k % r.period) / (float)r.period;
        if (k / r.period % 2) return snn__cosine(r.min_lr, r.lr, x); /* past the period it rises */
        return snn__cosine(r.lr, r.min_lr, x);
    case SNN_SCHEDULE_ONE_CYCLE: {
        const float low = r.lr / 25.0f, end = r.lr / 250000.0f;
        const float top = 0.3f * (float)r.period - 1.0f, last = (float)(r.period - 1);
        if (r.period < 1) return 0.0f;
        if ((float)k >= last) return end;
        if ((float)k <= top) return snn__cosine(low, r.lr, (float)k / top);
        return snn__cosine(r.lr, end, ((float)k - top) / (last - top));
    }
    default: return 0.0f;
    }
}

SNN__FAST_END

/* ---- >>rules ------------------------------------------------------------------------------- */
/* Learning without gradients: rules that look at the spikes of the two sides of a synapse. */

/* A desc with its defaults, and what the loops need of it. */
typedef struct snn__stdp {
    snn_stdp_desc d;
    float decay_pre[2], decay_post[2]; /* of the first and the second traces */
    float f[2][2];                     /* affine: f(w) = f[grows][0] + f[grows][1] w */
    float least, most;                 /* what w is clipped to */
    int affine, in_turn;
} snn__stdp;

static float snn__stdp_decay(const snn_stdp_desc *d, float tau)
{
    return d->exponential ? SNN_EXPF(-1.0f / tau) : 1.0f - 1.0f / tau;
}
static snn_status snn__stdp_begin(snn__stdp *s, const snn_stdp_desc *desc, int in_place)
{
    snn_stdp_desc *const d = &s->d;
    if (!desc) return SNN_ERR_NULL;
    if (desc->_start || desc->_end) return SNN_ERR_DESC;
    *d = *desc;
    if (!snn__finite(d->tau_pre) || !snn__finite(d->tau_post) || !snn__finite(d->tau_pre2) ||
        !snn__finite(d->tau_post2) || !snn__finite(d->a_pre) || !snn__finite(d->a_post) ||
        !snn__finite(d->a_pre3) || !snn__finite(d->a_post3) || !snn__finite(d->w_min) ||
        !snn__finite(d->w_max) || !snn__finite(d->mu) || !snn__finite(d->x_tar) ||
        !snn__finite(d->beta) || (int)d->bound < 0 || d->bound > SNN_STDP_EXPONENTIAL ||
        (int)d->order < 0 || d->order > SNN_STDP_IN_TURN)
        return SNN_ERR_ARGUMENT;
    if (d->a_pre == 0.0f && d->a_post == 0.0f && d->a_pre3 == 0.0f && d->a_post3 == 0.0f)
        d->a_pre = d->a_post = 1.0f;
    d->w_max = snn__float_or(d->w_max, 1.0f);
    d->mu = snn__float_or(d->mu, 1.0f);
    d->beta = snn__float_or(d->beta, 3.0f);
    if (d->a_pre3 == 0.0f) d->tau_pre2 = d->tau_pre;
    if (d->a_post3 == 0.0f) d->tau_post2 = d->tau_post;
    if (!(d->tau_pre > 0.0f) || !(d->tau_post > 0.0f) || !(d->tau_pre2 > 0.0f) ||
        !(d->tau_post2 > 0.0f) || (d->clip && d->w_min > d->w_max))
        return SNN_ERR_ARGUMENT;
    s->decay_pre[0] = snn__stdp_decay(d, d->tau_pre);
    s->decay_pre[1] = snn__stdp_decay(d, d->tau_pre2);
    s->decay_post[0] = snn__stdp_decay(d, d->tau_post);
    s->decay_post[1] = snn__stdp_decay(d, d->tau_post2);
    s->least = in_place && d->clip ? d->w_min : -3.4e38f;
    s->most = in_place && d->clip ? d->w_max : 3.4e38f;
    s->in_turn = in_place && d->order == SNN_STDP_IN_TURN;
    s->affine = d->bound <= SNN_STDP_ADDITIVE || (d->bound == SNN_STDP_SOFT && d->mu == 1.0f);
    s->f[0][0] = s->f[1][0] = d->bound == SNN_STDP_ADDITIVE ? 1.0f : 0.0f;
    s->f[0][1] = s->f[1][1] = d->bound == SNN_STDP_TIMES_W ? 1.0f : 0.0f;
    if (d->bound == SNN_STDP_SOFT)
        s->f[0][0] = -d->w_min, s->f[0][1] = 1.0f, s->f[1][0] = d->w_max, s->f[1][1] = -1.0f;
    return SNN_OK;
}

/* What is compiled for speed, see >>kernels. */
SNN__FAST("O3")
static void snn__stdp_trace(const snn_stdp_desc *d, float *trace, const float *spikes, size_t n,
                            float decay)
{
    size_t i;
    if (!spikes)
        for (i = 0; i < n; i++) trace[i] = snn__flush(trace[i] * decay);
    else
        for (i = 0; i < n; i++) {
            const float t = snn__flush(trace[i] * decay) + spikes[i];
            trace[i] = d->nearest && spikes[i] != 0.0f ? spikes[i] : t;
        }
}
/* One side's traces before the changes (`after` 0: they decay; `first`: and take the spikes) and
 * after them. The second traces lie `second` behind the first; 0: there are none. */
static void snn__stdp_traces(const snn_stdp_desc *d, float *trace, size_t second,
                             const float *spikes, size_t n, const float *decay, int first,
                             int after)
{
    if (!after) snn__stdp_trace(d, trace, first ? spikes : NULL, n, decay[0]);
    else if (!first) snn__stdp_trace(d, trace, spikes, n, 1.0f);
    if (second) snn__stdp_trace(d, trace + second, after ? spikes : NULL, n, after ? 1 : decay[1]);
}

SNN__INLINE float snn__stdp_f(const snn__stdp *s, float w, int grows, int affine)
{
    const float room = grows ? s->d.w_max - w : w - s->d.w_min;
    if (affine) return s->f[grows][0] + s->f[grows][1] * w;
    if (s->d.bound == SNN_STDP_EXPONENTIAL) /* the room that is left on the other side */
        return SNN_EXPF(-s->d.beta * (grows ? w - s->d.w_min : s->d.w_max - w));
    return room > 0.0f ? SNN_POWF(room, s->d.mu) : 0.0f;
}
SNN__INLINE float snn__stdp_clip(const snn__stdp *s, float w)
{
    return w < s->least ? s->least : w > s->most ? s->most : w;
}
/* What w changes by: post fired and counts `up` for the trace tp, pre fired and counts `down`. */
SNN__INLINE float snn__stdp_change(const snn__stdp *s, float w, float tp, float up, float down,
                                   int affine)
{
    float minus = 0.0f, plus = 0.0f;
    if (affine || down != 0.0f) minus = down * snn__stdp_f(s, w, 0, affine);
    if (s->in_turn) {
        const float left = snn__stdp_clip(s, w - minus);
        minus = w - left;
        w = left;
    }
    if (affine || (up != 0.0f && s->d.bound == SNN_STDP_SOFT))
        plus = up * (tp - s->d.x_tar) * snn__stdp_f(s, w, 1, affine);
    else if (up != 0.0f)
        plus = up * (tp * snn__stdp_f(s, w, 1, 0) - s->d.x_tar * snn__stdp_f(s, w, 0, 0));
    return plus - minus;
}
SNN__INLINE float snn__stdp_add(const snn__stdp *s, float w, float change)
{
    const float sum = snn__stdp_clip(s, w + change);
    return change != 0.0f ? sum : w;
}

/* The synapses of an output, in parts that are computed before they are written: w may be dw. */
static void snn__stdp_row(const snn__stdp *rule, size_t n, float up, float tq, const float *pre,
                          const float *tp, const float *tp2, const float *w, float *dw, float *e)
{
    float change[128];
    const snn__stdp copy = *rule, *const s = &copy; /* which no store can change */
    const float a = s->d.a_pre, a3 = s->d.a_pre3;
    size_t i, k;
    for (; n; n -= k, pre += k, tp += k, tp2 += k, w += k) {
        k = n < 128 ? n : 128;
        if (s->affine)
            for (i = 0; i < k; i++)
                change[i] = snn__stdp_change(s, w[i], tp[i], up, pre[i] * (a + a3 * tp2[i]) * tq,
                                             1);
        else
            for (i = 0; i < k; i++)
                change[i] = snn__stdp_change(s, w[i], tp[i], up, pre[i] * (a + a3 * tp2[i]) * tq,
                                             0);
        if (e) memcpy(e, change, k * sizeof(float)), e += k;
        if (!dw) continue;
        for (i = 0; i < k; i++) dw[i] = snn__stdp_add(s, dw[i], change[i]);
        dw += k;
    }
}
/* Silent outputs: only the inputs that fired matter, whose list makes this cheap. */
static void snn__stdp_columns(const snn__stdp *s, size_t I, size_t O, const float *pre,
                              const float *post, const float *tp2, const float *tq, const float *w,
                              float *dw, float *e)
{
    int list[128];
    float size[128];
    size_t i = 0, o, k, n;
    if (s->d.a_pre == 0.0f && s->d.a_pre3 == 0.0f) return;
    while (i < I) {
        for (n = 0; i < I && n < 128; i++)
            if (pre[i] != 0.0f) {
                list[n] = (int)i;
                size[n++] = pre[i] * (s->d.a_pre + s->d.a_pre3 * tp2[i]);
            }
        for (o = 0; n && o < O; o++) {
            if (post[o] != 0.0f || tq[o] == 0.0f) continue;
            for (k = 0; k < n; k++) {
                const size_t at = o * I + (size_t)list[k];
                const float change = snn__stdp_change(s, w[at], 0.0f, 0.0f, size[k] * tq[o],
                                                      s->affine);
                if (e) e[at] = change;
                if (dw) dw[at] = snn__stdp_add(s, dw[at], change);
            }
        }
    }
}

SNN_DEF snn_status snn_stdp_linear(const snn_stdp_desc *desc, int B, int I, int O,
                                   const float *pre, const float *post, float *trace_pre,
                                   float *trace_post, const float *w, float *dw, float *eligibility)
{
    snn__stdp s;
    snn_status status = snn__stdp_begin(&s, desc, w == dw);
    const size_t in = (size_t)I, out = (size_t)O, n_pre = (size_t)B * in, n_post = (size_t)B * out;
    size_t b, o, second_pre, second_post;
    int pre_first, post_first;
    if (status != SNN_OK) return status;
    if (!pre || !post || !trace_pre || !trace_post || !w) return SNN_ERR_NULL;
    if (B < 1 || I < 1 || O < 1) return SNN_ERR_SHAPE;
    pre_first = s.d.order != SNN_STDP_TRACES_LAST, second_pre = s.d.a_pre3 != 0.0f ? n_pre : 0;
    post_first = s.d.order == SNN_STDP_TRACES_FIRST, second_post = s.d.a_post3 != 0.0f ? n_post : 0;
    snn__stdp_traces(&s.d, trace_pre, second_pre, pre, n_pre, s.decay_pre, pre_first, 0);
    snn__stdp_traces(&s.d, trace_post, second_post, post, n_post, s.decay_post, post_first, 0);
    if (eligibility) snn__zero(eligibility, (size_t)B * out * in);
    for (b = 0; b < (size_t)B; b++) {
        const float *x = pre + b * in, *y = post + b * out, *tp = trace_pre + b * in;
        const float *tp2 = tp + second_pre, *tq = trace_post + b * out, *tq2 = tq + second_post;
        float *e = eligibility ? eligibility + b * out * in : NULL;
        size_t i, fired = 0; /* inputs that change weights */
        if (s.d.a_pre != 0.0f || s.d.a_pre3 != 0.0f)
            for (i = 0; i < in; i++) fired += x[i] != 0.0f;
        for (o = 0; o < out; o++) /* where many inputs fired, rows are faster than a list */
            if (y[o] != 0.0f || (fired > in / 8 && tq[o] != 0.0f))
                snn__stdp_row(&s, in, y[o] * (s.d.a_post + s.d.a_post3 * tq2[o]), tq[o], x, tp,
                              tp2, w + o * in, dw ? dw + o * in : NULL, e ? e + o * in : NULL);
        if (fired && fired <= in / 8) snn__stdp_columns(&s, in, out, x, y, tp2, tq, w, dw, e);
    }
    snn__stdp_traces(&s.d, trace_pre, second_pre, pre, n_pre, s.decay_pre, pre_first, 1);
    snn__stdp_traces(&s.d, trace_post, second_post, post, n_post, s.decay_post, post_first, 1);
    return SNN_OK;
}

/* snn__stdp_traces of the images of a batch within their padding, which never spikes */
static void snn__stdp_images(const snn__stdp *s, float *trace, size_t second, const float *pre,
                             int images, int H, int W, int ph, int pw, int after)
{
    const size_t wide = (size_t)W + 2 * (size_t)pw, high = (size_t)H + 2 * (size_t)ph;
    int b, y;
    for (b = 0; b < images; b++)
        for (y = 0; y < H; y++)
            snn__stdp_traces(&s->d,
                             trace + ((size_t)b * high + (size_t)(y + ph)) * wide + (size_t)pw,
                             second, pre + ((size_t)b * (size_t)H + (size_t)y) * (size_t)W,
                             (size_t)W, s->decay_pre, s->d.order != SNN_STDP_TRACES_LAST, after);
}

SNN_DEF snn_status snn_stdp_conv2d(const snn_stdp_desc *desc, const snn_conv2d_desc *c, int B,
                                   int I, int H, int W, const float *pre, const float *post,
                                   float *trace_pre, float *trace_post, const float *w, float *dw)
{
    snn__stdp s;
    snn_status status = snn__stdp_begin(&s, desc, w == dw);
    int kh, kw, sh, sw, ph, pw, hp, wp, oh, ow, b, i, o, y, x, ky, kx, first;
    size_t second_pre, second_post, n_post;
    if (status != SNN_OK) return status;
    if (!c || !pre || !post || !trace_pre || !trace_post || !w || !dw) return SNN_ERR_NULL;
    if (c->_start || c->_end) return SNN_ERR_DESC;
    kh = snn__either(c->kernel_h, c->kernel, 0), kw = snn__either(c->kernel_w, c->kernel, 0);
    sh = snn__either(c->stride_h, c->stride, 1), sw = snn__either(c->stride_w, c->stride, 1);
    ph = snn__either(c->padding_h, c->padding, 0), pw = snn__either(c->padding_w, c->padding, 0);
    if (B < 1 || I < 1 || H < 1 || W < 1 || c->out_channels < 1 || kh < 1 || kw < 1 || sh < 1 ||
        sw < 1 || ph < 0 || pw < 0 || H > 1 << 14 || W > 1 << 14 || ph > 1 << 14 || pw > 1 << 14)
        return SNN_ERR_SHAPE;
    if (snn__either(c->dilation_h, c->dilation, 1) != 1 || c->groups > 1 ||
        snn__either(c->dilation_w, c->dilation, 1) != 1)
        return SNN_ERR_UNSUPPORTED;
    hp = H + 2 * ph, wp = W + 2 * pw;
    if (hp < kh || wp < kw) return SNN_ERR_SHAPE;
    oh = (hp - kh) / sh + 1, ow = (wp - kw) / sw + 1;
    if ((size_t)B > (size_t)0x7fffffff / (size_t)I) return SNN_ERR_TOO_LARGE;
    n_post = (size_t)B * (size_t)c->out_channels * (size_t)oh * (size_t)ow;
    second_pre = s.d.a_pre3 != 0.0f ? (size_t)B * (size_t)I * (size_t)hp * (size_t)wp : 0;
    second_post = s.d.a_post3 != 0.0f ? n_post : 0;
    first = s.d.order == SNN_STDP_TRACES_FIRST;
    snn__stdp_images(&s, trace_pre, second_pre, pre, B * I, H, W, ph, pw, 0);
    snn__stdp_traces(&s.d, trace_post, second_post, post, n_post, s.decay_post, first, 0);
    for (b = 0; b < B; b++)
        for (y = 0; y < oh; y++)
            for (x = 0; x < ow; x++)
                for (i = 0; i < I; i++)
                    for (ky = 0; ky < kh; ky++)
                        for (kx = 0; kx < kw; kx++) {
                            const int py = y * sh + ky - ph, px = x * sw + kx - pw;
                            const int inside = py >= 0 && py < H && px >= 0 && px < W;
                            const size_t image = (size_t)b * (size_t)I + (size_t)i;
                            const float spike = inside ? pre[(image * (size_t)H + (size_t)py) *
                                                             (size_t)W + (size_t)px] : 0.0f;
                            const float *tp = trace_pre + (image * (size_t)hp +
                                                           (size_t)(py + ph)) * (size_t)wp +
                                              (size_t)(px + pw);
                            const float down = spike * (s.d.a_pre + s.d.a_pre3 * tp[second_pre]);
                            /* nothing came here, or long ago */
                            if (*tp == 0.0f && spike == 0.0f && s.d.x_tar == 0.0f) continue;
                            for (o = 0; o < c->out_channels; o++) {
                                const size_t from = (((size_t)b * (size_t)c->out_channels +
                                                      (size_t)o) * (size_t)oh + (size_t)y) *
                                                    (size_t)ow + (size_t)x;
                                const size_t to = (((size_t)o * (size_t)I + (size_t)i) *
                                                   (size_t)kh + (size_t)ky) * (size_t)kw +
                                                  (size_t)kx;
                                const float *tq = trace_post + from;
                                const float up = post[from] *
                                                 (s.d.a_post + s.d.a_post3 * tq[second_post]);
                                if (post[from] == 0.0f && spike == 0.0f) continue;
                                dw[to] = snn__stdp_add(&s, dw[to], snn__stdp_change(
                                    &s, w[to], *tp, up, down * *tq, s.affine));
                            }
                        }
    snn__stdp_images(&s, trace_pre, second_pre, pre, B * I, H, W, ph, pw, 1);
    snn__stdp_traces(&s.d, trace_post, second_post, post, n_post, s.decay_post, first, 1);
    return SNN_OK;
}
SNN__FAST_END

SNN_DEF snn_status snn_reward_update(const snn_reward_desc *d, int B, size_t n, float *w, float *z,
                                     const float *e, snn_reward *state, const float *r)
{
    float gain, decay, lasts, most;
    size_t b, i;
    if (!d || !w || (!z && (!e || d->tau != 0.0f))) return SNN_ERR_NULL;
    if (d->_start || d->_end) return SNN_ERR_DESC;
    if (!state && (d->tau_dopamine != 0.0f || d->tau_mean != 0.0f)) return SNN_ERR_NULL;
    if (B < 1 || n < 1) return SNN_ERR_SHAPE;
    most = snn__float_or(d->w_max, 1.0f);
    if (!snn__finite(d->lr) || d->lr == 0.0f || !snn__finite(d->gain) || !(d->tau >= 0.0f) ||
        !snn__finite(d->tau) || !(d->tau_dopamine >= 0.0f) || !snn__finite(d->tau_dopamine) ||
        !(d->tau_mean == 0.0f || d->tau_mean >= 1.0f) || !snn__finite(d->tau_mean) ||
        !snn__finite(d->w_min) || !snn__finite(d->w_max) || (d->clip && d->w_min > most))
        return SNN_ERR_ARGUMENT;
    for (b = 0; r && b < (size_t)B; b++)
        if (!snn__finite(r[b])) return SNN_ERR_NAN;
    gain = snn__float_or(d->gain, 1.0f);
    decay = d->tau > 0.0f ? SNN_EXPF(-1.0f / d->tau) : 0.0f;
    lasts = d->tau_dopamine > 0.0f ? SNN_EXPF(-1.0f / d->tau_dopamine) : 0.0f;
    for (b = 0; b < (size_t)B; b++) {
        float reward = r ? r[b] : 0.0f;
        if (r && d->tau_mean > 0.0f) {
            reward -= state[b].mean;
            state[b].mean += reward / d->tau_mean;
        }
        if (d->tau_dopamine > 0.0f)
            reward = state[b].dopamine = snn__flush(state[b].dopamine * lasts) + reward;
        for (i = 0; i < n; i++) {
            const float now = e ? gain * e[b * n + i] : 0.0f;
            const float trace = decay > 0.0f ? snn__flush(z[b * n + i] * decay) + now : now;
            const float sum = w[i] + d->lr * reward * trace;
            if (z) z[b * n + i] = trace;
            if (reward == 0.0f) continue;
            w[i] = !d->clip ? sum : sum < d->w_min ? d->w_min : sum > most ? most : sum;
        }
    }
    return SNN_OK;
}

SNN_DEF snn_status snn_stdp_first_spike(const snn_first_spike_desc *d, int I, int O,
                                        const int *t_pre, const int *t_post, const int *right,
                                        const float *w, float *dw)
{
    float a[2][2], hits; /* [right][before] */
    size_t i, o, at;
    int k;
    if (!d || !t_pre || !t_post || !right || !w || !dw) return SNN_ERR_NULL;
    if (d->_start || d->_end) return SNN_ERR_DESC;
    if (I < 1 || O < 1) return SNN_ERR_SHAPE;
    if (!snn__finite(d->right_before) || !snn__finite(d->right_after) ||
        !snn__finite(d->wrong_before) || !snn__finite(d->wrong_after) || d->hits < 0 ||
        d->decisions < 0 || d->hits > d->decisions)
        return SNN_ERR_ARGUMENT;
    a[0][0] = d->wrong_after, a[0][1] = d->wrong_before;
    a[1][0] = d->right_after, a[1][1] = d->right_before;
    if (a[0][0] == 0.0f && a[0][1] == 0.0f) a[0][0] = 0.0005f, a[0][1] = -0.004f;
    if (a[1][0] == 0.0f && a[1][1] == 0.0f) a[1][0] = -0.003f, a[1][1] = 0.004f;
    if (d->decisions > 0) {
        hits = (float)d->hits / (float)d->decisions;
        for (k = 0; k < 2; k++) a[0][k] *= hits, a[1][k] *= 1.0f - hits;
    }
    for (o = 0; o < (size_t)O; o++)
        for (i = 0; i < (size_t)I && t_post[o] >= 0; i++) {
            const int before = t_pre[i] >= 0 && t_pre[i] <= t_post[o];
            at = o * (size_t)I + i;
            dw[at] += a[right[o] != 0][before] * w[at] * (1.0f - w[at]);
        }
    return SNN_OK;
}

SNN_DEF snn_status snn_resume_linear(const snn_resume_desc *d, int B, int I, int O,
                                     const float *pre, const float *post, const float *wanted,
                                     float *trace, float *dw)
{
    const size_t in = (size_t)I, out = (size_t)O, n = (size_t)B * in;
    float a, gain, actual_gain, decay, actual_decay;
    size_t b, i, o, second;
    int same;
    if (!d || !pre || !post || !wanted || !trace || !dw) return SNN_ERR_NULL;
    if (d->_start || d->_end) return SNN_ERR_DESC;
    if (B < 1 || I < 1 || O < 1) return SNN_ERR_SHAPE;
    if (!snn__finite(d->lr) || d->lr == 0.0f || !(d->tau > 0.0f) || !snn__finite(d->tau) ||
        !(d->actual_tau >= 0.0f) || !snn__finite(d->actual_tau) || !snn__finite(d->a) ||
        !snn__finite(d->gain) || !snn__finite(d->actual_a) || !snn__finite(d->actual_gain))
        return SNN_ERR_ARGUMENT;
    gain = snn__float_or(d->gain, 1.0f);
    actual_gain = snn__float_or(d->actual_gain, gain);
    a = snn__float_or(d->actual_a, d->a);
    decay = SNN_EXPF(-1.0f / d->tau);
    actual_decay = SNN_EXPF(-1.0f / snn__float_or(d->actual_tau, d->tau));
    second = d->actual_tau > 0.0f ? n : 0;
    same = !second && a == d->a && actual_gain == gain;
    for (b = 0; b < (size_t)B; b++)
        for (o = 0; o < out; o++) {
            const float *tp = trace + b * in, up = wanted[b * out + o], down = post[b * out + o];
            const float plus = d->lr * up, minus = d->lr * down;
            if ((up == 0.0f && down == 0.0f) || (up == down && same)) continue;
            for (i = 0; i < in; i++)
                dw[o * in + i] += plus * (d->a + gain * tp[i]) -
                                  minus * (a + actual_gain * tp[second + i]);
        }
    for (i = 0; i < n; i++) {
        if (second) trace[n + i] = snn__flush((trace[n + i] + pre[i]) * actual_decay);
        trace[i] = snn__flush((trace[i] + pre[i]) * decay);
    }
    return SNN_OK;
}

SNN_DEF snn_status snn_pes_linear(float lr, int B, int I, int O, const float *pre,
                                  const float *target, float *w, float *out)
{
    size_t b, i, o;
    if (!pre || !target || !w) return SNN_ERR_NULL;
    if (B < 1 || I < 1 || O < 1) return SNN_ERR_SHAPE;
    if (!snn__finite(lr)) return SNN_ERR_ARGUMENT;
    for (b = 0; b < (size_t)B; b++, pre += I)
        for (o = 0; o < (size_t)O; o++) {
            float *row = w + o * (size_t)I, error = target[b * (size_t)O + o], sum = 0.0f;
            for (i = 0; out && i < (size_t)I; i++) sum += row[i] * pre[i];
            if (out) out[b * (size_t)O + o] = sum;
            error = lr * (error - sum);
            for (i = 0; i < (size_t)I; i++) row[i] += error * pre[i];
        }
    return SNN_OK;
}

SNN_DEF snn_status snn_normalise_rows(float *w, int rows, int columns, float total, int absolute)
{
    int i, k;
    if (!w) return SNN_ERR_NULL;
    if (rows < 1 || columns < 1) return SNN_ERR_SHAPE;
    if (!snn__finite(total)) return SNN_ERR_ARGUMENT;
    for (k = 0; k < rows; k++, w += columns) {
        double sum = 0;
        float scale;
        for (i = 0; i < columns; i++) sum += (double)(absolute ? SNN_FABSF(w[i]) : w[i]);
        scale = sum != 0 ? (float)((double)total / sum) : 1.0f;
        for (i = 0; i < columns; i++) w[i] *= scale;
    }
    return SNN_OK;
}

SNN_DEF snn_status snn_assign_labels(int N, int neurons, int classes, const float *counts,
                                     const int *y, float *rates, int *assign)
{
    const size_t n = (size_t)neurons;
    size_t i;
    int c, k;
    if (!counts || !y || !rates || !assign) return SNN_ERR_NULL;
    if (N < 1 || neurons < 1 || classes < 1) return SNN_ERR_SHAPE;
    for (k = 0; k < N; k++)
        if (y[k] < 0 || y[k] >= classes) return SNN_ERR_ARGUMENT;
    snn__zero(rates, (size_t)classes * n);
    for (k = 0; k < N; k++) snn__accumulate(rates + (size_t)y[k] * n, counts + (size_t)k * n, n);
    for (c = 0; c < classes; c++) {
        int samples = 0;
        for (k = 0; k < N; k++) samples += y[k] == c;
        for (i = 0; i < n && samples; i++) rates[(size_t)c * n + i] /= (float)samples;
    }
    for (i = 0; i < n; i++) {
        float most = 0.0f;
        assign[i] = -1;
        for (c = 0; c < classes; c++)
            if (rates[(size_t)c * n + i] > most) most = rates[(size_t)c * n + i], assign[i] = c;
    }
    return SNN_OK;
}

SNN_DEF snn_status snn_vote(int N, int neurons, int classes, const float *counts,
                            const int *assign, const float *rates, float *score, int *y)
{
    const size_t n = (size_t)neurons;
    size_t i, c, m;
    int k;
    if (!counts || !assign) return SNN_ERR_NULL;
    if (N < 1 || neurons < 1 || classes < 1) return SNN_ERR_SHAPE;
    for (i = 0; i < n; i++)
        if (assign[i] < -1 || assign[i] >= classes) return SNN_ERR_ARGUMENT;
    for (k = 0; k < N; k++, counts += n) {
        float best = 0.0f;
        for (c = 0; c < (size_t)classes; c++) {
            float sum = 0.0f, voters = 0.0f, all;
            for (i = 0; i < n; i++) {
                if (assign[i] != (int)c) continue;
                voters += 1.0f;
                for (m = 0, all = 0.0f; rates && m < (size_t)classes; m++) all += rates[m * n + i];
                sum += all > 0.0f ? counts[i] * (rates[c * n + i] / all) : rates ? 0.0f : counts[i];
            }
            if (voters > 0.0f) sum /= voters;
            if (score) score[(size_t)k * (size_t)classes + c] = sum;
            if (y && (c == 0 || sum > best)) best = sum, y[k] = (int)c;
        }
    }
    return SNN_OK;
}

SNN_DEF snn_status snn_homeostasis(int n, float *theta, float *threshold, const float *spikes,
                                   float base, float decay, float plus)
{
    int i;
    if (!theta || !threshold) return SNN_ERR_NULL;
    if (n < 1) return SNN_ERR_SHAPE;
    if (!(decay >= 0.0f) || !(decay <= 1.0f)) return SNN_ERR_ARGUMENT;
    if (!snn__finite(base) || !snn__finite(plus)) return SNN_ERR_NAN;
    for (i = 0; i < n; i++) {
        if (spikes) theta[i] = snn__flush(theta[i] * decay + plus * spikes[i]);
        threshold[i] = base + theta[i] * decay;
    }
    return SNN_OK;
}

SNN__FAST("O3")

/* -- dense layers, online and local rules */

static void snn__dense_add(float *SNN__RESTRICT y, const float *SNN__RESTRICT x, float a, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++) y[i] += a * x[i];
}

SNN_DEF snn_status snn_dense_forward(float *y, const float *x, const float *w, const float *b,
                                     int B, int I, int O)
{
    const size_t in = (size_t)I, out = (size_t)O;
    float value[128];
    unsigned char at[128];
    size_t k, count, o, r, i, m;
    int s;
    if (!y || !x || !w) return SNN_ERR_NULL;
    if (B < 1 || I < 1 || O < 1) return SNN_ERR_SHAPE;
    for (s = 0; s < B; s++, x += in, y += out) {
        if (b) memcpy(y, b, out * sizeof(float));
        else snn__zero(y, out);
        for (i = 0; i < in; i += m) { /* a list of the nonzeros of each piece, used for all rows */
            m = in - i < sizeof at ? in - i : sizeof at;
            for (k = 0, count = 0; k < m; k++) {
                at[count] = (unsigned char)k;
                value[count] = x[i + k];
                count += x[i + k] != 0.0f;
            }
            for (o = 0; count && o < out; o += 4) { /* four sums at once hide the adds' latency */
                const float *row[4];
                float sum[4];
                for (r = 0; r < 4; r++) {
                    row[r] = w + (o + r < out ? o + r : out - 1) * in + i;
                    sum[r] = 0.0f;
                }
                for (k = 0; k < count; k++)
                    for (r = 0; r < 4; r++) sum[r] += value[k] * row[r][at[k]];
                for (r = 0; r < 4 && o + r < out; r++) y[o + r] += sum[r];
            }
        }
    }
    return SNN_OK;
}

SNN_DEF snn_status snn_dense_backward(float *dx, float *dw, float *db, const float *dy,
                                      const float *x, const float *w, int B, int I, int O)
{
    const size_t in = (size_t)I, out = (size_t)O;
    size_t o, s;
    if (!dy || (dx && !w) || (dw && !x)) return SNN_ERR_NULL;
    if (B < 1 || I < 1 || O < 1) return SNN_ERR_SHAPE;
    if (dx) snn__zero(dx, (size_t)B * in);
    for (o = 0; o < out; o++)
        for (s = 0; s < (size_t)B; s++) {
            const float g = dy[s * out + o];
            if (g == 0.0f) continue;
            if (dx) snn__dense_add(dx + s * in, w + o * in, g, in);
            if (dw) snn__dense_add(dw + o * in, x + s * in, g, in);
            if (db) db[o] += g;
        }
    return SNN_OK;
}

/* One neuron's synapses: eligibilities move, their product with the signal is added to dw. carried,
 * adapted and smoothed [I] may be NULL. */
static void snn__eligibility(const snn_online_desc *d, size_t n, const float *SNN__RESTRICT trace,
                             float carry, float psi, float signal, float *SNN__RESTRICT carried,
                             float *SNN__RESTRICT adapted, float *SNN__RESTRICT smoothed,
                             float *SNN__RESTRICT dw)
{
    size_t i;
    for (i = 0; i < n; i++) {
        float e = trace[i];
        if (carried) e = carried[i] = snn__flush(carry * carried[i] + e);
        e = adapted ? psi * (e - d->adaptation * adapted[i]) : psi * e;
        if (adapted) adapted[i] = snn__flush(d->adaptation_decay * adapted[i] + e);
        if (smoothed) e = smoothed[i] = snn__flush(d->smooth * smoothed[i] + e);
        if (dw) dw[i] += signal * e;
    }
}

/* y_t = gain sum_k (t-k) d^(t-k) x_k: with p = sum_k d^(t-k) x_k that sum is q, since (k+1) d^(k+1)
 * = d (k d^k + d^k) */
static void snn__alpha_scan(float decay, float gain, size_t T, size_t n, const float *x, float *y,
                            int reverse)
{
    float p[64], q[64];
    size_t at, i, t, m;
    for (at = 0; at < n; at += m) {
        m = n - at < 64 ? n - at : 64;
        snn__zero(p, 64);
        snn__zero(q, 64);
        for (t = 0; t < T; t++) {
            const size_t row = (reverse ? T - 1 - t : t) * n + at;
            for (i = 0; i < m; i++) {
                q[i] = snn__flush(decay * (q[i] + p[i]));
                p[i] = snn__flush(decay * p[i] + x[row + i]);
                y[row + i] = gain * q[i];
            }
        }
    }
}
SNN__FAST_END

static int snn__share(float x) { return x >= 0.0f && x <= 1.0f; }

static snn_status snn__online_check(const snn_online_desc *d, int B, int I, int O)
{
    if (!d) return SNN_ERR_NULL;
    if (d->_start || d->_end) return SNN_ERR_DESC;
    if (B < 1 || I < 1 || O < 1) return SNN_ERR_SHAPE;
    return snn__share(d->decay) && snn__share(d->decay2) && snn__share(d->smooth) &&
                   snn__share(d->adaptation_decay) && snn__finite(d->adaptation)
               ? SNN_OK
               : SNN_ERR_ARGUMENT;
}

SNN_DEF size_t snn_online_size(const snn_online_desc *d, int B, int I, int O)
{
    size_t inputs, outputs, synapses;
    if (snn__online_check(d, B, I, O) != SNN_OK) return 0;
    inputs = snn__mul_size((size_t)B, (size_t)I * (d->decay2 != 0.0f ? 2u : 1u));
    outputs = snn__mul_size((size_t)B, (size_t)O);
    synapses = snn__mul_size(snn__mul_size(outputs, (size_t)I),
                             (size_t)((d->adaptation != 0.0f) + (d->smooth != 0.0f)) +
                                 (d->carry ? 1u : 0u));
    inputs = snn__add_size(snn__add_size(inputs, outputs), synapses);
    return inputs > SIZE_MAX / sizeof(float) ? 0 : inputs;
}

/* The state is Q, P, g, then E, A, F of each synapse, as far as there are any. */
SNN_DEF const float *snn_online_trace(const snn_online_desc *d, int B, int I, const float *pre,
                                      float *state)
{
    const int two = d && d->decay2 != 0.0f;
    float *q = state, *p, k, k2;
    size_t i, n;
    if (snn__online_check(d, B, I, 1) != SNN_OK || !pre || !state) return NULL;
    n = (size_t)B * (size_t)I;
    p = two ? q + n : q;
    k = d->normalise ? 1.0f - d->decay : 1.0f;
    k2 = d->normalise ? 1.0f - d->decay2 : 1.0f;
    for (i = 0; i < n; i++) q[i] = snn__flush(d->decay * q[i]) + k * pre[i];
    for (i = 0; two && i < n; i++) p[i] = snn__flush(d->decay2 * p[i]) + k2 * q[i];
    return p;
}

SNN_DEF snn_status snn_online_linear(const snn_online_desc *d, int B, int I, int O,
                                     const float *pre, const float *psi, const float *signal,
                                     const float *w, float *state, float *dw, float *db,
                                     float *dpre)
{
    const snn_status status = snn__online_check(d, B, I, O);
    const size_t in = (size_t)I, out = (size_t)O;
    size_t rows, synapses, k;
    const float *trace;
    float *g, *carried, *adapted, *smoothed;
    if (status != SNN_OK) return status;
    if (!state || (dpre && !w)) return SNN_ERR_NULL;
    if (!snn_online_size(d, B, I, O)) return SNN_ERR_TOO_LARGE;
    rows = (size_t)B * out, synapses = rows * in;
    if (pre) snn_online_trace(d, B, I, pre, state);
    trace = state + (d->decay2 != 0.0f ? (size_t)B * in : 0);
    g = state + (size_t)B * in * (d->decay2 != 0.0f ? 2u : 1u);
    carried = g + rows;
    adapted = carried + (d->carry ? synapses : 0);
    smoothed = adapted + (d->adaptation != 0.0f ? synapses : 0);
    if (!d->carry) carried = NULL;
    if (d->adaptation == 0.0f) adapted = NULL;
    if (d->smooth == 0.0f) smoothed = NULL;
    for (k = 0; k < rows; k++) g[k] = signal ? (psi ? signal[k] * psi[k] : signal[k]) : 0.0f;
    if (carried || adapted || smoothed) {
        for (k = 0; k < rows; k++)
            snn__eligibility(d, in, trace + k / out * in, d->carry ? d->carry[k] : 0.0f,
                             psi ? psi[k] : 1.0f, signal ? signal[k] : 0.0f,
                             carried ? carried + k * in : NULL, adapted ? adapted + k * in : NULL,
                             smoothed ? smoothed + k * in : NULL,
                             dw && signal && signal[k] != 0.0f ? dw + k % out * in : NULL);
        dw = NULL;
    }
    return snn_dense_backward(dpre, dw, db, g, trace, w, B, I, O);
}

static snn_status snn__slayer_check(snn_slayer_desc *r, const snn_slayer_desc *d)
{
    if (!d) return SNN_ERR_NULL;
    if (d->_start || d->_end) return SNN_ERR_DESC;
    *r = *d;
    r->tau_refractory = snn__float_or(d->tau_refractory, 1.0f);
    r->threshold = snn__float_or(d->threshold, 1.0f);
    r->refractory = snn__float_or(d->refractory, 2.0f);
    r->height = snn__float_or(d->height, 1.0f);
    r->steepness = snn__float_or(d->steepness, 1.0f);
    return r->tau > 0.0f && r->tau_refractory > 0.0f && snn__finite(r->tau) &&
                   snn__finite(r->tau_refractory) && snn__finite(r->threshold) &&
                   snn__finite(r->refractory) && snn__finite(r->height) &&
                   r->steepness >= 0.0f && snn__finite(r->steepness)
               ? SNN_OK
               : SNN_ERR_ARGUMENT;
}

SNN_DEF snn_status snn_alpha_filter(float tau, int T, int n, const float *x, float *y, int reverse)
{
    if (!x || !y) return SNN_ERR_NULL;
    if (T < 1 || n < 1) return SNN_ERR_SHAPE;
    if (!(tau > 0.0f) || !snn__finite(tau)) return SNN_ERR_ARGUMENT;
    snn__alpha_scan(SNN_EXPF(-1.0f / tau), 2.71828183f / tau, (size_t)T, (size_t)n, x, y, reverse);
    return SNN_OK;
}

SNN_DEF snn_status snn_slayer_forward(const snn_slayer_desc *desc, int T, int B, int I, int O,
                                      const float *x, const float *w, float *a, float *u, float *s)
{
    snn_slayer_desc d;
    const snn_status status = snn__slayer_check(&d, desc);
    size_t n, k, t;
    float decay, gain;
    if (status != SNN_OK) return status;
    if (!x || !w || !a || !u || !s) return SNN_ERR_NULL;
    if (T < 1 || B < 1 || I < 1 || O < 1) return SNN_ERR_SHAPE;
    if (B > 0x7fffffff / T || T * B > 0x7fffffff / I || B > 0x7fffffff / O)
        return SNN_ERR_TOO_LARGE;
    snn_alpha_filter(d.tau, T, B * I, x, a, 0);
    snn_dense_forward(u, a, w, NULL, T * B, I, O);
    decay = SNN_EXPF(-1.0f / d.tau_refractory);
    gain = -2.71828183f * d.refractory * d.threshold / d.tau_refractory;
    n = (size_t)B * (size_t)O;
    for (k = 0; k < n; k++) {
        float p = 0.0f, q = 0.0f;
        for (t = k; t < (size_t)T * n; t += n) {
            q = snn__flush(decay * (q + p));
            u[t] += gain * q;
            s[t] = u[t] >= d.threshold ? 1.0f : 0.0f;
            p = snn__flush(decay * p) + s[t];
        }
    }
    return SNN_OK;
}

SNN_DEF snn_status snn_slayer_backward(const snn_slayer_desc *desc, int T, int B, int I, int O,
                                       const float *a, const float *u, const float *w, float *e,
                                       float *dw, float *dx)
{
    snn_slayer_desc d;
    const snn_status status = snn__slayer_check(&d, desc);
    size_t k, n;
    if (status != SNN_OK) return status;
    if (!u || !e || (dw && !a) || (dx && !w)) return SNN_ERR_NULL;
    if (T < 1 || B < 1 || I < 1 || O < 1) return SNN_ERR_SHAPE;
    if (B > 0x7fffffff / T || T * B > 0x7fffffff / I) return SNN_ERR_TOO_LARGE;
    n = (size_t)T * (size_t)B * (size_t)O;
    for (k = 0; k < n; k++)
        e[k] *= d.height * SNN_EXPF(-d.steepness * SNN_FABSF(u[k] - d.threshold));
    snn_dense_backward(dx, dw, NULL, e, a, w, T * B, I, O);
    if (dx) snn_alpha_filter(d.tau, T, B * I, dx, dx, 1);
    return SNN_OK;
}

SNN_DEF snn_status snn_forward_forward(const snn_forward_forward_desc *d, int B, int I, int O,
                                       const float *x, const float *w, const float *b, float *h,
                                       float *goodness, float *loss, float *dw, float *db)
{
    const size_t in = (size_t)I, out = (size_t)O;
    float threshold, unit;
    double sum = 0.0;
    size_t s, i, o;
    if (!d || !x || !w || !b || !h) return SNN_ERR_NULL;
    if (d->_start || d->_end) return SNN_ERR_DESC;
    if (B < 1 || I < 1 || O < 1) return SNN_ERR_SHAPE;
    if (!snn__finite(d->threshold)) return SNN_ERR_ARGUMENT;
    threshold = snn__float_or(d->threshold, 2.0f);
    unit = d->mean ? 1.0f / (float)O : 1.0f;
    snn_dense_forward(h, x, w, NULL, B, I, O);
    for (s = 0; s < (size_t)B; s++, x += in, h += out) {
        float length = 0.0f, G = 0.0f, z, e, slope;
        for (i = 0; i < in; i++) length += x[i] * x[i];
        length = 1.0f / (SNN_SQRTF(length) + 1e-8f);
        for (o = 0; o < out; o++) {
            const float v = h[o] * length + b[o];
            h[o] = v > 0.0f ? v : 0.0f;
            G += unit * h[o] * h[o];
        }
        z = d->negative ? G - threshold : threshold - G;
        e = SNN_EXPF(-SNN_FABSF(z)); /* never overflows */
        sum += (double)(z > 0.0f ? z : 0.0f) + (double)SNN_LOGF(1.0f + e);
        slope = (z > 0.0f ? 1.0f : e) / (1.0f + e) / (float)B * (d->negative ? 1.0f : -1.0f);
        if (goodness) goodness[s] = G;
        for (o = 0; o < out; o++) {
            const float g = 2.0f * unit * slope * h[o];
            if (g == 0.0f) continue;
            if (dw) snn__dense_add(dw + o * in, x, g * length, in);
            if (db) db[o] += g;
        }
    }
    if (loss) *loss = (float)(sum / (double)B);
    return SNN_OK;
}

/* sum of the last `window` rows of n spikes; state: the sum, then a ring of the rows */
static const float *snn__bpstdp_window(int window, int t, size_t n, const float *spikes,
                                       float *state)
{
    float *oldest = state + (size_t)(1 + t % window) * n;
    size_t i;
    for (i = 0; i < n; i++) {
        state[i] += spikes[i] - oldest[i];
        oldest[i] = spikes[i];
    }
    return state;
}

SNN_DEF snn_status snn_bpstdp_error(int window, int t, int B, int O, const float *spikes,
                                    const int *label, const float *teacher, float *state,
                                    float *xi)
{
    const float *n;
    int b, o;
    if (!spikes || !label || !state || !xi) return SNN_ERR_NULL;
    if (B < 1 || O < 1) return SNN_ERR_SHAPE;
    if (window < 1 || t < 0 || !snn__labels_valid(label, (size_t)B, (size_t)O))
        return SNN_ERR_ARGUMENT;
    n = snn__bpstdp_window(window, t, (size_t)B * (size_t)O, spikes, state);
    for (b = 0; b < B; b++)
        for (o = 0; o < O; o++, n++, xi++)
            *xi = teacher && teacher[b] == 0.0f ? 0.0f
                  : o == label[b]               ? (*n > 0.0f ? 0.0f : 1.0f)
                                                : (*n > 0.0f ? -1.0f : 0.0f);
    return SNN_OK;
}

SNN_DEF snn_status snn_bpstdp_linear(int window, int t, int B, int I, int O, const float *pre,
                                     const float *xi, const float *w, float *state, float *dw,
                                     float *xi_pre)
{
    const float *n;
    size_t i;
    if (!pre || !xi || !state || (xi_pre && !w)) return SNN_ERR_NULL;
    if (B < 1 || I < 1 || O < 1) return SNN_ERR_SHAPE;
    if (window < 1 || t < 0) return SNN_ERR_ARGUMENT;
    n = snn__bpstdp_window(window, t, (size_t)B * (size_t)I, pre, state);
    snn_dense_backward(xi_pre, dw, NULL, xi, n, w, B, I, O);
    for (i = 0; xi_pre && i < (size_t)B * (size_t)I; i++)
        if (!(n[i] > 0.0f)) xi_pre[i] = 0.0f;
    return SNN_OK;
}

/* Learning in exact spike times. SpikeProp's response is a membrane with equal time constants whose
 * input current jumps by e w: it shares EventProp's walk from arrival to arrival. In double: spike
 * times answer to small differences of large sums. */

static snn_status snn__population_check(const snn_population_desc *d, int features, const float *lo,
                                        const float *hi)
{
    int i;
    if (!d || !lo || !hi) return SNN_ERR_NULL;
    if (d->_start || d->_end) return SNN_ERR_DESC;
    if (d->fields < 3 || !(d->beta >= 0.0f) || !(d->t_max >= 0.0f) || !(d->t_silent >= 0.0f) ||
        !snn__finite(d->beta) || !snn__finite(d->t_max) || !snn__finite(d->t_silent) ||
        (int)d->rounding < 0 || d->rounding > SNN_ROUND_NONE)
        return SNN_ERR_ARGUMENT;
    if (features < 1) return SNN_ERR_SHAPE;
    for (i = 0; i < features; i++) {
        if (!snn__finite(lo[i]) || !snn__finite(hi[i])) return SNN_ERR_NAN;
        if (!(lo[i] < hi[i])) return SNN_ERR_ARGUMENT;
    }
    return SNN_OK;
}
static double snn__population_centre(const snn_population_desc *d, int i, double lo, double hi)
{
    return lo + (2.0 * (d->n3ml ? i : i + 1) - 3.0) / 2.0 * (hi - lo) / (d->fields - 2);
}
static double snn__population_width(const snn_population_desc *d, double lo, double hi)
{
    return (hi - lo) / ((double)snn__float_or(d->beta, 1.5f) * (d->fields - 2));
}

SNN_DEF snn_status snn_population_fields(const snn_population_desc *d, int features, float *centre,
                                         float *width, const float *lo, const float *hi)
{
    const snn_status status = snn__population_check(d, features, lo, hi);
    int f, i;
    if (status != SNN_OK) return status;
    for (f = 0; f < features; f++) {
        if (width) width[f] = (float)snn__population_width(d, (double)lo[f], (double)hi[f]);
        for (i = 0; centre && i < d->fields; i++)
            *centre++ = (float)snn__population_centre(d, i, (double)lo[f], (double)hi[f]);
    }
    return SNN_OK;
}

SNN_DEF snn_status snn_encode_population(const snn_population_desc *d, int B, int features,
                                         float *times, float *act, const float *x, const float *lo,
                                         const float *hi)
{
    const snn_status status = snn__population_check(d, features, lo, hi);
    double t_max, t_silent, z, a, t, whole;
    int b, f, i, silent;
    if (status != SNN_OK) return status;
    if (!x) return SNN_ERR_NULL;
    if (B < 1) return SNN_ERR_SHAPE;
    if (!snn__all_finite(x, (size_t)B * (size_t)features)) return SNN_ERR_NAN;
    t_max = (double)snn__float_or(d->t_max, 10.0f);
    t_silent = d->t_silent != 0.0f ? (double)d->t_silent : 0.9 * t_max;
    for (b = 0; b < B; b++)
        for (f = 0; f < features; f++, x++)
            for (i = 0; i < d->fields; i++) {
                z = ((double)*x - snn__population_centre(d, i, (double)lo[f], (double)hi[f])) /
                    snn__population_width(d, (double)lo[f], (double)hi[f]);
                a = exp(-z * z / 2.0);
                t = t_max * (1.0 - a);
                silent = t > t_silent;
                whole = floor(t);
                if (d->rounding == SNN_ROUND_NEAREST) t = whole + (t - whole >= 0.5);
                else if (d->rounding == SNN_ROUND_EVEN)
                    t = whole + (t - whole > 0.5 ||
                                 (t - whole == 0.5 && whole != 2.0 * floor(whole / 2.0)));
                else if (d->rounding == SNN_ROUND_DOWN) t = whole;
                if (d->n3ml) silent = t >= t_silent;
                if (act) *act++ = (float)a;
                if (times) *times++ = silent ? SNN_NEVER : (float)t;
            }
    return SNN_OK;
}

SNN_DEF void snn_spikes_sort(snn_spike *spikes, int count)
{
    int gap, i, j;
    if (!spikes) return;
    for (gap = count / 2; gap > 0; gap /= 2) /* Shell's sort */
        for (i = gap; i < count; i++) {
            const snn_spike s = spikes[i];
            for (j = i; j >= gap; j -= gap) {
                const snn_spike *before = &spikes[j - gap];
                if (before->t < s.t || (before->t == s.t && before->neuron <= s.neuron)) break;
                spikes[j] = *before;
            }
            spikes[j] = s;
        }
}

typedef struct snn__event_model {
    double tau_mem, tau_syn, theta;
    double end, step; /* step > 0: spikes at its multiples alone */
    double gain;      /* of the weights */
    int once;         /* one spike a neuron, that of neuron j in out[j] */
} snn__event_model;

/* tau_v V' = -V + I, tau_i I' = -I: h later V is f[0] V + f[2] I, and I is f[1] I */
static void snn__event_decay(double *f, double h, double tau_v, double tau_i)
{
    const double x = h / tau_i - h / tau_v;
    f[0] = exp(-h / tau_v);
    f[1] = exp(-h / tau_i);
    f[2] = fabs(x) < 1e-3 /* (1 - exp(-x))/x, also for equal time constants */
               ? f[0] * h / tau_v * (1.0 - x / 2.0 * (1.0 - x / 3.0 * (1.0 - x / 4.0)))
               : (f[0] - f[1]) / x * (h / tau_v);
}

/* How long until V reaches theta from below, within h; negative: it does not. */
static double snn__event_wait(const snn__event_model *m, double v, double i, double h)
{
    const double ratio = m->tau_mem / m->tau_syn, r = ratio - 1.0;
    double f[3], lo = 0.0, hi, x, t, last, u, c;
    int k;
    if (!(i > m->theta && i > v)) return -1.0; /* V rises as long as I > V, so I > theta there */
    if (v >= m->theta) return 0.0;
    x = r * (i - v) / (i * ratio); /* V has its maximum at I = V: exp(-r t/tau_mem) = 1 - x */
    if (!(x < 1.0)) return -1.0;   /* it has none, V stays below 0 */
    hi = m->tau_mem * (fabs(x) < 1e-4 ? (1.0 - v / i) / ratio * (1.0 + x / 2.0)
                                      : -log(1.0 - x) / r);
    if (hi > h) hi = h;
    snn__event_decay(f, hi, m->tau_mem, m->tau_syn);
    if (!(f[0] * v + f[2] * i >= m->theta)) return -1.0;
    t = hi;
    for (k = 0; k < 100; k++) { /* Newton's method, by halves where it leaves what is known */
        snn__event_decay(f, t, m->tau_mem, m->tau_syn);
        u = f[0] * v + f[2] * i, c = f[1] * i;
        if (u < m->theta) lo = t;
        else hi = t;
        last = t;
        t -= (u - m->theta) * m->tau_mem / (c - u);
        if (!(t > lo && t < hi)) t = 0.5 * (lo + hi);
        if (fabs(t - last) <= 1e-15 * m->tau_mem) break;
    }
    return t;
}
/* The same at the multiples of a step, from `now` to before `next`, or with it. */
static double snn__event_wait_steps(const snn__event_model *m, double v, double i, double now,
                                    double next, int with_next)
{
    double f[3], n = ceil(now / m->step);
    for (; n * m->step < next || (with_next && n * m->step <= next); n += 1.0) {
        snn__event_decay(f, n * m->step - now, m->tau_mem, m->tau_syn);
        if (f[0] * v + f[2] * i >= m->theta) return n * m->step - now;
    }
    return -1.0;
}

/* The spikes of a layer; their number, or max + 1 when there are more. state [O][2]: V, I */
static int snn__event_layer(const snn__event_model *m, size_t I, int O, snn_spike *out, int max,
                            const snn_spike *in, int count, const float *w, double *state)
{
    int e = 0, j, last, fired = 0;
    for (j = 0; j < 2 * O; j++) state[j] = 0.0;
    for (j = 0; m->once && j < O; j++) out[j].t = (double)SNN_NEVER, out[j].slope = 0.0f;
    while (e < count && in[e].t <= m->end) {
        const double now = in[e].t;
        double next, all[3], own[3], *s = state;
        for (; e < count && in[e].t == now; e++)
            for (j = 0; j < O; j++)
                state[2 * j + 1] += m->gain * (double)w[(size_t)j * I + (size_t)in[e].neuron];
        last = e == count || in[e].t > m->end;
        next = last ? m->end : in[e].t;
        snn__event_decay(all, next - now, m->tau_mem, m->tau_syn);
        for (j = 0; j < O; j++, s += 2) {
            double from = now, wait;
            if (m->once && out[j].t < (double)SNN_NEVER) continue;
            while ((wait = m->step > 0.0
                               ? snn__event_wait_steps(m, s[0], s[1], from, next, last)
                               : snn__event_wait(m, s[0], s[1], next - from)) >= 0.0) {
                snn_spike *spike = m->once ? &out[j] : &out[fired];
                if (fired++ == max) return fired;
                snn__event_decay(own, wait, m->tau_mem, m->tau_syn);
                s[0] = own[0] * s[0] + own[2] * s[1], s[1] *= own[1];
                from += wait;
                spike->t = from, spike->neuron = j, spike->slope = (float)(s[1] - s[0]);
                s[0] = 0.0;
                if (m->once) break;
            }
            if (from != now) snn__event_decay(own, next - from, m->tau_mem, m->tau_syn);
            s[0] = from != now ? own[0] * s[0] + own[2] * s[1] : all[0] * s[0] + all[2] * s[1];
            s[1] *= from != now ? own[1] : all[1];
        }
    }
    return fired;
}

static snn_status snn__spikeprop_check(const snn_spikeprop_desc *d, int B, int I, int O,
                                       snn_spikeprop_desc *r)
{
    if (!d) return SNN_ERR_NULL;
    if (d->_start || d->_end) return SNN_ERR_DESC;
    if (!d->delay) return SNN_ERR_NULL;
    *r = *d;
    r->tau = snn__float_or(d->tau, 7.0f);
    r->theta = snn__float_or(d->theta, 1.0f);
    r->t_end = snn__float_or(d->t_end, SNN_NEVER);
    r->slope_min = snn__float_or(d->slope_min, 0.1f);
    r->eta = snn__float_or(d->eta, 0.01f);
    if (!(r->tau > 0.0f) || !(r->theta > 0.0f) || !(d->step >= 0.0f) || !snn__finite(r->tau) ||
        !snn__finite(r->theta) || !snn__finite(r->t_end) || !snn__finite(d->step) ||
        !snn__finite(r->slope_min) || !snn__finite(r->eta) || !snn__finite(d->w_min) ||
        !snn__finite(d->w_max) || d->w_min > d->w_max || (d->step > 0.0f && d->t_end == 0.0f))
        return SNN_ERR_ARGUMENT;
    if (B < 1 || I < 1 || O < 1 || d->delays < 1) return SNN_ERR_SHAPE;
    if (I > 0x3fffffff / d->delays || O > 0x3fffffff) return SNN_ERR_TOO_LARGE;
    return snn__all_finite(d->delay, (size_t)d->delays) ? SNN_OK : SNN_ERR_NAN;
}

SNN_DEF snn_status snn_spikeprop_forward(const snn_spikeprop_desc *desc, int B, int I, int O,
                                         float *t_out, float *slope, const float *t_in,
                                         const float *w, snn_spike *spikes, double *state)
{
    snn_spikeprop_desc d;
    snn__event_model m;
    const snn_status status = snn__spikeprop_check(desc, B, I, O, &d);
    const size_t K = status == SNN_OK ? (size_t)d.delays : 0, arrivals = (size_t)I * K;
    int b, i, j, k, n;
    if (status != SNN_OK) return status;
    if (!t_out || !slope || !t_in || !w || !spikes || !state) return SNN_ERR_NULL;
    if (!snn__all_finite(t_in, (size_t)B * (size_t)I)) return SNN_ERR_NAN;
    m.tau_mem = m.tau_syn = (double)d.tau, m.theta = (double)d.theta;
    m.end = (double)d.t_end, m.step = (double)d.step, m.gain = exp(1.0), m.once = 1;
    for (b = 0; b < B; b++, t_in += I, t_out += O, slope += O) {
        for (n = 0, i = 0; i < I; i++)
            for (k = 0; t_in[i] < SNN_NEVER && k < d.delays; k++, n++) {
                spikes[n].t = (double)t_in[i] + (double)d.delay[k];
                spikes[n].neuron = i * d.delays + k;
            }
        snn_spikes_sort(spikes, n);
        snn__event_layer(&m, arrivals, O, spikes + arrivals, O, spikes, n, w, state);
        for (j = 0; j < O; j++) {
            t_out[j] = (float)spikes[arrivals + (size_t)j].t;
            slope[j] = spikes[arrivals + (size_t)j].slope / d.tau;
        }
    }
    return SNN_OK;
}

SNN_DEF snn_status snn_spikeprop_backward(const snn_spikeprop_desc *desc, int B, int I, int O,
                                          float *dw, float *dt_in, float *delta,
                                          const float *dt_out, const float *t_out,
                                          const float *slope, const float *t_in, const float *w)
{
    snn_spikeprop_desc d;
    const snn_status status = snn__spikeprop_check(desc, B, I, O, &d);
    int b, i, j, k;
    if (status != SNN_OK) return status;
    if (!dt_out || !t_out || !slope || !t_in || (dt_in && !w)) return SNN_ERR_NULL;
    for (b = 0; b < B; b++, t_in += I, t_out += O, slope += O, dt_out += O) {
        size_t at = 0;
        if (dt_in) snn__zero(dt_in, (size_t)I);
        for (j = 0; j < O; j++) {
            const int fired = t_out[j] < SNN_NEVER;
            const float s = slope[j] < d.slope_min ? d.slope_min : slope[j];
            const float g = fired ? -dt_out[j] / (s != 0.0f ? s : 1e-15f) : 0.0f;
            if (delta) *delta++ = g;
            for (i = 0; i < I; i++) {
                float sum = 0.0f;
                if (g == 0.0f || !(t_in[i] < SNN_NEVER)) {
                    at += (size_t)d.delays;
                    continue;
                }
                for (k = 0; k < d.delays; k++, at++) {
                    const float a = (t_out[j] - t_in[i] - d.delay[k]) / d.tau;
                    const float e = a >= 0.0f ? SNN_EXPF(1.0f - a) : 0.0f;
                    if (dw) dw[at] += g * a * e;
                    if (dt_in) sum += w[at] * (1.0f - a) * e;
                }
                if (dt_in) dt_in[i] -= g * sum / d.tau;
            }
        }
        if (dt_in) dt_in += I;
    }
    return SNN_OK;
}

SNN_DEF snn_status snn_spikeprop_update(const snn_spikeprop_desc *desc, int n, float *w,
                                        const float *dw)
{
    snn_spikeprop_desc d;
    const snn_status status = snn__spikeprop_check(desc, 1, 1, 1, &d);
    int i;
    if (status != SNN_OK) return status;
    if (!w || !dw) return SNN_ERR_NULL;
    if (n < 1) return SNN_ERR_SHAPE;
    for (i = 0; i < n; i++) {
        w[i] -= d.eta * dw[i];
        if (d.w_min < d.w_max) w[i] = snn__clamp(w[i], d.w_min, d.w_max);
    }
    return SNN_OK;
}

static snn_status snn__eventprop_check(const snn_eventprop_desc *d, int I, int O,
                                       snn__event_model *m)
{
    if (!d) return SNN_ERR_NULL;
    if (d->_start || d->_end) return SNN_ERR_DESC;
    if (!(d->tau_mem > 0.0f) || !(d->tau_syn > 0.0f) || !(d->theta >= 0.0f) ||
        !snn__finite(d->tau_mem) || !snn__finite(d->tau_syn) || !snn__finite(d->theta) ||
        !snn__finite(d->t_end))
        return SNN_ERR_ARGUMENT;
    if (I < 1 || O < 1) return SNN_ERR_SHAPE;
    if (O > 0x3fffffff) return SNN_ERR_TOO_LARGE;
    m->tau_mem = (double)d->tau_mem, m->tau_syn = (double)d->tau_syn;
    m->theta = (double)snn__float_or(d->theta, 1.0f);
    m->end = (double)snn__float_or(d->t_end, SNN_NEVER);
    m->step = 0.0, m->gain = 1.0, m->once = 0;
    return SNN_OK;
}
static snn_status snn__spikes_check(const snn_spike *s, int count, int neurons)
{
    int k;
    if (count < 0) return SNN_ERR_SHAPE;
    if (count && !s) return SNN_ERR_NULL;
    for (k = 0; k < count; k++) {
        if (!snn__finite((float)s[k].t)) return SNN_ERR_NAN;
        if (s[k].neuron < 0 || s[k].neuron >= neurons || (k && s[k].t < s[k - 1].t))
            return SNN_ERR_ARGUMENT;
    }
    return SNN_OK;
}

SNN_DEF int snn_eventprop_forward(const snn_eventprop_desc *d, int I, int O, snn_spike *out,
                                  int max, const snn_spike *in, int count, const float *w,
                                  double *state)
{
    snn__event_model m;
    snn_status status = snn__eventprop_check(d, I, O, &m);
    int fired;
    if (status == SNN_OK) status = snn__spikes_check(in, count, I);
    if (status != SNN_OK) return (int)status;
    if (!w || !state || (max && !out)) return (int)SNN_ERR_NULL;
    if (max < 0) return (int)SNN_ERR_SHAPE;
    fired = snn__event_layer(&m, (size_t)I, O, out, max, in, count, w, state);
    if (fired > max) return (int)SNN_ERR_TOO_LARGE;
    snn_spikes_sort(out, fired);
    return fired;
}

SNN_DEF snn_status snn_eventprop_backward(const snn_eventprop_desc *d, int I, int O, float *dw,
                                          float *dt_in, const float *dt_out, const snn_spike *out,
                                          int out_count, const snn_spike *in, int count,
                                          const float *w, double *state)
{
    snn__event_model m;
    snn_status status = snn__eventprop_check(d, I, O, &m);
    double now = (double)SNN_NEVER, f[3], g;
    int e = count - 1, o = out_count - 1, j, k;
    if (status == SNN_OK) status = snn__spikes_check(in, count, I);
    if (status == SNN_OK) status = snn__spikes_check(out, out_count, O);
    if (status != SNN_OK) return status;
    if (!w || !state || (out_count && !dt_out)) return SNN_ERR_NULL;
    for (k = 0; k < out_count; k++)
        if (!(out[k].slope > 0.0f)) return SNN_ERR_ARGUMENT; /* not from forward */
    for (j = 0; j < 2 * O; j++) state[j] = 0.0; /* [O][2]: lI, lV */
    while (e >= 0 || o >= 0) {
        const int own = o >= 0 && (e < 0 || out[o].t >= in[e].t);
        const double t = own ? out[o].t : in[e].t;
        if (t < now) { /* the same pair of equations, time running backward */
            snn__event_decay(f, now - t, m.tau_syn, m.tau_mem);
            for (j = 0; j < 2 * O; j += 2) {
                state[j] = f[0] * state[j] + f[2] * state[j + 1];
                state[j + 1] *= f[1];
            }
        }
        now = t;
        if (own) {
            double *lv = &state[2 * out[o].neuron + 1];
            *lv += (m.theta * *lv + (double)dt_out[o]) / (double)out[o].slope;
            o--;
            continue;
        }
        for (g = 0.0, j = 0; j < O; j++) {
            const size_t at = (size_t)j * (size_t)I + (size_t)in[e].neuron;
            if (dw) dw[at] -= (float)(m.tau_syn * state[2 * j]);
            g += (double)w[at] * (state[2 * j + 1] - state[2 * j]);
        }
        if (dt_in) dt_in[e] = (float)g;
        e--;
    }
    return SNN_OK;
}

/* -- evolution strategy */

static snn_status snn__es_check(const snn_es_desc *d, size_t n)
{
    if (!d) return SNN_ERR_NULL;
    if (d->_start || d->_end) return SNN_ERR_DESC;
    if (d->population < 2 || d->population % 2 || !snn__finite(d->sigma) || d->sigma < 0.0f)
        return SNN_ERR_ARGUMENT;
    if (n > 0x7fffffffu) return SNN_ERR_TOO_LARGE; /* two draws each of one 32-bit index */
    return n ? SNN_OK : SNN_ERR_SHAPE;
}
/* y = x + scale eps of one pair */
static void snn__es_noise(const snn_es_desc *d, uint32_t generation, int pair, size_t n,
                          const float *x, float scale, float *y)
{
    size_t i;
    for (i = 0; i < n; i++)
        y[i] = x[i] + scale * snn_normal(d->seed, generation, (uint32_t)pair, (uint32_t)i);
}

SNN_DEF snn_status snn_es_sample(const snn_es_desc *d, uint32_t generation, int member, size_t n,
                                 const float *theta, float *out)
{
    const snn_status status = snn__es_check(d, n);
    float sigma;
    if (status != SNN_OK) return status;
    if (!theta || !out) return SNN_ERR_NULL;
    if (member < 0 || member >= d->population) return SNN_ERR_ARGUMENT;
    sigma = snn__float_or(d->sigma, 0.1f);
    snn__es_noise(d, generation, member / 2, n, theta, member % 2 ? -sigma : sigma, out);
    return SNN_OK;
}

SNN_DEF snn_status snn_es_gradient(const snn_es_desc *d, uint32_t generation, size_t n,
                                   const float *fitness, float *g)
{
    const snn_status status = snn__es_check(d, n);
    int pair, i, above;
    float scale;
    if (status != SNN_OK) return status;
    if (!fitness || !g) return SNN_ERR_NULL;
    if (!snn__all_finite(fitness, (size_t)d->population)) return SNN_ERR_NAN;
    /* twice the difference of two ranks is a whole number: scale makes it one of u */
    scale = -0.5f / ((float)(d->population - 1) * (float)d->population *
                     snn__float_or(d->sigma, 0.1f));
    snn__zero(g, n);
    for (pair = 0; pair < d->population / 2; pair++) {
        const float plus = fitness[2 * pair], minus = fitness[2 * pair + 1];
        for (above = 0, i = 0; i < d->population; i++)
            above += (plus > fitness[i]) - (plus < fitness[i]) -
                     ((minus > fitness[i]) - (minus < fitness[i]));
        if (above) snn__es_noise(d, generation, pair, n, g, scale * (float)above, g);
    }
    return SNN_OK;
}

/* ---- >>net --------------------------------------------------------------------------------- */
/* The graph: building, planning, running. */

static snn_status snn__fail_list(snn_net *net, snn_status status, const char *format, va_list args)
{
    snn__text t;
    t.at = net->error;
    t.size = sizeof net->error;
    t.length = 0;
    net->error[0] = 0;
    snn__text_list(&t, format, args);
    if (!net->built) net->status = status; /* building: the first error stays */
    if (net->desc.logger.log) net->desc.logger.log(status, net->error, net->desc.logger.user);
    return status;
}
static snn_status snn__fail(snn_net *net, snn_status status, const char *format, ...)
{
    va_list args;
    if (!net->built && net->status != SNN_OK) return net->status;
    va_start(args, format);
    status = snn__fail_list(net, status, format, args);
    va_end(args);
    return status;
}

static snn_net_desc snn__net_defaults(const snn_net_desc *d)
{
    snn_net_desc r = *d;
    if (!r.batch) r.batch = 1;
    if (!r.steps) r.steps = 1;
    if (!r.max_layers) r.max_layers = 64;
    if (!r.moments) r.moments = 2;
    if (r.moments < 0 || r.inference) r.moments = 0;
    if (!r.checkpoint || r.checkpoint > r.steps) r.checkpoint = r.steps;
    if (r.dt == 0.0f) r.dt = 1e-3f;
    return r;
}

static void *snn__default_alloc(size_t size, void *user)
{
    (void)user;
#ifndef SNN_NO_STDLIB
    return malloc(size);
#else
    (void)size;
    return NULL;
#endif
}
static void snn__default_free(void *pointer, size_t size, void *user)
{
    (void)user;
    (void)size;
#ifndef SNN_NO_STDLIB
    free(pointer);
#else
    (void)pointer;
#endif
}

static snn_status snn__net_check(const snn_net_desc *d)
{
    if (d->_start || d->_end) return SNN_ERR_DESC;
    if (d->batch < 0 || d->steps < 0 || d->checkpoint < 0 ||
        d->gradient_steps < 0 || d->max_layers < 0 || d->moments > 2 ||
        !snn__finite(d->dt) || d->dt < 0.0f || d->batch > 1 << 24 || d->steps > 1 << 24 ||
        d->max_layers > 1 << 16 || (int)d->input < 0 || d->input > SNN_INPUT_SPIKES ||
        !(d->gradient_floor >= 0.0f && d->gradient_floor <= 1.0f) || (int)d->spikes < 0 ||
        d->spikes > SNN_SPIKES_SMOOTH || (int)d->isa < 0 ||
        d->isa > SNN_ISA_AVX512)
        return SNN_ERR_ARGUMENT;
    if (!d->allocator.alloc != !d->allocator.free) return SNN_ERR_NULL;
    return SNN_OK;
}
static size_t snn__head_size(const snn_net_desc *d)
{
    const size_t size = snn__add_size(sizeof(snn_net) + 2 * SNN__ALIGN,
                                      snn__mul_size((size_t)d->max_layers, sizeof(snn__node)));
    return size / SNN__ALIGN * SNN__ALIGN; /* what follows it is aligned if it is */
}
static snn_net *snn__net_init(void *memory, const snn_net_desc *d)
{
    snn_net *net = (snn_net *)memory;
    memset(memory, 0, snn__head_size(d));
    net->desc = *d;
    net->node = (snn__node *)(void *)((char *)memory +
                                      (sizeof(snn_net) + SNN__ALIGN - 1) / SNN__ALIGN * SNN__ALIGN);
    net->kern = snn__kernels_select(snn__isa_resolve(d->isa), d->deterministic);
    net->engine = d->backend ? d->backend->engine : NULL;
    net->head_size = snn__head_size(d);
    net->training = !d->inference;
    return net;
}

SNN_DEF snn_status snn_net_create(snn_net **out, const snn_net_desc *desc)
{
    snn_net_desc d;
    snn_status status;
    void *memory;
    if (!out || !desc) return SNN_ERR_NULL;
    *out = NULL;
    status = snn__net_check(desc);
    if (status != SNN_OK) return status;
    d = snn__net_defaults(desc);
    if (!d.allocator.alloc) {
        d.allocator.alloc = snn__default_alloc;
        d.allocator.free = snn__default_free;
    }
    memory = d.allocator.alloc(snn__head_size(&d), d.allocator.user);
    if (!memory) return SNN_ERR_MEMORY;
    *out = snn__net_init(memory, &d);
    (*out)->owned = 1;
    return SNN_OK;
}

SNN_DEF snn_status snn_net_create_in(snn_net **out, const snn_net_desc *desc, void *memory,
                                     size_t size)
{
    snn_net_desc d;
    snn_status status;
    size_t skip;
    if (!out || !desc || !memory) return SNN_ERR_NULL;
    *out = NULL;
    status = snn__net_check(desc);
    if (status != SNN_OK) return status;
    d = snn__net_defaults(desc);
    skip = (SNN__ALIGN - (size_t)((uintptr_t)memory % SNN__ALIGN)) % SNN__ALIGN;
    if (size < skip || size - skip < snn__head_size(&d)) return SNN_ERR_MEMORY;
    *out = snn__net_init((char *)memory + skip, &d);
    (*out)->buffer = (char *)memory + skip + (*out)->head_size;
    (*out)->buffer_size = size;
    return SNN_OK;
}

SNN_DEF void snn_net_destroy(snn_net *net)
{
    snn_allocator a;
    if (net && net->built && net->engine) net->engine->destroy(net);
    if (!net || !net->owned) return;
    a = net->desc.allocator;
    if (net->block) a.free(net->block, net->block_size, a.user);
    a.free(net, net->head_size, a.user);
}

SNN_DEF const char *snn_net_error(const snn_net *net)
{
    return net ? net->error : snn_status_text(SNN_ERR_NULL);
}

/* -- building */

static int snn__name_ok(const char *name)
{
    size_t i;
    for (i = 0; name[i]; i++)
        if (i + 1 >= SNN_NAME_SIZE || (unsigned char)name[i] <= ' ' || name[i] == '"' ||
            name[i] == '\\' || name[i] == '=' || (unsigned char)name[i] > 126)
            return 0;
    return i > 0;
}

/* ints and floats: the op's attributes. Every layer comes through here, also from files. */
static int snn__node_add(snn_net *net, int op, const char *name, int in0, int in1, const int *ints,
                         const float *floats, const snn_neuron_def *def,
                         const snn_neuron_desc *desc)
{
    const snn__op *o = &snn__op_table[op];
    snn__node *q;
    snn__text t;
    int k, number = 1;
    int64_t n = 1;
    if (!net) return SNN_ERR_NULL;
    if (net->built)
        return snn__fail(net, SNN_ERR_STATE, "layers cannot be added to a net that is built");
    if (net->status != SNN_OK) return net->status;
    if (net->count == net->desc.max_layers)
        return snn__fail(net, SNN_ERR_TOO_LARGE, "no room for another layer: max_layers is %d",
                         net->desc.max_layers);
    q = &net->node[net->count];
    memset(q, 0, sizeof *q);
    q->op = op;
    q->ins = o->ins;
    q->in[0] = in0;
    q->in[1] = in1;
    for (k = 0; k < o->ins; k++)
        if (q->in[k] < 0 || q->in[k] >= net->count)
            return snn__fail(net, SNN_ERR_ARGUMENT, "%s: input %d is not a node, there are %d",
                             o->name, q->in[k], net->count);
    if (op == SNN__INPUT && net->count)
        return snn__fail(net, SNN_ERR_STATE, "a net has one input and it comes first");
    if (ints) memcpy(q->i, ints, sizeof q->i);
    if (floats) memcpy(q->f, floats, sizeof q->f);
    q->neuron.def = def;
    if (desc) q->desc = *desc;
    if (name && *name) {
        if (!snn__name_ok(name))
            return snn__fail(
                net, SNN_ERR_ARGUMENT,
                "%s: a name has 1 to %d printable characters without spaces, quotes, = or \\",
                o->name, SNN_NAME_SIZE - 1);
        for (k = 0; k < net->count; k++)
            if (!strcmp(net->node[k].name, name))
                return snn__fail(net, SNN_ERR_ARGUMENT, "%s: the name \"%s\" is taken", o->name,
                                 name);
        memcpy(q->name, name, strlen(name) + 1);
    } else
        for (;; number++) { /* prefix1, prefix2, ...: the first free one */
            t.at = q->name;
            t.size = sizeof q->name;
            t.length = 0;
            snn__text_str(&t, def ? def->prefix : o->prefix);
            if (op != SNN__INPUT) snn__text_int(&t, number);
            for (k = 0; k < net->count && strcmp(net->node[k].name, q->name); k++) {}
            if (k == net->count) break;
        }
    if (o->infer(net, q) != SNN_OK) return net->status;
    for (k = q->ndim; k < 3; k++) q->shape[k] = 1;
    for (k = 0; k < q->ndim; k++) n = n > 1 << 28 ? n : n * q->shape[k];
    if (n <= 0 || n > 1 << 28)
        return snn__fail(net, SNN_ERR_TOO_LARGE, "%s \"%s\": %d x %d x %d is too large", o->name,
                         q->name, q->shape[0], q->shape[1], q->shape[2]);
    q->n = (int)n;
    q->words = (q->n + 31) / 32;
    q->root = o->kind == SNN__VIEW ? net->node[in0].root : net->count;
    return net->count++;
}

/* the first canary check of every layer call; a negative x is an earlier error passing through */
#define SNN__LAYER_BEGIN(x)                                                                    \
    if (!net) return SNN_ERR_NULL;                                                                 \
    if ((x) < 0)                                                                                   \
    return net->status != SNN_OK                                                                   \
               ? (int)net->status                                                                  \
               : snn__fail(net, SNN_ERR_ARGUMENT, "a layer's input is %d, not a node", x)
#define SNN__DESC_CHECK(what, d)                                                               \
    if (!(d)) return snn__fail(net, SNN_ERR_NULL, "%s: desc is NULL", what);                       \
    if ((d)->_start || (d)->_end)                                                                  \
    return snn__fail(net, SNN_ERR_DESC, "%s: the desc was not zero-initialised", what)


SNN_DEF int snn_input(snn_net *net, int channels, int height, int width)
{
    int i[SNN__INTS] = {0};
    i[0] = channels;
    i[1] = height;
    i[2] = width;
    return snn__node_add(net, SNN__INPUT, NULL, 0, 0, i, NULL, NULL, NULL);
}

SNN_DEF int snn_linear(snn_net *net, int x, const snn_linear_desc *d)
{
    int i[SNN__INTS] = {0};
    float f[SNN__FLOATS] = {0};
    SNN__LAYER_BEGIN(x);
    SNN__DESC_CHECK("linear", d);
    i[SNN__LINEAR_OUT] = d->out_features;
    i[SNN__LINEAR_BIAS] = !d->no_bias;
    i[SNN__LINEAR_INIT] = (int)d->init;
    i[SNN__LINEAR_BITS] = d->weight_bits;
    f[0] = d->init_gain;
    return snn__node_add(net, SNN__LINEAR, d->name, x, 0, i, f, NULL, NULL);
}

static int snn__conv_add(snn_net *net, int x, const snn_conv2d_desc *d, int op)
{
    const int flat = op == SNN__CONV1D; /* one row high */
    int i[SNN__INTS] = {0};
    float f[SNN__FLOATS] = {0};
    SNN__LAYER_BEGIN(x);
    SNN__DESC_CHECK(snn__op_table[op].name, d);
    i[SNN__CONV_OUT] = d->out_channels;
    i[SNN__CONV_KH] = flat ? 1 : snn__either(d->kernel_h, d->kernel, 0);
    i[SNN__CONV_KW] = snn__either(d->kernel_w, d->kernel, 0);
    i[SNN__CONV_SH] = flat ? 1 : snn__either(d->stride_h, d->stride, 1);
    i[SNN__CONV_SW] = snn__either(d->stride_w, d->stride, 1);
    i[SNN__CONV_PH] = flat ? 0 : snn__either(d->padding_h, d->padding, 0);
    i[SNN__CONV_PW] = snn__either(d->padding_w, d->padding, 0);
    i[SNN__CONV_DH] = flat ? 1 : snn__either(d->dilation_h, d->dilation, 1);
    i[SNN__CONV_DW] = snn__either(d->dilation_w, d->dilation, 1);
    i[SNN__CONV_GROUPS] = snn__either(d->groups, 0, 1);
    i[SNN__CONV_BIAS] = !d->no_bias;
    i[SNN__CONV_INIT] = (int)d->init;
    i[SNN__CONV_BITS] = d->weight_bits;
    i[SNN__CONV_OPH] = flat ? 0 : snn__either(d->output_padding_h, d->output_padding, 0);
    i[SNN__CONV_OPW] = snn__either(d->output_padding_w, d->output_padding, 0);
    f[0] = d->init_gain;
    return snn__node_add(net, op, d->name, x, 0, i, f, NULL, NULL);
}
SNN_DEF int snn_conv2d(snn_net *net, int x, const snn_conv2d_desc *d)
{
    return snn__conv_add(net, x, d, SNN__CONV2D);
}
SNN_DEF int snn_conv1d(snn_net *net, int x, const snn_conv2d_desc *d)
{
    return snn__conv_add(net, x, d, SNN__CONV1D);
}
SNN_DEF int snn_conv_transpose2d(snn_net *net, int x, const snn_conv2d_desc *d)
{
    return snn__conv_add(net, x, d, SNN__CONV_TRANSPOSE2D);
}

static int snn__pool_add(snn_net *net, int x, const snn_pool2d_desc *d, int op)
{
    int i[SNN__INTS] = {0};
    SNN__LAYER_BEGIN(x);
    SNN__DESC_CHECK(snn__op_table[op].name, d);
    i[SNN__POOL_KH] = snn__either(d->kernel_h, d->kernel, 0);
    i[SNN__POOL_KW] = snn__either(d->kernel_w, d->kernel, 0);
    i[SNN__POOL_SH] = snn__either(d->stride_h, d->stride, i[SNN__POOL_KH]);
    i[SNN__POOL_SW] = snn__either(d->stride_w, d->stride, i[SNN__POOL_KW]);
    i[SNN__POOL_PH] = snn__either(d->padding_h, d->padding, 0);
    i[SNN__POOL_PW] = snn__either(d->padding_w, d->padding, 0);
    return snn__node_add(net, op, d->name, x, 0, i, NULL, NULL, NULL);
}
SNN_DEF int snn_max_pool2d(snn_net *net, int x, const snn_pool2d_desc *d)
{
    return snn__pool_add(net, x, d, SNN__MAX_POOL2D);
}
SNN_DEF int snn_avg_pool2d(snn_net *net, int x, const snn_pool2d_desc *d)
{
    return snn__pool_add(net, x, d, SNN__AVG_POOL2D);
}
SNN_DEF int snn_sum_pool2d(snn_net *net, int x, const snn_pool2d_desc *d)
{
    return snn__pool_add(net, x, d, SNN__SUM_POOL2D);
}

SNN_DEF int snn_reshape(snn_net *net, int x, int channels, int height, int width)
{
    int i[SNN__INTS] = {0};
    SNN__LAYER_BEGIN(x);
    i[0] = channels;
    i[1] = height;
    i[2] = width;
    if (channels < 0 || height < 0 || width < 0)
        return snn__fail(net, SNN_ERR_SHAPE, "reshape: %d x %d x %d is not a shape", channels,
                         height, width);
    return snn__node_add(net, SNN__RESHAPE, NULL, x, 0, i, NULL, NULL, NULL);
}
SNN_DEF int snn_flatten(snn_net *net, int x) { return snn_reshape(net, x, 0, 0, 0); }

static int snn__float_add(snn_net *net, int op, int a, int b, float value)
{
    float f[SNN__FLOATS] = {0};
    SNN__LAYER_BEGIN(a);
    SNN__LAYER_BEGIN(b);
    f[0] = value;
    return snn__node_add(net, op, NULL, a, b, NULL, f, NULL, NULL);
}
SNN_DEF int snn_add(snn_net *net, int a, int b)
{
    return snn__float_add(net, SNN__ADD, a, b, 0.0f);
}
SNN_DEF int snn_multiply(snn_net *net, int a, int b)
{
    return snn__float_add(net, SNN__MULTIPLY, a, b, 0.0f);
}
SNN_DEF int snn_iand(snn_net *net, int a, int b)
{
    return snn__float_add(net, SNN__IAND, a, b, 0.0f);
}
SNN_DEF int snn_concat(snn_net *net, int a, int b)
{
    return snn__float_add(net, SNN__CONCAT, a, b, 0.0f);
}
SNN_DEF int snn_scale(snn_net *net, int x, float factor)
{
    return snn__float_add(net, SNN__SCALE, x, x, factor);
}
SNN_DEF int snn_dropout(snn_net *net, int x, float p)
{
    return snn__float_add(net, SNN__DROPOUT, x, x, p);
}

SNN_DEF int snn_graded_spikes(snn_net *net, int x, float factor)
{
    return snn__float_add(net, SNN__GRADED_SPIKES, x, x, factor);
}
SNN_DEF int snn_norm(snn_net *net, int x, const snn_norm_desc *d)
{
    int i[SNN__INTS] = {0};
    float f[SNN__FLOATS] = {0};
    SNN__LAYER_BEGIN(x);
    SNN__DESC_CHECK("norm", d);
    if (x < net->count) {
        const snn__node *p = &net->node[net->node[x].root];
        if (p->op == SNN__NEURON || p->signal == SNN__BITS) x = snn_scale(net, x, 1.0f);
    }
    i[SNN__NORM_KIND] = (int)d->kind;
    i[SNN__NORM_AFFINE] = !d->no_affine;
    i[SNN__NORM_STEPS] = d->steps;
    f[SNN__NORM_EPS] = snn__float_or(d->eps, 1e-5f);
    f[SNN__NORM_MOMENTUM] = d->momentum < 0.0f ? 0.0f : snn__float_or(d->momentum, 0.1f);
    f[SNN__NORM_WEIGHT] = 1.0f;
    if (d->kind == SNN_NORM_THRESHOLD)
        f[SNN__NORM_WEIGHT] = snn__float_or(d->alpha, 1.0f) * snn__float_or(d->threshold, 1.0f);
    return snn__node_add(net, SNN__NORM, d->name, x, 0, i, f, NULL, NULL);
}
SNN_DEF int snn_delay(snn_net *net, int x, int steps)
{
    int i[SNN__INTS] = {0};
    SNN__LAYER_BEGIN(x);
    i[0] = steps;
    return snn__node_add(net, SNN__DELAY, NULL, x, 0, i, NULL, NULL, NULL);
}

SNN_DEF int snn_neuron(snn_net *net, int x, const snn_neuron_def *def, const snn_neuron_desc *d)
{
    SNN__LAYER_BEGIN(x);
    if (!def || !def->name || !def->prefix || !def->step || !def->grad)
        return snn__fail(net, SNN_ERR_NULL,
                         "neuron: the definition needs name, prefix, step and grad");
    if (def->states < 1 || def->states > SNN_MAX_STATES || def->params < 1 || def->derived < 0 ||
        def->params + def->derived > SNN_MAX_PARAMS || def->feedback < 0 ||
        def->feedback > def->states || (def->derived && (!def->derive || !def->underive)))
        return snn__fail(net, SNN_ERR_ARGUMENT,
                         "%s: %d states and %d parameters, allowed are 1 to %d and 1 to %d",
                         def->name, def->states, def->params, SNN_MAX_STATES, SNN_MAX_PARAMS);
    SNN__DESC_CHECK(def->name, d);
    return snn__node_add(net, SNN__NEURON, d->name, x, 0, NULL, NULL, def, d);
}
#define SNN__X(id, name)                                                                       \
    SNN_DEF int snn_##name(snn_net *net, int x, const snn_neuron_desc *d)                          \
    {                                                                                              \
        return snn_neuron(net, x, &snn__##name##_def, d);                                          \
    }
SNN_NEURON_LIST(SNN__X)
#undef SNN__X

SNN_DEF snn_status snn_net_record(snn_net *net, int node, int what)
{
    if (!net) return SNN_ERR_NULL;
    if (net->built)
        return snn__fail(net, SNN_ERR_STATE, "what to record is said before the net is built");
    if (net->status != SNN_OK) return net->status;
    if (node < 0 || node >= net->count)
        return snn__fail(net, SNN_ERR_ARGUMENT, "record: %d is not a node, there are %d", node,
                         net->count);
    net->node[net->node[node].root].record |= what;
    return SNN_OK;
}

/* -- planning */

/* parameter k of a node: name, shape, trained? */
static int snn__param_spec(const snn_net *net, const snn__node *q, int k, const char **name,
                           int *shape, int *trained)
{
    const snn__node *x = &net->node[q->in[0]];
    *trained = 1;
    switch (q->op) {
    case SNN__LINEAR:
    case SNN__CONV1D:
    case SNN__CONV2D:
    case SNN__CONV_TRANSPOSE2D:
        *name = k ? "bias" : "weight";
        *trained = k || (q->rule.kind != SNN__STDP && q->rule.kind != SNN__REWARD);
        shape[0] = q->shape[0];
        if (k) return 1;
        shape[1] = x->n;
        if (q->op == SNN__LINEAR) return 2;
        shape[0] = q->conv.o;
        shape[1] = q->conv.cg;
        shape[2] = q->i[SNN__CONV_KH];
        shape[3] = q->i[SNN__CONV_KW];
        if (q->op != SNN__CONV1D) return 4;
        shape[2] = shape[3];
        return 3;
    case SNN__NORM: {
        static const char *const names[] = {"weight", "bias", "running_mean", "running_var"};
        const int kind = q->i[SNN__NORM_KIND], first = snn__norm_running(q);
        const int entry = k < first ? k : 2 + k - first;
        *name = names[entry];
        *trained = entry < 2;
        if (kind == SNN_NORM_LAYER) {
            for (k = 0; k < q->ndim; k++) shape[k] = q->shape[k];
            return q->ndim;
        }
        shape[0] = q->shape[0];
        if (kind != SNN_NORM_BATCH_TIME) return 1;
        shape[0] = q->i[SNN__NORM_STEPS];
        shape[1] = q->shape[0];
        return 2;
    }
    case SNN__GRADED_SPIKES:
        *name = "weight";
        shape[0] = q->shape[0];
        shape[1] = 1;
        return 2;
    default: {
        const snn_neuron_def *def = q->neuron.def;
        int learn = q->desc.learn_custom;
        if (k > def->params)
            return snn__recurrent_spec(q, k - def->params - 1, name, shape, trained);
        if (k == def->params) {
            *name = "graded_spikes_factor";
            learn = q->desc.learn_graded;
        } else {
            *name = def->param[k].name;
            if (def->param[k].learn)
                memcpy(&learn, (const char *)&q->desc + def->param[k].learn, sizeof learn);
            if (def->param[k].flags & SNN_PARAM_FIXED) learn = 0;
        }
        *trained = learn != 0;
        shape[0] = q->n;
        return q->desc.per_neuron ? 1 : 0;
    }
    }
}
static int snn__param_number(const snn__node *q)
{
    switch (q->op) {
    case SNN__LINEAR: return 1 + (q->i[SNN__LINEAR_BIAS] != 0);
    case SNN__CONV1D:
    case SNN__CONV2D:
    case SNN__CONV_TRANSPOSE2D: return 1 + (q->i[SNN__CONV_BIAS] != 0);
    case SNN__NORM: return snn__norm_running(q) + (q->i[SNN__NORM_KIND] == SNN_NORM_LAYER ? 0 : 2);
    case SNN__GRADED_SPIKES: return 1;
    case SNN__NEURON: return q->neuron.def->params + 1 + snn__recurrent_params(q);
    default: return 0;
    }
}

/* who reads whom, which rows need only one row of scratch, where gradients flow */
static void snn__plan_graph(snn_net *net)
{
    const int n = net->count;
    int i, j, k, shape[SNN_MAX_DIMS], trained;
    const char *name;
    snn__node *out = &net->node[net->node[n - 1].root];
    out->record |=
        SNN_RECORD_SPIKES | SNN_RECORD_MEMBRANE | (net->desc.inference ? 0 : SNN_RECORD_GRADIENT);
    for (i = 0; i < n; i++) {
        snn__node *q = &net->node[i];
        if (net->desc.inference) q->record &= ~SNN_RECORD_GRADIENT;
        q->backward = (q->record & SNN_RECORD_GRADIENT) != 0;
        for (k = 0; k < snn__param_number(q); k++) {
            (void)snn__param_spec(net, q, k, &name, shape, &trained);
            q->backward |= trained;
        }
        for (k = 0; k < q->ins; k++) q->backward |= snn__input_of(net, q, k)->backward;
        if (net->desc.inference) q->backward = 0;
    }
    for (i = n - 1; i >= 0; i--) {
        snn__node *q = &net->node[i];
        int mixed = 0, user = -1;
        q->users = q->chunk = q->hwc = q->tiles = q->halved = 0;
        q->exec = q->last_user = i;
        if (q->root != i) continue;
        for (j = i + 1; j < n; j++) {
            const snn__node *u = &net->node[j];
            for (k = 0; k < u->ins && u->root == j; k++)
                if (net->node[u->in[k]].root == i) {
                    q->users++;
                    user = j;
                    if (u->exec > q->last_user) q->last_user = u->exec;
                    if (u->signal != SNN__CONSTANT && q->signal == SNN__CONSTANT &&
                        snn__op_table[u->op].kind != SNN__SCAN)
                        mixed = 1;
                }
        }
        q->add = q->users != 1 || mixed || (q->record & SNN_RECORD_GRADIENT);
        q->lazy = !net->desc.inference && q->op == SNN__NEURON && q->users == 1 &&
                          !(q->record & SNN_RECORD_GRADIENT) &&
                          net->node[user].op == SNN__LINEAR && net->node[user].n <= SNN__LAZY
                      ? user
                      : 0;
        if (q->users == 1 && !q->record && !net->desc.debug &&
            snn__op_table[q->op].kind == SNN__ROW) {
            const snn__node *u = &net->node[user];
            const snn__op *o = &snn__op_table[u->op];
            if (o->kind == SNN__ROW && !o->keeps_input && net->node[u->in[0]].root == i &&
                (u->signal == SNN__CONSTANT) == (q->signal == SNN__CONSTANT)) {
                q->chunk = 1;
                q->exec = u->exec;
                q->hwc = (q->op == SNN__CONV2D || q->op == SNN__CONV1D) && u->in[0] == i &&
                         !snn__conv_planes(q) &&
                         (u->op == SNN__MAX_POOL2D || u->op == SNN__AVG_POOL2D ||
                          u->op == SNN__SUM_POOL2D);
                if (q->hwc && snn__conv_dense(q) && snn__pool_tiles(u)) q->tiles = user;
            }
        }
        if (q->signal == SNN__CONSTANT && net->segments > 1 && !q->chunk) q->add = 1;
        q->halved = net->desc.half_traces && !net->desc.inference && q->users == 1 && !q->record &&
                    q->signal == SNN__DENSE && net->node[user].op == SNN__NEURON &&
                    (snn__op_table[q->op].kind == SNN__ROW || q->op == SNN__LINEAR);
    }
}

static size_t snn__plan_rows(const snn_net *net, const snn__node *q, int steps)
{
    return snn__mul_size((size_t)net->desc.batch,
                         q->signal == SNN__CONSTANT ? 1 : (size_t)steps);
}

/* Sets aside a buffer that is needed from one moment of the pass to another: forward of node i is
 * moment i, backward moment 2n-1-i. Buffers that never meet share memory. */
static void snn__buffer_want(snn__buffer *b, size_t size, int from, int to)
{
    b->size = snn__add_size(size, size ? SNN__SLACK + SNN__ALIGN - 1 : 0) / SNN__ALIGN * SNN__ALIGN;
    b->from = from;
    b->to = to;
    b->offset = SIZE_MAX;
}
static size_t snn__buffer_place(snn_net *net)
{
    size_t top = 0;
    for (;;) { /* the largest unplaced first, at the lowest free offset */
        snn__buffer *b = NULL;
        size_t at = 0;
        int i, k, moved = 1;
        for (i = 0; i < net->count; i++)
            for (k = 0; k < 3; k++) {
                snn__buffer *c = &net->node[i].buf[k];
                if (c->size && c->offset == SIZE_MAX && (!b || c->size > b->size)) b = c;
            }
        if (!b) return top;
        while (moved)
            for (moved = 0, i = 0; i < net->count; i++)
                for (k = 0; k < 3; k++) {
                    snn__buffer *c = &net->node[i].buf[k];
                    if (c->size && c->offset != SIZE_MAX && c->from <= b->to && b->from <= c->to &&
                        at < c->offset + c->size && c->offset < snn__add_size(at, b->size)) {
                        at = c->offset + c->size;
                        moved = 1;
                    }
                }
        b->offset = at;
        if (snn__add_size(at, b->size) > top) top = snn__add_size(at, b->size);
    }
}
static float *snn__pooled(const snn_net *net, const snn__buffer *b)
{
    return b->size && net->pool ? (float *)(void *)(net->pool + b->offset) : NULL;
}

/* the moment of the pass until which the gradient of node i's output is needed */
static int snn__gradient_until(const snn_net *net, int i)
{
    const snn__node *x = net->node[i].ins ? snn__input_of(net, &net->node[i], 0) : NULL;
    return 2 * net->count - 1 - (x && x->lazy == i ? (int)(x - net->node) : i);
}
static void snn__plan_buffers(snn_net *net, snn__arena *a)
{
    const int n = net->count;
    int i, j, k;
    for (i = 0; i < n; i++) {
        snn__node *q = &net->node[i];
        const snn__op *o = &snn__op_table[q->op];
        const size_t whole = snn__plan_rows(net, q, net->desc.steps);
        const size_t rows = snn__plan_rows(net, q, net->segment);
        const int spikes = q->record & SNN_RECORD_SPIKES;
        const int constant = q->signal == SNN__CONSTANT, cut = net->segments > 1;
        const int window = net->window > net->segment;
        const int first = window || constant ? 0 : q->exec; /* constant: later passes read it */
        int last = q->last_user, kept, recorded;
        memset(q->buf, 0, sizeof q->buf);
        if (q->op == SNN__MAX_POOL2D && q->backward) /* a link of a chain, too */
            snn__buffer_want(&q->buf[2],
                             snn__mul_size(snn__plan_rows(net, q, net->window),
                                           snn__pool_words(q) * sizeof(uint32_t)),
                             first, 2 * n - 1 - first);
        if (q->root != i || q->chunk) continue;
        for (j = i + 1; j < n && !net->desc.inference;
             j++) /* the earliest reader that wants it again in backward */
            for (k = 0; k < net->node[j].ins; k++)
                if (net->node[net->node[j].in[k]].root == i && net->node[j].root == j &&
                    snn__op_table[net->node[j].op].keeps_input) {
                    last = 2 * n - 1 - net->node[j].exec;
                    j = n - 1;
                    break;
                }
        recorded = !constant && (o->kind == SNN__SOURCE || (spikes && q->signal == SNN__DENSE));
        kept = window && !constant && !recorded && last >= n;
        q->out_steps = recorded ? net->desc.steps : kept ? net->window : 0;
        if (q->signal == SNN__BITS && o->kind == SNN__SOURCE)
            q->bits = (uint32_t *)snn__arena_take(a, snn__mul_size(whole, (size_t)q->words),
                                                  sizeof(uint32_t));
        else if (q->signal != SNN__BITS && (constant || recorded))
            q->out = snn__arena_floats(a, whole, (size_t)q->n);
        else
            snn__buffer_want(&q->buf[0],
                             snn__mul_size(kept ? snn__plan_rows(net, q, net->window) : rows,
                                           q->signal == SNN__BITS
                                               ? (size_t)q->words * sizeof(uint32_t)
                                               : (size_t)q->n * (q->halved ? 2 : sizeof(float))),
                             kept ? 0 : i, kept ? 2 * n - 1 : last);
        if (spikes)
            q->rec_spk = q->signal != SNN__BITS
                             ? q->out
                             : snn__arena_floats(a, whole, (size_t)q->n);
        for (k = 0; q->op == SNN__NEURON && k < q->neuron.def->states; k++)
            if (q->record & (k ? SNN_RECORD_STATES : SNN_RECORD_STATES | SNN_RECORD_MEMBRANE)) {
                q->rec[k] = snn__arena_floats(a, whole, (size_t)q->n);
                if (q->record & SNN_RECORD_GRADIENT)
                    q->drec[k] = snn__arena_floats(a, whole, (size_t)q->n);
            }
        if (!q->backward) continue;
        q->dout_steps = !constant && (q->record & SNN_RECORD_GRADIENT) ? net->desc.steps : 0;
        if (q->record & SNN_RECORD_GRADIENT) q->dout = snn__arena_floats(a, whole, (size_t)q->n);
        else if (q->users == 1 && !q->record && q->signal != SNN__BITS && o->kind != SNN__SOURCE &&
                 net->node[q->last_user].op == SNN__NEURON && !recorded && !(constant && cut) &&
                 !q->halved) {
            /* a neuron reads each input current and then writes its gradient to the same place */
            q->dout = NULL;
            q->dout_steps = q->out_steps;
            if (q->buf[0].size && !kept) q->buf[0].to = snn__gradient_until(net, i);
        } else if (!q->lazy)
            snn__buffer_want(&q->buf[1],
                             snn__mul_size(snn__mul_size(rows, (size_t)q->n), sizeof(float)),
                             constant && cut ? 0 : 2 * n - 1 - q->last_user,
                             constant && cut ? 2 * n - 1 : snn__gradient_until(net, i));
    }
    net->pool_size = snn__buffer_place(net);
    net->pool = (char *)snn__arena_take(a, net->pool_size, 1);
    for (i = 0; i < n; i++) {
        snn__node *q = &net->node[i];
        if (q->buf[0].size && q->signal == SNN__BITS)
            q->bits = (uint32_t *)(void *)snn__pooled(net, &q->buf[0]);
        else if (q->buf[0].size && q->halved)
            q->half = (uint16_t *)(void *)snn__pooled(net, &q->buf[0]);
        else if (q->buf[0].size) q->out = snn__pooled(net, &q->buf[0]);
        if (q->buf[1].size) q->dout = snn__pooled(net, &q->buf[1]);
        else if (q->backward && !q->chunk && !q->dout && !q->lazy) q->dout = q->out;
        q->argmax = (uint32_t *)(void *)snn__pooled(net, &q->buf[2]);
    }
}

/* host copies of what a backend keeps: the input, and what is recorded */
static void snn__plan_copies(snn_net *net, snn__arena *a)
{
    int i, k;
    for (i = 0; i < net->count; i++) {
        snn__node *q = &net->node[i];
        const size_t rows = snn__plan_rows(net, q, net->desc.steps), n = (size_t)q->n;
        const int gradient = q->record & SNN_RECORD_GRADIENT;
        if (q->root != i) continue;
        if (!i && q->signal == SNN__BITS)
            q->bits = (uint32_t *)snn__arena_take(a, snn__mul_size(rows, (size_t)q->words),
                                                  sizeof(uint32_t));
        else if (!i) q->out = snn__arena_floats(a, rows, n);
        if (q->record & SNN_RECORD_SPIKES)
            q->rec_spk = q->out ? q->out : snn__arena_floats(a, rows, n);
        if (gradient && q->backward) q->dout = snn__arena_floats(a, rows, n);
        for (k = 0; q->op == SNN__NEURON && k < q->neuron.def->states; k++)
            if (q->record & (k ? SNN_RECORD_STATES : SNN_RECORD_STATES | SNN_RECORD_MEMBRANE)) {
                q->rec[k] = snn__arena_floats(a, rows, n);
                q->drec[k] = gradient ? snn__arena_floats(a, rows, n) : NULL;
            }
    }
}

static void snn__plan_params(snn_net *net, snn__arena *a)
{
    int i, k, d, pass, dims, shape[SNN_MAX_DIMS], trained, number = 0;
    size_t total[2] = {0, 0}, at[2] = {0, 0}, size;
    const char *name;
    for (i = 0; i < net->count; i++) {
        net->node[i].param0 = number;
        net->node[i].params = snn__param_number(&net->node[i]);
        number += net->node[i].params;
    }
    net->params = number;
    net->param = (snn_param *)snn__arena_take(a, (size_t)number, sizeof(snn_param));
    for (pass = 0; pass < 2; pass++) { /* sizes, then places: trained ones first, in one block */
        if (pass) {
            net->trained = total[0];
            net->values = snn__arena_floats(a, snn__add_size(total[0], total[1]), 1);
            net->grads = net->desc.inference ? NULL : snn__arena_floats(a, total[0], 1);
            for (k = 0; k < net->desc.moments && !net->engine; k++)
                net->moment[k] = snn__arena_floats(a, total[0], 1);
            at[1] = total[0];
        }
        for (i = 0; i < net->count; i++)
            for (k = 0; k < net->node[i].params; k++) {
                snn__node *q = &net->node[i];
                dims = snn__param_spec(net, q, k, &name, shape, &trained);
                for (size = 1, d = 0; d < dims; d++) size = snn__mul_size(size, (size_t)shape[d]);
                size = snn__add_size(size, SNN__LANES - 1) / SNN__LANES * SNN__LANES;
                if (!pass) {
                    total[!trained] = snn__add_size(total[!trained], size);
                    continue;
                }
                if (net->param) {
                    snn_param *p = &net->param[q->param0 + k];
                    snn__text t;
                    t.at = p->name;
                    t.size = sizeof p->name;
                    t.length = 0;
                    snn__text_format(&t, "%s.%s", q->name, name);
                    p->node = i;
                    p->value = snn_tensor_make(net->values + at[!trained], dims, shape);
                    p->grad = snn_tensor_make(trained && net->grads ? net->grads + at[0] : NULL,
                                              dims, shape);
                    if (q->op == SNN__NEURON &&
                        k == q->neuron.def->params) /* the value of a spike, if not 1 */
                        q->gain = !q->desc.per_neuron && !q->desc.inhibition &&
                                          (q->desc.graded != 1.0f || trained)
                                      ? p->value.data
                                      : NULL;
                }
                at[!trained] += size;
            }
    }
}

static int snn__op_tasks(const snn_net *net, snn__node *q)
{
    size_t rows = snn__plan_rows(net, q, net->segment);
    if (snn__op_table[q->op].kind == SNN__SCAN) {
        snn__scan s;
        s.net = (snn_net *)net;
        s.q = q;
        snn__scan_split(&s);
        return s.split_b * s.split_n;
    }
    if (snn__op_table[q->op].kind == SNN__ROW) return snn__task_count(rows);
    {
        int forward = snn__task_count((rows + SNN__LINEAR_ROWS - 1) / SNN__LINEAR_ROWS);
        int backward =
            net->desc.inference ? 1 : snn__task_count((size_t)snn__input_of(net, q, 0)->words);
        return forward > backward ? forward : backward;
    }
}
/* the link before q in its chain, or NULL */
static snn__node *snn__chain_previous(const snn_net *net, const snn__node *q)
{
    snn__node *p = q->ins ? snn__input_of(net, q, 0) : NULL;
    return p && p->chunk ? p : NULL;
}

static void snn__rule_plan(snn_net *net, snn__node *q, snn__arena *a)
{
    snn__rule *r = &q->rule;
    const snn__node *x = snn__input_of(net, q, 0);
    const size_t B = (size_t)net->desc.batch, out = snn__mul_size(B, (size_t)q->n);
    const size_t in = snn__mul_size(B, (size_t)x->n);
    const size_t pairs = r->kind == SNN__REWARD ? snn__mul_size(out, (size_t)x->n) : 0;
    float *at;
    size_t pre = in, post = out, online = 0;
    if (snn__is_conv(q)) /* of the padded image */
        pre = snn__mul_size(snn__mul_size(B, (size_t)x->shape[0]),
                            snn__mul_size((size_t)q->conv.hp, (size_t)q->conv.wp));
    if (r->stdp.a_pre3 != 0.0f) pre *= 2;
    if (r->stdp.a_post3 != 0.0f) post *= 2;
    if (r->kind == SNN__ONLINE) {
        pre = post = 0;
        online = snn_online_size(&r->online, net->desc.batch, x->n, q->n);
        net->node[r->post].psi = snn__arena_floats(a, out, 1);
    }
    r->size = snn__add_size(snn__add_size(pre, post), snn__mul_size(2, pairs));
    r->size = snn__add_size(r->size, snn__add_size(snn__add_size(online, out), in) + 2 * B);
    at = snn__arena_floats(a, r->size, 1);
    if (!at) return; /* counting */
    r->pre = at, at += pre;
    r->post_trace = at, at += post;
    r->e = at, at += pairs;
    r->z = at, at += pairs;
    r->rewards = at, at += 2 * B;
    r->state = at, at += online;
    r->signal = at, at += out;
    r->below = at;
}

/* Signals are kept for a checkpoint interval, a window, and run again for those before the last;
 * gradients for a segment of it, which stays in the cache from layer to layer and has rows for
 * every task. All-to-all recurrences would add up a matrix a task for each segment. */
static void snn__plan_segments(snn_net *net)
{
    const int T = net->desc.steps, rows = SNN__SEGMENT_ROWS / net->desc.batch;
    const int some = rows > SNN__SEGMENT_STEPS ? rows : SNN__SEGMENT_STEPS;
    int W = net->desc.inference ? T : net->desc.checkpoint, i;
    const int count = W > some ? (W + some / 2) / some : 1;
    int steps = net->desc.gradient_steps ? net->desc.gradient_steps : (W + count - 1) / count;
    if (net->engine && !net->desc.gradient_steps) steps = net->engine->segment(net);
    if (net->desc.inference) steps = W;
    for (i = 0; i < net->count; i++) {
        const snn__node *q = &net->node[i];
        if (q->op == SNN__NORM) steps = W; /* its statistics are of the whole window */
        if (!net->desc.gradient_steps && q->recurrence == SNN_RECURRENCE_LINEAR && !net->engine)
            steps = W;
    }
    net->segment = steps < W ? steps : W;
    net->segments = (T + net->segment - 1) / net->segment;
    W = (W + net->segment - 1) / net->segment * net->segment;
    net->window = W < T ? W : T;
}
/* The planner. Runs twice, on an arena that counts and on the real one; both times the same
 * code. */
static void snn__plan(snn_net *net, snn__arena *a)
{
    snn__node *q, *p;
    int i;
    snn__plan_segments(net);
    snn__plan_graph(net);
    snn__plan_params(net, a);
    net->task_size = net->op_size = 0;
    net->tasks = 1;
    for (i = 0; i < net->count; i++) {
        const snn__op *o;
        q = &net->node[i];
        o = &snn__op_table[q->op];
        if (o->plan && (!net->engine || q->op == SNN__NEURON)) o->plan(net, q, a);
    }
    if (net->engine) {
        snn__plan_copies(net, a);
        net->device = snn__arena_take(a, net->engine->size(net), 1);
    } else snn__plan_buffers(net, a);
    for (i = 0; i < net->count; i++)
        if (net->node[i].rule.kind) snn__rule_plan(net, &net->node[i], a);
    for (i = 0; i < net->count && !net->engine; i++) {
        snn__arena task, op;
        q = &net->node[i];
        if (!snn__op_table[q->op].forward || q->chunk) continue;
        memset(&task, 0, sizeof task);
        memset(&op, 0, sizeof op);
        task.size = op.size = SIZE_MAX;
        for (p = q; p; p = snn__chain_previous(net, p))
            snn__op_table[p->op].scratch(net, p, &task, &op);
        a->overflow |= task.overflow | op.overflow;
        if (task.used > net->task_size) net->task_size = task.used;
        if (op.used > net->op_size) net->op_size = op.used;
        if (snn__op_tasks(net, q) > net->tasks) net->tasks = snn__op_tasks(net, q);
    }
    net->scratch = (char *)snn__arena_take(a, (size_t)net->tasks, net->task_size);
    net->op_scratch = (char *)snn__arena_take(a, net->op_size, 1);
    net->labels = (int *)snn__arena_take(a, (size_t)net->desc.batch, sizeof(int));
}

static size_t snn__plan_size(snn_net *net)
{
    snn__arena a;
    memset(&a, 0, sizeof a);
    a.size = SIZE_MAX;
    snn__plan(net, &a);
    return a.overflow || a.used > SIZE_MAX / 2 ? SIZE_MAX
                                               : a.used + SNN__ALIGN; /* room to align the block */
}

SNN_DEF size_t snn_net_memory(const snn_net *net)
{
    size_t size;
    if (!net || net->status != SNN_OK || !net->count) return 0;
    if (net->built) return net->head_size + net->block_size;
    size = snn__plan_size((snn_net *)net); /* the graph marks it sets are set again by build */
    return size == SIZE_MAX ? 0 : net->head_size + size;
}

/* -- initial weights */

static void snn__orthogonal(float *w, int rows, int cols, float gain)
{
    /* modified Gram-Schmidt over the shorter side: `a` vectors of `b` elements, strides sa, sb */
    const int wide = rows <= cols, a = wide ? rows : cols, b = wide ? cols : rows;
    const size_t sa = wide ? (size_t)cols : 1, sb = wide ? 1 : (size_t)cols;
    int i, j, k;
    for (i = 0; i < a; i++) {
        float *u = w + (size_t)i * sa;
        double dot = 0;
        for (j = 0; j < i; j++) {
            const float *v = w + (size_t)j * sa;
            for (dot = 0, k = 0; k < b; k++)
                dot += (double)u[(size_t)k * sb] * (double)v[(size_t)k * sb];
            for (k = 0; k < b; k++) u[(size_t)k * sb] -= (float)dot * v[(size_t)k * sb];
        }
        for (dot = 0, k = 0; k < b; k++)
            dot += (double)u[(size_t)k * sb] * (double)u[(size_t)k * sb];
        for (k = 0; k < b; k++) u[(size_t)k * sb] *= (float)(1.0 / sqrt(dot > 1e-30 ? dot : 1e-30));
    }
    for (k = 0; k < rows * cols; k++) w[k] *= gain;
}

static void snn__init_weights(snn_net *net, int node)
{
    snn__node *q = &net->node[node];
    snn_tensor *w = &net->param[q->param0].value;
    const int conv = snn__is_conv(q);
    const snn_init init = (snn_init)(conv ? q->i[SNN__CONV_INIT] : q->i[SNN__LINEAR_INIT]);
    const int kernel = conv ? q->i[SNN__CONV_KH] * q->i[SNN__CONV_KW] : 1,
              fan_in = w->shape[1] * kernel, fan_out = w->shape[0] * kernel;
    const size_t n = snn_tensor_count(w);
    const uint64_t key = snn__rng_key(net->desc.seed, (uint32_t)node, 0);
    float gain = q->f[0], bound, *b = q->params > 1 ? net->param[q->param0 + 1].value.data : NULL;
    size_t i;
    if (gain == 0.0f)
        gain = init == SNN_INIT_KAIMING_UNIFORM || init == SNN_INIT_KAIMING_NORMAL ? 1.41421356f
               : init == SNN_INIT_CONSTANT                                         ? 0.0f
                                                                                   : 1.0f;
    switch (init) {
    case SNN_INIT_KAIMING_UNIFORM: bound = gain * SNN_SQRTF(3.0f / (float)fan_in); break;
    case SNN_INIT_KAIMING_NORMAL: bound = gain / SNN_SQRTF((float)fan_in); break;
    case SNN_INIT_XAVIER_UNIFORM: bound = gain * SNN_SQRTF(6.0f / (float)(fan_in + fan_out)); break;
    case SNN_INIT_XAVIER_NORMAL: bound = gain * SNN_SQRTF(2.0f / (float)(fan_in + fan_out)); break;
    case SNN_INIT_DEFAULT: bound = gain / SNN_SQRTF((float)fan_in); break;
    default: bound = 1.0f; break;
    }
    for (i = 0; i < n; i++) switch (init) {
        case SNN_INIT_CONSTANT: w->data[i] = gain; break;
        case SNN_INIT_KAIMING_NORMAL:
        case SNN_INIT_XAVIER_NORMAL:
        case SNN_INIT_ORTHOGONAL:
            w->data[i] = bound * snn_normal(net->desc.seed, (uint32_t)node, 0, (uint32_t)i);
            break;
        default: w->data[i] = bound * (2.0f * snn__rng_uniform(key, (uint32_t)i) - 1.0f); break;
        }
    if (init == SNN_INIT_ORTHOGONAL) snn__orthogonal(w->data, w->shape[0], fan_in, gain);
    bound = init == SNN_INIT_CONSTANT ? 0.0f : 1.0f / SNN_SQRTF((float)fan_in);
    for (i = 0; b && i < snn_tensor_count(&net->param[q->param0 + 1].value); i++)
        b[i] = bound * (2.0f * snn_uniform(net->desc.seed, (uint32_t)node, 1, (uint32_t)i) - 1.0f);
}

/* norms: weight 1 or as the kind says, bias 0, running mean 0, variance 1 */
static void snn__init_scales(snn_net *net, const snn__node *q)
{
    int k;
    size_t i;
    for (k = 0; k < q->params; k++) {
        const snn_tensor *v = &net->param[q->param0 + k].value;
        const int running = q->op == SNN__NORM ? k - snn__norm_running(q) : -1;
        const float x = q->op != SNN__NORM ? q->f[0]
                        : running >= 0     ? (float)running
                        : k                ? 0.0f
                                           : q->f[SNN__NORM_WEIGHT];
        const uint64_t key = snn__rng_key(net->desc.seed, (uint32_t)(q - net->node), 0);
        for (i = 0; i < snn_tensor_count(v); i++)
            v->data[i] = q->op != SNN__NORM && x == 0.0f
                             ? 0.5f + snn__rng_uniform(key, (uint32_t)i)
                             : x;
    }
}

SNN_DEF snn_status snn_net_build(snn_net *net)
{
    snn__arena a;
    size_t size;
    int i, k;
    if (!net) return SNN_ERR_NULL;
    if (net->built) return snn__fail(net, SNN_ERR_STATE, "the net is built already");
    if (net->status != SNN_OK) return net->status;
    if (net->count < 2)
        return snn__fail(net, SNN_ERR_STATE, "a net needs an input and at least one layer");
    for (i = 0; i < net->count; i++) {
        snn__node *q = &net->node[i];
        if ((q->op == SNN__LINEAR &&
             (q->i[SNN__LINEAR_INIT] < 0 || q->i[SNN__LINEAR_INIT] > SNN_INIT_CONSTANT)) ||
            (snn__is_conv(q) &&
             (q->i[SNN__CONV_INIT] < 0 || q->i[SNN__CONV_INIT] > SNN_INIT_CONSTANT)))
            return snn__fail(net, SNN_ERR_ARGUMENT, "%s \"%s\": no init has that number",
                             snn__op_table[q->op].name, q->name);
        if (net->engine && net->engine->supports(net, i) != SNN_OK) return net->status;
    }
    size = snn__plan_size(net);
    if (size == SIZE_MAX) return snn__fail(net, SNN_ERR_TOO_LARGE, "the net's size overflows");
    memset(&a, 0, sizeof a);
    if (net->owned) {
        net->block = net->desc.allocator.alloc(size, net->desc.allocator.user);
        if (!net->block)
            return snn__fail(net, SNN_ERR_MEMORY, "no memory for the net: it needs %u bytes", size);
        a.base = (char *)net->block;
    } else {
        if (net->head_size + size > net->buffer_size)
            return snn__fail(net, SNN_ERR_MEMORY, "the buffer has %u bytes, the net needs %u",
                             net->buffer_size, net->head_size + size);
        a.base = net->buffer;
    }
    net->block_size = size;
    a.base += (SNN__ALIGN - (size_t)((uintptr_t)a.base % SNN__ALIGN)) % SNN__ALIGN;
    a.size = size - SNN__ALIGN;
    memset(a.base, 0, a.size);
    snn__plan(net, &a);
    for (i = 0; i < net->count; i++) {
        snn__node *q = &net->node[i];
        if (q->op == SNN__LINEAR || snn__is_conv(q)) snn__init_weights(net, i);
        if (q->op == SNN__NORM || q->op == SNN__GRADED_SPIKES) snn__init_scales(net, q);
        if (q->op == SNN__NEURON) snn__recurrent_init(net, q);
        for (k = 0; q->op == SNN__NEURON && k <= q->neuron.def->params; k++) {
            snn_tensor *v = &net->param[q->param0 + k].value;
            float x = k < q->neuron.def->params
                          ? snn__neuron_value(q->neuron.def, &q->desc, k, NULL)
                          : q->desc.graded;
            size_t j, n = snn_tensor_count(v);
            for (j = 0; j < n; j++) v->data[j] = x;
        }
    }
    net->dirty = 1;
    net->len = net->segment;
    if (net->engine && net->engine->build(net) != SNN_OK) return net->status;
    net->built = 1;
    return SNN_OK;
}

/* -- running */

static snn_status snn__ready(snn_net *net)
{
    if (!net) return SNN_ERR_NULL;
    if (net->status != SNN_OK) return net->status;
    if (!net->built) return snn__fail(net, SNN_ERR_STATE, "the net is not built");
    return SNN_OK;
}

/* -- learning in the step */

/* the layer's rule; NULL: an error, and it is said which */
static snn__rule *snn__rule_attach(snn_net *net, int node, int kind, const char *what)
{
    snn__node *q = NULL;
    int i, k, post = -1, others = 0;
    if (net->status != SNN_OK) return NULL;
    if (net->built) {
        snn__fail(net, SNN_ERR_STATE, "%s: a layer gets its rule before the net is built", what);
        return NULL;
    }
    if (node > 0 && node < net->count) q = &net->node[node];
    if (!q || !(q->op == SNN__LINEAR ||
                (kind == SNN__STDP && (q->op == SNN__CONV2D || q->op == SNN__CONV1D)))) {
        snn__fail(net, SNN_ERR_ARGUMENT, "%s: node %d is not a linear%s layer", what, node,
                  kind == SNN__STDP ? " or convolution" : "");
        return NULL;
    }
    if (q->op != SNN__LINEAR && (q->i[SNN__CONV_GROUPS] != 1 || q->i[SNN__CONV_DH] != 1 ||
                                 q->i[SNN__CONV_DW] != 1)) {
        snn__fail(net, SNN_ERR_UNSUPPORTED, "%s: \"%s\" has groups or dilation", what, q->name);
        return NULL;
    }
    for (i = node + 1; i < net->count; i++)
        for (k = 0; k < net->node[i].ins; k++)
            if (net->node[i].in[k] == node) {
                others += post >= 0 || net->node[i].op != SNN__NEURON || net->node[i].n != q->n;
                post = i;
            }
    if (post < 0 || others) {
        snn__fail(net, SNN_ERR_STATE, "%s: a neuron layer, and nothing else, has to read \"%s\"",
                  what, q->name);
        return NULL;
    }
    memset(&q->rule, 0, sizeof q->rule);
    q->rule.kind = kind;
    q->rule.post = post;
    net->node[net->node[q->in[0]].root].record |= SNN_RECORD_SPIKES;
    net->node[post].record |= SNN_RECORD_SPIKES;
    net->training = 1;
    return &q->rule;
}
SNN_DEF snn_status snn_net_stdp(snn_net *net, int node, const snn_stdp_desc *d,
                                const snn_reward_desc *reward)
{
    float zero[2] = {0, 0}, pre[2] = {0, 0}, post[2] = {0, 0}; /* one synapse: a check */
    snn__rule *r;
    snn_reward state;
    memset(&state, 0, sizeof state);
    if (!net || !d) return SNN_ERR_NULL;
    if (snn_stdp_linear(d, 1, 1, 1, zero, zero, pre, post, zero, NULL, NULL) != SNN_OK)
        return snn__fail(net, SNN_ERR_ARGUMENT, "stdp: a field of its desc is out of range");
    if (reward && snn_reward_update(reward, 1, 1, zero, pre, NULL, &state, NULL) != SNN_OK)
        return snn__fail(net, SNN_ERR_ARGUMENT, "stdp: a field of the reward is out of range");
    r = snn__rule_attach(net, node, reward ? SNN__REWARD : SNN__STDP, "stdp");
    if (!r) return net->status == SNN_OK ? SNN_ERR_STATE : net->status;
    r->stdp = *d;
    if (reward) r->reward = *reward;
    return SNN_OK;
}
SNN_DEF snn_status snn_net_online(snn_net *net, int node, const snn_online_desc *d)
{
    snn__rule *r;
    if (!net || !d) return SNN_ERR_NULL;
    if (net->desc.inference)
        return snn__fail(net, SNN_ERR_STATE, "online: a net for inference has no gradients");
    if (!snn_online_size(d, 1, 1, 1) || d->carry)
        return snn__fail(net, SNN_ERR_ARGUMENT, "online: a field of its desc is out of range");
    r = snn__rule_attach(net, node, SNN__ONLINE, "online");
    if (!r) return net->status == SNN_OK ? SNN_ERR_STATE : net->status;
    r->online = *d;
    return SNN_OK;
}
/* STDP of the step that has just run: of weights, or what it leaves for a reward */
static void snn__rules_step(snn_net *net)
{
    int i;
    for (i = 0; i < net->count; i++) {
        snn__node *q = &net->node[i];
        const snn__rule *r = &q->rule;
        const snn__node *x;
        const float *pre, *post;
        float *w;
        if (r->kind != SNN__STDP && r->kind != SNN__REWARD) continue;
        x = snn__input_of(net, q, 0);
        pre = x->rec_spk;
        post = net->node[r->post].rec_spk;
        w = snn__param_value(net, q, 0);
        if (q->op == SNN__LINEAR) {
            const int waits = r->kind == SNN__REWARD;
            snn_stdp_linear(&r->stdp, net->desc.batch, x->n, q->n, pre, post, r->pre, r->post_trace,
                            w, waits ? NULL : w, waits ? r->e : NULL);
            if (waits) continue;
            if (q->rounded) snn__linear_prepare(net, q);
            else snn__linear_touch(net, q, pre, post);
        } else {
            snn_conv2d_desc c;
            memset(&c, 0, sizeof c);
            c.out_channels = q->conv.o;
            c.kernel_h = q->i[SNN__CONV_KH], c.kernel_w = q->i[SNN__CONV_KW];
            c.stride_h = q->i[SNN__CONV_SH], c.stride_w = q->i[SNN__CONV_SW];
            c.padding_h = q->i[SNN__CONV_PH], c.padding_w = q->i[SNN__CONV_PW];
            snn_stdp_conv2d(&r->stdp, &c, net->desc.batch, x->shape[0], x->shape[1], x->shape[2],
                            pre, post, r->pre, r->post_trace, w, w);
            snn__op_table[q->op].prepare(net, q);
        }
        if (x->signal == SNN__CONSTANT) net->constant_valid = 0;
    }
}
SNN_DEF snn_status snn_net_learn(snn_net *net, const float *reward)
{
    snn_status status = snn__ready(net);
    const int B = net ? net->desc.batch : 0;
    int i;
    size_t k;
    if (status != SNN_OK) return status;
    if (!net->stepped) return snn__fail(net, SNN_ERR_STATE, "learn: once after each step");
    if (reward && !snn__all_finite(reward, (size_t)B))
        return snn__fail(net, SNN_ERR_NAN, "learn: a reward is NaN or infinite");
    for (i = 0; i < net->count; i++)
        if (net->node[i].rule.kind == SNN__ONLINE) {
            k = snn__first_bad(net->node[i].rule.signal, (size_t)B * (size_t)net->node[i].n);
            if (k < (size_t)B * (size_t)net->node[i].n)
                return snn__fail(net, SNN_ERR_NAN, "learn: the signal of \"%s\" is NaN or infinite "
                                 "at element %u", net->node[i].name, k);
        }
    net->stepped = 0;
    for (i = net->count - 1; i >= 0 && net->training; i--) {
        snn__node *q = &net->node[i], *x;
        const snn__rule *r = &q->rule;
        int j;
        if (r->kind != SNN__REWARD && r->kind != SNN__ONLINE) continue;
        x = snn__input_of(net, q, 0);
        if (r->kind == SNN__REWARD) {
            snn_reward_update(&r->reward, B, (size_t)q->n * (size_t)x->n,
                              snn__param_value(net, q, 0), r->z, r->e,
                              (snn_reward *)(void *)r->rewards, reward);
            snn__linear_prepare(net, q);
            if (x->signal == SNN__CONSTANT) net->constant_valid = 0;
            continue;
        }
        snn_online_linear(&r->online, B, x->n, q->n, x->rec_spk, net->node[r->post].psi, r->signal,
                          snn__weights(net, q), r->state, snn__param_grad(net, q, 0),
                          q->i[SNN__LINEAR_BIAS] ? snn__param_grad(net, q, 1) : NULL, r->below);
        for (j = 0; j < i; j++) /* down to the layer whose neurons it reads */
            if (net->node[j].rule.kind == SNN__ONLINE &&
                net->node[net->node[j].rule.post].root == net->node[q->in[0]].root)
                snn__accumulate(net->node[j].rule.signal, r->below, (size_t)B * (size_t)x->n);
        snn__zero(r->signal, (size_t)B * (size_t)q->n);
    }
    return SNN_OK;
}

typedef struct snn__row_job {
    snn_net *net;
    snn__node *q;
    size_t rows;
    int tasks, backward, by_sample;
    float floor; /* backward: gradients below so many times a row's largest are none */
} snn__row_job;

static void snn__row_forward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    snn__node *p = snn__chain_previous(net, q);
    if (p) snn__row_forward(net, p, t, row);
    snn__op_table[q->op].forward(net, q, t, row);
}
static void snn__row_backward(snn_net *net, snn__node *q, snn__task *t, size_t row)
{
    snn__node *p = snn__chain_previous(net, q);
    snn__op_table[q->op].backward(net, q, t, row);
    if (p && p->backward) snn__row_backward(net, p, t, row);
}
/* what is smaller than so many times the largest becomes 0 */
static void snn__row_cut(float *d, int n, float share)
{
    float least = 0.0f;
    int i;
    for (i = 0; i < n; i++) least = SNN_FABSF(d[i]) > least ? SNN_FABSF(d[i]) : least;
    least *= share;
    for (i = 0; i < n; i++) d[i] = SNN_FABSF(d[i]) < least ? 0.0f : d[i];
}
/* gradient_floor, for chains with a convolution */
static float snn__floor_of(const snn_net *net, const snn__node *q)
{
    while (q && !snn__is_conv(q)) q = snn__chain_previous(net, q);
    return q ? net->desc.gradient_floor : 0.0f;
}
static void snn__row_task(void *arg, int id)
{
    const snn__row_job *job = (const snn__row_job *)arg;
    snn_net *net = job->net;
    const size_t batch = (size_t)net->desc.batch, units = job->by_sample ? batch : job->rows;
    const size_t u0 = units * (size_t)id / (size_t)job->tasks,
                 u1 = units * (size_t)(id + 1) / (size_t)job->tasks;
    snn__node *p;
    snn__task t;
    size_t row, u, base;
    t.memory = net->scratch + (size_t)id * net->task_size;
    for (p = job->q; job->backward && p; p = snn__chain_previous(net, p))
        if (snn__op_table[p->op].begin) snn__op_table[p->op].begin(net, p, &t);
    for (base = 0; base < job->rows; base += job->by_sample ? batch : job->rows)
        for (u = u0; u < u1; u++) {
            row = base + u;
            if (job->floor > 0.0f)
                snn__row_cut(snn__row_dout(net, job->q, &t, row), job->q->n, job->floor);
            if (job->backward) snn__row_backward(net, job->q, &t, row);
            else snn__row_forward(net, job->q, &t, row);
            if (!job->backward && job->q->halved)
                net->kern->halve(snn__row_half(net, job->q, row),
                                 snn__row_out(net, job->q, &t, row), (size_t)job->q->n);
        }
}
static void snn__run(snn_net *net, snn__node *q, int backward)
{
    const snn__op *o = &snn__op_table[q->op];
    snn__row_job job;
    snn__node *p;
    int k;
    if (o->kind != SNN__ROW) {
        (backward ? o->backward : o->forward)(net, q, NULL, 0);
        return;
    }
    job.net = net;
    job.q = q;
    job.rows = snn__rows(net, q);
    job.backward = backward;
    job.floor = backward ? snn__floor_of(net, q) : 0.0f;
    job.by_sample =
        0; /* a sample's steps stay with one task where they meet in one row of a constant input */
    for (p = q; p; p = snn__chain_previous(net, p))
        for (k = 0; backward && k < p->ins; k++)
            job.by_sample |=
                q->signal != SNN__CONSTANT && snn__input_of(net, p, k)->signal == SNN__CONSTANT;
    job.tasks = snn__task_count(job.by_sample ? (size_t)net->desc.batch : job.rows);
    snn__parallel_for(&net->desc.threads, (double)job.rows * q->n, job.tasks, snn__row_task, &job);
    for (p = q; backward && p; p = snn__chain_previous(net, p))
        if (snn__op_table[p->op].end) snn__op_table[p->op].end(net, p, job.tasks);
}

static void snn__segment_set(snn_net *net, int t0)
{
    const size_t B = (size_t)net->desc.batch;
    const int left = net->pass_steps - t0;
    int i;
    net->t0 = t0;
    net->len = left < net->segment ? left : net->segment;
    net->time = net->time0 + (uint32_t)t0;
    for (i = 0; i < net->count; i++) {
        snn__node *q = &net->node[i];
        q->out_row0 = q->out_steps ? (size_t)(t0 % q->out_steps) * B : 0;
        q->dout_row0 = q->dout_steps ? (size_t)(t0 % q->dout_steps) * B : 0;
    }
}
/* debug: remembers the first number of rows [rows][n] that is NaN or infinite */
static void snn__debug_look(snn_net *net, const snn__node *q, const float *x, size_t rows, size_t n,
                            size_t row0)
{
    const size_t i = net->bad ? rows * n : snn__first_bad(x, rows * n);
    if (i == rows * n) return;
    net->bad = 1 + (int)(q - net->node);
    net->bad_row = row0 + i / n;
    net->bad_element = i % n;
}
static void snn__debug_forward(snn_net *net, const snn__node *q)
{
    const size_t n = (size_t)q->n, B = (size_t)net->desc.batch;
    const size_t row0 = q->signal == SNN__CONSTANT ? 0 : (size_t)net->t0 * B;
    if (q->op != SNN__NEURON && q->signal != SNN__BITS && q->root == q - net->node && !q->halved)
        snn__debug_look(net, q, q->out + snn__row_index(net, q, 0) * n, snn__rows(net, q), n, row0);
}
/* the gradients that q's backward wrote: of its inputs and parameters */
static void snn__debug_backward(snn_net *net, const snn__node *q)
{
    int k;
    for (k = 0; k < q->ins; k++) {
        const snn__node *p = snn__input_of(net, q, k);
        if (p->backward && !p->chunk && p->dout)
            snn__debug_look(net, q, snn__row_dout(net, p, NULL, 0), snn__rows(net, p), (size_t)p->n,
                            p->signal == SNN__CONSTANT ? 0 : (size_t)(net->t0 * net->desc.batch));
    }
    for (k = 0; k < q->params; k++)
        if (snn__param_grad(net, q, k))
            snn__debug_look(net, q, snn__param_grad(net, q, k), 1,
                            snn_tensor_count(&net->param[q->param0 + k].grad), 0);
}
static snn_status snn__debug_report(snn_net *net, const char *pass)
{
    const snn__node *q = &net->node[net->bad ? net->bad - 1 : 0];
    const size_t B = (size_t)net->desc.batch;
    if (!net->bad) return SNN_OK;
    return snn__fail(net, SNN_ERR_NAN,
                     "%s of %s \"%s\": NaN or infinity at step %u, sample %u, element %u", pass,
                     snn__op_name(q), q->name, net->bad_row / B, net->bad_row % B,
                     net->bad_element);
}
static void snn__segment_forward(snn_net *net)
{
    int i;
    for (i = 0; i < net->count; i++) {
        snn__node *q = &net->node[i];
        if (q->chunk || !snn__op_table[q->op].forward) continue;
        if (q->signal == SNN__CONSTANT && net->constant_valid) continue;
        snn__run(net, q, 0);
        if (net->desc.debug && !net->replay) snn__debug_forward(net, q);
    }
    net->constant_valid = 1;
}
/* first: of those that are run, the last in time. What is constant adds up the gradients of all. */
static void snn__segment_backward(snn_net *net, int first)
{
    int i, j;
    for (i = net->count - 1; i >= 0; i--) {
        snn__node *q = &net->node[i];
        for (j = 0; j < net->count;
             j++) { /* gradients that are added up start from zero when their first reader comes */
            snn__node *p = &net->node[j];
            if (p->backward && p->add && p->dout && !p->chunk && p->last_user == i &&
                (first || p->signal != SNN__CONSTANT) && !(p->record & SNN_RECORD_GRADIENT))
                snn__zero(snn__row_dout(net, p, NULL, 0), snn__rows(net, p) * (size_t)p->n);
        }
        if (q->chunk || !q->backward || !snn__op_table[q->op].backward) continue;
        if (q->signal == SNN__CONSTANT && net->t0 > 0) continue;
        snn__run(net, q, 1);
        if (net->desc.debug) snn__debug_backward(net, q);
    }
}

static void snn__states(snn_net *net, int save, int slot)
{
    int i;
    for (i = 0; i < net->count; i++) snn__state_save(net, &net->node[i], slot, save);
}

typedef struct snn__input_job {
    const snn_net *net;
    const float *x;
    size_t rows, bad[SNN__TASKS]; /* a task's first NaN or infinity, or SIZE_MAX */
    int tasks;
} snn__input_job;
static void snn__input_check_task(void *arg, int task)
{
    snn__input_job *job = (snn__input_job *)arg;
    const size_t n = (size_t)job->net->node[0].n;
    const size_t first = job->rows * (size_t)task / (size_t)job->tasks * n;
    const size_t last = job->rows * (size_t)(task + 1) / (size_t)job->tasks * n;
    const size_t at = first + snn__first_bad(job->x + first, last - first);
    job->bad[task] = at < last ? at : SIZE_MAX;
}
static void snn__input_load_task(void *arg, int task)
{
    const snn__input_job *job = (const snn__input_job *)arg;
    const snn__node *q = &job->net->node[0];
    const size_t n = (size_t)q->n, last = job->rows * (size_t)(task + 1) / (size_t)job->tasks;
    size_t r = job->rows * (size_t)task / (size_t)job->tasks;
    if (q->signal != SNN__BITS && q->out && q->out != job->x)
        memcpy(q->out + r * n, job->x + r * n, (last - r) * n * sizeof(float));
    for (; q->signal == SNN__BITS && r < last; r++) {
        uint32_t *bits = q->bits + r * (size_t)q->words;
        job->net->kern->fire(bits, job->x + r * n, q->n, SNN__FIRE_NONZERO);
        if (q->rec_spk) snn_spikes_unpack(q->rec_spk + r * n, bits, q->n, 1.0f);
    }
}
/* the input of `steps` steps into the net; checked */
static snn_status snn__input_load(snn_net *net, const float *x, int steps)
{
    snn__node *q = &net->node[0];
    const size_t rows = (size_t)net->desc.batch * (size_t)(q->signal == SNN__CONSTANT ? 1 : steps),
                 n = (size_t)q->n;
    snn__input_job job;
    size_t i;
    int k;
    if (!x && q->signal == SNN__BITS) {
        for (i = 0; i < rows; i++) {
            uint32_t *row = q->bits + i * (size_t)q->words;
            if (q->n % 32) row[q->words - 1] &= (1u << q->n % 32) - 1u;
            if (q->rec_spk) snn_spikes_unpack(q->rec_spk + i * n, row, q->n, 1.0f);
        }
        return SNN_OK;
    }
    job.net = net;
    job.x = x ? x : q->out;
    job.rows = rows;
    job.tasks = snn__task_count(rows);
    snn__parallel_for(&net->desc.threads, (double)(rows * n), job.tasks, snn__input_check_task,
                      &job);
    for (k = 0; k < job.tasks; k++)
        if (job.bad[k] != SIZE_MAX)
            return snn__fail(net, SNN_ERR_NAN, "input: element %u of row %u is NaN or infinite",
                             job.bad[k] % n, job.bad[k] / n);
    snn__parallel_for(&net->desc.threads, (double)(rows * n), job.tasks, snn__input_load_task,
                      &job);
    return SNN_OK;
}

static void snn__prepare(snn_net *net)
{
    int i;
    for (i = 0; net->dirty && i < net->count; i++)
        if (snn__op_table[net->node[i].op].prepare)
            snn__op_table[net->node[i].op].prepare(net, &net->node[i]);
    if (net->dirty) net->constant_valid = 0;
    net->dirty = 0;
}

/* the recorded gradients of so many steps: each pass's backward adds to what was written there
 * since it ran */
static void snn__recorded_zero(snn_net *net, int steps)
{
    int i, k;
    for (i = 0; i < net->count; i++) {
        snn__node *q = &net->node[i];
        const size_t n = snn__plan_rows(net, q, steps) * (size_t)q->n;
        if ((q->record & SNN_RECORD_GRADIENT) && q->dout) snn__zero(q->dout, n);
        for (k = 0; k < SNN_MAX_STATES; k++)
            if (q->drec[k]) snn__zero(q->drec[k], n);
    }
}
static snn_status snn__pass(snn_net *net, int steps)
{
    snn_status status = SNN_OK;
    int i, t;
    if (!net->engine) {
        snn__prepare(net);
        snn__recorded_zero(net, steps);
    }
    net->pass_steps = steps;
    net->bad = 0;
    if (net->engine) status = net->engine->forward(net);
    for (i = 0; i < net->count; i++) net->node[i].spikes = 0;
    for (t = 0; t < steps && !net->engine; t += net->segment) {
        snn__segment_set(net, t);
        snn__segment_forward(net);
    }
    net->time = net->time0 + (uint32_t)steps;
    net->ran = status == SNN_OK;
    return status;
}

SNN_DEF snn_status snn_net_continue(snn_net *net, const float *x, int steps)
{
    snn_status status = snn__ready(net);
    if (status != SNN_OK) return status;
    if (steps < 1 || steps > net->desc.steps)
        return snn__fail(net, SNN_ERR_ARGUMENT, "continue: %d steps, the net has room for 1 to %d",
                         steps, net->desc.steps);
    status = snn__input_load(net, x, steps);
    if (status != SNN_OK) return status;
    net->time0 = net->time;
    net->constant_valid = net->stepped = 0;
    status = snn__pass(net, steps);
    return status == SNN_OK ? snn__debug_report(net, "forward") : status;
}
SNN_DEF snn_status snn_net_forward(snn_net *net, const float *x)
{
    snn_status status = snn_net_reset(net);
    return status == SNN_OK ? snn_net_continue(net, x, net->desc.steps) : status;
}
SNN_DEF snn_status snn_net_step(snn_net *net, const float *x)
{
    snn_status status = snn__ready(net);
    if (status != SNN_OK) return status;
    if (x || net->node[0].signal != SNN__CONSTANT) {
        status = snn__input_load(net, x, 1);
        if (status != SNN_OK) return status;
        net->constant_valid = 0;
    }
    net->time0 = net->time;
    status = snn__pass(net, 1);
    if (status != SNN_OK) return status;
    net->stepped = 1;
    if (net->training) snn__rules_step(net);
    return snn__debug_report(net, "forward");
}
SNN_DEF snn_status snn_net_reset(snn_net *net)
{
    snn_status status = snn__ready(net);
    int i, k;
    if (status != SNN_OK) return status;
    for (i = 0; i < net->count && !net->engine; i++) {
        for (k = 0; k < net->node[i].states; k++)
            snn__zero(net->node[i].state[k], snn__state_size(net, &net->node[i]));
        if (net->node[i].op == SNN__NEURON) snn__neuron_start(net, &net->node[i]);
        if (net->node[i].rule.kind) snn__zero(net->node[i].rule.pre, net->node[i].rule.size);
    }
    if (net->engine) status = net->engine->reset(net);
    net->time = net->time0 = 0;
    net->pass++;
    net->ran = net->stepped = 0;
    return status;
}

SNN_DEF snn_status snn_net_backward(snn_net *net)
{
    snn_status status = snn__ready(net);
    int i, k, t, segment, last, run, again;
    if (status != SNN_OK) return status;
    if (net->desc.inference)
        return snn__fail(net, SNN_ERR_STATE, "backward: the net was created for inference");
    if (!net->ran)
        return snn__fail(net, SNN_ERR_STATE, "backward: once after each forward or continue");
    if (net->engine) {
        net->ran = net->constant_valid = 0;
        return net->engine->backward(net);
    }
    for (i = 0; i < net->count; i++)
        for (k = 0; k < net->node[i].states; k++)
            snn__zero(net->node[i].dstate[k], snn__state_size(net, &net->node[i]));
    net->bad = 0;
    for (i = net->count - 1; net->desc.debug && i >= 0; i--) { /* what backward is given */
        const snn__node *q = &net->node[i];
        const size_t rows = (size_t)net->desc.batch *
                            (size_t)(q->signal == SNN__CONSTANT ? 1 : net->pass_steps);
        if ((q->record & SNN_RECORD_GRADIENT) && q->dout)
            snn__debug_look(net, q, q->dout, rows, (size_t)q->n, 0);
        for (k = 0; k < SNN_MAX_STATES; k++)
            if (q->drec[k]) snn__debug_look(net, q, q->drec[k], rows, (size_t)q->n, 0);
    }
    last = (net->pass_steps - 1) / net->segment;
    run = last * net->segment / net->window * net->window; /* the window whose signals are there */
    again = run > 0;
    if (again) snn__states(net, 1, net->segments);
    for (segment = last; segment >= 0; segment--) {
        if (segment * net->segment < run) { /* they are gone: again from the saved states */
            const int end = run;
            run -= net->window;
            snn__states(net, 0, run / net->segment);
            net->constant_valid = 0;
            net->replay = 1;
            for (t = run; t < end; t += net->segment) {
                snn__segment_set(net, t);
                snn__segment_forward(net);
            }
            net->replay = 0;
        }
        snn__segment_set(net, segment * net->segment);
        snn__segment_backward(net, segment == last);
    }
    if (again) snn__states(net, 0, net->segments);
    net->time = net->time0 + (uint32_t)net->pass_steps;
    net->ran = 0;
    net->constant_valid = 0;
    return snn__debug_report(net, "backward");
}

typedef struct snn__zero_job {
    float *x;
    size_t n;
    int tasks;
} snn__zero_job;
static void snn__zero_task(void *arg, int task)
{
    const snn__zero_job *job = (const snn__zero_job *)arg;
    const size_t part = job->n / (size_t)job->tasks, first = part * (size_t)task;
    snn__zero(job->x + first, task + 1 < job->tasks ? part : job->n - first);
}
SNN_DEF snn_status snn_net_zero_grad(snn_net *net)
{
    snn_status status = snn__ready(net);
    snn__zero_job job;
    if (status != SNN_OK) return status;
    if (net->engine) return net->engine->zero_grad(net);
    job.x = net->grads;
    job.n = net->trained;
    job.tasks = snn__task_count(1 + job.n / SNN__BLOCK);
    if (job.x)
        snn__parallel_for(&net->desc.threads, (double)job.n, job.tasks, snn__zero_task, &job);
    snn__recorded_zero(net, net->desc.steps);
    return SNN_OK;
}
SNN_DEF snn_status snn_net_train(snn_net *net, int training)
{
    snn_status status = snn__ready(net);
    if (status != SNN_OK) return status;
    if (net->training != (training != 0)) net->constant_valid = 0; /* norms, dropout */
    net->training = training != 0;
    return SNN_OK;
}
SNN_DEF snn_status snn_net_params_changed(snn_net *net)
{
    snn_status status = snn__ready(net);
    if (status == SNN_OK) net->dirty = 1;
    return status;
}

SNN_DEF int snn_net_fold(snn_net *net)
{
    snn_status status = snn__ready(net);
    int i, c, folded = 0;
    size_t j;
    if (status != SNN_OK) return status;
    snn__backend_read(net, NULL, 0);
    for (i = 0; i < net->count; i++) {
        snn__node *q = &net->node[i], *x = &net->node[q->in[0]];
        const int kind = q->i[SNN__NORM_KIND], conv = x->op == SNN__CONV2D || x->op == SNN__CONV1D;
        float *w, *b, *scale, *shift, *mean, *var;
        size_t row;
        if (q->op != SNN__NORM || (kind != SNN_NORM_BATCH && kind != SNN_NORM_THRESHOLD) ||
            (!conv && x->op != SNN__LINEAR) || x->params < 2 || x->users != 1)
            continue;
        w = snn__param_value(net, x, 0);
        b = snn__param_value(net, x, 1);
        scale = q->i[SNN__NORM_AFFINE] ? snn__param_value(net, q, 0) : NULL;
        shift = scale ? snn__param_value(net, q, 1) : NULL;
        mean = snn__param_value(net, q, snn__norm_running(q));
        var = snn__param_value(net, q, snn__norm_running(q) + 1);
        row = snn_tensor_count(&net->param[x->param0].value) / (size_t)q->shape[0];
        for (c = 0; c < q->shape[0]; c++) {
            const float k = (scale ? scale[c] : q->f[SNN__NORM_WEIGHT]) /
                            SNN_SQRTF(var[c] + q->f[SNN__NORM_EPS]);
            for (j = 0; j < row; j++) w[(size_t)c * row + j] *= k;
            b[c] = (b[c] - mean[c]) * k + (shift ? shift[c] : 0.0f);
            mean[c] = 0.0f;
            var[c] = 1.0f - q->f[SNN__NORM_EPS];
            if (scale) scale[c] = 1.0f, shift[c] = 0.0f;
        }
        q->f[SNN__NORM_WEIGHT] = 1.0f;
        folded++;
    }
    net->dirty = 1;
    return folded;
}

/* -- looking inside */

SNN_DEF int snn_net_output(const snn_net *net)
{
    return net && net->count ? net->count - 1 : SNN_ERR_NULL;
}
SNN_DEF int snn_net_node(const snn_net *net, const char *name)
{
    int i;
    for (i = 0; net && name && i < net->count; i++)
        if (!strcmp(net->node[i].name, name)) return i;
    return SNN_ERR_NOT_FOUND;
}
SNN_DEF const char *snn_net_node_name(const snn_net *net, int node)
{
    return net && node >= 0 && node < net->count ? net->node[node].name : NULL;
}

/* [steps][B][shape of node] over data; steps < 0: no time axis */
static snn_tensor snn__view(const snn_net *net, const snn__node *q, float *data, int steps)
{
    int shape[SNN_MAX_DIMS], n = 0, k;
    if (steps >= 0) shape[n++] = q->signal == SNN__CONSTANT ? 1 : steps;
    shape[n++] = net->desc.batch;
    for (k = 0; k < q->ndim; k++) shape[n++] = q->shape[k];
    return snn_tensor_make(data, n, shape);
}
static snn_tensor snn__node_view(const snn_net *net, int node, int what)
{
    const snn__node *q;
    float *data = NULL;
    if (!net || !net->built || node < 0 || node >= net->count || what < 0)
        return snn_tensor_make(NULL, 0, NULL);
    q = &net->node[net->node[node].root];
    if (what >= 2 && q->op != SNN__NEURON) what &= 1; /* no membrane: the output itself */
    if (what >= 2) {                                  /* a state (even) or its gradient (odd) */
        if (what / 2 > q->neuron.def->states) return snn_tensor_make(NULL, 0, NULL);
        data = what & 1 ? q->drec[what / 2 - 1] : q->rec[what / 2 - 1];
        if (data) snn__backend_read(net, data, 1);
        return snn__view(net, q, data, net->pass_steps ? net->pass_steps : net->desc.steps);
    }
    switch (what) {
    case 0: data = q->record & SNN_RECORD_SPIKES ? q->rec_spk : NULL; break;
    default: data = q->record & SNN_RECORD_GRADIENT ? q->dout : NULL; break;
    }
    if (data) snn__backend_read(net, data, 1);
    return snn__view(net, &net->node[node], data,
                     net->pass_steps ? net->pass_steps : net->desc.steps);
}
SNN_DEF snn_tensor snn_net_spikes(const snn_net *net, int node)
{
    return snn__node_view(net, node, 0);
}
SNN_DEF snn_tensor snn_net_dspikes(const snn_net *net, int node)
{
    return snn__node_view(net, node, 1);
}
SNN_DEF snn_tensor snn_net_membrane(const snn_net *net, int node)
{
    return snn__node_view(net, node, 2);
}
SNN_DEF snn_tensor snn_net_dmembrane(const snn_net *net, int node)
{
    return snn__node_view(net, node, 3);
}
SNN_DEF snn_tensor snn_net_trace(const snn_net *net, int node, int k)
{
    return snn__node_view(net, node, k >= 0 ? 2 + 2 * k : -1);
}
SNN_DEF snn_tensor snn_net_dtrace(const snn_net *net, int node, int k)
{
    return snn__node_view(net, node, k >= 0 ? 3 + 2 * k : -1);
}
SNN_DEF snn_tensor snn_net_signal(const snn_net *net, int node)
{
    if (!net || !net->built || node < 0 || node >= net->count ||
        net->node[node].rule.kind != SNN__ONLINE)
        return snn_tensor_make(NULL, 0, NULL);
    return snn__view(net, &net->node[node], net->node[node].rule.signal, -1);
}
SNN_DEF uint32_t *snn_net_input_words(const snn_net *net, int *words)
{
    if (words) *words = 0;
    if (!net || !net->built || net->node[0].signal != SNN__BITS) return NULL;
    if (words) *words = net->node[0].words;
    return net->node[0].bits;
}
SNN_DEF snn_tensor snn_net_input(const snn_net *net)
{
    if (!net || !net->built) return snn_tensor_make(NULL, 0, NULL);
    return snn__view(net, &net->node[0], net->node[0].out,
                     net->node[0].signal == SNN__CONSTANT ? -1 : net->desc.steps);
}
static snn_tensor snn__state_view(const snn_net *net, int node, int k, int gradient)
{
    const snn__node *q;
    if (!net || !net->built || node < 0 || node >= net->count)
        return snn_tensor_make(NULL, 0, NULL);
    q = &net->node[net->node[node].root];
    if (q->op != SNN__NEURON || k < 0 || k >= q->states) return snn_tensor_make(NULL, 0, NULL);
    if (gradient ? q->dstate[k] : q->state[k])
        snn__backend_read(net, gradient ? q->dstate[k] : q->state[k], 1);
    return snn__view(net, q, gradient ? q->dstate[k] : q->state[k], -1);
}
SNN_DEF snn_tensor snn_net_state(const snn_net *net, int node, int k)
{
    return snn__state_view(net, node, k, 0);
}
SNN_DEF snn_tensor snn_net_dstate(const snn_net *net, int node, int k)
{
    return snn__state_view(net, node, k, 1);
}

SNN_DEF int snn_net_param_count(const snn_net *net) { return net && net->built ? net->params : 0; }
SNN_DEF const snn_param *snn_net_param(const snn_net *net, int index)
{
    if (index < 0 || index >= snn_net_param_count(net)) return NULL;
    snn__backend_read(net, NULL, 1);
    return &net->param[index];
}
SNN_DEF const snn_param *snn_net_find_param(const snn_net *net, const char *name)
{
    int i;
    for (i = 0; name && i < snn_net_param_count(net); i++)
        if (!strcmp(net->param[i].name, name)) return snn_net_param(net, i);
    return NULL;
}
SNN_DEF snn_tensor snn_net_values(const snn_net *net)
{
    int n = net && net->built ? (int)net->trained : 0;
    if (n) snn__backend_read(net, NULL, 1);
    return snn_tensor_make(n ? net->values : NULL, 1, &n);
}
SNN_DEF snn_tensor snn_net_grads(const snn_net *net)
{
    int n = net && net->built ? (int)net->trained : 0;
    if (n) snn__backend_read(net, NULL, 1);
    return snn_tensor_make(n ? net->grads : NULL, 1, &n);
}

static void snn__backend_spikes(const snn_net *net, int node)
{
    if (net->engine && net->node[node].op == SNN__NEURON)
        net->node[node].spikes = net->engine->spikes((snn_net *)net, node);
}
SNN_DEF snn_status snn_net_stats(const snn_net *net, int node, snn_layer_stats *out)
{
    const snn__node *q, *x;
    double steps;
    if (!net || !out) return SNN_ERR_NULL;
    memset(out, 0, sizeof *out);
    if (!net->built || node < 0 || node >= net->count) return SNN_ERR_ARGUMENT;
    q = &net->node[node];
    snn__backend_spikes(net, node);
    if (q->ins) snn__backend_spikes(net, net->node[q->in[0]].root);
    steps = (double)(net->pass_steps ? net->pass_steps : 1) * net->desc.batch;
    out->spikes = q->spikes;
    out->rate = q->op == SNN__NEURON ? q->spikes / (steps * q->n) : 0.0;
    if (q->op == SNN__LINEAR) out->dense_ops = (double)net->node[q->in[0]].n * q->n;
    if (snn__is_conv(q)) /* positions times the weights that meet at each */
        out->dense_ops =
            (double)q->conv.p * (net->built ? (double)snn_tensor_count(&net->param[q->param0].value)
                                            : 0.0);
    if (!q->ins) return SNN_OK;
    x = snn__input_of(net, q, 0);
    out->synops = out->dense_ops;
    if (x->signal == SNN__BITS && x->op == SNN__INPUT)
        out->synops *=
            (double)snn__count_bits(x->bits, (size_t)steps * (size_t)x->words) / (steps * x->n);
    else if (x->signal == SNN__BITS) out->synops *= x->spikes / (steps * x->n);
    if (q->signal == SNN__CONSTANT)
        out->synops = out->dense_ops / (net->pass_steps ? net->pass_steps : 1);
    return SNN_OK;
}

SNN_DEF size_t snn_net_print(const snn_net *net, char *text, size_t size)
{
    snn__text t;
    double ops = 0, spikes = 0, dense = 0;
    size_t line, params = 0;
    int i, k;
    t.at = text;
    t.size = text ? size : 0;
    t.length = 0;
    if (text && size) text[0] = 0;
    if (!net) return 0;
    snn__text_str(
        &t,
        "layer             kind          shape          parameters  spikes/step  synops/step\n");
    for (i = 0; i < net->count; i++) {
        const snn__node *q = &net->node[i];
        snn_layer_stats s;
        size_t n = 0;
        line = t.length;
        snn__text_str(&t, q->name);
        snn__text_column(&t, line, 18);
        snn__text_str(&t, snn__op_name(q));
        snn__text_column(&t, line, 32);
        for (k = 0; k < q->ndim; k++) snn__text_format(&t, k ? "x%d" : "%d", q->shape[k]);
        snn__text_column(&t, line, 47);
        for (k = 0; net->built && k < q->params; k++)
            n += snn_tensor_count(&net->param[q->param0 + k].value);
        params += n;
        snn__text_format(&t, "%u", n);
        snn__text_column(&t, line, 59);
        snn_net_stats(net, i, &s);
        if (q->op == SNN__NEURON) {
            double per = s.rate * q->n;
            snn__text_format(&t, "%g", (double)(int)(per * 10) / 10);
            spikes += per;
        }
        snn__text_column(&t, line, 72);
        if (s.dense_ops > 0)
            snn__text_format(&t, "%u of %u", (size_t)s.synops, (size_t)s.dense_ops);
        if (net->pass_steps && q->op == SNN__NEURON && !q->desc.output_membrane)
            snn__text_str(&t, s.rate == 0 ? "dead" : s.rate > 0.95 ? "saturated" : "");
        ops += s.synops;
        dense += s.dense_ops;
        snn__text_char(&t, '\n');
    }
    snn__text_format(&t,
                     "%u parameters, %u bytes, batch %d, %d steps, %s; a step: %u spikes, %u of %u "
                     "synaptic operations\n",
                     params, snn_net_memory(net), net->desc.batch, net->desc.steps,
                     snn_isa_name(net->kern->isa), (size_t)spikes, (size_t)ops, (size_t)dense);
    return t.length;
}

/* ---- >>train ------------------------------------------------------------------------------- */
/* The training step, truncated backpropagation, batches, evaluation, the gradient check. */

SNN_DEF snn_status snn_net_loss(snn_net *net, const snn_loss_desc *d, const int *y, float *loss)
{
    snn_status status = snn__ready(net);
    snn_tensor spk, mem;
    snn__node *q;
    float value = 0.0f, *dspk, *dmem;
    int steps, i, k;
    if (status != SNN_OK) return status;
    if (!d) return snn__fail(net, SNN_ERR_NULL, "loss: desc is NULL");
    if (!net->pass_steps) return snn__fail(net, SNN_ERR_STATE, "loss: no forward pass yet");
    if (d->reduction == SNN_NONE)
        return snn__fail(net, SNN_ERR_UNSUPPORTED,
                         "loss: a net's is one number; snn_loss gives one for each sample");
    if (net->engine) return net->engine->loss(net, d, y, loss);
    q = &net->node[net->node[net->count - 1].root];
    spk = snn_net_spikes(net, net->count - 1);
    mem = snn_net_membrane(net, net->count - 1);
    dspk = snn_net_dspikes(net, net->count - 1).data;
    dmem = snn_net_dmembrane(net, net->count - 1).data;
    steps = spk.shape[0];
    if (dspk) snn__zero(dspk, (size_t)steps * (size_t)net->desc.batch * (size_t)q->n);
    if (dmem && dmem != dspk)
        snn__zero(dmem, (size_t)steps * (size_t)net->desc.batch * (size_t)q->n);
    status = snn__loss(&net->desc.threads, d, steps, net->desc.batch, q->n, spk.data, mem.data, y,
                       NULL, &value, dspk, dmem);
    if (status != SNN_OK)
        return snn__fail(net, status, "loss %s over %d steps, %d samples, %d outputs: %s",
                         snn_loss_name(d->kind), steps, net->desc.batch, q->n,
                         snn_status_text(status));
    for (i = 0; d->rates && i < d->num_rates; i++) {
        const snn_rate_desc *r = &d->rates[i];
        snn_tensor g = snn_net_dspikes(net, r->node);
        spk = snn_net_spikes(net, r->node);
        if (!spk.data || (!g.data && !net->desc.inference))
            return snn__fail(net, SNN_ERR_STATE,
                             "loss: the rates of node %d need SNN_RECORD_SPIKES and _GRADIENT",
                             r->node);
        q = &net->node[r->node];
        for (k = 0; k < i && d->rates[k].node != r->node; k++) {} /* prices on one node add up */
        if (k == i && g.data && g.data != dspk) snn__zero(g.data, snn_tensor_count(&g));
        value += snn_rate_loss(r, spk.shape[0], net->desc.batch, q->n, spk.data, g.data);
    }
    if (loss) *loss = value;
    return SNN_OK;
}

static const snn_param_group *snn__group_of(const snn_optim_desc *d, const char *name)
{
    int i;
    for (i = 0; d->groups && i < d->num_groups; i++)
        if (d->groups[i].prefix && !strncmp(name, d->groups[i].prefix, strlen(d->groups[i].prefix)))
            return &d->groups[i];
    return NULL;
}

typedef struct snn__optim_job {
    snn_net *net;
    const snn_optim_desc *d;
    int tasks;
} snn__optim_job;
/* d as parameter p has it, by its group g; 0: not updated */
static int snn__optim_of(const snn_optim_desc *d, const snn_param *p, snn_optim_desc *one,
                         const snn_param_group **group)
{
    const snn_param_group *g = *group = snn__group_of(d, p->name);
    *one = *d;
    if (g && g->lr_scale != 0.0f) one->lr *= g->lr_scale;
    if (g) one->weight_decay += g->weight_decay;
    return p->grad.data && !(g && g->frozen);
}
static void snn__optim_task(void *arg, int task) /* a part of the block of trained parameters */
{
    const snn__optim_job *job = (const snn__optim_job *)arg;
    snn_net *net = job->net;
    const size_t units = net->trained / SNN__LANES;
    const size_t first = units * (size_t)task / (size_t)job->tasks * SNN__LANES;
    const size_t last = units * (size_t)(task + 1) / (size_t)job->tasks * SNN__LANES;
    int i;
    for (i = 0; i < net->params; i++) {
        const snn_param *p = &net->param[i];
        const size_t at = (size_t)(p->value.data - net->values);
        const size_t from = at > first ? at : first, end = at + snn_tensor_count(&p->value);
        const size_t to = end < last ? end : last;
        const snn_param_group *g;
        snn_optim_desc one;
        size_t k;
        if (!snn__optim_of(job->d, p, &one, &g) || from >= to) continue;
        snn__optim_update(&one, net->kern->wide, net->optim_step + 1, net->values + from,
                          net->grads + from, net->moment[0] ? net->moment[0] + from : NULL,
                          net->moment[1] ? net->moment[1] + from : NULL, to - from);
        for (k = from; g && (g->lo != 0.0f || g->hi != 0.0f) && k < to; k++)
            net->values[k] = snn__clamp(net->values[k], g->lo, g->hi);
    }
}
SNN_DEF snn_status snn_net_optim_step(snn_net *net, const snn_optim_desc *d)
{
    snn_status status = snn__ready(net);
    snn__optim_job job;
    snn_optim_desc one;
    const snn_param_group *g;
    int needed, i;
    if (status != SNN_OK) return status;
    if (!d) return snn__fail(net, SNN_ERR_NULL, "optimiser: desc is NULL");
    if (net->desc.inference)
        return snn__fail(net, SNN_ERR_STATE, "optimiser: the net was created for inference");
    needed = d->kind == SNN_ADAM || d->kind == SNN_ADAMW ? 2
             : d->kind == SNN_SGD                        ? d->momentum != 0.0f
                                                         : 1 + (d->momentum != 0.0f);
    if (needed > net->desc.moments)
        return snn__fail(net, SNN_ERR_STATE,
                         "optimiser: needs %d state blocks, the net was created with moments %d",
                         needed, net->desc.moments);
    if (net->engine) {
        status = net->engine->optim(net, d);
        if (status == SNN_OK) net->optim_step++;
        return status;
    }
    if (d->clip_value > 0.0f) {
        size_t k;
        for (k = 0; k < net->trained; k++)
            net->grads[k] = snn__clamp(net->grads[k], -d->clip_value, d->clip_value);
    }
    if (d->clip_norm > 0.0f) {
        double sum = 0.0, norm;
        size_t k;
        for (k = 0; k < net->trained; k++) sum += (double)net->grads[k] * (double)net->grads[k];
        norm = sqrt(sum);
        for (k = 0; norm > (double)d->clip_norm && k < net->trained; k++)
            net->grads[k] *=
                (float)((double)d->clip_norm / (norm + 1e-6)); /* as torch's clip_grad_norm_ */
    }
    for (i = 0; i < net->params; i++) { /* all or nothing */
        if (!snn__optim_of(d, &net->param[i], &one, &g)) continue;
        status = snn_optim_update(&one, 1, net->values, net->grads, net->moment[0],
                                  net->moment[1], 0);
        if (g && (!(g->lo <= g->hi) || !snn__finite(g->lo) || !snn__finite(g->hi)))
            return snn__fail(net, SNN_ERR_ARGUMENT, "optimiser: group \"%s\" wants lo <= hi, "
                             "given %g and %g", g->prefix, (double)g->lo, (double)g->hi);
        if (status != SNN_OK)
            return snn__fail(net, status, "optimiser: %s", snn_status_text(status));
    }
    job.net = net;
    job.d = d;
    job.tasks = snn__task_count(net->trained / SNN__LANES);
    snn__parallel_for(&net->desc.threads, 4.0 * (double)net->trained, job.tasks, snn__optim_task,
                      &job);
    net->optim_step++;
    net->dirty = 1;
    return SNN_OK;
}

/* loss, backward, update after a pass */
static snn_status snn__learn(snn_net *net, const snn_optim_desc *o, const snn_loss_desc *l,
                             const int *y, float *loss)
{
    snn_status status = snn_net_zero_grad(net);
    if (status == SNN_OK) status = snn_net_loss(net, l, y, net->engine ? NULL : loss);
    if (status == SNN_OK) status = snn_net_backward(net);
    if (status == SNN_OK) status = snn_net_optim_step(net, o);
    if (status == SNN_OK && net->engine) /* last: a device need not wait for who reads it */
        status = net->engine->loss_value(net, loss);
    return status;
}

SNN_DEF float snn_train_step(snn_net *net, const snn_optim_desc *o, const snn_loss_desc *l,
                             const float *x, const int *y)
{
    float loss = 0.0f;
    if (snn_net_forward(net, x) != SNN_OK || snn__learn(net, o, l, y, &loss) != SNN_OK)
        return -1.0f;
    return loss;
}

SNN_DEF float snn_train_truncated(snn_net *net, const snn_optim_desc *o, const snn_loss_desc *l,
                                  const float *x, const int *y, int total)
{
    snn_loss_desc chunk_loss;
    float loss = 0.0f, sum = 0.0f;
    int t, K, rest;
    if (snn_net_reset(net) != SNN_OK) return -1.0f;
    K = net->desc.steps;
    if (!x || !y || !l || total < K) {
        snn__fail(
            net, SNN_ERR_ARGUMENT,
            "truncated training: needs x, y, a loss and total >= the net's %d steps, given %d", K,
            total);
        return -1.0f;
    }
    chunk_loss = *l;
    rest = total % K;
    for (t = 0; t < total; t += K) {
        const int steps = total - t < K ? rest : K;
        const float *now = net->node[0].signal == SNN__CONSTANT
                               ? x
                               : x + (size_t)t * (size_t)net->desc.batch * (size_t)net->node[0].n;
        if (snn_net_continue(net, now, steps) != SNN_OK ||
            snn__learn(net, o, &chunk_loss, l->time_var_targets ? y + t : y, &loss) != SNN_OK)
            return -1.0f;
        /* full chunks count by the number of chunks (a fraction, when there is a rest), the rest
         * by its length */
        sum += steps == K ? loss / ((float)total / (float)K) : loss / (float)rest;
    }
    return sum;
}

static float snn__data_at(const snn_data *data, int sample, size_t i)
{
    const size_t at = (size_t)sample * (size_t)data->features + i;
    return data->x ? data->x[at] : (float)data->bytes[at] * (1.0f / 255.0f);
}
static int snn__data_ok(const snn_data *data)
{
    return data && (data->x || data->bytes) && data->y && data->count > 0 && data->features > 0;
}

SNN_DEF int snn_batch(const snn_data *data, const int *order, int start, int batch, int T, float *x,
                      int *y)
{
    int b, real;
    if (!snn__data_ok(data) || !x || !y) return SNN_ERR_NULL;
    if (start < 0 || start >= data->count || batch < 1 || T < 0 || (T && data->features % T))
        return SNN_ERR_ARGUMENT;
    real = data->count - start < batch ? data->count - start : batch;
    for (b = 0; b < batch; b++) {
        const int at = start + (b < real ? b : real - 1), sample = order ? order[at] : at;
        const size_t n = (size_t)(T ? data->features / T : data->features);
        size_t i;
        int t;
        if (sample < 0 || sample >= data->count) return SNN_ERR_ARGUMENT;
        y[b] = data->y[sample];
        for (t = 0; t < (T ? T : 1); t++)
            for (i = 0; i < n; i++)
                x[((size_t)t * (size_t)batch + (size_t)b) * n + i] =
                    snn__data_at(data, sample, (size_t)t * n + i);
    }
    return real;
}

SNN_DEF snn_status snn_data_subset(snn_data *part, const snn_data *data, int parts, int idx)
{
    size_t first;
    if (!part || !snn__data_ok(data)) return SNN_ERR_NULL;
    if (parts > data->count || idx < 0 || idx >= (parts > 1 ? parts : 1)) return SNN_ERR_ARGUMENT;
    *part = *data;
    if (parts <= 1) return SNN_OK;
    part->count = data->count / parts;
    first = (size_t)part->count * (size_t)idx;
    part->y = data->y + first;
    if (data->x) part->x = data->x + first * (size_t)data->features;
    if (data->bytes) part->bytes = data->bytes + first * (size_t)data->features;
    return SNN_OK;
}
SNN_DEF int snn_data_split(int *order, int count, float share, uint64_t seed)
{
    int held, gap, i, j;
    if (!order) return SNN_ERR_NULL;
    if (count < 1 || !(share >= 0.0f && share <= 1.0f)) return SNN_ERR_ARGUMENT;
    held = (int)((float)count * share);
    snn_permutation(order, count, seed, 0);
    order += count - held;
    for (gap = held / 2; gap > 0; gap /= 2) /* Shell's sort */
        for (i = gap; i < held; i++) {
            const int moved = order[i];
            for (j = i; j >= gap && order[j - gap] > moved; j -= gap) order[j] = order[j - gap];
            order[j] = moved;
        }
    return held;
}

SNN_DEF double snn_evaluate(snn_net *net, const snn_data *data, snn_metric metric)
{
    snn__node *q;
    snn_status status = SNN_OK;
    int B, T, start, b, t, training, right = 0, out;
    size_t i;
    if (snn__ready(net) != SNN_OK) return net ? (double)net->status : (double)SNN_ERR_NULL;
    q = &net->node[0];
    B = net->desc.batch;
    T = q->signal == SNN__CONSTANT ? 1 : net->desc.steps;
    out = net->count - 1;
    if (!snn__data_ok(data) || (int64_t)data->features != (int64_t)T * q->n)
        return (double)snn__fail(net, SNN_ERR_SHAPE,
                                 "evaluate: a sample has %d features, the net wants %d",
                                 data ? data->features : 0, T * q->n);
    if ((int)metric < 0 || metric > SNN_ACCURACY_MEMBRANE)
        return (double)snn__fail(net, SNN_ERR_ARGUMENT, "evaluate: no metric has number %d",
                                 (int)metric);
    if (data->x && !snn__all_finite(data->x, (size_t)data->count * (size_t)data->features))
        return (double)snn__fail(net, SNN_ERR_NAN, "evaluate: a sample has a NaN or an infinity");
    training = net->training;
    net->training = 0;
    for (start = 0; start < data->count; start += B) {
        const int real = data->count - start < B ? data->count - start : B;
        snn_tensor r;
        for (t = 0; t < T; t++)
            for (b = 0; b < B; b++) { /* straight into the input's own buffer */
                const int sample = start + (b < real ? b : real - 1);
                const size_t row = (size_t)t * (size_t)B + (size_t)b,
                             from = (size_t)t * (size_t)q->n;
                if (q->signal == SNN__BITS)
                    memset(q->bits + row * (size_t)q->words, 0,
                           (size_t)q->words * sizeof(uint32_t));
                for (i = 0; i < (size_t)q->n; i++) {
                    const float v = snn__data_at(data, sample, from + i);
                    if (q->signal != SNN__BITS) q->out[row * (size_t)q->n + i] = v;
                    else if (v != 0.0f) q->bits[row * (size_t)q->words + i / 32] |= 1u << (i % 32);
                }
            }
        snn_net_reset(net);
        net->constant_valid = 0;
        status = snn__pass(net, net->desc.steps);
        net->ran = 0;
        if (net->engine) {
            if (status == SNN_OK) status = net->engine->predict(net, metric, net->labels);
            if (status != SNN_OK) break;
            for (b = 0; b < real; b++) right += net->labels[b] == data->y[start + b];
            continue;
        }
        r = metric == SNN_ACCURACY_MEMBRANE ? snn_net_membrane(net, out) : snn_net_spikes(net, out);
        snn_predict(metric, r.shape[0], B, net->node[out].n, r.data, net->labels, 0);
        for (b = 0; b < real; b++) right += net->labels[b] == data->y[start + b];
    }
    net->training = training;
    return status == SNN_OK ? (double)right / (double)data->count : (double)status;
}

SNN_DEF snn_status snn_net_gradcheck(snn_net *net, const float *x, const int *y,
                                     const snn_loss_desc *loss, float eps, float *worst)
{
    snn_status status = snn__ready(net);
    const uint32_t pass = net ? net->pass : 0;
    float up = 0.0f, down = 0.0f;
    double resets = 0.0;
    int i, j;
    if (status != SNN_OK) return status;
    if (!worst || !(eps > 0.0f))
        return snn__fail(net, SNN_ERR_ARGUMENT, "gradcheck: needs worst and a positive eps");
    if (net->desc.spikes != SNN_SPIKES_SMOOTH)
        return snn__fail(net, SNN_ERR_STATE,
                         "gradcheck: the net must be created with SNN_SPIKES_SMOOTH");
    *worst = 0.0f;
    status = snn_net_zero_grad(net);
    if (status == SNN_OK) status = snn_net_forward(net, x);
    if (status == SNN_OK) status = snn_net_loss(net, loss, y, NULL);
    if (status == SNN_OK) status = snn_net_backward(net);
    for (i = 0; i < net->count; i++) resets += net->node[i].spikes;
    for (i = 0; status == SNN_OK && i < net->params; i++) {
        snn_param *p = &net->param[i];
        const int n = (int)snn_tensor_count(&p->value);
        float largest = 1e-3f;
        for (j = 0; p->grad.data && j < n; j++) {
            float g = SNN_FABSF(p->grad.data[j]);
            if (g > largest) largest = g;
        }
        for (j = 0; p->grad.data && j < (n < 64 ? n : 64) && status == SNN_OK; j++) {
            const int at = n <= 64
                               ? j
                               : (int)(snn_random(net->desc.seed, 0x6c, (uint32_t)i, (uint32_t)j) %
                                       (uint32_t)n);
            const float keep = p->value.data[at];
            float error;
            double moved = 0.0;
            int side, k;
            for (side = 0; side < 2 && status == SNN_OK; side++) {
                p->value.data[at] = side ? keep - eps : keep + eps;
                net->dirty = 1;
                net->pass = pass; /* forward counts one up: the same dropout masks every time */
                status = snn_net_forward(net, x);
                if (status == SNN_OK) status = snn_net_loss(net, loss, y, side ? &down : &up);
                for (moved = -resets, k = 0; k < net->count; k++) moved += net->node[k].spikes;
                if (moved != 0.0) break;
            }
            p->value.data[at] = keep;
            net->dirty = 1;
            if (moved != 0.0)
                /* a reset, a constant for the gradient, came or went: no difference to take */
                continue;
            error = SNN_FABSF((up - down) / (2.0f * eps) - p->grad.data[at]) / largest;
            if (status == SNN_OK && !(error <= *worst)) *worst = error;
        }
    }
    return status;
}

/* ---- >>convert ----------------------------------------------------------------------------- */
/* A spiking net from a trained net of rectifiers: find what a spike of each layer stands for, then
 * copy the graph with IF neurons in their place. */

/* The `room` largest values of a stream: a heap, its root the least of them. */
typedef struct snn__top {
    float *x;
    size_t room, seen;
} snn__top;

/* puts v where the root was, in a heap of n; n 0: nowhere */
static void snn__top_sift(float *x, size_t n, float v)
{
    size_t i, k;
    for (i = 0; (k = 2 * i + 1) < n; i = k) {
        if (k + 1 < n && x[k + 1] < x[k]) k++;
        if (!(x[k] < v)) break;
        x[i] = x[k];
    }
    if (n) x[i] = v;
}
static void snn__top_add(snn__top *t, float v)
{
    size_t i = t->seen++;
    if (i >= t->room) {
        if (v > t->x[0]) snn__top_sift(t->x, t->room, v);
        return;
    }
    for (; i && v < t->x[(i - 1) / 2]; i = (i - 1) / 2) t->x[i] = t->x[(i - 1) / 2];
    t->x[i] = v;
}
/* how many of the largest of n values (or fewer) decide on a percentile */
static size_t snn__top_room(size_t n, double percent)
{
    const double low = n && (double)n < 9e15 ? (double)(n - 1) * (percent / 100.0) : 0.0;
    return n - (size_t)low;
}
static float snn__top_percentile(snn__top *t, double percent)
{
    const size_t keep = snn__top_room(t->seen, percent);
    size_t n = t->seen < t->room ? t->seen : t->room;
    double rank, low, next;
    if (!t->seen) return 0.0f;
    for (; n > keep; n--) snn__top_sift(t->x, n - 1, t->x[n - 1]);
    rank = (double)(t->seen - 1) * (percent / 100.0) - (double)(t->seen - keep);
    low = (double)t->x[0];
    next = n > 2 && t->x[2] < t->x[1] ? (double)t->x[2] : n > 1 ? (double)t->x[1] : low;
    return (float)(low + rank * (next - low));
}

SNN_DEF snn_status snn_percentile(float *out, float *x, size_t n, double percent,
                                  int positive_only)
{
    snn__top t;
    size_t i;
    if (!out || !x) return SNN_ERR_NULL;
    if (!n || !(percent >= 0.0 && percent <= 100.0)) return SNN_ERR_ARGUMENT;
    if (!snn__all_finite(x, n)) return SNN_ERR_NAN;
    t.x = x; /* the heap stays behind what is read */
    t.room = snn__top_room(n, percent);
    t.seen = 0;
    for (i = 0; i < n; i++)
        if (!positive_only || x[i] > 0.0f) snn__top_add(&t, x[i]);
    *out = snn__top_percentile(&t, percent);
    return SNN_OK;
}

typedef struct snn__converted { /* of a node of the old net */
    int groups;                 /* neurons: values of lam, for as many equal parts of a row */
    float *lambda;
    snn__top *top;
    double low, high;           /* MODEL: bounds of its output */
    float weight;               /* DIEHL: the largest weight since the last neuron */
} snn__converted;
typedef struct snn__convert {
    snn_net *ann;
    snn_convert_desc d;         /* defaults resolved */
    const snn_data *data;       /* NULL: the method looks at none */
    double percent;
    snn__converted *node;
} snn__convert;

/* a norm that snn_net_fold has emptied */
static int snn__is_identity(const snn_net *net, const snn__node *q)
{
    const int kind = q->i[SNN__NORM_KIND], affine = q->i[SNN__NORM_AFFINE] != 0;
    int c, same = kind == SNN_NORM_BATCH || kind == SNN_NORM_THRESHOLD;
    for (c = 0; same && c < q->shape[0]; c++) {
        const float *mean = snn__param_value(net, q, snn__norm_running(q));
        const float *var = snn__param_value(net, q, snn__norm_running(q) + 1);
        const float w = affine ? snn__param_value(net, q, 0)[c] : q->f[SNN__NORM_WEIGHT];
        const float b = affine ? snn__param_value(net, q, 1)[c] : 0.0f;
        same = mean[c] == 0.0f && w == 1.0f && b == 0.0f &&
               SNN_FABSF(var[c] + q->f[SNN__NORM_EPS] - 1.0f) < 1e-6f;
    }
    return same;
}
/* evaluation does without it */
static int snn__convert_skips(const snn_net *ann, int i)
{
    return ann->node[i].op == SNN__DROPOUT || ann->node[i].op == SNN__NORM;
}

static snn_status snn__convert_check(const snn__convert *c)
{
    snn_net *ann = c->ann;
    const int data = c->d.method < SNN_CONVERT_MODEL || c->d.method == SNN_CONVERT_SPIKE_NORM;
    const int frames = c->d.net.input ? c->d.sweep_steps : 1;
    int i, neurons = 0;
    for (i = 0; i < ann->count; i++) {
        const snn__node *q = &ann->node[i];
        const char *kind = snn__op_name(q);
        if (q->op == SNN__NORM && !snn__is_identity(ann, q))
            return snn__fail(ann, SNN_ERR_UNSUPPORTED, "convert: norm \"%s\" is still there; "
                             "snn_net_fold puts it into the layer before", q->name);
        if (q->op == SNN__MULTIPLY || q->op == SNN__IAND || q->op == SNN__GRADED_SPIKES ||
            q->op == SNN__DELAY ||
            (q->op == SNN__CONV_TRANSPOSE2D && c->d.method == SNN_CONVERT_MODEL))
            return snn__fail(ann, SNN_ERR_UNSUPPORTED, "convert: %s \"%s\" cannot be converted%s",
                             kind, q->name, q->op == SNN__CONV_TRANSPOSE2D ? " by MODEL" : "");
        if (q->op != SNN__NEURON) continue;
        neurons++;
        if (q->neuron.def != &snn__qcfs_def && (q->neuron.def != &snn__relu_def ||
                                                c->d.method == SNN_CONVERT_QCFS))
            return snn__fail(ann, SNN_ERR_UNSUPPORTED, "convert: \"%s\" is a %s, wanted is %sqcfs",
                             q->name, kind, c->d.method == SNN_CONVERT_QCFS ? "" : "relu or ");
        if (q->recurrence != SNN_RECURRENCE_NONE)
            return snn__fail(ann, SNN_ERR_UNSUPPORTED, "convert: %s \"%s\" has a recurrence", kind,
                             q->name);
    }
    if (!neurons) return snn__fail(ann, SNN_ERR_UNSUPPORTED, "convert: no relu and no qcfs");
    if (!data) return SNN_OK;
    if (!c->data || (!c->data->x && !c->data->bytes) || c->data->count < 1)
        return snn__fail(ann, SNN_ERR_NULL, "convert: this method needs calibration data");
    if ((int64_t)c->data->features != (int64_t)frames * ann->node[0].n)
        return snn__fail(ann, SNN_ERR_SHAPE,
                         "convert: a calibration sample has %d features, wanted are %u",
                         c->data->features, (size_t)frames * (size_t)ann->node[0].n);
    return SNN_OK;
}

/* Run twice, to count and to place. Most of it are the largest activations. */
static void snn__convert_plan(snn__convert *c, snn__arena *a)
{
    const size_t rows =
        c->data ? snn__mul_size((size_t)c->data->count, (size_t)c->d.sweep_steps) : 0;
    int i, k;
    c->node = (snn__converted *)snn__arena_take(a, (size_t)c->ann->count, sizeof *c->node);
    for (i = 0; i < c->ann->count; i++) {
        const snn__node *q = &c->ann->node[i];
        const int qcfs = q->neuron.def == &snn__qcfs_def;
        const int groups = qcfs ? (q->desc.per_neuron ? q->n : 1)
                                : (c->d.channel_wise && q->ndim == 3 ? q->shape[0] : 1);
        const size_t room =
            snn__top_room(snn__mul_size(rows, (size_t)(q->n / groups)), c->percent);
        const size_t tops = room && !qcfs ? (size_t)groups : 0;
        float *x, *lambda;
        snn__top *top;
        if (q->op != SNN__NEURON) continue;
        lambda = snn__arena_floats(a, (size_t)groups, 1);
        x = snn__arena_floats(a, tops, room);
        top = (snn__top *)snn__arena_take(a, tops, sizeof *top);
        if (!c->node) continue;
        c->node[i].groups = groups;
        c->node[i].lambda = lambda;
        c->node[i].top = top;
        for (k = 0; k < groups; k++) {
            lambda[k] = qcfs ? snn__param_value(c->ann, q, 0)[k] : 0.0f;
            if (top) top[k].x = x + (size_t)k * room, top[k].room = room;
        }
    }
}

/* the bounds of a node's output by those of its inputs, for any input in [0,1] */
static void snn__convert_bounds(const snn__convert *c, int i)
{
    const snn__node *q = &c->ann->node[i];
    const snn__converted *a = &c->node[q->in[0]], *b = &c->node[q->in[q->ins > 1]];
    const double low = a->low < 0.0 ? a->low : 0.0; /* padding is 0 */
    const double high = a->high > 0.0 ? a->high : 0.0;
    const double f = q->op == SNN__SCALE ? (double)q->f[0]
                     : q->op == SNN__SUM_POOL2D
                         ? (double)(q->i[SNN__POOL_KH] * q->i[SNN__POOL_KW]) : 1.0;
    snn__converted *n = &c->node[i];
    n->low = f * (f < 0.0 ? high : low);
    n->high = f * (f < 0.0 ? low : high);
    n->weight = a->weight;
    if (q->op == SNN__INPUT) n->low = 0.0, n->high = 1.0;
    if (q->op == SNN__ADD) n->low += b->low, n->high += b->high;
    if (q->op == SNN__CONCAT) {
        n->low = b->low < n->low ? b->low : n->low;
        n->high = b->high > n->high ? b->high : n->high;
    }
    if (q->ins > 1 && b->weight > n->weight) n->weight = b->weight;
    if (q->op == SNN__NEURON) n->low = 0.0, n->weight = 0.0f;
    if (q->op == SNN__LINEAR || snn__is_conv(q)) {
        const snn_tensor *w = &c->ann->param[q->param0].value;
        const float *bias = q->params > 1 ? snn__param_value(c->ann, q, 1) : NULL;
        const size_t size = snn_tensor_count(w), row = size / (size_t)w->shape[0];
        double sum[2] = {0.0, 0.0};
        size_t k;
        n->low = n->high = 0.0;
        n->weight = w->data[0];
        for (k = 0; k < size; k++) {
            const float v = w->data[k];
            const size_t o = k / row;
            if (k % row == 0) sum[0] = sum[1] = bias && o < (size_t)q->shape[0] ? (double)bias[o]
                                                                               : 0.0;
            sum[0] += (double)v * (v < 0.0f ? high : low);
            sum[1] += (double)v * (v < 0.0f ? low : high);
            if (v > n->weight) n->weight = v;
            if (k % row + 1 < row) continue;
            if (o == 0 || sum[0] < n->low) n->low = sum[0];
            if (o == 0 || sum[1] > n->high) n->high = sum[1];
        }
    }
}

/* A neuron without activations takes the layer's largest, a layer without any 1. */
static snn_status snn__convert_settle(const snn__convert *c, int i)
{
    const snn__converted *n = &c->node[i];
    float most = 0.0f;
    int k;
    for (k = 0; k < n->groups; k++) most = n->lambda[k] > most ? n->lambda[k] : most;
    for (k = 0; k < n->groups; k++) {
        if (!(n->lambda[k] > 0.0f)) n->lambda[k] = most > 0.0f ? most : 1.0f;
        if (!snn__finite(n->lambda[k]))
            return snn__fail(c->ann, SNN_ERR_NAN, "convert: the activations of \"%s\" overflow",
                             c->ann->node[i].name);
    }
    return SNN_OK;
}

/* where the new net has what node i of the old one puts out */
static int snn__convert_find(const snn__convert *c, const snn_net *net, int i)
{
    while (snn__convert_skips(c->ann, i)) i = c->ann->node[i].in[0];
    return snn_net_node(net, c->ann->node[i].name);
}
/* lam of neurons i into their parameters; gain: of their input */
static void snn__convert_set(const snn__convert *c, snn_net *net, int i, float gain)
{
    /* the last: a spike's value */
    static const int field[] = {0, SNN__LIF_GAIN, SNN__LIF_START, SNN__LIF_PARAMS};
    const snn__node *q = &net->node[snn__convert_find(c, net, i)];
    const snn__converted *n = &c->node[i];
    int k;
    for (k = 0; k < 4; k++) {
        const snn_tensor *v = &net->param[q->param0 + field[k]].value;
        const size_t size = snn_tensor_count(v);
        size_t j;
        for (j = 0; j < size; j++)
            v->data[j] = k == 1 ? gain
                                : n->lambda[j * (size_t)n->groups / size] *
                                      (k == 2 ? c->d.start : 1.0f);
    }
    net->dirty = 1;
}

/* The old net again, spiking or not. probe: for one step at a time, to look at what neurons get. */
static snn_status snn__convert_net(const snn__convert *c, snn_net **out, int spiking, int probe)
{
    snn_net_desc d = c->d.net;
    snn_net *net, *ann = c->ann;
    snn_status status;
    int i, k;
    if (probe) {
        d.input = spiking && d.input ? SNN_INPUT_DENSE : SNN_INPUT_CONSTANT;
        d.spikes = SNN_SPIKES_PACKED;
        d.steps = d.inference = 1;
        d.debug = d.checkpoint = d.gradient_steps = 0;
        d.logger.log = NULL; /* what goes wrong is said once, by ann */
    }
    status = snn_net_create(out, &d);
    if (status != SNN_OK) return snn__fail(ann, status, "convert: %s", snn_status_text(status));
    net = *out;
    for (i = 0; i < ann->count; i++) {
        const snn__node *q = &ann->node[i];
        const snn_neuron_def *def = q->neuron.def;
        snn_neuron_desc n = q->desc;
        int in[2] = {0, 0};
        if (snn__convert_skips(ann, i)) continue;
        for (k = 0; k < q->ins; k++) in[k] = snn__convert_find(c, net, q->in[k]);
        if (def && spiking) {
            def = &snn__if_def;
            memset(&n, 0, sizeof n);
            n.reset = c->d.reset;
            n.fire_at_threshold = 1;
            n.per_neuron = c->node[i].groups > 1;
            n.threshold = n.graded = c->node[i].lambda[0];
            n.v_start = c->d.start * n.threshold;
        }
        if (def && probe) snn_net_record(net, in[0], SNN_RECORD_SPIKES);
        k = snn__node_add(net, q->op, q->name, in[0], in[1], q->i, q->f, def, def ? &n : NULL);
        if (def && !probe) snn_net_record(net, k, c->d.record);
    }
    status = snn_net_build(net);
    if (status != SNN_OK) {
        snn__fail(ann, status, "convert: %s", net->error);
        snn_net_destroy(net);
        *out = NULL;
        return status;
    }
    for (k = 0; k < ann->params; k++) {
        const snn_param *from = &ann->param[k], *to = snn_net_find_param(net, from->name);
        if (to && !(spiking && ann->node[from->node].op == SNN__NEURON))
            memcpy(to->value.data, from->value.data,
                   snn_tensor_count(&from->value) * sizeof(float));
    }
    for (i = 0; spiking && i < ann->count; i++)
        if (ann->node[i].op == SNN__NEURON) snn__convert_set(c, net, i, probe ? 0.0f : 1.0f);
    return SNN_OK;
}

/* Runs a probe on the data and keeps the largest currents of neurons `only`, or of all for -1. */
static snn_status snn__convert_sweep(const snn__convert *c, snn_net *net, int only)
{
    const int T = c->d.sweep_steps, B = net->desc.batch, n = net->node[0].n;
    const int sequence = net->node[0].signal != SNN__CONSTANT, all = c->data->count;
    const int spikes = sequence && c->d.net.input == SNN_INPUT_SPIKES;
    float *x = net->node[0].out;
    int start, t, b, i, j;
    for (start = 0; start < all; start += B) {
        if (!c->d.keep_states) snn_net_reset(net);
        for (t = 0; t < T; t++) {
            const int fresh = t == 0 || sequence;
            for (b = 0; fresh && b < B; b++)
                for (j = 0; j < n; j++) {
                    const int sample = start + b < all ? start + b : all - 1;
                    const float v = snn__data_at(c->data, sample, (size_t)(sequence * t * n + j));
                    x[b * n + j] = spikes ? (float)(v != 0.0f) : v;
                }
            if (snn_net_step(net, fresh ? x : NULL) != SNN_OK)
                return snn__fail(c->ann, SNN_ERR_NAN, "convert: calibration %s", net->error);
            for (i = only < 0 ? 0 : only; i < (only < 0 ? c->ann->count : only + 1); i++) {
                const snn__node *q = &net->node[snn__convert_find(c, net, i)];
                const snn__node *from = snn__input_of(net, q, 0);
                snn__top *top = c->node[i].top;
                const size_t real = (size_t)(all - start < B ? all - start : B);
                const int part = q->n / (top ? c->node[i].groups : 1);
                size_t k;
                if (!top) continue;
                if (!snn__all_finite(from->rec_spk, real * (size_t)q->n))
                    return snn__fail(c->ann, SNN_ERR_NAN,
                                     "convert: the input of \"%s\" is NaN or infinite", q->name);
                for (k = 0; k < real; k++)
                    for (j = 0; j < q->n; j++) {
                        const float v = from->rec_spk[k * (size_t)q->n + (size_t)j];
                        if (v > 0.0f || !c->d.positive_only)
                            snn__top_add(&top[j / part], v > 0.0f ? v : 0.0f);
                    }
            }
        }
    }
    return SNN_OK;
}

static snn_status snn__convert_measure(snn__convert *c)
{
    const snn_convert_method method = c->d.method;
    const int spikes = method == SNN_CONVERT_SPIKE_NORM;
    snn_net *probe = NULL, *ann = c->ann;
    snn_status status = SNN_OK;
    int i, k;
    for (i = 0; spikes && i < ann->count; i++) /* anything but 1, which would be fixed */
        for (k = 0; k < c->node[i].groups && c->node[i].top; k++) c->node[i].lambda[k] = 2.0f;
    if (c->data) status = snn__convert_net(c, &probe, spikes, 1);
    if (status == SNN_OK && c->data && !spikes) status = snn__convert_sweep(c, probe, -1);
    for (i = 0; status == SNN_OK && i < ann->count; i++) {
        snn__converted *n = &c->node[i];
        snn__convert_bounds(c, i);
        if (ann->node[i].op != SNN__NEURON) continue;
        if (n->top && spikes) status = snn__convert_sweep(c, probe, i);
        for (k = 0; k < n->groups && status == SNN_OK; k++) {
            const float weight = c->node[ann->node[i].in[0]].weight;
            if (n->top) n->lambda[k] = snn__top_percentile(&n->top[k], c->percent);
            else if (method == SNN_CONVERT_MODEL && ann->node[i].neuron.def == &snn__relu_def)
                n->lambda[k] = (float)n->high;
            if (n->top && method == SNN_CONVERT_DIEHL && weight > n->lambda[k])
                n->lambda[k] = weight;
        }
        if (status == SNN_OK) status = snn__convert_settle(c, i);
        for (n->high = 0.0, k = 0; k < n->groups; k++)
            n->high = (double)n->lambda[k] > n->high ? (double)n->lambda[k] : n->high;
        if (status == SNN_OK && spikes) snn__convert_set(c, probe, i, 1.0f);
    }
    snn_net_destroy(probe);
    return status;
}

SNN_DEF snn_status snn_net_convert(snn_net **out, snn_net *ann, const snn_convert_desc *d,
                                   const snn_data *calibration)
{
    snn_status status = snn__ready(ann);
    snn__convert c;
    snn__arena a;
    snn_net_desc *n = &c.d.net;
    void *block;
    size_t size;
    if (out) *out = NULL;
    if (status != SNN_OK) return status;
    if (!out || !d) return snn__fail(ann, SNN_ERR_NULL, "convert: out or desc is NULL");
    memset(&c, 0, sizeof c);
    c.ann = ann;
    c.d = *d;
    status = d->_start || d->_end ? SNN_ERR_DESC : snn__net_check(n);
    if (status != SNN_OK)
        return snn__fail(ann, status, "convert: desc: %s", snn_status_text(status));
    if ((int)d->method < 0 || d->method > SNN_CONVERT_QCFS || (int)d->reset < 0 ||
        d->reset > SNN_RESET_ZERO || n->steps < 1 || d->sweep_steps < 0 ||
        !snn__finite(d->start) ||
        !(d->percentile >= 0.0f && d->percentile <= 100.0f))
        return snn__fail(ann, SNN_ERR_ARGUMENT,
                         "convert: wanted are net.steps from 1 on, a method, reset subtract or "
                         "zero, a percentile up to 100, a finite start");
    if (d->method != SNN_CONVERT_SPIKE_NORM) c.d.sweep_steps = 1;
    else if (!d->sweep_steps) c.d.sweep_steps = n->steps;
    if (d->reset == SNN_RESET_DEFAULT) c.d.reset = SNN_RESET_SUBTRACT;
    if (d->start == 0.0f && d->method == SNN_CONVERT_QCFS) c.d.start = 0.5f;
    c.d.keep_states = d->keep_states && d->method == SNN_CONVERT_SPIKE_NORM;
    c.percent = d->percentile != 0.0f                   ? (double)d->percentile
                : d->method == SNN_CONVERT_PERCENTILE ? 99.9 : 100.0;
    if (d->method != SNN_CONVERT_MODEL && d->method != SNN_CONVERT_QCFS) c.data = calibration;
    if (!n->allocator.alloc) n->allocator = ann->desc.allocator;
    if (!n->allocator.alloc)
        return snn__fail(ann, SNN_ERR_NULL, "convert: no allocator, give one in net.allocator");
    if (!n->threads.parallel_for) n->threads = ann->desc.threads;
    if (n->isa == SNN_ISA_AUTO) n->isa = ann->desc.isa;
    if (n->dt == 0.0f) n->dt = ann->desc.dt;
    n->deterministic |= ann->desc.deterministic;
    n->batch += !n->batch;
    n->max_layers = ann->count > n->max_layers ? ann->count : n->max_layers;
    status = snn__convert_check(&c);
    if (status != SNN_OK) return status;
    memset(&a, 0, sizeof a);
    a.size = SIZE_MAX;
    snn__convert_plan(&c, &a);
    size = a.used + SNN__ALIGN;
    block = a.overflow || a.used > SIZE_MAX / 2 ? NULL
                                                : n->allocator.alloc(size, n->allocator.user);
    if (!block) return snn__fail(ann, SNN_ERR_MEMORY, "convert: no memory for %u bytes", size);
    memset(block, 0, size);
    memset(&a, 0, sizeof a);
    a.base = (char *)block + (SNN__ALIGN - (size_t)((uintptr_t)block % SNN__ALIGN)) % SNN__ALIGN;
    a.size = size - SNN__ALIGN;
    snn__convert_plan(&c, &a);
    status = snn__convert_measure(&c);
    if (status == SNN_OK) status = snn__convert_net(&c, out, 1, 0);
    n->allocator.free(block, size, n->allocator.user);
    return status;
}

/* ---- >>io ---------------------------------------------------------------------------------- */
/* Models as safetensors files; IDX files.
 *
 * safetensors: 8 bytes, little endian, the length of the header; the header, JSON; the tensors.
 *   {"__metadata__":{"key":"text", ...},
 *    "fc1.weight":{"dtype":"F32","shape":[10,784],"data_offsets":[0,31360]}, ...}
 * Every byte behind the header belongs to exactly one tensor. Our metadata holds the graph: a line
 * for each node, in the net's order. Defaults are resolved, so that a new one changes no old file.
 *   conv2d name=conv1 in=0 out_channels=8 kernel_h=5 ...
 *   leaky name=lif1 in=2 beta=0.9 ... reset=subtract surrogate=fast_sigmoid surrogate_p0=25 ... */

/* -- attributes of a node: one description for writing and for reading */

enum { SNN__A_FLOAT, SNN__A_INT, SNN__A_INIT, SNN__A_INPUT, SNN__A_RESET, SNN__A_RECURRENCE,
       SNN__A_SURROGATE };
static const char *const snn__enum_names[] = { /* values by name, in their order */
    NULL, NULL,
    "default kaiming_uniform kaiming_normal xavier_uniform xavier_normal orthogonal constant",
    "constant dense spikes", "default subtract zero none", "default none one_to_one linear conv2d",
#define SNN__X(id, name, p0, p1) #name " "
    SNN_SURROGATE_LIST(SNN__X)
#undef SNN__X
};

/* The fields of a neuron's desc under their own names: a new field is one row. */
#define SNN__FIELD_LIST(X)                                                                         \
    X(beta, FLOAT, 1) X(alpha, FLOAT, 1) X(threshold, FLOAT, 1) X(graded, FLOAT, 1)                \
    X(reset, RESET, 1) X(no_reset_delay, INT, 1) X(inhibition, INT, 1)                             \
    X(fire_at_threshold, INT, 1) X(surrogate, SURROGATE, 1) X(surrogate_p0, FLOAT, 1)              \
    X(surrogate_p1, FLOAT, 1) X(learn_beta, INT, 1) X(learn_alpha, INT, 1)                         \
    X(learn_threshold, INT, 1) X(learn_graded, INT, 1) X(per_neuron, INT, 1)                       \
    X(custom, FLOAT, SNN_MAX_PARAMS) X(learn_custom, INT, 1) X(output_membrane, INT, 1)            \
    X(quant.bits, INT, 1) X(quant.exponential, INT, 1) X(quant.centre_zero, INT, 1)                \
    X(quant.threshold, FLOAT, 1) X(quant.set_limits, INT, 1) X(quant.lower, FLOAT, 1)              \
    X(quant.upper, FLOAT, 1) X(quant.multiplier, FLOAT, 1) X(recurrence, RECURRENCE, 1)            \
    X(kernel_h, INT, 1) X(kernel_w, INT, 1) X(V, FLOAT, 1) X(fixed_recurrent, INT, 1)              \
    X(no_recurrent_bias, INT, 1) X(R, FLOAT, 1) X(C, FLOAT, 1) X(time_step, FLOAT, 1)              \
    X(tau, FLOAT, 1) X(kernel_steps, FLOAT, 1) X(input_gain, FLOAT, 1) X(decay_input, INT, 1)      \
    X(v_rest, FLOAT, 1) X(v_reset, FLOAT, 1) X(refractory, FLOAT, 1) X(detach_reset, INT, 1)       \
    X(membrane_before_reset, INT, 1) X(v_start, FLOAT, 1)
static const struct {
    const char *name;
    int offset, type, count;
} snn__field_table[] = {
#define SNN__X(field, type, count)                                                                 \
    {#field, (int)offsetof(snn_neuron_desc, field), SNN__A_##type, count},
    SNN__FIELD_LIST(SNN__X)
#undef SNN__X
};
enum { SNN__FIELDS = (int)(sizeof snn__field_table / sizeof snn__field_table[0]), SNN__WORD = 192 };

typedef struct snn__attr {
    char name[SNN__WORD];
    int type, count;
    void *value; /* [count] floats or ints, or one enum */
} snn__attr;

/* copies word k of a list with spaces and returns -1; past the end returns k less the words */
static int snn__list_word(const char *list, int k, char *word)
{
    int n;
    for (;; k--, list += n) {
        while (*list == ' ') list++;
        for (n = 0; list[n] && list[n] != ' ' && n < SNN__WORD - 1; n++) word[n] = list[n];
        word[n] = 0;
        if (!n) return k;
        if (!k) return -1;
    }
}

/* attribute k of a node, 0 past the last. input: the net's kind of input, saved with its node */
static int snn__attr_at(snn__node *q, int *input, int k, snn__attr *a)
{
    const snn__op *o = &snn__op_table[q->op];
    int at = k;
    k = snn__list_word(o->ins ? "in" : "input", at, a->name);
    if (k < 0) {
        a->type = o->ins ? SNN__A_INT : SNN__A_INPUT;
        a->count = o->ins ? o->ins : 1;
        a->value = o->ins ? q->in : input;
        return 1;
    }
    a->count = 1;
    at = k;
    k = snn__list_word(o->ints, at, a->name);
    if (k < 0) {
        a->type = strcmp(a->name, "init") ? SNN__A_INT : SNN__A_INIT;
        a->value = &q->i[at];
        return 1;
    }
    at = k;
    k = snn__list_word(o->floats, at, a->name);
    if (k < 0) {
        a->type = SNN__A_FLOAT;
        a->value = &q->f[at];
        return 1;
    }
    if (q->op != SNN__NEURON || k >= SNN__FIELDS) return 0;
    a->type = snn__field_table[k].type;
    a->count = snn__field_table[k].count;
    a->value = (char *)&q->desc + snn__field_table[k].offset;
    return snn__list_word(snn__field_table[k].name, 0, a->name) < 0;
}

/* element j of an attribute that is no float; set: its new value or NULL. Enums go through their
 * own type: a compiler may make it shorter than int */
static int snn__attr_int(const snn__attr *a, int j, const int *set)
{
    int *i = (int *)a->value + j;
#define SNN__X(kind, enum_type)                                                                    \
    if (a->type == kind) {                                                                         \
        if (set) *(enum_type *)a->value = (enum_type)*set;                                         \
        return (int)*(enum_type *)a->value;                                                        \
    }
    SNN__X(SNN__A_RESET, snn_reset)
    SNN__X(SNN__A_RECURRENCE, snn_recurrence)
    SNN__X(SNN__A_SURROGATE, snn_surrogate_kind)
#undef SNN__X
    return set ? *i = *set : *i;
}

/* a decimal number within the range of float; nine digits give back the float they came from */
static int snn__number_read(const char *s, double *out)
{
    const int negative = *s == '-';
    int e = 0, n = 0, point = 0, down, digits = 0;
    double x = 0;
    for (s += negative; (*s >= '0' && *s <= '9') || (*s == '.' && !point); s++)
        if (*s == '.') point = 1;
        else {
            x = x * 10 + (*s - '0');
            digits++;
            e -= point;
        }
    if (digits && *s == 'e') {
        down = *++s == '-';
        s += down || *s == '+';
        for (digits = 0; *s >= '0' && *s <= '9' && digits < 2; digits++) n = n * 10 + *s++ - '0';
        e += down ? -n : n;
    }
    for (; e > 0; e--) x *= 10;
    for (; e < 0; e++) x /= 10;
    *out = negative ? -x : x;
    return digits && !*s && x < 3.40282356e38;
}

/* a value as the file spells it: numbers separated by commas, or an enum's name */
static int snn__attr_read(const snn__attr *a, const char *text)
{
    const char *names = snn__enum_names[a->type];
    char piece[SNN__WORD], name[SNN__WORD];
    double x = 0;
    int j, n, v;
    for (j = 0; j < a->count; j++, text += n + 1) {
        for (n = 0; text[n] && text[n] != ',' && n < SNN__WORD - 1; n++) piece[n] = text[n];
        piece[n] = 0;
        for (v = 0; names && snn__list_word(names, v, name) < 0 && strcmp(name, piece);) v++;
        if (names ? !*name : !snn__number_read(piece, &x)) return 0;
        if (a->type == SNN__A_INT) {
            if (x < -2147483647.0 || x > 2147483647.0) return 0;
            v = (int)x;
            if (x != (double)v) return 0;
        }
        if (a->type == SNN__A_FLOAT) ((float *)a->value)[j] = (float)x;
        else snn__attr_int(a, j, &v);
        if (!text[n]) return 1;
    }
    return 0; /* more values than there are */
}

/* -- writing: to memory, to a FILE, or only counting */

typedef struct snn__sink {
    unsigned char *memory;
    void *file;
    size_t length;
    int failed;
} snn__sink;

static void snn__put(snn__sink *s, const void *data, size_t size)
{
    if (s->memory) memcpy(s->memory + s->length, data, size);
#ifndef SNN_NO_STDIO
    if (s->file && !s->failed) s->failed = fwrite(data, 1, size, (FILE *)s->file) != size;
#endif
    s->length += size;
}
static void snn__put_little(snn__sink *s, uint64_t value, size_t size)
{
    unsigned char bytes[8];
    size_t i;
    for (i = 0; i < size; i++) bytes[i] = (unsigned char)(value >> 8 * i);
    snn__put(s, bytes, size);
}
/* at most 255 bytes at once; in_string: the inside of a JSON string */
static void snn__put_text(snn__sink *s, int in_string, const char *format, ...)
{
    char text[256], *p = text;
    snn__text t = {text, sizeof text, 0};
    va_list args;
    text[0] = 0;
    va_start(args, format);
    snn__text_list(&t, format, args);
    va_end(args);
    for (; *p; p++) {
        if (in_string && (*p == '"' || *p == '\\')) snn__put(s, "\\", 1);
        snn__put(s, in_string && (unsigned char)*p < ' ' ? "?" : p, 1);
    }
}

static void snn__save_node(const snn_net *net, const snn__node *node, snn__sink *s)
{
    snn__node q = *node; /* with the neuron's defaults resolved */
    const snn_neuron_def *def = q.neuron.def;
    char word[SNN__WORD];
    int i, j, k, n, input = (int)net->desc.input;
    snn__attr a;
    for (i = 0; i < SNN_NEURON_COUNT && snn__neuron_table[i] != def;) i++;
    snn__put_text(s, 1, def && i == SNN_NEURON_COUNT ? "neuron def=%s name=%s" : "%s name=%s",
                  def ? def->name : snn__op_table[q.op].name, q.name);
    for (k = 0; def && k < def->params; k++) {
        const float v = snn__neuron_value(def, &node->desc, k, NULL);
        if (!def->param[k].field) q.desc.custom[k] = v;
        else memcpy((char *)&q.desc + def->param[k].field, &v, sizeof v);
    }
    if (def) {
        if (q.desc.reset == SNN_RESET_DEFAULT) q.desc.reset = def->reset;
        q.desc.recurrence = q.recurrence;
        q.desc.surrogate_p0 = q.neuron.surrogate.p0;
        q.desc.surrogate_p1 = q.neuron.surrogate.p1;
    }
    for (k = 0; snn__attr_at(&q, &input, k, &a); k++) {
        n = a.count; /* but for "in" and enums, what is 0 is left out */
        while (k && n && a.type == SNN__A_FLOAT && ((float *)a.value)[n - 1] == 0.0f) n--;
        while (k && n && a.type == SNN__A_INT && !snn__attr_int(&a, n - 1, NULL)) n--;
        for (j = 0; j < n; j++) {
            snn__put_text(s, 1, j ? "," : " %s=", a.name);
            if (a.type == SNN__A_FLOAT) snn__put_text(s, 1, "%g", (double)((float *)a.value)[j]);
            else if (a.type == SNN__A_INT) snn__put_text(s, 1, "%d", snn__attr_int(&a, j, NULL));
            else {
                snn__list_word(snn__enum_names[a.type], snn__attr_int(&a, j, NULL), word);
                snn__put_text(s, 1, "%s", word);
            }
        }
    }
    snn__put(s, "\\n", 2);
}

static void snn__save_header(const snn_net *net, snn__sink *s)
{
    size_t begin = 0, end;
    int i, k;
    snn__put_text(s, 0, "{\"__metadata__\":{\"format\":\"snn\",\"version\":\"1\",\"dt\":\"%g\",",
                  (double)net->desc.dt);
    snn__put_text(s, 0, "\"graph\":\"");
    for (i = 0; i < net->count; i++) snn__save_node(net, &net->node[i], s);
    snn__put_text(s, 0, "\"}");
    for (i = 0; i < net->params; i++, begin = end) {
        const snn_param *p = &net->param[i];
        end = begin + snn_tensor_count(&p->value) * 4;
        snn__put_text(s, 0, ",\"");
        snn__put_text(s, 1, "%s", p->name);
        snn__put_text(s, 0, "\":{\"dtype\":\"F32\",\"shape\":[");
        for (k = 0; k < p->value.ndim; k++)
            snn__put_text(s, 0, k ? ",%d" : "%d", p->value.shape[k]);
        snn__put_text(s, 0, "],\"data_offsets\":[%u,%u]}", begin, end);
    }
    snn__put_text(s, 0, "}");
    while (s->length % 8) snn__put_text(s, 0, " "); /* the data starts aligned */
}
static size_t snn__header_size(const snn_net *net)
{
    snn__sink count;
    memset(&count, 0, sizeof count);
    snn__save_header(net, &count);
    return count.length;
}

static void snn__save(const snn_net *net, snn__sink *s)
{
    size_t i, n;
    uint32_t u;
    int k;
    snn__backend_read(net, NULL, 0);
    snn__put_little(s, snn__header_size(net), 8);
    snn__save_header(net, s);
    for (k = 0; k < net->params; k++)
        for (i = 0, n = snn_tensor_count(&net->param[k].value); i < n; i++) {
            memcpy(&u, &net->param[k].value.data[i], 4);
            snn__put_little(s, u, 4);
        }
}

SNN_DEF size_t snn_net_save_size(const snn_net *net)
{
    size_t size = 8;
    int k;
    if (!net || !net->built) return 0;
    for (k = 0; k < net->params; k++) size += snn_tensor_count(&net->param[k].value) * 4;
    return size + snn__header_size(net);
}
SNN_DEF size_t snn_net_save_to(const snn_net *net, void *memory, size_t size)
{
    snn__sink s;
    memset(&s, 0, sizeof s);
    s.memory = (unsigned char *)memory;
    if (net && net->built && memory && snn_net_save_size(net) <= size) snn__save(net, &s);
    return s.length;
}

/* -- reading: the header in place, nothing is copied or allocated. The first thing wrong sets
 *    f->status and f->error; from then on every reader returns 0 and every loop ends. */

enum { SNN__JSON_END = -1, SNN__JSON_BAD = -2, SNN__HEADER_MAX = 1 << 22, SNN__OPEN_LAYERS = 1024 };
enum { SNN__META_FORMAT, SNN__META_VERSION, SNN__META_DT, SNN__META_GRAPH, SNN__METAS };
static const char *const snn__meta_names[] = {"format", "version", "dt", "graph"};
static const struct {
    const char *name;
    size_t size;
} snn__dtype_table[] = {{"F32", 4}, {"F64", 8}, {"F16", 2},  {"BF16", 2},    {"I64", 8},
                        {"U64", 8}, {"I32", 4}, {"U32", 4},  {"I16", 2},     {"U16", 2},
                        {"I8", 1},  {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
enum { SNN__DTYPES = (int)(sizeof snn__dtype_table / sizeof snn__dtype_table[0]) };

typedef struct snn__file {
    const unsigned char *text, *data; /* header, tensors */
    size_t size, data_size;           /* of them */
    size_t at;                        /* in text */
    int members, tensors;             /* passed since the start; in all */
    size_t meta[SNN__METAS];          /* where these strings start; 0: absent */
    snn_status status;
    char error[256];
} snn__file;

typedef struct snn__entry { /* a tensor of the header */
    size_t name, shape[SNN_MAX_DIMS], span[2];
    int dtype, ndim;
} snn__entry;

static int snn__file_fail(snn__file *f, snn_status status, const char *format, ...)
{
    snn__text t = {f->error, sizeof f->error, 0};
    va_list args;
    if (f->status != SNN_OK) return 0;
    f->status = status;
    va_start(args, format);
    snn__text_list(&t, format, args);
    va_end(args);
    return 0;
}
static int snn__json_bad(snn__file *f)
{
    return snn__file_fail(f, SNN_ERR_FORMAT, "file: byte %u of the header is wrong", f->at);
}
static int snn__json_peek(snn__file *f) /* the next byte behind spaces, 0 at the end */
{
    int c = 0;
    for (; f->at < f->size; f->at++) {
        c = f->text[f->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return c;
    }
    return 0;
}
static int snn__json_is(snn__file *f, char c)
{
    if (snn__json_peek(f) != c) return 0;
    f->at++;
    return 1;
}
static int snn__json_want(snn__file *f, char c)
{
    return snn__json_is(f, c) ? 1 : snn__json_bad(f);
}
/* on to the next member or element; 0 when close ends them. n counts */
static int snn__json_more(snn__file *f, char close, int *n)
{
    if (f->status != SNN_OK || snn__json_is(f, close)) return 0;
    return (*n)++ ? snn__json_want(f, ',') : 1;
}
static int snn__json_byte(const snn__file *f, size_t *at)
{
    return *at < f->size ? f->text[(*at)++] : 0;
}
/* the next character of a string; \u beyond ASCII stays a number, none of our names has such */
static int snn__json_char(const snn__file *f, size_t *at)
{
    static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    int c = snn__json_byte(f, at), code = 0, k;
    if (c == '"') return SNN__JSON_END;
    if (c != '\\') return c < ' ' ? SNN__JSON_BAD : c;
    c = snn__json_byte(f, at);
    for (k = 0; escapes[k]; k += 2)
        if (c == escapes[k]) return escapes[k + 1];
    for (k = c == 'u' ? 0 : 5; k < 4; k++) {
        c = snn__json_byte(f, at);
        if (c >= '0' && c <= '9') code = code * 16 + c - '0';
        else if ((c | 32) >= 'a' && (c | 32) <= 'f') code = code * 16 + (c | 32) - 'a' + 10;
        else return SNN__JSON_BAD;
    }
    return k == 4 ? code : SNN__JSON_BAD;
}
/* passes over a string and returns where its first character is */
static size_t snn__json_string(snn__file *f)
{
    size_t start;
    int c = 0;
    snn__json_want(f, '"');
    for (start = f->at; f->status == SNN_OK && c != SNN__JSON_END;) {
        c = snn__json_char(f, &f->at);
        if (c == SNN__JSON_BAD) snn__json_bad(f);
    }
    return start;
}
static int snn__json_sizes(snn__file *f, size_t *out, int max) /* [1,2,3]; how many there are */
{
    int n = 0, c;
    size_t x, start;
    for (snn__json_want(f, '['); snn__json_more(f, ']', &n); out[n - 1] = x) {
        if (n > max) return snn__json_bad(f);
        c = snn__json_peek(f);
        for (x = 0, start = f->at; c >= '0' && c <= '9'; c = ++f->at < f->size ? f->text[f->at] : 0)
            x = snn__add_size(snn__mul_size(x, 10), (size_t)(c - '0'));
        if (f->at == start || x == SIZE_MAX) snn__json_bad(f);
        else if (f->text[start] == '0' && f->at > start + 1) snn__json_bad(f);
    }
    return n;
}
static int snn__json_equal(const snn__file *f, size_t at, const char *text)
{
    int c;
    while ((c = snn__json_char(f, &at)) >= 0 && *text && c == (unsigned char)*text) text++;
    return c == SNN__JSON_END && !*text;
}
/* a string for sentences: cut to size, question marks for what is not plain text */
static char *snn__json_show(const snn__file *f, size_t at, char *out, size_t size)
{
    size_t n = 0;
    int c;
    while ((c = snn__json_char(f, &at)) >= 0 && n + 1 < size)
        out[n++] = (char)(c >= ' ' && c < 127 ? c : '?');
    out[n] = 0;
    return out;
}

static int snn__file_rewind(snn__file *f)
{
    f->at = 0;
    f->members = 0;
    snn__json_want(f, '{');
    return 0;
}
/* the next tensor, metadata is noted in passing; 0 behind the last, then the first again */
static int snn__file_next(snn__file *f, snn__entry *e)
{
    char show[SNN__WORD];
    size_t key, text;
    int k, n, meta, seen = 0;
    while (snn__json_more(f, '}', &f->members)) {
        memset(e, 0, sizeof *e);
        e->name = snn__json_string(f);
        meta = snn__json_equal(f, e->name, "__metadata__");
        snn__json_want(f, ':');
        snn__json_want(f, '{');
        for (n = 0; snn__json_more(f, '}', &n);) {
            key = snn__json_string(f);
            snn__json_want(f, ':');
            if (meta) {
                text = snn__json_string(f);
                for (k = 0; k < SNN__METAS; k++)
                    if (snn__json_equal(f, key, snn__meta_names[k])) f->meta[k] = text;
            } else if (snn__json_equal(f, key, "dtype")) {
                text = snn__json_string(f);
                for (k = 0; k < SNN__DTYPES; k++)
                    if (snn__json_equal(f, text, snn__dtype_table[k].name)) break;
                if (k == SNN__DTYPES)
                    snn__file_fail(f, SNN_ERR_UNSUPPORTED, "file: dtype \"%s\" is unknown",
                                   snn__json_show(f, text, show, sizeof show));
                e->dtype = k;
                seen |= 1;
            } else if (snn__json_equal(f, key, "shape")) {
                e->ndim = snn__json_sizes(f, e->shape, SNN_MAX_DIMS);
                seen |= 2;
            } else if (snn__json_equal(f, key, "data_offsets"))
                seen |= snn__json_sizes(f, e->span, 2) == 2 ? 4 : 0;
            else snn__json_bad(f);
        }
        if (!meta && (seen != 7 || n != 3)) snn__json_bad(f); /* each of the three, once */
        if (!meta) return f->status == SNN_OK;
    }
    if (snn__json_peek(f) || f->at < f->size) snn__json_bad(f);
    return snn__file_rewind(f);
}

/* checks all that can be checked without a net */
static snn_status snn__file_begin(snn__file *f, const void *memory, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)memory;
    uint64_t header = 0, cover = 0;
    char show[SNN__WORD];
    snn__entry e;
    size_t n;
    int k;
    memset(f, 0, sizeof *f);
    for (k = 8; size >= 8 && k--;) header = header << 8 | bytes[k];
    if (size < 8 || header > size - 8 || header > SNN__HEADER_MAX) {
        snn__file_fail(f, SNN_ERR_FORMAT, "file: %u bytes, cut short or not safetensors", size);
        return f->status;
    }
    f->text = bytes + 8;
    f->size = (size_t)header;
    f->data = f->text + f->size;
    f->data_size = size - 8 - f->size;
    for (snn__file_rewind(f); snn__file_next(f, &e); f->tensors++) {
        n = snn__dtype_table[e.dtype].size;
        for (k = 0; k < e.ndim; k++) n = snn__mul_size(n, e.shape[k]);
        if (e.span[0] > e.span[1] || e.span[1] > f->data_size || e.span[1] - e.span[0] != n)
            snn__file_fail(f, SNN_ERR_FORMAT, "file: \"%s\" needs %u bytes, its are %u to %u of %u",
                           snn__json_show(f, e.name, show, sizeof show), n, e.span[0], e.span[1],
                           f->data_size);
        cover += snn__mix64(e.span[1]) - snn__mix64(e.span[0]);
    }
    /* where tensors meet, the hashes of an end and a begin cancel; left are those of the whole */
    if (cover != snn__mix64(f->data_size) - snn__mix64(0))
        snn__file_fail(f, SNN_ERR_FORMAT, "file: its tensors overlap or leave gaps");
    return f->status;
}

/* looks on from where the last one was: tensors in the net's order cost one walk */
static int snn__file_find(snn__file *f, const char *name, snn__entry *e)
{
    int i;
    for (i = 0; i < f->tensors; i++) {
        if (!snn__file_next(f, e)) snn__file_next(f, e);
        if (snn__json_equal(f, e->name, name)) return 1;
    }
    return 0;
}
static float snn__file_float(const snn__file *f, const snn__entry *e, size_t i)
{
    const unsigned char *p = f->data + e->span[0] + 4 * i;
    const uint32_t u = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float x;
    memcpy(&x, &u, 4);
    return x;
}

/* parameter k of node q under its full name; returns its axes. Needs no built net */
static int snn__param_of(const snn_net *net, const snn__node *q, int k, char *full, size_t *shape,
                         int *trained)
{
    snn__text t = {full, sizeof net->param->name, 0};
    const char *name;
    int d, sizes[SNN_MAX_DIMS], dims = snn__param_spec(net, q, k, &name, sizes, trained);
    snn__text_format(&t, "%s.%s", q->name, name);
    for (d = 0; d < dims; d++) shape[d] = (size_t)sizes[d];
    return dims;
}
static const char *snn__print_shape(char *out, size_t size, const size_t *shape, int dims)
{
    snn__text t = {out, size, 0};
    int d;
    snn__text_str(&t, "[");
    for (d = 0; d < dims; d++) snn__text_format(&t, d ? ",%u" : "%u", shape[d]);
    snn__text_str(&t, "]");
    return out;
}

/* parameter k of node q against the file: 1 there and right, 0 absent, else a status */
static int snn__file_param(snn__file *f, snn_net *net, const snn__node *q, int k)
{
    const int params = q->op == SNN__NEURON ? q->neuron.def->params : -1;
    char full[sizeof net->param->name], has[96], wants[96];
    size_t i, n = 1, shape[SNN_MAX_DIMS];
    int d, trained, same, dims = snn__param_of(net, q, k, full, shape, &trained);
    snn__entry e;
    if (!snn__file_find(f, full, &e)) {
        /* plain PyTorch files have only weights; a net made from the file must find everything */
        if (net->built && k <= params) return 0;
        return snn__fail(net, SNN_ERR_MISMATCH, "file: it has no \"%s\"", full);
    }
    if (e.dtype)
        return snn__fail(net, SNN_ERR_MISMATCH, "file: \"%s\" is %s, the net wants F32", full,
                         snn__dtype_table[e.dtype].name);
    for (d = 0, same = dims == e.ndim; d < dims; d++) {
        same = same && shape[d] == e.shape[d];
        n = snn__mul_size(n, shape[d]);
    }
    if (dims <= 1 && e.ndim <= 1 && n == 1) same = e.span[1] - e.span[0] == 4; /* [] is like [1] */
    if (!same)
        return snn__fail(net, SNN_ERR_MISMATCH, "file: tensor \"%s\" is %s, the net wants %s", full,
                         snn__print_shape(has, sizeof has, e.shape, e.ndim),
                         snn__print_shape(wants, sizeof wants, shape, dims));
    for (i = 0; i < n; i++) {
        const float x = snn__file_float(f, &e, i);
        if (!snn__finite(x))
            return snn__fail(net, SNN_ERR_NAN, "file: \"%s\" is NaN or infinite at %u", full, i);
        if (k == params && x != 1.0f && q->desc.graded == 1.0f && !trained) /* never read then */
            return snn__fail(net, SNN_ERR_MISMATCH, "file: \"%s\" is %g, the layer was made with 1",
                             full, (double)x);
    }
    return 1;
}

/* the whole file against a net, built or not; the net is not touched */
static snn_status snn__file_fits(snn__file *f, snn_net *net)
{
    /* buffers of snnTorch's neurons and of torch's batch norm */
    static const char *const ignored[] = {".reset_mechanism_val", ".num_batches_tracked"};
    char show[2 * SNN__WORD], full[sizeof net->param->name];
    int i, k, fits, known, trained, surplus = 0;
    size_t length, shape[SNN_MAX_DIMS];
    snn__entry e;
    for (i = 0; i < net->count; i++)
        for (k = 0; k < snn__param_number(&net->node[i]); k++, surplus -= fits) {
            fits = snn__file_param(f, net, &net->node[i], k);
            if (fits < 0) return (snn_status)fits;
        }
    for (snn__file_rewind(f); snn__file_next(f, &e); surplus += known) {
        int ignore = 0;
        length = strlen(snn__json_show(f, e.name, show, sizeof show));
        for (i = 0, known = 0; i < net->count && !known; i++) {
            const snn__node *q = &net->node[i];
            if (strncmp(show, q->name, strlen(q->name))) continue;
            for (k = 0; k < snn__param_number(q) && !known; k++) {
                snn__param_of(net, q, k, full, shape, &trained);
                known = snn__json_equal(f, e.name, full);
            }
        }
        for (i = 0; i < 2 && !known; i++)
            ignore |= length > 20 && !strcmp(show + length - 20, ignored[i]);
        if (!known && !ignore)
            return snn__fail(net, SNN_ERR_MISMATCH, "file: the net has no \"%s\"", show);
    }
    if (surplus) return snn__fail(net, SNN_ERR_FORMAT, "file: two tensors have the same name");
    return SNN_OK;
}
static void snn__file_copy(snn__file *f, snn_net *net)
{
    snn__entry e;
    size_t i, n;
    int k;
    for (k = 0; k < net->params; k++)
        if (snn__file_find(f, net->param[k].name, &e)) {
            snn_tensor *v = &net->param[k].value;
            for (i = 0, n = snn_tensor_count(v); i < n; i++) v->data[i] = snn__file_float(f, &e, i);
        }
    net->dirty = 1;
}

SNN_DEF snn_status snn_net_load_from(snn_net *net, const void *memory, size_t size)
{
    snn_status status = snn__ready(net);
    snn__file f;
    if (status != SNN_OK) return status;
    if (!memory) return snn__fail(net, SNN_ERR_NULL, "load: memory is NULL");
    if (snn__file_begin(&f, memory, size) != SNN_OK) return snn__fail(net, f.status, "%s", f.error);
    status = snn__file_fits(&f, net);
    if (status != SNN_OK) return status;
    snn__backend_read(net, NULL, 0); /* what the file lacks stays */
    snn__file_copy(&f, net);
    return SNN_OK;
}

/* -- a net from its graph */

/* the next word of the graph, and what ended it: space, =, newline, 0 at the end; -1: not a word */
static int snn__graph_word(const snn__file *f, size_t *at, char *word)
{
    int n = 0, c;
    while ((c = snn__json_char(f, at)) > ' ' && c < 127 && c != '=' && n < SNN__WORD - 1)
        word[n++] = (char)c;
    word[n] = 0;
    return c == SNN__JSON_END ? 0 : c == ' ' || c == '=' || c == '\n' ? c : -1;
}

/* one line; returns what ended it, or a status */
static int snn__graph_line(const snn__file *f, size_t *at, snn_net *net, int line)
{
    char word[SNN__WORD], value[SNN__WORD], name[SNN__WORD] = "";
    int i, k, input = (int)net->desc.input, end = snn__graph_word(f, at, word);
    const snn_neuron_def *def = NULL;
    snn__attr a;
    snn__node q;
    memset(&q, 0, sizeof q);
    q.in[0] = q.in[1] = -1;
    if (!end && !word[0]) return 0; /* behind the last line */
    for (i = 0; i < SNN_NEURON_COUNT && !def; i++)
        if (!strcmp(word, snn__neuron_table[i]->name)) def = snn__neuron_table[i];
    for (; q.op < SNN__LAYER_COUNT; q.op++)
        if (!strcmp(def ? "neuron" : word, snn__op_table[q.op].name)) break;
    if (end >= 0 && q.op == SNN__LAYER_COUNT)
        return snn__fail(net, SNN_ERR_UNSUPPORTED, "graph, line %d: no layer \"%s\"", line, word);
    while (end == ' ') {
        end = snn__graph_word(f, at, word) == '=' ? snn__graph_word(f, at, value) : -1;
        if (end < 0 || end == '=') break;
        if (q.op == SNN__NEURON && !def)
            return snn__fail(net, SNN_ERR_UNSUPPORTED, "graph, line %d: the custom neuron \"%s\" "
                             "cannot be opened; add the layers in code, then load", line, value);
        if (!strcmp(word, "name")) {
            memcpy(name, value, sizeof name);
            continue;
        }
        for (k = 0; snn__attr_at(&q, &input, k, &a) && strcmp(word, a.name);) k++;
        if (strcmp(word, a.name))
            return snn__fail(net, SNN_ERR_UNSUPPORTED, "graph, line %d: what is %s?", line, word);
        if (!snn__attr_read(&a, value))
            return snn__fail(net, SNN_ERR_FORMAT, "graph, line %d: bad %s=%s", line, word, value);
    }
    if (end && end != '\n')
        return snn__fail(net, SNN_ERR_FORMAT, "graph, line %d: not layer name=value ...", line);
    if (def && q.desc.surrogate == SNN_CUSTOM_SURROGATE)
        return snn__fail(net, SNN_ERR_UNSUPPORTED, "graph, line %d: the custom surrogate of \"%s\" "
                         "cannot be opened; add the layers in code, then load", line, name);
    net->desc.input = (snn_input_kind)input;
    i = snn__node_add(net, q.op, name, q.in[0], snn__op_table[q.op].ins > 1 ? q.in[1] : 0, q.i, q.f,
                      def, def ? &q.desc : NULL);
    return i < 0 ? i : end;
}

/* what the metadata says about the net as a whole */
static snn_status snn__file_desc(snn__file *f, snn_net_desc *d)
{
    char word[SNN__WORD];
    double dt = 0;
    size_t at = f->meta[SNN__META_GRAPH];
    int c, k, missing = 0, lines = 0;
    for (k = 0; k < SNN__METAS; k++) missing |= !f->meta[k];
    if (missing || !snn__json_equal(f, f->meta[SNN__META_FORMAT], "snn")) {
        snn__file_fail(f, SNN_ERR_UNSUPPORTED, "file: no graph; add the layers in code, then load");
        return f->status;
    }
    if (!snn__json_equal(f, f->meta[SNN__META_VERSION], "1"))
        snn__file_fail(f, SNN_ERR_UNSUPPORTED, "file: its version is \"%s\", known is 1",
                       snn__json_show(f, f->meta[SNN__META_VERSION], word, sizeof word));
    snn__json_show(f, f->meta[SNN__META_DT], word, sizeof word);
    if (!snn__number_read(word, &dt) || (float)dt <= 0.0f)
        snn__file_fail(f, SNN_ERR_FORMAT, "file: dt is \"%s\", not a time in seconds", word);
    d->dt = (float)dt;
    while (lines < SNN__OPEN_LAYERS && (c = snn__json_char(f, &at)) >= 0) lines += c == '\n';
    if (!d->max_layers) d->max_layers = lines + 1; /* those it has; beyond reason only on request */
    return f->status;
}

/* a failed open: the sentence for the caller and, unless a net has logged it, for the logger */
static snn_status snn__open_fail(const snn_net_desc *d, char *error, snn_status status,
                                 const char *sentence, int log)
{
    snn__text t = {error, 256, 0};
    if (error) snn__text_str(&t, sentence);
    if (log && d->logger.log) d->logger.log(status, sentence, d->logger.user);
    return status;
}

SNN_DEF snn_status snn_net_open_from(snn_net **out, const snn_net_desc *desc, const void *memory,
                                     size_t size, char *error)
{
    snn_status status = out && desc && memory ? snn__net_check(desc) : SNN_ERR_NULL;
    snn_net_desc d;
    snn__file f;
    snn_net *net;
    size_t at;
    int line = 1, end = '\n';
    if (error) error[0] = 0;
    if (out) *out = NULL;
    if (status != SNN_OK)
        return snn__open_fail(desc, error, status, snn_status_text(status), 0);
    d = *desc;
    if (snn__file_begin(&f, memory, size) != SNN_OK || snn__file_desc(&f, &d) != SNN_OK)
        return snn__open_fail(desc, error, f.status, f.error, 1);
    status = snn_net_create(&net, &d);
    if (status != SNN_OK) return snn__open_fail(desc, error, status, snn_status_text(status), 1);
    at = f.meta[SNN__META_GRAPH];
    while (end == '\n') end = snn__graph_line(&f, &at, net, line++);
    status = net->status;
    if (status == SNN_OK) status = snn__file_fits(&f, net); /* first: build only weights it has */
    if (status == SNN_OK) status = snn_net_build(net);
    if (status == SNN_OK) {
        snn__file_copy(&f, net);
        *out = net;
        return SNN_OK;
    }
    snn__open_fail(desc, error, status, net->error, 0);
    snn_net_destroy(net);
    return status;
}

/* -- files on disk */

#ifndef SNN_NO_STDIO
static snn_status snn__file_read(const snn_allocator *a, const char *path, void **memory,
                                 size_t *size)
{
    snn_status status = SNN_ERR_IO;
    FILE *file = fopen(path, "rb");
    long n = 0;
    if (!file) return status;
    /* a folder may open, but has no first byte */
    if (fgetc(file) != EOF && !fseek(file, 0, SEEK_END)) n = ftell(file);
    if (n > 0 && !fseek(file, 0, SEEK_SET)) {
        *size = (size_t)n;
        *memory = a->alloc(*size, a->user);
        if (!*memory) status = SNN_ERR_MEMORY;
        else if (fread(*memory, 1, *size, file) == *size) status = SNN_OK;
        else a->free(*memory, *size, a->user);
    }
    fclose(file);
    return status;
}

SNN_DEF snn_status snn_net_save(snn_net *net, const char *path)
{
    snn_status status = snn__ready(net);
    snn__sink s;
    if (status != SNN_OK) return status;
    if (!path) return snn__fail(net, SNN_ERR_NULL, "save: path is NULL");
    memset(&s, 0, sizeof s);
    s.file = fopen(path, "wb");
    if (!s.file) return snn__fail(net, SNN_ERR_IO, "save: \"%s\" cannot be written", path);
    snn__save(net, &s);
    if (fclose((FILE *)s.file) || s.failed)
        return snn__fail(net, SNN_ERR_IO, "save: \"%s\" could not be written to the end", path);
    return SNN_OK;
}

SNN_DEF snn_status snn_net_load(snn_net *net, const char *path)
{
    snn_status status = snn__ready(net);
    void *memory = NULL;
    size_t size = 0;
    if (status != SNN_OK) return status;
    if (!path) return snn__fail(net, SNN_ERR_NULL, "load: path is NULL");
    if (!net->desc.allocator.alloc)
        return snn__fail(net, SNN_ERR_STATE, "load: no allocator; use snn_net_load_from");
    status = snn__file_read(&net->desc.allocator, path, &memory, &size);
    if (status != SNN_OK)
        return snn__fail(net, status, "load: \"%s\": %s", path, snn_status_text(status));
    status = snn_net_load_from(net, memory, size);
    net->desc.allocator.free(memory, size, net->desc.allocator.user);
    return status;
}

SNN_DEF snn_status snn_net_open(snn_net **out, const snn_net_desc *desc, const char *path,
                                char *error)
{
    snn_allocator a = {snn__default_alloc, snn__default_free, NULL};
    snn_status status = out && desc && path ? snn__net_check(desc) : SNN_ERR_NULL;
    void *memory = NULL;
    size_t size = 0;
    if (error) error[0] = 0;
    if (out) *out = NULL;
    if (status != SNN_OK)
        return snn__open_fail(desc, error, status, snn_status_text(status), 0);
    if (desc->allocator.alloc) a = desc->allocator;
    status = snn__file_read(&a, path, &memory, &size);
    if (status != SNN_OK) return snn__open_fail(desc, error, status, snn_status_text(status), 1);
    status = snn_net_open_from(out, desc, memory, size, error);
    a.free(memory, size, a.user);
    return status;
}
#endif

SNN_DEF snn_status snn_idx_parse(snn_idx *out, const void *memory, size_t size)
{
    const unsigned char *p = (const unsigned char *)memory;
    snn_idx r;
    int k;
    if (out) memset(out, 0, sizeof *out);
    if (!out || !memory) return SNN_ERR_NULL;
    if (size < 4 || p[0] || p[1] || p[2] != 8 || p[3] < 1 || p[3] > SNN_MAX_DIMS ||
        (size - 4) / 4 < p[3])
        return SNN_ERR_FORMAT;
    memset(&r, 0, sizeof r);
    r.ndim = p[3];
    r.count = 1;
    for (k = 0, p += 4; k < r.ndim; k++, p += 4) {
        const uint32_t n = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        if (n > 0x7fffffffu) return SNN_ERR_FORMAT;
        r.shape[k] = (int)n;
        r.count = snn__mul_size(r.count, n);
    }
    if (r.count != size - 4 - 4 * (size_t)r.ndim) return SNN_ERR_FORMAT;
    r.data = p;
    *out = r;
    return SNN_OK;
}

#if !defined(SNN_NO_STDIO) && !defined(SNN_NO_STDLIB)
SNN_DEF snn_status snn_idx_load(snn_idx *out, const char *path)
{
    const snn_allocator a = {snn__default_alloc, snn__default_free, NULL};
    snn_status status = SNN_ERR_NULL;
    void *memory = NULL;
    size_t size = 0;
    if (out) memset(out, 0, sizeof *out);
    if (out && path) status = snn__file_read(&a, path, &memory, &size);
    if (status != SNN_OK) return status;
    status = snn_idx_parse(out, memory, size);
    if (status != SNN_OK) {
        free(memory);
        return status;
    }
    out->memory = memory;
    out->memory_size = size;
    return SNN_OK;
}
SNN_DEF void snn_idx_free(snn_idx *idx)
{
    if (!idx) return;
    free(idx->memory);
    memset(idx, 0, sizeof *idx);
}
#endif

/* -- NIR */

SNN_DEF snn_status snn_nir_export(snn_nir_neuron *node, float alpha, float beta, float threshold,
                                  float dt)
{
    if (!node) return SNN_ERR_NULL;
    if (!snn__finite(alpha) || !snn__finite(beta) || !snn__finite(threshold) || !snn__finite(dt))
        return SNN_ERR_NAN;
    if (!(dt > 0.0f) || !(beta >= 0.0f && beta < 1.0f) || !(alpha >= 0.0f && alpha < 1.0f))
        return SNN_ERR_ARGUMENT;
    memset(node, 0, sizeof *node);
    node->tau_mem = dt / (1.0f - beta);
    node->r = node->tau_mem / dt;
    node->v_threshold = threshold;
    if (alpha == 0.0f) return SNN_OK;
    node->tau_syn = dt / (1.0f - alpha);
    node->w_in = node->tau_syn / dt;
    return SNN_OK;
}
SNN_DEF snn_status snn_nir_import(float *alpha, float *beta, float *threshold,
                                  const snn_nir_neuron *node, float dt)
{
    float w, theta;
    if (!alpha || !beta || !threshold || !node) return SNN_ERR_NULL;
    if (!snn__finite(node->tau_mem) || !snn__finite(node->tau_syn) || !snn__finite(node->r) ||
        !snn__finite(node->w_in) || !snn__finite(node->v_threshold) || !snn__finite(dt))
        return SNN_ERR_NAN;
    if (!(dt > 0.0f) || node->tau_mem < dt || (node->tau_syn != 0.0f && node->tau_syn < dt))
        return SNN_ERR_ARGUMENT;
    if (node->v_leak != 0.0f || node->v_reset != 0.0f) return SNN_ERR_UNSUPPORTED;
    w = node->r * dt / node->tau_mem;
    if (node->tau_syn > 0.0f) w *= node->w_in * dt / node->tau_syn;
    if (!(w > 0.0f)) return SNN_ERR_ARGUMENT;
    theta = SNN_FABSF(w - 1.0f) < 1e-5f ? node->v_threshold : node->v_threshold / w;
    if (!snn__finite(theta)) return SNN_ERR_NAN;
    *alpha = node->tau_syn > 0.0f ? 1.0f - dt / node->tau_syn : 0.0f;
    *beta = 1.0f - dt / node->tau_mem;
    *threshold = theta;
    return SNN_OK;
}

#ifdef __cplusplus
}
#endif

#endif /* SNN_IMPLEMENTATION_DONE */
#endif /* SNN_IMPLEMENTATION */
