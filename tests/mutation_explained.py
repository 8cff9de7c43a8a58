"""Small faults that no test should notice, by file, line of source and change, and why."""

from collections.abc import Mapping

EXPLAINED: Mapping[str, Mapping[tuple[str, str], str]] = {
    "cem_jax/plans/adaptive.py": {
        ("_DOUBLINGS = 16", "16  ->  17"): "further ahead than any block has draws",
        ("_SMALL = 100", "100  ->  101"): "a hundredth, or a little less",
        ("if not more.any():", "not more.any()  ->  not not more.any()"): "it never ends",
        (
            "return more & (samples > 0) & (samples < self.most)",
            "more & (samples > 0) & (samples < self.most)  ->  "
            "more & (samples > 0) | (samples < self.most)",
        ): "it never ends",
        (
            "return more & (samples > 0) & (samples < self.most)",
            "samples > 0  ->  samples >= 0",
        ): "it never ends",
        ("drawn = means.samples > 0", "0  ->  1"): "no block has a single draw",
        (
            "random = np.nanvar(values[samples > 0], axis=1, ddof=1, dtype=np.float64)",
            "0  ->  1",
        ): "no block has a single draw",
        (
            "size = self.threshold or np.sqrt(np.nanmean(np.square(change))) if drawn.any() "
            "else 0.0",
            "0.0  ->  1.0",
        ): "nobody asks for the size of what was not drawn",
        ("blocks = int((means.samples > 0).sum())", "0  ->  1"): "no block has a single draw",
        ("unseen = np.zeros((2, len(change)))", "2  ->  3"): "nobody reads a third row",
        ("for side, sign in enumerate((-1, 1)):", "1  ->  2"): "surprise is in units of the scale",
    },
    "cem_jax/pool/strata.py": {
        (
            "small = np.add.reduceat(small, edges, axis=2).reshape(len(pool), -1)",
            "1  ->  2",
        ): "to numpy all negative sides of an array are the one that is found",
        (
            "labels[(labels == widest) & (points[:, axis] > means[widest, axis])] = new",
            "points[:, axis] > means[widest, axis]  ->  points[:, axis] >= means[widest, axis]",
        ): "a point on the mean may go to either side",
        (
            "if (np.bincount(nearest, minlength=count) == 0).any() or (nearest == labels).all():",
            "(np.bincount(nearest, minlength=count) == 0).any() or (nearest == labels).all()  ->  "
            "(np.bincount(nearest, minlength=count) == 0).any() and (nearest == labels).all()",
        ): "it never ends",
        (
            "while len(parts) < cells and len(parts[0]) > 1:",
            "len(parts[0]) > 1  ->  len(parts[0]) >= 1",
        ): "it never ends",
        (
            "return small @ (axes * np.sign(axes[largest, np.arange(axes.shape[1])]))",
            "axes * np.sign(axes[largest, np.arange(axes.shape[1])])  ->  "
            "axes / np.sign(axes[largest, np.arange(axes.shape[1])])",
        ): "a sign is its own inverse",
        (
            "within = np.random.RandomState([seed, 1]).random_sample((SEQUENCES, count))",
            "1  ->  2",
        ): "another stream of random numbers",
    },
    "cem_jax/map/difference.py": {
        (
            "values = effect_map.values.reshape(effect_map.effect.size, -1).astype(np.float64)",
            "1  ->  2",
        ): "to numpy all negative sides of an array are the one that is found",
    },
    "cem_jax/map/noise.py": {
        (
            "values = effect_map.values.reshape(effect_map.effect.size, -1).astype(np.float64)",
            "1  ->  2",
        ): "to numpy all negative sides of an array are the one that is found",
        ("outside = ~effect_map.inside_roi.reshape(-1)", "1  ->  2"): (
            "to numpy all negative sides of an array are the one that is found"
        ),
        (
            "n, errors = counted.sum(axis=1), effect_map.standard_error.reshape(-1)",
            "1  ->  2",
        ): "to numpy all negative sides of an array are the one that is found",
        ("yield counted & first", "counted & first  ->  counted | first"): (
            "those that do not count come last"
        ),
        (
            "for own, which in zip(change[chosen], counted[chosen], strict=True):",
            "True  ->  False",
        ): ("both have one length, always"),
        ("_SPLITS = 32", "32  ->  33"): "one more of many random halves",
        ("random = np.random.default_rng(0)", "0  ->  1"): "another stream of random numbers",
    },
    "experiments/figures/masking.py": {
        (
            "psnr = region_psnr(network, scene, effect_map.roi, inputs).reshape(-1, draws)"
            ".mean(axis=1)",
            "1  ->  2",
        ): "to numpy all negative sides of an array are the one that is found",
        (
            "for (kind, name), value in zip(names, psnr[place.reshape(-1)].tolist(), strict=True):",
            "1  ->  2",
        ): "to numpy all negative sides of an array are the one that is found",
        (
            "rows, columns = -(-height // side), -(-width // side)",
            "-height // side  ->  -height * side",
        ): "patches beyond the image are thrown away",
        (
            "rows, columns = -(-height // side), -(-width // side)",
            "-width // side  ->  -width * side",
        ): "patches beyond the image are thrown away",
        (
            "return jax.vmap(intervene)(patches, corners[:, 0], corners[:, 1], keys)",
            "1  ->  2",
        ): "JAX takes the last column for one that is not there",
        (
            "chosen = np.nan_to_num(first) < -effect_map.tolerance",
            "np.nan_to_num(first) < -effect_map.tolerance  ->  "
            "np.nan_to_num(first) <= -effect_map.tolerance",
        ): "no effect is so to the last bit",
        ("_BATCH = 8", "8  ->  9"): "how many images go together",
        (
            "size = -(-_BATCH // len(devices)) * len(devices)",
            "-_BATCH // len(devices)  ->  -_BATCH * len(devices)",
        ): "how many images go together",
        ("batch = np.stack(part + part[:1] * (size - len(part)))", "1  ->  2"): (
            "what fills up a batch is thrown away"
        ),
        (
            "batch = np.stack(part + part[:1] * (size - len(part)))",
            "size - len(part)  ->  size + len(part)",
        ): "what fills up a batch is thrown away",
        ("keys = jax.random.split(jax.random.key(1), draws)", "1  ->  2"): (
            "another stream of random numbers"
        ),
        (
            "keys, pool = jax.random.split(jax.random.key(2), draws), cem.PatchPool.default()",
            "2  ->  3",
        ): "another stream of random numbers",
        ('"random": np.random.default_rng(0).permutation(outside),', "0  ->  1"): (
            "another stream of random numbers"
        ),
        (
            "for (kind, name), value in zip(names, psnr[place.reshape(-1)].tolist(), strict=True):",
            "True  ->  False",
        ): "both have one length, always",
    },
    "experiments/figures/measures.py": {
        (
            '"reliability": float(2 * both / (1 + both)) if both > -1 else np.nan,',
            "both > -1  ->  both >= -1",
        ): "no two halves are each other's opposite to the last bit",
        (
            '"reliability": float(2 * both / (1 + both)) if both > -1 else np.nan,',
            "1  ->  2",
        ): "the 1 of the limit: no two halves are each other's opposite to the last bit",
    },
    "experiments/figures/statistics.py": {
        ("for scene in several[0]", "0  ->  1"): "all have the same scenes",
        (
            "return {scene: [v for values in several for v in values[scene]] for scene in "
            "several[0]}",
            "0  ->  1",
        ): "all have the same scenes",
    },
    "cem_jax/cone/regions.py": {
        ("m = np.asarray(multiples, np.int64).reshape(1, -1)", "1  ->  2"): (
            "to numpy all negative sides of an array are the one that is found"
        ),
    },
    "cem_jax/cone/rules/window.py": {
        (
            "def __init__(self, taps: int, stride: int, before: int, step: int = 1, "
            "dilation: int = 1):",
            "1  ->  2",
        ): "a single tap has no steps",
        ('p["rhs_dilation"], p["lhs_dilation"], strict=True,', "True  ->  False"): (
            "all have one length, always"
        ),
        ('factors = range(eq.params.get("batches", 1))', "1  ->  2"): (
            "the axis behind the batch runs along the image, and is told below"
        ),
        ("if all(n == 1 for n in dilation):", "n == 1  ->  n != 1"): (
            "both ways are exact; XLA aborts in one of them, in a case of test_exact.py"
        ),
        ("if all(n == 1 for n in dilation):", "1  ->  2"): "both ways are exact",
        (
            'taps = math.prod(kernel.shape[k] for k in eq.params["dimension_numbers"]'
            ".rhs_spec[2:])",
            "2  ->  3",
        ): "how small an image is that is dilated by hand",
        (
            "if math.prod(x.shape[i] for i, _, _ in slides) < 4 * taps:",
            "math.prod((x.shape[i] for i, _, _ in slides)) < 4 * taps  ->  "
            "math.prod((x.shape[i] for i, _, _ in slides)) <= 4 * taps",
        ): "how small an image is that is dilated by hand",
        (
            "if math.prod(x.shape[i] for i, _, _ in slides) < 4 * taps:",
            "4 * taps  ->  4 / taps",
        ): "how small an image is that is dilated by hand",
        ("if math.prod(x.shape[i] for i, _, _ in slides) < 4 * taps:", "4  ->  5"): (
            "how small an image is that is dilated by hand"
        ),
        (
            "for (i, _, slide), (lo, hi) in zip(slides, padding, strict=True):",
            "True  ->  False",
        ): "both have one length, always",
        ("strict=True,", "True  ->  False"): "all have one length, always",
        (
            "for slide, n in zip(self._slides(eq), size, strict=True)",
            "True  ->  False",
        ): "both have one length, always",
        (
            "return [_Slide(1, int(n), -int(first)) for first, n in "
            "zip(starts, strides, strict=True)]",
            "True  ->  False",
        ): "both have one length, always",
    },
    "cem_jax/sweep/chunks.py": {
        (
            "if not self.grows or len(self._seen) < 2 + _AHEAD:",
            "len(self._seen) < 2 + _AHEAD  ->  len(self._seen) <= 2 + _AHEAD",
        ): "one more chunk is measured before the size grows",
        (
            "if self._before and self._before < _WORTH * each:",
            "self._before < _WORTH * each  ->  self._before <= _WORTH * each",
        ): "no two times are so to the last bit",
        (
            "elif left * each > _PATIENCE * self._compiling:",
            "left * each > _PATIENCE * self._compiling  ->  "
            "left * each >= _PATIENCE * self._compiling",
        ): "no two times are so to the last bit",
    },
    "cem_jax/store/store.py": {
        (
            "while position + _HEAD.size <= len(data):",
            "position + _HEAD.size <= len(data)  ->  position + _HEAD.size < len(data)",
        ): "no batch is empty",
        (
            "write_atomically(folder / CONFIGURATION, json.dumps(record, indent=1).encode())",
            "1  ->  2",
        ): "how a file looks that is read as JSON",
        ('self._count, self._title = 0, b""', "0  ->  1"): "the name of a batch, in their order",
        ("self._count += 1", "1  ->  2"): "the name of a batch, in their order",
        ("pause = 8.0", "8.0  ->  9.0"): "how much an interruption may cost",
        ("for log, data in zip(logs, read_all(logs), strict=True):", "True  ->  False"): (
            "both have one length, always"
        ),
        ("if size < _TITLE:", "size < _TITLE  ->  size <= _TITLE"): (
            "a log of nothing but its title is begun anew with the same title"
        ),
    },
    "cem_jax/store/resume.py": {
        ("_FLUSH_SECONDS = 2.0", "2.0  ->  3.0"): "how much an interruption may cost",
        (
            "if found and time.monotonic() - flushed > wait:",
            "time.monotonic() - flushed > wait  ->  time.monotonic() - flushed >= wait",
        ): "no clock stands at the very moment",
        (
            "parts, values = (np.concatenate(arrays) for arrays in zip(*found, strict=True))",
            "True  ->  False",
        ): "pairs have one length, always",
    },
}
