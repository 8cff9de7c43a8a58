"""Networks as they run on a scene."""

from cem_jax.arguments import check_kind
from cem_jax.network.network import Network
from cem_jax.scene.scene import Scene


def on_scene(network: Network, scene: Scene) -> Network:
    """The network as it runs on a scene: told the noise of the scene, where it takes that."""
    check_kind("network", network, Network)
    check_kind("scene", scene, Scene)
    noisy = scene.task == "DN" and "sigma" in scene.facts
    return network.at_noise(scene.facts["sigma"]) if noisy else network
