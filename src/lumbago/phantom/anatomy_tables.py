"""Mean sizes of vertebrae, discs, canal and foramina of an adult of size 1.

L2 to L5 are measured on the mean mesh of 87 patients (Clouthier et al., J Biomech 2023;146:111421, MIT licence), whose
smoothness costs their bodies 0.8 mm of height, which is added; L5
agrees with CT of 196 persons (Cook and Baker, Int J Spine Surg 2021;15:1072). Segmental lordosis after Sci Rep 2022
s41598-022-21840-x, less the flattening of lying down. Rows above L1 and below S1, and single cells, are extrapolated.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class VertebraRow:
    """Mean sizes of a vertebra in mm and degrees; `wedge` is positive when it is taller in front.

    `canal_width` is the distance between the pedicles, `canal_depth` from the posterior wall to the lamina; spinous
    and transverse tips are (behind the posterior wall | to the side, above the middle of the body).
    """

    name: str
    height: float
    wedge: float
    depth: tuple[float, float]
    width: tuple[float, float]
    waist: float
    concavity: tuple[float, float]
    canal_width: float
    canal_depth: float
    pedicle_width: float
    pedicle_height: float
    spinous_tip: tuple[float, float]
    transverse_tip: tuple[float, float]


VERTEBRAE: Final[tuple[VertebraRow, ...]] = (
    VertebraRow("T8", 21.0, -4.0, (27.5, 28.0), (29.0, 31.0), 0.92, (0.8, 1.0), 17.5, 15.5, 5.0, 12.5, (42.0,
        -26.0), (30.0, 4.0)),
    VertebraRow("T9", 22.0, -3.8, (28.5, 29.0), (31.0, 33.0), 0.92, (0.8, 1.0), 17.5, 15.5, 5.5, 13.0, (42.0,
        -24.0), (30.0, 4.0)),
    VertebraRow("T10", 23.0, -3.5, (29.5, 30.0), (33.0, 35.0), 0.92, (0.8, 1.0), 17.5, 15.5, 6.5, 14.0, (43.0,
        -20.0), (29.0, 4.0)),
    VertebraRow("T11", 24.0, -3.8, (30.5, 31.0), (36.0, 39.0), 0.91, (0.7, 1.0), 18.5, 16.0, 7.8, 15.0, (44.0,
        -16.0), (26.0, 4.0)),
    VertebraRow("T12", 25.5, -4.0, (31.0, 32.0), (39.0, 43.0), 0.90, (0.6, 1.1), 21.0, 16.5, 7.6, 15.5, (46.0,
        -12.0), (25.0, 4.0)),
    VertebraRow("L1", 27.7, -3.5, (32.0, 33.0), (42.0, 46.0), 0.88, (0.6, 1.1), 22.5, 16.7, 7.5, 15.5, (50.0,
        -11.0), (38.0, 4.0)),
    VertebraRow("L2", 28.4, -3.2, (33.4, 34.2), (45.0, 49.0), 0.87, (0.6, 1.1), 24.3, 16.7, 8.2, 15.3, (52.0, -11.0),
        (41.5, 4.0)),
    VertebraRow("L3", 28.7, -0.9, (34.6, 34.6), (48.0, 51.0), 0.86, (0.7, 1.2), 25.5, 16.0, 10.0, 15.0, (53.0, -8.0),
        (46.0, 3.5)),
    VertebraRow("L4", 27.8, 1.4, (34.7, 35.1), (50.0, 53.0), 0.87, (0.4, 0.9), 27.0, 16.1, 12.5, 14.3, (50.0, -11.0),
        (45.0, 2.7)),
    VertebraRow("L5", 28.3, 6.9, (34.8, 34.1), (53.0, 53.0), 0.93, (0.3, 0.9), 31.5, 17.0, 15.5, 13.0, (42.0, -12.0),
        (47.0, 2.5)),
    VertebraRow("S1", 29.0, 6.0, (33.0, 21.5), (50.0, 35.0), 0.98, (0.0, 0.2), 31.0, 15.0, 19.0, 24.0, (31.0,
        -8.0), (52.0, 0.0)),
    VertebraRow("S2", 24.0, 3.0, (20.5, 15.5), (34.0, 29.0), 0.98, (0.2, 0.2), 26.0, 11.5, 16.0, 24.0, (25.0,
        -4.0), (44.0, 0.0)),
    VertebraRow("S3", 20.0, 3.0, (15.0, 12.5), (28.0, 25.0), 0.98, (0.2, 0.2), 20.0, 8.5, 12.0, 20.0, (18.0,
        -2.0), (34.0, 0.0)),
    VertebraRow("S4", 17.0, 2.0, (12.0, 10.5), (24.0, 21.0), 0.98, (0.2, 0.2), 15.0, 6.0, 9.0, 17.0, (12.0,
        0.0), (25.0, 0.0)),
    VertebraRow("S5", 14.0, 2.0, (10.0, 7.5), (20.0, 15.0), 0.98, (0.2, 0.2), 10.0, 4.0, 6.0, 13.0, (8.0, 0.0),
        (16.0, 0.0)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """Mean sizes between two vertebrae: mean corner height of the disc, angle between the middles of the bodies
    (positive is lordosis), dural sac at the disc (area in mm2 at age 30, depth), its share left at age 75, ganglion to
    the side, facet joint centre (to the side, behind the wall, above the disc) and angle to the sagittal plane."""

    name: str
    disc_height: float
    lordosis: float
    sac_area: float
    sac_depth: float
    sac_at_75: float
    ganglion_x: float
    ganglion_radius: float
    facet_center: tuple[float, float, float]
    facet_angle: float


SEGMENTS: Final[tuple[SegmentRow, ...]] = (
    SegmentRow("T8/T9", 5.0, -4.0, 165.0, 12.8, 0.95, 11.5, 1.8, (10.5, 16.0, -3.0), 80.0),
    SegmentRow("T9/T10", 5.2, -3.6, 165.0, 12.8, 0.95, 11.5, 1.8, (10.5, 16.0, -3.0), 80.0),
    SegmentRow("T10/T11", 5.6, -3.0, 168.0, 13.0, 0.95, 11.5, 1.9, (10.5, 16.5, -3.0), 78.0),
    SegmentRow("T11/T12", 6.2, -2.2, 178.0, 13.5, 0.95, 12.0, 2.0, (11.0, 17.0, -4.0), 50.0),
    SegmentRow("T12/L1", 7.0, -0.8, 195.0, 14.2, 0.90, 13.0, 2.1, (11.5, 18.5, -5.0), 27.0),
    SegmentRow("L1/L2", 7.6, 1.2, 200.0, 14.6, 0.86, 14.3, 2.3, (12.0, 19.5, -6.0), 28.0),
    SegmentRow("L2/L3", 8.7, 5.0, 188.0, 14.2, 0.85, 15.0, 2.4, (12.8, 19.5, -6.5), 30.4),
    SegmentRow("L3/L4", 9.4, 8.0, 175.0, 13.6, 0.80, 16.0, 2.6, (14.2, 18.5, -7.5), 38.7),
    SegmentRow("L4/L5", 9.9, 11.0, 168.0, 13.2, 0.80, 17.5, 2.8, (16.8, 16.5, -8.5), 47.0),
    SegmentRow("L5/S1", 9.2, 18.5, 150.0, 12.2, 0.95, 19.5, 3.0, (19.8, 15.5, -7.5), 47.3),
    SegmentRow("S1/S2", 2.6, -5.0, 75.0, 8.0, 1.0, 17.0, 2.4, (20.0, 12.0, 0.0), 40.0),
    SegmentRow("S2/S3", 1.2, -14.0, 20.0, 4.0, 1.0, 14.0, 1.8, (16.0, 9.0, 0.0), 40.0),
    SegmentRow("S3/S4", 0.8, -20.0, 6.0, 2.0, 1.0, 11.0, 1.4, (12.0, 7.0, 0.0), 40.0),
    SegmentRow("S4/S5", 0.8, -18.0, 4.0, 1.6, 1.0, 9.0, 1.2, (9.0, 5.0, 0.0), 40.0),
)  # fmt: skip

ALONG_MIDDLE: Final = tuple(row.name for row in VERTEBRAE).index("L3")
"""Index of the vertebra that the patient's position is given by."""
