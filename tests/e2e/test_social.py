"""What listeners do with a track, over HTTP: like, repost, comment, and find it in their feed."""


async def test_a_track_is_liked_talked_about_and_passed_on(ada, bob, sound_file):
    track = await ada.publish(sound_file("flac", 44_100), "a.flac", "Etude")
    place = f"/tracks/{track}"

    async def answered(person, method, path, status=200, **body):
        async with person.request(method, path, json=body or None) as answer:
            assert answer.status == status, await answer.text()
            return None if status == 204 else await answer.json()

    assert await answered(bob, "PUT", f"{place}/like") == {"count": 1, "is_set": True}
    assert (await ada.get(f"{place}/like")) == {"count": 1, "is_set": False}
    await answered(bob, "PUT", f"{place}/repost")
    assert (await answered(ada, "PUT", f"{place}/repost", 409))["code"] == "invalid_state"
    said = await answered(bob, "POST", f"{place}/comments", 201, text="Here!", at_ms=500)
    reply = {"text": "Thanks", "reply_to": said["id"]}
    await answered(ada, "POST", f"{place}/comments", 201, **reply)
    edited = await answered(bob, "PATCH", f"/comments/{said['id']}", text="Here it is!")
    assert (edited["text"], edited["replies"], edited["at_ms"]) == ("Here it is!", 1, 500)

    shown = await ada.get(place)
    assert [shown[name] for name in ("likes", "reposts", "comments")] == [1, 1, 2]
    listed = (await bob.get(f"{place}/comments?order=place"))["data"]
    assert [each["id"] for each in listed] == [said["id"]]
    assert [
        each["text"] for each in (await bob.get(f"/comments/{said['id']}/replies"))["data"]
    ] == ["Thanks"]
    liked = (await ada.get(f"/users/{bob.id}/likes"))["data"]
    assert [each["track"]["id"] for each in liked] == [track]

    await answered(bob, "PUT", f"/users/{ada.id}/follow")
    feed = (await bob.get("/feed"))["data"]
    assert [(each["kind"], each["by"]["id"], each["track"]["id"]) for each in feed] == [
        ("upload", ada.id, track)
    ]
    await answered(ada, "DELETE", f"/comments/{said['id']}", 204)
    assert (await bob.get(f"{place}/comments"))["data"][0]["is_deleted"]
    assert await answered(bob, "DELETE", f"{place}/like") == {"count": 0, "is_set": False}


async def test_a_track_is_found_by_its_words_its_tag_and_its_beginning(ada, bob, sound_file):
    track = await ada.publish(sound_file("flac", 44_100), "a.flac", "Crépuscule")
    body = {"tags": ["Dusk"], "genre": "Ambient"}
    async with ada.request(
        "PATCH", f"/tracks/{track}", json=body, headers={"If-Match": "*"}
    ) as answer:
        assert answer.status == 200, await answer.text()

    for query in ("q=crepuscules", "q=crepuscle", f"q={ada.name}&tag=dusk&genre=ambient"):
        found = await bob.get(f"/search?{query}")
        assert [each["track"]["title"] for each in found["data"]] == ["Crépuscule"], query
    people = (await bob.get(f"/search?type=user&q={ada.name}"))["data"]
    assert (people[0]["id"], people[0]["name"]) == (ada.id, ada.name)
    suggested = await bob.get("/search/suggest?q=crep")
    assert [each["id"] for each in suggested["tracks"]] == [track]
    assert {"tag": "dusk", "tracks": 1} in (await bob.get("/tags"))["data"]
    for wrong in ("q=x&bpm_min=5", "q=%00", "q=%20", "q=x&key=H", "q=x&tag=%00"):
        async with bob.request("GET", f"/search?{wrong}") as answer:
            assert (answer.status, (await answer.json())["code"]) == (422, "validation_failed")
