"""Tools for a data directory: `warren store check`, `warren store repair` and `warren store backup`."""
