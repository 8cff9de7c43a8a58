"""The whole images of a page, each once, however many maps it is shown with."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cem_jax.map.effect_map import EffectMap
from cem_jax.view.report.pack import picture
from cem_jax.view.report.values import LONGEST
from cem_jax.view.scenes import ImageKey, image_key

_PIXELS = 2**25
"""Of all whole images together; where they are more, all are shown reduced."""
_THUMBNAIL = 96
"""Longest side of the picture by which a photograph is chosen, in pixels."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pictures:
    """Whole images by what they hold.

    Args:
        images: inputs, true and restored ones, uint8 [h, w, c].
    """

    images: Mapping[ImageKey, np.ndarray]

    @classmethod
    def of(cls, maps: Sequence[EffectMap]) -> "Pictures":
        """The whole images that maps have kept."""
        found = {image_key(one.degraded): one.degraded for one in maps}
        for one in maps:
            if one.images is not None:
                for image in (one.images.clean, one.images.restored):
                    found[image_key(image)] = image
        return cls(found)

    @property
    def longest(self) -> int:
        """Side beyond which they are reduced, in pixels."""
        return min(LONGEST, int((_PIXELS / len(self.images)) ** 0.5))

    def number(self, image: np.ndarray) -> int:
        """The place of an image among them."""
        return list(self.images).index(image_key(image))

    def drawn(self) -> Iterator[dict[str, str]]:
        """The pictures of every image: one to look at, one to choose by."""
        for image in self.images.values():
            yield {"picture": picture(image, self.longest), "small": picture(image, _THUMBNAIL)}


def place_of_region(effect_map: EffectMap) -> str:
    """Where the region lies: top, left, height and width, in percent of the image."""
    height, width = (side * effect_map.scale for side in effect_map.degraded.shape[:2])
    roi = effect_map.roi
    shares = roi.y / height, roi.x / width, roi.height / height, roi.width / width
    return " ".join(f"{100 * share:.4g}" for share in shares)
