"""Scenes by the names of their tasks."""

import inspect

import jax.numpy as jnp
import numpy as np
import pytest
from conftest import curved

import cem_jax as cem
from cem_jax.experiments.degradations import DEGRADATIONS
from cem_jax.scene.tasks import task_arguments

PHOTO = cem.example_image("facade")[:64, :72]


@pytest.mark.parametrize("task", cem.task_names())
def test_every_task_makes_a_scene_with_a_do(task):
    scene = cem.make_scene(task.upper().replace(" ", "-"), PHOTO, name="wall")
    assert (scene.name, scene.clean.shape) == ("wall", PHOTO.shape)
    small = np.asarray(scene.degraded).repeat(scene.scale, 0).repeat(scene.scale, 1)
    assert 8 < float(cem.psnr(jnp.asarray(small), scene.clean)) < 45
    for key, value in task_arguments(task).items():  # the defaults can be given
        scene = cem.make_scene(task, PHOTO, **{key: value})
    grey = cem.make_scene(task, cem.to_grey(PHOTO))
    assert grey.degraded.shape[2] == 1


@pytest.mark.parametrize("task", cem.task_names())
def test_every_task_gives_a_map_in_which_blocks_matter(task, pool):
    scene = cem.make_scene(task, PHOTO)
    network = cem.wrap(
        lambda x: curved(x.repeat(scene.scale, 1).repeat(scene.scale, 2)), scale=scene.scale
    )
    found = cem.causal_effect_map(
        network, scene, cem.ROI(24, 24, 16, 16), pool=pool, plan=cem.Fixed(2), progress=False
    )
    assert np.nanmax(np.abs(found.effect)) > 1e-3
    assert found.task == scene.task


def test_all_tasks_of_the_trained_networks_are_there():
    for task in DEGRADATIONS["MIO"]:
        cem.make_scene(task, PHOTO)


def test_arguments_change_the_scene():
    for task, arguments in {
        "SR": {"scale": 2}, "preupsampled": {"factor": 2}, "DN": {"sigma": 0.05},
        "photon noise": {"photons": 1000.0}, "DR": {"kind": "large"}, "blur": {"blur": 1.0},
        "motion blur": {"angle": 45.0}, "JPEG": {"subsampling": "4:4:4"}, "haze": {"depth": 1.0},
        "low light": {"gamma": 2.0},
    }.items():  # fmt: skip
        one, other = cem.make_scene(task, PHOTO), cem.make_scene(task, PHOTO, **arguments)
        assert one.degraded.shape != other.degraded.shape or (one.degraded != other.degraded).any()
    assert cem.make_scene("blur", PHOTO, scale=4, noise=0.05).degraded.shape == (16, 18, 3)
    grey = cem.make_scene("dn", PHOTO, sigma=0.1, grey_noise=True)
    assert grey.facts["sigma"] == 0.1 and grey.task == "DN"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cem.make_scene("deblur", PHOTO), "task='deblur': expected SR,"),
        (lambda: cem.make_scene(3, PHOTO), "task=3"),
        (lambda: cem.make_scene("JPEG", PHOTO, sigma=3), "sigma=3: JPEG takes quality"),
        (lambda: cem.make_scene("JPEG", PHOTO, quality=0), "quality=0"),
        (lambda: cem.make_scene("blur", PHOTO, scale=0), "factor=0"),
    ],
)
def test_what_no_task_knows_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_first_argument_may_be_called_by_its_name():
    assert list(inspect.signature(cem.make_scene).parameters) == ["task_name", "clean", "arguments"]
