"""Regions by rules and in percent."""

import re

import numpy as np
import pytest

import cem_jax as cem
from cem_jax.scene.regions import by_rule, suggestions

PHOTO = cem.example_image("facade")


@pytest.fixture
def scene():
    """Flat but for a checked corner, and spoilt at another place."""
    clean = np.full((120, 160, 3), 128, np.uint8)
    clean[60:92, 100:132] += (np.indices((32, 32)).sum(0) % 2 * 60).astype(np.uint8)[..., None]
    degraded = clean.copy()
    degraded[8:40, 20:52] = 0
    return cem.Scene.custom(clean, degraded)


def test_rules_find_what_they_name(scene):
    found = {rule: one.roi for rule, one in suggestions(scene).items()}
    assert found["structure"] == cem.ROI(60, 100, 32, 32)
    assert found["lost"] == cem.ROI(8, 20, 32, 32)
    assert found["centre"] == cem.ROI(44, 64, 32, 32)
    restored = np.array(scene.clean)
    restored[80:112, 0:32] = 1
    assert by_rule(scene, "lost", restored).roi == cem.ROI(80, 0, 32, 32)


def test_auto_says_which_rule_was_taken(scene):
    roi, note = cem.parse_roi("auto", scene)
    assert roi.y == 60 and "most structure" in note
    restored = np.array(scene.clean)
    restored[80:112, 0:32] = 1
    roi, note = cem.parse_roi(" AUTO ", scene, restored)
    assert roi.y == 80 and "PSNR of the restored image is lowest" in note
    assert cem.parse_roi("centre", scene) == (cem.ROI(44, 64, 32, 32), "the centre")


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_regions_of_every_rule_fit_the_scale(scale):
    scene = cem.Scene.super_resolution(PHOTO[:100, :79], scale)
    for roi, note in suggestions(scene).values():
        roi.check(*scene.clean.shape[:2], scale)
        assert note and max(roi.height, roi.width) <= 32
    tiny = cem.Scene.super_resolution(PHOTO[: 2 * scale, : 2 * scale], scale)
    assert by_rule(tiny, "structure").roi.height == scale


def test_percent_and_pixels_are_snapped_to_the_scale_with_a_note():
    scene = cem.Scene.super_resolution(PHOTO, 4)
    assert cem.parse_roi("96,112,32,32", scene) == (cem.ROI(96, 112, 32, 32), "")
    roi, note = cem.parse_roi("40%, 30%, 32, 32", scene)
    assert roi == cem.ROI(104, 76, 32, 32) and "y 102" in note and "(4)" in note
    assert cem.parse_roi("97,30,33,2", scene).roi == cem.ROI(96, 32, 32, 4)
    assert cem.parse_roi("90.0%,50%,10%,12.5%", scene).roi == cem.ROI(232, 128, 24, 32)
    roi, _ = cem.parse_roi("222,0,34,32", scene)  # rounding would push it out
    assert roi.y + roi.height <= 256
    full = cem.Scene.denoising(PHOTO)
    assert cem.parse_roi("97,31,33,3", full) == (cem.ROI(97, 31, 33, 3), "")


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "a,b,c,d", "1,2,3,4,5", "1e3,0,8,8", "50%%,0,8,8", "middle"]
)
def test_other_texts_are_refused_with_what_is_accepted(scene, text):
    with pytest.raises(ValueError, match=re.escape(f"roi={text!r}: expected Y,X,H,W")):
        cem.parse_roi(text, scene)


@pytest.mark.parametrize("text", ["100,0,32,32", "100%,0,8,8", "0,150,8,16", "0,0,0,8", "-8,0,8,8"])
def test_regions_that_leave_the_image_are_refused(scene, text):
    with pytest.raises(ValueError, match="roi"):
        cem.parse_roi(text, scene)


def test_a_restored_image_has_the_scenes_size(scene):
    with pytest.raises(ValueError, match="restored has shape"):
        by_rule(scene, "lost", np.zeros((3, 3, 3)))
    with pytest.raises(ValueError, match="rule='best'"):
        by_rule(scene, "best")
