//! The swarm of one torrent as a pure state machine: `handle(now, Input)`, `poll_output()`, `poll_timeout()`.

mod io;

pub use io::*;
