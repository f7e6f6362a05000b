//! What the window costs with 200 games in its library and an update running: CPU of a frame (views and tessellation),
//! frames a second, time to the first frame and memory beside an empty window of the same toolkit.
//!
//!     cargo build --profile demo --workspace --bins
//!     cargo bench --profile demo --package samara-tests --bench window
//!
//! Frames are drawn twice: without a display, where the thread's CPU clock tells what each one took; and by the real
//! window under Xvfb, where the system tells what its thread took, with OpenGL's part of it in software.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a bench: it fails where something is not as it should be, and makes files"
)]

#[cfg(target_os = "linux")]
#[path = "window/mod.rs"]
mod bench;

fn main() {
    #[cfg(target_os = "linux")]
    bench::run();
    #[cfg(not(target_os = "linux"))]
    println!("left out: it reads /proc");
}
