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


KERNEL = torch.linspace(-0.1, 0.1, 81).reshape(3, 3, 3, 3)


def rooted(x):
    """Times the root of its covariance, whose eigenvectors may have any sign."""
    values, vectors = torch.linalg.eigh(x @ x.mT)
    return vectors @ torch.diag_embed(values.sqrt()) @ vectors.mT @ x


def slope(x):
    """Of a sum of squares, by torch's own gradients."""
    with torch.enable_grad():
        z = x.detach().requires_grad_()
        energy = nn.functional.conv2d(z, KERNEL, padding=1).square().sum()
        return torch.autograd.grad(energy, z)[0]


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
    "unpooling": lambda x: nn.functional.max_unpool2d(
        *nn.functional.max_pool2d(x, 3, 1, 1, return_indices=True), 3, 1, 1
    ),
    "inverse": lambda x: x * torch.linalg.inv(torch.eye(3) + x.flatten(2) @ x.flatten(2).mT).sum(),
    "singular values": lambda x: x * torch.linalg.svdvals(x)[..., None, :1],
    "causal attention": lambda x: nn.functional.scaled_dot_product_attention(
        x, x, x, is_causal=True
    ),
    "square root of a matrix": lambda x: 0.1 * rooted(x.flatten(2)).reshape(x.shape),
    "cond": lambda x: torch.cond(x.mean() > 0.5, lambda y: 2 * y, lambda y: y * y, (x,)),
    "a step down a slope": lambda x: x - 0.1 * slope(x),
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


@pytest.mark.parametrize("masked", [False, True])
def test_torchvisions_deformed_convolution_is_native(masked):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)

    class Deformed(nn.Module):
        def __init__(self):
            super().__init__()
            self.offset, self.mask = nn.Conv2d(4, 36, 3, stride=2), nn.Conv2d(4, 18, 3, stride=2)
            self.layer = torchvision.ops.DeformConv2d(4, 6, 3, 2, 1, dilation=2, groups=2)
            self.first = nn.Conv2d(3, 4, 1)

        def forward(self, x):
            x = self.first(x)
            y = nn.functional.pad(x, (1, 0, 1, 0))
            offset = nn.functional.pad(3 * self.offset(y), (0, 0, 0, 0))
            offset, mask = offset[..., :2, :3], self.mask(y).sigmoid()[..., :2, :3]
            return self.layer(x, offset, mask if masked else None)

    module = Deformed()
    network = cem.wrap_torch(module)
    found = np.asarray(network(IMAGE))
    assert not network.on_host, network.note
    with torch.no_grad():
        wanted = module(torch.from_numpy(IMAGE.transpose(0, 3, 1, 2).copy())).numpy()
    np.testing.assert_allclose(found, wanted.transpose(0, 2, 3, 1), atol=1e-5)
