//! Whole updates on a real folder, undisturbed: the world the other tests share.

mod scenarios;
mod world;
