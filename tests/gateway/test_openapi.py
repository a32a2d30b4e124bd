"""The published document is valid OpenAPI 3.1 and names exactly the addresses there are."""

import re
from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from veza.gateway.static import ASSET_PATH, PAGE_PATHS

PAGE = {*PAGE_PATHS, ASSET_PATH}


async def document_of(api: Any) -> dict[str, Any]:
    answered = await api("GET", "/openapi.json")
    document: dict[str, Any] = answered.body
    return document


def routed(api: Any) -> set[tuple[str, str]]:
    return {
        (route.method.lower(), unpatterned(route.resource.canonical))
        for route in api.client.server.app.router.routes()
        if route.method != "HEAD"
    }


async def test_the_document_is_valid(api: Any) -> None:
    validate(await document_of(api), cls=OpenAPIV31SpecValidator)


async def test_the_document_and_the_routes_are_the_same_set(api: Any) -> None:
    document = await document_of(api)
    documented = {
        (method, path) for path, methods in document["paths"].items() for method in methods
    }
    page = {
        (method, path) for method, path in routed(api) if unpatterned(path) in unpatterned_page()
    }

    assert documented == routed(api) - page
    assert len(page) == len(PAGE)


def unpatterned(path: str) -> str:
    return re.sub(r"\{(\w+):[^}]*\}", r"{\1}", path)


def unpatterned_page() -> set[str]:
    return {unpatterned(path) for path in PAGE}


async def test_every_operation_has_a_name_a_summary_and_the_problem(api: Any) -> None:
    document = await document_of(api)
    operations = [each for methods in document["paths"].values() for each in methods.values()]

    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names)
    for operation in operations:
        assert operation["summary"].endswith(".")
        assert len(operation["tags"]) == 1
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}


async def test_what_others_change_too_is_changed_by_its_version(api: Any) -> None:
    operation = (await document_of(api))["paths"]["/api/v1/rooms/{room_id}"]["patch"]

    headers = {each["name"]: each for each in operation["parameters"] if each["in"] == "header"}
    assert headers["If-Match"]["required"]


async def test_a_body_that_may_be_left_out_is_told_so(api: Any) -> None:
    paths = (await document_of(api))["paths"]

    join = paths["/api/v1/rooms/{room_id}/members/{member}"]["put"]
    assert not join["requestBody"]["required"]
    assert paths["/api/v1/rooms"]["post"]["requestBody"]["required"]


async def test_only_requests_forbid_further_fields(api: Any) -> None:
    schemas = (await document_of(api))["components"]["schemas"]

    assert schemas["NewRoom"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["RoomView"]
    assert "class" in schemas["ActorView"]["properties"]


async def test_the_document_is_told_once(api: Any) -> None:
    etag = (await api("GET", "/openapi.json")).headers["ETag"]

    await api("GET", "/openapi.json", headers={"If-None-Match": etag}, status=304)
