"""Small PNG files of what a browser shows: a picture of a page has few colours, so that a palette holds them all."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: So many colours are kept, the most frequent first, and none that is so near to one of them: what becomes another
#: colour is the edges of letters, mostly, and what is rare but red stays red.
MOST_COLOURS: Final = 112
NEAR: Final = 9
_INDEXED: Final = """
async ([png, most, near]) => {
    const bytes = Uint8Array.from(atob(png), (each) => each.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    const pixels = new Uint32Array(context.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer);
    const counts = new Map();
    for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
    const byCount = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    const distance = (a, b) => {
        const red = (a & 255) - (b & 255), green = ((a >> 8) & 255) - ((b >> 8) & 255);
        const blue = ((a >> 16) & 255) - ((b >> 16) & 255);
        return red * red + green * green + blue * blue;
    };
    const palette = [], index = new Map();
    const nearest = (colour) => {
        let best = 0;
        for (let place = 1; place < palette.length; place++) {
            if (distance(colour, palette[place]) < distance(colour, palette[best])) best = place;
        }
        return best;
    };
    for (const [colour] of byCount) {
        const place = palette.length ? nearest(colour) : -1;
        const isNear = place >= 0 && distance(colour, palette[place]) < near * near;
        if (isNear && counts.get(colour) < 500 || palette.length === most) index.set(colour, place);
        else index.set(colour, palette.push(colour) - 1);
    }
    const places = Uint8Array.from(pixels, (pixel) => index.get(pixel));
    let text = "";
    for (let at = 0; at < places.length; at += 32768) text += String.fromCharCode(...places.subarray(at, at + 32768));
    const rgb = palette.flatMap((colour) => [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255]);
    return { width: bitmap.width, height: bitmap.height, palette: rgb, places: btoa(text) };
}
"""


def smaller(png: bytes, page: Page) -> bytes:
    """Return *png* with a palette; *page*, which has to be an empty one, reads it."""
    read = page.evaluate(_INDEXED, [base64.b64encode(png).decode("ascii"), MOST_COLOURS, NEAR])
    return indexed_png(read["width"], read["height"], bytes(read["palette"]), base64.b64decode(read["places"]))


def indexed_png(width: int, height: int, palette: bytes, places: bytes) -> bytes:
    r"""Return the PNG file of *places*, a byte for each pixel that says which colour of *palette* it has.

    >>> indexed_png(1, 1, b"\0\0\0", b"\0")[:8]
    b'\x89PNG\r\n\x1a\n'
    """
    rows = b"".join(b"\0" + places[at : at + width] for at in range(0, width * height, width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
