//! Our programs together. One program of all scenarios: each of its own would be linked with everything once more.

mod folder;
mod freeciv;
mod hostile;
mod install;
mod kills;
mod obstacles;
mod packs;
mod preview;
mod publish;
mod repair;
mod rollback;
mod routes;
mod self_update;
mod trust;
