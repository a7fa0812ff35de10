"""`python -m warren` is the command `warren`."""

from warren.gateway.command_line.main import main

if __name__ == "__main__":
    main()
