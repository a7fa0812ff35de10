"""Warren for the tests of other programs: a plugin of pytest, and what its fixtures give (docs/testing.md).

    pytest_plugin     hooks and fixtures; imports nothing of the rest until a test asks for a broker
    broker            `warren_broker`: what a test sees of the broker, and the faults that it asks for
    process           the broker's process, as the test's process sees it
    link              a link to the broker that can be cut
    loops             who may wait where
    serve             the program of the broker's process, which does what `process` asks:
    chores, recorder  looking at one virtual host, breaking it, and remembering what was published to it
    definitions       a definitions file for a virtual host of another name

A test session has one broker, in a process of its own, and each test a virtual host of its own in it.  The two
processes talk in lines of JSON over the standard input and output of the broker's.
"""
