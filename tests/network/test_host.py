"""Networks of the host: every image by itself, whatever else is in its batch."""

import numpy as np
import pytest

import cem_jax as cem

torch = pytest.importorskip("torch")
nn = torch.nn


class OnHost(nn.Module):
    """Has an operation without a counterpart in JAX."""

    def forward(self, x):
        return self.restored(x) + 0 * torch.histc(x).sum()


class Noise(OnHost):
    def restored(self, x):
        return x + 0.1 * torch.randn_like(x)


class BatchStatistics(OnHost):
    def restored(self, x):
        return nn.functional.batch_norm(x, None, None, training=True)


class Stretched(OnHost):
    def restored(self, x):
        return (x - x.min()) / (x.max() - x.min())


class OneByOne(OnHost):
    def restored(self, x):
        assert len(x) == 1
        return 0.9 * x


class Plain(OnHost):
    def restored(self, x):
        return 0.9 * x


@pytest.mark.parametrize("kind", [Noise, BatchStatistics, Stretched, OneByOne, Plain])
def test_what_else_is_in_a_batch_does_not_matter(kind):
    network = cem.wrap_torch(kind())
    x = np.random.default_rng(0).random((3, 6, 7, 3), np.float32)
    found = np.asarray(network(x))
    assert network.on_host
    for image, own in zip(x, found, strict=True):
        np.testing.assert_allclose(np.asarray(network(image[None]))[0], own, atol=1e-6)


def test_a_module_whose_images_are_alone_already_is_given_them_together():
    sizes = []

    class Counted(Plain):
        def restored(self, x):
            sizes.append(len(x))
            return x

    network = cem.wrap_torch(Counted())
    network(np.zeros((5, 4, 4, 3), np.float32))
    assert sizes[-1] == 5


def test_noise_that_is_drawn_once_has_no_effect():
    scene = cem.Scene.denoising(cem.example_image("facade")[:32, :32])
    found = cem.causal_effect_map(
        cem.wrap_torch(Noise()), scene, cem.ROI(8, 8, 8, 8), plan=cem.Fixed(1), progress=False
    )
    assert np.nanmax(np.abs(found.effect)) == 0


def test_an_output_that_changes_from_call_to_call_is_refused():
    class Counting(OnHost):
        calls = 0

        def restored(self, x):
            Counting.calls += 1
            return x * Counting.calls

    with pytest.raises(ValueError, match=r"network=Counting.*changes from call to call"):
        cem.wrap_torch(Counting())(np.ones((1, 4, 4, 3), np.float32))


def test_a_multiple_that_the_sides_need_is_named():
    class Strided(OnHost):
        def restored(self, x):
            return nn.functional.pixel_shuffle(nn.functional.pixel_unshuffle(x, 4), 4)

    with pytest.raises(ValueError, match=r"\(9, 16, 3\).*size_multiple=4"):
        cem.wrap_torch(Strided())(np.zeros((1, 9, 16, 3), np.float32))


def test_a_module_may_take_gradients_of_its_own():
    class Descent(nn.Module):
        def forward(self, x):
            with torch.enable_grad():
                x = x.detach().requires_grad_(True)
                return x - torch.autograd.grad((x**2).sum(), x)[0] / 4

    x = np.random.default_rng(0).random((1, 4, 5, 3), np.float32)
    np.testing.assert_allclose(cem.wrap_torch(Descent())(x), x / 2)


def test_a_module_of_grey_images_says_so():
    with pytest.raises(
        ValueError, match=r"\(8, 8, 3\).*one channel: cem.to_grey\(clean\), or --grey"
    ):
        cem.wrap_torch(nn.Conv2d(1, 1, 3, padding=1))(np.zeros((1, 8, 8, 3), np.float32))
