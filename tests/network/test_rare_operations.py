"""Operations that few networks have, as torch exports them: none sends its module to the host."""

import numpy as np
import pytest

import cem_jax as cem

torch = pytest.importorskip("torch")
nn = torch.nn

IMAGE = np.random.default_rng(0).random((2, 6, 8, 3), np.float32)
BOUNDS = torch.linspace(0.1, 0.9, 5)


def taken(x):
    index = (x[:, :, :4] * 7.99).long()
    return torch.zeros_like(x).scatter_reduce(2, index % 6, x[:, :, :4], "amax")


FUNCTIONS = {
    "median": lambda x: x - x.median(),
    "median of an axis": lambda x: x - x.median(dim=-1, keepdim=True).values,
    "kthvalue": lambda x: x - x.kthvalue(3, dim=2, keepdim=True).values,
    "cummax": lambda x: x.cummax(2).values + x.cummax(2).indices,
    "cummin": lambda x: x.cummin(3).values,
    "local response norm": nn.LocalResponseNorm(2, alpha=0.5),
    "max_pool3d": lambda x: nn.functional.max_pool3d(x[:, None], 3, 1, 1)[:, 0],
    "bucketize": lambda x: torch.bucketize(x, BOUNDS) / 5,
    "masked_scatter": lambda x: x.masked_scatter(x > 0.5, 1 - x),
    "scatter_reduce": taken,
    "shifts": lambda x: (((x * 255).int() >> 4) << 4) / 255,
}


class Of(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_module_with_it_is_native_and_gives_torchs_numbers(name):
    module = Of(FUNCTIONS[name])
    network = cem.wrap_torch(module)
    for image in IMAGE:
        found = np.asarray(network(image[None]))
        wanted = module(torch.from_numpy(image.transpose(2, 0, 1)[None].copy())).numpy()
        np.testing.assert_allclose(found, wanted.transpose(0, 2, 3, 1), atol=1e-6)
    assert not network.on_host, network.note
