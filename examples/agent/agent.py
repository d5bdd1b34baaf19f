"""A support agent: a language model that looks things up, computes a refund, and pays it once somebody has approved.

Any endpoint that speaks OpenAI's chat completions will do: OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL.
`scripted_model.py` is one that needs no key and always decides the same.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import msgspec

from dormouse import Approval, RetryAfter, RetryPolicy, activity, transaction, workflow

SHOP = Path(__file__).with_name("shop.json")
MOST_TURNS = 12
MOST_TIMES_PAID = 2.0
INSTRUCTIONS = "You give customers their money back in the currency that they want. Look up everything; guess nothing."


class FindOrder(msgspec.Struct):
    """What was paid for an order."""

    order: str


class ExchangeRate(msgspec.Struct):
    """One unit of a currency in units of another."""

    base: str
    quote: str


class Refund(msgspec.Struct, frozen=True):
    """Give money back for an order."""

    order: str
    cents: int
    currency: str


TOOLS: dict[str, type[FindOrder | ExchangeRate | Refund]] = {
    "find_order": FindOrder,
    "exchange_rate": ExchangeRate,
    "refund": Refund,
}


class Order(msgspec.Struct, frozen=True):
    order: str
    paid_cents: int
    currency: str


class Rate(msgspec.Struct, frozen=True):
    base: str
    quote: str
    rate: float


class Choice(msgspec.Struct):
    message: dict[str, Any]


class Completion(msgspec.Struct):
    """What the model answers: the fields of OpenAI's chat completions that matter here."""

    model: str
    choices: list[Choice]
    usage: dict[str, Any] = {}


class Refused(Exception):
    """The model's endpoint will refuse this request each time that it is sent."""


class RefundTooLarge(Exception):
    """The model wants to pay far more than was paid."""


class GaveUp(Exception):
    """The model goes on asking for tools."""


pay_back = Approval("pay_back", Refund)


@workflow
async def support(question: str) -> str:
    """Answer a customer, with as many tool calls as the model wants."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": INSTRUCTIONS},
        {"role": "user", "content": question},
    ]
    paid: dict[str, Order] = {}
    for _ in range(MOST_TURNS):
        message = (await chat(messages)).choices[0].message
        messages.append(message)
        calls = message.get("tool_calls") or []
        if not calls:
            return str(message["content"])
        answers = await asyncio.gather(*(use(call["function"], paid) for call in calls))
        for call, answer in zip(calls, answers, strict=True):
            text = msgspec.json.encode(answer).decode()
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
    raise GaveUp(f"the model still asked for tools in turn {MOST_TURNS}")


async def use(function: dict[str, str], paid: dict[str, Order]) -> Any:
    """Do what the model asks for; what it asks wrongly it is told."""
    kind = TOOLS.get(function["name"])
    if kind is None:
        return {"error": f"there is no tool {function['name']}"}
    try:
        wanted = msgspec.json.decode(function["arguments"], type=kind)
    except msgspec.DecodeError as wrong:
        return {"error": str(wrong)}
    match wanted:
        case FindOrder():
            found = await find_order(wanted.order)
            if found is None:
                return {"error": f"there is no order {wanted.order}"}
            paid[found.order] = found
            return found
        case ExchangeRate():
            return await exchange_rate(wanted.base, wanted.quote)
        case Refund() if wanted.order in paid:
            return await refund(wanted, paid[wanted.order])
    return {"error": "look the order up first"}


async def refund(wanted: Refund, order: Order) -> dict[str, str]:
    """Pay, if the amount is not absurd and somebody approves of it within three days."""
    if wanted.cents > order.paid_cents * MOST_TIMES_PAID:
        raise RefundTooLarge(
            f"{_money(wanted.cents, wanted.currency)} for the order {order.order}, "
            f"for which {_money(order.paid_cents, order.currency)} was paid"
        )
    decision = await pay_back.request(wanted, within_seconds=3 * 86400)
    if not decision.approved:
        return {"refused": decision.reason or decision.outcome}
    await book(wanted)
    return {"paid": _money(wanted.cents, wanted.currency)}


def _money(cents: int, currency: str) -> str:
    return f"{cents / 100:,.2f} {currency}"


@activity(retry=RetryPolicy(initial_seconds=1, attempts=8, non_retryable=(Refused,)), start_to_close_seconds=120)
async def chat(messages: list[dict[str, Any]]) -> Completion:
    """One turn of the model."""
    base = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1")
    asked = {
        "model": os.environ.get("OPENAI_MODEL", "gpt-5-mini"),
        "messages": messages,
        "tools": [_tool(name, kind) for name, kind in TOOLS.items()],
    }
    headers = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', 'none')}"}
    async with httpx.AsyncClient(timeout=110) as client:
        answer = await client.post(f"{base}/chat/completions", json=asked, headers=headers)
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise RetryAfter(float(answer.headers.get("retry-after", "5")), "the model's endpoint wants fewer requests")
    if answer.is_client_error:
        raise Refused(f"{answer.status_code} {answer.text[:500]}")
    answer.raise_for_status()
    return msgspec.json.decode(answer.content, type=Completion)


@activity
def find_order(order: str) -> Order | None:
    """The tool of this name."""
    found = json.loads(SHOP.read_bytes())["orders"].get(order)
    return None if found is None else Order(order, **found)


@activity
def exchange_rate(base: str, quote: str) -> Rate:
    """The tool of this name."""
    return Rate(base, quote, json.loads(SHOP.read_bytes())["rates"][f"{base}/{quote}"])


@transaction
def book(tables: sqlite3.Connection, wanted: Refund) -> None:
    """Pay: here into a table of the same file, in the transaction that records it as done."""
    tables.execute("CREATE TABLE IF NOT EXISTS refund (order_id TEXT PRIMARY KEY, cents INTEGER, currency TEXT)")
    tables.execute("INSERT INTO refund VALUES (?, ?, ?)", (wanted.order, wanted.cents, wanted.currency))


def _tool(name: str, arguments: type[msgspec.Struct]) -> dict[str, Any]:
    """A tool as the model is told of it."""
    fields = msgspec.json.schema(arguments)["$defs"][arguments.__name__]
    parameters = {each: fields[each] for each in ("type", "properties", "required")}
    described = {"name": name, "description": arguments.__doc__, "parameters": parameters}
    return {"type": "function", "function": described}
