"""Photographs of every kind that people have: right, or refused with what to do."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, features
from test_image_files import png16

import cem_jax as cem
from cem_jax.scene import image as image_module
from cem_jax.scene.image import image_size

RANDOM = np.random.default_rng(1)
SMOOTH = np.stack(
    np.broadcast_arrays(np.linspace(20, 230, 48)[:, None], np.linspace(10, 200, 40), 90), -1
).astype(np.uint8)
"""Survives lossy formats."""


def close(found: np.ndarray, wanted: np.ndarray, most: float) -> bool:
    return float(np.abs(found.astype(float) - wanted).mean()) < most


def needs(feature: str):
    has = feature in features.get_supported()
    return pytest.mark.skipif(not has, reason=f"Pillow without {feature}")


@pytest.mark.parametrize("name", ["ink.jpg", "ink.tif"])
def test_cmyk_is_the_colour_that_it_prints(name, tmp_path):
    """Of inks without a profile: red is no cyan, all magenta, all yellow."""
    ink = np.zeros((32, 32, 4), np.uint8)
    ink[:16] = (0, 255, 255, 0)
    ink[16:, :16], ink[16:, 16:] = (255, 0, 0, 0), (0, 0, 0, 128)
    more = {"quality": 100, "subsampling": 0} if name.endswith("jpg") else {}
    Image.fromarray(ink, "CMYK").save(tmp_path / name, **more)
    found = cem.open_image(tmp_path / name)
    for place, wanted in (((8, 16), (255, 0, 0)), ((24, 8), (0, 255, 255)), ((24, 24), 127)):
        np.testing.assert_allclose(found[place], wanted, atol=3)


def test_transparent_palettes_are_refused_and_opaque_ones_are_colours(tmp_path):
    few = np.array([[255, 0, 0], [0, 255, 0], [10, 20, 30]], np.uint8)[
        RANDOM.integers(0, 3, (9, 9))
    ]
    picture = Image.fromarray(few).quantize(3)
    for name, transparency in (("one", 1), ("several", bytes([255, 128, 255]))):
        picture.save(tmp_path / f"{name}.png", transparency=transparency)
        with pytest.raises(ValueError, match=rf"{name}\.png.*partly transparent"):
            cem.open_image(tmp_path / f"{name}.png")
    picture.save(tmp_path / "opaque.png", transparency=bytes([255, 255, 255]))
    np.testing.assert_array_equal(cem.open_image(tmp_path / "opaque.png"), few)


def test_single_bits_and_grey_with_alpha(tmp_path):
    bits = RANDOM.integers(0, 2, (9, 13)).astype(bool)
    for name in ("bits.png", "bits.tif", "bits.bmp", "bits.pbm"):
        Image.fromarray(bits).save(tmp_path / name)
        found = cem.open_image(tmp_path / name, grey=True)
        np.testing.assert_array_equal(found[..., 0], 255 * bits)
    grey = RANDOM.integers(0, 256, (9, 13, 2)).astype(np.uint8)
    grey[..., 1] = 255
    Image.fromarray(grey, "LA").save(tmp_path / "grey.png")
    found = cem.open_image(tmp_path / "grey.png")
    np.testing.assert_array_equal(found, np.repeat(grey[..., :1], 3, axis=2))
    grey[4, 4, 1] = 254
    Image.fromarray(grey, "LA").save(tmp_path / "glass.png")
    with pytest.raises(ValueError, match="partly transparent"):
        cem.open_image(tmp_path / "glass.png")


def test_grey_of_16_bits_is_kept(tmp_path):
    deep = RANDOM.integers(0, 65536, (9, 13)).astype(np.uint16)
    for name in ("deep.png", "deep.tif"):
        Image.fromarray(deep).save(tmp_path / name)
        found = cem.open_image(tmp_path / name, grey=True)
        np.testing.assert_array_equal(np.round(found[..., 0] * 65535), deep)


def chunked(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def test_a_colour_that_stands_for_none_is_seen_in_16_bits_too(tmp_path):
    deep = RANDOM.integers(0, 65535, (7, 5, 3)).astype(np.uint16)
    data = png16(deep, [0, 1, 2])
    end_of_head = 8 + 25
    for key, transparent in ((deep[2, 3], True), (np.full(3, 65535, np.uint16), False)):
        chunk = chunked(b"tRNS", key.astype(">u2").tobytes())
        (tmp_path / "key.png").write_bytes(data[:end_of_head] + chunk + data[end_of_head:])
        if transparent:
            with pytest.raises(ValueError, match="partly transparent"):
                cem.open_image(tmp_path / "key.png")
        else:
            found = cem.open_image(tmp_path / "key.png")
            np.testing.assert_array_equal(np.round(found * 65535), deep)


def test_no_damaged_byte_of_a_png_of_16_bits_is_taken_for_a_pixel(tmp_path):
    deep = RANDOM.integers(0, 65536, (6, 5, 3)).astype(np.uint16)
    data = png16(deep, [0])
    (tmp_path / "a.png").write_bytes(data)
    whole = cem.open_image(tmp_path / "a.png")
    for place in range(8, len(data)):
        (tmp_path / "a.png").write_bytes(
            data[:place] + bytes([data[place] ^ 0x11]) + data[place + 1 :]
        )
        try:
            found = cem.open_image(tmp_path / "a.png")
        except ValueError as error:
            assert "a.png" in str(error)
        else:  # behind the pixels
            np.testing.assert_array_equal(found, whole)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.01, 1.01, 255.0])
def test_a_floating_tiff_with_one_wrong_value_is_refused(value, tmp_path):
    ramp = np.linspace(0, 1, 63, dtype=np.float32).reshape(9, 7)
    ramp[3, 3] = value
    Image.fromarray(ramp).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=r"a\.tif.*expected .*\[0, 1\]"):
        cem.open_image(tmp_path / "a.tif")


def test_images_without_pixels_are_refused(tmp_path):
    empty = b"\x89PNG\r\n\x1a\n" + b"".join(
        chunked(name, body)
        for name, body in (
            (b"IHDR", struct.pack(">IIBBBBB", 0, 5, 8, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress(b"")), (b"IEND", b""),
        )
    )  # fmt: skip
    deep = empty.replace(b"\x05\x08\x02", b"\x05\x10\x02")
    head = deep[12:29]
    deep = deep[:29] + struct.pack(">I", zlib.crc32(head)) + deep[33:]
    files = {
        "a.png": empty, "deep.png": deep, "a.ppm": b"P6\n0 5\n255\n", "a.pgm": b"P5\n0 0\n255\n",
        "a.gif": b"GIF89a" + bytes(7), "none.jpg": b"",
    }  # fmt: skip
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=rf"{name}' cannot be read: \w"):
            cem.open_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.avif", "a.jp2", "a.tif"])
def test_of_truncated_photographs_no_pixel_is_made_up(name, tmp_path):
    path = tmp_path / name
    try:
        Image.fromarray(SMOOTH).save(path)
    except (OSError, KeyError, ValueError):
        pytest.skip(f"Pillow writes no {name}")
    data = path.read_bytes()
    for share in (0.3, 0.6, 0.9):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(ValueError, match=rf"{name}' cannot be read: "):
            cem.open_image(path)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif", "a.avif"])
def test_animations_are_refused(name, tmp_path):
    path = tmp_path / name
    more = {"save_all": True, "append_images": [Image.fromarray(255 - SMOOTH)]}
    try:
        Image.fromarray(SMOOTH).save(path, **more)
    except (OSError, KeyError, ValueError):
        pytest.skip(f"Pillow writes no {name}")
    with pytest.raises(ValueError, match=r"several frames; expected a photograph"):
        cem.open_image(path)


@needs("avif")
def test_avif_of_8_bits_is_read(tmp_path, monkeypatch):
    Image.fromarray(SMOOTH).save(tmp_path / "a.avif", quality=95)
    assert close(cem.open_image(tmp_path / "a.avif"), SMOOTH, 3)
    data = (tmp_path / "a.avif").read_bytes()
    at = data.index(b"av1C") + 6
    for flags, bits in ((0x40, 10), (0x60, 12)):
        changed = data[:at] + bytes([data[at] & ~0x60 | flags]) + data[at + 1 :]
        assert image_module._bits_of_avif(changed) == bits
    assert image_module._bits_of_avif(data) == image_module._bits_of_avif(b"") == 8
    # Pillow writes none of more bits, and refuses a box that contradicts the picture.
    monkeypatch.setattr(image_module, "_bits_of_avif", lambda data: 10)
    with pytest.raises(ValueError, match=r"an? AVIF of 10 bits a channel.*PNG of 16 bits"):
        cem.open_image(tmp_path / "a.avif")


@needs("jpg_2000")
def test_jpeg_2000_is_read_and_not_cut_to_eight_bits(tmp_path):
    Image.fromarray(SMOOTH).save(tmp_path / "a.jp2")
    np.testing.assert_array_equal(cem.open_image(tmp_path / "a.jp2"), SMOOTH)
    deep = RANDOM.integers(0, 65536, (16, 16)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.jp2")
    found = cem.open_image(tmp_path / "deep.jp2", grey=True)
    np.testing.assert_array_equal(np.round(found[..., 0] * 65535), deep)
    data = (tmp_path / "a.jp2").read_bytes()
    at = data.index(b"\xff\x4f\xff\x51") + 42
    changed = bytearray(data)
    changed[at : at + 9 : 3] = bytes([11] * 3)  # 12 bits of each of three channels
    (tmp_path / "colour.jp2").write_bytes(changed)
    with pytest.raises(ValueError, match=r"a JPEG2000 of 12 bits a channel.*PNG of 16 bits"):
        cem.open_image(tmp_path / "colour.jp2")


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_heic_is_told_by_its_name(brand, tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(200))
    for read in (cem.open_image, image_size):
        with pytest.raises(ValueError, match=r"a\.heic' cannot be read: it is HEIC.*save it as"):
            read(tmp_path / "a.heic")


def test_what_is_no_image_is_told_and_pipes_are_not_waited_for(tmp_path):
    (tmp_path / "a.png").write_bytes(b"text")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    for name, message in (
        ("a.png", "no image that Pillow recognises"), ("pipe.png", "it is no file"),
        ("folder.png", "it is no file"), ("none.png", "No such file"),
    ):  # fmt: skip
        for read in (cem.open_image, image_size):
            with pytest.raises(ValueError, match=rf"{name}' cannot be read: {message}"):
                read(tmp_path / name)
    with pytest.raises(ValueError, match="it is no file"):
        cem.open_image("/dev/zero")


@needs("littlecms2")
def test_colours_with_a_profile_are_read_as_their_numbers(tmp_path):
    """As the documentation says: numbers of a wide gamut are not converted."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    Image.fromarray(SMOOTH).save(tmp_path / "wide.png", icc_profile=profile)
    np.testing.assert_array_equal(cem.open_image(tmp_path / "wide.png"), SMOOTH)
    assert "Colour profiles are not applied" in " ".join((cem.open_image.__doc__ or "").split())


def test_a_hundred_megapixels_are_refused_by_the_head(tmp_path):
    """Without a hundred megapixels of memory, whatever the file's kind."""
    import tracemalloc

    line = zlib.compress(bytes(30_001) * 100, 9)
    head = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    files = {"bomb.png": b"\x89PNG\r\n\x1a\n" + chunked(b"IHDR", head) + chunked(b"IDAT", line)}
    deep = struct.pack(">IIBBBBB", 10_000, 10_000, 16, 2, 0, 0, 0)
    files["deep.png"] = b"\x89PNG\r\n\x1a\n" + chunked(b"IHDR", deep) + chunked(b"IDAT", line)
    for name, kind in (("bomb.gif", "GIF"), ("bomb.tif", "TIFF"), ("bomb.bmp", "BMP")):
        written = io.BytesIO()
        Image.new("1", (10_000, 10_000)).save(written, kind)
        files[name] = written.getvalue()
    files["bomb.ppm"] = b"P6\n10000 10000\n255\n" + bytes(100)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match=r"10000 x 10000 pixels; at most 67108864"):
                cem.open_image(tmp_path / name)
            assert tracemalloc.get_traced_memory()[1] < 2e7
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("mode", ["LAB", "HSV", "YCbCr"])
def test_other_colours_are_those_of_the_picture_or_refused(mode, tmp_path):
    try:
        Image.fromarray(SMOOTH).convert(mode).save(tmp_path / "a.tif")
    except (OSError, ValueError, KeyError):
        return
    try:
        found = cem.open_image(tmp_path / "a.tif")
    except ValueError as error:
        assert "a.tif" in str(error)
    else:
        assert close(found, SMOOTH, 3)
