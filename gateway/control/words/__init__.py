"""The words of `warren ctl`, by subject; `built_in.WORDS` has all of them."""
