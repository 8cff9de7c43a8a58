"""Causal Effect Maps: which parts of an image help a restoration network, which harm, in dB.

Every public name stands here once, beside the module that holds it, in the order in which data
flows. A module is imported when one of its names is first used, so that what needs no JAX does not
wait for it. Type checkers read the same names in `__init__.pyi`.
"""

from types import ModuleType

import lazy_loader

from cem_jax.show import drawn_by

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["models"],
    submod_attrs={
        "grid": ["ROI"],
        "outcome": [
            "background",
            "cropped",
            "negative_l1",
            "negative_mse",
            "psnr",
            "psnr_y",
            "removal",
            "ssim",
            "unit",
        ],
        "scene.image": ["open_image", "to_grey"],
        "scene.degrade.bicubic": ["Enlarge", "Reduce"],
        "scene.degrade.blur": ["Blur"],
        "scene.degrade.haze": ["Haze"],
        "scene.degrade.jpeg": ["Jpeg"],
        "scene.degrade.low_light": ["LowLight"],
        "scene.degrade.noise": ["Noise", "PoissonGaussian"],
        "scene.degrade.rain": ["Rain"],
        "scene.degrade.step": ["Degradation"],
        "scene.pairs": ["again", "from_degraded_pool", "residual"],
        "scene.scene": ["Scene"],
        "scene.tasks": ["make_scene", "task_names"],
        "scene.regions": ["parse_roi"],
        "scene.examples": ["example_image", "example_names"],
        "pool.pool": ["PatchPool"],
        "network.network": ["Network"],
        "network.wrap": ["wrap"],
        "network.zoo": ["from_torch", "load", "to_torch"],
        "network.torch": ["wrap_torch"],
        "network.onnx": ["wrap_onnx"],
        "held.operations": ["Operation", "operations"],
        "held.freeze": ["freeze"],
        "sweep.devices": ["use_all_cores"],
        "sweep.compilation_cache": ["use_compilation_cache"],
        "plans.plan": ["Plan"],
        "plans.every_block": ["Fixed", "Quadrature", "Stratified"],
        "plans.coarse_to_fine": ["CoarseToFine"],
        "plans.corrected": ["Corrected"],
        "plans.adaptive": ["Adaptive"],
        "map.effect_map": ["EffectMap"],
        "map.difference": ["Difference", "difference"],
        "map.noise": ["chance_of_harm", "range_without_noise", "shares_without_noise"],
        "map.summary": ["input_psnr", "summarise"],
        "rows": ["markdown_table"],
        "effects.compute": ["Compute"],
        "effects.progress": [
            "NoProgress",
            "NotebookProgress",
            "Progress",
            "TerminalProgress",
            "TextProgress",
        ],
        "effects.given": ["outcomes"],
        "effects.effect": ["causal_effect_map", "causal_effect_maps", "region_maps"],
        "effects.images": ["with_images"],
        "attribution.record": ["Attribution"],
        "attribution.gradients": [
            "gradient_map",
            "integrated_gradients",
            "local_attribution_map",
        ],
        "attribution.occlusion": ["occlusion_map"],
        "attribution.receptive_field": ["ReceptiveField", "effective_receptive_field"],
        "inside.mediated_maps": ["MediatedMaps"],
        "inside.mediated": ["mediated_maps"],
        "inside.interactions": [
            "Interactions",
            "JointEffect",
            "interactions",
            "joint_effect",
            "strongest_blocks",
        ],
        "inside.dose": ["Dose", "dose"],
        "inside.reach": ["causal_radius", "reach_row"],
        "inside.layers": ["Layers", "trace_layers"],
        "jobs.asked": ["MapOf", "MapResult"],
        "jobs.job": ["Job"],
        "jobs.job_file": ["read_job"],
        "jobs.run": ["run_job"],
        "jobs.status": ["JobStatus", "MapStatus", "job_status"],
        "jobs.pilot": ["JobCost", "estimate_job"],
        "jobs.table": ["job_table", "write_table"],
        "jobs.gather": ["gather"],
        "jobs.compare": ["SceneMean", "compare"],
        "jobs.reach": ["job_reach"],
        "view.parts": ["plot_colour_bar", "plot_input", "plot_range", "plot_shares"],
        "view.plot": ["plot", "plot_teaser"],
        "view.attribution": ["plot_attribution", "plot_contribution"],
        "view.inside": ["plot_dose", "plot_interactions", "plot_layers", "plot_layers_by_distance"],
        "view.report.page": ["report"],
    },
)


def _drawings() -> ModuleType:
    """What shows results, once one is asked to: drawing needs all that the others do without."""
    from cem_jax.view import notebook

    return notebook


drawn_by(_drawings)
