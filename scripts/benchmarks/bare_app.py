"""The bare handler: reads the body, answers 202.  Usage: bare_app.py PORT"""

import asyncio
import sys

import uvloop
from aiohttp import web

from hookbridge.cli import garbage


async def handle(request: web.Request) -> web.Response:
    """Do the least that a webhook receiver does."""
    await request.read()
    return web.Response(status=202, body=b'{"status":"accepted"}', content_type="application/json")


async def main(port: int) -> None:
    """Serve until killed."""
    app = web.Application()
    app.router.add_post("/api/v1/webhooks/supabase", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    garbage.tune()  # as the service does
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop_runner:
        loop_runner.run(main(int(sys.argv[1])))
