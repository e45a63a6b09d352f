"""Zones of a herniation."""

from lumbago.anatomy.herniation import herniation_zone


def test_zones_go_from_the_middle_outward() -> None:
    assert [herniation_zone(x) for x in (0.0, 4.0, -4.0, 9.0, -15.0, 25.0)] == [
        "central",
        "left paracentral",
        "right paracentral",
        "left subarticular",
        "right foraminal",
        "left extraforaminal",
    ]
