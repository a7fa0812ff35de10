"""Users: adding, changing, logging in, and finding them again in the store."""

from __future__ import annotations

import pytest

from tests.core.access.listed import (
    list_permissions,
    list_topic_permissions,
    list_user_permissions,
    list_user_topic_permissions,
    list_users,
)
from warren.core.access import accounts
from warren.core.access.defaults import seed_defaults
from warren.core.access.passwords import MD5, SHA256
from warren.core.access.permissions import Permission
from warren.core.access.users import LoginRefused, Users, load_users
from warren.core.errors import AccessRefused, NotFound, PreconditionFailed, Scope, StorageError
from warren.core.storage.definitions.memory import MemoryDefinitionStore

DOCUMENTED_HASH = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"  # of "test12"
MD5_OF_TEST12 = "kI3GChNpte2FApYFXScl+0dIluk="


def refusal(users: Users, name: str, password: str, is_loopback: bool = True) -> LoginRefused:
    with pytest.raises(LoginRefused) as caught:
        users.authenticate(name, password, is_loopback)
    return caught.value


def test_a_user_logs_in_with_its_password_only(users: Users) -> None:
    added = users.add_user("alice", "secret", ["monitoring"])
    assert users.authenticate("alice", "secret", is_loopback=False) is added
    assert (added.name, set(added.tags), added.hashing_algorithm) == ("alice", {"monitoring"}, SHA256)
    assert refusal(users, "alice", "Secret").reason == "user 'alice' - invalid credentials"
    refusal(users, "alice", "")
    refusal(users, "bob", "secret")


def test_the_refusal_reads_as_rabbitmq_writes_it(users: Users) -> None:
    error = refusal(users, "nobody", "x")
    assert isinstance(error, AccessRefused)
    assert (error.code, error.scope) == (403, Scope.CONNECTION)
    assert error.reply_text == (
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile."
    )
    with pytest.raises(LoginRefused, match="mechanism AMQPLAIN"):
        users.authenticate("nobody", "x", True, "AMQPLAIN")


def test_loopback_users_only_log_in_from_this_machine(users: Users) -> None:
    users.add_user("guest", "guest")
    assert users.authenticate("guest", "guest", is_loopback=True).name == "guest"
    error = refusal(users, "guest", "guest", is_loopback=False)
    assert error.reason == "user 'guest' can only connect via localhost"
    assert error.text == refusal(users, "nobody", "x").text
    wrong = refusal(users, "guest", "wrong", is_loopback=False)
    assert "localhost" not in wrong.reason


def test_which_users_are_loopback_only_can_be_chosen(store: MemoryDefinitionStore) -> None:
    users = Users(store, loopback_users=frozenset({"local"}))
    users.add_user("guest", "guest")
    users.add_user("local", "secret")
    users.authenticate("guest", "guest", is_loopback=False)
    refusal(users, "local", "secret", is_loopback=False)
    assert users.loopback_users == {"local"}


def test_mechanisms_without_password_admit_users_that_exist(users: Users) -> None:
    users.add_user_hash("CN=client", "", SHA256)
    users.add_user("guest", "guest")
    assert users.admit("CN=client", False, "EXTERNAL").name == "CN=client"
    with pytest.raises(LoginRefused, match="mechanism EXTERNAL"):
        users.admit("CN=other", True, "EXTERNAL")
    with pytest.raises(LoginRefused) as caught:
        users.admit("guest", False, "ANONYMOUS")
    assert "localhost" in caught.value.reason


def test_imported_hashes(users: Users) -> None:
    users.add_user_hash("sha", DOCUMENTED_HASH, SHA256)
    assert users.authenticate("sha", "test12", True).name == "sha"
    users.add_user_hash("legacy", MD5_OF_TEST12, None)
    assert users["legacy"].hashing_algorithm == MD5
    assert users.authenticate("legacy", "test12", True).name == "legacy"
    users.add_user_hash("blank", "", SHA256)
    refusal(users, "blank", "")
    for password_hash, algorithm in (("!", SHA256), (DOCUMENTED_HASH, "rot13")):
        with pytest.raises(PreconditionFailed):
            users.add_user_hash("wrong", password_hash, algorithm)
    assert "wrong" not in users


def test_a_changed_password_replaces_the_old_one_and_its_algorithm(users: Users) -> None:
    users.add_user_hash("legacy", MD5_OF_TEST12, None, ["management"])
    users.change_password("legacy", "new")
    refusal(users, "legacy", "test12")
    changed = users.authenticate("legacy", "new", True)
    assert (changed.hashing_algorithm, set(changed.tags)) == (SHA256, {"management"})
    users.clear_password("legacy")
    refusal(users, "legacy", "new")
    refusal(users, "legacy", "")


def test_salts_differ_unless_given(users: Users) -> None:
    hashes = {users.add_user(str(number), "same").password_hash for number in range(10)}
    assert len(hashes) == 10
    assert users.add_user("salted", "test12", salt=bytes.fromhex("908dc60a")).password_hash == DOCUMENTED_HASH


def test_names_that_are_taken_blank_or_missing(users: Users) -> None:
    users.add_user("alice", "secret")
    with pytest.raises(PreconditionFailed, match="user 'alice' already exists"):
        users.add_user("alice", "other")
    with pytest.raises(PreconditionFailed, match="already exists"):
        users.add_user_hash("alice", DOCUMENTED_HASH, SHA256)
    with pytest.raises(PreconditionFailed, match="can't be blank"):
        users.add_user("", "secret")
    with pytest.raises(PreconditionFailed, match="can't be blank"):
        users.add_user("bob", "")
    assert [user.name for user in users] == ["alice"]
    users.authenticate("alice", "secret", True)
    for call in (
        lambda: users["bob"],
        lambda: users.delete_user("bob"),
        lambda: users.change_password("bob", "x"),
        lambda: users.clear_password("bob"),
        lambda: users.set_tags("bob", []),
        lambda: users.set_permissions("bob", "/", "", "", ""),
        lambda: users.clear_permissions("bob", "/"),
        lambda: list_user_permissions(users, "bob"),
        lambda: users.set_topic_permissions("bob", "/", "amq.topic", "", ""),
        lambda: users.clear_topic_permissions("bob", "/"),
        lambda: list_user_topic_permissions(users, "bob"),
    ):
        with pytest.raises(NotFound, match="user 'bob' does not exist"):
            call()


def test_deleting_a_user_takes_its_permissions_along(users: Users, store: MemoryDefinitionStore) -> None:
    for name in ("alice", "bob"):
        users.add_user(name, "secret")
        for vhost in ("/", "v"):
            users.set_permissions(name, vhost, ".*", ".*", ".*")
            users.set_topic_permissions(name, vhost, "amq.topic", "^a", "^a")
    users.delete_user("alice")
    refusal(users, "alice", "secret")
    assert "alice" not in users
    assert len(users) == 1
    assert [kind for kind, _, name, _ in store.load() if "alice" in name] == [accounts.DELETED_KIND]
    users.gone("alice")
    assert not any("alice" in name for _, _, name, _ in store.load())
    users.add_user("alice", "secret")
    assert list_user_permissions(users, "alice") == []
    assert list_user_topic_permissions(users, "alice") == []
    assert len(list_user_permissions(users, "bob")) == 2


def test_list_users(users: Users) -> None:
    users.add_user("bob", "secret", ["monitoring", "administrator"])
    users.add_user("alice", "secret")
    users.set_tags("alice", ["policymaker"])
    assert list_users(users) == [
        {"user": "bob", "tags": ["administrator", "monitoring"]},
        {"user": "alice", "tags": ["policymaker"]},
    ]


def test_everything_is_found_again_in_the_store(users: Users, store: MemoryDefinitionStore) -> None:
    users.add_user("alice", "secret", ["administrator"])
    users.add_user_hash("legacy", MD5_OF_TEST12, None)
    users.set_permissions("alice", "/", "^a", "^b", "^c")
    users.set_permissions("legacy", "v", "", "", ".*")
    users.set_topic_permissions("alice", "/", "amq.topic", "^d", "^e")
    users.add_user("gone", "secret")
    users.delete_user("gone")
    store.put("queue", "/", "a kind of others", {})
    again = load_users(store)
    assert list(again) == list(users)
    assert list_permissions(again, "/") == list_permissions(users, "/") != []
    assert list_permissions(again, "v") == list_permissions(users, "v") != []
    assert list_topic_permissions(again, "/") == list_topic_permissions(users, "/") != []
    assert again.authenticate("alice", "secret", False) == users["alice"]


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("user", "alice", {}),
        ("user", "alice", {"password_hash": "", "hashing_algorithm": SHA256, "tags": 1}),
        ("permission", "alice", {"configure": "", "write": ""}),
        ("topic_permission", "alice", {"write": "", "read": ""}),
        ("topic_permission", '["alice"]', {"write": "", "read": ""}),
    ],
)
def test_a_damaged_row_is_said(users: Users, kind: str, name: str, value: dict[str, str]) -> None:
    with pytest.raises(StorageError, match=f"kind '{kind}'.*alice.*damaged.*backup"):
        users.restore(kind, "/", name, value)


def test_a_blank_store_gets_a_default_administrator_once(store: MemoryDefinitionStore) -> None:
    users = load_users(store)
    assert seed_defaults(store, users, "guest", "guest")
    users.authenticate("guest", "guest", is_loopback=True)
    assert list_users(users) == [{"user": "guest", "tags": ["administrator"]}]
    assert list_permissions(users, "/") == [{"user": "guest", "configure": ".*", "write": ".*", "read": ".*"}]
    assert not seed_defaults(store, load_users(store), "guest", "other")
    load_users(store).authenticate("guest", "guest", is_loopback=True)


def test_the_default_user_may_be_less_than_an_administrator(store: MemoryDefinitionStore) -> None:
    users = load_users(store)
    assert seed_defaults(store, users, "app", "x", "v", tags=("b", "a"), permissions=Permission("", "^w", "^r"))
    assert list_users(users) == [{"user": "app", "tags": ["a", "b"]}]
    assert list_permissions(users, "v") == [{"user": "app", "configure": "", "write": "^w", "read": "^r"}]


def test_a_deleted_default_user_does_not_come_back(store: MemoryDefinitionStore) -> None:
    users = load_users(store)
    seed_defaults(store, users, "guest", "guest")
    users.delete_user("guest")
    again = load_users(store)
    assert not seed_defaults(store, again, "guest", "guest")
    assert len(again) == 0
    store.clear()
    assert seed_defaults(store, load_users(store), "guest", "guest"), "a reset store is blank again"


def test_a_store_with_users_gets_no_default(users: Users, store: MemoryDefinitionStore) -> None:
    users.add_user("alice", "secret")
    assert not seed_defaults(store, users, "guest", "guest")
    assert [user.name for user in users] == ["alice"]
