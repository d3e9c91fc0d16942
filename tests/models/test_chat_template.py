"""Where a model's chat template comes from, and that every part of a run gets the same one."""

from pathlib import Path

import pytest

from pretrained import Pretrained
from showdown.core.artifact import without_path
from showdown.core.errors import UserError
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.models.chat_template import PLAIN_TEMPLATE, template_text, with_chat_template
from showdown.models.source import pin
from showdown.models.tokens import load_tokenizer

TEMPLATE = "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}{% endfor %}"


def test_the_content_of_a_file_stands_in_the_place_of_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.jinja"
    path.write_text(TEMPLATE + "\n", encoding="utf-8")
    assert with_chat_template(ModelSpec(chat_template=str(path))).chat_template == TEMPLATE + "\n"
    for kept in (None, "plain", TEMPLATE):
        spec = ModelSpec(id="x", chat_template=kept)
        assert with_chat_template(spec) == spec


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mine.jinja", None, "no such file; give a Jinja template, the path of a file with one, or `plain`"),
        ("mine.jinga", b"{{ x }}", "no such file; did you mean `mine.jinga`?"),
        ("mine.jinja", b"words alone", "the file holds no Jinja template"),
        ("mine.jinja", b"\xff{{", "not UTF-8 at byte 0"),
        ("mine.jinja", b"{{ x }}" * 200_000, "1,400,000 bytes are no template"),
    ],
)
def test_a_file_that_is_no_template(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        with_chat_template(ModelSpec(chat_template=str(tmp_path / "mine.jinja")))
    assert str(caught.value).startswith("model.chat_template: ")
    assert message in str(caught.value)
    with pytest.raises(UserError, match="is a folder"):
        with_chat_template(ModelSpec(chat_template=str(tmp_path)))


def test_a_pinned_model_and_its_tokenizer_have_the_template(pretrained: Pretrained, tmp_path: Path) -> None:
    folder = pretrained("llama")
    path = tmp_path / "mine.jinja"
    path.write_text(TEMPLATE)
    pinned = pin(ModelSpec(id=str(folder), chat_template=str(path)))
    assert (pinned.chat_template, pinned.revision) == (TEMPLATE, pin(ModelSpec(id=str(folder))).revision)
    assert load_tokenizer(folder, pinned.chat_template).chat_template == TEMPLATE
    assert load_tokenizer(folder).chat_template is None
    assert load_tokenizer(folder, "plain").chat_template == PLAIN_TEMPLATE == template_text("plain")


def run_with(model: ModelSpec) -> RunSpec:
    return RunSpec(
        name="full",
        method="full",
        settings={},
        model=model,
        protocol=SharedProtocol(),
        seed=0,
        data_fingerprint="f",
        task="generation",
    )


def test_a_saved_model_keeps_the_template(pretrained: Pretrained) -> None:
    kept = without_path(run_with(ModelSpec(id=str(pretrained("llama")), revision="r", chat_template="plain"))).model
    assert (kept.id, kept.revision, kept.chat_template) == ("llama", "r", "plain")


def test_another_template_is_another_run() -> None:
    one, other = (run_with(ModelSpec(id="m", chat_template=text)).run_id for text in ("plain", TEMPLATE))
    assert one != other
    assert run_with(ModelSpec(id="m")).run_id not in (one, other)


def test_training_lays_out_by_the_template(pretrained: Pretrained) -> None:
    """What a task encodes with the tokenizer of a run follows its template."""
    from showdown.core.chat import prompt_of
    from showdown.core.examples import Examples
    from showdown.tasks.table import task_named

    rows = Examples(texts=(prompt_of("dough oven"),), answers=("bread",), row_ids=(1,), duplicate_groups=(0,))

    def laid_out(template: str) -> str:
        tokenizer = load_tokenizer(pretrained("llama"), template)
        (ids,) = task_named("generation").encode(tokenizer, rows, 80, SharedProtocol()).ids
        return "".join(tokenizer.convert_ids_to_tokens(list(ids))).replace("\u0120", " ").replace("\u010a", "\n")

    assert laid_out("plain") == "<s>dough oven\nbread</s>"
    assert laid_out(TEMPLATE) == "<user>dough oven<assistant>bread"
