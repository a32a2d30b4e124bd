"""The first minutes with a node: what it says, who may do what, and what operators see of it."""

import json
import re
import shlex
import subprocess

ROOMS = {"Front porch", "Mix feedback"}


async def test_the_demo_has_people_tracks_and_rooms_with_something_said(demo, person):
    tide = await (await person(demo, "tide")).sign_in(demo.told("password"))

    tracks = (await tide.get("/tracks"))["data"]
    rooms = (await tide.get("/rooms"))["data"]

    assert demo.told("Demo people") == "demo, ada, tide"
    assert {track["title"] for track in tracks} >= {"Harbour Lights", "Copper Wire"}
    assert {track["owner"]["name"] for track in tracks} == {"demo", "ada", "tide"}
    # Other tests of this process make rooms of their own on the same node.
    demo_rooms = [room for room in rooms if room["name"] in ROOMS]
    assert {room["name"] for room in demo_rooms} == ROOMS
    for room in demo_rooms:
        assert room["member_count"] == 3
        assert (await tide.get(f"/rooms/{room['id']}/messages"))["data"]
    own = next(track for track in tracks if track["owner"]["name"] == "tide")
    job = await tide.get(f"/tracks/{own['id']}/job")
    assert (await tide.ended(job))["state"] == "published"


async def test_the_set_up_link_makes_one_administrator_once(demo, person):
    link = demo.told("First admin")
    page, _, token = link.partition("#")
    root, late, nobody = [await person(demo, name) for name in ("root", "late", "nobody")]
    account = {"token": token, "email": "root@example.org", "password": "correct horse battery"}

    async with root.session.get(page) as answer:
        assert answer.status == 200
    await root.enter("/setup", {**account, "username": root.name})
    async with late.request("POST", "/setup", json={**account, "username": late.name}) as answer:
        refused = await answer.json()

    assert (answer.status, refused["code"]) == (401, "invalid_token")
    await nobody.register()
    assert (await root.get("/ops/tree"))["root"]["name"] == "root"
    for who, status in ((nobody, 403), (await person(demo), 401)):
        async with who.request("GET", "/ops/tree") as answer:
            assert answer.status == status


async def test_ps_shows_the_actors_of_the_running_node(demo, person):
    ada = await (await person(demo)).register()
    room = await ada.room()
    wire = await ada.connect()
    await wire.ask("room.join", room=room)

    tree, listing, shown = [
        demo.run("ps", *options) for options in (("--tree",), ("--no-tree",), ("--json",))
    ]

    assert (tree.returncode, listing.returncode, shown.returncode) == (0, 0, 0)
    assert re.search(rf"^ +{room} +RoomActor ", tree.stdout, re.MULTILINE)
    assert re.search(rf"^/veza/root/rooms/{room} +RoomActor ", listing.stdout, re.MULTILINE)
    paths = {actor["path"]: actor for actor in actors(json.loads(shown.stdout)["root"])}
    assert paths[f"/veza/root/rooms/{room}"]["class"] == "RoomActor"
    classes = {each["class"] for path, each in paths.items() if "/sessions/" in path}
    assert classes == {"SessionActor"}


def test_the_command_to_look_inside_works_when_it_is_pasted(demo):
    pasted = subprocess.run(
        [*shlex.split(demo.told("Look inside")), "--count", "1"],
        env=demo.env,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert f"pid {demo.pid}" in pasted.stdout


def actors(node):
    return [node, *(actor for child in node["children"] for actor in actors(child))]


async def test_figures_and_health_are_told(demo, person):
    anybody = await person(demo)

    figures = await anybody.text(f"{demo.url}/metrics")
    ready = await anybody.session.get(f"{demo.url}/readyz")
    document = await anybody.session.get(f"{demo.url}/openapi.json")

    assert re.search(r"^veza_\w+(\{.*\})? [0-9.e+-]+$", figures, re.MULTILINE)
    checks = (await ready.json())["checks"]
    assert checks
    assert all(checks.values())
    assert (await document.json())["openapi"].startswith("3.1")


def test_a_second_node_on_the_same_data_refuses_and_harms_nobody(demo):
    second = demo.run("serve", "--port", "0")

    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr.strip() == f"veza: another node runs on {demo.data}"
    assert demo.run("ps").returncode == 0


def test_a_node_that_does_not_run_is_said_not_to(new_node):
    answer = new_node().run("ps")

    assert answer.returncode == 3
    assert "No node answers" in answer.stderr


def test_wrong_settings_are_all_told_at_once(new_node):
    answer = new_node(VEZA_ENCODERS="0").run("serve", "--port", "99999")

    assert answer.returncode == 2
    assert "port" in answer.stderr
    assert "encoders" in answer.stderr


async def test_the_demo_started_again_changes_nothing(demo, person):
    async def counted():
        tide = await (await person(demo, "tide")).sign_in(demo.told("password"))
        return [len((await tide.get(path))["data"]) for path in ("/tracks", "/rooms")]

    before = await counted()
    demo.stop()
    demo.start()

    assert await counted() == before
