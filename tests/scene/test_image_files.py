"""Photographs are read as viewers show them, at the precision that their files have."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import cem_jax as cem
from cem_jax.scene import image as image_module
from cem_jax.scene.image import image_size

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (20, 28, 3)).astype(np.uint8)


def png16(pixels: np.ndarray, filters: list[int], interlaced: int = 0) -> bytes:
    """A PNG of 16 bits a channel, each row filtered in the given way; written byte by byte."""
    height, width, channels = pixels.shape
    raw = np.ascontiguousarray(pixels, ">u2").view(np.uint8).reshape(height, -1).astype(int)
    step, lines = 2 * channels, bytearray()
    for y in range(height):
        kind = filters[y % len(filters)]
        lines.append(kind)
        for i in range(raw.shape[1]):
            a = raw[y, i - step] if i >= step else 0
            b = raw[y - 1, i] if y else 0
            c = raw[y - 1, i - step] if y and i >= step else 0
            guess = a + b - c
            nearest = min((abs(guess - a), 0, a), (abs(guess - b), 1, b), (abs(guess - c), 2, c))
            base = [0, a, b, (a + b) // 2, nearest[2]][kind]
            lines.append((raw[y, i] - base) % 256)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, interlaced)
    data = zlib.compress(bytes(lines))
    parts = [chunk(b"IDAT", data[:50]), chunk(b"IDAT", data[50:])]
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(parts) + chunk(b"IEND", b"")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_photographs_are_turned_as_viewers_do(tmp_path, orientation, suffix):
    """The corner that EXIF calls the first pixel's is compared, for all eight orientations."""
    picture = np.zeros((24, 40, 3), np.uint8)
    picture[:8, :8], picture[:8, -8:], picture[-8:, :8] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    # What a viewer shows at the upper left, upper right and lower left, by EXIF's table.
    red, green, blue = {
        1: ((0, 0), (0, 1), (1, 0)), 2: ((0, 1), (0, 0), (1, 1)), 3: ((1, 1), (1, 0), (0, 1)),
        4: ((1, 0), (1, 1), (0, 0)), 5: ((0, 0), (1, 0), (0, 1)), 6: ((0, 1), (1, 1), (0, 0)),
        7: ((1, 1), (0, 1), (1, 0)), 8: ((1, 0), (0, 0), (1, 1)),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"photo.{suffix}"
    more = {"quality": 95, "subsampling": 0} if suffix == "jpg" else {}
    Image.fromarray(picture).save(path, exif=exif, **more)
    found = cem.open_image(path)
    assert found.shape == ((40, 24, 3) if orientation >= 5 else (24, 40, 3))
    assert image_size(path) == found.shape[:2]
    for channel, (down, right) in enumerate((red, green, blue)):
        patch = found[-4 if down else 3, -4 if right else 3]
        assert patch.argmax() == channel and patch[channel] > 200


def test_sixteen_bit_colour_is_kept_with_every_filter(tmp_path):
    deep = RANDOM.integers(0, 65536, (11, 7, 4)).astype(np.uint16)
    deep[..., 3] = 65535
    for channels in ([0], [0, 3], [0, 1, 2], [0, 1, 2, 3]):
        path = tmp_path / f"{len(channels)}.png"
        path.write_bytes(png16(deep[..., channels], [0, 1, 2, 3, 4]))
        found = cem.open_image(path)
        assert found.dtype == np.float32
        pixels = deep[..., [c for c in channels if c < 3]]
        np.testing.assert_array_equal(np.round(found * 65535), np.broadcast_to(pixels, (11, 7, 3)))
    deep[2, 3, 3] = 65534
    (tmp_path / "glass.png").write_bytes(png16(deep, [4]))
    (tmp_path / "adam.png").write_bytes(png16(deep[..., :3], [4], interlaced=1))
    (tmp_path / "cut.png").write_bytes(png16(deep[..., :3], [4])[:150])
    for name, message in (("glass", "transparent"), ("adam", "interlac"), ("cut", "cut.png")):
        with pytest.raises(ValueError, match=message):
            cem.open_image(tmp_path / f"{name}.png")


def test_sixteen_bits_agree_with_pillow_where_it_keeps_eight(tmp_path):
    deep = RANDOM.integers(0, 65536, (16, 16, 3)).astype(np.uint16)
    (tmp_path / "deep.png").write_bytes(png16(deep, [4, 3, 1]))
    with Image.open(tmp_path / "deep.png") as eight:
        high = np.asarray(eight.convert("RGB"))
    np.testing.assert_array_equal(
        np.floor(cem.open_image(tmp_path / "deep.png") * 65535 / 256), high
    )


def test_floating_and_deep_tiffs_are_read_by_their_range_or_refused(tmp_path):
    ramp = np.linspace(0, 1, 20 * 28, dtype=np.float32).reshape(20, 28)
    Image.fromarray(ramp).save(tmp_path / "unit.tif")
    found = cem.open_image(tmp_path / "unit.tif")
    assert found.dtype == np.float32 and found.shape == (20, 28, 3)
    np.testing.assert_array_equal(found[..., 2], ramp)
    for name, factor in (("bytes", 255.0), ("negative", -1.0), ("nothing", np.nan)):
        Image.fromarray(ramp * np.float32(factor)).save(tmp_path / f"{name}.tif")
        with pytest.raises(ValueError, match=rf"{name}\.tif.*\[0, 1\]"):
            cem.open_image(tmp_path / f"{name}.tif")
    deep = (ramp * 65535).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.tif")
    np.testing.assert_allclose(
        cem.open_image(tmp_path / "deep.tif")[..., 0], deep / 65535, atol=1e-7
    )
    Image.fromarray((ramp * 255).astype(np.int32)).save(tmp_path / "wide.tif")
    with pytest.raises(ValueError, match=r"wide\.tif.*32 bits"):
        cem.open_image(tmp_path / "wide.tif")


def test_the_first_picture_of_a_phones_file_is_read_and_animations_are_refused(tmp_path):
    first, second = Image.fromarray(COLOUR), Image.fromarray(255 - COLOUR)
    first.save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[second], quality=95)
    with Image.open(tmp_path / "phone.jpg") as opened:
        assert opened.format == "MPO" and opened.n_frames == 2
        expected = np.asarray(opened.convert("RGB"))
    np.testing.assert_array_equal(cem.open_image(tmp_path / "phone.jpg"), expected)
    for name in ("moving.gif", "moving.png", "pages.tif"):
        more = {"save_all": True, "append_images": [Image.fromarray(255 - COLOUR)]}
        Image.fromarray(COLOUR).save(tmp_path / name, **more)
        with pytest.raises(ValueError, match="several frames"):
            cem.open_image(tmp_path / name)


def test_palettes_and_cmyk_become_colours(tmp_path):
    few = np.array([[255, 0, 0], [0, 255, 0], [10, 20, 30]], np.uint8)[
        RANDOM.integers(0, 3, (9, 9))
    ]
    Image.fromarray(few).quantize(3).save(tmp_path / "palette.png")
    np.testing.assert_array_equal(cem.open_image(tmp_path / "palette.png"), few)
    ink = Image.fromarray(few).convert("CMYK")
    ink.save(tmp_path / "ink.tif")
    np.testing.assert_array_equal(cem.open_image(tmp_path / "ink.tif"), few)
    Image.fromarray(few).quantize(3).save(tmp_path / "hole.gif", transparency=0)
    with pytest.raises(ValueError, match="transparent"):
        cem.open_image(tmp_path / "hole.gif")


def test_grey_is_what_pillow_calls_grey(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "colour.png")
    expected = np.asarray(Image.fromarray(COLOUR).convert("L"))[..., None]
    np.testing.assert_array_equal(cem.open_image(tmp_path / "colour.png", grey=True), expected)
    np.testing.assert_array_equal(cem.to_grey(COLOUR), expected)
    floating = cem.to_grey(COLOUR / 255)
    assert floating.dtype == np.float32
    np.testing.assert_allclose(floating, expected / 255, atol=0.501 / 255)
    assert cem.to_grey(np.ones((3, 3, 3), np.float32)).max() <= 1
    np.testing.assert_array_equal(cem.to_grey(expected[..., 0]), expected)


def test_too_large_images_are_refused_by_their_head(tmp_path, monkeypatch):
    Image.new("L", (300, 200)).save(tmp_path / "large.png")
    monkeypatch.setattr(image_module, "_MOST", 59_999)
    for read in (cem.open_image, image_size):
        with pytest.raises(ValueError, match=r"large\.png.*200 x 300 pixels; at most 59999"):
            read(tmp_path / "large.png")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_8_bits_in_a_file_of_16_are_not_read_as_black(tmp_path, suffix):
    shallow = RANDOM.integers(0, 256, (9, 11)).astype(np.uint16)
    for name, values in (("shallow", shallow), ("black", 0 * shallow), ("dark", 2 * shallow)):
        Image.fromarray(values).save(tmp_path / f"{name}.{suffix}")
    with pytest.raises(ValueError, match=rf"shallow\.{suffix}.* and values up to 2"):
        cem.open_image(tmp_path / f"shallow.{suffix}")
    assert not cem.open_image(tmp_path / f"black.{suffix}").any()
    dark = cem.open_image(tmp_path / f"dark.{suffix}", grey=True)
    np.testing.assert_allclose(dark[..., 0], 2 * shallow / 65535, atol=1e-7)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.bmp", "a.gif", "a.webp"])
def test_files_cut_short_are_named(tmp_path, name):
    path = tmp_path / name
    Image.fromarray(COLOUR).save(path)
    data = path.read_bytes()
    for kept in (0, 3, 12, 30, len(data) // 2):
        path.write_bytes(data[:kept])
        try:
            found = cem.open_image(path)  # some formats do not know their own end
        except ValueError as error:
            assert name in str(error)
        else:
            assert found.shape == COLOUR.shape


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_orientations_that_do_not_exist_mean_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOUR).save(tmp_path / "photo.png", exif=exif)
    np.testing.assert_array_equal(cem.open_image(tmp_path / "photo.png"), COLOUR)
    assert image_size(tmp_path / "photo.png") == COLOUR.shape[:2]


def test_tiffs_whose_zero_is_white_are_shown_as_viewers_do(tmp_path):
    deep = RANDOM.integers(0, 65536, (9, 11)).astype(np.uint16)
    for black, wanted in ((1, deep / 65535), (0, 1 - deep / 65535)):
        Image.fromarray(deep).save(tmp_path / "deep.tif", tiffinfo={262: black})
        found = cem.open_image(tmp_path / "deep.tif", grey=True)[..., 0]
        np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_colours_of_more_than_eight_bits_are_not_cut_to_eight(tmp_path):
    deep = RANDOM.integers(0, 65536, (9, 11, 3)).astype(">u2")
    (tmp_path / "deep.ppm").write_bytes(b"P6\n11 9\n65535\n" + deep.tobytes())
    with pytest.raises(ValueError, match=r"a PPM of 16 bits a channel.*PNG of 16 bits"):
        cem.open_image(tmp_path / "deep.ppm")
    grey = (deep[..., 0] >> 6).astype(">u2")
    (tmp_path / "deep.pgm").write_bytes(b"P5\n11 9\n1023\n" + grey.tobytes())
    found = cem.open_image(tmp_path / "deep.pgm", grey=True)[..., 0]
    np.testing.assert_allclose(found, grey / 1023, atol=1e-5)


@pytest.mark.parametrize("path", [None, 3, b"photo.png", object])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match=r"cannot be read: it is a .*expected the path of a file"):
        cem.open_image(path)
    with pytest.raises(ValueError, match="expected the path of a file"):
        image_size(path)


def plain_tiff(pixels: np.ndarray, tags: dict[int, int]) -> bytes:
    """An uncompressed TIFF in one piece, as cameras and microscopes write it."""
    height, width, channels = pixels.shape
    body = np.ascontiguousarray(pixels).tobytes()
    entries = {
        256: width, 257: height, 258: 8 * pixels.itemsize, 259: 1, 262: 1 if channels == 1 else 2,
        277: channels, 278: height, 279: len(body),
    } | tags  # fmt: skip
    several = {key: channels for key in (258, 338, 339) if channels > 2 and key in entries}
    several[338] = several.get(338) and 1
    start = 8 + 2 + 12 * (len(entries) + 1) + 4
    more, directory = b"", b""
    entries[273] = start + 2 * channels * sum(count == channels for count in several.values())
    for key, value in sorted(entries.items()):
        count = several.get(key) or 1
        if count > 1:
            directory += struct.pack("<HHII", key, 3, count, start + len(more))
            more += struct.pack("<H", value) * count
        else:
            directory += struct.pack("<HHII", key, 4, 1, value)
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return head + directory + bytes(4) + more + body


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["grey", "deep", "alpha"])
def test_uncompressed_tiffs_are_turned_as_viewers_do(tmp_path, orientation, kind):
    """Pillow maps these into memory, by the sides that they have when they are turned."""
    grey = COLOUR[:, :, :1]
    pixels, tags = {
        "grey": (grey, {}),
        "deep": (grey.astype(np.uint16) * 257, {}),
        "alpha": (np.dstack([COLOUR, np.full_like(grey, 255)]), {338: 2}),
    }[kind]
    (tmp_path / "a.tif").write_bytes(plain_tiff(pixels, {274: orientation} | tags))
    wanted = COLOUR if kind == "alpha" else np.repeat(grey, 3, axis=2)
    wanted = {
        1: wanted, 2: wanted[:, ::-1], 3: wanted[::-1, ::-1], 4: wanted[::-1],
        5: wanted.swapaxes(0, 1), 6: wanted[::-1].swapaxes(0, 1),
        7: wanted[::-1, ::-1].swapaxes(0, 1), 8: wanted[:, ::-1].swapaxes(0, 1),
    }[orientation]  # fmt: skip
    found = cem.open_image(tmp_path / "a.tif")
    found = np.round(found * 255) if kind == "deep" else found
    np.testing.assert_array_equal(found, wanted)
    assert image_size(tmp_path / "a.tif") == wanted.shape[:2]


def test_numbers_with_a_sign_are_refused(tmp_path):
    """As bytes those below 0 would be the brightest."""
    signed = COLOUR[:, :, :1].astype(np.int8)
    (tmp_path / "a.tif").write_bytes(plain_tiff(signed, {339: 2}))
    with pytest.raises(ValueError, match=r"a\.tif' cannot be read: a TIFF of numbers with a sign"):
        cem.open_image(tmp_path / "a.tif")
