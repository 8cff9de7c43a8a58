"""Networks of the zoo with operations held: cones against the whole image, and torch modules."""

import jax.numpy as jnp
import numpy as np
import pytest

import cem_jax as cem
from cem_jax import cone as cones
from cem_jax.outcome import psnr

GLOBAL = {
    "RCAN_DN-compact": 12, "RCAN-compact": 12, "RCAN_pooling2x2-compact": 24,
    "RCAN_pooling3x3-compact": 36, "RCAN_half_ca-compact": None, "RCAN_mix-compact": None,
    "RNAN-compact": 4, "Restormer_DN-compact": 27,
}  # fmt: skip
"""Bundled networks with global operations; how many there are, where that is known."""

LOCAL = ("EDSR-compact", "RCAN_no_ca-compact", "RCAN_pooling4-compact", "SwinIR-compact")


def scene_for(network: cem.Network, side: int = 32) -> cem.Scene:
    image = cem.example_image("pagoda")[64:, 64:][: side * network.scale, : side * network.scale]
    if network.scale > 1:
        return cem.Scene.super_resolution(image, network.scale)
    return cem.Scene.denoising(image)


def check_cones(frozen: cem.Network, scene: cem.Scene) -> None:
    """Outcomes by cones and by whole images differ by less than 1e-5 dB."""
    s, x = scene.scale, scene.degraded[None]
    y, left, h, w = 8 * s, 8 * s, 8 * s, 8 * s
    cone = cones.cone(frozen.apply, x, (y, left, h, w), 8, params=frozen.params)
    random = np.random.default_rng(0)
    clean = jnp.asarray(scene.clean[y : y + h, left : left + w])
    for origin in ((0, 0), (8, 16), (16, 8), (24, 24)):
        patch = random.random((1, 8, 8, 3), np.float32)
        changed = x.copy()
        changed[:, origin[0] : origin[0] + 8, origin[1] : origin[1] + 8] = patch
        wanted = frozen(changed)[0, y : y + h, left : left + w]
        found = cone.evaluate(origin, patch)[0]
        far = [float(psnr(jnp.clip(one, 0, 1), clean)) for one in (wanted, found)]
        assert abs(far[0] - far[1]) < 1e-5, origin


@pytest.mark.parametrize("name", GLOBAL)
def test_held_networks_are_themselves_and_have_cones(name):
    network = cem.load(name)
    scene = scene_for(network)
    frozen = cem.freeze(network, scene)
    many = GLOBAL[name]
    assert many is None or len(frozen.apply.names) == many
    assert frozen.apply.names
    x = scene.degraded[None]
    told = network.at_noise(scene.facts["sigma"]) if "sigma" in scene.facts else network
    np.testing.assert_allclose(frozen(x), told(x), atol=2e-6)
    check_cones(frozen, scene)


@pytest.mark.parametrize("name", LOCAL)
def test_nothing_is_global_in_local_networks(name):
    network = cem.load(name)
    scene = scene_for(network)
    assert cem.freeze(network, scene) is network


def test_swinir_is_frozen_at_a_block():
    network = cem.load("SwinIR-compact")
    scene = scene_for(network)
    frozen = cem.freeze(network, scene, "layers.0.residual_group.blocks.0.attn")
    x = scene.degraded[None]
    np.testing.assert_allclose(frozen(x), network(x), atol=2e-6)
    other = x[:, ::-1].copy()
    assert np.abs(np.asarray(frozen(other)) - np.asarray(network(other))).max() > 1e-4
    check_cones(frozen, scene)


def test_a_torch_network_is_frozen_by_the_paths_of_its_modules():
    torch = pytest.importorskip("torch")

    class Attention(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.squeeze = torch.nn.Conv2d(8, 8, 1)

        def forward(self, x):
            mean = x.mean((2, 3), keepdim=True)
            return x * torch.sigmoid(3 * self.squeeze(4 * mean))

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Conv2d(3, 8, 3, padding=1)
            self.body = torch.nn.Sequential(
                torch.nn.Conv2d(8, 8, 3, padding=1), torch.nn.ReLU(), Attention(),
            )  # fmt: skip
            self.tail = torch.nn.Conv2d(8, 3, 3, padding=1)

        def forward(self, x):
            y = self.head(x)
            return x + 0.2 * self.tail(y + self.body(y))

    torch.manual_seed(0)
    module = Net()
    network = cem.wrap_torch(module)
    scene = scene_for(network)
    found = {one.name: one for one in cem.operations(network, scene)}
    assert {"head", "body", "body.0", "body.2", "body.2.squeeze", "tail"} <= set(found)
    assert [name for name, one in found.items() if one.is_global and ":" in name]
    assert all(name.startswith("body") for name, one in found.items() if one.is_global)
    frozen = cem.freeze(network, scene)
    check_cones(frozen, scene)
    held = cem.freeze(network, scene, "body.2")
    other = np.ascontiguousarray(scene.clean[None, ::-1])
    with torch.no_grad():
        x, y = (torch.from_numpy(one.transpose(0, 3, 1, 2).copy()) for one in (
            scene.degraded[None], other,
        ))  # fmt: skip
        kept = module.body(module.head(x))
        wanted = y + 0.2 * module.tail(module.head(y) + kept)
    np.testing.assert_allclose(
        np.asarray(held(other))[0], wanted.numpy()[0].transpose(1, 2, 0), atol=1e-5
    )
    maps = cem.mediated_maps(
        network, scene, cem.ROI(8, 8, 8, 8), through="body.2", plan="fixed:2", progress=False
    )
    assert np.nanmax(np.abs(maps.indirect.effect)) > 0
