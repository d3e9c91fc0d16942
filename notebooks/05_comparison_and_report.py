# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5. The comparison and its report
#
# All seven methods side by side. What the notebooks before this one have run is not run again; alone, this one takes
# a few minutes on two cores of a CPU. What does not fit this machine is left out.

# %%
# The one cell to change. On a GPU: "mistralai/Mistral-7B-v0.1"
MODEL = "all-minilm-l6-v2"

# %%
from showdown import Comparison

LABELS = ["Advocate", "Arts", "Civil Engineer", "Data Science", "HR", "Sales"]
SETTING = {
    "name": "notebooks",
    "model": {"id": MODEL},
    "data": {"labels": LABELS},
    "protocol": {
        "split": {"kind": "single", "train": 0.5, "validation": 0.15, "test": 0.35},
        "tuning": None,
        "effective_batch_rows": 4,
        "max_tokens": 64,
        "dropout": 0.0,
    },
    "seeds": [0],
}

# %%
METHODS = ["majority", "tfidf", "zero-shot", "frozen", "full", "lora", "qlora"]
plan = Comparison("resumes", methods=METHODS, **SETTING).plan()
comparison = Comparison("resumes", methods=plan.fitting, **SETTING)
comparison.run()

# %% [markdown]
# Read it from the top: what to take, what must be known of the test rows, the table, then what was shown. The
# recommendation weighs the price: of two methods between which no difference was shown, it is often the cheap one. Its
# reasons are in the report.

# %% [markdown]
# ## Other questions to the same runs
#
# Another metric, a wider margin or a limit is judged in a moment; nothing runs again. A limit is kept to the letter:
# what is left may be a method that nobody would want, and a latency that was measured beside other work leaves out
# more than it should.

# %%
comparison.judge(metric="f1_macro", margin_points=5, limits={"max_latency_ms": 10})

# %% [markdown]
# ## Which labels are confused?

# %%
comparison.plot("confusion")

# %% [markdown]
# ## Use the winner

# %%
comparison.predict(
    ["Ten years of litigation, and three as a partner.", "Trained a gradient-boosted model on sensor data."]
)

# %%
exported = comparison.export("winner")
sorted(path.name for path in exported.folder.iterdir())

# %% [markdown]
# The model was opened again from that folder without Showdown and answered the test rows; its card has the score. Now
# the report: a page that opens from a disk and asks for nothing from outside, and the same as PDF and Markdown.

# %%
comparison.report()

# %% [markdown]
# ## Before you rely on it
#
# One split with 36 test rows and one seed is enough to learn the tool, and too little to choose by. For that take all
# your rows, leave `split`, `seeds` and `tuning` away (they are then chosen for your data: cross-validation, three
# seeds, a search for each method's learning rate), and look at the intervals again.
