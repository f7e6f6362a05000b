//! Peers that do not mean it well, and a tracker's answer that names them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use protocol::tracker::AnnounceResponse;
use protocol::units::PeerId;
use protocol::wire::{Decoder, Handshake, Message, Reserved, encode};

/// What a bad peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Ends each connection at once.
    Closes,
    /// Takes connections and says nothing.
    IsSilent,
    /// Says something that is not BitTorrent.
    Babbles,
    /// Says it has everything, and answers no request.
    Stalls,
    /// Says it has everything, and sends other bytes.
    Lies,
    /// Says it has everything, and ends after one request.
    Leaves,
}

/// A bad peer that listens; it ends when dropped.
pub struct BadPeer {
    address: SocketAddr,
    gone: Arc<AtomicBool>,
    met: Arc<AtomicUsize>,
}

impl BadPeer {
    /// Starts one.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn start(manner: Manner) -> BadPeer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free address");
        let address = listener.local_addr().expect("it listens");
        let (gone, met) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (ends, meets) = (gone.clone(), met.clone());
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                meets.fetch_add(1, Ordering::Relaxed);
                let ends = ends.clone();
                thread::spawn(move || drop(misbehave(socket, manner, &ends)));
            }
        });
        BadPeer { address, gone, met }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has had.
    #[must_use]
    pub fn met(&self) -> usize {
        self.met.load(Ordering::Relaxed)
    }
}

impl Drop for BadPeer {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn misbehave(mut socket: TcpStream, manner: Manner, gone: &AtomicBool) -> std::io::Result<()> {
    match manner {
        Manner::Closes => return Ok(()),
        Manner::IsSilent => return hold(&mut socket, gone),
        Manner::Babbles => {
            socket.write_all(
                b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n well, and so on and so forth",
            )?;
            return hold(&mut socket, gone);
        }
        Manner::Stalls | Manner::Lies | Manner::Leaves => {}
    }
    let mut opening = [0; 68];
    socket.read_exact(&mut opening)?;
    let Ok(theirs) = Handshake::decode(&opening) else { return Ok(()) };
    let ours = Handshake::new(theirs.hash, PeerId(*b"-XX0000-badbadbadbad"), &[Reserved::Fast]);
    let mut out = BytesMut::from(&ours.encode()[..]);
    encode(&Message::HaveAll, &mut out);
    encode(&Message::Unchoke, &mut out);
    socket.write_all(&out)?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    let (mut buffer, mut part) = (BytesMut::new(), [0; 16 * 1024]);
    let mut decoder = Decoder::without_metadata();
    while !gone.load(Ordering::Relaxed) {
        match socket.read(&mut part) {
            Ok(0) => return Ok(()),
            Ok(len) => buffer.extend_from_slice(&part[..len]),
            Err(error) if is_timeout(&error) => continue,
            Err(error) => return Err(error),
        }
        while let Ok(Some(message)) = decoder.decode(&mut buffer) {
            let Message::Request(block) = message else { continue };
            match manner {
                Manner::Leaves => return Ok(()),
                Manner::Lies => {
                    let data = Bytes::from(vec![0x55; block.len as usize]);
                    let mut out = BytesMut::new();
                    encode(&Message::Piece { piece: block.piece, offset: block.offset, data }, &mut out);
                    socket.write_all(&out)?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn hold(socket: &mut TcpStream, gone: &AtomicBool) -> std::io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    while !gone.load(Ordering::Relaxed) {
        match socket.read(&mut [0; 1024]) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

/// The body of a tracker's answer that names these peers.
#[must_use]
pub fn tracker_answer(peers: &[SocketAddr]) -> Vec<u8> {
    let answer = AnnounceResponse {
        interval: Duration::from_secs(900),
        min_interval: None,
        complete: None,
        incomplete: None,
        peers: peers.to_vec(),
        external_ip: None,
        warning: None,
    };
    answer.encode(true)
}
