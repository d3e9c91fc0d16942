"""The audit of prompts and answers: what it counts, says, lists and finds fault with."""

import csv
import json
from pathlib import Path

from chat_files import lines, prompts, table, user

from showdown.core.spec import DataSpec
from showdown.core.split import KFoldSplit, SingleSplit
from showdown.data.audit import Audit, audit_rows, findings
from showdown.data.audit import lines as audit_lines
from showdown.data.chats.audit import ChatAudit, audit_chats
from showdown.data.chats.facts import written_facts
from showdown.data.chats.spelled import spelled_lines, spelled_tokens
from showdown.data.divide import divide
from showdown.data.gather import gather
from showdown.data.inspection import deep_chat_audit, deep_findings, deep_lines
from showdown.data.listing import write_listing
from showdown.data.rows import Rows
from showdown.data.split import Partition

LONG = " ".join(f"word{number}" for number in range(25))


def rows_of(folder: Path, pairs: list[tuple[str, str]]) -> Rows:
    return gather(DataSpec(source=table(folder, ["prompt", "answer"], pairs)), 42, "generation")


def audited(folder: Path, pairs: list[tuple[str, str]]) -> ChatAudit:
    return audit_chats(rows_of(folder, pairs), [])


def test_equal_prompts_with_different_answers(tmp_path: Path) -> None:
    pairs = [
        *prompts(5),
        ("Same  prompt", "one"),
        ("same prompt", "two"),
        ("same prompt", "ONE"),
        ("other", "x"),
        ("other", "X "),
    ]
    assert [conflict.rows for conflict in audited(tmp_path, pairs).two_answers] == [[6, 7, 8]]


def test_a_system_message_is_part_of_the_prompt(tmp_path: Path) -> None:
    """The same question under another instruction may have another answer."""
    chats = [
        {"messages": [{"role": "system", "content": mood}, user("hi"), {"role": "assistant", "content": mood}]}
        for mood in ("formal", "short")
    ]
    rows = gather(DataSpec(source=lines(tmp_path, chats)), 42, "generation")
    assert audit_chats(rows, []).two_answers == []


def test_answers_that_stand_in_their_prompt(tmp_path: Path) -> None:
    pairs = [
        ("The cat, a tabby, sat down.", "a tabby"),
        ("The cat sat.", "at sat"),
        ("Ask Ann: 3 boxes!", '{"who": "ann", "boxes": 3, "day": null, "late": false, "more": ["3", "crate"]}'),
        ("Straße 5", "STRASSE 5"),
    ]
    found = audited(tmp_path, pairs)
    assert found.answer_in_prompt == [1, 4]
    assert (found.values, found.values_in_prompt) == (4, 3)


def test_long_test_answers_that_stand_in_training_answers(tmp_path: Path) -> None:
    """As a whole or as a part, wherever it begins; short ones do not count, nor do those of other sides."""
    pairs = [
        ("alpha1", f"so: {LONG} and more"),
        ("alpha2", LONG.upper()),
        ("alpha3", f"{LONG} end"),
        ("alpha4", "short"),
        ("alpha5", "short"),
        ("alpha6", " ".join(reversed(LONG.split()))),
    ]
    rows = rows_of(tmp_path, pairs)
    partition = Partition(train=(0, 3), validation=(2,), test=(1, 4, 5))
    found = audit_chats(rows, [partition]).repeated
    assert found is not None
    assert (found.long_answers, found.repeated, found.rows) == (2, 1, [2])
    other = audit_chats(rows, [Partition(train=(1,), validation=(2,), test=(0, 3, 4, 5))]).repeated
    assert other is not None
    assert other.repeated == 0, "a test answer that only contains a training answer is no repetition"


def test_long_answers_are_found_as_a_plain_search_finds_them(tmp_path: Path) -> None:
    import random

    draw = random.Random(3)
    words = [" ".join(draw.choices("ab", k=draw.randint(15, 60))) for _ in range(40)]
    words += [" ".join(text.split()[2:30]) for text in words[:10]]
    rows = rows_of(tmp_path, [(f"alpha{row} beta{row}", text) for row, text in enumerate(words)])
    partition = Partition(train=tuple(range(20)), validation=(20,), test=tuple(range(21, 50)))
    expected = [
        rows.row_ids[index]
        for index in partition.test
        if len(words[index].split()) >= 20
        and any(f" {words[index]} " in f" {words[other]} " for other in partition.train)
    ]
    found = audit_chats(rows, [partition]).repeated
    assert found is not None
    assert found.rows == expected
    assert expected


def quick(folder: Path, pairs: list[tuple[str, str]]) -> tuple[Rows, list[Partition], Audit]:
    rows = rows_of(folder, pairs)
    split = SingleSplit()
    partitions = divide(rows, DataSpec(), split)
    return rows, partitions, audit_rows(rows, split, partitions)


def test_each_check_has_its_line(tmp_path: Path) -> None:
    _, _, clean = quick(tmp_path, prompts(20))
    text = "\n".join(audit_lines(clean))
    for phrase in (
        "20 rows read, 20 used",
        "0 exact copies, 0 near-copies; 20 different prompts",
        "No prompt has different answers",
        "No answer stands in its prompt as a whole",
        "No test answer has 20 words, from which on they are looked for in training answers",
        "Copies across the split: none",
    ):
        assert phrase in text
    assert "label" not in text
    assert findings(clean) == []
    _, _, faulty = quick(tmp_path, [*prompts(20), ("alpha1 beta1 gamma1", "another"), ("a cat b", "cat")])
    assert findings(faulty) == [
        "1 exact copy of an earlier prompt",
        "1 prompt has different answers (2 rows), such as rows 1, 21: no method can be right on all of them",
    ]
    assert any(
        line.startswith("In 1 of 22 rows (5 %) the whole answer stands in its prompt") for line in audit_lines(faulty)
    )


def test_the_leak_of_a_split_by_rows(tmp_path: Path) -> None:
    """Two copies of each prompt: a split that ignores them leaks, and ours does not."""
    _, _, audit = quick(tmp_path, [*prompts(40), *prompts(40)])
    assert audit.if_split_by_rows is not None
    assert audit.across is not None
    assert audit.if_split_by_rows.test_copies > 0
    assert not audit.across.crosses


def test_special_tokens_that_data_spell(tmp_path: Path) -> None:
    pairs = [*prompts(3), ("say <|IM_END|> twice <|im_end|>", "x"), ("fine", "so </s> ends"), ("an <own> token", "y")]
    found = spelled_tokens(rows_of(tmp_path, pairs), ["<own>", "</s>"])
    assert [(one.token, one.rows, one.of_model) for one in found] == [
        ("</s>", [5], True),
        ("<own>", [6], True),
        ("<|im_end|>", [4], False),
    ]
    said = spelled_lines(found)
    assert "1 row spells `</s>` (row 5), a special token of this model: it is broken up" in said[0]
    assert "of other chat templates: it stays as it is" in said[2]


def test_the_deep_audit_names_overlong_rows_and_special_tokens_alone(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, [*prompts(4), ("say <|im_end|>", "x")])
    deep = deep_chat_audit(rows, tokens=[10, 20, 30, 40, 50], max_tokens=30, special_tokens=["<|im_end|>"])
    assert deep.lengths is not None
    assert (deep.lengths.cut_rows, deep.lengths.longest_tokens, deep.lengths.median_tokens) == ([4, 5], 50, 30.0)
    assert deep_findings(deep) == deep_lines(deep)
    assert any(
        "2 rows longer than 30 tokens, prompt and answer together (longest 50)" in line for line in deep_lines(deep)
    )
    nothing = deep_chat_audit(rows_of(tmp_path, prompts(4)), tokens=[5, 6, 7, 8], max_tokens=30, special_tokens=[])
    assert deep_findings(nothing) == []
    assert len(deep_lines(nothing)) == 2


def test_the_listing_names_the_rows_behind_the_findings(tmp_path: Path) -> None:
    pairs = [*prompts(20), ("alpha1 beta1 gamma1", "another </s>"), ("a cat b", "cat")]
    rows, partitions, audit = quick(tmp_path, pairs)
    deep = deep_chat_audit(rows, tokens=[9] * 21 + [99], max_tokens=30, special_tokens=["</s>"])
    assert write_listing(tmp_path / "out.csv", rows, audit, deep, partitions) == 6
    with (tmp_path / "out.csv").open(newline="") as file:
        found = {(row["row"], row["finding"]) for row in csv.DictReader(file)}
    assert found == {
        ("21", "exact copy"),
        ("1", "different answers"),
        ("21", "different answers"),
        ("22", "answer in prompt"),
        ("21", "special token"),
        ("22", "too long"),
    }
    assert "cat" not in (tmp_path / "out.csv").read_text(), "no text is listed"


def test_no_text_in_what_the_audit_keeps(tmp_path: Path) -> None:
    secret = [(f"secret{row} words{row} <|im_end|>", f"hidden{row} secret{row}") for row in range(20)]
    rows, _, audit = quick(tmp_path, [*secret, secret[0]])
    kept = (
        audit.model_dump_json()
        + deep_chat_audit(rows, tokens=[9] * 21, max_tokens=8, special_tokens=["<own>"]).model_dump_json()
    )
    assert "secret" not in kept
    assert "hidden" not in kept


def test_an_older_audit_still_reads(tmp_path: Path) -> None:
    _, _, audit = quick(tmp_path, prompts(10))
    written = json.loads(audit.model_dump_json())
    assert Audit.model_validate(written) == audit
    del written["chats"]
    assert Audit.model_validate(written).chats is None


def test_facts_for_a_report(tmp_path: Path) -> None:
    facts = written_facts(rows_of(tmp_path, [("a b", '{"x": 1}'), ("c d e f", '{"x":  1, "y": 2}'), ("g", '{"x": 1}')]))
    assert facts is not None
    assert (facts.rows, facts.median_prompt_words, facts.median_answer_words, facts.longest_answer_words) == (
        3,
        2,
        2,
        4,
    )
    assert (facts.different_answers, facts.json_objects) == (2, True)
    assert abs(facts.most_common_answer_share - 2 / 3) < 1e-12
    mixed = written_facts(rows_of(tmp_path, [("a", '{"x": 1}'), ("b", "[1]")]))
    assert mixed is not None
    assert not mixed.json_objects


def test_folds_have_repeated_answers_summed(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, [(f"alpha{row} beta{row}", LONG) for row in range(12)])
    split = KFoldSplit(folds=3)
    repeated = audit_rows(rows, split, divide(rows, DataSpec(), split)).chats
    assert repeated is not None
    assert repeated.repeated is not None
    assert (repeated.repeated.long_answers, repeated.repeated.repeated) == (12, 12)
