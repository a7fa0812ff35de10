"""The word that takes over the users of a Mosquitto."""

from __future__ import annotations

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, value
from warren.gateway.control.word import VHOST, word


@word(
    "PASSWORD_FILE [ACL_FILE]",
    "take over the users of a Mosquitto, with what its ACL file allows them: all of it or nothing",
    'Importing the users of a Mosquitto into virtual host "{vhost}" ...',
    options=(VHOST,),
    reads_files=True,
    example="/etc/mosquitto/passwd /etc/mosquitto/acl",
)
def import_mosquitto(control: Control, request: Request) -> Answer:
    """Users who are there already get the password and the permissions of the files."""
    from warren.adapters.mqtt.sessions.settings import SessionSettings
    from warren.core.administration import operations
    from warren.gateway.mosquitto.document import convert
    from warren.gateway.mosquitto.errors import MosquittoFileError

    operations.vhosts.existing(control.broker, request.vhost)
    passwords, *acl = request.files()
    exchange = control.config.section(SessionSettings).exchange
    try:
        converted = convert(passwords, acl[0] if acl else None, request.vhost, exchange)
    except MosquittoFileError as error:
        raise RefusedError(f"nothing was imported: {error}", codes.DATA) from None
    imported = operations.definitions.import_document(
        control.broker, converted.text(), None, source="a Mosquitto's files, by the command line"
    )
    lines = [*operations.definitions.report(imported), *(f"Note: {note}" for note in converted.notes)]
    return value({**imported._asdict(), "notes": converted.notes}, "\n".join(lines))
