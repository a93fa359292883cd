#!/usr/bin/env python3
"""compare_snntorch.py - snn.h and snnTorch on the same training steps, in turn, on this machine

    python3 bench/compare_snntorch.py --snntorch DIR --mnist DIR [--nmnist DIR] [--blas DIR]
        [--ours build/bench] [--cases t5_mlp quick t6 stream nmnist] [--threads 1,2] [--runs 3]
        [--steps 6] [--csv]

  --snntorch DIR   a checkout of snnTorch (the folder that holds snntorch/)
  --mnist DIR      the raw MNIST files, train-images-idx3-ubyte and train-labels-idx1-ubyte
  --nmnist DIR     N-MNIST, DIR/Train/<digit>/<name>.bin; without it the case nmnist is left out
  --blas DIR       a folder with another libblas.so.3 for PyTorch, see below
  --ours PROGRAM   bench/bench.c, compiled with -fopenmp (make build/bench)

The cases are those of bench.c. Each run is a process of its own: one of ours, one of theirs, then
again, so that what else the machine does falls on both. A run's time is the median of its steps,
the table's the median of the runs; memory is the largest peak resident set of the processes that
were timed (ru_maxrss), Python and PyTorch included. Both read the images that they use, not the
whole set. ratio: how many times ours theirs takes.

A case with something after a + is the same with PyTorch in another mode; ours is measured again:
  +ftz    after torch.set_flush_denormal(True), to see whether subnormal numbers slow it down
  +blas   with the libblas.so.3 of --blas. PyTorch from a package of the system multiplies matrices
          with whatever BLAS the system has; the reference BLAS is tens of times slower than an
          optimised one and says nothing about snnTorch. The head of the table gives the speed of
          a matrix product; below 10 GFLOP/s only the +blas rows are fair: install OpenBLAS, or
          name the folder in which its libblas.so.3 lies.
On cores that others use too, OMP_WAIT_POLICY=passive in the environment keeps the threads of both
from spinning against them. Python needs torch, numpy and what snnTorch imports."""
import argparse
import csv
import glob
import json
import os
import platform
import statistics
import subprocess
import sys
import time

CASES = ["t5_mlp", "quick", "t6", "stream", "nmnist"]
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
    sys.path.insert(0, args.snntorch)
    import torch

    if args.flush:
        torch.set_flush_denormal(True)  # before PyTorch starts its threads: they inherit it
    import snntorch
    from snntorch import functional, surrogate, utils

    torch.set_num_threads(args.peer_threads)
    torch.manual_seed(0)
    case, nn = args.peer, torch.nn
    libraries = (torch, nn, snntorch, functional, surrogate, utils)
    if case == "stream":
        times = stream_times(args, libraries)
    else:
        batch = 32 if case == "nmnist" else 128
        runs = args.steps + 1  # the first one only warms up
        step = (mlp_step if case == "t5_mlp" else conv_step)(case, libraries)
        if case == "nmnist":
            frames, digits = read_recordings(args.nmnist, batch, 300)
            x, y = torch.from_numpy(frames), torch.from_numpy(digits)
            batches = [(x, y)] * runs
        else:
            pixels, labels = mnist(args.mnist, runs * batch, torch)
            batches = list(zip(pixels.split(batch), labels.split(batch)))
        times = []
        for x, y in batches:
            start = time.perf_counter()
            step(x, y)
            times.append(time.perf_counter() - start)
        times = times[1:]
    import resource

    unit = 1048576 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    ms = 1e3 * statistics.median_high(times)
    print(RESULT + json.dumps({"ms": ms, "mb": peak}), flush=True)


def mnist(folder, count, torch):
    x = read_idx(os.path.join(folder, "train-images-idx3-ubyte"), count, 3)
    y = read_idx(os.path.join(folder, "train-labels-idx1-ubyte"), count, 1)
    x, y = torch.from_numpy(x.copy()), torch.from_numpy(y.copy())
    return x.float().div(255).unsqueeze(1), y.long()


def mlp_step(case, libraries):
    """784-1000-10, snnTorch's tutorial 5: cross entropy of membranes, summed over steps."""
    torch, nn, snntorch, _, _, _ = libraries
    hidden, output = nn.Linear(784, 1000), nn.Linear(1000, 10)
    lif1, lif2 = snntorch.Leaky(beta=0.95), snntorch.Leaky(beta=0.95)
    weights = list(hidden.parameters()) + list(output.parameters())
    adam = torch.optim.Adam(weights, lr=5e-4)
    entropy = nn.CrossEntropyLoss()

    def step(x, y):
        x = x.flatten(1)
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
    first, channels, flat, beta, slope, lr, steps = {
        "quick": (1, (8, 16), 256, 0.9, 25, 2e-3, 25),
        "t6": (1, (12, 64), 1024, 0.5, 25, 1e-2, 50),
        "nmnist": (2, (12, 32), 800, 0.5, None, 2e-2, 300),
    }[case]
    spike_grad = surrogate.fast_sigmoid(slope=slope) if slope else surrogate.atan()

    def neuron(**options):
        return snntorch.Leaky(beta=beta, spike_grad=spike_grad, init_hidden=True, **options)

    net = nn.Sequential(
        nn.Conv2d(first, channels[0], 5), nn.MaxPool2d(2), neuron(),
        nn.Conv2d(channels[0], channels[1], 5), nn.MaxPool2d(2), neuron(),
        nn.Flatten(), nn.Linear(flat, 10), neuron(output=True),
    )
    adam = torch.optim.Adam(net.parameters(), lr=lr, betas=(0.9, 0.999))
    if case == "t6":
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


def stream_times(args, libraries):
    """784-1000-10, one sample, one time step at a time, no gradient, a new image every step."""
    torch, nn, snntorch, _, _, _ = libraries
    images, _ = mnist(args.mnist, 100, torch)
    images = images.flatten(1).split(1)
    hidden, output = nn.Linear(784, 1000), nn.Linear(1000, 10)
    lif1, lif2 = snntorch.Leaky(beta=0.95), snntorch.Leaky(beta=0.95)
    mem1, mem2 = lif1.init_leaky(), lif2.init_leaky()
    times = []
    with torch.no_grad():
        for k in range(2000):
            start = time.perf_counter()
            spk, mem1 = lif1(hidden(images[k % 100]), mem1)
            spk, mem2 = lif2(output(spk), mem2)
            times.append(time.perf_counter() - start)
    return times[200:]


# -- ours and the table


def fail(sentence):
    sys.exit("compare_snntorch.py: " + sentence)


def peer_environment(blas):
    environment = dict(os.environ)
    if blas:
        paths = [os.path.abspath(blas)] + environment.get("LD_LIBRARY_PATH", "").split(os.pathsep)
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(path for path in paths if path)
    return environment


def run_peer(args, case, threads):
    name, *modes = case.split("+")
    command = [sys.executable, os.path.abspath(__file__), "--snntorch", args.snntorch]
    command += ["--mnist", args.mnist, "--peer", name, "--peer-threads", str(threads)]
    command += ["--steps", str(min(args.steps, 3) if name == "nmnist" else args.steps)]
    command += ["--nmnist", args.nmnist] if args.nmnist else []
    command += ["--flush"] if "ftz" in modes else []
    environment = peer_environment(args.blas if "blas" in modes else None)
    environment["OMP_NUM_THREADS"] = str(threads)
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, universal_newlines=True)
    for line in done.stdout.splitlines():
        if line.startswith(RESULT):
            result = json.loads(line[len(RESULT) :])
            return result["ms"], result["mb"]
    fail("snnTorch's run of %s ended with status %d and without a result" % (case, done.returncode))


def run_ours(args, case, threads):
    """bench.c times a case in a process of its own, too, and prints that one's peak."""
    name = case.partition("+")[0]
    command = [args.ours, name, "--mnist", args.mnist, "--threads", str(threads), "--csv"]
    command += ["--steps", str(min(args.steps, 3) if name == "nmnist" else args.steps)]
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
    parser.add_argument("--ours", default=os.path.join("build", "bench"))
    parser.add_argument("--cases", nargs="+", choices=CASES)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6, help="timed steps a run; nmnist at most 3")
    parser.add_argument("--csv", action="store_true")
    parser.add_argument("--peer", help=argparse.SUPPRESS)  # this process is one of theirs
    parser.add_argument("--peer-threads", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--flush", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer(args)

    versions, rate = check_imports(args, None)
    if not os.access(args.ours, os.X_OK):
        fail("there is no program %s: make build/bench, or name it with --ours" % args.ours)
    args.ours = os.path.abspath(args.ours)
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
        modes = ["", "+ftz"] if case == "t5_mlp" else [""]
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
    print("# %s, %d processors, %d run(s) each" % (machine(), os.cpu_count() or 0, args.runs))
    if os.getloadavg()[0] > 0.5:
        print("# WARNING: load %.1f: other programs run, times are noisy" % os.getloadavg()[0])
    titles = ("case", "threads", "ours-ms", "theirs-ms", "ratio")
    titles += ("ours-MB", "theirs-MB", "ratio-MB")
    widths = "%-16s %7s %10s %10s %8s %9s %9s %8s"
    print(",".join(titles) if args.csv else widths % titles, flush=True)
    for case in cases:
        for threads in [int(t) for t in args.threads.split(",")]:
            ours, theirs = [], []
            for _ in range(args.runs):
                ours.append(run_ours(args, case, threads))
                theirs.append(run_peer(args, case, threads))
            ms = [statistics.median(run[0] for run in runs) for runs in (ours, theirs)]
            mb = [max(run[1] for run in runs) for runs in (ours, theirs)]
            digits = "%.4f" if case.startswith("stream") else "%.1f"
            values = (case, str(threads), digits % ms[0], digits % ms[1], "%.1f" % (ms[1] / ms[0]))
            values += ("%.1f" % mb[0], "%.1f" % mb[1], "%.1f" % (mb[1] / mb[0]))
            print(",".join(values) if args.csv else widths % values, flush=True)


if __name__ == "__main__":
    main()
