"""Torch modules as functions of JAX: the same numbers, torch and the module left as they were."""

import contextlib
import re
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cem_jax as cem

torch = pytest.importorskip("torch")
nn = torch.nn


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).random(shape, np.float32)


class Windows(nn.Module):
    """Attention within windows of 4 by 4, shifted by two; a table, a mask and a buffer."""

    def __init__(self):
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1)
        self.norm, self.qkv = nn.LayerNorm(8), nn.Linear(8, 24)
        self.bias = nn.Parameter(torch.randn(2, 16, 16))
        self.register_buffer("order", torch.arange(15, -1, -1))
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x):
        x = self.head(x)
        b, c, h, w = x.shape
        t = self.norm(torch.roll(x.permute(0, 2, 3, 1), (-2, -2), (1, 2)))
        t = t.view(b, h // 4, 4, w // 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, c)
        q, k, v = self.qkv(t).reshape(-1, 16, 3, 2, 4).permute(2, 0, 3, 1, 4)
        score = (q @ k.transpose(-2, -1) * 0.5 + self.bias[:, self.order]).softmax(-1)
        t = (score @ v).transpose(1, 2).reshape(b, h // 4, w // 4, 4, 4, c)
        t = t.permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return self.shuffle(self.tail(x + torch.roll(t, (2, 2), (1, 2)).permute(0, 3, 1, 2)))


@pytest.fixture(scope="module")
def windows():
    torch.manual_seed(0)
    return Windows().eval()


def of_torch(module, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return (
            module(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy().transpose(0, 2, 3, 1)
        )


def test_a_native_module_gives_torchs_numbers_at_any_size_and_batch(windows):
    network = cem.wrap_torch(windows, scale=2, size_multiple=4)
    for shape in ((1, 8, 12, 3), (3, 16, 8, 3)):
        np.testing.assert_allclose(
            network(random(*shape)), of_torch(windows, random(*shape)), atol=1e-5
        )
    x = random(2, 2, 8, 12, 3)
    nested = jax.vmap(lambda x: network.apply(network.params, x))(jnp.asarray(x))
    np.testing.assert_allclose(nested[1], of_torch(windows, x[1]), atol=1e-5)
    assert not network.on_host and "host" not in network.note
    assert network(random(1, 7, 9, 3)).shape == (1, 14, 18, 3)


def test_parameters_are_a_dictionary_by_torchs_keys_and_have_gradients(windows):
    network = cem.wrap_torch(windows, scale=2)
    assert set(network.params) == {key for key, _ in windows.named_parameters()}
    x = random(1, 8, 8, 3)
    found = jax.grad(lambda params: jnp.sum(network.apply(params, x) ** 2))(network.params)
    windows.zero_grad()
    (windows(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())) ** 2).sum().backward()
    for key, parameter in windows.named_parameters():
        wanted = parameter.grad.numpy()
        np.testing.assert_allclose(found[key], wanted, atol=1e-4 * np.abs(wanted).max())
    windows.zero_grad()


def test_half_precision_is_that_of_the_image_and_the_weights(windows):
    network = cem.wrap_torch(windows, scale=2)
    half = jax.tree.map(lambda a: jnp.asarray(a, jnp.bfloat16), network.params)
    x = random(1, 8, 8, 3)
    found = network.apply(half, jnp.asarray(x, jnp.bfloat16))
    assert found.dtype == jnp.bfloat16
    np.testing.assert_allclose(found.astype(np.float32), of_torch(windows, x), atol=0.1)


def test_the_cone_of_a_module_is_local(windows):
    """Windows and pixel shuffle, as torch writes them, keep an intervention within its windows."""
    from cem_jax import cone

    network = cem.wrap_torch(windows, scale=2)
    x = random(1, 32, 32, 3)
    plan = cone.plan(network.apply, x.shape, (24, 24, 8, 8), 4, params=network.params, least=1.0)
    assert "behind" not in plan.note and 0 < (plan.program_of >= 0).sum() < 40
    found = plan.prepare(jnp.asarray(x), network.params)
    patches = random(2, 4, 4, 3)
    changed = np.repeat(x, 2, 0)
    changed[:, 12:16, 8:12] = patches
    wanted = np.asarray(network(changed))[:, 24:32, 24:32]
    np.testing.assert_allclose(found.evaluate((12, 8), patches), wanted, atol=1e-5)


def test_a_module_is_compared_with_torch_on_request(windows):
    network = cem.wrap_torch(windows, scale=2)
    assert network.check(random(1, 8, 12, 3)) < 1e-5
    params = {**network.params, "tail.bias": network.params["tail.bias"] + 1}
    import dataclasses

    with pytest.raises(ValueError, match=r"network=Windows.*off by 1"):
        dataclasses.replace(network, params=params).check(random(1, 8, 12, 3))
    assert cem.wrap(lambda x: x).check(random(1, 4, 4, 3)) is None


def test_a_map_tells_how_far_a_module_is_from_torch(windows):
    clean = cem.example_image("facade")[:32, :32]
    scene = cem.Scene.super_resolution(clean, 2)
    network = cem.wrap_torch(windows, scale=2)
    roi, plan = cem.ROI(8, 8, 16, 16), cem.Fixed(2)
    found = cem.causal_effect_map(network, scene, roi, plan=plan, progress=False)
    assert 0 <= found.provenance["difference_from_original"] < 1e-5
    params = {**network.params, "tail.bias": network.params["tail.bias"] + 0.1}
    import dataclasses

    with pytest.raises(ValueError, match=r"network=Windows.*off by 0.1"):
        changed = dataclasses.replace(network, params=params)
        cem.causal_effect_map(changed, scene, roi, plan=plan, progress=False)


def test_a_module_that_jax_computes_otherwise_has_its_original_as_the_way_out():
    class Decides(nn.Module):
        def forward(self, x):
            return torch.where(x > 0.5, 0.2, 0.8) * x

    import dataclasses

    clean = cem.example_image("facade")[:32, :32]
    scene, roi, plan = cem.Scene.denoising(clean), cem.ROI(8, 8, 16, 16), cem.Fixed(2)
    network = cem.wrap_torch(Decides(), size_multiple=4)
    apply = network.apply
    network = dataclasses.replace(network, apply=lambda params, x: apply(params, x) + 0.1)
    with pytest.raises(ValueError, match=r"network=Decides.*off by 0.1.*network.original\(\)"):
        cem.causal_effect_map(network, scene, roi, plan=plan, progress=False)
    own = network.original()
    assert own.on_host and own.original() is own and own.check(random(1, 8, 8, 3)) is None
    assert "torch runs on the host" in own.note and "original was asked for" in own.note
    np.testing.assert_array_equal(own(random(1, 7, 8, 3)).shape, (1, 7, 8, 3))
    found = cem.causal_effect_map(own, scene, roi, plan=plan, progress=False)
    assert "original was asked for" in found.provenance["network_note"]
    jax_network = cem.wrap(lambda x: x)
    assert jax_network.original() is jax_network


class Unknown(nn.Module):
    def forward(self, x):
        return torch.histc(x).sum() * 0 + x


class DependsOnValues(nn.Module):
    def forward(self, x):
        return x if x.mean().item() > 0.5 else -x


@pytest.mark.parametrize(
    ("module", "reason"), [(Unknown(), "histc"), (DependsOnValues(), "export")]
)
def test_what_has_no_counterpart_runs_on_the_host_and_is_named(module, reason):
    network = cem.wrap_torch(module)
    x = random(2, 8, 8, 3)
    np.testing.assert_array_equal(network(x[:1]), of_torch(module, x[:1]))
    assert network.on_host and "host" in network.note and reason in network.note
    assert network.check(x) is None
    fresh = cem.wrap_torch(module)
    assert fresh.on_host  # asked before it has seen an image
    assert "host" in fresh.note and reason in fresh.note
    assert "none was timed yet" in fresh.note


def test_those_who_follow_a_sweep_on_the_host_are_told_why_it_is_slow_and_how_slow():
    class Slow(nn.Module):
        def forward(self, x):
            time.sleep(0.05)
            return torch.histc(x).sum() * 0 + x

    states = []

    class Follower:
        @contextlib.contextmanager
        def follow(self, name):
            yield states.append

    network = cem.wrap_torch(Slow())
    scene = cem.Scene.denoising(cem.example_image("facade")[:16, :16])
    roi, plan = cem.ROI(0, 0, 8, 8), cem.Fixed(1)
    cem.causal_effect_map(network, scene, roi, plan=plan, progress=Follower(), chunk=1)
    for words in (states[-1].words, network.note):
        assert "histc has no counterpart in JAX" in words
        seconds, images = re.search(
            r"a whole image, which took (\S+) s on average over (\d+) images", words
        ).groups()
        assert 0.05 <= float(seconds) < 5 and int(images) >= 3


def everything_of_torch() -> dict:
    from torch._decomp import decomposition_table

    return {
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "dtype": torch.get_default_dtype(),
        "device": str(torch.get_default_device()),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "attention": (
            torch.backends.mha.get_fastpath_enabled(),
            torch.backends.cuda.flash_sdp_enabled(),
            torch.backends.cuda.math_sdp_enabled(),
            torch.backends.cuda.mem_efficient_sdp_enabled(),
        ),
        "precision": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "mkldnn": torch.backends.mkldnn.enabled,
        "decompositions": {str(k): id(v) for k, v in decomposition_table.items()},
        "random": torch.random.get_rng_state().numpy().tobytes(),
    }


def state_of(module) -> dict:
    tensors = {
        key: (id(value), value.device, value.requires_grad, value.detach().numpy().tobytes())
        for key, value in (*module.named_parameters(), *module.named_buffers())
    }
    flags = [part.training for part in module.modules()]
    return {**tensors, "training": flags, "attributes": sorted(vars(module))}


class Keeping(nn.Module):
    """Writes into buffers, attributes and its input, and normalises otherwise when trained."""

    def __init__(self):
        super().__init__()
        self.norm, self.drop = nn.BatchNorm2d(3), nn.Dropout(0.5)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        self.last = x.shape
        x.mul_(2)
        return self.drop(self.norm(x)) + torch.rand_like(x)


def test_torch_and_the_module_stay_as_they_were(windows):
    module = Keeping()  # in training mode, as torch makes modules
    torch_before, before = everything_of_torch(), state_of(module)
    network = cem.wrap_torch(module)
    x = random(2, 6, 6, 3)
    found = np.asarray(network(x))
    assert network.note and network.check(x[:1]) < 1e-5
    assert state_of(module) == before
    assert everything_of_torch() == torch_before
    np.testing.assert_array_equal(found, network(x))
    noise = found - 2 * x / np.sqrt(1 + 1e-5)
    assert noise.min() > -1e-5 and noise.max() < 1 + 1e-5 and noise.std() > 0.2
    with torch.no_grad():
        module.norm.weight.mul_(3)
    np.testing.assert_array_equal(found, cem.wrap_torch(Keeping())(x))
    np.testing.assert_array_equal(found, network(x))


def test_torch_is_imported_only_when_it_is_asked_for():
    code = (
        "import sys, cem_jax as cem, numpy as np; cem.wrap(lambda x: x)(np.zeros((1, 4, 4, 3))); "
        "cem.load('DnCNN-compact'); cem.wrap_torch; assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_module_that_writes_its_kernels_at_each_call_is_taken_in_its_inference_form():
    class Rewriting(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 3, 3, padding=1)
            self.whole = nn.Conv2d(3, 3, 3, padding=1)

        def update_params(self):
            kernel = torch.einsum("omhw,mi->oihw", self.second.weight, self.first.weight[..., 0, 0])
            self.whole.weight.data = kernel
            inner = torch.einsum("omhw,m->o", self.second.weight, self.first.bias)
            self.whole.bias.data = self.second.bias + inner

        def forward(self, x):
            self.update_params()
            return self.whole(x)

    module = Rewriting().eval()
    before = module.whole.weight.detach().clone()
    network = cem.wrap_torch(module)
    found = np.asarray(network(random(1, 6, 6, 3)))
    assert not network.on_host and "host" not in network.note
    np.testing.assert_array_equal(module.whole.weight.detach(), before)
    np.testing.assert_allclose(found, of_torch(module, random(1, 6, 6, 3)), atol=1e-6)


@pytest.mark.parametrize(("stable", "told"), [(False, True), (True, False)])
def test_the_order_of_equal_elements_is_told_where_torch_leaves_it_open(stable, told):
    class Sorted(torch.nn.Module):
        def forward(self, x):
            return torch.sort(x, dim=-1, stable=stable)[0]

    network = cem.wrap_torch(Sorted())
    assert ("leaves the order of equal elements open" in network.note) == told
    assert network.check(np.random.default_rng(0).random((1, 8, 8, 3), np.float32)) == 0
