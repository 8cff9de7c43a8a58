"""The table of torch's operations: each by itself against torch, however its arrays lie."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from cem_jax.network.aten import TABLE
from cem_jax.network.aten.layout import Laid
from cem_jax.network.aten.operation import promoted

torch = pytest.importorskip("torch")


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def positive(*shape: int) -> np.ndarray:
    return np.abs(normal(*shape)) + np.float32(0.1)


def small(*shape: int) -> np.ndarray:
    return np.tanh(normal(*shape)) * np.float32(0.9)


def whole(*shape: int) -> np.ndarray:
    return (normal(*shape) * 4).astype(np.int32)


def yes(*shape: int) -> np.ndarray:
    return normal(*shape) > 0


def complex_(*shape: int) -> np.ndarray:
    return (normal(*shape) + 1j * normal(*shape[::-1]).T.reshape(shape)).astype(np.complex64)


IMAGE = normal(2, 4, 6, 8)
VECTOR = normal(4)
INDEX = np.asarray([3, 0, 0, 2])
ROWS, COLUMNS = np.asarray([[0], [2], [5]]), np.asarray([[7, 0, 3, 3]])
GRID = small(2, 5, 7, 2) * np.float32(1.3)

MATRICES = normal(2, 4, 7) @ normal(2, 4, 7).transpose(0, 2, 1) + np.eye(4, dtype=np.float32)

ONE = (
    "abs", "atan", "asinh", "ceil", "cos", "cosh", "erf", "erfc", "exp", "exp2", "expm1", "floor",
    "isinf", "isnan", "logical_not", "neg", "relu", "relu6", "round", "sigmoid", "sign", "silu",
    "sin", "sinh", "tan", "tanh", "trunc", "hardsigmoid", "hardswish", "hardtanh", "mish", "elu",
    "leaky_relu", "softplus", "gelu", "alias", "clone", "detach", "nan_to_num", "zeros_like",
    "ones_like", "lift_fresh_copy", "contiguous",
)  # fmt: skip
POSITIVE = ("log", "log10", "log1p", "log2", "reciprocal", "rsqrt", "sqrt")
TWO = (
    "add", "sub", "mul", "atan2", "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge", "fmod",
    "remainder", "rsub", "hypot",
)  # fmt: skip

CASES: list[tuple[str, tuple, dict]] = [
    *((name, (IMAGE,), {}) for name in ONE),
    *((name, (positive(3, 5),), {}) for name in POSITIVE),
    *((name, (small(3, 5),), {}) for name in ["acos", "asin", "atanh"]),
    ("acosh", (positive(3, 5) + 1,), {}),
    *((name, (IMAGE, normal(4, 1, 8)), {}) for name in TWO),
    *((name, (yes(3, 4), yes(4)), {}) for name in ("logical_and", "logical_or", "logical_xor")),
    *((f"bitwise_{name}", (whole(3, 4), whole(4)), {}) for name in ("and", "or", "xor")),
    ("bitwise_not", (whole(3, 4),), {}),
    *((name, (whole(3, 4), np.abs(whole(4))), {}) for name in (
        "bitwise_left_shift", "bitwise_right_shift", "__lshift__", "__rshift__")),
    ("__rshift__", (whole(3, 4), 1), {}),
    *(("bucketize", (IMAGE, np.sort(normal(5))), {"right": right}) for right in (False, True)),
    ("bucketize", (whole(3, 4), np.asarray([-2, 0, 1])), {}),
    *((name, (IMAGE, other), {}) for name in ("add", "mul", "sub", "maximum", "lt", "eq")
      for other in (whole(6, 8), np.asarray(3, np.int32), normal(8).astype(np.float16))),
    *((name, (IMAGE, yes(6, 8)), {}) for name in ("add", "mul", "ge")),
    ("add", (whole(3, 4), 0.5), {}),
    ("mul", (yes(3, 4), 3), {}),
    ("mul", (whole(3, 4), yes(4)), {}),
    ("mul", (complex_(3, 4), normal(4)), {}),
    ("div", (whole(3, 4), np.abs(whole(4)) + 1), {}),
    ("clamp", (whole(3, 4), 0.5), {}),
    ("where", (yes(6, 1), IMAGE, np.asarray(2, np.int32)), {}),
    ("where", (yes(6, 1), whole(4, 1, 8), 0.5), {}),
    ("cat", ([normal(2, 3), whole(2, 2), yes(2, 1)], 1), {}),
    ("lerp", (normal(3, 4), normal(4)[None].repeat(3, 0), normal(3, 1)), {}),
    ("add", (IMAGE, normal(1)), {"alpha": 3}),
    ("sub", (IMAGE, VECTOR.reshape(4, 1, 1)), {"alpha": -2}),
    ("div", (IMAGE, positive(6, 1)), {}),
    ("div", (IMAGE, positive(6, 1)), {"rounding_mode": "floor"}),
    ("div", (IMAGE, positive(6, 1)), {"rounding_mode": "trunc"}),
    ("floor_divide", (IMAGE, positive(8)), {}),
    ("pow", (IMAGE, 2), {}),
    ("pow", (IMAGE, 3.0), {}),
    ("pow", (positive(3, 4), 0.5), {}),
    ("pow", (positive(3, 4), -1.7), {}),
    ("pow", (positive(3, 4), normal(4)), {}),
    ("clamp", (IMAGE, -0.5), {}),
    ("clamp", (IMAGE, None, 0.3), {}),
    ("clamp", (IMAGE, -0.1, 0.2), {}),
    ("clamp_min", (IMAGE, 0.1), {}),
    ("clamp_max", (IMAGE, 0.1), {}),
    ("gelu", (IMAGE,), {"approximate": "tanh"}),
    ("elu", (IMAGE, 0.7, 1.2, 0.9), {}),
    ("softplus", (IMAGE * 20, 2.0, 10.0), {}),
    ("leaky_relu", (IMAGE, 0.2), {}),
    ("hardtanh", (IMAGE, -0.3, 0.4), {}),
    ("lerp", (IMAGE, normal(2, 4, 6, 8)[::-1].copy(), 0.3), {}),
    ("addcmul", (IMAGE, normal(4, 1, 1), normal(8)), {"value": 0.5}),
    ("addcdiv", (IMAGE, normal(4, 1, 1), positive(8)), {"value": 0.5}),
    ("where", (yes(6, 1), IMAGE, normal(4, 1, 8)), {}),
    ("masked_fill", (IMAGE, yes(6, 8), -3.0), {}),
    ("complex", (normal(3, 4), normal(4, 3).T.copy()), {}),
    ("real", (complex_(3, 4),), {}),
    ("imag", (complex_(3, 4),), {}),
    ("angle", (complex_(3, 4),), {}),
    ("angle", (normal(3, 4),), {}),
    ("_conj_physical", (complex_(3, 4),), {}),
    ("_conj", (complex_(3, 4),), {}),
    ("polar", (positive(3, 4), normal(4, 3).T.copy()), {}),
    ("erfinv", (small(3, 5),), {}),
    ("signbit", (IMAGE,), {}),
    *((name, (IMAGE, normal(4, 1, 8)), {}) for name in ("copysign", "fmax", "fmin")),
    ("full_like", (IMAGE, 2.5), {}),
    ("fill", (IMAGE, 1.5), {}),
    ("copy", (IMAGE, normal(8)), {}),
    ("_to_copy", (IMAGE,), {}),
    ("view", (IMAGE, [2, 2, 2, 48]), {}),
    ("view", (IMAGE, [-1, 12]), {}),
    ("view", (IMAGE, [8, 3, 16]), {}),
    ("reshape", (IMAGE, [2, 4, 1, 48]), {}),
    ("_unsafe_view", (IMAGE, [8, 48]), {}),
    ("permute", (IMAGE, [0, 2, -1, 1]), {}),
    ("transpose", (IMAGE, -1, 1), {}),
    ("t", (normal(3, 5),), {}),
    ("unsqueeze", (IMAGE, -1), {}),
    ("squeeze", (normal(1, 4, 1, 3),), {}),
    ("squeeze", (normal(1, 4, 1, 3), 2), {}),
    ("squeeze", (normal(1, 4, 1, 3), [0, 1, 2]), {}),
    ("expand", (normal(4, 1, 8), [2, 4, 6, -1]), {}),
    ("repeat", (normal(2, 3), [2, 1, 3]), {}),
    ("cat", ([IMAGE, normal(2, 1, 6, 8), normal(2, 3, 6, 8)], 1), {}),
    ("cat", ([normal(2, 1), normal(2, 1)], -1), {}),
    ("stack", ([IMAGE, IMAGE + 1], 2), {}),
    ("slice", (IMAGE, 2, 1, -1, 2), {}),
    ("slice", (IMAGE, -1, -5, 2**63 - 1), {}),
    ("select", (IMAGE, 1, -1), {}),
    ("split", (IMAGE, 4, 3), {}),
    ("split", (normal(2, 7), 3, 1), {}),
    ("split_with_sizes", (IMAGE, [1, 3], 1), {}),
    ("unbind", (IMAGE, 1), {}),
    ("flip", (IMAGE, [2, -1]), {}),
    ("roll", (IMAGE, [-2, 3], [2, 3]), {}),
    ("roll", (IMAGE, [5]), {}),
    ("constant_pad_nd", (IMAGE, [1, 2, -1, 3], 0.5), {}),
    ("constant_pad_nd", (IMAGE, [1, 0]), {}),
    ("reflection_pad1d", (normal(2, 4, 9), [3, 2]), {}),
    ("reflection_pad2d", (IMAGE, [3, 2, 0, 5]), {}),
    ("reflection_pad3d", (normal(1, 2, 4, 5, 6), [1, 2, 3, 0, 1, 1]), {}),
    ("replication_pad1d", (normal(2, 4, 9), [3, 2]), {}),
    ("replication_pad2d", (IMAGE, [3, 2, 0, 4]), {}),
    ("replication_pad3d", (normal(1, 2, 4, 5, 6), [1, 2, 3, 0, 1, 1]), {}),
    ("pixel_shuffle", (normal(2, 12, 3, 5), 2), {}),
    ("pixel_unshuffle", (IMAGE, 2), {}),
    ("channel_shuffle", (normal(2, 12, 3, 5), 3), {}),
    ("slice_scatter", (IMAGE, normal(2, 4, 3, 8), 2, 1, 4), {}),
    ("slice_scatter", (IMAGE[:1], normal(1, 4, 6, 8), 0, 0, 1), {}),
    ("reflection_pad2d", (IMAGE[:, :, :1, :1].repeat(3, 2).repeat(4, 3)[:1, :1], [1, 1, 1, 1]), {}),
    ("slice_scatter", (IMAGE, normal(2, 4, 3, 8), 2, 0, 6, 2), {}),
    ("select_scatter", (IMAGE, normal(2, 6, 8), 1, 2), {}),
    ("unfold", (IMAGE, 3, 3, 2), {}),
    ("im2col", (IMAGE, [3, 2], [1, 2], [1, 0], [2, 1]), {}),
    ("col2im", (normal(2, 18, 35), [7, 5], [3, 3], [1, 1], [1, 1], [1, 1]), {}),
    ("col2im", (normal(2, 8, 12), [8, 6], [2, 2], [1, 1], [0, 0], [2, 2]), {}),
    ("im2col", (IMAGE, [5, 6], [1, 1], [0, 1], [1, 2]), {}),
    ("col2im", (normal(2, 60, 6), [6, 8], [5, 6], [1, 1], [0, 0], [1, 1]), {}),
    ("col2im", (normal(2, 60, 6), [7, 11], [5, 6], [1, 1], [0, 0], [2, 2]), {}),
    ("col2im", (normal(2, 12, 16), [9, 8], [3, 2], [2, 3], [1, 1], [2, 2]), {}),
    ("unfold", (IMAGE, 2, 5, 1), {}),
    ("as_strided", (normal(4, 6), [3, 2, 2], [6, 1, 2], 3), {}),
    ("diagonal", (IMAGE, 1, 2, 3), {}),
    ("tril", (IMAGE, 1), {}),
    ("triu", (IMAGE, -1), {}),
    ("amax", (IMAGE, [2, -1], True), {}),
    ("amin", (IMAGE, [1]), {}),
    ("all", (yes(3, 4), 1), {}),
    ("any", (yes(3, 4), 0, True), {}),
    ("argmax", (IMAGE, 1), {}),
    ("argmax", (IMAGE,), {}),
    ("argmin", (IMAGE, -1, True), {}),
    ("max", (IMAGE,), {}),
    ("max", (IMAGE, 1), {}),
    ("min", (IMAGE, 2, True), {}),
    ("mean", (IMAGE, [2, 3], True), {}),
    ("mean", (IMAGE,), {}),
    ("sum", (IMAGE, [0, 2]), {}),
    ("prod", (IMAGE, 1), {}),
    ("logsumexp", (IMAGE, [1], True), {}),
    ("var", (IMAGE, [1, 2]), {"correction": 1, "keepdim": True}),
    ("var_mean", (IMAGE, [2, 3]), {"correction": 0}),
    *(("linalg_vector_norm", (IMAGE, order, [1], True), {}) for order in (1, 2, 3, float("inf"))),
    ("cumsum", (IMAGE, 2), {}),
    *((name, (array, axis), {}) for name in ("cummax", "cummin")
      for array, axis in ((IMAGE, 2), (whole(2, 3, 9), -1))),
    ("kthvalue", (IMAGE, 3), {}),
    ("kthvalue", (IMAGE, 4, 1, True), {}),
    ("median", (IMAGE,), {}),
    ("median", (normal(3, 5),), {}),
    ("median", (IMAGE, 2), {}),
    ("median", (normal(3, 5), -1, True), {}),
    ("cumprod", (IMAGE, -1), {}),
    ("sort", (IMAGE, 1, True), {}),
    ("sort", (IMAGE,), {"stable": True, "dim": 2, "descending": False}),
    ("argsort", (IMAGE, 3), {}),
    ("topk", (IMAGE, 3, 1), {}),
    ("topk", (IMAGE, 2, -1, False), {}),
    ("mm", (normal(3, 4), normal(4, 5)), {}),
    ("bmm", (normal(2, 3, 4), normal(2, 4, 5)), {}),
    ("addmm", (normal(5), normal(3, 4), normal(4, 5)), {"beta": 0.5, "alpha": 2}),
    ("baddbmm", (normal(2, 3, 5), normal(2, 3, 4), normal(2, 4, 5)), {"beta": 2, "alpha": 0.5}),
    ("mv", (normal(3, 4), normal(4)), {}),
    ("dot", (normal(4), small(4)), {}),
    ("matmul", (IMAGE, normal(8, 3)), {}),
    ("matmul", (IMAGE, normal(1, 4, 8, 3)), {}),
    ("linear", (IMAGE, normal(5, 8), normal(5)), {}),
    ("_softmax", (IMAGE, 1, False), {}),
    ("_log_softmax", (IMAGE, -1, False), {}),
    ("native_layer_norm", (IMAGE, [6, 8], normal(6, 8), normal(8, 6).T.copy(), 1e-5), {}),
    ("native_layer_norm", (IMAGE, [8], None, None, 1e-5), {}),
    ("native_group_norm", (IMAGE, VECTOR, VECTOR + 1, 2, 4, 48, 2, 1e-5), {}),
    ("_native_batch_norm_legit_no_training",
     (IMAGE, VECTOR, VECTOR + 1, VECTOR, positive(4), 0.1, 1e-5), {}),
    ("_native_batch_norm_legit", (IMAGE, VECTOR, None, True, 0.1, 1e-5), {}),
    ("native_batch_norm", (IMAGE, VECTOR, None, VECTOR, positive(4), False, 0.1, 1e-5), {}),
    ("scaled_dot_product_attention", (normal(2, 3, 5, 4), normal(2, 3, 7, 4), normal(2, 3, 7, 6)),
     {}),
    ("scaled_dot_product_attention",
     (normal(2, 3, 5, 4), normal(2, 3, 7, 4), normal(2, 3, 7, 4), normal(5, 7)), {"scale": 0.3}),
    ("_scaled_dot_product_flash_attention_for_cpu",
     (normal(2, 3, 5, 4), normal(2, 3, 7, 4), normal(2, 3, 7, 4)), {}),
    ("conv1d", (normal(2, 4, 9), normal(6, 4, 3), None, [2], [1]), {}),
    ("conv2d", (IMAGE, normal(6, 4, 3, 5), normal(6), [1, 2], [1, 2], [2, 1]), {}),
    ("conv2d", (IMAGE, normal(4, 1, 3, 3), normal(4), [1, 1], [1, 1], [1, 1], 4), {}),
    ("conv2d", (IMAGE, normal(6, 2, 3, 3), None, [2, 1], [0, 1], [1, 1], 2), {}),
    ("convolution", (normal(1, 2, 5, 6, 7), normal(3, 2, 3, 3, 3), normal(3), [1] * 3, [1] * 3,
                     [1] * 3, False, [0] * 3, 1), {}),
    ("convolution", (IMAGE, normal(4, 3, 4, 4), normal(3), [2, 2], [1, 1], [1, 1], True, [0, 0],
                     1), {}),
    ("convolution", (IMAGE, normal(4, 3, 3, 3), None, [2, 2], [1, 0], [1, 1], True, [1, 0], 1), {}),
    ("convolution", (IMAGE, normal(4, 3, 3, 3), None, [2, 3], [1, 0], [2, 1], True, [1, 0], 2), {}),
    ("convolution", (normal(2, 4, 9), normal(4, 3, 4), normal(3), [2], [1], [1], True, [0], 1), {}),
    ("avg_pool1d", (normal(2, 4, 9), [3], [2], [1]), {}),
    ("avg_pool2d", (IMAGE, [3, 2], [2, 2], [1, 0]), {}),
    ("avg_pool2d", (IMAGE, [3], [2], [1], False, False), {}),
    ("avg_pool2d", (IMAGE, [3, 3], [2, 3], [1, 1], True), {}),
    ("avg_pool2d", (IMAGE, [2, 2], [], 0, False, True, 3), {}),
    ("avg_pool3d", (normal(1, 2, 4, 5, 6), [3, 2, 1], [1, 2, 1], [1, 0, 0], False, False), {}),
    ("max_pool3d_with_indices", (-positive(1, 2, 4, 5, 6), [3, 2, 2], [1, 2, 1], [1, 0, 1]), {}),
    ("max_pool2d", (-positive(2, 4, 6, 8), [3, 3], [2, 1], [1, 1]), {}),
    ("max_pool2d_with_indices", (IMAGE, [2, 2]), {}),
    ("max_pool2d_with_indices", (-positive(2, 4, 7, 8), [3, 2], [2, 2], [1, 1], [1, 2], True), {}),
    ("max_pool1d_with_indices", (normal(2, 4, 9), [3]), {}),
    ("adaptive_avg_pool1d", (normal(2, 4, 9), [4]), {}),
    ("adaptive_avg_pool2d", (IMAGE, [3, 5]), {}),
    ("_adaptive_avg_pool2d", (IMAGE, [3, 4]), {}),
    ("adaptive_avg_pool2d", (IMAGE, [1, 1]), {}),
    ("adaptive_max_pool1d", (-positive(2, 4, 9), [4]), {}),
    ("adaptive_max_pool2d", (-positive(2, 4, 6, 8), [4, 3]), {}),
    ("adaptive_max_pool2d", (IMAGE, [3, 2]), {}),
    *(("upsample_nearest2d", (IMAGE, size, scales), {})
      for size, scales in ((None, [2.0, 3.0]), (None, [0.5, 0.5]), ([9, 5], None), ([4, 20], None))
      ),
    ("upsample_nearest1d", (normal(2, 4, 9), None, [2.0]), {}),
    ("_upsample_nearest_exact1d", (normal(2, 4, 9), [4], None), {}),
    ("_upsample_nearest_exact2d", (IMAGE, [9, 5], None), {}),
    ("upsample_linear1d", (normal(2, 4, 9), [20], False, None), {}),
    *((f"upsample_{kind}2d", (IMAGE, size, aligned, scales), {})
      for kind in ("bilinear", "bicubic") for aligned in (False, True)
      for size, scales in (
          (None, [2.0, 4.0]), (None, [0.5, 0.5]), ([9, 5], None), ([6, 32], None), ([1, 3], None),
          (None, [1.3, 0.7]))),
    *((f"_upsample_{kind}2d_aa", (IMAGE, size, aligned, scales), {})
      for kind in ("bilinear", "bicubic") for aligned in (False, True)
      for size, scales in ((None, [0.5, 0.25]), ([4, 5], None), ([12, 20], None))),
    *(("grid_sampler_2d", (IMAGE, GRID, mode, padding, aligned), {})
      for mode in (0, 1, 2) for padding in (0, 1, 2) for aligned in (False, True)),
    ("index", (IMAGE, [None, None, ROWS, COLUMNS]), {}),
    ("index", (IMAGE, [None, INDEX]), {}),
    ("index", (IMAGE, [None, None, np.asarray([1, 2, 3, 4, 5, 0]), None]), {}),
    ("index", (IMAGE, [INDEX % 2, INDEX, None, INDEX]), {}),
    ("index", (IMAGE, [None, INDEX[:, None], None, INDEX]), {}),
    ("index", (normal(9, 3), [np.arange(9)[:, None] // np.arange(1, 4)]), {}),
    ("index_select", (IMAGE, 1, INDEX), {}),
    ("index_select", (IMAGE, 3, np.asarray([7, 5, 3, 1])), {}),
    ("index_put", (IMAGE, [None, np.asarray([3, 0, 2])], normal(2, 3, 6, 8)), {}),
    ("index_put", (IMAGE, [None, INDEX], normal(2, 4, 6, 8), True), {}),
    ("index_put", (IMAGE, [yes(2, 4, 6, 8)], np.asarray(2.5, np.float32)), {}),
    ("gather", (IMAGE, 1, np.abs(whole(2, 3, 6, 5)) % 4), {}),
    ("scatter", (normal(4, 6), 1, np.asarray([[0, 2], [1, 5], [3, 4]]), 2.5), {}),
    ("scatter", (normal(4, 6), 1, np.asarray([[5], [0], [2], [2]]), 2.5), {}),
    ("scatter", (normal(4, 6), -2, np.asarray([[3, 0, 1, 1, 2, 0]]), normal(1, 6)), {}),
    ("scatter", (normal(4, 6), 0, np.asarray([[0, 2], [1, 3]]), normal(3, 3)), {}),
    ("scatter", (normal(4, 6), 0, np.asarray([[0, 2], [1, 3]]), 2.0), {"reduce": "multiply"}),
    ("scatter_add", (normal(4, 6), 1, np.asarray([[0, 0], [1, 5]]), normal(3, 3)), {}),
    *(("scatter_reduce", (normal(4, 6), 1, np.asarray([[0, 0, 0], [1, 5, 1]]), normal(3, 3), kind),
       {"include_self": own})
      for kind in ("sum", "prod", "mean", "amax", "amin") for own in (True, False)),
    ("masked_scatter", (IMAGE, yes(6, 8), normal(3, 200)), {}),
    ("embedding", (normal(9, 3), np.abs(whole(2, 5)) % 9), {}),
    ("_fft_r2c", (IMAGE, [2, 3], 0, True), {}),
    ("_fft_r2c", (IMAGE, [3, 2], 1, True), {}),
    ("_fft_r2c", (IMAGE, [3], 2, False), {}),
    ("_fft_c2r", (complex_(4, 6, 5), [1, 2], 2, 8), {}),
    ("_fft_c2r", (complex_(4, 6, 5), [2], 1, 9), {}),
    ("_fft_c2c", (complex_(4, 6, 5), [0, 2], 0, True), {}),
    ("_fft_c2c", (complex_(4, 6, 5), [1], 2, False), {}),
    *(("grid_sampler_3d", (normal(2, 3, 4, 5, 6), small(2, 3, 4, 5, 3) * np.float32(1.3), mode,
                           padding, aligned), {})
      for mode in (0, 1) for padding in (0, 1, 2) for aligned in (False, True)),
    ("digamma", (positive(4, 6),), {}),
    ("lgamma", (positive(4, 6),), {}),
    ("i0", (IMAGE,), {}),
    ("dist", (IMAGE, normal(4, 6, 8)), {}),
    ("dist", (IMAGE, VECTOR[:, None, None], 1), {}),
    ("searchsorted", (np.sort(VECTOR), IMAGE), {"right": True}),
    ("searchsorted", (np.sort(VECTOR), IMAGE), {}),
    ("rrelu_with_noise_functional", (IMAGE, IMAGE, 0.1, 0.4, False), {}),
    ("fake_quantize_per_tensor_affine_cachemask", (IMAGE, 0.03, 3, 0, 50), {}),
    ("fake_quantize_per_channel_affine_cachemask",
     (IMAGE, positive(4), np.asarray([0, 3, 1, 2], np.float32), 1, 0, 50), {}),
    ("_trilinear", (normal(5, 3), normal(2, 3, 4), normal(5, 4), [1, 3], [0], [1, 2], [2, 3]), {}),
    ("convolution_backward", (IMAGE, normal(2, 3, 6, 8), normal(4, 3, 3, 3), [4], [1, 1], [1, 1],
                              [1, 1], False, [0, 0], 1, [True, True, True]), {}),
    ("convolution_backward", (normal(2, 4, 12, 16), IMAGE, normal(4, 2, 2, 2), None, [2, 2],
                              [0, 0], [1, 1], True, [0, 0], 2, [True, True, False]), {}),
    ("_convolution", (IMAGE, normal(6, 4, 3, 3), normal(6), [1, 1], [1, 1], [1, 1], False, [0, 0],
                      1, False, False, True, True), {}),
    ("_scaled_dot_product_flash_attention_for_cpu",
     (normal(2, 3, 5, 4), normal(2, 3, 5, 4), normal(2, 3, 5, 4), 0.0, True), {}),
    ("_linalg_det", (MATRICES,), {}),
    ("_linalg_slogdet", (MATRICES,), {}),
    ("_linalg_eigh", (MATRICES, "L", False), {}),
    ("_linalg_svd", (normal(2, 6, 4), False, False), {}),
    ("_linalg_solve_ex", (MATRICES, normal(2, 4, 3)), {}),
    ("_linalg_solve_ex", (MATRICES, normal(2, 4)), {}),
    ("_linalg_solve_ex", (MATRICES, normal(3, 4)), {"left": False}),
    ("linalg_cholesky_ex", (MATRICES,), {}),
    ("linalg_cholesky_ex", (MATRICES,), {"upper": True}),
    ("linalg_householder_product", (normal(2, 6, 4), normal(2, 4)), {}),
    ("linalg_inv_ex", (MATRICES,), {}),
    ("linalg_matrix_exp", (normal(2, 4, 4),), {}),
    ("linalg_qr", (normal(2, 6, 4),), {}),
    ("linalg_solve_triangular", (MATRICES, normal(4, 3)), {"upper": True}),
    ("linalg_solve_triangular", (MATRICES, normal(3, 4)), {"upper": False, "left": False}),
    ("view_as_complex", (normal(3, 4, 2),), {}),
    ("view_as_real", (complex_(3, 4),), {}),
]  # fmt: skip
NOT_OF_TORCH = {"as_strided_copy", "_local_scalar_dense", "torchvision.deform_conv2d"}
"""The first is as_strided; the second makes a number of a tensor, which has no value to compare.

The third is not torch's own, and is compared in `test_rare_operations.py`.
"""


def lie(value, rng):
    """An array whose axes lie in a random order."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "i" or value.ndim == 0:
            return Laid.of(value)  # indices are known
        order = rng.permutation(value.ndim).tolist()
        return Laid.of(jnp.asarray(value.transpose(order)), order)
    if isinstance(value, list):
        return [lie(own, rng) for own in value]
    return value


def tensors(value):
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.ascontiguousarray(value))
        return value.long() if value.dtype == torch.int32 else value
    return [tensors(own) for own in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("name", "args", "options"), CASES, ids=[f"{k}-{case[0]}" for k, case in enumerate(CASES)]
)
def test_every_operation_is_torchs(name, args, options):
    torch_name = {"t": "t", "as_strided_copy": "as_strided"}.get(name, name)
    wanted = getattr(torch.ops.aten, torch_name)(*map(tensors, args), **options)
    rng = np.random.default_rng(0)
    found = TABLE[name](*(lie(value, rng) for value in args), **options)
    several = isinstance(wanted, tuple | list)
    wanted = wanted if several else (wanted,)
    found = found if several else (found,)
    found = [one() if callable(one) else one for one in found]
    compared = 0
    for ours, torchs in zip(found, wanted, strict=False):
        if ours is None:
            continue
        torchs = torchs.resolve_conj()
        assert ours.shape == tuple(torchs.shape)
        np.testing.assert_allclose(
            np.asarray(ours.plain(), torchs.numpy().dtype), torchs.numpy(), rtol=2e-5, atol=2e-5
        )
        compared += 1
    assert compared


def test_types_mix_as_torchs_do():
    names = ("bool", "int8", "uint8", "int32", "float16", "bfloat16", "float32", "complex64")
    for first, second in itertools.product(names, names):
        for shapes in itertools.product(((3,), ()), repeat=2):
            own = [Laid.of(jnp.ones(s, n)) for s, n in zip(shapes, (first, second), strict=True)]
            pair = [
                torch.ones(s, dtype=getattr(torch, n))
                for s, n in zip(shapes, (first, second), strict=True)
            ]
            wanted = str(torch.result_type(*pair)).removeprefix("torch.")
            if "complex64" in (first, second) and wanted != "complex64":
                continue  # complex numbers of half precision, which JAX does not have
            assert {str(value.dtype) for value in promoted(own)} == {wanted}, (first, second)
        for number in (2, 0.5):
            own = Laid.of(jnp.ones(3, first))
            wanted = torch.result_type(torch.ones(3, dtype=getattr(torch, first)), number)
            wanted = str(wanted).removeprefix("torch.").replace("int64", "int32")
            assert str(promoted([own], [number])[0].dtype) == wanted


def test_no_operation_is_left_out():
    assert {name for name, _, _ in CASES} | NOT_OF_TORCH == set(TABLE)
