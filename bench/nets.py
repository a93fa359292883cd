"""nets.py - bench.c's nets in Python, for compare_gpu.py and compare_snntorch.py"""

NETS = {  # steps, channels, inputs of the last layer, beta, slope (None: atan), loss, lr
    "t5_mlp": (25, None, 1000, 0.95, None, "ce_membrane", 5e-4),
    "quick": (25, (1, 8, 16), 256, 0.9, 25.0, "mse_count", 2e-3),
    "t6": (50, (1, 12, 64), 1024, 0.5, 25.0, "ce_rate", 1e-2),
    "nmnist": (300, (2, 12, 32), 800, 0.5, None, "mse_count", 2e-2),
}


def layers(nn, name, lif):
    _, channels, width, _, _, _, _ = NETS[name]
    if not channels:
        return [nn.Linear(784, width), lif(), nn.Linear(width, 10), lif()]
    first, a, b = channels
    return [nn.Conv2d(first, a, 5), nn.MaxPool2d(2), lif(),
            nn.Conv2d(a, b, 5), nn.MaxPool2d(2), lif(),
            nn.Flatten(), nn.Linear(width, 10), lif()]


def loss_of(torch, kind, spikes, membranes, y):
    """spikes, membranes [T][B][10]"""
    cross = torch.nn.functional.cross_entropy
    steps = spikes.shape[0]
    if kind == "ce_membrane":
        return sum(cross(m, y) for m in membranes)
    if kind == "ce_rate":
        return sum(cross(s, y) for s in spikes) / steps
    target = torch.full_like(spikes[0], int(0.2 * steps))
    target[torch.arange(len(y), device=y.device), y] = int(0.8 * steps)
    return torch.nn.functional.mse_loss(spikes.sum(0), target) / steps
