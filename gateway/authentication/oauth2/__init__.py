"""The back-end `oauth2`: users who show a token (RFC 7519), which says who they are and what they may do."""
