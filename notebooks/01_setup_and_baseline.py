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
# # 1. Set-up and baseline
#
# Before anything is fine-tuned: what do cheap methods score on the same rows? A fine-tuned model that does not beat
# them is not worth its price. This notebook sets the comparison up, looks at the data, and runs four methods that
# take seconds.
#
# The five notebooks are one comparison. Each takes the same rows and the same protocol, and adds a method; what one
# of them has run, the next does not run again.

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

# %% [markdown]
# `resumes` is a built-in data set; the name of a CSV, JSONL or Parquet file would stand there for your own. Six of
# its 25 kinds of resumes, the first 64 tokens of each, one split and one seed: small enough for two cores of a CPU.
# Whatever follows from the model (learning rates, precision, rows at a time) is chosen by Showdown.

# %%
comparison = Comparison("resumes", methods=["majority", "tfidf", "zero-shot", "frozen"], **SETTING)
comparison

# %% [markdown]
# ## Look at the data first
#
# Copies of a text on both sides of the split make every score too good. The audit counts them; the split keeps all
# copies of a text on one side.

# %%
comparison.audit()

# %% [markdown]
# ## Run
#
# A table shows how it goes. When it ends, the comparison is shown: what to take, the table, what was shown and what
# was not.

# %%
comparison.run()

# %% [markdown]
# ## How sure is that?
#
# The bars are 95 % intervals. With 36 test rows each is about 30 points wide, and one row is 2.8 points: two methods
# a few points apart cannot be told apart here. That is no flaw of a method; it is what 36 rows can say. "No
# difference was shown" does not mean "they are equal".

# %%
comparison.plot("scores")

# %% [markdown]
# Every run is a row of a DataFrame, with all that was measured.

# %%
comparison.frame()[["name", "accuracy", "f1_macro", "train_seconds", "model_size_mb", "trainable_parameters"]]

# %% [markdown]
# Remember the row `frozen`: a logistic regression on the embeddings of the untouched model. It is the one to beat.
# Next: full fine-tuning.
