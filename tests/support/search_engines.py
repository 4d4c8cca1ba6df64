"""Meilisearch and Typesense as far as the examples speak to them: their paths, statuses, bodies and refusals.

Meilisearch queues what it is told: its tasks are done one after the other, when somebody asks for one a second time.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

KEY = "a-key-of-the-search-engine"

Documents = dict[str, dict[str, Any]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """Serve it; gives its URL."""
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Meilisearch:
    """Indexes of documents, and the tasks that change them."""

    def __init__(self) -> None:
        self.indexes: dict[str, Documents] = {}
        self.filterable: dict[str, list[str]] = {}
        self.tasks: list[dict[str, Any]] = []
        self._work: list[Callable[[], dict[str, str] | None]] = []
        self.refused = ""
        """A document that holds this text makes its task fail."""

    def app(self) -> web.Application:
        """Give the server."""
        app = web.Application(middlewares=[self._authorized])
        app.router.add_put("/indexes/{index}/settings/filterable-attributes", self._filterable)
        app.router.add_post("/indexes/{index}/documents", self._add)
        app.router.add_post("/indexes/{index}/documents/delete-batch", self._delete_batch)
        app.router.add_post("/indexes/{index}/documents/delete", self._delete_by_filter)
        app.router.add_get("/indexes/{index}/documents/{id}", self._document)
        app.router.add_get("/tasks/{uid}", self._task)
        return app

    @staticmethod
    @web.middleware
    async def _authorized(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return _refusal(403, "The provided API key is invalid.", "invalid_api_key", "auth")
        return await handler(request)

    def _queued(self, request: web.Request, kind: str, work: Callable[[str], dict[str, str] | None]) -> web.Response:
        index = request.match_info["index"]
        task = {"uid": len(self.tasks), "indexUid": index, "status": "enqueued", "type": kind, "error": None}
        self.tasks.append(task)
        self._work.append(lambda: work(index))
        told = {"taskUid": task["uid"], "enqueuedAt": "2026-01-01T15:00:00Z"}
        return web.json_response({**told, **{name: task[name] for name in ("indexUid", "status", "type")}}, status=202)

    async def _filterable(self, request: web.Request) -> web.Response:
        names = await request.json()

        def work(index: str) -> None:
            self.indexes.setdefault(index, {})
            self.filterable[index] = names

        return self._queued(request, "settingsUpdate", work)

    async def _add(self, request: web.Request) -> web.Response:
        assert request.query["primaryKey"] == "id"
        documents = await request.json()

        def work(index: str) -> dict[str, str] | None:
            wrong = [one["id"] for one in documents if not re.fullmatch(r"[A-Za-z0-9_-]{1,511}", str(one["id"]))]
            if wrong or (self.refused and self.refused in json.dumps(documents)):
                message = f"Document identifier `{wrong}` is invalid."
                return {"message": message, "code": "invalid_document_id", "type": "invalid_request"}
            self.indexes.setdefault(index, {}).update({one["id"]: one for one in documents})
            return None

        return self._queued(request, "documentAdditionOrUpdate", work)

    async def _delete_batch(self, request: web.Request) -> web.Response:
        ids = await request.json()

        def work(index: str) -> None:
            for one in ids:
                self.indexes[index].pop(one, None)

        return self._queued(request, "documentDeletion", work)

    async def _delete_by_filter(self, request: web.Request) -> web.Response:
        asked = re.fullmatch(r"(\w+) < (\d+)", (await request.json())["filter"])
        assert asked is not None

        def work(index: str) -> dict[str, str] | None:
            name, below = asked.groups()
            if name not in self.filterable.get(index, []):
                message = f"Attribute `{name}` is not filterable."
                return {"message": message, "code": "invalid_document_filter", "type": "invalid_request"}
            self.indexes[index] = {id_: one for id_, one in self.indexes[index].items() if not one[name] < int(below)}
            return None

        return self._queued(request, "documentDeletion", work)

    async def _document(self, request: web.Request) -> web.Response:
        index, id_ = request.match_info["index"], request.match_info["id"]
        if index not in self.indexes:
            return _refusal(404, f"Index `{index}` not found.", "index_not_found", "invalid_request")
        if id_ not in self.indexes[index]:
            return _refusal(404, f"Document `{id_}` not found.", "document_not_found", "invalid_request")
        return web.json_response(self.indexes[index][id_])

    async def _task(self, request: web.Request) -> web.Response:
        task = self.tasks[int(request.match_info["uid"])]
        if task["status"] == "enqueued":
            task["status"] = "processing"
        elif task["status"] == "processing":
            for one in self.tasks[: task["uid"] + 1]:
                if one["status"] in {"enqueued", "processing"}:
                    one["error"] = self._work[one["uid"]]()
                    one["status"] = "failed" if one["error"] else "succeeded"
        return web.json_response(task)


def _refusal(status: int, message: str, code: str, kind: str) -> web.Response:
    link = f"https://docs.meilisearch.com/errors#{code}"
    return web.json_response({"message": message, "code": code, "type": kind, "link": link}, status=status)


class Typesense:
    """Collections of documents."""

    def __init__(self) -> None:
        self.collections: dict[str, Documents] = {}
        self.refused = ""
        """A document that holds this text is refused."""

    def app(self) -> web.Application:
        """Give the server."""
        app = web.Application(middlewares=[self._authorized])
        app.router.add_post("/collections", self._create)
        app.router.add_post("/collections/{name}/documents/import", self._import)
        app.router.add_get("/collections/{name}/documents/{id}", self._get)
        app.router.add_delete("/collections/{name}/documents/{id}", self._delete)
        app.router.add_delete("/collections/{name}/documents", self._delete_by_filter)
        return app

    @staticmethod
    @web.middleware
    async def _authorized(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("X-TYPESENSE-API-KEY") != KEY:
            message = "Forbidden - a valid `x-typesense-api-key` header must be sent."
            return web.json_response({"message": message}, status=401)
        return await handler(request)

    async def _create(self, request: web.Request) -> web.Response:
        schema = json.loads(await request.text())
        if schema["name"] in self.collections:
            message = f"A collection with name `{schema['name']}` already exists."
            return web.json_response({"message": message}, status=409)
        assert schema["enable_nested_fields"] is True, "a document has objects"
        self.collections[schema["name"]] = {}
        return web.json_response({**schema, "created_at": 1_767_279_600, "num_documents": 0}, status=201)

    async def _import(self, request: web.Request) -> web.Response:
        assert request.query["action"] == "upsert"
        assert request.query["dirty_values"] in {"coerce_or_reject", "coerce_or_drop", "drop", "reject"}
        documents = self._there(request)
        return web.Response(
            text="\n".join([json.dumps(self._imported(documents, line)) for line in (await request.text()).split("\n")])
        )

    def _imported(self, documents: Documents, line: str) -> dict[str, Any]:
        document = json.loads(line)
        if not isinstance(document["id"], str):
            return {
                "success": False,
                "error": "Document's `id` field should be a string.",
                "document": line,
                "code": 400,
            }
        if self.refused and self.refused in line:
            return {"success": False, "error": "Field `x` must be a string.", "document": line, "code": 400}
        documents[document["id"]] = document
        return {"success": True}

    async def _get(self, request: web.Request) -> web.Response:
        if (document := self._there(request).get(request.match_info["id"])) is None:
            return self._missing(request)
        return web.json_response(document)

    async def _delete(self, request: web.Request) -> web.Response:
        if (document := self._there(request).pop(request.match_info["id"], None)) is None:
            return self._missing(request)
        return web.json_response(document)

    async def _delete_by_filter(self, request: web.Request) -> web.Response:
        asked = re.fullmatch(r"(\w+):<(\d+)", request.query["filter_by"])
        assert asked is not None
        name, below = asked.groups()
        documents = self._there(request)
        gone = [id_ for id_, one in documents.items() if one[name] < int(below)]
        for id_ in gone:
            del documents[id_]
        return web.json_response({"num_deleted": len(gone)})

    def _there(self, request: web.Request) -> Documents:
        if (name := request.match_info["name"]) not in self.collections:
            raise web.HTTPNotFound(text=json.dumps({"message": "Not Found"}), content_type="application/json")
        return self.collections[name]

    @staticmethod
    def _missing(request: web.Request) -> web.Response:
        message = f"Could not find a document with id: {request.match_info['id']}"
        return web.json_response({"message": message}, status=404)
