"""Taking over the users of a Mosquitto: its password file and its ACL file, as definitions."""
