//! Torrents of the builder, read again.
