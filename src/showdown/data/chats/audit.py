"""The quick audit of prompts and answers, beside that of copies. It reports row numbers, never a text."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from showdown.core.chat import read_prompt
from showdown.core.strict import Strict
from showdown.data.chats.values import json_object, values_in, words_of
from showdown.data.rows import Rows
from showdown.data.split import Partition
from showdown.data.tables import count, row_list
from showdown.data.wording import normalise

LONG_ANSWER_WORDS = 20
"""Fewest words of an answer that counts as repeated. Shorter ones recur by chance, or because there are few answers."""


class TwoAnswers(Strict):
    """Equal prompts with different answers."""

    rows: list[int]


class RepeatedAnswers(Strict):
    """Test answers that also stand in training answers, summed over all partitions."""

    long_answers: int
    """Test answers of at least `LONG_ANSWER_WORDS` words."""
    repeated: int
    """Those of them that are a training answer, or a part of one."""
    rows: list[int]
    """1-based rows of these."""


class ChatAudit(Strict):
    """What the audit finds in prompts and answers."""

    rows: int
    two_answers: list[TwoAnswers]
    answer_in_prompt: list[int]
    """Rows whose whole answer stands in their prompt."""
    values: int
    """Texts and numbers in all answers that are JSON objects."""
    values_in_prompt: int
    """Those of them that stand in their prompt."""
    repeated: RepeatedAnswers | None
    """None when the data was not split."""


def audit_chats(rows: Rows, partitions: Sequence[Partition]) -> ChatAudit:
    """Audit prompts and answers.

    Args:
        rows: prompts with answers.
        partitions: of the rows; none when they are not split.

    """
    prompts = [f" {' '.join(words_of(_spoken(prompt)))} " for prompt in rows.texts]

    def stands(value: str, index: int) -> bool:
        return f" {' '.join(words_of(value))} " in prompts[index]

    values = [list(values_in(json_object(answer))) for answer in rows.answers]
    return ChatAudit(
        rows=len(rows.answers),
        two_answers=list(_two_answers(rows)),
        answer_in_prompt=[
            row
            for index, (row, answer) in enumerate(zip(rows.row_ids, rows.answers, strict=True))
            if stands(answer, index)
        ],
        values=sum(map(len, values)),
        values_in_prompt=sum(stands(value, index) for index, found in enumerate(values) for value in found),
        repeated=_repeated(rows, partitions) if partitions else None,
    )


def chat_lines(audit: ChatAudit) -> list[str]:
    """Return a plain line for each check, even if it found nothing."""
    found = _conflict_lines(audit) or ["No prompt has different answers"]
    copied = len(audit.answer_in_prompt)
    found.append(
        f"In {copied:,} of {count(audit.rows, 'row')} ({_percent(copied, audit.rows)}) the whole answer stands in its"
        " prompt, so that copying the right part scores there"
        if copied
        else "No answer stands in its prompt as a whole"
    )
    if audit.values:
        found.append(
            f"{_percent(audit.values_in_prompt, audit.values)} of the {audit.values:,} values in JSON answers stand in"
            " their prompt, so that they can be copied"
            if audit.values_in_prompt
            else f"None of the {audit.values:,} values in JSON answers stands in its prompt"
        )
    if audit.repeated is not None:
        found += _repeated_lines(audit.repeated) or [
            f"No test answer of at least {LONG_ANSWER_WORDS} words stands in a training answer"
            f" ({count(audit.repeated.long_answers, 'such answer')})"
            if audit.repeated.long_answers
            else f"No test answer has {LONG_ANSWER_WORDS} words, from which on they are looked for in training answers"
        ]
    return found


def chat_findings(audit: ChatAudit) -> list[str]:
    """Return one line for each problem of the data."""
    return [*_conflict_lines(audit), *(_repeated_lines(audit.repeated) if audit.repeated else [])]


def chat_listing(audit: ChatAudit) -> Iterator[tuple[int, str, str]]:
    """Yield a row, the finding and a detail for each row behind the findings."""
    for conflict in audit.two_answers:
        for row in conflict.rows:
            others = [other for other in conflict.rows if other != row]
            yield row, "different answers", f"equal prompts with other answers in {row_list(others)}"
    for row in audit.answer_in_prompt:
        yield row, "answer in prompt", "its whole answer stands in its prompt"
    for row in audit.repeated.rows if audit.repeated else ():
        yield row, "repeated answer", "a test answer that also stands in a training answer"


def _spoken(prompt: str) -> str:
    return "\n".join(one.content for one in read_prompt(prompt))


def _two_answers(rows: Rows) -> Iterator[TwoAnswers]:
    """Yield the groups of rows with the same prompt, system message included, whose answers differ."""
    groups: dict[tuple[tuple[str, str], ...], list[int]] = defaultdict(list)
    for index, prompt in enumerate(rows.texts):
        groups[tuple((one.role, normalise(one.content)) for one in read_prompt(prompt))].append(index)
    for members in groups.values():
        if len({normalise(rows.answers[index]) for index in members}) > 1:
            yield TwoAnswers(rows=[rows.row_ids[index] for index in members])


def _conflict_lines(audit: ChatAudit) -> list[str]:
    if not audit.two_answers:
        return []
    held = sum(len(conflict.rows) for conflict in audit.two_answers)
    verb = "prompt has" if len(audit.two_answers) == 1 else "prompts have"
    return [
        f"{len(audit.two_answers):,} {verb} different answers ({count(held, 'row')}), such as"
        f" {row_list(audit.two_answers[0].rows)}: no method can be right on all of them"
    ]


def _repeated(rows: Rows, partitions: Sequence[Partition]) -> RepeatedAnswers:
    """Count the long test answers that are a training answer, or a part of one."""
    words = [words_of(answer) for answer in rows.answers]
    holders = _holders(words)
    found: set[int] = set()
    long = repeated = 0
    for partition in partitions:
        train = set(partition.train)
        for index in partition.test:
            if len(words[index]) < LONG_ANSWER_WORDS:
                continue
            long += 1
            if not train.isdisjoint(holders.get(index, ())):
                repeated += 1
                found.add(rows.row_ids[index])
    return RepeatedAnswers(long_answers=long, repeated=repeated, rows=sorted(found))


def _holders(words: Sequence[Sequence[str]]) -> dict[int, set[int]]:
    """Return for each long answer the answers in which its words stand, one behind the other, itself left out."""
    begins: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, own in enumerate(words):
        if len(own) >= LONG_ANSWER_WORDS:
            begins[tuple(own[:LONG_ANSWER_WORDS])].append(index)
    found: dict[int, set[int]] = defaultdict(set)
    for holder, own in enumerate(words):
        for start in range(len(own) - LONG_ANSWER_WORDS + 1):
            for index in begins.get(tuple(own[start : start + LONG_ANSWER_WORDS]), ()):
                if index != holder and own[start : start + len(words[index])] == words[index]:
                    found[index].add(holder)
    return found


def _repeated_lines(repeated: RepeatedAnswers) -> list[str]:
    if not repeated.repeated:
        return []
    verb = "also stands in a training answer" if repeated.repeated == 1 else "also stand in training answers"
    return [
        f"{repeated.repeated:,} of {count(repeated.long_answers, 'test answer')} of at least {LONG_ANSWER_WORDS} words"
        f" {verb} ({row_list(repeated.rows)}): they can be learned by heart"
    ]


def _percent(part: int, whole: int) -> str:
    share = 100 * part / max(1, whole)
    return f"{share:.1f} %" if 0 < share < 1 else f"{share:.0f} %"
