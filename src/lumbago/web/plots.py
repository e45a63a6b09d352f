"""Small drawings of values over time, as SVG without styles of its own."""

from typing import Final

from markupsafe import Markup, escape

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.review.changes import Course

_WIDTH: Final = 200.0
_HEIGHT: Final = 90.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 26.0, 8.0, 8.0, 18.0


def plot(course: Course) -> Markup:
    """The points of a course with their error bars, in order; dates below the first and the last."""
    xs = [_x(number, len(course.points)) for number in range(len(course.points))]
    ys = [_y(course, point.value) for point in course.points]
    factor = 1.0 if course.name in CONDITIONS else 2.0
    bars = "".join(
        f'<line class="error-bar" x1="{x:.1f}" x2="{x:.1f}" y1="{_y(course, point.value - factor * point.error):.1f}"'
        f' y2="{_y(course, point.value + factor * point.error):.1f}"/>'
        for x, point in zip(xs, course.points, strict=True)
    )
    dots = "".join(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>' for x, y in zip(xs, ys, strict=True))
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    said = "; ".join(f"{point.date} {point.text}" for point in course.points)
    label = escape(f"{course.level} {course.side or ''} {course.title}: {said}")
    return Markup(  # noqa: S704 -- numbers of ours, and texts escaped here
        f'<svg class="plot" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{label}">'
        f'<line class="axis" x1="{_LEFT}" x2="{_LEFT}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_HEIGHT - _BOTTOM}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<text x="2" y="{_TOP + 8}">{course.high:.3g}</text>'
        f'<text x="2" y="{_HEIGHT - _BOTTOM}">{course.low:.3g}</text>'
        f'<polyline class="course" points="{line}"/>{bars}{dots}{_dates(course)}</svg>'
    )


def _x(number: int, count: int) -> float:
    inner = _WIDTH - _LEFT - _RIGHT - 20
    return _LEFT + 10 + (inner * number / (count - 1) if count > 1 else inner / 2)


def _y(course: Course, value: float) -> float:
    share = (value - course.low) / ((course.high - course.low) or 1.0)
    return _HEIGHT - _BOTTOM - min(1.0, max(0.0, share)) * (_HEIGHT - _BOTTOM - _TOP)


def _dates(course: Course) -> str:
    first, last = course.points[0].date, course.points[-1].date
    start = f'<text x="{_LEFT}" y="{_HEIGHT - 5}">{escape(first)}</text>'
    if len(course.points) == 1:
        return start
    return start + f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 5}" text-anchor="end">{escape(last)}</text>'
