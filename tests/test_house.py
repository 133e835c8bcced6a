"""The library stays small, and its map is true."""

import pytest

from tools import house


@pytest.mark.parametrize("name", house.LIMITS)
def test_the_library_stays_small(name):
    assert house.measure()[name] <= house.LIMITS[name]


def test_files_functions_and_arguments_stay_small():
    assert house.list_oversized() == []


SOURCE = '''"""Two
lines."""

# a comment
x = (
    1,
)  # and code


def f():
    """One."""
    return "a string"
'''


def test_lines_are_counted_as_they_should():
    assert house.count_lines(SOURCE) == (5, 3)


def test_the_map_names_every_room_and_no_other():
    drawn = [name for rooms in house.ROOMS for name in rooms]
    there = {house.room_of(path) for path in house.LIBRARY.rglob("*.py")} - {"__init__"}
    assert sorted(drawn) == sorted(there)
