"""Sessions, passwords and second factors as clients reach them: over HTTP, with what is closed for it."""

import re

import pyotp

PASSWORD = "correct horse battery"


async def status(person, method, path, **options):
    async with person.request(method, path, **options) as answer:
        return answer.status, await answer.json() if answer.status != 204 else None


async def test_ending_a_session_closes_its_socket_and_no_other(server, ada, person):
    other = await (await person(server, ada.name)).sign_in()
    mine, theirs = await ada.connect(), await other.connect()
    sessions = (await ada.get("/auth/sessions"))["data"]
    [away] = [each for each in sessions if not each["is_current"]]

    assert (await status(ada, "DELETE", f"/auth/sessions/{away['id']}"))[0] == 204

    assert await theirs.closed() == 4506
    assert (await status(other, "GET", "/me"))[0] == 401
    assert (await mine.ask("ping"))["t"] == "pong"
    assert (await status(ada, "POST", "/auth/logout-all"))[0] == 204
    assert await mine.closed() == 4506
    assert (await status(ada, "GET", "/me"))[0] == 401


async def test_a_second_factor_from_its_qr_code_to_its_end(server, ada, person):
    _, setup = await status(ada, "POST", "/auth/totp/setup", json={"password": PASSWORD})
    assert setup["qr_svg"].startswith("<svg ")
    app = pyotp.parse_uri(setup["uri"])
    assert (app.secret, app.issuer, app.name) == (setup["secret"], "Veza", ada.name)

    _, enabled = await status(ada, "POST", "/auth/totp/enable", json={"code": app.now()})
    codes = enabled["recovery_codes"]
    assert all(re.fullmatch(r"[A-Z2-7]{4}(-[A-Z2-7]{4}){3}", each) for each in codes)

    login = {"login": ada.name, "password": PASSWORD}
    other = await person(server, ada.name)
    code, problem = await status(other, "POST", "/auth/login", json=login)
    assert (code, problem["code"]) == (401, "totp_required")
    await other.enter("/auth/login", {**login, "totp": codes[0]})

    proof = {"password": PASSWORD, "totp": codes[1]}
    assert (await status(ada, "POST", "/auth/totp/disable", json=proof))[0] == 204
    assert await ada.get("/auth/totp") == {"is_enabled": False, "recovery_codes_left": 0}
    await other.sign_in()


async def test_a_password_is_changed_with_the_old_one_only(server, ada, person):
    other = await (await person(server, ada.name)).sign_in()
    socket = await other.connect()
    wrong = {"current_password": "a guess", "new_password": "staple battery horse"}
    code, problem = await status(ada, "PUT", "/auth/password", json=wrong)
    assert (code, problem["code"]) == (401, "bad_credentials")

    right = {**wrong, "current_password": PASSWORD}
    assert (await status(ada, "PUT", "/auth/password", json=right))[0] == 204

    assert await socket.closed() == 4506
    await ada.sign_in("staple battery horse")
