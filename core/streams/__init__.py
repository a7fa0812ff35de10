"""Streams: logs that many read at their own pace, again and again."""
