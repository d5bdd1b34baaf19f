"""A model that needs no key: OpenAI's chat completions, answered by a script that always decides the same.

python scripted_model.py --port 8109
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NAME = "scripted-1"
_LETTERS_A_TOKEN = 4


def reply(messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The next message: find the order, then the rate if another currency is wanted, then refund, then say so."""
    question = next(each["content"] for each in messages if each["role"] == "user")
    asked = re.search(r"\b[A-Z]-\d+\b", question)
    wanted = re.search(r"\b(EUR|USD|GBP)\b", question)
    if asked is None or wanted is None:
        return _say("Which order do you mean, and which currency do you want?")
    answers = _answers(messages)
    order = answers.get("find_order")
    if order is None:
        return _call(messages, "find_order", order=asked[0])
    if "error" in order:
        return _say(f"I am sorry: {order['error']}.")
    rate = {"rate": 1.0} if order["currency"] == wanted[0] else answers.get("exchange_rate")
    if rate is None:
        return _call(messages, "exchange_rate", base=order["currency"], quote=wanted[0])
    if "refund" not in answers:
        cents = round(order["paid_cents"] * rate["rate"])
        return _call(messages, "refund", order=asked[0], cents=cents, currency=wanted[0])
    if "paid" in answers["refund"]:
        return _say(f"{answers['refund']['paid']} for {asked[0]} is on its way to you.")
    return _say(f"I could not give you the money back: {json.dumps(answers['refund'])}")


def _answers(messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What each tool said last."""
    names = {call["id"]: call["function"]["name"] for each in messages for call in each.get("tool_calls") or ()}
    told = [each for each in messages if each["role"] == "tool"]
    return {names[each["tool_call_id"]]: json.loads(each["content"]) for each in told}


def _say(content: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def _call(messages: Sequence[dict[str, Any]], name: str, **arguments: Any) -> dict[str, Any]:
    call = {"id": f"call_{len(messages)}", "type": "function"}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{**call, "function": {"name": name, "arguments": json.dumps(arguments)}}],
    }


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions":
            self.send_error(404)
            return
        message = reply(asked["messages"])
        used = [len(json.dumps(each)) // _LETTERS_A_TOKEN for each in (asked["messages"], message)]
        answer = {
            "object": "chat.completion",
            "model": NAME,
            "choices": [
                {"index": 0, "message": message, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}
            ],
            "usage": {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used)},
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def server(port: int) -> ThreadingHTTPServer:
    """Listens on the loopback; port 0 is a free one."""
    return ThreadingHTTPServer(("127.0.0.1", port), _Handler)


def main() -> None:
    parser = argparse.ArgumentParser(description="A model that needs no key and always decides the same.")
    parser.add_argument("--port", type=int, default=8109, help="where it listens (8109)")
    serving = server(parser.parse_args().port)
    print(f"http://127.0.0.1:{serving.server_address[1]}/v1", flush=True)
    serving.serve_forever()


if __name__ == "__main__":
    main()
