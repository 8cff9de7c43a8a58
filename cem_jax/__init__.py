"""Causal Effect Maps: which parts of an image help a restoration network, which harm, in dB.

Every public name stands here once, beside the module that holds it, in the order in which data
flows. A module is imported when one of its names is first used, so that what needs no JAX does not
wait for it. Type checkers read the same names in `__init__.pyi`.
"""

import lazy_loader

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
        "sweep.devices": ["use_all_cores"],
        "sweep.compilation_cache": ["use_compilation_cache"],
        "plans.plan": ["CoarseToFine", "Fixed", "Plan"],
        "plans.adaptive": ["Adaptive"],
        "plans.quadrature": ["Quadrature", "Stratified"],
        "map.effect_map": ["EffectMap"],
        "map.difference": ["Difference", "difference"],
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
        "attribution.record": ["Attribution"],
        "attribution.gradients": [
            "gradient_map",
            "integrated_gradients",
            "local_attribution_map",
        ],
        "attribution.occlusion": ["occlusion_map"],
        "jobs.job": ["Job", "MapOf", "run_job"],
        "jobs.job_file": ["read_job"],
        "view.plot": [
            "plot",
            "plot_colour_bar",
            "plot_input",
            "plot_range",
            "plot_shares",
            "plot_teaser",
        ],
        "view.attribution": ["plot_attribution", "plot_contribution"],
        "view.report.page": ["report"],
    },
)
