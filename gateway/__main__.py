"""`python -m gateway` is `warren`."""

from gateway.cli import main

if __name__ == "__main__":
    main()
