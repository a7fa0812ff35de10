"""What permissions and topic permissions allow, and the text of what they refuse (A.5, spec G)."""

from __future__ import annotations

import itertools

import pytest

from tests.core.access.listed import (
    list_permissions,
    list_topic_permissions,
    list_user_permissions,
    list_user_topic_permissions,
)
from warren.core.access.accounts import BROKER_NAME
from warren.core.access.permissions import ANSWERS_MAX, ResourceKind, Verb
from warren.core.access.users import Users, load_users
from warren.core.errors import AccessRefused, PreconditionFailed, Scope
from warren.core.storage.definitions.memory import MemoryDefinitionStore

KINDS: tuple[ResourceKind, ...] = ("queue", "exchange")
VERBS: tuple[Verb, ...] = ("configure", "write", "read")


@pytest.fixture
def alice(users: Users) -> Users:
    """Users with one user, alice, who has no permissions."""
    users.add_user("alice", "secret")
    return users


def allows(users: Users, kind: ResourceKind, name: str, verb: Verb, vhost: str = "/") -> bool:
    try:
        users.check("alice", vhost, kind, name, verb)
    except AccessRefused:
        return False
    return True


def allows_topic(users: Users, key: str, verb: str = "write", exchange: str = "amq.topic", **variables: str) -> bool:
    try:
        users.check_topic("alice", "/", exchange, key, "write" if verb == "write" else "read", variables)
    except AccessRefused:
        return False
    return True


@pytest.mark.parametrize("granted", list(itertools.product([True, False], repeat=3)))
def test_each_verb_is_decided_by_its_own_expression(alice: Users, granted: tuple[bool, ...]) -> None:
    patterns = ["^mine-" if given else "^theirs-" for given in granted]
    alice.set_permissions("alice", "/", *patterns)
    for kind, (verb, given) in itertools.product(KINDS, zip(VERBS, granted, strict=True)):
        assert allows(alice, kind, "mine-1", verb) is given
        assert allows(alice, kind, "theirs-1", verb) is not given
        assert not allows(alice, kind, "other", verb)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", VERBS)
def test_the_refusal_names_everything(alice: Users, kind: ResourceKind, verb: Verb) -> None:
    alice.set_permissions("alice", "v", "^a", "^a", "^a")
    with pytest.raises(AccessRefused) as caught:
        alice.check("alice", "v", kind, "b", verb)
    assert caught.value.reply_text == (
        f"ACCESS_REFUSED - {verb} access to {kind} 'b' in vhost 'v' refused for user 'alice'"
    )
    assert (caught.value.code, caught.value.scope) == (403, Scope.CHANNEL)


def test_the_default_exchange_is_known_as_amq_default(alice: Users) -> None:
    alice.set_permissions("alice", "/", "", "^amq\\.default$", "")
    assert allows(alice, "exchange", "", "write")
    assert not allows(alice, "queue", "", "write")
    assert allows(alice, "queue", "", "read"), "only a blank name matches the blank expression"
    with pytest.raises(AccessRefused, match=r"read access to exchange 'amq\.default' in vhost '/'"):
        alice.check("alice", "/", "exchange", "", "read")


def test_expressions_are_unanchored_and_blank_matches_only_blank(alice: Users) -> None:
    alice.set_permissions("alice", "/", "orders", "", "^$")
    assert allows(alice, "queue", "my-orders-2", "configure")
    assert not allows(alice, "queue", "orders", "write")
    assert not allows(alice, "queue", "orders", "read")


def test_user_and_vhost_are_expanded_literally(users: Users) -> None:
    for name in ("alice", "a.*e"):
        users.add_user(name, "secret")
        users.set_permissions(name, "v1", "^{username}\\.{vhost}\\.", "", "")
    users.check("alice", "v1", "queue", "alice.v1.q", "configure")
    users.check("a.*e", "v1", "queue", "a.*e.v1.q", "configure")
    with pytest.raises(AccessRefused):
        users.check("a.*e", "v1", "queue", "alice.v1.q", "configure")


def test_permissions_are_per_vhost_and_user(alice: Users) -> None:
    alice.add_user("bob", "secret")
    alice.set_permissions("alice", "/", ".*", ".*", ".*")
    assert not allows(alice, "queue", "q", "read", vhost="other")
    for user in ("bob", "nobody"):
        with pytest.raises(AccessRefused):
            alice.check(user, "/", "queue", "q", "read")


def test_any_permissions_let_the_user_open_the_vhost(alice: Users) -> None:
    assert not alice.may_access_vhost("alice", "/")
    alice.set_permissions("alice", "/", "", "", "")
    assert alice.may_access_vhost("alice", "/")
    assert not alice.may_access_vhost("alice", "other")
    assert not alice.may_access_vhost("nobody", "/")
    assert alice.clear_permissions("alice", "/")
    assert not alice.may_access_vhost("alice", "/")
    assert not alice.clear_permissions("alice", "/")


def test_a_change_takes_effect_at_once_and_is_counted(alice: Users) -> None:
    versions = [alice.version]

    def expect(allowed: bool) -> None:
        assert allows(alice, "queue", "q", "read") is allowed
        assert alice.version > versions[-1]
        versions.append(alice.version)

    alice.set_permissions("alice", "/", "", "", "q")
    expect(True)
    alice.set_permissions("alice", "/", "", "", "^r")
    expect(False)
    alice.set_permissions("alice", "/", "", "", ".*")
    expect(True)
    alice.clear_permissions("alice", "/")
    expect(False)
    alice.set_permissions("alice", "/", "", "", ".*")
    expect(True)
    alice.forget_vhost("/")
    expect(False)
    alice.set_permissions("alice", "/", "", "", ".*")
    expect(True)
    alice.delete_user("alice")
    expect(False)


def test_topic_changes_and_tags_are_counted(alice: Users) -> None:
    before = alice.version
    alice.set_topic_permissions("alice", "/", "amq.topic", "^a", "^a")
    middle = alice.version
    alice.clear_topic_permissions("alice", "/")
    after = alice.version
    alice.set_tags("alice", ["administrator"])
    assert before < middle < after < alice.version
    unchanged = alice.version
    allows(alice, "queue", "q", "read")
    allows_topic(alice, "a.b")
    assert alice.version == unchanged


@pytest.mark.parametrize("position", range(3))
def test_an_invalid_expression_is_refused_and_changes_nothing(
    alice: Users, store: MemoryDefinitionStore, position: int
) -> None:
    alice.set_permissions("alice", "/", ".*", ".*", ".*")
    store.commit()
    patterns = ["^a", "^a", "^a"]
    patterns[position] = "("
    with pytest.raises(PreconditionFailed, match=r"invalid regular expression '\('"):
        alice.set_permissions("alice", "/", *patterns)
    assert allows(alice, "queue", "q", "read")
    assert not store.dirty


def test_an_invalid_expression_in_the_store_denies(alice: Users) -> None:
    value = {"configure": "(", "write": "[[:alpha:]", "read": "^a"}
    assert alice.restore("permission", "/", "alice", value)
    assert not allows(alice, "queue", "a", "configure")
    assert not allows(alice, "queue", ":]", "write")
    assert allows(alice, "queue", "a", "read")
    assert alice.restore("topic_permission", "/", '["alice", "amq.topic"]', {"write": "(", "read": ""})
    assert not allows_topic(alice, "a")


def test_no_more_answers_are_kept_than_the_limit(alice: Users) -> None:
    alice.set_permissions("alice", "/", "", "", "[02468]$")
    for number in range(ANSWERS_MAX * 2 + 10):
        assert allows(alice, "queue", str(number), "read") is (number % 2 == 0)
        assert len(alice._permissions._answers) <= ANSWERS_MAX


def test_answers_are_kept_until_there_are_too_many(alice: Users) -> None:
    alice.set_permissions("alice", "/", "", "", "[02468]$")
    kept = alice._permissions._answers
    for number in range(ANSWERS_MAX):
        allows(alice, "queue", str(number), "read")
        assert len(kept) == number + 1
    allows(alice, "queue", "0", "read")
    assert len(kept) == ANSWERS_MAX, "it was known"
    allows(alice, "queue", "one more", "read")
    assert list(kept.values()) == [False]


def test_nothing_is_left_of_a_deleted_user(alice: Users) -> None:
    alice.set_permissions("alice", "/", "", "", "")
    alice.set_topic_permissions("alice", "/", "amq.topic", "", "")
    alice.delete_user("alice")
    assert alice._permissions._users == {}
    assert alice._topic_permissions._users == {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", VERBS)
def test_the_broker_itself_may_do_everything(alice: Users, kind: ResourceKind, verb: Verb) -> None:
    alice.check(BROKER_NAME, "anywhere", kind, "anything", verb)
    assert alice.may_access_vhost(BROKER_NAME, "anywhere")


def test_lists_of_permissions(alice: Users) -> None:
    alice.add_user("bob", "secret")
    alice.set_permissions("alice", "/", "^a", "^b", "^c")
    alice.set_permissions("alice", "v", "", "", ".*")
    alice.set_permissions("bob", "v", "1", "2", "3")
    assert list_permissions(alice, "v") == [
        {"user": "alice", "configure": "", "write": "", "read": ".*"},
        {"user": "bob", "configure": "1", "write": "2", "read": "3"},
    ]
    assert list_user_permissions(alice, "alice") == [
        {"vhost": "/", "configure": "^a", "write": "^b", "read": "^c"},
        {"vhost": "v", "configure": "", "write": "", "read": ".*"},
    ]
    assert list_permissions(alice, "none") == []


def test_forgetting_a_vhost_takes_its_rows_out_of_the_store(alice: Users, store: MemoryDefinitionStore) -> None:
    alice.add_user("bob", "secret")
    for user, vhost in itertools.product(("alice", "bob"), ("/", "v")):
        alice.set_permissions(user, vhost, "", "", "")
        alice.set_topic_permissions(user, vhost, "amq.topic", "", "")
    alice.forget_vhost("v")
    again = load_users(store)
    assert (list_permissions(again, "v"), list_topic_permissions(again, "v")) == ([], [])
    assert (len(list_permissions(again, "/")), len(list_topic_permissions(again, "/"))) == (2, 2)


def test_without_a_topic_permission_every_key_is_allowed(alice: Users) -> None:
    assert allows_topic(alice, "any.key")
    alice.set_topic_permissions("alice", "/", "other", "^x", "^x")
    assert allows_topic(alice, "any.key")
    assert not allows_topic(alice, "any.key", exchange="other")


def test_topic_permissions_narrow_write_and_read_apart(alice: Users) -> None:
    alice.set_topic_permissions("alice", "/", "amq.topic", "^w\\.", "^r\\.")
    assert allows_topic(alice, "w.1", "write")
    assert not allows_topic(alice, "w.1", "read")
    assert allows_topic(alice, "r.1", "read")
    with pytest.raises(AccessRefused) as caught:
        alice.check_topic("alice", "/", "amq.topic", "r.1", "write")
    assert caught.value.text == (
        "write access to topic 'r.1' in exchange 'amq.topic' in vhost '/' refused for user 'alice'"
    )
    assert (caught.value.code, caught.value.scope) == (403, Scope.CHANNEL)


def test_topic_variables(alice: Users) -> None:
    alice.set_topic_permissions("alice", "/", "amq.topic", "^{username}\\.{client_id}\\.", ".*")
    assert allows_topic(alice, "alice.c1.x", client_id="c1")
    assert not allows_topic(alice, "alice.c2.x", client_id="c1")
    assert not allows_topic(alice, "alice.c2.x", client_id=".*")
    assert not allows_topic(alice, "bob.c1.x", client_id="c1", username="bob"), "the login can't be overruled"
    assert not allows_topic(alice, "alice.c1.x"), "a variable the protocol hasn't stays as it is"


def test_the_vhost_can_be_part_of_an_expression_on_topics(alice: Users) -> None:
    alice.set_topic_permissions("alice", "/", "amq.topic", "^{vhost}\\.", ".*")
    assert allows_topic(alice, "/.x")
    assert not allows_topic(alice, "v.x")
    assert not allows_topic(alice, "v.x", vhost="v"), "the protocol's variables don't overrule it"


def test_lists_and_clearing_of_topic_permissions(alice: Users) -> None:
    for exchange in ("one", "two"):
        alice.set_topic_permissions("alice", "/", exchange, "^w", "^r")
    alice.set_topic_permissions("alice", "v", "one", "", "")
    row = {"write": "^w", "read": "^r"}
    assert list_topic_permissions(alice, "/") == [
        {"user": "alice", "exchange": "one", **row},
        {"user": "alice", "exchange": "two", **row},
    ]
    assert alice.clear_topic_permissions("alice", "/", "one")
    assert not alice.clear_topic_permissions("alice", "/", "one")
    assert allows_topic(alice, "x", exchange="one")
    assert not allows_topic(alice, "x", exchange="two")
    assert alice.clear_topic_permissions("alice", "/")
    assert list_user_topic_permissions(alice, "alice") == [{"vhost": "v", "exchange": "one", "write": "", "read": ""}]
    with pytest.raises(PreconditionFailed, match="invalid regular expression"):
        alice.set_topic_permissions("alice", "/", "one", "", "(")
