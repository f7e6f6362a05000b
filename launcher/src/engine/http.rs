//! Bounded HTTP: every answer has a byte cap, a deadline, a minimum rate and few, careful redirects.
//!
//! Nothing that comes from here is believed; the caller checks it against a signed hash.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use protocol::net::{HttpClients, is_loopback};
use reqwest::header::LOCATION;
use tokio::time::{Instant, timeout, timeout_at};
use url::{Host, Url};

use crate::error::LaunchError;

/// What one request may cost at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest body taken, in bytes.
    pub body_len: u64,
    /// Longest time from the first redirect to the last byte.
    pub deadline: Duration,
    /// Longest time to connect, and to the first byte of the head.
    pub head: Duration,
    /// Fewest bytes per second, measured over each [`Limits::window`].
    pub rate_min: u64,
    /// See [`Limits::rate_min`].
    pub window: Duration,
}

/// Redirects followed, as many as a CDN needs.
const REDIRECTS: usize = 5;

impl Limits {
    /// Bounds for a document of at most `body_len` bytes: at least 30 s, and longer for what is long.
    #[must_use]
    pub fn for_len(body_len: u64) -> Self {
        Self {
            body_len,
            deadline: Duration::from_secs(30 + body_len / 16_384),
            head: Duration::from_secs(15),
            rate_min: 256,
            window: Duration::from_secs(10),
        }
    }
}

/// An HTTP client with the system's proxies and certificates.
#[derive(Debug, Clone)]
pub struct Http(Arc<HttpClients>);

/// What a failed request means to the caller.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// 404 or 410.
    #[error("there is nothing at {url}")]
    NotFound {
        /// The address asked.
        url: String,
    },
    /// More bytes than asked for.
    #[error("{url} is longer than the {limit} bytes it may have")]
    TooLong {
        /// The address asked.
        url: String,
        /// The bound.
        limit: u64,
    },
    /// Everything else, ready for the player.
    #[error(transparent)]
    Failed(#[from] LaunchError),
}

impl From<HttpError> for LaunchError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::NotFound { url } => Self::ServerRefused { url, status: 404 },
            HttpError::TooLong { url, limit } => {
                Self::ServerMisbehaves { url, cause: format!("more than {limit} bytes") }
            }
            HttpError::Failed(error) => error,
        }
    }
}

impl Http {
    /// Reads nothing and connects to nothing yet.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self(Arc::new(HttpClients::new(concat!("samara-launcher/", env!("CARGO_PKG_VERSION")))))
    }

    /// Fetches a whole document.
    ///
    /// # Errors
    /// [`HttpError::NotFound`], or which bound or network failure it was.
    pub async fn get(&self, url: &Url, limits: Limits) -> Result<Bytes, HttpError> {
        let deadline = Instant::now() + limits.deadline;
        match timeout_at(deadline, self.get_within(url, limits)).await {
            Ok(answer) => answer,
            Err(_) => {
                Err(misbehaves(url, format!("no whole answer within {} s", limits.deadline.as_secs())).into())
            }
        }
    }

    async fn get_within(&self, url: &Url, limits: Limits) -> Result<Bytes, HttpError> {
        let mut at = url.clone();
        for _ in 0..=REDIRECTS {
            let client = self.0.to(&at, is_loopback(&at)).await;
            let client =
                client.map_err(|error| LaunchError::internal(format!("HTTP client: {}", chain(&error))))?;
            let request = client.get(at.clone()).send();
            let response = match timeout(limits.head, request).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => return Err(offline(&at, &error).into()),
                Err(_) => {
                    let cause = format!("no answer within {} s", limits.head.as_secs());
                    return Err(LaunchError::Offline { url: at.to_string(), cause }.into());
                }
            };
            let status = response.status();
            if status.is_redirection() {
                let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                at = follow(&at, target).await.map_err(|cause| misbehaves(&at, cause))?;
                continue;
            }
            return match status.as_u16() {
                200 => read_body(response, &at, limits).await,
                404 | 410 => Err(HttpError::NotFound { url: at.to_string() }),
                status => Err(LaunchError::ServerRefused { url: at.to_string(), status }.into()),
            };
        }
        Err(misbehaves(url, format!("more than {REDIRECTS} redirects")).into())
    }
}

async fn read_body(response: reqwest::Response, url: &Url, limits: Limits) -> Result<Bytes, HttpError> {
    let too_long = || HttpError::TooLong { url: url.to_string(), limit: limits.body_len };
    if response.content_length().is_some_and(|len| len > limits.body_len) {
        return Err(too_long());
    }
    let mut body = BytesMut::new();
    let mut stream = response.bytes_stream();
    let mut window = (Instant::now() + limits.window, 0u64);
    let at_least = limits.rate_min.saturating_mul(limits.window.as_secs());
    loop {
        let part = match timeout_at(window.0, stream.next()).await {
            Ok(Some(Ok(part))) => part,
            Ok(Some(Err(error))) => return Err(offline(url, &error).into()),
            Ok(None) => return Ok(body.freeze()),
            Err(_) => {
                if window.1 < at_least {
                    return Err(too_slow(url, limits).into());
                }
                window = (Instant::now() + limits.window, 0);
                continue;
            }
        };
        if (body.len() as u64).saturating_add(part.len() as u64) > limits.body_len {
            return Err(too_long());
        }
        body.extend_from_slice(&part);
        window.1 += part.len() as u64;
        if Instant::now() >= window.0 {
            if window.1 < at_least {
                return Err(too_slow(url, limits).into());
            }
            window = (Instant::now() + limits.window, 0);
        }
    }
}

/// The address a redirect leads to, if it may: never from https to http, never from outside into the private
/// network (a stranger's server must not make us knock at the router).
async fn follow(from: &Url, target: Option<&str>) -> Result<Url, String> {
    let target = target.ok_or("a redirect that leads nowhere")?;
    let to = from.join(target).map_err(|_| "a redirect that is no address".to_owned())?;
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => {}
        _ => return Err(format!("a redirect to {}", to.scheme())),
    }
    let moved = from.host() != to.host() || from.port_or_known_default() != to.port_or_known_default();
    if moved && is_inside(&to).await && !is_inside(from).await {
        return Err("a redirect from outside into the private network".to_owned());
    }
    Ok(to)
}

/// Whether an address belongs to this machine or its network. A name that cannot be looked up (only the proxy
/// can) counts as outside.
async fn is_inside(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => is_private(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => is_private(IpAddr::V6(ip)),
        Some(Host::Domain(name)) => {
            let port = url.port_or_known_default().unwrap_or(80);
            match tokio::net::lookup_host((name, port)).await {
                Ok(mut found) => found.any(|addr| is_private(addr.ip())),
                Err(_) => false,
            }
        }
        None => true,
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64; // RFC 6598
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified() || shared
        }
        IpAddr::V6(ip) => {
            let local = ip.segments()[0] & 0xfe00 == 0xfc00 || ip.segments()[0] & 0xffc0 == 0xfe80;
            ip.is_loopback() || ip.is_unspecified() || local
        }
    }
}

fn too_slow(url: &Url, limits: Limits) -> LaunchError {
    misbehaves(url, format!("slower than {} bytes a second", limits.rate_min))
}

fn misbehaves(url: &Url, cause: String) -> LaunchError {
    LaunchError::ServerMisbehaves { url: url.to_string(), cause }
}

fn offline(url: &Url, error: &reqwest::Error) -> LaunchError {
    LaunchError::Offline { url: url.to_string(), cause: chain(error) }
}

/// An error with its causes: reqwest's own text alone says only "error sending request".
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if parts.last().is_some_and(|last| !last.contains(&text)) {
            parts.push(text);
        }
        next = cause.source();
    }
    // The root cause is what a player can act on.
    parts.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// A server that gives one canned answer per connection and then holds it open when told to.
    async fn serve(answers: Vec<Vec<u8>>, hold: bool) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/doc", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut held = Vec::new();
            for answer in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(&answer).await;
                if hold {
                    held.push(socket);
                }
            }
            if hold {
                std::future::pending::<()>().await;
            }
        });
        Url::parse(&url).unwrap()
    }

    fn quick() -> Limits {
        let second = Duration::from_millis(300);
        Limits { body_len: 10, deadline: second * 4, head: second, rate_min: 100, window: second }
    }

    async fn outcome(answer: &str, hold: bool) -> String {
        let url = serve(vec![answer.as_bytes().to_vec(); 8], hold).await;
        match Http::new().get(&url, quick()).await {
            Ok(body) => format!("{} bytes", body.len()),
            Err(HttpError::NotFound { .. }) => "nothing".to_owned(),
            Err(error) => LaunchError::from(error).code().to_owned(),
        }
    }

    #[tokio::test]
    async fn answers_are_bounded() {
        let close = "connection: close\r\n\r\n";
        let table = [
            (format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n{close}hello"), false, "5 bytes"),
            (format!("HTTP/1.1 404 no\r\n{close}"), false, "nothing"),
            (format!("HTTP/1.1 500 no\r\n{close}"), false, "E-SERVER-REFUSED"),
            (format!("HTTP/1.1 206 part\r\n{close}hello"), false, "E-SERVER-REFUSED"),
            (format!("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n{close}"), false, "E-SERVER-MISBEHAVES"),
            (format!("HTTP/1.1 200 OK\r\n{close}more than ten bytes"), false, "E-SERVER-MISBEHAVES"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello".to_owned(), true, "E-SERVER-MISBEHAVES"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello".to_owned(), false, "E-OFFLINE"),
            (String::new(), true, "E-OFFLINE"),
            (
                "HTTP/1.1 302 x\r\nlocation: /doc\r\ncontent-length: 0\r\n\r\n".to_owned(),
                false,
                "E-SERVER-MISBEHAVES",
            ),
            (
                "HTTP/1.1 302 x\r\nlocation: file:///etc\r\ncontent-length: 0\r\n\r\n".to_owned(),
                false,
                "E-SERVER-MISBEHAVES",
            ),
        ];
        for (answer, hold, expected) in table {
            assert_eq!(outcome(&answer, hold).await, expected, "{answer:?}");
        }
    }

    #[test]
    fn private_addresses_are_known() {
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "100.64.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_private(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["1.1.1.1", "100.128.0.1", "2606:4700::1111"] {
            assert!(!is_private(ip.parse().unwrap()), "{ip}");
        }
    }

    #[tokio::test]
    async fn redirects_do_not_lead_inside_or_to_plain_text() {
        let table = [
            ("http://93.184.216.34/a", "http://127.0.0.1/", false),
            ("http://93.184.216.34/a", "http://169.254.169.254/", false),
            ("https://93.184.216.34/a", "http://93.184.216.34/a", false),
            ("http://93.184.216.34/a", "https://93.184.216.35/b", true),
            ("http://127.0.0.1:80/a", "http://127.0.0.1:81/b", true),
            ("http://93.184.216.34/a", "b", true),
        ];
        for (from, to, allowed) in table {
            let from = Url::parse(from).unwrap();
            assert_eq!(follow(&from, Some(to)).await.is_ok(), allowed, "{from} -> {to}");
        }
    }
}
