"""Who can come in: users with well-known passwords, and listeners that others reach."""

from __future__ import annotations

from tests.gateway.doctor.examined import Examined
from tests.support.warren_process import warren_process


def test_a_broker_as_it_is_made() -> None:
    with warren_process() as broker:
        examined = Examined(broker, "/")
        found = examined.findings(vhost=None)
        assert list(found) == ["default-password-on-loopback"]
        assert found["default-password-on-loopback"]["severity"] == "notice"
        assert examined.findings() == {}  # with a virtual host, nothing is looked at that is in none


def test_guest_from_anywhere() -> None:
    options = ("--set", "loopback_users=")
    with warren_process(listen=("amqp=127.0.0.1:0", "mqtt=0.0.0.0:0"), options=options) as broker:
        found = Examined(broker, "/").findings(vhost=None)
        assert set(found) == {"default-password", "listener-without-tls"}
        assert found["default-password"]["severity"] == "error"
        (place,) = found["default-password"]["places"]
        assert (place["kind"], place["name"], place["remedy"]) == ("user", "guest", "warren change_password guest")
        assert "by mqtt on 0.0.0.0:" in place["detail"]
        (place,) = found["listener-without-tls"]["places"]
        assert place["name"].startswith("mqtt on 0.0.0.0:")


def test_passwords_that_are_guessed_first_and_others() -> None:
    with warren_process() as broker:
        examined = Examined(broker, "/")
        examined.ctl("add_user", "ada", "ada")
        examined.ctl("add_user", "bob", "changeme")
        examined.ctl("add_user", "eve", "correct horse battery staple")
        examined.ctl("add_user", "tokens", "ada")
        examined.ctl("clear_password", "tokens")
        found = examined.findings(vhost=None)["default-password"]
        assert (found["severity"], [each["name"] for each in found["places"]]) == ("warning", ["ada", "bob"])
        assert "ada" not in found["why"] + str(found["remedy"])
        examined.ctl("change_password", "ada", "another one that nobody guesses")
        examined.ctl("delete_user", "bob")
        assert "default-password" not in examined.findings(vhost=None)
