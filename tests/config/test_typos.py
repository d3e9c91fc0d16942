"""Whatever is misspelt in a comparison is refused in one line that names the place and the fix."""

import random
import re
from pathlib import Path
from typing import Any

import pytest

from showdown.config.read import read_comparison
from showdown.core.errors import UserError
from showdown.core.spec import Comparison, DataSpec, ModelSpec, SharedProtocol, SplitFiles, TuningSpec
from showdown.core.split import SPLIT_KINDS
from showdown.methods.table import METHODS, method_class

LETTERS = "abcdefghijklmnopqrstuvwxyz_"
TYPOS = 2000
LEAST_RIGHT_SUGGESTIONS = 0.95
KEYS: list[tuple[tuple[str, ...], str]] = [
    *(((), key) for key in Comparison.model_fields),
    *((("protocol", "tuning"), key) for key in TuningSpec.model_fields),
    *((("data", "files"), key) for key in SplitFiles.model_fields),
    *((("protocol",), key) for key in SharedProtocol.model_fields),
    *((("data",), key) for key in DataSpec.model_fields),
    *((("model",), key) for key in ModelSpec.model_fields),
    *((("methods", name), key) for name in METHODS for key in method_class(name).Settings.model_fields),
]


def edited(key: str, chance: random.Random) -> str:
    """Change a key by one letter: dropped, doubled, replaced, or two swapped."""
    place = chance.randrange(len(key) - 1)
    kind = chance.choice(["drop", "double", "replace", "swap"])
    if kind == "drop":
        return key[:place] + key[place + 1 :]
    if kind == "double":
        return key[: place + 1] + key[place:]
    if kind == "replace":
        return key[:place] + chance.choice(LETTERS) + key[place + 1 :]
    return key[:place] + key[place + 1] + key[place] + key[place + 2 :]


def read(written: dict[str, Any], *overrides: str) -> Any:
    return read_comparison(None, base={"methods": {"majority": {}}, **written}, overrides=overrides)


def test_one_letter_typos_are_refused_and_most_get_the_right_suggestion() -> None:
    chance = random.Random(7)
    right = tried = 0
    while tried < TYPOS:
        section, key = chance.choice(KEYS)
        known = {name for place, name in KEYS if place == section}
        wrong = edited(key, chance)
        if wrong in known or len(key) < 4 or wrong == "method":
            continue
        tried += 1
        inner: dict[str, Any] = {wrong: 1}
        for name in reversed(section):
            inner = {name: inner}
        with pytest.raises(UserError) as caught:
            read(inner)
        message = str(caught.value)
        where = f" in `{'.'.join(section)}`" if section else ""
        assert "\n" not in message
        assert f"`{wrong}` unknown{where}" in message
        right += f"did you mean `{key}`?" in message
    assert right / tried >= LEAST_RIGHT_SUGGESTIONS


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"epochs": 3}, "`epochs` unknown; it belongs under `protocol`"),
        ({"source": "a.csv"}, "`source` unknown; it belongs under `data`"),
        ({"data": {"max_tokens": 9}}, "`max_tokens` unknown in `data`; it belongs under `protocol`"),
        ({"protocol": {"seeds": [1]}}, "`seeds` unknown in `protocol`; it belongs at the top"),
        ({"folds": 3}, "`folds` unknown; it belongs under `protocol.split`"),
        ({"methods": {"lora": {"epochs": 3}}}, "`epochs` unknown in `methods.lora`; it belongs under `protocol`"),
        ({"protocol": {"longest_ngram": 2}}, "unknown in `protocol`; it belongs under `methods.tfidf`"),
        ({"protocol": {"rank": 2}}, "unknown in `protocol`; it belongs under `methods.ROW`"),
        ({"zzzzqqq": 3}, "`zzzzqqq` unknown; known are name, task, model, data"),
    ],
)
def test_a_key_of_another_section_is_named_with_its_place(written: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        read(written)
    assert message in str(caught.value)


SECTIONS = sorted({section for section, _ in KEYS})


@pytest.mark.parametrize("section", SECTIONS, ids=".".join)
def test_no_key_of_another_section_is_suggested_for_one_that_is_merely_like_it(section: tuple[str, ...]) -> None:
    """`label_smoothing` in `protocol` is no slip of a method's `smoothing`."""
    known = {key for place, key in KEYS if place == section}
    kinds = {key for kind in SPLIT_KINDS.values() for key in kind.model_fields}
    tried = 0
    for key in sorted({key for _, key in KEYS} | kinds):
        wrong = f"label_{key}"
        if wrong in known:
            continue
        inner: dict[str, Any] = {wrong: 1}
        for name in reversed(section):
            inner = {name: inner}
        with pytest.raises(UserError) as caught:
            read(inner)
        suggested = re.search(r"did you mean `([^`]*)`", str(caught.value))
        assert suggested is None or suggested[1] in known, caught.value
        assert "it belongs" not in str(caught.value) or wrong in {key for _, key in KEYS}
        tried += 1
    assert tried > 50


def test_an_override_takes_a_row_out_and_a_file_does_not() -> None:
    rows = {"methods": {"tfidf": {}, "lora": None, "lora.v2": {"method": "lora"}}}
    assert set(read(rows).methods) == {"tfidf", "lora", "lora.v2"}
    assert read(rows).methods["lora"] == {}
    assert set(read(rows, "methods.lora=null").methods) == {"tfidf", "lora.v2"}
    assert set(read(rows, "methods.lora.v2=~").methods) == {"tfidf", "lora"}
    assert set(read(rows, "methods.dora=").methods) == {"tfidf", "lora", "lora.v2", "dora"}
    assert read(rows, "methods.lora.learning_rate=null").methods["lora"] == {"learning_rate": None}
    assert read(rows, "methods.lora.protocol.dropout=null").methods["lora"] == {"protocol": {"dropout": None}}
    assert rows["methods"]["lora"] is None
    with pytest.raises(UserError, match=r"no row `lroa` to take out; did you mean `lora`\?"):
        read(rows, "methods.lroa=null")
    with pytest.raises(UserError, match="needs at least one entry"):
        read({"methods": {"lora": {}}}, "methods.lora=null")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("methods: {lora: {}}\nmethods: {full: {}}\n", "line 2"),
        ("methods:\n  lora: {}\n full: {}\n", "not valid YAML at line 3"),
        ("- lora\n- full\n", "a comparison is a mapping"),
        ("", "a comparison is a mapping"),
        ("methods: {}\n", "`methods`"),
        ("name: mine\nmetods: {lora: {}}\n", "`metods` unknown; did you mean `methods`?"),
        ("methods: {lora: {}}\nseeds: []\n", "`seeds`"),
        ("methods: {lroa: {}}\n", "method `lroa` unknown in `methods`; did you mean `lora`?"),
        ("methods: {mine: {method: lroa}}\n", "did you mean `lora`?"),
        ("methods: {lora: {rank: 0}}\n", "`methods.lora.rank`"),
        ("methods: {lora: {learning_rate: fast}}\n", "(given: 'fast')"),
        ("methods: {zero-shot: {template: no place}}\n", "must hold {label} exactly once"),
        ("methods: {Lora: {}}\n", "`methods.Lora"),
        ("methods: {../up: {method: lora}}\n", "../up"),
        ("methods: {lora: {}}\nprotocol: {epochs: 0}\n", "`protocol.epochs`"),
        ("methods: {lora: {}}\nprotocol: {epochs: -1}\n", "(given: -1)"),
        ("methods: [lora, full]\n", "`methods`: input should be a section of keys, as in `methods: {name: value}`"),
        ("methods: {lora: 3}\n", "`methods.lora`: input should be a section of keys, as in `lora: {name: value}`"),
        ("methods: {lora: {}}\ndata: resumes\n", "`data`: input should be a section of keys"),
        ("methods: {}\n", "`methods`: needs at least one entry"),
        ("name: 5\nmethods: {lora: {}}\n", "`name`: input should be a valid string (given: 5)"),
        ("name: ../up\nmethods: {lora: {}}\n", "`name`: name it with a-z, 0-9"),
        ("methods: {lora: {}}\nseeds: 3\n", "`seeds`: input should be a valid list or 'auto' (given: 3)"),
        ("methods: {lora: {}}\nseeds: [1, 0, 1]\n", "`seeds`: seed 1 is there 2 times"),
        ("methods: {lora: {}}\nseeds: [-1]\n", "`seeds.0`: input should be greater than or equal to 0 (given: -1)"),
        ("methods: {lora: {}}\nseeds: [5000000000]\n", "`seeds.0`: input should be less than 4294967296"),
        ("methods: {lora: {}}\nmodel: {id: ''}\n", "`model.id`: string should have at least 1 character"),
        ("methods: {lora: {}}\ndata: {files: {train: a.csv}}\n", "`data.files.test`: is missing"),
        (
            "methods: {lora: {}}\ndata: {source: a.csv, files: {train: a.csv, validation: b.csv, test: c.csv}}\n",
            "`data.source: a.csv` and `data.files` exclude each other",
        ),
        ("methods: !!python/object/apply:os.system [exit]\n", "not valid YAML at line 1"),
        ("methods: {lora: {}}\nprotocol: {epochs: .nan}\n", "`protocol.epochs`"),
    ],
)
def test_faults_of_a_file_are_one_line_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_comparison(path, base={}, overrides=[])
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_method_with_nothing_behind_it_has_no_settings(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("methods:\n  full:\n  lora:\n")
    assert read_comparison(tmp_path / "mine.yaml", base={}, overrides=[]).methods == {"full": {}, "lora": {}}


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    for name, message in {"folder": "this is a folder", "latin": "not UTF-8 at byte 9"}.items():
        with pytest.raises(UserError, match=message):
            read_comparison(tmp_path / f"{name}.yaml", base={}, overrides=[])


def test_a_missing_file_suggests_no_stranger(tmp_path: Path) -> None:
    (tmp_path / "tag.yaml").write_text("methods: {lora: {}}\n")
    with pytest.raises(UserError, match="check the path"):
        read_comparison(tmp_path / "nothere.yaml", base={}, overrides=[])


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "quickstart.yaml").write_text("methods: {lora: {}}\n")
    with pytest.raises(UserError, match=r"did you mean `quickstart\.yaml`"):
        read_comparison(tmp_path / "quikstart.yaml", base={}, overrides=[])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("protocol.epochs", "write it as key=value"),
        ("=3", "write it as key=value"),
        (".=3", "write it as key=value"),
        ("protocol..epochs=3", "write it as key=value"),
        ("protocol.epochs=", "(given: None)"),
        ("protocol=3", "`protocol`: input should be a section of keys"),
        ("protocol.epchs=3", "did you mean `epochs`?"),
        ("methods.lora.targets=3", "`methods.lora.targets`: input should be 'all-linear' or a valid list (given: 3)"),
        ("methods.lora.targets=[3]", "`methods.lora.targets.0`: input should be a valid string (given: 3)"),
        ("protocol.memory=fats", "`protocol.memory`: input should be 'speed' or 'lean' or a valid number"),
        ("protocol.label_smoothing=2", "`protocol.label_smoothing`: input should be less than 1 (given: 2)"),
        ("protocol.label_smoothing=1", "`protocol.label_smoothing`: input should be less than 1 (given: 1)"),
        ("protocol.label_smoothing=-0.1", "`protocol.label_smoothing`: input should be greater than or equal to 0"),
        ("methods.lora.protocol.epochs=0", "`methods.lora.protocol.epochs`: input should be greater than"),
        ("methods.lora.protocol.epcohs=2", "unknown in `methods.lora.protocol`; did you mean `epochs`?"),
        ("methods.lora.protocol=3", "`methods.lora.protocol` is a mapping"),
        ("methods.lora.protocol.split={kind: kfold}", "all rows have one split; set `protocol.split` instead"),
        ("methods.lora.protocol.tuning={trials: 9}", "all rows have one tuning; set `protocol.tuning` instead"),
        ("protocol.epochs=[3", "not valid YAML"),
        ("name.deep=3", "`name` is a value, not a section"),
    ],
)
def test_faults_of_an_override(override: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read({"name": "mine"}, override)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_overrides_reach_every_depth_and_numbers_are_numbers() -> None:
    found = read(
        {"methods": {"lora-v1.5": {"method": "lora"}}},
        "protocol.epochs=7",
        "methods.lora-v1.5.learning_rate=1e-5",
        "data.source=mine.csv",
    )
    assert found.protocol.epochs == 7
    assert found.methods["lora-v1.5"]["learning_rate"] == pytest.approx(1e-5)
    assert found.data.source == "mine.csv"


def test_every_ready_made_comparison_reads() -> None:
    folder = Path(__file__).parents[2] / "comparisons"
    names = {read_comparison(path, base={}, overrides=[]).name for path in folder.glob("*.yaml")}
    assert {"quickstart", "resumes", "resumes-mistral-7b"} <= names
