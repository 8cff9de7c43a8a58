"""Deterministic weights and images for parity fixtures, in numpy alone.

Every array is a pure function of a name, a shape and a salt, so that a port can be filled and
checked without torch and without any checkpoint. Values are float32, in torch layout (convolutions
OIHW, transposed ones IOHW, linear OI).
"""

import zlib

import numpy as np


def normals(key, shape, salt=0):
    """float64 standard normals named by (salt, key)."""
    seed = zlib.crc32(f"{salt}:{key}".encode())
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(tuple(shape))


def weight(key, shape, salt=0, gain=1.0, bias=0.05, vector="norm", key_gain=None):
    """Value of one floating state-dict entry, from its name and shape.

    gain, bias, vector and key_gain are per-architecture constants: pass
    ``**manifest["formula_args"]``.  The first rule that fits is used (n: normals):

      last part of the key                                        value
      'running_mean'                                              0.1 n
      'running_var'                                               1 + 0.1 |n|
      'temperature'                                               3 (1 + 0.1 n)
      'relative_position_bias_table', 'relative_position_params',
      'rel_height', 'rel_width'                                   0.5 n
      'gamma', 'beta'  (scalars or (1,C,1,1) residual scales)     0.3 + 0.1 n
      ndim <= 1, ends with 'bias'                                 bias * n
      ndim <= 1, ends with 'weight', vector == "norm"             1 + 0.1 n
      ndim <= 1, ends with 'weight', vector == "prelu"            0.25 + 0.05 n
      ndim >= 2                                        gain * n / sqrt(prod(shape[1:]))
                     (times key_gain[s] for every s that is a substring of the key)
      anything else                                               0.1 n

    prod(shape[1:]) is taken on the torch shape, for conv-transpose kernels
    (in, out, kh, kw) too; the result is in torch layout.
    """
    shape = tuple(int(s) for s in shape)
    n = normals(key, shape, salt)
    last = key.split(".")[-1]
    if last == "running_mean":
        v = 0.1 * n
    elif last == "running_var":
        v = 1.0 + 0.1 * np.abs(n)
    elif last == "temperature":
        v = 3.0 * (1.0 + 0.1 * n)
    elif last in (
        "relative_position_bias_table",
        "relative_position_params",
        "rel_height",
        "rel_width",
    ):
        v = 0.5 * n
    elif last in ("gamma", "beta"):
        v = 0.3 + 0.1 * n
    elif len(shape) <= 1 and last.endswith("bias"):
        v = bias * n
    elif len(shape) <= 1 and last.endswith("weight"):
        v = 0.25 + 0.05 * n if vector == "prelu" else 1.0 + 0.1 * n
    elif len(shape) >= 2:
        for part, factor in (key_gain or {}).items():
            if part in key:
                gain = gain * factor
        v = gain * n / np.sqrt(float(np.prod(shape[1:])))
    else:
        v = 0.1 * n
    return np.asarray(v, np.float32)


def image(h, w, c=3, salt=0):
    """Smooth-plus-texture test image, float32 HWC in [0, 1]."""
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(f"image:{salt}".encode())))
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    out = np.empty((h, w, c))
    for k in range(c):
        a = rng.uniform(0.5, 1.5, 6)
        p = rng.uniform(0.0, 2 * np.pi, 4)
        smooth = np.sin(a[0] * x / 9 + p[0]) * np.cos(a[1] * y / 7 + p[1])
        stripe = np.sign(np.sin(a[2] * x / 2.5 + a[3] * y / 4 + p[2]))
        wave = np.sin(a[4] * x * 1.1 - a[5] * y * 0.8 + p[3])
        out[..., k] = 0.5 + 0.22 * smooth + 0.08 * stripe + 0.07 * wave
    out += 0.03 * rng.standard_normal((h, w, c))
    return np.clip(out, 0.0, 1.0).astype(np.float32)
