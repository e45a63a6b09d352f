"""Label folders as others publish them, made up: the same files, columns and spellings, a few small pictures."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

SIZE = 384
"""Pixels of a `sudirman` picture, rows and columns."""

BODIES = ("L1", "L2", "L3", "L4", "L5", "S1")
TOP, STEP, BODY, LEFT, RIGHT = 60, 48, 34, 170, 220
"""Bodies are rectangles one under the other: first row, distance, height, and columns, in pixels of 384."""


def body_rows(index: int) -> tuple[int, int]:
    return TOP + STEP * index, TOP + STEP * index + BODY


def disc_middle(count: int) -> tuple[float, float]:
    """(row, column) of the disc that is number `count` from the sacrum up."""
    upper = len(BODIES) - 1 - count
    return (body_rows(upper)[1] + body_rows(upper + 1)[0]) / 2, (LEFT + RIGHT) / 2


def picture(brightness: int = 0) -> Image.Image:
    """Bodies in grey on dark, head up."""
    image = Image.new("L", (SIZE, SIZE), 20)
    for index in range(len(BODIES)):
        first, last = body_rows(index)
        ImageDraw.Draw(image).rectangle([LEFT, first, RIGHT, last], fill=150 + brightness)
    return image


def _polygon(index: int) -> str:
    first, last = body_rows(index)
    corners = [(LEFT, first), (RIGHT, first), (RIGHT, last), (LEFT, last)]
    return " ".join(f"{x / SIZE} {y / SIZE}" for x, y in corners)


def write_sudirman(data: Path, patients: int = 3) -> Path:
    """Patients 1, 2, ...: T1 and T2 of each; the last has no polygons."""
    folder = data / "sudirman"
    (folder / "sagittal").mkdir(parents=True)
    vertebrae, grades = ["patient,level,polygon_xy"], ["patient,level,grade"]
    for patient in range(1, patients + 1):
        for weighting in ("t1", "t2"):
            picture(patient).save(folder / "sagittal" / f"{patient:03d}_{weighting}.png")
        if patient < patients:
            vertebrae += [f"{patient},{name},{_polygon(index)}" for index, name in enumerate(BODIES)]
        grades += [f"{patient},{level},{patient}" for level in ("L3-L4", "L4-L5", "L5-S1")]
    (folder / "vertebrae.csv").write_text("\n".join(vertebrae) + "\n")
    (folder / "pfirrmann.csv").write_text("\n".join(grades) + "\n")
    return folder


def write_spider(data: Path) -> Path:
    """Patients 7 and 57, whose pictures stand on their heads; only 7 has boxes, the second of which is in doubt."""
    folder = data / "spider"
    (folder / "sagittal").mkdir(parents=True)
    picture().resize((192, 192)).save(folder / "sagittal" / "7_t2.png")
    picture().resize((640, 640)).save(folder / "sagittal" / "7_t2_SPACE.png")
    ImageOps.flip(picture()).resize((192, 192)).save(folder / "sagittal" / "57_t1.png")
    (folder / "series.csv").write_text(
        "series,patient,sequence,PixelSpacing\n"
        '7_t2,7,t2,"[1.5, 1.5]"\n7_t2_SPACE,7,t2_SPACE,"[1.25, 1.25]"\n57_t1,57,t1,"[1.5, 1.5]"\n'
    )
    (folder / "gradings.csv").write_text(
        "patient,disc_from_bottom,pfirrmann,modic,endplate_upper,endplate_lower,spondylolisthesis,herniation,narrowing,"
        "bulging\n"
        "7,1,4,2,1,0,0,1,1,0\n7,6,2,0,0,0,0,0,0,1\n57,2,1,0,0,0,1,0,0,0\n"
    )
    lines = ["series,disc_from_bottom,x0,y0,x1,y1,pfirrmann"]
    for count, grade in ((1, "4"), (2, ""), (3, "2")):
        row = disc_middle(count)[0] / 2
        lines.append(f"7_t2,{count},{LEFT / 2},{row - 3.5},{RIGHT / 2},{row + 3.5},{grade}")
    (folder / "disc_boxes.csv").write_text("\n".join(lines) + "\n")
    return folder


def write_spider_space(data: Path) -> Path:
    """A slice of patient 7 on 512 x 640 with a mask: two discs, bodies with an arch behind them, canal."""
    folder = data / "spider_space"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    mask = np.zeros((640, 512), np.uint8)
    mask[100:160, 200:260] = mask[180:240, 200:260] = mask[100:240, 300:330] = 76
    mask[160:180, 200:260] = mask[240:260, 200:260] = 29
    mask[80:300, 265:290] = 150
    Image.fromarray(mask).save(folder / "masks" / "7_t2_SPACE_slice10.png")
    Image.fromarray(mask // 2 + 20).save(folder / "images" / "7_t2_SPACE_slice10.png")
    return folder
