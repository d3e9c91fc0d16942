"""How a saved model that writes is used with plain transformers."""

from typing import TYPE_CHECKING

from showdown.core.artifact import MODEL_FILE
from showdown.core.spec import SharedProtocol
from showdown.core.task import CardText
from showdown.tasks.generation.layout import ChatLayout

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_USE = """# Greedy, in place of settings of the base, which may sample or penalise repetition.
model.generation_config = GenerationConfig(
    do_sample=False,
    max_new_tokens={most},
    eos_token_id={stops},
    pad_token_id=tokenizer.pad_token_id,
)
answers = []
for text in texts:
    chat = [{{"role": "system", "content": system}}] if system else []
    chat.append({{"role": "user", "content": text}})
    inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    with torch.inference_mode():
        written = model.generate(**inputs.to(model.device))
    answer = written[0, inputs["input_ids"].shape[1] :]
    answers.append(tokenizer.decode(answer, skip_special_tokens=True).strip())"""


def card(tokenizer: "PreTrainedTokenizerBase", protocol: SharedProtocol, *, limit: int) -> CardText:
    """Return what the card says.

    Args:
        tokenizer: as it is saved beside the model, with its chat template.
        protocol: of the run.
        limit: the most tokens of a prompt with its answer.

    """
    return CardText(
        heading="a language model that writes answers",
        about=f"Trained by Showdown on prompts with their answers, at most {limit} tokens together. The system message "
        f"of its training is in `{MODEL_FILE}`.",
        imports="from transformers import GenerationConfig",
        reads=f'system = json.load(open(f"{{folder}}/{MODEL_FILE}", encoding="utf-8"))["system"]',
        use=_USE.format(most=protocol.max_new_tokens, stops=sorted(ChatLayout(tokenizer).stop_ids)),
    )
