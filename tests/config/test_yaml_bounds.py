"""YAML that stands for more than it says, or that its library cannot read, is refused in one line with its place."""

from itertools import pairwise
from pathlib import Path

import pytest

from config.fuzz import bent
from faults.volume import of_all
from showdown.config.read import read_comparison
from showdown.config.yaml import DEEPEST, MOST_CHARACTERS, load_yaml
from showdown.core.errors import UserError


def refusal(text: str, *overrides: str, folder: Path) -> str:
    path = folder / "mine.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UserError) as caught:
        read_comparison(path, base={}, overrides=overrides)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 2600
    return message


def bomb(levels: int) -> str:
    """Nine aliases a level: 9 to the power of the levels values."""
    names = [f"l{level}" for level in range(levels)]
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]" for below, name in pairwise(names)]
    return "\n".join(lines) + "\n"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (bomb(9), "at line 6: with its aliases written out, more than 200000 characters"),
        ("methods: {lora: {}}\n" + bomb(30), "written out"),
        ("a: &a " + "x" * 5000 + "\nb: [" + "*a, " * 50 + "]\n", "at line 2: with its aliases written out"),
        ("a: &a {<<: *a}\n", "at line 1: `*a` stands for what it is in"),
        ("a: 1\nb: &b [1, [*b]]\n", "at line 2: `*b` stands for what it is in"),
        ("a: " + "[" * 20_000, "at line 1: nested more than 40 deep"),
        ("a: " + "{a: " * 20_000, "at line 1: nested more than 40 deep"),
        ("a:\n" + "".join(" " * level + "a:\n" for level in range(1, 400)), "at line 41: nested more than 40 deep"),
        ("- " * 20_000, "nested more than 40 deep"),
        ("a: 1\nseeds: [" + "9" * 6000 + "]\n", "at line 2: a number of 6000 digits"),
        ("a: 1\nseeds: [-0x" + "F" * 6000 + "]\n", "at line 2: a number of 6003 digits"),
        ("a: " + "9" * 6000 + ".5\n", "at line 1: a number of 6002 digits"),
        ("a: 1\nb: 2024-13-45\n", "at line 2: a value that is no timestamp"),
        ("a: 1\nb: !!int x\n", "at line 2: a value that is no int"),
        ("a: 1\nb: !!bool x\n", "at line 2: a value that is no bool"),
        ("a: 1\nb: \x07\n", "at line 2: the character U+0007 is not allowed"),
        ("a: 1\n\nb: \0\n", "at line 3: the character U+0000 is not allowed"),
        ("a: '" + "x" * MOST_CHARACTERS + "'\n", "characters, a comparison has 200000 at most"),
        ("a: !!python/object/apply:os.system [exit]\n", "at line 1"),
    ],
)
def test_what_stands_for_too_much_is_refused_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(text, folder=tmp_path)
    assert words in refusal("methods: {lora: {}}\n", f"data={text}", folder=tmp_path)


def test_an_override_nests_no_deeper(tmp_path: Path) -> None:
    assert f"nested more than {DEEPEST} deep" in refusal("methods: {}\n", "a." * 20_000 + "b=1", folder=tmp_path)
    assert "unknown" in refusal("methods: {lora: {}}\n", "methods.lora." + "a." * 30 + "b=1", folder=tmp_path)


def test_a_long_name_is_cut_in_its_message(tmp_path: Path) -> None:
    said = refusal(f"methods: {{lora: {{}}}}\n? {'k' * 100_000}\n: 1\n", folder=tmp_path)
    assert said.endswith("trackers, margin_points")
    assert "kkk ... " in said
    assert len(refusal("methods: {lora: {}}\n", f"protocol.epochs='{'x' * 50_000}'", folder=tmp_path)) < 300


def test_a_number_that_python_cannot_write_is_said(tmp_path: Path) -> None:
    from showdown.config.read import check

    with pytest.raises(UserError, match="a number of more than 4300 digits"):
        check({"methods": {"lora": {}}, "protocol": {"epochs": -(10**5000)}}, "here")


def test_aliases_that_a_comparison_uses_are_read() -> None:
    text = "base: &base {rank: 8}\nmethods:\n  one: *base\n  two: {<<: *base, alpha: 4}\n"
    assert load_yaml(text)["methods"] == {"one": {"rank": 8}, "two": {"rank": 8, "alpha": 4}}


@pytest.mark.parametrize("part", range(of_all(25)))
def test_bent_comparisons_are_read_or_refused_in_one_line(tmp_path: Path, part: int) -> None:
    """`make faults` tries ten thousand of them."""
    assert read_bent(tmp_path, count=400, seed=part) > 100


def read_bent(folder: Path, *, count: int, seed: int) -> int:
    """Return how many were refused; anything but a reading or a refusal is an error."""
    path, refused = folder / "mine.yaml", 0
    for text in bent(count, seed):
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            read_comparison(path, base={}, overrides=[])
        except UserError as error:
            assert str(error).isprintable(), text
            assert len(str(error)) < 2600, text
            if "not valid YAML" in str(error):
                assert " at line " in str(error), text
            refused += 1
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}\n{text}") from error
    return refused
