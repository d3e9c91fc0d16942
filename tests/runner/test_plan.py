"""Rows of one comparison, each with its own protocol where its user says so."""

from showdown.config.read import check
from showdown.core.spec import ModelSpec
from showdown.data.prepare import prepare
from showdown.runner.plan import plan
from showdown.runner.prepared import ready


def test_a_row_does_otherwise_only_where_its_own_protocol_says_so() -> None:
    asked = check(
        {
            "methods": {
                "full": {"protocol": {"effective_batch_rows": 8, "warmup_steps": 100, "memory": "lean"}},
                "lora": {"rank": 4},
            },
            "seeds": [0],
            "protocol": {"epochs": 2, "effective_batch_rows": 16, "split": {"kind": "single"}},
        },
        "the test",
    )
    full, lora = plan(ready(asked, prepare(asked.data, asked.protocol.split), []), ModelSpec())
    assert (full.protocol.effective_batch_rows, full.protocol.warmup_steps, full.protocol.memory) == (8, 100, "lean")
    shared = asked.protocol.model_dump(exclude={"metric"})  # which no run sees
    assert lora.protocol.model_dump() == shared
    assert full.protocol.model_dump() == {**shared, "effective_batch_rows": 8, "warmup_steps": 100, "memory": "lean"}
    assert lora.settings["rank"] == 4
