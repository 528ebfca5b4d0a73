"""What the bursts share: the prompt, the price list, requests at once, and what the ledger and the models say."""

import asyncio
import json
import re
import resource
import time

import bench

# Of `cases`, and of the comparison with it.
MODEL = "us.anthropic.claude-sonnet-4-6"
FAMILY = MODEL.removeprefix("us.")
BUDGETED = 10
READS, WRITES = 1_000, 500
PROMPT_BYTES = 4_000
LATENCY_MS = 1_000
# Express gives an execution five minutes.
SECONDS_PER_REQUEST = 320
PRICES = bench.ROOT / "crates/sentry-core/src/price/table.rs"


def prompt(reads=READS, writes=WRITES):
    """A text of 4,000 bytes that the simulated model counts as so many tokens, and answers with so many."""
    directive = f"\n#sim input={reads} output={writes}"
    story = "Tell me a story. " + "word " * PROMPT_BYTES
    return story[: PROMPT_BYTES - len(directive)] + directive


def open_many_files():
    """As many connections as the system allows; the hosts inherit it."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


# ------------------------------------------------------------------ money, in pico-dollars: no fractions anywhere


class Rates:
    """What a family's tokens cost: micro-dollars per million, which are pico-dollars each."""

    def __init__(self, family):
        numbers = r",\s*".join([r"([\d_]+)"] * 4)
        row = re.search(rf'listed\(\s*"{re.escape(family)}",\s*\[{numbers}', PRICES.read_text())
        if not row:
            raise bench.BenchmarkError(f"{family} has no price in {PRICES.relative_to(bench.ROOT)}")
        self.input, self.output, self.cache_read, self.cache_write = (int(number) for number in row.groups())

    def tokens(self, read, written):
        return read * self.input + written * self.output

    def billed(self, truth):
        """What the models of one host have billed, from its `/_local/usage`."""
        return sum(
            self.tokens(model["inputTokens"], model["outputTokens"])
            + model["cacheReadInputTokens"] * self.cache_read
            + model["cacheWriteInputTokens"] * self.cache_write
            for model in truth["models"].values()
        )


async def truth_of(port):
    """What the simulated models behind a host have really billed."""
    connection = await bench.Connection.open(port)
    try:
        return await bench.call(connection, bench.http("GET", "/_local/usage"))
    finally:
        connection.close()


def billed_tokens(truths):
    models = [model for truth in truths for model in truth["models"].values()]
    return {
        "input": sum(
            model["inputTokens"] + model["cacheReadInputTokens"] + model["cacheWriteInputTokens"] for model in models
        ),
        "output": sum(model["outputTokens"] for model in models),
    }


# ------------------------------------------------------------------ what the ledger says


async def read_items(connection):
    """Every item of the ledger, as numbers. Consistent: DynamoDB shows an item as it was at one moment."""
    answer = await bench.call(
        connection, bench.dynamodb("Scan", {"TableName": "sentry-ledger", "ConsistentRead": True}), 60
    )
    return [
        {name: int(value["N"]) if "N" in value else value.get("S") for name, value in item.items()}
        for item in answer["Items"]
    ]


async def read_item(connection, key):
    query = {"TableName": "sentry-ledger", "Key": {"budget": {"S": key}}, "ConsistentRead": True}
    item = (await bench.call(connection, bench.dynamodb("GetItem", query), 60)).get("Item", {})
    return {name: int(value["N"]) for name, value in item.items() if "N" in value}


def key_of(family):
    """The month may turn between this moment and the burst; then the item is another one, and the run is repeated."""
    return f"{time.strftime('%Y-%m', time.gmtime())}/{family}"


def reserved(item, side):
    ending = side.capitalize()
    return sum(number for name, number in item.items() if re.fullmatch(rf"r\d+{ending}", name))


def parts(item, side):
    ending = side.capitalize()
    return {
        "committed": item.get(side, 0),
        "settled": item.get(f"settled{ending}", 0),
        "external": item.get(f"external{ending}", 0),
        "reserved": reserved(item, side),
    }


async def watch(port, key, limit, readings, broken, done):
    """Reads the item every 50 ms. A reading is the time and, for each side of the limit, what is committed, settled
    and reserved."""
    connection = await bench.Connection.open(port)
    started = time.monotonic()
    while not done.is_set():
        item = await read_item(connection, key)
        at = round(time.monotonic() - started, 3)
        reading = [at]
        for side, most in limit.items():
            part = parts(item, side)
            reading += [part["committed"], part["settled"], part["reserved"]]
            if part["committed"] > most:
                broken.append(f"{side}: {part['committed']} committed of {most} after {at} s")
            if part["committed"] != part["settled"] + part["external"] + part["reserved"]:
                broken.append(f"{side}: {part} does not add up after {at} s")
        readings.append(reading)
        try:
            await asyncio.wait_for(done.wait(), 0.05)
        except TimeoutError:
            pass
    connection.close()


def highest(limit, readings):
    """The most that was committed on each side in any reading."""
    return {side: max(reading[1 + 3 * number] for reading in readings) for number, side in enumerate(limit)}


# ------------------------------------------------------------------ one request


async def send(port, body):
    """Runs one execution on a connection of its own; how it ended, what it used, and how long it took."""
    started = time.perf_counter()
    try:
        connection = await bench.Connection.open(port)
        try:
            execution = await bench.call(connection, body, SECONDS_PER_REQUEST)
        finally:
            connection.close()
    except (bench.BenchmarkError, TimeoutError, OSError) as error:
        return {"ending": f"{type(error).__name__}: {error}"[:200], "seconds": time.perf_counter() - started}
    outcome = {"seconds": time.perf_counter() - started}
    if execution["status"] == "SUCCEEDED":
        answer = json.loads(execution["output"])
        usage = answer["usage"]
        outcome |= {
            "ending": "shrunk answer" if answer.get("maxTokensShrunk") else "answer",
            "input": usage["inputTokens"] + usage["cacheReadInputTokens"] + usage["cacheWriteInputTokens"],
            "output": usage["outputTokens"],
            "maxTokens": answer["maxTokens"],
        }
    else:
        outcome["ending"] = execution.get("error", execution["status"])
        outcome["cause"] = execution.get("cause")
    return outcome


def is_answer(ending):
    return ending.endswith("answer")
