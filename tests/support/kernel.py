"""A kernel on somebody's notebook server, used as the browser does: started by REST, spoken to by its websocket."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.support.site import Site


def start_kernel(site: Site, user: str, token: str) -> str:
    """Start a kernel on a person's server; return its id."""
    answer = site.post(f"/user/{user}/api/kernels", token)
    assert answer.status == 201, answer
    return str(answer.json["id"])


def execute(site: Site, user: str, token: str, kernel: str, code: str, seconds: float = 90) -> str:
    """Run code in a kernel and return what it prints."""
    return asyncio.run(asyncio.wait_for(_execute(site, user, token, kernel, code), seconds))


async def _execute(site: Site, user: str, token: str, kernel: str, code: str) -> str:
    url = f"{site.url.replace('http', 'ws', 1)}/user/{user}/api/kernels/{kernel}/channels"
    socket = await websocket_connect(HTTPRequest(url, headers={"Authorization": f"token {token}"}))
    try:
        request = _request(code)
        await socket.write_message(json.dumps(request))
        return await _printed(socket, request["header"]["msg_id"])
    finally:
        socket.close()
        # The other side answers the close; before that the connection stays open.
        while await socket.read_message() is not None:
            pass


def _request(code: str) -> dict[str, Any]:
    """Make an execute_request of Jupyter's messaging protocol 5.3."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "test",
        "session": uuid.uuid4().hex,
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    return {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content}


async def _printed(socket: WebSocketClientConnection, request_id: str) -> str:
    printed = ""
    while True:
        message = await socket.read_message()
        assert message is not None, "the kernel's connection was closed"
        answer = json.loads(message)
        if answer["parent_header"].get("msg_id") != request_id:
            continue
        if answer["msg_type"] == "stream":
            printed += answer["content"]["text"]
        elif answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
            return printed
