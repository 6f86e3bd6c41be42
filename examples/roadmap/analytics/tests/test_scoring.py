import pytest

from wellbeing.scoring import band, score


def test_a_share_of_what_was_possible():
    assert score([4, 4, 0, 0]) == 50


def test_bands():
    assert [band(value) for value in (0, 40, 70)] == ["low", "moderate", "high"]


def test_no_answers():
    with pytest.raises(ValueError):
        score([])
