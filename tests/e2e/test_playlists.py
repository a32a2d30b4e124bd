"""Playlists over HTTP: made, filled, moved, shared and exchanged as files."""


async def test_a_playlist_from_its_making_to_its_file(ada, bob, sound_file):
    track = await ada.publish(sound_file("flac", 44_100), "a.flac", "Etude")

    async def answered(person, method, path, status=200, body=None, **headers):
        async with person.request(method, path, json=body, headers=headers) as answer:
            assert answer.status == status, await answer.text()
            return (await answer.json() if status != 204 else None), answer.headers.get("ETag")

    made, _ = await answered(ada, "POST", "/playlists", 201, {"title": "Evening"})
    place = f"/playlists/{made['id']}"
    body = {"track_ids": [track, track]}
    added, _ = await answered(ada, "POST", f"{place}/items", 201, body)
    first, second = (item["id"] for item in added["data"])
    await answered(ada, "PATCH", f"{place}/items/{second}", 204, {"behind": None})
    page = await bob.get(f"{place}/items?limit=1")
    rest = await bob.get(f"{place}/items?cursor={page['next_cursor']}")
    assert [each["id"] for each in page["data"] + rest["data"]] == [second, first]
    assert rest["data"][0]["track"]["title"] == "Etude"

    await answered(bob, "DELETE", f"{place}/items/{first}", 403)
    people, _ = await answered(ada, "PUT", f"{place}/collaborators/{bob.id}")
    assert [each["id"] for each in people["data"]] == [bob.id]
    await answered(bob, "DELETE", f"{place}/items/{first}", 204)

    await answered(ada, "PATCH", place, 428, {"title": "Night"})
    _, etag = await answered(ada, "GET", place)
    changed, _ = await answered(ada, "PATCH", place, 200, {"title": "Nuit"}, **{"If-Match": etag})
    assert changed["title"] == "Nuit"
    await answered(ada, "PATCH", place, 412, {"title": "x"}, **{"If-Match": etag})

    async with bob.request("GET", f"{place}/export?format=xspf") as answer:
        assert answer.headers["Content-Type"] == "application/xspf+xml"
        assert "Nuit.xspf" in answer.headers["Content-Disposition"]
        file = await answer.read()
    assert f"{ada.url}/tracks/{track}".encode() in file
    address = "/playlists/import?format=xspf"
    headers = {"Content-Type": "application/octet-stream"}
    async with bob.request("POST", address, data=file, headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        imported = await answer.json()
    assert (imported["playlist"]["visibility"], imported["missing"]) == ("private", [])
    mine = (await bob.get("/me/playlists"))["data"]
    assert {each["id"] for each in mine} == {made["id"], imported["playlist"]["id"]}
    assert [each["id"] for each in (await bob.get(f"/users/{ada.id}/playlists"))["data"]] == [
        made["id"]
    ]
    await answered(ada, "DELETE", place, 204)
    await answered(bob, "GET", place, 404)
    await answered(ada, "POST", f"{place}/restore")
    copy, _ = await answered(bob, "POST", f"{place}/duplicate", 201)
    assert (copy["owner"]["id"], copy["tracks"]) == (bob.id, 1)
