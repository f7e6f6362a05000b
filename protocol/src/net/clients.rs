//! HTTP clients, made when they are first needed: reading the system's certificates takes longer than a small update.

use reqwest::{Client, ClientBuilder};
use std::time::Duration;
use tokio::sync::OnceCell;
use url::{Host, Url};

/// For a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that nobody has used for so long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Clients that follow no redirects by themselves: whoever asks decides where it may be led.
#[derive(Debug)]
pub struct HttpClients {
    user_agent: &'static str,
    /// Through the system's proxies.
    outside: OnceCell<Client>,
    /// For this machine, which no proxy can reach for us.
    local: OnceCell<Client>,
    /// The same without certificates, for `http://` alone.
    local_plain: OnceCell<Client>,
}

impl HttpClients {
    /// Clients that call themselves so; none is made yet.
    #[must_use]
    pub fn new(user_agent: &'static str) -> HttpClients {
        let (outside, local, local_plain) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        HttpClients { user_agent, outside, local, local_plain }
    }

    /// The client for an address; `here` when that is this machine's own.
    ///
    /// # Errors
    /// The system's certificates cannot be used.
    pub async fn to(&self, url: &Url, here: bool) -> Result<&Client, reqwest::Error> {
        let plain = url.scheme() == "http";
        let (client, own): (_, fn(ClientBuilder) -> ClientBuilder) = match (here, plain) {
            (false, _) => (&self.outside, |builder| builder),
            (true, false) => (&self.local, ClientBuilder::no_proxy),
            (true, true) => (&self.local_plain, |builder| builder.no_proxy().tls_certs_only([])),
        };
        let user_agent = self.user_agent;
        client
            .get_or_try_init(|| async move {
                // Certificates are read from files.
                let made = tokio::task::spawn_blocking(move || own(common(user_agent)).build());
                match made.await {
                    Ok(made) => made,
                    // Only a runtime that is shutting down drops the task.
                    Err(_) => own(common(user_agent)).build(),
                }
            })
            .await
    }
}

fn common(user_agent: &'static str) -> ClientBuilder {
    // An error says that the process has chosen a provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(user_agent)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
}

/// Whether an address says by itself that it is this machine's.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (url, here) in [
            ("http://127.0.0.1:80/", true),
            ("http://127.9.9.9/", true),
            ("http://[::1]/", true),
            ("http://[::ffff:127.0.0.1]/", true),
            ("http://LocalHost/", true),
            ("http://localhost.example.org/", false),
            ("http://10.0.0.1/", false),
            ("http://[fe80::1]/", false),
            ("file:///x", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), here, "{url}");
        }
    }

    #[tokio::test]
    async fn a_client_is_made_once_and_only_where_it_is_needed() {
        let clients = HttpClients::new("test");
        let made = || [&clients.outside, &clients.local, &clients.local_plain].map(OnceCell::initialized);
        for (url, here, expected) in [
            ("http://127.0.0.1/", true, [false, false, true]),
            ("https://127.0.0.1/", true, [false, true, true]),
            ("http://192.0.2.1/", false, [true, true, true]),
        ] {
            let url = Url::parse(url).unwrap();
            let first = std::ptr::from_ref(clients.to(&url, here).await.unwrap());
            assert_eq!(made(), expected, "{url}");
            assert!(std::ptr::eq(first, clients.to(&url, here).await.unwrap()));
        }
    }

    #[tokio::test]
    async fn without_certificates_no_server_is_believed() {
        let clients = HttpClients::new("test");
        let plain = clients.to(&Url::parse("http://127.0.0.1/").unwrap(), true).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { listener.accept().await.map(drop) });
        assert!(plain.get(url).send().await.is_err());
    }
}
