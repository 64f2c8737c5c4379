"""Colours as numbers, 0xRRGGBBAA: each channel a byte of sRGB, alpha not multiplied in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.base.dictionaries import encoded
from tachy_server.base.errors import QueryError

_U32: Final = pa.uint32()
_F64: Final = pa.float64()
_STOPS: Final = 65
_SCALES: Final = {
    "viridis": (
        "44015445065a460c5f47126548186a481d6e482273482778472c7b46317e453681433b83423f854044873e48883c4d8a3a518b38558c"
        "365a8c345e8d32628d31668e2f6a8e2d6e8e2c718e2a758e29798e277d8e26818e24848e23888d218c8d20908c1f938b1f978a1e9b89"
        "1f9f881fa28621a68424aa8227ad802cb17d31b57a37b8773dbb7344bf6f4cc26b54c5675cc86265cb5d6ece5877d05281d34c8bd545"
        "95d73fa0d938aadb31b5dd2abfdf24cae01ed5e219dfe318e9e419f3e51efde725"
    ),
    "magma": (
        "00000401010803031106051a0907210e0a2a120d33170f3c1c104621114f2811592e1162350f6a3c0f70430f7549107850117b56147d"
        "5c167e631980691c806f1e817521817b23828225818827818e2a81952c809b2e7fa22f7ea8327caf347bb53679bc3877c23b75c93e72"
        "cf406fd5446cdb4769e04c66e55063ea5660ee5b5ef1625cf4695cf6705cf8785cfa7f5efb8760fc8e64fd9668fd9d6cfea570feac75"
        "feb47bfebb80fec286feca8dfed193fdd89afddfa1fde7a8fceeaffcf5b7fcfdbf"
    ),
    "plasma": (
        "0d088718068b2105902a05923105963804993f049c45039e4c02a15201a35801a45f00a66500a76b00a87200a87701a87d03a88305a6"
        "8908a58e0ca39410a199159e9f199ca41e99a92295ad2792b22b8eb6308abb3487bf3983c33d7fc7427bcb4678ce4b74d24f71d5546d"
        "d9586adc5d66df6263e2665fe56b5ce87058ea7555ed7a51ef7f4ef2844bf48947f68f44f79440f9993dfa9f39fca536fcab33fdb130"
        "fdb62cfebc2afdc327fdc926fbd024fad624f8dd24f6e425f4eb26f1f127f0f921"
    ),
    "inferno": (
        "00000401010903021206041a0a07230f092d140a361a0c40200c49270b522e0a5a3509603c0964430a68490b6a500d6c560f6d5c126e"
        "63146e69166e70196e761b6d7c1d6c83206b8921698f24689526669c2864a22b61a82e5eaf305bb43358bb3654c03a50c63d4ccb4148"
        "d04544d54a40da4e3bdf5336e35932e75e2dea6428ee6a23f0711ef37818f57e13f7850ef98c09fa9406fb9b06fca308fcaa0ffbb216"
        "fbba1ffac228f9c932f7d13df5d949f3e156f1e865f1ef75f2f586f6fa96fcffa4"
    ),
    "cividis": (
        "00205100235700255c002861002b64042e670830690c336b11366c16396d1b3c6d203e6d26416d2b446d31476d364a6d3c4d6d414f6d"
        "46526d4b556d50586d555b6d595e6d5e616e62646e66666f6a696f6e6c70716f717572727875737b78737f7b74827e75858176888476"
        "8c87778f8a77928d789691789994789d9778a19a77a59d77a9a176ada475b1a774b6ab72baae70bfb26ec4b56cc9b96acebc67d3c064"
        "d8c361ddc75ee2cb5be6ce58ebd255efd651f3da4ef6de4bf9e149fbe546fde945"
    ),
    "turbo": (
        "22171b32204a3e2971453393493eae4a48c54a53d7485ee44469ee4074f43b7ff8378af83294f72e9ff42aa9ef27b2e825bce124c5d8"
        "25cdcf26d5c529dcbb2ce3b131e8a737ee9d3ff29247f68950f97f5afb7665fd6e70fd657cfd5e88fc5794fa50a0f84aadf445b9f040"
        "c4eb3bcfe537dadf33e3d830ecd02df3c82afabf28ffb626ffac24ffa222ff9720ff8d1fff821dff761bfd6b19f76017f05515e74b13"
        "de4111d5370fca2e0cc0260ab51e07ac1804a212029b0e00940c00900b00900c00"
    ),
}
"""Colours at equal distances, with straight lines between: those of d3-scale-chromatic to within 1 of 255 (inferno 2),
which drew its tables of viridis, magma, plasma and inferno from matplotlib's.
"""
SCALES: Final = tuple(_SCALES)


def rgba(*channels: pa.Array) -> pa.Array:
    """Of red, green, blue and alpha from 0 to 1, Float64; what is beyond is cut. UInt32."""
    return _packed([pc.multiply(channel, 255.0) for channel in channels])


def lerp_color(first: pa.Array, second: pa.Array, part: pa.Array) -> pa.Array:
    """Between two colours, UInt32, each channel for itself; `part`, Float64, from 0 to 1. UInt32."""
    part = _between(part, 0.0, 1.0)
    pairs = zip(_channels(first), _channels(second), strict=True)
    return _packed([pc.add(low, pc.multiply(pc.subtract(high, low), part)) for low, high in pairs])


def color_scale(names: pa.Array, places: pa.Array, alphas: pa.Array) -> pa.Array:
    """Of the scale of that name, whatever its case, the colour at a place from 0 to 1, Float64, with an alpha. UInt32.
    Raises QueryError for a name that is none.
    """
    texts = encoded(names)
    known = [None if text is None or text.lower() not in SCALES else SCALES.index(text.lower())
             for text in texts.dictionary.to_pylist()]  # fmt: skip
    scales = pa.array(known, pa.int64()).take(texts.indices)
    if scales.null_count > texts.null_count:
        unknown = texts.filter(pc.and_(pc.is_null(scales), pc.is_valid(texts)))[0].as_py()
        raise QueryError(f"there is no scale {unknown!r}; there are {', '.join(SCALES)}")
    at = pc.multiply(_between(places, 0.0, 1.0), float(_STOPS - 1))
    low = pc.min_element_wise(pc.floor(at), float(_STOPS - 2), skip_nulls=False)
    stop = pc.add(low.cast(pa.int64()), pc.multiply(scales, _STOPS))
    rest = pc.subtract(at, low)
    channels = []
    for values in _TABLES:
        here, there = values.take(stop), values.take(pc.add(stop, 1))
        channels.append(pc.add(here, pc.multiply(pc.subtract(there, here), rest)))
    return _packed([*channels, pc.multiply(alphas, 255.0)])


def _table(channel: int) -> pa.Array:
    colors = [bytes.fromhex(text) for text in _SCALES.values()]
    return pa.array([value for stops in colors for value in stops[channel::3]], _F64)


_TABLES: Final = [_table(channel) for channel in range(3)]
"""Red, green and blue of all scales' stops."""


def _between(values: pa.Array, low: float, high: float) -> pa.Array:
    """Cut to these bounds; NaN is the lower one."""
    return pc.min_element_wise(pc.max_element_wise(values, low, skip_nulls=False), high, skip_nulls=False)


def _channels(colors: pa.Array) -> list[pa.Array]:
    shifted = [pc.shift_right(colors, pa.scalar(bits, _U32)) for bits in (24, 16, 8, 0)]
    return [pc.bit_wise_and(color, pa.scalar(255, _U32)).cast(_F64) for color in shifted]


def _packed(channels: Sequence[pa.Array]) -> pa.Array:
    """Of channels from 0 to 255, Float64, rounded half up and cut."""
    color = pa.scalar(0, _U32)
    for channel in channels:
        byte = pc.floor(_between(pc.add(channel, 0.5), 0.0, 255.0)).cast(_U32)
        color = pc.bit_wise_or(pc.shift_left(color, pa.scalar(8, _U32)), byte)
    return color
