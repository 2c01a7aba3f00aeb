#!/usr/bin/env python3
"""Makes the window's fonts from the full ones (both under the SIL Open Font License 1.1).

    python3 assets/fonts/build.py INTER_DIR NOTO_CJK_DIR

INTER_DIR holds Inter-Regular.otf and Inter-SemiBold.otf (Debian package fonts-inter), NOTO_CJK_DIR
holds NotoSansCJK-Regular.ttc and -Bold.ttc (Debian package fonts-noto-cjk). Needs fonttools.

Two things are done besides leaving out what is not needed:
- Inter's digits become those of its `tnum` feature, all of one width, so that running numbers do
  not jitter; egui applies no OpenType features itself.
- From Noto Sans CJK only the simplified Chinese face is taken, with the 6,763 hanzi of GB 2312
  and the zero of dates and numbers, which is not in it.
"""

import pathlib
import sys

from fontTools import subset
from fontTools.ttLib import TTCollection, TTFont

HERE = pathlib.Path(__file__).parent

LATIN = (
    list(range(0x20, 0x7F)) + list(range(0xA0, 0x250))  # Latin
    + list(range(0x370, 0x400)) + list(range(0x400, 0x530))  # Greek, Cyrillic
    + list(range(0x2010, 0x2028)) + list(range(0x2030, 0x203B))  # punctuation
    + [0x20AC, 0x2116, 0x2122, 0x2190, 0x2191, 0x2192, 0x2193, 0x2212, 0x2264, 0x2265]
    + [0x2022, 0x2026, 0x2713, 0x00D7]
)


# 二〇二六年
ZERO = 0x3007


def gb2312():
    """The characters of GB 2312: symbols, full-width forms, hanzi."""
    for high in range(0xA1, 0xF8):
        for low in range(0xA1, 0xFF):
            try:
                yield ord(bytes([high, low]).decode("gb2312"))
            except UnicodeDecodeError:
                continue


def tabular_digits(font):
    """Maps 0-9 to the glyphs that the feature `tnum` would put in their place."""
    gsub = font["GSUB"].table
    swap = {}
    for record in gsub.FeatureList.FeatureRecord:
        if record.FeatureTag == "tnum":
            for index in record.Feature.LookupListIndex:
                for table in gsub.LookupList.Lookup[index].SubTable:
                    swap.update(getattr(getattr(table, "ExtSubTable", table), "mapping", {}))
    for table in font["cmap"].tables:
        for code in range(ord("0"), ord("9") + 1):
            if code in table.cmap:
                # Subtables may share one map; what is swapped already stays.
                table.cmap[code] = swap.get(table.cmap[code], table.cmap[code])


def save(font, unicodes, name):
    options = subset.Options()
    options.layout_features = ["kern"]
    options.hinting = False
    options.desubroutinize = True
    options.name_IDs = [0, 1, 2, 13, 14]
    maker = subset.Subsetter(options)
    maker.populate(unicodes=unicodes)
    maker.subset(font)
    # The same fonts give the same files.
    font.recalcTimestamp = False
    font.save(HERE / name)
    print(name, (HERE / name).stat().st_size)


def main():
    inter, noto = map(pathlib.Path, sys.argv[1:3])
    for weight in ["Regular", "SemiBold"]:
        font = TTFont(inter / f"Inter-{weight}.otf")
        tabular_digits(font)
        save(font, LATIN, f"Inter-{weight}.otf")
    chinese = sorted(set(gb2312()) | {ZERO} | set(range(0x20, 0x7F)))
    for weight in ["Regular", "Bold"]:
        collection = TTCollection(noto / f"NotoSansCJK-{weight}.ttc")
        font = next(f for f in collection.fonts if "SC" in str(f["name"].getDebugName(1)))
        save(font, chinese, f"NotoSansSC-{weight}.otf")


main()
