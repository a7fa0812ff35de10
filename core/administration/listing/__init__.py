"""What a broker can tell of itself: its objects by kind, and of each the columns that were asked for.

A kind (`kind.Kind`) says where its rows come from; a row (`column.Row`) is a view of one object, whose columns are
computed when somebody asks; `selecting.select` filters, sorts and pages them, in slices.  `kinds.Listings` holds the
kinds of one broker; plugins add to them.  Each kind has a file of its own.
"""
