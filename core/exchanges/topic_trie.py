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

    A dict that would be empty is None: most nodes have only one of the two, and there may be millions of
    nodes.
    """

    __slots__ = ("children", "many", "one", "values")

    def __init__(self) -> None:
        self.children: dict[str, _Node[Value]] | None = None
        self.one: _Node[Value] | None = None
        self.many: _Node[Value] | None = None
        self.values: dict[Value, None] | None = None

    @property
    def is_empty(self) -> bool:
        return self.values is None and self.children is None and self.one is None and self.many is None

    def nodes_below(self) -> Iterator[_Node[Value]]:
        """The direct children of all three sorts."""
        if self.children is not None:
            yield from self.children.values()
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

    A value is hashable; it may be inserted with several patterns, and is kept once for each.
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
        if self.many_words_is_last and self.many_words in words[:-1]:
            raise ValueError(f"{self.many_words!r} is allowed only as the last word of a pattern")
        one_word, many_words = self.one_word, self.many_words
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
                if children is None:
                    children = node.children = {}
                child = children.get(word)
                if child is None:
                    child = children[word] = _Node()
            node = child
        if node.values is None:
            node.values = {}
        elif value in node.values:
            return False
        node.values[value] = None
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
        values = path[-1].values
        if values is None or value not in values:
            return False
        del values[value]
        if not values:
            path[-1].values = None
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
                    if node.children is not None:
                        child = node.children.get(word)
                        if child is not None:
                            following.append(child)
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
            if node.values is not None:
                found.extend(node.values)
        return found

    def __len__(self) -> int:
        """How many (pattern, value) pairs are in the trie."""
        return self._count

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
        return None if node.children is None else node.children.get(word)

    def _set_child(self, node: _Node[Value], word: str, child: _Node[Value] | None) -> None:
        if word == self.one_word:
            node.one = child
        elif word == self.many_words:
            node.many = child
        elif child is not None:
            if node.children is None:
                node.children = {}
            node.children[word] = child
        elif node.children is not None:
            del node.children[word]
            if not node.children:
                node.children = None

    def _prune(self, path: list[_Node[Value]], words: Sequence[str]) -> None:
        """Cut empty nodes off the end of `path`, which is the root and then a node for each word."""
        while len(path) > 1 and path[-1].is_empty:
            path.pop()
            self._set_child(path[-1], words[len(path) - 1], None)


def _reach_many(node: _Node[Value], greedy: list[_Node[Value]], reached: set[_Node[Value]], found: list[Value]) -> None:
    """Go on from `node` to its many-words child, that one's own, and so on, until one was reached before.

    The values of a many-words node match from here to any end of the topic, so they are found at once.
    Only nodes with something below need to see the words that follow.
    """
    many = node.many
    while many is not None and many not in reached:
        reached.add(many)
        if many.values is not None:
            found.extend(many.values)
        if many.children is not None or many.one is not None:
            greedy.append(many)
        many = many.many
