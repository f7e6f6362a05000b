//! A node: the listener and what its swarms share. Being written: the signatures stand.

use super::{AddSwarm, Limiter, NetError, NodeConfig};
use crate::swarm::{Command, Event, Stats};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Many swarms behind one listener. Must be started inside a tokio runtime with time and IO enabled.
#[derive(Debug)]
pub struct Node {
    config: NodeConfig,
}

impl Node {
    /// Opens the listener and begins to accept.
    ///
    /// # Errors
    /// [`NetError::Listen`], [`NetError::Http`].
    pub async fn start(config: NodeConfig) -> Result<Node, NetError> {
        Ok(Node { config })
    }

    /// Where peers connect to, with the port that was chosen if it was 0.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.config.listen
    }

    /// The node's upload allowance.
    #[must_use]
    pub fn upload(&self) -> &Arc<Limiter> {
        &self.config.upload
    }

    /// The node's download allowance.
    #[must_use]
    pub fn download(&self) -> &Arc<Limiter> {
        &self.config.download
    }

    /// Starts a swarm.
    ///
    /// # Errors
    /// [`NetError::Duplicate`], [`NetError::Stopped`].
    pub async fn add(&self, add: AddSwarm) -> Result<SwarmHandle, NetError> {
        drop(add);
        Err(NetError::Stopped)
    }

    /// Shuts all swarms down and closes the listener. Returns when nothing is running any more.
    pub async fn shutdown(&self) {}
}

/// The owner's end of a swarm. Dropping it shuts the swarm down, but nobody waits for it then.
#[derive(Debug)]
pub struct SwarmHandle {
    /// What happens, in order. When the owner falls far behind, the swarm stops reading from its peers.
    pub events: mpsc::Receiver<Event>,
    control: SwarmControl,
}

impl SwarmHandle {
    /// Tells the swarm something.
    ///
    /// # Errors
    /// [`NetError::Stopped`].
    pub fn command(&self, command: Command) -> Result<(), NetError> {
        self.control.command(command)
    }

    /// The state of things at most half a second ago.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.control.stats()
    }

    /// For other tasks.
    #[must_use]
    pub fn control(&self) -> SwarmControl {
        self.control.clone()
    }

    /// Says goodbye and returns when nothing of the swarm is running and every write it accepted is done.
    pub async fn shutdown(self) {}
}

/// Commands and numbers of a swarm, for any number of tasks. Does not keep the swarm running.
#[derive(Clone, Debug)]
pub struct SwarmControl {
    commands: mpsc::WeakUnboundedSender<Command>,
    stats: watch::Receiver<Stats>,
}

impl SwarmControl {
    /// Tells the swarm something.
    ///
    /// # Errors
    /// [`NetError::Stopped`].
    pub fn command(&self, command: Command) -> Result<(), NetError> {
        let sender = self.commands.upgrade().ok_or(NetError::Stopped)?;
        sender.send(command).map_err(|_| NetError::Stopped)
    }

    /// The state of things at most half a second ago.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats.borrow().clone()
    }

    /// The same, to wait for changes on.
    #[must_use]
    pub fn watch_stats(&self) -> watch::Receiver<Stats> {
        self.stats.clone()
    }
}
