//! The reverse proxy: routes requests to versions, swaps them without closing a connection, and counts what came of each.
