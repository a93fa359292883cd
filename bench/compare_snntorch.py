#!/usr/bin/env python3
"""compare_snntorch.py - snn.h and snnTorch on the same training steps, in turn, on this machine

    python3 bench/compare_snntorch.py --snntorch DIR --mnist DIR [--nmnist DIR] [--blas DIR]
        [--spikingjelly DIR] [--norse DIR] [--ours build/bench]
        [--cases t5_mlp quick t6 stream nmnist] [--threads 1,2] [--runs 3] [--steps 6] [--csv]

  --snntorch DIR   a checkout of snnTorch (the folder that holds snntorch/)
  --mnist DIR      the raw MNIST files, train-images-idx3-ubyte and train-labels-idx1-ubyte
  --nmnist DIR     N-MNIST, DIR/Train/<digit>/<name>.bin; without it the case nmnist is left out
  --blas DIR       a folder with another libblas.so.3 for PyTorch, see below
  --spikingjelly DIR, --norse DIR
                   checkouts of these (with PyTorch 1.13: SpikingJelly 0.0.0.0.14, Norse 1.0.0);
                   each adds its time, sj-ms or norse-ms, and how many times ours that is
  --ours PROGRAM   bench/bench.c, compiled with -fopenmp (make build/bench)

The cases are those of bench.c. Each run is a process of its own: one of ours, one of theirs, then
again, so that what else the machine does falls on both. A run's time is the median of its steps,
the table's the median of the runs; memory is the largest peak resident set of the processes that
were timed (ru_maxrss), Python and PyTorch included. Both read the images that they use, not the
whole set. ratio: how many times ours theirs takes.

A case with something after a + is the same in another mode, and both are measured again:
  +same   one image for all steps of the stream, which ours is told (snn_net_step's NULL)
          and computes the first product once
  +half   ours with a checkpoint, so that half of the steps are stored and half computed again
  +ftz    theirs after torch.set_flush_denormal(True), to see whether subnormal numbers slow it down
  +blas   theirs with the libblas.so.3 of --blas. PyTorch from a package of the system multiplies
          matrices with whatever BLAS the system has; the reference BLAS is tens of times slower
          than an optimised one and says nothing about snnTorch. The head of the table gives the
          speed of a matrix product; below 10 GFLOP/s only the +blas rows are fair: install
          OpenBLAS, or name the folder in which its libblas.so.3 lies.
SpikingJelly and Norse train the same nets on the same images with the same losses and Adam, step by
step, a constant input through the first layer once, as ours; snnTorch, as in its tutorials, every
step. Their neurons take the threshold off in the step of the spike, before the membrane decays;
snnTorch's Leaky does in the next, after it has.
  SpikingJelly  LIFNode with tau = 1/(1 - beta), decay_input = False, soft reset, detached; SoftSign
                for the fast sigmoid, the same curve slope/2 times as high. Step mode "s": on a CPU
                the backward pass of "m" adds a whole sequence of zeros for each step.
  Norse         SequentialState of LIFBoxCell, tau_mem_inv = v_th = 1 - beta: Leaky with a membrane
                1 - beta times as large; SuperSpike, which is the fast sigmoid, also for atan, with
                alpha 2. The reset is not detached; before Norse 1.1 it sets the membrane to 0.
One that cannot be imported, or that fails, is named and left out.
On cores that others use too, OMP_WAIT_POLICY=passive in the environment keeps the threads of both
from spinning against them. Python needs torch, numpy and what snnTorch imports."""
import argparse
import csv
import glob
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time

import nets

CASES = ["t5_mlp", "quick", "t6", "stream", "nmnist"]
MODES = {"t5_mlp": ["", "+ftz"], "stream": ["", "+same"], "nmnist": ["", "+half"]}
OTHERS = {  # what to import, how the table calls it
    "spikingjelly": ("spikingjelly.activation_based.neuron", "sj"),
    "norse": ("norse.torch", "norse"),
}
RESULT = "result "  # what the line of a peer's run starts with


# -- theirs: runs in a process of its own, called with --peer


def read_idx(path, count, axes):
    import numpy

    with open(path, "rb") as f:
        head = f.read(4 + 4 * axes)
        shape = [int.from_bytes(head[4 + 4 * k : 8 + 4 * k], "big") for k in range(axes)]
        size = 1
        for n in shape[1:]:
            size *= n
        data = numpy.frombuffer(f.read(count * size), numpy.uint8)
    return data.reshape([count] + shape[1:])


def read_recordings(folder, batch, steps):
    """Every 31st recording into frames of 1 ms, [T][B][2][34][34], and the digits."""
    import numpy

    files = sorted(glob.glob(os.path.join(folder, "Train", "*", "*.bin")))
    frames = numpy.zeros((steps, batch, 2, 34, 34), numpy.float32)
    digits = numpy.zeros(batch, numpy.int64)
    for k in range(batch):
        path = files[31 * k % len(files)]
        digits[k] = int(os.path.basename(os.path.dirname(path)))
        x, y, high, middle, low = numpy.fromfile(path, numpy.uint8).reshape(-1, 5).T.astype(int)
        t = ((high % 128) * 65536 + middle * 256 + low) // 1000
        use = (t < steps) & (x < 34) & (y < 34)
        frames[t[use], k, high[use] // 128, y[use], x[use]] = 1
    return frames, digits


def peer(args):
    name = next((name for name in OTHERS if getattr(args, name)), "snntorch")
    sys.path.insert(0, getattr(args, name))
    import torch

    if args.flush:
        torch.set_flush_denormal(True)  # before PyTorch starts its threads: they inherit it
    makers = {"snntorch": snntorch_step, "spikingjelly": spikingjelly_step, "norse": norse_step}
    torch.set_num_threads(args.peer_threads)
    torch.manual_seed(0)
    case = args.peer
    step = makers[name](case, torch)
    warm_up = 1
    if case == "stream":
        warm_up = 200
        images, _ = mnist(args.mnist, 100, torch)
        images = images[:1] if args.same else images
        batches = 2000 // len(images) * [(image,) for image in images.flatten(1).split(1)]
    elif case == "nmnist":
        frames, digits = read_recordings(args.nmnist, 32, 300)
        batches = [(torch.from_numpy(frames), torch.from_numpy(digits))] * (args.steps + 1)
    else:
        pixels, labels = mnist(args.mnist, (args.steps + 1) * 128, torch)
        pixels = pixels.flatten(1) if case == "t5_mlp" else pixels
        batches = list(zip(pixels.split(128), labels.split(128)))
    times = []
    with torch.set_grad_enabled(case != "stream"):
        for batch in batches:
            start = time.perf_counter()
            step(*batch)
            times.append(time.perf_counter() - start)
    import resource

    unit = 1048576 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    ms = 1e3 * statistics.median_high(times[warm_up:])
    print(RESULT + json.dumps({"ms": ms, "mb": peak}), flush=True)


def mnist(folder, count, torch):
    x = read_idx(os.path.join(folder, "train-images-idx3-ubyte"), count, 3)
    y = read_idx(os.path.join(folder, "train-labels-idx1-ubyte"), count, 1)
    x, y = torch.from_numpy(x.copy()), torch.from_numpy(y.copy())
    return x.float().div(255).unsqueeze(1), y.long()


def snntorch_step(case, torch):
    import snntorch
    from snntorch import functional, surrogate, utils

    make = {"t5_mlp": mlp_step, "stream": stream_step}.get(case, conv_step)
    return make(case, (torch, torch.nn, snntorch, functional, surrogate, utils))


def mlp_step(case, libraries):
    """784-1000-10, snnTorch's tutorial 5: cross entropy of membranes, summed over steps."""
    torch, nn, snntorch, _, _, _ = libraries
    hidden, output = nn.Linear(784, 1000), nn.Linear(1000, 10)
    lif1, lif2 = snntorch.Leaky(beta=0.95), snntorch.Leaky(beta=0.95)
    weights = list(hidden.parameters()) + list(output.parameters())
    adam = torch.optim.Adam(weights, lr=5e-4)
    entropy = nn.CrossEntropyLoss()

    def step(x, y):
        mem1, mem2 = lif1.init_leaky(), lif2.init_leaky()
        spikes, membranes = [], []
        for _ in range(25):
            spk, mem1 = lif1(hidden(x), mem1)
            spk, mem2 = lif2(output(spk), mem2)
            spikes.append(spk)
            membranes.append(mem2)
        spikes, membranes = torch.stack(spikes), torch.stack(membranes)
        loss = sum(entropy(membranes[t], y) for t in range(25))
        adam.zero_grad()
        loss.backward()
        adam.step()

    return step


def conv_step(case, libraries):
    """Two convolutions and a linear layer, a max pool and a Leaky neuron after each convolution."""
    torch, nn, snntorch, functional, surrogate, utils = libraries
    steps, _, _, beta, slope, loss, lr = nets.NETS[case]
    spike_grad = surrogate.fast_sigmoid(slope=slope) if slope else surrogate.atan()

    def neuron(**options):
        return snntorch.Leaky(beta=beta, spike_grad=spike_grad, init_hidden=True, **options)

    net = nn.Sequential(*nets.layers(nn, case, neuron)[:-1], neuron(output=True))
    adam = torch.optim.Adam(net.parameters(), lr=lr, betas=(0.9, 0.999))
    if loss == "ce_rate":
        loss_fn = functional.ce_rate_loss()
    else:
        loss_fn = functional.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)

    def step(x, y):
        utils.reset(net)
        frames = x if case == "nmnist" else [x] * steps
        loss = loss_fn(torch.stack([net(frame)[0] for frame in frames]), y)
        adam.zero_grad()
        loss.backward()
        adam.step()

    return step


def stream_step(case, libraries):
    """784-1000-10, one sample, one time step at a time, no gradient."""
    torch, nn, snntorch, _, _, _ = libraries
    hidden, output = nn.Linear(784, 1000), nn.Linear(1000, 10)
    lif1, lif2 = snntorch.Leaky(beta=0.95), snntorch.Leaky(beta=0.95)
    mem1, mem2 = lif1.init_leaky(), lif2.init_leaky()

    def step(x):
        nonlocal mem1, mem2
        spk, mem1 = lif1(hidden(x), mem1)
        spk, mem2 = lif2(output(spk), mem2)

    return step


def other_step(case, torch, first, rest, forward, unit=1.0):
    """forward(h, state): a step of the layers after the first; spikes, membrane in unit, state."""
    if case == "stream":
        state = None

        def stream(x):
            nonlocal state
            _, _, state = forward(first(x), state)

        return stream
    steps, _, _, _, _, loss, lr = nets.NETS[case]
    adam = torch.optim.Adam([*first.parameters(), *rest.parameters()], lr=lr)

    def step(x, y):
        state, spikes, membranes = None, [], []
        h = None if case == "nmnist" else first(x)
        for t in range(steps):
            spk, mem, state = forward(first(x[t]) if h is None else h, state)
            spikes.append(spk)
            membranes.append(mem)
        spikes, membranes = torch.stack(spikes), torch.stack(membranes) / unit
        value = nets.loss_of(torch, loss, spikes, membranes, y)
        adam.zero_grad()
        value.backward()
        adam.step()
        return value

    return step


def spikingjelly_step(case, torch):
    from spikingjelly.activation_based import functional, layer, neuron, surrogate

    name = "t5_mlp" if case == "stream" else case
    _, _, _, beta, slope, _, _ = nets.NETS[name]
    grad = surrogate.SoftSign(alpha=slope) if slope else surrogate.ATan()

    def node():
        return neuron.LIFNode(tau=1 / (1 - beta), decay_input=False, v_reset=None,
                              detach_reset=True, surrogate_function=grad)

    first, *rest = nets.layers(layer, name, node)
    rest = torch.nn.Sequential(*rest).train(case != "stream")

    def forward(h, state):
        if not state:
            functional.reset_net(rest)
        return rest(h), rest[-1].v, True

    return other_step(case, torch, first, rest, forward)


def norse_step(case, torch):
    import norse.torch as norse

    name = "t5_mlp" if case == "stream" else case
    _, _, _, beta, slope, _, _ = nets.NETS[name]
    small = torch.tensor(1 - beta)
    options = {"tau_mem_inv": small, "v_th": small, "alpha": (slope or 2) / small}
    if "reset_method" in norse.LIFBoxParameters._fields:
        options["reset_method"] = norse.reset_subtract
    p = norse.LIFBoxParameters(method="super", **options)
    first, *rest = nets.layers(torch.nn, name, lambda: norse.LIFBoxCell(p, dt=1.0))
    rest = norse.SequentialState(*rest)

    def forward(h, state):
        spk, state = rest(h, state)
        return spk, state[-1].v, state

    return other_step(case, torch, first, rest, forward, small)


# -- ours and the table


def fail(sentence):
    sys.exit("compare_snntorch.py: " + sentence)


def peer_environment(blas):
    environment = dict(os.environ)
    if blas:
        paths = [os.path.abspath(blas)] + environment.get("LD_LIBRARY_PATH", "").split(os.pathsep)
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(path for path in paths if path)
    return environment


def run_peer(args, case, threads, other=None):
    """Milliseconds and megabytes of snnTorch, or of the other, whose failure is only a line."""
    name, *modes = case.split("+")
    command = [sys.executable, os.path.abspath(__file__), "--snntorch", args.snntorch]
    command += ["--mnist", args.mnist, "--peer", name, "--peer-threads", str(threads)]
    command += ["--steps", str(min(args.steps, 3) if name == "nmnist" else args.steps)]
    command += ["--nmnist", args.nmnist] if args.nmnist else []
    command += ["--flush"] if "ftz" in modes else []
    command += ["--same"] if "same" in modes else []
    environment = peer_environment(args.blas if "blas" in modes else None)
    environment["OMP_NUM_THREADS"] = str(threads)
    command += ["--" + other, getattr(args, other)] if other else []
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, universal_newlines=True,
                          stderr=subprocess.PIPE if other else None)
    for line in done.stdout.splitlines():
        if line.startswith(RESULT):
            result = json.loads(line[len(RESULT) :])
            return result["ms"], result["mb"]
    if other:
        why = (done.stderr.strip().splitlines() or ["status %d" % done.returncode])[-1]
        print("# %s is left out of %s: %s" % (other, case, why))
        return None
    fail("snnTorch's run of %s ended with status %d and without a result" % (case, done.returncode))


def run_ours(args, case, threads):
    """bench.c times a case in a process of its own, too, and prints that one's peak."""
    name, *modes = case.split("+")
    name += "_half" if "half" in modes else "_same" if "same" in modes else ""
    command = [args.ours, name, "--mnist", args.mnist, "--threads", str(threads), "--csv"]
    command += ["--steps", str(min(args.steps, 3) if "nmnist" in name else args.steps)]
    command += ["--nmnist", args.nmnist] if args.nmnist else []
    done = subprocess.run(command, stdout=subprocess.PIPE, universal_newlines=True)
    lines = done.stdout.splitlines()
    for line in lines:
        if "WARNING" in line or "without OpenMP" in line:
            print(line)
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    if done.returncode != 0 or len(rows) != 1 or rows[0]["case"] != name:
        fail("%s ended with status %d:\n%s" % (" ".join(command), done.returncode, done.stdout))
    return float(rows[0]["ms/step"]), float(rows[0]["peak-MB"])


IMPORTS = """import sys, time
sys.path.insert(0, sys.argv[1])
import numpy, torch, snntorch
a, b = torch.ones(512, 512), torch.ones(512, 512)
seconds = []
for k in range(6):
    start = time.perf_counter()
    a @ b
    seconds.append(time.perf_counter() - start)
print('torch %s, snnTorch %s, numpy %s' % (torch.__version__,
      getattr(snntorch, '__version__', '?'), numpy.__version__))
print(2e-9 * 512 ** 3 / min(seconds))"""


def check_imports(args, blas):
    """In a process of its own, so that this one stays small. Versions, and GFLOP/s of a product."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, args.snntorch], env=peer_environment(blas),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
    )
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        fail(
            "%s cannot import torch, numpy and snntorch (from %s), so there is nothing to compare "
            "with: %s. On Debian: apt-get install python3-torch python3-numpy, and run this with "
            "/usr/bin/python3; snnTorch: --snntorch names the folder that holds snntorch/."
            % (sys.executable, args.snntorch, why)
        )
    versions, rate = done.stdout.strip().splitlines()[-2:]
    return versions, float(rate)


def check_other(args, name):
    """Whether it can be imported; prints its version, or why not."""
    folder = os.path.abspath(getattr(args, name))
    code = "import sys; sys.path.insert(0, sys.argv[1]); import " + OTHERS[name][0]
    done = subprocess.run([sys.executable, "-c", code, folder], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)
    version = "of unknown version"
    for path in ("setup.py", "pyproject.toml"):
        path = os.path.join(folder, path)
        text = open(path, encoding="utf-8").read() if os.path.exists(path) else ""
        found = re.search(r'^\s*version *= *"([^"]+)"', text, re.MULTILINE)
        version = found.group(1) if found else version
    if done.returncode == 0:
        print("# %s: %s" % (name, version))
    else:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print("# %s %s is left out: %s" % (name, version, why))
    return done.returncode == 0


def machine():
    try:
        with open("/proc/cpuinfo") as f:
            for line in f:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--snntorch", required=True)
    parser.add_argument("--mnist", required=True)
    parser.add_argument("--nmnist")
    parser.add_argument("--blas")
    for name in OTHERS:
        parser.add_argument("--" + name)
    parser.add_argument("--ours", default=os.path.join("build", "bench"))
    parser.add_argument("--cases", nargs="+", choices=CASES)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6, help="timed steps a run; nmnist at most 3")
    parser.add_argument("--csv", action="store_true")
    parser.add_argument("--peer", help=argparse.SUPPRESS)  # this process is one of theirs
    parser.add_argument("--peer-threads", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--flush", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--same", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer(args)

    versions, rate = check_imports(args, None)
    if not os.access(args.ours, os.X_OK):
        fail("there is no program %s: make build/bench, or name it with --ours" % args.ours)
    args.ours = os.path.abspath(args.ours)
    header = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "snn.h")
    if os.path.getmtime(args.ours) < os.path.getmtime(header):
        print("# WARNING: %s is older than snn.h: make build/bench" % args.ours)
    if not os.path.exists(os.path.join(args.mnist, "train-images-idx3-ubyte")):
        fail("there is no train-images-idx3-ubyte in %s" % args.mnist)
    if args.nmnist and not glob.glob(os.path.join(args.nmnist, "Train", "*", "*.bin")):
        fail("there is no Train/<digit>/*.bin in %s" % args.nmnist)
    if args.blas and not os.path.exists(os.path.join(args.blas, "libblas.so.3")):
        fail("there is no libblas.so.3 in %s" % args.blas)
    cases = []
    for case in args.cases or CASES:
        if case == "nmnist" and not args.nmnist:
            print("# nmnist is left out: --nmnist was not given")
            continue
        modes = MODES.get(case, [""])
        cases += [case + blas + mode for blas in ["", "+blas"][: 2 if args.blas else 1]
                  for mode in modes]

    command = [args.ours, "stream", "--steps", "1", "--mnist", args.mnist]
    about = subprocess.run(command, stdout=subprocess.PIPE, universal_newlines=True).stdout
    print("# ours: %s" % about.partition("\n")[0].lstrip("# "))
    print("# theirs: %s, Python %s" % (versions, platform.python_version()))
    print("# theirs: a matrix product runs at %.1f GFLOP/s" % rate, end="")
    print(", +blas: %.1f" % check_imports(args, args.blas)[1] if args.blas else "")
    if rate < 10:
        print("# WARNING: that is a slow BLAS; only rows with an optimised one are fair (--help)")
    others = [name for name in OTHERS if getattr(args, name) and check_other(args, name)]
    print("# %s, %d processors, %d run(s) each" % (machine(), os.cpu_count() or 0, args.runs))
    if os.getloadavg()[0] > 0.5:
        print("# WARNING: load %.1f: other programs run, times are noisy" % os.getloadavg()[0])
    titles = ("case", "threads", "ours-ms", "theirs-ms", "ratio")
    titles += ("ours-MB", "theirs-MB", "ratio-MB")
    widths = "%-16s %7s %10s %10s %8s %9s %9s %8s" + " %8s %11s" * len(others)
    for name in others:
        titles += (OTHERS[name][1] + "-ms", "ratio-" + OTHERS[name][1])
    print(",".join(titles) if args.csv else widths % titles, flush=True)
    for case in cases:
        for threads in [int(t) for t in args.threads.split(",")]:
            ours, theirs, more = [], [], {name: [] for name in others}
            for _ in range(args.runs):
                ours.append(run_ours(args, case, threads))
                theirs.append(run_peer(args, case, threads))
                for name in [name for name in others if None not in more[name]]:
                    more[name].append(run_peer(args, case, threads, name))
            ms = [statistics.median(run[0] for run in runs) for runs in (ours, theirs)]
            mb = [max(run[1] for run in runs) for runs in (ours, theirs)]
            digits = "%.4f" if case.startswith("stream") else "%.1f"
            values = (case, str(threads), digits % ms[0], digits % ms[1], "%.1f" % (ms[1] / ms[0]))
            values += ("%.1f" % mb[0], "%.1f" % mb[1], "%.1f" % (mb[1] / mb[0]))
            for name in others:
                values += ("-", "-")
                if None not in more[name]:
                    other = statistics.median(run[0] for run in more[name])
                    values = values[:-2] + (digits % other, "%.1f" % (other / ms[0]))
            print(",".join(values) if args.csv else widths % values, flush=True)


if __name__ == "__main__":
    main()
