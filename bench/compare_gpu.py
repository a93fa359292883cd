#!/usr/bin/env python3
"""compare_gpu.py - snn_cuda.h and, where they can be imported, snnTorch and SpikingJelly on one GPU

    python3 bench/compare_gpu.py [--ours build/cuda/bench_cuda] [--seconds 1] [--paths DIR ...]

  --ours PROGRAM   bench/bench_cuda.cu, compiled (make cuda)
  --paths DIR ...  where snntorch and spikingjelly lie, if Python does not find them itself

The nets are those of bench_cuda's rows `net` (t5_mlp, quick, t6; batch 128 and 1024) and `lif`
(64 x 65536, T 4 to 32), with the same layers, losses and Adam (for the fast sigmoid SpikingJelly
has its Sigmoid), on images of the same kind that already are on the GPU; ours sends its batch each
step. Each peer runs in this process,
one after the other, after warming up; a time is the median of rounds that end with
torch.cuda.synchronize(). A peer that is not there, or that fails, is named and left out: a table
never has a number that was not measured in the same call. SpikingJelly runs multi-step with its
fused kernels (backend cupy) where cupy is there, else in plain PyTorch; its Leaky is LIFNode with
decay_input = False, tau = 1/(1 - beta)."""
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
    shape = (batch, 784) if name == "t5_mlp" else (batch, 1, 28, 28)
    g = torch.Generator().manual_seed(2)
    x = torch.rand(shape, generator=g) * (torch.rand(shape, generator=g) < 0.2)
    return x.cuda(), (torch.arange(batch) % 10).cuda()


def snntorch_step(torch, name, batch):
    import snntorch as snn
    from snntorch import surrogate

    steps, _, _, beta, slope, loss, lr = NETS[name]
    grad = surrogate.fast_sigmoid(slope=slope) if slope else surrogate.atan()
    net = torch.nn.ModuleList(layers(torch.nn, name,
                                     lambda: snn.Leaky(beta=beta, spike_grad=grad))).cuda()
    optim = torch.optim.Adam(net.parameters(), lr=lr)
    x, y = data(torch, name, batch)

    def step():
        state = [m.init_leaky() if isinstance(m, snn.Leaky) else None for m in net]
        spikes, membranes = [], []
        for _ in range(steps):
            h = x
            for k, m in enumerate(net):
                if state[k] is None:
                    h = m(h)
                else:
                    h, state[k] = m(h, state[k])
            spikes.append(h)
            membranes.append(state[-1])
        value = loss_of(torch, loss, torch.stack(spikes), torch.stack(membranes), y)
        optim.zero_grad()
        value.backward()
        optim.step()
        return value

    return step


def spikingjelly_node(beta, slope):
    from spikingjelly.activation_based import neuron, surrogate

    grad = surrogate.Sigmoid(alpha=slope) if slope else surrogate.ATan()
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
    net = torch.nn.Sequential(*layers(layer, name, lambda: spikingjelly_node(beta, slope))).cuda()
    functional.set_step_mode(net, "m")
    optim = torch.optim.Adam(net.parameters(), lr=lr)
    x, y = data(torch, name, batch)

    def step():
        h = net[0](x[None])  # a constant input: the first layer once, as ours does
        spikes = net[1:](h.expand(steps, *h.shape[1:]).contiguous())
        value = loss_of(torch, loss, spikes, net[-1].v_seq, y)
        optim.zero_grad()
        value.backward()
        optim.step()
        functional.reset_net(net)
        return value

    return step


def spikingjelly_lif(torch, steps):
    from spikingjelly.activation_based import functional

    node = spikingjelly_node(0.9, None).cuda()
    node.store_v_seq = False
    x = (0.5 * torch.rand(steps, 64, 65536, device="cuda")).requires_grad_()
    g = torch.rand(steps, 64, 65536, device="cuda")

    def step():
        node(x).backward(g)
        x.grad = None
        functional.reset_net(node)

    return step


def main():
    parser = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter,
                                     description=__doc__)
    parser.add_argument("--ours", default="build/cuda/bench_cuda")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--paths", nargs="*", default=[])
    options = parser.parse_args()
    sys.path[:0] = options.paths
    table = {}
    for part in ("net", "lif"):
        out = subprocess.run([options.ours, "--only", part, "--seconds", str(options.seconds)],
                             capture_output=True, text=True)
        if out.returncode:
            sys.exit(f"{options.ours}: {out.stderr.strip()}")
        for line in out.stdout.splitlines():
            word = line.split()
            if word[0] == "#" and part == "net":
                print(line)
            if word[0] == "net":
                table[word[1]] = {"ours": float(word[2])}
            if word[0] == "lif" and word[1].endswith("_both"):
                table["lif_" + word[1].split("_")[0]] = {"ours": float(word[2]) / 1000}
    try:
        import torch

        print(f"# torch {torch.__version__}")
        peers = {"snntorch": snntorch_step, "spikingjelly": spikingjelly_step}
    except ImportError:
        print("# torch cannot be imported: no peers")
        peers = {}
    for peer, make in peers.items():
        for name in table:
            try:
                if name.startswith("lif_"):
                    if peer != "spikingjelly":
                        continue
                    step = spikingjelly_lif(torch, int(name[5:]))
                elif name.endswith("_tf32"):
                    continue
                else:
                    net, batch = name.rsplit("_b", 1)
                    step = make(torch, net, int(batch))
                table[name][peer] = median_seconds(torch, step, options.seconds) * 1000
            except ImportError as error:
                print(f"# {peer}: {error}")
                break
            except Exception as error:  # a peer's failure is a line, not the end
                print(f"# {peer} {name}: {type(error).__name__}: {error}")
            finally:
                step = None
                torch.cuda.empty_cache()
    print(f"{'ms':16}" + "".join(f"{c:>14}" for c in ("ours", *peers)))
    for name, row in table.items():
        print(f"{name:16}" + "".join(f"{row[c]:14.3f}" if c in row else f"{'-':>14}"
                                     for c in ("ours", *peers)))


if __name__ == "__main__":
    main()
