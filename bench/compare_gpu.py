#!/usr/bin/env python3
"""compare_gpu.py - snn_cuda.h and, where they can be imported, snnTorch, SpikingJelly and Norse on
one GPU

    python3 bench/compare_gpu.py [--ours build/cuda/bench_cuda] [--seconds 1] [--paths DIR ...]
        [--parts net lif layer]

  --ours PROGRAM   bench/bench_cuda.cu, compiled (make cuda)
  --paths DIR ...  where snntorch, spikingjelly and norse lie, if Python does not find them itself

The nets are those of bench_cuda's rows `net` (t5_mlp, quick, t6, nmnist_synth; batch 128 and 1024),
`lif` (64 x 65536, T 4 to 32; `half`: ours with half_traces, peers in float16) and `layer`
(Linear(n,n) and Leaky, batch 16, T 500, float32 and TF32; `lean`: ours with packed spikes as input
and half_traces, peers as in float32), with the same layers, losses and Adam, on inputs of the same
kind that already are on the GPU; ours sends its batch each step. A second table has MB: of ours
what the net has on the device, of peers the most that torch had allocated in a step, inputs and
given gradients among it. What differs: for the fast sigmoid SpikingJelly has its
Sigmoid, Norse has SuperSpike for all; Norse's LIFBox scales its input by 1 - beta and resets to
zero. Constant inputs pass the first layer once in SpikingJelly, at each step in snnTorch and Norse.
Each peer runs in this process, one after the other, after warming up; a time is the median of
rounds that end with torch.cuda.synchronize(). A peer that is not there, or that fails, is named and
left out: a table never has a number that was not measured in the same call. SpikingJelly runs
multi-step with its fused kernels (backend cupy) where cupy is there, else in plain PyTorch; its
Leaky is LIFNode with decay_input = False, tau = 1/(1 - beta)."""
import argparse
import subprocess
import sys
import time

from nets import NETS, layers, loss_of


def median_seconds(torch, step, seconds):
    for _ in range(3):
        step()
    torch.cuda.synchronize()
    start = time.perf_counter()
    step()
    torch.cuda.synchronize()
    count = max(1, int(seconds / 5 / (time.perf_counter() - start)))
    rounds = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(count):
            step()
        torch.cuda.synchronize()
        rounds.append((time.perf_counter() - start) / count)
    return sorted(rounds)[2]


def data(torch, name, batch):
    """the input, [T][B]... where it changes with time, and labels"""
    g = torch.Generator(device="cuda").manual_seed(2)
    y = (torch.arange(batch) % 10).cuda()
    if name == "nmnist":
        shape = (NETS[name][0], batch, 2, 34, 34)
        return (torch.rand(shape, generator=g, device="cuda") < 0.0063).float(), y
    shape = (batch, 784) if name == "t5_mlp" else (batch, 1, 28, 28)
    x = torch.rand(shape, generator=g, device="cuda")
    return x * (torch.rand(shape, generator=g, device="cuda") < 0.2), y


def cells_step(torch, name, batch, lif):
    """a training step of cells that are called once a time step: x, state -> spikes, state"""
    steps, _, _, _, _, loss, lr = NETS[name]
    net = torch.nn.ModuleList(layers(torch.nn, name, lambda: lif(name))).cuda()
    cell = [hasattr(m, "step") for m in net]
    optim = torch.optim.Adam(net.parameters(), lr=lr)
    x, y = data(torch, name, batch)

    def step():
        state = [None] * len(net)
        spikes, membranes = [], []
        for t in range(steps):
            h = x[t] if x.dim() == 5 else x
            for k, m in enumerate(net):
                if cell[k]:
                    h, state[k] = m.step(h, state[k])
                else:
                    h = m(h)
            spikes.append(h)
            membranes.append(net[-1].membrane(state[-1]))
        value = loss_of(torch, loss, torch.stack(spikes), torch.stack(membranes), y)
        optim.zero_grad()
        value.backward()
        optim.step()
        return value

    return step


def layer_data(torch, n, steps, batch, half):
    """the input, which takes a gradient if neurons alone read it, and the output's gradient"""
    shape = (steps, batch, n) if n else (steps, 64, 65536)
    kind = torch.float16 if half else torch.float32
    x = torch.rand(shape, device="cuda", dtype=kind)
    x = (x < 0.1).to(kind) if n else (0.5 * x).requires_grad_()
    return x, torch.rand(shape, device="cuda", dtype=kind)


def cells_layer(torch, node, n, steps=500, batch=16, half=False):
    """Linear(n, n) and neurons, forward and backward from gradients that are there"""
    linear = torch.nn.Linear(n, n).cuda() if n else None
    x, g = layer_data(torch, n, steps, batch, half)

    def step():
        h = linear(x) if n else x
        state, spikes = None, []
        for t in range(steps):
            z, state = node.step(h[t], state)
            spikes.append(z)
        torch.stack(spikes).backward(g)
        for p in [x] if linear is None else linear.parameters():
            p.grad = None

    return step


def snntorch_cell(torch, beta, slope):
    import snntorch as snn
    from snntorch import surrogate

    grad = surrogate.fast_sigmoid(slope=slope) if slope else surrogate.atan()

    class Cell(snn.Leaky):
        def step(self, x, state):
            return self(x, self.init_leaky() if state is None else state)

        def membrane(self, state):
            return state

    return Cell(beta=beta, spike_grad=grad)


def norse_cell(torch, beta, slope):
    from norse.torch.functional.lif_box import LIFBoxParameters
    from norse.torch.module.lif_box import LIFBoxCell

    class Cell(LIFBoxCell):
        def step(self, x, state):
            return self(x, state)

        def membrane(self, state):
            return state.v

    number = [torch.as_tensor(v).cuda() for v in ((1.0 - beta) / 0.001, 0.0, 1.0, 0.0)]
    return Cell(LIFBoxParameters(*number, alpha=torch.as_tensor(float(slope or 100)).cuda()),
                dt=0.001)


def spikingjelly_node(torch, beta, slope):
    from spikingjelly.activation_based import neuron, surrogate

    grad = surrogate.Sigmoid(alpha=float(slope)) if slope else surrogate.ATan()
    node = neuron.LIFNode(tau=1.0 / (1.0 - beta), decay_input=False, v_reset=None,
                          surrogate_function=grad, step_mode="m", store_v_seq=True)
    try:
        import cupy  # noqa: F401

        node.backend = "cupy"
    except ImportError:
        pass
    return node


def spikingjelly_step(torch, name, batch):
    from spikingjelly.activation_based import functional, layer

    steps, _, _, beta, slope, loss, lr = NETS[name]
    net = torch.nn.Sequential(
        *layers(layer, name, lambda: spikingjelly_node(torch, beta, slope))).cuda()
    functional.set_step_mode(net, "m")
    optim = torch.optim.Adam(net.parameters(), lr=lr)
    x, y = data(torch, name, batch)

    def step():
        if x.dim() == 5:
            spikes = net(x)
        else:  # a constant input: the first layer once, as ours does
            h = net[0](x[None])
            spikes = net[1:](h.expand(steps, *h.shape[1:]).contiguous())
        value = loss_of(torch, loss, spikes, net[-1].v_seq, y)
        optim.zero_grad()
        value.backward()
        optim.step()
        functional.reset_net(net)
        return value

    return step


def spikingjelly_layer(torch, n, steps=500, batch=16, half=False):
    from spikingjelly.activation_based import functional

    linear = torch.nn.Linear(n, n).cuda() if n else None
    node = spikingjelly_node(torch, 0.9, None).cuda()
    node.store_v_seq = False
    x, g = layer_data(torch, n, steps, batch, half)

    def step():
        node(linear(x) if n else x).backward(g)
        for p in [x] if linear is None else linear.parameters():
            p.grad = None
        functional.reset_net(node)

    return step


class Cells:
    """a peer of cells: a net, a layer (n 0: neurons alone)"""

    def __init__(self, torch, cell):
        self.torch, self.cell = torch, cell

    def net(self, name, batch):
        return cells_step(self.torch, name, batch,
                          lambda name: self.cell(self.torch, *NETS[name][3:5]))

    def layer(self, n, steps=500, half=False):
        node = self.cell(self.torch, 0.9, None).cuda()
        return cells_layer(self.torch, node.half() if half else node, n, steps, half=half)


class SpikingJelly:
    def __init__(self, torch):
        self.torch = torch

    def net(self, name, batch):
        return spikingjelly_step(self.torch, name, batch)

    def layer(self, n, steps=500, half=False):
        return spikingjelly_layer(self.torch, n, steps, half=half)


def make_step(torch, peer, name):
    """a function that does what the row `name` is about"""
    part, _, rest = name.partition("_")
    precise = not name.endswith("_tf32")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = not precise
    if part == "lif":
        return peer.layer(0, int(rest[1:].removesuffix("_half")), rest.endswith("_half"))
    if part == "layer":
        return peer.layer(int(rest.split("_")[0][1:]))
    net, batch = name.removesuffix("_tf32").rsplit("_b", 1)
    return peer.net(net.removesuffix("_synth"), int(batch))


def main():
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter,
                                     description=__doc__)
    parser.add_argument("--ours", default="build/cuda/bench_cuda")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--paths", nargs="*", default=[])
    parser.add_argument("--parts", nargs="*", default=["net", "lif", "layer"])
    options = parser.parse_args()
    sys.path[:0] = options.paths
    table, memory = {}, {}
    for number, part in enumerate(options.parts):
        out = subprocess.run([options.ours, "--only", part, "--seconds", str(options.seconds)],
                             capture_output=True, text=True)
        if out.returncode:
            sys.exit(f"{options.ours}: {out.stderr.strip()}")
        for line in out.stdout.splitlines():
            word = line.split()
            if word[0] == "#" and not number:
                print(line)
            if word[0] == "net":
                table[word[1]] = {"ours": float(word[2])}
            if word[0] == "lif" and word[1].endswith("_both"):
                table["lif_" + word[1].removesuffix("_both")] = {"ours": float(word[2]) / 1000}
            if word[0] == "layer" and not word[1].endswith("bf16"):
                table["layer_" + word[1].replace("_fp32", "")] = {
                    "ours": float(word[word.index("both") - 2])}
            if "MB" in word and not word[1].endswith("bf16"):
                memory[list(table)[-1]] = {"ours": float(word[word.index("MB") - 1])}
    try:
        import torch

        print(f"# torch {torch.__version__}")
        peers = {"snntorch": Cells(torch, snntorch_cell), "spikingjelly": SpikingJelly(torch),
                 "norse": Cells(torch, norse_cell)}
    except ImportError:
        print("# torch cannot be imported: no peers")
        peers = {}
    for peer, make in peers.items():
        for name in table:
            try:
                step = make_step(torch, make, name)
                table[name][peer] = median_seconds(torch, step, options.seconds) * 1000
                torch.cuda.reset_peak_memory_stats()
                step()
                torch.cuda.synchronize()
                memory.setdefault(name, {})[peer] = torch.cuda.max_memory_allocated() * 1e-6
            except ImportError as error:
                print(f"# {peer}: {error}")
                break
            except Exception as error:  # a peer's failure is a line, not the end
                print(f"# {peer} {name}: {type(error).__name__}: {error}")
            finally:
                step = None
                torch.cuda.empty_cache()
    for unit, rows in (("ms", table), ("MB", memory)):
        print(f"{unit:22}" + "".join(f"{c:>14}" for c in ("ours", *peers)))
        for name, row in rows.items():
            print(f"{name:22}" + "".join(f"{row[c]:14.3f}" if c in row else f"{'-':>14}"
                                         for c in ("ours", *peers)))


if __name__ == "__main__":
    main()
