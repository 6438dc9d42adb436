import base64
import contextlib
import io
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from slipway_handlers import classes, images
from slipway_handlers.requests import BadInputError
from slipway_handlers.settings import ClassSettings, ImageSettings

SMALL = ImageSettings.read({"size": 4, "resize": 4, "mean": [0, 0, 0], "std": [1, 1, 1]})


def picture(size: tuple[int, int], colour: Any = (255, 0, 0), kind: str = "PNG") -> bytes:
    """Return a picture of one colour as a file."""
    mode = "L" if isinstance(colour, int) else "RGBA" if len(colour) == 4 else "RGB"
    stream = io.BytesIO()
    Image.new(mode, size, colour).save(stream, kind)
    return stream.getvalue()


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_picture_of_any_size_becomes_the_models_square(width: int, height: int) -> None:
    found = images.read(picture((width, height)), SMALL)
    assert found.shape == (3, 4, 4)
    assert found.dtype == np.float32
    assert np.array_equal(found, np.broadcast_to(np.array([[[1]], [[0]], [[0]]]), (3, 4, 4)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_bytes_and_base64_in_json_are_the_same_picture(kind: str) -> None:
    content = picture((8, 8), (10, 20, 30), kind)
    text = base64.b64encode(content).decode()
    lines = base64.encodebytes(content).decode()
    for written in (text, lines, f"data:image/{kind.lower()};base64,{text}"):
        given = images.read({"image": written}, SMALL)
        assert np.array_equal(images.read(content, SMALL), given)


@pytest.mark.parametrize("colour", [(255, 0, 0, 0), 76])
def test_transparent_and_grey_pictures_have_the_models_channels(colour: Any) -> None:
    assert images.read(picture((8, 8), colour), SMALL).shape == (3, 4, 4)


def test_a_model_of_grey_pictures_gets_one_channel() -> None:
    settings = ImageSettings.read({"channels": 1, "size": 4})
    found = images.read(picture((8, 8), (255, 255, 255)), settings)
    assert found.tolist() == np.ones((1, 4, 4)).tolist()


def test_the_middle_is_cut_out_of_what_was_scaled() -> None:
    stripes = Image.new("RGB", (12, 4))
    stripes.paste((255, 0, 0), (4, 0, 8, 4))
    stream = io.BytesIO()
    stripes.save(stream, "PNG")
    assert images.read(stream.getvalue(), SMALL)[0].min() == 1


def test_pixels_are_told_from_the_mean_in_standard_deviations() -> None:
    settings = ImageSettings.read({"size": 1})
    found = images.read(picture((3, 3), (255, 255, 255)), settings)
    wanted = [(1 - mean) / std for mean, std in zip(settings.mean, settings.std, strict=True)]
    assert found.reshape(3).tolist() == pytest.approx(wanted)


GIF = picture((2, 2), (1, 2, 3), "GIF")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (b"", "no JPEG or PNG"),
        (GIF, "no JPEG or PNG"),
        (picture((50, 50))[:-30], "no JPEG or PNG"),
        ("a text", "send a JPEG or PNG file"),
        ({"image": 1}, "send a JPEG or PNG file"),
        ({"image": "&&"}, "no Base64"),
        ({"image": ""}, "no JPEG or PNG"),
        ([1], "send a JPEG or PNG file"),
        (None, "send a JPEG or PNG file"),
        (picture((1, 30_000)), "too long for its width"),
    ],
)
def test_what_is_no_picture_is_the_clients_mistake(found: Any, why: str) -> None:
    with pytest.raises(BadInputError, match=why):
        images.read(found, ImageSettings.read({}))


@given(st.binary(max_size=200), st.integers(0, 60))
def test_a_damaged_file_is_the_clients_mistake_or_a_picture(noise: bytes, place: int) -> None:
    whole = picture((6, 6))
    with contextlib.suppress(BadInputError):
        images.read(whole[:place] + noise + whole[place + len(noise) :], SMALL)


@pytest.mark.parametrize("side", [8_000, 60_000])
def test_a_small_file_of_a_vast_picture_is_refused_before_it_is_decoded(side: int) -> None:
    whole = picture((1, 1))
    head = whole[12:16] + side.to_bytes(4, "big") * 2 + whole[24:29]
    vast = whole[:12] + head + zlib.crc32(head).to_bytes(4, "big") + whole[33:]
    with pytest.raises(BadInputError, match="more than 50000000 pixels"):
        images.read(vast, SMALL)


def scans(count: int) -> bytes:
    """Return a JPEG file that says the same of its pixels again and again."""
    stream = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(stream, "JPEG", progressive=True)
    content = stream.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * count + content[-2:]


def test_a_jpeg_with_more_scans_than_cameras_write_is_refused() -> None:
    assert images.read(scans(1), SMALL).shape == (3, 4, 4)
    with pytest.raises(BadInputError, match="more than 100 scans"):
        images.read(scans(101), SMALL)


def one_of_several(content: bytes) -> bytes:
    """Return a JPEG file that says that another picture follows it, as a stereo camera's does."""
    stream = io.BytesIO()
    small = Image.new("RGB", (8, 8))
    small.save(stream, "MPO", save_all=True, append_images=[small])
    several = stream.getvalue()
    begin = several.index(b"\xff\xe2")
    length = int.from_bytes(several[begin + 2 : begin + 4], "big")
    return content[:2] + several[begin : begin + 2 + length] + content[2:]


def test_a_jpeg_that_is_one_of_several_pictures_has_no_more_scans_than_another() -> None:
    assert images.read(one_of_several(scans(1)), SMALL).shape == (3, 4, 4)
    with pytest.raises(BadInputError, match="more than 100 scans"):
        images.read(one_of_several(scans(101)), SMALL)


def test_what_follows_a_jpeg_and_what_it_says_of_itself_are_no_scans() -> None:
    film = b"\xff\xda\x00\x08" * 200
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG", comment=film)
    assert images.read(stream.getvalue() + film, SMALL).shape == (3, 4, 4)


def test_the_best_classes_are_told_by_name_the_best_first() -> None:
    output = np.log([[0.1, 0.7, 0.2]])
    labels = {"0": "cat", "1": "dog"}
    (found,) = classes.best(output, 1, labels, ClassSettings(top=2))
    assert list(found) == ["dog", "2"]
    assert list(found.values()) == pytest.approx([0.7, 0.2])


@given(st.lists(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3), min_size=1, max_size=4))
def test_shares_are_shares_however_large_the_logits_are(rows: list[list[float]]) -> None:
    for found in classes.best(rows, len(rows), None, ClassSettings()):
        assert sum(found.values()) == pytest.approx(1)
        assert list(found.values()) == sorted(found.values(), reverse=True)
    for found in classes.best(rows, len(rows), None, ClassSettings(activation="sigmoid")):
        assert all(0 <= score <= 1 for score in found.values())


def test_outputs_are_told_as_they_are_where_no_activation_is_asked_for() -> None:
    assert classes.best([[3, 9]], 1, None, ClassSettings(activation="none")) == [{"1": 9, "0": 3}]


def test_an_output_without_a_row_of_classes_for_each_is_told_by_its_shape() -> None:
    with pytest.raises(ValueError, match=r"shape \[2\], and not \[2, classes\]"):
        classes.best([1, 2], 2, None, ClassSettings())
