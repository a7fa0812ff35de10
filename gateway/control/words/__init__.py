"""The words of `warren ctl`."""
