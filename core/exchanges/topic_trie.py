"""A trie of topic patterns: which of many patterns match a topic, without looking at each.

Topics and patterns are tuples of words; where to split a string is the protocol's business (AMQP at `.`,
MQTT at `/`), and the empty tuple is a topic of zero words.  Two wildcards are words that stand alone in a
pattern: `one_word` matches exactly one word, `many_words` any number of words, none included.  So `a.#`
matches `a`, which is also MQTT's rule that `a/#` matches its parent.

Each pattern is a path from the root; the values inserted with it sit in the node where the path ends.  A
node keeps its two wildcard children apart from the literal ones, because a topic may contain a wildcard's
character as a plain word.

Matching reads the topic once, word by word, and keeps the list of nodes that the words so far can lead to,
as one simulates a nondeterministic automaton:

* a plain node is left by every word: to its literal child of that word and to its one-word child;
* a many-words node, once reached, is never left: it consumes whatever comes.  It moves to a second list for
  the rest of the topic, guarded by a set, so that it is reached once however many ways lead to it;
* since a many-words node also matches nothing, whoever reaches its parent reaches it at once.

A plain node can be reached only from its parent, so it is never listed twice for the same word.  The work
for one word is thus at most the number of nodes, and usually a handful; patterns full of `#` cost no more
than others.  Nothing recurses: a topic may have tens of thousands of words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

Value = TypeVar("Value")


class _Node(Generic[Value]):
    """The end of a pattern, a step on the way to others, or both.

    There may be millions of nodes, so a dict that would be empty is None, and one that would have one entry, as
    most, isn't there: an only literal child stands for itself, and so does an only value.

    word: what leads here, of a literal child.  value: the only one.  values: all, where there are more.
    """

    __slots__ = ("children", "many", "one", "value", "values", "word")

    def __init__(self, word: str = "") -> None:
        self.word = word
        self.children: dict[str, _Node[Value]] | _Node[Value] | None = None
        self.one: _Node[Value] | None = None
        self.many: _Node[Value] | None = None
        self.value: Value | None = None
        self.values: dict[Value, None] | None = None

    @property
    def is_empty(self) -> bool:
        return (
            self.value is None
            and self.values is None
            and self.children is None
            and self.one is None
            and self.many is None
        )

    def find_values(self, found: list[Value]) -> None:
        """Add the values here to those that were found."""
        if self.value is not None:
            found.append(self.value)
        elif self.values is not None:
            found.extend(self.values)

    def nodes_below(self) -> Iterator[_Node[Value]]:
        """The direct children of all three sorts."""
        if isinstance(self.children, dict):
            yield from self.children.values()
        elif self.children is not None:
            yield self.children
        if self.one is not None:
            yield self.one
        if self.many is not None:
            yield self.many


class TopicTrie(Generic[Value]):
    """Patterns with the values inserted for them.

    one_word, many_words: the words that are wildcards in patterns: `*` and `#` in AMQP, `+` and `#` in MQTT.
    many_words_is_last: the many-words wildcard is allowed at the end of a pattern only (MQTT 4.7.1.2).
    dollar_is_hidden: a topic whose first word begins with `$` is not matched by patterns that begin with a
    wildcard (MQTT 4.7.2-1).

    A value is hashable and not None; it may be inserted with several patterns, and is kept once for each.
    """

    __slots__ = ("_count", "_root", "dollar_is_hidden", "many_words", "many_words_is_last", "one_word")

    def __init__(
        self,
        one_word: str = "*",
        many_words: str = "#",
        *,
        many_words_is_last: bool = False,
        dollar_is_hidden: bool = False,
    ) -> None:
        self.one_word = one_word
        self.many_words = many_words
        self.many_words_is_last = many_words_is_last
        self.dollar_is_hidden = dollar_is_hidden
        self._root: _Node[Value] = _Node()
        self._count = 0

    @classmethod
    def for_mqtt(cls) -> TopicTrie[Value]:
        """A trie of MQTT topic filters (MQTT 4.7)."""
        return cls("+", "#", many_words_is_last=True, dollar_is_hidden=True)

    def insert(self, words: Sequence[str], value: Value) -> bool:
        """Let topics that match the pattern `words` find `value`; False when it was inserted so before.

        Raises ValueError for a many-words wildcard that stands where the trie was told it may not.
        """
        one_word, many_words = self.one_word, self.many_words
        if self.many_words_is_last and many_words in words and words.index(many_words) != len(words) - 1:
            raise ValueError(f"{many_words!r} is allowed only as the last word of a pattern")
        node = self._root
        for word in words:
            if word == one_word:
                child = node.one
                if child is None:
                    child = node.one = _Node()
            elif word == many_words:
                child = node.many
                if child is None:
                    child = node.many = _Node()
            else:
                children = node.children
                if isinstance(children, dict):
                    child = children.get(word)
                    if child is None:
                        child = children[word] = _Node(word)
                elif children is None:
                    child = node.children = _Node(word)
                elif children.word == word:
                    child = children
                else:
                    child = _Node(word)
                    node.children = {children.word: children, word: child}
            node = child
        first, values = node.value, node.values
        if values is not None:
            if value in values:
                return False
            values[value] = None
        elif first is None:
            node.value = value
        elif first == value:
            return False
        else:
            node.value = None
            node.values = {first: None, value: None}
        self._count += 1
        return True

    def remove(self, words: Sequence[str], value: Value) -> bool:
        """Undo `insert`; False when there was nothing to undo. Nodes that lead nowhere any more go, too."""
        path = [self._root]
        for word in words:
            child = self._child(path[-1], word)
            if child is None:
                return False
            path.append(child)
        node = path[-1]
        values = node.values
        if values is not None and value in values:
            del values[value]
            if len(values) == 1:
                node.value, node.values = next(iter(values)), None
        elif node.value is not None and node.value == value:
            node.value = None
        else:
            return False
        self._count -= 1
        self._prune(path, words)
        return True

    def match(self, words: Sequence[str]) -> list[Value]:
        """The values of all patterns that match the topic `words`, in no particular order.

        A value inserted with several patterns is found once for each of them that matches.
        """
        root = self._root
        found: list[Value] = []
        plain = [root]
        greedy: list[_Node[Value]] = []
        reached: set[_Node[Value]] = set()
        hidden = self.dollar_is_hidden and len(words) > 0 and words[0].startswith("$")
        if root.many is not None and not hidden:
            _reach_many(root, greedy, reached, found)
        for word in words:
            following: list[_Node[Value]] = []
            for nodes in (plain, greedy):
                for node in nodes:
                    children = node.children
                    if isinstance(children, dict):
                        child = children.get(word)
                        if child is not None:
                            following.append(child)
                    elif children is not None and children.word == word:
                        following.append(children)
                    if node.one is not None and not hidden:
                        following.append(node.one)
            hidden = False
            for node in following:
                if node.many is not None:
                    _reach_many(node, greedy, reached, found)
            plain = following
            if not plain and not greedy:
                return found
        for node in plain:
            node.find_values(found)
        return found

    def __len__(self) -> int:
        """How many (pattern, value) pairs are in the trie."""
        return self._count

    def __bool__(self) -> bool:
        return len(self) > 0

    @property
    def node_count(self) -> int:
        """How many nodes the trie is made of besides its root; counted by walking them."""
        count = 0
        pending = [self._root]
        while pending:
            below = list(pending.pop().nodes_below())
            count += len(below)
            pending.extend(below)
        return count

    def _child(self, node: _Node[Value], word: str) -> _Node[Value] | None:
        if word == self.one_word:
            return node.one
        if word == self.many_words:
            return node.many
        children = node.children
        if isinstance(children, dict):
            return children.get(word)
        return children if children is not None and children.word == word else None

    def _cut_child(self, node: _Node[Value], word: str) -> None:
        """Take away a child that there is."""
        children = node.children
        if word == self.one_word:
            node.one = None
        elif word == self.many_words:
            node.many = None
        elif isinstance(children, dict):
            del children[word]
            if len(children) < 2:
                node.children = next(iter(children.values()))
        else:
            node.children = None

    def _prune(self, path: list[_Node[Value]], words: Sequence[str]) -> None:
        """Cut empty nodes off the end of `path`, which is the root and then a node for each word."""
        while len(path) > 1 and path[-1].is_empty:
            path.pop()
            self._cut_child(path[-1], words[len(path) - 1])


def _reach_many(node: _Node[Value], greedy: list[_Node[Value]], reached: set[_Node[Value]], found: list[Value]) -> None:
    """Go on from `node` to its many-words child, that one's own, and so on, until one was reached before.

    The values of a many-words node match from here to any end of the topic, so they are found at once.
    Only nodes with something below need to see the words that follow.
    """
    many = node.many
    while many is not None and many not in reached:
        reached.add(many)
        many.find_values(found)
        if many.children is not None or many.one is not None:
            greedy.append(many)
        many = many.many
