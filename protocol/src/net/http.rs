//! HTTP for trackers and web seeds: deadlines, redirects within reason, nothing believed.

use super::clients::HttpClients;
use crate::swarm::{AddrClass, class_of};
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// Redirects followed for one request.
const MAX_REDIRECTS: usize = 5;
/// For the head of an answer to arrive, from the moment a request is sent.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// For a name to be looked up.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// GET, with care.
#[derive(Clone, Debug)]
pub(super) struct Http(Arc<HttpClients>);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpFault {
    #[error("{0}")]
    Unreachable(String),
    #[error("no answer in {} s", HEAD_TIMEOUT.as_secs())]
    TimedOut,
    #[error("redirected more than {MAX_REDIRECTS} times")]
    RedirectLoop,
    #[error("redirected to where it must not lead: {0}")]
    BadRedirect(String),
}

/// An answer and the kind of network it came from.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) response: Response,
    pub(super) class: AddrClass,
}

impl Http {
    pub(super) fn new() -> Http {
        Http(Arc::new(HttpClients::new(concat!("Samara/", env!("CARGO_PKG_VERSION")))))
    }

    /// Sends a GET; follows redirects as long as they do not lead from a public place into a private one (a server
    /// must not make a player's machine talk to its router), nor away from TLS.
    pub(super) async fn get(&self, url: Url, headers: &HeaderMap) -> Result<Answer, HttpFault> {
        let mut url = url;
        let mut class = class_of_host(&url).await;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(&url, class, headers).await?;
            let Some(next) = redirect_target(&url, &response)? else { return Ok(Answer { response, class }) };
            let next_class = class_of_host(&next).await;
            if next_class < class || (url.scheme() == "https" && next.scheme() != "https") {
                return Err(HttpFault::BadRedirect(next.to_string()));
            }
            (url, class) = (next, next_class);
        }
        Err(HttpFault::RedirectLoop)
    }

    async fn send(&self, url: &Url, class: AddrClass, headers: &HeaderMap) -> Result<Response, HttpFault> {
        let client = self.0.to(url, class == AddrClass::Loopback).await;
        let client = client.map_err(|error| HttpFault::Unreachable(explain(&error)))?;
        let request = client
            .get(url.clone())
            .headers(headers.clone())
            .header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        match tokio::time::timeout(HEAD_TIMEOUT, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(HttpFault::Unreachable(explain(&error))),
            Err(_) => Err(HttpFault::TimedOut),
        }
    }
}

/// `None` if the answer is no redirect.
fn redirect_target(from: &Url, response: &Response) -> Result<Option<Url>, HttpFault> {
    let redirects = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    if !redirects.contains(&response.status()) {
        return Ok(None);
    }
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| HttpFault::BadRedirect("no location".to_owned()))?;
    let target = from.join(location).map_err(|_| HttpFault::BadRedirect(location.to_owned()))?;
    if matches!(target.scheme(), "http" | "https") {
        Ok(Some(target))
    } else {
        Err(HttpFault::BadRedirect(location.to_owned()))
    }
}

/// The most private class among a host's addresses. A name that this machine cannot look up is for a proxy to look
/// up, so it counts as public.
pub async fn class_of_host(url: &Url) -> AddrClass {
    let name = match url.host() {
        Some(Host::Ipv4(ip)) => return class_of(ip.into()),
        Some(Host::Ipv6(ip)) => return class_of(ip.into()),
        Some(Host::Domain(name)) => name.to_owned(),
        None => return AddrClass::Public,
    };
    let port = url.port_or_known_default().unwrap_or(0);
    let lookup = tokio::time::timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host((name, port)));
    let Ok(Ok(addrs)) = lookup.await else { return AddrClass::Public };
    addrs.map(|addr| class_of(addr.ip())).min().unwrap_or(AddrClass::Public)
}

/// An error with its causes: the outermost alone ("error sending request") helps nobody.
pub(super) fn explain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
