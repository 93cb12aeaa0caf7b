import subprocess
import sys

import pytest
import torch
from torch import nn

from nserbench.benchmark.training.adam import Adam


def weights_after(kind: type[torch.optim.Adam], fused: bool) -> list[torch.Tensor]:
    """Train a small net; halfway the state goes through a new optimiser."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, 3))
    optimiser = kind(net.parameters(), lr=0.01, fused=fused)
    for step in range(20):
        if step == 10:
            state = optimiser.state_dict()
            optimiser = kind(net.parameters(), lr=0.5, fused=fused)
            optimiser.load_state_dict(state)
        optimiser.zero_grad(set_to_none=True)
        net(torch.randn(7, 5)).square().sum().backward()
        optimiser.step()
    return [weight.detach() for weight in net.parameters()]


@pytest.mark.parametrize("fused", [True, False])
def test_steps_have_the_bits_of_torch(fused: bool) -> None:
    own, torchs = weights_after(Adam, fused), weights_after(torch.optim.Adam, fused)

    assert all(map(torch.equal, own, torchs))


def test_a_step_records_no_gradient() -> None:
    weight = nn.Parameter(torch.ones(2))
    optimiser = Adam([weight])
    weight.sum().backward()

    optimiser.step()

    assert torch.is_grad_enabled()
    assert weight.grad_fn is None


def test_the_compiler_of_torch_is_not_imported() -> None:
    code = (
        "import sys, torch\n"
        "from nserbench.benchmark.training.adam import Adam\n"
        "weight = torch.nn.Parameter(torch.ones(2))\n"
        "optimiser = Adam([weight], fused=True)\n"
        "weight.sum().backward()\n"
        "optimiser.step()\n"
        "optimiser.zero_grad()\n"
        "optimiser.load_state_dict(optimiser.state_dict())\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert ran.returncode == 0, ran.stderr
