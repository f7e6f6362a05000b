//! Connections before they belong to a swarm: how many there may be, who gets one, and which swarm a handshake asks
//! for.

use super::NodeLimits;
use super::feed::{Feed, Incoming, Lease};
use crate::units::WireHash;
use crate::wire::{HANDSHAKE_LEN, Handshake};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long accepting pauses when the process has run out of descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// The node's door. Invariant: every connection holds a [`Lease`] for as long as its socket is open.
#[derive(Debug)]
pub(super) struct Door {
    limits: NodeLimits,
    places: Arc<Semaphore>,
    unnamed: Arc<Semaphore>,
    connecting: Semaphore,
    addresses: Arc<Addresses>,
    routes: Mutex<HashMap<WireHash, mpsc::Sender<Feed>>>,
}

impl Door {
    pub(super) fn new(limits: NodeLimits) -> Door {
        Door {
            limits,
            places: Arc::new(Semaphore::new(limits.max_connections)),
            unnamed: Arc::new(Semaphore::new(limits.max_unnamed)),
            connecting: Semaphore::new(limits.max_connecting),
            addresses: Arc::default(),
            routes: Mutex::default(),
        }
    }

    /// Leads handshakes with any of `hashes` to a swarm; `false` if one of them is taken.
    pub(super) fn open(&self, hashes: &[WireHash], feed: &mpsc::Sender<Feed>) -> bool {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let free = !hashes.iter().any(|hash| routes.contains_key(hash));
        if free {
            routes.extend(hashes.iter().map(|&hash| (hash, feed.clone())));
        }
        free
    }

    /// The end of [`Self::open`].
    pub(super) fn shut(&self, hashes: &[WireHash]) {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        hashes.iter().for_each(|hash| drop(routes.remove(hash)));
    }

    fn route(&self, hash: WireHash) -> Option<mpsc::Sender<Feed>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned()
    }

    /// Connects to a peer when it is this attempt's turn.
    pub(super) async fn connect(&self, addr: SocketAddr) -> io::Result<(TcpStream, Lease)> {
        let closed = |_| io::Error::other("the node has stopped");
        let _turn = self.connecting.acquire().await.map_err(closed)?;
        let full = |_| io::Error::other("as many connections as there may be");
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(full)?;
        let connect = tokio::time::timeout(self.limits.handshake_timeout, TcpStream::connect(addr));
        let socket = connect.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok((socket, Lease { _place: place, _address: None }))
    }

    /// Takes connections until told to stop.
    pub(super) async fn listen(
        self: Arc<Self>,
        listener: TcpListener,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, addr)) => {
                    let (door, stop) = (Arc::clone(&self), stop.clone());
                    tasks.spawn(async move {
                        tokio::select! {
                            () = stop.cancelled() => {}
                            () = door.welcome(socket, addr) => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "not accepted");
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
            }
        }
    }

    /// Reads the handshake and passes the connection on. Whoever is one too many is hung up on.
    async fn welcome(&self, mut socket: TcpStream, addr: SocketAddr) {
        let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
        let Ok(_unnamed) = self.unnamed.try_acquire() else { return };
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
        let Some(address) = self.addresses.lease(addr.ip(), self.limits.max_per_address) else { return };
        let mut bytes = [0; HANDSHAKE_LEN];
        let read = tokio::time::timeout(self.limits.handshake_timeout, socket.read_exact(&mut bytes));
        let Ok(Ok(_)) = read.await else { return };
        let Ok(handshake) = Handshake::decode(&bytes) else { return };
        let Some(feed) = self.route(handshake.hash) else { return };
        let lease = Lease { _place: place, _address: Some(address) };
        // A swarm that has stopped meanwhile is no loss.
        let _ = feed.send(Feed::Incoming(Box::new(Incoming { socket, addr, handshake, lease }))).await;
    }
}

/// Connections by address.
#[derive(Debug, Default)]
struct Addresses {
    counts: Mutex<HashMap<IpAddr, usize>>,
}

impl Addresses {
    /// One more from this address, unless there are `max`; any number from this machine.
    fn lease(self: &Arc<Self>, ip: IpAddr, max: usize) -> Option<AddressLease> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(ip).or_default();
        if *count >= max && !ip.is_loopback() {
            return None;
        }
        *count += 1;
        Some(AddressLease { addresses: Arc::clone(self), ip })
    }
}

/// Counts until it is dropped.
#[derive(Debug)]
pub(super) struct AddressLease {
    addresses: Arc<Addresses>,
    ip: IpAddr,
}

impl Drop for AddressLease {
    fn drop(&mut self) {
        let mut counts = self.addresses.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_connections_and_no_more() {
        let addresses = Arc::new(Addresses::default());
        let ip: IpAddr = "10.1.2.3".parse().unwrap();
        let held: Vec<_> = (0..3).map(|_| addresses.lease(ip, 3).unwrap()).collect();
        assert!(addresses.lease(ip, 3).is_none());
        drop(held);
        assert!(addresses.counts.lock().unwrap().is_empty());
        let local: Vec<_> = (0..9).map_while(|_| addresses.lease(IpAddr::from([127, 0, 0, 1]), 3)).collect();
        assert_eq!(local.len(), 9);
    }
}
