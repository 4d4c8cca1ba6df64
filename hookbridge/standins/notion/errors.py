"""Every error that Notion's API answers with, as recorded, and the HTML page of the proxy before it.

Sources: Notion API reference, "Status codes"; recorded answers.
"""

import json
from uuid import uuid4

from hookbridge.standins.faults import html_reply
from hookbridge.standins.wire import Reply

JSON_TYPE = "application/json; charset=utf-8"

CODES = {
    400: ("validation_error", "The request body does not match the schema for the expected parameters."),
    401: ("unauthorized", "API token is invalid."),
    403: ("restricted_resource", "Insufficient permissions for this endpoint."),
    404: ("object_not_found", "Could not find the object."),
    409: ("conflict_error", "Conflict occurred while saving. Please try again."),
    429: ("rate_limited", "You have been rate limited. Please try again in a few minutes."),
    500: ("internal_server_error", "Unexpected error occurred."),
    503: ("service_unavailable", "Notion is unavailable, please try again later."),
    504: ("gateway_timeout", "The request timed out."),
    529: ("service_overload", "Notion is overloaded, please try again later."),
}
"""Code and message by status; a status that is not here (502 above all) is the proxy's and has an HTML body."""


class NotionError(Exception):
    """Ends the handling of a request with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.body.decode())
        self.reply = reply


def error(
    status: int,
    code: str,
    message: str,
    *,
    additional_data: dict[str, str] | None = None,
    retry_after: str | None = None,
) -> NotionError:
    """An error object; its request id is in the header too."""
    request_id = str(uuid4())
    body: dict[str, object] = {"object": "error", "status": status, "code": code, "message": message}
    if additional_data is not None:
        body["additional_data"] = additional_data
    body["request_id"] = request_id
    headers = {"Content-Type": JSON_TYPE, "x-notion-request-id": request_id}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    encoded = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return NotionError(Reply(status=status, body=encoded, headers=headers))


def own_error(status: int, retry_after: str | None) -> Reply:
    """The reply that Notion sends with a status."""
    if status in CODES:
        return error(status, *CODES[status], retry_after=retry_after).reply
    reply = html_reply(status)
    headers = dict(reply.headers) | ({} if retry_after is None else {"Retry-After": retry_after})
    return Reply(status=status, body=reply.body, headers=headers)


def unauthorized() -> NotionError:
    """The token is unknown, or no longer accepted."""
    return error(401, *CODES[401])


def restricted() -> NotionError:
    """The integration has not the capability that the endpoint needs."""
    return error(403, *CODES[403])


def rate_limited(retry_after: int) -> NotionError:
    """More requests than the integration may make."""
    return error(429, *CODES[429], retry_after=str(retry_after))


def validation(message: str) -> NotionError:
    """400: path or body do not have the expected shape."""
    return error(400, "validation_error", message)


def bad_uuid(parameter: str, text: str) -> NotionError:
    """The id in the path is no uuid."""
    quoted = json.dumps(text, ensure_ascii=False)
    return validation(f"path failed validation: path.{parameter} should be a valid uuid, instead was `{quoted}`.")


def invalid_cursor(cursor: str) -> NotionError:
    """The cursor names no row of this query (any more)."""
    return validation(f"The start_cursor provided is invalid: {cursor}")


def missing_version() -> NotionError:
    """The `Notion-Version` header is not there."""
    what = "Notion-Version header should be defined, instead was `undefined`."
    return error(400, "missing_version", f"Notion-Version header failed validation: {what}")


def invalid_url() -> NotionError:
    """No endpoint has this path."""
    return error(400, "invalid_request_url", "Invalid request URL.")


def invalid_json() -> NotionError:
    """The body is not JSON."""
    return error(400, "invalid_json", "Error parsing JSON body.")


def not_found(kind: str, object_id: str, integration: str, integration_id: str) -> NotionError:
    """Unknown and not shared are one answer, as on Notion."""
    hint = f'Make sure the relevant pages and databases are shared with your integration "{integration}".'
    message = f"Could not find {kind} with ID: {object_id}. {hint}"
    return error(404, "object_not_found", message, additional_data={"integration_id": integration_id})


def user_not_found(user_id: str, integration_id: str) -> NotionError:
    """The same for users, who are not shared but visible."""
    message = (
        f"Could not find user with ID: {user_id}. Make sure your integration has capabilities to read user "
        "information. With those capabilities, only members and guests in the integration's workspace are visible."
    )
    return error(404, "object_not_found", message, additional_data={"integration_id": integration_id})
