"""The server that one writes without Showdown: transformers' `pipeline` behind FastAPI.

    python -m benchmarks.lib.plain_server MODEL --form threads --port 8001

`MODEL` is a folder with a whole network. Every request is answered by itself, without padding: one after another in the
server's own loop (`loop`), or in a thread of its own out of FastAPI's forty (`threads`), where torch uses all cores for
each, or one (`threads-one-core`).
"""

import argparse
from typing import Any

FORMS = ("loop", "threads", "threads-one-core")


def application(folder: str, form: str, most_tokens: int) -> Any:
    """Return the FastAPI application.

    Args:
        folder: of the network and its tokenizer.
        form: one of `FORMS`.
        most_tokens: after which a text is cut.

    """
    import torch
    from fastapi import FastAPI
    from pydantic import BaseModel
    from transformers import pipeline

    if form == "threads-one-core":
        torch.set_num_threads(1)
    classify = pipeline("text-classification", model=folder, tokenizer=folder, device="cpu")
    app = FastAPI()

    class Asked(BaseModel):
        text: str

    def answer(asked: Asked) -> dict[str, Any]:
        (found,) = classify([asked.text], truncation=True, max_length=most_tokens)
        return {"label": found["label"], "score": found["score"]}

    async def answer_in_the_loop(asked: Asked) -> dict[str, Any]:
        return answer(asked)

    app.post("/predict")(answer_in_the_loop if form == "loop" else answer)
    return app


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--form", choices=FORMS, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--most-tokens", type=int, required=True)
    options = parser.parse_args()

    import uvicorn

    app = application(options.model, options.form, options.most_tokens)
    uvicorn.run(app, host="127.0.0.1", port=options.port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
