//! The engine: commands in, events and snapshots out, on a runtime and thread of its own.
//!
//! It knows neither terminal nor window. The command line and the window send the same [`Command`]s and read
//! the same [`Snapshot`]. A module imports only modules above it in this list.

pub mod command;
pub mod snapshot;
mod board;
mod options;
pub mod http;
mod context;
mod meter;
mod vacant;
mod players;
mod launch;
mod play;
mod sources;
mod transfer;
mod record;
mod ledger;
mod content;
mod repository;
mod goal;
mod jobs;
mod packs;
mod neighbours;
mod change;
mod art;
mod releases;
mod versions;
mod install;
mod rollback;
mod forecast;
mod seed;
mod check;
mod status;
mod operations;
mod runtime;

pub use art::picture_path;
pub use board::Wake;
pub use command::{
    Command, DEFAULT_CHANNEL, Install, Linger, Look, Operation, Pictures, Plan, Preference, Rates, Releases,
    Seed, Select, Sources, TaskId, Update, Verify,
};
pub use options::Options;
pub(crate) use play::program;
pub use runtime::{Engine, EngineHandle};
pub use snapshot::{
    CandidateView, ChannelView, Event, Failure, Happened, Offer, Outcome, Phase, Pictured, PlanReport,
    Playing, ReleaseList, ReleaseView, Snapshot, SourceBytes, StatusReport, Summary, TaskView,
    UninstallReport, VerifyReport, WoundView,
};

#[cfg(test)]
mod tests;
