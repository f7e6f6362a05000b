//! A web server for a folder that does to each answer what a test asks for.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What is done to an answer.
#[derive(Clone, Debug)]
pub enum Edit {
    /// As a good server answers.
    Serve,
    /// Another body; ranges are taken of it.
    Body(Vec<u8>),
    /// This status and no body.
    Status(u16),
    /// 302 to this place.
    Redirect(String),
    /// The whole file with 200, whatever range was asked for.
    Whole,
    /// A range that begins this much later than asked for, and says so.
    Shifted(u64),
    /// The head says all, then come so many bytes and the end.
    Cut(usize),
    /// The head, then nothing for ever.
    Stall,
    /// Nothing, not even a head.
    Close,
}

/// A question.
#[derive(Clone, Debug)]
pub struct Request {
    /// Without the leading slash, with the query.
    pub path: String,
    /// Of `Range: bytes=a-b`, half open.
    pub range: Option<Range<u64>>,
    /// The file of that name, if there is one.
    pub file: Option<Vec<u8>>,
}

type Editor = dyn Fn(&Request) -> Edit + Send + Sync;

struct Inner {
    folder: PathBuf,
    editor: Mutex<Arc<Editor>>,
    asked: Mutex<Vec<String>>,
    gone: AtomicBool,
}

/// The server; it ends when dropped.
pub struct Site {
    inner: Arc<Inner>,
    address: SocketAddr,
}

impl Site {
    /// Serves a folder as it is.
    #[must_use]
    pub fn plain(folder: PathBuf) -> Site {
        Site::edited(folder, |_| Edit::Serve)
    }

    /// Serves a folder through `editor`.
    #[must_use]
    pub fn edited(folder: PathBuf, editor: impl Fn(&Request) -> Edit + Send + Sync + 'static) -> Site {
        Site::at(([127, 0, 0, 1], 0).into(), folder, editor)
    }

    /// The same, at an address of choice.
    ///
    /// # Panics
    /// When it is taken.
    #[must_use]
    pub fn at(
        address: SocketAddr,
        folder: PathBuf,
        editor: impl Fn(&Request) -> Edit + Send + Sync + 'static,
    ) -> Site {
        let listener = TcpListener::bind(address).expect("a free address");
        let address = listener.local_addr().expect("it listens");
        let (asked, gone) = (Mutex::default(), AtomicBool::new(false));
        let editor: Arc<Editor> = Arc::new(editor);
        let inner = Arc::new(Inner { folder, editor: Mutex::new(editor), asked, gone });
        let server = inner.clone();
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                if server.gone.load(Ordering::Relaxed) {
                    return;
                }
                let server = server.clone();
                thread::spawn(move || server.converse(&socket));
            }
        });
        Site { inner, address }
    }

    /// Its address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on answers differently.
    ///
    /// # Panics
    /// Never: no thread panics with the lock held.
    pub fn edit(&self, editor: impl Fn(&Request) -> Edit + Send + Sync + 'static) {
        *self.inner.editor.lock().expect("no thread panics") = Arc::new(editor);
    }

    /// What has been asked for so far.
    ///
    /// # Panics
    /// Never: no thread panics with the lock held.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.inner.asked.lock().expect("no thread panics").clone()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.inner.gone.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

impl Inner {
    fn converse(&self, socket: &TcpStream) {
        let mut reader = BufReader::new(socket);
        while let Some(request) = self.read(&mut reader) {
            let editor = self.editor.lock().expect("no thread panics").clone();
            let edit = editor(&request);
            self.asked.lock().expect("no thread panics").push(request.path.clone());
            if !self.answer(socket, &request, edit) {
                return;
            }
        }
    }

    fn read(&self, reader: &mut BufReader<&TcpStream>) -> Option<Request> {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
        let path = line.split(' ').nth(1)?.trim_start_matches('/').to_owned();
        let mut range = None;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok().filter(|len| *len > 0)?;
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some((first, last)) = header.strip_prefix("range: bytes=").and_then(|r| r.split_once('-'))
            {
                range = Some(first.parse().ok()?..last.parse::<u64>().ok()? + 1);
            }
        }
        let file = fs::read(self.folder.join(&path)).ok();
        Some(Request { path, range, file })
    }

    /// True when the connection goes on.
    fn answer(&self, mut socket: &TcpStream, request: &Request, edit: Edit) -> bool {
        let (mut range, mut cut, mut stall) = (request.range.clone(), None, false);
        let mut body = request.file.clone();
        match edit {
            Edit::Serve => {}
            Edit::Body(other) => body = Some(other),
            Edit::Status(status) => return head(socket, &format!("{status} so"), 0, ""),
            Edit::Redirect(to) => return head(socket, "302 Found", 0, &format!("location: {to}\r\n")),
            Edit::Whole => range = None,
            Edit::Shifted(by) => range = range.map(|range| range.start + by..range.end + by),
            Edit::Cut(len) => cut = Some(len),
            Edit::Stall => stall = true,
            Edit::Close => return false,
        }
        let Some(body) = body else { return head(socket, "404 Not Found", 0, "") };
        let total = body.len() as u64;
        let part = match &range {
            None => head(socket, "200 OK", total, "").then_some(&body[..]),
            Some(range) if range.start >= total => {
                return head(socket, "416 Range Not Satisfiable", 0, "");
            }
            Some(range) => {
                let end = range.end.min(total);
                let says = format!("content-range: bytes {}-{}/{total}\r\n", range.start, end - 1);
                head(socket, "206 Partial Content", end - range.start, &says)
                    .then(|| &body[at(range.start)..at(end)])
            }
        };
        let Some(part) = part else { return false };
        if stall {
            self.hold(socket);
            return false;
        }
        let sent = &part[..cut.unwrap_or(part.len()).min(part.len())];
        socket.write_all(sent).is_ok() && cut.is_none()
    }

    /// Keeps a connection open until the other side, or the test, ends it.
    fn hold(&self, mut socket: &TcpStream) {
        let _ = socket.set_read_timeout(Some(Duration::from_millis(200)));
        while !self.gone.load(Ordering::Relaxed) {
            match socket.read(&mut [0; 64]) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) => {}
                Err(_) => return,
            }
        }
    }
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).expect("files here fit into memory")
}

fn head(mut socket: &TcpStream, status: &str, len: u64, more: &str) -> bool {
    write!(socket, "HTTP/1.1 {status}\r\ncontent-length: {len}\r\n{more}\r\n").is_ok()
}
