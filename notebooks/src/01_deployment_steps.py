# %% [markdown]
# # 01 · Deployment steps
#
# *Forty minutes. Prerequisite: [00 Start here](00_start_here.ipynb). Next: 02 Containers.*
#
# **The question.** Which steps lead from a trained model to one that answers in production?
#
# **The answer in five lines.**
#
# 1. Clean the data as it will be at prediction time; train; judge on *later* data than the model
#    saw.
# 2. Turn model and preprocessing into one file in an open format, and prove that it answers the
#    same.
# 3. Pack it with its schema, its figures and checksums, so that nobody can mix it up.
# 4. Serve it behind an API that refuses what it does not understand.
# 5. Watch what it predicts, because the world moves on.
#
# ```text
#   clean -> train -> serialize -> pack -> serve -> predict -> monitor
#     ^                                                           |
#     +--------------- retrain when it drifts --------------------+
# ```
#
# Each of the seven steps below ends in a **gate**: a figure that is measured here, with the bound
# that it must keep. The table at the end holds them all. If a figure leaves its bound, the build
# of this handbook fails, so what you read here is true of the code beside it.

# %% tags=["parameters"]
cloud = "local"
quick = True
seed = 0
max_spend_usd = 0.0
out = "build/runs"

# %% [markdown]
# ## 1. Clean: the data is checked before anything is learnt from it
#
# Somewhere in the raw weather table stands a mean wind of 1,048 mph: Newark, 12 February 2013,
# three in the morning. No error was raised when it was written, none when it was read.
# `flights.load` compares every reading with the range that is possible on Earth and makes what
# lies outside a missing value. After that, all rows have to pass the same check that the server
# will apply to its requests. Below the gate: what the check says to the broken reading, had it come
# in as a request.

# %%
import numpy as np

from mlref import artifact, evidence, flights, models, targets
from mlref.errors import InvalidInputError

figures = evidence.Recorder("01_deployment_steps", out)
year = flights.load()
features = list(flights.FEATURES.names)
flights.validate(year[features])
figures.record("01.valid_rows", len(year), unit="rows", kind="exact")
print(f"gate 1: {len(year):,} rows fit the schema")
broken = year[features].head(3).assign(wind_speed=[8.0, 1048.36, 8.0])
try:
    flights.validate(broken)
except InvalidInputError as error:
    print(error)

# %% [markdown]
# ## 2. Train: judged on the future, or flattered by the past
#
# The champion is gradient boosting from scikit-learn: 200 small trees, carriers and airports as
# numbers, missing values sent down the branch that suits them. It is trained on January to March.
# Which months it is judged on decides what we believe about it.

# %%
training = flights.load(flights.TRAINING_MONTHS)
serving = flights.load(flights.SERVING_MONTHS)
champion = models.train_champion(training, seed=seed)
judged = models.evaluate(champion, serving)
figures.record("01.champion_auc", judged.mean_auc, unit="", kind="exact")
judged

# %%
judged.plot()

# %% [markdown]
# *Left:* the AUC is the chance that a late flight gets a higher score than a punctual one. It
# stays clearly above a coin, and it is worse in October than in May. *Brier*, in the table, is the
# mean squared error of the probability; less is better. *Right:* the predictions follow the real
# late-rate only in part: too low in April, in summer and in December, too high in September and
# October. Remember this picture: step 7 comes back to it.
#
# Now the mistake that is made most often: split the year at random instead of by time. All three
# models below see about as many flights, and all are judged on flights from April to December.

# %%
random = np.random.default_rng(seed)
day = year["scheduled"].dt.normalize()
splits = {
    "random days": day.isin(random.choice(day.unique(), 88, replace=False)),
    "random rows": random.random(len(year)) < len(training) / len(year),
}
auc = {"by time": judged.mean_auc}
for name, seen in splits.items():
    flattered = models.train_champion(year[seen], seed=seed)
    judge_on = year[~seen & (year["month"] > 3)][:: 3 if quick else 1]
    auc[name] = models.evaluate(flattered, judge_on).mean_auc
gain = auc["random rows"] - auc["by time"]
figures.record("01.random_split_gain", gain, unit="", kind="exact")
print({name: round(value, 2) for name, value in auc.items()})

# %% [markdown]
# A random split promises an AUC that production will never see. The gain is gone, or nearly, when whole days are kept together: flights of the same hour share their weather and their queue
# on the runway, and a random split puts some in the training and their neighbours in the test.
# **Judge a model on rows that come later than all rows it has seen.**
#
# How much does it owe to the weather, which a real forecast would know less well? Give it the same
# weather in every hour of the year:

# %%
weather = [column.name for column in flights.FEATURES if column.nullable]
same = dict(training[weather].median())
blind = models.train_champion(training.assign(**same), seed=seed)
in_the_dark = models.evaluate(blind, serving.assign(**same)[:: 4 if quick else 1])
figures.record("01.auc_without_weather", in_the_dark.mean_auc, unit="", kind="exact")
print(f"without weather: AUC {in_the_dark.mean_auc:.2f}, with it {judged.mean_auc:.2f}")

# %% [markdown]
# The truth for a real forecast lies between the two.
#
# A second model, the *challenger*, is a small network with embeddings in PyTorch, a different kind
# of model from a different library. That is its use here: every step that follows must work for
# both.

# %%
challenger = models.train_challenger(training, seed=seed)
challenged = models.evaluate(challenger, serving)
gap = models.compare(judged, challenged, seed=seed, repeats=200 if quick else 2000)
figures.record("01.challenger_gap", gap.difference, unit="", kind="exact")
print(f"gate 2: champion {judged.mean_auc:.2f}, challenger {challenged.mean_auc:.2f}")
print(f"difference: 95 % interval {gap.low:+.3f} to {gap.high:+.3f}")

# %% [markdown]
# How to read the interval: if the year's days had fallen a little differently, the difference
# would have come out in this range 95 times of 100. Whole days are resampled, because the flights
# of one day are not independent of each other. The challenger is probably a little worse, and by
# less than the 0.02 that would matter to us.
#
# ## 3. Serialize: one graph from raw columns to probability
#
# What is sent to production must not be "the model, and a page on how to prepare its inputs".
# Somebody would write the preparation a second time, slightly differently, and the server would
# answer 200 with wrong probabilities. So the preparation goes into the file: carriers to codes,
# gaps filled, everything. ONNX can say all that, and the result needs neither scikit-learn nor
# PyTorch to run.
#
# That the conversion worked is not believed but measured, on 10,000 flights with real gaps and
# real destinations that were never seen in the training:

# %%
unseen = ~serving["dest"].isin(training["dest"])
usual = serving[~unseen].sample(10_000 - unseen.sum(), random_state=seed)
rows = serving.loc[usual.index.union(serving.index[unseen]), features]
gaps = rows.isna().any(axis=1).mean()
print(f"{len(rows):,} rows, {unseen.sum()} unseen destinations, {gaps:.0%} with a gap")
both = {"champion": (champion, "1.0.0", judged), "challenger": (challenger, "2.0.0", challenged)}
packed, parity = {}, 0.0
for name, (model, version, result) in both.items():
    packed[name] = models.pack_model(
        f"{out}/01/{name}", model, version=version, evaluation=result, overwrite=True
    )
    difference = np.abs(packed[name].predict(rows) - model.predict(rows)).max()
    parity = max(parity, float(difference))
figures.record("01.parity", parity, unit="", kind="exact")
print("gate 3: both graphs agree with their Python models within 1e-5:", parity <= 1e-5)

# %% [markdown]
# It is faster, too. One row through scikit-learn's pipeline builds a DataFrame and walks through
# three estimators; the graph just computes, and checks the row against the schema on top of it.

# %% tags=["nbval-ignore-output"]
import timeit

one = rows.head(1)
columns = {name: list(one[name]) for name in features}
slow = min(timeit.repeat(lambda: champion.pipeline.predict_proba(one), number=5, repeat=3)) / 5
fast = min(timeit.repeat(lambda: packed["champion"].predict(columns), number=20, repeat=5)) / 20
speedup = figures.record("01.one_row_speedup", slow / fast, unit="x", kind="ratio")
print(f"one row: scikit-learn {slow * 1e3:.1f} ms, ONNX {fast * 1e3:.2f} ms, {speedup:.0f} times")

# %% [markdown]
# ### The other formats
#
# ONNX is not the only way to write a model down. Eight formats save the same two models; each is
# loaded in a fresh process, and its answers are compared with those of the model in memory. *Cold
# load* counts from the start of that process, *load* once everything is imported. *Needs* is what
# the process really imported, with the number of further packages behind them. The last column was
# tried: hostile files were made whose payload, harmlessly, writes a marker file. A loader that was
# told to be careless does not count.

# %% tags=["nbval-ignore-output"]
from mlref import serialization

place = f"{out}/01/formats"
formats = serialization.compare(champion, challenger, rows.head(1000), place, repeats=1)
pickled, graph = formats["pickle (champion)"], formats["ONNX (champion)"]
sooner = pickled.cold_load_ms / graph.cold_load_ms
figures.record("01.cold_load_ratio", sooner, unit="x", kind="ratio")
figures.record("01.pickle_ran_code", int(pickled.executes_code), unit="", kind="exact")
figures.record("01.onnx_ran_code", int(graph.executes_code), unit="", kind="exact")
formats

# %% tags=["nbval-ignore-output"]
formats.plot()

# %% [markdown]
# What exactly was tried, and what each loader said to it. Two rows show a careful loader used
# carelessly: "all types trusted unread", `weights_only=False`.

# %% tags=["nbval-ignore-output"]
formats.to_attempts_table()

# %%
print("a hostile pickle ran its code:", pickled.executes_code)
print("a hostile ONNX file ran its code:", graph.executes_code)

# %% [markdown]
# - **A pickle is a program.** Loading one runs whatever its author put in. joblib is a pickle in
#   other clothes, and torch.export keeps one inside. Load such files from yourself, and from
#   nobody else.
# - **Weights are not a model.** safetensors and a state_dict hold numbers; without the network's
#   class and the preparation, at the right versions, they are of no use.
# - **A graph carries everything.** ONNX needs the least to run and holds the preparation, too. So
#   does a SavedModel, but its graph may write files, and TensorFlow is needed to run it (the row
#   is filled after `make tensorflow`).
# - **"No" means: these attempts failed.** It is no proof of safety. Check where a file comes from.
#
# ## 4. Pack: one folder that cannot be mixed up
#
# `models.pack_model` above wrote an *artefact*: the graph, a manifest, and a few golden rows with
# the predictions that the original Python model gave for them.

# %%
manifest = packed["champion"].manifest
print(*sorted(path.name for path in packed["champion"].folder.iterdir()))
print(f"{manifest.name} {manifest.version}, trained on {manifest.training_data['rows']:,} flights")
print("of the months", manifest.training_data["months"])
print("mean AUC in the months after:", round(manifest.metrics["mean_auc"], 2))

# %% [markdown]
# Packing is reproducible: the same model with the same date (`created`, or the usual variable
# SOURCE_DATE_EPOCH) gives the same bytes, in any folder, in any process. So the digest of a
# manifest names one model for good, and two people can find out whether they speak of the same
# one.

# %%
from datetime import UTC, datetime

moment = datetime(2013, 4, 1, tzinfo=UTC)
twins = [
    models.pack_model(
        f"{out}/01/{twin}",
        champion,
        version="1.0.0",
        evaluation=judged,
        created=moment,
        overwrite=True,
    )
    for twin in ("one", "other")
]
figures.record("01.digests", len({twin.digest for twin in twins}), unit="", kind="exact")
print("gate 4: packed twice, one digest:", twins[0].digest == twins[1].digest)

# %% [markdown]
# And it refuses to load when it was damaged. Here, in turn, every file of the folder gets one of
# its bits flipped, at forty places each. In the end somebody changes a figure on purpose and
# recomputes all checksums. A checksum cannot find that; the digest that you wrote down can.

# %%
from dataclasses import replace
from pathlib import Path
from shutil import copytree, rmtree

from mlref.errors import ArtifactTamperedError

missed = tried = 0
victim = Path(out, "01", "victim")
rmtree(victim, ignore_errors=True)
copytree(packed["champion"].folder, victim)
for file in sorted(victim.iterdir()):
    good = file.read_bytes()
    for position in np.linspace(0, len(good) - 1, 40).astype(int):
        file.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        tried += 1
        try:
            artifact.load(victim)
            missed += 1
        except ArtifactTamperedError:
            pass
    file.write_bytes(good)
figures.record("01.tampering_missed", missed, unit="", kind="exact")
print(f"{tried} flipped bits, {missed} unnoticed")

# %%
forged = replace(manifest, metrics={"mean_auc": 0.99})
Path(victim, "manifest.json").write_bytes(forged.to_bytes())
print("loads, claiming an AUC of", artifact.load(victim).manifest.metrics["mean_auc"])
try:
    artifact.load(victim, digest=packed["champion"].digest)
except ArtifactTamperedError:
    print("refused: it has not the digest that was written down")

# %% [markdown]
# > **Accident and attack.** Checksums inside a folder find damage and mix-ups. Against somebody
# > who means it, the digest must come on another way than the folder, or the folder must be
# > signed: chapter 11.

# %% [markdown]
# ## 5. Serve: the same answers over HTTP
#
# A *target* is a place where an artefact can run. `targets.Local` starts a server in a process of
# its own and hands back an *endpoint*. The server ends when the endpoint is closed, and also when
# this notebook's kernel dies, however it dies.
#
# Anything that speaks HTTP can ask. The second half of the cell sends a request as `curl` would, for
# one flight whose gust and pressure are unknown, to a destination that the model has never seen.

# %%
import json
from urllib.request import Request, urlopen

endpoint = targets.Local().deploy(packed["champion"])
golden = packed["champion"].golden
matched = golden.matched(endpoint.predict(golden.columns))
figures.record("01.golden_missed", len(golden.instances) - matched, unit="rows", kind="exact")
print(f"gate 5: {matched} of {len(golden.instances)} golden rows answered the same over HTTP")

flight = dict(golden.instances[1]) | {"dest": "XXX"}
body = json.dumps({"instances": [flight]}).encode()
url = f"{endpoint.describe().url}/v1/predict"
with urlopen(Request(url, body, {"Content-Type": "application/json"})) as reply:
    answer = json.load(reply)
print(f"probability {answer['predictions'][0]:.2f}, by {answer['model']}")
print("warnings:", answer["warnings"])

# %% [markdown]
# ### Under load
#
# One request proves little. So the server is pushed: by one client, by 16, by 64, and then by 500
# at once, which is more than it allows. Each client sends its next flight as soon as it has the
# last answer. Two things are worth a look:
#
# - **Batching costs nobody time.** Requests that arrive in the same moment go through the model
#   together; alone, a request does not wait for company. The throughput grows with the clients
#   until the processor is full, and only then does waiting begin.
# - **An overloaded server says so.** What is beyond the limit is refused at once with 503 and the
#   header `Retry-After`. The alternative is a queue in which everybody waits, and in the end gives
#   up on answers that were computed for nobody.

# %% tags=["nbval-ignore-output"]
from mlref.serving import load
from mlref.serving.encoding import encode
from mlref.tables import Table

sample = serving[features].sample(200, random_state=seed)
bodies = [encode(sample.iloc[[row]]) for row in range(len(sample))]
where = endpoint.describe().url
pushed = {
    clients: load.press(where, "/v1/predict", bodies, concurrency=clients, seconds=0.5)
    for clients in (1, 16, 64, 500)
}
growth = pushed[64].requests_per_s / pushed[1].requests_per_s
figures.record("01.batching_gain", growth, unit="x", kind="ratio")
figures.record("01.overload_lost", pushed[500].lost, unit="requests", kind="exact")
columns = ("clients", "predictions per s", "p50 ms", "p99 ms", "refused", "lost")
rows_of = [
    (n, round(r.ok / r.seconds), r.p50_ms, r.p99_ms, r.statuses.get(503, 0), r.lost)
    for n, r in pushed.items()
]
Table(columns, tuple(rows_of))

# %% [markdown]
# And the deployment of every day: the server is told to end (SIGTERM) while 64 clients press. It
# stops taking connections, answers what it has been sent, asks each client to come back elsewhere,
# and ends. In the same trial (`benchmarks/reliability.py`), plain FastAPI lost a request on each of
# its 64 connections, five times out of five.

# %%
import os
import signal

with targets.Local().deploy(packed["champion"]) as doomed:
    place = doomed.describe()
    with load.start_load(place.url, "/v1/predict", bodies, concurrency=64, seconds=1.5) as clients:
        clients.wait_answered(1000)
        os.kill(place.pid, signal.SIGTERM)
        ended = clients.wait()
figures.record("01.lost_at_sigterm", ended.lost, unit="requests", kind="exact")
refused = pushed[500].statuses.get(503, 0)
print("lost when 500 clients pressed:", pushed[500].lost)
print("all who were refused were told when to come back:", pushed[500].told_to_wait == refused)
print("lost when the server was told to end:", ended.lost)

# %% [markdown]
# ## 6. Predict: what the server does not understand, it refuses
#
# A wrong probability looks just like a right one. That makes a silent wrong answer the worst thing
# that a model server can give: nobody sees it until somebody asks why business is bad. So each of
# these requests is refused, with every problem named. (The unknown airport above was a choice: the
# graph was built for it, and the answer carries a warning. Ask with `on_unknown` set to `"error"`,
# and it is refused, too.)

# %%
from urllib.error import HTTPError

bad_requests = {
    "text for a number": {"temp": "451"},
    "NaN": {"temp": float("nan")},
    "true": {"temp": True},
    "beyond the range": {"humid": 250},
    "null where it is needed": {"distance": None},
    "the delay at arrival": {"arr_delay": 12},
}
answered = 0
for name, change in bad_requests.items():
    body = json.dumps({"instances": [golden.instances[0] | change]}).encode()
    try:
        urlopen(Request(url, body, {"Content-Type": "application/json"})).close()
        answered += 1
    except HTTPError as refusal:
        problem = json.load(refusal)["problems"][0]["message"]
        print(f"{refusal.code} {name}: {problem[:76]}")
figures.record("01.bad_requests_answered", answered, unit="", kind="exact")
print("gate 6: bad requests answered:", answered)

# %% [markdown]
# ## 7. Monitor: the first hook
#
# Every gate above is passed, and the model still goes wrong. Let the months after the training
# pass by: each day's flights are sent to the endpoint, and once they have landed, the mean
# prediction is compared with the share that really was late. Two numbers a day; this is the
# cheapest monitor there is.

# %%
asked = serving[:: 4 if quick else 1]
predicted = endpoint.predict(asked[features])
days = asked.assign(day=asked["scheduled"].dt.normalize(), predicted=predicted)
daily = days.groupby("day")[["predicted", "late"]].mean().rolling(14).mean().dropna()
september = days[days["month"] == 9]
september_gap = float(september["predicted"].mean() - september["late"].mean())
figures.record("01.september_gap", september_gap, unit="", kind="exact")
endpoint.close()
print(f"gate 7: September, predicted less real share of late flights: {september_gap:+.2f}")

# %% tags=["readme-picture"]
from mlref import plotting

figure, axes = plotting.new_figure(width=8, height=3.2)
late, believed = daily["late"] * 100, daily["predicted"] * 100
with plotting.style():
    axes.plot(daily.index, late, color=plotting.COLOURS[0], marker="", label="really late")
    axes.plot(daily.index, believed, color=plotting.COLOURS[1], marker="", label="predicted")
    axes.fill_between(daily.index, late, believed, alpha=0.15, color="grey")
    axes.set(title="Share of late flights, mean of two weeks", ylabel="%")
    axes.set_ylim(bottom=0)
    axes.legend()
figure

# %% [markdown]
# The model under-reacts: its predictions move, but less than the world, and in October they rise
# while the delays do not. The last gate is no virtue of the model: it demands that a monitor this
# simple *sees* the trouble. Whether the gap is a reason to retrain, to recalibrate or to wait, is
# the subject of chapter 9; how to be woken by it, of chapter 13.
#
# ## What to choose
#
# Where the model runs:
#
# | | in your process | behind HTTP |
# |---|---|---|
# | time of an answer | **shortest** | a network hop more |
# | other languages can ask | no | **yes** |
# | can be replaced without you | no | **yes** |
# | choose it when | model and user are one program | it has several users or a life of its own |
#
# What it is written down as:
#
# | | one ONNX graph | weights (safetensors) | a pickle |
# |---|---|---|---|
# | needs at run time | **ONNX Runtime** | the network's class, its library | the training's exact libraries |
# | holds the preparation | **yes** | no | yes |
# | safe to load from a stranger | no attack found | no attack found | **no** |
# | choose it when | it is deployed | you go on training | you talk to yourself |
#
# ## On the real cloud
#
# The artefact of step 4 is what every later target takes: the container of chapter 2, the
# SageMaker endpoint of chapter 3 (`cloud = "aws"`, after its cost was printed and allowed), the
# function of chapter 5, the device of chapter 12. This chapter spends nothing and needs no
# account.
#
# ## The answer again, with its evidence

# %% tags=["nbval-ignore-output"]
from mlref import resources

claims = evidence.load_claims(resources.folder("cards") / "01_deployment_steps.toml")
evidence.answer(claims, figures.evidence)

# %%
violations = evidence.check(claims, figures.evidence)
print(f"{len(claims)} claims, {len(violations)} not borne out")

# %% [markdown]
# ## Practice
#
# - **The lab**, 45 minutes, grades itself: [lab 01](../labs/01_deployment_steps/exercise.ipynb).
#   Find the columns that nobody knows in time, pack an artefact that refuses tampering, and repair
#   a server that answers 200 and is wrong. Best in a folder of your own: `mlref init my-mlref`.
# - **The interview**: `mlref drill --topic 01` asks the question against a clock, shows which points
#   of a good answer it heard, and asks again when you are about to forget it.
# - Change `seed` in the second cell and run all. Which gates move, and which cannot?
# - Pack a model of your own: the README shows it in ten lines.
#
# **Follow-up questions**, as an interviewer would ask them, with a hint each:
#
# 1. The conversion to ONNX differs by 0.02 on a few rows. Where do you look first? *(At the rows:
#    missing values, unseen categories, float64 that became float32 near a tree's threshold.)*
# 2. Which of the seven gates would you drop under time pressure, and what would it cost? *(Say
#    what goes wrong silently without it; dropping parity or input checks costs the most.)*
# 3. Why is a random split so popular if it flatters? *(It is the default of every tutorial, and
#    right where rows are independent and the world stands still.)*
# 4. The endpoint answers 200 and every probability is wrong. How could that happen, and which step
#    prevents it? *(Preparation written twice, columns swapped, another version: steps 3, 4 and
#    5.)*
# 5. Your model needs a feature that is known two hours after the prediction. What now? *(It is a
#    leak. Predict later, or use what stands in for it at prediction time.)*
#
# Words that are new to you: `mlref glossary parity`, for instance.
#
# **Next:** 02 Containers takes the same artefact to a machine that has none of these libraries.
