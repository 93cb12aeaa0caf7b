import pytest

from nserbench.byte_sizes import byte_count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("100GB", 100 * 10**9),
        ("500MB", 500 * 10**6),
        ("2GiB", 2 * 2**30),
        ("1.5 tb", 1_500_000_000_000),
        ("8KiB", 8192),
        ("1B", 1),
    ],
)
def test_sizes_are_read_in_powers_of_1000_and_of_1024(text: str, count: int) -> None:
    assert byte_count(text) == count


@pytest.mark.parametrize(
    "text",
    ["", "100", "GB", "-1GB", "1e3GB", "1.2.3GB", "0GB", "nan GB", "1 GBs", "٣GB"],
)
def test_a_text_that_is_no_size_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a size: .*, 500MB or 2GiB"):
        byte_count(text)
